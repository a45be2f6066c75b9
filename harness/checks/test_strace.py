"""Rare errors, made certain: strace lets chosen system calls fail."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness import stages, strace
from harness.client import Client, ClosedError
from harness.clock import happens
from harness.findings import expect, story, transcript
from harness.fixtures import Starter
from harness.instruments import frozen, not_spinning
from harness.message import get, request
from harness.server import Server

pytestmark = pytest.mark.strace
ACCEPT = ("accept", "accept4")
FORK = ("fork", "vfork", "clone", "clone3")
WAIT = ("epoll_wait", "epoll_pwait", "poll", "ppoll", "select", "pselect6")
MISTAKES = {"EBADF", "EEXIST", "ENOTSOCK", "EFAULT", "EINVAL", "EDESTADDRREQ"}


def skip_where_untraceable(start: Starter) -> None:
    """Skip, with the reason, where strace cannot watch this server."""
    if start.target.sanitizers:
        pytest.skip("sanitizers and strace get into each other's way (LeakSanitizer traces)")
    if reason := strace.unavailable():
        pytest.skip(reason)


def traced(
    start: Starter, log: Path, *calls: str, inject: str = "", **options: str | int
) -> Server:
    """A server under strace. Skips, with the reason, where that does not work."""
    skip_where_untraceable(start)
    what = f"lets {', '.join(calls)} fail: {inject}" if inject else "watches"
    transcript.note("strace", what)
    return start(wrapper=strace.wrapper(log, *calls, inject=inject), **options)


def served(client: Client) -> bool:
    """Whether the client got a reply (200 or 503); False if its connection was ended."""
    try:
        reply = client.ask("GET", "/hello")
    except ClosedError:
        return False
    expect(reply.status in (200, 503), str(reply))
    return reply.status == 200


@pytest.mark.parametrize("error", ["ECONNABORTED", "EINTR", "EMFILE", "ENOBUFS", "EPROTO"])
@story(
    expected="the server survives, and accepts when it works again",
    hint="accept(2), ERRORS: some are about the connection that is gone (go on), some about the "
    "system (wait a little), and only few about your program.",
    try_it="strace -f -e trace=accept4 -e inject=accept4:error=ECONNABORTED:when=1 "
    "build/bin/NN-name",
)
def test_accept_fails(start: Starter, tmp_path: Path, error: str) -> None:
    """accept() fails a few times"""
    log = tmp_path / "log"
    server = traced(start, log, *ACCEPT, inject=f"error={error}:when=1..3")
    for _ in range(4):
        client = server.connect()
        served(client)
        client.close()
    expect(server.alive(), f"the server died: {server.end_text()}")
    expect(server.get("/hello").status == 200, "the last client is not served")
    expect(strace.read(log).injected == 3, "strace has injected nothing")


@pytest.mark.only(stages.FORK, stages.THREAD)
@story(
    expected="503 or an end for that client; the server serves the next one",
    hint="fork() returns -1, std::thread throws, at the limit of processes. That is one client's "
    "bad luck. (And never kill(-1, ...) with such a pid.)",
    try_it="strace -f -e trace=clone,clone3 -e inject=clone,clone3:error=EAGAIN:when=1..2 ...",
)
def test_no_new_process_or_thread(start: Starter, tmp_path: Path) -> None:
    """no process or thread can be made for a client"""
    log = tmp_path / "log"
    server = traced(start, log, *FORK, inject="error=EAGAIN:when=1..2")
    results = []
    for _ in range(4):
        client = server.connect()
        results.append(served(client))
        client.close()
    expect(server.alive(), f"the server died: {server.end_text()}")
    expect(results == [False, False, True, True], f"served: {results}")


@pytest.mark.only(*stages.EVENTED)
@story(
    expected="the wait is done again",
    hint="EINTR from the wait means that a signal came: look at the flags, and wait again. The "
    "sets that select() returns then are garbage, and -1 is not a number of events.",
    try_it="strace -f -e trace=epoll_wait -e inject=epoll_wait:error=EINTR:when=2+3 build/bin/...",
)
def test_wait_is_interrupted(start: Starter, tmp_path: Path) -> None:
    """the waiting call is interrupted again and again"""
    log = tmp_path / "log"
    server = traced(start, log, *WAIT, inject="error=EINTR:when=2+3")
    client = server.connect()
    for _ in range(12):
        expect(client.get("/hello").status == 200, "not 200")
    expect(server.get("/sleep?ms=30").status == 200, "not 200")
    expect(strace.read(log).injected > 3, "strace has injected nothing")


@pytest.mark.only(*stages.BLOCKING)
@story(
    expected="reading is done again",
    hint="A signal interrupts recv(): EINTR is neither an end nor an error of the connection.",
)
def test_receive_is_interrupted(start: Starter, tmp_path: Path) -> None:
    """recv() is interrupted again and again"""
    log = tmp_path / "log"
    calls = ("recvfrom", "recvmsg", "sendto", "sendmsg")
    server = traced(start, log, *calls, inject="error=EINTR:when=2+3")
    client = server.connect()
    for _ in range(12):
        expect(client.get("/hello").status == 200, "not 200")


@pytest.mark.only(stages.EPOLL, stages.HANDOVER)
@story(
    expected="that client is refused; the server serves the next one",
    hint="epoll_ctl can fail (ENOSPC: too many watches, ENOMEM). A connection that is not "
    "watched must be closed, else it hangs for ever.",
    try_it="strace -e trace=epoll_ctl -e inject=epoll_ctl:error=ENOSPC:when=3 build/bin/NN-name",
)
def test_registration_fails(start: Starter, tmp_path: Path) -> None:
    """a connection cannot be registered"""
    log = tmp_path / "log"
    probe = traced(start, log, "epoll_ctl")
    probe.get("/hello")
    probe.finish()
    # The last registrations of the probe were those of its only connection.
    last_add = _adds(log)
    server = traced(start, log, "epoll_ctl", inject=f"error=ENOSPC:when={last_add}")
    victim = server.connect()
    victim.send(get("/hello"))
    try:
        expect(victim.reply().status in (200, 503), "neither 200 nor 503")
    except ClosedError:
        transcript.note("harness", "the client was refused: fine")
    expect(server.alive(), f"the server died: {server.end_text()}")
    expect(server.get("/hello").status == 200, "the next client is not served")


def _adds(log: Path) -> int:
    """Which call of its process (counted from 1) registered the probe's connection."""
    seen: dict[str, int] = {}
    last = 0
    for line in log.read_text().splitlines():
        pid = line.split()[0]
        seen[pid] = seen.get(pid, 0) + 1
        if "EPOLL_CTL_ADD" in line:
            last = seen[pid]
    return last or 65535  # it registers nobody: then no call of it fails


