"""[data] snapshot: a release that is left takes its writes with it, whatever is in the way, and by whatever means the file system has."""
import os
import shutil
import subprocess
import unittest
from pathlib import Path

from lib import hooks, processes, sample_apps
from lib.data import MIGRATE, SNAPSHOT, DataCase
from lib.waiting import wait_until

from test_redis import ask, get


class DataSnapshot(DataCase):
    # what a revert does

    def test_an_automatic_revert_puts_the_data_back_and_keeps_those_of_the_release_that_failed(self):
        self.start_with_v1()
        self.publish({"pre-start": MIGRATE}, "--exit-once-current", "300", bake="60s")
        done = self.deploy(self.node, "v2", expect=5)
        failed = self.newest()["id"]
        self.assertSays(done, "web runs v1 again", f"data.{failed}", "what was written since", "is set aside")
        self.assertBackAtV1(f"data.{failed}")
        self.assertEqual(self.beside(), [f"data.{failed}"])
        self.assertSays(self.node.berth("history", "web"), "data were copied", f"data.{failed}")
        self.assertSays(self.node.berth("status", "web"), f"is set aside in data.{failed}")
        (copy,) = self.node.app()["data_copies"]
        self.assertEqual((copy["release"], copy["set_aside"], copy["deployment"]), ("v2", True, failed))
        kinds = [one["kind"] for one in self.node.events() if one["kind"].startswith("data.")]
        self.assertEqual(kinds, ["data.copied", "data.restored"])

    def test_the_app_is_stopped_while_its_data_are_copied_and_hooks_come_after(self):
        self.start_with_v1()
        look = 'ps -e -o args= | grep -c "[b]in/testapp --serve" > "$BERTH_DATA_DIR/running"; ls "$BERTH_DATA_DIR/.." > "$BERTH_DATA_DIR/beside"; '
        self.publish({"pre-start": look + MIGRATE})
        done = self.deploy(self.node, "v2")
        self.assertSays(done, "web@v2 is active", "data were copied", "a revert sets aside what is written since")
        self.assertEqual((self.node.data() / "running").read_text().strip(), "0")
        self.assertIn(f"snapshot.{self.newest()['id']}", (self.node.data() / "beside").read_text())
        self.assertEqual(self.tree(self.node.data().parent / f"snapshot.{self.newest()['id']}"), self.before)

    def test_a_pre_start_that_fails_after_the_copy_reverts(self):
        self.start_with_v1()
        self.publish({"pre-start": MIGRATE + "; echo half done; exit 1"})
        done = self.deploy(self.node, "v2", expect=5)
        self.assertSays(done, "its pre-start hook exited with 1", "half done", "web runs v1 again")
        self.assertBackAtV1(f"data.{self.newest()['id']}")

    def test_what_its_hook_reverted_never_was_active_so_that_no_revert_goes_there_and_no_hold_keeps_it_off(self):
        self.start_with_v1()
        self.publish({"pre-start": "exit 1"})
        self.deploy(self.node, "v2", expect=5)
        self.assertEqual((self.node.app()["previous"], self.node.app()["rejected"]), ("", []))
        for arguments in ((), ("--plan",)):
            self.assertSays(self.node.berth("revert", "web", *arguments, expect=3), "web has no release before v1 to go back to")
        self.assertServes("v1")
        self.assertSays(self.node.berth("revert", "web", "--to", "v2", "--plan"), "v2 was never found good here: its deployment 2 is reverted", "its pre-start hook exited with 1")

        self.publish(note="3")
        self.deploy(self.node, "v3")
        self.node.berth("revert", "web")
        self.assertServes("v1")
        self.assertSays(self.node.berth("revert", "web", expect=3), "web@v3 is rejected here", "no other release that was active before is on this node")
        self.assertSays(self.node.berth("status", "web"), "held: v3 was reverted by hand")
        # It is a newer release for the hold, too, and is tried.
        self.assertSays(self.deploy(self.node, "v2", expect=5), "its pre-start hook exited with 1")

    def test_redis_loses_what_the_reverted_release_wrote_and_keep_data_keeps_it(self):
        self.repo.configure(files=sample_apps.redis_files())
        for note in ("1", "2"):
            tree = sample_apps.redis(self.folder / "cache", note=note)
            spec = tree.folder / "berth.toml"
            spec.write_text(spec.read_text() + SNAPSHOT)
            self.repo.publish(tree)
        self.node = node = self.make_node().start()
        self.deploy(node, "v1", "cache")
        self.assertEqual(ask(6379, "SET", "before", "1"), "+OK")
        self.deploy(node, "v2", "cache")
        self.assertEqual(get(6379, "before"), "1")
        self.assertEqual(ask(6379, "SET", "between", "2"), "+OK")
        done = node.berth("revert", "cache")
        revert = node.deployments("cache")[0]["id"]
        self.assertSays(done, f"data.{revert}", "is set aside")
        self.assertEqual((get(6379, "before"), get(6379, "between")), ("1", None))

        # Back to v2: its data come back with it.
        node.berth("resume", "cache")
        self.assertEqual(ask(6379, "SET", "after", "3"), "+OK")
        node.berth("revert", "cache", "--to", "v2")
        self.assertEqual((get(6379, "before"), get(6379, "between"), get(6379, "after")), ("1", "2", None))

        # And to v1 once more, with the data that v2 has.
        done = node.berth("revert", "cache", "--to", "v1", "--keep-data")
        self.assertEqual((get(6379, "before"), get(6379, "between"), get(6379, "after")), ("1", "2", None))
        self.assertOneWholeRelease(node, "v1", "cache")

    def test_what_was_set_aside_stays_until_it_is_collected_and_snapshots_until_their_release_goes(self):
        self.start_with_v1()
        self.publish({"pre-start": MIGRATE + "; exit 1"}, note="2")
        self.deploy(self.node, "v2", expect=5)
        aside = self.beside()
        self.publish(note="3")
        self.deploy(self.node, "v3")
        self.assertEqual(len(self.beside()), 2)
        removed = self.node.berth("gc", "web")
        self.assertSays(removed, aside[0])
        self.assertEqual(self.beside(), [f"snapshot.{self.newest()['id']}"])
        for note in ("4", "5", "6", "7"):
            self.publish(note=note)
            self.deploy(self.node, f"v{note}")
        kept = [path.name for path in self.node.slot("v1").parent.iterdir()]
        self.assertEqual(len(self.beside()), len(kept) - 1, "one for each release on the node but the active one")
        self.node.berth("remove", "web", "--purge", "--yes")
        self.assertFalse(self.node.data().parent.exists())

    def test_without_it_a_revert_after_a_migration_warns(self):
        self.start_with_v1(data="")
        self.publish({"pre-start": MIGRATE}, data="", note="2")
        self.deploy(self.node, "v2")
        done = self.node.berth("revert", "web")
        self.assertSays(done, "the pre-start hook of web@v2 may have migrated the data, and they stay as they are")
        self.assertEqual((self.node.data() / "schema").read_text(), "schema 2\n")
        self.assertEqual(self.beside(), [])

    def test_a_revert_by_hand_whose_release_does_not_start_undoes_the_data_too(self):
        self.start_with_v1()
        self.publish({"pre-start": MIGRATE}, note="2")
        self.deploy(self.node, "v2")
        program = self.node.slot("v1") / "app" / "bin" / "testapp"
        blocker = self.folder / "blocked"
        blocker.touch()
        subprocess.run(["mount", "--bind", blocker, program], check=True)
        self.addCleanup(subprocess.run, ["umount", "-q", "-l", program], stderr=subprocess.DEVNULL)
        self.node.berth("revert", "web", expect=None)
        self.node.wait_app(active="v2", deployment=None, seconds=30)
        self.assertEqual((self.node.data() / "schema").read_text(), "schema 2\n")
        self.assertServes("v2")

    # what is refused

    def test_with_another_strategy_it_is_refused_when_it_is_built(self):
        tree = hooks.app(self.folder / "site", {}, data=SNAPSHOT, strategy="blue-green")
        self.assertSays(self.repo.berth("build", tree, expect=2), "'snapshot' in [data] needs strategy = \"recreate\"", "two releases run at once")

    def test_too_much_to_copy_or_too_little_room_is_refused_before_anything_is_stopped(self):
        self.start_with_v1()
        before = self.node.pids()
        self.publish(data='[data]\nsnapshot = { max_bytes = "1MB" }\n', note="2")
        done = self.deploy(self.node, "v2", expect=1)
        self.assertSays(done, "would copy 3.0 MB", "`snapshot.max_bytes` in [data] of berth.toml allows 1.0 MB")
        self.assertEqual(self.node.pids(), before)

        about = os.statvfs(self.node.state)
        with open(self.folder / "ballast", "wb") as file:
            os.posix_fallocate(file.fileno(), 0, about.f_bavail * about.f_frsize - 3_500_000)
        self.addCleanup((self.folder / "ballast").unlink)
        self.publish(note="3")
        done = self.deploy(self.node, "v3", expect=1)
        self.assertSays(done, "too little disk space")
        self.assertEqual(self.node.pids(), before)
        self.assertEqual(self.tree(self.node.data()), self.before)
        self.assertEqual(self.beside(), [])
        self.assertServes("v1")

    def test_something_mounted_in_the_data_is_refused_before_anything_is_stopped(self):
        self.start_with_v1()
        before = self.node.pids()
        self.publish(note="2")
        self.mount(self.node.data() / "kept")
        self.assertSays(self.deploy(self.node, "v2", expect=1), f"something is mounted at {self.node.data()}/kept", "mount it elsewhere")
        self.umount(self.node.data() / "kept")
        self.mount(self.node.data())
        self.assertSays(self.deploy(self.node, "v2", expect=1), f"{self.node.data()} is a file system of its own")
        self.assertEqual(self.node.pids(), before)
        self.umount(self.node.data())
        self.deploy(self.node, "v2")
        self.assertEqual(self.tree(self.node.data().parent / self.beside()[0]), self.before)

    # what cannot be finished

    def leave_a_move_pending(self):
        """A revert by hand to v1 cannot rename the data, and v2 is damaged, so that there is nothing to go back to: no deployment is under way any more."""
        self.start_with_v1()
        for note in ("2", "3"):
            self.publish(note=note)
        self.deploy(self.node, "v2")
        (self.node.data() / "schema").write_text("schema 2\n")
        (self.node.slot("v2") / "app" / "NOTE").unlink()
        self.repo.folder.rename(self.folder / "gone")
        self.mount(self.node.data())
        self.node.berth("revert", "web", expect=None)
        self.pending = self.newest()
        self.assertEqual((self.pending["kind"], self.pending["state"]), ("revert", "failed"))
        self.assertNothingRuns()

    def assertNothingRuns(self):
        self.assertEqual(processes.of_app("web"), {})

    def test_no_operator_and_no_berthd_that_begins_starts_an_app_on_data_that_are_half_moved(self):
        self.leave_a_move_pending()
        for command in (("start", "web"), ("scale", "web/web=2")):
            self.assertSays(self.node.berth(*command, expect=1), "a move of its data that was begun cannot be finished")
            self.assertNothingRuns()
        self.node.kill()
        self.node.start()
        self.node.wait_app(health="down")
        self.assertSays(self.node.berth("status", "web"), "a move of its data that was begun cannot be finished")
        self.assertNothingRuns()
        self.umount(self.node.data())
        self.node.wait_app(health="healthy", seconds=70)
        self.assertBackAtV1(f"data.{self.pending['id']}")
        wait_until(lambda: self.node.app()["problem"] == "", "the problem is over")
        self.node.berth("restart", "web")
        self.assertBackAtV1(f"data.{self.pending['id']}")

    def test_no_deployment_starts_on_data_that_are_half_moved(self):
        self.leave_a_move_pending()
        (self.folder / "gone").rename(self.repo.folder)
        self.assertSays(self.deploy(self.node, "v3", expect=1), "a move of its data that was begun cannot be finished")
        self.assertNothingRuns()
        self.umount(self.node.data())
        self.deploy(self.node, "v3")
        self.assertOneWholeRelease(self.node, "v3")
        self.assertEqual(self.tree(self.node.data()), self.before)
        self.assertEqual((self.node.data().parent / f"data.{self.pending['id']}" / "schema").read_text(), "schema 2\n")
        self.assertEqual(self.tree(self.node.data().parent / f"snapshot.{self.newest()['id']}"), self.before)


