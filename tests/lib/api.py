"""berthd's control API over its Unix socket."""
import http.client
import json
import socket


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self._path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json.loads(self.body)


def call(socket_path, method, target, body=None, headers=None, timeout=70):
    """One request; raises OSError when nobody answers."""
    connection = _UnixConnection(socket_path, timeout)
    try:
        text = None if body is None else json.dumps(body)
        sent = {"Content-Type": "application/json"} if text is not None else {}
        connection.request(method, target, text, {**sent, **(headers or {})})
        got = connection.getresponse()
        return Answer(got.status, got.headers, got.read().decode())
    finally:
        connection.close()
