"""berthd killed by SIGKILL within a switch that is under load, in each of its parts: no request fails, what runs is kept, and the deployment ends.

Two instances of nginx are deployed and gone back from, under load by clients that open a connection for each request. In each round berthd is killed at one moment of the
deployment, as the database, `current` and the answers tell:

starting   the new instances are started, and not ready yet
decided    the database has the new release, and the route leads to the old one
routed     the route leads to the new one, and `current` to the old one
draining   an old instance still has a connection
baking     a revert by hand has no bake

usage: test_killed_in_switch.py [Class[.test]]; BERTH_TEST_ROUNDS says how often at each (1); more than once, berthd is away for longer, and dies a moment later.
"""
import collections
import contextlib
import os
import random
import shutil
import signal
import socket
import sqlite3
import sys
import time
import unittest
from pathlib import Path

from lib import processes, sample_apps
from lib.case import BerthCase
from lib.load import Load, nanoseconds
from lib.programs import INJECT, SLOWNESS
from lib.waiting import wait_until

sys.path.append(str(Path(__file__).resolve().parents[1] / "faults"))
import points  # noqa: E402

ROUNDS = int(os.environ.get("BERTH_TEST_ROUNDS", 1))
RATE = 700 if SLOWNESS == 1 else 200
PORT, INSTANCES = 8080, 2
TRIES = 4                      # of a moment, until berthd is killed in it
PATIENT_MS = 20_000            # what is slow has not failed
MOMENTS = {"deploy": ("starting", "decided", "routed", "draining", "baking"), "revert": ("starting", "decided", "routed", "draining")}
STATES = ("queued", "fetching", "unpacking", "sealed", "preparing", "starting", "switching", "baking", "active")
AT_A_CALL = ("decided", "routed")  # moments of less than a millisecond: berthd is killed before it makes a call
#: How long after the decision, or after a berthd that makes up for it is ready, a connection that is opened may still reach the old release; test_switching.py has what is usual.
LATE_MS = 500 * SLOWNESS


class Round:
    """A deployment in which berthd was killed."""

    def __init__(self, kind, wanted, old, new, after):
        self.kind, self.wanted, self.old, self.new, self.after = kind, wanted, old, new, after  # `after`: the id of the deployment before
        self.killed = self.began = self.ready = 0  # when berthd was dead, was started again, and was ready; ns since 1970
        self.found = ""                            # the moment that it was killed in, as the disk tells it; "switching" where it is one between the decision and `current`
        self.deployment = None                     # as berthd tells of it when it is over

    @property
    def decided(self):
        return self.found in ("decided", "routed", "switching", "draining", "baking", "active")

    def at(self, state):
        """When it came to that state for the last time, in ns since 1970."""
        return nanoseconds([step["at"] for step in self.deployment["steps"] if step["state"] == state][-1])

    def __str__(self):
        return f"{self.kind} {self.old} → {self.new}, killed {self.found or self.wanted}"


