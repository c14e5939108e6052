"""Runs one test file alone: with a network, mounts and processes of its own.

usage: sandbox.py TEST.py [ARGUMENT...]

Every test may use any port and change nftables, and whatever it leaves running ends with it. /run is empty and in
memory; the tests work below /run/t, so that paths stay short enough for Unix sockets. The programs are in /run/build, too: ordinary users
may not get to where they were built, as in the home of root.
"""
import ctypes
import os
import subprocess
import sys

NAMESPACES = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--propagation", "unchanged"]
HERE = os.path.dirname(os.path.abspath(__file__))
CLONE_NEWNS, MNT_DETACH, MS_BIND_ALL, MS_PRIVATE_ALL = 0x20000, 2, 0x5000, 0x44000
PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}


def call(function, *arguments):
    """A function of the C library that Python has no name for."""
    if ctypes.CDLL(None, use_errno=True)[function](*arguments) < 0:
        raise OSError(ctypes.get_errno(), f"{function}: {os.strerror(ctypes.get_errno())}")


def lift_root():
    """Makes the folder that a chroot has as its root the root of this mount namespace, so that it is a mount as elsewhere."""
    here, folder = os.open("/", os.O_PATH), os.getcwd()
    # Entering a mount namespace, also the one it is in, takes a process to the root of it.
    call("setns", os.open("/proc/self/ns/mnt", os.O_RDONLY), CLONE_NEWNS)
    path = os.readlink(f"/proc/self/fd/{here}").encode()
    call("mount", None, b"/", None, MS_PRIVATE_ALL, None)
    call("mount", path, path, None, MS_BIND_ALL, None)
    os.chdir(path)
    call("syscall", PIVOT_ROOT[os.uname().machine], b".", b".")
    call("umount2", b".", MNT_DETACH)
    os.chdir(folder)


def keep_mounts_here():
    with open("/proc/self/mountinfo") as mounts:
        is_mount = any(line.split()[4] == "/" for line in mounts)
    if is_mount:
        call("mount", None, b"/", None, MS_PRIVATE_ALL, None)
    else:
        lift_root()


def prepare():
    keep_mounts_here()
    subprocess.run(["mount", "-t", "proc", "-o", "nosuid,nodev,noexec", "proc", "/proc"], check=True)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=0755,size=4g", "tmpfs", "/run"], check=True)
    os.mkdir("/run/t", 0o755)
    os.mkdir("/run/build", 0o755)
    built = os.environ.get("BERTH_BUILD") or os.path.join(os.path.dirname(os.path.dirname(HERE)), "build", "release")
    subprocess.run(["mount", "--bind", built, "/run/build"], check=True)
    os.environ["BERTH_BUILD"] = "/run/build"
    os.umask(0o022)
    if not os.path.exists("/etc/hosts"):
        add_hosts()
    os.environ["PYTHONPATH"] = os.path.dirname(HERE)


def add_hosts():
    """A machine that was just made may have no /etc/hosts, which tests put another one in the place of."""
    for part in ("upper", "work"):
        os.makedirs(f"/run/etc/{part}")
    subprocess.run(["mount", "-t", "overlay", "-o", "lowerdir=/etc,upperdir=/run/etc/upper,workdir=/run/etc/work", "overlay", "/etc"], check=True)
    with open("/etc/hosts", "w", encoding="utf-8") as hosts:
        hosts.write("127.0.0.1 localhost\n::1 localhost\n")


def run_as_init(command):
    """The first process of the namespace: starts the test and buries everybody's dead until it ends."""
    test = os.fork()
    if test == 0:
        os.execvp(command[0], command)
    while True:
        pid, status = os.wait()
        if pid == test:
            return os.waitstatus_to_exitcode(status) & 0xFF


def main():
    if sys.argv[1] != "--inside":
        if os.geteuid() != 0:
            sys.exit("the end-to-end tests need root: they make namespaces, users' processes and nftables rules")
        os.execvp(NAMESPACES[0], NAMESPACES + [sys.executable, __file__, "--inside"] + sys.argv[1:])
    prepare()
    os._exit(run_as_init([sys.executable] + sys.argv[2:]))


if __name__ == "__main__":
    main()
