"""How fast a backlog of log lines is brought to a syslog server by TCP, and what it costs: berth beside rsyslog's imfile.

usage: shipping.py [--lines 1000000]

Lines have 100 bytes. Both send RFC 5424 to the same receiver, which counts messages and throws them away; it begins to listen when the backlog is there. From
the first byte to the last message. berth numbers each line, reads whose it is, and keeps a durable cursor; a batch counts once the receiver has ended its side.
"""
import argparse
import shutil
import socket
import subprocess
import threading
import time

from bench.common import Workplace, compile_app, cpu_seconds, pss_kib
from lib import sample_apps
from lib.waiting import wait_until

PORT, HEAD = 7514, b">1 "


class Receiver:
    """Counts messages on any number of connections, and ends its side of each when the other has ended its own."""

    def __init__(self):
        self.count, self.began, self.last, self.lock = 0, None, None, threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", PORT), backlog=64)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.read, args=(connection,), daemon=True).start()

    def read(self, connection):
        tail = b""
        with connection:
            while data := connection.recv(1 << 20):
                now = time.monotonic()
                found = (tail + data).count(HEAD)
                tail = data[-(len(HEAD) - 1):]
                with self.lock:
                    self.began = self.began or now
                    self.count, self.last = self.count + found, now

    def wait(self, lines, sample=lambda: None):
        """Until all are here; seconds that they took."""
        def is_done():
            sample()
            return self.count >= lines
        wait_until(is_done, "all lines are there", 900, every=0.02)
        self.listener.close()
        return self.last - self.began


def berth(place, lines):
    node = place.start_node(f"""[[sink]]
name = "central"
kind = "syslog"
address = "tcp://127.0.0.1:{PORT}"
""")
    program = compile_app("writer", place.folder)
    place.repo.publish(sample_apps.Tree(place.folder / "site", "bench").program(program, "writer").spec(f"""app = "bench"
[process.app]
command = ["bin/writer", "{lines}", "40", "${{BERTH_DATA_DIR}}/result"]
[deploy]
bake = "0s"
[logs]
keep_bytes = "2GiB"
"""))
    node.berth("deploy", "bench@v1")
    result = node.data("bench") / "result"
    wait_until(lambda: result.exists() and result.read_text(), "all is written", 600)
    pids = [node.process.pid]
    idle, spent, most, lag = pss_kib(pids), cpu_seconds(pids), [0], [0.0]
    node.metrics()

    def sample():
        most[0] = max(most[0], pss_kib(pids))
        for line in node.metrics().splitlines():
            if line.startswith("berth_loop_lag_seconds "):
                lag[0] = max(lag[0], float(line.split()[1]))
    seconds = Receiver().wait(lines, sample)
    return seconds, cpu_seconds(pids) - spent, f"berthd {idle / 1024:.1f} MiB before, {most[0] / 1024:.1f} at most; its event loop busy for {1000 * lag[0]:.1f} ms at most"


def imfile(place, lines):
    log = place.folder / "app.log"
    log.write_bytes((b"x" * 99 + b"\n") * lines)
    (place.folder / "rsyslog.conf").write_text(f"""
global(workDirectory="{place.folder}")
module(load="imfile")
input(type="imfile" File="{log}" Tag="bench" ruleset="all")
ruleset(name="all") {{ action(type="omfwd" target="127.0.0.1" port="{PORT}" protocol="tcp" template="RSYSLOG_SyslogProtocol23Format") }}
""")
    receiver = Receiver()
    server = subprocess.Popen(["rsyslogd", "-n", "-f", str(place.folder / "rsyslog.conf"), "-i", str(place.folder / "pid")], stderr=subprocess.DEVNULL)
    try:
        most = [0]

        def sample():
            most[0] = max(most[0], pss_kib([server.pid]))
        seconds = receiver.wait(lines, sample)
        return seconds, cpu_seconds([server.pid]), f"rsyslogd {most[0] / 1024:.1f} MiB at most"
    finally:
        server.kill()
        server.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lines", type=int, default=1_000_000)
    options = parser.parse_args()
    if not shutil.which("rsyslogd"):
        parser.error("rsyslogd is not here: apt-get install rsyslog")
    rates = {}
    for name, run in (("rsyslog imfile", imfile), ("berth", berth)):
        with Workplace() as place:
            seconds, spent, more = run(place, options.lines)
            rates[name] = options.lines / seconds
            print(f"{name:15} {rates[name]:9.0f} lines/s, {1e6 * spent / options.lines:5.2f} CPU s a million lines; {more}", flush=True)
    print(f"berth / rsyslog imfile: {rates['berth'] / rates['rsyslog imfile']:.2f}")


if __name__ == "__main__":
    main()
