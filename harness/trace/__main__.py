"""The command line: records servers at work and draws them, or draws what was recorded before."""

from __future__ import annotations

import argparse
import errno
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from harness import processes, stages, strace
from harness.trace import chrome, recording, svg, telling, words
from harness.trace.recording import Recording
from harness.trace.story import Story

if TYPE_CHECKING:  # imported where they are needed: to draw takes none of that
    from harness.trace.scenarios import Scenario
    from harness.trace.takes import Take

CANNOT_RUN, USAGE, INTERRUPTED = 1, 2, 130
KIT = Path(__file__).resolve().parents[2]


class UsageError(ValueError):
    """The command line asks for something that there is not."""


def main(arguments: list[str] | None = None) -> int:
    """0: all is drawn; 1: nothing can be traced or read, or a server does not start; 2: usage;
    130: interrupted."""
    options = _parser().parse_args(arguments)
    try:
        if options.draw:
            return _draw(options)
        if options.page:
            return _page([recording.load(path) for path in options.page], options)
        return _trace(options)
    except UsageError as error:
        _complain(str(error))
        return USAGE
    except recording.RecordingError as error:
        return _complain(str(error))
    except BrokenPipeError:  # whoever read along has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return CANNOT_RUN
    except OSError as error:
        return _complain(f"{error.filename}: {error.strerror}" if error.filename else str(error))
    except KeyboardInterrupt:
        _complain("interrupted")
        return INTERRUPTED


def _complain(why: str) -> int:
    print(f"trace: {why}", file=sys.stderr)
    return CANNOT_RUN


def _draw(options: argparse.Namespace) -> int:
    told = telling.tell(recording.load(options.draw))
    text = svg.draw(told, light_only=options.light)
    if options.out:
        _write(options.out, text)
    else:
        sys.stdout.write(text)
    return 0


def _page(recordings: list[Recording], options: argparse.Namespace) -> int:
    from harness.trace import page

    path = options.out or Path("build/trace/index.html")
    _write(path, page.filled(recordings))
    print(path)
    return 0


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _trace(options: argparse.Namespace) -> int:
    from harness.findings import Finding
    from harness.trace import page
    from harness.trace.failures import Failures
    from harness.trace.record import record
    from harness.trace.scenarios import SCENARIOS
    from harness.trace.takes import TakesError

    if options.scenario not in SCENARIOS:
        raise UsageError(f"no scenario {options.scenario!r}; there are {', '.join(SCENARIOS)}")
    try:
        takes = _takes(SCENARIOS[options.scenario], options)
    except (stages.UnknownStageError, TakesError) as error:
        raise UsageError(str(error)) from None
    if why := strace.unavailable():
        return _complain(f"{why}: {_remedy(why)}")
    if not takes:
        there = f"make -C {options.dir}" if options.dir and options.dir.is_dir() else "make"
        return _complain(f"there is no server in {_bin_dir(options)}: {there}")
    out = options.out or Path("build/trace")
    for folder in filter(None, (out, options.save)):
        _require_writable(folder)
    recordings, failures = [], Failures()
    for take in takes:
        failures.before()
        try:
            made = record(take)
        except Finding as finding:
            failures.add(take.name, finding)
            continue
        failures.ran_into_a_gap(take.name)
        recordings.append(made)
        stem = take.file_name.removesuffix(".json")
        for folder in filter(None, (out, options.save)):
            made.save(folder / take.file_name)
        told = telling.tell(made)
        _write(out / f"{stem}.svg", svg.draw(told))
        _write(out / f"{stem}.trace.json", chrome.events(told))
        _tell(told)
    if recordings:
        usual = SCENARIOS[options.scenario].is_usual
        path = out / ("index.html" if usual else f"{options.scenario}.html")
        _write(path, page.filled(recordings, source=_source(options)))
        print(f"\nthe pictures, compared: {path}", flush=True)
    failures.tell()
    return CANNOT_RUN if failures.any else 0


def _require_writable(folder: Path) -> None:
    """Before anything is traced, and not after it."""
    folder.mkdir(parents=True, exist_ok=True)
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(folder))


def _remedy(why: str) -> str:
    if "installed" in why:
        return "apt-get install strace"
    return "sysctl -w kernel.yama.ptrace_scope=0 (in a container: --cap-add=SYS_PTRACE)"


