"""berthd, or a command, under berth-inject: one system call that is named fails, or the program is killed before it."""
import contextlib
import subprocess

from lib.programs import BERTH, INJECT


class Injected:
    """What is injected is armed while `armed()` lasts."""

    def __init__(self, node, folder):
        self.node, self.arm, self.trace = node, folder / "armed", folder / "trace"

    def options(self, like, number=1, error=None, lasts=False):
        at = ["--kill", str(number), "--like", like] if like else []
        failing = ["--error", error, "--lasts", "yes" if lasts else "no"] if error else []
        below = [part for name in ("state", "logs", "run") for part in ("--below", str(self.node.folder / name))]
        return [str(INJECT), "--arm", str(self.arm), "--trace", str(self.trace), *at, *failing, *below, "--"]

    def start(self, like, **fault):
        """Starts berthd; the call is the `number`-th of those whose text matches. Without an `error` berthd is killed there."""
        self.arm.unlink(missing_ok=True)
        self.node.prefix = self.options(like, **fault)
        self.node.start()
        self.node.prefix = []

    @contextlib.contextmanager
    def armed(self):
        self.arm.touch()
        try:
            yield
        finally:
            self.arm.unlink(missing_ok=True)

    def berth(self, *arguments, like, **fault):
        """The command, under injection; its exit code, negative where it was killed."""
        with self.armed():
            return subprocess.run([*self.options(like, **fault), str(BERTH), *map(str, arguments)], capture_output=True).returncode

    def calls(self, word):
        """What the trace has of calls of that name, in their order."""
        return [line.split(" ", 2)[2] for line in self.trace.read_text().splitlines() if f" {word} " in line]

    def was_hit(self):
        return any(line.endswith((" failed", " killed")) for line in self.trace.read_text().splitlines())
