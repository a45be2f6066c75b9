"""Looks things up in the results, and writes numbers the way people read them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from harness.bench import noise
from harness.bench.results import Cell, LoadFacts, Results


NARROW = "\N{NO-BREAK SPACE}"  # between a number and its unit


class Place(NamedTuple):
    """A server (its number will do) at one place on the axis of a series of loads."""

    server: str
    series: str
    x: int


@dataclass(frozen=True)
class Versus:
    """One figure of two cells."""

    a: float
    b: float
    noise: float  # of both together, as a share
    stands: bool  # whether they differ by more than that
    limited: bool  # by the client: nothing can be said of the server

    @property
    def ratio(self) -> float:
        return self.a / self.b if self.b else float("inf")


class Reading:
    """Results, found by server, series and place on the series' axis."""

    def __init__(self, results: Results) -> None:
        self.results = results
        self.loads = {(load.series, load.x): load for load in results.loads}
        self._cells = {(cell.server, cell.load): cell for cell in results.cells}
        self.kinds = {each.server: each.kind for each in (*results.held, *results.cells)}
        self.servers = list(dict.fromkeys(cell.server for cell in results.cells))

    def full_name(self, server: str) -> str:
        """06-epoll-lt for 06; the other names are whole already."""
        return next((each for each in self.servers if each.startswith(f"{server}-")), server)

    def xs(self, series: str) -> list[int]:
        """The places on the series' axis, in their order."""
        return sorted(x for name, x in self.loads if name == series)

    def any_cell(self, place: Place) -> Cell | None:
        """The cell, whatever became of it."""
        load = self.loads.get((place.series, place.x))
        return self._cells.get((self.full_name(place.server), load.name)) if load else None

    def cell(self, place: Place) -> Cell | None:
        """The cell, if the server took the whole load."""
        cell = self.any_cell(place)
        return cell if cell and _took_all(cell, self.loads[place.series, place.x]) else None

    def value(self, place: Place, figure: str) -> float | None:
        """One figure, if the server took the whole load."""
        cell = self.cell(place)
        return noise.value(cell, figure) if cell else None

    def versus(self, figure: str, one: Place, other: Place) -> Versus | None:
        """Two cells; nothing if one of them has no such figure."""
        a, b = self.cell(one), self.cell(other)
        values = [noise.value(cell, figure) if cell else None for cell in (a, b)]
        if a is None or b is None or values[0] is None or values[1] is None:
            return None
        together = noise.of(a, figure) + noise.of(b, figure)
        limited = noise.limited_by_the_client(figure, a, b)
        return Versus(*values, together, noise.stands(a, b, figure), limited)

    def idle_cell(self, server: str) -> Cell | None:
        """Where its idle connections were weighed."""
        return self.results.idle_cell(self.full_name(server))

    def of_kind(self, *kinds: str) -> list[str]:
        """The servers of these kinds, in the order of the tables."""
        return [server for server in self.servers if self.kinds[server] in kinds]

    def client_bound(self, series: str) -> list[tuple[str, int]]:
        """Who was measured with a client that could not do more, and where."""
        return [
            (server, x)
            for server in self.servers
            for x in self.xs(series)
            if (cell := self.cell(Place(server, series, x))) and noise.client_was_the_limit(cell)
        ]


def _took_all(cell: Cell, load: LoadFacts) -> bool:
    """Whether it is the load that was measured, and not some smaller one."""
    whole = cell.connections == load.connections and cell.idle == load.idle
    return cell.usable and not cell.limit and whole


def count(number: float) -> str:
    """10,000"""
    return f"{number:,.0f}"


def times(ratio: float) -> str:
    """1.48 times; 40 times"""
    return f"{ratio:.0f} times" if ratio >= 10 else f"{ratio:.{1 if ratio >= 3 else 2}f} times"


def rate(per_second: float) -> str:
    """121k"""
    if per_second >= 1e6:
        return f"{per_second / 1e6:.2f}M"
    return f"{per_second / 1e3:.{0 if per_second >= 1e5 else 1}f}k"


def cost(microseconds: float) -> str:
    """CPU time: 6.1 µs"""
    digits = 0 if microseconds >= 100 else 1 if microseconds >= 10 else 2
    return f"{microseconds:.{digits}f}{NARROW}µs"


def duration(microseconds: float) -> str:
    """Latency: 52 µs, 1.9 ms, 1.3 s"""
    for unit, size in (("µs", 1.0), ("ms", 1e3), ("s", 1e6)):
        if microseconds < 1000 * size or unit == "s":
            number = microseconds / size
            return f"{number:.{0 if number >= 20 else 1}f}{NARROW}{unit}"
    raise AssertionError("unreachable")


def kib(number: float) -> str:
    """12 KiB; 0.04 KiB"""
    return f"{number:,.{0 if number >= 20 else 1 if number >= 1 else 2}f}{NARROW}KiB"


def mib(kibibytes: float) -> str:
    """1.2 MiB; 2.1 GiB"""
    if kibibytes >= 2**20:
        return f"{kibibytes / 2**20:.1f}{NARROW}GiB"
    number = kibibytes / 2**10
    return f"{number:,.{0 if number >= 100 else 1}f}{NARROW}MiB"


def share(ratio: float) -> str:
    """The noise: ± 7 %"""
    return f"±{NARROW}{100 * ratio:.0f}{NARROW}%"


def listed(words: Iterable[str]) -> str:
    """a, b and c"""
    known = list(words)
    return " and ".join([", ".join(known[:-1]), known[-1]] if len(known) > 1 else known)
