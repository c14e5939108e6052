"""A node's control API by TLS: certificates, clients with roles, and what they ask."""
import json
import subprocess

from lib import sample_apps
from lib.case import BerthCase
from lib.waiting import wait_until

PORT = 9465
CLIENTS = """
[[api.client]]
name = "ci.example.org"
role = "deployer"
apps = ["web"]
[[api.client]]
name = "*.watch.example.org"
role = "viewer"
[[api.client]]
name = "blog.example.org"
role = "viewer"
apps = ["blog"]
[[api.client]]
name = "ops@example.org"
role = "operator"
[[api.client]]
name = "spiffe://example.org/admin"
role = "admin"
"""


class Pki:
    """Certificates as openssl makes them."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir()
        for name in ("ca", "other-ca"):
            self.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.pem")
        self.issue("node", "DNS:localhost,IP:127.0.0.1")
        self.issue("ci", "DNS:ci.example.org")
        self.issue("watch", "DNS:east.watch.example.org")
        self.issue("blog", "DNS:blog.example.org")
        self.issue("ops", "email:ops@example.org")
        self.issue("admin", "URI:spiffe://example.org/admin")
        self.issue("stranger", "DNS:stranger.example.org")

    def openssl(self, *arguments):
        subprocess.run(["openssl", *arguments], cwd=self.folder, check=True, capture_output=True)

    def issue(self, name, names, days=2, ca="ca"):
        (self.folder / "ext").write_text(f"basicConstraints=CA:FALSE\nsubjectAltName={names}\n")
        self.openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=ci.example.org", "-keyout", f"{name}.key", "-out", "csr")
        self.openssl("x509", "-req", "-in", "csr", "-CA", f"{ca}.pem", "-CAkey", f"{ca}.key", "-days", str(days), "-extfile", "ext", "-out", f"{name}.pem")
        (self.folder / f"{name}.key").chmod(0o600)

    def copy(self, name, to):
        """As a renewal does it: another file in the place of each."""
        for kind in ("pem", "key"):
            new = self.folder / f"new.{kind}"
            new.write_bytes((self.folder / f"{name}.{kind}").read_bytes())
            new.chmod(0o600)
            new.rename(self.folder / f"{to}.{kind}")


class Answer:
    def __init__(self, status, text):
        self.status, self.text = status, text

    def json(self):
        return json.loads(self.text)

    def __repr__(self):
        return f"{self.status}: {self.text}"


class RemoteCase(BerthCase):
    def setUp(self):
        super().setUp()
        self.pki = Pki(self.folder / "pki")
        self.pki.copy("node", "api")
        self.node = self.make_node(extra=self.listener() + CLIENTS)

    def listener(self):
        return f'[api]\nlisten = "0.0.0.0:{PORT}"\ncertificate_file = "{self.pki.folder}/api.pem"\nkey_file = "{self.pki.folder}/api.key"\nclient_ca_file = "{self.pki.folder}/ca.pem"\n'

    def start(self):
        self.node.start()
        wait_until(lambda: "the control API is at" in self.node.log_file.read_text(), "it listens")

    def publish(self, app="web", port=8080, **options):
        return self.repo.publish(sample_apps.testapp(self.folder / app, app=app, port=port, **options))

    def curl(self, who, target, *more, host="localhost"):
        """What a client with the certificate `who` is answered."""
        command = ["curl", "-sS", "--max-time", "60", "--cacert", "ca.pem", "-w", "\n%{http_code}", *more, f"https://{host}:{PORT}{target}"]
        if who:
            command += ["--cert", f"{who}.pem", "--key", f"{who}.key"]
        got = subprocess.run(command, cwd=self.pki.folder, capture_output=True, text=True)
        if got.returncode != 0:
            return Answer(0, got.stderr)
        text, _, status = got.stdout.rpartition("\n")
        return Answer(int(status), text)

    def post(self, who, target, body):
        return self.curl(who, target, "-H", "Content-Type: application/json", "-d", json.dumps(body))

    def events_of(self, kind):
        return [one for one in self.node.events() if one["kind"] == kind]
