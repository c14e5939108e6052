"""Lines brought to a node's own journald: while it is restarted, with its limits of rates on and lifted, and while the clock jumps."""
import json
import unittest
from collections import Counter

from lib import sample_apps, uml
from lib.repo import Repo
from lib.uml import UmlCase

LINES = 10_000
CONFIG = uml.CONFIG + """url = "file:///srv/repository"
[[sink]]
name = "journal"
kind = "journald"
apps = ["restarted", "limited", "clock"]
[[sink]]
name = "agent"
kind = "file"
path = "/run/agent/clock.jsonl"
apps = ["clock"]
"""
JOURNALD = "[Journal]\nStorage=volatile\nRuntimeMaxUse=150M\nRateLimitIntervalSec=1h\nRateLimitBurst=1000\n"
NUMBERED = f"""#!/usr/bin/perl
$| = 1;
for my $n (1 .. {LINES}) {{
  print "line $n of a hundred and some bytes, as lines of servers have them: GET /index.html HTTP/1.1 200 512\\n";
  select undef, undef, undef, 0.1 if $n % 100 == 0;
}}
open my $file, ">", "$ENV{{BERTH_DATA_DIR}}/written";
close $file;
sleep 1000;
"""


class Journal(UmlCase):
    CONFIG = CONFIG
    UNITS = ("job.service", "state-disk.service")
    PROGRAMS = (("journal-job", "job"),)

    def setUp(self):
        super().setUp()
        limits = self.tree / "etc/systemd/journald.conf.d"
        limits.mkdir(parents=True)
        (limits / "test.conf").write_text(JOURNALD)
        self.make_disk()
        repo = Repo(self.folder)
        for app in ("restarted", "limited", "clock"):
            tree = sample_apps.Tree(self.folder / app, app).put("bin/numbered", NUMBERED, 0o755)
            repo.publish(tree.spec(f'app = "{app}"\n[process.web]\ncommand = ["bin/numbered"]\n[deploy]\nbake = "0s"\n[logs]\nsegment_bytes = "64KiB"\nkeep_bytes = "64MiB"\n'))
        self.bring(repo)

    def out(self, name):
        path = self.tree / "out" / name
        self.assertTrue(path.exists(), f"{name} is missing\n{self.report()}")
        return path.read_text(errors="replace")

    def count(self, app):
        """Lost and doubled in the journal, and what berthd counts as shipped."""
        found = Counter(int(line) for line in self.out(f"{app}.sequences").split())
        sinks = {sink["sink"]: sink for sink in json.loads(self.out(f"{app}.status"))["sinks"]}
        self.assertEqual({(sink["state"], sink["lost"]) for sink in sinks.values()}, {("up to date", 0)}, self.report())
        lost, doubled = sum(number not in found for number in range(1, LINES + 1)), sum(found.values()) - len(found)
        return lost, doubled, sinks["journal"]["shipped"]

    def test_what_is_brought_to_the_nodes_own_journal(self):
        self.boot("journal")
        self.await_power_off(400)
        self.assertEqual(self.out("limits").split(), ["10000000", "1000000"], "what berthd.service says has come to journald")
        restarts = len(self.out("restarted.restarts").splitlines())
        lost, doubled, _ = self.count("restarted")
        print(f"journald restarted {restarts} times, its limit lifted for berthd: {LINES} lines, {lost} lost, {doubled} doubled", flush=True)
        self.assertGreater(restarts, 1)
        self.assertEqual((lost, doubled), (0, 0), self.report())

        turns = len(self.out("clock.turns").splitlines())
        lost, doubled, _ = self.count("clock")
        agent = Counter(json.loads(line)["sequence"] for line in self.out("clock.jsonl").splitlines())
        print(f"the clock turned {turns} times by a day or two: {LINES} lines, {lost} lost, {doubled} doubled; in a file {LINES - len(agent)} lost", flush=True)
        self.assertGreater(turns, 2)
        self.assertEqual((lost, doubled), (0, 0), self.report())
        self.assertEqual(agent, Counter(range(1, LINES + 1)))

        lost, doubled, shipped = self.count("limited")
        print(f"journald's limit on: {LINES} lines, {lost} lost, {doubled} doubled; berthd counts {shipped} as shipped", flush=True)
        self.assertGreater(lost, LINES // 2, "journald drops what is over its limit")
        self.assertEqual(shipped, LINES, "and tells nobody who sends")


if __name__ == "__main__":
    unittest.main(verbosity=2)
