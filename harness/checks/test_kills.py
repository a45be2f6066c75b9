"""kill -9: a child, a worker, the master. Nobody hangs, nothing stays, and work goes on."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Sequence

import pytest

from harness import proc, stages
from harness.client import Client
from harness.clock import happens, observe
from harness.findings import Finding, expect, story, transcript
from harness.fixtures import Starter
from harness.instruments import accepted, consumed, frozen, quiet, responsible_for
from harness.message import get
from harness.server import Server

HALF_HEAD, REST_OF_HEAD = b"GET /hello HTTP/1.1\r\nHo", b"st: lab\r\n\r\n"


def kill(pids: Sequence[int], who: str) -> None:
    """SIGKILL to processes of a server. When it returns, all that they held has been closed: until
    then a dying worker may still be given a client, who dies with it."""
    transcript.note("harness", f"kill -9 {who}")
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    for pid in pids:
        expect(happens(lambda: dead(pid)), f"process {pid} outlives SIGKILL")


def dead(pid: int) -> bool:
    found = proc.stat(pid)
    return found is None or found.state in "ZX"


def zombies(server: Server) -> int:
    states = (proc.stat(pid) for pid in proc.children(server.pid))
    return sum(found.state == "Z" for found in states if found)


@pytest.mark.only(stages.FORK)
@story(
    expected="its own client sees the end; all others, and new ones, are served; no zombie",
    hint="A child that dies takes one connection along. The parent notices by SIGCHLD.",
    try_it="python3 -m harness.say PORT & kill -9 $(pgrep -P PID); curl -si URL/hello",
)
def test_killed_child(start: Starter) -> None:
    """a killed child hurts only its own client"""
    server = start()
    victim, other = server.connect(), server.connect()
    for client in (victim, other):
        client.get("/hello")
    kill(responsible_for(server, victim), "the victim's child")
    expect(victim.ends(), "the victim's connection goes on: who else holds its descriptor?")
    expect(other.get("/hello").status == 200, "the other client is not served")
    expect(server.get("/hello").status == 200, "a new client is not served")
    expect(happens(lambda: zombies(server) == 0), f"{zombies(server)} zombies")


@pytest.mark.only(stages.FORK)
@story(
    expected="no zombie, after five children died at the same moment",
    hint="Signals are not counted: five deaths can be one SIGCHLD. waitpid() in a loop, with "
    "WNOHANG, until nobody is left.",
)
def test_children_that_die_together(start: Starter) -> None:
    """five children that die at once are all reaped"""
    server = start()
    clients = [server.connect() for _ in range(5)]
    for client in clients:
        client.get("/hello")
    children = proc.children(server.pid)
    with frozen(server, [server.pid]):
        kill(children, "all five children")
        expect(happens(lambda: zombies(server) == 5), "they do not die")
    expect(happens(lambda: zombies(server) == 0), f"{zombies(server)} zombies stay")
    expect(server.get("/hello").status == 200, "a new client is not served")


@pytest.mark.only(stages.FORK, stages.HANDOVER)
@story(
    expected="every process of the server ends, every client sees it, the port is free",
    hint="Nobody tells children that their parent was killed: PR_SET_PDEATHSIG, or the end of a "
    "pipe or socket that only the parent held.",
    try_it="kill -9 PID; ps; ss -tlnp",
)
def test_killed_master(start: Starter) -> None:
    """after kill -9 of the first process nothing is left"""
    server = start(drain_timeout=1)
    clients = [server.connect() for _ in range(6)]
    for number, client in enumerate(clients):
        client.send(HALF_HEAD if number % 2 else get("/hello"))
        consumed(server, client)
    quiet(server)
    kill([server.pid], "the first process")
    server.wait()
    for client in clients:
        expect(client.ends(), "a client hangs")
    server.leaves_nothing()
    again = start(port=server.port)
    expect(again.get("/hello").status == 200, "the port cannot be used again")


def worker_count(server: Server) -> int:
    return len(server.tree()) - 1


@pytest.mark.only(stages.HANDOVER)
@story(
    expected="its clients see the end, all others are served, a new worker takes its place",
    hint="waitpid() says who died; its channel is dead too (EPIPE, without SIGPIPE). Start "
    "another one, and say so in the log.",
    try_it="kill -9 $(pgrep -P PID | head -1); curl -si URL/hello",
)
def test_killed_worker(start: Starter) -> None:
    """a killed worker is replaced, and hurts only its own clients"""
    server = start(workers=2)
    clients = [server.connect() for _ in range(6)]
    for client in clients:
        client.get("/hello")
    said = len(server.stderr())
    for worker in server.tree()[1:]:
        mine = [each for each in clients if worker in responsible_for(server, each)]
        expect(mine, f"worker {worker} has no client")
        kill([worker], "a worker")
        for client in mine:
            expect(client.ends(), "a client of the dead worker hangs")
            clients.remove(client)
        for client in clients:
            expect(client.get("/hello").status == 200, "a client of another worker is hurt")
        for _ in range(4):
            expect(server.get("/hello").status == 200, "a new client is not served")
        clients += replacements(server)
    expect(len(server.stderr()) > said, "not a line in the log about it")
    expect(zombies(server) == 0, f"{zombies(server)} zombies")


def replacements(server: Server) -> list[Client]:
    """Wait until two workers run; four new clients, who have been served."""
    expect(happens(lambda: worker_count(server) == 2), f"{worker_count(server)} workers run")
    new = [server.connect() for _ in range(4)]
    for client in new:
        expect(client.get("/hello").status == 200, "a new client is not served")
    return new


@pytest.mark.only(stages.HANDOVER)
@story(
    expected="both are replaced",
    hint="Two deaths, one SIGCHLD: reap in a loop.",
)
def test_workers_that_die_together(start: Starter) -> None:
    """two workers that die at once are both replaced"""
    server = start(workers=2)
    master, *workers = server.tree()
    with frozen(server, [master]):
        kill(workers, "both workers")
        waiting = [server.connect() for _ in range(4)]
        for client in waiting:
            client.send(get("/hello", connection="close"))
    for client in waiting:
        expect(client.ends(), f"a client hangs; {server.facts(client.port)}")
    expect(happens(lambda: worker_count(server) == 2), f"{worker_count(server)} workers run")
    for _ in range(4):
        expect(server.get("/hello").status == 200, "new clients are not served")


@pytest.mark.only(stages.HANDOVER)
@story(
    expected="workers that die as soon as they start are not restarted in a rush",
    hint="A worker that cannot live dies at once, again and again: wait a little longer each time.",
)
def test_no_respawn_storm(start: Starter) -> None:
    """workers that keep dying are replaced with back-off"""
    server = start(workers=2)
    seen: set[int] = set()
    for _ in range(200):
        fresh = set(server.tree()[1:]) - seen
        seen |= fresh
        if fresh:
            kill(sorted(fresh), "every new worker, for a second")
        observe(0.005)
    expect(len(seen) < 60, f"{len(seen)} workers were started within a second")
    expect(server.alive(), f"the master died: {server.end_text()}")
    expect(happens(lambda: worker_count(server) == 2, 15), "no workers any more")
    expect(server.get("/hello").status == 200, "a new client is not served")


@pytest.mark.only(stages.HANDOVER)
@story(
    expected="each client is answered, if only with 503",
    hint="A channel is a queue with an end: sendmsg() says EAGAIN when the worker does not read. "
    "Close your copy of a descriptor only when it has really been passed.",
    try_it="kill -STOP $(pgrep -P PID); wrk -c 800 URL/hello & sleep 2; kill -CONT $(pgrep -P PID)",
)
def test_full_channels(start: Starter) -> None:
    """800 clients while no worker reads its channel (each takes some 280): nobody is lost"""
    server = start(workers=2)
    with frozen(server, server.tree()[1:]):
        clients = [server.connect() for _ in range(800)]
        for client in clients:
            client.send(get("/hello"))
        observe(0.3)  # the master does with them what it can
        expect(server.alive(), f"the master died: {server.end_text()}")
    statuses = [client.reply().status for client in clients]
    wrong = [status for status in statuses if status not in (200, 503)]
    expect(not wrong, f"statuses {sorted(set(wrong))}")
    expect(server.get("/hello").status == 200, "a new client is not served")


class Load:
    """Clients that ask all the time, and come back when their connection ends."""

    def __init__(self, server: Server, number: int) -> None:
        self.server = server
        self.served = 0
        self.hung: list[str] = []
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(number)]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _ask(self) -> None:
        while not self._stop.is_set():
            try:
                with Client(self.server, name="load") as client:
                    while not self._stop.is_set():
                        client.send(get("/bytes/2000"), quietly=True)
                        client.reply()
                        self.served += 1
            except Finding as finding:
                if "waited" in finding.actual and "closed" not in finding.actual:
                    self.hung.append(finding.actual)

    def goes_on(self) -> bool:
        """Whether more requests are served from now on."""
        before = self.served
        return happens(lambda: self.served > before + 50)


@pytest.mark.only(stages.FORK, stages.HANDOVER)
@story(
    expected="clients lose at most their connection, and nobody hangs",
    hint="Follow one descriptor from accept() to its new owner: at which moment could both ends "
    "believe that the other one has it?",
)
def test_kills_under_load(start: Starter) -> None:
    """processes are killed under load, and the work goes on"""
    server = start()
    with Load(server, 6) as load:
        for _ in range(4):
            expect(load.goes_on(), "no more requests are served")
            kill(server.tree()[1:2], "one of the children, under load")
        expect(load.goes_on(), "no more requests are served after the last kill")
    hung = [text for text in load.hung if "Connection reset" not in text]
    expect(not hung, f"{len(hung)} clients hung: {hung[:1]}")
    accepted(server, server.connect())
