"""A web server for a repository, which can be made to misbehave."""
import http.server
import threading
from pathlib import Path


class RepositoryServer:
    """Serves a folder on 127.0.0.1. `faults` maps a part of a path to what happens there:
    an int is answered as a status; "hang" stops in mid-body for good; ("stop", N) closes after N bytes, once."""

    def __init__(self, folder, port=8900):
        self.folder, self.port, self.faults, self.asked = Path(folder), port, {}, []
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
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.thread.start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def close(self):
        self.over.set()
        self.server.shutdown()
        self.server.server_close()

    def answer(self, request):
        path = request.path.split("?")[0]
        span = request.headers.get("Range", "")
        self.asked.append((path, span))
        fault = next((what for part, what in self.faults.items() if part in path), None)
        if isinstance(fault, int):
            self.send(request, fault, b"trouble")
            return
        file = self.folder / path.lstrip("/")
        if not file.is_file():
            self.send(request, 404, b"no such file")
            return
        body, status, extra = file.read_bytes(), 200, {}
        if span.startswith("bytes=") and "," not in span:
            first, _, last = span[6:].partition("-")
            begin = int(first or 0)
            end = min(int(last) + 1 if last else len(body), len(body))
            extra = {"Content-Range": f"bytes {begin}-{end - 1}/{len(body)}"}
            body, status = body[begin:end], 206
        self.send(request, status, body, fault, extra)

    def send(self, request, status, body, fault=None, extra=None):
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
        elif isinstance(fault, tuple) and fault[0] == "slow":
            for at in range(0, len(body), fault[1]):
                request.wfile.write(body[at:at + fault[1]])
                request.wfile.flush()
                if self.over.wait(0.1):
                    return
        else:
            request.wfile.write(body)
