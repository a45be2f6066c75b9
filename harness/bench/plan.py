"""The full comparison: its loads, and who takes which."""

from __future__ import annotations

import re
from collections.abc import Sequence

from harness.bench import limits
from harness.bench.limits import Bounds
from harness.bench.loads import BIG_NAME, CROWD, FILE_BODY, FILE_NAME, WORK_US, WRK, Load
from harness.bench.servers import Contender, Kind
from harness.bench.turn import Entry

ROUNDS = 8
HELD = "held"  # no load like the others, see held.py
MANY_IDLE = 10_000
FEW_IDLE = {1: 1000, 50: 950}  # beside so many active ones, for who cannot have many
TWINS = {"ballast1-0": "hello-1"}  # the same load under another name
WITNESSES = re.compile(r"(02|03|06|08)-.*|nginx-[12]|roofline")  # with wrk: whether it agrees


def _seconds(connections: int) -> float:
    """Of a round: with many connections each gets its turn more than once or twice."""
    return 1.0 if connections < 5000 else 1.5


def _hello(connections: int) -> Load:
    return Load(
        f"hello-{connections}",
        "GET /hello over keep-alive connections",
        connections=connections,
        seconds=_seconds(connections),
        client=CROWD,
        series="hello",
    )


def _file(connections: int) -> Load:
    return Load(
        f"file-{connections}",
        "a file of 10 KiB over keep-alive connections",
        path=f"/files/{FILE_NAME}",
        body=FILE_BODY,
        connections=connections,
        seconds=_seconds(connections),
        client=CROWD,
        series="file",
    )


def _ballast(active: int, idle: int) -> Load:
    return Load(
        f"ballast{active}-{idle}",
        f"GET /hello over {active} active connection{'s' * (active > 1)} beside idle ones",
        connections=active,
        idle=idle,
        client=CROWD,
        series=f"ballast{active}",
        x=idle,
        unit="idle connections",
    )


LOADS = (
    *map(_hello, (1, 100, 1000, 5000, 10_000)),
    *map(_file, (100, 1000, 5000, 10_000)),
    Load("close-100", "GET /hello, a new connection for each request", closing=True, client=CROWD,
         series="close", unit="connections at a time"),
    Load("pipelined-100", "GET /hello, 16 in a row", pipelined=16, client=CROWD,
         series="pipelined"),
    # Three seconds: where each client has a thread, slow requests get ever more, until all of them
    # together get as much of the CPU as they ask for.
    Load("mix-100", f"GET /hello, and one request in 100 takes {WORK_US // 1000} ms of CPU",
         slow_every=100, seconds=3, client=CROWD, series="mix"),
    *(_ballast(active, idle) for active, few in FEW_IDLE.items() for idle in (0, few, MANY_IDLE)),
    Load("deaf-100", f"GET /hello over 50 connections beside slow readers of /files/{BIG_NAME}",
         connections=50, deaf=100, client=CROWD, series="deaf", x=100, unit="slow readers"),
    Load("wrk-100", "GET /hello over keep-alive connections, asked by wrk", client=WRK,
         series="wrk"),
    Load("wrk-close-100", "GET /hello, a new connection for each request, asked by wrk",
         closing=True, client=WRK, series="wrk-close", unit="connections at a time"),
)  # fmt: skip


def chosen(wanted: Sequence[str]) -> list[Load]:
    """The loads that are meant by names of loads or series; all of them by no name."""
    return [load for load in LOADS if not wanted or load.name in wanted or load.series in wanted]


def names() -> list[str]:
    """What chosen() understands, and HELD."""
    return list(dict.fromkeys([*(load.series for load in LOADS), *(load.name for load in LOADS),
                               HELD]))  # fmt: skip


def entries(load: Load, servers: Sequence[Contender], machine: Bounds) -> list[Entry]:
    """Who takes part, and who would but cannot."""
    return [
        Entry(server, load.at(server.page) if server.page else load,
              limits.limit(server, load, machine))
        for server in servers
        if _takes_part(server, load, machine)
    ]  # fmt: skip


def _takes_part(server: Contender, load: Load, machine: Bounds) -> bool:
    """Whether it is a question at all."""
    if server.page and (load.slow_every or load.deaf or load.path != LOADS[0].path):
        return False  # it is one page that is meant
    if load.client == WRK:
        return bool(WITNESSES.fullmatch(server.model))
    if load.slow_every and server.kind in (Kind.PEER, Kind.ROOFLINE):
        return False  # they have no such page
    if server.kind is Kind.ROOFLINE and (load.deaf or load.series.startswith("ballast")):
        return False  # it has one answer for all, and is there for what requests cost
    if load.idle in FEW_IDLE.values():
        many = _ballast(load.connections, MANY_IDLE)
        return bool(limits.limit(server, many, machine)) and not limits.limit(server, load, machine)
    return True
