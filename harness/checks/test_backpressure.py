"""Who does not read is not read from, and is not buffered for."""

from __future__ import annotations

import pytest

from harness import stages
from harness.clock import happens
from harness.findings import difference, expect, story
from harness.fixtures import Starter
from harness.instruments import memory, not_spinning, quiet, sleeps
from harness.message import get, pattern
from harness.narrow import narrow_sockets
from harness.server import Server

MEBIBYTE = 1024 * 1024
MUCH = "/bytes/1073741824"


@story(
    expected="all 16 MiB, byte for byte, and then the next reply",
    hint="write() takes what fits and says how much that was. Keep the rest, ask to be told when "
    "there is room, go on at the right byte; and stop asking when all is sent.",
    try_it="curl -s --limit-rate 4M URL/bytes/16777216 | sha256sum",
)
def test_client_that_reads_late(server: Server) -> None:
    """a client that begins to read late gets everything"""
    client = server.connect()
    client.send(get(f"/bytes/{16 * MEBIBYTE}"))
    expect(client.readable(6), "not even the beginning of the reply came")
    sleeps(server, "while the client does not read")
    body = client.reply().body
    expect(body == pattern(16 * MEBIBYTE), difference(body, pattern(16 * MEBIBYTE)))
    expect(client.get("/hello").status == 200, "the connection is not usable afterwards")
    sleeps(server, "after the long reply has been sent")


@story(
    expected="1 MiB of a stream and 10 KiB of a file, byte for byte",
    hint="write() may take a part of what it was given, and says how much that was. Go on at the "
    "next byte, not at the next buffer.",
    try_it="curl -s URL/bytes/1048576 | sha256sum     # the harness makes the socket's buffer tiny",
)
def test_short_writes(start: Starter) -> None:
    """sockets that take a few kilobytes at a time"""
    server = start()
    narrow_sockets(server, 4096)
    client = server.connect(receive_buffer=65536)
    for path, size in (("/bytes/1048576", MEBIBYTE), ("/files/ten.bin", 10_240)):
        body = client.get(path).body
        expect(body == pattern(size), difference(body, pattern(size)))


@story(
    expected="the server stops reading: the client's own buffers fill up, the server's do not",
    hint="Output without a bound is a way to fill somebody's memory: while replies wait to be "
    "sent, leave the requests where they are.",
    try_it="yes \"$(printf 'GET /hello HTTP/1.1\\r\\nHost: a\\r\\n\\r')\" | "
    "python3 -m harness.say PORT | sleep 99",
)
def test_endless_pipelining(server: Server) -> None:
    """a client that pipelines for ever and never reads fills nobody's memory"""
    quiet(server)
    before = memory(server)
    client = server.connect(receive_buffer=4096)
    batch, offered = get("/hello") * 2000, 0
    while offered < 512 * MEBIBYTE:
        taken = client.offer(batch)
        offered += taken
        if not taken:
            quiet(server)  # its last word: no more is read, or there is room again
            if not client.offer(batch):
                break
    expect(offered < 512 * MEBIBYTE, "512 MiB of requests were taken, no reply was read")
    grown = memory(server) - before
    expect(
        grown < 8 * MEBIBYTE,
        f"its memory grew by {grown / MEBIBYTE:.1f} MiB ({offered / MEBIBYTE:.1f} MiB were sent)",
    )
    not_spinning(server, "while nothing can be sent")
    client.reset()
    expect(server.get("/hello").status == 200, "the next client is not served")


@story(
    expected="1 GiB is streamed in bounded memory",
    hint="Make the reply as it leaves: a piece, then the next piece, never the whole.",
    try_it="curl -s --limit-rate 20M URL/bytes/1073741824 > /dev/null & "
    "grep VmRSS /proc/PID/status",
)
def test_streaming_needs_no_memory(server: Server) -> None:
    """/bytes of 1 GiB is streamed, not built"""
    server.get("/bytes/1000000")
    quiet(server)
    before = memory(server)
    client = server.connect()
    client.send(get(MUCH))
    client.read(24 * MEBIBYTE)
    grown = memory(server) - before
    expect(grown < 12 * MEBIBYTE, f"its memory grew by {grown / MEBIBYTE:.1f} MiB")
    client.reset()


@pytest.mark.only(*set(stages.MODELS) - {stages.ITERATIVE})
@pytest.mark.parametrize("path", [MUCH, "/files/big.bin"], ids=["bytes", "file"])
@story(
    expected="twenty slow readers cost little memory, and no CPU",
    hint="Each of them may hold one small buffer, not the rest of the file.",
)
def test_many_slow_readers(server: Server, path: str) -> None:
    """twenty clients that do not read cost next to nothing"""
    quiet(server)
    before = memory(server)
    clients = [server.connect(receive_buffer=4096) for _ in range(20)]
    for client in clients:
        client.send(get(path))
    for client in clients:
        expect(client.readable(6), "not even the beginning of the reply came")
    sleeps(server, "while nobody reads")
    grown = memory(server) - before
    expect(grown < 24 * MEBIBYTE, f"its memory grew by {grown / MEBIBYTE:.1f} MiB")
    for client in clients[::2]:
        client.reset()
    expect(server.get("/hello").status == 200, "the next client is not served")
    sleeps(server, "after half of those who do not read have left")


@pytest.mark.only(*stages.EVENTED)
@story(
    expected="the hang-up of a client that is not read from is noticed without spinning",
    hint="With no interest at all, ERR and HUP are still reported, again and again: close then.",
)
def test_paused_client_leaves(server: Server) -> None:
    """clients leave while the server has stopped reading from them"""
    for leave in ("reset", "close"):
        client = server.connect(receive_buffer=4096)
        client.send(get(MUCH) + get("/hello") * 500, quietly=True)
        expect(client.readable(6), "not even the beginning of the reply came")
        quiet(server)
        getattr(client, leave)()
        not_spinning(server, f"after a {leave} by a client that had stopped reading")
    expect(happens(server.alive), "the server died")
