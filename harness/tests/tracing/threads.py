"""Servers with several threads in one process."""

from __future__ import annotations

import os
import queue
import select
import socket
import threading
from collections.abc import Callable

from harness.tests.tracing.talk import answer, converse, listening, receive

WORKERS = 8


def begin(target: Callable[..., object], *args: object) -> None:
    threading.Thread(target=target, args=args, daemon=True).start()


def thread_per_connection(receive_: Callable[[socket.socket], bytes] = receive) -> None:
    listener = listening()
    while True:
        begin(converse, listener.accept()[0], receive_)


def unused_epoll() -> None:
    """An edge-triggered epoll that nobody asks, beside a thread per connection."""
    unused = select.epoll()
    listener = listening()
    unused.register(listener, select.EPOLLIN | select.EPOLLET)
    while True:
        begin(converse, listener.accept()[0])


def registered_in_vain() -> None:
    """The same, and each connection is registered there."""
    unused = select.epoll()
    listener = listening()
    while True:
        connection, _ = listener.accept()
        unused.register(connection, select.EPOLLIN | select.EPOLLET)
        begin(converse, connection)


def glances_at_epoll() -> None:
    """The same, and each thread asks that epoll, without waiting, before it waits in recv(2)."""
    common = select.epoll()
    listener = listening()

    def receive_(connection: socket.socket) -> bytes:
        common.poll(0)
        return receive(connection)

    while True:
        connection, _ = listener.accept()
        common.register(connection, select.EPOLLIN | select.EPOLLET)
        begin(converse, connection, receive_)


def poll_for_a_timeout() -> None:
    """A thread per connection, which gives its client 10 s with poll(2) before each recv(2)."""

    def receive_(connection: socket.socket) -> bytes:
        one = select.poll()
        one.register(connection, select.POLLIN)
        return receive(connection) if one.poll(10_000) else b""

    thread_per_connection(receive_)


def reads_with_recvmsg() -> None:
    thread_per_connection(lambda connection: connection.recvmsg(65_536)[0])


def reads_with_readv() -> None:
    def receive_(connection: socket.socket) -> bytes:
        buffers = [bytearray(8), bytearray(65_536)]
        count = os.readv(connection.fileno(), buffers)
        return b"".join(buffers)[:count]

    thread_per_connection(receive_)


def peeks_first() -> None:
    """The thread that accepts has a look at the first bytes; a thread for the client reads them."""
    listener = listening()
    while True:
        connection, _ = listener.accept()
        connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) if _readable(connection) else b""
        begin(converse, connection)


def _readable(connection: socket.socket) -> bool:
    return bool(select.select([connection], [], [], 0.01)[0])


def reads_a_copy() -> None:
    """A thread per connection, which gets a copy of the descriptor; the first one is closed."""
    listener = listening()
    while True:
        connection, _ = listener.accept()
        begin(converse, connection.dup())
        connection.close()


def pool() -> None:
    waiting: queue.Queue[socket.socket] = queue.Queue()

    def work() -> None:
        while True:
            converse(waiting.get())

    for _ in range(WORKERS):
        begin(work)
    listener = listening()
    while True:
        waiting.put(listener.accept()[0])


def pool_behind_a_pipe() -> None:
    """The queue of the pool is a pipe, through which the numbers of the descriptors go."""
    out, into = os.pipe()

    def work() -> None:
        while True:
            converse(socket.socket(fileno=int.from_bytes(os.read(out, 4), "little")))

    for _ in range(WORKERS):
        begin(work)
    listener = listening()
    while True:
        os.write(into, listener.accept()[0].detach().to_bytes(4, "little"))


def pool_behind_messages() -> None:
    """The queue of the pool is a UNIX socket, over which the descriptors are passed."""
    into, out = socket.socketpair()

    def work() -> None:
        while True:
            with lock:
                _, descriptors, _, _ = socket.recv_fds(out, 1, 1)
            converse(socket.socket(fileno=descriptors[0]))

    lock = threading.Lock()
    for _ in range(WORKERS):
        begin(work)
    listener = listening()
    while True:
        connection, _ = listener.accept()
        socket.send_fds(into, [b"c"], [connection.fileno()])
        connection.close()


