"""The student's commands on a small tree of its own: next, hint, predict, reset, report."""

from __future__ import annotations

import hashlib
import io
import os
import time
from pathlib import Path

import pytest

from harness.lab import hint, labs, next_, predict, report, reset, result, state
from harness.lab.labs import Lab
from harness.lab.result import FAILED, NOT_IMPLEMENTED, PASSED, SKIPPED, Result, Verdict

STUB = """\
int half(int n) {
  // TODO(lab 00): divide by two
  lab::not_implemented("lab 00: half()", "shift it");
}
int twice(int n) {
  // TODO(lab 00): multiply
  return n * 2;
}
int third(int n) {
  // TODO(lab 01): of another lab
  lab::not_implemented("lab 01: third()", "no");
}
"""
FILE = "stages/00-iterative/server.cc"


def _toml(number: str, file: str) -> str:
    digest = hashlib.sha256(f"c10k:{int(number)}.a:b".encode()).hexdigest()
    checks = "".join(
        f'[[check]]\nid = "{int(number)}.{n}"\ntitle = "fact {n}"\npoints = 50\n'
        f'tests = ["test_start.py::test_x{n}"]\nanchor = "part-{n}"\n'
        f'technique = {"true" if n == 1 else "false"}\nhints = ["nudge", "reason", "place"]\n'
        for n in (1, 2)
    )
    return (
        f'title = "Lab {number}"\ngoal = "a goal"\ntechnique = "none"\nfiles = ["{file}"]\n'
        f'[[predict]]\nid = "{int(number)}.a"\nquestion = "What comes?"\n'
        f'choices = ["a) this", "b) that"]\nanswer = "{digest}"\nwhy = "It is so."\n{checks}'
    )


@pytest.fixture
def kit(tmp_path: Path) -> Path:
    """A student's tree of two labs, fresh."""
    for number, name in (("00", "00-iterative"), ("01", "01-fork")):
        file = f"stages/{name}/server.cc"
        for top in (tmp_path, tmp_path / ".starter"):
            (top / file).parent.mkdir(parents=True)
            (top / file).write_text(STUB)
        (tmp_path / "labs" / name).mkdir(parents=True)
        (tmp_path / "labs" / name / "lab.toml").write_text(_toml(number, file))
        (tmp_path / "labs" / name / "README.md").write_text(
            "# A lab\n\n## For your report\n\n1. Why?\n\n## Read\n\nman 2 accept\n"
        )
    return tmp_path


@pytest.fixture
def lab(kit: Path) -> Lab:
    return labs.find("00", kit)


def _keep(kit: Path, lab: Lab, *statuses: str, actual: str = "it does not") -> None:
    verdicts = tuple(
        Verdict(c.id, c.title, c.points if status == PASSED else 0, c.points, status, 0.1,
                {} if status == PASSED else {"actual": actual})
        for c, status in zip(lab.checks, statuses, strict=True)
    )  # fmt: skip
    found = Result(lab.name, lab.title, verdicts, 1.0, 1.0)
    result.save(found, state.results_path(lab, kit))


# --- where you are ------------------------------------------------------------------------------


def test_current_is_the_first_lab_that_is_not_full(kit: Path, lab: Lab) -> None:
    assert state.current(kit).number == "00"
    _keep(kit, lab, PASSED, FAILED)
    assert state.current(kit).number == "00"
    _keep(kit, lab, PASSED, PASSED)
    assert state.current(kit).number == "01"
    assert state.chosen("00", kit).number == "00"


def test_a_lab_that_came_solved_is_not_next(kit: Path) -> None:
    (kit / ".starter" / FILE).write_text("int half(int n) { return n / 2; }\n")
    assert state.current(kit).number == "01"


def test_only_holes_with_a_stub_are_open(kit: Path, lab: Lab) -> None:
    (todo,) = next_.open_todos(lab, kit)
    assert (str(todo), todo.title) == (f"{FILE}:2", "divide by two")


def test_next_tells_file_line_and_the_failing_check(kit: Path, lab: Lab) -> None:
    text = "\n".join(next_.told(lab, kit))
    for part in ("0 of 2 labs", "a goal", f"{FILE}:2", "divide by two", "0.1 fact 1", "predict"):
        assert part in text, text
    _keep(kit, lab, PASSED, FAILED)
    text = "\n".join(next_.told(lab, kit))
    assert "0.2 fact 2" in text
    assert "it does not" in text
    assert "when you last looked" not in text
    os.utime(kit / FILE, (time.time() + 9, time.time() + 9))
    assert "when you last looked" in "\n".join(next_.told(lab, kit))


def test_a_part_of_a_result_is_put_into_the_whole(kit: Path, lab: Lab) -> None:
    _keep(kit, lab, PASSED, FAILED)
    old = state.last_result(lab, kit)
    new = Verdict("0.2", "fact 2", 50, 50, PASSED)
    assert state.merged(lab, old, {"0.2": new}, 1.0).full
    assert [v.status for v in state.merged(lab, None, {"0.2": new}, 1.0).verdicts] == [
        SKIPPED, PASSED,
    ]  # fmt: skip


# --- hints --------------------------------------------------------------------------------------


def test_hints_come_one_by_one(kit: Path, lab: Lab) -> None:
    _keep(kit, lab, PASSED, FAILED)
    first, second, third, fourth = (hint.next_hint(lab, kit=kit) for _ in range(4))
    assert "0.2" in first and "1/3  nudge" in first and "reason" not in first
    assert "it does not" in first
    assert "2/3  reason" in second and "place" not in second
    assert "3/3  place" in third and "labs/00-iterative/README.md#part-2" in third
    assert fourth == third
    assert "1/3  nudge" in hint.next_hint(lab, "0.1", kit)


