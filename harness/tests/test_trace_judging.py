"""Verdicts from lines as strace writes them: rare ones, and those that are made to mislead."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness import stages
from harness.stages import LADDER
from harness.tests import traced
from harness.trace import calls, witness
from harness.trace.verdict import HIDDEN, OTHER, PREFORK, UNSEEN, Verdict, summary, verdicts
from harness.trace.who import Cast

L = "<TCP:[127.0.0.1:80]>"
A, B = "<TCP:[127.0.0.1:80->127.0.0.1:4001]>", "<TCP:[127.0.0.1:80->127.0.0.1:4002]>"
GONE = "<TCP:[88353765]>"  # how -yy names a connection whose peer has reset it
EP, UNIX = "<anon_inode:[eventpoll]>", "<UNIX-STREAM:[1->2]>"
FORK = "clone(child_stack=NULL, flags=CLONE_CHILD_CLEARTID|CLONE_CHILD_SETTID|SIGCHLD) = {}"
THREAD = "clone3({{flags=CLONE_VM|CLONE_FS|CLONE_FILES|CLONE_SIGHAND|CLONE_THREAD}}, 88) = {}"
LISTEN, ACCEPT = f"listen(3{L}, 64) = 0", f"accept4(3{L}, NULL, NULL, 0) = 5{A}"
READ, CLOSE = f'recvfrom(5{A}, "GET"..., 2048, 0, NULL, NULL) = 40', f"close(5{A}) = 0"


def cast(*steps: tuple[int, str]) -> Cast:
    """Tasks whose calls come one after the other, a millisecond each. The first task is 1."""
    lines: dict[int, list[str]] = {1: []}
    for count, (task, call) in enumerate(steps):
        lines.setdefault(task, []).append(f"{count / 1000:.6f} {call} <0.000500>")
    return Cast({task: calls.parse(task, each) for task, each in lines.items()}, 1)


def judged(*steps: tuple[int, str]) -> Verdict:
    """The verdict on client A."""
    return verdicts(cast(*steps), [4001])[0]


def passing(verb: str, channel: str, connection: str) -> str:
    rights = f"cmsg_level=SOL_SOCKET, cmsg_type=SCM_RIGHTS, cmsg_data=[{connection}]"
    message = f'msg_iov=[{{iov_base="c", iov_len=1}}], msg_control=[{{cmsg_len=20, {rights}}}]'
    return f"{verb}({channel}, {{{message}, msg_flags=0}}, 0) = 1"


def register(fd: int, what: str, data: int, events: str = "EPOLLIN", verb: str = "ADD") -> str:
    told = f"{{events={events}, data={{u32={data}, u64={data}}}}}"
    return f"epoll_ctl(4{EP}, EPOLL_CTL_{verb}, {fd}{what}, {told}) = 0"


def wakes(data: int) -> str:
    return f"epoll_wait(4{EP}, [{{events=EPOLLIN, data={{u32={data}, u64={data}}}}}], 64, -1) = 1"


@pytest.mark.parametrize("name", traced.NAMES)
def test_recordings(name: str) -> None:
    rows = traced.told(name).rows
    assert all(row.verdict.fits(stages.find(name)) for row in rows), rows
    assert not [
        (stage.name, row)
        for row in rows for stage in LADDER if stage.name != name and row.verdict.fits(stage)
    ]  # fmt: skip


def test_a_thread_is_who_shares_descriptors() -> None:
    """However it was made; and who only shares memory for a moment (vfork) is a process."""
    raw = "clone(child_stack=0x7f, flags=CLONE_VM|CLONE_FILES|SIGCHLD) = 2"
    assert judged((1, ACCEPT), (1, raw), (2, READ)).model == stages.THREAD
    for birth in ("vfork() = 2", "clone(child_stack=0x7f, flags=CLONE_VM|CLONE_VFORK|SIGCHLD) = 2"):
        found = judged((1, ACCEPT), (1, birth), (2, READ))
        assert (found.model, found.reader_is) == (stages.FORK, "process")


def test_a_thread_of_a_thread() -> None:
    steps = (1, THREAD.format(2)), (2, THREAD.format(3)), (1, ACCEPT), (3, READ)
    assert judged(*steps).model == stages.POOL


def test_what_is_said_is_no_call() -> None:
    """Bytes of a client, or of a reply, may look like anything."""
    lie = f'"cmsg_type=SCM_RIGHTS, cmsg_data=[9{B}]}} MSG_PEEK \\" 5{B}"'
    reads = f"recvfrom(5{A}, {lie}, 2048, 0, NULL, NULL) = 40"
    sends = f"sendmsg(5{A}, {{msg_iov=[{{iov_base={lie}, iov_len=9}}]}}, 0) = 9"
    found = judged((1, ACCEPT), (1, reads), (1, sends))
    assert (found.model, found.passed) == (stages.ITERATIVE, False)


def test_who_only_looks_does_not_read() -> None:
    peek = f'recvfrom(5{A}, "G", 1, MSG_PEEK, NULL, NULL) = 1'
    steps = (1, ACCEPT), (1, peek), (1, FORK.format(2)), (2, READ)
    assert judged(*steps).model == stages.FORK
    assert judged((1, ACCEPT), (1, peek)).model == UNSEEN


def test_a_copy_is_the_same_connection() -> None:
    """Also when its client has gone, and strace does not know whose it was."""
    copy, last = f"dup(5{A}) = 7{A}", f'read(7{GONE}, "x", 9) = 1'
    assert judged((1, ACCEPT), (1, copy), (1, CLOSE), (1, last)).model == stages.ITERATIVE


@pytest.mark.parametrize("after", [False, True])
def test_handing_over(after: bool) -> None:
    """With workers who wait in epoll, and who were there before."""
    born, came = (1, FORK.format(2)), (1, ACCEPT)
    steps = [(1, LISTEN), *((came, born) if after else (born, came))]
    steps += [
        (2, f"epoll_create1(EPOLL_CLOEXEC) = 4{EP}"), (2, register(6, UNIX, 9)),
        (1, passing("sendmsg", f"8{UNIX}", f"5{A}")), (1, CLOSE), (2, wakes(9)),
        (2, passing("recvmsg", f"6{UNIX}", f"5{A}")), (2, register(5, A, 1)), (2, wakes(1)),
        (2, READ),
    ]  # fmt: skip
    found = judged(*steps)
    assert (found.model, found.watched, found.born_after) == (stages.HANDOVER, "epoll", after)
    assert found.fits(stages.find("08")) is not after
    assert "passed on by SCM_RIGHTS" in found.evidence()
    assert "in epoll, level-triggered" in found.evidence()


def test_without_passing_nobody_can_read_it_who_was_there_before() -> None:
    assert judged((1, FORK.format(2)), (1, ACCEPT), (2, READ)).model == OTHER


def test_a_child_that_serves_two() -> None:
    b = f"accept4(3{L}, NULL, NULL, 0) = 6{B}"
    steps = [(1, ACCEPT), (1, FORK.format(2)), (2, READ), (1, b), (2, f'read(6{B}, "", 9) = 9')]
    assert [each.model for each in verdicts(cast(*steps), [4001, 4002])] == [OTHER, OTHER]


def test_one_child_that_accepts() -> None:
    """It may be the only one: it is not the process that has made the listener."""
    found = judged((1, LISTEN), (1, FORK.format(2)), (2, ACCEPT), (2, READ))
    assert found.model == PREFORK
    assert judged((1, LISTEN), (1, ACCEPT), (1, READ)).model == stages.ITERATIVE


def test_epoll_tells_by_data_alone() -> None:
    """The number in an event is the server's own, and may come to mean somebody else."""
    steps = [(1, f"epoll_create(1) = 4{EP}"), (1, register(3, L, 0)), (1, ACCEPT)]
    steps += [(1, register(5, A, 77)), (1, wakes(77)), (1, READ)]
    assert judged(*steps).model == stages.EPOLL
    steps[-2] = (1, wakes(78))  # nobody's: then it has not been told
    assert judged(*steps).model == stages.ITERATIVE


