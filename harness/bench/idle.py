"""Memory per idle connection: what a client costs who is connected and says nothing."""

from __future__ import annotations

import contextlib
import socket
import time

from harness.bench import replies
from harness.bench.accounting import pss_kib
from harness.bench.launch import Server
from harness.bench.loads import HELLO

WARM_UP = 8  # connections before the first reading: what a server allocates once is not counted


def held_memory(server: Server, connections: int) -> tuple[int, int]:
    """The tree's PSS in KiB before, and while so many connections wait after one request each."""
    with contextlib.ExitStack() as warm_up:
        for _ in range(WARM_UP):
            _connected(warm_up, server.port)
    before = _settled_pss(server)
    with contextlib.ExitStack() as held:
        for _ in range(connections):
            _connected(held, server.port)
        during = _settled_pss(server)
    return before, during


def _connected(stack: contextlib.ExitStack, port: int) -> None:
    connection = stack.enter_context(socket.create_connection(("127.0.0.1", port), 5.0))
    connection.sendall(HELLO.request(port))
    reply, _ = replies.read_reply(connection)
    replies.check(reply, HELLO, "GET /hello")


def _settled_pss(server: Server) -> int:
    """The reading after the server has come to rest: buffers freed, children gone."""
    server.meter.settled(server.pid)
    time.sleep(0.05)
    return pss_kib(server.pid)
