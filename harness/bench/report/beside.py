"""What the run says of those who are there and do not ask: idle, slow and held connections."""

from __future__ import annotations

from collections.abc import Callable

from harness.bench import noise
from harness.bench.report.claims import Text
from harness.bench.report.reading import (
    Place, Reading, cost, count, duration, kib, listed, times,
)  # fmt: skip


def memory(text: Text) -> None:
    """What a connection costs in memory."""
    r = text.reading
    reasons = {
        "01": "a process: its own copy of each page it writes to",
        "02": "a thread: a stack, and what the allocator keeps for it",
        "06": "an entry in a table: a session that is idle owns no buffer",
        "nginx-1": "",
        "apache-worker": "",
    }
    told = []
    for server, why in reasons.items():
        cell = r.idle_cell(server)
        if cell and cell.pss_kib_per_connection is not None:
            held = f"with {count(cell.idle)} idle" + (f"; {why}" if why else "")
            told.append(f"{cell.server} {kib(cell.pss_kib_per_connection)} ({held})")
    if told:
        text.say(f"Of a server's own memory a connection takes: {', '.join(told)}.")
    cells = [r.idle_cell(server) for server in ("06", "02")]
    kernel = [cell.kernel_kib_per_connection if cell else None for cell in cells]
    figure = "kernel_kib_per_connection"
    together = 2 * noise.FIGURES[figure].floor
    if (
        kernel[0] is not None
        and kernel[1] is not None
        and kernel[1] > kernel[0]
        and noise.apart(figure, kernel[0], kernel[1], together)
    ):
        text.say(
            f"To that the kernel adds {kib(kernel[0])} for a connection of {r.full_name('06')}, "
            f"buffers and sockets of both its ends, and {kib(kernel[1])} for one of "
            f"{r.full_name('02')}, whose thread has a kernel stack and page tables besides."
        )


def ballast1(text: Text) -> None:
    """One active connection beside idle ones."""
    r = text.reading
    for stage, why in (
        ("05", "The kernel walks the whole table for every request, and then so does the server"),
        ("04", "select searches all descriptors up to the highest, at every call"),
    ):
        x = _most_idle(r, stage, "ballast1")
        before, after = Place(stage, "ballast1", 0), Place(stage, "ballast1", x)
        text.claim("p50_us", after, before, lambda v, s=stage, x=x, w=why: (
            f"Beside {count(x)} idle connections the one active client of {r.full_name(s)} waits "
            f"{duration(v.a)} instead of {duration(v.b)}: {times(v.ratio)} as long. {w}"
            f"{_each(r, s, x)}."
        ))  # fmt: skip
    flat = []
    for server in ("06", "07", "08", "02", "nginx-1"):
        x = _most_idle(r, server, "ballast1")
        places = (Place(server, "ballast1", place) for place in (x, 0))
        versus = r.versus("p50_us", *places)
        if versus and x and not versus.stands and not versus.limited:
            flat.append(f"{r.full_name(server)} ({duration(versus.b)}, then {duration(versus.a)})")
    if flat:
        text.say(
            f"Within the noise idle connections cost nothing in {listed(flat)}: epoll keeps a list "
            "of those who are ready, and a thread that waits is not asked."
        )


def ballast50(text: Text) -> None:
    """Fifty active connections beside idle ones."""
    r = text.reading
    for stage in ("05", "04"):
        x = _most_idle(r, stage, "ballast50")
        before, after = Place(stage, "ballast50", 0), Place(stage, "ballast50", x)
        text.claim("cpu_us", after, before, lambda v, s=stage, x=x: (
            f"{r.full_name(s)} pays {cost(v.a)} a request beside {count(x)} idle connections and "
            f"{cost(v.b)} without: {times(v.ratio)} as much.{_shared(r, s, x, v.a)}"
        ))  # fmt: skip
    x = _most_idle(r, "06", "ballast50")
    versus = r.versus("cpu_us", Place("06", "ballast50", x), Place("06", "ballast50", 0))
    if versus and x and not versus.stands:
        text.say(
            f"{r.full_name('06')} pays {cost(versus.a)} beside {count(x)} idle ones and "
            f"{cost(versus.b)} without: the same, within the noise."
        )


