"""The x-ray must name things rightly: it is what students look at when they do not understand."""

from __future__ import annotations

import os
import select
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from harness import descriptors, proc, unix, xray
from harness.clock import happens
from harness.descriptors import CHANNEL, CONNECTION, EPOLL, LISTENER, Snapshot, mask, numbers


@pytest.fixture
def kept() -> Iterator[ExitStack]:
    """Closes what a test has opened."""
    with ExitStack() as stack:
        yield stack


def thing(fd: int) -> descriptors.Thing:
    """What this process's descriptor is said to be."""
    found = {each.fd: each for each in Snapshot([os.getpid()]).of(os.getpid())}
    return found[fd]


def test_masks_and_numbers() -> None:
    assert mask(0x80000019) == "IN|ET"
    assert mask(0x18) == "nothing"
    assert numbers([5, 4]) == "4 5"
    assert numbers(range(20)) == "0 1 2 3 4 5 6 7 and 12 more"


def test_listener_with_a_backlog(kept: ExitStack) -> None:
    listener = kept.enter_context(socket.create_server(("127.0.0.1", 0)))
    port = listener.getsockname()[1]
    kept.enter_context(socket.create_connection(("127.0.0.1", port)))
    assert happens(lambda: "1 in the backlog" in thing(listener.fileno()).text)
    found = thing(listener.fileno())
    assert (found.kind, found.port) == (LISTENER, port)
    assert found.text == f"listener at 127.0.0.1:{port}, 1 in the backlog, blocking"


def test_connection_with_unread_bytes(kept: ExitStack) -> None:
    listener = kept.enter_context(socket.create_server(("127.0.0.1", 0)))
    client = kept.enter_context(socket.create_connection(listener.getsockname()))
    accepted, _ = listener.accept()
    kept.enter_context(accepted)
    accepted.setblocking(False)
    client.sendall(b"12345")
    port = client.getsockname()[1]
    wanted = f"connection from port {port}, 5 bytes unread"
    assert happens(lambda: thing(accepted.fileno()).text == wanted)
    assert thing(accepted.fileno()).kind == CONNECTION


def test_both_ends_of_a_channel(kept: ExitStack) -> None:
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    kept.enter_context(one)
    kept.enter_context(other)
    inodes = [os.fstat(each.fileno()).st_ino for each in (one, other)]
    if not (peers := unix.peers()):
        pytest.skip("this kernel does not tell the peers of UNIX sockets")
    assert peers[inodes[0]] == inodes[1]
    found = thing(one.fileno())
    assert (found.kind, found.process) == (CHANNEL, os.getpid())
    assert f"fd {other.fileno()} there" in found.text


def test_levels_and_edges(kept: ExitStack) -> None:
    epoll = kept.enter_context(select.epoll())
    one, other = map(kept.enter_context, socket.socketpair())
    assert thing(epoll.fileno()).text == "epoll, watches nothing"
    epoll.register(one, select.EPOLLIN)
    epoll.register(other, select.EPOLLIN | select.EPOLLOUT | select.EPOLLET)
    found = thing(epoll.fileno())
    assert found.kind == EPOLL
    assert f"fd {one.fileno()} for IN (level-triggered)" in found.text
    assert f"fd {other.fileno()} for IN|OUT|ET (edge-triggered)" in found.text


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="no pidfd_open")
def test_pidfd_and_zombie() -> None:
    with subprocess.Popen(["/bin/sleep", "60"]) as child:
        fd = os.pidfd_open(child.pid)
        assert thing(fd).process == child.pid
        assert f"process {child.pid}, child of {os.getpid()}: " in xray.full(os.getpid())
        child.kill()
        assert happens(lambda: (proc.stat(child.pid) or proc.Stat(0, "", 0, 0, 0, 0)).state == "Z")
        assert f"process {child.pid}, child of {os.getpid()}: a zombie" in xray.full(os.getpid())
        os.close(fd)


def test_who_accepts_and_who_is_given_clients(tmp_path: Path) -> None:
    """A parent with the listener and a channel, a child with the other end and a client."""
    script = tmp_path / "server.py"
    script.write_text(
        "import os, socket, sys, time\n"
        "s = socket.create_server(('127.0.0.1', 0)); a, b = socket.socketpair()\n"
        "c = socket.create_connection(s.getsockname()); d, _ = s.accept()\n"
        "if os.fork(): b.close(); c.close(); d.close()\n"
        "else: s.close(); a.close(); c.close()\n"
        "print('ready', flush=True); time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        server.stdout.readline()
        server.stdout.readline()
        text = xray.full(server.pid)
        (child,) = proc.children(server.pid)
        try:
            assert "accepts, passes clients on, and serves nobody itself" in text
            assert "is given its clients over a channel; serves 1 connection" in text
            assert f"channel to process {child}, " in text
            assert f"channel to process {server.pid}, " in text
        finally:
            os.kill(child, 9)
            server.kill()


def test_no_server_to_be_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert xray.running(tmp_path) == []
    assert xray.main(["what"]) == 2
    assert xray.main([str(2**22 + 1)]) == 1
    assert "there is no process" in capsys.readouterr().err
