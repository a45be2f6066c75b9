"""What can be asked for on the command line."""

from __future__ import annotations

import argparse
from pathlib import Path

from harness.bench import loads, plan, quick, servers
from harness.bench.results import Results
from harness.bench.servers import Contender, Kind


class UsageError(Exception):
    """The command line makes no sense; the text says why."""


def parsed(arguments: list[str] | None) -> argparse.Namespace:
    """The command line as it was given."""
    return _parser().parse_args(arguments)


def complete(asked: argparse.Namespace, old: Results | None) -> None:
    """Fills in what was not said: as in the old results, if it is these that are compared with."""
    if old and not (asked.full or asked.load or asked.stage or asked.rounds):
        asked.full = bool(old.settings["full"])
        asked.load = list(old.settings["loads"])
        asked.stage = sorted({cell.server for cell in old.cells if cell.kind == Kind.STAGE.value})
        asked.rounds = old.settings["rounds"]
    asked.full = asked.full or bool(asked.dir or asked.target)
    asked.rounds = asked.rounds or (plan.ROUNDS if asked.full else quick.ROUNDS)
    known = plan.names() if asked.full else loads.NAMES
    unknown = [word for word in asked.load if word not in known]
    if unknown:
        raise UsageError(f"no load {' '.join(unknown)!r}; there are: {' '.join(known)}")
    if not asked.full:
        asked.load = asked.load or list(loads.NAMES)


def chosen_servers(asked: argparse.Namespace) -> tuple[list[Contender], list[str]]:
    """Who is measured, and a note for each that is missing."""
    if asked.target:
        return _with_target(asked)
    if asked.dir:
        found, missing = servers.of_student(asked.dir, asked.bin_dir, asked.stage)
        if not any(each.kind is Kind.YOURS for each in found):
            raise UsageError(f"no server to measure in {asked.dir}/build/bin: is it built?")
        return found, missing
    found, missing = servers.contenders(asked.bin_dir, asked.stage)
    if asked.alone:
        found, missing = [each for each in found if each.kind is Kind.STAGE], []
    if not asked.full:
        found = [each for each in found if quick.SERVERS.fullmatch(each.name)]
    if not any(each.kind is Kind.STAGE for each in found):
        raise UsageError(f"no server of the kit to measure: {'; '.join(missing)}")
    return found, missing


def _with_target(asked: argparse.Namespace) -> tuple[list[Contender], list[str]]:
    """The target, and stages only if they were asked for: it may run on another machine."""
    try:
        found = [servers.target(asked.target)]
    except (ValueError, OSError) as problem:
        raise UsageError(f"TARGET: {problem}") from None
    seen = "target: somebody else's process, so there is only what a client sees"
    if not asked.stage:
        return found, [seen]
    names, missing = servers.stages(asked.bin_dir, asked.stage)
    missing.append(seen)
    return [*found, *(Contender(name, Kind.STAGE) for name in names)], missing


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) == 0:
        raise argparse.ArgumentTypeError("a number from 1 on")
    return int(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python3 -m harness.bench",
        description="Measures the servers of the kit beside nginx and a server that never parses.",
        epilog=f"loads: {' '.join(loads.NAMES)}; with --full: {' '.join(plan.names())}; "
        "all of them by default",
    )
    add = parser.add_argument
    add("--full", action="store_true", help="all loads and servers, with a report: within an hour")
    add("--stage", type=str.split, default=[], metavar='"05 06"',
        help="stages, by number or name (default: all that are built)")
    add("--load", type=str.split, default=[], metavar='"hello file"',
        help="what to ask them (default: see below)")
    add("--rounds", type=_positive, metavar="N",
        help=f"interleaved rounds for each server and load (default: {quick.ROUNDS}, "
        f"with --full {plan.ROUNDS})")
    add("--alone", action="store_true", help="only servers of the kit, nobody to compare with")
    add("--dir", type=Path, metavar="TREE",
        help="measure the servers of another tree, a student's, beside those here; as --full")
    add("--target", metavar="HOST:PORT",
        help="measure a server that runs already, perhaps elsewhere; as --full")
    add("--compare", type=Path, nargs="+", default=[], metavar="results.json",
        help="say what has changed since; with two files, measure nothing")
    add("--bin-dir", type=Path, default=Path("build/bin"), metavar="DIR",
        help="where the servers are (default: build/bin)")
    add("--out", type=Path, default=Path("build/bench"), metavar="DIR",
        help="where the results go (default: build/bench)")
    add("--markdown", type=Path, metavar="FILE",
        help="also write the comparison, and the numbers to reach, as Markdown tables")
    add("--plain", action="store_true", help="no bar, only lines")
    add("--page", type=Path, metavar="results.json",
        help="measure nothing: write the page of an earlier run, and print its numbers to reach")
    return parser  # fmt: skip
