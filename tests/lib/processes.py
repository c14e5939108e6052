"""What /proc says of processes."""
import os
from pathlib import Path


def all_pids():
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def environment(pid):
    """The environment a process was started with; empty when it is gone or a zombie."""
    try:
        text = Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return {}
    return dict(item.split("=", 1) for item in text.decode(errors="replace").split("\0") if "=" in item)


def started(pid):
    """When a process started, in clock ticks since boot; with the pid it names a process for good. None: it is gone."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[19])
    except (OSError, IndexError):
        return None


def parent(pid):
    """The pid of a process' parent: of an instance, its keeper."""
    return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])


def state(pid):
    """The letter that the kernel has for what a process does, such as S, T (stopped) or Z; X where it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return "X"


def is_running(pid):
    return state(pid) not in "ZX"


def slot_of(pid):
    """(app, release) of the slot that a process' program lies in; None where it lies elsewhere. nginx writes over its environment."""
    try:
        parts = Path(os.readlink(f"/proc/{pid}/exe")).parts
    except OSError:
        return None
    if "slots" not in parts or parts[parts.index("slots") - 2] != "apps":
        return None
    at = parts.index("slots")
    return parts[at - 1], parts[at + 1]


def is_of_an_app(pid):
    """Whether an instance of any app started it."""
    return bool(environment(pid).get("BERTH_NODE")) or slot_of(pid) is not None


def of_app(app):
    """Every process that an app's instances started, grandchildren included: pid → release."""
    found = {}
    for pid in all_pids():
        env = environment(pid)
        slot = (env["BERTH_APP"], env.get("BERTH_RELEASE", "")) if "BERTH_APP" in env else slot_of(pid)
        if slot and slot[0] == app and is_running(pid):
            found[pid] = slot[1]
    return found


def high_water(pid):
    """The most memory that a process ever had resident, in bytes; 0 when it is gone."""
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) << 10
    except OSError:
        pass
    return 0


def uids(pid):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("Uid:"):
            return [int(part) for part in line.split()[1:]]
    return []
