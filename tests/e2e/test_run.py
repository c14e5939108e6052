"""`berth run`: an app on a workstation, by an ordinary user; and that nothing of it is left, however it ends. `berth new` before it."""
import json
import os
import signal
import socket
import subprocess
import time
import unittest
from pathlib import Path

from lib import processes
from lib.case import BerthCase
from lib.load import one_request
from lib.programs import BERTH, TESTAPP
from lib.runner import USER, Home, await_nothing_left, left_of
from lib.sample_apps import Tree
from lib.waiting import wait_until

# Says what it is given, and what it is told.
APP = r"""#!/usr/bin/env python3
import os, signal, sys, time
name = os.environ["BERTH_INSTANCE"]
def on_term(number, frame):
    print("stopped by", number, flush=True)
    sys.exit(0)
for one in (signal.SIGTERM, signal.SIGQUIT):
    signal.signal(one, on_term)
print("begun", *sys.argv[1:], flush=True)
print("to stderr", file=sys.stderr, flush=True)
while True:
    time.sleep(0.05)
"""
WORKERS = """app = "shop"
[process.web]
command = ["bin/app", "${LEVEL}"]
after = ["base"]
stop = { signal = "QUIT", grace = "5s" }
[process.base]
command = ["bin/app", "base"]
[env.LEVEL]
required = true
description = "How much is told"
"""


class RunCase(BerthCase):
    def make_repo(self):
        return None

    def setUp(self):
        super().setUp()
        self.user = Home(self.folder)
        self.running = []
        self.addCleanup(lambda: await_nothing_left("shop"))
        self.addCleanup(lambda: [one.kill() for one in self.running if one.process.poll() is None])

    def tree(self, spec, **files):
        tree = Tree(self.folder / "shop", "shop").put("bin/app", APP, 0o755).spec(spec)
        for name, text in files.items():
            tree.put(name, text)
        self.user.own(tree.folder)
        return tree

    def put(self, tree, name, text, mode=0o644):
        tree.put(name, text, mode)
        os.chown(tree.folder / name, USER, USER)

    def start(self, tree, *arguments, **how):
        one = self.user.start("run", *arguments, cwd=tree.folder, **how)
        self.running.append(one)
        return one

    def refused(self, tree, *arguments, code=2, **how):
        got = self.user.run("run", *arguments, cwd=tree.folder, **how)
        self.assertEqual(got.returncode, code, got.stdout + got.stderr)
        return got.stderr


