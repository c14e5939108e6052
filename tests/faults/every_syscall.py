"""Kills berthd at each system call of a deploy, a revert and other verbs at which a crash matters; after each, one whole release must be active, and a deploy works.

usage: every_syscall.py [--all] [--points N] [--what NAME,…] [--routing port|socket] [--only NUMBER] [--error ENOSPC|EIO|EROFS|EDQUOT|EMFILE [--lasts] [--reads]] [--of PROGRAM]

First a run without a fault records the points: every durable call below the node's folders, and every call that others see (the route, a keeper,
a new process), over all threads of berthd. Threads interleave otherwise in every run, so a point is named by what is called and which time of that
it is, not by its place among all. Then, for every point chosen, the same run is made from the same state and berthd is killed before the call is
made; a new berthd starts, faults/checker.py must find everything in agreement within 5 s, and one more deploy must work (scenarios.py has what else). A call that
a run makes less often than the recorded one did is tried again, then counted as not reached; where that are more than a few, it fails. Without --all a spread
of N points of each is taken.

With --error the call is not made and fails with that, as on a disk that is full or broken; berthd must stay alive, what runs be left alone and answer every request,
the command succeed or say what was wrong, and the same hold without any help. With --lasts each further call fails, too, for some seconds. With --of another
program is killed at each of its own calls (berth-keeper, berth-unpack), and berthd is not.
"""
import argparse
import collections
import os
import shutil
import sys
import tempfile

import points
import scenarios
from ground import HEALED, SETTLE, Fault, Ground

TRIES, MOST_UNREACHED = 3, 5  # of a point, and per cent of the points
WORDS = {"ENOSPC": ("no space left", "disk is full", "disk got full", "database or disk is full"), "EIO": ("input/output error", "disk i/o error"),
         "EROFS": ("read-only",), "EDQUOT": ("quota",), "EMFILE": ("too many open files", "unable to open")}


def after_a_kill(ground, fault):
    """A new berthd starts; (seconds to settle, the release active then)."""
    if ground.scenario.answers:
        ground.serves_meanwhile()
    ground.node.start(wait=False)
    return ground.settle()


def after_a_failure(ground, fault, ran):
    """berthd is alive, and nobody helps it; (seconds to settle, the release active then)."""
    ended = ground.node.process.poll()
    if ended is not None and ground.scenario.command is not None:
        raise AssertionError(f"berthd ended with {ended}")
    if fault.error and (ran.code or 0) not in (0, ground.scenario.code) and not any(word in ran.text.lower() for word in WORDS[fault.error]):
        raise AssertionError(f"it ended with {ran.code}, and does not say {' or '.join(WORDS[fault.error])}:\n{ran.text}")
    if ended is not None:
        ground.node.start(wait=False)
    elif fault.error:
        if ran.code not in (None, ground.scenario.code) and ground.scenario.again:
            ground.node.berth(*ground.scenario.command)
        ground.node.berth("events", "-n", "1")  # an event that the disk did not take is written with the next one, or when somebody asks for events
    took, active = ground.settle(seconds=HEALED if fault.error else SETTLE)
    ground.is_as_said(ran)
    if ground.scenario.untouched and fault.error and active == ground.scenario.prepared[-1]:
        now = ground.node.pids()
        if any(now.get(instance) != pid for instance, pid in ground.before.items()):
            raise AssertionError(f"{active} was left alone, but its processes are {now}, and were {ground.before}")
    return took, active


def try_point(ground, fault, point):
    """(how the run went, seconds to settle, the release active then)."""
    ran = ground.run(fault, point)
    if not ran.hit:
        return ran, 0, ""
    took, active = after_a_failure(ground, fault, ran) if fault.spares_berthd else after_a_kill(ground, fault)
    ground.all_was_answered()
    ground.goes_on()
    return ran, took, active


