"""A release on the node that is not what was signed any more: named path by path, told, never ended, and repaired before it is taken again."""
import json
import os
import shutil
import signal
import subprocess
import unittest
from pathlib import Path

from lib import sample_apps
from lib.case import BerthCase
from lib.waiting import wait_until


class Drift(BerthCase):
    def prepare(self, releases=2, **options):
        for number in range(releases):
            tree = sample_apps.testapp(self.folder / "site", note=f"build {number + 1}").put("share/same", "the same in all of them\n").put("share/other", "x\n")
            self.repo.publish(tree, files={"settings": "a=1\n"})
        node = self.make_node(**options).start()
        for number in range(releases):
            self.deploy(node, f"v{number + 1}")
        return node

    def damage(self, path, content):
        """Overwrites a file as a broken disk would, whatever its mode; every slot that shares the inode sees it."""
        with open(path, "r+b") as file:
            file.write(content)

    def drift(self, node, *arguments, expect=4):
        """Path → what is wrong, by slot."""
        answer = node.berth("verify", *arguments, "--json", expect=expect).json()
        return {one["release"]: {drift["path"]: drift["what"] for drift in one["drift"]} for one in answer["slots"]}

    def test_a_slot_carries_what_it_is_compared_with(self):
        node = self.prepare(1)
        slot = node.slot("v1")
        self.assertEqual(sorted(os.listdir(slot)), ["app", "app.index.json", "config", "config.index.json", "manifest.json"])
        manifest = json.loads((slot / "manifest.json").read_text())
        layer = next(iter(manifest["builds"].values()))["layer"]
        self.assertEqual((slot / "app.index.json").read_bytes(), (self.repo.folder / "blobs/sha256" / layer["index"]["sha256"]).read_bytes())
        shutil.rmtree(self.repo.folder)
        self.assertEqual(self.drift(node, expect=0), {"v1": {}})
        self.assertSays(node.berth("verify", "web"), "web@v1", "as it was sealed")
        self.assertEqual(node.berth("verify", "--json").json()["others"], 0)
        node.berth("verify", "web@v9", expect=3)
        node.berth("verify", "nothing", expect=3)

    def test_each_drifted_path_is_named_and_nothing_is_ended(self):
        node = self.prepare()
        self.assertSays(node.berth("verify"), "web@v2: as it was sealed", "1 more release is on the node: 'berth verify --all' compares it, too.")
        self.assertEqual([node.berth("verify", *which, "--json").json()["others"] for which in ((), ("web@v1",), ("--all",))], [1, 1, 0])
        pids = node.pids()
        slot = node.slot("v2")
        self.damage(slot / "app/share/same", b"THE")
        os.chmod(slot / "app/share/other", 0o644)
        os.unlink(slot / "config/settings")
        (slot / "app/left").write_text("behind")
        os.chown(slot / "app/NOTE", 61184, -1)
        self.assertEqual(self.drift(node, "web"), {"v2": {
            "app/share/same": "has another content", "app/share/other": "has mode 0644, not 0444", "config/settings": "is missing",
            "app/left": "is there, and not in the index", "app/NOTE": "belongs to user 61184, not to root"}})
        told = self.drift(node, "--all")
        self.assertEqual(told["v1"], {"app/share/same": "has another content", "app/share/other": "has mode 0644, not 0444"}, "v1 shares their inodes")
        self.assertSays(node.berth("verify", "web", expect=4), "web@v2: 5 paths", "app/left: is there, and not in the index")
        self.assertEqual(node.pids(), pids)
        self.assertServes("v2")
        self.assertEqual({one["release"]: one["paths"] for one in node.app()["drifted"]}, {"v1": 2, "v2": 5})
        self.assertSays(node.berth("status"), "v2 is not as it was sealed (5 paths")
        self.assertIn('berth_slot_drifted_paths{app="web",release="v2"} 5\n', node.metrics())
        events = [event for event in node.events() if event["kind"] == "slot.drifted"]
        self.assertEqual([(event["data"]["release"], event["data"]["drifted"]) for event in events], [("v2", 5), ("v1", 2)])

    def test_a_path_that_differs_in_two_ways_counts_once(self):
        node = self.prepare(1)
        file = node.slot("v1") / "app/NOTE"
        os.chmod(file, 0o644)
        file.write_text("longer than it was")
        self.assertSays(node.berth("verify", "web", expect=4), "web@v1: 1 path is not as sealed", "app/NOTE: has mode 0644, not 0444; has 18 bytes")
        self.assertEqual(node.app()["drifted"][0]["paths"], 1)

    def test_what_is_said_of_an_active_release_that_drifted_repairs_it(self):
        node = self.prepare(2)
        self.damage(node.slot("v2") / "app/NOTE", b"BUILD")
        (node.slot("v2") / "app/share/other").unlink()
        (node.slot("v2") / "app/share/more").write_text("x\n")
        (pid,) = (one["pid"] for one in node.instances())
        self.assertSays(node.berth("verify", "web", expect=4), "berth deploy APP@RELEASE --force")
        for again in (["deploy", "web@v2"], ["revert", "web", "--to", "v2"]):
            self.assertSays(node.berth(*again), "is active already", "web@v2 is not as it was sealed", "'berth deploy web@v2 --force' repairs it")
        self.assertSays(node.berth("status"), "v2 is not as it was sealed")
        self.deploy(node, "v2", "web", 0, "--force")
        self.assertEqual(node.app()["drifted"], [])
        self.assertNotIn("not as it was sealed", node.berth("status").text)
        node.berth("verify", "web")
        self.assertEqual([one["pid"] for one in node.instances()], [pid])
        self.assertEqual(sorted(os.listdir(f"/proc/{pid}/cwd/share")), ["other", "same"], "what runs finds what belongs there")

    def test_berthd_finds_drift_by_itself(self):
        node = self.prepare(store='verify_every = "2s"')
        self.damage(node.slot("v1") / "app/NOTE", b"XXX")
        wait_until(lambda: [one["release"] for one in node.app()["drifted"]] == ["v1"], "berthd saw the drift of v1", 20)
        self.assertEqual(node.app()["drifted"][0]["first"], "app/NOTE: has another content")
        told = wait_until(lambda: len([event for event in node.events() if event["kind"] == "slot.drifted"]), "an event tells it")
        before = node.app()["drifted"][0]["verified_at"]
        wait_until(lambda: node.app()["drifted"][0]["verified_at"] > before, "v1 was looked at again", 20)
        self.assertEqual(len([event for event in node.events() if event["kind"] == "slot.drifted"]), told, "what is known is no news")
        # One thread of berthd, which reads them, is the last to have processor and disk.
        threads = {int(thread.name): int((thread / "stat").read_text().rsplit(")", 1)[1].split()[16]) for thread in Path(f"/proc/{node.process.pid}/task").iterdir()}
        [reads] = [thread for thread, nice in threads.items() if nice == 19]
        self.assertEqual(subprocess.run(["ionice", "-p", str(reads)], capture_output=True, text=True).stdout, "idle\n")
        self.assertNotEqual(reads, node.process.pid)
        self.assertServes("v2")
        node.stop()
        node.start()
        self.assertEqual([one["release"] for one in node.app()["drifted"]], ["v1"], "a restart forgets nothing")

    def test_a_revert_to_a_drifted_slot_repairs_it_first(self):
        node = self.prepare()
        slot = node.slot("v1")
        self.damage(slot / "app/NOTE", b"XXX")
        os.unlink(slot / "app/bin/testapp")
        node.berth("revert", "web")
        self.assertServes("v1")
        self.assertEqual((slot / "app/NOTE").read_text(), "build 1")
        self.assertEqual(self.drift(node, "--all", expect=0), {"v1": {}, "v2": {}})
        self.assertEqual([step["state"] for step in node.deployments()[0]["steps"]][:4], ["queued", "fetching", "unpacking", "sealed"])
        kinds = [event["kind"] for event in node.events()]
        self.assertLess(kinds.index("slot.drifted"), kinds.index("slot.repaired"))
        self.assertEqual(os.listdir(node.state / "staging"), [])

    def test_a_revert_that_cannot_repair_fails_and_says_so(self):
        node = self.prepare()
        self.damage(node.slot("v1") / "app/NOTE", b"XXX")
        shutil.rmtree(self.repo.folder)
        pids = node.pids()
        refused = node.berth("revert", "web", expect=1)
        self.assertSays(refused, "not as it was sealed", "app/NOTE: has another content", "could not be repaired")
        self.assertServes("v2")
        self.assertEqual(node.pids(), pids)
        self.assertEqual(node.app()["rejected"], [])

    def test_an_automatic_revert_repairs_too(self):
        node = self.prepare()
        tree = sample_apps.testapp(self.folder / "site", bake="60s", note="dies")
        self.repo.publish(tree.put("share/same", "the same in all of them\n"), files={"settings": "a=1\n"})
        deploying = node.spawn("deploy", "web@v3")
        wait_until(lambda: node.deployments()[0]["state"] == "baking", "v3 bakes")
        self.damage(node.slot("v2") / "app/NOTE", b"XXX")
        (pid,) = node.pids().values()
        os.kill(pid, signal.SIGKILL)
        done = node.end_of(deploying)
        self.assertEqual(done.code, 5, done)
        self.assertServes("v2")
        self.assertEqual((node.slot("v2") / "app/NOTE").read_text(), "build 2")
        self.assertIn("slot.repaired", [event["kind"] for event in node.events()])


if __name__ == "__main__":
    unittest.main(verbosity=2)
