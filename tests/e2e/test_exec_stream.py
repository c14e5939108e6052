"""One-off commands over a connection of the API: by frames of our own at the control socket and by TLS, and by `berth exec --node`."""
import hashlib
import os
import signal
import struct
import subprocess
import termios
import time
import unittest
from pathlib import Path

from lib import contract, processes
from lib.exec_stream import ALIVE, END, IN, RESIZE, SIGNAL, UNWANTED, WINDOW, Stream, over_tls, over_unix
from lib.programs import BERTH, PATIENCE, SLOWNESS
from lib.remote import PORT, RemoteCase
from lib.terminal import Terminal
from lib.waiting import wait_until


class StreamCase(RemoteCase):
    MORE = ""

    def setUp(self):
        super().setUp()
        self.publish(more=self.MORE)
        self.start()
        self.deploy(self.node, "v1")
        self.opened = []
        self.addCleanup(lambda: [one.close() for one in self.opened])

    def stream(self, *command, line=None, **body):
        one = Stream(line or over_unix(self.node.socket), command=list(command), **body)
        self.opened.append(one)
        return one

    def remote(self, *arguments, who="ops", **options):
        """`berth exec --node localhost …` with the certificate `who`, as a process."""
        env = {**os.environ, "BERTH_CA_FILE": str(self.pki.folder / "ca.pem"), "BERTH_CERTIFICATE_FILE": str(self.pki.folder / f"{who}.pem"),
               "BERTH_KEY_FILE": str(self.pki.folder / f"{who}.key"), "NO_COLOR": "1"}
        self.env = env
        return [BERTH, "exec", "--node", f"localhost:{PORT}", *arguments], {"env": env, **options}

    def run_remote(self, *arguments, who="ops", input=b"", expect=0):
        command, options = self.remote(*arguments, who=who)
        got = subprocess.run(command, input=input, capture_output=True, timeout=120 * PATIENCE, **options)
        self.assertEqual(got.returncode, expect, got)
        return got

    def data_of(self, kind):
        return [one["data"] for one in self.events_of(kind)]

    def assertGone(self, pid, seconds=15):
        wait_until(lambda: not processes.is_running(pid), "the command is gone", seconds)
        wait_until(lambda: not self.node.app()["execs"], "no one-off command is known")


