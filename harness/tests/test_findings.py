"""Broken servers must be found, with the right words, and nothing may hang or stay behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness import clock, proc, processes, stages
from harness.findings import Finding, Transcript, difference
from harness.fixtures import Shared
from harness.instruments import (
    accepted, at_rest, census, consumed, frozen, not_spinning, quiet, returns_to, sleeps,
)  # fmt: skip
from harness.server import Server, Target
from harness.tests.broken import KIT, program

Start = Callable[[str], Server]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Deadlines that are over soon: here it is certain that nothing comes."""
    monkeypatch.setattr(clock, "_factor", 0.12)


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Start]:
    """Starts a broken server; whatever it leaves is swept away."""
    servers: list[Server] = []

    def start(fault: str) -> Server:
        target = Target(stages.find("02"), program(tmp_path, fault))
        servers.append(Server(target))
        return servers[-1]

    yield start
    for server in servers:
        server.close_clients()
        server.sweep()
        assert not server.alive()


def test_a_right_server_is_not_accused(begin: Start) -> None:
    server = begin("none")
    client = server.connect()
    for _ in range(2):
        assert client.get("/hello").body == b"Hello, World!"
    quiet(server)
    before = census(server)
    other = server.connect()
    accepted(server, other)
    with frozen(server):
        other.send(b"GET /hello HTTP/1.1\r\n\r\n")
    consumed(server, other)
    other.reply()
    other.close()
    returns_to(server, before, "after that")
    at_rest(server, [client])
    sleeps(server, "with an idle client")
    server.close_clients()
    server.finish()


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    "fault, words",
    [("never-ready", "no ready line"), ("says-something-else", "not a ready line"),
     ("ends-at-once", "ended instead of getting ready: exit status 1; it said")],
)  # fmt: skip
def test_bad_starts(begin: Start, fault: str, words: str) -> None:
    with pytest.raises(Finding, match=words):
        begin(fault)


@pytest.mark.parametrize(
    "fault, words",
    [("closes-early", "closed, while client .* of body that were announced .5 came"),
     ("bare-lf", "waited .* read all"), ("two-lengths", "not one plain Content-Length"),
     ("never-answers", "waited .* read all that was sent"),
     ("dies", "closed|reset|SIGABRT")],
)  # fmt: skip
def test_bad_replies(
    begin: Start, fault: str, words: str, request: pytest.FixtureRequest
) -> None:
    server = begin(fault)
    request.getfixturevalue("impatient")
    with pytest.raises(Finding, match=words) as caught:
        server.connect().get("/hello")
    assert "GET /hello" in caught.value.sent


def test_bytes_too_many(begin: Start) -> None:
    client = begin("too-much").connect()
    client.get("/hello", connection="close")
    with pytest.raises(Finding, match=r"bytes after the last reply: .\\n"):
        client.at_end()


def test_spinning(begin: Start) -> None:
    server = begin("spins")
    with pytest.raises(Finding, match=r"wants \d+% of a CPU with no client"):
        not_spinning(server, "with no client")


@pytest.mark.parametrize(
    "fault, words",
    [("leaks-descriptors", r"6 clients it holds .*; its connections: CLOSE_WAIT"),
     ("leaves-zombies", "6 zombies")],
)  # fmt: skip
def test_leaks(begin: Start, fault: str, words: str, request: pytest.FixtureRequest) -> None:
    server = begin(fault)
    before = census(server)
    for _ in range(6):
        client = server.connect()
        client.get("/hello")
        client.close()
    request.getfixturevalue("impatient")
    with pytest.raises(Finding, match=words):
        returns_to(server, before, "after 6 clients")


def test_who_has_died_has_no_leak(begin: Start) -> None:
    server = begin("none")
    before = census(server)
    os.kill(server.pid, signal.SIGKILL)
    server.wait()
    with pytest.raises(Finding, match="the server died: killed by SIGKILL"):
        returns_to(server, before, "after that")


@pytest.mark.parametrize(
    "fault, words",
    [("ignores-term", "still runs"), ("ends-with-3", "exit status 3"),
     ("leaves-an-orphan", "left processes running: 1 process")],
)  # fmt: skip
def test_bad_ends(
    begin: Start, fault: str, words: str, request: pytest.FixtureRequest
) -> None:
    server = begin(fault)
    request.getfixturevalue("impatient")
    with pytest.raises(Finding, match=words):
        server.finish()
    assert not processes.strays(server.pid, server._mark, 0), "the sweep has left something"


def test_a_shared_server_that_fails_its_first_request_is_swept(tmp_path: Path) -> None:
    shared = Shared(tmp_path)
    target = Target(stages.find("02"), program(tmp_path, "closes-early"))
    with pytest.raises(Finding) as caught:
        shared.server(target)
    assert "body that were announced" in caught.value.actual
    assert not [pid for pid in proc.children(os.getpid()) if _runs(pid, "closes-early")]


def _runs(pid: int, word: str) -> bool:
    return word in proc.read_text(f"/proc/{pid}/cmdline")


def test_the_report_has_its_five_parts(tmp_path: Path) -> None:
    words = [
        sys.executable, "-m", "pytest", "-q", "harness/checks/test_endpoints.py", "-ktest_hello",
        f"--server={program(tmp_path, 'wrong-body')}", "--technique=02-thread",
    ]  # fmt: skip
    ended = subprocess.run(words, cwd=KIT, capture_output=True, text=True, check=False)
    assert ended.returncode == 1, ended.stdout + ended.stderr
    for part in (":( 02-thread: GET /hello", "sent ", "expected ", "x-ray ", "hint ", "try it "):
        assert part in ended.stdout, ended.stdout
    assert 'they part at byte 0: "hello, world!" instead of "Hello, World!"' in " ".join(
        ended.stdout.split()
    )
    assert "Traceback" not in ended.stdout


def test_difference_is_cut_around_the_first_one() -> None:
    text = difference(b"a" * 5000 + b"x", b"a" * 5000 + b"y")
    assert "part at byte 5,000" in text
    assert len(text) < 200


def test_transcript_counts_what_repeats() -> None:
    told = Transcript()
    for name in ("client 1", "client 2", "client 3"):
        told.note(name, "connects")
    told.note("harness", "waits")
    told.note("harness", "waits")
    assert told.told() == "3 clients: connects\nharness: waits (2 times)"


def test_endless_output_is_cut_off(begin: Start) -> None:
    server = begin("talks-without-end")
    assert server.wait() == -signal.SIGXFSZ
    assert "wrote more than 64 MiB" in server.end_text()


def test_a_process_that_runs_away_is_caught(begin: Start) -> None:
    server = begin("runs-away")
    server.sweep()
    assert not processes.strays(server.pid, server._mark, 0)
