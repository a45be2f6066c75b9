"""What the clients do while a server is watched. Times in milliseconds from the start."""

from __future__ import annotations

from dataclasses import dataclass, field

from harness.message import request
from harness.stages import HANDOVER, MODELS, POOL, Stage

_CLOSE = {"connection": "close"}


@dataclass(frozen=True)
class Script:
    """One client: when it connects, and what it sends when."""

    name: str
    at: float
    sends: tuple[tuple[float, bytes], ...]
    patience: float = 3000.0  # after its last piece, it waits so long for a reply


@dataclass(frozen=True)
class Scenario:
    """What is to be seen, for which models, with how many workers where there are some."""

    name: str
    title: str
    scripts: tuple[Script, ...]
    models: tuple[str, ...] = MODELS
    workers: dict[str, int] = field(default_factory=lambda: {POOL: 4, HANDOVER: 2})
    kills: str = ""  # the client whose process is killed
    kills_at: float = 0.0

    def options(self, stage: Stage) -> list[str]:
        workers = self.workers.get(stage.model)
        return ["--workers", str(workers)] if workers else []


def _get(target: str) -> bytes:
    return request("GET", target, **_CLOSE)


def _halves(data: bytes) -> tuple[bytes, bytes]:
    return data[: len(data) // 2], data[len(data) // 2 :]


def _queue() -> Scenario:
    """A sends half a request and the rest 120 ms later; each request costs 10 ms of CPU."""
    work = _get("/work?us=10000")
    first, second = _halves(work)
    return Scenario(
        "queue",
        "Six clients; A is slow to ask, D a little",
        (
            Script("A", 0, ((0, first), (120, second))),
            Script("B", 20, ((20, work),)),
            Script("C", 40, ((40, work),)),
            Script("D", 60, ((60, first), (90, second))),
            Script("E", 100, ((100, work),)),
            Script("F", 140, ((140, work),)),
        ),
    )


SCENARIOS = {scenario.name: scenario for scenario in (_queue(),)}
