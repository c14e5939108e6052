"""Pages of the documentation as a reader uses them: their blocks in order, the marks that only tests see, and what of an output is compared."""
import dataclasses
import re

# What differs from run to run, and as what it is compared.
DIFFERS = [(r"(?m)^((?:\S+: )?[a-z][a-z0-9-]*@\S+: [a-z]+) \(.*\)$", r"\1"), (r"linux/\w+", "PLATFORM"), (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "TIME"), (r"\d{4}-\d\d-\d\d", "DAY"), (r"\b\d\d:\d\d:\d\d\b", "TIME"),
           (r"\b\d+(\.\d+)?(ms|s|m|h)\b", "SPAN"), (r"\b\d+(\.\d+)? [kMG]?B\b", "SIZE"), (r"\b[0-9a-f]{10,64}\b", "DIGEST"), (r"\b\d+\.\d+\.\d+\b", "VERSION"), (r" \(\d+ times until TIME\)", ""),
           (r"\b\d+ times\b", "N times"), (r"\b\d{2,7}\b", "NUMBER"), (r" +", " ")]

#: What only some nodes have to say.
OF_THE_MACHINE = r"(?m)^limits of memory and processes are not enforced here .*\n"


def compared(text):
    """The lines of an output, without what differs from run to run."""
    for pattern, name in DIFFERS:
        text = re.sub(pattern, name, text)
    return [line.rstrip() for line in text.splitlines()]


@dataclasses.dataclass
class Block:
    """A fenced block. `marks` are the comments right before it, which a reader does not see."""
    language: str
    text: str
    marks: list
    line: int  # of its fence

    def mark(self, name):
        """What a mark says, as in `<!-- exit: 1 -->`; "" for one that says nothing, None where there is none."""
        for mark in self.marks:
            head, _, says = mark.partition(":")
            if head.strip() == name:
                return says.strip()
        return None


def blocks_of(page):
    """The blocks of a page, in order."""
    found, marks, fence = [], [], None
    for number, line in enumerate(page.splitlines(), 1):
        if fence is not None:
            if line.startswith("```"):
                found.append(Block(fence[0], "".join(fence[1]), marks, fence[2]))
                marks, fence = [], None
            else:
                fence[1].append(line + "\n")
        elif line.startswith("```"):
            fence = (line[3:].strip(), [], number)
        elif comment := re.fullmatch(r"<!-- (.*) -->", line):
            marks.append(comment[1])
        elif line.strip():
            marks = []
    return found


def is_shown(shown, printed):
    """Whether an output is as a page shows it; a line "…" there stands for any number of lines."""
    parts = [[]]
    for line in compared(shown):
        if line == "…":
            parts.append([])
        else:
            parts[-1].append(line)
    rest = compared(printed)
    if rest[:len(parts[0])] != parts[0]:
        return False
    rest = rest[len(parts[0]):]
    if len(parts) == 1:
        return not rest
    for part in parts[1:-1]:
        at = next((at for at in range(len(rest) - len(part) + 1) if rest[at:at + len(part)] == part), None)
        if at is None:
            return False
        rest = rest[at + len(part):]
    last = parts[-1]
    return not last or (len(rest) >= len(last) and rest[-len(last):] == last)


def links_of(page):
    """Where the links of a page lead, but for those to other servers; without what is in blocks and in code."""
    text = re.sub(r"(?ms)^```.*?^```$", "", page)
    text = re.sub(r"`[^`\n]*`", "", text)
    return [target for target in re.findall(r"\]\(([^)\s]+)\)", text) if not re.match(r"[a-z]+:", target)]


def anchors_of(page):
    """The anchors that a page's headings have, as GitHub makes them."""
    headings = re.findall(r"(?m)^#+ +(.*)$", re.sub(r"(?ms)^```.*?^```$", "", page))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}
