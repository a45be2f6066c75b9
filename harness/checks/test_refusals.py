"""What must be refused, with which status; and that the refusal really arrives."""

from __future__ import annotations

import pytest

from harness.findings import expect, story, tried_by
from harness.fixtures import Starter
from harness.message import HOST, chunked, pattern
from harness.server import Server

MAX_BODY = 1024 * 1024
POST = b"POST /echo HTTP/1.1\r\n" + HOST
CHUNKED = b"Transfer-Encoding: chunked\r\n"


def line(text: bytes) -> bytes:
    """A whole request with this request line."""
    return text + b"\r\n" + HOST + b"\r\n"


def field(text: bytes) -> bytes:
    """A whole GET with this additional piece of head."""
    return b"GET /hello HTTP/1.1\r\n" + HOST + text + b"\r\n"


def as_printf(data: bytes) -> str:
    """A shell command that prints these bytes."""
    text = data.decode("latin-1").encode("unicode_escape").decode("ascii")
    text = text.replace("%", "%%").replace("'", "\\047")
    return f"printf '{text}'" if len(text) < 400 else f"printf '{text[:80]}...'"


REFUSED: dict[str, tuple[bytes, tuple[int, ...]]] = {
    "no-host": (b"GET /hello HTTP/1.1\r\n\r\n", (400,)),
    "two-hosts": (field(HOST), (400,)),
    "bare-lf": (b"GET /hello HTTP/1.1\nHost: lab\n\n", (400,)),
    "bare-lf-in-field": (field(b"X: 1\nY: 2\r\n"), (400,)),
    "bare-cr-in-field": (field(b"X: 1\rY: 2\r\n"), (400,)),
    "space-before-colon": (field(b"X : 1\r\n"), (400,)),
    "field-without-colon": (field(b"Nonsense\r\n"), (400,)),
    "field-without-name": (field(b": 1\r\n"), (400,)),
    "folded-field": (field(b"X: 1\r\n folded\r\n"), (400,)),
    "space-before-first-field": (b"GET /hello HTTP/1.1\r\n X: 1\r\n" + HOST + b"\r\n", (400,)),
    "nul-in-field": (field(b"X: a\0b\r\n"), (400,)),
    "control-in-field": (field(b"X: a\x01b\r\n"), (400,)),
    "no-version": (line(b"GET /hello"), (400,)),
    "http-0.9": (b"GET /hello\r\n\r\n", (400,)),
    "http-2": (line(b"GET /hello HTTP/2.0"), (400, 505)),
    "no-http": (line(b"GET /hello HTPP/1.1"), (400,)),
    "no-target": (line(b"GET  HTTP/1.1"), (400,)),
    "two-spaces": (line(b"GET  /hello HTTP/1.1"), (400,)),
    "target-without-slash": (line(b"GET hello HTTP/1.1"), (400,)),
    "tls": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", (400,)),
    "both-lengths": (POST + b"Content-Length: 5\r\n" + CHUNKED + b"\r\n" + chunked(b"x"), (400,)),
    "unequal-lengths": (POST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", (400,)),
    "list-of-lengths": (POST + b"Content-Length: 5, 6\r\n\r\nhello", (400,)),
    "negative-length": (POST + b"Content-Length: -5\r\n\r\n", (400,)),
    "signed-length": (POST + b"Content-Length: +5\r\n\r\nhello", (400,)),
    "hex-length": (POST + b"Content-Length: 0x5\r\n\r\nhello", (400,)),
    "empty-length": (POST + b"Content-Length:\r\n\r\n", (400,)),
    "length-2^63": (POST + b"Content-Length: 9223372036854775808\r\n\r\n", (400, 413)),
    "length-2^64+5": (POST + b"Content-Length: 18446744073709551621\r\n\r\nhello", (400, 413)),
    "gzip-coding": (POST + b"Transfer-Encoding: gzip\r\n\r\n", (400, 501)),
    "gzip-then-chunked": (
        POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n" + chunked(b"x"), (400, 501),
    ),
    "chunked-twice": (POST + CHUNKED + CHUNKED + b"\r\n" + chunked(b"x"), (400, 501)),
    "chunked-not-last": (POST + b"Transfer-Encoding: chunked, gzip\r\n\r\n", (400, 501)),
    "xchunked": (POST + b"Transfer-Encoding: xchunked\r\n\r\n" + chunked(b"x"), (400, 501)),
    "chunk-size-nonsense": (POST + CHUNKED + b"\r\nxyz\r\n", (400,)),
    "chunk-size-negative": (POST + CHUNKED + b"\r\n-1\r\n", (400,)),
    "chunk-size-2^64": (POST + CHUNKED + b"\r\n10000000000000005\r\nhello", (400, 413)),
    "chunk-without-crlf": (POST + CHUNKED + b"\r\n5\r\nhelloXX0\r\n\r\n", (400,)),
    "chunk-bare-lf": (POST + CHUNKED + b"\r\n5\nhello\n0\n\n", (400,)),
    "head-over-16k": (field(b"X: " + b"x" * 17_000 + b"\r\n"), (431,)),
    "head-over-16k-many": (field(b"X: 1\r\n" * 3_000), (431,)),
    "head-64k": (field(b"X: " + b"x" * 65_536 + b"\r\n"), (431,)),
    "target-over-8k": (line(b"GET /" + b"a" * 8_300 + b" HTTP/1.1"), (414,)),
    "target-over-16k": (line(b"GET /" + b"a" * 20_000 + b" HTTP/1.1"), (414, 431)),
    "body-too-large": (POST + b"Content-Length: %d\r\n\r\n" % (MAX_BODY + 1), (413,)),
    "unknown-method": (line(b"BREW /pot HTTP/1.1"), (501,)),
    "method-in-small-letters": (line(b"get /hello HTTP/1.1"), (501, 400)),
    "method-with-nonsense": (line(b"G<T /hello HTTP/1.1"), (400, 501)),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
@story(
    expected="a refusal with the right status, Connection: close, and then the end",
    hint="What one server overlooks and the next one does not is how requests are smuggled: be "
    "strict, answer, and close, because nobody knows where the next request would start.",
)
def test_refused(server: Server, name: str) -> None:
    """requests that break the rules are refused"""
    sent, statuses = REFUSED[name]
    wanted = " or ".join(map(str, statuses))
    client = server.connect()
    client.send(sent)
    with tried_by(f"{as_printf(sent)} | python3 -m harness.say PORT"):
        reply = client.reply()
        expect(reply.status in statuses, f"{name}: {reply}", expected=f"status {wanted}")
        expect(reply.closes, f"{name}: no Connection: close; {reply.headers}")
        client.at_end()


@pytest.mark.parametrize(
    "method, path, allowed",
    [
        ("POST", "/hello", {"GET", "HEAD"}),
        ("DELETE", "/hello", {"GET", "HEAD"}),
        ("PUT", "/files/letters.txt", {"GET", "HEAD"}),
        ("GET", "/echo", {"POST", "PUT"}),
        ("POST", "/stats", {"GET", "HEAD"}),
    ],
)
@story(
    expected="405, and an Allow field with the methods that are possible here",
    hint="RFC 9110 15.5.6: the reply must say in Allow what would have worked.",
    try_it="curl -si -X DELETE URL/hello",
)
def test_method_in_the_wrong_place(
    server: Server, method: str, path: str, allowed: set[str]
) -> None:
    """a known method in the wrong place is 405 with Allow"""
    body = b"" if method in ("POST", "PUT") else None
    reply = server.connect().ask(method, path, body)
    expect(reply.status == 405, str(reply))
    named = {word.strip() for word in (reply.header("allow") or "").split(",")}
    expect(allowed <= named, f"Allow: {reply.header('allow') or 'missing'}")


@story(
    expected="413 as soon as the chunks are more than --max-body, and the reply arrives",
    hint="A chunked body does not announce its length: count while reading.",
    try_it="head -c 2000000 /dev/zero | curl -si -H 'Transfer-Encoding: chunked' --data-binary @- "
    "URL/echo",
)
def test_chunked_body_too_large(server: Server) -> None:
    """a chunked body over the limit is refused"""
    client = server.connect()
    client.send(POST + CHUNKED + b"\r\n" + chunked(*[pattern(64 * 1024)] * 17))
    reply = client.reply()
    expect(reply.status == 413, str(reply))
    client.at_end()


@story(
    expected="the refusal arrives, though the client sends on for a while",
    hint="close() with unread input sends RST, and the RST overtakes the reply that is still "
    "under way. Shut down writing, read what still comes (for a bounded time), then close.",
    try_it="head -c 5000000 /dev/zero | curl -si --data-binary @- -H Expect: URL/echo",
)
def test_refusal_arrives_with_input_unread(server: Server) -> None:
    """a refusal is not lost when the client is still sending"""
    for _ in range(3):
        client = server.connect()
        client.send(POST + b"Content-Length: 99000000\r\n\r\n" + pattern(300_000))
        reply = client.reply()
        expect(reply.status == 413, str(reply))
        client.send(pattern(300_000))
        client.half_close()
        client.at_end()


@story(
    expected="the connection ends a few seconds after the refusal, even if the client goes on",
    hint="Draining what a refused client still sends must have an end in time, or in bytes.",
)
def test_draining_has_an_end(server: Server) -> None:
    """a refused client that never stops sending is cut off"""
    client = server.connect()
    client.send(b"BREW /pot HTTP/1.1\r\n" + HOST + b"\r\n")
    expect(client.reply().status == 501, "no refusal")
    expect(client.ends_while_sending(b"more", 12), "after 12 s it still listens")


@story(
    expected="--max-body is the limit: as many bytes are fine, one more is 413",
    hint="Compare with the option's value, not with a constant; mind < and <=.",
    try_it="curl -si -d 12345678901 URL/echo",
)
def test_max_body_option(start: Starter) -> None:
    """--max-body is obeyed to the byte"""
    server = start(max_body=10)
    client = server.connect()
    expect(client.ask("POST", "/echo", b"1234567890").status == 200, "10 bytes are refused")
    expect(client.ask("POST", "/echo", b"12345678901").status == 413, "11 bytes are taken")
    client.at_end()
    client = server.connect()
    client.send(POST + CHUNKED + b"\r\n" + chunked(b"12345", b"67890"))
    expect(client.reply().status == 200, "10 bytes in chunks are refused")


@story(
    expected="after any number of refusals the server serves on",
    hint="The way out after an error must release all that the ordinary way out releases.",
)
def test_refusals_leave_nothing(server: Server) -> None:
    """thirty bad requests leave nothing behind"""
    for name in list(REFUSED)[:30]:
        client = server.connect()
        client.send(REFUSED[name][0], quietly=True)
        client.reset()
    expect(server.connect().ask("GET", "/hello").status == 200, "it does not serve any more")
    expect(server.get("/hello", x="y").status == 200, "it does not serve any more")
