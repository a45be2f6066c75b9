"""Counts a server's system calls and context switches with perf."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness import processes
from harness.bench.launch import Server, pinned

END_SECONDS = 10.0
SYSCALLS, SWITCHES = "raw_syscalls:sys_enter", "context-switches"


@dataclass
class Counter:
    """Counts between begin() and end(); what came of it is known when perf has ended."""

    _orders: int
    _replies: int
    counts: dict[str, int] = field(default_factory=dict)

    def begin(self) -> None:
        """From now on; nothing happens between this call and the counting."""
        self._order(b"enable\n")

    def end(self) -> None:
        self._order(b"disable\n")

    def per(self, event: str, requests: int) -> float | None:
        """Events for each of so many requests; None where perf could not count them."""
        return self.counts[event] / requests if requests and event in self.counts else None

    def _order(self, order: bytes) -> None:
        with contextlib.suppress(BrokenPipeError):  # perf could not do it: there are no counts
            os.write(self._orders, order)
            os.read(self._replies, 16)  # "ack"


def problem(out: Path) -> str:
    """Why perf cannot count system calls here; nothing if it can."""
    if not shutil.which("perf"):
        return "perf is not installed (apt-get install linux-perf)"
    probe = subprocess.run([*_perf(out / "perf.csv"), "true"], capture_output=True, text=True)
    if probe.returncode != 0 or SYSCALLS not in _counts(out / "perf.csv"):
        return "perf may not count system calls here (it takes root)"
    return ""


@contextlib.contextmanager
def counting(server: Server, report: Path, cpu: int, groups: Sequence[Path]) -> Iterator[Counter]:
    """A counter for all processes and threads that the server has, or will have started by then.

    perf follows by inheritance: a server at rest has few for it to attach to, and those that come
    with the connections are counted from their first moment.
    """
    tree = ",".join(map(str, processes.running_tree(server.pid)))
    their_orders, orders = os.pipe()
    replies, their_replies = os.pipe()
    control = f"--control=fd:{their_orders},{their_replies}"
    report.unlink(missing_ok=True)
    process = subprocess.Popen(
        pinned([*_perf(report), "--delay=-1", control, "-p", tree], cpu, groups),
        pass_fds=(their_orders, their_replies),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(their_orders)
    os.close(their_replies)
    counter = Counter(orders, replies)
    try:
        counter.end()  # once it answers it is attached, and has not begun
        yield counter
    finally:
        os.close(orders)
        os.close(replies)
        process.send_signal(signal.SIGINT)
        try:
            process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        counter.counts |= _counts(report)


def _perf(report: Path) -> list[str]:
    return ["perf", "stat", "-x,", "-o", str(report), "-e", f"{SYSCALLS},{SWITCHES}"]


def _counts(report: Path) -> dict[str, int]:
    """perf's CSV: value, unit, event, ...; an event that could not be counted has no number."""
    counts: dict[str, int] = {}
    for line in report.read_text().splitlines() if report.exists() else []:
        fields = line.split(",")
        if len(fields) > 2 and fields[0].isdigit():
            counts[fields[2]] = int(fields[0])
    return counts
