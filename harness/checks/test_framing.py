"""Where a message ends, and whether the connection goes on: RFC 9112, sections 6, 7 and 9."""

from __future__ import annotations

import pytest

from harness.findings import difference, expect, story
from harness.instruments import consumed
from harness.message import CRLF, HOST, chunked, get, pattern, request
from harness.server import Server

CHUNKED_ECHO = b"POST /echo HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n"


@story(
    expected="three replies over one connection, which stays open",
    hint="HTTP/1.1 keeps the connection unless one side says `Connection: close`.",
    try_it="curl -sv URL/hello URL/hello 2>&1 | grep -i re-using",
)
def test_keep_alive_is_the_rule(server: Server) -> None:
    """an HTTP/1.1 connection stays open until somebody says close"""
    client = server.connect()
    for _ in range(3):
        reply = client.get("/hello")
        expect(not reply.closes, "the reply says Connection: close")
    expect(client.silent(), "the connection ended, or more bytes came")


@pytest.mark.parametrize("value", ["close", "Close", "keep-alive, close", "foo ,close"])
@story(
    expected="the reply says Connection: close, and then the connection ends",
    hint="Connection is a list, its words know no upper and lower case. After the reply: shut "
    "down, and let no other process keep the descriptor open.",
    try_it="curl -si -H 'Connection: close' URL/hello",
)
def test_close_on_request(server: Server, value: str) -> None:
    """Connection: close is obeyed"""
    client = server.connect()
    reply = client.get("/hello", connection=value)
    expect(reply.status == 200, str(reply))
    expect(reply.closes, f"Connection: {reply.header('connection')}")
    client.at_end()


