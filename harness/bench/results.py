"""The results of a run, as values and as files; SCHEMA.md describes the files."""

from __future__ import annotations

import csv
import json
import statistics
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

SCHEMA_VERSION = 1
WRK_IS_THE_LIMIT = 0.97
ERROR_KINDS = ("connect", "read", "write", "timeout", "status")


@dataclass
class Round:
    """One server under one load, once."""

    seconds: float
    requests: int
    cpu_ns: int
    p50_us: int
    p99_us: int
    errors: dict[str, int]
    client_busy: float
    distances_ns: list[float] = field(default_factory=list)  # before and after: see distance.py
    compared: bool = True

    @property
    def per_second(self) -> float:
        return self.requests / self.seconds

    @property
    def cpu_us(self) -> float:
        """Server CPU time per request."""
        return self.cpu_ns / 1000 / self.requests if self.requests else float("inf")


@dataclass
class Cell:
    """One server under one load: all rounds, and what was counted beside them."""

    server: str
    kind: str
    load: str
    connections: int
    rounds: list[Round] = field(default_factory=list)
    syscalls: float | None = None  # per request
    switches: float | None = None  # context switches of the server, per request
    pss_kib: int | None = None  # of the whole tree, under load
    reply_bytes: int | None = None
    failed: str = ""  # why there are no (more) rounds; nothing is compared then

    @property
    def usable(self) -> bool:
        return bool(self.rounds) and not self.failed

    def compared(self) -> list[Round]:
        """The rounds that were measured in the same state of the machine as the others'."""
        return [each for each in self.rounds if each.compared]

    def summary(self) -> dict[str, Any]:
        """What the tables show; empty if the server failed."""
        if not self.usable:
            return {}
        errors = {kind: sum(each.errors[kind] for each in self.rounds) for kind in ERROR_KINDS}
        compared = self.compared()
        return {
            "per_second": max(each.per_second for each in compared),
            "per_second_median": statistics.median(each.per_second for each in compared),
            "cpu_us": min(each.cpu_us for each in compared),
            "cpu_us_median": statistics.median(each.cpu_us for each in compared),
            "syscalls": self.syscalls,
            "switches": self.switches,
            "pss_kib": self.pss_kib,
            "p50_us": statistics.median(each.p50_us for each in compared),
            "p99_us": statistics.median(each.p99_us for each in compared),
            "client_busy": max(each.client_busy for each in compared),
            "errors": errors,
        }


@dataclass
class IdleCell:
    """What idle keep-alive connections cost a server in memory of its own."""

    server: str
    kind: str
    connections: int
    pss_before_kib: int = 0
    pss_held_kib: int = 0
    failed: str = ""

    @property
    def kib_per_connection(self) -> float | None:
        if self.failed or not self.connections:
            return None
        return (self.pss_held_kib - self.pss_before_kib) / self.connections


@dataclass
class Results:
    """Everything that one run of the benchmark found out."""

    machine: dict[str, Any]
    settings: dict[str, Any]
    cells: list[Cell] = field(default_factory=list)
    idle: list[IdleCell] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def cell(self, server: str, load: str) -> Cell | None:
        """The cell, if it was measured and can be compared."""
        return next(
            (c for c in self.cells if c.server == server and c.load == load and c.usable), None
        )

    def idle_cell(self, server: str) -> IdleCell | None:
        """The memory measurement, if there is one."""
        return next((c for c in self.idle if c.server == server and not c.failed), None)

    def faults(self) -> list[str]:
        """What servers of the kit did wrong."""
        cells: list[Cell | IdleCell] = [*self.cells, *self.idle]
        return [f"{c.server}: {c.failed}" for c in cells if c.kind == "stage" and c.failed]

    def write(self, directory: Path) -> None:
        """results.json has everything, results.csv a line for each cell."""
        document: dict[str, Any] = {"schema": SCHEMA_VERSION, **asdict(self)}
        for record, cell in zip(document["cells"], self.cells, strict=True):
            record["summary"] = cell.summary()
        for record, idle in zip(document["idle"], self.idle, strict=True):
            record["kib_per_connection"] = idle.kib_per_connection
        (directory / "results.json").write_text(json.dumps(document, indent=1) + "\n")
        with (directory / "results.csv").open("w", newline="") as file:
            rows = [_csv_row(cell) for cell in self.cells]
            writer = csv.DictWriter(file, fieldnames=rows[0] if rows else ["server"])
            writer.writeheader()
            writer.writerows(rows)

    @classmethod
    def read(cls, path: Path) -> Results:
        """Reads results.json back."""
        document = json.loads(path.read_text())
        if document.pop("schema") != SCHEMA_VERSION:
            raise ValueError(f"{path} was written by another version of the benchmark")
        for record in document["cells"]:
            del record["summary"]
            record["rounds"] = [Round(**each) for each in record["rounds"]]
        for record in document["idle"]:
            del record["kib_per_connection"]
        document["cells"] = [Cell(**record) for record in document["cells"]]
        document["idle"] = [IdleCell(**record) for record in document["idle"]]
        return cls(**document)


def _csv_row(cell: Cell) -> dict[str, Any]:
    keys = (
        "per_second",
        "per_second_median",
        "cpu_us",
        "cpu_us_median",
        "syscalls",
        "switches",
        "pss_kib",
        "p50_us",
        "p99_us",
        "client_busy",
    )
    summary = cell.summary()
    errors = summary.get("errors", {})
    return {
        "load": cell.load,
        "server": cell.server,
        "connections": cell.connections,
        **{key: _rounded(summary.get(key)) for key in keys},
        **{f"errors_{kind}": errors.get(kind) for kind in ERROR_KINDS},
        "failed": cell.failed,
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
