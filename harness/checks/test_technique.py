"""Is the server what it says it is? /proc shows the model at work."""

from __future__ import annotations

import os

import pytest

from harness import proc, stages
from harness.findings import expect, story
from harness.fixtures import Option, Starter
from harness.instruments import census, consumed, quiet
from harness.message import get
from harness.server import Server
from harness.technique import judge

CLIENTS = 6


def start_for(start: Starter, **options: Option) -> Server:
    """A server whose numbers of threads and processes are known."""
    own_threads = "thread" in start.target.sanitizers
    if own_threads and start.target.stage.model in (stages.THREAD, stages.POOL):
        pytest.skip("ThreadSanitizer adds a thread of its own: threads cannot be counted")
    workers = {stages.POOL: 8, stages.HANDOVER: 3}.get(start.target.stage.model)
    return start(**({"workers": workers} if workers else {}), **options)


@story(
    expected="processes, threads, waits and descriptors as the stage's idea implies",
    hint="`python3 -m harness.xray PID` shows what this check sees, for any running server.",
    try_it="for i in 1 2 3; do python3 -m harness.say PORT & done; python3 -m harness.xray PID",
)
def test_model(start: Starter) -> None:
    """/proc shows the model of this stage, and nothing else"""
    server = start_for(start)
    quiet(server)
    before = server.tree()
    clients = [server.connect(beside=True) for _ in range(CLIENTS)]
    for client in clients if server.stage.concurrent else clients[:1]:
        client.get("/hello")
    judge(server, clients, before)


@pytest.mark.only(stages.POOL)
@story(
    expected="always workers + 1 threads",
    hint="The threads of a pool are made once, at the start.",
)
def test_pool_does_not_grow(start: Starter) -> None:
    """a pool has the same threads with no, few and many clients"""
    server = start_for(start)
    quiet(server)
    counts = [census(server).threads]
    for number in (3, 20):
        clients = [server.connect() for _ in range(number)]
        for client in clients:
            client.send(get("/hello"))
        quiet(server)
        counts.append(census(server).threads)
    expect(len(set(counts)) == 1, f"{counts} threads with 0, 3 and 23 clients")


@pytest.mark.only(*stages.EVENTED)
@story(
    expected="the loop waits for events even while a request is half there",
    hint="A thread that waits in recv() or send() waits for one client; in an event loop all the "
    "others wait with it.",
    try_it="(printf 'GET /hel'; sleep 9) | python3 -m harness.say PORT & "
    "python3 -m harness.xray PID",
)
def test_never_waits_for_one(start: Starter) -> None:
    """an event loop never waits for one client only"""
    server = start_for(start, drain_timeout=0.3)
    for piece in (b"", b"GET /hel", get("/sleep?ms=20000"), get("/bytes/67108864")):
        client = server.connect(receive_buffer=4096)
        client.send(piece)
        if piece:
            consumed(server, client)
        quiet(server)
        for pid in server.tree()[1:] or server.tree():
            (task,) = proc.tasks(pid)
            waits = proc_waits(server)
            expect(task.call in waits, f"it waits in {task.call} for descriptor {task.argument}")
    for client in server.clients():
        client.reset()


def proc_waits(server: Server) -> frozenset[str]:
    """The calls in which a loop of this server may wait."""
    worker = stages.find("06").waits
    return worker if server.stage.model == stages.HANDOVER else server.stage.waits


@story(
    expected="close-on-exec on each socket and each epoll descriptor",
    hint="A program that the server starts would inherit its sockets, and keep them open: "
    "SOCK_CLOEXEC, accept4(), EPOLL_CLOEXEC, MSG_CMSG_CLOEXEC.",
    try_it="grep flags /proc/PID/fdinfo/*",
)
def test_close_on_exec(server: Server) -> None:
    """descriptors are closed on exec"""
    client = server.connect()
    client.get("/hello")
    for pid in server.tree():
        for fd, what in proc.descriptors(pid).items():
            if fd > 2 and what.startswith(("socket:", "anon_inode:[event")):
                flags = proc.descriptor_flags(pid, fd)
                expect(flags & os.O_CLOEXEC, f"descriptor {fd} ({what}) of process {pid}")
