"""Two measurements of the same thing: what differs, and whether by more than noise."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from harness.bench import noise
from harness.bench.distance import ANOTHER_STATE
from harness.bench.report.reading import cost, count, duration, kib, mib, rate, share
from harness.bench.results import Cell

FIGURES = {
    "per_second": ("requests/s", rate),
    "cpu_us": ("CPU/request", cost),
    "p50_us": ("median latency", duration),
    "p90_us": ("90th percentile", duration),
    "p99_us": ("99th percentile", duration),
    "syscalls": ("system calls/request", "{:.2f}".format),
    "switches": ("switches/request", "{:.2f}".format),
    "pss_kib": ("memory", mib),
    "pss_kib_per_connection": ("memory/connection", kib),
    "kernel_kib_per_connection": ("kernel's/connection", kib),
}
COLUMNS = ("figure", "then", "now", "change", "noise", "verdict")
SAME_PACE: Mapping[str, float] = MappingProxyType({})


@dataclass(frozen=True)
class Change:
    """One figure in both."""

    where: str  # server, load
    figure: str
    then: float
    now: float
    noise: float  # of both together
    pace: float = 1.0  # what has become of the others' figures, who are the same as then

    @property
    def expected(self) -> float:
        """What it would be now if nothing but the machine had changed."""
        return self.then * self.pace

    @property
    def stands(self) -> bool:
        """Whether more than the noise has changed."""
        return noise.apart(self.figure, self.expected, self.now, self.noise)

    @property
    def better(self) -> bool:
        return (self.now > self.expected) == (self.figure == "per_second")

    @property
    def size(self) -> float:
        """How many noises it is wide."""
        least = min(self.expected, self.now)
        return abs(self.now - self.expected) / (least * self.noise) if least > 0 else 0.0

    def row(self) -> list[str]:
        """As a table shows it."""
        name, shown = FIGURES[self.figure]
        percent = f"{100 * (self.now / self.expected - 1):+.0f} %" if self.then else "-"
        verdict = ("better" if self.better else "worse") if self.stands else "within the noise"
        values = (shown(self.then), shown(self.now))
        return [self.where, name, *values, percent, share(self.noise), verdict]


def between(
    then: Cell, now: Cell, where: str, pace: Mapping[str, float] = SAME_PACE
) -> Iterator[Change]:
    """All figures that both cells have, that are the server's and of one state of the machine."""
    other_state = in_other_states(then, now)
    for figure in FIGURES:
        a, b = noise.value(then, figure), noise.value(now, figure)
        timed = noise.FIGURES[figure].estimate is not None
        useless = noise.limited_by_the_client(figure, then, now) or (timed and other_state)
        if a is not None and b is not None and not useless:
            together = noise.of(then, figure) + noise.of(now, figure)
            yield Change(where, figure, a, b, together, pace.get(figure, 1.0))


def in_other_states(then: Cell, now: Cell) -> bool:
    """Whether the cpus were at another distance from each other: then all takes another time."""
    known = [
        statistics.median(distances)
        for cell in (then, now)
        if (distances := [d for each in cell.compared() for d in each.distances_ns])
    ]
    return len(known) == 2 and max(known) > ANOTHER_STATE * min(known)


def clearest_first(changes: Sequence[Change]) -> list[Change]:
    """Those that are most noises wide come first."""
    return sorted(changes, key=lambda each: -each.size)


def counted(changes: Sequence[Change]) -> tuple[str, str, str]:
    """How many are the same within the noise, better and worse."""
    beyond = [each for each in changes if each.stands]
    better = sum(each.better for each in beyond)
    return count(len(changes) - len(beyond)), count(better), count(len(beyond) - better)
