"""Events reach their webhooks: each one, signed and in order, in the face of receivers that are away, slow or wrong, and of kills of berthd."""
import json
import os
import random
import re
import signal
import subprocess
import time
import unittest

from lib import sample_apps
from lib.case import BerthCase
from lib.certificates import Authority
from lib.programs import BERTHD, SOURCE
from lib.waiting import wait_until
from lib.webhook_receiver import WebhookReceiver

PORT = 9301
SECRET = "whsec_VGhhdCBpcyBoaWRkZW4gZnJvbSBldmVyeWJvZHku"
PATH = "/services/T0001/hidden-from-everybody"
KILLS = int(os.environ.get("BERTH_TEST_KILLS", "6"))


def type_of(event):
    """As docs/webhooks.md says."""
    if event["kind"] == "deployment.state":
        return "deployment." + event["data"]["state"]
    if event["kind"] == "job.ended":
        return "job." + event["data"]["state"]
    stopped = event["kind"] == "instance.exit" and re.match("stopped$|restarted(: |$)", event["data"]["reason"])
    return "instance.stopped" if stopped else event["kind"]


def types_of_the_page():
    """All, and those that are sent where nobody says which."""
    table = (SOURCE / "docs/webhooks.md").read_text().split("## Which events")[1].split("## The body")[0].split("|---|---|")[1]
    first = [line.split("|")[1] for line in table.strip().splitlines()]
    return set(re.findall(r"`([a-z_.]+)`", " ".join(first))), set(re.findall(r"\*\*`([a-z_.]+)`\*\*", " ".join(first)))


