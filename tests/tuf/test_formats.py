"""Keys, signatures, and what metadata may look like."""
import unittest

from tuf.case import TufCase
from tuf.keys import Key

NEITHER = "0" * 64  #: a keyid that nobody has


class Keys(TufCase):
    def assertRootKeyCounts(self, key):
        """A root that needs this key too is accepted with its signature, and not with a right-looking wrong one."""
        self.setUp()
        self.init()
        self.repo.add_key("root", key)
        self.repo.root["roles"]["root"]["threshold"] = 2
        self.repo.publish("root")
        self.assertAccepted(self.refresh())
        self.assertKept("timestamp", "snapshot", "targets", root=2)
        self.repo.publish("root")
        wrong = key.sign(b"something else")
        self.repo.edit("root", lambda file: file["signatures"][1].update(sig=wrong))
        self.assertRefused(self.refresh(), "3.root.json")
        self.assertKept("timestamp", "snapshot", "targets", root=2)

    def test_signatures_of_each_kind_count(self):
        for keytype in ("ed25519", "ecdsa", "ecdsa-sha2-nistp256", "rsa"):
            with self.subTest(keytype=keytype):
                self.assertRootKeyCounts(Key(keytype))

    def test_both_values_of_s_count_for_ecdsa(self):
        for high in (True, False):
            with self.subTest(high=high):
                self.assertRootKeyCounts(Key("ecdsa", high=high))

    def test_an_id_covers_all_members_of_its_key(self):
        for extra in ({"x-tuf-on-ci-keyowner": "@someone"}, {"extra-field": 3}, {"keyid_hash_algorithms": ["sha256", "sha512"]},
                      {"keyid_hash_algorithms": "md5"}, {"x-tuf-on-ci-online-uri": "gcpkms://é\n\"\\"}):
            with self.subTest(extra=extra):
                self.assertRootKeyCounts(Key(extra=extra))

    def test_keys_of_unknown_kinds_are_passed_over(self):
        self.init()
        for odd in ({"keytype": "dilithium", "scheme": "dilithium3", "keyval": {"public": "00"}}, {"keytype": "ed25519", "scheme": "other", "keyval": {"public": "00"}},
                    {"keytype": "ecdsa", "scheme": "ecdsa-sha2-nistp384", "keyval": {"public": "none"}}, {"keytype": "sigstore-oidc", "scheme": "Fulcio", "keyval": {"identity": "x", "issuer": "y"}},
                    {"keytype": "rsa", "scheme": "rsassa-pss-sha256", "keyval": {"public": "no PEM"}}):
            identity = f"{len(self.repo.root['keys']):064x}"
            self.repo.root["keys"][identity] = odd
            for role in ("root", "timestamp"):
                self.repo.root["roles"][role]["keyids"].append(identity)
        self.repo.publish("root", "timestamp")
        self.assertAccepted(self.refresh())


class Signatures(TufCase):
    def assertTimestamp(self, right, change):
        self.repo.publish("timestamp")
        self.repo.edit("timestamp", change)
        self.assertEqual(self.refresh() == 0, right, self.said)
        self.assertKept(*(["root", "timestamp", "snapshot", "targets"] if right else ["root"]))

    def setUp(self):
        super().setUp()
        self.init()

    def test_strangers_and_wrong_and_empty_ones_do_no_harm(self):
        second = self.repo.add_key("timestamp")
        self.repo.publish("root")
        wrong = Key().sign(b"")
        for signature in ({"keyid": NEITHER, "sig": wrong}, {"keyid": NEITHER, "sig": ""}, {"keyid": second.id, "sig": wrong}, {"keyid": second.id, "sig": ""},
                          {"keyid": second.id, "sig": "no hex"}, {"keyid": second.id, "sig": "00" * 5000}):
            with self.subTest(signature=signature["sig"][:8]):
                self.assertTimestamp(True, lambda file, one=signature: file.update(signatures=[one, file["signatures"][0]]))

    def test_none_and_wrong_ones_alone_are_refused(self):
        for sizes in ((), (0,), (64,), (72,), (384,)):
            signatures = [{"keyid": self.repo.signers["timestamp"][0].id, "sig": "a5" * size} for size in sizes]
            with self.subTest(sizes=sizes):
                self.assertTimestamp(False, lambda file, those=signatures: file.update(signatures=those))

    def test_one_keyid_twice_rejects_the_file(self):
        self.assertTimestamp(False, lambda file: file["signatures"].append(file["signatures"][0]))
        self.assertTimestamp(False, lambda file: file["signatures"].append({**file["signatures"][0], "sig": ""}))

    def test_one_keyid_listed_often_counts_once(self):
        self.repo.root["roles"]["timestamp"]["keyids"] *= 9
        self.repo.root["roles"]["timestamp"]["threshold"] = 2
        self.repo.publish("root", "timestamp")
        self.assertRefused(self.refresh())

    def test_one_key_under_two_ids_counts_once(self):
        key = self.repo.signers["timestamp"][0]
        self.repo.root["keys"][NEITHER] = key.object
        self.repo.root["roles"]["timestamp"].update(keyids=[key.id, NEITHER], threshold=2)
        self.repo.publish("root", "timestamp")
        self.repo.edit("timestamp", lambda file: file["signatures"].append({**file["signatures"][0], "keyid": NEITHER}))
        self.assertRefused(self.refresh(), "timestamp.json")

    def test_thresholds_count_distinct_keys_of_the_role(self):
        for keys, threshold, signers, right in ((3, 2, [0, 2], True), (3, 3, [0, 1], False), (5, 3, [1, 2, 4], True), (5, 3, [1, 1, 1], False), (2, 2, [0, 9], False)):
            with self.subTest(keys=keys, threshold=threshold, signers=signers):
                self.setUp()
                for _ in range(keys - 1):
                    self.repo.add_key("timestamp")
                self.repo.root["roles"]["timestamp"]["threshold"] = threshold
                self.repo.publish("root", "timestamp")
                pool = self.repo.signers["timestamp"] + [Key()] * 9
                self.repo.serve("timestamp", self.repo.sign("timestamp", [pool[number] for number in signers]))
                self.assertEqual(self.refresh() == 0, right, self.said)

    def test_a_keyid_of_the_role_that_is_not_among_the_keys_is_passed_over(self):
        self.repo.root["roles"]["timestamp"]["keyids"].insert(0, NEITHER)
        self.repo.publish("root", "timestamp")
        self.assertAccepted(self.refresh())


