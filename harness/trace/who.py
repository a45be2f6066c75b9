"""Whom a call is about: descriptors followed from accept to close, across threads and processes.

strace names a socket's peer, but only as long as the peer is there. Who has reset its connection
is known by the books kept here.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from harness.trace.calls import END, Call

BIRTHS = frozenset({"clone", "clone3", "fork", "vfork"})
ACCEPTS = frozenset({"accept", "accept4"})
PASSES = "SCM_RIGHTS"
_FLAGS = re.compile(r"flags=([A-Z_|0-9x]+)")


@dataclass
class Task:
    """A thread: who made it, in which process it runs, and when it was born and died."""

    number: int
    process: int
    parent: int = 0
    born: float = float("-inf")
    died: float = float("inf")
    last_words: str = ""  # "exited with 0", "killed by SIGKILL"
    calls: list[Call] = field(default_factory=list)

    @property
    def is_thread(self) -> bool:
        """Whether it is a thread beside others, and not its process's first one."""
        return self.number != self.process


@dataclass
class _Books:
    """Which descriptor is whose connection, in one process."""

    peers: dict[int, int] = field(default_factory=dict)


class Cast:
    """All tasks of a recording, and the client of each of their calls."""

    def __init__(self, logs: dict[int, list[Call]], first: int) -> None:
        self.tasks = {
            number: Task(number, number, calls=calls) for number, calls in logs.items()
        }
        self.first = first
        self._births()
        self._clients: dict[tuple[int, int], int] = {}
        self._follow()

    def client(self, call: Call) -> int:
        """The port of the client that a call is about; 0: of none, or of several."""
        return self._clients.get((call.task, call.number), 0)

    def in_order(self) -> Iterator[Call]:
        """All calls of all tasks as they began."""
        return heapq.merge(*(task.calls for task in self.tasks.values()), key=lambda c: c.start)

    def _births(self) -> None:
        for task in self.tasks.values():
            for call in task.calls:
                child = self.tasks.get(call.value or 0) if call.name in BIRTHS else None
                if child:
                    child.parent, child.born = task.number, call.start
                    flags = _FLAGS.search(call.args)
                    child.process = child.number
                    if flags and "CLONE_THREAD" in flags[1]:
                        child.process = -task.number  # known once the parent's is
                if call.name == END:
                    task.died, task.last_words = call.start, call.args
        for task in self.tasks.values():
            task.process = self._process(task)

    def _process(self, task: Task) -> int:
        while task.process < 0:
            task = self.tasks[-task.process]
        return task.process

    def _follow(self) -> None:
        books: dict[int, _Books] = {}
        events = self._events()
        for call, returns in events:
            mine = books.setdefault(self.tasks[call.task].process, _Books()).peers
            if not returns:
                self._begin(call, mine)
                continue
            self._end(call, mine, books)

    def _events(self) -> Iterable[tuple[Call, bool]]:
        """Every call twice: as it begins and as it returns, in the order of time."""
        moments = [
            (moment, order, call.task, call.number, call, bool(order))
            for task in self.tasks.values()
            for call in task.calls
            for order, moment in enumerate((call.start, call.end))
        ]
        moments.sort(key=lambda each: each[:4])
        return [(call, returns) for *_, call, returns in moments]

    def _begin(self, call: Call, mine: dict[int, int]) -> None:
        first = call.sockets[0] if call.sockets else None
        if call.name in ACCEPTS:
            return
        if first and first.fd == call.fd:
            peer = first.peer or (0 if first.listens else mine.get(first.fd, 0))
        elif PASSES in call.args and first:
            peer = first.peer or mine.get(first.fd, 0)
        elif call.name == "epoll_ctl" and first:
            peer = first.peer or mine.get(first.fd, 0)
        else:
            peer = 0
        if peer:
            self._clients[call.task, call.number] = peer
        if call.name == "close" and call.fd is not None:
            mine.pop(call.fd, None)

    def _end(self, call: Call, mine: dict[int, int], books: dict[int, _Books]) -> None:
        if call.name in ACCEPTS and call.made:
            mine[call.made.fd] = call.made.peer
            self._clients[call.task, call.number] = call.made.peer
        elif call.name == "recvmsg" and PASSES in call.args and call.sockets:
            got = call.sockets[0]
            mine[got.fd] = got.peer
            self._clients[call.task, call.number] = got.peer
        elif call.name in BIRTHS and (call.value or 0) in self.tasks:
            child = self.tasks[call.value or 0]
            if child.process == child.number:
                books[child.process] = _Books(dict(mine))
