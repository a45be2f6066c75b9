"""A stream of requests means the same however TCP cuts it into pieces.

Each cut is real: the second piece is sent only after the server has read the first one.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from harness.client import Client
from harness.findings import Finding, excerpt, expect, story, transcript
from harness.instruments import consumed
from harness.message import HOST, chunked, get, request
from harness.server import Server

CHUNKED = b"POST /echo HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n"


@dataclass(frozen=True)
class Stream:
    """Bytes to send, and the (status, body) of each reply; `ends` if the server closes then."""

    sent: bytes
    replies: tuple[tuple[int, bytes], ...]
    ends: bool = False


STREAMS = {
    "pipelined": Stream(
        get("/hello") + get("/bytes/2"), ((200, b"Hello, World!"), (200, b"\x00\x01"))
    ),
    "body": Stream(
        request("POST", "/echo", b"a\r\n\r\nb\0c") + get("/bytes/1"),
        ((200, b"a\r\n\r\nb\0c"), (200, b"\0")),
    ),
    "chunked": Stream(
        CHUNKED + chunked(b"first", b"0123456789abcdef", trailer=b"T: 1\r\n") + get("/bytes/1"),
        ((200, b"first0123456789abcdef"), (200, b"\0")),
    ),
    "error": Stream(
        get("/bytes/1") + b"GET /hello HTTP/1.1\r\nHost : lab\r\n\r\n", ((200, b"\0"),), ends=True
    ),
}


def converse(server: Server, client: Client, stream: Stream, cuts: list[int]) -> None:
    """Send the stream in pieces, and require the replies of the uncut one."""
    edges = [0, *cuts, len(stream.sent)]
    for start, end in zip(edges, edges[1:], strict=False):
        client.send(stream.sent[start:end], quietly=True)
        if end < len(stream.sent):
            consumed(server, client)
    for status, body in stream.replies:
        reply = client.reply()
        expect(reply.status == status and reply.body == body, f"{reply} instead of {status}")
    if stream.ends:
        expect(client.reply().status == 400, "no 400")
        client.at_end()


@pytest.mark.parametrize("name", STREAMS)
@story(
    expected="the same replies as without the cut",
    hint="TCP carries bytes, not messages: a read can end anywhere, even between CR and LF, and "
    "can bring the beginning of the next request.",
    try_it="(printf 'GET /hello HT'; sleep 1; printf 'TP/1.1\\r\\nHost: a\\r\\nConnection: close"
    "\\r\\n\\r\\n') | python3 -m harness.say PORT",
)
def test_cut_at_every_byte(server: Server, name: str) -> None:
    """requests that arrive in two pieces, cut at every possible place"""
    stream = STREAMS[name]
    client = server.connect()
    for cut in range(1, len(stream.sent)):
        if stream.ends:
            client.close()
            client = server.connect()
        try:
            converse(server, client, stream, [cut])
        except Finding as finding:
            transcript.clear()
            finding.sent = (
                f"{excerpt(stream.sent[:cut], 200)}, then, once the server had read that, "
                f"{excerpt(stream.sent[cut:], 200)}"
            )
            raise


@story(
    expected="the same replies as in one piece",
    hint="Each byte wakes the server up; each time it must take up where it left off.",
)
def test_byte_by_byte(server: Server) -> None:
    """requests that arrive byte by byte"""
    for name, stream in STREAMS.items():
        transcript.note("client", f"the stream {name!r}, a byte at a time")
        client = server.connect()
        converse(server, client, stream, list(range(1, len(stream.sent))))
        client.close()
