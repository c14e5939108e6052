"""Looking a target up through delegated roles (TUF 1.0.33, 5.6.7)."""
import hashlib
import unittest

from tuf.case import TufCase
from tuf.keys import Key


class Search(TufCase):
    """A delegation is written "source>role", or "source!role" where it is terminating."""

    def build(self, *edges):
        self.setUp()
        for edge in edges:
            terminating = "!" in edge
            source, _, role = edge.partition("!" if terminating else ">")
            self.repo.delegate(source, role, terminating=terminating)
        self.repo.publish_all()
        self.init()

    def assertVisited(self, *roles, target="none"):
        self.assertRefused(self.download(target))
        self.assertEqual(self.server.requests[4:], [f"1.{role}.json" for role in roles])

    def test_roles_are_visited_depth_first_in_the_order_listed(self):
        self.build("targets>a", "targets>b", "a>c", "a>d", "b>e")
        self.assertVisited("a", "c", "d", "b", "e")

    def test_each_role_is_visited_once_in_cycles_and_diamonds(self):
        self.build("targets>a", "targets>b", "a>c", "b>c", "c>a", "c>c")
        self.assertVisited("a", "c", "b")

    def test_after_a_terminating_delegation_only_its_own_descendants_are_visited(self):
        self.build("targets>a", "targets>z", "a>before", "a!b", "a>after", "b>c")
        self.assertVisited("a", "before", "b", "c")

    def test_a_terminating_delegation_of_other_paths_ends_nothing(self):
        self.build("targets>a")
        self.repo.content["targets"]["delegations"]["roles"].clear()
        self.repo.delegate("targets", "a", ["other/*"], terminating=True)
        self.repo.delegate("targets", "b")
        self.repo.publish_all()
        self.assertVisited("b")

    def test_a_roles_own_targets_come_before_those_of_its_delegations(self):
        self.build("targets>a", "a>b")
        self.repo.add("x", b"of b", role="b")
        self.repo.add("x", b"of a", role="a")
        self.repo.publish_all()
        self.assertAccepted(self.download("x"))
        self.assertStored(b"of a")
        self.assertNotIn("2.b.json", self.server.requests)

    def test_at_most_thirty_two_delegated_roles_are_visited(self):
        self.build(*(f"{'targets' if number == 1 else f'r{number - 1}'}>r{number}" for number in range(1, 35)))
        self.repo.add("within", b"within", role="r32")
        self.repo.add("beyond", b"beyond", role="r33")
        self.repo.publish_all()
        self.assertAccepted(self.download("within"))
        self.assertRefused(self.download("beyond"))
        self.assertNotIn("r33.json", [entry.name for entry in self.metadata.iterdir()])

    def test_a_role_that_snapshot_does_not_list_is_not_asked_for(self):
        self.build("targets>a")
        del self.repo.content["snapshot"]["meta"]["a.json"]
        self.repo.publish("snapshot", "timestamp")
        self.assertAccepted(self.refresh())
        self.assertRefused(self.download("x"), "'a'")
        self.assertAsked("2.root.json", "timestamp.json")

    def test_each_delegated_role_is_fetched_once_and_then_from_disk(self):
        self.build("targets>a")
        self.repo.add("x", b"x", role="a")
        self.repo.publish_all()
        self.assertAccepted(self.download("x", "x"))
        self.assertEqual([path for path in self.server.requests if path.endswith("a.json")], ["2.a.json"])
        self.assertAccepted(self.download("x"))
        self.assertAsked("2.root.json", "timestamp.json")

    def test_an_expired_or_outdated_or_forged_delegated_role_ends_the_search(self):
        def expire():
            self.repo.content["a"]["expires"] = "2001-01-01T00:00:00Z"

        def forge():
            self.repo.signers["a"] = [Key()]

        def nothing():
            pass

        for name, spoil in (("expired", expire), ("forged", forge), ("outdated", nothing)):
            with self.subTest(name):
                self.build("targets>a", "targets>b")
                self.repo.add("x", b"x", role="b")
                spoil()
                self.repo.publish_all()
                if name == "outdated":
                    self.repo.files["2.a.json"] = self.repo.files["1.a.json"]
                self.assertRefused(self.download("x"), "a.json")
                self.assertNotIn("2.b.json", self.server.requests)
                self.assertKept("root", "timestamp", "snapshot", "targets")


