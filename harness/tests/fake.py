"""A server for tests of clients: answers rightly, but some requests in its own way."""

from __future__ import annotations

import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress

REPLY = b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\nHello, World!"
SECONDS = 0.1  # for a run of the client

Answer = Callable[[socket.socket], bool]  # whether the connection goes on


def sends(*pieces: bytes, goes_on: bool = True) -> Answer:
    """Answers with these bytes, a write for each piece."""

    def answer(connection: socket.socket) -> bool:
        for piece in pieces:
            connection.sendall(piece)
        return goes_on

    return answer


def stalls(connection: socket.socket) -> bool:
    """Says nothing more, until the client has had enough."""
    connection.recv(1)
    return False


def stalls_inside(connection: socket.socket) -> bool:
    connection.sendall(REPLY[:-1])
    return stalls(connection)


def comes_late(connection: socket.socket) -> bool:
    threading.Event().wait(7 * SECONDS)
    connection.sendall(REPLY)
    return True


def takes_leave(connection: socket.socket) -> bool:
    """The right answer and the end in one segment; then it only listens."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
    connection.sendall(REPLY)
    connection.shutdown(socket.SHUT_WR)
    while connection.recv(1024):
        pass
    return False


def resets(connection: socket.socket) -> bool:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return False


class Fake:
    """A server that answers rightly, but some requests, by number or path, in its own way."""

    def __init__(
        self, answers: Mapping[int | bytes, Answer] | None = None, usual: bytes = REPLY
    ) -> None:
        self._answers = answers or {}
        self._usual = sends(usual)
        self._lock = threading.Lock()
        self._connections: set[socket.socket] = set()
        self.paths: Counter[bytes] = Counter()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def asked(self) -> int:
        return sum(self.paths.values())

    def close(self) -> None:
        """Ends all connections and listens no more."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            for connection in self._connections:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> Fake:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                with self._lock:
                    self._connections.add(connection)
                threading.Thread(target=self._serve, args=[connection], daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        received = b""
        with connection, suppress(OSError):
            while True:
                while b"\r\n\r\n" not in received:
                    chunk = connection.recv(64 * 1024)
                    if not chunk:
                        return
                    received += chunk
                head, _, received = received.partition(b"\r\n\r\n")
                path = head.split()[1]
                with self._lock:
                    number = self.asked
                    self.paths[path] += 1
                usual = self._answers.get(path, self._usual)
                if not self._answers.get(number, usual)(connection):
                    return
