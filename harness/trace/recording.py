"""A recorded visit: what strace wrote and what the clients saw, as one JSON file.

The log lines are kept as strace wrote them, but for the clock: zero is when the first client
connects. Of what the server did before it was ready only that is kept which explains the rest:
who was born, and what was registered. Everything is drawn from this, so a picture can be made
again, to the byte, from the file alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

SCHEMA = 1
MOST_LINES = 30_000  # of all logs together; more take long to draw, and tell no more
_TIME = re.compile(r"^(\d+\.\d+) ")
_EARLY = re.compile(r"^\S+ (clone3?|v?fork|epoll_c\w+|listen|io_uring_setup)\(|^\S+ \+\+\+ ")
_FILE = re.compile(r"(\b\d+|AT_FDCWD)<(/[^>]*)>(\(deleted\))?")  # as -yy names descriptors
_PATH = re.compile(r'"(/(?!proc/|dev/)[^"]*/)')
_NEVER = re.compile(r"^\S+ (mmap|munmap|execve|newfstatat|openat)\(|^\S+ ---")  # ---: a signal
_LASTED = re.compile(r"<(\d+\.\d+)>$")


@dataclass
class Visitor:
    """A client: what it did and what became of it. Times in seconds."""

    name: str
    port: int
    start: float
    sent: list[tuple[float, int]] = field(default_factory=list)  # when, and how many bytes
    whole: float | None = None  # when its request was complete; None: it never was
    first: float | None = None  # the reply's first byte
    end: float = 0.0  # the reply's last byte, or when it gave up
    outcome: str = ""  # "200", "closed", "reset", "refused", "gave up"
    unread: int = 0  # of one that gave up: bytes the server has never read


@dataclass
class Recording:
    """One scenario with one server."""

    name: str
    scenario: str
    visitors: list[Visitor]
    tasks: dict[int, list[str]]
    first: int  # the server's first process
    span: float  # where the picture ends
    note: str = ""  # what happened besides, in a line: "worker 2 is killed"
    moment: float | None = None  # and when
    caption: str = ""  # what sets it apart from others of the scenario, in a few words
    detail: bool = False  # what single calls return is the point: the marks are to be drawn

    def save(self, path: Path) -> None:
        """Write it as JSON, the same bytes for the same recording."""
        path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps({"schema": SCHEMA, **asdict(self)}, indent=0, ensure_ascii=False)
        path.write_text(text + "\n", encoding="utf-8")


class RecordingError(ValueError):
    """A file that is no recording of this schema."""


def load(path: Path) -> Recording:
    """Read what `save` wrote; RecordingError says what is wrong with it."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content.pop("schema") != SCHEMA:
            raise RecordingError(f"{path}: another schema; record it again: make trace")
        visitors = [Visitor(**each) for each in content.pop("visitors")]
        tasks = {int(task): lines for task, lines in content.pop("tasks").items()}
        return Recording(visitors=visitors, tasks=tasks, **content)
    except (OSError, KeyError, TypeError, AttributeError, json.JSONDecodeError) as error:
        raise RecordingError(f"{path}: no recording ({error})") from None


def kept(lines: Iterable[str], ready: float, zero: float) -> list[str]:
    """One task's log, on the recording's clock, without what nobody wants to see again."""
    chosen: list[str] = []
    for line in lines:
        found = _TIME.match(line)
        if found is None or _NEVER.match(line):
            continue
        at = float(found[1])
        lasted = _LASTED.search(line)
        # What began before, but returned later or never, is what somebody waits in from the start.
        if at + (float(lasted[1]) if lasted else ready) >= ready or _EARLY.match(line):
            chosen.append(f"{at - zero:.6f} {_anywhere(line[found.end():])}")
    return chosen


def bounded(tasks: dict[int, list[str]]) -> tuple[dict[int, list[str]], str]:
    """The logs, where they are too long only the beginnings of the longest; and what to say of it.

    Births and ends are always kept: they say who is who.
    """
    total, left, found = sum(map(len, tasks.values())), MOST_LINES, dict(tasks)
    if total <= MOST_LINES:
        return found, ""
    for place, task in enumerate(sorted(tasks, key=lambda each: len(tasks[each]))):
        lines = tasks[task]
        share = min(len(lines), left // (len(tasks) - place))
        found[task] = lines[:share] + list(filter(_EARLY.match, lines[share:]))
        left -= share
    return found, f"of {total:,} calls only the first {MOST_LINES:,} are drawn"


def _anywhere(call: str) -> str:
    """A call without the paths of this machine: of a file only its name is left."""
    call = _FILE.sub(lambda each: f"{each[1]}<{_shown(each[2])}>", call)
    return _PATH.sub('"', call)


def _shown(path: str) -> str:
    if path.startswith(("/dev/", "/proc/")):
        return path
    name = path.rpartition("/")[2]
    return "file" if name.startswith("#") else name or "/"  # O_TMPFILE has only a number
