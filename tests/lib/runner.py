"""`berth run` as an ordinary user: a home of its own, its output line by line, and what is left afterwards."""
import fcntl
import os
import pty
import re
import select
import signal
import subprocess
import termios
import threading
from pathlib import Path

from lib import processes
from lib.programs import BERTH, PATIENCE
from lib.waiting import wait_until

USER = 65534  # nobody


class Home:
    """What an ordinary user has: a home, a runtime folder, and no rights."""

    def __init__(self, folder):
        self.folder = Path(folder)
        for name in ("home", "rt"):
            (self.folder / name).mkdir(mode=0o700)
        self.own(self.folder)

    def own(self, path):
        for root, folders, files in os.walk(path):
            for name in [".", *folders, *files]:
                os.chown(os.path.join(root, name), USER, USER, follow_symlinks=False)

    def environment(self, **more):
        return {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(self.folder / "home"), "XDG_RUNTIME_DIR": str(self.folder / "rt"), "LANG": "C.UTF-8", **more}

    def start(self, *arguments, cwd, program=BERTH, terminal=False, env=None):
        return Running([str(program), *map(str, arguments)], cwd, self.environment(**(env or {})), terminal)

    def run(self, *arguments, cwd, env=None, timeout=60):
        """Runs `berth` with these arguments to its end."""
        return subprocess.run([str(BERTH), *map(str, arguments)], cwd=cwd, env=self.environment(**(env or {})), user=USER, group=USER, extra_groups=[],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout * PATIENCE, check=False)


def take_terminal(slave):
    """In the child: the terminal becomes its own, as that of a shell's foreground job."""
    os.setsid()
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)


def pieces_of(fd, ends):
    """What comes, piece by piece, until its end or that of `ends`, an event: who waits in read() keeps a file open that another closes."""
    while not ends.is_set():
        if not select.select([fd], [], [], 0.05)[0]:
            continue
        try:
            got = os.read(fd, 1 << 18)
        except OSError:  # a terminal that nobody has open any more
            return
        if not got:
            return
        yield got


class Running:
    """A runner at work, as an ordinary user; `lines` are what it has shown so far."""

    def __init__(self, command, cwd, environment, terminal):
        self.lines, self.raw, self.closed = [], b"", threading.Event()
        how = {"cwd": cwd, "env": environment, "user": USER, "group": USER, "extra_groups": []}
        if terminal:
            self.terminal, slave = pty.openpty()
            os.chown(os.ttyname(slave), USER, USER)
            self.process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, preexec_fn=lambda: take_terminal(0), **how)
            os.close(slave)
        else:
            self.terminal, writer = os.pipe()
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=writer, stderr=writer, start_new_session=True, **how)
            os.close(writer)
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        rest = b""
        for got in pieces_of(self.terminal, self.closed):
            self.raw += got
            *whole, rest = (rest + got).split(b"\n")
            self.lines += [line.decode(errors="replace").rstrip("\r") for line in whole]
        if rest:
            self.lines.append(rest.decode(errors="replace"))

    @property
    def text(self):
        return "\n".join(list(self.lines))

    def wait_for(self, pattern, count=1, seconds=20):
        """Waits for lines that a regular expression finds; returns the last of them."""
        def found():
            lines = [line for line in list(self.lines) if re.search(pattern, line)]
            return lines[-1] if len(lines) >= count else None
        try:
            return wait_until(found, f"'{pattern}' is shown", seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.text}") from None

    def of(self, name):
        """What an instance wrote, without its name in front."""
        return [line.split("|", 1)[1][1:] for line in list(self.lines) if re.match(rf"(\S+ )?{re.escape(name)} +\|", line)]

    def interrupt(self):
        """Ctrl-C: at a terminal it is typed."""
        self.process.send_signal(signal.SIGINT)

    def type(self, text):
        os.write(self.terminal, text)

    def close_terminal(self):
        """Nobody reads it any more: a terminal is closed, a pipe broken."""
        self.closed.set()
        self.reader.join()
        os.close(self.terminal)

    def end(self, seconds=30):
        """Waits for its end; its exit code."""
        try:
            code = self.process.wait(seconds * PATIENCE)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the runner does not end:\n{self.text}") from None
        self.reader.join(10)
        return code

    def kill(self):
        self.process.kill()
        self.process.wait()


def left_of(app):
    """Pids of keepers and of what they started, of this app; those of nobody else."""
    found = []
    for pid in processes.all_pids():
        if not processes.is_running(pid):
            continue
        try:
            name = os.path.basename(os.readlink(f"/proc/{pid}/exe"))
        except OSError:
            name = ""
        if processes.environment(pid).get("BERTH_APP") == app or name == "berth-keeper":
            found.append(pid)
    return found


def await_nothing_left(app, seconds=15):
    wait_until(lambda: not left_of(app), f"nothing of {app} is left", seconds)
