"""The recordings that the slides show, as the tests of what draws them use them."""

from __future__ import annotations

import functools
from pathlib import Path

from harness import stages
from harness.trace import recording, telling
from harness.trace.recording import Recording
from harness.trace.story import Story

TRACES = Path(__file__).parents[2] / "slides" / "traces"
NAMES = [stage.name for stage in stages.LADDER if (TRACES / f"{stage.name}.json").exists()]


def path(name: str) -> Path:
    return TRACES / f"{name}.json"


@functools.cache
def recorded(name: str) -> Recording:
    return recording.load(path(name))


@functools.cache
def told(name: str) -> Story:
    return telling.tell(recorded(name))
