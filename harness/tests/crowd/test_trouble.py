"""Every reply is verified, all trouble is counted by its kind, and nobody is hung."""

from __future__ import annotations

import socket
from collections.abc import Callable

import pytest

from harness.bench.crowd import Crowd, CrowdError
from harness.tests.crowd.runs import SLOW, errors, load, served
from harness.tests.fake import (
    REPLY, SECONDS, Answer, Fake, resets, sends, stalls, stalls_inside, takes_leave,
)  # fmt: skip

BUSY = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"

TROUBLE = {
    "another status": (sends(BUSY), "status", "status"),
    "no HTTP": (sends(b"hello?\n"), "status", "status"),
    "too short": (sends(REPLY[:-1], goes_on=False), "length", "length"),
    "without a head": (sends(REPLY[:20], goes_on=False), "length", "length"),
    "too long": (sends(REPLY + b"!"), "length", "length"),
    "closed": (sends(goes_on=False), "read", "closed"),
    "reset": (resets, "read", "ECONNRESET"),
}


@pytest.mark.parametrize("answer, kind, reason", TROUBLE.values(), ids=TROUBLE)
def test_trouble(crowd: Callable[..., Crowd], answer: Answer, kind: str, reason: str) -> None:
    with Fake({1: answer, b"/slow": answer}) as server:
        clients = crowd(server.port)
        opened = clients.connect(3, reply_bytes=len(REPLY))
        assert (opened.connections, opened.failed, opened.reason) == (2, 1, reason)
        # Both connections meet the trouble many times: each time another one takes their place.
        runs = load(clients, slow_every=5, slow_request=SLOW, replies=50)
        assert runs[-1].served >= 50
        assert sum(run.errors[kind] for run in runs) == server.paths[b"/slow"] > 2
        assert all(errors(run).keys() <= {kind} for run in runs)
        reopened = sum(2 - run.connections for run in runs[:-1])
        assert served(runs) == server.paths[b"/hello"] - 3 - reopened, "a wrong reply is none"
        run = clients.run(SECONDS)
        assert (run.connections, errors(run)) == (2, {})


@pytest.mark.parametrize("answer, kind, reason", TROUBLE.values(), ids=TROUBLE)
def test_a_wrong_first_reply_teaches_nothing(
    crowd: Callable[..., Crowd], answer: Answer, kind: str, reason: str
) -> None:
    with Fake({0: answer}) as server:
        clients = crowd(server.port)
        opened = clients.hold(1)
        assert (opened.connections, opened.failed, opened.reason) == (0, 1, reason)
        assert clients.hold(1).connections == 1


def test_a_wrong_reply_in_a_batch(crowd: Callable[..., Crowd]) -> None:
    with Fake({1: sends(REPLY + REPLY + BUSY)}) as server:
        clients = crowd(server.port)
        clients.connect(1)
        assert errors(clients.run(SECONDS, pipelined=16)) == {"status": 1}


def test_an_end_that_comes_with_a_reply(crowd: Callable[..., Crowd]) -> None:
    with Fake({1: takes_leave}) as server:
        clients = crowd(server.port)
        clients.connect(1)
        runs = load(clients, replies=10)
        assert sum(run.errors["read"] for run in runs) == 1
        assert all(errors(run).keys() <= {"read"} for run in runs)


def test_those_without_answer_are_waited_for_and_counted(crowd: Callable[..., Crowd]) -> None:
    with Fake({3: stalls, 4: stalls_inside}) as server:
        clients = crowd(server.port)
        clients.connect(3)
        run = clients.run(SECONDS)
        assert errors(run) == {"timeout": 1, "length": 1}
        assert run.connections == 1
        assert run.max_us >= SECONDS * 1e6, "they have waited that long, at least"
        run = clients.run(SECONDS)
        assert (errors(run), run.connections) == ({}, 3), "they were opened again"


def test_a_silent_server_hangs_nobody(crowd: Callable[..., Crowd]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        opened = crowd(listener.getsockname()[1]).connect(600)
        assert (opened.connections, opened.failed, opened.reason) == (0, 600, "ETIMEDOUT")


def test_nobody_listens(crowd: Callable[..., Crowd]) -> None:
    with Fake() as server:
        clients = crowd(server.port)
        assert clients.connect(4).connections == 4
    run = clients.run(SECONDS)
    assert (run.requests, run.connections, errors(run)) == (0, 0, {"connect": 4})
    opened = clients.hold(3)
    assert (opened.connections, opened.failed, opened.reason) == (0, 3, "ECONNREFUSED")


def test_a_request_that_cannot_be_sent(crowd: Callable[..., Crowd]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        clients = crowd(listener.getsockname()[1])
        clients.live(connections=1, request=b"x" * (6 << 20))
        connection, _ = listener.accept()
    with connection:
        connection.recv(1)
        resets(connection)
    run = next(run for run in clients.intervals() if run.errors["write"])
    assert errors(run).keys() <= {"write", "connect"}, "nobody listens any more"
    assert run.errors["write"] == 1


def test_a_command_it_does_not_know(crowd: Callable[..., Crowd]) -> None:
    with Fake() as server:
        clients = crowd(server.port)
        with pytest.raises(CrowdError, match="connect first"):
            clients.run(SECONDS)
        with pytest.raises(CrowdError, match="seconds is out of range"):
            clients.connect(1)
            clients.run(-1)
        clients.send("dance")
        with pytest.raises(CrowdError, match="unknown command"):
            clients.receive(5)
