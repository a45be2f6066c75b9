"""Clients that misbehave: nothing that one of them does may hurt the others."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from harness.client import Client
from harness.findings import difference, expect, story
from harness.instruments import consumed, frozen, not_spinning, quiet
from harness.message import HOST, chunked, get, pattern, request
from harness.server import Server

BODY = 16 * 1024 * 1024
CHUNKED = b"POST /echo HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n"

BEGINNINGS: dict[str, bytes] = {
    "before-a-request": b"",
    "in-the-head": b"GET /hello HTTP/1.1\r\nHo",
    "in-the-body": b"POST /echo HTTP/1.1\r\n" + HOST + b"Content-Length: 10\r\n\r\n01234",
    "in-a-chunk": CHUNKED + b"5\r\nhe",
    "in-the-reply": get("/bytes/67108864"),
    "in-a-pipeline": get("/bytes/300000") * 40,
    "in-an-upload": request("POST", "/echo", pattern(1_000_000))[:700_000],
}


@pytest.mark.parametrize("moment", BEGINNINGS)
@pytest.mark.parametrize("leave", ["reset", "close"])
@story(
    expected="the one connection ends; the server and all others go on",
    hint="ECONNRESET and EPIPE are about one connection. Close that one, and nothing else. And "
    "writing to a connection that is gone raises SIGPIPE, unless you say no.",
    try_it="timeout 0.1 curl -s URL/bytes/67108864 | head -c 1; curl -si URL/hello",
)
def test_client_leaves(server: Server, moment: str, leave: str) -> None:
    """clients leave at a bad moment"""
    for _ in range(3):
        client = server.connect()
        client.send(BEGINNINGS[moment])
        if moment == "in-the-reply":
            client.read(100)
        elif moment.startswith("in-the-"):
            consumed(server, client)
        getattr(client, leave)()
    expect(server.get("/hello").status == 200, "the next client is not served")


@story(
    expected="a write to a client that is gone is an error of that connection, not a signal",
    hint="The first write to a reset connection raises SIGPIPE, whose default is to end the "
    "process: MSG_NOSIGNAL with each send, or ignore SIGPIPE once.",
)
def test_certain_sigpipe(server: Server) -> None:
    """a server that must write to a reset connection survives"""
    for ask in (get("/hello"), get("/bytes/100000"), get("/files/big.bin"), b"NONSENSE\r\n\r\n"):
        with frozen(server):  # FIN and RST are both there before the server looks
            client = server.connect()
            client.send(ask)
            client.half_close()
            client.reset()
        expect(server.get("/hello").status == 200, "the next client is not served")


@story(
    expected="the server sleeps until the answer is due, or lets the client go at once",
    hint="Errors and hang-ups are reported whether you asked for them or not, also for a "
    "connection from which you want nothing just now. Whoever ignores them is woken for ever.",
    try_it="curl -m 1 'URL/sleep?ms=20000'; python3 -m harness.xray PID",
)
def test_gone_while_its_answer_is_to_come(server: Server) -> None:
    """a client resets the connection while its answer is still to come"""
    client = server.connect()
    client.send(get("/sleep?ms=1500"))
    consumed(server, client)
    quiet(server)
    client.reset()
    not_spinning(server, "while the answer to a client that is gone is still to come")
    expect(server.get("/hello").status == 200, "the next client is not served")


@pytest.mark.parametrize("size", [13, BODY], ids=["small", "16-MiB"])
@story(
    expected="the whole reply, and then the end",
    hint="A client that has said everything may close its half (nc does). recv() = 0 means that "
    "no more requests come; the replies under way are still wanted.",
    try_it="printf 'GET /hello HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n' | "
    "python3 -m harness.say PORT --half-close",
)
def test_half_close(server: Server, size: int) -> None:
    """a half-closed client still gets its reply"""
    client = server.connect()
    client.send(get(f"/bytes/{size}"))
    client.half_close()
    if size == BODY:
        quiet(server)
    body = client.reply().body
    expect(body == pattern(size), difference(body, pattern(size)))
    client.at_end()


@story(
    expected="a reply to each of the pipelined requests, and then the end",
    hint="The end of the input can be read in the same breath as the requests before it.",
)
def test_half_close_after_a_pipeline(server: Server) -> None:
    """all pipelined requests before a half-close are answered"""
    with frozen(server):
        client = server.connect()
        client.send(get("/bytes/70000") * 3 + request("POST", "/echo", b"x") + get("/sleep?ms=30"))
        client.half_close()
    for number in range(5):
        reply = client.reply()
        expect(reply.status == 200, f"reply {number}: {reply}")
    client.at_end()


@pytest.mark.parametrize("moment", ["in-the-head", "in-the-body", "in-a-chunk"])
@story(
    expected="the connection ends at once: the rest can never come",
    hint="End of input in the middle of a request is the end of that connection (a 400 before it "
    "is kind). If nobody looks for it, the loop is told about it for ever.",
    try_it="printf 'GET /hel' | "
    "python3 -m harness.say PORT --half-close",
)
def test_half_close_in_a_request(server: Server, moment: str) -> None:
    """a half-close in the middle of a request"""
    client = server.connect()
    client.send(BEGINNINGS[moment])
    consumed(server, client)
    client.half_close()
    expect(client.ends(), f"no end; {server.facts(client.port)}")
    not_spinning(server, "after that")


@story(
    expected="urgent data disturbs nothing",
    hint="recv() stops at the urgent mark: it returns less than was asked for, though there is "
    "more behind the mark. So 'a short read means that all is read' does not always hold.",
)
def test_urgent_data(server: Server) -> None:
    """a byte of urgent data in the middle of a request"""
    client = server.connect()
    client.get("/hello")
    with frozen(server):
        client.send(b"GET /hello HT")
        client.urgent(b"!")
        client.send(b"TP/1.1\r\n" + HOST + b"\r\n")
    reply = client.reply()
    expect(reply.status == 200, str(reply))
    not_spinning(server, "after that")


@story(
    expected="all of it is survived, and an old client is served in between",
    hint="Each of these ends one connection. What does the error path of your accept, read and "
    "write do with everybody else?",
)
def test_a_bad_day(server: Server) -> None:
    """a hundred clients misbehave in all ways at once"""
    old = server.connect()
    old.get("/hello")
    leaves: list[Callable[[Client], None]] = [Client.reset, Client.close]
    for number in range(100 if server.stage.concurrent else 20):
        client = server.connect()
        piece = list(BEGINNINGS.values())[number % 4]
        client.send(piece + (chunked(b"x") if number % 3 else b""), quietly=True)
        leaves[number % 2](client)
        if number % 10 == 0 and server.stage.concurrent:
            expect(old.get("/hello").status == 200, "the old client is not served")
    expect(server.get("/hello").status == 200, "the next client is not served")