def test_hints_when_there_is_nothing_to_hint_at(kit: Path, lab: Lab) -> None:
    assert "0.1" in hint.next_hint(lab, kit=kit)
    _keep(kit, lab, PASSED, PASSED)
    assert "all its points" in hint.next_hint(lab, kit=kit)


def test_a_hint_names_the_lab_whose_hole_it_is(kit: Path, lab: Lab) -> None:
    _keep(kit, lab, NOT_IMPLEMENTED, SKIPPED, actual="lab 03: queue is not written yet")
    assert "make watch LAB=03" in hint.next_hint(lab, kit=kit)


# --- predictions --------------------------------------------------------------------------------


def test_predictions_are_checked_and_remembered(
    kit: Path, lab: Lab, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("z\na\nB)\n"))
    assert predict.ask_all(lab, kit=kit)
    said = capsys.readouterr().out
    assert "'z' is not one of a, b" in said
    assert "Not this" in said
    assert "Right. It is so." in said
    assert predict.tries_of(lab, kit) == {"0.a": 2}
    assert predict.ask_all(lab, kit=kit)
    assert "You have answered this one. It is so." in capsys.readouterr().out


@pytest.mark.parametrize("typed", ["\n", "", "a\n"])
def test_a_prediction_may_wait(
    typed: str, kit: Path, lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    assert not predict.ask_all(lab, kit=kit)
    assert predict.tries_of(lab, kit) == {"0.a": 0}


# --- reset --------------------------------------------------------------------------------------


def test_reset_keeps_what_was_there(
    kit: Path, lab: Lab, capsys: pytest.CaptureFixture[str]
) -> None:
    assert reset.put_back(lab, kit) == 0
    assert "nothing to put back" in capsys.readouterr().out
    for mine in ("first try\n", "second try\n"):
        (kit / FILE).write_text(mine)
        _keep(kit, lab, PASSED, PASSED)
        assert reset.put_back(lab, kit) == 0
        assert (kit / FILE).read_text() == STUB
        assert state.last_result(lab, kit) is None
        assert "cp -r .backup/00-" in capsys.readouterr().out
    kept = sorted(path.read_text() for path in kit.glob(f".backup/*/{FILE}"))
    assert kept == ["first try\n", "second try\n"]
    (kit / FILE).unlink()
    assert reset.put_back(lab, kit) == 0
    assert (kit / FILE).read_text() == STUB


def test_reset_does_nothing_without_a_starter(
    kit: Path, lab: Lab, capsys: pytest.CaptureFixture[str]
) -> None:
    (kit / ".starter" / FILE).unlink()
    (kit / FILE).write_text("mine\n")
    assert reset.put_back(lab, kit) == 1
    assert (kit / FILE).read_text() == "mine\n"
    assert ".starter/" in capsys.readouterr().err


# --- the report ---------------------------------------------------------------------------------


def test_report_renews_what_is_filled_in_and_nothing_else(kit: Path, lab: Lab) -> None:
    text = report.filled((labs.KIT / report.TEMPLATE).read_text(), lab, "A. Student", kit)
    for part in ("# Lab 00: Lab 00", "| Name | A. Student |", "Not graded yet", "not answered yet",
                 'make bench STAGE="00"', "1. Why?"):  # fmt: skip
        assert part in text, text
    assert "{{" not in text
    assert "man 2 accept" not in text
    mine = text.replace("\n>\n", "\n> my own words\n").replace("# Lab 00: Lab 00", "# My title")
    _keep(kit, lab, PASSED, NOT_IMPLEMENTED)
    renewed = report.filled(mine, lab, "Somebody Else", kit)
    assert renewed.count("> my own words") == text.count("\n>\n")
    assert "# My title" in renewed
    assert "A. Student" in renewed
    assert "| 0.2 | fact 2 (not written yet) | 0/50 |" in renewed
    assert "**50/100**" in renewed
    assert "Not graded yet" not in renewed


def test_report_shows_this_stage_and_the_one_before(kit: Path) -> None:
    (kit / "build" / "bench").mkdir(parents=True)
    (kit / "build" / "bench" / "results.json").write_text(_BENCH)
    table = report.measured(labs.find("01", kit), kit)
    assert "| hello | 00-iterative | 50.0 | 2,000 | 2.00 | - | 0.10 |" in table
    assert "| hello | 01-fork | 100.0 | 1,000 | 2.00 | - | 0.10 |" in table
    assert "02-thread" not in table
    assert "- 01-fork: 44.00 KiB for each of 100 idle clients" in table


def _cell(server: str, requests: int) -> str:
    return (
        '{"server": "%s", "kind": "stage", "load": "hello", "connections": 1, "rounds": [{'
        '"seconds": 1.0, "requests": %d, "cpu_ns": 100000000, "p50_us": 100, "p90_us": 150, '
        '"p99_us": 200, "max_us": 300, "slow": null, '
        '"errors": {"connect": 0, "read": 0, "write": 0, "timeout": 0, "status": 0}, '
        '"client_busy": 0.5}], "syscalls": 2.0, "summary": {}}' % (server, requests)
    )


_BENCH = (
    '{"schema": 2, "machine": {"cpu": "a cpu", "cpus": 2, "kernel": "6.1", "date": "2026-01-01"}, '
    '"settings": {"rounds": 1}, "notes": [], "loads": [], "held": [], "cells": ['
    + ", ".join([_cell("00-iterative", 2000), _cell("01-fork", 1000), _cell("02-thread", 500)])
    + ', {"server": "01-fork", "kind": "stage", "load": "idle", "connections": 0, "idle": 100, '
    '"rounds": [], "pss_kib": 4500, "pss_kib_per_connection": 44.0, "summary": {}}]}'
)
