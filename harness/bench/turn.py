"""One server under one load: how it is started, and what happens when it has its turn."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from harness.bench import perf, replies
from harness.bench.accounting import Memory, memory, processes_and_threads, pss_kib
from harness.bench.clients import Client, ClientError, Opened, Run
from harness.bench.distance import Probe
from harness.bench.launch import LaunchError, Server
from harness.bench.loads import WRK, Load
from harness.bench.replies import WrongReply, verified
from harness.bench.results import Cell, Round
from harness.bench.servers import Contender, Kind, Place

COUNT_SECONDS = 0.5
REST_SECONDS = 10.0  # to wait for until a server has started, or let go of all connections

WARM_UP = 8  # requests before memory is read: what a server allocates once is not counted
WEIGHED_FROM = 100  # connections: with fewer, memory for each cannot be told from chance
KERNEL_WEIGHED_FROM = 1000
MANY_REFUSED = 0.1  # of all connections: then it is no longer this load


@dataclass(frozen=True)
class Entry:
    """One server's part in a load."""

    contender: Contender
    load: Load  # perhaps with fewer connections
    limit: str = ""  # why it cannot take part, if so


@dataclass(frozen=True)
class Tools:
    """What it takes to measure."""

    place: Place
    clients: Mapping[str, Client]
    probe: Probe
    counts_events: bool  # whether perf may count here


