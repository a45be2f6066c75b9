"""Runs a load: every server in turn, a round each, round after round."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass

from harness.bench.distance import choose_rounds, far_from_best
from harness.bench.loads import Load
from harness.bench.progress import Progress
from harness.bench.results import Cell
from harness.bench.turn import COUNT_SECONDS, Entry, Seat, Tools

START_SECONDS = 0.15  # what a step takes besides the client's own time: for the time left
ROUND_EXTRA_SECONDS = 0.12
COUNT_EXTRA_SECONDS = 0.25
OPENING_SECONDS = 8e-5  # and closing, and coming to rest, for each connection
DEAR = {"01-fork": 3.5e-4, "02-thread": 1.5e-4}  # the same for these
STARTING_SECONDS = 2e-4  # and stopping, for each process or thread of a server


@dataclass
class Bench:
    """What all measurements of a run share."""

    tools: Tools
    rounds: int
    progress: Progress
    waiting_tasks: int  # processes and threads that servers may have while they wait
    patience: float = 30.0  # seconds left, in the whole run, to wait for the cpus to come closer

    def rounds_of(self, load: Load) -> int:
        """How often each server meets the load."""
        return 1 if load.survey else self.rounds

    def seconds_for(self, load: Load, entries: Sequence[Entry]) -> float:
        """How long `measure` will take, about."""
        turns = self._turns(load)
        return sum(turns * self._turn_seconds(*place) for place in self._places(entries))

    def measure(self, load: Load, entries: Sequence[Entry]) -> list[Cell]:
        """Every server under one load."""
        reply = self.tools.place.out / f"reply-{load.name}.http"
        reply.unlink(missing_ok=True)
        seats = [Seat(self.tools, each, reply, waits) for each, waits in self._places(entries)]
        rounds = self.rounds_of(load)
        with contextlib.ExitStack() as running:
            for seat in seats:
                self.progress.show(f"{load.name}: starting", seat.cell.server)
                running.enter_context(seat.occupied())
                self.progress.advance(self._turn_seconds(seat.entry, seat.waits))
            for number in range(1, rounds + 1):
                for seat in seats:
                    self.progress.show(f"{load.name}: round {number} of {rounds}", seat.cell.server)
                    seat.attempt(seat.round)
                    self.progress.advance(self._turn_seconds(seat.entry, seat.waits))
            if not load.survey:
                self._repeat_far_rounds(seats, load.name)
            for seat in [] if load.survey else seats:
                self.progress.show(f"{load.name}: system calls and memory", seat.cell.server)
                seat.attempt(seat.count)
                self.progress.advance(self._turn_seconds(seat.entry, seat.waits))
        cells = [seat.cell for seat in seats]
        choose_rounds(cells)
        return cells

    def _places(self, entries: Sequence[Entry]) -> list[tuple[Entry, bool]]:
        """Who can wait for its turns, so that not all tasks of the machine are taken by those."""
        left = self.waiting_tasks
        places = []
        for entry in entries:
            needs = entry.contender.tasks(entry.load.total)
            waits = needs <= left
            left -= needs if waits and not entry.limit else 0
            places.append((entry, waits))
        return places

    def _repeat_far_rounds(self, seats: list[Seat], name: str) -> None:
        """Another round for those who met the cpus only far apart, once these are close again."""
        while self.patience > 0:
            limit, far = far_from_best([seat.cell for seat in seats])
            if not far:
                return
            started = time.monotonic()
            seat = min((s for s in seats if s.cell in far), key=lambda s: len(s.cell.rounds))
            self.progress.show(f"{name}: again, with the cpus close", seat.cell.server)
            distance = self.tools.probe.distance_ns()
            if distance is not None and distance <= limit:
                seat.attempt(seat.round)
            else:
                time.sleep(0.2)
            self.patience -= time.monotonic() - started

    def _turns(self, load: Load) -> int:
        """Rounds, and what comes before and after them."""
        return self.rounds_of(load) + (1 if load.survey else 2)

    def _turn_seconds(self, entry: Entry, waits: bool) -> float:
        """What a turn takes, about, spread evenly over all that a server has."""
        if entry.limit:
            return 0.0
        load = entry.load
        rounds = self.rounds_of(load)
        seconds = START_SECONDS + rounds * (load.seconds + ROUND_EXTRA_SECONDS)
        seconds += 0 if load.survey else COUNT_SECONDS + COUNT_EXTRA_SECONDS
        starting = STARTING_SECONDS * entry.contender.tasks(load.total)
        seconds += starting * (1 if waits else self._turns(load))
        opening = DEAR.get(entry.contender.model, OPENING_SECONDS)
        return seconds / self._turns(load) + opening * load.total
