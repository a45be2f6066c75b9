"""Lines of a figure over a series of loads, both axes logarithmic, labelled at their ends."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from harness.slides import numbers
from harness.slides.deck import DeckError, Info
from harness.slides.numbers import Results
from harness.slides.plots import HEIGHT, SIZE, WIDTH, look, looks, plot, width

_ABOVE, _BELOW, _LEFT = 18, 74, 120  # room around the lines, in pixels
_SHAPES = {"circle": "circle", "square": "square", "triangle": "triangle-up", "diamond": "diamond"}
_TEXT = {
    "type": "text", "align": "left", "baseline": "middle", "dx": 16, "fontSize": SIZE,
    "fontWeight": 600,
}  # fmt: skip

Rows = list[dict[str, Any]]


def lines(kit: Path, info: Info, room: int = WIDTH) -> str:
    """`plot-line FIGURE SERIES SERVER... alt="..."`."""
    info.check("alt", "title")
    if len(info.words) < 3:
        raise DeckError('of what? ```plot-line p50_us ballast1 05-poll 06-epoll-lt alt="..."')
    figure, series, *servers = info.words
    results, styles = numbers.load(kit), looks(kit)
    loads = results.series(series)
    places = _places([load["x"] for load in loads])
    points: Rows = []
    ends: Rows = []
    for server in servers:
        mine = _points(results, figure, loads, places, server)
        points += mine
        value = numbers.shown(figure, mine[-1]["y"])
        label = f"{look(styles, server)['label']}  {value}"
        why = _why(results, [load["name"] for load in loads][mine[-1]["number"] + 1 :], server)
        ends.append({**mine[-1], "label": label, "why": why})
    longest = max((end["label"] for end in ends if end["x"] == places[-1]), key=len, default="")
    right = width(longest) + 30
    low, high = _domain([point["y"] for point in points])
    _push_apart(ends, low, high)
    x = _x(styles, loads, places, room - _LEFT - right)
    y = _y(styles, figure, low, high)
    spec = {
        "width": room - _LEFT - right,
        "height": HEIGHT - _ABOVE - _BELOW,
        "data": {"values": points},
        "layer": _layers(styles, servers, ends, x, y),
    }
    padding = {"left": _LEFT, "right": right, "top": _ABOVE, "bottom": _BELOW}
    title = f"{numbers.FIGURES[figure]}: {loads[0]['title']}"
    return plot(spec, info, results, title, padding)


def _points(
    results: Results, figure: str, loads: Rows, places: list[float], server: str
) -> Rows:
    found = [
        {"server": server, "x": place, "y": value, "number": number}
        for number, (load, place) in enumerate(zip(loads, places, strict=True))
        if (value := results.maybe(figure, load["name"], server))
    ]
    if not found:
        raise DeckError(f"{results.path}: no {figure} of {server} in {loads[0]['series']}")
    return found


def _why(results: Results, later: list[str], server: str) -> str:
    """Why a line goes no further."""
    return next(filter(None, (results.limit(load, server) for load in later)), "")


def _axis(styles: dict[str, Any]) -> dict[str, Any]:
    ink, soft, rule = (styles["page"][name]["light"] for name in ("ink", "soft", "rule"))
    return {
        "labelFontSize": SIZE - 2, "labelColor": ink, "titleFontSize": SIZE - 2,
        "titleColor": soft, "titleFontWeight": 400, "domainColor": soft, "gridColor": rule,
        "ticks": False, "labelPadding": 10, "labelOverlap": False,
    }  # fmt: skip


def _x(styles: dict[str, Any], loads: Rows, places: list[float], room: int) -> dict[str, Any]:
    named: list[tuple[float, str]] = []
    per_pixel = (places[-1] - places[0]) / room or 1
    for place, load in zip(reversed(places), reversed(loads), strict=True):
        text = f"{load['x']:,}"
        if not named or (named[-1][0] - place) / per_pixel > width(text) + 20:
            named.append((place, text))
    axis = {
        **_axis(styles), "title": loads[0]["unit"], "grid": False, "titlePadding": 12,
        "values": [place for place, _ in named], "labelExpr": _words(named),
    }  # fmt: skip
    scale = {"domain": [places[0], places[-1]], "nice": False, "zero": False}
    return {"field": "x", "type": "quantitative", "axis": axis, "scale": scale}


def _y(styles: dict[str, Any], figure: str, low: float, high: float) -> dict[str, Any]:
    unit = 1024.0 if "kib" in figure and high > 10 * 1024 else 1.0
    decades = [unit * 10.0**e for e in range(-4, 9)]
    ticks = [tick for tick in decades if low <= tick <= high]
    if len(ticks) < 3:
        ticks = [n * tick for tick in decades for n in (1, 2, 5) if low <= n * tick <= high]
    named = [(t, numbers.shown(figure, t).replace(".0 ", " ").removesuffix(".0")) for t in ticks]
    axis = {
        **_axis(styles), "title": None, "grid": True, "domain": False,
        "values": ticks, "labelExpr": _words(named),
    }  # fmt: skip
    scale = {"type": "log", "domain": [low, high], "nice": False}
    return {"field": "y", "type": "quantitative", "axis": axis, "scale": scale}


def _layers(
    styles: dict[str, Any], servers: list[str], ends: Rows, x: dict[str, Any], y: dict[str, Any]
) -> Rows:
    each = [look(styles, server) for server in servers]

    def by_server(values: Iterable[Any]) -> dict[str, Any]:
        scale = {"domain": servers, "range": list(values)}
        return {"field": "server", "type": "nominal", "legend": None, "scale": scale}

    colour = by_server(one["light"] for one in each)
    dash = by_server([int(n) for n in one["dash"].split()] or [1, 0] for one in each)
    shape = by_server(_SHAPES.get(one["marker"], "cross") for one in each)
    at_end = {"x": x, "y": {**y, "field": "place"}}
    soft = styles["page"]["soft"]["light"]
    layers = [
        {
            "mark": {"type": "line", "strokeWidth": 4.5, "strokeCap": "butt"},
            "encoding": {"x": x, "y": y, "color": colour, "strokeDash": dash},
        },
        {
            "mark": {"type": "point", "filled": True, "size": 190, "opacity": 1},
            "encoding": {"x": x, "y": y, "color": colour, "shape": shape},
        },
        {
            "data": {"values": ends},
            "mark": _TEXT,
            "encoding": {**at_end, "color": colour, "text": {"field": "label"}},
        },
    ]
    stops = [end for end in ends if end["why"]]
    if stops:
        mark = {**_TEXT, "dy": 28, "fontSize": SIZE - 3, "fontWeight": 400, "color": soft}
        encoding = {**at_end, "text": {"field": "why"}}
        layers.append({"data": {"values": stops}, "mark": mark, "encoding": encoding})
    return layers


def _places(xs: list[int]) -> list[float]:
    """Where a number stands on an axis that is logarithmic, and has a place for nothing."""
    least = min((x for x in xs if x > 0), default=1)
    return [round(math.log10(x) if x else math.log10(least) - 1, 4) for x in xs]


def _domain(values: list[float]) -> tuple[float, float]:
    """A little more than the values; small differences do not fill it."""
    low, high = math.log10(min(values)), math.log10(max(values))
    more = max(0.06 * (high - low), 0.05, (0.9 - (high - low)) / 2)
    return float(f"{10 ** (low - more):.4g}"), float(f"{10 ** (high + more):.4g}")


def _push_apart(ends: Rows, low: float, high: float) -> None:
    """Labels at the ends of lines, `place` in the units of y, so that none hides another."""
    per_pixel = (math.log10(high) - math.log10(low)) / (HEIGHT - _ABOVE - _BELOW)
    least = (SIZE + 7) * per_pixel
    ordered = sorted(ends, key=lambda end: (end["x"], end["y"]))
    for end in ordered:
        end["at"] = math.log10(end["y"])
    lowest, highest = math.log10(low), math.log10(high)
    for _ in range(200):
        for below, upper in zip(ordered, ordered[1:], strict=False):
            gap = upper["at"] - below["at"]
            if below["x"] == upper["x"] and gap < least - 1e-9:
                below["at"] -= (least - gap) / 2
                upper["at"] += (least - gap) / 2
        for end in ordered:
            end["at"] = min(max(end["at"], lowest), highest)
    for end in ordered:
        end["place"] = 10 ** end.pop("at")


def _words(named: Iterable[tuple[float, str]]) -> str:
    """An expression that has a label for each of these values of an axis."""
    shown = "''"
    for value, text in named:
        near = max(abs(value), 1) * 1e-6
        shown = f"abs(datum.value - {value}) < {near:g} ? '{text}' : {shown}"
    return shown