class Frames(StreamCase):
    def test_files_and_the_exit_code_and_what_the_document_says(self):
        for line in (over_unix(self.node.socket), over_tls(self.pki, "ops", PORT)):
            body = {"command": ["sh", "-c", "cat; echo err >&2; exit 7"], "process": "web", "reason": "a look"}
            one = Stream(line, **body)
            self.opened.append(one)
            self.assertEqual((one.status, one.headers["upgrade"], one.headers["connection"], one.headers["berth-process"]), (101, "berth-exec", "Upgrade", "web"))
            contract.check("POST", "/v1/apps/web/exec", contract.json.dumps(body), 101, "", "", {"upgrade": "berth-exec"}, one.headers)
            one.type(b"hello")
            one.send(IN)
            self.assertEqual(one.ended(), 7)
            self.assertEqual((one.out, one.err, one.end[1]), (b"hello", b"err\n", ""))
        first, second = self.data_of("operator.exec")
        self.assertEqual((first["command"], first["why"], first["terminal"]), ("sh -c cat; echo err >&2; exit 7", "a look", False))
        self.assertIn("uid 0", first["by"])
        self.assertEqual(second["by"], "ops@example.org (certificate, from 127.0.0.1)")
        wait_until(lambda: len(self.events_of("exec.ended")) == 2, "both ends are told")
        self.assertEqual([one["result"] for one in self.data_of("exec.ended")], ["exited with 7"] * 2)

    def test_what_is_asked_otherwise_is_refused(self):
        plain = self.stream("true", upgrade=False)
        self.assertEqual((plain.status, plain.headers["upgrade"]), (426, "berth-exec"))
        contract.check("POST", "/v1/apps/web/exec", '{"command": ["true"]}', 426, plain.headers["content-type"], plain.buffer.decode())
        self.assertEqual(self.stream("true", process="web", number=9).json()["code"], "not_found")
        self.assertEqual(self.stream("true", app="nothing").status, 404)
        for who, why in (("watch", "needs the role operator"), ("ci", "needs the role operator"), ("stranger", "no [[api.client]]")):
            refused = self.stream("true", line=over_tls(self.pki, who, PORT))
            self.assertEqual(refused.status, 403)
            self.assertIn(why, refused.json()["detail"])
        missing = self.stream("no-such-program")
        self.assertEqual(missing.ended(), 127)
        self.assertIn("no-such-program", missing.end[1])
        self.assertEqual([one["command"] for one in self.data_of("operator.exec")], ["no-such-program"])

    def test_frames_that_are_wrong_end_the_command(self):
        wrong = [struct.pack(">BI", 0, (64 << 10) + 1), struct.pack(">BI", 77, 0), struct.pack(">BI", SIGNAL, 3) + b"FOO", struct.pack(">BI", RESIZE, 1) + b"x",
                 struct.pack(">BI", END, 4) + b"\0\0\0\0", struct.pack(">BI", IN, 0) + struct.pack(">BI", IN, 1) + b"x"]
        for bad in wrong:
            one = self.stream("sh", "-c", "echo $$; exec sleep 1000")
            pid = int(one.until(b"\n").out)
            one.line.sendall(bad)
            with self.assertRaises((EOFError, OSError)):
                one.ended()
            self.assertGone(pid)
        self.assertServes("v1")

    def test_who_sends_more_than_there_is_room_for_is_let_go_of(self):
        one = self.stream("sh", "-c", "echo $$; exec sleep 1000")
        pid = int(one.until(b"\n").out)
        with self.assertRaises((EOFError, OSError)):
            for _ in range(2 * WINDOW // 65536 + 4):  # a pipe's worth is taken besides
                one.send(IN, b"x" * 65536)
            one.ended()
        self.assertGone(pid)

    def test_a_reader_that_takes_nothing_stops_the_command_and_not_berthd(self):
        one = self.stream("sh", "-c", "echo $$; exec cat /dev/zero")
        pid = int(one.until(b"\n").out.split(b"\n")[0])
        before = memory_of(self.node.process.pid)
        time.sleep(2)
        written = written_by(pid)
        time.sleep(1)
        self.assertEqual(written_by(pid), written, "it waits")
        self.assertLess(memory_of(self.node.process.pid) - before, 8 << 20)
        one.send(SIGNAL, b"TERM")  # and hears all the same
        self.assertGone(pid)
        self.assertEqual(one.ended(), 143)

    def test_a_command_that_reads_nothing_hears_signals_all_the_same(self):
        one = self.stream("sh", "-c", "echo $$; exec sleep 1000")
        pid = int(one.until(b"\n").out)
        while one.room > 0:
            one.type(b"x" * min(65536, one.room))
        one.send(SIGNAL, b"INT")
        self.assertEqual(one.ended(), 130)
        self.assertGone(pid)

    def test_what_nobody_reads_any_more_ends_its_writer(self):
        one = self.stream("sh", "-c", "trap '' PIPE; yes || echo broken >&2; exit 3")
        one.until(b"y\n")
        one.send(UNWANTED, b"\1")
        self.assertEqual(one.ended(), 3)
        self.assertIn(b"broken\n", one.err)

    def test_a_terminal_of_that_size(self):
        one = self.stream("sh", "-c", "stty size; echo TERM=$TERM; test -t 0 && test -t 1 && test -t 2 && tty; read x; stty size; trap 'echo interrupted; exit 5' INT; echo ready; sleep 1000 & wait",
                          terminal=True, rows=33, columns=111, term="vt220")
        one.until(b"/dev/pts/")
        self.assertIn(b"33 111\r\nTERM=vt220\r\n", one.out)
        one.send(RESIZE, struct.pack(">HH", 25, 81))
        one.type(b"\n")
        one.until(b"25 81")
        one.until(b"ready")
        self.assertTrue(one.begun)
        one.type(b"\x03")
        one.until(b"interrupted")
        self.assertEqual((one.ended(), one.err), (5, b""))
        self.assertTrue(self.data_of("operator.exec")[0]["terminal"])

    def test_the_end_of_the_connection_is_that_of_the_command_and_all_that_it_began(self):
        for line in (over_unix(self.node.socket), over_tls(self.pki, "ops", PORT)):
            one = self.stream("sh", "-c", "trap '' TERM HUP; sleep 1000 & echo $!; wait", line=line)
            child = int(one.until(b"\n").out)
            one.line.close()
            self.assertGone(child)
        wait_until(lambda: len(self.events_of("exec.ended")) == 2, "both ends are told")
        self.assertEqual([one["result"] for one in self.data_of("exec.ended")], ["stopped"] * 2)

    def test_one_that_says_nothing_is_let_go_of_and_one_that_is_alive_is_not(self):
        silent, alive = (self.stream("sh", "-c", "echo $$; exec sleep 1000") for _ in range(2))
        pids = [int(one.until(b"\n").out) for one in (silent, alive)]
        began = time.monotonic()
        while time.monotonic() - began < 66:
            alive.send(ALIVE)
            time.sleep(2)
        wait_until(lambda: not processes.is_running(pids[0]), "the silent one is gone", 15)
        self.assertTrue(processes.is_running(pids[1]))
        seen = [alive.take() for _ in range(3)]
        self.assertEqual(seen, [ALIVE] * 3, "and is told that the node is")

    def test_how_many_at_once(self):
        many = [self.stream("sleep", "1000", line=over_tls(self.pki, "ops", PORT)) for _ in range(8)]
        self.assertEqual({one.status for one in many}, {101})
        refused = self.stream("true", line=over_tls(self.pki, "ops", PORT))
        self.assertEqual(refused.status, 503)
        self.assertIn("end another one", refused.json()["detail"])
        self.assertEqual(self.stream("true").ended(), 0, "who is here has places of their own")
        many[0].close()
        wait_until(lambda: self.stream("true", line=over_tls(self.pki, "ops", PORT)).status == 101, "a place is free again")

    def test_many_connections_let_go_of_none_that_runs_a_command(self):
        one = self.stream("sh", "-c", "echo begun; read x; echo got $x")
        one.until(b"begun")
        idle = [over_unix(self.node.socket) for _ in range(300)]
        self.addCleanup(lambda: [line.close() for line in idle])
        one.type(b"it\n")
        self.assertEqual(one.until(b"got it").ended(), 0)

    def test_a_berthd_that_is_killed_ends_the_command(self):
        """Unlike one that has its client's own files: what carried its bytes is gone."""
        one = self.stream("sh", "-c", "trap '' HUP PIPE; echo $$; while sleep 0.1; do :; done")
        pid = int(one.until(b"\n").out)
        self.node.kill()
        with self.assertRaises((EOFError, OSError)):
            one.ended()
        wait_until(lambda: not processes.is_running(pid), "its keeper ended it", 15)
        self.node.start()
        wait_until(lambda: self.events_of("exec.ended"), "its end is told")
        self.assertEqual(self.data_of("exec.ended")[0]["result"], "stopped")
        self.assertEqual(self.node.app()["execs"], [])


class ByTheCommandLine(StreamCase):
    def test_a_megabyte_each_way(self):
        data = os.urandom(1 << 20)
        there = self.run_remote("web", "--", "sha256sum", input=data)
        self.assertEqual(there.stdout.decode().split()[0], hashlib.sha256(data).hexdigest())
        back = self.run_remote("web/web.1", "--", "cat", input=data)
        self.assertEqual((hashlib.sha256(back.stdout).hexdigest(), back.stderr), (hashlib.sha256(data).hexdigest(), b""))

    def test_exit_codes(self):
        for code in (0, 1, 7, 125, 255):
            self.run_remote("web", "--", "sh", "-c", f"exit {code}", expect=code)
        self.run_remote("web", "--", "sh", "-c", "kill -USR1 $$", expect=128 + signal.SIGUSR1)
        self.assertIn(b"no-such-program", self.run_remote("web", "--", "no-such-program", expect=127).stderr)
        refused = self.run_remote("web", "--", "true", who="watch", expect=125)
        self.assertIn(b"needs the role operator", refused.stderr)
        self.assertEqual(self.events_of("operator.exec")[-1]["data"]["command"], "no-such-program")
        self.assertIn(b"no process 'worker'", self.run_remote("web/worker", "--", "true", expect=125).stderr)
        self.assertIn(b"has no instance web.7", self.run_remote("web/web.7", "--", "true", expect=125).stderr)
        self.assertIn(b"stdin and stdout are no terminal", self.run_remote("-t", "web", "--", "true", expect=2).stderr)

    def test_signals_and_empty_stdin(self):
        self.assertEqual(self.run_remote("-n", "web", "--", "cat", input=b"not this").stdout, b"")
        command, options = self.remote("web", "--", "sh", "-c", "trap 'echo got it; exit 9' TERM; echo begun; sleep 1000 & wait")
        client = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **options)
        self.addCleanup(client.communicate)
        self.assertEqual(client.stdout.readline(), "begun\n")
        client.send_signal(signal.SIGTERM)
        self.assertEqual(client.wait(20 * PATIENCE), 9)
        self.assertEqual(client.stdout.read(), "got it\n")

    def test_a_reader_that_ends_early(self):
        command, options = self.remote("web", "--", "sh", "-c", "yes; echo $? >&2")
        got = subprocess.run(["sh", "-c", '"$@" | head -n 3', "sh", *command], capture_output=True, timeout=60 * PATIENCE, **options)
        self.assertEqual(got.stdout, b"y\ny\ny\n")
        self.assertIn(got.stderr.strip().splitlines()[-1], (b"141", b"1"))

    def test_a_berthd_that_is_killed_is_told(self):
        command, options = self.remote("web", "--", "sh", "-c", "echo begun; exec sleep 1000")
        client = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)
        self.assertEqual(client.stdout.readline(), "begun\n")
        self.node.kill()
        out, err = client.communicate(timeout=30 * PATIENCE)
        self.assertEqual(client.returncode, 125)
        self.assertIn("how the command ended is not known", err)

    def test_at_a_terminal(self):
        command, options = self.remote("-it", "web", "--", "sh")
        terminal = Terminal(None, *command[1:], env={name: value for name, value in options["env"].items() if name.startswith("BERTH_")})
        terminal.type("stty size; echo TERM=$TERM; tty; test -t 0 && test -t 1 && test -t 2 && echo all three\n")
        terminal.until("40 120")
        # Until the node has told that the command has its terminal, Ctrl-C is a signal of the client, which passes it on.
        wait_until(lambda: terminal.read(0.02) and not terminal.modes() & (termios.ICANON | termios.ECHO | termios.ISIG), "what is typed goes through unchanged")
        terminal.until("TERM=vt220")
        terminal.until("\nall three")
        terminal.resize(25, 81)
        terminal.type("until [ \"$(stty size)\" = '25 81' ]; do sleep 0.05; done; echo it is $((20 + 5)) by 81\n")
        terminal.until("it is 25 by 81")
        terminal.type("sleep 1000\n")
        time.sleep(0.3 * SLOWNESS)
        terminal.type("\x03")
        terminal.type("echo interr''upted: $?; exit 6\n")
        terminal.until("interrupted: 130")
        self.assertEqual(terminal.ended(), 6)
        self.assertEqual(terminal.left & (termios.ICANON | termios.ECHO | termios.ISIG), termios.ICANON | termios.ECHO | termios.ISIG)

    def test_the_end_of_the_client_is_that_of_the_command(self):
        command, options = self.remote("web", "--", "sh", "-c", "trap '' TERM HUP; echo $$; sleep 1000")
        client = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **options)
        pid = int(client.stdout.readline())
        client.kill()
        client.communicate()
        self.assertGone(pid)


