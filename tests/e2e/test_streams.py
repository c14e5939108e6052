"""Events and logs over the control API, as they come: over restarts of berthd, by many at once, and to readers that do not read."""
import json
import os
import socket
import subprocess
import threading
import time
import unittest

from lib import contract, sample_apps
from lib.case import BerthCase
from lib.waiting import wait_until


class Follower:
    """A client of server-sent events as browsers are: it comes back, and says what it got last."""

    def __init__(self, path, target, headers=()):
        self.path, self.target, self.headers = str(path), target, list(headers)
        self.events, self.connections, self.ended = [], 0, False
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while not self.ended:
            last = [f"Last-Event-ID: {self.events[-1]['number']}"] if self.events else self.headers
            try:
                with socket.socket(socket.AF_UNIX) as wire:
                    wire.settimeout(1)
                    wire.connect(self.path)
                    wire.sendall("\r\n".join([f"GET {self.target} HTTP/1.0", "Accept: text/event-stream", *last, "", ""]).encode())
                    self.read(wire)
            except OSError:
                time.sleep(0.02)

    def read(self, wire):
        text = b""
        while not self.ended:
            try:
                piece = wire.recv(1 << 16)
            except TimeoutError:
                continue
            if not piece:
                return
            text += piece
            if b"\r\n\r\n" in text:
                head, text = text.split(b"\r\n\r\n", 1)
                assert head.startswith(b"HTTP/1.1 200"), head
                self.connections += 1
            *messages, text = text.split(b"\n\n")
            for message in messages:
                contract.check("GET", self.target, None, 200, "text/event-stream", message.decode() + "\n\n")
                data = [line.removeprefix(b"data: ") for line in message.splitlines() if line.startswith(b"data: ")]
                if data:
                    self.events.append(json.loads(data[0]))

    def end(self):
        self.ended = True
        self.thread.join()


class Streams(BerthCase):
    def setUp(self):
        super().setUp()
        self.node = self.make_node().start()

    def follow(self, target="/v1/events", *headers):
        follower = Follower(self.node.socket, target, headers)
        self.addCleanup(follower.end)
        wait_until(lambda: follower.connections > 0, "it follows")
        return follower

    def curl(self, target, *options, check=True):
        return subprocess.run(["curl", "-sS", "--unix-socket", str(self.node.socket), *options, f"http://localhost{target}"], capture_output=True, text=True, check=check, timeout=60)

    def test_events_are_told_over_restarts_and_none_is_lost_or_doubled(self):
        all_of_them = self.follow("/v1/events?from=1")
        of_web = self.follow("/v1/events?app=web&from=1")
        new_ones = self.follow()
        for note in ("one", "two", "three"):
            release = self.repo.publish(sample_apps.testapp(self.folder / "site", note=note))
            self.deploy(self.node, release)
            self.node.kill()
            self.node.start()
        self.node.berth("hold", "web", "--reason", "the last one")
        expected = self.node.events()
        numbers = [one["number"] for one in expected]
        wait_until(lambda: all_of_them.events and all_of_them.events[-1]["number"] >= numbers[-1], "all came")
        self.assertEqual(all_of_them.events[:len(expected)], expected)
        self.assertGreaterEqual(all_of_them.connections, 4)
        wait_until(lambda: of_web.events and of_web.events[-1]["kind"] == expected[-1]["kind"], "those of the app came")
        self.assertEqual([one["number"] for one in of_web.events], [one["number"] for one in expected if one["app"] == "web"])
        wait_until(lambda: new_ones.events and new_ones.events[-1]["number"] >= numbers[-1], "new ones came")
        self.assertEqual([one["number"] for one in new_ones.events][:3], list(range(new_ones.events[0]["number"], new_ones.events[0]["number"] + 3)))

    def test_logs_are_told_as_the_command_line_tells_them(self):
        self.repo.publish(sample_apps.testapp(self.folder / "site", "--lines", "50"))
        self.deploy(self.node, "v1")
        wait_until(lambda: len(self.node.berth("logs", "web").out.splitlines()) > 50, "it wrote")
        self.node.berth("stop", "web")
        for query, options in (("", []), ("?lines=3", ["-n", "3"]), ("?grep=4&stream=stdout", ["--grep", "4", "--stream", "stdout"]), ("?process=web&number=1&since=1h", ["--since", "1h"]),
                               ("?release=v1", ["--release", "v1"])):
            with self.subTest(query=query):
                contract.check("GET", "/v1/apps/web/logs" + query, None, 200, "application/x-ndjson", self.curl("/v1/apps/web/logs" + query).stdout)
                self.assertEqual(self.curl("/v1/apps/web/logs" + query).stdout, self.node.berth("logs", "web", "--json", *options).out)
        for target, status in (("/v1/apps/nothing/logs", "404"), ("/v1/apps/web/logs?process=other", "404"), ("/v1/apps/web/logs?level=loud", "400"), ("/v1/apps/web/logs?x=1", "400")):
            self.assertEqual(self.curl(target, "-o", "/dev/null", "-w", "%{http_code}").stdout, status, target)

    def test_logs_are_followed_over_restarts_of_the_app(self):
        self.repo.publish(sample_apps.testapp(self.folder / "site", "--lines", "10"))
        self.deploy(self.node, "v1")
        following = subprocess.Popen(["curl", "-sSN", "--unix-socket", str(self.node.socket), "http://localhost/v1/apps/web/logs?follow=true&lines=0"], stdout=subprocess.PIPE, text=True)
        self.addCleanup(following.wait)
        self.addCleanup(following.kill)
        lines = []
        threading.Thread(target=lambda: lines.extend(iter(following.stdout.readline, "")), daemon=True).start()
        time.sleep(0.5)
        before = {json.loads(line)["pid"] for line in self.node.berth("logs", "web", "--json").out.splitlines() if "pid" in line}
        self.node.berth("restart", "web")
        wait_until(lambda: {json.loads(line).get("pid") for line in lines if line.strip()} - before - {None}, "what the new process says comes")

    def test_so_many_may_follow_and_who_does_not_read_is_dropped(self):
        held = []
        for _ in range(32):
            wire = socket.socket(socket.AF_UNIX)
            wire.connect(str(self.node.socket))
            wire.sendall(b"GET /v1/events HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n")
            self.assertIn(b"200 OK", wire.recv(100))
            held.append(wire)
        refused = self.curl("/v1/events", "-H", "Accept: text/event-stream", "-w", "%{http_code}").stdout
        self.assertTrue(refused.endswith("503"), refused)
        self.assertIn("as many read events", refused)
        self.assertEqual(self.node.status()["ready"], True)
        for wire in held:
            wire.close()
        # Whoever closed is noticed when there is something to tell, or with the next sign of life.
        self.repo.publish(sample_apps.testapp(self.folder / "site"))
        self.deploy(self.node, "v1")
        self.follow()
        files = len(os.listdir(f"/proc/{self.node.process.pid}/fd"))
        self.assertLess(files, 64)


if __name__ == "__main__":
    unittest.main()
