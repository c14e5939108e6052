"""A stock TUF client reads what berth publishes, follows its rotations, and refuses what it should."""
import json
import os
import shutil
import subprocess
import unittest
from pathlib import Path

from lib import sample_apps
from lib.case import BerthCase
from lib.keys import Keys
from lib.programs import BERTH
from lib.web import RepositoryServer

HERE = Path(__file__).resolve().parent
TARGET = "web/production/v1.json"


class TufJs(BerthCase):
    def setUp(self):
        super().setUp()
        self.modules = subprocess.run([str(HERE / "install.sh")], capture_output=True, text=True, check=True).stdout.strip()
        self.key = self.folder / "ci-web.pem"
        subprocess.run(["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", self.key], check=True)
        self.key.chmod(0o600)
        subprocess.run(["openssl", "pkey", "-in", self.key, "-pubout", "-out", self.folder / "ci-web.pub"], check=True)
        self.repo.berth("repo", "delegate", self.repo.folder, "web", "--key", self.folder / "ci-web.pub")
        self.repo.configure("production")
        self.repo.build(sample_apps.testapp(self.folder / "site"))
        self.repo.berth("release", "web", "--env", "production", "--repo", self.repo.folder, "--environments", self.repo.environments,
                        "--keys", self.folder / "no-keys", "--key", self.key)
        self.repo.berth("repo", "accept", self.repo.folder)
        self.server = RepositoryServer(self.repo.folder)
        self.addCleanup(self.server.close)
        self.work = self.folder / "client"
        self.work.mkdir()
        shutil.copy(self.repo.folder / "metadata/1.root.json", self.work / "root.json")

    def read(self, target=TARGET):
        done = subprocess.run(["node", str(HERE / "tuf/read_target.js"), self.modules, self.server.url, str(self.work), target],
                              capture_output=True, timeout=120)
        return done.returncode, done.stdout, done.stderr.decode()

    def manifest(self):
        return next((self.repo.folder / "targets/web/production").glob("*.v1.json"))

    def assertReads(self):
        code, bytes_, err = self.read()
        self.assertEqual((code, err), (0, ""))
        self.assertEqual(bytes_, self.manifest().read_bytes())

    def assertRefuses(self, name):
        code, bytes_, err = self.read()
        self.assertEqual((code, bytes_), (1, b""), err)
        self.assertIn(name, err)

    def test_reads_a_target_through_a_delegate_after_root_rotations(self):
        self.assertReads()
        for role in ("root", "timestamp", "targets", "snapshot", "root"):
            self.repo.berth("repo", "rotate", self.repo.folder, role)
        shutil.rmtree(self.work / "targets")
        self.assertReads()
        self.assertIn('"version":6', (self.work / "root.json").read_text().replace(" ", ""))

    def test_reads_a_repository_whose_root_is_signed_by_keys_of_two_kinds(self):
        keys = self.folder / "roots"
        keys.mkdir()
        for name, kind in (("a", ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]), ("b", ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"])):
            subprocess.run(["openssl", "genpkey", *kind, "-out", keys / f"{name}.pem"], check=True, capture_output=True)
            (keys / f"{name}.pem").chmod(0o600)
            subprocess.run(["openssl", "pkey", "-in", keys / f"{name}.pem", "-pubout", "-out", keys / f"{name}.pub"], check=True)
        self.repo.berth("repo", "rotate", self.repo.folder, "root", "--new", keys / "a.pub", "--new", keys / "b.pub", "--threshold", "2",
                        "--key", keys / "a.pem", "--key", keys / "b.pem")
        self.assertReads()

    def test_reads_roles_that_keep_the_names_of_what_was_dropped(self):
        ci = ["--environments", self.repo.environments, "--keys", self.folder / "no-keys", "--key"]
        self.repo.berth("release", "web", "--env", "production", "--repo", self.repo.folder, *ci, self.key)
        self.repo.berth("repo", "accept", self.repo.folder)
        next_key = Keys(self.folder / "next")
        next_key.make("next")
        self.repo.berth("repo", "delegate", self.repo.folder, "web", "--key", next_key.public("next"))
        self.repo.berth("repo", "revoke", self.repo.folder, "web", "--key", self.folder / "ci-web.pub", "--force")
        self.repo.berth("repo", "refresh", self.repo.folder, "--role", "web", "--vouch", "--drop", "web/production/v2.json", "--key", next_key.private("next"))
        self.repo.berth("repo", "accept", self.repo.folder)
        role = max((self.repo.folder / "metadata").glob("*.web.json"), key=lambda file: int(file.name.split(".")[0]))
        self.assertEqual(json.loads(role.read_text())["signed"]["dropped"], ["web/production/v2.json"])
        self.assertReads()
        self.assertNotEqual(self.read("web/production/v2.json")[0], 0)
        self.repo.berth("repo", "revoke", self.repo.folder, "web")
        self.repo.release()
        code, bytes_, err = self.read("web/production/v3.json")
        self.assertEqual((code, err), (0, ""))
        self.assertEqual(json.loads(bytes_)["release"], "v3")

    def test_refuses_one_flipped_byte(self):
        manifest = self.manifest()
        bytes_ = bytearray(manifest.read_bytes())
        bytes_[len(bytes_) // 2] ^= 1
        manifest.write_bytes(bytes_)
        self.assertRefuses("Mismatch")
        bytes_[len(bytes_) // 2] ^= 1
        manifest.write_bytes(bytes_)
        self.assertReads()
        role = next((self.repo.folder / "metadata").glob("*.web.json"))
        role.write_bytes(role.read_bytes().replace(b'"length":', b'"lengtH":', 1))
        shutil.rmtree(self.work)
        self.work.mkdir()
        shutil.copy(self.repo.folder / "metadata/1.root.json", self.work / "root.json")
        code, _bytes, err = self.read()
        self.assertEqual(code, 1, err)

    def test_refuses_a_timestamp_that_expired(self):
        # Signed eight days ago, for seven.
        subprocess.run(["faketime", "-f", "-8d", str(BERTH), "repo", "refresh", str(self.repo.folder), "--only", "timestamp"], check=False,
                       capture_output=True, env={**os.environ, "HOME": str(self.repo.home)})
        self.assertRefuses("Expired")
        self.repo.berth("repo", "refresh", self.repo.folder)
        self.assertReads()


if __name__ == "__main__":
    unittest.main()
