"""What operators say beforehand: a release is good or bad, an app is held, the node is drained."""
import unittest

from lib import processes, sample_apps
from lib.case import BerthCase
from lib.load import one_request
from lib.waiting import wait_until


class Holding(BerthCase):
    def setUp(self):
        super().setUp()
        for note in ("1", "2", "3"):
            self.publish(note=note)
        self.node = self.make_node().start()

    def publish(self, *arguments, **options):
        return self.repo.publish(sample_apps.testapp(self.folder / "site", *arguments, **options))

    def operators(self, kind):
        """The data of the events of one kind of command."""
        return [one["data"] for one in self.node.events() if one["kind"] == f"operator.{kind}"]

    # mark

    def test_a_release_that_is_marked_bad_is_passed_over_until_it_is_marked_good(self):
        self.deploy(self.node, "v1")
        self.node.berth("mark", "web@v2", "bad", "--reason", "loses sessions")
        self.assertSays(self.deploy(self.node, "v2", expect=8), "web@v2 is rejected on this node", "marked bad by root (uid 0): loses sessions")
        self.assertSays(self.node.berth("status", "web"), "rejected: v2", "loses sessions")
        self.assertIn('berth_rejected_releases{app="web"} 1', self.node.metrics())
        self.node.stop()
        self.node.start()
        self.deploy(self.node, "v2", "web", 8)
        self.node.berth("mark", "web@v2", "good")
        self.assertEqual(self.node.app()["rejected"], [])
        self.deploy(self.node, "v2")
        self.assertEqual([(one["release"], one["as"], one["by"], one.get("why")) for one in self.operators("mark")],
                         [("v2", "bad", "root (uid 0)", "loses sessions"), ("v2", "good", "root (uid 0)", None)])

        # The active one goes on, and a revert does not come back to what is bad.
        self.deploy(self.node, "v3")
        self.node.berth("mark", "web@v2", "bad")
        self.assertSays(self.node.berth("mark", "web@v3", "bad", "--reason", "too slow"), "web@v3 is rejected", "It is active, and goes on: 'berth revert web' leaves it")
        self.assertSays(self.node.berth("status"), "v3, which is active, is rejected here: marked bad by root (uid 0): too slow")
        self.assertServes("v3")
        self.node.berth("revert", "web")
        self.assertServes("v1")
        self.node.berth("mark", "nothing@v1", "bad", expect=3)

    def test_one_that_failed_is_good_again_when_it_is_said(self):
        self.deploy(self.node, "v1")
        failing = self.publish("--exit-once-current", "300", bake="60s")
        self.deploy(self.node, failing, expect=5)
        self.deploy(self.node, failing, "web", 8)
        self.node.berth("mark", f"web@{failing}", "good", "--reason", "the network was to blame")
        self.assertSays(self.deploy(self.node, failing, expect=5), "web runs v1 again")

    def test_what_is_being_deployed_is_not_marked_bad(self):
        self.deploy(self.node, "v1")
        baking = self.publish(bake="1h")
        self.deploy(self.node, baking, "web", 0, "--until", "switched")
        self.node.wait_app(active=baking)
        self.assertSays(self.node.berth("mark", f"web@{baking}", "bad", expect=8), "is baking; 'berth revert web' first")
        self.node.berth("mark", f"web@{baking}", "good")
        self.node.berth("revert", "web")
        self.node.berth("mark", f"web@{baking}", "bad")

    # hold

    def test_what_is_so_already_is_no_event(self):
        self.deploy(self.node, "v1")

        def events(*verb, **options):
            before = self.node.events()[-1]["number"]
            self.said = self.node.berth(*verb, **options)
            return [(one["kind"].removeprefix("operator."), one["data"].get("replaced", "")) for one in self.node.events() if one["number"] > before and one["kind"].startswith("operator.")]
        self.assertEqual([events(verb, "web@v1") for verb in ("unpin", "pin", "pin", "unpin")], [[], [("pin", "")], [], [("unpin", "")]])
        self.assertEqual([events(verb, "web") for verb in ("resume", "start", "start")], [[], [], []])
        self.assertEqual(events("mark", "web@v2", "good"), [])
        self.assertEqual([events("mark", "web@v2", "bad", "--reason", "slow") for _ in range(2)], [[("mark", "")], []])
        self.assertEqual(events("hold", "web", "--reason", "alice's"), [("hold", "")])
        since = self.node.app()["held_at"]
        self.assertEqual([events("hold", "web"), events("hold", "web", "--reason", "alice's")], [[], []])
        self.assertEqual((self.node.app()["held"], self.node.app()["held_at"]), ("alice's", since))
        self.assertEqual(events("hold", "web", "--reason", "bob's"), [("hold", f"by root (uid 0) since {since[:19]}Z: alice's")])
        self.assertSays(self.said, "takes the place of", "alice's (by root (uid 0), ")
        self.assertEqual([events("stop", "web/web.1") for _ in range(2)], [[("stop", "")], []])
        self.assertEqual([events("start", "web/web.1") for _ in range(2)], [[("start", "")], []])
        self.assertEqual([events("stop", "web", "--reason", "a new disk"), events("stop", "web")], [[("stop", "")], []])
        self.assertEqual(self.node.app()["stopped_why"], "a new disk")
        self.assertEqual([events("start", "web") for _ in range(2)], [[("start", "")], []])
        self.assertEqual([events("scale", "web/web=2") for _ in range(2)], [[("scale", "")], []])
        self.assertEqual([events("node", "drain", "--reason", "a kernel") for _ in range(2)], [[("node_drain", "")], []])
        self.assertEqual([events("node", "resume") for _ in range(2)], [[("node_resume", "")], []])

    def test_a_revert_of_an_app_that_was_held_says_that_it_stays_so(self):
        for release in ("v1", "v2"):
            self.deploy(self.node, release)
        self.node.berth("hold", "web", "--reason", "an audit")
        done = self.node.berth("revert", "web")
        self.assertSays(done, "web stays held", "until 'berth resume web'")
        self.assertNotIn("newer release", done.text)
        self.deploy(self.node, "v3", "web", 8)

    def test_remove_asks_for_force_where_something_was_said_or_begun_and_rejections_outlive_it(self):
        self.deploy(self.node, "v1")
        self.node.berth("pin", "web@v1")
        self.node.berth("mark", "web@v2", "bad", "--reason", "loses sessions")
        self.node.berth("hold", "web", "--reason", "an audit")
        self.assertSays(self.node.berth("remove", "web", expect=8), "web is held", "an audit", "--force")
        self.assertServes("v1")
        self.node.berth("resume", "web")
        slow = self.publish("--never-ready", ready_timeout="60s")
        self.node.berth("deploy", f"web@{slow}", "--no-wait")
        wait_until(lambda: self.node.deployments()[0]["state"] == "starting", "it is starting")
        self.assertSays(self.node.berth("remove", "web", expect=8), "deployment 2", "is starting", "--force")
        self.node.berth("hold", "web", "--reason", "an audit")
        done = self.node.berth("remove", "web", "--force")
        self.assertSays(done, "pinned releases went, too: v1", "held no more (an audit)", "still rejected here, should it come back: v2", "deployment 2 of")
        self.assertEqual(processes.of_app("web"), {})
        self.assertSays(self.deploy(self.node, "v2", expect=8), "web@v2 is rejected on this node", "loses sessions")
        self.deploy(self.node, "v1")
        self.assertEqual((self.node.app()["held"], [one["release"] for one in self.node.app()["rejected"]]), ("", ["v2"]))
        self.node.berth("remove", "web")
        self.node.berth("remove", "web", "--purge", "--yes")
        self.deploy(self.node, "v2")

    def test_a_held_app_refuses_deployments_and_says_who_when_and_why(self):
        self.deploy(self.node, "v1")
        self.node.berth("hold", "web", "--reason", "an audit")
        for _ in range(2):
            said = self.deploy(self.node, "v2", expect=8)
            self.assertSays(said, "web is held (by root (uid 0) since 20", "an audit", "'berth resume web'")
            self.node.kill()
            self.node.start()
        app = self.node.app()
        self.assertEqual((app["held"], app["held_by"], app["held_firmly"]), ("an audit", "root (uid 0)", True))
        self.assertSays(self.node.berth("status", "web"), "held: an audit (by root (uid 0), ", "until it is resumed")
        self.assertIn('berth_app_held{app="web"} 1', self.node.metrics())
        self.assertServes("v1")
        self.node.berth("hold", "web", "--reason", "another one")
        self.assertEqual(self.node.app()["held"], "another one")

        # By force, and the hold stays; so it does over a revert by hand.
        self.deploy(self.node, "v2", "web", 0, "--force")
        self.assertTrue(self.node.app()["held_firmly"])
        self.deploy(self.node, "v3", expect=8)
        self.node.berth("revert", "web")
        self.assertEqual(self.node.app()["held"], "another one")
        self.deploy(self.node, "v3", expect=8)
        self.node.berth("resume", "web")
        self.assertEqual((self.node.app()["held"], self.node.app()["held_by"]), ("", ""))
        self.deploy(self.node, "v3")
        self.assertEqual([one.get("why") for one in self.operators("hold")][:2], ["an audit", "another one"])
        self.node.berth("hold", "nothing", expect=3)

    def test_after_a_revert_by_hand_a_newer_release_still_ends_the_hold(self):
        self.deploy(self.node, "v1")
        self.deploy(self.node, "v2")
        self.node.berth("revert", "web", "--reason", "slow")
        app = self.node.app()
        self.assertEqual((app["held"], app["held_by"], app["held_firmly"]), ("v2 was reverted by hand: slow", "root (uid 0)", False))
        self.deploy(self.node, "v3")
        self.assertEqual(self.node.app()["held"], "")

    def test_a_follower_waits_until_the_app_is_resumed(self):
        self.repo.point("stable", "v1")
        self.node.stop()
        self.node.configure(self.node.config.read_text() + '[[follow]]\napp = "web"\nchannel = "stable"\ninterval = "1s"\n')
        self.node.start()
        self.node.wait_app(active="v1", deployment=None, seconds=30)
        self.node.berth("hold", "web", "--reason", "an audit")
        self.repo.point("stable", "v2")
        wait_until(lambda: (follow := self.node.app()["follow"])["wanted"] == "v2" and "an audit" in follow["note"], "v2 is wanted, and the app held", 20)
        self.assertServes("v1")
        self.assertEqual(len(self.node.deployments()), 1)
        self.node.berth("resume", "web")
        self.node.wait_app(active="v2", seconds=30)

    # the node

    def two_apps(self):
        """web with three instances, one of them stopped by hand, and api, which begins first."""
        self.repo.publish(sample_apps.testapp(self.folder / "site", instances=3, note="wide"))
        self.repo.publish(sample_apps.testapp(self.folder / "other", app="api", port=8081, strategy="recreate", grace="1s"))
        self.deploy(self.node, "v4")
        self.deploy(self.node, "v1", "api")
        self.node.berth("stop", "web/web.3")

    def running(self):
        return {app: len(processes.of_app(app)) for app in ("web", "api")}

    def test_a_drained_node_runs_nothing_and_takes_nothing_until_it_is_resumed(self):
        self.two_apps()
        self.node.berth("node", "drain", "--reason", "a new kernel")
        self.assertEqual(self.running(), {"web": 0, "api": 0})
        for port in (8080, 8081):
            with self.assertRaises(OSError):
                one_request(port)
        for end in (self.node.stop, self.node.kill):
            for command in (("deploy", "web@v2"), ("deploy", "web@v2", "--force"), ("deploy", "fresh@v1"), ("revert", "web"), ("start", "api"), ("restart", "api")):
                self.assertSays(self.node.berth(*command, expect=8), "this node is drained (by root (uid 0) since 20", "a new kernel", "'berth node resume'")
            status = self.node.status()
            self.assertEqual((status["drained"]["by"], status["drained"]["why"]), ("root (uid 0)", "a new kernel"))
            self.assertEqual([(app["app"], app["health"], app["stopped"]) for app in status["apps"]], [("api", "stopped", False), ("web", "stopped", False)])
            self.assertSays(self.node.berth("status"), "drained by root (uid 0)", "(a new kernel)")
            self.assertIn("berth_node_drained 1", self.node.metrics())
            end()
            self.node.start()
            self.assertEqual(self.running(), {"web": 0, "api": 0})
        self.node.berth("node", "drain")
        self.assertEqual(self.node.status()["drained"]["why"], "a new kernel", "it is drained already")
        self.node.berth("node", "drain", "--reason", "a new disk")
        self.assertEqual(self.node.status()["drained"]["why"], "a new disk")
        self.node.berth("scale", "api/web=2")
        self.assertEqual(self.running()["api"], 0)

        self.node.berth("node", "resume", "--reason", "it boots")
        self.node.wait_app("api", health="healthy")
        self.node.wait_app("web", health="healthy")
        wait_until(lambda: [one["ready"] for one in self.node.instances()].count(True) == 2, "both instances of web that are wanted are ready")
        self.assertEqual(self.running(), {"web": 2, "api": 2}, "what was stopped by hand stays so")
        self.assertIsNone(self.node.status()["drained"])
        self.assertEqual(([one["why"] for one in self.operators("node_drain")], [one["why"] for one in self.operators("node_resume")]), (["a new kernel", "a new disk"], ["it boots"]))
        self.deploy(self.node, "v2")
        self.node.berth("node", "resume")

    def test_apps_are_stopped_in_the_reverse_order_of_their_start(self):
        self.two_apps()
        self.node.berth("node", "drain")
        def ended():
            return [one["app"] for one in self.node.events() if one["kind"] == "instance.exit"][1:]  # the first one was stopped by hand
        wait_until(lambda: len(ended()) >= 3, "three ends are told")  # an event is written a moment after the end
        self.assertEqual(ended(), ["web", "web", "api"])

    def test_a_deployment_that_is_decided_ends_before_and_one_that_is_not_is_cancelled(self):
        self.deploy(self.node, "v1")
        baking = self.publish(bake="1h")
        self.deploy(self.node, baking, "web", 0, "--until", "switched")
        slow = self.repo.publish(sample_apps.testapp(self.folder / "other", "--never-ready", app="api", port=8081, ready_timeout="1m"))
        self.node.berth("deploy", f"api@{slow}", "--no-wait")
        wait_until(lambda: self.node.deployments("api")[0]["state"] == "starting", "it starts")
        self.node.berth("node", "drain")
        self.assertEqual(self.running(), {"web": 0, "api": 0})
        self.assertEqual(self.node.deployments("api")[0]["state"], "cancelled")
        self.assertSays(self.node.berth("history", "api"), "the drain of this node")
        self.assertEqual((self.node.active(), self.node.deployments()[0]["state"]), (baking, "baking"))
        self.node.berth("node", "resume")
        wait_until(lambda: "its bake began again" in "".join(self.node.deployments()[0]["notes"]), "its bake goes on")
        self.node.wait_app(health="healthy")
        self.assertServes(baking)

    def test_a_berthd_that_is_killed_while_it_drains_goes_on_with_it(self):
        for app, port in (("api", 8081), ("tail", 8082)):
            self.repo.publish(sample_apps.testapp(self.folder / "other", "--ignore-term", app=app, port=port, grace="2s"))
            self.deploy(self.node, "v1", app)
        drain = self.node.spawn("node", "drain")
        wait_until(lambda: self.node.status()["drained"], "it is being drained")
        self.node.kill()
        drain.communicate()
        self.node.start()
        wait_until(lambda: not processes.of_app("api") and not processes.of_app("tail"), "all are stopped", 30)
        self.assertTrue(self.node.status()["drained"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
