"""Releases that take over a few instances at a time: rolling and canary, by both routings, under load, and with a berthd that is killed on the way."""
import collections
import os
import signal
import threading
import time
import unittest

from lib import sample_apps
from lib.case import BerthCase
from lib.load import Load, one_request
from lib.programs import SLOWNESS
from lib.waiting import wait_until

ROLLING = 'max_surge = 1\nmax_unavailable = 0\n'
INSTANCES = 4


class Watch:
    """Looks at an app's instances again and again: how many there were, and how many took connections, at least and at most."""

    def __init__(self, node):
        self.node, self.seen, self.over = node, [], threading.Event()
        self.thread = threading.Thread(target=self.look)

    def look(self):
        while not self.over.wait(0.02):
            instances = self.node.instances()
            self.seen.append((len([one for one in instances if one["pid"]]), len([one for one in instances if one["serving"] and one["ready"]])))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()

    @property
    def most_there(self):
        return max(there for there, _ in self.seen)

    @property
    def fewest_serving(self):
        return min(serving for _, serving in self.seen)


class StrategyCase(BerthCase):
    routing = "port"

    def setUp(self):
        super().setUp()
        self.node = self.make_node().start()

    def publish(self, *arguments, instances=INSTANCES, strategy="rolling", more=ROLLING, **options):
        return self.repo.publish(sample_apps.testapp(self.folder / "site", *arguments, routing=self.routing, instances=instances, strategy=strategy,
                                                     more=more, **options))

    def last(self):
        return self.node.deployments()[0]

    def states(self):
        return [step["state"] for step in self.last()["steps"]]

    def wait_state(self, state):
        wait_until(lambda: self.last()["state"] == state, f"it is {state}", 20, every=0.01)

    def wait_ended(self):
        return wait_until(lambda: self.last() if self.last()["ended_at"] else None, "it has ended", 40)

    def releases(self):
        """release → how many of its instances run."""
        return collections.Counter(one["release"] for one in self.node.instances() if one["pid"])

    def answers(self, times=60):
        return collections.Counter(one_request(8080)[1] for _ in range(times))

    def assertWhole(self, release, instances=INSTANCES):
        self.node.wait_app(health="healthy", active=release)
        self.assertOneWholeRelease(self.node, release)
        self.assertEqual(self.releases(), {release: instances})
        self.assertServes(release)
        wait_until(lambda: [one["serving"] for one in self.node.instances()] == [True] * instances, "what is ready is in the route", 5)


