"""What the load generator counts is what the server counts, and it does as it is told."""

from __future__ import annotations

import json
import os
import subprocess
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.bench.crowd import HELLO, Crowd, Crowds
from harness.clock import happens
from harness.tests.crowd.runs import SLOW, errors, load, served
from harness.tests.fake import REPLY, SECONDS, Fake, comes_late, sends

SLOW_WORK = b"GET /work?us=100 HTTP/1.1\r\nHost: x\r\n\r\n"


def stats(port: int) -> dict[str, int]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/stats", timeout=10) as reply:
        return json.load(reply)


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
