"""berthd itself: its command line, how it begins and ends, and who may use its sockets."""
import contextlib
import json
import os
import shutil
import signal
import socket
import sqlite3
import stat
import subprocess
import tempfile
import unittest
from pathlib import Path

from lib import api, contract, sample_apps
from lib.case import BerthCase
from lib.programs import BERTH, BERTHD, KEEPER, PATIENCE, UNPACK
from lib.waiting import wait_until

def ask_as(uid, gid, socket_path, target="/v1/status", method="GET", body=None, more=()):
    """What somebody else gets to hear: the kernel tells berthd who was in effect when they connected, and in which groups besides."""
    contract.make_ready()
    groups = os.getgroups()
    os.setgroups(list(more))
    os.setegid(gid)
    os.seteuid(uid)
    try:
        return api.call(socket_path, method, target, body)
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(groups)


class Notify:
    """A socket that stands for systemd's."""

    def __init__(self, path):
        self.path = str(path)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.socket.settimeout(10 * PATIENCE)
        self.heard = []

    def wait(self, word):
        """Everything that was said until a message with `word`, that one included."""
        said = []
        while not said or word not in said[-1]:
            said.append(self.socket.recv(4096).decode())
        return said


class Daemon(BerthCase):
    def setUp(self):
        super().setUp()
        self.node = self.make_node()

    def run_berthd(self, *arguments, **options):
        return subprocess.run([str(BERTHD), *map(str, arguments)], capture_output=True, text=True, timeout=20 * PATIENCE, **options)

    def test_says_its_version_and_help(self):
        self.assertRegex(self.run_berthd("--version").stdout, r"^berthd \d+\.\d+\.\d+\nbuilt from \S+(, changed)? by .+ for Linux on \S+\n$")
        self.assertIn("--check", self.run_berthd("--help").stdout)
        self.assertEqual(self.run_berthd("--nonsense").returncode, 2)
        wrong = self.run_berthd("--chek")
        self.assertEqual((wrong.returncode, wrong.stderr), (2, "berthd: '--chek' is none of its options (did you mean '--check'?); 'berthd --help' lists the options\n"))

    def test_checks_its_configuration_without_starting(self):
        done = self.run_berthd("--check", "--config", self.node.config)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertFalse(self.node.state.exists())
        self.node.configure(self.node.config.read_text() + "\n[labels]\nrack = 7\n[labls]\n")
        done = self.run_berthd("--check", "--config", self.node.config)
        self.assertEqual(done.returncode, 2)
        lines = self.node.config.read_text().splitlines()
        self.assertIn(f"{self.node.config}:{lines.index('rack = 7') + 1}:8: 'rack' is not a string", done.stderr)
        self.assertIn(f"{self.node.config}:{lines.index('[labls]') + 1}:2: unknown table 'labls' (did you mean 'labels'?)", done.stderr)
        self.assertEqual(self.run_berthd("--check", "--config", self.folder / "missing.toml").returncode, 2)

    def test_its_check_judges_the_root_of_trust_and_a_start_warns_of_it(self):
        right = self.node.config.read_text()
        (self.folder / "notes").write_text("not a root\n")
        for wrong, why in ((self.repo.folder / "metadata/timestamp.json", "is of type 'timestamp', not 'root'"), (self.folder / "notes", "JSON, byte ")):
            self.node.configure(right.replace(str(self.repo.root), str(wrong)))
            done = self.run_berthd("--check", "--config", self.node.config)
            self.assertEqual(done.returncode, 2, done)
            self.assertIn(f"[repository] root: {wrong} is no root of trust ({why}", done.stderr)
            self.assertIn("metadata/root.json", done.stderr)
        self.node.start()
        self.assertIn(f"[repository] root: {wrong} is no root of trust", self.node.log_file.read_text())
        doctor = self.node.berth("doctor", expect=None)
        self.assertIn(f"{wrong} is no root of trust", doctor.text)
        self.node.stop()
        self.node.configure(right.replace(self.repo.url, f"file://{self.folder}/gone"))
        done = self.run_berthd("--check", "--config", self.node.config)
        self.assertEqual(done.returncode, 0, done)
        self.assertIn(f"warning: {self.node.config}: [repository] url: there is no folder {self.folder}/gone", done.stderr)

    def test_its_check_refuses_what_a_start_could_not_use_and_warns_of_what_may_be_meant(self):
        usual = self.node.config.read_text()

        def check(more, metrics=""):
            self.node.configure(usual.replace("[metrics]\n", "[metrics]\n" + metrics) + more)
            return self.run_berthd("--check", "--config", self.node.config)
        secret = self.folder / "secret"
        secret.write_text("")
        secret.chmod(0o600)
        done = check(f'[[webhook]]\nname = "chat"\nurl = "https://chat.example/x"\nsecret = "file:{secret}"\n')
        self.assertEqual((done.returncode, done.stderr), (2, f"berthd: {self.node.config}:{usual.count(chr(10)) + 1}:1: [[webhook]] chat: secret: it is empty\n"))
        done = check("", f'token = "file:{self.folder}/nope"\n')
        self.assertEqual((done.returncode, done.stderr), (2, f"berthd: {self.node.config}: [metrics] token: open {self.folder}/nope: No such file or directory: put it there, or name another file\n"))
        done = check('[[api.local]]\ngroup = "no-such-group"\nrole = "viewer"\n')
        self.assertEqual(done.returncode, 0, done)
        self.assertIn(f"berthd: warning: {self.node.config}: [[api.local]] group: there is no group 'no-such-group'", done.stderr)
        self.assertIn(" is right, with 1 warning: node ", done.stdout)
        self.assertIn(" is right: node ", check("").stdout)

    def test_prints_its_man_page(self):
        page = self.run_berthd("--man").stdout
        self.assertTrue(page.startswith('.TH BERTHD 8 "" "berth '), page)
        for option in ("config FILE", "check", "check\\-upgrade", "keeper PATH"):
            self.assertIn(f"\\fB\\-\\-{option}\\fR\n", page)

    def test_tries_an_upgrade_of_the_state_that_another_berthd_works_with(self):
        check = ("--check-upgrade", "--config", self.node.config)
        self.assertIn("is not there yet", self.run_berthd(*check).stdout)
        self.assertFalse(self.node.state.exists())
        self.node.start()
        same = self.run_berthd(*check)
        self.assertEqual((same.returncode, same.stderr), (0, ""))
        self.assertIn("as this berthd has it", same.stdout)
        database = sqlite3.connect(self.node.state / "berth.db")
        schema = database.execute("PRAGMA user_version").fetchone()[0]
        database.execute(f"PRAGMA user_version = {schema - 1}")
        before = sorted(path.name for path in self.node.state.iterdir())
        failed = self.run_berthd(*check)  # the last migration is there already
        self.assertEqual(failed.returncode, 1, failed.stdout)
        self.assertRegex(failed.stderr, rf"migration {schema:04}_\w+\.sql")
        database.execute(f"PRAGMA user_version = {schema + 1}")
        refused = self.run_berthd(*check)
        self.assertEqual(refused.returncode, 2)
        self.assertIn(f"has schema {schema + 1}", refused.stderr)
        self.assertEqual(sorted(path.name for path in self.node.state.iterdir()), before)
        database.execute(f"PRAGMA user_version = {schema}")
        database.close()

    def test_wants_to_be_root(self):
        # A copy, since the tree may lie where only root may go.
        with tempfile.TemporaryDirectory() as folder:
            os.chmod(folder, 0o755)
            done = subprocess.run([shutil.copy(BERTHD, folder), "--config", self.node.config], user=65534, group=65534, extra_groups=[],
                                  capture_output=True, text=True, timeout=20 * PATIENCE)
        self.assertEqual(done.returncode, 7)
        self.assertIn("root", done.stderr)

    def test_names_a_program_that_is_missing(self):
        done = self.run_berthd("--config", self.node.config, "--keeper", "/nowhere/berth-keeper")
        self.assertEqual(done.returncode, 2)
        self.assertIn("/nowhere/berth-keeper", done.stderr)

    def test_finds_its_programs_in_the_build_tree(self):
        self.node.prefix = ["/bin/sh", "-c", f'exec "{BERTHD}" --config "{self.node.config}"']
        self.node.start()
        self.assertEqual(self.node.status()["ready"], True)

    def test_a_second_one_on_the_same_state_is_refused(self):
        self.node.start()
        done = self.run_berthd("--config", self.node.config, "--keeper", KEEPER, "--unpack", UNPACK)
        self.assertEqual(done.returncode, 8)
        self.assertIn(str(self.node.state), done.stderr)
        self.assertIn(str(self.node.process.pid), done.stderr)
        self.assertEqual(self.node.api("GET", "/healthz").status, 200, "the first one still answers")

    def test_ends_when_told_to_and_takes_its_socket_away(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            self.node.start()
            self.node.process.send_signal(number)
            self.assertEqual(self.node.process.wait(10 * PATIENCE), 0)
            self.assertFalse(self.node.socket.exists())

    def test_a_waiting_client_does_not_keep_it(self):
        self.node.start()
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(self.node.socket))
            client.sendall(b"GET /healthz HTTP/1.1\r\nhost: x\r\n")
            self.assertEqual(self.node.stop(5), 0)

    def test_reads_the_level_of_its_log_again(self):
        self.node.start()
        self.node.configure(self.node.config.read_text().replace('level = "debug"', 'level = "error"'))
        self.node.process.send_signal(signal.SIGHUP)
        wait_until(lambda: self.stays_silent(), "a request leaves no line in the log")
        self.node.configure("nonsense")
        self.node.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "is not taken" in self.node.log_file.read_text(), "a wrong configuration is named")
        self.assertEqual(self.node.api("GET", "/healthz").status, 200)

    def test_a_configuration_that_a_reload_refuses_is_seen_until_a_good_one_comes(self):
        self.node.start()
        said = self.node.config.read_text()
        self.assertIn("\nberth_config_reload_failed 0\n", self.node.metrics())
        self.node.configure(said + "nonsense = 1\n")
        for refused in (1, 2):
            self.node.process.send_signal(signal.SIGHUP)
            events = wait_until(lambda: [one for one in self.node.events() if one["kind"] == "config.refused"][refused - 1:], f"event {refused} tells it")
            self.assertIn("nonsense", events[0]["data"]["reason"])
        self.assertIn("\nberth_config_reload_failed 1\n", self.node.metrics())
        self.assertIn("nonsense", self.node.status()["config_refused"]["reason"])
        self.assertRegex(self.node.berth("status").out, r"^.*\nberthd.toml was refused .*nonsense")
        self.node.configure(said)
        self.node.process.send_signal(signal.SIGHUP)
        wait_until(lambda: self.node.status()["config_refused"] is None, "a good reload ends it")
        self.assertIn("\nberth_config_reload_failed 0\n", self.node.metrics())
        self.assertNotIn("refused", self.node.berth("status").out)
        self.assertEqual(len([one for one in self.node.events() if one["kind"] == "config.refused"]), 2)

    def test_a_reload_by_the_api_answers_with_what_came_of_it_and_is_in_the_events(self):
        self.node.start()
        said = self.node.config.read_text()
        self.node.configure(said + 'nonsense = 1\n')
        line = said.lstrip().count("\n") + 1
        refused = self.node.api("POST", "/v1/reload", {"reason": "a try"})
        self.assertEqual((refused.status, refused.json()["code"]), (409, "conflict"))
        self.assertRegex(refused.json()["detail"], rf"the one before counts still: .*berthd\.toml:{line}:1: .*nonsense")
        told = self.node.events()[-1]
        self.assertEqual((told["kind"], told["data"]["by"], told["data"]["why"]), ("config.refused", "root (uid 0)", "a try"))
        self.assertRegex(told["data"]["reason"], rf"berthd\.toml:{line}:1: ")
        self.assertIn(f"berthd.toml:{line}:1: ", self.node.berth("node", "reload", expect=8).err)
        self.node.configure(said + '[[follow]]\napp = "web"\nchannel = "stable"\n[[api.local]]\ngroup = "daemon"\nrole = "viewer"\n')
        done = self.node.berth("node", "reload", "--reason", "a channel")
        self.assertEqual(done.out, "")
        self.assertIn("berth: the configuration was read again; what changed in [[follow]] counts after a restart", done.err)
        told = self.node.events()[-1]
        self.assertGreater(told["data"].pop("pid"), 1)
        self.assertEqual((told["kind"], told["data"]), ("config.reloaded", {"by": "root (uid 0)", "why": "a channel", "until_restart": ["[[follow]]"]}))
        self.assertEqual(ask_as(12345, 1, self.node.socket).status, 200, "the group of the new configuration")
        self.node.process.send_signal(signal.SIGHUP)
        told = wait_until(lambda: [one for one in self.node.events() if one["kind"] == "config.reloaded"][1:], "a signal leaves one, too")[0]
        self.assertEqual(told["data"], {"by": "a signal (SIGHUP)", "until_restart": ["[[follow]]"]})

    def test_says_what_a_reload_does_not_take_over(self):
        self.node.start()
        said = self.node.config.read_text()
        self.node.configure(said + '[[follow]]\napp = "web"\nchannel = "stable"\n')
        self.node.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "what changed in [[follow]] counts after a restart" in self.node.log_file.read_text(), "the reload says so")
        self.assertEqual(self.node.status()["follows"], [])
        self.node.configure(said)
        self.node.process.send_signal(signal.SIGHUP)
        wait_until(lambda: self.node.log_file.read_text().count("reloaded") == 2, "it is read again")
        self.assertEqual(self.node.log_file.read_text().count("counts after a restart"), 1)

    def test_files_of_conf_d_count_and_one_that_is_wrong_changes_nothing(self):
        more = self.node.folder / "conf.d"
        more.mkdir()
        (more / "10-level.toml").write_text('[log]\nlevel = "error"\n')
        (more / "20-off.toml.bak").write_text("nonsense")
        command = [str(BERTHD), "--config", str(self.node.config)]
        checked = subprocess.run([*command, "--check"], capture_output=True, text=True, check=True)
        self.assertIn(f"{self.node.config} and 1 file of conf.d are right: node node-1", checked.stdout)
        shown = subprocess.run([*command, "--show-config"], capture_output=True, text=True, check=True).stdout
        self.assertRegex(shown, r'\nlevel = "error" +# conf.d/10-level.toml:2, over berthd.toml:\d+\n')
        self.node.start()
        self.assertTrue(self.stays_silent(), "the level of conf.d counts")
        (more / "20-wrong.toml").write_text('\n[log]\nlevel = "debug"\nlevl = "info"\n')
        checked = subprocess.run([*command, "--check"], capture_output=True, text=True, check=False)
        self.assertEqual((checked.returncode, checked.stderr), (2, f"berthd: {more}/20-wrong.toml:4:1: unknown key 'levl' in [log] (did you mean 'level'?)\n"))
        self.node.process.send_signal(signal.SIGHUP)
        refused = wait_until(lambda: self.node.status()["config_refused"], "the reload is refused")
        self.assertIn("conf.d/20-wrong.toml:4:1: unknown key 'levl'", refused["reason"])
        (more / "20-wrong.toml").write_text('\n[[webhook]]\nname = "chat"\nurl = "https://chat.example/x"\nsecret = "file:/nonexistent"\n')
        self.node.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "conf.d/20-wrong.toml:2:1: [[webhook]] chat: secret: " in (self.node.status()["config_refused"] or {"reason": ""})["reason"], "a secret of it is told with its place, too")
        self.assertTrue(self.stays_silent(), "what was before counts still")
        (more / "20-wrong.toml").write_text('[log]\nlevel = "debug"\n')
        self.node.process.send_signal(signal.SIGHUP)
        wait_until(lambda: self.node.status()["config_refused"] is None, "a good reload ends it")
        wait_until(lambda: not self.stays_silent(), "the last file counts")

    def stays_silent(self):
        before = self.node.log_file.stat().st_size
        self.node.api("GET", "/v1/status")
        return self.node.log_file.stat().st_size == before

    def test_tells_systemd_when_it_is_ready_reloads_lives_and_leaves(self):
        notify = Notify(self.folder / "notify")
        self.addCleanup(notify.socket.close)
        # As systemd does it: the watchdog's time is for this process alone.
        self.node.prefix = ["/bin/sh", "-c", 'export WATCHDOG_PID=$$; exec "$@"', "sh"]
        self.node.environment = {"NOTIFY_SOCKET": notify.path, "WATCHDOG_USEC": "400000"}
        self.node.start()
        self.assertIn("STATUS=", notify.wait("READY=1")[-1])
        notify.wait("WATCHDOG=1")
        self.node.process.send_signal(signal.SIGHUP)
        notify.wait("RELOADING=1")
        notify.wait("READY=1")
        notify.wait("WATCHDOG=1")
        self.node.process.send_signal(signal.SIGTERM)
        notify.wait("STOPPING=1")
        self.assertEqual(self.node.process.wait(10 * PATIENCE), 0)

    def test_tells_systemd_that_it_lives_only_while_its_state_answers(self):
        notify = Notify(self.folder / "notify")
        self.addCleanup(notify.socket.close)
        period = 0.2 * PATIENCE
        self.node.prefix = ["/bin/sh", "-c", 'export WATCHDOG_PID=$$; exec "$@"', "sh"]
        self.node.environment = {"NOTIFY_SOCKET": notify.path, "WATCHDOG_USEC": str(int(2_000_000 * period))}
        self.node.start()
        notify.wait("WATCHDOG=1")
        database = sqlite3.connect(self.node.state / "berth.db", timeout=10 * PATIENCE)
        self.addCleanup(database.close)
        database.execute("ALTER TABLE apps RENAME TO away")
        said = lambda: self.node.log_file.read_text().count("the state does not answer")
        wait_until(lambda: said() > 0, "it sees that")
        notify.socket.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                notify.socket.recv(4096)
        before = said()
        wait_until(lambda: said() >= before + 3, "its loop goes on to look")
        with self.assertRaises(BlockingIOError, msg="and it does not say that it lives"):
            notify.socket.recv(4096)
        database.execute("ALTER TABLE away RENAME TO apps")
        notify.socket.settimeout(10 * PATIENCE)
        notify.wait("WATCHDOG=1")

    def test_takes_a_socket_that_systemd_passes(self):
        path = self.folder / "passed.sock"
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(str(path))
            listening.listen()
            given = listening.fileno()
            command = ["/bin/bash", "-c", f'export LISTEN_PID=$$ LISTEN_FDS=1; exec 3<&{given}; exec "$@"', "bash", str(BERTHD), "--config",
                       str(self.node.config), "--keeper", str(KEEPER), "--unpack", str(UNPACK)]
            with open(self.node.log_file, "ab") as log:
                self.node.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=[given])
            self.assertEqual(api.call(path, "GET", "/healthz").status, 200)
        self.assertFalse(self.node.socket.exists())

    def test_only_root_may_use_it_where_the_group_is_missing(self):
        self.node.configure(self.node.config.read_text() + '[api]\ngroup = "no-such-group"\n')
        self.node.start()
        self.assertEqual(stat.S_IMODE(self.node.socket.stat().st_mode), 0o600)
        self.assertIn("no-such-group", self.node.log_file.read_text())
        with self.assertRaises(PermissionError):
            ask_as(65534, 65534, self.node.socket)
        self.node.socket.chmod(0o666)
        self.assertEqual(ask_as(65534, 65534, self.node.socket).status, 403, "nor where somebody opened the socket")

    def test_members_of_the_group_may_use_it(self):
        self.node.configure(self.node.config.read_text() + '[api]\ngroup = "daemon"\n')
        self.node.start()
        self.assertEqual(stat.S_IMODE(self.node.socket.stat().st_mode), 0o660)
        self.assertEqual(ask_as(65534, 1, self.node.socket).json()["node"], "node-1")
        self.node.socket.chmod(0o666)
        self.assertEqual(ask_as(65534, 65534, self.node.socket, more=[4, 1]).status, 200, "by a supplementary group")
        self.assertEqual(ask_as(1, 65534, self.node.socket).status, 403, "the user daemon is a member by the user and group files alone, and has left it")
        answer = ask_as(33, 33, self.node.socket)
        problem = answer.json()
        self.assertEqual((answer.status, problem["code"], problem["exit"]), (403, "permission", 7))
        self.assertIn("uid 33", problem["detail"])

    def berth_as(self, groups, *arguments):
        """The command line of somebody in those groups."""
        with tempfile.TemporaryDirectory() as folder:
            os.chmod(folder, 0o755)
            return subprocess.run([shutil.copy(BERTH, folder), *arguments], user=65534, group=65534, extra_groups=groups, capture_output=True, text=True, timeout=60 * PATIENCE,
                                  env={**os.environ, "BERTH_SOCKET": str(self.node.socket), "NO_COLOR": "1"})

    def test_members_of_other_groups_have_the_role_of_theirs(self):
        self.repo.publish(sample_apps.testapp(self.folder / "web", "--lines", "1"))
        self.repo.publish(sample_apps.testapp(self.folder / "blog", app="blog", port=8081))
        operators, lookers, others = 60_001, 60_002, 60_003
        groups = Path("/etc/group").read_text()
        mine = self.folder / "group"
        mine.write_text(groups + f"berth-ops:x:{operators}:\nberth-watch:x:{lookers}:\n")
        subprocess.run(["mount", "--bind", mine, "/etc/group"], check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", "/etc/group"])
        said = '[[api.local]]\ngroup = "berth-ops"\nrole = "operator"\napps = ["web"]\n[[api.local]]\ngroup = "berth-watch"\nrole = "viewer"\n[[api.local]]\ngroup = "no-such-group"\nrole = "admin"\n'
        text = self.node.config.read_text()
        self.node.configure(text + '[api]\ngroup = "daemon"\n' + said)
        self.node.start()
        self.assertIn("no-such-group", self.node.log_file.read_text())
        for app in ("web", "blog"):
            self.deploy(self.node, "v1", app)
        ask = lambda *groups, **more: ask_as(65534, 65534, self.node.socket, more=groups, **more)
        with self.assertRaises(PermissionError, msg="the kernel lets nobody else connect"):
            ask(others)
        self.assertEqual([app["app"] for app in ask(lookers).json()["apps"]], ["blog", "web"])
        self.assertEqual([app["app"] for app in ask(operators).json()["apps"]], ["web"])
        restart = {"method": "POST", "body": {"reason": "a look"}}
        refused = ask(lookers, target="/v1/apps/web/restart", **restart)
        self.assertEqual((refused.status, refused.json()["exit"]), (403, 7))
        self.assertIn("needs the role operator: see [[api.local]]", refused.json()["detail"])
        self.assertEqual(ask(operators, target="/v1/apps/blog/restart", **restart).status, 403)
        self.assertEqual(ask(operators, target="/v1/gc", method="POST", body={}).status, 403)
        self.assertEqual(ask(lookers, operators, target="/v1/apps/web/restart", **restart).status, 200, "the first of berthd.toml")
        self.assertIn("uid 65534", json.dumps([one for one in self.node.events() if one["kind"] == "operator.restart"]))
        self.assertEqual(ask(operators, 1, target="/v1/gc", method="POST", body={}).status, 200, "and [api] group before those")
        log = ["logs", "web", "--json"]
        self.assertEqual(self.berth_as([operators], *log).stdout, self.node.berth(*log).out, "they read logs by berthd, and not the files")
        self.assertIn("sees nothing of blog", self.berth_as([operators], "logs", "blog").stderr)
        self.assertNotIn("web/web.1", self.berth_as([others], *log).stdout)

        # Who may do what is taken over by a reload, and so is who may connect.
        self.node.configure(text + '[api]\ngroup = "daemon"\n[[api.local]]\ngroup = "berth-watch"\nrole = "operator"\n')
        self.node.process.send_signal(signal.SIGHUP)
        def has_left():
            try:
                return ask(operators).status == 403
            except PermissionError:
                return True
            except ConnectionResetError:  # by the reload
                return False
        wait_until(has_left, "one group has no way in any more")
        self.assertEqual(ask(lookers, target="/v1/apps/blog/restart", **restart).status, 200)
        self.assertEqual(ask(1).status, 200)
        self.node.socket.chmod(0o666)
        self.assertEqual(ask(operators).status, 403, "nor where somebody opened the socket")

    def test_a_metrics_port_that_is_taken_does_not_keep_it_from_running_apps(self):
        with socket.socket() as taken:
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections of the test before
            taken.bind(("127.0.0.1", self.node.metrics_port))
            taken.listen()
            self.node.start()
        self.assertRegex(self.node.log_file.read_text(), rf"{self.node.metrics_port}: \S+ \(pid {os.getpid()}\) listens there")
        self.assertIn("berth_ready 1", self.node.api("GET", "/metrics").body)

    def test_status_of_a_fresh_node(self):
        self.node.start()
        status = self.node.status()
        self.assertEqual((status["node"], status["environment"], status["ready"], status["apps"]), ("node-1", "production", True, []))
        self.assertEqual(status["paths"], {"state": str(self.node.state), "logs": str(self.node.logs), "run": str(self.node.run), "config": str(self.node.config)})
        self.assertGreater(status["disk"]["free_bytes"], 0)
        self.assertEqual(status["disk"]["reserve_bytes"], 1_000_000)

    def test_what_is_wrong_with_a_request_is_a_problem_document(self):
        self.node.start()
        for method, target, body, status in (("GET", "/v1/apps/web", None, 404), ("GET", "/v1/nothing", None, 404), ("PUT", "/v1/status", {}, 405),
                                             ("POST", "/v1/apps/web/deployments", {"relase": "v1"}, 400), ("GET", "/v1/status?x=1", None, 400)):
            answer = self.node.api(method, target, body)
            self.assertEqual((answer.status, answer.headers["content-type"]), (status, "application/problem+json"), target)
            problem = answer.json()
            self.assertEqual((problem["type"], problem["status"]), ("about:blank", status))
            self.assertTrue(problem["detail"] and problem["code"] and problem["exit"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
