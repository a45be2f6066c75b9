"""Figures of a results file: found by name, and written as one says them."""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from harness.slides.deck import DeckError

SETTINGS = "slides/numbers.toml"
FIGURES = {  # how the tables and plots call them
    "cpu_us": "CPU time per request",
    "per_second": "requests per second",
    "p50_us": "median latency",
    "p90_us": "latency, 90th percentile",
    "p99_us": "latency, 99th percentile",
    "max_us": "longest latency",
    "syscalls": "system calls per request",
    "switches": "context switches per request",
    "processes": "processes",
    "threads": "threads",
    "pss_kib": "memory of the server",
    "pss_kib_per_connection": "memory per connection",
    "kernel_kib_per_connection": "kernel memory per connection, both ends",
    "client_busy": "share of its CPU that the client needs",
}
_HELD = {
    "kib_per_connection": "memory per connection",
    "kernel_kib_per_connection": "kernel memory per connection, both ends",
    "connections": "connections held",
    "p50_before_us": "median latency before",
    "p50_during_us": "median latency meanwhile",
    "per_second_before": "requests per second before",
    "per_second_during": "requests per second meanwhile",
}


@dataclass(frozen=True)
class Results:
    """A results file; `path` is below the kit."""

    path: str
    data: dict[str, Any]

    @property
    def source(self) -> str:
        """Machine and date, for the line below a plot."""
        machine = self.data["machine"]
        kernel = machine["kernel"].split("-")[0]
        return (
            f"measured {machine['date'][:10]} on {machine['cpus']} × {machine['cpu']}, "
            f"Linux {kernel} ({self.path})"
        )

    def load(self, name: str) -> dict[str, Any]:
        return self._one("loads", {"name": name}, f"load {name}")

    def series(self, name: str) -> list[dict[str, Any]]:
        """The loads of a series, by x."""
        found = [each for each in self.data["loads"] if each["series"] == name]
        if not found:
            there = sorted({each["series"] for each in self.data["loads"]})
            raise DeckError(f"{self.path}: no series {name}; there are: {' '.join(there)}")
        return sorted(found, key=lambda each: each["x"])

    def cell(self, load: str, server: str) -> dict[str, Any]:
        if load == "held":
            return self._one("held", {"server": server}, f"{server} holding connections")
        self.load(load)
        return self._one("cells", {"load": load, "server": server}, f"{server} under {load}")

    def value(self, figure: str, load: str, server: str) -> float:
        """DeckError says what is not there."""
        cell = self.cell(load, server)
        known = _HELD if load == "held" else FIGURES
        if figure not in known:
            raise DeckError(f"no figure {figure}; there are: {' '.join(known)}")
        value = cell.get(figure) if load == "held" else cell["summary"].get(figure)
        if value is None:
            why = cell.get("limit") or cell.get("failed") or "it was not measured"
            raise DeckError(f"{self.path}: no {figure} of {server} under {load}: {why}")
        return float(value)

    def maybe(self, figure: str, load: str, server: str) -> float | None:
        """None where this server could not take this load."""
        found = [c for c in self.data["cells"] if c["load"] == load and c["server"] == server]
        if not found or found[0]["summary"].get(figure) is None:
            return None
        return self.value(figure, load, server)

    def limit(self, load: str, server: str) -> str:
        """Why it could not."""
        found = [c for c in self.data["cells"] if c["load"] == load and c["server"] == server]
        return found[0]["limit"] if found else ""

    def _one(self, kind: str, wanted: dict[str, str], what: str) -> dict[str, Any]:
        for each in self.data[kind]:
            if all(each.get(key) == value for key, value in wanted.items()):
                return each
        key = next(reversed(wanted))
        there = sorted({each[key] for each in self.data[kind]})
        raise DeckError(f"{self.path}: nothing of {what}; there are: {' '.join(there)}")


@cache
def _read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text())


def load(kit: Path) -> Results:
    """What slides/numbers.toml names, or the newest in measured/ that is not a second run."""
    settings = kit / SETTINGS
    named = tomllib.loads(settings.read_text()).get("results", "") if settings.exists() else ""
    if named:
        path = kit / named
    else:
        found = sorted(p for p in kit.glob("measured/*.json") if not p.stem.endswith("-again"))
        if not found:
            raise DeckError("measured/ has no results: make bench FULL=1")
        path = found[-1]
    if not path.is_file():
        raise DeckError(f"{SETTINGS}: there is no {named}")
    return Results(path.relative_to(kit).as_posix(), _read(path))


def short(value: float) -> str:
    """Two digits that count, or three of a big number."""
    if value >= 1e6:
        return f"{short(value / 1e6)} million"
    if value >= 10_000:
        return f"{float(f'{value:.3g}'):,.0f}"
    if value >= 9.95:
        return f"{value:,.0f}"
    if 0 < value < 0.005:
        return "less than 0.01"
    return f"{value:.1f}" if value >= 0.995 else f"{value:.2g}"


def shown(figure: str, value: float) -> str:
    """With its unit."""
    if figure.endswith("_us"):
        for unit, size in (("s", 1e6), ("ms", 1e3)):
            if value >= size * 0.9995:
                return f"{short(value / size)} {unit}"
        return f"{short(value)} µs"
    if figure.startswith("per_second"):
        return f"{short(value)}/s"
    if "kib" in figure:
        return f"{short(value / 1024)} MiB" if value >= 1024 else f"{short(value)} KiB"
    if figure == "client_busy":
        return f"{100 * value:.0f} %"
    return short(value)


def inline(results: Results, words: list[str]) -> str:
    """`{{FIGURE LOAD SERVER}}`, or `{{ratio FIGURE LOAD SERVER [LOAD] SERVER}}`."""
    match words:
        case ["ratio", figure, load, server, other]:
            return short(results.value(figure, load, server) / results.value(figure, load, other))
        case ["ratio", figure, load, server, other_load, other]:
            below = results.value(figure, other_load, other)
            return short(results.value(figure, load, server) / below)
        case [figure, load, server]:
            return shown(figure, results.value(figure, load, server))
    raise DeckError("write {{FIGURE LOAD SERVER}} or {{ratio FIGURE LOAD SERVER [LOAD] SERVER}}")
