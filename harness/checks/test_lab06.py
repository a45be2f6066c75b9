"""What only some event loops get wrong: events that come late, unasked, or for somebody else."""

from __future__ import annotations

import functools
import re
import signal
import socket
from typing import Any

import pytest

from harness import proc, stages
from harness.clock import happens
from harness.findings import difference, expect, story
from harness.fixtures import Starter
from harness.instruments import accepted, consumed, frozen, not_spinning, quiet
from harness.message import get, pattern
from harness.server import Server

MEBIBYTE = 1024 * 1024
MUCH = "/bytes/67108864"


@pytest.mark.only(stages.EPOLL)
@story(
    expected="idle clients, and one in the middle of a request, wake nobody",
    hint="The wait returns at once, again and again: because of somebody who is ready for "
    "something that nobody does, or because it was told not to sleep.",
    try_it="for i in 1 2 3; do python3 -m harness.say PORT & done; top -d 1 -p PID",
)
def test_idle_clients_wake_nobody(start: Starter) -> None:
    """no CPU is used for clients who are idle, or slow to ask"""
    server = start()
    not_spinning(server, "with no client")
    clients = [server.connect()]
    accepted(server, *clients)
    for _ in range(2):
        clients.append(server.connect())
        expect(clients[-1].get("/hello").status == 200, "not 200")
    clients[2].send(b"GET /hel")
    not_spinning(server, "with idle clients")
    for client in clients[:2]:
        expect(client.get("/hello").status == 200, "an idle client is not served any more")


@pytest.mark.only(stages.EPOLL)
@story(
    expected="exit status 0: an event for somebody who has just been closed is passed over",
    hint="Each event names somebody by an id. Whoever handles the events before it in the batch "
    "may have closed that one: look the id up, and be ready to find nobody.",
)
def test_event_for_one_that_has_gone(start: Starter) -> None:
    """one event of a batch closes the client that a later event is about"""
    for milliseconds in (150, 600, 2400):  # on a busy machine the batch may take a second try
        server = start(drain_timeout=20)
        worker, *others = [server.connect() for _ in range(5)]
        for client in others:
            client.get("/hello")
        worker.send(get(f"/work?us={milliseconds}000", connection="close"))
        consumed(server, worker)  # and now it computes: what comes meanwhile is one batch
        server.signal(signal.SIGTERM)
        knows = happens(functools.partial(_knows_of_the_stop, server.pid))
        expect(knows, "the stop signal does not reach it")
        for client in others:
            client.close()
        one_batch = worker.silent()
        expect(worker.reply().status == 200, "the request under way is not answered")
        status = server.wait()
        expect(status == 0, server.end_text(), expected="exit status 0")
        if one_batch:
            return


def _knows_of_the_stop(pid: int) -> bool:
    """Whether the signal's handler has run: it writes to an eventfd, if one was asked for."""
    infos = [proc.read_text(f"/proc/{pid}/fdinfo/{fd}") for fd in proc.descriptors(pid)]
    counts = re.findall(r"eventfd-count: +(\w+)", "".join(infos))
    return not counts or any(int(count, 16) > 0 for count in counts)  # a wait needs no eventfd


@pytest.mark.only(stages.EPOLL)
@story(
    expected="while it waits for the last client a draining server sleeps",
    hint="The stop descriptor stays readable once the signal has come. A loop that is still "
    "interested in it is told so for ever; and a listener that is closed needs no more turns.",
    try_it="curl -s --limit-rate 1k URL/bytes/67108864 > /dev/null & sleep 1; kill -TERM PID; top",
)
def test_draining_server_sleeps(start: Starter) -> None:
    """a server that drains does not spin"""
    server = start(drain_timeout=20)
    client = server.connect(receive_buffer=4096)
    client.send(get(MUCH))
    expect(client.readable(6), "not even the beginning of the reply came")
    quiet(server)
    with frozen(server):  # somebody comes together with the signal, and is let go
        server.connect()
        server.signal(signal.SIGTERM)
    not_spinning(server, "while it drains and its last client does not read")
    expect(server.alive(), f"it did not wait for the reply under way: {server.end_text()}")
    client.reset()
    status = server.wait()
    expect(status == 0, server.end_text(), expected="exit status 0")


@pytest.mark.only(stages.EPOLL)
@story(
    expected="idle clients see the end of their connection; exit status 0",
    hint="When a client leaves there is room for the next one. But a server that drains has no "
    "listener any more, and may not ask anything of it.",
    try_it="python3 -m harness.say PORT & python3 -m harness.say PORT & sleep 1; kill -TERM PID",
)
def test_stop_at_the_limit(start: Starter) -> None:
    """the stop signal comes while the server is full and somebody waits"""
    server = start(max_connections=2, drain_timeout=20)
    inside = [server.connect() for _ in range(2)]
    for client in inside:
        client.get("/hello")
    server.connect()
    quiet(server)
    server.signal(signal.SIGTERM)
    for client in inside:
        client.at_end()
    status = server.wait()
    expect(status == 0, server.end_text(), expected="exit status 0")


@pytest.mark.only(stages.EPOLL)
@story(
    expected="bytes that nobody wants yet wait in the kernel, and the server sleeps",
    hint="While an answer is to come, the session wants neither to read nor to write. Interest in "
    "reading then means to be told of the same bytes again and again.",
    try_it="(printf 'GET /sleep?ms=9000 HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n'; sleep 1; printf x) | "
    "python3 -m harness.say PORT & sleep 2; top",
)
def test_unwanted_bytes(server: Server) -> None:
    """a client says more while its answer is still to come"""
    client = server.connect()
    client.send(get("/sleep?ms=450"))
    consumed(server, client)
    client.send(get("/hello"))
    not_spinning(server, "with bytes of a client whose answer is still to come")
    for what in ("the delayed answer", "the answer to what was said meanwhile"):
        expect(client.reply().status == 200, f"{what} is not 200")


class SmallSegments(socket.socket):
    """A socket whose peer gets small buffers: the kernel sizes them after the segments."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)


@pytest.mark.only(*stages.EVENTED)
@story(
    expected="all 2 MiB, byte for byte, though send() often takes only a part of what it is given",
    hint="send(2) returns how many bytes it took. The others are still yours to send, and first.",
    try_it="curl -s --limit-rate 1M URL/bytes/2097152 | sha256sum",
)
def test_send_takes_a_part(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """a client with small segments, for which the server's socket has little room"""
    with monkeypatch.context() as patched:
        patched.setattr(socket, "socket", SmallSegments)
        client = server.connect(receive_buffer=4096)
    client.send(get(f"/bytes/{2 * MEBIBYTE}"))
    quiet(server)
    body = client.reply().body
    expect(body == pattern(2 * MEBIBYTE), difference(body, pattern(2 * MEBIBYTE)))
