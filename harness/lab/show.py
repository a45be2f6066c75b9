"""What a terminal shows of a grading. Plain text; colour is added only for a terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from harness.findings import report_rows
from harness.lab.labs import Lab
from harness.lab.result import (
    ERROR, FAILED, NOT_IMPLEMENTED, PASSED, SKIPPED, Result, Verdict,
)  # fmt: skip

_FACES = {PASSED: ":)", FAILED: ":(", NOT_IMPLEMENTED: ":(", ERROR: ":!", SKIPPED: ":|"}
_COLOURS = {":)": "32", ":(": "31", ":!": "35", ":|": "33"}
_TITLE_WIDTH = 62
_BAR_WIDTH = 24


def line(verdict: Verdict) -> str:
    """One check on one line: `:) 4.3  a slow reader stops nobody        10/10`."""
    title = verdict.title
    if verdict.status == NOT_IMPLEMENTED:
        title += " (not written yet)"
    points = f"{verdict.points:>3}/{verdict.max_points}" if verdict.max_points else "-"
    return f"{_face(verdict.status)} {verdict.id:<5}{title:<{_TITLE_WIDTH}}{points:>7}"


def screen(verdict: Verdict) -> str:
    """A check that did not pass, in full."""
    rows = dict(verdict.rows)
    if verdict.status == SKIPPED:
        return f"{line(verdict)}\n      {rows.get('actual', '')}"
    if verdict.status == ERROR:
        rows = {
            "actual": rows.get("actual", ""),
            "hint": "The grader itself failed here; that is not your mistake. Show this to whoever "
            "teaches the course.",
        }
    return "\n".join([line(verdict), *report_rows(rows)])


def build_error(result: Result) -> str:
    """What stands in the way of any judgement: the compiler's first error."""
    shown = "\n".join("   " + each for each in result.build_error.splitlines())
    return (
        f"{_face(FAILED)} it does not build, so nothing can be judged yet\n{shown}\n"
        "   hint      The first error is the one to look at: later ones often follow from it.\n"
        f"   try it    make {result.lab}"
    )


def summary(result: Result) -> str:
    """The last line of a lab: its score, and how long it took."""
    passed = sum(verdict.status == PASSED for verdict in result.verdicts)
    judged = sum(verdict.max_points > 0 for verdict in result.verdicts)
    not_here = len(result.verdicts) - judged
    return (
        f"lab {result.lab[:2]}  {bar(passed, judged)}  {passed} of {judged} checks"
        f"{f' ({not_here} not possible here)' if not_here else ''}, "
        f"{result.points}/{result.max_points} points, {result.seconds:.1f} s "
        f"(deadlines x {result.patience:.1f})"
    )


def bar(done: int, of: int) -> str:
    """`[########----------------]`"""
    filled = _BAR_WIDTH * done // of if of else 0
    return "[" + "#" * filled + "-" * (_BAR_WIDTH - filled) + "]"


def heading(lab: Lab) -> str:
    return f"lab {lab.number}: {lab.title} ({lab.readme})"


def whole(result: Result) -> str:
    """A grading as `make grade` shows it: each check on a line, the first failure in full."""
    if result.build_error:
        return f"{build_error(result)}\n\n{summary(result)}"
    return "\n".join([*map(line, result.verdicts), "", *_first(result), summary(result)])


def _first(result: Result) -> Sequence[str]:
    failure = result.first_failure()
    return [screen(failure), ""] if failure else []


def _face(status: str) -> str:
    face = _FACES[status]
    if not (sys.stdout.isatty() and "NO_COLOR" not in os.environ):
        return face
    return f"\033[{_COLOURS[face]}m{face}\033[0m"
