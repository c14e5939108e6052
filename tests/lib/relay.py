"""Between clients and a berthd: passes on what either says, byte for byte, and keeps it as exchanges of HTTP/1.1."""
import contextlib
import os
import select
import socket
import threading
from dataclasses import asdict, dataclass

from lib.programs import PATIENCE


@dataclass
class Exchange:
    """One request and its answer. `status` is 0 where none came; `whole`: the answer came to its end, which one that goes on and on does not."""
    method: str
    target: str
    sent: list  # (name, value) of the request's headers, as they came
    body: str
    status: int
    got: list
    text: str
    whole: bool

    @property
    def kind(self):
        return value_of(self.got, "content-type")

    def record(self):
        return asdict(self)


def value_of(headers, name):
    return next((value for one, value in headers if one.lower() == name), "")


def _head(data):
    """The first line, the headers and the rest; None where the head has no end yet."""
    head, end, rest = data.partition(b"\r\n\r\n")
    if not end:
        return None
    first, *lines = head.decode("latin-1").split("\r\n")
    return first.split(" ", 2), [tuple(part.strip() for part in line.split(":", 1)) for line in lines], rest


def _chunks(data):
    """What chunks have, the rest behind them, and whether they came to an end."""
    text = b""
    while True:
        size, end, rest = data.partition(b"\r\n")
        if not end:
            return text, b"", False
        length = int(size.split(b";")[0], 16)
        if length == 0:
            _, end, rest = (b"\r\n" + rest).partition(b"\r\n\r\n")
            return text, rest, bool(end)
        text += rest[:length]
        if len(rest) < length + 2:
            return text, b"", False
        data = rest[length + 2:]


def _body(headers, data, until_closed):
    if value_of(headers, "transfer-encoding").lower() == "chunked":
        return _chunks(data)
    length = value_of(headers, "content-length")
    if length:
        return data[:int(length)], data[int(length):], len(data) >= int(length)
    return (data, b"", False) if until_closed else (b"", data, True)


def exchanges_of(said, answered):
    """The exchanges of one connection; what was said after an upgrade is none."""
    found = []
    while (asked := _head(said)) is not None:
        (method, target, _), sent, rest = asked
        body, said, _ = _body(sent, rest, False)
        exchange = Exchange(method, target, sent, body.decode(), 0, [], "", False)
        found.append(exchange)
        answer = _head(answered)
        if answer is None:
            break
        (_, status, *_), exchange.got, rest = answer
        exchange.status = int(status)
        if exchange.status == 101:
            exchange.whole = True
            break
        bare = method == "HEAD" or exchange.status in (204, 304)
        text, answered, exchange.whole = (b"", rest, True) if bare else _body(exchange.got, rest, True)
        exchange.text = text.decode(errors="replace")
    return found


class Relay:
    """Listens at `path`, a Unix socket, and asks at `socket_path`; or where `connect`, which may be changed, leads to. `listen_tls` adds a TCP listener."""

    def __init__(self, path, socket_path):
        self.path, self.socket_path = path, socket_path
        self.connect = self.by_socket
        self.connections, self.listeners, self.lock = [], [], threading.Lock()
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(path))
        os.chmod(path, 0o600)
        self.listen(listener, lambda line: line)

    def by_socket(self):
        line = socket.socket(socket.AF_UNIX)
        line.connect(str(self.socket_path))
        return line

    def listen_tls(self, context, port):
        listener = socket.socket(socket.AF_INET)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        self.listen(listener, lambda line: context.wrap_socket(line, server_side=True))

    def listen(self, listener, wrap):
        listener.listen(64)
        self.listeners.append(listener)
        threading.Thread(target=self.accept, args=(listener, wrap), daemon=True).start()

    def accept(self, listener, wrap):
        while True:
            try:
                line, _ = listener.accept()
            except OSError:
                return
            said, answered = bytearray(), bytearray()
            thread = threading.Thread(target=self.serve, args=(line, wrap, said, answered), daemon=True)
            with self.lock:
                thread.start()  # before anybody takes it, and waits for its end
                self.connections.append((thread, said, answered))

    def serve(self, line, wrap, said, answered):
        with contextlib.suppress(OSError), wrap(line) as client, self.connect() as berthd:
            while True:
                waiting = [one for one in (client, berthd) if getattr(one, "pending", int)()] or select.select([client, berthd], [], [])[0]
                for source, sink, kept in ((client, berthd, said), (berthd, client, answered)):
                    if source not in waiting:
                        continue
                    got = source.recv(65536)
                    if not got:
                        return
                    kept += got
                    sink.sendall(got)

    def take(self, wait=True):
        """What was exchanged since it was taken last; unless `wait` is false, once all connections are closed."""
        with self.lock:
            connections, self.connections = self.connections, []
        found = []
        for thread, said, answered in connections:
            if wait:
                thread.join(20 * PATIENCE)
                if thread.is_alive():
                    raise AssertionError(f"a connection is still open: {bytes(said[:500])}")
            found += exchanges_of(bytes(said), bytes(answered))
        return found

    def close(self):
        for listener in self.listeners:
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()
