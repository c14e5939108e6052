"""berth history: the newest first, in pages that nothing moves which is deployed meanwhile."""
import re
import shlex
import unittest

from lib import sample_apps
from lib.case import BerthCase


class History(BerthCase):
    def setUp(self):
        super().setUp()
        self.node = self.make_node().start()
        for note in ("one", "two"):
            self.repo.publish(sample_apps.testapp(self.folder / "site", note=note, bake="0s"))
        for number in range(5):
            self.deploy(self.node, f"v{1 + number % 2}")

    def shown(self, *words):
        """The numbers that are shown, and how to go on, as words of a call; None where all was shown."""
        done = self.node.berth(*words)
        goes_on = re.search(r"There are older ones: 'berth ([^']*)'", done.out)
        return [int(number) for number in re.findall(r"^ *(\d+)  (?:deploy|revert)  ", done.out, re.M)], shlex.split(goes_on[1]) if goes_on else None

    def test_the_last_line_leads_to_the_next_page_whatever_is_deployed_meanwhile(self):
        numbers, call = self.shown("history", "web", "-n", "2")
        self.assertEqual(numbers, [5, 4])
        self.deploy(self.node, "v2")
        second, call = self.shown(*call)
        self.assertEqual(second, [3, 2])
        last, call = self.shown(*call)
        self.assertEqual((last, call), ([1], None))
        self.assertEqual(self.shown("history", "web"), ([6, 5, 4, 3, 2, 1], None))
        self.assertEqual(self.shown("history", "-n", "0"), ([6, 5, 4, 3, 2, 1], None))
        self.assertSays(self.node.berth("history", "web", "--before", "1"), "No older deployment")

    def test_of_a_time_and_as_json(self):
        listed = self.node.berth("history", "web", "-n", "3", "--json").json()
        self.assertEqual(([one["id"] for one in listed["deployments"]], listed["next"]), ([5, 4, 3], 3))
        at = {one["id"]: one["created_at"] for one in self.node.deployments()}
        self.assertEqual(self.shown("history", "web", "--since", at[2], "--until", at[4]), ([3, 2], None))
        self.assertEqual(self.shown("history", "web", "--since", at[2], "-n", "1")[0], [5])
        numbers, call = self.shown("history", "web", "--since", at[2], "-n", "3")
        self.assertEqual((numbers, self.shown(*call)), ([5, 4, 3], ([2], None)))
        self.assertSays(self.node.berth("history", "web", "--until", "1d"), "none of that time")
        page = self.node.api("GET", f"/v1/deployments?app=web&limit=2&until={at[5]}").json()
        self.assertEqual(([one["id"] for one in page["deployments"]], page["next"]), ([4, 3], 3))


if __name__ == "__main__":
    unittest.main()
