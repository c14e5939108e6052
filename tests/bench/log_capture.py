"""How fast an app can write lines while they are captured, and what the capture costs: berth beside svlogd, s6-log and plain cat.

usage: log_capture.py [--lines 2000000]

Both loggers rotate and put the time before each line, as berth does. Lines have 100 bytes; once they come in writes of 4000 bytes, once each in a write of its own. The app takes the time itself.
"""
import argparse
import subprocess

from bench.common import Workplace, compile_app, cpu_seconds
from lib import sample_apps
from lib.waiting import wait_until


def piped(command):
    """A logger that reads the app's output from a pipe."""
    def run(place, program, lines, per_write):
        result = place.folder / "result"
        (place.folder / "logs").mkdir()
        app = subprocess.Popen([program, str(lines), str(per_write), str(result)], stdout=subprocess.PIPE)
        logger = subprocess.Popen(command, stdin=app.stdout, cwd=place.folder, shell=True, stderr=subprocess.DEVNULL, executable="/bin/sh")
        app.stdout.close()
        try:
            wait_until(lambda: result.exists() and result.read_text(), "all is written", 600)
            spent = cpu_seconds([logger.pid])
            return float(result.read_text()), spent
        finally:
            app.kill()
            app.wait()
            logger.wait()
            if logger.returncode != 0 or not any(file.stat().st_size for file in place.folder.glob("log*") if file.is_file() or (file / "current").exists()):
                raise SystemExit(f"{command} ended with {logger.returncode}, or wrote nothing")
    return run


def berth(place, program, lines, per_write):
    node = place.start_node()
    tree = sample_apps.Tree(place.folder / "site", "bench").program(program, "writer").spec(f"""app = "bench"
[process.app]
command = ["bin/writer", "{lines}", "{per_write}", "${{BERTH_DATA_DIR}}/result"]
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
    "s6-log": piped("exec s6-log t s10000000 n5 logs"),
    "berth-keeper": berth,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lines", type=int, default=2_000_000)
    options = parser.parse_args()
    for per_write, what in ((40, "40 lines a write"), (1, "one line a write")):
        for name, run in CONTENDERS.items():
            with Workplace() as place:
                seconds, spent = run(place, compile_app("writer", place.folder), options.lines, per_write)
                size = options.lines * 100
                print(f"{name:14} {what}: {size / seconds / 1e6:6.0f} MB/s, {spent / (size / 1e9):5.2f} CPU s a GB", flush=True)


if __name__ == "__main__":
    main()
