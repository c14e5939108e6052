"""The test case of the end-to-end tests: a folder of its own, one repository, one node, and a report when something fails."""
import json
import os
import shutil
import tempfile
import unittest
from pathlib import Path

from lib import processes
from lib.fingerprint import fingerprint
from lib.load import one_request
from lib.node import Node
from lib.programs import BERTHD
from lib.repo import Repo
from lib.waiting import wait_until

WORK = Path(os.environ.get("BERTH_TEST_DIR", "/run/t"))
KEEPER_REPORTS = "berth-keeper-report.*"  # in /run, see daemon/keeper/sanitizer_reports.cc
SANITIZER_COMPLAINTS = ("AddressSanitizer", "ThreadSanitizer", "runtime error:", "LeakSanitizer")


class BerthCase(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        if not BERTHD.exists():
            self.fail(f"{BERTHD} is not built")
        self.folder = Path(tempfile.mkdtemp(dir=WORK))
        self.folder.chmod(0o755)
        self.nodes = []
        self.repo = self.make_repo()
        self.addCleanup(self.clean_up)

    def make_repo(self):
        return Repo(self.folder)

    def make_node(self, folder="n", repository=None, **options):
        node = Node(self.folder / folder, repository or self.repo.url, self.repo.root, **options)
        self.nodes.append(node)
        return node

    def clean_up(self):
        failed = any(error for _case, error in getattr(self._outcome, "errors", [])) or (
            self._outcome.result and any(case is self for case, _ in self._outcome.result.failures + self._outcome.result.errors))
        complaints = []
        for node in self.nodes:
            if failed:
                print(f"\n{self.id()}: {node.log_tail(150)}", flush=True)
            code = node.stop()
            text = node.log_file.read_text(errors="replace") if node.log_file.exists() else ""
            complaints += [line for line in text.splitlines() if any(word in line for word in SANITIZER_COMPLAINTS)]
            if complaints:
                print(node.log_tail(200), flush=True)
            if code not in (0, None, -9):
                complaints.append(f"berthd ended with {code}")
        self.end_apps()
        for report in Path("/run").glob(KEEPER_REPORTS):
            complaints += report.read_text(errors="replace").splitlines()
            report.unlink()
        os.system("nft flush ruleset")
        shutil.rmtree(self.folder, ignore_errors=True)
        self.assertEqual(complaints, [])

    @staticmethod
    def is_keeper(pid):
        try:
            return os.path.basename(os.readlink(f"/proc/{pid}/exe")) == "berth-keeper"
        except OSError:
            return False

    @classmethod
    def end_apps(cls):
        """Kills every keeper and whatever runs of apps; returns when they are gone, and their ports free."""
        def left():
            found = [pid for pid in processes.all_pids() if processes.is_running(pid) and (cls.is_keeper(pid) or processes.is_of_an_app(pid))]
            for pid in sorted(found, key=lambda one: not cls.is_keeper(one)):  # first who would start the others again
                try:
                    os.kill(pid, 9)
                except ProcessLookupError:
                    pass
            return found
        wait_until(lambda: not left(), "no keeper and no app is left")

    # what tests do again and again

    def deploy(self, node, release, app="web", expect=0, *options):
        return node.berth("deploy", f"{app}@{release}", *options, expect=expect)

    def await_serves(self, release, port=8080):
        """Waits until the public port answers from this release: for what no command has waited for."""
        def served():
            try:
                return one_request(port)[:2] == (200, release)
            except OSError:
                return False
        wait_until(served, f"{release} serves at {port}")

    def assertServes(self, release, port=8080):
        """The public port answers, from this release alone."""
        for _ in range(20):
            status, served, _body = one_request(port)
            self.assertEqual((status, served), (200, release))

    def assertSays(self, done, *words):
        for word in words:
            self.assertIn(word.lower(), done.text.lower(), f"{done}")

    def assertOneWholeRelease(self, node, release, app="web"):
        """Database, link and processes agree that this release, and no other, runs."""
        status = node.app(app)
        self.assertEqual(status["active"], release)
        self.assertEqual(node.current(app), release)
        wait_until(lambda: set(processes.of_app(app).values()) == {release}, f"only {app}@{release} runs")

    def refused(self, node, app="web"):
        """`with self.refused(node) as check:` … nothing of the app may have changed at the end."""
        return _Unchanged(self, node, app)

    def progress(self, text):
        print(f"{self.id()}: {text}", flush=True)


class _Unchanged:
    def __init__(self, case, node, app):
        self.case, self.node, self.app = case, node, app

    def __enter__(self):
        self.before = fingerprint(self.node, self.app)
        self.active = self.node.active(self.app)

    def __exit__(self, kind, *_):
        if kind is None:
            try:
                wait_until(lambda: fingerprint(self.node, self.app) == self.before, "nothing has changed", 5, every=0.2)
            except AssertionError:
                self.case.assertEqual(json.dumps(self.before, indent=1, default=str),
                                      json.dumps(fingerprint(self.node, self.app), indent=1, default=str))
                raise
            self.case.assertEqual(self.node.active(self.app), self.active)
