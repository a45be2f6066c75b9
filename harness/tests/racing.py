"""The race at work, for its tests: the program, and a page without a browser."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from harness import proc
from harness.lab.labs import KIT
from harness.race.web import D3

BIN_DIR = KIT / "build" / "bin"
PATIENCE = 40.0  # seconds until something that must happen has failed to
Message = dict[str, Any]

needs_servers = pytest.mark.skipif(
    not all((BIN_DIR / name).exists() for name in ("crowd", "02-thread", "06-epoll-lt"))
    or not D3.exists(),
    reason="needs `make crowd 02-thread 06-epoll-lt`, and node-d3",
)


def until(condition: Callable[[], Any], what: str) -> Any:
    """Waits for the condition, and returns what it gave."""
    deadline = time.monotonic() + PATIENCE
    while not (result := condition()):
        assert time.monotonic() < deadline, f"{what}: not within {PATIENCE:.0f} s"
        time.sleep(0.02)
    return result


class Race:
    """`python3 -m harness.race` at work, in a directory for its files."""

    def __init__(self, place: Path, *options: str) -> None:
        self.place = place
        command = [sys.executable, "-m", "harness.race", "--no-open", "--bin-dir", str(BIN_DIR)]
        self.process = subprocess.Popen(
            [*command, *options], cwd=KIT, stdout=subprocess.PIPE, text=True,
            env={**os.environ, "TMPDIR": str(place)},
        )  # fmt: skip
        assert self.process.stdout
        line = self.process.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:(\d+)/[\w-]+/", line)
        assert found, f"no address in {line!r}"
        self.address, self.port = found[0], int(found[1])

    def running(self, program: str) -> list[int]:
        """Its processes of that name."""
        return [pid for pid in proc.tree(self.process.pid)
                if proc.status(pid).get("Name") == program]  # fmt: skip

    def groups(self) -> list[Path]:
        """The control groups that it has made."""
        pattern = f"c10k-bench-{self.process.pid}-*"
        return [group for group in Path("/sys/fs/cgroup").rglob(pattern) if group.is_dir()]

    def loads(self) -> bool:
        """Whether a server or a crowd runs."""
        return any(self.running(name) for name in ("crowd", "02-thread", "06-epoll-lt"))

    def leaves_nothing(self, pids: list[int]) -> None:
        """Waits until all of these have ended and all else is gone, too."""
        until(lambda: not any(map(_lives, pids)), "all processes end")
        until(lambda: not self.groups(), "control groups are removed")
        until(lambda: not any(self.place.iterdir()), "files are removed")


def _lives(pid: int) -> bool:
    found = proc.stat(pid)
    return found is not None and found.state not in "ZX"


@contextlib.contextmanager
def racing(place: Path, *options: str) -> Iterator[Race]:
    """A race that has ended afterwards, whatever happens."""
    race = Race(place, *options)
    try:
        yield race
    finally:
        race.process.terminate()
        try:
            race.process.communicate(timeout=PATIENCE)
        finally:
            race.process.kill()


class Page:
    """What the page in the browser does, without the browser."""

    def __init__(self, socket_: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket_

    async def tell(self, **order: Any) -> None:
        await self._socket.send_str(json.dumps(order))

    async def hear(self, wanted: Callable[[Message], Any]) -> Message:
        """The next message that is like this."""
        async with asyncio.timeout(PATIENCE):
            while True:
                message: Message = json.loads((await self._socket.receive()).data)
                if wanted(message):
                    return message

    async def is_closed(self) -> None:
        """Waits until the race has closed the connection."""
        async with asyncio.timeout(PATIENCE):
            async for _ in self._socket:
                pass

    async def sees(self, server: str, wanted: Callable[[Message], Any] = bool) -> Message:
        """The next sample of the server that is like this."""
        return await self.hear(
            lambda m: m["kind"] == "sample" and m["server"] == server and wanted(m)
        )

    async def is_in_phase(self, phase: str) -> Message:
        return await self.hear(lambda m: m["kind"] == "state" and m["phase"] == phase)


@contextlib.asynccontextmanager
async def page_of(race: Race) -> AsyncIterator[Page]:
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{race.address}live", heartbeat=5) as socket_,
    ):
        yield Page(socket_)
