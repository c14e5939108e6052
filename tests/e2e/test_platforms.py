"""One release with a build for each platform: a node takes its own, fetches nothing of another, and refuses a release without one."""
import os
import platform
import unittest

from lib import sample_apps
from lib.case import BerthCase
from lib.web import RepositoryServer

MACHINES = {"linux/amd64": 62, "linux/arm64": 183}  # e_machine: EM_X86_64, EM_AARCH64
OWN = {"x86_64": "linux/amd64", "aarch64": "linux/arm64"}[platform.machine()]
OTHER = next(one for one in MACHINES if one != OWN)


class Platforms(BerthCase):
    def setUp(self):
        super().setUp()
        self.server = RepositoryServer(self.repo.folder)
        self.addCleanup(self.server.close)
        self.node = self.make_node(repository=self.server.url).start()

    def build(self, of, note):
        """A build for a platform; its digest. That of the other one has the header of a program that this machine cannot run."""
        tree = sample_apps.testapp(self.folder / "site", note=f"{note} for {of}")
        program = tree.folder / "bin" / "testapp"
        head = bytearray(program.read_bytes())
        head[18:20] = MACHINES[of].to_bytes(2, "little")
        program.write_bytes(head)
        tree.put("ballast", os.urandom(200_000 if of == OWN else 700_000))
        return self.repo.build(tree)

    def release(self, *builds):
        return self.repo.release("web", "production", *(word for build in builds for word in ("--build", build)))

    def builds_of(self, release):
        return self.repo.berth("inspect", f"web/production@{release}", "--repo", self.repo.folder, "--json").json()["builds"]

    def sent(self, blob):
        """Bytes of a blob, heads of answers included, that the server has sent; 0: nobody asked for it."""
        return sum(one.sent for one in self.server.exchanges if one.path == f"/blobs/sha256/{blob['sha256']}")

    def test_a_node_deploys_the_build_of_its_own_platform_and_fetches_no_other(self):
        release = self.release(self.build(OTHER, "one"), self.build(OWN, "one"))
        builds = self.builds_of(release)
        self.assertEqual(sorted(builds), sorted(MACHINES))
        self.deploy(self.node, release)
        self.assertServes(release)
        self.assertEqual((self.node.slot(release) / "app" / "NOTE").read_text(), f"one for {OWN}")

        own, other = builds[OWN]["layer"], builds[OTHER]["layer"]
        self.assertGreater(other["blob"]["size"], own["blob"]["size"] + 400_000)
        for part in ("blob", "index"):
            self.assertEqual(self.sent(other[part]), 0, "nothing of the other platform's")
            self.assertGreaterEqual(self.sent(own[part]), own[part]["size"])
        everything = sum(one.sent for one in self.server.exchanges)
        self.progress(f"{everything} bytes for a layer of {own['blob']['size']}, beside one of {other['blob']['size']} for {OTHER}")
        self.assertLess(everything, own["blob"]["size"] + own["index"]["size"] + 60_000, "the layer, and what leads to it")

    def test_a_new_build_of_another_platform_alone_fetches_no_layer(self):
        own = self.build(OWN, "one")
        first = self.release(self.build(OTHER, "one"), own)
        self.deploy(self.node, first)
        second = self.release(self.build(OTHER, "two"), own)
        fetched = len(self.server.exchanges)
        self.deploy(self.node, second)
        self.assertServes(second)
        blobs = {one.path.rsplit("/", 1)[1] for one in self.server.exchanges[fetched:] if one.path.startswith("/blobs/")}
        layer = self.builds_of(second)[OWN]["layer"]
        self.assertNotIn(layer["blob"]["sha256"], blobs, "its files are here already")
        self.assertFalse(blobs & {self.builds_of(second)[OTHER]["layer"][part]["sha256"] for part in ("blob", "index")})

    def test_a_release_without_this_platform_is_refused_and_says_what_there_is(self):
        first = self.release(self.build(OWN, "one"))
        self.deploy(self.node, first)
        second = self.release(self.build(OTHER, "two"))
        fetched = len(self.server.exchanges)
        with self.refused(self.node):
            done = self.node.berth("deploy", f"web@{second}", expect=4)
            self.assertSays(done, f"web@{second}", OWN, OTHER)
        self.assertServes(first)
        self.assertEqual([one.path for one in self.server.exchanges[fetched:] if one.path.startswith("/blobs/")], [])

    def test_one_build_for_each_platform_and_no_more(self):
        one, two = self.build(OWN, "one"), self.build(OWN, "two")
        if not (self.repo.environments / "production").is_dir():
            self.repo.configure("production")
        done = self.repo.berth("release", "web", "--env", "production", "--repo", self.repo.folder, "--environments", self.repo.environments, "--build", one,
                               "--build", two, expect=2)
        self.assertSays(done, OWN)


if __name__ == "__main__":
    unittest.main(verbosity=2)
