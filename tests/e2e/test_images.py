"""Builds of container images, as umoci and docker save write them, and of one executable: through a real node, and refused where they are not whole."""
import gzip
import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
import unittest
import urllib.request
from pathlib import Path

from lib.case import WORK, BerthCase
from lib.programs import TESTAPP
from lib.waiting import wait_until

MAKE_TREE = Path(__file__).parents[1] / "images" / "make_tree.sh"

# Serves what it sees; needs the perl, and so the C library, of its image.
SERVER = r"""#!/usr/bin/perl
use strict; use IO::Socket::INET;
my $server = IO::Socket::INET->new(LocalPort => $ENV{PORT}, Listen => 16, ReuseAddr => 1) or die "listen: $!";
open my $mark, '>>', "$ENV{BERTH_DATA_DIR}/starts" or die "data: $!"; print $mark "$ENV{BERTH_RELEASE}\n"; close $mark;
open my $pid, '>', '/run/server.pid' or die "run: $!"; close $pid;
sub slurp { open my $f, '<', shift or return "-"; local $/; my $t = <$f>; $t }
while (my $client = $server->accept) {
  my $line = <$client>; while (my $header = <$client>) { last if $header =~ /^\r?$/ }
  opendir my $root, '/'; my $names = join ' ', sort grep { !/^\./ } readdir $root; closedir $root;
  my ($codename) = slurp('/etc/os-release') =~ /VERSION_CODENAME=(\w+)/;
  my $body = join "\n", "release=$ENV{BERTH_RELEASE}", "root=$names", "codename=$codename", "uid=$<", "level=$ENV{LEVEL}", "cwd=" . readlink('/proc/self/cwd'),
    "greeting=" . slurp("$ENV{BERTH_CONFIG_DIR}/greeting"), "secret=" . slurp("$ENV{BERTH_SECRETS_DIR}/TOKEN"), "home=$ENV{HOME}", "tmp=$ENV{TMPDIR}",
    "writable=" . ((open my $x, '>', '/srv/app/x') ? "yes" : "no"), "version=" . slurp('/srv/app/VERSION'), "gone=" . (-e '/srv/app/OLD' ? "no" : "yes");
  print $client "HTTP/1.1 200 OK\r\nConnection: close\r\nX-Release: $ENV{BERTH_RELEASE}\r\nContent-Length: " . length($body) . "\r\n\r\n$body";
  close $client;
}
"""


def umoci(*arguments):
    done = subprocess.run(["umoci", *map(str, arguments)], capture_output=True, text=True)
    if done.returncode != 0:
        raise AssertionError(f"umoci {' '.join(map(str, arguments))}:\n{done.stdout}{done.stderr}")


def file_of(folder, name, content, mode=0o644):
    path = Path(folder) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    path.chmod(mode)
    return path


class Layout:
    """An OCI layout on the disk, read by hand."""

    def __init__(self, folder):
        self.folder = Path(folder)

    def blob(self, descriptor):
        return self.folder / "blobs" / "sha256" / descriptor["digest"].removeprefix("sha256:")

    def manifest(self, tag):
        index = json.loads((self.folder / "index.json").read_text())
        return next(one for one in index["manifests"] if one["annotations"]["org.opencontainers.image.ref.name"] == tag)

    def image(self, tag):
        return json.loads(self.blob(self.manifest(tag)).read_text())

    def only(self, tag, to):
        """A copy of the layout with that image alone."""
        shutil.copytree(self.folder, to)
        index = json.loads((to / "index.json").read_text())
        index["manifests"] = [self.manifest(tag)]
        (to / "index.json").write_text(json.dumps(index))
        return Layout(to)

    def put(self, descriptor, document):
        """What the descriptor of that document is."""
        content = json.dumps(document).encode()
        digest = hashlib.sha256(content).hexdigest()
        (self.folder / "blobs" / "sha256" / digest).write_bytes(content)
        return {**descriptor, "digest": f"sha256:{digest}", "size": len(content)}

    def check_health(self, tag, health):
        """Gives an image a health check, of which umoci knows nothing, as `docker build` does."""
        index, image = json.loads((self.folder / "index.json").read_text()), self.image(tag)
        config = json.loads(self.blob(image["config"]).read_text())
        config["config"]["Healthcheck"] = health
        image["config"] = self.put(image["config"], config)
        index["manifests"] = [self.put(one, image) if one == self.manifest(tag) else one for one in index["manifests"]]
        (self.folder / "index.json").write_text(json.dumps(index))

    def docker_save(self, tag, to):
        """The file that `docker save` of before version 25 would have written of the image."""
        image = self.image(tag)
        config = self.blob(image["config"]).read_bytes()
        with tarfile.open(to, "w") as archive:
            def add(name, content):
                info = tarfile.TarInfo(name)
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
            layers = []
            for layer in image["layers"]:
                content = gzip.decompress(self.blob(layer).read_bytes())
                name = hashlib.sha256(b"id" + content[:4096]).hexdigest() + "/layer.tar"
                add(name, content)
                layers.append(name)
            name = hashlib.sha256(config).hexdigest() + ".json"
            add(name, config)
            add("manifest.json", json.dumps([{"Config": name, "RepoTags": [f"web:{tag}"], "Layers": layers}]).encode())
        return to


