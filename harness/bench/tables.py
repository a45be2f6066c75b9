"""The results as tables, for the terminal and for Markdown."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field

from harness.bench import machine
from harness.bench.loads import LOADS, Load
from harness.bench.results import WRK_IS_THE_LIMIT, Cell, Results, Round
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
    "wrk",
    "errors",
)
LEGEND = (
    "req/s: best round, and the median of all. CPU us: what the server pays for a request in its "
    "best\nround, and that against nginx with one worker and against the roofline, which never "
    "parses.\ncalls, ctxsw: the server's system calls and context switches per request. MiB: PSS "
    "of all its\nprocesses under load. wrk: how busy the client was; from 97 % on (!), req/s "
    "is wrk's own limit."
)
UNSTEADY = 1.2  # the dearest round of a server over its cheapest: the machine changed its speed


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


def load_table(results: Results, load: Load) -> Table:
    """One load: a row for each server."""
    table = Table(f"{load.name}: {load.title}", COLUMNS)
    for cell in results.cells:
        if cell.load == load.name:
            table.rows.append(_load_row(results, cell))
            table.notes += _cell_notes(cell, load)
    table.notes += _state_notes(_of(results, load))
    if load.pipelined > 1:
        table.notes.append("latency is not shown: wrk measures it per write of 16 here")
    return table


def idle_table(results: Results) -> Table:
    """Memory per idle connection."""
    table = Table(
        "idle: memory per idle keep-alive connection, one request each (PSS: without the kernel's)",
        ("server", "connections", "PSS MiB before", "PSS MiB held", "KiB/connection"),
    )
    for cell in results.idle:
        each = cell.kib_per_connection
        mib = ("-", "-") if cell.failed else (_mib(cell.pss_before_kib), _mib(cell.pss_held_kib))
        table.rows.append([cell.server, f"{cell.connections}", *mib, _number(each, 3)])
        if cell.failed:
            table.notes.append(f"{cell.server}: {cell.failed}")
    return table


def comparison(results: Results) -> Table:
    """Servers by loads in one compact table: CPU us per request and requests per second."""
    loads = [load for load in LOADS.values() if _of(results, load) and not load.survey]
    columns = ["server", *(f"{load.name}: CPU us, req/s" for load in loads)]
    columns += ["KiB/idle connection"] if results.idle else []
    table = Table(f"{machine.line(results.machine)}. {settings_line(results)}", columns)
    for server in dict.fromkeys(cell.server for cell in results.cells):
        row = [server]
        for load in loads:
            cell = results.cell(server, load.name)
            row.append(_pair(cell) if cell else "-")
        if results.idle:
            idle = results.idle_cell(server)
            row.append(_number(idle.kib_per_connection, 2) if idle else "-")
        table.rows.append(row)
    if any(c.connections == 1 for c in results.cells):
        table.notes.append("\\* one connection: the server serves one client until it leaves.")
    return table


def settings_line(results: Results) -> str:
    """How it was measured, in a sentence."""
    settings = results.settings
    where = (
        f"server on cpu {settings['server_cpu']}, wrk on cpu {settings['client_cpu']}"
        if settings["server_cpu"] != settings["client_cpu"]
        else "server and wrk share the only cpu"
    )
    rounds = settings["rounds"]
    return f"Best of {rounds} interleaved round{'s' * (rounds > 1)}; {where}."


def _load_row(results: Results, cell: Cell) -> list[str]:
    name = cell.server + ("*" if cell.connections == 1 else "")
    summary = cell.summary()
    if not summary:
        return [name, *["-"] * (len(COLUMNS) - 1)]
    latency = ["-", "-"]
    if LOADS[cell.load].pipelined == 1:
        latency = [_number(summary[key] / 1000, 2) for key in ("p50_us", "p99_us")]
    busy = f"{summary['client_busy']:.0%}"
    return [
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
        busy + ("!" if summary["client_busy"] >= WRK_IS_THE_LIMIT else ""),
        str(sum(summary["errors"].values())),
    ]


def _cell_notes(cell: Cell, load: Load) -> list[str]:
    notes = []
    if cell.failed:
        notes.append(f"{cell.server}: {cell.failed}")
    elif cell.connections != load.connections:
        notes.append(
            f"*: measured with {cell.connections} connection, as {cell.server} serves one "
            "client until it leaves; not comparable"
        )
    errors = {kind: n for kind, n in cell.summary().get("errors", {}).items() if n}
    if errors:
        listed = ", ".join(f"{n} {kind}" for kind, n in errors.items())
        notes.append(f"{cell.server}: errors in all rounds: {listed}")
    return notes


def _state_notes(cells: list[Cell]) -> list[str]:
    """What the machine did meanwhile, and how far that spoils the comparison."""
    usable = [cell for cell in cells if cell.usable and cell.connections > 1]
    notes = []
    left_out = [each for cell in usable for each in cell.rounds if not each.compared]
    if left_out:
        compared = [each for cell in usable for each in cell.compared()]
        notes.append(
            f"left out: {len(left_out)} of {len(left_out) + len(compared)} rounds: the host had "
            f"moved the cpus (round trip of a cache line {_distance(left_out)} ns, "
            f"else {_distance(compared)})"
        )
    spans = {cell.server: [each.cpu_us for each in cell.compared()] for cell in usable}
    widest = max(spans, key=lambda server: max(spans[server]) / min(spans[server]), default="")
    if widest and max(spans[widest]) > UNSTEADY * min(spans[widest]):
        notes.append(
            f"the machine was unsteady (CPU us of {widest} from {min(spans[widest]):.2f} "
            f"to {max(spans[widest]):.2f}): more ROUNDS help"
        )
    return notes


def _distance(rounds: list[Round]) -> str:
    """The usual distance of the cpus in these rounds."""
    return f"{statistics.median(d for each in rounds for d in each.distances_ns):.0f}"


def _of(results: Results, load: Load) -> list[Cell]:
    return [cell for cell in results.cells if cell.load == load.name]


def _pair(cell: Cell) -> str:
    summary = cell.summary()
    mark = "\\*" if cell.connections == 1 else ""
    return f"{_number(summary['cpu_us'], 2)}{mark}, {summary['per_second'] / 1000:,.1f}k"


def _ratio(value: float, base: Cell | None) -> str:
    return _number(value / base.summary()["cpu_us"], 2) if base else "-"


def _mib(kib: int | None) -> str:
    return _number(None if kib is None else kib / 1024, 1)


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{round(value, digits) + 0.0:,.{digits}f}"


def _aligned(line: Sequence[str], widths: Sequence[int]) -> str:
    name, *numbers = [
        cell.ljust(width) if column == 0 else cell.rjust(width)
        for column, (cell, width) in enumerate(zip(line, widths, strict=True))
    ]
    return "  ".join([name, *numbers]).rstrip()
