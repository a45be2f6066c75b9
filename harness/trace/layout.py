"""Where things go: the clock, which lanes are shown, how wide a text will be."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from harness.trace import words
from harness.trace.story import WAITS, Lane, Row, Story

WIDTH = 1280
LEFT, EDGE = 118, 1268  # where time begins, and where everything ends
TEXT, INSIDE = 18, 16  # sizes of type
MOST_LANES = 9
_STEPS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000)
_MOST_TICKS = 12
# How wide the characters from the space to the tilde are in DejaVu Sans, in hundredths of an em.
_PLAIN = (
    "32 40 46 84 64 95 78 27 39 39 50 84 32 36 32 34 64 64 64 64 64 64 64 64 64 64 34 34 84 "
    "84 84 53 100 68 69 70 77 63 58 77 75 29 29 66 56 86 75 79 60 79 69 63 61 73 68 99 69 61 "
    "69 39 34 39 84 50 50 61 63 55 63 62 35 63 63 28 28 58 28 97 63 61 63 63 41 52 39 63 59 "
    "82 59 59 52 64 34 64 84"
).split()
_WIDTHS = {chr(32 + at): int(each) / 100 for at, each in enumerate(_PLAIN)}
_BOLD = 1.12


@dataclass(frozen=True)
class Scale:
    """A clock: how many seconds reach how far to the right."""

    span: float
    right: float

    def x(self, at: float) -> float:
        """Where a moment is."""
        return LEFT + at * (self.right - LEFT) / self.span

    def ticks(self) -> list[float]:
        """Round times within it, in seconds."""
        whole = self.span * 1000
        step = next((each for each in _STEPS if whole / each <= _MOST_TICKS), _STEPS[-1])
        return [at * step / 1000 for at in range(int(whole / step) + 1)]


def fitting(stories: Iterable[Story]) -> Scale:
    """The clock on which all of some stories fit, with what is written behind their clients."""
    told = list(stories)
    span = max(each.span for each in told)
    room = [
        LEFT + (EDGE - behind(row) - LEFT) * span / row.end
        for each in told
        for row in each.rows
        if row.end > 0
    ]
    return Scale(span, min(EDGE - 8, *room))


def behind(row: Row) -> float:
    """How much room is needed behind a client's bar."""
    return 12 + width(words.total(row), TEXT, bold=True) + (0 if words.replied(row) else 20)


def lanes_shown(told: Story) -> tuple[list[Lane], str]:
    """The lanes that tell most, in their order, and what is said of the others."""
    if len(told.lanes) <= MOST_LANES:
        return told.lanes, ""
    first, *others = told.lanes

    def worth(lane: Lane) -> tuple[int, int]:
        return sum(bool(bar.client) for bar in lane.bars), len(lane.marks)

    best = sorted(others, key=worth, reverse=True)[: MOST_LANES - 1]
    rest = [lane for lane in others if lane not in best]
    idle = all(bar.kind in WAITS for lane in rest for bar in lane.bars)
    said = f"and {len(rest)} more{' that wait' if idle else ''}"
    return [first, *(lane for lane in others if lane in best)], said


def width(text: str, size: float, *, bold: bool = False) -> float:
    """About how wide a text becomes; most other fonts are narrower than DejaVu Sans."""
    return sum(_WIDTHS.get(each, 0.85) for each in text) * size * (_BOLD if bold else 1.0)


def cut(text: str, size: float, room: float, *, bold: bool = False) -> str:
    """The text, or as much of its beginning as there is room for, and three dots."""
    if width(text, size, bold=bold) <= room:
        return text
    at = len(text)
    while at and width(f"{text[:at].rstrip()} ...", size, bold=bold) > room:
        at -= 1
    return f"{text[:at].rstrip()} ..."