class Run(RunCase):
    def test_order_signals_and_environment_are_those_of_a_node(self):
        tree = self.tree(WORKERS)
        self.put(tree, ".env", "LEVEL=loud\nOTHER=1\n")
        one = self.start(tree, env={"SHELL_ONLY": "1", "NO_COLOR": "1"})
        one.wait_for(r"^web\.1  \| begun loud")
        one.wait_for(r"^web\.1  \| to stderr")
        self.assertIn("OTHER", one.wait_for(r"does not declare"))
        self.assertLess(one.lines.index(one.wait_for(r"base\.1 ready")), one.lines.index(one.wait_for(r"web\.1 started")), "it waits for what it comes after")
        (pid,) = [pid for pid in left_of("shop") if processes.environment(pid).get("BERTH_PROCESS") == "web"]
        environment = processes.environment(pid)
        self.assertEqual((environment["LEVEL"], environment["BERTH_ENV"], environment["BERTH_RELEASE"]), ("loud", "dev", "local"))
        self.assertFalse({"SHELL_ONLY", "OTHER", "XDG_RUNTIME_DIR"} & set(environment), environment)
        self.assertEqual(os.readlink(f"/proc/{pid}/cwd"), str(tree.folder))
        self.assertEqual(set(processes.uids(pid)), {USER})
        one.interrupt()
        self.assertEqual(one.end(), 0, one.text)
        self.assertIn("stopped by 3", one.of("web.1"))
        self.assertIn("stopped by 15", one.of("base.1"))
        self.assertLess(one.lines.index("web.1  | stopped by 3"), one.lines.index("base.1 | stopped by 15"), "what was started last is stopped first")
        self.assertEqual(left_of("shop"), [])
        self.assertEqual(list((self.folder / "rt/berth/run").iterdir()), [], "secrets and sockets are gone")
        # The log is a node's.
        logs = next((self.folder / "home/.local/state/berth/run").iterdir()) / "logs"
        told = self.user.run("logs", "shop/web", "--json", "--logs", logs, cwd="/")
        self.assertIn(("local", "begun loud", "stdout"), [(line["release"], line["text"], line["stream"]) for line in map(json.loads, told.stdout.splitlines())])

    def test_all_that_is_missing_is_told_before_anything_starts(self):
        tree = self.tree(WORKERS + '[env.TOKEN]\nsecret = true\nrequired = true\n')
        (tree.folder / "environments/dev").mkdir(parents=True)
        said = self.refused(tree)
        for word in ("shop requires 2 variables", "LEVEL (How much is told)", f"{tree.folder}/.env", f"{tree.folder}/environments/dev/env.toml", "TOKEN (a secret)"):
            self.assertIn(word, said)
        one = self.start(self.tree(WORKERS.replace('"bin/app", "base"', '"bin/ap"')), "--set", "LEVEL=1")
        self.assertEqual(one.end(), 3, one.text)
        one.wait_for(r"process base: 'bin/ap' is not in the build")

    def test_a_second_ctrl_c_kills_at_once(self):
        tree = self.tree('app = "shop"\n[process.web]\ncommand = ["bin/testapp", "--ignore-term"]\nstop = { grace = "1m" }\n')
        tree.program(TESTAPP, "testapp")
        one = self.start(tree, "--no-color")
        one.wait_for(r"web\.1 started")
        one.interrupt()
        one.wait_for(r"stopping")
        time.sleep(0.3)
        self.assertIsNone(one.process.poll(), "its grace is not over")
        one.interrupt()
        self.assertEqual(one.end(10), 0, one.text)
        one.wait_for(r"web\.1 stopped: it did not end within \S+ of being asked to, and was killed")
        self.assertEqual(left_of("shop"), [])

    def test_the_exit_code_is_that_of_a_process_that_failed(self):
        fails = 'app = "shop"\n[process.web]\ncommand = ["/bin/sh", "-c", "exit 7"]\nrestart = "never"\n[process.base]\ncommand = ["bin/app"]\n'
        one = self.start(self.tree(fails))
        self.assertEqual(one.end(), 7, one.text)
        one.wait_for(r"web\.1 exited with 7, and is not started again")
        one = self.start(self.tree(fails.replace('restart = "never"', 'restart = "always"').replace("exit 7", "kill -9 $$$$")))
        self.assertEqual(one.end(), 128 + 9, one.text)
        one.wait_for(r"ended five times within a minute")
        one = self.start(self.tree('app = "shop"\n[process.web]\ncommand = ["/bin/echo", "done"]\nrestart = "never"\n'))
        self.assertEqual(one.end(), 0, one.text)
        self.assertEqual(one.of("web.1"), ["done"])

    def test_hooks_run_where_a_deployment_has_them(self):
        tree = self.tree('app = "shop"\n[process.web]\ncommand = ["bin/app"]\n[hooks]\npre-start = ["/bin/echo", "first"]\npost-start = ["/bin/echo", "then"]\n'
                         'pre-stop = ["/bin/echo", "last"]\n')
        one = self.start(tree)
        one.wait_for(r"^post-start +\| then")
        one.interrupt()
        self.assertEqual(one.end(), 0, one.text)
        order = [one.lines.index(one.wait_for(pattern)) for pattern in (r"^pre-start +\| first", r"^web\.1 +\| begun", r"^post-start +\| then", r"^pre-stop +\| last", r"^web\.1 +\| stopped by 15")]
        self.assertEqual(order, sorted(order), one.text)
        tree.spec_replaced('"/bin/echo", "first"', '"/bin/false"')
        one = self.start(tree)
        self.assertEqual(one.end(), 1, one.text)
        one.wait_for(r"its pre-start hook exited with 1")
        self.assertEqual(one.of("web.1"), [])

    def test_templates_secrets_and_the_shape_of_another_environment(self):
        tree = self.tree('app = "shop"\n[process.web]\ncommand = ["/bin/sh", "-c", "cat $$BERTH_CONFIG_DIR/x.conf $$BERTH_SECRETS_DIR/TOKEN; echo; sleep 600"]\n'
                         '[env.LEVEL]\ndefault = "info"\n[env.TOKEN]\nsecret = true\n')
        for name, level in (("dev", "debug"), ("production", "warn")):
            self.put(tree, f"environments/{name}/env.toml", f'LEVEL = "{level}"\n[secrets]\nTOKEN = "file:/etc/shop/token"\n')
            self.put(tree, f"environments/{name}/files/x.conf.tmpl", "level=${LEVEL} rack=${node.labels.rack} token=${secret:TOKEN}\n")
        self.put(tree, ".env", "TOKEN='it is mine'\n")
        said = self.refused(tree, "--as", "production")
        self.assertIn("environments/production/files/x.conf.tmpl:1:21: ${node.labels.rack}", said)
        self.assertIn("with --label rack=VALUE", said)
        one = self.start(tree, "--as", "production", "--label", "rack=r7")
        one.wait_for(r"^web\.1 \| level=warn rack=r7 token=it is mine")
        one.wait_for(r'LEVEL: "debug" in dev, "warn" in production')
        one.interrupt()
        self.assertEqual(one.end(), 0)

    def test_what_changes_restarts_and_what_is_ignored_does_not(self):
        tree = self.tree(WORKERS)
        self.put(tree, ".env", "LEVEL=one\n")
        self.put(tree, ".berthignore", "data/\n")
        self.put(tree, "data/x", "")
        os.chown(tree.folder / "data", USER, USER)
        one = self.start(tree, "--watch")
        one.wait_for(r"^web\.1 +\| begun one")
        (tree.folder / "data/x").write_text("ignored")
        time.sleep(0.5)
        self.put(tree, ".env", "LEVEL=two\n")
        one.wait_for(r"^web\.1 +\| begun two")
        self.assertEqual(len([line for line in one.lines if "it is started again" in line]), 1, one.text)
        tree.spec("app = ")
        one.wait_for(r"berth.toml changed, and what runs stays as it is")
        tree.spec(WORKERS.replace('command = ["bin/app", "base"]', 'command = ["bin/app", "other"]'))
        one.wait_for(r"^base\.1 +\| begun other")
        one.wait_for(r"^web\.1 +\| begun two", 2)
        self.put(tree, "bin/app", "#!/bin/sh\nexit 3\n", 0o755)
        one.wait_for(r"base\.1 exited with 3")
        self.put(tree, "bin/app", APP, 0o755)
        one.wait_for(r"^web\.1 +\| begun two", 3)
        one.interrupt()
        self.assertEqual(one.end(), 0, one.text)

    def test_ports_are_the_apps_own_and_probes_ask_there(self):
        tree = self.tree('app = "shop"\n[process.web]\ncommand = ["bin/testapp", "--serve", "--port", "${PORT}"]\nport = 8080\ninstances = 2\n'
                         '[process.web.readiness]\nhttp = "/healthz"\nperiod = "100ms"\n[process.edge]\ncommand = ["bin/testapp", "--serve"]\nsocket = 8081\n')
        tree.program(TESTAPP, "testapp")
        one = self.start(tree)
        one.wait_for(r"web\.1 ready, at port 8080")
        one.wait_for(r"web\.2 ready, at port \d+")
        one.wait_for(r"edge\.1 ready, at port 8081")
        for port in (8080, 8081):
            self.assertEqual(one_request(port)[:2], (200, "local"))
        self.assertIn("shop runs here already", self.user.run("run", cwd=tree.folder).stderr.replace(str(tree.folder), "shop"))
        one.interrupt()
        self.assertEqual(one.end(), 0, one.text)
        one = self.start(tree, "--port", "9000", "-m", "web=1")
        one.wait_for(r"web\.1 ready, at port 9100")  # edge comes first
        one.interrupt()
        self.assertEqual(one.end(), 0, one.text)

    def test_a_procfile_alone(self):
        tree = Tree(self.folder / "shop", "shop").put("Procfile", "web: echo web at $PORT of $MINE $CALLERS; exec sleep 600\nwork_er: echo worker at $PORT; sleep 600 & wait\n")
        self.put(tree, ".env", "MINE=dotenv\n")
        one = self.start(tree, "--formation", "web=2,work_er=1", env={"CALLERS": "inherited"})
        one.wait_for(r"^web\.1 +\| web at 5000 of dotenv inherited")
        one.wait_for(r"^web\.2 +\| web at 5001")
        one.wait_for(r"^work-er\.1 +\| worker at 5100")
        one.wait_for(r"work-er\.1 ready; nothing listens at its port 5100 yet")
        one.interrupt()
        self.assertEqual(one.end(), 0, one.text)


