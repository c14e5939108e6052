"""Connections that are open while their release is switched, by both routings: served to their end, or up to the end of the drain."""
import socket
import time
import unittest

from lib import sample_apps
from lib.case import BerthCase
from lib.programs import PATIENCE, SOURCE
from lib.waiting import wait_until

DRAIN = 4 * PATIENCE


class Client:
    """One connection that asks again and again."""

    def __init__(self):
        self.socket = socket.create_connection(("127.0.0.1", 8080), timeout=10)
        self.stream = self.socket.makefile("rwb")

    def ask(self, what="hello"):
        """The release that answers; empty where the connection is over."""
        try:
            self.stream.write(f"{what}\n".encode())
            self.stream.flush()
            release, _, said = self.stream.readline().decode().strip().partition(" ")
        except (BrokenPipeError, ConnectionResetError):
            return ""
        assert said == what or not release, (release, said)
        return release

    def close(self):
        try:
            self.stream.close()
        except OSError:
            pass
        self.socket.close()


class LongConnections:
    """Mixed into a case for each routing."""

    routing = None
    drain = DRAIN

    def setUp(self):
        super().setUp()
        self.node = self.make_node().start()
        self.publish("1")
        self.deploy(self.node, "v1")
        self.publish("2")

    def publish(self, note, more=""):
        text = (f'app = "web"\n[process.web]\ncommand = ["bin/echoing"]\n{self.routing} = 8080\nstop = {{ grace = "5s" }}\n'
                f'[process.web.readiness]\ntcp = true\nperiod = "100ms"\n[deploy]\nbake = "200ms"\ndrain = "{self.drain}s"\n{more}')
        tree = sample_apps.Tree(self.folder / "site", "web").put("bin/echoing", (SOURCE / "tests/apps/echoing.py").read_text(), 0o755)
        self.repo.publish(tree.put("NOTE", note).spec(text))

    def connect(self):
        client = Client()
        self.addCleanup(client.close)
        return client

    def asked_anew(self):
        client = Client()
        try:
            return client.ask()
        finally:
            client.close()

    def releases(self):
        return sorted(one["release"] for one in self.node.instances() if one["pid"])

    def switch(self, release="v2"):
        """Begins to deploy it, and returns when new connections go there."""
        self.node.berth("deploy", f"web@{release}", "--no-wait")
        wait_until(lambda: self.asked_anew() == release, f"new connections go to {release}", 20)
        return time.monotonic()

    def ended(self):
        return self.node.deployments()[0]["state"] == "active"

    def test_one_is_served_to_its_end_and_nobody_waits_longer(self):
        held = self.connect()
        self.assertEqual(held.ask(), "v1")
        switched = self.switch()
        while time.monotonic() < switched + DRAIN / 3:
            self.assertEqual(held.ask("still here"), "v1")
            time.sleep(0.05)
        self.assertEqual(self.releases(), ["v1", "v2"])
        self.assertEqual(self.node.deployments()[0]["state"], "switching")
        held.close()
        wait_until(self.ended, "v1 is stopped, and v2 is active", 20)
        self.assertLess(time.monotonic(), switched + DRAIN, "the drain ends with the last connection")
        self.assertEqual(self.releases(), ["v2"])

    def test_trouble_meanwhile_leads_back_to_the_release_that_serves_still(self):
        self.publish("3", "[process.web.liveness]\nexec = ['/bin/sh', '-c', 'test ! -e \"$BERTH_DATA_DIR/sick\"']\nperiod = '100ms'\nfailure_threshold = 1\n")
        held = self.connect()
        self.assertEqual(held.ask(), "v1")
        switched = self.switch("v3")
        (self.node.data() / "sick").touch()
        wait_until(lambda: self.node.deployments()[0]["ended_at"], "it is over", 20)
        self.assertLess(time.monotonic(), switched + DRAIN - 1, "it does not wait until the drain is over")
        self.assertEqual(self.node.deployments()[0]["state"], "reverted")
        self.assertIn("liveness probe failed", self.node.deployments()[0]["reason"])
        self.assertEqual(held.ask("still here"), "v1", "it was not stopped")
        self.assertEqual((self.releases(), self.asked_anew()), (["v1"], "v1"))

    def test_one_that_stays_open_is_cut_at_the_end_of_the_drain(self):
        held = self.connect()
        self.assertEqual(held.ask(), "v1")
        switched = self.switch()
        last = switched
        while release := held.ask():
            self.assertEqual(release, "v1")
            last = time.monotonic()
            self.assertLess(last, switched + DRAIN + 10, "the drain has an end")
            time.sleep(0.02)
        self.assertGreater(last, switched + DRAIN - 1.5, "not before the end of the drain")
        wait_until(self.ended, "v2 is active", 20)
        self.assertEqual(self.releases(), ["v2"])
        self.assertEqual(self.asked_anew(), "v2")


class BySocket(LongConnections, BerthCase):
    routing = "socket"


class ByPort(LongConnections, BerthCase):
    routing = "port"


if __name__ == "__main__":
    unittest.main(verbosity=2)
