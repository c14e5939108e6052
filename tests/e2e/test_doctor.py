"""`berth doctor`: what is broken on a node is found, and nothing else is."""
import json
import os
import re
import shutil
import sqlite3
import stat
import subprocess
import unittest

from lib.certificates import Authority
from lib.programs import BERTH
from lib.remote import RemoteCase
from lib.waiting import wait_until

SECRET = "planted-b7f3c1-secret"


def kind_of(finding):
    """What a finding says, but for what changes by itself."""
    return finding["level"], finding["name"], re.sub(r"\d[\d.]*( [kMGT]?B)?", "#", finding["seen"])


class Doctor(RemoteCase):
    def setUp(self):
        super().setUp()
        self.token = self.folder / "token"
        self.token.write_text(SECRET + "\n")
        self.token.chmod(0o600)
        self.node.folder.joinpath("state").mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m,mode=0711", "tmpfs", str(self.node.state)], check=True)
        # Nothing is shipped there: only the secret matters.
        text = self.node.config.read_text().replace("[log]", f"""[[sink]]
name = "far"
kind = "loki"
url = "http://127.0.0.1:3199"
token = "file:{self.token}"
apps = ["nothing"]
[log]""")
        self.node.configure(text)
        self.publish()
        self.start()
        self.deploy(self.node, "v1")
        self.node.wait_app(health="healthy")
        wait_until(lambda: self.node.deployments()[0]["state"] == "active", "the bake is over")

    def examine(self, *options, config=None, expect=None, **environment):
        env = {**os.environ, "BERTH_SOCKET": str(self.node.socket), "NO_COLOR": "1", **environment}
        got = subprocess.run([str(BERTH), "doctor", "--config", str(config or self.node.config), *options], env=env, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        if expect is not None:
            self.assertEqual(got.returncode, expect, got)
        return got

    def findings(self, **options):
        """What is not well, with the exit code."""
        got = self.examine("--json", **options)
        document = json.loads(got.stdout)
        wrong = [one for one in document["findings"] if one["level"] != "ok"]
        for one in wrong:
            self.assertTrue(one["why"] and one["do"], one)
        errors = [one for one in wrong if one["level"] == "error"]
        self.assertEqual((document["errors"], document["warnings"]), (len(errors), len(wrong) - len(errors)))
        self.assertEqual(got.returncode, 1 if errors else 0, got)
        return {kind_of(one): one for one in wrong}

    def new_since(self, before, **options):
        now = self.findings(**options)
        self.assertEqual(sorted(set(before) - set(now)), [], "what was found before is still found")
        return [one for kind, one in now.items() if kind not in before]

    def assertFinds(self, before, name, level, *words, **options):
        """Exactly one more than before."""
        new = self.new_since(before, **options)
        self.assertEqual([(one["name"], one["level"]) for one in new], [(name, level)], new)
        for word in words:
            self.assertIn(word, new[0]["seen"])

    def test_each_thing_that_is_broken_is_found_and_nothing_else(self):
        before = self.findings()
        self.assertEqual([one for one in before.values() if one["level"] == "error"], [], "a node that is well has no error")
        self.progress(f"found on a node that is well: {sorted(before)}")

        with self.subTest("permissions"):
            self.token.chmod(0o644)
            self.assertFinds(before, "permissions", "error", str(self.token), "everybody may read it")
            self.token.chmod(0o600)
            os.chmod(self.node.state / "apps", 0o777)
            self.assertFinds(before, "permissions", "error", "the folder of apps")
            os.chmod(self.node.state / "apps", 0o711)
        with self.subTest("certificate"):
            (self.folder / "other").mkdir()
            expired = Authority(self.folder / "other").issue("node", "localhost", days=-1)
            for kind in (".pem", ".key"):
                self.pki.folder.joinpath("expired" + kind).write_bytes(expired.with_suffix(kind).read_bytes())
            self.pki.copy("expired", "api")
            self.assertFinds(before, "certificates", "error", "api.pem ([api] certificate_file) expired at")
            self.pki.copy("node", "api")
        with self.subTest("disk"):
            filler = self.node.state / "filler"
            with open(filler, "wb") as file:
                room = os.statvfs(self.node.state)
                os.posix_fallocate(file.fileno(), 0, room.f_bavail * room.f_frsize - 500_000)
            self.assertFinds(before, "disk", "error", "kept as a reserve")
            filler.unlink()
        with self.subTest("staging"):
            stray = self.node.state / "staging/99"
            stray.mkdir()
            self.assertFinds(before, "orphans", "warning", "staging/99 is of no deployment")
            stray.rmdir()
        with self.subTest("slot"):
            stray = self.node.state / "apps/web/slots/v0"
            stray.mkdir()
            self.assertFinds(before, "orphans", "warning", "slots/v0")
            stray.rmdir()
        with self.subTest("configuration"):
            text = self.node.config.read_text()
            self.node.config.write_text(text + "\n[nothing]\n")
            new = {one["name"]: one for one in self.findings().values() if one["level"] == "error"}
            self.assertIn("nothing", new["configuration"]["seen"])
            self.node.config.write_text(text)
        with self.subTest("rejected"):
            self.publish()
            self.node.berth("mark", "web@v2", "bad", "--reason", "a test")
            self.assertEqual(self.new_since(before), [], "it was never on the node")
            self.node.berth("mark", "web@v1", "bad", "--reason", "a test")
            self.assertFinds(before, "rejected", "warning", "web@v1, which is active, since", "a test")
            for release in ("web@v1", "web@v2"):
                self.node.berth("mark", release, "good")
        with self.subTest("repository"):
            timestamp = self.repo.folder / "metadata/timestamp.json"
            away = timestamp.rename(timestamp.with_suffix(".away"))
            self.node.berth("deploy", "web@v2", expect=None)
            self.assertFinds(before, "repository", "warning", "it cannot be read: ", "timestamp.json")
            away.rename(timestamp)
            self.node.berth("releases", "web")
        with self.subTest("drift"):
            os.chmod(self.node.slot("v1") / "app/NOTE", 0o644)
            self.node.berth("verify", "web", expect=4)
            self.assertFinds(before, "drift", "error", "web@v1", "app/NOTE: has mode 0644")
            os.chmod(self.node.slot("v1") / "app/NOTE", 0o444)
            self.node.berth("verify", "web")
        self.assertEqual(self.new_since(before), [], "and all is as before")

    def test_without_berthd_it_looks_at_what_it_can(self):
        before = {kind: one for kind, one in self.findings().items() if one["name"] != "berthd"}  # it says nothing of itself then
        self.node.kill()
        self.assertFinds(before, "berthd", "error", "nothing listens")
        down = self.findings()

        with self.subTest("torn"):
            with open(self.node.state / "events.log", "a") as log:
                log.write('{"number":9')
            self.assertFinds(down, "events", "error", "events.log: line")
            self.node.start()
            self.assertEqual([one for one in self.new_since(before) if one["name"] != "berthd"], [], "it was cut off")
            self.node.kill()
        with self.subTest("rules"):
            subprocess.run(["nft", "add rule inet berth public tcp dport 81 redirect to :20999"], check=True)
            self.assertFinds(down, "orphans", "warning", "sends port 81 to 20999")
        self.node.start()
        self.assertEqual([one for one in self.new_since(before) if one["name"] != "berthd"], [], "its table is as it should be")
        self.assertEqual(self.node.stop(), 0)

        with self.subTest("database"):
            copy = self.folder / "copy"
            shutil.copytree(self.node.state, copy, symlinks=True)
            copy.chmod(0o711)
            config = self.folder / "copy.toml"
            config.write_text(self.node.config.read_text().replace(str(self.node.state), str(copy)))
            down = self.findings(config=config)
            database = copy / "berth.db"
            opened = sqlite3.connect(database)
            (page,), (size,) = opened.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'deployments'").fetchone(), opened.execute("PRAGMA page_size").fetchone()
            opened.close()
            with open(database, "r+b") as file:
                file.seek((page - 1) * size)
                file.write(b"\xa5" * size)
            self.assertFinds(down, "database", "error", str(database), "is damaged", config=config)
        self.node.start()

    def test_it_looks_at_the_configuration_with_which_the_berthd_that_answers_was_started(self):
        env = {**os.environ, "BERTH_SOCKET": str(self.node.socket)}
        got = subprocess.run([str(BERTH), "doctor", "--json"], env=env, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        document = json.loads(got.stdout)
        seen = {one["name"]: one for one in document["findings"] if one["name"] in ("configuration", "certificates")}
        self.assertEqual(seen["configuration"]["level"], "ok", seen)
        self.assertIn(str(self.node.config), seen["configuration"]["seen"])
        self.assertNotIn("not looked at", seen["certificates"]["seen"])
        self.assertEqual((got.returncode, document["errors"]), (0, 0), got.stdout)

    def test_it_is_read_by_people_too(self):
        os.chmod(self.token, 0o644)
        said = self.examine(expect=1).stdout
        self.assertTrue(said.startswith("error    permissions: "), said)
        self.assertIn(f"→ chmod 600 {self.token}", " ".join(said.split()))
        self.assertIn("1 error,", said)
        quiet = self.examine("-q", expect=1).stdout
        self.assertEqual(re.sub(r"\d+", "#", quiet), re.sub(r"\d+", "#", said[:said.index("\nok  ") + 1]), "what is wrong, and no more")
        os.chmod(self.token, 0o600)
        self.examine(expect=0)
        self.assertIn("--node", self.examine("--node", "edge-1", expect=2).stderr)

    def test_a_bundle_has_no_secret_and_is_for_root_alone(self):
        text = self.node.config.read_text()
        self.node.config.write_text(text + f"# the old one was https://ci:{SECRET}@old.example/berth?sig={SECRET}\n# password = \"other-{SECRET[::-1]}\"\n")
        self.node.berth("stop", "web", "--reason", f"moving from https://u:{SECRET[::-1]}@old.example")
        with open(self.node.log_file, "a") as log:
            log.write(f"asked with Authorization: Bearer {SECRET[::-1]}\n")
        for ending in ("tar.zst", "tar.gz"):
            bundle = self.folder / f"edge-1.{ending}"
            self.examine("--bundle", str(bundle), "--log", str(self.node.log_file), expect=0)
            self.assertEqual(stat.S_IMODE(bundle.stat().st_mode), 0o600)
            into = self.folder / ending
            into.mkdir()
            subprocess.run(["tar", "--zstd" if ending == "tar.zst" else "-z", "-xf", str(bundle), "-C", str(into)], check=True)
            files = {path.name: path.read_text() for path in (into / "edge-1").iterdir()}
            self.assertEqual(sorted(files), ["berthd.log", "berthd.toml", "doctor.json", "events.log", "status.json", "versions.txt"])
            for name, content in files.items():
                self.assertNotIn(SECRET, content, name)
                self.assertNotIn(SECRET[::-1], content, name)
            self.assertEqual(json.loads(files["doctor.json"])["node"], "node-1")
            self.assertEqual(json.loads(files["status.json"])["node"], "node-1")
            self.assertIn("operator.stop", files["events.log"])
            self.assertIn(f'token = "file:{self.token}"', files["berthd.toml"])
            self.assertIn("Authorization: (redacted)", files["berthd.log"])
            self.assertIn("berthd ", files["versions.txt"])
        refused = self.examine("--bundle", str(self.folder / "edge-1.tar.gz"), expect=8)
        self.assertEqual((refused.stdout, refused.stderr), ("", f"berth doctor: --bundle {self.folder}/edge-1.tar.gz: it is there already, and is not replaced: name another file, or remove it first\n"))
        missing = self.examine("--bundle", str(self.folder / "other.tar.gz"), "--log", str(self.folder / "nolog"), expect=3)
        self.assertEqual((missing.stdout, missing.stderr.count("\n")), ("", 1), missing)
        self.assertIn("nolog: No such file or directory: name the file that berthd's log goes to", missing.stderr)
        self.examine("--bundle", str(self.folder / "edge-1.zip"), expect=2)


if __name__ == "__main__":
    unittest.main()
