"""The race at work: it follows its page, lets nobody else steer it, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

aiohttp = pytest.importorskip("aiohttp", reason="apt-get install python3-aiohttp")

from harness import proc  # noqa: E402
from harness.lab.labs import KIT  # noqa: E402
from harness.tests.racing import PATIENCE, Race, needs_servers, page_of, racing, until  # noqa: E402

pytestmark = needs_servers


@pytest.fixture
def race(tmp_path: Path) -> Iterator[Race]:
    with racing(tmp_path, "--stage", "02 06") as running:
        yield running


async def _run_a_while(race: Race) -> None:
    async with page_of(race) as here:
        await here.tell(do="start")
        for name in ("02-thread", "06-epoll-lt"):
            sample = await here.sees(name, lambda m: m["per_second"] and m.get("held") == 50)
            assert not sample["errors"]
        assert sample["threads"] == sample["processes"] == 1
        assert {len(race.running(name)) for name in ("02-thread", "06-epoll-lt")} == {1}
        assert len(race.running("crowd")) == 2
        await here.tell(do="set", idle=100)
        await here.sees("02-thread", lambda m: m.get("threads") == 151)
        await here.tell(do="set", idle=10, turns=1)
        for name in ("02-thread", "06-epoll-lt"):
            await here.sees(name, lambda m: m.get("held") == 60 and m["per_second"])
        await here.tell(do="set", connections=10**6)
        assert (await here.hear(lambda m: m["kind"] == "words" and m["bad"]))["text"]
        await here.tell(do="set", chosen=["06-epoll-lt"], idle=0)
        await here.hear(lambda m: m["kind"] == "state" and list(m["lanes"]) == ["06-epoll-lt"])
        await here.sees("06-epoll-lt", lambda m: m.get("held") == 50)
        await here.tell(do="stop")
        await here.is_in_phase("stopped")
        assert not race.loads()
        assert not race.groups()
        await here.tell(do="start")
        await here.sees("06-epoll-lt")


def test_a_race_follows_its_page_and_ends_with_it(race: Race) -> None:
    asyncio.run(_run_a_while(race))
    until(lambda: not race.loads(), "the load ends with the page")


def test_an_interrupted_race_leaves_nothing(race: Race) -> None:
    async def start() -> None:
        async with page_of(race) as here:
            await here.tell(do="start")
            await here.sees("06-epoll-lt")
            pids.extend(proc.tree(race.process.pid))
            race.process.send_signal(signal.SIGINT)
            await here.is_closed()

    pids: list[int] = []
    asyncio.run(start())
    assert race.process.wait(PATIENCE) == 0
    race.leaves_nothing(pids)


def test_a_killed_race_leaves_nothing(race: Race) -> None:
    async def start() -> None:
        async with page_of(race) as here:
            await here.tell(do="start")
            await here.sees("02-thread")
            await here.sees("06-epoll-lt")
            pids.extend(proc.tree(race.process.pid))
            race.process.kill()

    pids: list[int] = []
    asyncio.run(start())
    assert len(pids) >= 5, "itself, two servers and two crowds"
    race.leaves_nothing(pids)


def test_a_race_stops_after_its_time(tmp_path: Path) -> None:
    async def watch(race: Race) -> None:
        async with page_of(race) as here:
            await here.tell(do="start")
            await here.is_in_phase("running")
            await here.is_in_phase("stopped")
            assert "over" in (await here.hear(lambda m: m["kind"] == "words"))["text"]

    with racing(tmp_path, "--stage", "06", "--minutes", "0.005") as race:
        asyncio.run(watch(race))
        assert not race.loads()


async def _asked(race: Race, path: str, **headers: str) -> int:
    """The status with which a request is answered."""
    address = f"http://127.0.0.1:{race.port}{path}"
    async with aiohttp.ClientSession() as session, session.get(address, headers=headers) as reply:
        if reply.status == 200:
            assert "default-src 'self'" in reply.headers["Content-Security-Policy"]
        return reply.status


def test_nobody_steers_it_who_does_not_know_the_address(race: Race) -> None:
    async def ask() -> None:
        here = f"127.0.0.1:{race.port}"
        path = race.address.partition(here)[2]
        assert await _asked(race, path) == 200
        assert await _asked(race, f"{path}d3.js", Host=f"localhost:{race.port}") == 200
        assert await _asked(race, f"{path}../__main__.py") == 404
        assert await _asked(race, "/") == 404
        assert await _asked(race, "/wrong/") == 404
        for name in ("evil.example", f"evil.example:{race.port}", "127.0.0.1:1"):
            assert await _asked(race, path, Host=name) == 403, f"Host: {name}"
            assert await _asked(race, path, Host=name, Origin=f"http://{here}") == 403
        for origin in ("https://evil.example", "null", f"https://{here}"):
            assert await _asked(race, f"{path}live", Origin=origin) == 403, f"Origin: {origin}"
        upgrade = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
                   "Sec-WebSocket-Key": "bm90IGEgcGFnZSBvZiBvdXJzIQ=="}  # fmt: skip
        assert await _asked(race, "/wrong/live", **upgrade) == 404

    asyncio.run(ask())


def test_a_taken_port_is_said_plainly(race: Race) -> None:
    command = [sys.executable, "-m", "harness.race", "--no-open", "--port", str(race.port)]
    second = subprocess.run(command, cwd=KIT, capture_output=True, text=True, timeout=PATIENCE)
    assert (second.returncode, second.stdout) == (1, "")
    assert "make race: " in second.stderr
    assert "in use" in second.stderr