class WhatIsTold(RunCase):
    """What goes wrong is told, once, with what to do; and exit codes say it, too."""

    def test_readiness_that_never_comes_once_and_with_its_reason(self):
        tree = self.tree('app = "shop"\n[process.web]\ncommand = ["bin/app"]\nport = 8080\n[process.web.readiness]\nhttp = "/"\nperiod = "100ms"\n'
                         '[process.base]\ncommand = ["bin/app"]\n[deploy]\nready_timeout = "2s"\n')
        one = self.start(tree)
        self.assertIn("readiness probe: ", one.wait_for(r"web\.1 is not ready: "))
        one.wait_for(r"base\.1 ready")
        time.sleep(2.5)
        self.assertEqual(len([line for line in one.lines if "is not ready" in line]), 1, one.text)
        one.interrupt()
        self.assertEqual(one.end(), 0, one.text)

    def test_a_start_does_not_go_on_after_what_ends_it(self):
        one = self.start(self.tree('app = "shop"\n[process.a]\ncommand = ["/bin/sh", "-c", "exit 3"]\nrestart = "never"\n'
                                   '[process.b]\ncommand = ["/bin/sleep", "600"]\ninstances = 40\n'))
        self.assertEqual(one.end(60), 3, one.text)
        self.assertNotIn("b.40 started", one.text)

    def test_a_folder_that_may_not_be_read_is_not_empty(self):
        tree = self.tree(WORKERS)
        bare = self.folder / "bare"
        Tree(bare, "bare").put("package.json", "{}")
        self.user.own(bare)
        for path, verb in ((tree.folder, "run"), (tree.folder / "berth.toml", "run"), (bare, "new"), (bare / "package.json", "new")):
            mode = path.stat().st_mode
            path.chmod(0)
            got = self.user.run(verb, tree.folder if verb == "run" else bare, cwd="/")
            self.assertEqual(got.returncode, 7, got.stdout + got.stderr)
            self.assertIn(f"{path}: Permission denied", got.stderr)
            path.chmod(mode)
        self.folder.chmod(0o600)
        for verb in ("run", "new"):
            self.assertEqual(self.user.run(verb, tree.folder, cwd="/").returncode, 7, "nor where it lies in one")
        self.folder.chmod(0o755)

    def test_options_that_mean_nothing_here(self):
        tree = self.tree(WORKERS)
        self.assertIn("--repo /x: . is a folder", self.refused(tree, "--repo", "/x"))
        for option in ("--ca-file", "--token-file", "--config", "--mirror", "--proxy"):
            self.assertIn(f"{option} /x: . is a folder", self.refused(tree, option, "/x"))
        self.assertIn("shop/production@v1 is a release", self.refused(tree, "shop/production@v1", "--environments", "x", "--repo", "/x"))
        self.assertIn("PORT comes from berth.toml", self.refused(tree, "--set", "PORT=1"))

    def test_a_port_that_is_taken_is_told_before_the_first_hook(self):
        tree = self.tree('app = "shop"\n[process.web]\ncommand = ["bin/app"]\nport = 8097\n[hooks]\npre-start = ["echo", "migrating"]\n')
        with socket.socket() as holder:
            holder.bind(("0.0.0.0", 8097))  # bound alone, as berthd keeps the public ports of its apps
            got = self.user.run("run", cwd=tree.folder)
        self.assertEqual(got.returncode, 8, got.stdout + got.stderr)
        self.assertIn("port 8097 is taken by another program", got.stdout + got.stderr)
        self.assertNotIn("migrating", got.stdout)

    def test_a_template_with_a_port_is_rendered_for_a_process_without_one_too(self):
        show = json.dumps(["/bin/sh", "-c", 'echo "it says $(cat "$BERTH_CONFIG_DIR/x.conf")"; sleep 100'])
        tree = self.tree(f'app = "shop"\n[process.web]\ncommand = {show}\nport = 8080\n[process.worker]\ncommand = {show}\n')
        self.put(tree, "environments/dev/env.toml", "")
        self.put(tree, "environments/dev/files/x.conf.tmpl", "listen ${PORT}\n")
        one = self.start(tree)
        one.wait_for(r"web\.1 +\| it says listen [1-9]\d+")
        one.wait_for(r"worker\.1 +\| it says listen 0")
        one.interrupt()
        self.assertEqual(one.end(), 0, one.text)

    def test_a_port_of_root_by_port_moves_up(self):
        if int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text()) <= 80:
            self.skipTest("everybody may have port 80 here")
        tree = self.tree('app = "shop"\n[process.web]\ncommand = ["bin/testapp", "--serve", "--port", "${PORT}"]\nport = 9000\n')
        tree.program(TESTAPP, "testapp")
        one = self.start(tree, "--port", "80")
        one.wait_for(r"port 8080 in the place of 80, which needs root")
        one.wait_for(r"web\.1 ready, at port 8080")
        one.interrupt()
        self.assertEqual(one.end(), 0, one.text)

    def test_an_output_that_cannot_be_written_is_an_error(self):
        tree = self.tree('app = "shop"\n[process.web]\ncommand = ["bin/app"]\n')
        with open("/dev/full", "w", encoding="utf-8") as full:
            got = subprocess.run([str(BERTH), "run"], cwd=tree.folder, env=self.user.environment(), user=USER, group=USER, extra_groups=[],
                                 stdin=subprocess.DEVNULL, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
        self.assertEqual(got.returncode, 1, got.stderr)
        self.assertIn("No space left on device", got.stderr)


class NothingIsLeft(RunCase):
    """Whatever becomes of the runner, no process of the app outlives it."""

    def begin(self, **how):
        tree = self.tree('app = "shop"\n[process.web]\ncommand = ["bin/testapp", "--grandchildren", "2"]\ninstances = 2\nstop = { grace = "2s" }\n'
                         '[process.polite]\ncommand = ["bin/app"]\n')
        tree.program(TESTAPP, "testapp")
        one = self.start(tree, **how)
        one.wait_for(r"web\.2 started")
        one.wait_for(r"polite\.1.*begun")
        wait_until(lambda: len(left_of("shop")) >= 3 + 3, "all of it runs")
        return tree, one

    def test_of_a_killed_runner_and_what_runs_next_finds_nothing(self):
        tree, one = self.begin()
        one.kill()
        again = self.start(tree)  # while the others may still be ending
        again.wait_for(r"web\.2 started")
        again.wait_for(r"^polite\.1 +\| begun")
        polite = {pid for pid in left_of("shop") if processes.environment(pid).get("BERTH_PROCESS") == "polite"}
        self.assertEqual(len(polite), 1, "that of before is not there beside it")
        again.kill()
        await_nothing_left("shop")
        logs = next((self.folder / "home/.local/state/berth/run").iterdir()) / "logs/shop/polite.1"
        self.assertIn("stopped by 15", "".join(path.read_text() for path in logs.iterdir()), "it was asked first")

    def test_of_secrets_once_any_app_is_run_again(self):
        tree = self.tree('app = "shop"\n[process.web]\ncommand = ["bin/testapp", "--ignore-term"]\nstop = { grace = "6s" }\n[env.TOKEN]\nsecret = true\n')
        tree.program(TESTAPP, "testapp")
        other = Tree(self.folder / "other", "other").spec('app = "other"\n[process.web]\ncommand = ["/bin/echo", "done"]\nrestart = "never"\n')
        self.user.own(other.folder)
        runs = self.folder / "rt/berth/run"
        one = self.start(tree, "--set", "TOKEN=hunter2")
        one.wait_for(r"web\.1 started")
        self.assertEqual(self.start(other).end(), 0)
        self.assertEqual([path.read_text() for path in runs.glob("*/instances/*/secrets/TOKEN")], ["hunter2"], "a run that goes on is left alone")
        one.kill()
        self.assertEqual(self.start(other).end(), 0)
        if left_of("shop"):
            self.assertTrue(list(runs.glob("*/instances/*/secrets/TOKEN")), "its app is still being stopped")
        await_nothing_left("shop")
        self.assertTrue(list(runs.glob("*/instances/*/secrets/TOKEN")), "nobody was there to remove it")
        self.assertEqual(self.start(other).end(), 0)
        self.assertEqual(list(runs.iterdir()), [])

    def test_of_a_closed_terminal(self):
        _tree, one = self.begin(terminal=True)
        one.close_terminal()
        self.assertEqual(one.process.wait(60), 0)
        self.assertEqual(left_of("shop"), [])

    def test_of_ctrl_c_typed_at_a_terminal_with_coloured_names(self):
        _tree, one = self.begin(terminal=True)
        one.type(b"\x03")
        self.assertEqual(one.end(), 0, one.text)
        self.assertEqual(left_of("shop"), [])
        self.assertRegex(one.raw, rb"\x1b\[\d+mweb\.1 +\|\x1b\[0m|\x1b\[\d+mpolite\.1 +\|\x1b\[0m")

    def test_of_an_output_that_nobody_reads_any_more(self):
        _tree, one = self.begin()
        one.close_terminal()
        self.assertEqual(one.process.wait(60), 0)
        self.assertEqual(left_of("shop"), [])

    def test_of_killed_keepers_and_runner_at_once(self):
        _tree, one = self.begin()
        for pid in left_of("shop"):
            if self.is_keeper(pid):
                os.kill(pid, signal.SIGSTOP)
        one.kill()
        for pid in left_of("shop"):
            if self.is_keeper(pid):
                os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not [pid for pid in left_of("shop") if processes.environment(pid).get("BERTH_PROCESS") == "polite"], "what they started directly is gone", 10)
        self.end_apps()  # children of such processes are nobody's to find


