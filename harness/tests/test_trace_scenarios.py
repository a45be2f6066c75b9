"""Each scenario of `make trace`, recorded once: what it is there to show has to be in the story."""

from __future__ import annotations

import functools
import re
import signal
import stat
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from harness import processes, stages, strace
from harness.client import Client
from harness.findings import Finding
from harness.server import Server, Target
from harness.trace import figures, record, recording, story, takes, telling
from harness.trace.calls import parse
from harness.trace.recording import Recording
from harness.trace.scenarios import HERD, KILL, PIECES, QUEUE, SCENARIOS, SLOW
from harness.trace.story import Lane, Row, Story
from harness.trace.takes import SAMPLES, Take, TakesError
from harness.trace.who import Cast

BIN = Path(__file__).parents[2] / "build" / "bin"
WAYS = ("herd", "exclusive", "accept", "reuseport")
traced = pytest.mark.skipif(bool(strace.unavailable()), reason=strace.unavailable())


def planned(scenario: str, wanted: str = "") -> list[Take]:
    chosen = stages.chosen(wanted, BIN.parents[1])
    missing = [stage.name for stage in chosen if not (BIN / stage.name).exists()]
    if missing and scenario != HERD:
        pytest.skip(f"not built: {' '.join(missing)}")
    return takes.takes(SCENARIOS[scenario], chosen, BIN)


@functools.cache
def recorded(scenario: str, name: str) -> Recording:
    found = next(each for each in planned(scenario, name[:2] if name[0] == "0" else "")
                 if each.name == name)  # fmt: skip
    made = record.record(found)
    assert not processes.group_lives(made.first), "the server or its tracer is still there"
    return made


@functools.cache
def told(scenario: str, name: str) -> Story:
    return telling.tell(recorded(scenario, name))


def rows(of: Story) -> dict[str, Row]:
    return {row.name: row for row in of.rows}


def outcomes(of: Story) -> dict[str, str]:
    return {row.name: row.outcome for row in of.rows}


def lane_of(of: Story, client: str) -> Lane:
    """Who ran for a client, and not merely passed it on."""
    return next(lane for lane in of.lanes
                if any(mark.kind == story.GOT and mark.client == client for mark in lane.marks)
                )  # fmt: skip


# --- which servers ------------------------------------------------------------------------------


def test_takes_have_names_of_their_own() -> None:
    names = [each.file_name for scenario in SCENARIOS for each in planned(scenario)]
    assert len(set(names)) == len(names)
    assert {"06-epoll-lt.json", "slow-06-epoll-lt.json", "herd-prefork-accept.json"} <= set(names)


def test_takes_for_stages_that_have_nothing_to_show() -> None:
    assert [each.name for each in planned(KILL)] == ["01-fork", "08-master-worker"]
    with pytest.raises(TakesError, match="06-epoll-lt: .* is to kill everybody"):
        planned(KILL, "06")
    with pytest.raises(TakesError, match="epoll"):
        planned(PIECES, "02")
    assert [each.name for each in planned(HERD, "02")] == [f"prefork-{way}" for way in WAYS]


def test_mistake_is_only_shown_beside_its_own_source(tmp_path: Path) -> None:
    chosen = [stages.find("07")]
    assert [t.name for t in takes.takes(SCENARIOS[PIECES], chosen, tmp_path)] == ["07-epoll-et"]


# --- what is to be seen -------------------------------------------------------------------------


@traced
def test_slow_request_stops_a_loop_but_no_thread() -> None:
    loop, threads = rows(told(SLOW, "06-epoll-lt")), rows(told(SLOW, "02-thread"))
    assert all(loop[name].served[0][0] > loop["A"].served[0][1] - 0.001 for name in "BCDEF")
    assert all(threads[name].served[-1][1] < threads["A"].served[-1][1] for name in "BCD")


@traced
def test_slow_request_stops_one_of_two_workers() -> None:
    of = told(SLOW, "08-master-worker")
    assert rows(of)["B"].served[-1][1] < rows(of)["A"].served[-1][1]
    assert lane_of(of, "A") is not lane_of(of, "B")


def reads_of_a(name: str) -> figures.Reading:
    made = recorded(PIECES, name)
    logs = {task: parse(task, lines) for task, lines in made.tasks.items()}
    return figures.reading(made, Cast(logs, made.first), "A")


