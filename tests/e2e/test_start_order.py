"""What comes up first: the priorities of apps at a boot, a few instances at a time, and `after` between processes and between apps."""
import json
import shutil
import time
import unittest

from lib import api, sample_apps
from lib.case import BerthCase
from lib.programs import PATIENCE
from lib.waiting import wait_until

#: Says when it began (what it waited for must be ready then), takes a while to get ready, and says when it is told to stop.
PROCESS = """#!/bin/sh
name=$BERTH_APP.$BERTH_PROCESS
rm -f "MARKS/$name.ready"
for other in $1; do test -e "MARKS/$other.ready" && echo "$name after $other" >> MARKS/log || echo "$name before $other" >> MARKS/log; done
echo "$name begins" >> MARKS/log
trap 'rm -f "MARKS/$name.ready"; echo "$name stops" >> MARKS/log; exit 0' TERM
sleep $2
test -e "MARKS/$name.stuck" || touch "MARKS/$name.ready"
while :; do sleep 0.05; done
"""
READY = """#!/bin/sh
test -e "MARKS/$BERTH_APP.$1.ready"
"""


class StartOrder(BerthCase):
    def setUp(self):
        super().setUp()
        self.marks = self.folder / "marks"
        self.marks.mkdir()
        self.marks.chmod(0o777)
        self.forget()
        self.node = self.make_node(extra="[start]\nat_once = 2\n").start()

    def publish(self, app, waits=None, *, after=None, deploy="", ready_timeout="20s", takes=0.5, note="1"):
        """An app whose processes are those of `waits`, each with those that it comes after."""
        text = f'app = "{app}"\n'
        for process, others in (waits or {"web": []}).items():
            seen = [f"{app}.{other}" for other in others] + [f"{other}.web" for other in after or []]
            text += f'[process.{process}]\ncommand = ["bin/process", "{" ".join(seen)}", "{takes}"]\nafter = {json.dumps(others)}\n'
            text += f'stop = {{ grace = "3s" }}\n[process.{process}.readiness]\nexec = ["bin/ready", "{process}"]\nperiod = "100ms"\n'
        text += f'[deploy]\nstrategy = "recreate"\nbake = "100ms"\nready_timeout = "{ready_timeout}"\nafter = {json.dumps(after or [])}\n{deploy}'
        tree = sample_apps.Tree(self.folder / "site", app).put("NOTE", note).spec(text)
        for name, script in (("process", PROCESS), ("ready", READY)):
            tree.put(f"bin/{name}", script.replace("MARKS", str(self.marks)), 0o755)
        self.repo.publish(tree)

    def log(self):
        return (self.marks / "log").read_text().splitlines()

    def assertLogged(self, lines, counts=lambda line: True):
        """These lines, and once the last has come no other."""
        wait_until(lambda: len([line for line in self.log() if counts(line)]) >= len(lines), f"{lines} are logged; now {self.log()}")
        self.assertEqual([line for line in self.log() if counts(line)], lines)

    def forget(self):
        (self.marks / "log").write_text("")
        (self.marks / "log").chmod(0o666)

    def boot(self, wait=True):
        """As if the machine had lost its power: nothing runs, and what is in memory is gone."""
        self.node.kill()
        self.end_apps()
        shutil.rmtree(self.node.run)
        for mark in self.marks.glob("*.ready"):
            mark.unlink()
        self.forget()
        self.node.start(wait)

    def test_a_boot_starts_a_few_at_a_time_by_priority_and_is_not_held_up_by_what_never_gets_ready(self):
        priorities = {"alpha": 0, "beta": -5, "gamma": 0, "delta": 0, "stuck": 7, "zeta": 9}
        for app, priority in priorities.items():
            self.publish(app, deploy=f"priority = {priority}\n", ready_timeout="3s" if app == "stuck" else "20s")
            self.deploy(self.node, "v1", app)
        (self.marks / "stuck.web.stuck").touch()
        begun = time.monotonic()
        self.boot(wait=False)
        most = 0
        while time.monotonic() < begun + 60 * PATIENCE:
            try:
                apps = self.node.status()["apps"]
                ready = api.call(self.node.socket, "GET", "/readyz", timeout=5).status == 200
            except OSError:
                continue
            starting = [one for app in apps for one in app["instances"] if one["pid"] and not one["ready"]]
            most = max(most, len(starting))
            if ready:
                break
            time.sleep(0.05)
        right = ["zeta", "stuck", "alpha", "delta", "gamma", "beta"]
        logged = [line.split(".")[0] for line in self.log() if line.endswith("begins")]
        self.assertEqual(sorted(logged[:2]), ["stuck", "zeta"], "the two that begin together may tell so in any order")
        self.assertEqual(logged[2:], right[2:])
        apps = {app["app"]: app["instances"] for app in self.node.status()["apps"]}
        self.assertEqual(sorted(right, key=lambda app: apps[app][0]["started_at"]), right)
        self.assertEqual(most, 2)
        self.assertGreater(time.monotonic() - begun, 2, "each took half a second, and two places were there, of which one was taken")
        for app in priorities:
            self.node.wait_app(app, health="down" if app == "stuck" else "healthy")

    def test_a_berthd_that_comes_back_adopts_what_runs_and_waits_for_nothing(self):
        for app in ("alpha", "beta", "gamma"):
            self.publish(app, {"web": ["cache"], "cache": []}, takes=0)
            self.deploy(self.node, "v1", app)
        pids = {app: self.node.pids(app) for app in ("alpha", "beta", "gamma")}
        for app in pids:
            (self.marks / f"{app}.cache.ready").unlink()
        self.node.kill()
        self.node.start()
        self.assertEqual({app: self.node.pids(app) for app in pids}, pids)
        self.assertEqual([one for one in self.node.events() if one["kind"] == "start.unawaited"], [])

    def test_processes_start_after_those_that_they_name(self):
        self.publish("shop", {"web": ["cache", "queue"], "cache": ["queue"], "queue": []})
        right = ["shop.queue begins", "shop.cache after shop.queue", "shop.cache begins", "shop.web after shop.cache", "shop.web after shop.queue", "shop.web begins"]
        self.deploy(self.node, "v1", "shop")
        self.assertLogged(right)
        self.boot()
        self.assertLogged(right)
        self.forget()
        self.node.berth("restart", "shop")
        self.assertLogged(right, lambda line: not line.endswith("stops"))
        self.node.berth("stop", "shop")
        self.forget()
        self.node.berth("start", "shop")
        self.assertLogged(right)

    def test_a_deployment_whose_first_process_does_not_get_ready_fails_and_a_boot_goes_on(self):
        self.publish("shop", {"web": ["cache"], "cache": []}, ready_timeout="2s", takes=0.1)
        self.deploy(self.node, "v1", "shop")
        (self.marks / "shop.cache.stuck").touch()
        self.boot()
        wait_until(lambda: "shop.web begins" in self.log(), "it is started all the same")
        self.assertIn("shop.web before shop.cache", self.log())
        (told,) = [one["data"] for one in self.node.events() if one["kind"] == "start.unawaited"]
        self.assertIn("shop/web starts after cache: not ready within 2s: shop/cache.1", told["reason"])
        self.publish("shop", {"web": ["cache"], "cache": []}, ready_timeout="2s", takes=0.1, note="2")
        done = self.node.berth("deploy", "shop@v2", expect=5)
        self.assertSays(done, "shop/web starts after cache")

    def test_an_app_starts_after_the_apps_that_it_names_and_stops_before_them(self):
        self.publish("web", after=["db"], ready_timeout="1s", deploy="priority = 9\n")
        done = self.deploy(self.node, "v1", "web", 1)
        self.assertSays(done, "web starts after db", "db is not on this node")
        self.assertEqual(self.node.app("web")["rejected"], [])
        self.publish("db")
        self.deploy(self.node, "v1", "db")
        self.publish("web", after=["db"], deploy="priority = 9\n", note="2")
        self.deploy(self.node, "v2", "web")
        right = ["db.web begins", "web.web after db.web", "web.web begins"]
        self.assertLogged(right)
        self.boot()
        self.assertLogged(right)
        self.forget()
        self.node.berth("node", "drain")
        self.assertLogged(["web.web stops", "db.web stops"])
        self.forget()
        self.node.berth("node", "resume")
        self.assertLogged(right)

        self.publish("db", after=["web"], note="2")
        self.assertSays(self.deploy(self.node, "v2", "db", 1), "apps wait for each other", "db after web after db")
        self.assertEqual(self.node.active("db"), "v1")

    def test_a_boot_starts_an_app_all_the_same_when_what_it_waits_for_does_not_get_ready(self):
        self.publish("db", takes=0.1)
        self.deploy(self.node, "v1", "db")
        self.publish("web", after=["db"], ready_timeout="2s", takes=0.1)
        self.deploy(self.node, "v1", "web")
        (self.marks / "db.web.stuck").touch()
        self.boot()
        wait_until(lambda: "web.web before db.web" in self.log(), "it began without it")
        (told,) = [one["data"] for one in self.node.events() if one["kind"] == "start.unawaited"]
        self.assertIn("web starts after db ([deploy] after), and within 2s that was not ready: db/web.1", told["reason"])


if __name__ == "__main__":
    unittest.main()
