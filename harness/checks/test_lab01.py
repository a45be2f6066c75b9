"""What lab 01 asks for, each thing by itself: a server of its own, and children that end one by one
unless it is about children that end together.

A server that works without children passes all but one of these: that it has none is the
technique's check.
"""

from __future__ import annotations

import json
import signal

import pytest

from harness import forkless, proc, stages
from harness.checks.test_kills import HALF_HEAD, REST_OF_HEAD, kill, zombies
from harness.client import Client, ClosedError
from harness.clock import happens
from harness.findings import expect, story, transcript
from harness.fixtures import Starter
from harness.instruments import consumed, frozen, not_spinning, quiet, responsible_for
from harness.message import HOST, get
from harness.server import Server
from harness.technique import connection_inodes, listener_inode

pytestmark = pytest.mark.only(stages.FORK)
SOON = 0.4  # seconds of drain: how these servers end is not what most of these checks are about
CLIENTS = 6


def without_children(server: Server) -> bool:
    """Whether this server has no children to look at; the technique's check tells so."""
    if proc.children(server.pid):
        return False
    transcript.note("harness", "sees no children")
    return True


@story(
    expected="200, and the 13 bytes Hello, World!",
    hint="The parent accepts, the child talks. If neither says a word: which of them holds the "
    "connection, and did the child get as far as converse()?",
    try_it="curl -i URL/hello",
)
def test_hello(start: Starter) -> None:
    """GET /hello"""
    reply = start(drain_timeout=SOON).connect().get("/hello")
    expect(reply.status == 200 and reply.body == b"Hello, World!", str(reply))


@story(
    expected="200 for all eight, and later for each its own echo",
    hint="Does the parent wait for anybody between fork() and the next accept()?",
    try_it="for i in 1 2 3 4 5 6 7 8; do curl -s 'URL/rendezvous?n=8&ms=5000' & done; wait",
)
def test_eight_at_once(start: Starter) -> None:
    """eight clients who come at once are inside together, and each gets its own answer"""
    server = start(drain_timeout=SOON)
    with frozen(server):
        clients = [server.connect() for _ in range(8)]
        for client in clients:
            client.send(get("/rendezvous?n=8&ms=5000"))
    statuses = [client.reply().status for client in clients]
    expect(statuses == [200] * 8, f"statuses {statuses}")
    for number, client in enumerate(clients):
        body = client.ask("POST", "/echo", b"I am number %d" % number).body
        expect(body == b"I am number %d" % number, f"number {number} got {body!r}")


@story(
    expected="a moment after each of twenty clients has left, its child is gone, zombie and all",
    hint="A child that has ended stays as a zombie until its parent collects it. The kernel tells "
    "the parent by SIGCHLD; and accept() may have been interrupted by that.",
    try_it="curl -s URL/hello URL/bytes/9; ps -o pid,ppid,stat,args --ppid PID",
)
def test_one_after_the_other(start: Starter) -> None:
    """the children of twenty clients who come one after the other are all collected"""
    server = start(drain_timeout=SOON)
    says = (b"", get("/hello"), get("/bytes/300000"), b"NONSENSE\r\n\r\n", b"GET /he")
    for number in range(20):
        client = server.connect()
        client.get("/hello")  # so that it is not gone before its child is there
        client.send(says[number % 5])
        (client.reset if number % 2 else client.close)()
        left = f"after client {number + 1} has left: "
        collected = happens(lambda: not proc.children(server.pid), 3)
        living = len(server.tree()) - 1
        expect(collected, f"{left}{zombies(server)} zombies, {living} live children")
        expect(server.alive(), f"{left}the server died: {server.end_text()}")
    expect(server.connect().get("/hello").status == 200, "the next client is not served")


