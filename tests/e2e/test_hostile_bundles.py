"""Releases that are validly signed and hostile: each is refused by the rule it breaks, nothing of it is left, and what runs does not notice."""
import json
import os
import subprocess
import threading
import time
import unittest
from pathlib import Path

from lib import processes, sample_apps
from lib.case import BerthCase
from lib.fingerprint import tree_digest
from lib.programs import FORGE, sanitizer
from lib.web import RepositoryServer

MOST_MEMORY = 224 << 20  # of berthd with an index of 200,001 paths, and of its worker
TARGETS_OF_ATTACKS = ("/tmp/berth-evil", "/run/berth-evil", "/berth-evil", "/etc/berth-evil")


class WorkerWatch(threading.Thread):
    """Looks at berthd's unpack workers while they live: how many there were, and the most memory that one had."""

    def __init__(self, berthd):
        super().__init__(daemon=True)
        self.berthd, self.over, self.seen, self.most = berthd, threading.Event(), set(), 0

    def run(self):
        children = Path(f"/proc/{self.berthd}/task")
        while not self.over.wait(0.002):
            for task in self.tasks(children):
                for pid in self.children_of(task):
                    if self.is_worker(pid):
                        self.seen.add(pid)
                        self.most = max(self.most, processes.high_water(pid))

    @staticmethod
    def tasks(folder):
        try:
            return list(folder.iterdir())
        except OSError:
            return []

    @staticmethod
    def children_of(task):
        try:
            return (task / "children").read_text().split()
        except OSError:
            return []

    @staticmethod
    def is_worker(pid):
        try:
            return Path(f"/proc/{pid}/comm").read_text().strip() == "berth-unpack"
        except OSError:
            return False

    def stop(self):
        self.over.set()
        self.join()


class HostileBundles(BerthCase):
    def setUp(self):
        super().setUp()
        self.repo.publish(sample_apps.testapp(self.folder / "site"))
        keys = self.repo.keys["targets"].parent
        self.forged = json.loads(subprocess.run([FORGE, self.repo.folder, keys], check=True, capture_output=True, text=True, timeout=120).stdout)
        self.server = RepositoryServer(self.repo.folder)
        self.addCleanup(self.server.close)
        self.node = self.make_node(repository=self.server.url).start()
        self.deploy(self.node, "v1")
        self.secret = self.folder / "not-of-the-app"
        self.secret.write_text("nobody may change this")

    def outside(self):
        """Everything that no refused release may change: berthd's history, database and trust are its own to write."""
        state = self.node.state
        kept = [path for path in sorted(os.listdir(state)) if not path.startswith("berth.db") and path not in ("events.log", "tuf", "staging")]
        return {
            "state": {name: tree_digest(state / name) if (state / name).is_dir() else (state / name).read_bytes() for name in kept},
            "beside": sorted(os.listdir(self.folder)) + [self.secret.read_text()],
            "run": sorted(path.name for path in self.node.run.iterdir()),
            "attacked": [path for path in TARGETS_OF_ATTACKS if os.path.lexists(path)],
            "passwd": Path("/etc/passwd").read_bytes(),
            "pids": self.node.pids(),
            "started": {pid: processes.started(pid) for pid in processes.of_app("web")},
        }

    def refuse(self, kind):
        done = self.node.berth("deploy", f"{kind['app']}@{kind['release']}", expect=None)
        told = f"{kind['release']}: {done}"
        self.assertEqual(done.code, kind["exit"], f"{told}\n{self.node.log_tail(20)}")
        for words in (kind["path"], kind["rule"]):
            self.assertIn(words, done.text, told)
        self.assertEqual(os.listdir(self.node.state / "staging"), [], told)
        self.assertFalse(self.node.slot(kind["release"]).exists(), told)

    def test_each_is_refused_by_its_rule_and_leaves_nothing(self):
        hostile = [kind for kind in self.forged if kind["exit"] != 0]
        self.assertGreaterEqual(len(hostile), 60)
        before = self.outside()
        watch = WorkerWatch(self.node.process.pid)
        watch.start()
        self.addCleanup(watch.stop)
        started, slowest = time.monotonic(), (0.0, "")
        for kind in hostile:
            begun = time.monotonic()
            with self.subTest(kind["release"]):
                self.refuse(kind)
                self.assertEqual(self.outside(), before, kind["release"])
            slowest = max(slowest, (time.monotonic() - begun, kind["release"]))
        watch.stop()
        memory = processes.high_water(self.node.process.pid)
        self.progress(f"{len(hostile)} kinds refused in {time.monotonic() - started:.1f} s, the slowest {slowest[1]} in {slowest[0]:.1f} s; "
                      f"berthd had {memory >> 20} MiB at most, {len(watch.seen)} workers seen {watch.most >> 20} MiB")
        self.assertServes("v1")
        self.assertTrue(watch.seen, "no worker was ever seen")
        if not sanitizer():
            self.assertLess(memory, MOST_MEMORY)
            self.assertLess(watch.most, MOST_MEMORY)

        self.deploy(self.node, "honest")
        self.assertServes("honest")
        self.assertOneWholeRelease(self.node, "honest")


if __name__ == "__main__":
    unittest.main(verbosity=2)
