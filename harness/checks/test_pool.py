"""A pool: exactly its workers, a bounded queue, and idle clients that give way."""

from __future__ import annotations

import pytest

from harness import stages, tcp
from harness.checks.test_concurrency import HALF_HEAD, REST_OF_HEAD
from harness.findings import expect, story
from harness.fixtures import Starter
from harness.instruments import consumed, quiet
from harness.message import get


@pytest.mark.only(stages.POOL)
@story(
    expected="as many clients meet as there are workers, and not one more",
    hint="W workers serve W clients at once. Count the threads that serve, and what wakes them.",
    try_it="for i in 1 2 3; do curl -s 'URL/rendezvous?n=3&ms=5000' & done; wait",
)
def test_pool_has_exactly_its_workers(start: Starter) -> None:
    """--workers 3 means that three meet and four do not"""
    server = start(workers=3)
    for number, status in ((3, 200), (4, 503)):
        clients = [server.connect() for _ in range(number)]
        for client in clients:
            client.send(get(f"/rendezvous?n={number}&ms=400", connection="close"))
        statuses = {client.reply().status for client in clients}
        expect(statuses == {status}, f"{number} clients: statuses {statuses}")


@pytest.mark.only(stages.POOL, stages.ITERATIVE)
@story(
    expected="a waiting client is served long before the idle ones' timeout of 60 s",
    hint="A worker that waits for an idle keep-alive client does nothing, while real work waits "
    "in the queue: who should give way?",
)
def test_idle_clients_give_way(start: Starter) -> None:
    """idle keep-alive clients give way to waiting ones"""
    if start.target.stage.model == stages.ITERATIVE:
        server = start(idle_timeout=0.4)  # one at a time: here only the timeout helps
        idle = [server.connect()]
    else:
        server = start(workers=2, idle_timeout=60)
        idle = [server.connect() for _ in range(2)]
    for client in idle:
        client.get("/hello")
    waiting = server.connect(beside=True)
    expect(waiting.get("/hello").status == 200, "the waiting client is not served")


@pytest.mark.only(stages.POOL)
@story(
    expected="workers + queue (+ 1) connections are accepted, the rest waits in the backlog",
    hint="An unbounded queue accepts work that nobody will ever do. Stop accepting when it is "
    "full: the kernel's backlog is the next queue, and clients notice.",
)
def test_queue_is_bounded(start: Starter) -> None:
    """a full queue pushes back to the listen backlog, and loses nobody"""
    server = start(workers=2, queue=3)
    busy = [server.connect() for _ in range(2)]
    for client in busy:
        client.send(HALF_HEAD)
        consumed(server, client)
    waiting = [server.connect() for _ in range(20)]
    for client in waiting:
        client.send(get("/hello", connection="close"))
    quiet(server)
    listener = tcp.listener(server.port)
    left = listener.unread if listener else 0
    expect(left >= 20 - 3 - 1, f"{left} of 20 wait in the backlog, the others were accepted")
    for client in busy:
        client.send(REST_OF_HEAD)
        expect(client.reply().status == 200, "a busy client lost its reply")
        client.close()
    for client in waiting:
        expect(client.reply().status == 200, "a waiting client lost its reply")
        client.at_end()
