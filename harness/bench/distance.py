"""Compares like with like on a machine whose cpus are moved apart and together while it runs.

A virtual machine's cpus may share a cache now and sit far from each other a second later; a
request over loopback then costs a quarter more, on every server. distance.cc measures that; here
the rounds of a load are sorted into states of the machine, and one state is compared.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.bench.launch import pinned
from harness.bench.results import Cell, Round

PROGRAM = "distance"
ANOTHER_STATE = 1.5  # a gap that wide between two distances parts one state from the next

CONFIRMED = 2  # rounds in a state: one alone may have been disturbed


@dataclass(frozen=True)
class Probe:
    """Measures the distance of two cpus; takes a few milliseconds."""

    program: Path
    cpus: tuple[int, int]
    groups: Sequence[Path]

    def possible(self) -> bool:
        """Whether there are two cpus, and the program is built."""
        return self.cpus[0] != self.cpus[1] and self.program.exists()

    def distance_ns(self) -> float | None:
        """The round trip of a cache line; nothing where it cannot be measured."""
        if not self.possible():
            return None
        command = pinned([str(self.program), *map(str, self.cpus)], self.cpus[0], self.groups)
        said = subprocess.run(command, capture_output=True, text=True, check=False)
        return float(said.stdout) if said.returncode == 0 else None


def choose_rounds(cells: Sequence[Cell]) -> None:
    """Marks the rounds to compare: those of the state in which most servers were measured twice.

    Between states that serve equally well, it is the one with the cpus closest. A server that
    never ran in that state keeps all its rounds.
    """
    states = _states(cells)
    if len(states) < 2:
        return
    usable = [cell for cell in cells if cell.usable]
    chosen = max(
        states, key=lambda state: sum(min(len(_inside(cell, state)), CONFIRMED) for cell in usable)
    )
    for cell in usable:
        inside = _inside(cell, chosen)
        for each in cell.rounds:
            each.compared = not inside or each in inside


def far_from_best(cells: Sequence[Cell]) -> tuple[float, list[Cell]]:
    """The longest distance of the closest state, and who was not measured twice in that state."""
    states = _states(cells)
    if len(states) < 2:
        return 0.0, []
    far = [cell for cell in cells if cell.usable and len(_inside(cell, states[0])) < CONFIRMED]
    return states[0][1], far


def _states(cells: Sequence[Cell]) -> list[tuple[float, float]]:
    """From the closest to the farthest: the shortest and the longest distance in each state."""
    distances = sorted(d for cell in cells for each in cell.rounds for d in each.distances_ns)
    states: list[tuple[float, float]] = []
    for distance in distances:
        if states and distance < ANOTHER_STATE * states[-1][1]:
            states[-1] = (states[-1][0], distance)
        else:
            states.append((distance, distance))
    return states


def _inside(cell: Cell, state: tuple[float, float]) -> list[Round]:
    """The rounds that began and ended in the state."""
    low, high = state
    return [
        each
        for each in cell.rounds
        if each.distances_ns and all(low <= distance <= high for distance in each.distances_ns)
    ]