@story(
    expected="no zombie, after five children died at the same moment",
    hint="Signals are not counted: five deaths can be one SIGCHLD. waitpid() in a loop, with "
    "WNOHANG, until nobody is left.",
    try_it="for i in 1 2 3 4 5; do python3 -m harness.say PORT & done; kill -STOP PID; "
    "kill -9 $(pgrep -P PID); kill -CONT PID; ps --ppid PID",
)
def test_children_die_together(start: Starter) -> None:
    """five children that die at once are all collected"""
    server = start(drain_timeout=SOON)
    clients = [server.connect() for _ in range(5)]
    for client in clients:
        client.get("/hello")
    if without_children(server):
        return
    children = proc.children(server.pid)
    with frozen(server, [server.pid]):
        kill(children, "all five children")
        expect(happens(lambda: zombies(server) >= len(children)), "they do not die")
    collected = happens(lambda: zombies(server) == 0, 3)
    expect(collected, f"{zombies(server)} zombies stay")
    expect(server.connect().get("/hello").status == 200, "a new client is not served")


@story(
    expected="the other client, and a new one, are served; /stats no longer counts the dead one",
    hint="A child that dies takes its own connection along, and nothing else. It could not write "
    "itself out of the books, so the parent does it for each child that it collects.",
    try_it="python3 -m harness.say PORT & kill -9 $(pgrep -P PID); curl -s URL/stats",
)
def test_a_child_dies(start: Starter) -> None:
    """a killed child hurts only its own client"""
    server = start(drain_timeout=SOON)
    victim, other = server.connect(), server.connect()
    for client in (victim, other):
        client.send(HALF_HEAD)
        consumed(server, client)
    if without_children(server):
        return
    holders = [pid for pid in responsible_for(server, victim) if pid != server.pid]
    kill(holders[:1], "the child of one client")
    other.send(REST_OF_HEAD)
    expect(other.reply().status == 200, "the other client is not served")
    new = server.connect()

    def opened() -> int:
        return int(json.loads(new.get("/stats").body)["open"])

    right = happens(lambda: opened() == 2, 3)
    expect(right, f"two clients are left, and /stats says that {opened()} are open")


@story(
    expected="the end of the connection, as soon as the last reply is out",
    hint="A connection ends when the last process that holds it lets go. Which one still does?",
    try_it="curl -si --http1.0 URL/hello; python3 -m harness.xray PID",
)
def test_clients_see_the_end(start: Starter) -> None:
    """clients see the end of their connection"""
    server = start(drain_timeout=SOON)
    for version in (b"1.0", b"1.1"):
        client = server.connect()
        client.send(b"GET /hello HTTP/" + version + b"\r\nConnection: close\r\n" + HOST + b"\r\n")
        expect(client.reply().status == 200, "not 200")
        client.at_end()
        quiet(server)


@story(
    expected="the parent: the listener and no connection; each child: a connection, no listener",
    hint="After fork() both processes hold everything that was open. Each closes what belongs to "
    "the other one.",
    try_it="for i in 1 2 3; do python3 -m harness.say PORT & done; python3 -m harness.xray PID",
)
def test_each_holds_its_own(start: Starter) -> None:
    """parent and children hold what is theirs, and nothing else"""
    server = start(drain_timeout=SOON)
    clients = [server.connect() for _ in range(CLIENTS)]
    for client in clients:
        client.get("/hello")
    if without_children(server):
        return
    quiet(server)
    connections, listening = set(connection_inodes(server, clients)), listener_inode(server)
    parent, *children = server.tree()
    held = connections & set(proc.socket_inodes(parent))
    expect(not held, f"the parent holds {len(held)} of {CLIENTS} connections")
    for child in children:
        mine = set(proc.socket_inodes(child))
        expect(listening not in mine, f"child {child} holds the listening socket")
        held = connections & mine
        expect(len(held) <= 1, f"child {child} holds {len(held)} connections")


@story(
    expected="a child for each connection, one that talks to this client and to nobody else",
    hint="The parent only accepts and forks; converse() runs in the child. "
    "`python3 -m harness.xray PID` shows what this check sees.",
    try_it="for i in 1 2 3; do python3 -m harness.say PORT & done; python3 -m harness.xray PID",
)
def test_a_process_for_each(start: Starter) -> None:
    """six clients are served by six children"""
    server = start(drain_timeout=SOON)
    quiet(server)
    before = server.tree()
    clients = [server.connect() for _ in range(CLIENTS)]
    for client in clients:
        client.get("/hello")
    quiet(server)
    children = [pid for pid in server.tree()[1:] if pid not in before]
    expect(len(before) == 1, f"{len(before)} processes before the first client came")
    expect(len(children) == CLIENTS, f"{len(children)} new children for {CLIENTS} connections")
    for pid in server.tree():
        expect(len(proc.tasks(pid)) == 1, f"process {pid} has {len(proc.tasks(pid))} threads")
        expect(not proc.epolls(pid), f"process {pid} has an epoll descriptor")
    for inode in connection_inodes(server, clients):
        holders = [pid for pid in children if inode in proc.socket_inodes(pid)]
        expect(holders, "a connection is held by no child")


