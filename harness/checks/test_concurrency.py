"""How many clients are inside at once, and who has to wait for whom.

/rendezvous proves it without a clock: it answers 200 only when all its clients are inside together.
"""

from __future__ import annotations

import json

import pytest

from harness import stages
from harness.client import wait_readable
from harness.clock import happens
from harness.findings import difference, expect, story
from harness.fixtures import Starter
from harness.instruments import accepted, at_rest, consumed, frozen, not_spinning, quiet
from harness.message import HOST, get, pattern, request
from harness.server import Server

CONCURRENT = tuple(set(stages.MODELS) - {stages.ITERATIVE})
HALF_HEAD = b"GET /hello HTTP/1.1\r\nHo"
REST_OF_HEAD = b"st: lab\r\n\r\n"
HALF_BODY = b"POST /echo HTTP/1.1\r\n" + HOST + b"Content-Length: 10\r\n\r\n01234"
MUCH = "/bytes/67108864"


@pytest.mark.only(stages.ITERATIVE)
@story(
    expected="the clients do NOT meet: each is alone inside and gets 503 when its time is up",
    hint="This is the lesson of the stage: while one client is served, all others wait in the "
    "backlog. If they meet, then this is no iterative server.",
    try_it="curl -si 'URL/rendezvous?n=2&ms=3000' & curl -si 'URL/rendezvous?n=2&ms=3000'; wait",
)
def test_iterative_clients_do_not_meet(server: Server) -> None:
    """two clients of an iterative server never meet"""
    first, second = server.connect(), server.connect(beside=True)
    for client in (first, second):
        client.send(get("/rendezvous?n=2&ms=300", connection="close"))
    for client in (first, second):
        reply = client.reply()
        expect(reply.status == 503, f"they meet: {reply}")
        client.close()


@pytest.mark.only(*CONCURRENT)
@story(
    expected="200 for all eight: they are inside at the same time",
    hint="Is a lock held while a client is served? Does one client's wait stop the loop, or the "
    "thread that accepts?",
    try_it="for i in 1 2 3 4 5 6 7 8; do curl -s 'URL/rendezvous?n=8&ms=5000' & done; wait",
)
def test_clients_meet(server: Server) -> None:
    """eight clients are inside at the same time"""
    clients = [server.connect() for _ in range(8)]
    for _ in range(2):
        for client in clients:
            client.send(get("/rendezvous?n=8&ms=5000"))
        statuses = [client.reply().status for client in clients]
        expect(statuses == [200] * 8, f"statuses {statuses}")


@story(
    expected="503 once the time is up, and the connection stays usable",
    hint="Nobody else came. An event loop notices by its timer, a thread by a timed wait.",
    try_it="curl -si 'URL/rendezvous?n=2&ms=200'",
)
def test_rendezvous_alone(server: Server) -> None:
    """a rendezvous that nobody else comes to ends with 503"""
    client = server.connect()
    for _ in range(2):
        reply = client.get("/rendezvous?n=2&ms=60")
        expect(reply.status == 503, str(reply))
    expect(client.get("/rendezvous?n=1&ms=60").status == 200, "n=1 needs nobody else")


@pytest.mark.only(*CONCURRENT)
@story(
    expected="the client that came last is served, whatever the others leave undone",
    hint="Where does the server wait for *one* client's bytes? There everybody else waits too.",
    try_it="for i in $(seq 20); do python3 -m harness.say PORT & done; curl -si URL/hello",
)
def test_stalled_clients(server: Server) -> None:
    """clients that stall do not stop the others, and may go on later, in any order"""
    beginnings = (b"", b"G", HALF_HEAD, HALF_BODY)
    stalled = [server.connect() for _ in range(20)]
    for number, client in enumerate(stalled):
        client.send(beginnings[number % 4])
    expect(server.get("/hello").status == 200, "the last one is not served")
    endings = (get("/hello"), get("/hello")[1:], REST_OF_HEAD, b"56789")
    for number, client in reversed(list(enumerate(stalled))):
        client.send(endings[number % 4])
        reply = client.reply()
        expect(reply.status == 200, f"client {number}: {reply}")


