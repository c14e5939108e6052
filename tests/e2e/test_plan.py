"""berth deploy --plan and berth revert --plan: what they say is what the deployment then does, and nothing of the app or the node changes for it."""
import json
import os
import random
import unittest

from lib import hooks, sample_apps
from lib.case import BerthCase
from lib.data import MIGRATE, SNAPSHOT
from lib.waiting import wait_until
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

    def plan_back(self, *options, expect=0):
        """The plan of a revert as JSON. Nothing changes, and nothing is asked of the repository's blobs."""
        before, asked, deployments, status = self.database(), len(self.server.exchanges), self.node.deployments(), self.node.app()
        with self.refused(self.node, "web"):
            plan = self.node.berth("revert", "web", "--plan", "--json", *options, expect=expect).json()
        self.assertEqual(self.database(), before)
        self.assertEqual(self.node.deployments(), deployments)
        self.assertEqual([self.node.app()[name] for name in ("active", "held", "instances")], [status[name] for name in ("active", "held", "instances")])
        self.assertEqual([one.path for one in self.server.exchanges[asked:] if "/blobs/" in one.path], [])
        self.assertEqual((plan["exit"], plan["kind"]), (expect, "revert"))
        return plan

    def text_back(self, *options, expect=0):
        done = self.node.berth("revert", "web", "--plan", *options, expect=expect)
        self.assertLess(len(done.text.splitlines()), 24, done)
        return done

    def revert_as(self, plan, *options):
        """The revert goes to the release that the plan names, and runs its hooks in their order."""
        fetched = self.fetched()
        done = self.node.berth("revert", "web", *options)
        self.assertEqual(done.code, plan["exit"])
        now, reverted = self.fetched(), self.node.deployments()[0]
        self.assertEqual((reverted["kind"], reverted["state"], reverted["release"], reverted["from"]), ("revert", "active", plan["release"], plan["from"]))
        self.assertEqual([(one["hook"], one["release"]) for one in reverted["hooks"]], [(one["hook"], one["release"]) for one in plan["hooks"]])
        self.assertEqual(sum(now.values()) - sum(fetched.values()), plan["fetch"]["bytes"])
        return reverted

    def test_of_a_revert(self):
        scripts = {name: "true" for name in hooks.NAMES}
        for number, level, count in ((1, "info", 1), (2, "debug", 2)):
            self.repo.publish(hooks.app(self.folder / "site", scripts, note=str(number), bake="200ms", more=f'[env.LEVEL]\ndefault = "{level}"\n', instances=count))
            self.deploy(self.node, f"v{number}")
        plan = self.plan_back()
        self.assertEqual((plan["release"], plan["from"], plan["refusals"]), ("v1", "v2", []))
        self.assertEqual((plan["fetch"], plan["instances"]), ({"from": "node", "bytes": 0, "blobs": []}, [{"process": "web", "before": 2, "after": 1}]))
        self.assertIn("NOTE", [one["name"] for one in plan["difference"]["changes"]])
        self.assertEqual([one["hook"] for one in plan["hooks"]], ["post-start", "pre-stop", "on-revert", "post-switch"])
        self.assertEqual((plan["data"]["puts_back"], plan["data"]["migrated"]), (None, "web@v2"))
        self.assertEqual(len(plan["notes"]), 1)
        self.assertSays(self.text_back(), "web@v1 would come back in the place of v2", "~ NOTE", "on this node, and as it was sealed", "web 1 (now 2)", "on-revert of v2",
                        "the pre-start hook of web@v2 may have changed them", "the app is held afterwards, and v2 is rejected on this node", "Nothing was changed")
        self.revert_as(plan)
        self.assertServes("v1")
        self.assertTrue(self.plan_back("--to", "v1")["already"])
        self.assertSays(self.text_back("--to", "v1"), "web@v1 is active already")
        # The release before is rejected now: only --to names it.
        self.assertSays(self.text_back(expect=3), "web@v2 is rejected here", "berth revert web --to v2")
        forth = self.plan_back("--to", "v2")
        self.assertTrue(any("v2 is rejected on this node" in note and "ends that" in note for note in forth["notes"]), forth["notes"])
        self.revert_as(forth, "--to", "v2")
        self.assertEqual([one for one in self.node.app()["rejected"] if one["release"] == "v2"], [])

    def test_of_a_revert_that_puts_the_data_back(self):
        def publish(number, scripts, data):
            self.repo.publish(hooks.app(self.folder / "site", scripts, strategy="recreate", bake="200ms", note=str(number), data=data))
        publish(1, {}, "")
        self.deploy(self.node, "v1")
        publish(2, {"pre-start": MIGRATE, "on-revert": "true", "pre-stop": "true"}, SNAPSHOT)
        self.deploy(self.node, "v2")
        (copied,) = [event["data"] for event in self.node.events() if event["kind"] == "data.copied"]
        kept = self.plan_back("--keep-data")
        self.assertEqual((kept["data"]["puts_back"], kept["data"]["keeps"], kept["data"]["migrated"]), (None, True, "web@v2"))
        self.assertSays(self.text_back("--keep-data"), "stay as they are, by --keep-data", "the pre-start hook of web@v2 may have changed them")
        plan = self.plan_back()
        self.assertTrue(plan["way"]["stops_first"])
        self.assertEqual((plan["data"]["puts_back"]["folder"], plan["data"]["puts_back"]["method"], plan["data"]["migration_stays"]), (copied["folder"], copied["method"], False))
        self.assertSays(self.text_back(), f"become what they were at {plan['data']['puts_back']['at'][:10]}", copied["folder"], "set aside until 'berth gc web'")
        self.assertTrue((self.node.data() / "schema").exists())
        self.revert_as(plan)
        self.assertFalse((self.node.data() / "schema").exists(), "they are as they were")

    def test_of_a_revert_to_a_slot_that_is_not_whole(self):
        for number in (1, 2):
            self.publish(number)
            self.deploy(self.node, f"v{number}")
        with open(self.node.slot("v1") / "app/share/one", "r+b") as file:
            file.write(b"rotten")
        plan = self.plan_back()
        self.assertEqual(plan["fetch"]["from"], "repository")
        self.assertGreater(plan["fetch"]["bytes"], 0)
        self.assertIn("its slot is not as it was sealed any more (app/share/one", "".join(plan["notes"]))
        self.assertSays(self.text_back(), "is fetched anew")
        self.revert_as(plan)
        self.assertServes("v1")

    def test_of_a_revert_that_would_be_refused(self):
        self.publish(1)
        self.deploy(self.node, "v1")
        self.assertSays(self.text_back(expect=3), "no release before v1")
        self.assertSays(self.node.berth("revert", "shop", "--plan", expect=3), "shop")
        self.publish(2)
        self.deploy(self.node, "v2")
        gone = self.plan_back("--to", "v9", expect=3)
        self.assertNotIn("build", gone)
        self.assertSays(self.text_back("--to", "v9", expect=3), "it would be refused: web@v9 is not on this node", "berth deploy web@v9")
        self.node.berth("stop", "web")
        self.assertEqual(self.plan_back(expect=8)["refusals"][0]["code"], "conflict")
        self.assertEqual(self.node.berth("revert", "web", expect=8).code, self.text_back(expect=8).code)
        self.node.berth("start", "web")
        self.assertSays(self.node.berth("revert", "web", "--plan", "--no-wait", expect=2), "--plan begins nothing")
        # What bakes gives way; what has not come so far is waited for, and there is nothing to say before its end.
        self.publish(3, bake="60s")
        self.deploy(self.node, "v3", "web", 0, "--until", "switched")
        plan = self.plan_back()
        self.assertEqual(([(one["release"], one["gives_way"]) for one in plan["others"]], plan["release"], plan["from"]), ([("v3", True)], "v2", "v3"))
        self.revert_as(plan)
        self.repo.publish(hooks.app(self.folder / "other", {"pre-start": "sleep 60"}, note="4"))
        self.deploy(self.node, "v4", "web", 0, "--no-wait")
        wait_until(lambda: self.node.deployments()[0]["hooks"], "v4 prepares")
        wait_until(lambda: any(one["kind"] == "hook.started" and one["data"]["release"] == "v4" for one in self.node.events()), "its hook is in the history")
        early = self.plan_back(expect=8)
        self.assertNotIn("build", early)
        self.assertEqual([one["release"] for one in early["others"]], ["v4"])
        self.assertSays(self.text_back(expect=8), "it would be refused: web: deployment", "before reverting")
        self.assertEqual(self.node.berth("revert", "web", expect=8).code, early["exit"])

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

    def test_of_a_template_that_names_a_label_which_the_node_has_not(self):
        """Told by the plan, whether the release is on the node or not, and refused before anything is touched."""
        told = "config/x.tmpl: nothing is known as '${node.labels.rack}': this node has no label 'rack'"
        number = 0
        for strategy in ("recreate", "blue-green", "rolling"):
            with self.subTest(strategy=strategy):
                app = f"a-{strategy}"
                port = 8080 + number
                number += 1
                tree = sample_apps.testapp(self.folder / app, app=app, port=port, strategy=strategy)
                good, bad = self.repo.publish(tree, files={"settings": "n=1\n"}), self.repo.publish(tree.put("NOTE", "2"), files={"x.tmpl": "rack=${node.labels.rack} ${PORT}\n"})
                self.deploy(self.node, good, app)
                with self.refused(self.node, app):
                    self.assertSays(self.node.berth("deploy", f"{app}@{bad}", "--plan", expect=1), f"it would be refused: {app}@{bad}: {told}")
                self.assertEqual(list((self.node.state / "staging").iterdir()), [], "what was looked at is removed")
                before = self.node.app(app)["instances"][0]["pid"]
                self.assertSays(self.deploy(self.node, bad, app, 1), told)
                failed = self.node.deployments(app)[0]
                self.assertEqual((failed["state"], [step["state"] for step in failed["steps"]][-2:]), ("failed", ["preparing", "failed"]))
                self.assertEqual((self.node.active(app), self.node.app(app)["instances"][0]["pid"]), (good, before), "it goes on")
                # Its slot is here now.
                self.assertSays(self.node.berth("deploy", f"{app}@{bad}", "--plan", expect=1), f"it would be refused: {app}@{bad}: {told}")
                self.assertSays(self.node.berth("revert", app, "--to", bad, "--plan", expect=1), f"it would be refused: {app}@{bad}: {told}")
                self.assertSays(self.node.berth("revert", app, "--to", bad, expect=1), told)
                self.assertEqual((self.node.active(app), self.node.app(app)["instances"][0]["pid"]), (good, before))
        self.node.stop()
        self.node.configure(self.node.config.read_text() + '[labels]\nrack = "r7"\n')
        self.node.start()
        self.node.berth("deploy", f"{app}@{bad}", "--plan")
        self.deploy(self.node, bad, app)

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
