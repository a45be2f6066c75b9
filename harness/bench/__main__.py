"""The command line of the benchmark."""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
from pathlib import Path

from harness.bench import compare, full, options, quick, report, tables
from harness.bench.options import UsageError
from harness.bench.report import targets
from harness.bench.report.reading import Reading
from harness.bench.results import OldResultsError, Results
from harness.bench.rig import CROWD_PROGRAM, Wish, rigged
from harness.bench.servers import Contender

CANNOT_RUN, USAGE = 1, 2


def main(arguments: list[str] | None = None) -> int:
    """Measures, prints, and writes the files; 1 if a server of the kit failed, 2 on wrong usage."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        asked = options.parsed(arguments)
        if asked.page:
            return _written_again(asked, Results.read(asked.page))
        old = Results.read(asked.compare[0]) if asked.compare else None
        if old and len(asked.compare) > 1:
            print(compare.table(old, Results.read(asked.compare[1])).text())
            return 0
        options.complete(asked, old)
        servers, missing = options.chosen_servers(asked)
    except (UsageError, OldResultsError, OSError) as problem:
        print(problem, file=sys.stderr)
        return USAGE
    if problem := _lacking(asked):
        print(problem, file=sys.stderr)
        return CANNOT_RUN
    try:
        results, parts = _measured(asked, servers, missing)
    except KeyboardInterrupt:
        kept = "what is complete is kept, and the same command goes on" if asked.full else ""
        print(f"\ninterrupted: {kept or 'nothing was written'}", file=sys.stderr)
        return 128 + signal.SIGINT
    return _written(asked, results, parts, old)


def _written_again(asked: argparse.Namespace, results: Results) -> int:
    """The page of an earlier run."""
    print(targets.table(Reading(results)).text())
    asked.out.mkdir(parents=True, exist_ok=True)
    page = report.write(results, asked.out)
    if asked.markdown:
        asked.markdown.write_text(_markdown(results))
    if page:
        print(f"\nwritten: {page}")
    return 0 if page else CANNOT_RUN


def _lacking(asked: argparse.Namespace) -> str:
    """A program without which nothing can be measured."""
    if not shutil.which("wrk") and not asked.full:
        return "wrk is not installed: apt-get install wrk"
    if not (asked.bin_dir / CROWD_PROGRAM).exists():
        return f"the client is not built: make {CROWD_PROGRAM}"
    return ""


def _measured(
    asked: argparse.Namespace, servers: list[Contender], missing: list[str]
) -> tuple[Results, Path | None]:
    wish = Wish(asked.bin_dir, asked.out, asked.rounds, asked.plain)
    with rigged(wish, asked.full) as (bench, results):
        results.notes[:0] = missing
        results.settings["loads"] = asked.load
        if asked.full:
            return results, full.run(bench, results, asked.load, servers)
        quick.run(bench, results, asked.load, servers)
        return results, None


def _written(
    asked: argparse.Namespace, results: Results, parts: Path | None, old: Results | None
) -> int:
    """The files, and what is said last."""
    out: Path = asked.out
    numbers = targets.table(Reading(results))
    numbers.rows = [row for row in numbers.rows if row[-1] != targets.NOT_MEASURED]
    if numbers.rows:
        print(f"{numbers.text()}\n")
    results.write(out)
    files = ["results.json", "results.csv"]
    if asked.full:
        files += ["report.html"] if report.write(results, out) else []
    if asked.markdown:
        asked.markdown.write_text(_markdown(results))
    if old:
        print(f"{compare.table(old, results).text()}\n")
    if parts:
        shutil.rmtree(parts)
    print(f"written: {', '.join(f'{out}/{name}' for name in files)}")
    for fault in results.faults():
        print(f"FAILED {fault}", file=sys.stderr)
    return 1 if results.faults() else 0


def _markdown(results: Results) -> str:
    """The comparison in one table and, after a full run, the numbers to reach."""
    made = [tables.comparison(results)]
    if results.settings["full"]:
        made.append(targets.table(Reading(results)))
    return "\n".join(table.markdown() for table in made)


if __name__ == "__main__":
    sys.exit(main())
