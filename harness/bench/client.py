"""Drives one load with wrk, and counts the server's system calls meanwhile with perf."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from harness import processes
from harness.bench.accounting import CpuMeter
from harness.bench.launch import Server, pinned
from harness.bench.loads import Load

SCRIPT = Path(__file__).with_name("wrk.lua")
COUNT_SECONDS = 0.5
SYSCALLS, SWITCHES = "raw_syscalls:sys_enter", "context-switches"


class ClientError(Exception):
    """wrk or perf did not do its work; the text is the tool's own word for it."""


@dataclass(frozen=True)
class Run:
    """What wrk saw in one run."""

    seconds: float
    requests: int
    bytes: int
    p50_us: int
    p99_us: int
    errors: dict[str, int]  # connect, read, write, timeout, status (400 and above)
    client_busy: float  # share of its cpu that wrk used; at 0.97 wrk is what is measured


def perf_problem(out: Path) -> str:
    """Why perf cannot count system calls here; nothing if it can."""
    if not shutil.which("perf"):
        return "perf is not installed (apt-get install linux-perf)"
    probe = subprocess.run(_perf(out / "perf.csv", "true"), capture_output=True, text=True)
    if probe.returncode != 0 or SYSCALLS not in _counts(out / "perf.csv"):
        return "perf may not count system calls here (it takes root)"
    return ""


@dataclass(frozen=True)
class Client:
    """wrk on its cpu."""

    cpu: int
    meter: CpuMeter  # only for its groups: they shield wrk from neighbours, as they do the server
    counts_events: bool  # whether perf may count here

    def drive(
        self, server: Server, load: Load, connections: int, meanwhile: Callable[[], None]
    ) -> Run:
        """One round; `meanwhile` is called once, half-way."""
        command = _wrk(server, load, connections, f"{load.seconds}s")
        return self._run(command, load.seconds / 2, meanwhile)

    def count(
        self,
        server: Server,
        load: Load,
        connections: int,
        report: Path,
        meanwhile: Callable[[], None],
    ) -> tuple[Run, dict[str, float]]:
        """A short round under perf, and the events per request; none where perf cannot count.

        perf follows the given processes and, by inheritance, every thread and child they start
        from then on: the processes of a server at rest are all it has to be told.
        """
        command = ["timeout", "--preserve-status", "-s", "INT", str(COUNT_SECONDS)]
        command += _wrk(server, load, connections, "60s")
        if not self.counts_events:
            return self._run(command, COUNT_SECONDS / 2, meanwhile), {}
        tree = ",".join(map(str, processes.running_tree(server.pid)))
        command = _perf(report, "-p", tree, "--", *command)
        run = self._run(command, COUNT_SECONDS / 2, meanwhile)
        counts = _counts(report)
        return run, {event: count / max(run.requests, 1) for event, count in counts.items()}

    def _run(self, command: list[str], half: float, meanwhile: Callable[[], None]) -> Run:
        process = subprocess.Popen(
            pinned(command, self.cpu, self.meter.groups),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert process.stdout is not None
        try:
            time.sleep(half)
            meanwhile()
            output = process.stdout.read()
        except BaseException:
            process.kill()
            raise
        finally:
            process.stdout.close()
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        return _parsed(output, usage.ru_utime + usage.ru_stime)


def _perf(report: Path, *arguments: str) -> list[str]:
    return ["perf", "stat", "-x,", "-o", str(report), "-e", f"{SYSCALLS},{SWITCHES}", *arguments]


def _wrk(server: Server, load: Load, connections: int, duration: str) -> list[str]:
    command = ["wrk", "-t1", f"-c{connections}", f"-d{duration}", "-s", str(SCRIPT)]
    if load.closing:
        command += ["-H", "Connection: close"]
    return [*command, f"http://127.0.0.1:{server.port}{load.path}", "--", str(load.pipelined)]


def _parsed(output: str, cpu_seconds: float) -> Run:
    lines = output.strip().splitlines()
    try:
        result = json.loads(lines[-1])
    except (IndexError, json.JSONDecodeError):
        raise ClientError(f"wrk: {lines[0] if lines else 'no output'}") from None
    seconds = result.pop("microseconds") / 1e6
    return Run(seconds=seconds, client_busy=min(cpu_seconds / seconds, 1.0), **result)


def _counts(report: Path) -> dict[str, int]:
    """perf's CSV: value, unit, event, ...; an event that could not be counted has no number."""
    counts: dict[str, int] = {}
    for line in report.read_text().splitlines():
        fields = line.split(",")
        if len(fields) > 2 and fields[0].isdigit():
            counts[fields[2]] = int(fields[0])
    return counts
