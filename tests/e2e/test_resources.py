"""What an app's processes begin with: nothing of what berthd is allowed and protected from, and what their spec says in systemd's words."""
import os
import resource
import signal
import subprocess
import unittest
from pathlib import Path

from lib import sample_apps
from lib.case import BerthCase
from lib.waiting import wait_until

#: Says what it begins with in a file of that name, and goes on as the rest of its arguments.
TELLS = """#!/bin/sh
name=$1; shift
{ echo score $(cat /proc/self/oom_score_adj); echo nice $(nice); echo files $(ulimit -Sn):$(ulimit -Hn); echo core $(ulimit -Sc):$(ulimit -Hc); echo groups $(id -G | tr ' ' '\\n' | sort -n)
} > "$BERTH_DATA_DIR/$name.new"
mv "$BERTH_DATA_DIR/$name.new" "$BERTH_DATA_DIR/$name"
if [ $# -gt 0 ]; then exec "$@"; fi
"""

COMMANDS = """[process.web.liveness]
exec = ["bin/tells", "probe"]
period = "100ms"
[hooks]
pre-start = ["bin/tells", "hook"]
"""

LIMITS = """[process.web.limits]
LimitNOFILE = "64:128"
LimitCORE = 0
Nice = 12
OOMScoreAdjust = 321
[process.web.sandbox]
SupplementaryGroups = ["adm", "tape"]
"""
SAID = {"score": "321", "nice": "12", "files": "64:128", "core": "0:0"}
ADM, TAPE = "4", "26"


