"""A new server becomes a node by one command, and an authority of berth's own lets others drive it."""
import hashlib
import json
import os
import re
import stat
import subprocess
import time
import unittest

from lib import sample_apps
from lib.berth_ca import BerthCaCase
from lib.node import Node
from lib.programs import BERTH, BERTHD
from lib.waiting import wait_until


class EnrolledNode(Node):
    """A node whose berthd.toml is the one that `berth node enrol` wrote, but for where it keeps its things."""

    def __init__(self, folder, etc, metrics_port):
        super().__init__(folder, "file:///nowhere", "/nowhere", metrics_port=metrics_port)
        self.written = etc / "berthd.toml"
        text = self.written.read_text()
        self.configure(text + f'\n[paths]\nstate = "{self.state}"\nlogs = "{self.logs}"\nrun = "{self.run}"\n[metrics]\nlisten = "127.0.0.1:{metrics_port}"\n[store]\nreserve = "1MB"\n[log]\nlevel = "debug"\n')


class Enrolment(BerthCaCase):
    def openssl(self, *arguments):
        got = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True, check=False)
        self.assertEqual(got.returncode, 0, got)
        return got.stdout

    def etc(self, name):
        return self.folder / name / "etc"

    def enrol(self, name, port, *options, root=None, expect=0):
        return self.run_berth("node", "enrol", "--folder", self.etc(name), "--repo", self.repo.url, "--root", root or self.repo.root, "--name", name, "--address", "localhost", "--address", "127.0.0.1",
                              "--listen", f"127.0.0.1:{port}", "--allow", "alice@example.org=operator", "--allow", "ci.example.org=deployer", *options, expect=expect)

    def sign(self, name, *options):
        etc = self.etc(name)
        said = self.run_berth("ca", "sign", etc / "node.csr", "--ca", self.ca, *options).stdout
        (etc / "ca.pem").write_bytes((self.ca / "ca.pem").read_bytes())
        return said

    def test_two_nodes_are_enrolled_and_driven(self):
        self.repo.publish(sample_apps.testapp(self.folder / "web"))
        self.repo.point("stable", "v1")
        self.run_berth("ca", "init", self.ca, "--name", "Example nodes")
        pin = "sha256:" + hashlib.sha256((self.repo.folder / "metadata/1.root.json").read_bytes()).hexdigest()
        said = self.enrol("edge-1", 9465, "--label", "rack=r7", "--channel", "web@stable", root=pin).stdout
        self.assertIn(f"\nThen here: berthd --check --config {self.etc('edge-1')}/berthd.toml; ", said)
        self.enrol("edge-2", 9466)
        nodes = {}
        for number, name in enumerate(("edge-1", "edge-2")):
            self.assertEqual(stat.S_IMODE((self.etc(name) / "node.key").stat().st_mode), 0o600)
            self.assertEqual((self.etc(name) / "root.json").read_bytes(), (self.repo.folder / "metadata/1.root.json").read_bytes())
            said = self.sign(name)
            self.assertIn("for localhost, 127.0.0.1, as server and client", said)
            self.openssl("verify", "-x509_strict", "-purpose", "sslserver", "-verify_hostname", "localhost", "-CAfile", self.ca / "ca.pem", self.etc(name) / "node.pem")
            nodes[name] = EnrolledNode(self.folder / name, self.etc(name), 9464 + 10 * (number + 1))
            self.nodes.append(nodes[name])
        self.assertNotEqual(*((self.etc(name) / "node.key").read_bytes() for name in nodes), "each has a key of its own, whatever image both came from")
        for who, name in (("alice", "alice@example.org"), ("ci", "ci.example.org"), ("stranger", "stranger.example.org")):
            self.run_berth("ca", "sign", "--new-key", self.home / f"{who}.key", "--name", name, "--client", "--days", "30", "--ca", self.ca)
            self.openssl("verify", "-x509_strict", "-purpose", "sslclient", "-CAfile", self.ca / "ca.pem", self.home / f"{who}.pem")
        (self.home / "ca.pem").write_bytes((self.ca / "ca.pem").read_bytes())
        (self.home / "nodes.toml").write_text('ca_file = "ca.pem"\ncertificate_file = "alice.pem"\nkey_file = "alice.key"\n[edge-1]\naddress = "localhost"\n[edge-2]\naddress = "127.0.0.1:9466"\n'
                                              '[as-ci]\naddress = "localhost"\ncertificate_file = "ci.pem"\nkey_file = "ci.key"\n'
                                              '[as-stranger]\naddress = "localhost"\ncertificate_file = "stranger.pem"\nkey_file = "stranger.key"\n')

        with self.subTest("mutual TLS"):
            for node in nodes.values():
                node.start()
                wait_until(lambda: "the control API is at" in node.log_file.read_text(), "it listens")
            nodes["edge-1"].wait_app(health="healthy", active="v1")
            status = json.loads(self.run_berth("status", "--node", "edge-1", "--json").stdout)
            self.assertEqual((status["node"], status["environment"]), ("edge-1", "production"))
            self.assertEqual(json.loads(self.run_berth("status", "--node", "edge-2", "--json").stdout)["node"], "edge-2")
            self.run_berth("node", "drain", "--node", "edge-2", "--reason", "a test")
            self.assertIn("needs the role operator", self.run_berth("stop", "web", "--node", "as-ci", expect=7).stderr)
            self.assertIn("no [[api.client]]", self.run_berth("status", "--node", "as-stranger", expect=7).stderr)

        with self.subTest("another certificate without a restart"):
            etc, node = self.etc("edge-1"), nodes["edge-1"]
            before = self.shown()
            pid = node.process.pid
            request = self.run_berth("node", "csr", "--folder", etc).stdout
            renewed = self.run_berth("ca", "sign", "-", "--ca", self.ca, "--days", "7", stdin=None, input=request).stdout
            new = etc / "node.pem.new"
            new.write_text(renewed)
            new.rename(etc / "node.pem")
            wait_until(lambda: self.shown() != before, "the new certificate is shown")
            self.run_berth("status", "--node", "edge-1")
            self.assertEqual((node.process.pid, node.process.poll()), (pid, None))
            text = self.openssl("x509", "-in", etc / "node.pem", "-noout", "-text")
            self.assertIn("DNS:localhost, IP Address:127.0.0.1", text)
            self.assertIn("TLS Web Server Authentication, TLS Web Client Authentication", text)

        with self.subTest("list"):
            listed = json.loads(self.run_berth("ca", "list", self.ca, "--json").stdout)["certificates"]
            self.assertEqual([(one["names"][0], one["use"]) for one in listed],
                             [("localhost", "server and client"), ("localhost", "server and client"), ("alice@example.org", "client"), ("ci.example.org", "client"),
                              ("stranger.example.org", "client"), ("localhost", "server and client")])
            self.assertIn("stranger.example.org", self.run_berth("ca", "list", self.ca).stdout)

    def shown(self):
        """The serial number of the certificate that edge-1 shows."""
        asked = subprocess.run(["openssl", "s_client", "-connect", "localhost:9465", "-cert", self.home / "alice.pem", "-key", self.home / "alice.key"], stdin=subprocess.DEVNULL,
                               capture_output=True, text=True, check=False)
        return subprocess.run(["openssl", "x509", "-noout", "-serial"], input=asked.stdout, capture_output=True, text=True, check=True).stdout

    def enrolled_with_list(self):
        """A node that goes by the list of revoked certificates, driven by alice and ci."""
        self.run_berth("ca", "init", self.ca, "--name", "Example nodes")
        self.run_berth("ca", "crl", self.ca)
        self.enrol("edge-1", 9465, "--crl", self.ca / "crl.pem")
        self.sign("edge-1")
        for who, name in (("alice", "alice@example.org"), ("ci", "ci.example.org")):
            self.new_client(who, name)
        (self.home / "ca.pem").write_bytes((self.ca / "ca.pem").read_bytes())
        (self.home / "nodes.toml").write_text("".join(f'[as-{who}]\naddress = "localhost"\nca_file = "ca.pem"\ncertificate_file = "{who}.pem"\nkey_file = "{who}.key"\n' for who in ("alice", "ci", "again")))
        node = EnrolledNode(self.folder / "edge-1", self.etc("edge-1"), 9474)
        self.nodes.append(node)
        node.start()
        wait_until(lambda: "the control API is at" in node.log_file.read_text(), "it listens")
        return node

    def ask(self, who, expect=0):
        return self.run_berth("status", "--node", f"as-{who}", expect=expect)

    def crl_check(self, who):
        return subprocess.run(["openssl", "verify", "-x509_strict", "-crl_check", "-CAfile", self.ca / "ca.pem", "-CRLfile", self.ca / "crl.pem", "-purpose", "sslclient", self.home / f"{who}.pem"],
                              capture_output=True, text=True)

    def test_a_revoked_client_is_refused_at_its_next_connection_and_nobody_else_is(self):
        node = self.enrolled_with_list()
        crl = self.etc("edge-1") / "crl.pem"
        self.ask("alice")
        self.ask("ci")
        follows = subprocess.Popen([str(BERTH), "events", "-f", "--node", "as-alice"], env={**os.environ, "HOME": str(self.folder / "home"), "BERTH_SOCKET": "/nonexistent"}, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.STDOUT)
        self.addCleanup(follows.wait)
        self.addCleanup(follows.kill)
        pid = node.process.pid
        said = self.run_berth("ca", "revoke", "alice@example.org", "--ca", self.ca, "--reason", "key-compromise").stdout
        self.assertIn("revoked alice@example.org (", said)
        self.bring_list(crl)
        began = time.monotonic()
        self.assertIn("alert 44 (certificate revoked): its authority has revoked it", self.ask("alice", expect=7).stderr)
        self.assertLess(time.monotonic() - began, 1)
        self.ask("ci")
        self.assertEqual((node.process.pid, node.process.poll()), (pid, None), "without a restart")
        serial = json.loads(self.run_berth("ca", "list", self.ca, "--json").stdout)["certificates"][1]["serial"]
        wait_until(lambda: f"its authority has revoked it: alice@example.org, serial number {serial}" in node.log_file.read_text(), "the log says whose")
        wait_until(lambda: follows.poll() is not None, "what alice had open is ended, and not begun again")

        self.assertIn("verify OK", subprocess.run(["openssl", "crl", "-verify", "-noout", "-in", self.ca / "crl.pem", "-CAfile", self.ca / "ca.pem"], capture_output=True, text=True, check=True).stderr)
        self.assertIn("certificate revoked", self.crl_check("alice").stderr)
        self.assertEqual(self.crl_check("ci").returncode, 0)
        listed = json.loads(self.run_berth("ca", "list", self.ca, "--json").stdout)["certificates"]
        self.assertEqual([one["revoked"] and one["revoked"]["reason"] for one in listed], [None, "key-compromise", None])
        self.assertIn("key-compromise", self.run_berth("ca", "list", self.ca).stdout)

        self.new_client("again", "alice@example.org")
        self.assertEqual(self.crl_check("again").returncode, 0)
        self.ask("again")
        self.ask("alice", expect=7)

    def test_a_list_that_does_not_count_refuses_everybody_and_says_so(self):
        node = self.enrolled_with_list()
        crl = self.etc("edge-1") / "crl.pem"
        self.ask("ci")
        self.bring_list(crl, b"nothing")
        self.assertIn("nobody can tell there whether it was revoked", self.ask("ci", expect=7).stderr)
        problem = node.status()["remote_api"]["problem"]
        self.assertIn("every client is refused, since client_crl_file", problem)
        self.assertIn("berth ca crl", problem)
        self.assertIn(problem, node.log_file.read_text())
        doctor = json.loads(subprocess.run([str(BERTH), "doctor", "--json", "--config", str(node.config)], env={**os.environ, "BERTH_SOCKET": str(node.socket)}, capture_output=True, text=True).stdout)
        self.assertIn("does not count", json.dumps(doctor))
        self.run_berth("ca", "crl", self.ca)
        self.bring_list(crl)
        self.ask("ci")
        self.assertEqual(node.status()["remote_api"]["problem"], "")
        self.run_berth("ca", "revoke", "nobody.example.org", "--ca", self.ca, expect=3)
        self.run_berth("ca", "revoke", "ci.example.org", "--ca", self.ca, "--reason", "boredom", expect=2)
        self.run_berth("ca", "revoke", "ci.example.org", expect=2)

    def test_a_node_is_enrolled_with_the_list_of_revoked_certificates(self):
        etc = self.etc("edge-1")
        self.run_berth("ca", "init", self.ca, "--name", "Example nodes")
        crl = self.ca / "crl.pem"
        self.assertIn("berth ca crl", self.enrol("edge-1", 9465, "--crl", crl, expect=2).stderr, "there is none yet")
        self.run_berth("ca", "crl", self.ca)
        self.assertIn("CRL) can be read from it", self.enrol("edge-1", 9465, "--crl", self.ca / "ca.key", expect=2).stderr)
        alone = self.run_berth("node", "enrol", "--folder", etc, "--repo", self.repo.url, "--root", self.repo.root, "--crl", crl, expect=2)
        self.assertIn("--crl is for --listen", alone.stderr)
        self.assertFalse(etc.exists())

        said = self.enrol("edge-1", 9465, "--crl", crl)
        self.assertIn(f"wrote {etc}/crl.pem", said.stdout)
        self.assertIn(f"to {etc}/crl.pem by a rename", said.stdout)
        self.assertEqual((etc / "crl.pem").read_bytes(), crl.read_bytes())
        self.assertEqual(stat.S_IMODE((etc / "crl.pem").stat().st_mode), 0o644)
        self.sign("edge-1")
        config = etc / "berthd.toml"
        line = config.read_text().splitlines().index(f'client_crl_file = "{etc}/crl.pem"') + 1
        checked = subprocess.run([str(BERTHD), "--check", "--config", str(config)], capture_output=True, text=True)
        self.assertEqual((checked.returncode, "crl" in checked.stderr), (0, False), checked)
        shown = subprocess.run([str(BERTHD), "--show-config", "--config", str(config)], capture_output=True, text=True, check=True).stdout
        self.assertRegex(shown, rf'\nclient_crl_file = "{re.escape(str(etc))}/crl.pem" +# berthd.toml:{line}\n')

        self.assertIn(f"kept  {etc}/crl.pem", self.enrol("edge-1", 9465, "--crl", crl).stdout)
        brought = (etc / "crl.pem").read_bytes()
        self.run_berth("ca", "crl", self.ca)
        self.assertIn("another list", self.enrol("edge-1", 9465, "--crl", crl, expect=8).stderr)
        self.assertEqual((etc / "crl.pem").read_bytes(), brought)
        other = self.folder / "other-ca"
        self.run_berth("ca", "init", other, "--name", "Others")
        self.run_berth("ca", "crl", other)
        self.assertIn("it has no list of 'CN=Example nodes'", self.enrol("edge-1", 9465, "--crl", other / "crl.pem", expect=2).stderr, "the authority is there by now")

    def test_metrics_tell_when_a_list_ends_before_it_does(self):
        node = self.enrolled_with_list()
        crl = self.etc("edge-1") / "crl.pem"

        def told(name):
            found = re.search(rf"^berth_api_{name} (\S+)$", node.metrics(), re.MULTILINE)
            return found and float(found[1])
        self.ask("ci")
        self.assertEqual((told("crl_expiry_timestamp_seconds"), told("crl_ending"), told("failing")), (self.list_ends(crl), 0, 0))
        self.bring_list(crl, self.list_between(-9 * 86400, 86400))  # a day of ten is left
        self.ask("ci")
        self.assertEqual((told("crl_expiry_timestamp_seconds"), told("crl_ending"), told("failing")), (self.list_ends(crl), 1, 0))
        self.assertIn(f"[api] client_crl_file {crl} ends at ", node.log_file.read_text())
        self.bring_list(crl, self.list_between(-9 * 86400, -60))
        self.assertIn("nobody can tell there whether it was revoked", self.ask("ci", expect=7).stderr)
        self.assertEqual((told("crl_expiry_timestamp_seconds"), told("crl_ending"), told("failing")), (self.list_ends(crl), 1, 1))
        self.assertIn("ended at", node.status()["remote_api"]["problem"])
        crl.unlink()
        self.ask("ci", expect=7)
        self.assertEqual((told("crl_expiry_timestamp_seconds"), told("crl_ending"), told("failing")), (None, None, 1), "of what is not there nothing ends")

    def test_what_is_there_is_not_replaced(self):
        self.enrol("edge-1", 9465)
        key = (self.etc("edge-1") / "node.key").read_bytes()
        again = self.enrol("edge-1", 9465).stdout
        self.assertIn(f"kept  {self.etc('edge-1')}/node.key", again)
        self.assertEqual((self.etc("edge-1") / "node.key").read_bytes(), key)
        config = self.etc("edge-1") / "berthd.toml"
        self.assertIn("is not replaced", self.enrol("edge-1", 9465, "--environment", "qa", expect=8).stderr)
        self.assertIn('environment = "production"', config.read_text())

    def test_quietly_it_says_nothing(self):
        self.assertEqual(self.enrol("edge-1", 9465, "--quiet").stdout, "")
        self.assertTrue((self.etc("edge-1") / "berthd.toml").exists())

    def test_a_root_that_is_another_is_refused_and_nothing_is_written(self):
        said = self.enrol("edge-1", 9465, root="sha256:" + "0" * 64, expect=4).stderr
        self.assertIn("has the SHA-256", said)
        other = self.make_other_repo()
        self.enrol("edge-1", 9465, root=other.root, expect=4)
        self.assertFalse(self.etc("edge-1").exists())
        self.assertIn("--root is missing", self.run_berth("node", "enrol", "--repo", self.repo.url, expect=2).stderr)

    def make_other_repo(self):
        from lib.repo import Repo
        return Repo(self.folder, "other")

    def test_an_authority_is_made_once_and_signs_no_longer_than_it_lasts(self):
        self.run_berth("ca", "init", self.ca, "--days", "10")
        self.run_berth("ca", "init", self.ca, expect=8)
        self.run_berth("ca", "sign", "--new-key", self.folder / "a.key", "--name", "a.example", "--days", "11", "--ca", self.ca, expect=2)
        self.assertIn("nothing.csr: there is no such file; 'berth node csr' on the node writes a request", self.run_berth("ca", "sign", self.folder / "nothing.csr", "--ca", self.ca, expect=3).stderr)
        (self.folder / "there.key").write_text("")
        self.assertIn("there.key: it is there already, and is not replaced: give --new-key another name",
                      self.run_berth("ca", "sign", "--new-key", self.folder / "there.key", "--name", "a.example", "--ca", self.ca, expect=8).stderr)
        self.run_berth("ca", "sign", "--new-key", self.folder / "b.key", "--ca", self.ca, expect=2)
        self.run_berth("ca", "list", self.folder / "no-ca", expect=3)
        self.assertIn("made none yet", self.run_berth("ca", "list", self.ca).stdout)
        self.assertFalse((self.folder / "a.key").exists())


if __name__ == "__main__":
    unittest.main()
