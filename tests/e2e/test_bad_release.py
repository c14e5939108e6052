"""A third release that does not work: what served before goes on, the history says why, and it is not taken again unasked."""
import unittest

from lib import sample_apps
from lib.case import BerthCase
from lib.load import Load
from lib.programs import SLOWNESS

RATE = 300 if SLOWNESS == 1 else 100
EXITS = ("--exit-after", "0", "--exit-code", "3")
NEVER_READY = ("--never-ready",)
TOO_LONG = f"{2 * SLOWNESS}s"  # for what is never ready: it is started and asked in that time


class BadRelease(BerthCase):
    def prepare(self, strategy, routing="port"):
        self.strategy, self.routing = strategy, routing
        self.publish()
        self.publish(note="2")
        node = self.make_node().start()
        self.deploy(node, "v1")
        self.deploy(node, "v2")
        return node

    def publish(self, *arguments, bake="200ms", ready_timeout="20s", note=""):
        tree = sample_apps.testapp(self.folder / "site", *arguments, strategy=self.strategy, routing=self.routing, bake=bake, ready_timeout=ready_timeout, note=note)
        return self.repo.publish(tree)

    def assertRejected(self, node, why, lines, again):
        """v3 is rejected, and says so; v2 runs and serves."""
        self.assertServes("v2")
        self.assertOneWholeRelease(node, "v2")
        newest = node.deployments()[0]
        self.assertIn(why, newest["reason"])
        for line in lines:
            self.assertTrue(any(line in one for one in newest["last_lines"]), f"{line!r} is not among {newest['last_lines']}")
        history = node.berth("history", "web").out
        self.assertIn(why, history)
        self.assertEqual(self.printed_in(history.split("\n")), newest["last_lines"][-5:], history)
        self.assertEqual(self.printed_in(node.berth("history", str(newest["id"])).out.split("\n")), newest["last_lines"])
        self.assertEqual([one["release"] for one in node.app()["rejected"]], ["v3"])
        refused = node.berth("deploy", "web@v3", expect=8)
        self.assertSays(refused, "v3", "--force")
        self.assertServes("v2")
        node.berth("deploy", "web@v3", "--force", expect=again)
        self.assertServes("v2")

    @staticmethod
    def printed_in(history):
        """What the app printed last, as the newest deployment of a history shows it: below its head, each line behind a bar."""
        end = next((at for at, line in enumerate(history[1:], 1) if line and not line.startswith("      ")), len(history))
        return [line.removeprefix("      | ") for line in history[:end] if line.startswith("      | ")]

    def blue_green_before_the_decision(self, arguments, why, lines, routing, ready_timeout="20s"):
        node = self.prepare("blue-green", routing)
        pids = node.pids()
        with Load(8080, self.folder, RATE) as load:
            self.publish(*arguments, ready_timeout=ready_timeout)
            self.deploy(node, "v3", expect=1)
        self.assertEqual(load.failed, [], load.summary)
        self.assertEqual(load.releases_seen(), ["v2"], "v2 served throughout")
        self.assertEqual(node.pids(), pids, "v2 kept its process")
        self.assertRejected(node, why, lines, again=1)

    def test_blue_green_that_exits_fails_and_v2_never_stops_serving(self):
        self.blue_green_before_the_decision(EXITS, "exited with 3", ["ends by itself with 3"], "port")

    def test_blue_green_by_socket_that_exits_fails_and_v2_never_stops_serving(self):
        self.blue_green_before_the_decision(EXITS, "exited with 3", ["ends by itself with 3"], "socket")

    def test_blue_green_that_is_never_ready_fails_and_v2_never_stops_serving(self):
        self.blue_green_before_the_decision(NEVER_READY, "503", [], "port", ready_timeout=TOO_LONG)

    def test_blue_green_that_leaves_the_passed_socket_alone_fails_with_a_hint(self):
        self.blue_green_before_the_decision(("--ignore-socket",), "socket", [], "socket", ready_timeout=TOO_LONG)

    def dies_in_bake(self, strategy, routing="port"):
        node = self.prepare(strategy, routing)
        self.publish("--exit-once-current", "500", "--exit-code", "4", bake="60s")
        self.deploy(node, "v3", expect=5)
        self.assertRejected(node, "exited with 4", ["ends by itself with 4"], again=5)

    def test_blue_green_that_dies_in_bake_is_reverted(self):
        self.dies_in_bake("blue-green")

    def test_blue_green_by_socket_that_dies_in_bake_is_reverted(self):
        self.dies_in_bake("blue-green", "socket")

    def test_recreate_that_dies_in_bake_is_reverted(self):
        self.dies_in_bake("recreate")

    def recreate(self, arguments, why, lines, ready_timeout="20s"):
        node = self.prepare("recreate")
        self.publish(*arguments, ready_timeout=ready_timeout)
        self.deploy(node, "v3", expect=5)
        self.assertRejected(node, why, lines, again=5)

    def test_recreate_that_exits_is_reverted(self):
        self.recreate(EXITS, "exited with 3", ["ends by itself with 3"])

    def test_recreate_that_is_never_ready_is_reverted(self):
        self.recreate(NEVER_READY, "503", [], ready_timeout=TOO_LONG)

    def test_with_a_port_and_no_readiness_probe_one_that_never_listens_does_not_replace_v2(self):
        node = self.prepare("blue-green")
        tree = sample_apps.testapp(self.folder / "site", "--lines", "3", serve=False, probe=False, ready_timeout=TOO_LONG, note="mute")
        self.repo.publish(tree)
        done = self.deploy(node, "v3", expect=1)
        self.assertSays(done, "readiness probe", "$PORT", "web@v3 is rejected here")
        self.assertServes("v2")
        self.assertOneWholeRelease(node, "v2")

    def test_what_the_node_lacks_does_not_reject_a_release_and_shows_no_line_of_another(self):
        node = self.prepare("recreate")
        pids = node.pids()
        secret = self.folder / "secret"
        more = "[env.TOKEN]\nsecret = true\nrequired = true\n"
        self.repo.publish(sample_apps.testapp(self.folder / "site", strategy="recreate", more=more, note="3"), secrets={"TOKEN": f"file:{secret}"})
        done = self.deploy(node, "v3", expect=1)
        self.assertSays(done, "TOKEN", str(secret))
        self.assertNotIn("rejected", done.text)
        self.assertEqual(node.app()["rejected"], [])
        self.assertEqual(node.deployments()[0]["last_lines"], [])
        self.assertEqual(node.pids(), pids, "v2 was not even stopped")
        secret.write_text("a")
        secret.chmod(0o600)
        self.deploy(node, "v3")
        self.assertServes("v3")

    def test_what_the_node_lacks_after_the_decision_is_reverted_and_does_not_reject_a_release(self):
        node = self.prepare("recreate")
        command = self.folder / "secret"
        command.write_text("#!/bin/sh\necho no more secrets >&2\nexit 1\n")
        command.chmod(0o755)
        more = "[env.TOKEN]\nsecret = true\nrequired = true\n"
        self.repo.publish(sample_apps.testapp(self.folder / "site", strategy="recreate", more=more, note="3"), secrets={"TOKEN": f"command:{command}"})
        self.assertSays(self.deploy(node, "v3", expect=1), "TOKEN", "does not let releases run", "[secrets]")
        self.assertOneWholeRelease(node, "v2")
        node.stop()
        node.configure(node.config.read_text() + f'[secrets]\ncommands = ["{command}"]\n')
        node.start()
        done = self.deploy(node, "v3", expect=5)
        self.assertSays(done, "TOKEN", "no more secrets")
        self.assertNotIn("rejected", done.text)
        self.assertEqual(node.app()["rejected"], [])
        self.assertServes("v2")
        self.assertOneWholeRelease(node, "v2")
        command.write_text("#!/bin/sh\necho hidden\n")
        self.deploy(node, "v3")
        self.assertServes("v3")

    def test_a_revert_by_hand_that_is_itself_reverted_leaves_what_runs_neither_rejected_nor_held(self):
        node = self.prepare("recreate")
        command = self.folder / "secret"
        command.write_text("#!/bin/sh\necho hidden\n")
        command.chmod(0o755)
        node.stop()
        node.configure(node.config.read_text() + f'[secrets]\ncommands = ["{command}"]\n')
        node.start()
        more = "[env.TOKEN]\nsecret = true\nrequired = true\n"
        self.repo.publish(sample_apps.testapp(self.folder / "site", strategy="recreate", more=more, note="3", bake="200ms"), secrets={"TOKEN": f"command:{command}"})
        self.repo.configure()
        self.publish(note="4")
        for release in ("v3", "v4"):
            self.deploy(node, release)
        command.write_text("#!/bin/sh\necho no more secrets >&2\nexit 1\n")
        done = node.berth("revert", "web", "--reason", "slow", expect=5)
        self.assertSays(done, "web@v3 reverted", "no more secrets", "web runs v4 again")
        self.assertOneWholeRelease(node, "v4")
        app = node.app()
        self.assertEqual((app["held"], app["held_by"], app["rejected"], app["previous"]), ("", "", [], "v3"))
        for word in ("held", "rejected"):
            self.assertNotIn(word, node.berth("status", "web").text)
        self.assertEqual([one["kind"] for one in node.events() if one["kind"].startswith("operator.")][-2:], ["operator.hold", "operator.resume"])
        (told,) = [one["data"] for one in node.events() if "accepted" in one["data"]]
        self.assertEqual((told["state"], told["release"], told["accepted"]), ("reverted", "v3", "v4"))
        node.kill()
        node.start()
        self.assertEqual((node.app()["held"], node.app()["rejected"]), ("", []))

        command.write_text("#!/bin/sh\necho hidden\n")
        node.berth("revert", "web")
        self.assertServes("v3")
        self.assertEqual(([one["release"] for one in node.app()["rejected"]], node.app()["held"]), (["v4"], "v4 was reverted by hand"))

    def test_a_first_release_that_does_not_work_fails_and_is_stopped(self):
        self.strategy, self.routing = "blue-green", "port"
        self.publish(*NEVER_READY, ready_timeout=TOO_LONG)
        node = self.make_node().start()
        self.deploy(node, "v1", expect=1)
        self.assertEqual(node.active(), "")
        self.assertIsNone(node.current())
        self.assertEqual(node.app()["health"], "down")
        self.assertIn("web@v1 failed: ", node.app()["problem"])
        self.publish(note="good")
        self.deploy(node, "v2")
        self.assertServes("v2")


if __name__ == "__main__":
    unittest.main(verbosity=2)
