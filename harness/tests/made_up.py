"""Results of a full run as they might be: made up, for what is made from results.

The figures follow a rough model (a cost per request and connection, a client that can be the limit,
one-sided noise), so that pages made from them look like real ones. Nothing here was measured.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, replace

from harness.bench.report import page
from harness.bench.results import ERROR_KINDS, Cell, HeldCell, LoadFacts, Results, Round, Slow

SEVERAL = ("01-fork", "02-thread", "04-select", "05-poll", "06-epoll-lt", "nginx-1", "roofline")
CLIENT_US = 4.0  # what the client pays for a request


@dataclass(frozen=True)
class Model:
    """What a server costs, in microseconds of CPU and KiB."""

    kind: str
    hello: float
    file: float
    close: float
    pipelined: float
    crowded: float  # how much dearer with 10,000 connections than with 100
    user_kib: float
    kernel_kib: float
    syscalls: float
    switches: float
    scan: float = 0.0  # per request and idle connection
    most: int = 10_100
    limit: str = ""


SERVERS = {
    "00-iterative": Model("stage", 6.2, 7.4, 26, 0.5, 1, 0, 9, 2.0, 0.1, most=1,
                          limit="one client at a time"),
    "01-fork": Model("stage", 9.2, 10.6, 231, 0.8, 2.5, 36, 86, 2.0, 1.0),
    "02-thread": Model("stage", 9.0, 10.3, 46, 0.8, 2.9, 12.3, 25, 2.0, 1.0),
    "03-pool": Model("stage", 9.0, 10.2, 29, 0.8, 2.9, 12.3, 25, 2.0, 1.0, most=4068,
                     limit="a worker for each: --workers ends at 4,096"),
    "04-select": Model("stage", 7.3, 8.8, 36, 0.6, 1.2, 0.05, 9, 2.2, 0.0, 0.15, most=1010,
                       limit="select: descriptors end at 1,023"),
    "05-poll": Model("stage", 7.2, 8.7, 35, 0.6, 2.2, 0.09, 12, 2.2, 0.0, 0.21),
    "06-epoll-lt": Model("stage", 6.1, 7.6, 24, 0.5, 1.7, 0.04, 9.4, 2.3, 0.0),
    "07-epoll-et": Model("stage", 6.2, 7.7, 24, 0.5, 1.7, 0.04, 9.4, 3.3, 0.0),
    "08-master-worker": Model("stage", 6.3, 7.8, 31, 0.5, 1.7, 0.05, 9.4, 2.4, 0.1),
    "nginx-1": Model("peer", 7.1, 15.0, 26.6, 5.9, 1.7, 0.51, 9.4, 2.2, 0.0),
    "nginx-2": Model("peer", 7.1, 16.1, 30.5, 5.8, 1.7, 0.51, 9.4, 2.1, 0.0),
    "apache-prefork": Model("peer", 29.3, 31.2, 52, 17.4, 1.5, 190, 40, 9.0, 1.0, most=1000,
                            limit="a process each: thousands take too long to start"),
    "apache-worker": Model("peer", 25.9, 29.9, 64, 18.4, 2.1, 32, 25, 9.0, 1.0),
    "apache-event": Model("peer", 35.0, 31.1, 72, 18.5, 1.5, 32, 25, 13.1, 2.1),
    "roofline": Model("roofline", 5.85, 7.1, 23.4, 0.4, 1.7, 0.035, 9.4, 2.3, 0.0),
    "roofline_thread": Model("roofline", 8.65, 9.8, 45, 0.7, 2.9, 12.2, 25, 2.0, 1.0),
}  # fmt: skip

CONNECTIONS = "connections"
SERIES = {
    "hello": ("GET /hello over keep-alive connections", CONNECTIONS, (1, 100, 1000, 5000, 10_000)),
    "file": ("a 10 KiB file over keep-alive connections", CONNECTIONS, (100, 1000, 5000, 10_000)),
    "close": ("GET /hello, a new connection for each request", CONNECTIONS, (100,)),
    "pipelined": ("GET /hello, 16 in a row", CONNECTIONS, (100,)),
    "mix": ("every 100th request takes 20 ms of CPU", CONNECTIONS, (100,)),
    "ballast1": ("one active connection beside idle ones", "idle connections", (0, 1000, 10_000)),
    "ballast50": ("50 active connections beside idle ones", "idle connections", (0, 1000, 10_000)),
    "deaf": ("50 active connections beside slow readers", "slow readers", (100,)),
    "wrk": ("GET /hello, by wrk", CONNECTIONS, (100,)),
    "wrk-close": ("GET /hello, a new connection for each request, by wrk", CONNECTIONS, (100,)),
}


def loads(series: Iterable[str] = SERIES) -> list[LoadFacts]:
    """The loads of these series."""
    made = []
    for name in series:
        title, unit, xs = SERIES[name]
        for x in xs:
            idle = x if name.startswith("ballast") else 0
            active = {"ballast1": 1, "ballast50": 50, "deaf": 50}.get(name, x)
            client = "wrk" if name.startswith("wrk") else "crowd"
            made.append(LoadFacts(f"{name}-{x}", name, x, title, unit, active, idle, client))
    return made


def results(
    servers: Iterable[str] = SERVERS, series: Iterable[str] = SERIES, rounds: int = 8, seed: int = 1
) -> Results:
    """A run over these servers and series; another seed is another run on the same machine."""
    dice = random.Random(seed)
    wanted = loads(series)
    made = Results(_machine(), _settings(rounds), wanted, notes=["made up, for a test"])
    for load in wanted:
        for name in servers:
            model = SERVERS[name.removeprefix("yours:")]
            if _takes_part(model, name, load):
                made.cells.append(_cell(name, model, load, rounds, dice))
    if "ballast1" in series:
        made.held = [_held(name, dice) for name in ("08-master-worker", "nginx-8")]
    return made


def run(servers: Iterable[str] = SEVERAL, **more: int) -> Results:
    """A run of a few servers."""
    return results(servers, **more)


def cells(made: Results, server: str, load: str = "") -> list[Cell]:
    """A server's cells, under loads whose names begin so."""
    return [c for c in made.cells if c.server == server and c.load.startswith(load)]


