"""Apps that write numbered lines, and the count of what arrived of them."""
import importlib.util
import json
import os
import re
import struct

from lib import sample_apps
from lib.case import BerthCase
from lib.programs import SOURCE
from lib.waiting import wait_until

COUNT = int(os.environ.get("BERTH_TEST_LINES", "40000"))
BATCH = 400
A_LINE = 100  # bytes, of counting.py


def numbered_app():
    spec = importlib.util.spec_from_file_location("numbered", SOURCE / "tests/apps/numbered.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class NumberedLines(BerthCase):
    numbered = numbered_app()

    def tree(self, count=COUNT, pause=0.02, app="web", keep="512MiB", segment="64KiB", repeat=False):
        tree = sample_apps.Tree(self.folder / f"site-{app}", app).put("bin/numbered", (SOURCE / "tests/apps/numbered.py").read_text(), 0o755)
        words = ["bin/numbered", str(count), str(pause)] + ["repeat"] * repeat
        return tree.spec(f'app = "{app}"\n[process.web]\ncommand = {json.dumps(words)}\nstop = {{ grace = "5s" }}\n'
                         f'[deploy]\nbake = "200ms"\n[logs]\nsegment_bytes = "{segment}"\nkeep_bytes = "{keep}"\n')

    def sink(self, name="agent", path=None, more=""):
        path = path or self.folder / name / "all.jsonl"
        return f"""
[[sink]]
name = "{name}"
kind = "file"
path = "{path}"
rotate_bytes = "1MiB"
keep_files = 1000
batch_lines = {BATCH}
batch_wait = "100ms"
{more}
"""

    def entries(self, path=None):
        """All that the sink has, oldest first."""
        path = path or self.folder / "agent" / "all.jsonl"
        rotated = sorted((int(one.name.rsplit(".", 1)[1]), one) for one in path.parent.glob(path.name + ".*"))
        found = []
        for one in [file for _number, file in reversed(rotated)] + ([path] if path.exists() else []):
            text = one.read_text()
            for line in text[:text.rfind("\n") + 1].splitlines():
                found.append(json.loads(line))
        return found

    def lines(self, path=None):
        return [entry for entry in self.entries(path) if re.match(r"\d+($| )", entry["text"])]

    def status_of(self, node, name="agent"):
        return next(sink for sink in node.status()["sinks"] if sink["sink"] == name)

    def wait_shipped(self, node, seconds=60, name="agent"):
        """Until the sink has all that is there."""
        seen = []

        def is_done():
            seen.append(self.status_of(node, name))
            quiet = {(status["state"], status["shipped"]) for status in seen[-8:]}
            return len(seen) > 8 and len(quiet) == 1 and seen[-1]["state"] == "up to date"
        try:
            wait_until(is_done, "everything is shipped", seconds, every=0.15)
        except AssertionError as error:
            raise AssertionError(f"{error}; of the sink, first {seen[0]}, last {seen[-1]}") from None

    def written(self, node, app="web"):
        return (node.data(app) / "written").exists()

    def check_repeated(self, entries, count):
        """That of the lines that are all alike none is missing: in each instance's log every one has a number of its own."""
        text = self.numbered.REPEATED.decode()
        self.assertEqual(len({entry["sequence"] for entry in entries if entry["text"] == text}), count // 10)

    def check_numbers(self, lines, count, doubled_at_most):
        seen = {}
        for entry in lines:
            number = int(entry["text"].split(" ", 1)[0])
            seen[number] = seen.get(number, 0) + 1
            expected = self.numbered.line(number)
            text = expected.decode("utf-8") if number % 101 or number % 997 == 0 else None
            if text is not None:
                self.assertEqual(entry["text"], text)
            else:
                self.assertIn("\\xFE\\xFF", entry["text"])
        lost = [number for number in range(1, count + 1) if number not in seen]
        doubled = sum(seen.values()) - len(seen)
        self.progress(f"{count} lines: {len(lost)} lost, {doubled} doubled ({doubled_at_most} allowed)")
        self.assertEqual(lost[:20], [])
        self.assertEqual(set(seen) - set(range(1, count + 1)), set())
        self.assertLessEqual(doubled, doubled_at_most)
        by_sequence = {}
        for entry in lines:
            self.assertEqual(by_sequence.setdefault(entry["sequence"], entry["text"]), entry["text"], "a number stands for one line")
        return doubled


class CountedLines(NumberedLines):
    """An app that notes how many lines it has written (counting.py), so that it may be ended at any time."""

    def counting(self, *arguments, runs=1_000_000):
        tree = sample_apps.Tree(self.folder / "site-web", "web").put("bin/counting", (SOURCE / "tests/apps/counting.py").read_text(), 0o755)
        words = ", ".join(f'"{one}"' for one in ("bin/counting", *arguments))
        return tree.spec(f'app = "web"\n[process.web]\ncommand = [{words}]\nstop = {{ grace = "5s" }}\n[deploy]\nbake = "0s"\n[logs]\nsegment_bytes = "1MiB"\nkeep_bytes = "2GiB"\n'
                         f'[env.COUNTING_RUNS]\ndefault = "{runs}"\n')

    def note(self, run=1):
        """How many lines were taken from a run, and the microseconds of its fastest burst."""
        return struct.unpack("<QQ", (self.node.data() / f"run-{run}").read_bytes())

    def arrived(self, entries=None):
        """Run → numbers of its lines, in the order of the log."""
        found = {}
        for one in sorted(self.entries() if entries is None else entries, key=lambda one: one["sequence"]):
            match = re.fullmatch(r"run (\d+) line (\d+) x+", one["text"])
            if match and len(one["text"]) == A_LINE - 1:  # else it is half of a line: of an app that died
                found.setdefault(int(match[1]), []).append(int(match[2]))
        return found
