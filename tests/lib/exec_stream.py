"""A client of `POST /v1/apps/{app}/exec` of our own: frames over a connection that was upgraded (docs/formats.md)."""
import json
import socket
import ssl
import struct

from lib.programs import PATIENCE

IN, OUT, ERR, RESIZE, SIGNAL, ROOM, ALIVE, UNWANTED, BEGUN, END = range(10)
WINDOW = 256 << 10


def over_unix(path):
    line = socket.socket(socket.AF_UNIX)
    line.connect(str(path))
    return line


def over_tls(pki, who, port, host="localhost"):
    context = ssl.create_default_context(cafile=pki.folder / "ca.pem")
    context.load_cert_chain(pki.folder / f"{who}.pem", pki.folder / f"{who}.key")
    return context.wrap_socket(socket.create_connection((host, port)), server_hostname=host)


class Stream:
    """Asks by `line`, which is connected. `status` and `headers` are its answer's; with 101 it is `frames` from then on."""

    def __init__(self, line, app="web", upgrade=True, **body):
        self.line, self.buffer = line, b""
        line.settimeout(30 * PATIENCE)
        text = json.dumps(body).encode()
        more = "Connection: Upgrade\r\nUpgrade: berth-exec\r\n" if upgrade else ""
        line.sendall(f"POST /v1/apps/{app}/exec HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(text)}\r\n{more}\r\n".encode() + text)
        while b"\r\n\r\n" not in self.buffer:
            self.more()
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        first, *rest = head.decode().split("\r\n")
        self.status = int(first.split()[1])
        self.headers = {name.lower(): value for name, value in (one.split(": ", 1) for one in rest)}
        self.out, self.err, self.end, self.room, self.begun = b"", b"", None, WINDOW, False
        if self.status != 101:
            while len(self.buffer) < int(self.headers["content-length"]):
                self.more()

    def more(self):
        got = self.line.recv(65536)
        if not got:
            raise EOFError("the node closed the connection")
        self.buffer += got

    def json(self):
        return json.loads(self.buffer)

    def send(self, kind, data=b""):
        self.line.sendall(struct.pack(">BI", kind, len(data)) + data)

    def type(self, data):
        """Not more than fits at once."""
        self.room -= len(data)
        self.send(IN, data)

    def take(self):
        """The next frame, of which `out`, `err`, `room`, `begun` and `end` know then."""
        while len(self.buffer) < 5 or len(self.buffer) < 5 + struct.unpack(">I", self.buffer[1:5])[0]:
            self.more()
        kind, size = struct.unpack(">BI", self.buffer[:5])
        data, self.buffer = self.buffer[5:5 + size], self.buffer[5 + size:]
        if kind == OUT:
            self.out += data
        elif kind == ERR:
            self.err += data
        elif kind == ROOM:
            self.room += struct.unpack(">I", data)[0]
        elif kind == BEGUN:
            self.begun = True
        elif kind == END:
            self.end = (struct.unpack(">i", data[:4])[0], data[4:].decode())
        return kind

    def until(self, words):
        while words not in self.out:
            self.take()
        return self

    def ended(self):
        while self.end is None:
            self.take()
        return self.end[0]

    def close(self):
        self.line.close()
