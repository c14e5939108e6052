"""What probing costs berthd, and what it does while there is nothing to do.

usage: probes.py [--rate 1000] [--seconds 10] [--apps 10]

First one app of 100 instances, each with an HTTP readiness probe, so often that they make RATE a second in all: how many were really made is what the
kernel says of opened connections, the CPU time is berthd's own; beside it, what the same takes a program that does nothing else. Then APPS apps without
probes: how often berthd and the keepers gave up the CPU by themselves, which is how often they were woken. Fails where probing takes over 10 % of a core
and twice what that program takes, or berthd wakes more often than once a second.
"""
import argparse
import subprocess
import sys
import time
from pathlib import Path

from bench.common import Workplace, compile_app, cpu_seconds, is_keeper
from lib import processes, sample_apps

INSTANCES = 100
MOST_CPU = 0.10        # of a core, at 1,000 probes a second
MOST_OF_ALONE = 2      # times what one program takes that does nothing else, where the machine is slower than that
MOST_WAKE_UPS = 1.0    # a second, of berthd
SETTLE = 12            # seconds after a deployment, until what it left to be done later has been done


def opened_connections():
    """How many this network namespace has opened so far."""
    lines = [line.split() for line in Path("/proc/net/snmp").read_text().splitlines() if line.startswith("Tcp:")]
    return int(lines[1][lines[0].index("ActiveOpens")])


def wake_ups(pids):
    """How often their threads waited so far, of themselves."""
    total = 0
    for pid in pids:
        for task in Path(f"/proc/{pid}/task").iterdir():
            total += next(int(line.split()[1]) for line in (task / "status").read_text().splitlines() if line.startswith("voluntary_ctxt"))
    return total


def ask_alone(folder, port, rate, seconds):
    """CPU microseconds that one such probe takes a program that does nothing else."""
    asker = compile_app("asker", folder)
    asked = subprocess.run([asker, "127.0.0.1", str(port), "/healthz", str(rate), str(seconds)], check=True, capture_output=True, text=True)
    answered, microseconds = map(int, asked.stdout.split())
    assert answered >= rate * seconds * 0.9, f"{answered} answers with 200"
    return microseconds / answered


def measure_probes(rate, seconds):
    with Workplace() as place:
        node = place.start_node()
        period = INSTANCES * 1000 // rate
        tree = sample_apps.testapp(place.folder / "site", instances=INSTANCES, bake="0s", ready_timeout="60s")
        tree.spec_replaced('period = "100ms"', f'period = "{period}ms"')
        place.repo.publish(tree)
        node.berth("deploy", "web@v1", timeout=300)
        time.sleep(SETTLE)
        berthd = [node.process.pid]
        began, opened, used = time.monotonic(), opened_connections(), cpu_seconds(berthd)
        time.sleep(seconds)
        took, opened, used = time.monotonic() - began, opened_connections() - opened, cpu_seconds(berthd) - used
        made, share = opened / took, used / took
        at_rate = share * rate / made
        alone = ask_alone(place.folder, node.instances()[0]["port"], rate, seconds)
        print(f"kernel alone, by one blocking program: {alone:.0f} us each; berthd takes {used / opened * 1e6 / alone:.2f} times as much", flush=True)
        print(f"berth  {made:6.0f} HTTP probes a second of {INSTANCES} instances: {share:.1%} of a core, {used / opened * 1e6:.0f} us each; at {rate}: {at_rate:.1%}", flush=True)
        node.berth("remove", "web", "--yes", "--purge", timeout=300)
    # A probe's period is counted from the answer before it, so a busy machine makes fewer; most of them it must make.
    return made >= 0.7 * rate and (at_rate <= MOST_CPU * rate / 1000 or used / opened * 1e6 <= MOST_OF_ALONE * alone)


def measure_idle(apps, seconds):
    with Workplace() as place:
        node = place.start_node()
        for number in range(apps):
            name = f"app{number}"
            place.repo.publish(sample_apps.Tree(place.folder / name, name).program("/usr/bin/sleep", "sleep").spec(
                f'app = "{name}"\n[process.main]\ncommand = ["bin/sleep", "100000"]\n[deploy]\nbake = "0s"\n'))
            node.berth("deploy", f"{name}@v1", timeout=300)
        time.sleep(SETTLE)
        keepers = [pid for pid in processes.all_pids() if is_keeper(pid)]
        before, before_keepers = wake_ups([node.process.pid]), wake_ups(keepers)
        time.sleep(seconds)
        berthd = (wake_ups([node.process.pid]) - before) / seconds
        of_keepers = (wake_ups(keepers) - before_keepers) / seconds
        print(f"berth  idle with {apps} apps: berthd wakes {berthd:.2f} times a second, {len(keepers)} keepers {of_keepers:.2f} times in all", flush=True)
        for number in range(apps):
            node.berth("remove", f"app{number}", "--yes", "--purge", timeout=300)
    return berthd <= MOST_WAKE_UPS and of_keepers == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rate", type=int, default=1000)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--apps", type=int, default=10)
    options = parser.parse_args()
    good = measure_probes(options.rate, options.seconds)
    good = measure_idle(options.apps, options.seconds) and good
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
