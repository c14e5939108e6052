"""SPDX 2.3 in JSON, read strictly: what https://spdx.github.io/spdx-spec/v2.3 wants of each element, of those that our documents have."""
import hashlib
import re

DOCUMENT = {"spdxVersion", "dataLicense", "SPDXID", "name", "documentNamespace", "creationInfo", "packages", "files", "relationships"}
PACKAGE = {"SPDXID", "name", "downloadLocation", "filesAnalyzed", "licenseConcluded", "licenseDeclared", "copyrightText"}  # and others
PACKAGE_MORE = {"versionInfo", "supplier", "originator", "packageVerificationCode", "licenseInfoFromFiles", "sourceInfo", "externalRefs", "comment", "primaryPackagePurpose"}
FILE = {"SPDXID", "fileName", "fileTypes", "checksums", "licenseConcluded", "copyrightText"}
RELATION = {"spdxElementId", "relationshipType", "relatedSpdxElement"}
RELATIONS = {"DESCRIBES", "CONTAINS", "DEPENDS_ON", "DYNAMIC_LINK", "STATIC_LINK", "BUILD_DEPENDENCY_OF"}
FILE_TYPES = {"BINARY", "ARCHIVE", "TEXT"}
DIGITS = {"SHA1": 40, "SHA256": 64}
ID = re.compile(r"SPDXRef-[a-zA-Z0-9.-]+")
AGENT = re.compile(r"(Tool|Person|Organization): \S.*")
PURL = re.compile(r"pkg:deb/debian/[a-z0-9.%B+-]+@[A-Za-z0-9.%+-]+\?arch=(amd64|arm64|all)")


def _keys(problems, where, thing, must, may=frozenset()):
    for key in sorted(must - thing.keys()):
        problems.append(f"{where}: {key} is missing")
    for key in sorted(thing.keys() - must - may):
        problems.append(f"{where}: {key} is unknown")
    for key, value in thing.items():
        if value in ("", [], {}, None):
            problems.append(f"{where}: {key} is empty")


def _matches(problems, where, value, pattern):
    if not isinstance(value, str) or not re.fullmatch(pattern, value):
        problems.append(f"{where}: {value!r} is not right")


def _package(problems, one, files):
    where = f"package {one.get('name')}"
    _keys(problems, where, one, PACKAGE, PACKAGE_MORE)
    for key in ("supplier", "originator"):
        if key in one:
            _matches(problems, f"{where}: {key}", one[key], AGENT)
    for reference in one.get("externalRefs", []):
        _keys(problems, where, reference, {"referenceCategory", "referenceType", "referenceLocator"})
        _matches(problems, where, reference.get("referenceCategory"), "PACKAGE-MANAGER")
        _matches(problems, where, reference.get("referenceLocator"), PURL)
    if one.get("filesAnalyzed") is not True:
        if "packageVerificationCode" in one or "licenseInfoFromFiles" in one:
            problems.append(f"{where}: its files were not looked at")
        return
    sums = sorted(sum_of(file, "SHA1") for file in files)
    if one.get("packageVerificationCode", {}).get("packageVerificationCodeValue") != hashlib.sha1("".join(sums).encode()).hexdigest():
        problems.append(f"{where}: its packageVerificationCode is another one")


def sum_of(file, algorithm):
    return next((one.get("checksumValue", "") for one in file.get("checksums", []) if one.get("algorithm") == algorithm), "")


def _file(problems, one):
    where = f"file {one.get('fileName')}"
    _keys(problems, where, one, FILE)
    _matches(problems, where, one.get("fileName"), r"\./[^/].*")
    if not set(one.get("fileTypes", [])) <= FILE_TYPES:
        problems.append(f"{where}: its type is unknown")
    for algorithm, digits in DIGITS.items():
        _matches(problems, f"{where}: {algorithm}", sum_of(one, algorithm), rf"[0-9a-f]{{{digits}}}")


def problems(document):
    """What is wrong with it, a line each."""
    found = []
    _keys(found, "document", document, DOCUMENT)
    for key, value in (("spdxVersion", "SPDX-2\\.3"), ("dataLicense", "CC0-1\\.0"), ("SPDXID", "SPDXRef-DOCUMENT"), ("documentNamespace", r"https://[^#\s]+")):
        _matches(found, key, document.get(key), value)
    creation = document.get("creationInfo", {})
    _keys(found, "creationInfo", creation, {"created", "creators"})
    _matches(found, "created", creation.get("created"), r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
    for creator in creation.get("creators", []):
        _matches(found, "creators", creator, AGENT)
    if not any(creator.startswith("Tool: ") for creator in creation.get("creators", [])):
        found.append("creators: no tool")
    packages, files = document.get("packages", []), document.get("files", [])
    for one in packages:
        _package(found, one, files)
    for one in files:
        _file(found, one)
    ids = ["SPDXRef-DOCUMENT", *(one.get("SPDXID") for one in [*packages, *files])]
    for one in ids:
        _matches(found, "SPDXID", one, ID)
    if len(ids) != len(set(ids)):
        found.append("an SPDXID is there twice")
    relations = document.get("relationships", [])
    for one in relations:
        _keys(found, "relationship", one, RELATION, {"comment"})
        if one.get("relationshipType") not in RELATIONS:
            found.append(f"relationship: {one.get('relationshipType')} is unknown")
        for key in ("spdxElementId", "relatedSpdxElement"):
            if one.get(key) not in ids:
                found.append(f"relationship: {one.get(key)} is nothing of this document")
    if not any((one.get("spdxElementId"), one.get("relationshipType")) == ("SPDXRef-DOCUMENT", "DESCRIBES") for one in relations):
        found.append("it describes nothing")
    related = {one.get(key) for one in relations for key in ("spdxElementId", "relatedSpdxElement")}
    found += [f"{one} is related to nothing" for one in ids if one not in related]
    return found


def libraries(document):
    """The shared libraries that it says a program may load."""
    return {name for one in document["packages"] for name in one.get("comment", "").removeprefix("provides ").split(", ") if name}


def linked_into(document, file):
    """The packages of which code is in a file: "./usr/sbin/berthd"."""
    [identity] = [one["SPDXID"] for one in document["files"] if one["fileName"] == file]
    names = {one["SPDXID"]: one["name"] for one in document["packages"]}
    return {names[one["relatedSpdxElement"]] for one in document["relationships"] if (one["spdxElementId"], one["relationshipType"]) == (identity, "STATIC_LINK")}
