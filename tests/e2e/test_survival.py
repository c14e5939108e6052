"""What an app survives, and what of berth dies without it: a row for each. What has a test elsewhere has no row here:

an app that ignores SIGTERM, double-forks, closes its stdout, floods                     test_misbehaving.py
a watchdog that goes on without berthd                                                   test_probes.py
berthd SIGKILLed in each state of a deployment                                           test_berthd_dies.py
berthd SIGKILLed under load, in each system call of a deploy and a revert, in a hook     test_switching.py, faults/every_syscall.py, test_hooks_cut_off.py
a keeper killed in a hook                                                                test_hooks_cut_off.py
two berthd on one state folder                                                           test_main_job.py
power cut and power-off, out of memory                                                   node/test_power.py, node/test_limits.py
keepers of other versions of the protocol, a pid that is another process by now          daemon/supervise, daemon/keeper

usage: test_survival.py [Class[.test]]; BERTH_TEST_RESTARTS says how often an instance is restarted (50).
"""
import json
import os
import resource
import shutil
import signal
import subprocess
import time
import unittest
from pathlib import Path

from lib import processes, sample_apps
from lib.case import BerthCase
from lib.load import Load, one_request
from lib.programs import KEEPER, PATIENCE, sanitizer
from lib.waiting import wait_until

RESTARTS = int(os.environ.get("BERTH_TEST_RESTARTS", 50))

#: What testapp does when it is sent each: it ends by itself with 0, or by the signal.
BY_ITSELF = ("TERM", "QUIT")
SIGNALS = BY_ITSELF + ("HUP", "INT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "ALRM", "STKFLT", "XCPU", "XFSZ", "VTALRM", "PROF",
                       "PWR", "SYS")


