"""The control API from elsewhere: by TLS, with a certificate and the role that it has."""
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import time
import unittest

from lib import contract
from lib.programs import BERTH, BERTHD, SOURCE
from lib.remote import PORT, RemoteCase
from lib.waiting import wait_until


class Remote(RemoteCase):
    def test_a_pipeline_deploys_and_the_history_says_which(self):
        self.publish()
        self.start()
        begun = self.curl("ci", "/v1/apps/web/deployments", "-H", "Content-Type: application/json", "-H", "Idempotency-Key: job-7", "-d", '{"release": "v1", "reason": "build 7"}')
        self.assertEqual(begun.status, 202, begun)
        number = begun.json()["id"]
        ended = self.curl("ci", f"/v1/deployments/{number}?wait=60").json()
        self.assertEqual((ended["state"], ended["exit"]), ("active", 0))
        self.assertServes("v1")
        self.assertEqual((ended["by"], ended["why"]), ("ci.example.org (certificate, from 127.0.0.1)", "build 7"))
        self.assertTrue(any("ci.example.org (certificate, from 127.0.0.1)" in json.dumps(one["data"]) for one in self.node.events()))
        self.assertIn('POST "/v1/apps/web/deployments" by ci.example.org (certificate, from 127.0.0.1): 202', self.node.log_file.read_text())

    def test_each_may_do_what_its_role_says_and_with_its_own_apps(self):
        self.publish()
        self.publish("blog", 8081)
        self.start()
        self.deploy(self.node, "v1")
        self.deploy(self.node, "v1", "blog")
        others = self.node.deployments("blog")[0]["id"]
        with self.refused(self.node), self.refused(self.node, "blog"):
            for who, target, body, why in (("watch", "/v1/apps/web/deployments", {"release": "v1"}, "needs the role deployer"),
                                           ("watch", "/v1/apps/web/stop", {}, "needs the role operator"),
                                           ("ci", "/v1/apps/web/stop", {}, "needs the role operator"),
                                           ("ci", "/v1/apps/web/deployments", {"release": "v1", "force": True}, "needs the role operator"),
                                           ("ci", "/v1/apps/blog/deployments", {"release": "v1"}, "sees nothing of blog"),
                                           ("ci", "/v1/apps/blog/revert", {}, "sees nothing of blog"),
                                           ("ci", "/v1/gc", {}, "is about the whole node"),
                                           ("ops", "/v1/gc", {}, "needs the role admin"),
                                           ("admin", "/v1/imports", {"path": "/etc/shadow"}, "for callers on the node alone"),
                                           ("admin", "/v1/apps/web/exec/files", {"command": ["id"]}, "for callers on the node alone"),
                                           ("ci", "/v1/apps/web/exec", {"command": ["id"]}, "needs the role operator"),
                                           ("stranger", "/v1/apps/web/stop", {}, "no [[api.client]] of its berthd.toml fits")):
                answer = self.post(who, target, body)
                self.assertEqual((answer.status, answer.json()["exit"]), (403, 7), answer)
                self.assertIn(why, answer.json()["detail"])
            self.assertEqual(self.curl("ci", f"/v1/deployments/{others}").status, 404)
            self.assertEqual(self.post("ci", f"/v1/deployments/{others}/cancel", {}).status, 404)
        self.assertEqual([app["app"] for app in self.curl("ci", "/v1/status").json()["apps"]], ["web"])
        self.assertEqual([app["app"] for app in self.curl("watch", "/v1/status").json()["apps"]], ["blog", "web"])
        self.assertEqual({one["app"] for one in self.curl("ci", "/v1/events").json()["events"]}, {"web"})
        for page in ("/metrics", "/metrics/apps", "/sd", "/status", "/page"):
            refused = self.curl("blog", page)
            self.assertEqual(refused.status, 403, page)
            contract.check("GET", page, None, refused.status, "application/problem+json", refused.text)
        self.assertEqual({one["app"] for one in self.curl("ci", "/v1/deployments").json()["deployments"]}, {"web"})
        self.assertEqual(self.post("ops", "/v1/apps/web/stop", {"reason": "a look"}).status, 200)
        self.assertIn("ops@example.org (certificate, from 127.0.0.1)", json.dumps(self.events_of("operator.stop")))
        self.assertEqual(self.curl("admin", "/v1/apps/blog?reason=moved", "-X", "DELETE").status, 200)

    def test_a_web_page_cannot_use_the_certificate_of_its_reader(self):
        self.start()
        for more in (["-H", "Origin: https://evil.example", "-H", "Content-Type: application/json", "-d", "{}"], ["-H", "Content-Type: text/plain", "-d", "{}"], ["-d", "reason=x"]):
            self.assertEqual(self.curl("admin", "/v1/node/drain", *more).status, 403)
        self.assertIsNone(self.node.status()["drained"])

    def test_whoever_has_no_certificate_of_its_authority_is_refused_before_asking(self):
        self.pki.issue("late", "DNS:ci.example.org", -1)
        self.pki.issue("forged", "URI:spiffe://example.org/admin", ca="other-ca")
        self.start()
        before = self.node.events()
        log = self.node.log_file.read_text

        def refused(who, told, logged, **options):
            with self.assertRaises(ssl.SSLError) as raised:
                self.connection(who, **options).close()
            self.assertIn(told, str(raised.exception))
            wait_until(lambda: logged in log(), f"the log says '{logged}'")
            time.sleep(1.1)  # it tells of one a second
        refused("", "handshake failure", "127.0.0.1: it shows no certificate")
        refused("late", "certificate expired", "it expired")
        refused("forged", "unknown ca", "no authority that is trusted here")
        refused("admin", "protocol version", "it offers TLS 1.3 alone", least=ssl.TLSVersion.TLSv1_3)
        plain = subprocess.run(["curl", "-sS", "--http0.9", f"http://localhost:{PORT}/v1/status"], capture_output=True)
        self.assertNotIn(b"HTTP", plain.stdout)
        wait_until(lambda: "it does not speak TLS" in log(), "the log says so")
        self.assertEqual(self.node.events(), before)
        self.assertEqual(self.curl("admin", "/v1/status").status, 200)

    def test_who_knocks_is_in_the_log_but_not_each_time(self):
        self.pki.issue("forged", "URI:spiffe://example.org/admin", ca="other-ca")
        self.start()

        def told(what):
            return [line for line in self.node.log_file.read_text().splitlines() if " info: " in line and what in line]
        for _ in range(20):
            with self.assertRaises(ssl.SSLError):
                self.connection("forged").close()
            self.assertEqual(self.curl("stranger", "/v1/status?x=1").status, 403)
        wait_until(lambda: told("[api]: refused 127.0.0.1: its certificate is refused; it is of no authority that is trusted here"), "the log tells of the certificate")
        self.assertLessEqual(len(told("refused 127.0.0.1")), 5, "one in ten seconds")
        asked = told('api: GET "/v1/status" by stranger.example.org (certificate, from 127.0.0.1): 403')
        self.assertTrue(asked)
        self.assertLessEqual(len(asked), 5)

    def connection(self, who="admin", least=ssl.TLSVersion.TLSv1_2):
        context = ssl.create_default_context(cafile=self.pki.folder / "ca.pem")
        context.minimum_version = least
        if who:
            context.load_cert_chain(self.pki.folder / f"{who}.pem", self.pki.folder / f"{who}.key")
        raw = socket.create_connection(("127.0.0.1", PORT), 60)
        return context.wrap_socket(raw, server_hostname="localhost")

    def test_half_a_request_and_rubbish_by_tls_do_nothing(self):
        self.start()
        with self.connection() as half:
            half.sendall(b"POST /v1/node/drain HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 50\r\n\r\n{")
            half.shutdown(socket.SHUT_WR)
        for bytes in (b"POST /v1/node/drain HTTP/1.1\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{} ", b"\x00" * 5000, b"GET /../../etc HTTP/1.1\r\n\r\n"):
            with self.connection() as client:
                client.sendall(bytes)
                self.assertTrue(client.recv(100).startswith(b"HTTP/1.1 400"))
        for rubbish in (b"\x16\x03\x01\xff\xff" + b"\x01" * 20000, b"\x80\x2e\x01\x00\x02" * 100, b"\x16\x03\x03\x00\x00" * 50):
            with socket.create_connection(("127.0.0.1", PORT), 20) as client:
                client.sendall(rubbish)
                client.shutdown(socket.SHUT_WR)
                try:
                    while client.recv(1000):
                        pass
                except ConnectionResetError:
                    pass
        self.assertIsNone(self.node.status()["drained"])
        self.assertEqual(self.curl("admin", "/healthz").status, 200)

    def test_three_hundred_idle_connections_keep_nobody_else_away(self):
        self.start()
        idle = [socket.create_connection(("127.0.0.1", PORT), 20) for _ in range(300)]
        try:
            began = time.monotonic()
            self.assertEqual(self.curl("watch", "/v1/status", "--interface", "127.0.0.2", host="127.0.0.1").status, 200)
            self.assertEqual(self.node.api("GET", "/v1/status").status, 200)
            self.progress(f"two others are answered in {1000 * (time.monotonic() - began):.0f} ms beside 300 idle connections")
            wait_until(lambda: self.curl("watch", "/healthz").status == 200, "the idle ones are left for who has something to say", 30)
        finally:
            for one in idle:
                one.close()

    def test_certificates_are_exchanged_without_a_restart(self):
        self.publish()
        self.start()
        self.deploy(self.node, "v1")
        self.pki.issue("node-2", "DNS:localhost,IP:127.0.0.1", 30)

        def shown():
            with self.connection() as client:
                return client.getpeercert()["serialNumber"], client.getpeercert()["notAfter"]
        before, kept = shown(), self.connection()
        self.pki.copy("node-2", "api")
        after = shown()
        self.assertNotEqual(before, after)
        kept.sendall(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
        self.assertTrue(kept.recv(100).startswith(b"HTTP/1.1 200"), "a connection goes on by what it agreed on")
        kept.close()
        self.assertIn("[api] has other certificates now", self.node.log_file.read_text())
        expires = re.search(r"^berth_api_certificate_expiry_timestamp_seconds (\S+)$", self.node.metrics(), re.MULTILINE)
        self.assertAlmostEqual(float(expires[1]), ssl.cert_time_to_seconds(after[1]), delta=1)

        # Wrong ones change nothing, and are said; also by --check.
        (self.pki.folder / "api.pem").write_text("rubbish")
        self.assertEqual(shown(), after)
        self.assertIn("keeps the certificates that it has", self.node.log_file.read_text())
        self.assertIn("\nberth_api_failing 1\n", self.node.metrics())
        self.assertSays(self.node.berth("status"), f"[api] at 0.0.0.0:{PORT}", "api.pem: no certificate can be read from it")
        check = subprocess.run([str(BERTHD), "--check", "--config", str(self.node.config)], capture_output=True, text=True)
        self.assertEqual(check.returncode, 2, check)
        self.assertIn("[api]", check.stderr)
        self.pki.copy("node", "api")
        self.assertEqual(shown(), before)
        self.assertIn("\nberth_api_failing 0\n", self.node.metrics())
        key = self.pki.folder / "api.key"
        for mode, said in ((0o644, f"[api] key_file {key}: everybody on this node can read it: chmod o-r {key}"), (0o600, "")):
            key.chmod(mode)
            check = subprocess.run([str(BERTHD), "--check", "--config", str(self.node.config)], capture_output=True, text=True)
            self.assertEqual((check.returncode, said in check.stderr, bool(check.stderr)), (0, True, bool(said)), check)

        # Roles count from a reload on.
        config = self.node.config.read_text()
        self.node.configure(config.replace('"spiffe://example.org/admin"\nrole = "admin"', '"spiffe://example.org/admin"\nrole = "viewer"'))
        self.assertEqual(self.post("admin", "/v1/gc", {}).status, 200)
        stream = self.connection("admin")
        stream.sendall(b"GET /v1/events HTTP/1.1\r\nhost: x\r\naccept: text/event-stream\r\n\r\n")
        self.assertIn(b"200 OK", stream.recv(1000))
        self.node.process.send_signal(signal.SIGHUP)
        wait_until(lambda: self.post("admin", "/v1/gc", {}).status == 403, "a reload takes other roles over")
        stream.settimeout(20)
        while stream.recv(1000):
            pass  # and what was open by the role before is ended
        stream.close()
        self.assertServes("v1")

    def test_a_certificate_that_ends_is_told_of_and_ends_connections_that_go_by_it(self):
        self.pki.issue("ending", "DNS:localhost,IP:127.0.0.1", 1)
        self.shorten("ending", days=30, seconds=3600)
        self.pki.copy("ending", "api")
        self.pki.issue("brief", "URI:spiffe://example.org/admin", 1)
        self.shorten("brief", days=1, seconds=8)
        self.start()
        wait_until(lambda: "and then no client believes this node" in self.node.log_file.read_text(), "the log warns")
        self.assertIn("\nberth_api_certificate_ending 1\n", self.node.metrics())
        self.assertSays(self.node.berth("status"), "its certificate ends at")
        with self.connection("brief") as stream, self.connection("brief") as client:
            stream.sendall(b"GET /v1/events HTTP/1.1\r\nhost: x\r\naccept: text/event-stream\r\n\r\n")
            self.assertIn(b"200 OK", stream.recv(1000))
            def answered():
                client.sendall(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
                return bool(client.recv(1000))
            self.assertTrue(answered())
            wait_until(lambda: not answered(), "its connection ends with it", 30, every=0.5)
            while stream.recv(1000):
                pass  # until a stream that was begun before ends, too

    def shorten(self, name, days, seconds):
        """The certificate anew, valid since so many days and for so many seconds more."""
        import datetime
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes, serialization
        ca = serialization.load_pem_private_key((self.pki.folder / "ca.key").read_bytes(), None)
        old = x509.load_pem_x509_certificate((self.pki.folder / f"{name}.pem").read_bytes())
        now = datetime.datetime.utcnow()
        made = (x509.CertificateBuilder().subject_name(old.subject).issuer_name(old.issuer).public_key(old.public_key()).serial_number(x509.random_serial_number())
                .not_valid_before(now - datetime.timedelta(days=days)).not_valid_after(now + datetime.timedelta(seconds=seconds))
                .add_extension(old.extensions.get_extension_for_class(x509.SubjectAlternativeName).value, critical=False).sign(ca, hashes.SHA256()))
        (self.pki.folder / f"{name}.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))

    def test_the_page_says_how_to_set_it_up(self):
        page = (SOURCE / "docs" / "operating.md").read_text()
        _, _, page = page.partition("<!-- these commands are run by")
        commands, on_node, elsewhere = re.findall(r"^```(?:sh|toml)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)[:3]
        made = self.folder / "made"
        made.mkdir()
        subprocess.run(["bash", "-euc", commands], cwd=made, check=True, capture_output=True, env={**os.environ, "PATH": f"{BERTH.parent}:{os.environ['PATH']}"})
        self.publish()
        extra = on_node.replace("/etc/berth", str(made))
        self.node = self.make_node("documented", extra=extra)
        self.start()
        home = self.folder / "home/.config/berth"
        home.mkdir(parents=True)
        for file in ("ca.pem", "alice.pem", "alice.key"):
            (made / file).rename(home / file) if file != "ca.pem" else (home / file).write_bytes((made / file).read_bytes())
        (home / "nodes.toml").write_text(elsewhere.replace("edge-1.example.org", "localhost"))
        env = {**os.environ, "HOME": str(self.folder / "home"), "BERTH_SOCKET": "/nonexistent", "NO_COLOR": "1"}
        for command in ("berth status --node edge-1", "berth deploy web@v1 --node edge-1"):
            done = subprocess.run([str(BERTH), *command.split()[1:]], env=env, capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done)
        self.assertEqual(self.node.deployments()[0]["by"], "alice@example.org (certificate, from 127.0.0.1)")

    def test_files_that_are_not_there_yet_keep_nothing_from_running(self):
        self.publish()
        (self.pki.folder / "api.key").rename(self.pki.folder / "later")
        self.node.start()
        self.deploy(self.node, "v1")
        self.assertIn("api.key", self.node.status()["remote_api"]["problem"])
        (self.pki.folder / "later").rename(self.pki.folder / "api.key")
        wait_until(lambda: self.curl("watch", "/healthz").status == 200, "it is tried again", 20)
        self.assertEqual(self.node.status()["remote_api"]["problem"], "")


if __name__ == "__main__":
    unittest.main()
