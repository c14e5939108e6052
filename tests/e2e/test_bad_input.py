"""Bad input of every kind: nothing on the node changes, exit code and message name the thing, and then a good deploy succeeds."""
import json
import os
import shutil
import socket
import subprocess
import tempfile
import unittest
from pathlib import Path

from lib import sample_apps
from lib.case import WORK, BerthCase
from lib.load import one_request
from lib.programs import BERTH, sanitizer
from lib.repo import Repo
from lib.waiting import wait_until
from lib.web import RepositoryServer


def flip(path, at=None):
    """Flips the lowest bit of one byte, in the middle unless told."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2 if at is None else at] ^= 1
    path.chmod(0o644)
    path.write_bytes(data)


def flip_digit(path, field):
    """Changes one digit of a number that a JSON file signs, so that it still parses."""
    text = path.read_text()
    at = text.index(f'"{field}"') + len(field) + 2
    while not text[at].isdigit():
        at += 1
    path.chmod(0o644)
    path.write_text(text[:at] + str((int(text[at]) + 1) % 10) + text[at + 1:])


def truncate(path):
    path.chmod(0o644)
    os.truncate(path, path.stat().st_size // 2)


class BadInput(BerthCase):
    """v1 runs; v2 is in the repository, and what it is served from is damaged in each test."""

    @classmethod
    def setUpClass(cls):
        folder = Path(tempfile.mkdtemp(dir=WORK))
        cls.addClassCleanup(shutil.rmtree, folder, True)
        cls.published = Repo(folder)
        tree = sample_apps.testapp(folder / "site")
        tree.put("big.bin", os.urandom(3 << 20))
        cls.published.publish(tree)
        cls.published.build(tree.put("NOTE", "two"))
        cls.published.release("web", "production", "--no-patches")  # so that the layer is what is fetched

    def make_repo(self):
        return self.published.copy_to(self.folder)

    def setUp(self):
        super().setUp()
        self.served = self.folder / "served"
        self.restore()
        self.server = RepositoryServer(self.served)
        self.addCleanup(self.server.close)
        self.node = self.make_node(repository=self.server.url).start()
        self.deploy(self.node, "v1")

    def restore(self):
        shutil.rmtree(self.served, ignore_errors=True)
        shutil.copytree(self.repo.folder, self.served, symlinks=True)

    # where things lie in the repository

    def find(self, pattern):
        found = sorted(self.served.rglob(pattern))
        self.assertTrue(found, f"no {pattern} in the repository")
        return found[-1]

    def manifest_file(self):
        return self.find("*v2.json")

    def manifest(self):
        return json.loads(self.manifest_file().read_text())

    def layer(self):
        """The build's layer of v2."""
        (build,) = self.manifest()["builds"].values()
        return build["layer"]

    def blob(self, ref):
        return self.served / "blobs" / "sha256" / ref["sha256"]

    # the frame of every test

    def assertRefused(self, damage, exits, *words, release="v2"):
        with self.refused(self.node):
            damage()
            done = self.node.berth("deploy", f"web@{release}", expect=exits)
            self.assertSays(done, "web", *words)
            self.assertServes("v1")
        return done

    def assertGoodDeployFollows(self, release="v2"):
        self.restore()
        self.server.faults = {}
        self.deploy(self.node, release)
        self.assertServes(release)
        self.assertOneWholeRelease(self.node, release)

    # damaged bytes

    def test_a_manifest_with_one_flipped_byte(self):
        self.assertRefused(lambda: flip(self.manifest_file()), 4, "v2")
        self.assertGoodDeployFollows()

    def test_an_index_with_one_flipped_byte(self):
        self.assertRefused(lambda: flip(self.blob(self.layer()["index"])), 4, self.layer()["index"]["sha256"][:8])
        self.assertGoodDeployFollows()

    def test_a_compressed_megabyte_with_one_flipped_byte(self):
        blob = self.layer()["blob"]
        self.assertGreater(blob["size"], 2 << 20)
        self.assertRefused(lambda: flip(self.blob(blob), at=(1 << 20) + 17), 4, blob["sha256"][:8])
        self.assertGoodDeployFollows()

    def test_timestamp_metadata_with_one_flipped_byte(self):
        self.assertRefused(lambda: flip_digit(self.served / "metadata" / "timestamp.json", "version"), 4, "timestamp")
        self.assertGoodDeployFollows()

    def publish_more(self):
        """v3: the node has yet to ask for the snapshot and targets that list it; those it holds it does not ask for again."""
        self.repo.publish(sample_apps.testapp(self.folder / "site", note="three"))
        self.restore()

    def test_snapshot_metadata_with_one_flipped_byte(self):
        self.publish_more()
        self.assertRefused(lambda: flip_digit(self.newest("snapshot"), "version"), 4, "snapshot", release="v3")
        self.assertGoodDeployFollows("v3")

    def test_targets_metadata_with_one_flipped_byte(self):
        self.publish_more()
        self.assertRefused(lambda: flip_digit(self.newest("targets"), "length"), 4, "targets", release="v3")
        self.assertGoodDeployFollows("v3")

    def newest(self, role):
        files = self.served.joinpath("metadata").glob(f"*.{role}.json")
        return max(files, key=lambda path: int(path.name.split(".")[0]))

    def test_a_truncated_manifest(self):
        self.assertRefused(lambda: truncate(self.manifest_file()), 4, "v2")
        self.assertGoodDeployFollows()

    def test_a_truncated_layer(self):
        self.assertRefused(lambda: truncate(self.blob(self.layer()["blob"])), 4, self.layer()["blob"]["sha256"][:8])
        self.assertGoodDeployFollows()

    def test_truncated_metadata(self):
        self.assertRefused(lambda: truncate(self.served / "metadata" / "timestamp.json"), 4, "timestamp")
        self.assertGoodDeployFollows()

    # metadata that is whole but not to be believed

    def test_expired_metadata_and_what_runs_goes_on_and_can_be_reverted(self):
        self.deploy(self.node, "v2")
        self.repo.publish(sample_apps.testapp(self.folder / "site", note="three"))

        def expire():
            env = {**os.environ, "HOME": str(self.repo.home)}
            if sanitizer() == "address":
                env["ASAN_OPTIONS"] = "verify_asan_link_order=0:detect_leaks=0"
            subprocess.run(["faketime", "2020-01-01", str(BERTH), "repo", "refresh", str(self.repo.folder)], check=True, capture_output=True, env=env)
            self.restore()
        with self.refused(self.node):
            expire()
            done = self.deploy(self.node, "v3", "web", 4)
            self.assertSays(done, "timestamp", "expired", "2020")
            self.assertServes("v2")
        wait_until(lambda: "expired" in self.node.status()["repository"]["last_error"], "status says that the metadata are expired")
        self.node.berth("revert", "web")
        self.assertServes("v1")
        self.repo.berth("repo", "refresh", self.repo.folder)
        self.assertGoodDeployFollows("v3")

    def test_metadata_of_another_repository(self):
        other = Repo(self.folder, "other")
        other.publish(sample_apps.testapp(self.folder / "site", note="other"))
        other.publish(sample_apps.testapp(self.folder / "site", note="other 2"))

        def swap():
            shutil.rmtree(self.served)
            shutil.copytree(other.folder, self.served)
        self.assertRefused(swap, 4)
        self.assertGoodDeployFollows()

    def test_metadata_that_was_rolled_back(self):
        old = self.folder / "old"
        shutil.copytree(self.repo.folder, old)
        self.repo.publish(sample_apps.testapp(self.folder / "site", note="three"))
        self.restore()
        self.deploy(self.node, "v3")
        with self.refused(self.node):
            shutil.rmtree(self.served)
            shutil.copytree(old, self.served)
            done = self.deploy(self.node, "v2", "web", 4)
            self.assertSays(done, "timestamp", "version")
        self.restore()
        self.deploy(self.node, "v2")
        self.assertServes("v2")

    # releases that are not for this node

    def test_a_release_of_another_environment(self):
        self.repo.release("web", "qa")
        self.restore()
        with self.refused(self.node):
            done = self.node.berth("deploy", "web/qa@v1", expect=2)
            self.assertSays(done, "qa", "production")
        self.assertGoodDeployFollows()

    def test_a_release_of_another_platform(self):
        tree = sample_apps.testapp(self.folder / "site", note="arm")
        program = tree.folder / "bin" / "testapp"
        image = bytearray(program.read_bytes())
        image[18:20] = (183).to_bytes(2, "little")  # e_machine: AArch64
        program.write_bytes(image)
        self.repo.publish(tree)
        self.restore()
        self.assertRefused(lambda: None, 4, "v3", "linux/arm64", release="v3")
        self.assertGoodDeployFollows()

    def test_an_unknown_release_and_an_unknown_app(self):
        self.assertRefused(lambda: None, 3, "v99", release="v99")
        with self.refused(self.node):
            unknown = self.node.berth("deploy", "nothing@v1", expect=3)
            self.assertNotIn("did you mean", unknown.text)
            self.assertSays(unknown, "there is no release of nothing/production; 'berth apps' lists what there is", "nothing has no active release.")
            self.assertNotIn("See:", unknown.text, "one list is enough")
            self.assertNotIn("berth logs", unknown.text, "there are none")
            self.assertSays(self.node.berth("deploy", "webb@v1", expect=3), "no such release", "(did you mean 'web'?)")
            self.assertSays(self.node.berth("status", "webb", expect=3), "app webb is not on this node", "(did you mean 'web'?)")
        self.assertGoodDeployFollows()

    # trouble on the way

    def test_a_repository_that_hangs_in_mid_body(self):
        def hang():  # at the last of the four times that it is tried; each hang takes ten seconds
            self.server.faults = {self.layer()["blob"]["sha256"]: ("hang after", 3)}
        done = self.assertRefused(hang, 1, "v2")
        self.assertTrue(any(word in done.text for word in ("time", "no bytes", "slow", "stall")), done)
        blob = self.layer()["blob"]["sha256"]
        self.assertEqual(len([path for path, _span in self.server.asked if blob in path]), 4)
        self.assertGoodDeployFollows()

    def test_a_repository_that_answers_500(self):
        def trouble():
            self.server.faults = {self.layer()["blob"]["sha256"]: 500}
        self.assertRefused(trouble, 1, "500")
        self.assertGoodDeployFollows()

    def test_a_repository_whose_metadata_answers_500(self):
        def trouble():
            self.server.faults = {"timestamp.json": 500}
        self.assertRefused(trouble, 1, "500")
        self.assertGoodDeployFollows()

    def test_a_connection_that_breaks_is_resumed_where_it_was(self):
        digest = self.layer()["blob"]["sha256"]
        self.server.faults = {digest: ("stop", 1_600_000)}
        self.server.asked.clear()
        self.node.berth("deploy", "web@v2")
        spans = [span for path, span in self.server.asked if digest in path]
        self.assertTrue(any(span.startswith("bytes=") and not span.startswith("bytes=0-") for span in spans), spans)
        self.assertServes("v2")

    def test_a_port_in_use_by_another_program(self):
        tree = sample_apps.testapp(self.folder / "second", app="second", port=8090)
        self.repo.publish(tree)
        self.restore()
        with socket.socket(socket.AF_INET6) as taken:
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            taken.bind(("::", 8090))
            taken.listen()
            with self.refused(self.node):
                done = self.node.berth("deploy", "second@v1", expect=1)
                self.assertSays(done, "8090", str(os.getpid()))
        self.node.berth("deploy", "second@v1", "--force")
        self.assertServes("v1", 8090)
        self.assertGoodDeployFollows()

    def test_a_port_of_another_app(self):
        self.repo.publish(sample_apps.testapp(self.folder / "second", app="second", port=8080))
        self.restore()
        with self.refused(self.node):
            done = self.node.berth("deploy", "second@v1", expect=1)
            self.assertSays(done, "8080", "web")
        self.assertGoodDeployFollows()


