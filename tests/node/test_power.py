"""A whole node: Debian under systemd, booted in user-mode Linux, with berthd as a service.

nginx (by `socket`) and redis (`recreate`) are deployed from a repository on the node, which is then stopped. After a clean power-off, and after a
power cut, both apps must be ready on the same release before the network is online. The node's state lies on a disk image with a file system of
its own, so that a power cut loses what was not synced.
"""
import json
import os
import shutil
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

from lib import sample_apps
from lib.programs import BUILD
from lib.repo import Repo
from lib.waiting import wait_until

HERE = Path(__file__).resolve().parent
CONFIG = """
node = "uml"
environment = "production"
[paths]
logs = "/var/lib/berth/logs"
[repository]
url = "http://127.0.0.1:8900"
root = "/usr/local/etc/berth/root.json"
[metrics]
listen = "127.0.0.1:9464"
[store]
reserve = "1MB"
[log]
level = "debug"
"""
REPOSITORY_CONF = """
daemon off;
pid /run/repository.pid;
events {}
http { access_log off; server { listen 127.0.0.1:8900; root /srv/repository; } }
"""


class Power(unittest.TestCase):
    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(dir="/var/tmp", prefix="berth-node-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        pristine = subprocess.run([str(HERE / "make_tree.sh")], check=True, capture_output=True, text=True).stdout.strip()
        self.tree = self.folder / "tree"
        subprocess.run(["cp", "-a", "--reflink=auto", pristine, self.tree], check=True)
        self.uml = None
        self.addCleanup(self.cut_power)
        self.install()
        self.publish()
        self.make_disk()

    # the node

    def install(self):
        """berth as `cmake --install` puts it, its configuration, and the units of this test."""
        subprocess.run(["cmake", "--install", BUILD], check=True, capture_output=True, env={**os.environ, "DESTDIR": str(self.tree)})
        etc = self.tree / "usr/local/etc/berth"
        etc.mkdir(parents=True, exist_ok=True)
        (etc / "berthd.toml").write_text(CONFIG)
        for name in ("wait-online.service", "job.service", "repository.service", "state-disk.service"):
            shutil.copy(HERE / name, self.tree / "etc/systemd/system" / name)
        for name in ("wait-online", "job"):
            shutil.copy(HERE / name, self.tree / "usr/local/sbin" / name)
            (self.tree / "usr/local/sbin" / name).chmod(0o755)
        (self.tree / "etc/repository.conf").write_text(REPOSITORY_CONF)
        (self.tree / "etc/machine-id").write_text("0123456789abcdef0123456789abcdef\n")
        (self.tree / "var/lib/berth").mkdir(parents=True, exist_ok=True)
        (self.tree / "out").mkdir()
        for command in (["systemd-sysusers"], ["systemctl", "enable", "berthd.service", "wait-online.service", "job.service", "state-disk.service"]):
            subprocess.run(["chroot", self.tree, *command], check=True, capture_output=True)

    def publish(self):
        repo = Repo(self.folder)
        repo.configure(files=sample_apps.nginx_files("socket", ipv6=False))
        repo.publish(sample_apps.nginx(self.folder / "site", routing="socket", bake="500ms"))
        repo.configure(files=sample_apps.redis_files(None))
        repo.publish(sample_apps.redis(self.folder / "cache", routing=None))
        shutil.copytree(repo.folder, self.tree / "srv/repository")
        shutil.copy(repo.root, self.tree / "usr/local/etc/berth/root.json")

    def make_disk(self):
        self.disk = self.folder / "disk.img"
        with open(self.disk, "wb") as file:
            file.truncate(512 << 20)
        subprocess.run(["mkfs.ext4", "-q", "-E", "lazy_itable_init=0,lazy_journal_init=0", self.disk], check=True)

    # its power

    def boot(self, stage):
        """Boots with /stage telling the job what to do."""
        (self.tree / "stage").write_text(stage)
        with open(self.folder / f"console-{stage}", "w") as console:
            self.uml = subprocess.Popen(
                ["linux.uml", "rootfstype=hostfs", "root=/dev/root", f"rootflags={self.tree}", "rw", "mem=1G", "init=/lib/systemd/systemd",
                 "con=null", "con0=null,fd:1", "ssl=null", "systemd.unified_cgroup_hierarchy=1", f"ubda={self.disk}"],
                stdin=subprocess.DEVNULL, stdout=console, stderr=console, cwd=self.folder, start_new_session=True)

    def cut_power(self):
        if self.uml is not None:
            try:
                os.killpg(self.uml.pid, 9)
            except ProcessLookupError:
                pass
            self.uml.wait()
            self.uml = None

    def await_power_off(self, seconds=240):
        try:
            self.uml.wait(seconds)
        except subprocess.TimeoutExpired:
            self.fail(f"the node did not switch itself off\n{self.report()}")
        self.uml = None

    def report(self):
        texts = [f"--- {path.name}\n{path.read_text(errors='replace')[-6000:]}" for path in sorted(self.folder.glob("console-*"))]
        texts += [f"--- {path.name}\n{path.read_text(errors='replace')[-8000:]}" for path in sorted((self.tree / "out").iterdir())]
        return "\n".join(texts)

    def result(self, stage):
        path = self.tree / "out" / f"{stage}.json"
        self.assertTrue(path.exists(), f"stage {stage} gave no result\n{self.report()}")
        return json.loads(path.read_text())

    def assertBothReadyBeforeTheNetwork(self, stage):
        got = self.result(stage)
        self.assertEqual(got["before_network_online"], {"web": "v1 healthy", "cache": "v1 healthy"}, self.report())
        self.assertEqual(got["web_answers"], "v1", self.report())
        self.assertEqual(got["redis_says"], "kept", self.report())
        self.assertEqual(got["repository"], "unreachable", "nothing of this came from the repository")
        print(f"{stage}: ready {got['ready_after']} s after the kernel began", flush=True)

    def test_both_apps_are_ready_before_the_network_after_a_power_off_and_after_a_power_cut(self):
        began = time.monotonic()
        self.boot("deploy")
        self.await_power_off()
        got = self.result("deploy")
        self.assertEqual((got["web"], got["cache"], got["keepers_are_services"]), (0, 0, True), self.report())
        print(f"deployed and switched off after {time.monotonic() - began:.0f} s", flush=True)

        self.boot("after-power-off")
        try:
            wait_until(lambda: (self.tree / "out/after-power-off.json").exists() or self.uml.poll() is not None, "the node is up again", 240, every=0.2)
        except AssertionError as error:
            self.fail(f"{error}\n{self.report()}")
        self.assertBothReadyBeforeTheNetwork("after-power-off")
        self.cut_power()

        self.boot("after-power-cut")
        self.await_power_off()
        self.assertBothReadyBeforeTheNetwork("after-power-cut")


if __name__ == "__main__":
    unittest.main(verbosity=2)
