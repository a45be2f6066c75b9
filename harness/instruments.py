"""Barriers and oracles: how a check knows that something has happened, without sleeping.

`frozen` stops a server, so that everything done meanwhile reaches it in one wake-up. `quiet` waits
until nothing moves any more. `consumed` waits until the server has read what it was sent.
`wanted` measures how much CPU a server asks for: a number that other load does not change.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness import proc, tcp, xray
from harness.client import Client
from harness.clock import ExpiredError, happens, observe, until
from harness.findings import Finding, transcript
from harness.server import Server

SPINS = 0.25  # a thread that wants more of a CPU than this, with nothing to do, is spinning
_RUNS = 0.03  # and has run for more than this
_STILL_SECONDS = 0.05
_WATCH_SECONDS = 0.3
_SLEEP_SECONDS = 0.25
_ASLEEP = "STtZX"


@contextlib.contextmanager
def frozen(server: Server, pids: Sequence[int] = ()) -> Iterator[None]:
    """Stop the whole server, or only `pids`, for the length of a `with` block (D1)."""
    transcript.note("harness", "SIGSTOP to the server")
    stopped: list[int] = []
    try:
        while fresh := [pid for pid in pids or server.tree() if pid not in stopped]:
            stopped += fresh
            for pid in fresh:
                _signal(pid, signal.SIGSTOP)
            until(lambda: all(_is_stopped(pid) for pid in stopped))
        yield
    finally:
        transcript.note("harness", "SIGCONT to the server")
        for pid in stopped:
            _signal(pid, signal.SIGCONT)


def _is_stopped(pid: int) -> bool:
    return all(task.state in "TtZX" for task in proc.tasks(pid))


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def consumed(server: Server, client: Client) -> None:
    """Wait until the server has read every byte that `client` sent (D13)."""

    def read_all() -> bool:
        row = tcp.connection(server.port, client.port)
        if row is None:
            return True  # closed: nothing will be read any more
        arrived = row.received is None or row.received >= client.sent
        return arrived and row.unread == 0 and row.inode != 0

    try:
        until(read_all)
    except ExpiredError:
        raise Finding(f"the server does not read on: {server.facts(client.port)}") from None


def accepted(server: Server, *clients: Client) -> None:
    """Wait until the server has taken all these connections out of the backlog."""
    for client in clients:

        def taken(port: int = client.port) -> bool:
            row = tcp.connection(server.port, port)
            return row is None or row.inode != 0

        if not happens(taken):
            raise Finding(server.facts(client.port))


def quiet(server: Server, seconds: float = 8.0) -> None:
    """Wait until every thread sleeps and none has run for 50 ms (D2)."""

    def still() -> bool:
        before = _activity(server)
        if any(task.state not in _ASLEEP for task in _tasks(server)):
            return False
        observe(_STILL_SECONDS)
        return _activity(server) == before

    try:
        until(still, seconds)
    except ExpiredError:
        raise Finding(f"the server does not come to rest: {xray.brief(server.pid)}") from None


def _tasks(server: Server) -> list[proc.Task]:
    return [task for pid in server.tree() for task in proc.tasks(pid)]


def _activity(server: Server) -> dict[int, proc.Effort]:
    return {pid: proc.effort(pid) for pid in server.tree()}


def at_rest(server: Server, clients: Sequence[Client]) -> None:
    """When nothing moves, nothing may be left to do: no backlog, no unread bytes (D2)."""
    quiet(server)
    listener = tcp.listener(server.port)
    if listener and listener.unread:
        raise Finding(
            f"{listener.unread} connections wait in the backlog, while the server sleeps: "
            f"{xray.brief(server.pid)}",
            hint="Whoever woke the server up was not the only one: does it go on accepting "
            "until there is nobody left?",
        )
    for client in clients:
        row = tcp.connection(server.port, client.port)
        if row and row.unread:
            raise Finding(
                f"{row.unread:,} bytes lie unread in a receive queue, while the server sleeps: "
                f"{xray.brief(server.pid)}",
                hint="The kernel has told the server once that there are bytes. Did it stop "
                "reading before there were none left, and forget to come back?",
            )


@dataclass(frozen=True)
class Wanted:
    """What the server asked for in a time with nothing to do (D3)."""

    share: float  # of one CPU: run time and time spent waiting for a CPU
    ran: float  # of one CPU: run time alone
    turns: int  # how often its threads were put on a CPU


def wanted(server: Server, seconds: float = _WATCH_SECONDS) -> Wanted:
    """Watch for `seconds` how much CPU the server wants, whether it gets it or not."""
    before = _activity(server)
    observe(seconds)
    after = _activity(server)
    spent = turns = ran = 0
    for pid, now in after.items():
        then = before.get(pid, proc.Effort(0, 0, 0))
        spent += max(0, now.wanted - then.wanted)
        turns += max(0, now.turns - then.turns)
        ran += max(0, now.ran - then.ran)
    return Wanted(spent / 1e9 / seconds, ran / 1e9 / seconds, turns)


def not_spinning(server: Server, while_doing: str, most: float = SPINS) -> None:
    """Require that the server does not burn a CPU (`while_doing` completes the sentence).

    Who spins always wants a CPU, and gets its part even of a crowded one. Who wakes up now and then
    may wait long for a CPU on a busy machine, and that is not its fault; but it hardly runs. `most`
    is the share of one CPU that it may want.
    """
    seen = wanted(server)
    if seen.share > most and seen.ran > _RUNS:
        raise Finding(
            f"the server wants {seen.share:.0%} of a CPU {while_doing}: {xray.brief(server.pid)}",
            expected="it sleeps until something happens",
        )


def sleeps(server: Server, while_doing: str) -> None:
    """Require that the server, once quiet, is hardly ever woken (D3, strict)."""
    quiet(server)
    seen = wanted(server, _SLEEP_SECONDS)
    if seen.turns > 3:
        raise Finding(
            f"threads were put on a CPU {seen.turns} times in {_SLEEP_SECONDS} s {while_doing}: "
            f"{xray.brief(server.pid)}",
            expected="nothing runs until something happens or a deadline comes",
        )


@dataclass(frozen=True)
class Census:
    """What a server holds on to (D5)."""

    processes: int
    threads: int
    descriptors: int
    sockets: int
    zombies: int

    def __str__(self) -> str:
        one = {"processes": "process"}  # the others end in -s
        return ", ".join(
            f"{count} {what if count != 1 else one.get(what, what[:-1])}"
            for what, count in vars(self).items()
        )


def census(server: Server) -> Census:
    """Count processes, threads, descriptors, sockets and zombies of the whole tree."""
    states = [found for pid in proc.tree(server.pid) if (found := proc.stat(pid))]
    living = [each.pid for each in states if each.state not in "ZX"]
    held = [proc.descriptors(pid) for pid in living]
    return Census(
        processes=len(living),
        threads=sum(len(proc.task_ids(pid)) for pid in living),
        descriptors=sum(map(len, held)),
        sockets=sum(target.startswith("socket:") for each in held for target in each.values()),
        zombies=len(states) - len(living),
    )


def returns_to(server: Server, before: Census, after_what: str) -> None:
    """Wait until the server holds no more than `before`; a Finding says what stays, or that it
    died meanwhile: then nothing is left, and that is no leak."""
    back = happens(lambda: not server.alive() or census(server) == before)
    if not server.alive():
        raise Finding(f"the server died: {server.end_text()}")
    if not back:
        rows = [row.state_name for row in tcp.table(server.port) if row.state != tcp.LISTEN]
        states = f"; its connections: {', '.join(rows[:8])}" if rows else ""
        now = census(server)
        raise Finding(
            f"{after_what} it holds {now}{states}",
            expected=f"as before: {before}",
            hint=_of_what_stays(before, now, rows),
        )


def _of_what_stays(before: Census, now: Census, states: Sequence[str]) -> str:
    """What a leak usually means; nothing where the check itself knows better."""
    if "CLOSE_WAIT" in states:
        return (
            "CLOSE_WAIT: the client has closed, recv() has said so (or will say so) with 0, and "
            "nobody has closed this end."
        )
    if now.zombies > before.zombies:
        return "A zombie is a child that has ended and that nobody has waited for: waitpid()."
    return ""


def memory(server: Server) -> int:
    """Bytes of memory of all processes together; shared pages count once.

    Always 0 under a sanitizer, which keeps what was freed: nothing can be said then.
    """
    if server.target.sanitizers:
        return 0
    return sum(map(proc.memory, server.tree()))


@contextlib.contextmanager
def no_free_descriptor(*pids: int) -> Iterator[None]:
    """Lower RLIMIT_NOFILE of running processes so that their next descriptor fails (D9)."""
    transcript.note("harness", "sets RLIMIT_NOFILE so that the next descriptor fails (EMFILE)")
    before = {}
    try:
        for pid in pids:
            held = proc.descriptors(pid)
            lowest_free = next(fd for fd in range(len(held) + 1) if fd not in held)
            before[pid] = resource.prlimit(pid, resource.RLIMIT_NOFILE)
            _, hard = before[pid]
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (lowest_free, hard))
        yield
    finally:
        transcript.note("harness", "gives RLIMIT_NOFILE back")
        for pid, limits in before.items():
            with contextlib.suppress(ProcessLookupError):
                resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)


def responsible_for(server: Server, client: Client) -> list[int]:
    """The processes that hold the server's end of a client's connection."""
    row = tcp.connection(server.port, client.port)
    if row is None or row.inode == 0:
        return []
    return [pid for pid in server.tree() if row.inode in proc.socket_inodes(pid)]
