"""What labs 04 and 05 ask for beyond the other checks. Any event loop passes these."""

from __future__ import annotations

import os
import signal

import pytest

from harness import proc, stages, tcp
from harness.checks.test_concurrency import HALF_HEAD, REST_OF_HEAD
from harness.checks.test_lifecycle import ends_well
from harness.checks.test_limits import many_descriptors, served_or_let_go
from harness.clock import happens
from harness.findings import difference, expect, story
from harness.fixtures import Starter
from harness.instruments import accepted, consumed, frozen, not_spinning, sleeps, wanted
from harness.message import get, pattern
from harness.narrow import narrow_connection
from harness.server import Server

LOOPS = (stages.SELECT, stages.POLL)
BEYOND = 20  # clients more than an fd_set has room for


@pytest.mark.only(stages.SELECT)
@story(
    expected="200, or 503 and the end, for each; and whoever was served is served again",
    hint="FD_SET(1024, ...) writes behind the set: memory is destroyed, silently, or the hardened "
    "C library aborts. Compare with FD_SETSIZE before you use a descriptor.",
    try_it='(for i in $(seq 3 1020); do eval "exec $i</dev/null"; done; build/bin/04-select)',
)
def test_more_clients_than_a_set_holds(start: Starter) -> None:
    """clients come whose descriptors do not fit into an fd_set"""
    with many_descriptors(1000) as held:
        free_below = [fd for fd in range(3, 1024) if fd not in held]
        server = start(inherit=held)
    clients = [server.connect() for _ in range(len(free_below) + BEYOND)]
    for client in clients:
        client.send(get("/hello"))
    served = [client for client in clients if served_or_let_go(client)]
    expect(server.alive(), f"the server died: {server.end_text()}")
    expect(served, f"none of {len(clients)} clients was served")
    for client in served:
        expect(client.get("/hello").status == 200, "a client that was in is not served any more")
    for client in clients:
        client.close()
    for _ in range(3):
        expect(server.get("/hello").status == 200, "later clients are not served")


@pytest.mark.only(*LOOPS)
@story(
    expected="it sleeps until the answer is due, and then answers",
    hint="The wait may be as long as the nearest deadline is away. Which unit does it take, and "
    "what belongs into each part of it?",
    try_it="curl -s 'URL/sleep?ms=5000' & top -d 1 -p PID",
)
def test_sleeps_until_an_answer_is_due(start: Starter) -> None:
    """an answer that is still to come costs no CPU"""
    server = start()
    client = server.connect()
    client.send(get("/sleep?ms=400"))
    consumed(server, client)
    turns = wanted(server, 0.2).turns
    expect(turns <= 5, f"its thread ran {turns} times in 0.2 s, with an answer to come")
    expect(client.reply().status == 200, "not 200")


@pytest.mark.only(*LOOPS)
@story(
    expected="nothing runs while nothing happens",
    hint="A loop that asks again and again whether there is something to do burns a core for "
    "nothing. For which event does it wake up, and what does it do about it?",
    try_it="python3 -m harness.say PORT & top -d 1 -p PID",
)
def test_sleeps_with_silent_clients(start: Starter) -> None:
    """no CPU is used for clients who are idle, slow to ask, or do not read"""
    server = start(drain_timeout=0.2)
    idle, slow, deaf = server.connect(), server.connect(), server.connect(receive_buffer=4096)
    idle.get("/hello")
    slow.send(b"GET /hel")
    consumed(server, slow)
    deaf.send(get("/bytes/67108864"))
    expect(deaf.readable(6), "not even the beginning of the reply came")
    sleeps(server, "with an idle client, one in mid-request and one that does not read its reply")
    deaf.reset()
    expect(idle.get("/hello").status == 200, "the idle client is not served any more")


@pytest.mark.only(*LOOPS)
@story(
    expected="while its answer is due it is left alone, and then it gets answer after answer",
    hint="The session wants nothing but time then. Who asks about it all the same is told at once, "
    "and again and again: its bytes are there, and nobody reads them.",
    try_it="curl -s 'URL/sleep?ms=5000' URL/hello & top -d 1 -p PID",
)
def test_next_request_while_an_answer_is_due(start: Starter) -> None:
    """a client sends its next request while the first answer is still to come"""
    server = start()
    client = server.connect()
    client.send(get("/sleep?ms=400"))
    consumed(server, client)
    client.send(get("/hello"))
    not_spinning(server, "while an answer is due and the next request has come")
    for number in range(2):
        reply = client.reply()
        expect(reply.status == 200, f"reply {number}: {reply}")


