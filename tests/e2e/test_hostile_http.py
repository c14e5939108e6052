"""Requests that are malformed, half, endless, ambiguous or of somebody else's page, at each door of berthd: what each is answered, and that others are answered meanwhile."""
import os
import re
import select
import socket
import ssl
import time
import unittest

from lib import event_log, sample_apps
from lib.programs import PATIENCE
from lib.remote import PORT, RemoteCase
from lib.waiting import wait_until

METRICS = 9464
GOOD = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")


def head(*lines, first="GET /healthz HTTP/1.1", host="Host: localhost"):
    """A whole head; each line as it stands."""
    return "\r\n".join([first, *([host] if host else []), *lines, "", ""]).encode("latin-1")


def post(*lines, body=b""):
    return head("Content-Type: application/json", *lines, first="POST /healthz HTTP/1.1") + body


def chunked(body):
    return post("Transfer-Encoding: chunked", body=body)


NEXT = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"  # which must never be taken for a request of its own where it is a body

# What is said, and with what it is answered: the statuses, of which the last one ends the connection where it is a refusal of the reader's. 405: it was read whole, and well, for nothing
# takes a POST at /healthz.
KEPT = [  # a request that is right, and a connection that goes on
    ("two requests at once", GOOD + GOOD, [200, 200]),
    ("thirty requests at once", GOOD * 30, [200] * 30),
    ("a request in many pieces", [bytes([one]) for one in GOOD], [200]),
    ("an empty line before the request", b"\r\n" + GOOD, [200]),
    ("a body of a length", post("Content-Length: 4", body=b"body"), [405]),
    ("a body that looks like a request", post(f"Content-Length: {len(NEXT)}", body=NEXT), [405]),
    ("chunks", chunked(b"4\r\nbody\r\n0\r\n\r\n"), [405]),
    ("chunks in capitals", post("TRANSFER-ENCODING: Chunked", body=b"A\r\n0123456789\r\n0\r\n\r\n"), [405]),
    ("chunks with leading zeros", chunked(b"00004\r\nbody\r\n000\r\n\r\n"), [405]),
    ("chunks with extensions", chunked(b"4;name=value\r\nbody\r\n0;last\r\n\r\n"), [405]),
    ("chunks with trailers", chunked(b"4\r\nbody\r\n0\r\nX-Trailer: a\r\nHost: other\r\n\r\n"), [405]),
    ("a chunk that looks like a request", chunked(b"%x\r\n%s\r\n0\r\n\r\n" % (len(NEXT), NEXT)), [405]),
    ("a client that does not wait for 100 Continue", post("Expect: 100-continue", "Content-Length: 4", body=b"body"), [405]),
    ("an unknown method", head(first="BREW /healthz HTTP/1.1"), [405]),
    ("a method in small letters", head(first="get /healthz HTTP/1.1"), [405]),
    ("a method that somebody wants to be another", head("X-HTTP-Method-Override: POST"), [200]),
    ("another protocol that is offered", head("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA"), [200]),
    ("the absolute form", head(first="GET http://localhost/healthz HTTP/1.1"), [200]),
    ("slashes in a row", head(first="GET //healthz HTTP/1.1"), [404]),
    ("slashes in a row within", head(first="GET /v1//status HTTP/1.1"), [404]),
    ("a slash at the end", head(first="GET /healthz/ HTTP/1.1"), [404]),
    ("a name with a semicolon", head(first="GET /healthz;a=b HTTP/1.1"), [404]),
    ("a fragment", head(first="GET /healthz%23a HTTP/1.1"), [404]),
    ("a backslash", head(first="GET /v1\\status HTTP/1.1"), [404]),
    ("bytes that are no UTF-8", head(first="GET /v1/%ff%fe HTTP/1.1"), [404]),
]
REFUSED = [  # and then the connection ends, whatever was said behind it
    ("rubbish", b"\x00\x01\x02\x03" * 50 + b"\r\n\r\n", 400),
    ("a hello of TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(60) + b"\r\n\r\n", 400),
    ("the preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    ("no version", head(first="GET /healthz"), 400),
    ("a version of its own", head(first="GET /healthz HTTP/1.10"), 400),
    ("another version", head(first="GET /healthz HTTP/3.0"), 505),
    ("no target", head(first="GET  HTTP/1.1"), 400),
    ("a space in the target", head(first="GET /health z HTTP/1.1"), 400),
    ("a tab for a space", head(first="GET\t/healthz HTTP/1.1"), 400),
    ("a space in front", b" " + GOOD, 400),
    ("no host", head(host=""), 400),
    ("two hosts", head("Host: localhost"), 400),
    ("two hosts in a line", head(host="Host: localhost, other"), 400),
    ("a host with a path", head(host="Host: localhost/x"), 400),
    ("a host with a user", head(host="Host: me@localhost"), 400),
    ("an absolute form without a host", head(first="GET http:///healthz HTTP/1.1"), 400),
    ("a form for proxies", head(first="CONNECT localhost:80 HTTP/1.1"), 400),
    ("a form for servers", head(first="OPTIONS * HTTP/1.1"), 400),
    ("a file", head(first="GET file:///etc/passwd HTTP/1.1"), 400),
    # Ends of lines
    ("LF alone", GOOD.replace(b"\r\n", b"\n"), 400),
    ("LF alone behind the first line", GOOD.replace(b"HTTP/1.1\r\n", b"HTTP/1.1\n"), 400),
    ("LF alone behind a field", head("X-A: a\nX-B: b"), 400),
    ("LF alone at the end", GOOD[:-2] + b"\n" + NEXT, 400),
    ("CR alone in a value", head("X-A: a\rX-B: b"), 400),
    ("CR alone behind the first line", b"GET /healthz HTTP/1.1\rHost: localhost\r\n\r\n", 400),
    ("two CRs", GOOD.replace(b"\r\n", b"\r\r\n"), 400),
    ("a value that goes on in the next line", head("X-A: a", " b"), 400),
    ("a value that goes on behind a tab", head("X-A: a", "\tb"), 400),
    ("the first field goes on", head(" a", host=""), 400),
    ("a folded coding", post("Transfer-Encoding:", " chunked", body=b"0\r\n\r\n"), 400),
    # Fields
    ("NUL in a value", head("X-A: a\0b"), 400),
    ("NUL in a name", head("X\0A: a"), 400),
    ("a control character in a value", head("X-A: a\x07b"), 400),
    ("a space in a name", head("X A: a"), 400),
    ("a space before the colon", post("Content-Length : 4", body=b"body"), 400),
    ("a tab before the colon", post("Transfer-Encoding\t: chunked", body=b"0\r\n\r\n"), 400),
    ("no colon", head("nonsense"), 400),
    ("no name", head(": value"), 400),
    ("a name in brackets", head("X[A]: a"), 400),
    ("a long value", head("X-A: " + "a" * 20_000), 431),
    ("many fields", head(*[f"X-{number}: a" for number in range(3000)]), 431),
    ("fields without an end", head()[:-2] + b"X-A: a\r\n" * 20_000, 431),
    ("a long target", head(first="GET /" + "a" * 20_000 + " HTTP/1.1"), 431),
    ("a target without an end", b"GET /" + b"a" * 200_000, 431),
    ("a method without an end", b"A" * 200_000, (400, 431)),
    # Lengths
    ("two lengths", post("Content-Length: 4", "Content-Length: 5", body=b"body" + NEXT), 400),
    ("two lengths that are the same", post("Content-Length: 4", "Content-Length: 4", body=b"body" + NEXT), 400),
    ("two lengths in a line", post("Content-Length: 4, 4", body=b"body" + NEXT), 400),
    ("two lengths, one of small letters", post("Content-Length: 4", "content-length: 0", body=b"body" + NEXT), 400),
    ("a length below nothing", post("Content-Length: -1", body=NEXT), 400),
    ("a length with a sign", post("Content-Length: +4", body=b"body" + NEXT), 400),
    ("a length in hex", post("Content-Length: 0x4", body=b"body" + NEXT), 400),
    ("a length with letters", post("Content-Length: 4a", body=b"body" + NEXT), 400),
    ("a length of two words", post("Content-Length: 4 4", body=b"body" + NEXT), 400),
    ("an empty length", post("Content-Length:", body=NEXT), 400),
    ("a length past all numbers", post("Content-Length: 99999999999999999999999", body=NEXT), (400, 413)),
    ("a length past the most", post("Content-Length: 9999999", body=NEXT), 413),
    ("a length past the most, asked before", post("Expect: 100-continue", "Content-Length: 9999999"), 413),
    # Codings
    ("a length beside a coding", post("Content-Length: 4", "Transfer-Encoding: chunked", body=b"0\r\n\r\n" + NEXT), 400),
    ("a coding beside a length", post("Transfer-Encoding: chunked", "Content-Length: 4", body=b"0\r\n\r\n" + NEXT), 400),
    ("two codings", post("Transfer-Encoding: chunked", "Transfer-Encoding: chunked", body=b"0\r\n\r\n" + NEXT), 400),
    ("chunks in chunks", post("Transfer-Encoding: chunked, chunked", body=b"0\r\n\r\n" + NEXT), (400, 501)),
    ("another coding", post("Transfer-Encoding: gzip", body=NEXT), (400, 501)),
    ("another coding before chunks", post("Transfer-Encoding: gzip, chunked", body=b"0\r\n\r\n" + NEXT), 501),
    ("another coding behind chunks", post("Transfer-Encoding: chunked, identity", body=b"0\r\n\r\n" + NEXT), (400, 501)),
    ("no coding", post("Transfer-Encoding: identity", body=NEXT), (400, 501)),
    ("a coding that looks like chunks", post("Transfer-Encoding: xchunked", body=b"0\r\n\r\n" + NEXT), (400, 501)),
    ("a coding in quotes", post('Transfer-Encoding: "chunked"', body=b"0\r\n\r\n" + NEXT), (400, 501)),
    ("a coding with a parameter", post("Transfer-Encoding: chunked;a=b", body=b"0\r\n\r\n" + NEXT), (400, 501)),
    ("a coding behind a vertical tab", post("Transfer-Encoding: \x0bchunked", body=b"0\r\n\r\n" + NEXT), 400),
    ("an empty coding", post("Transfer-Encoding:", body=NEXT), (400, 501)),
    ("a coding in HTTP/1.0", head("Transfer-Encoding: chunked", first="POST /healthz HTTP/1.0") + b"0\r\n\r\n" + NEXT, 400),
    # Chunks
    ("a chunk of no size", chunked(b"\r\nbody\r\n0\r\n\r\n" + NEXT), 400),
    ("a chunk of no number", chunked(b"zz\r\nbody\r\n0\r\n\r\n" + NEXT), 400),
    ("a chunk below nothing", chunked(b"-4\r\nbody\r\n0\r\n\r\n" + NEXT), 400),
    ("a chunk with a sign", chunked(b"+4\r\nbody\r\n0\r\n\r\n" + NEXT), 400),
    ("a chunk with 0x", chunked(b"0x4\r\nbody\r\n0\r\n\r\n" + NEXT), 400),
    ("a chunk with a space in front", chunked(b" 4\r\nbody\r\n0\r\n\r\n" + NEXT), 400),
    ("a chunk past all numbers", chunked(b"fffffffffffffffff\r\nbody\r\n0\r\n\r\n" + NEXT), (400, 413)),
    ("a chunk that becomes 4 where numbers end", chunked(b"10000000000000004\r\nbody\r\n0\r\n\r\n" + NEXT), (400, 413)),
    ("a chunk past the most", chunked(b"ffffff\r\n" + NEXT), 413),
    ("a chunk that is longer than it says", chunked(b"4\r\nbodyandmore\r\n0\r\n\r\n" + NEXT), 400),
    ("a chunk that is shorter than it says", chunked(b"6\r\nbody\r\n0\r\n\r\n" + NEXT), 400),
    ("a chunk behind LF alone", chunked(b"4\nbody\r\n0\r\n\r\n" + NEXT), 400),
    ("a chunk before LF alone", chunked(b"4\r\nbody\n0\r\n\r\n" + NEXT), 400),
    ("a chunk whose extension ends by LF alone", chunked(b"4;a\nbody\r\n0\r\n\r\n" + NEXT), 400),
    ("an extension without an end", chunked(b"4;" + b"a" * 300_000), (400, 431)),
    ("a size without an end", chunked(b"0" * 300_000), (400, 431)),
    ("many extensions", chunked(b"".join(b"1;%s\r\na\r\n" % (b"b" * 1000) for _ in range(200)) + b"0\r\n\r\n"), 431),
    ("many trailers", chunked(b"0\r\n" + b"X-A: a\r\n" * 20_000), (400, 431)),
    ("a length in the trailers", chunked(b"4\r\nbody\r\n0\r\nContent-Length: 99\r\n\r\n" + NEXT), 400),
    ("a trailer that is none", chunked(b"0\r\nnonsense\r\n\r\n" + NEXT), 400),
    # Paths
    ("a way up", head(first="GET /v1/apps/../status HTTP/1.1"), 400),
    ("a way up from the root", head(first="GET /../../etc/passwd HTTP/1.1"), 400),
    ("a way up in hex", head(first="GET /v1/apps/%2e%2e/status HTTP/1.1"), 400),
    ("a way up half in hex", head(first="GET /v1/.%2E/status HTTP/1.1"), 400),
    ("a way up with its slash in hex", head(first="GET /v1/..%2fstatus HTTP/1.1"), 400),
    ("a slash in hex", head(first="GET /v1%2Fstatus HTTP/1.1"), 400),
    ("here", head(first="GET /./healthz HTTP/1.1"), 400),
    ("a NUL in hex", head(first="GET /healthz%00 HTTP/1.1"), 400),
    ("a line break in hex", head(first="GET /healthz%0d%0aX: HTTP/1.1"), 400),
    ("half a percent escape", head(first="GET /healthz%2 HTTP/1.1"), 400),
    ("an escape that is none", head(first="GET /%zz HTTP/1.1"), 400),
    ("a parameter twice", head(first="GET /healthz?a=1&a=2 HTTP/1.1"), 400),
]
CUT = [  # the client ends its side in the midst
    ("half a first line", b"GET /heal"),
    ("half a head", GOOD[:-2]),
    ("half a body", post("Content-Length: 10", body=b"body")),
    ("half a chunk", chunked(b"a\r\nbody")),
    ("chunks without the last one", chunked(b"4\r\nbody\r\n")),
]


class Door:
    """Where berthd can be asked."""

    def __init__(self, name, connect):
        self.name, self.connect = name, connect

    def ask(self, said=GOOD):
        """The status of one request over a connection of its own."""
        with self.connect() as client:
            client.sendall(said)
            return statuses_of(read(client, 1))[0]


def statuses_of(text):
    """Of the answers in it that are whole; of one whose length is not said, its head is enough."""
    found = []
    while b"\r\n\r\n" in text:
        lines, text = text.split(b"\r\n\r\n", 1)
        found.append(int(STATUS.match(lines)[1]))
        length = re.search(rb"\r\ncontent-length: (\d+)", lines)
        if length is None and found[-1] != 100:
            return found
        count = int(length[1]) if length else 0
        if len(text) < count:
            return found[:-1]
        text = text[count:]
    return found


def read(client, count, seconds=20):
    """Until there are so many answers, or, where `count` is None, until the other side ends."""
    text, until = b"", time.monotonic() + seconds * PATIENCE
    while time.monotonic() < until:
        if count is not None and len(statuses_of(text)) >= count:
            return text
        if not getattr(client, "pending", lambda: 0)() and not select.select([client], [], [], 0.5)[0]:
            continue
        try:
            piece = client.recv(1 << 16)
        except ConnectionResetError:
            return text
        except ssl.SSLWantReadError:
            continue
        if not piece:
            return text
        text += piece
    raise AssertionError(f"{'no end' if count is None else 'no answer'} within {seconds} s; what came: {text[:300]}")


def say(client, said):
    """What the other side takes of it: it may have refused and gone before all of it was said."""
    try:
        for piece in said if isinstance(said, list) else [said]:
            client.sendall(piece)
    except (BrokenPipeError, ConnectionResetError, ssl.SSLError):
        pass


class HostileHttp(RemoteCase):
    def setUp(self):
        super().setUp()
        self.node.configure(re.sub(r"(\[metrics\]\n)", r"\1page = true\n", self.node.config.read_text()))
        self.start()
        self.pid = self.node.process.pid
        self.doors = [Door("the control socket", self.by_socket), Door("the metrics listener", self.plain), Door("the API by TLS", self.by_tls)]

    def by_socket(self):
        client = socket.socket(socket.AF_UNIX)
        client.connect(str(self.node.socket))  # which waits where many come at once
        client.settimeout(20 * PATIENCE)
        return client

    def plain(self, port=METRICS, source=""):
        return socket.create_connection(("127.0.0.1", port), 20 * PATIENCE, (source, 0) if source else None)

    def by_tls(self, source="", who="watch"):
        context = ssl.create_default_context(cafile=self.pki.folder / "ca.pem")
        context.load_cert_chain(self.pki.folder / f"{who}.pem", self.pki.folder / f"{who}.key")
        return context.wrap_socket(self.plain(PORT, source), server_hostname="localhost")

    def others_are_answered(self, what):
        """At once, over connections of their own."""
        self.assertEqual(self.node.process.poll(), None, f"berthd ended: {what}")
        self.assertEqual(self.node.process.pid, self.pid)
        for door in self.doors:
            began = time.monotonic()
            self.assertEqual(door.ask(), 200, f"{door.name} beside {what}")
            self.assertLess(time.monotonic() - began, PATIENCE, f"{door.name} beside {what}")

    def nothing_has_changed(self):
        self.assertIsNone(self.node.status()["drained"])
        self.assertEqual([one["kind"] for one in self.node.events() if one["kind"].startswith(("operator.", "deployment."))], [])

    def test_what_is_right_is_answered_and_the_connection_goes_on(self):
        for name, said, wanted in KEPT:
            for door in self.doors:
                with self.subTest(name, door=door.name), door.connect() as client:
                    say(client, said)
                    self.assertEqual(statuses_of(read(client, len(wanted))), wanted)
                    client.sendall(GOOD)
                    self.assertEqual(statuses_of(read(client, 1)), [200], "the connection goes on, and nothing is left over")
        self.others_are_answered("all of these")
        self.nothing_has_changed()

    def test_what_is_wrong_is_refused_and_ends_the_connection(self):
        for name, said, wanted in REFUSED:
            for door in self.doors:
                with self.subTest(name, door=door.name), door.connect() as client:
                    began = time.monotonic()
                    say(client, said)
                    text = read(client, None)
                    self.assertEqual(len(statuses_of(text)), 1, text)
                    self.assertIn(statuses_of(text)[0], wanted if isinstance(wanted, tuple) else (wanted,), text)
                    self.assertIn(b"\r\nconnection: close\r\n", text)
                    self.assertIn(b"\r\ncontent-type: application/problem+json\r\n", text)
                    self.assertLess(time.monotonic() - began, 5 * PATIENCE, "at once")
            self.others_are_answered(name)
        self.nothing_has_changed()

    def test_who_waits_to_be_told_to_go_on_is_told(self):
        for door in self.doors:
            with self.subTest(door=door.name), door.connect() as client:
                client.sendall(post("Expect: 100-continue", "Content-Length: 4"))
                self.assertEqual(statuses_of(read(client, 1)), [100])
                client.sendall(b"body" + GOOD)
                self.assertEqual(statuses_of(read(client, 2)), [405, 200])

    def test_what_is_cut_short_is_not_done(self):
        for name, said in CUT:
            for door in self.doors[:2]:  # a side of TLS cannot be ended alone by Python; test_remote.py does it
                with self.subTest(name, door=door.name), door.connect() as client:
                    client.sendall(said)
                    client.shutdown(socket.SHUT_WR)
                    self.assertEqual(statuses_of(read(client, None)), [400])
        self.others_are_answered("requests that were cut short")

    def test_who_is_slow_is_let_go_of_and_keeps_nobody_waiting(self):
        waiting = []
        for door in self.doors:
            for name, first, then in (("half a head", b"GET /healthz HTTP/1.1\r\nHost: ", b"l"), ("half a body", post("Content-Length: 100"), b"b"), ("half a chunk", chunked(b"64\r\n"), b"c")):
                client = door.connect()
                self.addCleanup(client.close)
                client.sendall(first)
                waiting.append((f"{name} at {door.name}", client, then))
        until, began = {name: None for name, _, _ in waiting}, time.monotonic()
        while None in until.values() and time.monotonic() - began < 30 * PATIENCE:
            for name, client, then in waiting:
                if until[name] is None:
                    say(client, then)
                    if select.select([client], [], [], 0)[0]:
                        self.assertEqual(statuses_of(read(client, 1)), [408], name)
                        until[name] = time.monotonic() - began
            self.others_are_answered("slow ones")
            time.sleep(0.5)
        for name, took in until.items():
            self.assertIsNotNone(took, f"{name} was never let go of")
            self.assertGreater(took, 5)
            self.assertLess(took, 20 * PATIENCE)

    def test_a_thousand_connections_that_say_nothing_keep_nobody_else_away(self):
        for door in (Door("the control socket", self.by_socket), Door("the metrics listener", self.plain), Door("the port of the API", lambda: self.plain(PORT))):
            held = []
            try:
                for number in range(1000):
                    held.append(door.connect())
                    if number % 250 == 0:
                        held[-1].sendall(b"GET /hea")
                self.others_are_answered(f"a thousand at {door.name}")
            finally:
                for one in held:
                    one.close()
        self.assertLess(len(os.listdir(f"/proc/{self.pid}/fd")), 700)

    def test_rubbish_in_the_place_of_tls_ends_the_connection(self):
        hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(1000)
        for name, said in (("plain HTTP", GOOD), ("zeros", bytes(5000)), ("a record that is longer than any", b"\x16\x03\x01\xff\xff" + bytes(70_000)), ("empty records", b"\x16\x03\x03\x00\x00" * 5000),
                           ("a hello that is none", hello), ("SSL 2", b"\x80\x2e\x01\x00\x02" * 100), ("data before the handshake", b"\x17\x03\x03\x00\x10" + bytes(16)),
                           ("an alert", b"\x15\x03\x03\x00\x02\x02\x00"), ("SSH", b"SSH-2.0-OpenSSH_9.2\r\n"), ("a proxy's header", b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n" + GOOD)):
            with self.subTest(name), self.plain(PORT) as client:
                say(client, said)
                try:
                    client.shutdown(socket.SHUT_WR)
                except OSError:
                    pass
                text = read(client, None)
                self.assertNotIn(b"HTTP/", text)
                self.assertLessEqual(len(text), 100, "an alert at most")
            self.others_are_answered(name)

    def test_the_page_is_not_told_under_the_names_of_others(self):
        for host, wanted in (("localhost", 200), ("LOCALHOST:9464", 200), ("127.0.0.1:9464", 200), ("[::1]:9464", 200), ("node-1", 200), ("10.1.2.3", 200), ("evil.example", 403), ("evil.example:9464", 403),
                             ("localhost.evil.example", 403), ("127.0.0.1.evil.example", 403), ("node-1.evil.example", 403), ("localhost.", 403), ("localhost:", 403), ("localhost:x", 400), ("[::1", 400),
                             ("127.1", 403), ("0x7f000001", 403), ("", 403)):
            for path in ("/page", "/page/status", "/page/events", "/page/files/page.js"):
                said = head(host=f"Host: {host}", first=f"GET {path} HTTP/1.1")
                self.assertEqual(self.doors[1].ask(said), wanted, (host, path))
        self.assertEqual(self.doors[1].ask(head(first="GET http://evil.example/page HTTP/1.1")), 403, "the name in the target counts")
        self.assertEqual(self.doors[1].ask(head(first="GET http://localhost/page HTTP/1.1", host="Host: evil.example")), 200)

    def test_a_page_of_others_changes_and_reads_nothing(self):
        drain = "POST /v1/node/drain HTTP/1.1"
        form = ("Content-Type: application/x-www-form-urlencoded", "Content-Length: 8")
        for name, lines in (("a form", ("Origin: https://evil.example", "Sec-Fetch-Site: cross-site", *form)), ("a form of an older browser", ("Origin: https://evil.example", *form)),
                            ("a form of a page without an origin", ("Origin: null", *form)), ("a form that another page of the same host has", ("Sec-Fetch-Site: same-site", *form)),
                            ("a script's JSON", ("Origin: https://evil.example", "Content-Type: application/json", "Content-Length: 8"))):
            said = head(*lines, first=drain) + b'{"a": 1}'
            self.assertEqual(self.doors[0].ask(said), 403, f"{name}, by a socket that was forwarded to a port")
            self.assertEqual(self.doors[1].ask(said), 404, f"{name}: nothing is changed at the metrics listener")
            with self.by_tls(who="admin") as client:
                client.sendall(said)
                self.assertEqual(statuses_of(read(client, 1)), [403], f"{name}, of a browser that holds a certificate")
        for name, lines in (("an image", ("Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: no-cors")), ("a script", ("Origin: https://evil.example",))):
            said = head(*lines, first="GET /v1/events?from=1 HTTP/1.1")
            self.assertEqual([self.doors[0].ask(said), self.doors[2].ask(said)], [403, 403], name)
        preflight = head("Origin: https://evil.example", "Access-Control-Request-Method: POST", first="OPTIONS /v1/node/drain HTTP/1.1")
        for door in self.doors:
            with door.connect() as client:
                client.sendall(preflight)
                self.assertNotIn(b"access-control", read(client, 1).lower(), f"{door.name} gives no page of others leave")
        self.nothing_has_changed()

    def test_who_takes_nothing_of_a_stream_is_let_go_of(self):
        tree = sample_apps.Tree(self.folder / "talks", "talks").put("bin/talk", "#!/bin/sh\nseq 1 600000\nexec sleep 100000\n", 0o755)
        self.repo.publish(tree.spec('app = "talks"\n[process.main]\ncommand = ["bin/talk"]\n[deploy]\nbake = "300ms"\n'))
        self.deploy(self.node, "v1", "talks")
        event_log.fill(self.node, 30_000)  # more than sockets hold
        self.pid = self.node.process.pid
        resident = lambda: int(re.search(r"VmRSS:\s+(\d+)", open(f"/proc/{self.pid}/status").read())[1])
        before = resident()
        readers = []
        for door in (self.doors[0], self.doors[2]):
            for _ in range(6):
                client = door.connect()
                self.addCleanup(client.close)
                client.sendall(head(first="GET /v1/apps/talks/logs?follow=true HTTP/1.1"))
                readers.append(client)
            client = door.connect()
            self.addCleanup(client.close)
            client.sendall(head("Accept: text/event-stream", first="GET /v1/events?from=1 HTTP/1.1"))
            readers.append(client)
        sockets = lambda: sum(1 for one in os.listdir(f"/proc/{self.pid}/fd") if self.is_socket(one))
        while_they_are = sockets()
        self.others_are_answered("readers that read nothing")
        wait_until(lambda: sockets() <= while_they_are - len(readers), "who takes nothing of a log, or of the events, for 30 s is let go of", 60)
        told = re.findall(r'api: (.*) was dropped, who took nothing of GET "([^"]*)" for 30 s, after \d+ s', self.node.log_file.read_text())
        self.assertEqual(sorted(set(told)), sorted({(who, what) for who in ("root (uid 0)", "east.watch.example.org (certificate, from 127.0.0.1)") for what in ("/v1/apps/talks/logs", "/v1/events")}))
        self.assertEqual(len(told), len(readers))
        self.assertIn(f"\nberth_api_slow_readers_total {len(readers)}\n", self.node.metrics())
        self.others_are_answered("readers that were let go of")
        self.assertLess(resident() - before, 64_000, "kB: what nobody takes is not kept")

    def is_socket(self, descriptor):
        try:
            return os.readlink(f"/proc/{self.pid}/fd/{descriptor}").startswith("socket:")
        except OSError:
            return False


if __name__ == "__main__":
    unittest.main(verbosity=2)
