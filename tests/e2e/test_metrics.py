"""/metrics, /healthz and /readyz, as promtool and a real Prometheus see them."""
import json
import subprocess
import unittest
import urllib.parse
import urllib.request

from lib import sample_apps
from lib.case import BerthCase
from lib.programs import SOURCE
from lib.waiting import wait_until

READY = "berth_instance_ready"


class Metrics(BerthCase):
    def setUp(self):
        super().setUp()
        self.repo.publish(sample_apps.testapp(self.folder / "site", instances=2))
        self.node = self.make_node().start()
        self.deploy(self.node, "v1")

    def get(self, path):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.node.metrics_port}{path}", timeout=30) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def test_promtool_accepts_the_metrics(self):
        text = self.node.metrics()
        checked = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True)
        self.assertEqual((checked.returncode, checked.stdout + checked.stderr), (0, ""), text)

    def test_health_and_readiness_of_the_daemon(self):
        self.assertEqual(self.get("/healthz")[0], 200)
        self.assertEqual(self.get("/readyz")[0], 200)
        self.assertEqual(self.get("/nothing")[0], 404)
        self.assertEqual(self.get("/v1/status")[0], 404, "the control API is not on the network")

    def start_prometheus(self, port=9090):
        config = self.folder / "prometheus.yml"
        config.write_text(f"""
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs:
  - job_name: berth
    static_configs: [{{targets: ["127.0.0.1:{self.node.metrics_port}"]}}]
""")
        with open(self.folder / "prometheus.log", "w") as log:
            prometheus = subprocess.Popen(["prometheus", f"--config.file={config}", f"--storage.tsdb.path={self.folder / 'tsdb'}",
                                           f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log)
        self.addCleanup(prometheus.wait)
        self.addCleanup(prometheus.kill)
        self.prometheus = f"http://127.0.0.1:{port}"
        wait_until(lambda: self.query("up") == [1.0], "Prometheus scrapes berthd", 30)

    def query(self, text):
        try:
            with urllib.request.urlopen(f"{self.prometheus}/api/v1/query?query={urllib.parse.quote(text)}", timeout=20) as answer:
                return sorted(float(one["value"][1]) for one in json.load(answer)["data"]["result"])
        except OSError:
            return None

    def test_prometheus_sees_readiness_break_and_heal(self):
        self.start_prometheus()
        query = f'{READY}{{app="web"}}'
        wait_until(lambda: self.query(query) == [1.0, 1.0], "both instances are ready", 10)
        self.node.data().joinpath("unready").touch()
        wait_until(lambda: self.query(query) == [0.0, 0.0], "0 within a scrape of the probes' finding it", 4)
        self.node.data().joinpath("unready").unlink()
        wait_until(lambda: self.query(query) == [1.0, 1.0], "and 1 after", 4)

    def test_each_query_of_the_dashboard_is_answered(self):
        self.start_prometheus()
        dashboard = json.loads((SOURCE / "config/grafana/berth.json").read_text())
        empty = []
        for panel in dashboard["panels"]:
            for target in panel["targets"]:
                text = target["expr"].replace("$__rate_interval", "10s").replace("$node", ".*").replace("$app", ".*")
                answer = wait_until(lambda: [found] if (found := self.query(text)) is not None else None, f"an answer to {text}", 10)
                if not answer[0]:
                    empty.append(panel["title"])
        # Rates need two scrapes, exits a crash.
        self.assertLessEqual(set(empty), {"Exits by reason", "CPU of instances", "Restarts", "Deployments by their end"})

    def test_instances_tell_what_they_take(self):
        def value(name):
            return [float(line.rsplit(" ", 1)[1]) for line in self.node.metrics().splitlines() if line.startswith(name + "{")]

        self.assertEqual(len(value("berth_instance_cpu_seconds_total")), 2)
        self.assertTrue(all(taken > 10_000 for taken in value("berth_instance_resident_memory_bytes")))
        self.assertTrue(all(count >= 1 for count in value("berth_instance_processes")))
        self.assertTrue(all(count >= 3 for count in value("berth_instance_open_fds")))

    def test_deployments_are_counted_by_how_they_ended(self):
        self.repo.publish(sample_apps.testapp(self.folder / "site", "--exit-after", "0", instances=2))
        self.deploy(self.node, "v2", expect=1)
        self.start_prometheus()
        self.assertEqual(self.query('berth_deployments_total{app="web",state="active"}'), [1.0])
        self.assertEqual(self.query('berth_deployments_total{app="web",state="failed"}'), [1.0])


if __name__ == "__main__":
    unittest.main(verbosity=2)
