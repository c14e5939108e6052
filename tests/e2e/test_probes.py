"""Probes of real apps: HTTP over TLS, gRPC's health service (Google's server), sd_notify; and limits that this node may not enforce."""
import subprocess
import unittest

from lib import sample_apps
from lib.case import BerthCase
from lib.programs import SOURCE
from lib.waiting import wait_until

READINESS = 'period = "100ms"\ntimeout = "2s"\nfailure_threshold = 2\n'


class Probes(BerthCase):
    def probed(self, mode, probes, port=8080, more="", **files):
        """A tree of the app in that mode. `probes`: the rest of [process.web]."""
        tree = sample_apps.Tree(self.folder / "site", "web").put("bin/probed", (SOURCE / "tests/apps/probed.py").read_text(), 0o755)
        for name, content in files.items():
            tree.put(name.replace("_", "."), content)
        routing = f"port = {port}\n" if port else ""
        return tree.spec(f'app = "web"\n[process.web]\ncommand = ["bin/probed", "{mode}"]\n{routing}stop = {{ grace = "2s" }}\n{probes}'
                         f'[deploy]\nbake = "300ms"\nready_timeout = "20s"\n{more}')

    def tell(self, node, what, be=True):
        """Makes the app ill, silent, …"""
        path = node.data() / what
        if be:
            path.write_text("")
        else:
            path.unlink()

    def readiness_events(self, node, least):
        found = [one for one in node.events() if one["kind"] in ("instance.unready", "instance.ready")]
        return found if len(found) >= least else None

    def assertFollowsHealth(self, node, reason):
        """Ill, it is out of the route, and says why; well again, it is in it."""
        self.tell(node, "ill")
        one = wait_until(lambda: next((one for one in node.instances() if not one["ready"] and reason in one["not_ready"]), None), f"it is not ready: {reason}", 20)
        self.assertIn("readiness probe: ", one["not_ready"])
        self.tell(node, "ill", False)
        node.wait_app(health="healthy")
        self.tell(node, "ill")  # a second time at once, which is told with the first
        node.wait_app(health="down")
        self.tell(node, "ill", False)
        node.wait_app(health="healthy")
        events = wait_until(lambda: self.readiness_events(node, 2), "it is told that it is ready again", 30)
        self.assertEqual([one["kind"] for one in events], ["instance.unready", "instance.ready"])
        self.assertIn(reason, events[0]["data"]["reason"])
        self.assertEqual((events[0]["data"]["instance"], events[0]["data"]["release"], events[1]["data"]["times"]), ("web/web.1@v1", "v1", 2))

    def certificate(self):
        """A self-signed one, which nobody trusts."""
        cert, key = self.folder / "cert.pem", self.folder / "key.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=nobody",
                        "-keyout", key, "-out", cert], check=True, capture_output=True)
        return {"cert_pem": cert.read_text(), "key_pem": key.read_text()}

    def test_https_is_asked_without_verifying_the_certificate(self):
        self.repo.publish(self.probed("https", f'[process.web.readiness]\nhttp = "/"\nscheme = "https"\n{READINESS}', **self.certificate()))
        node = self.make_node().start()
        self.deploy(node, "v1")
        self.assertFollowsHealth(node, "503 from /")

    def test_a_server_without_tls_is_no_healthy_one(self):
        self.repo.publish(self.probed("http", f'[process.web.readiness]\nhttp = "/"\nscheme = "https"\n{READINESS}').spec_replaced('"20s"', '"2s"'))
        node = self.make_node().start()
        self.assertSays(self.deploy(node, "v1", expect=1), "does not speak TLS at that port")

    def test_grpc_health_is_asked_of_the_server_and_of_a_service(self):
        self.repo.publish(self.probed("grpc", f'[process.web.readiness]\ngrpc = {{ service = "store" }}\n{READINESS}'
                                              '[process.web.startup]\ngrpc = true\nperiod = "200ms"\nfailure_threshold = 100\n'
                                              '[process.web.liveness]\ngrpc = true\nperiod = "200ms"\ntimeout = "1s"\nfailure_threshold = 2\n'))
        node = self.make_node().start()
        self.deploy(node, "v1")
        before = node.pids()
        self.tell(node, "silent")
        wait_until(lambda: any(one["exits_by_reason"].get("liveness") for one in node.instances()), "it was restarted for its silence", 30)
        self.tell(node, "silent", False)
        node.wait_app(health="healthy", seconds=30)
        self.assertNotEqual(node.pids(), before)
        # The server has the deadline, too, and may say so first.
        self.assertRegex(node.instances()[0]["last_exit"]["reason"], "no answer within 1000 ms|gRPC status 4: Deadline Exceeded")

        self.repo.publish(self.probed("grpc", f'[process.web.readiness]\ngrpc = {{ service = "nothing" }}\n{READINESS}').spec_replaced('"20s"', '"3s"'))
        self.assertSays(self.deploy(node, "v2", expect=1), "its health service does not know 'nothing'")
        self.assertEqual(node.active(), "v1")
        node.wait_app(health="healthy")

    def test_grpc_that_says_not_serving_is_out_of_the_route(self):
        self.repo.publish(self.probed("grpc", f'[process.web.readiness]\ngrpc = true\n{READINESS}'))
        node = self.make_node().start()
        self.deploy(node, "v1")
        self.assertFollowsHealth(node, "NOT_SERVING")

    NOTIFY = '[process.web.startup]\nnotify = true\nperiod = "1s"\nfailure_threshold = 2\n[process.web.readiness]\nnotify = true\n' \
             '[process.web.liveness]\nnotify = true\nperiod = "1s"\nfailure_threshold = 2\n'

    def test_an_app_that_notifies_is_ready_when_it_says_so_and_is_watched_also_without_berthd(self):
        self.repo.publish(self.probed("notify", self.NOTIFY, port=0))
        node = self.make_node().start()
        self.deploy(node, "v1")
        self.assertEqual(node.instances()[0]["says"], "watched every 2000000 us")
        self.assertSays(node.berth("status", "web"), "it says: watched every 2000000 us")
        self.assertFollowsHealth(node, "it said RELOADING=1")

        before = node.pids()["web/web.1"]
        node.kill()
        self.tell(node, "silent")
        wait_until(lambda: not self.lives(before), "its keeper ended it")
        self.tell(node, "silent", False)
        node.start()
        node.wait_app(health="healthy", seconds=30)
        one = node.instances()[0]
        self.assertEqual(one["last_exit"]["reason"], "liveness probe failed: no WATCHDOG=1 for 2000ms")
        self.assertGreaterEqual(one["exits_by_reason"]["liveness"], 1)
        self.assertRegex(node.metrics(), r'berth_instance_exits_total\{[^}]*reason="liveness"\} [1-9]')

        # A berthd that comes back hears what was said before.
        pid = one["pid"]
        node.kill()
        node.start()
        node.wait_app(health="healthy")
        self.assertEqual(node.pids()["web/web.1"], pid)
        self.assertEqual(node.instances()[0]["says"], "watched every 2000000 us")

    def test_an_app_that_never_says_ready_fails_its_startup_and_one_that_asks_for_time_gets_it(self):
        self.repo.publish(self.probed("notify", self.NOTIFY, port=0))
        node = self.make_node().start()
        self.deploy(node, "v1")
        self.tell(node, "slow")
        self.deploy(node, self.repo.release())  # it takes three seconds, and asked for them
        self.tell(node, "slow", False)

        self.tell(node, "never")
        done = self.deploy(node, self.repo.release(), expect=1)
        self.assertSays(done, "startup probe failed: it has not said READY=1 yet within 2s")

    def test_a_private_port_of_its_own_is_probed_and_stays_over_a_restart_of_berthd(self):
        ports = '[process.web.ports]\nhttp = 8080\nadmin = { private = true, env = "ADMIN" }\n'
        self.repo.publish(self.probed("http", f'[process.web.readiness]\nhttp = "/"\nport = "admin"\n{READINESS}{ports}', port=0))
        node = self.make_node().start()
        self.deploy(node, "v1")
        self.assertServes("v1")
        one = node.instances()[0]
        self.assertEqual(list(one["ports"]), ["admin"])
        self.assertNotEqual(one["ports"]["admin"], one["port"])
        self.tell(node, "admin-ill")
        one = wait_until(lambda: next((one for one in node.instances() if not one["ready"] and "500 from /" in one["not_ready"]), None), "its admin port says that it is ill", 20)
        self.tell(node, "admin-ill", False)
        node.wait_app(health="healthy")
        node.kill()
        node.start()
        self.assertEqual(node.instances()[0]["ports"], one["ports"])
        node.wait_app(health="healthy")

    def lives(self, pid):
        return subprocess.run(["kill", "-0", str(pid)], capture_output=True).returncode == 0

    def test_limits_are_enforced_or_the_node_says_that_it_cannot(self):
        limits = '[process.web.limits]\nMemoryMax = "64M"\nTasksMax = 100\n'
        self.repo.publish(sample_apps.testapp(self.folder / "site", more=limits))
        node = self.make_node().start()
        done = self.deploy(node, "v1")
        enforced = node.status()["limits_enforced"]
        self.assertEqual(node.instances()[0]["unenforced_limits"], [] if enforced else ["MemoryMax", "TasksMax"])
        if not enforced:
            self.assertSays(node.berth("history", "web"), "MemoryMax, TasksMax of web not enforced on this node")
            self.assertSays(node.berth("status", "web"), "MemoryMax, TasksMax not enforced here")
        self.assertIn(f'berth_instance_limits_enforced{{app="web",process="web",number="1",release="v1"}} {int(enforced)}', node.metrics())


if __name__ == "__main__":
    unittest.main(verbosity=2)
