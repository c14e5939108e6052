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


def is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


def of_app(app):
    """Every process that an app's instances started, grandchildren included: pid → release."""
    found = {}
    for pid in all_pids():
        env = environment(pid)
        if env.get("BERTH_APP") == app and is_running(pid):
            found[pid] = env.get("BERTH_RELEASE", "")
    return found


def uids(pid):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("Uid:"):
            return [int(part) for part in line.split()[1:]]
    return []
