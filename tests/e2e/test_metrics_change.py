"""Every metric of docs/metrics.md changes when a node goes through what it tells of: scraped all the time, from a real berthd."""
import os
import re
import signal
import threading
import time
import unittest

from lib import sample_apps
from lib.case import BerthCase
from lib.programs import SOURCE
from lib.waiting import wait_until
from lib.web import RepositoryServer

# What stays as it is while a berthd runs, or needs what the machine of a test lacks. daemon/metrics/series_test.cc has a change of each.
CONSTANT = {"berth_build_info", "berth_node_info", "berth_disk_reserve_bytes", "process_max_fds"}
CONTROLLERS = {"berth_limits_enforced", "berth_instance_limits_enforced", "berth_instance_memory_limit_bytes", "berth_instance_oom_kills_total"}  # tests/node/test_limits.py
TROUBLE = {"berth_app_troubled"}
ELSEWHERE = {"berth_api_failing", "berth_api_certificate_ending", "berth_api_certificate_expiry_timestamp_seconds",  # test_remote.py
             "berth_api_crl_ending", "berth_api_crl_expiry_timestamp_seconds",  # test_enrol.py
             "berth_metrics_failing", "berth_metrics_certificate_ending", "berth_metrics_certificate_expiry_timestamp_seconds",  # test_metrics_listener.py
             "berth_metrics_crl_ending", "berth_metrics_crl_expiry_timestamp_seconds",  # test_metrics_listener.py
             "berth_api_slow_readers_total",  # test_streams.py
             "berth_events_damaged"} | {f"berth_webhook_{what}" for what in (  # test_lifecycle.py; test_webhooks.py
                 "cursor_resets_total", "delivered_total", "dropped_total", "failing", "lag_seconds", "last_success_timestamp_seconds", "retries_total")}

HOOK = '#!/bin/sh\nexit 0\n'
JOB = '#!/bin/sh\nsleep 0.3\nexit $(cat "$BERTH_DATA_DIR/code" 2>/dev/null || echo 0)\n'
MORE = """
[data]
snapshot = true
[hooks.pre-start]
command = ["bin/hook"]
[process.report]
type = "job"
command = ["bin/job"]
"""


