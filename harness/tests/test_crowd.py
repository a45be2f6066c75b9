"""The load generator must not lie: every reply is verified, all trouble is counted by its kind."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Unpack

import pytest

from harness.bench.crowd import HELLO, Crowd, CrowdError, Crowds, Mix, Run
from harness.clock import happens
from harness.tests.fake import (
    REPLY,
    SECONDS,
    Answer,
    Fake,
    comes_late,
    resets,
    sends,
    stalls,
    stalls_inside,
    takes_leave,
)

BUSY = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"
KINDS = ("connect", "read", "write", "timeout", "status", "length")
SLOW = b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n"
SLOW_WORK = b"GET /work?us=100 HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture
def kept() -> Iterator[ExitStack]:
    """Closes what a test has started, the last first."""
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def bin_dir(pytestconfig: pytest.Config) -> Path:
    return Path(pytestconfig.getoption("--bin-dir")).absolute()


@pytest.fixture
def program(bin_dir: Path) -> Path:
    return bin_dir / "crowd"


@pytest.fixture
def stage(kept: ExitStack, bin_dir: Path) -> int:
    """The port of a real server."""
    server = subprocess.Popen([bin_dir / "06-epoll-lt", "--port", "0"], stdout=subprocess.PIPE)
    kept.callback(server.wait)
    kept.callback(server.kill)
    assert server.stdout
    kept.callback(server.stdout.close)
    return int(server.stdout.readline().split()[2].rpartition(b":")[2])


@pytest.fixture
def crowd(kept: ExitStack, program: Path) -> Callable[..., Crowd]:
    """Makes clients of the server on a port."""

    def make(port: int, **options: int) -> Crowd:
        cpu = min(os.sched_getaffinity(0))
        return kept.enter_context(Crowd(program, port, cpu=cpu, **options))

    return make


def stats(port: int) -> dict[str, int]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/stats", timeout=10) as reply:
        return json.load(reply)


def errors(run: Run) -> dict[str, int]:
    """Those that there were."""
    assert tuple(run.errors) == KINDS
    return {kind: count for kind, count in run.errors.items() if count}


def load(clients: Crowd, replies: int = 1, **mix: Unpack[Mix]) -> list[Run]:
    """Runs, longer and longer until one has served and counted enough: others, too, may be using
    the machine."""
    runs = []
    for seconds in (SECONDS, 1.0, 10.0):
        runs.append(clients.run(seconds, **mix))
        counted = runs[-1].requests + runs[-1].slow["requests"]
        if counted and runs[-1].served >= replies:
            break
    return runs


def served(runs: list[Run]) -> int:
    return sum(run.served for run in runs)


# --- what is right ------------------------------------------------------------------------------


@pytest.mark.parametrize("spin", [False, True])
def test_counts_what_the_server_counts(
    stage: int, crowd: Callable[..., Crowd], spin: bool
) -> None:
    clients = crowd(stage, spin=spin)
    assert clients.connect(20).connections == 20
    before = stats(stage)
    single, batches = load(clients), load(clients, pipelined=16)
    after = stats(stage)
    assert after["requests"] - before["requests"] == served(single + batches) + 1
    assert after["accepted"] - before["accepted"] == 1, "only that of stats()"
    for run in single[-1], batches[-1]:
        assert not errors(run)
        assert 0 < run.requests <= run.served
        assert run.bytes % run.requests == 0, "all replies are of one length"
        assert run.connections == 20
        assert 0 < run.p50_us <= run.p90_us <= run.p99_us <= run.max_us
        assert 0 < run.client_busy <= 1
    assert served(batches) % 16 == 0


def test_a_new_connection_for_each_request(stage: int, crowd: Callable[..., Crowd]) -> None:
    clients = crowd(stage, sources=3)
    request = b"GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    assert clients.connect(5, request).connections == 5
    before = stats(stage)
    runs = load(clients, close=True)
    assert runs[-1].requests and not any(map(errors, runs))
    assert stats(stage)["accepted"] - before["accepted"] == served(runs) + 1


def test_idle_ones_say_nothing(stage: int, crowd: Callable[..., Crowd], program: Path) -> None:
    clients = crowd(stage)
    assert clients.hold(50).connections == 50
    before = stats(stage)
    assert clients.connect(1).connections == 1
    run = clients.run(SECONDS)
    after = stats(stage)
    assert (run.held, run.connections, after["open"]) == (50, 1, 52)
    assert after["requests"] - before["requests"] == run.served + 2
    assert clients.hold(20).connections == 20
    assert happens(lambda: stats(stage)["open"] == 22)
    with Crowds(program, stage, count=3, cpu=min(os.sched_getaffinity(0)), sources=2) as crowds:
        assert crowds.hold(100).connections == 100
        assert stats(stage)["open"] == 122


def test_every_nth_request_is_slow(crowd: Callable[..., Crowd]) -> None:
    with Fake() as server:
        clients = crowd(server.port)
        clients.connect(3)
        runs = load(clients, slow_every=7, slow_request=SLOW, replies=100)
        assert server.paths[b"/slow"] == served(runs) // 7
        assert server.asked == 3 + served(runs)
        run = runs[-1]
        assert run.bytes == (run.requests + run.slow["requests"]) * len(REPLY)
        run = load(clients, slow_every=1, slow_request=HELLO)[-1]
        assert (run.requests, run.p50_us) == (0, 0), "slow ones are counted apart"
        assert 0 < run.slow["requests"] <= run.served
        assert run.slow["p50_us"] > 0


def test_what_comes_after_the_end_does_not_count(crowd: Callable[..., Crowd]) -> None:
    with Fake({2: comes_late}) as server:
        clients = crowd(server.port, spin=True)
        clients.connect(1)
        run = clients.run(SECONDS)
        assert (run.requests, run.bytes, run.served, errors(run)) == (0, 0, 2, {})
        assert run.max_us > SECONDS * 0.5e6, "it was asked soon after the beginning"
        assert run.client_busy < 0.5, "spinning is no work"


def test_replies_may_come_in_pieces(crowd: Callable[..., Crowd]) -> None:
    pieces = [REPLY[i : i + 1] for i in range(len(REPLY))]
    with Fake({number: sends(*pieces) for number in range(40)}) as server:
        clients = crowd(server.port)
        assert clients.connect(2).connections == 2
        run = clients.run(SECONDS, pipelined=4)
        assert not errors(run)
        assert run.served == server.asked - 2


def test_the_deaf_read_slowly_and_again(crowd: Callable[..., Crowd]) -> None:
    with Fake(usual=REPLY.replace(b"13", b"99999") + bytes(99_986)) as server:
        clients = crowd(server.port)
        assert clients.deaf(1, SLOW, bytes_per_second=10).connections == 1
        clients.connect(2)
        run = clients.run(3 * SECONDS)  # it reads some three times
        assert (run.deaf, run.connections, errors(run)) == (1, 2, {})
        assert server.paths[b"/slow"] == 1
    with Fake() as server:
        clients = crowd(server.port)
        assert clients.deaf(2, SLOW, bytes_per_second=10 * len(REPLY)).connections == 2
        assert happens(lambda: server.asked >= 6)


# --- what is wrong ------------------------------------------------------------------------------

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


# --- steering -----------------------------------------------------------------------------------


def test_live_can_be_changed(stage: int, crowd: Callable[..., Crowd]) -> None:
    clients = crowd(stage)
    clients.live(interval=0.02, connections=3)
    intervals = clients.intervals()
    assert any(run.connections == 3 and run.requests for run in intervals)
    clients.live(interval=0.02, connections=40, idle=7, slow_every=5, slow_request=SLOW_WORK)
    assert any((run.connections, run.held) == (40, 7) and run.slow["requests"] for run in intervals)
    clients.live(interval=0.02, connections=2, idle=0)
    assert any((run.connections, run.held) == (2, 0) for run in intervals)
    clients.stop()
    assert all(not errors(run) for run in intervals)
    assert clients.connect(2).connections == 2
    assert not errors(clients.run(SECONDS))


def test_it_ends_with_its_input(stage: int, program: Path) -> None:
    live = b'{"do":"hold","connections":5}\n{"do":"live","connections":5}\n'
    ended = subprocess.run(
        [program, "--port", str(stage)], input=live, capture_output=True, timeout=20
    )
    assert (ended.returncode, ended.stderr) == (0, b"")
    assert json.loads(ended.stdout.splitlines()[0])["held"] == 5
    assert happens(lambda: stats(stage)["open"] == 1)


def test_usage(program: Path) -> None:
    ended = subprocess.run([program, "--port", "0"], stdin=subprocess.DEVNULL, capture_output=True)
    assert (ended.returncode, ended.stderr[:6]) == (2, b"usage:")