class Releases(BerthCase):
    """What was built and released runs here as it does on a node."""

    SPEC = 'app = "shop"\n[process.web]\ncommand = ["bin/app", "${LEVEL}"]\n[env.LEVEL]\ndefault = "info"\n[env.TOKEN]\nsecret = true\nrequired = true\n'

    def test_a_release_of_a_repository_and_a_build(self):
        user = Home(self.folder)
        tree = Tree(self.folder / "site", "shop").put("bin/app", APP, 0o755).spec(self.SPEC)
        self.repo.publish(tree, variables={"LEVEL": "warn"}, secrets={"TOKEN": "file:/etc/shop/token"}, files={"x.conf": "x"})
        os.system(f"chmod -R a+rX {self.folder}")
        missing = user.run("run", "shop/production@v1", "--repo", self.repo.folder, cwd="/")
        self.assertEqual(missing.returncode, 2, missing)
        self.assertIn("TOKEN (a secret)", missing.stderr)
        one = user.start("run", "shop@v1", "--as", "production", "--repo", self.repo.folder, "--set", "TOKEN=x", cwd="/")
        one.wait_for(r"^web\.1 +\| begun warn")
        (pid,) = processes.of_app("shop")
        environment = processes.environment(pid)
        self.assertEqual((environment["BERTH_RELEASE"], environment["BERTH_ENV"], environment["TOKEN"]), ("v1", "production", "x"))
        self.assertEqual(sorted(os.listdir(environment["BERTH_CONFIG_DIR"])), ["x.conf"])
        one.interrupt()
        self.assertEqual(one.end(), 0, one.text)
        self.assertIn(f"shop/production@v9 is not in {self.repo.folder}; the newest there: v", user.run("run", "shop/production@v9", "--repo", self.repo.folder, "--set", "TOKEN=x", cwd="/").stderr)
        # Without an environment it is of dev, and of ./repo without a repository.
        self.assertIn("dev is the environment where none is said: shop/production@v1, or --as production", user.run("run", "shop@v1", "--repo", self.repo.folder, "--set", "TOKEN=x", cwd="/").stderr)
        self.assertIn("there is none in ./repo here", user.run("run", "shop@v1", cwd="/").stderr)
        self.assertIn("dev is the environment where none is said", user.run("run", "shop@v1", "--set", "TOKEN=x", cwd=self.repo.folder.parent).stderr)
        os.system(f"chmod -R go-rwx {self.repo.folder}-keys")
        self.repo.publish(tree, "dev", variables={"LEVEL": "debug"}, secrets={"TOKEN": "file:/etc/shop/token"})
        os.system(f"chmod -R a+rX {self.folder}")
        one = user.start("run", "shop@v1", "--set", "TOKEN=x", cwd=self.repo.folder.parent)
        one.wait_for(r"^web\.1 +\| begun debug")
        one.interrupt()
        self.assertEqual(one.end(), 0, one.text)

        store = {"XDG_DATA_HOME": str(self.repo.home / "share")}
        one = user.start("run", "shop", "--set", "TOKEN=x", cwd="/", env=store)
        one.wait_for(r"^web\.1 +\| begun info")
        one.interrupt()
        self.assertEqual(one.end(), 0, one.text)
        self.assertEqual(user.run("run", "nothing", cwd="/", env=store).returncode, 3)
        await_nothing_left("shop")


class New(RunCase):
    def test_what_it_writes_runs(self):
        tree = Tree(self.folder / "shop", "shop").put("server.py", "import os, http.server\nprint('serving', flush=True)\n"
                                                      "http.server.HTTPServer(('', int(os.environ['PORT'])), http.server.SimpleHTTPRequestHandler).serve_forever()\n")
        self.user.own(tree.folder)
        made = self.user.run("new", cwd=tree.folder)
        self.assertEqual(made.returncode, 0, made.stderr)
        self.assertEqual(self.user.run("new", cwd=tree.folder).returncode, 8, "never over one that is there")
        one = self.start(tree)
        one.wait_for(r"web\.1 ready, at port 8000")
        self.assertEqual(one_request(8000)[0], 200)
        one.interrupt()
        self.assertEqual(one.end(), 0, one.text)


if __name__ == "__main__":
    unittest.main()