@pytest.mark.only(*LOOPS)
@story(
    expected="the time at which that client would have been let go passes, and nothing happens",
    hint="Whoever leaves must be forgotten everywhere, in the alarms as well: an alarm that rings "
    "for nobody finds no connection, or the connection of somebody else.",
    try_it="curl -s URL/hello; sleep 2; curl -si URL/hello",
)
def test_nobody_is_left_to_be_rung_for(start: Starter) -> None:
    """a client leaves before its alarm rings"""
    server = start(idle_timeout=0.2)
    clients = [server.connect() for _ in range(3)]
    for client in clients:
        client.get("/hello")
    server.close_clients()
    silent = server.connect()
    silent.at_end()  # its alarm was the last one to ring
    expect(server.alive(), f"the server died: {server.end_text()}")
    expect(server.get("/hello").status == 200, "the next client is not served")


@pytest.mark.only(*LOOPS)
@story(
    expected="all are served, those who came first and those who come in between",
    hint="A set that was right a moment ago: select() has overwritten it with its answer.",
)
def test_clients_take_turns(start: Starter) -> None:
    """two clients ask in turn, and a third one comes in between"""
    server = start()
    first, second = server.connect(), server.connect()
    accepted(server, first, second)
    for turn in range(3):
        for client in (first, second):
            expect(client.get("/hello").status == 200, f"turn {turn}: not 200")
        with frozen(server):
            third = server.connect()
            for client in (second, third, first):
                client.send(get("/hello"))
        for client in (first, second, third):
            expect(client.reply().status == 200, f"turn {turn}: not 200")
        third.close()


@pytest.mark.only(*LOOPS)
@story(
    expected="others are served while it waits, and then every byte arrives, in its place",
    hint="send() takes what fits and says how much that was. Whom do you tell, from where do you "
    "go on, and who waits when nothing fits?",
    try_it="curl -s --limit-rate 9M 'URL/bytes/50001?[1-200]' | wc -c",
)
def test_only_a_part_fits(server: Server) -> None:
    """replies leave in small and odd pieces, because there is little room in the socket"""
    size, number = 150_001, 3
    client = server.connect(receive_buffer=4096)
    client.get("/hello")
    narrow_connection(server, client)
    client.send(get(f"/bytes/{size}") * number)
    expect(client.readable(6), "not even the beginning of the first reply came")
    expect(server.get("/hello").status == 200, "another client is not served")
    for turn in range(number):
        body = client.reply().body
        expect(body == pattern(size), f"reply {turn}: {difference(body, pattern(size))}")


@pytest.mark.only(*LOOPS)
@story(
    expected="O_NONBLOCK on every connection",
    hint="One call that waits for one client, and all the others wait with it. What accept() "
    "returns is a blocking socket, whatever the listener is.",
    try_it="python3 -m harness.say PORT & grep flags /proc/PID/fdinfo/*     # 04000: O_NONBLOCK",
)
def test_connections_do_not_block(start: Starter) -> None:
    """the sockets of clients are non-blocking"""
    server = start()
    clients = [server.connect() for _ in range(3)]
    for client in clients:
        client.get("/hello")
    rows = [tcp.connection(server.port, client.port) for client in clients]
    inodes = {row.inode for row in rows if row}
    for fd in (fd for inode, fd in proc.socket_inodes(server.pid).items() if inode in inodes):
        flags = proc.descriptor_flags(server.pid, fd)
        expect(flags & os.O_NONBLOCK, f"a connection (descriptor {fd}) is a blocking socket")


@pytest.mark.only(*LOOPS)
@story(
    expected="nobody listens, nothing spins, the idle ones leave, the half request gets its reply",
    hint="A drain is a quiet time. For whom does the loop wake up, now that the listener is closed "
    "and the signal has been heard?",
    try_it="(printf 'GET /hel'; sleep 9) | python3 -m harness.say PORT & kill PID; top -d 1 -p PID",
)
def test_drain_is_quiet(start: Starter) -> None:
    """a server that drains waits in peace for a request that is half there"""
    server = start(drain_timeout=120, idle_timeout=600)
    idle = [server.connect() for _ in range(6)]
    for each in idle:
        each.get("/hello")
    client = server.connect()
    client.send(HALF_HEAD)
    consumed(server, client)
    server.signal(signal.SIGTERM)
    expect(happens(lambda: tcp.listener(server.port) is None, 3), "the listener stays open")
    not_spinning(server, "while it drains")
    for each in idle:
        each.at_end()
    client.send(REST_OF_HEAD)
    expect(client.reply().status == 200, "the client inside lost its reply")
    client.at_end()
    ends_well(server)
