"""A whole node: Debian under systemd, booted in user-mode Linux, with berthd as a service.

nginx (by `socket`) and redis (`recreate`) are deployed from a repository on the node, which is then stopped, and so is a program that writes down which signals it gets. A keeper is killed. After a clean power-off, and after a
power cut, both apps must be ready on the same release before the network is online. The node's state lies on a disk image with a file system of
its own, so that a power cut loses what was not synced.
"""
import time
import unittest

from lib import sample_apps, uml
from lib.repo import Repo
from lib.uml import UmlCase
from lib.waiting import wait_until

CONFIG = uml.CONFIG + """url = "http://127.0.0.1:8900"
[paths]
logs = "/var/lib/berth/logs"
"""


# Writes down when it starts and which signal ends it.
TOLD = r"""#!/bin/sh
note() { echo "$1" >> "$BERTH_DATA_DIR/told"; }
for signal in INT TERM QUIT HUP; do trap "note $signal; kill \$!; exit 0" "$signal"; done
note start
while :; do sleep 1000 & wait; done
"""


class Power(UmlCase):
    CONFIG = CONFIG
    UNITS = ("wait-online.service", "job.service", "repository.service", "state-disk.service")
    PROGRAMS = (("wait-online", "wait-online"), ("job", "job"))

    def setUp(self):
        super().setUp()
        (self.tree / "etc/repository.conf").write_text(uml.REPOSITORY_CONF)
        (self.tree / "apps").write_text("3")
        self.publish()
        self.make_disk()

    def publish(self):
        repo = Repo(self.folder)
        repo.configure(files=sample_apps.nginx_files("socket", ipv6=False))
        repo.publish(sample_apps.nginx(self.folder / "site", routing="socket", bake="500ms"))
        repo.configure(files=sample_apps.redis_files(None))
        repo.publish(sample_apps.redis(self.folder / "cache", routing=None))
        told = sample_apps.Tree(self.folder / "told", "told").put("bin/told", TOLD, 0o755)
        repo.configure(files={})
        repo.publish(told.spec('app = "told"\n[process.main]\ncommand = ["bin/told"]\nstop = { signal = "INT", grace = "5s" }\n[deploy]\nbake = "500ms"\n'))
        self.bring(repo)

    def assertBothReadyBeforeTheNetwork(self, stage):
        got = self.result(stage)
        self.assertEqual(got["before_network_online"], {"web": "v1 healthy", "cache": "v1 healthy"}, self.report())
        self.assertEqual(got["web_answers"], "v1", self.report())
        self.assertEqual(got["redis_says"], "kept", self.report())
        self.assertEqual(got["repository"], "unreachable", "nothing of this came from the repository")
        print(f"{stage}: ready {got['ready_after']} s after the kernel began", flush=True)

    def test_both_apps_are_ready_before_the_network_after_a_power_off_and_after_a_power_cut(self):
        began = time.monotonic()
        self.boot("deploy")
        self.await_power_off()
        got = self.result("deploy")
        self.assertEqual((got["web"], got["cache"], got["told"], got["keepers_are_services"]), (0, 0, 0, True), self.report())
        # systemd ends what is left of a service whose main process is gone: there is no orphan to take over, and never two.
        self.assertEqual(got["keeper_killed"], {"another_keeper": True, "another_app": True, "running": 1, "answers": "v1"}, self.report())
        print(f"deployed and switched off after {time.monotonic() - began:.0f} s", flush=True)

        self.boot("after-power-off")
        try:
            wait_until(lambda: (self.tree / "out/after-power-off.json").exists() or self.uml.poll() is not None, "the node is up again", 240, every=0.2)
        except AssertionError as error:
            self.fail(f"{error}\n{self.report()}")
        self.assertBothReadyBeforeTheNetwork("after-power-off")
        self.assertEqual(self.result("after-power-off")["told"], "start INT start", "its own stop signal, and no start after that")
        self.cut_power()

        self.boot("after-power-cut")
        self.await_power_off()
        self.assertBothReadyBeforeTheNetwork("after-power-cut")


if __name__ == "__main__":
    unittest.main(verbosity=2)
