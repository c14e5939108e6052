"""An id is one release's for ever: publishers give none to another one, and a node that has the one takes no other under its id."""
import shutil
import time
import unittest

from lib import sample_apps
from lib.case import BerthCase
from lib.keys import Keys
from lib.waiting import wait_until
from lib.web import RepositoryServer


class ReleaseIds(BerthCase):
    def setUp(self):
        super().setUp()
        self.keys = Keys(self.folder / "ci-keys")

    def site(self, note=""):
        return sample_apps.testapp(self.folder / "site", note=note)

    def repo_verb(self, verb, *arguments, expect=0):
        return self.repo.berth("repo", verb, self.repo.folder, *arguments, expect=expect)

    def ci_release(self, key, *more, expect=0, accept=True):
        """Releases the latest build with one key, and accepts that."""
        done = self.repo.berth("release", "web", "--env", "production", "--repo", self.repo.folder, "--environments", self.repo.environments, "--json",
                               "--keys", self.folder / "no-keys", "--key", self.keys.private(key), *more, expect=expect)
        if done.code == 0 and accept:
            self.repo_verb("accept")
        return done

    def delegate(self):
        self.keys.make("web")
        self.repo_verb("delegate", "web", "--key", self.keys.public("web"))
        self.repo.configure("production")
        self.repo.build(self.site())
        self.assertEqual([self.ci_release("web").json()["release"] for _ in range(2)], ["v1", "v2"])

    def test_the_highest_id_is_not_given_again_when_its_release_was_dropped(self):
        self.delegate()
        self.keys.make("next")
        self.repo_verb("delegate", "web", "--key", self.keys.public("next"))
        self.repo_verb("revoke", "web", "--key", self.keys.public("web"), "--force")
        self.repo_verb("refresh", "--role", "web", "--vouch", "--drop", "web/production/v2.json", "--key", self.keys.private("next"))
        self.repo_verb("accept")
        refused = self.ci_release("next", "--id", "v2", expect=8)
        self.assertSays(refused, "web/production@v2 was the id of a release that has been dropped", "the next one is v3")
        self.assertEqual(self.ci_release("next").json()["release"], "v3")
        listed = self.repo.berth("releases", "web", "--repo", self.repo.folder, "--json").json()["releases"]
        self.assertEqual(sorted(one["release"] for one in listed), ["v1", "v3"])

    def test_ids_of_a_revoked_role_are_not_given_again(self):
        self.delegate()
        self.repo_verb("revoke", "web")
        shutil.rmtree(self.repo.folder / "incoming")
        self.repo_verb("gc", "--grace", "0s", "--keep", "1")
        self.keys.make("next")
        self.repo_verb("delegate", "site", "--key", self.keys.public("next"), "--path", "web/*/*")
        self.assertEqual(self.ci_release("next").json()["release"], "v3")
        node = self.make_node().start()
        self.deploy(node, "v3")
        self.assertServes("v3")
        self.assertSays(self.deploy(node, "v2", expect=3), "no such release")

    def test_a_node_takes_no_other_release_under_the_id_of_one_that_it_has(self):
        self.repo.publish(self.site("one"))
        # Two copies of one repository, each of which makes its own v2.
        other = self.repo.copy_to(self.folder / "other")
        self.repo.publish(self.site("two"))
        node = self.make_node().start()
        self.deploy(node, "v1")
        self.deploy(node, "v2")
        other.publish(self.site("another two"))
        other.publish(self.site("three"))
        for _ in range(3):
            other.berth("repo", "refresh", other.folder)
        shutil.rmtree(self.repo.folder)
        self.deploy(node, "v1")
        self.deploy(node, "v2")  # nobody answers: what is on the node goes
        shutil.copytree(other.folder, self.repo.folder)

        self.deploy(node, "v3")
        pids = node.pids()
        refused = self.deploy(node, "v2", expect=4)
        self.assertSays(refused, "web@v2", "another release under this id", "than the one that is sealed on this node", "under a new id")
        self.assertServes("v3")
        self.assertEqual((node.pids(), node.active()), (pids, "v3"), "nothing was touched")
        self.assertIn('berth_trust_refusals_total{rule="content"} 1\n', node.metrics())
        node.berth("revert", "web")
        self.assertServes("v2")
        self.assertEqual((node.slot("v2") / "app/NOTE").read_text(), "two", "a revert goes to what ran here")
        self.assertSays(self.deploy(node, "v2", expect=4), "another release under this id")
        node.berth("deploy", "web@v3", "--force")

        file = self.folder / "two.berth"
        other.berth("export", "web/production@v2", "--repo", other.folder, "-o", file)
        self.assertSays(node.berth("deploy", file, expect=4), "web@v2", "another release under this id")
        with open(node.slot("v2") / "app/NOTE", "r+b") as note:
            note.write(b"XXX")
        self.assertSays(node.berth("revert", "web", expect=4), "could not be repaired", "another release under this id")
        self.assertServes("v3")
        self.assertEqual((node.slot("v2") / "app/NOTE").read_text(), "XXX", "no slot changes to another release")
        other.publish(self.site("four"))
        shutil.copytree(other.folder, self.repo.folder, dirs_exist_ok=True)
        self.deploy(node, "v4")
        self.assertServes("v4")

    def test_a_node_that_follows_tells_of_another_release_under_the_id_that_it_is_at(self):
        self.repo.publish(self.site("one"))
        other = self.repo.copy_to(self.folder / "other")
        for repo, note in ((self.repo, "two"), (other, "another two")):
            repo.publish(self.site(note))
            repo.point("stable", "v2")
        node = self.make_node(extra='[[follow]]\napp = "web"\nchannel = "stable"\ninterval = "1s"\n').start()
        node.wait_app(active="v2", deployment=None)
        for _ in range(2):
            other.berth("repo", "refresh", other.folder)
        shutil.copytree(other.folder, self.repo.folder, dirs_exist_ok=True)
        told = wait_until(lambda: [event for event in node.events() if event["kind"] == "follow.refused"], "it is told", 20)
        self.assertIn("another release under this id", told[0]["data"]["reason"])
        self.assertIn("another release under this id", node.status()["follows"][0]["last_error"])
        self.assertServes("v2")
        other.publish(self.site("three"))
        other.point("stable", "v3")
        shutil.copytree(other.folder, self.repo.folder, dirs_exist_ok=True)
        node.wait_app(active="v3", deployment=None)
        self.assertServes("v3")

    def test_a_repository_that_hangs_holds_up_no_release_that_is_on_the_node(self):
        self.repo.publish(self.site("one"))
        self.repo.publish(self.site("two"))
        server = RepositoryServer(self.repo.folder)
        self.addCleanup(server.close)
        node = self.make_node(repository=server.url).start()
        self.deploy(node, "v1")
        self.deploy(node, "v2")
        before = len(server.asked)
        server.faults["timestamp.json"] = "hang"
        asking = node.spawn("releases", "web")
        wait_until(lambda: any("timestamp.json" in path for path, _ in server.asked[before:]), "a refresh hangs")
        asked = len(server.asked)
        began = time.monotonic()
        self.deploy(node, "v1")
        self.assertLess(time.monotonic() - began, 10)
        self.assertIsNone(asking.poll(), "it hangs still")
        self.assertServes("v1")
        self.assertEqual(len(server.asked), asked, "nobody was asked")
        asking.kill()
        asking.communicate()


if __name__ == "__main__":
    unittest.main()
