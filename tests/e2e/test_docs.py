"""What the documentation says of the tests is so: each one that a page names exists."""
import re
import unittest

from lib.programs import SOURCE


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
