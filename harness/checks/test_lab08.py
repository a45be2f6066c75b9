"""A master and its crew: who accepts, who holds what, and what happens when room runs out."""

from __future__ import annotations

import contextlib
import json

import pytest

from harness import proc, stages, syscalls, tcp, technique, xray
from harness.checks import test_concurrency, test_limits
from harness.checks.crew import crew, greeted, spread, started, sweeping_start
from harness.client import Client
from harness.clock import happens
from harness.findings import expect, story
from harness.fixtures import Starter
from harness.instruments import (
    frozen, no_free_descriptor, not_spinning, quiet, responsible_for,
)  # fmt: skip
from harness.message import get, request
from harness.server import Server

pytestmark = pytest.mark.only(stages.HANDOVER)
start = sweeping_start


@story(
    expected="200, and the right bodies",
    hint="Follow one descriptor: accept4() and sendmsg() in the master, recvmsg() and epoll in a "
    "worker. How far does it get?",
    try_it="curl -si URL/hello; strace -f -e trace=accept4,sendmsg,recvmsg -p PID",
)
def test_first_answers(start: Starter) -> None:
    """the first clients are answered"""
    server = start()
    for _ in range(3):
        client = server.connect()
        body = client.get("/hello").body
        expect(body == b"Hello, World!", f"the body of /hello is {body!r}")
        client.send(request("POST", "/echo", b"who is there?"))
        body = client.reply().body
        expect(body == b"who is there?", f"/echo gives back {body!r}")


@story(
    expected="nothing runs any more once the clients have left",
    hint="epoll watches the socket and not the number: a client leaves the interest list only with "
    "the last copy of its descriptor. Who still has one?",
    try_it="curl -s URL/hello; top -b -n 1 | head; make xray",
)
def test_nobody_is_busy_with_the_gone(start: Starter) -> None:
    """clients that have left keep nobody busy"""
    server = start()
    for client in greeted(server, 2):
        client.close()
    not_spinning(server, "after its clients have left")


@story(
    expected="workers that are there before the first client, each in epoll_wait; the master "
    "accepts, and a worker gets the descriptor",
    hint="A descriptor travels over a UNIX socket: sendmsg() with SCM_RIGHTS. Who shares the "
    "listener, forks for a client or serves it in a thread passes nothing.",
    try_it="for i in 1 2 3; do python3 -m harness.say PORT & done; make xray",
)
def test_descriptors_are_passed(start: Starter) -> None:
    """the master accepts and passes descriptors to workers that were there before"""
    server = started(start, 3)
    quiet(server)
    master, *workers = server.tree()
    expect(len(workers) == 3, f"before the first client: {xray.brief(server.pid)}")
    for client in greeted(server, 6):
        holders = responsible_for(server, client)
        expect(
            set(holders) & set(workers),
            f"a client's connection is held by {'the master alone' if holders else 'nobody'}",
        )
    quiet(server)
    now = server.tree()
    expect(now == [master, *workers], f"six clients later: {xray.brief(server.pid)}")
    for worker in workers:
        tasks = proc.tasks(worker)
        calls = {task.call for task in tasks}
        expect(len(tasks) == 1 and calls <= syscalls.EPOLL, f"a worker: {xray.brief(worker)}")
    with frozen(server, [master]):
        late = server.connect()
        late.send(get("/hello"))
        quiet(server)
        holders = responsible_for(server, late)
        expect(not holders, f"the master was stopped, and process {holders} accepted by itself")
    expect(late.reply().status == 200, "the client that came meanwhile is not served")


@story(
    expected="the master has the listener, each worker its clients, and nobody holds both",
    hint="fork() copies every descriptor, and a message copies one more. Each copy keeps a "
    "connection, a port or a channel open: who closes which, and when?",
    try_it="python3 -m harness.say PORT & make xray",
)
def test_everybody_holds_only_their_own(start: Starter) -> None:
    """each process holds what it needs, and nothing else"""
    server = started(start, 3)
    if workers := crew(server):
        technique.judge(server, greeted(server, 3 * len(workers)), server.tree())


