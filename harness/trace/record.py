"""Runs a server under strace through a scenario."""

from __future__ import annotations

import re
import signal
import tempfile
import time
from pathlib import Path

from harness.clock import happens
from harness.server import Server, Target
from harness.trace import recording
from harness.trace.recording import Recording
from harness.trace.scenarios import Scenario
from harness.trace.visit import visit

# What can block, make or pass somebody or something. '?': not every machine has every call.
WATCHED = (
    "%process,%network,%desc,futex,?nanosleep,?clock_nanosleep,?pause,?rt_sigtimedwait,"
    "?rt_sigsuspend,?io_uring_setup"
)
_READY = re.compile(r'^(\d+\.\d+) write\(1\b.*"listening on ', re.M)
_SPARE = 0.010  # seconds that the picture shows after the last client has gone


def wrapper(folder: Path) -> tuple[str, ...]:
    """The words to put before a server's command. No -v: it would write down the environment."""
    return (
        "strace", "-D", "-f", "-ff", "-ttt", "-T", "-yy", "-s", "40", "-q", "--signal=none",
        "--seccomp-bpf", "-e", f"trace={WATCHED}", "-o", str(folder / "t"),
    )  # fmt: skip


def record(target: Target, scenario: Scenario, *, name: str = "") -> Recording:
    """Start the server under strace, let the scenario's clients come, end it.

    A Finding if it does not start, or does not end after SIGTERM; nothing is left behind.
    """
    with tempfile.TemporaryDirectory(prefix="c10k-trace-") as place:
        folder = Path(place)
        server = Server(target, *scenario.options(target.stage), wrapper=wrapper(folder))
        try:
            zero, visitors = visit(scenario.scripts, server.port)
            ended = max(visitor.end for visitor in visitors)
            time.sleep(_SPARE)
            server.signal(signal.SIGTERM)
            server.wait()
        finally:
            server.sweep()
        logs = _logs(folder)
    ready = _ready(logs)
    stopped = ended + _SPARE / 2
    tasks = {
        task: recording.kept(text.splitlines(), ready, zero)
        for task, text in sorted(logs.items())
    }
    return Recording(
        name or target.stage.name, scenario.name, visitors, tasks, server.pid, stopped
    )


def _logs(folder: Path) -> dict[int, str]:
    """What strace wrote, by task, once it has written the end of each."""

    def complete() -> bool:
        texts = [path.read_text(errors="replace") for path in folder.iterdir()]
        return bool(texts) and all(text.rstrip().endswith("+++") for text in texts)

    happens(complete, 5.0)
    return {
        int(path.suffix[1:]): path.read_text(errors="replace") for path in folder.iterdir()
    }


def _ready(logs: dict[int, str]) -> float:
    """When the ready line was written: from then on everything counts."""
    found = (_READY.search(text) for text in logs.values())
    return min((float(each[1]) for each in found if each), default=0.0)
