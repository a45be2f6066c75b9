"""What a picture is made of: lanes with bars, arrows between them, a row for each client."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from harness.trace.calls import Call
from harness.trace.verdict import Verdict

# What a bar is.
ACCEPT, EVENTS, QUEUE, DESCRIPTOR, SLEEP = "accept", "events", "queue", "descriptor", "sleep"
READ, WRITE, RUN = "read", "write", "run"
WAITS = (ACCEPT, EVENTS, QUEUE, DESCRIPTOR, SLEEP, READ, WRITE)

# What an arrow is.
FORK, THREAD, HAND_OVER, PASS = "fork", "thread", "hand-over", "pass"

# What a mark is.
WAKE, GOT, PUT, EMPTY, KILLED = "wake", "recv", "send", "eagain", "killed"


@dataclass(frozen=True)
class Bar:
    """A stretch of a lane. `client` is a letter, or "" where it is about nobody in particular."""

    kind: str
    start: float
    end: float
    client: str = ""
    calls: tuple[Call, ...] = ()


@dataclass(frozen=True)
class Mark:
    """A moment of a lane: an event came, bytes went, or the task was killed."""

    kind: str
    at: float
    client: str
    text: str
    call: Call


@dataclass
class Lane:
    """A process or thread."""

    task: int
    label: str
    start: float
    end: float  # of its life, within the picture
    bars: list[Bar] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    last_words: str = ""
    process: int = 0

    def served(self) -> list[str]:
        """The clients it ran for or waited for, in order, each once."""
        return list(dict.fromkeys(bar.client for bar in self.bars if bar.client))


@dataclass(frozen=True)
class Arrow:
    """From one lane to another: who was born, or what was handed over."""

    kind: str
    source: int
    start: float
    target: int
    end: float
    client: str


@dataclass
class Row:
    """A client, from connect to last byte; `served` is when somebody ran for it."""

    name: str
    start: float
    whole: float | None
    end: float
    outcome: str
    served: list[tuple[float, float]]
    verdict: Verdict


@dataclass
class Story:
    """All of a picture."""

    name: str
    scenario: str
    span: float
    lanes: list[Lane]
    rows: list[Row]
    arrows: list[Arrow]
    counts: Counter[str]  # calls by name, all lanes together
    verdict: str
    note: str
    moment: float | None
    caption: str = ""
    detail: bool = False  # the marks are the point
    figures: str = ""  # the scenario's own numbers, in a line: "13 wakeups for 4 connections"