class SmallDisk(BerthCase):
    def test_a_disk_too_small_is_seen_before_anything_is_fetched(self):
        tree = sample_apps.testapp(self.folder / "site")
        self.repo.publish(tree)
        self.repo.build(tree.put("big.bin", os.urandom(30 << 20)))
        self.repo.release("web", "production", "--no-patches")
        (self.folder / "n").mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m,mode=0755", "tmpfs", self.folder / "n"], check=True)
        self.addCleanup(lambda: subprocess.run(["umount", "-l", self.folder / "n"]))
        server = RepositoryServer(self.repo.folder)
        self.addCleanup(server.close)
        node = self.make_node(repository=server.url).start()
        self.deploy(node, "v1")
        server.asked.clear()
        with self.refused(node):
            done = self.deploy(node, "v2", "web", 1)
            self.assertSays(done, "v2", "space", "MB" if "MB" in done.text else "MiB")
        big = max(self.repo.folder.joinpath("blobs").rglob("*"), key=lambda path: path.stat().st_size if path.is_file() else 0).name
        self.assertFalse([path for path, _span in server.asked if big in path], "the layer was not even asked for")
        tree.folder.joinpath("big.bin").unlink()
        self.repo.build(tree.put("NOTE", "small again"))
        self.repo.release("web", "production", "--no-patches")
        self.deploy(node, "v3")
        self.assertServes("v3")


    def test_a_full_disk_keeps_nobody_from_stopping_going_back_holding_and_draining(self):
        (self.folder / "n" / "state").mkdir(parents=True)
        state = self.folder / "n" / "state"
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48m,mode=0711", "tmpfs", state], check=True)
        self.addCleanup(lambda: subprocess.run(["umount", "-l", state]))
        for note in "12":
            self.repo.publish(sample_apps.testapp(self.folder / "site", note=note))
        node = self.make_node().start()
        for release in ("v1", "v2"):
            self.deploy(node, release)
        subprocess.run(["dd", "if=/dev/zero", f"of={state}/what-fills-it", "bs=4k"], capture_output=True)
        self.assertEqual(os.statvfs(state).f_bavail, 0)
        for command in (("hold", "web", "--reason", "full"), ("resume", "web"), ("stop", "web"), ("start", "web"), ("revert", "web"), ("pin", "web@v2"), ("node", "drain", "--yes"), ("node", "resume")):
            node.berth(*command)
        self.assertServes("v1")
        self.assertEqual([one["kind"] for one in node.events() if one["kind"].startswith("operator.node")], ["operator.node_drain", "operator.node_resume"])


