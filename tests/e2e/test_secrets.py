"""Secrets: the app gets them, and nothing else does."""
import base64
import hashlib
import os
import resource
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

from lib import processes, sample_apps
from lib.case import BerthCase
from lib.programs import PATIENCE
from lib.sample_apps import Tree
from lib.waiting import wait_until

# Tells what it got by digests alone, so that its own log may be searched as well.
APP = """#!/bin/sh
digest() { sha256sum | cut -d' ' -f1; }
for name in FROM_FILE FROM_CREDENTIAL FROM_ENV FROM_COMMAND; do
  eval "value=\\$$name"
  echo "environment $name $(printf %s "$value" | digest)"
  echo "file $name $(digest <"$BERTH_SECRETS_DIR/$name")"
done
echo "template $(digest <"$BERTH_CONFIG_DIR/app.conf")"
echo "modes $(stat -c '%a %u %F' "$BERTH_SECRETS_DIR" "$BERTH_SECRETS_DIR/FROM_FILE" "$BERTH_CONFIG_DIR/app.conf" | tr '\\n' ',') as $(id -u)"
echo "told everything"
exec sleep 100000
"""
NAMES = ("FROM_FILE", "FROM_CREDENTIAL", "FROM_ENV", "FROM_COMMAND")
TEMPLATE = "".join(f"{name} = ${{secret:{name}}}\n" for name in NAMES)


def vault(folder, note="1", size=0):
    text = 'app = "vault"\n[process.main]\ncommand = ["bin/app"]\nstop = { signal = "TERM", grace = "2s" }\n'
    text += '[deploy]\nstrategy = "recreate"\nbake = "100ms"\nready_timeout = "5s"\n'
    text += "".join(f"[env.{name}]\nrequired = true\nsecret = true\n" for name in NAMES)
    return Tree(folder, "vault").put("bin/app", APP, 0o755).put("NOTE", note).put("noise", os.urandom(size)).spec(text)


