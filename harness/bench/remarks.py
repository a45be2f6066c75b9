"""What is said below the table of a load."""

from __future__ import annotations

import statistics

from harness.bench.results import Cell, LoadFacts, Round

UNSTEADY = 1.2  # the dearest round of a server over its cheapest: the machine changed its speed


def alone(cell: Cell) -> bool:
    """Whether it was given one connection where others had more."""
    return cell.connections == 1 and cell.idle == 0


def of_cell(cell: Cell, load: LoadFacts) -> list[str]:
    """Why a server has no figures, or others than one would think."""
    notes = []
    if cell.failed or cell.limit:
        notes.append(f"{cell.server}: {cell.failed or cell.limit}")
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


def of_machine(cells: list[Cell]) -> list[str]:
    """What the machine did meanwhile, and how far that spoils the comparison."""
    usable = [cell for cell in cells if cell.usable and not alone(cell)]
    notes = []
    left_out = [each for cell in usable for each in cell.rounds if not each.compared]
    if left_out:
        compared = [each for cell in usable for each in cell.compared()]
        notes.append(
            f"left out: {len(left_out)} of {len(left_out) + len(compared)} rounds: the host had "
            f"moved the cpus (round trip of a cache line {_distance(left_out)} ns, "
            f"else {_distance(compared)})"
        )
    spans = {
        cell.server: costs
        for cell in usable
        if (costs := [each.cpu_us for each in cell.compared() if each.cpu_us is not None])
    }
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
