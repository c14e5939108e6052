"""What berthd does while it is killed, or while its disk fails; each with what may be there afterwards."""
import json
import os
import re
import sqlite3

import checker
from lib import hooks, sample_apps
from lib.programs import SOURCE
from lib.waiting import wait_until

PORT = 8080
FIRST_MIGRATION = SOURCE / "daemon/store/migrations/0001_first.sql"
DEPLOY = ("deploy", "web@v2", "--timeout", "60s")
MIGRATE = 'echo "schema 2" > "$BERTH_DATA_DIR/schema"'


class Scenario:
    """A blue-green deploy of v2 over v1, by the layer. Others say in what they differ."""

    name = "deploy"
    strategy = "blue-green"
    routings = ("port", "socket")
    patches = False            # whether v2 is fetched by a patch
    prepared = ("v1",)         # what is deployed before
    command = DEPLOY           # None: nothing but the start of berthd
    wanted = (2,)              # how many instances may run afterwards
    allowed = ("v1", "v2")     # which may be active; None: the app may be gone
    extra = ""                 # of berthd.toml
    store = ""                 # of its [store]
    points = None              # a regular expression: only calls that it finds something in
    untouched = True           # what runs is left alone, where v2 does not become active
    answers = True             # some release answers all the time
    again = False              # whether what failed is called again before all has to agree
    most_unreached = 0         # per cent of the points that a run may come by less often, where another number than of the others
    code = 0                   # what the command ends with where nothing fails

    def tree(self, folder, routing, note):
        return sample_apps.testapp(folder, routing=routing, instances=2, bake="200ms", drain="1s", note=note, strategy=self.strategy)

    def publish(self, repo, folder, routing):
        """v1, v2 and v3, of which the last is for the good deploy afterwards."""
        for note in ("one", "two", "three"):
            tree = self.tree(folder / "site", routing, note)
            if not (repo.environments / "production").is_dir():
                repo.configure("production")
            repo.build(tree)
            repo.release("web", "production", *([] if self.patches else ["--no-patches"]))

    def prepare(self, ground):
        """Brings a new node to where the run begins."""
        for release in self.prepared:
            ground.node.berth("deploy", f"web@{release}")

    def alter(self, ground):
        """Changes what lies there, when nothing runs any more."""

    def begin(self, ground):
        """Before each run, when the node's folders are as they were."""

    def digest_of(self, ground, release):
        """Deploys it, and says what its slot is."""
        ground.node.berth("deploy", f"web@{release}")
        return checker.slot_digest(ground.node.slot(release))

    def check(self, ground, active):
        """What has to hold besides, once all agree."""

    def check_gone(self, ground):
        """The same, where the app is gone."""

    def go_on(self, ground):
        """Something that must work afterwards; returns what is active then."""
        ground.node.berth("deploy", "web@v3")
        return "v3"


class Patch(Scenario):
    name, patches = "patch", True

    def check_clean(self, ground):
        told = [event["data"] for event in ground.node.events() if event["kind"] == "slot.sealed" and event["data"]["release"] == "v2"]
        assert told and told[-1].get("patched_from") == "v1", told


class Revert(Scenario):
    name, prepared, command = "revert", ("v1", "v2"), ("revert", "web", "--timeout", "60s")


class Fails(Scenario):
    """v2 ends in its bake, so that berthd goes back by itself."""

    name, routings, allowed, untouched, answers, code = "fails", ("socket",), ("v1",), False, False, 5

    def tree(self, folder, routing, note):
        return sample_apps.testapp(folder, *(("--exit-once-current", "100") if note == "two" else ()), routing=routing, instances=2, bake="300ms", drain="1s", note=note)

    def digest_of(self, ground, release):
        if release != "v2":
            return super().digest_of(ground, release)
        ground.node.berth("deploy", "web@v2", "--no-wait")
        slot = ground.node.slot("v2")
        wait_until(slot.is_dir, "v2 is sealed")  # its slot goes soon
        digest = checker.slot_digest(slot)
        assert (slot / "manifest.json").exists()
        wait_until(lambda: ground.node.deployments()[0]["state"] == "reverted", "v2 was left again")
        return digest

    def check_clean(self, ground):
        assert [one["release"] for one in ground.node.app()["rejected"]] == ["v2"], ground.node.app()["rejected"]


