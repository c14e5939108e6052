"""What an update costs: bytes to fetch and seconds to apply, in a cgroup of 64 MiB, for pairs of real packages.

usage: updates.py [--packages FOLDER] [--effort fast|best]... [--pair NAME]...

packages.sh gets the packages. For each pair the old version is deployed, then the new one by its patch, by a berthd that is with its workers and keepers in
a cgroup of 64 MiB of memory, page cache included, its store on a disk. Beside it stand the layer, what zstd makes of both tars (--patch-from -19 --long),
and the goal: the best that a peer needs. Bytes are of all that is fetched of the app: the patch with the index in it. Ends with 1 where a goal is missed at
the best effort, or a patch not taken.
"""
import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench import common
from bench.memory_limit import MemoryLimit
from lib import sample_apps
from lib.load import nanoseconds

MEMORY_MIB = 64
PAIRS = {
    "typescript": ("typescript-5.4.5", "typescript-5.5.4", 131_364),
    "esbuild": ("esbuild-linux-x64-0.19.11", "esbuild-linux-x64-0.19.12", 158_192),
    "date-fns": ("date-fns-3.5.0", "date-fns-3.6.0", 882_096),
}
SPEC = 'app = "bench"\n[process.app]\ncommand = ["/bin/sleep", "infinity"]\n[deploy]\nbake = "0s"\n'


def unpack(package, folder, tree):
    """The package's files as an app."""
    tree = sample_apps.Tree(tree, "bench").spec(SPEC)
    subprocess.run(["tar", "xzf", folder / f"{package}.tgz", "-C", tree.folder, "--strip-components=1", "--no-same-owner"], check=True)
    return tree


def by_zstd(place, old, new):
    for name, tree in (("old", old), ("new", new)):
        subprocess.run(["tar", "cf", place.folder / f"{name}.tar", "--sort=name", "--owner=0", "--group=0", "--mtime=@1", "-C", tree.folder, "."], check=True)
    subprocess.run(["zstd", "-q", "-f", "-19", "--long=27", "--patch-from", place.folder / "old.tar", place.folder / "new.tar", "-o", place.folder / "peer"],
                   check=True, stderr=subprocess.DEVNULL)
    return (place.folder / "peer").stat().st_size


def measure(pair, packages, effort):
    """Whether it is as it should be."""
    old_name, new_name, goal = PAIRS[pair]
    group = MemoryLimit("updates", MEMORY_MIB)
    try:
        with common.Workplace() as place:
            place.start_node(prefix=group.prefix)
            old = unpack(old_name, packages, place.folder / "old")
            place.repo.publish(old)
            place.node.berth("deploy", "bench@v1", timeout=600)
            new = unpack(new_name, packages, place.folder / "new")
            place.repo.build(new)
            began = time.monotonic()
            place.repo.release("bench", "production", "--patch-effort", effort, timeout=1800)
            made = time.monotonic() - began
            place.node.berth("deploy", "bench@v2", timeout=600)
            sealed = [event["data"] for event in place.node.events() if event["kind"] == "slot.sealed"]
            at = {step["state"]: nanoseconds(step["at"]) for step in place.node.deployments("bench")[0]["steps"]}
            place.node.berth("verify", "bench", "--all")
            fetched, patched = sealed[1]["fetched"]["patch"], sealed[1].get("patched_from") == "v1"
            whole = sealed[0]["fetched"]["layer"] + sealed[0]["fetched"]["index"]
            took = (at["sealed"] - at["fetching"]) / 1e9
            print(f"{pair:12}{effort:6}{fetched:>12,}{goal:>12,}{by_zstd(place, old, new):>12,}{whole:>14,}{made:>10.1f} s{took:>8.2f} s{group.kills():>7}  "
                  f"{'' if patched else sealed[1].get('notes', 'no patch')}", flush=True)
            return patched and group.kills() == 0 and (effort != "best" or fetched <= goal)
    finally:
        group.remove()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--packages", type=Path, default=Path(__file__).resolve().parents[2] / "build/packages")
    parser.add_argument("--effort", action="append", choices=["fast", "best"])
    parser.add_argument("--pair", action="append", choices=list(PAIRS))
    options = parser.parse_args()
    if "BERTH_TEST_DIR" not in os.environ:
        # What lies in memory would count as used, and cannot be written out.
        place = tempfile.TemporaryDirectory(prefix="b", dir="/var/tmp")
        os.chmod(place.name, 0o755)
        os.environ["BERTH_TEST_DIR"] = place.name
    print(f"{'pair':12}{'effort':6}{'fetched':>12}{'goal':>12}{'zstd -19':>12}{'old, whole':>14}{'making':>12}{'update':>10}{'kills':>7}", flush=True)
    fine = [measure(pair, options.packages, effort) for effort in options.effort or ["fast", "best"] for pair in options.pair or PAIRS]
    sys.exit(0 if all(fine) else 1)


if __name__ == "__main__":
    main()
