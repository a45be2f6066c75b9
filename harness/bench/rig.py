"""What every run needs: cpus, clients, a place for the servers, and a word on what is missing."""

from __future__ import annotations

import contextlib
import datetime
import os
import resource
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.bench import janitor, limits, loads, machine, perf
from harness.bench.accounting import cpu_meter
from harness.bench.clients import CrowdClient, WrkClient
from harness.bench.distance import PROGRAM, Probe
from harness.bench.measure import Bench
from harness.bench.progress import Progress
from harness.bench.results import Results
from harness.bench.servers import Place
from harness.bench.turn import Tools

CROWD_PROGRAM = "crowd"


@dataclass(frozen=True)
class Wish:
    """What was asked for on the command line, where it concerns every run."""

    bin_dir: Path
    out: Path
    rounds: int
    plain: bool  # no bar, only lines


@contextlib.contextmanager
def rigged(wish: Wish, full: bool) -> Iterator[tuple[Bench, Results]]:
    """Everything that it takes to measure, and results with nothing but the settings in them."""
    wish.out.mkdir(parents=True, exist_ok=True)
    raise_descriptor_limit()
    cpus = sorted(os.sched_getaffinity(0))
    server_cpu, client_cpu = cpus[0], cpus[-1]
    problem = perf.problem(wish.out)
    notes = [f"no system calls and context switches: {problem}"] if problem else []
    notes += ["one cpu only: the client competes with the server"] if len(cpus) == 1 else []
    with contextlib.ExitStack() as stack:
        shield = stack.enter_context(contextlib.closing(cpu_meter("client")))
        root = loads.write_root(stack.enter_context(_temporary_directory()) / "root")
        probe = Probe(wish.bin_dir / PROGRAM, (server_cpu, client_cpu), shield.groups)
        settings = {
            "full": full,
            "rounds": wish.rounds,
            "server_cpu": server_cpu,
            "client_cpu": client_cpu,
            "cpu_source": shield.source,
            "cpu_distance_ns": probe.distance_ns(),
            "started": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
        }
        progress = stack.enter_context(Progress(wish.plain))
        tools = Tools(
            Place(wish.bin_dir, wish.out, root, cpu=server_cpu),
            {
                loads.CROWD: CrowdClient(wish.bin_dir / CROWD_PROGRAM, client_cpu, shield.groups,
                                         alone=server_cpu != client_cpu),
                loads.WRK: WrkClient(client_cpu, shield.groups),
            },  # fmt: skip
            probe,
            counts_events=not problem,
        )
        bench = Bench(tools, wish.rounds, progress, limits.bounds().waiting_tasks())
        yield bench, Results(machine.facts(), settings, notes=notes)


def raise_descriptor_limit() -> int:
    """The most that this process, and so a client and a server, may have."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


@contextlib.contextmanager
def _temporary_directory() -> Iterator[Path]:
    """For configurations and files. Servers that do not run as root have to see them, too."""
    directory = Path(tempfile.mkdtemp(prefix="c10k-bench-"))
    janitor.guard_directory(directory)
    try:
        directory.chmod(0o755)
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)
