"""A machine for the commands of a page: its own /etc, /var, /srv, home, network and processes, and berth as its packages install it.

There is no systemd in it. `systemctl` is a script that does what pages ask of it: it starts and restarts the real berthd.
"""
import os
import shutil
import signal
import subprocess
from pathlib import Path

from lib.programs import BERTH, BERTHD, KEEPER, PATIENCE, SOURCE, UNPACK
from lib.waiting import wait_until

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

# Becomes the first process of the machine: makes it, says so, and buries the dead.
BOOT = r"""
set -e
folder=$1
read -r pid _ < /proc/self/stat
hostname "$2"
mkdir -p "$folder"/{etc,var,work-etc,work-var,state,logs,run,runtime}
for at in etc var; do mount -t overlay -o "lowerdir=/$at,upperdir=$folder/$at,workdir=$folder/work-$at" overlay "/$at"; done
mkdir -p /etc/berth /var/lib/berth /var/log/berth /run/berth /run/user/0
mount --bind "$folder/state" /var/lib/berth
mount --bind "$folder/logs" /var/log/berth
mount --bind "$folder/run" /run/berth
mount --bind "$folder/runtime" /run/user/0
mount --bind "$folder/srv" /srv
mount --bind "$folder/root" /root
mount -t proc -o nosuid,nodev,noexec proc /proc
ip link set lo up
echo "$pid" > "$folder/pid.new"
mv "$folder/pid.new" "$folder/pid"
while :; do sleep 1000 & wait $!; done
"""

SYSTEMCTL = r"""#!/bin/bash
# What pages ask of systemd.
stop() {
  [ -e /run/berth.pid.d/pid ] || return 0
  kill "$(cat /run/berth.pid.d/pid)" 2> /dev/null || return 0
  while kill -0 "$(cat /run/berth.pid.d/pid)" 2> /dev/null; do sleep 0.02; done
}
start() {
  setsid berthd --config /etc/berth/berthd.toml >> /var/log/berthd.log 2>&1 < /dev/null &
  echo $! > /run/berth.pid.d/pid
  for _ in $(seq 1500); do
    [ "$(curl -s -o /dev/null -w '%{http_code}' --unix-socket /run/berth/api.sock http://berthd/readyz)" != 200 ] || return 0
    kill -0 "$(cat /run/berth.pid.d/pid)" || break
    sleep 0.02
  done
  tail -n 40 /var/log/berthd.log >&2
  exit 1
}
case "$*" in
  "restart berthd") stop; start ;;
  "stop berthd") stop ;;
  "disable --now redis-server") redis-cli shutdown save ;;
  *) echo "systemctl of a test: $* is not known" >&2; exit 2 ;;
esac
"""


