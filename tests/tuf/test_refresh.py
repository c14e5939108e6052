"""The refresh workflow (TUF 1.0.33, 5.3 to 5.6), over several calls, each a new process."""
import hashlib
import time
import unittest

from tuf.case import FIRST, TufCase
from tuf.keys import Key
from tuf.repository import Repository


def days_ahead(days):
    """A UTC time as `faketime` takes it, and as metadata writes it."""
    moment = time.gmtime(time.time() + days * 86400)
    return time.strftime("%Y-%m-%d %H:%M:%S", moment), time.strftime("%Y-%m-%dT%H:%M:%SZ", moment)


class Root(TufCase):
    def test_a_chain_of_roots_is_followed_one_by_one(self):
        self.init()
        for _ in range(3):
            self.repo.publish("root", also=self.repo.rotate("root"))
        self.assertAccepted(self.refresh())
        self.assertAsked("2.root.json", "3.root.json", "4.root.json", "5.root.json", *FIRST[1:])
        self.assertKept(root=4, timestamp=1, snapshot=1, targets=1)
        self.assertAccepted(self.refresh())
        self.assertAsked("5.root.json", "timestamp.json")

    def test_the_next_root_needs_the_old_keys_and_the_new_ones(self):
        for missing in ("old", "new"):
            with self.subTest(missing=missing):
                self.setUp()
                self.init()
                old = self.repo.rotate("root")
                self.repo.publish("root")
                if missing == "new":
                    self.repo.serve("root", self.repo.sign("root", old))
                self.assertRefused(self.refresh(), "2.root.json")
                self.assertAsked("2.root.json")
                self.assertKept(root=1)

    def test_the_next_root_needs_the_thresholds_of_both(self):
        for threshold, signers, right in ((2, 2, True), (2, 1, False)):
            with self.subTest(threshold=threshold, signers=signers):
                self.setUp()
                self.repo.add_key("root")
                self.repo.root["roles"]["root"]["threshold"] = threshold
                self.repo.publish("root")
                self.init(self.repo.files["2.root.json"])
                self.repo.publish("root")
                self.repo.serve("root", self.repo.sign("root", self.repo.signers["root"][:signers]))
                self.assertEqual(self.refresh() == 0, right, self.said)

    def test_the_next_root_must_be_of_exactly_the_next_version(self):
        for version in (1, 3, 2**40):
            with self.subTest(version=version):
                self.setUp()
                self.init()
                self.repo.root["version"] = version
                self.repo.files["2.root.json"] = self.repo.sign("root")
                self.assertRefused(self.refresh(), "2.root.json")
                self.assertKept(root=1)

    def test_only_the_last_root_must_not_be_expired(self):
        self.init()
        self.repo.root["expires"] = "2001-01-01T00:00:00Z"
        self.repo.publish("root")
        self.repo.root["expires"] = "2049-01-01T00:00:00Z"
        self.repo.publish("root")
        self.assertAccepted(self.refresh())
        self.assertKept(root=3, timestamp=1, snapshot=1, targets=1)

    def test_an_expired_local_root_counts_though_nothing_new_came(self):
        self.repo.root["expires"] = "2001-01-01T00:00:00Z"
        self.repo.serve("root", self.repo.sign("root"))
        self.init()
        self.assertRefused(self.refresh(), "expired")
        self.assertAsked("2.root.json")
        self.repo.root["expires"] = "2049-01-01T00:00:00Z"
        self.repo.publish("root")
        self.assertAccepted(self.refresh())

    def test_a_threshold_above_the_number_of_keys_is_that_roles_trouble(self):
        self.init()
        self.repo.root["roles"]["snapshot"]["threshold"] = 2
        self.repo.publish("root")
        self.assertRefused(self.refresh(), "snapshot.json")
        self.assertKept(root=2, timestamp=1)


