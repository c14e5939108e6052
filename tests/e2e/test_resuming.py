"""A download that ended before its end: the next attempt goes on where it was, whatever ended the one before."""
import json
import random
import time
import unittest

from lib import sample_apps
from lib.case import BerthCase
from lib.waiting import wait_until
from lib.web import RepositoryServer

MIB = 1 << 20
MOST_TWICE = MIB
SIZE = 5 * MIB
SLOW = ("slow", 64 << 10)


class Resuming(BerthCase):
    def setUp(self):
        super().setUp()
        self.sent_before = 0
        self.serve()

    def serve(self):
        self.server = RepositoryServer(self.repo.folder)
        self.addCleanup(self.server.close)

    def publish(self, seed=1):
        """A release of something that does not compress, which is fetched slowly; returns its id."""
        tree = sample_apps.testapp(self.folder / "site", note=f"build {seed}", bake="200ms")
        tree.put("share/large", random.Random(seed).randbytes(SIZE))
        release = self.repo.publish(tree)
        manifest = json.loads(next((self.repo.folder / "targets/web/production").glob(f"*.{release}.json")).read_text())
        (build,) = manifest["builds"].values()
        self.blob = build["layer"]["blob"]
        self.server.faults = {self.blob["sha256"]: SLOW}
        return release

    def sent(self):
        """Bytes of the layer that any server gave."""
        return self.sent_before + sum(one.sent for one in self.server.exchanges if self.blob["sha256"] in one.path)

    def parts(self, node):
        folder = node.state / "partial"
        return {path.name: path.stat().st_size for path in folder.iterdir()} if folder.is_dir() else {}

    def begin(self, node, release, mib=2):
        """Deploys, until so many MiB are on the disk, and something more on its way."""
        deploying = node.spawn("deploy", f"web@{release}")
        self.addCleanup(deploying.communicate)
        self.addCleanup(deploying.kill)
        wait_until(lambda: self.parts(node).get(self.blob["sha256"], 0) >= mib * MIB and self.sent() % MIB > MIB // 4, "some of the layer is here", 60)
        return deploying

    def assertLittleTwice(self, node):
        """All came, and little of it twice."""
        asked = [span for path, span in self.server.asked if self.blob["sha256"] in path]
        self.assertRegex(asked[-1], r"^bytes=[1-9]\d*-$", "it went on")
        twice = self.sent() - self.blob["size"]
        self.progress(f"{self.blob['size']} bytes, {max(twice, 0)} of them twice")
        self.assertLessEqual(twice, MOST_TWICE)
        self.assertEqual(self.parts(node), {}, "what is whole is a slot's")
        node.berth("verify", "web", "--all")

    def test_goes_on_after_berthd_was_killed(self):
        node = self.make_node(repository=self.server.url).start()
        release = self.publish()
        self.begin(node, release)
        node.kill()
        self.server.faults = {}
        node.start()  # and the deployment goes on
        self.await_ends(node, release)
        self.assertLittleTwice(node)

    def await_ends(self, node, release):
        wait_until(lambda: node.active() == release and not node.app()["deployment"], f"{release} is active", 30)
        self.assertServes(release)

    def test_goes_on_after_an_attempt_that_failed(self):
        node = self.make_node(repository=self.server.url).start()
        release = self.publish()
        deploying = self.begin(node, release)
        self.server.close()  # in mid-body
        failed = node.end_of(deploying)
        self.assertSays(failed, self.blob["sha256"][:12], "nothing listens")
        self.assertIn(self.blob["sha256"], self.parts(node))
        self.sent_before = self.sent()
        self.serve()
        self.deploy(node, release)
        self.assertServes(release)
        self.assertLittleTwice(node)

    def test_a_server_that_comes_back_at_once_is_the_same_attempt(self):
        node = self.make_node(repository=self.server.url).start()
        release = self.publish()
        deploying = self.begin(node, release)
        self.server.close()
        self.sent_before = self.sent()
        self.serve()
        self.assertEqual(node.end_of(deploying).code, 0)
        self.assertServes(release)
        self.assertLittleTwice(node)
        self.assertEqual(len(node.deployments()), 1)

    def test_what_was_damaged_meanwhile_is_fetched_again(self):
        node = self.make_node(repository=self.server.url).start()
        release = self.publish()
        self.begin(node, release, mib=3)
        node.kill()
        part = node.state / "partial" / self.blob["sha256"]
        with open(part, "r+b") as file:
            file.seek(MIB + 7)
            file.write(b"damaged")
        self.server.faults = {}
        node.start()
        self.await_ends(node, release)
        asked = [span for path, span in self.server.asked if self.blob["sha256"] in path]
        self.assertEqual(asked, ["", f"bytes={MIB}-"], "what is before the damage is right")

    def test_the_rate_limit_is_for_all_fetches_together(self):
        each, rate = 1_000_000, 1_000_000
        node = self.make_node(repository=self.server.url)
        node.configure(node.config.read_text().replace("[metrics]", f'rate_limit = "{rate}B"\n[metrics]'))
        node.start()
        apps = ("web", "api", "admin")
        for number, app in enumerate(apps):
            tree = sample_apps.testapp(self.folder / app, app=app, port=8080 + number, bake="200ms")
            self.repo.publish(tree.put("share/large", random.Random(app).randbytes(each)))
        begun = time.monotonic()
        deploying = [node.spawn("deploy", f"{app}@v1") for app in apps]
        for one in deploying:
            self.assertEqual(node.end_of(one).code, 0)
        took = time.monotonic() - begun
        self.progress(f"{len(apps)} times {each} bytes at {rate} bytes a second took {took:.1f} s")
        self.assertGreater(took, len(apps) * each / rate)

    def test_gc_removes_what_nobody_fetches(self):
        node = self.make_node(repository=self.server.url).start()
        release = self.publish()
        deploying = self.begin(node, release)
        self.server.close()
        node.end_of(deploying)
        self.assertSays(node.berth("gc"), "1 download that broke off")
        self.assertEqual(self.parts(node), {})
        self.assertEqual([event["data"]["partial"] for event in node.events() if event["kind"] == "operator.gc"], [1])
        self.serve()
        self.server.faults = {self.blob["sha256"]: SLOW}
        self.begin(node, release)
        self.assertSays(node.berth("gc"), "nothing to remove")
        self.assertIn(self.blob["sha256"], self.parts(node), "it is being fetched")


if __name__ == "__main__":
    unittest.main(verbosity=2)
