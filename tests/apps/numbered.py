#!/usr/bin/env python3
"""Writes numbered lines of all sorts: short, 20 kB, binary, in bursts, to both streams; the last one without a newline. Then waits to be ended.

usage: numbered.py COUNT [PAUSE] [repeat]   PAUSE: seconds between bursts; repeat: before each tenth line, REPEATED
"""
import os
import signal
import sys
import time

REPEATED = b"retrying"


def line(number):
    """What line NUMBER says, as the test expects it; without the newline."""
    head = b"%d " % number
    if number % 997 == 0:
        return head + b"x" * 20_000
    if number % 101 == 0:
        return head + bytes(byte for byte in range(256) if byte not in (10, 13, 27))
    if number % 7 == 0:
        return head.strip()
    return head + b"of a hundred and some bytes, as lines of servers have them: GET /index.html HTTP/1.1 200 512"


def write_all(descriptor, data):
    while data:
        data = data[os.write(descriptor, data):]


def main():
    count, pause = int(sys.argv[1]), float(sys.argv[2]) if len(sys.argv) > 2 else 0.02
    repeated = REPEATED + b"\n" if "repeat" in sys.argv[3:] else b""
    number = 1
    burst = 1
    while number <= count:
        size = 3000 if burst % 10 == 0 else 60
        last = min(number + size, count + 1)
        text = b"".join((repeated if each % 10 == 0 else b"") + line(each) + b"\n" for each in range(number, last))
        if last > count:
            text = text[:-1]
        write_all(2 if burst % 3 == 0 else 1, text)
        number = last
        burst += 1
        time.sleep(pause)
    open(os.path.join(os.environ["BERTH_DATA_DIR"], "written"), "w").close()
    signal.sigwait([signal.SIGTERM])


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    main()
