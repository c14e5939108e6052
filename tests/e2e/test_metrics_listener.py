"""The metrics listener by TLS and with a token: as Prometheus, browsers and load balancers ask it, and as others do."""
import base64
import http.client
import json
import os
import re
import socket
import ssl
import subprocess
import time
import unittest
import urllib.parse
import urllib.request

from lib import contract
from lib.berth_ca import BerthCaCase
from lib.certificates import Authority
from lib.programs import BERTHD, SOURCE
from lib.waiting import wait_until

PORT = 9464
TOKEN = "0123456789abcdef" * 4


class MetricsListener(BerthCaCase):
    def setUp(self):
        super().setUp()
        self.pki = Authority(self.folder)
        self.put("metrics", self.pki.issue("first", "localhost", "127.0.0.1"))
        self.token = self.folder / "token"
        self.write_token(TOKEN)
        self.node = self.make_node()
        self.usual = self.node.config.read_text()

    def put(self, name, issued):
        """As a renewal does it: another file in the place of each."""
        for kind in (".key", ".pem"):
            new = self.folder / f"new{kind}"
            new.write_bytes(issued.with_suffix(kind).read_bytes())
            new.chmod(0o600)
            new.rename(self.folder / f"{name}{kind}")

    def write_token(self, text):
        new = self.folder / "new-token"
        new.write_text(text + "\n")
        new.chmod(0o600)
        new.rename(self.token)

    def say(self, *lines, listen=f"0.0.0.0:{PORT}"):
        """What [metrics] says."""
        self.node.configure(re.sub(r'(\[metrics\]\n)listen = "[^"]*"\n', lambda found: found[1] + "\n".join([f'listen = "{listen}"', *lines]) + "\n", self.usual))

    def by_tls(self, *more):
        self.say(f'certificate_file = "{self.folder}/metrics.pem"', f'key_file = "{self.folder}/metrics.key"', *more)

    def with_token(self):
        return f'token = "file:{self.token}"'

    def check(self):
        return subprocess.run([str(BERTHD), "--check", "--config", str(self.node.config)], capture_output=True, text=True)

    def context(self, certificate=None):
        context = ssl.create_default_context(cafile=self.pki.file)
        if certificate:
            context.load_cert_chain(certificate.with_suffix(".pem"), certificate.with_suffix(".key"))
        return context

    def ask(self, path="/metrics", authorization=None, certificate=None, headers=None, source=None, tls=True):
        """Status, headers and body of what somebody is answered."""
        kind = (lambda *a, **k: http.client.HTTPSConnection(*a, context=self.context(certificate), **k)) if tls else http.client.HTTPConnection
        connection = kind("127.0.0.1", PORT, timeout=30, source_address=(source, 0) if source else None)
        try:
            connection.request("GET", path, headers={**({"Authorization": authorization} if authorization else {}), **(headers or {})})
            answer = connection.getresponse()
            status, got, text = answer.status, dict(answer.getheaders()), answer.read().decode()
            found = contract.operation_of("GET", urllib.parse.urlsplit(path).path)
            if found and "monitoring" in found[1]["tags"]:  # the rest is not for this listener
                contract.check("GET", path, None, status, got.get("content-type", ""), text, headers, got)
            return status, got, text
        finally:
            connection.close()

    def bearer(self, token=TOKEN):
        return f"Bearer {token}"

    def basic(self, user, password):
        return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()

    def shown(self):
        with socket.create_connection(("127.0.0.1", PORT), 30) as raw, self.context().wrap_socket(raw, server_hostname="localhost") as client:
            return client.getpeercert()["serialNumber"]

    def metrics(self):
        """By the control socket."""
        return self.node.api("GET", "/metrics").body

    def test_a_reload_refuses_a_token_that_the_next_start_would_not_find(self):
        self.by_tls(self.with_token())
        self.node.start()
        self.by_tls('token = "file:/no/such/token"')
        wrong = "[metrics] token: open /no/such/token: No such file or directory: put it there, or name another file"
        self.assertIn(wrong, self.check().stderr)
        refused = self.node.berth("node", "reload", expect=None)
        self.assertNotEqual(refused.code, 0)
        self.assertIn(wrong, refused.text)
        self.by_tls(self.with_token())
        self.token.unlink()
        self.node.berth("node", "reload")  # what is as it was is told by the listener's status

    # Prometheus

    def query(self, text):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:9090/api/v1/query?query={urllib.parse.quote(text)}", timeout=20) as answer:
                return sorted(float(one["value"][1]) for one in json.load(answer)["data"]["result"])
        except OSError:
            return None

    def last_error(self, job):
        with urllib.request.urlopen("http://127.0.0.1:9090/api/v1/targets", timeout=20) as answer:
            return next(one["lastError"] for one in json.load(answer)["data"]["activeTargets"] if one["labels"]["job"] == job)

    def start_prometheus(self, *jobs):
        config = self.folder / "prometheus.yml"
        config.write_text("global: {scrape_interval: 1s, scrape_timeout: 1s}\nscrape_configs:\n" + "".join(jobs))
        with open(self.folder / "prometheus.log", "w") as log:
            prometheus = subprocess.Popen(["prometheus", f"--config.file={config}", f"--storage.tsdb.path={self.folder / 'tsdb'}", "--web.listen-address=127.0.0.1:9090"], stdout=log, stderr=log)
        self.addCleanup(prometheus.wait)
        self.addCleanup(prometheus.kill)

    def documented(self):
        """The lines for berthd.toml and the job that docs/metrics.md has, for this test's files."""
        page = (SOURCE / "docs/metrics.md").read_text()
        lines = re.search(r"^```toml\n(listen.*?)^```$", page, re.MULTILINE | re.DOTALL)[1]
        job = re.search(r"^```yaml\n(  - job_name: berth\n    scheme: https\n.*?)^```$", page, re.MULTILINE | re.DOTALL)[1]
        names = {"/etc/berth/metrics.pem": f"{self.folder}/metrics.pem", "/etc/berth/metrics.key": f"{self.folder}/metrics.key", "/etc/berth/metrics-token": str(self.token),
                 "/etc/prometheus/berth-ca.pem": str(self.pki.file), "/etc/prometheus/berth-token": f"{self.folder}/prometheus-token", "edge-1:": "localhost:"}
        for name, ours in names.items():
            self.assertIn(name, lines + job)
            lines, job = lines.replace(name, ours), job.replace(name, ours)
        return lines, job

    def test_prometheus_scrapes_by_tls_with_the_token_and_not_without(self):
        lines, job = self.documented()
        (self.folder / "prometheus-token").write_text(TOKEN)
        (self.folder / "wrong-token").write_text(TOKEN[:-1] + "0")
        text = self.node.config.read_text()
        self.node.configure(re.sub(r'(\[metrics\]\n)listen = "[^"]*"\n', lambda found: found[1] + lines, text))
        self.assertEqual(self.check().returncode, 0, self.check())
        self.node.start()
        self.start_prometheus(job, job.replace("job_name: berth", "job_name: wrong").replace("prometheus-token", "wrong-token"),
                              re.sub(r"    authorization.*\n", "", job.replace("job_name: berth", "job_name: none")),
                              re.sub(r"    authorization.*\n", f'    basic_auth: {{username: berth, password: "{TOKEN}"}}\n', job.replace("job_name: berth", "job_name: basic")),
                              re.sub(r"    tls_config.*\n", "", job.replace("job_name: berth", "job_name: plain").replace("https", "http")))
        wait_until(lambda: self.query('up{job="berth"}') == [1.0], "Prometheus scrapes berthd", 30)
        self.assertEqual(self.query('berth_ready{job="berth"}'), [1.0])
        wait_until(lambda: self.query('up{job="basic"}') == [1.0], "and so does one that has it as a password", 20)
        for name, why in (("wrong", "401"), ("none", "401"), ("plain", "")):
            wait_until(lambda: self.query(f'up{{job="{name}"}}') == [0.0], f"the job {name} is refused", 20)
            self.assertIn(why, self.last_error(name))
        # Both are exchanged under its eyes.
        pid = self.node.process.pid
        self.put("metrics", self.pki.issue("second", "localhost"))
        (self.folder / "prometheus-token").write_text("another-" + TOKEN)
        self.write_token("another-" + TOKEN)
        wait_until(lambda: self.query('up{job="basic"}') == [0.0] and self.query('up{job="berth"}') == [1.0], "the new one counts, and the one before no more", 30)
        self.assertEqual(self.node.process.pid, pid)
        self.assertNotIn(TOKEN, self.node.log_file.read_text())

    def test_certificates_and_tokens_are_exchanged_without_a_restart(self):
        self.by_tls(self.with_token())
        self.node.start()
        first = self.shown()
        self.assertEqual(self.ask(authorization=self.bearer())[0], 200)
        self.assertIn("\nberth_metrics_certificate_ending 1\n", self.metrics(), "two days of twelve are left")
        self.put("metrics", self.pki.issue("second", "localhost", "127.0.0.1", days=300))
        self.assertNotEqual(self.shown(), first)
        self.assertIn("[metrics] has other certificates now", self.node.log_file.read_text())
        self.assertIn("\nberth_metrics_certificate_ending 0\n", self.metrics())
        second = self.shown()
        (self.folder / "metrics.pem").write_text("rubbish")
        self.assertEqual(self.shown(), second)
        self.assertIn("\nberth_metrics_failing 1\n", self.metrics())
        self.assertIn("metrics.pem: no certificate can be read from it", self.node.berth("status").text)
        checked = self.check()
        self.assertEqual(checked.returncode, 2, checked)
        self.assertIn("[metrics]", checked.stderr)
        self.put("metrics", self.folder / "first")
        self.assertEqual(self.shown(), first)
        self.assertIn("\nberth_metrics_failing 0\n", self.metrics())

        self.write_token("another-" + TOKEN)
        self.assertEqual(self.ask(authorization=self.bearer())[0], 401)
        self.assertEqual(self.ask(authorization=self.bearer("another-" + TOKEN))[0], 200)
        self.write_token("short")
        self.assertEqual(self.ask(authorization=self.bearer("another-" + TOKEN))[0], 200, "what is no token changes nothing")
        self.assertEqual(self.ask(authorization=self.bearer("short"))[0], 401)
        self.assertIn("\nberth_metrics_failing 1\n", self.metrics())
        self.assertIn("it is no token", self.node.status()["metrics_listener"]["problem"])
        self.assertIn("it is no token", self.check().stderr)

    def test_whoever_shows_no_token_is_told_so_and_probes_are_answered(self):
        self.by_tls(self.with_token(), "page = true")
        self.node.start()
        for path in ("/metrics", "/metrics/apps", "/sd", "/status", "/page", "/page/status", "/page/events", "/nothing", "/v1/status"):
            status, headers, body = self.ask(path)
            self.assertEqual((status, headers["content-type"], json.loads(body)["code"]), (401, "application/problem+json", "permission"), path)
            self.assertTrue(headers["www-authenticate"].startswith("Basic " if path.startswith("/page") else "Bearer "), headers)
        self.assertEqual([self.ask(path)[0] for path in ("/healthz", "/readyz")], [200, 200])
        self.assertEqual(self.ask("/page", self.basic("berth", TOKEN))[0], 200, "as a browser has it")
        self.assertEqual(self.ask("/page", self.basic("admin", TOKEN))[0], 401)
        self.assertEqual(self.ask("/page", headers={"Host": "evil.example"})[0], 403, "under another name it does not even ask")
        self.assertEqual(self.node.api("GET", "/metrics").status, 200, "the control socket knows who asks")

    def test_clients_may_have_to_show_a_certificate(self):
        self.by_tls(f'client_ca_file = "{self.pki.file}"', self.with_token())
        self.node.start()
        prometheus = self.pki.issue("prometheus", "prometheus.example.org")
        self.assertEqual(self.ask(authorization=self.bearer(), certificate=prometheus)[0], 200)
        self.assertEqual(self.ask(certificate=prometheus)[0], 401, "the token as well")
        with self.assertRaises(OSError):
            self.ask("/healthz", authorization=self.bearer())
        stranger = Authority(self.folder, "other-ca").issue("stranger", "prometheus.example.org")
        with self.assertRaises(OSError):
            self.ask(authorization=self.bearer(), certificate=stranger)

    # Lists of revoked certificates

    def start_with_list(self):
        """A node whose metrics are for clients of berth's own authority, less those that it revoked: two scrapers, and where the list is."""
        self.put("metrics", self.pki.issue("lasting", "localhost", "127.0.0.1", days=300))
        self.run_berth("ca", "init", self.ca, "--name", "Example scrapers")
        self.run_berth("ca", "crl", self.ca)
        crl = self.folder / "metrics-crl.pem"
        self.bring_list(crl)
        self.by_tls(f'client_ca_file = "{self.ca}/ca.pem"', f'client_crl_file = "{crl}"')
        checked = self.check()
        self.assertEqual((checked.returncode, checked.stderr), (0, ""))
        self.node.start()
        return self.new_client("east", "east.prometheus.example.org"), self.new_client("west", "west.prometheus.example.org"), crl

    def test_a_revoked_scraper_is_refused_at_its_next_connection_and_another_is_not(self):
        east, west, crl = self.start_with_list()
        pid = self.node.process.pid
        job = ('  - job_name: {name}\n    scheme: https\n    tls_config: {{ca_file: {ca}, cert_file: {path}.pem, key_file: {path}.key}}\n'
               '    static_configs: [{{targets: ["localhost:9464"]}}]\n')
        self.start_prometheus(*(job.format(name=path.name, path=path, ca=self.pki.file) for path in (east, west)))
        for name in ("east", "west"):
            wait_until(lambda: self.query(f'up{{job="{name}"}}') == [1.0], f"{name} scrapes berthd", 30)
        self.assertEqual(self.ask(certificate=east)[0], 200)

        self.run_berth("ca", "revoke", "east.prometheus.example.org", "--ca", self.ca, "--reason", "key-compromise")
        self.bring_list(crl)
        with self.assertRaises(ssl.SSLError) as refused:
            self.ask(certificate=east)
        self.assertIn("certificate revoked", str(refused.exception).lower().replace("_", " "))
        self.assertEqual(self.ask(certificate=west)[0], 200)
        wait_until(lambda: self.query('up{job="east"}') == [0.0], "the revoked one scrapes no more, though it had a connection", 20)
        self.assertIn("revoked certificate", self.last_error("east"))
        wait_until(lambda: self.query('up{job="west"}') == [1.0], "the other one goes on", 20)
        self.assertEqual((self.node.process.pid, self.node.process.poll()), (pid, None), "without a restart")
        serial = json.loads(self.run_berth("ca", "list", self.ca, "--json").stdout)["certificates"][0]["serial"]
        wait_until(lambda: re.search(rf"\[metrics\]: refused .*its authority has revoked it.*, serial number {serial}", self.node.log_file.read_text()), "the log says whose")
        self.assertEqual(self.node.status()["metrics_listener"]["problem"], "")

    def test_a_list_that_is_missing_or_over_refuses_every_scraper_and_says_so(self):
        east, _, crl = self.start_with_list()

        def told():
            page = self.metrics()
            return [found and float(found[1]) for found in (re.search(rf"^berth_metrics_{name} (\S+)$", page, re.MULTILINE) for name in ("crl_expiry_timestamp_seconds", "crl_ending", "failing"))]

        def refused(why):
            with self.assertRaises(OSError):
                self.ask(certificate=east)
            problem = self.node.status()["metrics_listener"]["problem"]
            self.assertIn(why, problem)
            self.assertIn(f"[metrics]: {problem}", self.node.log_file.read_text())
            self.assertIn("berth ca crl", problem)
            self.assertIn(why, self.node.berth("status").text)
            self.assertEqual(self.node.api("GET", "/healthz").status, 200, "the control socket answers as ever")
        self.assertEqual(self.ask(certificate=east)[0], 200)
        self.assertEqual(told(), [self.list_ends(crl), 0, 0])

        self.bring_list(crl, self.list_between(-9 * 86400, 86400))  # a day of ten is left
        self.assertEqual(self.ask(certificate=east)[0], 200)
        self.assertEqual(told(), [self.list_ends(crl), 1, 0])
        ending = f"[metrics] client_crl_file {crl} ends at "
        self.assertIn(ending, self.node.log_file.read_text())
        self.assertIn(ending, self.check().stderr)

        self.bring_list(crl, self.list_between(-9 * 86400, -60))
        refused(f"its list in client_crl_file {crl} ended at ")
        self.assertEqual(told(), [self.list_ends(crl), 1, 1])
        checked = self.check()
        self.assertEqual(checked.returncode, 0, "it is no mistake of the file")
        self.assertIn(" ended at ", checked.stderr)

        crl.unlink()
        refused("every client is refused, since client_crl_file")
        self.assertEqual(told(), [None, None, 1])
        checked = self.check()
        self.assertEqual(checked.returncode, 2)
        self.assertIn(f"[metrics] client_crl_file: open {crl}: No such file or directory", checked.stderr)

        self.bring_list(crl)
        self.assertEqual(self.ask(certificate=east)[0], 200)
        self.assertEqual(told(), [self.list_ends(crl), 0, 0])
        self.assertEqual(self.node.status()["metrics_listener"]["problem"], "")

    def test_a_token_is_not_taken_where_others_could_read_it(self):
        self.say(self.with_token())
        checked = self.check()
        self.assertEqual(checked.returncode, 2)
        self.assertIn("give certificate_file and key_file, or listen at 127.0.0.1", checked.stderr)
        self.say(self.with_token(), listen=f"127.0.0.1:{PORT}")
        self.node.start()
        self.assertEqual(self.ask(tls=False)[0], 401)
        self.assertEqual(self.ask(tls=False, authorization=self.bearer())[0], 200)

    def test_files_that_are_not_there_yet_keep_nothing_from_running(self):
        self.by_tls(self.with_token())
        self.token.unlink()
        (self.folder / "metrics.key").rename(self.folder / "later.key")
        self.node.start()
        self.assertIn("metrics.key", self.node.status()["metrics_listener"]["problem"])
        (self.folder / "later.key").rename(self.folder / "metrics.key")
        wait_until(lambda: self.health() == 200, "it is tried again", 20)
        self.assertEqual(self.ask(authorization=self.bearer())[0], 503, "nobody is let in while there is no token")
        self.assertIn("token", self.node.status()["metrics_listener"]["problem"])
        self.write_token(TOKEN)
        self.assertEqual(self.ask(authorization=self.bearer())[0], 200)
        self.assertEqual(self.node.status()["metrics_listener"]["problem"], "")

    def health(self):
        try:
            return self.ask("/healthz")[0]
        except OSError:
            return 0

    def answered_soon(self, what, source=None):
        began = time.monotonic()
        self.assertEqual(self.ask(authorization=self.bearer(), source=source)[0], 200, what)
        took = time.monotonic() - began
        self.progress(f"{what}: a scrape takes {1000 * took:.0f} ms")
        return took

    def test_half_handshakes_and_idle_connections_keep_nobody_else_away(self):
        self.by_tls(self.with_token())
        self.node.start()
        self.answered_soon("alone")
        folder = f"/proc/{self.node.process.pid}/fd"
        before = len(os.listdir(folder))
        hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100)
        held = []
        self.addCleanup(lambda: [one.close() for one in held])

        def hold(count, said=b"", handshake=False):
            for _ in range(count):
                raw = socket.create_connection(("127.0.0.1", PORT), 30)
                held.append(raw)
                try:
                    raw.sendall(said)
                    if handshake:
                        held[-1] = self.context().wrap_socket(raw, server_hostname="localhost")
                except OSError:
                    pass  # it was let go of in favour of another one
        for what, options in (("beside a thousand connections that say nothing", {"count": 1000}), ("beside two hundred half handshakes", {"count": 200, "said": hello}),
                              ("beside two hundred that say nothing after theirs", {"count": 200, "handshake": True})):
            hold(**options)
            self.answered_soon(what)
            self.answered_soon(what + ", from elsewhere", source="127.0.0.2")
            self.assertLess(len(os.listdir(folder)) - before, 150, "of one address 64 are kept")
        self.assertIn("berth_ready 1", self.metrics())


if __name__ == "__main__":
    unittest.main(verbosity=2)
