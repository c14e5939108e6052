"""Kills berthd at each system call of a deploy, of a revert, and of a deploy that replaces instances one by one, at which a crash matters; after each, one whole release must be active.

usage: every_syscall.py [--all] [--points N] [--what deploy|revert|roll] [--routing port|socket] [--only NUMBER]

First a run without a kill records the points: every durable call below the node's folders, and every call that others see (the route, a keeper,
a new process), over all threads of berthd. Threads interleave otherwise in every run, so a point is named by what is called and which time of that
it is, not by its place among all. Then, for every point chosen, the same run is made from the same state and berthd is killed before the call is
made; a new berthd starts, and faults/checker.py must find everything in agreement within 5 s. A call that a run makes less often than the recorded
one did is tried again, then counted as not reached; where that are more than a few, it fails. Without --all a spread of N points is taken.
"""
import argparse
import collections
import contextlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import typing
from pathlib import Path

import checker
from lib import processes, sample_apps
from lib.node import Node
from lib.programs import INJECT, PATIENCE, SLOWNESS
from lib.repo import Repo

PORT, SETTLE = 8080, 5.0
TRIES, MOST_UNREACHED = 3, 5  # of a point, and per cent of the points
UNREACHABLE = 6  # what berth ends with when berthd does not answer


class Ground:
    """A node in a given state, made again for every run."""

    def __init__(self, folder, what, routing):
        self.folder, self.what = Path(folder), what
        self.slowest = 0.0  # seconds that five requests took while berthd was dead
        self.repo = Repo(self.folder)
        for note in ("one", "two"):
            self.repo.publish(sample_apps.testapp(self.folder / "site", routing=routing, instances=2, bake="200ms", drain="1s", note=note,
                                                  strategy="rolling" if what == "roll" else "blue-green"))
        self.arm, self.trace = self.folder / "armed", self.folder / "trace"
        self.node = self.make_node()
        self.node.start()
        self.node.berth("deploy", "web@v1")
        self.node.berth("deploy", "web@v2")
        self.digests = {release: checker.slot_digest(self.node.slot(release)) for release in ("v1", "v2")}
        if what != "revert":  # v2 is to be new: the node of this run never heard of it
            self.end_everything()
            shutil.rmtree(self.node.folder)
            self.node = self.make_node()
            self.node.start()
            self.node.berth("deploy", "web@v1")
        self.end_everything()
        shutil.rmtree(self.node.run)
        self.pristine = self.folder / "pristine"
        subprocess.run(["cp", "-a", self.node.folder, self.pristine], check=True)

    def make_node(self):
        return Node(self.folder / "n", self.repo.url, self.repo.root)

    def end_everything(self):
        """berthd, keepers and apps; nothing of the node is left running."""
        if self.node.process is not None and self.node.process.poll() is None:
            self.node.kill()
        for _ in range(100):
            left = [pid for pid in processes.all_pids() if self.is_ours(pid)]
            if not left:
                break
            for pid in left:
                try:
                    os.kill(pid, 9)
                except ProcessLookupError:
                    pass
            time.sleep(0.01)
        subprocess.run(["nft", "flush", "ruleset"], check=True)

    def is_ours(self, pid):
        if not processes.is_running(pid):
            return False
        try:
            program = os.path.basename(os.readlink(f"/proc/{pid}/exe").split(" ")[0])
        except OSError:
            return False
        return program in ("berthd", "berth-keeper", "berth-unpack", "berth") or "BERTH_APP" in processes.environment(pid)

    def restore(self):
        self.end_everything()
        self.arm.unlink(missing_ok=True)
        shutil.rmtree(self.node.folder)
        subprocess.run(["cp", "-a", self.pristine, self.node.folder], check=True)
        self.node = self.make_node()

    def run(self, kill=None):
        """One deploy or revert under the injector, berthd killed at the point `kill` if given. Returns whether it was."""
        self.restore()
        node = self.node
        at = ["--kill", str(kill.time), "--like", kill.pattern] if kill else []
        node.prefix = [str(INJECT), "--arm", str(self.arm), "--trace", str(self.trace), *at, "--below", str(node.folder), "--"]
        node.environment = {"ASAN_OPTIONS": "detect_leaks=0"}
        node.start()
        node.prefix = []
        node.wait_app(health="healthy")
        self.arm.touch()
        driver = node.spawn(*(("deploy", "web@v2", "--timeout", "60s") if self.what != "revert" else ("revert", "web", "--timeout", "60s")))
        ended = None
        end = time.monotonic() + 60 * PATIENCE
        while node.process.poll() is None and driver.poll() is None and time.monotonic() < end:
            time.sleep(0.005)
        self.arm.unlink()
        if driver.poll() == UNREACHABLE:
            # The connection was closed under the driver: berthd is dead, though its tracer may not have ended yet.
            with contextlib.suppress(subprocess.TimeoutExpired):
                node.process.wait(10 * PATIENCE)
        killed = node.process.poll() is not None
        if not killed:
            ended = driver.wait(60 * PATIENCE)
        else:
            driver.kill()
        out, err = driver.communicate()
        if not killed and ended != 0:
            raise AssertionError(f"the {self.what} ended with {ended}\n{out}{err}\n{node.log_tail()}")
        return killed

    def serves_meanwhile(self):
        """While berthd is dead whoever serves goes on serving. An instance that ends in that time takes its socket out of the group: a connection that
        the group's program then misses is refused by a gate, and made when TCP asks again, after 1, 3 or 7 s."""
        began = time.monotonic()
        seen = checker.answers(PORT, 5, patience=15)
        self.slowest = max(self.slowest, time.monotonic() - began)
        if not seen <= {"v1", "v2"}:
            raise AssertionError(f"with berthd dead, port {PORT} is answered by {sorted(map(str, seen))}")

    def recover(self):
        self.node.start(wait=False)
        return checker.settle(str(self.node.state), "web", PORT, 2, self.digests, SETTLE * SLOWNESS)

    def read_trace(self):
        lines = [line.split(" ", 2) for line in self.trace.read_text().splitlines()]
        return [(int(line[0]), line[1], line[2]) for line in lines if len(line) == 3]


