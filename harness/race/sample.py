"""What a running server is just now: processes, threads, memory, CPU share, context switches."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress

from harness import proc, processes, stages
from harness.bench.accounting import CpuMeter
from harness.bench.servers import Contender

FORKING = {stage.name for stage in stages.LADDER if stage.model == stages.FORK}

REST = 4  # looking takes at most one part in so many of the time: a thousand processes take long


class Sampler:
    """Looks at one server, now and then."""

    def __init__(
        self,
        pid: int,
        meter: CpuMeter,
        contender: Contender,
        interval: float = 0.5,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pid, self._meter, self._interval, self._clock = pid, meter, interval, clock
        self._forks = contender.model in FORKING
        self._rest = self._descriptors()  # those it holds when nobody is connected
        self._due = clock() + interval
        self._figures: dict[str, float | None] = {}
        self.begin()

    def begin(self) -> None:
        """CPU time and context switches are counted from now on."""
        self._cpu_ns, self._turns = self._meter.read(self._pid), self._turns_by_task()
        self._at = self._clock()

    def figures(self) -> dict[str, float | None]:
        """The newest look, taken now if one is due. CPU and switches are those since the last."""
        return self.look() if self._clock() >= self._due else self._figures

    def look(self) -> dict[str, float | None]:
        """What the server is now, and what it used since the last look or begin()."""
        started = self._clock()
        cpu_ns, turns = self._meter.read(self._pid), self._turns_by_task()
        at = self._clock()
        switches = sum(max(n - self._turns.get(task, 0), 0) for task, n in turns.items())
        tree = {pid for pid, _ in turns}
        held = len(tree) - 1 if self._forks else max(self._descriptors() - self._rest, 0)
        memory = sum(map(proc.memory, tree)) // 1024
        self._figures = {
            "processes": len(tree),
            "threads": len(turns),
            "held": held,
            "memory_kib": memory or None,  # nothing: another user's, and not ours to read
            "cpu": (cpu_ns - self._cpu_ns) / 1e9 / (at - self._at),
            "switches": switches / (at - self._at),
        }
        self._cpu_ns, self._turns, self._at = cpu_ns, turns, at
        self._due = started + max(self._interval, REST * (self._clock() - started))
        return self._figures

    def _turns_by_task(self) -> dict[tuple[int, int], int]:
        """How often each thread was put on a CPU. One that has ended since is not counted."""
        turns = {}
        for pid in processes.running_tree(self._pid):
            for tid in proc.task_ids(pid):
                fields = proc.read_text(f"/proc/{pid}/task/{tid}/schedstat").split()
                if len(fields) == 3:
                    turns[pid, tid] = int(fields[2])
        return turns

    def _descriptors(self) -> int:
        total = 0
        for pid in proc.tree(self._pid):
            with suppress(OSError):
                total += len(os.listdir(f"/proc/{pid}/fd"))
        return total
