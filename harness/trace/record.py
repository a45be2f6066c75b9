"""Runs a server under strace through a scenario."""

from __future__ import annotations

import contextlib
import re
import signal
import tempfile
import time
from pathlib import Path

from harness import processes, strace
from harness.clock import happens
from harness.findings import Finding
from harness.instruments import quiet
from harness.server import Server
from harness.trace import recording, remarks
from harness.trace.recording import Recording
from harness.trace.takes import Take
from harness.trace.visit import Visit

# What can block, make or pass somebody or something. '?': not every machine has every call.
WATCHED = (
    "%process,%network,%desc,futex,?nanosleep,?clock_nanosleep,?pause,?rt_sigtimedwait,"
    "?rt_sigsuspend,?io_uring_setup"
)
# Who is traced cannot look for leaks, for that he would have to trace himself: it hangs as it ends.
_ASAN = processes.SANITIZER_OPTIONS["ASAN_OPTIONS"].replace("detect_leaks=1", "detect_leaks=0")
_READY = re.compile(r'^(\d+\.\d+) write\(1\b.*"listening on ', re.M)
_SPARE = 0.010  # seconds that the picture shows after the last client has gone
_REST_SECONDS = 2.0
END_SECONDS, LOG_SECONDS = 6.0, 3.0


def wrapper(folder: Path) -> tuple[str, ...]:
    """The words to put before a server's command. No -v: it would write down the environment."""
    return (
        "strace", "-D", "-f", "-ff", "-ttt", "-T", "-yy", "-s", "40", "-q", "--seccomp-bpf",
        "-E", f"ASAN_OPTIONS={_ASAN}",
        "-e", f"trace={WATCHED}", "-o", str(folder / "t"),
    )  # fmt: skip


def record(take: Take) -> Recording:
    """Start the server under strace, let the scenario's clients come, end it.

    A Finding if nothing can be traced here, or the server does not start. One that crashes, or
    does not end, is recorded as it is, with a note. Nothing is left behind.
    """
    if why := strace.unavailable():
        raise Finding(why)
    with tempfile.TemporaryDirectory(prefix="c10k-trace-") as place:
        folder = Path(place)
        server = Server(take.target, *take.options, wrapper=wrapper(folder))
        try:
            with contextlib.suppress(Finding):  # one that never rests is still worth a look
                quiet(server, _REST_SECONDS)
            visit = Visit(take.scenario, server)
            visit.run()
            last = max(visit.visitors, key=lambda visitor: visitor.end)
            time.sleep(_SPARE)
            notes = [visit.note, _end(server)]
            logs = _logs(folder)
        finally:
            server.sweep()  # and the tracer, which is in the server's process group
    # What a server does because somebody has given up and gone is no longer of interest.
    span = last.end + (0.0 if last.outcome == "gave up" else _SPARE / 2)
    ready = _ready(logs)
    tasks = {
        task: recording.kept(text.splitlines(), ready, visit.zero)
        for task, text in sorted(logs.items())
    }
    tasks, left_out = recording.bounded(tasks)
    note = remarks.plain("; ".join(filter(None, [*notes, left_out])))
    return Recording(
        take.name, take.scenario.name, visit.visitors, tasks, server.pid, span, note=note,
        moment=visit.moment, caption=take.caption,
        detail=take.scenario.detail,
    )  # fmt: skip


def _end(server: Server) -> str:
    """End it with SIGTERM, or else by force, but not its tracer; what there is to say of that."""
    if not server.alive():
        return ""
    server.signal(signal.SIGTERM)
    try:
        server.wait(END_SECONDS)
    except Finding:
        for pid in server.tree():
            processes.kill(pid)
        return "it does not end after SIGTERM"
    return ""


def _logs(folder: Path) -> dict[int, str]:
    """What strace wrote, by task, once it has written the end of each."""

    def complete() -> bool:
        texts = [path.read_text(errors="replace") for path in folder.iterdir()]
        return bool(texts) and all(text.rstrip().endswith("+++") for text in texts)

    happens(complete, LOG_SECONDS)
    return {
        int(path.suffix[1:]): path.read_text(errors="replace") for path in folder.iterdir()
    }


def _ready(logs: dict[int, str]) -> float:
    """When the ready line was written: from then on everything counts."""
    found = (_READY.search(text) for text in logs.values())
    return min((float(each[1]) for each in found if each), default=0.0)
