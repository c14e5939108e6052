"""What berth prints at a terminal: as wide as that is, in the characters that it has, and with no more of its sequences than it obeys; and where it asks."""
import os
import re
import unittest
from unittest import mock

from lib import sample_apps
from lib.case import BerthCase
from lib.terminal import Terminal
from lib.web import RepositoryServer

UTF8 = {"LC_ALL": "", "LC_CTYPE": "", "LANG": "C.UTF-8"}
ASCII = {**UTF8, "LANG": "C"}
REASON = "größer als zuvor → nächste Version, " * 8


class Terminals(BerthCase):
    def setUp(self):
        super().setUp()
        self.node = self.make_node().start()

    def publish(self, *arguments, **options):
        return self.repo.publish(sample_apps.testapp(self.folder / "site", *arguments, **options))

    def at(self, *arguments, columns=80, env=UTF8, expect=0, kind="xterm"):
        """All that is written to a terminal."""
        terminal = Terminal(self.node, *arguments, columns=columns, kind=kind, env=env)
        self.assertEqual(terminal.ended(), expect, terminal.seen)
        self.assertNotIn("\ufffd", terminal.seen)
        return terminal.seen

    def lines(self, *arguments, **more):
        return self.at(*arguments, **more).split("\r\n")

    def test_of_status_deploy_history_and_why_at_two_widths_with_and_without_utf8(self):
        self.publish(note="1")
        self.publish(note="2", bake="2s")
        self.publish("--never-ready", note="3", ready_timeout="2s")
        self.deploy(self.node, "v1")
        for env in (UTF8, ASCII):
            for columns in (80, 200):
                with self.subTest(env=env["LANG"], columns=columns):
                    seen = self.at("deploy", "web@v3", "--force", "--reason", REASON, env=env, columns=columns, expect=1)
                    drawn = re.findall(r"\r\x1b\[K(web@v3 starting[^\r]*)", seen)
                    self.assertTrue(drawn, seen)
                    self.assertTrue(all(line.endswith(" ..." if env is ASCII else " …") and len(line) < columns for line in drawn), drawn)
                    self.assertIn("web@v3 failed: not ready within 2s", seen)
                    why, history, status = (self.at(*call, env=env, columns=columns) for call in (("why", "web"), ("history", "web"), ("status",)))
                    for text, arrow in ((why, "was asked for by"), (history, "->" if env is ASCII else "→"), (status, "web")):
                        self.assertIn(arrow, text)
                        if env is ASCII:
                            self.assertTrue(text.isascii(), text)
                    self.assertIn("gr\\u00f6\\u00dfer" if env is ASCII else "größer", history)
                    asked = next(line for line in why.split("\r\n") if "was asked for by" in line)
                    self.assertEqual(len(asked), columns, asked)
                    self.assertTrue(asked.endswith("..." if env is ASCII else "…"), asked)

    def test_of_tables_ends_where_the_terminal_does(self):
        self.publish()
        self.deploy(self.node, "v1")
        self.node.berth("hold", "web", "--reason", REASON)
        for env, dots in ((UTF8, "…"), (ASCII, "...")):
            for columns in (80, 200):
                row = next(line for line in self.lines("status", columns=columns, env=env) if line.startswith("web "))
                self.assertEqual((len(row), row.endswith(dots)), (columns, True), row)
        rows = [line for line in self.lines("gc", "--dry-run", columns=40) if line.startswith("web@")]
        self.assertTrue(rows and all(len(row) <= 40 for row in rows) and any(row.endswith("…") for row in rows), rows)

    def test_of_what_is_no_terminal_is_utf8_in_any_locale(self):
        self.publish()
        self.deploy(self.node, "v1")
        with mock.patch.dict(os.environ, ASCII):
            self.assertIn("→", self.node.berth("history", "web").out)

    def test_of_a_dumb_one_has_no_sequences(self):
        self.publish()
        seen = self.at("deploy", "web@v1", kind="dumb")
        self.assertNotIn("\x1b", seen)
        self.assertNotIn("\r", seen.replace("\r\n", ""))
        self.assertIn("web@v1: starting\r\n", seen)

    def test_of_what_is_fetched_tells_how_quickly_and_how_long(self):
        server = RepositoryServer(self.repo.folder, 8900)
        self.addCleanup(server.close)
        slow = self.make_node("slow", repository=server.url, metrics_port=9465)
        slow.configure(slow.config.read_text().replace("[repository]", '[repository]\nrate_limit = "200kB"'))
        self.node = slow.start()
        self.repo.publish(sample_apps.testapp(self.folder / "site", port=8081).put("big.bin", os.urandom(1_600_000)))
        seen = self.at("deploy", "web@v1", columns=120)
        told = re.findall(r"web@v1 fetching \[[#.]+\] [\d.]+ [kM]?B of [\d.]+ MB, [\d.]+ [kM]?B/s, \d+s left", seen)
        self.assertTrue(told, seen)
        first = re.search(r"\r\x1b\[K(web@v1 fetching [^\r]*)", seen)[1]
        self.assertNotIn("/s", first, "at first nobody knows")

    def test_of_a_drain_begins_with_a_question(self):
        self.publish()
        self.deploy(self.node, "v1")
        terminal = Terminal(self.node, "node", "drain")
        terminal.until("This stops the one app of node-1, and no deployment is taken until 'berth node resume'. Type node-1 to go on: ")
        terminal.type("yes\n")
        self.assertEqual(terminal.ended(), 8)
        self.assertIn("nothing was stopped", terminal.seen)
        self.assertServes("v1")
        terminal = Terminal(self.node, "node", "drain")
        terminal.until("to go on: ")
        terminal.type("node-1\n")
        self.assertEqual(terminal.ended(), 0)
        self.assertIn("The node is drained", terminal.seen)
        self.assertNotIn("to go on", self.at("node", "drain"), "it is drained already")
        self.node.berth("node", "resume")
        self.assertNotIn("to go on", self.at("node", "drain", "--yes"))


if __name__ == "__main__":
    unittest.main()
