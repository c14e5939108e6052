"""Says whether a node holds together: exactly one whole release of an app is active, and everything agrees on which.

Reads the disk, the database, /proc and nftables itself, and asks the public port; it shares no code with berth or with the other tests.

usage: checker.py STATE APP PORT INSTANCES DIGESTS.json   (release → digest of its slot, by `slot_digest`)
"""
import hashlib
import http.client
import json
import os
import socket
import sqlite3
import subprocess
import sys
import time


def slot_digest(slot):
    """Every path of a slot with type, permissions, and content."""
    digest = hashlib.sha256()
    for folder, folders, files in os.walk(slot):
        folders.sort()
        for name in sorted(files + folders):
            path = os.path.join(folder, name)
            info = os.lstat(path)
            digest.update(f"{os.path.relpath(path, slot)} {info.st_mode:o} {info.st_uid}\n".encode())
            if os.path.islink(path):
                digest.update(os.readlink(path).encode())
            elif os.path.isfile(path):
                with open(path, "rb") as file:
                    digest.update(file.read())
    return digest.hexdigest()


def database(state):
    """A consistent copy of what the database says, read without taking part in its locks for longer than a query."""
    connection = sqlite3.connect(f"file:{state}/berth.db?mode=ro", uri=True, timeout=2)
    try:
        apps = {row[0]: row[1:] for row in connection.execute("SELECT app, active, previous, stopped FROM apps")}
        slots = {(app, release) for app, release in connection.execute("SELECT app, release FROM slots")}
        instances = list(connection.execute("SELECT app, process, number, release, port FROM instances"))
        unfinished = list(connection.execute("SELECT id, release, state, decided FROM deployments WHERE ended_at = ''"))
        decided = connection.execute("SELECT app, state, release, from_release FROM deployments WHERE ended_at <> '' AND decided ORDER BY id DESC").fetchall()
        outbox = [number for number, in connection.execute("SELECT number FROM outbox ORDER BY number")]
        damage = connection.execute("PRAGMA integrity_check").fetchone()[0]
    finally:
        connection.close()
    return apps, slots, instances, unfinished, decided, outbox, damage


def app_processes(app):
    """pid → release of every process that was started for the app and lives."""
    found = {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/environ", "rb") as file:
                env = dict(item.split(b"=", 1) for item in file.read().split(b"\0") if b"=" in item)
            with open(f"/proc/{name}/stat") as file:
                dead = file.read().rsplit(")", 1)[1].split()[0] in "ZX"
        except OSError:
            continue
        if env.get(b"BERTH_APP", b"").decode() == app and not dead:
            found[int(name)] = env.get(b"BERTH_RELEASE", b"").decode()
    return found


def listening_ports(pid):
    """Ports on which a process listens."""
    inodes = set()
    for name in os.listdir(f"/proc/{pid}/fd"):
        try:
            target = os.readlink(f"/proc/{pid}/fd/{name}")
        except OSError:
            continue
        if target.startswith("socket:["):
            inodes.add(target[8:-1])
    ports = set()
    for table in ("tcp", "tcp6"):
        with open(f"/proc/{pid}/net/{table}") as file:
            for line in file.readlines()[1:]:
                field = line.split()
                if field[3] == "0A" and field[9] in inodes:
                    ports.add(int(field[1].rsplit(":", 1)[1], 16))
    return ports


def numbers_in(value):
    if isinstance(value, bool):
        return
    if isinstance(value, int):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from numbers_in(one)
    elif isinstance(value, list):
        for one in value:
            yield from numbers_in(one)


def routed_private_ports():
    """Every private port that a redirecting rule of nftables, or a map that it uses, leads to."""
    text = subprocess.run(["nft", "-j", "list", "ruleset"], capture_output=True, text=True, check=True).stdout
    ports = set()
    for item in json.loads(text)["nftables"]:
        rule = item.get("rule")
        if rule and any("redirect" in part for part in rule["expr"]):
            ports |= {number for number in numbers_in(rule["expr"]) if 20000 <= number <= 29999}
        if "map" in item:
            ports |= {number for number in numbers_in(item["map"].get("elem", [])) if 20000 <= number <= 29999}
    return ports


def answers(port, times=20, patience=2):
    """The releases that answer on the public port; an exception's name stands for a failure. `patience` is in seconds, for each answer."""
    seen = set()
    for _ in range(times):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=patience)
        try:
            connection.request("GET", "/", headers={"Connection": "close"})
            answer = connection.getresponse()
            answer.read()
            seen.add(answer.headers.get("X-Release") if answer.status == 200 else f"status {answer.status}")
        except OSError as error:
            seen.add(type(error).__name__)
        finally:
            connection.close()
    return seen


