"""What the client asks a server for, and what it makes of the answers."""
import time
import unittest

from tuf.case import FIRST, TufCase


class Requests(TufCase):
    def test_a_first_refresh_asks_for_each_role_once(self):
        self.init()
        self.assertAccepted(self.refresh())
        self.assertAsked(*FIRST)

    def test_where_nothing_is_new_it_asks_for_root_and_timestamp(self):
        self.init()
        self.refresh()
        self.assertAccepted(self.refresh())
        self.assertAsked("2.root.json", "timestamp.json")

    def test_the_base_may_lack_its_last_slash(self):
        self.repo.add("dir/a", b"a")
        self.repo.publish_all()
        self.init()
        base = self.server.url
        done = self.run_client("--metadata-url", base + "/metadata", "--metadata-dir", self.metadata, "--target-name", "dir/a", "--target-dir",
                               self.artifacts, "--target-base-url", base + "/targets", "download")
        self.assertAccepted(done)
        self.assertStored(b"a")
        self.assertEqual([path for path in self.server.requests if "//" in path], [])

    def test_role_names_are_percent_encoded_with_upper_case_hex(self):
        for role in ("?", "#", "/delegatedrole", "../delegatedrole", "a b", "é", "Az09_.-~", "*+:@!$&'(),;=%2F"):
            self.repo.delegate("targets", role)
        self.repo.publish_all()
        self.init()
        self.assertRefused(self.download("none"))
        self.assertEqual(self.server.requests[4:], ["1.%3F.json", "1.%23.json", "1.%2Fdelegatedrole.json", "1...%2Fdelegatedrole.json", "1.a%20b.json",
                                                    "1.%C3%A9.json", "1.Az09_.-~.json", "1.%2A%2B%3A%40%21%24%26%27%28%29%2C%3B%3D%252F.json"])

    def test_an_artifact_is_asked_for_once_by_a_digest_in_front_of_its_last_part(self):
        for algorithms in (("sha256",), ("sha512",), ("sha256", "sha512")):
            with self.subTest(algorithms=algorithms):
                self.setUp()
                self.repo.add("some/dir/a.txt", b"a", algorithms=algorithms)
                self.repo.publish_all()
                self.init()
                self.assertAccepted(self.download("some/dir/a.txt"))
                digests = self.repo.content["targets"]["targets"]["some/dir/a.txt"]["hashes"].values()
                self.assertEqual(len(self.server.requests), 5)
                self.assertIn(self.server.requests[4], [f"targets/some/dir/{digest}.a.txt" for digest in digests])

    def test_without_consistent_snapshots_names_are_plain(self):
        self.repo.root["consistent_snapshot"] = False
        self.repo.publish("root")
        self.repo.add("dir/a", b"a")
        self.repo.publish_all()
        self.init()
        self.assertAccepted(self.download("dir/a"))
        self.assertAsked("2.root.json", "3.root.json", "timestamp.json", "snapshot.json", "targets.json", "targets/dir/a")
        self.assertKept(root=2, timestamp=2, snapshot=2, targets=2)


class Answers(TufCase):
    def setUp(self):
        super().setUp()
        self.init()

    def status(self, code):
        return lambda request: request.send_error(code, "odd text")

    def test_404_and_403_of_the_next_root_mean_that_there_is_none(self):
        for code in (404, 403):
            with self.subTest(code=code):
                self.server.instead["metadata/2.root.json"] = self.status(code)
                self.assertAccepted(self.refresh())

    def test_any_other_failure_of_the_next_root_is_fatal_and_not_tried_again(self):
        answers = {code: self.status(code) for code in (400, 410, 429, 500, 503)}
        answers["closed"] = lambda request: None
        answers["nonsense"] = lambda request: request.wfile.write(b"hello\r\n\r\n")
        for name, answer in answers.items():
            with self.subTest(answer=name):
                self.server.instead["metadata/2.root.json"] = answer
                self.assertRefused(self.refresh())
                self.assertAsked("2.root.json")
                self.assertKept(root=1)

    def test_a_missing_role_is_fatal(self):
        for count, path in enumerate(FIRST[1:], 2):
            with self.subTest(path=path):
                self.server.instead = {"metadata/" + path: self.status(404)}
                self.assertRefused(self.refresh())
                self.assertAsked(*FIRST[:count])

    def test_a_role_that_the_server_does_not_answer_for_is_asked_for_once(self):
        self.repo.delegate("targets", "web")
        self.repo.publish_all()
        del self.repo.files["1.web.json"]
        self.assertRefused(self.download("a"))
        self.assertEqual(self.server.requests[4:], ["1.web.json"])
        self.assertKept("root", "timestamp", "snapshot", "targets")

    def test_an_answer_that_breaks_off_is_not_taken(self):
        def half(request):
            data = self.repo.files["timestamp.json"]
            request.send_response(200)
            request.send_header("Content-Length", str(len(data)))
            request.end_headers()
            request.wfile.write(data[:-5])

        self.server.instead["metadata/timestamp.json"] = half
        self.assertRefused(self.refresh())
        self.assertKept("root")

    def test_an_endless_answer_is_cut_off(self):
        sent = []

        def endless(request):
            request.send_response(200)
            request.end_headers()
            try:
                while len(sent) < 4096:
                    request.wfile.write(b" " * 65536)
                    sent.append(65536)
            except OSError:
                pass

        self.server.instead["metadata/timestamp.json"] = endless
        self.assertRefused(self.refresh(), "timestamp.json")
        self.assertLess(sum(sent), 64 << 20)

    def test_a_server_that_says_nothing_more_is_left(self):
        def silent(request):
            request.send_response(200)
            request.end_headers()
            request.wfile.write(b"{")
            self.server.over.wait()

        self.server.instead["metadata/timestamp.json"] = silent
        start = time.monotonic()
        self.assertRefused(self.refresh(), "timestamp.json")
        self.assertLess(time.monotonic() - start, 40)

    def test_nobody_listening_is_a_failure(self):
        self.server.close()
        self.assertRefused(self.refresh())
        self.assertKept("root")


if __name__ == "__main__":
    unittest.main()
