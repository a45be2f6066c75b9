"""Limits of the operating system: descriptors that run out, and numbers that grow large."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

import pytest

from harness import stages
from harness.client import Client, ClosedError
from harness.clock import happens
from harness.findings import expect, story
from harness.fixtures import Starter
from harness.instruments import at_rest, no_free_descriptor, not_spinning, quiet
from harness.message import get
from harness.server import Server

HOLDS_CONNECTIONS = {
    stages.THREAD, stages.POOL, stages.SELECT, stages.POLL, stages.EPOLL,
}  # models whose accepting process keeps the connections  # fmt: skip


def needs_no_descriptors(start: Starter) -> None:
    """Skip where the sanitizer itself needs descriptors."""
    if "undefined" in start.target.sanitizers:
        pytest.skip("UBSan looks at memory through a pipe, and without one reports nonsense")


def served_or_let_go(client: Client) -> bool:
    """Whether the client got its 200; a 503 or an end without words is fine as well."""
    try:
        reply = client.reply()
    except ClosedError:
        return False
    expect(reply.status in (200, 503), str(reply))
    return reply.status == 200


@story(
    expected="at the limit it sleeps, serves whom it has, and accepts again when it can",
    hint="accept() fails with EMFILE and the connection stays in the backlog: the listener stays "
    "readable, so a loop spins; with edges nobody tells you again. Pause, and remember to resume.",
    try_it="prlimit --pid PID --nofile=10; for i in $(seq 9); do "
    "python3 -m harness.say PORT & done; top",
)
def test_descriptors_run_out(start: Starter) -> None:
    """no descriptor is left for the next client"""
    needs_no_descriptors(start)
    server = start()
    concurrent = server.stage.concurrent
    old = server.connect()
    expect(old.get("/hello").status == 200, "not 200")
    if not concurrent:
        old.close()
        quiet(server)  # its descriptor is free again, and the limit goes below it
    with no_free_descriptor(server.pid):
        waiting = [server.connect(beside=True) for _ in range(3)]
        for client in waiting:
            client.send(get("/hello", connection="close"))
        # Who tries again every millisecond does not burn a CPU, and does not sleep either.
        not_spinning(server, "while accept() fails for want of descriptors", most=0.03)
        expect(server.alive(), f"the server died: {server.end_text()}")
        if concurrent:
            expect(old.get("/hello").status == 200, "the client inside is not served any more")
        if server.stage.model in HOLDS_CONNECTIONS:
            old.close()  # its descriptor is free now
            served_or_let_go(waiting[0])
    for client in waiting:
        if client.open:
            served_or_let_go(client)
            client.close()
    for _ in range(3):
        expect(server.get("/hello").status == 200, "later clients are not served")
    at_rest(server, [])


@pytest.mark.only(stages.HANDOVER)
@story(
    expected="a worker without descriptors loses no client silently, and does not die",
    hint="A descriptor that cannot be installed is dropped by the kernel: MSG_CTRUNC says so. "
    "Never use a descriptor number from a message that was cut.",
)
def test_worker_without_descriptors(start: Starter) -> None:
    """no descriptor is left in the workers"""
    needs_no_descriptors(start)
    server = start(workers=2)
    old = [server.connect() for _ in range(2)]
    for client in old:
        client.get("/hello")
    with no_free_descriptor(*server.tree()[1:]):
        new = [server.connect() for _ in range(4)]
        for client in new:
            with contextlib.suppress(ConnectionError):
                client.send(get("/hello", connection="close"))
        not_spinning(server, "while its workers cannot take descriptors")
        expect(server.alive(), f"the master died: {server.end_text()}")
        for client in old:
            expect(client.get("/hello").status == 200, "a client inside is not served any more")
    for client in new:
        served_or_let_go(client)
        client.close()
    for _ in range(4):
        expect(server.get("/hello").status == 200, "later clients are not served")
    expect(len(server.tree()) == 3, f"{len(server.tree()) - 1} workers are left")


@contextlib.contextmanager
def many_descriptors(number: int) -> Iterator[tuple[int, ...]]:
    """Open descriptors of /dev/null, to hand down."""
    null = os.open("/dev/null", os.O_RDONLY)
    held = tuple(os.dup(null) for _ in range(number))
    try:
        yield held
    finally:
        for fd in (null, *held):
            os.close(fd)


def started_high(start: Starter, number: int) -> Server:
    """A server in which the descriptors below about `number` are taken already."""
    with many_descriptors(number) as held:
        return start(inherit=held)


@pytest.mark.only(stages.SELECT)
@story(
    expected="503 and the end for clients whose descriptor does not fit an fd_set, 200 for others",
    hint="FD_SET(1024, ...) writes behind the set: memory is destroyed, silently. Compare with "
    "FD_SETSIZE before you use a descriptor.",
    try_it="(for i in $(seq 3 1020); do eval \"exec $i</dev/null\"; done; build/bin/04-select)",
)
def test_beyond_fd_setsize(start: Starter) -> None:
    """descriptors beyond FD_SETSIZE are refused, the rest is served"""
    with many_descriptors(1000) as held:
        free_below = [fd for fd in range(3, 1024) if fd not in held]
        server = start(inherit=held)
    clients = [server.connect() for _ in range(len(free_below) + 20)]
    for client in clients:
        client.send(get("/hello"))
    results = [served_or_let_go(client) for client in clients]
    expect(server.alive(), f"the server died: {server.end_text()}")
    served = results.count(True)
    expect(0 < served < len(free_below), f"{served} of {len(clients)} clients were served")
    for client, fine in zip(clients, results, strict=True):
        if fine:
            expect(client.get("/hello").status == 200, "a client that was in is not served")
        client.close()
    for _ in range(3):
        expect(server.get("/hello").status == 200, "later clients are not served")


@pytest.mark.only(*set(stages.MODELS) - {stages.SELECT, stages.ITERATIVE})
@story(
    expected="descriptors above 1,024 are as good as small ones",
    hint="Is there an fd_set, or a table with a fixed size, where none should be?",
)
def test_high_descriptors(start: Starter) -> None:
    """clients whose descriptors are above 1,024 are served"""
    server = started_high(start, 1100)
    clients = [server.connect() for _ in range(10)]
    for _ in range(2):
        for client in clients:
            expect(client.get("/hello").status == 200, "not 200")
    expect(happens(server.alive), "the server died")
