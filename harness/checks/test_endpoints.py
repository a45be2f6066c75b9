"""Every endpoint of the contract answers as the table says."""

from __future__ import annotations

import email.utils
import hashlib
import json
import time
from typing import Any

import pytest

from harness import stages
from harness.clock import happens
from harness.findings import difference, expect, story
from harness.message import Response, pattern, request
from harness.server import Server

MEBIBYTE = 1024 * 1024
GETTABLE = (
    "/", "/hello", "/bytes/1000", "/files/letters.txt", "/sleep?ms=1", "/work?us=1",
    "/rendezvous?n=1&ms=1000", "/stats",
)  # fmt: skip


def status_is(reply: Response, *wanted: int) -> None:
    """Require one of these statuses."""
    expect(reply.status in wanted, str(reply), expected=f"status {wanted[0]}")


@story(
    expected='200, text/plain, "Hello, World!"',
    hint="The simplest request of all, and the benchmark's. Compare your bytes with `curl -i`.",
    try_it="curl -i URL/hello",
)
def test_hello(server: Server) -> None:
    """GET /hello"""
    reply = server.get("/hello")
    status_is(reply, 200)
    expect(reply.body == b"Hello, World!", difference(reply.body, b"Hello, World!"))
    kind = reply.header("content-type") or "no Content-Type"
    expect(kind.startswith("text/plain"), f"Content-Type: {kind}")
    expect(reply.header("content-length") == "13", f"Content-Length: {reply.headers}")


@story(
    expected="an HTML page that names the stage and links to the endpoints",
    hint="The page is what a browser shows first.",
    try_it="curl -i URL/",
)
def test_front_page(server: Server) -> None:
    """GET / is a page about this stage"""
    reply = server.get("/")
    status_is(reply, 200)
    kind = reply.header("content-type") or "no Content-Type"
    expect(kind.startswith("text/html"), f"Content-Type: {kind}")
    for word in (server.stage.name, "/hello", "/stats"):
        expect(word.encode() in reply.body, f"the page does not mention {word}")


@pytest.mark.parametrize("path", GETTABLE)
@story(
    expected="the header fields of GET, and no body",
    hint="HEAD runs the same code as GET and leaves the body out; Content-Length still tells how "
    "long it would be. One byte of body, and the next reply cannot be understood.",
    try_it="curl -I URL/hello",
)
def test_head(server: Server, path: str) -> None:
    """HEAD is GET without the body, and the connection stays usable"""
    client = server.connect()
    full, head = client.ask("GET", path), client.ask("HEAD", path)
    status_is(head, 200)
    names = ("content-type", "last-modified", "content-length")
    for name in names if path != "/stats" else names[:2]:
        expect(
            full.header(name) == head.header(name),
            f"{name}: {head.header(name)} for HEAD, {full.header(name)} for GET",
        )
    status_is(client.get("/hello"), 200)


@story(
    expected="a Date in every reply, in the form of RFC 9110 5.6.7, and it is now",
    hint="Sun, 06 Nov 1994 08:49:37 GMT: always in English, always GMT.",
    try_it="curl -si URL/hello | grep -i ^date",
)
def test_date(server: Server) -> None:
    """replies carry a Date"""
    for path in ("/hello", "/nowhere"):
        text = server.get(path).header("date") or ""
        try:
            sent = email.utils.parsedate_to_datetime(text).timestamp()
        except ValueError:
            sent = 0.0
        expect(abs(sent - time.time()) < 10, f"Date: {text or 'missing'}")
        expect(text.endswith(" GMT") and len(text) == 29, f"Date: {text}")


