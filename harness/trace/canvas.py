"""Boxes, texts and arrows as SVG elements, each with one decimal and in the order they come."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape as _escape

from harness.trace import looks
from harness.trace.layout import INSIDE, width

HEAD = 11  # how long an arrow's head is
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_PALE = 'fill-opacity=".3"'
_DASHES = {"pass": "7 4", "hand-over": "2 4"}  # what is handed over; what is made is not dashed


def escape(said: str) -> str:
    """As text of an element or an attribute; what XML has no way to say becomes U+FFFD."""
    return _escape(_NO_XML.sub("\ufffd", said))


class Canvas:
    """Collects a picture's elements."""

    def __init__(self, identity: str) -> None:
        self.id = identity
        self.parts: list[str] = []

    def text(self, x: float, y: float, said: str, kind: str = "", more: str = "") -> None:
        """A text whose base line begins at a place, or where its class has it."""
        classes = f' class="{kind}"' if kind else ""
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}"{classes}{more}>{escape(said)}</text>')

    def path(self, kind: str, data: str, colour: str = "") -> None:
        """A line in the style of its class."""
        style = f' style="stroke: {colour}"' if colour else ""
        self.parts.append(f'<path class="{kind}" d="{data}"{style}/>')

    def box(
        self, start: float, end: float, y: float, high: float, look: str, title: str = ""
    ) -> None:
        """A box around a middle line; with a title it is a bar that can be asked."""
        kind, inside = (' class="bar"', f"<title>{escape(title)}</title>") if title else ("", "")
        self.parts.append(
            f'<rect{kind} x="{start:.1f}" y="{y - high / 2:.1f}" '
            f'width="{max(end - start, 1.5):.1f}" height="{high:.1f}" {look}>{inside}</rect>'
        )

    def pale(self, start: float, end: float, y: float, high: float, colour: str, title: str = "",
             ) -> None:  # fmt: skip
        """A box in a weak colour, through which no grid shows."""
        self.box(start, end, y, high, 'style="fill: var(--paper)"')
        self.box(start, end, y, high, f'style="fill: {colour}" {_PALE}', title)

    def hatch(self, client: str) -> str:
        """The attribute that fills with a client's hatch."""
        return f'fill="url(#{self.id}-{client or "any"})"'

    def inside(
        self, choice: Iterable[str], start: float, end: float, y: float, kind: str, *,
        more: str = "", crossings: Sequence[float] = (),
    ) -> None:  # fmt: skip
        """The longest of some labels that fits, where nothing crosses it if that can be."""
        bounds = [start, *sorted(x for x in crossings if start < x < end), end]
        free = max(zip(bounds, bounds[1:], strict=False), key=lambda each: each[1] - each[0])
        for said in choice:
            wide = width(said, INSIDE, bold="letter" in kind) + 8
            for a, b in (free, (start, end)):
                if wide <= b - a:
                    self.text((a + b) / 2, y + 5.7, said, f"inside {kind}".rstrip(), more)
                    return

    def arrow(
        self, kind: str, start: tuple[float, float], end: tuple[float, float], colour: str,
        title: str = "",
    ) -> None:  # fmt: skip
        """A line with a head, and air around it."""
        (x1, y1), (x2, y2) = start, end
        long = ((x2 - x1) ** 2 + (y2 - y1) ** 2) ** 0.5 or 1.0
        ux, uy = (x2 - x1) / long, (y2 - y1) / long
        bx, by = x2 - ux * HEAD, y2 - uy * HEAD
        line = f"M{x1:.1f} {y1:.1f}L{bx:.1f} {by:.1f}"
        left = f"{bx - uy * 6:.1f} {by + ux * 6:.1f}"
        right = f"{bx + uy * 6:.1f} {by - ux * 6:.1f}"
        dash = f' stroke-dasharray="{_DASHES[kind]}"' if kind in _DASHES else ""
        asked = f'<g class="bar"><title>{escape(title)}</title>' if title else "<g>"
        self.parts.append(
            f'{asked}<path class="under" d="{line}"/>'
            f'<path class="arrow" d="{line}"{dash} style="stroke: {colour}"/>'
            f'<path d="M{x2:.1f} {y2:.1f}L{left}L{right}Z" style="fill: {colour}"/></g>'
        )

    def cross(self, x: float, y: float, arm: float) -> None:
        """Two strokes that cross at a point."""
        across = f"l{2 * arm:g} {2 * arm:g}M{x - arm:.1f} {y + arm:.1f}l{2 * arm:g} {-2 * arm:g}"
        self.path("cross", f"M{x - arm:.1f} {y - arm:.1f}{across}")

    def hatches(self, clients: Iterable[str]) -> str:
        """The patterns, one for each client and one for nobody in particular."""
        return "\n".join(
            f'<pattern id="{self.id}-{name or "any"}" width="9" height="9" '
            f'patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
            f'<rect width="9" height="9" style="fill: var(--paper)"/>'
            f'<rect width="3.4" height="9" style="fill: {looks.client(name)}" opacity=".55"/>'
            f"</pattern>"
            for name in (*dict.fromkeys(clients), "")
        )
