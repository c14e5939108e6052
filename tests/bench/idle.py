"""What berth does where nothing happens: how often berthd and keepers wake up, and their memory.

usage: idle.py [--counts 10,100] [--seconds 20]

Fails when it is more than berth allows itself.

Each app is one of its own, with a release of its own. Wake-ups are voluntary context switches of all threads: a thread that waits, and goes on, has made one. The apps have no probes; nobody asks berthd anything meanwhile.
"""
import argparse
import sys
import time
from pathlib import Path

from bench.common import Workplace, compile_app, is_keeper, pss_kib
from bench.supervisors import starts
from lib import processes
from lib.waiting import wait_until

MOST_PSS = {10: 12, 100: 40}  # MiB of berthd, by how many apps
MOST_WAKE_UPS = 1             # a second


def wake_ups(pid):
    """Thread → how often it has waited."""
    counts = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            text = (task / "status").read_text()
        except OSError:
            continue
        name = (task / "comm").read_text().strip()
        for line in text.splitlines():
            if line.startswith("voluntary_ctxt_switches:"):
                counts[f"{name} {task.name}"] = int(line.split()[1])
    return counts


def measure(count, seconds):
    with Workplace() as place:
        program = compile_app("starter", place.folder)
        node = place.start_node()
        files = place.deploy_apps(count, program)
        wait_until(lambda: all(map(starts, files)), f"{count} apps run", 120)
        time.sleep(10)  # until what a deployment leaves to be done is done
        berthd = node.process.pid
        keepers = [pid for pid in processes.all_pids() if is_keeper(pid)]
        before, kept = wake_ups(berthd), {pid: sum(wake_ups(pid).values()) for pid in keepers}
        time.sleep(seconds)
        after = wake_ups(berthd)
        by_thread = {name: (after[name] - before.get(name, 0)) / seconds for name in after}
        woken = sum(sum(wake_ups(pid).values()) - kept[pid] for pid in keepers)
        print(f"berth  {count:4} apps: berthd wakes {sum(by_thread.values()):.2f} times a second, all keepers together {woken} times in {seconds} s", flush=True)
        for name, often in sorted(by_thread.items(), key=lambda item: -item[1])[:5]:
            print(f"         {often:.2f}/s {name}")
        pss = pss_kib([berthd]) / 1024
        print(f"berth  {count:4} apps: berthd has Pss {pss:.1f} MiB, keepers {pss_kib(keepers) / count:.1f} KiB each", flush=True)
        return [f"{what} with {count} apps is {is_:.2f}, more than {most}" for what, is_, most in (
            ("berthd's Pss in MiB", pss, MOST_PSS.get(count, float("inf"))), ("wake-ups a second", sum(by_thread.values()), MOST_WAKE_UPS), ("keepers' wake-ups", woken, 0)) if is_ > most]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--counts", default="10,100")
    parser.add_argument("--seconds", type=int, default=20)
    options = parser.parse_args()
    too_much = [text for count in map(int, options.counts.split(",")) for text in measure(count, options.seconds)]
    if too_much:
        sys.exit("\n".join(too_much))


if __name__ == "__main__":
    main()
