"""The ladder: what each stage is, seen from outside."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from harness import syscalls

ITERATIVE, FORK, THREAD, POOL = "iterative", "fork", "thread", "pool"
SELECT, POLL, EPOLL, HANDOVER = "select", "poll", "epoll", "handover"
BLOCKING = (ITERATIVE, FORK, THREAD, POOL)
EVENTED = (SELECT, POLL, EPOLL, HANDOVER)
MODELS = (*BLOCKING, *EVENTED)

_ACCEPTING = syscalls.ACCEPT | syscalls.POLL  # poll on listener and stop descriptor is accepting


@dataclass(frozen=True)
class Stage:
    """One rung. `waits` are the calls in which the accepting task may rest."""

    name: str
    model: str
    waits: frozenset[str]
    idea: str
    edge_triggered: bool = False

    @property
    def concurrent(self) -> bool:
        """Whether two clients can be inside at the same time."""
        return self.model != ITERATIVE

    @property
    def blocking(self) -> bool:
        """Whether a thread or process is tied to one connection at a time."""
        return self.model in BLOCKING

    @property
    def one_process(self) -> bool:
        return self.model not in (FORK, HANDOVER)

    @property
    def number(self) -> str:
        return self.name[:2]


LADDER = (
    Stage("00-iterative", ITERATIVE, _ACCEPTING, "one client at a time"),
    Stage("01-fork", FORK, _ACCEPTING, "a process per connection"),
    Stage("02-thread", THREAD, _ACCEPTING, "a thread per connection"),
    Stage("03-pool", POOL, _ACCEPTING | syscalls.FUTEX, "N threads and a bounded queue"),
    Stage("04-select", SELECT, syscalls.SELECT, "one thread waits for all with select"),
    Stage("05-poll", POLL, syscalls.POLL, "one thread waits for all with poll"),
    Stage("06-epoll-lt", EPOLL, syscalls.EPOLL, "level-triggered epoll"),
    Stage("07-epoll-et", EPOLL, syscalls.EPOLL, "edge-triggered epoll", edge_triggered=True),
    Stage(
        "08-master-worker",
        HANDOVER,
        _ACCEPTING | syscalls.SELECT | syscalls.EPOLL | syscalls.RECEIVE | syscalls.SIGNAL,
        "a master accepts and passes descriptors to epoll workers",
    ),
)


class UnknownStageError(ValueError):
    """A stage was named that the ladder does not have."""


def find(wanted: str) -> Stage:
    """The stage called `06`, `6` or `06-epoll-lt`."""
    for stage in LADDER:
        if wanted == stage.name or (wanted.isdigit() and int(wanted) == int(stage.number)):
            return stage
    raise UnknownStageError(f"no stage {wanted!r}; there are {', '.join(s.name for s in LADDER)}")


def chosen(wanted: str, kit: Path) -> list[Stage]:
    """The stages in `wanted` ("05 06-epoll-lt"); if that is empty, those the kit has."""
    if wanted.strip():
        return [find(word) for word in re.split(r"[\s,]+", wanted.strip())]
    return [stage for stage in LADDER if (kit / "stages" / stage.name).is_dir()]
