"""What all these servers share: a listener, a ready line, and a few words of HTTP."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path

KIT = Path(__file__).resolve().parents[3]
REPLY = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\nHello, World!"
Receive = Callable[[socket.socket], bytes]


def program(directory: Path, server: Callable[[], None]) -> Path:
    """Write an executable that runs one of these servers."""
    path = directory / f"{server.__name__}.py"
    path.write_text(
        f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {str(KIT)!r})\n"
        f"from {server.__module__} import {server.__name__}\n{server.__name__}()\n"
    )
    path.chmod(0o755)
    return path


def listening(*, blocking: bool = True) -> socket.socket:
    """A listener at any free port, after the ready line. (Python's non-blocking is FIONBIO.)"""
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    listener.setblocking(blocking)
    ready(listener)
    return listener


def ready(listener: socket.socket) -> None:
    """Say the ready line."""
    port, pid = listener.getsockname()[1], os.getpid()
    print(f"listening on http://127.0.0.1:{port} stage=99-decoy pid={pid}", flush=True)


def receive(connection: socket.socket) -> bytes:
    """What comes next; nothing at the end."""
    return connection.recv(65_536)


def answer(connection: socket.socket, receive_: Receive = receive) -> bool:
    """Read once and answer what is whole; False at the end. No request comes in pieces here."""
    try:
        data = receive_(connection)
        if data:
            connection.sendall(REPLY * data.count(b"\r\n\r\n"))
        return bool(data) and b"connection: close" not in data.lower()
    except ConnectionError:
        return False


def converse(connection: socket.socket, receive_: Receive = receive) -> None:
    """Answer until the end, and close."""
    with connection:
        while answer(connection, receive_):
            pass
