"""Much at once: everything reaches the server in one wake-up, because it was stopped meanwhile."""

from __future__ import annotations

import json
import threading

import pytest

from harness import stages
from harness.findings import difference, expect, story
from harness.fixtures import Starter
from harness.instruments import at_rest, frozen
from harness.message import chunked, get, pattern, request
from harness.server import Server

CONCURRENT = tuple(set(stages.MODELS) - {stages.ITERATIVE})


@pytest.mark.only(*CONCURRENT)
@pytest.mark.parametrize("number", [3, 64])
@story(
    expected="all of them are accepted and served",
    hint="One event can stand for many connections: accept until EAGAIN (or be told again).",
    try_it="kill -STOP PID; for i in 1 2 3; do curl -s URL/hello & done; kill -CONT PID; wait",
)
def test_connects_at_once(server: Server, number: int) -> None:
    """clients that connect at the same moment are all accepted"""
    with frozen(server):
        clients = [server.connect() for _ in range(number)]
    at_rest(server, clients)
    for client in reversed(clients):
        expect(client.get("/hello").status == 200, "not 200")


@pytest.mark.only(*CONCURRENT)
@story(
    expected="data that was there before accept() is read",
    hint="With edges only *changes* are reported: what came before you asked must be looked for. "
    "And a connection that is handed to another thread or process brings its bytes along.",
)
def test_data_before_accept(server: Server) -> None:
    """requests that arrive before their connection is accepted are answered"""
    with frozen(server):
        clients = [server.connect() for _ in range(10)]
        for number, client in enumerate(clients):
            client.send(get(f"/bytes/{number}"))
    for number, client in enumerate(clients):
        body = client.reply().body
        expect(body == pattern(number), difference(body, pattern(number)))
    at_rest(server, clients)


@pytest.mark.parametrize("number", [20, 2000])
@story(
    expected="a reply to each",
    hint="The buffer is full, requests are left in it and in the kernel: who wakes the loop for "
    "those, when no new byte comes?",
)
def test_pipelined_at_once(server: Server, number: int) -> None:
    """pipelined requests that fill more than one buffer"""
    client = server.connect()
    client.get("/hello")
    with frozen(server):
        client.send(get("/bytes/7") * number, quietly=True)
    for turn in range(number):
        body = client.reply().body
        expect(body == pattern(7), f"reply {turn}: {difference(body, pattern(7))}")
    at_rest(server, [client])
    expect(client.get("/hello").status == 200, "the connection is not usable afterwards")


@pytest.mark.parametrize("coding", ["length", "chunked"])
@story(
    expected="1 MiB that is there at once is read to its end",
    hint="Far more than one read() takes. Level: you are told again. Edge: read until EAGAIN, or "
    "remember that there is more.",
)
def test_burst_larger_than_buffers(server: Server, coding: str) -> None:
    """a body that is larger than every buffer arrives in one burst"""
    body = pattern(1_000_000)
    head = b"POST /echo HTTP/1.1\r\nHost: lab\r\nTransfer-Encoding: chunked\r\n\r\n"
    whole = request("POST", "/echo", body) if coding == "length" else head + chunked(body)
    client = server.connect()
    client.get("/hello")
    with frozen(server):
        taken = 0
        while more := client.offer(whole[taken : taken + 65_536]):
            taken += more
    if taken < len(whole):
        client.send(whole[taken:], quietly=True)
    reply = client.reply()
    expect(reply.body == body, difference(reply.body, body))
    at_rest(server, [client])


@story(
    expected="clients that came and went unseen disturb nobody",
    hint="accept() may return a connection that is already over, or ECONNABORTED.",
)
def test_gone_before_accept(server: Server) -> None:
    """clients that are gone before they are accepted"""
    with frozen(server):
        for number in range(12):
            client = server.connect()
            if number % 3:
                client.send(get("/hello"))
            (client.reset if number % 2 else client.close)()
        last = server.connect()
        last.send(get("/hello"))
    expect(last.reply().status == 200, "the one that stayed is not served")
    at_rest(server, [last])


@pytest.mark.only(*CONCURRENT)
@story(
    expected="comings, goings and requests of one batch do not get mixed up",
    hint="An event that was reported before close() may be handled after it, when the descriptor "
    "already belongs to somebody else. How do you notice?",
)
def test_mixed_batch(server: Server) -> None:
    """some leave, some come, some ask, all in the same moment"""
    old = [server.connect() for _ in range(12)]
    for client in old:
        client.get("/hello")
    for turn in range(4):
        with frozen(server):
            for client in old[:4]:
                client.send(get("/bytes/50000") * 3, quietly=True)
                client.reset()
            for client in old[4:8]:
                client.send(request("POST", "/echo", b"turn %d" % turn))
                client.half_close()
            new = [server.connect() for _ in range(8)]
            for number, client in enumerate(new):
                client.send(get(f"/bytes/{number + 100}"))
            for client in old[8:]:
                client.send(get("/hello"))
        for client in old[4:8]:
            expect(client.reply().body == b"turn %d" % turn, "the wrong echo")
            client.at_end()
        for number, client in enumerate(new):
            body = client.reply().body
            expect(body == pattern(number + 100), difference(body, pattern(number + 100)))
        for client in old[8:]:
            expect(client.reply().body == b"Hello, World!", "an old client is not served")
        old = new + old[8:]
    at_rest(server, old)


@pytest.mark.only(*stages.EVENTED)
@story(
    expected="a quiet client is served long before a flood of another one's requests is",
    hint="Whoever drains one connection to its end lets a fast client own the loop. Read with a "
    "budget, and come back later to what is left.",
)
def test_flood_starves_nobody(start: Starter) -> None:
    """one client's flood of requests does not starve the others"""
    flood = 60_000
    server = start(workers=1) if start.target.stage.model == stages.HANDOVER else start()
    flooder, victim = server.connect(), server.connect()
    for client in (flooder, victim):
        client.get("/hello")
    with frozen(server):
        sender = threading.Thread(
            target=flooder.send, args=(get("/bytes/0") * flood,), kwargs={"quietly": True}
        )
        sender.start()
        while flooder.unacknowledged() < 100_000:
            pass
        victim.send(get("/stats"))
        reader = threading.Thread(target=flooder.swallow, args=(flood * 80,))
        reader.start()
    served = json.loads(victim.reply().body)["requests"]
    sender.join()
    reader.join()
    expect(
        served < flood / 2,
        f"{served:,} of {flood:,} requests of the flood were answered before the one of the victim",
    )