@story(
    expected="no process is left, and the port can be used again",
    hint="Nobody tells children that their parent was killed. They can ask the kernel to: "
    "prctl(2), PR_SET_PDEATHSIG.",
    try_it="python3 -m harness.say PORT & kill -9 PID; ps -o pid,ppid,args -C 01-fork",
)
def test_the_parent_is_killed(start: Starter) -> None:
    """after kill -9 of the parent no child is left"""
    server = start(idle_timeout=300, header_timeout=300)
    for piece in (HALF_HEAD, get("/hello"), HALF_HEAD):
        client = server.connect()
        client.send(piece)
        consumed(server, client)
    quiet(server)
    kill([server.pid], "the parent")
    server.wait()
    server.leaves_nothing()
    again = start(port=server.port, drain_timeout=SOON)
    expect(again.connect().get("/hello").status == 200, "the port cannot be used again")


@story(
    expected="the third client waits, and is served when the first one leaves",
    hint="At the limit, stop accepting: the kernel keeps the others. When a child ends, go on.",
    try_it="python3 -m harness.say PORT & python3 -m harness.say PORT & curl -m 3 URL/hello",
)
def test_max_connections(start: Starter) -> None:
    """--max-connections 2 lets the third client wait"""
    server = start(max_connections=2, drain_timeout=SOON)
    first, second = server.connect(), server.connect()
    for client in (first, second):
        client.send(HALF_HEAD)
        consumed(server, client)
    third = server.connect()
    third.send(get("/hello"))
    not_spinning(server, "while a client over the limit waits")
    expect(third.silent(), "a client over the limit is not left waiting")
    first.send(REST_OF_HEAD)
    expect(first.reply().status == 200, "a client within the limit is not served")
    first.close()
    expect(third.reply().status == 200, "the waiting client is not served")
    expect(second.silent(), "the second client was let go")


@story(
    expected="503 or an end for that client; the server goes on, and stops when it is asked to",
    hint="fork() returns -1 when the system has no room for one more process. That is one "
    "client's bad luck: it is told so, and nobody is added to the books.",
)
def test_no_further_process(start: Starter) -> None:
    """no process can be made for a client"""
    if not forkless.possible() or start.target.sanitizers:
        pytest.skip("needs the numbers of this machine's calls, and no sanitizer, which forks")
    transcript.note("harness", "lets fork() fail: EAGAIN")
    server = start(wrapper=forkless.wrapper(), drain_timeout=60)
    for _ in range(3):
        expect(turned_away_or_served(server.connect()), "neither 200 nor 503")
        quiet(server)
        expect(server.alive(), f"the server died: {server.end_text()}")
    not_spinning(server, "after it could not fork")
    server.signal(signal.SIGTERM)
    server.wait(4)


def turned_away_or_served(client: Client) -> bool:
    client.send(get("/hello", connection="close"), quietly=True)
    try:
        return client.reply().status in (200, 503)
    except ClosedError:
        return True


@pytest.mark.parametrize("name", ["TERM", "INT"])
@story(
    expected="the idle client sees the end of its connection; exit status 0",
    hint="The signal reaches the parent. Its children have to hear of it from there, and the "
    "parent ends when they have ended.",
    try_it="python3 -m harness.say PORT & kill -TERM PID; wait",
)
def test_stop_with_an_idle_client(start: Starter, name: str) -> None:
    """SIGTERM and SIGINT end a server that has an idle client"""
    server = start(drain_timeout=300, idle_timeout=300)
    client = server.connect()
    client.get("/hello")
    quiet(server)
    server.signal(signal.Signals[f"SIG{name}"])
    expect(client.ends(), "the client is not let go: has its child heard of the signal?")
    expect(server.wait(4) == 0, server.end_text(), expected="exit status 0")
