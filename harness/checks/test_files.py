"""Files: types, dates, ranges, and nothing from outside the root."""

from __future__ import annotations

import email.utils
import threading
from pathlib import Path

import pytest

from harness.findings import difference, expect, story
from harness.fixtures import BIG, SECRET
from harness.message import HOST, pattern
from harness.server import Server

LETTERS = b"abcdefghijklmnopqrstuvwxyz"


@pytest.mark.parametrize(
    "name, kind",
    [("index.html", "text/html"), ("letters.txt", "text/plain"), ("style.css", "text/css"),
     ("data.json", "application/json"), ("ten.bin", "application/octet-stream"),
     ("sub/inner.txt", "text/plain"), ("with%20space.txt", "text/plain"),
     ("empty.txt", "text/plain")],
)  # fmt: skip
@story(
    expected="200, the file's bytes, and the type that its extension says",
    hint="Percent-decode the path first; the type comes from the extension.",
    try_it="curl -si URL/files/letters.txt",
)
def test_file(server: Server, root: Path, name: str, kind: str) -> None:
    """a file below the root"""
    reply = server.get(f"/files/{name}")
    wanted = (root / name.replace("%20", " ")).read_bytes()
    expect(reply.status == 200, str(reply))
    expect(reply.body == wanted, difference(reply.body, wanted))
    expect((reply.header("content-type") or "").startswith(kind), f"{reply.headers}")


@story(
    expected="8 MiB, every byte right, twice over one connection",
    hint="Does a short write continue at the right place in the file?",
    try_it="curl -s URL/files/big.bin | sha256sum",
)
def test_big_file(server: Server) -> None:
    """a file of 8 MiB arrives whole"""
    client = server.connect()
    for _ in range(2):
        reply = client.get("/files/big.bin")
        same = reply.body == pattern(BIG)
        expect(same, "" if same else difference(reply.body, pattern(BIG)))


@pytest.mark.parametrize(
    "path",
    ["../secret.txt", "sub/../../secret.txt", "%2e%2e/secret.txt", "..%2fsecret.txt",
     "%2e%2e%2fsecret.txt", "sub/%2e%2e/%2e%2e/secret.txt", "../www-private/secret.txt",
     "..%5csecret.txt", "link-out.txt", "dir-out/secret.txt", "letters.txt%00.html",
     "/secret.txt", "//etc/passwd", "%2fetc%2fpasswd", "....//secret.txt", "%252e%252e/secret.txt",
     "../../../../../../../../etc/passwd", "%zz", "%4", "letters.txt%"],
)  # fmt: skip
@story(
    expected="4xx, and not one byte from outside the root",
    hint="Compare what the path means after decoding, not how it looks: openat2() with "
    "RESOLVE_BENEATH lets the kernel decide, symbolic links included.",
    try_it="curl -si --path-as-is URL/files/../secret.txt",
)
def test_nothing_from_outside(server: Server, path: str) -> None:
    """no file from outside the root"""
    reply = server.get(f"/files/{path}")
    expect(400 <= reply.status < 500, str(reply))
    leaked = SECRET.encode() in reply.body or b"root:" in reply.body
    expect(not leaked, f"it sends a file from outside: {reply}")


@pytest.mark.parametrize("path", ["", "sub", "sub/", ".", "missing.txt", "letters.txt/x", "pipe"])
@story(
    expected="4xx for what is not a regular file, and at once",
    hint="Directories cannot be sent; opening a FIFO waits for a writer, unless O_NONBLOCK: look "
    "with fstat() before you read.",
    try_it="mkfifo root/pipe; curl -si URL/files/pipe",
)
def test_only_regular_files(server: Server, path: str) -> None:
    """what is not a regular file is refused"""
    reply = server.get(f"/files/{path}")
    expect(400 <= reply.status < 500, str(reply))


@story(
    expected="304 without a body if the file has not changed since, else 200",
    hint="A date that cannot be read is ignored. 304 has no body, whatever its fields say.",
    try_it="curl -si -z letters.txt URL/files/letters.txt",
)
def test_if_modified_since(server: Server, root: Path) -> None:
    """If-Modified-Since"""
    client = server.connect()
    changed = (root / "letters.txt").stat().st_mtime
    told = client.get("/files/letters.txt").header("last-modified") or "missing"
    expect(told == email.utils.formatdate(int(changed), usegmt=True), f"Last-Modified: {told}")
    for date, status in (
        (told, 304),
        (email.utils.formatdate(changed + 60, usegmt=True), 304),
        (email.utils.formatdate(changed - 60, usegmt=True), 200),
        ("yesterday", 200),
        ("", 200),
    ):
        reply = client.get("/files/letters.txt", if_modified_since=date)
        expect(reply.status == status, f"If-Modified-Since: {date}: {reply}")


