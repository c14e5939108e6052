"""A disk that takes seconds to sync and to remove: who asks meanwhile is answered, and systemd hears that berthd lives."""
import subprocess
import threading
import time
import unittest

from e2e.test_daemon import Notify
from lib import sample_apps
from lib.case import BerthCase
from lib.programs import PATIENCE
from lib.waiting import wait_until

DELAY = 2 * PATIENCE  # seconds that each slow call takes
SOON = PATIENCE        # how long an answer may take meanwhile


class SlowDisk(BerthCase):
    def setUp(self):
        super().setUp()
        self.notify = Notify(self.folder / "notify")
        self.addCleanup(self.notify.socket.close)
        self.node = self.make_node()
        self.node.prefix = ["/bin/sh", "-c", 'export WATCHDOG_PID=$$; exec "$@"', "sh"]
        self.node.environment = {"NOTIFY_SOCKET": self.notify.path, "WATCHDOG_USEC": str(1_000_000 * PATIENCE)}
        self.node.start()

    def tree(self, note):
        tree = sample_apps.testapp(self.folder / "web", note=note)
        for number in range(100):  # with so many the whole file system is synced at once
            tree.put(f"files/{number}", f"{note} {number}")
        return tree

    def slow(self, call, nth, change):
        """Runs `change` while the nth such system call of a thread of berthd takes its time. Meanwhile all is asked again and again; how long the slowest answer took, and how often the watchdog was fed."""
        log = self.folder / "strace"
        tracer = subprocess.Popen(["strace", "-f", "-q", "-o", str(log), "-p", str(self.node.process.pid), "-e", f"trace={call}", "-e",
                                   f"inject={call}:delay_enter={DELAY * 1_000_000}:when={nth}"], stderr=subprocess.DEVNULL)
        self.addCleanup(tracer.kill)
        wait_until(lambda: f"TracerPid:\t{tracer.pid}" in open(f"/proc/{self.node.process.pid}/status").read(), "strace traces berthd")
        time.sleep(0.5)  # all threads of it
        changing = threading.Thread(target=change)
        began = time.monotonic()
        changing.start()
        slowest, fed = {}, 0
        self.notify.socket.setblocking(False)
        while changing.is_alive():
            for target in ("/v1/status", "/metrics", "/v1/events", "/v1/deployments?app=other"):
                asked = time.monotonic()
                self.assertEqual(self.node.api("GET", target).status, 200, target)
                slowest[target] = max(slowest.get(target, 0), time.monotonic() - asked)
            try:
                while True:
                    fed += "WATCHDOG=1" in self.notify.socket.recv(4096).decode()
            except BlockingIOError:
                pass
            time.sleep(0.05)
        changing.join()
        tracer.terminate()
        tracer.wait()
        self.assertIn("DELAYED", log.read_text(), "the call was made, and slow")
        self.assertGreaterEqual(time.monotonic() - began, DELAY)
        self.assertEqual({target: seconds for target, seconds in slowest.items() if seconds > SOON}, {})
        self.assertGreaterEqual(fed, 2, "berthd lived all the while")

    def test_keeps_nobody_waiting(self):
        self.repo.publish(sample_apps.testapp(self.folder / "other", app="other", port=8081))
        self.node.berth("deploy", "other@v1")
        self.repo.publish(self.tree("one"))
        self.slow("syncfs", 1, lambda: self.node.berth("deploy", "web@v1"))
        self.slow("unlinkat", 40, lambda: self.node.berth("remove", "web", "--yes", "--purge"))  # in the midst of its files
        self.node.berth("deploy", "web@v1")
        self.assertEqual(self.node.active("web"), "v1")


if __name__ == "__main__":
    unittest.main(verbosity=2)
