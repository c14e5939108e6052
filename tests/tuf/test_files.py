"""The client's command line, and what it leaves in its folders."""
import json
import os
import subprocess
import unittest

from tuf.case import CLIENT, FIRST, TufCase


class CommandLine(TufCase):
    def test_misuse_exits_with_one_and_asks_nobody(self):
        url, folder = self.server.url + "/metadata/", self.metadata
        for arguments in ([], ["--metadata-dir", folder], ["--metadata-dir"], ["fly"], ["--metadata-dir", folder, "init"],
                          ["--metadata-dir", folder, "init", "/nowhere"], ["--metadata-dir", folder, "refresh"], ["--fast", "refresh"],
                          ["--metadata-url", url, "--metadata-dir", folder, "download"],
                          ["--metadata-url", url, "--metadata-dir", folder, "refresh", "more"],
                          ["--metadata-url", "gopher://x", "--metadata-dir", folder, "refresh"],
                          ["--metadata-url", url, "--metadata-dir", "/proc/none", "refresh"]):
            with self.subTest(arguments=arguments):
                self.assertRefused(self.run_client(*arguments))
                self.assertAsked()

    def test_a_reader_of_its_output_that_left_changes_nothing(self):
        end, other = os.pipe()
        os.close(end)
        done = subprocess.run([CLIENT, "refresh"], stdout=other, stderr=other, timeout=60, check=False)
        os.close(other)
        self.assertEqual(done.returncode, 1)

    def test_init_copies_the_root_and_asks_nobody(self):
        root = self.repo.files["1.root.json"] + b"\n \n"
        self.assertAccepted(self.init(root))
        self.assertKept(root=1)
        self.assertEqual((self.metadata / "root.json").read_bytes(), root)
        self.assertAsked()

    def test_init_takes_an_expired_root(self):
        self.repo.root["expires"] = "2001-01-01T00:00:00Z"
        self.assertAccepted(self.init(self.repo.sign("root")))

    def test_a_bad_root_leaves_refresh_failing_without_a_request(self):
        unsigned = json.loads(self.repo.files["1.root.json"])
        unsigned["signatures"] = []
        for root in (b"", b"{}", b"[]", b"\xff\xfe", json.dumps(unsigned).encode(), self.repo.files["timestamp.json"]):
            with self.subTest(root=root[:20]):
                self.init(root)
                self.assertRefused(self.refresh())
                self.assertAsked()

    def test_a_root_damaged_later_is_not_used(self):
        self.assertAccepted(self.init())
        file = self.metadata / "root.json"
        file.write_bytes(file.read_bytes().replace(b"1.0.31", b"1.0.32"))
        self.assertRefused(self.refresh(), "root.json")
        self.assertAsked()

    def test_download_refreshes_once_and_takes_each_target_in_order(self):
        for name in ("a", "b", "c"):
            self.repo.add(name, name.encode())
        self.repo.publish_all()
        self.init()
        self.assertAccepted(self.download("c", "a", "b"))
        self.assertStored(b"c", b"a", b"b")
        self.assertEqual(self.server.requests[:4], ["2.root.json", "timestamp.json", "2.snapshot.json", "2.targets.json"])
        self.assertEqual(len(self.server.requests), 7)

    def test_download_stops_at_the_first_that_is_not_found_or_fails(self):
        for name in ("a", "b", "c"):
            self.repo.add(name, name.encode())
        self.repo.artifacts = {path: b"x" if path.endswith(".b") else data for path, data in self.repo.artifacts.items()}
        self.repo.publish_all()
        self.init()
        self.assertRefused(self.download("a", "none", "c"), "'none'")
        self.assertStored(b"a")
        self.assertRefused(self.download("b", "c"), "'b'")
        self.assertStored(b"a")

    def test_a_target_name_may_have_spaces_and_other_characters(self):
        name = "a folder/what? #1 é.txt"
        self.repo.add(name, b"spaced")
        digest = self.repo.content["targets"]["targets"][name]["hashes"]["sha256"]
        self.repo.artifacts[f"a%20folder/{digest}.what%3F%20%231%20%C3%A9.txt"] = b"spaced"
        self.repo.publish_all()
        self.init()
        self.assertAccepted(self.download(name))
        self.assertStored(b"spaced")
        self.assertRefused(self.download("no such name"))


