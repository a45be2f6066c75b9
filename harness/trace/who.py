"""Whom a call is about: descriptors followed from accept to close, across threads and processes.

strace names a socket's peer, but only as long as the peer is there. Who has reset its connection
is known by the books kept here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from harness import syscalls
from harness.trace.calls import END, Call, Socket

BIRTHS = frozenset({"clone", "clone3", "fork", "vfork"})
ACCEPTS = syscalls.ACCEPT
COPIES = frozenset({"dup", "dup2", "dup3", "fcntl", "pidfd_getfd"})  # where they return a socket
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


class Cast:
    """All tasks of a recording, and the client of each of their calls."""

    def __init__(self, logs: dict[int, list[Call]], first: int) -> None:
        self.tasks = {
            number: Task(number, number, calls=calls) for number, calls in logs.items()
        }
        self.first = first
        self._births()
        books = _Books(self)
        for call, returns in self.moments():
            (books.returns if returns else books.begins)(call)
        self._clients = books.clients

    def client(self, call: Call) -> int:
        """The port of the client that a call is about; 0: of none, or of several."""
        return self._clients.get((call.task, call.number), 0)

    def moments(self) -> list[tuple[Call, bool]]:
        """Every call twice, in the order of time: as it begins, and (True) as it returns."""
        found = [
            (moment, call.task, call.number, returns, call)
            for task in self.tasks.values()
            for call in task.calls
            for returns, moment in enumerate((call.start, round(call.end, 6)))
        ]
        found.sort(key=lambda each: each[:4])
        return [(call, bool(returns)) for *_, returns, call in found]

    def _births(self) -> None:
        for task in self.tasks.values():
            for call in task.calls:
                child = self.tasks.get(call.value or 0) if call.name in BIRTHS else None
                if child:
                    child.parent, child.born = task.number, call.start
                    # Who shares its mother's descriptors is a thread of hers, however it was made.
                    flags = _FLAGS.search(call.args)
                    shares = flags is not None and "CLONE_FILES" in flags[1]
                    child.process = -task.number if shares else child.number  # -: as the mother's
                if call.name == END:
                    task.died, task.last_words = call.start, call.args
        for task in self.tasks.values():
            task.process = self._process(task)

    def _process(self, task: Task) -> int:
        while task.process < 0:
            task = self.tasks[-task.process]
        return task.process


class _Books:
    """Which descriptor is whose connection, in each process, from call to call."""

    def __init__(self, cast: Cast) -> None:
        self.clients: dict[tuple[int, int], int] = {}  # by task and number of a call
        self._tasks = cast.tasks
        self._peers: dict[int, dict[int, int]] = {}  # by process and descriptor: the client's port

    def _of(self, call: Call) -> dict[int, int]:
        return self._peers.setdefault(self._tasks[call.task].process, {})

    def begins(self, call: Call) -> None:
        """Whoever a call names as it begins: in its first argument, or as what is sent away."""
        mine = self._of(call)
        if call.name in BIRTHS:
            self._inherits(call)
        about = self._about(call)
        if about and not about.listens:
            self._enter(call, about.peer or mine.get(about.fd, 0))
        if call.name == "close" and call.fd is not None:
            mine.pop(call.fd, None)

    def returns(self, call: Call) -> None:
        """Whoever gets a descriptor by a call: accepted, copied or received."""
        mine = self._of(call)
        if call.made and call.made.peer and call.name in ACCEPTS | COPIES:
            mine[call.made.fd] = call.made.peer
            self._enter(call, call.made.peer)
        elif call.name == "recvmsg":
            mine |= {got.fd: got.peer for got in call.passed if got.peer}

    @staticmethod
    def _about(call: Call) -> Socket | None:
        """The socket that a call is about as it begins, where it is about one."""
        if call.passed:
            return call.passed[0]
        first = call.sockets[0] if call.sockets else None
        if first and call.name not in ACCEPTS and (
            first.fd == call.fd or call.name == "epoll_ctl"
        ):
            return first
        return None

    def _inherits(self, call: Call) -> None:
        """A new process has a copy of its mother's descriptors."""
        child = self._tasks.get(call.value or 0)
        if child and child.process == child.number:
            self._peers[child.process] = dict(self._of(call))

    def _enter(self, call: Call, port: int) -> None:
        if port:
            self.clients[call.task, call.number] = port
