"""Logs reach their sinks: every line, in the face of crashes, rotations, a full disk, and configuration that is wrong."""
import json
import os
import random
import re
import subprocess
import time
import unittest

from lib import sample_apps
from lib.numbered_lines import BATCH, COUNT, NumberedLines
from lib.programs import SLOWNESS
from lib.waiting import wait_until


class Shipping(NumberedLines):
    # the numbered-line test

    def test_no_line_is_lost_while_berthd_is_killed_again_and_again(self):
        self.repo.publish(self.tree())
        node = self.make_node(extra=self.sink()).start()
        self.deploy(node, "v1")
        random.seed(7)
        kills = 0
        end = time.monotonic() + 120 * SLOWNESS
        while time.monotonic() < end and not (self.written(node) and kills > 10):
            time.sleep(random.uniform(0.05, 0.9))
            node.kill()
            kills += 1
            node.start()
        self.assertTrue(self.written(node))
        node.berth("stop", "web")  # ends the line that has no newline
        self.wait_shipped(node)
        lines = self.lines()
        self.check_numbers(lines, COUNT, kills * BATCH)
        self.progress(f"{kills} kills")
        self.assertEqual({entry["instance"] for entry in lines}, {"web/web.1"})
        self.assertEqual({entry["stream"] for entry in lines}, {"stdout", "stderr"})
        self.assertEqual(self.status_of(node)["lost"], 0)
        segments = list((node.logs / "web" / "web.1").iterdir())
        self.assertGreater(len(segments), 20, "it rotated all the time")

    def test_no_line_is_lost_or_doubled_by_orderly_restarts(self):
        self.repo.publish(self.tree(count=10_000))
        node = self.make_node(extra=self.sink()).start()
        self.deploy(node, "v1")
        restarts = 0
        while restarts < 3 or not self.written(node):
            time.sleep(0.3)
            self.assertEqual(node.stop(), 0)
            node.start()
            restarts += 1
        node.berth("stop", "web")
        self.wait_shipped(node)
        self.check_numbers(self.lines(), 10_000, 0)

    def test_a_disk_that_is_full_is_waited_out(self):
        disk = self.folder / "disk"
        disk.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", disk], check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", disk])
        self.repo.publish(self.tree(count=12_000))
        node = self.make_node(extra=self.sink(path=disk / "all.jsonl") + self.sink("other")).start()
        self.deploy(node, "v1")
        wait_until(lambda: self.status_of(node)["state"] == "failing", "the disk is full", 20)
        self.assertIn("No space left", self.status_of(node)["last_error"])
        wait_until(lambda: self.written(node), "the app does not wait for the sink", 30)
        self.assertSays(node.berth("status"), "log sink agent takes nothing", "No space left", "logs go to other (file)")
        self.assertIn('berth_log_sink_failing{sink="agent"} 1', node.metrics())
        lag = float(re.search(r'berth_log_lag_seconds{sink="agent"} (\S+)', node.metrics())[1])
        self.assertGreater(lag, 0.5)
        node.berth("stop", "web")
        self.wait_shipped(node, name="other")
        self.check_numbers(self.lines(self.folder / "other" / "all.jsonl"), 12_000, 0)
        subprocess.run(["mount", "-o", "remount,size=64m", disk], check=True)
        self.wait_shipped(node)
        self.check_numbers(self.lines(disk / "all.jsonl"), 12_000, 0)
        self.assertEqual(self.status_of(node)["failing_since"], "")

    # what cannot be kept

    def test_what_was_removed_before_it_was_shipped_is_told(self):
        (self.folder / "agent" / "all.jsonl").mkdir(parents=True)  # a folder where the file should be
        self.repo.publish(self.tree(count=20_000, pause=0.01, keep="256KiB"))
        node = self.make_node(extra=self.sink()).start()
        self.deploy(node, "v1")
        wait_until(lambda: self.written(node), "all is written", 60)
        node.berth("stop", "web")
        (self.folder / "agent" / "all.jsonl").rmdir()
        self.wait_shipped(node)
        status = self.status_of(node)
        self.assertGreater(status["lost"], 1000)


        def losses():
            return [event["data"] for event in node.events() if event["kind"] == "logs.lost"]
        # The first is told at once, what follows together, after a while.
        wait_until(lambda: sum(one["lines"] for one in losses()) == status["lost"], "every loss is told", 90)
        lost = losses()
        self.assertEqual({one["instance"] for one in lost}, {"web/web.1"})
        told = [entry for entry in self.entries() if "are missing here" in entry["text"]]
        gaps = [tuple(map(int, re.search(r"lines (\d+) to (\d+) are missing", entry["text"]).groups())) for entry in told]
        self.assertEqual(sum(last - first + 1 for first, last in gaps), status["lost"])
        # Each sequence number either came, or lies in a gap, or is a piece of a longer line.
        came = {entry["sequence"] for entry in self.lines()}
        for first, last in gaps:
            self.assertFalse(came & set(range(first, last + 1)))
        self.assertIn(f'berth_log_dropped_total{{sink="agent",app="web",reason="lost"}} {status["lost"]}', node.metrics())
        self.assertSays(node.berth("status"), f"will never get {status['lost']} lines")

    def test_files_that_are_removed_or_cut_off_under_a_keeper_are_told_and_all_that_comes_later_is_shipped(self):
        self.repo.publish(self.tree(count=100_000, pause=0.1))
        node = self.make_node(extra=self.sink()).start()
        self.deploy(node, "v1")
        folder = node.logs / "web" / "web.1"
        wait_until(lambda: list(folder.glob("*.zst")), "full files are compressed", 30)

        def newest():
            return max(folder.glob("*.log"))

        def remove_all():
            for path in folder.glob("*.log"):
                path.unlink(missing_ok=True)  # or berthd has compressed it
        for number, damage in enumerate([remove_all, lambda: newest().unlink(), lambda: os.truncate(newest(), 0), lambda: os.truncate(newest(), newest().stat().st_size // 2), remove_all]):
            self.assertFalse(self.written(node), f"it still writes at damage {number}")
            before = newest()
            damage()
            wait_until(lambda before=before: list(folder.glob("*.log")) and newest() > before, "its keeper goes on behind what was there", 20)
            shipped = self.status_of(node)["shipped"]
            wait_until(lambda shipped=shipped: self.status_of(node)["shipped"] > shipped, "and it is shipped", 20)
        wait_until(lambda: self.written(node), "all is written", 90)
        node.berth("stop", "web")
        self.wait_shipped(node)
        lines = self.lines()
        came = {entry["sequence"]: entry["text"] for entry in lines}
        for entry in lines:
            self.assertEqual(came[entry["sequence"]], entry["text"], "a number stands for one line")
        gaps = [tuple(map(int, found.groups())) for found in (re.search(r"lines (\d+) to (\d+) are missing", entry["text"]) for entry in self.entries()) if found]
        for first, last in gaps:
            self.assertFalse(set(came) & set(range(first, last + 1)))
        missing = set(range(1, 100_001)) - {int(text.split(" ", 1)[0]) for text in came.values()}
        lost = self.status_of(node)["lost"]
        self.progress(f"{len(missing)} lines are not there, {lost} of the log are told as lost")
        self.assertLessEqual(len(missing), lost)
        self.assertLess(lost, 100_000, "numbers do not jump where the keeper runs on")
        self.assertEqual(sum(last - first + 1 for first, last in gaps), lost)
        said = [entry["text"] for entry in self.entries() if entry["text"].startswith("berth-keeper: log lines are missing here")]
        self.assertGreaterEqual(len(said), 4)

    def test_a_log_that_cannot_be_read_is_told_and_waits(self):
        self.repo.publish(self.tree(count=200, pause=0.01))
        node = self.make_node(extra=self.sink()).start()
        self.deploy(node, "v1")
        wait_until(lambda: self.written(node), "all is written", 30)
        self.wait_shipped(node)
        newest = max((node.logs / "web" / "web.1").glob("*.log"))
        away = self.folder / "away"
        os.rename(newest, away)
        os.symlink(away, newest)  # which berthd does not follow
        with open(away, "a") as file:
            file.write("2026-11-24T09:00:00.000000000Z stdout F 201 written beside\n")
        wait_until(lambda: self.status_of(node)["state"] == "unreadable", "it is shown", 20)
        self.assertIn(newest.name, self.status_of(node)["last_error"])
        wait_until(lambda: self.status_of(node)["lag_seconds"] > 1, "it lags", 20)
        self.assertSays(node.berth("status"), "log sink agent does not get all logs", newest.name)
        os.rename(away, newest)
        wait_until(lambda: self.status_of(node)["state"] == "up to date", "it is read again", 20)
        self.assertEqual(self.status_of(node)["last_error"], "")
        self.assertIn("201 written beside", [entry["text"] for entry in self.entries()])

    def test_a_damaged_cursor_means_doubled_and_not_lost_and_is_said_once(self):
        self.repo.publish(self.tree(count=3000))
        node = self.make_node(extra=self.sink()).start()
        self.deploy(node, "v1")
        wait_until(lambda: self.written(node), "all is written", 30)
        node.berth("stop", "web")
        self.wait_shipped(node)
        node.stop()
        cursors = node.state / "ship" / "agent.cursors"
        cursors.write_bytes(cursors.read_bytes()[:-20])
        for resets in (1, 0):
            node.start()
            self.wait_shipped(node)
            self.assertIn(f'berth_log_cursor_resets_total{{sink="agent"}} {resets}\n', node.metrics())
            node.stop()
        node.start()
        self.assertEqual([event["kind"] for event in node.events()].count("logs.cursor_damaged"), 1)
        lines = self.lines()
        self.assertEqual(len(lines), 6000)
        self.assertEqual(len({entry["sequence"] for entry in lines}), 3000 + 0)

    # files

    def test_full_files_are_compressed_and_read_as_before(self):
        self.repo.publish(self.tree(count=6000))
        node = self.make_node(extra="[logs]\ncompress = true\n").start()
        self.deploy(node, "v1")
        wait_until(lambda: self.written(node), "all is written", 30)
        node.berth("stop", "web")
        folder = node.logs / "web" / "web.1"
        wait_until(lambda: len(list(folder.glob("*.log"))) == 2 and list(folder.glob("*.log.zst")), "all but the newest two are compressed", 30)
        self.assertEqual(list(folder.glob(".*.zst")), [])
        for one in folder.glob("*.log.zst"):
            self.assertEqual(one.stat().st_mode & 0o777, 0o440)
            subprocess.run(["zstd", "-tq", one], check=True)
        node.stop()
        text = node.berth("logs", "web", "--raw").out if "--raw" in node.berth("logs", "--help").out else node.berth("logs", "web").out
        self.assertEqual(len(re.findall(r"of a hundred and some bytes", text)), sum(b"hundred" in self.numbered.line(number) for number in range(1, 6001)))
        node.configure(node.config.read_text() + self.sink())
        node.start()
        self.wait_shipped(node)
        self.check_numbers(self.lines(), 6000, 0)

    def test_a_secret_that_the_app_prints_reaches_no_sink(self):
        token = self.folder / "token"
        token.write_text("correct \"horse\" battery\n")
        self.repo.configure(secrets={"TOKEN": f"file:{token}"})
        chatty = """#!/bin/sh
n=0
while :; do n=$((n + 1)); echo "$n has $TOKEN."; sleep 0.05; done
"""
        tree = sample_apps.Tree(self.folder / "chatty", "chatty").put("bin/chatty", chatty, 0o755)
        self.repo.publish(tree.spec('app = "chatty"\n[process.web]\ncommand = ["bin/chatty"]\n[deploy]\nbake = "100ms"\n[env.TOKEN]\nrequired = true\nsecret = true\n'))
        node = self.make_node(extra=self.sink()).start()
        node.berth("deploy", "chatty@v1")

        def numbers():
            return [int(entry["text"].split()[0]) for entry in self.entries() if " has " in entry["text"]]
        wait_until(lambda: len(numbers()) > 5, "lines come")
        node.kill()  # the one that comes gave the secret to nobody
        time.sleep(0.5)
        node.start()
        before = max(numbers())
        wait_until(lambda: max(numbers()) > before + 5, "lines come again")
        texts = {entry["text"] for entry in self.entries() if " has " in entry["text"]}
        self.assertEqual({text.split(" ", 1)[1] for text in texts}, {"has [redacted]."})
        self.assertIn('has correct "horse" battery.', node.berth("logs", "chatty", "-n", "1", "--raw").out, "on the node it is as the app wrote it")

    def test_a_secret_that_a_failing_app_prints_is_in_no_history_and_in_no_database(self):
        token = self.folder / "token"
        token.write_text("correct-horse-battery\n")
        self.repo.configure(secrets={"TOKEN": f"file:{token}"})
        tree = sample_apps.Tree(self.folder / "chatty", "chatty").put("bin/chatty", "#!/bin/sh\necho \"cannot connect: $TOKEN\"\nexit 1\n", 0o755)
        self.repo.publish(tree.spec('app = "chatty"\n[process.web]\ncommand = ["bin/chatty"]\n[deploy]\nbake = "100ms"\nready_timeout = "2s"\n[env.TOKEN]\nrequired = true\nsecret = true\n'))
        node = self.make_node().start()
        done = node.berth("deploy", "chatty@v1", expect=None)
        self.assertIn(done.code, (1, 5), done)
        for told in (done.text, node.berth("why", "chatty", expect=None).text, node.berth("history", "chatty", "--json").text, json.dumps(node.api("GET", "/v1/deployments").json())):
            self.assertIn("cannot connect: [redacted]", told)
            self.assertNotIn("correct-horse", told)
        node.berth("backup", self.folder / "backup.tar", "--state", node.state)
        for file in [*node.state.glob("berth.db*"), node.state / "events.log", self.folder / "backup.tar"]:
            self.assertNotIn(b"correct-horse", file.read_bytes(), file)

    def test_events_and_berthds_own_log_go_the_same_way(self):
        self.repo.publish(self.tree(count=10))
        node = self.make_node(extra=self.sink(more='events = true\ndaemon = true\nlabels = { rack = "r7" }')).start()
        self.deploy(node, "v1")

        # Who asks berthd is in its own log, which is shipped: nothing is ever quiet here.
        def events():
            return [entry for entry in self.entries() if entry["stream"] == "events"]
        all_there = lambda: sorted({entry["sequence"] for entry in events()}) == [event["number"] for event in node.events()]
        wait_until(all_there, "each event is shipped", 20)
        node.kill()
        node.start()
        wait_until(all_there, "and those of the next berthd", 20)
        wait_until(lambda: any(entry["text"].startswith("ready: ") for entry in self.entries()), "its own lines are shipped", 20)
        entries, events = self.entries(), events()
        self.assertIn("deployment.state", {json.loads(entry["text"])["kind"] for entry in events})
        own = [entry["text"] for entry in entries if entry["stream"] == "berthd"]
        self.assertTrue(any(text.startswith("ready: ") for text in own), own)
        self.assertEqual({entry["labels"]["rack"] for entry in entries}, {"r7"})
        self.assertEqual({entry["node"] for entry in entries}, {"node-1"})

    # configuration

    def test_a_reload_changes_sinks_and_a_wrong_one_changes_nothing(self):
        self.repo.publish(self.tree(count=200_000, pause=0.05))
        node = self.make_node(extra=self.sink()).start()
        self.deploy(node, "v1")
        before = node.config.read_text()
        wait_until(lambda: self.lines(), "something is shipped", 20)
        for wrong, words in (('kind = "fiel"', "there is no 'fiel'"), ('kind = "file"\nrotat = 1', "unknown key 'rotat'"), ('kind = "file"\nredact = ["("]', "redact")):
            node.configure(before.replace('kind = "file"', wrong))
            node.process.send_signal(1)
            wait_until(lambda: words in node.log_file.read_text(), f"berthd says {words}", 10)
            self.assertRegex(node.log_file.read_text(), r"berthd\.toml:\d+:\d+: .*" + re.escape(words))
            checked = subprocess.run([node.process.args[0], "--config", node.config, "--check"], capture_output=True, text=True)
            self.assertNotEqual(checked.returncode, 0)
            self.assertIn(words, checked.stderr)
        shipped = self.status_of(node)["shipped"]
        wait_until(lambda: self.status_of(node)["shipped"] > shipped, "what was before goes on", 10)
        moved = self.folder / "moved" / "all.jsonl"
        node.configure(before.replace(str(self.folder / "agent"), str(self.folder / "moved")) + self.sink("second"))
        node.process.send_signal(1)
        wait_until(moved.exists, "the sink has moved", 10)
        wait_until(lambda: len(node.status()["sinks"]) == 2 and self.status_of(node, "second")["shipped"] > 0, "and there is another one", 10)
        node.configure(before.replace(str(self.folder / "agent"), str(self.folder / "moved")))
        node.process.send_signal(1)
        wait_until(lambda: len(node.status()["sinks"]) == 1, "and it is gone again", 10)
        node.berth("stop", "web")
        self.wait_shipped(node)
        numbers = [int(entry["text"].split(" ", 1)[0]) for entry in self.lines() + self.lines(moved)]
        self.assertEqual(len(numbers), len(set(numbers)), "the cursor went with it")
        self.assertEqual(sorted(numbers), list(range(1, max(numbers) + 1)))


if __name__ == "__main__":
    unittest.main(verbosity=2)
