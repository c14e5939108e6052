"""A node at work for long: deploys, reverts, bad releases, kills, collections, logs that flow; and what grows with it.

usage: soak.py [--minutes N]

One app is deployed, gone back from, given bad releases, scaled, restarted, killed from below, and collected, all the time and in a random order (the seed is printed), while requests
and lines flow; now and then berthd is killed and started again. After each thing the node is measured at rest: memory and descriptors of berthd and of the keepers, processes, cgroups and
folders below /run, sizes of the database with its WAL, slots, staging. At the end a line is laid through each, over its second half: its slope is printed in units an hour and per
cent of its middle an hour, and a slope of something that has no reason to grow fails the run, where it is not by chance. events.log and history grow by what happens: their bytes for
each deployment are printed.
"""
import argparse
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import checker
from lib import processes, sample_apps
from lib.case import BerthCase
from lib.load import Load
from lib.node import Node
from lib.programs import PATIENCE
from lib.repo import Repo

PORT, RELEASES, INSTANCES = 8080, 6, 2
MOST = 25.0    # per cent an hour that a line may rise for its end to be no finding; a soak of minutes is noisy
LEAST_RISE = {"berthd, KiB": 2048, "keepers, KiB": 512, "berthd, descriptors": 4, "keepers, descriptors": 2, "processes": 2, "folders of instances": 2, "files below run": 4,
              "slots": 3, "staging": 1, "berth.db, KiB": 512, "berth.db-wal, KiB": 4200}  # less over the half that is measured is not looked at


def rss(pid):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0


def size(path):
    return path.stat().st_size >> 10 if path.exists() else 0


def slope(points):
    """(units an hour, value at the middle) of the line of least squares through (seconds, value)."""
    xs, ys = [x for x, _ in points], [y for _, y in points]
    middle_x, middle_y = statistics.fmean(xs), statistics.fmean(ys)
    below = sum((x - middle_x) ** 2 for x in xs)
    return (sum((x - middle_x) * (y - middle_y) for x, y in points) / below * 3600 if below else 0.0), middle_y


