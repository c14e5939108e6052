"""Servers that logs are pushed to, which check every request against the published API: Grafana Loki's push API and OTLP/HTTP.

Neither server is to be had in Debian. What is checked here is what their documentation says, and stricter where it leaves room: a request that is not as
it says is answered 400, and is in `complaints`."""
import base64
import gzip
import http.server
import json
import re
import socket
import ssl
import threading
import time


class Wrong(Exception):
    pass


def need(holds, what):
    if not holds:
        raise Wrong(what)


def unique(pairs):
    names = [name for name, _ in pairs]
    need(len(names) == len(set(names)), f"a member twice: {names}")
    return dict(pairs)


def only(value, required, optional=()):
    need(isinstance(value, dict), f"no object: {value!r}")
    need(set(required) <= set(value) <= set(required) | set(optional), f"members {sorted(value)}, not {sorted(required)}")
    return value


class PushReceiver:
    """Listens on 127.0.0.1. `faults` has answers for the next requests, first to last: an int (a status), (status, headers, body), "close" (reads and says nothing),
    "reset" (before reading), "swallow" (takes it, and says nothing), ("slow", seconds). `entries` has what was taken: (labels, time in ns, text, metadata); a request that was answered by a fault left nothing."""

    path = None

    def __init__(self, port, certificate=None, ca=None, token=None):
        self.port, self.token = port, token
        self.entries, self.complaints, self.requests, self.faults, self.connections = [], [], [], [], 0
        self.kept = {}
        self.refuses = lambda entry: False
        self.open = set()  # connections
        self.lock = threading.Lock()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            disable_nagle_algorithm = True  # else the body waits for the receipt of the head, 40 ms an answer
            protocol_version = "HTTP/1.1"

            def setup(self):
                super().setup()
                with outer.lock:
                    outer.connections += 1
                    outer.open.add(self.connection)

            def finish(self):
                with outer.lock:
                    outer.open.discard(self.connection)
                super().finish()

            def log_message(self, *_):
                pass

            def do_POST(self):
                outer.answer(self)

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *_: None  # whoever asks may be killed meanwhile
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(f"{certificate}.pem", f"{certificate}.key")
            if ca:
                context.load_verify_locations(ca)
                context.verify_mode = ssl.CERT_REQUIRED
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def close(self):
        """Ends it as a server that is killed: connections break."""
        self.server.shutdown()
        self.server.server_close()
        with self.lock:
            left = list(self.open)
        for connection in left:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # it has ended by itself

    def answer(self, request):
        with self.lock:
            fault = self.faults.pop(0) if self.faults else None
        if fault == "reset":
            request.close_connection = True
            return
        length = int(request.headers.get("Content-Length", 0))
        body = request.rfile.read(length)
        if fault == "close" or len(body) < length:  # whoever sent it was killed within it
            request.close_connection = True
            return
        if fault == "swallow":
            with self.lock:
                self.keep(list(self.check(request, body)))
            request.close_connection = True
            return
        if isinstance(fault, tuple) and fault[0] == "slow":
            time.sleep(fault[1])
            fault = None
        if fault is not None:
            status, headers, text = (fault, {}, b"") if isinstance(fault, int) else fault
            self.send(request, status, text, headers)
            return
        with self.lock:
            self.requests.append({name.lower(): value for name, value in request.headers.items()})
            try:
                found = list(self.check(request, body))
            except Wrong as wrong:
                self.complaints.append(str(wrong))
                self.send(request, 400, str(wrong).encode())
                return
            if self.token and request.headers.get("Authorization") != self.token:
                self.send(request, 401, b"who are you?")
                return
            self.take(request, found)

    def check(self, request, body):
        need(request.path == self.path, f"path {request.path}")
        need(request.headers.get("Content-Type") == "application/json", "Content-Type")
        need(request.headers.get("Content-Encoding", "gzip") == "gzip", "Content-Encoding")
        if "Content-Encoding" in request.headers:
            body = gzip.decompress(body)
        try:
            said = json.loads(body.decode("utf-8"), object_pairs_hook=unique)
        except ValueError as error:
            raise Wrong(f"no JSON: {error}") from error
        return self.read(said)

    def send(self, request, status, body=b"", headers=None):
        request.send_response(status)
        if status != 204:
            request.send_header("Content-Length", str(len(body)))
        for name, value in (headers or {}).items():
            request.send_header(name, value)
        try:
            request.end_headers()
            if status != 204:
                request.wfile.write(body)
        except OSError:
            request.close_connection = True  # whoever asked did not wait for the answer


