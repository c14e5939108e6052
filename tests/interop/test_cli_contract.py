"""Every verb of the command line that asks a berthd, through a relay that keeps what is asked and answered: ajv judges each exchange by docs/openapi.yaml."""
import http.client
import json
import os
import re
import shlex
import shutil
import socket
import ssl
import subprocess
import unittest
from pathlib import Path

from lib import contract, sample_apps
from lib.exec_stream import over_tls
from lib.programs import BERTH, PATIENCE, SOURCE
from lib.relay import Relay, value_of
from lib.remote import PORT, RemoteCase
from lib.waiting import wait_until

HERE = Path(__file__).resolve().parent
RELAYED = PORT + 1  # where the relay stands for the node by TLS

#: Calls in their order: what is typed, what it ends with, and what it asks for, among other things. {…}: files of the test.
CALLS = [
    ("apps", 0, "getStatus listRepositoryApps"),
    ("deploy web@v1 --plan", 0, "plan"),
    ("deploy web@v1 --reason 'the first' --env production", 0, "deploy getDeployment"),
    ("deploy web@v1", 0, "deploy"),
    ("deploy web@v2 --key push-1", 0, "deploy getDeployment"),
    ("deploy web@v2 --key push-1 --until switched", 0, "deploy"),
    ("deploy web@v1 --key push-1", 8, "deploy"),
    ("deploy web@v9", 3, "deploy"),
    ("deploy web@v9 --plan", 3, "plan"),
    ("deploy web@v2 --env staging", 2, "deploy"),
    ("status", 0, "getStatus"),
    ("status web --json", 0, "getApp"),
    ("status nope", 3, "getApp"),
    ("releases web", 0, "listReleases"),
    ("releases nope", 3, "listReleases"),
    ("history", 0, "listDeployments"),
    ("history web -n 3 --json", 0, "listDeployments"),
    ("history --deployment 1", 0, "getDeployment"),
    ("history --deployment 99", 3, "getDeployment"),
    ("history nope", 3, "listDeployments getApp"),
    ("events", 0, "listEvents"),
    ("events web -n 3 --json", 0, "listEvents"),
    ("events --from 2 -n 2", 0, "listEvents"),
    ("events --since 1h --until 2099-01-01 --kind 'operator.*' --grep web", 0, "listEvents"),
    ("events nope", 3, "listEvents getApp"),
    ("events --verify", 0, "getStatus"),
    ("why web", 0, "getStory"),
    ("why nope", 3, "getStory"),
    ("deploy web@v3 --no-wait", 0, "deploy"),
    ("cancel web --reason 'not now'", 0, "listDeployments cancelDeployment"),
    ("cancel 1", 8, "cancelDeployment"),
    ("cancel nope", 3, "getApp"),
    ("revert web --reason 'a drill'", 0, "revert getDeployment"),
    ("revert web --to v9", 3, "revert"),
    ("deploy web@v2", 8, "deploy"),
    ("resume web", 0, "resume"),
    ("hold web --reason 'an audit'", 0, "hold"),
    ("resume web", 0, "resume"),
    ("hold nope", 3, "hold"),
    ("resume nope", 3, "resume"),
    ("mark web@v3 bad --reason broken", 0, "listReleases mark"),
    ("deploy web@v3", 8, "deploy"),
    ("mark web@v3 good", 0, "mark"),
    ("mark nope@v3 bad", None, "mark"),
    ("stop web/web.1", 0, "stop"),
    ("restart web/web.1", 8, "restart"),
    ("start web/web.1", 0, "start"),
    ("restart web/web --no-wait", 0, "restart"),
    ("stop web", 0, "stop"),
    ("start web", 0, "start"),
    ("stop nope", 3, "stop"),
    ("start web/nope", 3, "start"),
    ("restart nope", 3, "restart"),
    ("scale web/web=2", 0, "scale"),
    ("scale web/nope=2", 3, "scale"),
    ("exec web -- true", 0, "execWithFiles"),
    ("exec web/web.1 --reason 'a look' -- sh -c 'exit 7'", 7, "execWithFiles"),
    ("exec nope -- true", 125, "execWithFiles"),
    ("exec --node localhost:{port} web -- true", 0, "exec"),
    ("exec --node localhost:{port} nope -- true", 125, "exec"),
    ("run-job web/report", 0, "runJob getJob"),
    ("run-job web/nope", 3, "runJob"),
    ("pin web@v1", 0, "pin"),
    ("unpin web@v1", 0, "unpin"),
    ("pin web@v9", 3, "pin"),
    ("unpin nope@v9", 3, "unpin"),
    ("logs web -n 3", 0, "getStatus"),
    ("logs nope", 3, "getStatus"),
    ("logs --node localhost:{port} web/web.1@v1 -n 3 --since 1h --grep e --level info --stream stderr", 0, "getLogs"),
    ("logs --node localhost:{port} web --previous --until 2099-01-01", 0, "getLogs"),
    ("logs --node localhost:{port} nope", 3, "getLogs"),
    ("logs --node localhost:{port} web --since tomorrowish", 2, ""),
    ("webhook list", 0, "getStatus"),
    ("webhook test chat --no-wait", 0, "testWebhook"),
    ("webhook test nope", 3, "testWebhook"),
    ("sinks", 0, "getStatus"),
    ("verify", 0, "verifySlots"),
    ("verify web@v1", 0, "verifySlots"),
    ("verify --all", 0, "verifySlots"),
    ("verify web@v9", 3, "verifySlots"),
    ("gc --dry-run", 0, "collect"),
    ("gc web", 0, "collect"),
    ("gc nope", 3, "collect"),
    ("import {release_file}", 0, "importRelease"),
    ("import {cut_file}", 4, "importRelease"),
    ("inspect web@v1", 0, "getApp getStatus"),
    ("inspect nope@v1", 3, "getStatus"),
    ("diff web@v1 web@v2", 0, "getApp getStatus"),
    ("diff web@v1 web@v9", 3, "getApp getStatus"),
    ("export web@v1 -o {exported}", 0, "getStatus"),
    ("export web@v9 -o {exported}.9", 3, "getStatus"),
    ("doctor --config {config}", None, "getStatus"),
    ("backup {exported}.tar --config {config}", 0, "getStatus"),
    ("backup /nonexistent/web.tar --config {config}", 3, ""),
    ("node drain --reason 'a new kernel'", 0, "drainNode"),
    ("deploy web@v2", 8, "deploy"),
    ("node resume", 0, "resumeNode"),
    ("node reload", 0, "reload"),
    ("complete -- status ''", 0, "getStatus"),
    ("complete -- deploy web@", 0, "listReleases"),
]
LAST = [
    ("remove web --purge --yes --reason 'moved away'", 0, "removeApp"),
    ("remove web", 3, "removeApp"),
]
#: Is for a node whose berthd does not run.
SILENT = {"restore"}
#: What cannot be refused: they take nothing, and a viewer may ask for them.
NEVER_REFUSED = {"apps", "webhook list", "sinks"}
#: As somebody who may only read: each is refused by its role, 7, and changes nothing.
REFUSED = ["deploy web@v1", "revert web", "hold web", "resume web", "mark web@v1 bad", "node drain", "node resume", "node reload", "remove web", "run-job web/report", "restart web", "stop web", "start web",
           "scale web/web=1", "pin web@v1", "unpin web@v1", "webhook test chat --no-wait", "cancel 1", "gc", "verify", "import {release_file}"]


