"""Kills the command line at each durable call of what publishers do, or lets that call fail; after each the repository must be whole, and the next publish work.

usage: publishing.py [--all] [--points N] [--what NAME,…] [--error ENOSPC|EIO|EROFS|EDQUOT|EMFILE [--lasts]]

A run without a fault records the calls below the repository, its keys, the store of builds and the folder that it is pushed to. Then, for each of them, the
same verb runs from the same state and is killed before the call is made. What a reader finds from timestamp.json on must be there and have its hashes, as read by
this program, which shares no code with berth; `berth repo verify` must say so, too; the verb must work when it is called again; and one more release be published,
and fetched by who has nothing but the first root. Without --all a spread of N points is taken of each verb.
"""
import argparse
import collections
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import points
from every_syscall import WORDS
from lib import sample_apps
from lib.keys import Keys
from lib.programs import BERTH, INJECT, PATIENCE
from lib.repo import Repo

DONE_ALREADY = (0, 3, 8)  # nothing to do, not there any more, there already


class Yard:
    """A publisher's folders in a given state, and what readers find."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.place = self.folder / "p"
        self.place.mkdir()
        self.repo = Repo(self.place)
        self.keys = Keys(self.place / "ci")
        self.served = self.place / "www"
        self.arm, self.trace = self.folder / "armed", self.folder / "trace"
        self.arm.touch()

    # what verbs need

    @property
    def web(self):
        return ("--env", "production", "--repo", self.repo.folder, "--environments", self.repo.environments)

    def build(self, note):
        tree = sample_apps.testapp(self.place / "site", note=note)
        for name in ("one", "two"):
            tree.put(f"share/{name}", (name * 5000) + note)
        self.repo.configure("production", files={"settings": note})
        self.repo.configure("qa", files={"settings": note})
        self.repo.build(tree)

    def release(self, note, *more):
        self.build(note)
        return self.repo.release("web", "production", *more)

    def hand_in(self, note):
        self.build(note)
        self.repo.release("web", "production", "--keys", self.place / "none", "--key", self.keys.private("web"))

    def save(self):
        self.pristine = self.folder / "pristine"
        subprocess.run(["cp", "-a", self.place, self.pristine], check=True)

    def restore(self):
        shutil.rmtree(self.place)
        subprocess.run(["cp", "-a", self.pristine, self.place], check=True)

    # a verb with a fault

    def run(self, command, point=None, error="", lasts=False):
        """(whether the point was reached, exit code, what was said)."""
        self.restore()
        at = ["--kill", str(point.time), "--like", point.pattern] if point else []
        if point and error:
            at += ["--error", error, "--lasts", "yes" if lasts else "no"]
        (self.folder / "tmp").mkdir(exist_ok=True)  # what dies leaves its temporary files
        env = {**os.environ, "TMPDIR": str(self.folder / "tmp"), "HOME": str(self.repo.home), "XDG_DATA_HOME": str(self.repo.home / "share"), "NO_COLOR": "1", "BERTH_SOCKET": "/nonexistent"}
        got = subprocess.run([str(INJECT), "--arm", str(self.arm), "--trace", str(self.trace), *at, "--below", str(self.place), "--", str(BERTH), *map(str, command)],
                             stdin=subprocess.DEVNULL, capture_output=True, text=True, cwd=self.repo.home, env=env, timeout=60 * PATIENCE)
        hit = any(line.endswith((" killed", " failed")) for line in self.trace.read_text().splitlines())
        return hit, got.returncode, got.stdout + got.stderr

    # what has to hold

    def assert_whole(self, folder):
        """What timestamp.json leads to is there, as it is told."""
        metadata = folder / "metadata"

        def read(name, about):
            content = (metadata / name).read_bytes()
            for kind, value in about.get("hashes", {}).items():
                assert hashlib.new(kind, content).hexdigest() == value, f"{name} is not what is signed for"
            assert len(content) == about.get("length", len(content)), f"{name} has another length"
            return json.loads(content)["signed"]
        timestamp = json.loads((metadata / "timestamp.json").read_bytes())["signed"]
        about = timestamp["meta"]["snapshot.json"]
        snapshot = read(f"{about['version']}.snapshot.json", about)
        listed = 0
        for name, about in snapshot["meta"].items():
            role = read(f"{about['version']}.{name}", about)
            assert role["version"] == about["version"], f"{name} has version {role['version']}, {about['version']} is signed for"
            for target, what in role.get("targets", {}).items():
                path, digest = Path(target), what["hashes"]["sha256"]
                content = (folder / "targets" / path.parent / f"{digest}.{path.name}").read_bytes()
                assert hashlib.sha256(content).hexdigest() == digest and len(content) == what["length"], target
                for blob in set(re.findall(r'"sha256": ?"([0-9a-f]{64})"', content.decode())):
                    data = (folder / "blobs/sha256" / blob).read_bytes()
                    assert hashlib.sha256(data).hexdigest() == blob, f"{target}: blob {blob} is not whole"
                listed += 1
        return listed

    def go_on(self, delegated):
        """One more release is published, and whoever has the first root gets it."""
        if delegated:
            self.hand_in("after")
            self.repo.berth("repo", "accept", self.repo.folder)
            release = self.repo.berth("releases", "web", "--repo", self.repo.folder, "--json").json()["releases"][-1]["release"]
        else:
            release = self.release("after")
        self.repo.berth("repo", "verify", self.repo.folder)
        self.assert_whole(self.repo.folder)
        fetched = self.place / "fetched.berth"
        self.repo.berth("export", f"web/production@{release}", "--repo", self.repo.url, "--root", self.repo.root, "-o", fetched)
        self.repo.berth("repo", "gc", self.repo.folder, "--grace", "0s")
        strays = [str(path) for path in self.repo.folder.rglob("*") if path.is_file() and (path.name.startswith(".") or ".tmp" in path.name) and path.name != ".lock"]
        assert not strays, f"left behind: {strays}"


def released_twice(yard):
    yard.release("one")
    yard.release("two")


def build_ready(yard):
    yard.release("one")
    yard.build("two")


def built(yard):
    """A folder to build, which is another than what was built."""
    yard.release("one")
    (yard.place / "site/NOTE").write_text("two")


def delegated(yard):
    yard.release("one")
    yard.keys.make("web")
    yard.repo.berth("repo", "delegate", yard.repo.folder, "web", "--key", yard.keys.public("web"))


def delegated_release(yard):
    delegated(yard)
    yard.build("two")


def handed_in(yard):
    delegated(yard)
    yard.hand_in("two")


def key_made(yard):
    yard.release("one")
    yard.keys.make("web")


def pushed_once(yard):
    yard.release("one")
    yard.repo.berth("repo", "push", yard.repo.folder, yard.served)
    yard.release("two")


def with_channel(yard):
    released_twice(yard)
    yard.repo.point("stable", "v1")


def much_to_remove(yard):
    for note in ("one", "two", "three"):
        yard.release(note)
    for number in range(3):
        (yard.repo.folder / "blobs/sha256" / (str(number) * 64)).write_text("nothing lists me")


# Name: (what is there before, the verb, whether web has a key of its own afterwards).
VERBS = {
    "build": (built, lambda yard: ("build", yard.place / "site"), False),
    "release": (build_ready, lambda yard: ("release", "web", *yard.web), False),
    "promote": (released_twice, lambda yard: ("promote", "web/production@v2", "--to", "qa", *yard.web[2:]), False),
    "channel": (with_channel, lambda yard: ("channel", "set", "stable", "web/production@v2", "--repo", yard.repo.folder), False),
    "refresh": (released_twice, lambda yard: ("repo", "refresh", yard.repo.folder), False),
    "rotate-timestamp": (released_twice, lambda yard: ("repo", "rotate", yard.repo.folder, "timestamp"), False),
    "rotate-targets": (released_twice, lambda yard: ("repo", "rotate", yard.repo.folder, "targets"), False),
    "rotate-root": (released_twice, lambda yard: ("repo", "rotate", yard.repo.folder, "root"), False),
    "delegate": (key_made, lambda yard: ("repo", "delegate", yard.repo.folder, "web", "--key", yard.keys.public("web")), True),
    "hand-in": (delegated_release, lambda yard: ("release", "web", *yard.web, "--keys", yard.place / "none", "--key", yard.keys.private("web")), True),
    "accept": (handed_in, lambda yard: ("repo", "accept", yard.repo.folder), True),
    "revoke": (handed_in, lambda yard: ("repo", "revoke", yard.repo.folder, "web", "--keep-releases"), False),
    "gc": (much_to_remove, lambda yard: ("repo", "gc", yard.repo.folder, "--grace", "0s", "--keep", "1"), False),
    "push": (pushed_once, lambda yard: ("repo", "push", yard.repo.folder, yard.served, "--prune", "--grace", "0s", "--keep", "1"), False),
}


def try_point(yard, verb, point, options, error):
    """Whether the call was reached, and how the verb ended."""
    _prepare, command_of, has_own_key = VERBS[verb]
    command = command_of(yard)
    hit, code, text = yard.run(command, point, error, options.lasts)
    if not hit:
        if code not in DONE_ALREADY:
            raise AssertionError(f"it ended with {code} without a fault\n{text}")
        return False, code
    if error and code != 0 and not any(word in text.lower() for word in WORDS[error]):
        raise AssertionError(f"it ended with {code}, and does not say {' or '.join(WORDS[error])}:\n{text}")
    for folder in (yard.repo.folder, yard.served):
        if folder.exists():
            yard.assert_whole(folder)
    if not verb.startswith("rotate"):  # which the next publisher finishes
        yard.repo.berth("repo", "verify", yard.repo.folder)
    again = yard.repo.berth(*command, expect=None)
    if again.code not in DONE_ALREADY:
        raise AssertionError(f"called again: {again}")
    for folder in (yard.repo.folder, yard.served):
        if folder.exists():
            yard.assert_whole(folder)
            yard.repo.berth("repo", "verify", folder)
    yard.go_on(has_own_key)
    return True, code


def examine(verb, options, error):
    folder = tempfile.mkdtemp(dir=os.environ.get("BERTH_TEST_DIR", "/run/t"))
    title = f"{verb}{', ' + error + (' that lasts' if options.lasts else '') if error else ''}"
    try:
        yard = Yard(folder)
        prepare, command_of, _ = VERBS[verb]
        prepare(yard)
        yard.save()
        _, code, text = yard.run(command_of(yard))
        assert code == 0, text
        trace = points.read_trace(yard.trace)
        named = points.points_of(trace)
        numbers = [number for number, (_, kind, call) in enumerate(trace, 1) if kind == "durable" and (not error or points.can_fail_with(error, kind, call))]
        durable = len(numbers)
        numbers = [options.only] if options.only else numbers if options.all else points.spread(numbers, options.points)
        if options.verbose:
            print("\n".join(f"  {number} {kind} {call}" for number, kind, call in trace))
        failures, unreached, codes = [], [], collections.Counter()
        for number in numbers:
            try:
                hit, code = try_point(yard, verb, named[number - 1], options, error)
                if hit:
                    codes[code] += 1
                else:
                    unreached.append(number)
            except Exception as trouble:  # whatever it is, the others are tried
                failures.append(number)
                print(f"FAILED at point {number}: {trace[number - 1][1:]}\n{type(trouble).__name__}: {trouble}", flush=True)
        hit = len(numbers) - len(unreached)
        print(f"{title}: durable calls in the trace {durable}, tried {len(numbers)}, {'failed' if error else 'killed'} {hit}, difference {len(unreached)}, "
              f"failures {len(failures)}; the verb ended with {dict(codes)}", flush=True)
        return not failures and not unreached and numbers
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--points", type=int, default=5)
    parser.add_argument("--what", default=",".join(VERBS))
    parser.add_argument("--only", type=int)
    parser.add_argument("--error", default="", help="several by commas; 'kill' among them: no error")
    parser.add_argument("--lasts", action="store_true")
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    good = [examine(verb, options, "" if error == "kill" else error) for error in options.error.split(",") for verb in options.what.split(",")]
    sys.exit(0 if all(good) else 1)


if __name__ == "__main__":
    main()
