"""Memory of a supervisor and how soon it brings a killed app back, of berth and runit in one run.

usage: supervisors.py [--counts 1,10,100]

Fails when keepers take over 0.3 times the memory of runit, or their apps run again later than runit's (p50 or p99).

Memory is the sum of Pss of the supervisor's own processes, those that log included, the supervised apps not. Time to running again is from our
SIGKILL to the first instruction of the new process, as that process itself reads the clock. Each app is killed once, after it ran for over a second.
"""
import argparse
import os
import signal
import statistics
import subprocess
import sys
import time

from bench.common import Workplace, compile_app, descendants, is_keeper, pss_kib
from lib import processes, sample_apps
from lib.waiting import wait_until


MOST_MEMORY = 0.3  # of runit's: the keepers'


def starts(path):
    """(pid, nanoseconds) of every start written so far."""
    try:
        return [tuple(map(int, line.split())) for line in path.read_text().splitlines() if line.count(" ") == 1]
    except OSError:
        return []


class Runit:
    name = "runit"

    def start(self, place, count, program):
        self.prepare(place, count, program)
        self.launch(place)

    def prepare(self, place, count, program):
        self.starts = place.folder / "starts"
        for number in range(count):
            service = place.folder / "services" / f"app{number}"
            (service / "log").mkdir(parents=True)
            (place.folder / "logs" / str(number)).mkdir(parents=True)
            self.script(service / "run", f"exec {program} {self.starts} 2>&1")
            self.script(service / "log" / "run", f"exec svlogd {place.folder}/logs/{number}")

    def launch(self, place):
        self.root = subprocess.Popen(["runsvdir", str(place.folder / "services")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    @staticmethod
    def script(path, text):
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)

    def own(self, apps):
        """What the supervisor costs: label → pids."""
        return {"runsvdir, runsv and svlogd": [pid for pid in descendants(self.root.pid) if pid not in apps]}

    def stop(self):
        self.root.send_signal(signal.SIGHUP)
        self.root.wait()


class Berth:
    name = "berth"

    def start(self, place, count, program):
        node = place.start_node()
        tree = sample_apps.Tree(place.folder / "site", "bench").program(program, "starter").spec(f"""app = "bench"
[process.app]
command = ["bin/starter", "${{BERTH_DATA_DIR}}/starts"]
instances = {count}
[deploy]
bake = "0s"
""")
        place.repo.publish(tree)
        node.berth("deploy", "bench@v1", timeout=300)
        self.node, self.starts = node, node.data("bench") / "starts"

    def own(self, apps):
        return {"keepers": [pid for pid in processes.all_pids() if is_keeper(pid)], "berthd": [self.node.process.pid]}

    def stop(self):
        self.node.berth("remove", "bench", "--yes", "--purge", timeout=300)


def time_to_running_again(path):
    """Milliseconds for each app."""
    taken = []
    for pid, _when in starts(path):
        before = starts(path)
        began = time.monotonic_ns()
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: len(starts(path)) > len(before), "the app runs again", 20, every=0.002)
        taken.append((starts(path)[-1][1] - began) / 1e6)
        time.sleep(0.05)  # until what the start left to do is done
    return sorted(taken)


def measure(contender, count):
    """Memory of each kind of process in KiB, and p50 and p99 in ms."""
    with Workplace() as place:
        program = compile_app("starter", place.folder)
        contender.start(place, count, program)
        try:
            wait_until(lambda: len(starts(contender.starts)) >= count, f"{count} apps run", 120)
            time.sleep(15)  # until what only the start and the deployments needed is given back
            apps = {pid for pid, _when in starts(contender.starts)}
            memory = {}
            for label, pids in contender.own(apps).items():
                total = memory[label] = pss_kib(pids)
                print(f"{contender.name:6} {count:4} apps: {label}: {len(pids)} processes, Pss {total} KiB, {total / count:.1f} KiB an app", flush=True)
            taken = time_to_running_again(contender.starts)
            p50, p99 = statistics.median(taken), taken[int(0.99 * (count - 1))]
            print(f"{contender.name:6} {count:4} apps killed: running again after p50 {p50:.2f} ms, p99 {p99:.2f} ms, most {taken[-1]:.2f} ms", flush=True)
            return memory, p50, p99
        finally:
            contender.stop()


def missed(count, runit, berth):
    """What berth does not keep of its bounds. Both as `measure` has them."""
    most = MOST_MEMORY * sum(runit[0].values())
    compared = [("keepers' Pss in KiB", berth[0]["keepers"], most, f"{MOST_MEMORY} of runit's"), ("p50 in ms", berth[1], runit[1], "runit's"), ("p99 in ms", berth[2], runit[2], "runit's")]
    return [f"{what} with {count} apps is {is_:.2f}, more than {whose}, {bound:.2f}" for what, is_, bound, whose in compared if is_ > bound]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--counts", default="1,10,100")
    options = parser.parse_args()
    bad = []
    for count in map(int, options.counts.split(",")):
        runit = measure(Runit(), count)
        bad += missed(count, runit, measure(Berth(), count))
    if bad:
        sys.exit("\n".join(bad))


if __name__ == "__main__":
    main()