@pytest.mark.parametrize("method", ["POST", "PUT"])
@story(
    expected="the request's body, byte for byte, and its Content-Type",
    hint="A body is bytes, not a C string: it has NULs, and its length comes from the framing.",
    try_it="printf 'a\\0b' | curl -si --data-binary @- URL/echo | od -c",
)
def test_echo(server: Server, method: str) -> None:
    """/echo returns all 256 byte values, and knows an empty body"""
    client = server.connect()
    for body in (bytes(range(256)) * 8, b"", b"\0", b"\r\n\r\nGET / HTTP/1.1\r\n\r\n"):
        reply = client.ask(method, "/echo", body, content_type="application/x-lab; a=b")
        status_is(reply, 200)
        expect(reply.body == body, difference(reply.body, body))
        kind = reply.header("content-type")
        expect(kind == "application/x-lab; a=b", f"Content-Type: {kind}")


@story(
    expected="a body of exactly --max-body bytes is echoed",
    hint="1 MiB does not arrive in one read, and does not leave in one write.",
    try_it="head -c 1048576 /dev/urandom > b; curl -s --data-binary @b URL/echo | cmp - b",
)
def test_echo_of_a_mebibyte(server: Server) -> None:
    """a body of 1 MiB comes back whole"""
    body = pattern(MEBIBYTE)
    client = server.connect()
    reply = client.ask("POST", "/echo", body)
    status_is(reply, 200)
    expect(reply.body == body, difference(reply.body, body))


@pytest.mark.parametrize("count", [0, 1, 250, 251, 252, 65_535, 65_536, 1_000_003])
@story(
    expected="N bytes; the byte at offset i is i % 251",
    hint="Right length but wrong bytes: after a short write, does the rest start where the "
    "first part ended?",
    try_it="curl -s URL/bytes/1000 | od -An -tu1 | head",
)
def test_bytes(server: Server, count: int) -> None:
    """GET /bytes/N"""
    reply = server.get(f"/bytes/{count}")
    status_is(reply, 200)
    expect(reply.body == pattern(count), difference(reply.body, pattern(count)))


@story(
    expected="32 MiB, every byte right",
    hint="Far more than the socket's buffers hold: the server must stop when the kernel is full "
    "and go on, at the right byte, when there is room again.",
    try_it="curl -s URL/bytes/33554432 | sha256sum",
)
def test_many_bytes(server: Server) -> None:
    """GET /bytes/33554432 arrives whole"""
    reply = server.get(f"/bytes/{32 * MEBIBYTE}")
    wanted = pattern(32 * MEBIBYTE)
    same = hashlib.sha256(reply.body).digest() == hashlib.sha256(wanted).digest()
    expect(same, "" if same else difference(reply.body, wanted))


@story(
    expected="1 GiB is announced; more is refused with 400",
    hint="Numbers in a target come from strangers: parse all of it, mind overflow, check bounds.",
    try_it="curl -sI URL/bytes/1073741824; curl -si URL/bytes/1073741825",
)
def test_bounds_of_bytes(server: Server) -> None:
    """/bytes knows its limit, and numbers from nonsense"""
    client = server.connect()
    reply = client.ask("HEAD", "/bytes/1073741824")
    status_is(reply, 200)
    expect(reply.header("content-length") == "1073741824", f"{reply.headers}")
    for wrong in ("1073741825", "18446744073709551617", "-1", "12x", "0x10", "+5"):
        status_is(server.get(f"/bytes/{wrong}"), 400)


@pytest.mark.parametrize(
    "path",
    ["/sleep", "/sleep?ms=", "/sleep?ms=x", "/sleep?ms=-1", "/sleep?ms=60001",
     "/work", "/work?us=ten", "/work?us=10000001", "/rendezvous", "/rendezvous?n=0&ms=10",
     "/rendezvous?n=x&ms=10"],
)  # fmt: skip
@story(
    expected="400 for a parameter that is missing, not a number, or out of range",
    hint="An unchecked number makes the server sleep for a year, or divide by zero.",
    try_it="curl -i 'URL/sleep?ms=x'",
)
def test_parameters(server: Server, path: str) -> None:
    """parameters are checked"""
    status_is(server.get(path), 400)


