"""How soon everything runs when a node starts: many apps, of berth and runit in one run.

usage: starting.py [--apps 100] [--rounds 3]

From the start of the supervisor (berthd, runsvdir) to the first instruction of the last app, as the apps themselves read the clock. Nothing runs before: keepers, apps and berthd
are killed, as the end of a machine would. With runit each app has a svlogd, as with berth each has a log.
"""
import argparse
import os
import shutil
import statistics
import sys
import time

from bench.common import Workplace, compile_app, descendants, is_keeper
from bench.supervisors import Runit, starts
from lib import processes
from lib.waiting import wait_until


def kill(pids):
    for pid in pids:
        try:
            os.kill(pid, 9)
        except ProcessLookupError:
            pass
    wait_until(lambda: not any(map(processes.is_running, pids)), "all are gone", 30)


def last_start(paths, count):
    """When the last of `count` apps began, in monotonic nanoseconds."""
    found = wait_until(lambda: (lambda all_starts: all_starts if len(all_starts) >= count else None)([one for path in paths for one in starts(path)]), "all run", 120)
    return max(when for _pid, when in found), [pid for pid, _when in found]


def berth_rounds(count, rounds):
    with Workplace() as place:
        program = compile_app("starter", place.folder)
        node = place.start_node()
        files = place.deploy_apps(count, program)
        taken = []
        for _ in range(rounds):
            node.kill()
            kill([pid for pid in processes.all_pids() if is_keeper(pid)])
            kill([pid for pid in processes.all_pids() if "BERTH_APP" in processes.environment(pid)])
            shutil.rmtree(node.run, ignore_errors=True)  # as the end of the machine leaves it
            for path in files:
                path.unlink(missing_ok=True)
            began = time.monotonic_ns()
            node.start(wait=False)
            last, _pids = last_start(files, count)
            taken.append((last - began) / 1e6)
            node.wait_ready()
        return taken


def runit_rounds(count, rounds):
    taken = []
    for _ in range(rounds):
        with Workplace() as place:
            program = compile_app("starter", place.folder)
            runit = Runit()
            runit.prepare(place, count, program)
            began = time.monotonic_ns()
            runit.launch(place)
            last, pids = last_start([runit.starts], count)
            taken.append((last - began) / 1e6)
            kill(descendants(runit.root.pid) + pids)
            runit.root.wait()
    return taken


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--apps", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    runit, berth = runit_rounds(options.apps, options.rounds), berth_rounds(options.apps, options.rounds)
    for name, taken in (("runit", runit), ("berth", berth)):
        print(f"{name:6} {options.apps} apps run after p50 {statistics.median(taken):.0f} ms (" + " ".join(f"{one:.0f}" for one in taken) + ")", flush=True)
    ratio = statistics.median(berth) / statistics.median(runit)
    print(f"berth / runit: {ratio:.2f}")
    if ratio > 1:
        sys.exit("berth takes longer than runit")


if __name__ == "__main__":
    main()
