"""Calls of a recorded run, named so that another run can be stopped at the same one."""
import collections
import re
import typing


class Point(typing.NamedTuple):
    """A call of a run: the `time`-th one that `pattern` matches."""
    pattern: str
    time: int


VARYING = re.compile(r"(?P<folder>/tmp/[^ /]*/|/run/t/[^ /]*/)|(?P<random>(?:\.making-|\.)[A-Za-z0-9]{6}\b)|(?P<number>\b[0-9a-f]{16,}\b|\d+)")
PATTERNS = {"folder": "/(tmp|run/t)/[^ /]*/", "random": "([.]making-|[.])[A-Za-z0-9]{6}", "number": "[0-9a-f]+"}
SPACE_TAKEN = ("open", "write", "pwrite", "mkdir", "link", "symlink", "rename", "creat", "mknod", "ftruncate", "truncate", "fallocate", "fsync", "fdatasync",
               "syncfs", "sync_file_range", "copy_file_range", "fsetxattr")


def pattern_of(text):
    """An extended regular expression for this call in any run: without what differs from run to run, such as process ids."""
    parts, end = [], 0
    for varying in VARYING.finditer(text):
        parts += [re.sub(r"([^A-Za-z0-9 /_:,-])", r"[\1]", text[end:varying.start()]), PATTERNS[varying.lastgroup]]
        end = varying.end()
    return "".join([*parts, re.sub(r"([^A-Za-z0-9 /_:,-])", r"[\1]", text[end:])])


def points_of(trace):
    """Every call of a recorded run as a point; calls that one pattern cannot tell apart are numbered together."""
    seen = collections.Counter()
    points = []
    for _, _, text in trace:
        pattern = pattern_of(text)
        seen[pattern] += 1
        points.append(Point(pattern, seen[pattern]))
    return points


def read_trace(path):
    """(number, kind, text) of each call that the injector wrote down."""
    lines = [line.split(" ", 2) for line in path.read_text().splitlines()]
    return [(int(line[0]), line[1], line[2]) for line in lines if len(line) == 3]


def can_fail_with(error, kind, text):
    """Whether a disk in that trouble lets this call fail; as tools/inject has it."""
    call = text.split(" ", 1)[0]
    if kind == "effect":
        return False
    if error == "EMFILE":
        return call.startswith("open")
    if error == "EIO":
        return True
    return kind == "durable" and (error == "EROFS" or call.startswith(SPACE_TAKEN))


def spread(numbers, count):
    """So many of them, from the first to the last."""
    if count >= len(numbers):
        return list(numbers)
    return sorted({numbers[round(step * (len(numbers) - 1) / max(1, count - 1))] for step in range(count)})
