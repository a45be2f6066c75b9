"""What /proc tells about processes: tasks, the call each waits in, descriptors, memory.

Everything here is a snapshot. A process or thread that ends while it is being read simply is not
in the answer; no function raises for that.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from harness import syscalls

_GONE = (FileNotFoundError, ProcessLookupError, PermissionError, NotADirectoryError)


@dataclass(frozen=True)
class Stat:
    """The fields of /proc/PID/stat that matter here. `start` is in clock ticks since boot."""

    pid: int
    state: str
    parent: int
    group: int
    session: int
    start: int


@dataclass(frozen=True)
class Task:
    """A thread: where it waits, and the first argument (often the descriptor) of that call."""

    pid: int
    tid: int
    state: str
    call: str
    argument: int


@dataclass(frozen=True)
class Interest:
    """One line of an epoll's interest list: descriptor, event mask, user data, inode."""

    fd: int
    events: int
    data: int
    inode: int


def read_text(path: str) -> str:
    """The file's text, or "" if it is gone or may not be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except (*_GONE, OSError):
        return ""


def _numbers_in(path: str) -> list[int]:
    try:
        return sorted(int(entry) for entry in os.listdir(path) if entry.isdigit())
    except _GONE:
        return []


def stat(pid: int, tid: int | None = None) -> Stat | None:
    """None once the process (or the thread `tid`) is gone."""
    text = read_text(f"/proc/{pid}/stat" if tid is None else f"/proc/{pid}/task/{tid}/stat")
    if not text:
        return None
    fields = text[text.rindex(")") + 2 :].split()
    numbers = (int(fields[i]) for i in (1, 2, 3, 19))
    return Stat(pid, fields[0], *numbers)


def all_processes() -> Iterator[Stat]:
    """Every process that this one can see."""
    for pid in _numbers_in("/proc"):
        if found := stat(pid):
            yield found


def children(pid: int) -> list[int]:
    """The direct children, zombies included."""
    found: list[int] = []
    for tid in _numbers_in(f"/proc/{pid}/task"):
        found += map(int, read_text(f"/proc/{pid}/task/{tid}/children").split())
    return sorted(found)


def tree(pid: int) -> list[int]:
    """The process and all its descendants, parents first, zombies included."""
    found = [pid]
    for parent in found:
        found += children(parent)
    return found


def task_ids(pid: int) -> list[int]:
    return _numbers_in(f"/proc/{pid}/task")


def tasks(pid: int) -> list[Task]:
    """The threads of a process. `call` is "running" for one that is not waiting in the kernel."""
    found = []
    for tid in task_ids(pid):
        status = stat(pid, tid)
        if status is None:
            continue
        call, argument = _waiting(read_text(f"/proc/{pid}/task/{tid}/syscall"))
        found.append(Task(pid, tid, status.state, call, argument))
    return found


def _waiting(line: str) -> tuple[str, int]:
    fields = line.split()
    if len(fields) < 2 or not fields[0].isdigit():
        return ("running" if fields[:1] == ["running"] else "unknown"), -1
    return syscalls.name(int(fields[0])), int(fields[1], 16)


class Effort(NamedTuple):
    """Summed over a process's threads."""

    wanted: int  # nanoseconds on a CPU or waiting for one
    turns: int  # times put on a CPU
    ran: int  # nanoseconds on a CPU


def effort(pid: int) -> Effort:
    """What a process has asked of the CPUs since it began, and what it got."""
    ran = waited = turns = 0
    for tid in task_ids(pid):
        fields = read_text(f"/proc/{pid}/task/{tid}/schedstat").split()
        if len(fields) == 3:
            ran += int(fields[0])
            waited += int(fields[1])
            turns += int(fields[2])
    return Effort(ran + waited, turns, ran)


def descriptors(pid: int) -> dict[int, str]:
    """Descriptor -> what it is: `socket:[4242]`, `anon_inode:[eventpoll]`, `/dev/null`."""
    found = {}
    for fd in _numbers_in(f"/proc/{pid}/fd"):
        try:
            found[fd] = os.readlink(f"/proc/{pid}/fd/{fd}")
        except _GONE:
            continue
    return found


def socket_inodes(pid: int) -> dict[int, int]:
    """Inode -> descriptor, for the sockets of a process."""
    return {
        int(target[8:-1]): fd
        for fd, target in descriptors(pid).items()
        if target.startswith("socket:[")
    }


def epolls(pid: int) -> list[int]:
    """The process's epoll descriptors."""
    return [fd for fd, target in descriptors(pid).items() if "eventpoll" in target]


def interests(pid: int, epoll: int) -> list[Interest]:
    """What an epoll instance waits for. Bit 31 of `events` is EPOLLET."""
    found = []
    for line in read_text(f"/proc/{pid}/fdinfo/{epoll}").splitlines():
        words = line.replace(":", " ").split()
        if words[:1] == ["tfd"]:
            named = dict(zip(words[::2], words[1::2], strict=False))
            found.append(
                Interest(
                    fd=int(named["tfd"]),
                    events=int(named["events"], 16),
                    data=int(named["data"], 16),
                    inode=int(named["ino"], 16),
                )
            )
    return found


def descriptor_flags(pid: int, fd: int) -> int:
    """The open flags (O_NONBLOCK, O_CLOEXEC, ...), 0 if the descriptor is gone."""
    for line in read_text(f"/proc/{pid}/fdinfo/{fd}").splitlines():
        if line.startswith("flags:"):
            return int(line.split()[1], 8)
    return 0


def status(pid: int) -> dict[str, str]:
    """/proc/PID/status as a dictionary: Threads, SigIgn, VmRSS, ..."""
    lines = read_text(f"/proc/{pid}/status").splitlines()
    return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}


def memory(pid: int) -> int:
    """Proportional set size in bytes: memory shared with others counts by its share."""
    for line in read_text(f"/proc/{pid}/smaps_rollup").splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0


def environment_has(pid: int, entry: str) -> bool:
    """Whether the process was started with `entry` (NAME=VALUE) in its environment."""
    try:
        return entry.encode() in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except (*_GONE, OSError):
        return False