def event_troubles(state, outbox):
    """Events are numbered without a gap, and each names the hash of the line before; none waits. One that is written leaves the outbox with the
    next change only, so being in there alone does not mean that it waits."""
    wrong, before, number = [], "0" * 64, 0
    with open(f"{state}/events.log", "rb") as file:
        for line in file:
            event = json.loads(line)
            number += 1
            if not line.endswith(b"\n") or event["number"] != number or event["prev"] != before:
                wrong.append(f"event {event['number']} at line {number} breaks the chain")
            before = hashlib.sha256(line.rstrip(b"\n")).hexdigest()
    wrong += [f"event {waiting} is not in events.log, which ends at {number}" for waiting in outbox if waiting > number]
    return wrong


def held_and_rejected(state, app):
    """(why the app is held, or "", the releases that are rejected here), as the database has it."""
    connection = sqlite3.connect(f"file:{state}/berth.db?mode=ro", uri=True, timeout=2)
    try:
        held = connection.execute("SELECT held FROM apps WHERE app = ?", (app,)).fetchone()
        return held[0] if held else "", {release for release, in connection.execute("SELECT release FROM rejected WHERE app = ?", (app,))}
    finally:
        connection.close()


def told_troubles(state, app):
    """Whether the app is held, and what is rejected, against what the events say of that."""
    told_held, told = "", set()
    with open(f"{state}/events.log", "rb") as file:
        events = [event for event in map(json.loads, file) if event.get("app") == app]
    for kind, data in ((event["kind"], event["data"]) for event in events):
        if kind == "deployment.state" and data.get("rejected"):
            told.add(data["release"])
        elif kind == "deployment.state" and data["state"] == "active":
            told.discard(data["release"])
        elif kind == "deployment.state" and data.get("accepted"):
            told.discard(data["accepted"])
        elif kind == "operator.mark":
            (told.add if data["as"] == "bad" else told.discard)(data["release"])
        elif kind == "operator.hold":
            told_held = data["held"]
            if " was reverted by hand" in told_held:
                told.add(told_held.split()[0])
        elif kind == "operator.resume":
            told_held = ""
        elif kind == "operator.remove":
            told_held, told = "", set() if data["purge"] else told
    held, rejected = held_and_rejected(state, app)
    wrong = [f"held is {held!r}, the events say {told_held!r}"] if held != told_held else []
    return wrong + ([f"rejected are {sorted(rejected)}, the events say {sorted(told)}"] if rejected != told else [])


def left_of_purged(state, logs, app):
    """What is there still of an app that was removed with its data."""
    with sqlite3.connect(f"file:{state}/berth.db?mode=ro", uri=True, timeout=2) as connection:
        rows = connection.execute("SELECT app FROM purges UNION SELECT app FROM uids WHERE app = ?", (app,)).fetchall()
    connection.close()
    return [path for path in (f"{state}/apps/{app}", f"{logs}/{app}", f"{state}/imports/{app}") if os.path.lexists(path)] + rows