def pool_that_takes_turns() -> None:
    """After each reply a client goes back into the queue, and the next worker waits for it."""
    waiting: queue.Queue[socket.socket] = queue.Queue()

    def work() -> None:
        while True:
            connection = waiting.get()
            if answer(connection):
                waiting.put(connection)
            else:
                connection.close()

    for _ in range(WORKERS):
        begin(work)
    listener = listening()
    while True:
        waiting.put(listener.accept()[0])


def grows_lazily() -> None:
    """A pool with a new thread whenever none is free."""
    _growing(lambda made, idle: idle == 0)


def grows_first() -> None:
    """A pool with a new thread for each client until there are eight, whoever is free."""
    _growing(lambda made, idle: made < WORKERS)


def _growing(needs_one: Callable[[int, int], bool]) -> None:
    waiting: queue.Queue[socket.socket] = queue.Queue()
    lock = threading.Lock()
    made, idle = 0, 0

    def work(connection: socket.socket) -> None:
        nonlocal idle
        while True:
            converse(connection)
            with lock:
                idle += 1
            connection = waiting.get()

    listener = listening()
    while True:
        connection, _ = listener.accept()
        with lock:
            new = needs_one(made, idle)
            made += new
            idle -= not new
        if new:
            begin(work, connection)
        else:
            waiting.put(connection)


def threads_accept() -> None:
    listener = listening()

    def work() -> None:
        while True:
            converse(listener.accept()[0])

    for _ in range(WORKERS - 1):
        begin(work)
    work()


def loop_per_thread() -> None:
    """One thread accepts and deals; two others wait in an epoll of their own each."""
    loops = [select.epoll(), select.epoll()]
    clients: dict[int, socket.socket] = {}

    def work(mine: select.epoll) -> None:
        while True:
            for fd, _ in mine.poll():
                if not answer(clients[fd]):
                    clients.pop(fd).close()

    for each in loops:
        begin(work, each)
    listener = listening()
    count = 0
    while True:
        connection, _ = listener.accept()
        connection.setblocking(False)
        clients[connection.fileno()] = connection
        loops[count % 2].register(connection, select.EPOLLIN)
        count += 1


def loops_over_one_epoll() -> None:
    """One thread accepts; two others wait in one epoll for all clients."""
    watched = select.epoll()
    clients: dict[int, socket.socket] = {}
    once = select.EPOLLIN | select.EPOLLONESHOT

    def work() -> None:
        while True:
            for fd, _ in watched.poll(maxevents=1):
                if answer(clients[fd]):
                    watched.modify(fd, once)
                else:
                    clients.pop(fd).close()

    for _ in range(2):
        begin(work)
    listener = listening()
    while True:
        connection, _ = listener.accept()
        clients[connection.fileno()] = connection
        watched.register(connection, once)


def loop_before_a_pool() -> None:
    """One thread accepts and waits for all; whoever is ready is read by a pool, and rearmed."""
    listener = listening(blocking=False)
    waiting: queue.Queue[int] = queue.Queue()
    clients: dict[int, socket.socket] = {}
    watched = select.epoll()
    once = select.EPOLLIN | select.EPOLLONESHOT

    def work() -> None:
        while True:
            fd = waiting.get()
            if answer(clients[fd]):
                watched.modify(fd, once)
            else:
                clients.pop(fd).close()

    for _ in range(WORKERS):
        begin(work)
    watched.register(listener, select.EPOLLIN)
    while True:
        for fd, _ in watched.poll():
            if fd != listener.fileno():
                waiting.put(fd)
                continue
            connection, _ = listener.accept()
            clients[connection.fileno()] = connection
            watched.register(connection, once)
