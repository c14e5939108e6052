"""Sandboxes in systemd's words: what a live app may not do, and what it still can."""
import os
import unittest
from pathlib import Path

from lib import sample_apps
from lib.case import BerthCase
from lib.waiting import wait_until

#: Tries what it is kept from, says what came of it, and then serves as testapp.
SCRIPT = """#!/bin/sh
say() { echo "$@" >> "$BERTH_DATA_DIR/said"; }
tries() { if "$@" 2> /dev/null; then say done "$@"; else say refused "$@"; fi; }
: > "$BERTH_DATA_DIR/said"
say umask $(umask)
tries touch /usr/berth-was-here
tries touch /etc/berth-was-here
tries touch /var/berth-was-here
tries ls /root
tries ls SHARED/hidden
tries touch SHARED/berth-was-here
tries touch SHARED/out/berth-was-here
tries touch "$BERTH_RUN_DIR/x" "$TMPDIR/x" "$BERTH_DATA_DIR/x"
tries touch /tmp/MARK
say tmp $(ls /tmp)
exec "${0%/*}/testapp" --serve --port "$PORT"
"""

#: Listens at a socket in its /tmp, and is testapp beside.
LISTENER = """#!/bin/sh
listen='import signal, socket
s = socket.socket(socket.AF_UNIX)
s.bind("/tmp/socket-MARK")
s.listen()
signal.pause()'
python3 -c "$listen" &
exec "${0%/*}/testapp" --serve --port "$PORT"
"""

#: An exec probe: passes once that socket is reached. Writes down what it found.
PROBE = """#!/bin/sh
set -e
say() { echo "$@" >> "$BERTH_DATA_DIR/asked"; }
tries() { if "$@" 2> /dev/null; then say done "$@"; else say refused "$@"; fi; }
python3 -c 'import socket; socket.socket(socket.AF_UNIX).connect("/tmp/socket-MARK")'
say connected
tries touch SHARED/berth-was-here
tries touch SHARED/out/berth-was-here
tries ls SHARED/hidden
say tmp $(ls /tmp)
"""

SANDBOX = """[process.web.sandbox]
ProtectSystem = "strict"
ProtectHome = true
PrivateTmp = true
ReadWritePaths = ["SHARED/out"]
InaccessiblePaths = ["SHARED/hidden", "-/no/such/path"]
RestrictAddressFamilies = ["AF_INET", "AF_INET6", "AF_UNIX"]
MemoryDenyWriteExecute = true
UMask = "0027"
"""


