"""Verdicts on servers whose model is known: honest ones in every style, and decoys.

With C10K_ROUNDS=20 the servers of the proof are judged twenty times each, on two busy cores.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness import processes, stages, strace
from harness.lab.labs import KIT
from harness.server import Server, Target
from harness.stages import LADDER, Stage
from harness.tests.tracing import loops, ring, threads
from harness.tests.tracing import processes as several
from harness.tests.tracing.talk import program
from harness.trace import record
from harness.trace.verdict import Verdict
from harness.trace.witness import TOGETHER, witness

ROUNDS = int(os.environ.get("C10K_ROUNDS", "2"))
MANY_ROUNDS = pytest.mark.timeout(60 + 30 * ROUNDS)
BURN_SECONDS = 1800  # a busy loop ends by itself, whatever happens to us
THREADS, PROCESSES, POOL = "a thread per connection", "a process per connection", "a thread pool"
GROWS = f"{POOL} that grows when it has to"
LOOPS, DISPATCH = "threads with a loop each", "a loop that lets other threads read"
SELECT, POLL = "one loop over select", "one loop over poll"
LEVEL, EDGE = (f"one loop over epoll, {each}-triggered" for each in ("level", "edge"))
PREFORK, PRETHREAD = (f"{each} that accept for themselves" for each in ("processes", "threads"))
PASSES = "a master that passes descriptors to workers ({})"
BY_LEVEL = PASSES.format("epoll, level-triggered")
ITERATIVE, OTHER = "one client at a time", "none of the models known here"
HIDDEN = "hidden by io_uring, cannot be judged"

KIT_SAYS = {
    "00": ITERATIVE, "01": PROCESSES, "02": THREADS, "03": POOL, "04": SELECT, "05": POLL,
    "06": LEVEL, "07": EDGE, "08": BY_LEVEL,
}  # fmt: skip
# What each server is, and the only stage that it could be handed in for ("": none).
ZOO: dict[Callable[[], None], tuple[str, str]] = {
    threads.thread_per_connection: (THREADS, "02"),
    threads.unused_epoll: (THREADS, "02"),
    threads.registered_in_vain: (THREADS, "02"),
    threads.glances_at_epoll: (THREADS, "02"),
    threads.poll_for_a_timeout: (THREADS, "02"),
    threads.reads_with_recvmsg: (THREADS, "02"),
    threads.reads_with_readv: (THREADS, "02"),
    threads.peeks_first: (THREADS, "02"),
    threads.reads_a_copy: (THREADS, "02"),
    threads.pool: (POOL, "03"),
    threads.pool_behind_a_pipe: (POOL, "03"),
    threads.pool_behind_messages: (POOL, "03"),
    threads.pool_that_takes_turns: (POOL, "03"),
    threads.grows_lazily: (GROWS, ""),
    threads.grows_first: (GROWS, ""),
    threads.threads_accept: (PRETHREAD, ""),
    threads.loop_per_thread: (LOOPS, ""),
    threads.loops_over_one_epoll: (LOOPS, ""),
    threads.loop_before_a_pool: (DISPATCH, ""),
    several.process_per_connection: (PROCESSES, "01"),
    several.parent_polls: (PROCESSES, "01"),
    several.forks_twice: (PROCESSES, "01"),
    several.program_per_connection: (PROCESSES, "01"),
    several.workers_accept: (PREFORK, ""),
    several.one_worker_accepts: (PREFORK, ""),
    several.workers_take_turns: (PREFORK, ""),
    several.workers_loop: (PREFORK, ""),
    several.workers_listen: (PREFORK, ""),
    several.master_passes: (BY_LEVEL, "08"),
    several.master_passes_to_edges: (PASSES.format("epoll, edge-triggered"), ""),
    several.master_passes_to_blocking: (PASSES.format("blocking"), ""),
    several.master_passes_to_newborn: (BY_LEVEL, ""),
    several.master_reads: (LEVEL, "06"),
    several.master_reads_first: (OTHER, ""),
    loops.level: (LEVEL, "06"),
    loops.edge: (EDGE, "07"),
    loops.edge_for_the_listener_only: (LEVEL, "06"),
    loops.one_shot: (LEVEL, "06"),
    loops.becomes_edge_at_once: (EDGE, "07"),
    loops.becomes_edge_later: (f"{LEVEL}, then edge-triggered", ""),
    loops.epoll_of_blocking_sockets: (LEVEL, "06"),
    loops.reads_before_it_waits: (LEVEL, "06"),
    loops.over_select: (SELECT, "04"),
    loops.over_poll: (POLL, "05"),
    loops.looks_at_everybody: (OTHER, ""),
    loops.iterative: (ITERATIVE, "00"),
    ring.everything_through_a_ring: (HIDDEN, ""),
    ring.reads_through_a_ring: (HIDDEN, ""),
}
ONE_AT_A_TIME = (several.one_worker_accepts, loops.iterative, ring.reads_through_a_ring)
# Those of the proof, besides the nine stages.
DECOYS = (
    threads.unused_epoll, threads.registered_in_vain, several.workers_accept,
    several.workers_loop, threads.grows_lazily, threads.grows_first,
)  # fmt: skip

pytestmark = pytest.mark.skipif(bool(strace.unavailable()), reason=strace.unavailable())


def judged(target: Target, folder: Path, together: int = TOGETHER) -> list[Verdict]:
    folder.mkdir()
    workers = {stages.POOL: 8, stages.HANDOVER: 3}.get(target.stage.model, 0)
    options = ["--workers", str(workers)] if workers and target.program.parent != folder else []
    server = Server(target, *options, wrapper=record.wrapper(folder))
    try:
        return list(witness(server, folder, together).values())
    finally:
        server.close_clients()
        server.sweep()


def zoo(server: Callable[[], None], place: Path) -> tuple[Target, int]:
    """The server as a target, and how many clients it can have at once."""
    one = server in ONE_AT_A_TIME
    return Target(stages.find("00" if one else "02"), program(place, server)), 1 if one else 6


def said(found: list[Verdict]) -> str:
    """What they say in common: a pool that grows may look like one that was there at first."""
    told = Counter(map(str, found))
    if set(told) == {POOL, GROWS}:
        return GROWS
    return " / ".join(told)


def why(found: list[Verdict]) -> str:
    return "\n".join(f"{each}: {each.evidence()}" for each in found)


@contextlib.contextmanager
def busy_cores() -> Iterator[None]:
    """Two loops that never rest, in a process group of their own each."""
    loop = f"import time\nend = time.time() + {BURN_SECONDS}\nwhile time.time() < end: pass"
    running = [
        subprocess.Popen([sys.executable, "-c", loop], preexec_fn=processes.before_exec,
                         start_new_session=True)
        for _ in range(2)
    ]  # fmt: skip
    try:
        yield
    finally:
        for each in running:
            os.kill(each.pid, signal.SIGKILL)
            each.wait()


@pytest.fixture(scope="module")
def crowd() -> Iterator[None]:
    with busy_cores():
        yield


@pytest.mark.parametrize("server", ZOO, ids=lambda server: server.__name__)
def test_zoo(server: Callable[[], None], tmp_path: Path) -> None:
    target, together = zoo(server, tmp_path)
    found = judged(target, tmp_path / "log", together)
    model, only = ZOO[server]
    assert said(found) == model, why(found)
    fits = [stage.number for stage in LADDER if all(each.fits(stage) for each in found)]
    assert fits == ([only] if only else []), why(found)


@MANY_ROUNDS
@pytest.mark.parametrize("stage", LADDER, ids=lambda stage: stage.name)
def test_kit_on_busy_cores(stage: Stage, tmp_path: Path, crowd: None) -> None:
    program_ = KIT / "build" / "bin" / stage.name
    if not program_.exists():
        pytest.skip("not built")
    tally = Counter()
    for count in range(ROUNDS):
        found = judged(Target(stage, program_), tmp_path / f"log{count}")
        tally[said(found), all(each.fits(stage) for each in found)] += 1
    assert tally == {(KIT_SAYS[stage.number], True): ROUNDS}


@MANY_ROUNDS
@pytest.mark.parametrize("server", DECOYS, ids=lambda server: server.__name__)
def test_decoys_on_busy_cores(
    server: Callable[[], None], tmp_path: Path, crowd: None
) -> None:
    target, together = zoo(server, tmp_path)
    tally = Counter(
        said(judged(target, tmp_path / f"log{count}", together)) for count in range(ROUNDS)
    )
    assert tally == {ZOO[server][0]: ROUNDS}


def test_what_the_check_says(tmp_path: Path) -> None:
    """An epoll that nobody asks does not make a thread per connection a lab 07."""
    server = program(tmp_path, threads.registered_in_vain)
    command = [
        sys.executable, "-m", "pytest", "-q", "harness/checks/test_technique.py", "-k", "agree",
        "--server", str(server), "--technique", "07",
    ]  # fmt: skip
    ended = subprocess.run(command, cwd=KIT, capture_output=True, text=True, check=False)
    told = " ".join(ended.stdout.split())
    assert ended.returncode == 1, told
    for words in (
        "expected accepted and read by one thread, which waits for it in epoll, edge-triggered",
        "which was born after the accept: a thread per connection (18 of 18 connections",
        "hint The descriptor of each client is among those that epoll_wait(2) is asked about",
        "try it make trace STAGE=07 again",
    ):
        assert words in told
