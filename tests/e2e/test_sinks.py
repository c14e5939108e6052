"""What is given to a sink arrives there: a real rsyslogd, a real journald, and receivers of Loki's and OTLP's API that check every request."""
import json
import random
import subprocess
import tempfile
import threading
import time
import unittest
from collections import Counter
from pathlib import Path

from lib.certificates import Authority
from lib.journald import Journald, why_not
from lib.programs import SHIP, SLOWNESS
from lib.push_receivers import LokiReceiver, OtlpReceiver
from lib.rsyslog import Rsyslog
from lib.syslog_ng import SyslogNg
from lib.waiting import wait_until


class SinkCase(unittest.TestCase):
    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(dir="/run/t"))

    def start(self, keys, patience=60, batch=None, rules=""):
        """Starts the tool on a sink with those keys; its stdin is for the lines."""
        config = self.folder / "sink.toml"
        text = "\n".join(f"{key} = {json.dumps(value)}" for key, value in keys.items())
        config.write_text(f'[[sink]]\n{text}\n[labels]\nrack = "r7"\n[lines]\n{rules}\n')
        arguments = [SHIP, config, "--patience", str(patience)] + (["--batch", str(batch)] if batch else [])
        child = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(child.wait)
        self.addCleanup(child.kill)
        return child

    def ship(self, keys, lines, expect=0, **options):
        child = self.start(keys, **options)
        out, complaints = child.communicate(b"".join(line + b"\n" for line in lines), timeout=120 * SLOWNESS)
        self.assertEqual((child.returncode, complaints), (expect, b""), out)
        return json.loads(out)

    def assertComplete(self, sequences, count, doubled_at_most=0):
        """Each from 1 to `count` came, and no more than so many twice."""
        seen = Counter(int(sequence) for sequence in sequences)
        self.assertEqual([n for n in range(1, count + 1) if n not in seen], [], "lost")
        self.assertEqual(len(seen), count)
        doubled = sum(seen.values()) - count
        print(f"{self.id()}: {count} lines, 0 lost, {doubled} doubled", flush=True)
        self.assertLessEqual(doubled, doubled_at_most)

    def restarted(self, keys, server, batch=500, lines=60_000):
        """Ships while the server is ended and started again and again, and gives its messages."""
        child = self.start(keys, batch=batch)
        restarts, enough = 0, threading.Event()

        def write():
            for n in range(1, lines + 1):
                if n == lines // 2:  # however fast all this is
                    enough.wait(60 * SLOWNESS)
                child.stdin.write(b"line %d\n" % n)
                if n % 1000 == 0:
                    child.stdin.flush()
                    time.sleep(0.02)
            child.stdin.close()
        writer = threading.Thread(target=write)
        writer.start()
        while child.poll() is None and (writer.is_alive() or restarts == 0):
            time.sleep(random.uniform(0.05, 0.3))
            server.stop()
            time.sleep(random.uniform(0, 0.2))
            server.start()
            restarts += 1
            if restarts == 3:
                enough.set()
        writer.join()
        self.assertEqual(child.wait(120 * SLOWNESS), 0)
        told = json.loads(child.stdout.read())
        child.stdout.close()
        child.stderr.close()
        server.stop()
        self.assertEqual(told["taken"], lines)
        self.assertGreater(restarts, 2)
        # A batch that was under way when the server ended comes again.
        self.assertComplete([one.data["seq"] for one in server.messages()], lines, doubled_at_most=batch * told["retries"])
        self.assertEqual({one.text for one in server.messages()}, {f"line {n}" for n in range(1, lines + 1)})


class Restarted:
    """What a server of syslog is put through."""

    def server(self, *arguments, **options):
        server = self.kind(self.folder, *arguments, **options)
        self.addCleanup(server.stop)
        return server

    def test_nothing_is_lost_while_it_is_restarted(self):
        self.restarted({"kind": "syslog", "address": "tcp://127.0.0.1:6010"}, self.server("tcp", 6010))

    def test_nothing_is_lost_while_it_is_restarted_by_tls(self):
        authority = Authority(self.folder)
        server = self.server("tls", 6514, authority.issue("server", "localhost", "127.0.0.1"), authority.file)
        self.restarted({"kind": "syslog", "address": "tls://127.0.0.1:6514", "ca_file": str(authority.file)}, server, lines=30_000)


class ToSyslogNg(Restarted, SinkCase):
    kind = SyslogNg


