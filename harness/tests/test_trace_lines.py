"""Lines as strace wrote them on real machines, read as calls."""

from __future__ import annotations

import pytest

from harness.trace.calls import END, Call, parse

LISTENER, PEER = "<TCP:[127.0.0.1:18089]>", "<TCP:[127.0.0.1:18089->127.0.0.1:47984]>"


def one(line: str) -> Call:
    (call,) = parse(7, [line])
    return call


@pytest.mark.parametrize(
    "line, name, value, seconds",
    [
        ("1.5 clone(child_stack=NULL, flags=CLONE_CHILD_CLEARTID|CLONE_CHILD_SETTID|SIGCHLD, "
         "child_tidptr=0x4) = 13259 <0.000300>", "clone", 13259, 0.0003),
        ("1.5 clone3({flags=CLONE_VM|CLONE_FS|CLONE_FILES|CLONE_SIGHAND|CLONE_THREAD, "
         "stack_size=0x7fff00} => {parent_tid=[13291]}, 88) = 13291 <0.000100>",
         "clone3", 13291, 0.0001),
        ("1.5 futex(0x7ffeb02f8018, FUTEX_WAIT_BITSET_PRIVATE|FUTEX_CLOCK_REALTIME, 0, NULL, "
         "FUTEX_BITSET_MATCH_ANY) = 0 <0.212080>", "futex", 0, 0.21208),
        (f"1.5 poll([{{fd=3{LISTENER}, events=POLLIN}}, {{fd=4{PEER}, events=POLLIN}}], 2, -1) = "
         "1 ([{fd=4, revents=POLLIN}]) <0.000036>", "poll", 1, 0.000036),
        (f"1.5 pselect6(5, [3{LISTENER} 4{PEER}], NULL, NULL, NULL, NULL) = 1 (in [4]) <0.000038>",
         "pselect6", 1, 0.000038),
        (f"1.5 epoll_ctl(4<anon_inode:[eventpoll]>, EPOLL_CTL_ADD, 5{PEER}, "
         "{events=EPOLLIN|EPOLLET, data={u32=5, u64=5}}) = 0 <0.00001>", "epoll_ctl", 0, 0.00001),
        ("1.5 exit_group(0)         = ?", "exit_group", None, 0.0),
    ],
)  # fmt: skip
def test_forms(line: str, name: str, value: int | None, seconds: float) -> None:
    call = one(line)
    assert (call.name, call.value, call.start) == (name, value, 1.5)
    assert call.seconds == pytest.approx(seconds)
    assert not call.error


def test_sockets_are_told_apart() -> None:
    both = one(f"1.5 pselect6(5, [3{LISTENER} 4{PEER}], NULL, NULL, NULL, NULL) = 1 (in [4]) <0.1>")
    assert [(each.fd, each.peer, each.listens) for each in both.sockets] == [
        (3, 0, True), (4, 47984, False),
    ]  # fmt: skip
    accepted = one(f"1.5 accept4(3{LISTENER}, NULL, NULL, SOCK_CLOEXEC) = 6{PEER} <0.1>")
    assert accepted.made is not None
    assert (accepted.made.fd, accepted.made.peer, accepted.value) == (6, 47984, 6)
    assert accepted.fd == 3


def test_a_passed_descriptor_is_seen_on_both_sides() -> None:
    control = (
        "{msg_name=NULL, msg_iov=[{iov_base=\"!\", iov_len=1}], msg_control=[{cmsg_len=20, "
        f"cmsg_level=SOL_SOCKET, cmsg_type=SCM_RIGHTS, cmsg_data=[6{PEER}]}}], msg_flags=0}}"
    )
    for line in (
        f"1.5 sendmsg(4<UNIX-STREAM:[32174->32175]>, {control}, 0) = 1 <0.00002>",
        f"1.5 recvmsg(5<UNIX-STREAM:[32175->32174]>, {control}, MSG_CMSG_CLOEXEC) = 1 <0.00002>",
    ):
        call = one(line)
        assert [(each.fd, each.peer) for each in call.sockets] == [(6, 47984)]
        assert call.value == 1


@pytest.mark.parametrize(
    "line, error",
    [
        (f"1.5 recvfrom(5{PEER}, 0x7ffd, 512, 0, NULL, NULL) = -1 EAGAIN (Resource temporarily "
         "unavailable) <0.000041>", "EAGAIN"),
        (f"1.5 accept4(3{LISTENER}, NULL, NULL, SOCK_CLOEXEC) = ? ERESTARTSYS (To be restarted if "
         "SA_RESTART is set) <0.010442>", "ERESTARTSYS"),
    ],
)  # fmt: skip
def test_errors(line: str, error: str) -> None:
    assert one(line).error == error


def test_bytes_that_look_like_a_result_are_none() -> None:
    call = one(f'1.5 recvfrom(5{PEER}, "a) = 7 <0.1>", 512, 0, NULL, NULL) = 12 <0.000041>')
    assert call.value == 12
    assert call.seconds == pytest.approx(0.000041)


@pytest.mark.parametrize(
    "cut",
    [f"1.5 recvfrom(5{PEER},  <unfinished ...>) = ?", f"1.5 recvfrom(5{PEER}, <unfinished ...>"],
)
def test_a_call_in_which_the_task_was_killed_lasts_until_then(cut: str) -> None:
    call, end = parse(7, [cut, "2.75 +++ killed by SIGKILL +++"])
    assert (call.seconds, call.value, call.result) == (1.25, None, "?")
    assert call.sockets[0].peer == 47984
    assert (end.name, end.args, end.start) == (END, "killed by SIGKILL", 2.75)


def test_what_is_no_line_is_left_out() -> None:
    assert parse(7, ["", "strace: something", "1.5 --- SIGCHLD {si_signo=SIGCHLD} ---"]) == []
