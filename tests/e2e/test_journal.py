"""What berthd says in the journal: messages with an id and fields, which a catalogue explains. With a real journald."""
import os
import re
import signal
import subprocess
import unittest
from pathlib import Path

from lib import sample_apps
from lib.case import BerthCase
from lib.journald import Journald, why_not
from lib.programs import SOURCE
from lib.waiting import wait_until

CATALOG = Path("/usr/lib/systemd/catalog/berth.catalog")


def known_messages():
    """Name and id of each, as the program has them."""
    return dict(re.findall(r'\{Message::\w+, "(\w+)", "([0-9a-f]{32})"\}', (SOURCE / "daemon/journal/message.cc").read_text()))


class Catalogue(unittest.TestCase):
    def setUp(self):
        self.root = Path("/run/t/root")
        self.addCleanup(subprocess.run, ["rm", "-rf", self.root])
        for folder in ("usr/lib/systemd/catalog", "var/lib/systemd/catalog"):
            (self.root / folder).mkdir(parents=True)

    def test_is_taken_by_journalctl_and_has_each_message(self):
        (self.root / CATALOG.relative_to("/")).write_text((SOURCE / "systemd/berth.catalog").read_text())
        done = subprocess.run(["journalctl", f"--root={self.root}", "--update-catalog"], capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        listed = subprocess.run(["journalctl", f"--root={self.root}", "--list-catalog"], capture_output=True, text=True, check=True).stdout
        self.assertEqual({line.split()[0] for line in listed.splitlines()}, set(known_messages().values()))
        self.assertTrue(all(line.split(" ", 1)[1].startswith("berthd: ") for line in listed.splitlines()))


    def test_each_message_is_in_the_documentation(self):
        section = (SOURCE / "docs/operating.md").read_text().split("\n## In the journal\n")[1].split("\n## ")[0]
        self.assertEqual(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)[1:], list(known_messages()), "the table, in the order of daemon/journal/message.cc")


@unittest.skipIf(why_not(), why_not())
class InTheJournal(BerthCase):
    def setUp(self):
        super().setUp()
        self.journald = Journald()
        self.addCleanup(self.journald.close)
        self.node = self.make_node()
        self.node.log_file.touch()
        # As systemd has it of a service whose output is the journal: berthd then speaks to journald itself.
        about = os.stat(self.node.log_file)
        self.node.environment = {"JOURNAL_STREAM": f"{about.st_dev}:{about.st_ino}"}

    def entries(self, message):
        return [one for one in self.journald.entries("berthd") if one.get("BERTH_MESSAGE") == message]

    def entry(self, message, **fields):
        """The one entry of that message; it has the fields, and those that all of berthd's have."""
        [one] = wait_until(lambda: self.entries(message), f"the journal has {message}")
        self.assertEqual(one["MESSAGE_ID"], known_messages()[message])
        for name, value in {"SYSLOG_IDENTIFIER": "berthd", "BERTH_NODE": "node-1", "BERTH_ENVIRONMENT": "production", **fields}.items():
            self.assertEqual(one.get(name), value, f"{name} of {one}")
        return one

    def test_messages_have_their_id_and_fields_and_journalctl_explains_them(self):
        self.repo.publish(sample_apps.testapp(self.folder / "web", bake="0s"))
        self.node.start()
        self.node.berth("deploy", "web@v1")
        active = self.entry("deployment_active", BERTH_APP="web", BERTH_RELEASE="v1", BERTH_DEPLOYMENT="1", PRIORITY="6")
        self.assertEqual(active["MESSAGE"], "web@v1: active")

        self.repo.publish(sample_apps.testapp(self.folder / "broken", bake="0s", ready_timeout="1s", serve=False, note="another"))
        self.node.berth("deploy", "web@v2", expect=None)
        failed = self.entry("deployment_failed", BERTH_APP="web", BERTH_RELEASE="v2", BERTH_DEPLOYMENT="2", PRIORITY="4")
        self.assertIn(failed["BERTH_REASON"], failed["MESSAGE"])

        keeper = self.node.status()["apps"][0]["instances"][0]["keeper_pid"]
        os.kill(keeper, signal.SIGKILL)
        self.entry("keeper_taken_over", BERTH_APP="web", BERTH_RELEASE="v1", BERTH_INSTANCE="web/web.1@v1", PRIORITY="4")

        said = self.node.config.read_text()
        self.node.configure(said + "nonsense = 1\n")
        self.node.process.send_signal(signal.SIGHUP)
        refused = self.entry("config_refused", PRIORITY="3")
        self.assertIn("unknown key 'nonsense'", refused["BERTH_REASON"])
        self.assertEqual([one for one in self.journald.entries("berthd") if "MESSAGE_ID" not in one and "BERTH_APP" in one], [], "what a line is about ends with it")
        self.explains({"deployment_failed": "Deployment of web@v2 failed", "config_refused": "was not taken over", "keeper_taken_over": "A new keeper has web/web.1@v1"})

    def explains(self, subjects):
        """`journalctl -x`, with a catalogue of this test's own in the place of the machine's."""
        for folder in ("/usr/lib/systemd/catalog", "/var/lib/systemd/catalog"):
            if not Path(folder).is_dir():
                self.skipTest(f"there is no {folder}")
            subprocess.run(["mount", "-t", "tmpfs", "tmpfs", folder], check=True)
            self.addCleanup(subprocess.run, ["umount", folder])
        CATALOG.write_text((SOURCE / "systemd/berth.catalog").read_text())
        subprocess.run(["journalctl", "--update-catalog"], check=True)
        for message, subject in subjects.items():
            text = subprocess.run(["journalctl", "-D", "/run/log/journal", "-x", "--no-pager", f"BERTH_MESSAGE={message}"], capture_output=True, text=True, check=True).stdout
            self.assertRegex(text, rf"Subject: .*{re.escape(subject)}")
            self.assertIn("Defined-By: berthd", text)
            self.assertNotIn("@BERTH_", text, "fields stand in the place of their names")

    def test_an_instance_that_ends_again_and_again_is_said_once(self):
        self.repo.publish(sample_apps.testapp(self.folder / "loop", "--exit-once-current", "100", app="loop", routing=None, bake="0s"))
        self.node.start()
        self.node.berth("deploy", "loop@v1")
        loops = self.entry("crash_loop", BERTH_APP="loop", BERTH_RELEASE="v1", BERTH_INSTANCE="loop/web.1@v1", PRIORITY="4")
        self.assertIn("ends again and again", loops["MESSAGE"])
        restarts = self.restarts()
        wait_until(lambda: self.restarts() > restarts, "it goes on to end", 60)
        self.assertEqual(len(self.entries("crash_loop")), 1)

    def restarts(self):
        return self.node.status()["apps"][0]["instances"][0]["restarts"]

    def test_what_is_wrong_with_the_node_itself_is_said(self):
        text = self.node.config.read_text()
        self.node.configure(text.replace('reserve = "1MB"', 'reserve = "1000TB"'))
        self.node.start()
        low = self.entry("disk_low", BERTH_SUBJECT=str(self.node.state), PRIORITY="4")
        self.assertIn("less than the 1000000000 MB that are kept free", low["MESSAGE"])


if __name__ == "__main__":
    unittest.main()
