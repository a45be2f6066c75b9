"""What stands around the plots: a student's server, limits, how it was measured, the machine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from harness.bench import noise
from harness.bench.report import changes
from harness.bench.report.reading import (
    NARROW, Place, Reading, cost, count, duration, rate, share,
)  # fmt: skip
from harness.bench.results import Cell, LoadFacts
from harness.bench.tables import Table

Section = tuple[str, str, list[str | Table]]
FACTS = {
    "date": "date", "cpu": "CPU", "cpus": "CPUs usable", "memory_mib": "memory, MiB",
    "kernel": "Linux", "descriptors_soft": "descriptors, soft limit",
    "descriptors_hard": "descriptors, hard limit", "somaxconn": "somaxconn",
    "congestion_control": "congestion control", "local_ports": "local ports",
    "load_average": "load average at the start", "revision": "revision of the kit",
}  # fmt: skip


def yours(r: Reading) -> Iterator[Section]:
    """A student's servers, each beside the one of the kit and nginx."""
    for server in r.of_kind("yours"):
        reference = server.partition(":")[2]
        found = [
            change
            for load in r.results.loads
            if (a := r.cell(Place(reference, load.series, load.x)))
            and (b := r.cell(Place(server, load.series, load.x)))
            for change in changes.between(a, b, load.name)
        ]
        parts: list[str | Table] = []
        if found:
            same, better, worse = changes.counted(found)
            parts.append(
                f"Of {count(len(found))} figures {same} are those of {reference} within the noise, "
                f"{better} are better, {worse} are worse."
            )
        parts.append(_beside(r, (server, reference, "nginx-1")))
        beyond = changes.clearest_first([each for each in found if each.stands])
        if beyond:
            columns = ("load", "figure", reference, "yours", *changes.COLUMNS[3:])
            parts.append(Table("what differs", columns, [each.row() for each in beyond]))
        yield f"yours-{reference}", f"Your {reference}", parts


def _beside(r: Reading, servers: Sequence[str]) -> Table:
    """CPU time per request of a few servers."""
    table = Table("", ("CPU per request", *servers))
    for load in r.results.loads:
        values = [r.value(Place(s, load.series, load.x), "cpu_us") for s in servers]
        if values[0] is not None:
            table.rows.append([load.name, *("-" if v is None else cost(v) for v in values)])
    return table


def sections(r: Reading) -> Iterator[Section]:
    """Name, title, and what stands in each."""
    yield "limits", "Limits and failures", list(_limits(r))
    yield "method", "How the figures were taken", list(_method(r))
    yield "machine", "The machine", [_facts(r.results.machine)]
    tables = (_everything(r, load) for load in r.results.loads)
    yield "all", "All figures", [table for table in tables if table.rows]


def _limits(r: Reading) -> Iterator[str | Table]:
    reasons: dict[tuple[str, str], list[str]] = {}
    for cell in r.results.cells:
        why = f"failed: {cell.failed}" if cell.failed else cell.limit
        if why:
            reasons.setdefault((cell.server, why), []).append(cell.load)
    for (server, why), loads in reasons.items():
        yield f"{server}: {why} ({', '.join(loads)})."
    for held in r.results.held:
        if held.failed or held.limit:
            yield f"{held.server}: {held.failed or held.limit} (held)."
    for cell in r.results.cells:
        errors = {kind: n for kind, n in cell.errors().items() if n}
        if errors:
            told = ", ".join(f"{count(n)} {kind}" for kind, n in errors.items())
            yield f"{cell.server}, {cell.load}: errors in all rounds: {told}."
    yield from (f"Note: {note}." for note in r.results.notes)


def _method(r: Reading) -> Iterator[str | Table]:
    settings = r.results.settings
    seconds = settings.get("seconds")
    yield (f"The run took {seconds / 60:.0f} minutes. " if seconds else "") + (
        f"Each server meets each load in {settings['rounds']} rounds; the servers take turns, so "
        "that a slow minute of the machine meets all of them. CPU time and requests/s are those of "
        "the best round, because whatever disturbs a round makes it worse; latencies are medians "
        "of the rounds."
    )
    yield (
        "The noise of a figure is what two halves of its rounds disagree by, over many ways to "
        f"halve them, and at least {_floor('cpu_us')} for CPU time and {_floor('per_second')} for "
        f"requests/s, {_floor('p50_us')} for the median of latency, {_floor('p99_us')} for its "
        "99th percentile. Two figures differ if they differ by more than both noises "
        "together; every sentence in this report was only written if that is so, and the others "
        "are listed as within the noise."
    )
    yield _pinned(settings)
    yield (
        "03-pool has as many workers as there are connections, 128 at least: how long clients wait "
        "for a worker is another question than what a request costs."
    )
    yield (
        "CPU time is that of the server with all its processes and threads, of the dead ones too, "
        "and of what the kernel does in its name. Memory is PSS, so pages that processes share "
        "count once; the kernel's part is slab, kernel stacks and page tables, of both ends of a "
        "connection, since the client is on this machine."
    )
    yield (
        "The clients are a closed loop: none asks before its last request is answered. Latency is "
        "then mostly connections divided by requests/s, and a stall delays requests that are not "
        "counted as late. The 99th percentile on a shared machine is the scheduler's as much as "
        "the server's: only factors mean something."
    )
    yield (
        "Before it is measured each server has to answer with the right status, length and "
        "SHA-256 of the body; while it is measured each reply has to begin with 200 and have that "
        "length."
    )
    left_out = [each for cell in r.results.cells for each in cell.rounds if not each.compared]
    rounds = sum(len(cell.rounds) for cell in r.results.cells)
    if left_out:
        yield (
            f"Left out: {count(len(left_out))} of {count(rounds)} rounds: the host had moved the "
            "cpus apart or together meanwhile."
        )
    yield from _witness(r)


