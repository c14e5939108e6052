"""The numbered-line test for each sink that is a server: berthd is killed, the server is away for long, slow, full, or answers as it likes. Logs rotate meanwhile.

Of 12,000 lines, with 6 kills and 3 s of absence; BERTH_TEST_LINES, BERTH_TEST_KILLS and BERTH_TEST_AWAY (seconds) make it more."""
import json
import os
import random
import subprocess
import threading
import time
import unittest

from lib.journald import why_not
from lib.log_places import Closing, JournaldPlace, LokiPlace, OtlpPlace, SyslogNgPlace, SyslogPlace
from lib.numbered_lines import BATCH, NumberedLines
from lib.programs import SLOWNESS
from lib.waiting import wait_until

LINES = int(os.environ.get("BERTH_TEST_LINES", "12000"))
KILLS = int(os.environ.get("BERTH_TEST_KILLS", "6"))
AWAY = float(os.environ.get("BERTH_TEST_AWAY", "3"))
COUNTED = ("berth_log_shipped_total", "berth_log_batches_total", "berth_log_last_success_timestamp_seconds")
A_STEP = 354  # lines that the app writes between two of its pauses, on average


def json_lines(node):
    return [json.loads(line) for line in node.berth("logs", "web", "-n", "1000000", "--json").out.splitlines()]


class SinkFaults(NumberedLines):
    """Each kind of sink says where its lines arrive, and has those faults that make sense of it."""

    def make_place(self):
        raise NotImplementedError

    def begin(self, lines=LINES, pause=0.08, batch=BATCH):
        """A node whose app writes, and whose logs go to the place."""
        self.count = lines
        self.place = self.make_place()
        self.addCleanup(self.place.close)
        self.repo.publish(self.tree(count=lines, pause=pause, repeat=True))
        keys = f'[[sink]]\nname = "central"\n{self.place.keys}batch_lines = {batch}\nbatch_wait = "50ms"\n'
        self.node = self.make_node(extra=keys).start()
        self.deploy(self.node, "v1")

    def segments(self):
        return len(list((self.node.logs / "web" / "web.1").iterdir()))

    def check(self, doubled_at_most, least_segments=10):
        """All has arrived, and logs were rotated meanwhile."""
        wait_until(lambda: self.written(self.node), "all is written", 60 + AWAY)
        self.node.berth("stop", "web")  # ends the line that has no newline
        self.wait_shipped(self.node, name="central", seconds=120)
        self.place.stop()
        entries = self.place.lines()
        self.check_repeated(entries, self.count)
        lines = [one for one in entries if one["text"][:1].isdigit()]
        doubled = self.check_numbers(lines, self.count, doubled_at_most)
        self.assertEqual({one["instance"] for one in lines}, {"web/web.1"})
        self.assertEqual(self.status_of(self.node, "central")["lost"], 0)
        self.assertGreater(self.segments(), least_segments, "it rotated all the time")
        return doubled

    def measured(self, family):
        """The sum of a family's values for the sink."""
        return sum(float(line.rsplit(" ", 1)[1]) for line in self.node.metrics().splitlines() if line.startswith(family + '{sink="central"'))

    def assertFails(self, *words):
        """Status names the sink, and says why."""
        wait_until(lambda: self.status_of(self.node, "central")["state"] == "failing", "it is seen that the sink takes nothing", 20)
        self.assertSays(self.node.berth("status"), "log sink central takes nothing", *words)

    def test_while_berthd_is_killed_again_and_again(self):
        batch = 25  # so small that one is always under way
        self.begin(pause=max(0.08, KILLS * 0.5 * A_STEP / LINES), batch=batch)
        random.seed(7)
        kills = 0
        while kills < KILLS or not self.written(self.node):
            time.sleep(random.uniform(0.05, 0.6))
            self.node.kill()
            kills += 1
            self.node.start()
        self.progress(f"{kills} kills")
        self.check(kills * batch)

    def test_while_it_is_away_for_long(self):
        self.begin(pause=max(0.05, AWAY * A_STEP / LINES))
        wait_until(self.place.lines, "the first lines arrive", 20)
        self.place.stop()
        before = self.segments()
        time.sleep(AWAY * SLOWNESS)
        if self.place.port:
            self.assertFails(f"127.0.0.1:{self.place.port}", "nothing listens")
        self.assertGreater(self.segments(), before + 3, "logs were rotated while it was away")
        self.place.start()
        # What it had half of when it was stopped comes again.
        self.check(BATCH)

    def test_while_it_is_slow(self):
        self.begin()
        over = threading.Event()
        slowness = threading.Thread(target=self.place.slow, args=(over,))
        slowness.start()
        try:
            wait_until(lambda: self.written(self.node), "the app does not wait for it", 60)
            time.sleep(1)
        finally:
            over.set()
            slowness.join()
        self.check(BATCH * self.status_of(self.node, "central")["retries"])