class KilledInASwitch:
    """Mixed into a case for each routing."""

    routing = None

    def setUp(self):
        super().setUp()
        self.repo.configure(files=sample_apps.nginx_files(self.routing))
        for page in ("one", "two"):
            self.repo.publish(sample_apps.nginx(self.folder / "site", routing=self.routing, instances=INSTANCES, bake="400ms", drain="1500ms", page=page))
        self.node = self.make_node()
        self.arm, self.trace = self.folder / "armed", self.folder / "trace"
        self.calls = {}   # (kind, moment) → the call before which berthd is killed
        self.hit = collections.Counter()  # (kind, moment) → how often berthd was killed in it
        self.seed = int(os.environ.get("BERTH_TEST_SEED", time.time()))
        random.seed(self.seed)

    # berthd

    def start(self, kind, moment):
        """Starts berthd, so that it can be killed then."""
        self.arm.unlink(missing_ok=True)
        at = self.calls.get((kind, moment))
        traced = moment == "" or at is not None
        below = [part for name in ("state", "run") for part in ("--below", str(self.node.folder / name))]
        kill = ["--kill", str(at.time), "--like", at.pattern] if at else []
        self.node.prefix = [str(INJECT), "--arm", str(self.arm), "--trace", str(self.trace), *kill, *below, "--"] if traced else []
        self.node.environment = {"ASAN_OPTIONS": "detect_leaks=0"} if traced else {}
        self.node.start()

    def ask(self, kind):
        return self.node.spawn(*(("deploy", "web@v2", "--force") if kind == "deploy" else ("revert", "web")))

    def learn_calls(self, kind):
        """A deployment without a kill: which calls it makes between its decision and the drain."""
        self.arm.touch()
        done = self.node.end_of(self.ask(kind))
        self.assertEqual(done.code, 0, done)
        self.node.stop()
        trace = points.read_trace(self.trace)
        named = points.points_of(trace)
        texts = [text for _number, _kind, text in trace]
        swap = next(at for at, text in enumerate(texts) if "rename" in text and text.endswith("apps/web/current"))
        decision = max(at for at, text in enumerate(texts[:swap]) if "berth.db-wal" in text)
        told = next(at for at in range(decision, swap) if texts[at].endswith("events.log"))  # what is decided is told next, and then routed
        effects = [at for at in range(decision, swap) if trace[at][1] == "effect"]
        self.assertTrue(effects and told < effects[0], f"{texts[decision:swap + 1]}: the route is changed between the decision and `current`")
        self.calls[kind, "decided"], self.calls[kind, "routed"] = named[told], named[swap]

    # what is there when it is dead

    def written_down(self):
        """(state, release) of the newest deployment, as a berthd after this one finds it; read from a copy, so that nothing is repaired by it."""
        copy = self.folder / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        copy.mkdir()
        for name in ("berth.db", "berth.db-wal"):
            with contextlib.suppress(FileNotFoundError):
                shutil.copyfile(self.node.state / name, copy / name)
        with contextlib.closing(sqlite3.connect(copy / "berth.db")) as database:
            return database.execute("SELECT state, release FROM deployments ORDER BY id DESC LIMIT 1").fetchone()

    def running(self):
        """release → {(pid, when it was started)} of nginx' processes."""
        found = collections.defaultdict(set)
        for pid, release in processes.of_app("web").items():
            if (started := processes.started(pid)) is not None:
                found[release].add((pid, started))
        return found

    def is_at(self, one):
        """Whether the deployment is at the moment that is waited for, or past it."""
        newest = self.node.deployments()[0]
        if newest["id"] == one.after:
            return False
        if one.wanted == "draining" and newest["state"] == "switching":
            return self.node.current() == one.new
        return STATES.index(newest["state"]) >= STATES.index("baking" if one.wanted == "draining" else one.wanted)

    def moment_of(self, one):
        state, release = self.written_down()
        self.assertEqual(release, one.new)
        if state != "switching":
            return state
        return "draining" if self.node.current() == one.new else one.wanted if one.wanted in AT_A_CALL else "switching"

    # a round

    def kill_in(self, one):
        """Asks for the deployment, and kills berthd in it, unless it does not come to that; who asked for it."""
        if one.wanted in AT_A_CALL:
            self.arm.touch()
        driver = self.ask(one.kind)
        if one.wanted in AT_A_CALL:
            wait_until(lambda: self.node.process.poll() is not None or driver.poll() is not None, f"{one}", 30, every=0.002)
            if self.node.process.poll() is None:
                return driver
        else:
            wait_until(lambda: self.is_at(one), f"{one}", 30, every=0.002)
            if ROUNDS > 1:
                time.sleep(random.choice((0, 0, random.random() / 20)))
            self.node.kill()
        one.killed = time.time_ns()
        one.found = self.moment_of(one)
        self.hit[one.kind, one.found] += 1
        return driver

    def play(self, kind, following):
        """One deployment with a kill; the next one is of the kind `following`."""
        old, new = ("v1", "v2") if kind == "deploy" else ("v2", "v1")
        one = Round(kind, self.wanted(kind), old, new, self.node.deployments()[0]["id"])
        before = self.running()
        with socket.create_connection(("127.0.0.1", PORT)) if one.wanted == "draining" else contextlib.nullcontext():
            driver = self.kill_in(one)
            if not one.found:
                driver.wait()
                self.node.stop()
            left = self.running()
            time.sleep(0.3 if ROUNDS == 1 else random.choice((0.05, 0.3, 1.5)))
            self.assertKept(one, before, left, self.running())
            one.began = time.time_ns()
            self.start(following, self.wanted(following))
            one.ready = time.time_ns()
        done = self.node.end_of(driver)
        self.assertEqual(done.code, 0, f"{one}: {done}\n{self.node.log_tail()}")
        one.deployment = self.node.deployments()[0]
        self.assertEnded(one, left)
        return one

    def assertKept(self, one, before, left, now):
        """Processes before it was asked for, when berthd died, and when the next one is about to start."""
        self.assertLessEqual(left[one.new], now[one.new], f"{one}: new instances go on")
        if one.found == "draining":
            self.assertTrue(now[one.old] and now[one.old] <= before[one.old], f"{one}: {now[one.old]} of {before[one.old]}")  # one without a connection may have ended
        elif one.found and one.found not in ("baking", "active"):
            self.assertEqual(now[one.old], before[one.old], f"{one}: the old instances go on")

    def assertEnded(self, one, left):
        deployment = one.deployment
        states = [step["state"] for step in deployment["steps"]]
        self.assertEqual((deployment["state"], deployment["release"], deployment["from"]), ("active", one.new, one.old), one)
        begun_again = one.found and one.found != "queued" and not one.decided
        self.assertEqual(states.count("queued"), 2 if begun_again else 1, f"{one}: what is not decided begins again, what is goes on: {states}")
        self.assertEqual(states[-3:], ["switching", "baking", "active"], one)
        self.assertEqual(states.count("switching"), 1, f"{one}: {states}")
        self.assertOneWholeRelease(self.node, one.new)
        self.node.wait_app(health="healthy")
        self.assertLessEqual(left[one.new], self.running()[one.new], f"{one}: new instances that ran when berthd died are the ones that serve")
        self.assertEqual(len(self.node.instances()), INSTANCES)
        wait_until(lambda: sum(map(self.is_keeper, processes.all_pids())) == INSTANCES, f"{one}: a keeper for each instance", 5)

    def wanted(self, kind):
        """The moment at which the next deployment of this kind is killed: the one that was hit least."""
        return min(MOMENTS[kind], key=lambda moment: self.hit[kind, moment])

    def test_each_part_of_it_and_nobody_notices(self):
        self.node.start()
        for release in ("v1", "v2", "v1"):  # so that each of the following finds both on the node
            self.deploy(self.node, release)
        self.node.stop()
        for kind in MOMENTS:
            self.start(kind, "")
            self.learn_calls(kind)
        kind = "deploy"
        self.start(kind, self.wanted(kind))
        rounds, most = [], TRIES * ROUNDS * sum(map(len, MOMENTS.values()))
        with Load(PORT, self.folder, RATE, limit_ms=PATIENT_MS) as load:
            while len(rounds) < most and any(self.hit[one, moment] < ROUNDS for one in MOMENTS for moment in MOMENTS[one]):
                following = "revert" if kind == "deploy" else "deploy"
                rounds.append(self.play(kind, following))
                kind = following
        self.assertEveryAnswer(load, rounds)
        for kind in MOMENTS:
            self.progress(f"{kind}: " + ", ".join(f"{self.hit[kind, moment]} killed {moment}" for moment in MOMENTS[kind]))
            for moment in MOMENTS[kind]:
                self.assertGreaterEqual(self.hit[kind, moment], ROUNDS, f"{kind}, {moment}")

    # what clients saw

    def assertEveryAnswer(self, load, rounds):
        self.progress(f"seed {self.seed}, {len(rounds)} deployments: {load.summary}, the slowest took {load.slowest_ms:.0f} ms")
        self.assertEqual(load.failed, [], load.summary)
        if SLOWNESS == 1:
            self.assertGreaterEqual(load.rate, 500)
        for one in rounds:
            if one.found:
                self.assertOneReleaseWhileDead(load, one)
        self.assertFollowsHistory(load, rounds)

    def assertOneReleaseWhileDead(self, load, one):
        """Nobody switches meanwhile: the one that the route led to answers, which is what tells the two moments from each other that are told by nothing else."""
        answers = collections.Counter(what for _opened, _ended, what in load.opened_between(one.killed, one.began))
        self.assertEqual(len(answers), 1, f"{one}: {answers} while berthd was dead")
        (serving,) = answers
        if one.found != "switching":
            new = one.decided and one.found != "decided"
            self.assertEqual(serving, one.new if new else one.old, f"{one}: {answers} while berthd was dead")

    def assertFollowsHistory(self, load, rounds):
        """An answer is of the release that the history has as the active one. From the decision to the flip of the route, which a berthd that was killed in between makes
        before it is ready again, it may be of the one before; never when the switch is over."""
        before = 0
        for one, following in zip(rounds, [*rounds[1:], None]):
            decided, over = one.at("switching"), one.at("baking")
            flipped = one.ready if one.found in ("decided", "switching") else decided
            end = following.at("switching") if following else time.time_ns()
            early = [request for request in load.opened_between(before, decided) if request[1] < decided and request[2] != one.old]
            self.assertEqual(early[:3], [], f"{one}: {len(early)} answers of {one.new} before it was decided")
            late = [request for request in load.opened_between(min(flipped + LATE_MS * 1_000_000, over), end) if request[1] < end and request[2] != one.new]
            self.assertEqual(late[:3], [], f"{one}: {len(late)} answers of {one.old}, decided {decided}, killed {one.killed}, ready {one.ready}, over {over}")
            before = over