class Count:
    """What came of the points of a scenario."""

    def __init__(self):
        self.failures, self.unreached, self.times, self.outcomes, self.codes = [], [], [], collections.Counter(), collections.Counter()

    def take(self, point, ran, took, active):
        if not ran.hit:
            self.unreached.append(point)
            return
        self.times.append(took)
        self.outcomes[active] += 1
        self.codes[ran.code] += 1

    @property
    def hit(self):
        return len(self.times) + len(self.failures)


def chosen(trace, fault, options, wanted):
    """The numbers of the calls that are tried."""
    if options.only:
        return [options.only]
    numbers = [number for number, (_, kind, text) in enumerate(trace, 1)
               if (not wanted or wanted.search(text)) and (not fault.error or points.can_fail_with(fault.error, kind, text)) and (not fault.reads or kind == "read")]
    return numbers if options.all else points.spread(numbers, options.points)


def examine(scenario, routing, fault, options):
    folder = tempfile.mkdtemp(dir=os.environ.get("BERTH_TEST_DIR", "/run/t"))
    os.chmod(folder, 0o755)
    title = f"{scenario.name} by {routing}" + (f", {fault.error}{' that lasts' if fault.lasts else ''}" if fault.error else "") + (f", {fault.of}" if fault.of else "")
    done = f"failed with {fault.error}" if fault.error else "killed"
    ground = Ground(folder, scenario, routing)
    try:
        ground.run(fault)
        getattr(scenario, "check_clean", lambda ground: None)(ground)
        trace = points.read_trace(ground.trace)
        named = points.points_of(trace)
        numbers = chosen(trace, fault, options, scenario.points)
        print(f"{title}: {len(trace)} points in the trace ({dict(collections.Counter(point[1] for point in trace))}); {len(numbers)} are tried", flush=True)
        if options.verbose:
            print("\n".join(f"  {number} {kind} {text}" for number, kind, text in trace))
        count = Count()
        for number in numbers:
            try:
                for _ in range(TRIES):
                    ran, took, active = try_point(ground, fault, named[number - 1])
                    if ran.hit:
                        break
                count.take(named[number - 1], ran, took, active)
            except Exception as error:  # whatever it is, the others are tried
                count.failures.append(number)
                print(f"FAILED at point {number}: {trace[number - 1][1:]}\n{type(error).__name__}: {error}\n{ground.node.log_tail(60)}", flush=True)
        print(f"{title}: points in the trace {len(trace)}, tried {len(numbers)}, {done} {count.hit}, not reached {len(count.unreached)}, "
              f"difference {len(numbers) - count.hit - len(count.unreached)}, failures {len(count.failures)}; active afterwards {dict(count.outcomes)}; "
              f"the command ended with {dict(count.codes)}; in agreement after at most {max(count.times, default=0):.2f} s; "
              f"five requests while berthd was dead took at most {ground.slowest:.2f} s", flush=True)
        for point in count.unreached:
            print(f"  not reached: time {point.time} of {point.pattern}")
        most_unreached = max(1, len(numbers) * (scenario.most_unreached or MOST_UNREACHED) // 100)
        if len(count.unreached) > most_unreached:
            print(f"FAILED: more than {most_unreached} of the points that were tried were not reached")
        return not count.failures and count.times and len(count.unreached) <= most_unreached
    finally:
        ground.end_everything()
        shutil.rmtree(folder, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--points", type=int, default=10)
    parser.add_argument("--what", default=",".join(scenarios.ALL))
    parser.add_argument("--routing", choices=["port", "socket"])
    parser.add_argument("--only", type=int)
    parser.add_argument("--error", choices=WORDS, default="")
    parser.add_argument("--lasts", action="store_true")
    parser.add_argument("--reads", action="store_true")
    parser.add_argument("--of", default="")
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    fault = Fault(options.error, options.lasts, options.of, options.reads)
    good = []
    for name in options.what.split(","):
        for routing in [options.routing] if options.routing else scenarios.ALL[name].routings:
            good.append(examine(scenarios.ALL[name](), routing, fault, options))
    sys.exit(0 if all(good) else 1)


if __name__ == "__main__":
    main()
