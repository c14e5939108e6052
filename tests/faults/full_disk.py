"""A small disk that is filled from outside, to its last block, while berthd is at something; then it is freed.

usage: full_disk.py [--what NAME,…] [--rounds N]

The node's state and logs lie on a file system of 96 MB of their own (ext4 on a loop device; tmpfs where there is none). An app serves, and writes a line every few milliseconds, all the
time. Whenever berthd is in the middle of what is tried, all that is free is taken for two seconds. berthd and the app must live through it, the app's processes be the same ones and
answer each request, and the command succeed or say that there is no space. Once there is room again all must be well without help, faults/checker.py says so, a deploy
works, events are numbered without a gap, and each line of the app is in its log or counted there as dropped.
"""
import argparse
import contextlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import checker
from every_syscall import WORDS
from lib import sample_apps
from lib.case import BerthCase
from lib.load import Load
from lib.node import Node
from lib.repo import Repo
from lib.waiting import wait_until
from lib.web import RepositoryServer

PORT, INSTANCES = 8080, 2
FULL = 2.0      # seconds
HEALED = 65.0   # berthd tries again within a minute
TOLD = re.compile(r"berth-keeper: (\d+) log lines are missing here: No space left on device")
LINE = re.compile(r"line (\d+)")


class Disk:
    """A file system of its own at `folder`."""

    def __init__(self, folder, image, megabytes=96):
        self.folder, self.filler = folder, folder / "filler"
        folder.mkdir()
        with open(image, "wb") as file:
            file.truncate(megabytes << 20)
        subprocess.run(["mkfs.ext4", "-q", "-m", "0", image], check=True)
        self.kind = "ext4"
        if subprocess.run(["mount", "-o", "loop", image, folder], capture_output=True).returncode != 0:
            subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=0755", "tmpfs", folder], check=True)
            self.kind = "tmpfs"

    def fill(self):
        """Takes all that is free, and what is freed meanwhile, until `free`."""
        self.stopped = threading.Event()

        def take():
            descriptor = os.open(self.filler, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
            for size, most in ((1 << 20, 1 << 10), (1 << 12, 1 << 10), (1, 1 << 12)):
                with contextlib.suppress(OSError):
                    for _ in range(most):
                        os.write(descriptor, bytes(size))
            return descriptor

        def go_on():
            while not self.stopped.wait(0.01):
                os.close(take())
        os.close(take())
        self.thread = threading.Thread(target=go_on)
        self.thread.start()

    def free(self):
        self.stopped.set()
        self.thread.join()
        self.filler.unlink()

    def close(self):
        subprocess.run(["umount", "-l", self.folder], check=False)


class Trial:
    """A node on such a disk, with v1 that serves, and further releases to be had from a server."""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(dir=os.environ.get("BERTH_TEST_DIR", "/run/t")))
        self.folder.chmod(0o755)
        self.repo = Repo(self.folder)
        self.server = RepositoryServer(self.repo.folder)
        self.disk = Disk(self.folder / "d", self.folder / "image")
        self.node = Node(self.disk.folder / "n", self.server.url, self.repo.root, reserve="1kB")
        self.node.log_file = self.folder / "berthd.log"
        self.count, self.digests = 0, {}
        self.node.start()
        self.node.berth("deploy", f"web@{self.release()}")

    def release(self, *arguments, big=0, **options):
        """Publishes one more; `big`: how many further files of 8 kB it has."""
        self.count += 1
        options = {"bake": "500ms", "drain": "500ms", **options}
        tree = sample_apps.testapp(self.folder / "site", "--lines", "100", *arguments, routing="socket", instances=INSTANCES, note=str(self.count), **options)
        for number in range(big):
            tree.put(f"share/{number}", os.urandom(8000))
        if self.count == 1:
            self.repo.configure("production")
        self.repo.build(tree)
        return self.repo.release("web", "production", "--no-patches")

    def close(self):
        with contextlib.suppress(AssertionError):
            self.node.stop()
        BerthCase.end_apps()
        subprocess.run(["nft", "flush", "ruleset"], check=True)
        self.server.close()
        self.disk.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    # while the disk is full

    def state_of(self, deployment):
        return self.node.api("GET", f"/v1/deployments/{deployment}").json()["state"]

    def fill_in(self, state, *command):
        """Fills the disk when the deployment of a command is in a state, and frees it after a while: how the command ended."""
        known = {one["id"] for one in self.node.deployments()}
        driver = self.node.spawn(*command)
        seen = []

        def is_there():
            if driver.poll() is not None:
                raise AssertionError(f"it ended before it was {state}: {seen}\n{self.node.end_of(driver)}")
            new = [one for one in self.node.deployments() if one["id"] not in known]
            if new:
                seen.append(new[0]["state"])
            return bool(seen) and seen[-1] == state
        wait_until(is_there, f"it is {state}", 20, every=0.001)
        return self.full(lambda: self.node.end_of(driver, HEALED))

    def full(self, end=lambda: None, meanwhile=lambda: None):
        began = time.monotonic()
        self.disk.fill()
        try:
            meanwhile()
            time.sleep(max(0.0, began + FULL - time.monotonic()))
            assert self.node.process.poll() is None, f"berthd ended with {self.node.process.poll()}"
        finally:
            self.disk.free()
        return end()

    # what has to hold

    def try_out(self, what):
        before, active = self.node.pids(), self.node.active()
        with Load(PORT, self.folder, rate=200) as load:
            ended = what(self)
            took, now = self.settle()
            if now == active and what is not reverting:
                after = self.node.pids()
                assert before == after, f"{active} was left alone, but its processes are {after}, and were {before}"
        assert not load.failed or what is reverting, f"{len(load.failed)} of {load.summary['requests']} requests failed: {load.summary['failures']}"
        if ended is not None and ended.code != 0:
            told = ended.text.lower()
            assert any(word in told for word in (*WORDS["ENOSPC"], "too little disk space")), f"it does not say why:\n{ended}"
        good = self.release()
        self.node.berth("deploy", f"web@{good}")
        self.settle()
        assert self.node.active() == good
        dropped = self.count_lines()
        assert self.node.berth("events", "--verify").code == 0
        return ended, took, now, dropped

    def settle(self):
        self.digests = {path.name: checker.slot_digest(path) for path in self.node.slot("v1").parent.iterdir()}
        self.node.berth("events", "-n", "1")  # one that the disk did not take is written with the next one, or when somebody asks for events
        took, active = checker.settle(str(self.node.state), "web", PORT, INSTANCES, self.digests, HEALED)
        self.node.berth("verify", "web", "--all")
        return took, active

    def count_lines(self):
        """Each number that an instance has printed is in its log, or counted there as missing, as are its last ones where it ended meanwhile; returns how many are."""
        missing = 0
        for folder in (self.node.logs / "web").iterdir():
            numbers, told = {}, 0
            for file in sorted(folder.glob("*.log")):
                for line in file.read_text(errors="replace").splitlines():
                    head, _, text = line.partition(" berth-keeper: ")
                    if text:
                        told += int(found[1]) if (found := TOLD.match(f"berth-keeper: {text}")) else 0
                        continue
                    _time, _stream, tag, text = (head.split(" ", 3) + [""] * 3)[:4]
                    if found := LINE.fullmatch(text):
                        numbers.setdefault(tag, []).append(int(found[1]))
            gone = sum(max(ones) - len(set(ones)) for ones in numbers.values())
            assert gone <= told, f"{folder.name}: {gone} lines are not there, and {told} are told as missing"
            missing += told
        return missing


