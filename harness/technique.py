"""Which model runs? /proc shows it while a few idle connections are open.

Each function requires what the model's idea implies, and explains what it sees instead.
"""

from __future__ import annotations

import ctypes
import os
import platform
from collections.abc import Callable, Sequence

from harness import proc, stages, syscalls, tcp, xray
from harness.client import Client
from harness.findings import Finding, expect
from harness.instruments import quiet
from harness.server import Server
from harness.stages import Stage

_KCMP = {"x86_64": 312, "aarch64": 272}.get(platform.machine(), 0)
_KCMP_FILE = 0
_OUT = 0x4


def judge(server: Server, clients: Sequence[Client], before: Sequence[int]) -> None:
    """Require that the server is what its stage says.

    `clients` have each been served once and are idle now; `before` are the processes that ran
    when the server had no client yet.
    """
    quiet(server)
    _JUDGES[server.stage.model](server, clients, before)


def connection_inodes(server: Server, clients: Sequence[Client]) -> list[int]:
    """The inodes of the server's ends of these connections; 0: not accepted yet."""
    rows = [tcp.connection(server.port, client.port) for client in clients]
    return [row.inode if row else -1 for row in rows]


def listener_inode(server: Server) -> int:
    row = tcp.listener(server.port)
    if row is None:
        raise Finding(f"nobody listens at port {server.port}")
    return row.inode


def _waits(server: Server, task: proc.Task, allowed: frozenset[str], who: str) -> None:
    expect(
        task.call in allowed,
        f"{who} waits in {task.call}",
        expected=f"{who} of {server.stage.name} waits in {' or '.join(sorted(allowed))}",
    )


def _one_process(server: Server) -> list[proc.Task]:
    pids = server.tree()
    expect(len(pids) == 1, f"{len(pids)} processes", expected="one process")
    return proc.tasks(server.pid)


def _one_thread(server: Server, allowed: frozenset[str]) -> None:
    tasks = _one_process(server)
    expect(len(tasks) == 1, f"{len(tasks)} threads", expected="one thread")
    _waits(server, tasks[0], allowed, "the only thread")


def _no_epoll(server: Server) -> None:
    for pid in server.tree():
        expect(not proc.epolls(pid), f"process {pid} has an epoll descriptor")


def _iterative(server: Server, clients: Sequence[Client], _: Sequence[int]) -> None:
    _one_thread(server, syscalls.RECEIVE | syscalls.POLL)
    _no_epoll(server)
    inodes = connection_inodes(server, clients)
    expect(
        sum(inode != 0 for inode in inodes) == 1,
        f"{sum(inode != 0 for inode in inodes)} of {len(inodes)} connections are accepted",
        expected="one connection is accepted, the others wait in the backlog",
    )


def _fork(server: Server, clients: Sequence[Client], _: Sequence[int]) -> None:
    parent, *children = server.tree()
    expect(
        len(children) == len(clients),
        f"{len(children)} children for {len(clients)} connections",
        expected="a child for each connection",
    )
    inodes, listening = set(connection_inodes(server, clients)), listener_inode(server)
    held = set(proc.socket_inodes(parent))
    expect(listening in held, "the parent does not hold the listener")
    expect(
        not inodes & held,
        f"the parent holds {len(inodes & held)} connections",
        expected="the parent closes its copy: else no client ever sees the end",
    )
    _waits(server, proc.tasks(parent)[0], server.stage.waits, "the parent")
    for child in children:
        mine = set(proc.socket_inodes(child))
        expect(
            listening not in mine,
            f"child {child} holds the listening socket",
            expected="a child closes the listener: else the port stays taken after the parent",
        )
        expect(len(inodes & mine) == 1, f"child {child} holds {len(inodes & mine)} connections")
        (task,) = proc.tasks(child)
        _waits(server, task, syscalls.RECEIVE | syscalls.POLL, "a child")


def _threads(
    server: Server, clients: Sequence[Client], threads: int, expected: str, idle: frozenset[str]
) -> None:
    tasks = _one_process(server)
    expect(
        len(tasks) == threads,
        f"{len(tasks)} threads with {len(clients)} connections",
        expected=expected,
    )
    _no_epoll(server)
    for task in tasks:
        _waits(server, task, server.stage.waits | syscalls.RECEIVE | idle, "each thread")
    receiving = sum(task.call in syscalls.RECEIVE | syscalls.POLL for task in tasks)
    expect(
        receiving >= len(clients),
        f"{receiving} threads wait for bytes of {len(clients)} clients",
        expected="a thread waits for each client",
    )


def _thread(server: Server, clients: Sequence[Client], _: Sequence[int]) -> None:
    _threads(
        server, clients, len(clients) + 1, "one thread more than connections", frozenset()
    )


def _pool(server: Server, clients: Sequence[Client], _: Sequence[int]) -> None:
    workers = int(server.options[server.options.index("--workers") + 1])
    _threads(
        server, clients, workers + 1, f"{workers} workers and one that accepts", syscalls.FUTEX
    )


def _scanning(server: Server, _: Sequence[Client], __: Sequence[int]) -> None:
    _one_thread(server, server.stage.waits)
    _no_epoll(server)
    _non_blocking(server.pid, listener_inode(server), "the listener")


