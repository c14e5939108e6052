"""Ctrl-C while a deployment is watched: it is asked what is meant, and done."""
import signal
import unittest

from lib import sample_apps
from lib.case import BerthCase
from lib.terminal import Terminal
from lib.waiting import wait_until


class Interrupt(BerthCase):
    def setUp(self):
        super().setUp()
        self.node = self.make_node().start()
        self.repo.publish(sample_apps.testapp(self.folder / "site", "--never-ready", ready_timeout="10m", note="1"))
        self.repo.publish(sample_apps.testapp(self.folder / "site", note="two", bake="10m"))

    def state(self):
        told = self.node.berth("history", "web", "--json", expect=None)
        return next((one["state"] for one in told.json()["deployments"]), "") if told.code == 0 else ""

    def test_whoever_sits_there_is_asked(self):
        terminal = Terminal(self.node, "deploy", "web@v1")
        wait_until(lambda: self.state() == "starting", "it starts")
        terminal.type("\x03")
        terminal.until("Deployment 1 of web@v1 is starting: Enter leaves it running, c cancels it: ")
        terminal.type("c\n")
        self.assertEqual(terminal.ended(), 8)
        self.assertIn("cancelled", terminal.seen)
        self.assertEqual(self.state(), "cancelled")

        for key in ("\n", "no\n", "\x03"):
            with self.subTest(key=key):
                terminal = Terminal(self.node, "deploy", "web@v1")
                terminal.until("starting")
                terminal.type("\x03")
                terminal.until("c cancels it: ")
                terminal.type(key)
                self.assertEqual(terminal.ended(), 130)
                self.assertIn("goes on; see: berth status web", terminal.seen)
                self.assertEqual(self.state(), "starting")
                self.node.berth("cancel", "web")

    def test_what_is_decided_is_reverted_and_not_cancelled(self):
        terminal = Terminal(self.node, "deploy", "web@v2")
        terminal.until("baking")
        wait_until(lambda: self.state() == "baking", "it bakes")
        terminal.until("baking")
        terminal.type("\x03")
        self.assertEqual(terminal.ended(), 130)
        self.assertIn("goes on; see: berth status web; berth history web; berth revert web", terminal.seen)
        self.assertNotIn("cancel", terminal.seen)

    def test_who_is_asked_while_it_is_decided_is_told(self):
        self.repo.publish(sample_apps.testapp(self.folder / "site", "--start-delay", "4000", bake="10m", note="slow"))
        terminal = Terminal(self.node, "deploy", "web@v3")
        terminal.until("starting")
        terminal.type("\x03")
        terminal.until("c cancels it: ")
        terminal.until("and cannot be cancelled any more. Enter leaves it running: ", 30)
        terminal.type("c\n")
        self.assertEqual(terminal.ended(), 130)
        self.assertIn("goes on; see: berth status web; berth history web; berth revert web", terminal.seen)
        self.assertIn(self.state(), ("baking", "switching"))

    def test_a_restart_goes_on(self):
        self.repo.publish(sample_apps.testapp(self.folder / "site", "--start-delay", "3000", note="slow"))
        self.node.berth("deploy", "web@v3")
        client = self.node.spawn("restart", "web")
        wait_until(lambda: [event for event in self.node.events() if event["kind"] == "operator.restart"], "it is asked for")
        client.send_signal(signal.SIGINT)
        done = self.node.end_of(client)
        self.assertEqual(done.code, 130, done)
        self.assertIn("berth: what was asked for goes on; see: berth status web", done.err)
        self.node.wait_app(health="healthy")

    def test_without_a_terminal_it_goes_on(self):
        client = self.node.spawn("deploy", "web@v1")
        wait_until(lambda: self.state() == "starting", "it starts")
        client.send_signal(signal.SIGINT)
        done = self.node.end_of(client)
        self.assertEqual(done.code, 130)
        self.assertIn("goes on; see: berth status web; berth history web; berth cancel 1", done.err)
        self.assertEqual(self.state(), "starting")


if __name__ == "__main__":
    unittest.main()