@pytest.mark.parametrize(
    "value, body, content_range",
    [("bytes=0-0", b"a", "bytes 0-0/26"), ("bytes=3-5", b"def", "bytes 3-5/26"),
     ("bytes=20-", b"uvwxyz", "bytes 20-25/26"), ("bytes=-3", b"xyz", "bytes 23-25/26"),
     ("bytes=20-999", b"uvwxyz", "bytes 20-25/26"), ("bytes=-999", LETTERS, "bytes 0-25/26"),
     ("bytes=0-25", LETTERS, "bytes 0-25/26")],
)  # fmt: skip
@story(
    expected="206 with exactly these bytes, and Content-Range",
    hint="Both ends of a range are included; -3 means the last three; an end past the file's is "
    "cut. (RFC 9110 14)",
    try_it="curl -si -r 3-5 URL/files/letters.txt",
)
def test_range(
    server: Server, value: str, body: bytes, content_range: str
) -> None:
    """one range of a file"""
    client = server.connect()
    reply = client.get("/files/letters.txt", range=value)
    expect(reply.status == 206, str(reply))
    expect(reply.body == body, difference(reply.body, body))
    expect(reply.header("content-range") == content_range, f"{reply.headers}")
    expect(client.get("/hello").status == 200, "the next request is not understood")


@story(
    expected="416 for a range beyond the end; a range that makes no sense is ignored",
    hint="RFC 9110 14.2: a server may ignore Range, and must if it cannot understand it.",
    try_it="curl -si -r 99-100 URL/files/letters.txt",
)
def test_ranges_that_cannot_be(server: Server) -> None:
    """ranges that cannot be satisfied, or make no sense"""
    client = server.connect()
    for value, path in (("bytes=26-", "letters.txt"), ("bytes=99-100", "letters.txt"),
                        ("bytes=0-0", "empty.txt"), ("bytes=-0", "letters.txt")):  # fmt: skip
        reply = client.get(f"/files/{path}", range=value)
        expect(reply.status == 416, f"{value} of {path}: {reply}")
        size = 0 if path == "empty.txt" else 26
        told = reply.header("content-range")
        expect(told == f"bytes */{size}", f"Content-Range: {told}")
    for value in ("bytes=5-3", "bytes=x-y", "letters=0-3", "bytes=", "bytes=-", "0-3"):
        reply = client.get("/files/letters.txt", range=value)
        expect(reply.status == 200 and reply.body == LETTERS, f"{value}: {reply}")


@story(
    expected="a file that shrinks while it is sent ends that connection, not the server",
    hint="The announced bytes do not exist any more: sendfile() returns 0, mmap() raises SIGBUS. "
    "The only honest end is to close.",
)
def test_file_that_shrinks(server: Server, root: Path) -> None:
    """a file that is cut short while it is sent"""
    victim = root / "shrinks.bin"
    victim.write_bytes(pattern(BIG * 2))
    client = server.connect(receive_buffer=4096)
    client.send(b"GET /files/shrinks.bin HTTP/1.1\r\n" + HOST + b"\r\n")
    client.read(1000)
    victim.write_bytes(b"short")
    expect(client.ends(), f"the connection does not end; {server.facts(client.port)}")
    victim.unlink()
    expect(server.get("/hello").status == 200, "the server does not serve any more")


@story(
    expected="every reply is one whole version of the file",
    hint="Length and bytes must come from the same open file: open once, fstat() that descriptor.",
)
def test_file_that_is_replaced(server: Server, root: Path) -> None:
    """a file that is replaced all the time"""
    victim, new = root / "replaced.txt", root / "replaced.new"
    stop = threading.Event()

    def replace() -> None:
        size = 1
        while not stop.is_set():
            size = size % 3000 + 700
            new.write_bytes(b"%d" % (size % 10) * size)
            new.rename(victim)

    victim.write_bytes(b"1")
    writer = threading.Thread(target=replace)
    writer.start()
    try:
        client = server.connect()
        for _ in range(60):
            body = client.get("/files/replaced.txt").body
            expect(len(set(body)) == 1, "two versions in one reply")
    finally:
        stop.set()
        writer.join()
        victim.unlink()
