"""A story as a picture: clients above, one lane per process or thread below, the same clock."""

from __future__ import annotations

import re
from dataclasses import dataclass

from harness.trace import looks, marks, story, words
from harness.trace.canvas import Canvas, escape
from harness.trace.layout import EDGE, LEFT, TEXT, WIDTH, Scale, cut, fitting, lanes_shown, width
from harness.trace.legend import legend
from harness.trace.story import Arrow, Bar, Lane, Row, Story

ROW, ROW_BAR = 27, 20
_FIRST_ROW = 84
_DOWN = 6.5  # from a line's middle to the base line of its text


def draw(
    told: Story, *, scale: Scale | None = None, light_only: bool = False, style: bool = True
) -> str:
    """The whole SVG, the same bytes for the same story.

    `scale`: a clock that several pictures share. `style=False`: the page around it has it.
    """
    return _Picture(told, scale or fitting([told])).drawn(light_only=light_only, style=style)


@dataclass(frozen=True)
class _Place:
    """A lane's place: its middle, and how high its bars are."""

    y: float
    high: float


class _Picture:
    def __init__(self, told: Story, scale: Scale) -> None:
        self.told, self.x, self.scale = told, scale.x, scale
        self.look = looks.stage(told.name)
        self.canvas = Canvas("t-" + re.sub(r"\W+", "-", f"{told.name}-{told.scenario}"))
        self.lanes, self.hidden = lanes_shown(told)
        self.top = _FIRST_ROW + 26.0 * (bool(told.note) + bool(told.figures))
        pitch, high = _pitch(len(self.lanes))
        y = self.top + ROW * len(told.rows) + 12
        self.places: dict[int, _Place] = {}
        self.plans: dict[int, marks.Plan] = {}
        for lane in self.lanes:
            self.places[lane.task] = _Place(y + pitch / 2, high)
            self.plans[lane.task] = marks.plan(lane, self.x) if told.detail else marks.Plan()
            y += pitch + self.plans[lane.task].room
        self.bottom = y + 4
        self.crossings = self._crossings()

    def drawn(self, *, light_only: bool, style: bool) -> str:
        self._title()
        self._grid()
        for number, row in enumerate(self.told.rows):
            self._row(row, self.top + ROW * (number + 0.5))
        for lane in self.lanes:
            self._lane(lane)
        for arrow in self.told.arrows:
            self._arrow(arrow)
        for lane in self.lanes:
            self._labels(lane)
            place = self.places[lane.task]
            marks.draw(self.canvas, self.plans[lane.task], place.y + place.high / 2)
            marks.draw_end(self.canvas, lane, self.x(lane.end), place.y, place.high)
        axis = self.bottom + 30
        y = axis + 20
        if self.hidden:
            self.canvas.text(LEFT, y, self.hidden, "soft")
            y += 28
        height = legend(self.canvas, self.told, y) - 12
        css = looks.alone(self.told.name, light_only=light_only) if style else ""
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" class="trace" id="{self.canvas.id}" '
            f'role="img" aria-label="{escape(words.lesson(self.told))}" '
            f'viewBox="0 0 {WIDTH} {height:.0f}" width="{WIDTH}" height="{height:.0f}" '
            f'data-axis="{axis:.0f}">\n'
            + (f"<style>\n{css}</style>\n" if css else "")
            + f"<defs>\n{self.canvas.hatches(row.name for row in self.told.rows)}\n</defs>\n"
            + "\n".join(self.canvas.parts)
            + "\n</svg>\n"
        )

    def _crossings(self) -> dict[int, list[float]]:
        """Where arrows cross a lane, or come to it."""
        found: dict[int, list[float]] = {lane.task: [] for lane in self.lanes}
        for arrow in self.told.arrows:
            ends = [self.places[each] for each in (arrow.source, arrow.target)
                    if each in self.places]  # fmt: skip
            if len(ends) == 2:
                low, high = sorted(place.y for place in ends)
                for task, place in self.places.items():
                    if low < place.y <= high:
                        found[task] += [self.x(arrow.start), self.x(arrow.end)]
        return found

    def _title(self) -> None:
        x = 16.0
        if self.look["number"]:
            self.canvas.parts.append(
                '<rect class="badge" x="16" y="10" width="44" height="34" rx="7"/>'
            )
            self.canvas.text(38, 35, self.look["number"], "number")
            x = 74
        self.canvas.text(x, 36, self.look["words"], "name")
        x += width(self.look["words"], 26, bold=True) + 16
        self.canvas.text(x, 35, words.idea(self.told), "soft idea")
        odd = f", not {self.told.name}" if words.misfits(self.told) else ""
        said = f"seen in its system calls: {self.told.verdict}{odd}"
        self.canvas.text(16, 68, said, "alarm" if odd else "soft")
        if self.told.figures:
            self.canvas.text(16, 94, self.told.figures, "bold")

    def _grid(self) -> None:
        line = f"{self.top:.1f}V{self.bottom:.1f}"
        for at in self.scale.ticks():
            self.canvas.path("grid", f"M{self.x(at):.1f} {line}")
            said = f"{at * 1000:g}{'' if at else ' ms'}"
            self.canvas.text(self.x(at), self.bottom + 20, said, "tick")
        if self.told.note:
            note, x = cut(self.told.note, TEXT, EDGE - LEFT, bold=True), float(LEFT)
            wide = width(note, TEXT, bold=True)
            if self.told.moment is not None:
                x = self.x(self.told.moment)
                self.canvas.path("moment", f"M{x:.1f} {line}")
                x = min(max(x - wide / 2, 16), EDGE - wide)
            self.canvas.text(x, self.top - 8, note, "alarm")

    def _row(self, row: Row, y: float) -> None:
        colour, title = looks.client(row.name), words.row_text(row)
        whole = row.end if row.whole is None else min(row.whole, row.end)
        start, middle, end = self.x(row.start), self.x(whole), self.x(row.end)
        fill = f' style="fill: {colour}"'
        self.canvas.text(LEFT - 12, y + _DOWN, f"client {row.name}", "label bold", fill)
        if middle > start:
            self.canvas.box(start, middle, y, ROW_BAR, self.canvas.hatch(row.name), title)
        if end > middle:
            self.canvas.pale(middle, end, y, ROW_BAR, colour, title)
        for served_from, served_to in row.served:
            since, until = max(served_from, row.start), min(served_to, row.end)
            if until > since:
                self.canvas.box(self.x(since), self.x(until), y, ROW_BAR, fill[1:], title)
        pause = f"waits {words.milliseconds(words.waited(row))} ms"
        for since, until, kind, choice in (
            (row.start, whole, "halo", ("still sends its request", "still sends")),
            (whole, row.end, "", (f"{pause} for the server", pause)),
        ):
            free = words.longest_pause(row, since, until)
            self.canvas.inside(choice, *map(self.x, free), y, kind)
        if words.replied(row):
            self.canvas.text(end + 8, y + _DOWN, words.total(row))
        else:
            self.canvas.cross(end + 12, y, 7)
            self.canvas.text(end + 26, y + _DOWN, words.total(row), "alarm")

    def _lane(self, lane: Lane) -> None:
        place = self.places[lane.task]
        self.canvas.text(LEFT - 12, place.y + _DOWN, lane.label, "label")
        start, end = self.x(lane.start), self.x(lane.end)
        self.canvas.path("life", f"M{start:.1f} {place.y:.1f}H{end:.1f}")
        if lane.last_words:
            cap = f"M{end:.1f} {place.y - place.high / 2:.1f}v{place.high:.1f}"
            self.canvas.path("life", cap)
        for bar in lane.bars:
            self._bar(bar, lane, place)

    def _bar(self, bar: Bar, lane: Lane, place: _Place) -> None:
        colour, high = looks.client(bar.client), place.high
        look = f'style="fill: {colour}"'
        if bar.kind in (story.READ, story.WRITE):
            hatch = self.canvas.hatch(bar.client)
            look, high = f'{hatch} style="stroke: {colour}" stroke-width="1.6"', high - 2
        elif bar.kind != story.RUN:
            look, high = f'style="fill: var(--w-{bar.kind})"', high * 0.72
        title = words.bar_text(bar, lane)
        self.canvas.box(self.x(bar.start), self.x(bar.end), place.y, high, look, title)

    def _labels(self, lane: Lane) -> None:
        """What is written on bars, above the arrows."""
        for bar in lane.bars:
            kind, more, crossings = "halo", "", self.crossings[lane.task]
            if bar.kind == story.RUN:
                kind, crossings = "letter", []
            elif bar.kind not in (story.READ, story.WRITE):
                more = f' style="stroke: var(--w-{bar.kind})"'
            self.canvas.inside(
                words.bar_labels(bar), self.x(bar.start), self.x(bar.end),
                self.places[lane.task].y, kind, more=more, crossings=crossings,
            )  # fmt: skip

    def _arrow(self, arrow: Arrow) -> None:
        if arrow.source not in self.places or arrow.target not in self.places:
            return
        source, target = self.places[arrow.source], self.places[arrow.target]
        down = 1 if target.y > source.y else -1
        start = self.x(arrow.start), source.y + down * source.high * 0.36
        end = self.x(arrow.end), target.y - down * target.high / 2
        labels = {lane.task: lane.label for lane in self.lanes}
        title = words.arrow_text(arrow, labels)
        self.canvas.arrow(arrow.kind, start, end, looks.client(arrow.client), title)


def _pitch(lanes: int) -> tuple[float, float]:
    """From lane to lane, and how high bars are."""
    if lanes <= 3:
        return 48, 34
    return (40, 28) if lanes <= 5 else (35, 26)
