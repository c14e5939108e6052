"""A node in a given state, made again for every run, and a run of a scenario on it."""
import contextlib
import os
import re
import shutil
import subprocess
import time
import typing
from pathlib import Path

import checker
from lib import processes
from lib.load import Load
from lib.node import Node
from lib.programs import INJECT, PATIENCE, SLOWNESS
from lib.repo import Repo
from lib.waiting import wait_until
from scenarios import PORT

SETTLE = 5.0
UNREACHABLE = 6  # what berth ends with when berthd does not answer
LASTING = 4.0    # seconds for which a disk has its trouble;
HEALED = 65.0    # berthd tries again within a minute


class Fault(typing.NamedTuple):
    """What is done at a point: berthd, or another program (`of`), is killed, or the call fails with `error`, and all that follow where it `lasts`."""
    error: str = ""
    lasts: bool = False
    of: str = ""
    reads: bool = False

    def options(self, point):
        at = ["--kill", str(point.time), "--like", point.pattern] if point else []
        if point and self.error:
            at += ["--error", self.error, "--lasts", "yes" if self.lasts else "no"]
        if self.of:
            at += ["--of", self.of]
        return at + (["--reads", "yes"] if self.reads else [])

    @property
    def spares_berthd(self):
        return bool(self.error or self.of)


class Ran(typing.NamedTuple):
    """How a run went: whether the point was reached, and how the command ended (None: its end was not waited for)."""
    hit: bool
    code: int = None
    text: str = ""


