"""How packages are called, and what a checker of packages says of them."""
import fcntl
import filecmp
import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

from lib import debs, sample_apps, spdx
from lib.keys import Keys
from lib.programs import BUILD, SOURCE
from lib.repo import Repo

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


TIMERS = [f"berth-{name}@.{kind}" for name in ("refresh", "accept") for kind in ("service", "timer")]
UNITS = ["berthd.service", "berthd.socket", "berth.slice", *TIMERS]


class Units(Folder):
    def installed(self):
        """The units as they are installed, with the programs that were built in the place of the installed ones."""
        folder = self.folder / "units"
        folder.mkdir()
        for name in UNITS:
            text = (SOURCE / "systemd" / name).read_text()
            (folder / name).write_text(text.replace("/usr/bin/berth ", f"{BUILD}/cli/berth ").replace("/usr/sbin/berthd ", f"{BUILD}/daemon/berthd "))
        return folder

    def test_please_systemd(self):
        folder = self.installed()
        for name in UNITS:
            done = subprocess.run(["systemd-analyze", "verify", "--man=no", folder / name], capture_output=True, text=True)
            self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))

    def exposure(self, unit):
        """What systemd-analyze says of a unit: its rows that are open, and the sum of it."""
        asked = ["systemd-analyze", "security", "--no-pager", "--offline=yes"]
        rows = json.loads(subprocess.run([*asked, "--json=short", unit], capture_output=True, text=True, check=True).stdout)
        said = subprocess.run([*asked, unit], capture_output=True, text=True, check=True).stdout.splitlines()[-1]
        print(said, flush=True)
        return {row["name"] for row in rows if not row["set"] and row["exposure"]}, re.search(r"exposure level for .*: ([0-9.]+ [A-Z]+)", said)[1]

    def test_leave_berthd_what_the_documentation_explains_and_no_more(self):
        text = (SOURCE / "docs/security.md").read_text().split("\n## The unit of berthd\n")[1].split("\n## ")[0]
        rows = [line.replace("\\|", "|") for line in text.splitlines() if line.startswith("| `")]
        explained = {name for row in rows for name in re.findall(r"`([^`]*)`", row.split("` | ")[0] + "`")}
        folder = self.installed()
        left, level = self.exposure(folder / "berthd.service")
        self.assertEqual(explained, left)
        self.assertIn(f"**{level}**", text)
        for name in ("refresh", "accept"):
            instance = folder / f"berth-{name}@srv.service"
            shutil.copy(folder / f"berth-{name}@.service", instance)
            self.assertEqual(self.exposure(instance)[1], "0.8 SAFE")

    def test_of_the_timer_sign_the_folder_that_they_are_named_after(self):
        repository = self.folder / "srv/my releases"
        subprocess.run([f"{BUILD}/cli/berth", "repo", "init", repository], check=True, capture_output=True)
        before = (repository / "metadata/timestamp.json").read_bytes()
        done = self.run_unit("berth-refresh@.service", repository)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))
        self.assertNotEqual((repository / "metadata/timestamp.json").read_bytes(), before)

    def run_unit(self, name, repository):
        """What a service does of the instance that is named after a repository."""
        if not (self.folder / "units").exists():
            self.installed()
        unit = (self.folder / "units" / name).read_text()
        self.assertIn("ReadWritePaths=%f\n", unit)
        self.assertIn("User=berth-repo\n", unit)
        words = next(line for line in unit.splitlines() if line.startswith("ExecStart=")).removeprefix("ExecStart=").split()
        return subprocess.run([word.replace("%f", str(repository)) for word in words], capture_output=True, text=True)

    def test_of_the_timer_publish_what_an_app_s_key_handed_in(self):
        repo = Repo(self.folder / "srv", "my releases")
        done = self.run_unit("berth-accept@.service", repo.folder)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""), "nothing waits, and nothing is said")
        keys = Keys(self.folder / "ci")
        keys.make("web", "ed25519")
        repo.berth("repo", "delegate", repo.folder, "web", "--key", keys.public("web"))
        repo.configure()
        repo.build(sample_apps.testapp(self.folder / "site"))
        repo.release("web", "production", "--keys", self.folder / "none", "--key", keys.private("web"))
        done = self.run_unit("berth-accept@.service", repo.folder)
        self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)
        listed = repo.berth("releases", "web", "--repo", repo.folder, "--json").json()["releases"]
        self.assertEqual([one["release"] for one in listed], ["v1"])
        with open(repo.folder / ".lock") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            done = self.run_unit("berth-accept@.service", repo.folder)
        self.assertEqual(done.returncode, 8)
        self.assertIn("SuccessExitStatus=8\n", (SOURCE / "systemd/berth-accept@.service").read_text(), "the next run makes up for it")


