"""`hint`: one more hint each time, from a question over an explanation to the place in the code."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from harness.lab import state
from harness.lab.labs import KIT, Check, Lab
from harness.lab.result import NOT_IMPLEMENTED, PASSED, Verdict

KEPT = "hints"
_OTHER_LAB = re.compile(r"lab (\d\d):")


def options(parser: argparse.ArgumentParser) -> None:
    state.lab_option(parser)
    state.check_option(parser)


def run(arguments: argparse.Namespace) -> int:
    """Show the next hint, and the ones before it."""
    number = arguments.lab or (arguments.check and arguments.check.partition(".")[0])
    lab = state.chosen(number)
    print(next_hint(lab, arguments.check))
    return 0


def next_hint(lab: Lab, check_id: str = "", kit: Path = KIT) -> str:
    """Raise the level by one, and tell all hints up to it."""
    found = state.last_result(lab, kit)
    verdicts = {each.id: each for each in found.verdicts} if found else {}
    failure = state.first_failure(found)
    if not check_id and found and found.full:
        return (
            f"lab {lab.number} has all its points; there is nothing to hint at. "
            f"For another look at one check: make hint T={lab.checks[0].id}"
        )
    check = lab.check(check_id or (failure.id if failure else lab.checks[0].id))
    kept = state.read(KEPT, kit)
    level = min(int(kept.get(check.id, 0)) + 1, len(check.hints))
    state.keep(KEPT, kept | {check.id: level}, kit)
    return "\n".join(_lines(lab, check, verdicts.get(check.id), level))


def _lines(lab: Lab, check: Check, verdict: Verdict | None, level: int) -> list[str]:
    known = state.word(verdict.status) if verdict else "not run yet"
    lines = [f"{check.id}  {check.title} ({known})", ""]
    if verdict and verdict.status not in (PASSED,) and "actual" in verdict.rows:
        actual = verdict.rows["actual"].splitlines()[0]
        lines += [*state.wrapped(actual, "   seen: "), ""]
        elsewhere = _OTHER_LAB.match(actual)
        if elsewhere and elsewhere[1] != lab.number:
            lines += [f"   That is lab {elsewhere[1]}'s: make watch LAB={elsewhere[1]}", ""]
    if verdict and verdict.status == NOT_IMPLEMENTED:
        lines += [*state.wrapped(verdict.rows.get("hint", ""), "   it asks: "), ""]
    for number, hint in enumerate(check.hints[:level], 1):
        lines += state.wrapped(hint, f"   {number}/{len(check.hints)}  ")
    lines.append("")
    if level < len(check.hints):
        lines.append(f"Not enough? Once more: make hint LAB={lab.number} T={check.id}")
    else:
        slowly = f"make try LAB={lab.number} T={check.id}"
        lines.append(f"That was the last one. To watch it happen: {slowly}")
        lines.append(f"To read about it: {lab.readme}#{check.anchor}")
    return lines
