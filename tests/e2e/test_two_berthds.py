"""Two berthds in one network: one alone has the table of nftables, and the other one says so instead of routing to nowhere."""
import json
import os
import subprocess
import unittest

from lib import sample_apps
from lib.case import BerthCase
from lib.load import one_request
from lib.programs import BERTH
from lib.waiting import wait_until


class TwoBerthds(BerthCase):
    def setUp(self):
        super().setUp()
        for app, port, routing in (("web", 8080, "port"), ("shop", 8090, "port"), ("blog", 8091, "socket")):
            tree = sample_apps.testapp(self.folder / app, app=app, port=port, routing=routing)
            self.repo.configure()
            self.repo.publish(tree)
        self.first = self.make_node("a", name="first").start()
        self.second = self.make_node("b", name="second", metrics_port=9465).start()
        self.deploy(self.first, "v1")
        self.assertServes("v1")

    def told(self, node, kind):
        return [event for event in node.events() if event["kind"] == kind]

    def doctor(self, node):
        env = {**os.environ, "BERTH_SOCKET": str(node.socket), "NO_COLOR": "1"}
        got = subprocess.run([str(BERTH), "doctor", "--json", "--config", str(node.config)], env=env, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        return [one for one in json.loads(got.stdout)["findings"] if one["level"] != "ok" and "inet berth" in json.dumps(one)]

    def assertRefused(self, *words):
        done = self.deploy(self.second, "v1", "shop", expect=None)
        self.assertNotEqual(done.code, 0, done)
        self.assertSays(done, "port 8090 of shop/web", "inet berth", *words)
        self.assertNotIn("switching", done.text)
        self.assertServes("v1")

    def test_the_second_one_is_refused_before_its_decision_and_the_first_one_has_no_trouble(self):
        self.assertRefused(f"berthd (pid {self.first.process.pid}, state {self.first.state})", "socket", "network namespace")
        self.deploy(self.second, "v1", "blog")
        self.assertServes("v1", 8091)
        self.second.kill()
        self.second.start()
        self.second.berth("restart", "blog")
        self.assertServes("v1")
        self.assertEqual(self.told(self.first, "route.repaired"), [], "nobody touched its table")

        [finding] = self.doctor(self.second)
        self.assertIn(f"pid {self.first.process.pid}", finding["seen"])
        self.assertIn(str(self.first.state), finding["seen"])
        self.assertNotIn("nft delete", json.dumps(finding))
        self.assertEqual(self.doctor(self.first), [])

    def test_who_is_away_for_a_moment_keeps_its_table(self):
        for _ in range(3):
            self.first.kill()
            self.assertRefused("8080", "does not run now", "nft delete table inet berth")
            self.second.kill()
            self.second.start()
            [finding] = self.doctor(self.second)
            self.assertIn("does not run now", finding["seen"])
            self.first.start()
            self.first.berth("restart", "web")
            self.assertServes("v1")
        self.assertEqual(self.told(self.first, "route.repaired"), [])

    def test_the_second_one_may_when_the_first_one_needs_the_table_no_more(self):
        self.assertRefused()
        self.first.berth("remove", "web", "--yes")
        self.deploy(self.second, "v1", "shop")
        self.assertServes("v1", 8090)
        done = self.deploy(self.first, "v1", expect=None)
        self.assertSays(done, f"berthd (pid {self.second.process.pid}, state {self.second.state})")

    def test_rules_of_a_berthd_that_is_gone_with_its_apps_keep_nobody_out(self):
        self.first.cut_power()
        self.deploy(self.second, "v1", "shop")
        self.assertServes("v1", 8090)
        self.assertNotIn("dport 8080", subprocess.run(["nft", "list", "table", "inet", "berth"], capture_output=True, text=True).stdout)
        self.first.start()
        wait_until(lambda: "inet berth" in self.first.app()["problem"], "the first one says that it has no route")
        self.second.berth("remove", "shop", "--yes")
        self.await_serves("v1")
        wait_until(lambda: self.first.app()["problem"] == "", "and that it has one again")


class Lost(BerthCase):
    def test_a_route_that_cannot_be_put_back_is_told_until_it_is_there_again(self):
        self.repo.configure()
        self.repo.publish(sample_apps.testapp(self.folder / "web"))
        node = self.make_node().start()
        self.deploy(node, "v1")
        wait_until(lambda: node.app()["health"] == "healthy", "the bake is over")
        # A table with an owner can be changed by nobody else, and goes with it.
        nft = subprocess.Popen(["nft", "-i"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True)
        try:
            nft.stdin.write("delete table inet berth; add table inet berth { flags owner; }\n")
            nft.stdin.flush()
            lost = wait_until(lambda: [event for event in node.events() if event["kind"] == "route.lost"], "it is an event")
            self.assertIn("inet berth", lost[0]["data"]["reason"])
            self.assertIn("inet berth", node.app()["problem"])
            self.assertSays(node.berth("status", "web", expect=None), "could not be put back")
            self.assertRaises(OSError, one_request, 8080)
        finally:
            nft.communicate()
        self.await_serves("v1")
        wait_until(lambda: node.app()["problem"] == "", "it is no problem any more")
        self.assertEqual(len([event for event in node.events() if event["kind"] == "route.lost"]), 1)
        wait_until(lambda: [event for event in node.events() if event["kind"] == "route.repaired"], "and that it is back is an event")


if __name__ == "__main__":
    unittest.main()
