"""Hooks of deployments: their order, what they are given, and what becomes of a deployment whose hooks misbehave or that berthd dies in."""
import os
import time
import unittest

from lib import hooks, processes
from lib.hooks import HookCase
from lib.programs import PATIENCE, SLOWNESS
from lib.waiting import wait_until

ALL = {name: "" for name in hooks.NAMES}


class Hooks(HookCase):
    # the order, and what they are given

    def test_each_runs_once_a_deployment_at_its_point(self):
        self.publish(ALL, note="1")
        self.deploy(self.node, "v1")
        self.assertEqual(hooks.ran(self.node), [f"{name} v1" for name in ("pre-start", "post-start", "ready-to-switch", "post-switch")])
        self.publish(ALL, note="2")
        self.deploy(self.node, "v2")
        second = ["pre-start v2", "post-start v2", "ready-to-switch v2", "pre-stop v1", "post-switch v2"]
        self.assertEqual(hooks.ran(self.node)[4:], second)
        self.assertEqual([one["hook"] + " " + one["release"] for one in self.newest()["hooks"]], second)
        self.assertTrue(all(one["result"] == "ok" and one["attempts"] == 1 for one in self.newest()["hooks"]))
        said = hooks.events(self.node)
        self.assertEqual(said[0::2], [(*line.split(), "started") for line in hooks.ran(self.node)])
        self.assertEqual(said[1::2], [(*line.split(), "ok") for line in hooks.ran(self.node)])
        self.assertIn("hooks: pre-start", self.node.berth("history", "web").out)

        self.node.berth("revert", "web")
        self.assertEqual(hooks.ran(self.node)[9:], ["post-start v1", "pre-stop v2", "on-revert v2", "post-switch v1"])
        self.node.berth("restart", "web")
        self.node.berth("stop", "web")
        self.node.berth("start", "web")
        self.assertEqual(len(hooks.ran(self.node)), 13, "they are of deployments alone")
        for name in hooks.NAMES:
            self.assertNothingLeft(name)
        self.assertIn('berth_hooks_total{app="web",hook="pre-start",result="ok"} 2', self.node.metrics())

    def test_with_recreate_the_old_release_is_asked_before_anything_is_stopped(self):
        for note in ("1", "2"):
            scripts = {**ALL, "ready-to-switch": 'cat "$BERTH_DATA_DIR/starts.log" >> "$BERTH_DATA_DIR/seen.log" 2>/dev/null; true'}
            self.publish(scripts, strategy="recreate", note=note)
        self.deploy(self.node, "v1")
        before = len(hooks.ran(self.node))
        self.deploy(self.node, "v2")
        self.assertEqual(hooks.ran(self.node)[before:], ["ready-to-switch v2", "pre-start v2", "pre-stop v1", "post-start v2", "post-switch v2"])
        self.assertNotIn("v2", (self.node.data() / "seen.log").read_text(), "it had not been started when it was asked")

    def test_with_rolling_each_runs_once_and_the_decision_comes_with_the_first_new_instance(self):
        rolling = {"instances": 3, "strategy": "rolling", "more": "max_surge = 1\nmax_unavailable = 0\n"}
        scripts = {name: 'touch "$BERTH_DATA_DIR/starts.log"; wc -l < "$BERTH_DATA_DIR/starts.log" >> "$BERTH_DATA_DIR/started.log"' for name in hooks.NAMES}
        self.publish(scripts, **rolling)
        self.deploy(self.node, "v1")
        before = len((self.node.data() / "started.log").read_text().splitlines())
        self.publish(scripts, note="2", **rolling)
        self.deploy(self.node, "v2")
        self.assertEqual(hooks.ran(self.node)[-5:], ["pre-start v2", "post-start v2", "ready-to-switch v2", "pre-stop v1", "post-switch v2"])
        started = [int(line) for line in (self.node.data() / "started.log").read_text().splitlines()[before:]]
        self.assertEqual(started, [3, 4, 4, 4, 6], "one new instance was there for the hooks before the decision, all of them in the end")

    def test_pre_start_has_ended_before_any_instance_begins(self):
        self.deploy_first()
        self.publish({"pre-start": 'cp "$BERTH_DATA_DIR/starts.log" "$BERTH_DATA_DIR/seen.log"; sleep 0.3; echo done >> "$BERTH_DATA_DIR/starts.log"'}, instances=2)
        self.deploy(self.node, "v2")
        self.assertNotIn("v2", (self.node.data() / "seen.log").read_text())
        self.assertEqual(self.starts(), ["v1", "done", "v2", "v2"])

    def test_it_runs_as_the_apps_user_in_its_slot_with_its_environment(self):
        secret = self.folder / "secret"
        secret.write_text("hush")
        script = """{ env; echo "UID=$(id -u) $(id -G)"; echo "PWD=$(pwd)"
echo "FILE=$(cat "$BERTH_CONFIG_DIR/app.conf")"; echo "SECRET=$(cat "$BERTH_SECRETS_DIR/TOKEN")"
touch "$TMPDIR/x" "$BERTH_RUN_DIR/x" && echo WRITABLE
touch x 2>/dev/null || echo SEALED; } > "$BERTH_DATA_DIR/seen\""""
        self.repo.configure(variables={"GREETING": "hello"}, secrets={"TOKEN": f"file:{secret}"}, files={"app.conf.tmpl": "${GREETING} ${BERTH_PROCESS}"})
        tree = hooks.app(self.folder / "site", {"pre-start": script}, more="[env.GREETING]\n[env.TOKEN]\nsecret = true\n")
        self.repo.build(tree)
        self.repo.release()
        os.environ["SECRET_OF_THE_OPERATOR"] = "x"
        self.addCleanup(os.environ.pop, "SECRET_OF_THE_OPERATOR")
        self.node.stop()
        self.node.start()
        self.deploy(self.node, "v1")
        seen = (self.node.data() / "seen").read_text()
        lines = dict(line.split("=", 1) for line in seen.splitlines() if "=" in line)
        (pid,) = self.node.pids().values()
        uid = processes.uids(pid)[0]
        self.assertEqual(lines["UID"], f"{uid} {uid}")
        self.assertEqual(lines["PWD"], str(self.node.slot("v1") / "app"))
        self.assertEqual(lines["FILE"], "hello pre-start")
        self.assertEqual((lines["SECRET"], lines["TOKEN"], lines["GREETING"]), ("hush", "hush", "hello"))
        for name, value in {"BERTH_APP": "web", "BERTH_ENV": "production", "BERTH_RELEASE": "v1", "BERTH_PROCESS": "pre-start", "BERTH_INSTANCE": "web/pre-start.1",
                            "BERTH_NODE": "node-1", "BERTH_DATA_DIR": str(self.node.data())}.items():
            self.assertEqual(lines[name], value)
        self.assertNotIn("PORT", lines)
        self.assertNotIn("SECRET_OF_THE_OPERATOR", lines)
        self.assertIn("WRITABLE", seen)
        self.assertIn("SEALED", seen)
        self.assertNothingLeft("pre-start")

    def test_a_name_that_is_no_program_of_the_build_is_refused_when_it_is_built(self):
        tree = hooks.app(self.folder / "site", {"pre-start": ""})
        (self.folder / "site" / "bin" / "pre-start").unlink()
        self.assertSays(self.repo.berth("build", tree, expect=2), "hook 'pre-start'", "bin/pre-start is not in the build")

    # hooks that fail

    def test_a_failed_pre_start_leaves_the_old_release_serving_and_its_last_lines_in_the_history(self):
        self.deploy_first()
        before = self.node.pids()
        self.publish({"pre-start": "echo reading schema 7; echo column exists already >&2; exit 3"})
        done = self.deploy(self.node, "v2", expect=1)
        self.assertSays(done, "web@v2 failed: its pre-start hook exited with 3", "column exists already", "web still runs v1", "may have migrated the data")
        self.assertEqual(self.node.pids(), before)
        self.assertServes("v1")
        self.assertEqual(self.starts(), ["v1"])
        newest = self.newest()
        self.assertEqual((newest["state"], newest["decided"], newest["last_lines"]), ("failed", False, ["reading schema 7", "column exists already"]))
        self.assertEqual([step["state"] for step in newest["steps"]][-2:], ["preparing", "failed"])
        self.assertSays(self.node.berth("history", "web"), "pre-start exited with 3", "column exists already")
        self.assertIn("reading schema 7", self.node.berth("logs", "web/pre-start", "--raw").out)
        self.assertEqual(self.node.app()["rejected"], [], "what never started is not rejected")
        self.assertEqual(hooks.ran(self.node), ["pre-start v2"])
        self.assertNothingLeft("pre-start")
        self.assertIn('berth_hooks_total{app="web",hook="pre-start",result="failed"} 1', self.node.metrics())

    def test_a_failed_post_start_or_ready_to_switch_fails_before_the_decision(self):
        self.deploy_first()
        for number, name in ((2, "post-start"), (3, "ready-to-switch")):
            self.publish({name: "echo no way; exit 1"}, note=name)
            done = self.deploy(self.node, f"v{number}", expect=1)
            self.assertSays(done, f"its {name} hook exited with 1", "no way", "still runs v1")
            self.assertFalse(self.newest()["decided"])
            self.assertOneWholeRelease(self.node, "v1")
            self.assertServes("v1")

    def test_a_failed_post_switch_or_pre_stop_is_a_note_and_stops_nothing(self):
        self.publish({"pre-stop": "exit 4"}, note="1")
        self.deploy(self.node, "v1")
        self.publish({"post-switch": "echo the cache is cold; exit 5"}, note="2")
        done = self.deploy(self.node, "v2")
        self.assertSays(done, "web@v2 is active", "web@v2: its post-switch hook exited with 5", "web@v1: its pre-stop hook exited with 4")
        self.assertOneWholeRelease(self.node, "v2")
        self.assertServes("v2")
        noted = [one["data"]["note"] for one in self.node.events() if one["kind"] == "deployment.note"]
        self.assertEqual(len(noted), 2)
        self.assertSays(self.node.berth("history", "web"), "the cache is cold", "note: web@v2: its post-switch hook exited with 5")

    def test_a_program_that_cannot_be_executed_is_a_failure_that_says_so(self):
        self.deploy_first()
        tree = hooks.app(self.folder / "site", {"pre-start": ""})
        tree.put("bin/pre-start", "#!/no/such/interpreter\n", 0o755)
        self.repo.publish(tree)
        self.assertSays(self.deploy(self.node, "v2", expect=1), "its pre-start hook could not execute", "its interpreter /no/such/interpreter is not there")
        self.assertServes("v1")
        self.assertNothingLeft("pre-start")

    # hooks that do not behave

    def test_one_that_ignores_signals_is_killed_with_all_that_it_started(self):
        self.deploy_first()
        self.publish({"pre-start": "trap '' TERM INT HUP; (trap '' TERM; setsid sleep 1000 &) ; setsid sh -c 'trap \"\" TERM; sleep 1000; sleep 1000' & "
                                   "while true; do sleep 1000; done"}, rules={"pre-start": 'timeout = "1s"'})
        began = time.monotonic()
        done = self.deploy(self.node, "v2", expect=1)
        self.assertLess(time.monotonic() - began, 20 * PATIENCE)
        self.assertSays(done, "its pre-start hook did not end within 1s, and was stopped")
        self.assertServes("v1")
        self.assertNothingLeft("pre-start")

    def test_what_it_leaves_behind_with_its_stdout_open_hangs_nothing(self):
        self.deploy_first()
        self.publish({"pre-start": "setsid sh -c 'trap \"\" TERM; while true; do echo still here; sleep 0.1; done' & (sleep 1000 &) ; echo ended; exit 0"})
        began = time.monotonic()
        self.deploy(self.node, "v2")
        self.assertLess(time.monotonic() - began, 20 * PATIENCE, "what is left has five seconds")
        self.assertServes("v2")
        self.assertNothingLeft("pre-start")

    def test_a_gigabyte_of_output_fills_no_more_than_its_log_may(self):
        size = (1 << 30) if SLOWNESS == 1 else (64 << 20)
        self.deploy_first()
        self.publish({"pre-start": f"head -c {size} /dev/zero; head -c 1000000 /dev/zero | tr '\\0' 'x' >&2; echo; echo the end; exit 9"},
                     data='[logs]\nsegment_bytes = "1MB"\nkeep_bytes = "4MB"\n')
        done = self.deploy(self.node, "v2", expect=1)
        self.assertSays(done, "exited with 9", "the end")
        self.assertLess(len(done.text), 20_000)
        used = sum(path.stat().st_size for path in (self.node.logs / "web" / "pre-start.1").iterdir())
        self.assertLessEqual(used, 5_200_000)
        self.assertLess((self.node.state / "berth.db").stat().st_size, 1_000_000)
        self.assertServes("v1")

    def test_a_deployment_that_is_cancelled_ends_its_hook(self):
        self.deploy_first()
        self.publish({"pre-start": "sleep 1000"})
        deploy = self.node.spawn("deploy", "web@v2")
        wait_until(lambda: hooks.ran(self.node), "the hook runs")
        self.node.berth("cancel", self.newest()["id"])
        self.assertEqual(self.node.end_of(deploy).code, 8)
        self.assertEqual(self.newest()["state"], "cancelled")
        self.assertNothingLeft("pre-start")
        self.assertServes("v1")

    # ready-to-switch

    def test_exit_75_postpones_the_switch_until_the_hook_says_yes(self):
        self.deploy_first()
        self.publish({"ready-to-switch": '[ -e "$BERTH_DATA_DIR/go" ] || exit 75'}, rules={"ready-to-switch": 'retry = "1s"'})
        deploy = self.node.spawn("deploy", "web@v2")
        wait_until(lambda: len(hooks.ran(self.node)) >= 1, "it was asked")
        self.assertServes("v1")
        wait_until(lambda: self.newest()["hooks"][-1:] and self.newest()["hooks"][-1]["result"] == "postponed", "it is postponed")
        wait_until(lambda: len(hooks.ran(self.node)) >= 2, "it was asked again")
        self.assertServes("v1")
        (self.node.data() / "go").touch()
        self.assertEqual(self.node.end_of(deploy).code, 0)
        self.assertServes("v2")
        asked = len(hooks.ran(self.node))
        self.assertEqual([(one["attempts"], one["result"]) for one in self.newest()["hooks"]], [(asked, "ok")])
        self.assertEqual([result for _, _, result in hooks.events(self.node)], ["started", "postponed"] * (asked - 1) + ["started", "ok"])

    def test_it_is_given_up_after_a_while(self):
        self.deploy_first()
        self.publish({"ready-to-switch": "exit 75"}, rules={"ready-to-switch": 'retry = "1s"\ngive_up = "2s"'})
        done = self.deploy(self.node, "v2", expect=1)
        self.assertSays(done, "its ready-to-switch hook said \"not now\" (exit code 75)", "times within 2s", "still runs v1")
        self.assertIn(len(hooks.ran(self.node)), (2, 3))
        self.assertServes("v1")
        self.assertOneWholeRelease(self.node, "v1")

    def test_exit_75_of_any_other_hook_is_a_failure(self):
        self.deploy_first()
        self.publish({"pre-start": "exit 75"})
        self.assertSays(self.deploy(self.node, "v2", expect=1), "its pre-start hook exited with 75")

    def test_a_newer_request_takes_the_place_of_a_postponed_one(self):
        self.deploy_first()
        self.publish({"ready-to-switch": "exit 75"}, rules={"ready-to-switch": 'retry = "1m"'}, note="2")
        self.publish({}, note="3")
        postponed = self.node.spawn("deploy", "web@v2")
        wait_until(lambda: len(self.newest()["hooks"]) == 1 and self.newest()["hooks"][0]["result"] == "postponed", "v2 is postponed")
        self.deploy(self.node, "v3")
        self.assertEqual(self.node.end_of(postponed).code, 8)
        self.assertEqual([one["state"] for one in self.node.deployments()], ["active", "superseded", "active"])
        self.assertEqual(self.node.app()["rejected"], [])
        self.assertOneWholeRelease(self.node, "v3")

    # on-revert

    def test_on_revert_runs_once_the_instances_of_the_release_that_is_left_have_ended(self):
        self.deploy_first()
        self.publish({"on-revert": 'ps -e -o args= | grep -c "[b]in/testapp.*exit-once" > "$BERTH_DATA_DIR/still"; true', "pre-start": ""},
                     "--exit-once-current", "400", bake="60s")
        done = self.deploy(self.node, "v2", expect=5)
        self.assertSays(done, "web runs v1 again", "the pre-start hook of web@v2 may have migrated the data, and they stay as they are")
        self.assertEqual(hooks.ran(self.node), ["pre-start v2", "on-revert v2"])
        self.assertEqual((self.node.data() / "still").read_text().strip(), "0")
        self.assertServes("v1")

    def test_an_on_revert_that_fails_takes_nothing_of_what_the_release_printed_away(self):
        self.deploy_first()
        self.publish({"on-revert": "echo the cleaner has no broom; exit 1"}, "--lines", "50", "--exit-once-current", "400", bake="60s")
        done = self.deploy(self.node, "v2", expect=5)
        self.assertSays(done, "web runs v1 again", "| line ", "its on-revert hook exited with 1")
        self.assertTrue(any(line.startswith("line ") for line in self.newest()["last_lines"]), self.newest())
        self.assertNotIn("broom", " ".join(self.newest()["last_lines"]))
        self.assertIn("broom", self.node.berth("logs", "web/on-revert", "--raw").out)

    def test_an_on_revert_that_fails_stops_no_revert(self):
        self.deploy_first()
        self.publish({"on-revert": "sleep 1000"}, "--exit-once-current", "400", bake="60s", rules={"on-revert": 'timeout = "1s"'})
        done = self.deploy(self.node, "v2", expect=5)
        self.assertSays(done, "web runs v1 again", "its on-revert hook did not end within 1s")
        self.assertServes("v1")


if __name__ == "__main__":
    unittest.main(verbosity=2)
