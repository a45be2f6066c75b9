"""Lines of `strace -ff -ttt -T -yy` as values.

With -ff each thread has a file of its own, so no call is torn apart by another thread's; with -yy
a TCP descriptor is written with both its addresses, and the peer's port tells which client it is,
in any thread and in any process.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

_LINE = re.compile(r"^(-?\d+\.\d+) (\w+)\((.*)$")
_RESULT = re.compile(r"^(.*)\)\s+= (.*?)(?: <(\d+\.\d+)>)?$")
_END = re.compile(r"^(-?\d+\.\d+) \+\+\+ (.*) \+\+\+$")
_TCP = re.compile(r"(\d+)<TCP(?:v6)?:\[(.*?)\]>(?=[,)\s}\]]|$)")
_PEER = re.compile(r"->.*:(\d+)$")
_NUMBER = re.compile(r"-?\d+")
_ERROR = re.compile(r"(?:-1|\?) (E\w+)")
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
_RIGHTS = re.compile(r"cmsg_type=SCM_RIGHTS, cmsg_data=\[(.*?)\]\}")
END = "end"  # the name of the last "call" of a task: its args say how it ended


@dataclass(frozen=True)
class Socket:
    """A TCP descriptor as a call names it. `peer` is the client's port; 0: none (a listener), or
    one whose client has gone already."""

    fd: int
    peer: int
    listens: bool


@dataclass(frozen=True)
class Call:
    """One system call. Times in seconds, on the recording's clock."""

    task: int
    start: float
    seconds: float
    name: str
    args: str
    result: str
    number: int = 0  # its place in the task's log

    @property
    def end(self) -> float:
        return self.start + self.seconds

    @cached_property
    def value(self) -> int | None:
        """What it returned; None when it never did, or returned no number."""
        found = _NUMBER.match(self.result)
        return int(found[0]) if found else None

    @cached_property
    def error(self) -> str:
        found = _ERROR.match(self.result)
        return found[1] if found else ""

    @cached_property
    def plain(self) -> str:
        """Its arguments without the bytes that were sent or came: those can say anything."""
        return _QUOTED.sub('""', self.args)

    @cached_property
    def sockets(self) -> tuple[Socket, ...]:
        """The TCP sockets among its arguments."""
        return tuple(_sockets(self.plain))

    @cached_property
    def passed(self) -> tuple[Socket, ...]:
        """The TCP sockets that travel with it as descriptors (SCM_RIGHTS)."""
        return tuple(each for data in _RIGHTS.findall(self.plain) for each in _sockets(data))

    @cached_property
    def made(self) -> Socket | None:
        """The connection that it returned as a new descriptor: accept(2), dup(2)."""
        return next(_sockets(self.result), None)

    @cached_property
    def fd(self) -> int | None:
        """Its first argument, if that is a descriptor."""
        found = re.match(r"(\d+)[<,]", self.args)
        return int(found[1]) if found else None

    def __str__(self) -> str:
        return f"{self.name}({self.args}) = {self.result}"


def _sockets(text: str) -> Iterator[Socket]:
    for fd, inside in _TCP.findall(text):
        peer = _PEER.search(inside)
        yield Socket(int(fd), int(peer[1]) if peer else 0, ":" in inside and not peer)


def parse(task: int, lines: Iterable[str]) -> list[Call]:
    """The calls of one task, in order. A call in which the task ended has no result."""
    calls: list[Call] = []
    for line in lines:
        number = len(calls)
        if ended := _END.match(line):
            calls.append(Call(task, float(ended[1]), 0.0, END, ended[2], "", number))
        elif found := _LINE.match(line):
            start, name, rest = float(found[1]), found[2], found[3]
            whole = _RESULT.match(rest)
            if whole is None or (whole[2] == "?" and not whole[3]):  # it ended in this call
                args = (whole[1] if whole else rest).removesuffix("<unfinished ...>").rstrip(" ,")
                calls.append(Call(task, start, float("inf"), name, args, "?", number))
            else:
                seconds = float(whole[3] or 0.0)
                calls.append(Call(task, start, seconds, name, whole[1], whole[2], number))
    return _with_ends(calls)


def _with_ends(calls: list[Call]) -> list[Call]:
    """Calls that never returned last until the task's end, or until the log's."""
    last = max((call.start for call in calls), default=0.0)
    return [
        call
        if call.seconds != float("inf")
        else Call(call.task, call.start, last - call.start, call.name, call.args, "?", call.number)
        for call in calls
    ]