class ToRsyslog(Restarted, SinkCase):
    kind = Rsyslog

    def test_every_field_arrives(self):
        server = self.server("tcp", 6010)
        told = self.ship({"kind": "syslog", "address": "tcp://127.0.0.1:6010", "facility": "local3"}, [b"ERROR it [broke] \"twice\" \\", b"", b"gr\xc3\xbc\xc3\x9fe \xff"])
        self.assertEqual((told["taken"], told["retries"]), (3, 0))
        server.stop()
        first, empty, last = server.messages()
        self.assertEqual((first.pri, first.host, first.app, first.procid, first.msgid), (str(19 * 8 + 3), "edge-1", "web", "web/worker.2", "stdout"))
        self.assertEqual(first.data, {"app": "web", "environment": "qa", "release": "v42", "process": "worker", "instance": "web/worker.2", "deployment": "17",
                                      "node": "edge-1", "stream": "stdout", "rack": "r7", "seq": "1"})
        self.assertEqual((first.text, empty.text, last.text), ('ERROR it [broke] "twice" \\', "", "gr\u00fc\u00dfe \\xFF"))

    def test_a_long_line_arrives_in_parts_that_are_all_of_it(self):
        server = self.server("tcp", 6010)
        line = "".join(f"{n} " for n in range(8000)).encode()
        self.ship({"kind": "syslog", "address": "tcp://127.0.0.1:6010"}, [b"before", line, b"after"])
        server.stop()
        messages = server.messages()
        parts = [one for one in messages if one.data["seq"] == "2"]
        self.assertEqual([one.data["part"] for one in parts], [f"{n + 1}/{len(parts)}" for n in range(len(parts))])
        self.assertGreater(len(parts), 4)
        self.assertEqual("".join(one.text for one in parts), line.decode())
        self.assertEqual([one.text for one in messages if "part" not in one.data], ["before", "after"])

    def test_a_connection_that_is_kept_is_made_anew_when_the_server_has_restarted(self):
        server = self.server("tcp", 6010)
        child = self.start({"kind": "syslog", "address": "tcp://127.0.0.1:6010", "receipt": "received"}, batch=1)
        for n in range(1, 4):
            child.stdin.write(b"line %d\n" % n)
            child.stdin.flush()
            wait_until(lambda n=n: any(one.text == f"line {n}" for one in server.messages()), f"line {n} arrives")
            server.stop()
            server.start()
        out, _ = child.communicate(b"line 4\n", timeout=60 * SLOWNESS)
        self.assertEqual(child.returncode, 0, out)
        wait_until(lambda: any(one.text == "line 4" for one in server.messages()), "line 4 arrives")
        server.stop()
        self.assertComplete([one.data["seq"] for one in server.messages()], 4)

    def test_by_tls_both_prove_who_they_are(self):
        authority, other = Authority(self.folder), Authority(self.folder, "other")
        server = self.server("tls", 6514, authority.issue("server", "logs.example.org", "127.0.0.1"), authority.file, clients=True)
        mine, foreign = authority.issue("node"), other.issue("foreign")
        keys = {"kind": "syslog", "address": "tls://127.0.0.1:6514", "ca_file": str(authority.file), "timeout": "5s"}
        told = self.ship({**keys, "certificate_file": f"{mine}.pem", "key_file": f"{mine}.key"}, [b"hello"])
        self.assertEqual(told["taken"], 1)
        told = self.ship({**keys, "certificate_file": f"{foreign}.pem", "key_file": f"{foreign}.key"}, [b"hello"], expect=1, patience=1)
        self.assertEqual(told["taken"], 0)
        told = self.ship({**keys, "ca_file": str(other.file)}, [b"hello"], expect=1, patience=1)
        self.assertIn("it is of no authority that is trusted here", told["reason"])
        server.stop()
        self.assertEqual([one.text for one in server.messages()], ["hello"])

    def test_datagrams_arrive_and_long_ones_are_cut(self):
        server = self.server("udp", 5140)
        self.ship({"kind": "syslog", "address": "udp://127.0.0.1:5140"}, [b"one", b"x" * 5000])
        wait_until(lambda: len(server.messages()) == 2, "both arrive")
        one, cut = server.messages()
        self.assertEqual((one.text, "cut" in one.data), ("one", False))
        self.assertEqual((cut.data["cut"], set(cut.text)), ("5000", {"x"}))

    def test_nobody_there_says_so_and_the_lines_wait(self):
        child = self.start({"kind": "syslog", "address": "tcp://127.0.0.1:6010"}, batch=1)
        child.stdin.write(b"early\n")
        child.stdin.flush()
        time.sleep(0.3)
        server = self.server("tcp", 6010)
        out, _ = child.communicate(timeout=60 * SLOWNESS)
        told = json.loads(out)
        self.assertEqual(told["taken"], 1)
        self.assertGreater(told["retries"], 0)
        self.assertIn("nothing listens at 127.0.0.1:6010", told["reason"])
        server.stop()
        self.assertEqual([one.text for one in server.messages()], ["early"])