def _bin_dir(options: argparse.Namespace) -> Path:
    return options.dir / "build/bin" if options.dir else options.bin_dir


def _takes(scenario: Scenario, options: argparse.Namespace) -> list[Take]:
    """What is to be recorded: a program of somebody's, or the stages that are built."""
    from harness.server import Target
    from harness.trace.takes import Take, takes

    if bool(options.server) != bool(options.technique):
        raise UsageError("--server PROGRAM and --technique STAGE go together")
    if options.server:
        if not options.server.is_file():
            raise UsageError(f"there is no program {options.server}")
        stage = stages.find(options.technique)
        target = Target(stage, options.server.resolve())
        return [Take(stage.name, target, scenario, tuple(scenario.options(stage)), "")]
    bin_dir, chosen = _bin_dir(options), []
    if scenario.own_servers:
        if options.stage or options.dir:
            _complain(f"{scenario.name} shows servers of its own; the stages play no part in it")
        return takes(scenario, [], bin_dir)
    if options.dir and not options.dir.is_dir():
        raise UsageError(f"there is no directory {options.dir}")
    for stage in stages.chosen(options.stage, KIT):
        if (bin_dir / stage.name).is_file():
            chosen.append(stage)
        elif options.stage:
            _complain(f"{bin_dir / stage.name} is not built, and is left out")
    found = takes(scenario, chosen, bin_dir) if chosen else []
    if options.stage:  # whoever asks for it by name is told why it does not come
        for why in filter(None, map(scenario.refuses, chosen)):
            _complain(f"{why}; it is left out")
    return found


def _source(options: argparse.Namespace) -> str:
    """Whose servers they are, if not this tree's."""
    if options.server:
        return f"This is {_printable(options.server)}."
    return f"These are the servers of {_printable(options.dir)}." if options.dir else ""


def _printable(path: Path) -> str:
    """A name can be of any bytes, a page cannot."""
    return os.fsencode(path).decode(errors="replace")


def _tell(told: Story) -> None:
    """A line for a server; and where a connection is not what the stage stands for, why."""
    times = "  ".join(
        f"{row.name} {words.milliseconds(row.end - row.start)}"
        + (f" ({words.outcome(row)})" if words.outcome(row) else "")
        for row in told.rows
    )
    print(f"{told.name:<17} {told.verdict}\n{'':<17} {times} ms", flush=True)
    if told.figures:
        print(f"{'':<17} {told.figures}")
    if told.note:
        print(f"{'':<17} {told.note}")
    if odd := words.misfits(told):
        row = odd[0]
        print(f"{'':<17} not what {told.name} stands for: {row.name} was handled by {row.verdict}")
        print(f"{'':<17} {row.name}: {row.verdict.evidence()}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python3 -m harness.trace",
        description="Watches servers at work with a few clients, by their system calls, and draws "
        "who waits for whom. Any binary can be watched; nothing in it has to be prepared.",
    )
    option = parser.add_argument
    option("--stage", default="", metavar='"01 06"', help="which (default: all that are built)")
    option("--scenario", default="queue", help="what the clients do (default: queue)")
    option("--bin-dir", type=Path, default=Path("build/bin"), metavar="DIR",
           help="where the servers are (default: build/bin)")
    option("--dir", type=Path, help="a tree with servers of its own: those in DIR/build/bin")
    option("--server", type=Path, metavar="PROGRAM", help="any program that keeps the contract")
    option("--technique", default="", metavar="STAGE", help="what that program claims to be")
    option("--out", type=Path, help="where pictures go (default: build/trace); with --draw and "
           "--page, the file to write")
    option("--save", type=Path, metavar="DIR", help="keep the recordings there as well")
    option("--draw", type=Path, metavar="FILE.json",
           help="draw a recording as SVG (to --out, or to standard output) and start nothing")
    option("--light", action="store_true", help="with --draw: light in dark surroundings too")
    option("--page", type=Path, nargs="+", metavar="FILE.json",
           help="make the page of recordings and start nothing")
    return parser


def run() -> int:
    """As a program: whatever ends it, it leaves nothing behind, not even a tracer's zombie."""
    for each in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.default_int_handler)
    processes.become_subreaper()
    return main()


if __name__ == "__main__":
    sys.exit(run())
