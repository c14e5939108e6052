"""A test of tests/tools/tuf-client: a repository, its server, and a client with folders of its own."""
import json
import os
import subprocess
import tempfile
import unittest
from pathlib import Path

from lib.programs import BUILD
from tuf.repository import Repository
from tuf.server import Server

CLIENT = BUILD / "tests" / "tools" / "tuf-client" / "tuf-client"
FIRST = ["2.root.json", "timestamp.json", "1.snapshot.json", "1.targets.json"]  #: what a first refresh asks for


class TufCase(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(dir="/run/t"))
        self.metadata, self.artifacts = self.folder / "metadata", self.folder / "targets"
        self.metadata.mkdir()
        self.artifacts.mkdir()
        self.use(Repository())

    def use(self, repository):
        self.repo = repository
        self.server = Server(repository)
        self.addCleanup(self.server.close)

    # the client

    def run_client(self, *arguments, at=None):
        """Runs it, as at the UTC time `at` if given. Its exit status is 0 or 1, whatever happens."""
        self.server.requests.clear()
        before = ["faketime", at] if at else []
        done = subprocess.run(before + [CLIENT, *map(str, arguments)], capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL,
                              env={**os.environ, "TZ": "UTC"}, check=False)
        self.said = done.stderr
        self.assertIn(done.returncode, (0, 1), done.stderr)
        return done.returncode

    def init(self, root=None):
        file = self.folder / "root-of-trust"
        file.write_bytes(self.repo.files["1.root.json"] if root is None else root)
        return self.run_client("--metadata-dir", self.metadata, "init", file)

    def refresh(self, at=None):
        return self.run_client("--metadata-url", self.server.url + "/metadata/", "--metadata-dir", self.metadata, "refresh", at=at)

    def download(self, *names, at=None):
        targets = [word for name in names for word in ("--target-name", name)]
        return self.run_client("--metadata-url", self.server.url + "/metadata/", "--metadata-dir", self.metadata, *targets, "--target-dir",
                               self.artifacts, "--target-base-url", self.server.url + "/targets/", "download", at=at)

    # what came of it

    def assertAccepted(self, code):
        self.assertEqual(code, 0, self.said)

    def assertRefused(self, code, *words):
        self.assertEqual(code, 1, self.said)
        for word in words:
            self.assertIn(word, self.said)

    def assertAsked(self, *paths):
        self.assertEqual(self.server.requests, list(paths), self.said)

    def assertKept(self, *roles, **versions):
        """Exactly these roles have a file; `versions` of some of them."""
        files = sorted(entry.name for entry in self.metadata.iterdir())
        self.assertEqual(files, sorted(f"{role}.json" for role in [*roles, *versions]))
        for role, version in versions.items():
            self.assertEqual(json.loads((self.metadata / f"{role}.json").read_bytes())["signed"]["version"], version, role)

    def assertStored(self, *contents):
        """The artifacts there are, in the order in which they were written, and nothing else."""
        files = [file for file in self.artifacts.rglob("*") if file.is_file()]
        self.assertEqual([file.read_bytes() for file in sorted(files, key=os.path.getmtime)], list(contents))
        self.assertEqual([file.name for file in files if file.name.startswith(".")], [])
