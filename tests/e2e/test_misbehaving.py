"""Apps that behave badly: the node keeps its hold on them, and on itself."""
import contextlib
import json
import os
import subprocess
import time
import unittest

from lib import processes, sample_apps
from lib.case import BerthCase
from lib.fingerprint import fingerprint
from lib.load import one_request
from lib.programs import PATIENCE, SLOWNESS
from lib.waiting import wait_until


OTHER = 8090


class Misbehaving(BerthCase):
    """The app `other` is beside each of them, and nothing becomes of it."""

    def publish(self, *arguments, **options):
        return self.repo.publish(sample_apps.testapp(self.folder / "site", *arguments, **options))

    def run_app(self, *arguments, **options):
        self.publish(*arguments, **options)
        node = self.start()
        self.deploy(node, "v1")
        return node

    def start(self):
        self.repo.publish(sample_apps.testapp(self.folder / "other", app="other", port=OTHER))
        node = self.make_node().start()
        self.deploy(node, "v1", "other")
        return node

    def kept(self, node, *slots):
        """What no misbehaviour changes: these slots of the app (all without), `current`, and all of the other app, its route and processes among it."""
        app, other = fingerprint(node), fingerprint(node, "other")
        ports = [str(OTHER), *(str(one["port"]) for one in node.instances("other"))]
        other["rules"] = [line for line in other["rules"].splitlines() if f"dport {OTHER} " in line]
        other["listening"] = [one for one in other["listening"] if one.rsplit(":", 1)[1] in ports]
        self.assertTrue(other["processes"] and other["listening"] and other["rules"], other)
        return {"slots": {name: digest for name, digest in app["slots"].items() if not slots or name in slots}, "current": app["current"], "other": other}

    @contextlib.contextmanager
    def nothing_else_changes(self, node, *slots):
        before = self.kept(node, *slots)
        yield
        try:
            wait_until(lambda: self.kept(node, *slots) == before, "nothing else has changed", 5, every=0.2)
        except AssertionError:
            self.assertEqual(json.dumps(self.kept(node, *slots), indent=1), json.dumps(before, indent=1))
            raise

    def assertGoodDeployFollows(self, node):
        release = self.repo.publish(sample_apps.testapp(self.folder / "site", note="a good one"))
        self.deploy(node, release)
        self.assertServes(release)
        self.assertOneWholeRelease(node, release)

    def test_an_app_that_ignores_sigterm_is_killed_after_its_grace(self):
        node = self.run_app("--ignore-term", grace="1s")
        with self.nothing_else_changes(node):
            began = time.monotonic()
            node.berth("stop", "web")
            took = time.monotonic() - began
            self.assertEqual(processes.of_app("web"), {})
            self.assertTrue(1 <= took < 5 * PATIENCE, took)
            node.berth("start", "web")
        self.assertGoodDeployFollows(node)

    def test_grandchildren_that_were_let_go_are_ended_with_the_app(self):
        node = self.run_app("--grandchildren", "3")
        wait_until(lambda: len(processes.of_app("web")) == 4, "the app has its grandchildren")
        with self.nothing_else_changes(node):
            node.berth("stop", "web")
            self.assertEqual(processes.of_app("web"), {}, "no orphan is left")
            node.berth("start", "web")
        self.assertGoodDeployFollows(node)

    def test_an_app_that_closes_its_stdout_goes_on(self):
        node = self.run_app("--close-stdout")
        with self.refused(node), self.nothing_else_changes(node):
            self.assertServes("v1")
            (pid,) = node.pids().values()
            wait_until(lambda: "pipe:" not in os.path.realpath(f"/proc/{pid}/fd/1"), "it has closed its stdout")
            time.sleep(0.3)  # for a keeper that takes that for its end
        self.assertEqual(node.instances()[0]["restarts"], 0)
        self.assertGoodDeployFollows(node)

    def test_a_gigabyte_without_a_newline_stays_within_the_log_rules(self):
        size = (1 << 30) if SLOWNESS == 1 else (64 << 20)
        node = self.run_app("--flood", str(size), routing=None, serve=False, more='[logs]\nsegment_bytes = "1MB"\nkeep_bytes = "4MB"\n')
        (pid,) = node.pids().values()
        keeper = node.instances()[0]["keeper_pid"]

        def written():
            for line in open(f"/proc/{pid}/io"):
                if line.startswith("wchar:"):
                    return int(line.split()[1]) >= size
        with self.refused(node), self.nothing_else_changes(node):
            wait_until(written, "the app has written it all", 60)
        used = sum(path.stat().st_size for path in (node.logs / "web" / "web.1").iterdir())
        self.assertLessEqual(used, 5_200_000)
        self.assertGreater(used, 1_000_000)
        resident = next(int(line.split()[1]) for line in open(f"/proc/{keeper}/status") if line.startswith("VmRSS"))
        if SLOWNESS == 1:
            self.assertLess(resident, 2048, "the keeper keeps no output in memory")
        self.assertEqual(node.pids(), {"web/web.1": pid})
        self.assertGoodDeployFollows(node)

    def test_a_first_release_that_exits_at_once_fails_and_is_stopped(self):
        self.publish("--exit-after", "0", routing=None, serve=False, bake="0s")
        node = self.start()
        with self.nothing_else_changes(node, "v0"):
            self.assertSays(self.deploy(node, "v1", "web", 1), "web@v1", "exited with 1")
            self.assertEqual((node.active(), node.current(), node.app()["health"]), ("", None, "down"))
            self.assertEqual(processes.of_app("web"), {})
        self.assertGoodDeployFollows(node)

    def test_a_release_that_exits_at_once_leaves_the_one_that_runs_alone(self):
        node = self.run_app()
        self.publish("--exit-after", "0")
        before = fingerprint(node)["processes"]
        with self.nothing_else_changes(node, "v1"):
            self.assertSays(self.deploy(node, "v2", "web", 1), "web@v2", "exited with 1")
            self.assertServes("v1")
        self.assertEqual(fingerprint(node)["processes"], before)
        self.assertGoodDeployFollows(node)

    def test_an_app_that_begins_to_crash_after_its_bake_loops_slowly_and_is_seen(self):
        node = self.run_app()
        self.assertServes("v1")
        program = node.slot("v1") / "app" / "bin" / "testapp"
        with self.nothing_else_changes(node):
            mode = program.stat().st_mode
            program.chmod(0o644)
            subprocess.run(["kill", "-9", str(list(node.pids().values())[0])], check=True)
            one = wait_until(lambda: next((one for one in node.instances() if one["phase"] == "waiting" and one["restarts"] >= 3), None), "it loops", 20)
            self.assertTrue(one["crash_loop"] or one["restarts"] >= 3)
            self.assertEqual(node.app()["health"], "down")
            program.chmod(mode)
        node.wait_app(health="healthy", seconds=40)
        wait_until(lambda: one_request(8080)[0] == 200, "it serves again")


if __name__ == "__main__":
    unittest.main(verbosity=2)
