"""Between a command line and berthd's socket: whatever is asked and answered there is compared with docs/openapi.yaml."""
import http.server
import os
import socketserver
import threading

from lib import api, contract


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


class Tap:
    """Listens at `path` and asks at `socket`. `seen`: the operations that were used, each with "done" and "problem"; `broken`: where the document was not kept."""

    def __init__(self, path, socket):
        self.seen, self.broken = set(), []
        tap = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def address_string(self):
                return "a client"

            def log_message(self, *_):
                pass

            def exchange(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
                kept = {name: value for name, value in self.headers.items() if name.lower() not in ("host", "connection", "content-length")}
                answer = api.exchange(socket, self.command, self.path, body or None, kept)
                try:
                    tap.seen.add(contract.check(self.command, self.path, body, answer.status, answer.headers.get("Content-Type", ""), answer.body, kept, dict(answer.headers.items())))
                except contract.Broken as broken:
                    tap.broken.append(str(broken))
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                        self.send_header(name, value)
                text = answer.body.encode()
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            do_GET = do_POST = do_DELETE = exchange

        self.server = _Server(str(path), Handler)
        os.chmod(path, 0o600)
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
