"""How long a release of many files takes to lie on the disk, synced: berth beside unpacking and copying by hand.

usage: install.py [--rounds 3] [--files 5000]

The tree is made of files of /usr/lib. berth's time is from the first byte fetched to the sealed slot, as its deployment tells: hashes are
verified twice on that way, and everything is synced. The others end with a sync of their file system. Contenders take turns.
"""
import argparse
import os
import shutil
import statistics
import subprocess
import time
from pathlib import Path

from bench.common import Workplace
from lib import sample_apps
from lib.load import nanoseconds

BY_HAND = {
    "zstd -d | tar x": "mkdir out && zstd -dcq tree.tar.zst | tar x -C out",
    "sha256sum, then zstd -d | tar x": "mkdir out && sha256sum tree.tar.zst > /dev/null && zstd -dcq tree.tar.zst | tar x -C out",
    "cp -a": "cp -a site out",
}


def gather(folder, count):
    """Some files of /usr/lib, evenly taken."""
    files = [os.path.join(path, name) for path, _folders, names in os.walk("/usr/lib") for name in names]
    files = sorted(path for path in files if not os.path.islink(path) and os.path.isfile(path) and 0 < os.path.getsize(path) < 2_000_000)
    total = 0
    for path in files[:: max(1, len(files) // count)][:count]:
        target = Path(f"{folder}/files{path}")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
        total += target.stat().st_size
    return total


def by_hand(place, command):
    shutil.rmtree(place.folder / "out", ignore_errors=True)
    os.sync()
    began = time.monotonic()
    subprocess.run(command + " && sync -f out", shell=True, check=True, cwd=place.folder)
    return time.monotonic() - began


def by_berth(place, release):
    os.sync()
    place.node.berth("deploy", f"bench@{release}", timeout=600)
    at = {step["state"]: nanoseconds(step["at"]) for step in place.node.deployments("bench")[0]["steps"]}
    return (at["sealed"] - at["fetching"]) / 1e9


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--files", type=int, default=5000)
    options = parser.parse_args()
    with Workplace() as place:
        place.start_node()
        tree = sample_apps.Tree(place.folder / "site", "bench")
        total = gather(tree.folder, options.files)
        tree.spec('app = "bench"\n[process.app]\ncommand = ["/bin/sleep", "infinity"]\n[deploy]\nbake = "0s"\n')
        subprocess.run("tar cf - -C site . | zstd -3 -q -o tree.tar.zst", shell=True, check=True, cwd=place.folder)
        print(f"{options.files} files, {total / 1e6:.0f} MB", flush=True)
        taken = {name: [] for name in [*BY_HAND, "berth deploy"]}
        for round_number in range(options.rounds):
            for name, command in BY_HAND.items():
                taken[name].append(by_hand(place, command))
            place.node.berth("remove", "bench", "--yes", expect=None)  # nothing of a former round is to be linked
            place.repo.publish(tree.put("ROUND", str(round_number)))
            taken["berth deploy"].append(by_berth(place, f"v{round_number + 1}"))
        for name, seconds in taken.items():
            print(f"{name:34} median {statistics.median(seconds):.2f} s, least {min(seconds):.2f} s", flush=True)


if __name__ == "__main__":
    main()
