"""How long a release takes to lie on the disk, an update where little changed, a build, and its patches: berth beside doing the same by hand.

usage: install.py [--rounds 5] [--files 8480] [--megabytes 190] [--limit 64] [--on memory --on disk] [--only install --only update --only build --only patches]

The tree is made of files of /usr, picked by a seed. berth's time is from the request (the start of `berth deploy`) to `sealed` in the deployment's history:
metadata, fetching, verifying, the worker's start, unpacking, comparing it all, syncing and the database. The others end with a sync of their file
system. Patches are those of a release from the last three builds, a hundredth of whose files changed each time, and stand beside the making of the build itself.
Contenders take turns; what counts is the ratio of the least times. Nothing is deleted until the end: ext4 looks at each inode that was
freed a minute ago or less before it makes a file, which would count for whoever comes later. On disk, berthd and all it starts have --limit MiB of memory together, page
cache included, and so have the others; what they take without that limit stands beside it. In memory the files themselves would count, so there only what
the processes hold is told. What either reads was read or written just before, outside of the limit: the packed tree, the repository, the old release.
What each run made is compared with what it should be, and a run that failed, or a process that was killed for want of memory, ends it with 1. So does a
ratio that is over the wanted one, once all is measured and told.
"""
import argparse
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from pathlib import Path

from bench.common import Workplace, must_be_same
from bench.memory_limit import MemoryLimit
from lib import sample_apps
from lib.load import nanoseconds

SPEC = 'app = "bench"\n[process.app]\ncommand = ["/bin/sleep", "infinity"]\n[deploy]\nbake = "0s"\n'
LEVEL = 9  # berth build's
TARGETS = {"install": 1.0, "update": 1.2, "build": 1.2, "patches": 4.0}
PEERS = {"install": "zstd -d | tar x", "update": "cp -al, and what changed", "build": f"tar | zstd -T2 -{LEVEL}", "patches": "berth build"}
TREES = {"install": "site", "update": "next"}  # what lies there afterwards
BY_HAND = {
    "install": "mkdir {out} && zstd -dcq tree.tar.zst | tar x -C {out} && sync -f {out}",
    "update": "cp -al site {out} && cp -r --remove-destination changed/. {out}/ && sync -f {out}",
    "build": f"tar cf - -C site . | zstd -q -T2 -{LEVEL} -o built.tar.zst && sync built.tar.zst",
}


def pick(count, megabytes, seed):
    """That many files of /usr which have that much together, about: folder by folder, from those with larger files whenever what was picked falls behind."""
    mean = megabytes * 1e6 / count
    small, large = [], []
    for top in ("/usr/lib", "/usr/share", "/usr/include"):
        for path, _folders, names in os.walk(top):
            files = [os.path.join(path, name) for name in sorted(names)]
            files = [file for file in files if not os.path.islink(file) and os.path.isfile(file) and 0 < os.path.getsize(file) < 2_000_000]
            size = sum(os.path.getsize(file) for file in files)
            if files:
                (small if size <= mean * len(files) else large).append((path, files, size))
    for folders in (small, large):
        folders.sort()
        random.Random(seed).shuffle(folders)
    picked, total = [], 0
    while len(picked) < count and small and large:
        _path, files, size = (large if total < mean * len(picked) else small).pop()
        picked += files
        total += size
    total -= sum(os.path.getsize(file) for file in picked[count:])
    return sorted(picked[:count]), total


def gather(tree, count, megabytes, seed):
    files, total = pick(count, megabytes, seed)
    for file in files:
        target = Path(f"{tree.folder}/files{file}")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)
    tree.spec(SPEC)
    return [f"files{file}" for file in files], total


