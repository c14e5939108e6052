"""Logs of real apps: whose each line is, over switches, restarts and rotations; who may read them, and what `berth logs` finds in them."""
import json
import os
import re
import shutil
import signal
import subprocess
import unittest

from lib import sample_apps
from lib.case import BerthCase
from lib.programs import BERTH
from lib.waiting import wait_until

SAYS = """#!/bin/sh
echo "hello from $BERTH_RELEASE"
echo "WARNING: it begins" >&2
i=0
while :; do
  i=$((i+1))
  echo "line $i of $BERTH_RELEASE"
  sleep 0.005
done
"""


class Logs(BerthCase):
    def setUp(self):
        super().setUp()
        self.node = self.make_node(extra='[api]\ngroup = "daemon"\n').start()

    def publish(self, note):
        tree = sample_apps.Tree(self.folder / "site", "web").put("bin/says", SAYS, 0o755).put("NOTE", note)
        self.repo.publish(tree.spec('app = "web"\n[process.web]\ncommand = ["bin/says"]\n[logs]\nsegment_bytes = "64KiB"\nkeep_bytes = "10MB"\n'
                                    '[deploy]\nbake = "200ms"\n'))

    def records(self, *arguments):
        return [json.loads(line) for line in self.node.berth("logs", "web", "--json", *arguments).out.splitlines()]

    def wait_line(self, text):
        wait_until(lambda: self.node.berth("logs", "web", "--grep", text, "--raw").out, f"'{text}' is in the log")

    def test_each_line_says_whose_it_is_over_a_switch(self):
        for release in ("v1", "v2"):
            self.publish(release)
            self.deploy(self.node, release)
            self.wait_line(f"line 50 of {release}")
        self.node.berth("stop", "web")
        deployments = {one["release"]: one["id"] for one in self.node.deployments()}
        self.node.kill()  # the files are enough

        records = self.records()
        self.assertEqual([one["sequence"] for one in records], list(range(1, len(records) + 1)), "none is missing, none doubled")
        for release, other in (("v1", "v2"), ("v2", "v1")):
            mine = [one for one in records if one["release"] == release]
            self.assertEqual({one["deployment"] for one in mine}, {deployments[release]})
            self.assertEqual(len({one["pid"] for one in mine}), 1)
            self.assertFalse([one for one in mine if f"of {other}" in one["text"]], "a line is the other release's")
            lines = [one["text"] for one in mine if one["text"].startswith("line ")]
            self.assertEqual(lines, [f"line {number} of {release}" for number in range(1, len(lines) + 1)])
            self.assertEqual(self.records("--release", release), mine)
            self.assertEqual(self.node.berth("logs", f"web@{release}", "--raw").out.splitlines(), [one["text"] for one in mine])
        warnings = self.records("--level", "warning")
        self.assertEqual([(one["text"], one["level"], one["stream"]) for one in warnings], [("WARNING: it begins", "warning", "stderr")] * 2)
        self.assertSays(self.node.berth("logs", "web", "--release", "v3", expect=3), "no lines of v3; there are lines of v1, v2")
        said = [re.match(r"\S+ web\.1@(\S+)  ", line) for line in self.node.berth("logs", "web").out.splitlines()]
        self.assertEqual([one and one[1] for one in said], [one["release"] for one in records], "each line tells its release")

    def test_the_run_before_the_present_one(self):
        self.publish("a")
        self.deploy(self.node, "v1")
        (first,) = self.node.pids().values()
        self.wait_line("line 30 ")
        self.node.berth("logs", "web", "--previous", expect=3)
        os.kill(first, signal.SIGKILL)
        wait_until(lambda: set(self.node.pids().values()) - {0, first}, "it runs again")
        wait_until(lambda: [one for one in self.records("--grep", "hello") if one["pid"] != first], "it says so")
        previous = self.records("--previous")
        self.assertEqual({one["pid"] for one in previous}, {first})
        self.assertEqual(previous[0]["text"], "hello from v1")
        self.assertGreaterEqual(len(previous), 30)
        self.assertSays(self.node.berth("logs", "web", "--previous", "-f", expect=2), "--previous", "--follow")

    def test_an_instance_that_writes_where_nobody_looks_any_more_is_told(self):
        self.publish("a")
        self.deploy(self.node, "v1")
        self.wait_line("line 10 ")
        before, after = self.node.logs, self.folder / "elsewhere"
        self.node.stop()
        self.node.configure(self.node.config.read_text().replace(f'logs = "{before}"', f'logs = "{after}"'))
        self.node.start()

        def logs(*options):
            env = {name: value for name, value in os.environ.items() if name != "BERTH_LOGS"} | {"BERTH_SOCKET": str(self.node.socket), "NO_COLOR": "1"}
            return subprocess.run([BERTH, "logs", "web", "-n", "3", *options], env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        got = logs()
        self.assertEqual(got.returncode, 3, got)
        self.assertIn(f"web/web.1 writes below {before} still, since [paths] logs was changed while it ran: 'berth logs web --logs {before}' shows that", got.stderr)
        self.assertIn("of v1", logs("--logs", str(before)).stdout)
        self.assertSays(self.node.berth("doctor", "--config", self.node.config, "--json", expect=None), f"web/web.1 writes its log below {before}, and [paths] logs is {after}")
        for verb in ("stop", "start"):
            self.node.berth(verb, "web")
        wait_until(lambda: "of v1" in logs().stdout, "it writes where it should")
        self.assertEqual(logs().stderr, "")

    def test_a_deployment_and_a_restart_of_berthd_change_no_tag_of_what_runs(self):
        self.publish("a")
        self.deploy(self.node, "v1")
        self.wait_line("line 10 ")
        self.node.kill()
        self.node.start()
        reached = len(self.records())
        wait_until(lambda: len(self.records()) > reached + 20, "it goes on")
        self.assertEqual(len({(one["release"], one["deployment"], one["pid"]) for one in self.records()}), 1)

    def test_who_follows_ends_with_who_reads_it(self):
        self.publish("a")
        self.deploy(self.node, "v1")
        self.wait_line("line 10 ")
        self.node.berth("stop", "web")  # nothing is written any more
        for command in (("logs", "web", "-f"), ("events", "-f")):
            client = self.node.spawn(*command)
            self.assertTrue(client.stdout.readline())
            client.stdout.close()
            with client:
                self.assertEqual(client.wait(20), -signal.SIGPIPE, command)

    def test_members_of_the_group_read_them_and_others_do_not(self):
        self.publish("a")
        self.deploy(self.node, "v1")
        self.wait_line("line 300 ")
        self.assertGreater(len(list((self.node.logs / "web" / "web.1").iterdir())), 0)
        self.node.kill()
        program = self.folder / "berth"
        shutil.copyfile(BERTH, program)
        program.chmod(0o755)

        def read_as(user, group):
            return subprocess.run([program, "logs", "web", "--grep", "line 300 ", "--raw", "--logs", self.node.logs], user=user, group=group, extra_groups=[],
                                  cwd="/", capture_output=True, text=True, check=False)
        member = read_as(65534, 1)
        self.assertEqual((member.returncode, member.stdout), (0, "line 300 of v1\n"), member.stderr)
        stranger = read_as(33, 33)
        self.assertEqual((stranger.returncode, stranger.stdout), (7, ""), stranger.stderr)
        self.assertIn("are closed to you: use sudo", stranger.stderr)

    def test_logs_of_a_node_that_had_no_group_are_shared_when_berthd_starts(self):
        self.publish("a")
        self.node.configure(self.node.config.read_text().replace('group = "daemon"', 'group = ""'))
        self.node.stop()
        shutil.rmtree(self.node.logs)
        self.node.start()
        self.deploy(self.node, "v1")
        self.wait_line("line 10 ")
        folder = self.node.logs / "web" / "web.1"
        self.assertEqual(folder.stat().st_gid, 0)
        self.node.configure(self.node.config.read_text().replace('group = ""', 'group = "daemon"'))
        self.node.stop()
        self.node.start()
        for path in (self.node.logs, folder.parent, folder, *folder.iterdir()):
            self.assertEqual(path.stat().st_gid, 1, path)

    def test_a_colour_for_each_instance_where_it_is_asked_for(self):
        self.publish("a")
        self.deploy(self.node, "v1")
        self.wait_line("line 10 ")
        plain, coloured = (self.node.berth("logs", "web", "--grep", "hello", "--color", when).out for when in ("auto", "always"))
        self.assertNotIn("\x1b[", plain)
        self.assertIn("\x1b[", coloured)
        self.assertSays(self.node.berth("logs", "web", "--color", "sometimes", expect=2), "sometimes", "always")


if __name__ == "__main__":
    unittest.main()
