"""How a sentence comes into the report: only if its numbers stand above the noise.

A claim compares two figures and gives the reason for the difference. If the figures differ by no
more than their noise, the claim is not made, and the page says of what nothing can be said. If they
differ the other way round, the reason cannot be true here, and the page says that.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from harness.bench.report.reading import (
    NARROW, Place, Reading, Versus, cost, count, duration, kib, listed, rate, share,
)  # fmt: skip

WRITTEN = {
    "per_second": rate, "cpu_us": cost, "p50_us": duration, "p99_us": duration,
    "kernel_kib_per_connection": kib,
}  # fmt: skip


@dataclass
class Text:
    """What is said below one plot."""

    reading: Reading
    said: list[str] = field(default_factory=list)
    within_noise: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)

    def say(self, sentence: str) -> None:
        """Adds what needs no comparison."""
        self.said.append(sentence)

    def claim(
        self, figure: str, one: Place, other: Place, sentence: Callable[[Versus], str],
        more: bool = True,
    ) -> None:  # fmt: skip
        """Adds the sentence if `one` has the larger figure (the smaller, if not `more`)."""
        versus = None if one == other else self.reading.versus(figure, one, other)
        if versus is None or versus.limited:
            return
        written = WRITTEN[figure]
        values = f"{written(versus.a)} and {written(versus.b)}"
        pair = f"{self._named(one, other)} ({values}, noise {share(versus.noise)})"
        if not versus.stands:
            self.within_noise.append(pair)
        elif (versus.ratio > 1) == more:
            self.said.append(sentence(versus))
        else:
            self.unexpected.append(pair)

    def _named(self, one: Place, other: Place) -> str:
        """06-epoll-lt and 07-epoll-et; 05-poll (10,000 and 0)"""
        names = [self.reading.full_name(place.server) for place in (one, other)]
        if names[0] == names[1] and one.series == other.series:
            return f"{names[0]} with {count(one.x)} and {count(other.x)}"
        at = f" with {count(one.x)}" if one.x == other.x else ""
        return f"{names[0]} and {names[1]}{at}"


def client_was_the_limit(text: Text, series: str) -> None:
    """Says for whom requests/s is the client's figure."""
    found: dict[str, list[str]] = {}
    for server, x in text.reading.client_bound(series):
        found.setdefault(server, []).append(count(x))
    if found:
        told = listed(f"{server} (with {listed(xs)})" for server, xs in found.items())
        text.say(
            f"Hollow marks: the client could do no more (97{NARROW}% busy and above) with {told}. "
            "There requests/s says nothing about the server, which could perhaps do better."
        )


def because_of_switches(r: Reading, more: str, fewer: str) -> str:
    """The reason for a difference: context switches, if they do differ."""
    versus = r.versus("switches", Place(more, "hello", 100), Place(fewer, "hello", 100))
    if not versus or not versus.stands or versus.ratio < 1:
        return ""
    return (
        f" {r.full_name(more)} takes {versus.a:.2f} context switches a request, "
        f"{r.full_name(fewer)} {versus.b:.2f}: the kernel has to wake the one thread that waits "
        "for just this client."
    )


def because_of_calls(r: Reading, series: str, more: str, fewer: str) -> str:
    """The reason for a difference: system calls, if they do differ."""
    versus = r.versus("syscalls", Place(more, series, 100), Place(fewer, series, 100))
    if not versus or not versus.stands or versus.ratio < 1:
        return ""
    return f" It makes {versus.a:.1f} system calls a request, {r.full_name(fewer)} {versus.b:.1f}."


def not_because_of_calls(r: Reading, one: str, other: str) -> str:
    """What is not the reason: system calls, if they are as many."""
    versus = r.versus("syscalls", Place(one, "hello", 100), Place(other, "hello", 100))
    if not versus or versus.stands:
        return ""
    return f" Their system calls are as many ({versus.a:.1f} and {versus.b:.1f} a request)."