class Soak:
    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(dir=os.environ.get("BERTH_TEST_DIR", "/run/t")))
        self.folder.chmod(0o755)
        self.repo = Repo(self.folder)
        for number in range(1, RELEASES + 1):  # every third one is bad
            self.repo.publish(sample_apps.testapp(self.folder / "site", "--lines", "50", *([] if number % 3 else ["--exit-once-current", "100"]), routing="socket",
                                                  instances=INSTANCES, bake="300ms", drain="300ms", note=str(number)))
        self.node = Node(self.folder / "n", self.repo.url, self.repo.root, store="keep_releases = 2",
                         extra=f'[[sink]]\nname = "agent"\nkind = "file"\npath = "{self.folder / "n/sink/all.jsonl"}"\nrotate_bytes = "1MiB"\nkeep_files = 2\n')
        self.node.start()
        self.node.berth("deploy", "web@v1")
        self.did, self.measured, self.slots = {}, {}, {}
        self.restarted = 0.0

    def close(self):
        self.node.stop()
        BerthCase.end_apps()
        subprocess.run(["nft", "flush", "ruleset"], check=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    # what is done

    def deploy(self):
        number = random.randint(1, RELEASES)
        self.node.berth("deploy", f"web@v{number}", "--force", expect=None if number % 3 == 0 else 0)

    def revert(self):
        self.node.berth("revert", "web", expect=None)

    def restart(self):
        self.node.berth("restart", "web")

    def scale(self):
        self.node.berth("scale", "web/web=3")
        self.node.berth("scale", f"web/web={INSTANCES}")

    def collect(self):
        self.node.berth("gc")

    def kill_app(self):
        os.kill(random.choice(list(self.node.pids().values())), 9)

    def kill_keeper(self):
        os.kill(random.choice([pid for pid in processes.all_pids() if BerthCase.is_keeper(pid)]), 9)

    def kill_berthd(self):
        self.node.kill()
        self.node.start()
        self.restarted = time.monotonic()

    def refresh(self):
        self.repo.berth("repo", "refresh", self.repo.folder)
        self.node.berth("status")

    DOINGS = (deploy, deploy, deploy, revert, restart, scale, collect, kill_app, kill_keeper, refresh)

    def step(self, may_kill):
        what = Soak.kill_berthd if may_kill and random.random() < 0.03 else random.choice(self.DOINGS)
        what(self)
        self.did[what.__name__] = self.did.get(what.__name__, 0) + 1
        folder = self.node.slot("v1").parent
        for path in folder.iterdir():
            if path.name not in self.slots:
                self.slots[path.name] = checker.slot_digest(path)
        checker.settle(str(self.node.state), "web", PORT, INSTANCES, self.slots, 10 * PATIENCE)

    # what is measured

    def measure(self, since):
        berthd = self.node.process.pid
        keepers = [pid for pid in processes.all_pids() if BerthCase.is_keeper(pid) and processes.is_running(pid)]
        run, state = self.node.run, self.node.state
        found = {
            "berthd, KiB": rss(berthd), "berthd, descriptors": len(os.listdir(f"/proc/{berthd}/fd")),
            "keepers, KiB": statistics.fmean(map(rss, keepers)), "keepers, descriptors": statistics.fmean(len(os.listdir(f"/proc/{pid}/fd")) for pid in keepers),
            "processes": len(keepers) + len(processes.of_app("web")), "folders of instances": len(list((run / "instances").iterdir())),
            "files below run": sum(1 for _ in run.rglob("*")), "slots": len(list((state / "apps/web/slots").iterdir())), "staging": len(list((state / "staging").iterdir())),
            "berth.db, KiB": size(state / "berth.db"), "berth.db-wal, KiB": size(state / "berth.db-wal"), "events.log, KiB": size(state / "events.log"),
        }
        for name, value in found.items():
            self.measured.setdefault(name, []).append((since, value))


def verdicts(soak):
    """Prints the slopes; returns what rises though it has no reason to."""
    wrong = []
    for name, points in soak.measured.items():
        half = points[len(points) // 2:]
        per_hour, middle = slope(half)
        part = per_hour / middle * 100 if middle else 0.0
        print(f"  {name:<22} {points[0][1]:>9.0f} at first, {max(value for _, value in points):>9.0f} at most, {points[-1][1]:>9.0f} at last; {per_hour:>+10.1f} an hour ({part:+.1f} %)")
        rise = per_hour * (half[-1][0] - half[0][0]) / 3600
        if name in LEAST_RISE and rise > LEAST_RISE[name] and part > MOST:
            wrong.append(f"{name} rises by {per_hour:.1f} an hour")
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args()
    random.seed(options.seed)
    print(f"seed {options.seed}", flush=True)
    soak = Soak()
    failed = ""
    began = time.monotonic()
    deployments = 1
    try:
        with Load(PORT, soak.folder, rate=50) as load:
            while (since := time.monotonic() - began) < options.minutes * 60:
                # Memory is compared within one berthd: it is killed in the first half only.
                soak.step(may_kill=since < options.minutes * 30)
                time.sleep(0.2)
                soak.measure(since)
        deployments = soak.node.deployments()[0]["id"]
        wrong = verdicts(soak)
        events = soak.node.state / "events.log"
        print(f"  events.log: {events.stat().st_size / deployments:.0f} bytes a deployment, of {deployments}; {soak.node.berth('events', '--verify').out.strip()}")
        failed = "; ".join(wrong)
    except AssertionError as error:
        failed = f"{error}\n{soak.node.log_tail()}"
    finally:
        soak.close()
    print(f"soak of {(time.monotonic() - began) / 60:.1f} minutes: {json.dumps(soak.did)}; {load.summary['requests']} requests, {load.summary['failed']} failed "
          f"(what is killed from below breaks some); failures {int(bool(failed))}", flush=True)
    if failed:
        print(f"FAILED: {failed}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
