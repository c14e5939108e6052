"""The Debian packages: on a booted node from being installed to being purged, and in a root without systemd what a node does not have; and the tarball.

An app that is deployed goes on under the same pids, and answers each request, while berth is upgraded, removed and installed again.
"""
import json
import os
import shutil
import sqlite3
import subprocess
import tempfile
import unittest
from collections import Counter
from pathlib import Path

from lib import debs, sample_apps, uml
from lib.programs import BUILD, LOAD, SOURCE
from lib.repo import Repo
from lib.uml import NODE, UmlCase
from lib.waiting import wait_until

CONFIG = uml.CONFIG.replace("/usr/local/etc", "/etc") + 'url = "file:///srv/repository"\n'
ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}
BUILT = tempfile.mkdtemp(dir="/var/tmp", prefix="berth-packages-")
unittest.addModuleCleanup(shutil.rmtree, BUILT, ignore_errors=True)


class OnANode(UmlCase):
    UNITS = ("job.service", "state-disk.service")
    PROGRAMS = (("package-job", "job"), ("everything", "everything"), (LOAD, "berth-load"))

    def install_berth(self):
        """What the node is given: packages, and what its operator will write."""
        root = self.tree / "root"
        packages, newer = debs.build(BUILT)
        (root / "packages/next").mkdir(parents=True)
        (self.tree / "etc/dpkg/dpkg.cfg.d/unsafe-io").write_text("force-unsafe-io\n")  # a node of a test has nothing to lose
        for package in packages:
            shutil.copy(package, root / "packages")
        for package in newer:
            shutil.copy(package, root / "packages/next")
        (root / "berthd.toml").write_text(CONFIG)
        repo = Repo(self.folder)
        repo.publish(sample_apps.testapp(self.folder / "web", routing="socket", bake="500ms", ready_timeout="30s"))
        shutil.copytree(repo.folder, self.tree / "srv/repository")
        shutil.copy(repo.root, root / "root.json")

    def out(self, name):
        path = self.tree / "out" / name
        self.assertTrue(path.exists(), f"{name} is missing\n{self.report()}")
        return path.read_text(errors="replace")

    def test_an_app_goes_on_while_berth_is_installed_upgraded_removed_and_until_it_is_purged(self):
        self.make_disk()
        self.boot("package")
        self.await_power_off(400)
        self.out("finished")
        print(*(line for line in self.out("job.txt").splitlines() if line.startswith("===")), sep="\n", flush=True)
        notes = dict(line.split("=", 1) for line in self.out("notes").splitlines())
        with self.subTest("installed and at work"):
            self.assertEqual([notes[key] for key in ("installed", "active", "enabled", "unpack_user", "deployed")], ["0", "active", "enabled", "there", "0"],
                             self.report())
        with self.subTest("upgraded under load"):
            self.assertEqual((notes["upgraded"], notes["version_upgraded"]), ("0", debs.NEXT + debs.REVISION), self.report())
            self.assertGreaterEqual(len(notes["pids"].split()), 2, "a keeper and its app")
            self.assertEqual(notes["pids_upgraded"], notes["pids"])
            self.assertNotEqual(notes["berthd_upgraded"], notes["berthd"], "berthd is the new one")
            self.assertEqual(notes["configuration_kept"], "yes")
            load = json.loads(self.out("load.json"))
            self.assertEqual((load["failed"], list(load["releases"])), (0, ["v1"]), load)
            self.assertGreater(load["requests"], 50)
            print(f"upgraded under load: {load['requests']} requests, {load['failed']} failed", flush=True)
        with self.subTest("who asks berthd itself waits while it is upgraded and restarted"):
            self.assertEqual(notes["pids_restarted"], notes["pids"])
            asked = Counter(self.out("asked").split())
            print(f"over an upgrade and two restarts: metrics were asked for {asked.total()} times, {asked['7']} refused, {asked.total() - asked['0'] - asked['7']} broken", flush=True)
            self.assertEqual(set(asked), {"0"}, self.report())
            self.assertGreater(asked["0"], 20)
        with self.subTest("removed, and installed again"):
            self.assertEqual((notes["active_removed"], notes["pids_removed"], notes["answer_removed"]), ("inactive", notes["pids"], "v1"), self.report())
            self.assertIn("systemctl stop berth.slice", self.out("removal"))
            self.assertEqual((notes["installed_again"], notes["pids_again"]), ("0", notes["pids"]), self.report())
            self.assertRegex(notes["status_again"], r"^web@v1 .*healthy, 1/1 instances ready")
        with self.subTest("removed with its apps"):
            self.assertEqual((notes["stopped"], notes["pids_stopped"], notes["answer_stopped"]), ("0", "", ""), self.report())
        with self.subTest("purged"):
            self.assertEqual(notes["purged"], "0", self.report())
            before, installed, after = (set(self.out(name).splitlines()) for name in ("before", "installed", "after"))
            self.assertGreater(len(installed - before), 30, "the comparison sees what is installed")
            self.assertEqual((sorted(after - before), sorted(before - after)), ([], []), "what is left or missing")