class ToJournald(SinkCase):
    def setUp(self):
        super().setUp()
        if reason := why_not():
            self.skipTest(reason)
        self.journald = Journald()
        self.addCleanup(self.journald.close)

    def entries(self):
        return self.journald.entries()

    def test_nothing_is_lost_while_it_is_restarted(self):
        child = self.start({"kind": "journald"}, batch=500)
        lines = 20_000
        for n in range(1, lines + 1):
            child.stdin.write(b"line %d\n" % n)
            if n % 1000 == 0:
                child.stdin.flush()
                time.sleep(0.05)
            if n % 3000 == 0:
                self.journald.stop()
                self.journald.start()
        out, complaints = child.communicate(timeout=120 * SLOWNESS)
        self.assertEqual((child.returncode, complaints), (0, b""), out)
        wait_until(lambda: len(self.entries()) >= lines, "all entries are there", 60)
        self.assertComplete([entry["BERTH_SEQUENCE"] for entry in self.entries()], lines)

    def test_fields_and_texts_of_any_kind_arrive(self):
        long = "".join(f"{n} " for n in range(150_000))
        lines = [b"WARN plain", b"nul\0 and \x1b[1mbold", long.encode(), b"after"]
        told = self.ship({"kind": "journald"}, lines)
        self.assertEqual(told["taken"], 4)
        wait_until(lambda: len(self.entries()) == 4, "four entries")
        by_sequence = {entry["BERTH_SEQUENCE"]: entry for entry in self.entries()}
        texts = [by_sequence[str(n)]["MESSAGE"] for n in range(1, 5)]
        self.assertEqual([bytes(text).decode() if isinstance(text, list) else text for text in texts], [line.decode() for line in lines])
        self.assertEqual({name: by_sequence["1"][name] for name in ("PRIORITY", "BERTH_APP", "BERTH_RELEASE", "BERTH_INSTANCE", "BERTH_LABEL_RACK")},
                         {"PRIORITY": "4", "BERTH_APP": "web", "BERTH_RELEASE": "v42", "BERTH_INSTANCE": "web/worker.2", "BERTH_LABEL_RACK": "r7"})


class Pushed:
    """What Loki and OTLP have in common."""

    def keys(self, **more):
        return {"kind": self.kind, "url": f"http://127.0.0.1:{self.port}", "proxy": "", "timeout": "2s", **more}

    def receive(self, **options):
        receiver = self.receiver(self.port, **options)
        self.addCleanup(receiver.close)
        return receiver

    def check(self, receiver, count, doubled_at_most=0):
        self.assertEqual(receiver.complaints, [])
        self.assertComplete([self.sequence(entry) for entry in receiver.entries], count, doubled_at_most)

    def test_every_request_is_as_the_api_says(self):
        receiver = self.receive()
        lines = [b"line %d" % n for n in range(5000)] + [b"\xff\x00\"\\ \xe2\x80\xa8 \xf0\x9f\x98\x80", b"", b"x" * 300_000]
        told = self.ship(self.keys(), lines)
        self.assertEqual((told["taken"], told["refused"], told["retries"]), (5003, 0, 0))
        self.check(receiver, 5003)
        self.assertEqual(receiver.connections, 1)
        self.assertEqual([entry[2] for entry in receiver.entries][:2] + [entry[2] for entry in receiver.entries][-3:-1], ["line 0", "line 1", '\\xFF\0"\\ \u2028 \U0001f600', ""])
        self.assertEqual({request["content-encoding"] for request in receiver.requests}, {"gzip"})

    def test_lines_that_are_equal_all_arrive(self):
        receiver = self.receive()
        receiver.faults = [503, ("slow", 0), 503]
        second = b'{"time":"%s","msg":"retrying"}' % time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()).encode()
        told = self.ship(self.keys(), [b"", b"retrying", second] * 2000)
        self.assertEqual((told["taken"], told["refused"]), (6000, 0))
        self.check(receiver, 6000)

    def test_nothing_is_lost_while_it_answers_as_it_likes(self):
        receiver = self.receive()
        faults = [429, 500, "close", "reset", 503, (429, {"Retry-After": "1"}, b"slow down"), ("slow", 3), 502, 504, (301, {"Location": "http://127.0.0.1:1/"}, b""), 401, 404]
        receiver.faults = [fault for one in faults for fault in (one, ("slow", 0))]
        told = self.ship(self.keys(), [b"line %d" % n for n in range(20_000)], batch=1000)
        self.assertEqual(told["taken"], 20_000)
        self.assertGreaterEqual(told["retries"], 9)
        # Where it read and then said nothing in time, it may have it: only ("slow", 3) takes what is given up.
        self.check(receiver, 20_000, doubled_at_most=1000)

    def test_what_it_will_never_take_is_counted_and_nothing_else_is_lost(self):
        receiver = self.receive()
        receiver.refuses = lambda entry: entry[2].startswith("bad")
        lines = [b"bad %d" % n if n % 700 == 0 else b"line %d" % n for n in range(1, 3001)]
        told = self.ship(self.keys(), lines)
        self.assertEqual((told["taken"], told["refused"]), (2996, 4))
        self.assertEqual(receiver.complaints, [])
        self.assertEqual({int(self.sequence(entry)) for entry in receiver.entries}, {n for n in range(1, 3001) if n % 700})

    def test_by_tls_with_a_certificate_and_a_token(self):
        authority = Authority(self.folder)
        mine = authority.issue("node")
        receiver = self.receive(certificate=authority.issue("server", "localhost", "127.0.0.1"), ca=authority.file, token="Bearer the-token")
        (self.folder / "token").write_text("the-token\n")
        keys = self.keys(url=f"https://localhost:{self.port}", ca_file=str(authority.file), certificate_file=f"{mine}.pem", key_file=f"{mine}.key",
                         token=f"file:{self.folder}/token")
        self.assertEqual(self.ship(keys, [b"hello"])["taken"], 1)
        self.check(receiver, 1)
        (self.folder / "token").write_text("another")
        told = self.ship(keys, [b"hello"], expect=1, patience=1)
        self.assertIn("it answers 401 Unauthorized: who are you?", told["reason"])
        self.assertNotIn("another", told["reason"])