class Point(typing.NamedTuple):
    """A call of a run: the `time`-th one that `pattern` matches."""
    pattern: str
    time: int


VARYING = re.compile(r"(?P<folder>/tmp/[^ /]*/|/run/t/[^ /]*/)|(?P<random>\.[A-Za-z0-9]{6}\b)|(?P<number>\b[0-9a-f]{16,}\b|\d+)")
PATTERNS = {"folder": "/(tmp|run/t)/[^ /]*/", "random": "[.][A-Za-z0-9]{6}", "number": "[0-9a-f]+"}


def pattern_of(text):
    """An extended regular expression for this call in any run: without what differs from run to run, such as process ids."""
    parts, end = [], 0
    for varying in VARYING.finditer(text):
        parts += [re.sub(r"([^A-Za-z0-9 /_:,-])", r"[\1]", text[end:varying.start()]), PATTERNS[varying.lastgroup]]
        end = varying.end()
    return "".join([*parts, re.sub(r"([^A-Za-z0-9 /_:,-])", r"[\1]", text[end:])])


def points_of(trace):
    """Every call of a recorded run as a point; calls that one pattern cannot tell apart are numbered together."""
    seen = collections.Counter()
    points = []
    for _, _, text in trace:
        pattern = pattern_of(text)
        seen[pattern] += 1
        points.append(Point(pattern, seen[pattern]))
    return points


def spread(total, count):
    if count >= total:
        return list(range(1, total + 1))
    return sorted({1 + round(step * (total - 1) / (count - 1)) for step in range(count)})


def try_point(ground, point):
    """(whether berthd was killed there, seconds to settle, the release active then)."""
    if not ground.run(kill=point):
        return False, 0, ""
    ground.serves_meanwhile()
    took, active = ground.recover()
    return True, took, active


def examine(what, routing, options):
    folder = tempfile.mkdtemp(dir=os.environ.get("BERTH_TEST_DIR", "/run/t"))
    os.chmod(folder, 0o755)
    ground = Ground(folder, what, routing)
    try:
        ground.run()
        trace = ground.read_trace()
        points = points_of(trace)
        total = len(points)
        kinds = collections.Counter(point[1] for point in trace)
        numbers = [options.only] if options.only else spread(total, total if options.all else options.points)
        print(f"{what} by {routing}: {total} points in the trace ({dict(kinds)}); {len(numbers)} are tried", flush=True)
        if options.verbose:
            print("\n".join(f"  {number} {kind} {text}" for number, kind, text in trace))
        failures, unreached, times, outcomes = [], [], [], collections.Counter()
        for number in numbers:
            try:
                for _ in range(TRIES):
                    killed, took, active = try_point(ground, points[number - 1])
                    if killed:
                        break
            except AssertionError as error:
                failures.append(number)
                print(f"FAILED at point {number}: {trace[number - 1][1:]}\n{error}\n{ground.node.log_tail(60)}", flush=True)
                continue
            if not killed:
                unreached.append(points[number - 1])
                continue
            times.append(took)
            outcomes[active] += 1
        print(f"{what} by {routing}: points in the trace {total}, tried {len(numbers)}, killed {len(times) + len(failures)}, "
              f"not reached {len(unreached)}, failures {len(failures)}; active afterwards {dict(outcomes)}; "
              f"in agreement after at most {max(times, default=0):.2f} s; five requests while berthd was dead took at most {ground.slowest:.2f} s", flush=True)
        for point in unreached:
            print(f"  not reached: time {point.time} of {point.pattern}")
        most_unreached = max(1, len(numbers) * MOST_UNREACHED // 100)
        if len(unreached) > most_unreached:
            print(f"FAILED: more than {most_unreached} of the points that were tried were not reached")
        return not failures and times and len(unreached) <= most_unreached
    finally:
        ground.end_everything()
        shutil.rmtree(folder, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--points", type=int, default=10)
    parser.add_argument("--what", choices=["deploy", "revert", "roll"])
    parser.add_argument("--routing", choices=["port", "socket"])
    parser.add_argument("--only", type=int)
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    good = [examine(what, routing, options)
            for what in ([options.what] if options.what else ["deploy", "revert", "roll"])
            for routing in ([options.routing] if options.routing else ["port", "socket"])]
    sys.exit(0 if all(good) else 1)


if __name__ == "__main__":
    main()
