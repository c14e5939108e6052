"""An alert that goes the whole way: from an app that keeps ending over a real Prometheus and a real Alertmanager to whoever is called, and its end."""
import http.server
import json
import os
import re
import signal
import subprocess
import threading
import unittest

from lib import sample_apps
from lib.case import BerthCase
from lib.programs import SOURCE
from lib.waiting import wait_until

PROMETHEUS, ALERTMANAGER = 9090, 9093
APP = """#!/bin/sh
[ -e "$BERTH_DATA_DIR/crash" ] && exit 3
exec sleep 100000
"""


class Called(http.server.BaseHTTPRequestHandler):
    alerts = []

    def do_POST(self):
        told = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.alerts += [(alert["labels"]["alertname"], alert["status"], alert) for alert in told["alerts"]]
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


class Alerting(BerthCase):
    def run_beside(self, name, *command):
        with open(self.folder / f"{name}.log", "w") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)

    def start_watching(self, node):
        """Our rules as they are, but without the time that an alert waits for. JSON is YAML, too."""
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Called)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        rules = (SOURCE / "config/prometheus/berth.rules.yml").read_text()
        (self.folder / "rules.yml").write_text(re.sub(r"(?m)^ +for: .*\n", "", rules))
        (self.folder / "alertmanager.yml").write_text(json.dumps({
            "route": {"receiver": "people", "group_by": ["alertname"], "group_wait": "0s", "group_interval": "1s", "repeat_interval": "1h"},
            "receivers": [{"name": "people", "webhook_configs": [{"url": f"http://127.0.0.1:{server.server_port}/", "send_resolved": True}]}]}))
        (self.folder / "prometheus.yml").write_text(json.dumps({
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(self.folder / "rules.yml")],
            "alerting": {"alertmanagers": [{"static_configs": [{"targets": [f"127.0.0.1:{ALERTMANAGER}"]}]}]},
            "scrape_configs": [{"job_name": "berth", "static_configs": [{"targets": [f"127.0.0.1:{node.metrics_port}"]}]}]}))
        self.run_beside("alertmanager", "prometheus-alertmanager", f"--config.file={self.folder / 'alertmanager.yml'}", f"--storage.path={self.folder / 'am'}",
                        f"--web.listen-address=127.0.0.1:{ALERTMANAGER}", "--cluster.listen-address=")
        self.run_beside("prometheus", "prometheus", f"--config.file={self.folder / 'prometheus.yml'}", f"--storage.tsdb.path={self.folder / 'tsdb'}",
                        f"--web.listen-address=127.0.0.1:{PROMETHEUS}")

    def test_an_app_that_keeps_ending_calls_somebody_and_its_recovery_ends_it(self):
        tree = sample_apps.Tree(self.folder / "site", "web").put("bin/app", APP, 0o755)
        self.repo.publish(tree.spec('app = "web"\n[process.worker]\ncommand = ["bin/app"]\n[deploy]\nbake = "100ms"\n'))
        node = self.make_node().start()
        self.deploy(node, "v1")
        self.start_watching(node)

        def told(status):
            return [alert for name, its_status, alert in Called.alerts if (name, its_status) == ("BerthCrashLoop", status)]
        crash = node.data() / "crash"
        crash.touch()
        os.kill(node.instances()[0]["pid"], signal.SIGKILL)
        (firing,) = wait_until(lambda: told("firing")[:1], "the alert fires", 60)
        self.assertEqual({name: firing["labels"][name] for name in ("app", "process", "number", "release", "severity")},
                         {"app": "web", "process": "worker", "number": "1", "release": "v1", "severity": "critical"})
        self.assertIn("web/worker.1@v1", firing["annotations"]["summary"])
        self.assertEqual(told("resolved"), [])
        crash.unlink()
        wait_until(lambda: told("resolved"), "the alert ends", 90)
        self.assertEqual(node.app()["health"], "healthy")


if __name__ == "__main__":
    unittest.main()