class Secrets(BerthCase):
    def setUp(self):
        super().setUp()
        # Cores of whatever may write one.
        _soft, most = resource.getrlimit(resource.RLIMIT_CORE)
        resource.setrlimit(resource.RLIMIT_CORE, (most, most))
        self.outside = self.folder / "outside"  # where the secrets come from: no folder of the node
        self.outside.mkdir()
        (self.outside / "credentials").mkdir()
        self.program = self.outside / "get-secret"
        self.program.write_text(f'#!/bin/sh\necho "asked for $*" >>{self.outside}/asked\ncat {self.outside}/command-value\n')
        self.program.chmod(0o755)
        self.planted = {name: secrets.token_hex(24) for name in NAMES}
        self.plant()
        self.references = {"FROM_FILE": f"file:{self.outside}/file", "FROM_CREDENTIAL": "credential:vault", "FROM_ENV": "env:PLANTED",
                           "FROM_COMMAND": f"command:{self.program} vault/key now"}
        self.repo.configure(secrets=self.references, files={"app.conf.tmpl": TEMPLATE})

    def plant(self):
        (self.outside / "file").write_text(self.planted["FROM_FILE"] + "\n")
        (self.outside / "credentials" / "vault").write_text(self.planted["FROM_CREDENTIAL"])
        (self.outside / "command-value").write_text(self.planted["FROM_COMMAND"] + "\n")

    def make_node(self, *arguments, commands=True, policy="", **options):
        allowed = f'commands = ["{self.program}"]' if commands else ""
        node = super().make_node(*arguments, extra=f"[secrets]\n{allowed}\n{policy}", **options)
        node.environment = {"CREDENTIALS_DIRECTORY": str(self.outside / "credentials"), "PLANTED": self.planted["FROM_ENV"]}
        return node

    def started(self, size=0):
        self.repo.publish(vault(self.folder / "app", size=size))
        node = self.make_node().start()
        node.berth("deploy", "vault@v1")
        return node

    # what the app got

    def told(self, node):
        """What the newest process of the app printed."""
        lines = node.berth("logs", "vault", "--raw").out.splitlines()
        ends = [at for at, line in enumerate(lines) if line.strip() == "told everything"]
        return "\n".join(lines[(ends[-2] + 1 if len(ends) > 1 else 0):ends[-1]]) if ends else ""

    def assertAppHasThem(self, node):
        def digest(text):
            return hashlib.sha256(text.encode()).hexdigest()
        expected = [f"environment {name} {digest(value)}" for name, value in self.planted.items()]
        expected += [f"file {name} {digest(value)}" for name, value in self.planted.items()]
        expected += ["template " + digest("".join(f"{name} = {value}\n" for name, value in self.planted.items()))]
        try:
            wait_until(lambda: all(line in self.told(node) for line in expected), "the app has all of them")
        except AssertionError as error:
            self.fail(f"{error}\n{self.told(node)}")

    # where they may have gone

    def needles(self):
        found = {}
        for name, value in self.planted.items():
            for form in (value.encode(), base64.b64encode(value.encode()).rstrip(b"="), value.encode().hex().encode()):
                found[form] = name
        return found

    def assertNowhere(self, what, data):
        for needle, name in self.needles().items():
            self.assertFalse(needle in data, f"{name} is in {what}")

    def search_files(self, folder, but=()):
        """Every file below a folder; returns how many there were."""
        count = 0
        for path in folder.rglob("*"):
            if any(path.is_relative_to(other) for other in but) or path.is_symlink() or not path.is_file():
                continue
            self.assertNowhere(path, path.read_bytes())
            count += 1
        return count

    def instance_folders(self, node):
        folder = node.run / "instances"
        return list(folder.iterdir()) if folder.exists() else []

    def search_memory(self, pid):
        """All that a process can read of its own; returns the bytes."""
        count = 0
        with open(f"/proc/{pid}/mem", "rb", 0) as memory:
            for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
                span, rights = line.split()[:2]
                if "r" not in rights or line.endswith(("[vvar]", "[vsyscall]")):
                    continue
                first, end = (int(part, 16) for part in span.split("-"))
                try:
                    memory.seek(first)
                    data = memory.read(end - first)
                except OSError:
                    continue
                self.assertNowhere(f"the memory of {pid}: {line}", data)
                count += len(data)
        return count

    def core_of(self, process_folder, start):
        """What a process leaves that `start` starts in a folder and that is aborted: the core's path, or None."""
        process_folder.mkdir(exist_ok=True)
        process = start(process_folder)
        process.send_signal(signal.SIGABRT)
        process.wait(timeout=60)
        return next(iter(process_folder.glob("core*")), None)

    def keepers(self):
        return [pid for pid in processes.all_pids() if self.is_keeper(pid)]

    def test_the_app_has_them_by_environment_file_and_template_and_nothing_else_has_them(self):
        node = self.started()
        self.assertAppHasThem(node)
        modes = next(line for line in self.told(node).splitlines() if line.startswith("modes"))
        uid = modes.split()[-1]
        self.assertEqual(modes, f"modes 500 {uid} directory,400 {uid} regular file,400 {uid} regular file, as {uid}")
        self.assertNotEqual(uid, "0")
        self.assertEqual((self.outside / "asked").read_text(), "asked for vault/key now\n")

        # Everything that is told of the app, while it runs.
        node.berth("restart", "vault")
        node.berth("deploy", "vault@v1")
        told = [node.berth(*words).text for words in (["status"], ["history", "vault"], ["events"], ["apps"], ["releases", "vault"], ["status", "--json"])]
        told += [node.api("GET", target).body for target in (
            "/v1/status", "/v1/apps/vault", "/v1/deployments?app=vault", "/v1/apps/vault/releases", "/v1/repository/apps", "/v1/events?from=1&limit=1000",
            "/metrics")]
        told.append(node.metrics())
        for text in told:
            self.assertTrue(text)
            self.assertNowhere("what berth tells", text.encode())
        self.assertIn("vault", "".join(told))

        # Files: the database, logs, slots, sockets' folders; the app's own folder is where they are meant to be.
        own = self.instance_folders(node)
        self.assertEqual(len(own), 1)
        with self.assertRaises(AssertionError):  # the search finds what is there
            self.search_files(own[0])
        self.assertGreater(self.search_files(node.folder, own), 10)
        self.search_files(self.repo.folder)
        for name in ("berth.db", "events.log"):
            self.assertTrue((node.state / name).is_file())

        # Processes: command lines of all, and environments of all but the app (and of berthd, which was given one of them so).
        app = set(processes.of_app("vault"))
        self.assertTrue(app)
        for pid in processes.all_pids():
            try:
                self.assertNowhere(f"the command line of {pid}", Path(f"/proc/{pid}/cmdline").read_bytes())
                if pid not in app and pid != node.process.pid and pid != os.getpid():
                    self.assertNowhere(f"the environment of {pid}", Path(f"/proc/{pid}/environ").read_bytes())
            except (FileNotFoundError, ProcessLookupError):
                continue
        for keeper in self.keepers():
            self.assertGreater(self.search_memory(keeper), 10_000)

    def test_after_a_stop_nothing_is_left(self):
        node = self.started()
        self.assertAppHasThem(node)
        node.berth("stop", "vault")
        self.assertEqual(self.instance_folders(node), [])
        self.search_files(node.folder)
        node.berth("start", "vault")
        self.assertEqual(len(self.instance_folders(node)), 1)
        # An instance alone is stopped likewise.
        node.berth("stop", "vault/main")
        self.assertEqual(self.instance_folders(node), [])
        node.berth("start", "vault/main")
        self.assertAppHasThem(node)
        node.berth("remove", "vault", "--yes")
        self.assertEqual(self.instance_folders(node), [])
        self.search_files(node.folder)
        self.assertEqual(processes.of_app("vault"), {})

    def test_what_a_crash_left_of_an_instance_is_gone_once_berthd_is_back(self):
        node = self.started()
        node.kill()
        left = node.run / "instances" / "0123456789abcdef" / "secrets"
        left.mkdir(parents=True)
        (left / "FROM_FILE").write_text(self.planted["FROM_FILE"])
        running = set(processes.of_app("vault"))
        node.start()
        self.assertFalse(left.parent.exists())
        self.assertEqual(set(processes.of_app("vault")), running, "what runs goes on")
        self.assertEqual(len(self.instance_folders(node)), 1)

    def test_a_restart_reads_them_anew(self):
        node = self.started()
        self.assertAppHasThem(node)
        before = dict(self.planted)
        for name in ("FROM_FILE", "FROM_CREDENTIAL", "FROM_COMMAND"):
            self.planted[name] = secrets.token_hex(20)
        self.plant()
        node.berth("restart", "vault")
        self.assertAppHasThem(node)
        own = self.instance_folders(node)[0]
        text = b"".join(path.read_bytes() for path in own.rglob("*") if path.is_file())
        for name in ("FROM_FILE", "FROM_CREDENTIAL", "FROM_COMMAND"):
            self.assertNotIn(before[name].encode(), text)

    def token_app(self, instances=1):
        """An app with one secret, a readiness probe, and a node that runs it."""
        self.repo.publish(sample_apps.testapp(self.folder / "site", instances=instances, more='[env.TOKEN]\nrequired = true\nsecret = true\n'),
                          secrets={"TOKEN": f"file:{self.outside}/token"})
        self.token = self.outside / "token"
        self.token.write_text("hunter2-hunter2\n")
        node = BerthCase.make_node(self).start()
        self.deploy(node, "v1")
        return node

    def failed_starts(self, node):
        return [one["data"] for one in node.events() if one["kind"] == "start.failed"]

    def test_what_is_started_without_its_secret_is_told_and_runs_once_the_secret_is_there(self):
        node = self.token_app()
        self.token.unlink()
        node.berth("stop", "web")
        done = node.berth("start", "web", expect=1)
        self.assertSays(done, "secret TOKEN", "No such file", "tries again by itself")
        self.assertSays(node.berth("status", "web"), "secret TOKEN", "No such file")
        (one,) = node.instances()
        self.assertIn("secret TOKEN", one["not_ready"])
        self.assertIn("secret TOKEN", self.failed_starts(node)[0]["reason"])
        self.token.write_text("hunter2-hunter2\n")
        node.wait_app(health="healthy", problem="", seconds=20)
        self.assertServes("v1")

    def test_instances_that_are_added_without_the_secret_are_listed_and_come_by_themselves(self):
        node = self.token_app()
        self.token.unlink()
        done = node.berth("scale", "web/web=3", expect=1)
        self.assertSays(done, "secret TOKEN", "tries again by itself")
        self.assertEqual([("secret TOKEN" in one.get("not_ready", ""), one["ready"]) for one in node.instances()], [(False, True), (True, False), (True, False)])
        self.assertSays(node.berth("restart", "web/web.1", expect=1), "secret TOKEN", "goes on as it is")
        self.token.write_text("hunter2-hunter2\n")
        wait_until(lambda: [one["ready"] for one in node.instances()] == [True] * 3, "all of them are ready", 20)

    def test_what_runs_is_probed_by_the_next_berthd_although_its_secret_is_missing(self):
        node = self.token_app()
        pids = node.pids()
        self.token.unlink()
        node.kill()
        node.start()
        node.wait_app(health="healthy")
        self.assertEqual(node.pids(), pids, "it was adopted as it ran")
        self.assertSays(node.berth("status", "web"), "secret TOKEN", "what runs goes on with the secrets that it was given")
        self.assertServes("v1")
        (pid,) = pids.values()
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: node.pids() != pids and node.instances()[0]["ready"], "its keeper started it again", 20)
        self.token.write_text("hunter3-hunter3\n")
        node.wait_app(health="healthy", problem="", seconds=70)

    def test_a_command_that_the_node_does_not_name_is_refused_and_one_that_fails_is_told_without_its_output(self):
        self.repo.publish(vault(self.folder / "app"))
        node = self.make_node(commands=False).start()
        done = node.berth("deploy", "vault@v1", expect=None)
        self.assertNotEqual(done.code, 0)
        self.assertSays(done, "FROM_COMMAND", str(self.program), "[secrets] in berthd.toml")
        self.assertFalse((self.outside / "asked").exists(), "it was not even run")
        node.stop()

        node = self.make_node("allowed", metrics_port=9465).start()
        self.program.write_text(f"#!/bin/sh\ncat {self.outside}/command-value\necho the vault is sealed >&2\nexit 7\n")
        done = node.berth("deploy", "vault@v1", expect=None)
        self.assertNotEqual(done.code, 0)
        self.assertSays(done, "exited with 7: the vault is sealed")
        self.assertNowhere("the error", done.text.encode())
        self.assertEqual(self.instance_folders(node), [])
        self.search_files(node.folder)

    def test_a_release_that_asks_for_more_than_the_node_allows_is_refused_before_it_is_fetched(self):
        self.repo.publish(vault(self.folder / "app"))
        node = self.make_node(policy='[policy]\nsecret_folders = ["vault:/etc/berth/vault", "*:/etc/berth/all"]\n').start()
        done = node.berth("deploy", "vault@v1", expect=None)
        self.assertEqual(done.code, 4, done)
        self.assertSays(done, f"its secret FROM_FILE (file:{self.outside}/file) lies in no folder that this node lets vault have secrets from",
                        "[policy] secret_folders of berthd.toml: /etc/berth/vault, /etc/berth/all")
        self.assertFalse(node.slot("v1", "vault").exists())
        node.stop()

        node = self.make_node("allowed", metrics_port=9465, policy=f'[policy]\nusers = []\nsecret_folders = ["vault:{self.outside}"]\n').start()
        node.berth("deploy", "vault@v1")

    def test_a_run_folder_on_a_disk_is_refused(self):
        disk = Path(tempfile.mkdtemp(dir="/var/tmp"))
        self.addCleanup(shutil.rmtree, disk, True)
        kind = subprocess.run(["stat", "-f", "-c", "%T", str(disk)], capture_output=True, text=True, check=True).stdout.strip()
        self.assertNotIn(kind, ("tmpfs", "ramfs"), "/var/tmp is on a disk")
        self.repo.publish(vault(self.folder / "app"))
        node = self.make_node()
        node.run = disk / "run"
        node.socket = node.run / "api.sock"
        node.configure(node.config.read_text().replace(str(node.folder / "run"), str(node.run)))
        node.start()
        self.assertIn("is on a disk", node.log_tail())
        done = node.berth("deploy", "vault@v1", expect=None)
        self.assertNotEqual(done.code, 0)
        self.assertSays(done, str(node.run), "mount a tmpfs there")
        self.search_files(disk)
        node.stop()

    def test_no_core_has_them(self):
        cores = self.folder / "cores"
        cores.mkdir()

        def sleeper(folder):
            return subprocess.Popen(["sleep", "1000"], cwd=folder)
        if self.core_of(cores / "control", sleeper) is None:
            self.skipTest("there are no cores here: kernel.core_pattern has them elsewhere, or sudo left the limit 0 and this root may not raise it")

        self.repo.publish(vault(self.folder / "app"))
        node = self.make_node()
        here = os.getcwd()
        (cores / "berthd").mkdir()
        os.chdir(cores / "berthd")
        try:
            node.start()
        finally:
            os.chdir(here)
        node.berth("deploy", "vault@v1")
        self.assertAppHasThem(node)

        # The command line writes one, as it may; none of them is in it.
        (cores / "berth").mkdir()
        follower = node.spawn("logs", "vault", "-f", cwd=cores / "berth")
        follower.stdout.readline()
        follower.send_signal(signal.SIGABRT)
        follower.wait(60)
        follower.stdout.close()
        follower.stderr.close()
        self.assertEqual(self.search_files(cores / "berth"), 1)

        # berthd and keepers write none.
        before = set(Path("/").glob("core*"))
        keeper = self.keepers()[0]
        self.assertEqual(os.readlink(f"/proc/{keeper}/cwd"), "/")
        os.kill(keeper, signal.SIGABRT)
        wait_until(lambda: not processes.is_running(keeper), "the keeper is gone")
        self.assertEqual(set(Path("/").glob("core*")), before)
        node.process.send_signal(signal.SIGABRT)
        self.assertEqual(node.process.wait(60), -signal.SIGABRT)
        self.assertEqual(list((cores / "berthd").iterdir()), [])
        node.start()
        node.wait_app("vault", health="healthy")

    def test_the_worker_that_unpacks_has_none(self):
        node = self.started()
        self.assertAppHasThem(node)
        self.repo.publish(vault(self.folder / "app", note="2", size=64 << 20))
        deploying = node.spawn("deploy", "vault@v2")
        seen = None
        end = time.monotonic() + 60 * PATIENCE
        while seen is None and time.monotonic() < end and deploying.poll() is None:
            seen = next((pid for pid in processes.all_pids() if self.program_of(pid) == "berth-unpack" and self.is_halted(pid)), None)
        self.assertIsNotNone(seen, "a worker was seen at work")
        try:
            self.assertGreater(self.search_memory(seen), 10_000)
            self.assertNowhere("its environment", Path(f"/proc/{seen}/environ").read_bytes())
        finally:
            os.kill(seen, signal.SIGCONT)
        done = node.end_of(deploying)
        self.assertEqual(done.code, 0, done)

    @staticmethod
    def is_halted(pid):
        """Stops a process; False where it has ended meanwhile."""
        try:
            os.kill(pid, signal.SIGSTOP)
        except ProcessLookupError:
            return False
        return wait_until(lambda: processes.state(pid) if processes.state(pid) in "TZX" else None, "it is stopped or gone") == "T"

    @staticmethod
    def program_of(pid):
        try:
            return os.path.basename(os.readlink(f"/proc/{pid}/exe"))
        except OSError:
            return ""


if __name__ == "__main__":
    unittest.main(verbosity=2)