class FileSystems(DataCase):
    def on_file_system(self, kind, make):
        """A node whose state is on a file system of that kind."""
        if not shutil.which(make[0]):
            self.skipTest(f"{make[0]} is not installed (packaging/install-deps.sh --tests)")
        image, mounted = self.folder / "image", Path(self.folder / "m")
        with open(image, "wb") as file:
            file.truncate(400_000_000)
        subprocess.run([*make, image], check=True, stdout=subprocess.DEVNULL)
        mounted.mkdir()
        tried = subprocess.run(["mount", "-o", "loop", "-t", kind, image, mounted], capture_output=True, text=True)
        if tried.returncode != 0:
            self.skipTest(f"no loop mount of {kind} here: {tried.stderr.strip()}")
        self.addCleanup(subprocess.run, ["umount", "-l", mounted])
        node = self.make_node()
        node.state = mounted / "state"
        node.configure(node.config.read_text().replace(f'state = "{self.folder}/n/state"', f'state = "{node.state}"'))
        return node

    def revert_on(self, node, method):
        self.node = node.start()
        self.publish(note="1")
        self.deploy(node, "v1")
        (node.data() / "schema").write_text("schema 1\n")
        os.chown(node.data() / "schema", *self.owner())
        with open(node.data() / "big", "wb") as file:
            file.write(os.urandom(1 << 20) * 120)
        os.sync()  # so that the disk has less room from now on
        self.before = self.tree(node.data())
        free = os.statvfs(node.state)
        look = 'df --output=avail -B1 "$BERTH_DATA_DIR" | tail -1 > "$BERTH_DATA_DIR/free"; '
        self.publish({"pre-start": look + MIGRATE}, data='[data]\nsnapshot = { max_bytes = "1MB" }\n', note="2")
        done = self.deploy(node, "v2")
        self.assertSays(done, f"data were copied ({method})")
        self.assertGreater(int((node.data() / "free").read_text()), free.f_bavail * free.f_frsize - 60_000_000, "120 MB were not copied")
        node.berth("revert", "web")
        self.assertBackAtV1(f"data.{self.newest()['id']}")
        node.berth("gc")
        self.assertEqual(self.beside(), [])
        node.kill()
        node.start()
        self.assertEqual(self.tree(node.data()), self.before)
        node.berth("remove", "web", "--purge", "--yes")
        self.assertFalse(node.data().parent.exists())
        node.stop()

    def test_on_btrfs_it_is_a_subvolumes_snapshot(self):
        self.revert_on(self.on_file_system("btrfs", ["mkfs.btrfs", "-q"]), "subvolume")

    def test_on_btrfs_subvolumes_in_the_data_are_copied_too(self):
        self.node = node = self.on_file_system("btrfs", ["mkfs.btrfs", "-q"])
        node.start()
        self.publish(note="1")
        self.deploy(node, "v1")
        for command in (("create", node.data() / "volume"), ("snapshot", "-r", node.data() / "volume", node.data() / "sealed"), ("create", node.data() / "volume" / "inner")):
            subprocess.run(["btrfs", "-q", "subvolume", *command], check=True)
        (node.data() / "volume" / "inner" / "file").write_text("deep\n")
        (node.data() / "schema").write_text("schema 1\n")
        for path in ("schema", "volume", "volume/inner", "volume/inner/file"):
            os.chown(node.data() / path, *self.owner())
        self.before = self.tree(node.data())
        self.publish({"pre-start": MIGRATE + '; echo other > "$BERTH_DATA_DIR/volume/inner/file"'}, note="2")
        self.assertSays(self.deploy(node, "v2"), "data were copied (reflink)")
        node.berth("revert", "web")
        self.assertBackAtV1(f"data.{self.newest()['id']}")
        self.assertEqual((node.data().parent / f"data.{self.newest()['id']}" / "volume" / "inner" / "file").read_text(), "other\n")
        node.berth("gc")
        self.assertEqual(self.beside(), [], "read-only subvolumes go as well")
        node.stop()
        self.end_apps()

    def test_on_xfs_files_share_their_blocks(self):
        self.revert_on(self.on_file_system("xfs", ["mkfs.xfs", "-q", "-m", "reflink=1"]), "reflink")


if __name__ == "__main__":
    unittest.main(verbosity=2)
