"""What lab 05 asks for beyond the other checks. Any event loop passes these, poll or not."""

from __future__ import annotations

import signal

import pytest

from harness import stages
from harness.checks.test_lifecycle import ends_well
from harness.checks.test_limits import many_descriptors
from harness.findings import expect, story
from harness.fixtures import Starter
from harness.instruments import at_rest, consumed, frozen, not_spinning, quiet
from harness.message import get


@pytest.mark.only(stages.POLL)
@story(
    expected="200 for each of them, whatever its descriptor",
    hint="Is there an fd_set, or a table with a fixed size, where none should be?",
    try_it='(for i in $(seq 3 1020); do eval "exec $i</dev/null"; done; build/bin/05-poll)',
)
def test_more_clients_than_a_set_holds(start: Starter) -> None:
    """clients come whose descriptors are above 1,023"""
    with many_descriptors(1100) as held:
        free_below = [fd for fd in range(3, 1100) if fd not in held]
        server = start(inherit=held)
    clients = [server.connect() for _ in range(len(free_below) + 20)]
    for _ in range(2):
        for client in clients:
            client.send(get("/hello"))
        for number, client in enumerate(clients):
            status = client.reply().status
            expect(status == 200, f"client {number} of {len(clients)} got {status}")
    server.signal(signal.SIGTERM)  # with all of them inside
    ends_well(server)


@pytest.mark.only(stages.POLL)
@story(
    expected="the client is let go, or left alone until its answer is due; nothing spins",
    hint="Errors and hang-ups are reported whether you asked for them or not, also for a row whose "
    "events are 0. Whoever ignores them is woken for ever.",
    try_it="curl -m 1 'URL/sleep?ms=20000'; top -d 1 -p $(pgrep -o 05-poll)",
)
def test_reset_while_its_answer_is_due(start: Starter) -> None:
    """a client resets the connection while its answer is still to come"""
    server = start(drain_timeout=0.2)
    client = server.connect()
    client.send(get("/sleep?ms=20000"))
    consumed(server, client)
    quiet(server)
    client.reset()
    not_spinning(server, "while the answer to a client that has hung up is still to come")
    expect(server.get("/hello").status == 200, "the next client is not served")


@pytest.mark.only(stages.POLL)
@pytest.mark.parametrize("leaver", ["first", "middle", "last", "all-but-one"])
@story(
    expected="everybody who stays is served, and only those who left are gone",
    hint="One row goes, and another takes its place: who still knows the old number of that row? "
    "And what if the row that goes is the last one?",
    try_it="curl -s 'URL/sleep?ms=5000' & curl -m 1 'URL/sleep?ms=9000'; curl -si URL/hello",
)
def test_one_row_goes(start: Starter, leaver: str) -> None:
    """clients leave from the top, the middle and the end of the table"""
    server = start()
    clients = [server.connect() for _ in range(5)]
    for client in clients:
        client.get("/hello")
    gone = {"first": [0], "middle": [2], "last": [4], "all-but-one": [0, 1, 2, 4]}[leaver]
    for index in gone:
        clients[index].close()
    at_rest(server, [])
    stayed = [client for index, client in enumerate(clients) if index not in gone]
    for _ in range(2):
        for client in stayed:
            expect(client.get("/hello").status == 200, "a client that stayed is not served")
    stayed.append(server.connect())
    for client in stayed:
        client.send(get("/bytes/300000"))
    for client in reversed(stayed):
        expect(client.reply().status == 200, "not 200")


@pytest.mark.only(stages.POLL)
@story(
    expected="those who stay are served in the same pass in which others leave",
    hint="The table changes while you walk through it. Which rows have had their turn, and which "
    "row is in the place of the one that went?",
)
def test_rows_go_during_a_pass(start: Starter) -> None:
    """half of the clients leave, half of them ask, all in one pass"""
    server = start()
    clients = [server.connect() for _ in range(16)]
    for client in clients:
        client.get("/hello")
    for leaves in (lambda i: i % 2 == 0, lambda i: i < 4, lambda i: i > 0):
        with frozen(server):
            for index, client in enumerate(clients):
                if leaves(index):
                    client.close()
                else:
                    client.send(get("/hello"))
        clients = [client for index, client in enumerate(clients) if not leaves(index)]
        for client in clients:
            expect(client.reply().status == 200, "a client that stayed is not served")
