"""A comparison that has been copied from text to text for years, beside what this machine does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from harness.bench.report.reading import (
    Place, Reading, Versus, cost, count, duration, kib, mib, rate, times,
)  # fmt: skip
from harness.bench.tables import Table

INTRODUCTION = (
    "A table that has been copied for years: a static file of 10 KiB, blocking threads against "
    "events, on a machine that nobody names. Beside it stands what this machine does today."
)
SERIES, CONNECTIONS = "file", (100, 1000, 5000, 10_000)
GIB = 2**20
NAN = float("nan")  # it crashed
THREADS, EVENTS = "told of threads", "told of events"
PER_SECOND = {THREADS: (8500, 7200, 12_000, NAN), EVENTS: (12_000, 25_000, 58_000, 52_000)}
MEMORY_KIB = {
    THREADS: (0.5 * GIB, 1.2 * GIB, 2.1 * GIB, NAN),
    EVENTS: (0.1 * GIB, 0.15 * GIB, 0.3 * GIB, 0.5 * GIB),
}
LATENCY_US = {THREADS: (12e3, 45e3, 78e3, NAN), EVENTS: (5e3, 12e3, 23e3, 42e3)}
MEASURED = ("02", "03", "06", "07", "08", "nginx-1", "nginx-2", "apache-prefork", "apache-worker",
            "apache-event")  # fmt: skip
FIGURES = (
    ("Requests per second", "per_second", PER_SECOND, rate),
    ("Memory of the server", "pss_kib", MEMORY_KIB, mib),
    ("Latency (measured: the median)", "p50_us", LATENCY_US, duration),
)
HOLDS, IN_PART, NOT_HERE = "still holds", "holds in part", "does not hold here"


@dataclass(frozen=True)
class Verdict:
    """One claim of the folklore, and what this run says of it."""

    claim: str
    verdict: str
    why: str


def tables(r: Reading) -> list[Table]:
    """One table for each figure; none if the file was not served to enough connections."""
    measured = [s for s in MEASURED if any(r.cell(_place(s, x)) for x in CONNECTIONS[1:])]
    return [_table(r, measured, *figure) for figure in FIGURES] if measured else []


def verdicts(r: Reading) -> Iterator[Verdict]:
    """What of it still holds, as far as this run can tell."""
    yield from _threads_crash(r)
    yield from _events_are_faster(r)
    yield from _the_gap_widens(r)
    yield from _more_is_faster(r)
    yield from _gigabytes(r)
    yield from _threads_keep_waiting(r)


def _place(server: str, x: int) -> Place:
    return Place(server, SERIES, x)


def _told(table: dict[str, tuple[float, ...]], x: int) -> float:
    """The folklore's ratio between threads and events, the larger one over the smaller."""
    a, b = (table[each][CONNECTIONS.index(x)] for each in (THREADS, EVENTS))
    return max(a, b) / min(a, b)


def _threads_crash(r: Reading) -> Iterator[Verdict]:
    place = _place("02", CONNECTIONS[-1])
    cell, tried = r.cell(place), r.any_cell(place)
    claim = f"{count(place.x)} threads crash"
    if cell:
        errors = sum(cell.errors().values())
        why = (
            f"{cell.server} serves {count(place.x)} connections, "
            f"{rate(cell.summary()['per_second'])} requests a second, with {count(errors)} errors. "
            "Stacks are small today, addresses have 64 bits, and a thread that sleeps costs the "
            "scheduler nothing."
        )
        yield Verdict(claim, IN_PART if errors else NOT_HERE, why)
    elif tried:
        yield Verdict(claim, HOLDS, f"{tried.server}: {tried.limit or tried.failed}.")


def _events_are_faster(r: Reading) -> Iterator[Verdict]:
    versus = r.versus("cpu_us", _place("02", 100), _place("06", 100))
    if versus:
        told = _told(PER_SECOND, 100)
        why = (
            f"Told: {times(told)} the requests with 100 connections. Measured: a request costs "
            f"{r.full_name('02')} {cost(versus.a)} and {r.full_name('06')} {cost(versus.b)}, "
            f"{_so(versus)}."
        )
        yield Verdict("events are faster than threads", _verdict(versus, told), why)