class BySocket(KilledInASwitch, BerthCase):
    routing = "socket"


class ByPort(KilledInASwitch, BerthCase):
    routing = "port"


class EndsMeanwhile(BerthCase):
    """An instance that serves ends while berthd is dead: nobody takes it out of the route until the next berthd does."""

    AWAY = 1.2

    def lose(self, node, end):
        """The load on the port, while berthd is dead and `end()` is called."""
        with Load(PORT, self.folder, RATE // 2, connections=64, limit_ms=PATIENT_MS) as load:
            node.kill()
            end()
            time.sleep(self.AWAY)
            node.start()
            node.wait_app(health="healthy")
            time.sleep(0.3)
        slow = sum(ended - opened > 900_000_000 for opened, ended, _what in load.requests)
        self.progress(f"{load.summary}, the slowest took {load.slowest_ms:.0f} ms, {slow} took over 900 ms")
        return load

    def node_with(self, routing):
        self.repo.publish(sample_apps.testapp(self.folder / "site", "--start-delay", "300", routing=routing, instances=INSTANCES, bake="0s"))
        node = self.make_node().start()
        self.deploy(node, "v1")
        self.before = node.pids()
        return node

    def test_by_socket_its_connections_wait_until_its_keeper_has_started_it_again(self):
        node = self.node_with("socket")
        load = self.lose(node, lambda: os.kill(self.before["web/web.1"], signal.SIGTERM))
        self.assertEqual(load.failed, [], load.summary)
        self.assertGreater(load.slowest_ms, 250, "those of the instance that ended waited in its socket, which its keeper holds")
        if SLOWNESS == 1:
            self.assertLess(load.slowest_ms, 1000, "and no longer than it took to start again")

    def test_by_port_its_connections_are_refused_until_it_listens_again(self):
        node = self.node_with("port")
        load = self.lose(node, lambda: os.kill(self.before["web/web.1"], signal.SIGTERM))
        self.assertLessEqual(set(load.summary["failures"]), {"connect: Connection refused", "recv: Connection reset by peer"}, "and those reset that it had not taken yet")
        self.assertGreater(load.summary["failures"]["connect: Connection refused"], 0)
        self.assertLess(len(load.failed), load.summary["requests"] / 2)
        back = max(opened for opened, _ended, _what in load.failed)
        self.assertLess(back - min(opened for opened, _ended, _what in load.failed), 1_000_000_000 * SLOWNESS, "no longer than it took to start again")

    def test_by_socket_without_its_keeper_connections_that_meet_a_socket_which_does_not_serve_are_made_when_tcp_asks_again(self):
        """In a drain: the sockets of the old instances are in the group still, and shut. One of the new ones leaves it, so that the program names a place that is empty."""
        self.repo.configure(files=sample_apps.nginx_files("socket"))
        for page in ("one", "two"):
            self.repo.publish(sample_apps.nginx(self.folder / "site", instances=INSTANCES, bake="100ms", drain="10s", page=page))
        node = self.make_node().start()
        self.deploy(node, "v1")
        held = [socket.create_connection(("127.0.0.1", PORT)) for _ in range(8)]
        driver = node.spawn("deploy", "web@v2")
        wait_until(lambda: node.current() == "v2" and node.app()["deployment"]["state"] == "switching", "it drains", every=0.01)
        time.sleep(0.2)  # until old ones are shut, which follows when no packet is under way any more
        (pid, keeper), = [(one["pid"], one["keeper_pid"]) for one in node.instances() if one["release"] == "v2" and one["number"] == 1]

        def end():
            os.kill(keeper, signal.SIGKILL)
            os.kill(pid, signal.SIGQUIT)
            for one in held:
                one.close()
        load = self.lose(node, end)
        self.assertEqual(node.end_of(driver).code, 0)
        self.assertFalse([why for why in load.summary["failures"] if why.startswith("connect")], load.summary)
        self.assertGreater(load.slowest_ms, 900, "some connections were made when TCP asked again, after 1 s")
        self.assertServes("v2")


if __name__ == "__main__":
    unittest.main(verbosity=2)
