"""The command line of the benchmark."""

from __future__ import annotations

import argparse
import contextlib
import os
import resource
import shutil
import signal
import sys
from pathlib import Path

from harness.bench import client, loads, machine, ratios, tables
from harness.bench.accounting import cpu_meter
from harness.bench.distance import PROGRAM, Probe
from harness.bench.measure import Bench
from harness.bench.progress import Progress
from harness.bench.results import Results
from harness.bench.servers import Contender, Kind, Place, contenders

CANNOT_RUN, USAGE = 1, 2


def main(arguments: list[str] | None = None) -> int:
    """Measures, prints, and writes the files; 1 if a server of the kit failed, 2 on wrong usage."""
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    if options.ratios:
        print(ratios.ratios_table(Results.read(options.ratios)).text())
        return 0
    options.load = options.load or list(loads.NAMES)
    unknown = [word for word in options.load if word not in loads.NAMES]
    if unknown:
        print(f"no load {' '.join(unknown)!r}; there are: {' '.join(loads.NAMES)}", file=sys.stderr)
        return USAGE
    known, missing = contenders(options.bin_dir, options.stage)
    if not any(each.kind is Kind.STAGE for each in known):
        print(f"no server of the kit to measure: {'; '.join(missing)}", file=sys.stderr)
        return USAGE
    if not shutil.which("wrk"):
        print("wrk is not installed: apt-get install wrk", file=sys.stderr)
        return CANNOT_RUN
    try:
        results = _measured(options, known, missing)
    except KeyboardInterrupt:
        print("\ninterrupted: nothing was written", file=sys.stderr)
        return 128 + signal.SIGINT
    numbers = ratios.ratios_table(results, complete=False)
    if numbers.rows:
        print(f"{numbers.text()}\n")
    results.write(options.out)
    if options.markdown:
        options.markdown.write_text(tables.comparison(results).markdown())
    print(f"written: {options.out}/results.json, {options.out}/results.csv")
    for fault in results.faults():
        print(f"FAILED {fault}", file=sys.stderr)
    return 1 if results.faults() else 0


def _measured(options: argparse.Namespace, servers: list[Contender], missing: list[str]) -> Results:
    """Runs everything that was asked for; each table appears as soon as it is complete."""
    notes = list(missing)
    descriptors = _raised_descriptor_limit()
    if loads.C10K.name in options.load and descriptors < loads.C10K.connections + 200:
        options.load.remove(loads.C10K.name)
        notes.append(f"no {loads.C10K.name}: a process may have {descriptors} descriptors only")
    cpus = sorted(os.sched_getaffinity(0))
    out: Path = options.out
    place = Place(options.bin_dir, out, loads.write_root(out / "root"), cpu=cpus[0])
    problem = client.perf_problem(out)
    notes += [f"no system calls and context switches: {problem}"] if problem else []
    notes += ["one cpu only: wrk competes with the server"] if len(cpus) == 1 else []
    with contextlib.closing(cpu_meter("client")) as shield:
        wrk = client.Client(cpus[-1], shield, counts_events=not problem)
        probe = Probe(options.bin_dir / PROGRAM, (cpus[0], cpus[-1]), shield.groups)
        settings = {
            "rounds": options.rounds,
            "loads": options.load,
            "server_cpu": cpus[0],
            "client_cpu": cpus[-1],
            "cpu_source": shield.source,
            "cpu_distance_ns": probe.distance_ns(),
        }
        results = Results(machine.facts(), settings, notes=notes)
        with Progress(options.plain) as progress:
            bench = Bench(place, wrk, servers, options.rounds, progress, probe)
            _run(bench, results, options.load)
    return results


def _run(bench: Bench, results: Results, wanted: list[str]) -> None:
    progress = bench.progress
    chosen = [loads.LOADS[name] for name in wanted if name != loads.IDLE]
    progress.total = sum(map(bench.seconds_for, chosen))
    progress.total += bench.seconds_for_idle() if loads.IDLE in wanted else 0
    progress.print(
        f"{machine.line(results.machine)}\n{tables.settings_line(results)} "
        f"CPU time from {results.settings['cpu_source']}.\n"
        f"{len(bench.contenders)} servers, about {progress.total:.0f} s."
    )
    for note in results.notes:
        progress.print(f"note: {note}")
    if chosen:
        progress.print(f"\n{tables.LEGEND}\n")
    for load in chosen:
        results.cells += bench.measure(load)
        progress.table(tables.load_table(results, load))
    if loads.IDLE in wanted:
        results.idle = bench.measure_idle()
        progress.table(tables.idle_table(results))


def _raised_descriptor_limit() -> int:
    """The most that this process, and so wrk and the servers, may have."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) == 0:
        raise argparse.ArgumentTypeError("a number from 1 on")
    return int(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python3 -m harness.bench",
        description="Measures the servers of the kit beside nginx and a server that never parses.",
        epilog=f"loads: {' '.join(loads.NAMES)}; all of them by default",
    )
    parser.add_argument(
        "--stage",
        type=str.split,
        default=[],
        metavar='"05 06"',
        help="stages, by number or name (default: all that are built)",
    )
    parser.add_argument(
        "--load",
        type=str.split,
        default=[],
        metavar='"hello file"',
        help="what to ask them (default: see below)",
    )
    parser.add_argument(
        "--rounds",
        type=_positive,
        default=4,
        metavar="N",
        help="interleaved rounds of 1 s for each server and load (default: 4)",
    )
    parser.add_argument(
        "--bin-dir",
        type=Path,
        default=Path("build/bin"),
        metavar="DIR",
        help="where the servers are (default: build/bin)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("build/bench"),
        metavar="DIR",
        help="where the results go (default: build/bench)",
    )
    parser.add_argument(
        "--markdown",
        type=Path,
        metavar="FILE",
        help="also write the compact comparison as a Markdown table",
    )
    parser.add_argument("--plain", action="store_true", help="no bar, only lines")
    parser.add_argument(
        "--ratios",
        type=Path,
        metavar="results.json",
        help="measure nothing: print the numbers to reach from an earlier run",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