class Paths(TufCase):
    def found(self, name):
        return self.download(name) == 0

    def test_patterns_match_segment_by_segment_and_mind_case(self):
        cases = {"*": ("README", "a.b"), "*.md": ("README.md",), "foo-?.tgz": ("foo-1.tgz",), "releases/*/*": ("releases/x/1", "releases/.y/2"),
                 "a/**": ("a/b",), "ab[0-9]": ("ab1",)}
        others = {"*": ("a/b",), "*.md": ("README.MD", "dir/README.md"), "foo-?.tgz": ("foo-12.tgz", "foo-.tgz", "foo-/.tgz"),
                  "releases/*/*": ("releases/x", "releases/x/y/z", "Releases/x/1"), "a/**": ("a/b/c",), "ab[0-9]": ("abc",)}
        for pattern in cases:
            with self.subTest(pattern=pattern):
                self.setUp()
                self.repo.delegate("targets", "web", [pattern])
                for name in cases[pattern] + others[pattern]:
                    self.repo.add(name, b"x", role="web")
                self.repo.publish_all()
                self.init()
                self.assertEqual([name for name in cases[pattern] if not self.found(name)], [])
                self.assertEqual([name for name in others[pattern] if self.found(name)], [])

    def test_every_delegation_on_the_way_must_match(self):
        self.repo.delegate("targets", "a", ["x/*"])
        self.repo.delegate("a", "b", ["*/*"])
        for name in ("x/1", "y/1"):
            self.repo.add(name, b"x", role="b")
        self.repo.publish_all()
        self.init()
        self.assertRefused(self.download("y/1"))
        self.assertEqual(self.server.requests[4:], [])
        self.assertAccepted(self.download("x/1"))

    def test_a_delegation_may_go_by_prefixes_of_the_names_digest(self):
        digest = hashlib.sha256(b"any/where/x").hexdigest()
        other = "0" if digest[0] != "0" else "1"
        for prefixes, found in (([other, digest[:3]], True), ([digest], True), ([other], False), ([digest[:2] + other * 70], False)):
            with self.subTest(prefixes=prefixes):
                self.setUp()
                self.repo.delegate("targets", "bin", path_hash_prefixes=prefixes)
                self.repo.add("any/where/x", b"x", role="bin")
                self.repo.publish_all()
                self.init()
                self.assertEqual(self.found("any/where/x"), found)


class Delegators(TufCase):
    """parent-a and parent-b both delegate `release`, with different keys; it is signed with a's alone."""

    def setUp(self):
        super().setUp()
        for team in ("a", "b"):
            self.repo.delegate("targets", f"parent-{team}", [f"{team}/*"])
            self.repo.delegate(f"parent-{team}", "release", [f"{team}/*"])
            self.repo.add(f"{team}/x", team.encode(), role="release")
        self.repo.signers["release"].pop()
        self.repo.publish_all()
        self.init()

    def test_a_role_held_in_memory_is_verified_with_the_present_delegators_keys(self):
        self.assertRefused(self.download("a/x", "b/x"), "release.json")
        self.assertStored(b"a")

    def test_so_is_one_that_lies_on_disk(self):
        self.assertAccepted(self.download("a/x"))
        self.assertRefused(self.download("b/x"), "release.json")
        self.assertStored(b"a")
        self.assertAccepted(self.download("a/x"))

    def test_a_role_that_both_keys_signed_is_found_through_both(self):
        keys = {role["keyids"][0] for team in "ab" for role in self.repo.content[f"parent-{team}"]["delegations"]["roles"]}
        self.assertEqual(len(keys), 2)
        both = Key()
        for team in "ab":
            self.repo.content[f"parent-{team}"]["delegations"] = {"keys": {}, "roles": []}
            self.repo.signers["release"] = []
            self.repo.delegate(f"parent-{team}", "release", [f"{team}/*"], key=both)
        self.repo.publish_all()
        self.assertAccepted(self.download("a/x", "b/x"))
        self.assertStored(b"a", b"b")


if __name__ == "__main__":
    unittest.main()
