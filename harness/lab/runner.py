"""The other end of warm.py: starts the warm pytest, asks it for runs, and reads verdicts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from harness import processes
from harness.lab.judge import verdict_of
from harness.lab.labs import KIT, Check, Lab, LabError

Event = tuple[str, object]  # ("began", id) ("verdict", Verdict) ("over", None)


class Runner:
    """One warm pytest for one lab. `fileno()` is readable when `events()` has something."""

    def __init__(self, lab: Lab, bin_dir: Path) -> None:
        self.lab = lab
        self.patience = 1.0
        self.busy = False
        self._number = 0  # of the newest run that was asked for
        self._current = 0  # of the run that the events belong to
        self._lost = ""  # the test that failed last: the one to run first
        self._text = b""
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
        requests, self._requests = os.pipe()
        self._events, pipe = os.pipe()
        command = pytest_command(lab, lab.checks, bin_dir, "harness.lab.warm")
        self._process = subprocess.Popen(
            [*command, "--lab-pipe", str(pipe), "--lab-requests", str(requests)],
            cwd=KIT, stdin=subprocess.DEVNULL, stdout=self._log, stderr=subprocess.STDOUT,
            pass_fds=[pipe, requests], start_new_session=True,
            preexec_fn=processes.before_exec,
        )  # fmt: skip
        os.close(pipe)
        os.close(requests)

    def fileno(self) -> int:
        return self._events

    def ask(self, **wanted: object) -> None:
        """Begin a run (warm.py says of what); of one under way nothing more is heard."""
        self._number += 1
        self.busy = True
        request = {"run": self._number, "test": self._lost, **wanted}
        try:
            os.write(self._requests, json.dumps(request).encode() + b"\n")
        except BrokenPipeError:
            raise LabError(self._last_words()) from None

    def stop(self) -> None:
        """End the run under way, if there is one; nothing more is heard of it."""
        if self.busy:
            self.ask(only="none of them")
            self._number += 1
            self.busy = False

    def events(self) -> list[Event]:
        """What has come in, of the newest run only. Call it when `fileno()` is readable.

        LabError if pytest has ended by itself: the labs or the harness are broken.
        """
        data = os.read(self._events, 65536)
        if not data:
            raise LabError(self._last_words())
        *lines, self._text = (self._text + data).split(b"\n")
        return [each for line in lines if (each := self._event(json.loads(line)))]

    def _event(self, told: dict[str, object]) -> Event | None:
        if "run" in told:
            self._current = int(str(told["run"]))
        if "patience" in told:
            self.patience = float(str(told["patience"]))
        if self._current != self._number:
            return None
        if "lost" in told:
            self._lost = str(told["lost"])
        if "over" in told:
            self.busy = False
            return ("over", None)
        if "began" in told:
            return ("began", str(told["began"]))
        if "check" in told:
            return ("verdict", verdict_of(self.lab, told))
        return None

    def close(self) -> None:
        """End it; whatever ran is gone afterwards."""
        os.close(self._requests)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._events)
        self._log.close()

    def _last_words(self) -> str:
        size = os.fstat(self._log.fileno()).st_size
        said = os.pread(self._log.fileno(), 3000, max(0, size - 3000)).decode(errors="replace")
        return f"the checks cannot be run: {said.strip()}"


def pytest_command(
    lab: Lab, checks: Sequence[Check], bin_dir: Path, plugin: str
) -> list[str]:
    """pytest with the modules that these checks need, and with one more plugin."""
    modules = sorted({test.partition("::")[0] for each in checks for test in each.tests})
    return [
        sys.executable, "-m", "pytest", "-q", "-p", "harness.lab.plugin", "-p", plugin,
        *(f"harness/checks/{each}" for each in modules),
        "-c", str(KIT / "pyproject.toml"), "--rootdir", str(KIT),
        "--stage", lab.name, "--bin-dir", str(bin_dir), "--lab", str(lab.path),
    ]  # fmt: skip
