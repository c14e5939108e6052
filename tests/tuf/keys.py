"""Keys that TUF metadata is signed with, and the bytes that are signed."""
import hashlib

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def canonical(value):
    """OLPC's canonical JSON: strings are raw but for quotes and backslashes, members are sorted, numbers are integers."""
    if isinstance(value, str):
        return b'"' + value.replace("\\", "\\\\").replace('"', '\\"').encode() + b'"'
    if isinstance(value, dict):
        return b"{" + b",".join(canonical(name) + b":" + canonical(value[name]) for name in sorted(value)) + b"}"
    if isinstance(value, list):
        return b"[" + b",".join(map(canonical, value)) + b"]"
    return {True: b"true", False: b"false", None: b"null"}[value] if value is None or isinstance(value, bool) else b"%d" % value


class Key:
    """A key pair as metadata lists it. `extra`: further members of its object, which its id covers."""

    def __init__(self, keytype="ed25519", scheme=None, extra=None, high=None):
        self.high = high  # ECDSA: which of the two values of S to write; None: whichever comes
        if keytype == "ed25519":
            self.private = ed25519.Ed25519PrivateKey.generate()
            public = self.private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex()
        else:
            self.private = rsa.generate_private_key(65537, 3072) if keytype == "rsa" else ec.generate_private_key(ec.SECP256R1())
            public = self.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
        schemes = {"ed25519": "ed25519", "rsa": "rsassa-pss-sha256"}
        self.object = {"keytype": keytype, "scheme": scheme or schemes.get(keytype, "ecdsa-sha2-nistp256"), "keyval": {"public": public}, **(extra or {})}
        self.id = hashlib.sha256(canonical(self.object)).hexdigest()

    def sign(self, message):
        if isinstance(self.private, rsa.RSAPrivateKey):
            pss = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
            return self.private.sign(message, pss, hashes.SHA256()).hex()
        if isinstance(self.private, ec.EllipticCurvePrivateKey):
            r, s = decode_dss_signature(self.private.sign(message, ec.ECDSA(hashes.SHA256())))
            if self.high is not None and self.high != (s > P256_ORDER // 2):
                s = P256_ORDER - s
            return encode_dss_signature(r, s).hex()
        return self.private.sign(message).hex()
