"""How much catching up with a backlog of logs delays an app's probes.

usage: catching_up.py [--lines 10000000]

Lines have 100 bytes, so that ten million are 1 GB. One app has written them; another notes when its readiness probe asks, ten times a second. A syslog server by
TCP begins to listen, and gets it all. A probe's delay is by how much the time since the one before it is longer than its period. Ends with 1 where one is late by more than
50 ms while it catches up.
"""
import argparse
import statistics
import time

from bench.common import Workplace, end_by
from bench.shipping import PORT, Backlog, Receiver, sink
from lib import sample_apps

PERIOD = 0.1
MOST_LATE = 50  # milliseconds
NOTES = """#!/usr/bin/python3
import os, socket, sys, time
server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
with open(os.environ["BERTH_DATA_DIR"] + "/asked", "w", buffering=1) as notes:
    while True:
        asker = server.accept()[0]
        notes.write(f"{time.monotonic()}\\n")
        asker.recv(4096)
        asker.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\nConnection: close\\r\\n\\r\\n")
        asker.close()
"""


def delays(notes, since, until):
    """Milliseconds, of the probes that came in that time."""
    times = [at for at in map(float, notes.read_text().split()) if since <= at <= until]
    return [max(0.0, (after - before - PERIOD) * 1000) for before, after in zip(times, times[1:])]


def told(found):
    late = sorted(found)
    return f"{len(found)} probes, late by p50 {statistics.median(late):.1f} ms, p99 {late[int(len(late) * 0.99)]:.1f} ms, most {late[-1]:.1f} ms"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lines", type=int, default=10_000_000)
    options = parser.parse_args()
    with Workplace() as place:
        backlog = Backlog(place, options.lines, sink("central", "syslog", address=f"tcp://127.0.0.1:{PORT}"))
        place.repo.publish(sample_apps.Tree(place.folder / "watched", "watched").put("bin/notes", NOTES, 0o755).spec(f"""app = "watched"
[process.web]
command = ["bin/notes", "${{PORT}}"]
port = 8088
[process.web.readiness]
http = "/healthz"
period = "{PERIOD * 1000:.0f}ms"
[deploy]
bake = "0s"
"""))
        backlog.node.berth("deploy", "watched@v1")
        notes = backlog.node.data("watched") / "asked"
        time.sleep(2)
        began = time.monotonic()
        time.sleep(10)
        quiet = time.monotonic()
        seconds = Receiver().wait(options.lines)
        ended = time.monotonic()
        print(f"nothing to ship:   {told(delays(notes, began, quiet))}", flush=True)
        late = delays(notes, quiet, ended)
        print(f"{options.lines / 1e7:.1f} GB in {seconds:.1f} s: {told(late)}", flush=True)
    end_by([(max(late) <= MOST_LATE, f"no probe late by more than {MOST_LATE} ms")])


if __name__ == "__main__":
    main()