def _the_gap_widens(r: Reading) -> Iterator[Verdict]:
    few, many = (r.versus("cpu_us", _place("02", x), _place("06", x)) for x in (100, 5000))
    if not few or not many:
        return
    told = _told(PER_SECOND, 5000)
    widens = many.ratio / few.ratio > 1 + few.noise + many.noise
    reached = many.ratio * (1 + many.noise) >= told
    why = (
        f"Told: {times(_told(PER_SECOND, 100))} with 100 connections, {times(told)} with 5,000. "
        f"Measured, in CPU time for a request: {times(few.ratio)} and {times(many.ratio)}"
        f"{'' if widens else ', no difference above the noise'}."
    )
    verdict = (HOLDS if reached else IN_PART) if widens else NOT_HERE
    yield Verdict("the more connections, the wider the gap", verdict, why)


def _more_is_faster(r: Reading) -> Iterator[Verdict]:
    versus = r.versus("per_second", _place("06", 5000), _place("06", 100))
    if not versus:
        return
    told = PER_SECOND[EVENTS][2] / PER_SECOND[EVENTS][0]
    rises = versus.stands and versus.ratio > 1
    why = (
        f"Told: {times(told)} the requests with 5,000 connections that it is with 100. Measured: "
        f"{r.full_name('06')} answers {rate(versus.b)} with 100 and {rate(versus.a)} with 5,000"
        f"{'' if rises else ': a server that is busy with 100 has nothing to gain from more'}."
    )
    yield Verdict("event servers gain from more connections", _verdict(versus, told), why)


def _gigabytes(r: Reading) -> Iterator[Verdict]:
    versus = r.versus("pss_kib", _place("02", 5000), _place("06", 5000))
    if not versus:
        return
    told = MEMORY_KIB[THREADS][2]
    kernel = r.value(_place("02", 5000), "kernel_kib_per_connection")
    beside = f", and {kib(kernel)} of the kernel's for each connection" if kernel else ""
    verdict = NOT_HERE if not versus.stands or versus.ratio < 1 else IN_PART
    if verdict == IN_PART and versus.a > told / 2:
        verdict = HOLDS
    why = (
        f"Told: {mib(told)} against {mib(MEMORY_KIB[EVENTS][2])} with 5,000 connections. Measured: "
        f"{mib(versus.a)}{beside}, against {mib(versus.b)}, {_so(versus)}. A stack's megabytes "
        "are addresses; it takes memory only for the pages that were touched."
    )
    yield Verdict("threads take gigabytes, events a fraction of that", verdict, why)


def _threads_keep_waiting(r: Reading) -> Iterator[Verdict]:
    versus = r.versus("p50_us", _place("02", 5000), _place("06", 5000))
    if versus:
        told = _told(LATENCY_US, 5000)
        why = (
            f"Told: {duration(LATENCY_US[THREADS][2])} against {duration(LATENCY_US[EVENTS][2])} "
            f"with 5,000 connections, {times(told)} as long. Measured: {duration(versus.a)} "
            f"against {duration(versus.b)}, {_so(versus)}. All clients ask again at once, so this "
            "says the same as requests per second."
        )
        yield Verdict("clients of threads wait longer", _verdict(versus, told), why)


def _verdict(versus: Versus, told: float) -> str:
    """Whether a ratio is as told, or at least of that direction."""
    if not versus.stands or versus.ratio < 1:
        return NOT_HERE
    return HOLDS if versus.ratio * (1 + versus.noise) >= told else IN_PART


def _so(versus: Versus) -> str:
    return f"{times(versus.ratio)} as much" if versus.stands else "the same within the noise"


def _table(
    r: Reading, measured: list[str], title: str, figure: str,
    told: dict[str, tuple[float, ...]], shown: Callable[[float], str],
) -> Table:  # fmt: skip
    table = Table(title, ("connections", *map(count, CONNECTIONS)))
    for name, values in told.items():
        table.rows.append([name, *("crash" if v != v else shown(v) for v in values)])
    for server in measured:
        values = [r.value(_place(server, x), figure) for x in CONNECTIONS]
        row = ["limit" if value is None else shown(value) for value in values]
        table.rows.append([r.full_name(server), *row])
        reasons = {
            cell.limit or cell.failed
            for x in CONNECTIONS
            if (cell := r.any_cell(_place(server, x))) and (cell.limit or cell.failed)
        }
        table.notes += [f"{r.full_name(server)}: {reason}" for reason in sorted(reasons)]
    return table
