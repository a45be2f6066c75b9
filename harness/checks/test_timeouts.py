"""Deadlines: slow and silent clients are let go, busy ones are not."""

from __future__ import annotations

import pytest

from harness import stages
from harness.client import Client, ClosedError, wait_readable
from harness.clock import observe
from harness.findings import expect, story
from harness.fixtures import Starter
from harness.instruments import accepted, census, quiet, returns_to
from harness.message import HOST, get

SHORT = 0.25
HALF_BODY = b"POST /echo HTTP/1.1\r\n" + HOST + b"Content-Length: 10\r\n\r\n01234"


def answered_or_ended(client: Client, *statuses: int) -> None:
    """Wait for one of these statuses and the end, or for an end without words."""
    try:
        reply = client.reply()
    except ClosedError:
        return
    expect(reply.status in statuses, str(reply))
    client.at_end()


@story(
    expected="the connection ends once --idle-timeout is over, without a reply to no request",
    hint="Between requests a client may be silent for --idle-timeout seconds: blocking servers "
    "use SO_RCVTIMEO or poll(), loops wait no longer than until the nearest deadline.",
    try_it="(printf 'GET /hello HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n'; sleep 9) | "
    "python3 -m harness.say PORT",
)
def test_idle_client(start: Starter) -> None:
    """an idle client is let go after --idle-timeout"""
    server = start(idle_timeout=SHORT)
    client = server.connect()
    for _ in range(2):
        client.get("/hello")
    client.at_end()
    client = server.connect()
    expect(client.get("/hello").status == 200, "a new client is not served")


@story(
    expected="a client that never says a word is let go",
    hint="The first request has a deadline as well; else a thousand silent clients stay for ever.",
    try_it="time python3 -m harness.say PORT < /dev/null",
)
def test_client_without_a_word(start: Starter) -> None:
    """a client that never says a word is let go"""
    server = start(idle_timeout=SHORT, header_timeout=SHORT)
    client = server.connect()
    accepted(server, client)
    answered_or_ended(client, 408)


@pytest.mark.only(*set(stages.MODELS) - {stages.ITERATIVE})
@story(
    expected="the idle client ends, the busy one stays",
    hint="Each connection has a deadline of its own, and each request moves it.",
)
def test_busy_client_stays(start: Starter) -> None:
    """one client's idle deadline does not hit a busy one"""
    server = start(idle_timeout=SHORT * 2)
    idle, busy = server.connect(), server.connect()
    idle.get("/hello")
    turns = 0
    while idle.silent() and turns < 3000:
        expect(busy.get("/hello").status == 200, "the busy client is not served")
        wait_readable([idle], 0.005)
        turns += 1
    idle.at_end()
    expect(busy.get("/hello").status == 200, "the busy client was let go as well")


@story(
    expected="a request that is being answered does not count as idle",
    hint="While the answer is due, the client can do nothing but wait.",
    try_it="curl -si 'URL/sleep?ms=2000'",
)
def test_answering_is_not_idle(start: Starter) -> None:
    """no deadline hits a client that waits for its answer"""
    server = start(idle_timeout=0.2, header_timeout=0.2, io_timeout=0.2)
    client = server.connect()
    expect(client.get("/sleep?ms=500").status == 200, "not 200")


@pytest.mark.parametrize("trickle", [False, True], ids=["silent", "trickling"])
@story(
    expected="408 once --header-timeout is over, and the end",
    hint="The deadline is for the whole head. If each byte starts it anew, then a client that "
    "sends a byte a second keeps its place for hours (slowloris).",
    try_it="(printf 'GET /'; while sleep 1; do printf a; done) | python3 -m harness.say PORT",
)
def test_slow_head(start: Starter, trickle: bool) -> None:
    """a head that comes too slowly is answered with 408"""
    server = start(header_timeout=SHORT, idle_timeout=20)
    client = server.connect()
    client.send(b"GET /hello HTTP/1.1\r\nX: ")
    while trickle and not client.readable(0.05):
        client.send(b"x", quietly=True)
        expect(client.sent < 1500, "the deadline never comes; each byte seems to move it")
    reply = client.reply()
    expect(reply.status == 408, str(reply))
    expect(reply.closes, f"no Connection: close; {reply.headers}")
    client.at_end()


@story(
    expected="a body that makes no progress for --io-timeout ends the connection (408)",
    hint="A client that announces a body and sends half of it holds buffers, and in blocking "
    "servers a thread.",
)
def test_body_without_progress(start: Starter) -> None:
    """a body that stops halfway ends the connection"""
    server = start(io_timeout=SHORT)
    client = server.connect()
    client.send(HALF_BODY)
    answered_or_ended(client, 408)


@story(
    expected="a client that does not read for --io-timeout is let go",
    hint="A reply that cannot be sent needs a deadline too: the kernel would wait for ever. "
    "(Blocking: SO_SNDTIMEO. Loops: a deadline that each sent byte moves.)",
    try_it="curl -s --limit-rate 1 URL/bytes/67108864 > /dev/null",
)
def test_reply_without_progress(start: Starter) -> None:
    """a client that stops reading is let go"""
    server = start(io_timeout=SHORT)
    server.get("/hello")
    quiet(server)
    before = census(server)
    client = server.connect(receive_buffer=4096)
    client.send(get("/bytes/67108864"))
    expect(client.readable(6), "not even the beginning of the reply came")
    returns_to(server, before, "long after --io-timeout, with the client still there,")


@story(
    expected="who reads slowly, but reads, gets all of it",
    hint="--io-timeout is about progress. Each byte that goes out moves the deadline.",
)
def test_slow_is_not_stuck(start: Starter) -> None:
    """a slow reader is not taken for a stuck one"""
    server = start(io_timeout=SHORT * 2, idle_timeout=SHORT * 2, header_timeout=SHORT * 2)
    client = server.connect()
    size, steps = 45 * 1024 * 1024, 9
    client.send(get(f"/bytes/{size}"))
    for _ in range(steps):
        client.read(size // steps)
        observe(SHORT / 3)
    client.read(100)  # the head made it longer: this is the end of the body


@pytest.mark.only(*set(stages.MODELS) - {stages.ITERATIVE})
@story(
    expected="after fifty timeouts the server holds what it held before",
    hint="The way out after a timeout must release all that the ordinary way out releases, in "
    "every table that knows the connection.",
)
def test_many_timeouts(start: Starter) -> None:
    """fifty clients run into their deadlines, and nothing stays behind"""
    server = start(idle_timeout=SHORT, header_timeout=SHORT, io_timeout=SHORT)
    server.get("/hello")
    quiet(server)
    before = census(server)
    pieces = (b"", b"GET /hel", HALF_BODY, get("/hello"))
    clients = [server.connect() for _ in range(52)]
    for number, client in enumerate(clients):
        client.send(pieces[number % 4])
    for client in clients:
        expect(client.ends(), f"no end; {server.facts(client.port)}")
    returns_to(server, before, "after 52 timeouts")
    expect(server.get("/hello").status == 200, "the next client is not served")
