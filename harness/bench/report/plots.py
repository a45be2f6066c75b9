"""What is drawn: all plots in their order, those of lines, and those of bars."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from harness.bench import noise
from harness.bench.report import pairs
from harness.bench.report.plot import UNITS, At, Plot, maybe, reason
from harness.bench.report.reading import Place, Reading, count, kib, share
from harness.bench.tables import Table


def plots(r: Reading) -> Iterator[Plot]:
    """All plots that there are figures for, in the order of the page."""
    at_100 = "with 100 connections"
    made = (
        _lines(r, "hello", "Throughput: GET /hello", "hello", "per_second"),
        _lines(r, "p50", "Latency: half of the requests take longer", "hello", "p50_us"),
        _lines(r, "p99", "Latency: one request in a hundred takes longer", "hello", "p99_us"),
        _bars(r, "cpu", f"CPU time of GET /hello {at_100}", ("hello", 100), "cpu_us"),
        _lines(r, "cpu-crowded", "CPU time of GET /hello", "hello", "cpu_us"),
        _lines(r, "memory", "Memory of the server", "hello", "pss_kib"),
        _memory_each(r),
        _lines(r, "file", "Throughput: a file of 10 KiB", "file", "per_second"),
        _bars(r, "file-cpu", f"CPU time of a 10 KiB file {at_100}", ("file", 100), "cpu_us"),
        _bars(r, "pipelined", "CPU time of pipelined requests", ("pipelined", 100), "cpu_us"),
        _bars(r, "close", "CPU time with a connection for each request", ("close", 100), "cpu_us"),
        pairs.ballast(r, "ballast1", "one active client", "p50_us"),
        pairs.ballast(r, "ballast50", "50 active clients", "cpu_us"),
        pairs.slow_handler(r),
        pairs.slow_readers(r),
        pairs.held(r),
    )
    yield from (plot for plot in made if plot)


def _lines(r: Reading, name: str, title: str, series: str, figure: str) -> Plot | None:
    """A figure over the axis of a series; nothing if there is only one place on it."""
    xs, unit = r.xs(series), UNITS[figure]
    if len(xs) == 1 and figure == "per_second":
        return _bars(r, name, f"{title} with {count(xs[0])} connections", (series, xs[0]), figure)
    table = Table(unit.name, ("server", *map(count, xs)))
    lines, ends = [], {}
    for server in r.servers:
        cells = {x: cell for x in xs if (cell := r.cell(Place(server, series, x)))}
        values = {x: v for x, cell in cells.items() if (v := noise.value(cell, figure))}
        ends |= _end(r, server, series, [x for x in xs if x > max(cells, default=0)])
        points = [
            {
                "x": x,
                "y": value * unit.scale,
                "text": unit.shown(value),
                "busy": noise.limited_by_the_client(figure, cells[x]),
            }
            for x, value in values.items()
        ]
        if points:
            lines.append({"server": server, "points": points, "end": ends.get(server, "")})
            table.rows.append([server, *(maybe(values.get(x), unit.shown) for x in xs)])
    if all(len(line["points"]) < 2 for line in lines):
        return None
    drawing = {
        "kind": "lines",
        "lines": lines,
        "xs": xs,
        "x": r.loads[series, xs[0]].unit,
        "y": unit.name,
        "ticks": unit.ticks,
    }
    return Plot(name, title, drawing, table, ends)


def _end(r: Reading, server: str, series: str, later: list[int]) -> dict[str, str]:
    """Why a line goes no further."""
    reasons = (reason(server, r.any_cell(Place(server, series, x))) for x in later)
    return next(filter(None, reasons), {})


def _bars(r: Reading, name: str, title: str, at: At, figure: str) -> Plot | None:
    """A figure of all servers under one load; nothing if there is nobody to compare."""
    unit = UNITS[figure]
    table = Table(unit.name, ("server", "best", "noise", "median"))
    rows, ends = [], {}
    for server in r.servers:
        cell = r.cell(Place(server, *at))
        value = noise.value(cell, figure) if cell else None
        if cell is None or value is None:
            ends |= reason(server, r.any_cell(Place(server, *at)))
            continue
        apart = noise.of(cell, figure)
        rows.append(
            {
                "server": server,
                "parts": [value],
                "noise": apart,
                "text": unit.shown(value),
                "busy": noise.limited_by_the_client(figure, cell),
            }
        )
        median = cell.summary()[f"{figure}_median"]
        table.rows.append([server, unit.shown(value), share(apart), unit.shown(median)])
    rows.sort(key=lambda row: row["parts"][0], reverse=figure == "per_second")
    return _drawn(name, title, f"{unit.name} (whiskers: noise)", rows, table, ends)


def _memory_each(r: Reading) -> Plot | None:
    """What one idle connection costs in memory: of the server's own, and of the kernel's."""
    names = ("server's own (PSS)", "kernel's, both ends")
    table = Table("KiB per connection", ("server", "connections", *names))
    rows, ends = [], {}
    cells = {server: r.idle_cell(server) for server in r.servers}
    most = max((cell.idle for cell in cells.values() if cell), default=0)
    for server, cell in cells.items():
        own = cell.pss_kib_per_connection if cell else None
        if cell is None or own is None:
            ends |= reason(server, r.any_cell(Place(server, "ballast1", most)))
            continue
        kernel = cell.kernel_kib_per_connection
        few = f" ({count(cell.idle)})" if cell.idle < most else ""
        text = kib(own) + (f" + {kib(kernel)}" if kernel is not None else "") + few
        parts = [max(0.0, own), max(0.0, kernel or 0.0)]
        rows.append({"server": server, "parts": parts, "noise": 0, "text": text})
        table.rows.append([server, count(cell.idle), kib(own), maybe(kernel, kib)])
    rows.sort(key=lambda row: sum(row["parts"]))
    title = f"What one of {count(most)} idle connections costs in memory"
    return _drawn("memory-each", title, "KiB per connection", rows, table, ends, names)


def _drawn(
    name: str, title: str, unit: str, rows: list[dict[str, Any]], table: Table,
    ends: dict[str, str], parts: tuple[str, ...] = (),
) -> Plot | None:  # fmt: skip
    if len(rows) < 2:
        return None
    return Plot(name, title, {"kind": "bars", "rows": rows, "x": unit, "names": parts}, table, ends)
