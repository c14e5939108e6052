"""`berth` at a terminal of its own, as a person has it, and what such a terminal shows."""
import fcntl
import os
import pty
import re
import select
import struct
import termios
import time

from lib.programs import BERTH, PATIENCE


class Terminal:
    """`berth ARGUMENT…` at a terminal of its own."""

    def __init__(self, node, *arguments, rows=40, columns=120, errors=None, kind="vt220", env=None):
        """`errors`: a file that stderr goes to; `env`: more variables."""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            if errors:
                os.dup2(os.open(errors, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), 2)
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
            here = {"BERTH_SOCKET": str(node.socket)} if node else {}
            os.execve(BERTH, ["berth", *arguments], {**os.environ, **here, "LC_ALL": "C.UTF-8", "TERM": kind, "NO_COLOR": "1", **(env or {})})
        self.seen = ""

    def type(self, text):
        os.write(self.fd, text.encode())

    def resize(self, rows, columns):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read(self, seconds):
        """What comes within this time is in `seen` then; False at the end of all."""
        if not select.select([self.fd], [], [], max(0, seconds))[0]:
            return True
        try:
            got = os.read(self.fd, 65536)
        except OSError:
            got = b""
        self.seen += got.decode(errors="replace")
        return bool(got)

    def until(self, words, seconds=20):
        end = time.monotonic() + seconds * PATIENCE
        while words not in self.seen:
            if time.monotonic() > end:
                raise AssertionError(f"no {words!r} in {self.seen!r}")
            if not self.read(end - time.monotonic()):
                raise AssertionError(f"the end came before {words!r}: {self.seen!r}")
        return self.seen

    def modes(self):
        """The terminal's settings of the line, as a shell would find them."""
        return termios.tcgetattr(self.fd)[3]

    def ended(self):
        """The exit code. What is still written meanwhile is read."""
        while self.read(60 * PATIENCE):
            pass
        code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        self.left = self.modes()
        os.close(self.fd)
        return code


SEQUENCE = re.compile(r"\x1b\[(\??)([0-9;]*)([A-Za-z])")


class Shown:
    """What a terminal of `rows` × `columns` shows after `text` was written to it: two screens, a cursor, and as many sequences as berth uses. Fails at others."""

    def __init__(self, text, rows=40, columns=120):
        self.rows, self.columns, self.modes = rows, columns, {"7": True, "25": True, "1049": False}
        self.screens = {False: self.blank(), True: self.blank()}
        self.row = self.column = self.wraps = 0
        at = 0
        while at < len(text):
            found = SEQUENCE.match(text, at)
            if found:
                self.obey(*found.groups())
                at = found.end()
                continue
            if text[at] == "\x1b":
                if SEQUENCE.match(text[at:] + "m"):
                    break  # the rest of it has not come yet
                raise AssertionError(f"no sequence that is known: {text[at:at + 12]!r}")
            self.write(text[at])
            at += 1

    def blank(self):
        return [[" "] * self.columns for _ in range(self.rows)]

    @property
    def screen(self):
        return self.screens[self.modes["1049"]]

    @property
    def lines(self):
        return ["".join(row).rstrip() for row in self.screen]

    @property
    def text(self):
        return "\n".join(self.lines).rstrip()

    def obey(self, private, numbers, what):
        if private:
            if what not in "hl" or numbers not in ("7", "25", "1049", "2026"):
                raise AssertionError(f"no mode that is known: ?{numbers}{what}")
            self.modes[numbers] = what == "h"
        elif what == "H":
            self.row = self.column = 0
        elif what == "K":
            self.screen[self.row][self.column:] = [" "] * (self.columns - self.column)
        elif what == "J":
            if numbers == "2":
                self.screens[self.modes["1049"]] = self.blank()
            else:
                self.obey("", "", "K")
                for row in range(self.row + 1, self.rows):
                    self.screen[row] = [" "] * self.columns
        elif what != "m":
            raise AssertionError(f"no sequence that is known: {numbers}{what}")

    def write(self, character):
        if character == "\r":
            self.column = 0
        elif character == "\n":
            if self.row + 1 == self.rows:
                self.screen.pop(0)
                self.screen.append([" "] * self.columns)
                self.wraps += 1
            self.row = min(self.row + 1, self.rows - 1)
        else:
            if self.column == self.columns:
                self.wraps += 1
                self.column -= 1
            self.screen[self.row][self.column] = character
            self.column += 1