def dearer(made: Results, server: str, times: float, load: str = "") -> None:
    """Makes all requests of a server cost more, and take longer."""
    for cell in cells(made, server, load):
        cell.rounds = [
            replace(r, requests=int(r.requests / times), p50_us=r.p50_us * times)
            for r in cell.rounds
        ]  # fmt: skip


def filled(made: Results) -> str:
    """The report's page, without the library that draws."""
    return page.filled(made, "d3 = {};")


def _takes_part(model: Model, name: str, load: LoadFacts) -> bool:
    if load.series == "mix":
        return model.kind == "stage"
    if load.series.startswith("ballast") and load.x == 1000:
        return "select" in name
    return True


def _cell(
    name: str, model: Model, load: LoadFacts, rounds: int, dice: random.Random
) -> Cell:
    kind = "yours" if name.startswith("yours:") else model.kind
    cell = Cell(name, kind, load.name, load.connections, load.idle, reply_bytes=155)
    if load.connections + load.idle > model.most and "close" not in load.series:
        cell.limit = model.limit
        return cell
    cpu, p50, p99 = _costs(name, model, load)
    for _ in range(rounds):
        slower = 1 + dice.expovariate(1 / 0.03) + (0.28 if dice.random() < 0.15 else 0)
        requests = int(1.5 * load.connections / (p50 * slower) * 1e6)
        busy = min(0.99, CLIENT_US * slower * requests / 1.5e6)
        slow = Slow(requests // 100, 20_000 * slower) if load.series == "mix" else None
        cell.rounds.append(Round(
            1.5, requests, int(cpu * slower * requests * 1000), p50 * slower, p50 * 1.3 * slower,
            p99 * slower * (1 + dice.expovariate(4)), p99 * 3 * slower,
            dict.fromkeys(ERROR_KINDS, 0), busy, distances_ns=[50.0, 52.0], slow=slow,
        ))  # fmt: skip
    cell.syscalls, cell.switches = model.syscalls, model.switches
    held = load.connections + load.idle
    cell.processes = held + 1 if "fork" in name else 1
    cell.threads = held + 1 if "thread" in name else 1
    cell.pss_kib = round(900 + model.user_kib * held * dice.uniform(1, 1.05))
    cell.pss_kib_per_connection = model.user_kib * dice.uniform(1, 1.05)
    cell.kernel_kib_per_connection = model.kernel_kib * dice.uniform(1, 1.05)
    return cell


def _costs(name: str, model: Model, load: LoadFacts) -> tuple[float, float, float]:
    """CPU time of a request, and the median and 99th percentile of its latency."""
    if load.series == "mix":
        shared = "fork" in name or "thread" in name or "pool" in name
        halved = 2 if "worker" in name else 1
        return (model.hello + 200, 900, 9000) if shared else (model.hello + 200, 18e3 / halved, 4e4)
    cpu = {"file": model.file, "close": model.close, "pipelined": model.pipelined * 1.0}.get(
        load.series.removeprefix("wrk-"), model.hello
    )
    if load.connections == 1:
        cpu, wait = cpu * 3 + model.scan * load.idle, 45.0
        return cpu, wait + model.scan * load.idle, 3 * (wait + model.scan * load.idle)
    if load.connections > 1000:
        cpu *= 1 + (model.crowded - 1) * load.connections / 10_000
    cpu += model.scan * load.idle / 25 + (1.5 if load.series == "deaf" else 0)
    client = CLIENT_US / (10 if load.series == "pipelined" else 1)
    p50 = load.connections * max(cpu, client)
    return cpu, p50, p50 * (1.5 + 2 * model.switches)


def _held(name: str, dice: random.Random) -> HeldCell:
    ours = name.startswith("08")
    return HeldCell(
        name, "stage" if ours else "peer", 8, connections=99_996, refused=4, seconds=4.1,
        kib_per_connection=0.05 if ours else 0.515, kernel_kib_per_connection=9.5,
        p50_before_us=41, p50_during_us=41 * dice.uniform(1, 1.1),
        per_second_before=120e3, per_second_during=121e3,
    )  # fmt: skip


def _settings(rounds: int) -> dict[str, object]:
    return {
        "full": rounds > 4, "rounds": rounds, "loads": [], "server_cpu": 0, "client_cpu": 1,
        "cpu_source": "cpuacct", "cpu_distance_ns": 50.0, "started": "2025-01-02T03:04:05+00:00",
        "seconds": 3000,
    }  # fmt: skip


def _machine() -> dict[str, object]:
    return {
        "date": "2025-01-02T03:04:05+00:00", "cpu": "Made-up CPU", "cpus": 2, "memory_mib": 24_000,
        "kernel": "6.1.0", "descriptors_soft": 20_000, "descriptors_hard": 20_000,
        "somaxconn": "4096", "congestion_control": "cubic", "local_ports": "32768 60999",
        "load_average": 0.1, "tools": {"wrk": "4.1.0", "nginx": "1.22.1"}, "revision": "made-up",
    }  # fmt: skip
