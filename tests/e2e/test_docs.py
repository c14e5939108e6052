"""What the documentation says of code and tests is so: each test that a page names exists, and each metric, alert, state and reason is explained."""
import json
import re
import subprocess
import unittest

from lib.pages import anchors_of, links_of
from lib.programs import SOURCE


class MetricsPage(unittest.TestCase):
    """Alerts and dashboard name metrics that there are, and the page tells what to do about each alert."""

    def setUp(self):
        self.page = (SOURCE / "docs" / "metrics.md").read_text()
        self.rules = SOURCE / "config/prometheus/berth.rules.yml"
        self.alerts = re.findall(r"^ +- alert: (\w+)$", self.rules.read_text(), re.MULTILINE)
        self.metrics = set(re.findall(r"^\| `(\w+)` \| (?:gauge|counter) ", self.page, re.MULTILINE))
        self.assertGreater(len(self.alerts), 20)
        self.assertGreater(len(self.metrics), 40)

    def named(self, text):
        return set(re.findall(r"\b(?:berth|process)_\w+", text))

    def test_the_rules_are_valid_and_each_fires_where_it_should(self):
        tests = SOURCE / "tests/alerts/berth.rules.test.yml"
        for command in (["check", "rules", self.rules], ["test", "rules", tests]):
            run = subprocess.run(["promtool", *command], capture_output=True, text=True)
            self.assertEqual(run.returncode, 0, run.stdout + run.stderr)
        tested = re.findall(r"^ +- name: (\w+)$", tests.read_text(), re.MULTILINE)
        self.assertEqual(sorted(tested), sorted(self.alerts))

    def test_the_page_tells_what_to_do_about_each_alert(self):
        told = re.findall(r"^\| `(Berth\w+)` \| (critical|warning|info) \| .+ \| .+ \|$", self.page, re.MULTILINE)
        severities = dict(zip(self.alerts, re.findall(r"labels: {severity: (\w+)}", self.rules.read_text())))
        self.assertEqual(dict(told), severities)

    def test_rules_and_dashboard_name_metrics_that_there_are(self):
        dashboard = json.loads((SOURCE / "config/grafana/berth.json").read_text())
        queries = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
        self.assertGreater(len(queries), 15)
        used = self.named(self.rules.read_text()) | self.named(" ".join(queries))
        of_apps = self.named((SOURCE / "daemon/metrics/app_metrics.cc").read_text())  # told beside the apps' own
        self.assertEqual(sorted(used - self.metrics - of_apps), [])
        self.assertLessEqual({"berth_log_lag_seconds", "berth_log_sink_failing", "berth_log_dropped_total"}, self.named(" ".join(queries)))

    def test_the_page_has_each_metric_of_the_code(self):
        code = "\n".join(file.read_text() for file in (SOURCE / "daemon/metrics").glob("*_families.cc"))
        self.assertEqual(sorted(self.named(" ".join(re.findall(r'"((?:berth|process)_\w+)"', code))) ^ self.metrics), [])


class Book(unittest.TestCase):
    """docs/ as a book: its contents name every chapter, and no link leads nowhere."""

    def setUp(self):
        self.pages = [SOURCE / "README.md", SOURCE / "CONTRIBUTING.md", *sorted((SOURCE / "docs").glob("*.md")), *sorted((SOURCE / "docs/adr").glob("*.md"))]
        self.assertGreater(len(self.pages), 25)

    def test_links_between_pages_lead_to_what_is_there(self):
        wrong, links = [], 0
        for page in self.pages:
            for link in links_of(page.read_text()):
                links += 1
                path, _, anchor = link.partition("#")
                target = (page.parent / path).resolve() if path else page
                if not target.exists():
                    wrong.append(f"{page.relative_to(SOURCE)}: {link} is not there")
                elif anchor and anchor not in anchors_of(target.read_text()):
                    wrong.append(f"{page.relative_to(SOURCE)}: {link}: no such heading")
        self.assertEqual(wrong, [])
        self.assertGreater(links, 50)

    def test_the_contents_name_every_chapter(self):
        contents = SOURCE / "docs/README.md"
        named = {(contents.parent / link.partition("#")[0]).resolve() for link in links_of(contents.read_text())}
        self.assertEqual([str(page) for page in sorted((SOURCE / "docs").glob("*.md")) if page.resolve() not in named | {contents.resolve()}], [])
        self.assertIn("docs/README.md", links_of((SOURCE / "README.md").read_text()))