@pytest.mark.only(*CONCURRENT)
@story(
    expected="others are served while one client does not read its reply",
    hint="A write that waits for room in the socket's buffer waits for a client. Whoever shares "
    "the thread, or the lock, waits with it.",
    try_it="curl -s --limit-rate 1k URL/bytes/67108864 > /dev/null & curl -si URL/hello",
)
def test_slow_reader(server: Server) -> None:
    """a client that does not read its 64 MiB stops nobody else"""
    slow = server.connect(receive_buffer=4096)
    slow.send(get(MUCH))
    expect(slow.readable(6), "not even the beginning of the reply came")
    quiet(server)
    for _ in range(3):
        expect(server.get("/hello").status == 200, "another client is not served")
    slow.reset()


@pytest.mark.only(*CONCURRENT)
@story(
    expected="others are served while one client sleeps",
    hint="An event loop may not sleep: it notes the time at which the answer is due.",
    try_it="curl -s 'URL/sleep?ms=10000' & curl -si URL/hello",
)
def test_sleeper(start: Starter) -> None:
    """a long /sleep of one client stops nobody else"""
    server = start(drain_timeout=0.2)
    sleeper = server.connect()
    sleeper.send(get("/sleep?ms=60000"))
    consumed(server, sleeper)
    expect(server.get("/hello").status == 200, "another client is not served")
    expect(sleeper.silent(), "the sleeper was answered too early")
    sleeper.reset()


@pytest.mark.only(*CONCURRENT)
@story(
    expected="a delayed answer comes when it is due, though other deadlines come and go",
    hint="Is the wait of the loop as long as the *nearest* deadline? Does a new, later one "
    "overwrite it?",
    try_it="curl -s 'URL/sleep?ms=3000' & curl -s 'URL/sleep?ms=300'; wait",
)
def test_sleepers_wake_in_order(server: Server) -> None:
    """several sleepers wake in the order of their time, not of their coming"""
    times = (160, 40, 120, 80)
    sleepers = {ms: server.connect() for ms in times}
    for ms, client in sleepers.items():
        client.send(get(f"/sleep?ms={ms}"))
    woken = []
    while sleepers:
        ready = wait_readable(list(sleepers.values()), 6)
        expect(ready, f"nobody was answered any more; still asleep: {sorted(sleepers)} ms")
        for ms in [ms for ms, client in sleepers.items() if client in ready]:
            woken.append(ms)
            expect(sleepers.pop(ms).reply().status == 200, "not 200")
    expect(woken[0] != 160, f"woken in the order {woken}")


@pytest.mark.only(*CONCURRENT)
@story(
    expected="each of the clients that come at once gets its own answer",
    hint="What is handed to the new thread or process: a value of its own, or the address of a "
    "variable that the next accept() overwrites?",
)
def test_each_gets_its_own(server: Server) -> None:
    """16 clients who connect at once get their own answers"""
    with frozen(server):
        clients = [server.connect() for _ in range(16)]
        for number, client in enumerate(clients):
            client.send(request("POST", "/echo", b"I am number %d" % number))
    for number, client in enumerate(clients):
        body = client.reply().body
        expect(body == b"I am number %d" % number, f"number {number} got {body!r}")


@pytest.mark.only(*CONCURRENT)
@story(
    expected="the newest client is served, and so are all the earlier ones, again and again",
    hint="Think of the table of clients: its last entry (nfds is the highest descriptor plus "
    "one), and what the kernel overwrites in it at every call.",
)
def test_old_and_new_clients(server: Server) -> None:
    """every client is served: the newest, the oldest, and all in between"""
    clients = []
    for _ in range(40):
        clients.append(server.connect())
        expect(clients[-1].get("/hello").status == 200, "the newest client is not served")
    for _ in range(2):
        for client in clients:
            expect(client.get("/hello").status == 200, "an earlier client is not served")
    at_rest(server, clients)


