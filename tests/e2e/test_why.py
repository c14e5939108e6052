"""berth why: the story of the last failure, whether a deployment's or of what runs."""
import os
import unittest

from lib import hooks, sample_apps
from lib.case import BerthCase
from lib.waiting import wait_until


class Why(BerthCase):
    def setUp(self):
        super().setUp()
        self.node = self.make_node().start()

    def publish(self, *arguments, **options):
        return self.repo.publish(sample_apps.testapp(self.folder / "site", *arguments, **options))

    def publish_script(self, script, **options):
        """A release that runs a script first, and then the test app."""
        tree = sample_apps.testapp(self.folder / "site", **options).spec_replaced('"bin/testapp"', '"bin/run"')
        return self.repo.publish(tree.put("bin/run", f'#!/bin/sh\n{script}\nexec bin/testapp "$@"\n', 0o755))

    def why(self, about):
        """What a person sees, which is a screen, and the same as JSON."""
        done, story = self.node.berth("why", "web"), self.node.berth("why", "web", "--json").json()
        self.assertEqual(story["about"], about, done)
        self.assertLess(len(done.out.splitlines()), 30, done)
        self.progress(f"\n{done.out}")
        moments = [one["at"] for one in story["events"] if one["kind"] != "instance.exit"]
        self.assertEqual(moments, sorted(moments))
        self.assertEqual([one["text"] for one in story["lines"]], story["last_lines"])
        self.assertTrue(all(one["at"] for one in story["lines"]), story["lines"])
        if story["lines"]:
            self.assertIn(f"  | {story['last_lines'][-1]}\n", done.out)
            self.assertNotIn("Last lines of", done.out)
        return done, story

    def kinds(self, story):
        return [one["kind"] for one in story["events"]]

    def test_nothing_is_wrong(self):
        self.assertEqual(self.node.berth("why", "web", expect=3).out, "")
        self.publish()
        self.deploy(self.node, "v1")
        done, story = self.why("nothing")
        self.assertSays(done, "Nothing is wrong with web")
        self.assertEqual((story["why"], story["events"], story["next"]), ("", [], []))

    def test_a_release_that_is_never_ready(self):
        self.publish(note="1")
        self.deploy(self.node, "v1")
        self.publish("--never-ready", note="2", ready_timeout="2s")
        self.deploy(self.node, "v2", "web", 1)
        done, story = self.why("deployment")
        self.assertSays(done, "web@v2 failed: not ready within 2s", "readiness probe: 503", "web runs v1", "was asked for by root", "starting", "berth history web",
                        "web@v2 --force")
        self.assertEqual(story["deployment"]["release"], "v2")
        self.assertEqual(story["events"][-1]["text"], "failed: " + story["deployment"]["reason"].removeprefix("web@v2: "))
        self.assertFalse(story["over"])
        # Another one that goes well leaves the failure the last one that there was, and what would have helped then is not advised any more.
        self.publish(note="3")
        self.deploy(self.node, "v3")
        done, story = self.why("deployment")
        self.assertTrue(done.out.startswith("web runs v3 (healthy, active for "), done.out)
        self.assertSays(done, "Its last failure, which is over: web@v2 failed")
        self.assertNotIn("What to do next", done.out)
        self.assertEqual((story["over"], story["next"], story["health"]), (True, [], "healthy"))

    def test_a_release_that_was_mistyped_is_no_trouble_of_the_app(self):
        self.deploy(self.node, "7v", "web", 3)
        self.assertSays(self.why("deployment")[0], "web@7v failed", "berth releases web")
        self.publish()
        self.deploy(self.node, "v1")
        self.deploy(self.node, "7v", "web", 3)
        self.why("nothing")
        self.assertNotIn("7v", self.node.berth("status").out)
        self.assertIn("7v", self.node.berth("history", "web").out)

    def test_an_app_that_is_stopped(self):
        self.publish()
        self.deploy(self.node, "v1")
        self.node.berth("stop", "web", "--reason", "a new disk")
        done, story = self.why("nothing")
        self.assertSays(done, "web is stopped (by root (uid 0) since 20", ": a new disk); v1 is its active release: 'berth start web' starts it")
        self.assertEqual(story["health"], "stopped")
        self.node.berth("node", "drain", "--reason", "a new kernel")
        self.node.berth("start", "web", expect=8)
        self.assertSays(self.why("nothing")[0], "web is stopped")

    def test_an_instance_that_ended_and_came_back(self):
        self.publish()
        self.deploy(self.node, "v1")
        self.node.berth("restart", "web")
        self.why("nothing")  # which somebody wanted
        os.kill(self.node.pids()["web/web.1"], 9)
        self.node.wait_app(health="healthy")
        wait_until(lambda: self.node.instances()[0]["ready"] and self.node.instances()[0]["exits_by_reason"], "it is back", 30)
        done, story = self.why("instances")
        self.assertSays(done, "web/web.1 ended and was started again: killed by SIGKILL", "berth logs web/web.1 --previous")
        self.assertSays(self.node.berth("status"), "web/web.1 restarted")
        self.assertEqual([one["instance"] for one in story["instances"]], ["web/web.1"])

    def test_nothing_listens_and_another_process_prints_a_lot(self):
        tree = sample_apps.testapp(self.folder / "site", ready_timeout="3s", more='\n[process.worker]\ncommand = ["bin/tick"]\n')
        tree = tree.spec_replaced('"bin/testapp"', '"bin/run"').put("bin/run", "#!/bin/sh\necho I wait for a database\nexec sleep 100\n", 0o755)
        self.repo.publish(tree.put("bin/tick", "#!/bin/sh\nwhile :; do echo tick; sleep 0.1; done\n", 0o755))
        self.deploy(self.node, "v1", "web", 1)
        done, story = self.why("deployment")
        self.assertSays(done, "nothing listens at", "has to listen on $PORT", "| I wait for a database")
        self.assertEqual(story["last_lines"], ["I wait for a database"])
        self.assertNotIn("answers its readiness probe badly", done.out)

    def test_a_first_release_that_ends_at_once(self):
        self.publish_script("echo no database; exit 7")
        self.deploy(self.node, "v1", "web", 1)
        done, story = self.why("deployment")
        self.assertSays(done, "web@v1 failed", "exited with 7", "web has no active release", "no database")
        exits = [one for one in story["events"] if one["kind"] == "instance.exit"]
        self.assertGreaterEqual(sum(one["times"] for one in exits), 2)
        self.assertIn("web/web.1@v1 exited with 7, after", exits[0]["text"])

    def test_a_crash_in_the_bake(self):
        self.publish(note="1")
        self.deploy(self.node, "v1")
        self.publish("--exit-once-current", "300", note="2", bake="60s")
        self.deploy(self.node, "v2", "web", 5)
        done, story = self.why("deployment")
        self.assertSays(done, "web@v2 reverted", "in its bake", "web runs v1", "baking", "reverting", "web/web.1@v2 exited with", "after the switch", "web@v2 --force")
        texts = [one["text"] for one in story["events"]]
        exited = next(i for i, text in enumerate(texts) if text.startswith("web/web.1@v2 exited"))
        self.assertLess(texts.index("baking"), exited)
        self.assertLess(exited, texts.index("reverting"))

    def test_a_hook_that_fails(self):
        self.repo.publish(hooks.app(self.folder / "site", {"pre-start": "echo no such table; exit 3"}))
        self.deploy(self.node, "v1", "web", 1)
        done, story = self.why("deployment")
        self.assertSays(done, "its pre-start hook exited with 3", "pre-start hook of v1: exited with 3", "| no such table", "the last lines are the hook's", "once its hook can end well")
        self.assertIn("hook.ended", self.kinds(story))

    def test_the_active_release_ends_again_and_again(self):
        self.publish(note="1")
        self.deploy(self.node, "v1")
        self.publish_script('echo looking; if [ -e "$BERTH_DATA_DIR/end" ]; then echo the end is there; exit 4; fi', note="2")
        self.deploy(self.node, "v2")
        self.assertSays(self.why("nothing")[0], "Nothing is wrong")
        (self.node.data() / "end").touch()
        os.kill(self.node.pids()["web/web.1"], 9)
        wait_until(lambda: any(one["crash_loop"] for one in self.node.instances()), "it is in a crash loop", 60)
        done, story = self.why("instances")
        self.assertSays(done, "web/web.1 ends again and again", "exited with 4", "restarts", "killed by SIGKILL", "times until", "| the end is there", "berth logs web/web.1 --previous",
                        "berth revert web   # goes back to v1")
        self.assertEqual(story["lines_of"], "web/web.1@v2")
        self.assertEqual([one["instance"] for one in story["instances"]], ["web/web.1"])
        # What failed before is told beside it; what fails after it comes first.
        self.publish("--never-ready", note="3", ready_timeout="1s")
        self.deploy(self.node, "v3", "web", None)
        (self.node.data() / "end").unlink()
        self.node.wait_app(health="healthy", seconds=60)
        done, _story = self.why("deployment")
        self.assertSays(done, "web@v3 failed")
        self.node.berth("stop", "web")
        self.assertSays(self.why("deployment")[0], "web@v3 failed")

    def test_the_active_release_is_not_ready_any_more(self):
        self.publish()
        self.deploy(self.node, "v1")
        (self.node.data() / "unready").touch()
        self.node.wait_app(health="down")
        done, story = self.why("instances")
        self.assertSays(done, "web/web.1 is not ready: readiness probe: 503", "was no longer ready: readiness probe: 503", "answers its readiness probe badly", "berth logs web/web.1")
        self.assertIn("instance.unready", self.kinds(story))
        (self.node.data() / "unready").unlink()
        self.node.wait_app(health="healthy")
        self.assertSays(self.why("nothing")[0], "Nothing is wrong")


if __name__ == "__main__":
    unittest.main()
