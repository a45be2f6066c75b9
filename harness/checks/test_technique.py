"""Is the server what it says it is? /proc shows the model at work."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness import proc, stages
from harness.checks.test_strace import skip_where_untraceable
from harness.client import Client
from harness.findings import Finding, expect, story, transcript
from harness.fixtures import Option, Starter
from harness.instruments import census, consumed, quiet
from harness.message import get
from harness.server import Server
from harness.stages import Stage
from harness.technique import judge
from harness.trace import record
from harness.trace.verdict import Verdict
from harness.trace.witness import NamelessError, wanted, witness

CLIENTS = 6

_LOOP = (
    "The descriptor of each client is among those that {0} is asked about, and is read from when "
    "{0} has said that it is ready."
)
_HOW = {  # by model: what a server does whose system calls look right
    stages.ITERATIVE: "One thread does everything: accept(2), then recv(2) and send(2) until this "
    "client is done, then accept(2) again.",
    stages.FORK: "After accept(2) comes fork(2). The child reads from the connection; the parent "
    "closes its copy, and reads from none.",
    stages.THREAD: "After accept(2) a thread is started, which reads from this connection and from "
    "no other. The thread that accepts reads from none.",
    stages.POOL: "The workers are started before the first client comes. The thread that accepts "
    "puts the connection into the queue; the worker that takes it from there reads.",
    stages.SELECT: _LOOP.format("select(2)"),
    stages.POLL: _LOOP.format("poll(2)"),
    stages.EPOLL: _LOOP.format("epoll_wait(2)") + " Whether that means levels or edges is said in "
    "each epoll_ctl(2) for it: EPOLLET, in EPOLL_CTL_ADD and in every EPOLL_CTL_MOD.",
    stages.HANDOVER: "The master accepts and passes the descriptor: sendmsg(2) with SCM_RIGHTS. A "
    "worker that was there before gets it with recvmsg(2), and watches it in an epoll of its own.",
}


def start_for(
    start: Starter, *, wrapper: tuple[str, ...] = (), **options: Option
) -> Server:
    """A server whose numbers of threads and processes are known."""
    own_threads = "thread" in start.target.sanitizers
    if own_threads and start.target.stage.model in (stages.THREAD, stages.POOL):
        pytest.skip("ThreadSanitizer adds a thread of its own: threads cannot be counted")
    workers = {stages.POOL: 8, stages.HANDOVER: 3}.get(start.target.stage.model)
    return start(wrapper=wrapper, **({"workers": workers} if workers else {}), **options)


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


@pytest.mark.strace
@story(
    expected="each connection is accepted, waited for and read in the way of the stage",
    hint="strace shows for each connection who accepted it, who read from it, and in which call it "
    "was waited for.",
    try_it="make trace STAGE=NN",
)
def test_system_calls_agree(start: Starter, tmp_path: Path) -> None:
    """the system calls of each connection show the model, too"""
    skip_where_untraceable(start)
    transcript.note("strace", "watches")
    server = start_for(start, wrapper=record.wrapper(tmp_path))
    try:
        _all_fit(server.stage, witness(server, tmp_path))
    except NamelessError:
        pytest.skip("strace cannot tell whose connection a descriptor is on this machine")
    finally:
        server.sweep()  # how it ends is another check's business


def _all_fit(stage: Stage, found: dict[Client, Verdict]) -> None:
    others = {client: each for client, each in found.items() if not each.fits(stage)}
    if others:
        client, each = next(iter(others.items()))
        raise Finding(
            f"{client} was {each.evidence()}: {each} "
            f"({len(others)} of {len(found)} connections are not handled as they should be)",
            expected=wanted(stage),
            hint=_HOW[stage.model],
        )


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