@story(
    expected="a client goes to the worker that has the fewest just then",
    hint="Count who is handed over, and count who leaves: the count is in memory that master and "
    "worker share. Taking turns is not the same: connections do not live equally long.",
    try_it="for i in 1 2 3 4 5 6; do python3 -m harness.say PORT & done; make xray",
)
def test_least_busy(start: Starter) -> None:
    """the least busy worker gets the next client"""
    server = started(start, 3)
    if not (workers := crew(server)):
        return
    clients = greeted(server, 9)
    held = spread(server, workers, clients)
    expect(held == [3, 3, 3], f"nine clients are spread over three workers like this: {held}")
    for client in [each for each in clients if workers[1] in responsible_for(server, each)]:
        client.close()
        clients.remove(client)
    quiet(server, 3)
    clients += greeted(server, 3)
    held = spread(server, workers, clients)
    expect(held == [3, 3, 3], f"three left one worker, three new ones came, and now: {held}")


def more_than_fit(server: Server) -> list[Client]:
    """New clients, until some stay in the backlog because all channels are full."""
    clients: list[Client] = []
    for _ in range(9):
        clients += [server.connect() for _ in range(100)]
        if not happens(lambda: backlog(server) == 0, 0.15):
            break
    return clients


def backlog(server: Server) -> int:
    """How many connections nobody has accepted yet."""
    listener = tcp.listener(server.port)
    return listener.unread if listener else 0


@story(
    expected="each client is answered, if only with 503, and the master sleeps meanwhile",
    hint="A channel is a queue with an end: sendmsg() says EAGAIN when the worker does not read. "
    "Close your copy of a descriptor only when it has really been passed.",
    try_it="kill -STOP $(pgrep -P PID); wrk -c 400 URL/hello & sleep 2; kill -CONT $(pgrep -P PID)",
)
def test_channels_are_full(start: Starter) -> None:
    """more clients than fit into the channels, while no worker reads: nobody is lost"""
    server = started(start, 2)
    workers = crew(server)
    with frozen(server, workers) if workers else contextlib.nullcontext():
        clients = more_than_fit(server) if workers else greeted(server, 100)
        for client in clients:
            client.send(get("/hello"), quietly=True)
        not_spinning(server, "while its channels are full")
        expect(server.alive(), f"the master died: {server.end_text()}")
    statuses = [client.reply().status for client in clients]
    wrong = [status for status in statuses if status not in (200, 503)]
    expect(not wrong, f"statuses {sorted(set(wrong))}")
    greeted(server, 1)


@story(
    expected="the client over the limit waits, and is served once another one leaves",
    hint="The limit is for all workers together: Crew::load(). Who is over it stays in the "
    "backlog, and the master looks again a little later.",
    try_it="python3 -m harness.say PORT & python3 -m harness.say PORT & curl -m 3 URL/hello",
)
def test_limit_of_the_crew(start: Starter) -> None:
    """--max-connections 2 lets the third client wait"""
    test_concurrency.test_max_connections(start)


@story(
    expected="at the limit it sleeps, its workers serve, and it accepts again when it can",
    hint="accept4() fails with EMFILE and the connection stays in the backlog: the listener stays "
    "readable, so a master that asks again at once spins.",
    try_it="prlimit --pid PID --nofile=10; for i in $(seq 9); do "
    "python3 -m harness.say PORT & done; top",
)
def test_master_without_descriptors(start: Starter) -> None:
    """no descriptor is left for the master's next client"""
    test_limits.test_descriptors_run_out(start)


@story(
    expected="a worker without descriptors lives on, does not spin, and keeps its clients",
    hint="A descriptor that cannot be installed is dropped by the kernel: MSG_CTRUNC says so. "
    "Never use a descriptor number from a message that was cut.",
    try_it="prlimit --nofile=8 --pid WORKER; curl -m 1 URL/hello; make xray",
)
def test_crew_without_descriptors(start: Starter) -> None:
    """workers whose descriptors have run out"""
    test_limits.needs_no_descriptors(start)
    server = started(start, 2)
    workers = crew(server)
    old = greeted(server, 2)
    with no_free_descriptor(*workers):
        new = [server.connect() for _ in range(4)]
        for client in new:
            with contextlib.suppress(ConnectionError):
                client.send(get("/hello", connection="close"))
        not_spinning(server, "while its workers cannot take descriptors")
        expect(server.alive(), f"the master died: {server.end_text()}")
        lost = set(workers) - set(server.tree())
        expect(not lost, f"{len(lost)} of {len(workers)} workers died")
        for client in old:
            expect(client.get("/hello").status == 200, "a client inside is not served any more")
    for client in new:
        test_limits.served_or_let_go(client)
        client.close()
    quiet(server)
    number = json.loads(server.get("/stats").body)["open"] - 1
    expect(number == 2, f"/stats counts {number} connections besides itself; 2 are open")
    greeted(server, 4)