class Timestamp(TufCase):
    def setUp(self):
        super().setUp()
        self.init()
        self.repo.publish("snapshot", "timestamp")
        self.refresh()

    def test_a_lower_version_is_refused(self):
        self.repo.content["timestamp"]["version"] = 0
        self.repo.publish("timestamp")
        self.assertRefused(self.refresh(), "timestamp.json")
        self.assertAsked("2.root.json", "timestamp.json")
        self.assertKept(root=1, timestamp=2, snapshot=2, targets=1)

    def test_the_version_held_is_kept_whatever_the_new_one_says(self):
        held = (self.metadata / "timestamp.json").read_bytes()
        self.repo.content["timestamp"]["meta"]["snapshot.json"]["version"] = 7
        self.repo.serve("timestamp", self.repo.sign("timestamp"))
        self.assertAccepted(self.refresh())
        self.assertAsked("2.root.json", "timestamp.json")
        self.assertEqual((self.metadata / "timestamp.json").read_bytes(), held)

    def test_one_that_lists_an_older_snapshot_is_refused_and_not_kept(self):
        self.repo.content["snapshot"]["version"] = 0
        self.repo.publish("snapshot", "timestamp")
        self.assertRefused(self.refresh(), "snapshot.json")
        self.assertKept(root=1, timestamp=2, snapshot=2, targets=1)

    def test_an_expired_local_one_still_refuses_a_rollback(self):
        late, _ = days_ahead(40)
        _, expires = days_ahead(20)
        self.repo.content["timestamp"]["expires"] = expires
        self.repo.publish("timestamp")
        self.assertAccepted(self.refresh())
        self.repo.content["timestamp"].update(version=1, expires="2049-01-01T00:00:00Z")
        self.repo.publish("timestamp")
        self.assertRefused(self.refresh(at=late), "timestamp.json: version 2 is older than 3")
        self.repo.publish("timestamp", "timestamp")
        self.assertAccepted(self.refresh(at=late))

    def test_rotated_keys_recover_from_a_version_that_ran_ahead(self):
        self.repo.content["timestamp"]["version"] = 99
        self.repo.publish("timestamp")
        self.refresh()
        self.assertKept(root=1, timestamp=100, snapshot=2, targets=1)
        self.repo.rotate("timestamp")
        self.repo.content["timestamp"]["version"] = 0
        self.repo.publish("root", "timestamp")
        self.assertAccepted(self.refresh())
        self.assertKept(root=2, timestamp=1, snapshot=2, targets=1)


