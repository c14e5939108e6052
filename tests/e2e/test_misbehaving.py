"""Apps that behave badly: the node keeps its hold on them, and on itself."""
import subprocess
import time
import unittest

from lib import processes, sample_apps
from lib.case import BerthCase
from lib.load import one_request
from lib.programs import PATIENCE, SLOWNESS
from lib.waiting import wait_until


class Misbehaving(BerthCase):
    def run_app(self, *arguments, **options):
        self.repo.publish(sample_apps.testapp(self.folder / "site", *arguments, **options))
        node = self.make_node().start()
        self.deploy(node, "v1")
        return node

    def assertGoodDeployFollows(self, node):
        release = self.repo.publish(sample_apps.testapp(self.folder / "site", note="a good one"))
        self.deploy(node, release)
        self.assertServes(release)
        self.assertOneWholeRelease(node, release)

    def test_an_app_that_ignores_sigterm_is_killed_after_its_grace(self):
        node = self.run_app("--ignore-term", grace="1s")
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
        node.berth("stop", "web")
        self.assertEqual(processes.of_app("web"), {}, "no orphan is left")
        node.berth("start", "web")
        self.assertGoodDeployFollows(node)

    def test_an_app_that_closes_its_stdout_goes_on(self):
        node = self.run_app("--close-stdout")
        self.assertServes("v1")
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
        wait_until(written, "the app has written it all", 60)
        used = sum(path.stat().st_size for path in (node.logs / "web" / "web.1").iterdir())
        self.assertLessEqual(used, 5_200_000)
        self.assertGreater(used, 1_000_000)
        resident = next(int(line.split()[1]) for line in open(f"/proc/{keeper}/status") if line.startswith("VmRSS"))
        if SLOWNESS == 1:
            self.assertLess(resident, 2048, "the keeper keeps no output in memory")
        self.assertEqual(node.pids(), {"web/web.1": pid})
        self.assertGoodDeployFollows(node)

    def test_an_app_that_exits_at_once_is_started_again_ever_slower_and_seen_as_down(self):
        self.repo.publish(sample_apps.testapp(self.folder / "site", "--exit-after", "0", routing=None, serve=False, bake="0s"))
        node = self.make_node().start()
        done = self.deploy(node, "v1", expect=None)
        self.assertIn(done.code, (1, 5), done)
        self.assertGoodDeployFollows(node)

    def test_an_app_that_begins_to_crash_after_its_bake_loops_slowly_and_is_seen(self):
        node = self.run_app()
        self.assertServes("v1")
        program = node.slot("v1") / "app" / "bin" / "testapp"
        program.chmod(0o644)
        subprocess.run(["kill", "-9", str(list(node.pids().values())[0])], check=True)
        one = wait_until(lambda: next((one for one in node.instances() if one["phase"] == "waiting" and one["restarts"] >= 3), None), "it loops", 20)
        self.assertTrue(one["crash_loop"] or one["restarts"] >= 3)
        self.assertEqual(node.app()["health"], "down")
        program.chmod(0o755)
        node.wait_app(health="healthy", seconds=40)
        wait_until(lambda: one_request(8080)[0] == 200, "it serves again")


if __name__ == "__main__":
    unittest.main(verbosity=2)