@traced
def test_levels_tell_again() -> None:
    found = reads_of_a("06-epoll-lt")
    assert (found.bytes, found.calls, found.wakeups) == (60 * 1024, 6, 6)
    kinds = [mark.kind for mark in told(PIECES, "06-epoll-lt").lanes[0].marks
             if mark.kind == story.WAKE or (mark.kind == story.GOT and mark.client == "A")
             ]  # fmt: skip
    third = [at for at, kind in enumerate(kinds) if kind == story.GOT][2]
    assert kinds[third - 5 : third] == [story.WAKE, story.GOT] * 2 + [story.WAKE]


@traced
def test_an_edge_tells_once() -> None:
    found = reads_of_a("07-epoll-et")
    assert (found.bytes, found.calls, found.wakeups) == (60 * 1024, 6, 3)
    assert outcomes(told(PIECES, "07-epoll-et")) == dict.fromkeys("ZABC", "200")


@traced
def test_what_is_left_at_an_edge_stays_there() -> None:
    if "07-reads-once-an-edge" not in [each.name for each in planned(PIECES, "07")]:
        pytest.skip("no seeded mistakes in this tree")
    found, of = reads_of_a("07-reads-once-an-edge"), told(PIECES, "07-reads-once-an-edge")
    assert (found.calls, found.wakeups, found.unread) == (3, 3, 12 * 1024)
    assert outcomes(of) == {"Z": "200", "A": "gave up", "B": "200", "C": "200"}
    assert of.note == "12,288 bytes of A lie unread, and the server sleeps in epoll_wait"
    assert of.detail


@traced
def test_killed_child_takes_its_client_along() -> None:
    of = told(KILL, "01-fork")
    assert outcomes(of) == {"A": "closed"} | dict.fromkeys("BCDEF", "200")
    assert "SIGKILL" in lane_of(of, "A").last_words
    assert of.moment and abs(lane_of(of, "A").end - of.moment) < 0.02
    assert "1 of 6" in of.figures


@traced
def test_killed_worker_is_replaced() -> None:
    of = told(KILL, "08-master-worker")
    assert outcomes(of) == {"A": "closed", "C": "closed"} | dict.fromkeys("BDEF", "200")
    assert lane_of(of, "C") is lane_of(of, "A") is not lane_of(of, "B")
    assert of.moment and lane_of(of, "F").start > of.moment


@traced
@pytest.mark.parametrize("way", WAYS)
def test_whom_a_connection_wakes(way: str) -> None:
    for _ in range(4):  # of a herd that has to wait for a CPU, some come too late even to wake up
        made, of = recorded(HERD, f"prefork-{way}"), told(HERD, f"prefork-{way}")
        logs = {task: parse(task, lines) for task, lines in made.tasks.items()}
        found = figures.wakeups(Cast(logs, made.first), made.span)
        if way != "herd" or found.each > 1.5:
            break
        recorded.cache_clear()
        told.cache_clear()
    assert found.connections == 4
    assert outcomes(of) == dict.fromkeys("ABCD", "200")
    assert [lane.label for lane in of.lanes] == [f"worker {n}" for n in range(1, 5)]
    assert found.each > 1.5 if way == "herd" else found.each < 1.5
    assert str(found) == of.figures


# --- what is kept -------------------------------------------------------------------------------


@traced
def test_recording_has_no_paths_of_this_machine() -> None:
    for made in (recorded(HERD, "prefork-herd"), recorded(KILL, "08-master-worker")):
        lines = "\n".join(line for task in made.tasks.values() for line in task)
        assert not re.search(r"(?<![\w.:/])/(?!dev/|proc/|1\.|hello|work\?|echo)\w+", lines)
        assert "--- SIG" not in lines


def test_kept_lines() -> None:
    lines = [
        '1.000000 openat(AT_FDCWD</home/me>, "/home/me/x") = 3 <0.000001>',
        "1.100000 clone(child_stack=NULL, flags=SIGCHLD) = 7 <0.000100>",
        "1.200000 accept4(3<TCP:[127.0.0.1:1]>, NULL, NULL, 0) = 5 <0.900000>",
        "1.300000 close(9</home/me/x y>) = 0 <0.000001>",
        '2.100000 write(1</tmp/#12>(deleted), "a", 1) = 1 <0.000001>',
        '2.200000 unlink("/home/me/x y") = 0 <0.000001>',
        "2.300000 --- SIGCHLD {si_signo=SIGCHLD} ---",
        "2.400000 close(9</home/me/x y>) = 0 <0.000001>",
        "2.500000 close(9</dev/null>) = 0 <0.000001>",
        "2.600000 epoll_wait(4<anon_inode:[eventpoll]>,  <unfinished ...>",
    ]
    assert recording.kept(lines, 2.0, 3.0) == [
        "-1.900000 clone(child_stack=NULL, flags=SIGCHLD) = 7 <0.000100>",
        "-1.800000 accept4(3<TCP:[127.0.0.1:1]>, NULL, NULL, 0) = 5 <0.900000>",
        '-0.900000 write(1<file>, "a", 1) = 1 <0.000001>',
        '-0.800000 unlink("x y") = 0 <0.000001>',
        "-0.600000 close(9<x y>) = 0 <0.000001>",
        "-0.500000 close(9</dev/null>) = 0 <0.000001>",
        "-0.400000 epoll_wait(4<anon_inode:[eventpoll]>,  <unfinished ...>",
    ]


