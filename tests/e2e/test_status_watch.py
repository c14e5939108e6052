"""`berth status --watch`: a screen that is drawn over, keys and signals, a berthd that goes away, and what is printed where there is no terminal."""
import json
import os
import signal
import termios
import time
import unittest

from lib import sample_apps
from lib.case import BerthCase
from lib.programs import PATIENCE
from lib.terminal import Shown, Terminal
from lib.waiting import wait_until

SHOWN_TO_A_SHELL = termios.ICANON | termios.ECHO | termios.ISIG


class StatusWatch(BerthCase):
    def setUp(self):
        super().setUp()
        self.node = self.make_node().start()
        for note in ("1", "2"):
            self.repo.publish(sample_apps.testapp(self.folder / "site", note=note))
        self.deploy(self.node, "v1")

    def watch(self, *arguments, rows=24, columns=100, **options):
        self.rows, self.columns = rows, columns
        self.terminal = Terminal(self.node, "status", "--watch", "--interval", "200ms", *arguments, rows=rows, columns=columns, kind="xterm", **options)
        return self.terminal

    def shown(self):
        return Shown(self.terminal.seen, self.rows, self.columns)

    def until(self, *words, without=(), seconds=20):
        """Waits until the screen has these words; what it shows then."""
        end = time.monotonic() + seconds * PATIENCE
        while True:
            whole = self.terminal.seen[:self.terminal.seen.rfind("\x1b[?2026l") + 8]
            shown = Shown(whole, self.rows, self.columns)
            if shown.modes["1049"] and all(word in shown.text for word in words) and not any(word in shown.text for word in without):
                return shown
            self.assertLess(time.monotonic(), end, f"no {words} in:\n{shown.text}")
            self.assertTrue(self.terminal.read(1), f"it ended:\n{self.shown().text}\n{self.terminal.seen!r}")

    def assertPutBack(self):
        """The first screen is shown again, with its cursor and what it was, and keys are those of a shell."""
        shown = self.shown()
        self.assertEqual(shown.modes, {"7": True, "25": True, "1049": False, "2026": False})
        self.assertEqual(shown.text.replace("^C", ""), "")
        self.assertEqual(self.terminal.left & SHOWN_TO_A_SHELL, SHOWN_TO_A_SHELL)

    def test_it_goes_on_showing_what_is_so_until_q(self):
        self.watch()
        shown = self.until("node-1", "web", "v1", "healthy", "every 0.2s")
        self.assertFalse(shown.modes["25"], "the cursor is hidden")
        self.deploy(self.node, "v2")
        self.until("v2", "healthy")
        self.node.berth("stop", "web")
        self.until("stopped")
        self.terminal.type("q")
        self.assertEqual(self.terminal.ended(), 0)
        self.assertPutBack()
        # One write draws over what was there: nothing is wiped first, and nothing scrolls.
        drawn = self.terminal.seen.partition("\x1b[2J")[2]
        self.assertNotIn("\x1b[2J", drawn)
        self.assertEqual(drawn.count("\x1b[?2026h"), drawn.count("\x1b[?2026l"))
        self.assertGreater(drawn.count("\x1b[?2026h"), 3)
        self.assertEqual(self.shown().wraps, 0)

    def test_a_signal_ends_it_and_the_terminal_is_as_it_was(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            with self.subTest(signal=number):
                self.watch("web")
                self.until("web/web.1")
                if number == signal.SIGINT:
                    self.terminal.type("\x03")
                else:
                    os.kill(self.terminal.pid, number)
                self.assertEqual(self.terminal.ended(), -number)
                self.assertPutBack()

    def test_it_gives_the_terminal_back_while_it_is_stopped(self):
        self.watch()
        self.until("healthy")
        self.terminal.type("\x1a")  # alone in its session, it is not stopped, but goes on at once
        wait_until(lambda: self.terminal.read(0.1) and self.terminal.seen.count("\x1b[?1049h") == 2, "the screen is taken again")
        self.assertEqual(self.terminal.seen.count("\x1b[?1049l"), 1)
        self.until("healthy")
        self.terminal.type("q")
        self.assertEqual(self.terminal.ended(), 0)
        self.assertPutBack()

    def test_it_follows_the_size_of_the_terminal(self):
        self.watch("web", rows=24, columns=150)
        self.until("INSTANCE", "web/web.1")
        before = len(self.terminal.seen)
        self.rows, self.columns = 4, 24
        self.terminal.resize(4, 24)

        def small():
            self.terminal.read(0.1)
            return "more" in self.terminal.seen[before:]
        wait_until(small, "it says that there is more")
        wait_until(lambda: self.terminal.read(0.1) and self.terminal.seen.endswith("\x1b[?2026l"), "a whole picture")
        picture = Shown("\x1b[?1049h" + self.terminal.seen[self.terminal.seen.rfind("\x1b[?2026h"):], 4, 24)
        self.assertEqual(picture.wraps, 0)
        self.assertRegex(picture.lines[-1], r"^… \d+ more$")
        before = len(self.terminal.seen)
        self.rows, self.columns = 30, 150
        self.terminal.resize(30, 150)
        wait_until(lambda: self.terminal.read(0.1) and "web/web.1" in self.terminal.seen[before:], "all is shown again")
        self.terminal.type("q")
        self.assertEqual(self.terminal.ended(), 0)

    def test_it_says_when_berthd_is_away_and_goes_on_when_it_is_back(self):
        self.watch()
        self.until("web", "healthy")
        self.node.kill()
        shown = self.until("No answer since", "what follows was so at", "healthy")
        self.assertLess(shown.text.index("No answer"), shown.text.index("healthy"))
        self.node.start()
        self.until("web", "healthy", without=["No answer"])
        # One that has the call and says nothing keeps no key waiting.
        os.kill(self.node.process.pid, signal.SIGSTOP)
        try:
            self.until("No answer since", "says nothing")
            self.terminal.type("q")
            self.assertEqual(self.terminal.ended(), 0)
        finally:
            os.kill(self.node.process.pid, signal.SIGCONT)
        self.assertPutBack()

    def test_it_may_begin_before_berthd(self):
        self.node.stop()
        self.watch()
        self.until("No answer since", "berthd does not run")
        self.node.start()
        self.until("web", "healthy", without=["No answer"])
        self.terminal.type("q")
        self.assertEqual(self.terminal.ended(), 0)

    def test_an_app_that_is_not_there_is_a_failure_as_without_watch(self):
        self.watch("blog")
        self.assertEqual(self.terminal.ended(), 3)
        self.assertIn("blog", self.shown().text)
        self.assertFalse(self.shown().modes["1049"])

    def test_without_a_terminal_it_prints_documents_or_refuses(self):
        self.assertSays(self.node.berth("status", "--watch", expect=2), "no terminal", "--json")
        self.assertSays(self.node.berth("status", "--interval", "1s", expect=2), "--interval is for --watch")
        self.assertSays(self.node.berth("status", "-w", "--json", "--interval", "10ms", expect=2), "100ms")
        self.assertSays(self.node.berth("status", "blog", "-w", "--json", expect=3), "blog")
        client = self.node.spawn("status", "web", "-w", "--json", "--interval", "100ms")
        looks = [json.loads(client.stdout.readline()) for _ in range(3)]
        self.assertEqual({one["active"] for one in looks}, {"v1"})
        self.node.kill()
        self.assertEqual(json.loads(client.stderr.readline())["code"], "unreachable")
        self.node.start()
        self.deploy(self.node, "v2")
        wait_until(lambda: json.loads(client.stdout.readline())["active"] == "v2", "it goes on")
        client.send_signal(signal.SIGINT)
        self.assertEqual(self.node.end_of(client).code, -signal.SIGINT)


if __name__ == "__main__":
    unittest.main()
