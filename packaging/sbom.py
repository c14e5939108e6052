#!/usr/bin/env python3
"""Says what programs that are packed are made of, as SPDX 2.3 in JSON.

usage: packaging/sbom.py --build DIR --tree DIR --name NAME --version VERSION --output FILE

--build is the build folder that the programs are from, --tree what is packed, with the programs in it; the output, which may be in there, is left out. Nothing
is listed by hand: shared libraries are those that the programs name (NEEDED) and that these name in turn, headers are those that ninja saw the compiler read,
archives those of the commands that link; dpkg knows of which package and version each is. SOURCE_DATE_EPOCH is the time of it. The same programs give the
same bytes."""
import argparse
import datetime
import functools
import hashlib
import json
import os
import re
import shlex
import subprocess
import sys
import uuid
from pathlib import Path

TARGETS = {"berthd": "daemon/berthd", "berth": "cli/berth", "berth-keeper": "daemon/keeper/berth-keeper", "berth-unpack": "daemon/unpack/berth-unpack"}
TRIPLETS = {"Advanced Micro Devices X86-64": "x86_64-linux-gnu", "AArch64": "aarch64-linux-gnu"}
# A header that has such lines is code, which is in the program; others only say how to call what is elsewhere.
CODE = re.compile(rb"^\s*template\s*<", re.MULTILINE)
SUPPLIER = "Organization: berth's authors"


def run(*command):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"})
    if done.returncode != 0:
        sys.exit(f"sbom: {' '.join(map(str, command[:4]))} ended with {done.returncode}: {done.stderr[-2000:]}")
    return done.stdout


class Elf:
    """What a program or library says of itself."""

    def __init__(self, path):
        text = run("readelf", "--wide", "-h", "-d", path)
        self.needed = re.findall(r"\(NEEDED\)\s+Shared library: \[(.*)\]", text)
        machine = re.search(r"Machine:\s+(.*)", text).group(1).strip()
        self.triplet = TRIPLETS.get(machine) or sys.exit(f"sbom: {path}: it is not known where the libraries of {machine} are")


elf = functools.cache(Elf)


@functools.cache
def library(name, triplet):
    """The file of a shared library, or of an archive."""
    for folder in ("/lib", "/usr/lib"):
        path = Path(folder, triplet, name)
        if path.exists():
            return str(path)
    sys.exit(f"sbom: {name} is neither in /lib/{triplet} nor in /usr/lib/{triplet}")