class ToLoki(Pushed, SinkCase):
    kind, port, receiver = "loki", 3100, LokiReceiver

    def sequence(self, entry):
        return entry[3]["sequence"]

    def test_labels_are_few_and_the_rest_is_metadata(self):
        receiver = self.receive()
        self.ship(self.keys(tenant="team-a"), [b"level=error it broke"])
        labels, _, text, metadata = receiver.entries[0]
        self.assertEqual(labels, {"app": "web", "environment": "qa", "process": "worker", "node": "edge-1", "stream": "stdout", "instance": "web/worker.2", "rack": "r7"})
        self.assertEqual((text, metadata), ("level=error it broke", {"release": "v42", "deployment": "17", "sequence": "1", "level": "error"}))
        self.assertEqual(receiver.requests[0]["x-scope-orgid"], "team-a")


class ToOtlp(Pushed, SinkCase):
    kind, port, receiver = "otlp", 4318, OtlpReceiver

    def sequence(self, entry):
        return entry[3]["berth.sequence"]

    def test_the_resource_says_what_spoke(self):
        receiver = self.receive()
        self.ship(self.keys(), [b"hello"])
        resource, _, text, attributes = receiver.entries[0]
        self.assertEqual(resource, {"service.name": "web", "service.version": "v42", "service.instance.id": "edge-1/web/worker.2", "deployment.environment.name": "qa",
                                    "deployment.id": "17", "host.name": "edge-1", "berth.process": "worker", "berth.instance": "web/worker.2", "berth.label.rack": "r7"})
        self.assertEqual((text, attributes), ("hello", {"log.iostream": "stdout", "berth.sequence": "1"}))


class Rules(SinkCase):
    def test_rules_of_lines_hold_on_the_way(self):
        receiver = LokiReceiver(3100)
        self.addCleanup(receiver.close)
        rules = 'multiline_start = "^[^ ]"\nansi = "strip"\nredact = ["password=([^ ]+)"]\njson = "message"'
        lines = [b"Traceback:", b"  File x", b"\x1b[31mred\x1b[0m password=hunter2 end", b'{"level":"error","msg":"boom","user":"u"}']
        self.ship({"kind": "loki", "url": "http://127.0.0.1:3100", "proxy": ""}, lines, rules=rules)
        self.assertEqual([(entry[2], entry[3]["sequence"], entry[3]["level"]) for entry in receiver.entries],
                         [("Traceback:\n  File x", "2", "info"), ("red password=[redacted] end", "3", "info"), ("boom user=u", "4", "error")])


if __name__ == "__main__":
    unittest.main(verbosity=2)