class LokiReceiver(PushReceiver):
    """POST /loki/api/v1/push. As Loki does, it takes what is right of a request and answers 400 where `refuses` holds for one of its entries, and drops an entry
    whose stream, time and text equal those of one that it has, whatever its metadata; `dropped` has how many."""

    path = "/loki/api/v1/push"
    dropped = 0

    def keep(self, taken):
        for entry in taken:
            labels, moment, text, _ = entry
            if self.kept.setdefault((tuple(sorted(labels.items())), moment, text), entry) is entry:
                self.entries.append(entry)
            else:
                self.dropped += 1

    def read(self, said):
        streams = only(said, ["streams"])["streams"]
        need(isinstance(streams, list) and streams, "no streams")
        for stream in streams:
            only(stream, ["stream", "values"])
            labels = stream["stream"]
            need(isinstance(labels, dict) and 1 <= len(labels) <= 15, f"labels {labels!r}")
            for name, value in labels.items():
                need(re.fullmatch("[a-zA-Z_:][a-zA-Z0-9_:]*", name) and len(name) <= 1024, f"label {name!r}")
                need(isinstance(value, str) and 0 < len(value.encode()) <= 2048, f"value of {name}: {value!r}")
            need(isinstance(stream["values"], list) and stream["values"], "a stream without values")
            for entry in stream["values"]:
                need(isinstance(entry, list) and len(entry) in (2, 3), f"entry {entry!r}")
                need(isinstance(entry[0], str) and re.fullmatch("[0-9]{19}", entry[0]), f"time {entry[0]!r}")
                need(isinstance(entry[1], str), f"line {entry[1]!r}")
                metadata = entry[2] if len(entry) == 3 else {}
                need(isinstance(metadata, dict), f"metadata {metadata!r}")
                for name, value in metadata.items():
                    need(re.fullmatch("[a-zA-Z_:][a-zA-Z0-9_:]*", name) and isinstance(value, str), f"metadata {name!r}: {value!r}")
                yield labels, int(entry[0]), entry[1], metadata

    def take(self, request, found):
        taken = [entry for entry in found if not self.refuses(entry)]
        self.keep(taken)
        if len(taken) == len(found):
            self.send(request, 204)
        else:
            self.send(request, 400, f"entry too far behind, total ignored: {len(found) - len(taken)} out of {len(found)}".encode())


class OtlpReceiver(PushReceiver):
    """POST /v1/logs: ExportLogsServiceRequest in the JSON of Protobuf, as OTLP 1.x has it. What `refuses` holds for is rejected, and counted in partialSuccess. A
    record that a Loki behind it would drop for another one is a complaint."""

    path = "/v1/logs"
    LABELS = ("service.name", "service.instance.id", "deployment.environment.name")  # of these attributes a Loki makes labels unless it is told otherwise

    def keep(self, taken):
        for resource, moment, text, attributes in taken:
            sequence = attributes.get("berth.sequence")
            key = (*(resource.get(name) for name in self.LABELS), moment, text)
            if self.kept.setdefault(key, sequence) != sequence:
                self.complaints.append(f"{sequence} and {self.kept[key]} have the same time and text: {text[:80]!r}")
        self.entries += taken

    def attributes(self, items):
        need(isinstance(items, list), f"attributes {items!r}")
        found = {}
        for item in items:
            only(item, ["key", "value"])
            key, value = item["key"], item["value"]
            need(isinstance(key, str) and key and key not in found, f"key {key!r}")
            found[key] = self.value(value)
        return found

    def value(self, value):
        need(isinstance(value, dict) and len(value) == 1, f"value {value!r}")
        (kind, inner), = value.items()
        if kind == "stringValue":
            need(isinstance(inner, str), f"stringValue {inner!r}")
        elif kind == "intValue":
            need(isinstance(inner, str) and re.fullmatch("-?[0-9]+", inner) and -2**63 <= int(inner) < 2**63, f"intValue {inner!r}")
        elif kind == "bytesValue":
            base64.b64decode(inner, validate=True)
        else:
            need(kind in ("boolValue", "doubleValue"), f"kind of value {kind!r}")
        return inner

    def time(self, text):
        need(isinstance(text, str) and re.fullmatch("[0-9]{1,20}", text) and int(text) < 2**64, f"time {text!r}")
        return int(text)

    def read(self, said):
        resources = only(said, ["resourceLogs"])["resourceLogs"]
        need(isinstance(resources, list) and resources, "no resourceLogs")
        for resource in resources:
            only(resource, ["resource", "scopeLogs"], ["schemaUrl"])
            about = self.attributes(only(resource["resource"], ["attributes"], ["droppedAttributesCount"])["attributes"])
            need("service.name" in about, "no service.name")
            for scope in resource["scopeLogs"]:
                only(scope, ["scope", "logRecords"], ["schemaUrl"])
                only(scope["scope"], ["name"], ["version", "attributes"])
                for record in scope["logRecords"]:
                    only(record, ["timeUnixNano", "body"], ["observedTimeUnixNano", "severityNumber", "severityText", "attributes", "droppedAttributesCount", "flags",
                                                            "traceId", "spanId", "eventName"])
                    number = record.get("severityNumber", 0)
                    need(isinstance(number, int) and 0 <= number <= 24, f"severityNumber {number!r}")
                    self.time(record["observedTimeUnixNano"])
                    yield about, self.time(record["timeUnixNano"]), self.value(record["body"]), self.attributes(record["attributes"])

    def take(self, request, found):
        taken = [entry for entry in found if not self.refuses(entry)]
        self.keep(taken)
        rejected = len(found) - len(taken)
        answer = {"partialSuccess": {"rejectedLogRecords": str(rejected), "errorMessage": "too old"}} if rejected else {}
        self.send(request, 200, json.dumps(answer).encode(), {"Content-Type": "application/json"})