class Dpkg:
    """Of which packages files are."""

    def __init__(self):
        self.known = {}
        self.packages = {}

    def owner(self, path):
        self.look_up([path])
        return self.known[path]

    def look_up(self, paths):
        """Asks once for many. Where folders moved below /usr, dpkg may know either name."""
        asked = {}
        for path in paths:
            if path not in self.known:
                other = path.removeprefix("/usr") if path.startswith("/usr/") else "/usr" + path
                asked.update({path: path, other: path})
        if not asked:
            return
        done = subprocess.run(["dpkg-query", "-S", *asked], capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"})
        for line in done.stdout.splitlines():
            names, _colon, path = line.rpartition(": ")
            if path in asked and not line.startswith("diversion by"):
                self.known.setdefault(asked[path], names.split(", ")[0])
        if lost := sorted(set(asked.values()) - self.known.keys()):
            sys.exit(f"sbom: {lost[0]} is of no package, and {len(lost) - 1} more")

    def about(self, name):
        """Name, version and architecture of a package, and those of its source."""
        if name not in self.packages:
            self.packages[name] = run("dpkg-query", "-W", "-f", "${Package}\t${Version}\t${Architecture}\t${source:Package}\t${source:Version}", name).split("\t")
        return self.packages[name]


class Build:
    """What ninja knows of how programs came to be."""

    def __init__(self, folder):
        self.folder = Path(folder).resolve()
        source = re.search(r"^CMAKE_HOME_DIRECTORY:INTERNAL=(.*)$", (self.folder / "CMakeCache.txt").read_text(), re.MULTILINE).group(1)
        self.ours = (f"{self.folder}/", f"{os.path.realpath(source)}/", f"{source}/")

    def ninja(self, *arguments):
        return run("ninja", "-C", self.folder, *arguments).split("\n")

    def is_foreign(self, path):
        return path.startswith("/") and not path.startswith(self.ours)

    def headers(self, target):
        """All that the compiler read for it that is not our own."""
        objects = [line for line in self.ninja("-t", "inputs", target) if line.endswith((".o", ".gch"))]
        objects = [one for one in objects if ".parts/" not in one or one.startswith(target)]  # berthd is built after the keeper, and not of it
        found = [line.strip() for line in self.ninja("-t", "deps", *objects) if line.startswith("    ")]
        for one in objects:  # of commands, whose dependencies ninja reads anew each time
            depfile = self.folder / (one + ".d")
            if depfile.exists():
                found += depfile.read_text().replace("\\\n", " ").split()[1:]
        if not found:
            sys.exit(f"sbom: ninja does not know what {target} was compiled of: build it in {self.folder} first")
        return sorted({os.path.normpath(path) for path in found if self.is_foreign(path)})

    def archives(self, target, triplet, static):
        """Archives and objects that it is linked with and that are not our own."""
        words = shlex.split(" ".join(self.ninja("-t", "commands", "-s", target)))
        found = {word for word in words if word.endswith((".a", ".o")) and self.is_foreign(word)}
        if static:
            found |= {library(f"lib{word[2:]}.a", triplet) for word in words if re.fullmatch(r"-l\w+", word)}
            if not any("musl" in word for word in found):  # musl's start files stand in the command
                found.add(library("libc.a", triplet))
        return found


def spdx_id(kind, name):
    return f"SPDXRef-{kind}-" + re.sub(r"[^A-Za-z0-9.-]", "-", name.replace("+", "plus"))


class Document:
    def __init__(self, name, version):
        self.name, self.version = name, version
        self.dpkg = Dpkg()
        self.files, self.relationships, self.packages = [], [], {}
        self.main = spdx_id("Package", name)

    def relate(self, one, kind, other, comment=None):
        relation = {"spdxElementId": one, "relationshipType": kind, "relatedSpdxElement": other}
        if comment:
            relation["comment"] = comment
        if relation not in self.relationships:
            self.relationships.append(relation)

    def package(self, name, library_name=None):
        """The id of a package of Debian. `library_name`: a shared library of it that is loaded."""
        package, version, architecture, source, source_version = self.dpkg.about(name)
        identity = spdx_id("Debian", package)
        known = self.packages.setdefault(identity, {
            "SPDXID": identity, "name": package, "versionInfo": version, "supplier": "Organization: Debian", "downloadLocation": "NOASSERTION", "filesAnalyzed": False,
            "licenseConcluded": "NOASSERTION", "licenseDeclared": "NOASSERTION", "copyrightText": "NOASSERTION", "sourceInfo": f"built from {source} {source_version}",
            "externalRefs": [{"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl",
                              "referenceLocator": f"pkg:deb/debian/{package.replace('+', '%2B')}@{version.replace('+', '%2B').replace(':', '%3A').replace('~', '%7E')}?arch={architecture}"}]})
        if library_name:
            names = set(filter(None, known.get("comment", "").removeprefix("provides ").split(", "))) | {library_name}
            known["comment"] = "provides " + ", ".join(sorted(names))
        return identity

    def shared(self, names, triplet, of, relation, seen):
        """Shared libraries, and what they load in turn."""
        for name in sorted(names):
            path = library(name, triplet)
            identity = self.package(self.dpkg.owner(path), name)
            if identity != of:
                self.relate(of, relation, identity)
            if name not in seen:
                seen.add(name)
                self.shared(elf(path).needed, triplet, identity, "DEPENDS_ON", seen)

    def program(self, identity, path, build, seen):
        target, about = TARGETS[path.name], elf(path)
        self.shared(about.needed, about.triplet, identity, "DYNAMIC_LINK", seen)
        headers, archives = build.headers(target), build.archives(target, about.triplet, static=not about.needed)
        self.dpkg.look_up([*headers, *archives])
        code = {}
        for header in headers:
            code.setdefault(self.dpkg.owner(header), []).append(header)
        inside = {self.dpkg.owner(path) for path in archives}
        for package, its in sorted(code.items()):
            if package not in inside and not any(CODE.search(Path(header).read_bytes()) for header in its):
                self.relate(self.package(package), "BUILD_DEPENDENCY_OF", identity)
            elif package not in inside:
                self.relate(identity, "STATIC_LINK", self.package(package), "headers with code")
        for package in sorted(inside):
            self.relate(identity, "STATIC_LINK", self.package(package), "an archive")

    def add_tree(self, tree, output, build):
        excluded = []
        seen = set()
        for path in sorted(path for path in tree.rglob("*") if path.is_file() and not path.is_symlink() and "DEBIAN" not in path.relative_to(tree).parts):
            name = f"./{path.relative_to(tree)}"
            if path.resolve() == output.resolve():
                excluded.append(name)
                continue
            content = path.read_bytes()
            is_program = content.startswith(b"\x7fELF")
            identity = spdx_id("File", name[2:])
            kinds = ["BINARY"] if is_program else ["ARCHIVE"] if name.endswith(".gz") else ["TEXT"]
            self.files.append({"SPDXID": identity, "fileName": name, "fileTypes": kinds, "licenseConcluded": "NOASSERTION", "copyrightText": "NOASSERTION",
                               "checksums": [{"algorithm": kind.upper(), "checksumValue": hashlib.new(kind, content).hexdigest()} for kind in ("sha1", "sha256")]})
            self.relate(self.main, "CONTAINS", identity)
            if is_program:
                self.program(identity, path, build, seen)
        ids = [one["SPDXID"] for one in self.files]
        if len(ids) != len(set(ids)):
            sys.exit("sbom: two files have the same id")
        sums = sorted(one["checksums"][0]["checksumValue"] for one in self.files)
        self.code = {"packageVerificationCodeValue": hashlib.sha1("".join(sums).encode()).hexdigest()}
        if output.resolve().is_relative_to(tree.resolve()):
            self.code["packageVerificationCodeExcludedFiles"] = excluded or [f"./{output.resolve().relative_to(tree.resolve())}"]

    def to_json(self):
        main = {"SPDXID": self.main, "name": self.name, "versionInfo": self.version, "supplier": SUPPLIER, "originator": SUPPLIER, "downloadLocation": "NOASSERTION", "filesAnalyzed": True,
                "packageVerificationCode": self.code, "licenseConcluded": "MIT", "licenseInfoFromFiles": ["NOASSERTION"], "licenseDeclared": "MIT",
                "copyrightText": "Copyright (c) 2026 berth's authors", "primaryPackagePurpose": "APPLICATION"}
        at = datetime.datetime.fromtimestamp(int(os.environ.get("SOURCE_DATE_EPOCH") or 0) or datetime.datetime.now().timestamp(), datetime.timezone.utc)
        document = {"spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT", "name": f"{self.name}-{self.version}",
                    "creationInfo": {"created": at.strftime("%Y-%m-%dT%H:%M:%SZ"), "creators": [f"Tool: berth-sbom-{self.version}", SUPPLIER]},
                    "packages": [main, *(self.packages[key] for key in sorted(self.packages))], "files": self.files,
                    "relationships": [{"spdxElementId": "SPDXRef-DOCUMENT", "relationshipType": "DESCRIBES", "relatedSpdxElement": self.main}, *self.relationships]}
        # Another content is another document, and the same content is the same one.
        unique = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(document, sort_keys=True))
        document["documentNamespace"] = f"https://spdx.org/spdxdocs/{self.name}-{self.version}-{unique}"
        return json.dumps(document, indent=1, sort_keys=True) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    for option in ("build", "tree", "name", "version", "output"):
        parser.add_argument(f"--{option}", required=True)
    arguments = parser.parse_args()
    document = Document(arguments.name, arguments.version)
    output = Path(arguments.output)
    document.add_tree(Path(arguments.tree), output, Build(arguments.build))
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(document.to_json())
    output.chmod(0o644)


if __name__ == "__main__":
    main()