class Snapshot(TufCase):
    def setUp(self):
        super().setUp()
        self.init()
        self.repo.delegate("targets", "web")
        self.repo.publish_all()
        self.refresh()

    def test_no_role_may_vanish_or_fall_back(self):
        listed = self.repo.content["snapshot"]["meta"]
        for meta in ({"targets.json": listed["targets.json"]}, {**listed, "targets.json": {"version": 1}}):
            with self.subTest(meta=meta):
                self.repo.content["snapshot"]["meta"] = meta
                self.repo.publish("snapshot", "timestamp")
                self.assertRefused(self.refresh(), "snapshot.json")
                self.assertKept("timestamp", root=1, snapshot=2, targets=2)

    def test_an_expired_local_one_still_refuses_a_rollback(self):
        late, _ = days_ahead(40)
        self.repo.content["snapshot"]["expires"] = days_ahead(20)[1]
        self.repo.publish("snapshot", "timestamp")
        self.assertAccepted(self.refresh())
        self.repo.content["snapshot"]["expires"] = "2049-01-01T00:00:00Z"
        self.repo.content["snapshot"]["meta"]["targets.json"] = {"version": 1}
        self.repo.publish("snapshot", "timestamp")
        self.assertRefused(self.refresh(at=late), "targets.json")

    def test_rotated_keys_recover_and_may_take_roles_away(self):
        self.repo.content["snapshot"]["version"] = 99
        self.repo.content["targets"]["version"] = 99
        self.repo.publish("targets", "snapshot", "timestamp")
        self.assertAccepted(self.refresh())
        self.repo.rotate("snapshot")
        self.repo.rotate("timestamp")
        for role in ("snapshot", "targets"):
            self.repo.content[role]["version"] = 0
        del self.repo.content["snapshot"]["meta"]["web.json"]
        self.repo.publish("root", "targets", "snapshot", "timestamp")
        self.assertAccepted(self.refresh())
        self.assertKept(root=2, timestamp=4, snapshot=1, targets=1)

    def test_a_rotated_snapshot_key_alone_is_enough(self):
        self.repo.content["snapshot"]["version"] = 99
        self.repo.publish("snapshot", "timestamp")
        self.assertAccepted(self.refresh())
        self.repo.rotate("snapshot")
        self.repo.content["snapshot"]["version"] = 0
        self.repo.publish("root", "snapshot", "timestamp")
        self.assertAccepted(self.refresh())
        self.assertKept(root=2, timestamp=4, snapshot=1, targets=2)

    def test_the_local_one_is_not_held_against_new_hashes(self):
        self.repo.publish("timestamp")
        self.repo.meta("snapshot").update(length=3, hashes={"sha256": "0" * 64})
        self.repo.publish("timestamp")
        self.assertAccepted(self.refresh())
        self.assertAsked("2.root.json", "timestamp.json")

    def test_the_local_one_is_the_base_even_where_hashes_are_listed(self):
        self.repo.content["snapshot"]["meta"]["targets.json"] = {"version": 1}
        self.repo.publish("snapshot")
        data = self.repo.served("snapshot")
        self.repo.meta("snapshot").update(length=len(data), hashes={"sha256": hashlib.sha256(data).hexdigest()})
        self.repo.publish("timestamp")
        self.assertRefused(self.refresh(), "targets.json")

    def test_it_must_be_of_the_version_that_timestamp_lists(self):
        self.repo.publish("snapshot", "timestamp")
        self.repo.files["3.snapshot.json"] = self.repo.files["2.snapshot.json"]
        self.assertRefused(self.refresh(), "snapshot.json")
        self.assertKept(root=1, timestamp=3, snapshot=2, targets=2)

    def test_it_may_list_roles_that_do_not_exist(self):
        self.repo.content["snapshot"]["meta"]["ghost.json"] = {"version": 7}
        self.repo.publish("snapshot", "timestamp")
        self.assertAccepted(self.refresh())


class Targets(TufCase):
    def test_there_is_no_rollback_check_against_the_local_file(self):
        self.init()
        self.repo.content["targets"]["version"] = 99
        self.repo.publish("targets", "snapshot", "timestamp")
        self.assertAccepted(self.refresh())
        (self.metadata / "snapshot.json").unlink()
        self.repo.content["targets"]["version"] = 4
        self.repo.publish("targets", "snapshot", "timestamp")
        self.assertAccepted(self.refresh())
        self.assertKept("timestamp", "snapshot", root=1, targets=5)

    def test_the_local_file_is_used_only_where_all_of_it_fits(self):
        self.init()
        self.refresh()
        file = self.metadata / "targets.json"
        for spoiled in (b"", file.read_bytes().replace(b"2049", b"2048"), Repository().files["1.targets.json"]):
            file.write_bytes(spoiled)
            self.assertAccepted(self.refresh())
            self.assertAsked("2.root.json", "timestamp.json", "1.targets.json")
        self.assertAccepted(self.refresh())
        self.assertAsked("2.root.json", "timestamp.json")

    def test_a_rotated_key_makes_the_local_file_useless(self):
        self.init()
        self.refresh()
        self.repo.rotate("targets")
        self.repo.publish("root")
        self.repo.serve("targets", self.repo.sign("targets"))
        self.assertAccepted(self.refresh())
        self.assertAsked("2.root.json", "3.root.json", "timestamp.json", "1.targets.json")

    def test_it_must_be_of_the_version_that_snapshot_lists(self):
        self.init()
        self.repo.publish("targets", "snapshot", "timestamp")
        self.repo.files["2.targets.json"] = self.repo.files["1.targets.json"]
        self.assertRefused(self.refresh(), "targets.json")
        self.assertKept("root", "timestamp", "snapshot")


