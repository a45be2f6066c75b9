"""Names for the numbers in /proc/PID/task/TID/syscall: the calls a server waits in."""

from __future__ import annotations

import platform

_X86_64 = {
    0: "read", 1: "write", 7: "poll", 19: "readv", 20: "writev", 23: "select", 34: "pause",
    35: "nanosleep", 40: "sendfile", 43: "accept", 44: "sendto", 45: "recvfrom", 46: "sendmsg",
    47: "recvmsg", 61: "wait4", 72: "fcntl", 73: "flock", 128: "rt_sigtimedwait",
    130: "rt_sigsuspend", 202: "futex", 219: "restart_syscall", 230: "clock_nanosleep",
    232: "epoll_wait", 247: "waitid", 270: "pselect6", 271: "ppoll", 281: "epoll_pwait",
    288: "accept4", 426: "io_uring_enter", 441: "epoll_pwait2",
}  # fmt: skip
_AARCH64 = {
    22: "epoll_pwait", 25: "fcntl", 32: "flock", 63: "read", 64: "write", 65: "readv",
    66: "writev", 71: "sendfile", 72: "pselect6", 73: "ppoll", 95: "waitid", 98: "futex",
    101: "nanosleep", 115: "clock_nanosleep", 128: "restart_syscall", 133: "rt_sigsuspend",
    137: "rt_sigtimedwait", 202: "accept", 206: "sendto", 207: "recvfrom", 211: "sendmsg",
    212: "recvmsg", 242: "accept4", 260: "wait4", 426: "io_uring_enter", 441: "epoll_pwait2",
}  # fmt: skip
_NAMES = {"x86_64": _X86_64, "aarch64": _AARCH64}.get(platform.machine(), {})

ACCEPT = frozenset({"accept", "accept4"})
RECEIVE = frozenset({"read", "readv", "recvfrom", "recvmsg"})
SEND = frozenset({"write", "writev", "sendto", "sendmsg", "sendfile"})
SELECT = frozenset({"select", "pselect6"})
POLL = frozenset({"poll", "ppoll"})
EPOLL = frozenset({"epoll_wait", "epoll_pwait", "epoll_pwait2"})
FUTEX = frozenset({"futex"})
SIGNAL = frozenset({"rt_sigtimedwait", "rt_sigsuspend", "pause"})
SLEEP = frozenset({"nanosleep", "clock_nanosleep"})
CHILD = frozenset({"wait4", "waitid"})


def name(number: int) -> str:
    """`epoll_wait` for 232 on x86-64; `syscall 999` for a call this table does not know."""
    return _NAMES.get(number, f"syscall {number}")
