"""How fast a backlog of log lines is brought to a syslog server by TCP, and what it costs: berth beside rsyslog's imfile.

usage: shipping.py [--lines 1000000]

Lines have 100 bytes. Both send RFC 5424 to the same receiver, which counts messages and throws them away; it begins to listen when the backlog is there. From
the first byte to the last message. berth numbers each line, reads whose it is, and keeps a durable cursor; a batch counts once the receiver has ended its side.
Then such a backlog waits for eight sinks of all kinds that are away, and goes to all of them at once: what that takes of berthd's memory, more than without sinks. Ends with 1 where berth is not
twice as fast, or takes more than 20 MiB.
"""
import argparse
import shutil
import socket
import ssl
import subprocess
import threading
import time

from bench.common import Workplace, compile_app, cpu_seconds, end_by, pss_kib
from lib import sample_apps
from lib.certificates import Authority
from lib.push_receivers import LokiReceiver, OtlpReceiver
from lib.waiting import wait_until

PORT, TLS_PORT, UDP_PORT, HEAD = 7514, 7515, 7516, b">1 "
TIMES = 2  # as fast as imfile at least
MORE = 20  # MiB at most, with all sinks
AWAY = 8  # seconds, of all sinks
A_WINDOW = 62  # seconds, in which a turn of the loop is told


class Receiver:
    """Counts messages on any number of connections, and ends its side of each when the other has ended its own."""

    def __init__(self, port=PORT, tls=None):
        self.count, self.began, self.last, self.lock, self.tls = 0, None, None, threading.Lock(), tls
        self.listener = socket.create_server(("127.0.0.1", port), backlog=64)
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
        if self.tls:
            connection = self.tls.wrap_socket(connection, server_side=True)
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


def drain(datagrams):
    def read():
        while True:
            try:
                datagrams.recv(1 << 18)
            except OSError:
                return
    threading.Thread(target=read, daemon=True).start()
    return datagrams


def sink(name, kind, **keys):
    return f'[[sink]]\nname = "{name}"\nkind = "{kind}"\n' + "".join(f'{key} = "{value}"\n' for key, value in keys.items())


class Backlog:
    """A node whose app has written so many lines, which its sinks do not have."""

    def __init__(self, place, lines, sinks):
        self.place, self.lines = place, lines
        self.node = place.start_node(sinks)
        program = compile_app("writer", place.folder)
        place.repo.publish(sample_apps.Tree(place.folder / "site", "bench").program(program, "writer").spec(f"""app = "bench"
[process.app]
command = ["bin/writer", "{lines}", "100", "40", "${{BERTH_DATA_DIR}}/result"]
[deploy]
bake = "0s"
[logs]
keep_bytes = "2GiB"
"""))
        self.node.berth("deploy", "bench@v1")
        result = self.node.data("bench") / "result"
        wait_until(lambda: result.exists() and result.read_text(), "all is written", 600)
        time.sleep(A_WINDOW)
        self.pids = [self.node.process.pid]
        self.before, self.spent, self.most, self.lag = pss_kib(self.pids), cpu_seconds(self.pids), 0, 0.0

    def sample(self):
        self.most = max(self.most, pss_kib(self.pids))
        for line in self.node.metrics().splitlines():
            if line.startswith("berth_loop_lag_seconds "):
                self.lag = max(self.lag, float(line.split()[1]))

    def __str__(self):
        return f"berthd {self.before / 1024:.1f} MiB before, {self.most / 1024:.1f} at most; its event loop busy for {1000 * self.lag:.1f} ms at most"


def berth(place, lines):
    backlog = Backlog(place, lines, sink("central", "syslog", address=f"tcp://127.0.0.1:{PORT}"))
    seconds = Receiver().wait(lines, backlog.sample)
    return seconds, cpu_seconds(backlog.pids) - backlog.spent, str(backlog)


def listening(family, address):
    datagrams = socket.socket(family, socket.SOCK_DGRAM)
    datagrams.bind(address)
    return drain(datagrams)


def to_all(place, lines):
    """Whether eight sinks at once, of all kinds, take no more memory than they may: while they are away, and while they catch up. What arrives late (Loki's and OTLP's receivers check each entry) makes the
    backlog last."""
    authority, journal = Authority(place.folder), place.folder / "journal"
    certificate = authority.issue("server", "localhost", "127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{certificate}.pem", f"{certificate}.key")
    sinks = [sink("central", "syslog", address=f"tcp://127.0.0.1:{PORT}"), sink("second", "syslog", address=f"tcp://127.0.0.1:{PORT}"),
             sink("private", "syslog", address=f"tls://localhost:{TLS_PORT}", ca_file=authority.file), sink("datagrams", "syslog", address=f"udp://127.0.0.1:{UDP_PORT}"),
             sink("agent", "file", path=place.folder / "agent" / "all.jsonl"), sink("loki", "loki", url="http://127.0.0.1:3100"),
             sink("collector", "otlp", url="http://127.0.0.1:4318"), sink("journal", "journald", socket=journal)]
    backlog = Backlog(place, lines, "")
    # A link to nothing is where the folder of the file sink is to be.
    (place.folder / "agent").symlink_to(place.folder / "nowhere" / "yet")
    backlog.node.configure(backlog.node.config.read_text() + "".join(sinks))
    backlog.node.berth("node", "reload")
    wait_until(lambda: all(one["state"] == "failing" for one in backlog.node.status()["sinks"]), "all sinks are away", 60)
    end = time.monotonic() + AWAY
    while time.monotonic() < end:
        backlog.sample()
        time.sleep(0.1)
    away, backlog.most = backlog.most, 0
    (place.folder / "agent").unlink()
    loki, otlp = LokiReceiver(3100), OtlpReceiver(4318)
    receivers = [Receiver(), Receiver(TLS_PORT, context)]
    datagrams = [listening(socket.AF_INET, ("127.0.0.1", UDP_PORT)), listening(socket.AF_UNIX, str(journal))]

    def is_done():
        backlog.sample()
        return all(one["state"] == "up to date" and one["shipped"] >= lines for one in backlog.node.status()["sinks"])
    wait_until(is_done, "all sinks have all", 900, every=0.1)
    short = {one["sink"]: one for one in backlog.node.status()["sinks"] if one["lost"] + one["refused"] + one["limited"] > 0}
    if short:
        raise SystemExit(f"sinks lack lines: {short}")
    for one in (*(receiver.listener for receiver in receivers), *datagrams, loki, otlp):
        one.close()
    more = (max(away, backlog.most) - backlog.before) / 1024
    print(f"eight sinks at once: berthd {backlog.before / 1024:.1f} MiB without them, {away / 1024:.1f} at most while they are away, {backlog.most / 1024:.1f} at most while they catch up: {more:.1f} more; "
          f"its event loop busy for {1000 * backlog.lag:.1f} ms at most", flush=True)
    return more <= MORE


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
    times = rates["berth"] / rates["rsyslog imfile"]
    print(f"berth / rsyslog imfile: {times:.2f}", flush=True)
    with Workplace() as place:
        is_small = to_all(place, options.lines // 5)
    end_by([(times >= TIMES, f"{TIMES} times the rate of imfile at least"), (is_small, f"{MORE} MiB more memory with all sinks at most")])


if __name__ == "__main__":
    main()
