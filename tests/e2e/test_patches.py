"""A release that comes as a patch of the one before: a fraction of the bytes, the same tree, and the layer after all where something is amiss."""
import json
import random
import tarfile
import unittest

from lib import sample_apps
from lib.case import BerthCase
from lib.web import RepositoryServer


class Patches(BerthCase):
    def setUp(self):
        super().setUp()
        self.server = RepositoryServer(self.repo.folder)
        self.addCleanup(self.server.close)

    def publish(self, number, **options):
        """A release of some files that hardly compress, of which one line of one file is new."""
        tree = sample_apps.testapp(self.folder / "site", note=f"build {number}", **options)
        for name in ("one", "two"):
            text = random.Random(name).randbytes(150_000).hex()
            tree.put(f"share/{name}", text if name == "one" else text[:100_000] + f" build {number} " + text[100_000:])
        release = self.repo.publish(tree, files={"settings": f"n={number}\n"})
        return release, json.loads(next((self.repo.folder / "targets/web/production").glob(f"*.{release}.json")).read_text())

    @staticmethod
    def build_of(manifest):
        (build,) = manifest["builds"].values()
        return build

    def blobs_asked(self):
        """SHA-256 → bytes that were sent of it."""
        sent = {}
        for one in self.server.exchanges:
            if "/blobs/sha256/" in one.path:
                name = one.path.rsplit("/", 1)[1]
                sent[name] = sent.get(name, 0) + one.sent
        return sent

    def sealed(self, node, release):
        return next(event["data"] for event in reversed(node.events()) if event["kind"] == "slot.sealed" and event["data"]["release"] == release)

    def assertByLayer(self, node, build, *why):
        """v2 is there, from its layer, and the node says why."""
        self.assertServes("v2")
        told = self.sealed(node, "v2")
        self.assertNotIn("patched_from", told)
        self.assertEqual(told["fetched"]["layer"] > build["layer"]["blob"]["size"], True, told)  # and the configuration's
        for words in ("the layer is fetched instead of the patch", "from v1", *why):
            self.assertIn(words, told["notes"][0])
            self.assertIn(words, node.deployments()[0]["notes"][0])
            self.assertIn(words, node.log_file.read_text())
        node.berth("verify", "web", "--all")

    def two_releases(self):
        self.publish(1)
        node = self.make_node(repository=self.server.url).start()
        self.deploy(node, "v1")
        _release, manifest = self.publish(2)
        build = self.build_of(manifest)
        (patch,) = build["patches"]
        return node, manifest, build, patch

    def test_an_update_fetches_the_patch_and_nothing_of_the_layer(self):
        node, manifest, build, patch = self.two_releases()
        before = len(self.server.exchanges)
        self.deploy(node, "v2")
        self.assertServes("v2")
        self.server.exchanges = self.server.exchanges[before:]
        asked = self.blobs_asked()
        self.assertEqual(set(asked), {patch["blob"]["sha256"], manifest["config"]["blob"]["sha256"], manifest["config"]["index"]["sha256"]})
        self.assertLess(asked[patch["blob"]["sha256"]], patch["blob"]["size"] + 1000)
        self.assertLess(patch["blob"]["size"], build["layer"]["blob"]["size"] // 50)
        self.progress(f"a patch of {patch['blob']['size']} bytes in place of {build['layer']['blob']['size'] + build['layer']['index']['size']}")
        told = self.sealed(node, "v2")
        self.assertEqual((told["patched_from"], told["fetched"]["patch"]), ("v1", patch["blob"]["size"]))
        self.assertNotIn("notes", told)
        node.berth("verify", "web", "--all")
        self.assertIn(f'berth_fetched_bytes_total{{app="web",kind="patch"}} {patch["blob"]["size"]}\n', node.metrics())
        self.assertSays(node.berth("inspect", "web@v2"), "patch", f"from index {patch['from'][:12]}")
        node.berth("revert", "web")
        self.assertServes("v1")

    def test_a_chain_of_patches_and_a_node_that_missed_some(self):
        node, *_rest = self.two_releases()
        self.publish(3)
        _release, manifest = self.publish(4)
        self.assertEqual(len(self.build_of(manifest)["patches"]), 3)
        self.deploy(node, "v4")
        self.assertEqual(self.sealed(node, "v4")["patched_from"], "v1")
        self.publish(5)
        self.deploy(node, "v5")
        self.assertEqual(self.sealed(node, "v5")["patched_from"], "v4")
        node.berth("verify", "web", "--all")

    def test_a_base_that_drifted_falls_back_to_the_layer(self):
        node, _manifest, build, _patch = self.two_releases()
        with open(node.slot("v1") / "app/share/two", "r+b") as file:
            file.write(b"rotten")
        node.berth("deploy", "web@v2")
        self.assertServes("v2")
        self.assertByLayerBut(node, build, "share/two")

    def assertByLayerBut(self, node, build, *why):
        """v1 itself has drifted: only v2 is as it was sealed."""
        told = self.sealed(node, "v2")
        self.assertNotIn("patched_from", told)
        self.assertIn(why[0], told["notes"][0])
        self.assertGreater(told["fetched"]["layer"], build["layer"]["blob"]["size"])
        node.berth("verify", "web@v2")

    def test_a_patch_that_is_damaged_on_the_server_falls_back_to_the_layer(self):
        node, _manifest, build, patch = self.two_releases()
        blob = self.repo.folder / "blobs/sha256" / patch["blob"]["sha256"]
        bytes_of_it = bytearray(blob.read_bytes())
        bytes_of_it[len(bytes_of_it) // 2] ^= 1
        blob.chmod(0o644)
        blob.write_bytes(bytes_of_it)
        self.deploy(node, "v2")
        self.assertByLayer(node, build, "not what was signed for")
        self.assertSays(self.repo.berth("repo", "verify", self.repo.folder, expect=4), patch["blob"]["sha256"])

    def test_a_patch_that_is_not_there_falls_back_to_the_layer(self):
        node, _manifest, build, patch = self.two_releases()
        self.server.faults = {patch["blob"]["sha256"]: 404}
        self.deploy(node, "v2")
        self.assertByLayer(node, build, "404")

    def test_a_fetch_of_a_patch_that_breaks_off_goes_on(self):
        node, _manifest, _build, patch = self.two_releases()
        self.server.faults = {patch["blob"]["sha256"]: ("stop", patch["blob"]["size"] // 2)}
        self.deploy(node, "v2")
        self.assertEqual(self.sealed(node, "v2")["patched_from"], "v1")

    def test_a_release_file_has_no_patches_and_deploys(self):
        node, manifest, _build, patch = self.two_releases()
        file = self.folder / "web-v2.berth"
        self.repo.berth("export", "web/production@v2", "--repo", self.repo.folder, "-o", file)
        with tarfile.open(file) as tar:
            names = tar.getnames()
        self.assertIn(f"blobs/sha256/{manifest['config']['blob']['sha256']}", names)
        self.assertNotIn(f"blobs/sha256/{patch['blob']['sha256']}", names)
        node.berth("deploy", file)
        self.assertServes("v2")
        self.assertNotIn("notes", self.sealed(node, "v2"))

    def test_the_publisher_says_how_many(self):
        self.publish(1)
        tree = self.folder / "site"
        (tree / "NOTE").write_text("another")
        self.repo.build(tree)
        release = self.repo.release("web", "production", "--no-patches")
        told = json.loads(next((self.repo.folder / "targets/web/production").glob(f"*.{release}.json")).read_text())
        self.assertNotIn("patches", self.build_of(told))
        for options in (("--patches", "99"), ("--patches", "1", "--no-patches"), ("--patch-effort", "some")):
            self.repo.berth("release", "web", "--env", "production", "--repo", self.repo.folder, "--environments", self.repo.environments, *options, expect=2)


if __name__ == "__main__":
    unittest.main(verbosity=2)
