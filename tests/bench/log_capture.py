"""How fast an app can write lines while they are captured, and what the capture costs: berth beside svlogd, s6-log and plain cat.

usage: log_capture.py [--lines 2000000]

Fails when berth takes fewer MB/s than it is to (twice as many as s6-log of writes of 4 KiB, 0.9 times as many as cat of a write a line), or more CPU time than s6-log.

Both loggers rotate and put the time before each line, as berth does. Once the lines come in writes of 4 KiB, 32 lines of 128 bytes, once each, of 100 bytes, in a write of its own. The app takes the
time itself.
"""
import argparse
import os
import subprocess
import sys

from bench.common import Workplace, compile_app, cpu_seconds
from lib import sample_apps
from lib.waiting import wait_until


def piped(command):
    """A logger that reads the app's output from a pipe."""
    def run(place, program, lines, each, per_write):
        result = place.folder / "result"
        (place.folder / "logs").mkdir()
        app = subprocess.Popen([program, str(lines), str(each), str(per_write), str(result)], stdout=subprocess.PIPE)
        logger = subprocess.Popen(command, stdin=app.stdout, cwd=place.folder, shell=True, stderr=subprocess.DEVNULL, executable="/bin/sh")
        app.stdout.close()
        try:
            # Whoever has ended is left for /proc to tell of.
            ended = lambda: os.waitid(os.P_PID, logger.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            wait_until(lambda: (result.exists() and result.read_text()) or ended(), "all is written", 600)
            if not result.exists():
                raise SystemExit(f"{command} ended before all was written")
            spent = cpu_seconds([logger.pid])
            return float(result.read_text()), spent
        finally:
            app.kill()
            app.wait()
            logger.wait()
            if logger.returncode != 0 or not any(file.stat().st_size for file in place.folder.glob("log*") if file.is_file() or (file / "current").exists()):
                raise SystemExit(f"{command} ended with {logger.returncode}, or wrote nothing")
    return run


def berth(place, program, lines, each, per_write):
    node = place.start_node()
    tree = sample_apps.Tree(place.folder / "site", "bench").program(program, "writer").spec(f"""app = "bench"
[process.app]
command = ["bin/writer", "{lines}", "{each}", "{per_write}", "${{BERTH_DATA_DIR}}/result"]
[deploy]
bake = "0s"
""")
    place.repo.publish(tree)
    node.berth("deploy", "bench@v1")
    result = node.data("bench") / "result"
    wait_until(lambda: result.exists() and result.read_text(), "all is written", 600)
    spent = cpu_seconds([node.instances("bench")[0]["keeper_pid"]])
    wait_until(lambda: node.berth("logs", "bench", "-n", "1", "--json").json()["sequence"] >= lines, "the last line is in the log", 60)
    return float(result.read_text()), spent


CONTENDERS = {
    "cat > file": piped("exec cat > log"),
    "svlogd": piped("exec svlogd -tt logs"),
    "s6-log": piped("exec s6-log t s10000000 n5 ./logs"),
    "berth-keeper": berth,
}


WAYS = {"4 KiB a write": (128, 32), "one line a write": (100, 1)}  # bytes of a line, lines a write
LEAST = {"4 KiB a write": (2, "s6-log"), "one line a write": (0.9, "cat > file")}  # MB/s, as a multiple of whose


def missed(what, found):
    """What berth does not keep of its bounds. `found`: contender → (MB/s, CPU seconds a GB)."""
    (speed, spent), (times, other) = found["berth-keeper"], LEAST[what]
    texts = []
    if speed < times * found[other][0]:
        texts.append(f"{what}: {speed:.0f} MB/s are less than {times} times the {found[other][0]:.0f} of {other}")
    if spent > found["s6-log"][1]:
        texts.append(f"{what}: {spent:.2f} CPU s a GB are more than the {found['s6-log'][1]:.2f} of s6-log")
    return texts


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lines", type=int, default=2_000_000)
    options = parser.parse_args()
    bad = []
    for what, (each, per_write) in WAYS.items():
        found = {}
        for name, run in CONTENDERS.items():
            with Workplace() as place:
                seconds, spent = run(place, compile_app("writer", place.folder), options.lines, each, per_write)
                size = options.lines * each
                found[name] = size / seconds / 1e6, spent / (size / 1e9)
                print(f"{name:14} {what}: {found[name][0]:6.0f} MB/s, {found[name][1]:5.2f} CPU s a GB", flush=True)
        bad += missed(what, found)
    if bad:
        sys.exit("\n".join(bad))


if __name__ == "__main__":
    main()