def verbs_of_the_table():
    """Verb → how it asks a berthd, as cli/command.cc has it."""
    table = (SOURCE / "cli/command.cc").read_text().split("kRemotely[]")[1].split("};")[0]
    return dict(re.findall(r'\{"([a-z -]+)", Remotely::(\w+)\}', table))


def verb_of(call, table):
    words = shlex.split(call)
    return " ".join(words[:2]) if " ".join(words[:2]) in table else words[0]


class CommandLine(RemoteCase):
    def setUp(self):
        super().setUp()
        self.node.configure(self.node.config.read_text() + '\n[[webhook]]\nname = "chat"\nurl = "http://127.0.0.1:1/"\n')
        self.start()
        self.relay = Relay(self.folder / "relay.sock", self.node.socket)
        self.addCleanup(self.relay.close)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.pki.folder / "node.pem", self.pki.folder / "node.key")
        self.relay.listen_tls(context, RELAYED)
        modules = Path(subprocess.run([str(HERE / "install.sh"), "api"], capture_output=True, text=True, check=True).stdout.strip())
        self.work = self.folder / "judge"
        self.work.mkdir()
        (self.work / "node_modules").symlink_to(modules / "node_modules")
        shutil.copy(HERE / "api/judge.js", self.work)
        (self.work / "openapi.json").write_text(json.dumps(contract.document()))
        self.files = {"port": RELAYED, "config": self.node.config, "release_file": self.folder / "web.berth", "cut_file": self.folder / "cut.berth", "exported": self.folder / "out.berth"}
        self.env = {**os.environ, "BERTH_SOCKET": str(self.relay.path), "NO_COLOR": "1", "BERTH_CA_FILE": str(self.pki.folder / "ca.pem"),
                    "BERTH_CERTIFICATE_FILE": str(self.pki.folder / "admin.pem"), "BERTH_KEY_FILE": str(self.pki.folder / "admin.key")}
        self.record = []

    def publish_all(self):
        more = '[process.report]\ntype = "job"\nrun = "hand"\ncommand = ["/bin/true"]\n[hooks.post-switch]\ncommand = ["/bin/true"]\n'
        for note in ("one", "two"):
            self.repo.publish(sample_apps.testapp(self.folder / "site", "--lines", "20", note=note, more=more))
        self.repo.publish(sample_apps.testapp(self.folder / "site", note="three", more=more, serve=False))  # is never ready
        self.repo.berth("export", "web/production@v2", "--repo", self.repo.folder, "-o", self.files["release_file"])
        self.files["cut_file"].write_bytes(self.files["release_file"].read_bytes()[:-1000])

    def words(self, call):
        return [str(BERTH), *(word.format(**self.files) for word in shlex.split(call))]

    def keep(self, call, wait=True):
        """What was exchanged for a call goes to the judge; returns the operations that were asked for."""
        exchanges = self.relay.take(wait)
        self.record += [{"by": f"berth {call[:100]}", **one.record()} for one in exchanges]
        found = [contract.operation_of(one.method, one.target.partition("?")[0]) for one in exchanges]
        return {one[1]["operationId"] for one in found if one}, exchanges

    def call(self, call, expect):
        """Runs it; returns what it ended with, and the operations and exchanges."""
        got = subprocess.run(self.words(call), env=self.env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60 * PATIENCE)
        if expect is not None:
            self.assertEqual(got.returncode, expect, f"berth {call}\n{got.stdout}{got.stderr}")
        return got.returncode, *self.keep(call)

    def follow(self, call, words):
        """Runs what does not end by itself, until it has said `words` or was answered, and ends it."""
        client = subprocess.Popen(self.words(call), env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        try:
            self.assertTrue(any(words in line for line in client.stdout), f"berth {call} says {words}")
        finally:
            client.terminate()
            client.communicate(timeout=20 * PATIENCE)
        return self.keep(call)[0]

    def judged(self, record):
        """What ajv finds in it."""
        file = self.work / "record"
        file.write_text("".join(json.dumps(one) + "\n" for one in record))
        got = subprocess.run(["node", "judge.js", "openapi.json", str(file)], cwd=self.work, capture_output=True, text=True, timeout=120 * PATIENCE)
        self.assertEqual(got.stderr, "")
        *flaws, last = got.stdout.splitlines()
        self.assertEqual((last, got.returncode), (f"{len(record)} exchanges, {len(flaws)} flaws", int(bool(flaws))))
        return flaws

    def test_whatever_a_verb_asks_and_is_answered_is_as_the_document_says(self):
        self.publish_all()
        table = verbs_of_the_table()
        done, refused = set(), set()

        def make(calls):
            for call, expect, asks in calls:
                with self.subTest(call=call):
                    code, asked, _ = self.call(call, expect)
                    self.assertLessEqual(set(asks.split()), asked, f"berth {call}")
                    verb = verb_of(call, table)
                    (done if code == 0 or verb == "doctor" else refused).add(verb)
                    if call.startswith("unpin web"):
                        follow_all()

        def follow_all():
            for call, words, operation in (("events -f -n 2", "web", "listEvents"), ("events --node localhost:{port} -f -n 2 --json", "operator.unpin", "listEvents"), ("status --watch --json --interval 100ms", "web", "getStatus"),
                                           ("logs --node localhost:{port} web -f", "line", "getLogs")):
                self.assertIn(operation, self.follow(call, words), call)
        make(CALLS)
        # A viewer, as whom the relay asks from here on.
        self.relay.connect = lambda: over_tls(self.pki, "watch", PORT)
        for call in REFUSED:
            with self.subTest(call=call, by="a viewer"):
                _, _, exchanges = self.call(call, 7)
                self.assertIn(403, [one.status for one in exchanges], f"berth {call}")
                refused.add(verb_of(call, table))
        for call in ("status", "gc --dry-run", "why web"):
            self.call(call, 0)
        self.relay.connect = self.relay.by_socket
        make(LAST)
        self.assertEqual(self.judged(self.record), [])
        self.assertGreater(len(self.record), 150)
        # A verb that is new has no rows yet.
        self.assertEqual(set(table) - SILENT - done, set(), "they have no call that ends well")
        self.assertEqual(set(table) - SILENT - NEVER_REFUSED - refused, {"doctor"}, "they have no call that is refused")
        self.assertEqual({verb for verb, how in table.items() if how == "changes"} - {verb_of(call, table) for call in REFUSED}, {"exec"})

    def test_the_relay_passes_on_what_does_not_end_and_the_judge_sees_each_part(self):
        self.repo.publish(sample_apps.testapp(self.folder / "site", "--lines", "20"))
        self.call("deploy web@v1", 0)
        wait_until(lambda: "line 3" in self.node.api("GET", "/v1/apps/web/logs?lines=3").body, "it prints")
        # A connection that is kept.
        kept = http.client.HTTPConnection("localhost", timeout=30)
        kept.sock = socket.socket(socket.AF_UNIX)
        kept.sock.connect(str(self.relay.path))
        for target in ("/v1/status", "/v1/apps/web/logs?lines=2", "/v1/apps/nope"):
            kept.request("GET", target)
            kept.getresponse().read()
        kept.close()
        _, (status, logs, nope) = self.keep("kept")
        self.assertEqual([one.status for one in (status, logs, nope)], [200, 200, 404])
        self.assertEqual(value_of(logs.got, "transfer-encoding"), "chunked")
        self.assertTrue(status.whole and logs.whole and nope.whole)
        # Events as they come.
        line = socket.socket(socket.AF_UNIX)
        line.connect(str(self.relay.path))
        line.sendall(b"GET /v1/events?from=1 HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n")
        seen = b""
        while b"\n\nid: 3\n" not in seen.replace(b"\r\n", b""):
            seen += line.recv(65536)
        line.close()
        events = self.keep("events")[1][0]
        self.assertEqual((events.kind, events.whole), ("text/event-stream", False))
        self.assertIn("id: 2\n", events.text)
        # And a connection that becomes a command's.
        code, _, (upgraded,) = self.call("exec --node localhost:{port} web -- sh -c 'head -c 300000 /dev/zero'", 0)
        self.assertEqual((upgraded.status, upgraded.text), (101, ""))
        self.assertEqual(self.judged(self.record), [])
        deployed = next(one for one in self.record if one["status"] == 202)

        def other(one, **change):
            return {**one, **change}
        status, logs, nope, events, upgraded = (one.record() for one in (status, logs, nope, events, upgraded))
        for broken, flaw in (
                (other(status, target="/v1/status?page=2"), "the query has page"), (other(logs, target="/v1/apps/Web/logs"), "the path's app must match"), (other(logs, target="/v1/apps/web/logs?lines=-1"), "the query's lines must be >= 0"),
                (other(logs, target="/v1/apps/web/logs?lines=1&lines=2"), "the query has lines twice"), (other(status, target="/v1/nothing"), "is not in the document"), (other(status, method="POST"), "is not in the document"),
                (other(status, sent=[["X-Role", "admin"]]), "the header has x-role"), (other(deployed, sent=[*deployed["sent"], ["idempotency-key", "a b"]]), "the header's idempotency-key must match"),
                (other(upgraded, sent=[one for one in upgraded["sent"] if one[0].lower() != "upgrade"]), "the header upgrade is missing"), (other(deployed, body='{"release":"v1","forced":true}'), "additional properties (forced)"),
                (other(deployed, body=""), "the body is missing"), (other(deployed, body="{"), "the body is no JSON"), (other(deployed, sent=[["content-type", "text/plain"]]), "the body is 'text/plain'"),
                (other(status, status=204), "is not in the document"), (other(deployed, got=[one for one in deployed["got"] if one[0].lower() != "etag"]), "has no header etag"),
                (other(status, got=[*status["got"], ["X-Powered-By", "berthd"]]), "has the header x-powered-by"), (other(status, got=[["content-type", "text/html"]]), "as 'text/html' is not in the document"),
                (other(status, text=status["text"].replace('"ready":true', '"ready":true,"more":1')), "additional properties (more)"), (other(status, text="{}"), "must have required property"),
                (other(nope, text=nope["text"].replace(":404", ":409")), "calls itself 409"), (other(logs, text=logs["text"].replace('"stream":"std', '"stream":"st')), "must be equal to one of"),
                (other(events, text=events["text"].replace('"number":1,', "")), "must have required property 'number'"), (other(upgraded, text="hello"), "nothing in the document")):
            with self.subTest(flaw=flaw):
                self.assertIn(flaw, "\n".join(self.judged([broken])))


if __name__ == "__main__":
    unittest.main()
