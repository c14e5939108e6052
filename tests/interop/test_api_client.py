"""A client that is made of docs/openapi.yaml drives a deployment, and ajv judges what was asked and answered."""
import json
import shutil
import subprocess
import unittest
from pathlib import Path

from lib import contract, sample_apps
from lib.case import BerthCase

HERE = Path(__file__).resolve().parent


class ApiClient(BerthCase):
    def setUp(self):
        super().setUp()
        modules = Path(subprocess.run([str(HERE / "install.sh"), "api"], capture_output=True, text=True, check=True).stdout.strip())
        self.work = self.folder / "client"
        self.work.mkdir()
        (self.work / "node_modules").symlink_to(modules / "node_modules")
        for name in ("drive.ts", "judge.js"):
            shutil.copy(HERE / "api" / name, self.work)
        (self.work / "openapi.json").write_text(json.dumps(contract.document()))

    def run_there(self, *command, expect=0):
        done = subprocess.run([str(part) for part in command], cwd=self.work, capture_output=True, text=True, timeout=300)
        self.assertEqual(done.returncode, expect, f"{command}\n{done.stdout}{done.stderr}")
        return done.stdout

    def compile(self):
        self.run_there("node_modules/.bin/tsc", "--strict", "--target", "es2022", "--module", "commonjs", "--moduleResolution", "node10", "--skipLibCheck", "--types", "node", "drive.ts")

    def test_a_generated_client_deploys_and_reverts(self):
        self.run_there("node_modules/.bin/openapi-typescript", contract.DOCUMENT, "-o", "berth.d.ts")
        self.compile()
        for note in ("one", "two"):
            self.repo.publish(sample_apps.testapp(self.folder / "site", note=note))
        node = self.make_node().start()
        record = self.work / "record"
        said = json.loads(self.run_there("node", "drive.js", node.socket, record))
        self.assertGreater(said.pop("events"), 10)
        self.assertEqual(said, {"same": True, "states": ["deploy v1: active 0", "deploy v2: active 0", "deploy v9: failed 3", "revert v1: active 0"],
                                "unknown": {"status": 404, "exit": 3, "code": "not_found"}, "active": ["web@v2 healthy"]})
        self.assertServes("v1")
        judged = self.run_there("node", "judge.js", "openapi.json", record)
        self.assertRegex(judged, r"^\d+ exchanges, 0 flaws\n$")
        # And the judge can say no.
        lines = record.read_text().replace('"exit":0', '"exit":10').replace('\\"exit\\":0', '\\"exit\\":10')
        record.write_text(lines)
        self.assertIn("must be <= 9", self.run_there("node", "judge.js", "openapi.json", record, expect=1))

    def test_what_the_document_does_not_allow_does_not_compile(self):
        self.run_there("node_modules/.bin/openapi-typescript", contract.DOCUMENT, "-o", "berth.d.ts")
        script = self.work / "drive.ts"
        script.write_text(script.read_text().replace('body: { release: "v9" }', 'body: { id: "v9" }'))
        with self.assertRaisesRegex(AssertionError, "'id' does not exist"):
            self.compile()


if __name__ == "__main__":
    unittest.main()
