"""A whole node for a test: Debian under systemd, booted in user-mode Linux, with berthd as a service."""
import json
import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from lib.programs import BUILD, SOURCE
from lib.waiting import wait_until

NODE = SOURCE / "tests" / "node"
# What each berthd.toml of a node begins with; [repository] may go on behind it.
CONFIG = """
node = "uml"
environment = "production"
[metrics]
listen = "127.0.0.1:9464"
[store]
reserve = "1MB"
[log]
level = "debug"
[repository]
root = "/usr/local/etc/berth/root.json"
"""
# etc/repository.conf for repository.service, a repository on the node itself.
REPOSITORY_CONF = """
daemon off;
pid /run/repository.pid;
events {}
http { access_log off; server { listen 127.0.0.1:8900; root /srv/repository; } }
"""


class UmlCase(unittest.TestCase):
    """Subclasses say what is put on the node, and boot it. A job on the node leaves its results in /out."""

    CONFIG = ""    # berthd.toml
    UNITS = ()     # of tests/node; enabled where they have [Install]
    PROGRAMS = ()  # of tests/node, for /usr/local/sbin: (file, name there)

    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(dir="/var/tmp", prefix="berth-node-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        pristine = subprocess.run([str(NODE / "make_tree.sh")], check=True, capture_output=True, text=True).stdout.strip()
        self.tree = self.folder / "tree"
        subprocess.run(["cp", "-a", "--reflink=auto", pristine, self.tree], check=True)
        self.uml = None
        self.disk = None
        self.kernel_age = 0.0  # seconds that the node's kernel had run when it was switched on
        self.addCleanup(self.cut_power)
        self.install()

    def install(self):
        """berth, and the units and programs of the test."""
        self.install_berth()
        for name in self.UNITS:
            shutil.copy(NODE / name, self.tree / "etc/systemd/system" / name)
        for file, name in self.PROGRAMS:
            shutil.copy(NODE / file, self.tree / "usr/local/sbin" / name)
            (self.tree / "usr/local/sbin" / name).chmod(0o755)
        (self.tree / "etc/machine-id").write_text("0123456789abcdef0123456789abcdef\n")
        (self.tree / "var/lib/berth").mkdir(parents=True, exist_ok=True)
        (self.tree / "out").mkdir()
        self.chroot("systemctl", "enable", *[name for name in self.UNITS if "[Install]" in (NODE / name).read_text()])

    def install_berth(self):
        """berth as `cmake --install` puts it, and its configuration."""
        subprocess.run(["cmake", "--install", BUILD], check=True, capture_output=True, env={**os.environ, "DESTDIR": str(self.tree)})
        etc = self.tree / "usr/local/etc/berth"
        etc.mkdir(parents=True, exist_ok=True)
        (etc / "berthd.toml").write_text(self.CONFIG)
        self.chroot("systemd-sysusers")
        self.chroot("systemctl", "enable", "berthd.service")

    def chroot(self, *command):
        subprocess.run(["chroot", self.tree, *command], check=True, capture_output=True)

    def bring(self, repo):
        """Puts a repository on the node, and its root where the configuration looks for it."""
        shutil.copytree(repo.folder, self.tree / "srv/repository")
        shutil.copy(repo.root, self.tree / "usr/local/etc/berth/root.json")

    def make_disk(self):
        """A disk with a file system of its own, for state-disk.service: on the node's other files, which are this machine's, all belongs to root."""
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
                 "con=null", "con0=null,fd:1", "ssl=null", "systemd.unified_cgroup_hierarchy=1", *([f"ubda={self.disk}"] if self.disk else [])],
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

    # what is said to it, where told.service is among its units

    def tell(self, commands, seconds=120):
        """Has the node do what a shell would: (its exit code, what it printed)."""
        number = next(number for number in range(1, 1000) if not (self.tree / f"out/told-{number}.code").exists())
        script, code, said = (self.tree / f"out/told-{number}.{kind}" for kind in ("sh", "code", "out"))
        script.with_suffix(".new").write_text(commands + "\n")
        script.with_suffix(".new").rename(script)
        try:
            wait_until(lambda: code.exists() or self.uml.poll() is not None, f"the node did: {commands}", seconds, every=0.05)
        except AssertionError as error:
            self.fail(f"{error}\n{self.report()}")
        self.assertTrue(code.exists(), f"the node switched itself off instead of: {commands}\n{self.report()}")
        return int(code.read_text()), said.read_text(errors="replace")

    def report(self):
        texts = [f"--- {path.name}\n{path.read_text(errors='replace')[-6000:]}" for path in sorted(self.folder.glob("console-*"))]
        texts += [f"--- {path.name}\n{path.read_text(errors='replace')[-8000:]}" for path in sorted((self.tree / "out").iterdir())]
        return "\n".join(texts)

    def result(self, stage):
        path = self.tree / "out" / f"{stage}.json"
        self.assertTrue(path.exists(), f"stage {stage} gave no result\n{self.report()}")
        return json.loads(path.read_text())