class Rolling:
    """Mixed into a case for each routing."""

    def test_instances_are_replaced_within_the_limits_and_no_request_fails(self):
        for more, most, fewest in ((ROLLING, 5, 4), ('max_surge = 0\nmax_unavailable = "50%"\n', 4, 2)):
            before = self.repo.publish(self.nginx(more, "one"))
            self.deploy(self.node, before)
            after = self.repo.publish(self.nginx(more, "two"))
            with Load(8080, self.folder, 400 if SLOWNESS == 1 else 100) as load, Watch(self.node) as watch:
                self.deploy(self.node, after)
            self.progress(f"{load.summary}; at most {watch.most_there} instances, at least {watch.fewest_serving} serving")
            self.assertEqual(load.failed, [], load.summary)
            self.assertEqual(load.releases_seen(), [before, after])
            self.assertLessEqual(watch.most_there, most)
            self.assertGreaterEqual(watch.fewest_serving, fewest)
            self.assertWhole(after)

    def nginx(self, more, page):
        self.repo.configure(files=sample_apps.nginx_files(self.routing))
        tree = sample_apps.nginx(self.folder / "site", routing=self.routing, instances=INSTANCES, bake="300ms", page=page)
        return tree.spec_replaced('strategy = "blue-green"\n', f'strategy = "rolling"\n{more}')

    def test_both_releases_serve_meanwhile(self):
        self.publish()
        self.deploy(self.node, "v1")
        self.publish("--start-delay", "500", note="2")
        driver = self.node.spawn("deploy", "web@v2")
        wait_until(lambda: self.releases()["v2"] >= 2, "the second new instance was started")
        seen = self.answers()
        self.assertEqual(set(seen), {"v1", "v2"}, seen)
        status = self.node.app()
        self.assertEqual((status["active"], status["health"], status["strategy"]), ("v2", "healthy", "rolling"))
        self.assertEqual(self.node.end_of(driver).code, 0)
        self.assertWhole("v2")

    def test_a_failure_on_the_way_rolls_back_what_was_replaced(self):
        self.publish()
        self.deploy(self.node, "v1")
        self.publish("--never-ready-from", "3", note="2", ready_timeout="3s")
        with Load(8080, self.folder, 200) as load:
            done = self.deploy(self.node, "v2", expect=5)
        self.assertSays(done, "reverted", "not ready within 3s: web/web.3")
        self.assertEqual(load.failed, [], load.summary)
        self.assertEqual(load.releases_seen(), ["v1", "v2"])
        self.assertWhole("v1")
        self.assertTrue(self.last()["rejected"])

    def test_an_instance_that_dies_after_it_was_taken_in_rolls_back(self):
        self.publish()
        self.deploy(self.node, "v1")
        self.publish("--start-delay", "300", "--exit-once-current", "400", note="2")
        done = self.deploy(self.node, "v2", expect=5)
        self.assertSays(done, "reverted", "while instances were replaced")
        self.assertWhole("v1")

    def test_trouble_in_the_bake_rolls_back_too(self):
        self.publish()
        self.deploy(self.node, "v1")
        self.publish(note="2", bake="90s")
        driver = self.node.spawn("deploy", "web@v2")
        self.wait_state("baking")
        self.assertWhole("v2")
        with Watch(self.node) as watch:
            self.node.data().joinpath("unready").touch()
            self.wait_state("reverting")
            self.node.data().joinpath("unready").unlink()
            self.assertEqual(self.node.end_of(driver).code, 5)
        self.assertLessEqual(watch.most_there, 5)
        self.assertSays(self.node.berth("history", "web"), "in its bake")
        self.assertWhole("v1")

    def test_before_the_decision_what_made_room_comes_back(self):
        self.publish(more="max_surge = 0\nmax_unavailable = 1\n")
        self.deploy(self.node, "v1")
        self.publish("--never-ready-from", "1", note="2", ready_timeout="1s", more="max_surge = 0\nmax_unavailable = 1\n")
        with Watch(self.node) as watch:
            done = self.deploy(self.node, "v2", expect=1)
        self.assertSays(done, "not ready within 1s: web/web.1")
        self.assertLessEqual(watch.most_there, 4)
        self.assertEqual(self.states()[-2:], ["starting", "failed"])
        self.assertWhole("v1")

    def test_a_revert_by_hand_goes_the_same_way_and_scale_counts(self):
        self.publish(instances=2)
        self.deploy(self.node, "v1")
        self.publish(instances=2, note="2")
        self.node.berth("scale", "web/web=3")
        self.deploy(self.node, "v2")
        self.assertWhole("v2", 3)
        with Load(8080, self.folder, 200) as load, Watch(self.node) as watch:
            self.node.berth("revert", "web")
        self.assertEqual(load.failed, [], load.summary)
        self.assertLessEqual(watch.most_there, 4)
        self.assertWhole("v1", 3)

    def test_a_berthd_that_is_killed_on_the_way_undoes_it(self):
        self.publish()
        self.deploy(self.node, "v1")
        self.publish("--start-delay", "600", note="2")
        with Load(8080, self.folder, 200) as load:
            driver = self.node.spawn("deploy", "web@v2")
            wait_until(lambda: self.releases()["v2"] >= 3, "half of it was replaced", every=0.01)
            self.node.kill()
            time.sleep(0.3)
            self.node.start()
            end = self.wait_ended()
            done = self.node.end_of(driver)
        self.assertEqual(done.code, 5, f"who waits hears of it from the next berthd: {done}")
        self.assertEqual((end["state"], end["exit"], end["rejected"]), ("reverted", 5, False))
        self.assertIn("berthd ended while it replaced instances", end["reason"])
        self.assertEqual(load.failed, [], load.summary)
        self.assertWhole("v1")
        self.deploy(self.node, "v2")
        self.assertWhole("v2")


class RollingBySocket(Rolling, StrategyCase):
    routing = "socket"


class RollingByPort(Rolling, StrategyCase):
    routing = "port"


class MoreRolling(StrategyCase):
    def test_a_release_under_which_berthd_dies_three_times_is_rejected(self):
        self.publish(instances=2)
        self.deploy(self.node, "v1")
        self.publish("--start-delay", str(600 * SLOWNESS), instances=2, note="2")
        for time_of_it in (1, 2, 3):
            self.node.berth("deploy", "web@v2", "--no-wait")
            self.wait_state("switching")
            self.node.kill()
            self.node.start()
            self.assertEqual(self.wait_ended()["rejected"], time_of_it == 3)
        self.assertWhole("v1", 2)
        self.assertSays(self.deploy(self.node, "v2", expect=8), "rejected")

    def test_a_port_that_is_reached_in_another_way_is_switched_at_once(self):
        self.publish(instances=2)
        self.deploy(self.node, "v1")
        self.routing = "socket"
        self.publish(instances=2, note="2")
        done = self.deploy(self.node, "v2")
        self.assertSays(done, "switched at once: a port is reached in another way")
        self.assertWhole("v2", 2)

    def test_a_process_without_a_port_is_replaced_by_turns_too(self):
        for note in ("1", "2"):
            self.repo.publish(sample_apps.testapp(self.folder / "worker", app="work", routing=None, serve=False, instances=3, strategy="rolling", more=ROLLING,
                                                  note=note), files={})
            self.deploy(self.node, f"v{note}", "work")
        self.assertOneWholeRelease(self.node, "v2", "work")
        def exits():
            return [one["data"]["instance"] for one in self.node.events() if one["kind"] == "instance.exit" and one["app"] == "work"]
        wait_until(lambda: len(exits()) >= 3, "three ends are told")  # an event is written a moment after the end
        self.assertEqual(exits(), ["work/web.3@v1", "work/web.2@v1", "work/web.1@v1"], "one after the other")