@story(
    expected="the answer comes no earlier than asked for",
    hint="/sleep answers after N milliseconds, /work after N microseconds of CPU.",
    try_it="time curl 'URL/sleep?ms=500'",
)
def test_sleep_and_work_take_their_time(server: Server) -> None:
    """/sleep and /work take as long as they say"""
    for target, seconds in (("/sleep?ms=120", 0.12), ("/work?us=60000", 0.06)):
        started = time.monotonic()
        status_is(server.get(target), 200)
        took = time.monotonic() - started
        expect(took >= seconds, f"{target} was answered after {took * 1000:.0f} ms")


@story(
    expected="404 for a path that does not exist",
    hint="An unknown path is the client's mistake, and no reason to close the connection's rest.",
    try_it="curl -i URL/nowhere",
)
def test_unknown_path(server: Server) -> None:
    """an unknown path is 404"""
    for path in ("/nowhere", "/hellooo", "/file/letters.txt"):
        status_is(server.get(path), 404)


@story(
    expected="a query does not change which page is meant",
    hint="Cut the target at the first '?' before comparing paths.",
    try_it="curl -i 'URL/hello?x=1'",
)
def test_query_is_not_path(server: Server) -> None:
    """/hello?x=1 is /hello"""
    status_is(server.get("/hello?x=1&y=/../.."), 200)


@story(
    expected="an absolute target (GET http://host/hello) means the same as /hello",
    hint="RFC 9112 3.2.2: a server must accept the absolute form, though only proxies need it.",
    try_it="printf 'GET http://a/hello HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n' | "
    "python3 -m harness.say PORT --half-close",
)
def test_absolute_form(server: Server) -> None:
    """the absolute form of a target"""
    status_is(server.get("http://lab/hello"), 200)


@story(
    expected="JSON with stage, pids, open, accepted, requests, bytes_in and bytes_out",
    hint="The numbers are those of all processes together: what a child counts in its own "
    "memory, its parent never sees.",
    try_it="curl -s URL/stats",
)
def test_stats(server: Server) -> None:
    """/stats adds up over all processes"""

    def stats() -> dict[str, Any]:
        reply = server.get("/stats")
        status_is(reply, 200)
        expect("json" in (reply.header("content-type") or ""), f"{reply.headers}")
        return json.loads(reply.body)

    before = stats()
    expect(before["stage"] == server.stage.name, f'it says stage {before["stage"]}')
    client = server.connect()
    for _ in range(5):
        client.ask("POST", "/echo", b"x" * 1000)
    client.close()
    server.get("/bytes/5000")

    def counted() -> bool:
        after = stats()
        least = {"requests": 7, "accepted": 3, "bytes_in": 5000, "bytes_out": 10_000}
        return all(after[name] - before[name] >= number for name, number in least.items())

    expect(happens(counted), f"5 POST of 1,000 bytes, then 1 GET of 5,000: {before}, {stats()}")
    expect(happens(lambda: stats()["open"] == 1), f"one connection is open, it says {stats()}")


@pytest.mark.only(*set(stages.MODELS) - {stages.FORK})
@story(
    expected="the pids of the processes that really run",
    hint="/stats tells the harness which processes make up the server.",
    try_it="curl -s URL/stats; ps --ppid PID",
)
def test_pids_of_stats(server: Server) -> None:
    """/stats names the processes that run"""
    pids = json.loads(server.get("/stats").body)["pids"]
    expect(sorted(pids) == sorted(server.tree()), f"it says {pids}; there run {server.tree()}")


@story(
    expected="request and reply, many times, over one connection",
    hint="Is anything left over from one request (a length, a flag, a buffer) that the next one "
    "stumbles over?",
    try_it="curl -s URL/hello URL/bytes/9 URL/hello",
)
def test_a_long_conversation(server: Server) -> None:
    """a hundred different requests over one connection"""
    client = server.connect()
    for number in range(100):
        size = (number * 37) % 1500
        client.send(request("GET", f"/bytes/{size}"), quietly=True)
        reply = client.reply()
        expect(reply.body == pattern(size), difference(reply.body, pattern(size)))
        client.send(request("POST", "/echo", b"%d" % number), quietly=True)
        expect(client.reply().body == b"%d" % number, f"the echo of {number} is wrong")
