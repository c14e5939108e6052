"""A node's life, from the first package to the last trace, as its operator goes through it: the steps below, in this order, on a Debian under systemd.

    install and enrol   deploy nginx and redis   limits   journal   socket   upgrade under load   switched off and on   power cut   purge

The node is booted in user-mode Linux and has no network but its own loopback: packages, and the repository that nginx serves, lie on it. What such a kernel
cannot show is shown elsewhere: it has no nftables for IP, so that apps are routed by `socket` and `recreate` here, and by `port` in tests/e2e; and that purging
takes berth's table away is seen in a root on this machine's kernel (test_package.py). Landlock is missing, too; sandboxes are in tests/e2e/test_sandbox.py. The node's root is a folder of this machine, whose files such a kernel finds by their names
alone: to berthd the program of a keeper is the one that is there now, so that keepers have nothing to become when berth is upgraded; they do in tests/e2e/test_survival.py.
"""
import hashlib
import json
import os
import shlex
import shutil
import time
import unittest

import yaml

from lib import debs, sample_apps, uml
from lib.programs import BUILD, LOAD, SOURCE
from lib.repo import Repo
from lib.uml import UmlCase

CLOUD_INIT = SOURCE / "docs/examples/cloud-init.yaml"
MOST_SECONDS_TO_READY = 10  # from the kernel's beginning until both apps are ready
# A node of a test is small, and all of its files belong to root.
SMALL = """
[store]
reserve = "1MB"
"""
APT = 'APT::Sandbox::User "root"; Dpkg::Use-Pty "0";\n'
REDIS_LIMITS = """
[process.redis.limits]
MemoryMax = "96M"
MemorySwapMax = 0
TasksMax = 64
"""
EAT = "for i = 1, 1000000 do redis.call('set', 'k' .. i, string.rep('x', 1000)) end"  # a gigabyte
ACTIVE = "d5b17742c7e7445ca2399f3f66a7717d"  # the MESSAGE_ID of a deployment that went well (systemd/berth.catalog)
ANSWER = "curl -s -m 10 -o /dev/null -D - http://127.0.0.1:8080/ | tr -d '\\r' | sed -n 's/^X-Release: //p'"
PIDS = "pgrep -d ' ' -x 'berth-keeper|nginx|redis-server'"


