"""What the documentation says of the tests is so: each one that a page names exists."""
import re
import unittest

from lib.programs import SOURCE


class SecurityPage(unittest.TestCase):
    def setUp(self):
        self.named = re.findall(r"`([^`\n]+)`", (SOURCE / "docs" / "security.md").read_text())

    def test_each_unit_test_that_it_names_exists(self):
        sources = "\n".join(file.read_text() for folder in ("core", "daemon", "cli") for file in (SOURCE / folder).rglob("*_test.cc"))
        exists = {f"{suite}.{name}" for suite, name in re.findall(r"^TEST(?:_F|_P)?\((\w+), (\w+)\)", sources, re.MULTILINE)}
        named = {name for name in self.named if re.fullmatch(r"[A-Z]\w+\.[A-Z]\w+", name)}
        self.assertGreater(len(named), 30)
        self.assertEqual(sorted(named - exists), [])

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
