"""A node's life in a container of systemd-nspawn: the steps of test_life.py, on this machine's kernel.

There, nginx is routed to by `port`, by nftables of the container's own network; keepers become those of the new packages in an upgrade; and berth's table is gone when berth is purged. Limits hold
where this machine hands on the controllers of cgroup2; where it does not, berth says that they do not.
"""
import unittest
from collections import Counter
from pathlib import Path

from lib import debs
from lib.nspawn import NspawnMachine
from lib.programs import BUILD
from node import test_life

ASK_AGAIN_AND_AGAIN = "until [ -e /run/enough ]; do curl -s -m 60 -o /dev/null http://127.0.0.1:9464/healthz; echo $?; done"
KEEPER = Path("/usr/libexec/berth/berth-keeper")


class InAContainer(NspawnMachine, test_life.Life):
    ROUTING = "port"
    EMPTY = ""
    CUT = "All of it is killed at once"
    UNITS = tuple(unit for unit in test_life.Life.UNITS if unit != "state-disk.service")

    def build_packages(self, now, next_ones):
        """The next ones have the same programs, but for a keeper with other bytes: a second build takes long, and is test_life.py's."""
        def change(tree):
            keeper = tree / KEEPER.relative_to("/")
            if keeper.exists():
                with open(keeper, "ab") as program:
                    program.write(b"next")

        next_ones.mkdir(parents=True)
        for package in debs.pack(BUILD, now, debs.VERSION):
            debs.again(package, next_ones, debs.NEXT, change)

    def keeps_limits(self):
        if "memory" in self.run_there("cat /sys/fs/cgroup/cgroup.controllers").split():
            super().keeps_limits()
            return
        self.step("Limits: this machine hands on no controllers, and the node says what does not hold for it")
        self.assertIn("MemoryMax", self.instance("cache")["unenforced_limits"])
        self.assertIn("not enforced", self.run_there("berth status cache"))
        self.assertIn("imits", self.run_there("berth doctor", expect=None))

    def is_started_by_who_asks(self):
        super().is_started_by_who_asks()
        self.run_there(f"systemd-run --quiet --unit=asking --property=StandardOutput=truncate:/out/asked sh -c '{ASK_AGAIN_AND_AGAIN}'", quiet=True)
        self.is_given_a_credential()
        self.run_there("touch /run/enough; while systemctl -q is-active asking; do sleep 0.1; done", quiet=True)
        asked = Counter((self.tree / "out/asked").read_text().split())
        print(f"  meanwhile berthd itself was asked for its health {asked.total()} times, each time by another connection: curl's exit codes are {dict(asked)}", flush=True)
        self.assertEqual(set(asked), {"0"}, "who asks waits for the next berthd, and is not refused")

    def is_given_a_credential(self):
        self.step("A secret comes by systemd's LoadCredential=: the token that whoever asks for metrics has to show")
        self.run_there("(umask 077; head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \\n' > /root/token)\n"
                       "mkdir -p /etc/systemd/system/berthd.service.d\n"
                       "printf '[Service]\\nLoadCredential=metrics:/root/token\\n' > /etc/systemd/system/berthd.service.d/token.conf\n"
                       "printf '[metrics]\\ntoken = \"credential:metrics\"\\n' > /etc/berth/conf.d/30-token.toml\n"
                       "systemctl daemon-reload && systemctl restart berthd")
        self.await_berthd()
        ask = "curl -s -o /dev/null -w '%{http_code}' http://127.0.0.1:9464/metrics"
        self.assertEqual(self.run_there(ask), "401")
        self.assertEqual(self.run_there(ask + ' -H "Authorization: Bearer $(cat /root/token)"'), "200")
        self.run_there("rm -r /root/token /etc/systemd/system/berthd.service.d /etc/berth/conf.d/30-token.toml\nsystemctl daemon-reload && systemctl restart berthd")
        self.await_berthd()

    def gets_its_apps(self):
        super().gets_its_apps()
        self.signs_a_repository()

    def signs_a_repository(self):
        self.step("A repository on this machine, which berth signs each day by a timer; purging is to take that away, too")
        self.run_there("useradd --system --no-create-home berth-repo\n"
                       "berth repo init /srv/releases\n"
                       "chown -R berth-repo: /srv/releases /srv/releases-keys\n"
                       "cp /srv/releases/metadata/timestamp.json before.json")
        self.run_there("systemctl enable --now berth-refresh@srv-releases.timer\nsystemctl list-timers --no-pager 'berth-*'")
        self.run_there("systemctl start berth-refresh@srv-releases.service berth-accept@srv-releases.service")
        self.run_there("cmp -s before.json /srv/releases/metadata/timestamp.json", expect=1)
        self.assertEqual(self.run_there("stat -c %U /srv/releases/metadata/timestamp.json; ls /var/lib/systemd/timers | grep berth").split(),
                         ["berth-repo", "stamp-berth-refresh@srv-releases.timer"])
        self.run_there("rm -r /srv/releases /srv/releases-keys before.json\nuserdel berth-repo")

    def is_of_the_next_packages(self):
        self.assertEqual(self.run_there("dpkg-query -W -f '${Version}' berthd"), debs.NEXT + debs.REVISION)
        keepers = self.run_there("pgrep -x berth-keeper").split()
        self.assertEqual(len(keepers), 2)
        for keeper in keepers:
            self.await_there(f"[ /proc/{keeper}/exe -ef {KEEPER} ]", "the keeper is the one of the new package")

    def is_purged(self):
        self.assertIn("table inet berth", self.run_there("nft list tables"))
        super().is_purged()
        self.assertEqual(self.run_there("nft list tables"), "")


if __name__ == "__main__":
    unittest.main(verbosity=2)
