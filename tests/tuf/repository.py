"""A TUF repository in memory that a test changes, signs and serves, rightly or not."""
import hashlib
import json
import urllib.parse

from tuf.keys import Key, canonical

TOP = ("root", "timestamp", "snapshot", "targets")
LATER = "2049-01-01T00:00:00Z"


def encoded(role):
    return urllib.parse.quote(role, safe="")


class Repository:
    """`content` is what each role says, `signers` who signs it; both count at the next `publish`. `files` are what was published, by name."""

    def __init__(self):
        self.content = {role: {"_type": role, "spec_version": "1.0.31", "version": 0, "expires": LATER} for role in TOP}
        self.signers = {role: [Key()] for role in TOP}
        self.files = {}
        self.artifacts = {}
        self.root.update(consistent_snapshot=True, keys={}, roles={role: {"keyids": [], "threshold": 1} for role in TOP})
        for role in TOP:
            self.list_key(role, self.signers[role][0])
        self.content["targets"]["targets"] = {}
        self.content["snapshot"]["meta"] = {}
        self.content["timestamp"]["meta"] = {}
        self.publish(*TOP)

    @property
    def root(self):
        return self.content["root"]

    def meta(self, role):
        """What snapshot says of a role, or timestamp of snapshot."""
        return self.content["timestamp" if role == "snapshot" else "snapshot"]["meta"][role + ".json"]

    # keys

    def list_key(self, role, key):
        self.root["keys"][key.id] = key.object
        self.root["roles"][role]["keyids"].append(key.id)

    def add_key(self, role, key=None):
        key = key or Key()
        self.list_key(role, key)
        self.signers[role].append(key)
        return key

    def rotate(self, role):
        """New keys instead of the old ones. The next root is signed by both, as it must."""
        old = self.signers[role]
        self.root["roles"][role]["keyids"] = []
        self.signers[role] = []
        for _ in old:
            self.add_key(role)
        return old

    # publishing

    def sign(self, role, signers=None):
        signed = self.content[role]
        signatures = [{"keyid": key.id, "sig": key.sign(canonical(signed))} for key in signers or self.signers[role]]
        return json.dumps({"signatures": signatures, "signed": signed}, indent=1, ensure_ascii=False).encode()

    def publish(self, *roles, also=()):
        """Raises the versions of roles, and signs and serves them; snapshot and timestamp take up what was published before them."""
        for role in sorted(roles, key=lambda name: {"root": 0, "snapshot": 2, "timestamp": 3}.get(name, 1)):
            content = self.content[role]
            content["version"] += 1
            self.serve(role, self.sign(role, self.signers[role] + list(also)))
            if role == "snapshot":
                self.content["timestamp"]["meta"] = {"snapshot.json": {"version": content["version"]}}
            elif role not in ("root", "timestamp"):
                self.content["snapshot"]["meta"][role + ".json"] = {"version": content["version"]}

    def name_of(self, role):
        if role == "timestamp" or (role != "root" and not self.root["consistent_snapshot"]):
            return encoded(role) + ".json"
        return f"{self.content[role]['version']}.{encoded(role)}.json"

    def serve(self, role, data):
        self.files[self.name_of(role)] = data

    def served(self, role):
        return self.files[self.name_of(role)]

    def edit(self, role, change):
        """Serves a role with its file changed, its signatures as they were."""
        file = json.loads(self.served(role))
        change(file)
        self.serve(role, json.dumps(file).encode())

    # targets

    def describe(self, data, algorithms=("sha256",)):
        return {"length": len(data), "hashes": {name: hashlib.new(name, data).hexdigest() for name in algorithms}}

    def add(self, name, data, role="targets", algorithms=("sha256",)):
        """Lists a target and serves it, by each of its hashes."""
        self.content[role]["targets"][name] = self.describe(data, algorithms)
        folder, slash, base = name.rpartition("/")
        self.artifacts[name] = data
        for digest in self.content[role]["targets"][name]["hashes"].values():
            self.artifacts[f"{folder}{slash}{digest}.{base}"] = data

    def delegate(self, source, role, paths=("*",), terminating=False, key=None, **instead_of_paths):
        """Delegates from one role to another, which is made where it is new."""
        key = key or Key()
        if role not in self.content:
            self.content[role] = {"_type": "targets", "spec_version": "1.0.31", "version": 0, "expires": LATER, "targets": {}}
            self.signers[role] = []
        self.signers[role].append(key)
        delegations = self.content[source].setdefault("delegations", {"keys": {}, "roles": []})
        delegations["keys"][key.id] = key.object
        matching = instead_of_paths or {"paths": list(paths)}
        delegations["roles"].append({"name": role, "keyids": [key.id], "threshold": 1, "terminating": terminating, **matching})
        return delegations["roles"][-1]

    def publish_all(self):
        self.publish(*[role for role in self.content if role != "root"])
