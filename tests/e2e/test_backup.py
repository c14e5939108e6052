"""`berth backup` and `berth restore`: what a node knows, in a file that stock tools read, and back on this node or on another one.

usage: test_backup.py [Class[.test]]
"""
import hashlib
import json
import os
import sqlite3
import subprocess
import threading
import unittest

from lib import sample_apps
from lib.case import BerthCase
from lib.waiting import wait_until


class Backup(BerthCase):
    def setUp(self):
        super().setUp()
        self.node = self.make_node(store="keep_releases = 9").start()
        for number in (1, 2):
            self.publish(number)
            self.deploy(self.node, f"v{number}")
        self.node.berth("pin", "web@v1")
        self.node.berth("hold", "web", "--reason", "an audit")
        wait_until(lambda: self.node.deployments()[0]["state"] == "active", "the bake is over")
        self.file = self.folder / "edge.tar"

    def publish(self, number):
        self.repo.publish(sample_apps.testapp(self.folder / "site", note=f"build {number}"))

    def back_up(self, *options, expect=0, node=None):
        return (node or self.node).berth("backup", self.file, "--config", (node or self.node).config, *options, expect=expect)

    def restore(self, *options, expect=0, node=None):
        return (node or self.node).berth("restore", self.file, "--config", (node or self.node).config, *options, expect=expect)

    def history(self, node):
        return [(one["id"], one["release"], one["kind"], one["state"]) for one in node.deployments()]

    def test_is_a_tar_that_stock_tools_read_of_one_moment_while_berthd_works(self):
        done = threading.Event()

        def work():
            while not done.is_set():
                self.node.berth("pin", "web@v2")
                self.node.berth("unpin", "web@v2")
        worker = threading.Thread(target=work)
        worker.start()
        try:
            for number in range(10):
                self.file = self.folder / f"edge-{number}.tar"
                self.assertSays(self.back_up(), "event")
                inside = self.folder / f"inside-{number}"
                inside.mkdir()
                subprocess.run(["tar", "-xf", self.file, "-C", inside], check=True)
                about = json.loads((inside / "berth-backup/backup.json").read_text())
                self.assertEqual(sorted(path.name for path in (inside / "berth-backup").iterdir()), ["backup.json", "berth.db", "events.log"])
                for name, said in about["files"].items():
                    content = (inside / "berth-backup" / name).read_bytes()
                    self.assertEqual((len(content), hashlib.sha256(content).hexdigest()), (said["bytes"], said["sha256"]))
                self.assertSays(self.node.berth("events", "--verify", "--state", inside / "berth-backup"), "every line continues", "as the database has it")
                with sqlite3.connect(inside / "berth-backup/berth.db") as database:
                    self.assertEqual(database.execute("PRAGMA integrity_check").fetchall(), [("ok",)])
                    self.assertEqual(database.execute("SELECT active FROM apps").fetchall(), [("v2",)])
                database.close()
        finally:
            done.set()
            worker.join()
        self.assertEqual(self.file.stat().st_mode & 0o777, 0o600)
        self.assertSays(self.back_up(expect=8), "is there already")
        self.assertEqual([path.name for path in self.folder.glob("edge*") if "partial" in path.name], [])

    def test_comes_back_on_the_same_node_and_the_app_goes_on(self):
        self.back_up()
        history = self.history(self.node)
        pids = self.node.pids()
        self.node.berth("resume", "web")
        self.node.berth("unpin", "web@v1")
        self.assertSays(self.restore("--force", expect=8), "systemctl stop berthd", "apps go on")
        self.node.stop()
        self.assertSays(self.restore(expect=8), "has a state already", "--force")
        done = self.restore("--force")
        self.assertSays(done, "kept:", "before-restore-", "systemctl start berthd")
        self.assertEqual(len(list(self.node.state.glob("*.before-restore-*"))), 2)
        self.assertServes("v2")
        self.node.start()
        self.node.wait_app(health="healthy")
        self.assertEqual(self.node.pids(), pids)
        self.assertServes("v2")
        self.assertEqual(self.history(self.node), history)
        app = self.node.app()
        self.assertEqual((app["held"], app["pinned"]), ("an audit", ["v1"]))
        told = [event for event in self.node.events() if event["kind"] == "operator.restore"]
        self.assertEqual(len(told), 1)
        self.assertIn("root", told[0]["data"]["by"])
        self.assertSays(self.node.berth("events", "--verify"), "every line continues")
        self.node.berth("resume", "web")
        self.publish(3)
        self.deploy(self.node, "v3")
        self.assertServes("v3")

    def test_without_a_configuration_it_does_not_guess_where_the_state_is(self):
        made = self.node.berth("backup", self.file, "--json").json()
        self.assertEqual((made["node"], made["state"]), (self.node.status()["node"], str(self.node.state)), "berthd says so")
        self.node.stop()
        self.assertSays(self.node.berth("restore", self.file, "--force", expect=2), "is not known", "berthd.toml", "--config FILE", "--state DIR")
        self.assertFalse(os.path.exists("/var/lib/berth"))
        self.assertSays(self.node.berth("backup", self.folder / "other.tar", expect=3), "/var/lib/berth/berth.db", "--config FILE", "--state DIR")
        self.node.berth("restore", self.file, "--force", "--state", self.node.state)
        self.node.start()
        self.assertServes("v2")

    def test_moves_to_another_node_where_releases_are_pulled_again(self):
        self.back_up()
        history = self.history(self.node)
        self.node.stop()
        self.end_apps()
        os.system("nft flush ruleset")
        other = self.make_node("other", store="keep_releases = 9")
        self.assertSays(self.restore(node=other), "web@v2 was active and is not on this disk", "berth deploy web@v2")
        other.start()
        self.assertEqual(self.history(other), history)
        app = other.app()
        self.assertEqual((app["active"], app["held"]), ("", "an audit"))
        self.assertSays(other.berth("status"), "web@v2 was active and is not on this disk: 'berth deploy web@v2'")
        self.assertEqual([event for event in other.events() if event["kind"] == "database.rebuilt"], [])
        other.berth("resume", "web")
        self.deploy(other, "v2")
        self.assertServes("v2")
        self.assertOneWholeRelease(other, "v2")

    def test_what_is_no_backup_is_refused_and_nothing_is_touched(self):
        self.back_up()
        self.node.stop()
        before = (self.node.state / "berth.db").read_bytes()
        content = bytearray(self.file.read_bytes())
        content[len(content) // 2] ^= 0xFF
        self.file.write_bytes(content)
        self.assertSays(self.restore("--force", expect=4), "is not as it was written")
        self.file.write_text("hello")
        self.assertSays(self.restore("--force", expect=2), "is no backup")
        self.file.unlink()
        self.restore("--force", expect=3)
        self.assertEqual((self.node.state / "berth.db").read_bytes(), before)
        self.node.start()
        self.assertServes("v2")


if __name__ == "__main__":
    unittest.main(verbosity=2)
