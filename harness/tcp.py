"""The kernel's view of TCP: the server's end of a connection, and the listener's backlog.

One socket is asked for through NETLINK_SOCK_DIAG, in microseconds. Where the kernel does not offer
that, the answer comes from /proc/net/tcp, in milliseconds.
"""

from __future__ import annotations

import socket
import struct
import threading
from dataclasses import dataclass

from harness import proc

ESTABLISHED, TIME_WAIT, CLOSE_WAIT, LISTEN = 1, 6, 8, 10
STATES = (
    "?", "ESTABLISHED", "SYN_SENT", "SYN_RECV", "FIN_WAIT1", "FIN_WAIT2", "TIME_WAIT", "CLOSE",
    "CLOSE_WAIT", "LAST_ACK", "LISTEN", "CLOSING", "NEW_SYN_RECV",
)  # fmt: skip

_NETLINK_SOCK_DIAG = 4
_SOCK_DIAG_BY_FAMILY = 20
_INET_DIAG_INFO = 2
_BYTES_RECEIVED_AT = 128  # offset of tcpi_bytes_received in struct tcp_info
_LOOPBACK = socket.inet_aton("127.0.0.1").ljust(16, b"\0")


@dataclass(frozen=True)
class Row:
    """One socket. For a listener, `unread` counts the connections nobody has accepted yet.

    `unread` and `unsent` are bytes; `received` is the bytes that ever came in (None: unknown);
    `inode` is 0 for a connection still in the backlog.
    """

    state: int
    port: int
    peer_port: int
    unread: int
    unsent: int
    inode: int
    received: int | None = None

    @property
    def state_name(self) -> str:
        return STATES[self.state] if self.state < len(STATES) else f"state {self.state}"


def connection(port: int, peer_port: int) -> Row | None:
    """The server's end of the connection between its `port` and the client's `peer_port`."""
    row = _ask(port, peer_port)
    return row if row and row.peer_port == peer_port and row.state != TIME_WAIT else None


def listener(port: int) -> Row | None:
    """The listening socket at `port`, None if nobody listens there."""
    row = _ask(port, 0)
    return row if row and row.state == LISTEN else None


def table(port: int) -> list[Row]:
    """All sockets at the local `port`, those in TIME_WAIT left out. Takes milliseconds."""
    rows = []
    for path in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in proc.read_text(path).splitlines()[1:]:
            fields = line.split()
            local, remote = (int(fields[i].rpartition(":")[2], 16) for i in (1, 2))
            state = int(fields[3], 16)
            if local == port and state != TIME_WAIT:
                unsent, unread = (int(part, 16) for part in fields[4].split(":"))
                rows.append(Row(state, local, remote, unread, unsent, int(fields[9])))
    return rows


class _Diag:
    """The netlink socket, opened at first use; `works` turns False where the kernel has none."""

    def __init__(self) -> None:
        self.works = True
        self._socket: socket.socket | None = None
        self._one_at_a_time = threading.Lock()

    def ask(self, port: int, peer_port: int) -> Row | None:
        with self._one_at_a_time:  # or a thread would get the answer to another one's question
            return self._ask(port, peer_port)

    def _ask(self, port: int, peer_port: int) -> Row | None:
        if self._socket is None:
            self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_SOCK_DIAG)
            self._socket.settimeout(2)
        ports = struct.pack("!HH", port, peer_port)
        wanted = ports + _LOOPBACK + _LOOPBACK + struct.pack("I8s", 0, b"\xff" * 8)
        extensions = 1 << (_INET_DIAG_INFO - 1)
        body = struct.pack("BBBBI", socket.AF_INET, 6, extensions, 0, 0xFFFFFFFF) + wanted
        head = struct.pack("IHHII", 16 + len(body), _SOCK_DIAG_BY_FAMILY, 1, 1, 0)
        self._socket.send(head + body)
        return _parse(self._socket.recv(65536))


_diag = _Diag()


def _ask(port: int, peer_port: int) -> Row | None:
    if _diag.works:
        try:
            return _diag.ask(port, peer_port)
        except OSError:
            _diag.works = False
    for row in table(port):
        if row.peer_port == peer_port:
            return row
    return None


def _parse(reply: bytes) -> Row | None:
    (kind,) = struct.unpack_from("H", reply, 4)
    if kind != _SOCK_DIAG_BY_FAMILY:
        (error,) = struct.unpack_from("i", reply, 16)
        if error in (0, -2):  # ENOENT: there is no such socket
            return None
        raise OSError(-error, "sock_diag refuses")
    _, state = struct.unpack_from("BB", reply, 16)
    port, peer_port = struct.unpack_from("!HH", reply, 20)
    _, unread, unsent, _, inode = struct.unpack_from("IIIII", reply, 68)
    return Row(state, port, peer_port, unread, unsent, inode, _bytes_received(reply[88:]))


def _bytes_received(attributes: bytes) -> int | None:
    at = 0
    while at + 4 <= len(attributes):
        length, kind = struct.unpack_from("HH", attributes, at)
        if kind == _INET_DIAG_INFO and length >= 4 + _BYTES_RECEIVED_AT + 8:
            (received,) = struct.unpack_from("Q", attributes, at + 4 + _BYTES_RECEIVED_AT)
            return int(received)
        at += max(4, (length + 3) & ~3)
    return None