class Images(BerthCase):
    @classmethod
    def setUpClass(cls):
        made = subprocess.run([str(MAKE_TREE)], capture_output=True, text=True)
        if made.returncode != 0:
            raise AssertionError(f"{MAKE_TREE}: {made.stderr}")
        cls.tree = Path(made.stdout.strip())
        cls.shared = Path(tempfile.mkdtemp(dir=WORK))
        cls.addClassCleanup(shutil.rmtree, cls.shared, True)
        layout = cls.shared / "layout"
        umoci("init", "--layout", layout)
        umoci("new", "--image", f"{layout}:base")
        umoci("insert", "--image", f"{layout}:base", cls.tree, "/")
        server = file_of(cls.shared, "server", SERVER, 0o755)
        umoci("insert", "--image", f"{layout}:base", server, "/srv/app/server")
        umoci("insert", "--image", f"{layout}:base", file_of(cls.shared, "OLD", "old"), "/srv/app/OLD")
        umoci("config", "--image", f"{layout}:base", "--config.workingdir", "/srv/app", "--config.cmd", "./server", "--config.env", "LEVEL=info",
              "--config.exposedports", "8080/tcp", "--config.stopsignal", "SIGTERM", "--config.user", "nobody")
        umoci("insert", "--image", f"{layout}:base", "--tag", "one", file_of(cls.shared, "VERSION", "one"), "/srv/app/VERSION")
        umoci("insert", "--image", f"{layout}:one", "--tag", "two", file_of(cls.shared, "VERSION", "two"), "/srv/app/VERSION")
        umoci("insert", "--image", f"{layout}:two", "--whiteout", "/srv/app/OLD")
        cls.layout = Layout(layout)

    def build(self, source, *options, expect=0):
        return self.repo.berth("build", source, "--json", *options, expect=expect)

    def deploy_in_bake(self, node, release):
        """Deploys until it bakes: what an image says of itself leaves the bake at half a minute."""
        self.deploy(node, release, "web", 0, "--until", "switched")
        wait_until(lambda: node.deployments()[0]["state"] == "baking", f"{release} bakes")

    def release_image(self, tag, *options):
        digest = self.build(self.layout.folder, "--tag", tag, *options).json()["build"]
        return digest, self.repo.release("web")

    def ask(self, port=8080):
        """What the server in the image says of itself."""
        def answer():
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as got:
                    return dict(line.split("=", 1) for line in got.read().decode().split("\n"))
            except OSError:
                return None
        return wait_until(answer, "the image's server answers")

    def test_an_image_that_needs_its_own_c_library_is_deployed_switched_and_reverted(self):
        on_node = subprocess.run([str(self.tree / "usr/bin/perl"), "-e", "1"], capture_output=True, text=True)
        self.assertNotEqual(on_node.returncode, 0, "the node's C library would do as well, so this test shows nothing")

        self.repo.configure(files={"greeting.tmpl": "hello from ${BERTH_CONFIG_DIR}"})
        _, first = self.release_image("one", "--app", "web")
        node = self.make_node().start()
        self.deploy_in_bake(node, first)
        self.assertOneWholeRelease(node, first)
        seen = self.ask()
        self.assertEqual({name: seen[name] for name in ("release", "codename", "level", "cwd", "greeting", "home", "tmp", "writable", "version", "gone")},
                         {"release": first, "codename": "trixie", "level": "info", "cwd": "/srv/app", "greeting": "hello from /berth/config",
                          "home": "/berth/run", "tmp": "/tmp", "writable": "no", "version": "one", "gone": "no"})
        self.assertIn("berth", seen["root"].split())
        self.assertNotIn("work", seen["root"].split())
        [pid] = node.pids().values()
        self.assertEqual(int(seen["uid"]), os.stat(f"/proc/{pid}").st_uid)
        self.assertNotEqual(int(seen["uid"]), 0)
        self.assertEqual(os.readlink(f"/proc/{pid}/root"), "/")

        _, second = self.release_image("two", "--app", "web")
        self.deploy_in_bake(node, second)
        seen = self.ask()
        self.assertEqual((seen["release"], seen["version"], seen["gone"]), (second, "two", "yes"))
        node.berth("verify", "web")
        ask = 'print readlink("/proc/self/cwd"), " $ENV{BERTH_DATA_DIR} $< ", -w "." ? "writable" : "sealed", " "; open F, "/etc/os-release"; print grep /CODENAME/, <F>'
        done = node.berth("exec", "web", "--", "perl", "-e", ask)
        self.assertEqual(done.out.split()[:4], ["/srv/app", "/berth/data", seen["uid"], "sealed"])
        self.assertIn("trixie", done.out)

        node.berth("revert", "web")
        seen = self.ask()
        self.assertEqual((seen["release"], seen["version"]), (first, "one"))
        self.assertEqual((node.data() / "starts").read_text().split(), [first, second, first])
        node.berth("restart", "web")
        self.assertEqual(self.ask()["release"], first)

    def test_berthd_killed_meanwhile_finds_the_instance_again(self):
        spec = file_of(self.folder, "berth.toml", 'app = "web"\n[process.web]\nport = 8080\n[deploy]\nbake = "300ms"\n')
        _, release = self.release_image("one", "--spec", spec)
        node = self.make_node().start()
        self.deploy(node, release)
        pids = node.pids()
        node.kill()
        self.assertEqual(self.ask()["release"], release)
        node.start()
        node.wait_app(health="healthy")
        self.assertEqual(node.pids(), pids)
        [pid] = pids.values()
        os.kill(pid, 9)
        wait_until(lambda: node.pids() != pids and node.app()["health"] == "healthy", "it is started again, in its image")
        self.assertEqual(self.ask()["codename"], "trixie")

    def test_what_an_image_says_of_itself_is_the_specs_defaults(self):
        layout = Layout(shutil.copytree(self.layout.folder, self.folder / "told"))
        notes = """$SIG{INT} = sub { open F, '>', "$ENV{BERTH_DATA_DIR}/ended" or die; print F 'by INT'; close F; exit }; do '/srv/app/server'; die $@"""
        umoci("insert", "--image", f"{layout.folder}:one", file_of(self.folder, "notes", notes), "/srv/app/notes")
        umoci("config", "--image", f"{layout.folder}:one", "--config.entrypoint", "perl", "--config.cmd", "/srv/app/notes", "--config.workingdir", "/srv", "--config.env", "LEVEL=told",
              "--config.env", "PRICE=$5 ${X}", "--config.stopsignal", "SIGINT", "--config.exposedports", "8080/tcp", "--config.exposedports", "1883/tcp", "--config.user", "1000:1000")
        check = ["CMD", "perl", "-e", "exit(-e '/run/server.pid' ? 0 : 1)"]
        layout.check_health("one", {"Test": check, "Interval": 500_000_000, "Timeout": 2_000_000_000, "StartPeriod": 3_000_000_000, "StartInterval": 200_000_000, "Retries": 4})
        told = self.build(layout.folder, "--tag", "one", "--app", "web").json()
        release = self.repo.release("web")
        manifest = self.repo.berth("inspect", f"web/production@{release}", "--repo", self.repo.folder, "--json").json()
        process = manifest["spec"]["process"]["web"]
        self.assertEqual(process["command"], ["perl", "/srv/app/notes"])
        self.assertEqual((process["root"], process["directory"], process["port"], process["stop"]["signal"]), ("image", "srv", 8080, "INT"))
        self.assertEqual(process["ports"], {"tcp-1883": {"private": True, "env": ""}}, "the lower one, and yet not the one that the web is served on")
        self.assertEqual({name: manifest["spec"]["env"][name]["default"] for name in ("LEVEL", "PRICE")}, {"LEVEL": "told", "PRICE": "$5 ${X}"})
        for probe, period, failures in (("readiness", "500ms", 4), ("startup", "200ms", 25)):
            self.assertEqual({key: process[probe][key] for key in ("exec", "period", "timeout", "failure_threshold")},
                             {"exec": check[1:], "period": period, "timeout": "2s", "failure_threshold": failures}, probe)
        self.assertEqual(manifest["spec"]["user"], "", "an app's own, since the numbers of an image's users are those of others on the node")
        self.assertTrue(any("user '1000:1000' does not count" in note for note in told["notes"]), told["notes"])

        node = self.make_node().start()
        self.deploy_in_bake(node, release)
        seen = self.ask()
        self.assertEqual((seen["release"], seen["level"], seen["cwd"]), (release, "told", "/srv"))
        self.assertNotIn(int(seen["uid"]), (0, 1000))
        node.berth("stop", "web")
        self.assertEqual((node.data() / "ended").read_text(), "by INT")

    def test_a_spec_says_otherwise_and_probes_run_in_the_image(self):
        spec = file_of(self.folder, "berth.toml", """
app = "web"
[process.web]
port = 8090
[process.web.readiness]
exec = ["perl", "-e", "exit(-e '/srv/app/server' && -e '/berth/data/starts' && !-e '/work' ? 0 : 1)"]
period = "200ms"
[env.LEVEL]
default = "debug"
[env.TOKEN]
secret = true
[deploy]
bake = "300ms"
""")
        secret = file_of(self.folder, "token", "hunter2")
        secret.chmod(0o600)
        self.repo.configure(secrets={"TOKEN": f"file:{secret}"})
        _, release = self.release_image("one", "--spec", spec)
        node = self.make_node().start()
        self.deploy(node, release)
        seen = self.ask(8090)
        self.assertEqual((seen["level"], seen["secret"]), ("debug", "hunter2"))

        # The folders that are mounted in its root stay what they are: it sees what berthd renders anew, and does not lose it.
        pids = node.pids()
        [pid] = pids.values()
        node.kill()
        secret.write_text("hunter3")
        node.start()
        node.wait_app(health="healthy")
        self.assertEqual(node.pids(), pids)
        self.assertEqual(Path(f"/proc/{pid}/root/berth/secrets/TOKEN").read_text(), "hunter3")
        self.assertEqual(self.ask(8090)["secret"], "hunter3")

    def test_an_image_is_the_same_build_in_every_form(self):
        folder = self.layout.only("two", self.folder / "only")
        from_folder = self.build(folder.folder, "--app", "web").json()
        self.assertTrue(any("listen on $PORT" in note for note in from_folder["notes"]), from_folder["notes"])
        self.assertTrue(any("user 'nobody'" in note for note in from_folder["notes"]), from_folder["notes"])
        self.assertTrue(any("setuid" in note for note in from_folder["notes"]), from_folder["notes"])
        self.assertEqual(self.build(self.layout.folder, "--tag", "two", "--app", "web").json()["build"], from_folder["build"])
        layout_tar = self.folder / "layout.tar"
        subprocess.run(["tar", "-C", folder.folder, "-cf", layout_tar, "."], check=True)
        self.assertEqual(self.build(layout_tar, "--app", "web").json()["build"], from_folder["build"])
        saved = self.layout.docker_save("two", self.folder / "saved.tar")
        self.assertEqual(self.build(saved, "--app", "web").json()["build"], from_folder["build"])

    def test_bad_images_are_refused_by_name(self):
        def refused(source, *words, options=("--app", "web"), code=4):
            self.assertSays(self.repo.berth("build", source, *options, expect=code), *words)

        flipped = self.layout.only("one", self.folder / "flipped")
        layer = flipped.blob(flipped.image("one")["layers"][-1])
        content = bytearray(layer.read_bytes())
        content[len(content) // 2] ^= 1
        layer.write_bytes(content)
        refused(flipped.folder, layer.name, "it is damaged, or was changed")
        layer.unlink()
        refused(flipped.folder, layer.name, "is missing")

        config = self.layout.only("one", self.folder / "config")
        blob = config.blob(config.image("one")["config"])
        blob.write_bytes(blob.read_bytes().replace(b"LEVEL=info", b"LEVEL=evil"))
        refused(config.folder, blob.name, "it is damaged, or was changed")

        refused(self.layout.folder, "--tag", "base", "one", "two", code=2)
        refused(self.layout.folder, "--app NAME", options=("--tag", "one"), code=2)
        other = "linux/arm64" if os.uname().machine == "x86_64" else "linux/amd64"
        refused(self.layout.folder, f"no image for {other}", options=("--tag", "one", "--app", "web", "--platform", other), code=2)

        saved = self.layout.docker_save("one", self.folder / "saved.tar")
        cut = self.folder / "cut.tar"
        cut.write_bytes(saved.read_bytes()[:-200_000])
        refused(cut, "cut.tar", code=2)
        self.assertEqual(self.repo.berth("builds", "--json").json()["builds"], [])

    def test_one_executable_is_an_app(self):
        done = self.build(TESTAPP, "--app", "web")
        self.assertEqual(done.json()["files"], 1)
        spec = file_of(self.folder, "berth.toml", 'app = "web"\n[process.web]\ncommand = ["bin/testapp", "--serve", "--port", "${PORT}"]\nport = 8080\n'
                       '[process.web.readiness]\nhttp = "/healthz"\nperiod = "100ms"\n[deploy]\nbake = "300ms"\n')
        self.build(TESTAPP, "--spec", spec)
        release = self.repo.release("web")
        node = self.make_node().start()
        self.deploy(node, release)
        self.assertServes(release)


if __name__ == "__main__":
    unittest.main(verbosity=2)
