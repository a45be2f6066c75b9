"""Lab 03, a pool: who wakes whom, who gives way to whom, in which order, and the end."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from harness import proc, stages, syscalls
from harness.checks.test_concurrency import HALF_HEAD, REST_OF_HEAD
from harness.checks.test_lifecycle import ends_well
from harness.checks.test_strace import traced
from harness.client import Client
from harness.clock import happens
from harness.findings import expect, story
from harness.fixtures import Starter
from harness.instruments import accepted, consumed, frozen, quiet, sleeps
from harness.message import get
from harness.server import Server

pytestmark = pytest.mark.only(stages.POOL)
SLOW_WAKE = "delay_exit=400000:when=1"  # the first futex(2) of each thread ends 0.4 s late


@story(
    expected="eight clients are served by two workers, one after another",
    hint="A worker does not end with its client: it goes back and takes the next one.",
    try_it="curl -s 'URL/hello?[1-6]'",
)
def test_workers_come_back(start: Starter) -> None:
    """a worker serves one client after another"""
    server = start(workers=2, drain_timeout=1)
    for number in range(4):
        status = server.get("/hello").status
        expect(status == 200, f"client {number}: {status}")
        quiet(server)
    for number in range(4):
        client = server.connect()
        client.send(get("/hello"))
        client.reset()
        quiet(server)
    expect(server.get("/hello").status == 200, "after four resets nobody is served any more")


@story(
    expected="nothing runs: workers without a client sleep, and so does who waits for a place",
    hint="A loop with yield() or a short sleep is a busy wait, however short it is. A condition "
    "variable sleeps until somebody has something to say.",
    try_it="top -H -p PID",
)
def test_waiting_is_sleeping(start: Starter) -> None:
    """workers without work, and the acceptor at a full queue, sleep"""
    if "thread" in start.target.sanitizers:
        pytest.skip("ThreadSanitizer has a thread of its own, which wakes up regularly")
    server = start(workers=3, queue=1, drain_timeout=1)
    sleeps(server, "with no client")
    busy = [server.connect() for _ in range(3)]
    for client in busy:
        client.send(HALF_HEAD)
        consumed(server, client)
    waiting = [server.connect() for _ in range(4)]
    for client in waiting:
        client.send(get("/hello", connection="close"))
    sleeps(server, "with all workers busy and the queue full")
    for client in busy:
        client.reset()
    for client in waiting:
        expect(client.reply().status == 200, "a client that waited is not served")
        client.close()


def one_at_work(start: Starter, place: Path, workers: int) -> tuple[Server, Client]:
    """A pool in which one worker is with a client, the others sleep, and wake up slowly."""
    server = traced(start, place / "log", "futex", inject=SLOW_WAKE,
                    workers=workers, drain_timeout=1)  # fmt: skip
    quiet(server)  # all workers sleep now: the first client makes the first call of the loop
    client = server.connect()
    client.send(HALF_HEAD)
    consumed(server, client)
    quiet(server)
    return server, client


def accepts_again(server: Server) -> bool:
    """Whether a thread sleeps in accept(2): done with the client that it has taken."""
    tasks = proc.tasks(server.pid)
    return any(task.call in syscalls.ACCEPT and task.state == "S" for task in tasks)


@story(
    expected="the client in the queue is served: one worker is asleep, and it is its turn",
    hint="notify_one() wakes one worker for one client. Who says it only when the queue was empty "
    "forgets the second client that comes before the first worker is awake.",
)
def test_each_client_wakes_a_worker(start: Starter, tmp_path: Path) -> None:
    """two clients come before the first worker is awake"""
    server, first = one_at_work(start, tmp_path, workers=3)
    with frozen(server):
        second, third = server.connect(), server.connect()
        second.send(HALF_HEAD)
        third.send(get("/hello", connection="close"))
    expect(third.reply().status == 200, "not 200")
    for client in (first, second):
        client.send(REST_OF_HEAD)
        expect(client.reply().status == 200, "not 200")


@story(
    expected="a worker that is woken for nothing goes back to sleep, and both workers are there",
    hint="Between the call and the waking another worker may have taken the client: the condition "
    "must be tested again, in a loop. What does your worker do when the queue is empty?",
)
def test_worker_that_wakes_too_late(start: Starter, tmp_path: Path) -> None:
    """a worker wakes up, and another one has already taken the client"""
    server, first = one_at_work(start, tmp_path, workers=2)
    second = server.connect()
    second.send(get("/hello", connection="close"))
    accepted(server, second)
    happens(lambda: accepts_again(server))  # so it has called the other worker, which is slow
    first.send(REST_OF_HEAD)
    first.half_close()
    for client in (first, second):
        expect(client.reply().status == 200, "not 200")
        client.close()
    quiet(server)
    expect(server.alive(), f"the server died: {server.end_text()}")
    pair = [server.connect() for _ in range(2)]
    for client in pair:
        client.send(get("/rendezvous?n=2&ms=2000", connection="close"))
    statuses = [client.reply().status for client in pair]
    expect(statuses == [200, 200], f"two clients for two workers do not meet: {statuses}")


@story(
    expected="who came first is served first",
    hint="A queue: in at one end, out at the other. On a stack the first one waits longest.",
)
def test_first_come_first_served(start: Starter) -> None:
    """clients in the queue are served in the order of their coming"""
    server = start(workers=1, queue=8, drain_timeout=1)
    busy = server.connect()
    busy.send(HALF_HEAD)
    consumed(server, busy)
    queued = []
    for _ in range(4):
        queued.append(server.connect())
        queued[-1].send(get("/stats", connection="close"))
        accepted(server, queued[-1])
    quiet(server)
    busy.send(REST_OF_HEAD)
    expect(busy.reply().status == 200, "not 200")
    busy.close()
    turns = []
    for client in queued:
        turns.append(int(json.loads(client.reply().body)["requests"]))
        client.close()
    expect(turns == sorted(turns), f"requests answered before each of the four: {turns}")


@story(
    expected="the one that has rested longest sees the end of its connection, the other one stays",
    hint="Who rests is written down in the order of resting. Which end of the list is it?",
    try_it="make xray",
)
def test_longest_rest_leaves_first(start: Starter) -> None:
    """of two resting clients the one that has rested longer gives way"""
    server = start(workers=2, idle_timeout=60, drain_timeout=1)
    older, younger = server.connect(), server.connect()
    accepted(server, older, younger)
    quiet(server)  # each has its worker now
    for client in (older, younger):
        expect(not client.get("/hello").closes, "the reply says Connection: close, for nobody")
        quiet(server)
    expect(server.get("/hello").status == 200, "the waiting client is not served")
    older.at_end()
    expect(younger.silent(), "the one that has rested for a shorter time was sent away")
    expect(younger.get("/hello").status == 200, "the one that may stay is not served")


@story(
    expected="the idle client stays: one worker was free, and one was needed",
    hint="Somebody has to go only when more clients are queued than workers are free. Compare the "
    "two numbers after the client has been queued.",
)
def test_enough_workers(start: Starter) -> None:
    """a client comes while the last worker is free"""
    server = start(workers=2, idle_timeout=60, drain_timeout=1)
    idle = server.connect()
    idle.get("/hello")
    quiet(server)
    expect(server.get("/hello").status == 200, "the new client is not served")
    quiet(server)
    expect(idle.silent(), "the idle client was sent away, though a worker was free")
    expect(idle.get("/hello").status == 200, "the idle client is not served any more")


@story(
    expected="the request that is half there gets its reply, and then the waiting client its own",
    hint="Who has begun a request does not rest any more: end(). A descriptor that is still in "
    "the list then is shut down in the middle of its request.",
)
def test_busy_clients_do_not_give_way(start: Starter) -> None:
    """a client in the middle of a request is not sent away"""
    server = start(workers=1, idle_timeout=60, drain_timeout=1)
    busy = server.connect()
    busy.get("/hello")
    quiet(server)
    busy.send(HALF_HEAD)
    consumed(server, busy)
    waiting = server.connect()
    waiting.send(get("/hello", connection="close"))
    accepted(server, waiting)
    quiet(server)
    busy.send(REST_OF_HEAD)
    expect(busy.reply().status == 200, "the busy client is not served")
    busy.at_end()
    expect(waiting.reply().status == 200, "the waiting client is not served")


@story(
    expected="one who says nothing gives way a second later, long before its timeout of 60 s",
    hint="A client may begin to rest when somebody waits already: then nobody will come to send "
    "it away later. begin() has to look, too.",
    try_it="python3 -m harness.say PORT & "
    "curl -m 5 URL/hello",
)
def test_silent_clients_give_way(start: Starter) -> None:
    """a client that never says a word gives way to one that already waits"""
    server = start(workers=1, idle_timeout=60, header_timeout=60, drain_timeout=1)
    silent = server.connect()
    accepted(server, silent)
    quiet(server)
    waiting = server.connect()
    expect(waiting.get("/hello").status == 200, "the waiting client is not served")
    expect(silent.ends(), "the silent one is still there")


@story(
    expected="everybody who was accepted gets a reply, and then exit status 0",
    hint="With a full queue nobody waits in accept4(): the signal finds the loop in push(). It "
    "must come back from there, and the one in its hand must be queued, too.",
)
def test_stop_with_a_full_queue(start: Starter) -> None:
    """a stop signal that comes while the queue is full"""
    server = start(workers=1, queue=1, drain_timeout=60)
    busy = server.connect()
    busy.send(HALF_HEAD)
    consumed(server, busy)
    waiting = [server.connect() for _ in range(2)]
    for client in waiting:
        client.send(get("/hello"))
    accepted(server, *waiting)
    quiet(server)
    server.signal(signal.SIGTERM)
    quiet(server)
    busy.send(REST_OF_HEAD)
    for client in [busy, *waiting]:
        expect(client.reply().status == 200, "a client lost its reply")
        client.at_end()
    ends_well(server)
