"""An app's life on a node: restart, stop, start, scale, remove; logs, history, revert; repeated and concurrent requests."""
import datetime
import os
import signal
import unittest

from lib import processes, sample_apps
from lib.case import BerthCase
from lib.load import one_request
from lib.waiting import wait_until


class Lifecycle(BerthCase):
    def setUp(self):
        super().setUp()
        self.publish()
        self.node = self.make_node().start()

    def publish(self, *arguments, **options):
        return self.repo.publish(sample_apps.testapp(self.folder / "site", *arguments, **options))

    def kill_instance(self, pid, name=signal.SIGKILL):
        os.kill(pid, name)
        wait_until(lambda: not processes.is_running(pid), f"{pid} is gone")

    def test_an_instance_that_is_killed_comes_back_and_the_exit_is_recorded(self):
        self.deploy(self.node, "v1")
        (pid,) = self.node.pids().values()
        wait_until(lambda: one_request(8080)[0] == 200, "it serves")
        self.kill_instance(pid, signal.SIGSEGV)

        def back():
            one = self.node.instances()[0]
            return one if one["pid"] not in (0, pid) and one["ready"] else None
        one = wait_until(back, "the instance runs again")
        self.assertEqual(one["restarts"], 1)
        self.assertIn("SIGSEGV", one["last_exit"]["reason"])
        self.assertSays(self.node.berth("status"), "healthy", "web/web.1 restarted once, last", "SIGSEGV")
        self.assertServes("v1")

    def test_a_stopped_app_is_started_by_the_decision_of_a_deployment_and_not_by_one_that_fails(self):
        node = self.node
        for strategy in ("blue-green", "recreate"):
            self.repo.publish(sample_apps.testapp(self.folder / "site", app=strategy, port=None, routing=None, strategy=strategy))
            self.deploy(node, "v1", strategy)
            node.berth("stop", strategy, "--reason", "a new disk")
            self.assertSays(node.berth("status", strategy), "stopped by root (uid 0)", "ago: a new disk")
            self.assertSays(self.deploy(node, "v9", strategy, 8), f"{strategy} is stopped (by root (uid 0) since 20", ": a new disk): 'berth start")
            self.assertSays(self.deploy(node, "v9", strategy, 3, "--force"), f"{strategy} is stopped, as before.")
            app = node.app(strategy)
            self.assertEqual((app["stopped"], app["health"], app["instances"]), (True, "stopped", []))
        self.repo.publish(sample_apps.testapp(self.folder / "site", "--exit-after", "0", app="blue-green", port=None, routing=None, note="2"))
        self.assertSays(self.deploy(node, "v2", "blue-green", 1, "--force"), "blue-green is stopped, as before.")
        node.kill()
        node.start()
        self.assertEqual((node.app("blue-green")["health"], node.app("blue-green")["instances"]), ("stopped", []))
        self.assertEqual((node.app("blue-green")["stopped_by"], node.app("blue-green")["stopped_why"]), ("root (uid 0)", "a new disk"))
        self.deploy(node, "v1", "blue-green", 0, "--force")
        self.assertEqual((node.app("blue-green")["stopped"], node.app("blue-green")["health"], node.app("blue-green")["stopped_by"]), (False, "healthy", ""))
        self.assertIn("operator.start", [event["kind"] for event in node.events()][-12:])

    def test_an_app_runs_as_a_user_of_its_own(self):
        self.deploy(self.node, "v1")
        (pid,) = self.node.pids().values()
        self.assertEqual(len(set(processes.uids(pid))), 1)
        self.assertTrue(61184 <= processes.uids(pid)[0] <= 65519, processes.uids(pid))

    def test_an_instance_gets_the_environment_that_is_promised_and_nothing_else(self):
        os.environ["SECRET_OF_THE_OPERATOR"] = "x"
        self.addCleanup(os.environ.pop, "SECRET_OF_THE_OPERATOR")
        self.node.stop()
        self.node.start()
        self.deploy(self.node, "v1")
        (pid,) = self.node.pids().values()
        env = processes.environment(pid)
        self.assertNotIn("SECRET_OF_THE_OPERATOR", env)
        for name, value in {"BERTH_APP": "web", "BERTH_ENV": "production", "BERTH_RELEASE": "v1", "BERTH_PROCESS": "web", "BERTH_NODE": "node-1"}.items():
            self.assertEqual(env[name], value)
        allowed = {"PATH", "HOME", "LANG", "TZ", "TMPDIR", "PORT", "PORT_WEB"}
        self.assertEqual({name for name in env if not name.startswith("BERTH_")} - allowed, set())

    def test_restart_stop_and_start(self):
        self.deploy(self.node, "v1")
        (before,) = self.node.pids().values()
        self.node.berth("restart", "web")
        self.node.wait_app(health="healthy")
        (after,) = self.node.pids().values()
        self.assertNotEqual(after, before)
        self.assertServes("v1")

        self.node.berth("stop", "web", "--reason", "maintenance")
        self.assertEqual(processes.of_app("web"), {})
        self.assertEqual(self.node.app()["health"], "stopped")
        with self.assertRaises(OSError):
            one_request(8080)
        self.node.stop()
        self.node.start()
        self.assertEqual(self.node.app()["health"], "stopped", "also after berthd started again")
        self.assertEqual(processes.of_app("web"), {})

        self.node.berth("start", "web")
        self.node.wait_app(health="healthy")
        self.assertServes("v1")

    def test_a_start_and_a_restart_return_when_the_app_is_ready_or_say_why_it_is_not(self):
        self.publish("--start-delay", "1000", ready_timeout="3s", note="slow")
        self.deploy(self.node, "v2")
        for verb in ("restart", "start"):
            if verb == "start":
                self.node.berth("stop", "web")
            self.node.berth(verb, "web")
            self.assertEqual([one["ready"] for one in self.node.instances()], [True], verb)
        self.node.berth("restart", "web", "--no-wait")
        self.assertEqual([one["ready"] for one in self.node.instances()], [False])
        self.assertSays(self.node.berth("restart", "web", "--timeout", "100ms", expect=1), "web is restarted, and is not ready within", "web/web.1:")

    def test_what_operators_restart_and_switches_stop_is_no_trouble(self):
        self.deploy(self.node, "v1")
        self.publish(note="2")
        self.deploy(self.node, "v2")
        for _ in range(2):
            self.node.berth("restart", "web")
        self.assertNotIn("restarted", self.node.berth("status").text)
        self.assertTrue(self.node.instances()[0]["last_exit"]["asked"])
        self.node.kill()
        self.node.start()
        log = self.node.log_file.read_text()
        self.assertNotIn("while berthd was away", log)
        stopped = [line for line in log.splitlines() if "web/web.1@" in line and "stopped" in line]
        self.assertTrue(stopped)
        self.assertEqual([line for line in stopped if "warn" in line], [])

    def test_an_app_that_takes_its_public_port_itself_is_told_which_one_to_take(self):
        tree = sample_apps.testapp(self.folder / "site", note="2", ready_timeout="10s").spec_replaced('"bin/testapp", "--serve", "--port", "${PORT}"', '"bin/server"')
        self.repo.publish(tree.put("bin/server", "#!/bin/sh\necho 'OSError: [Errno 98] Address already in use'\nexit 1\n", 0o755))
        self.assertSays(self.deploy(self.node, "v2", expect=1), "address already in use", "berthd listens at 8080 for it", "listen at $PORT")

    def test_an_app_that_binds_the_port_of_its_socket_itself_is_told_to_take_the_descriptor(self):
        tree = sample_apps.testapp(self.folder / "site", note="2", routing="socket", ready_timeout="10s").spec_replaced('"bin/testapp", "--serve"', '"bin/server"')
        self.repo.publish(tree.put("bin/server", "#!/bin/sh\necho 'OSError: [Errno 98] Address already in use'\nexit 1\n", 0o755))
        self.assertSays(self.deploy(self.node, "v2", expect=1), "address already in use", "berthd listens at 8080 for it", "take descriptor 3", "`port` instead of `socket`")

    def test_a_log_of_events_that_was_changed_is_told_of_and_stops_nothing(self):
        self.deploy(self.node, "v1")
        log = self.node.state / "events.log"
        self.assertSays(self.node.berth("events", "--verify"), "every line continues the one before it", "as the database has it")
        self.node.stop()
        whole = log.read_text()
        log.write_text(whole.replace('"by":"root (uid 0)"', '"by":"nobody at all"', 1))
        self.assertSays(self.node.berth("events", "--verify", "--state", self.node.state, expect=1), "is not as berthd wrote it", "line 2: event 2 does not continue")
        log.unlink()
        self.assertSays(self.node.berth("events", "--verify", "--state", self.node.state, expect=1), "events are missing")
        self.node.start()
        self.assertIn("berth_events_damaged 1\n", self.node.metrics())
        self.assertIn("was changed while no berthd ran", self.node.log_file.read_text())
        self.assertIn("events.damaged", [one["kind"] for one in self.node.api("GET", "/v1/events?from=1&limit=200").json()["events"]])
        self.assertServes("v1")
        self.node.stop()
        self.node.start()
        self.assertIn("berth_events_damaged 0\n", self.node.metrics())

    def test_a_last_line_that_a_crash_tore_is_written_again_and_told(self):
        self.deploy(self.node, "v1")
        pids = self.node.pids()
        self.node.kill()
        log = self.node.state / "events.log"
        text = log.read_text().splitlines(keepends=True)
        log.write_text("".join(text[:-1]) + text[-1][:40])
        self.assertSays(self.node.berth("events", "--verify", "--state", self.node.state, expect=1), f"line {len(text)}: it has no end")
        self.node.start()
        self.assertIn("a crash had torn its last line, of which 40 bytes were there", self.node.log_file.read_text())
        self.assertTrue(log.read_text().startswith("".join(text)), "as it was")
        self.assertIn("events.repaired", [one["kind"] for one in self.node.events()])
        self.assertSays(self.node.berth("events", "--verify"), "every line continues")
        self.assertEqual(self.node.pids(), pids)

    def test_a_change_tells_a_script_what_it_was_of_whether_it_changed_anything_and_which_event_says_so(self):
        node = self.node
        self.deploy(node, "v1")
        changes = [
            (("hold", "web"), "hold", {"app": "web"}, True), (("resume", "web"), "resume", {"app": "web"}, True),
            (("pin", "web@v1"), "pin", {"app": "web", "release": "v1"}, True), (("unpin", "web@v1"), "unpin", {"app": "web", "release": "v1"}, True),
            (("mark", "web@v9", "bad"), "mark", {"app": "web", "release": "v9", "as": "bad"}, True),
            (("mark", "web@v9", "good"), "mark", {"app": "web", "release": "v9", "as": "good"}, True),
            (("stop", "web/web.1"), "stop", {"app": "web", "process": "web", "number": 1}, True), (("stop", "web"), "stop", {"app": "web"}, True),
            (("start", "web"), "start", {"app": "web"}, True), (("restart", "web/web"), "restart", {"app": "web", "process": "web"}, False),
            (("scale", "web/web=2"), "scale", {"app": "web", "process": "web", "instances": 2}, True),
            (("node", "drain", "--yes"), "node_drain", {}, True), (("node", "resume"), "node_resume", {}, True), (("remove", "web"), "remove", {"app": "web", "purged": False}, False),
        ]
        for words, kind, what, is_lasting in changes:
            with self.subTest(words):
                told = node.berth(*words, "--json").json()
                self.assertEqual(told, {**what, "changed": True, "event": told["event"]})
                event = node.api("GET", f"/v1/events?from={told['event']}&limit=1").json()["events"][0]
                self.assertEqual((event["number"], event["kind"], event["app"]), (told["event"], f"operator.{kind}", what.get("app", "")))
                if is_lasting:
                    self.assertEqual(node.berth(*words, "--json").json(), {**what, "changed": False, "event": 0}, "it is so already")

    def test_a_single_instance_that_is_stopped_stays_so_over_berthds_until_it_is_started(self):
        self.publish(instances=3, note="3")
        self.deploy(self.node, "v2")
        self.node.berth("stop", "web/web.2", "--reason", "noisy")
        self.assertEqual(len(processes.of_app("web")), 2)
        for end in (self.node.stop, self.node.kill):
            end()
            self.node.start()
            self.node.wait_app(health="healthy")
            self.assertEqual(len(processes.of_app("web")), 2)
        self.assertSays(self.node.berth("status", "web"), "it was stopped by hand", "2/3 instances ready")
        self.assertRegex(self.node.berth("status").out, r"; web/web\.2 stopped by root \(uid 0\) \S+ ago: noisy|  web/web\.2 stopped by root \(uid 0\) \S+ ago: noisy")
        self.assertRegex(self.node.berth("why", "web").out, r"Note: web/web\.2 is stopped \(by root \(uid 0\) since 20\S+: noisy\): 'berth start web/web\.2' starts it\.")
        self.node.berth("restart", "web")
        self.assertEqual(len(processes.of_app("web")), 2, "nor does a restart start it")
        events = len(self.node.events())
        self.assertSays(self.node.berth("restart", "web/web.2", expect=8), "web/web.2 was stopped by hand: 'berth start web/web.2' starts it")
        self.assertEqual(len(self.node.events()), events, "nothing was restarted")
        self.node.berth("start", "web/web.2")
        self.node.wait_app(health="healthy")
        self.assertEqual(len(processes.of_app("web")), 3)
        self.node.berth("stop", "web/web.3")
        self.publish(instances=3, note="4")
        self.deploy(self.node, "v3")
        self.node.wait_app(health="healthy")

    def test_an_app_of_which_each_instance_is_stopped_by_hand_is_stopped_and_not_down(self):
        self.publish(instances=2, note="2")
        self.deploy(self.node, "v2")
        self.node.berth("stop", "web/web.1", "--reason", "noisy")
        self.assertEqual(self.node.app()["health"], "healthy")
        self.node.berth("stop", "web/web")
        for again in (False, True):
            if again:
                self.node.stop()
                self.node.start()
            app = self.node.app()
            self.assertEqual((app["health"], app["stopped"], app["processes"][0]["stopped"]), ("stopped", False, 2))
            self.assertEqual([(one["stopped"], one["stopped_by"], one["stopped_why"]) for one in app["instances"]], [(True, "root (uid 0)", "noisy"), (True, "root (uid 0)", "")])
            self.assertIn('berth_app_health{app="web",health="stopped"} 1', self.node.metrics())
            self.assertIn('berth_app_health{app="web",health="down"} 0', self.node.metrics())
        self.assertSays(self.node.berth("status", "web"), "stopped, 0/2 instances ready", "web/web.1 stopped by root (uid 0)", "ago: noisy; web/web.2 stopped by root (uid 0)")
        self.assertSays(self.node.berth("why", "web"), "web is stopped (by root (uid 0) since 20", "v2 is its active release: 'berth start web' starts it.")
        self.assertSays(self.node.berth("stop", "web/web.1"), "web/web.1 is stopped already, by root (uid 0), ", "ago: noisy.")
        self.node.berth("stop", "web/web.1", "--reason", "loud")
        self.assertEqual(self.node.instances()[0]["stopped_why"], "loud")
        self.node.berth("start", "web")
        self.node.wait_app(health="healthy")
        self.assertEqual([(one["stopped"], one["stopped_by"]) for one in self.node.instances()], [(False, "")] * 2)

    def test_instances_are_stopped_at_once_and_not_one_after_the_other(self):
        self.publish("--ignore-term", instances=5, grace="2s")
        self.deploy(self.node, "v2")
        self.node.berth("stop", "web")
        self.assertEqual(processes.of_app("web"), {})
        def ends():
            return [datetime.datetime.fromisoformat(one["at"]) for one in self.node.events() if one["kind"] == "instance.exit"]
        ended = wait_until(lambda: ends() if len(ends()) >= 5 else None, "five ends are told")  # an event is written a moment after the end
        self.assertEqual(len(ended), 5)
        self.assertLess((max(ended) - min(ended)).total_seconds(), 4, "each takes two seconds to be killed")
        how = "stopped: it did not end within 2s of being asked to, and was killed"
        self.assertEqual({one["data"]["reason"] for one in self.node.events() if one["kind"] == "instance.exit"}, {how})
        self.assertIn(f"warning: web/web.1@v2: {how}", self.node.log_file.read_text())
        self.node.berth("start", "web")
        self.assertRegex(self.node.berth("why", "web").out, r"Nothing is wrong with web: .*\nNote: web/web\.\d@v2 was stopped at 20\S+: it did not end within 2s of being asked to, and was killed\.\n")
        self.node.berth("start", "web")
        self.node.wait_app(health="healthy")

    def test_scale_holds_over_deployments_until_a_release_says_another_number(self):
        self.deploy(self.node, "v1")
        self.node.berth("scale", "web/web=3")
        self.node.wait_app(health="healthy")
        self.assertEqual(len(set(self.node.pids().values())), 3)
        self.publish(note="2")
        self.deploy(self.node, "v2")
        self.assertEqual(sorted(self.node.pids()), ["web/web.1", "web/web.2", "web/web.3"])
        self.publish(note="3", instances=2)
        self.deploy(self.node, "v3")
        self.assertEqual(sorted(self.node.pids()), ["web/web.1", "web/web.2"])
        self.node.berth("scale", "web/nothing=1", expect=3)
        self.assertSays(self.node.berth("scale", "web/web=0", expect=2), "port 8080", "berth stop web/web")

    def test_readiness_follows_the_app(self):
        self.deploy(self.node, "v1")
        self.node.data().joinpath("unready").touch()
        self.node.wait_app(health="down")
        self.assertIn("503", self.node.instances()[0]["not_ready"])
        self.node.data().joinpath("unready").unlink()
        self.node.wait_app(health="healthy")

    def test_remove_takes_the_slots_away_and_purge_the_data_and_logs_too(self):
        self.publish("--count-starts", "--lines", "5")
        self.deploy(self.node, "v2")
        self.assertIn("v2", self.node.data().joinpath("starts.log").read_text())
        self.node.berth("remove", "web", "--yes")
        self.assertEqual(processes.of_app("web"), {})
        self.assertIsNone(self.node.app())
        self.assertTrue(self.node.data().joinpath("starts.log").exists(), "data stays")
        self.assertIn("line 1", self.node.berth("logs", "web", "--raw").out, "logs stay")

        self.deploy(self.node, "v2")
        self.assertEqual(self.node.data().joinpath("starts.log").read_text().count("v2"), 2, "the data of before is there again")
        self.node.berth("remove", "web", "--purge", "--yes")
        self.assertFalse(self.node.data().exists())
        self.assertFalse((self.node.logs / "web").exists())
        self.node.berth("remove", "web", "--yes", expect=3)

    def test_what_a_removed_app_left_can_be_purged_later(self):
        self.deploy(self.node, "v1")
        self.node.berth("remove", "web")
        self.assertTrue(self.node.data().exists())
        for verb in ("remove", "hold", "status", "stop"):
            self.assertSays(self.node.berth(verb, "web", expect=3), "app web was removed, and its data and logs are on this node still", "'berth remove web --purge' takes them away")
        self.node.berth("remove", "web", "--purge", "--yes")
        self.assertFalse(self.node.data().exists())
        self.assertFalse((self.node.logs / "web").exists())
        self.node.berth("remove", "web", "--purge", "--yes", expect=3)

    def test_logs_go_over_restarts_and_can_be_filtered(self):
        self.publish("--lines", "100")
        self.deploy(self.node, "v2")
        self.node.berth("restart", "web")
        wait_until(lambda: self.node.berth("logs", "web", "--raw").out.splitlines().count("line 5") == 2, "both runs are in the log")
        lines = self.node.berth("logs", "web", "--raw").out.splitlines()
        self.assertTrue(any(line.startswith("printed ") for line in lines), "what the app printed while it stopped is there too")
        self.assertEqual(set(self.node.berth("logs", "web", "--raw", "--grep", "line 7").out.split("\n")[0:1]), {"line 7"})
        self.assertEqual(self.node.berth("logs", "web", "--since", "2000-01-01", "--until", "2000-01-02").out, "")
        self.node.berth("stop", "web")  # so that nothing is written while it is read
        self.assertEqual(len(self.node.berth("logs", "web", "-n", "3").out.splitlines()), 3)
        self.node.berth("logs", "nothing", expect=3)

    def test_deploying_what_is_active_changes_nothing_and_says_so(self):
        self.deploy(self.node, "v1")
        pids = self.node.pids()
        done = self.deploy(self.node, "v1")
        self.assertSays(done, "already")
        self.assertEqual(self.node.pids(), pids)
        self.assertEqual(len(self.node.deployments()), 1)

    def test_the_same_key_names_the_same_deployment(self):
        self.publish(note="2")
        first = self.node.berth("deploy", "web@v1", "--key", "job-7", "--json").json()
        self.deploy(self.node, "v2")
        again = self.node.berth("deploy", "web@v1", "--key", "job-7", "--json").json()
        self.assertEqual(again["id"], first["id"])
        self.assertEqual(self.node.active(), "v2", "the key's deployment was over long ago")

    def test_a_key_that_began_no_deployment_is_kept(self):
        self.publish(note="2")
        self.deploy(self.node, "v1")
        already = self.node.berth("deploy", "web@v1", "--key", "job-8", "--json").json()
        self.assertTrue(already["already"])
        begun = self.node.spawn("deploy", "web@v2")
        wait_until(lambda: self.node.deployments()[0]["release"] == "v2", "v2 is being deployed")
        joined = self.node.berth("deploy", "web@v2", "--key", "job-9", "--json").json()
        self.assertEqual(self.node.end_of(begun).code, 0)
        self.node.stop()
        self.node.start()
        for key, release, answer in (("job-8", "v1", already), ("job-9", "v2", joined)):
            again = self.node.berth("deploy", f"web@{release}", "--key", key, "--json").json()
            self.assertEqual((again["id"], again["already"], again["state"]), (answer["id"], answer["already"], "active"))
            other = "v2" if release == "v1" else "v1"
            refused = self.node.berth("deploy", f"web@{other}", "--key", key, expect=None)
            self.assertSays(refused, f"the idempotency key {key} names deployment {answer['id']} of web@{release}; use another one")
        self.assertEqual((self.node.active(), len(self.node.deployments())), ("v2", 2), "nothing was begun")

    def test_of_two_deploys_at_once_the_newer_one_wins(self):
        self.deploy(self.node, "v1")
        for note in ("2", "3", "4"):
            self.publish(note=note)
        at_once = [self.node.spawn("deploy", f"web@{release}") for release in ("v2", "v3", "v4")]
        exits = [self.node.end_of(one).code for one in at_once]
        newest = self.node.deployments()[0]
        self.assertEqual(newest["state"], "active")
        self.assertOneWholeRelease(self.node, newest["release"])
        self.assertTrue(set(exits) <= {0, 8}, exits)
        self.assertIn(0, exits)
        self.assertTrue(all(one["ended_at"] for one in self.node.deployments()))

    def test_a_deployment_can_be_cancelled_before_its_decision(self):
        self.deploy(self.node, "v1")
        self.publish("--never-ready", ready_timeout="60s")
        deploy = self.node.spawn("deploy", "web@v2")
        running = wait_until(lambda: next((one for one in self.node.deployments() if one["state"] == "starting"), None), "v2 is starting")
        self.assertSays(self.node.berth("status"), f"deployment {running['id']}: web@v2 starting")
        asked = next(one["data"] for one in self.node.events() if one["kind"] == "deployment.state" and one["data"]["deployment"] == running["id"] and one["data"]["state"] == "queued")
        self.assertEqual((asked["by"], asked["pid"]), ("root (uid 0)", deploy.pid))
        self.assertSays(self.node.berth("cancel", "web"), f"deployment {running['id']} of web@v2 is cancelled")
        self.assertEqual(self.node.end_of(deploy).code, 8)
        self.assertEqual(self.node.deployments()[0]["state"], "cancelled")
        self.assertEqual(self.node.app()["last_deployment"]["id"], running["id"])
        self.assertSays(self.node.berth("status"), "last deployment v2 cancelled", "ago: cancelled by")
        self.assertSays(self.node.berth("cancel", "web", expect=8), "no deployment of web is under way")
        self.node.berth("cancel", running["id"], expect=8)
        self.assertOneWholeRelease(self.node, "v1")
        self.assertServes("v1")
        first = self.node.deployments()[-1]["id"]
        self.assertSays(self.node.berth("cancel", first, expect=8), f"deployment {first} of web@v1 is over: it is active")
        self.publish(note="3")
        self.deploy(self.node, "v3")
        self.assertSays(self.node.berth("cancel", first, expect=8), f"deployment {first} of web@v1 is over: it was active")

    def test_a_cancelled_deployment_is_over_when_the_command_returns(self):
        self.deploy(self.node, "v1")
        self.publish("--never-ready", "--ignore-term", ready_timeout="60s", grace="2s")
        for by_command in (True, False):
            self.node.berth("deploy", "web@v2", "--no-wait")
            running = wait_until(lambda: next((one for one in self.node.deployments() if one["state"] == "starting"), None), "v2 is starting")
            wait_until(lambda: len(processes.of_app("web")) == 2, "its instance runs")
            if by_command:
                self.assertSays(self.node.berth("cancel", "web"), "is cancelled")
                self.node.berth("restart", "web")
            else:
                self.node.api("POST", f"/v1/deployments/{running['id']}/cancel", {})
                self.assertSays(self.node.berth("restart", "web", expect=8), "is being cancelled")
        wait_until(lambda: self.node.deployments()[0]["state"] == "cancelled", "it is cancelled")

    def test_a_cancellation_counts_once_it_is_answered_and_is_whose_it_was_first(self):
        self.deploy(self.node, "v1")
        self.publish("--never-ready", "--ignore-term", ready_timeout="60s", grace="4s")
        self.node.berth("deploy", "web@v2", "--no-wait")
        running = wait_until(lambda: next((one for one in self.node.deployments() if one["state"] == "starting"), None), "v2 is starting")
        wait_until(lambda: len(processes.of_app("web")) == 2, "its instance runs")
        for reason in ("the first", "the second"):
            answer = self.node.api("POST", f"/v1/deployments/{running['id']}/cancel", {"reason": reason})
            self.assertEqual(answer.status, 200, answer.body)
        self.node.kill()
        self.node.start()
        ended = wait_until(lambda: next((one for one in self.node.deployments() if one["id"] == running["id"] and one["ended_at"]), None), "it ends", 40)
        self.assertEqual((ended["state"], ended["reason"]), ("cancelled", "cancelled by root (uid 0): the first"))
        self.assertServes("v1")

    def test_a_deploy_that_takes_longer_than_the_timeout_goes_on(self):
        self.deploy(self.node, "v1")
        self.publish(bake="3s", note="2")
        self.node.berth("deploy", "web@v2", "--timeout", "1s", expect=9)
        self.node.wait_app(active="v2", deployment=None)
        self.assertEqual(self.node.deployments()[0]["state"], "active")

    def test_revert_goes_to_a_release_by_name_without_the_repository(self):
        for note in ("2", "3"):
            self.publish(note=note)
        for release in ("v1", "v2", "v3"):
            self.deploy(self.node, release)
        self.repo.folder.rename(self.folder / "gone")
        self.node.berth("revert", "web", "--to", "v1", "--reason", "v3 loses sessions")
        self.assertServes("v1")
        self.assertIn("v3 loses sessions", self.node.berth("history", "web").out)
        self.assertSays(self.node.berth("revert", "web", "--to", "v9", expect=3), "'berth deploy web@v9' fetches it")
        self.node.berth("mark", "web@v9", "bad", "--reason", "burns")
        self.assertSays(self.node.berth("revert", "web", "--to", "v9", expect=3), "web@v9 is not on this node, and is rejected here", "burns", "'berth deploy web@v9 --force'")
        self.assertSays(self.node.berth("pin", "web@v9", expect=3), "'berth releases web' lists what is")

    def test_revert_passes_over_what_is_rejected_and_goes_further_back(self):
        self.publish(note="2")
        self.publish("--exit-once-current", "300", bake="60s", note="3")
        for release, code in (("v1", 0), ("v2", 0), ("v3", 5)):
            self.deploy(self.node, release, "web", code)
        self.node.berth("revert", "web")
        self.assertServes("v1")
        self.assertSays(self.node.berth("revert", "web", expect=3), "--to")
        self.node.berth("revert", "web", "--to", "v2")
        self.assertServes("v2")

    def test_old_slots_are_collected_and_pinned_ones_kept(self):
        for n in range(2, 8):
            self.publish(note=str(n))
        self.deploy(self.node, "v1")
        self.node.berth("pin", "web@v1")
        for n in range(2, 8):
            self.deploy(self.node, f"v{n}")
        slots = sorted(path.name for path in self.node.slot("v1").parent.iterdir())
        self.assertEqual(slots, ["v1", "v5", "v6", "v7"])
        self.node.berth("unpin", "web@v1")
        self.node.berth("gc")
        self.assertFalse(self.node.slot("v1").exists())

    def test_history_and_events_are_chained_over_a_restart(self):
        self.deploy(self.node, "v1")
        before = self.node.events()
        self.node.kill()
        self.node.start()
        after = self.node.events()
        self.assertEqual([one["number"] for one in after], list(range(1, len(after) + 1)))
        self.assertEqual(after[: len(before)], before)


if __name__ == "__main__":
    unittest.main(verbosity=2)
