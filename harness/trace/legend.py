"""What stands below a picture: what its bars and arrows mean, and how often what was called."""

from __future__ import annotations

from harness.trace import marks, story, words
from harness.trace.canvas import Canvas
from harness.trace.layout import EDGE, TEXT, width
from harness.trace.story import Story

_SWATCH, _GAP, _LINE = 34, 26, 28
_SOFT = "var(--soft)"
_ARROWS = (story.FORK, story.THREAD, story.HAND_OVER, story.PASS)
_HATCH, _PALE = "hatch", "pale"


def legend(canvas: Canvas, told: Story, y: float) -> float:
    """Draws it from a base line on; the base line after the last."""
    x = 16.0
    for kind, said in _items(told):
        wide = _SWATCH + 8 + width(said, TEXT)
        if x > 16 and x + wide > EDGE:
            x, y = 16.0, y + _LINE
        _swatch(canvas, kind, x, y)
        canvas.text(x + _SWATCH + 8, y, said)
        x += wide + _GAP
    canvas.text(16, y + _LINE + 2, _counted(told), "soft")
    return y + 2 * _LINE + 2


def _counted(told: Story) -> str:
    """The calls by name, as many as there is room for."""
    counts = [f"{count} {name}" for name, count in words.counts(told)]
    said = f"system calls: {' · '.join(counts)}"
    while counts and 16 + width(said, TEXT) > EDGE:
        counts.pop()
        said = f"system calls: {' · '.join(counts)} · ..."
    return said


def _items(told: Story) -> list[tuple[str, str]]:
    """Only what occurs."""
    kinds = {bar.kind for lane in told.lanes for bar in lane.bars}
    items = []
    if {story.READ, story.WRITE} & kinds or any(map(words.still_sends, told.rows)):
        items.append((_HATCH, "waits for the client"))
    if any(words.waited(row) > 0.002 for row in told.rows):
        items.append((_PALE, "the client waits for the server"))
    items.append((story.RUN, "runs, or waits for a cpu"))
    for kind in (story.ACCEPT, story.EVENTS, story.QUEUE, story.DESCRIPTOR, story.SLEEP):
        if kind in kinds:
            items.append((kind, words.LEGEND[kind].format(calls=words.events_calls(told))))
    shown = {arrow.kind for arrow in told.arrows}
    items += [(kind, words.LEGEND[kind]) for kind in _ARROWS if kind in shown]
    seen = {mark.kind for lane in told.lanes for mark in lane.marks} if told.detail else set()
    return items + [(kind, words.LEGEND[kind]) for kind in marks.SIGNS if kind in seen]


def _swatch(canvas: Canvas, kind: str, x: float, y: float) -> None:
    middle, end, soft = y - 6, x + _SWATCH, f'style="fill: {_SOFT}"'
    if kind in _ARROWS:
        canvas.arrow(kind, (x, middle), (end, middle), _SOFT)
    elif kind in marks.SIGNS:
        canvas.parts.append(marks.sign(kind, x + _SWATCH / 2 + 6, middle, _SOFT))
    elif kind == _HATCH:
        canvas.box(x, end, middle, 18, canvas.hatch(""))
    elif kind == _PALE:
        canvas.pale(x, end, middle, 18, _SOFT)
    elif kind == story.RUN:
        canvas.box(x, end, middle, 18, soft)
    else:
        canvas.box(x, end, middle, 18, f'style="fill: var(--w-{kind})"')
