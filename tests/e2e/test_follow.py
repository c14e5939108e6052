"""A node that follows a channel: it converges by itself, stays where an operator or a failed release says so, and believes no old channel."""
import shutil
import time
import unittest

from lib import sample_apps
from lib.case import BerthCase
from lib.waiting import wait_until
from lib.web import RepositoryServer

EXITS = ("--exit-after", "0", "--exit-code", "3")


class Follow(BerthCase):
    def serve(self):
        self.server = RepositoryServer(self.repo.folder)
        self.addCleanup(self.server.close)
        return self.server

    def publish(self, *arguments, ready_timeout="20s"):
        self.published = getattr(self, "published", 0) + 1
        return self.repo.publish(sample_apps.testapp(self.folder / "site", *arguments, bake="200ms", ready_timeout=ready_timeout, note=f"build {self.published}"))

    def follower(self, rule='channel = "stable"', interval="1s", start=True):
        """A node with nothing on it, whose app `web` follows."""
        node = self.make_node(repository=self.server.url, extra=f'[[follow]]\napp = "web"\n{rule}\ninterval = "{interval}"\n')
        return node.start() if start else node

    def follow(self, node):
        return node.status()["follows"][0]

    def polls(self, node, more=2):
        """Waits until that many further polls ended."""
        before = self.follow(node)["polls"]
        wait_until(lambda: self.follow(node)["polls"] >= before + more, f"{more} polls", 20)

    def reaches(self, node, release):
        wait_until(lambda: (node.app() or {}).get("active") == release and not node.app()["deployment"], f"web is at {release}", 30)
        self.assertServes(release)

    def test_a_fresh_node_converges_and_goes_where_the_channel_moves(self):
        self.publish()
        self.repo.point("stable", "v1")
        self.serve()
        node = self.follower()
        self.reaches(node, "v1")
        self.publish()
        self.polls(node)
        self.assertEqual(node.active(), "v1", "a release that no channel points to is nobody's business")
        self.repo.point("stable", "v2")
        self.reaches(node, "v2")
        self.repo.point("stable", "v1")
        self.reaches(node, "v1")

        made = node.deployments()
        self.assertEqual([(one["release"], one["by"], one["why"], one["state"]) for one in made],
                         [("v1", "follow", "channel stable, serial 3", "active"), ("v2", "follow", "channel stable, serial 2", "active"),
                          ("v1", "follow", "channel stable, serial 1", "active")])
        events = node.events()
        self.assertEqual({event["data"].get("by") for event in events if event["kind"] == "deployment.state" and event["data"]["state"] == "queued"}, {"follow"})
        self.assertEqual([(event["data"]["release"], event["data"]["serial"]) for event in events if event["kind"] == "follow.wanted"],
                         [("v1", 1), ("v2", 2), ("v1", 3)])
        wait_until(lambda: self.follow(node)["note"] == "", "it was seen that the app is where it is wanted", 20)  # with the poll that the deployment's end brings
        follow = self.follow(node)
        self.assertEqual((follow["channel"], follow["wanted"], follow["serial"], follow["note"], follow["last_error"]), ("stable", "v1", 3, "", ""))
        self.assertEqual(node.app()["follow"]["wanted"], "v1")
        self.assertSays(node.berth("status", "web"), "follows stable at v1; asked")
        metrics = node.metrics()
        self.assertIn('berth_follow_wanted_info{app="web",channel="stable",release="v1"} 1\n', metrics)
        self.assertIn('berth_follow_behind{app="web"} 0\n', metrics)
        self.assertIn('berth_follow_failing{app="web"} 0\n', metrics)

    def test_what_runs_is_moved_in_its_window_alone(self):
        self.publish()
        self.repo.point("stable", "v1")
        self.serve()
        tomorrow = time.strftime("%a", time.localtime(time.time() + 86_400))
        node = self.follower(f'channel = "stable"\nwindows = ["{tomorrow} 23:00-23:59"]')
        self.reaches(node, "v1")  # there was nothing that it would disturb
        self.publish()
        self.repo.point("stable", "v2")
        note = wait_until(lambda: "window" in self.follow(node)["note"] and self.follow(node)["note"], "the window is told")
        self.assertRegex(note, rf"^it waits for its window \({tomorrow} 23:00-23:59\), which opens at 20\S+Z; 'berth deploy web@v2' does not$")
        self.polls(node)
        self.assertEqual((node.active(), len(node.deployments())), ("v1", 1))
        self.assertSays(node.berth("status", "web"), "waits for its window")
        self.assertIn('berth_follow_behind{app="web"} 1\n', node.metrics())
        text = node.config.read_text()
        self.assertEqual(node.stop(), 0)
        node.configure(text.replace(f"{tomorrow} 23:00-23:59", "00:00-24:00"))
        node.start()
        self.reaches(node, "v2")

    def test_a_release_is_followed_also_before_it_is_there(self):
        self.publish()
        self.serve()
        node = self.follower('release = "v2"')
        wait_until(lambda: self.follow(node)["last_error"], "v2 was asked for", 20)
        self.assertIn("no such release", self.follow(node)["last_error"])
        self.assertSays(node.berth("status"), "web, not on this node yet", "no such release")
        self.assertEqual(node.deployments(), [], "nothing is begun that cannot end well")
        self.publish()
        self.reaches(node, "v2")
        self.publish()
        self.polls(node)
        self.assertServes("v2")

    def test_an_idle_poll_is_one_small_exchange(self):
        self.publish()
        self.repo.point("stable", "v1")
        server = self.serve()
        node = self.follower()
        self.reaches(node, "v1")
        self.polls(node)
        before = self.follow(node)["polls"]
        seen = len(server.exchanges)
        self.polls(node, 4)
        exchanges = server.exchanges[seen:]
        polls = self.follow(node)["polls"] - before
        self.assertEqual({(one.status, one.path) for one in exchanges}, {(304, "/metadata/timestamp.json")}, exchanges)
        self.assertLessEqual(abs(len(exchanges) - polls), 1, "one exchange a poll")
        most = max(one.received + one.sent for one in exchanges)
        self.progress(f"an idle poll: {exchanges[-1]}, {most} bytes at most")
        self.assertLess(most, 600)

    def test_a_bad_release_is_rejected_and_not_tried_again_until_the_channel_moves(self):
        self.publish()
        self.repo.point("stable", "v1")
        self.serve()
        node = self.follower()
        self.reaches(node, "v1")
        pids = node.pids()
        self.publish(*EXITS)
        self.repo.point("stable", "v2")
        wait_until(lambda: "rejected here" in self.follow(node)["note"], "v2 is rejected", 30)
        self.polls(node, 3)
        self.assertEqual([one["release"] for one in node.deployments()], ["v2", "v1"], "one try")
        self.assertEqual(node.pids(), pids)
        self.assertServes("v1")
        self.assertSays(node.berth("status"), "follows stable, which wants v2", "rejected here", "--force")
        self.assertIn('berth_follow_behind{app="web"} 1\n', node.metrics())
        node.stop()
        node.start()
        self.polls(node)
        self.assertEqual(len(node.deployments()), 2, "nor after a restart")
        self.publish()
        self.repo.point("stable", "v3")
        self.reaches(node, "v3")

    def test_an_old_channel_that_is_played_back_is_refused_though_all_signatures_are_right(self):
        self.publish()
        self.repo.point("stable", "v1")
        backup = self.folder / "backup"
        shutil.copytree(self.repo.folder, backup)
        self.publish()
        self.repo.point("stable", "v2")
        server = self.serve()
        node = self.follower()
        self.reaches(node, "v2")
        counters = sorted((node.state / "tuf/channels").iterdir())
        self.assertEqual([one.name for one in counters], ["web.production.stable.json"])
        kept = counters[0].read_bytes()

        # The publisher goes on from a backup: all that is signed is newer than what the node knows, but for the channel.
        server.folder = shutil.copytree(self.repo.folder, self.folder / "meanwhile")
        shutil.rmtree(self.repo.folder)
        shutil.copytree(backup, self.repo.folder)
        for _ in range(3):
            self.publish()
        with self.refused(node):
            server.folder = self.repo.folder
            wait_until(lambda: self.follow(node)["last_error"], "the channel was refused", 20)
            error = self.follow(node)["last_error"]
            for words in ("channel stable of web/production", "serial is 1 (v1)", "seen 2 (v2)", "never falls"):
                self.assertIn(words, error)
            self.polls(node)
        self.assertServes("v2")
        refused = [event for event in node.events() if event["kind"] == "follow.refused"]
        self.assertEqual(len(refused), 1, "told once")
        self.assertSays(node.berth("status", "web"), "never falls")
        self.assertIn('berth_follow_failing{app="web"} 1\n', node.metrics())

        node.kill()
        node.start()
        wait_until(lambda: self.follow(node)["last_error"], "the channel was refused again", 20)
        self.assertIn("never falls", self.follow(node)["last_error"])
        self.assertEqual((self.follow(node)["wanted"], self.follow(node)["serial"]), ("v2", 2), "what was seen is known after a restart")
        self.assertEqual(counters[0].read_bytes(), kept)
        self.assertServes("v2")

        self.repo.point("stable", "v3")  # serial 2, which said v2
        wait_until(lambda: "two things under one serial" in self.follow(node)["last_error"], "one serial says one thing", 20)
        self.repo.point("stable", "v4")  # serial 3
        self.reaches(node, "v4")

    def test_a_held_app_stays_and_goes_on_at_once_when_it_is_resumed(self):
        self.publish()
        self.publish()
        self.repo.point("stable", "v1")
        self.serve()
        node = self.follower(interval="1h")
        self.reaches(node, "v1")
        self.repo.point("stable", "v2")
        node.stop()
        node.start()
        self.reaches(node, "v2")
        node.berth("revert", "web")
        node.stop()
        node.start()
        wait_until(lambda: self.follow(node)["last_success"] and "held" in self.follow(node)["note"], "v2 is wanted, and the app held", 20)
        self.assertServes("v1")
        self.assertSays(node.berth("status", "web"), "which wants v2", "v2 is rejected here", "and the app is held", "berth deploy web@v2 --force")
        self.assertNotIn("resume", self.follow(node)["note"], "that alone would change nothing")
        node.berth("resume", "web")
        wait_until(lambda: "held" not in self.follow(node)["note"], "the app is not held any more, and v2 rejected", 20)
        self.assertIn("v2 is rejected here", self.follow(node)["note"])
        self.assertServes("v1")
        node.berth("hold", "web")
        node.berth("mark", "web@v2", "good")
        node.stop()
        node.start()
        wait_until(lambda: "berth resume web" in self.follow(node)["note"], "it is held, and v2 good", 20)
        self.assertServes("v1")
        node.berth("resume", "web")
        self.reaches(node, "v2")
        node.berth("revert", "web")
        done = node.berth("remove", "web", "--force")
        self.assertSays(done, "still rejected here, should it come back: v2", "web follows stable (v2), which is rejected here")
        self.assertNotIn("the next poll", done.text)

    def test_a_newer_release_ends_a_hold(self):
        self.publish()
        self.publish()
        self.repo.point("stable", "v1")
        self.serve()
        node = self.follower()
        self.reaches(node, "v1")
        self.repo.point("stable", "v2")
        self.reaches(node, "v2")
        node.berth("revert", "web")
        self.publish()
        self.repo.point("stable", "v3")
        self.reaches(node, "v3")
        self.assertEqual(node.app()["held"], "")

    def test_a_pinned_or_stopped_app_stays(self):
        self.publish()
        self.publish()
        self.repo.point("stable", "v1")
        self.serve()
        node = self.follower()
        self.reaches(node, "v1")
        self.assertSays(node.berth("pin", "web@v1"), "stays on the node")
        self.assertSays(node.berth("pin", "web@v1"), "is pinned already")
        self.assertNotIn("follows", node.berth("deploy", "web@v1").out, "it is where it is wanted")
        self.repo.point("stable", "v2")
        wait_until(lambda: "v1 is pinned" in self.follow(node)["note"], "the pin counts", 20)
        self.polls(node)
        self.assertServes("v1")
        node.berth("stop", "web")
        node.berth("unpin", "web@v1")
        wait_until(lambda: "it is stopped" in self.follow(node)["note"], "the stop counts", 20)
        self.assertEqual(node.app()["health"], "stopped")
        node.berth("start", "web")
        self.reaches(node, "v2")
        self.assertSays(node.berth("start", "web"), "web runs already")
        self.assertSays(node.berth("deploy", "web@v1"), "web follows stable (v2): the next poll goes back to it; 'berth pin web@v1' keeps this one")
        self.reaches(node, "v2")
        self.assertSays(node.berth("remove", "web"), "web follows stable (v2): the next poll deploys it again")
        self.reaches(node, "v2")

    def test_a_cancelled_deployment_is_not_begun_again(self):
        self.publish()
        self.repo.point("stable", "v1")
        self.serve()
        node = self.follower()
        self.reaches(node, "v1")
        self.publish("--never-ready", ready_timeout="60s")
        self.repo.point("stable", "v2")
        deployment = wait_until(lambda: next((one for one in node.deployments() if one["release"] == "v2" and one["state"] == "starting"), None), "v2 starts", 20)
        node.berth("cancel", deployment["id"])
        wait_until(lambda: "cancelled" in self.follow(node)["note"], "the cancellation counts", 20)
        self.polls(node)
        self.assertEqual(len(node.deployments()), 2)
        self.assertServes("v1")

    def test_a_repository_that_is_away_changes_nothing_and_status_says_since_when(self):
        self.publish()
        self.repo.point("stable", "v1")
        server = self.serve()
        node = self.follower()
        self.reaches(node, "v1")
        server.close()
        with self.refused(node):
            wait_until(lambda: self.follow(node)["failing_since"], "the repository is away", 20)
            since, success = self.follow(node)["failing_since"], self.follow(node)["last_success"]
            self.polls(node)
            self.assertEqual((self.follow(node)["failing_since"], self.follow(node)["last_success"]), (since, success))
        self.assertGreater(since, success)
        self.assertServes("v1")
        self.assertSays(node.berth("status", "web"), "cannot be asked for", "nothing listens")
        self.assertGreaterEqual(self.follow(node)["failures"], 2)
        self.publish()
        self.repo.point("stable", "v2")
        self.serve()
        self.reaches(node, "v2")
        self.assertEqual(self.follow(node)["failing_since"], "")


if __name__ == "__main__":
    unittest.main(verbosity=2)
