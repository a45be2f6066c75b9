"""Edges that a server may miss: more than its budget at once, and news that come too early."""

from __future__ import annotations

import json

import pytest

from harness import stages, tcp
from harness.findings import expect, story
from harness.fixtures import Starter
from harness.instruments import at_rest, consumed, frozen, quiet
from harness.message import get
from harness.server import Server

AT_ONCE = 300
FLOOD = 100


@pytest.mark.only(stages.EPOLL)
@story(
    expected="all of them are accepted, though nobody new comes afterwards",
    hint="A budget is not the end of the queue. Whoever stops accepting because it has accepted "
    "enough for now has to come back without being told.",
    try_it="kill -STOP PID; for i in $(seq 300); do curl -s URL/hello & done; kill -CONT PID; wait",
)
def test_more_connects_than_a_batch(server: Server) -> None:
    """three hundred clients connect at the same moment"""
    with frozen(server):
        clients = [server.connect() for _ in range(AT_ONCE)]
    at_rest(server, clients)
    for client in (clients[-1], clients[0]):
        expect(client.get("/hello").status == 200, "not 200")


@pytest.mark.only(stages.EPOLL)
@story(
    expected="a request that comes while the answer to the one before is due is answered after it",
    hint="The bytes came, and were reported, when nobody wanted to read. Was the report thrown "
    "away? The kernel does not repeat it.",
    try_it="(printf 'GET /sleep?ms=900 HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n'; sleep .2; "
    "printf 'GET /hello HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n') | python3 -m harness.say PORT",
)
def test_bytes_that_come_too_early(server: Server) -> None:
    """a client says more while its answer is still to come"""
    client = server.connect()
    for _ in range(2):
        client.send(get("/sleep?ms=100"))
        consumed(server, client)
        client.send(get("/hello"))
        for what in ("the delayed answer", "the answer to what was said meanwhile"):
            expect(client.reply().status == 200, f"{what} is not 200")
    at_rest(server, [client])


@pytest.mark.only(stages.EPOLL)
@story(
    expected="a quiet client is served long before all requests of a busy one are",
    hint="Whoever drains one connection to its end lets a fast client own the loop. Move bytes "
    "with a budget, and come back later to what is left.",
)
def test_busy_client_has_a_budget(start: Starter) -> None:
    """one client's requests, all there at once, do not keep another one waiting"""
    server = start()
    busy, other = server.connect(), server.connect()
    for client in (busy, other):
        client.get("/hello")
    with frozen(server):
        busy.send(get("/bytes/20000") * FLOOD, quietly=True)  # the kernel has room for all replies
        other.send(get("/stats"))
    served = json.loads(other.reply().body)["requests"]
    expect(
        served < FLOOD / 2,
        f"{served} of {FLOOD} requests of the busy client were answered before the one of the "
        "quiet client",
    )
    busy.reset()


@pytest.mark.only(stages.EPOLL)
@story(
    expected="whoever has said something and closed is closed by the server as well",
    hint="The end of the input was announced together with the last bytes, and it takes a recv() "
    "of its own. A read that was not filled does not mean that nothing is behind it.",
    try_it="kill -STOP PID; printf 'GET /he' | python3 -m harness.say PORT & sleep 1; kill %%; "
    "kill -CONT PID; ss -tn state close-wait",
)
def test_end_behind_the_last_bytes(server: Server) -> None:
    """clients say something and close, and the server sees both at once"""
    with frozen(server):
        for beginning in (b"", b"GET /he", get("/hello"), get("/hello") * 3):
            client = server.connect()
            client.send(beginning)
            client.close()
    quiet(server)
    rows = [row for row in tcp.table(server.port) if row.state == tcp.CLOSE_WAIT]
    expect(not rows, f"in CLOSE_WAIT, though their clients have gone: {len(rows)}")