@story(
    expected="HTTP/1.0 closes after the reply, unless it asked for keep-alive and was told so",
    hint="The rule of 1.0 is the opposite of 1.1's. No Host is needed, and no chunked reply may "
    "be sent.",
    try_it="curl -si --http1.0 URL/hello; ab -k -n 10 URL/hello",
)
def test_http_1_0(server: Server) -> None:
    """HTTP/1.0 has its own rules"""
    client = server.connect()
    client.send(b"GET /hello HTTP/1.0\r\n\r\n")
    reply = client.reply()
    expect(reply.status == 200 and reply.body == b"Hello, World!", str(reply))
    client.at_end()
    client = server.connect()
    for _ in range(2):
        client.send(b"GET /bytes/3000 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        reply = client.reply()
        expect(reply.header("transfer-encoding") is None, "a chunked reply to HTTP/1.0")
        kept = (reply.header("connection") or "").lower()
        expect("keep-alive" in kept, f"Connection: {kept or 'missing'}")
        expect(reply.body == pattern(3000), difference(reply.body, pattern(3000)))


@story(
    expected="a reply to each request, in order",
    hint="One read can bring several requests: go on with what is left in the buffer before "
    "asking the kernel for more.",
    try_it="printf 'GET /bytes/1 HTTP/1.1\\r\\nHost: a\\r\\n\\r\\nGET /bytes/2 HTTP/1.1\\r\\nHost: "
    "a\\r\\nConnection: close\\r\\n\\r\\n' | python3 -m harness.say PORT",
)
def test_pipelining(server: Server) -> None:
    """pipelined requests are answered in order"""
    client = server.connect()
    sizes = [3, 0, 2000, 1, 70_000, 5]
    client.send(b"".join(get(f"/bytes/{size}") for size in sizes))
    for size in sizes:
        reply = client.reply()
        expect(reply.body == pattern(size), difference(reply.body, pattern(size)))


@story(
    expected="each body ends where its length says; the next request starts right there",
    hint="What comes after Content-Length bytes is the next request, not more body.",
)
def test_mixed_pipeline(server: Server) -> None:
    """bodies, chunks and heads in one segment are told apart"""
    client = server.connect()
    client.send(
        request("POST", "/echo", b"first")
        + get("/hello")
        + CHUNKED_ECHO
        + chunked(b"sec", b"ond", trailer=b"X-Sum: 1\r\n")
        + request("HEAD", "/bytes/77")
        + request("PUT", "/echo", b"")
        + get("/sleep?ms=20")
        + get("/bytes/4")
    )
    replies = [client.reply("HEAD" if number == 3 else "GET") for number in range(7)]
    statuses = [reply.status for reply in replies]
    expect(statuses == [200] * 7, f"statuses {statuses}")
    got = [replies[i].body for i in (0, 1, 2, 3, 4, 6)]
    wanted = [b"first", b"Hello, World!", b"second", b"", b"", pattern(4)]
    expect(got == wanted, f"{got} instead of {wanted}")


@story(
    expected="what was pipelined after `Connection: close`, or after an error, gets no reply",
    hint="Once the last reply is decided, nothing that follows may be acted upon.",
)
def test_nothing_after_the_last_reply(server: Server) -> None:
    """nothing is answered after the last reply"""
    client = server.connect()
    client.send(get("/hello", connection="close") + get("/bytes/9"))
    client.reply()
    client.at_end()
    client = server.connect()
    client.send(get("/hello") + b"BREW /pot HTTP/1.1\r\nHost: lab\r\n\r\n" + get("/bytes/9"))
    statuses = [client.reply().status, client.reply().status]
    expect(statuses == [200, 501], f"statuses {statuses}")
    client.at_end()


@pytest.mark.parametrize(
    "body, wanted",
    [
        (chunked(b"hello"), b"hello"),
        (chunked(), b""),
        (chunked(*[b"%d" % digit for digit in range(10)]), b"0123456789"),
        (chunked(bytes(range(256))), bytes(range(256))),
        (b"00005;ext=1;q=\"a b\"\r\nhello\r\n000\r\n\r\n", b"hello"),
        (b"A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n", b"0123456789" * 2),
        (chunked(b"hello", trailer=b"X-A: 1\r\nX-B: 2\r\n"), b"hello"),
        (chunked(pattern(40_000), pattern(40_000)), pattern(40_000) * 2),
    ],
    ids=["one", "none", "ten", "binary", "extension", "hex", "trailer", "large"],
)
@story(
    expected="the chunks' data put together, and the next request understood",
    hint="RFC 9112 7.1: size in hex, perhaps extensions, CRLF, data, CRLF; size 0, perhaps "
    "trailer fields, and an empty line.",
    try_it="printf hello | curl -si -H 'Transfer-Encoding: chunked' --data-binary @- URL/echo",
)
def test_chunked(server: Server, body: bytes, wanted: bytes) -> None:
    """chunked bodies"""
    client = server.connect()
    client.send(CHUNKED_ECHO + body + get("/bytes/6"))
    reply = client.reply()
    expect(reply.status == 200, str(reply))
    expect(reply.body == wanted, difference(reply.body, wanted))
    expect(client.reply().body == pattern(6), "the next request is not understood")


@story(
    expected="100 Continue at once, then the reply once the body is there",
    hint="The client waits for permission before it sends the body. Who never answers 100 makes "
    "curl wait a second for every upload.",
    try_it="curl -sv -H 'Expect: 100-continue' -d hello URL/echo",
)
def test_expect_continue(server: Server) -> None:
    """Expect: 100-continue"""
    client = server.connect()
    for body in (b"hello", b"again"):
        head, _, _ = request("POST", "/echo", body, expect="100-continue").rpartition(body)
        client.send(head)
        interim = client.interim()
        expect(interim == 100, f"interim status {interim}")
        consumed(server, client)
        expect(client.silent(), "something came before the body was sent")
        client.send(body)
        reply = client.reply()
        expect(reply.body == body, difference(reply.body, body))


@story(
    expected="413 at once, and no 100: the body is not wanted",
    hint="Decide by Content-Length before inviting the body.",
    try_it="head -c 2000000 /dev/zero | curl -si -H 'Expect: 100-continue' --data-binary @- "
    "URL/echo",
)
def test_expect_is_refused(server: Server) -> None:
    """a body that is too large is refused instead of invited"""
    client = server.connect()
    client.send(
        b"POST /echo HTTP/1.1\r\n" + HOST + b"Content-Length: 99999999\r\n"
        b"Expect: 100-continue\r\n\r\n"
    )
    reply = client.reply()
    expect(reply.status == 413, str(reply))
    expect(not reply.informational, f"it sent {reply.informational} first")


@story(
    expected="HTTP/1.0 gets no 100, whatever it expects",
    hint="RFC 9110 10.1.1: a 1.0 client does not know interim replies and takes it for the answer.",
)
def test_no_continue_for_http_1_0(server: Server) -> None:
    """no interim reply to HTTP/1.0"""
    client = server.connect()
    client.send(request("POST", "/echo", b"hello", version="1.0", expect="100-continue"))
    reply = client.reply()
    expect(reply.status == 200 and not reply.informational, f"{reply.informational}, {reply}")
    expect(reply.body == b"hello", str(reply))


@pytest.mark.parametrize("size", [10, 3000, 12_000, 15_500])
@story(
    expected="200: the head is within 16 KiB",
    hint="A head need not fit one read, nor the first size that the buffer happens to have.",
    try_it="curl -si -H \"X-Long: $(head -c 15000 /dev/zero | tr '\\0' x)\" URL/hello",
)
def test_long_heads_are_fine(server: Server, size: int) -> None:
    """heads up to 16 KiB are understood"""
    client = server.connect()
    client.send(b"GET /hello HTTP/1.1\r\n" + HOST + b"X-Long: " + b"x" * size + CRLF + CRLF)
    expect(client.reply().status == 200, "the head was refused")
    client.send(b"GET /hello HTTP/1.1\r\n" + HOST + b"X: 1\r\n" * (size // 160) + CRLF)
    expect(client.reply().status == 200, "many short fields were refused")


@story(
    expected="an empty line before the request line is skipped",
    hint="RFC 9112 2.2: old clients send a CRLF too many after a body.",
)
def test_empty_line_before_a_request(server: Server) -> None:
    """an empty line before a request is forgiven"""
    client = server.connect()
    client.send(request("POST", "/echo", b"x") + CRLF + get("/hello"))
    statuses = [client.reply().status, client.reply().status]
    expect(statuses == [200, 200], f"statuses {statuses}")