def mix(text: Text) -> None:
    """What a slow handler does to everybody else."""
    r = text.reading
    x = max(r.xs("mix"), default=0)
    two, six, eight = (Place(server, "mix", x) for server in ("02", "06", "08"))
    text.claim("p50_us", six, two, lambda v: (
        f"Half of the other requests wait {duration(v.a)} and more with {r.full_name('06')}, "
        f"{duration(v.b)} with {r.full_name('02')}: an event loop does one thing at a time, and "
        "whoever is ready waits until the computation is done. Threads are taken off the cpu by "
        "the kernel, and those with little to do have their turn soon."
    ))  # fmt: skip
    text.claim("p50_us", eight, six, lambda v: (
        f"{r.full_name('08')} brings that down to {duration(v.a)}: while one worker computes, the "
        "other one serves its own clients."
    ), more=False)  # fmt: skip
    text.claim("p99_us", six, two, lambda v: (
        f"The slowest hundredth of the others takes {duration(v.a)} and more with "
        f"{r.full_name('06')}, {duration(v.b)} with {r.full_name('02')}."
    ))  # fmt: skip


def deaf(text: Text) -> None:
    """A hundred slow readers beside fifty active clients."""
    r = text.reading
    x = max(r.xs("deaf"), default=0)
    kept, slowed, unknown = [], [], []
    for server in r.of_kind("stage"):
        versus = r.versus("per_second", Place(server, "deaf", x), Place(server, "ballast50", 0))
        if versus and versus.limited:
            unknown.append(server)
        elif versus and not versus.stands:
            kept.append(server)
        elif versus and versus.ratio < 1:
            slowed.append(f"{server} ({versus.ratio:.2f} of them)")
    if kept:
        text.say(
            f"Beside {count(x)} clients who read a big file drop by drop the active ones get as "
            f"many answers as without them, within the noise, from {listed(kept)}: who has no room "
            "for more is left alone until there is some. A thread of its own sleeps in send, or "
            "the one thread waits until the kernel says that the socket is writable."
        )
    if slowed:
        text.say(f"Fewer answers than without them come from {listed(slowed)}.")
    if unknown:
        text.say(f"Of {listed(unknown)} that cannot be said: the client could do no more.")


def held(text: Text) -> None:
    """As many connections as the machine allows."""
    for cell in text.reading.results.held:
        if cell.failed or not cell.connections or cell.kib_per_connection is None:
            continue
        waits = ""
        if cell.p50_before_us and cell.p50_during_us:
            waits = (
                f" An active client waits {duration(cell.p50_during_us)} beside them, and "
                f"{duration(cell.p50_before_us)} without."
            )
        text.say(
            f"{cell.server} with {cell.workers} workers holds {count(cell.connections)} "
            f"connections in {kib(cell.kib_per_connection)} of its own memory each.{waits}"
        )


def _each(r: Reading, stage: str, x: int) -> str:
    """What one idle descriptor costs a request."""
    places = (Place(stage, "ballast1", place) for place in (x, 0))
    versus = r.versus("cpu_us", *places)
    if not versus or not versus.stands or versus.ratio < 1 or not x:
        return ""
    return f": {1000 * (versus.a - versus.b) / x:.0f} ns of CPU time a request for each idle one"


def _shared(r: Reading, stage: str, x: int, with_fifty: float) -> str:
    """Why fifty suffer less than one, if they do."""
    alone = r.value(Place(stage, "ballast1", x), "cpu_us")
    if not alone or alone < 2 * with_fifty:
        return ""
    return (
        f" That is less than the {cost(alone)} with one active client: one search finds several "
        "who are ready, and they share its price."
    )


def _most_idle(r: Reading, server: str, series: str) -> int:
    """The most idle connections that the server held there."""
    return max((x for x in r.xs(series) if r.cell(Place(server, series, x))), default=0)


WRITERS: dict[str, Callable[[Text], None]] = {
    "memory-each": memory,
    "ballast1": ballast1,
    "ballast50": ballast50,
    "mix": mix,
    "deaf": deaf,
    "held": held,
}
