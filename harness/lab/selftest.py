"""The grader's own test: what it promises of itself, proved on this machine.

`make selftest` runs all parts; `--part mutants --lab 04` one of them. `make test` runs `--sample`.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import contextlib
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from harness import processes
from harness.lab import docs, labs, mutants, pages, show, starter
from harness.lab.judge import judge
from harness.lab.labs import KIT, Lab
from harness.lab.mutants import Mutant, Outcome
from harness.lab.result import FAILED, NOT_IMPLEMENTED, Result

ROUNDS = 20
STARTER_SECONDS = 10.0  # for a whole lab, on a machine with patience 1
THREADED = ("02", "03")
_BURNER = "while True: pass"


@dataclass
class Tally:
    """What was proved, and what not."""

    passed: int = 0
    failed: int = 0

    def enter(self, ok: bool, text: str) -> None:
        self.passed += ok
        self.failed += not ok
        print(f"{':)' if ok else ':('} {text}", flush=True)


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--part", default="", help=f'only these: {" ".join(PARTS)}')
    parser.add_argument("--lab", default="", help='only these labs: "04 05"')
    parser.add_argument("--jobs", type=int, default=5, help="gradings at a time (5)")
    parser.add_argument(
        "--rounds", type=int, default=ROUNDS, help=f"gradings of the reference ({ROUNDS})"
    )
    parser.add_argument("--all", action="store_true", help="mutants that are seldom graded, too")
    parser.add_argument("--sample", action="store_true", help="a minute's worth, for make test")


def run(arguments: argparse.Namespace) -> int:
    """Run the parts; the last line counts what was proved. The status is 0 if nothing failed."""
    began, tally = time.monotonic(), Tally()
    chosen = [labs.find(each) for each in arguments.lab.split()] or labs.load_all()
    parts = arguments.part.split() or (SAMPLE if arguments.sample else list(PARTS))
    for name in parts:
        started = time.monotonic()
        print(f"\n== {PARTS[name].__doc__}", flush=True)
        PARTS[name](chosen, arguments, tally)
        print(f"   ({name}: {time.monotonic() - started:.0f} s)", flush=True)
    print(f"\nselftest: {tally.passed} passed, {tally.failed} failed "
          f"in {time.monotonic() - began:.0f} s")  # fmt: skip
    return 1 if tally.failed else 0


# --- the parts ----------------------------------------------------------------------------------


def _pages(chosen: list[Lab], _: argparse.Namespace, tally: Tally) -> None:
    """the labs are sound: rubrics and tables are those of lab.toml and mutants.toml"""
    for lab in chosen:
        seeded = mutants.often(lab)
        tally.enter(len(seeded) >= 10, f"lab {lab.number} has {len(seeded)} mutants")
        unlost = mutants.unlost([lab])
        tally.enter(not unlost, f"lab {lab.number}: every check is lost by a mutant {unlost or ''}")
    for path in pages.stale():
        tally.enter(False, f"{path} is not up to date: python3 -m harness.lab pages")


def _reference(chosen: list[Lab], arguments: argparse.Namespace, tally: Tally) -> None:
    """the reference scores 100 in every lab: plain, and under sanitizers"""
    builds = [("plain", "", chosen), ("ASan and UBSan", "address,undefined", chosen)]
    builds.append(("TSan", "thread", [lab for lab in chosen if lab.number in THREADED]))
    for title, sanitize, wanted in builds:
        _make([lab.name for lab in wanted], sanitize)
        directory = KIT / "build" / sanitize / "bin"
        for outcome in _graded([(lab.number, directory) for lab in wanted], arguments.jobs):
            tally.enter(outcome.full, f"{title}: {show.summary(outcome)}{_why(outcome)}")


def _starter(chosen: list[Lab], arguments: argparse.Namespace, tally: Tally) -> None:
    """the starter builds clean, scores nothing, says what is missing, and never hangs"""
    for lab in chosen:
        with starter.built(lab) as (directory, complaints):
            tally.enter(not complaints, f"lab {lab.number} starter builds clean{_list(complaints)}")
            (outcome,) = _graded([(lab.number, directory)], 1)
        _judge_starter(lab, outcome, tally)


def _judge_starter(lab: Lab, outcome: Result, tally: Tally) -> None:
    tally.enter(outcome.points == 0, f"lab {lab.number} starter: {show.summary(outcome)}")
    mute = [
        v.id
        for v in outcome.verdicts
        if v.status not in (NOT_IMPLEMENTED, FAILED) or not v.rows.get("hint")
    ]
    tally.enter(not mute, f"lab {lab.number} starter: every check fails with a hint {mute or ''}")
    limit = STARTER_SECONDS * outcome.patience
    tally.enter(outcome.seconds < limit, f"lab {lab.number} starter: {outcome.seconds:.1f} s")


def _crowd(chosen: list[Lab], arguments: argparse.Namespace, tally: Tally) -> None:
    """each mutant loses exactly its points, with its message; and between them the reference
    scores 100 every time, though both cores are busy"""
    _make([lab.name for lab in chosen])
    of_lab = mutants.load if arguments.all else mutants.often
    seeded = [mutant for lab in chosen for mutant in of_lab(lab)]
    rounds = arguments.rounds
    if arguments.sample:
        seeded, rounds = [next(m for m in seeded if m.lab == lab) for lab in chosen], 0
    tasks: list[Mutant | str] = [*seeded, *[lab.number for lab in chosen] * rounds]
    random.Random(1).shuffle(tasks)
    full: dict[str, int] = {lab.name: 0 for lab in chosen}
    outcomes = []
    with mutants.prepared(chosen):
        with _burners(), _pool(arguments.jobs) as pool:
            waiting = [pool.submit(_judge, task) for task in tasks]
            for done in concurrent.futures.as_completed(waiting):
                outcome = done.result()
                if isinstance(outcome, Result):
                    full[outcome.lab] += outcome.full
                    if not outcome.full:
                        print(f"   {show.summary(outcome)}{_why(outcome)}", flush=True)
                else:
                    outcomes.append(outcome)
                    print(mutants.told(outcome), flush=True)
        for outcome in mutants.settled(outcomes):
            tally.passed += not outcome.faults
            tally.failed += bool(outcome.faults)
    for name, times in full.items() if rounds else ():
        tally.enter(times == rounds, f"{name}: the reference scored 100 {times} of {rounds} times")


def _judge(task: Mutant | str) -> Outcome | Result:
    """Grade a mutant, or the reference of a lab."""
    if isinstance(task, Mutant):
        return mutants.judge_mutant(task)
    return grade((task, KIT / "build" / "bin"))


def _tests(_: list[Lab], __: argparse.Namespace, tally: Tally) -> None:
    """markers, handouts and what the terminal shows"""
    files = ["test_markers", "test_leaks", "test_handout", "test_docs", "test_show"]
    paths = [f"harness/tests/{each}.py" for each in files]
    ended = subprocess.run([sys.executable, "-m", "pytest", "-q", *paths], cwd=KIT, check=False)
    tally.enter(ended.returncode == 0, "pytest " + " ".join(paths))


def _docs(chosen: list[Lab], arguments: argparse.Namespace, tally: Tally) -> None:
    """every command in a handout does what the text shows"""
    numbers = [lab.number for lab in chosen]
    with _pool(arguments.jobs) as pool:
        for number, complaints in zip(numbers, pool.map(_complaints, numbers), strict=True):
            tally.enter(not complaints, f"{labs.find(number).readme}{_list(complaints)}")
    complaints = docs.front_complaints()
    tally.enter(not complaints, f"{docs.FRONT}{_list(complaints)}")


def _complaints(number: str) -> list[str]:
    return docs.complaints(labs.find(number))


PARTS: dict[str, Callable[[list[Lab], argparse.Namespace, Tally], None]] = {
    "pages": _pages,
    "tests": _tests,
    "reference": _reference,
    "starter": _starter,
    "docs": _docs,
    "crowd": _crowd,
}
SAMPLE = ["pages", "starter", "crowd"]


# --- help ---------------------------------------------------------------------------------------


def grade(task: tuple[str, Path]) -> Result:
    """Grade one lab in this process."""
    number, directory = task
    return judge(labs.find(number), bin_dir=directory)


def _graded(tasks: list[tuple[str, Path]], jobs: int) -> Iterator[Result]:
    with _pool(jobs) as pool:
        waiting = [pool.submit(grade, each) for each in tasks]
        for done in concurrent.futures.as_completed(waiting):
            yield done.result()


def _list(complaints: list[str]) -> str:
    return "".join(f"\n      {each}" for each in complaints)


def _why(outcome: Result) -> str:
    return "".join(f"\n{show.screen(v)}" for v in outcome.verdicts if v.points < v.max_points)


def _pool(jobs: int) -> concurrent.futures.ProcessPoolExecutor:
    return concurrent.futures.ProcessPoolExecutor(jobs)


def _make(names: list[str], sanitize: str = "") -> None:
    command = ["make", "-s", "--no-print-directory", *names]
    if sanitize:
        command.append(f"SANITIZE={sanitize}")
    subprocess.run(command, cwd=KIT, check=True)


@contextlib.contextmanager
def _burners() -> Iterator[None]:
    """Two processes that take what the gradings leave of the cores: never is one idle."""
    command = ["nice", "-n", "10", sys.executable, "-c", _BURNER]
    running = [subprocess.Popen(command, preexec_fn=processes.before_exec) for _ in range(2)]
    try:
        yield
    finally:
        for each in running:
            each.kill()
            each.wait()