class Canary(StrategyCase):
    def publish_canary(self, *arguments, bake="1500ms", **options):
        return self.publish(*arguments, strategy="canary", more=ROLLING + f'canary = {{ instances = 1, bake = "{bake}" }}\n', **options)

    def test_one_instance_serves_beside_the_old_release_before_the_rest_follows(self):
        self.publish_canary()
        self.deploy(self.node, "v1")
        self.assertNotIn("canary", self.states(), "the first release has nothing to stand beside")
        self.publish_canary(note="2", bake="4s")
        with Load(8080, self.folder, 200) as load:
            driver = self.node.spawn("deploy", "web@v2")
            self.wait_state("canary")
            self.assertEqual(self.releases(), {"v1": 4, "v2": 1})
            wait_until(lambda: self.answers(1)["v2"], "it is in the route")
            seen = self.answers(200)
            self.assertEqual((self.node.active(), self.last()["state"]), ("v1", "canary"))
            self.assertEqual(self.node.end_of(driver).code, 0)
        self.assertEqual(load.failed, [], load.summary)
        self.assertTrue(10 <= seen["v2"] <= 80, f"its share is a fifth: {seen}")
        self.assertEqual(self.states()[-4:], ["canary", "switching", "baking", "active"])
        self.assertWhole("v2")

    def test_trouble_with_the_canary_takes_it_out_and_the_old_release_goes_on(self):
        self.publish_canary()
        self.deploy(self.node, "v1")
        before = self.node.pids()
        self.publish_canary(note="2", bake="90s")
        with Load(8080, self.folder, 100) as load:
            driver = self.node.spawn("deploy", "web@v2")
            self.wait_state("canary")
            wait_until(lambda: "v2" in load.out.read_text(), "it serves")
            (canary,) = [one["pid"] for one in self.node.instances() if one["release"] == "v2"]
            os.kill(canary, signal.SIGTERM)
            done = self.node.end_of(driver)
        self.assertEqual(done.code, 1, done)
        self.assertSays(done, "web/web.1 exited with 0 in the canary's bake", "still runs v1")
        # What was on its way to it when it died may be refused, until it is out of the route.
        self.assertEqual({what for _opened, _ended, what in load.requests if not what.startswith("!")}, {"v1", "v2"})
        self.assertLess(len(load.failed), len(load.requests) // 10, load.summary)
        self.assertTrue(self.last()["rejected"])
        self.assertWhole("v1")
        self.assertEqual(self.node.pids(), before, "nothing of it was touched")

    def test_a_canary_can_be_cancelled_and_a_newer_release_takes_its_place(self):
        self.publish_canary()
        self.deploy(self.node, "v1")
        self.publish_canary(note="2", bake="60s")
        self.node.berth("deploy", "web@v2", "--no-wait")
        self.wait_state("canary")
        self.node.berth("restart", "web", expect=8)
        self.node.berth("cancel", self.last()["id"])
        self.assertEqual(self.wait_ended()["state"], "cancelled")
        self.assertWhole("v1")
        self.assertFalse(self.last()["rejected"])

        self.node.berth("deploy", "web@v2", "--no-wait")
        self.wait_state("canary")
        self.publish_canary(note="3")
        self.deploy(self.node, "v3")
        self.assertEqual([one["state"] for one in self.node.deployments()[:2]], ["active", "superseded"])
        self.assertWhole("v3")

    def test_a_canary_begins_again_after_berthd_was_killed(self):
        self.publish_canary()
        self.deploy(self.node, "v1")
        self.publish_canary(note="2", bake="3s")
        self.node.berth("deploy", "web@v2", "--no-wait")
        self.wait_state("canary")
        self.node.kill()
        self.node.start()
        self.assertEqual(self.wait_ended()["state"], "active")
        self.assertEqual(self.states().count("canary"), 2)
        self.assertWhole("v2")


if __name__ == "__main__":
    unittest.main(verbosity=2)
