"""One plot: what page.js draws, and what is said beside it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from harness.bench.report.reading import cost, duration, mib, rate
from harness.bench.results import Cell
from harness.bench.tables import Table

At = tuple[str, int]  # a series, and where on its axis


@dataclass(frozen=True)
class Unit:
    """How a figure is called, and how its numbers are written."""

    name: str
    ticks: str  # at an axis: see TICKS in drawings.js
    shown: Callable[[float], str]  # elsewhere
    scale: float = 1  # from the figure to the numbers of the axis


UNITS = {
    "per_second": Unit("requests per second", "rate", rate),
    "p50_us": Unit("median latency", "time", duration),
    "p99_us": Unit("99th percentile of latency", "time", duration),
    "cpu_us": Unit("µs of CPU per request", "number", cost),
    "pss_kib": Unit("memory of all its processes (PSS)", "memory", mib, 1 / 1024),
}


@dataclass
class Plot:
    """A drawing with its table."""

    name: str
    title: str
    drawing: dict[str, Any]
    table: Table
    ends: dict[str, str] = field(default_factory=dict)  # why a server is not (any further) in it


def reason(server: str, cell: Cell | None) -> dict[str, str]:
    """Why there is no figure of the server, if there is a reason."""
    why = f"failed: {cell.failed}" if cell and cell.failed else cell.limit if cell else ""
    return {server: why} if why else {}


def maybe(value: float | None, shown: Callable[[float], str]) -> str:
    """A number, or the sign that there is none."""
    return "-" if value is None else shown(value)
