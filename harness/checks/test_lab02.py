"""Lab 02, a thread per client: stacks, the limit, the books, and threads that cannot be had."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from harness import stages, strace, tcp
from harness.checks.test_concurrency import HALF_HEAD, REST_OF_HEAD
from harness.checks.test_lifecycle import ends_well
from harness.checks.test_resources import mappings
from harness.checks.test_strace import FORK, served, traced
from harness.findings import expect, story
from harness.fixtures import Starter
from harness.instruments import census, consumed, frozen, quiet, returns_to, sleeps
from harness.message import get, request

pytestmark = pytest.mark.only(stages.THREAD)


@story(
    expected="200 for each of four clients, one after another",
    hint="The first one needs a thread that lives on when start() returns; the second one needs a "
    "first one whose end has not damaged anything.",
    try_it="curl -s URL/hello; curl -s URL/hello",
)
def test_one_after_another(start: Starter) -> None:
    """four clients, one after another"""
    server = start(drain_timeout=1)
    for number in range(4):
        client = server.connect()
        for _ in range(2):
            status = client.get("/hello").status
            expect(status == 200, f"client {number}: {status}")
        client.close()
        quiet(server)
    expect(server.alive(), f"the server died: {server.end_text()}")


@story(
    expected="no close() fails with EBADF: each descriptor has one owner, who closes it once",
    hint="Threads share one table of descriptors. Whoever closes a number twice closes, some day, "
    "the connection of somebody else who was given the same number in between.",
    try_it="strace -f -Z -e trace=close build/bin/02-thread",
)
def test_closed_once(start: Starter, tmp_path: Path) -> None:
    """each connection is closed once"""
    log = tmp_path / "log"
    server = traced(start, log, "close", drain_timeout=1)
    for _ in range(5):
        server.get("/hello")
        quiet(server)
    server.finish()
    twice = strace.read(log).failures["close", "EBADF"]
    expect(twice == 0, f"close() failed {twice} times with EBADF: the descriptor was closed twice")


@story(
    expected="no more pieces of memory than before: the stacks have been given back",
    hint="A thread that has ended keeps its stack until somebody joins it. Who does, and when? "
    "At the end of the server is too late.",
    try_it="wc -l < /proc/PID/maps; ab -q -n 1000 URL/hello > /dev/null; wc -l < /proc/PID/maps",
)
def test_stacks_are_given_back(start: Starter) -> None:
    """a hundred clients, one after another, leave no stack behind"""
    if start.target.sanitizers:
        pytest.skip("sanitizers map memory of their own")
    server = start(drain_timeout=1)
    for _ in range(20):
        server.get("/hello")
    quiet(server)
    before = mappings(server)
    for _ in range(100):
        server.get("/hello")
    quiet(server)
    more = mappings(server) - before
    expect(more < 50, f"{more} more mappings in /proc/{server.pid}/maps after 100 clients: "
           "two for each thread that ended and that nobody joined")  # fmt: skip


@story(
    expected="with --max-connections 2 the others are not accepted, and the server sleeps",
    hint="Wait for room *before* accept4(): who has been accepted and is not served believes to "
    "be served. And wait on a condition variable, which costs nothing while nothing happens.",
    try_it="ss -ltn 'sport = :8080'",
)
def test_at_the_limit(start: Starter) -> None:
    """clients over the limit stay in the listen backlog, while the server sleeps"""
    server = start(max_connections=2, drain_timeout=1)
    inside = [server.connect() for _ in range(2)]
    for client in inside:
        client.send(HALF_HEAD)
        consumed(server, client)
    outside = [server.connect() for _ in range(3)]
    quiet(server)
    listener = tcp.listener(server.port)
    waiting = listener.unread if listener else 0
    expect(waiting == 3, f"LISTEN backlog {waiting}: of 3 clients over the limit {3 - waiting} "
           "were accepted")  # fmt: skip
    if "thread" not in start.target.sanitizers:
        sleeps(server, "with all places taken")
    for client in inside:
        client.send(REST_OF_HEAD)
        expect(client.reply().status == 200, "a client within the limit is not served")
        client.close()
    for client in outside:
        expect(client.get("/hello", connection="close").status == 200, "one who waited is not")
        client.close()


@story(
    expected="the clients inside get their replies, and then exit status 0",
    hint="At the limit nobody waits in accept4(): a stop signal finds the loop asleep somewhere "
    "else. What wakes it there, and what does it find when it goes on to accept4()?",
    try_it="curl -s URL/hello     # and then Ctrl-C in the first one",
)
def test_stop_at_the_limit(start: Starter) -> None:
    """a stop signal that comes while all places are taken"""
    server = start(max_connections=2, drain_timeout=60)
    idle, busy = server.connect(), server.connect()
    idle.get("/hello")
    busy.send(HALF_HEAD)
    consumed(server, busy)
    server.signal(signal.SIGTERM)
    idle.at_end()
    busy.send(REST_OF_HEAD)
    expect(busy.reply().status == 200, "the client inside lost its reply")
    busy.at_end()
    ends_well(server)


@story(
    expected="the places of the two who were turned away are free again, and the end is in order",
    hint="When std::thread throws, the client is in the books already: take it out, or it is "
    "counted for ever, and the server waits for a thread that never was.",
    try_it="strace -f -e trace=clone,clone3 -e inject=clone,clone3:error=EAGAIN:when=1..2 "
    "build/bin/02-thread --max-connections 2",
)
def test_refused_clients_leave_nothing(start: Starter, tmp_path: Path) -> None:
    """clients for whom there was no thread leave nothing behind"""
    log, inject = tmp_path / "log", "error=EAGAIN:when=1..2"
    server = traced(start, log, *FORK, inject=inject, max_connections=2, drain_timeout=60)
    quiet(server)
    before = census(server)
    results = []
    for _ in range(5):
        client = server.connect()
        results.append(served(client))
        client.close()
        returns_to(server, before, "after clients without a thread, and others with one,")
    refused = strace.read(log).injected  # none where no thread is asked for
    expect(results == [False] * refused + [True] * (5 - refused), f"served: {results}")
    server.signal(signal.SIGTERM)
    ends_well(server)


@story(
    expected="each client gets its own answer, though threads start late",
    hint="Between the creation of a thread and its first line the loop may accept the next "
    "client. What was handed over must be a value of the thread's own, and not a reference to a "
    "variable that is used again.",
)
def test_late_threads_have_their_own_client(start: Starter, tmp_path: Path) -> None:
    """eight clients come before the first of their threads has begun"""
    server = traced(start, tmp_path / "log", "rseq", inject="delay_enter=100000", drain_timeout=1)
    with frozen(server):
        clients = [server.connect() for _ in range(8)]
        for number, client in enumerate(clients):
            client.send(request("POST", "/echo", b"I am %d" % number, connection="close"))
            client.half_close()
    for number, client in enumerate(clients):
        body = client.reply().body
        expect(body == b"I am %d" % number, f"client {number} got {body!r}")
        client.close()


@story(
    expected="the clients after it are served",
    hint="A new thread may have come to its end before the one that started it has executed its "
    "next line. What must be in the books before it starts, and what keeps the two apart?",
)
def test_threads_that_end_early(start: Starter, tmp_path: Path) -> None:
    """threads that end before the call that started them returns"""
    server = traced(start, tmp_path / "log", *FORK, inject="delay_exit=60000", drain_timeout=1)
    for number in range(4):
        client = server.connect()
        client.send(get(f"/bytes/{number}", connection="close"))
        size = len(client.reply().body)
        expect(size == number, f"client {number} got {size} bytes")
        client.close()
