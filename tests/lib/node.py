"""A node: its folders, its berthd, and the command line that drives it."""
import contextlib
import json
import os
import signal
import subprocess
from pathlib import Path

from lib import api, processes
from lib.programs import BERTH, BERTHD, KEEPER, PATIENCE, UNPACK
from lib.waiting import wait_until


class Done:
    """A command that ended."""

    def __init__(self, command, code, out, err):
        self.command, self.code, self.out, self.err = command, code, out, err

    @property
    def text(self):
        return self.out + self.err

    def json(self):
        return json.loads(self.out)

    def __str__(self):
        return f"$ {' '.join(self.command)}\n{self.out}{self.err}[exit {self.code}]"


class Node:
    """One berthd with folders of its own below `folder`. It is started by `start()`; apps outlive it, as they should."""

    def __init__(self, folder, repository, root, *, environment="production", name="node-1", metrics_port=9464, extra="", reserve="1MB", store=""):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.state, self.logs, self.run = (self.folder / part for part in ("state", "logs", "run"))
        self.socket = self.run / "api.sock"
        self.metrics_port = metrics_port
        self.log_file = self.folder / "berthd.log"
        self.config = self.folder / "berthd.toml"
        self.process = None
        self.prefix = []  # a program that berthd is run under
        self.passed = ()  # descriptors that it is given
        self.keeper = KEEPER
        self.environment = {}
        self.configure(f"""
node = "{name}"
environment = "{environment}"
[paths]
state = "{self.state}"
logs = "{self.logs}"
run = "{self.run}"
[repository]
url = "{repository}"
root = "{root}"
[metrics]
listen = "127.0.0.1:{metrics_port}"
[store]
reserve = "{reserve}"
{store}
[log]
level = "debug"
{extra}""")

    def configure(self, text):
        self.config.write_text(text.lstrip())

    # berthd itself

    def start(self, wait=True):
        assert self.process is None or self.process.poll() is not None, "berthd runs already"
        command = [*self.prefix, str(BERTHD), "--config", str(self.config), "--keeper", str(self.keeper), "--unpack", str(UNPACK)]
        with open(self.log_file, "ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=self.passed, env={**os.environ, **self.environment})
        if wait:
            self.wait_ready()
        return self

    def wait_ready(self, seconds=20):
        def ready():
            if self.process.poll() is not None:
                raise AssertionError(f"berthd ended with {self.process.returncode} instead of getting ready:\n{self.log_tail()}")
            try:
                return api.call(self.socket, "GET", "/readyz", timeout=2).status == 200
            except OSError:
                return False
        try:
            wait_until(ready, "berthd is ready", seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.log_tail()}") from None

    def kill(self):
        """SIGKILL, as a crash would."""
        self.process.kill()
        self.process.wait()

    def cut_power(self):
        """Nothing runs any more, not the apps nor what they left in memory; the disk is as it is."""
        apps = [pid for pid in self.pids().values() if pid]
        keepers = [processes.parent(pid) for pid in apps]
        self.kill()
        for pid in keepers + apps:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for file in (self.run / "keepers").iterdir():
            file.unlink()

    def stop(self, seconds=20):
        """SIGTERM; returns berthd's exit code."""
        if self.process is None:
            return 0
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(seconds * PATIENCE)
            except subprocess.TimeoutExpired:
                self.kill()
                raise AssertionError(f"berthd did not end within {seconds * PATIENCE} s of SIGTERM:\n{self.log_tail()}") from None
        return self.process.returncode

    def log_tail(self, lines=80):
        try:
            text = self.log_file.read_text(errors="replace").splitlines()
        except OSError:
            return "(berthd has no log)"
        return "\n".join(["--- the end of berthd's log", *text[-lines:], "---"])

    # the command line and the API

    def berth(self, *arguments, expect=0, timeout=120, quiet_check=False):
        """Runs `berth ARGUMENT…` against this node and expects an exit code (None: any)."""
        command = [str(BERTH), *map(str, arguments)]
        env = {**os.environ, "BERTH_SOCKET": str(self.socket), "BERTH_LOGS": str(self.logs), "NO_COLOR": "1"}
        got = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, env=env, timeout=timeout * PATIENCE)
        done = Done(["berth", *map(str, arguments)], got.returncode, got.stdout.decode(errors="replace"), got.stderr.decode(errors="replace"))
        if expect is not None and done.code != expect:
            raise AssertionError(f"expected exit {expect}:\n{done}\n{self.log_tail()}")
        return done

    def spawn(self, *arguments, **options):
        """Starts `berth ARGUMENT…` and does not wait."""
        env = {**os.environ, "BERTH_SOCKET": str(self.socket), "BERTH_LOGS": str(self.logs), "NO_COLOR": "1"}
        return subprocess.Popen([str(BERTH), *map(str, arguments)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                text=True, env=env, **options)

    def end_of(self, client, seconds=60):
        """The exit code of a `berth` that was spawned, and what it said."""
        try:
            out, err = client.communicate(timeout=seconds * PATIENCE)
        except subprocess.TimeoutExpired:
            client.kill()
            out, err = client.communicate()
            raise AssertionError(f"it did not end within {seconds * PATIENCE} s: {client.args}\n{out}{err}{self.log_tail()}") from None
        return Done(list(map(str, client.args)), client.returncode, out, err)

    def api(self, method, target, body=None, headers=None, timeout=70):
        return api.call(self.socket, method, target, body, headers, timeout)

    def status(self):
        return self.api("GET", "/v1/status").json()

    def app(self, name="web"):
        """The app as status tells it; None where there is none."""
        return next((app for app in self.status()["apps"] if app["app"] == name), None)

    def instances(self, name="web"):
        app = self.app(name)
        return app["instances"] if app else []

    def pids(self, name="web"):
        """Instance → pid of the app's process."""
        return {one["instance"]: one["pid"] for one in self.instances(name)}

    def active(self, name="web"):
        app = self.app(name)
        return app["active"] if app else ""

    def deployments(self, name="web"):
        """Newest first."""
        return self.api("GET", f"/v1/deployments?app={name}&limit=100").json()["deployments"]

    def events(self):
        """All of them, oldest first."""
        found, first = [], 1
        while True:
            page = self.api("GET", f"/v1/events?from={first}&limit=200").json()["events"]
            if not page:
                return found
            found += page
            first = page[-1]["number"] + 1

    def metrics(self):
        """GET /metrics as Prometheus asks it."""
        import urllib.request
        with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=30) as answer:
            return answer.read().decode()

    def wait_app(self, name="web", seconds=15, **expected):
        """Waits until the app's status has these values, such as `health="healthy"`."""
        def there():
            app = self.app(name)
            return app if app and all(app.get(key) == value for key, value in expected.items()) else None
        return wait_until(there, f"{name} is {expected}", seconds)

    def slot(self, release, name="web"):
        return self.state / "apps" / name / "slots" / release

    def current(self, name="web"):
        """The release that the symlink `current` names; None where there is no such link."""
        try:
            return Path(os.readlink(self.state / "apps" / name / "current")).name
        except OSError:
            return None

    def data(self, name="web"):
        return self.state / "apps" / name / "data"