class Roll(Scenario):
    name, strategy, untouched = "roll", "rolling", False


class Recreate(Scenario):
    name, strategy, untouched, answers = "recreate", "recreate", False, False


class WithData(Recreate):
    """`recreate` with a snapshot of the data, which the new release changes before it starts."""

    name, routings = "data", ("port",)

    def tree(self, folder, routing, note):
        return hooks.app(folder, {} if note == "one" else {"pre-start": MIGRATE}, data="[data]\nsnapshot = true\n", routing=routing, instances=2, bake="200ms",
                         drain="1s", note=note, strategy=self.strategy)

    def prepare(self, ground):
        ground.node.berth("deploy", "web@v1")
        data = ground.node.data()
        (data / "schema").write_text("schema 1\n")
        (data / "kept").mkdir()
        for number in range(3):
            (data / "kept" / str(number)).write_bytes(bytes([number]) * 50_000)
        owner = data.stat()
        for path in (data / "schema", *data.rglob("kept"), *data.rglob("kept/*")):
            os.chown(path, owner.st_uid, owner.st_gid)
        for release in self.prepared[1:]:
            ground.node.berth("deploy", f"web@{release}")

    def check(self, ground, active):
        data = ground.node.data()
        schema = (data / "schema").read_text()
        kept = {path.name: path.read_bytes() for path in (data / "kept").iterdir()}
        assert kept == {str(number): bytes([number]) * 50_000 for number in range(3)}, f"the data are not whole: {sorted(kept)}"
        assert schema == ("schema 1\n" if active == "v1" else "schema 2\n"), f"{active} is active, the data say {schema}"
        folders = {path.name for path in data.parent.iterdir() if path.name.startswith(("data.", "snapshot."))}
        with sqlite3.connect(f"file:{ground.node.state}/berth.db?mode=ro", uri=True, timeout=2) as database:
            rows = {folder for folder, in database.execute("SELECT folder FROM data_copies")}
        assert folders == rows, f"copies of the data are {folders}, in the database {rows}"


class RevertData(WithData):
    name, prepared, command = "revert-data", ("v1", "v2"), ("revert", "web", "--timeout", "60s")


class Collect(Scenario):
    """Three releases are there, of which two may go."""

    name, routings, prepared, command, allowed = "gc", ("socket",), ("v1", "v2", "v3"), ("gc",), ("v3",)
    store = "keep_releases = 9"
    again = True

    def alter(self, ground):
        text = ground.node.config.read_text()
        ground.node.configure(text.replace("keep_releases = 9", "keep_releases = 1"))
        partial = ground.node.state / "partial"
        partial.mkdir(exist_ok=True)
        (partial / ("a" * 64)).write_bytes(b"a part")

    def go_on(self, ground):
        ground.node.berth("gc")
        slots = sorted(path.name for path in ground.node.slot("v1").parent.iterdir())
        assert slots == ["v2", "v3"], slots  # what is active, and the one before
        ground.node.berth("deploy", "web@v1")
        return "v1"


class Scale(Scenario):
    name, routings, command, wanted, allowed = "scale", ("port", "socket"), ("scale", "web/web=3"), (2, 3), ("v1",)


class Remove(Scenario):
    name, command, allowed, untouched, answers = "remove", ("remove", "web"), ("v1", None), False, False


class Purge(Remove):
    name, routings, command = "purge", ("socket",), ("remove", "web", "--purge", "--yes")

    def check_gone(self, ground):
        wait_until(lambda: not checker.left_of_purged(ground.node.state, ground.node.logs, "web"), "nothing of the app is left", 20)


class Import(Scenario):
    """A release file, beside what runs."""

    name, routings, allowed = "import", ("socket",), ("v1",)

    def publish(self, repo, folder, routing):
        super().publish(repo, folder, routing)
        self.file = folder / "web-v2.berth"
        repo.berth("export", "web/production@v2", "--repo", repo.folder, "-o", self.file)
        self.command = ("import", self.file)

    def check(self, ground, active):
        imports = ground.node.state / "imports"
        found = sorted(str(path.relative_to(imports)) for path in imports.glob("*/*"))
        assert found in ([], ["web/v2"]), found

    def go_on(self, ground):
        ground.node.berth("import", self.file)
        ground.node.berth("deploy", "web@v2")
        return "v2"