class Sbom(Folder):
    """What the tarball says of what its programs are made of."""

    def pack(self, name):
        folder = self.folder / name
        made = subprocess.run([SOURCE / "packaging/build-tarball.sh", "--build", BUILD, "--out", folder, "--version", "1.0"], capture_output=True, text=True)
        self.assertEqual(made.returncode, 0, made.stderr)
        [archive] = folder.glob("*.tar.gz")
        subprocess.run(["tar", "-xzf", archive, "-C", folder], check=True)
        return folder / archive.name.removesuffix(".tar.gz")

    def test_has_all_that_programs_load_and_all_that_is_in_them(self):
        tree = self.pack("one")
        text = (tree / "share/doc/berth/berth.spdx.json").read_text()
        self.assertEqual((self.pack("two") / "share/doc/berth/berth.spdx.json").read_text(), text, "the same programs, the same text")
        document = json.loads(text)
        check_sbom(self, document, tree, beside={"SHA256SUMS"})
        for program, within in (("sbin/berthd", {"libboost1.81-dev", "libcli11-dev", "libtomlplusplus-dev", "libspdlog-dev", "libfmt-dev"}), ("bin/berth", {"libboost1.81-dev", "libcli11-dev", "libtomlplusplus-dev"}),
                                ("libexec/berth/berth-keeper", {"musl-dev"}), ("libexec/berth/berth-unpack", {"libzstd-dev", "libseccomp-dev", "libc6-dev"})):
            self.assertLessEqual(within, spdx.linked_into(document, f"./{program}"), program)
        self.assertEqual(spdx.linked_into(document, "./libexec/berth/berth-keeper"), {"musl-dev"}, "it uses nothing but libc")
        versions = {one["name"]: one["versionInfo"] for one in document["packages"]}
        for package in ("libprometheus-cpp-core1.0", "libc6", "musl-dev"):
            self.assertEqual(versions[package], subprocess.run(["dpkg-query", "-W", "-f", "${Version}", package], capture_output=True, text=True, check=True).stdout)
        self.refuses_what_is_wrong(document)

    def refuses_what_is_wrong(self, document):
        """The reader of these documents is as strict as it seems."""
        def spoil(change):
            spoiled = json.loads(json.dumps(document))
            change(spoiled)
            self.assertNotEqual(spdx.problems(spoiled), [], change)
        for key in document:
            spoil(lambda one, key=key: one.pop(key))
        for key in ("SPDXID", "name", "downloadLocation", "packageVerificationCode"):
            spoil(lambda one, key=key: one["packages"][0].pop(key))
        for key in ("SPDXID", "fileName", "checksums"):
            spoil(lambda one, key=key: one["files"][0].pop(key))
        spoil(lambda one: one["files"][0]["checksums"].pop(0))
        spoil(lambda one: one["packages"].pop())
        spoil(lambda one: one["packages"][1].update(SPDXID=one["packages"][2]["SPDXID"]))
        spoil(lambda one: one["relationships"].pop(0))
        spoil(lambda one: one["relationships"][0].update(relationshipType="USES"))
        spoil(lambda one: one["creationInfo"].update(created="today"))
        spoil(lambda one: one.update(spdxVersion="SPDX-2.2"))
        spoil(lambda one: one.update(extra=1))