class ManPages(unittest.TestCase):
    """The pages of the two files that people write are made of the texts that have every key; that those do is the unit tests' to say."""

    def made(self, page, source):
        done = subprocess.run(["awk", "-v", "version=1.2", "-f", SOURCE / "packaging/roff.awk", "-f", SOURCE / f"packaging/{page}.awk", SOURCE / source], capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        shown = subprocess.run(["groff", "-man", "-ww", "-Tutf8", "-Kutf8"], input=done.stdout, capture_output=True, text=True)
        self.assertEqual((shown.returncode, shown.stderr), (0, ""))
        return done.stdout.replace("\\-", "-")

    def test_of_berth_toml_has_each_key_of_the_formats_page(self):
        page = self.made("berth.toml.5", "docs/formats.md")
        example = re.search(r"^## App spec.*?^```toml\n(.*?)^```", (SOURCE / "docs/formats.md").read_text(), re.MULTILINE | re.DOTALL)[1]
        tables = re.findall(r"^\[([\w.-]+)\]", example, re.MULTILINE)
        keys = re.findall(r"^(?:# )?([\w.-]+) = ", example, re.MULTILINE)
        self.assertGreater(len(tables), 8)
        self.assertGreater(len(keys), 60)
        self.assertEqual([table for table in tables if f'\n.SH "[{table}]"\n' not in page], [])
        self.assertEqual([key for key in keys if f"\n.TP\n\\fB{key} = " not in page], [])

    def test_of_berthd_toml_has_each_key_of_the_shipped_file(self):
        page = self.made("berthd.toml.5", "config/berthd.toml")
        keys = re.findall(r"^(?:# )?([a-z_]+) = ", (SOURCE / "config/berthd.toml").read_text(), re.MULTILINE)
        self.assertGreater(len(keys), 60)
        self.assertEqual([key for key in keys if f"\n\\fB{key} = " not in page], [])


class ApiPage(unittest.TestCase):
    def test_each_call_is_in_its_tables_with_its_role(self):
        page = (SOURCE / "docs" / "api.md").read_text()
        routes = re.findall(r'\{"(\w+)", "([^"]+)", Role::(\w+), ', (SOURCE / "daemon/api/routes.cc").read_text())
        self.assertGreater(len(routes), 30)
        roles = {"anybody": "viewer", "operator_": "operator"}
        told = dict(re.findall(r"^\| `([A-Z]+ /\S*)` \| (\w+)[ ,]", page.partition("## By TLS")[2], re.MULTILINE))
        self.assertEqual({f"{method} {path}": roles.get(role, role) for method, path, role in routes}, told)


class OperatingPage(unittest.TestCase):
    """Every state and every reason that `berth status` and `berth history` can show is explained. Reasons are the texts of the sources that make them."""

    SOURCES = {
        "daemon/deploy": "app_facts.h bake.cc bake_rates.cc trouble_judge.cc troubles.cc carrying.cc data_steps.cc hooks.cc one_offs.cc members.cc member_stops.cc rolling.cc reverting.cc run.cc run_as.cc "
                         "secrets.cc instance_folders.cc instance_plan.cc command_lookup.cc config_files.cc policy.cc start_order.cc starting_up.cc states.cc slots.cc",
        "daemon/supervise": "exit_text.cc instance.cc probe.cc probing.cc recovery.cc starting.cc",
        "daemon/keeper": "launch_file.cc",
    }
    #: Of sources that mostly answer the verbs of a client.
    FURTHER = {
        "daemon/deploy/requests.cc": [", and came first"],
        "daemon/deploy/operations.h": ["the drain of this node"],
        "daemon/deploy/queries.cc": ["it was stopped by hand", "it is not started yet"],
    }
    #: Not for either: answers to verbs, berthd's own log, parts of what is explained, or what ends with berthd.
    ELSEWHERE = {
        "berthd stops", "; it goes on as it is", "the supervisor is closed", "it said READY=1", "its process ended, too", ": no such instance runs", "text/plain; version=0.0.4", ": it is not as it was given",
        "the release has no such process", "--keep-data was said", "there is no copy of them from before", "it is to run as the user {}", "its process {} is to be in the group {}",
        " has no active release", " does not run yet", "; 'berth releases {}' lists what there is", "; 'berth apps' lists what there is", "; there is no release of ",
        "{}@{} is not on this node; 'berth releases {}' lists what is", "processes of {} do not end, and that cannot be written down: {}\\n",
        "{}@{}: that the machine went down in its bake could not be written down: {}", "{}: {} while berthd was away ({} exits since its keeper began)", "what is left of instances before: {}",
        "{}: what its instances did before berthd began cannot be read, and a new release is compared with nothing of it: {}",
        "list a folder", "stat a folder", "hand over a folder", "hand over ", "make a memfd for the launch", "write the launch", "seal the launch",
    }

    def setUp(self):
        self.text = (SOURCE / "docs/operating.md").read_text()
        self.page = " ".join(self.text.split())

    def texts(self, path):
        """The literals of a source, those that stand one behind the other joined, that are more than a word."""
        code = re.sub(r"^\s*(//|#include).*$", "", (SOURCE / path).read_text(), flags=re.MULTILINE)
        piece = r'"((?:[^"\\\n]|\\.)*)"'
        for found in re.finditer(rf"{piece}(?:\s*{piece})*", code):
            text = "".join(re.findall(piece, found[0])).replace('\\"', '"')
            if " " in text.strip() and len(text) >= 10:
                yield text

    def explained(self, text):
        """Whether the page has a fixed part of it, at least as far as one recognizes it."""
        parts = sorted((part.strip(" :;,.'()") for part in re.split(r"\{[^{}]*\}", text)), key=len, reverse=True)
        return len(parts[0]) < 6 or any(part[:26].strip() in self.page for part in parts if part is parts[0] or len(part) >= 12)

    def test_each_reason_is_explained(self):
        seen = set()
        for folder, files in self.SOURCES.items():
            for file in files.split():
                texts = set(self.texts(f"{folder}/{file}"))
                seen |= texts
                self.assertEqual(sorted(text for text in texts - self.ELSEWHERE if not self.explained(text)), [], f"{file}: see docs/operating.md, or ELSEWHERE here")
        self.assertGreater(len(seen), 150)
        self.assertEqual(sorted(self.ELSEWHERE - seen), [], "the code has no such text any more")
        for path, texts in self.FURTHER.items():
            for text in texts:
                self.assertIn(text, (SOURCE / path).read_text(), path)
                self.assertTrue(self.explained(text), text)

    def test_each_state_is_explained(self):
        states = re.search(r"enum class State \{(.*?)\};", (SOURCE / "daemon/deploy/machine.h").read_text(), re.DOTALL)[1]
        states = re.findall(r"^  (\w+),", states, re.MULTILINE)
        self.assertIn("interrupted", states)
        health = re.findall(r'"(\w+)"', re.search(r"kHealths\[\] = \{(.*)\}", (SOURCE / "daemon/metrics/app_families.cc").read_text())[1])
        phases = re.search(r"enum class Phase \{(.*?)\};", (SOURCE / "daemon/supervise/supervisor.h").read_text(), re.DOTALL)[1]
        phases = set(re.findall(r"^  (\w+),", phases, re.MULTILINE)) - {"running"}
        self.assertEqual((len(health), len(phases)), (5, 5))
        shown = re.search(r"std::string state = ready .*;", (SOURCE / "cli/status_text.cc").read_text())[0]
        instances = phases | {"serving", "ready", "not ready"}
        for name in ("serving", "ready", "not ready"):
            self.assertIn(f'"{name}"', shown)
        rows = " ".join(line.split("|")[1] for line in self.text.splitlines() if line.startswith("| `"))
        for name in (*states, *health, *sorted(instances)):
            self.assertIn(f"`{name}`", rows)


class SecurityPage(unittest.TestCase):
    def setUp(self):
        self.text = (SOURCE / "docs" / "security.md").read_text()
        self.named = [" ".join(name.split()) for name in re.findall(r"`([^`]+)`", self.text)]  # a name may go over the end of a line

    def tables(self):
        """Heading and rows of each table whose last column has tests."""
        for block in re.findall(r"(?:^\|.*\n)+", self.text, re.MULTILINE):
            rows = [[cell.strip() for cell in line.strip()[1:-1].split("|")] for line in block.splitlines()]
            if rows[0][-1] in ("tests", "tested in"):
                yield rows[0], rows[2:]

    def test_each_unit_test_that_it_names_exists(self):
        sources = "\n".join(file.read_text() for folder in ("core", "daemon", "cli") for file in (SOURCE / folder).rglob("*_test.cc"))
        exists = {f"{suite}.{name}" for suite, name in re.findall(r"^TEST(?:_F|_P)?\((\w+), (\w+)\)", sources, re.MULTILINE)}
        named = {name for name in self.named if re.fullmatch(r"[A-Z]\w+\.[A-Z]\w+", name)}
        self.assertGreater(len(named), 30)
        self.assertEqual(sorted(named - exists), [])

    def test_each_step_of_the_clients_workflow_has_its_row(self):
        steps = ["5.1", "5.2", *(f"5.{chapter}.{step}" for chapter, last in ((3, 12), (4, 5), (5, 7), (6, 7)) for step in range(1, last + 1)), "5.7"]
        (rows,) = [rows for head, rows in self.tables() if head[0] == "step"]
        self.assertEqual([row[0].removesuffix(" ★") for row in rows], steps, "of the specification, 1.0.33")
        table = (SOURCE / "core/trust/specification_test.cc").read_text()
        tried = {".".join(section.split(".")[:3]) for section in re.findall(r'^    \{"(5[.0-9]+)", "', table, re.MULTILINE)}
        self.assertEqual({row[0].removesuffix(" ★") for row in rows if row[0].endswith("★")}, tried)

    def test_no_rule_is_without_a_test(self):
        tables = list(self.tables())
        self.assertGreaterEqual(len(tables), 8)
        for head, rows in tables:
            for row in rows:
                self.assertEqual(len(row), len(head), row)
                self.assertRegex(row[-1], r"`(test_\w+\.py )?[A-Z]\w+\.\w+`|^the same", row)

    def test_each_group_of_tests_that_it_names_exists(self):
        lists = "\n".join(file.read_text() for file in SOURCE.rglob("CMakeLists.txt") if "build" not in file.relative_to(SOURCE).parts)
        named = {name for name in self.named if re.fullmatch(r"(core|daemon|cli)_\w+|e2e\.\w+", name)}
        self.assertGreater(len(named), 15)
        for name in sorted(named):
            if name.startswith("e2e.tuf_"):
                self.assertIn(f" {name[8:]}", re.search(r"foreach\(part (.*)\)", lists)[0], name)
            elif name.startswith("e2e."):
                self.assertIn(f"berth_python_test({name[4:]} ", lists, name)
            else:
                self.assertRegex(lists, rf"berth_tests\({name}\b", name)

    def test_each_kind_of_hostile_release_that_it_names_exists(self):
        forged = "\n".join(file.read_text() for file in (SOURCE / "tests/tools/forge").glob("*.cc"))
        prefixes = {name[:-1] for name in self.named if re.fullmatch(r"[a-z]+-…", name)}
        self.assertGreater(len(prefixes), 10)
        for prefix in sorted(prefixes):
            self.assertIn(f'"{prefix}', forged)

    def test_each_test_of_a_process_that_it_names_exists(self):
        named = {name for name in self.named if re.match(r"test_\w+\.py ", name)}
        self.assertGreater(len(named), 20)
        for name in sorted(named):
            file, test = name.split(" ")
            found = [path for path in (SOURCE / "tests").rglob(file)]
            self.assertEqual(len(found), 1, name)
            group, method = test.split(".")
            body = re.search(rf"^class {group}\(.*?(?=^class |\Z)", found[0].read_text(), re.MULTILINE | re.DOTALL)
            self.assertIsNotNone(body, name)
            self.assertIn(f"def {method}(self", body[0], name)


if __name__ == "__main__":
    unittest.main()