@pytest.mark.only(*CONCURRENT)
@story(
    expected="whoever leaves takes nobody along, and the place is used again",
    hint="A table that shifts when an entry goes away, an index kept elsewhere, a descriptor "
    "number that the next client gets: after close(), who still knows the old one?",
)
def test_leaving_in_the_middle(server: Server) -> None:
    """clients that leave in the middle take nobody along"""
    clients = [server.connect() for _ in range(12)]
    for client in clients:
        client.get("/hello")
    for round_number in range(3):
        with frozen(server):
            for index in (0, 5, 6, 11):
                (clients[index].reset if index % 2 else clients[index].close)()
            for index in (0, 5, 6, 11):
                clients[index] = server.connect()
            for number, client in enumerate(clients):
                client.send(get(f"/bytes/{number + round_number}"))
        for number, client in enumerate(clients):
            wanted = pattern(number + round_number)
            body = client.reply().body
            expect(body == wanted, difference(body, wanted))
    at_rest(server, clients)


@pytest.mark.only(*CONCURRENT)
@story(
    expected="with 300 idle clients the next one is served",
    hint="Is there a table with a fixed size? What happens to the client for whom there is no "
    "room: exit() is not an answer.",
)
def test_three_hundred_idle_clients(server: Server) -> None:
    """three hundred idle clients, and one more"""
    idle = [server.connect() for _ in range(300)]
    expect(server.get("/hello").status == 200, "the next client is not served")
    for client in idle:
        client.close()


@pytest.mark.only(*(model for model in CONCURRENT if model != stages.POOL))
@story(
    expected="the client over the limit waits, and is served once another one leaves",
    hint="At the limit, stop accepting: the kernel keeps the others in the backlog. When a "
    "client leaves, start again.",
    try_it="python3 -m harness.say PORT & python3 -m harness.say PORT & curl -m 3 URL/hello",
)
def test_max_connections(start: Starter) -> None:
    """--max-connections 2 lets the third client wait"""
    server = start(max_connections=2)
    first, second = server.connect(), server.connect()
    for client in (first, second):
        client.send(HALF_HEAD)
        consumed(server, client)
    third, fourth = server.connect(), server.connect()
    for client in (third, fourth):
        client.send(get("/hello", connection="close"))
    not_spinning(server, "while clients over the limit wait")
    expect(third.silent() and fourth.silent(), "a client over the limit is not left waiting")
    first.send(REST_OF_HEAD)
    expect(first.reply().status == 200, "a client within the limit is not served")
    first.close()
    expect(third.reply().status == 200, "the waiting client is not served")
    third.close()
    expect(fourth.reply().status == 200, "the second waiting client is not served")
    second.close()
    accepted(server, server.connect(), server.connect())
    expect(happens(server.alive), "the server died")


@pytest.mark.only(*CONCURRENT)
@story(
    expected='"open" in /stats is 1 again: the connection that asks',
    hint="Whoever counts a connection when it opens counts it again when it closes, on every way "
    "out: connection_opened() and connections_closed().",
    try_it="curl -s URL/stats; curl -s URL/hello; curl -s URL/stats",
)
def test_books(server: Server) -> None:
    """/stats knows how many connections are open"""

    def opened() -> int:
        return int(json.loads(server.get("/stats").body)["open"])

    inside = [server.connect() for _ in range(5)]
    for client in inside:
        client.get("/hello")
    expect(happens(lambda: opened() == 6), f'5 clients and the one that asks: "open": {opened()}')
    for client in inside:
        client.close()
    expect(happens(lambda: opened() == 1), f'only the one that asks is left: "open": {opened()}')
