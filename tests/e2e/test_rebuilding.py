"""A database that is damaged, cut off, emptied, old or gone: berthd makes another one, and the apps go on as the processes that they are.

usage: test_rebuilding.py [Class[.test]]
"""
import os
import shutil
import signal
import sqlite3
import unittest

from lib import sample_apps
from lib.case import BerthCase
from lib.load import Load
from lib.waiting import wait_until


class Damage(BerthCase):
    """Each way, by either routing: the same processes, the same answers of berth, and a deployment afterwards."""

    def prepare(self, routing):
        self.node = self.make_node(store="keep_releases = 9").start()
        for number in (1, 2):
            self.publish(number, routing)
            self.deploy(self.node, f"v{number}")
        self.repo.publish(sample_apps.testapp(self.folder / "jobs", app="jobs", routing=None, serve=False, instances=2))
        self.deploy(self.node, "v1", "jobs")
        self.node.berth("pin", "web@v1")
        self.node.berth("hold", "jobs", "--reason", "an audit")
        self.node.berth("stop", "jobs/web.2", "--reason", "noisy")
        self.node.berth("scale", "jobs/web=3")
        wait_until(lambda: all(one["state"] == "active" for one in self.node.deployments()), "the bake is over")

    def publish(self, number, routing):
        self.repo.publish(sample_apps.testapp(self.folder / "site", routing=routing, note=f"build {number}"))

    def facts(self):
        """What has to be as before."""
        facts = {}
        for name in ("web", "jobs"):
            app = self.node.app(name)
            facts[name] = {key: app[key] for key in ("active", "previous", "held", "held_firmly", "stopped", "pinned", "health")}
            facts[name]["stops"] = {one["instance"]: (one["stopped"], one["stopped_by"], one["stopped_why"]) for one in app["instances"]}
            facts[name]["pids"] = self.node.pids(name)
            facts[name]["deployments"] = [(one["id"], one["release"], one["kind"], one["state"], one["by"]) for one in self.node.deployments(name)]
            facts[name]["releases"] = [(one["release"], one["pinned"]) for one in self.node.api("GET", f"/v1/apps/{name}/releases").json()["releases"] if one["on_node"]]
        return facts

    @property
    def database(self):
        return self.node.state / "berth.db"

    def set_aside(self):
        return sorted(path.name for path in self.node.state.glob("berth.db.damaged-*") if not path.name.endswith(("-wal", "-shm")))

    def check(self, routing, damage, why, aside):
        self.prepare(routing)
        before = self.facts()
        self.node.kill()
        with Load(8080, self.folder, rate=200) as load:
            damage()
            self.node.start()
            try:
                wait_until(lambda: self.facts() == before, "it is as before", 20)
            except AssertionError:
                self.assertEqual(self.facts(), before)
            self.assertServes("v2")
        self.assertEqual(load.failed, [])
        events = [event for event in self.node.events() if event["kind"] == "database.rebuilt"]
        self.assertEqual(len(events), 1, "it is said once")
        self.assertRegex(events[0]["data"]["reason"], why)
        if aside is not None:
            self.assertEqual(len(self.set_aside()), aside)
        how = "was brought forward" if events[0]["data"]["brought_forward"] else "was made anew"
        self.assertIn(how, self.node.log_file.read_text())
        self.assertSays(self.node.berth("events", "--verify", "--state", self.node.state), "every line continues")
        doctor = self.node.berth("doctor", "--config", self.node.config, expect=None)
        for words in (how + " at", events[0]["data"]["reason"]):
            self.assertIn(words, " ".join(doctor.text.split()))  # its lines are folded

        self.publish(3, routing)
        self.deploy(self.node, "v3")
        self.assertOneWholeRelease(self.node, "v3")
        self.assertServes("v3")
        self.assertSays(self.node.berth("history", "web"), "v1", "v2", "v3")
        self.node.berth("revert", "web")
        self.assertOneWholeRelease(self.node, "v2")
        self.node.stop()
        self.node.start()
        self.assertOneWholeRelease(self.node, "v2")
        self.assertEqual(len([event for event in self.node.events() if event["kind"] == "database.rebuilt"]), 1, "and not again")

    def remove(self):
        for part in ("", "-wal", "-shm"):
            (self.node.state / f"berth.db{part}").unlink(missing_ok=True)

    def checkpoint(self):
        """All of it is in the one file, as after an orderly end."""
        with sqlite3.connect(self.database) as database:
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        database.close()

    def corrupt_pages(self):
        self.checkpoint()
        size = self.database.stat().st_size
        with open(self.database, "r+b") as file:
            for page in range(1, size // 4096, 2):
                file.seek(page * 4096)
                file.write(os.urandom(4096))

    def cut_off(self):
        self.checkpoint()
        os.truncate(self.database, self.database.stat().st_size // 2)

    def cut_off_journal(self):
        wal = self.node.state / "berth.db-wal"
        self.assertGreater(wal.stat().st_size, 32)
        os.truncate(wal, 32)

    def test_a_missing_file_by_port(self):
        self.check("port", self.remove, "it was missing", 0)

    def test_a_missing_file_by_socket(self):
        self.check("socket", self.remove, "it was missing", 0)

    def test_corrupted_pages(self):
        self.check("port", self.corrupt_pages, "it was damaged", 1)

    def test_a_file_that_was_cut_off(self):
        self.check("socket", self.cut_off, "it was damaged", 1)

    def test_an_emptied_file(self):
        def empty():
            self.remove()
            self.database.touch()
        self.check("port", empty, "it was empty", 1)

    def test_a_journal_that_was_cut_off_from_the_first(self):
        self.check("port", self.cut_off_journal, "it was empty|it did not know events", None)

    def test_a_copy_that_is_older_than_what_was_done_since(self):
        """As a journal does whose end was lost."""
        def older():
            self.remove()
            shutil.copy(self.folder / "older.db", self.database)
        real = self.deploy

        def keep_after_first(node, release, app="web", expect=0, *options):
            done = real(node, release, app, expect, *options)
            if (app, release) == ("web", "v1"):
                wait_until(lambda: node.deployments()[0]["state"] == "active", "the bake is over")
                with sqlite3.connect(node.state / "berth.db") as database, sqlite3.connect(self.folder / "older.db") as copy:
                    database.backup(copy)
                copy.close()
                database.close()
            return done
        self.deploy = keep_after_first
        self.check("port", older, "it did not know events", 0)


class NewerSchema(BerthCase):
    def test_is_refused_and_left_alone_with_what_to_do(self):
        self.repo.publish(sample_apps.testapp(self.folder / "site"))
        node = self.make_node().start()
        self.deploy(node, "v1")
        pids = node.pids()
        node.stop()
        with sqlite3.connect(node.state / "berth.db") as database:
            database.execute("PRAGMA user_version = 999")
        database.close()
        before = (node.state / "berth.db").read_bytes()
        node.start(wait=False)
        self.assertEqual(node.process.wait(30), 2)
        self.assertIn("has schema 999", node.log_file.read_text())
        self.assertIn("install the berthd that wrote it or a newer one", node.log_file.read_text())
        self.assertEqual((node.state / "berth.db").read_bytes(), before)
        self.assertServes("v1")
        for pid in pids.values():
            os.kill(pid, 0)
        node.process = None


class WhileBerthdRuns(BerthCase):
    def test_damage_is_told_and_a_restart_mends_it(self):
        self.repo.publish(sample_apps.testapp(self.folder / "site"))
        node = self.make_node().start()
        self.deploy(node, "v1")
        wait_until(lambda: node.deployments()[0]["state"] == "active", "the bake is over")
        pids = node.pids()
        node.kill()
        with sqlite3.connect(node.state / "berth.db") as database:
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        database.close()
        node.start()
        size = (node.state / "berth.db").stat().st_size
        with open(node.state / "berth.db", "r+b") as file:
            for page in range(1, size // 4096):
                file.seek(page * 4096)
                file.write(b"x" * 4096)
        os.sync()
        node.process.send_signal(signal.SIGTERM)
        node.process.wait(20)
        node.start()
        self.assertEqual(node.pids(), pids)
        self.assertServes("v1")
        self.assertEqual(len([event for event in node.events() if event["kind"] == "database.rebuilt"]), 1)
        self.repo.publish(sample_apps.testapp(self.folder / "site", note="build 2"))
        self.deploy(node, "v2")
        self.assertServes("v2")


if __name__ == "__main__":
    unittest.main(verbosity=2)
