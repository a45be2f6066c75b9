"""The numbers that the kit wants to reach, beside what a run measured.

"Must" and "aim" come from measurements of many servers, of such as never parse, too; as ratios
within one run they carry over from machine to machine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from harness.bench.report.reading import Place, Reading
from harness.bench.tables import Table

Measure = Callable[[Reading], float | None]
At = tuple[str, int]  # a series, and where on its axis
HELLO, FILE, CLOSE, PIPELINED = ("hello", 100), ("file", 100), ("close", 100), ("pipelined", 100)
CLOSE_BY_WRK = ("wrk-close", 100)
C10K = (("hello", 10_000), ("c10k", 10_000))  # in the full comparison, in the quick one
REACHED, MUST, MISSED, NOT_MEASURED = "aim reached", "reached", "MISSED", "not measured"


@dataclass(frozen=True)
class Target:
    """A bound that has to hold and one that is hoped for."""

    what: str
    must: float
    aim: float
    measure: Measure
    at_least: bool = False
    digits: int = 2

    def verdict(self, measured: float | None) -> str:
        """How the measured value stands, once rounded to the digits of the bounds."""
        if measured is None:
            return NOT_MEASURED
        value = round(measured, self.digits)
        reaches = [value >= b if self.at_least else value <= b for b in (self.must, self.aim)]
        return REACHED if reaches[1] else MUST if reaches[0] else MISSED

    def bound(self, value: float) -> str:
        """≤ 0.95"""
        return f"{'≥' if self.at_least else '≤'} {value:g}" if value else "0"


def table(reading: Reading) -> Table:
    """All targets; those that were not measured say so."""
    made = Table("Numbers to reach", ("target", "must", "aim", "measured", "verdict"))
    for target in targets():
        value = target.measure(reading)
        shown = "-" if value is None else f"{value:,.{target.digits}f}"
        bounds = (target.bound(target.must), target.bound(target.aim))
        made.rows.append([target.what, *bounds, shown, target.verdict(value)])
    made.notes.append("over: divided by the other's figure in the same run")
    return made


def targets() -> Iterator[Target]:
    """All of them, stage by stage."""
    yield from _processes_and_threads()
    yield from _event_loops()
    yield from _idle()
    for stage, must, aim in (("02", 2.1, 2.0), ("06", 2.6, 2.4), ("07", 3.5, 3.4)):
        what = f"{stage} system calls per request, /hello"
        yield Target(what, must, aim, _figure(stage, HELLO, "syscalls"), digits=1)
    for stage in ("05", "06", "07", "08"):
        yield Target(f"{stage} errors with 10,000 connections", 0, 0, _errors(stage), digits=0)


def _processes_and_threads() -> Iterator[Target]:
    prefork, worker, bare = "apache-prefork", "apache-worker", "roofline_thread"
    yield Target("01 CPU over Apache prefork, /hello", 0.45, 0.35, _cpu("01", prefork, HELLO))
    yield Target("01 requests/s over Apache prefork, /hello", 2, 2.8, _rate("01", prefork, HELLO),
                 at_least=True)
    yield Target("01 requests/s over Apache prefork, new connections (it loses, on purpose)",
                 0.25, 0.30, _rate("01", prefork, CLOSE), at_least=True)
    yield Target("02 CPU over threads that never parse, /hello", 1.25, 1.10,
                 _cpu("02", bare, HELLO))
    yield Target("02 CPU over Apache worker, /hello", 0.50, 0.38, _cpu("02", worker, HELLO))
    yield Target("02 requests/s over Apache worker, /hello", 2, 2.6, _rate("02", worker, HELLO),
                 at_least=True)
    yield Target("02 CPU over Apache worker, 10 KiB file", 0.75, 0.60, _cpu("02", worker, FILE))
    yield Target("02 CPU over Apache worker, new connections", 0.90, 0.75,
                 _cpu("02", worker, CLOSE))
    yield Target("03 CPU over 02, new connections", 0.80, 0.70, _cpu("03", "02", CLOSE))
    yield Target("03 CPU over 02, new connections, asked by wrk", 0.80, 0.70,
                 _cpu("03", "02", CLOSE_BY_WRK))
    yield Target("03 CPU over 02, /hello", 1.05, 1.05, _cpu("03", "02", HELLO))  # fmt: skip


def _event_loops() -> Iterator[Target]:
    for stage in ("04", "05"):
        yield Target(f"{stage} CPU over 06, /hello", 1.30, 1.20, _cpu(stage, "06", HELLO))
    yield Target("06 CPU over nginx, /hello", 0.95, 0.86, _cpu("06", "nginx-1", HELLO))
    yield Target("06 CPU over epoll that never parses, /hello", 1.10, 1.04,
                 _cpu("06", "roofline", HELLO))
    yield Target("06 requests/s over nginx, /hello", 0.95, 1.10, _rate("06", "nginx-1", HELLO),
                 at_least=True)  # fmt: skip
    yield Target("06 CPU over nginx, 10 KiB file", 0.80, 0.60, _cpu("06", "nginx-1", FILE))
    yield Target("06 requests/s over nginx, pipelined", 3, 6, _rate("06", "nginx-1", PIPELINED),
                 at_least=True, digits=1)
    yield Target("07 CPU over 06, /hello", 1.08, 1.00, _cpu("07", "06", HELLO))
    yield Target("08 CPU over nginx with 2 workers, /hello", 1.00, 0.90,
                 _cpu("08", "nginx-2", HELLO))
    yield Target("08 CPU over nginx with 2 workers, new connections", 1.15, 1.05,
                 _cpu("08", "nginx-2", CLOSE))
    yield Target("08 CPU over 06, new connections", 1.45, 1.30, _cpu("08", "06", CLOSE))


def _idle() -> Iterator[Target]:
    without = "idle connections: median latency over that without"
    yield Target(f"04 beside 1,000 {without}", 2.5, 2.5, _idle_p50("04", 1000), at_least=True,
                 digits=1)  # fmt: skip
    yield Target(f"05 beside 10,000 {without}", 10, 10, _idle_p50("05", 10_000), at_least=True,
                 digits=1)  # fmt: skip
    yield Target(f"06 beside 10,000 {without}", 1.2, 1.2, _idle_p50("06", 10_000), digits=1)
    for stages, must, aim in ((("01",), 60, 40), (("02",), 20, 13),
                              (("05", "06", "07", "08"), 2, 0.5)):  # fmt: skip
        for stage in stages:
            yield Target(f"{stage} KiB per idle connection", must, aim, _idle_kib(stage))
    many = "08 with 8 workers and as many connections as it can hold"
    yield Target(f"{many}: KiB each", 0.5, 0.5, _held_kib)
    yield Target(f"{many}: median latency over that before", 1.2, 1.2, _held_p50, digits=1)


def _cpu(server: str, base: str, at: At) -> Measure:
    return lambda r: _ratio(r, "cpu_us", Place(server, *at), Place(base, *at))


def _rate(server: str, base: str, at: At) -> Measure:
    return lambda r: _ratio(r, "per_second", Place(server, *at), Place(base, *at))


def _idle_p50(server: str, idle: int) -> Measure:
    places = (Place(server, "ballast1", idle), Place(server, "ballast1", 0))
    return lambda r: _ratio(r, "p50_us", *places)


def _ratio(reading: Reading, figure: str, one: Place, other: Place) -> float | None:
    versus = reading.versus(figure, one, other)
    return versus.ratio if versus else None


def _figure(server: str, at: At, figure: str) -> Measure:
    return lambda r: r.value(Place(server, *at), figure)


def _idle_kib(server: str) -> Measure:
    def measure(reading: Reading) -> float | None:
        cell = reading.idle_cell(server)
        return cell.pss_kib_per_connection if cell else None

    return measure


def _errors(server: str) -> Measure:
    def measure(reading: Reading) -> float | None:
        cells = (reading.cell(Place(server, *at)) for at in C10K)
        return next((sum(cell.errors().values()) for cell in cells if cell), None)

    return measure


def _held_kib(reading: Reading) -> float | None:
    cells = (c for c in reading.results.held if c.server.startswith("08-") and not c.failed)
    return next((cell.kib_per_connection for cell in cells), None)


def _held_p50(reading: Reading) -> float | None:
    for cell in reading.results.held:
        if cell.server.startswith("08-") and cell.p50_before_us and cell.p50_during_us:
            return cell.p50_during_us / cell.p50_before_us
    return None
