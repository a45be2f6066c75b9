"""How much of the load each server is given: all that was chosen, or what it can bear."""

from __future__ import annotations

import functools
from dataclasses import asdict, dataclass, replace

from harness.bench import limits
from harness.bench.servers import POOL, SPARE_WORKERS, Contender, Kind

CONNECTIONS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)
IDLE = (0, 10, 50, 100, 200, 500, 1000, 2000, 5000, 10_000)
SLOW_EVERY = (0, 5000, 2000, 1000, 500, 200, 100, 50)
STEPS = {"connections": CONNECTIONS, "idle": IDLE, "slow": SLOW_EVERY, "turns": (0, 1)}

# What a race gives at most, though the machine may have room for more.
ENOUGH = {
    "01-fork": (1000, "1,000 processes are the most in a race"),
    "02-thread": (5000, "5,000 threads are the most in a race"),
    "03-pool": (POOL - SPARE_WORKERS, f"its {POOL} threads serve so many, others would wait"),
}


@dataclass(frozen=True)
class Load:
    """What is chosen on the page."""

    connections: int = 50
    idle: int = 0
    slow: int = 0  # every so many requests is a slow one; 0: none is
    turns: int = 0  # 1: only one server at a time is loaded, and has the cpu to itself

    def changed(self, order: dict[str, object]) -> Load:
        """With the values that are given, each a step of its slider; ValueError if one is not."""
        values = {key: order.get(key, now) for key, now in asdict(self).items()}
        for key, value in values.items():
            if type(value) is not int or value not in STEPS[key]:
                raise ValueError(f"{key}: {value!r} is none of {STEPS[key]}")
        return replace(self, **values)


@dataclass(frozen=True)
class Share:
    """What one server is given of a load, and why not all of it."""

    connections: int
    idle: int
    slow: int
    limit: str = ""


@functools.cache
def ceiling(server: Contender) -> tuple[int, str]:
    """The most connections that a server is given, and the reason."""
    machine = limits.bounds()
    most, reason = limits.capacity(server, machine)
    clients = (machine.descriptors - limits.RESERVED, "its clients' descriptors end there")
    return min((most, reason), clients, ENOUGH.get(server.model, clients), key=lambda pair: pair[0])


def share(server: Contender, load: Load) -> Share:
    """Busy connections first, then idle ones, up to the ceiling."""
    most, reason = ceiling(server)
    connections = min(load.connections, most)
    idle = min(load.idle, most - connections)
    has_work = server.kind is Kind.STAGE
    said = []
    if connections + idle < load.connections + load.idle:
        said.append(f"only {connections + idle:,} ({reason})")
    if load.slow and not has_work:
        said.append("no slow requests: it has no /work")
    return Share(connections, idle, load.slow if has_work else 0, "; ".join(said))
