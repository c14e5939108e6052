"""A publisher: a repository, its keys, a local build store and environments, all below one folder."""
import os
import shutil
import subprocess
from pathlib import Path

from lib.node import Done
from lib.programs import BERTH


class Repo:
    def __init__(self, folder, name="repo"):
        self.home = Path(folder) / f"{name}-publisher"
        self.home.mkdir(parents=True)
        self.folder = Path(folder) / name
        self.root = self.folder / "metadata" / "1.root.json"
        self.environments = self.home / "environments"
        made = self.berth("repo", "init", self.folder, "--json").json()
        self.keys = {key["role"]: Path(key["path"]) for key in made["keys"]}
        self.root = Path(made["root"])

    def copy_to(self, folder):
        """The same publisher and repository in another folder: made once, changed by each test for itself."""
        other = object.__new__(type(self))
        moved = {one: Path(folder) / one.name for one in (self.home, self.folder, self.keys["targets"].parent)}
        for old, new in moved.items():
            shutil.copytree(old, new, symlinks=True)
        other.home, other.folder, keys = moved.values()
        other.root = other.folder / self.root.relative_to(self.folder)
        other.environments = other.home / self.environments.relative_to(self.home)
        other.keys = {role: keys / path.name for role, path in self.keys.items()}
        return other

    @property
    def url(self):
        return f"file://{self.folder}"

    def berth(self, *arguments, expect=0, timeout=120):
        """Runs a publisher's verb; expects an exit code (None: any)."""
        env = {**os.environ, "HOME": str(self.home), "XDG_DATA_HOME": str(self.home / "share"), "NO_COLOR": "1", "BERTH_SOCKET": "/nonexistent"}
        got = subprocess.run([str(BERTH), *map(str, arguments)], stdin=subprocess.DEVNULL, capture_output=True, text=True, cwd=self.home, env=env,
                             timeout=timeout)
        done = Done(["berth", *map(str, arguments)], got.returncode, got.stdout, got.stderr)
        if expect is not None and done.code != expect:
            raise AssertionError(f"expected exit {expect}:\n{done}")
        return done

    def configure(self, environment="production", variables=None, secrets=None, files=None):
        """The configuration of an environment: replaces what was there."""
        folder = self.environments / environment
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "files").mkdir(parents=True)
        text = "".join(f'{name} = "{value}"\n' for name, value in (variables or {}).items())
        if secrets:
            text += "[secrets]\n" + "".join(f'{name} = "{value}"\n' for name, value in secrets.items())
        (folder / "env.toml").write_text(text)
        for name, content in (files or {}).items():
            (folder / "files" / name).write_text(content)

    def build(self, tree):
        """Makes a build; returns its digest."""
        return self.berth("build", tree, "--json").json()["build"]

    def release(self, app="web", environment="production", *options, **how):
        """Releases the latest build; returns the release's id."""
        if not (self.environments / environment).is_dir():
            self.configure(environment)
        done = self.berth("release", app, "--env", environment, "--repo", self.folder, "--environments", self.environments, "--json", *options, **how)
        return done.json()["release"]

    def point(self, channel, release, app="web", environment="production"):
        """Points a channel to a release."""
        return self.berth("channel", "set", channel, f"{app}/{environment}@{release}", "--repo", self.folder)

    def publish(self, tree, environment="production", **configuration):
        """Builds and releases a tree; returns the release's id."""
        if configuration or not (self.environments / environment).is_dir():
            self.configure(environment, **configuration)
        self.build(tree)
        return self.release(tree.app, environment)
