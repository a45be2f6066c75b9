"""The results of a run, as values and as files; SCHEMA.md describes the files."""

from __future__ import annotations

import csv
import json
import statistics
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from harness.bench import noise

SCHEMA_VERSION = 2
CLIENT_IS_THE_LIMIT = noise.CLIENT_IS_THE_LIMIT
ERROR_KINDS = ("connect", "read", "write", "timeout", "status", "length")
MEDIANS = ("p50_us", "p90_us", "p99_us", "max_us")
COUNTED_ONCE = (
    "syscalls",
    "switches",
    "processes",
    "threads",
    "pss_kib",
    "pss_kib_per_connection",
    "kernel_kib_per_connection",
)
NOISY = ("per_second", "cpu_us", *MEDIANS)


class OldResultsError(ValueError):
    """The file is of another version of the benchmark; the text says what to do."""


@dataclass(frozen=True)
class LoadFacts:
    """What a load is, for whoever draws it: a point on the axis of its series."""

    name: str
    series: str
    x: int
    title: str
    unit: str  # of x
    connections: int
    idle: int  # connections that are held and say nothing, beside the active ones
    client: str  # the program that made the load: crowd or wrk


@dataclass(frozen=True)
class Slow:
    """The requests that were meant to be slow, in one round; they are not among the others."""

    requests: int
    p50_us: float


@dataclass
class Round:
    """One server under one load, once."""

    seconds: float
    requests: int
    cpu_ns: int | None  # None: the server's CPU time cannot be seen from here
    p50_us: float
    p90_us: float
    p99_us: float
    max_us: float
    errors: dict[str, int]
    client_busy: float
    distances_ns: list[float] = field(default_factory=list)  # before and after: see distance.py
    compared: bool = True
    served: int = 0  # replies at any time, those of the ramp and of the end: what cpu_ns paid for
    slow: Slow | None = None

    @property
    def per_second(self) -> float:
        return self.requests / self.seconds

    @property
    def cpu_us(self) -> float | None:
        """Server CPU time per request."""
        if self.cpu_ns is None:
            return None
        served = self.served or self.requests
        return self.cpu_ns / 1000 / served if served else float("inf")


@dataclass
class Cell:
    """One server under one load: all rounds, and what was counted beside them."""

    server: str
    kind: str
    load: str
    connections: int
    idle: int = 0
    reply_bytes: int | None = None
    body_sha256: str = ""
    rounds: list[Round] = field(default_factory=list)
    syscalls: float | None = None  # per request
    switches: float | None = None  # context switches of the server, per request
    processes: int | None = None  # under load, as all that follows
    threads: int | None = None
    pss_kib: int | None = None  # of the whole tree
    pss_kib_per_connection: float | None = None  # what it grew by when they came, for each of them
    kernel_kib_per_connection: float | None = None  # likewise, of the kernel, both ends
    limit: str = ""  # why the server cannot take this load (any further)
    failed: str = ""  # why there are no (more) rounds; nothing is compared then

    @property
    def usable(self) -> bool:
        return bool(self.rounds) and not self.failed

    def compared(self) -> list[Round]:
        """The rounds that were measured in the same state of the machine as the others'."""
        return [each for each in self.rounds if each.compared]

    def errors(self) -> dict[str, int]:
        """What went wrong in all rounds together."""
        return {kind: sum(r.errors.get(kind, 0) for r in self.rounds) for kind in ERROR_KINDS}

    def summary(self) -> dict[str, Any]:
        """What the tables show; empty if the server failed."""
        if not self.usable:
            return {}
        compared = self.compared()
        cpu = [each.cpu_us for each in compared if each.cpu_us is not None]
        return {
            "per_second": max(each.per_second for each in compared),
            "per_second_median": statistics.median(each.per_second for each in compared),
            "cpu_us": min(cpu, default=None),
            "cpu_us_median": statistics.median(cpu) if cpu else None,
            **{key: statistics.median(getattr(each, key) for each in compared) for key in MEDIANS},
            "slow_p50_us": _median(each.slow.p50_us for each in compared if each.slow),
            **{key: getattr(self, key) for key in COUNTED_ONCE},
            "client_busy": max(each.client_busy for each in compared),
            "errors": self.errors(),
            "noise": {
                key: noise.relative(compared, key) for key in NOISY if cpu or key != "cpu_us"
            },
        }