def check_sbom(case, document, tree, beside=frozenset()):
    """It is as SPDX has it, it is of the files below `tree` (but for those of `beside`), and no program of them loads what it does not name."""
    case.assertEqual(spdx.problems(document), [])
    files = {one["fileName"]: spdx.sum_of(one, "SHA256") for one in document["files"]}
    there = {path for path in tree.rglob("*") if path.is_file() and not path.is_symlink()}
    for path in there:
        if path.read_bytes().startswith(b"\x7fELF"):
            needed = re.findall(r"\(NEEDED\)\s+Shared library: \[(.*)\]", subprocess.run(["readelf", "-dW", path], capture_output=True, text=True, check=True).stdout)
            case.assertLessEqual(set(needed), spdx.libraries(document), path)
    sums = {f"./{path.relative_to(tree)}": hashlib.sha256(path.read_bytes()).hexdigest() for path in there if not path.name.endswith(".spdx.json") and path.name not in beside}
    case.assertEqual(files, sums)


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
            name = package.name.split("_")[0]
            subprocess.run(["dpkg-deb", "-x", package, self.folder / "root"], check=True)
            subprocess.run(["dpkg-deb", "-x", package, self.folder / name], check=True)
            check_sbom(self, json.loads((self.folder / f"{name}/usr/share/doc/{name}/{name}.spdx.json").read_text()), self.folder / name)
        units = self.folder / "root/lib/systemd/system"
        self.assertIn("ExecStart=/usr/bin/berth repo refresh", (units / "berth-refresh@.service").read_text())
        self.assertIn("ExecStart=/usr/bin/berth repo accept", (units / "berth-accept@.service").read_text())
        self.assertEqual([name for name in UNITS if not (units / name).exists()], [])
        self.assertEqual(list((self.folder / "root").rglob("*.wants")), [], "nothing is enabled by being there")
        self.assertEqual(list((self.folder / "root/etc/berth/conf.d").iterdir()), [])
        for page in ("man1/berth.1", "man5/berth.toml.5", "man5/berthd.toml.5", "man8/berthd.8"):
            self.assertTrue((self.folder / f"root/usr/share/man/{page}.gz").exists(), page)
        programs = ("sbin/berthd", "bin/berth", "libexec/berth/berth-keeper", "libexec/berth/berth-unpack")
        sizes = {name: (self.folder / "root/usr" / name).stat().st_size for name in programs}
        print(*(f"{name}: {size} bytes" for name, size in sizes.items()), sep="\n", flush=True)
        self.assertLessEqual(sum(size for name, size in sizes.items() if name != "libexec/berth/berth-unpack"), MOST_BYTES)


def unequal(one, two, folder):
    """What differs in two packages: nothing, or files in them, or else how they are packed."""
    if filecmp.cmp(one, two, shallow=False):
        return []
    trees = [folder / f"unequal-{name}-{one.name}" for name in ("one", "two")]
    for package, tree in zip((one, two), trees):
        subprocess.run(["dpkg-deb", "-R", package, tree], check=True)
    first, second = ({path.relative_to(tree): path.read_bytes() for path in tree.rglob("*") if path.is_file() and not path.is_symlink()} for tree in trees)
    differ = sorted(path for path in first.keys() | second.keys() if first.get(path) != second.get(path))
    return [f"{one.name}: {path}" for path in differ] or [f"{one.name}: how it is packed"]


class FromSource(Folder):
    """Compiles berth twice, each time from nothing, in folders, at times of day and with numbers of jobs that differ."""

    def copy(self, name):
        shutil.copytree(SOURCE, self.folder / name, symlinks=True, ignore=shutil.ignore_patterns(".git", "build", "__pycache__"))
        return self.folder / name

    def build(self, source, **environment):
        made = subprocess.run([source / "packaging/build-deb.sh", "--out", source / "out", "--version", debs.VERSION], capture_output=True, text=True,
                              env={**os.environ, "BERTH_BUILD": "", "CCACHE_DISABLE": "1", "SOURCE_DATE_EPOCH": "1700000000", **environment})
        self.assertEqual(made.returncode, 0, made.stdout[-8000:] + made.stderr[-8000:])
        return sorted((source / "out").glob("*.deb"))

    def test_the_packages_are_the_same_bytes_in_any_folder(self):
        started = time.monotonic()
        sources = [self.copy(name) for name in ("one", "another-folder/of-another-length")]
        one = self.build(sources[0], DEB_BUILD_OPTIONS="nocheck parallel=2")
        two = self.build(sources[1], DEB_BUILD_OPTIONS="nocheck parallel=3", TZ="Asia/Tokyo", LC_ALL="C.UTF-8", HOME="/nowhere", USER="somebody")
        print(f"both took {time.monotonic() - started:.0f} s", flush=True)
        self.assertEqual([package.name for package in one], [package.name for package in two])
        self.assertEqual({package.name.split("_")[0] for package in one}, {"berth", "berth-dbgsym", "berthd", "berthd-dbgsym"})
        self.assertEqual([path for pair in zip(one, two, strict=True) for path in unequal(*pair, self.folder)], [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
