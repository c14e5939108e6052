"""`berth --node`: nodes that are driven from a machine that has no berthd."""
import json
import os
import subprocess
import threading
import unittest

from lib import sample_apps
from lib.programs import BERTH
from lib.remote import PORT, RemoteCase
from lib.terminal import Shown, Terminal
from lib.waiting import wait_until


class CommandLine(RemoteCase):
    """`berth --node`."""

    def setUp(self):
        super().setUp()
        config = self.folder / "home/.config/berth"
        config.mkdir(parents=True)
        # The second address is of the same node, as if it were another one.
        (config / "nodes.toml").write_text(f'''
ca_file = "{self.pki.folder}/ca.pem"
certificate_file = "{self.pki.folder}/ci.pem"
key_file = "{self.pki.folder}/ci.key"
[edge-1]
address = "localhost"
[edge-2]
address = "127.0.0.1:{PORT}"
[watched]
address = "localhost:{PORT}"
certificate_file = "{self.pki.folder}/watch.pem"
key_file = "{self.pki.folder}/watch.key"
[of-blog]
address = "localhost:{PORT}"
certificate_file = "{self.pki.folder}/blog.pem"
key_file = "{self.pki.folder}/blog.key"
''')
        for number in (1, 2):
            self.publish(note=str(number))
        self.start()

    def elsewhere(self):
        """The environment of a machine that has no berthd."""
        return {"PATH": os.environ["PATH"], "HOME": str(self.folder / "home"), "BERTH_SOCKET": "/nonexistent", "NO_COLOR": "1"}

    def far(self, *arguments, expect=0, nodes="", **variables):
        """`berth ARGUMENT…` on a machine that has no berthd."""
        env = {**self.elsewhere(), **({"BERTH_NODE": nodes} if nodes else {}), **variables}
        got = subprocess.run([str(BERTH), *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, env=env, timeout=120)
        self.assertEqual(got.returncode, expect, got)
        return got

    def test_a_node_is_driven_from_afar(self):
        done = self.far("deploy", "web@v1", "--node", "edge-1", "--reason", "build 7")
        self.assertIn("web@v1", done.stdout)
        self.assertServes("v1")
        self.assertEqual(self.node.deployments()[0]["by"], "ci.example.org (certificate, from 127.0.0.1)")
        self.assertIn("v1", self.far("status", nodes="edge-1").stdout)
        self.assertEqual(json.loads(self.far("status", "web", "--json", "--node", f"localhost:{PORT}").stdout)["active"], "v1")
        self.assertIn("build 7", self.far("history", "web", nodes="edge-1").stdout + self.far("events", nodes="edge-1").stdout)
        self.far("deploy", "web@v2", "--node", "edge-1")
        self.far("revert", "web", "--node", "edge-1")
        self.assertServes("v1")
        refused = self.far("stop", "web", "--node", "edge-1", expect=7)
        self.assertIn("needs the role operator", refused.stderr)
        self.assertIn("needs the role deployer", self.far("deploy", "web@v2", "--node", "watched", expect=7).stderr)
        self.assertIn("copy it to edge-1", self.far("deploy", "./web.berth", "--node", "edge-1", expect=2).stderr)

    def test_several_nodes_are_asked_each(self):
        self.far("deploy", "web@v1", "--node", "edge-1", "--node", "edge-2")
        both = self.far("apps", "--node", "edge-2", "--node", "edge-1").stdout.splitlines()
        self.assertTrue(any(line.startswith("edge-2: web") for line in both) and any(line.startswith("edge-1: web") for line in both), both)
        self.assertLess(max(i for i, line in enumerate(both) if line.startswith("edge-2: ")), min(i for i, line in enumerate(both) if line.startswith("edge-1: ")))
        answers = [json.loads(line) for line in self.far("status", "web", "--json", nodes="edge-1,edge-2").stdout.splitlines()]
        self.assertEqual([(one["node"], one["answer"]["active"]) for one in answers], [("edge-1", "v1"), ("edge-2", "v1")])
        # As a screen that goes on, they are one.
        terminal = Terminal(None, "status", "--watch", "--node", "edge-1", "--node", "edge-2", kind="xterm", env=self.elsewhere())
        wait_until(lambda: terminal.read(0.1) and Shown(terminal.seen).text.count("healthy") == 2, "both are shown")
        for name in ("--node edge-1", "--node edge-2"):
            self.assertIn(name, Shown(terminal.seen).text)
        terminal.type("q")
        self.assertEqual(terminal.ended(), 0)
        # What changes something goes no further than the first that fails.
        stopped = self.far("deploy", "web@v2", "--node", "watched", "--node", "edge-1", expect=7)
        self.assertIn("watched: berth: ", stopped.stderr)
        self.assertIn("stopped at the first that failed; nothing was asked of edge-1", stopped.stderr)
        self.assertServes("v1")
        self.far("deploy", "web@v2", "--node", "edge-1", "--node", "watched", expect=7)
        self.assertServes("v2")

    def run_printing(self, lines_per_second):
        release = self.repo.publish(sample_apps.testapp(self.folder / "web", "--lines", str(lines_per_second)))
        self.deploy(self.node, release)
        wait_until(lambda: "line 60\n" in self.node.berth("logs", "web").out, "it wrote")

    def test_logs_are_those_that_the_node_itself_shows(self):
        self.run_printing(100)
        self.node.berth("stop", "web")
        # A regular expression is matched by the command line: its length is nobody else's concern.
        long = "line [1-4]0$|" + "x" * 1500
        for options in ([], ["--json"], ["-n", "5"], ["-n", "5", "--json"], ["--grep", "line 3"], ["--raw"], ["--since", "1h", "--stream", "stdout"], ["--grep", "line [12]0$", "--regex"],
                        ["--grep", long, "--regex", "-n", "3"], ["--grep", long, "--regex", "--json", "-n", "3"], ["--grep", "^line [0-9]+", "--regex", "--raw"]):
            with self.subTest(options=options):
                here = self.node.berth("logs", "web", *options).out
                self.assertTrue(here)
                self.assertEqual(self.far("logs", "web", *options, "--node", "edge-1").stdout, here)
        self.assertEqual(self.far("logs", "web", "--grep", "line", "--regex", "-n", "0", "--node", "edge-1").stdout, "")
        self.assertEqual([json.loads(line)["text"] for line in self.far("logs", "web", "--grep", long, "--regex", "--json", "-n", "3", nodes="edge-1").stdout.splitlines()],
                         ["line 20", "line 30", "line 40"])
        self.assertIn("nothing", self.far("logs", "nothing", "--node", "watched", expect=3).stderr)
        self.assertIn("sees nothing of web", self.far("logs", "web", "--node", "of-blog", expect=7).stderr)
        self.assertIn("one node at a time", self.far("logs", "web", "-f", nodes="edge-1 edge-2", expect=2).stderr)

    def follow(self, *options):
        """`berth logs web -f`, the lines that it tells, and what it says beside them."""
        following = subprocess.Popen([str(BERTH), "logs", "web", "-f", "--raw", "--node", "edge-1", *options], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                     env=self.elsewhere())
        self.addCleanup(following.communicate)
        self.addCleanup(following.kill)
        lines, told = [], []
        for stream, into in ((following.stdout, lines), (following.stderr, told)):
            threading.Thread(target=lambda stream=stream, into=into: into.extend(iter(stream.readline, "")), daemon=True).start()
        return following, lines, told

    def test_logs_are_followed_over_a_restart_of_berthd(self):
        self.run_printing(20)
        followed = [self.follow("-n", "2"), self.follow("-n", "2", "--grep", "^line [0-9]+$", "--regex"), self.follow("-n", "0", "--grep", "^line [0-9]+$", "--regex"),
                    self.follow("--since", "1h", "--grep", "^line [0-9]+$", "--regex")]
        for _, lines, _ in followed:
            wait_until(lambda: len(lines) > 30, "new lines come")
        self.node.kill()
        for _, _, told in followed:
            wait_until(lambda: any("its logs broke off" in line and "waiting for it to come back" in line for line in told), "it says what it waits for")
        def newest(lines):
            return max(int(line.split()[1]) for line in lines if line.startswith("line "))
        while_away = max(newest(lines) for _, lines, _ in followed)
        self.node.start()
        for following, lines, told in followed:
            wait_until(lambda: newest(lines) > while_away + 40, "it goes on")
            self.assertIsNone(following.poll())
            following.kill()
            following.wait()
            self.assertEqual(len(told), 1, told)
            numbers = [int(line.split()[1]) for line in lines if line.startswith("line ")]
            self.assertGreater(len(numbers), 20)
            self.assertEqual(numbers, list(range(numbers[0], numbers[0] + len(numbers))), "none is lost or doubled")
        self.assertGreater(int(followed[1][1][0].split()[1]), 50, "-n says where it begins")
        self.assertEqual(followed[3][1][0].split()[1], "1")

    def test_events_are_followed_over_a_restart_of_berthd(self):
        self.deploy(self.node, "v1")
        following = subprocess.Popen([str(BERTH), "events", "-f", "--node", "edge-1"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=self.elsewhere())
        self.addCleanup(following.communicate)
        self.addCleanup(following.kill)
        lines, told = [], []
        for stream, into in ((following.stdout, lines), (following.stderr, told)):
            threading.Thread(target=lambda stream=stream, into=into: into.extend(iter(stream.readline, "")), daemon=True).start()
        wait_until(lambda: lines, "it tells what happened")
        self.node.kill()
        wait_until(lambda: any("waiting for it to come back" in line for line in told), "it says what it waits for")
        before = len(lines)
        self.node.start()
        self.node.berth("restart", "web")
        wait_until(lambda: len(lines) > before, "it goes on")
        self.assertIsNone(following.poll())
        numbers = [int(line.split()[0]) for line in lines]
        self.assertEqual(numbers, list(range(numbers[0], numbers[0] + len(numbers))), "none is lost or doubled")

    def test_a_release_without_lines_is_told_as_at_the_node(self):
        self.run_printing(20)
        for options in ([], ["--json"], ["--grep", "^line", "--regex"]):
            with self.subTest(options=options):
                got = self.far("logs", "web@v99", "--node", "edge-1", *options, expect=3)
                self.assertEqual(got.stdout, "")
                self.assertIn("no lines of v99; there are lines of v", got.stderr)
        release = self.node.berth("status", "web", "--json").json()["active"]
        self.assertEqual(self.far("logs", f"web@{release}", "--grep", "no such line", "--node", "edge-1").stdout, "", "it has lines, though none with that text")

    def test_a_node_that_is_not_whom_it_should_be_is_refused(self):
        told = self.far("status", "--node", "edge-1", expect=6, BERTH_CA_FILE=str(self.pki.folder / "other-ca.pem")).stderr
        self.assertIn("no authority that is trusted here", told)
        (self.folder / "home/.config/berth/nodes.toml").chmod(0o644)
        (self.pki.folder / "ci.key").chmod(0o644)
        self.assertIn("chmod 600", self.far("status", "--node", "edge-1", expect=7).stderr)

    def test_who_is_refused_for_his_certificate_hears_what_to_do(self):
        self.pki.issue("forged", "DNS:ci.example.org", ca="other-ca")
        self.pki.issue("late", "DNS:ci.example.org", -1)
        for who, why in (("forged", "by alert 48 (unknown CA): it is of no authority that is trusted there"), ("late", "by alert 45 (certificate expired): it ended at 20")):
            files = {f"BERTH_{key}_FILE": str(self.pki.folder / f"{who}.{end}") for key, end in (("CERTIFICATE", "pem"), ("KEY", "key"))}
            told = self.far("status", "--node", "edge-1", expect=7, **files).stderr
            for part in ("lets you in no further: it refused the client certificate ", f"{who}.pem {why}", "'berth ca sign' does"):
                self.assertIn(part, told)
            self.assertEqual(told.count("\n"), 1, told)


if __name__ == "__main__":
    unittest.main()
