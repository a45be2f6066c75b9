"""What a student sees, to the letter. `GOLDEN=write` before the command renews the files.

Half of the results are made up, the others are what the checks really say about broken servers;
there, what differs from run to run (ports, times, numbers of processes) is replaced.
"""

from __future__ import annotations

import os
import re
import select
from pathlib import Path

import pytest

from harness.lab import judge, labs, show
from harness.lab.labs import Lab
from harness.lab.result import (
    ERROR, FAILED, NOT_IMPLEMENTED, PASSED, SKIPPED, Result, Verdict,
)  # fmt: skip
from harness.lab.runner import Runner
from harness.tests.broken import program

GOLDEN = Path(__file__).parent / "golden"
READ = {
    "try it": "make try LAB=04 T=4.3     # the same, slowly",
    "read": "labs/04-select/README.md#on_writable; make hint LAB=04",
}
LOG = """\
compile stages/04-select/server.cc
In file included from stages/04-select/server.cc:22:
stages/04-select/server.cc: In member function 'void {anonymous}::Server::ask()':
stages/04-select/server.cc:64:5: error: 'FD_ZER' was not declared in this scope
   64 |     FD_ZER(&readable_);
      |     ^~~~~~
stages/04-select/server.cc:65:5: error: 'FD_ZRO' was not declared in this scope
"""


def verdict(number: int, title: str, status: str = PASSED, **rows: str) -> Verdict:
    told = {label.replace("_", " ").replace("x ray", "x-ray"): text for label, text in rows.items()}
    points = 25 if status == PASSED else 0
    return Verdict(f"4.{number}", title, points, 25, status, 0.4, told)


def result(*verdicts: Verdict, log: str = "") -> Result:
    error = judge.first_error(log) if log else ""
    return Result("04-select", "One thread waits for all", verdicts, 3.14, 1.0, error, log)


ANSWERS = verdict(1, "answers a client")
STALLED = verdict(2, "waits for no single client")
WRITES = "sends what fits, the rest when there is room"
LAST = verdict(4, "is one thread that sleeps in select(2)")
UNJUDGED = verdict(4, LAST.title, SKIPPED, actual="cannot be judged until 4.3 passes")

MADE_UP = {
    "pass": result(ANSWERS, STALLED, verdict(3, WRITES), LAST),
    "fail": result(ANSWERS, STALLED, verdict(
        3, WRITES, FAILED, case="a reply larger than all buffers arrives whole",
        sent='client 1: "GET /bytes/8388608 HTTP/1.1\\r\\nHost: lab\\r\\n\\r\\n"',
        expected="200 and 8,388,608 bytes, in pieces as the client takes them",
        actual="8,388,608 bytes instead of 8,388,608; they part at byte 65,536: "
        '"\\x00\\x01\\x02" instead of "\\x19\\x1a\\x1b"',
        x_ray="1 process, 1 thread (waits in select)",
        hint="send(2) says how many bytes it took. Whom do you tell?", **READ,
    ), LAST),
    "skipped": result(ANSWERS, STALLED, verdict(
        3, WRITES, FAILED, sent="nothing", expected="200", actual="503", **READ), UNJUDGED),
    "not-implemented": result(ANSWERS, STALLED, verdict(
        3, WRITES, NOT_IMPLEMENTED, actual="lab 04: on_writable() is not written yet",
        hint="send(2) may take a part: what does it return?", **READ), UNJUDGED),
    "build-error": result(log=LOG),
    "grader-error": result(ANSWERS, STALLED, verdict(
        3, WRITES, ERROR, actual="the grader stopped: ModuleNotFoundError: pytest_timeout"), LAST),
}  # fmt: skip

LIVE = """
title = "For the harness's own tests"
goal = "to be judged"
technique = "STAGE"
files = []

[[check]]
id = "NUMBER.1"
title = "does what it should"
points = 100
tests = ["TEST"]
technique = true
anchor = "a"
hints = ["a nudge", "why", "where"]
"""
HELLO = "test_endpoints.py::test_hello"


def compare(name: str, text: str) -> None:
    path = GOLDEN / f"{name}.txt"
    if os.environ.get("GOLDEN") == "write":
        path.write_text(text)
    assert text == path.read_text(), f"{name}: GOLDEN=write renews it, git diff shows the change"


@pytest.mark.parametrize("name", MADE_UP)
def test_made_up(name: str) -> None:
    compare(name, show.whole(MADE_UP[name]) + "\n")


@pytest.mark.parametrize(
    "name, stage, fault, test",
    [("live-pass", "02-thread", "none", HELLO), ("live-fail", "02-thread", "wrong-body", HELLO),
     ("live-hang", "02-thread", "never-answers", HELLO), ("live-crash", "02-thread", "dies", HELLO),
     ("live-not-implemented", "02-thread", "not-implemented", HELLO),
     ("live-wrong-technique", "04-select", "none", "test_technique.py::test_model")],
)  # fmt: skip
def test_live(name: str, stage: str, fault: str, test: str, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    program(tmp_path, fault).rename(tmp_path / "bin" / stage)
    lab = _lab(tmp_path, stage, test)
    hurry = 0.3 if fault == "never-answers" else 1.0  # where it is certain that nothing comes
    compare(name, _same(show.screen(_judged(lab, tmp_path / "bin", hurry))) + "\n")


def _lab(directory: Path, stage: str, test: str) -> Lab:
    path = directory / stage / "lab.toml"
    path.parent.mkdir()
    number = str(int(stage[:2]))
    path.write_text(
        LIVE.replace("STAGE", stage).replace("NUMBER", number).replace("TEST", test)
    )
    return labs.load(path)


def _judged(lab: Lab, bin_dir: Path, hurry: float) -> Verdict:
    """By the warm pytest of `make watch`, which can be told to hurry."""
    runner = Runner(lab, bin_dir)
    try:
        runner.ask(hurry=hurry)
        found = []
        while runner.busy:
            assert select.select([runner], [], [], 30)[0], "no verdict comes"
            found += [what for _, what in runner.events() if isinstance(what, Verdict)]
    finally:
        runner.close()
    (only,) = found
    return only


def _same(text: str) -> str:
    """The text of a live run with what every run has of its own replaced."""
    text = re.sub(r"(?<=--root )\S+", "ROOT", text)
    text = re.sub(r"\bclient \d+", "client N", text)
    text = re.sub(r"(127\.0\.0\.1:|port )\d{4,5}", r"\1PORT", text)
    # The kernel may still be at it when the check looks.
    text = text.replace("1 process, 1 thread (running)", "killed by SIGABRT")
    return re.sub(r"\bpid \d+", "pid PID", text)
