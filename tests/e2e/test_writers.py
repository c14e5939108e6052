"""What apps do to their logs: they crash with a full pipe, lose their keeper, write in bursts, and write without end. What then arrives at a sink is counted.

BERTH_TEST_ROUNDS (crashes, and keepers killed) and BERTH_TEST_FLOOD (bytes that an app writes) make more of it."""
import os
import re
import signal
import time
import unittest

from bench.common import compile_app, pss_kib
from lib import processes, sample_apps
from lib.log_places import SyslogPlace
from lib.numbered_lines import A_LINE, CountedLines
from lib.programs import SLOWNESS
from lib.waiting import wait_until

ROUNDS = int(os.environ.get("BERTH_TEST_ROUNDS", "3"))
FLOOD = int(os.environ.get("BERTH_TEST_FLOOD", str(400_000_000 // SLOWNESS)))
A_WRITE = 100          # lines, of counting.py
MOST_LOST = 64 << 10   # bytes that a keeper has in hand
SINK = 'batch_lines = 4000\nbatch_wait = "50ms"\n'


class Writers(CountedLines):
    def begin(self, *arguments, sinks="", **options):
        self.repo.publish(self.counting(*arguments, **options))
        keys = f'[[sink]]\nname = "agent"\nkind = "file"\npath = "{self.folder}/agent/all.jsonl"\nkeep_files = 1000\n{SINK}{sinks}'
        self.node = self.make_node(extra=keys).start()
        self.deploy(self.node, "v1")

    def keeper(self):
        return self.node.instances()[0]["keeper_pid"]

    def test_what_is_in_a_full_pipe_when_the_app_crashes_arrives(self):
        self.begin(500, 1_000_000, 0.01, runs=ROUNDS)
        owed = {}
        for run in range(1, ROUNDS + 1):
            wait_until((self.node.data() / f"run-{run}").exists, f"run {run} has begun", 60)
            pid = wait_until(lambda: next(iter(self.node.pids().values()), 0), "it is seen")
            wait_until(lambda run=run: self.note(run)[0] > 2000, "it writes")
            keeper = self.keeper()
            os.kill(keeper, signal.SIGSTOP)

            def is_full(run=run):
                before = self.note(run)
                time.sleep(0.3)
                return self.note(run) == before
            wait_until(is_full, "the pipe is full, and the app waits in the middle of a write")
            os.kill(pid, signal.SIGKILL)
            wait_until(lambda pid=pid: not processes.is_running(pid), "it is dead")
            owed[run] = self.note(run)[0]
            os.kill(keeper, signal.SIGCONT)
        wait_until((self.node.data() / f"done-{ROUNDS + 1}").exists, "it is started again", 60)
        self.wait_shipped(self.node)
        arrived = self.arrived()
        for run, lines in owed.items():
            # What it was writing when it died may have come too, in part.
            self.assertEqual(arrived[run][:lines], list(range(1, lines + 1)), f"run {run}")
            self.assertLessEqual(len(arrived[run]), lines + A_WRITE)
        self.progress(f"{len(owed)} crashes with a full pipe, {sum(owed.values())} lines that it had taken: 0 lost, 0 doubled")

    def test_a_keeper_that_is_killed_loses_what_it_had_in_hand_and_each_gap_is_marked(self):
        self.begin(300, 1_000_000, 0.005)
        for number in range(1, ROUNDS + 1):
            before = self.note()[0]
            wait_until(lambda before=before: self.note()[0] > before + 5000, "the app goes on", 30)
            os.kill(self.keeper(), signal.SIGKILL)
            wait_until(lambda number=number: sum(one["kind"] == "keeper.taken_over" for one in self.node.events()) == number, "a new keeper has taken over", 30)
            if number % 3 == 0 and number < ROUNDS:
                time.sleep(11)  # else berthd believes that no keeper can live here, and ends the app
        before = self.note()[0]
        wait_until(lambda: self.note()[0] > before + 1000, "the app goes on", 30)
        self.node.berth("stop", "web")
        self.wait_shipped(self.node)
        lines = self.arrived()[1]
        self.assertEqual(lines, sorted(set(lines)), "none twice, all in order")
        entries = self.entries()
        self.assertEqual(sum("up to 64 KiB are missing here" in one["text"] for one in entries), ROUNDS)
        holes = [after - before - 1 for before, after in zip(lines, lines[1:]) if after != before + 1]
        self.progress(f"{ROUNDS} keepers killed, {self.note()[0]} lines: {sum(holes)} lost in {len(holes)} gaps ({max(holes, default=0) * A_LINE} bytes at most), 0 doubled")
        self.assertLessEqual(len(holes), ROUNDS, "nothing is missing elsewhere")
        self.assertGreater(len(holes), 0, "a keeper has half of a line in hand nearly always")
        # Of the last one in hand the rest arrives.
        self.assertLessEqual((max(holes, default=0) - 1) * A_LINE, MOST_LOST)
        # Each of them is where it is said to be.
        by_sequence = sorted(entries, key=lambda one: one["sequence"])
        gaps = 0
        last = 0
        for one in by_sequence:
            gaps += "up to 64 KiB are missing here" in one["text"]
            if match := re.fullmatch(r"run 1 line (\d+) x{20,}", one["text"]):
                if last and int(match[1]) != last + 1:
                    self.assertGreater(gaps, 0, f"a gap before line {match[1]}")
                    gaps -= 1
                last = int(match[1])

    def test_bursts_arrive_whole(self):
        place = SyslogPlace(self.folder, "tcp")
        self.addCleanup(place.close)
        burst, bursts = 50_000, 4
        self.begin(burst, bursts, 0.2, sinks=f'[[sink]]\nname = "central"\n{place.keys}{SINK}')
        wait_until((self.node.data() / "done-1").exists, "all is written", 120)
        self.node.berth("stop", "web")
        for name in ("agent", "central"):
            self.wait_shipped(self.node, name=name, seconds=120)
        place.stop()
        everything = list(range(1, burst * bursts + 1))
        self.assertEqual(self.arrived()[1], everything)
        self.assertEqual(self.arrived(place.lines())[1], everything)
        self.progress(f"{bursts} bursts of {burst * A_LINE / 1e6:.0f} MB, the fastest by {burst * A_LINE / self.note()[1]:.0f} MB/s: 0 lost, 0 doubled")

    def test_an_app_that_writes_without_end_takes_what_it_may_and_harms_nobody(self):
        lines = FLOOD // A_LINE
        keep = 16 << 20
        tree = sample_apps.Tree(self.folder / "site-flood", "flood").program(compile_app("writer", self.folder), "writer")
        self.repo.publish(tree.spec(f'app = "flood"\n[process.web]\ncommand = ["bin/writer", "{lines}", "100", "40", "${{BERTH_DATA_DIR}}/result"]\n[deploy]\nbake = "0s"\n'
                                    f'[logs]\nsegment_bytes = "1MiB"\nkeep_bytes = "{keep >> 20}MiB"\n'))
        self.repo.publish(self.tree(count=6000, pause=0.1))
        keys = "".join(f'[[sink]]\nname = "{name}"\nkind = "file"\npath = "{self.folder}/{name}/all.jsonl"\nrotate_bytes = "16MiB"\nkeep_files = 2\napps = ["{app}"]\n'
                       for name, app in (("all", "flood"), ("agent", "web")))
        self.node = self.make_node(extra=keys).start()
        memory = pss_kib([self.node.process.pid])
        most, used = 0, 0
        self.deploy(self.node, "v1")
        wait_until(lambda: self.status_of(self.node)["shipped"] > 0, "the sinks have begun")  # a new one gets what is kept, and is owed nothing else
        self.deploy(self.node, "v1", "flood")

        def has_written():
            nonlocal most, used
            most = max(most, pss_kib([self.node.process.pid]))
            used = max(used, self.size_of(self.node.logs / "flood"))
            result = self.node.data("flood") / "result"
            return result.exists() and result.read_text()
        seconds = float(wait_until(has_written, "it has written all", 60 + FLOOD / 1e7, every=0.1))
        wait_until(lambda: self.written(self.node), "the other app has, too", 60)
        self.node.berth("stop", "web")
        self.wait_shipped(self.node)
        wait_until(lambda: any(entry["text"].startswith("6000 ") for entry in self.lines()), "the last line came", 20, every=0.5)
        self.check_numbers(self.lines(), 6000, 0)
        self.node.berth("stop", "flood")
        self.wait_shipped(self.node, name="all", seconds=120)
        status = self.status_of(self.node, "all")
        self.progress(f"{FLOOD / 1e6:.0f} MB at {FLOOD / seconds / 1e6:.0f} MB/s: {used / 1e6:.1f} MB of disk at most, berthd {(most - memory) / 1024:.1f} MiB more; "
                      f"{status['shipped']} lines shipped, {status['lost']} told as lost")
        self.assertLessEqual(used, keep + (3 << 20))
        if SLOWNESS == 1:
            self.assertLess(most - memory, 20 << 10)
        # An entry tells of each loss that is told, and is shipped as well.
        told = sum("are missing here" in one["text"] for one in self.entries(self.folder / "all" / "all.jsonl"))
        self.assertGreaterEqual(status["shipped"] + status["lost"], lines + (told > 0))

    @staticmethod
    def size_of(folder):
        total = 0
        for path in folder.rglob("*"):
            try:
                total += path.stat().st_size
            except OSError:
                pass  # it was removed
        return total


if __name__ == "__main__":
    unittest.main(verbosity=2)