@pytest.mark.only(stages.THREAD)
@story(
    expected="each client gets its own answer, though threads start late",
    hint="Between the creation of a thread and its first line the loop may accept the next "
    "client. What was handed over must not be a reference to the loop's variable.",
)
def test_threads_that_start_late(start: Starter, tmp_path: Path) -> None:
    """threads that start late serve the right client"""
    log = tmp_path / "log"
    server = traced(start, log, "rseq", inject="delay_enter=100000")
    with frozen(server):
        clients = [server.connect() for _ in range(8)]
        for number, client in enumerate(clients):
            client.send(request("POST", "/echo", b"%d" % number))
    for number, client in enumerate(clients):
        body = client.reply().body
        expect(body == b"%d" % number, f"client {number} got {body!r}")


@story(
    expected="no call fails with EBADF, EEXIST, EINVAL and the like",
    hint="Such an error means that the program's idea of a descriptor is wrong: closed twice, "
    "registered twice, used after close. Today harmless, tomorrow somebody else's connection.",
    try_it="strace -f -Z -e trace=%network,close,epoll_ctl build/bin/NN-name",
)
def test_census_of_failed_calls(start: Starter, tmp_path: Path) -> None:
    """no system call fails by the program's mistake"""
    log = tmp_path / "log"
    calls = ("close", "epoll_ctl", "recvfrom", "sendto", "recvmsg", "sendmsg", "shutdown", *WAIT)
    server = traced(start, log, *calls, *ACCEPT)
    for number in range(20):
        client = server.connect()
        client.get("/hello")
        client.send((get("/bytes/3000"), b"BAD\r\n\r\n", b"GET /he", b"")[number % 4])
        (client.reset if number % 3 else client.close)()
    server.get("/hello")
    server.finish()
    expect(happens(lambda: log.stat().st_size > 0), "strace has written nothing")
    wrong = {
        f"{call}: {error}": count
        for (call, error), count in strace.read(log).failures.items()
        if (error in MISTAKES or (call, error) == ("epoll_ctl", "ENOENT"))
        and not (call in ACCEPT and error == "EINVAL")  # shutdown() of a listener wakes accept()
    }
    expect(not wrong, f"{wrong}")


@pytest.mark.only(stages.EPOLL)
@story(
    expected="epoll_ctl when a connection comes, not for each request",
    hint="Interest that has not changed need not be told again. A system call per request is "
    "what this model is supposed to save.",
    try_it="strace -c -f build/bin/06-epoll-lt     # and wrk in a second terminal",
)
def test_registration_is_rare(start: Starter, tmp_path: Path) -> None:
    """a hundred keep-alive requests need no epoll_ctl"""
    log = tmp_path / "log"
    server = traced(start, log, "epoll_ctl", "epoll_wait", "epoll_pwait")
    client = server.connect()
    client.get("/hello")
    before = strace.read(log).calls["epoll_ctl"]
    for _ in range(100):
        client.get("/hello")
    not_spinning(server, "after a hundred requests")
    more = strace.read(log).calls["epoll_ctl"] - before
    expect(more == 0, f"{more} epoll_ctl for 100 requests")
