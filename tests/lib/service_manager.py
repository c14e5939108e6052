"""Stands for systemd: hears what berthd says to it, keeps sockets for it, and passes them to the next berthd."""
import fcntl
import os
import socket
import threading

from lib.programs import PATIENCE
from lib.waiting import wait_until

FIRST = 3  # descriptor that is passed


class ServiceManager:
    def __init__(self, path):
        self.path = str(path)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.heard = []
        self.kept = []  # (name, descriptor), each a duplicate of berthd's
        self.thread = threading.Thread(target=self.listen, daemon=True)
        self.thread.start()

    def listen(self):
        while True:
            said, descriptors, _, _ = socket.recv_fds(self.socket, 4096, 8)
            if said == b"close":
                return
            words = dict(line.split("=", 1) for line in said.decode().splitlines())
            if words.get("FDSTORE") == "1":
                # Numbers that the shell which passes them does not use itself.
                self.kept += [(words["FDNAME"], fcntl.fcntl(one, fcntl.F_DUPFD_CLOEXEC, 60)) for one in descriptors]
            if words.get("FDSTOREREMOVE") == "1":
                self.forget(words["FDNAME"])
            for one in descriptors:  # also that of a barrier, for which this says that all before it is done
                os.close(one)
            self.heard.append(said.decode())

    def forget(self, name=None):
        for its_name, one in list(self.kept):
            if name in (None, its_name):
                os.close(one)
                self.kept.remove((its_name, one))

    def wait(self, word):
        wait_until(lambda: any(word in one for one in list(self.heard)), f"berthd says {word} to systemd")

    def prepare(self, node):
        """Has the next berthd of `node` begin as systemd would begin it."""
        numbers = [one for _, one in self.kept]
        takes = "; ".join(f"exec {FIRST + place}<&{one} {one}<&-" for place, one in enumerate(numbers)) or ":"
        names = ":".join(name for name, _ in self.kept)
        variables = f"export LISTEN_PID=$$ LISTEN_FDS={len(numbers)} LISTEN_FDNAMES={names}" if numbers else ":"
        node.prefix = ["/bin/bash", "-c", f'{variables}; {takes}; exec "$@"', "bash"]
        node.passed = numbers
        node.environment = {"NOTIFY_SOCKET": self.path}

    def close(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
            end.sendto(b"close", self.path)
        self.thread.join(10 * PATIENCE)
        self.forget()
        self.socket.close()
