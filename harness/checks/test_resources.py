"""What a server holds on to: descriptors, processes, threads, memory, CPU."""

from __future__ import annotations

import pytest

from harness import proc, stages, tcp
from harness.checks.test_refusals import REFUSED
from harness.client import ClosedError
from harness.findings import expect, story
from harness.fixtures import Starter
from harness.instruments import at_rest, census, memory, quiet, returns_to, sleeps
from harness.message import get, request
from harness.server import Server

MEBIBYTE = 1024 * 1024


def churn(server: Server, times: int) -> None:
    """Clients that come, ask, and go: politely, rudely, or without waiting for an answer."""
    for number in range(times):
        client = server.connect()
        kind = number % 5
        client.send(request("POST", "/echo", b"x" * 3000) if kind == 0 else get("/bytes/2000"))
        if kind < 4:
            client.reply()
        (client.reset if kind > 1 else client.close)()


@story(
    expected="after 200 clients it holds what it held before the first one",
    hint="Each accept() needs exactly one close(), each fork() one waitpid(), each thread one "
    "join or detach: on every way out.",
    try_it="ls /proc/PID/fd | wc -l; ab -n 1000 -c 10 URL/hello; ls /proc/PID/fd | wc -l",
)
def test_churn(start: Starter) -> None:
    """two hundred clients leave nothing behind"""
    server = start()
    churn(server, 30)
    quiet(server)
    before, memory_before, mapped = census(server), memory(server), mappings(server)
    churn(server, 200)
    returns_to(server, before, "after 200 clients")
    at_rest(server, [])
    if not server.target.sanitizers:
        grown = memory(server) - memory_before
        expect(grown < 3 * MEBIBYTE, f"its memory grew by {grown / MEBIBYTE:.1f} MiB")
        more = mappings(server) - mapped
        expect(
            more < 100,
            f"its address space has {more} mappings more",
            hint="Stacks of threads that have ended stay mapped until somebody joins them.",
        )


def mappings(server: Server) -> int:
    """How many pieces the first process's address space has; malloc adds a dozen at most."""
    return proc.read_text(f"/proc/{server.pid}/maps").count("\n")


@story(
    expected="after 100 bad requests it holds what it held before the first one",
    hint="Error paths are ways out as well. Which of them forgets to close?",
    try_it="printf 'X\\r\\n\\r\\n' | python3 -m harness.say PORT --half-close; ls /proc/PID/fd",
)
def test_bad_requests_leave_nothing(start: Starter) -> None:
    """a hundred bad requests leave nothing behind"""
    server = start()
    server.get("/hello")
    quiet(server)
    before, memory_before = census(server), memory(server)
    bad = [sent for sent, _ in REFUSED.values() if len(sent) < 500]
    for number in range(100):
        client = server.connect()
        client.send(bad[number % len(bad)], quietly=True)
        if number % 2:
            client.reset()
        else:
            client.half_close()
            try:
                client.reply()
            except ClosedError:
                pass
            client.close()
    returns_to(server, before, "after 100 bad requests")
    grown = memory(server) - memory_before
    expect(grown < 6 * MEBIBYTE, f"its memory grew by {grown / MEBIBYTE:.1f} MiB")


@story(
    expected="nothing runs while nothing happens",
    hint="A loop that asks again and again whether there is something to do burns a core for "
    "nothing: no timeout of 0, no interest in what is always true, no polling every few ms.",
    try_it="top -p PID",
)
def test_idle_server_uses_no_cpu(start: Starter) -> None:
    """no CPU is used with no client, with idle ones, and with one that does not read"""
    if "thread" in start.target.sanitizers:
        pytest.skip("ThreadSanitizer has a thread of its own, which wakes up regularly")
    server = start()
    sleeps(server, "with no client")
    idle = [server.connect(beside=True) for _ in range(3)]
    idle[0].get("/hello")
    sleeps(server, "with idle clients")
    if server.stage.concurrent:
        blocked = server.connect(receive_buffer=4096)
        blocked.send(get("/bytes/67108864"))
        expect(blocked.readable(6), "not even the beginning of the reply came")
        sleeps(server, "with a client that does not read")
        blocked.reset()
        sleeps(server, "after a client was reset in the middle of its reply")


@pytest.mark.only(*set(stages.MODELS) - {stages.ITERATIVE})
@story(
    expected="little memory for each idle connection",
    hint="A connection without a request needs no buffers: take them when bytes come, give them "
    "back when all is sent.",
    try_it="for i in $(seq 300); do python3 -m harness.say PORT & done; "
    "grep -i pss /proc/PID/smaps_rollup",
)
def test_idle_connections_are_cheap(start: Starter) -> None:
    """idle connections cost little memory"""
    if start.target.sanitizers:
        pytest.skip("sanitizers keep freed memory")
    allowed = {stages.FORK: 200_000, stages.THREAD: 50_000, stages.POOL: 50_000}
    limit = allowed.get(start.target.stage.model, 8_000)
    number = 60 if start.target.stage.model == stages.POOL else 300
    server = start()
    server.get("/hello")
    quiet(server)
    before = memory(server)
    clients = [server.connect() for _ in range(number)]
    for client in clients:
        client.send(request("POST", "/echo", b"x" * 30_000), quietly=True)
        client.reply()
    quiet(server)
    each = (memory(server) - before) / number
    expect(each < limit, f"{each:,.0f} bytes of memory for each of {number} idle connections")


@story(
    expected="each connection that the kernel still holds has a client",
    hint="CLOSE_WAIT means: the client has gone, and the server has not closed yet.",
    try_it="ss -tn state close-wait sport = :PORT",
)
def test_no_close_wait(server: Server) -> None:
    """clients that have gone are not kept in CLOSE_WAIT"""
    for number in range(12):
        client = server.connect()
        client.send((b"", get("/hello"), b"GET /he")[number % 3])
        client.close()
    quiet(server)
    rows = [row for row in tcp.table(server.port) if row.state == tcp.CLOSE_WAIT]
    expect(not rows, f"in CLOSE_WAIT: {len(rows)}")
