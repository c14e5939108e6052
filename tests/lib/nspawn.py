"""A node of tests/lib/uml.py as a container of systemd-nspawn: its own systemd, users and network, on this machine's kernel.

It has what the user-mode kernel lacks: nftables for IP, Landlock, and files that belong to whom they belong to. It has no disk of its own, so that killing it is no power cut, and of cgroup2 only the
controllers that this machine hands on, which may be none.
"""
import os
import shutil
import signal
import subprocess
import time
import unittest

from lib.waiting import wait_until

NSPAWN = shutil.which("systemd-nspawn")
# What an operator gives a container in which berthd runs: a network of its own, with which come the rights to change nftables, and cgroup2. There is no systemd here that would know of it.
OPTIONS = ["--private-network", "--register=no", "--keep-unit"]
ENVIRONMENT = {**os.environ, "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"}


@unittest.skipUnless(NSPAWN, "systemd-nspawn is not installed (package systemd-container)")
class NspawnMachine:
    """In front of a class of `UmlCase`: boots containers in the place of kernels."""

    def setUp(self):
        super().setUp()
        tried = subprocess.run([NSPAWN, "-D", self.tree, *OPTIONS, "--quiet", "/bin/true"], stdin=subprocess.DEVNULL, capture_output=True, text=True, env=ENVIRONMENT)
        if tried.returncode != 0:
            self.skipTest(f"systemd-nspawn can do nothing here: {tried.stderr.strip()}")

    def make_disk(self):
        """A folder in the place of a disk; what is in it belongs to whom it belongs to anyway."""
        self.disk = self.folder / "disk"
        self.disk.mkdir()

    def boot(self, stage):
        (self.tree / "stage").write_text(stage)
        self.kernel_age = time.clock_gettime(time.CLOCK_BOOTTIME)
        bind = [f"--bind={self.disk}:/var/lib/berth"] if self.disk else []
        with open(self.folder / f"console-{stage}", "w") as console:
            self.uml = subprocess.Popen([NSPAWN, "-D", self.tree, *OPTIONS, "--machine=node", *bind, "--boot"], stdin=subprocess.DEVNULL, stdout=console, stderr=console,
                                        start_new_session=True, env=ENVIRONMENT)

    def cut_power(self):
        """Everything in it ends at once."""
        if self.uml is None:
            return
        first = subprocess.run(["pgrep", "--parent", str(self.uml.pid)], capture_output=True, text=True).stdout.split()
        for pid in first:
            os.kill(int(pid), signal.SIGKILL)  # the container's first process, with which all others of it end
        super().cut_power()
        wait_until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in first), "the container is gone")
