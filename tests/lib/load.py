"""Load on a public port while something happens, and what was seen of it."""
import bisect
import datetime
import json
import signal
import subprocess
from pathlib import Path

from lib.programs import LOAD
from lib.waiting import wait_until


class Load:
    """`with Load(port, folder) as load: …`, then `load.summary` and `load.requests`. `client`: "one-shot", "keep-alive" or "slow", as berth-load has them.
    A request that takes longer than `limit_ms` has failed."""

    def __init__(self, port, folder, rate=600, path="/", connections=8, client="one-shot", limit_ms=5000):
        self.out = Path(folder) / f"load-{port}-{client}.txt"
        self.command = [str(LOAD), "--port", str(port), "--rate", str(rate), "--path", path, "--connections", str(connections), "--client", client,
                        "--limit-ms", str(limit_ms), "--out", str(self.out)]
        self.summary, self.requests = None, []

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, text=True)
        wait_until(lambda: self.out.exists() and self.out.stat().st_size > 0, "the load has begun")
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        out, _err = self.process.communicate(timeout=90)
        self.summary = json.loads(out)
        for line in self.out.read_text().splitlines():
            opened, ended, what = line.split(" ", 2)
            self.requests.append((int(opened), int(ended), what))
        self.requests.sort()

    @property
    def failed(self):
        return [one for one in self.requests if one[2].startswith("!")]

    @property
    def rate(self):
        return self.summary["requests"] / self.summary["seconds"]

    @property
    def slowest_ms(self):
        """How long the slowest answer took, from the moment that its connection was opened."""
        return max((ended - opened for opened, ended, _what in self.requests), default=0) / 1e6

    def releases_seen(self):
        """The releases that answered, in the order of their first answer on connections as they were opened."""
        seen = []
        for _opened, _ended, what in self.requests:
            if what not in seen:
                seen.append(what)
        return seen

    def opened_between(self, first_ns, last_ns):
        """What became of the requests whose connections were opened then."""
        return self.requests[bisect.bisect_right(self.requests, (first_ns, 2**63)):bisect.bisect_left(self.requests, (last_ns,))]

    def late(self, release, moment_ns, after_ms=50):
        """Connections opened more than `after_ms` after the moment that a release still answered."""
        return [one for one in self.requests if one[2] == release and one[0] > moment_ns + after_ms * 1_000_000]


def nanoseconds(text):
    """An RFC 3339 time in UTC as nanoseconds since 1970."""
    moment, _, fraction = text.rstrip("Z").partition(".")
    seconds = int(datetime.datetime.fromisoformat(moment).replace(tzinfo=datetime.timezone.utc).timestamp())
    return seconds * 1_000_000_000 + int(fraction.ljust(9, "0")[:9] or 0)


def one_request(port, path="/", host="127.0.0.1", timeout=20):
    """Asks once: (status, release, body)."""
    import http.client
    connection = http.client.HTTPConnection(host, port, timeout=timeout)
    try:
        connection.request("GET", path, headers={"Connection": "close"})
        answer = connection.getresponse()
        return answer.status, answer.headers.get("X-Release"), answer.read().decode(errors="replace")
    finally:
        connection.close()


def wrk(port, seconds, connections=16, threads=1):
    """Keep-alive load by wrk: {requests, errors by kind}. Blocks; run it in a thread."""
    script = """
done = function(summary, latency, requests)
  io.write(string.format('{"requests": %d, "connect": %d, "read": %d, "write": %d, "status": %d, "timeout": %d}',
    summary.requests, summary.errors.connect, summary.errors.read, summary.errors.write, summary.errors.status, summary.errors.timeout))
end
"""
    import tempfile
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
        file.write(script)
        file.flush()
        got = subprocess.run(["wrk", "-t", str(threads), "-c", str(connections), "-d", f"{seconds}s", "-s", file.name, f"http://127.0.0.1:{port}/"],
                             capture_output=True, text=True, check=True)
    return json.loads(got.stdout[got.stdout.rindex("{"):])
