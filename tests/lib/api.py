"""berthd's control API over its Unix socket. What is asked and answered is compared with docs/openapi.yaml."""
import http.client
import json
import socket

from lib import contract


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


def exchange(socket_path, method, target, text=None, headers=None, timeout=70):
    """One request as it is; raises OSError when nobody answers."""
    connection = _UnixConnection(socket_path, timeout)
    try:
        connection.request(method, target, text, headers or {})
        got = connection.getresponse()
        return Answer(got.status, got.headers, got.read().decode())
    finally:
        connection.close()


def call(socket_path, method, target, body=None, headers=None, timeout=70):
    """One request with `body` as JSON; raises OSError when nobody answers."""
    text = None if body is None else json.dumps(body)
    sent = {"Content-Type": "application/json"} if text is not None else {}
    answer = exchange(socket_path, method, target, text, {**sent, **(headers or {})}, timeout)
    if method != "HEAD":
        contract.check_new(method, target, text, answer.status, answer.headers.get("Content-Type", ""), answer.body, headers, dict(answer.headers.items()))
    return answer
