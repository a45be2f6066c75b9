"""What has to be so before a client goes on: known from the kernel, and not by sleeping."""

from __future__ import annotations

import time
from collections.abc import Sequence

from harness import proc, tcp
from harness.server import Server
from harness.trace.recording import Visitor
from harness.trace.scenarios import Script

SECONDS = 1.0  # longer nobody waits for a server: a picture of what it does is made all the same
_GLANCE = 0.001


def has_read(
    server: Server, scripts: Sequence[Script], visitors: Sequence[Visitor], at: float
) -> bool:
    """Whether all who begin to send before `at` (milliseconds) have, and the server has read all
    that was sent so far."""
    for script, visitor in zip(scripts, visitors, strict=True):
        begins = script.sends[0][0] < at and not visitor.outcome
        if begins and not visitor.sent:
            return False
        row = tcp.connection(server.port, visitor.port) if visitor.sent else None
        if row and (row.unread or not row.inode):
            return False
    return True


def unread(server: Server, visitor: Visitor) -> int:
    """Bytes of the client that lie in the server's receive queue."""
    row = tcp.connection(server.port, visitor.port)
    return row.unread if row else 0


def sleeps(server: Server) -> bool:
    """Whether no thread of the server runs, or has run since a moment ago."""
    pids = server.tree()
    before = [proc.effort(pid) for pid in pids]
    time.sleep(_GLANCE)
    asleep = all(task.state == "S" for pid in pids for task in proc.tasks(pid))
    return asleep and before == [proc.effort(pid) for pid in pids]


def sleeps_in(server: Server) -> str:
    """The calls in which the server sleeps; "" if some thread of it does not."""
    tasks = [task for pid in server.tree() for task in proc.tasks(pid)]
    asleep = all(task.state == "S" for task in tasks)
    return " and ".join(sorted({task.call for task in tasks})) if asleep else ""


def process_of(server: Server, visitor: Visitor) -> int:
    """The process that holds a client's connection; 0 if that is only the first one, or nobody."""
    row = tcp.connection(server.port, visitor.port)
    if row is None or not row.inode:
        return 0
    others = [pid for pid in server.tree() if pid != server.pid]
    return next((pid for pid in reversed(others) if row.inode in proc.socket_inodes(pid)), 0)
