"""What a server cannot do by its nature, or here: the reason beside the end of its line."""

from __future__ import annotations

import os
import resource
from dataclasses import dataclass
from pathlib import Path

from harness import proc
from harness.bench.accounting import meminfo_kib
from harness.bench.loads import Load
from harness.bench.servers import ROOFLINE_THREAD, Contender, Kind

SELECT_CONNECTIONS = 1010  # 1,024 descriptors, less those a server needs for itself
POOL_WORKERS = 4096 - 28  # the most that --workers takes, less some to spare
OURS = 0.5  # the part of the machine's processes, threads and memory that a server may have
WAITING = 0.4  # of processes and threads: the part of all that wait for their turn
RESERVED = 100  # descriptors that a server or client needs for itself
FORK_KIB = 200  # of a process, with what the kernel needs for it
PREFORK_CONNECTIONS = 1010


@dataclass(frozen=True)
class Bounds:
    """What this machine has."""

    descriptors: int  # of one process
    tasks: int  # processes and threads, of all there may be
    tasks_reason: str
    memory_kib: int  # free

    def most_tasks(self) -> tuple[int, str]:
        """Processes or threads that one server may have, and why not more."""
        return int(self.tasks * OURS), f"half of {self.tasks_reason}"

    def waiting_tasks(self) -> int:
        """What all servers together may have that wait while another one has its turn."""
        return int(self.tasks * WAITING)


def bounds() -> Bounds:
    """What this machine has."""
    _, descriptors = resource.getrlimit(resource.RLIMIT_NOFILE)
    _, processes = resource.getrlimit(resource.RLIMIT_NPROC)
    reasons = {"pid_max": _number("/proc/sys/kernel/pid_max"),
               "threads-max": _number("/proc/sys/kernel/threads-max"),
               "max_map_count": _number("/proc/sys/vm/max_map_count") // 2,  # a stack is two maps
               "the group's pids.max": _pids_max()}  # fmt: skip
    if os.geteuid() != 0 and processes != resource.RLIM_INFINITY:
        reasons["ulimit -u"] = processes
    name, tasks = min(((n, v) for n, v in reasons.items() if v > 0), key=lambda pair: pair[1])
    return Bounds(descriptors, tasks, f"{name} ({tasks:,})", meminfo_kib("MemAvailable"))


def capacity(server: Contender, machine: Bounds) -> tuple[int, str]:
    """How many connections the server can have at once, and what ends it there."""
    model = server.model
    tasks, reason = machine.most_tasks()
    if model == "00-iterative":
        return 1, "one client at a time"
    if model == "04-select":
        return SELECT_CONNECTIONS, "select: descriptors end at 1,023"
    if model == "03-pool":
        return min(POOL_WORKERS, tasks), "a worker for each: --workers ends at 4,096"
    if model == "01-fork":
        by_memory = int(machine.memory_kib * OURS / FORK_KIB)
        if by_memory < tasks:
            tasks, reason = by_memory, f"half of the free memory ({machine.memory_kib >> 20} GiB)"
        return tasks, f"a process each: more than {reason}"
    if model == "apache-prefork":
        return min(PREFORK_CONNECTIONS, tasks), "a process each: thousands take too long to start"
    if model in ("02-thread", "apache-worker", "apache-event", ROOFLINE_THREAD):
        return tasks, f"a thread each: more than {reason}"
    return machine.descriptors - RESERVED, f"descriptors end at {machine.descriptors:,}"


def limit(server: Contender, load: Load, machine: Bounds) -> str:
    """Why the server cannot take the load; nothing if it can."""
    if load.total > machine.descriptors - RESERVED:
        return f"the client's descriptors end at {machine.descriptors:,}"
    if load.closing or server.kind is Kind.TARGET:
        return ""
    most, reason = capacity(server, machine)
    return reason if load.total > most else ""


def _number(path: str) -> int:
    text = proc.read_text(path).strip()
    return int(text) if text.isdigit() else 0


def _pids_max() -> int:
    """The least of the limits of our control groups, as a container has one; 0 if there is none."""
    found = []
    for line in proc.read_text("/proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers in ("", "pids"):
            root = Path("/sys/fs/cgroup", "pids" if controllers else "")
            group = root / path.lstrip("/")
            found += [_number(str(each / "pids.max")) for each in (group, *group.parents)
                      if each.is_relative_to(root)]  # fmt: skip
    return min((number for number in found if number), default=0)
