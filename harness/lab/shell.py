"""A bash that is told commands one by one, and is alone with what it starts.

It has its own network, so that every port is free, and its own processes, of which none outlives
it, where the kernel lets us (`unshare`); else a session of its own that is swept in the end.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import re
import select
import signal
import subprocess
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

from harness import proc, processes

COMMAND_SECONDS = 30.0
BUILD_SECONDS = 600.0  # for what calls make
BEFORE_STOP_SECONDS = 1.0  # between a program's first words and Ctrl-C
LATE_SECONDS = 3.0  # what comes from the background may be a little late
_SERVER = re.compile(  # it starts one, and may go on at once
    r"(build/bin/|make run\b)[^;|&]*&(\s*\w+=\$!)?(\s*;?\s*sleep [\d.]+)?\s*$"
)
_CHATTER = re.compile(  # of a shell about its jobs
    r"\[\d+\]([-+]?\s.*)?|bash: line \d+: +\d+ (Killed|Terminated|Hangup|Interrupt)\b.*"
)
# Whoever types `kill %1` and then something else finds that job ended and forgotten, which takes a
# moment.
_LOOP = r"""
set -m
while IFS= read -r -d '' -u 8 command; do
  jobs >/dev/null
  eval "$command" 8<&- 9>&- </dev/null
  status=$?
  if [[ $command =~ ^kill\ +(-[A-Z0-9]+\ +)*(%[0-9 %]+)$ ]]; then
    for job in ${BASH_REMATCH[2]}; do
      while [[ -n $(jobs -r "$job" 2>/dev/null) ]]; do sleep 0.02; done
    done
  fi
  printf '%d\n' $status >&9
done
"""
_FIRST_DESCRIPTOR = 20  # of ours: below are those that a shell and its programs have
_ALONE = ["--net", "--pid", "--fork", "--kill-child", "--mount-proc"]
_KEPT = ("HOME", "USER", "LOGNAME", "TMPDIR")


_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


class Hung(Exception):
    """A command did not end in its time, or ended the shell."""


@cache
def isolation() -> tuple[str, ...]:
    """The command that gives a program its own network and processes; empty if none may."""
    for more in ([], ["--user", "--map-root-user"]):
        command = ["unshare", *more, *_ALONE]
        try:
            tried = subprocess.run([*command, "ip", "link", "set", "lo", "up"], capture_output=True)
        except FileNotFoundError:
            break
        if tried.returncode == 0:
            return tuple(command)
    return ()


def _end_with_us() -> None:
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _pipe() -> tuple[int, int]:
    low = os.pipe()
    ends = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, _FIRST_DESCRIPTOR) for end in low]
    for end in low:
        os.close(end)
    return ends[0], ends[1]


def tidy(text: str) -> str:
    """Without what a shell says about jobs, and without spaces at the ends of lines."""
    lines = (line.rstrip() for line in text.splitlines())
    return "\n".join(line for line in lines if not _CHATTER.fullmatch(line))


class Shell:
    """A session in `folder`. A context manager: at its end nothing of it runs any more.

    `patience`: how many times the usual limits a command may take."""

    def __init__(
        self, folder: Path, environment: dict[str, str] | None = None, patience: float = 1.0
    ) -> None:
        self._times = patience
        commands, self._commands = _pipe()
        self._status, status = _pipe()
        alone = isolation()
        script = ("ip link set lo up\n" if alone else "") + _LOOP
        kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
        kept |= {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C", "TERM": "dumb"}
        self._process = subprocess.Popen(
            [*alone, "bash", "-c", f"exec 8<&{commands}- 9>&{status}-\n{script}"],
            cwd=folder, env=kept | (environment or {}), pass_fds=[commands, status],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            start_new_session=True, preexec_fn=_end_with_us,
        )  # fmt: skip
        os.close(commands)
        os.close(status)
        assert self._process.stdout is not None
        self._output = self._process.stdout.fileno()
        self._heard = b""

    def __enter__(self) -> Shell:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        while left := self._processes():
            for each in left:
                processes.kill(each.pid)
            time.sleep(0.01)
        os.close(self._commands)
        os.close(self._status)
        assert self._process.stdout is not None
        self._process.stdout.close()

    def _is_ours(self, each: proc.Stat) -> bool:
        return each.session == self._process.pid and each.state not in "ZX"

    def run(self, command: str, complete: Callable[[str], bool]) -> tuple[int, str]:
        """A command's status and output, also what comes a little late until it is `complete`.

        A server is waited for until it listens, and who is killed, until it has ended: that is
        what somebody who types would do.
        """
        os.write(self._commands, command.encode() + b"\0")
        status = self._await_status(self._patience(command))
        if _SERVER.search(command):
            self._listen(lambda text: "listening on" in text, self._patience(command))
        self._listen(complete, self._times * LATE_SECONDS)
        text, self._heard = self._text(), b""
        return status, text

    def run_until_stopped(self, command: str) -> str:
        """What a command prints before and after Ctrl-C, which it gets when it has said something
        and a moment has passed. Hung if it says nothing, or does not end."""
        others = {each.group for each in self._processes()}
        # Without a terminal, a shell would end with what Ctrl-C has ended, were it not a job.
        os.write(self._commands, f"{{ {command}\n}} & wait $!".encode() + b"\0")
        self._listen(lambda text: bool(text.strip()), self._patience(command))
        self._listen(lambda _: False, BEFORE_STOP_SECONDS)
        if not self._text().strip():
            raise Hung("says nothing that could be waited for")
        jobs = [each for each in self._processes() if each.group not in others]
        if job := min(jobs, key=lambda each: each.start, default=None):
            os.killpg(job.group, signal.SIGINT)
        self._await_status(self._patience(""))
        text, self._heard = self._text(), b""
        return text

    def _patience(self, command: str) -> float:
        makes = re.search(r"\bmake\b", command)
        return self._times * (BUILD_SECONDS if makes else COMMAND_SECONDS)

    def _processes(self) -> list[proc.Stat]:
        return [each for each in proc.all_processes() if self._is_ours(each)]

    def _text(self) -> str:
        return tidy(self._heard.decode(errors="replace"))

    def _await_status(self, seconds: float) -> int:
        end = time.monotonic() + seconds
        while True:
            ready = self._wait([self._status, self._output], end)
            if self._output in ready:
                if not self._hear():
                    raise Hung("ended the shell")
            elif self._status in ready:  # not before all that it has written is read
                return int(self._answer())
            elif not ready:
                raise Hung(f"has not ended after {seconds:.0f} s; so far: {self._text() or '-'}")

    def _answer(self) -> bytes:
        if not (status := os.read(self._status, 16)):
            raise Hung("ended the shell")
        return status

    def _listen(self, enough: Callable[[str], bool], seconds: float) -> None:
        end = time.monotonic() + seconds
        while not enough(self._text()) and self._wait([self._output], end) and self._hear():
            pass

    def _wait(self, sources: list[int], end: float) -> list[int]:
        return select.select(sources, [], [], max(0.0, end - time.monotonic()))[0]

    def _hear(self) -> bool:
        data = os.read(self._output, 65_536)
        self._heard += data
        return bool(data)