class Metadata(TufCase):
    def test_every_role_is_kept_as_received_under_its_plain_name(self):
        self.repo.delegate("targets", "web")
        self.repo.publish_all()
        self.init()
        self.assertRefused(self.download("none"))
        self.assertKept(root=1, timestamp=2, snapshot=2, targets=2, web=1)
        for role in ("root", "timestamp", "snapshot", "targets", "web"):
            self.assertEqual((self.metadata / f"{role}.json").read_bytes(), self.repo.served(role), role)

    def test_files_of_roles_with_odd_names_stay_in_the_folder(self):
        for role in ("?", "#", "/delegatedrole", "../delegatedrole", "..", ".", "é\n", "a b"):
            self.repo.delegate("targets", role)
        self.repo.publish_all()
        self.init()
        self.assertRefused(self.download("none"))
        self.assertKept("root", "timestamp", "snapshot", "targets", "%3F", "%23", "%2Fdelegatedrole", "..%2Fdelegatedrole", "..", ".", "%C3%A9%0A", "a%20b")
        self.assertEqual(sorted(entry.name for entry in self.folder.iterdir()), ["metadata", "root-of-trust", "targets"])

    def test_what_was_verified_is_kept_though_something_later_fails(self):
        for missing, kept in (("1.snapshot.json", {"root": 2, "timestamp": 1}), ("1.targets.json", {"root": 2, "timestamp": 1, "snapshot": 1})):
            with self.subTest(missing=missing):
                self.setUp()
                self.init()
                self.repo.publish("root")
                del self.repo.files[missing]
                self.assertRefused(self.refresh())
                self.assertKept(**kept)

    def test_expired_roles_are_not_kept(self):
        kept = ["root"]
        for role in ("timestamp", "snapshot", "targets"):
            with self.subTest(role=role):
                self.setUp()
                self.init()
                self.repo.content[role]["expires"] = "2001-01-01T00:00:00Z"
                self.repo.publish_all()
                self.assertRefused(self.refresh(), f"{role}.json", "expired")
                self.assertKept(*kept)
            kept.append(role)

    def test_an_expired_root_is_kept_and_is_the_end(self):
        self.init()
        self.repo.root["expires"] = "2001-01-01T00:00:00Z"
        self.repo.publish("root")
        self.assertRefused(self.refresh(), "root.json", "expired")
        self.assertKept(root=2)
        self.assertAsked("2.root.json", "3.root.json")


class Artifacts(TufCase):
    def test_each_target_has_one_local_file_in_the_order_of_writing(self):
        self.repo.add("dir/a", b"a1")
        self.repo.add("b", b"b1")
        self.repo.add(".hidden", b"h1")
        self.repo.publish_all()
        self.init()
        self.assertAccepted(self.download("dir/a"))
        self.assertAccepted(self.download("b"))
        self.assertAccepted(self.download(".hidden"))
        self.assertStored(b"a1", b"b1", b"h1")
        self.repo.add("dir/a", b"a2, longer")
        self.repo.publish_all()
        self.assertAccepted(self.download("dir/a"))
        self.assertStored(b"b1", b"h1", b"a2, longer")

    def test_names_that_differ_have_files_that_differ(self):
        names = ["a/b", "a%2Fb", "a", "x" * 300, "x" * 299 + "y", "../a", "é"]
        for number, name in enumerate(names):
            self.repo.add(name, str(number).encode())
        self.repo.artifacts[next(path for path in self.repo.artifacts if path.endswith(".é")).replace("é", "%C3%A9")] = b"6"
        self.repo.publish_all()
        self.init()
        self.assertAccepted(self.download(*names))
        self.assertStored(*(str(number).encode() for number in range(len(names))))

    def test_many_small_files_keep_their_order(self):
        names = [f"t{number:02}" for number in range(40)]
        for name in reversed(names):
            self.repo.add(name, name.encode())
        self.repo.publish_all()
        self.init()
        self.assertAccepted(self.download(*names))
        self.assertStored(*(name.encode() for name in names))

    def test_nothing_unverified_is_stored_and_the_older_file_stays(self):
        self.repo.add("a", b"right")
        self.repo.publish_all()
        self.init()
        self.assertAccepted(self.download("a"))
        for wrong in (b"wrong", b"right and more", b"righ", b""):
            with self.subTest(wrong=wrong):
                self.repo.add("a", b"newer")
                self.repo.publish_all()
                for path in self.repo.artifacts:
                    self.repo.artifacts[path] = wrong
                self.assertRefused(self.download("a"))
                self.assertStored(b"right")

    def test_a_file_that_is_there_is_not_asked_for_again(self):
        self.repo.add("a", b"right")
        self.repo.publish_all()
        self.init()
        self.assertAccepted(self.download("a"))
        self.repo.publish("timestamp")
        self.assertAccepted(self.download("a"))
        self.assertAsked("2.root.json", "timestamp.json")
        self.assertKept(root=1, timestamp=3, snapshot=2, targets=2)
        local = next(self.artifacts.iterdir())
        local.write_bytes(b"wrong")
        self.assertAccepted(self.download("a"))
        self.assertStored(b"right")

    def test_refresh_stores_no_artifact(self):
        self.repo.add("a", b"a")
        self.init()
        self.assertAccepted(self.refresh())
        self.assertStored()
        self.assertAsked(*FIRST)


if __name__ == "__main__":
    unittest.main()
