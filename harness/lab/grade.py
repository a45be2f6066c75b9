"""`grade`: the score of one lab. `check`: a lab and those before it, up to the first failure."""

from __future__ import annotations

import argparse
from pathlib import Path

from harness.lab import labs, result, show
from harness.lab.judge import judge
from harness.lab.labs import KIT, Lab
from harness.lab.result import FAILED, NOT_IMPLEMENTED, Result, Verdict

RESULTS = KIT / ".lab" / "results"


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--lab", required=True, help="which lab: 04")
    parser.add_argument("--bin-dir", type=Path, help="judge the server that is here already")
    parser.add_argument("--only", default="", help='only these checks: "4.2 4.3"')
    parser.add_argument("--json", type=Path, help="write the result there, too")


def run(arguments: argparse.Namespace) -> int:
    """Grade one lab. The status is 0 for the full score, else 1."""
    lab = labs.find(arguments.lab)
    outcome = _grade(lab, arguments)
    if arguments.json:
        result.save(outcome, arguments.json)
    return 0 if outcome.full else 1


def run_check(arguments: argparse.Namespace) -> int:
    """Grade all labs up to this one; stop at the first that is not full."""
    last = labs.find(arguments.lab)
    for lab in labs.load_all():
        if lab.number <= last.number and not _grade(lab, arguments).full:
            return 1
    return 0


def _grade(lab: Lab, arguments: argparse.Namespace) -> Result:
    print(show.heading(lab), flush=True)
    only = arguments.only.split()

    told: dict[str, Verdict] = {}  # with those that the chosen ones depend on

    def tell(verdict: Verdict) -> None:
        told[verdict.id] = verdict
        print(show.line(verdict), flush=True)

    bin_dir = arguments.bin_dir and arguments.bin_dir.absolute()
    outcome = judge(lab, bin_dir=bin_dir, only=only, on_verdict=tell)
    if not (only or arguments.bin_dir):
        result.save(outcome, RESULTS / f"{lab.number}.json")
    if not outcome.build_error:
        for verdict in outcome.verdicts:
            if verdict.id not in told:
                print(show.line(verdict))
    of_those_before = (each for each in told.values() if each.status in (FAILED, NOT_IMPLEMENTED))
    failure = outcome.first_failure() or next(of_those_before, None)
    if outcome.build_error:
        print(show.build_error(outcome))
    elif failure:
        print("\n" + show.screen(failure))
    print(("\n" if not outcome.full else "") + show.summary(outcome) + "\n", flush=True)
    return outcome
