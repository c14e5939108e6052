#!/usr/bin/env python3
"""Writes numbered lines of a hundred bytes as fast as they are taken, and notes after each write how many were: what a test may then ask for.

usage: counting.py BURST BURSTS PAUSE   BURST: lines that are written at once; PAUSE: seconds between bursts

Lines are `run R line N xxx…`, R counting the starts of this program, of which only the first MOST ($COUNTING_RUNS, default all) write. Run R's notes are in
$BERTH_DATA_DIR/run-R, bytes 0 to 8: lines written; 8 to 16: microseconds that the fastest burst took. `done-R` is there when it has written everything. Each write ends
in the middle of a line, which the next one ends.
"""
import mmap
import os
import signal
import struct
import sys
import time

A_WRITE = 100  # lines
LATER = 37     # bytes of a line that come with the next write


def line(run, number):
    return (b"run %d line %d " % (run, number)).ljust(99, b"x") + b"\n"


def write_all(data):
    while data:
        data = data[os.write(1, data):]


def main():
    burst, bursts, pause = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    folder = os.environ["BERTH_DATA_DIR"]
    run = 1 + sum(name.startswith("run-") for name in os.listdir(folder))
    path = os.path.join(folder, f"run-{run}")
    with open(path + ".new", "wb") as file:
        file.write(bytes(16))
    os.rename(path + ".new", path)
    with open(path, "r+b") as file:
        notes = mmap.mmap(file.fileno(), 16)
    fastest, number, rest = 0, 0, b""
    for _ in range(bursts if run <= int(os.environ.get("COUNTING_RUNS", "1000000")) else 0):
        pieces = []
        for first in range(number + 1, number + burst + 1, A_WRITE):
            last = min(first + A_WRITE, number + burst + 1)
            pieces.append((b"".join(line(run, each) for each in range(first, last)), last - 1))
        began = time.monotonic()
        for text, last in pieces:
            write_all(rest + text[:-LATER])
            rest = text[-LATER:]
            notes[0:8] = struct.pack("<Q", last - 1)
        took = int(1e6 * (time.monotonic() - began))
        fastest = min(fastest or took, took)
        notes[8:16] = struct.pack("<Q", fastest)
        number += burst
        time.sleep(pause)
    write_all(rest)
    open(os.path.join(folder, f"done-{run}"), "w").close()
    signal.pause()


if __name__ == "__main__":
    main()