class Webhooks(BerthCase):
    def setUp(self):
        super().setUp()
        self.secret = self.folder / "secret"
        self.secret.write_text(SECRET + "\n")
        self.receiver = None

    def receive(self, secret=SECRET, path=PATH, **options):
        self.receiver = WebhookReceiver(PORT, secret, path, **options)
        self.addCleanup(self.close)
        return self.receiver

    def close(self):
        if self.receiver:
            self.receiver.close()
            self.receiver = None

    def webhook(self, keys="", name="chat"):
        return f'[[webhook]]\nname = "{name}"\nurl = "http://127.0.0.1:{PORT}{PATH}"\nsecret = "file:{self.secret}"\n{keys}'

    def begin(self, keys="", **options):
        """A node with an app and a webhook, which has got nothing of the deployment."""
        self.repo.publish(sample_apps.testapp(self.folder / "site", note="one"))
        self.node = self.make_node(**options).start()
        self.deploy(self.node, "v1")
        self.before = self.node.config.read_text()
        self.reload(self.webhook(keys))
        wait_until(lambda: (self.node.state / "webhooks" / "chat.cursors").exists(), "the webhook begins", 20)
        self.first = self.node.events()[-1]["number"] + 1
        return self.node

    def reload(self, more):
        self.node.configure(self.before + more)
        told = self.node.log_file.read_text().count("reloaded ")
        self.node.process.send_signal(signal.SIGHUP)
        wait_until(lambda: self.node.log_file.read_text().count("reloaded ") > told, "it is reloaded", 20)

    def hold(self, times):
        """Two events each time."""
        for i in range(times):
            self.node.berth("hold", "web", "--reason", f"number {i}")
            self.node.berth("resume", "web")

    def status_of(self, name="chat"):
        (found,) = [one for one in self.node.status()["webhooks"] if one["webhook"] == name]
        return found

    def metric(self, name):
        (line,) = [line for line in self.node.metrics().splitlines() if line.startswith(f'berth_webhook_{name}{{webhook="chat"}} ')]
        return float(line.rsplit(" ", 1)[1])

    def owed(self, wanted):
        """Numbers of the events that the webhook is to get."""
        return [event["number"] for event in self.node.events() if event["number"] >= self.first and type_of(event) in wanted]

    def assertComplete(self, wanted=types_of_the_page()[1], seconds=40):
        """Everything came, in order but for what comes again, and doubles are known by their id."""
        owed = self.owed(wanted)
        wait_until(lambda: set(self.receiver.numbers()) >= set(owed), f"each of {owed} has come", seconds)
        ids = {}
        for identity, message in self.receiver.entries:
            self.assertEqual(ids.setdefault(message["number"], identity), identity, "an event that comes again has the id of before")
        self.assertEqual(len(set(ids.values())), len(ids), "no two events have one id")
        self.assertEqual(list(ids), owed, "each, in its order, and nothing else")
        self.assertEqual(self.receiver.complaints, [])
        return len(self.receiver.entries) - len(owed)

    # what arrives

    def test_events_of_deployments_arrive_signed_and_in_order(self):
        receiver = self.receive()
        node = self.begin()
        self.repo.publish(sample_apps.testapp(self.folder / "site", note="two"))
        self.deploy(node, "v2")
        node.berth("revert", "web")
        self.hold(1)
        self.assertEqual(self.assertComplete(), 0, "nothing comes twice without a reason")
        deployments = [(message["type"], message["data"]["release"]) for _, message in receiver.entries if message["type"].startswith("deployment.")]
        self.assertEqual(deployments, [("deployment.queued", "v2"), ("deployment.active", "v2"), ("deployment.queued", "v1"), ("deployment.active", "v1")])
        self.assertEqual(receiver.types()[-2:], ["operator.hold", "operator.resume"])
        events = {event["number"]: event for event in node.events()}
        for _, message in receiver.entries:
            event = events[message["number"]]
            self.assertEqual((message["timestamp"], message["app"], message["data"]), (event["at"], event["app"], event["data"]))
            self.assertEqual((message["node"], message["environment"]), ("node-1", "production"))
        self.assertRegex(receiver.entries[0][1]["text"], r"^node-1 \(production\): deployment \d+ of web@v2: queued by ")
        wait_until(lambda: self.status_of()["state"] == "up to date", "the last answer is there", 10)
        self.assertEqual([self.metric(name) for name in ("delivered_total", "dropped_total", "failing", "lag_seconds")], [len(receiver.entries), 0, 0, 0])
        self.assertLess(abs(self.metric("last_success_timestamp_seconds") - time.time()), 120)
        self.assertNotIn("webhook", node.berth("status").out, "what is well needs no line")
        self.assertLessEqual({type_of(event) for event in events.values()}, types_of_the_page()[0])

    def test_what_happens_after_a_restore_is_sent_whatever_numbers_were_taken_before(self):
        receiver = self.receive()
        node = self.begin()
        self.hold(1)
        wait_until(lambda: receiver.types()[-1:] == ["operator.resume"], "it has all there is", 20)
        last = receiver.numbers()[-1]
        node.berth("backup", self.folder / "node.tar")
        self.hold(2)
        wait_until(lambda: receiver.numbers()[-1] == last + 4, "it is further than the backup", 20)
        node.stop()
        node.berth("restore", self.folder / "node.tar", "--config", node.config, "--force")
        node.start()
        wait_until(lambda: receiver.types()[-1:] == ["operator.restore"], "it is told of the restore", 20)
        self.assertEqual(receiver.numbers()[-1], last + 1)
        self.assertEqual(len({identity for identity, _ in receiver.entries}), len(receiver.entries), "no two events have one id")

    def test_a_signature_is_verified_as_the_page_says(self):
        receiver = self.receive()
        self.begin()
        self.hold(1)
        self.assertComplete()
        headers, body = receiver.bodies[0]
        (self.folder / "body").write_bytes(body)
        code = re.search("<!-- verified by test_webhooks.py -->\n```sh\n(.*?)```", (SOURCE / "docs/webhooks.md").read_text(), re.S)[1]
        for secret, right in ((SECRET, True), ("whsec_AAAA", False)):
            variables = {"id": headers["webhook-id"], "timestamp": headers["webhook-timestamp"], "secret": secret, "PATH": os.environ["PATH"]}
            said = subprocess.run(["sh", "-euc", code], cwd=self.folder, env=variables, capture_output=True, text=True, check=True).stdout
            self.assertEqual("v1," + said.strip() == headers["webhook-signature"], right)

    def test_types_and_apps_are_chosen_and_a_chat_gets_a_text(self):
        self.receive(secret=None, chat=True)
        keys = 'events = ["operator.*", "deployment.failed"]\napps = ["web"]\nformat = "chat"\n'
        node = self.begin()
        self.reload(self.webhook(keys).replace(f'secret = "file:{self.secret}"\n', ""))
        node.berth("hold", "web", "--reason", "<!channel> & co")
        node.berth("resume", "web")
        wait_until(lambda: len(self.receiver.entries) == 2, "both have come", 20)
        self.assertRegex(self.receiver.entries[0][1]["text"], r"operator.hold web by .*: &lt;!channel&gt; &amp; co$")
        self.assertEqual(self.receiver.complaints, [])

    def test_over_tls_both_prove_who_they_are(self):
        authority = Authority(self.folder)
        server, client = authority.issue("hooks", "127.0.0.1"), authority.issue("node")
        self.receive(certificate=str(server), ca=str(authority.file))
        self.begin()
        tls = f'ca_file = "{authority.file}"\ncertificate_file = "{client}.pem"\nkey_file = "{client}.key"\n'
        secure = self.webhook(tls).replace("http:", "https:")
        self.reload(secure)
        self.hold(1)
        self.assertComplete()
        self.reload(secure.replace(f'ca_file = "{authority.file}"\n', ""))
        self.node.berth("hold", "web")
        wait_until(lambda: self.status_of()["state"] == "failing", "nobody else is believed", 20)
        self.assertIn("certificate", self.status_of()["last_error"])

    # what goes wrong

    def test_a_receiver_that_is_away_or_in_trouble_gets_all_of_it(self):
        self.receive()
        node = self.begin('timeout = "1s"\n')
        self.hold(1)
        self.assertComplete()
        faults = [500, (429, {"Retry-After": "2"}, b"slow down"), "close", "reset", "swallow", ("slow", 2.5), 503, 408, (302, {"Location": f"http://127.0.0.1:{PORT}/else"}, b""), 404]
        for fault in faults:
            with self.subTest(fault=fault):
                # A connection that was kept and turns out to be closed is made anew at once.
                self.receiver.faults = [fault, fault] if isinstance(fault, str) else [fault]
                began, retries = time.monotonic(), self.status_of()["retries"]
                self.hold(1)
                doubled = self.assertComplete()
                self.assertGreater(self.status_of()["retries"], retries)
                if isinstance(fault, tuple) and fault[0] == 429:
                    self.assertGreaterEqual(time.monotonic() - began, 2, "it asked for that")
        self.assertLessEqual(doubled, 3, "only where the answer was lost")
        entries = self.receiver.entries
        self.close()
        self.hold(3)
        wait_until(lambda: self.status_of()["state"] == "failing" and self.status_of()["retries"] > len(faults) + 1, "it is seen that nobody is there", 20)
        self.assertSays(node.berth("status"), "webhook chat takes nothing for", f"http://127.0.0.1:{PORT}: ")
        self.assertEqual(self.metric("failing"), 1)
        self.assertGreater(self.metric("lag_seconds"), 0)
        self.assertEqual(node.stop(), 0)
        node.start()
        self.node.berth("hold", "web", "--reason", "while it is away")
        self.receive().entries = entries
        self.assertComplete()
        wait_until(lambda: self.metric("failing") == 0, "all is well", 10)

    def test_nothing_is_lost_while_berthd_is_killed_again_and_again(self):
        self.receive()
        node = self.begin()
        random.seed(7)
        for _ in range(KILLS):
            self.receiver.faults = random.choices([500, "close", "swallow", (429, {"Retry-After": "1"}, b"")], k=random.randint(0, 2))
            self.hold(2)
            time.sleep(random.uniform(0, 0.4))
            node.kill()
            node.start()
        self.receiver.faults = []
        self.hold(1)
        doubled = self.assertComplete(seconds=60)
        self.assertGreaterEqual(len(self.owed(types_of_the_page()[1])), KILLS * 4)
        self.progress(f"{KILLS} kills, {doubled} came twice")

    def test_what_is_refused_for_good_is_told_and_holds_up_nothing(self):
        receiver = self.receive()
        node = self.begin()
        receiver.faults = [410]
        self.hold(1)
        wait_until(lambda: self.status_of()["dropped"] == 1, "one is given up", 20)
        wait_until(lambda: receiver.types() == ["operator.resume"], "the next one comes", 20)
        self.assertSays(node.berth("status"), "webhook chat will never get 1 event", f"http://127.0.0.1:{PORT}: it answers 410 Gone")
        receiver.faults = [(400, {}, b"invalid_payload")] * 5
        self.hold(1)
        wait_until(lambda: self.status_of()["dropped"] == 2, "it is given up", 30)
        wait_until(lambda: receiver.types() == ["operator.resume"] * 2, "the next one comes", 20)
        self.assertSays(node.berth("status"), "webhook chat will never get 2 events", "invalid_payload")
        self.assertEqual([self.metric(name) for name in ("delivered_total", "dropped_total", "retries_total")], [2, 2, 4])
        self.assertEqual(node.log_file.read_text().count("410 Gone"), 1, "it is told once")
        receiver.faults = [500]
        self.hold(1)
        wait_until(lambda: self.status_of()["delivered"] == 4, "it takes again", 20)
        self.assertEqual(self.status_of()["last_error"], "", "which is over")
        self.assertIn("invalid_payload", self.status_of()["dropped_why"])
        self.assertSays(node.berth("status"), "webhook chat will never get 2 events, the last one ", "invalid_payload")
        self.assertSays(node.berth("webhook", "list"), "WHY", "given up: ", "invalid_payload")

    def test_a_test_is_taken_refused_or_waited_for(self):
        receiver = self.receive()
        node = self.begin('events = ["operator.hold"]\n')
        self.assertSays(node.berth("webhook", "test", "chat", "--reason", "a new chat"), "Webhook chat has taken the event.")
        ((_, message),) = receiver.entries
        self.assertEqual((message["type"], message["app"], message["data"]["webhook"], message["data"]["why"]), ("operator.webhook_test", "", "chat", "a new chat"))
        self.assertRegex(node.berth("webhook", "list").out, r"(?m)^chat +up to date +1 +0 ")
        self.assertEqual(json.loads(node.berth("webhook", "list", "--json").out)["webhooks"], node.status()["webhooks"])
        self.assertSays(node.berth("webhook", "test", "chta", expect=3), "no webhook 'chta' in berthd.toml, which has chat")
        self.assertSays(node.berth("webhook", "test", "a/b", expect=2), "'a/b' is no name of a webhook")
        receiver.faults = [500] * 20
        self.assertSays(node.berth("webhook", "test", "chat", "--timeout", "1s", expect=9), f"webhook chat has not taken the event: http://127.0.0.1:{PORT}: ", "berthd goes on trying")
        self.assertSays(node.berth("webhook", "test", "chat", "--timeout", "2s", expect=9), f"Webhook chat has not taken it yet (http://127.0.0.1:{PORT}: ", "; it is waited for, 2.0s at most.")
        receiver.faults = []
        wait_until(lambda: self.status_of()["delivered"] == 3, "they are taken later", 40)
        for now in (("webhook", "test", "chat", "--timeout", "20s"), ("node", "reload")):
            receiver.faults = [(503, {"Retry-After": "300"}, b"")]
            delivered = self.status_of()["delivered"]
            node.berth("webhook", "test", "chat", "--timeout", "1s", expect=9)
            node.berth(*now)
            wait_until(lambda: self.status_of()["delivered"] >= delivered + len(now) // 4 + 1, f"berth {now} has it tried at once", 20)
        receiver.faults = [410]
        self.assertSays(node.berth("webhook", "test", "chat", expect=1), "webhook chat has refused the event for good: ", "410")
        receiver.faults = [410]
        refused = json.loads(node.berth("webhook", "test", "chat", "--json", expect=1).err)
        self.assertEqual(refused["exit"], 1)
        self.assertIn("webhook chat has refused the event for good: ", refused["detail"])

    def test_what_waited_for_too_long_is_given_up(self):
        self.receive()
        node = self.begin('keep = "2s"\n')
        self.close()
        self.hold(2)
        wait_until(lambda: self.status_of()["dropped"] == 4, "all of it is given up", 40)
        wait_until(lambda: self.status_of()["state"] == "up to date", "nothing waits any more", 20)
        self.assertSays(node.berth("status"), "webhook chat will never get 4 events, the last one ", "as long as they are kept ('keep') (", f"http://127.0.0.1:{PORT}: ")
        self.assertEqual([self.metric(name) for name in ("failing", "lag_seconds", "dropped_total")], [0, 0, 4])
        self.receive()
        self.hold(1)
        wait_until(lambda: self.receiver.types() == ["operator.hold", "operator.resume"], "what is new arrives", 20)

    def test_a_damaged_cursor_is_told(self):
        self.receive()
        node = self.begin('events = ["*"]\n')
        self.hold(1)
        wait_until(lambda: self.status_of()["state"] == "up to date" and self.receiver.types()[-1:] == ["operator.resume"], "all has come", 20)
        node.stop()
        cursors = node.state / "webhooks" / "chat.cursors"
        cursors.write_bytes(cursors.read_bytes()[:-20])
        ids = {message["number"]: identity for identity, message in self.receiver.entries}
        node.start()
        wait_until(lambda: "webhook.cursor_damaged" in self.receiver.types(), "everything comes again", 20)
        self.assertEqual(self.metric("cursor_resets_total"), 1)
        self.assertEqual(set(self.receiver.numbers()), {event["number"] for event in node.events()})
        again = {message["number"]: identity for identity, message in self.receiver.entries}
        self.assertEqual({number: again[number] for number in ids}, ids)

    # secrets

    def test_a_secret_that_is_not_there_is_told_and_waited_for(self):
        self.receive()
        node = self.begin()
        good = node.config.read_text()
        self.secret.unlink()
        node.process.send_signal(signal.SIGHUP)
        wait_until(lambda: node.status()["config_refused"], "the reload is refused", 20)
        self.assertRegex(node.status()["config_refused"]["reason"], rf"berthd.toml:\d+:1: \[\[webhook\]\] chat: secret: .*{self.secret}")
        checked = subprocess.run([BERTHD, "--check", "--config", node.config], capture_output=True, text=True)
        self.assertNotEqual(checked.returncode, 0)
        self.assertIn("[[webhook]] chat: secret: ", checked.stderr)
        node.stop()
        node.configure(good)
        node.start()  # what runs apps does not depend on chats
        self.node.berth("hold", "web")
        wait_until(lambda: self.status_of()["state"] == "failing", "it is seen", 20)
        self.assertSays(node.berth("status"), "webhook chat takes nothing", "secret: ", str(self.secret))
        self.secret.write_text("another secret")
        self.receiver.secret = "another secret"
        self.assertComplete()
        self.secret.write_text(SECRET)  # exchanged while it runs
        self.receiver.secret = SECRET
        self.hold(1)
        self.assertComplete()

    def test_neither_the_secret_nor_the_path_is_anywhere(self):
        receiver = self.receive()
        place = self.folder / "url"
        place.write_text(f"http://127.0.0.1:{PORT}{PATH}\n")
        by_reference = self.webhook(name="second").replace(f"http://127.0.0.1:{PORT}{PATH}", f"file:{place}")
        node = self.begin()
        self.reload(self.webhook() + by_reference)
        wait_until(lambda: (node.state / "webhooks" / "second.cursors").exists(), "it begins", 20)
        shown = []

        def look():
            shown.extend([node.berth("status").text, node.berth("status", "--json").text, node.metrics(), str(node.status()), str(node.events())])

        echo = f"Cannot POST {PATH}".encode()
        receiver.faults = [(404, {}, echo)] * 3 + [(400, {}, echo)] * 1000
        self.hold(1)
        wait_until(lambda: all(self.status_of(name)["dropped"] > 0 for name in ("chat", "second")) or look(), "both are refused", 40)
        look()
        receiver.faults = []
        self.close()
        self.hold(1)
        wait_until(lambda: self.status_of("second")["state"] == "failing", "it is away", 20)
        look()
        self.secret.write_text(SECRET + "*")
        wait_until(lambda: "secret: behind" in self.status_of()["last_error"], "the secret is wrong", 60)
        look()
        self.assertIn("Cannot POST [redacted]", "".join(shown))
        texts = shown + [node.log_file.read_text()]
        for folder in (node.state, node.logs, node.run):
            texts += [path.read_bytes().decode(errors="replace") for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
        for text in texts:
            for hidden in (SECRET, SECRET[6:], "That is hidden", "hidden-from-everybody"):
                self.assertNotIn(hidden, text)

    def test_what_is_wrong_in_the_configuration_is_named(self):
        node = self.begin()
        for wrong, complaint in ((self.webhook('secrte = "x"\n'), "unknown key 'secrte' in [[webhook]] (did you mean 'secret'?)"),
                                 (self.webhook('events = ["deployment.fialed"]\n'), "there is no 'deployment.fialed' (did you mean 'deployment.failed'?)")):
            node.configure(self.before + wrong)
            checked = subprocess.run([BERTHD, "--check", "--config", node.config], capture_output=True, text=True)
            self.assertEqual(checked.returncode, 2, checked.stderr)
            self.assertRegex(checked.stderr, rf":\d+:\d+: .*{re.escape(complaint)}")


if __name__ == "__main__":
    unittest.main(verbosity=2)
