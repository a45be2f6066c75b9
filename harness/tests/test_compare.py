"""What is said of two runs."""

from __future__ import annotations

import dataclasses

import pytest

from harness.bench import compare
from harness.bench.results import Cell, Results
from harness.bench.tables import Table
from harness.tests import made_up

SERVERS = ("02-thread", "06-epoll-lt", "nginx-1")


def run(seed: int = 1) -> Results:
    return made_up.results(SERVERS, ("hello", "ballast1"), seed=seed)


def cell(results: Results, server: str, load: str) -> Cell:
    return next(c for c in results.cells if (c.server, c.load) == (server, load))


def verdicts(table: Table) -> set[tuple[str, str, str]]:
    return {(row[0], row[1], row[-1]) for row in table.rows}


def test_a_second_run_of_the_same_finds_all_figures_again() -> None:
    table = compare.table(run(seed=1), run(seed=2))
    assert table.rows == []  # there are many: only what changed is shown
    found, of = (text.split(" ")[0] for text in (table.notes[-1], table.notes[-1].split("of ")[1]))
    assert found == of
    assert int(found.replace(",", "")) > 150


def test_what_became_dearer_is_named_and_nothing_else() -> None:
    old, new = run(), run()
    changed = cell(new, "06-epoll-lt", "hello-100")
    changed.rounds = [dataclasses.replace(r, cpu_ns=int(r.cpu_ns * 1.5)) for r in changed.rounds]
    table = compare.table(old, new)
    assert verdicts(table) == {("06-epoll-lt, hello-100", "CPU/request", "worse")}
    assert table.rows[0][4] == "+50 %"
    back = compare.table(new, old)
    assert verdicts(back) == {("06-epoll-lt, hello-100", "CPU/request", "better")}


def test_a_slow_minute_of_the_machine_is_no_change_of_a_server() -> None:
    servers = (*SERVERS, "roofline")
    old, new = (made_up.results(servers, ("hello", "ballast1")) for _ in range(2))
    for server in servers:
        made_up.dearer(new, server, 1.3, "hello-5000")
    table = compare.table(old, new)
    assert table.rows == []
    assert any("another pace" in note and "hello-5000 1.30" in note for note in table.notes)
    made_up.dearer(new, "06-epoll-lt", 1.5, "hello-5000")
    changed = verdicts(compare.table(old, new))
    assert ("06-epoll-lt, hello-5000", "CPU/request", "worse") in changed
    assert {where for where, _, _ in changed} == {"06-epoll-lt, hello-5000"}


def test_a_peer_of_another_version_tells_nothing_of_the_machine() -> None:
    old, new = run(), run()
    new.machine["tools"]["nginx"] = "1.99"
    for server in SERVERS:
        made_up.dearer(new, server, 1.5, "hello-5000")
    table = compare.table(old, new)
    assert {row[0] for row in table.rows} == {f"{server}, hello-5000" for server in SERVERS}


def test_of_a_few_figures_all_are_shown() -> None:
    few = made_up.results(("06-epoll-lt",), ("close",))
    table = compare.table(few, few)
    assert len(table.rows) == 10
    assert {row[-1] for row in table.rows} == {"within the noise"}
    assert table.notes == ["10 of 10 figures were found again within their noise"]


def test_requests_per_second_that_the_client_limits_are_not_compared() -> None:
    old, new = run(), run()
    for each in cell(new, "06-epoll-lt", "hello-100").rounds:
        each.client_busy = 0.98
        each.requests //= 3
        each.cpu_ns //= 3
    table = compare.table(old, new)
    assert table.rows == []
    assert any("the client could do no more" in note for note in table.notes)


def test_times_of_another_state_of_the_machine_are_not_compared() -> None:
    old, new = run(), run()
    for each in cell(new, "06-epoll-lt", "hello-100").rounds:
        each.distances_ns = [400.0, 410.0]
        each.requests //= 2
    cell(new, "06-epoll-lt", "hello-100").syscalls = 9.0
    table = compare.table(old, new)
    assert verdicts(table) == {("06-epoll-lt, hello-100", "system calls/request", "worse")}
    assert any(note.startswith("in 1 cell the host had the cpus") for note in table.notes)


def test_a_server_that_fails_now_is_named() -> None:
    old, new = run(), run()
    cell(new, "06-epoll-lt", "hello-100").failed = "it died of SIGSEGV"
    notes = compare.table(old, new).notes
    assert "06-epoll-lt, hello-100: then: measured; now: it died of SIGSEGV" in notes


@pytest.mark.parametrize("figure, change, seen", [
    ("p50_during_us", 1.1, False), ("p50_during_us", 4, True), ("kib_per_connection", 30, True),
])  # fmt: skip
def test_held_connections_are_compared_too(figure: str, change: float, seen: bool) -> None:
    old, new = run(), run()
    held = new.held[0]
    setattr(held, figure, getattr(held, figure) * change)
    assert bool(compare.table(old, new).rows) == seen


def test_another_machine_and_other_rounds_are_said() -> None:
    old, new = run(), run()
    new.machine["kernel"] = "7.0"
    new.settings["rounds"] = 2
    new.machine["load_average"] = 7.25
    notes = compare.table(old, new).notes
    assert "another machine: kernel was 6.1.0, is 7.0" in notes
    assert "rounds: 8 then, 2 now" in notes
    assert any("load average at the start was 0.1 then, 7.2 now" in note for note in notes)
