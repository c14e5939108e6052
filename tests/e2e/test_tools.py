"""The tests' own tools measure what they say: the load counts every failure, the injector numbers every call that matters."""
import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from lib.load import Load, one_request
from lib.programs import INJECT, TESTAPP
from lib.waiting import wait_until

WRITERS = """
import os, subprocess, sys, threading
def write(name):
    fd = os.open(name, os.O_CREAT | os.O_WRONLY)
    os.write(fd, b"x")
    os.fsync(fd)
    os.close(fd)
threads = [threading.Thread(target=write, args=(f"{sys.argv[1]}/{n}",)) for n in range(3)]
[one.start() for one in threads]
[one.join() for one in threads]
subprocess.run(["touch", f"{sys.argv[1]}/by-child"], check=True)
os.rename(f"{sys.argv[1]}/0", f"{sys.argv[1]}/renamed")
write(sys.argv[1] + "-outside")
"""


class Tools(unittest.TestCase):
    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(dir="/run/t"))

    def serve(self, port, release):
        app = subprocess.Popen([TESTAPP, "--serve", "--port", str(port)], env={"BERTH_RELEASE": release, "BERTH_DATA_DIR": str(self.folder)})
        self.addCleanup(app.wait)
        self.addCleanup(app.kill)

        def answers():
            try:
                return one_request(port)[0] == 200
            except OSError:
                return False
        wait_until(answers, "the app serves")
        return app

    def test_the_load_sees_the_release_and_every_failure(self):
        app = self.serve(8000, "v7")
        with Load(8000, self.folder, rate=500) as load:
            wait_until(lambda: load.out.read_text().count("v7") > 100, "a hundred answers")
            app.kill()
            app.wait()
            wait_until(lambda: "!" in load.out.read_text(), "failures are seen")
        self.assertGreater(load.summary["releases"]["v7"], 100)
        self.assertEqual(load.summary["failed"], len(load.failed))
        self.assertGreater(len(load.failed), 0)
        self.assertEqual(load.summary["requests"], len(load.requests))
        self.assertEqual(load.releases_seen()[0], "v7")

    def test_an_answer_that_is_no_success_counts_as_failed(self):
        self.serve(8000, "v7")
        self.folder.joinpath("unready").touch()
        with Load(8000, self.folder, path="/healthz") as load:
            wait_until(lambda: load.out.read_text().count("\n") > 10, "some answers")
        self.assertEqual(load.summary["failed"], load.summary["requests"])
        self.assertIn("status 503", load.summary["failures"])

    def inject(self, kill=0, armed=True, more=()):
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        arm, trace = self.folder / "arm", self.folder / "trace"
        arm.unlink(missing_ok=True)
        if armed:
            arm.touch()
        done = subprocess.run([INJECT, "--arm", arm, "--trace", trace, "--kill", str(kill), *more, "--below", folder, "--", os.path.realpath("/proc/self/exe"), "-c",
                               WRITERS, folder], timeout=60)
        return done.returncode, folder, [line.split(" ", 2) for line in trace.read_text().splitlines()]

    def test_the_injector_numbers_the_calls_of_all_threads_and_none_of_children(self):
        code, folder, trace = self.inject()
        self.assertEqual(code, 0)
        durable = [line[2].replace(str(folder), "D") for line in trace if line[1] == "durable"]
        self.assertEqual(sorted(durable), sorted([f"{call} D/{n}" for n in range(3) for call in ("openat", "write", "fsync")] + ["rename D/0 -> D/renamed"]))
        self.assertEqual([int(line[0]) for line in trace], list(range(1, len(trace) + 1)))
        self.assertTrue((folder / "by-child").exists())

    def test_the_injector_kills_before_the_call_is_made(self):
        _code, _folder, trace = self.inject()
        last = int(trace[-1][0])
        code, folder, trace = self.inject(kill=last)
        self.assertEqual(code, 137)
        self.assertEqual(trace[-1], [str(last), "killed"])
        self.assertTrue((folder / "0").exists())
        self.assertFalse((folder / "renamed").exists())

    def test_the_injector_lets_a_call_fail_and_makes_it_not(self):
        _code, _folder, trace = self.inject()
        last = int(trace[-1][0])
        code, folder, trace = self.inject(kill=last, more=("--error", "ENOSPC"))
        self.assertEqual((code, trace[-1]), (1, [str(last), "failed"]))
        self.assertTrue((folder / "0").exists())
        self.assertFalse((folder / "renamed").exists())

    def test_an_error_that_lasts_comes_again_for_each_call_that_can_have_it(self):
        code, folder, trace = self.inject(kill=1, more=("--error", "ENOSPC", "--lasts", "yes"))
        self.assertEqual(code, 1)
        self.assertEqual([line[1] for line in trace if len(line) == 2], ["failed"] * 4)  # three opens, and the rename
        self.assertEqual(list(folder.iterdir()), [folder / "by-child"])

    def test_the_injector_kills_a_program_that_the_program_starts_and_nothing_else(self):
        touch = os.path.basename(os.path.realpath(shutil.which("touch")))
        code, folder, trace = self.inject(more=("--of", touch))
        self.assertEqual(code, 0)
        self.assertIn(f"openat {folder}/by-child", [line[2] for line in trace])
        code, folder, trace = self.inject(kill=1, more=("--of", touch))
        self.assertEqual((code, trace[-1][1]), (1, "killed"))
        self.assertFalse((folder / "by-child").exists())
        self.assertTrue((folder / "0").exists())

    def test_the_injector_counts_nothing_while_it_is_not_armed(self):
        code, folder, trace = self.inject(kill=1, armed=False)
        self.assertEqual((code, trace), (0, []))
        self.assertTrue((folder / "renamed").exists())


if __name__ == "__main__":
    unittest.main(verbosity=2)
