"""Who waits for whom: select, poll and epoll, with what they watch and what they tell.

That a connection lies in some set proves nothing: it may be a set that nobody ever asks. Here
counts what the kernel told: this connection is ready, to this thread, by this call. And a set
with one connection alone, as for a timeout, is no loop: there have to be others in it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from harness import syscalls
from harness.trace.calls import Call
from harness.trace.who import BIRTHS, Cast

SELECT, POLL, EPOLL = "select", "poll", "epoll"
EDGE, LEVEL = "edge-triggered", "level-triggered"

_KINDS = {
    **dict.fromkeys(syscalls.SELECT, SELECT),
    **dict.fromkeys(syscalls.POLL, POLL),
    **dict.fromkeys(syscalls.EPOLL, EPOLL),
}
_LISTED = re.compile(r"\b(\d+)<")
_READY = re.compile(r"\b(?:in|out|except) \[([\d ]*)\]")  # what select returned
_REVENTS = re.compile(r"\bfd=(\d+)")  # what poll returned
_DATA = re.compile(r"\bdata=(\{[^}]*\}|\w+)")


@dataclass(frozen=True)
class _Member:
    """A descriptor in a set. `port` is its client's; 0: it is no connection."""

    port: int
    brings: bool = False  # it is a listener
    data: str = ""  # of epoll: what the kernel says instead of the descriptor
    trigger: str = ""


@dataclass
class _Set:
    """An epoll instance, or what one task lists for select or poll, by descriptor."""

    members: dict[int, _Member] = field(default_factory=dict)
    crowded: bool = False  # it has held two connections at once

    def put(self, fd: int, member: _Member) -> None:
        self.members[fd] = member
        ports = {each.port for each in self.members.values() if each.port}
        self.crowded = self.crowded or len(ports) > 1

    def alone(self, port: int) -> bool:
        """Whether a connection is waited for without anybody else."""
        return not any(m.brings or m.port not in (0, port) for m in self.members.values())


@dataclass(frozen=True)
class Told:
    """A task heard that a connection is ready."""

    task: int
    port: int
    kind: str  # SELECT, POLL or EPOLL
    trigger: str  # EDGE or LEVEL, for EPOLL
    alone: bool  # it waited for nobody else at that moment
    by: _Set

    @property
    def counts(self) -> bool:
        """Whether that is a loop's way: to wait for several at once. (An epoll instance, or a
        list, that once held two connections is a loop's, also while it has only one.)"""
        return not self.alone or self.by.crowded


class Waits:
    """All sets, kept up to date from call to call."""

    def __init__(self, cast: Cast) -> None:
        self.told: list[Told] = []
        self.for_clients: set[int] = set()  # tasks that have waited for new clients
        self._cast = cast
        self._epolls: dict[tuple[int, int], _Set] = {}  # by process and descriptor
        self._lists: dict[tuple[int, str], _Set] = {}  # by task and kind
        self._channels: set[tuple[int, int]] = set()  # process and descriptor

    def begins(self, call: Call) -> None:
        """What a call changes, or asks for."""
        if call.name == "epoll_ctl" and not call.error:
            self._register(call)
        elif call.name == "close" and call.fd is not None:
            self._forget(call)
        elif call.name in BIRTHS:
            self._inherits(call)
        elif call.name in _KINDS:
            asked = self._asked(call)
            if any(each.brings for each in asked.members.values()):
                self.for_clients.add(call.task)

    def returns(self, call: Call) -> None:
        """What a call has made, or told."""
        process = self._cast.tasks[call.task].process
        if call.name.startswith("epoll_create") and call.value is not None:
            self._epolls[process, call.value] = _Set()
        elif call.name == "recvmsg" and call.passed and call.fd is not None:
            self._channels.add((process, call.fd))
        elif call.name in _KINDS and (call.value or 0) > 0:
            self._tells(call)

    def _register(self, call: Call) -> None:
        instance = self._instance(call)
        fd = next((int(each) for each in _LISTED.findall(call.plain)[1:]), None)
        if fd is None:
            return
        if "EPOLL_CTL_DEL" in call.plain:
            instance.members.pop(fd, None)
            return
        data = _DATA.search(call.plain)
        trigger = EDGE if "EPOLLET" in call.plain else LEVEL
        brings = any(socket.listens for socket in call.sockets)
        port = self._cast.client(call)
        instance.put(fd, _Member(port, brings, data[1] if data else "", trigger))

    def _forget(self, call: Call) -> None:
        """A closed descriptor is in no set any more."""
        process = self._cast.tasks[call.task].process
        self._channels.discard((process, call.fd or 0))
        for (owner, _), instance in self._epolls.items():
            if owner == process:
                instance.members.pop(call.fd or 0, None)

    def _inherits(self, call: Call) -> None:
        """A new process has the epoll descriptors of its mother: the same instances."""
        mother, child = self._cast.tasks[call.task], self._cast.tasks.get(call.value or 0)
        if child and child.process == child.number:
            for (owner, fd), instance in list(self._epolls.items()):
                if owner == mother.process:
                    self._epolls[child.process, fd] = instance

    def _instance(self, call: Call) -> _Set:
        process = self._cast.tasks[call.task].process
        return self._epolls.setdefault((process, call.fd or 0), _Set())

    def _asked(self, call: Call) -> _Set:
        """The set that a call waits for."""
        kind = _KINDS[call.name]
        if kind == EPOLL:
            return self._instance(call)
        listed = self._lists.setdefault((call.task, kind), _Set())
        listed.members.clear()
        sockets = {socket.fd: socket for socket in call.sockets}
        for fd in map(int, _LISTED.findall(call.plain)):
            socket = sockets.get(fd)
            if socket is None:
                listed.put(fd, _Member(0))
            else:
                listed.put(fd, _Member(socket.peer, socket.listens))
        return listed

    def _tells(self, call: Call) -> None:
        process, kind = self._cast.tasks[call.task].process, _KINDS[call.name]
        asked = self._asked(call)
        for fd in _ready(call, asked):
            member = asked.members.get(fd)
            if member and member.port:
                channel = any((process, other) in self._channels for other in asked.members)
                alone = asked.alone(member.port) and not channel
                self.told.append(
                    Told(call.task, member.port, kind, member.trigger, alone, asked)
                )


def _ready(call: Call, asked: _Set) -> list[int]:
    """The descriptors that a wait has returned as ready."""
    kind = _KINDS[call.name]
    if kind == SELECT:
        return [int(fd) for found in _READY.findall(call.result) for fd in found.split()]
    if kind == POLL:
        return [int(fd) for fd in _REVENTS.findall(call.result)]
    names = set(_DATA.findall(call.plain))
    return [fd for fd, member in asked.members.items() if member.data in names]