class Connected:
    """What can be done to a server with a port."""

    def test_while_it_takes_connections_and_closes_them(self):
        self.begin()
        wait_until(self.place.lines, "the first lines arrive", 20)
        self.place.stop()
        closing = Closing(self.place.port)
        try:
            wait_until(lambda: closing.count >= 3, "it comes again and again", 60)
            self.assertFails(f"127.0.0.1:{self.place.port}")
            self.assertEqual(self.measured("berth_log_sink_failing"), 1)
            self.assertGreater(self.measured("berth_log_lag_seconds"), 0)
            self.assertGreater(self.measured("berth_log_retries_total"), 0)
            before = [self.measured(family) for family in COUNTED]
        finally:
            closing.close()
        self.place.start()
        self.check(BATCH)
        self.assertEqual((self.measured("berth_log_sink_failing"), self.measured("berth_log_lag_seconds")), (0, 0))
        for family, value in zip(COUNTED, before):
            self.assertGreater(self.measured(family), value, family)


class WithADisk:
    """A server that reads on where its disk is full, and says so to nobody who sends: what it throws away then was taken from berthd. What comes before and behind that arrives."""

    def small_disk(self, place):
        place.stop()
        self.disk = self.folder / "disk"
        self.disk.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", self.disk], check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", self.disk])
        place.server.move_to(self.disk / "messages")
        place.start()
        return place

    def test_while_its_disk_is_full(self):
        make = self.make_place
        self.make_place = lambda: self.small_disk(make())
        self.begin(pause=max(0.2, 6 * A_STEP / LINES))
        wait_until(lambda: os.statvfs(self.disk).f_bavail == 0, "the disk is full", 30)
        when_full = self.status_of(self.node, "central")["shipped"]
        wait_until(lambda: self.status_of(self.node, "central")["shipped"] > when_full + LINES // 10, "it takes what it has no room for", 30)
        self.assertFalse(self.written(self.node), "the app writes still")
        subprocess.run(["mount", "-o", "remount,size=256m", self.disk], check=True)
        wait_until(lambda: self.written(self.node), "all is written", 60)
        self.node.berth("stop", "web")
        self.wait_shipped(self.node, name="central", seconds=60)
        self.place.stop()
        status = self.status_of(self.node, "central")
        self.assertEqual((status["lost"], status["refused"], status["retries"]), (0, 0, 0), "to berthd all of them were taken")
        self.assertEqual(sum(int(one["text"].split(" ", 1)[0]) > 0 for one in json_lines(self.node) if one["text"][:1].isdigit()), LINES, "its own log has them all")
        seen = [int(one["text"].split(" ", 1)[0]) for one in self.place.lines(whole=True) if one["text"][:1].isdigit()]
        lost = sorted(set(range(1, LINES + 1)) - set(seen))
        self.progress(f"{LINES} lines: the server threw away {len(lost)}, {len(seen) - len(set(seen))} doubled")
        self.assertEqual(len(seen), len(set(seen)), "none came twice")
        self.assertGreater(lost[0], 100, "what came before arrived")
        self.assertLess(lost[-1], LINES - 100, "and what came behind")


class ToRsyslogByTcp(WithADisk, Connected, SinkFaults):
    def make_place(self):
        return SyslogPlace(self.folder, "tcp")


class ToRsyslogByTls(Connected, SinkFaults):
    def make_place(self):
        return SyslogPlace(self.folder, "tls")


class ToSyslogNgByTcp(Connected, SinkFaults):
    def make_place(self):
        return SyslogNgPlace(self.folder, "tcp")


class ToSyslogNgByTls(Connected, SinkFaults):
    def make_place(self):
        return SyslogNgPlace(self.folder, "tls")


class ToJournald(SinkFaults):
    def make_place(self):
        if reason := why_not():
            self.skipTest(reason)
        return JournaldPlace(self.folder)


class Pushed(Connected):
    """What an HTTP server can answer."""

    def test_while_it_answers_that_it_is_busy_broken_or_full(self):
        self.begin()
        end = time.monotonic() + AWAY
        answers = [429, 500, (429, {"Retry-After": "1"}, b"slow down"), 507]
        while time.monotonic() < end:
            self.place.receiver.faults = list(answers)
            time.sleep(0.1)
        self.place.receiver.faults = [500] * 2
        self.assertFails("it answers ", f"127.0.0.1:{self.place.port}")
        self.place.receiver.faults = []
        self.check(0)


class ToLoki(Pushed, SinkFaults):
    def make_place(self):
        return LokiPlace(self.folder)


class ToOtlp(Pushed, SinkFaults):
    def make_place(self):
        return OtlpPlace(self.folder)


del SinkFaults  # which is no sink: without this it would be run as one


if __name__ == "__main__":
    unittest.main(verbosity=2)
