"""Fills the page that compares: one file that needs no network."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape
from pathlib import Path

from harness.trace import looks, svg, tables, telling, words
from harness.trace.layout import EDGE, LEFT, TEXT, cut, fitting
from harness.trace.recording import Recording
from harness.trace.scenarios import SCENARIOS
from harness.trace.story import Story

FILES = Path(__file__).parent / "page"


def filled(recordings: Sequence[Recording], *, source: str = "") -> str:
    """The whole page, all pictures on the same clock. `source` says whose servers these are."""
    told = [telling.tell(each) for each in recordings]
    scale, keys = fitting(told), _keys(told)
    stages = {_variable(each): looks.stage(each.name) for each in told}
    shown = list(filter(None, keys))
    light, dark = (looks.variables(shade, stages) for shade in (0, 1))
    values = {
        "TITLE": escape(_title(told)),
        "SOURCE": escape(source),
        "KEYS": "–".join(f"<kbd>{each}</kbd>" for each in dict.fromkeys((min(shown), max(shown)))),
        "COLOURS": (
            f":root {{ color-scheme: light; {light} }}\n"
            f'@media (prefers-color-scheme: dark) {{ :root:not([data-theme="light"]) '
            f"{{ color-scheme: dark; {dark} }} }}\n"
            f':root[data-theme="dark"] {{ color-scheme: dark; {dark} }}\n'
            f"@media print {{ :root:root:root {{ {light} }} }}"
        ),
        "STYLE": looks.rules() + _read("page.css"),
        "PICTURES": "\n".join(
            _figure(each, key, svg.draw(each, scale=scale, style=False))
            for each, key in zip(told, keys, strict=True)
        ),
        "TIMES": tables.times(told),
        "ALIKE": ALIKE if len(_waiting_alike(told)) > 1 else "",
        "CALLS": tables.calls(told, recordings),
        "VERDICTS": "\n".join(map(_verdicts, told)),
        "SCRIPT": _read("page.js"),
    }
    return re.sub(r"@([A-Z]+)@", lambda found: values[found[1]], _read("page.html"))


ALIKE = (
    "<p>The pictures of select, poll and epoll look alike on purpose: to a client it is all the "
    "same whether one thread waits with the one or the other. What differs is how many calls that "
    "takes, and what each has to list: select and poll are told all descriptors anew at every "
    "wait, and the kernel looks at each of them; epoll has been told once, by epoll_ctl, and is "
    "handed none.</p>"
)


def _waiting_alike(told: Sequence[Story]) -> set[str]:
    """The calls in which pictures wait for events."""
    return {words.events_calls(each) for each in told} - {""}


def _title(told: Sequence[Story]) -> str:
    titles = {each.scenario: SCENARIOS[each.scenario].title for each in told
              if each.scenario in SCENARIOS}  # fmt: skip
    return " / ".join(titles.values()) or "What servers do"


def _variable(told: Story) -> str:
    return "s-" + re.sub(r"\W+", "-", told.name)


def _keys(told: Sequence[Story]) -> list[str]:
    """The digits that show the pictures: those of the stages, or else the first ones."""
    numbers = [looks.stage(each.name)["number"] for each in told]
    if any(numbers):
        return [str(int(each)) if each else "" for each in numbers]
    return [str(each) if each < 10 else "" for each in range(1, len(told) + 1)]


def _figure(told: Story, key: str, picture: str) -> str:
    lesson = words.lesson(told).partition(": ")[2]
    said = f"{lesson[:1].upper() + lesson[1:]}."
    if cut(told.note, TEXT, EDGE - LEFT, bold=True) != told.note:  # the picture has no room for it
        said += f" {told.note[:1].upper() + told.note[1:].rstrip('.')}."
    return (
        f'<figure data-key="{key}" data-name="{escape(told.name)}" '
        f'style="--stage: var(--{_variable(told)})">\n<div class="scroll">{picture}</div>\n'
        f"<figcaption>{escape(said)}</figcaption></figure>"
    )


def _verdicts(told: Story) -> str:
    odd = words.misfits(told)
    note = f': <b class="odd">{len(odd)} of {len(told.rows)} do not fit</b>' if odd else ""
    return (
        f"<details{' open' if odd else ''}><summary>{escape(told.name)}: {escape(told.verdict)}"
        f"{note}</summary>{tables.verdicts(told)}</details>"
    )


def _read(name: str) -> str:
    return (FILES / name).read_text(encoding="utf-8")
