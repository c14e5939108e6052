"""Whether berthd and the command line keep to docs/openapi.yaml: every operation of it, asked by the command line where that has a verb for it."""
import copy
import json
import unittest
from unittest import mock

from lib import contract, sample_apps
from lib.case import BerthCase
from lib.relay import Relay


class Contract(BerthCase):
    def setUp(self):
        super().setUp()
        self.node = self.make_node()
        self.node.configure(self.node.config.read_text().replace("[metrics]\n", "[metrics]\npage = true\n") + '[[webhook]]\nname = "chat"\nurl = "http://127.0.0.1:1/"\n')
        self.node.start()
        self.relay = Relay(self.folder / "relay.sock", self.node.socket)
        self.addCleanup(self.relay.close)
        self.seen = set()  # the operations that were used, each with "done" and "problem"

    def berth(self, *arguments, expect=0):
        self.node.berth("--socket", self.relay.path, *arguments, expect=expect)
        for one in self.relay.take():
            self.seen.add(contract.check(one.method, one.target, one.body, one.status, one.kind, one.text, dict(one.sent), dict(one.got)))

    def ask(self, method, target, body=None):
        answer = self.node.api(method, target, body)
        return contract.check(*self.told(method, target, body, answer), {}, dict(answer.headers.items()))

    def asked(self, method, target, body=None, headers=None):
        return self.told(method, target, body, self.node.api(method, target, body, headers))

    def told(self, method, target, body, answer):
        return method, target, None if body is None else json.dumps(body), answer.status, answer.headers.get("Content-Type", ""), answer.body

    def publish(self, note):
        more = '[process.report]\ntype = "job"\nrun = "hand"\ncommand = ["/bin/true"]\n[hooks.post-switch]\ncommand = ["/bin/true"]\n'
        return self.repo.publish(sample_apps.testapp(self.folder / "site", note=note, instances=2, more=more))

    def test_every_operation_is_asked_and_answered_as_the_document_says(self):
        for note in ("one", "two", "three"):
            self.publish(note)
        self.berth("deploy", "web@v1", "--reason", "the first")
        self.berth("deploy", "web@v2", "--plan")
        self.berth("deploy", "web@v2")
        self.berth("deploy", "web@v2")
        self.berth("deploy", "web@v2", "--plan")
        self.berth("deploy", "web@v9", "--plan", expect=3)
        self.berth("why", "web")
        self.berth("revert", "web", "--plan")
        self.berth("revert", "web", "--plan", "--to", "v2")
        self.berth("revert", "web", "--plan", "--to", "v9", expect=3)
        self.berth("revert", "web")
        self.berth("deploy", "web@v2", expect=8)
        for verb in ("resume", "hold", "resume"):
            self.berth(verb, "web")
        self.berth("mark", "web@v3", "bad")
        self.berth("deploy", "web@v3", expect=8)
        self.berth("mark", "web@v3", "good")
        for verb in ("stop", "start", "restart"):
            self.berth(verb, "web/web.1")
        self.berth("scale", "web/web=3")
        self.berth("exec", "web", "--", "/bin/true")
        self.berth("run-job", "web/report", expect=None)
        self.berth("pin", "web@v1")
        self.berth("unpin", "web@v1")
        for verb in (["status"], ["releases", "web"], ["history", "web"], ["apps"], ["events"], ["gc"], ["verify", "--all"]):
            self.berth(*verb)
        exported = self.folder / "web.berth"
        self.repo.berth("export", "web/production@v3", "--repo", self.repo.folder, "-o", exported)
        self.berth("import", exported)
        self.berth("webhook", "test", "chat", "--no-wait")
        self.berth("cancel", "web", expect=None)
        for verb in ("drain", "resume", "reload"):
            self.berth("node", verb)
        for page in ("/metrics", "/metrics/apps", "/sd", "/status", "/page", "/page/files/page.js", "/page/status", "/healthz", "/readyz", "/v1/apps/web", "/v1/apps/web/jobs/report", "/v1/apps/web/logs?lines=3&process=web&number=1&since=1h", "/v1/events?last=3", "/v1/events?from=1&wait=1m", "/v1/deployments?app=web&limit=1", "/v1/deployments?limit=2&before=2&since=1h&until=2030-01-01", "/v1/deployments/1?wait=60s", "/v1/deployments/1?wait=1&until=switched&after=baking"):
            self.seen.add(self.ask("GET", page))
        self.seen.add(self.ask("POST", "/v1/apps/web/jobs/report/run", {}))
        self.berth("remove", "web", "--purge", "--yes")
        operations = {operation["operationId"] for _method, _pattern, _path, operation in contract.operations()}
        self.assertEqual(operations - {name for name, how in self.seen if how == "done"}, {"cancelDeployment", "followPageEvents", "exec"}, "answered well")  # the latter two have no end: interop/test_page.py and test_exec_stream.py ask them
        self.assertEqual({name for name, how in self.seen if how == "problem"} & {"deploy"}, {"deploy"})

    def test_what_the_document_refuses_berthd_refuses(self):
        """Bodies and queries that the document does not allow."""
        self.publish("one")
        self.deploy(self.node, "v1")
        wrong = [("POST", "/v1/apps/web/deployments", {"release": "v1", "forced": True}), ("POST", "/v1/apps/web/deployments", {}), ("POST", "/v1/apps/web/deployments", {"release": "a/b"}),
                 ("POST", "/v1/apps/web/deployments", {"release": 7}), ("POST", "/v1/apps/web/scale", {"process": "web", "instances": 257}),
                 ("POST", "/v1/apps/web/stop", {"number": 1}), ("POST", "/v1/apps/web/mark", {"release": "v1", "as": "ugly"}), ("POST", "/v1/apps/web/exec", {"command": []}),
                 ("POST", "/v1/apps/web/exec", {"command": ["a"], "term": "x" * 65}), ("POST", "/v1/imports", {"path": "here"}), ("POST", "/v1/verify", {"every": True}), ("POST", "/v1/gc", {"app": "No"}),
                 ("POST", "/v1/apps/web/hold", {"reason": "x" * 1001}), ("POST", "/v1/apps/web/revert", {"to": ""} | {"keep": 1}), ("POST", "/v1/apps/web/revert/plan", {"release": "v1"}), ("POST", "/v1/apps/web/revert/plan", {"to": "a/b"}), ("GET", "/v1/events?limit=1001", None), ("GET", "/v1/events?from=0", None), ("GET", "/v1/events?last=0", None), ("GET", "/v1/deployments/1?wait=1.5s", None),
                 ("GET", "/v1/deployments?limit=0", None), ("GET", "/v1/deployments?page=2", None), ("GET", "/v1/deployments?before=0", None), ("GET", "/v1/deployments/1?until=later", None), ("DELETE", "/v1/apps/web?purge=yes", None)]
        for method, target, body in wrong:
            with self.subTest(target=target, body=body):
                asked = self.asked(method, target, body)
                self.assertEqual(asked[3], 400, asked[5])
                contract.check(*asked)
                with self.assertRaises(contract.Broken, msg="the document takes it"):
                    contract.check(*asked[:3], 200, "application/json", "{}")
        self.assertServes("v1")

    def test_the_judge_sees_what_is_not_in_the_document(self):
        """Each break of a good answer is seen: this test's own test."""
        self.publish("one")
        self.deploy(self.node, "v1")
        method, target, body, status, kind, text = self.asked("GET", "/v1/status")
        contract.check(method, target, body, status, kind, text)
        good = json.loads(text)

        def broken(change):
            one = copy.deepcopy(good)
            change(one)
            return one
        for change in (lambda one: one.pop("ready"), lambda one: one.update(more=1), lambda one: one["apps"][0].update(health="fine"), lambda one: one["apps"][0]["instances"][0].pop("pid"),
                       lambda one: one.update(since="yesterday"), lambda one: one["apps"][0]["last_deployment"].update(state="ended"), lambda one: one["disk"].update(free_bytes=-1)):
            with self.assertRaises(contract.Broken):
                contract.check(method, target, body, status, kind, json.dumps(broken(change)))
        for other in ((method, "/v1/nothing", body, status, kind, text), (method, target + "?x=1", body, status, kind, text), (method, target, body, 204, kind, text),
                      (method, target, body, status, "text/html", text), ("POST", target, body, status, kind, text)):
            with self.assertRaises(contract.Broken):
                contract.check(*other)
        got = {"ETag": '"0123"'}
        app = self.node.api("GET", "/v1/apps/web").body
        contract.check("GET", "/v1/apps/web", None, 200, kind, app, {}, got)
        problem = json.dumps({"type": "about:blank", "title": "permission", "status": 401, "detail": "a token", "code": "permission", "exit": 7})
        contract.check("GET", "/metrics", None, 401, "application/problem+json", problem, {}, {"www-authenticate": 'Bearer realm="berth"'})
        deploy = ("POST", "/v1/apps/web/deployments", '{"release": "v1"}', 202, kind, json.dumps(self.node.deployments()[0]))
        contract.check(*deploy, {"idempotency-key": "k", "If-Match": "*"}, got)
        line = json.dumps({"time": "2026-11-24T09:00:00Z", "app": "web", "process": "web", "instance": "web/web.1@v1", "stream": "stdout", "sequence": 1, "text": "x"})
        event = json.dumps({"number": 1, "at": "2026-11-24T09:00:00Z", "kind": "k", "app": "", "data": {}})
        contract.check("GET", "/v1/apps/web/logs", None, 200, "application/x-ndjson", f"{line}\n\n")
        contract.check("GET", "/v1/events", None, 200, "text/event-stream", f": a sign\n\nid: 1\nevent: k\ndata: {event}\n\nid: 2\nda")
        for other in (("GET", "/v1/apps/web", None, 200, kind, app, {}, {}), ("GET", "/v1/apps/web", None, 200, kind, app, {}, {"etag": "0123"}), (method, target, body, status, kind, text, {}, got),
                      ("GET", "/metrics", None, 401, "application/problem+json", problem, {}, {}), ("GET", "/healthz", None, 401, "application/problem+json", problem, {}, {"www-authenticate": "Bearer"}),
                      (*deploy, {}, {}), (*deploy, {"idempotency-key": "a b"}, got), (method, target, body, status, kind, text, {"if-match": "*"}, {}),
                      ("GET", "/v1/apps/web/logs", None, 200, "application/x-ndjson", line.replace("stdout", "stdin")), ("GET", "/v1/apps/web/logs", None, 200, "application/x-ndjson", line[:-1] + ', "more": 1}'),
                      ("GET", "/v1/events", None, 200, "text/event-stream", f"id: 1\ndata: {event.replace('number', 'id')}\n\n")):
            with self.assertRaises(contract.Broken, msg=other):
                contract.check(*other)
        with mock.patch.object(contract, "seen", set()):
            for _ in range(2):
                with self.assertRaises(contract.Broken):
                    contract.check_new(method, target, body, status, kind, json.dumps(broken(lambda one: one.pop("ready"))))


if __name__ == "__main__":
    unittest.main()