class SandboxOfAnApp(BerthCase):
    def publish(self, sandbox, note="", scripts={"bin/tries": SCRIPT}):
        shared = self.folder / "shared"
        for name in ("", "out", "hidden"):
            (shared / name).mkdir(exist_ok=True)
            (shared / name).chmod(0o777)
        tree = sample_apps.testapp(self.folder / "site", more=sandbox.replace("SHARED", str(shared)), note=note)
        self.mark = Path("/tmp") / f"berth-{self.folder.name}"  # the node's /tmp is that of all tests
        self.addCleanup(self.mark.unlink, missing_ok=True)
        for name, script in scripts.items():
            tree.put(name, script.replace("SHARED", str(shared)).replace("MARK", self.mark.name), 0o755)
        return self.repo.publish(tree.spec_replaced('"bin/testapp", "--serve", "--port", "${PORT}"', '"bin/tries"'))

    def said(self, node):
        return (node.data() / "said").read_text().splitlines()

    def test_an_app_is_kept_from_what_its_spec_says_and_from_nothing_of_its_own(self):
        self.publish(SANDBOX)
        node = self.make_node().start()
        self.deploy(node, "v1")
        self.assertServes("v1")
        shared, said = self.folder / "shared", self.said(node)
        self.assertEqual(said[0], "umask 0027")
        self.assertEqual(said[1:6], ["refused touch /usr/berth-was-here", "refused touch /etc/berth-was-here", "refused touch /var/berth-was-here", "refused ls /root",
                                     f"refused ls {shared}/hidden"])
        self.assertEqual(said[6:8], [f"refused touch {shared}/berth-was-here", f"done touch {shared}/out/berth-was-here"])
        self.assertTrue(said[8].startswith("done touch "), said[8])
        self.assertEqual(said[9:], [f"done touch {self.mark}", f"tmp {self.mark.name}"])
        self.assertTrue((shared / "out" / "berth-was-here").exists())
        self.assertFalse(self.mark.exists())
        (pid,) = node.pids().values()
        status = dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
        self.assertEqual((status["NoNewPrivs"], status["Seccomp"], int(status["CapEff"], 16)), ("1", "2", 0))
        self.assertEqual([int(status[word], 16) for word in ("CapBnd", "CapInh", "CapAmb")], [0, 0, 0], "nor can it ever have any")
        mounts = {words[4]: (words[5].split(",")[0], words[words.index("-") + 1]) for words in map(str.split, Path(f"/proc/{pid}/mountinfo").read_text().splitlines())}
        self.assertEqual((mounts["/"][0], mounts["/root"], mounts["/tmp"]), ("ro", ("ro", "tmpfs"), ("rw", "tmpfs")))  # its user would be kept from some of it anyway
        self.assertNotEqual(os.readlink(f"/proc/{pid}/ns/mnt"), os.readlink(f"/proc/{node.process.pid}/ns/mnt"))

        node.berth("restart", "web")
        node.wait_app(health="healthy")
        self.assertEqual(self.said(node)[9:], [f"done touch {self.mark}", f"tmp {self.mark.name}"], "its /tmp was empty again")

    def test_a_command_has_the_sandbox_of_its_process(self):
        self.publish(SANDBOX)
        node = self.make_node().start()
        self.deploy(node, "v1")
        shared = self.folder / "shared"
        script = (f'umask; ls {shared}/hidden; touch {shared}/x; touch {shared}/out/y "$BERTH_DATA_DIR/y" && echo wrote; '
                  'grep -E "^(NoNewPrivs|Seccomp):" /proc/self/status')
        done = node.berth("exec", "web", "--", "sh", "-c", script)
        self.assertEqual(done.out.split(), ["0027", "wrote", "NoNewPrivs:", "1", "Seccomp:", "2"])
        self.assertIn("Permission denied", done.err)
        self.assertIn("Read-only file system", done.err)
        self.assertFalse((shared / "x").exists())

    def test_an_exec_probe_sees_what_its_instance_sees(self):
        sandbox = """[process.web.sandbox]
PrivateTmp = true
ReadOnlyPaths = ["SHARED"]
ReadWritePaths = ["SHARED/out"]
InaccessiblePaths = ["SHARED/hidden"]
[process.web.startup]
exec = ["bin/ask"]
period = "100ms"
timeout = "10s"
failure_threshold = 200
"""
        self.publish(sandbox, scripts={"bin/tries": LISTENER, "bin/ask": PROBE})
        node = self.make_node().start()
        self.deploy(node, "v1")
        shared = self.folder / "shared"
        self.assertEqual((node.data() / "asked").read_text().splitlines(),
                         ["connected", f"refused touch {shared}/berth-was-here", f"done touch {shared}/out/berth-was-here", f"refused ls {shared}/hidden", f"tmp socket-{self.mark.name}"])
        self.assertFalse(Path(f"/tmp/socket-{self.mark.name}").exists(), "the node has none")

    def test_without_a_sandbox_nothing_changes(self):
        self.publish("")
        node = self.make_node().start()
        self.deploy(node, "v1")
        (pid,) = node.pids().values()
        self.assertEqual(os.readlink(f"/proc/{pid}/ns/mnt"), os.readlink(f"/proc/{node.process.pid}/ns/mnt"))
        self.assertEqual(self.said(node)[0], "umask 0022")
        self.assertTrue(self.mark.exists())
        self.assertEqual(set(self.capabilities(pid).values()), {0})

    def capabilities(self, pid):
        """Of a process: the name of a set → its bits."""
        lines = [line.split(":\t") for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("Cap")]
        return {name: int(bits, 16) for name, bits in lines}

    def test_it_has_the_capabilities_and_devices_that_it_is_given(self):
        bind = 1 << 10
        self.publish('[process.web.sandbox]\nAmbientCapabilities = ["CAP_NET_BIND_SERVICE"]\nPrivateDevices = true\n[process.web.liveness]\n'
                     'exec = ["/bin/sh", "-c", "grep -e CapBnd -e NoNewPrivs /proc/self/status > $BERTH_DATA_DIR/probe"]\nperiod = "100ms"\n')
        node = self.make_node().start()
        self.deploy(node, "v1")
        self.assertServes("v1")
        (pid,) = node.pids().values()
        self.assertEqual(set(self.capabilities(pid).values()), {bind})
        probe = node.data() / "probe"
        asked = wait_until(lambda: probe.exists() and len(probe.read_text().split()) == 4 and probe.read_text().split(), "it was asked")
        self.assertEqual(asked, ["CapBnd:", f"{bind:016x}", "NoNewPrivs:", "1"], "and a probe of it may no more than it")
        self.assertEqual(set(os.listdir(f"/proc/{pid}/root/dev")) - {"null", "zero", "full", "random", "urandom", "tty", "pts", "ptmx", "shm", "mqueue", "hugepages", "log",
                                                                      "fd", "stdin", "stdout", "stderr", "core"}, set())
        script = "grep CapEff /proc/self/status; echo x > /dev/null && echo null; true > /dev/mine || echo closed"
        self.assertEqual(node.berth("exec", "web", "--", "sh", "-c", script).out.split(), ["CapEff:", f"{bind:016x}", "null", "closed"])

    def test_a_path_that_is_missing_fails_the_deployment_and_says_so(self):
        self.publish("")
        self.publish('[process.web.sandbox]\nReadOnlyPaths = ["/no/such/path"]\n', note="2")
        node = self.make_node().start()
        self.deploy(node, "v1")
        done = self.deploy(node, "v2", expect=None)
        self.assertNotEqual(done.code, 0)
        self.assertSays(done, "ReadOnlyPaths of its sandbox names /no/such/path, which is not on this node")
        self.assertNotIn("rejected", done.text, "it is the node that lacks something")
        self.assertServes("v1")

    def test_an_unknown_word_is_refused_when_it_is_built(self):
        tree = sample_apps.testapp(self.folder / "site", more="[process.web.sandbox]\nProtectSytem = true\n")
        self.assertSays(self.repo.berth("build", tree, expect=2), "did you mean 'ProtectSystem'?")


if __name__ == "__main__":
    unittest.main(verbosity=2)
