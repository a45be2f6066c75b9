"""Seeded mistakes: what each makes of the reference, and what the grader must say of it.

A mutant is an edit of the reference, kept outside of it in labs/NN-name/mutants.toml. It is built
in a copy of the tree, graded, and has to lose exactly the points it states, with its message.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import contextlib
import re
import shutil
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.lab import labs, planting, show
from harness.lab.judge import first_error, judge
from harness.lab.labs import KIT, Lab, LabError
from harness.lab.result import ERROR, Result, Verdict

TOPICS = (
    "every", "iterative", "processes", "threads", "pool", "select", "poll", "level-triggered",
    "edge-triggered", "handing over", "technique",
)  # fmt: skip


@dataclass(frozen=True)
class Edit:
    """`find` occurs exactly once in `file`."""

    file: str
    find: str
    replace: str


@dataclass(frozen=True)
class Mutant:
    """One mistake. With `instead`, another stage's server takes the place of the lab's."""

    lab: Lab
    name: str
    topic: str
    story: str
    edits: tuple[Edit, ...]
    instead: str
    loses: dict[str, int]
    says: str
    sample: bool = False  # its failure is shown in labs/README.md
    seldom: bool = False  # graded by `make mutants`, but not by every `make selftest`


@dataclass(frozen=True)
class Outcome:
    """What became of a mutant; `faults` is empty when the grader did as it should."""

    mutant: Mutant
    faults: tuple[str, ...]
    lost: dict[str, int]
    message: str  # the first failing check's `actual`
    seconds: float
    failure: Verdict | None = None


def load(lab: Lab) -> list[Mutant]:
    """The lab's mutants; LabError when one is described badly or no longer fits the reference."""
    path = lab.directory / "mutants.toml"
    if not path.is_file():
        return []
    try:
        entries = tomllib.loads(path.read_text()).get("mutant", [])
        found = [_mutant(lab, each) for each in entries]
    except (tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        raise LabError(f"{path}: {error!r}") from None
    names = [each.name for each in found]
    faults = [f"{name} is there twice" for name in set(names) if names.count(name) > 1]
    faults += [fault for each in found for fault in _faults(each)]
    if faults:
        raise LabError(f"{path}: " + "; ".join(faults))
    return found


def _mutant(lab: Lab, data: dict[str, Any]) -> Mutant:
    edits = [data] if "find" in data else []
    edits += data.get("also", [])
    return Mutant(
        lab=lab,
        name=data["name"],
        topic=data["topic"],
        story=data["story"],
        edits=tuple(Edit(e["file"], e["find"], e["replace"]) for e in edits),
        instead=data.get("instead", ""),
        loses=data["loses"],
        says=data["says"],
        sample=data.get("sample", False),
        seldom=data.get("seldom", False),
    )


def _faults(mutant: Mutant) -> list[str]:
    faults = []
    if mutant.topic not in TOPICS:
        faults.append(f"unknown topic {mutant.topic!r}; there are: {', '.join(TOPICS)}")
    if not mutant.edits and not mutant.instead:
        faults.append("it changes nothing")
    for edit in mutant.edits:
        count = (KIT / edit.file).read_text().count(edit.find)
        if count != 1:
            faults.append(f"what it should find occurs {count} times in {edit.file}")
    for check, points in mutant.loses.items():
        if mutant.lab.check(check).points != points:
            faults.append(f"{check} is worth {mutant.lab.check(check).points}, not {points}")
    if not mutant.loses:
        faults.append("it loses nothing")
    return [f"{mutant.name}: {fault}" for fault in faults]


def judge_mutant(mutant: Mutant) -> Outcome:
    """Build and grade one mutant."""
    tree = planting.WORK / mutant.lab.name / mutant.name
    shutil.rmtree(tree, ignore_errors=True)
    try:
        planting.copy(mutant.lab, tree)
        log = planting.build(mutant.lab, tree, _plant(mutant, tree))
        if log:
            return Outcome(mutant, (f"it does not build:\n{first_error(log)}",), {}, "", 0.0)
        result = judge(mutant.lab, bin_dir=tree / "bin")
    finally:
        shutil.rmtree(tree, ignore_errors=True)
    return _compare(mutant, result)


def _plant(mutant: Mutant, tree: Path) -> set[str]:
    """Make the mistake in a copy of the sources; the files it changes."""
    changed = {edit.file for edit in mutant.edits}
    if mutant.instead:
        server = f"stages/{mutant.lab.name}/server.cc"
        other = KIT / mutant.instead
        text = other.read_text().replace(other.parent.name, mutant.lab.name)
        (tree / server).write_text(text)
        changed.add(server)
    for edit in mutant.edits:
        path = tree / edit.file
        path.write_text(path.read_text().replace(edit.find, edit.replace))
    return changed


def _compare(mutant: Mutant, result: Result) -> Outcome:
    lost, failure = result.lost(), result.first_failure()
    faults = []
    if lost != mutant.loses:
        faults.append(f"it should lose {_points(mutant.loses)}, but loses {_points(lost)}")
    text = " ".join(show.screen(failure).split()) if failure else ""
    if not re.search(mutant.says, text):
        faults.append(f"no /{mutant.says}/ in: {text[:1500]}")
    faults += [
        f"{v.id}: the grader itself failed: {v.rows.get('actual', '')}"
        for v in result.verdicts
        if v.status == ERROR
    ]
    message = " ".join(failure.rows.get("actual", "").split()) if failure else ""
    return Outcome(mutant, tuple(faults), lost, message, result.seconds, failure)


def _points(loses: dict[str, int]) -> str:
    return ", ".join(f'"{check}" = {points}' for check, points in loses.items()) or "nothing"


@contextlib.contextmanager
def prepared(chosen: list[Lab]) -> Iterator[None]:
    """Mutants of these labs can be built inside."""
    try:
        for lab in chosen:
            planting.prepare(lab)
        yield
    finally:
        for lab in chosen:
            planting.clear(lab)


def judge_all(mutants: list[Mutant], jobs: int) -> list[Outcome]:
    """Grade several at a time; tells each as soon as it is known."""
    outcomes = []
    concerned = {mutant.lab.name: mutant.lab for mutant in mutants}
    with prepared(list(concerned.values())):
        with concurrent.futures.ProcessPoolExecutor(jobs) as pool:
            waiting = {pool.submit(judge_mutant, each) for each in mutants}
            for done in concurrent.futures.as_completed(waiting):
                outcomes.append(done.result())
                print(told(outcomes[-1]), flush=True)
        return settled(outcomes)


def settled(outcomes: list[Outcome]) -> list[Outcome]:
    """Where a crowded machine changed what a mistake loses, the last word has a quiet one.

    To be called when nothing else runs any more; each is graded once more, alone.
    """
    settled = [each for each in outcomes if not each.faults]
    for each in outcomes:
        if each.faults:
            settled.append(judge_mutant(each.mutant))
            print(f"again, alone: {told(settled[-1])}", flush=True)
    return settled


def told(outcome: Outcome) -> str:
    mutant = outcome.mutant
    face = ":(" if outcome.faults else ":)"
    head = (
        f"{face} {mutant.lab.number} {mutant.name:<32} loses {_points(outcome.lost)} "
        f"({outcome.seconds:.1f} s): {outcome.message[:100]}"
    )
    return "\n".join([head, *(f"      {fault}" for fault in outcome.faults)])


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--lab", default="", help='which labs: "04 05" (all)')
    parser.add_argument("--name", default="", help="only this one")
    parser.add_argument("--jobs", type=int, default=3, help="so many at a time (3)")


def run(arguments: argparse.Namespace) -> int:
    """Judge the chosen mutants; the status is 0 when the grader did well with all of them."""
    chosen = [labs.find(each) for each in arguments.lab.split()] or labs.load_all()
    mutants = [m for lab in chosen for m in load(lab) if arguments.name in ("", m.name)]
    if not mutants:
        raise LabError("no such mutant")
    outcomes = judge_all(mutants, arguments.jobs)
    bad = sum(bool(each.faults) for each in outcomes)
    print(f"mutants: {len(outcomes) - bad} as stated, {bad} not; checks no mutant loses: "
          + (" ".join(unlost(chosen)) or "none"))  # fmt: skip
    return 1 if bad else 0


def often(lab: Lab) -> list[Mutant]:
    """The lab's mutants that every selftest grades."""
    return [mutant for mutant in load(lab) if not mutant.seldom]


def unlost(chosen: list[Lab]) -> list[str]:
    """Checks that none of these mutants loses: nothing proves that they can fail."""
    missing = []
    for lab in chosen:
        lost = {check for mutant in often(lab) for check in mutant.loses}
        missing += [check.id for check in lab.checks if check.id not in lost]
    return missing
