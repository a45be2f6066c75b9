"""What is known of each connection, gathered in one walk through all calls: the ground on which
`verdict` stands."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from harness import syscalls
from harness.trace.calls import Call
from harness.trace.waits import Told, Waits
from harness.trace.who import ACCEPTS, Cast, Task

_READS = syscalls.RECEIVE | {"recvmmsg", "splice"}


@dataclass
class Connection:
    """What became of one connection. Tasks are thread ids."""

    port: int
    accept: Call | None = None
    readers: Counter[int] = field(default_factory=Counter)  # who got bytes, how often
    received: set[int] = field(default_factory=set)  # processes that got it by SCM_RIGHTS
    met: bool = False  # its acceptor had another one open at the same time


class Facts:
    """All connections, and what is true of the server as a whole."""

    def __init__(self, cast: Cast) -> None:
        self.cast = cast
        self.connections: dict[int, Connection] = {}
        self.hidden = False  # io_uring is in use: what goes through it is not seen
        self._waits = Waits(cast)
        self._listened: set[int] = set()  # processes that made a listener
        self._accepting: set[int] = set()  # tasks that called accept(2)
        self._open: dict[int, set[int]] = {}  # by process: accepted, and not closed there
        for call, returns in cast.moments():
            if returns:
                self._waits.returns(call)
                self._returned(call)
            else:
                self._waits.begins(call)
                self._began(call)
        self.served = Counter(who for each in self.connections.values() for who in each.readers)
        self._grown = {cast.tasks[task].process for task in self._grown_tasks()}

    def told(self, it: Connection, reader: Task) -> list[Told]:
        """How its readiness became known: to the reader, or else to a thread beside it that reads
        from nobody itself. Nothing: nobody was told, or it was waited for alone."""
        process = reader.process
        heard = [
            each for each in self._waits.told
            if each.port == it.port and each.counts
            and self.cast.tasks[each.task].process == process
        ]  # fmt: skip
        mine = [each for each in heard if each.task == reader.number]
        return mine or [each for each in heard if each.task not in self.served]

    def rivals(self, acceptor: Task) -> int:
        """How many wait for new clients: processes if there are several, else threads of it."""
        tasks = [self.cast.tasks[task] for task in self._accepting | self._waits.for_clients]
        processes = {task.process for task in tasks}
        threads = [task for task in tasks if task.process == acceptor.process]
        return len(processes) if len(processes) > 1 else len(threads)

    def is_prefork(self, acceptor: Task) -> bool:
        """Whether processes accept for themselves: several of them, or a child of the listener's
        maker."""
        waiting = self._accepting | self._waits.for_clients
        several = len({self.cast.tasks[task].process for task in waiting}) > 1
        return several or bool(self._listened and acceptor.process not in self._listened)

    def has_grown(self, process: int) -> bool:
        """Whether threads of it were born for one connection and have served others, too."""
        return process in self._grown

    def _grown_tasks(self) -> list[int]:
        return [
            task
            for each in self.connections.values()
            for task in each.readers
            if each.accept and self.served[task] > 1
            and self.cast.tasks[task].born > each.accept.end
        ]  # fmt: skip

    def _of(self, port: int) -> Connection:
        return self.connections.setdefault(port, Connection(port))

    def _began(self, call: Call) -> None:
        process = self.cast.tasks[call.task].process
        if call.name in ACCEPTS:
            self._accepting.add(call.task)
        elif call.name == "listen":
            self._listened.add(process)
        elif call.name == "close":
            self._open.get(process, set()).discard(self.cast.client(call))

    def _returned(self, call: Call) -> None:
        port, process = self.cast.client(call), self.cast.tasks[call.task].process
        if call.name == "io_uring_setup" and not call.error:
            self.hidden = True
        elif call.name in ACCEPTS and port:
            self._accepted(call, port, self._open.setdefault(process, set()))
        elif call.name == "recvmsg" and call.passed:
            for each in call.passed:
                if each.peer:
                    self._of(each.peer).received.add(process)
        elif call.name in _READS and port and (call.value or 0) > 0:
            if "MSG_PEEK" not in call.plain:  # who only looks does not read
                self._of(port).readers[call.task] += 1

    def _accepted(self, call: Call, port: int, others: set[int]) -> None:
        it = self._of(port)
        it.accept = call
        for each in map(self._of, others):
            if each.accept and each.accept.task == call.task:
                it.met = each.met = True
        others.add(port)
