"""Marks below a lane: where a wait returned, what was read then, and where it ended badly."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from html import escape
from itertools import groupby

from harness.trace import looks, words
from harness.trace.canvas import Canvas
from harness.trace.layout import EDGE, INSIDE, LEFT, TEXT, width
from harness.trace.story import EMPTY, GOT, KILLED, PUT, WAKE, Lane, Mark

SIGNS = (WAKE, GOT, EMPTY, PUT)
_APART = 13  # from sign to sign; those that are not farther apart are one burst
_LINES = 3


@dataclass
class _Sign:
    """A mark, and where it is: not always exactly at its moment, or it would hide another."""

    mark: Mark
    x: float


@dataclass
class Plan:
    """Where a lane's signs and words go; each line of words is a list of texts and places."""

    signs: list[_Sign] = field(default_factory=list)
    lines: list[list[tuple[str, float]]] = field(default_factory=list)

    @property
    def room(self) -> float:
        """How much is needed below the lane."""
        return 18 + 17 * len(self.lines) + 4 if self.signs else 0


def plan(lane: Lane, place: Callable[[float], float]) -> Plan:
    """The words stand below their signs, in the first line that has room for them."""
    planned = Plan()
    for burst in _bursts(lane.marks, place):
        planned.signs += burst
        for said, x in _labels(burst):
            wide = width(said, INSIDE)
            start = min(max(x - wide / 2, LEFT), EDGE - wide)
            for line in planned.lines:
                before, at = line[-1]
                if start > at + width(before, INSIDE) + 10:
                    line.append((said, start))
                    break
            else:
                if len(planned.lines) < _LINES:
                    planned.lines.append([(said, start)])
    return planned


def draw(canvas: Canvas, planned: Plan, y: float) -> None:
    """What was planned, below a lane that ends at `y`."""
    for each in planned.signs:
        colour = looks.client(each.mark.client)
        canvas.parts.append(sign(each.mark.kind, each.x, y + 11, colour, each.mark))
    for number, line in enumerate(planned.lines):
        for said, x in line:
            canvas.text(x, y + 31 + 17 * number, said, "note")


def draw_end(canvas: Canvas, lane: Lane, x: float, y: float, high: float) -> None:
    """A cross where a task was killed, if it was; the middle of its end is at a place."""
    for mark in lane.marks:
        if mark.kind == KILLED:
            canvas.cross(x, y, high / 2 + 1)
            words_at = min(x + high / 2 + 8, EDGE - width(mark.text, TEXT, bold=True))
            canvas.text(words_at, y + 6.5, mark.text, "alarm halo")


def _bursts(
    marks: Sequence[Mark], place: Callable[[float], float]
) -> Iterator[list[_Sign]]:
    """Signs from left to right with room between them, by the pauses that can be seen."""
    burst: list[_Sign] = []
    for mark in sorted(marks, key=lambda each: each.at):
        if mark.kind == KILLED:
            continue
        x = place(mark.at)
        if burst and x > burst[-1].x + 1.5 * _APART:
            yield burst
            burst = []
        burst.append(_Sign(mark, max(x, burst[-1].x + _APART) if burst else x))
    if burst:
        yield burst


def _labels(burst: Sequence[_Sign]) -> Iterator[tuple[str, float]]:
    """What is written below a burst, and around which place: whose bytes came, how often."""
    kinds = [each for each in burst if each.mark.kind in (WAKE, GOT)]
    reads = [each for each in burst if each.mark.kind == GOT]
    if not reads:
        empty = [each for each in burst if each.mark.kind == EMPTY]
        if empty:
            yield empty[0].mark.text, (empty[0].x + empty[-1].x) / 2
        return
    for client, group in groupby(reads, key=lambda each: each.mark.client):
        mine = list(group)
        total = sum(each.mark.call.value or 0 for each in mine)
        said = f"{client}: {total:,} bytes" if total else f"{client}: end"
        if len(mine) > 1:
            before = [kinds[kinds.index(each) - 1].mark.kind for each in mine if each != kinds[0]]
            wakes = before.count(WAKE)
            said += f" in {len(mine)} reads, after {wakes} wakeup{'' if wakes == 1 else 's'}"
        yield said, (mine[0].x + mine[-1].x) / 2


def sign(kind: str, x: float, y: float, colour: str, mark: Mark | None = None) -> str:
    """A triangle for a wait that returned, a dot for bytes, an empty one for none."""
    if kind == WAKE:
        shape = f'<path d="M{x:.1f} {y - 6:.1f}l6 11h-12z" style="fill: {colour}"/>'
    elif kind == PUT:
        shape = f'<path d="M{x:.1f} {y - 6:.1f}l5.5 6l-5.5 6l-5.5 -6z" style="fill: {colour}"/>'
    else:
        fill = "var(--paper)" if kind == EMPTY else colour
        look = f'style="fill: {fill}; stroke: {colour}" stroke-width="2"'
        shape = f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" {look}/>'
    if mark is None:
        return shape
    title = escape(f"{mark.text}: {mark.at * 1000:.2f} ms\n{words.call_text(mark.call)}")
    return f'<g class="bar"><title>{title}</title>{shape}</g>'
