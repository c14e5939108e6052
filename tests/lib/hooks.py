"""An app with hooks: each is a shell script that says in the app's data that it ran, and as who and where."""
import json

from lib import processes, sample_apps
from lib.case import BerthCase

NAMES = ("pre-start", "post-start", "ready-to-switch", "pre-stop", "post-switch", "on-revert")

#: Every script begins so: a line a run in hooks.log of the data folder, HOOK RELEASE.
PREAMBLE = """#!/bin/sh
echo "$BERTH_PROCESS $BERTH_RELEASE" >> "$BERTH_DATA_DIR/hooks.log"
"""


def app(folder, hooks, *arguments, rules=None, data="", more="", **options):
    """testapp with `hooks`: name → what its script does after the preamble. `rules`: name → further lines of its table."""
    text = more
    for name in hooks:
        text += f'[hooks.{name}]\ncommand = {json.dumps([f"bin/{name}"])}\n{(rules or {}).get(name, "")}\n'
    tree = sample_apps.testapp(folder, "--count-starts", *arguments, more=text + data, **options)
    for name, script in hooks.items():
        tree.put(f"bin/{name}", PREAMBLE + script + "\n", 0o755)
    return tree


def ran(node, name="web"):
    """HOOK RELEASE of every run, in order."""
    try:
        return (node.data(name) / "hooks.log").read_text().splitlines()
    except FileNotFoundError:
        return []


def events(node):
    """(HOOK, RELEASE, "started" or the result) of every event of a hook, in order."""
    return [(one["data"]["hook"], one["data"]["release"], one["data"].get("result", "started")) for one in node.events() if one["kind"].startswith("hook.")]


class HookCase(BerthCase):
    """A node that runs, and what tests of hooks do again and again."""

    def setUp(self):
        super().setUp()
        self.node = self.make_node().start()

    def publish(self, scripts, *arguments, **options):
        return self.repo.publish(app(self.folder / "site", scripts, *arguments, **options))

    def deploy_first(self, **options):
        """v1 serves, and has no hook."""
        self.publish({}, **options)
        self.deploy(self.node, "v1")

    def newest(self):
        return self.node.deployments()[0]

    def starts(self):
        """Releases, in the order in which their instances started."""
        return [line.split()[0] for line in (self.node.data() / "starts.log").read_text().splitlines()]

    def assertNothingLeft(self, name):
        """No process of the hook, no keeper of it, none of its folders."""
        left = [pid for pid in processes.all_pids() if processes.is_running(pid) and processes.environment(pid).get("BERTH_PROCESS") == name]
        self.assertEqual(left, [], name)
        known = len(self.node.instances())
        self.assertEqual(len(list((self.node.run / "instances").iterdir())), known)
        self.assertEqual(len(list((self.node.run / "keepers").glob("*.sock"))), known)
