"""The sockets at which berthd is asked from elsewhere, over its restarts, where systemd keeps them."""
import http.client
import re
import socket
import ssl
import threading
import time
import unittest

from lib.case import BerthCase
from lib.certificates import Authority
from lib.programs import PATIENCE
from lib.service_manager import ServiceManager
from lib.waiting import wait_until

METRICS, API = 9464, 9465
RESTARTS = 5


class Asking:
    """Connects to a port again and again, each time for one request."""

    def __init__(self, port):
        self.port = port
        self.answered, self.refused, self.broken, self.longest = 0, 0, [], 0.0
        self.ending = False
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while not self.ending:
            began = time.monotonic()
            try:
                with socket.create_connection(("127.0.0.1", self.port), 60 * PATIENCE) as one:
                    one.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                    said = b""
                    while piece := one.recv(4096):
                        said += piece
                if said.startswith(b"HTTP/1.1 200 "):
                    self.answered += 1
                else:
                    self.broken.append(said)
            except ConnectionRefusedError:
                self.refused += 1
            except OSError as error:
                self.broken.append(error)
            self.longest = max(self.longest, time.monotonic() - began)

    def end(self):
        self.ending = True
        self.thread.join()


class KeptSockets(BerthCase):
    def setUp(self):
        super().setUp()
        self.node = self.make_node()
        self.systemd = ServiceManager(self.folder / "notify")
        self.addCleanup(self.systemd.close)

    def start(self, wait=True):
        self.systemd.prepare(self.node)
        self.node.start(wait)

    def names(self):
        return [name for name, _ in self.systemd.kept]

    def test_who_asks_for_metrics_is_answered_by_the_next_berthd_and_not_refused(self):
        self.start()
        wait_until(lambda: self.names() == ["berthd-kept-metrics"], "it is kept")
        asking = Asking(METRICS)
        for number in range(RESTARTS):
            answered = asking.answered
            wait_until(lambda: asking.answered > answered + 20, "somebody asks")
            if number == 0:
                self.node.kill()
            else:
                self.assertEqual(self.node.stop(), 0)
            time.sleep(0.3)  # for which nobody is there but who waits
            self.start()
        asking.end()
        print(f"{RESTARTS} restarts: {asking.answered} answered, {asking.refused} refused, {len(asking.broken)} broken; {asking.longest:.1f} s at most", flush=True)
        self.assertEqual(asking.refused, 0)
        self.assertLessEqual(len(asking.broken), 1, "but for what was under way when berthd was killed")
        self.assertGreater(asking.longest, 0.3)
        self.assertEqual(self.names(), ["berthd-kept-metrics"], "it is kept once")

    def test_the_control_api_by_tls_goes_on_with_its_socket(self):
        pki = Authority(self.folder)
        node, alice = pki.issue("node", "localhost", "127.0.0.1"), pki.issue("alice", "alice.example")
        self.node.configure(self.node.config.read_text() + f"""
[api]
listen = "127.0.0.1:{API}"
certificate_file = "{node.with_suffix('.pem')}"
key_file = "{node.with_suffix('.key')}"
client_ca_file = "{pki.file}"
[[api.client]]
name = "alice.example"
role = "viewer"
""")
        self.start()
        wait_until(lambda: sorted(self.names()) == ["berthd-kept-api", "berthd-kept-metrics"], "both are kept")
        self.node.stop()
        context = ssl.create_default_context(cafile=pki.file)
        context.load_cert_chain(alice.with_suffix(".pem"), alice.with_suffix(".key"))
        raw = socket.create_connection(("127.0.0.1", API), 60 * PATIENCE)
        self.start(wait=False)
        with context.wrap_socket(raw, server_hostname="localhost") as client:
            client.sendall(b"GET /v1/status HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            answer = http.client.HTTPResponse(client)
            answer.begin()
            self.assertEqual((answer.status, b"node-1" in answer.read()), (200, True))
        self.node.wait_ready()
        self.assertTrue(self.node.socket.exists(), "the control socket is none of them")

    def test_one_that_the_configuration_does_not_want_any_more_is_let_go_of(self):
        self.start()
        wait_until(lambda: self.names() == ["berthd-kept-metrics"], "it is kept")
        self.node.stop()
        text = self.node.config.read_text()
        self.node.configure(text.replace(f":{METRICS}", f":{API}"))
        self.start()
        self.systemd.wait("FDSTOREREMOVE=1\nFDNAME=berthd-kept-metrics")
        with self.assertRaises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", METRICS))
        socket.create_connection(("127.0.0.1", API)).close()
        wait_until(lambda: self.names() == ["berthd-kept-metrics"], "the new one is kept")
        self.node.stop()
        self.node.configure(re.sub(r'(\[metrics\]\n)listen = "[^"]*"', r'\1listen = ""', text))
        self.start()
        self.assertEqual(self.names(), [], "nobody is to listen")
        with self.assertRaises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", API))


if __name__ == "__main__":
    unittest.main(verbosity=2)
