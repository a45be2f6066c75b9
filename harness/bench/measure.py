"""Runs the loads: every server in turn, a round each, round after round."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from pathlib import Path

from harness.bench.accounting import pss_kib
from harness.bench.client import COUNT_SECONDS, SWITCHES, SYSCALLS, Client, ClientError
from harness.bench.distance import Probe, choose_rounds, far_from_best
from harness.bench.idle import held_memory
from harness.bench.launch import LaunchError, Server
from harness.bench.loads import Load
from harness.bench.progress import Progress
from harness.bench.replies import WrongReply, verified
from harness.bench.results import Cell, IdleCell, Round
from harness.bench.servers import Contender, Kind, Place

START_SECONDS = 0.1  # what a step takes besides wrk's own time: for the time left
ROUND_EXTRA_SECONDS = 0.08
COUNT_EXTRA_SECONDS = 0.2
IDLE_SECONDS = 0.6


@dataclass
class Bench:
    """What all measurements of a run share."""

    place: Place
    client: Client
    contenders: list[Contender]
    rounds: int
    progress: Progress
    probe: Probe
    patience: float = 30.0  # seconds left, in the whole run, to wait for the cpus to come closer

    def rounds_of(self, load: Load) -> int:
        """How often each server meets the load."""
        return 1 if load.survey else self.rounds

    def seconds_for(self, load: Load) -> float:
        """How long `measure` will take, about."""
        each = START_SECONDS + self.rounds_of(load) * (load.seconds + ROUND_EXTRA_SECONDS)
        if not load.survey:
            each += COUNT_SECONDS + COUNT_EXTRA_SECONDS
        return each * sum(contender.takes_part(load) for contender in self.contenders)

    def seconds_for_idle(self) -> float:
        """How long `measure_idle` will take, about."""
        return IDLE_SECONDS * sum(c.idle_connections() > 0 for c in self.contenders)

    def measure(self, load: Load) -> list[Cell]:
        """Every server under one load."""
        pairs: list[tuple[Cell, Server]] = []
        cells: list[Cell] = []
        reply = self.place.out / f"reply-{load.name}.http"
        reply.unlink(missing_ok=True)
        with contextlib.ExitStack() as running:
            for contender in self.contenders:
                if not contender.takes_part(load):
                    continue
                self.progress.show(f"{load.name}: starting {contender.name}")
                cell = Cell(
                    contender.name, contender.kind.value, load.name, contender.connections(load)
                )
                cells.append(cell)
                server = self._started(contender, cell, load, reply)
                if server:
                    running.callback(_stop, server, cell)
                    pairs.append((cell, server))
                self.progress.advance(START_SECONDS)
            for number in range(1, self.rounds_of(load) + 1):
                for cell, server in pairs:
                    step = f"{load.name}: round {number} of {self.rounds_of(load)}"
                    self.progress.show(step, server.name)
                    self._round(cell, server, load)
                    self.progress.advance(load.seconds + ROUND_EXTRA_SECONDS)
            if not load.survey:
                self._repeat_far_rounds(pairs, load)
            for cell, server in [] if load.survey else pairs:
                self.progress.show(f"{load.name}: system calls and memory", server.name)
                self._count(cell, server, load)
                self.progress.advance(COUNT_SECONDS + COUNT_EXTRA_SECONDS)
        choose_rounds(cells)
        return cells

    def measure_idle(self) -> list[IdleCell]:
        """Memory per idle connection, of every server that can hold some."""
        cells = []
        for contender in self.contenders:
            connections = contender.idle_connections()
            if not connections:
                continue
            self.progress.show("idle connections", contender.name)
            cell = IdleCell(contender.name, contender.kind.value, connections)
            cells.append(cell)
            try:
                server = contender.start(self.place, connections, reply=None)
                try:
                    cell.pss_before_kib, cell.pss_held_kib = held_memory(server, connections)
                finally:
                    _stop(server, cell)
            except (LaunchError, WrongReply, OSError) as reason:
                cell.failed = cell.failed or str(reason)
            self.progress.advance(IDLE_SECONDS)
        return cells

    def _started(self, contender: Contender, cell: Cell, load: Load, reply: Path) -> Server | None:
        """A running server whose replies are right. The first of the kit lends the roofline its
        reply, so that both send the same bytes; without one, nginx does."""
        recorded = reply if contender.kind is Kind.ROOFLINE and reply.exists() else None
        try:
            server = contender.start(self.place, cell.connections, recorded)
        except LaunchError as reason:
            cell.failed = f"did not start: {reason}"
            return None
        try:
            sent = verified(server.port, load)
        except WrongReply as reason:
            cell.failed = str(reason)
            server.stop()
            return None
        cell.reply_bytes = len(sent)
        if not reply.exists():
            reply.write_bytes(sent)
        return server

    def _round(self, cell: Cell, server: Server, load: Load) -> None:
        if cell.failed:
            return
        distance_before = self.probe.distance_ns()
        before = server.meter.settled(server.pid)

        def survey_memory() -> None:
            if load.survey:
                cell.pss_kib = pss_kib(server.pid)

        try:
            run = self.client.drive(server, load, cell.connections, survey_memory)
        except ClientError as reason:
            cell.failed = server.ended if not server.alive() else str(reason)
            return
        if not server.alive():
            cell.failed = server.ended
            return
        cpu_ns = server.meter.settled(server.pid) - before
        distances = (distance_before, self.probe.distance_ns())
        cell.rounds.append(
            Round(
                run.seconds,
                run.requests,
                cpu_ns,
                run.p50_us,
                run.p99_us,
                run.errors,
                run.client_busy,
                distances_ns=[distance for distance in distances if distance is not None],
            )
        )
        if not run.requests:
            cell.failed = f"no reply at all: {run.errors}"
        elif not _plausible(run.bytes, run.requests, cell, load):
            cell.failed = (
                f"{run.requests} replies of {cell.reply_bytes} bytes, "
                f"but {run.bytes} bytes came: not all replies were the verified one"
            )

    def _repeat_far_rounds(self, pairs: list[tuple[Cell, Server]], load: Load) -> None:
        """Another round for those who met the cpus only far apart, once these are close again."""
        while self.patience > 0:
            limit, far = far_from_best([cell for cell, _ in pairs])
            if not far:
                return
            started = time.monotonic()
            cell, server = min((p for p in pairs if p[0] in far), key=lambda p: len(p[0].rounds))
            self.progress.show(f"{load.name}: again, with the cpus close", server.name)
            distance = self.probe.distance_ns()
            if distance is not None and distance <= limit:
                self._round(cell, server, load)
            else:
                time.sleep(0.2)
            self.patience -= time.monotonic() - started

    def _count(self, cell: Cell, server: Server, load: Load) -> None:
        if cell.failed:
            return

        def memory() -> None:
            cell.pss_kib = pss_kib(server.pid)

        report = self.place.out / "perf.csv"
        try:
            _, per_request = self.client.count(server, load, cell.connections, report, memory)
        except ClientError as reason:
            cell.failed = server.ended if not server.alive() else str(reason)
            return
        cell.syscalls = per_request.get(SYSCALLS)
        cell.switches = per_request.get(SWITCHES)


def _plausible(received: int, requests: int, cell: Cell, load: Load) -> bool:
    """Whether the bytes are those of so many verified replies, the last ones perhaps cut short."""
    assert cell.reply_bytes is not None
    surplus = received - requests * cell.reply_bytes
    return 0 <= surplus <= cell.connections * load.pipelined * cell.reply_bytes


def _stop(server: Server, cell: Cell | IdleCell) -> None:
    complaint = server.stop() or server.ended
    cell.failed = cell.failed or complaint
