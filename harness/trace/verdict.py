"""Which model is it? Said for each connection, from the system calls alone.

Not the word "epoll" in a log makes a server an epoll server. What counts is what became of each
connection: who accepted it, who read from it, was that reader there before, was the connection
waited for together with others, and in which way, was its descriptor passed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from harness import stages, syscalls
from harness.stages import Stage
from harness.trace.calls import Call
from harness.trace.who import ACCEPTS, PASSES, Cast, Task

PREFORK, PRETHREAD = "prefork", "prethread"
UNSEEN, HIDDEN = "unseen", "hidden"
EDGE = "edge-triggered"
LEVEL = "level-triggered"

_SAYS = {
    stages.ITERATIVE: "one client at a time",
    stages.FORK: "a process per connection",
    stages.THREAD: "a thread per connection",
    stages.POOL: "a thread pool",
    stages.SELECT: "one loop over select",
    stages.POLL: "one loop over poll",
    stages.EPOLL: "one loop over epoll",
    stages.HANDOVER: "a master that passes descriptors to workers",
    PREFORK: "processes that accept for themselves",
    PRETHREAD: "threads that accept for themselves",
    UNSEEN: "not served",
    HIDDEN: "hidden by io_uring, cannot be judged",
}


@dataclass(frozen=True)
class Verdict:
    """What the calls say of one connection. Tasks are thread ids, 0: nobody."""

    client: int  # its port
    model: str
    acceptor: int = 0
    reader: int = 0
    reader_is: str = ""  # "thread" or "process", as seen from the acceptor; "": the same task
    born_after: bool = False  # the reader, after the accept
    watched: str = ""  # the call it was waited for with, together with others
    trigger: str = ""  # of epoll: LEVEL or EDGE
    passed: bool = False

    def fits(self, stage: Stage) -> bool:
        """Whether this is how the stage handles a connection."""
        edge = self.trigger == EDGE
        return self.model == stage.model and (
            stage.model != stages.EPOLL or edge == stage.edge_triggered
        )

    def __str__(self) -> str:
        told = _SAYS[self.model]
        return f"{told}, {self.trigger}" if self.model == stages.EPOLL else told

    def evidence(self) -> str:
        """Who accepted, who read, how it was waited for, in a sentence."""
        if not self.acceptor:
            return "nobody accepted it"
        parts = [f"accepted by {self.acceptor}"]
        if self.passed:
            parts.append("passed on by SCM_RIGHTS")
        if not self.reader:
            parts.append("nobody read from it")
        elif self.reader == self.acceptor:
            parts.append("read by the same")
        else:
            age = "born after the accept" if self.born_after else "that was there before"
            parts.append(f"read by {self.reader}, a {self.reader_is} {age}")
        if self.watched:
            parts.append(f"waited for in {self.watched} together with others")
        return ", ".join(parts)


@dataclass
class _Facts:
    """What is known of one connection."""

    accept: Call | None = None
    readers: Counter[int] = field(default_factory=Counter)
    passed: bool = False


@dataclass
class _Set:
    """An epoll instance, or what a task lists in its poll or select."""

    members: set[int] = field(default_factory=set)  # ports
    others: bool = False  # a listener, or another descriptor that brings connections
    edges: set[int] = field(default_factory=set)

    def shared(self, port: int) -> bool:
        """Whether the connection is waited for together with somebody else."""
        return port in self.members and (self.others or len(self.members) > 1)


def verdicts(cast: Cast, ports: Iterable[int]) -> list[Verdict]:
    """One for each client, in the given order."""
    return _Judge(cast).all(list(ports))


def summary(found: list[Verdict]) -> str:
    """In a line: what most connections say, and how many of them."""
    if not found:
        return "no connection to judge"
    (most, count), *_ = Counter(map(str, found)).most_common()
    return f"{most} ({count} of {len(found)} connections)"


class _Judge:
    def __init__(self, cast: Cast) -> None:
        self.cast = cast
        self.facts: dict[int, _Facts] = {}
        self.sets: dict[tuple[int, str, int], _Set] = {}  # process or task, call, epoll's fd
        self.waiting: set[int] = set()  # tasks that wait for the listener
        self.hidden = False
        for call in cast.in_order():
            self._note(call)
        self.served = Counter(
            reader for facts in self.facts.values() for reader in facts.readers
        )

    def all(self, ports: list[int]) -> list[Verdict]:
        found = [self._verdict(port) for port in ports]
        # A pool that grows when it has to: its threads are born for a client, but outlive it.
        grown = any(
            each.model == stages.THREAD and self.served[each.reader] > 1 for each in found
        )
        if not grown:
            return found
        return [
            Verdict(**{**vars(each), "model": stages.POOL})
            if each.model == stages.THREAD
            else each
            for each in found
        ]

    def _note(self, call: Call) -> None:
        task = self.cast.tasks[call.task]
        port = self.cast.client(call)
        name = call.name
        if name == "io_uring_setup" and not call.error:
            self.hidden = True
        elif name in ACCEPTS:
            self.waiting.add(call.task)
            if port:
                self.facts.setdefault(port, _Facts()).accept = call
        elif PASSES in call.args and port:
            self.facts.setdefault(port, _Facts()).passed = True
        elif name == "epoll_ctl":
            self._watch(call, task, port)
        elif name in syscalls.SELECT | syscalls.POLL:
            self._list(call)
        elif name in syscalls.RECEIVE and port and (call.value or 0) > 0:
            self.facts.setdefault(port, _Facts()).readers[call.task] += 1

    def _watch(self, call: Call, task: Task, port: int) -> None:
        if "EPOLL_CTL_DEL" in call.args or call.error:
            return
        instance = self.sets.setdefault((task.process, "epoll", call.fd or 0), _Set())
        if port:
            instance.members.add(port)
            (instance.edges.add if "EPOLLET" in call.args else instance.edges.discard)(port)
        elif any(socket.listens for socket in call.sockets) or "<UNIX" in call.args:
            instance.others = True

    def _list(self, call: Call) -> None:
        kind = "select" if call.name in syscalls.SELECT else "poll"
        listed = self.sets.setdefault((call.task, kind, 0), _Set())
        peers = {socket.peer for socket in call.sockets if socket.peer}
        listens = any(socket.listens for socket in call.sockets)
        # Waiting for one connection alone, with a timeout, is blocking on it, and no loop.
        if listens or len(peers) > 1:
            listed.members |= peers
            listed.others |= listens

    def _watched(self, port: int, reader: Task) -> tuple[str, str]:
        for (owner, kind, _), each in self.sets.items():
            if owner in (reader.process, reader.number) and each.shared(port):
                trigger = EDGE if port in each.edges else LEVEL
                return kind, trigger if kind == "epoll" else ""
        return "", ""

    def _verdict(self, port: int) -> Verdict:
        facts = self.facts.get(port)
        if facts is None or facts.accept is None or not facts.readers:
            accepted = facts.accept.task if facts and facts.accept else 0
            return Verdict(port, HIDDEN if self.hidden else UNSEEN, accepted)
        acceptor = self.cast.tasks[facts.accept.task]
        reader = self.cast.tasks[facts.readers.most_common(1)[0][0]]
        watched, trigger = self._watched(port, reader)
        same_process = acceptor.process == reader.process
        after = reader.born > facts.accept.start + facts.accept.seconds - 1e-6
        if facts.passed:
            model = stages.HANDOVER
        elif reader is not acceptor:
            model = _of_two(same_process, after)
        else:
            model = self._of_one(acceptor, watched)
        return Verdict(
            port, model, acceptor.number, reader.number,
            "" if reader is acceptor else "thread" if same_process else "process",
            after, watched, trigger, facts.passed,
        )  # fmt: skip

    def _of_one(self, acceptor: Task, watched: str) -> str:
        """The model of a connection that is read by whoever accepted it."""
        rivals = {self.cast.tasks[task].process for task in self.waiting}
        if len(rivals) > 1:
            return PREFORK
        if len(self.waiting) > 1:
            return PRETHREAD
        return watched or stages.ITERATIVE


def _of_two(same_process: bool, after: bool) -> str:
    """The model of a connection that one task accepted and another one reads."""
    if not same_process:
        return stages.FORK if after else UNSEEN
    return stages.THREAD if after else stages.POOL
