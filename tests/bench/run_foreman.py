"""An app of two processes run by `berth run` and by foreman in one run: how soon it runs, what 50 MB/s of output cost, whether lines get lost or mixed, and what is
left of it when the runner is interrupted, killed, or its terminal closed.

usage: run_foreman.py [--seconds 8] [--rate 50] [--starts 7]

Both have the same Procfile and run as the same ordinary user. The lines are numbered; each has 100 bytes. CPU is that of the runner and everything it started but the app itself.
"""
import argparse
import os
import pty
import re
import shutil
import signal
import statistics
import subprocess
import sys
import threading
import time

from bench.common import Workplace, compile_app, cpu_seconds, descendants, is_keeper
from lib import processes
from lib.programs import BERTH
from lib.runner import USER, Home, pieces_of, take_terminal

CONTENDERS = {"foreman": ["foreman", "start"], "berth run": [str(BERTH), "run"]}
LINE = re.compile(rb"\|\s(\d\d) (\d{10}) x+$")


class Shown(threading.Thread):
    """Reads what a runner shows; counts numbered lines as they should come."""

    def __init__(self, fd):
        super().__init__(daemon=True)
        self.fd, self.next, self.lines, self.lost, self.mixed, self.closed = fd, {}, 0, 0, 0, threading.Event()
        self.first = None
        self.start()

    def run(self):
        rest = b""
        for got in pieces_of(self.fd, self.closed):
            *whole, rest = (rest + got).split(b"\n")
            for line in whole:
                self.take(line)

    def take(self, line):
        if self.first is None and b"begun" in line:
            self.first = time.monotonic()
        if b"xxxx" not in line:
            return
        found = LINE.search(line.rstrip(b"\r"))
        if not found or len(found[0]) < 100:
            self.mixed += 1
            return
        who, number = found[1], int(found[2])
        self.lost += max(number - self.next.get(who, 0), 0)
        self.next[who] = number + 1
        self.lines += 1


def start(place, command, procfile, terminal=False):
    (place.site / "Procfile").write_text(procfile)
    environment = place.home.environment(NO_COLOR="1")
    if terminal:
        master, slave = pty.openpty()
        os.chown(os.ttyname(slave), USER, USER)
        began = time.monotonic()
        process = subprocess.Popen(command, cwd=place.site, env=environment, user=USER, group=USER, extra_groups=[], stdin=slave, stdout=slave, stderr=slave,
                                   preexec_fn=lambda: take_terminal(0))
        os.close(slave)
        return process, master, began
    reader, writer = os.pipe()
    began = time.monotonic()
    process = subprocess.Popen(command, cwd=place.site, env=environment, user=USER, group=USER, extra_groups=[], stdin=subprocess.DEVNULL, stdout=writer, stderr=writer,
                               start_new_session=True)
    os.close(writer)
    return process, reader, began


def of_app():
    """The app's own processes, by the variable that the Procfile's own commands have."""
    return [pid for pid in processes.all_pids() if processes.is_running(pid) and processes.environment(pid).get("BENCH_APP") and not is_keeper(pid)]


def end_all(process):
    """Ends whatever is left, so that the next measurement begins with nothing."""
    if process.poll() is None:
        process.kill()
        process.wait()
    end = time.monotonic() + 15
    while time.monotonic() < end:
        left = of_app() + [pid for pid in processes.all_pids() if is_keeper(pid)]
        if not left:
            return
        for pid in left:
            try:
                os.kill(pid, 9)
            except ProcessLookupError:
                pass
        time.sleep(0.05)


def start_time(place, command, times):
    taken = []
    for _ in range(times):
        process, reader, began = start(place, command, "web: BENCH_APP=1 exec bin/talker 00 0 0\n")
        shown = Shown(reader)
        while shown.first is None and time.monotonic() < began + 30:
            time.sleep(0.001)
        if shown.first is None:
            sys.exit(f"{' '.join(command)} showed nothing of its app")
        taken.append((shown.first - began) * 1000)
        process.send_signal(signal.SIGINT)
        process.wait(30)
        end_all(process)
    return statistics.median(taken)


