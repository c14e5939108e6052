"""One call of the disk fails, or berthd dies at it, at the end of what somebody asked for: what was told is what is so, and what is left is done by itself.

usage: test_failing_calls.py [Class[.test]]
"""
import re
import subprocess
import unittest

from lib import sample_apps
from lib.case import BerthCase
from lib.programs import INJECT, SLOWNESS
from lib.waiting import wait_until

COMMIT = r"fdatasync .*berth[.]db-wal.*"  # one for each change of the database
SOON = 5 * SLOWNESS  # seconds until all agrees, once the disk is well
REVERTED = 5         # what berth ends with


class FailingCalls(BerthCase):
    def setUp(self):
        super().setUp()
        self.arm, self.trace = self.folder / "armed", self.folder / "trace"
        self.node = self.make_node()
        self.node.environment = {"ASAN_OPTIONS": "detect_leaks=0"}

    def publish(self, *arguments, note):
        return self.repo.publish(sample_apps.testapp(self.folder / "site", *arguments, routing="socket", bake="500ms", drain="300ms", note=note))

    def start(self, like=None, time=1, error="EIO"):
        """berthd, of which the `time`-th such call fails once it is armed; without `error` it dies there."""
        self.arm.unlink(missing_ok=True)
        at = ["--kill", str(time), "--like", like] + (["--error", error] if error else []) if like else []
        self.node.prefix = [str(INJECT), "--arm", str(self.arm), "--trace", str(self.trace), *at,
                            *(part for name in ("state", "logs", "run") for part in ("--below", str(self.node.folder / name))), "--"]
        self.node.start()
        self.node.prefix = []
        if self.node.app():
            self.node.wait_app(health="healthy")
        self.arm.touch()

    def calls(self):
        """What the run did, in order."""
        return [line.split(" ", 2)[2] for line in self.trace.read_text().splitlines() if line.count(" ") >= 2]

    def assertHit(self, how="failed"):
        self.arm.unlink(missing_ok=True)
        self.assertTrue(any(line.endswith(f" {how}") for line in self.trace.read_text().splitlines()), "the call was made")

    @staticmethod
    def commits_in(calls):
        return sum(bool(re.match(COMMIT, text)) for text in calls)

    def rejected(self):
        return [one["release"] for one in self.node.app()["rejected"]]


class ReleasesThatFail(FailingCalls):
    def setUp(self):
        super().setUp()
        self.publish(note="good")
        for number in range(2, 6):
            self.publish("--exit-once-current", "100", note=f"bad {number}")
        self.node.start()
        self.deploy(self.node, "v1")
        self.node.stop()

    def test_current_follows_a_revert_although_its_swap_failed_once(self):
        self.start(r"symlink slots/v1 .*")
        done = self.deploy(self.node, "v2", expect=REVERTED)
        self.assertHit()
        self.assertSays(done, "web runs v1 again")
        wait_until(lambda: self.node.current() == "v1", "current leads to v1", SOON)
        self.assertOneWholeRelease(self.node, "v1")
        self.assertEqual(self.node.app()["problem"], "")

    def test_what_is_told_to_be_rejected_is(self):
        self.start()
        self.deploy(self.node, "v2", expect=REVERTED)
        self.arm.unlink()
        calls = self.calls()
        self.node.stop()
        # What is written from one swap of `current` to the other, the revert's decision last: whichever of these changes fails, row and event say the same.
        there, back = (next(number for number, text in enumerate(calls) if text.startswith(f"symlink slots/{release}")) for release in ("v2", "v1"))
        changes = list(range(self.commits_in(calls[:there]) + 1, self.commits_in(calls[:back]) + 1))
        self.assertGreaterEqual(len(changes), 3, calls)
        for release, number in zip(("v3", "v4", "v5"), changes[-3:]):
            self.start(COMMIT, number)
            done = self.deploy(self.node, release, expect=REVERTED)
            self.assertHit()
            told = [event["data"] for event in self.node.events() if event["data"].get("release") == release and event["data"].get("rejected")]
            self.assertEqual(len(told), 1, f"one event says that {release} is rejected")
            self.assertSays(done, f"web@{release} is rejected here")
            self.assertIn(release, self.rejected())
            self.assertOneWholeRelease(self.node, "v1")
            self.node.stop()


class RevertsByHand(FailingCalls):
    def test_the_hold_that_is_told_of_is_there(self):
        for note in ("one", "two"):
            self.publish(note=note)
        self.node.start()
        for release in ("v1", "v2"):
            self.deploy(self.node, release)
        self.node.stop()
        self.start()
        self.node.berth("revert", "web")
        self.arm.unlink()
        calls = self.calls()
        back = next(number for number, text in enumerate(calls) if text.startswith("symlink slots/v1"))
        first = self.commits_in(calls[:back]) + 1  # behind the swap
        for number in (first, first + 1):
            self.node.berth("resume", "web")
            self.deploy(self.node, "v2", "web", 0, "--force")
            self.node.stop()
            self.start(COMMIT, number)
            done = self.node.berth("revert", "web")
            self.assertHit()
            app = self.node.app()
            self.assertIn("v2 was reverted by hand", app["held"])
            self.assertEqual(self.rejected(), ["v2"])
            self.assertEqual(app["problem"], "")
            self.assertSays(done, "web is held: channels leave it alone")
            self.assertEqual(self.node.current(), "v1")


class Removals(FailingCalls):
    def setUp(self):
        super().setUp()
        self.publish(note="one")
        self.node.start()
        self.deploy(self.node, "v1")
        self.node.stop()

    def assertGone(self, *folders):
        self.assertIsNone(self.node.app(), "it is not there any more")
        wait_until(lambda: not any(folder.exists() for folder in folders), f"{folders} are gone", 10 * SLOWNESS)

    def test_a_removal_counts_where_the_disk_lets_a_slot_not_go_at_once(self):
        self.start(r"unlinkat .*slots/v1/.*")
        self.node.berth("remove", "web")
        self.assertHit()
        self.assertGone(self.node.slot("v1").parent)
        self.assertNotIn("already", self.deploy(self.node, "v1").text)
        self.assertOneWholeRelease(self.node, "v1")
        self.assertServes("v1")

    def test_so_does_a_purge_whose_logs_stay_at_first(self):
        self.start(r"unlinkat .*/logs/web/.*")
        self.node.berth("remove", "web", "--purge", "--yes")
        self.assertHit()
        self.assertGone(self.node.logs / "web", self.node.state / "apps" / "web")
        self.deploy(self.node, "v1")
        self.assertServes("v1")

    def test_a_purge_at_whose_logs_berthd_dies_is_finished_by_the_next_one(self):
        self.start(r"unlinkat .*/logs/web/.*", error=None)
        self.node.berth("remove", "web", "--purge", "--yes", expect=None)
        self.node.process.wait(20)
        self.assertHit("killed")
        self.assertTrue((self.node.logs / "web").exists())
        stuck = self.node.logs / "web" / "stuck"
        stuck.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "none", stuck], check=True)
        self.node.start()  # whatever cannot be removed yet
        wait_until(lambda: "what was to be removed is there still" in self.node.log_file.read_text(), "berthd tells what it cannot remove", 10 * SLOWNESS)
        self.assertTrue(stuck.exists())
        subprocess.run(["umount", stuck], check=True)
        self.assertGone(self.node.logs / "web", self.node.state / "apps" / "web")


if __name__ == "__main__":
    unittest.main(verbosity=2)
