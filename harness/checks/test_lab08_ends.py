"""A master and its crew: what happens when somebody dies, or is told to stop."""

from __future__ import annotations

import contextlib
import json
import os
import signal

import pytest

from harness import proc, stages, tcp
from harness.checks.crew import crew, greeted, started, sweeping_start
from harness.checks.test_concurrency import HALF_HEAD, REST_OF_HEAD
from harness.checks.test_kills import kill, zombies
from harness.clock import happens, observe
from harness.findings import expect, story, transcript
from harness.fixtures import Starter
from harness.instruments import SPINS, consumed, frozen, not_spinning, quiet, responsible_for
from harness.message import get

pytestmark = pytest.mark.only(stages.HANDOVER)
start = sweeping_start


@story(
    expected="its clients see the end, all others are served, a new worker takes its place",
    hint="A pidfd is readable when its process has ended. Then: waitpid(), the books (who was "
    "connected, who is counted), the channel, and a successor.",
    try_it="kill -9 $(pgrep -P PID | head -1); curl -si URL/hello; make xray",
)
def test_dead_worker_is_replaced(start: Starter) -> None:
    """a worker that is killed is replaced, and hurts only its own clients"""
    server = started(start, 2, max_connections=5)
    for victim in crew(server):
        clients = greeted(server, 4)
        mine = [each for each in clients if victim in responsible_for(server, each)]
        expect(len(mine) == 2, f"of four clients {len(mine)} are with the first of two workers")
        kill([victim], "a worker")
        for client in mine:
            expect(client.ends(), "a client of the dead worker hangs")
        expect(happens(lambda: len(crew(server)) == 2), f"{len(crew(server))} workers run")
        expect(zombies(server) == 0, f"{zombies(server)} zombies")
        for client in set(clients) - set(mine):
            expect(client.get("/hello").status == 200, "a client of the other worker is hurt")
        number = json.loads(server.get("/stats").body)["open"] - 1
        expect(number == 2, f"/stats counts {number} connections besides itself; 2 are open")
        server.close_clients()
        quiet(server)
        expect(server.stderr(), "not a line in the log about the worker that was killed")


@story(
    expected="a worker that is told to stop finishes what has begun, and is replaced",
    hint="After fork() the child hears the master's signals and waits on the master's stop "
    "descriptor, until it makes its own: Stop::in_child().",
    try_it="kill -TERM $(pgrep -P PID | head -1); make xray",
)
def test_worker_that_is_told_to_stop(start: Starter) -> None:
    """SIGTERM to one worker ends that one in good order, and another takes its place"""
    server = started(start, 2)
    if not (workers := crew(server)):
        return
    clients = [server.connect() for _ in workers]
    for client in clients:
        client.send(HALF_HEAD)
        consumed(server, client)
    transcript.note("harness", "SIGTERM to a worker")
    os.kill(workers[0], signal.SIGTERM)
    quiet(server)
    greeted(server, 4)
    for client in clients:
        client.send(REST_OF_HEAD)
        expect(client.reply().status == 200, "a request that had begun is not answered")
        client.close()
    expect(happens(lambda: workers[0] not in server.tree()), "the worker does not end")
    expect(happens(lambda: len(crew(server)) == 2), "nobody takes its place")


@story(
    expected="workers that die as soon as they start are not restarted in a rush",
    hint="A worker that cannot live dies at once, again and again: wait a little longer each time.",
    try_it="while kill -9 $(pgrep -P PID); do sleep .01; done",
)
def test_successors_take_their_time(start: Starter) -> None:
    """workers that keep dying are replaced with back-off"""
    server = started(start, 2)
    seen: set[int] = set()
    for _ in range(100 if crew(server) else 0):
        if fresh := set(server.tree()[1:]) - seen:
            seen |= fresh
            kill(sorted(fresh), "every new worker, for half a second")
        observe(0.005)
    expect(len(seen) < 20, f"{len(seen)} workers were started within half a second")
    expect(server.alive(), f"the master died: {server.end_text()}")
    expect(not seen or happens(lambda: crew(server)), "nobody has taken their places")
    greeted(server, 1)


@story(
    expected="the workers notice, serve whom they have been handed, sleep meanwhile, and end",
    hint="Nobody tells children that their parent was killed. The channel can: recvmsg() returns "
    "0 when no process has the other end any more. Who has a copy of it?",
    try_it="kill -9 PID; ps; ss -tlnp",
)
def test_dead_master(start: Starter) -> None:
    """after kill -9 of the master its workers finish, and end"""
    server = started(start, 2)
    workers = crew(server)
    clients = greeted(server, 2)
    clients[0].send(HALF_HEAD)
    consumed(server, clients[0])
    with frozen(server, workers) if workers else contextlib.nullcontext():
        handed = [server.connect() for _ in 2 * workers]
        for client in handed:
            client.send(get("/hello"))
        quiet(server)
        kill([server.pid], "the first process")
        server.wait()
    for client in handed:
        expect(client.reply().status == 200, "a client that was handed over is not answered")
    before = [proc.effort(pid)[0] for pid in workers]
    observe(0.25)
    spent = [proc.effort(pid)[0] - then for pid, then in zip(workers, before, strict=True)]
    share = max(spent, default=0) / 0.25e9
    expect(share < SPINS, f"a worker wants {share:.0%} of a CPU while it has a client left")
    if workers:
        clients[0].send(REST_OF_HEAD)
        expect(clients[0].reply().status == 200, "a request that had begun is not answered")
    clients[0].close()
    for client in clients[1:]:
        expect(client.ends(), "a client hangs")
    server.leaves_nothing()
    expect(tcp.listener(server.port) is None, "the port is still taken")


@story(
    expected="whoever was handed over before the signal gets a reply",
    hint="A client can be in nobody's hands: accepted, sent, not yet received. A worker that is "
    "to stop empties its channel first.",
    try_it="kill -STOP WORKERS; curl URL/hello & kill -TERM PID; kill -CONT WORKERS",
)
def test_drain_empties_the_channels(start: Starter) -> None:
    """a drain serves those who are still in a channel"""
    server = started(start, 2)
    busy = server.connect()
    busy.send(HALF_HEAD)
    if not (workers := crew(server)):
        return
    with frozen(server, workers):
        clients = [server.connect() for _ in range(6)]
        for client in clients:
            client.send(get("/hello"))
        quiet(server)
        server.signal(signal.SIGTERM)
        quiet(server)
    for client in clients:
        expect(client.reply().status == 200, "a client that was handed over lost its reply")
        client.at_end()
    not_spinning(server, "while it waits for a client that has begun")
    busy.send(REST_OF_HEAD)
    expect(busy.reply().status == 200, "a request that had begun is not answered")
    busy.close()
    expect(server.wait() == 0, server.end_text(), expected="exit status 0")
