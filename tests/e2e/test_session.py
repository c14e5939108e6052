"""docs/session.md and README.md: what they show of a terminal is what these commands print, but for times, digests and the like. BERTH_WRITE_DOCS=1 writes it anew."""
import difflib
import os
import re
import subprocess
import unittest

from lib import sample_apps
from lib.case import BerthCase
from lib.pages import OF_THE_MACHINE, compared
from lib.programs import BERTH, PATIENCE, SOURCE, sanitizer

PAGES = (SOURCE / "docs/session.md", SOURCE / "README.md")
IN_THE_README = ("berth deploy web@v2", "berth deploy web@v3", "berth why web", "berth revert web --reason 'the menu is missing'")
SERVER = '#!/bin/sh\necho "listening on port $PORT"\nexec bin/testapp --serve --port "$PORT"\n'
BROKEN = '#!/bin/sh\necho "connecting to db.internal:5432"\necho "no such host: db.internal"\nexit 1\n'


def in_any_order(lines):
    """What was printed, and that it ended: a process that is started again may print before it is written down that the one before ended."""
    ordered, group = [], []
    for line in lines:
        if re.match(r" TIME (\||\S+ exited with )", line):
            group.append(line)
        else:
            ordered += [*sorted(group), line]
            group = []
    return ordered + sorted(group)


class Session(BerthCase):
    def setUp(self):
        super().setUp()
        if sanitizer():
            self.skipTest("sanitized programs take other times and ways")
        self.node = self.make_node(name="edge-1").start()
        (self.folder / "environments" / "production").mkdir(parents=True)
        (self.folder / "environments" / "production" / "env.toml").write_text("")
        self.texts, self.said = {}, {}

    def change(self, server, note):
        tree = sample_apps.testapp(self.folder / "site", note=note, ready_timeout="5s", bake="2s")
        tree.spec((tree.folder / "berth.toml").read_text().replace('["bin/testapp", "--serve", "--port", "${PORT}"]', '["bin/server"]')).put("bin/server", server, 0o755)

    def terminal(self, name, *commands):
        """What a terminal shows of these commands: as they are typed, and what they print."""
        text = ""
        env = {**os.environ, "HOME": str(self.repo.home), "XDG_DATA_HOME": str(self.repo.home / "share"), "BERTH_SOCKET": str(self.node.socket), "BERTH_LOGS": str(self.node.logs),
               "NO_COLOR": "1", "PATH": f"{BERTH.parent}:{os.environ['PATH']}", "BERTH_BUILDER": "ann@laptop"}
        for command, code in commands:
            done = subprocess.run(["bash", "-c", command], cwd=self.folder, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                  timeout=120 * PATIENCE, check=False)
            self.assertEqual(done.returncode, code, f"{command}\n{done.stdout}{self.node.log_tail()}")
            said = re.sub(OF_THE_MACHINE, "", done.stdout)
            self.said[command] = f"$ {command}\n{said.replace(str(self.folder), '/srv')}"
            if code:
                self.said[command] += f"$ echo $?\n{code}\n"
            text += self.said[command]
        self.texts[name] = text

    def test_the_page_shows_what_a_terminal_does(self):
        self.change(SERVER, "1")
        self.terminal("deploy", ("berth build ./site", 0), ("berth release web --env production --repo ./repo", 0), ("berth deploy web@v1", 0), ("berth status", 0))
        self.change(SERVER, "2")
        self.terminal("next", ("berth build ./site -q", 0), ("berth release web --env production --repo ./repo -q", 0), ("berth deploy web@v2", 0))
        self.change(BROKEN, "3")
        self.terminal("failure", ("berth build ./site -q", 0), ("berth release web --env production --repo ./repo -q", 0), ("berth deploy web@v3", 1), ("berth why web", 0))
        self.terminal("revert", ("berth revert web --reason 'the menu is missing'", 0), ("berth status web", 0))
        self.texts["readme"] = "".join(self.said[command] for command in IN_THE_README)
        pages = {page: page.read_text() for page in PAGES}
        blocks = {}
        for text in pages.values():
            blocks.update(re.findall(r"<!-- session: (\w+) -->\n```console\n(.*?)```\n", text, re.S))
        self.assertEqual(sorted(blocks), sorted(self.texts), "each part of the pages has a test, and each test a part of a page")
        if os.environ.get("BERTH_WRITE_DOCS"):
            for page, shown in pages.items():
                for name, text in self.texts.items():
                    shown = shown.replace(f"<!-- session: {name} -->\n```console\n{blocks[name]}```\n", f"<!-- session: {name} -->\n```console\n{text}```\n")
                page.write_text(shown)
            return
        for name, text in self.texts.items():
            shown, is_so = in_any_order(compared(blocks[name])), in_any_order(compared(text))
            difference = "\n".join(difflib.unified_diff(shown, is_so, f"part {name} of the pages", "a terminal", lineterm=""))
            self.assertEqual(shown, is_so, f"{name}: BERTH_WRITE_DOCS=1 writes it anew\n{difference}\n{text}")


if __name__ == "__main__":
    unittest.main()
