"""An authority of berth's own (`berth ca`) in a test, what it revokes, and how a list of that gets to a node."""
import datetime
import os
import ssl
import subprocess

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from lib.case import BerthCase
from lib.programs import BERTH


class BerthCaCase(BerthCase):
    """`self.ca` is the authority's folder, `self.home` the configuration of who has the clients' keys."""

    def setUp(self):
        super().setUp()
        self.ca = self.folder / "ca"
        self.home = self.folder / "home/.config/berth"
        self.home.mkdir(parents=True)

    def run_berth(self, *arguments, expect=0, **more):
        env = {**os.environ, "HOME": str(self.folder / "home"), "BERTH_SOCKET": "/nonexistent", "NO_COLOR": "1"}
        got = subprocess.run([str(BERTH), *map(str, arguments)], env=env, capture_output=True, text=True, **{"stdin": subprocess.DEVNULL, **more})
        self.assertEqual(got.returncode, expect, got)
        return got

    def new_client(self, who, name):
        """A certificate, {who}.pem with its {who}.key, for a client of that name; gives the path without its extension."""
        self.run_berth("ca", "sign", "--new-key", self.home / f"{who}.key", "--name", name, "--client", "--ca", self.ca)
        return self.home / who

    def bring_list(self, to, content=None):
        """Puts the authority's list, or something else, there by a rename."""
        new = to.with_name(to.name + ".new")
        new.write_bytes((self.ca / "crl.pem").read_bytes() if content is None else content)
        new.rename(to)

    def list_between(self, begins, ends):
        """An empty list of the authority, which has written one, that counts from and to so many seconds from now: as `berth ca crl` wrote it long ago."""
        key = serialization.load_pem_private_key((self.ca / "ca.key").read_bytes(), None)
        issuer = x509.load_pem_x509_crl((self.ca / "crl.pem").read_bytes()).issuer
        now = datetime.datetime.utcnow()
        made = (x509.CertificateRevocationListBuilder().issuer_name(issuer).last_update(now + datetime.timedelta(seconds=begins))
                .next_update(now + datetime.timedelta(seconds=ends)).sign(key, hashes.SHA256()))
        return made.public_bytes(serialization.Encoding.PEM)

    def list_ends(self, file):
        """When the list of that file ends, in seconds since 1970."""
        said = subprocess.run(["openssl", "crl", "-noout", "-nextupdate", "-in", file], capture_output=True, text=True, check=True).stdout
        return ssl.cert_time_to_seconds(said.partition("=")[2].strip())