class Machine:
    """Has no address unless it is given one, of a `Network`. Commands of it are run by root; variables and the folder they are in go on from one to the next."""

    def __init__(self, folder, name, address="", srv=None):
        self.folder, self.name, self.address = Path(folder) / name, name, address
        self.folder.mkdir()
        for part in ("root", "bin", "pid.d"):
            (self.folder / part).mkdir()
        self.srv = srv or self.folder / "srv"
        self.srv.mkdir(exist_ok=True)
        if srv:
            (self.folder / "srv").symlink_to(srv)
        self.boot()

    def boot(self):
        (self.folder / "boot").write_text(BOOT)
        unshare = ["unshare", "--net", "--mount", "--uts", "--pid", "--fork", "--kill-child", "bash", str(self.folder / "boot"), str(self.folder), self.name]
        with open(self.folder / "boot.log", "wb") as log:
            self.process = subprocess.Popen(unshare, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

        def up():
            if self.process.poll() is not None:
                raise AssertionError(f"the machine {self.name} ended: {(self.folder / 'boot.log').read_text()}")
            return (self.folder / "pid").exists()
        wait_until(up, f"the machine {self.name} is up", 20)
        self.pid = (self.folder / "pid").read_text().strip()
        self.install()

    def install(self):
        """Programs and configuration, as the packages leave them."""
        programs = self.folder / "bin"
        (programs / "berth").symlink_to(BERTH)
        (programs / "berthd").write_text(f'#!/bin/sh\nexec {BERTHD} --keeper {KEEPER} --unpack {UNPACK} "$@"\n')
        (programs / "systemctl").write_text(SYSTEMCTL.replace("/run/berth.pid.d", str(self.folder / "pid.d")))
        for name in ("berthd", "systemctl"):
            (programs / name).chmod(0o755)
        self.put("/etc/berth/berthd.toml", (SOURCE / "config/berthd.toml").read_text())

    def knows(self, addresses):
        """Names and addresses of other machines."""
        self.put("/etc/hosts", "127.0.0.1 localhost\n" + "".join(f"{address} {name}\n" for name, address in addresses.items()))

    def inside(self, *command):
        return ["nsenter", "-t", self.pid, "-m", "-n", "-u", "-p", "--", *command]

    def environment(self):
        return {"HOME": "/root", "USER": "root", "PATH": f"{self.folder}/bin:{PATH}", "LANG": "C.UTF-8", "NO_COLOR": "1", "TERM": "dumb", "XDG_RUNTIME_DIR": "/run/user/0", "BERTH_BUILDER": "ann@laptop"}

    def put(self, path, text):
        subprocess.run(self.inside("sh", "-c", 'mkdir -p "$(dirname "$1")" && cat > "$1"', "sh", path), input=text, text=True, check=True)

    def get(self, path):
        return subprocess.run(self.inside("cat", path), capture_output=True, text=True, check=True).stdout

    def script(self, commands):
        """A file that runs the commands as a shell would that they are typed into, one block after the other; gives its command."""
        block, before, place = self.folder / "block", self.folder / "variables", self.folder / "place"
        block.write_text(commands)
        runs = self.folder / "runs"
        runs.write_text(f'set -a\n[ ! -e {before} ] || . {before}\ncd "$(cat {place} 2> /dev/null || echo /root)"\nset -euo pipefail\n'
                        f"trap 'code=$?; set +x; export -p | grep -v -E \"declare -x (PATH|SHLVL|PWD|OLDPWD)=\" > {before}; pwd > {place}; exit $code' EXIT\n. {block}\n")
        return ["bash", str(runs)]

    def run(self, commands, expect=0, timeout=120):
        """Runs commands of a page; gives what they print."""
        done = subprocess.run(self.inside(*self.script(commands)), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=self.environment(),
                              timeout=timeout * PATIENCE, check=False)
        if expect is not None and done.returncode != expect:
            raise AssertionError(f"expected exit {expect}, not {done.returncode}, of\n{commands}\n{done.stdout}\n{self.log_tail()}")
        return done.stdout

    def begin(self, commands):
        """Starts commands that go on until `Foreground.interrupt`."""
        return Foreground(self, commands)

    def log_tail(self, lines=60):
        try:
            return "\n".join(["--- the end of berthd's log", *(self.folder / "var/log/berthd.log").read_text(errors="replace").splitlines()[-lines:], "---"])
        except OSError:
            return "(berthd has no log)"

    def end(self):
        """Everything in it ends with its first process."""
        self.process.kill()
        self.process.wait()
        wait_until(lambda: not Path(f"/proc/{self.pid}").exists(), f"the machine {self.name} is off")
        shutil.rmtree(self.folder, ignore_errors=True)


class Foreground:
    """Commands at another terminal of a machine."""

    def __init__(self, machine, commands):
        self.machine, self.commands = machine, commands
        self.shown = machine.folder / "shown"
        script = machine.script(commands)
        first = machine.folder / "first"
        with open(self.shown, "wb") as shown:
            self.process = subprocess.Popen(machine.inside("setsid", "--wait", "bash", "-c", f'echo $$ > {first}; exec "$@"', "bash", *script), stdin=subprocess.DEVNULL, stdout=shown,
                                            stderr=subprocess.STDOUT, env=machine.environment(),
                                            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))  # who runs tests in the background has it ignored
        self.first = first

    @property
    def text(self):
        return self.shown.read_text(errors="replace")

    def interrupt(self):
        """Ctrl-C; gives the exit code."""
        subprocess.run(self.machine.inside("bash", "-c", f"kill -INT -- -{self.first.read_text().strip()}"), check=True)
        try:
            return self.process.wait(60 * PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGKILL)
            raise AssertionError(f"Ctrl-C did not end it: {self.commands}\n{self.text}") from None


class Network:
    """A cable and a switch between machines."""

    def __init__(self):
        subprocess.run(["ip", "link", "add", "switch0", "type", "bridge"], check=True)
        subprocess.run(["ip", "link", "set", "switch0", "up"], check=True)
        self.plugged = 0

    def plug(self, machine):
        port = f"port{self.plugged}"
        self.plugged += 1
        for command in (["link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", machine.pid], ["link", "set", port, "master", "switch0"], ["link", "set", port, "up"]):
            subprocess.run(["ip", *command], check=True)
        for command in (["address", "add", f"{machine.address}/24", "dev", "eth0"], ["link", "set", "eth0", "up"]):
            subprocess.run(machine.inside("ip", *command), check=True)

    @staticmethod
    def end():
        os.system("ip link del switch0")
