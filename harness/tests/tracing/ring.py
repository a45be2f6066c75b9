"""A server whose system calls say nothing: it accepts and receives through io_uring(7).

The ring is worked by hand, since there is no module for it: a submission is written into shared
memory, one system call sends it and waits, and what became of it is read from shared memory.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import struct

from harness.tests.tracing.talk import REPLY, listening

_SETUP, _ENTER = 425, 426  # system calls, on all machines the same
_ACCEPT, _RECV = 13, 27  # operations
_ENTRIES, _SQES_AT, _GETEVENTS = 64, 0x10000000, 1
_libc = ctypes.CDLL(None, use_errno=True)


class Ring:
    """One io_uring instance."""

    def __init__(self) -> None:
        parameters = ctypes.create_string_buffer(120)
        self._fd = _libc.syscall(_SETUP, _ENTRIES, parameters)
        if self._fd < 0:
            raise OSError(ctypes.get_errno(), "io_uring_setup")
        numbers = struct.unpack("30I", parameters.raw)
        self._sq_tail, self._sq_mask, self._array = numbers[11], numbers[12], numbers[16]
        self._cq_head, self._cq_tail, self._cq_mask = numbers[20:23]
        self._cqes = numbers[25]
        size = max(self._array + 4 * numbers[0], self._cqes + 16 * numbers[1])
        self._ring = mmap.mmap(self._fd, size, mmap.MAP_SHARED)
        self._sqes = mmap.mmap(self._fd, 64 * numbers[0], mmap.MAP_SHARED, offset=_SQES_AT)
        self._new = 0

    def _get(self, at: int) -> int:
        return int(struct.unpack_from("I", self._ring, at)[0])

    def submit(self, operation: int, fd: int, address: int, size: int, tag: int) -> None:
        """Ask for an operation."""
        tail = self._get(self._sq_tail)
        slot = tail & self._get(self._sq_mask)
        entry = struct.pack("<BBHiQQIIQ24x", operation, 0, 0, fd, 0, address, size, 0, tag)
        self._sqes[64 * slot : 64 * slot + 64] = entry
        struct.pack_into("I", self._ring, self._array + 4 * slot, slot)
        struct.pack_into("I", self._ring, self._sq_tail, tail + 1)
        self._new += 1

    def completed(self) -> tuple[int, int]:
        """Wait for one operation: its tag, and what it returned."""
        while self._new or self._get(self._cq_head) == self._get(self._cq_tail):
            _libc.syscall(_ENTER, self._fd, self._new, 1, _GETEVENTS, None, 0)
            self._new = 0
        head = self._get(self._cq_head)
        at = self._cqes + 16 * (head & self._get(self._cq_mask))
        tag, result = struct.unpack_from("Qi", self._ring, at)
        struct.pack_into("I", self._ring, self._cq_head, head + 1)
        return tag, result


def everything_through_a_ring() -> None:
    listener = listening()
    ring = Ring()
    buffers: dict[int, ctypes.Array[ctypes.c_char]] = {}

    def receive_from(fd: int) -> None:
        buffer = buffers.setdefault(fd, ctypes.create_string_buffer(4096))
        ring.submit(_RECV, fd, ctypes.addressof(buffer), 4096, fd)

    ring.submit(_ACCEPT, listener.fileno(), 0, 0, 0)
    while True:
        fd, result = ring.completed()
        if fd == 0:
            ring.submit(_ACCEPT, listener.fileno(), 0, 0, 0)
            receive_from(result)
        elif result > 0:
            os.write(fd, REPLY)
            receive_from(fd)
        else:
            os.close(fd)


def reads_through_a_ring() -> None:
    """One client at a time: accept(2) is an ordinary call, only the reading is not seen."""
    listener = listening()
    ring = Ring()
    buffer = ctypes.create_string_buffer(4096)
    while True:
        connection, _ = listener.accept()
        with connection:
            while True:
                ring.submit(_RECV, connection.fileno(), ctypes.addressof(buffer), 4096, 1)
                if ring.completed()[1] <= 0:
                    break
                connection.sendall(REPLY)
