"""Keys as people make them, by openssl."""
import subprocess
from pathlib import Path


def openssl(*arguments, **options):
    return subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True, **options).stdout


class Keys:
    """Key pairs made by openssl: `NAME.pem` and `NAME.pub`."""

    KINDS = {"ed25519": ["-algorithm", "ed25519"],
             "p256": ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
             "rsa": ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]}

    def __init__(self, folder):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True)

    def make(self, name, kind="ed25519", passphrase=None):
        private, public = self.private(name), self.public(name)
        encrypted = ["-aes256", "-pass", f"pass:{passphrase}"] if passphrase else []
        openssl("genpkey", *self.KINDS[kind], *encrypted, "-out", private)
        openssl("pkey", "-in", private, *(["-passin", f"pass:{passphrase}"] if passphrase else []), "-pubout", "-out", public)
        private.chmod(0o600)
        return name

    def private(self, name):
        return self.folder / f"{name}.pem"

    def public(self, name):
        return self.folder / f"{name}.pub"
