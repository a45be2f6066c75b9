"""Processes that belong to a server: who they are, and how they are got rid of.

The harness makes itself a subreaper: a daemon whose parent ended becomes the harness's child
instead of init's, and so cannot hide.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal

from harness import proc

SANITIZER_OPTIONS = {
    "ASAN_OPTIONS": "exitcode=99:detect_leaks=1:disable_coredump=1",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1:exitcode=99",
    "TSAN_OPTIONS": "exitcode=99:report_thread_leaks=0:second_deadlock_stack=1",
}

WRITES_AT_MOST = 64 * 1024 * 1024  # bytes into a file; a server says a line or two
PROCESSES_AT_MOST = 8192  # of one user (getrlimit(2); root is not bound by it)

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_libc = ctypes.CDLL(None, use_errno=True)
_owned: set[int] = set()  # the servers' first processes, which subprocess.Popen waits for


def become_subreaper() -> None:
    """Adopt the orphans of every server that this process starts from now on."""
    _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def before_exec() -> None:
    """For a server's process, before its program starts: no core files, no endless output, no
    life without us; and if memory runs out, it is this process that the kernel ends first."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _lower(resource.RLIMIT_FSIZE, WRITES_AT_MOST)
    _lower(resource.RLIMIT_NPROC, PROCESSES_AT_MOST)
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as score:
        score.write("1000")
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _lower(kind: int, most: int) -> None:
    _, hard = resource.getrlimit(kind)
    if hard == resource.RLIM_INFINITY or hard > most:
        resource.setrlimit(kind, (most, most))


def own(pid: int) -> None:
    """Say that `pid` is a server's first process: its zombie is not for `strays` to reap."""
    _owned.add(pid)


def disown(pid: int) -> None:
    _owned.discard(pid)


def running_tree(root: int) -> list[int]:
    """`root` and its descendants, zombies left out."""
    return [
        pid for pid in proc.tree(root) if (found := proc.stat(pid)) and found.state not in "ZX"
    ]


def strays(root: int, mark: str, since: int) -> list[int]:
    """Running processes other than `root` that came from it; adopted zombies are reaped.

    They are known by their session, or by `mark` (NAME=VALUE) in their environment, which a
    daemon that made a session of its own still carries. None of them started before `since`.
    """
    found = []
    for each in proc.all_processes():
        if each.start < since or each.pid in _owned:
            continue
        if each.state in "ZX":
            if each.parent == os.getpid() and each.session == root:
                _reap(each.pid)
        elif each.session == root or proc.environment_has(each.pid, mark):
            found.append(each.pid)
    return found


def kill(pid: int) -> None:
    """SIGKILL, and reap if it is a child of ours; never raises."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    if pid not in _owned:
        _reap(pid)


def group_lives(leader: int) -> bool:
    """Whether anybody is in the process group that `leader` made. Asked at one blow, so a process
    that is another one at every look is seen, too."""
    try:
        os.killpg(leader, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def kill_group(leader: int) -> None:
    """SIGKILL to the process group that `leader` made, if it is still there; never raises."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


def _reap(pid: int) -> None:
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def status_text(status: int | None) -> str:
    """`exit status 1`, `killed by SIGPIPE`."""
    if status is None:
        return "still running"
    if status == -signal.SIGXFSZ:
        return f"killed by SIGXFSZ: it wrote more than {WRITES_AT_MOST >> 20} MiB of output"
    if status < 0:
        return f"killed by {signal.Signals(-status).name}"
    return f"exit status {status}"