@pytest.mark.parametrize(
    "before, later, trigger",
    [
        ("EPOLLIN|EPOLLET", "EPOLLIN|EPOLLOUT|EPOLLET", "edge-triggered"),
        ("EPOLLIN", "EPOLLIN|EPOLLOUT", "level-triggered"),
        ("EPOLLIN|EPOLLONESHOT", "EPOLLIN|EPOLLONESHOT", "level-triggered"),
        ("EPOLLIN", "EPOLLIN|EPOLLET", "level-triggered, then edge-triggered"),
    ],
)
def test_triggers(before: str, later: str, trigger: str) -> None:
    steps = [(1, f"epoll_create(1) = 4{EP}"), (1, register(3, L, 0)), (1, ACCEPT)]
    steps += [(1, register(5, A, 7, before)), (1, wakes(7)), (1, READ)]
    steps += [(1, register(5, A, 7, later, "MOD")), (1, wakes(7)), (1, READ)]
    found = judged(*steps)
    assert (found.model, found.trigger) == (stages.EPOLL, trigger)
    assert found.fits(stages.find("06")) == (trigger == "level-triggered")
    assert found.fits(stages.find("07")) == (trigger == "edge-triggered")


def test_a_set_of_one_is_a_timeout() -> None:
    """Whoever waits for one client only waits for that client, whatever the call."""
    alone = f"poll([{{fd=5{A}, events=POLLIN}}], 1, 1000) = 1 ([{{fd=5, revents=POLLIN}}])"
    two = f"poll([{{fd=3{L}, events=POLLIN}}, {{fd=5{A}, events=POLLIN}}], 2, -1)"
    two += " = 1 ([{fd=5, revents=POLLIN}])"
    assert judged((1, ACCEPT), (1, alone), (1, READ)).model == stages.ITERATIVE
    assert judged((1, ACCEPT), (1, two), (1, READ)).model == stages.POLL
    chosen = f"select(6, [3{L} 5{A}], NULL, NULL, NULL) = 1 (in [5])"
    assert judged((1, ACCEPT), (1, chosen), (1, READ)).model == stages.SELECT


