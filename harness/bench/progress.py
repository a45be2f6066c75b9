"""What the terminal shows while the benchmark runs: what is being done, and the time left."""

from __future__ import annotations

import sys
import time
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any

from harness.bench.tables import Table

try:
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn
    from rich.progress import Progress as RichProgress
except ImportError:  # plain lines do as well
    Console = None  # type: ignore[assignment, misc]


PLAN_WEIGHT = 300.0  # seconds: so much of what has been done counts as much as the plan


class Progress(AbstractContextManager["Progress"]):
    """A bar on a terminal; elsewhere a line for each new step."""

    def __init__(self, plain: bool) -> None:
        self.total = 0.0
        self._done = 0.0
        self._step = ""
        self._started = time.monotonic()
        self._bar: Any = None
        if Console is not None and not plain and sys.stdout.isatty():
            columns = (BarColumn(30), TextColumn("{task.fields[left]:>9}  {task.description}"))
            # No thread of its own: it would wake up in the middle of a measurement.
            self._bar = RichProgress(*columns, auto_refresh=False, transient=True)
            self._task = self._bar.add_task("", left="")

    def __enter__(self) -> Progress:
        if self._bar:
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar:
            self._bar.stop()

    def show(self, step: str, detail: str = "") -> None:
        """Says what is being done now; plain output keeps to the steps."""
        if self._bar:
            self._bar.update(
                self._task,
                description=f"{step}  {detail}",
                total=self.total,
                completed=self._done,
                left=self._left(),
                refresh=True,
            )
        elif step != self._step:
            print(
                f"{time.monotonic() - self._started:4.0f} s  {self._left():>9}  {step}", flush=True
            )
        self._step = step

    def advance(self, seconds: float) -> None:
        """A step that was planned to take so long is done."""
        self._done += seconds

    def print(self, text: str) -> None:
        """Prints above the bar."""
        if self._bar:
            self._bar.console.print(text, markup=False, highlight=False, soft_wrap=True)
        else:
            print(text, flush=True)

    def table(self, table: Table) -> None:
        """Prints a table, set off by its title."""
        text = table.text()
        if self._bar:
            title, _, rest = text.partition("\n")
            self._bar.console.print(f"\n{title}", style="bold", markup=False, highlight=False)
            text = rest
        self.print(text if self._bar else f"\n{text}\n")

    def _left(self) -> str:
        """By the plan, and ever more by the pace so far."""
        passed = time.monotonic() - self._started
        pace = (passed + PLAN_WEIGHT) / (self._done + PLAN_WEIGHT)
        seconds = round(max(self.total - self._done, 0) * pace)
        return f"{seconds // 60}:{seconds % 60:02d} left"
