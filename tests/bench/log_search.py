"""How fast a gigabyte of an app's log is searched for a text: berth logs --grep beside grep, plain and compressed.

usage: log_search.py [--bytes 1000000000] [--rounds 5] [--segment 10000000]

The log is as a keeper writes it: segments of 10 MB, lines of 136 bytes on average. Once all segments are plain, and `cat`-like `grep -h` reads the same files; once all but
the newest are compressed, and `zstd -dc` of them is piped to grep. The text is once nowhere, once in a line of a thousand. Times are the best of all rounds, everything is in the
page cache. Fails where berth is slower than its peer.
"""
import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BERTH = Path(os.environ.get("BERTH_BUILD", "build/release")) / "cli" / "berth"
WORDS = "request served user session cache miss upstream queue worker timeout retry payload commit index route token shard replica flush".split()


def write_log(folder, size, segment):
    """Segments of CRI lines of an instance web/web.1; one line in a thousand has the text `order=needle-42`."""
    instance = folder / "web" / "web.1"
    instance.mkdir(parents=True)
    pick, lines = random.Random(1), []
    for number in range(20_000):
        words = " ".join(pick.choice(WORDS) for _ in range(pick.randint(6, 14)))
        if number % 1000 == 7:
            words += " order=needle-42"
        lines.append(f"2026-11-24T09:{number // 60 % 60:02}:{number % 60:02}.{pick.randint(0, 999_999_999):09}Z stdout F:v42:17:4711 {words}\n")
    block, count = "".join(lines).encode(), 0
    body, first, written = bytearray(), 1, 0
    while written < size:
        body += block
        count += len(lines)
        if len(body) >= segment:
            (instance / f"{first:016}.log").write_bytes(body)
            written += len(body)
            first, count = first + count, 0
            body = bytearray()
    (instance / f"{first:016}.log").write_bytes(block)
    return instance


def best(rounds, command, none=0, **how):
    """Seconds, and lines. `none`: what it ends with where there are no such lines."""
    times = []
    for _ in range(rounds):
        began = time.monotonic()
        done = subprocess.run(command, stdout=subprocess.PIPE, **how)
        times.append(time.monotonic() - began)
        if done.returncode not in (0, none):
            raise SystemExit(f"{command} ended with {done.returncode}")
    return min(times), done.stdout.count(b"\n")


def compare(what, rounds, size, folder, text, peer):
    """`peer`: a shell command. True where berth is as fast."""
    environment = {**os.environ, "LC_ALL": "C.UTF-8"}
    theirs, their_lines = best(rounds, ["sh", "-c", peer.replace("TEXT", text)], none=1, env=environment)
    ours, our_lines = best(rounds, [BERTH, "logs", "web", "--logs", folder, "--grep", text, "--raw"], env=environment)
    if our_lines != their_lines:
        raise SystemExit(f"{what}: berth found {our_lines} lines, grep {their_lines}")
    print(f"{what:<32} {our_lines:>7} lines  berth {ours:6.3f} s ({size / ours / 1e9:5.2f} GB/s)  grep {theirs:6.3f} s ({size / theirs / 1e9:5.2f} GB/s)  "
          f"{theirs / ours:5.2f} x", flush=True)
    return ours <= theirs


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bytes", type=int, default=1_000_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--segment", type=int, default=10_000_000)
    options = parser.parse_args()
    good = True
    with tempfile.TemporaryDirectory(dir=os.environ.get("BERTH_TEST_DIR")) as name:
        folder = Path(name)
        instance = write_log(folder, options.bytes, options.segment)
        size = sum(path.stat().st_size for path in instance.iterdir())
        for text in ("needle-absent", "needle-42"):
            good &= compare(f"plain, {text}", options.rounds, size, folder, text, f"grep -hF TEXT {instance}/*.log")
        for path in sorted(instance.iterdir())[:-1]:
            subprocess.run(["zstd", "-q", "-3", "--rm", path], check=True)
        for text in ("needle-absent", "needle-42"):
            good &= compare(f"compressed, {text}", options.rounds, size, folder, text, f"(zstd -qdc {instance}/*.zst; cat {instance}/*.log) | grep -F TEXT")
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
