"""A client that sends exactly the bytes it is told to, and reads replies without mercy."""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import os
import select
import socket
import struct
import time
from dataclasses import replace
from typing import Protocol

from harness import message
from harness.clock import patience
from harness.findings import Finding, excerpt, tell, transcript
from harness.message import MalformedError, Response

CONNECTS, RECEIVES, CLOSES, SERVER_CLOSES = "connects", "receives", "closes", "sees the end"
NO_PROGRESS_SECONDS = 6.0  # a reply that stands still for longer is given up
_READ_SIZE = 256 * 1024
_HEAD_LIMIT = 64 * 1024
_TIOCOUTQ = 0x5411
_numbers = itertools.count(1)


class Peer(Protocol):
    """The server, as far as a client needs it."""

    host: str
    port: int

    def facts(self, client_port: int) -> str:
        """What the kernel knows about this client's connection and the server's tasks."""


class ClosedError(Finding):
    """The connection ended, or was reset, where a reply was due."""


class Client:
    """One TCP connection. Every wait has a deadline; what goes wrong is raised as a Finding."""

    def __init__(self, peer: Peer, *, receive_buffer: int = 0, name: str = "") -> None:
        """Connect; `receive_buffer` (bytes) makes a client that can take in only little."""
        self.peer = peer
        self.name = name or f"client {next(_numbers)}"
        self.sent = 0
        self._pending = b""
        self._socket = socket.socket()
        if receive_buffer:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self._socket.settimeout(patience(NO_PROGRESS_SECONDS))
        try:
            self._socket.connect((peer.host, peer.port))
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            self._socket.close()
            raise Finding(f"connect to port {peer.port}: {error}") from error
        self.port = self._socket.getsockname()[1]
        tell(self, CONNECTS)

    def __str__(self) -> str:
        return self.name

    @property
    def open(self) -> bool:
        """Whether this client has not closed its end."""
        return self._socket.fileno() >= 0

    # --- sending ----------------------------------------------------------------------------

    def send(self, data: bytes, *, quietly: bool = False) -> None:
        """Send all of `data`; a connection that ends meanwhile is a Finding."""
        note = tell if quietly else transcript.note
        note(self, excerpt(data), data)
        try:
            self._socket.sendall(data)
        except OSError as error:
            raise Finding(f"{self.name} could not send: {error}; {self._facts()}") from error
        self.sent += len(data)

    def offer(self, data: bytes) -> int:
        """Send what fits at once, without waiting; how many bytes that was (0: buffers full)."""
        deadline = self._socket.gettimeout()
        self._socket.setblocking(False)
        try:
            taken = self._socket.send(data)
        except BlockingIOError:
            return 0
        finally:
            self._socket.settimeout(deadline)
        self.sent += taken
        tell(self, "sends", data[:taken])
        return taken

    def urgent(self, byte: bytes) -> None:
        """Send one byte of urgent (out of band) data."""
        transcript.note(self, "one byte of urgent data")
        self._socket.send(byte, socket.MSG_OOB)

    def half_close(self) -> None:
        """Say that no more will be sent; replies can still come."""
        transcript.note(self, "shutdown(SHUT_WR)")
        try:
            self._socket.shutdown(socket.SHUT_WR)
        except OSError as error:
            raise Finding(f"{self.name} could not half-close: {error}; {self._facts()}") from error

    def close(self) -> None:
        """Close in the ordinary way. May be called twice."""
        if self.open:
            tell(self, CLOSES)
        self._socket.close()

    def reset(self) -> None:
        """Close with RST: SO_LINGER with a time of zero."""
        transcript.note(self, "resets the connection (RST)")
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- receiving --------------------------------------------------------------------------

    def get(self, target: str, **headers: str) -> Response:
        """Send a GET and return its reply."""
        return self.ask("GET", target, **headers)

    def ask(self, method: str, target: str, body: bytes | None = None, **headers: str) -> Response:
        """Send a request and return its reply."""
        self.send(message.request(method, target, body, **headers))
        return self.reply(method)

    def reply(self, method: str = "GET") -> Response:
        """The next final reply; interim (1xx) ones are listed in `informational`."""
        interim: list[int] = []
        try:
            while (head := self._head(method)).status < 200:
                interim.append(head.status)
            return replace(head, body=self._body(head, method), informational=interim)
        except MalformedError as error:
            raise Finding(f"the reply breaks RFC 9112: {error}") from error

    def interim(self) -> int:
        """The status of the next interim (1xx) reply; a final one is a Finding."""
        head = self._head("GET")
        if head.status >= 200:
            raise Finding(f"a final {head.status} came instead of an interim reply")
        return head.status

    def read(self, count: int) -> bytes:
        """Exactly `count` bytes of what comes next."""
        return self._exactly(count, f"{count:,} bytes")

    def at_end(self) -> None:
        """Wait for the server to close, and close too; more bytes or a reset are a Finding."""
        if not self._pending:
            self._receive("the end of the connection", end_is_fine=True)
        if self._pending:
            raise Finding(f"bytes after the last reply: {excerpt(self._pending)}")
        self.close()

    def ends(self) -> bool:
        """Wait until the connection ends in whatever way, throwing away what still comes."""
        try:
            while data := self._socket.recv(_READ_SIZE):
                tell(self, RECEIVES, data)
            tell(self, SERVER_CLOSES)
        except TimeoutError:
            return False
        except OSError:
            pass
        self.close()
        return True

    def swallow(self, count: int) -> None:
        """Read at least `count` bytes and throw them away; stop at the end or a standstill."""
        with contextlib.suppress(OSError):
            while count > 0 and (data := self._socket.recv(_READ_SIZE)):
                count -= len(data)
                tell(self, RECEIVES, data)

    def ends_while_sending(self, data: bytes, seconds: float) -> bool:
        """Send `data` again and again; whether the server cuts that off within `seconds`."""
        transcript.note(self, f"{excerpt(data)}, again and again")
        deadline = time.monotonic() + patience(seconds)
        while time.monotonic() < deadline:
            try:
                self._socket.sendall(data)
            except OSError:
                return True
            select.select([], [], [], 0.02)
        return False

    def silent(self) -> bool:
        """Whether nothing has come in and the connection is still open, right now."""
        return not self._pending and not self.readable(0)

    def readable(self, seconds: float) -> bool:
        """Whether bytes or the end of the connection arrive within `seconds` (not stretched)."""
        return bool(self._pending) or bool(select.select([self._socket], [], [], seconds)[0])

    def unread(self) -> int:
        """Bytes that have come in and wait in this client's receive buffer."""
        packed = fcntl.ioctl(self._socket, 0x541B, b"\0\0\0\0")  # FIONREAD
        return int(struct.unpack("i", packed)[0]) + len(self._pending)

    def unacknowledged(self) -> int:
        """Bytes sent that the server's kernel has not confirmed."""
        return int(struct.unpack("i", fcntl.ioctl(self._socket, _TIOCOUTQ, b"\0\0\0\0"))[0])

    # --- inside -----------------------------------------------------------------------------

    def _facts(self) -> str:
        return self.peer.facts(self.port)

    def _head(self, method: str) -> Response:
        waiting_for = f"the reply to a {method}"
        while b"\r\n\r\n" not in self._pending:
            if len(self._pending) > _HEAD_LIMIT:
                raise MalformedError(f"no end of the head within {_HEAD_LIMIT} bytes")
            self._receive(waiting_for)
        end = self._pending.index(b"\r\n\r\n") + 4
        head, self._pending = self._pending[:end], self._pending[end:]
        return message.parse_head(head)

    def _body(self, head: Response, method: str) -> bytes:
        length = message.body_length(head, method)
        if length is None:
            return self._chunks()
        if length >= 0:
            return self._exactly(length, f"the {length:,} bytes of body that were announced")
        body = []
        while self._receive("the end of the body", end_is_fine=True):
            body.append(self._pending)
            self._pending = b""
        return b"".join(body)

    def _chunks(self) -> bytes:
        body = []
        while size := message.chunk_size(self._line()):
            body.append(self._exactly(size, f"a chunk of {size} bytes"))
            if self._line():
                raise MalformedError("no CRLF after a chunk's data")
        while self._line():
            pass
        return b"".join(body)

    def _line(self) -> bytes:
        while b"\r\n" not in self._pending:
            self._receive("a line of a chunked body")
        line, _, self._pending = self._pending.partition(b"\r\n")
        return line

    def _exactly(self, count: int, what: str) -> bytes:
        parts, missing = [], count
        while missing:
            if not self._pending:
                self._receive(f"{what} ({count - missing:,} came)")
            part, self._pending = self._pending[:missing], self._pending[missing:]
            parts.append(part)
            missing -= len(part)
        return b"".join(parts)

    def _receive(self, waiting_for: str, *, end_is_fine: bool = False) -> bool:
        """Add what comes next to `_pending`; False at the end of the connection."""
        try:
            data = self._socket.recv(_READ_SIZE)
        except TimeoutError:
            seconds = patience(NO_PROGRESS_SECONDS)
            raise Finding(
                f"{self.name} waited {seconds:.0f} s for {waiting_for}; {self._facts()}"
            ) from None
        except OSError as error:
            raise ClosedError(
                f"{os.strerror(error.errno or 0)} while {self.name} waited for {waiting_for}"
                f"; {self._facts()}"
            ) from None
        tell(self, RECEIVES if data else SERVER_CLOSES, data)
        if not data and not end_is_fine:
            had = f" after {excerpt(self._pending)}" if self._pending else ""
            raise ClosedError(
                f"the server closed{had}, while {self.name} waited for {waiting_for}"
            )
        self._pending += data
        return bool(data)


def wait_readable(clients: list[Client], seconds: float) -> list[Client]:
    """The clients for which bytes or an end arrive first, within `seconds` (stretched)."""
    deadline = time.monotonic() + patience(seconds)
    while time.monotonic() < deadline:
        if ready := [client for client in clients if not client.silent()]:
            return ready
        select.select([client._socket for client in clients], [], [], 0.2)
    return []
