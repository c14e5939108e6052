"""Says whether what a file sink has agrees with the log files that a node had on its disk after each cut of its power.

It shares no code with berth. Every whole line that was on the disk must be in the sink under its number; no number stands for two lines; and where numbers are missing
the sink has an entry that says so: of berthd's, or of the keeper's where the machine was started.

usage: shipped_lines.py SHIPPED.jsonl LOGS…   (each with APP/PROCESS.N/NUMBER.log[.zst])
"""
import collections
import json
import re
import subprocess
import sys
from pathlib import Path

LINE = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z (stdout|stderr) ([FP])(:\S*)? (.*)", re.S)
STARTED = re.compile(r"berth-keeper: the machine was started since, .*; lines go on with number (\d+)")
MISSING = re.compile(r"berthd: lines (\d+) to (\d+) are missing here: ")
BOOT_STEP = 1_000_000_000


def shipped(path):
    """instance → number → the texts that it was shipped with; and how many lines of the file are none."""
    found, torn = collections.defaultdict(lambda: collections.defaultdict(set)), 0
    with open(path, "rb") as file:
        for line in file:
            try:
                entry = json.loads(line)
            except ValueError:
                torn += 1  # a batch that was cut off comes again
                continue
            if "instance" in entry:
                found[entry["instance"]][entry["sequence"]].add(entry["text"])
    return found, torn


def whole_lines(folder):
    """(instance, number, text) of each line in a node's logs. One that goes on in the next is none, nor is one without its newline."""
    for path in sorted(Path(folder).glob("*/*/[0-9]*.log*")):
        data = path.read_bytes() if path.suffix == ".log" else subprocess.run(["zstd", "-dcq", path], check=True, capture_output=True).stdout
        for place, line in enumerate(data.split(b"\n")[:-1]):
            fields = LINE.fullmatch(line)
            if fields and fields[2] == b"F":
                yield "/".join(path.parts[-3:-1]), int(path.name[:16]) + place, fields[4].decode(errors="replace")


def holes(numbers):
    """(the last before, the first behind) of each, before the first one, too."""
    before = 0
    for number in sorted(numbers):
        if number > before + 1:
            yield before, number
        before = number


def is_told(texts, before, behind):
    """Whether the entry behind the hole, or one in its place, says that lines are missing: berthd's has the number of the last of them."""
    if behind % BOOT_STEP == 0 and any((told := STARTED.search(text)) and int(told[1]) == behind for text in texts):
        return True
    return any((told := MISSING.match(text)) and int(told[1]) <= before + 1 and int(told[2]) == behind for text in texts)


def are_one(texts):
    """Whether they are one line, which a power cut may have shortened on the disk before it was shipped once more; or berthd's entry that it is torn."""
    lines = sorted(text for text in texts if not MISSING.match(text))
    return all(lines[-1].startswith(line) for line in lines)


def troubles(path, folders):
    """What does not agree; and how many lines were compared, and starts of the machine seen."""
    there, _ = shipped(path)
    wrong, compared, starts = [], set(), 0
    for instance, numbers in there.items():
        wrong += [f"{instance}: {number} stands for {sorted(texts)}" for number, texts in numbers.items() if not are_one(texts)]
        for before, behind in holes(numbers):
            starts += behind % BOOT_STEP == 0
            if not is_told(numbers[behind], before, behind):
                wrong.append(f"{instance}: {before + 1} to {behind - 1} are missing, and {sorted(numbers[behind])} does not say so")
    for folder in folders:
        for instance, number, text in whole_lines(folder):
            compared.add((instance, number))
            if number not in there.get(instance, {}):
                wrong.append(f"{folder}: {instance}: {number}, {text!r}, was on the disk and was not shipped")
            elif text not in there[instance][number] and not any(one.startswith(text) for one in there[instance][number]):
                wrong.append(f"{folder}: {instance}: {number}, {text!r}, was shipped as {sorted(there[instance][number])}")
    return wrong, len(compared), starts


if __name__ == "__main__":
    found, lines, boots = troubles(sys.argv[1], sys.argv[2:])
    print("\n".join(found) or f"{lines} lines and {boots} starts agree")
    sys.exit(1 if found else 0)