def change(place, names, seed):
    """A hundredth of the files gets other bytes in its middle. Changed ones lie in `changed`, beside the whole new tree in `next`."""
    shutil.copytree(place.folder / "site", place.folder / "next", symlinks=True)
    for name in random.Random(seed).sample(names, max(1, len(names) // 100)):
        content = (place.folder / "site" / name).read_bytes()
        middle = len(content) // 2
        content = content[:middle] + b"changed" + content[middle + 3:]
        for tree in ("next", "changed"):
            target = place.folder / tree / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)


class Peak(threading.Thread):
    """Looks again and again at what the processes of the contest's cgroup hold."""

    def __init__(self, contest):
        super().__init__(daemon=True)
        self.contest, self.most, self.over = contest, 0.0, threading.Event()

    def run(self):
        while not self.over.wait(0.01):
            self.most = max(self.most, self.contest.ours.own_mib())

    def end(self):
        self.over.set()
        self.join()
        return self.most


class Contest:
    def __init__(self, place, limit, ends):
        """`ends` is told what is to be done at the end; `limit`: MiB, or None."""
        self.place, self.limit, self.ends = place, limit, ends
        self.groups = []
        self.taken = {line: {"peer": [], "free": [], "berth": []} for line in TARGETS}
        self.outs = 0

    def by_hand(self, line, free=False):
        """`free`: whatever memory it wants."""
        self.outs += 1
        out = f"out{self.outs}"
        (self.place.folder / "built.tar.zst").unlink(missing_ok=True)
        os.sync()
        limited = self.theirs.prefix if line != "build" and not free else []
        began = time.monotonic()
        subprocess.run([*limited, "sh", "-c", BY_HAND[line].format(out=out)], check=True, cwd=self.place.folder)
        self.taken[line]["free" if free else "peer"].append(time.monotonic() - began)
        if line == "build":
            subprocess.run("zstd -dcq built.tar.zst | tar d -C site -f -", shell=True, check=True, cwd=self.place.folder)
        else:
            must_be_same(self.place.folder / TREES[line], self.place.folder / out)

    def new_node(self, number):
        """One that has no release yet. Contenders get new limits: what the kernel remembers of the trees of a former round counts in its own."""
        if self.place.node:
            self.place.node.stop()
        self.ours, self.theirs = (MemoryLimit(f"{name}{number}", self.limit) for name in ("ours", "theirs"))
        self.groups += [self.ours, self.theirs]
        for one in (self.ours, self.theirs):
            self.ends.callback(one.remove)
        self.place.start_node(prefix=self.ours.prefix, name=f"n{number}")

    def deploy(self, line, release):
        os.sync()
        began = time.time_ns()
        self.place.node.berth("deploy", f"bench@{release}", timeout=600)
        steps = {step["state"]: nanoseconds(step["at"]) for step in self.place.node.deployments("bench")[0]["steps"]}
        self.taken[line]["berth"].append((steps["sealed"] - began) / 1e9)
        must_be_same(self.place.folder / TREES[line], self.place.node.state / "apps" / "bench" / "slots" / release / "app")

    def build(self, number):
        (self.place.folder / "site" / "ROUND").write_text(str(number))  # so that the store has no such build
        os.sync()
        began = time.monotonic()
        self.place.repo.build(self.place.folder / "site")
        self.taken["build"]["berth"].append(time.monotonic() - began)
        (self.place.folder / "site" / "ROUND").unlink()

    def patches(self, names, number):
        """The release of a build that differs from the one before in a hundredth of the files."""
        tree = self.place.folder / "rounds"
        if not tree.exists():
            shutil.copytree(self.place.folder / "next", tree, symlinks=True)
        for name in random.Random(f"round {number}").sample(names, max(1, len(names) // 100)):
            with open(tree / name, "ab") as file:
                file.write(b"changed\n")
        os.sync()
        began = time.monotonic()
        self.place.repo.build(tree)
        built = time.monotonic()
        release = self.place.repo.release("bench", "production", "--patches", "3")
        ended = time.monotonic()
        manifest = json.loads(next((self.place.repo.folder / "targets/bench/production").glob(f"*.{release}.json")).read_text())
        (build,) = manifest["builds"].values()
        if number == 0:
            return  # there are not yet three builds before
        if len(build.get("patches", [])) < 3:
            raise SystemExit(f"{release} has {len(build.get('patches', []))} patches, not 3")
        self.taken["patches"]["peer"].append(built - began)
        self.taken["patches"]["berth"].append(ended - built)

    def tell(self, where, lines):
        """Tells each line; the lines whose ratio is over the wanted one."""
        missed = []
        for line in lines:
            peer, berth = self.taken[line]["peer"], self.taken[line]["berth"]
            ratio = min(berth) / min(peer)
            print(f"{where:8} {line:8} {PEERS[line]:26} {min(peer):6.3f} s (median {statistics.median(peer):.3f})   berth {min(berth):6.3f} s "
                  f"(median {statistics.median(berth):.3f})   ratio {ratio:.2f}, wanted {TARGETS[line]}", flush=True)
            if free := self.taken[line]["free"]:
                print(f"{where:8} {line:8} {'the same without a limit':26} {min(free):6.3f} s (median {statistics.median(free):.3f})   "
                      f"ratio {min(berth) / min(free):.2f}, of berth with one", flush=True)
            if ratio > TARGETS[line]:
                missed.append(f"{line} {where}: {ratio:.2f} is over {TARGETS[line]}")
        return missed


def run(where, folder, options, lines):
    limit = options.limit if where == "disk" else None
    with ExitStack() as ends:
        groups = ends.enter_context(ExitStack())  # they go once nothing runs in them any more
        place = ends.enter_context(Workplace(folder))
        contest = Contest(place, limit, groups)
        contest.new_node(0)
        site = sample_apps.Tree(place.folder / "site", "bench")
        names, total = gather(site, options.files, options.megabytes, options.seed)
        change(place, names, options.seed)
        subprocess.run(f"tar cf - -C site . | zstd -{LEVEL} -q -T2 -o tree.tar.zst", shell=True, check=True, cwd=place.folder)
        packed = (place.folder / "tree.tar.zst").stat().st_size
        print(f"{where}: {len(names)} files, {total / 1e6:.0f} MB, packed {packed / 1e6:.0f} MB", flush=True)
        first = place.repo.publish(site)
        second = place.repo.publish(sample_apps.Tree.at(place.folder / "next", "bench"))
        peak = Peak(contest)
        peak.start()
        for number in range(options.rounds):
            if number > 0:
                contest.new_node(number)  # nothing of a former round is to be linked
            for line in lines:
                if line in BY_HAND:
                    contest.by_hand(line)
                    if limit and line != "build":
                        contest.by_hand(line, free=True)
            if "build" in lines:
                contest.build(number)
            if "install" in lines or "update" in lines:
                contest.deploy("install", first)
            if "update" in lines:
                contest.deploy("update", second)
            if "patches" in lines:
                for again in range(2 if number == 0 else 1):  # the first one is the third build
                    contest.patches(names, number + again / 2)
        missed = contest.tell(where, lines)
        held = peak.end()
        kills = sum(group.kills() for group in contest.groups)
        limit = f" of {options.limit} MiB allowed, page cache included; killed for want of memory: {kills}" if where == "disk" else ""
        print(f"{where:8} memory   berthd and workers held {held:.1f} MiB, in use at most {max(group.peak_mib() for group in contest.groups[::2]):.1f} MiB{limit}", flush=True)
        if kills:
            raise SystemExit(f"{where}: {kills} processes were killed for want of memory: what was measured is none of it")
    return missed


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--files", type=int, default=8480)
    parser.add_argument("--megabytes", type=int, default=190)
    parser.add_argument("--limit", type=int, default=64, help="MiB of memory for all processes together, on disk")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--on", action="append", choices=["memory", "disk"])
    parser.add_argument("--disk", default="/var/tmp", help="a folder on a disk")
    parser.add_argument("--only", action="append", choices=list(TARGETS))
    options = parser.parse_args()
    lines = [line for line in TARGETS if not options.only or line in options.only]
    missed = [one for where in options.on or ["memory", "disk"] for one in run(where, None if where == "memory" else options.disk, options, lines)]
    sys.exit("\n".join(missed) or 0)


if __name__ == "__main__":
    main()
