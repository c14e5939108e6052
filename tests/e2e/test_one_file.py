"""A release as one file: exported, carried to a node without a network, verified and deployed there; and every bad file refused, with nothing left."""
import os
import re
import shutil
import subprocess
import tarfile
import unittest
from pathlib import Path

from lib import sample_apps
from lib.case import BerthCase
from lib.programs import BERTH


class OneFile(BerthCase):
    def publish(self, note="build 1"):
        tree = sample_apps.testapp(self.folder / "site", note=note).put("share/text", "hello\n" * 1000)
        return self.repo.publish(tree, files={"settings": "a=1\n"})

    def export(self, release="v1", name="web.berth"):
        file = self.folder / name
        self.repo.berth("export", f"web/production@{release}", "--repo", self.repo.folder, "-o", file)
        return file

    def lonely_node(self, folder="lonely"):
        """A node that knows a root, and no repository."""
        node = self.make_node(folder)
        root = self.folder / "root.json"
        shutil.copy(self.repo.root, root)
        text = node.config.read_text()
        node.configure(re.sub(r'url = ".*"\n', "", text).replace(str(self.repo.root), str(root)))
        return node.start()

    def long_ago(self, day, *arguments):
        """Runs a publisher's verb as if it were that day."""
        subprocess.run(["faketime", day, str(BERTH), *map(str, arguments)], check=True, capture_output=True, env={**os.environ, "HOME": str(self.repo.home)})

    def left_of_imports(self, node):
        return [str(path) for folder in ("imports", "staging") for path in (node.state / folder).rglob("*")]

    def trusted(self, node):
        return {path.name: path.read_bytes() for path in (node.state / "tuf").glob("*.json")}

    def test_a_file_deploys_on_a_node_without_a_repository(self):
        self.publish()
        file = self.export()
        node = self.lonely_node()
        shutil.rmtree(self.repo.folder)
        self.assertSays(node.berth("deploy", file), "web@v1")
        self.assertServes("v1")
        imported = [event for event in node.events() if event["kind"] == "operator.import"]
        self.assertEqual([event["data"]["release"] for event in imported], ["v1"])
        self.assertIn("imported", node.berth("releases", "web").out)
        self.assertEqual(node.berth("verify", "--all", "--json").json()["slots"][0]["drifted"], 0)
        os.chmod(node.slot("v1") / "app/NOTE", 0o644)
        node.berth("verify", "web", expect=4)
        self.assertEqual(node.stop(), 0)
        node.start()
        self.assertServes("v1")

    def test_what_was_imported_is_deployed_later_and_repairs_a_drifted_slot(self):
        self.publish()
        first = self.export()
        self.publish("build 2")
        second = self.export("v2", "two.berth")
        node = self.lonely_node()
        refused = node.berth("import", first, expect=0)
        self.assertSays(refused, "web@v1")
        node.berth("deploy", "web@v1")
        self.assertSays(node.berth("import", first), "web@v1: verified", "it was on this node already")
        self.assertSays(node.berth("import", second), "web@v2: verified and loaded")
        node.berth("deploy", "web@v2")
        self.assertServes("v2")
        with open(node.slot("v1") / "app/NOTE", "r+b") as note:
            note.write(b"XXX")
        node.berth("revert", "web")
        self.assertServes("v1")
        self.assertEqual((node.slot("v1") / "app/NOTE").read_text(), "build 1")
        refused = node.berth("import", first, expect=4)
        self.assertSays(refused, "rollback")

    def test_gc_tells_that_it_removed_what_was_imported_and_never_deployed(self):
        self.publish()
        first = self.export()
        self.publish("build 2")
        second = self.export("v2", "two.berth")
        node = self.lonely_node()
        node.berth("deploy", first)
        node.berth("import", second)
        self.assertSays(node.berth("gc"), "web@v2, loaded from a file", "freed")
        self.assertEqual([event["data"]["imports"] for event in node.events() if event["kind"] == "operator.gc"], [1])
        self.assertSays(node.berth("gc"), "Nothing to remove")
        self.assertNotIn("v2", node.berth("releases", "web").out)
        self.assertSays(node.berth("import", self.repo.root, expect=4), "1.root.json: is no release file, as 'berth export' makes them")
        self.assertSays(node.berth("inspect", second), "web/production@v2", "signed for by")

    def test_gc_removes_what_was_imported_of_an_app_that_is_not_on_the_node(self):
        self.publish()
        node = self.lonely_node()
        node.berth("import", self.export())
        self.assertSays(node.berth("gc"), "web@v1, loaded from a file", "freed")
        self.assertSays(node.berth("gc"), "Nothing to remove")
        self.assertEqual(list((node.state / "imports").glob("*/*")), [])

    def test_a_node_shows_a_release_whole_and_what_two_do_not_have_alike(self):
        self.publish()
        self.publish("build 2")
        node = self.make_node().start()
        node.berth("deploy", "web@v1")
        node.berth("deploy", "web@v2")
        of_repository = self.repo.berth("inspect", "web/production@v2", "--repo", self.repo.folder).out
        (signed,) = [line for line in of_repository.splitlines() if "signed for by" in line]
        shutil.rmtree(self.repo.folder)
        shown = node.berth("inspect", "web@v2", "--files")
        self.assertSays(shown, "web/production@v2", "process", "share/text", "settings")
        self.assertIn(signed, shown.out, "who signed is known without the repository")
        self.assertRegex(signed, r"the role targets, by [0-9a-f]{12}")
        shown = node.berth("diff", "web@v1", "web@v2").out
        self.assertIn("~ build: ", shown)
        self.assertIn("~ file NOTE: 7 bytes, 0644, ", shown)
        self.assertNotIn("share/text", shown)
        node.berth("diff", "web@v1", "web@v9", expect=3)

    def test_an_export_on_a_node_uses_its_repository(self):
        self.publish()
        node = self.make_node().start()
        file = self.folder / "from-node.berth"
        node.berth("export", "web@v1", "-o", file)
        self.assertEqual(file.read_bytes(), self.export().read_bytes(), "the same release is the same file")
        self.assertSays(node.berth("export", "web@v1", "-o", file, expect=8), "is there already")
        node.berth("export", "web@v9", "-o", self.folder / "no.berth", expect=3)
        self.assertFalse((self.folder / "no.berth").exists())

    def test_expired_metadata_is_taken_by_one_flag_which_is_told(self):
        self.publish()
        self.long_ago("2020-01-01", "repo", "refresh", self.repo.folder)
        file = self.folder / "old.berth"
        self.long_ago("2020-01-02", "export", "web/production@v1", "--repo", self.repo.folder, "-o", file)
        node = self.lonely_node()
        before = self.trusted(node)
        self.assertSays(node.berth("import", file, expect=4), "timestamp.json", "expired")
        self.assertEqual((self.left_of_imports(node), self.trusted(node)), ([], before))
        self.assertSays(node.berth("deploy", file, "--allow-expired"), "timestamp.json expired at")
        self.assertServes("v1")
        event = [event for event in node.events() if event["kind"] == "operator.import"][-1]
        self.assertTrue(event["data"]["allow_expired"])
        self.assertIn("timestamp.json expired", event["data"]["expired"])
        self.assertIn("although expired", node.berth("releases", "web").out)
        self.assertIn("--allow-expired", node.log_tail(2000))

    def test_bad_files_are_refused_and_nothing_is_left(self):
        self.publish()
        file = self.export()
        whole = file.read_bytes()
        node = self.lonely_node()
        before = self.trusted(node)
        bad = self.folder / "bad.berth"
        files = {"empty": b"", "half": whole[:len(whole) // 2], "short": whole[:-512], "long": whole + bytes(512), "text": b"hello\n" * 1000,
                 "blob": self.flipped(whole, "blobs/sha256/"), "manifest": self.flipped(whole, "targets/"),
                 "timestamp": self.flipped(whole, "metadata/timestamp.json"), "targets": self.flipped(whole, "metadata/2.targets.json")}
        for name, tamper in {"escape": "../../etc/cron.d/x", "absolute": "/etc/cron.d/x", "extra": "metadata/../x", "other": "etc/x"}.items():
            files[name] = self.with_member(file, tamper)
        for name, content in files.items():
            bad.write_bytes(content)
            done = node.berth("import", bad, expect=4)
            self.assertSays(done, "bad.berth")
            self.assertEqual((name, self.left_of_imports(node), self.trusted(node)), (name, [], before))
        self.assertFalse(Path("/etc/cron.d/x").exists())
        node.berth("import", self.folder, expect=2)
        node.berth("import", self.folder / "missing.berth", expect=3)
        self.assertIsNone(node.app())
        node.berth("deploy", file)
        self.assertServes("v1")

    def flipped(self, whole, prefix):
        """With one byte of the content of the first such file changed."""
        (self.folder / "whole.tar").write_bytes(whole)
        with tarfile.open(self.folder / "whole.tar") as tar:
            member = next(one for one in tar if one.isfile() and one.name.startswith(prefix) and one.size > 0)
            at = member.offset_data + member.size // 2
        return whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1:]

    def with_member(self, file, name):
        """The same file and one more member, by a stock tar writer."""
        made = self.folder / "more.tar"
        with tarfile.open(file) as source, tarfile.open(made, "w", format=tarfile.USTAR_FORMAT) as target:
            evil = tarfile.TarInfo(name)
            target.addfile(evil)
            for member in source:
                target.addfile(member, source.extractfile(member) if member.isfile() else None)
        return made.read_bytes()

    def test_a_release_of_another_environment_or_too_large_for_the_disk_is_refused(self):
        self.publish()
        file = self.export()
        node = self.make_node("qa", environment="qa").start()
        self.assertSays(node.berth("deploy", file, expect=2), "qa", "production")
        node.stop()
        full = self.make_node("full", reserve="900TB", metrics_port=9465).start()
        self.assertSays(full.berth("import", file, expect=1), "must stay free")
        self.assertEqual(self.left_of_imports(full), [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