class Start(Scenario):
    """What runs nowhere is brought up, as after a boot."""

    name, command, allowed, untouched, answers = "start", None, ("v1",), False, False


def columns_of(database):
    """{table: {its columns}} of what is no table of SQLite's own."""
    tables = [name for (name,) in database.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")]
    return {table: {row[1] for row in database.execute(f"PRAGMA table_info({table})")} for table in tables}


def schema_of(database):
    """Every table with its columns, and every index."""
    tables = [name for name, in database.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")]
    return ({name: [row[1:4] for row in database.execute(f"PRAGMA table_info({name})")] for name in tables},
            sorted(row[0] for row in database.execute("SELECT name FROM sqlite_schema WHERE type = 'index' AND name NOT LIKE 'sqlite_%'")))


class Upgrade(Start):
    """As `start`, and the database has the first schema."""

    name, routings = "migrate", ("socket",)
    def alter(self, ground):
        with sqlite3.connect(ground.node.state / "berth.db") as database:
            self.schema = schema_of(database)
            self.version = database.execute("PRAGMA user_version").fetchone()[0]
            first = columns_of(sqlite3.connect(":memory:").executescript(FIRST_MIGRATION.read_text()).connection)
            for table, columns in columns_of(database).items():
                if table not in first:
                    database.execute(f"DROP TABLE {table}")
                for column in columns - first.get(table, columns):
                    database.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
            database.execute("PRAGMA user_version = 1")
        database.close()

    def check(self, ground, active):
        with sqlite3.connect(f"file:{ground.node.state}/berth.db?mode=ro", uri=True, timeout=2) as database:
            assert database.execute("PRAGMA user_version").fetchone()[0] == self.version
            assert schema_of(database) == self.schema, f"{schema_of(database)} is not {self.schema}"
        with sqlite3.connect(f"file:{ground.node.state}/berth.db.v1.backup?mode=ro", uri=True) as backup:
            assert backup.execute("PRAGMA user_version").fetchone()[0] == 1
            assert backup.execute("PRAGMA integrity_check").fetchone()[0] == "ok"


class Ship(Scenario):
    """Lines go to a sink all the time, and a deploy goes on beside; only what is done about the sink counts."""

    name, routings, points = "ship", ("socket",), re.compile(r"/ship/|/ship$|/sink/|/sink$")
    most_unreached = 40  # how many batches there are is a matter of time

    def tree(self, folder, routing, note):
        return sample_apps.testapp(folder, "--lines", "50", routing=routing, instances=2, bake="500ms", drain="1s", note=note)

    def begin(self, ground):
        text = ground.node.config.read_text()
        self.path = ground.node.folder / "sink" / "all.jsonl"
        ground.node.configure(f'{text}\n[[sink]]\nname = "agent"\nkind = "file"\npath = "{self.path}"\nrotate_bytes = "64KiB"\nkeep_files = 1000\nevents = true\n'
                              'batch_lines = 25\nbatch_wait = "200ms"\n')

    def go_on(self, ground):
        ground.node.berth("deploy", "web@v3")
        self.assert_all_came(ground)
        return "v3"

    def assert_all_came(self, ground):
        """Each line that the apps' logs have, and each number before the last one."""
        ground.await_shipped("agent")
        came = {}
        for file in self.path.parent.glob(self.path.name + "*"):
            for line in file.read_text().splitlines():
                entry = json.loads(line)
                if "instance" in entry:
                    came.setdefault(entry["instance"].split("@")[0], set()).add(entry["sequence"])
        assert came, "no line came"
        for instance, numbers in came.items():
            missing = set(range(min(numbers), max(numbers) + 1)) - numbers
            assert min(numbers) == 1 and not missing, f"{instance}: lines {sorted(missing)[:10]} never came, the first is {min(numbers)}"


ALL = {one.name: one for one in (Scenario, Patch, Revert, Fails, Roll, Recreate, WithData, RevertData, Collect, Scale, Remove, Purge, Import, Start, Upgrade, Ship)}
