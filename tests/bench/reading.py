"""How soon each verb that only reads answers on an idle node, beside what other supervisors say of theirs, in one run.

usage: reading.py [--apps 10] [--instances 2] [--events 100000] [--rounds 100] [--most-ms 30]

A node has ten apps of two instances, of which one was deployed twice and has ten thousand lines of log an instance and run, and a hundred thousand events. Each verb is run again and again, as a person's shell
runs it: from fork to the end of its output. The peers do the same in the same round: `sv status` of a runit that supervises as many programs, `ps`, and `systemctl status` where
systemd runs. The first rounds, which fill the page cache, are left out. Fails where the 99th percentile of a verb is over --most-ms.
"""
import argparse
import os
import shutil
import statistics
import subprocess
import sys
import time

from bench.common import Workplace, compile_app
from bench.supervisors import Runit
from lib import event_log, sample_apps
from lib.programs import BERTH

WARM = 5


def quantile(times, part):
    return sorted(times)[min(int(len(times) * part), len(times) - 1)]


def verbs(node):
    """Name → command."""
    reading = [["status"], ["status", "app0"], ["status", "--json"], ["apps"], ["releases", "app0"], ["history"], ["history", "app0"], ["events"], ["events", "app0", "-n", "20"],
               ["why", "app0"], ["logs", "app0", "-n", "20"], ["logs", "app0", "--grep", "line 9999"], ["deploy", "app0@v1", "--plan"], ["inspect", "app0@v2"], ["diff", "app0@v1", "app0@v2"],
               ["complete", "--", "deploy", "app0@"], ["--version"]]
    return {"berth " + " ".join(one): [str(BERTH), *one] for one in reading}


def peers(services, count):
    found = {f"sv status ({count} services)": ["sv", "status", *services], "sv status (one)": ["sv", "status", services[0]], "ps -ef": ["ps", "-ef"]}
    if os.path.isdir("/run/systemd/system") and shutil.which("systemctl"):
        found["systemctl status (one)"] = ["systemctl", "status", "--no-pager", "init.scope"]
        found["systemctl list-units"] = ["systemctl", "list-units", "--no-pager"]
    return found


def took_ms(command, env):
    began = time.perf_counter()
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=env)
    took = (time.perf_counter() - began) * 1000
    if command[0] == str(BERTH) and done.returncode != 0:
        raise SystemExit(f"{command} ended with {done.returncode}: {done.stderr.decode()}")
    return took


def fill(place, options):
    node = place.start_node()
    for number in range(options.apps):
        for note in ("1", "2") if number == 0 else ("1",):
            tree = sample_apps.testapp(place.folder / "site", app=f"app{number}", port=8100 + number, instances=options.instances, bake="100ms", note=note)
            if number == 0:
                tree.spec_replaced('"bin/testapp"', '"bin/run"')
                tree.put("bin/run", '#!/bin/sh\ni=0; while [ $i -lt 10000 ]; do echo "line $i of what an app prints"; i=$((i+1)); done\nexec bin/testapp "$@"\n', 0o755)
            place.repo.publish(tree)
            node.berth("deploy", f"app{number}@v{note}")
    return node


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--apps", type=int, default=10)
    parser.add_argument("--instances", type=int, default=2)
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--most-ms", type=float, default=30)
    options = parser.parse_args()
    with Workplace() as place:
        node = fill(place, options)
        event_log.fill(node, options.events)
        runit = Runit()
        runit.start(place, options.apps * options.instances, compile_app("starter", place.folder))
        time.sleep(2)  # all of it is idle then
        services = sorted(str(one) for one in (place.folder / "services").iterdir())
        env = {**os.environ, "BERTH_SOCKET": str(node.socket), "BERTH_LOGS": str(node.logs), "NO_COLOR": "1"}
        commands = {**verbs(node), **peers(services, len(services))}
        times = {name: [] for name in commands}
        try:
            for number in range(options.rounds + WARM):
                for name, command in commands.items():
                    took = took_ms(command, env)
                    if number >= WARM:
                        times[name].append(took)
        finally:
            runit.stop()
    print(f"{options.apps} apps of {options.instances} instances, {options.events} events, {options.rounds} rounds; ms from fork to the end\n")
    print(f"{'':44} {'p50':>7} {'p99':>7} {'most':>7}")
    slow = []
    for name, taken in times.items():
        p99 = quantile(taken, 0.99)
        print(f"{name:44} {statistics.median(taken):7.1f} {p99:7.1f} {max(taken):7.1f}")
        if name.startswith("berth") and p99 > options.most_ms:
            slow.append(name)
    if slow:
        sys.exit(f"slower than {options.most_ms:g} ms at p99: {', '.join(slow)}")


if __name__ == "__main__":
    main()
