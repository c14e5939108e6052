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


class Scraped(BerthCase):
    """A node of which somebody asks metrics."""

    def get(self, path):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.node.metrics_port}{path}", timeout=30) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def start_prometheus(self, port=9090, more=""):
        config = self.folder / "prometheus.yml"
        config.write_text(f"""
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs:
  - job_name: berth
    static_configs: [{{targets: ["127.0.0.1:{self.node.metrics_port}"]}}]
{more}""")
        with open(self.folder / "prometheus.log", "w") as log:
            prometheus = subprocess.Popen(["prometheus", f"--config.file={config}", f"--storage.tsdb.path={self.folder / 'tsdb'}",
                                           f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log)
        self.addCleanup(prometheus.wait)
        self.addCleanup(prometheus.kill)
        self.prometheus = f"http://127.0.0.1:{port}"
        wait_until(lambda: self.query('up{job="berth"}') == [1.0], "Prometheus scrapes berthd", 30)

    def query(self, text):
        try:
            with urllib.request.urlopen(f"{self.prometheus}/api/v1/query?query={urllib.parse.quote(text)}", timeout=20) as answer:
                return sorted(float(one["value"][1]) for one in json.load(answer)["data"]["result"])
        except OSError:
            return None

    def samples(self, path="/metrics"):
        """Series → value."""
        status, text = self.get(path)
        self.assertEqual(status, 200)
        return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if not line.startswith("#")}


class Metrics(Scraped):
    def setUp(self):
        super().setUp()
        self.repo.publish(sample_apps.testapp(self.folder / "site", "--lines", "20", instances=2))
        self.node = self.make_node(extra=f"""
[[sink]]
name = "agent"
kind = "file"
path = "{self.folder}/agent.jsonl"
""").start()
        self.deploy(self.node, "v1")

    def test_promtool_accepts_the_metrics(self):
        text = self.node.metrics()
        checked = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True)
        self.assertEqual((checked.returncode, checked.stdout + checked.stderr), (0, ""), text)

    def test_health_and_readiness_of_the_daemon(self):
        self.assertEqual(self.get("/healthz")[0], 200)
        self.assertEqual(self.get("/readyz")[0], 200)
        self.assertEqual(self.get("/nothing")[0], 404)
        self.assertEqual(self.get("/v1/status")[0], 404, "the control API is not on the network")

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
        self.assertLessEqual(set(empty), {"Exits by reason", "CPU of instances", "Restarts", "Deployments by their end", "Log entries that sinks will not get"})

    def test_instances_tell_what_they_take(self):
        def value(name):
            return [float(line.rsplit(" ", 1)[1]) for line in self.node.metrics().splitlines() if line.startswith(name + "{")]

        self.assertEqual(len(value("berth_instance_cpu_seconds_total")), 2)
        self.assertTrue(all(taken > 10_000 for taken in value("berth_instance_resident_memory_bytes")))
        self.assertTrue(all(count >= 1 for count in value("berth_instance_processes")))
        self.assertTrue(all(count >= 3 for count in value("berth_instance_open_fds")))

    def test_probes_logs_and_steps_are_counted(self):
        def value(name, *parts):
            return sum(number for series, number in self.samples().items() if series.startswith(name + "{") and all(part in series for part in parts))
        passed, failed = (("berth_instance_probes_total", 'probe="readiness"', f'result="{result}"') for result in ("passed", "failed"))
        wait_until(lambda: value(*passed) > 10, "probes that passed are counted")
        before = value(*failed)
        self.node.data().joinpath("unready").touch()
        wait_until(lambda: value(*failed) > before + 3, "and so are those that failed")
        self.node.data().joinpath("unready").unlink()
        self.assertGreater(value("berth_instance_probe_seconds_total"), 0)
        self.assertGreaterEqual(value("berth_deployment_steps_total", 'step="fetching"'), 1)
        self.assertGreater(value("berth_deployment_step_seconds_total", 'step="starting"'), 0)
        self.assertEqual(value("berth_instance_log_dropped_lines_total"), 0)
        self.node.berth("restart", "web")
        wait_until(lambda: value("berth_instance_log_lines_total") > 0, "lines are counted")
        self.node.berth("remove", "web", "--yes", "--purge")
        own = [series for series in self.samples() if 'app="web"' in series and not series.startswith("berth_log_")]
        self.assertEqual(own, [], "series of an app go with it")
        wait_until(lambda: not any('app="web"' in series for series in self.samples()), "those of its logs when the sink's reader has seen that they are gone", 10)

    def test_the_node_at_a_glance(self):
        glance = json.loads(self.get("/status")[1])
        self.assertEqual((glance["node"], glance["ready"]), ("node-1", True))
        self.assertEqual((glance["config_refused"], glance["disk"]["logs"]), (False, None))
        (sink,) = glance["sinks"]
        self.assertEqual((sink["sink"], sink["kind"], sink["failing_since"], sink["lost"]), ("agent", "file", "", 0))
        (app,) = glance["apps"]
        self.assertEqual((app["app"], app["release"], app["health"]), ("web", "v1", "healthy"))
        self.assertEqual([(one["number"], one["up"], one["ready"], one["serving"]) for one in app["instances"]], [(1, True, True, True), (2, True, True, True)])

    def test_deployments_are_counted_by_how_they_ended(self):
        self.repo.publish(sample_apps.testapp(self.folder / "site", "--exit-after", "0", instances=2))
        self.deploy(self.node, "v2", expect=1)
        self.assertNotIn("berth logs", self.deploy(self.node, "v99", expect=3).text)
        self.start_prometheus()
        self.assertEqual(self.query('berth_deployments_total{app="web",state="active"}'), [1.0])
        self.assertEqual(self.query('berth_deployments_total{app="web",state="failed"}'), [1.0])
        self.assertEqual(self.query('berth_deployments_total{app="web",state="not_found"}'), [1.0])

    def test_names_that_are_mistyped_leave_a_bounded_number_of_series(self):
        for number in range(1, 21):
            self.node.berth("deploy", f"typo{number}@v1", expect=3)
        samples = self.samples()
        names = {f"typo{number}" for number in range(1, 21) if any(f'app="typo{number}"' in series for series in samples)}
        self.assertEqual(names, {f"typo{number}" for number in range(5, 21)})
        self.assertEqual(samples['berth_deployments_total{app="typo20",state="not_found"}'], 1)
        self.assertEqual(samples['berth_deployments_total{app="typo20",state="failed"}'], 0)