def is_answered(port):
    """Whether anything takes a connection there."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=2).close()
        return True
    except OSError:
        return False


def left_of_removed(state, app, port, slots, instances):
    """What is there of an app that the database does not know, but its data and logs, which stay."""
    folder = f"{state}/apps/{app}"
    left = [f"{app} is not in the database, but {what} is there" for what in ("current", "slots") if os.path.lexists(f"{folder}/{what}")]
    if running := app_processes(app):
        left.append(f"{app} is not in the database, but {running} run")
    if rows := [row for row in slots if row[0] == app] + [row for row in instances if row[0] == app]:
        left.append(f"{app} is not in the database, but {rows} are")
    if routed := routed_private_ports():
        left.append(f"{app} is not in the database, but nftables leads to {sorted(routed)}")
    if is_answered(port):
        left.append(f"{app} is not in the database, but port {port} is answered")
    return left


def troubles(state, app, port, wanted, digests, allowed=None):
    """What does not hold; empty where everything does. `wanted`: how many instances, a number or several of which one is to be. `allowed`: which
    releases may be active, any that has a digest without it; None among them: the app may be gone, whole."""
    wrong = []
    wanted = {wanted} if isinstance(wanted, int) else set(wanted)
    apps, slots, instances, unfinished, decided, outbox, damage = database(state)
    if damage != "ok":
        wrong.append(f"the database is damaged: {damage}")
    if unfinished:
        wrong.append(f"deployments have not ended: {unfinished}")
    if os.path.isdir(f"{state}/staging") and os.listdir(f"{state}/staging"):
        wrong.append(f"staging holds {os.listdir(f'{state}/staging')}")
    if app not in apps and allowed is not None and None in allowed:
        return wrong + left_of_removed(state, app, port, slots, instances) + event_troubles(state, outbox)
    if app not in apps:
        return wrong + [f"the database does not know {app}"]
    active = apps[app][0]
    if active not in (digests if allowed is None else allowed):
        return wrong + [f"active is {active!r}, which is none of {sorted(map(str, digests if allowed is None else allowed))}"]

    # What the newest deployment that was decided ended in is what runs: its own release, or the one before where it was undone.
    led_to = next(({"active": release, "reverted": before}.get(how) for name, how, release, before in decided if name == app), None)
    if led_to is not None and led_to != active:
        wrong.append(f"the last deployment led to {led_to}, active is {active}")

    folder = f"{state}/apps/{app}"
    current = os.readlink(f"{folder}/current") if os.path.islink(f"{folder}/current") else None
    if current is None or os.path.basename(current) != active:
        wrong.append(f"current leads to {current}, the database says {active}")
    on_disk = set(os.listdir(f"{folder}/slots"))
    in_rows = {release for name, release in slots if name == app}
    if on_disk != in_rows:
        wrong.append(f"slots on disk are {sorted(on_disk)}, in the database {sorted(in_rows)}")
    for release in on_disk:
        if slot_digest(f"{folder}/slots/{release}") != digests.get(release):
            wrong.append(f"the slot of {release} is not what was released")

    running = app_processes(app)
    if set(running.values()) != {active} or len(running) not in wanted:
        wrong.append(f"running are {running}, wanted are {sorted(wanted)} of {active}")
    rows = [row for row in instances if row[0] == app]
    if sorted((row[2], row[3]) for row in rows) != [(number + 1, active) for number in range(len(running))]:
        wrong.append(f"instances in the database are {rows}")
    routed = routed_private_ports()
    private = {row[4] for row in rows if row[4]}
    if private and routed != private:
        wrong.append(f"nftables leads to {sorted(routed)}, the instances have {sorted(private)}")
    listening = set().union(*(listening_ports(pid) for pid in running)) if running else set()
    if not routed <= listening:
        wrong.append(f"nftables leads to {sorted(routed)}, the processes listen on {sorted(listening)}")
    if (seen := answers(port)) != {active}:
        wrong.append(f"port {port} is answered by {sorted(map(str, seen))}, active is {active}")
    wrong += event_troubles(state, outbox) + told_troubles(state, app)
    return wrong


def settle(state, app, port, wanted, digests, seconds, allowed=None):
    """Waits until all holds: (seconds it took, the active release, None where the app is gone). Raises AssertionError with what does not hold at the end."""
    began = time.monotonic()
    while True:
        try:
            wrong = troubles(state, app, port, wanted, digests, allowed)
        except (OSError, ValueError, sqlite3.Error, subprocess.CalledProcessError) as error:
            wrong = [f"{type(error).__name__}: {error}"]
        took = time.monotonic() - began
        if not wrong:
            return took, database(state)[0].get(app, [None])[0]
        if took > seconds:
            raise AssertionError("\n".join(wrong))
        time.sleep(0.05)


if __name__ == "__main__":
    found = troubles(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), json.load(open(sys.argv[5])))
    print("\n".join(found) or "all agrees")
    sys.exit(1 if found else 0)
