"""The full comparison: runs the plan, and goes on where an earlier run of the same plan stopped."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from harness import proc
from harness.bench import held, limits, machine, plan, tables
from harness.bench.loads import WRK
from harness.bench.measure import Bench
from harness.bench.results import SCHEMA_VERSION, Cell, HeldCell, Results, cell_from
from harness.bench.rig import CROWD_PROGRAM
from harness.bench.servers import Contender, Kind

DIRECTORY = "full"  # of runs that are not finished, each in a directory of its own
RUN = "run.json"  # what the parts beside it belong to
PATIENCE_SECONDS = 120.0  # in all, for the cpus to come closer


@dataclass(frozen=True)
class Part:
    """What one load has given."""

    seconds: float
    cells: list[Cell]
    held: list[HeldCell]

    def write(self, path: Path) -> None:
        """All or nothing: who is killed in the middle leaves no half of a part."""
        unfinished = path.with_suffix(".unfinished")
        unfinished.write_text(json.dumps(asdict(self)))
        unfinished.replace(path)

    @classmethod
    def read(cls, path: Path) -> Part:
        found = json.loads(path.read_text())
        cells = [cell_from(record) for record in found["cells"]]
        return cls(found["seconds"], cells, [HeldCell(**record) for record in found["held"]])


def run(bench: Bench, results: Results, wanted: Sequence[str], servers: list[Contender]) -> Path:
    """Measures what is not there yet; each table appears as soon as it is complete. Returns the
    directory of the parts, to be removed once they are written elsewhere."""
    bench.patience = PATIENCE_SECONDS
    bounds = limits.bounds()
    loads = plan.chosen(wanted)
    if not shutil.which("wrk"):
        loads = [load for load in loads if load.client != WRK]
        results.notes.append("wrk is not installed: there is no witness (apt-get install wrk)")
    holds = not wanted or plan.HELD in wanted
    identity = _identity(bench, [*(repr(load) for load in loads), holds], servers)
    parts = _taken_up(bench.tools.place.out / DIRECTORY, identity, results)
    entries = {load: plan.entries(load, servers, bounds) for load in loads}
    entries = {load: part for load, part in entries.items() if part}
    names = {load.name for load in entries}
    twins = {load: plan.TWINS[load.name] for load in entries
             if plan.TWINS.get(load.name) in names}  # fmt: skip
    missing = [load for load in entries
               if load not in twins and not _file(parts, load.name).exists()]  # fmt: skip
    progress = bench.progress
    progress.total = sum(bench.seconds_for(load, entries[load]) for load in missing)
    if holds and not _file(parts, plan.HELD).exists():
        progress.total += held.SECONDS * len(held.contenders(servers))
    progress.print(tables.heading(results, len(servers), progress.total))
    progress.print(f"\n{tables.LEGEND}\n")
    seconds = 0.0
    for load, who in entries.items():
        started = time.monotonic()
        results.loads.append(load.facts())
        if twin := twins.get(load):
            names = {entry.contender.name for entry in who}
            results.cells += [replace(cell, load=load.name) for cell in results.cells
                              if cell.load == twin and cell.server in names]  # fmt: skip
            continue
        if load in missing:
            cells = bench.measure(load, who)
            Part(time.monotonic() - started, cells, []).write(_file(parts, load.name))
        part = Part.read(_file(parts, load.name))
        results.cells += part.cells
        seconds += part.seconds
        progress.table(tables.load_table(results, load.facts()))
    if holds and held.contenders(servers):
        part = _held(bench, _file(parts, plan.HELD), servers, bounds)
        results.loads.append(held.FACTS)
        results.held = part.held
        seconds += part.seconds
        progress.table(tables.held_table(results))
    results.settings["seconds"] = round(seconds)
    return parts


def _held(
    bench: Bench, path: Path, servers: Sequence[Contender], bounds: limits.Bounds
) -> Part:
    if not path.exists():
        started = time.monotonic()
        cells = held.measure(bench, servers, bounds)
        Part(time.monotonic() - started, [], cells).write(path)
    return Part.read(path)


def _file(parts: Path, load: str) -> Path:
    return parts / f"{load}.json"


def _taken_up(directory: Path, identity: dict[str, Any], results: Results) -> Path:
    """Where the parts of this run are; says whether there are some, and if not so, why."""
    text = json.dumps(identity, indent=1, sort_keys=True)
    parts = directory / hashlib.sha256(text.encode()).hexdigest()[:12]
    if (parts / RUN).exists():
        begun = json.loads((parts / RUN).read_text())
        results.settings["started"] = begun["started"]
        there = sorted(path.stem for path in parts.glob("*.json") if path.name != RUN)
        results.notes.append(f"going on with the run of {begun['started']}; there is already: "
                             f"{' '.join(there) or 'nothing'}")  # fmt: skip
        return parts
    others = sorted(directory.glob(f"*/{RUN}"), key=lambda path: path.stat().st_mtime)
    if others:
        begun = json.loads(others[-1].read_text())
        results.notes.append(f"the run of {begun['started']} is unfinished and not gone on with: "
                             f"{_differences(begun['identity'], identity)}")  # fmt: skip
    parts.mkdir(parents=True, exist_ok=True)
    record = {"started": results.settings["started"], "identity": identity}
    (parts / RUN).write_text(json.dumps(record, indent=1) + "\n")
    return parts


def _identity(bench: Bench, plan: Sequence[Any], servers: list[Contender]) -> dict[str, Any]:
    """All that must be the same for two halves of a run to be one."""
    tools = machine.facts()["tools"]
    bin_dir = bench.tools.place.bin_dir
    programs = {
        each.name: tools.get(each.name.partition("-")[0], "")
        if each.kind is Kind.PEER
        else _digest((each.bin_dir or bin_dir) / each.model)
        for each in servers
    }
    return {
        "schema": SCHEMA_VERSION,
        "boot of the machine": proc.read_text("/proc/sys/kernel/random/boot_id").strip(),
        "rounds": bench.rounds,
        "cpus": list(bench.tools.probe.cpus),
        "counting of system calls": bench.tools.counts_events,
        "program": {**programs, CROWD_PROGRAM: _digest(bin_dir / CROWD_PROGRAM)},
        "loads": hashlib.sha256(repr(plan).encode()).hexdigest(),
    }


def _digest(program: Path) -> str:
    """Of the program's bytes; of a server that runs elsewhere there is none."""
    return hashlib.sha256(program.read_bytes()).hexdigest() if program.is_file() else ""


def _differences(old: dict[str, Any], new: dict[str, Any]) -> str:
    """In what two runs differ."""
    words = []
    for key in new:
        before, now = old.get(key), new[key]
        if before == now:
            continue
        if isinstance(before, dict) and before.keys() == now.keys():
            words += [f"another {name}" for name in now if before[name] != now[name]]
        else:
            words.append("other servers" if isinstance(now, dict) else f"other {key}")
    return ", ".join(words)
