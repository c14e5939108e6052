"""A real systemd-journald: without systemd, in this mount namespace."""
import json
import shutil
import socket
import subprocess
from pathlib import Path

PROGRAM, SOCKET = Path("/lib/systemd/systemd-journald"), Path("/run/systemd/journal/socket")


def why_not():
    """What is missing for one here; "" where nothing is."""
    if not PROGRAM.exists():
        return "there is no systemd-journald here"
    if not Path("/etc/machine-id").exists() or not Path("/etc/machine-id").read_text().strip():
        return "this machine has no id, without which journald writes nothing"
    return ""


class Journald:
    """As systemd does it: the socket, and what is in its queue, outlive each journald."""

    def __init__(self, settings="RateLimitIntervalSec=0\nRuntimeMaxUse=512M\n"):
        SOCKET.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree("/run/log/journal", ignore_errors=True)
        Path("/run/log/journal").mkdir(parents=True)
        limits = Path("/run/systemd/journald.conf.d")
        limits.mkdir(parents=True, exist_ok=True)
        (limits / "tests.conf").write_text(f"[Journal]\n{settings}")
        SOCKET.unlink(missing_ok=True)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(SOCKET))
        self.process = None
        self.start()

    def start(self):
        fd = self.socket.fileno()
        self.process = subprocess.Popen(["/bin/bash", "-c", 'exec 3<&"$1"; export LISTEN_FDS=1 LISTEN_PID=$$; exec "$0"', PROGRAM, str(fd)], pass_fds=[fd],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(30)

    def close(self):
        self.stop()
        self.socket.close()

    def entries(self, identifier="web"):
        done = subprocess.run(["journalctl", "-D", "/run/log/journal", "-o", "json", "--all", "-t", identifier], capture_output=True, text=True)
        return [json.loads(line) for line in done.stdout.splitlines()]
