"""What each descriptor of a server is, in words: the listener, a connection, a channel, an epoll.

A snapshot of a few processes that belong together, so that both ends of a channel get their names.
"""

from __future__ import annotations

import os
import re
import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from harness import proc, tcp, unix

LISTENER, CONNECTION, CHANNEL, EPOLL, PIDFD = "listener", "connection", "channel", "epoll", "pidfd"
OTHER = "other"
EDGE = 1 << 31
ONE_SHOT = 1 << 30
EXCLUSIVE = 1 << 28
_MASK_NAMES = {
    0x1: "IN", 0x2: "PRI", 0x4: "OUT", 0x2000: "RDHUP", EXCLUSIVE: "EXCLUSIVE",
    ONE_SHOT: "ONESHOT", EDGE: "ET",
}  # fmt: skip
_SHOWN = 8


def mask(events: int) -> str:
    """`IN|OUT|ET`; ERR and HUP are always reported and left out."""
    return "|".join(name for bit, name in _MASK_NAMES.items() if events & bit) or "nothing"


@dataclass(frozen=True)
class Thing:
    """What is behind a descriptor."""

    fd: int
    kind: str
    text: str
    port: int = 0  # of the listener, or of a connection's other end
    process: int = 0  # who is at the other end of a channel, or meant by a pidfd


@dataclass(frozen=True)
class _Tcp:
    listens: bool
    local: str
    peer_port: int
    state: str
    unread: int


class Snapshot:
    """All descriptors of these processes, as they are now."""

    def __init__(self, pids: Sequence[int]) -> None:
        self._tcp = _tcp_sockets(pids[0]) if pids else {}
        self._peers = unix.peers()
        self._holders: dict[int, tuple[int, int]] = {}
        for pid in pids:
            for inode, fd in proc.socket_inodes(pid).items():
                self._holders.setdefault(inode, (pid, fd))

    def of(self, pid: int) -> list[Thing]:
        """A process's descriptors; 0, 1 and 2 only if they are sockets or the like."""
        return [self._thing(pid, fd, what) for fd, what in sorted(proc.descriptors(pid).items())]

    def _thing(self, pid: int, fd: int, what: str) -> Thing:
        if found := re.fullmatch(r"socket:\[(\d+)\]", what):
            return self._socket(pid, fd, int(found[1]))
        if "eventpoll" in what:
            return Thing(fd, EPOLL, _epoll(pid, fd))
        details = proc.read_text(f"/proc/{pid}/fdinfo/{fd}")
        if "pidfd" in what:
            found = re.search(r"^Pid:\s*(-?\d+)", details, re.MULTILINE)
            child = int(found[1]) if found else -1
            return Thing(fd, PIDFD, f"pidfd of process {child}" if child > 0 else
                         "pidfd of a process that has ended", process=child)  # fmt: skip
        if "eventfd" in what:
            found = re.search(r"eventfd-count:\s*(\w+)", details)
            count = int(found[1], 16) if found else 0
            return Thing(fd, OTHER, f"eventfd, {'readable' if count else 'nothing to read'}")
        return Thing(fd, OTHER, re.sub(r"^anon_inode:|:?\[\d*\]?", "", what).strip("[]"))

    def _socket(self, pid: int, fd: int, inode: int) -> Thing:
        blocking = "" if proc.descriptor_flags(pid, fd) & os.O_NONBLOCK else ", blocking"
        if row := self._tcp.get(inode):
            if row.listens:
                waiting = f"{row.unread} in the backlog" if row.unread else "nobody in the backlog"
                text = f"listener at {row.local}, {waiting}{blocking}"
                return Thing(fd, LISTENER, text, port=int(row.local.rpartition(":")[2]))
            state = "" if row.state == "ESTABLISHED" else f", {row.state}"
            unread = f", {row.unread:,} bytes unread" if row.unread else ""
            text = f"connection from port {row.peer_port}{state}{unread}{blocking}"
            return Thing(fd, CONNECTION, text, port=row.peer_port)
        if inode in self._peers:
            other, number = self._holders.get(self._peers[inode], (0, 0))
            text = f"channel to process {other}, fd {number} there" if other else "channel"
            return Thing(fd, CHANNEL, text + blocking, process=other)
        return Thing(fd, OTHER, f"socket, not TCP{blocking}")


def _epoll(pid: int, epoll: int) -> str:
    interests = proc.interests(pid, epoll)
    if not interests:
        return "epoll, watches nothing"
    by_mask: dict[str, list[int]] = {}
    for each in interests:
        by_mask.setdefault(mask(each.events), []).append(each.fd)
    return "epoll, watches " + "; ".join(
        f"fd {numbers(fds)} for {name} ({'edge' if '|ET' in name else 'level'}-triggered)"
        for name, fds in by_mask.items()
    )


def numbers(values: Sequence[int]) -> str:
    """`4 5 9`, and how many more there are."""
    shown = " ".join(map(str, sorted(values)[:_SHOWN]))
    return shown + (f" and {len(values) - _SHOWN} more" if len(values) > _SHOWN else "")


def _tcp_sockets(pid: int) -> dict[int, _Tcp]:
    """Inode -> socket, in the network namespace of the process."""
    found = {}
    for name in ("tcp", "tcp6"):
        for line in proc.read_text(f"/proc/{pid}/net/{name}").splitlines()[1:]:
            fields = line.split()
            state = int(fields[3], 16)
            found[int(fields[9])] = _Tcp(
                state == tcp.LISTEN, _address(fields[1]), int(fields[2].rpartition(":")[2], 16),
                tcp.STATES[state], int(fields[4].rpartition(":")[2], 16),
            )  # fmt: skip
    return found


def _address(text: str) -> str:
    """`127.0.0.1:8080` for `0100007F:1F90`: words of four bytes in the machine's order."""
    host, _, port = text.rpartition(":")
    words = [int(host[i : i + 8], 16) for i in range(0, len(host), 8)]
    raw = struct.pack(f"={len(words)}I", *words)
    shown = socket.inet_ntop(socket.AF_INET if len(raw) == 4 else socket.AF_INET6, raw)
    return f"{shown if len(raw) == 4 else f'[{shown}]'}:{int(port, 16)}"
