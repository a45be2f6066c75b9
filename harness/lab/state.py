"""What a student's tree remembers, below .lab/: results, hints seen, predictions."""

from __future__ import annotations

import argparse
import json
import textwrap
from pathlib import Path
from typing import Any

from harness.lab import labs, result
from harness.lab.labs import KIT, Lab
from harness.lab.result import NOT_IMPLEMENTED, SKIPPED, Result, Verdict


def folder(kit: Path = KIT) -> Path:
    return kit / ".lab"


def read(name: str, kit: Path = KIT) -> dict[str, Any]:
    """What was kept under `name`; nothing if there is nothing, or nothing that can be read."""
    try:
        kept = json.loads((folder(kit) / f"{name}.json").read_text())
    except (OSError, ValueError):
        return {}
    return kept if isinstance(kept, dict) else {}


def keep(name: str, what: dict[str, Any], kit: Path = KIT) -> None:
    """Write so that a reader sees the old or the new file, never half of one."""
    path = folder(kit) / f"{name}.json"
    path.parent.mkdir(exist_ok=True)
    draft = path.with_suffix(".new")
    draft.write_text(json.dumps(what, indent=1) + "\n")
    draft.replace(path)


def results_path(lab: Lab, kit: Path = KIT) -> Path:
    return folder(kit) / "results" / f"{lab.number}.json"


def last_result(lab: Lab, kit: Path = KIT) -> Result | None:
    """What the last run said about this lab; None if there was none."""
    return result.load(results_path(lab, kit))


def outdated(lab: Lab, kit: Path = KIT) -> bool:
    """Whether the lab's files were changed after its last result."""
    try:
        judged = results_path(lab, kit).stat().st_mtime
    except FileNotFoundError:
        return False
    files = (kit / name for name in lab.files)
    return any(file.is_file() and file.stat().st_mtime > judged for file in files)


def first_failure(found: Result | None) -> Verdict | None:
    """The check to look at first; a skipped one only when there is nothing else."""
    if found is None:
        return None
    skipped = next((each for each in found.verdicts if each.status == SKIPPED), None)
    return found.first_failure() or (None if found.full else skipped)


def word(status: str) -> str:
    """A verdict's status as people say it."""
    return {NOT_IMPLEMENTED: "not written yet"}.get(status, status)


def merged(lab: Lab, old: Result | None, new: dict[str, Verdict], patience: float) -> Result:
    """A whole result from verdicts of a part: what is not among `new` is as it was."""
    before = {(v.id, v.title, v.max_points): v for v in old.verdicts} if old else {}
    unknown = {"actual": "not run yet"}
    verdicts = tuple(
        new.get(c.id)
        or before.get((c.id, c.title, c.points))
        or Verdict(c.id, c.title, 0, c.points, SKIPPED, 0.0, unknown)
        for c in lab.checks
    )
    seconds = sum(each.seconds for each in verdicts)
    return Result(lab.name, lab.title, verdicts, seconds, patience)


def given(lab: Lab, kit: Path = KIT) -> bool:
    """Whether this tree was handed out with the lab solved: its starter has nothing to write."""
    starters = [kit / ".starter" / name for name in lab.files]
    todo = f"TODO(lab {lab.number})"
    texts = [path.read_text(errors="replace") for path in starters if path.is_file()]
    return bool(texts) and not any(todo in text for text in texts)


def current(kit: Path = KIT) -> Lab:
    """The first lab that has not got all its points; the last one when all have."""
    there = labs.load_all(kit)
    if not there:
        raise labs.LabError(f"there are no labs in {kit}")
    for lab in there:
        found = last_result(lab, kit)
        if not (found.full if found else given(lab, kit)):
            return lab
    return there[-1]


def chosen(number: str | None, kit: Path = KIT) -> Lab:
    """The lab that was asked for, or the one that is next."""
    return labs.find(number, kit) if number else current(kit)


def wrapped(text: str, label: str = "   ", width: int = 84) -> list[str]:
    """Lines of text, the first one behind `label` and the others below its beginning."""
    return textwrap.wrap(
        text, width, initial_indent=label, subsequent_indent=" " * len(label),
        break_on_hyphens=False, break_long_words=False,
    )  # fmt: skip


def lab_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--lab", default="", metavar="04", help="which lab (the next one)")


def check_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--check", default="", metavar="4.3", help="which check (the first failing one)"
    )
