"""berthd as the first process of a container: it buries the dead, passes signals on, outlives its own crash, and stops its apps when it is told to end."""
import os
import signal
import unittest
from pathlib import Path

from lib import sample_apps
from lib.case import BerthCase
from lib.programs import PATIENCE
from lib.waiting import wait_until

# A container's namespaces of processes and mounts; what else a container has is in test_sandbox.py and test_images.py.
CONTAINER = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "--propagation", "private"]
# Writes down when it starts and which signal ends it, which takes it a moment.
TOLD = r"""#!/bin/sh
note() { echo "$1" >> "$BERTH_DATA_DIR/told"; }
for signal in INT TERM QUIT HUP; do trap "note $signal; kill \$!; sleep 0.5; note end; exit 0" "$signal"; done
note start
while :; do sleep 1000 & wait; done
"""


def stat_of(pid):
    """State and parent of a process."""
    try:
        state, parent = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[:2]
        return state, int(parent)
    except (FileNotFoundError, ProcessLookupError):
        return None


def children_of(parent):
    """Pid → state."""
    found = {int(name): stat_of(name) for name in os.listdir("/proc") if name.isdigit()}
    return {pid: stat[0] for pid, stat in found.items() if stat and stat[1] == parent}


def program_of(pid):
    try:
        return os.path.basename(os.readlink(f"/proc/{pid}/exe"))
    except OSError:
        return ""


class FirstProcess(BerthCase):
    def setUp(self):
        super().setUp()
        told = sample_apps.Tree(self.folder / "told", "told").put("bin/told", TOLD, 0o755)
        self.repo.publish(told.spec('app = "told"\n[process.main]\ncommand = ["bin/told"]\nstop = { signal = "INT", grace = "20s" }\n[deploy]\nbake = "0s"\n'))
        self.node = self.make_node()
        self.node.prefix = CONTAINER
        self.node.start()
        [self.first] = children_of(self.node.process.pid)

    def own(self, program):
        """The first process' children that are this program."""
        return [pid for pid in children_of(self.first) if program_of(pid) == program]

    def told(self):
        return (self.node.data("told") / "told").read_text().split()

    def test_it_is_what_a_first_process_has_to_be_and_stops_its_apps_at_the_end(self):
        self.assertEqual(self.first, int(next(line for line in Path(f"/proc/{self.first}/status").read_text().splitlines() if line.startswith("NSpid")).split()[1]))
        self.deploy(self.node, "v1", "told")
        wait_until(lambda: self.told() == ["start"], "the app has begun")
        [keeper] = self.own("berth-keeper")
        with self.subTest("a keeper that died is buried"):
            os.kill(keeper, signal.SIGKILL)
            wait_until(lambda: self.own("berth-keeper") not in ([], [keeper]), "another keeper is there")
            wait_until(lambda: "Z" not in children_of(self.first).values(), "the dead are buried")
            self.node.wait_app("told", health="healthy")
        with self.subTest("SIGHUP has it read its configuration again"):
            os.kill(self.first, signal.SIGHUP)
            wait_until(lambda: "config.reloaded" in [event["kind"] for event in self.node.events()], "it was reloaded")
        with self.subTest("a berthd that is killed is started again, and takes over what runs"):
            [berthd] = self.own("berthd")
            pids, told = self.node.pids("told"), self.told()
            os.kill(berthd, signal.SIGKILL)
            wait_until(lambda: self.own("berthd") not in ([], [berthd]), "another berthd is there")
            self.node.wait_ready()
            self.assertEqual((self.node.pids("told"), self.told()), (pids, told))
            self.assertIn("ended by signal 9; it is started again", self.node.log_file.read_text())
        with self.subTest("told to end, it stops its apps by their own signal, and waits for them"):
            os.kill(self.first, signal.SIGTERM)
            self.assertEqual(self.node.process.wait(20 * PATIENCE), 0)
            self.assertEqual(self.told()[-2:], ["INT", "end"])

    def test_it_ends_with_a_berthd_that_cannot_start(self):
        os.kill(self.first, signal.SIGTERM)
        self.assertEqual(self.node.process.wait(20 * PATIENCE), 0)
        self.node.configure(self.node.config.read_text() + "nonsense = 1\n")
        self.node.start(wait=False)
        self.assertEqual(self.node.process.wait(20 * PATIENCE), 2)
        self.node.process = None


if __name__ == "__main__":
    unittest.main(verbosity=2)
