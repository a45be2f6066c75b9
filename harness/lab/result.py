"""What a grading comes to. Terminal, files and tools all read this and nothing else."""

from __future__ import annotations

import json
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

SCHEMA = "c10k-lab/result/v1"
PASSED, FAILED, NOT_IMPLEMENTED = "passed", "failed", "not_implemented"
SKIPPED, ERROR = "skipped", "error"


@dataclass(frozen=True)
class Verdict:
    """One check's outcome. `rows` are what a failure says, by label: sent, expected, actual,
    x-ray, hint, try it, again; a skipped check has `actual` alone."""

    id: str
    title: str
    points: int
    max_points: int
    status: str
    seconds: float = 0.0
    rows: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Result:
    """One lab's outcome. The score is the sum of what was passed; nothing a server prints or
    writes takes part in it."""

    lab: str  # "04-select"
    title: str
    verdicts: tuple[Verdict, ...]
    seconds: float
    patience: float  # what deadlines were multiplied by on this machine
    build_error: str = ""  # what the compiler said, when there is nothing to judge
    build_log: str = ""

    @property
    def points(self) -> int:
        return sum(verdict.points for verdict in self.verdicts)

    @property
    def max_points(self) -> int:
        return sum(verdict.max_points for verdict in self.verdicts)

    @property
    def full(self) -> bool:
        return self.points == self.max_points

    def first_failure(self) -> Verdict | None:
        """The check to look at first."""
        failed = [v for v in self.verdicts if v.status not in (PASSED, SKIPPED)]
        return failed[0] if failed else None

    def lost(self) -> dict[str, int]:
        """The points each check has lost."""
        return {v.id: v.max_points - v.points for v in self.verdicts if v.points < v.max_points}


def to_json(result: Result) -> str:
    totals = {"points": result.points, "max_points": result.max_points}
    about = {"schema": SCHEMA, "kernel": platform.release(), **totals}
    return json.dumps({**about, **asdict(result)}, indent=1) + "\n"


def from_json(text: str) -> Result:
    data: dict[str, Any] = json.loads(text)
    if data.pop("schema", None) != SCHEMA:
        raise ValueError(f"not a {SCHEMA} file")
    for derived in ("kernel", "points", "max_points"):
        data.pop(derived, None)
    verdicts: Sequence[dict[str, Any]] = data.pop("verdicts")
    return Result(verdicts=tuple(Verdict(**each) for each in verdicts), **data)


def save(result: Result, path: Path) -> None:
    """Write so that a reader sees the old or the new file, never half of one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".new")
    draft.write_text(to_json(result))
    draft.replace(path)


def load(path: Path) -> Result | None:
    """The stored result, or None when there is none that can be read."""
    try:
        return from_json(path.read_text())
    except (OSError, ValueError, TypeError, KeyError):
        return None
