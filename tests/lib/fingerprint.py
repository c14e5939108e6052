"""What must not change when something bad is refused: slots, `current`, the route and the running processes."""
import hashlib
import os
import subprocess

from lib import processes


def tree_digest(folder):
    """A hash over every path below a folder: name, type, mode, owner, and content or link target."""
    digest = hashlib.sha256()
    for path, folders, files in os.walk(folder):
        folders.sort()
        for name in sorted(folders + files):
            full = os.path.join(path, name)
            info = os.lstat(full)
            digest.update(f"{os.path.relpath(full, folder)}\0{info.st_mode:o}\0{info.st_uid}:{info.st_gid}\0".encode())
            if os.path.islink(full):
                digest.update(os.readlink(full).encode())
            elif os.path.isfile(full):
                with open(full, "rb") as file:
                    digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def route():
    """The kernel's ruleset, and which sockets listen."""
    rules = subprocess.run(["nft", "-s", "list", "ruleset"], capture_output=True, text=True, check=True).stdout
    listening = subprocess.run(["ss", "-Hltn"], capture_output=True, text=True, check=True).stdout
    return rules, sorted(line.split()[3] for line in listening.splitlines())


def fingerprint(node, app="web"):
    """A dictionary that is equal before and after when nothing changed."""
    folder = node.state / "apps" / app
    rules, listening = route()
    return {
        "slots": {name: tree_digest(folder / "slots" / name) for name in sorted(os.listdir(folder / "slots"))} if (folder / "slots").is_dir() else {},
        "current": node.current(app),
        "rules": rules,
        "listening": listening,
        "processes": {pid: (release, processes.started(pid)) for pid, release in processes.of_app(app).items()},
        "staging": sorted(os.listdir(node.state / "staging")) if (node.state / "staging").is_dir() else [],
    }
