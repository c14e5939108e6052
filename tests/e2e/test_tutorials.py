"""The tutorials and the README, as a reader follows them: each `sh` block is run in order, on machines that have what the page says, and what a page shows (its
`text` blocks) is compared with what is printed. BERTH_WRITE_DOCS=1 writes those blocks anew that have no line "…".

Marks of a block, in comments before it: `on: NAME…` the machines it is run on, one after the other; `exit: N`; `goes on` until the block marked `interrupt`, which
is run after Ctrl-C; `not run: WHY`, see NOT_RUN.
"""
import os
import re
import resource
import shutil
import signal
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

import yaml

from lib.case import WORK
from lib.machine import Machine, Network
from lib.pages import OF_THE_MACHINE, blocks_of, compared, is_shown
from lib.programs import SOURCE, sanitizer
from lib.waiting import wait_until

#: Why blocks are not run. Each has a reason here, and each reason a block.
NOT_RUN = {
    "apt": "installs packages from Debian's mirror into the machine; tests/node/test_package.py does that on a booted node",
    "ssh": "there is no other machine that could be reached by ssh; the test carries the files, or sets what takes its place",
    "build": "compiles all of berth and installs what it is built with; packaging/quickstart.sh and tests/run.sh are run as they are",
}


class Page:
    """A page that is followed on one machine or several."""

    def __init__(self, case, path, machines, changed=None):
        self.case, self.path, self.machines = case, SOURCE / path, machines
        self.text = self.path.read_text()
        self.blocks = blocks_of(self.text)
        self.changed = changed or (lambda commands: commands)  # what is another word on these machines
        self.instead = {}  # first line of a block → what is done in its place, or for it
        self.foreground, self.last = None, ""
        self.written = self.text

    def place(self, block):
        return f"{self.path.name}:{block.line}"

    def follow(self):
        for at, block in enumerate(self.blocks):
            if block.language == "sh":
                self.do(block)
            elif block.language == "text" and at > 0:
                self.compare(block)
        self.case.assertIsNone(self.foreground, "what goes on is interrupted on the page")
        if self.written != self.text:
            self.path.write_text(self.written)

    def do(self, block):
        first = block.text.splitlines()[0]
        instead = self.instead.pop(first, None)
        if (why := block.mark("not run")) is not None:
            self.case.assertIn(why, NOT_RUN, self.place(block))
            if why == "ssh":
                self.case.assertIsNotNone(instead, f"{self.place(block)}: what takes its place?")
            if instead:
                instead()
            return
        if block.mark("interrupt") is not None:
            self.case.assertEqual(self.foreground.interrupt(), 0, f"{self.place(block)}: Ctrl-C\n{self.foreground.text}")
            self.foreground = None
        names = (block.mark("on") or next(iter(self.machines))).split()
        self.case.progress(f"{self.place(block)} on {', '.join(names)}: {first}")
        if instead:
            self.last = instead(block)
            return
        if block.mark("goes on") is not None:
            self.foreground = self.machines[names[0]].begin(self.changed(block.text))
            return
        said = ""
        for name in names:
            try:
                said = self.machines[name].run(self.changed(block.text), expect=int(block.mark("exit") or 0))
            except AssertionError as error:
                self.case.fail(f"{self.place(block)}: {error}")
        self.last = re.sub(OF_THE_MACHINE, "", said)

    def compare(self, block):
        if self.foreground is not None and self.blocks[self.blocks.index(block) - 1].mark("goes on") is not None:
            self.compare_foreground(block)
        elif not is_shown(block.text, self.last):
            self.put(block, self.last)

    def compare_foreground(self, block):
        """Lines of several processes come in no order of theirs."""
        if not block.text.strip():  # it is to be written
            time.sleep(5)
            self.put(block, self.foreground.text)
            return
        def all_there():
            printed = compared(self.foreground.text)
            return all(line in printed for line in compared(block.text) if line != "…")
        try:
            wait_until(all_there, f"{self.place(block)} is shown", 15)
        except AssertionError:
            self.put(block, self.foreground.text)

    def put(self, block, printed):
        if not os.environ.get("BERTH_WRITE_DOCS") or "…" in block.text.splitlines():
            self.case.fail(f"{self.place(block)}: BERTH_WRITE_DOCS=1 writes it anew\n--- the page\n{block.text}--- is printed\n{printed}")
        lines, old = self.written.splitlines(keepends=True), self.text.splitlines(keepends=True)
        at = block.line + (len(lines) - len(old))  # blocks before may have other lengths by now
        lines[at:at + len(block.text.splitlines())] = [line + "\n" for line in printed.rstrip("\n").split("\n")]
        self.written = "".join(lines)


