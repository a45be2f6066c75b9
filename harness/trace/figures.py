"""The numbers that make a scenario's lesson, counted from the calls."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from harness import syscalls
from harness.trace.calls import Call
from harness.trace.recording import Recording
from harness.trace.scenarios import HERD, KILL, PIECES
from harness.trace.who import ACCEPTS, Cast, Task

_EVENTS = syscalls.EPOLL | syscalls.POLL | syscalls.SELECT


@dataclass(frozen=True)
class Wakeups:
    """How often somebody was woken for the sake of new connections."""

    connections: int
    wakeups: int
    in_vain: int  # another one had been faster

    @property
    def each(self) -> float:
        return self.wakeups / self.connections if self.connections else 0.0

    def __str__(self) -> str:
        told = f"{self.connections} connections, {self.wakeups} wakeups: {self.each:.1f} for each"
        return told + (f"; {self.in_vain} of them find nothing (EAGAIN)" if self.in_vain else "")


@dataclass(frozen=True)
class Reading:
    """How a client's bytes were fetched."""

    client: str
    bytes: int
    calls: int
    wakeups: int
    unread: int  # in the end

    def __str__(self) -> str:
        left = f"; {self.unread:,} are never read" if self.unread else ""
        return (
            f"{self.bytes:,} bytes of {self.client} are read in {self.calls} calls of recv, "
            f"after {self.wakeups} wakeups{left}"
        )


def of(recording: Recording, cast: Cast) -> str:
    """What the recording's scenario wants to have counted, in a line; "" if it is nothing."""
    if recording.scenario == HERD:
        return str(wakeups(cast, recording.span))
    if recording.scenario == PIECES:
        return str(reading(recording, cast, "A"))
    if recording.scenario == KILL:
        lost = [each.name for each in recording.visitors if not each.outcome.isdigit()]
        verb = "loses its" if len(lost) == 1 else "lose their"
        count = f"{len(lost)} of {len(recording.visitors)} clients {verb} connection"
        return f"{count}: {' and '.join(lost)}" if lost else count
    return ""


def wakeups(cast: Cast, span: float) -> Wakeups:
    """An accept that had waited counts, and a return from a wait for events that accepts."""
    connections = woken = in_vain = 0
    for task in cast.tasks.values():
        for cause, calls in _turns(task, span):
            accepts = [call for call in calls if call.name in ACCEPTS]
            made = sum(cast.client(call) != 0 for call in accepts)
            connections += made
            if cause and accepts:
                woken += 1
                in_vain += not made
            elif not cause:
                woken += made  # it was accept itself that waited
    return Wakeups(connections, woken, in_vain)


def reading(recording: Recording, cast: Cast, client: str) -> Reading:
    """Of one client: what was read of it, and how many returns from a wait that took."""
    visitor = next(each for each in recording.visitors if each.name == client)
    sizes: list[int] = []
    woken = 0
    for task in cast.tasks.values():
        for cause, calls in _turns(task, recording.span):
            mine = [
                call.value or 0 for call in calls
                if call.name in syscalls.RECEIVE and cast.client(call) == visitor.port
                and (call.value or 0) > 0
            ]  # fmt: skip
            sizes += mine
            woken += bool(cause and mine)
    return Reading(client, sum(sizes), len(sizes), woken, visitor.unread)


def _turns(task: Task, span: float) -> Iterator[tuple[Call | None, list[Call]]]:
    """A task's calls, cut at each wait for events: what it returned with, and what was done about
    it. Before the first one, and where nobody waits so, the cause is None."""
    cause: Call | None = None
    done: list[Call] = []
    for call in task.calls:
        if call.end < 0:
            continue
        if call.end > span:
            break
        if call.name in _EVENTS:
            yield cause, done
            cause, done = (call if (call.value or 0) > 0 else None), []
        else:
            done.append(call)
    yield cause, done