def fetching(trial):
    release = trial.release(big=100)
    trial.server.faults = {"/blobs/": ("slow", 100_000)}
    try:
        return trial.fill_in("fetching", "deploy", f"web@{release}")
    finally:
        trial.server.faults = {}


def unpacking(trial):
    return trial.fill_in("unpacking", "deploy", f"web@{trial.release(big=2500)}")


def starting(trial):
    return trial.fill_in("starting", "deploy", f"web@{trial.release('--start-delay', '1000')}")


def switching(trial):
    with Load(PORT, trial.folder, rate=50, client="keep-alive"):  # what is drained
        return trial.fill_in("switching", "deploy", f"web@{trial.release(drain='2s')}")


def baking(trial):
    return trial.fill_in("baking", "deploy", f"web@{trial.release(bake='1s')}")


def reverting(trial):
    release = trial.release("--exit-once-current", "300", bake="10s")
    trial.fill_in("reverting", "deploy", f"web@{release}")


def at_rest(trial):
    trial.full()


def by_hand(trial):
    """What operators do, that is written down."""
    told = []

    def meanwhile():
        for command in (("hold", "web"), ("pin", f"web@{trial.node.active()}"), ("gc",), ("scale", "web/web=3"), ("resume", "web")):
            told.append(trial.node.berth(*command, expect=None, timeout=30))
    trial.full(meanwhile=meanwhile)
    for done in told:
        assert done.code == 0 or any(word in done.text.lower() for word in WORDS["ENOSPC"]), f"it does not say why:\n{done}"
    for command in (("resume", "web"), ("scale", "web/web=2")):
        trial.node.berth(*command)


def restarting(trial):
    def meanwhile():
        trial.node.kill()
        trial.node.start(wait=False)
        with contextlib.suppress(subprocess.TimeoutExpired):
            trial.node.process.wait(1)
            assert any(word in trial.node.log_tail(5).lower() for word in WORDS["ENOSPC"]), f"{trial.node.process.returncode}: {trial.node.log_tail(5)}"
            print("  berthd does not start on a full disk, and says so", flush=True)
            trial.node.process = None

    began = time.monotonic()
    trial.disk.fill()
    try:
        meanwhile()
        time.sleep(max(0.0, began + FULL - time.monotonic()))
    finally:
        trial.disk.free()
    if trial.node.process is None:
        trial.node.start()
    trial.node.wait_ready(HEALED)


MOMENTS = {one.__name__: one for one in (fetching, unpacking, starting, switching, baking, reverting, at_rest, by_hand, restarting)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--what", default=",".join(MOMENTS))
    parser.add_argument("--rounds", type=int, default=1)
    options = parser.parse_args()
    failures, tried = 0, 0
    trial = Trial()
    try:
        print(f"a disk of 96 MB, {trial.disk.kind}", flush=True)
        for _ in range(options.rounds):
            for name in options.what.split(","):
                tried += 1
                try:
                    ended, took, active, dropped = trial.try_out(MOMENTS[name])
                    how = "" if ended is None else f"the deployment ended with {ended.code}, "
                    print(f"full while {name}: {how}{active} is active, in agreement after {took:.2f} s; "
                          f"{dropped} lines were dropped so far, all told", flush=True)
                except Exception as error:  # whatever it is, the others are tried
                    failures += 1
                    print(f"FAILED while {name}: {type(error).__name__}: {error}\n{trial.node.log_tail(60)}", flush=True)
                    trial.close()
                    trial = Trial()
    finally:
        trial.close()
    print(f"a full disk: {tried} times, failures {failures}", flush=True)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
