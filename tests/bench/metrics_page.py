"""How long Prometheus waits for the page of a full node, and how long berthd's event loop is busy with it.

usage: metrics_page.py [--apps 100] [--scrapes 30]

APPS apps of two instances each, which sleep. The time of a scrape is that of the whole request; that of the loop is the longest turn of the minute of the scrapes, so that other work of
the loop in between counts, too. Ends with 1 where half of the scrapes take more than 20 ms, or the loop is busy for more than 10 ms at once in each of three such minutes.
"""
import argparse
import statistics
import time

from bench.common import Workplace, end_by
from lib import sample_apps

MOST_PAGE, MOST_LOOP = 20, 10  # milliseconds
A_WINDOW = 62  # seconds, in which a turn of the loop is told
ROUNDS = 3     # of which one has to hold: a turn also has the time in which another program had the processor


def scrape(node):
    """Seconds of one, and its page."""
    began = time.monotonic()
    page = node.metrics()
    return time.monotonic() - began, page


def lag_of(page):
    return next(float(line.split()[1]) for line in page.splitlines() if line.startswith("berth_loop_lag_seconds "))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--apps", type=int, default=100)
    parser.add_argument("--scrapes", type=int, default=30)
    options = parser.parse_args()
    with Workplace() as place:
        node = place.start_node()
        names = [f"app{number}" for number in range(options.apps)]
        for name in names:
            tree = sample_apps.Tree(place.folder / name, name).program("/usr/bin/sleep", "sleep")
            place.repo.publish(tree.spec(f'app = "{name}"\n[process.main]\ncommand = ["bin/sleep", "100000"]\ninstances = 2\n[deploy]\nbake = "0s"\n'))
            node.berth("deploy", f"{name}@v1", timeout=300)
        time.sleep(12)  # until what the deployments left to be done later has been done
        for _ in range(ROUNDS):
            time.sleep(A_WINDOW)
            taken = []
            for _ in range(options.scrapes):
                time.sleep(0.3)
                seconds, page = scrape(node)
                taken.append(seconds * 1000)
            median, lag = statistics.median(taken), lag_of(scrape(node)[1]) * 1000
            absent = [name for name in names if f'app="{name}"' not in page]
            if absent:
                raise SystemExit(f"the page does not tell of {', '.join(absent)}")
            print(f"berth  {options.apps} apps of 2 instances: {len(page)} bytes, p50 {median:.1f} ms, most {max(taken):.1f} ms; the loop was busy for {lag:.1f} ms at most", flush=True)
            bounds = [(median <= MOST_PAGE, f"a page within {MOST_PAGE} ms"), (lag <= MOST_LOOP, f"no more than {MOST_LOOP} ms of the loop at once")]
            if all(holds for holds, _ in bounds):
                break
        for name in names:
            node.berth("remove", name, "--yes", "--purge", timeout=300)
    end_by(bounds)


if __name__ == "__main__":
    main()
