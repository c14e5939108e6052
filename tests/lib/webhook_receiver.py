"""Who receives webhooks, and believes none that is not signed as Standard Webhooks 1.0.0 has it."""
import base64
import hashlib
import hmac
import json
import time

from lib.push_receivers import PushReceiver, need, only, unique

MEMBERS = ["type", "timestamp", "node", "environment", "app", "number", "severity", "text", "data"]


def key_of(secret):
    return base64.b64decode(secret[len("whsec_"):], validate=True) if secret.startswith("whsec_") else secret.encode()


class WebhookReceiver(PushReceiver):
    """`entries` has what was taken: (webhook-id, body); `bodies` that as it came, with its headers. Without a secret nothing may be signed."""

    def __init__(self, port, secret, path="/", chat=False, **options):
        self.path, self.secret, self.chat, self.bodies = path, secret, chat, []
        super().__init__(port, **options)

    def check(self, request, body):
        headers = {name.lower(): value for name, value in request.headers.items()}
        need(request.command == "POST" and request.path == self.path, f"{request.command} {request.path}")
        need(headers.get("content-type") == "application/json" and "content-encoding" not in headers, f"headers {headers}")
        identity, timestamp, signature = (headers.get(f"webhook-{name}") for name in ("id", "timestamp", "signature"))
        need(identity and "." not in identity, f"webhook-id {identity!r}")
        need(abs(time.time() - int(timestamp)) < 120, f"webhook-timestamp {timestamp!r}")
        if self.secret is None:
            need(signature is None, "it is signed")
        else:
            right = hmac.new(key_of(self.secret), f"{identity}.{timestamp}.".encode() + body, hashlib.sha256).digest()
            need(signature == "v1," + base64.b64encode(right).decode(), f"webhook-signature {signature!r}")
        self.bodies.append((headers, body))
        yield identity, only(json.loads(body.decode("utf-8"), object_pairs_hook=unique), ["text"] if self.chat else MEMBERS)

    def take(self, request, found):
        self.entries += found
        self.send(request, 204)

    # what came

    def numbers(self):
        return [message["number"] for _, message in self.entries]

    def types(self):
        return [message["type"] for _, message in self.entries]
