"""What the tests of the load generator start."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from harness.bench.crowd import Crowd


@pytest.fixture
def kept() -> Iterator[ExitStack]:
    """Closes what a test has started, the last first."""
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def bin_dir(pytestconfig: pytest.Config) -> Path:
    return Path(pytestconfig.getoption("--bin-dir")).absolute()


@pytest.fixture
def program(bin_dir: Path) -> Path:
    return bin_dir / "crowd"


@pytest.fixture
def stage(kept: ExitStack, bin_dir: Path) -> int:
    """The port of a real server."""
    server = subprocess.Popen([bin_dir / "06-epoll-lt", "--port", "0"], stdout=subprocess.PIPE)
    kept.callback(server.wait)
    kept.callback(server.kill)
    assert server.stdout
    kept.callback(server.stdout.close)
    return int(server.stdout.readline().split()[2].rpartition(b":")[2])


@pytest.fixture
def crowd(kept: ExitStack, program: Path) -> Callable[..., Crowd]:
    """Makes clients of the server on a port."""

    def make(port: int, **options: int) -> Crowd:
        cpu = min(os.sched_getaffinity(0))
        return kept.enter_context(Crowd(program, port, cpu=cpu, **options))

    return make