class Resources(BerthCase):
    def publish(self, more, user="", note=""):
        tree = sample_apps.testapp(self.folder / "site", more=COMMANDS + more, note=note).put("bin/tells", TELLS, 0o755)
        tree.spec_replaced('["bin/testapp"', '["bin/tells", "app", "bin/testapp"')
        if user:
            tree.spec(f'user = "{user}"\n' + (tree.folder / "berth.toml").read_text())
        return self.repo.publish(tree)

    def protect(self, node):
        """As its service is. Without CAP_SYS_RESOURCE a score cannot be lowered, but raised and lowered again."""
        score = Path(f"/proc/{node.process.pid}/oom_score_adj")
        try:
            score.write_text("-900")
        except PermissionError:
            score.write_text("300")
        self.assertNotEqual(score.read_text(), "0\n")
        hard = min(65536, resource.prlimit(node.process.pid, resource.RLIMIT_NOFILE)[1])
        resource.prlimit(node.process.pid, resource.RLIMIT_NOFILE, (hard, hard))
        return hard

    def told(self, node, name):
        path = node.data() / name
        wait_until(path.exists, f"{name} tells")
        return dict(line.split(" ", 1) for line in path.read_text().splitlines())

    def told_by_all(self, node):
        """What app, hook, exec probe and one-off command tell of themselves, each anew."""
        for name in ("probe", "exec"):
            (node.data() / name).unlink(missing_ok=True)
        node.berth("exec", "web", "--", "tells", "exec")
        return {name: self.told(node, name) for name in ("app", "hook", "probe", "exec")}

    def test_nothing_of_what_berthd_is_allowed_and_protected_from_goes_on(self):
        self.publish("")
        node = self.make_node().start()
        hard = self.protect(node)
        self.deploy(node, "v1")
        for who, told in self.told_by_all(node).items():
            self.assertEqual(told["score"], "0", who)
            self.assertIn(told["files"], ("1024:524288", f"1024:{hard}"), who)  # the second without CAP_SYS_RESOURCE
        (pid,) = node.pids().values()
        self.assertEqual(Path(f"/proc/{pid}/oom_score_adj").read_text(), "0\n")

    def test_what_the_spec_says_holds_for_the_app_its_hooks_probes_and_commands_and_after_restarts(self):
        self.publish(LIMITS)
        node = self.make_node().start()
        self.protect(node)
        self.deploy(node, "v1")
        (pid,) = node.pids().values()
        own = Path(f"/proc/{pid}/status").read_text().split("\nGid:\t")[1].split()[0]
        expected = {**SAID, "groups": f"{ADM} {TAPE} {own}"}
        for who, told in self.told_by_all(node).items():
            self.assertEqual(told, expected, who)
        limits = Path(f"/proc/{pid}/limits").read_text()
        self.assertRegex(limits, r"Max open files +64 +128 ")
        self.assertRegex(limits, r"Max core file size +0 +0 ")
        self.assertEqual(os.getpriority(os.PRIO_PROCESS, pid), 12)

        node.kill()
        (node.data() / "app").unlink()
        os.kill(pid, signal.SIGKILL)
        self.assertEqual(self.told(node, "app"), expected, "its keeper started it again, without berthd")
        node.start()
        node.wait_app(health="healthy")
        node.berth("restart", "web")
        node.wait_app(health="healthy")
        self.assertEqual(self.told_by_all(node)["app"], expected)

    def test_a_user_of_the_node_is_in_its_groups(self):
        group = self.folder / "group"
        group.write_text(Path("/etc/group").read_text().replace("\nadm:x:4:", "\nadm:x:4:www-data,"))
        subprocess.run(["mount", "--bind", str(group), "/etc/group"], check=True)  # of this test's own mount namespace
        self.addCleanup(subprocess.run, ["umount", "/etc/group"], check=True)
        self.publish("", user="www-data")
        node = self.make_node().start()
        self.deploy(node, "v1")
        for who, told in self.told_by_all(node).items():
            self.assertEqual(told["groups"], "4 33", who)

    def test_a_group_that_the_node_does_not_have_fails_a_deployment_before_anything_stops(self):
        self.publish("")
        self.publish('[process.web.sandbox]\nSupplementaryGroups = ["no-such-group"]\n', note="2")
        node = self.make_node().start()
        self.deploy(node, "v1")
        before = node.pids()
        self.assertSays(self.deploy(node, "v2", expect=None), "this node has no group 'no-such-group', which SupplementaryGroups of its sandbox names: make it, or leave it out")
        self.assertEqual((node.active(), node.pids()), ("v1", before))

    def test_what_this_node_has_less_of_fails_a_deployment_before_anything_stops(self):
        most = Path("/proc/sys/fs/nr_open").read_text().strip()
        self.publish("")
        self.publish('[process.web.limits]\nLimitNOFILE = "64:4000000000"\n', note="2")
        node = self.make_node().start()
        self.deploy(node, "v1")
        before = node.pids()
        done = self.deploy(node, "v2", "web", 1)
        self.assertSays(done, f"web@v2 failed: process web: LimitNOFILE of its limits says 4000000000, and this node's kernel lets no process have more than {most} (fs.nr_open)",
                        "say at most that in berth.toml and release anew, or raise fs.nr_open by sysctl")
        self.assertEqual((node.active(), node.current(), node.pids()), ("v1", "v1", before))
        self.assertEqual(node.app()["rejected"], [], "it says nothing of the release")

    def test_without_the_capability_berthds_own_limit_is_the_most(self):
        self.publish('[process.web.limits]\nLimitNOFILE = 65535\n')
        self.publish('[process.web.limits]\nLimitNOFILE = 4096\n', note="2")
        node = self.make_node()
        node.prefix = ["prlimit", "--nofile=1024:4096", "setpriv", "--inh-caps=-sys_resource", "--bounding-set=-sys_resource"]
        node.start()
        self.assertSays(self.deploy(node, "v1", "web", 1), "LimitNOFILE of its limits says 65535, and berthd, which lacks CAP_SYS_RESOURCE, can give no more than its own hard limit, 4096")
        self.deploy(node, "v2")


if __name__ == "__main__":
    unittest.main(verbosity=2)