def _floor(figure: str) -> str:
    return f"{100 * noise.FIGURES[figure].floor:.0f}{NARROW}%"


def _pinned(settings: dict[str, Any]) -> str:
    if settings.get("server_cpu") is None:
        return "The server runs elsewhere: only what a client sees is measured."
    if settings["server_cpu"] == settings["client_cpu"]:
        return "Server and client share the only cpu."
    return (
        f"Servers run on cpu {settings['server_cpu']}, clients on cpu {settings['client_cpu']}; "
        f"CPU time is read from {settings['cpu_source']}. With one cpu for all its workers, a "
        "server of several shows what its model costs, and not how it grows with the cores. A "
        f"client that has its answer waits for 20{NARROW}µs before it asks again, as if it sat on "
        "another machine, and it does not sleep meanwhile: to be woken would be on the server's "
        "bill."
    )


def _witness(r: Reading) -> Iterator[str | Table]:
    """The same load by another client."""
    columns = ("server", "connections", "crowd: requests/s", "wrk", "crowd: CPU", "wrk")
    table = Table("", columns)
    for server in r.servers:
        for kind, pair in (("100, kept", ("hello", "wrk")), ("new ones", ("close", "wrk-close"))):
            cells = [r.cell(Place(server, series, 100)) for series in pair]
            ours, wrk = (cell.summary() if cell else None for cell in cells)
            if ours and wrk and ours["cpu_us"] and wrk["cpu_us"]:
                table.rows.append([server, kind, rate(ours["per_second"]), rate(wrk["per_second"]),
                                   cost(ours["cpu_us"]), cost(wrk["cpu_us"])])  # fmt: skip
    if table.rows:
        yield (
            "A witness: GET /hello by wrk, a client that many know, over 100 connections, and with "
            "a new one for each request. It pays more for a request than the kit's own client, so "
            "it is the limit sooner."
        )
        yield table


def _facts(machine: dict[str, Any]) -> Table:
    table = Table("", ("fact", "value"))
    for key, name in FACTS.items():
        value = machine.get(key)
        if value not in (None, ""):
            table.rows.append([name, f"{value:.1f}" if isinstance(value, float) else str(value)])
    for tool, version in machine.get("tools", {}).items():
        table.rows.append([tool, version or "not there"])
    return table


def _everything(r: Reading, load: LoadFacts) -> Table:
    """All figures of all servers under one load."""
    table = Table(
        f"{load.name}: {load.title}",
        ("server", "req/s", "median", "noise", "CPU µs", "noise", "p50", "p90", "p99", "max",
         "calls", "switches", "processes", "threads", "PSS MiB", "KiB/connection", "kernel's",
         "client", "errors"),
    )  # fmt: skip
    for cell in r.results.cells:
        if cell.load == load.name:
            table.rows.append(_row(cell))
    return table


def _row(cell: Cell) -> list[str]:
    timed = _timed(cell) if cell.usable else [cell.failed or cell.limit or "-", *[""] * 8]
    pss = None if cell.pss_kib is None else cell.pss_kib / 1024
    counted = (
        (cell.syscalls, 2), (cell.switches, 2), (cell.processes, 0), (cell.threads, 0), (pss, 1),
        (cell.pss_kib_per_connection, 2), (cell.kernel_kib_per_connection, 1),
    )  # fmt: skip
    busy = f"{cell.summary()['client_busy']:.0%}" if cell.usable else ""
    errors = count(sum(cell.errors().values()))
    return [cell.server, *timed, *(_number(*each) for each in counted), busy, errors]


def _timed(cell: Cell) -> list[str]:
    s, apart = cell.summary(), cell.summary()["noise"]
    rates = (rate(s["per_second"]), rate(s["per_second_median"]), share(apart["per_second"]))
    cpu = ("-", "-") if s["cpu_us"] is None else (f"{s['cpu_us']:.2f}", share(apart["cpu_us"]))
    return [*rates, *cpu, *(duration(s[f"{key}_us"]) for key in ("p50", "p90", "p99", "max"))]


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:,.{digits}f}"
