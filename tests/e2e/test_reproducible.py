"""The same tree is the same build: whoever makes it, under whatever umask and clock, in whatever order its files came to be, and on whatever file system."""
import json
import os
import random
import shutil
import subprocess
import tarfile
import unittest
import zipfile

from lib.case import BerthCase
from lib.programs import BERTH

SPEC = 'app = "web"\n[process.web]\ncommand = ["bin/run"]\n'
FILES = {"berth.toml": SPEC, "bin/run": "#!/bin/sh\nexec sleep 1\n", "share/a/b/c": "deep\n", "share/Ä": "umlaut\n", "share/a.b": "dot\n", "share/a-b": "dash\n", "EMPTY": "",
         **{f"many/{number:03}": f"{number}\n" * number for number in range(200)}}
EXECUTABLE = {"bin/run"}
LINKS = {"current": "share/a", "many/link": "../bin/run"}
FOLDERS = ["empty", "share/also/empty"]


class Reproducible(BerthCase):
    def setUp(self):
        super().setUp()
        self.wanted = self.digest(self.make("plain"))

    def make(self, name, seed=0, below=None):
        """The tree, with its paths made in an order of the seed."""
        top = (below or self.folder) / name
        paths = [*FILES, *LINKS, *FOLDERS]
        random.Random(seed).shuffle(paths)
        top.mkdir()
        for path in paths:
            file = top / path
            file.parent.mkdir(parents=True, exist_ok=True)
            if path in LINKS:
                file.symlink_to(LINKS[path])
            elif path in FILES:
                file.write_text(FILES[path])
                if path in EXECUTABLE:
                    file.chmod(0o777 & ~self.umask())
            else:
                file.mkdir(exist_ok=True)
        return top

    @staticmethod
    def umask():
        mask = os.umask(0)
        os.umask(mask)
        return mask

    def digest(self, source, prefix=(), umask=0o022, home=None):
        """The digest of a build of that, by a new store that knows no other build."""
        home = home or self.folder / f"home-{len(list(self.folder.glob('home-*')))}"
        home.mkdir(exist_ok=True)
        environment = {"PATH": os.environ["PATH"], "HOME": str(home), "XDG_DATA_HOME": str(home / "share"), "LC_ALL": "C"}
        done = subprocess.run([*prefix, str(BERTH), "build", str(source), "--json"], capture_output=True, text=True, cwd=home, env=environment, umask=umask)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)["build"]

    def assertSame(self, source, *arguments, **options):
        self.assertEqual(self.digest(source, *arguments, **options), self.wanted)

    def test_whatever_the_umask(self):
        for mask in (0o000, 0o027, 0o077):
            before = os.umask(mask)
            try:
                tree = self.make(f"umask-{mask:03o}")
            finally:
                os.umask(before)
            self.assertSame(tree, umask=mask)

    def test_whoever_makes_it(self):
        home = self.folder / "home-of-nobody"
        home.mkdir()
        os.chown(home, 65534, 65534)
        tree = self.make("of-nobody")
        for path in [tree, *tree.rglob("*")]:
            os.chown(path, 65534, 65534, follow_symlinks=False)
        self.assertSame(tree)
        self.assertSame(tree, ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"], home=home)

    def test_whenever_it_is_made(self):
        tree = self.make("old")
        for number, path in enumerate([tree, *tree.rglob("*")]):
            os.utime(path, (86_400 * number, 86_400 * number), follow_symlinks=False)
        self.assertSame(tree)
        self.assertSame(tree, ["faketime", "2035-06-01 12:00:00"])

    def test_in_whatever_order_its_files_came_on_whatever_file_system(self):
        image = self.folder / "disk.img"
        with open(image, "wb") as file:
            file.truncate(64 << 20)
        subprocess.run(["mkfs.ext4", "-q", str(image)], check=True)
        disk = self.folder / "disk"
        disk.mkdir()
        subprocess.run(["mount", "-o", "loop", str(image), str(disk)], check=True)
        self.addCleanup(subprocess.run, ["umount", str(disk)], check=True)
        self.assertNotEqual(disk.stat().st_dev, self.folder.stat().st_dev)
        orders = set()
        for seed in range(4):
            for below in (self.folder, disk):
                tree = self.make(f"order-{seed}", seed, below)
                orders.add(tuple(entry.name for entry in os.scandir(tree / "many")))
                self.assertSame(tree)
        self.assertGreater(len(orders), 4, "the file systems list them in different orders")

    @staticmethod
    def zip(archive, path, name):
        """As `zip -y` does."""
        info = zipfile.ZipInfo(name + ("/" if path.is_dir() and not path.is_symlink() else ""), (2001, 2, 3, 4, 5, 6))
        info.create_system, info.external_attr = 3, path.lstat().st_mode << 16
        archive.writestr(info, os.readlink(path) if path.is_symlink() else path.read_bytes() if path.is_file() else b"")

    def test_out_of_an_archive_of_any_order(self):
        tree = self.make("packed")
        names = sorted(str(path.relative_to(tree)) for path in tree.rglob("*"))
        for seed, kind in enumerate(("tar", "tar.gz", "tar.xz", "zip", "tar.bz2")):
            order = names[:]
            random.Random(seed).shuffle(order)
            file = self.folder / f"web.{kind}"
            if kind == "zip":
                with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
                    for name in order:
                        self.zip(archive, tree / name, name)
            else:
                with tarfile.open(file, "w:" + kind.partition(".")[2]) as archive:
                    for name in order:
                        archive.add(tree / name, name, recursive=False)
            self.assertSame(file)

    def test_another_tree_is_another_build(self):
        for number, change in enumerate((lambda tree: (tree / "EMPTY").write_text("x"), lambda tree: (tree / "EMPTY").chmod(0o755),
                                         lambda tree: (tree / "empty").rmdir(), lambda tree: (tree / "many/000").rename(tree / "many/zero"))):
            tree = self.folder / f"other-{number}"
            shutil.copytree(self.folder / "plain", tree, symlinks=True)
            change(tree)
            self.assertNotEqual(self.digest(tree), self.wanted, number)


if __name__ == "__main__":
    unittest.main(verbosity=2)