class OfAnInstance(StreamCase):
    MORE = '[process.web.sandbox]\nPrivateTmp = true\n'

    def test_it_sees_what_the_instance_sees_here_and_from_afar(self):
        (pid,) = self.node.pids().values()
        Path(f"/proc/{pid}/root/tmp/of-web-1").write_text("hers\n")
        port = processes.environment(pid)["PORT"]
        script = "cat /tmp/of-web-1; echo $PORT $BERTH_INSTANCE $TMPDIR; id -u; readlink /proc/self/ns/mnt"
        here = self.node.berth("exec", "web/web.1", "--", "sh", "-c", script).out
        there = self.run_remote("web/web.1", "--", "sh", "-c", script).stdout.decode()
        self.assertEqual(here, there)
        self.assertEqual([one["sees"] for one in self.data_of("operator.exec")], ["web/web.1@v1"] * 2)
        text, variables, uid, mounts = here.splitlines()
        self.assertEqual((text, uid), ("hers", str(processes.uids(pid)[0])))
        self.assertEqual(variables.split(), [port, "web/web.1", processes.environment(pid)["TMPDIR"]])
        self.assertEqual(mounts, os.readlink(f"/proc/{pid}/ns/mnt"))
        own = self.node.berth("exec", "web", "--", "sh", "-c", "ls /tmp; echo $PORT").out
        self.assertEqual(own, "\n", "a command of no instance has its own")
        self.node.berth("stop", "web/web.1")
        self.assertSays(self.node.berth("exec", "web/web.1", "--", "true", expect=125), "does not run", "berth exec web/web")


def memory_of(pid):
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) << 10 for line in status if line.startswith("VmRSS"))


def written_by(pid):
    with open(f"/proc/{pid}/io") as io:
        return next(int(line.split()[1]) for line in io if line.startswith("wchar"))


if __name__ == "__main__":
    unittest.main()