class EveryMetric(BerthCase):
    def publish(self, *arguments, note, app="web", **options):
        options = {"strategy": "recreate", "more": MORE, **options}
        tree = sample_apps.testapp(self.folder / f"site-{app}", "--lines", "50", *arguments, app=app, bake="400ms", note=note, **options)
        return self.repo.publish(tree.put("bin/hook", HOOK, 0o755).put("bin/job", JOB, 0o755))

    def samples(self):
        found = {}
        for line in self.node.metrics().splitlines():
            if not line.startswith("#"):
                found.setdefault(re.match(r"[a-z_]+", line)[0], set()).add(line)
        return found

    def look(self):
        for family, samples in self.samples().items():
            self.seen.setdefault(family, set()).add(frozenset(samples))

    def scrape(self, over):
        while not over.is_set():
            try:
                self.look()
            except OSError:
                pass  # it is not there at the moment
            time.sleep(0.1)

    def go_through(self):
        """What may happen to a node and its apps."""
        node = self.node
        wait_until(lambda: node.active() == "v1", "the followed app is there", 30)
        time.sleep(0.5)
        node.data().joinpath("unready").touch()
        wait_until(lambda: not node.instances()[0]["ready"], "it is not ready")
        time.sleep(0.5)
        node.data().joinpath("unready").unlink()
        wait_until(lambda: node.instances()[0]["ready"], "it is ready")
        os.kill(next(iter(node.pids().values())), signal.SIGKILL)
        wait_until(lambda: node.instances() and node.instances()[0]["ready"], "it is there again", 20)
        node.berth("exec", "web", "--", "/bin/true")
        node.data().joinpath("code").write_text("3")
        node.berth("run-job", "web/report", expect=1)
        self.look()
        node.data().joinpath("code").unlink()
        node.berth("run-job", "web/report")
        node.berth("scale", "web/web=2")
        time.sleep(0.5)
        node.berth("scale", "web/web=1")
        self.publish(note="two")
        self.repo.point("stable", "v2")
        wait_until(lambda: node.active() == "v2", "the channel has moved", 30)
        self.publish("--exit-after", "0", note="three")
        self.deploy(node, "v3", expect=None)
        node.berth("revert", "web", expect=None)
        node.berth("resume", "web", expect=None)
        note = node.slot("v1") / "app" / "NOTE"
        note.chmod(0o644)
        note.write_text("something else")
        node.berth("verify", "web", expect=None)
        time.sleep(0.3)
        node.berth("node", "drain", expect=None)
        time.sleep(0.5)
        node.berth("node", "resume", expect=None)
        before = node.config.read_text()
        node.configure(before + "\nwrong = 1\n")
        node.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "berth_config_reload_failed 1" in node.metrics(), "the file is wrong")
        self.look()
        node.configure(before)
        node.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "berth_config_reload_failed 0" in node.metrics(), "it is right again")
        os.rename(self.folder / "agent", self.folder / "away")
        (self.folder / "agent").write_text("a file where the folder was")
        wait_until(lambda: 'berth_log_sink_failing{sink="agent"} 1' in node.metrics(), "the sink takes nothing", 20)
        time.sleep(1.5)
        (self.folder / "agent").unlink()
        wait_until(lambda: 'berth_log_sink_failing{sink="agent"} 0' in node.metrics(), "it takes again", 20)
        timestamp = self.served / "metadata" / "timestamp.json"
        good = timestamp.read_text()
        timestamp.write_text(re.sub(r'("version": ?)(\d+)', lambda found: found[1] + str(int(found[2]) + 7), good))
        wait_until(lambda: "berth_repository_failing 1" in node.metrics(), "the repository is not believed", 20)
        time.sleep(0.5)
        timestamp.write_text(good)
        wait_until(lambda: "berth_repository_failing 0" in node.metrics(), "the repository is believed", 20)
        self.look()
        node.stop()
        cursors = node.state / "ship" / "agent.cursors"
        cursors.write_bytes(cursors.read_bytes()[:-20])
        node.start(wait=False)  # and it is not ready at once
        wait_until(lambda: self.is_told('berth_log_cursor_resets_total{sink="agent"} 1'), "it is not known how far the sink is", 20)
        node.wait_ready()
        self.look()

    def is_told(self, sample):
        try:
            self.look()
            return sample in self.node.metrics()
        except OSError:
            return False

    def test_each_changes(self):
        self.publish(note="one")
        self.repo.point("stable", "v1")
        self.served = self.repo.folder
        server = RepositoryServer(self.served)
        self.addCleanup(server.close)
        (self.folder / "agent").mkdir()
        self.node = self.make_node(repository=server.url, extra=f'[[follow]]\napp = "web"\nchannel = "stable"\ninterval = "1s"\n'
                                   f'[[sink]]\nname = "agent"\nkind = "file"\npath = "{self.folder}/agent/all.jsonl"\nbatch_wait = "100ms"\nrate = "20/s"\nburst = 20\n').start()
        self.seen, over = {}, threading.Event()
        scraper = threading.Thread(target=self.scrape, args=(over,))
        scraper.start()
        try:
            self.go_through()
        finally:
            over.set()
            scraper.join()
        page = (SOURCE / "docs/metrics.md").read_text().split("<!-- end of the table")[0]
        every = set(re.findall(r"^\| `([a-z_]+)` \|", page, re.M))
        changed = {family for family, states in self.seen.items() if len(states) > 1}
        self.progress(f"{len(every)} metrics, {len(every & changed)} changed; not: {sorted(every - changed)}")
        self.assertLessEqual(every - changed, CONSTANT | CONTROLLERS | TROUBLE | ELSEWHERE)


if __name__ == "__main__":
    unittest.main(verbosity=2)
