"""System calls that fail on purpose, and a census of those that fail by mistake (D11)."""

from __future__ import annotations

import functools
import re
import shutil
import subprocess
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

_CALL = re.compile(r"^\d+ +(?:<\.\.\. )?(\w+)(?:\(| resumed>)(.*)$")
_FAILED = re.compile(r"= -1 (E\w+)")


@functools.cache
def unavailable() -> str:
    """Why strace cannot be used here; "" if it can."""
    if shutil.which("strace") is None:
        return "strace is not installed (make deps)"
    tried = subprocess.run(
        ["strace", "-f", "-qq", "-o", "/dev/null", "/bin/true"], capture_output=True, check=False
    )
    return "" if tried.returncode == 0 else "this machine does not allow tracing (ptrace)"


def wrapper(log: Path, *calls: str, inject: str = "") -> tuple[str, ...]:
    """The words to put before a server's command, so that `calls` are traced into `log`.

    `inject` is strace's own notation, as in `error=EAGAIN:when=2`, and applies to all `calls`.
    The tracer is the grandchild (-D), so that the server stays the harness's own child.
    """
    names = ",".join(f"?{call}" for call in calls)  # '?': not every machine has every call
    injected = ("-e", f"inject={names}:{inject}") if inject else ()
    return (
        "strace", "-D", "-f", "-qq", "--signal=none", "-o", str(log), "-e", f"trace={names}",
        *injected,
    )  # fmt: skip


@dataclass(frozen=True)
class Log:
    """What strace has written: how often each call was made, and what failed how often."""

    calls: Counter[str]
    failures: Counter[tuple[str, str]]
    injected: int


def read(log: Path) -> Log:
    """The log as counts. A call that was interrupted in the log counts once."""
    calls: Counter[str] = Counter()
    failures: Counter[tuple[str, str]] = Counter()
    injected = 0
    for line in log.read_text(errors="replace").splitlines():
        found = _CALL.match(line)
        if found is None:
            continue
        name, rest = found.groups()
        injected += "(INJECTED)" in rest
        if "<unfinished ...>" not in rest:
            calls[name] += 1
            if failed := _FAILED.search(rest):
                failures[name, failed[1]] += 1
    return Log(calls, failures, injected)