class Ground:
    def __init__(self, folder, scenario, routing):
        self.folder, self.scenario = Path(folder), scenario
        self.load = None    # requests all the time, while a disk fails
        self.slowest = 0.0  # seconds that five requests took while berthd was dead
        self.repo = Repo(self.folder)
        scenario.publish(self.repo, self.folder, routing)
        self.arm, self.trace = self.folder / "armed", self.folder / "trace"
        self.node = self.make_node()
        self.node.start()
        self.digests = {release: scenario.digest_of(self, release) for release in ("v1", "v2", "v3")}
        self.end_everything()
        shutil.rmtree(self.node.folder)
        self.node = self.make_node()  # which never heard of v2
        self.node.start()
        scenario.prepare(self)
        self.node.stop()
        self.end_everything()
        shutil.rmtree(self.node.run)
        scenario.alter(self)
        self.pristine = self.folder / "pristine"
        subprocess.run(["cp", "-a", self.node.folder, self.pristine], check=True)

    def make_node(self):
        return Node(self.folder / "n", self.repo.url, self.repo.root, store=self.scenario.store, extra=self.scenario.extra)

    def end_load(self):
        load, self.load = self.load, None
        if load is not None:
            load.__exit__()
        return load

    def all_was_answered(self):
        """No request failed while the disk did."""
        load = self.end_load()
        if load is not None and load.failed:
            raise AssertionError(f"{len(load.failed)} of {load.summary['requests']} requests failed: {load.summary['failures']}")

    def end_everything(self):
        """berthd, keepers and apps; nothing of the node is left running."""
        self.end_load()
        if self.node.process is not None and self.node.process.poll() is None:
            self.node.kill()
        for _ in range(100):
            left = [pid for pid in processes.all_pids() if self.is_ours(pid)]
            if not left:
                break
            for pid in left:
                try:
                    os.kill(pid, 9)
                except ProcessLookupError:
                    pass
            time.sleep(0.01)
        subprocess.run(["nft", "flush", "ruleset"], check=True)

    def is_ours(self, pid):
        if not processes.is_running(pid):
            return False
        try:
            program = os.path.basename(os.readlink(f"/proc/{pid}/exe").split(" ")[0])
        except OSError:
            return False
        return program in ("berthd", "berth-keeper", "berth-unpack", "berth", "berth-inject") or "BERTH_APP" in processes.environment(pid)

    def restore(self):
        self.end_everything()
        self.arm.unlink(missing_ok=True)
        shutil.rmtree(self.node.folder)
        subprocess.run(["cp", "-a", self.pristine, self.node.folder], check=True)
        kept = (self.node.folder / "berthd.toml").read_text()
        self.node = self.make_node()
        self.node.configure(kept)
        self.scenario.begin(self)

    def run(self, fault, point=None):
        """The scenario once under the injector, with the fault at `point`; without one all calls are recorded."""
        self.restore()
        node = self.node
        node.prefix = [str(INJECT), "--arm", str(self.arm), "--trace", str(self.trace), *fault.options(point),
                       *(part for name in ("state", "logs", "run", "sink") for part in ("--below", str(node.folder / name))), "--"]
        node.environment = {"ASAN_OPTIONS": "detect_leaks=0"}
        try:
            return self.start(fault) if self.scenario.command is None else self.command(fault)
        finally:
            node.prefix = []
            self.arm.unlink(missing_ok=True)

    def was_hit(self):
        return any(line.endswith((" killed", " failed")) for line in self.trace.read_text().splitlines())

    def start(self, fault):
        """berthd starts, and brings its app up."""
        self.arm.touch()
        began = time.monotonic()
        self.node.start(wait=False)

        def is_over():
            if self.node.process.poll() is not None:
                return True
            if fault.lasts and time.monotonic() > began + LASTING:
                self.arm.unlink(missing_ok=True)
            try:
                return self.node.app()["health"] == "healthy"
            except (OSError, KeyError, TypeError, ValueError):
                return False
        wait_until(is_over, "berthd has started or ended", 60)
        hit = self.was_hit()
        if not hit and self.node.process.poll() is not None:
            raise AssertionError(f"berthd ended by itself\n{self.node.log_tail()}")
        return Ran(hit, self.node.process.poll(), self.node.log_tail(5))

    def command(self, fault):
        """berthd runs, and does what it is asked to."""
        node = self.node
        node.start()
        node.prefix = []
        node.wait_app(health="healthy")
        self.before = node.pids()
        if fault.error and self.scenario.answers:
            self.load = Load(PORT, self.folder, rate=200).__enter__()
        self.arm.touch()
        driver = node.spawn(*self.scenario.command)
        began = time.monotonic()
        while node.process.poll() is None and driver.poll() is None and time.monotonic() < began + 60 * PATIENCE:
            time.sleep(0.005)
            if fault.lasts and time.monotonic() > began + LASTING:
                self.arm.unlink(missing_ok=True)
        self.arm.unlink(missing_ok=True)
        if not fault.spares_berthd:
            # Where the connection was closed under the driver, or a call was hit, berthd is dead, though its tracer may not have ended yet; and what comes
            # last may still be hit after the answer.
            is_dead = driver.poll() == UNREACHABLE or self.was_hit()
            with contextlib.suppress(subprocess.TimeoutExpired):
                node.process.wait(10 * PATIENCE if is_dead else 0.2)
        if node.process.poll() is not None:
            driver.kill()
            driver.communicate()
            return Ran(self.was_hit())
        try:
            out, err = driver.communicate(timeout=60 * PATIENCE)
        except subprocess.TimeoutExpired:
            driver.kill()
            raise AssertionError(f"berth {self.scenario.command} does not end\n{node.log_tail()}") from None
        hit = self.was_hit()
        if driver.returncode != self.scenario.code and not hit:
            raise AssertionError(f"the {self.scenario.name} ended with {driver.returncode}\n{out}{err}\n{node.log_tail()}")
        return Ran(hit, driver.returncode, out + err)

    def serves_meanwhile(self):
        """While berthd is dead whoever serves goes on serving. An instance that ends in that time takes its socket out of the group: a connection that
        the group's program then misses is refused by a gate, and made when TCP asks again, after 1, 3 or 7 s."""
        began = time.monotonic()
        seen = checker.answers(PORT, 5, patience=15)
        self.slowest = max(self.slowest, time.monotonic() - began)
        if not seen <= set(self.scenario.allowed):
            raise AssertionError(f"with berthd dead, port {PORT} is answered by {sorted(map(str, seen))}")

    def settle(self, allowed=None, seconds=SETTLE):
        """Until all agrees: (seconds, what is active)."""
        seconds *= SLOWNESS * (PATIENCE if allowed else 1)
        took, active = checker.settle(str(self.node.state), "web", PORT, self.scenario.wanted, self.digests, seconds, allowed or self.scenario.allowed)
        if active is not None:
            self.scenario.check(self, active)
        else:
            self.scenario.check_gone(self)
        return took, active

    def is_as_said(self, ran):
        """What the command told of the app's future is what the database says."""
        held, rejected = checker.held_and_rejected(str(self.node.state), "web")
        wrong = [release for release in re.findall(r"web@(v\d+) is rejected here", ran.text) if release not in rejected]
        if wrong or ("web is held" in ran.text and not held):
            raise AssertionError(f"held is {held!r}, rejected are {sorted(rejected)}, and the command said:\n{ran.text}")

    def goes_on(self):
        """What must work afterwards does; then berthd ends in order."""
        self.node.wait_ready()  # where no app is left, all agrees before berthd listens
        active = self.scenario.go_on(self)
        self.settle((active,))
        code = self.node.stop()
        if code != 0:
            raise AssertionError(f"berthd ended with {code}")

    def await_shipped(self, sink):
        def is_done():
            return next(one for one in self.node.status()["sinks"] if one["sink"] == sink)["state"] == "up to date"
        wait_until(is_done, f"{sink} has everything", 20)
