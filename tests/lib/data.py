"""An app whose data are copied before a release takes over, and what tests of that do again and again."""
import os
import subprocess

from lib import hooks, processes
from lib.case import BerthCase

SNAPSHOT = "[data]\nsnapshot = true\n"
MIGRATE = 'echo "schema 2" > "$BERTH_DATA_DIR/schema"; mkdir -p "$BERTH_DATA_DIR/new"; echo x > "$BERTH_DATA_DIR/new/table"'


class DataCase(BerthCase):
    def publish(self, scripts=None, *arguments, data=SNAPSHOT, **options):
        options = {"strategy": "recreate", "bake": "200ms", **options}
        return self.repo.publish(hooks.app(self.folder / "site", scripts or {}, *arguments, data=data, **options))

    def start_with_v1(self, data=SNAPSHOT):
        """v1 serves, and its data say schema 1."""
        self.node = self.make_node().start()
        self.publish(data=data, note="1")
        self.deploy(self.node, "v1")
        (self.node.data() / "schema").write_text("schema 1\n")
        (self.node.data() / "kept").mkdir()
        (self.node.data() / "kept" / "big").write_bytes(os.urandom(3_000_000))
        for name in ("schema", "kept"):
            os.chown(self.node.data() / name, *self.owner())
        self.before = self.tree(self.node.data())

    def owner(self):
        about = self.node.data().stat()
        return about.st_uid, about.st_gid

    @staticmethod
    def tree(folder):
        """Every path with its mode, owner, and content, but for the log of the app's own starts and hooks."""
        found = {}
        for path in sorted(folder.rglob("*")):
            if path.name in ("starts.log", "hooks.log"):
                continue
            about = path.lstat()
            found[str(path.relative_to(folder))] = (about.st_mode, about.st_uid, about.st_gid, about.st_mtime_ns, path.read_bytes() if path.is_file() else b"")
        return found

    def beside(self):
        """The folders beside the data."""
        return sorted(path.name for path in self.node.data().parent.iterdir() if path.name.startswith(("data.", "snapshot.")))

    def newest(self):
        return self.node.deployments()[0]

    def assertBackAtV1(self, aside, left=("schema 2\n",)):
        self.assertEqual(self.tree(self.node.data()), self.before)
        self.assertEqual((self.node.data().stat().st_mode & 0o777, self.owner()), (0o750, (processes.uids(list(self.node.pids().values())[0])[0],) * 2))
        self.assertIn(aside, self.beside())
        self.assertIn((self.node.data().parent / aside / "schema").read_text(), left)
        self.assertOneWholeRelease(self.node, "v1")
        self.assertServes("v1")

    def mount(self, folder):
        """A mount of the folder at itself: it has its files, and cannot be renamed."""
        subprocess.run(["mount", "--bind", folder, folder], check=True)
        self.addCleanup(subprocess.run, ["umount", "-q", "-l", folder], stderr=subprocess.DEVNULL)

    def umount(self, folder):
        subprocess.run(["umount", folder], check=True)