def hash_of(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


class Life(UmlCase):
    ROUTING = "socket"  # of nginx
    EMPTY = "lost+found"  # what an empty disk has
    CUT = "Its power is cut"
    UNITS = ("wait-online.service", "repository.service", "state-disk.service", "told.service")
    PROGRAMS = (("told", "told"), ("everything", "everything"), ("wait-online", "wait-online"), (LOAD, "berth-load"))

    # what is on the node before it is switched on

    def install_berth(self):
        """Not berth, but its packages of two builds; and a repository with two apps."""
        root = self.tree / "root"
        self.build_packages(root / "packages/now", root / "packages/next")
        (self.tree / "etc/dpkg/dpkg.cfg.d/unsafe-io").write_text("force-unsafe-io\n")  # a node of a test has nothing to lose
        (self.tree / "etc/repository.conf").write_text(uml.REPOSITORY_CONF)
        (self.tree / "apps").write_text("2")
        (self.tree / "etc/apt/apt.conf.d/test").write_text(APT)
        (root / "20-small.toml").write_text(SMALL)
        repo = Repo(self.folder)
        repo.configure(files=sample_apps.nginx_files(self.ROUTING, ipv6=False))
        repo.publish(sample_apps.nginx(self.folder / "site", routing=self.ROUTING, bake="500ms"))
        repo.configure(files=sample_apps.redis_files(None))
        repo.publish(sample_apps.redis(self.folder / "cache", routing=None, more=REDIS_LIMITS))
        repo.point("stable", "v1")
        served = self.tree / "srv/repository"
        shutil.copytree(repo.folder, served / "berth")
        (served / "packages").mkdir()
        self.user_data = CLOUD_INIT.read_text().replace("https://releases.example.org", "http://127.0.0.1:8900").replace("HASH-OF-1.ROOT.JSON", hash_of(repo.root))
        for package in sorted((root / "packages/now").glob("*.deb")):
            name = package.name.split("_")[0] + ".deb"
            shutil.move(package, served / "packages" / name)
            self.user_data = self.user_data.replace(f"HASH-OF-{name.upper()}", hash_of(served / "packages" / name))

    def build_packages(self, now, next_ones):
        debs.pack(BUILD, now, debs.VERSION)
        debs.build_next(next_ones)

    # how the steps speak

    def step(self, title):
        print(f"\n== {title} ({time.monotonic() - self.began:.0f} s)", flush=True)

    def run_there(self, commands, seconds=120, expect=0, quiet=False):
        """What the operator types; it, and what the node says to it, is part of the story unless it is `quiet`."""
        code, said = self.tell(commands, seconds)
        if not quiet:
            print(*(f"  $ {line}" for line in commands.splitlines()), *(f"    {line}" for line in said.splitlines()[-20:]), sep="\n", flush=True)
        if expect is not None:
            self.assertEqual(code, expect, f"{commands}\n{said}\n{self.report()}")
        return said.strip()

    def await_there(self, condition, what, seconds=60):
        """Waits until a command on the node succeeds."""
        self.run_there(f"for _ in $(seq {seconds * 10}); do {condition} && exit 0; sleep 0.1; done; echo 'not seen: {what}'; exit 1", seconds + 60, quiet=True)

    def instance(self, app):
        return json.loads(self.run_there(f"berth status {app} --json", quiet=True))["instances"][0]

    def await_berthd(self):
        self.await_there("curl -sf -o /dev/null --unix-socket /run/berth/api.sock http://berth/readyz", "berthd is ready")

    def switch_off(self):
        self.run_there("systemd-run --quiet --on-active=1s --timer-property=AccuracySec=100ms systemctl poweroff", quiet=True)  # when it has answered
        self.await_power_off()

    # the life

    def test_from_being_installed_to_being_purged(self):
        self.began = time.monotonic()
        self.make_disk()
        self.boot("deploy")
        for stage in (self.is_installed_and_enrolled, self.gets_its_apps, self.keeps_limits, self.writes_to_the_journal, self.is_started_by_who_asks,
                      self.is_upgraded, self.is_switched_off_and_on, self.loses_power, self.is_purged):
            stage()
        self.switch_off()

    def is_installed_and_enrolled(self):
        self.step("Install and enrol: what cloud-init would do of docs/examples/cloud-init.yaml, and does here by the test's hand")
        self.run_there("systemctl start repository", quiet=True)
        self.await_there("curl -sf -o /dev/null http://127.0.0.1:8900/berth/metadata/timestamp.json", "the repository answers")
        self.before = set(self.run_there("everything", quiet=True).splitlines())
        data = yaml.safe_load(self.user_data)
        self.assertEqual(set(data), {"write_files", "runcmd"}, "what else it says is to be done here, too")
        for file in data["write_files"]:
            self.run_there(f"install -D -m {file['permissions']} /dev/stdin {file['path']} <<'END'\n{file['content']}END")
        self.run_there("cp 20-small.toml /etc/berth/conf.d/")
        for command in data["runcmd"]:
            self.run_there(command[2] if command[:2] == ["sh", "-c"] else shlex.join(command), 240)
        self.await_berthd()
        self.assertEqual(self.run_there("systemctl is-active berthd; systemctl is-enabled berthd").split(), ["active", "enabled"])
        self.run_there("stat -c '%a %U %n' /etc/berth/*")
        self.assertEqual(self.run_there("stat -c %a /etc/berth/node.key", quiet=True), "600")
        self.run_there("berthd --check --config /etc/berth/berthd.toml")
        self.assertEqual(self.run_there("systemd-analyze verify --man=no berthd.service berthd.socket berth.slice berth-refresh@srv-releases.timer berth-accept@srv-releases.timer 2>&1"), "", "systemd has nothing to say")
        self.run_there("systemd-analyze security --no-pager berthd.service | tail -n 1")

    def gets_its_apps(self):
        self.step(f"Deploy: nginx, by {self.ROUTING}, since the node follows its channel; and redis, by hand")
        self.await_there("berth status web --json | tr -d ' ' | grep -q '\"health\":\"healthy\"'", "nginx has come", 120)
        self.run_there("berth deploy cache@v1", 240)
        self.run_there("berth status")
        self.assertEqual(self.run_there(ANSWER), "v1")
        self.assertEqual(self.run_there("redis-cli set said kept"), "OK")
        self.run_there("berth doctor -q", expect=None)
        units = self.run_there("systemctl list-units --plain --no-legend --type=service 'berth-*'")
        for unit in (r"berth-web-web-1-[0-9a-f]{16}\.service", r"berth-cache-redis-1-[0-9a-f]{16}\.service"):
            self.assertRegex(units, unit + " +loaded active running", "each instance is a service of its own")
        self.run_there("systemctl status --no-pager --lines=0 berth.slice")

    def keeps_limits(self):
        self.step("Limits: redis may have 96 MiB, is made to want a gigabyte, and is killed for it")
        before = self.instance("cache")
        self.assertEqual(before["exits_by_reason"], {})
        group = self.run_there(f"sed -n 's/^0:://p' /proc/{before['pid']}/cgroup", quiet=True)
        self.assertEqual(self.run_there(f"cd /sys/fs/cgroup{group} && cat memory.max pids.max").split(), [str(96 << 20), "64"])
        self.run_there(f'redis-cli eval "{EAT}" 0', expect=None)
        self.await_there("[ \"$(redis-cli get said)\" = kept ] && berth events --json | tr -d ' ' | grep -q '\"instance.exit\".*\"oom\"'", "redis is back")
        after = self.instance("cache")
        self.assertEqual((after["exits_by_reason"], after["last_exit"]["reason"]), ({"oom": 1}, "oom"), after)
        self.assertNotEqual(after["pid"], before["pid"])
        self.run_there("berth status cache")
        self.assertEqual(self.run_there("redis-cli get said"), "kept")
        self.assertEqual(self.run_there(ANSWER), "v1", "the other app has not noticed")

    def writes_to_the_journal(self):
        self.step("The journal has what the apps print, under their own names, and berthd's messages with fields and an explanation")
        self.await_there("journalctl --sync; journalctl -q --no-pager -t cache | grep -q 'Ready to accept connections'", "lines of redis are in the journal")
        self.run_there("journalctl -q --no-pager -n 3 -t cache\njournalctl -q --no-pager -n 3 -t web")
        node = self.run_there("hostname", quiet=True)
        lines = [json.loads(line) for line in self.run_there("journalctl -q --no-pager -o json -t web", quiet=True).splitlines()]
        self.assertGreater(len(lines), 0)
        for line in lines:
            self.assertEqual([line.get(key) for key in ("BERTH_APP", "BERTH_RELEASE", "BERTH_ENVIRONMENT", "BERTH_NODE")], ["web", "v1", "production", node], line)
        explained = self.run_there(f"journalctl -q --no-pager -x MESSAGE_ID={ACTIVE}")
        for app in ("web", "cache"):
            self.assertIn(f"Subject: {app}@v1 is active", explained)
        self.run_there("systemctl show -P Type -P WatchdogUSec -P StatusText berthd")

    def is_started_by_who_asks(self):
        self.step("The control socket becomes systemd's: who asks for berthd while it is away waits for it, and starts it")
        self.run_there("systemctl stop berthd && systemctl enable --now berthd.socket")
        self.assertEqual(self.run_there("systemctl is-active berthd", expect=3), "inactive")
        self.assertEqual(self.run_there(ANSWER), "v1", "apps go on without it")
        self.run_there("berth status")
        self.assertEqual(self.run_there("systemctl is-active berthd; stat -c '%a %G' /run/berth/api.sock").split(), ["active", "660", "berth"])
        self.await_berthd()

    def is_upgraded(self):
        self.step("Upgrade: the packages of a second build, while nginx is asked all the time")
        pids, berthd = self.run_there(PIDS), self.run_there("systemctl show -P MainPID berthd")
        self.assertGreaterEqual(len(pids.split()), 7, "two keepers, nginx and its worker, redis; and the nginx that is the repository")
        self.run_there("systemd-run --quiet --unit=load --property=StandardOutput=truncate:/out/load.json berth-load --port 8080 --rate 40 --connections 4")
        self.run_there("apt-get -qq -y install ./packages/next/*.deb", 240)
        self.await_berthd()
        self.run_there("berth status")
        self.run_there("systemctl kill -s INT load; while systemctl -q is-active load; do sleep 0.1; done")
        load = json.loads((self.tree / "out/load.json").read_text())
        print(f"  {load['requests']} requests, {load['failed']} failed", flush=True)
        self.assertEqual((load["failed"], list(load["releases"])), (0, ["v1"]), load)
        self.assertGreater(load["requests"], 50)
        self.assertEqual(self.run_there(PIDS), pids, "apps and their keepers are the same processes")
        self.assertNotEqual(self.run_there("systemctl show -P MainPID berthd"), berthd)
        self.is_of_the_next_packages()
        self.assertEqual(self.run_there("cmp 20-small.toml /etc/berth/conf.d/20-small.toml && redis-cli get said"), "kept")

    def is_of_the_next_packages(self):
        self.assertIn(f"built from {debs.NEXT} by", self.run_there("/proc/$(systemctl show -P MainPID berthd)/exe --version"), "berthd is of the second build")

    def is_switched_off_and_on(self):
        self.step("The repository is gone, and the node is switched off and on")
        self.run_there("systemctl stop repository")
        self.switch_off()
        self.boot("after-power-off")
        self.is_back("kept")

    def loses_power(self):
        self.step(f"{self.CUT}, right after redis has acknowledged a write")
        self.assertEqual(self.run_there("redis-cli set said written-before-the-cut"), "OK")
        self.cut_power()
        self.boot("after-power-cut")
        self.is_back("written-before-the-cut")
        self.run_there("berth events --verify")

    def is_back(self, said):
        """Both apps were ready before the network was online, which waits for that here, and soon; without the repository."""
        ready = float(self.run_there("cat /run/ready-after || echo 999", 240, quiet=True)) - self.kernel_age
        seen = json.loads(self.run_there("cat /run/before-network.json", quiet=True))
        self.assertEqual({app["app"]: (app["active"], app["health"]) for app in seen["apps"]}, {"web": ("v1", "healthy"), "cache": ("v1", "healthy")}, self.report())
        self.run_there("curl -s -m 2 http://127.0.0.1:8900/berth/metadata/timestamp.json", expect=7)
        self.assertEqual(self.run_there(ANSWER), "v1")
        self.assertEqual(self.run_there("redis-cli get said"), said)
        self.run_there("berth status")
        self.await_there("systemctl is-system-running | grep -q -e running -e degraded", "the node is up")
        self.run_there("systemd-analyze time")
        busy = max(1, os.getloadavg()[0] / os.cpu_count())  # so many times longer all of it takes on a machine with other things to do
        print(f"  both apps were ready {ready:.1f} s after the node was switched on, on a machine with {busy:.1f} times as much to do as it can do at once", flush=True)
        self.assertLessEqual(ready, MOST_SECONDS_TO_READY * busy)

    def is_purged(self):
        self.step("Purge: nothing is left")
        installed = set(self.run_there("everything", quiet=True).splitlines())
        self.run_there("dpkg -P berthd berth")
        after = set(self.run_there("everything", quiet=True).splitlines())
        self.assertGreater(len(installed - self.before), 30, "the comparison sees what is installed")
        self.assertEqual((sorted(after - self.before), sorted(self.before - after)), ([], []), "what is left or missing")
        self.assertEqual(self.run_there("ls -A /var/lib/berth"), self.EMPTY, "the disk is empty")


if __name__ == "__main__":
    unittest.main(verbosity=2)
