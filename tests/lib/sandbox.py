"""Runs one test file alone: with a network, mounts and processes of its own.

usage: sandbox.py TEST.py [ARGUMENT...]

Every test may use any port and change nftables, and whatever it leaves running ends with it. /run is empty and in
memory; the tests work below /run/t, so that paths stay short enough for Unix sockets.
"""
import os
import subprocess
import sys

NAMESPACES = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]


def prepare():
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=0755,size=4g", "tmpfs", "/run"], check=True)
    os.mkdir("/run/t", 0o755)
    os.umask(0o022)
    os.environ["PYTHONPATH"] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


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