class Root(unittest.TestCase):
    """A root folder in which no systemd runs, on a kernel with nftables, and a repository in it."""

    LEFT = ("/var/lib/dpkg", "/var/cache", "/var/log/dpkg.log", "/proc", "/srv", "/tmp")  # not berth's, or dpkg's own

    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(dir="/var/tmp", prefix="berth-root-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        pristine = subprocess.run([NODE / "make_tree.sh"], check=True, capture_output=True, text=True).stdout.strip()
        self.root = self.folder / "root"
        subprocess.run(["cp", "-a", "--reflink=auto", pristine, self.root], check=True)
        for kind, where in (("proc", "proc"), ("tmpfs", "run")):
            subprocess.run(["mount", "-t", kind, kind, self.root / where], check=True)
            self.addCleanup(subprocess.run, ["umount", "-l", self.root / where])
        self.repo = Repo(self.folder)
        self.repo.publish(sample_apps.testapp(self.folder / "web", routing="port", bake="300ms"))
        shutil.copytree(self.repo.folder, self.root / "srv/repository")

    def start(self, etc):
        """Configures and starts berthd, and deploys the app."""
        (self.root / etc / "berthd.toml").write_text(CONFIG.replace("/etc/berth", f"/{etc}"))
        shutil.copy(self.repo.root, self.root / etc / "root.json")
        self.berthd = subprocess.Popen(["chroot", self.root, "berthd"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=ENVIRONMENT)
        self.addCleanup(self.berthd.kill)
        wait_until(lambda: self.try_inside("berth", "status").returncode == 0, "berthd answers")
        self.inside("berth", "deploy", "web@v1")
        self.assertEqual(self.answer(), "v1")

    def try_inside(self, *command):
        return subprocess.run(["chroot", self.root, *command], capture_output=True, text=True, env=ENVIRONMENT)

    def inside(self, *command):
        done = self.try_inside(*command)
        self.assertEqual(done.returncode, 0, f"{command}\n{done.stdout}{done.stderr}")
        return done.stdout

    def state(self):
        """Paths that may be left, users and groups, tables of nftables, and keepers."""
        pruned = [word for path in self.LEFT for word in ("-path", path, "-o")][:-1]
        paths = self.inside("find", "/", "-xdev", "(", *pruned, ")", "-prune", "-o", "!", "-name", "*-", "-print").splitlines()
        paths += self.inside("find", "/run", "-name", "berth*").splitlines()
        accounts = [line for name in ("passwd", "group", "shadow", "gshadow") for line in (self.root / "etc" / name).read_text().splitlines()]
        tables = subprocess.run(["nft", "list", "tables"], check=True, capture_output=True, text=True).stdout.splitlines()
        keepers = [line for line in subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True).stdout.splitlines() if "/berth-keeper " in line]
        return set(paths + accounts + tables + keepers)

    def answer(self):
        return subprocess.run(["curl", "-s", "-m", "5", "http://127.0.0.1:8080/release"], capture_output=True, text=True).stdout

    def refuses_a_newer_state(self, *command):
        """Installs over a berthd that runs, whose database has a schema from the future: what is said. Nothing of what runs may change."""
        database = sqlite3.connect(self.root / "var/lib/berth/berth.db")
        schema = database.execute("PRAGMA user_version").fetchone()[0]
        database.execute("PRAGMA user_version = 999")
        refused = self.try_inside(*command)
        database.execute(f"PRAGMA user_version = {schema}")
        database.close()
        self.assertNotEqual(refused.returncode, 0)
        for said in ("has schema 999", "install the berthd that wrote it"):
            self.assertIn(said, refused.stderr)
        self.assertIsNone(self.berthd.poll())
        self.assertEqual((self.try_inside("berth", "status").returncode, self.answer()), (0, "v1"))
        return refused.stderr

    def assertPurged(self, before, installed):
        self.assertEqual(self.berthd.wait(10), 0)
        after = self.state()
        self.assertGreater(len(installed - before), 30, "the comparison sees what is installed")
        self.assertEqual((sorted(after - before), sorted(before - after)), ([], []), "what is left or missing")
        self.assertEqual(self.answer(), "")


class PackagesWithoutSystemd(Root):
    def test_a_version_that_cannot_take_over_leaves_the_old_one_at_work_and_purging_leaves_nothing(self):
        packages, newer = debs.build(BUILT)
        for package in packages + newer:
            shutil.copy(package, self.root / "srv")
        before = self.state()
        self.inside("dpkg", "-i", *[f"/srv/{package.name}" for package in packages])
        self.start("etc/berth")
        with self.subTest("the state is of a newer berthd"):
            said = self.refuses_a_newer_state("dpkg", "-i", *[f"/srv/{package.name}" for package in newer])
            self.assertIn(f"cannot take over from {debs.VERSION + debs.REVISION}, which goes on running", said)
            self.inside("dpkg", "--configure", "-a")
            self.assertEqual(self.inside("dpkg-query", "-W", "-f", "${db:Status-Status} ${Version}", "berthd"), "installed " + debs.NEXT + debs.REVISION)
        with self.subTest("removed, then purged"):
            removed = self.try_inside("dpkg", "-r", "berthd")
            self.assertEqual((removed.returncode, self.answer()), (0, "v1"), removed.stderr)
            installed = self.state()
            self.assertIn("table inet berth", installed)
            self.inside("dpkg", "-P", "berthd", "berth")
            self.assertPurged(before, installed)


class Tarball(Root):
    """What packaging/build-tarball.sh makes, on a machine that does not use dpkg."""

    def pack(self, version):
        """The folder that the archive has, inside of the root."""
        made = subprocess.run([SOURCE / "packaging/build-tarball.sh", "--out", self.folder, "--version", version], capture_output=True, text=True,
                              env={**os.environ, "BERTH_BUILD": str(BUILD)})
        self.assertEqual(made.returncode, 0, made.stdout + made.stderr)
        [archive] = self.folder.glob(f"berth-{version}-*.tar.gz")
        subprocess.run(["tar", "-xzf", archive, "-C", self.root / "srv"], check=True)
        return "/srv/" + archive.name.removesuffix(".tar.gz")

    def test_it_is_installed_upgraded_and_taken_away_whole(self):
        unpacked = self.pack("1.0")
        install = unpacked + "/install.sh"
        before = self.state()
        with self.subTest("damaged, or without a library"):
            script = self.root / unpacked[1:] / "systemd/berthd.service"
            whole = script.read_text()
            script.write_text(whole + "#")
            self.assertIn("systemd/berthd.service: FAILED", self.try_inside(install).stdout)
            script.write_text(whole)
            [library] = (self.root / "usr/lib").glob("*/libfmt.so.9")
            library.rename(library.with_suffix(".away"))
            self.assertIn("lacks libraries that bin/berth needs: libfmt.so.9", self.try_inside(install).stderr)
            library.with_suffix(".away").rename(library)
            self.assertEqual(self.state(), before)
        self.inside(install)
        self.assertIn("ExecStart=/usr/local/sbin/berthd --config /usr/local/etc/berth/berthd.toml", (self.root / "etc/systemd/system/berthd.service").read_text())
        self.start("usr/local/etc/berth")
        with self.subTest("upgraded"):
            self.refuses_a_newer_state(install)
            (self.root / "usr/local/share/berth/former").touch()
            with open(self.root / "usr/local/share/berth/installed", "a") as installed:
                installed.write("/usr/local/share/berth/former\n")
            more = self.root / "usr/local/etc/berth/conf.d/10-labels.toml"
            more.write_text('[labels]\nrack = "r7"\n')
            self.inside(install)
            self.assertTrue(more.exists(), "what somebody put there stays")
            self.assertFalse((self.root / "usr/local/share/berth/former").exists(), "what only the version before had goes")
            self.assertEqual((self.root / "usr/local/etc/berth/berthd.toml").read_text(), CONFIG.replace("/etc/berth", "/usr/local/etc/berth"))
        with self.subTest("taken away"):
            installed = self.state()
            self.inside("sh", "/usr/local/share/berth/install.sh", "--uninstall")
            self.assertFalse((self.root / "usr/local/sbin/berthd").exists())
            self.assertEqual(self.answer(), "v1")
            self.assertEqual(self.try_inside(install, "--uninstall").returncode, 3)
            self.inside(install, "--uninstall", "--purge")
            self.assertPurged(before, installed)


if __name__ == "__main__":
    unittest.main(verbosity=2)
