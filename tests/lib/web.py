"""A web server for a repository, which can be made to misbehave."""
import hashlib
import http.server
import threading
from pathlib import Path


class Exchange:
    """One request as the server saw it, whole: what was asked, the status, and the bytes on both ways."""

    def __init__(self, path, received):
        self.path, self.received, self.sent, self.status = path, received, 0, 0

    def __repr__(self):
        return f"{self.status} {self.path} ({self.received} bytes in, {self.sent} out)"


class _Counting:
    """A connection's writing end that counts for an exchange."""

    def __init__(self, file, exchange):
        self._file, self._exchange = file, exchange

    def write(self, data):
        self._exchange.sent += len(data)
        return self._file.write(data)

    def __getattr__(self, name):
        return getattr(self._file, name)


class RepositoryServer:
    """Serves a folder on 127.0.0.1. `faults` maps a part of a path to what happens there:
    an int is answered as a status; "hang" stops in mid-body for good; ("stop", N) closes after N bytes, once; ("hang after", N) closes N times
    after no byte, and then stops in mid-body for good; ("slow", N) gives N bytes ten times a second.
    Files have an ETag. `exchanges` has every request that was answered.
    With `tls`, an ssl.SSLContext, it speaks https. Who asks without the Authorization `wanted` is told 401; `told` has what each request had.
    It is a proxy, too, of servers that all have that folder: `hosts` has which were meant."""

    def __init__(self, folder, port=8900, tls=None):
        self.folder, self.port, self.faults, self.asked, self.exchanges = Path(folder), port, {}, [], []
        self.tls, self.wanted, self.told, self.hosts = tls, None, [], set()
        self.over = threading.Event()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_GET(self):
                outer.answer(self)

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True
        if tls:
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True)
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.thread.start()

    @property
    def url(self):
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    def close(self):
        self.over.set()
        self.server.shutdown()
        self.server.server_close()

    def answer(self, request):
        path = request.path.split("?")[0]
        if path.startswith("http://"):
            _, _, host, path = path.split("/", 3)
            path = "/" + path
            self.hosts.add(host)
        self.told.append(request.headers.get("Authorization"))
        span = request.headers.get("Range", "")
        self.asked.append((path, span))
        exchange = Exchange(path, len(request.raw_requestline) + len(bytes(request.headers)))
        request.wfile = _Counting(request.wfile, exchange)
        request.exchange = exchange
        self.exchanges.append(exchange)
        if self.wanted and self.told[-1] != self.wanted:
            self.send(request, 401, b"who are you?")
            return
        fault = next((what for part, what in self.faults.items() if part in path), None)
        if isinstance(fault, int):
            self.send(request, fault, b"trouble")
            return
        file = self.folder / path.lstrip("/")
        if not file.is_file():
            self.send(request, 404, b"no such file")
            return
        body, status = file.read_bytes(), 200
        extra = {"ETag": f'"{hashlib.sha256(body).hexdigest()[:20]}"'}
        if request.headers.get("If-None-Match") == extra["ETag"]:
            self.send(request, 304, b"", extra=extra)
            return
        if span.startswith("bytes=") and "," not in span:
            first, _, last = span[6:].partition("-")
            begin = int(first or 0)
            end = min(int(last) + 1 if last else len(body), len(body))
            extra["Content-Range"] = f"bytes {begin}-{end - 1}/{len(body)}"
            body, status = body[begin:end], 206
        self.send(request, status, body, fault, extra)

    def send(self, request, status, body, fault=None, extra=None):
        request.exchange.status = status
        request.send_response(status)
        request.send_header("Content-Length", str(len(body)))
        for name, value in (extra or {}).items():
            request.send_header(name, value)
        request.end_headers()
        if fault == "hang":
            request.wfile.write(body[: len(body) // 2])
            request.wfile.flush()
            self.over.wait()
            request.close_connection = True
        elif isinstance(fault, tuple) and fault[0] == "stop":
            self.faults = {part: what for part, what in self.faults.items() if what is not fault}
            request.wfile.write(body[: fault[1]])
            request.wfile.flush()
            request.close_connection = True
        elif isinstance(fault, tuple) and fault[0] == "hang after":
            self.faults = {part: (("hang after", fault[1] - 1) if fault[1] > 1 else "hang") if what is fault else what for part, what in self.faults.items()}
            request.close_connection = True
        elif isinstance(fault, tuple) and fault[0] == "slow":
            for at in range(0, len(body), fault[1]):
                try:
                    request.wfile.write(body[at:at + fault[1]])
                    request.wfile.flush()
                except OSError:
                    request.close_connection = True
                    return
                if self.over.wait(0.1):
                    request.close_connection = True
                    return
        else:
            request.wfile.write(body)
