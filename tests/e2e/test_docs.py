"""What the documentation says of the tests is so: each one that a page names exists."""
import json
import re
import subprocess
import unittest

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
        self.assertEqual(sorted(used - self.metrics), [])
        self.assertLessEqual({"berth_log_lag_seconds", "berth_log_sink_failing", "berth_log_dropped_total"}, self.named(" ".join(queries)))

    def test_the_page_has_each_metric_of_the_code(self):
        code = "\n".join(file.read_text() for file in (SOURCE / "daemon/metrics").glob("*_families.cc"))
        self.assertEqual(sorted(self.named(" ".join(re.findall(r'"((?:berth|process)_\w+)"', code))) ^ self.metrics), [])


class ApiPage(unittest.TestCase):
    def test_each_call_is_in_its_tables_with_its_role(self):
        page = (SOURCE / "docs" / "api.md").read_text()
        routes = re.findall(r'\{"(\w+)", "([^"]+)", Role::(\w+), ', (SOURCE / "daemon/api/routes.cc").read_text())
        self.assertGreater(len(routes), 30)
        roles = {"anybody": "viewer", "operator_": "operator"}
        told = dict(re.findall(r"^\| `([A-Z]+ /\S*)` \| (\w+)[ ,]", page.partition("## By TLS")[2], re.MULTILINE))
        self.assertEqual({f"{method} {path}": roles.get(role, role) for method, path, role in routes}, told)


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
