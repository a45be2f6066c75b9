"""Reads replies and compares them with what the load expects, before a server is measured."""

from __future__ import annotations

import hashlib
import socket

from harness.bench.loads import Load

PATIENCE_SECONDS = 5.0


class WrongReply(Exception):
    """The server's answer is not the expected one; the text says what was asked and what came."""


def verified(port: int, load: Load, host: str = "127.0.0.1") -> bytes:
    """Asks as the client will ask, checks every reply of one write, and returns the first, as
    sent."""
    request = load.request(f"{host}:{port}") * load.pipelined
    asked = f"GET {load.path}" + (f" x{load.pipelined}" if load.pipelined > 1 else "")
    try:
        with socket.create_connection((host, port), PATIENCE_SECONDS) as connection:
            connection.sendall(request)
            received = b""
            replies: list[bytes] = []
            for _ in range(load.pipelined):
                reply, received = read_reply(connection, received)
                check(reply, load, asked)
                replies.append(reply)
            if load.closing and connection.recv(1):
                raise WrongReply(f"{asked}, Connection: close: bytes after the reply")
    except OSError as error:
        raise WrongReply(f"{asked}: {error}") from None
    if received:
        raise WrongReply(f"{asked}: {len(received)} bytes more than the replies asked for")
    if len({len(reply) for reply in replies}) > 1:
        raise WrongReply(f"{asked}: replies of unequal length")
    return replies[0]


def read_reply(connection: socket.socket, received: bytes = b"") -> tuple[bytes, bytes]:
    """The next whole reply on the connection, and the bytes that came after it."""
    while b"\r\n\r\n" not in received:
        received += _more(connection, received)
    size = received.index(b"\r\n\r\n") + 4 + _content_length(received)
    while len(received) < size:
        received += _more(connection, received)
    return received[:size], received[size:]


def check(reply: bytes, load: Load, asked: str) -> None:
    """Whether one reply is what the load expects."""
    head, _, body = reply.partition(b"\r\n\r\n")
    status = head.partition(b"\r\n")[0].decode(errors="replace")
    if not status.startswith("HTTP/1.1 200 "):
        raise WrongReply(f"{asked}: {status!r}, not 200")
    if load.body is not None and body != load.body:
        raise WrongReply(
            f"{asked}: a body of {len(body)} bytes, sha256 {digest(body)[:12]}, "
            f"not {len(load.body)} bytes, sha256 {digest(load.body)[:12]}"
        )
    says_close = any(line.lower() == b"connection: close" for line in head.split(b"\r\n"))
    if says_close != load.closing:
        raise WrongReply(f"{asked}: 'Connection: close' {'un' if says_close else 'not '}announced")


def body_of(reply: bytes) -> bytes:
    """What follows the head."""
    return reply.partition(b"\r\n\r\n")[2]


def _content_length(reply: bytes) -> int:
    head = reply.partition(b"\r\n\r\n")[0]
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length" and value.strip().isdigit():
            return int(value)
    raise WrongReply(f"a reply without Content-Length: {head.decode(errors='replace')!r}")


def _more(connection: socket.socket, received: bytes) -> bytes:
    chunk = connection.recv(1024 * 1024)
    if not chunk:
        raise WrongReply(f"the connection ended in the middle of a reply, after {received[:80]!r}")
    return chunk


def digest(body: bytes) -> str:
    """SHA-256, as hexadecimal digits."""
    return hashlib.sha256(body).hexdigest()
