"""Cuts the power of a node again and again, while it fetches, unpacks, switches, bakes, reverts and collects; after each cut all must be whole.

usage: power_cut.py [--cuts N] [--states NAME,…]

The node is a Debian in user-mode Linux, whose disk is an image with ext4; killing its kernel loses what was not flushed. Its first process (tests/node/power-init) starts berthd, and
deploys v1, v2, v3, … for ever, of which every other one is bad and reverts by itself, and collects what is old. A second process of the app counts, syncs each number to its data, and
only then notes it outside. The power goes at a random moment of each state, N times in each. After each cut the next boot must find: what is active is well and answers, each slot has the
files that this program gave it, by sha256sum and by `berth verify`, the chain of events holds, nothing is in staging, no number is lost that was synced. At the end fsck and the
database's own check must be content, too. What the apps print goes to a file that is synced, and is compared with the log files that each boot found (shipped_lines.py).
"""
import argparse
import collections
import hashlib
import json
import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time

import checker
import shipped_lines
from lib import sample_apps, uml
from lib.repo import Repo

STATES = {"fetching": 0.03, "unpacking": 0.1, "switching": 0.2, "baking": 0.5, "reverting": 0.2, "collecting": 0.03}  # seconds within which the power goes
STATE = re.compile(r": web@v\d+: ([a-z]+)")  # in berthd's log
PATIENCE = 120.0  # seconds for a boot, and for a state to come
MOST_BOOTS = 4    # for each cut that is wanted
CONFIG = uml.CONFIG + """url = "file:///srv/repository"
[paths]
logs = "/var/lib/berth/logs"
[[sink]]
name = "kept"
kind = "file"
path = "/srv/shipped/all.jsonl"
rotate_bytes = "1GiB"
batch_wait = "200ms"
"""
# What it prints at its start is more than what any cut takes of its log.
COUNTER = """#!/bin/sh
run=$(cat /proc/sys/kernel/random/uuid)
for i in $(seq 500); do echo "$run begins, $i of 500"; done
n=$(tail -1 "$BERTH_DATA_DIR/written" 2>/dev/null)
n=${n:-0}
while :; do
  n=$((n + 1))
  echo $n >> "$BERTH_DATA_DIR/written"
  sync "$BERTH_DATA_DIR/written" && echo $n > /out/acked
  echo "$run counts $n"
  sleep 0.05
done
"""


