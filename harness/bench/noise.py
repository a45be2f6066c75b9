"""How much of a figure is noise, and whether a difference stands above it.

A cell's rounds become one figure: the best of them for CPU time and requests/s, because whatever
disturbs a round makes it worse, and the median for latency. The noise is what two halves of the
rounds would disagree by. It never falls below a floor: rounds of one run share its luck (where the
host has put the cpus, where memory came to lie), another run has another. The floors are what it
took for whole runs, hours apart, to agree.
"""

from __future__ import annotations

import functools
import random
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.bench.results import Cell, Round

SPLITS = 60
QUANTILE = 0.9  # of the splits' disagreements
ALONE = 1.0  # the noise of a single round: nobody can know it, a factor of two is no evidence
CLIENT_IS_THE_LIMIT = 0.97


@dataclass(frozen=True)
class Figure:
    """How rounds become one value, and differences that mean nothing in any run."""

    floor: float  # relative
    quantum: float = 0.0  # absolute, in the figure's own unit
    estimate: Callable[[Sequence[float]], float] | None = None  # None: measured once in a cell
    at_the_client: bool = False  # seen by the client, so a busy client spoils it


FIGURES = {
    "per_second": Figure(0.08, 0, max, at_the_client=True),
    "cpu_us": Figure(0.08, 0, min),
    "p50_us": Figure(0.15, 5, statistics.median, at_the_client=True),
    "p90_us": Figure(0.45, 5, statistics.median, at_the_client=True),
    "p99_us": Figure(0.50, 10, statistics.median, at_the_client=True),
    "max_us": Figure(1.00, 1000, statistics.median, at_the_client=True),
    "syscalls": Figure(0.12, 0.3),
    "switches": Figure(1.50, 0.2),  # counted once; Apache's own differ by as much from run to run
    "pss_kib": Figure(0.10, 512),
    "pss_kib_per_connection": Figure(0.12, 0.2),
    "kernel_kib_per_connection": Figure(0.18, 1),
}


def relative(rounds: Sequence[Round], figure: str) -> float:
    """The noise of a figure as a share of it, from the rounds that are compared."""
    kind = FIGURES[figure]
    if kind.estimate is None:
        return kind.floor
    values = tuple(getattr(each, figure) for each in rounds)
    return max(kind.floor, _disagreement(values, figure))


def value(cell: Cell, figure: str) -> float | None:
    """The figure of a cell; None where it was not measured or the server failed."""
    if not cell.usable:
        return None
    estimate = FIGURES[figure].estimate
    if estimate is None:
        return getattr(cell, figure)
    values = [getattr(each, figure) for each in cell.compared()]
    return None if None in values else estimate(values)


def of(cell: Cell, figure: str) -> float:
    """The noise of a cell's figure."""
    return relative(cell.compared(), figure)


def client_was_the_limit(cell: Cell) -> bool:
    """Whether requests/s and latency of the cell are the client's rather than the server's."""
    return any(each.client_busy >= CLIENT_IS_THE_LIMIT for each in cell.compared())


def stands(a: Cell, b: Cell, figure: str) -> bool:
    """Whether two cells differ by more than their noises together."""
    if limited_by_the_client(figure, a, b):
        return False
    values = value(a, figure), value(b, figure)
    if values[0] is None or values[1] is None:
        return False
    return apart(figure, *values, of(a, figure) + of(b, figure))


def limited_by_the_client(figure: str, *cells: Cell) -> bool:
    """Whether the figure says nothing about one of the servers."""
    return FIGURES[figure].at_the_client and any(map(client_was_the_limit, cells))


def apart(figure: str, a: float, b: float, together: float) -> bool:
    """Whether two values are further apart than the noise of both together."""
    low, high = min(a, b), max(a, b)
    return high - low > max(FIGURES[figure].quantum, together * low)


@functools.cache
def _disagreement(values: tuple[float | None, ...], figure: str) -> float:
    """How far two halves of the values are apart, in all but the most unlucky splits."""
    known = [each for each in values if each is not None]
    estimate = FIGURES[figure].estimate
    assert estimate is not None
    if len(known) < 2 or min(known) <= 0 or max(known) == float("inf"):
        return ALONE
    dice = random.Random(0)  # the same splits every time: a report can be made again
    apart = []
    for _ in range(SPLITS):
        dice.shuffle(known)
        halves = (estimate(known[: len(known) // 2]), estimate(known[len(known) // 2 :]))
        apart.append(max(halves) / min(halves) - 1)
    return sorted(apart)[int(QUANTILE * SPLITS)]
