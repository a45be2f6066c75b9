"""A lab as its lab.toml describes it. Whatever is wrong with that file is said at once."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

KIT = Path(__file__).resolve().parent.parent.parent
LAB_TOTAL = 100
HINT_LEVELS = 3
_DIGEST = re.compile(r"[0-9a-f]{64}")


class LabError(Exception):
    """A lab that is not there, or a lab.toml that breaks a rule."""


@dataclass(frozen=True)
class Check:
    """One graded fact about a server: the tests that must pass, and what it is worth."""

    id: str  # "4.3"
    title: str
    points: int
    tests: tuple[str, ...]  # "test_files.py::test_range[first]"
    hints: tuple[str, ...]
    anchor: str  # of the lab's README
    depends: tuple[str, ...] = ()
    technique: bool = False  # another technique than the lab's costs these points


@dataclass(frozen=True)
class Prediction:
    """A question to answer before anything is run. The answer is kept as a hash."""

    id: str
    question: str
    choices: tuple[str, ...]
    answer: str  # sha256 of "c10k:ID:LETTER"
    why: str


@dataclass(frozen=True)
class Lab:
    """One lab: its stage, the files a student may change, and its checks."""

    number: str  # "04"
    name: str  # "04-select", of the lab and of its stage
    title: str
    goal: str
    technique: str  # in words
    files: tuple[str, ...]
    checks: tuple[Check, ...]
    predictions: tuple[Prediction, ...]
    path: Path  # of its lab.toml

    @property
    def directory(self) -> Path:
        return self.path.parent

    @property
    def readme(self) -> str:
        """Where a student reads about it, from the top of the tree."""
        return f"labs/{self.name}/README.md"

    def check(self, check_id: str) -> Check:
        for each in self.checks:
            if each.id == check_id:
                return each
        known = " ".join(each.id for each in self.checks)
        raise LabError(f"lab {self.number} has no check {check_id}; there are: {known}")


def load_all(kit: Path = KIT) -> list[Lab]:
    """All labs, in their order; LabError for the first that breaks a rule."""
    return [load(path) for path in sorted(kit.glob("labs/[0-9][0-9]-*/lab.toml"))]


def find(number: str, kit: Path = KIT) -> Lab:
    """The lab that is meant by `4`, `04` or `04-select`."""
    paths = sorted(kit.glob("labs/[0-9][0-9]-*/lab.toml"))
    for path in paths:
        name = path.parent.name
        if number in (name, name[:2], name[:2].lstrip("0") or "0"):
            return load(path)
    there = " ".join(path.parent.name[:2] for path in paths)
    raise LabError(f'there is no lab "{number}"; there are: {there}')


def load(path: Path) -> Lab:
    """Read one lab.toml, and refuse what breaks a rule."""
    try:
        data = tomllib.loads(path.read_text())
        lab = _lab(path, data)
    except (tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        what = f"it lacks {error}" if isinstance(error, KeyError) else str(error)
        raise LabError(f"{path}: {what}") from None
    if faults := _faults(lab):
        raise LabError(f"{path}: " + "; ".join(faults))
    return lab


def _lab(path: Path, data: dict[str, Any]) -> Lab:
    name = path.parent.name
    return Lab(
        number=name[:2],
        name=name,
        title=data["title"],
        goal=data["goal"],
        technique=data["technique"],
        files=tuple(data["files"]),
        checks=tuple(_check(each) for each in data["check"]),
        predictions=tuple(_prediction(each) for each in data.get("predict", [])),
        path=path,
    )


def _check(data: dict[str, Any]) -> Check:
    lists = {name: tuple(data.get(name, ())) for name in ("tests", "hints", "depends")}
    return Check(**{**data, **lists})


def _prediction(data: dict[str, Any]) -> Prediction:
    return Prediction(**{**data, "choices": tuple(data["choices"])})


def _faults(lab: Lab) -> list[str]:
    faults = []
    total = sum(check.points for check in lab.checks)
    if total != LAB_TOTAL:
        faults.append(f"its points sum to {total} instead of {LAB_TOTAL}")
    if sum(check.technique for check in lab.checks) != 1:
        faults.append("exactly one check has to carry `technique = true`")
    seen: set[str] = set()
    for check in lab.checks:
        faults += _faults_of(check, lab, seen)
        seen.add(check.id)
    for each in lab.predictions:
        if not _DIGEST.fullmatch(each.answer):
            faults.append(f"prediction {each.id}: the answer is no SHA-256 in hex")
    return faults


def _faults_of(check: Check, lab: Lab, earlier: set[str]) -> list[str]:
    faults = []
    if check.id in earlier:
        faults.append(f"{check.id} is there twice")
    if not re.fullmatch(rf"{int(lab.number)}\.\d+", check.id):
        faults.append(f"{check.id} should be {int(lab.number)}.N")
    if not isinstance(check.points, int) or check.points <= 0:
        faults.append(f"{check.id}: points are whole and positive")
    if not check.tests:
        faults.append(f"{check.id} names no test")
    if len(check.hints) != HINT_LEVELS or not all(check.hints):
        faults.append(f"{check.id}: {HINT_LEVELS} hints are needed, from a nudge to the place")
    if unknown := set(check.depends) - earlier:
        faults.append(f"{check.id} depends on {', '.join(sorted(unknown))}, not an earlier check")
    return faults