@dataclass
class Seat:
    """A server's place in a load: what it is asked, and what came of it."""

    tools: Tools
    entry: Entry
    reply: Path  # of the first server that was asked
    waits: bool = True  # runs while others have their turn; if not, it is started for each turn
    cell: Cell = field(init=False)
    _server: Server | None = None  # while it waits for its turns

    def __post_init__(self) -> None:
        who, load = self.entry.contender, self.entry.load
        self.cell = Cell(who.name, who.kind.value, load.name, load.connections, load.idle)
        self.cell.limit = self.entry.limit

    @property
    def taken(self) -> bool:
        """Whether the server can be measured (any further)."""
        return not self.cell.failed and not self.cell.limit

    @contextlib.contextmanager
    def occupied(self) -> Iterator[None]:
        """The server waits for its turns, if it is one that waits."""
        if self.taken and self.waits:
            self._server = self._started()
        try:
            yield
        finally:
            if self._server:
                self._stop(self._server)

    def round(self) -> None:
        """Its turn."""
        load, cell = self.entry.load, self.cell
        probe = self.tools.probe

        def look() -> None:  # with a survey there is no other time to do so
            _look(cell, server)

        with self._running() as server, self._opened(server) as client:
            if not load.connections:
                return
            distances = [probe.distance_ns()]
            before = server.cpu_ns()
            run = client.run_and(load.seconds, look if load.survey else None)
            after = server.cpu_ns()
            distances.append(probe.distance_ns())
            run.errors["connect"] += client.refused
            cpu_ns = None if before is None or after is None else after - before
            known = [distance for distance in distances if distance is not None]
            self._note(run, cpu_ns, known)

    def count(self) -> None:
        """A short round for what can only be counted while it disturbs."""
        counts = None
        with contextlib.ExitStack() as stack:
            server = stack.enter_context(self._running())
            if not server.ours:
                return
            if self.tools.counts_events:
                counts = stack.enter_context(self._counting(server))
            client = stack.enter_context(self._opened(server))
            if counts:
                counts.begin()
            run = client.run_and(COUNT_SECONDS, lambda: _look(self.cell, server))
            if counts:
                counts.end()
        if counts and not self.entry.load.slow_every:  # slow work is full of calls for the time
            self.cell.syscalls = counts.per(perf.SYSCALLS, run.served)
        if counts:
            self.cell.switches = counts.per(perf.SWITCHES, run.served)

    def attempt(self, action: Callable[[], None]) -> None:
        """One of the above; what goes wrong is written down."""
        if not self.taken:
            return
        try:
            action()
        except (ClientError, LaunchError, WrongReply) as reason:
            if not self.cell.limit:
                self.cell.failed = self.cell.failed or str(reason)
        if self._server and not self._server.alive():
            self.cell.failed = self._server.ended

    @contextlib.contextmanager
    def _running(self) -> Iterator[Server]:
        """The server that waits, or one for this turn only."""
        if self._server:
            yield self._server
            return
        server = self._started()
        if not server:
            raise LaunchError(self.cell.failed)
        try:
            yield server
        finally:
            self._stop(server)

    def _started(self) -> Server | None:
        """A running server whose replies are right. The first of all lends a roofline its reply,
        so that both send the same bytes."""
        contender, load, cell = self.entry.contender, self.entry.load, self.cell
        recorded = contender.kind is Kind.ROOFLINE and self.reply.exists()
        reply = self.reply if recorded else None
        try:
            server = contender.start(self.tools.place, load.total, reply)
        except LaunchError as reason:
            cell.failed = f"did not start: {reason}"
            return None
        try:
            for _ in range(WARM_UP):
                sent = verified(server.port, load, server.host)
            for other in load.beside():
                verified(server.port, other, server.host)
        except WrongReply as reason:
            cell.failed = str(reason)
            server.stop()
            return None
        except BaseException:
            server.stop()
            raise
        server.cpu_ns(REST_SECONDS)
        cell.reply_bytes = len(sent)
        cell.body_sha256 = replies.digest(replies.body_of(sent))
        if not self.reply.exists():
            self.reply.write_bytes(sent)
        return server

    def _stop(self, server: Server) -> None:
        complaint = server.stop() or server.ended
        self.cell.failed = self.cell.failed or complaint

    @contextlib.contextmanager
    def _opened(self, server: Server) -> Iterator[Opened]:
        """The client with the load's connections open; the first time, with what they weigh.

        The server is at rest again before another one has its turn.
        """
        load, cell = self.entry.load, self.cell
        weigh = server.ours and cell.pss_kib is None and load.client != WRK
        before = memory(server.pid) if weigh else None
        with self.tools.clients[load.client].opened(server, load) as opened:
            if opened.refused > MANY_REFUSED * load.total:
                came = load.total - opened.refused
                cell.limit = f"{came:,} of {load.total:,} connections came about: {opened.reason}"
                raise ClientError(cell.limit)
            if before:
                server.cpu_ns(REST_SECONDS)
                _weigh(cell, load, before, memory(server.pid))
            yield opened
        server.cpu_ns(REST_SECONDS)

    def _counting(self, server: Server) -> contextlib.AbstractContextManager[perf.Counter]:
        probe = self.tools.probe
        return perf.counting(
            server, self.tools.place.out / "perf.csv", probe.cpus[1], probe.groups
        )

    def _note(self, run: Run, cpu_ns: int | None, distances: list[float]) -> None:
        cell, load = self.cell, self.entry.load
        cell.rounds.append(
            Round(
                run.seconds,
                run.requests,
                cpu_ns,
                run.p50_us,
                run.p90_us,
                run.p99_us,
                run.max_us,
                run.errors,
                run.client_busy,
                served=run.served,
                slow=run.slow,
                distances_ns=distances,
            )
        )
        if not run.requests:
            cell.failed = f"no reply at all: {run.errors}"
        elif load.client == WRK and not _plausible(run, cell, load):
            cell.failed = (
                f"{run.requests} replies of {cell.reply_bytes} bytes, "
                f"but {run.bytes} bytes came: not all replies were the verified one"
            )


def _weigh(cell: Cell, load: Load, before: Memory, after: Memory) -> None:
    """What the connections have added."""
    cell.pss_kib = after.user_kib
    if load.total >= WEIGHED_FROM and not load.closing:
        cell.pss_kib_per_connection = (after.user_kib - before.user_kib) / load.total
    if load.total >= KERNEL_WEIGHED_FROM:
        cell.kernel_kib_per_connection = (after.kernel_kib - before.kernel_kib) / load.total


def _look(cell: Cell, server: Server) -> None:
    """The server under load, from outside."""
    if server.ours:
        cell.pss_kib = pss_kib(server.pid)
        cell.processes, cell.threads = processes_and_threads(server.pid)


def _plausible(run: Run, cell: Cell, load: Load) -> bool:
    """Whether the bytes are those of so many verified replies, the last ones perhaps cut short."""
    assert cell.reply_bytes is not None
    surplus = run.bytes - run.requests * cell.reply_bytes
    return 0 <= surplus <= load.connections * load.pipelined * cell.reply_bytes
