"""Trouble of a new release between the decision and its bake: while hooks run then, and while the release before is drained."""
import contextlib
import json
import os
import signal
import sqlite3
import unittest

from lib import hooks, processes
from lib.hooks import HookCase
from lib.waiting import wait_until

#: Waits in a hook until the test lets it go on.
WAITS = 'touch "$BERTH_DATA_DIR/in-hook"; until [ -e "$BERTH_DATA_DIR/go" ]; do sleep 0.05; done'
WHEN = "after the switch, before its bake"


class BeforeBake(HookCase):
    def publish(self, scripts, *arguments, restart="", **options):
        tree = hooks.app(self.folder / "site", scripts, *arguments, **options)
        if restart:
            tree.spec_replaced("instances = 1\n", f'instances = 1\nrestart = "{restart}"\n')
        return self.repo.publish(tree)

    def begin(self, release="v2"):
        """Deploys it; returns when the hook waits in which something is to happen."""
        self.node.berth("deploy", f"web@{release}", "--no-wait")
        wait_until((self.node.data() / "in-hook").exists, "the hook runs", 20)

    def go_on(self):
        (self.node.data() / "go").touch()

    def pid_of(self, release):
        return next(one["pid"] for one in self.node.instances() if one["release"] == release)

    def pids_of(self, release):
        """Of the app's processes, also while berthd is away."""
        return [pid for pid, its in processes.of_app("web").items() if its == release]

    def status_of(self, release):
        return next((one for one in self.node.instances() if one["release"] == release), {"pid": 0, "ready": False})

    def assertReverted(self, *words):
        wait_until(lambda: self.newest()["ended_at"], "it is over", 40)
        self.assertEqual((self.newest()["state"], self.newest()["exit"]), ("reverted", 5), self.newest())
        for word in words:
            self.assertIn(word, self.newest()["reason"])
        self.assertTrue(self.newest()["rejected"])
        self.node.wait_app(health="healthy", active="v1")
        self.assertServes("v1")
        self.assertOneWholeRelease(self.node, "v1")

    def deploy_first(self, scripts=None, **options):
        self.publish(scripts or {}, note="1", **options)
        self.deploy(self.node, "v1")
        self.first = self.pid_of("v1")

    def ends_while_the_old_one_is_asked_to_stop(self, restart):
        self.deploy_first({"pre-stop": WAITS})
        self.publish({}, "--exit-once-current", "300", "--exit-code", "0", restart=restart, bake="500ms", note="2")
        self.begin()
        wait_until(lambda: not self.status_of("v2")["pid"], "v2 has ended", 20)
        self.go_on()
        self.assertReverted("web/web.1 exited with 0", WHEN)
        self.assertEqual(self.pid_of("v1"), self.first, "v1 was not even stopped")

    def test_what_is_refused_in_between_says_what_works(self):
        """A revert and a cancel both come at the wrong time: neither sends whoever asks to the other."""
        self.deploy_first({"pre-stop": WAITS})
        self.publish({}, note="2")
        self.begin()
        number = self.newest()["id"]
        works = "'berth deploy web@v1', which takes its turn at the bake, goes back to v1"
        for command, what in ((("revert", "web"), "reverting"), (("revert", "web", "--plan"), "reverting"), (("stop", "web/web.1"), "stopping it")):
            refused = self.node.berth(*command, expect=8)
            self.assertSays(refused, f"web: deployment {number} of web@v2 is switching, and decided already: wait for it before {what}; {works}")
            self.assertNotIn("berth cancel", refused.text)
        refused = self.node.berth("cancel", str(number), expect=8)
        self.assertSays(refused, f"deployment {number} of web@v2 is decided already, and is switching: wait for it; {works}")
        self.assertNotIn("berth revert", refused.text)
        self.node.berth("deploy", "web@v1", "--no-wait")
        self.go_on()
        wait_until(lambda: self.newest()["ended_at"], "v1 had its turn", 40)
        self.node.wait_app(health="healthy", active="v1")
        self.assertServes("v1")

    def test_an_end_for_good_while_the_old_release_is_asked_to_stop_reverts(self):
        self.ends_while_the_old_one_is_asked_to_stop("never")

    def test_an_end_without_failure_that_its_rule_leaves_at_that_reverts_too(self):
        self.ends_while_the_old_one_is_asked_to_stop("on-failure")

    def test_an_end_for_good_in_the_hook_after_the_switch_reverts_with_recreate(self):
        self.deploy_first(strategy="recreate")
        self.publish({"post-switch": WAITS}, "--exit-once-current", "1000", "--exit-code", "0", restart="never", strategy="recreate", bake="500ms", note="2")
        self.begin()
        wait_until(lambda: not self.status_of("v2")["pid"], "v2 has ended", 20)
        self.go_on()
        self.assertReverted("web/web.1 exited with 0", WHEN)

    def crashes_in_the_hook_after_the_switch(self, strategy, away=False):
        self.deploy_first(strategy=strategy)
        self.publish({"post-switch": WAITS}, strategy=strategy, bake="500ms", note="2")
        self.begin()
        pid = self.pid_of("v2")
        if away:
            self.node.kill()
        os.kill(pid, signal.SIGSEGV)
        if away:
            self.node.start()
        wait_until(lambda: self.newest()["ended_at"] or (self.status_of("v2")["ready"] and self.pid_of("v2") != pid), "v2 has come back, or is left already", 20)
        self.go_on()
        self.assertReverted("web/web.1 killed by SIGSEGV", WHEN)

    def test_a_crash_in_the_hook_after_the_switch_counts_though_it_came_back(self):
        self.crashes_in_the_hook_after_the_switch("blue-green")

    def test_a_crash_in_the_hook_after_the_switch_counts_with_recreate(self):
        self.crashes_in_the_hook_after_the_switch("recreate")

    def test_a_crash_while_berthd_is_away_counts(self):
        self.crashes_in_the_hook_after_the_switch("blue-green", away=True)

    def test_a_crash_while_berthd_is_away_counts_with_recreate(self):
        self.crashes_in_the_hook_after_the_switch("recreate", away=True)

    def test_a_crash_while_berthd_is_away_counts_whatever_the_clock_says(self):
        self.deploy_first()
        self.publish({}, bake="1h", note="2")
        self.deploy(self.node, "v2", "web", 0, "--until", "switched")
        wait_until(lambda: self.newest()["state"] == "baking", "it bakes")
        self.node.kill()
        os.kill(self.pids_of("v2")[0], signal.SIGSEGV)
        with contextlib.closing(sqlite3.connect(self.node.state / "berth.db")) as base, base:
            (number, detail), = base.execute("SELECT id, detail FROM deployments WHERE release = 'v2'").fetchall()
            detail = json.loads(detail)
            for step in detail["steps"]:
                step["at"] = "2099-01-01T00:00:00.000000Z"  # and the clock was set back since
            base.execute("UPDATE deployments SET detail = ? WHERE id = ?", (json.dumps(detail), number))
        self.node.start()
        self.assertReverted("web/web.1 killed by SIGSEGV", "in its bake")

    def test_one_that_is_no_longer_ready_in_the_hook_after_the_switch_is_reverted(self):
        self.deploy_first(strategy="recreate")
        self.publish({"post-switch": WAITS}, strategy="recreate", bake="500ms", note="2")
        self.begin()
        (self.node.data() / "unready.v2").touch()
        wait_until(lambda: not self.status_of("v2")["ready"], "v2 is no longer ready", 20)
        self.go_on()
        self.assertReverted("web/web.1 was no longer ready", "503", WHEN)

    def test_one_that_is_not_ready_any_more_when_hooks_have_ended_is_not_switched_to(self):
        self.deploy_first()
        self.publish({"post-start": WAITS}, ready_timeout="3s", note="2")
        self.begin()
        (self.node.data() / "unready.v2").touch()
        wait_until(lambda: not self.status_of("v2")["ready"], "v2 is no longer ready", 20)
        self.go_on()
        wait_until(lambda: self.newest()["ended_at"], "it is over", 40)
        self.assertEqual(self.newest()["state"], "failed")
        self.assertIn("not ready within 3s: web/web.1", self.newest()["reason"])
        self.assertEqual(self.pid_of("v1"), self.first)

    def test_one_that_a_new_berthd_finds_unready_does_not_become_active(self):
        self.deploy_first()
        self.publish({}, bake="3s", ready_timeout="2s", note="2")
        self.deploy(self.node, "v2", "web", 0, "--until", "switched")
        self.node.kill()
        (self.node.data() / "unready.v2").touch()
        self.node.start()
        self.assertReverted("not ready within 2s: web/web.1", "at the end of its bake")

    def test_a_revert_by_hand_goes_to_what_worked_whatever_that_does(self):
        self.deploy_first()
        self.publish({"pre-stop": WAITS}, note="2")
        self.deploy(self.node, "v2")
        revert = self.node.spawn("revert", "web")
        wait_until((self.node.data() / "in-hook").exists, "the hook runs", 20)
        pid = self.pid_of("v1")
        os.kill(pid, signal.SIGSEGV)
        wait_until(lambda: self.status_of("v1")["ready"] and self.pid_of("v1") != pid, "v1 has come back", 20)
        self.go_on()
        self.assertEqual(self.node.end_of(revert).code, 0)
        self.assertOneWholeRelease(self.node, "v1")


if __name__ == "__main__":
    unittest.main(verbosity=2)
