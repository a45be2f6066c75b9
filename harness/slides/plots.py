"""Plots of a results file, as Vega-Lite for the engine to draw; lines are in lineplots.py."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from harness.slides import numbers
from harness.slides.deck import DeckError, Info
from harness.slides.numbers import Results

COLOURS = "harness/bench/report/colours.json"
WIDTH, HALF, HEIGHT = 1140, 720, 440  # in pixels: on a whole slide, beside words
SIZE = 23  # of the labels
_FONT = "IBM Plex Sans"
_LETTER = 0.56  # of a letter's size: its width, as a rule


def looks(kit: Path) -> dict[str, Any]:
    """Colours and labels: the same model looks the same everywhere."""
    return json.loads((kit / COLOURS).read_text())


def bars(kit: Path, info: Info, room: int = WIDTH) -> str:
    """`plot FIGURE LOAD SERVER... alt="..."`."""
    info.check("alt", "title")
    if len(info.words) < 3:
        raise DeckError('of what? ```plot cpu_us close-100 01-fork 02-thread alt="..."')
    figure, load, *servers = info.words
    results, styles = numbers.load(kit), looks(kit)
    values = [(server, results.value(figure, load, server)) for server in servers]
    rows = [
        {
            "label": look(styles, server)["label"],
            "colour": look(styles, server)["light"],
            "value": value,
            "text": numbers.shown(figure, value),
        }
        for server, value in values
    ]
    left = width(max((row["label"] for row in rows), key=len))
    right = width(max((row["text"] for row in rows), key=len)) + 14
    ink, soft = (styles["page"][name]["light"] for name in ("ink", "soft"))
    axis = {
        "title": None, "labelFontSize": SIZE, "labelColor": ink, "labelLimit": 0, "ticks": False,
        "domain": True, "domainColor": soft, "labelPadding": 12,
    }  # fmt: skip
    y = {"field": "label", "type": "nominal", "sort": None, "axis": axis}
    x = {"field": "value", "type": "quantitative", "axis": None, "scale": {"zero": True}}
    spec = {
        "width": room - left - right - 20,
        "height": min(HEIGHT - 16, 62 * len(rows)),
        "data": {"values": rows},
        "encoding": {"y": y, "x": x},
        "layer": [
            {
                "mark": {"type": "bar", "height": {"band": 0.66}},
                "encoding": {"color": {"field": "colour", "type": "nominal", "scale": None}},
            },
            {
                "mark": {"type": "text", "align": "left", "dx": 10, "fontSize": SIZE,
                         "fontWeight": 600, "color": ink},
                "encoding": {"text": {"field": "text", "type": "nominal"}},
            },
        ],
    }  # fmt: skip
    padding = {"left": left + 16, "right": right, "top": 8, "bottom": 6}
    return plot(spec, info, results, _title(results, figure, load), padding)


def look(styles: dict[str, Any], server: str) -> dict[str, Any]:
    try:
        return styles["servers"][server]
    except KeyError:
        raise DeckError(f"{COLOURS} has no colour for {server}") from None


def _title(results: Results, figure: str, load: str) -> str:
    facts = results.load(load)
    return f"{numbers.FIGURES[figure]}: {facts['title']}, {facts['x']:,} {facts['unit']}"


def width(text: str) -> int:
    return round(len(text) * SIZE * _LETTER)


def plot(
    spec: dict[str, Any], info: Info, results: Results, title: str, padding: dict[str, int]
) -> str:
    if not info.one("alt"):
        raise DeckError('a plot without a text alternative: alt="..."')
    shown = info.one("title") or title[0].upper() + title[1:]
    whole = {
        "$schema": "vega-lite",
        "description": info.one("alt"),
        **spec,
        "autosize": "none",
        "padding": padding,
        "config": {"font": _FONT, "view": {"stroke": None}, "background": None},
    }  # fmt: skip
    drawing = f"```vega-lite\n{json.dumps(whole, ensure_ascii=False)}\n```"
    return f'<p class="what">{shown}</p>\n\n{drawing}\n\n{source_line(results)}'


def source_line(results: Results) -> str:
    return f'<p class="source">{results.source}</p>'
