"""Completion in real shells: a line is typed, completed by TAB, and what the shell made of it is looked at."""
import os
import pty
import re
import select
import shlex
import shutil
import signal
import time
import unittest

from lib import sample_apps
from lib.case import BerthCase
from lib.programs import BERTH, PATIENCE, SLOWNESS

SETUP = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], "args() {{ printf '<%s' \"$@\"; echo '>'; }}; PS1=; bind 'set bell-style none'; source {script}; echo rea''dy\n"),
    "zsh": (["zsh", "-f", "-i"], "args() {{ printf '<%s' \"$@\"; echo '>'; }}; PS1=; unsetopt beep; bindkey -e; autoload -U compinit; compinit -u -D; source {script}; echo rea''dy\n"),
    "fish": (["fish", "--no-config", "-i"], "function args; printf '<%s' $argv; echo '>'; end; source {script}; echo rea''dy\n"),
}


SLOW_TRIES = 20


def line_words(line, more):
    """What the shell makes of a line that nothing was added to but `more`."""
    return shlex.split(line + more)[1:]


class Shell:
    """An interactive shell at a terminal."""

    def __init__(self, name, script, env, folder):
        command, setup = SETUP[name]
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(folder)
            os.execvpe(command[0], command, env)
        self.seen = ""
        self.type(setup.format(script=script))
        self.until("ready")

    def type(self, text):
        os.write(self.fd, text.encode())

    def until(self, pattern, seconds=20):
        end = time.monotonic() + seconds * PATIENCE
        while not (found := re.search(pattern, self.seen)):
            if time.monotonic() > end:
                raise AssertionError(f"no {pattern!r} in {self.seen!r}")
            if select.select([self.fd], [], [], 0.1)[0]:
                got = os.read(self.fd, 65536).decode(errors="replace")
                if "\x1b[6n" in got:  # where is the cursor? fish waits for that
                    self.type("\x1b[1;1R")
                if "\x1b[c" in got or "\x1b[0c" in got:
                    self.type("\x1b[?62c")
                self.seen += got
        return found

    def completed(self, line):
        """The words of a line after TAB; what is open at its end is open."""
        self.seen = ""
        self.type(line + "\tX\x01args \n")  # X shows whether a space was put after the word
        return self.until(r"<(berth[^\r\n>]*)>").group(1).split("<")

    def end(self):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.fd)


class Completion(BerthCase):
    def setUp(self):
        super().setUp()
        self.node = self.make_node().start()
        self.repo.publish(sample_apps.testapp(self.folder / "site", note="1"))
        self.repo.build(sample_apps.testapp(self.folder / "site", note="2"))
        self.repo.release("web", "production", "--id", "nightly")
        self.repo.point("stable", "v1")
        self.deploy(self.node, "v1")
        programs, home = self.folder / "bin", self.folder / "home"
        (home / ".config/berth").mkdir(parents=True)
        (home / ".config/berth/nodes.toml").write_text('[edge-1]\naddress = "192.0.2.1"\n')
        programs.mkdir()
        (programs / "berth").symlink_to(BERTH)
        self.env = {"PATH": f"{programs}:/usr/bin:/bin", "HOME": str(home), "TERM": "xterm", "BERTH_SOCKET": str(self.node.socket), "LANG": "C.UTF-8",
                    "XDG_DATA_HOME": str(self.repo.home / "share")}

    def shell(self, name):
        if not shutil.which(name):
            self.skipTest(f"{name} is not installed")
        script = self.folder / f"completion.{name}"
        script.write_text(self.node.berth("completion", name).out)
        shell = Shell(name, script, self.env, self.folder)
        self.addCleanup(shell.end)
        return shell

    def check(self, name):
        shell = self.shell(name)
        table = {
            "berth dep": ["deploy", "X"],
            "berth repo ver": ["repo", "verify", "X"],
            "berth deploy --forc": ["deploy", "--force", "X"],
            "berth deploy we": ["deploy", "web@X"],  # goes on with the release
            "berth deploy web@n": ["deploy", "web@nightly", "X"],
            "berth deploy --reason 'a new one' web@n": ["deploy", "--reason", "a new one", "web@nightly", "X"],
            "berth revert web --to v": ["revert", "web", "--to", "v1", "X"],  # what is on the node
            "berth logs web --level=w": ["logs", "web", "--level=warning", "X"],
            "berth restart web/web.": ["restart", "web/web.1", "X"],
            "berth scale web/w": ["scale", "web/web=X"],
            "berth status --node edge": ["status", "--node", "edge-1", "X"],
            f"berth inspect --repo {self.repo.folder} web/production@n": ["inspect", "--repo", str(self.repo.folder), "web/production@nightly", "X"],
            f"berth channel set --repo {self.repo.folder} sta": ["channel", "set", "--repo", str(self.repo.folder), "stable", "X"],
            "berth build ./si": ["build", "./site/X"],
            "berth release w": ["release", "web", "X"],
        }
        for line, words in table.items():
            with self.subTest(line=line):
                got = shell.completed(line)
                for _ in range(SLOW_TRIES):  # on a slow machine nothing is offered in time, which says so
                    if got != ["berth", *line_words(line, "X")]:
                        break
                    got = shell.completed(line)
                self.assertEqual(got, ["berth", *words])

    def test_bash(self):
        self.check("bash")

    def test_zsh(self):
        self.check("zsh")

    def test_fish(self):
        self.check("fish")

    def test_a_berthd_or_a_node_that_says_nothing_is_not_waited_for(self):
        os.kill(self.node.process.pid, signal.SIGSTOP)
        try:
            for words in (["deploy", "w"], ["deploy", "web@"], ["--node", "edge-1", "status", ""]):
                began = time.monotonic()
                self.assertEqual(self.node.berth("complete", "--", *words).out, "")
                self.assertLess(time.monotonic() - began, 0.5 * SLOWNESS)
        finally:
            os.kill(self.node.process.pid, signal.SIGCONT)


if __name__ == "__main__":
    unittest.main()