def test_io_uring() -> None:
    """What goes through a ring is not seen; but a ring that is there proves nothing."""
    setup = (1, "io_uring_setup(64, {flags=0, sq_entries=64}) = 4<anon_inode:[io_uring]>")
    assert judged(setup).model == HIDDEN
    assert judged(setup, (1, ACCEPT)).model == HIDDEN
    assert judged(setup, (1, ACCEPT), (1, THREAD.format(2)), (2, READ)).model == stages.THREAD
    refused = (1, "io_uring_setup(64, 0x7ffc) = -1 EPERM (Operation not permitted)")
    assert judged(refused, (1, ACCEPT)).model == UNSEEN


def test_nobody_is_judged_without_names(tmp_path: Path) -> None:
    """Some kernels do not say whose a socket is. That is no server's fault."""
    (tmp_path / "t.1").write_text("1.000000 accept4(3<socket:[7]>, NULL) = 5<socket:[8]> <0.1>\n")
    assert not witness.has_names(witness.read(tmp_path, 1))
    (tmp_path / "t.1").write_text(f"1.000000 {ACCEPT} <0.1>\n")
    assert witness.has_names(witness.read(tmp_path, 1))


def test_a_log_that_is_still_written(tmp_path: Path) -> None:
    """The last lines of a running server's log are calls under way."""
    lines = [f"1.000000 {ACCEPT} <0.1>", f"2.000000 {READ} <0.1>", f"3.000000 accept4(3{L}, "]
    (tmp_path / "t.1").write_text("\n".join(lines))
    (found,) = verdicts(witness.read(tmp_path, 1), [4001])
    assert found.model == stages.ITERATIVE
    assert found.evidence() == "accepted by thread 1, read by the same"


def test_summary() -> None:
    assert summary([]) == "no connection to judge"
    found = verdicts(cast((1, ACCEPT), (1, READ)), [4001, 4002])
    assert summary([*found, found[0]]) == "one client at a time (2 of 3 connections)"
    assert found[1].evidence() == "no accept(2) returned it"


def test_what_each_stage_wants() -> None:
    told = {stage.name: witness.wanted(stage) for stage in LADDER}
    assert len(set(told.values())) == len(LADDER)
    assert "level-triggered" in told["06-epoll-lt"]
    assert "edge-triggered" in told["07-epoll-et"]