class Listed(TufCase):
    """Lengths and hashes in `meta` are optional; where they stand, they hold."""

    def publish_with(self, role, listing):
        self.setUp()
        self.init()
        self.repo.publish(role)
        data = self.repo.served(role)
        self.repo.meta(role).update(listing(data))
        if role == "targets":
            self.repo.publish("snapshot")
        self.repo.publish("timestamp")

    def test_right_ones_are_accepted_and_wrong_ones_refused(self):
        right = [lambda data: {"length": len(data)}, lambda data: {"hashes": {"sha256": hashlib.sha256(data).hexdigest()}},
                 lambda data: {"length": len(data), "hashes": {"sha512": hashlib.sha512(data).hexdigest()}}]
        wrong = [lambda data: {"length": len(data) - 1}, lambda data: {"length": len(data) + 1}, lambda data: {"hashes": {"sha256": "0" * 64}},
                 lambda data: {"hashes": {"sha256": hashlib.sha256(data).hexdigest(), "sha512": "0" * 128}}]
        for role in ("snapshot", "targets"):
            for listing in right + wrong:
                with self.subTest(role=role, listing=listing(b"")):
                    self.publish_with(role, listing)
                    self.assertEqual(self.refresh() == 0, listing in right, self.said)

    def test_files_longer_than_allowed_are_refused(self):
        for role, limit in (("root", 512_000), ("timestamp", 16_384), ("snapshot", 2_000_000), ("targets", 5_000_000)):
            for size, right in ((limit, True), (limit + 1, False)):
                with self.subTest(role=role, size=size):
                    self.setUp()
                    self.init()
                    self.repo.publish("root", "targets", "snapshot", "timestamp")
                    self.repo.serve(role, self.repo.served(role).ljust(size))
                    self.assertEqual(self.refresh() == 0, right, self.said[:300])


class Time(TufCase):
    def test_every_role_expires(self):
        late, _ = days_ahead(18)
        early, _ = days_ahead(8)
        for role in ("root", "timestamp", "snapshot", "targets"):
            with self.subTest(role=role):
                self.setUp()
                self.init()
                self.repo.content[role]["expires"] = days_ahead(10)[1]
                self.repo.publish("root", "targets", "snapshot", "timestamp")
                self.assertAccepted(self.refresh(at=early))
                self.assertRefused(self.refresh(at=late), f"{role}.json", "expired")

    def test_the_very_second_of_expiry_is_too_late(self):
        self.init()
        self.repo.content["timestamp"]["expires"] = "2025-02-09T00:00:00Z"
        self.repo.publish("timestamp")
        self.assertAccepted(self.refresh(at="2025-02-08 23:59:40"))
        self.assertRefused(self.refresh(at="2025-02-09 00:00:00"), "expired")

    def test_a_local_role_that_expired_is_fetched_anew(self):
        self.init()
        self.repo.delegate("targets", "web")
        self.repo.content["web"]["expires"] = days_ahead(10)[1]
        self.repo.publish_all()
        self.download("none")
        self.assertRefused(self.download("none", at=days_ahead(18)[0]), "web.json", "expired")
        self.assertAsked("2.root.json", "timestamp.json", "1.web.json")


class Strangers(TufCase):
    def test_another_repository_is_not_believed(self):
        self.init()
        self.refresh()
        self.use(Repository())
        self.repo.publish("timestamp")
        self.assertRefused(self.refresh(), "timestamp.json")

    def test_keys_that_were_taken_away_count_no_more(self):
        for role in ("timestamp", "snapshot", "targets"):
            with self.subTest(role=role):
                self.setUp()
                self.init()
                old = self.repo.rotate(role)
                self.repo.publish("root", "targets", "snapshot", "timestamp")
                self.repo.serve(role, self.repo.sign(role, old))
                self.assertRefused(self.refresh(), f"{role}.json")

    def test_a_key_of_another_role_does_not_count(self):
        self.init()
        self.repo.publish("targets", "snapshot", "timestamp")
        self.repo.serve("snapshot", self.repo.sign("snapshot", self.repo.signers["timestamp"] + [Key()]))
        self.assertRefused(self.refresh(), "snapshot.json")


if __name__ == "__main__":
    unittest.main()
