"""What reverts a release in its bake besides instances that end: a counter of its own, lines in its log, and reboots."""
import contextlib
import datetime
import os
import re
import signal
import sqlite3
import subprocess
import time
import unittest
import uuid

from lib import sample_apps
from lib.case import BerthCase
from lib.waiting import wait_until

METRIC = 'bake.metric = {{ query = \'errors_total{{code="500"}}\', max_rate = "{}" }}\n'
LOG = 'bake.log = {{ pattern = "^line [0-9]+$", max_rate = "{}" }}\n'
#: An app that starts late once `slow` is there, when it is told to go, and then ends soon after it serves.
SLOW = """#!/bin/sh
[ -e "$BERTH_DATA_DIR/slow" ] || exec "$@"
until [ -e "$BERTH_DATA_DIR/go" ]; do sleep 0.05; done
exec "$@" --exit-after 1000 --exit-code 1
"""
BOOT_ID = "/proc/sys/kernel/random/boot_id"


class Bake(BerthCase):
    def setUp(self):
        super().setUp()
        self.node = self.make_node().start()

    def publish(self, *arguments, more, duration="2s", **options):
        tree = sample_apps.testapp(self.folder / "site", *arguments, more=more, **options)
        return self.repo.publish(tree.spec_replaced('bake = "300ms"\n', f'bake.duration = "{duration}"\n'))

    def last(self):
        return self.node.deployments()[0]

    def notes(self):
        return "\n".join(self.last()["notes"])

    def wait_state(self, state):
        wait_until(lambda: self.last()["state"] == state, f"it is {state}", 20)

    def test_a_counter_that_grows_faster_than_before_reverts(self):
        for routing in ("port", "socket"):
            with self.subTest(routing):
                before = self.publish("--errors", "0", more="", duration="300ms", routing=routing, note=routing, instances=2)
                self.deploy(self.node, before)
                after = self.publish("--errors", "20", more=METRIC.format("1/s"), routing=routing, note=routing + "2", instances=2)
                done = self.deploy(self.node, after, expect=5)
                self.assertSays(done, "reverted", 'errors_total{code="500"} grew by', "at most 1/s is allowed (0/s before)")
                self.assertEqual(self.notes(), "")
                self.assertTrue(self.last()["rejected"])
                self.assertOneWholeRelease(self.node, before)

    def test_a_bake_that_a_new_berthd_takes_over_knows_how_many_are_ready(self):
        release = self.publish(more="", duration="1h", instances=3)
        self.deploy(self.node, release, "web", 0, "--until", "switched")
        self.node.kill()
        self.node.start()
        self.node.wait_app(health="healthy")
        progress = wait_until(lambda: self.last() if self.last()["progress"]["instances_ready"] == 3 else None, "all are counted")["progress"]
        self.assertEqual(progress["instances_wanted"], 3)
        self.assertSays(self.node.berth("status"), "baking", "3 of 3 instances ready")
        self.node.berth("revert", "web", expect=None)

    def test_a_counter_that_grew_as_fast_before_reverts_nothing(self):
        self.publish("--errors", "20", more="", duration="300ms", note="1")
        self.deploy(self.node, "v1")
        # A node that halts for a moment sees more at once: what is allowed leaves room for that.
        self.publish("--errors", "22", more=METRIC.format("10/s"), note="2")
        self.deploy(self.node, "v2")
        self.assertOneWholeRelease(self.node, "v2")
        self.publish("--errors", "200", more=METRIC.format("10/s"), note="3", strategy="recreate")
        done = self.deploy(self.node, "v3", expect=5)
        told = re.search(r"at most ([\d.]+)/s is allowed \(([\d.]+)/s before\)", done.text)
        self.assertIsNotNone(told, done)
        most, before = map(float, told.groups())
        self.assertTrue(11 <= before <= 44, done)
        self.assertAlmostEqual(most, 10 + 1.5 * before, delta=0.2)

    def test_metrics_that_cannot_be_read_are_told_and_revert_nothing(self):
        self.publish(more="", duration="300ms")
        self.deploy(self.node, "v1")
        self.publish(more=METRIC.format("0/s"), duration="1s", note="2")
        done = self.deploy(self.node, "v2")
        self.assertSays(done, "there is no errors_total at /metrics")
        self.assertIn("web/web.1@v1", self.notes())
        self.assertIn("web/web.1@v2", self.notes())
        self.publish(more='bake.metric = { path = "/env/NOTHING", query = "errors_total", max_rate = 0 }\n', duration="1s", note="3")
        self.deploy(self.node, "v3")
        self.assertIn("404 from /env/NOTHING", self.notes())

    def test_lines_in_the_log_that_were_not_there_before_revert(self):
        self.publish(more=LOG.format("2/s"), duration="300ms", note="1")
        self.deploy(self.node, "v1")
        self.publish("--lines", "30", more=LOG.format("2/s"), note="2")
        done = self.deploy(self.node, "v2", expect=5)
        self.assertSays(done, "lines with '^line [0-9]+$' came at", "at most 2/s is allowed (0/s before)")

    def test_lines_in_the_log_that_were_there_before_revert_nothing(self):
        self.publish("--lines", "30", more="", duration="300ms", note="1")
        self.deploy(self.node, "v1")
        log = self.node.logs / "web" / "web.1"
        wait_until(lambda: sum(file.read_text().count("line ") for file in log.glob("*.log")) > 90, "it has printed for a while")
        self.publish("--lines", "30", more=LOG.format("10/s"), note="2")
        self.deploy(self.node, "v2")
        self.assertOneWholeRelease(self.node, "v2")

    def test_a_canary_is_judged_by_its_share(self):
        more = METRIC.format("1/s") + 'canary = { instances = 1, bake = "2s" }\n'
        self.publish("--errors", "0", more=more, note="1", strategy="canary", instances=3)
        self.deploy(self.node, "v1")
        self.publish("--errors", "30", more=more, note="2", strategy="canary", instances=3)
        done = self.deploy(self.node, "v2", expect=1)
        self.assertSays(done, "in the canary's bake", "still runs v1")
        self.assertOneWholeRelease(self.node, "v1")

    def deploy_v2_to_bake(self, **options):
        self.publish(more="", duration="300ms")
        self.deploy(self.node, "v1")
        self.publish(more="", duration="1h", note="2", **options)
        self.deploy(self.node, "v2", "web", 0, "--until", "switched")
        self.wait_state("baking")

    def restarts(self):
        return sum(one["restarts"] for one in self.node.instances())

    def deploy_one_that_ends(self, after, times):
        """The release before, whose instance ended by itself so often."""
        self.publish("--exit-after", str(after), more="", duration="300ms", note="1")
        self.deploy(self.node, "v1")
        wait_until(lambda: self.restarts() >= times, "it ended and came back", 30)

    def test_instances_that_ended_as_often_before_revert_nothing(self):
        self.deploy_one_that_ends(2000, times=3)
        self.publish("--exit-after", "4000", more="", duration="6s", note="2")
        self.deploy(self.node, "v2")
        self.assertEqual((self.last()["state"], self.node.active()), ("active", "v2"))
        self.assertRegex(self.notes(), r"web/web.1 exited with \d+ in its bake, which reverts nothing yet: instances of v1 ended \d times in as long a time before")

    def test_instances_that_end_more_often_than_before_revert(self):
        self.deploy_one_that_ends(4000, times=1)
        self.publish("--exit-after", "1100", more="", duration="20s", note="2")
        done = self.deploy(self.node, "v2", expect=5)
        self.assertSays(done, "in its bake: instances ended 2 times, and those of v1 1 times in as long a time before")
        self.assertTrue(self.last()["rejected"])
        self.node.wait_app(health="healthy", active="v1")

    def test_what_instances_did_in_a_bake_is_known_after_a_restart_of_berthd(self):
        self.deploy_one_that_ends(2000, times=3)
        self.publish("--exit-after", "3000", more="", duration="60s", note="2")
        self.deploy(self.node, "v2", "web", 0, "--until", "switched")
        wait_until(lambda: "which reverts nothing yet" in self.notes(), "it ended once", 30)
        self.node.kill()
        self.node.start()
        self.assertEqual(self.last()["state"], "baking")
        wait_until(lambda: self.last()["state"] == "reverted", "it ended more often than v1", 40)
        self.assertRegex(self.last()["reason"], r"instances ended [45] times, and those of v1 [34] times|keeps ending early")

    def test_what_the_release_before_did_is_known_after_a_restart_of_berthd(self):
        self.deploy_one_that_ends(2000, times=3)
        self.node.stop()
        self.node.start()
        self.publish("--exit-after", "4000", more="", duration="10s", note="2")
        self.deploy(self.node, "v2", "web", 0, "--until", "switched")
        wait_until(lambda: "which reverts nothing yet" in self.notes() or self.last()["ended_at"], "it ended once", 30)
        self.assertRegex(self.notes(), r"which reverts nothing yet: instances of v1 ended [23456] times in as long a time before")
        self.node.berth("revert", "web", expect=None)

    def test_a_release_that_is_not_whole_at_the_end_of_its_bake_is_reverted(self):
        unready = self.node.data("web") / "unready"
        self.publish(more="", duration="300ms")
        self.deploy(self.node, "v1")
        self.publish(more="", duration="5s", note="2", ready_timeout="2s")
        unready.touch()
        self.node.wait_app(health="down")
        unready.unlink()
        self.node.wait_app(health="healthy")
        self.deploy(self.node, "v2", "web", 0, "--until", "switched")
        unready.touch()
        wait_until(lambda: "web/web.1 was no longer ready" in self.notes(), "it is no longer ready", 20)
        self.assertEqual(self.last()["state"], "baking")
        wait_until(lambda: self.last()["state"] in ("reverting", "reverted"), "its bake is over", 20)
        unready.unlink()
        self.wait_state("reverted")
        self.assertIn("at the end of its bake", self.last()["reason"])
        self.node.wait_app(health="healthy", active="v1")

    def state_of(self, release):
        return next(one["state"] for one in self.node.deployments() if one["release"] == release)

    def wait_bake(self, release):
        """Until its time counts, and trouble with it: its instances are ready."""
        wait_until(lambda: next(one["bake_until"] for one in self.node.deployments() if one["release"] == release), f"{release} bakes")

    def assertRevertsWhenItDies(self):
        self.wait_bake("v2")
        os.kill(next(iter(self.node.pids().values())), signal.SIGSEGV)
        wait_until(lambda: self.state_of("v2") == "reverted", "v2 is reverted", 30)
        self.assertOneWholeRelease(self.node, "v1")

    def test_what_is_stopped_from_outside_is_no_fault_of_a_release_in_its_bake(self):
        """As a machine does that goes down: it stops keepers and berthd at once, in whatever order."""
        for strategy in ("blue-green", "recreate"):
            with self.subTest(strategy):
                self.deploy(self.node, self.publish(more="", duration="300ms", note=strategy, strategy=strategy))
                release = self.publish(more="", duration="5s", note=strategy + "2", strategy=strategy)
                self.node.berth("deploy", f"web@{release}", "--no-wait")
                self.wait_state("baking")
                keeper = next(one["keeper_pid"] for one in self.node.instances() if one["release"] == release)
                os.kill(keeper, signal.SIGTERM)
                wait_until(lambda: any(one["ready"] and one["keeper_pid"] != keeper for one in self.node.instances()), "it runs again", 20)
                done = wait_until(lambda: self.last() if self.last()["state"] not in ("baking", "reverting") else None, "its bake is over", 20)
                self.assertEqual((done["state"], done["reason"]), ("active", ""))
                self.assertOneWholeRelease(self.node, release)

    def test_a_bake_begins_again_where_what_came_after_it_fails(self):
        self.deploy_v2_to_bake()
        self.repo.publish(sample_apps.testapp(self.folder / "site", "--never-ready", ready_timeout="1s", note="3"))
        pids = self.node.pids()
        self.deploy(self.node, "v3", expect=1)
        wait_until(lambda: "its bake began again: deployment 3 of v3 is failed" in "".join(self.node.deployments()[1]["notes"]), "v2 bakes again")
        self.assertEqual((self.state_of("v2"), self.node.pids()), ("baking", pids))
        self.assertRevertsWhenItDies()
        states = [one["data"]["state"] for one in self.node.events() if one["kind"] == "deployment.state" and one["data"]["deployment"] == 2]
        self.assertEqual(states[-3:], ["baking", "reverting", "reverted"])

    def test_a_bake_begins_again_where_what_came_after_it_was_reverted(self):
        self.deploy_v2_to_bake()
        self.publish("--errors", "20", more=METRIC.format("1/s"), note="3")
        self.deploy(self.node, "v3", expect=5)
        self.assertOneWholeRelease(self.node, "v2")
        self.node.kill()
        self.node.start()
        self.node.wait_app(health="healthy")
        self.assertEqual(self.state_of("v2"), "baking")
        self.assertRevertsWhenItDies()

    def test_a_bake_that_gave_way_ends_when_the_newer_release_is_active(self):
        self.deploy_v2_to_bake()
        self.publish(more="", duration="2s", note="3")
        self.deploy(self.node, "v3", "web", 0, "--until", "switched")
        self.assertEqual(self.state_of("v2"), "baking")
        self.node.kill()
        self.node.start()
        self.wait_state("active")
        wait_until(lambda: self.state_of("v2") == "superseded", "v2 is superseded")
        self.assertEqual((self.node.active(), self.node.app()["previous"]), ("v3", "v1"))
        self.deploy_v4_and_remove()

    def test_a_release_that_was_superseded_in_its_bake_is_gone_back_to_only_where_none_was_found_good(self):
        self.deploy_v2_to_bake()
        self.publish(more="", duration="200ms", note="3")
        self.deploy(self.node, "v3")
        wait_until(lambda: self.state_of("v2") == "superseded", "v2 is superseded")
        self.node.berth("revert", "web")
        self.assertEqual((self.node.active(), self.node.app()["previous"]), ("v1", ""), "v2 came after v1")
        self.assertNotIn("before it", self.node.berth("status", "web").text)
        self.assertSays(self.node.berth("revert", "web", "--plan", expect=3), "web@v3 is rejected here")

    def deploy_v4_and_remove(self):
        self.publish(more="", duration="1h", note="4")
        self.deploy(self.node, "v4", "web", 0, "--until", "switched")
        self.node.berth("remove", "web")
        self.assertEqual(self.last()["state"], "superseded")

    def test_a_bake_goes_on_when_a_stopped_app_is_started(self):
        self.deploy_v2_to_bake()
        self.node.berth("stop", "web")
        self.assertEqual(self.state_of("v2"), "baking")
        self.node.kill()
        self.node.start()
        self.assertEqual(self.state_of("v2"), "baking")
        self.node.berth("start", "web")
        self.node.wait_app(health="healthy")
        wait_until(lambda: "the app was started again" in "".join(self.last()["notes"]), "v2 bakes again")
        self.assertRevertsWhenItDies()

    def test_a_stop_during_a_bake_says_what_becomes_of_it_and_the_way_back_works(self):
        self.deploy_v2_to_bake()
        deployment = self.last()["id"]
        watcher = self.node.spawn("deploy", "web@v2")
        back = "'berth deploy web@v1 --force' goes back to v1 and starts it"
        stopped = self.node.berth("stop", "web")
        self.assertSays(stopped, f"Its deployment {deployment} of v2 was in its bake, which waits and begins again with 'berth start web'; {back}.")
        wait_until(lambda: back in self.notes(), "it is noted")
        self.assertEqual((self.last()["bake_until"], self.last()["progress"]["instances_ready"]), ("", 0))
        with contextlib.closing(sqlite3.connect(f"file:{self.node.state}/berth.db?mode=ro", uri=True, timeout=5)) as database:
            (until,), = database.execute("SELECT bake_until_ms FROM deployments WHERE id = ?", (deployment,)).fetchall()
        self.assertEqual(until, 0, "a berthd that comes back after the start does not take the rest for a bake")
        self.assertNotIn("nearly over", self.node.berth("status").text)
        self.assertSays(self.node.berth("cancel", str(deployment), expect=8), "is decided already, and web is stopped", "'berth start web' goes on with its bake", back)
        self.assertSays(self.node.berth("revert", "web", expect=8), "'berth start web' first, or 'berth deploy web@v1 --force', which goes back to v1 and starts it")
        self.deploy(self.node, "v1", "web", 0, "--force")
        self.assertOneWholeRelease(self.node, "v1")
        self.assertSays(self.node.end_of(watcher), "Note: the app is stopped", "its bake waits", back)

    def test_a_stopped_app_in_its_bake_takes_a_newer_release_with_force(self):
        self.deploy_v2_to_bake()
        self.node.berth("stop", "web")
        self.deploy(self.node, "v2", "web", 8)
        self.publish(more="", duration="300ms", note="3")
        self.deploy(self.node, "v3", "web", 0, "--force")
        self.assertOneWholeRelease(self.node, "v3")
        wait_until(lambda: self.state_of("v2") == "superseded", "v2 is superseded")

    def test_two_open_bakes_over_a_restart_go_back_one_after_the_other(self):
        self.deploy_v2_to_bake()
        self.publish(more="", duration="1h", note="3")
        self.deploy(self.node, "v3", "web", 0, "--until", "switched")
        self.wait_state("baking")
        self.node.kill()
        self.node.start()
        self.node.berth("stop", "web")
        self.assertEqual((self.state_of("v2"), self.state_of("v3")), ("baking", "baking"))
        self.node.berth("start", "web")
        self.node.wait_app(health="healthy")
        self.wait_bake("v3")
        os.kill(next(iter(self.node.pids().values())), signal.SIGSEGV)
        wait_until(lambda: self.state_of("v3") == "reverted", "v3 is reverted", 30)
        self.node.wait_app(health="healthy", active="v2")
        self.assertRevertsWhenItDies()

    def test_what_is_gone_back_to_stays_after_a_revert(self):
        self.node.stop()
        node = self.make_node("few", store="keep_releases = 1\n").start()
        for note in "12":
            self.publish(more="", duration="300ms", note=note)
            self.deploy(node, f"v{note}")
        self.repo.publish(sample_apps.testapp(self.folder / "site", "--exit-after", "1500", bake="5s", note="3"))
        self.deploy(node, "v3", expect=5)
        self.assertEqual((node.active(), node.app()["previous"]), ("v2", "v1"))
        node.berth("revert", "web")
        self.assertOneWholeRelease(node, "v1")

    def reboot(self, first=False, killed=False):
        """The same boot again and again is no reboot; berthd sees another boot by the kernel's id of it."""
        if not first:
            if not killed:
                self.node.kill()
            subprocess.run(["umount", BOOT_ID], check=True)
        (self.folder / "boot_id").write_text(f"{uuid.uuid4()}\n")
        subprocess.run(["mount", "--bind", self.folder / "boot_id", BOOT_ID], check=True)
        self.node.start()

    def test_a_release_in_whose_bake_the_machine_goes_down_again_and_again_is_reverted(self):
        self.node.stop()
        self.reboot(first=True)
        self.addCleanup(subprocess.run, ["umount", BOOT_ID])
        self.publish(more="bake.reboots = 2\n", duration="2m")
        self.deploy(self.node, "v1", "web", 0, "--until", "switched")
        self.publish(more="bake.reboots = 2\n", duration="2m", note="2")
        self.deploy(self.node, "v2", "web", 0, "--until", "switched")
        self.wait_state("baking")
        self.node.kill()
        self.node.start()
        self.reboot()
        self.node.wait_app(health="healthy")
        self.assertEqual((self.last()["state"], self.node.active()), ("baking", "v2"), "once, and a berthd that was killed beside")
        self.reboot()
        self.wait_state("reverted")
        self.assertIn("the machine went down 2 times in its bake", self.last()["reason"])
        self.assertTrue(self.last()["rejected"])
        self.assertOneWholeRelease(self.node, "v1")

    def test_a_bake_goes_on_after_a_reboot_with_what_was_left(self):
        self.node.stop()
        self.reboot(first=True)
        self.addCleanup(subprocess.run, ["umount", BOOT_ID])
        self.publish(more="", duration="300ms")
        self.deploy(self.node, "v1")
        self.publish(more="", duration="60s", note="2")
        self.deploy(self.node, "v2", "web", 0, "--until", "switched")
        self.wait_state("baking")
        time.sleep(12)  # what is tested is a clock
        self.node.cut_power()
        self.reboot(killed=True)
        self.wait_bake("v2")
        last = self.last()
        self.assertEqual(last["state"], "baking")
        left = datetime.datetime.fromisoformat(last["bake_until"].replace("Z", "+00:00")) - datetime.datetime.now(datetime.timezone.utc)
        self.assertLess(left.total_seconds(), 51, "10 s were seen")
        self.assertGreater(left.total_seconds(), 20, "and not more than passed")
        self.node.berth("revert", "web", expect=None)

    def test_a_bake_that_would_have_been_over_while_the_machine_was_down_begins_again(self):
        self.node.stop()
        self.reboot(first=True)
        self.addCleanup(subprocess.run, ["umount", BOOT_ID])
        self.publish(more="", duration="4s")
        self.deploy(self.node, "v1")
        self.repo.publish(sample_apps.testapp(self.folder / "site", "--exit-after", "1500", bake="4s", note="2"))
        self.deploy(self.node, "v2", "web", 0, "--until", "switched")
        self.node.cut_power()
        time.sleep(5)
        self.reboot(killed=True)
        self.wait_state("reverted")
        self.node.wait_app(health="healthy", active="v1")

    def bakes_on_once_ready(self, come_back):
        """v2 starts so slowly then that what was left of its bake would be over long before, and soon after it is ready it ends."""
        self.publish(more="", duration="300ms")
        self.deploy(self.node, "v1")
        tree = sample_apps.testapp(self.folder / "site", bake="5s", ready_timeout="1m", note="2")
        tree.put("bin/slow", SLOW, 0o755)
        self.repo.publish(tree.spec_replaced('["bin/testapp"', '["bin/slow", "bin/testapp"'))
        self.deploy(self.node, "v2", "web", 0, "--until", "switched")
        (self.node.data() / "slow").touch()
        come_back()
        began = time.monotonic()
        wait_until(lambda: "what was left of its bake begins when all of them are ready" in self.notes(), "it waits")
        self.assertEqual((self.last()["state"], self.last()["bake_until"], self.last()["progress"]["instances_ready"]), ("baking", "", 0))
        self.node.kill()
        self.node.start()  # which finds them, and is not to take the time of their start for a bake either
        time.sleep(max(6 - (time.monotonic() - began), 0))  # what is tested is a clock
        self.assertEqual(self.last()["state"], "baking")
        (self.node.data() / "go").touch()
        self.wait_state("reverted")
        self.assertIn("web/web.1 exited with 1 in its bake", self.last()["reason"])
        self.assertTrue(self.last()["rejected"])
        self.node.wait_app(health="healthy", active="v1")
        self.assertOneWholeRelease(self.node, "v1")

    def test_a_bake_goes_on_when_its_instances_are_ready_again_after_a_reboot(self):
        self.node.stop()
        self.reboot(first=True)
        self.addCleanup(subprocess.run, ["umount", BOOT_ID])

        def come_back():
            self.node.cut_power()
            self.reboot(killed=True)
        self.bakes_on_once_ready(come_back)

    def test_a_bake_goes_on_when_its_instances_are_ready_again_where_they_were_killed_with_berthd(self):
        def come_back():
            self.node.cut_power()
            self.node.start()
        self.bakes_on_once_ready(come_back)

    def test_an_instance_that_does_not_become_ready_again_in_its_bake_is_trouble(self):
        self.publish(more="", duration="300ms")
        self.deploy(self.node, "v1")
        tree = sample_apps.testapp(self.folder / "site", bake="1h", ready_timeout="3s", note="2")
        tree.put("bin/slow", SLOW, 0o755)
        self.repo.publish(tree.spec_replaced('["bin/testapp"', '["bin/slow", "bin/testapp"'))
        self.deploy(self.node, "v2", "web", 0, "--until", "switched")
        (self.node.data() / "slow").touch()
        self.node.cut_power()
        self.node.start()
        self.wait_state("reverted")
        self.assertSays(self.node.berth("history", "web"), "not ready within 3s: web/web.1", "in its bake")
        self.assertOneWholeRelease(self.node, "v1")


if __name__ == "__main__":
    unittest.main(verbosity=2)