class BadSpec(BerthCase):
    """What is wrong with a berth.toml or a configuration is said where it is made."""

    def refuse(self, verb, words, code=2):
        done = self.repo.berth(*verb, expect=code)
        self.assertSays(done, *words)

    def test_an_unknown_key_is_named_with_its_place_and_the_nearest_known_one(self):
        tree = sample_apps.testapp(self.folder / "site")
        text = (tree.folder / "berth.toml").read_text()
        tree.spec(text.replace("instances = 1", "instancs = 1"))
        line = text.splitlines().index("instances = 1") + 1
        self.refuse(("build", tree), ("berth.toml", f":{line}:1", "instancs", "instances"))
        tree.spec(text)
        self.repo.publish(tree)

    def test_a_command_that_is_not_in_the_build(self):
        tree = sample_apps.testapp(self.folder / "site")
        text = (tree.folder / "berth.toml").read_text()
        tree.spec(text.replace("bin/testapp", "bin/missing"))
        self.refuse(("build", tree), ("bin/missing",))

    def test_a_variable_that_is_missing_or_undeclared(self):
        tree = sample_apps.testapp(self.folder / "site", more="[env.GREETING]\nrequired = true\n")
        self.repo.build(tree)
        self.repo.configure(variables={})
        release = ("release", "web", "--env", "production", "--repo", self.repo.folder, "--environments", self.repo.environments)
        self.refuse(release, ("GREETING",))
        self.repo.configure(variables={"GREETING": "hello", "GREETNG": "typo"})
        self.refuse(release, ("GREETNG",))
        self.repo.configure(variables={"GREETING": "hello"})
        self.repo.release()
        node = self.make_node().start()
        self.deploy(node, "v1")
        self.assertEqual(one_request(8080, "/env/GREETING")[2], "hello")

    def test_a_placeholder_nobody_knows(self):
        tree = sample_apps.testapp(self.folder / "site", "--note", "${NOBODY}")
        self.refuse(("build", tree), ("NOBODY",))

    def test_an_id_is_never_used_again(self):
        tree = sample_apps.testapp(self.folder / "site")
        self.repo.publish(tree)
        self.repo.release("web", "production", "--id", "1.4.2")
        release = ("release", "web", "--env", "production", "--repo", self.repo.folder, "--environments", self.repo.environments)
        self.refuse((*release, "--id", "1.4.2"), ("1.4.2",), 8)
        self.refuse((*release, "--id", "v1"), ("v1",), 8)
        self.assertEqual(self.repo.release(), "v2")

    def test_a_wrong_configuration_of_berthd_is_named_with_its_place(self):
        node = self.make_node()
        node.configure(node.config.read_text().replace("[metrics]\nlisten", "[metrics]\nlissten"))
        node.start(wait=False)
        self.assertEqual(wait_until(lambda: node.process.poll(), "berthd gives up", 5), 2)
        self.assertIn("lissten", node.log_tail())
        self.assertIn("listen", node.log_tail())
        node.process = None


if __name__ == "__main__":
    unittest.main(verbosity=2)
