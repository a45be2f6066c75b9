"""As many connections as eight workers can hold, and what the active ones notice of them."""

from __future__ import annotations

import contextlib
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from harness.bench import limits
from harness.bench.accounting import memory
from harness.bench.clients import ClientError
from harness.bench.crowd import CrowdError, Crowds
from harness.bench.distance import ANOTHER_STATE
from harness.bench.launch import LaunchError, Server
from harness.bench.limits import RESERVED, Bounds
from harness.bench.loads import CROWD, Load
from harness.bench.measure import Bench
from harness.bench.peers import NGINX
from harness.bench.replies import WrongReply, verified
from harness.bench.results import HeldCell, LoadFacts
from harness.bench.rig import CROWD_PROGRAM
from harness.bench.servers import Contender, Kind
from harness.bench.turn import REST_SECONDS

NAME = "held"
MOST = 100_000
WORKERS = 8
SOURCES = 8  # addresses, of which each has 28,000 ports
RUNS = 8  # of the active ones, before and during
RUN_SECONDS = 0.5
WARM_UP = 64  # requests before the first reading
KIB_EACH = 24  # of the kernel's memory, both ends, and as much to spare
SECONDS = 31.0  # that it takes for each server, about

ONE = Load("held-1", "one active connection", connections=1, client=CROWD)
FIFTY = Load("held-50", "fifty active connections", connections=50, client=CROWD)
FACTS = LoadFacts(NAME, NAME, MOST, f"idle connections held by {WORKERS} workers",
                  "idle connections", FIFTY.connections, MOST, CROWD)  # fmt: skip


@dataclass(frozen=True)
class Run:
    """What the active ones noticed once, and how far the cpus were from each other."""

    p50_us: float
    per_second: float
    distance_ns: float


def contenders(servers: Sequence[Contender]) -> list[Contender]:
    """Those of the servers that have workers, with eight of them."""
    found = [
        Contender(each.name, each.kind, each.bin_dir, WORKERS)
        for each in servers
        if each.model == "08-master-worker"
    ]
    if found and any(NGINX.fullmatch(each.name) for each in servers):
        found.append(Contender(f"nginx-{WORKERS}", Kind.PEER, workers=WORKERS))
    return found


def measure(bench: Bench, servers: Sequence[Contender], machine: Bounds) -> list[HeldCell]:
    """Each server, one after the other."""
    cells = []
    for contender in contenders(servers):
        bench.progress.show(f"{NAME}: {contender.name}")
        cell = HeldCell(contender.name, contender.kind.value, WORKERS)
        cells.append(cell)
        wanted, cell.limit = _possible(machine)
        try:
            server = contender.start(bench.tools.place, wanted + FIFTY.connections, None)
        except LaunchError as reason:
            cell.failed = f"did not start: {reason}"
            continue
        try:
            _measure(bench, server, cell, wanted)
        except (ClientError, CrowdError, WrongReply) as reason:
            cell.failed = str(reason) if server.alive() else server.ended
        finally:
            complaint = server.stop() or server.ended
            cell.failed = cell.failed or complaint
            bench.progress.advance(SECONDS)
    return cells


def _possible(machine: Bounds) -> tuple[int, str]:
    """How many the limits allow, and the limit, if it is less than wanted."""
    by_descriptors = WORKERS * (machine.descriptors - RESERVED)
    by_memory = int(machine.memory_kib * limits.OURS / KIB_EACH)
    most = min(MOST, by_descriptors, by_memory)
    if most == MOST:
        return most, ""
    if most == by_memory:
        return most, f"half of the free memory ({machine.memory_kib >> 20} GiB)"
    return most, f"descriptors of a process end at {machine.descriptors:,}"


def _measure(bench: Bench, server: Server, cell: HeldCell, wanted: int) -> None:
    for _ in range(WARM_UP):
        verified(server.port, FIFTY)
    runs_before = _active(bench, server)
    server.cpu_ns(REST_SECONDS)
    before = memory(server.pid)
    each = limits.bounds().descriptors - RESERVED
    with contextlib.closing(
        Crowds(
            bench.tools.place.bin_dir / CROWD_PROGRAM,
            server.port,
            count=-(-wanted // min(each, -(-MOST // 6))),
            cpu=bench.tools.probe.cpus[1],
            sources=SOURCES,
        )
    ) as crowds:
        held = crowds.hold(wanted)
        cell.connections, cell.refused = held.connections, held.failed
        cell.seconds = held.seconds
        if held.failed:
            cell.limit = cell.limit or held.reason
        server.cpu_ns(REST_SECONDS)
        during = memory(server.pid)
        if held.connections:
            cell.kib_per_connection = (during.user_kib - before.user_kib) / held.connections
            kernel = during.kernel_kib - before.kernel_kib
            cell.kernel_kib_per_connection = kernel / held.connections
        runs_during = _active(bench, server)
    alike = of_one_state(runs_before, runs_during)
    cell.p50_before_us, cell.p50_during_us = (
        statistics.median(run.p50_us for run in runs) for runs in alike
    )
    cell.per_second_before, cell.per_second_during = (
        max(run.per_second for run in runs) for runs in alike
    )
    server.cpu_ns(REST_SECONDS)


def _active(bench: Bench, server: Server) -> list[Run]:
    """The median latency of one connection, and the requests per second of fifty."""
    client, probe = bench.tools.clients[CROWD], bench.tools.probe
    runs = []
    for _ in range(RUNS):
        distances = [probe.distance_ns()]
        with client.opened(server, ONE) as one:
            p50_us = one.run(RUN_SECONDS).p50_us
        with client.opened(server, FIFTY) as fifty:
            run = fifty.run(RUN_SECONDS)
        distances.append(probe.distance_ns())
        farthest = max((each for each in distances if each is not None), default=0.0)
        runs.append(Run(p50_us, run.requests / run.seconds, farthest))
    return runs


def of_one_state(before: list[Run], during: list[Run]) -> tuple[list[Run], list[Run]]:
    """The runs with the cpus as close as they ever were; all, if one side has none of these."""
    closest = min(run.distance_ns for run in [*before, *during])
    near = [
        [run for run in runs if run.distance_ns <= ANOTHER_STATE * closest]
        for runs in (before, during)
    ]
    return (near[0], near[1]) if all(near) else (before, during)
