"""What is wrong with a sink is told with its name, why, and what to do; berthd stays up, the other sinks go on, and every line arrives once it is repaired."""
import os
import re
import signal
import subprocess
import unittest

from lib.certificates import Authority
from lib.log_places import LokiPlace, OtlpPlace, SyslogPlace
from lib.numbered_lines import BATCH, CountedLines
from lib.programs import BERTHD, sanitizer
from lib.waiting import wait_until

FAKETIME = next((path for path in ("/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1", "/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1") if os.path.exists(path)), None)


class Repaired(CountedLines):
    """An app that writes all the time, a sink `agent` that is well, and `central`, which is not."""

    def begin(self, keys, environment=None):
        self.repo.publish(self.counting(20, 1_000_000, 0.02))
        batches = f'batch_lines = {BATCH}\nbatch_wait = "100ms"\n'
        self.node = self.make_node(extra=f'[[sink]]\nname = "central"\n{keys}{batches}' + self.sink())
        self.node.environment = environment or {}
        self.node.start()
        self.deploy(self.node, "v1")
        self.pid = self.node.process.pid

    def fails(self, *words):
        """It is told, with the sink's name, by status and in berthd's log; and the other sink goes on."""
        def told():
            return all(word in self.status_of(self.node, "central")["last_error"] for word in words)
        wait_until(told, f"the sink says {words}", 60)
        status = self.status_of(self.node, "central")
        self.assertEqual(status["state"], "failing")
        self.assertSays(self.node.berth("status"), "log sink central takes nothing", *words, "logs go to agent (file)")
        warned = [line for line in self.node.log_file.read_text().splitlines() if "log sink central: " in line and all(word in line for word in words)]
        self.assertTrue(warned, self.node.log_tail())
        self.assertLess(len(warned), 4, "it is said when it changes, and no more")
        shipped = self.status_of(self.node)["shipped"]
        wait_until(lambda: self.status_of(self.node)["shipped"] > shipped + 100, "the other sink goes on", 20)

    def takes(self):
        """It is repaired."""
        wait_until(lambda: self.status_of(self.node, "central")["failing_since"] == "", "it takes entries again", 60)
        self.assertEqual(self.status_of(self.node, "central")["last_error"], "")

    def check(self, lines, stops=0):
        """All arrived, at both; of each batch that the server was stopped in some may have come twice."""
        self.assertEqual(self.node.process.poll(), None)
        self.assertEqual(self.node.process.pid, self.pid)
        self.node.berth("stop", "web")
        written = self.note()[0]
        for name in ("agent", "central"):
            self.wait_shipped(self.node, name=name, seconds=120)
            self.assertEqual(self.status_of(self.node, name)["lost"], 0)
        for found, most_doubled in ((self.arrived()[1], 0), (self.arrived(lines())[1], stops * BATCH)):
            lost, doubled = set(range(1, written + 1)) - set(found), len(found) - len(set(found))
            self.progress(f"{written} lines: {len(lost)} lost, {doubled} doubled")
            self.assertEqual(sorted(lost)[:20], [])
            self.assertLessEqual(doubled, most_doubled)


class Certificates(Repaired):
    def put_through(self, place, serve):
        """`serve(certificate)` makes the place use that one."""
        authority, other = Authority(self.folder), Authority(self.folder, "other")
        good = authority.issue("good", "localhost", "127.0.0.1")
        serve(authority.issue("old", "localhost", "127.0.0.1", days=-1))
        self.begin(f'{place.keys}ca_file = "{authority.file}"\ntimeout = "5s"\n')
        where = f"127.0.0.1:{place.port}"
        self.fails(where, "its certificate is refused", "it expired", "its owner needs a new one, or the clock here is wrong")
        serve(good)
        self.takes()
        serve(authority.issue("named", "logs.example.org"))
        self.fails(where, "its certificate is refused", "it is not for 127.0.0.1", "ask by a name that it is for")
        serve(good)
        self.takes()
        serve(other.issue("foreign", "localhost", "127.0.0.1"))
        self.fails(where, "its certificate is refused", "it is of no authority that is trusted here", "ca_file")
        serve(good)
        self.takes()
        place.stop()
        self.fails(where, "nothing listens")
        place.start()
        self.takes()
        self.check(lambda: place.settle() or place.lines(), stops=8)

    def test_of_a_syslog_server(self):
        place = SyslogPlace(self.folder, "tls")
        place.keys = place.keys.replace(f'ca_file = "{place.authority.file}"\n', "")
        self.addCleanup(place.close)

        def serve(certificate):
            place.stop()
            place.server.configure(certificate, place.authority.file, False, "64k")
            place.start()
        self.put_through(place, serve)

    def test_of_an_https_server(self):
        place = LokiPlace(self.folder)
        place.keys = place.keys.replace("http://", "https://")
        self.addCleanup(place.close)

        def serve(certificate):
            place.stop()
            place.certificate = certificate
            place.start()
        self.put_through(place, serve)


