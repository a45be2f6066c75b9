"""What a tree of processes has used: CPU time in nanoseconds, and memory.

A server may be a process, a thousand threads, or children that live for one connection. The
kernel's 10 ms ticks in /proc/PID/stat lose most of that, so time comes from a control group
of the server's own, which counts the dead as well, or else from the processes' CPU clocks.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from harness import proc, processes
from harness.bench import janitor

CGROUP_ROOT = Path("/sys/fs/cgroup")
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


def pss_kib(pid: int) -> int:
    """The tree's memory in KiB, a page that n processes share counted as 1/n in each."""
    return sum(map(proc.memory, proc.tree(pid))) // 1024


def kernel_kib() -> int:
    """What the kernel has taken for sockets, stacks of threads, tables of pages and all else, for
    the whole machine: what one server costs is the difference it makes."""
    proc.read_text("/proc/sys/vm/stat_refresh")  # each cpu counts for itself: adds that up
    slab = _objects_kib() or meminfo_kib("Slab")
    return slab + meminfo_kib("KernelStack", "PageTables")


def _objects_kib() -> int:
    """The kernel's objects that are in use; 0 for who may not know (slabinfo(5)). The room for
    them is no measure: what the last server left is filled up first."""
    lines = (line.split() for line in proc.read_text("/proc/slabinfo").splitlines()[2:])
    return sum(int(fields[1]) * int(fields[3]) for fields in lines) // 1024


def meminfo_kib(*names: str) -> int:
    """The sum of these lines of /proc/meminfo."""
    lines = (line.split() for line in proc.read_text("/proc/meminfo").splitlines())
    return sum(int(fields[1]) for fields in lines if fields[0].rstrip(":") in names)


@dataclass(frozen=True)
class Memory:
    """What a server and its connections take."""

    user_kib: int
    kernel_kib: int


def memory(pid: int) -> Memory:
    """As it is now, of the tree and of the kernel."""
    return Memory(pss_kib(pid), kernel_kib())


def processes_and_threads(pid: int) -> tuple[int, int]:
    """How many there are in the tree; each process is at least one thread."""
    tree = processes.running_tree(pid)
    return len(tree), sum(len(proc.task_ids(each)) for each in tree)


@dataclass(frozen=True)
class CpuMeter:
    """Reads the CPU time of one server and of all it started."""

    source: str
    groups: tuple[Path, ...]  # the server joins these before it starts
    read: Callable[[int], int]  # pid of the server -> nanoseconds so far

    def settled(self, pid: int, patience: float = 0.5) -> int:
        """Waits until the server is at rest, so that closing its connections is on its bill."""
        deadline = time.monotonic() + patience
        quiet, now = 0, self.read(pid)
        while quiet < 2 and time.monotonic() < deadline:
            time.sleep(0.005)
            before, now = now, self.read(pid)
            quiet = quiet + 1 if now - before < 100_000 else 0
        return now

    def close(self) -> None:
        """Removes the server's groups; a group that is not empty yet is left to the kernel."""
        for group in self.groups:
            with suppress(OSError):
                group.rmdir()
                janitor.release_cgroup(group)


def cpu_meter(name: str) -> CpuMeter:
    """The most exact meter that this machine allows."""
    for create in (_cpuacct_meter, _unified_meter):
        with suppress(OSError):
            return create(f"c10k-bench-{os.getpid()}-{name}")
    return CpuMeter("process clocks (reaped children in 10 ms steps)", (), _clocks)


def _cpuacct_meter(name: str) -> CpuMeter:
    group = _new_group("cpuacct", name)
    groups = [group]
    with suppress(OSError):  # the largest share there is: neighbours then hardly disturb a run
        shielded = _new_group("cpu", name)
        groups += [shielded] if shielded != group else []
        (shielded / "cpu.shares").write_text("262144")
    usage = group / "cpuacct.usage"
    return CpuMeter("cgroup v1 cpuacct.usage", tuple(groups), lambda pid: int(usage.read_text()))


def _unified_meter(name: str) -> CpuMeter:
    group = _new_group("", name)
    stat = group / "cpu.stat"

    def read(pid: int) -> int:
        fields = dict(line.split() for line in stat.read_text().splitlines())
        return int(fields["usage_usec"]) * 1000

    read(0)
    with suppress(OSError):
        (group / "cpu.weight").write_text("10000")
    return CpuMeter("cgroup v2 cpu.stat", (group,), read)


def _new_group(controller: str, name: str) -> Path:
    """A child of our own group in the given v1 hierarchy, or in v2 where the name is empty."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if controller in controllers.split(","):
            roots = [CGROUP_ROOT / (controllers or "unified"), CGROUP_ROOT / controller]
            root = roots[0] if (roots[0] / "cgroup.procs").exists() else roots[1]
            group = root / path.lstrip("/") / name
            janitor.guard_cgroup(group)
            group.mkdir(exist_ok=True)
            if not os.access(group / "cgroup.procs", os.W_OK):
                raise PermissionError(group)
            return group
    raise FileNotFoundError(f"no {controller or 'unified'} control groups")


def _clocks(pid: int) -> int:
    """CPU clocks of the living (ns, ended threads included) plus what they have reaped."""
    total = 0
    for member in proc.tree(pid):
        with suppress(OSError):
            total += time.clock_gettime_ns((~member << 3) | 2)  # clock_getcpuclockid(3)
            reaped = proc.read_text(f"/proc/{member}/stat").rpartition(")")[2].split()[13:15]
            total += sum(map(int, reaped)) * 1_000_000_000 // TICKS_PER_SECOND
    return total
