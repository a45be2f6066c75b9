"""Plots of a figure without and with something beside: how far it is moved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from harness.bench import noise
from harness.bench.loads import WORK_US
from harness.bench.report.plot import UNITS, Plot, maybe, reason
from harness.bench.report.reading import Place, Reading, count, duration, kib, rate, times
from harness.bench.results import Cell
from harness.bench.tables import Table


@dataclass(frozen=True)
class Pair:
    """One server without and with something beside it."""

    server: str
    before: Cell | None
    after: Cell | None
    tried: Cell | None  # says why there is no pair
    remark: str = ""  # if it was less of it than with the others


def ballast(r: Reading, series: str, who: str, figure: str) -> Plot | None:
    """Active clients beside idle ones."""
    most = max(r.xs(series), default=0)
    found = []
    for server in r.servers:
        x = max((x for x in r.xs(series) if r.cell(Place(server, series, x))), default=0)
        places = [Place(server, series, at) for at in (0, x, most)]
        before, after, tried = r.cell(places[0]), r.cell(places[1]), r.any_cell(places[2])
        remark = f"({count(x)})" if x < most else ""
        found.append(Pair(server, before, after if x else None, tried, remark))
    title = f"Ballast: {who} beside {count(most)} idle ones"
    return _pairs(series, title, found, figure, ("nobody idle", f"{count(most)} idle"))


def slow_readers(r: Reading) -> Plot | None:
    """Active clients beside such as read very slowly."""
    x = max(r.xs("deaf"), default=0)
    found = []
    for server in r.servers:
        with_them = Place(server, "deaf", x)
        before = r.cell(Place(server, "ballast50", 0))
        found.append(Pair(server, before, r.cell(with_them), r.any_cell(with_them)))
    title = f"Slow readers: 50 active clients beside {count(x)} of them"
    words = ("no slow readers", f"{count(x)} slow readers")
    return _pairs("deaf", title, found, "per_second", words)


def slow_handler(r: Reading) -> Plot | None:
    """Median and 99th percentile of the requests that are not slow themselves."""
    x = max(r.xs("mix"), default=0)
    words = ("median of the others", "99th percentile")
    table = Table("latency of the other requests", ("server", *words, "without slow ones: median"))
    rows, ends = [], {}
    for server in r.servers:
        cell = r.cell(Place(server, "mix", x))
        if cell is None:
            ends |= reason(server, r.any_cell(Place(server, "mix", x)))
            continue
        a, b = cell.summary()["p50_us"], cell.summary()["p99_us"]
        alone = r.value(Place(server, "hello", x), "p50_us")
        rows.append(_row(server, a, b, f"{duration(a)}, {duration(b)}"))
        table.rows.append([server, duration(a), duration(b), maybe(alone, duration)])
    title = f"A slow handler: one request in a hundred computes for {WORK_US // 1000} ms"
    return _drawn("mix", title, rows, table.title, words, "time", table, ends)


def held(r: Reading) -> Plot | None:
    """As many connections as the machine allows."""
    unit = UNITS["p50_us"]
    words = ("before", "while they are held")
    columns = ("server", "workers", "held", "own memory each", "kernel's each, both ends",
               unit.name, "while held", "requests/s", "while held")  # fmt: skip
    table = Table("held connections", columns)
    rows, ends = [], {}
    for cell in r.results.held:
        why = cell.failed or cell.limit
        ends |= {cell.server: why} if why else {}
        if cell.failed or not cell.connections:
            continue
        a, b = cell.p50_before_us, cell.p50_during_us
        if a and b:
            text = f"{count(cell.connections)} held: {duration(a)} → {duration(b)}"
            rows.append(_row(cell.server, a, b, text))
        memory = (cell.kib_per_connection, cell.kernel_kib_per_connection)
        active = (cell.per_second_before, cell.per_second_during)
        figures = [(kib, memory), (duration, (a, b)), (rate, active)]
        shown = [maybe(value, shown) for shown, values in figures for value in values]
        table.rows.append([cell.server, str(cell.workers), count(cell.connections), *shown])
    most = count(max((cell.connections for cell in r.results.held), default=0))
    title = f"{most} connections held by eight workers"
    name = f"{unit.name} of one active client"
    return _drawn("held", title, rows, name, words, unit.ticks, table, ends)


def _pairs(
    name: str, title: str, found: list[Pair], figure: str, words: tuple[str, str]
) -> Plot | None:
    """How far a figure is moved by something; nothing if nobody was measured with it."""
    unit = UNITS[figure]
    table = Table(unit.name, ("server", *words, "ratio", "above the noise"))
    rows, ends = [], {}
    for pair in found:
        values = [noise.value(c, figure) if c else None for c in (pair.before, pair.after)]
        if pair.before is None or pair.after is None or not all(values):
            ends |= reason(pair.server, pair.tried)
            continue
        a, b = values
        stands = noise.stands(pair.before, pair.after, figure)
        busy = noise.limited_by_the_client(figure, pair.before, pair.after)
        moved = times(b / a) if stands else "" if busy else "the same"
        text = f"{unit.shown(a)} → {unit.shown(b)}{', ' if moved else ''}{moved} {pair.remark}"
        rows.append(_row(pair.server, a, b, text.strip(), stands, busy))
        who = f"{pair.server} {pair.remark}".strip()
        verdict = "yes" if stands else "the client was busy" if busy else "no"
        table.rows.append([who, unit.shown(a), unit.shown(b), f"{b / a:.2f}", verdict])
    return _drawn(name, title, rows, unit.name, words, unit.ticks, table, ends)


def _row(
    server: str, a: float, b: float, text: str, stands: bool = True, busy: bool = False
) -> dict[str, Any]:
    return {"server": server, "a": a, "b": b, "text": text, "stands": stands, "busy": busy}


def _drawn(
    name: str, title: str, rows: list[dict[str, Any]], unit: str, words: tuple[str, str],
    ticks: str, table: Table, ends: dict[str, str],
) -> Plot | None:  # fmt: skip
    if not rows:
        return None
    drawing = {"kind": "pairs", "rows": rows, "x": unit, "words": words, "ticks": ticks}
    return Plot(name, title, drawing, table, ends)
