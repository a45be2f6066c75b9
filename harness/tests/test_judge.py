"""The judge keeps its own score: a hostile server earns nothing, and cannot hang or end it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from harness.lab import judge, labs, show
from harness.lab.labs import Lab, LabError
from harness.lab.result import (
    FAILED, NOT_IMPLEMENTED, PASSED, SKIPPED, Result, from_json, to_json,
)  # fmt: skip
from harness.tests.broken import program

LAB = """
title = "For the judge's own tests"
goal = "to be judged"
technique = "threads"
files = []

[[check]]
id = "2.1"
title = "says where it listens"
points = 40
tests = ["test_start.py::test_ready_line_tells_the_truth"]
technique = true
anchor = "a"
hints = ["a nudge", "why", "where"]

[[check]]
id = "2.2"
title = "answers"
points = 60
tests = ["test_endpoints.py::test_hello", "test_farewell.py::test_shared_server_ends_well"]
depends = ["2.1"]
anchor = "a"
hints = ["a nudge", "why", "where"]
"""


def lab(directory: Path, text: str = LAB) -> Lab:
    """LAB, or another text in its place."""
    path = directory / "02-thread" / "lab.toml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return labs.load(path)


def judged(directory: Path, fault: str) -> Result:
    """What the judge makes of a server with this fault."""
    (directory / "bin").mkdir()
    program(directory, fault).rename(directory / "bin" / "02-thread")
    return judge.judge(lab(directory), bin_dir=directory / "bin")


@pytest.mark.parametrize(
    "fault, status, words",
    [("talks-without-end", FAILED, "64 MiB"), ("kills-its-parent", FAILED, "send signals"),
     ("runs-away", FAILED, "left processes running"), ("ends-at-once", FAILED, "ended instead"),
     ("not-implemented", NOT_IMPLEMENTED, "lab 02: start")],
)  # fmt: skip
def test_hostile_servers(tmp_path: Path, fault: str, status: str, words: str) -> None:
    result = judged(tmp_path, fault)
    assert result.points < result.max_points
    failure = result.first_failure()
    assert failure is not None and failure.status == status, show.whole(result)
    assert re.search(words, " ".join(" ".join(failure.rows.values()).split())), failure.rows


def test_a_right_answer_earns_its_points(tmp_path: Path) -> None:
    result = judged(tmp_path, "none")
    assert result.verdicts[0].status == PASSED
    assert from_json(to_json(result)) == result


def test_what_cannot_be_judged_is_skipped(tmp_path: Path) -> None:
    result = judged(tmp_path, "says-something-else")
    assert [v.status for v in result.verdicts] == [FAILED, SKIPPED]
    assert "2.1" in result.verdicts[1].rows["actual"]


@pytest.mark.parametrize(
    "right, wrong, words",
    [("points = 40", "points = 39", "sum to 99"),
     ('hints = ["a nudge", "why", "where"]', 'hints = ["one"]', "3 hints"),
     ('["test_start.py::test_ready_line_tells_the_truth"]', "[]", "names no test"),
     ('id = "2.2"', 'id = "3.1"', "should be 2.N"), ('id = "2.2"', 'id = "2.1"', "twice"),
     ('depends = ["2.1"]', 'depends = ["2.9"]', "not an earlier check"),
     ("technique = true", "", "exactly one"), ('anchor = "a"', "", "anchor"),
     ("points = 40", "points = 40.0", "whole"), ("points = 40", "points = ", "lab.toml"),
     ("technique = true", "technique = true\nother = 1", "other")],
)  # fmt: skip
def test_bad_labs_are_refused(tmp_path: Path, right: str, wrong: str, words: str) -> None:
    with pytest.raises(LabError, match=words):
        lab(tmp_path, LAB.replace(right, wrong, 1))
