"""Runs a program that cannot make processes: for it fork() fails with EAGAIN, as at the limit.

Nor can it signal every process there is, which is what kill(fork(), SIGTERM) does then. Both by a
filter of system calls, see seccomp(2); nobody needs to be root for that.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct
import sys

_CALLS = {  # the numbers of fork, vfork, clone and clone3, as far as there are; that of kill
    "x86_64": ((57, 58, 56, 435), 62),
    "aarch64": ((220, 435), 129),
}
_LOAD, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x15, 0x06  # seccomp(2)'s little machine
_NUMBER, _FIRST_ARGUMENT = 0, 16  # where in seccomp_data
_ALLOW, _EAGAIN, _EPERM = 0x7FFF0000, 0x0005000B, 0x00050001
_PR_SET_SECCOMP, _FILTER, _PR_SET_NO_NEW_PRIVS = 22, 2, 38


def possible() -> bool:
    """Whether the numbers of this machine's system calls are known here."""
    return platform.machine() in _CALLS


def wrapper() -> tuple[str, ...]:
    """What to put before a command."""
    return sys.executable, __file__


def _rule(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("HBBI", code, if_true, if_false, value)


def _rules(forks: tuple[int, ...], kill: int) -> bytes:
    rules = [_rule(_LOAD, _NUMBER)]
    for number in forks:
        rules += [_rule(_JUMP_IF_EQUAL, number, 0, 1), _rule(_RETURN, _EAGAIN)]
    rules += [
        _rule(_JUMP_IF_EQUAL, kill, 0, 3),
        _rule(_LOAD, _FIRST_ARGUMENT),
        _rule(_JUMP_IF_EQUAL, 0xFFFFFFFF, 0, 1),
        _rule(_RETURN, _EPERM),
        _rule(_RETURN, _ALLOW),
    ]
    return b"".join(rules)


def main() -> None:
    code = ctypes.create_string_buffer(_rules(*_CALLS[platform.machine()]))
    program = struct.pack("HxxxxxxP", (len(code) - 1) // 8, ctypes.addressof(code))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(
        _PR_SET_SECCOMP, _FILTER, program, 0, 0
    ):
        sys.exit(f"no filter of system calls: {os.strerror(ctypes.get_errno())}")
    os.execv(sys.argv[1], sys.argv[1:])


if __name__ == "__main__":
    main()
