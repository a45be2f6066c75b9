"""`make try` shows what really happened, and shows it so that it can be read."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.client import CONNECTS, RECEIVES
from harness.lab import try_
from harness.lab.try_ import Event, Recordings, recorded, show_run
from harness.tests.broken import program
from harness.tests.test_judge import lab


def replayed(place: Path, fault: str, check: str = "2.2") -> Recordings:
    (place / "bin").mkdir()
    program(place, fault).rename(place / "bin" / "02-thread")
    small = lab(place)
    return recorded(small, small.check(check), place / "bin")


def shown(place: Path, run: Recordings, capsys: pytest.CaptureFixture[str]) -> str:
    assert show_run(lab(place).check("2.2"), run, 0) == 0
    return capsys.readouterr().out


def test_a_failure_is_shown_with_the_bytes_both_ways(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = shown(tmp_path, replayed(tmp_path, "wrong-body"), capsys)
    steps, _, verdict = text.partition("\n:( 2.2")
    places = [steps.index(part) for part in (
        "GET /hello\n", "--drain-timeout", "connects", "-> GET /hello HTTP/1.1\\r\\n",
        "Host: lab\\r\\n", "<- HTTP/1.1 200 OK\\r\\n", "hello, world!",
    )]  # fmt: skip
    assert places == sorted(places), text
    for part in ("expected", "they part at byte 0", "hint"):
        assert part in verdict, text
    assert "sent" not in verdict, "that is above already"


def test_silence_is_shown_as_what_everybody_waits_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = shown(tmp_path, replayed(tmp_path, "closes-early"), capsys)
    assert "sees the end" in text
    assert "x-ray" in text


def test_all_tests_pass(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = replayed(tmp_path, "none", "2.1")
    text = shown(tmp_path, run, capsys)
    assert "it passes" in text
    assert "<- HTTP/1.1 200 OK" in text
    assert text.endswith(":) 2.2 passed\n")


def test_what_is_not_written_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = shown(tmp_path, replayed(tmp_path, "not-implemented"), capsys)
    assert "lab 02: start() is not written yet" in text
    assert "a thread for each" in text


def step(who: str, what: str, data: str = "", size: int | None = None) -> Event:
    return {"at": 0.5, "who": who, "what": what, "data": data,
            "size": len(data) if size is None else size}  # fmt: skip


def test_what_is_alike_is_told_once() -> None:
    many = [step(f"client {n}", CONNECTS) for n in range(30)]
    pieces = [step("client 1", RECEIVES, "ab", 65_536) for _ in range(20)]
    first, second = try_._grouped([*many, *pieces])
    assert try_.lines_of(first) == ["   0.50 s  30 clients          connect"]
    assert "<- abab" in try_.lines_of(second)[0]
    assert "... (1,310,720 bytes in all)" in try_.lines_of(second)[-1]


def test_long_runs_keep_their_beginning_and_end() -> None:
    steps = [step("client 1", f"step {n}") for n in range(500)]
    groups = try_._grouped(steps)
    assert len(groups) == 91
    assert groups[0]["what"] == "step 0"
    assert groups[-1]["what"] == "step 499"
    assert "410 more" in groups[60]["what"]


def test_bytes_are_readable() -> None:
    assert try_.readable("GET / HTTP/1.1\r\n\r\n\x00\xff", 20) == [
        "GET / HTTP/1.1\\r\\n", "\\r\\n", "\\x00\\xff",
    ]  # fmt: skip
