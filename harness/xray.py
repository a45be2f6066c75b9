"""What is this server? Its processes, threads, waits and descriptors, in words.

`python3 -m harness.xray [PID]` prints it for a running server: this tree's, if none is named.
"""

from __future__ import annotations

import os
import re
import signal
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from harness import proc, syscalls
from harness.descriptors import (
    CHANNEL, CONNECTION, EDGE, EXCLUSIVE, LISTENER, ONE_SHOT, OTHER, Snapshot, Thing, mask, numbers,
)  # fmt: skip

__all__ = ["EDGE", "EXCLUSIVE", "ONE_SHOT", "brief", "full", "mask", "running"]

KIT = Path(__file__).resolve().parent.parent
_ON_DESCRIPTOR = syscalls.ACCEPT | syscalls.RECEIVE | syscalls.SEND | syscalls.EPOLL
_SHOWN = 8  # so many threads or connections of a process are shown one by one


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
    """A headline, and a paragraph per process: its role, its threads, what its descriptors are."""
    pids = proc.tree(pid)
    snapshot = Snapshot(pids)
    things = {each: snapshot.of(each) for each in pids}
    ports = sorted({t.port for found in things.values() for t in found if t.kind == LISTENER})
    where = f" at port {numbers(ports)}" if ports else ", which does not listen"
    headline = f"{_program(pid)}{where}: {brief(pid)}"
    return "\n\n".join([headline, *(_process(each, pid, things) for each in pids)])


def _program(pid: int) -> str:
    try:
        return Path(os.readlink(f"/proc/{pid}/exe").removesuffix(" (deleted)")).name
    except OSError:
        return proc.status(pid).get("Name", f"process {pid}")


def _process(pid: int, first: int, things: dict[int, list[Thing]]) -> str:
    found = proc.stat(pid)
    if found is None:
        return f"process {pid}: has just ended"
    if found.state == "Z":
        return f"process {pid}, child of {found.parent}: a zombie; who waits for it, and when?"
    whose = f"child of {found.parent}" if pid != first else f"started by {_program(found.parent)}"
    lines = [f"process {pid}, {whose}: {_role(pid, first, things)}"]
    rows = [*_threads(proc.tasks(pid), things[pid]), *_descriptors(things[pid])]
    rows += [("signals", _signals(pid)), ("memory", f"{proc.memory(pid) // 1024:,} KiB")]
    return "\n".join(lines + [f"   {label:<9} {text}" for label, text in rows])


def _role(pid: int, first: int, things: dict[int, list[Thing]]) -> str:
    """What a process is for, by what it holds."""
    kinds = Counter(thing.kind for thing in things[pid])
    serves = _count(kinds[CONNECTION], "connection", "connections") if kinds[CONNECTION] else ""
    others = len(things) - 1
    if pid == first and others == 0:
        return "alone; accepts" + (f", and serves {serves}" if serves else "")
    if pid == first:
        doing = f"and holds {serves}" if serves else "and serves nobody itself"
        passes = "passes clients on, " if kinds[CHANNEL] else ""
        return f"the first of {others + 1}; accepts, {passes}{doing}"
    if kinds[LISTENER]:
        return f"holds the listener as well; serves {serves or 'nobody just now'}"
    if any(thing.kind == CHANNEL for thing in things[pid]):
        return f"is given its clients over a channel; serves {serves or 'nobody just now'}"
    return f"serves {serves or 'nobody'}"


def _threads(tasks: Sequence[proc.Task], things: Sequence[Thing]) -> list[tuple[str, str]]:
    named = {thing.fd: thing.kind for thing in things if thing.kind != OTHER}

    def what(task: proc.Task) -> str:
        if task.call not in _ON_DESCRIPTOR or task.state in "TtZ":
            return _place(task)
        kind = f" ({named[task.argument]})" if task.argument in named else ""
        return f"{_place(task)} on fd {task.argument}{kind}"

    if len(tasks) <= _SHOWN:
        return [("thread", what(task)) for task in tasks]
    places = Counter(_place(task) for task in tasks)
    return [(_count(n, "thread", "threads"), place) for place, n in places.most_common()]


def _descriptors(things: Sequence[Thing]) -> list[tuple[str, str]]:
    rows = []
    connections = [thing for thing in things if thing.kind == CONNECTION]
    for thing in things:
        if thing.fd < 3 and thing.kind == OTHER:
            continue  # standard input, output and error
        if thing in connections[_SHOWN:]:
            if thing is connections[-1]:
                rows.append(("fd ...", f"{len(connections) - _SHOWN} more connections"))
            continue
        rows.append((f"fd {thing.fd}", thing.text))
    return rows


def _signals(pid: int) -> str:
    status = proc.status(pid)
    told = []
    for key, word in (("SigIgn", "ignores"), ("SigCgt", "catches"), ("SigBlk", "blocks")):
        bits = int(status.get(key, "0"), 16)
        names = [number.name[3:] for number in signal.Signals if bits >> (number - 1) & 1]
        if names:
            told.append(f"{word} {' '.join(names)}")
    return "; ".join(told) or "as they are by default"


def running(kit: Path = KIT) -> list[int]:
    """The servers of this tree that listen: of each its first process. Those that a check has
    started are left out."""
    ours = {each.pid: each.parent for each in proc.all_processes() if _is_ours(each.pid, kit)}
    first = [pid for pid, parent in ours.items() if parent not in ours]
    return [pid for pid in sorted(first) if _listens(pid)]


def _is_ours(pid: int, kit: Path) -> bool:
    try:
        program = Path(os.readlink(f"/proc/{pid}/exe").removesuffix(" (deleted)"))
    except OSError:
        return False
    below = program.is_relative_to(kit / "build") and program.parent.name == "bin"
    checked = "C10K_LAB_SERVER=" in proc.read_text(f"/proc/{pid}/environ")
    return below and not checked and re.match(r"\d\d-", program.name) is not None


def _listens(pid: int) -> bool:
    pids = proc.tree(pid)
    snapshot = Snapshot(pids)
    return any(thing.kind == LISTENER for each in pids for thing in snapshot.of(each))


def main(words: Sequence[str]) -> int:
    if len(words) > 1 or any(not word.isdigit() for word in words):
        print("usage: python3 -m harness.xray [PID]", file=sys.stderr)
        return 2
    pids = [int(word) for word in words] or running()
    if not pids:
        print("no server of this tree listens: start one, e.g. make run STAGE=04", file=sys.stderr)
        return 1
    for pid in pids:
        if proc.stat(pid) is None:
            print(f"there is no process {pid}", file=sys.stderr)
            return 1
    print("\n\n".join(full(pid) for pid in pids))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
