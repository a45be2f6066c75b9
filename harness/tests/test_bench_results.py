"""What a run found out, in values, in files and in tables."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from harness.bench import tables
from harness.bench.results import (
    ERROR_KINDS, Cell, HeldCell, LoadFacts, OldResultsError, Results, Round, Slow,
)  # fmt: skip

NONE = dict.fromkeys(ERROR_KINDS, 0)
MACHINE = {"date": "2026-01-01T00:00:00", "cpus": 2, "cpu": "a cpu", "kernel": "6.1"}
SETTINGS = {"full": True, "rounds": 2, "server_cpu": 0, "client_cpu": 1, "cpu_source": "a clock"}
HELLO = LoadFacts("hello-100", "hello", 100, "GET /hello", "connections", 100, 0, "crowd")


def a_round(requests: int, cpu_ns: int | None, *, served: int = 0, compared: bool = True) -> Round:
    return Round(2.0, requests, cpu_ns, 10, 20, 30, 40, dict(NONE), 0.5, compared=compared,
                 served=served, distances_ns=[90.0, 91.0])  # fmt: skip


def some() -> Results:
    cells = [
        Cell("06-epoll-lt", "stage", HELLO.name, 100, reply_bytes=155, syscalls=2.3,
             rounds=[a_round(1000, 9_000_000), a_round(1200, 9_600_000, served=1600)]),
        Cell("02-thread", "stage", HELLO.name, 100, failed="it died", rounds=[a_round(1, 1)]),
        Cell("04-select", "stage", HELLO.name, 100, limit="descriptors end"),
        Cell("target", "target", HELLO.name, 100, rounds=[a_round(10, None)]),
    ]  # fmt: skip
    cells[0].rounds[0].slow = Slow(10, 20_000.0)
    held = [HeldCell("08-master-worker", "stage", 8, 99_996, refused=4, kib_per_connection=0.4)]
    return Results(MACHINE, SETTINGS, [HELLO], cells, held, ["a note"])


def test_the_best_round_counts_and_what_came_too_late_was_paid_for() -> None:
    summary = some().cells[0].summary()
    assert summary["per_second"] == 600
    assert summary["per_second_median"] == 550
    assert summary["cpu_us"] == 6.0  # 9,600 us for 1,600 replies, 400 of them outside the time
    assert summary["cpu_us_median"] == 7.5
    assert (summary["p90_us"], summary["max_us"], summary["slow_p50_us"]) == (20, 40, 20_000)


def test_rounds_in_another_state_of_the_machine_do_not_count() -> None:
    cell = Cell("x", "stage", "y", 1)
    cell.rounds = [a_round(1000, 9_000_000), a_round(9000, 9_000_000, compared=False)]
    assert cell.summary()["per_second"] == 500
    cell.rounds[1].errors["read"] = 3
    assert cell.summary()["errors"]["read"] == 3  # but errors are errors


def test_a_server_whose_cpu_time_is_unknown_has_all_other_figures() -> None:
    summary = some().cells[3].summary()
    assert summary["cpu_us"] is None
    assert summary["per_second"] == 5
    assert "cpu_us" not in summary["noise"]


def test_only_failures_of_the_kits_and_of_students_servers_are_faults() -> None:
    results = some()
    results.cells += [Cell("nginx-1", "peer", "x", 1, failed="no"),
                      Cell("yours:02-thread", "yours", "x", 1, failed="wrong")]  # fmt: skip
    assert results.faults() == ["02-thread: it died", "yours:02-thread: wrong"]


def test_files_give_back_what_was_written(tmp_path: Path) -> None:
    some().write(tmp_path)
    assert Results.read(tmp_path / "results.json") == some()
    document = json.loads((tmp_path / "results.json").read_text())
    assert document["schema"] == 2
    assert document["cells"][0]["summary"]["cpu_us"] == 6.0
    with (tmp_path / "results.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["server"] for row in rows] == ["06-epoll-lt", "02-thread", "04-select", "target"]
    assert rows[0]["cpu_us"] == "6.0"
    assert rows[0]["errors_length"] == "0"
    assert rows[2]["limit"] == "descriptors end"


@pytest.mark.parametrize("schema, word", [(1, "earlier"), (3, "later")])
def test_files_of_other_versions_are_refused_with_a_word_on_what_to_do(
    tmp_path: Path, schema: int, word: str
) -> None:
    path = tmp_path / "results.json"
    path.write_text(json.dumps({"schema": schema, "idle": [], "cells": []}))
    with pytest.raises(OldResultsError, match=f"an? {word} version .* measure again"):
        Results.read(path)


def test_idle_memory_is_taken_from_where_next_to_nothing_else_was_there() -> None:
    results = some()
    results.cells += [
        Cell("x", "stage", "ballast50-10000", 50, 10_000, pss_kib_per_connection=0.5),
        Cell("x", "stage", "ballast1-10000", 1, 10_000, pss_kib_per_connection=0.4),
        Cell("x", "stage", "hello-10000", 10_000, 0, pss_kib_per_connection=0.6),
    ]
    found = results.idle_cell("x")
    assert found and found.load == "ballast1-10000"
    assert results.idle_cell("06-epoll-lt") is None


def test_tables_show_limits_and_failures_in_words() -> None:
    text = tables.load_table(some(), HELLO).text()
    assert "hello-100: GET /hello; connections: 100" in text
    assert "04-select: descriptors end" in text
    assert "02-thread: it died" in text
    row = next(line for line in text.splitlines() if line.startswith("target"))
    assert row.split()[3] == "-"  # CPU time
    assert "99,996" in tables.held_table(some()).text()
    assert "4 more were tried in vain" in tables.held_table(some()).text()
