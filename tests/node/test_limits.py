"""Limits of memory, CPU and processes, on a node whose kernel has the controllers: under systemd, and under a berthd in the foreground.

The app is given 48 MiB and eats more. It must be killed and started again, and status, events, history and metrics must say `oom`. It is given 32 processes and forks more. It must see that it
cannot, and its keeper must go on; when it is removed, nothing is left of its cgroups.
"""
import json
import unittest

from lib import sample_apps, uml
from lib.repo import Repo
from lib.uml import UmlCase

CONFIG = uml.CONFIG + 'url = "file:///srv/repository"\n'
SERVICE_PATHS = """
[paths]
state = "/var/lib/berth/service"
logs = "/var/lib/berth/service/logs"
"""
PLAIN_PATHS = """
[paths]
state = "/var/lib/berth/plain"
logs = "/var/lib/berth/plain/logs"
run = "/run/plain"
"""
LIMITS = """
[process.web.limits]
MemoryMax = "48M"
MemoryHigh = "48M"
MemorySwapMax = 0
CPUQuota = "150%"
CPUWeight = 50
TasksMax = 32
LimitCORE = "0:infinity"
LimitNPROC = 1000
Nice = -3
"""
VALUES = {"memory.max": str(48 << 20), "memory.high": str(48 << 20), "memory.oom.group": "1",
          "cpu.max": "150000 100000", "cpu.weight": "50", "pids.max": "32"}


class Limits(UmlCase):
    CONFIG = CONFIG + SERVICE_PATHS
    UNITS = ("job.service", "state-disk.service")
    PROGRAMS = (("limits-job", "job"),)

    def setUp(self):
        super().setUp()
        (self.tree / "usr/local/etc/berth/plain.toml").write_text(CONFIG.replace("9464", "9465") + PLAIN_PATHS)
        self.make_disk()
        repo = Repo(self.folder)
        for app, port in (("web", 8080), ("plain", 8081)):
            common = dict(app=app, routing="socket", port=port, bake="500ms", ready_timeout="30s", more=LIMITS)
            repo.publish(sample_apps.testapp(self.folder / app, **common))
            repo.publish(sample_apps.testapp(self.folder / app, "--eat", str(256 << 20), **common))
        self.bring(repo)

    def out(self, name):
        path = self.tree / "out" / name
        self.assertTrue(path.exists(), f"{name} is missing\n{self.report()}")
        return path.read_text(errors="replace")

    def assertLimited(self, name, app):
        self.assertEqual(self.out(f"{name}.deployed").strip(), "0", self.report())
        values = dict(line.split(" ", 1) for line in self.out(f"{name}.values").splitlines() if " " in line)
        self.assertEqual({key: value.strip() for key, value in values.items()}, VALUES, self.report())
        # berthd itself has OOMScoreAdjust=-900 and 65536 files, as a service and in the foreground.
        self.assertEqual(self.out(f"{name}.begins").split(), ["0", "-3"], self.report())
        limits = self.out(f"{name}.limits")
        for line in (r"Max open files +1024 +524288 ", r"Max core file size +0 +unlimited ", r"Max processes +1000 +1000 "):
            self.assertRegex(limits, line)
        status = json.loads(self.out(f"{name}.status"))
        instance = (status.get("instances") or status["apps"][0]["instances"])[0]
        self.assertEqual(instance["last_exit"]["reason"], "oom", self.report())
        self.assertEqual(instance["exits_by_reason"], {"oom": 1})
        self.assertEqual(instance["unenforced_limits"], [])
        self.assertTrue(instance["ready"], self.report())
        events = self.out(f"{name}.events")
        self.assertRegex(events, r'"instance.exit"[^\n]*"reason": ?"oom"')
        metrics = self.out(f"{name}.metrics")
        self.assertIn(f'berth_instance_exits_total{{app="{app}",process="web",number="1",release="v1",reason="oom"}} 1', metrics)
        self.assertIn(f'berth_instance_limits_enforced{{app="{app}",process="web",number="1",release="v1"}} 1', metrics)
        self.assertNotEqual(self.out(f"{name}.second").strip(), "0")
        self.assertIn("oom", json.loads(self.out(f"{name}.history"))["deployments"][0]["reason"], self.report())

    def assertOutOfTasks(self, name, leaves):
        """`leaves`: what the cgroups of one instance end with, below that of its app."""
        said = "forked 31 times, then: Resource temporarily unavailable"
        self.assertEqual(self.out(f"{name}.forked"), said, self.report())
        self.assertIn(f"testapp: {said}", self.out(f"{name}.logs"))
        current, event, hits, health = self.out(f"{name}.full").split()
        self.assertEqual((current, event, health), ("32", "max", "ok"), "it goes on")
        self.assertGreater(int(hits), 0)
        before, after = self.out(f"{name}.keepers").split()
        self.assertEqual(before, after, "and so does its keeper")
        self.assertEqual((self.out(f"{name}.restarted").strip(), self.out(f"{name}.after")), ("0", "ok"), self.report())
        found = self.out(f"{name}.below").split()
        self.assertEqual([path.rsplit("/", 1)[-1] for path in found[1:]], leaves, found)
        self.assertTrue(all(path.startswith(found[0]) for path in found), "nothing is left of the release that failed, or of processes that ended")
        self.assertEqual(self.out(f"{name}.removed").strip(), "0", self.report())
        self.assertEqual(self.out(f"{name}.left"), "", self.report())

    def test_an_app_over_its_memory_is_killed_and_seen_as_such_with_and_without_systemd(self):
        self.boot("limits")
        self.await_power_off()
        self.assertLimited("service", "web")
        self.assertLimited("plain", "plain")
        self.assertOutOfTasks("service", ["app", "keeper"])
        self.assertOutOfTasks("plain", ["app"])
        self.assertRegex(self.out("service.cgroup"), r"^/berth\.slice/berth-web\.slice/berth-web-web-1-[0-9a-f]{16}\.service/app$")
        self.assertRegex(self.out("plain.cgroup"), r"^/berth-[0-9a-f]{8}/plain/[0-9a-f]{16}/app$")


if __name__ == "__main__":
    unittest.main(verbosity=2)
