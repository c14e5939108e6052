"""berth deploy --plan: what it says is what the deployment then does, and nothing of the app or the node changes for it."""
import json
import os
import random
import unittest

from lib import hooks, sample_apps
from lib.case import BerthCase
from lib.data import MIGRATE, SNAPSHOT
from lib.web import RepositoryServer

KINDS = ("layer", "patch", "index")


class Plan(BerthCase):
    def setUp(self):
        super().setUp()
        self.server = RepositoryServer(self.repo.folder)
        self.addCleanup(self.server.close)
        self.node = self.make_node(repository=self.server.url).start()

    def publish(self, number, files=None, **options):
        """A release of some files that hardly compress, of which one line of one file is new."""
        tree = sample_apps.testapp(self.folder / "site", note=f"build {number}", **options)
        text = random.Random("two").randbytes(150_000).hex()
        tree.put("share/one", random.Random("one").randbytes(150_000).hex())
        tree.put("share/two", text[:100_000] + f" build {number} " + text[100_000:])
        return self.repo.publish(tree, files=files or {"settings": "n=1\n"})

    def database(self):
        """What the node has written down, and when."""
        folder = self.node.state
        return {name: (folder / name).read_bytes() for name in ("events.log",)} | {"apps": sorted(str(path) for path in (folder / "apps").glob("*/*"))}

    def plan(self, release, *options, expect=0, app="web"):
        """The plan as JSON. Nothing changes, no deployment is written down, and no layer or patch is asked for."""
        before, asked, deployments = self.database(), len(self.server.exchanges), self.node.deployments(app)
        blobs = {path.name for path in (self.repo.folder / "blobs/sha256").iterdir()}
        with self.refused(self.node, app):
            plan = self.node.berth("deploy", f"{app}@{release}", "--plan", "--json", *options, expect=expect).json()
        self.assertEqual(self.database(), before)
        self.assertEqual(self.node.deployments(app), deployments)
        self.assertEqual(plan["exit"], expect)
        indexes = set()
        for path in (self.repo.folder / "targets" / app).rglob("*.json"):
            manifest = json.loads(path.read_text())
            if "builds" in manifest:
                indexes |= {manifest["config"]["index"]["sha256"]} | {build["layer"]["index"]["sha256"] for build in manifest["builds"].values()}
        for one in self.server.exchanges[asked:]:
            name = one.path.rsplit("/", 1)[1]
            self.assertFalse(name in blobs - indexes, one)
        return plan

    def text(self, release, *options, expect=0, app="web"):
        """What a person sees: a screen, no line of which says nothing."""
        done = self.node.berth("deploy", f"{app}@{release}", "--plan", *options, expect=expect)
        self.assertLess(len(done.text.splitlines()), 24, done)
        return done

    def fetched(self):
        """Bytes by kind, as the node counts them."""
        found = dict.fromkeys(KINDS, 0)
        for line in self.node.metrics().splitlines():
            for kind in KINDS:
                if line.startswith("berth_fetched_bytes_total{") and f'kind="{kind}"' in line:
                    found[kind] += int(float(line.split()[-1]))
        return found

    def deploy_as(self, plan, release, *options, expect=0):
        """The deployment fetches just what the plan says, and runs the hooks that it names in their order."""
        before, asked = self.fetched(), len(self.server.exchanges)
        self.deploy(self.node, release, "web", expect, *options)
        planned = dict.fromkeys(KINDS, 0)
        for blob in plan["fetch"]["blobs"]:
            planned[blob["kind"]] += blob["bytes"]
        now = self.fetched()
        self.assertEqual({kind: now[kind] - before[kind] for kind in KINDS}, planned)
        self.assertEqual(plan["fetch"]["bytes"], sum(planned.values()))
        self.assertEqual(self.node.deployments()[0]["progress"]["bytes_total"], plan["fetch"]["bytes"])
        names = {one.path.rsplit("/", 1)[1] for one in self.server.exchanges[asked:] if "/blobs/sha256/" in one.path}
        self.assertEqual(names, {blob["sha256"] for blob in plan["fetch"]["blobs"]})
        deployment = self.node.deployments()[0]
        self.assertEqual([(one["hook"], one["release"]) for one in deployment["hooks"]], [(one["hook"], one["release"]) for one in plan["hooks"]])
        return deployment

    def test_of_a_first_deployment(self):
        self.publish(1, instances=2)
        plan = self.plan("v1")
        self.assertEqual((plan["from"], plan["already"], plan["refusals"], plan["difference"]), ("", False, [], None))
        self.assertEqual([blob["kind"] for blob in plan["fetch"]["blobs"]], ["index", "layer"] * 2)
        self.assertEqual(plan["instances"], [{"process": "web", "before": 0, "after": 2}])
        self.assertEqual(plan["way"]["ports"], [{"process": "web", "port": 8080, "routing": "port"}])
        self.assertGreater(plan["disk"]["needed"], plan["fetch"]["bytes"])
        self.assertIsNone(self.node.app())  # it is not even known
        self.assertSays(self.text("v1"), "web@v1 would be the first release of web here", "blue-green", "web at 8080 by port", "web 2", "Nothing was changed")
        self.deploy_as(plan, "v1")
        self.assertServes("v1")
        self.assertTrue(self.plan("v1")["already"])
        self.assertSays(self.text("v1"), "is active already")

    def test_of_an_update_by_a_patch(self):
        self.publish(1)
        self.deploy(self.node, "v1")
        self.publish(2)
        plan = self.plan("v2")
        self.assertEqual([(blob["part"], blob["kind"], blob["from"]) for blob in plan["fetch"]["blobs"]], [("app", "patch", "v1")])
        difference = plan["difference"]
        self.assertEqual([difference[kind]["files"] for kind in ("added", "changed", "removed")], [0, 2, 0])
        self.assertEqual([one["name"] for one in difference["changes"] if one["what"] == "file"], ["NOTE", "share/two"])
        self.assertGreater(difference["changed"]["bytes"], 300_000)
        self.assertSays(self.text("v2"), "web@v2 would take the place of v1", "2 files (300", "~ share/two", "the patch from v1", "all new instances beside the old ones")
        self.deploy_as(plan, "v2")
        self.assertServes("v2")
        # It is on the node now, and so is v1: nothing is fetched to go there.
        back = self.plan("v1")
        self.assertEqual((back["fetch"]["from"], back["fetch"]["blobs"], back["disk"]["needed"]), ("node", [], 0))
        self.deploy_as(back, "v1")

    def test_of_a_base_that_drifted(self):
        self.publish(1)
        self.deploy(self.node, "v1")
        self.publish(2)
        with open(self.node.slot("v1") / "app/share/one", "r+b") as file:
            file.write(b"rotten")
        plan = self.plan("v2")
        self.assertEqual([blob["kind"] for blob in plan["fetch"]["blobs"] if blob["part"] == "app"], ["patch", "layer"])
        self.assertIn("the layer is fetched instead of the patch", plan["notes"][0])
        self.assertIn("share/one is not as it was sealed", plan["notes"][0])
        deployment = self.deploy_as(plan, "v2")
        self.assertEqual(deployment["notes"], plan["notes"])

    def test_of_the_active_release_that_drifted(self):
        self.publish(1)
        self.deploy(self.node, "v1")
        (self.node.slot("v1") / "app/NOTE").chmod(0o644)
        self.assertTrue(self.plan("v1", "--force")["already"])  # nobody has looked yet
        self.node.berth("verify", "web", expect=None)
        self.assertTrue(self.plan("v1")["already"])
        plan = self.plan("v1", "--force")
        self.assertIn("is not as it was sealed any more (app/NOTE: has mode", plan["notes"][0])
        self.assertEqual([blob["kind"] for blob in plan["fetch"]["blobs"]], ["layer"])
        self.assertTrue(plan["way"]["goes_on"])
        self.assertSays(self.text("v1", "--force"), "is active, and would be deployed once more", "its instances go on as they are")
        pids = self.node.pids()
        deployment = self.deploy_as(plan, "v1", "--force")
        self.assertEqual(self.node.pids(), pids)
        self.assertTrue(any("its instances go on as they are: 'berth restart web'" in note for note in deployment["notes"]), deployment["notes"])
        self.node.berth("restart", "web")
        again = self.deploy(self.node, "v1")
        self.assertSays(again, "is active already")
        self.assertNotIn("berth restart", again.text, "it was done")

    def test_of_a_new_configuration_alone(self):
        self.publish(1, more='[env.LEVEL]\ndefault = "info"\n')
        self.deploy(self.node, "v1")
        self.repo.configure(variables={"LEVEL": "debug"}, files={"settings": "n=2\n", "more": "x\n"})
        self.assertEqual(self.repo.release(), "v2")
        plan = self.plan("v2")
        self.assertEqual(plan["build"]["digest"], plan["build"]["from_digest"])
        changes = {(one["kind"], one["what"], one["name"]) for one in plan["difference"]["changes"]}
        self.assertEqual(changes, {("changed", "variable", "LEVEL"), ("changed", "configuration", "settings"), ("added", "configuration", "more")})
        self.assertNotIn("app", {blob["part"] for blob in plan["fetch"]["blobs"]})
        self.assertLess(plan["fetch"]["bytes"], 5000)
        self.assertSays(self.text("v2"), "the same", "~ variable LEVEL: info -> debug", "+ configuration more", "the configuration's layer")
        self.deploy_as(plan, "v2")

    def test_of_recreate_with_a_copy_of_the_data(self):
        def publish(number, scripts, data):
            self.repo.publish(hooks.app(self.folder / "site", scripts, strategy="recreate", bake="200ms", note=str(number), data=data))
        publish(1, {"pre-stop": "true"}, "")
        self.deploy(self.node, "v1")
        (self.node.data() / "table").write_text("x" * 100_000)
        os.chown(self.node.data() / "table", *[os.stat(self.node.data()).st_uid] * 2)
        scripts = {"pre-start": MIGRATE, "post-start": "true", "post-switch": "true", "ready-to-switch": "true", "on-revert": "true"}
        publish(2, scripts, SNAPSHOT)
        plan = self.plan("v2")
        self.assertTrue(plan["way"]["stops_first"])
        self.assertTrue(plan["data"]["snapshot"] and plan["data"]["revert_sets_aside"] and plan["on_revert"])
        self.assertFalse(plan["data"]["migration_stays"])
        self.assertEqual([one["hook"] for one in plan["hooks"]], ["ready-to-switch", "pre-stop", "pre-start", "post-start", "post-switch"])
        self.assertSays(self.text("v2"), "the old instances are stopped first", "copied before", "sets aside what was written since", "pre-stop of v1 (5m), then pre-start (5m)")
        self.deploy_as(plan, "v2")
        (copied,) = [event["data"] for event in self.node.events() if event["kind"] == "data.copied"]
        self.assertEqual(copied["method"], plan["data"]["method"])
        self.assertEqual(self.text("v1").code, 0)

    def test_of_a_migration_that_a_revert_does_not_undo(self):
        self.repo.publish(hooks.app(self.folder / "site", {"pre-stop": "true"}, note="1"))
        self.deploy(self.node, "v1")
        scripts = {"pre-start": "true", "post-start": "true", "post-switch": "true", "ready-to-switch": "true"}
        self.repo.publish(hooks.app(self.folder / "site", scripts, note="2"))
        plan = self.plan("v2")
        self.assertTrue(plan["data"]["migration_stays"])
        self.assertSays(self.text("v2"), "what the pre-start hook does to them is not undone by a revert")
        self.deploy_as(plan, "v2")

    def test_beside_a_deployment_that_is_under_way(self):
        self.publish(1)
        self.deploy(self.node, "v1")
        self.publish(2, bake="60s")
        self.deploy(self.node, "v2", "web", 0, "--until", "switched")
        baking = self.node.deployments()[0]["id"]
        self.assertEqual(self.plan("v2")["same"], {"id": baking, "release": "v2", "state": "baking", "gives_way": False})
        self.assertSays(self.text("v2"), f"deployment {baking} of it is baking already")
        self.publish(3)
        plan = self.plan("v3")
        self.assertEqual(plan["others"], [{"id": baking, "release": "v2", "state": "baking", "gives_way": True}])
        self.assertEqual(plan["from"], "v2")
        self.assertSays(self.text("v3"), f"deployment {baking} of v2 is baking: it gives way")
        self.deploy_as(plan, "v3")
        self.assertEqual([one["state"] for one in self.node.deployments()[:2]], ["active", "superseded"])

    def test_of_what_would_be_refused(self):
        self.publish(1)
        self.deploy(self.node, "v1")
        self.publish(2)
        self.node.berth("mark", "web@v2", "bad", "--reason", "too slow")
        plan = self.plan("v2", expect=8)
        self.assertTrue(plan["forcible"])
        self.assertIn("rejected on this node", plan["refusals"][0]["detail"])
        self.assertEqual([blob["kind"] for blob in plan["fetch"]["blobs"]], ["patch"])  # what it would be with --force
        self.assertSays(self.text("v2", expect=8), "it would be refused: web@v2 is rejected", "too slow", "the patch from v1")
        self.assertEqual(self.plan("v2", "--force")["refusals"], [])
        self.assertEqual(self.deploy(self.node, "v2", "web", 8).code, plan["exit"])

        self.node.berth("hold", "web", "--reason", "an audit")
        self.publish(3)
        self.assertSays(self.text("v3", expect=8), "it would be refused: web is held", "an audit")
        self.assertIn("stays so", self.plan("v3", "--force")["notes"][0])
        self.node.berth("resume", "web")

        unknown = self.plan("v9", expect=3)
        self.assertNotIn("build", unknown)
        self.assertSays(self.text("v9", expect=3), "no such release", "berth releases web")
        self.assertSays(self.text("v1", "--env", "qa", expect=2), "this node is production")
        self.assertSays(self.text("v1", expect=3, app="shop"), "no such release")
        self.assertSays(self.node.berth("deploy", "./web-v3.berth", "--plan", expect=2), "berth import")
        self.server.faults = {"timestamp.json": 500}
        self.assertEqual(self.text("v3", expect=None).code, self.deploy(self.node, "v3", "web", None).code)

    def test_of_an_app_that_a_revert_holds_says_one_thing(self):
        for number in (1, 2):
            self.publish(number)
            self.deploy(self.node, f"v{number}")
        self.publish(3)
        self.deploy(self.node, "v3")
        self.node.berth("revert", "web", "--to", "v1")
        plan = self.plan("v2", expect=8)
        self.assertIn("was active here before", plan["refusals"][0]["detail"])
        self.assertEqual(plan["notes"], [])
        self.publish(4)
        plan = self.plan("v4")
        self.assertEqual((plan["refusals"], len(plan["notes"])), ([], 1))
        self.assertIn("a newer release, as this one, ends that", plan["notes"][0])

    def test_of_what_is_not_to_be_believed_and_of_a_secret_that_is_missing(self):
        tree = sample_apps.testapp(self.folder / "site", more="[env.TOKEN]\nsecret = true\nrequired = true\n")
        self.repo.publish(tree, secrets={"TOKEN": f"file:{self.folder}/token"})
        plan = self.plan("v1", expect=1)
        self.assertIn("secret TOKEN", plan["refusals"][0]["detail"])
        self.assertEqual(self.deploy(self.node, "v1", "web", 1).code, plan["exit"])
        (self.folder / "token").write_text("s3cret")
        (self.folder / "token").chmod(0o600)
        self.assertEqual(self.plan("v1")["refusals"], [])
        self.repo.publish(tree.put("NOTE", "2"), secrets={"TOKEN": f"file:{self.folder}/token"})
        manifest = next((self.repo.folder / "targets/web/production").glob("*.v2.json"))
        manifest.write_text(manifest.read_text().replace("web", "wab"))
        plan = self.plan("v2", expect=4)
        self.assertEqual(plan["refusals"][0]["code"], "trust")
        self.deploy(self.node, "v2", "web", 4)

    def test_of_a_disk_that_is_too_small(self):
        full = self.node = self.make_node("full", repository=self.server.url, reserve="900TB", metrics_port=9465).start()
        self.publish(1)
        plan = self.plan("v1", expect=1)
        self.assertEqual(plan["refusals"][0]["code"], "no_space")
        self.assertGreater(plan["disk"]["reserve"], plan["disk"]["free"])
        self.assertSays(self.text("v1", expect=1), "it would be refused: web/production@v1: too little disk space", "must stay free")
        done = self.deploy(full, "v1", "web", 1)
        self.assertSays(done, "too little disk space")


if __name__ == "__main__":
    unittest.main()
