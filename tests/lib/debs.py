"""The Debian packages of the build that is tested, and the same once more as if they were the next version."""
import functools
import os
import shutil
import subprocess
from pathlib import Path

from lib.programs import BUILD, SOURCE

VERSION, NEXT = "0.1.0~1.test", "0.1.0~2.test"
REVISION = "-0berth1"


@functools.cache
def build(folder):
    """Builds both below `folder`: (the packages, the next ones), each berth and berthd. The next ones have the same programs."""
    folder = Path(folder)
    packages = pack(BUILD, folder, VERSION)
    (folder / "next").mkdir()
    return packages, [again(package, folder / "next", NEXT) for package in packages]


def pack(programs, folder, version):
    """The packages of a build folder, berth and berthd."""
    folder.mkdir(parents=True, exist_ok=True)
    made = subprocess.run([SOURCE / "packaging/build-deb.sh", "--build", programs, "--out", folder, "--version", version], capture_output=True, text=True,
                          env={**os.environ, "DEB_BUILD_OPTIONS": "noautodbgsym", "DPKG_DEB_COMPRESSOR_TYPE": "gzip"})
    assert made.returncode == 0, f"build-deb.sh ended with {made.returncode}\n{made.stdout[-8000:]}\n{made.stderr[-8000:]}"
    packages = sorted(folder.glob("*.deb"))
    assert [package.name.split("_")[0] for package in packages] == ["berth", "berthd"], packages
    return packages


def build_next(folder):
    """The packages of a second build of this source, whose programs say of themselves that they are the next version."""
    built = subprocess.run([SOURCE / "tests/node/make_next.sh", NEXT], capture_output=True, text=True)
    assert built.returncode == 0, f"make_next.sh ended with {built.returncode}\n{built.stderr[-8000:]}"
    return pack(built.stdout.strip(), folder, NEXT)


def again(package, folder, version, change=lambda tree: None):
    """`package` as another version of itself, with what `change` makes of its files."""
    tree = folder / "tree"
    subprocess.run(["dpkg-deb", "-R", package, tree], check=True)
    change(tree)
    control = tree / "DEBIAN/control"
    control.write_text(control.read_text().replace(VERSION, version))
    made = folder / package.name.replace(VERSION, version)
    subprocess.run(["dpkg-deb", "-Znone", "--root-owner-group", "-b", tree, made], check=True, capture_output=True)
    shutil.rmtree(tree)
    return made
