"""The clients that people really use: curl, wrk, ab, Python's http.client."""

from __future__ import annotations

import http.client
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from harness import processes
from harness.clock import patience
from harness.findings import Finding, difference, excerpt, expect, story, transcript
from harness.message import pattern
from harness.server import Server

URL = "http://127.0.0.1:"


def run(*words: str) -> bytes:
    """The output of a tool; skipped if it is not installed, a Finding if it fails."""
    if shutil.which(words[0]) is None:
        pytest.skip(f"{words[0]} is not installed (make deps)")
    transcript.note("harness", " ".join(words))
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        processes.own(process.pid)
        try:
            out, err = process.communicate(timeout=patience(30))
        except subprocess.TimeoutExpired:
            process.kill()
            raise Finding(f"{words[0]} does not come to an end") from None
        finally:
            processes.disown(process.pid)
    expect(process.returncode == 0, f"{words[0]}: exit {process.returncode}: {excerpt(err)}")
    return out


@story(
    expected="curl gets everything, over one connection, with nothing to complain about",
    hint="`curl -v` shows every header field, and says when a connection cannot be used again.",
    try_it="curl -v URL/hello URL/bytes/100000",
)
def test_curl(server: Server, tmp_path: Path) -> None:
    """curl"""
    url = f"{URL}{server.port}"
    got = run("curl", "-sSf", f"{url}/hello", f"{url}/bytes/100000", f"{url}/files/letters.txt")
    wanted = b"Hello, World!" + pattern(100_000) + b"abcdefghijklmnopqrstuvwxyz"
    expect(got == wanted, difference(got, wanted))
    upload = tmp_path / "upload"
    upload.write_bytes(pattern(500_000))
    for extra in ((), ("-H", "Transfer-Encoding: chunked"), ("-H", "Expect: 100-continue")):
        got = run("curl", "-sSf", *extra, "--data-binary", f"@{upload}", f"{url}/echo")
        expect(got == pattern(500_000), difference(got, pattern(500_000)))
    head = run("curl", "-sSfI", f"{url}/bytes/5")
    expect(b"Content-Length: 5" in head, excerpt(head, 300))


@story(
    expected="wrk counts no error of any kind",
    hint="Non-2xx, read and write errors mean wrong replies under load; timeouts mean that a "
    "connection was forgotten.",
    try_it="wrk -t1 -c16 -d1s URL/hello",
)
def test_wrk(server: Server) -> None:
    """wrk, for a second, with 16 connections"""
    connections = "16" if server.stage.concurrent else "1"
    out = run("wrk", "-t1", "-c", connections, "-d1s", f"{URL}{server.port}/hello").decode()
    for bad in ("Non-2xx", "Socket errors"):
        line = next((each.strip() for each in out.splitlines() if bad in each), "")
        expect(not line, line)
    found = re.search(r"(\d+) requests in", out)
    expect(found and int(found[1]) > 100, f"wrk says: {out}")


@pytest.mark.parametrize("keep", [False, True], ids=["new-connections", "keep-alive"])
@story(
    expected="no failed request: each reply is as long as the first one",
    hint="ab speaks HTTP/1.0: without -k each connection ends after one reply, and with -k only "
    "`Connection: keep-alive` in the reply keeps it open.",
    try_it="ab -n 1000 -c 8 -k URL/hello",
)
def test_ab(server: Server, keep: bool) -> None:
    """ab, with and without keep-alive"""
    clients = "8" if server.stage.concurrent else "1"
    flags = ["-q", "-n", "500", "-c", clients, *(["-k"] if keep else [])]
    out = run("ab", *flags, f"{URL}{server.port}/bytes/1234").decode()
    counts = dict(re.findall(r"^(.+?):\s+(\d+)", out, re.MULTILINE))
    expect(counts.get("Complete requests") == "500", f"ab says: {out[-900:]}")
    expect(counts.get("Failed requests") == "0", f"{counts}")
    expect("Non-2xx responses" not in counts, f"{counts}")
    if keep:
        kept = counts.get("Keep-Alive requests")
        expect(kept == "500", f"{kept} of 500 requests came over a kept connection")


@story(
    expected="Python's http.client understands every reply, and uses the connection again",
    hint="Clients differ in what they forgive; these two forgive little.",
    try_it="python3 -c \"import urllib.request as u; print(u.urlopen('URL/hello').read())\"",
)
def test_python_http_client(server: Server) -> None:
    """Python's http.client"""
    connection = http.client.HTTPConnection(server.host, server.port, timeout=patience(6))
    transcript.note("http.client", "GET /hello, HEAD, POST /echo, chunked POST /echo, 404")
    try:
        for method, path, body, status, wanted in (
            ("GET", "/hello", None, 200, b"Hello, World!"),
            ("HEAD", "/hello", None, 200, b""),
            ("POST", "/echo", b"abc" * 1000, 200, b"abc" * 1000),
            ("POST", "/echo", iter([b"a", b"bc"]), 200, b"abc"),
            ("GET", "/nowhere", None, 404, None),
            ("GET", "/bytes/70000", None, 200, pattern(70_000)),
        ):
            connection.request(method, path, body, encode_chunked=not isinstance(body, bytes))
            reply = connection.getresponse()
            got = reply.read()
            expect(reply.status == status, f"{method} {path}: status {reply.status}")
            expect(wanted is None or got == wanted, f"{method} {path}: {excerpt(got)}")
    except (OSError, http.client.HTTPException) as error:
        raise Finding(f"http.client raises {error!r}") from error
    finally:
        connection.close()
