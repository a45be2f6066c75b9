"""`try`: one check again, slowly: every step of the clients, the bytes both ways, what waits where.

What is shown is a real run, recorded at its own speed; only the showing takes time.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness import processes
from harness.client import CLOSES, CONNECTS, RECEIVES
from harness.findings import report_rows
from harness.lab import leftovers, show, state
from harness.lab.judge import build, first_error
from harness.lab.labs import KIT, Check, Lab
from harness.lab.result import PASSED, Result
from harness.lab.runner import pytest_command

STEP_SECONDS = 0.35  # a step may take so long to be shown, and all of them together:
SHOW_SECONDS = 15.0
LONGEST_SECONDS = 150
_SHOWN_FIRST, _SHOWN_LAST = 60, 30
_SHOWN_LINES = 9
_SHOWN_BYTES = 480

Event = dict[str, Any]


def options(parser: argparse.ArgumentParser) -> None:
    state.lab_option(parser)
    state.check_option(parser)
    parser.add_argument("--fast", action="store_true", help="show all of it at once")


def run(arguments: argparse.Namespace) -> int:
    """Replay the first test of the check that fails, or its first one. Status 0: it was shown."""
    number = arguments.lab or arguments.check.partition(".")[0]
    lab = state.chosen(number)
    failure = state.first_failure(state.last_result(lab))
    wanted = arguments.check or (failure.id if failure else lab.checks[0].id)
    check = lab.check(wanted)
    log = build(lab)
    if log:
        print(show.build_error(Result(lab.name, lab.title, (), 0, 1, first_error(log), log)))
        return 1
    run = recorded(lab, check)
    fast = arguments.fast or not sys.stdout.isatty()
    return show_run(check, run, 0.0 if fast else STEP_SECONDS)


@dataclass
class Recording:
    """One test: its title, what happened in it, and the rows of its report if it failed."""

    test: str
    title: str
    steps: list[Event] = field(default_factory=list)
    rows: dict[str, str] | None = None


@dataclass
class Recordings:
    """What is worth showing of a check, and how many of its tests were run for that."""

    shown: Recording | None
    tests: int
    complaint: str = ""


def recorded(lab: Lab, check: Check, bin_dir: Path = KIT / "build" / "bin") -> Recordings:
    """Run the check's tests, and keep the first one that fails; if none does, the first one."""
    out, pipe = os.pipe()
    command = pytest_command(lab, lab.checks, bin_dir, "harness.lab.replay")
    process = subprocess.Popen(
        [*command, "--lab-only", check.id, "--replay-pipe", str(pipe)],
        cwd=KIT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        pass_fds=[pipe], start_new_session=True, preexec_fn=processes.before_exec, text=True,
    )  # fmt: skip
    os.close(pipe)
    first: Recording | None = None
    current: Recording | None = None
    tests = 0
    signal.signal(signal.SIGALRM, _too_long)
    signal.alarm(LONGEST_SECONDS)
    said = ""
    try:
        for event in _events(out):
            if "test" in event:
                tests += 1
                current = Recording(event["test"], event["title"])
                first = first or current
            elif current and "failed" in event:
                current.rows = event["rows"]
                first = current
            elif current and "what" in event:
                current.steps.append(event)
        said, _ = process.communicate()
    except TimeoutError as error:
        said = str(error)
    finally:
        signal.alarm(0)
        process.kill()
        process.wait()
        leftovers.sweep(process.pid)
    return Recordings(first, tests, said.strip()[-2000:] if first is None else "")


def _too_long(*_: object) -> None:
    raise TimeoutError(f"it takes longer than {LONGEST_SECONDS} s")


def _events(pipe: int) -> Iterator[Event]:
    with os.fdopen(pipe, encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def show_run(check: Check, run: Recordings, pause: float) -> int:
    """Print the recording; `pause` is how long a step may take, in seconds."""
    print(f"{check.id}  {check.title}")
    if run.shown is None:
        print(run.complaint)
        return 2
    print(f"      {run.shown.title}")
    if run.shown.rows is None:
        others = f"; all {run.tests} tests of this check pass, this is the first one"
        print(f"      it passes{others if run.tests > 1 else ''}")
    print(flush=True)
    groups = _grouped(run.shown.steps)
    pause = min(pause, SHOW_SECONDS / max(1, len(groups)))
    for step in groups:
        print("\n".join(lines_of(step)), flush=True)
        time.sleep(pause)
    print()
    if run.shown.rows is None:
        print(f":) {check.id} {PASSED}")
        return 0
    print("\n".join([f":( {check.id}", *report_rows(_rows(run.shown.rows))]))
    return 0


def _rows(rows: dict[str, str]) -> dict[str, str]:
    """What is not to be seen above already."""
    return {k: v for k, v in rows.items() if k not in ("case", "sent", "again")}


def _grouped(steps: list[Event]) -> list[Event]:
    """What many clients do alike, and what arrives in many pieces, becomes one step."""
    groups: list[Event] = []
    for step in steps:
        last = groups[-1] if groups else None
        if last and last["what"] == step["what"] and last["who"] != "x-ray":
            if last["who"] == step["who"] and step["what"] == RECEIVES:
                last["size"] += step["size"]
                last["data"] = (last["data"] + step["data"])[:2000]
                continue
            if last["data"] == step["data"] and last["size"] == step["size"]:
                last["times"] = last.get("times", 1) + 1
                last.setdefault("all", {last["who"]}).add(step["who"])
                continue
        groups.append(dict(step))
    if len(groups) > _SHOWN_FIRST + _SHOWN_LAST:
        left = len(groups) - _SHOWN_FIRST - _SHOWN_LAST
        gap = {"at": groups[_SHOWN_FIRST]["at"], "who": "...", "what": f"({left} more steps)",
               "data": "", "size": 0}  # fmt: skip
        groups = [*groups[:_SHOWN_FIRST], gap, *groups[-_SHOWN_LAST:]]
    return groups


def lines_of(step: Event) -> list[str]:
    """One step for the eye: when, who, the direction, and the bytes line by line."""
    who, times = str(step["who"]).split(":")[0], step.get("times", 1)
    many = len(step.get("all", ()))
    name = f"{many} clients" if many > 1 else who.removeprefix("server ")
    head = f"{step['at']:7.2f} s  {name:<16} "
    again = f"   ({times} times)" if times > 1 and many <= 1 else ""
    if not step["size"]:
        what = str(step["what"])
        if many > 1 and what in (CONNECTS, CLOSES):
            what = what.removesuffix("s")
        return textwrap.wrap(
            what + again, 110, initial_indent=f"{head}   ", subsequent_indent=" " * 33
        )
    arrow = "<- " if step["what"] == RECEIVES else "-> "
    lines = readable(step["data"], step["size"])
    margin = " " * (len(head) + len(arrow))
    return [head + arrow + lines[0] + again, *(margin + line for line in lines[1:])]


def readable(data: str, size: int) -> list[str]:
    """Bytes as lines: CR and LF are shown, and end a line; what is left out is counted."""
    lines: list[str] = []
    for piece in data[:_SHOWN_BYTES].splitlines(keepends=True):
        text = piece.encode("unicode_escape").decode("ascii")
        lines += [text[i : i + 80] for i in range(0, len(text), 80)]
    shown = lines[:_SHOWN_LINES]
    if size > _SHOWN_BYTES or len(lines) > _SHOWN_LINES:
        shown.append(f"... ({size:,} bytes in all)")
    return shown
