"""Cleans up behind a program that was killed before it could do so itself.

Whoever starts servers tells a guardian, a small process in a session of its own: these process
groups, control groups and directories are mine. The guardian sits and reads. When the pipe ends,
its master has ended, be it by SIGKILL; what was not taken back by then is ended and removed.

    python3 -m harness.bench.janitor <pipe
"""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from harness import proc

KIT = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 60.0  # for killed processes to be gone; on a busy machine that takes a while
GROUP, CGROUP, DIRECTORY = "group", "cgroup", "directory"

_pipe: int | None = None  # to this process's own guardian, once there is something to guard


def guard_group(leader: int) -> None:
    """The process group of a server that was started: ended, if we are."""
    _tell("+", GROUP, f"{leader} {_start_of(leader)}")


def release_group(leader: int) -> None:
    """The group has ended."""
    _tell("-", GROUP, str(leader))


def guard_cgroup(group: Path) -> None:
    """A control group that is about to be made, and whoever will be in it."""
    _tell("+", CGROUP, str(group))


def release_cgroup(group: Path) -> None:
    """The control group has been removed."""
    _tell("-", CGROUP, str(group))


def guard_directory(directory: Path) -> None:
    """A directory of temporary files."""
    _tell("+", DIRECTORY, str(directory))


def _tell(sign: str, kind: str, what: str) -> None:
    global _pipe
    if _pipe is None:
        _pipe = _start_guardian()
    with contextlib.suppress(BrokenPipeError):  # killed; then nobody guards
        os.write(_pipe, f"{sign} {kind} {what}\n".encode())


def _start_guardian() -> int:
    """Returns our end of the pipe. Nobody inherits it: it closes when this process ends."""
    theirs, ours = os.pipe()
    command = [sys.executable, "-m", "harness.bench.janitor"]
    guardian = subprocess.Popen(command, stdin=theirs, cwd=KIT, start_new_session=True)
    os.close(theirs)

    def dismiss() -> None:
        os.close(ours)
        guardian.wait()

    atexit.register(dismiss)
    return ours


def guard(lines: Iterable[str]) -> None:
    """The guardian: listens until its master has ended, then cleans up."""
    kept: dict[tuple[str, str], str] = {}
    for line in lines:
        sign, kind, what = line.rstrip("\n").split(" ", 2)
        name, _, start = what.partition(" ") if kind == GROUP else (what, "", "")
        if sign == "+":
            kept[kind, name] = start
        else:
            kept.pop((kind, name), None)
    groups = [Path(name) for kind, name in kept if kind == CGROUP]
    leaders = {int(name): start for (kind, name), start in kept.items() if kind == GROUP}
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        for leader, start in leaders.items():
            _end_group(leader, start)
        groups = [group for group in groups if not _removed(group)]
        leaders = {leader: start for leader, start in leaders.items() if _lives(leader)}
        if not groups and not leaders:
            break
        time.sleep(0.02)
    for kind, name in kept:
        if kind == DIRECTORY:
            shutil.rmtree(name, ignore_errors=True)


def _end_group(leader: int, start: str) -> None:
    """SIGKILL to the group, unless its number is somebody else's by now."""
    if _start_of(leader) in ("", start):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(leader, signal.SIGKILL)


def _lives(leader: int) -> bool:
    return any(each.group == leader and each.state not in "ZX" for each in proc.all_processes())


def _removed(group: Path) -> bool:
    """Whether the control group is gone, once all in it have been killed."""
    with contextlib.suppress(OSError):
        for pid in (group / "cgroup.procs").read_text().split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
        group.rmdir()
    return not group.exists()


def _start_of(pid: int) -> str:
    """When the process was started; nothing if there is none (any more)."""
    found = proc.stat(pid)
    return str(found.start) if found and found.state not in "ZX" else ""


if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    guard(sys.stdin)