class PageCase(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        if sanitizer():
            self.skipTest("sanitized programs take other times and ways")
        self.folder = Path(tempfile.mkdtemp(dir=WORK))
        self.folder.chmod(0o755)
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def progress(self, text):
        print(f"{self.id()}: {text}", flush=True)

    def machine(self, name, address=""):
        machine = Machine(self.folder, name, address)
        self.addCleanup(machine.end)
        return machine


class Tutorials(PageCase):
    def test_the_first_app(self):
        Page(self, "docs/tutorial-first-app.md", {"demo": self.machine("demo")}).follow()

    def test_from_a_procfile(self):
        Page(self, "docs/tutorial-from-procfile.md", {"demo": self.machine("demo")}).follow()

    def test_from_a_unit_of_systemd(self):
        machine = self.machine("demo")
        redis = machine.folder / "var/lib/redis"
        machine.run("mkdir -p /var/lib/redis && chmod 0755 /var/lib/redis")
        # redis as the unit has it, so that there are data to be moved.
        machine.run("redis-server --daemonize yes --bind 127.0.0.1 --dir /var/lib/redis --logfile /var/log/redis.log")
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]  # where berthd may not raise limits, as in containers
        Page(self, "docs/tutorial-from-systemd.md", {"demo": machine}, lambda commands: commands.replace("LimitNOFILE = 65535", f"LimitNOFILE = {min(65535, most)}")).follow()
        self.assertTrue((redis / "dump.rdb").exists(), "what the unit had stays")