class Formats(TufCase):
    def test_unknown_members_anywhere_are_signed_bytes_like_others(self):
        self.repo.add("a", b"a")
        self.repo.content["targets"]["targets"]["a"]["custom"] = {"é\n\"\\": [1, -2, None, True, {"": []}], "\U0001f600": "￿"}
        self.repo.root["x"] = {"y": "\u2028\t\x7f"}
        self.repo.root["roles"]["x-role"] = {"keyids": [], "threshold": 1}
        self.repo.root["roles"]["snapshot"]["x"] = "x"
        self.repo.content["timestamp"]["meta"]["x.json"] = {"version": 1}
        self.repo.publish("root", "targets", "snapshot", "timestamp")
        self.repo.edit("targets", lambda file: file.update({"unsigned": ["member"]}))
        self.init()
        self.assertAccepted(self.download("a"))
        self.repo.publish("targets", "snapshot", "timestamp")
        self.repo.edit("targets", lambda file: file["signed"]["targets"]["a"]["custom"].update(forged=1))
        self.assertRefused(self.refresh(), "targets.json")

    def test_versions_of_the_specification(self):
        for version, right in (("1.0.31", True), ("1.0", True), ("1.99.0", True), ("2.0.0", False), ("", False)):
            with self.subTest(version=version):
                self.setUp()
                self.init()
                self.repo.content["timestamp"]["spec_version"] = version
                self.repo.publish("timestamp")
                self.assertEqual(self.refresh() == 0, right, self.said)

    def test_the_type_must_be_the_roles_own(self):
        for role, other in (("root", "targets"), ("timestamp", "snapshot"), ("snapshot", "timestamp"), ("targets", "root")):
            with self.subTest(role=role):
                self.setUp()
                self.init()
                self.repo.content[role]["_type"] = other
                self.repo.publish("root", "targets", "snapshot", "timestamp")
                self.assertRefused(self.refresh(), f"{role}.json")

    def test_what_is_no_metadata_is_refused(self):
        self.init()
        for data in (b"", b"null", b"[]", b"{", b"<html>", b"\x00" * 100, b"[" * 10000, b'{"signatures":[],"signed":{}}'):
            with self.subTest(data=data[:10]):
                self.repo.files["timestamp.json"] = data
                self.assertRefused(self.refresh(), "timestamp.json")
                self.assertKept("root")

    def test_members_that_occur_twice_and_numbers_that_are_none_are_refused(self):
        self.init()
        self.repo.publish("timestamp")
        right = self.repo.served("timestamp")
        for old, new in ((b'"version": 2', b'"version": 2, "version": 2'), (b'"version": 2', b'"version": 2.0'), (b'"version": 2', b'"version": 18446744073709551618')):
            self.repo.serve("timestamp", right.replace(old, new, 1))
            self.assertRefused(self.refresh(), "timestamp.json")

    def test_expiry_has_one_form(self):
        self.init()
        for expires in ("2049-01-01T00:00:00+00:00", "2049-01-01", "2049-02-30T00:00:00Z", "2049-01-01T00:00:00.0Z", 2493072000, None):
            with self.subTest(expires=expires):
                self.repo.content["timestamp"]["expires"] = expires
                self.repo.publish("timestamp")
                self.assertRefused(self.refresh(), "timestamp.json")

    def test_a_target_without_a_known_hash_is_refused(self):
        self.init()
        for hashes in ({"md5": "0" * 32}, {"unknown-hash": "0" * 128}, {}, {"sha256": "../../../etc/passwd"}):
            with self.subTest(hashes=hashes):
                self.repo.add("a", b"a")
                self.repo.content["targets"]["targets"]["a"]["hashes"] = hashes
                self.repo.publish("targets", "snapshot", "timestamp")
                self.assertRefused(self.download("a"))
                self.assertStored()

    def test_every_known_hash_of_a_target_is_checked(self):
        self.init()
        self.repo.add("a", b"a", algorithms=("sha256", "sha512"))
        hashes = self.repo.content["targets"]["targets"]["a"]["hashes"]
        hashes["unknown-hash"] = "00"
        self.repo.publish("targets", "snapshot", "timestamp")
        self.assertAccepted(self.download("a"))
        for algorithm in ("sha256", "sha512"):
            with self.subTest(wrong=algorithm):
                self.repo.add("b", b"b", algorithms=("sha256", "sha512"))
                wrong = "0" * len(hashes[algorithm])
                self.repo.content["targets"]["targets"]["b"]["hashes"][algorithm] = wrong
                self.repo.artifacts[f"{wrong}.b"] = b"b"
                self.repo.publish("targets", "snapshot", "timestamp")
                self.assertRefused(self.download("b"))
                self.assertStored(b"a")


if __name__ == "__main__":
    unittest.main()