class PoweredNode(uml.UmlCase):
    """UmlCase has how a node is made and loses its power; this is no test of unittest's."""
    CONFIG = CONFIG.replace('reserve = "1MB"', 'reserve = "1MB"\nkeep_releases = 1')
    runTest = None

    def install(self):
        self.install_berth()
        shutil.copy(uml.NODE / "power-init", self.tree / "usr/local/sbin/power-init")
        for folder in ("out/left", "expected", "var/lib/berth", "srv/shipped"):
            (self.tree / folder).mkdir(parents=True, exist_ok=True)
        (self.tree / "out/acked").write_text("0\n")
        (self.tree / "out/acked").chmod(0o666)

    def publish(self):
        """v1, v3, v5 are good; v2, v4, v6 end soon after they are current. Each has its own few hundred files."""
        repo = Repo(self.folder)
        repo.configure("production")
        for number in range(1, 7):
            tree = sample_apps.testapp(self.folder / "site", *([] if number % 2 else ["--exit-once-current", "100"]), routing="socket", bake="700ms", drain="300ms",
                                       note=str(number), more='[process.counter]\ncommand = ["bin/counter"]\nstop = { grace = "1s" }\n')
            tree.put("bin/counter", COUNTER, 0o755)
            for file in range(300):
                tree.put(f"share/{file}", random.Random(f"{number} {file}" if file % 3 else str(file)).randbytes(4000))
            repo.build(tree)
            repo.release("web", "production", *(["--no-patches"] if number % 3 else []))
            expected = {str(path.relative_to(tree.folder)): hashlib.sha256(path.read_bytes()).hexdigest()
                        for path in sorted(tree.folder.rglob("*")) if path.is_file() and path.name != "berth.toml"}
            (self.tree / f"expected/v{number}").write_text("".join(f"{digest}  {name}\n" for name, digest in expected.items()))
        self.bring(repo)

    def power_on(self, boot):
        (self.tree / "out/boot").write_text(str(boot))
        self.log = self.tree / f"out/boot-{boot}.berthd"
        with open(self.folder / "console", "w") as console:
            self.uml = subprocess.Popen(["linux.uml", "rootfstype=hostfs", "root=/dev/root", f"rootflags={self.tree}", "rw", "mem=512M", "init=/usr/local/sbin/power-init",
                                         "con=null", "con0=null,fd:1", "ssl=null", f"ubda={self.disk}"],
                                        stdin=subprocess.DEVNULL, stdout=console, stderr=console, cwd=self.folder, start_new_session=True)

    def wait(self, condition, what):
        end = time.monotonic() + PATIENCE
        while not condition():
            if self.uml.poll() is not None or time.monotonic() > end:
                raise AssertionError(f"{what} did not come to be\n{self.told()}")
            time.sleep(0.001)

    def told(self):
        texts = [*sorted((self.tree / "out").glob("boot-*"), key=lambda path: path.stat().st_mtime)[-2:]]
        return "\n".join(f"--- {path.name}\n{path.read_text(errors='replace')[-3000:]}" for path in [self.folder / "console", *texts])

    def check(self, boot):
        """What the node found after its boot: (the release that is active, seconds since its power came)."""
        began = time.monotonic()
        path = self.tree / f"out/check-{boot}.json"
        self.wait(path.exists, f"the check of boot {boot}")
        found = json.loads(path.read_text())
        if found["wrong"].strip():
            raise AssertionError(f"boot {boot}: {found['wrong']}\n{self.told()}")
        return found["active"], time.monotonic() - began

    def states(self):
        """Those that deployments came to since the node's check, in order."""
        return STATE.findall(self.log.read_text(errors="replace"))

    def cut_in(self, state):
        """Cuts the power at a random moment after a state began: the state that it was in then."""
        seen = self.states().count(state)
        self.wait(lambda: self.states().count(state) > seen, f"the state {state}")
        time.sleep(random.uniform(0, STATES[state]))
        os.killpg(self.uml.pid, signal.SIGKILL)
        self.uml.wait()
        return self.states()[-1]

    def power_off(self):
        """In order; then what is on the disk is looked at from here."""
        (self.tree / "out/stop").touch()
        self.await_power_off()
        subprocess.run(["e2fsck", "-fn", self.disk], check=True, capture_output=True)
        there = self.folder / "mounted"
        there.mkdir()
        subprocess.run(["mount", "-o", "loop,ro,noload", self.disk, there], check=True)
        try:
            copy = self.folder / "database"
            copy.mkdir()
            for path in there.glob("berth.db*"):
                shutil.copy(path, copy)
            with sqlite3.connect(copy / "berth.db") as database:
                assert database.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
                rows = {release for release, in database.execute("SELECT release FROM slots WHERE app = 'web'")}
                outbox = [number for number, in database.execute("SELECT number FROM outbox")]
            slots = {path.name for path in (there / "apps/web/slots").iterdir()}
            assert rows == slots, f"slots on the disk are {sorted(slots)}, in the database {sorted(rows)}"
            wrong = checker.event_troubles(there, outbox)
            assert not wrong, wrong
        finally:
            subprocess.run(["umount", there], check=True)
        left = sorted((self.tree / "out/left").iterdir())
        wrong, lines, starts = shipped_lines.troubles(self.tree / "out/shipped.jsonl", left)
        assert not wrong, "\n".join([f"{len(wrong)} lines do not agree:", *wrong[:20]])
        assert starts >= len(left) - 2, f"{len(left) - 1} boots, and the sink was told of {starts}"
        print(f"shipped: {lines} lines of {len(left)} looks at the disk are in the sink, each number for one line; {starts} starts of the machine are told", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cuts", type=int, default=20)
    parser.add_argument("--states", default=",".join(STATES))
    options = parser.parse_args()
    names = options.states.split(",")
    node = PoweredNode()
    node.setUp()
    node.publish()
    node.make_disk()
    cut, elsewhere, active, slowest, boot = dict.fromkeys(names, 0), collections.Counter(), [], 0.0, 0
    failed = False
    began = time.monotonic()
    try:
        while min(cut.values()) < options.cuts and boot < options.cuts * len(names) * MOST_BOOTS:
            # In turns, so that what one cut leaves is what another state begins with. A state that was just left counts as the one that came.
            name = min(names, key=lambda one: cut[one])
            boot += 1
            node.power_on(boot)
            release, took = node.check(boot)
            slowest = max(slowest, took)
            active.append(release)
            was = node.cut_in(name)
            if was in cut:
                cut[was] += 1
            else:
                elsewhere[was] += 1
            if boot % 10 == 0:
                print(f"{boot} boots: cut in {cut}, and in {dict(elsewhere)}; {time.monotonic() - began:.0f} s", flush=True)
        boot += 1
        node.power_on(boot)
        node.check(boot)
        node.power_off()
    except AssertionError as error:
        failed = True
        print(f"FAILED at boot {boot}: {error}", flush=True)
    finally:
        node.doCleanups()
    print(f"power cuts: {cut}, and {dict(elsewhere)} in other states; {boot} boots, each looked at; active then "
          f"{ {release: active.count(release) for release in sorted(set(active))} }; well at most {slowest:.1f} s after the power came; failures {int(failed)}", flush=True)
    sys.exit(1 if failed or any(number < options.cuts for number in cut.values()) else 0)


if __name__ == "__main__":
    main()
