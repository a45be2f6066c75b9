"""The numbers the kit wants to reach, beside what one run measured."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from harness.bench import machine, tables
from harness.bench.loads import C10K, FILE, HELLO, PIPELINED, Load
from harness.bench.results import Results
from harness.bench.servers import ROOFLINE

Measure = Callable[[Results], float | None]


@dataclass(frozen=True)
class Target:
    """A bound that has to hold and one that is hoped for, in the digits they are stated with."""

    what: str
    must: float
    aim: float
    digits: int
    measure: Measure
    at_least: bool = False  # the bounds are lower ones

    def verdict(self, measured: float) -> str:
        """How the measured value stands, once rounded to the target's digits."""
        value = round(measured, self.digits)
        if self._reaches(value, self.aim):
            return "aim"
        return "must" if self._reaches(value, self.must) else "MISSED"

    def bound(self, value: float) -> str:
        """The bound as text."""
        if value == 0:
            return "0"
        return f"{'>=' if self.at_least else '<='} {value:.{self.digits}f}"

    def _reaches(self, value: float, bound: float) -> bool:
        return value >= bound if self.at_least else value <= bound


def ratios_table(results: Results, complete: bool = True) -> tables.Table:
    """Must, aim, measured and verdict of every target, or only of those that were measured."""
    title = f"Numbers to reach: {machine.line(results.machine)}\n{tables.settings_line(results)}"
    table = tables.Table(title, ("target", "must", "aim", "measured", "verdict"))
    for target in _targets():
        measured = target.measure(results)
        if measured is None and not complete:
            continue
        shown = "-" if measured is None else f"{measured:.{max(target.digits, 2)}f}"
        verdict = "not measured" if measured is None else target.verdict(measured)
        row = [target.what, target.bound(target.must), target.bound(target.aim), shown, verdict]
        table.rows.append(row)
    table.notes.append("against Apache (02 worker MPM, 01 prefork MPM): not part of this benchmark")
    if not any(cell.load == C10K.name for cell in results.cells):
        table.notes.append(f"errors with 10,000 connections: make bench LOAD={C10K.name}")
    return table


def _targets() -> Iterator[Target]:
    yield Target("06 CPU/request, /hello, x nginx-1", 0.95, 0.86, 2, _cpu("06", "nginx-1", HELLO))
    yield Target("06 CPU/request, /hello, x roofline", 1.10, 1.04, 2, _cpu("06", ROOFLINE, HELLO))
    yield Target(
        "06 CPU/request, 10 KiB file, x nginx-1", 0.80, 0.60, 2, _cpu("06", "nginx-1", FILE)
    )
    yield Target(
        "06 requests/s, pipelined, x nginx-1",
        3,
        6,
        1,
        _rate("06", "nginx-1", PIPELINED),
        at_least=True,
    )
    yield Target("07 CPU/request, /hello, x 06", 1.08, 1.00, 2, _cpu("07", "06", HELLO))
    yield Target("08 CPU/request, /hello, x nginx-2", 1.00, 0.90, 2, _cpu("08", "nginx-2", HELLO))
    for stage in ("05", "06", "07", "08"):
        yield Target(f"{stage} KiB per idle connection", 2, 0.5, 1, _idle(stage))
    yield Target("02 KiB per idle connection", 20, 13, 0, _idle("02"))
    yield Target("01 KiB per idle connection", 60, 40, 0, _idle("01"))
    for stage, must, aim in (("06", 2.6, 2.4), ("07", 3.5, 3.4), ("02", 2.1, 2.0)):
        yield Target(f"{stage} system calls/request, /hello", must, aim, 1, _syscalls(stage))
    for stage in ("05", "06", "07", "08"):
        yield Target(f"{stage} errors with 10,000 connections", 0, 0, 0, _errors(stage))


def _cpu(server: str, base: str, load: Load) -> Measure:
    return _ratio(server, base, load, "cpu_us")


def _rate(server: str, base: str, load: Load) -> Measure:
    return _ratio(server, base, load, "per_second")


def _ratio(server: str, base: str, load: Load, key: str) -> Measure:
    def measure(results: Results) -> float | None:
        cells = [results.cell(_name(results, each), load.name) for each in (server, base)]
        values = [cell.summary()[key] for cell in cells if cell]
        return values[0] / values[1] if len(values) == 2 else None

    return measure


def _syscalls(server: str) -> Measure:
    def measure(results: Results) -> float | None:
        cell = results.cell(_name(results, server), HELLO.name)
        return cell.syscalls if cell else None

    return measure


def _errors(server: str) -> Measure:
    def measure(results: Results) -> float | None:
        cell = results.cell(_name(results, server), C10K.name)
        return sum(cell.summary()["errors"].values()) if cell else None

    return measure


def _idle(server: str) -> Measure:
    def measure(results: Results) -> float | None:
        cell = results.idle_cell(_name(results, server))
        return cell.kib_per_connection if cell else None

    return measure


def _name(results: Results, number: str) -> str:
    """The stage's full name: 06-epoll-lt for 06; a peer's name is whole already."""
    names = {cell.server for cell in results.cells} | {cell.server for cell in results.idle}
    return next((name for name in names if name.startswith(f"{number}-")), number)
