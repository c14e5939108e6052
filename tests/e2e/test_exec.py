"""One-off commands: `berth exec` with pipes and with a terminal, what they are given, and what becomes of them when somebody goes away."""
import json
import os
import signal
import subprocess
import termios
import time
import unittest
from pathlib import Path

from lib import processes, sample_apps
from lib.case import BerthCase
from lib.programs import BERTH, PATIENCE, SLOWNESS
from lib.terminal import Terminal
from lib.waiting import wait_until

#: A program of the build, so that what is looked up there is told from what the node has.
CONSOLE = """#!/bin/sh
case "$1" in
  say) shift; echo "out $*"; echo "err $*" >&2 ;;
  env) env; echo "UID=$(id -u)"; echo "PWD=$(pwd)"; cat "$BERTH_CONFIG_DIR/app.conf"; cat "$BERTH_SECRETS_DIR/TOKEN"; touch x 2>/dev/null || echo SEALED ;;
  exit) exit "$2" ;;
  kill) kill -"$2" $$ ;;
esac
"""


class Exec(BerthCase):
    def setUp(self):
        super().setUp()
        self.secret = self.folder / "secret"
        self.secret.write_text("hush-hush")
        self.node = self.make_node().start()
        self.publish()
        self.deploy(self.node, "v1")

    def publish(self, note="1", more="", **options):
        self.repo.configure(variables={"GREETING": "hello"}, secrets={"TOKEN": f"file:{self.secret}"}, files={"app.conf.tmpl": "${GREETING} at ${PORT}\n"})
        tree = sample_apps.testapp(self.folder / "site", more="[env.GREETING]\n[env.TOKEN]\nsecret = true\n" + more, note=note, **options)
        tree.put("bin/console", CONSOLE, 0o755)
        self.repo.build(tree)
        self.repo.release()

    def exec(self, *arguments, expect=0, what="web"):
        return self.node.berth("exec", what, "--", *arguments, expect=expect)

    def events(self, kind):
        return [one["data"] for one in self.node.events() if one["kind"] == kind]

    def running(self):
        """One-off commands that berthd knows, by instance."""
        return {one["instance"]: one for one in self.node.app()["execs"]}

    def assertNothingLeft(self):
        wait_until(lambda: not self.running(), "no one-off command is known")
        self.assertEqual([path for path in (self.node.run / "exec").iterdir()] if (self.node.run / "exec").exists() else [], [])
        self.assertEqual(len(list((self.node.run / "instances").iterdir())), len(self.node.pids()), "its folders, in which there are secrets, are gone")
        self.assertEqual(len(list((self.node.run / "keepers").glob("*.sock"))), len(self.node.pids()))
        self.assertFalse((self.node.logs / "web" / "exec.1001").exists())

    # files and exit codes

    def test_stdout_and_stderr_stay_apart_and_the_exit_code_is_the_commands(self):
        done = self.exec("console", "say", "a b", "$HOME", "--json")
        self.assertEqual((done.out, done.err), ("out a b $HOME --json\n", "err a b $HOME --json\n"))
        for code in (0, 1, 7, 125, 255):
            self.exec("bin/console", "exit", str(code), expect=code)
        self.exec("console", "kill", "USR1", expect=128 + signal.SIGUSR1)
        self.exec("console", "kill", "KILL", expect=137)
        self.assertNothingLeft()
        self.assertIn('berth_execs_total{app="web",result="ok"} 2', self.node.metrics())

    def test_what_cannot_be_run_is_told_as_shells_tell_it(self):
        self.assertSays(self.exec("no-such-program", expect=127), "no-such-program")
        self.assertSays(self.exec("bin/no-such-program", expect=127), "is not in the build")
        self.assertSays(self.exec("console", expect=125, what="nothing"), "nothing is not on this node")
        self.assertSays(self.exec("console", expect=125, what="web/worker"), "no process 'worker'", "web")
        self.assertSays(self.node.berth("exec", "web@v9", "--", "console", expect=125), "web@v9 is not on this node")
        self.assertEqual(json.loads(self.node.berth("exec", "--json", "nothing", "--", "console", expect=125).err)["exit"], 125)
        self.assertSays(self.node.berth("exec", "web", expect=2), "COMMAND... is missing")
        self.node.berth("exec", "web", "--", "console", "exit", "3", expect=3)
        self.node.stop()
        self.assertSays(self.exec("console", expect=125), "berthd does not run")

    def test_it_has_what_an_instance_has_and_no_port(self):
        seen = self.exec("console", "env").out
        lines = dict(line.split("=", 1) for line in seen.splitlines() if "=" in line)
        (pid,) = self.node.pids().values()
        instance = processes.environment(pid)
        self.assertEqual(lines["UID"], str(processes.uids(pid)[0]))
        self.assertEqual(lines["PWD"], str(self.node.slot("v1") / "app"))
        self.assertEqual((lines["GREETING"], lines["TOKEN"], lines["BERTH_PROCESS"], lines["BERTH_INSTANCE"]), ("hello", "hush-hush", "web", "web/exec.1001"))
        for name in ("BERTH_APP", "BERTH_ENV", "BERTH_RELEASE", "BERTH_BUILD", "BERTH_NODE", "BERTH_DATA_DIR", "PATH", "LANG", "TZ"):
            self.assertEqual(lines[name], instance[name], name)
        self.assertFalse({name for name in lines if name.startswith("PORT") or name.startswith("LISTEN")})
        self.assertIn("hello at 0\n", seen)
        self.assertIn("hush-hush", seen)
        self.assertIn("SEALED", seen)
        self.assertNothingLeft()

    def test_who_ran_what_is_in_the_events_without_secrets(self):
        self.node.berth("exec", "web", "--reason", "a look", "--", "console", "say", "password=hush-hush")
        (begun,) = self.events("operator.exec")
        self.assertEqual((begun["instance"], begun["process"], begun["why"], begun["terminal"]), ("web/exec.1001@v1", "web", "a look", False))
        self.assertEqual(begun["command"], "console say password=***")
        self.assertIn("uid 0", begun["by"])
        wait_until(lambda: self.events("exec.ended"), "its end is told")
        (ended,) = self.events("exec.ended")
        self.assertEqual((ended["instance"], ended["result"]), ("web/exec.1001@v1", "exited with 0"))
        self.assertNotIn("hush-hush", json.dumps(self.node.events()) + self.node.log_file.read_text())

    def test_stdin_comes_through_whole_and_files_are_the_commands_own(self):
        text = os.urandom(3 << 20)
        (self.folder / "in").write_bytes(text)
        with open(self.folder / "in", "rb") as source, open(self.folder / "out", "wb") as target:
            env = {**os.environ, "BERTH_SOCKET": str(self.node.socket)}
            got = subprocess.run([BERTH, "exec", "web", "--", "cat"], stdin=source, stdout=target, stderr=subprocess.PIPE, env=env, timeout=180)
        self.assertEqual((got.returncode, got.stderr), (0, b""))
        self.assertEqual((self.folder / "out").read_bytes(), text)
        self.assertEqual((self.folder / "out").stat().st_uid, 0)
        piped = subprocess.run([BERTH, "exec", "web", "--", "sh", "-c", "cat; echo also > /dev/stdout"], input=text, stdout=subprocess.PIPE, env=env, timeout=180)
        self.assertEqual(piped.stdout, text + b"also\n")

    def test_another_release_that_is_on_the_node(self):
        self.publish(note="2")
        self.deploy(self.node, "v2")
        for arguments, release in ((["web"], "v2"), (["web@v1"], "v1"), (["web/web", "--release", "v1"], "v1")):
            done = self.node.berth("exec", *arguments, "--", "sh", "-c", "echo $BERTH_RELEASE; pwd")
            self.assertEqual(done.out.split(), [release, str(self.node.slot(release) / "app")])

    def test_it_runs_while_the_app_is_stopped_and_not_on_a_drained_node(self):
        self.node.berth("stop", "web")
        self.assertEqual(self.exec("echo", "still").out, "still\n")
        self.node.berth("node", "drain")
        self.assertSays(self.exec("true", expect=125), "drained")

    # who goes away

    @staticmethod
    def finish(client):
        client.kill()
        client.wait()
        for file in (client.stdin, client.stdout, client.stderr):
            if file:
                file.close()

    def spawn_sleeper(self, script="trap '' TERM HUP; echo begun; sleep 1000"):
        client = self.node.spawn("exec", "web", "--", "sh", "-c", script)
        self.addCleanup(self.finish, client)
        self.assertEqual(client.stdout.readline(), "begun\n")
        (instance,) = self.running()
        return client, instance, sleeper()

    def test_all_of_it_ends_with_its_client(self):
        client, _, sleeper = self.spawn_sleeper()
        client.kill()
        client.wait()
        wait_until(lambda: not processes.is_running(sleeper), "it is gone", 15)
        wait_until(lambda: self.events("exec.ended"), "its end is told")
        self.assertEqual(self.events("exec.ended")[0]["result"], "stopped: it did not end within 5s of being asked to, and was killed")
        self.assertNothingLeft()
        self.assertIn('berth_execs_total{app="web",result="stopped"} 1', self.node.metrics())

    def test_signals_are_the_commands(self):
        client, _, sleeper = self.spawn_sleeper("trap 'echo got it; exit 9' TERM; echo begun; sleep 1000 & wait")
        client.send_signal(signal.SIGTERM)
        self.assertEqual(client.wait(20 * PATIENCE), 9)
        self.assertEqual(client.stdout.read(), "got it\n")
        wait_until(lambda: not processes.is_running(sleeper), "nothing is left")

    def test_a_berthd_that_is_killed_disturbs_nobody_and_finds_it_again(self):
        env = {**os.environ, "BERTH_SOCKET": str(self.node.socket)}
        script = "echo begun; while read line; do echo got $line; done; exit 5"
        client = subprocess.Popen([BERTH, "exec", "web", "--", "sh", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env)
        self.addCleanup(self.finish, client)
        self.assertEqual(client.stdout.readline(), "begun\n")
        self.node.kill()
        client.stdin.write("one\n")
        client.stdin.flush()
        self.assertEqual(client.stdout.readline(), "got one\n")
        self.node.start()
        self.assertEqual(list(self.running()), ["web/exec.1001"])
        self.assertTrue(any((self.node.run / "instances").glob("*/secrets/TOKEN")))
        other = self.exec("console", "env").out
        self.assertIn("BERTH_INSTANCE=web/exec.1002\n", other)
        client.stdin.close()
        self.assertEqual(client.wait(20 * PATIENCE), 5)
        wait_until(lambda: len(self.events("exec.ended")) == 2, "both ends are told")
        self.assertEqual(sorted((one["instance"], one["result"]) for one in self.events("exec.ended")),
                         [("web/exec.1001@v1", "exited with 5"), ("web/exec.1002@v1", "exited with 0")])
        self.assertNothingLeft()

    def test_one_that_ends_while_berthd_is_away_is_told_to_its_client_then_and_to_the_history_later(self):
        client, _, sleeper = self.spawn_sleeper("echo begun; exec sleep 1000")
        self.node.kill()
        os.kill(sleeper, signal.SIGUSR2)
        self.assertEqual(client.wait(20 * PATIENCE), 128 + signal.SIGUSR2)
        self.node.start()
        wait_until(lambda: self.events("exec.ended"), "its end is told")
        self.assertEqual(self.events("exec.ended")[0]["result"], "killed by SIGUSR2")
        self.assertNothingLeft()

    def test_the_end_of_the_app_is_its_end(self):
        client, _, sleeper = self.spawn_sleeper()
        self.node.berth("remove", "web")
        self.assertEqual(client.wait(20 * PATIENCE), 137)
        self.assertIn("berthd stopped it", client.stderr.read())
        self.assertFalse(processes.is_running(sleeper))

    def test_a_drained_node_has_none(self):
        client, _, sleeper = self.spawn_sleeper("echo begun; exec sleep 1000")
        self.node.berth("node", "drain")
        self.assertEqual(client.wait(20 * PATIENCE), 143)
        self.assertFalse(processes.is_running(sleeper))

    def test_no_copy_of_the_data_is_made_while_one_may_write_them(self):
        self.publish(note="2", strategy="recreate", more="[data]\nsnapshot = true\n")
        client, _, _ = self.spawn_sleeper("echo begun; exec sleep 1000")
        self.assertSays(self.deploy(self.node, "v2", "web", 1), "a one-off command runs (exec.1001 of root", "let it end")
        self.assertEqual(self.node.active(), "v1")
        self.assertIsNone(client.poll())
        client.kill()
        wait_until(lambda: not self.running(), "it is gone")
        self.deploy(self.node, "v2")
        self.assertEqual(len(self.node.app()["data_copies"]), 1)

    # terminals

    def test_at_a_terminal_it_has_one_of_that_size_and_the_terminal_is_restored(self):
        terminal = Terminal(self.node, "exec", "web", "--", "sh")
        terminal.type("stty size; echo TERM=$TERM; tty; exec 9< /dev/tty; test -t 0 && test -t 1 && test -t 2 && echo all three\n")
        terminal.until("40 120")
        self.assertFalse(terminal.modes() & (termios.ICANON | termios.ECHO | termios.ISIG), "what is typed goes through unchanged")
        terminal.until("TERM=vt220")
        terminal.until("/dev/pts/")
        terminal.until("\nall three")
        terminal.resize(25, 81)
        # The command hears of it a moment later.
        terminal.type("until [ \"$(stty size)\" = '25 81' ]; do sleep 0.05; done; echo it is $((20 + 5)) by 81\n")
        terminal.until("it is 25 by 81")
        terminal.type("exit 6\n")
        self.assertEqual(terminal.ended(), 6)
        self.assertEqual(terminal.left & (termios.ICANON | termios.ECHO | termios.ISIG), termios.ICANON | termios.ECHO | termios.ISIG)
        wait_until(lambda: self.events("exec.ended"), "its end is told")
        self.assertTrue(self.events("operator.exec")[0]["terminal"])
        self.assertNothingLeft()

    def test_ctrl_c_interrupts_the_command_and_not_its_client(self):
        terminal = Terminal(self.node, "exec", "web", "--", "sh", "-c", "trap 'echo interrupted; exit 4' INT; echo ready; while :; do sleep 0.05; done")
        terminal.until("ready")
        terminal.type("\x03")
        terminal.until("interrupted")
        self.assertEqual(terminal.ended(), 4)
        self.assertNothingLeft()

    def test_errors_that_go_to_a_file_go_there_at_a_terminal_too(self):
        errors = self.folder / "errors"
        terminal = Terminal(self.node, "exec", "web", "--", "sh", "-c", "[ -t 0 ] && [ -t 1 ] && [ ! -t 2 ] && console say hello", errors=errors)
        self.assertEqual(terminal.ended(), 0, terminal.seen)
        self.assertIn("out hello", terminal.seen)
        self.assertNotIn("err hello", terminal.seen)
        self.assertEqual(errors.read_text(), "err hello\n")
        self.assertEqual(errors.stat().st_uid, os.getuid(), "it is its owner's still")

    def test_a_terminal_that_is_closed_ends_the_command(self):
        terminal = Terminal(self.node, "exec", "web", "--", "sh", "-c", "echo begun; sleep 1000")
        terminal.until("begun")
        command = sleeper()
        os.close(terminal.fd)
        os.waitpid(terminal.pid, 0)
        wait_until(lambda: not processes.is_running(command), "it is gone")
        self.assertNothingLeft()

    def test_with_no_terminal_stdout_and_stderr_are_pipes_at_a_terminal_too(self):
        terminal = Terminal(self.node, "exec", "-T", "web", "--", "sh", "-c", "test -t 1 || echo no terminal; read x; echo got $x; exit 2")
        terminal.until("no terminal")
        terminal.type("a line\n")
        terminal.until("got a line")
        self.assertEqual(terminal.ended(), 2)
        empty = Terminal(self.node, "exec", "-n", "web", "--", "sh", "-c", "cat; test -t 0 || echo empty")
        empty.until("empty")
        self.assertEqual(empty.ended(), 0)


def sleeper():
    """The pid of the one command that sleeps, once it does."""
    def found():
        return [pid for pid in processes.all_pids() if cmdline(pid) == b"sleep\x001000\x00"]
    (pid,) = wait_until(found, "the command sleeps")
    return pid


def cmdline(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""



class TakenBack(BerthCase):
    """A command whose secrets take their time, and whose client does not wait for it."""

    def setUp(self):
        super().setUp()
        self.slow, self.asked = self.folder / "slow", self.folder / "asked"
        program = self.folder / "token"
        program.write_text(f"#!/bin/sh\ntouch {self.asked}\nwhile [ -e {self.slow} ]; do sleep 0.05; done\necho hush\n")
        program.chmod(0o755)
        self.node = self.make_node(extra=f'[secrets]\ncommands = ["{program}"]\n').start()
        self.repo.configure(secrets={"TOKEN": f"command:{program}"})
        tree = sample_apps.testapp(self.folder / "site", more="[env.TOKEN]\nsecret = true\n")
        self.repo.build(tree)
        self.deploy(self.node, self.repo.release())
        self.asked.unlink()
        self.slow.touch()
        self.addCleanup(self.slow.unlink, missing_ok=True)

    def assertTakenBack(self):
        wait_until(lambda: [one for one in self.node.events() if one["kind"] == "exec.ended"] or self.slow.exists() and self.slow.unlink(), "it was taken back")
        (end,) = [one["data"] for one in self.node.events() if one["kind"] == "exec.ended"]
        self.assertIn("took it back before it began", end["result"])
        self.assertEqual(self.node.app()["execs"], [])

    def test_by_ctrl_c_at_a_terminal(self):
        terminal = Terminal(self.node, "exec", "web", "--", "sh", "-c", "echo it ran")
        before = terminal.modes()
        wait_until(self.asked.exists, "its secret is asked for")
        began = time.monotonic()
        terminal.type("\x03")
        self.assertEqual(terminal.ended(), 130, terminal.seen)
        self.assertLess(time.monotonic() - began, 5 * SLOWNESS)
        self.assertTrue(self.slow.exists(), "nobody waited for the secret")
        self.assertNotIn("it ran", terminal.seen)
        self.assertEqual(terminal.left & termios.ISIG, before & termios.ISIG)
        self.assertTakenBack()

    def test_by_a_signal_and_by_going_away(self):
        client = self.node.spawn("exec", "-n", "web", "--", "sh", "-c", "echo it ran")
        wait_until(self.asked.exists, "its secret is asked for")
        began = time.monotonic()
        client.send_signal(signal.SIGTERM)
        out, err = client.communicate(timeout=20 * SLOWNESS)
        self.assertLess(time.monotonic() - began, 5 * SLOWNESS, "whoever reads its output sees its end too")
        self.assertTrue(self.slow.exists(), "nobody waited for the secret")
        self.assertEqual((client.returncode, out), (143, ""), err)
        self.assertIn("before it began", err)
        self.assertTakenBack()


if __name__ == "__main__":
    unittest.main()
