"""[data] snapshot when something dies meanwhile, or does not die: the data are those of one release, whole."""
import os
import shutil
import subprocess
import unittest

from lib import processes
from lib.data import MIGRATE, DataCase
from lib.programs import INJECT
from lib.unkillable import Unkillable
from lib.waiting import wait_until


class BerthdDies(DataCase):
    def test_berthd_that_is_killed_at_any_moment_leaves_the_data_of_one_release_whole(self):
        """At each durable step about the data of a deployment that copies them, and of the revert that follows."""
        self.start_with_v1()
        self.publish({"pre-start": MIGRATE}, "--exit-once-current", "300", bake="60s", note="2")
        self.kill_at_each_step("reverted", "deploy", "web@v2")

    def test_the_same_in_a_revert_by_hand(self):
        self.start_with_v1()
        self.publish({"pre-start": MIGRATE}, note="2")
        self.deploy(self.node, "v2")
        self.kill_at_each_step("active", "revert", "web")

    def kill_at_each_step(self, end, *command):
        """Kills berthd at each step about the data that a command leads to; afterwards its deployment ends so, and v1 has its data."""
        self.node.stop()
        self.end_apps()
        os.system("nft flush ruleset")
        pristine = self.folder / "pristine"
        subprocess.run(["cp", "-a", self.node.folder, pristine], check=True)
        begun = len(self.node.start().deployments())
        self.node.stop()
        points = self.run_injected(None, *command)
        chosen = [(text, 1) for text in self.about_data(points)]
        self.assertEqual(len([text for text, _ in chosen if text.startswith("rename")]), 2, points)
        commit = f"fdatasync {self.node.state}/berth.db-wal"
        chosen += [(commit, number) for number in range(3, points.count(commit) - 1, 2)]  # before, berthd does not know of it yet
        for text, number in chosen:
            with self.subTest(text, number=number):
                self.end_apps()
                os.system("nft flush ruleset")
                shutil.rmtree(self.node.folder)
                subprocess.run(["cp", "-a", pristine, self.node.folder], check=True)
                self.assertTrue(self.run_injected((text, number), *command), "berthd was killed there")
                self.node.start()
                wait_until(lambda: len(self.node.deployments()) > begun and self.newest()["ended_at"], "the deployment is over", 60)
                self.assertEqual(self.newest()["state"], end)
                # A hook of which it is not known whether it began is not run.
                self.assertBackAtV1(f"data.{self.newest()['id']}", ("schema 1\n", "schema 2\n") if text == commit else ("schema 2\n",))
                self.assertEqual(len(self.beside()), 1)
                self.node.stop()
        self.progress(f"killed at {len(chosen)} steps")

    @staticmethod
    def about_data(points):
        """Of the calls that fill a copy the first of each kind, and all others about the data's folders."""
        chosen, kinds = [], set()
        for text in points:
            call = text.split(" ", 1)[0]
            is_about = text.endswith("/apps/web") or ("/apps/web/" in text and ("snapshot." in text or "/data" in text))
            if not is_about or text in chosen:
                continue
            if call not in ("rename", "syncfs", "fsync", "rmdir") and call in kinds:
                continue
            kinds.add(call)
            chosen.append(text)
        return chosen

    def run_injected(self, kill_at, *command):
        """A command with berthd under the injector: every point that it came by, or, killed at the point `kill_at` (text, which time), whether it was."""
        trace, arm = self.folder / "trace", self.folder / "armed"
        arm.unlink(missing_ok=True)
        escaped = "".join("\\" + c if c in ".[](){}*+?|^$\\" else c for c in (kill_at or [""])[0])
        at = ["--kill", str(kill_at[1]), "--like", escaped] if kill_at else []
        self.node.prefix = [str(INJECT), "--arm", str(arm), "--trace", str(trace), *at, "--below", str(self.node.state), "--"]
        self.node.start()
        self.node.prefix = []
        self.node.wait_app(health="healthy")
        arm.touch()
        self.node.berth(*command, *(["--no-wait"] if kill_at else ["--timeout", "60s"]), expect=None)
        if kill_at:
            killed = wait_until(lambda: self.node.process.poll() is not None, "berthd was killed", 30)
            return killed and trace.read_text().rstrip().endswith("killed")
        self.node.stop()
        return [line.split(" ", 2)[2] for line in trace.read_text().splitlines() if line.count(" ") >= 2]


class TheAppDoesNot(DataCase):
    def test_a_process_that_does_not_end_lets_no_later_berthd_take_a_snapshot_either(self):
        self.start_with_v1()
        (pid,) = self.node.pids().values()
        held = Unkillable(pid)
        self.addCleanup(held.release)
        self.publish(note="2")
        self.assertSays(self.deploy(self.node, "v2", expect=5), "processes of it do not end", f"pid {pid}")
        self.assertEqual(self.beside(), [])
        self.node.kill()
        self.node.start()
        self.node.wait_app(health="healthy", seconds=60)
        before = self.node.pids()
        self.publish(note="3")
        self.assertSays(self.deploy(self.node, "v3", expect=1), "processes of it do not end", f"pid {pid}")
        self.assertEqual(self.node.pids(), before, "nothing was stopped for it")
        held.release()
        wait_until(lambda: not processes.is_running(pid), "it has ended")
        self.deploy(self.node, "v3")
        self.assertEqual(self.tree(self.node.data().parent / f"snapshot.{self.newest()['id']}"), self.before)


if __name__ == "__main__":
    unittest.main(verbosity=2)
