"""Makes a running server's sockets small, so that short writes happen for certain.

A send buffer of the usual size takes whole buffers or nothing, and a server that ignores what
send(2) returns seems to work. The listener's size is inherited by what it accepts (tcp(7)), and
pidfd_getfd(2) lends us the listener.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket

import pytest

from harness import proc, tcp
from harness.client import Client
from harness.findings import Finding, transcript
from harness.server import Server

_PIDFD_OPEN, _PIDFD_GETFD = 434, 438  # the same on all architectures
_libc = ctypes.CDLL(None, use_errno=True)


def narrow_sockets(server: Server, size: int) -> None:
    """Give connections that are accepted from now on a send buffer of about `size` bytes."""
    row = tcp.listener(server.port)
    if row is None:
        raise Finding(f"nobody listens at port {server.port}")
    transcript.note("harness", f"makes the send buffer of new connections {size} bytes")
    _set_buffer(server, row.inode, size)


def narrow_connection(server: Server, client: Client) -> None:
    """Give the first process's end of an accepted connection the smallest send buffer there is."""
    row = tcp.connection(server.port, client.port)
    if row is None:
        raise Finding(server.facts(client.port))
    transcript.note("harness", "makes the send buffer of this connection as small as it can be")
    _set_buffer(server, row.inode, 1)


def _set_buffer(server: Server, inode: int, size: int) -> None:
    fd = proc.socket_inodes(server.pid).get(inode)
    if fd is None:
        raise Finding("the first process does not hold that socket")
    with contextlib.closing(_borrowed(server.pid, fd)) as borrowed:
        borrowed.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, size)


def _borrowed(pid: int, fd: int) -> socket.socket:
    process = _libc.syscall(_PIDFD_OPEN, pid, 0)
    copy = _libc.syscall(_PIDFD_GETFD, process, fd, 0)
    error = ctypes.get_errno()
    if process >= 0:
        os.close(process)
    if copy < 0:
        pytest.skip(f"pidfd_getfd is not allowed here: {os.strerror(error)}")
    return socket.socket(fileno=copy)
