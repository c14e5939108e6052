"""Jobs: processes that run to their end, after a switch or by hand, and what becomes of them when something happens meanwhile."""
import contextlib
import json
import os
import signal
import sqlite3
import time
import unittest
from pathlib import Path

from lib import processes, sample_apps
from lib.case import BerthCase
from lib.load import one_request
from lib.waiting import wait_until

#: What a job's script begins with: a line a try in jobs.log of the data folder, PROCESS RELEASE.
PREAMBLE = """#!/bin/sh
echo "$BERTH_PROCESS $BERTH_RELEASE" >> "$BERTH_DATA_DIR/jobs.log"
"""
#: Goes on until the file `go` is there, and ends as that says.
UNTIL_GO = 'while [ ! -e "$BERTH_DATA_DIR/go" ]; do sleep 0.05; done; exit $(cat "$BERTH_DATA_DIR/go")'


class Jobs(BerthCase):
    def setUp(self):
        super().setUp()
        self.node = self.make_node().start()

    def publish(self, jobs, rules=None, deploy=True, **options):
        """testapp with `jobs`: name → what its script does. `rules`: name → further lines of its table."""
        text, command = options.pop("more", ""), options.pop("command", None)
        for name in jobs:
            text += f'[process.{name}]\ntype = "job"\ncommand = {json.dumps(command or [f"bin/{name}"])}\nstop = {{ grace = "1s" }}\n{(rules or {}).get(name, "")}\n'
        tree = sample_apps.testapp(self.folder / "site", more=text, note=str(len(self.node.deployments()) if self.node.app() else 0), **options)
        for name, script in jobs.items():
            tree.put(f"bin/{name}", PREAMBLE + script + "\n", 0o755)
        release = self.repo.publish(tree)
        if deploy:
            self.deploy(self.node, release)
        return release

    def tries(self):
        try:
            return (self.node.data() / "jobs.log").read_text().splitlines()
        except FileNotFoundError:
            return []

    def job(self, name="report"):
        app = self.node.app()
        return next((one for one in app["jobs"] if one["process"] == name), None) if app else None

    def ended(self, name="report", run=1):
        return wait_until(lambda: (lambda job: job if job and job["run"] == run and job["state"] != "running" else None)(self.job(name)), f"run {run} of {name} ended", 20)

    def test_a_plan_and_the_story_of_a_failure_tell_of_jobs(self):
        self.publish({"report": "echo no rows; exit 3", "import": UNTIL_GO, "cleanup": "exit 0"}, {"cleanup": 'run = "hand"', "import": 'run = "hand"'})
        self.ended()
        done, story = self.node.berth("why", "web"), self.node.berth("why", "web", "--json").json()
        self.assertEqual(story["about"], "job", done)
        self.assertEqual([one["process"] for one in story["jobs"]], ["report"])
        self.assertSays(done, "web/report exited with 3 (run 1 of the job)", "web runs v1 all the same", "job web/report.1@v1 began", "job web/report.1@v1 exited with 3", "| no rows",
                        "berth logs web/report", "berth run-job web/report")
        self.assertLess(len(done.out.splitlines()), 20, done)
        # What is newer comes first, and names the job beside it.
        self.publish({"report": "exit 0"}, deploy=False, serve=False, ready_timeout="1s")
        self.deploy(self.node, "v2", "web", 1)
        self.assertSays(self.node.berth("why", "web"), "web@v2 failed", "The job web/report failed, too: exited with 3")
        self.node.berth("run-job", "web/import", "--no-wait")
        self.publish({"report": "exit 0", "import": "exit 0"}, {"import": 'run = "hand"'}, deploy=False)
        planned = self.node.berth("deploy", "web@v3", "--plan")
        self.assertSays(planned, "report, after the switch", "import, by hand alone", "import of v1 runs now, and is ended by the switch")
        self.assertNotIn("report 0", planned.out)
        self.go()
        self.deploy(self.node, "v3")
        self.ended(run=2)
        self.assertEqual(self.node.berth("why", "web", "--json").json()["about"], "deployment", "no job of v3 has failed")

    def go(self, code=0):
        part = self.node.data() / "go.part"
        part.write_text(f"{code}\n")
        part.chmod(0o644)
        part.rename(self.node.data() / "go")

    def events(self, *kinds):
        return [(one["kind"], one["data"]) for one in self.node.events() if one["kind"] in kinds]

    def pids_of(self, name="report"):
        return [pid for pid in processes.all_pids() if processes.is_running(pid) and processes.environment(pid).get("BERTH_PROCESS") == name]

    def assertNothingLeft(self, name="report"):
        wait_until(lambda: self.pids_of(name) == [], f"no process of {name} is left")
        known = len(self.node.instances())
        self.assertEqual(len(list((self.node.run / "instances").iterdir())), known, "its folders, in which there are secrets, are gone")
        self.assertEqual(len(list((self.node.run / "keepers").glob("*.sock"))), known)

    # when and how it runs

    def test_after_the_switch_it_runs_once_and_its_result_is_told(self):
        self.publish({"report": 'echo "made for $BERTH_INSTANCE, user $(id -u)"; echo "no trouble" >&2'})
        job = self.ended()
        self.assertEqual((job["state"], job["result"], job["release"], job["attempts"], job["runs"]), ("ok", "ok", "v1", 1, "at deployments"))
        self.assertEqual(job["deployment"], self.node.deployments()[0]["id"])
        self.assertEqual(self.tries(), ["report v1"])
        self.assertServes("v1")
        self.node.wait_app(health="healthy")
        self.assertEqual([one["process"] for one in self.node.app()["processes"]], ["web"], "it is counted nowhere as a service")
        self.assertEqual(list(self.node.pids()), ["web/web.1"])
        (started, begun), (kind, end) = self.events("job.started", "job.ended")
        self.assertEqual((started, kind, begun["instance"], end["state"], end["attempts"]), ("job.started", "job.ended", "web/report.1@v1", "ok", 1))
        log = self.node.berth("logs", "web/report").out
        self.assertIn("made for web/report.1, user ", log)
        self.assertNotIn("user 0", log)
        self.assertIn("no trouble", log)
        self.assertSays(self.node.berth("status", "web"), "web/report", "ok", "at deployments")
        self.assertIn('berth_job_runs_total{app="web",process="report",state="ok"} 1', self.node.metrics())
        self.assertIn('berth_job_failed{app="web",process="report"} 0', self.node.metrics())
        self.assertNothingLeft()

        # Neither a restart of the app nor one of berthd runs it again, nor does a revert; the next release does.
        self.node.berth("restart", "web")
        self.node.stop()
        self.node.start()
        self.assertEqual(self.job()["state"], "ok")
        self.assertEqual(self.tries(), ["report v1"])
        self.publish({"report": ""})
        self.ended(run=2)
        self.node.berth("revert", "web")
        self.node.wait_app(active="v1", deployment=None)
        self.assertEqual(self.tries(), ["report v1", "report v2"])

    def test_by_hand_it_runs_when_somebody_says_so_and_the_exit_code_tells(self):
        self.publish({"report": 'echo "line of $BERTH_RELEASE"; [ ! -e "$BERTH_DATA_DIR/bad" ]'}, {"report": 'run = "hand"'})
        self.assertEqual((self.job()["state"], self.job()["runs"], self.tries()), ("never", "by hand", []))
        self.assertSays(self.node.berth("run-job", "web/report", "--reason", "month's end"), "web/report ended well")
        self.assertEqual((self.job()["run"], self.job()["why"], self.job()["deployment"]), (1, "month's end", 0))
        (self.node.data() / "bad").touch()
        self.assertSays(self.node.berth("run-job", "web/report", expect=1), "web/report exited with 1", "line of v1")
        self.assertSays(self.node.berth("status", "web"), "job report failed", "exited with 1")
        self.assertIn('berth_job_failed{app="web",process="report"} 1', self.node.metrics())
        (self.node.data() / "bad").unlink()
        done = self.node.berth("run-job", "web/report", "--json").json()
        self.assertEqual((done["run"], done["state"]), (3, "ok"))
        self.assertEqual(self.tries(), ["report v1"] * 3)

    def test_what_is_no_job_is_said(self):
        self.publish({"report": UNTIL_GO}, {"report": 'run = "hand"'})
        self.assertSays(self.node.berth("run-job", "web/web", expect=3), "no job 'web'", "it has report")
        self.assertSays(self.node.berth("run-job", "web/nothing", expect=3), "it has report")
        self.assertSays(self.node.berth("run-job", "api/report", expect=3), "app api is not on this node")
        for verb in ("restart", "start"):
            self.assertSays(self.node.berth(verb, "web/report", expect=2), "is a job", "berth run-job web/report")
        self.assertSays(self.node.berth("scale", "web/report=2", expect=2), "is a job")
        self.assertSays(self.node.berth("stop", "web/report", expect=8), "is a job, and does not run")
        self.node.berth("run-job", "web/report", "--no-wait")
        self.assertSays(self.node.berth("run-job", "web/report", expect=8), "runs already", "berth stop web/report")
        self.assertSays(self.node.berth("run-job", "web/report", "--timeout", "100ms", expect=8))
        self.go()
        self.ended()
        self.node.berth("stop", "web")
        self.assertSays(self.node.berth("run-job", "web/report", expect=8), "web is stopped")
        self.assertServesNothing()

    def assertServesNothing(self, port=8080):
        with self.assertRaises(OSError):
            one_request(port)

    def test_one_that_fails_is_tried_as_often_as_it_may_and_stops_no_release(self):
        self.publish({"report": "echo once more; exit 7"}, {"report": 'restart = "on-failure"\nretries = 2'})
        job = self.ended()
        self.assertEqual((job["state"], job["result"], job["attempts"]), ("failed", "exited with 7", 3))
        self.assertEqual(self.tries(), ["report v1"] * 3)
        self.node.wait_app(deployment=None)
        newest = self.node.deployments()[0]
        self.assertEqual(newest["state"], "active")
        self.assertServes("v1")
        alone = self.node.api("GET", "/v1/apps/web/jobs/report").json()
        self.assertEqual(alone["last_lines"][-1].split(": ")[-1], "once more")
        self.assertNothingLeft()

    def test_one_that_takes_too_long_is_ended_whole(self):
        self.publish({"report": "trap '' TERM; sleep 1000 & sleep 1000; wait"}, {"report": 'timeout = "300ms"'})
        job = self.ended()
        self.assertEqual((job["state"], job["result"]), ("failed", "did not end within 300ms, and was stopped"))
        self.assertNothingLeft()

    def test_a_program_that_is_not_there_fails_the_deployment_before_anything_is_touched(self):
        self.publish({})
        release = self.publish({"report": ""}, command=["/no/such/program"], deploy=False)
        self.assertSays(self.deploy(self.node, release, expect=None), "process report", "/no/such/program")
        self.assertServes("v1")

    # with deployments, stops and removals

    def test_it_ends_with_its_release_and_with_its_app(self):
        self.publish({"report": UNTIL_GO})
        wait_until(self.pids_of, "it runs")
        self.publish({"report": UNTIL_GO})  # v2 takes over
        wait_until(lambda: self.tries() == ["report v1", "report v2"], "the new one runs")
        ends = [data for kind, data in self.events("job.ended")]
        self.assertEqual([(one["instance"], one["state"], one["result"]) for one in ends], [("web/report.1@v1", "stopped", "was stopped, since v2 took over")])
        self.node.berth("stop", "web")
        self.assertEqual((self.job()["state"], self.job()["result"]), ("stopped", "was stopped with its app"))
        self.assertNothingLeft()
        self.node.berth("start", "web")
        self.node.berth("run-job", "web/report", "--no-wait")
        wait_until(self.pids_of, "it runs")
        self.assertSays(self.node.berth("stop", "web/report", "--reason", "enough"), "is stopped")
        self.assertEqual(self.job()["state"], "stopped")
        self.assertIn("enough", self.job()["result"])
        self.assertServes("v2")
        self.node.berth("run-job", "web/report", "--no-wait")
        wait_until(self.pids_of, "it runs")
        self.node.berth("node", "drain")
        self.assertEqual(self.pids_of(), [])
        self.assertSays(self.node.berth("run-job", "web/report", expect=8), "drained")
        self.node.berth("node", "resume")
        self.node.wait_app(health="healthy")
        self.node.berth("run-job", "web/report", "--no-wait")
        wait_until(self.pids_of, "it runs")
        self.node.berth("remove", "web", "--yes")
        self.assertEqual(self.pids_of(), [])

    def test_a_revert_in_the_bake_ends_it(self):
        self.publish({})
        release = self.publish({"report": UNTIL_GO}, bake="1m", deploy=False)
        self.deploy(self.node, release, "web", 0, "--until", "switched")
        wait_until(self.pids_of, "it runs")
        os.kill(self.node.pids()["web/web.1"], signal.SIGKILL)
        self.node.wait_app(active="v1", deployment=None)
        wait_until(lambda: self.events("job.ended"), "its end was told")
        self.assertEqual(self.events("job.ended")[0][1]["result"], "was stopped, since v1 took over")
        self.assertNothingLeft()

    def test_a_first_release_that_fails_in_its_bake_takes_it_along(self):
        release = self.publish({"report": UNTIL_GO}, bake="1m", deploy=False)
        self.deploy(self.node, release, "web", 0, "--until", "switched")
        wait_until(self.pids_of, "it runs")
        os.kill(self.node.pids()["web/web.1"], signal.SIGKILL)
        wait_until(lambda: self.events("job.ended"), "its end was told")
        self.assertEqual(self.events("job.ended")[0][1]["state"], "stopped")
        wait_until(lambda: self.node.deployments()[0]["state"] == "failed", "the deployment has failed")
        self.assertNothingLeft()

    def test_a_run_by_hand_in_the_bake_makes_no_deployment_run_it_again(self):
        release = self.publish({"report": ""}, bake="1m", deploy=False)
        self.deploy(self.node, release, "web", 0, "--until", "switched")
        self.ended()
        self.node.berth("run-job", "web/report")
        self.node.kill()
        self.node.start()
        self.node.wait_app(health="healthy")
        time.sleep(1)  # it would begin at once
        self.assertEqual((self.job()["run"], self.tries()), (2, ["report v1"] * 2))

    def test_what_was_scaled_before_it_became_a_job_is_one_all_the_same(self):
        self.publish({}, more='[process.report]\ncommand = ["/bin/sleep", "1000"]\ninstances = 0\n')
        self.node.berth("scale", "web/report=2")
        self.assertEqual(len(self.node.pids()), 3)
        self.publish({"report": ""})
        self.ended()
        self.node.wait_app(health="healthy", deployment=None)
        self.assertEqual((list(self.node.pids()), self.tries()), (["web/web.1"], ["report v2"]))

    # when something dies

    def kill_whole(self):
        """The keeper of the job, and what it keeps."""
        keeper = self.keeper_of()
        for one in (keeper, *self.pids_of()):
            with contextlib.suppress(ProcessLookupError):  # what is kept may go with the keeper
                os.kill(one, signal.SIGKILL)
        wait_until(lambda: not processes.is_running(keeper) and not self.pids_of(), "they are gone")

    def keeper_of(self, name="report"):
        return next(pid for pid in processes.all_pids() if self.is_keeper(pid) and f"{name}.1" in Path(f"/proc/{pid}/cmdline").read_text())

    def test_one_of_an_app_that_was_stopped_holds_no_start_up(self):
        self.publish({"report": UNTIL_GO}, {"report": 'restart = "on-failure"\nretries = 3'})
        wait_until(self.pids_of, "it runs")
        self.node.kill()
        self.kill_whole()
        with contextlib.closing(sqlite3.connect(self.node.state / "berth.db")) as base, base:
            base.execute("UPDATE apps SET stopped = 1")  # berthd was killed before it ended the job
        self.node.start()
        job = self.ended()
        self.assertEqual((job["state"], job["attempts"]), ("failed", 1))
        self.assertEqual(self.node.pids(), {})
        self.node.berth("start", "web")
        self.node.wait_app(health="healthy")
        self.assertEqual(self.tries(), ["report v1"])

    def test_one_whose_keeper_is_killed_before_it_tries_it_again_is_tried_all_the_same(self):
        once = 'while [ ! -e "$BERTH_DATA_DIR/go" ]; do sleep 0.05; done; code=$(cat "$BERTH_DATA_DIR/go"); rm "$BERTH_DATA_DIR/go"; exit $code'
        self.publish({"report": once}, {"report": 'restart = "on-failure"\nretries = 5'})
        pid, keeper = min(wait_until(self.pids_of, "it runs")), self.keeper_of()
        self.go(3)
        while processes.is_running(pid):
            time.sleep(0.005)
        time.sleep(0.03)  # that it failed is told; it would be tried again in 100 ms
        os.kill(keeper, signal.SIGKILL)
        wait_until(lambda: len(self.tries()) >= 2, "it is tried again", 20)
        self.go()
        job = self.ended()
        self.assertEqual((job["state"], job["result"], job["attempts"]), ("ok", "ok", len(self.tries())))
        self.assertNothingLeft()

    def test_it_goes_on_while_berthd_is_killed_and_comes_back(self):
        self.publish({"report": UNTIL_GO + "\n"}, {"report": 'restart = "on-failure"\nretries = 1'})
        pid = min(wait_until(self.pids_of, "it runs"))
        self.node.kill()
        self.node.start()
        self.assertEqual(self.job()["state"], "running")
        self.assertTrue(processes.is_running(pid), "the same process")
        self.assertSays(self.node.berth("run-job", "web/report", expect=8), "runs already")
        self.node.kill()
        self.go(3)  # it fails and is tried again while nobody looks
        wait_until(lambda: len(self.tries()) == 2, "it is tried again without berthd")
        self.node.start()
        job = self.ended()
        self.assertEqual((job["state"], job["result"], job["attempts"]), ("failed", "exited with 3", 2))
        self.assertNothingLeft()

    def test_one_whose_keeper_is_killed_failed_or_is_tried_again_where_it_may_be(self):
        for rules, expected in ((None, ("failed", 1)), ({"report": 'restart = "on-failure"\nretries = 1'}, ("ok", 2))):
            with self.subTest(rules):
                run = (self.job() or {"run": 0})["run"] + 1
                self.publish({"report": UNTIL_GO}, rules)
                pid = min(wait_until(self.pids_of, "it runs"))
                os.kill(self.keeper_of(), signal.SIGKILL)
                wait_until(lambda: not processes.is_running(pid), "what was left of it is ended")
                if expected[0] == "ok":
                    wait_until(self.pids_of, "it is tried again")
                    self.go()
                job = self.ended(run=run)
                self.assertEqual((job["state"], job["attempts"]), expected)
                if expected[0] == "failed":
                    self.assertIn("was cut off", job["result"])
                self.assertNothingLeft()


if __name__ == "__main__":
    unittest.main()
