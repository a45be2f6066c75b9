"""What is this server? Its processes, threads, waits and sockets, in words.

`python3 -m harness.xray PID` prints it for any running server.
"""

from __future__ import annotations

import sys
from collections import Counter

from harness import proc, tcp

EDGE = 1 << 31
ONE_SHOT = 1 << 30
EXCLUSIVE = 1 << 28
_MASK_NAMES = {
    0x1: "IN", 0x2: "PRI", 0x4: "OUT", 0x2000: "RDHUP", EXCLUSIVE: "EXCLUSIVE",
    ONE_SHOT: "ONESHOT", EDGE: "ET",
}  # fmt: skip


def mask(events: int) -> str:
    """`IN|OUT|ET`; ERR and HUP are always reported and left out."""
    return "|".join(name for bit, name in _MASK_NAMES.items() if events & bit) or "nothing"


def brief(pid: int) -> str:
    """One line: how many processes and threads, and where they wait."""
    pids = proc.tree(pid)
    states = [found for each in pids if (found := proc.stat(each))]
    zombies = sum(found.state == "Z" for found in states)
    waits = Counter(_place(task) for each in pids for task in proc.tasks(each))
    threads = sum(count for place, count in waits.items() if place != "zombie")
    where = ", ".join(f"{n} {place}" if n > 1 else place for place, n in waits.most_common())
    return (
        f"{_count(len(states) - zombies, 'process', 'processes')}, "
        f"{_count(threads, 'thread', 'threads')} ({where})"
        + (f", {zombies} zombies" if zombies else "")
    )


def _place(task: proc.Task) -> str:
    if task.state == "Z":
        return "zombie"
    if task.state in "Tt":
        return "stopped"
    return "running" if task.call in ("running", "unknown") else f"waits in {task.call}"


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def full(pid: int) -> str:
    """A paragraph per process: threads, descriptors, sockets, interest lists, signals."""
    inodes = _sockets_by_inode()
    return "\n\n".join(_process(each, inodes) for each in proc.tree(pid))


def _process(pid: int, sockets: dict[int, str]) -> str:
    status = proc.status(pid)
    lines = [f"process {pid} {status.get('Name', '')} (parent {status.get('PPid', '?')})"]
    waits = Counter(_place(task) for task in proc.tasks(pid))
    lines += [f"  {n} x {place}" for place, n in waits.most_common()]
    held = proc.socket_inodes(pid)
    kinds = Counter(sockets.get(inode, "unix or other socket") for inode in held)
    lines += [f"  holds {n} x {kind}" for kind, n in sorted(kinds.items())]
    for epoll in proc.epolls(pid):
        watched = Counter(mask(each.events) for each in proc.interests(pid, epoll))
        wanted = ", ".join(f"{n} x {events}" for events, n in watched.most_common())
        lines.append(f"  epoll {epoll} watches {wanted or 'nothing'}")
    lines.append(f"  {len(proc.descriptors(pid))} descriptors, {proc.memory(pid) // 1024:,} KiB")
    lines.append(f"  ignores signals {status.get('SigIgn')}, catches {status.get('SigCgt')}")
    return "\n".join(lines)


def _sockets_by_inode() -> dict[int, str]:
    found = {}
    for path in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in proc.read_text(path).splitlines()[1:]:
            fields = line.split()
            state, local = int(fields[3], 16), int(fields[1].rpartition(":")[2], 16)
            what = "listener" if state == tcp.LISTEN else f"connection ({tcp.STATES[state]})"
            found[int(fields[9])] = f"{what} at port {local}"
    return found


if __name__ == "__main__":
    if len(sys.argv) != 2 or not sys.argv[1].isdigit():
        sys.exit("usage: python3 -m harness.xray PID")
    print(full(int(sys.argv[1])))