def output(place, command, rate, seconds):
    """MB/s that came, CPU seconds for each second, and lines that were lost or mixed."""
    lines = rate * 10_000 * seconds // 2
    per_second = rate * 10_000 // 2
    process, reader, began = start(place, command, "".join(f"talk{who}: BENCH_APP=1 exec bin/talker 0{who} {lines} {per_second}\n" for who in range(2)))
    shown = Shown(reader)
    end = time.monotonic() + 10 * seconds + 60
    last, still = -1, time.monotonic()
    while shown.lines + shown.lost < 2 * lines and time.monotonic() < end:
        if shown.lines != last:
            last, still = shown.lines, time.monotonic()
        if time.monotonic() - still > 15:
            break
        time.sleep(0.05)
    if shown.lines == 0:
        sys.exit(f"{' '.join(command)} showed no line of its app")
    took = time.monotonic() - shown.first
    own = [pid for pid in set(descendants(process.pid)) | {pid for pid in processes.all_pids() if is_keeper(pid)} if pid not in of_app()]
    spent = cpu_seconds(own)
    process.send_signal(signal.SIGINT)
    try:
        process.wait(60)
    except subprocess.TimeoutExpired:
        pass
    end_all(process)
    return shown.lines / 10_000 / took, spent / (shown.lines / 10_000), shown.lost + 2 * lines - shown.lines - shown.lost, shown.mixed


def left_after(place, command, how):
    """Processes of the app that are left ten seconds after the runner's end."""
    procfile = "polite: BENCH_APP=1 exec bin/talker 00 0 0\nparent: BENCH_APP=1 bin/talker 01 0 0 & BENCH_APP=1 bin/talker 02 0 0; wait\nsession: BENCH_APP=1 setsid bin/talker 03 0 0 & wait\n"
    process, terminal, _began = start(place, command, procfile, terminal=True)
    shown = Shown(terminal)
    end = time.monotonic() + 30
    while len([pid for pid in of_app() if os.path.basename(os.readlink(f"/proc/{pid}/exe")) == "talker"]) < 4 and time.monotonic() < end:
        time.sleep(0.02)
    if time.monotonic() >= end:
        sys.exit(f"{' '.join(command)}: its four processes did not all begin")
    time.sleep(0.5)
    if how == "Ctrl-C":
        os.write(terminal, b"\x03")
    elif how == "SIGKILL":
        process.kill()
    else:
        shown.closed.set()
        shown.join()
        os.close(terminal)
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        pass
    end = time.monotonic() + 10
    while of_app() and time.monotonic() < end:
        time.sleep(0.05)
    left = len(of_app())
    end_all(process)
    if how != "terminal closed":
        os.close(terminal)
    shown.join(5)
    return left


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=8)
    parser.add_argument("--rate", type=int, default=50, help="MB/s")
    parser.add_argument("--starts", type=int, default=7)
    options = parser.parse_args()
    if not shutil.which("foreman"):
        sys.exit("run_foreman.py: foreman is missing; packaging/install-deps.sh --all-tests installs it")
    failed = False
    with Workplace() as place:
        place.site = place.folder / "site"
        (place.site / "bin").mkdir(parents=True)
        compile_app("talker", place.site / "bin")
        place.home = Home(place.folder)
        for name, command in CONTENDERS.items():
            print(f"{name:10} first line after {start_time(place, command, options.starts):6.0f} ms", flush=True)
        for name, command in CONTENDERS.items():
            came, spent, lost, mixed = output(place, command, options.rate, options.seconds)
            print(f"{name:10} asked for {options.rate} MB/s: {came:5.1f} MB/s came, {spent * 1000:6.1f} CPU ms a MB, {lost} lines lost, {mixed} mixed", flush=True)
            failed = failed or (name == "berth run" and lost + mixed > 0)
        for how in ("Ctrl-C", "SIGKILL", "terminal closed"):
            for name, command in CONTENDERS.items():
                left = left_after(place, command, how)
                print(f"{name:10} {how}: {left} of 4 processes are left", flush=True)
                failed = failed or (name == "berth run" and left > 0)
    if failed:
        sys.exit("berth run lost or mixed lines, or left something behind")


if __name__ == "__main__":
    main()
