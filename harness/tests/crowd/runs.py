"""Runs of the load generator, and what is to be seen in them."""

from __future__ import annotations

from typing import Unpack

from harness.bench.crowd import Crowd, Mix, Run
from harness.tests.fake import SECONDS

KINDS = ("connect", "read", "write", "timeout", "status", "length")
SLOW = b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n"


def errors(run: Run) -> dict[str, int]:
    """Those that there were."""
    assert tuple(run.errors) == KINDS
    return {kind: count for kind, count in run.errors.items() if count}


def load(clients: Crowd, replies: int = 1, **mix: Unpack[Mix]) -> list[Run]:
    """Runs, longer and longer until one has served and counted enough: others, too, may be using
    the machine."""
    runs = []
    for seconds in (SECONDS, 1.0, 10.0):
        runs.append(clients.run(seconds, **mix))
        counted = runs[-1].requests + runs[-1].slow["requests"]
        if counted and runs[-1].served >= replies:
            break
    return runs


def served(runs: list[Run]) -> int:
    return sum(run.served for run in runs)