def test_recording_survives_its_file(tmp_path: Path) -> None:
    made = Recording("a", "b", [], {1: ["x"]}, 1, 0.5, note="n", caption="c", detail=True)
    made.save(tmp_path / "x.json")
    assert recording.load(tmp_path / "x.json") == made


# --- servers that do not do as they should ------------------------------------------------------

BAD = """#!/usr/bin/python3
import os, signal, socket, sys, time
listener = socket.create_server(("127.0.0.1", 0))
port = listener.getsockname()[1]
print(f"listening on http://127.0.0.1:{{port}} stage=06-epoll-lt pid={{os.getpid()}}", flush=True)
{rest}
"""
DEAF = "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nwhile True: time.sleep(1)"
CRASHES = "listener.accept(); os.abort()"


def of_bad(folder: Path, rest: str, scenario: str, patience: float = 100) -> Recording:
    program = folder / "server"
    program.write_text(BAD.format(rest=rest))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    usual = SCENARIOS[scenario]
    hasty = tuple(replace(script, patience=patience) for script in usual.scripts)
    target = Target(stages.find("06"), program)
    made = record.record(Take("bad", target, replace(usual, scripts=hasty), (), ""))
    assert not processes.group_lives(made.first)
    return made


@traced
def test_server_that_neither_serves_nor_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record, "END_SECONDS", 0.1)
    made = of_bad(tmp_path, DEAF, QUEUE)
    assert {each.outcome for each in made.visitors} == {"gave up"}
    assert "of A B C D E F lie unread, and the server sleeps in" in made.note
    assert made.note.endswith("it does not end after SIGTERM")
    assert {row.verdict.model for row in telling.tell(made).rows} == {"unseen"}


@traced
def test_server_that_crashes(tmp_path: Path) -> None:
    made = of_bad(tmp_path, CRASHES, QUEUE)
    assert {each.outcome for each in made.visitors} <= {"closed", "reset", "refused"}
    assert "the server has ended: killed by SIGABRT" in made.note
    assert telling.tell(made).lanes[0].last_words.startswith("killed by SIGABRT")


@traced
def test_nobody_to_kill_but_the_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.trace.barriers.SECONDS", 0.1)
    made = of_bad(tmp_path, "c = listener.accept()\nwhile True: time.sleep(1)", KILL, 50)
    assert (made.moment, made.note[:26]) == (None, "nobody but the first proce")


@traced
def test_server_that_does_not_start(tmp_path: Path) -> None:
    target = Target(stages.find("06"), tmp_path / "x")
    with pytest.raises(Finding, match="there is no program"):
        record.record(Take("x", target, SCENARIOS[QUEUE], (), ""))


# --- the sample ---------------------------------------------------------------------------------


@pytest.fixture(params=WAYS)
def sample(request: pytest.FixtureRequest) -> Iterator[Server]:
    take = next(each for each in planned(HERD) if each.name == f"prefork-{request.param}")
    server = Server(take.target, *take.options)
    try:
        yield server
    finally:
        server.sweep()


def test_sample_keeps_the_contract(sample: Server) -> None:
    assert (sample.named_stage, sample.named_pid) == (sample.stage.name, sample.pid)
    reply = sample.get("/hello")
    assert (reply.status, reply.body) == (200, b"Hello, World!")
    assert sample.get("/work?us=1000").status == 200
    assert sample.get("/nothing").status == 404
    Client(sample).close()  # one that says nothing is nobody's end
    assert sample.get("/hello").status == 200
    sample.finish()


def test_sample_leaves_no_workers_behind(sample: Server) -> None:
    assert len(sample.tree()) == 5
    sample.signal(signal.SIGKILL)
    assert sample.wait() == -signal.SIGKILL
    sample.leaves_nothing()


def test_sample_says_what_it_can() -> None:
    told = subprocess.run([SAMPLES / "prefork.py", "--help"], capture_output=True, text=True)
    assert all(way in told.stdout for way in WAYS)
