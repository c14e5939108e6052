"""berthd, a keeper or both die in a hook: it goes on where it can, and is never run again in silence."""
import contextlib
import json
import os
import shutil
import signal
import sqlite3
import time
import unittest

from lib import hooks, processes
from lib.hooks import HookCase
from lib.repo import Repo
from lib.waiting import wait_until


class HooksCutOff(HookCase):
    def kill_in(self, name, script='until [ -e "$BERTH_DATA_DIR/go" ]; do sleep 0.05; done', **options):
        """Deploys v2, one of whose hooks waits, and kills berthd in it; the process of the hook."""
        self.publish({**{one: "" for one in ("pre-start", "post-start", "ready-to-switch", "post-switch")}, name: script}, **options)
        self.node.berth("deploy", "web@v2", "--no-wait")

        def running():
            return [pid for pid in processes.all_pids() if processes.environment(pid).get("BERTH_PROCESS") == name and processes.is_running(pid)]
        pid = min(wait_until(running, f"{name} runs"))
        self.node.kill()
        return pid

    def test_berthd_that_is_killed_in_a_hook_finds_it_again_and_runs_none_twice(self):
        for name in ("pre-start", "post-start", "post-switch"):
            with self.subTest(name):
                self.deploy_first()
                pid = self.kill_in(name)
                self.node.start()
                self.assertTrue(processes.is_running(pid), "the hook goes on")
                (self.node.data() / "go").touch()
                self.node.wait_app(active="v2", deployment=None, seconds=30)
                self.assertEqual(hooks.ran(self.node), ["pre-start v2", "post-start v2", "ready-to-switch v2", "post-switch v2"])
                self.assertEqual(self.newest()["state"], "active")
                self.assertEqual([one["attempts"] for one in self.newest()["hooks"]], [1, 1, 1, 1])
                self.assertEqual(len(hooks.events(self.node)), 8)
                self.assertNothingLeft(name)
                self.assertServes("v2")
                self.node.berth("remove", "web", "--purge", "--yes")
                self.start_over()

    def start_over(self):
        """An empty repository, for the next of several cases in a test."""
        self.node.stop()
        for folder in ("repo", "repo-publisher", "repo-keys"):
            shutil.rmtree(self.folder / folder, ignore_errors=True)
        shutil.rmtree(self.node.folder)
        self.repo = Repo(self.folder)
        self.node = self.make_node().start()

    def test_a_hook_that_ended_while_berthd_was_away_is_not_run_again(self):
        for code, state in ((0, "active"), (7, "failed")):
            with self.subTest(code):
                self.deploy_first()
                pid = self.kill_in("pre-start", f'until [ -e "$BERTH_DATA_DIR/go" ]; do sleep 0.05; done; echo leaving; exit {code}')
                (self.node.data() / "go").touch()
                wait_until(lambda: not processes.is_running(pid), "the hook has ended")
                self.node.start()
                wait_until(lambda: self.newest()["ended_at"], "the deployment is over", 30)
                self.assertEqual(self.newest()["state"], state)
                self.assertEqual(hooks.ran(self.node).count("pre-start v2"), 1)
                if code:
                    self.assertIn("exited with 7", self.newest()["reason"])
                    self.assertEqual(self.newest()["last_lines"], ["leaving"])
                self.node.berth("remove", "web", "--yes")  # its instances and their route are none of the next node's
                self.start_over()

    def test_a_hook_that_was_cut_off_fails_its_deployment_and_is_not_run_again(self):
        self.deploy_first()
        pid = self.kill_in("pre-start")
        os.kill(processes.parent(pid), signal.SIGKILL)
        self.assertTrue(processes.is_running(pid), "the hook itself was not killed")
        self.node.start()
        wait_until(lambda: self.newest()["ended_at"], "the deployment is over", 30)
        self.assertFalse(processes.is_running(pid), "what was left of it is ended")
        self.assertEqual(self.newest()["state"], "failed")
        self.assertIn("its pre-start hook was cut off", self.newest()["reason"])
        self.assertEqual(hooks.ran(self.node), ["pre-start v2"])
        self.assertServes("v1")
        self.assertOneWholeRelease(self.node, "v1")
        (self.node.data() / "go").touch()
        self.deploy(self.node, "v2")
        self.assertEqual(hooks.events(self.node).count(("pre-start", "v2", "started")), 2, "a second deployment says that it ran again")

    def test_the_question_whether_to_switch_is_asked_anew(self):
        self.deploy_first()
        pid = self.kill_in("ready-to-switch")
        (self.node.data() / "go").touch()
        self.node.start()
        self.node.wait_app(active="v2", deployment=None, seconds=30)
        self.assertFalse(processes.is_running(pid))
        record = next(one for one in self.newest()["hooks"] if one["hook"] == "ready-to-switch")
        self.assertEqual((record["attempts"], record["result"]), (2, "ok"))
        self.assertEqual(hooks.events(self.node).count(("ready-to-switch", "v2", "started")), 2)

    def test_a_new_berthd_asks_no_longer_than_the_one_before_would_have(self):
        self.deploy_first()
        self.publish({"ready-to-switch": "exit 75"}, rules={"ready-to-switch": 'retry = "1s"\ngive_up = "5s"'})
        self.node.berth("deploy", "web@v2", "--no-wait")
        wait_until(lambda: hooks.ran(self.node), "it is asked", 20)
        self.node.kill()
        time.sleep(5)  # what is tested is a clock
        before = len(hooks.ran(self.node))
        self.node.start()
        wait_until(lambda: self.newest()["ended_at"], "the deployment is over", 30)
        self.assertIn('said "not now" (exit code 75)', self.newest()["reason"])
        self.assertIn("within 5s", self.newest()["reason"])
        self.assertEqual(len(hooks.ran(self.node)) - before, 1, "it is asked once more, and then it is over")
        self.assertServes("v1")

    def test_time_goes_on_while_berthd_is_away(self):
        self.deploy_first()
        pid = self.kill_in("pre-start", "sleep 1000", rules={"pre-start": 'timeout = "2s"'})
        time.sleep(2.5)  # what is tested is a clock
        self.node.start()
        wait_until(lambda: self.newest()["ended_at"], "the deployment is over", 15)
        self.assertIn("did not end within 2s", self.newest()["reason"])
        self.assertFalse(processes.is_running(pid))
        self.assertServes("v1")

    def test_a_clock_that_is_set_while_berthd_is_away_takes_no_time_from_it(self):
        self.deploy_first()
        pid = self.kill_in("pre-start", rules={"pre-start": 'timeout = "10m"'})
        with contextlib.closing(sqlite3.connect(self.node.state / "berth.db")) as base, base:
            (number, detail), = base.execute("SELECT id, detail FROM deployments WHERE release = 'v2'").fetchall()
            detail = json.loads(detail)
            for one in detail["hooks"]:
                one["began_at"] = "2001-01-01T00:00:00.000000Z"  # when the clock was that far behind
            base.execute("UPDATE deployments SET detail = ? WHERE id = ?", (json.dumps(detail), number))
        self.node.start()
        time.sleep(0.5)  # it would be ended at once
        self.assertTrue(processes.is_running(pid), "the hook goes on")
        (self.node.data() / "go").touch()
        self.node.wait_app(active="v2", deployment=None, seconds=30)

    def test_a_keeper_that_is_killed_in_a_hook_fails_it(self):
        self.deploy_first()
        self.publish({"pre-start": "sleep 1000"})
        deploy = self.node.spawn("deploy", "web@v2")
        wait_until(lambda: hooks.ran(self.node), "the hook runs")
        pid = next(pid for pid in processes.all_pids() if processes.environment(pid).get("BERTH_PROCESS") == "pre-start" and processes.is_running(pid))
        os.kill(processes.parent(pid), signal.SIGKILL)
        done = self.node.end_of(deploy)
        self.assertEqual(done.code, 1, done)
        self.assertSays(done, "was cut off")
        self.assertEqual(hooks.ran(self.node), ["pre-start v2"])
        self.assertNothingLeft("pre-start")
        self.assertServes("v1")


if __name__ == "__main__":
    unittest.main(verbosity=2)
