"""Servers with one thread that waits for all."""

from __future__ import annotations

import contextlib
import select
import socket
import time

from harness.tests.tracing.talk import answer, listening


class Loop:
    """An epoll instance with clients."""

    def __init__(self, flags: int = 0) -> None:
        self._epoll = select.epoll()
        self._clients: dict[int, socket.socket] = {}
        self.interest = select.EPOLLIN | flags

    def watch(self, sock: socket.socket, interest: int) -> None:
        self._epoll.register(sock, interest)

    def change(self, fd: int, interest: int) -> None:
        self._epoll.modify(fd, interest)

    def ready(self) -> list[int]:
        return [fd for fd, _ in self._epoll.poll()]

    def take(self, connection: socket.socket) -> int:
        """Have a new client."""
        connection.setblocking(False)
        fd = connection.fileno()
        self._clients[fd] = connection
        self.watch(connection, self.interest)
        return fd

    def serve(self, fd: int) -> bool:
        """Answer a client that is ready; False: it has gone."""
        if answer(self._clients[fd]):
            return True
        self._epoll.unregister(fd)  # another process may hold a copy, then close() is not enough
        self._clients.pop(fd).close()
        return False


def epoll_loop(
    listener: socket.socket,
    flags: int = 0,
    *,
    listener_flags: int = 0,
    at_once: int = -1,
    later: int = -1,
) -> None:
    """Serve with epoll. Clients are registered with `flags`, and once more with `at_once` after the
    accept, with `later` after each reply (-1: not)."""
    loop = Loop(flags)
    loop.watch(listener, select.EPOLLIN | listener_flags)
    while True:
        for fd in loop.ready():
            if fd != listener.fileno():
                if loop.serve(fd) and later >= 0:
                    loop.change(fd, select.EPOLLIN | later)
                continue
            with contextlib.suppress(BlockingIOError):
                while True:
                    new = loop.take(listener.accept()[0])
                    if at_once >= 0:
                        loop.change(new, select.EPOLLIN | at_once)


def level() -> None:
    epoll_loop(listening(blocking=False))


def edge() -> None:
    epoll_loop(listening(blocking=False), select.EPOLLET, listener_flags=select.EPOLLET)


def edge_for_the_listener_only() -> None:
    epoll_loop(listening(blocking=False), listener_flags=select.EPOLLET)


def one_shot() -> None:
    """Level-triggered, told once, and asked for again after each reply."""
    epoll_loop(listening(blocking=False), select.EPOLLONESHOT, later=select.EPOLLONESHOT)


def becomes_edge_at_once() -> None:
    """Registered as level-triggered, and changed before the first wait."""
    epoll_loop(listening(blocking=False), at_once=select.EPOLLET)


def becomes_edge_later() -> None:
    """Level-triggered until the first reply, then edge-triggered."""
    epoll_loop(listening(blocking=False), later=select.EPOLLET)


def epoll_of_blocking_sockets() -> None:
    """The sockets block, but nobody is read who is not ready."""
    listener = listening()
    clients: dict[int, socket.socket] = {}
    watched = select.epoll()
    watched.register(listener, select.EPOLLIN)
    while True:
        for fd, _ in watched.poll():
            if fd == listener.fileno():
                connection, _ = listener.accept()
                clients[connection.fileno()] = connection
                watched.register(connection, select.EPOLLIN)
            elif not answer(clients[fd]):
                clients.pop(fd).close()


def reads_before_it_waits() -> None:
    """An epoll loop that tries to read at once after the accept."""
    listener = listening(blocking=False)
    loop = Loop()
    loop.watch(listener, select.EPOLLIN)
    while True:
        for fd in loop.ready():
            if fd != listener.fileno():
                loop.serve(fd)
                continue
            connection, _ = listener.accept()
            new = loop.take(connection)
            time.sleep(0.005)  # its request comes meanwhile
            with contextlib.suppress(BlockingIOError):
                loop.serve(new)


def over_select() -> None:
    listener = listening(blocking=False)
    clients: list[socket.socket] = []
    while True:
        readable, _, _ = select.select([listener, *clients], [], [])
        for each in readable:
            if each is listener:
                clients.append(listener.accept()[0])
            elif not answer(each):
                clients.remove(each)
                each.close()


def over_poll() -> None:
    listener = listening(blocking=False)
    clients: dict[int, socket.socket] = {}
    table = select.poll()
    table.register(listener, select.POLLIN)
    while True:
        for fd, _ in table.poll():
            if fd == listener.fileno():
                connection, _ = listener.accept()
                clients[connection.fileno()] = connection
                table.register(connection, select.POLLIN)
            elif not answer(clients[fd]):
                table.unregister(fd)
                clients.pop(fd).close()


def looks_at_everybody() -> None:
    """Waits for nobody: asks the listener and each client in turn, a thousand times a second."""
    listener = listening(blocking=False)
    clients: list[socket.socket] = []
    while True:
        with contextlib.suppress(BlockingIOError):
            connection, _ = listener.accept()
            connection.setblocking(False)
            clients.append(connection)
        for each in list(clients):
            with contextlib.suppress(BlockingIOError):
                if not answer(each):
                    clients.remove(each)
                    each.close()
        time.sleep(0.001)


def iterative() -> None:
    """One client at a time; poll(2) gives each, and the listener, a timeout."""
    listener = listening()

    def readable(sock: socket.socket) -> bool:
        one = select.poll()
        one.register(sock, select.POLLIN)
        return bool(one.poll(10_000))

    while True:
        if not readable(listener):
            continue
        connection, _ = listener.accept()
        with connection:
            while readable(connection) and answer(connection):
                pass