class Pipeline(PageCase):
    """Four machines on a network: the repository's, the pipeline's, and two nodes."""

    def setUp(self):
        super().setUp()
        network = Network()
        self.addCleanup(network.end)
        self.machines = {}
        for number, name in enumerate(("releases", "ci", "edge-1", "edge-2"), 11):
            self.machines[name] = self.machine(name, f"10.77.0.{number}")
            network.plug(self.machines[name])
        for machine in self.machines.values():
            machine.knows({f"{name}.example.org": one.address for name, one in self.machines.items()})

    def serve(self):
        """The repository, by a web server; https is not what this is about."""
        releases = self.machines["releases"]
        releases.put("/srv/releases/.keep", "")
        server = subprocess.Popen(releases.inside("python3", "-m", "http.server", "--directory", "/srv/releases", "80"), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(server.wait)
        self.addCleanup(server.kill)

    def carry(self, source, path, target, to):
        """What scp does."""
        self.machines[target].put(to, self.machines[source].get(path))

    def mount(self):
        """The pipeline's machine has the repository's folder mounted."""
        shared = self.machines["releases"].folder / "srv/releases"
        self.machines["ci"].run(f"mkdir -p /srv/releases && mount --bind {shared} /srv/releases")

    def certificates(self):
        releases = self.machines["releases"]
        for node in ("edge-1", "edge-2"):
            request = self.machines[node].run("berth node csr")
            releases.put(f"/srv/releases/{node}.csr", request)
            releases.run(f"berth ca sign - --ca ca < {node}.csr > {node}.pem")
            self.carry("releases", f"/srv/releases/{node}.pem", node, "/etc/berth/node.pem")
            self.carry("releases", "/srv/releases/ca/ca.pem", node, "/etc/berth/ca.pem")

    def secrets(self):
        for file in ("ci.pem", "ci.key", "ca/ca.pem"):
            self.carry("releases", f"/srv/releases/{file}", "ci", f"/srv/ci/secrets/{Path(file).name}")
        self.machines["ci"].run("chmod 600 /srv/ci/secrets/*")
        root = self.machines["releases"].run("sha256sum < /srv/releases/repo/metadata/1.root.json").split()[0]
        for node in ("edge-1", "edge-2"):
            self.machines[node].run(f"ROOT={root}")

    def copy(self):
        """Copies by cp in the place of rsync, and the acceptance on the repository's host."""
        self.machines["ci"].run("mkdir -p /srv/ci/repo\nexport REPOSITORY=/srv/ci/repo\n"
                                "export BRING='cp -a /srv/releases/repo/. $REPOSITORY/'\n"
                                "export HAND_IN='mkdir -p /srv/releases/repo/incoming && cp -a $REPOSITORY/incoming/$APP /srv/releases/repo/incoming/'\n"
                                "export ACCEPT='berth repo accept /srv/releases/repo'\n")

    def test_a_pipeline(self):
        self.serve()
        page = Page(self, "docs/tutorial-pipeline.md", self.machines, lambda commands: commands.replace("https://", "http://"))
        page.instead = {"scp ci-web.pub releases.example.org:/srv/releases/": lambda: self.carry("ci", "/srv/ci/secrets/ci-web.pub", "releases", "/srv/releases/ci-web.pub"),
                        "scp ci.pem ci.key ca/ca.pem ci.example.org:/srv/ci/secrets/": self.secrets,
                        "for node in edge-1 edge-2; do": self.certificates,
                        "export REPOSITORY=/srv/ci/repo": self.copy}
        self.machines["ci"].put("/usr/share/doc/berth/examples/pipeline.sh", (SOURCE / "docs/examples/pipeline.sh").read_text())
        self.machines["ci"].run("chmod +x /usr/share/doc/berth/examples/pipeline.sh")
        self.mount()
        page.follow()
        self.assertEqual(page.instead, {})
        for node in ("edge-1", "edge-2"):
            self.assertIn("the second page", self.machines["ci"].run(f"curl -s http://{node}.example.org:8080/"))


class Readme(PageCase):
    """The front page, on one machine. Its commands on a node are a list of what there is: they are run in their order, each for itself."""

    def on_a_node(self, block):
        said = ""
        for line in block.text.splitlines():
            if line.startswith("berth logs web -f"):
                said += self.first_lines(line)
                continue
            # doctor looks at this kernel and this machine, too: what it finds here is not the page's matter.
            said += self.here.run(line, expect=None if line.startswith("berth doctor") else 0)
        for words in ("web@v2 would take the place of v1", "web@v2 is active", "Nothing is wrong with web", "web is removed", "web is held"):
            self.assertIn(words, said)
        return said

    def first_lines(self, line):
        follows = self.here.begin(line)
        wait_until(lambda: "GET / HTTP" in follows.text, "the log is followed")
        self.assertIn(follows.interrupt(), (0, -signal.SIGINT))
        return follows.text

    def node(self, block):
        """berthd, with the configuration that the page has for it."""
        toml = next(one.text for one in self.page.blocks if one.language == "toml" and "[repository]" in one.text)
        toml = toml.replace("https://releases.example.org/berth", "file:///root/repo").replace("/etc/berth/root.json", "/root/repo/metadata/1.root.json")
        self.here.put("/etc/berth/berthd.toml", toml)
        self.here.run("systemctl restart berthd")

    def test_the_page(self):
        self.here = self.machine("demo")
        self.page = Page(self, "README.md", {"demo": self.here}, lambda commands: commands.replace('bake = "30s"', 'bake = "3s"'))

        def first_on_a_node(block):
            self.node(block)
            said = self.here.run(block.text)
            self.assertIn("web@v1 is active", said)
            return said

        def in_the_foreground(block):
            self.here.run("systemctl stop berthd")
            berthd = self.here.begin(block.text)
            wait_until(lambda: (self.here.folder / "run/api.sock").exists() and "web" in self.here.run("berth apps", expect=None), "berthd answers in the foreground")
            self.assertEqual(berthd.interrupt(), 0, berthd.text)
            return ""
        self.page.instead = {"berth deploy web@v1       # berthd fetches, verifies, unpacks, starts, switches, bakes; progress is shown": first_on_a_node,
                             "berth deploy web@v2 --plan  # what would happen: differences, bytes to fetch, disk, hooks, what a revert could not undo; changes nothing": self.on_a_node,
                             "berthd --config /etc/berth/berthd.toml": in_the_foreground}
        self.page.follow()
        self.assertEqual(self.page.instead, {})


class WithoutAMachine(unittest.TestCase):
    """What is not run has a reason, and no reason is left over; a table is complete; recipes fit the script."""

    PAGES = ["README.md", *sorted(str(path.relative_to(SOURCE)) for path in (SOURCE / "docs").glob("tutorial-*.md"))]

    def test_each_page_is_followed_and_each_reason_used(self):
        followed = set(re.findall(r'Page\(self, "([^"]+)"', Path(__file__).read_text()))
        self.assertEqual(sorted(followed), sorted(self.PAGES))
        why = {block.mark("not run") for path in self.PAGES for block in blocks_of((SOURCE / path).read_text()) if block.language == "sh"} - {None}
        self.assertEqual(why, set(NOT_RUN))

    def test_no_command_hides_in_a_block_of_another_kind(self):
        for path in self.PAGES:
            for block in blocks_of((SOURCE / path).read_text()):
                if block.mark("session") is None:  # of a terminal, which test_session.py compares
                    self.assertIn(block.language, {"sh", "text", "toml", "ini", "yaml"}, f"{path}:{block.line}")

    def test_the_table_has_each_directive_of_the_real_unit(self):
        unit = Path("/lib/systemd/system/redis-server.service").read_text()
        page = (SOURCE / "docs/tutorial-from-systemd.md").read_text()
        rows = " ".join(line.split("|")[1] for line in page.splitlines() if line.startswith("| `"))
        directives = set(re.findall(r"(?m)^([A-Z]\w+)=", unit))
        self.assertGreater(len(directives), 30)
        self.assertEqual(sorted(directives - set(re.findall(r"`(\w+)=?`", rows))), [])
        shown = [line for line in page.partition("```ini\n")[2].partition("```")[0].splitlines() if line and line != "…"]
        self.assertEqual([line for line in shown if line not in unit.splitlines()], [], "what is shown of the unit is in it")

    def test_the_recipes_give_the_script_what_it_demands(self):
        script = (SOURCE / "docs/examples/pipeline.sh").read_text()
        demanded = set(re.findall(r'"\$\{([A-Z]\w*):?\?', script)) - {"SIGNER", "SIGNER_KEY"} | {"BERTH_CA_FILE", "BERTH_CERTIFICATE_FILE", "BERTH_KEY_FILE"}
        self.assertEqual(len(demanded), 9)
        recipes = [block.text for block in blocks_of((SOURCE / "docs/tutorial-pipeline.md").read_text()) if block.language == "yaml"]
        self.assertEqual(len(recipes), 3)
        for recipe in recipes:
            self.assertIsInstance(yaml.safe_load(recipe), dict)
            given = set(re.findall(r"\b([A-Z][A-Z_]+)(?::|=)", recipe))
            self.assertEqual(sorted(demanded - given), [], recipe)
            self.assertIn("./pipeline.sh site", recipe)


if __name__ == "__main__":
    unittest.main()
