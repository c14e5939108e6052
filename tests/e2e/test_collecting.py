"""Which releases stay on a node, and what 'berth gc --dry-run' says of it.

usage: test_collecting.py [Class[.test]]
"""
import datetime
import shutil
import sqlite3
import subprocess
import time
import unittest
from pathlib import Path

from lib import sample_apps
from lib.case import BerthCase
from lib.programs import PATIENCE
from lib.waiting import wait_until


def slots_of(node, app="web"):
    return sorted(path.name for path in (node.state / "apps" / app / "slots").iterdir())


class Collecting(BerthCase):
    def setUp(self):
        super().setUp()
        self.node = self.make_node(store="keep_releases = 9").start()
        for number in range(1, 6):
            self.repo.publish(sample_apps.testapp(self.folder / "site", routing=None, serve=False, note=f"build {number}" + "x" * 100_000 * number))
            self.deploy(self.node, f"v{number}")
        self.node.berth("pin", "web@v1")
        self.assertEqual(slots_of(self.node), ["v1", "v2", "v3", "v4", "v5"])

    def limit(self, store):
        """The same node with other limits."""
        self.node.stop()
        self.node.configure(self.node.config.read_text().replace("keep_releases = 9", store))
        self.node.start()
        self.node.wait_app(health="healthy")

    def why(self, answer, which):
        return {one["release"]: one["why"] for one in answer[which]}

    def test_by_number_and_a_dry_run_says_beforehand_what_goes_and_why_the_rest_stays(self):
        self.limit("keep_releases = 1")
        before, events = slots_of(self.node), len(self.node.events())
        would = self.node.berth("gc", "--dry-run", "--json").json()
        self.assertTrue(would["dry_run"])
        self.assertEqual(self.why(would, "removed"), {"v3": ["not_newest"], "v2": ["not_newest"]})
        self.assertEqual(self.why(would, "kept"), {"v5": ["active", "in_use", "newest"], "v4": ["previous", "replaced"], "v1": ["pinned"]})
        for one in would["removed"] + would["kept"]:
            self.assertGreater(one["bytes"], 100_000, one)
        self.assertEqual((slots_of(self.node), len(self.node.events())), (before, events), "nothing was done")
        told = self.node.berth("gc", "web", "--dry-run")
        self.assertSays(told, "WOULD GO", "web@v3", "not one of the newest", "STAYS", "active, in use", "pinned", "would be freed", "Nothing was removed")

        did = self.node.berth("gc", "--json").json()
        self.assertEqual((did["dry_run"], did["removed"], did["kept"]), (False, would["removed"], would["kept"]), "what was said is what is done")
        self.assertEqual(slots_of(self.node), ["v1", "v4", "v5"])
        removed = [event["data"] for event in self.node.events() if event["kind"] == "slot.removed"]
        self.assertEqual([(one["release"], one["reason"]) for one in removed], [("v3", "not_newest"), ("v2", "not_newest")])
        self.assertSays(self.node.berth("gc", "--dry-run"), "Nothing to remove", "STAYS")
        self.node.berth("revert", "web")
        self.assertEqual(self.node.active(), "v4")

    def test_by_bytes_the_newest_stay_and_what_is_needed_is_never_taken(self):
        self.limit('keep_releases = 9\nkeep_bytes = "1kB"')
        self.assertEqual(self.why(self.node.berth("gc", "--dry-run", "--json").json(), "removed"), {"v3": ["over_bytes"], "v2": ["over_bytes"]})
        self.node.berth("gc")
        self.assertEqual(slots_of(self.node), ["v1", "v4", "v5"])

    def test_by_age_what_came_long_ago_goes_when_a_deployment_ends(self):
        self.limit('keep_releases = 9\nkeep_age = "30d"')
        self.assertSays(self.node.berth("gc", "--dry-run"), "Nothing to remove")
        self.node.stop()
        with sqlite3.connect(self.node.state / "berth.db") as database:
            long_ago = (datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=31)).strftime("%Y-%m-%dT%H:%M:%S.000000Z")
            database.execute("UPDATE slots SET sealed_at = ? WHERE release <> 'v3'", (long_ago,))
        database.close()
        self.node.start()
        self.assertEqual(self.why(self.node.berth("gc", "--dry-run", "--json").json(), "removed"), {"v2": ["too_old"]})
        self.repo.publish(sample_apps.testapp(self.folder / "site", routing=None, serve=False, note="build 6"))
        self.deploy(self.node, "v6")
        self.assertEqual(slots_of(self.node), ["v1", "v3", "v5", "v6"], "v4 is neither the previous one any more")



