"""A power cut takes lines off logs that were shipped already: what is printed since reaches the sinks, no number stands for two lines, and what is torn is told."""
import collections
import os
import re
import subprocess
import unittest
import uuid

from lib import sample_apps
from lib.numbered_lines import NumberedLines
from lib.waiting import wait_until

BOOT_ID = "/proc/sys/kernel/random/boot_id"
BOOT_STEP = 1_000_000_000
LINES = 300
# As many lines at each start, so that what the cut took is soon made up for.
PRINTS = f"""#!/bin/sh
run=$(cat /proc/sys/kernel/random/uuid)
for i in $(seq {LINES}); do echo "$run line $i"; done
exec sleep 1000
"""


class CutLogs(NumberedLines):
    def setUp(self):
        super().setUp()
        self.addCleanup(subprocess.run, ["umount", BOOT_ID])
        self.node, self.runs = None, 0
        tree = sample_apps.Tree(self.folder / "site-web", "web").put("bin/prints", PRINTS, 0o755)
        self.repo.publish(tree.spec('app = "web"\n[process.web]\ncommand = ["bin/prints"]\n[deploy]\nbake = "0s"\n'))
        self.new_boot()
        self.node = self.make_node(extra=self.sink()).start()
        self.deploy(self.node, "v1")
        self.await_run()

    def new_boot(self):
        (self.folder / "boot_id").write_text(f"{uuid.uuid4()}\n")
        subprocess.run(["mount", "--bind", self.folder / "boot_id", BOOT_ID], check=True)

    def newest(self):
        return max((self.node.logs / "web" / "web.1").glob("*.log"))

    def cut_power(self, damage):
        """Nothing runs any more, and the disk has lost what `damage` takes of the newest log file; then it is started again."""
        self.node.cut_power()
        damage(self.newest())
        subprocess.run(["umount", BOOT_ID], check=True)
        self.new_boot()
        self.node.start()
        self.await_run()

    def await_run(self):
        """All lines of one more run of the app are shipped."""
        self.runs += 1

        def by_run():
            found = collections.defaultdict(list)
            for entry in self.entries():
                if match := re.fullmatch(r"(\S{36}) line (\d+)", entry["text"]):
                    found[match[1]].append(int(match[2]))
            return found
        wait_until(lambda: len(by_run()) >= self.runs and all(LINES in numbers for numbers in by_run().values()), f"run {self.runs} is shipped", 30)
        self.wait_shipped(self.node)
        self.assertEqual([numbers for numbers in by_run().values() if numbers != list(range(1, LINES + 1))], [])
        self.assertEqual(len(by_run()), self.runs)
        came = {}
        for entry in self.entries():
            self.assertEqual(came.setdefault(entry["sequence"], entry["text"]), entry["text"], "a number stands for one line")

    def test_what_is_printed_since_is_shipped_under_numbers_of_its_own(self):
        for number, left in enumerate([lambda size: size // 2 + 7, lambda size: 0, lambda size: size], 1):
            self.cut_power(lambda path, left=left: os.truncate(path, left(path.stat().st_size)))
            told = [entry for entry in self.entries() if entry["sequence"] == number * BOOT_STEP]
            self.assertEqual(len(told), 1)
            self.assertRegex(told[0]["text"], f"^berth-keeper: the machine was started since, .*; lines go on with number {number * BOOT_STEP}$")
            self.assertEqual(self.status_of(self.node)["lost"], 0, "the sink had all that the cut took")
        self.assertEqual([event for event in self.node.events() if event["kind"] == "logs.lost"], [])

    def test_what_is_torn_is_told(self):
        def tear(path):
            with open(path, "ab") as file:
                file.write(b"\0" * 50)
        self.cut_power(tear)
        torn = LINES + 1
        self.assertEqual([entry["sequence"] for entry in self.entries() if entry["text"] == f"berthd: lines {torn} to {torn} are missing here: a power cut or a crash tore them"], [torn])
        wait_until(lambda: any(event["kind"] == "logs.lost" for event in self.node.events()), "it is an event", 20)
        event = next(event["data"] for event in self.node.events() if event["kind"] == "logs.lost")
        self.assertEqual((event["sink"], event["instance"], event["first"], event["last"], event["lines"], event["torn"]), ("agent", "web/web.1", torn, torn, 1, True))
        self.assertEqual(self.status_of(self.node)["lost"], 1)


if __name__ == "__main__":
    unittest.main(verbosity=2)