def open_files(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


class AppDies(BerthCase):
    """However an app ends, it is there again, and berth says how it ended."""

    def test_by_each_signal_and_the_reason_is_told(self):
        self.repo.publish(sample_apps.testapp(self.folder / "site", routing=None, serve=False, instances=len(SIGNALS)))
        node = self.make_node().start()
        self.deploy(node, "v1")
        before = node.pids()
        sent = dict(zip(sorted(before), SIGNALS))
        for instance, name in sent.items():
            os.kill(before[instance], signal.Signals[f"SIG{name}"])

        def back():
            now = {one["instance"]: one for one in node.instances()}
            return now if all(one["pid"] not in (0, before[name]) for name, one in now.items()) else None
        for instance, one in wait_until(back, "all are back", 20).items():
            name = sent[instance]
            with self.subTest(name):
                expected = "exited with 0" if name in BY_ITSELF else f"killed by SIG{name}"
                self.assertTrue(one["last_exit"]["reason"].startswith(expected), one["last_exit"])
                self.assertEqual(one["restarts"], 1)
        self.assertEqual(len(processes.of_app("web")), len(SIGNALS), "one of each")

    def test_that_is_stopped_and_its_liveness_probe_finds_it(self):
        liveness = '[process.web.liveness]\nhttp = "/healthz"\nperiod = "200ms"\ntimeout = "300ms"\nfailure_threshold = 2\n'
        self.repo.publish(sample_apps.testapp(self.folder / "site", more=liveness))
        node = self.make_node().start()
        self.deploy(node, "v1")
        (pid,) = node.pids().values()
        os.kill(pid, signal.SIGSTOP)
        one = wait_until(lambda: next((one for one in node.instances() if one["pid"] not in (0, pid) and one["ready"]), None), "it is back", 20)
        self.assertIn("liveness probe failed", one["last_exit"]["reason"])
        self.assertFalse(processes.is_running(pid))

    def test_after_it_became_another_program(self):
        self.repo.publish(sample_apps.testapp(self.folder / "site", "--become", "/bin/sleep"))
        node = self.make_node().start()
        self.deploy(node, "v1")
        (pid,) = node.pids().values()
        os.kill(pid, signal.SIGUSR1)
        wait_until(lambda: os.path.basename(os.readlink(f"/proc/{pid}/exe")) == "sleep", "it is another program")
        self.assertEqual(node.pids(), {"web/web.1": pid}, "and still the app's process")
        node.wait_app(health="down")
        node.berth("restart", "web")
        self.assertFalse(processes.is_running(pid))
        node.wait_app(health="healthy")
        self.assertServes("v1")

    def test_with_a_core_and_that_is_told(self):
        self.repo.publish(sample_apps.testapp(self.folder / "site", "--in-data", routing=None, serve=False))
        node = self.make_node()
        most = resource.getrlimit(resource.RLIMIT_CORE)[1]  # sudo leaves none, and not every root may raise it
        self.core = "--core=" + ("unlimited" if most == resource.RLIM_INFINITY else str(most))
        node.prefix = ["prlimit", self.core]  # which its keepers' apps inherit
        node.environment = {f"{sanitizer}_OPTIONS": "disable_coredump=0" for sanitizer in ("ASAN", "TSAN")}
        node.start()
        self.deploy(node, "v1")
        (pid,) = node.pids().values()
        elsewhere = Path("/proc/sys/kernel/core_pattern").read_text()[0] in "|/"
        dumped = most != 0 and not elsewhere or self.dumps_core(os.stat(f"/proc/{pid}").st_uid)
        os.kill(pid, signal.SIGSEGV)
        one = wait_until(lambda: next((one for one in node.instances() if one["pid"] not in (0, pid)), None), "it is back")
        self.assertEqual(one["last_exit"]["reason"], "killed by SIGSEGV" + (" (core dumped)" if dumped else ""))
        if dumped and not elsewhere:
            self.assertTrue([path for path in node.data().iterdir() if path.name.startswith("core")])

    def dumps_core(self, uid):
        """Whether this machine makes a core of a process of that user, as its end tells."""
        words = ["prlimit", self.core, "setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", "sh", "-c", "kill -SEGV $$"]
        _pid, status = os.waitpid(os.posix_spawnp(words[0], words, os.environ), 0)
        self.assertEqual(os.WTERMSIG(status), signal.SIGSEGV)
        return os.WCOREDUMP(status)

    def test_again_and_again_and_nothing_is_left(self):
        self.repo.publish(sample_apps.testapp(self.folder / "site", "--grandchildren", "1", routing="socket", grace="100ms", probe=False))
        node = self.make_node().start()
        self.deploy(node, "v1")
        (pid,) = node.pids().values()
        keeper = processes.parent(pid)
        before = None
        for number in range(RESTARTS):
            if number % 10 == 9:  # by a signal as well; from the second on it would have to wait
                os.kill(node.pids()["web/web.1"], signal.SIGKILL)
                wait_until(lambda: node.instances()[0]["phase"] == "running" and len(processes.of_app("web")) == 2, "it is back", 60)
            node.berth("restart", "web/web.1")
            if number == 2:  # what is opened once and kept
                wait_until(lambda: self.traces(node, keeper)["children"] == 2, "the app has its grandchild, and the keeper both")
                before = wait_until(lambda: self.quiet_traces(node, keeper), "nothing that is there goes away by itself", 20)
        self.assertEqual(processes.parent(node.pids()["web/web.1"]), keeper)
        try:
            wait_until(lambda: self.traces(node, keeper) == before, "nothing is left", 10)
        except AssertionError:
            self.assertEqual(self.traces(node, keeper), before)
            raise
        self.assertEqual(len(processes.of_app("web")), 2)

    def stat(self, pid):
        try:
            return Path(f"/proc/{pid}/stat").read_text()
        except OSError:
            return ""

    def traces(self, node, keeper):
        """What could be left: descriptors, zombies, processes, cgroups, files."""
        files = sorted(str(path.relative_to(node.folder)) for top in (node.run, node.state) for path in top.rglob("*"))
        parents = [stat.rsplit(")", 1)[1].split() for stat in map(self.stat, processes.all_pids()) if stat]
        zombies = [fields for fields in parents if fields[0] == "Z" and int(fields[1]) in (keeper, node.process.pid)]
        return {"keeper": open_files(keeper), "berthd": open_files(node.process.pid), "zombies": len(zombies), "files": files, "cgroups": self.cgroups(node),
                "children": sum(int(fields[1]) == keeper for fields in parents)}

    def quiet_traces(self, node, keeper):
        """None where something came or went meanwhile: a connection that ends, a file that is read."""
        found = self.traces(node, keeper)
        time.sleep(1)
        return found if self.traces(node, keeper) == found else None

    @staticmethod
    def cgroups(node):
        """Those that were made for the app's instances, where there are any."""
        folders = {Path(path.read_text().split()[-1]).parent.parent for path in (node.run / "keepers").glob("*.app") if len(path.read_text().split()) == 3}
        return sorted(str(path) for folder in folders for path in folder.rglob("*") if path.is_dir())


class KeeperDies(BerthCase):
    """A keeper that is killed takes nothing with it: its app goes on under a new one."""

    def lines_of(self, node):
        """What it wrote, and what its keeper did beside it, which --raw leaves out."""
        return [json.loads(line)["text"] for line in node.berth("logs", "ticker", "--json").out.splitlines()]

    def test_and_its_app_goes_on_and_serves_and_writes(self):
        self.repo.publish(sample_apps.testapp(self.folder / "site", bake="1s"))
        self.repo.publish(sample_apps.testapp(self.folder / "ticker", "--lines", "200", app="ticker", routing=None, serve=False))
        node = self.make_node().start()
        self.deploy(node, "v1")
        self.deploy(node, "v1", "ticker")
        before = {**node.pids(), **node.pids("ticker")}
        with Load(8080, self.folder, 200) as load:
            for pid in before.values():
                os.kill(processes.parent(pid), signal.SIGKILL)
            wait_until(lambda: sum(one["kind"] == "keeper.taken_over" for one in node.events()) == 2, "new keepers have taken over")
            time.sleep(0.5)
        self.assertEqual(load.failed, [])
        self.assertEqual({**node.pids(), **node.pids("ticker")}, before)
        self.assertEqual(node.instances()[0]["restarts"], 0)
        node.kill()  # another berthd finds the new keeper as it would the old one
        node.start()
        self.assertEqual({**node.pids(), **node.pids("ticker")}, before)
        node.berth("stop", "ticker")
        self.assertFalse(processes.is_running(before["ticker/web.1"]))
        lines = self.lines_of(node)
        gaps = [line for line in lines if line.startswith("berth-keeper: up to 64 KiB are missing here")]
        self.assertEqual(len(gaps), 1, "the log says so")
        numbers = [int(line.split()[1]) for line in lines if line.startswith("line ")]
        missing = set(range(1, numbers[-1] + 1)) - set(numbers)
        self.assertEqual(numbers, sorted(set(numbers)), "none twice, all in order")
        self.assertLess(len(missing) * 10, 64 << 10)
        at = lines.index(gaps[0])
        self.assertTrue(all(int(lines[at - 1].split()[1]) < number for number in missing), "and what is missing is missing there")

    def test_in_a_bake_and_the_release_stays(self):
        self.repo.publish(sample_apps.testapp(self.folder / "site"))
        self.repo.publish(sample_apps.testapp(self.folder / "site", bake="2s", note="2"))
        node = self.make_node().start()
        self.deploy(node, "v1")
        deploy = node.spawn("deploy", "web@v2")
        wait_until(lambda: node.deployments()[0]["state"] == "baking", "it bakes")
        os.kill(processes.parent(node.pids()["web/web.1"]), signal.SIGKILL)
        done = node.end_of(deploy)
        self.assertEqual(done.code, 0, done)
        self.assertServes("v2")
        self.assertOneWholeRelease(node, "v2")

    def test_and_its_app_is_started_again_by_choice(self):
        self.repo.publish(sample_apps.testapp(self.folder / "site"))
        node = self.make_node(extra='[keepers]\norphans = "restart"\n').start()
        self.deploy(node, "v1")
        (pid,) = node.pids().values()
        os.kill(processes.parent(pid), signal.SIGKILL)
        wait_until(lambda: node.instances()[0]["pid"] not in (0, pid), "it runs again")
        self.assertFalse(processes.is_running(pid))
        node.wait_app(health="healthy")
        self.assertEqual(len(processes.of_app("web")), 1)

    def end_both(self, pid):
        """Kills an app and its keeper, which sees nothing of it."""
        keeper = processes.parent(pid)
        for one, number, state in ((keeper, signal.SIGSTOP, "T"), (pid, signal.SIGKILL, "Z")):
            os.kill(one, number)
            wait_until(lambda: processes.state(one) == state, f"{one} is {state}")
        os.kill(keeper, signal.SIGKILL)

    def test_and_its_app_in_a_bake_and_the_release_goes_back(self):
        node = self.make_node().start()
        for number, bake in ((1, "300ms"), (2, "60s")):
            self.repo.publish(sample_apps.testapp(self.folder / "site", note=str(number), bake=bake))
            self.deploy(node, f"v{number}", "web", 0, "--until", "switched")
        wait_until(lambda: node.deployments()[0]["state"] == "baking", "v2 bakes")
        self.end_both(next(one["pid"] for one in node.instances() if one["release"] == "v2"))
        wait_until(lambda: node.deployments()[0]["ended_at"], "it is over", 30)
        ended = node.deployments()[0]
        self.assertEqual((ended["state"], ended["reason"]), ("reverted", "web/web.1 ended, how is not known: its keeper had been killed before in its bake"))
        self.assertServes("v1")

    def test_and_its_app_at_once_which_is_an_end_like_others(self):
        """As by the kernel's OOM killer of a whole cgroup: nobody saw how it ended, and that it did is told all the same."""
        self.repo.publish(sample_apps.testapp(self.folder / "site"))
        node = self.make_node().start()
        self.deploy(node, "v1")
        (pid,) = node.pids().values()
        self.end_both(pid)
        wait_until(lambda: node.instances()[0]["pid"] not in (0, pid), "it runs again")
        node.wait_app(health="healthy")
        kinds = [event["kind"] for event in node.events()]
        self.assertLess(kinds.index("keeper.gone"), kinds.index("instance.exit"), kinds)
        (ended,) = [event["data"] for event in node.events() if event["kind"] == "instance.exit"]
        how = "ended, how is not known: its keeper had been killed before"
        self.assertEqual((ended["instance"], ended["reason"], ended["cause"]), ("web/web.1@v1", how, "unknown"))
        self.assertGreater(ended["ran_ms"], 0)
        self.assertSays(node.berth("status"), "web/web.1 restarted once, last", how)
        self.assertSays(node.berth("why", "web"), "web/web.1", how)
        self.assertRegex(node.metrics(), r'berth_instance_exits_total\{[^}]*reason="unknown"\} 1\n')

    def test_while_berthd_is_away_and_there_are_never_two(self):
        self.repo.publish(sample_apps.testapp(self.folder / "site"))
        node = self.make_node().start()
        self.deploy(node, "v1")
        (pid,) = node.pids().values()
        keeper = processes.parent(pid)
        node.kill()
        os.kill(keeper, signal.SIGKILL)
        node.start()
        node.wait_app(health="healthy")
        self.assertFalse(processes.is_running(pid))
        self.assertEqual(len(processes.of_app("web")), 1)
        self.assertServes("v1")

    def test_is_another_program_after_an_upgrade(self):
        older = self.folder / "older-keeper"
        shutil.copyfile(KEEPER, older)
        with open(older, "ab") as file:
            file.write(b"of another build")
        older.chmod(0o755)
        self.repo.publish(sample_apps.testapp(self.folder / "site", "--lines", "200", routing="socket"))
        node = self.make_node()
        node.keeper = older
        node.start()
        self.deploy(node, "v1")
        (pid,) = node.pids().values()
        keeper = processes.parent(pid)
        self.assertEqual(os.readlink(f"/proc/{keeper}/exe"), str(older))
        with Load(8080, self.folder, 200) as load:
            node.stop()
            node.keeper = KEEPER
            node.start()
            wait_until(lambda: os.readlink(f"/proc/{keeper}/exe") == str(KEEPER), "its keeper is the new program")
            time.sleep(0.3)
        self.assertEqual(load.failed, [])
        self.assertEqual(processes.parent(pid), keeper)
        self.assertEqual(node.pids(), {"web/web.1": pid})
        node.berth("stop", "web")
        lines = node.berth("logs", "web", "--raw").out.splitlines()
        last = int(lines[-1].split()[1])
        self.assertEqual(lines[:-1], [f"line {n}" for n in range(1, last + 1)], "every line, once and in order")


class TheNode(BerthCase):
    """What happens around it."""

    def test_a_foreign_flush_of_nftables_is_put_back_and_told(self):
        self.repo.publish(sample_apps.testapp(self.folder / "site"))
        node = self.make_node().start()
        self.deploy(node, "v1")
        self.assertServes("v1")
        subprocess.run(["nft", "flush", "ruleset"], check=True)

        def serves():
            try:
                return one_request(8080)[0] == 200
            except OSError:
                return False
        wait_until(serves, "the rules are back", 5)
        told = wait_until(lambda: [one for one in node.events() if one["kind"] == "route.repaired"], "an event tells it")
        self.assertEqual(len(told), 1)
        self.assertIn("flushed", told[0]["data"]["reason"])

    @unittest.skipIf(sanitizer(), "faketime and the sanitizers do not go together")
    def test_a_clock_that_is_set_back_and_forth_by_a_day_ends_and_delays_nothing(self):
        library = next((path for path in ("/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1", "/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1")
                        if os.path.exists(path)), None)
        self.assertIsNotNone(library, "faketime is not installed")
        setting = self.folder / "clock"
        setting.write_text("+0")

        def turn(by):  # replaced as a whole: berthd reads it at every look at the clock
            (self.folder / "clock.new").write_text(by)
            os.rename(self.folder / "clock.new", setting)
        self.repo.publish(sample_apps.testapp(self.folder / "site"))
        self.repo.publish(sample_apps.testapp(self.folder / "site", bake="3s", note="2"))
        self.repo.publish(sample_apps.testapp(self.folder / "site", bake="3s", note="3"))
        node = self.make_node()
        node.environment = {"LD_PRELOAD": library, "FAKETIME_TIMESTAMP_FILE": str(setting), "FAKETIME_NO_CACHE": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1",
                            "DONT_FAKE_MONOTONIC": "1"}
        node.start()
        self.deploy(node, "v1")
        for release, first, then in (("v2", "-1d", "+0"), ("v3", "+1d", "-1d")):
            with self.subTest(release):
                deploy = node.spawn("deploy", f"web@{release}")
                wait_until(lambda: node.deployments()[0]["release"] == release and node.deployments()[0]["state"] == "baking", "it bakes", 20)
                began = time.monotonic()
                turn(first)
                time.sleep(0.7)
                turn(then)
                done = node.end_of(deploy)
                self.assertEqual(done.code, 0, done)
                took = time.monotonic() - began
                self.assertLess(took, 3 + 5 * PATIENCE, "the bake lasts as long as it is to, and no day")
                self.assertGreater(took, 1, "and no shorter")
                self.assertServes(release)
        (pid,) = node.pids().values()
        for by in ("-1d", "+1d", "+0"):
            turn(by)
            time.sleep(0.3)
            self.assertEqual(node.app()["health"], "healthy")
        self.assertEqual(node.pids(), {"web/web.1": pid})
        os.kill(pid, signal.SIGKILL)
        node.wait_app(health="healthy")

    PIDS = Path("/sys/fs/cgroup/pids")

    @unittest.skipUnless((PIDS / "cgroup.procs").exists(), "this machine lets nobody limit processes without systemd")
    def test_no_room_for_another_process_is_waited_out(self):
        self.repo.publish(sample_apps.testapp(self.folder / "site"))
        node = self.make_node().start()
        self.deploy(node, "v1")
        (pid,) = node.pids().values()
        keeper = processes.parent(pid)
        group = self.PIDS / f"berth-survival-{os.getpid()}"
        group.mkdir()
        self.addCleanup(group.rmdir)
        (group / "pids.max").write_text("1")
        (group / "cgroup.procs").write_text(str(keeper))
        os.kill(pid, signal.SIGKILL)
        one = wait_until(lambda: next((one for one in node.instances() if one["exits_by_reason"].get("not_started", 0) >= 2), None), "it cannot start", 20)
        self.assertEqual(one["last_exit"]["reason"], "could not fork: Resource temporarily unavailable")
        self.assertEqual(one["keeper_pid"], keeper, "its keeper goes on")
        (self.PIDS / "cgroup.procs").write_text(str(keeper))
        node.wait_app(health="healthy", seconds=40)
        self.assertServes("v1")


if __name__ == "__main__":
    unittest.main(verbosity=2)
