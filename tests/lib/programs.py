"""Where the built programs are: below $BERTH_BUILD, or the release build."""
import os
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("BERTH_BUILD") or SOURCE / "build" / "release")

BERTH = BUILD / "cli" / "berth"
BERTHD = BUILD / "daemon" / "berthd"
KEEPER = BUILD / "daemon" / "keeper" / "berth-keeper"
UNPACK = BUILD / "daemon" / "unpack" / "berth-unpack"
TESTAPP = BUILD / "tests" / "testapp"
LOAD = BUILD / "tests" / "berth-load"
INJECT = BUILD / "tests" / "berth-inject"
FORGE = BUILD / "tests" / "tools" / "forge" / "berth-forge"
SHIP = BUILD / "tests" / "tools" / "ship" / "berth-ship"


def sanitizer():
    """The sanitizer of this build: 'address', 'undefined', 'thread' or ''."""
    try:
        for line in (BUILD / "CMakeCache.txt").read_text().splitlines():
            if line.startswith("BERTH_SANITIZE:"):
                return line.split("=", 1)[1]
    except OSError:
        pass
    return ""


#: Sanitized programs are slower; what is waited for may take so many times longer.
SLOWNESS = {"": 1, "undefined": 2, "address": 3, "thread": 6}[sanitizer()]
#: A machine may be slower than the one that limits of time were thought of for, and others run on it: so many times longer is waited before it is given up.
PATIENCE = 3 * SLOWNESS
