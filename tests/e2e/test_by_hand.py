"""The commands of docs/formats.md check a release file by hand, whoever signed for it and with keys of whatever kind; and find what is wrong in it. Those for
a layer in a repository show what it is."""
import hashlib
import io
import json
import random
import re
import shutil
import subprocess
import tarfile
import unittest

from lib import sample_apps
from lib.case import BerthCase
from lib.keys import Keys
from lib.programs import SOURCE


def commands_of_the_documentation(heading):
    text = (SOURCE / "docs/formats.md").read_text()
    section = text[text.index(f"\n## {heading}\n"):]
    return re.search(r"```sh\n(.*?)```", section[:section.index("\n## ", 5)], re.S)[1]


class ByHand(BerthCase):
    def setUp(self):
        super().setUp()
        self.keys = Keys(self.folder / "more-keys")

    def publish(self, *signing, note="build 1"):
        self.repo.configure("production", files={"settings": "a=1\n"})
        self.repo.build(sample_apps.testapp(self.folder / "site", note=note).put("share/text", "hello\n" * 1000))
        return self.repo.release("web", "production", *signing)

    def export(self):
        file = self.folder / "web.berth"
        self.repo.berth("export", "web/production@v1", "--repo", self.repo.folder, "-o", file, "--json")
        return file.read_bytes()

    def rotate(self, role, kind):
        self.keys.make(role, kind)
        self.repo.berth("repo", "rotate", self.repo.folder, role, "--new", self.keys.public(role), "--key", self.keys.private(role))
        shutil.move(self.keys.private(role), self.repo.keys["root"].parent / f"{role}-{kind}.pem")

    def by_hand(self, file):
        place = self.folder / "by-hand"
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        (place / "web-v42.berth").write_bytes(file)
        shutil.copy(self.repo.root, place / "root.json")
        return subprocess.run(["bash", "-euo", "pipefail", "-c", commands_of_the_documentation("Release file")], cwd=place, capture_output=True, text=True)

    def assertRight(self, file, signatures):
        done = self.by_hand(file)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(done.stdout.count("Signature Verified Successfully"), signatures, done.stdout)
        self.assertEqual((self.folder / "by-hand/app/NOTE").read_text(), "build 1")

    def assertWrong(self, file, *words):
        done = self.by_hand(file)
        self.assertNotEqual(done.returncode, 0, done.stdout)
        for word in words:
            self.assertIn(word, done.stdout + done.stderr)

    def changed(self, whole, pattern, change):
        """The file with the content of the first member of that name changed."""
        made, found = io.BytesIO(), False
        with tarfile.open(fileobj=io.BytesIO(whole)) as source, tarfile.open(fileobj=made, mode="w", format=tarfile.USTAR_FORMAT) as target:
            for member in source:
                content = source.extractfile(member).read() if member.isfile() else None
                if content and not found and re.fullmatch(pattern, member.name):
                    found, content = True, change(content)
                    member.size = len(content)
                target.addfile(member, io.BytesIO(content) if content is not None else None)
        self.assertTrue(found, pattern)
        return made.getvalue()

    @staticmethod
    def flip(content):
        at = len(content) // 2
        return content[:at] + bytes([content[at] ^ 1]) + content[at + 1:]

    @staticmethod
    def without_a_signature(content):
        document = json.loads(content)
        document["signatures"].pop()
        return json.dumps(document).encode()

    @staticmethod
    def with_another_version(content):
        document = json.loads(content)
        document["signed"]["expires"] = "2099-01-01T00:00:00Z"
        return json.dumps(document).encode()

    def test_what_the_repositorys_own_keys_signed(self):
        self.publish()
        whole = self.export()
        self.assertRight(whole, 3)
        for part in ("blobs/sha256/.*", "targets/.*", "metadata/timestamp.json"):
            self.assertWrong(self.changed(whole, part, self.flip))
        self.assertWrong(self.changed(whole, r"metadata/\d+[.]targets[.]json", self.with_another_version), "too few keys of the role targets have signed it, 0")

    def test_what_keys_of_other_kinds_signed_after_rotations(self):
        self.rotate("targets", "p256")
        self.rotate("snapshot", "rsa")
        self.rotate("timestamp", "p256")
        self.rotate("root", "rsa")
        self.publish()
        whole = self.export()
        self.assertRight(whole, 4 * 2 + 3)  # each new root by the keys of two
        for role in ("targets", "snapshot"):
            self.assertWrong(self.changed(whole, rf"metadata/\d+[.]{role}[.]json", self.with_another_version), f"keys of the role {role} have signed it, 0")
        self.assertWrong(self.changed(whole, "metadata/timestamp.json", self.with_another_version), "keys of the role timestamp have signed it, 0")
        self.assertWrong(self.changed(whole, r"metadata/5[.]root[.]json", self.with_another_version), "keys of the role root have signed it, 0")

    def test_what_an_apps_own_role_signed_with_keys_of_every_kind(self):
        kinds = ("p256", "rsa", "ed25519")
        publics = [word for kind in kinds for word in ("--key", self.keys.public(self.keys.make(kind, kind)))]
        self.keys.make("shop", "p256")
        self.repo.berth("repo", "delegate", self.repo.folder, "shop", "--key", self.keys.public("shop"))
        self.repo.berth("repo", "delegate", self.repo.folder, "web", *publics, "--threshold", "3")
        self.publish("--keys", self.folder / "no-keys", *(word for kind in kinds for word in ("--key", self.keys.private(kind))))
        self.repo.berth("repo", "accept", self.repo.folder)
        whole = self.export()
        self.assertRight(whole, 3 + 3)
        web = r"metadata/1[.]web[.]json"
        self.assertWrong(self.changed(whole, web, self.without_a_signature), "too few keys of the role web have signed it, 2")
        self.assertWrong(self.changed(whole, web, self.with_another_version), "too few keys of the role web have signed it, 0")
        self.assertWrong(self.changed(whole, "targets/.*", self.flip))

    def layer_by_hand(self):
        return subprocess.run(["bash", "-euo", "pipefail", "-c", commands_of_the_documentation("Layer")], cwd=self.repo.folder, capture_output=True, text=True)

    def test_a_layer_of_several_frames_and_its_index(self):
        noise = random.Random(1).randbytes(20 << 20)  # more than a frame, and no less as it is packed
        server = b"#!/bin/sh\necho hello\n"
        self.repo.configure("production")
        self.repo.build(sample_apps.testapp(self.folder / "site").put("bin/server", server, 0o755).put("share/noise", noise))
        self.repo.release("web", "production", "--id", "v42")
        [file] = (self.repo.folder / "targets/web/production").glob("*.v42.json")
        [build] = json.loads(file.read_text())["builds"].values()
        layer = build["layer"]
        name = layer["blob"]["sha256"]
        index = json.loads((self.repo.folder / "blobs/sha256" / layer["index"]["sha256"]).read_text())
        self.assertGreater(len(index["frames"]), 1)
        done = self.layer_by_hand()
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        lines = done.stdout.splitlines()
        self.assertIn(f"{name}  blobs/sha256/{name}", lines)
        self.assertIn(f"{layer['tar_sha256']}  -", lines)
        sha256 = hashlib.sha256(server).hexdigest()
        self.assertIn(f"{sha256}  -\n{sha256}\n", done.stdout, "the file, and what the index says of it")
        self.assertTrue(any(line.startswith("-rwxr-xr-x root/root") and line.endswith(" bin/server") for line in lines), done.stdout)
        blob = self.repo.folder / "blobs/sha256" / name
        blob.write_bytes(self.flip(blob.read_bytes()))
        self.assertNotEqual(self.layer_by_hand().returncode, 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
