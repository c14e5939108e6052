"""What a user does first, in the order of the README, on nginx."""
import signal
import unittest

from lib import sample_apps
from lib.case import BerthCase
from lib.load import one_request
from lib.waiting import wait_until


class MainJob(BerthCase):
    def setUp(self):
        super().setUp()
        self.repo.configure(files=sample_apps.nginx_files("port"))

    def nginx(self, page):
        return sample_apps.nginx(self.folder / "site", routing="port", bake="500ms", instances=2, page=page)

    def test_from_an_empty_machine_to_a_deployed_switched_and_reverted_app(self):
        self.assertEqual(self.repo.publish(self.nginx("one")), "v1")
        node = self.make_node().start()

        done = node.berth("deploy", "web@v1")
        self.assertSays(done, "active")
        self.assertServes("v1")
        self.assertIn("one", one_request(8080)[2])
        status = node.berth("status").text
        for word in ("web", "v1", "healthy"):
            self.assertIn(word, status)

        self.assertEqual(self.repo.publish(self.nginx("two")), "v2")
        node.berth("deploy", "web@v2")
        self.assertServes("v2")
        self.assertIn("two", one_request(8080)[2])
        self.assertOneWholeRelease(node, "v2")

        history = node.berth("history", "web").out
        self.assertLess(history.index("v2"), history.index("v1"), "newest first")
        wait_until(lambda: "start worker process" in node.berth("logs", "web").out, "what it printed is in the log")

        node.berth("revert", "web")
        self.assertServes("v1")
        self.assertOneWholeRelease(node, "v1")
        self.assertTrue(node.app()["held"], "a revert by hand holds the app")
        node.berth("resume", "web")
        self.assertEqual(node.app()["held"], "")

        node.berth("remove", "web", "--yes")
        self.assertIsNone(node.app())
        with self.assertRaises(OSError):
            one_request(8080)
        self.assertFalse((node.state / "apps" / "web" / "slots").exists() and list((node.state / "apps" / "web" / "slots").iterdir()))
        self.assertTrue((node.logs / "web").is_dir(), "logs stay unless --purge")

    def test_a_build_has_the_same_digest_in_another_folder_and_serves_two_environments_unmodified(self):
        first = self.repo.build(self.nginx("same"))
        again = self.repo.build(sample_apps.nginx(self.folder / "elsewhere", routing="port", bake="500ms", instances=2, page="same"))
        self.assertEqual(first, again)

        self.repo.configure("qa", files=sample_apps.nginx_files("port"))
        self.assertEqual(self.repo.release("web", "qa"), "v1")
        self.repo.berth("promote", "web/qa@v1", "--to", "production", "--repo", self.repo.folder, "--environments", self.repo.environments)
        node = self.make_node().start()
        node.berth("deploy", "web/production@v1")
        self.assertServes("v1")

    def test_what_is_in_the_repository_and_on_the_node_is_listed(self):
        self.repo.publish(self.nginx("one"))
        self.repo.publish(self.nginx("two"))
        node = self.make_node().start()
        node.berth("deploy", "web@v1")
        releases = node.berth("releases", "web", "--json").json()["releases"]
        self.assertEqual({one["release"]: (one["active"], one["on_node"], one["in_repository"]) for one in releases},
                         {"v1": (True, True, True), "v2": (False, False, True)})
        self.assertIn("web", node.berth("apps").out)

    def test_following_the_logs_shows_new_lines_as_they_come(self):
        self.repo.publish(sample_apps.testapp(self.folder / "ticker", "--lines", "20", app="ticker", routing=None, serve=False), files={})
        node = self.make_node().start()
        node.berth("deploy", "ticker@v1")
        follower = node.spawn("logs", "ticker", "-f", "--raw")
        try:
            seen = [follower.stdout.readline().strip() for _ in range(30)]
        finally:
            follower.send_signal(signal.SIGINT)
            follower.communicate(timeout=60)
        numbers = [int(line.split()[1]) for line in seen]
        self.assertEqual(numbers, list(range(numbers[0], numbers[0] + 30)))

    def test_verbs_explain_themselves_with_an_example(self):
        node = self.make_node()
        for verb in ("deploy", "status", "logs", "history", "revert", "remove", "build", "release", "promote", "scale", "restart"):
            self.assertIn(f"berth {verb}", node.berth(verb, "--help").out)

    def test_without_a_daemon_the_exit_code_says_so(self):
        node = self.make_node()
        done = node.berth("status", expect=6)
        self.assertSays(done, str(node.socket))

    def test_a_second_berthd_on_the_same_state_is_kept_out(self):
        node = self.make_node().start()
        other = self.make_node("other", metrics_port=9465)
        other.configure(other.config.read_text().replace(str(other.state), str(node.state)))
        other.start(wait=False)
        self.assertNotEqual(wait_until(lambda: other.process.poll(), "the second berthd gives up"), 0)
        self.assertIn(str(node.state), other.log_tail())
        other.process = None
        self.assertEqual(node.status()["ready"], True)


if __name__ == "__main__":
    unittest.main(verbosity=2)
