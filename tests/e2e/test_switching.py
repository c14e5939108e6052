"""Switches of nginx under load, by both routings: no request fails, and every switch is seen in the answers."""
import os
import threading
import time
import unittest

from lib import sample_apps
from lib.case import BerthCase
from lib.load import Load, nanoseconds, wrk
from lib.programs import SLOWNESS

#: How many deploys and as many reverts; the load of a sanitized node is smaller.
ROUNDS = int(os.environ.get("BERTH_TEST_ROUNDS", 10 if SLOWNESS == 1 else 2))
RATE = 800 if SLOWNESS == 1 else 200


class Switching:
    """Mixed into a case for each routing."""

    routing = None

    def setUp(self):
        super().setUp()
        self.repo.configure(files=sample_apps.nginx_files(self.routing))
        self.repo.publish(sample_apps.nginx(self.folder / "site", routing=self.routing, bake="200ms", drain="1s"))
        self.node = self.make_node().start()
        self.deploy(self.node, "v1")

    def decision(self, deployment):
        """When it was decided, in ns since 1970."""
        step = next(step for step in deployment["steps"] if step["state"] in ("switching", "reverting"))
        return nanoseconds(step["at"])

    def assertNoneFailed(self, load):
        self.progress(f"{load.summary}, the slowest took {load.slowest_ms:.1f} ms")
        self.assertEqual(load.failed, [], load.summary)

    def assertNoneWaited(self, load):
        """No packet that begins a connection was dropped, which TCP would repeat after a second."""
        if SLOWNESS == 1:
            self.assertLess(load.slowest_ms, 1000)

    def test_deploys_and_reverts_under_load_fail_no_request(self):
        expected, moments = ["v1"], []
        with Load(8080, self.folder, RATE) as load, Load(8080, self.folder, RATE // 4, client="keep-alive") as kept, \
                Load(8080, self.folder, 40, connections=16, client="slow") as slow:
            for _ in range(ROUNDS):
                release = self.repo.release("web")
                self.deploy(self.node, release)
                self.node.berth("revert", "web")
                expected.append(release)
        for deployment in self.node.deployments():
            if deployment["from"]:
                moments.append((deployment["from"], self.decision(deployment), deployment))
        for one in (load, kept, slow):
            self.assertNoneFailed(one)
            self.assertGreater(one.summary["requests"], 20 * ROUNDS)
        self.assertNoneWaited(load)
        self.assertEqual(load.releases_seen(), expected, "each switch is seen in the answers")
        self.assertEqual(len(moments), 2 * ROUNDS)
        self.assertOldReleaseIsSilent(load, moments)
        if SLOWNESS == 1:
            self.assertGreaterEqual(load.rate, 500)
        self.assertServes("v1")

    def assertOldReleaseIsSilent(self, load, moments):
        """No answer from the release before on a connection opened more than 50 ms after a decision, up to the next one."""
        moments = sorted(moments, key=lambda one: one[1])
        limit = 50 * SLOWNESS
        waits = []  # from each decision to the first connection that the release after it answered, in ms
        for old, moment, _deployment in moments:
            first = min((opened for opened, _ended, what in load.requests if opened > moment and what != old), default=None)
            if first:
                waits.append((first - moment) / 1e6)
        self.progress(f"from a decision to the first request on the release after it: p50 {sorted(waits)[len(waits) // 2]:.1f} ms, most {max(waits):.1f} ms")
        for (old, moment, deployment), following in zip(moments, moments[1:] + [(None, 2**63, None)]):
            late = [one for one in load.late(old, moment, limit) if one[0] < following[1]]
            self.assertEqual(late, [], f"answers of {old} later than {limit} ms after deployment {deployment['id']} was decided at {moment}")

    def test_a_killed_berthd_loses_no_request_no_process_and_no_log_line(self):
        self.repo.publish(sample_apps.testapp(self.folder / "ticker", "--lines", "200", app="ticker", routing=None, serve=False), files={})
        self.repo.configure(files=sample_apps.nginx_files(self.routing))
        self.deploy(self.node, "v1", "ticker")
        before = {**self.node.pids(), **self.node.pids("ticker")}
        with Load(8080, self.folder, RATE) as load:
            time.sleep(0.5)
            self.node.kill()
            time.sleep(1)
            self.node.start()
            after = {**self.node.pids(), **self.node.pids("ticker")}
            self.deploy(self.node, self.repo.release("web"))
        self.assertNoneFailed(load)
        self.assertNoneWaited(load)
        self.assertEqual(after, before)
        self.assertEqual(load.releases_seen(), ["v1", "v2"], "an adopted app can be switched")
        self.node.berth("stop", "ticker")
        lines = self.node.berth("logs", "ticker", "--raw").out.splitlines()
        last = int(lines[-1].split()[1])
        self.assertEqual(lines[:-1], [f"line {n}" for n in range(1, last + 1)], "every line of the ticker, once and in order")

    def test_keep_alive_clients_see_closed_connections_at_most(self):
        result = {}
        load = threading.Thread(target=lambda: result.update(wrk(8080, 6 * SLOWNESS)))
        load.start()
        for _ in range(2):
            self.deploy(self.node, self.repo.release("web"))
        load.join()
        self.progress(result)
        # wrk does not repeat a request whose reused connection was closed by a stopping server; a refusal or a bad answer is a failure.
        self.assertEqual((result["connect"], result["status"], result["timeout"]), (0, 0, 0), result)
        self.assertLessEqual(result["read"] + result["write"], 16 * 3, "no more than the idle connections of the servers that stopped")
        self.assertGreater(result["requests"], 100)

    def test_two_instances_share_the_load_and_scaling_under_load_fails_nothing(self):
        with Load(8080, self.folder, RATE) as load:
            self.node.berth("scale", "web/web=3")
            self.node.wait_app(health="healthy")
            self.assertEqual(len(self.node.instances()), 3)
            self.node.berth("scale", "web/web=1")
        self.assertNoneFailed(load)


class BySocket(Switching, BerthCase):
    routing = "socket"


class ByPort(Switching, BerthCase):
    routing = "port"


if __name__ == "__main__":
    unittest.main(verbosity=2)
