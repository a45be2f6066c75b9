"""The second witness: verdicts on a running server, with more clients than a picture has room for.

A pool whose threads are made when clients come looks like a thread per connection at first. Who
outlives a client shows only when more clients come than there were at once: three times as many.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from harness import stages
from harness.client import Client
from harness.findings import Finding
from harness.instruments import quiet
from harness.server import Server
from harness.stages import Stage
from harness.trace import calls, recording
from harness.trace.verdict import Verdict, verdicts
from harness.trace.waits import EDGE, LEVEL
from harness.trace.who import Cast

TOGETHER = 6  # clients who are there at once
LATER = 12  # clients who come after they have left, one after the other
_REST_SECONDS = 2.0  # so long a server may take to come to rest; who never does is judged as well


class NamelessError(Exception):
    """This machine's kernel does not tell strace whose socket is whose: nothing can be said."""


def witness(
    server: Server, folder: Path, together: int = TOGETHER, later: int = LATER
) -> dict[Client, Verdict]:
    """Let clients come to a server that was started with `record.wrapper(folder)`; a verdict on
    each. NamelessError where the log cannot be read as connections.

    The first ones stay until the last of them is served; where only one can be inside, each leaves
    for the next one.
    """
    clients = _crowd(server, together)
    with contextlib.suppress(Finding):  # who was born for them has ended then, and that is known
        quiet(server, _REST_SECONDS)
    for _ in range(later):
        client = server.connect(beside=True)
        client.get("/hello")
        client.close()
        clients.append(client)
    server.get("/hello")  # then what the last one has caused is over, too
    cast = read(folder, server.pid)
    if not has_names(cast):
        raise NamelessError
    found = verdicts(cast, [client.port for client in clients])
    return dict(zip(clients, found, strict=True))


def _crowd(server: Server, number: int) -> list[Client]:
    clients = [server.connect(beside=True) for _ in range(number)]
    for client in clients:
        client.get("/hello")
        if not server.stage.concurrent:
            client.close()
    for client in clients:
        client.close()
    return clients


def read(folder: Path, first: int) -> Cast:
    """What strace has written so far. A call is written down before its thread goes on, so what a
    client has got a reply to is all there."""
    logs = {}
    for path in sorted(folder.iterdir()):
        lines = path.read_text(errors="replace").splitlines()
        task = int(path.suffix[1:])
        logs[task] = calls.parse(task, recording.kept(lines, ready=0.0, zero=0.0))
    return Cast(logs, first)


def has_names(cast: Cast) -> bool:
    """Whether strace could name any socket by its addresses."""
    return any(call.sockets for task in cast.tasks.values() for call in task.calls)


def wanted(stage: Stage) -> str:
    """What each connection's calls have to show for this stage, in words."""
    trigger = EDGE if stage.edge_triggered else LEVEL
    loop = "accepted and read by one thread, which waits for it {} together with others"
    return {
        stages.ITERATIVE: "accepted and read by one thread, one client after the other",
        stages.FORK: "accepted by the parent, read by a process that was born for it",
        stages.THREAD: "accepted by one thread, read by another one that was born for it",
        stages.POOL: "accepted by one thread, read by another one that was there before",
        stages.SELECT: loop.format("in select"),
        stages.POLL: loop.format("in poll"),
        stages.EPOLL: loop.format(f"in epoll, {trigger},"),
        stages.HANDOVER: "accepted by the master, passed on by SCM_RIGHTS, read by a process that "
        f"was there before and waits in epoll, {trigger}",
    }[stage.model]
