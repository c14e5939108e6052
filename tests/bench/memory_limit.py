"""A cgroup with a limit of memory for several processes together, page cache included, in whichever hierarchy this machine has."""
import os
import time
from pathlib import Path

V1 = Path("/sys/fs/cgroup/memory")
V2 = Path("/sys/fs/cgroup")


class MemoryLimit:
    """`prefix` is put in front of a command that is to run inside. Without `mib` nothing is limited, and memory is only counted."""

    def __init__(self, name, mib=None):
        self.old = (V1 / "memory.limit_in_bytes").exists()
        self.folder = (V1 if self.old else V2) / f"berth-{name}-{os.getpid()}"
        self.folder.mkdir()
        if mib:
            (self.folder / ("memory.limit_in_bytes" if self.old else "memory.max")).write_text(str(mib << 20))

    @property
    def prefix(self):
        return ["sh", "-c", f'echo $$ > {self.folder}/cgroup.procs && exec "$@"', "sh"]

    def peak_mib(self):
        """The most that was ever in use, as the kernel counts it: page cache included, up to the limit."""
        return int((self.folder / ("memory.max_usage_in_bytes" if self.old else "memory.peak")).read_text()) / 1048576

    def own_mib(self):
        """What the processes hold now for themselves: neither page cache nor files in memory."""
        wanted = "rss" if self.old else "anon"
        for line in (self.folder / "memory.stat").read_text().splitlines():
            name, value = line.split()
            if name == wanted:
                return int(value) / 1048576
        return 0.0

    def kills(self):
        """How many processes were killed since there was no memory left."""
        for line in (self.folder / ("memory.oom_control" if self.old else "memory.events")).read_text().splitlines():
            name, value = line.split()
            if name == "oom_kill":
                return int(value)
        return 0

    def remove(self):
        """Waits a while for what still ends in there."""
        for _ in range(50):
            try:
                self.folder.rmdir()
                return
            except OSError:
                time.sleep(0.1)
