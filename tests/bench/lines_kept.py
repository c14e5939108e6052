"""Lines lost and doubled while logs rotate and what ships them is restarted: berth beside rsyslog's imfile, in the same run.

usage: lines_kept.py [--kills 10] [--seconds 12]

One program writes each line to its stdout, which berth keeps and rotates, and to a file that it rotates every 300 ms as logrotate does it (rename, and a new
file). Two rsyslogds follow that file: one whose input says what must be said (File, Tag), and a careful one, whose input matches the rotated files as well and
notes after every 100 lines how far it is. All three send to receivers that stay, by TCP. First they are left alone; then all are ended in order and started
again; then all are killed (SIGKILL), and started again half a second later, during which the log is rotated. Ends with 1 where berth loses a line.
"""
import argparse
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections import Counter

from bench.common import Workplace, end_by
from lib import sample_apps
from lib.waiting import wait_until

PORT = 7520
WRITER = """#!/usr/bin/python3
import os, sys, time
folder, seconds = sys.argv[1], float(sys.argv[2])
end = time.monotonic() + seconds
number, rotated, next_rotation = 0, 0, time.monotonic() + 0.3
log = os.open(folder + "/app.log", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
while time.monotonic() < end:
    text = b"".join(b"line %d. %s\\n" % (each, b"x" * 80) for each in range(number + 1, number + 21))
    number += 20
    os.write(1, text)
    os.write(log, text)
    if time.monotonic() > next_rotation:
        rotated += 1
        next_rotation += 0.3
        os.close(log)
        os.rename(folder + "/app.log", folder + "/app.log.%d" % rotated)
        log = os.open(folder + "/app.log", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    time.sleep(0.01)
with open(folder + "/written.new", "w") as file:
    file.write(str(number))
os.rename(folder + "/written.new", folder + "/written")
time.sleep(1e6)
"""


class Receiver:
    """Keeps what comes on any number of connections."""

    def __init__(self, port):
        self.streams, self.listener = [], socket.create_server(("127.0.0.1", port), backlog=64)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.streams.append(bytearray())
            threading.Thread(target=self.read, args=(connection, self.streams[-1]), daemon=True).start()

    @staticmethod
    def read(connection, into):
        with connection:
            while True:
                try:
                    data = connection.recv(1 << 20)
                except OSError:
                    return
                if not data:
                    return
                into += data

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def numbers(self):
        return Counter(int(number) for stream in list(self.streams) for number in re.findall(rb"line (\d+)\. x", bytes(stream)))


class Imfile:
    def __init__(self, folder, log, port, careful):
        self.folder = folder
        folder.mkdir()
        (folder / "rsyslog.conf").write_text(f"""
global(workDirectory="{folder}")
module(load="imfile")
input(type="imfile" File="{log}{'*' if careful else ''}" Tag="app" ruleset="all"{' PersistStateInterval="100"' if careful else ''})
ruleset(name="all") {{ action(type="omfwd" target="127.0.0.1" port="{port}" protocol="tcp" template="RSYSLOG_SyslogProtocol23Format" action.resumeRetryCount="-1") }}
""")
        self.start()

    def start(self):
        (self.folder / "pid").unlink(missing_ok=True)
        self.process = subprocess.Popen(["rsyslogd", "-n", "-f", str(self.folder / "rsyslog.conf"), "-i", str(self.folder / "pid")], stderr=subprocess.DEVNULL)

    def end(self, number):
        self.process.send_signal(number)
        self.process.wait()


class Berth:
    def __init__(self, node):
        self.node = node

    def start(self):
        self.node.start(wait=False)

    def end(self, number):
        self.node.process.send_signal(number)
        self.node.process.wait()


def quiet(receivers):
    """Until nothing has come for two seconds."""
    seen = [None, time.monotonic()]

    def is_quiet():
        now = [sum(len(stream) for stream in one.streams) for one in receivers]
        if now != seen[0]:
            seen[:] = [now, time.monotonic()]
        return time.monotonic() - seen[1] > 2
    wait_until(is_quiet, "nothing comes any more", 120, every=0.1)


def run(place, what, ends, seconds):
    """One trial; `ends` are the signals that all shippers get, one after the other. How many lines each lost."""
    folder = place.folder / "log"
    folder.mkdir()
    folder.chmod(0o777)
    receivers = {name: Receiver(PORT + number) for number, name in enumerate(("berth", "imfile", "imfile, careful"))}
    node = place.start_node(f'[[sink]]\nname = "central"\nkind = "syslog"\naddress = "tcp://127.0.0.1:{PORT}"\nbatch_lines = 1000\nbatch_wait = "100ms"\n')
    shippers = [Berth(node), Imfile(place.folder / "plain", folder / "app.log", PORT + 1, False), Imfile(place.folder / "careful", folder / "app.log", PORT + 2, True)]
    tree = sample_apps.Tree(place.folder / "site", "bench").put("bin/writer", WRITER, 0o755)
    place.repo.publish(tree.spec(f'app = "bench"\n[process.app]\ncommand = ["bin/writer", "{folder}", "{seconds}"]\n[deploy]\nbake = "0s"\n'
                                 f'[logs]\nsegment_bytes = "64KiB"\nkeep_bytes = "1GiB"\n'))
    node.berth("deploy", "bench@v1")
    pause = seconds / (len(ends) + 1)
    for number in ends:
        time.sleep(pause)
        for one in shippers:
            one.end(number)
        time.sleep(0.5)
        for one in shippers:
            one.start()
    wait_until((folder / "written").exists, "all is written", 60)
    count = int((folder / "written").read_text())
    node.wait_ready()
    quiet(receivers.values())
    print(f"{what}: {count} lines, {len(list(folder.iterdir())) - 2} rotations of the file, {len(list((node.logs / 'bench/app.1').iterdir()))} files of berth's", flush=True)
    all_lost = {}
    for name, receiver in receivers.items():
        numbers = receiver.numbers()
        lost = all_lost[name] = sum(number not in numbers for number in range(1, count + 1))
        print(f"    {name:16} {lost:6} lost, {sum(numbers.values()) - len(numbers):6} doubled", flush=True)
        receiver.close()
    for one in shippers[1:]:
        one.end(signal.SIGKILL)
    return all_lost


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=12)
    options = parser.parse_args()
    if not shutil.which("rsyslogd"):
        parser.error("rsyslogd is not here: apt-get install rsyslog")
    trials = (("rotations alone", []), ("ended in order, and started again", [signal.SIGTERM] * options.kills), ("killed, and started again", [signal.SIGKILL] * options.kills))
    bounds = []
    for what, ends in trials:
        with Workplace() as place:
            bounds.append((run(place, what, ends, options.seconds)["berth"] == 0, f"{what}: no line of berth's lost"))
    end_by(bounds)


if __name__ == "__main__":
    main()
