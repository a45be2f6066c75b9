"""The results as tables, for the terminal and for Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from harness.bench import machine, remarks
from harness.bench.loads import IDLE, WRK
from harness.bench.results import CLIENT_IS_THE_LIMIT, Cell, LoadFacts, Results
from harness.bench.servers import ROOFLINE

PEER = "nginx-1"
COLUMNS = (
    "server",
    "req/s",
    "median",
    "CPU us",
    "/nginx",
    "/roof",
    "calls",
    "ctxsw",
    "MiB",
    "p50 ms",
    "p99 ms",
    "client",
    "errors",
)
LEGEND = (
    "req/s: best round, and the median of all. CPU us: what the server pays for a request in its "
    "best\nround, and that against nginx with one worker and against the roofline, which never "
    "parses.\ncalls, ctxsw: the server's system calls and context switches per request. MiB: PSS "
    "of all its\nprocesses under load. client: how busy it was; from 97 % on (!), req/s "
    "is its own limit."
)
COMPARED = ("hello", "file", "close", "pipelined")  # series, at a hundred connections


@dataclass
class Table:
    """Rows of text under a title; the first column is a name, all others are numbers."""

    title: str
    columns: Sequence[str]
    rows: list[list[str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def text(self) -> str:
        """Aligned columns, for a terminal."""
        lines = [list(self.columns), *self.rows]
        widths = [max(len(line[i]) for line in lines) for i in range(len(self.columns))]
        head, *body = [_aligned(line, widths) for line in lines]
        rule = "-" * max(map(len, [head, *body]))
        return "\n".join([self.title, head, rule, *body, *(f"  {note}" for note in self.notes)])

    def markdown(self) -> str:
        """A Markdown table; the title is a line above it, the notes are lines below."""
        head = [self.columns, ["---", *["---:"] * (len(self.columns) - 1)]]
        rows = [f"| {' | '.join(row)} |" for row in [*head, *self.rows]]
        return "\n".join([self.title, "", *rows, "", *self.notes]).rstrip() + "\n"


def heading(results: Results, servers: int, seconds: float) -> str:
    """What a run says before it begins."""
    minutes = f"{seconds / 60:.0f} minutes" if seconds > 120 else f"{seconds:.0f} s"
    lines = [
        machine.line(results.machine),
        f"{settings_line(results)} CPU time from {results.settings['cpu_source']}.",
        f"{servers} servers, about {minutes}.",
        *(f"note: {note}" for note in results.notes),
    ]
    return "\n".join(lines)


def load_table(results: Results, load: LoadFacts) -> Table:
    """One load: a row for each server."""
    if load.series == IDLE.name:
        return _idle_table(results, load)
    slow = any(cell.summary().get("slow_p50_us") for cell in _of(results, load))
    table = Table(_title(load), [*COLUMNS, *(["slow ms"] if slow else [])])
    for cell in _of(results, load):
        table.rows.append(_load_row(results, cell, load, slow))
        table.notes += remarks.of_cell(cell, load)
    table.notes += remarks.of_machine(_of(results, load))
    if load.series == "pipelined":
        table.notes.append("latency is that of 16 requests together" if load.client != WRK else
                           "latency is not shown: wrk measures it per write of 16 here")
    return table


def _title(load: LoadFacts) -> str:
    if load.name == load.series:
        return f"{load.name}: {load.title}"
    return f"{load.name}: {load.title}; {load.unit}: {load.x:,}"


def _idle_table(results: Results, load: LoadFacts) -> Table:
    """Memory per idle connection."""
    table = Table(
        f"{load.name}: {load.title} (PSS: without the kernel's)",
        ("server", "connections", "PSS MiB before", "PSS MiB held", "KiB/connection",
         "kernel's KiB"),
    )  # fmt: skip
    for cell in _of(results, load):
        each, kernel = cell.pss_kib_per_connection, cell.kernel_kib_per_connection
        mib = ("-", "-")
        if cell.pss_kib is not None and each is not None:
            mib = (_mib(cell.pss_kib - each * cell.idle), _mib(cell.pss_kib))
        numbers = (_number(each, 3), _number(kernel, 1))
        table.rows.append([cell.server, f"{cell.idle}", *mib, *numbers])
        if cell.failed or cell.limit:
            table.notes.append(f"{cell.server}: {cell.failed or cell.limit}")
    return table


def held_table(results: Results) -> Table:
    """As many connections as eight workers can hold."""
    table = Table(
        "held: idle connections, as many as there can be, and what active ones notice",
        ("server", "held", "opened in s", "KiB each", "kernel's KiB", "p50 us before", "during",
         "req/s before", "during"),
    )  # fmt: skip
    for cell in results.held:
        name = f"{cell.server} x{cell.workers}"
        table.rows.append(
            [
                name,
                f"{cell.connections:,}",
                _number(cell.seconds, 1),
                _number(cell.kib_per_connection, 3),
                _number(cell.kernel_kib_per_connection, 1),
                _number(cell.p50_before_us, 0),
                _number(cell.p50_during_us, 0),
                _number(cell.per_second_before, 0),
                _number(cell.per_second_during, 0),
            ]
        )
        table.notes += [f"{name}: {word}" for word in (cell.failed, cell.limit) if word]
        if cell.refused:
            table.notes.append(f"{name}: {cell.refused:,} more were tried in vain")
    return table


def comparison(results: Results) -> Table:
    """Servers by loads in one compact table: CPU us per request and requests per second."""
    loads = [load for load in results.loads if load.series in COMPARED and load.x == 100]
    idle = any(results.idle_cell(cell.server) for cell in results.cells)
    columns = ["server", *(f"{load.series}: CPU us, req/s" for load in loads)]
    columns += ["KiB/idle connection"] if idle else []
    table = Table(f"{machine.line(results.machine)}. {settings_line(results)}", columns)
    for server in dict.fromkeys(cell.server for cell in results.cells):
        row = [server]
        for load in loads:
            cell = results.cell(server, load.name)
            row.append(_pair(cell) if cell else "-")
        if idle:
            held = results.idle_cell(server)
            row.append(_number(held.pss_kib_per_connection, 2) if held else "-")
        table.rows.append(row)
    if any(remarks.alone(cell) for load in loads for cell in _of(results, load)):
        table.notes.append("\\* one connection: the server serves one client until it leaves.")
    return table


def settings_line(results: Results) -> str:
    """How it was measured, in a sentence."""
    settings = results.settings
    where = (
        f"server on cpu {settings['server_cpu']}, client on cpu {settings['client_cpu']}"
        if settings["server_cpu"] != settings["client_cpu"]
        else "server and client share the only cpu"
    )
    rounds = settings["rounds"]
    return f"Best of {rounds} interleaved round{'s' * (rounds > 1)}; {where}."


def _load_row(results: Results, cell: Cell, load: LoadFacts, slow: bool) -> list[str]:
    name = cell.server + ("*" if cell.connections < load.connections else "")
    summary = cell.summary()
    if not summary:
        return [name, *["-"] * (len(COLUMNS) - 1 + slow)]
    latency = ["-", "-"]
    if load.series != "pipelined" or load.client != WRK:
        latency = [_number(summary[key] / 1000, 2) for key in ("p50_us", "p99_us")]
    busy = f"{summary['client_busy']:.0%}"
    row = [
        name,
        f"{summary['per_second'] / 1000:,.1f}k",
        f"{summary['per_second_median'] / 1000:,.1f}k",
        _number(summary["cpu_us"], 2),
        _ratio(summary["cpu_us"], results.cell(PEER, cell.load)),
        _ratio(summary["cpu_us"], results.cell(ROOFLINE, cell.load)),
        _number(summary["syscalls"], 2),
        _number(summary["switches"], 2),
        _mib(summary["pss_kib"]),
        *latency,
        busy + ("!" if summary["client_busy"] >= CLIENT_IS_THE_LIMIT else ""),
        str(sum(summary["errors"].values())),
    ]
    late = summary["slow_p50_us"]
    return [*row, *([_number(None if late is None else late / 1000, 1)] if slow else [])]


def _of(results: Results, load: LoadFacts) -> list[Cell]:
    return [cell for cell in results.cells if cell.load == load.name]


def _pair(cell: Cell) -> str:
    summary = cell.summary()
    mark = "\\*" if remarks.alone(cell) else ""
    return f"{_number(summary['cpu_us'], 2)}{mark}, {summary['per_second'] / 1000:,.1f}k"


def _ratio(value: float | None, base: Cell | None) -> str:
    cost = base.summary()["cpu_us"] if base else None
    return _number(value / cost if value is not None and cost else None, 2)


def _mib(kib: float | None) -> str:
    return _number(None if kib is None else kib / 1024, 1)


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{round(value, digits) + 0.0:,.{digits}f}"


def _aligned(line: Sequence[str], widths: Sequence[int]) -> str:
    name, *numbers = [
        cell.ljust(width) if column == 0 else cell.rjust(width)
        for column, (cell, width) in enumerate(zip(line, widths, strict=True))
    ]
    return "  ".join([name, *numbers]).rstrip()
