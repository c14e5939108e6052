"""One system call fails, or berthd ends before it, where a spread over all calls (faults/every_syscall.py) rarely draws it or does not look at what is told of it.

usage: test_named_calls.py [Class[.test]]
"""
import os
import signal
import subprocess
import time
import unittest

from lib import sample_apps
from lib.case import BerthCase
from lib.injected import Injected
from lib.waiting import wait_until


class NamedCalls(BerthCase):
    def setUp(self):
        super().setUp()
        for note in ("one", "two"):
            self.repo.publish(sample_apps.testapp(self.folder / "site", note=note))
        self.node = self.make_node().start()
        self.deploy(self.node, "v1")
        self.injected = Injected(self.node, self.folder)

    def kinds(self):
        return [one["kind"] for one in self.node.events()]

    def start_again(self):
        """As after a crash."""
        self.node.process.wait(10)
        self.node.start()


class Events(NamedCalls):
    """Each is told once, in its place, with who asked."""

    def assertChainWhole(self):
        self.node.berth("events", "--verify")
        numbers = [one["number"] for one in self.node.events()]
        self.assertEqual(numbers, list(range(numbers[0], numbers[0] + len(numbers))))

    def test_a_disk_that_fails_when_one_is_synced_and_when_that_is_undone(self):
        self.node.stop()
        self.injected.start(r"fdatasync .*events[.]log", error="EIO", lasts=True)
        with self.injected.armed():
            self.node.berth("hold", "web")
            time.sleep(0.3)
        self.assertTrue(self.injected.was_hit())
        self.node.berth("resume", "web")
        self.assertEqual([self.kinds().count(kind) for kind in ("operator.hold", "operator.resume")], [1, 1])
        self.assertChainWhole()
        self.node.stop()
        self.node.start()
        self.assertChainWhole()
        self.assertNotIn("events.damaged", self.kinds())

    def test_that_the_disk_does_not_take_is_told_when_it_does(self):
        self.node.stop()
        self.injected.start(r"p?write(64)? .*berth[.]db-wal.*", error="ENOSPC", lasts=True)
        (pid,) = self.node.pids().values()
        with self.injected.armed():
            os.kill(pid, signal.SIGKILL)
            wait_until(lambda: self.injected.was_hit(), "the disk has refused")
            time.sleep(0.5)
        wait_until(lambda: self.node.pids().get("web/web.1") not in (0, None, pid), "it runs again")
        exits = wait_until(lambda: [one for one in self.node.events() if one["kind"] == "instance.exit"], "its end is told")
        self.assertEqual(len(exits), 1)
        self.assertChainWhole()

    def test_a_restart_that_cannot_be_written_down_is_not_done(self):
        self.node.stop()
        self.injected.start(r"p?write(64)? .*berth[.]db-wal.*", error="ENOSPC", lasts=True)
        pids = self.node.pids()
        with self.injected.armed():
            done = self.node.berth("restart", "web", expect=1)
        self.assertSays(done, "cannot be written down, so it is not done")
        self.assertEqual(self.node.pids(), pids)
        self.node.berth("restart", "web")
        self.assertNotEqual(self.node.pids(), pids)
        self.assertEqual(self.kinds().count("operator.restart"), 1)

    def test_an_import_that_is_kept_has_one(self):
        file = self.folder / "v2.berth"
        self.repo.berth("export", "web/production@v2", "-o", file, "--repo", self.repo.folder)
        self.node.stop()
        self.injected.start(r"p?write(64)? .*berth[.]db-wal.*")  # berthd ends there
        with self.injected.armed():
            self.node.berth("import", file, expect=None)
            self.node.process.wait(10)
        self.start_again()
        kept = (self.node.state / "imports" / "web" / "v2").exists()
        self.assertEqual(kept, "operator.import" in self.kinds())

    def test_a_collection_that_is_cut_off_has_one_with_who_asked(self):
        self.deploy(self.node, "v2")
        wait_until(lambda: self.node.deployments()[0]["state"] == "active", "the bake is over")
        self.repo.publish(sample_apps.testapp(self.folder / "site", note="three"))
        self.deploy(self.node, "v3")
        wait_until(lambda: self.node.deployments()[0]["state"] == "active", "the bake is over")
        self.node.stop()
        self.node.configure(self.node.config.read_text().replace("[store]\n", "[store]\nkeep_releases = 1\n"))
        self.injected.start(r"unlinkat .*slots/v1/.*")
        with self.injected.armed():
            self.node.berth("gc", expect=None)
        self.start_again()
        self.assertFalse(self.node.slot("v1").exists())
        (told,) = [one for one in self.node.events() if one["kind"] == "operator.gc"]
        self.assertEqual((told["data"]["by"], told["data"]["slots"]), ("root (uid 0)", 1))

    def test_of_before_a_restore_are_there_wherever_that_ends(self):
        self.node.berth("hold", "web", "--reason", "an audit")
        file = self.folder / "edge.tar"
        self.node.berth("backup", file, "--config", self.node.config)
        self.node.kill()
        subprocess.run(["cp", "-a", self.node.state, self.folder / "pristine"], check=True)
        restore = ("restore", file, "--force", "--config", self.node.config)

        def again():
            subprocess.run(["rm", "-rf", self.node.state], check=True)
            subprocess.run(["cp", "-a", self.folder / "pristine", self.node.state], check=True)
        self.assertEqual(self.injected.berth(*restore, like=None), 0)
        renames = self.injected.calls("rename")
        self.assertGreaterEqual(len(renames), 4)
        for number, call in enumerate(renames, 1):
            with self.subTest(call):
                again()
                self.assertNotEqual(self.injected.berth(*restore, like="rename .*", number=number), 0)
                self.node.start()
                self.assertIn("an audit", str(self.node.app()["held"]))
                self.node.kill()


class Leftovers(NamedCalls):
    def test_of_a_swap_that_was_cut_off_are_removed(self):
        self.node.stop()
        self.injected.start(r"rename .*apps/web/[.]current.*")
        with self.injected.armed():
            self.node.berth("deploy", "web@v2", expect=None)
            self.node.process.wait(10)
        app = self.node.state / "apps" / "web"
        self.assertTrue([path for path in app.iterdir() if path.name.startswith(".current.")], "it was cut off there")
        self.start_again()
        wait_until(lambda: self.node.deployments()[0]["ended_at"], "it is over", 20)
        self.assertEqual([path.name for path in app.iterdir() if path.name.startswith(".")], [])
        self.assertOneWholeRelease(self.node, "v2")


if __name__ == "__main__":
    unittest.main(verbosity=2)
