"""What checks of a master and its workers need: the crew, its clients, and who holds whom.

A server of another technique has no crew, so it passes what asks about one; it fails the check that
asks which technique this is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from harness import proc, syscalls, technique
from harness.client import Client
from harness.findings import Finding, expect
from harness.fixtures import Option, Starter
from harness.instruments import quiet, responsible_for
from harness.server import Server, Target


@pytest.fixture
def sweeping_start(target: Target, root: Path) -> Iterator[Starter]:
    """Starts servers that are not asked how they end: that is for checks of its own."""
    starter = Starter(target, root)
    yield starter
    starter.sweep()


def started(start: Starter, workers: int, **options: Option) -> Server:
    """A server with that many workers; one that knows no --workers is started without."""
    try:
        return start(workers=workers, **options)
    except Finding as finding:
        if "--workers" not in finding.actual:
            raise
    return start(**options)


def accepts(server: Server, pid: int) -> bool:
    """Whether a process waits for the listener itself."""
    listener = technique.listener_inode(server)
    watched = [each.inode for e in proc.epolls(pid) for each in proc.interests(pid, e)]
    waits = any(task.call in syscalls.ACCEPT for task in proc.tasks(pid))
    return listener in watched or (waits and listener in proc.socket_inodes(pid))


def crew(server: Server) -> list[int]:
    """The workers that are given their clients; none in a server of another technique."""
    expect(server.alive(), f"the master died: {server.end_text()}")
    quiet(server, 3)
    return [pid for pid in server.tree()[1:] if not accepts(server, pid)]


def greeted(server: Server, number: int) -> list[Client]:
    """So many new clients, each of whom has been served once."""
    clients = [server.connect() for _ in range(number)]
    for client in clients:
        expect(client.get("/hello").status == 200, "a client is not served")
    return clients


def spread(server: Server, workers: Sequence[int], clients: Sequence[Client]) -> list[int]:
    """How many of the clients each worker holds."""
    holders = [responsible_for(server, client) for client in clients]
    return [sum(worker in pids for pids in holders) for worker in workers]