class Names(Repaired):
    def test_one_that_is_gone_from_dns(self):
        hosts, text = self.folder / "hosts", "127.0.0.1 logs.berth.test\n"
        hosts.write_text(text)
        subprocess.run(["mount", "--bind", hosts, "/etc/hosts"], check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", "/etc/hosts"])
        place = OtlpPlace(self.folder)
        self.addCleanup(place.close)
        self.begin(place.keys.replace("127.0.0.1", "logs.berth.test"))
        wait_until(place.lines, "lines arrive", 20)
        hosts.write_text("")
        place.stop()  # what is connected needs no name
        place.start()
        self.fails("the name logs.berth.test is not known")
        hosts.write_text(text)
        self.takes()
        self.check(place.lines, stops=1)


class Folders(Repaired):
    def test_that_nobody_may_read_do_not_hold_up_berthd_which_may(self):
        place = LokiPlace(self.folder)
        self.addCleanup(place.close)
        self.begin(place.keys)
        wait_until(place.lines, "lines arrive", 20)
        folder = self.node.logs / "web" / "web.1"
        for path in (max(folder.glob("*.log")), folder, folder.parent, self.folder / "agent"):
            path.chmod(0)
        before = [self.status_of(self.node, name)["shipped"] for name in ("agent", "central")]
        segments = len(list(folder.iterdir()))
        wait_until(lambda: len(list(folder.iterdir())) > segments + 1, "a new log file is begun", 30)
        wait_until(lambda: all(self.status_of(self.node, name)["shipped"] > count + 1000 for name, count in zip(("agent", "central"), before)), "both go on", 30)
        self.check(place.lines)


class Clock(Repaired):
    @unittest.skipIf(sanitizer(), "faketime and the sanitizers do not go together")
    def test_that_jumps_stops_no_sink(self):
        self.assertIsNotNone(FAKETIME, "faketime is not installed")
        setting = self.folder / "clock"
        setting.write_text("+0")

        def turn(by):
            (self.folder / "clock.new").write_text(by)
            os.rename(self.folder / "clock.new", setting)
        place = LokiPlace(self.folder)
        self.addCleanup(place.close)
        self.begin(place.keys + 'rate = "100000/s"\nmultiline_start = "^run"\nmultiline_wait = "1s"\n',
                   {"LD_PRELOAD": FAKETIME, "FAKETIME_TIMESTAMP_FILE": str(setting), "FAKETIME_NO_CACHE": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1"})
        wait_until(place.lines, "lines arrive", 20)
        for by in ("-1d", "+1d", "-400d", "+0"):
            # Also while it waits for the server.
            place.receiver.faults = [(429, {"Retry-After": "1"}, b"slow down"), 500]
            turn(by)
            before = [self.status_of(self.node, name)["shipped"] for name in ("agent", "central")]
            wait_until(lambda before=before: all(self.status_of(self.node, name)["shipped"] > count + 200 for name, count in zip(("agent", "central"), before)),
                       f"both go on when the clock is at {by}", 10)
        self.check(place.lines)


WRONG = [  # (what a [[sink]] says beside its name, the key that is wrong, why)
    ('kind = "sysloog"', "kind", "there is no 'sysloog': give one of file, syslog, journald, loki, otlp"),
    ('kind = "file"', "sink", "path"),
    ('kind = "file"\npath = "logs.json"', "path", "'logs.json' is not an absolute path"),
    ('kind = "file"\npath = "/x"\nrotate_bytes = "many"', "rotate_bytes", "'many' is no size"),
    ('kind = "file"\npath = "/x"\nkeep_fils = 3', "keep_fils", "did you mean 'keep_files'?"),
    ('kind = "syslog"', "sink", "a syslog sink needs an 'address'"),
    ('kind = "syslog"\naddress = "logs.example.org:514"', "address", "has no scheme that berthd knows"),
    ('kind = "syslog"\naddress = "tcp://a"\nfacility = "x"', "facility", "'x' is no facility of syslog"),
    ('kind = "syslog"\naddress = "tcp://a"\nca_file = "/x"', "ca_file", "ca_file is for tls:// and https:// alone"),
    ('kind = "journald"\nsocket = "run/x"', "socket", "'run/x' is not an absolute path"),
    ('kind = "loki"', "sink", "the sink needs a 'url'"),
    ('kind = "loki"\nurl = "loki:3100"', "url", "is no URL"),
    ('kind = "loki"\nurl = "https://a"\ntoken = "secret"', "token", "it is no reference to a secret"),
    ('kind = "loki"\nurl = "https://a"\ntenant = "a b"', "tenant", "tenant: "),
    ('kind = "otlp"\nurl = "http://a"\ncompression = "zstd"', "compression", 'compression is "gzip" or "none"'),
    ('kind = "otlp"\nurl = "http://a"\ntimeout = "0s"', "timeout", "is not from '1s'"),
    ('kind = "journald"\nmultiline_start = "("', "multiline_start", "multiline_start"),
    ('kind = "journald"\nmultiline_wait = "forever"', "multiline_wait", "'forever'"),
    ('kind = "journald"\nredact = ["password=([^ ]+"]', "redact", "password=([^ ]+"),
    ('kind = "journald"\nrate = "0/s"', "rate", "'0/s' lets nothing pass"),
    ('kind = "journald"\nburst = 5', "burst", "burst is of a 'rate', which is missing"),
    ('kind = "journald"\njson = "yes"', "json", "'yes'"),
    ('kind = "journald"\nansi = "remove"', "ansi", "'remove'"),
    ('kind = "journald"\nlabels = { "r 7" = "x" }', "labels", "'r 7' is no name for one"),
    ('kind = "journald"\nbatch_lines = 0', "batch_lines", "batch_lines"),
    ('kind = "journald"\n[[sink]]\nname = "wrong"\nkind = "journald"', "name", "there are two sinks 'wrong'"),
    ('kind = "journald"\n[[sink]]\nkind = "journald"', "name", "[[sink]] has no 'name'"),
]


class Configuration(Repaired):
    def test_that_is_wrong_is_refused_with_its_place_and_what_was_before_goes_on(self):
        place = LokiPlace(self.folder)
        self.addCleanup(place.close)
        self.begin(place.keys)
        before = self.node.config.read_text()
        for says, key, why in WRONG:
            with self.subTest(says):
                text = before + f'\n[[sink]]\nname = "wrong"\n{says}\n'
                self.node.configure(text)
                checked = subprocess.run([BERTHD, "--config", self.node.config, "--check"], capture_output=True, text=True)
                self.assertNotEqual(checked.returncode, 0)
                self.assertIn(why, checked.stderr)
                # The line where it is: of the key, or of the [[sink]] that lacks it.
                place_of = re.search(r"berthd\.toml:(\d+):\d+: ", checked.stderr)
                self.assertTrue(place_of, checked.stderr)
                line = text.lstrip().splitlines()[int(place_of[1]) - 1]
                self.assertRegex(line, rf"^{key}\b|^\[\[{key}\]\]|^\[\[sink\]\]", checked.stderr)
                seen = self.node.log_file.stat().st_size
                self.node.process.send_signal(signal.SIGHUP)
                wait_until(lambda: why in self.node.log_file.read_bytes()[seen:].decode(), f"berthd says {why}")
                self.assertEqual({one["sink"] for one in self.node.status()["sinks"]}, {"agent", "central"})
        # What the file says is right, and a sink cannot be made of it.
        self.node.configure(before + '\n[[sink]]\nname = "wrong"\nkind = "syslog"\naddress = "tls://a"\nca_file = "/no/such.pem"\n')
        self.node.process.send_signal(signal.SIGHUP)
        wait_until(lambda: re.search(r"\[\[sink\]\] wrong: .*ca_file: .*/no/such\.pem", self.node.log_file.read_text()), "berthd says which file is missing")
        self.assertEqual({one["sink"] for one in self.node.status()["sinks"]}, {"agent", "central"})
        self.assertSays(self.node.berth("status"), "/no/such.pem")
        self.assertIn("berth_config_reload_failed 1", self.node.metrics())
        self.node.configure(before)
        self.node.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "berth_config_reload_failed 0" in self.node.metrics(), "the file is right again")
        self.check(place.lines)


if __name__ == "__main__":
    unittest.main(verbosity=2)
