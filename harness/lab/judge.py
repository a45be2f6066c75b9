"""Grades one lab: builds its server, runs its checks in a process of their own, keeps the score.

The score is kept here and nowhere else. A server never sees the pipe that verdicts come over, so
nothing it prints, writes or kills can earn a point; and whatever hangs is cut off and named.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from harness import proc, processes
from harness.lab.labs import KIT, Check, Lab
from harness.lab.result import ERROR, FAILED, PASSED, SKIPPED, Result, Verdict

BUILD_SECONDS = 300.0
LAB_SECONDS = 150.0  # times patience; a lab that passes takes a tenth of it
SANITIZER_FACTOR = 4.0

_OVERTIME = "the time for a whole lab was used up here; what comes after was not judged"
_KILLED = (
    "the process that judges was killed while your server ran: does it send signals to others than "
    "its own children (kill(0), kill(-1), getppid())? What comes after was not judged"
)
_BLAMES = (_OVERTIME, _KILLED)

OnVerdict = Callable[[Verdict], None]


def _ignore(_: Verdict) -> None:
    pass


def judge(
    lab: Lab,
    *,
    bin_dir: Path | None = None,
    only: Sequence[str] = (),
    on_verdict: OnVerdict = _ignore,
    on_start: Callable[[Check], None] = lambda _: None,
) -> Result:
    """Grade `lab`; builds it first unless `bin_dir` says where its server already is."""
    began = time.monotonic()
    if bin_dir is None:
        bin_dir = KIT / "build" / "bin"
        log = build(lab)
        if log:
            return unbuilt(lab, log, time.monotonic() - began)
    run = _Run(lab, bin_dir, only)
    for event in run.events():
        if "began" in event:
            on_start(lab.check(str(event["began"])))
        elif "check" in event:
            on_verdict(run.enter(event))
    verdicts = run.verdicts()
    return Result(lab.name, lab.title, verdicts, time.monotonic() - began, run.patience)


def build(lab: Lab, kit: Path = KIT) -> str:
    """Build the lab's server; what the compiler said when that failed, else nothing."""
    command = ["make", "-s", "--no-print-directory", lab.name]
    environment = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MAKELEVEL")}
    try:
        ended = subprocess.run(
            command, cwd=kit, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, timeout=BUILD_SECONDS, text=True, errors="replace",
            check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return f"{' '.join(command)} did not end within {BUILD_SECONDS:.0f} s"
    return "" if ended.returncode == 0 else ended.stdout or f"{' '.join(command)} failed"


def first_error(log: str) -> str:
    """The first error of a compiler's log with its source line, or the log's last lines."""
    lines = log.splitlines()
    for at, line in enumerate(lines):
        if re.search(r"(error|undefined reference)\b", line):
            return "\n".join(lines[at : at + 4])
    return "\n".join(lines[-8:])


def unbuilt(lab: Lab, log: str, seconds: float) -> Result:
    """What there is to say when the compiler refuses: nothing was judged."""
    why = {"actual": "cannot be judged until it builds"}
    verdicts = tuple(Verdict(c.id, c.title, 0, c.points, SKIPPED, 0.0, why) for c in lab.checks)
    return Result(lab.name, lab.title, verdicts, seconds, 1.0, first_error(log), log[-20_000:])


def verdict_of(lab: Lab, event: dict[str, object]) -> Verdict:
    """The verdict in one event of the plugin's. Points are given here."""
    check = lab.check(str(event["check"]))
    status = str(event["status"])
    rows = dict(event["rows"])  # type: ignore[call-overload]
    if status not in (PASSED, SKIPPED):
        rows = _with_commands(lab, check, rows)
    points = check.points if status == PASSED else 0
    most = 0 if event.get("not_here") else check.points  # nobody loses points to a machine
    seconds = float(str(event["seconds"]))
    return Verdict(check.id, check.title, points, most, status, seconds, rows)


def _with_commands(lab: Lab, check: Check, rows: dict[str, str]) -> dict[str, str]:
    slowly = f"make try LAB={lab.number} T={check.id}     # the same, slowly"
    by_hand = f"\n{rows['try it']}" if rows.get("try it") else ""
    return rows | {
        "try it": slowly + by_hand,
        "read": f"{lab.readme}#{check.anchor}; make hint LAB={lab.number}",
    }


class _Run:
    """pytest at work on one lab."""

    def __init__(self, lab: Lab, bin_dir: Path, only: Sequence[str]) -> None:
        self._lab = lab
        self._checks = [c for c in lab.checks if not only or c.id in only]
        self._known: dict[str, Verdict] = {}
        self._complaint = ""
        self._current = self._checks[0].id if self._checks else ""
        self.patience = 1.0
        processes.become_subreaper()
        self._out, pipe = os.pipe()
        modules = {test.partition("::")[0] for check in lab.checks for test in check.tests}
        self._process = subprocess.Popen(
            [
                sys.executable, "-m", "pytest", "-q", "-c", str(KIT / "pyproject.toml"),
                "-p", "harness.lab.plugin",
                *(f"harness/checks/{each}" for each in sorted(modules)),
                "--rootdir", str(KIT), "--stage", lab.name, "--bin-dir", str(bin_dir),
                "--lab", str(lab.path), "--lab-pipe", str(pipe), "--lab-only", " ".join(only),
            ],
            cwd=KIT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            pass_fds=[pipe], start_new_session=True, preexec_fn=processes.before_exec,
        )  # fmt: skip
        os.close(pipe)

    def events(self) -> Iterator[dict[str, object]]:
        """What the plugin tells, until pytest ends or its time is over; then nothing is left."""
        assert self._process.stdout is not None
        chatter = self._process.stdout.fileno()
        text, said, waiting = b"", b"", {self._out, chatter}
        end = time.monotonic() + LAB_SECONDS
        try:
            while waiting:
                left = end - time.monotonic()
                ready = select.select(waiting, [], [], max(left, 0))[0] if left > 0 else []
                if not ready:
                    self._complaint = _OVERTIME
                    return
                for fd in ready:
                    data = os.read(fd, 65536)
                    if not data:
                        waiting.discard(fd)
                    elif fd == chatter:
                        said = (said + data)[-20_000:]
                    else:
                        *lines, text = (text + data).split(b"\n")
                        for event in map(json.loads, lines):
                            if "patience" in event:
                                self.patience = event["patience"]
                                end += LAB_SECONDS * (self.patience * SANITIZER_FACTOR - 1)
                            self._current = str(event.get("began", self._current))
                            yield event
            status = self._process.wait()
            if len(self._known) < len(self._checks):
                self._complaint = _stopped(status, said.decode(errors="replace").strip())
        finally:
            self._sweep()

    def enter(self, event: dict[str, object]) -> Verdict:
        verdict = verdict_of(self._lab, event)
        self._known[verdict.id] = verdict
        return verdict

    def verdicts(self) -> tuple[Verdict, ...]:
        return tuple(self._known.get(c.id) or self._undecided(c) for c in self._checks)

    def _undecided(self, check: Check) -> Verdict:
        rows = {"actual": self._complaint or "not run"}
        status = SKIPPED
        if check.id == self._current:  # whatever happened, it happened here
            status = FAILED if self._complaint in _BLAMES else ERROR
            rows = _with_commands(self._lab, check, rows)
        return Verdict(check.id, check.title, 0, check.points, status, 0.0, rows)

    def _sweep(self) -> None:
        """End pytest if it still runs, and what its servers may have left."""
        pid = self._process.pid
        os.close(self._out)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()
        mark = f"C10K_LAB_SERVER={pid}."
        while left := [p.pid for p in proc.all_processes() if _has_mark(p.pid, mark)]:
            for each in left:
                processes.kill(each)


def _stopped(status: int, said: str) -> str:
    """Why pytest ended before its time."""
    return _KILLED if status < 0 else f"the grader stopped: {said[-2000:]}"


def _has_mark(pid: int, mark: str) -> bool:
    with contextlib.suppress(OSError):
        return f"\0{mark}" in "\0" + Path(f"/proc/{pid}/environ").read_text(errors="replace")
    return False
