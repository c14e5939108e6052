"""How packages are called, and what a checker of packages says of them."""
import filecmp
import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from lib import debs
from lib.programs import BUILD, SOURCE

MOST_BYTES = 12_000_000  # of daemon, keeper and command line, as installed


class Folder(unittest.TestCase):
    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(dir="/var/tmp", prefix="berth-packaging-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)


class Version(Folder):
    def setUp(self):
        super().setUp()
        (self.folder / "packaging").mkdir()
        shutil.copy(SOURCE / "packaging/version.sh", self.folder / "packaging")
        (self.folder / "CMakeLists.txt").write_text("project(berth VERSION 0.2.0 LANGUAGES C CXX)\n")
        (self.folder / "CHANGELOG.md").write_text("# Changelog\n\n## [Unreleased]\n")

    def git(self, *arguments):
        author = ["-c", "user.name=somebody", "-c", "user.email=somebody@example.org"]
        return subprocess.run(["git", *author, *arguments], cwd=self.folder, check=True, capture_output=True, text=True).stdout.strip()

    def commit(self):
        self.git("commit", "-q", "--allow-empty", "-m", "a change")
        return self.git("rev-parse", "--short=7", "HEAD")

    def version(self):
        return subprocess.run([self.folder / "packaging/version.sh"], check=True, capture_output=True, text=True).stdout.strip()

    def test_comes_from_git_and_grows_with_each_commit_and_tag(self):
        self.git("init", "-q")
        first = self.commit()
        versions = [self.version()]
        self.assertEqual(versions, [f"0.2.0~1.g{first}"])
        self.commit()
        versions.append(self.version())
        self.git("tag", "v0.2.0-rc.1")
        versions.append(self.version())
        self.assertEqual(versions[-1], "0.2.0~rc.1")
        self.git("tag", "-d", "v0.2.0-rc.1")
        self.git("tag", "not-a-version")
        self.git("tag", "v0.2.0")
        versions.append(self.version())
        self.assertEqual(versions[-1], "0.2.0")
        for count in (1, 2):
            commit = self.commit()
            versions.append(self.version())
            self.assertEqual(versions[-1], f"0.2.0+{count}.g{commit}")
        for older, newer in zip(versions, versions[1:]):
            subprocess.run(["dpkg", "--compare-versions", older, "lt", newer], check=True)

    def test_comes_from_the_changelog_without_git(self):
        self.assertEqual(self.version(), "0.2.0~unreleased")
        with open(self.folder / "CHANGELOG.md", "a") as changelog:
            changelog.write("\n## [0.1.1] - 2026-02-01\n\n## [0.1.0] - 2026-01-01\n")
        self.assertEqual(self.version(), "0.1.1")


class Command(Folder):
    def run_script(self, name, *arguments):
        return subprocess.run([SOURCE / "packaging" / name, *arguments], capture_output=True, text=True, env={**os.environ, "BERTH_BUILD": ""})

    def test_says_what_is_wrong_with_a_call(self):
        for script in ("build-deb.sh", "build-tarball.sh"):
            for arguments, said in ((["--loud"], "usage: packaging/" + script), (["--out"], "--out wants a folder"),
                                    (["--build", self.folder], "has no daemon/berthd: build it first")):
                done = self.run_script(script, *arguments)
                self.assertNotEqual(done.returncode, 0)
                self.assertIn(said, done.stderr)
        self.assertIn("is no version for dpkg", self.run_script("build-deb.sh", "--build", BUILD, "--version", "one two").stderr)


class Units(Folder):
    def installed(self):
        """The units as they are installed, with the program that was built in the place of the installed one."""
        folder = self.folder / "units"
        folder.mkdir()
        for name in ("berth-refresh@.service", "berth-refresh@.timer"):
            text = (SOURCE / "systemd" / name).read_text()
            (folder / name).write_text(text.replace("/usr/bin/berth ", f"{BUILD}/cli/berth "))
        return folder

    def test_of_the_timer_please_systemd(self):
        folder = self.installed()
        for name in ("berth-refresh@.service", "berth-refresh@.timer"):
            done = subprocess.run(["systemd-analyze", "verify", "--man=no", folder / name], capture_output=True, text=True)
            self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))

    def test_of_the_timer_sign_the_folder_that_they_are_named_after(self):
        repository = self.folder / "srv/my releases"
        subprocess.run([f"{BUILD}/cli/berth", "repo", "init", repository], check=True, capture_output=True)
        before = (repository / "metadata/timestamp.json").read_bytes()
        unit = (self.installed() / "berth-refresh@.service").read_text()
        words = next(line for line in unit.splitlines() if line.startswith("ExecStart=")).removeprefix("ExecStart=").split()
        done = subprocess.run([word.replace("%f", str(repository)) for word in words], capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))
        self.assertNotEqual((repository / "metadata/timestamp.json").read_bytes(), before)
        self.assertIn(f"ReadWritePaths=%f\n", unit)
        self.assertIn("User=berth-repo\n", unit)


class Packages(Folder):
    def test_please_the_checker_are_the_same_bytes_each_time_and_are_small(self):
        packages, _next = debs.build(self.folder / "one")
        again, _next = debs.build(self.folder / "two")
        self.assertTrue(all(filecmp.cmp(one, two, shallow=False) for one, two in zip(packages, again, strict=True)))
        checked = subprocess.run(["lintian", "--allow-root", "--pedantic", "--fail-on", "error,warning,pedantic", *packages], capture_output=True, text=True)
        self.assertEqual((checked.returncode, checked.stdout), (0, ""), checked.stderr)
        texts = [path.read_text() for path in (SOURCE / "packaging/debian").glob("*.lintian-overrides")]
        overrides = [line for text in texts for line in text.splitlines() if not line.startswith("#")]
        self.assertLessEqual(len(overrides), 3)
        for package in packages:
            subprocess.run(["dpkg-deb", "-x", package, self.folder / "root"], check=True)
        units = self.folder / "root/lib/systemd/system"
        self.assertIn("ExecStart=/usr/bin/berth repo refresh", (units / "berth-refresh@.service").read_text())
        self.assertTrue((units / "berth-refresh@.timer").exists())
        self.assertEqual(list((self.folder / "root").rglob("*.wants")), [], "nothing is enabled by being there")
        programs = ("sbin/berthd", "bin/berth", "libexec/berth/berth-keeper", "libexec/berth/berth-unpack")
        sizes = {name: (self.folder / "root/usr" / name).stat().st_size for name in programs}
        print(*(f"{name}: {size} bytes" for name, size in sizes.items()), sep="\n", flush=True)
        self.assertLessEqual(sum(size for name, size in sizes.items() if name != "libexec/berth/berth-unpack"), MOST_BYTES)


if __name__ == "__main__":
    unittest.main(verbosity=2)
        self.assertEqual(list((self.folder / "root/etc/berth/conf.d").iterdir()), [])
        self.assertTrue((self.folder / "root/usr/share/man/man5/berthd.toml.5.gz").exists())
