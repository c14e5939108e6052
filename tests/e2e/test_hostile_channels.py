"""Channels that are validly signed and hostile: a node that follows them refuses each by the rule it breaks, and moves nothing."""
import json
import os
import shutil
import subprocess
import unittest

from lib import processes, sample_apps
from lib.case import BerthCase
from lib.programs import FORGE, sanitizer
from lib.waiting import wait_until
from lib.web import RepositoryServer

MOST_MEMORY = 96 << 20  # of berthd; the largest of the channels has 4 MiB and is not even fetched


class HostileChannels(BerthCase):
    def forge(self, *arguments):
        command = [FORGE, self.repo.folder, self.repo.keys["targets"].parent, *arguments]
        return json.loads(subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout)

    def follower(self, apps):
        follows = "".join(f'[[follow]]\napp = "{app}"\nchannel = "stable"\ninterval = "1s"\n' for app in apps)
        return self.make_node(repository=self.server.url, extra=follows).start()

    def errors(self):
        return {one["app"]: one["last_error"] for one in self.node.status()["follows"]}

    def refusals(self):
        """App → why what it follows was not believed: what is told as an event is what ends a command with exit code 4."""
        return {event["app"]: event["data"]["reason"] for event in self.node.events() if event["kind"] == "follow.refused"}

    def serve(self):
        self.server = RepositoryServer(self.repo.folder)
        self.addCleanup(self.server.close)

    def assertRefused(self, app, *words):
        wait_until(lambda: all(word in self.errors()[app] for word in words), f"{app} is refused: {words}", 20)
        told = (f"channel stable of {app}/production", *words)  # the event is written a moment after the status shows why
        wait_until(lambda: all(word in self.refusals().get(app, "") for word in told), f"an event tells that {app} is refused: {told}", 10)

    def reaches(self, release):
        wait_until(lambda: (self.node.app() or {}).get("active") == release and not self.node.app()["deployment"], f"web is at {release}", 30)

    def test_each_is_refused_by_its_rule_and_moves_nothing(self):
        self.repo.publish(sample_apps.testapp(self.folder / "site"))
        self.forge("channel", "v1", "7")
        before = shutil.copytree(self.repo.folder, self.folder / "before")
        hostile = self.forge("channels")
        self.assertGreaterEqual(len(hostile), 20)
        self.serve()
        self.server.folder = before
        self.node = self.follower(["web", *(kind["app"] for kind in hostile)])
        self.reaches("v1")
        with self.refused(self.node):
            self.server.folder = self.repo.folder
            for kind in hostile:
                with self.subTest(kind["app"]):
                    self.assertRefused(kind["app"], kind["rule"])
        self.assertEqual({one["app"] for one in self.node.deployments()}, {"web"})
        self.assertEqual(os.listdir(self.node.state / "apps"), ["web"])
        self.assertEqual(os.listdir(self.node.state / "staging"), [])
        self.assertEqual(os.listdir(self.node.state / "tuf/channels"), ["web.production.stable.json"], "nothing of them is taken")
        self.assertServes("v1")
        if not sanitizer():
            self.assertLess(processes.high_water(self.node.process.pid), MOST_MEMORY)

    def test_an_old_one_is_refused_whoever_signed_it(self):
        for build in ("one", "two"):
            self.repo.publish(sample_apps.testapp(self.folder / "site", note=build))
        self.serve()
        self.forge("channel", "v1", "6")
        self.node = self.follower(["web"])
        self.reaches("v1")
        self.forge("channel", "v2", "7")
        self.reaches("v2")
        with self.refused(self.node):
            self.forge("channel", "v1", "6")
            self.assertRefused("web", "is an old one that was played back", "its serial is 6 (v1)", "has seen 7 (v2)", "never falls")
            self.forge("channel", "v1", "7")
            self.assertRefused("web", "says two things under one serial, 7", "v1 now, and v2")
        self.assertServes("v2")
        self.assertEqual(len(self.node.deployments()), 2)
        self.forge("channel", "v1", "8")
        self.reaches("v1")


if __name__ == "__main__":
    unittest.main(verbosity=2)
