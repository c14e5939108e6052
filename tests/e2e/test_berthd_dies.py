"""berthd is killed in each state of a deployment; faults/every_syscall.py does that at each system call.

usage: test_berthd_dies.py [BerthdDies[.test]]
"""
import contextlib
import os
import signal
import socket
import sqlite3
import unittest

from lib import hooks, processes
from lib.waiting import wait_until
from lib.web import RepositoryServer


class BerthdDies(hooks.HookCase):
    """berthd killed in a deployment, wherever that is: the next one brings it to its end, and one whole release runs."""

    def killed_in(self, state, release):
        """Deploys, kills berthd in that state, and starts it again."""
        self.node.berth("deploy", f"web@{release}", "--no-wait")
        wait_until(lambda: self.newest()["release"] == release and self.newest()["state"] == state, f"it is {state}", 20, every=0.005)
        self.node.kill()
        self.node.start()

    def ended(self, seconds=40):
        wait_until(lambda: self.newest()["ended_at"], "the deployment is over", seconds)
        return self.newest()["state"]

    def let_go(self):
        (self.node.data() / "go").touch()

    def assertBrought(self, release):
        self.assertOneWholeRelease(self.node, release)
        self.node.wait_app(health="healthy")
        self.assertServes(release)
        self.assertEqual(len(processes.of_app("web")), 1)

    WAITS = 'until [ -e "$BERTH_DATA_DIR/go" ]; do sleep 0.05; done'

    def test_while_it_fetches_and_unpacks(self):
        self.deploy_first()
        server = RepositoryServer(self.repo.folder)
        self.addCleanup(server.close)
        self.node.stop()
        self.node.configure(self.node.config.read_text().replace(self.repo.url, server.url))
        self.node.start()
        tree = hooks.app(self.folder / "site", {})
        tree.put("noise", os.urandom(3 << 20))
        self.repo.publish(tree)
        server.faults["blobs/"] = ("slow", 100_000)
        self.killed_in("fetching", "v2")
        server.faults.clear()
        self.assertEqual(self.ended(), "active")
        self.assertBrought("v2")
        self.assertEqual(list((self.node.state / "staging").iterdir()), [])

    def test_while_it_starts(self):
        self.deploy_first()
        self.publish({}, "--start-delay", "1500", note="slow")
        self.killed_in("starting", "v2")
        self.assertEqual(self.ended(), "active")
        self.assertBrought("v2")

    def test_while_it_switches(self):
        self.publish({"pre-stop": self.WAITS})
        self.deploy(self.node, "v1")
        self.publish({}, note="2")
        self.killed_in("switching", "v2")
        self.let_go()
        self.assertEqual(self.ended(), "active")
        self.assertBrought("v2")

    def test_while_it_drains_a_connection(self):
        self.deploy_first(drain="3s")
        self.publish({}, note="2")
        held = socket.create_connection(("127.0.0.1", 8080))
        self.addCleanup(held.close)
        self.killed_in("switching", "v2")
        self.assertEqual(self.ended(), "active")
        self.assertBrought("v2")

    def test_while_it_bakes(self):
        self.deploy_first()
        self.publish({}, bake="2s", note="2")
        self.killed_in("baking", "v2")
        self.assertEqual(self.ended(), "active")
        self.assertBrought("v2")

    def written_down(self):
        """The state of the newest deployment that a berthd after this one finds; berthd tells of it a moment before."""
        with contextlib.closing(sqlite3.connect(f"file:{self.node.state}/berth.db?mode=ro", uri=True, timeout=5)) as database:
            return database.execute("SELECT state FROM deployments ORDER BY id DESC LIMIT 1").fetchone()[0]

    def test_while_it_bakes_what_then_fails(self):
        self.deploy_first()
        self.publish({}, bake="60s", note="2")
        self.killed_in("baking", "v2")
        os.kill(self.node.pids()["web/web.1"], signal.SIGSEGV)
        self.assertEqual(self.ended(), "reverted")
        self.assertBrought("v1")

    def test_while_it_reverts(self):
        self.deploy_first()
        self.publish({"on-revert": self.WAITS}, "--exit-once-current", "300", bake="60s", note="2")
        self.killed_in("reverting", "v2")
        self.let_go()
        self.assertEqual(self.ended(), "reverted")
        self.assertBrought("v1")

    def test_while_it_reverts_to_what_is_damaged_then_and_what_is_left_is_started(self):
        self.publish({}, "--start-delay", "1500")
        self.deploy(self.node, "v1")
        self.publish({}, bake="60s", note="2")
        self.node.berth("deploy", "web@v2", "--no-wait")
        wait_until(lambda: self.newest()["state"] == "baking", "it bakes", 20)
        os.kill(self.node.pids()["web/web.1"], signal.SIGSEGV)
        wait_until(lambda: self.written_down() == "reverting", "it goes back")
        self.node.kill()
        self.end_apps()  # as if the machine had gone down
        (self.node.slot("v1") / "app" / "NOTE").write_text("damaged")
        self.repo.folder.rename(self.folder / "gone")
        self.node.start()
        self.assertEqual(self.ended(), "failed")
        self.assertIn("going back to v1 is not possible", self.newest()["reason"])
        self.assertBrought("v2")

    def test_with_recreate_between_two_releases(self):
        self.publish({"pre-stop": self.WAITS}, strategy="recreate")
        self.deploy(self.node, "v1")
        self.publish({}, strategy="recreate", note="2")
        self.killed_in("switching", "v2")
        self.let_go()
        self.assertEqual(self.ended(), "active")
        self.assertBrought("v2")

    def test_with_two_requests_written_down_the_newer_one_wins(self):
        self.deploy_first()
        self.publish({"pre-start": self.WAITS}, note="2")
        self.publish({}, note="3")
        self.node.berth("deploy", "web@v2", "--no-wait")
        wait_until(lambda: hooks.ran(self.node), "the first is under way")
        self.node.berth("deploy", "web@v3", "--no-wait")
        self.node.kill()
        self.node.start()
        self.let_go()
        wait_until(lambda: all(one["ended_at"] for one in self.node.deployments()), "both are over", 30)
        states = {one["release"]: one["state"] for one in self.node.deployments()}
        self.assertEqual((states["v2"], states["v3"]), ("superseded", "active"))
        self.assertBrought("v3")


if __name__ == "__main__":
    unittest.main(verbosity=2)
