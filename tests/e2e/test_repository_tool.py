"""Who may change what in a repository, by the command line: delegated apps, offline roots, rotation, signers, two publishers; a real node follows."""
import fcntl
import json
import os
import shutil
import subprocess
import unittest

from lib import sample_apps
from lib.case import BerthCase
from lib.keys import Keys
from lib.web import RepositoryServer


class RepositoryTool(BerthCase):
    def setUp(self):
        super().setUp()
        self.keys = Keys(self.folder / "ci-keys")

    def repo_verb(self, verb, *arguments, expect=0):
        return self.repo.berth("repo", verb, *arguments, expect=expect)

    def site(self, app="web", note="", port=8080):
        return sample_apps.testapp(self.folder / f"site-{app}", app=app, note=note, port=port)

    def delegate(self, app, *more, kind="ed25519"):
        self.keys.make(app, kind)
        self.repo_verb("delegate", self.repo.folder, app, "--key", self.keys.public(app), *more)

    def ci_release(self, app, *more, note="", expect=0):
        """Builds and releases with the app's key alone: the repository's own keys are not there."""
        self.repo.configure("production")
        self.repo.build(self.site(app, note))
        return self.repo.berth("release", app, "--env", "production", "--repo", self.repo.folder, "--environments", self.repo.environments, "--json",
                               "--keys", self.folder / "no-keys", "--key", self.keys.private(app), *more, expect=expect)

    def accept(self, *more, expect=0):
        return self.repo_verb("accept", self.repo.folder, "--json", *more, expect=expect).json()

    def published(self):
        """Every published file and its bytes."""
        return {str(path.relative_to(self.repo.folder)): path.read_bytes()
                for part in ("metadata", "targets", "blobs") for path in sorted((self.repo.folder / part).rglob("*")) if path.is_file()}

    def test_a_release_goes_from_an_apps_ci_through_acceptance_to_a_node(self):
        self.delegate("web")
        told = self.ci_release("web").json()
        self.assertEqual((told["release"], told["role"], told["missing_signatures"]), ("v1", "web", 0))
        node = self.make_node().start()
        node.berth("deploy", "web@v1", expect=None)
        self.assertIsNone(node.active() or None, "what waits is not published")
        accepted = self.accept()
        self.assertEqual(accepted["accepted"][0]["targets"], ["web/production/v1.json"])
        self.deploy(node, "v1")
        self.assertServes("v1")
        # A second one, and a channel.
        self.ci_release("web", note="two")
        self.repo.berth("channel", "set", "stable", "web/production@v2", "--repo", self.repo.folder, "--keys", self.folder / "no-keys",
                        "--key", self.keys.private("web"))
        self.accept()
        self.deploy(node, "v2")
        self.assertServes("v2")
        channels = self.repo.berth("channel", "list", "--repo", self.repo.folder, "--json").json()["channels"]
        self.assertEqual([(one["channel"], one["release"], one["serial"]) for one in channels], [("stable", "v2", 1)])
        self.assertSays(self.repo_verb("verify", self.repo.folder), "all is as it was signed")

    def test_one_cis_key_changes_nothing_of_another_nor_of_snapshot_and_timestamp(self):
        self.delegate("web")
        self.delegate("shop")
        self.ci_release("shop")
        self.accept()
        before = self.published()
        mine = ["--keys", self.folder / "no-keys", "--key", self.keys.private("web")]
        for verb in (["refresh"], ["accept"], ["refresh", "--only", "timestamp"], ["rotate", "timestamp"], ["rotate", "root"]):
            done = self.repo.berth("repo", verb[0], self.repo.folder, *verb[1:], *mine, expect=None)
            self.assertIn(done.code, (0, 3), done)  # accept has nothing to do
            self.assertEqual(self.published(), before, verb)
        for verb in ("delegate", "revoke"):
            self.repo.berth("repo", verb, self.repo.folder, "shop", "--key", self.keys.public("web" if verb == "delegate" else "shop"),
                            "--keys", self.folder / "no-keys", "--signing-key", self.keys.private("web"), expect=None)
            self.assertEqual(self.published(), before, verb)
        # By hand, past all checks of the publisher's verbs: a file of shop's role, and of the top-level roles, signed with web's key.
        self.ci_release("web")
        signed = json.loads((self.repo.folder / "incoming/web/metadata/1.web.json").read_text())
        for role, version in (("shop", 2), ("timestamp", 9), ("snapshot", 9), ("targets", 9)):
            there = self.repo.folder / "incoming" / role / "metadata"
            there.mkdir(parents=True, exist_ok=True)
            signed["signed"]["version"] = version
            (there / f"{version}.{role}.json").write_text(json.dumps(signed))
            self.repo_verb("sign", there / f"{version}.{role}.json", "--key", self.keys.private("web"))
        shutil.rmtree(self.repo.folder / "incoming/web")
        refused = self.accept(expect=4)
        self.assertEqual(refused["accepted"], [])
        self.assertEqual({one["role"] for one in refused["refused"]}, {"shop", "timestamp", "snapshot", "targets"})
        self.assertEqual(self.published(), before)
        # And its own role may not name shop's releases.
        (self.repo.folder / "incoming/web/metadata").mkdir(parents=True)
        manifest = next((self.repo.folder / "targets/shop/production").iterdir())
        signed["signed"].update(version=1, targets={"shop/production/v2.json": {
            "length": manifest.stat().st_size, "hashes": {"sha256": manifest.name.split(".")[0]}}})
        (self.repo.folder / "incoming/web/metadata/1.web.json").write_text(json.dumps(signed))
        self.repo_verb("sign", self.repo.folder / "incoming/web/metadata/1.web.json", "--key", self.keys.private("web"))
        reasons = {one["role"]: one["reason"] for one in self.accept(expect=4)["refused"]}
        self.assertIn("outside of what is delegated to web", reasons["web"])
        self.assertEqual(self.published(), before)

    def test_a_role_with_two_keys_needs_both_and_the_second_signs_elsewhere(self):
        self.delegate("web")
        self.keys.make("second", "p256")
        self.repo_verb("delegate", self.repo.folder, "web", "--key", self.keys.public("second"), "--threshold", "2")
        told = self.ci_release("web").json()
        self.assertEqual(told["missing_signatures"], 1)
        self.assertEqual(self.accept(expect=4)["accepted"], [])
        self.repo_verb("sign", told["handed_in"], "--key", self.keys.private("second"))
        self.assertEqual(len(self.accept()["accepted"]), 1)

    def test_an_offline_root_of_two_keys_makes_the_repository_and_a_node_follows_its_rotation(self):
        for name, kind in (("root-a", "rsa"), ("root-b", "p256"), ("root-c", "ed25519")):
            self.keys.make(name, kind)
        folder, root = self.folder / "offline", self.folder / "root.json"
        self.repo_verb("init", folder, "--public", f"root={self.keys.public('root-a')}", "--public", f"root={self.keys.public('root-b')}",
                       "--threshold", "root=2", "--out", root)
        self.repo_verb("sign", root, "--key", self.keys.private("root-a"))
        self.assertSays(self.repo_verb("init", folder, "--in", root, expect=4), "1 of its role's 2 keys")
        self.repo_verb("sign", root, "--key", self.keys.private("root-b"))
        self.repo_verb("init", folder, "--in", root)
        self.repo.folder, self.repo.root = folder, folder / "metadata/1.root.json"
        self.repo.publish(self.site())
        node = self.make_node().start()
        self.deploy(node, "v1")
        self.assertServes("v1")

        # The node has the first root; two follow, the timestamp and targets keys change with them.
        self.assertSays(self.repo_verb("rotate", folder, "timestamp", expect=3), "role root needs 2 signatures")
        for role in ("timestamp", "targets"):
            self.repo_verb("rotate", folder, role, "--key", self.keys.private("root-a"), "--key", self.keys.private("root-b"))
        self.repo_verb("rotate", folder, "root", "--new", self.keys.public("root-c"), "--threshold", "1", "--out", root)
        self.repo_verb("sign", root, "--key", self.keys.private("root-c"))
        self.assertSays(self.repo_verb("rotate", folder, "--in", root, expect=4), "by the present root's keys")
        for name in ("root-a", "root-b"):
            self.repo_verb("sign", root, "--key", self.keys.private(name))
        self.repo_verb("rotate", folder, "--in", root)
        self.assertTrue((folder / "metadata/4.root.json").exists())
        for old in ("timestamp.pem", "targets.pem"):
            (self.folder / "offline-keys" / old).unlink()
        self.repo.publish(self.site(note="two"))
        self.deploy(node, "v2")
        self.assertServes("v2")
        self.assertSays(self.repo_verb("rotate", folder, "timestamp", "--key", self.keys.private("root-a"), expect=3), "root")

    def test_a_rotation_that_was_interrupted_is_finished_by_the_next_publisher(self):
        self.repo.publish(self.site())
        keys = self.folder / "repo-keys"
        (keys / "timestamp.pem").rename(self.folder / "lost.pem")
        before = (self.repo.folder / "metadata/timestamp.json").read_bytes()
        self.repo_verb("rotate", self.repo.folder, "timestamp")
        # As if it had ended between the new root and timestamp.json.
        (self.repo.folder / "metadata/timestamp.json").write_bytes(before)
        self.assertEqual(self.repo_verb("status", self.repo.folder, expect=4).code, 4)
        self.repo_verb("refresh", self.repo.folder)
        self.repo_verb("status", self.repo.folder)
        node = self.make_node().start()
        self.deploy(node, "v1")

    def test_keys_of_three_kinds_passphrases_and_an_external_signer_sign(self):
        self.keys.make("rsa", "rsa", passphrase="open sesame")
        self.keys.make("device", "p256")
        secret = self.folder / "passphrase"
        secret.write_text("open sesame\n")
        self.repo_verb("delegate", self.repo.folder, "web", "--key", self.keys.public("rsa"), "--key", self.keys.public("device"), "--threshold", "2")
        self.repo.configure("production")
        self.repo.build(self.site())
        release = ["release", "web", "--env", "production", "--repo", self.repo.folder, "--environments", self.repo.environments, "--json",
                   "--key", self.keys.private("rsa")]
        sign = f"openssl dgst -sha256 -sign {self.keys.private('device')}"
        device = ["--signer-key", self.keys.public("device"), "--signer"]
        self.assertSays(self.repo.berth(*release, expect=2), "is encrypted")
        for failing, says in ((f"{sign} -sigopt wrong", "ended with"), ("echo 00", "no signature of its key"), ("sleep 100", "did not sign within 1")):
            done = self.repo.berth(*release, "--passphrase-file", secret, *device, failing, "--signer-timeout", "1", expect=None)
            self.assertNotEqual(done.code, 0)
            self.assertSays(done, says)
        done = self.repo.berth(*release, "--passphrase-file", secret, *device, f"{sign} | openssl base64")
        self.assertEqual(done.json()["missing_signatures"], 0)
        self.accept()
        node = self.make_node().start()
        self.deploy(node, "v1")
        self.assertServes("v1")

    def test_two_publishers_at_once_one_wins_and_the_other_is_told(self):
        self.repo.publish(self.site())
        with open(self.repo.folder / ".lock") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            for verb in ("refresh", "accept", "gc"):
                self.assertSays(self.repo_verb(verb, self.repo.folder, expect=8), "another publisher is at work")
            self.assertSays(self.repo_verb("push", self.repo.folder, self.folder / "www", expect=8), "another publisher is at work")
        env = {**os.environ, "HOME": str(self.repo.home), "XDG_DATA_HOME": str(self.repo.home / "share"), "NO_COLOR": "1"}
        from lib.programs import BERTH
        command = [str(BERTH), "release", "web", "--env", "production", "--repo", str(self.repo.folder), "--environments", str(self.repo.environments)]
        running = [subprocess.Popen(command, env=env, cwd=self.repo.home, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) for _ in range(6)]
        results = [(one.communicate(timeout=120)[1], one.returncode) for one in running]
        won = [code for _err, code in results if code == 0]
        self.assertGreaterEqual(len(won), 1)
        for err, code in results:
            self.assertIn(code, (0, 8), err)
        # Who waits is never turned away.
        running = [subprocess.Popen([*command, "--wait", "5m"], env=env, cwd=self.repo.home, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) for _ in range(4)]
        self.assertEqual([(one.communicate(timeout=300)[1], one.returncode)[1] for one in running], [0, 0, 0, 0])
        listed = self.repo.berth("releases", "web", "--repo", self.repo.folder, "--json").json()["releases"]
        self.assertEqual(len(listed), 1 + len(won) + 4)
        self.assertSays(self.repo_verb("verify", self.repo.folder), "all is as it was signed")

    def test_a_copy_is_whole_at_every_moment_and_gc_takes_only_what_nothing_lists(self):
        self.repo.publish(self.site())
        served = self.folder / "www"
        self.repo_verb("push", self.repo.folder, served)
        node = self.make_node(repository=f"file://{served}").start()
        self.deploy(node, "v1")
        self.repo.publish(self.site(note="two"))
        log = self.folder / "log"
        self.repo_verb("push", self.repo.folder, served, "--with", f"sh -c 'find \"$0\" -type f >> {log}; cp -a \"$0\" \"$1\"'")
        order = log.read_text().splitlines()
        self.assertEqual([line.rsplit("/", 2)[1:] for line in order[-3:]], [["metadata", "1.root.json"], ["metadata", "timestamp.json"], ["metadata", "root.json"]])
        self.assertEqual(sum(line.endswith("timestamp.json") for line in order), 1)
        self.deploy(node, "v2")
        self.assertSays(self.repo_verb("push", self.repo.folder, served, "--with", "false", expect=1), "failed with 1")

        (served / "blobs/sha256" / ("1" * 64)).write_text("nothing lists me there")
        self.assertSays(self.repo_verb("push", self.repo.folder, served, "--prune"), "0 files, 0 B removed")
        pruned = self.repo_verb("push", self.repo.folder, served, "--prune", "--grace", "0s", "--keep", "1", "--json").json()
        self.assertGreater(pruned["pruned_files"], 1)
        self.assertFalse((served / "blobs/sha256" / ("1" * 64)).exists())
        self.assertSays(self.repo_verb("verify", served), "2 releases", "all is as it was signed")

        stray = self.repo.folder / "blobs/sha256" / ("0" * 64)
        stray.write_text("nothing lists me")
        before = self.published()
        would = self.repo_verb("gc", self.repo.folder, "--grace", "0s", "--keep", "1", "--dry-run", "--json").json()
        self.assertEqual(self.published(), before)
        self.assertIn(f"blobs/sha256/{'0' * 64}", would["files"])
        done = self.repo_verb("gc", self.repo.folder, "--grace", "0s", "--keep", "1", "--json").json()
        self.assertEqual(done["files"], would["files"])
        self.assertEqual(set(before) - set(self.published()), set(done["files"]))
        self.assertTrue(all("root" not in name for name in done["files"]))
        self.assertSays(self.repo_verb("verify", self.repo.folder), "2 releases", "all is as it was signed")
        third = self.make_node("m", repository=self.repo.url, name="node-2", metrics_port=9465).start()
        third.berth("releases", "web")

    def test_a_push_overwrites_nothing_that_another_copy_pushed(self):
        self.repo.publish(self.site())
        www = self.folder / "www"
        other = self.repo.copy_to(self.folder / "other")
        self.repo.publish(self.site(note="two"))
        self.repo_verb("push", self.repo.folder, www)
        before = {path: path.read_bytes() for path in www.rglob("*") if path.is_file()}
        refused = other.berth("repo", "push", other.folder, www, expect=8)
        self.assertSays(refused, f"{www}: its timestamp has version", "another publisher pushed there", "--force")
        other.publish(self.site(note="another two"))
        other.berth("repo", "refresh", other.folder)
        self.assertSays(other.berth("repo", "push", other.folder, www, expect=8), "has other contents than the same version in")
        server = RepositoryServer(www)
        self.addCleanup(server.close)
        elsewhere = ["repo", "push", other.folder, self.folder / "copy", "--with", "cp -a"]
        self.assertSays(other.berth(*elsewhere, "--served", server.url, expect=8), f"{server.url}: version")
        self.assertFalse((self.folder / "copy").exists())
        (self.folder / "copy").mkdir()
        self.repo_verb("push", self.repo.folder, self.folder / "copy", "--with", "cp -a", "--served", server.url)
        self.assertSays(other.berth(*elsewhere, "--served", "http://127.0.0.1:1", expect=1), "http://127.0.0.1:1: the repository cannot be reached")
        self.assertEqual({path: path.read_bytes() for path in www.rglob("*") if path.is_file()}, before)
        self.assertSays(other.berth("repo", "push", other.folder, www, "--prune", "--with", "cp -a", expect=2), "a copying command removes nothing")
        other.berth("repo", "push", other.folder, www, "--force")
        self.assertEqual((www / "metadata/timestamp.json").read_bytes(), (other.folder / "metadata/timestamp.json").read_bytes())

    def test_a_timer_with_the_timestamp_key_alone_keeps_it_fresh(self):
        keys = self.folder / "timer"
        keys.mkdir()
        shutil.copy(self.folder / "repo-keys/timestamp.pem", keys)
        before = self.repo_verb("status", self.repo.folder, "--json").json()["roles"]
        self.repo_verb("refresh", self.repo.folder, "--keys", keys)
        self.repo_verb("refresh", self.repo.folder, "--only", "timestamp", "--keys", keys)
        after = self.repo_verb("status", self.repo.folder, "--json").json()["roles"]
        self.assertEqual([one["version"] for one in after], [one["version"] + (2 if one["role"] == "timestamp" else 0) for one in before])


if __name__ == "__main__":
    unittest.main()
