"""Servers with several processes."""

from __future__ import annotations

import array
import fcntl
import os
import select
import signal
import socket
import subprocess
import tempfile
from collections.abc import Callable

from harness.tests.tracing.loops import Loop, epoll_loop
from harness.tests.tracing.talk import converse, listening, ready

WORKERS = 3
CLIENTS = 8  # at once, at most: so many workers where each serves one at a time
_SHELL = r"""
end=$(printf '\r')
while read -r line && [ "$line" != "$end" ]; do :; done
printf 'HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\nHello, World!'
"""


def child(work: Callable[[], object]) -> int:
    """Fork, and let the child work until it ends."""
    if pid := os.fork():
        return pid
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    work()
    os._exit(0)


def _serve_in_a_child(listener: socket.socket) -> None:
    connection, _ = listener.accept()

    def work() -> None:
        listener.close()
        converse(connection)

    child(work)
    connection.close()


def process_per_connection() -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    listener = listening()
    while True:
        _serve_in_a_child(listener)


def parent_polls() -> None:
    """A process per connection; the parent waits for clients and for a pipe with poll(2)."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    listener = listening()
    waiting = select.poll()
    for each in (listener, os.pipe()[0]):
        waiting.register(each, select.POLLIN)
    while True:
        if waiting.poll():
            _serve_in_a_child(listener)


def forks_twice() -> None:
    """A process per connection, which is a grandchild, so that nobody has to wait for it."""
    listener = listening()
    while True:
        connection, _ = listener.accept()
        pid = child(lambda: child(lambda: converse(connection)))
        connection.close()
        os.waitpid(pid, 0)


def program_per_connection() -> None:
    """As inetd does: another program for each client, started with vfork(2) and execve(2)."""
    listener = listening()
    while True:
        connection, _ = listener.accept()
        subprocess.Popen(["/bin/sh", "-c", _SHELL], stdin=connection, stdout=connection)
        connection.close()


def workers_accept(number: int = CLIENTS) -> None:
    listener = listening()

    def work() -> None:
        while True:
            converse(listener.accept()[0])

    for _ in range(number):
        child(work)
    signal.pause()


def one_worker_accepts() -> None:
    """The parent only looks after its one child, which serves one client at a time."""
    workers_accept(1)


def workers_take_turns() -> None:
    """Workers of whom only one at a time waits for a client, the others for a lock."""
    listener = listening()

    def work() -> None:
        with open(lock.name) as mine:  # a lock is the open file's, so each opens it anew
            while True:
                fcntl.flock(mine, fcntl.LOCK_EX)
                connection, _ = listener.accept()
                fcntl.flock(mine, fcntl.LOCK_UN)
                converse(connection)

    with tempfile.NamedTemporaryFile() as lock:
        for _ in range(CLIENTS):
            child(work)
        signal.pause()


def workers_loop() -> None:
    """Workers that share the listener, with an epoll loop each."""
    listener = listening(blocking=False)
    for _ in range(WORKERS):
        child(lambda: epoll_loop(listener))
    signal.pause()


def workers_listen() -> None:
    """Workers with a listener and a loop each, all at the same port: SO_REUSEPORT."""
    first = socket.create_server(("127.0.0.1", 0), reuse_port=True)
    first.setblocking(False)
    address = first.getsockname()

    def work() -> None:
        mine = socket.create_server(address, reuse_port=True)
        mine.setblocking(False)
        first.close()
        epoll_loop(mine)

    for _ in range(WORKERS):
        child(work)
    ready(first)
    epoll_loop(first)


# --- descriptors that travel ------------------------------------------------------------------


def _send(channel: socket.socket, connection: socket.socket) -> None:
    rights = array.array("i", [connection.fileno()])
    channel.sendmsg([b"c"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
    connection.close()


def _take(channel: socket.socket) -> socket.socket:
    _, control, _, _ = channel.recvmsg(1, socket.CMSG_SPACE(4))
    return socket.socket(fileno=int.from_bytes(control[0][2][:4], "little"))


def _worker(work: Callable[[socket.socket], object]) -> socket.socket:
    """A worker, and the master's end of its channel."""
    ours, its = socket.socketpair()

    def run() -> None:
        ours.close()
        work(its)

    child(run)
    its.close()
    return ours


def _loops(channel: socket.socket, flags: int = 0) -> None:
    """A worker's loop over its channel and its clients."""
    loop = Loop(flags)
    loop.watch(channel, select.EPOLLIN)
    while True:
        for fd in loop.ready():
            if fd == channel.fileno():
                loop.take(_take(channel))
            else:
                loop.serve(fd)


def _blocks(channel: socket.socket) -> None:
    while True:
        converse(_take(channel))


def _passes(work: Callable[[socket.socket], object], number: int = WORKERS) -> None:
    listener = listening()
    channels = [_worker(work) for _ in range(number)]
    while True:
        for channel in channels:
            _send(channel, listener.accept()[0])


def master_passes() -> None:
    _passes(_loops)


def master_passes_to_edges() -> None:
    _passes(lambda channel: _loops(channel, select.EPOLLET))


def master_passes_to_blocking() -> None:
    """Workers who serve one client at a time, so there have to be many."""
    _passes(_blocks, CLIENTS)


def master_passes_to_newborn() -> None:
    """Each client is passed to a worker that was forked after it had been accepted."""
    listener = listening()
    channels: list[socket.socket] = []
    while True:
        connection, _ = listener.accept()

        def work(channel: socket.socket, copy: socket.socket = connection) -> None:
            copy.close()
            _loops(channel)

        channels.append(_worker(work))
        _send(channels[-1], connection)


def master_reads() -> None:
    """There are workers, but the master serves all clients itself, in a loop."""
    listener = listening(blocking=False)
    channels = [_worker(_loops) for _ in range(WORKERS)]
    epoll_loop(listener)
    del channels


def master_reads_first() -> None:
    """The master reads the first bytes, and passes the connection to who reads the rest."""
    listener = listening()
    channels = [_worker(_loops) for _ in range(WORKERS)]
    while True:
        for channel in channels:
            connection, _ = listener.accept()
            connection.recv(4)
            _send(channel, connection)
