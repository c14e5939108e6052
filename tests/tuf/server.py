"""Serves a repository over HTTP/1.0: one request a connection, GET only, paths taken as they are."""
import http.server
import re
import threading

#: What stands before `metadata/` and `targets/`: a client that decodes, encodes or normalises a part of it asks for something else.
PREFIX = "/tuf%5B..%2Fdelegatedrole%5D%20%3F%23"


class Server:
    def __init__(self, repository):
        self.repository, self.requests, self.instead = repository, [], {}
        self.over = threading.Event()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def do_GET(self):
                try:
                    outer.answer(self)
                except OSError:
                    pass  # the client had enough

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server.server_address[1]}{PREFIX}"

    def close(self):
        self.over.set()
        self.server.shutdown()
        self.server.server_close()

    def answer(self, request):
        if not request.path.startswith(PREFIX + "/"):
            self.requests.append(request.path)
            request.send_error(404, "outside of the repository")
            return
        path = request.path[len(PREFIX) + 1:]
        self.requests.append(path.removeprefix("metadata/"))
        if path in self.instead:
            self.instead[path](request)
            return
        kind, _, name = path.partition("/")
        data = (self.repository.files if kind == "metadata" else self.repository.artifacts).get(name)
        if data is not None:
            self.send(request, data)
        elif kind == "targets" or re.fullmatch(r"\d+\.(root|snapshot|targets)\.json|timestamp\.json", name):
            request.send_error(404, "odd (text): of 'a' <reason> phrase")
        # else: a role that nobody knows; the connection is closed without a word

    def send(self, request, data, status=200):
        request.send_response(status)
        request.send_header("Content-Length", str(len(data)))
        request.end_headers()
        request.wfile.write(data)
