"""Kills the process that serves a client, in the middle of its request."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Sequence

from harness.clock import happens
from harness.server import Server
from harness.trace import barriers
from harness.trace.recording import Visitor
from harness.trace.scenarios import Scenario


class Killer:
    """Strikes at the scenario's moment, but not before the server has read what was sent."""

    def __init__(
        self, scenario: Scenario, server: Server, visitors: Sequence[Visitor], zero: float
    ) -> None:
        self.scenario, self.server, self.visitors, self.zero = scenario, server, visitors, zero
        self.moment: float | None = None
        self.note = ""
        self._done = threading.Event()

    def strike(self) -> None:
        """Wait for the moment, find the process, kill it."""
        at = self.scenario.kills_at
        try:
            victim = next(each for each in self.visitors if each.name == self.scenario.kills)
            time.sleep(max(0.0, self.zero + at / 1000 - time.time()))
            happens(
                lambda: barriers.has_read(
                    self.server, self.scenario.scripts, self.visitors, at
                ),
                barriers.SECONDS,
            )
            happens(lambda: barriers.process_of(self.server, victim), barriers.SECONDS)
            self._kill(victim)
        finally:
            self._done.set()

    def late(self, at: float) -> float:
        """By how many seconds that is to be put off which is planned for `at` milliseconds. What
        comes after the blow waits for it, and comes as much later as the blow did."""
        if at <= self.scenario.kills_at:
            return 0.0
        self._done.wait()  # it has bounds of its own
        return max(0.0, (self.moment or 0.0) - self.scenario.kills_at / 1000)

    def _kill(self, victim: Visitor) -> None:
        pid = barriers.process_of(self.server, victim)
        if not pid:
            self.note = f"nobody but the first process has {victim.name}: none was killed"
            return
        self.moment = time.time() - self.zero
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        self.note = f"the process that serves {victim.name} is killed"
