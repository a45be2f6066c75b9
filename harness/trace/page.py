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
    scale = fitting(told)
    stages = {_variable(each): looks.stage(each.name) for each in told}
    light, dark = (looks.variables(shade, stages) for shade in (0, 1))
    values = {
        "TITLE": escape(_title(told)),
        "SOURCE": escape(source),
        "COLOURS": (
            f":root {{ color-scheme: light; {light} }}\n"
            f'@media (prefers-color-scheme: dark) {{ :root:not([data-theme="light"]) '
            f"{{ color-scheme: dark; {dark} }} }}\n"
            f':root[data-theme="dark"] {{ color-scheme: dark; {dark} }}\n'
            f"@media print {{ :root:root:root {{ {light} }} }}"
        ),
        "STYLE": looks.rules() + _read("page.css"),
        "PICTURES": "\n".join(
            _figure(each, svg.draw(each, scale=scale, style=False)) for each in told
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


def _figure(told: Story, picture: str) -> str:
    number = looks.stage(told.name)["number"]
    key = str(int(number)) if number else ""
    lesson = words.lesson(told).partition(": ")[2]
    said = f"{lesson[:1].upper() + lesson[1:]}."
    if cut(told.note, TEXT, EDGE - LEFT, bold=True) != told.note:  # the picture has no room for it
        said += f" {told.note[:1].upper() + told.note[1:]}."
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