@dataclass
class HeldCell:
    """As many idle connections as a server's workers can hold, and what the active ones notice."""

    server: str
    kind: str
    workers: int
    connections: int = 0  # held
    refused: int = 0  # tried as well, in vain
    seconds: float | None = None  # that opening them took
    kib_per_connection: float | None = None
    kernel_kib_per_connection: float | None = None
    p50_before_us: float | None = None  # of one active connection
    p50_during_us: float | None = None
    per_second_before: float | None = None  # of fifty
    per_second_during: float | None = None
    limit: str = ""
    failed: str = ""


@dataclass
class Results:
    """Everything that one run of the benchmark found out."""

    machine: dict[str, Any]
    settings: dict[str, Any]
    loads: list[LoadFacts] = field(default_factory=list)
    cells: list[Cell] = field(default_factory=list)
    held: list[HeldCell] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def cell(self, server: str, load: str) -> Cell | None:
        """The cell, if it was measured and can be compared."""
        return next(
            (c for c in self.cells if c.server == server and c.load == load and c.usable), None
        )

    def idle_cell(self, server: str) -> Cell | None:
        """Where idle connections and next to nothing else were weighed, the most of them."""
        weighed = [
            each
            for each in self.cells
            if each.server == server
            and each.idle > each.connections
            and each.pss_kib_per_connection is not None
            and not each.failed
        ]
        return max(weighed, key=lambda each: each.idle / (each.connections + 1), default=None)

    def faults(self) -> list[str]:
        """What servers of the kit, or a student's, did wrong."""
        cells: list[Cell | HeldCell] = [*self.cells, *self.held]
        ours = [each for each in cells if each.kind in ("stage", "yours") and each.failed]
        return [f"{each.server}: {each.failed}" for each in ours]

    def write(self, directory: Path) -> None:
        """results.json has everything, results.csv a line for each cell."""
        document: dict[str, Any] = {"schema": SCHEMA_VERSION, **asdict(self)}
        for record, cell in zip(document["cells"], self.cells, strict=True):
            record["summary"] = cell.summary()
        (directory / "results.json").write_text(_by_lines(document))
        with (directory / "results.csv").open("w", newline="") as file:
            rows = [_csv_row(cell) for cell in self.cells]
            writer = csv.DictWriter(file, fieldnames=rows[0] if rows else ["server"])
            writer.writeheader()
            writer.writerows(rows)

    @classmethod
    def read(cls, path: Path) -> Results:
        """Reads results.json back."""
        document = json.loads(path.read_text())
        version = document.pop("schema", 1)
        if version != SCHEMA_VERSION:
            raise OldResultsError(
                f"{path} was written by {'an earlier' if version < SCHEMA_VERSION else 'a later'} "
                f"version of the benchmark (its schema is {version}, this one reads "
                f"{SCHEMA_VERSION}): measure again with make bench"
            )
        document["loads"] = [LoadFacts(**record) for record in document["loads"]]
        document["cells"] = [cell_from(record) for record in document["cells"]]
        document["held"] = [HeldCell(**record) for record in document["held"]]
        return cls(**document)


def cell_from(record: dict[str, Any]) -> Cell:
    """A cell out of its JSON object."""
    record = {key: value for key, value in record.items() if key != "summary"}
    rounds = [
        Round(**{**each, "slow": Slow(**each["slow"]) if each["slow"] else None})
        for each in record.pop("rounds")
    ]
    return Cell(**record, rounds=rounds)


def _by_lines(document: dict[str, Any]) -> str:
    """JSON with a line for each load and each cell, so that it can be read and compared as text."""
    members = []
    for key, value in document.items():
        text = json.dumps(value)
        if isinstance(value, list) and value:
            text = "[\n" + ",\n".join(map(json.dumps, value)) + "\n]"
        members.append(f"{json.dumps(key)}: {text}")
    return "{\n" + ",\n".join(members) + "\n}\n"


def _median(values: Any) -> float | None:
    known = list(values)
    return statistics.median(known) if known else None


def _csv_row(cell: Cell) -> dict[str, Any]:
    summary = cell.summary()
    errors = summary.get("errors", {})
    keys = ("per_second", "per_second_median", "cpu_us", "cpu_us_median", *MEDIANS, "slow_p50_us",
            *COUNTED_ONCE, "client_busy")  # fmt: skip
    return {
        "load": cell.load,
        "server": cell.server,
        "connections": cell.connections,
        "idle": cell.idle,
        **{key: _rounded(summary.get(key)) for key in keys},
        **{f"errors_{kind}": errors.get(kind) for kind in ERROR_KINDS},
        "limit": cell.limit,
        "failed": cell.failed,
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