def _epoll(server: Server, clients: Sequence[Client], _: Sequence[int]) -> None:
    _one_thread(server, server.stage.waits)
    watched(server.pid, server.stage, connection_inodes(server, clients))


def watched(pid: int, stage: Stage, inodes: Sequence[int]) -> None:
    """Require that the process's epoll watches these sockets, and in the stage's way."""
    held = proc.socket_inodes(pid)
    listed = [each for epoll in proc.epolls(pid) for each in proc.interests(pid, epoll)]
    interests = {each.inode: each for each in listed}
    targets = {os.stat(f"/proc/{pid}/fd/{fd}").st_ino for fd in proc.descriptors(pid)}
    ghosts = [f"fd {each.fd}" for each in interests.values() if each.inode not in targets]
    expect(
        not ghosts,
        f"epoll still watches {', '.join(ghosts)}, which this process has closed",
        expected="whoever is closed leaves the interest list",
    )
    for inode in inodes:
        mine = interests.get(inode)
        if mine is None:
            raise Finding("a connection is in no interest list", expected="each is watched")
        seen = f"a connection is watched for {xray.mask(mine.events)}"
        edge = bool(mine.events & xray.EDGE)
        if edge != stage.edge_triggered:
            wanted = "edge" if stage.edge_triggered else "level"
            raise Finding(seen, expected=f"{wanted}-triggered interest in {stage.name}")
        expect(
            edge or not mine.events & _OUT,
            seen,
            expected="no interest in OUT while there is nothing to write: a socket with room is "
            "always writable, so the loop would never sleep",
        )
        expect(mine.events & ~xray.ONE_SHOT & ~0x18 & 0xFFFF, f"{seen}: nothing will wake it")
        _non_blocking(pid, inode, "a connection", held)


def _non_blocking(
    pid: int, inode: int, what: str, held: dict[int, int] | None = None
) -> None:
    fd = (held or proc.socket_inodes(pid)).get(inode)
    if fd is not None and not proc.descriptor_flags(pid, fd) & os.O_NONBLOCK:
        raise Finding(
            f"{what} (fd {fd}) is a blocking socket",
            expected="O_NONBLOCK: one blocking call, and all other clients wait with this one",
        )


def _handover(server: Server, clients: Sequence[Client], before: Sequence[int]) -> None:
    master, *workers = server.tree()
    expect(
        sorted(server.tree()) == sorted(before),
        f"processes {sorted(before)} before, {sorted(server.tree())} now",
        expected="the workers exist before the first client comes, and stay",
    )
    expect(len(workers) >= 2, f"{len(workers)} workers", expected="at least two")
    listening, inodes = listener_inode(server), connection_inodes(server, clients)
    masters = proc.socket_inodes(master)
    expect(listening in masters, "the master does not hold the listener")
    _waits(server, proc.tasks(master)[0], server.stage.waits, "the master")
    expect(
        not set(inodes) & set(masters),
        f"the master still holds {len(set(inodes) & set(masters))} connections",
        expected="the master closes its copy once the descriptor has been passed",
    )
    served = [0] * len(workers)
    for number, worker in enumerate(workers):
        held = proc.socket_inodes(worker)
        expect(
            listening not in held,
            f"worker {worker} holds the listening socket",
            expected="only the master accepts",
        )
        mine = [inode for inode in inodes if inode in held]
        served[number] = len(mine)
        (task,) = proc.tasks(worker)
        _waits(server, task, syscalls.EPOLL, "a worker")
        watched(worker, server.stage, mine)
    expect(
        sum(served) == len(clients),
        f"{sum(served)} workers hold the {len(clients)} connections: {served}",
        expected="each connection is held by exactly one worker",
    )
    expect(min(served) > 0, f"connections per worker: {served}", expected="work for each")
    _channels_are_private(master, workers)


def _channels_are_private(master: int, workers: Sequence[int]) -> None:
    held = {pid: set(proc.socket_inodes(pid)) for pid in (master, *workers)}
    for worker in workers:
        for other in {master, *workers} - {worker}:
            common = held[worker] & held[other]
            expect(
                not common,
                f"processes {worker} and {other} both hold {len(common)} sockets",
                expected="each end of a channel belongs to one process: else nobody sees the "
                "other end close",
            )
    for first, second in zip(workers, workers[1:], strict=False):
        pairs = [(a, b) for a in proc.epolls(first) for b in proc.epolls(second)]
        expect(
            not any(_same_file(first, a, second, b) for a, b in pairs),
            f"workers {first} and {second} share an epoll instance",
            expected="each worker makes its own epoll, after fork()",
        )


def _same_file(pid: int, fd: int, other_pid: int, other_fd: int) -> bool:
    """Whether two descriptors are one open file: kcmp(2)."""
    descriptors = ctypes.c_ulong(fd), ctypes.c_ulong(other_fd)
    compared = ctypes.CDLL(None).syscall(_KCMP, pid, other_pid, _KCMP_FILE, *descriptors)
    return bool(_KCMP) and compared == 0


_JUDGES: dict[str, Callable[[Server, Sequence[Client], Sequence[int]], None]] = {
    stages.ITERATIVE: _iterative,
    stages.FORK: _fork,
    stages.THREAD: _thread,
    stages.POOL: _pool,
    stages.SELECT: _scanning,
    stages.POLL: _scanning,
    stages.EPOLL: _epoll,
    stages.HANDOVER: _handover,
}
