"""The status page in a headless Chromium, at a real node: what it shows, that it lives, that everybody can use it, and that no text of others becomes markup."""
import http.client
import json
import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from lib import contract, sample_apps
from lib.case import BerthCase
from lib.waiting import wait_until
from lib.programs import PATIENCE, SOURCE

HERE = Path(__file__).resolve().parent
IMAGES = SOURCE / "docs/images"
WRITE_DOCS = os.environ.get("BERTH_WRITE_DOCS") == "1"
URL = "http://127.0.0.1:9464/page"
HOSTILE = ['<img src=x onerror="window.wounded=1">', "<script>window.wounded=1</script>", '"><svg onload="window.wounded=1">', "javascript:window.wounded=1", "\u202egnp.exe", "a" * 300]


class Browser:
    """look.js with its Chromium."""

    def __init__(self, folder):
        modules = Path(subprocess.run([str(HERE / "install.sh"), "page"], capture_output=True, text=True, check=True).stdout.strip())
        self.home = Path(tempfile.mkdtemp(dir=folder))
        (self.home / "node_modules").symlink_to(modules / "node_modules")
        shutil.copy(HERE / "page/look.js", self.home)
        program = shutil.which("chromium") or "/usr/bin/chromium"
        env = {**os.environ, "HOME": str(self.home), "XDG_CONFIG_HOME": str(self.home), "XDG_CACHE_HOME": str(self.home), "TMPDIR": str(self.home)}
        self.process = subprocess.Popen(["node", "look.js", program], cwd=self.home, env=env, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.version = self.answer("its start")

    def answer(self, what):
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError(f"the browser ended at {what}: {self.process.wait()}")
        answer = json.loads(line)
        if "error" in answer:
            raise AssertionError(f"{what}: {answer['error']}")
        return answer["result"]

    def do(self, command, **options):
        self.process.stdin.write(json.dumps({"do": command, **options}) + "\n")
        self.process.stdin.flush()
        return self.answer(f"{command} {options}"[:300])

    def wait(self, text, selector="body", seconds=20):
        try:
            self.do("wait", text=text, selector=selector, seconds=seconds * PATIENCE)
        except AssertionError as error:
            raise AssertionError(f"{error}\nthe page shows: {self.do('text', selector='body')}") from None

    def close(self):
        self.process.stdin.close()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()


class Page(BerthCase):
    def setUp(self):
        super().setUp()
        self.node = self.make_node(name="edge-1")
        self.node.configure(self.node.config.read_text().replace("[metrics]\n", "[metrics]\npage = true\n"))
        self.node.start()
        self.browser = Browser(self.folder)
        self.addCleanup(self.browser.close)

    def publish(self, note, *arguments, **options):
        return self.repo.publish(sample_apps.testapp(self.folder / "site", *arguments, note=note, instances=2, **options))

    def judge(self, what):
        self.assertEqual(self.browser.do("judge"), [], what)

    def text(self, selector):
        return self.browser.do("text", selector=selector)

    def nothing_to_complain_of(self, *allowed):
        said = self.browser.do("complaints")
        self.assertEqual(said["dialogs"], [])
        self.assertEqual([one for one in said["complaints"] if not any(word in one for word in allowed)], [])

    def same_page(self):
        self.assertTrue(self.browser.do("evaluate", script="window.loadedOnce === true"), "it was loaded anew")

    def picture(self, name, **options):
        if WRITE_DOCS:
            IMAGES.mkdir(exist_ok=True)
            self.browser.do("picture", path=str(IMAGES / f"{name}.webp"), **options)

    def test_it_shows_a_deployment_and_a_revert_as_they_happen(self):
        browser = self.browser
        for note in ("one", "two"):
            self.publish(note, bake="6s")
        opened = browser.do("open", url=URL)
        self.assertEqual(opened["status"], 200)
        browser.wait("There is none yet")
        self.judge("without an app")
        deploying = self.node.spawn("deploy", "web@v1")
        browser.wait("baking", "#app-web .deployment")
        browser.wait("2 of 2 instances ready", "#app-web .deployment")
        self.judge("in mid-deployment")
        self.assertEqual(self.node.end_of(deploying).code, 0)
        browser.wait("healthy", "#app-web h3")
        browser.wait("active", "#events")
        self.assertIn("Nothing.", self.text("#wrong"))
        self.assertIn("edge-1", self.text("h1"))
        self.assertIn("web v1: active", self.text("#news"))

        deploying = self.node.spawn("deploy", "web@v2")
        browser.wait("Deployment of v2", "#app-web .deployment")
        browser.wait("baking", "#app-web .deployment h4")
        self.picture("page-deploying", width=1280, theme="light", height=900)
        self.picture("page-narrow", width=360, theme="dark", height=780)
        self.judge("in mid-deployment of an update")
        self.assertEqual(self.node.end_of(deploying).code, 0)
        browser.wait("before it v1", "#app-web")
        self.assertIn("web.1v2readyserving0 restarts", self.text("#app-web .rows"))
        browser.wait("at most", "#app-web .chart")  # probes were seen
        # What was opened stays open.
        browser.do("evaluate", script="document.querySelector('#releases-web summary').focus()")
        browser.do("press", key="Enter")
        self.node.berth("revert", "web")
        browser.wait("v1", "#app-web > p .release")
        browser.wait("web is held", "#wrong")
        self.assertTrue(browser.do("evaluate", script="document.querySelector('#releases-web').open && document.activeElement.tagName === 'SUMMARY'"))
        browser.wait("v2 rejected", "#releases-web")
        self.judge("after a revert")
        self.same_page()
        self.nothing_to_complain_of()
        tour = browser.do("keys")
        self.assertEqual([one["text"] for one in tour[:3]], ["Skip to what is wrong", "web", "2 releases on this node"])
        self.assertTrue(all(one["outlined"] for one in tour), tour)

    def test_it_comes_back_after_berthd_did_and_misses_no_event(self):
        browser = self.browser
        for note in ("one", "two"):
            self.publish(note)
        self.deploy(self.node, "v1")
        browser.do("open", url=URL)
        browser.wait("healthy", "#app-web h3")
        browser.wait("Live", "#connection")
        self.node.kill()
        browser.wait("berthd does not answer", "#connection")
        self.judge("while berthd is away")
        self.node.start()
        self.deploy(self.node, "v2")
        browser.wait("Live", "#connection")
        browser.wait("v2", "#app-web > p .release")
        last = self.node.events()[-1]["number"]
        browser.wait(str(last), "#events")
        numbers = browser.do("evaluate", script="[...document.querySelectorAll('#events .number')].map((one) => Number(one.textContent))")
        self.assertEqual(numbers, list(range(last, last - len(numbers), -1)))
        self.same_page()
        self.nothing_to_complain_of("ERR_CONNECTION", "ERR_INCOMPLETE", "ERR_EMPTY_RESPONSE")

    def test_what_is_wrong_comes_first(self):
        browser = self.browser
        self.publish("one")
        self.deploy(self.node, "v1")
        browser.do("open", url=URL)
        browser.wait("Nothing.", "#wrong")
        for times in (1, 2):
            os.kill(self.node.pids()["web/web.1"], 9)
            browser.wait(f"Restarts {times} since this page", "#app-web .charts")
            self.node.wait_app(health="healthy")
        browser.wait("an instance ended and was started again: web.1 (2 restarts)", "#wrong")
        browser.wait("instance.exit web/web.1@v1", "#events")
        self.node.berth("stop", "web/web.1")
        browser.wait("stopped by hand: web.1", "#wrong")
        self.node.berth("stop", "web")
        browser.wait("is stopped", "#wrong")
        self.judge("with a stopped app")
        order = browser.do("evaluate", script="[...document.querySelectorAll('main > section')].map((one) => one.id)")
        self.assertEqual(order, ["wrong", "apps", "events"])
        self.nothing_to_complain_of()

    def test_what_heads_berth_status_is_there(self):
        tree = sample_apps.testapp(self.folder / "site", more='\n[process.report]\ntype = "job"\ncommand = ["/bin/false"]\nrun = "hand"\n')
        self.repo.publish(tree)
        self.repo.publish(tree.put("NOTE", "2"))
        self.repo.point("stable", "v1")
        self.node.configure(self.node.config.read_text() + '\n[[follow]]\napp = "web"\nchannel = "stable"\ninterval = "1s"\n')
        self.node.stop()
        self.node.start()
        self.node.wait_app(active="v1", health="healthy")
        wait_until(lambda: not self.node.app()["deployment"], "its bake is over, during which no job is run by hand")
        self.node.berth("run-job", "web/report", expect=1)
        self.node.berth("pin", "web@v1")
        self.repo.point("stable", "v2")
        self.browser.do("open", url=URL.removesuffix("page"))
        self.browser.wait("the job report failed: berth why web says why", "#wrong")
        self.browser.wait("follows the channel stable, which wants v2, and stays where it is: berth status web says why", "#wrong")
        self.node.berth("mark", "web@v1", "bad")
        self.browser.wait("v1, which is active, is rejected here", "#wrong")
        self.judge("with much that is wrong")
        self.nothing_to_complain_of()

    def test_texts_of_others_become_no_markup(self):
        browser = self.browser
        self.publish("one")
        self.deploy(self.node, "v1")
        status = self.page_status()
        apps = []
        for hostile in HOSTILE:
            app = json.loads(json.dumps(status["apps"][0]))
            app.update(app=hostile, release=hostile, previous=hostile, health=hostile, strategy=hostile, rejected=[hostile], jobs=[{"process": hostile, "state": "failed"}])
            app["last_deployment"].update(release="other" + hostile, state="failed", kind=hostile)
            app["deployment"] = {**app["last_deployment"], "state": hostile, "from": hostile, "steps": [{"state": hostile, "at": hostile}], "created_at": hostile, "release": hostile}
            app["instances"][0].update(process=hostile, release=hostile, crash_looping=True, probes={hostile: {"asked": 1, "failed": 0, "seconds": 1}})
            app["releases"] = [{"release": hostile, "sealed_at": hostile, "bytes": 1, "pinned": True, "drifted": True}]
            apps.append(app)
        events = [{"number": number + 1, "at": hostile, "kind": hostile, "app": hostile, "release": hostile, "instance": hostile, "state": hostile} for number, hostile in enumerate(HOSTILE)]
        events.append({"number": 99, "at": "", "kind": "deployment.state", "app": HOSTILE[0], "release": HOSTILE[1], "state": HOSTILE[2]})
        faked = {**status, "node": HOSTILE[0], "environment": HOSTILE[1], "version": HOSTILE[2], "last_event": 0, "apps": apps,
                 "follows": [{"app": hostile, "channel": hostile, "wanted": hostile, "failing_since": hostile, "stays": True} for hostile in HOSTILE],
                 "sinks": [{**dict.fromkeys(("kind", "state", "last_success"), HOSTILE[0]), "sink": HOSTILE[1], "failing_since": "2026-01-01T00:00:00Z", "lag_seconds": 1, "shipped": 1, "refused": 0, "limited": 0, "lost": 2}],
                 "webhooks": [{**dict.fromkeys(("state", "last_success"), HOSTILE[0]), "webhook": HOSTILE[1], "failing_since": "2026-01-01T00:00:00Z", "lag_seconds": 1, "delivered": 1, "dropped": 2, "retries": 0}]}
        browser.do("open", url=URL)
        browser.do("fake", status=faked, events=events)
        browser.wait(HOSTILE[2], "#news")
        shown = self.text("body")
        for hostile in HOSTILE:
            self.assertGreater(shown.count(hostile), 5, hostile)
        made = browser.do("evaluate", script="[document.querySelectorAll('main img, main script, main iframe, [onerror], [onload], a[href^=\"javascript\"]').length, typeof window.wounded]")
        self.assertEqual(made, [0, "undefined"])
        self.judge("with hostile names")
        self.nothing_to_complain_of()

    # the listener

    def ask(self, path, host="127.0.0.1:9464", **headers):
        connection = http.client.HTTPConnection("127.0.0.1", 9464, timeout=20)
        self.addCleanup(connection.close)
        connection.putrequest("GET", path, skip_host=True)
        for name, value in {"Host": host, **headers}.items():
            connection.putheader(name, value)
        connection.endheaders()
        answer = connection.getresponse()
        return answer, answer.read() if answer.headers.get("Content-Type") != "text/event-stream" else answer.read1(200)

    def page_status(self):
        answer, body = self.ask("/page/status")
        self.assertEqual(answer.status, 200)
        contract.check("GET", "/page/status", None, 200, answer.headers["Content-Type"], body.decode())
        return json.loads(body)

    def test_it_is_under_the_hosts_own_names_alone_and_says_what_it_should(self):
        self.publish("one")
        self.deploy(self.node, "v1")
        status = self.page_status()
        self.assertEqual([app["release"] for app in status["apps"]], ["v1"])
        self.assertNotIn(str(self.folder), json.dumps(status))
        for path in ("/page", "/page/files/page.js", "/page/status", "/page/events?from=1"):
            for host, expected in (("evil.example.org", 403), ("localhost:9464", 200), ("edge-1", 200)):
                answer, body = self.ask(path, host)
                self.assertEqual(answer.status, expected, (path, host, body))
                contract.check("GET", path, None, answer.status, answer.headers["Content-Type"], body.decode())
                if expected == 200:
                    self.assertIn("default-src 'none'", answer.headers["Content-Security-Policy"])
        answer, _ = self.ask("/page")
        self.assertEqual(self.ask("/page", **{"If-None-Match": answer.headers["ETag"]})[0].status, 304)
        off = self.make_node("off", metrics_port=9470).start()
        connection = http.client.HTTPConnection("127.0.0.1", off.metrics_port)
        connection.request("GET", "/page")
        self.assertEqual(connection.getresponse().status, 404)
        connection.close()


if __name__ == "__main__":
    unittest.main()
