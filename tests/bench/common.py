"""What the benches share: compiled apps, a berth node of their own, and what /proc says of memory and time."""
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from lib import processes, sample_apps
from lib.node import Node
from lib.repo import Repo

HERE = Path(__file__).resolve().parent
TICKS = os.sysconf("SC_CLK_TCK")


def end_by(bounds):
    """Ends the bench: with 1 where one of the (holds, what) does not hold, which is said."""
    missed = [what for holds, what in bounds if not holds]
    for what in missed:
        print(f"missed: {what}", flush=True)
    sys.exit(1 if missed else 0)


def compile_app(name, folder):
    program = Path(folder) / name
    subprocess.run(["cc", "-O2", "-static", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-o", program, HERE / f"{name}.c"], check=True)
    return program


def pss_kib(pids):
    """Proportional memory of processes, in KiB."""
    total = 0
    for pid in pids:
        try:
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1])
        except OSError:
            pass
    return total


def cpu_seconds(pids):
    total = 0
    for pid in pids:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            total += int(fields[11]) + int(fields[12])
        except OSError:
            pass
    return total / TICKS


def descendants(root):
    """A process and all below it."""
    parents = {}
    for pid in processes.all_pids():
        try:
            parents[pid] = int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
        except OSError:
            pass
    found, todo = [], [root]
    while todo:
        one = todo.pop()
        found.append(one)
        todo += [pid for pid, parent in parents.items() if parent == one]
    return found


class Workplace:
    """A folder that is gone at the end, with a publisher and a node in it when asked."""

    def __init__(self, where=None):
        self.where = where or os.environ.get("BERTH_TEST_DIR", "/run/t")

    def __enter__(self):
        self.folder = Path(tempfile.mkdtemp(dir=self.where))
        self.folder.chmod(0o755)
        self.node = self.repo = None
        return self

    def __exit__(self, kind, *_):
        code = 0
        if self.node:
            code = self.node.stop()
            for pid in processes.all_pids():
                if "BERTH_APP" in processes.environment(pid) or is_keeper(pid):
                    try:
                        os.kill(pid, 9)
                    except ProcessLookupError:
                        pass
        shutil.rmtree(self.folder, ignore_errors=True)
        if code and not kind:
            raise SystemExit(f"berthd ended with {code}")

    def start_node(self, extra="", prefix=(), name="n"):
        """`extra`: more of its berthd.toml; `prefix`: what berthd is run under; `name`: of its folder. A second one gets the same repository."""
        self.repo = self.repo or Repo(self.folder)
        self.node = Node(self.folder / name, self.repo.url, self.repo.root, extra=extra)
        self.node.configure(self.node.config.read_text().replace('level = "debug"', 'level = "warning"'))
        self.node.prefix = list(prefix)
        return self.node.start()

    def deploy_apps(self, count, program):
        """So many apps of one process each, app0 and on, which run `program` without probes. The files in which it writes its starts."""
        names = [f"app{number}" for number in range(count)]
        for name in names:
            tree = sample_apps.Tree(self.folder / "site", name).program(program, program.name).spec(f"""app = "{name}"
[process.app]
command = ["bin/{program.name}", "${{BERTH_DATA_DIR}}/starts"]
[deploy]
bake = "0s"
""")
            self.repo.publish(tree)
            self.node.berth("deploy", f"{name}@v1", timeout=300)
        return [self.node.data(name) / "starts" for name in names]


def must_be_same(tree, other):
    """Ends the bench where two trees do not have the same files, but for the berth.toml that a build reads: what was measured is not what was asked for."""
    done = subprocess.run(["diff", "-rq", "--no-dereference", "--exclude=berth.toml", tree, other], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{other} is not what {tree} is:\n{done.stdout[:2000]}{done.stderr[:2000]}")


def is_keeper(pid):
    try:
        return os.path.basename(os.readlink(f"/proc/{pid}/exe")) == "berth-keeper"
    except OSError:
        return False