class Disks(Scraped):
    def test_a_disk_of_the_logs_alone_is_told_and_told_when_it_is_full(self):
        self.node = self.make_node(reserve="100MB")
        self.node.logs.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=10m", "none", self.node.logs], check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", self.node.logs])
        self.node.start()
        free, reserve = (f'berth_disk_{name}_bytes{{disk="logs"}}' for name in ("free", "reserve"))
        samples = self.samples()
        self.assertEqual(samples[reserve], 1 << 20, "a tenth of it")
        self.assertGreater(samples[free], samples[reserve])
        self.assertEqual(samples['berth_disk_reserve_bytes{disk="state"}'], 100_000_000)
        self.assertNotIn("disk of the logs", self.node.berth("status").text)
        (self.node.logs / "much").write_bytes(bytes(9_700_000))
        self.assertLess(self.samples()[free], 1 << 20)
        self.assertIn("disk of the logs", self.node.berth("status").text)


TELLS = """#!/usr/bin/python3 -u
import http.server, os
DATA = os.environ["BERTH_DATA_DIR"]

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        broken = os.path.exists(DATA + "/broken") and os.environ["BERTH_INSTANCE"].split("@")[0].endswith(".2")
        body = open(DATA + "/broken", "rb").read() if broken else ('# HELP jobs_total Jobs.\\n# TYPE jobs_total counter\\njobs_total{app="its own"} 5\\n'
            '# HELP took How long.\\n# TYPE took histogram\\ntook_bucket{le="1"} 1\\ntook_bucket{le="+Inf"} 2\\ntook_sum 3\\ntook_count 2\\n').encode()
        self.send_response(200 if self.path.startswith("/stats") or self.path == "/healthz" else 404)
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass
http.server.ThreadingHTTPServer(("", int(os.environ["PORT"])), Handler).serve_forever()
"""


class OfApps(Scraped):
    """What instances tell of themselves."""

    def setUp(self):
        super().setUp()
        tree = sample_apps.Tree(self.folder / "site", "web").put("bin/tells", TELLS, 0o755)
        self.repo.publish(tree.spec('app = "web"\n[process.web]\ncommand = ["bin/tells"]\nport = 8080\ninstances = 2\nmetrics = { path = "/stats?all=1" }\n'
                                    '[process.web.readiness]\nhttp = "/healthz"\nperiod = "100ms"\n[deploy]\nbake = "300ms"\n'))
        self.node = self.make_node().start()
        self.deploy(self.node, "v1")

    def labels(self, number):
        return f'app="web",process="web",number="{number}",release="v1"'

    def test_they_are_served_at_one_place_with_labels(self):
        status, text = self.get("/metrics/apps")
        self.assertEqual(status, 200)
        checked = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True)
        self.assertEqual(checked.returncode, 0, checked.stdout + checked.stderr + text)
        found = self.samples("/metrics/apps")
        for number in (1, 2):
            self.assertEqual(found[f'jobs_total{{{self.labels(number)},exported_app="its own"}}'], 5)
            self.assertEqual(found[f'took_bucket{{{self.labels(number)},le="+Inf"}}'], 2)
            self.assertEqual(found[f"berth_app_scrape_success{{{self.labels(number)}}}"], 1)
            self.assertEqual(found[f"berth_app_scrape_samples{{{self.labels(number)}}}"], 5)

    def test_one_that_tells_no_metrics_is_left_out(self):
        for page in (b"<html>", b'jobs_total{x="\xff"} 1\n', b'jobs_total{__name__="up"} 1\n', b"jobs_total 1e999\n", b"jobs_total +-1\n", b"jobs_total 1\nberth_ready 0\n"):
            self.node.data().joinpath("broken").write_bytes(page)
            found = self.samples("/metrics/apps")
            self.assertEqual(found[f"berth_app_scrape_success{{{self.labels(1)}}}"], 1, page)
            self.assertEqual(found[f"berth_app_scrape_success{{{self.labels(2)}}}"], 0, page)
            self.assertEqual(len([series for series in found if series.startswith("jobs_total")]), 1, page)

    def test_a_prometheus_reads_them_and_finds_the_instances_itself(self):
        self.start_prometheus(more=f"""
  - job_name: apps
    metrics_path: /metrics/apps
    static_configs: [{{targets: ["127.0.0.1:{self.node.metrics_port}"]}}]
  - job_name: itself
    http_sd_configs: [{{url: "http://127.0.0.1:{self.node.metrics_port}/sd", refresh_interval: 1s}}]
""")
        wait_until(lambda: self.query('jobs_total{job="apps",exported_app="its own",app="web"}') == [5.0, 5.0], "by berthd", 20)
        wait_until(lambda: self.query('jobs_total{job="itself",app="web",exported_app="its own"}') == [5.0, 5.0], "by itself", 20)
        self.assertEqual(self.query('up{job="itself"}'), [1.0, 1.0])



if __name__ == "__main__":
    unittest.main(verbosity=2)