SLOW_SYNC = 4 * PATIENCE  # seconds


class CollectingBesideADeployment(BerthCase):
    def setUp(self):
        super().setUp()
        self.node = self.make_node(store="keep_releases = 9").start()
        for note in ("one", "two", "three"):
            slow = ["--start-delay", str(2000 * SLOW_SYNC)] if note == "one" else []  # decided for when the collection has been
            self.repo.publish(sample_apps.testapp(self.folder / "site", *slow, ready_timeout="2m", note=note))
        for release in ("v1", "v2", "v3"):
            self.deploy(self.node, release)

    def publish_big(self):
        tree = sample_apps.testapp(self.folder / "big", app="big", port=8081)
        for number in range(100):  # with so many the whole file system is synced at once
            tree.put(f"files/{number}", f"{number}")
        self.repo.publish(tree)

    def slow_syncs(self, seconds):
        pid = self.node.process.pid
        tracer = subprocess.Popen(["strace", "-f", "-q", "-o", "/dev/null", "-p", str(pid), "-e", "trace=syncfs", "-e", f"inject=syncfs:delay_enter={seconds * 1_000_000}"],
                                  stderr=subprocess.DEVNULL)
        self.addCleanup(tracer.wait)
        self.addCleanup(tracer.kill)
        wait_until(lambda: f"TracerPid:\t{tracer.pid}" in Path(f"/proc/{pid}/status").read_text(), "strace traces berthd")
        time.sleep(0.5)  # all threads of it

    def test_what_is_deployed_again_while_a_collection_waits_stays(self):
        self.publish_big()
        self.node.stop()
        self.node.configure(self.node.config.read_text().replace("keep_releases = 9", "keep_releases = 1"))
        self.node.start()
        self.node.wait_app(health="healthy")
        self.slow_syncs(SLOW_SYNC)
        state_of_big = lambda: self.node.deployments("big")[0]["state"]
        big = self.node.spawn("deploy", "big@v1")
        staging = self.node.state / "staging"
        wait_until(lambda: self.node.deployments("big") and len(list(staging.rglob("files/*"))) == 100, "big is unpacked")
        wait_until(lambda: state_of_big() == "unpacking", "big is sealed")
        time.sleep(0.5)  # into its sync
        collecting = self.node.spawn("gc", "web")
        time.sleep(0.5)  # until it waits for that
        self.assertIsNone(collecting.poll())
        again = self.node.spawn("deploy", "web@v1")
        wait_until(lambda: self.node.deployments()[0]["release"] == "v1" and self.node.deployments()[0]["state"] == "starting", "v1 starts again")
        self.assertIsNone(collecting.poll(), "it waits still")
        for client in (big, collecting, again):
            done = self.node.end_of(client)
            self.assertEqual(done.code, 0, done)
        self.assertTrue(self.node.slot("v1").is_dir(), slots_of(self.node))
        self.assertOneWholeRelease(self.node, "v1")
        self.assertServes("v1")

    def test_an_active_release_whose_slot_is_gone_is_fetched_again(self):
        self.node.stop()
        with sqlite3.connect(self.node.state / "berth.db") as database:
            database.execute("DELETE FROM slots WHERE release = 'v3'")
        database.close()
        self.end_apps()
        shutil.rmtree(self.node.slot("v3"))
        self.node.start()
        done = self.deploy(self.node, "v3")
        self.assertNotIn("already", done.text)
        self.assertOneWholeRelease(self.node, "v3")
        self.assertServes("v3")
        self.assertSays(self.deploy(self.node, "v3"), "already")


if __name__ == "__main__":
    unittest.main(verbosity=2)
