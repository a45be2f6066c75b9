"""The programs that make a load: wrk for the quick comparison, the kit's own crowd for the rest."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from harness.bench import crowd
from harness.bench.launch import Server, pinned
from harness.bench.loads import BIG, SLOW, Load
from harness.bench.results import Slow

SCRIPT = Path(__file__).with_name("wrk.lua")
SOURCES = 4  # addresses that connections come from; each has 28,000 ports


class ClientError(Exception):
    """The client did not do its work; the text is its own word for it."""


@dataclass(frozen=True)
class Run:
    """What a client saw in one run."""

    seconds: float
    requests: int
    served: int  # replies to what came before and after the measured time, too
    bytes: int
    p50_us: float
    p90_us: float
    p99_us: float
    max_us: float
    errors: dict[str, int]
    client_busy: float  # share of its cpu that the client used
    slow: Slow | None = None


@dataclass(frozen=True)
class Opened:
    """A client whose connections are open, if it opens them beforehand."""

    run: Callable[[float], Run]
    refused: int = 0  # of those connections
    reason: str = ""

    def run_and(self, seconds: float, meanwhile: Callable[[], None] | None) -> Run:
        """A run, and something else half-way."""
        if not meanwhile:
            return self.run(seconds)
        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(self.run, seconds)
            time.sleep(seconds / 2)
            meanwhile()
            return running.result()


class Client(Protocol):
    """A program that makes loads."""

    def opened(self, server: Server, load: Load) -> AbstractContextManager[Opened]:
        """The client, ready to run. Raises ClientError."""


@dataclass(frozen=True)
class CrowdClient:
    """The kit's own client, on its cpu."""

    program: Path
    cpu: int
    groups: Sequence[Path]  # they shield it from neighbours, as they do the server
    alone: bool  # whether the cpu is its own: to wake a client that sleeps is dear for the server

    @contextlib.contextmanager
    def opened(self, server: Server, load: Load) -> Iterator[Opened]:
        """Idle, slow and active connections, each with its first reply."""
        host = f"{server.host}:{server.port}"
        try:
            with crowd.Crowd(
                self.program,
                server.port,
                cpu=self.cpu,
                groups=self.groups,
                host=server.host,
                sources=SOURCES if server.host == "127.0.0.1" else 1,
                spin=self.alone,
            ) as clients:
                parts = [clients.hold(load.idle, load.request(host))] if load.idle else []
                parts += [clients.deaf(load.deaf, BIG.request(host))] if load.deaf else []
                if load.connections:
                    parts.append(clients.connect(load.connections, load.request(host)))
                mix: crowd.Mix = {"pipelined": load.pipelined, "close": load.closing}
                if load.slow_every:
                    mix |= {"slow_every": load.slow_every, "slow_request": SLOW.request(host)}

                def run(seconds: float) -> Run:
                    return _of_crowd(clients.run(seconds, **mix))

                reasons = [part.reason for part in parts if part.reason]
                yield Opened(run, sum(part.failed for part in parts), "".join(reasons[:1]))
        except crowd.CrowdError as error:
            raise ClientError(str(error)) from None


@dataclass(frozen=True)
class WrkClient:
    """wrk, on its cpu; it opens connections when it runs."""

    cpu: int
    groups: Sequence[Path]

    @contextlib.contextmanager
    def opened(self, server: Server, load: Load) -> Iterator[Opened]:
        """wrk; nothing is open before it runs."""
        yield Opened(lambda seconds: self._run(server, load, seconds))

    def _run(self, server: Server, load: Load, seconds: float) -> Run:
        process = subprocess.Popen(
            pinned(_wrk(server, load, seconds), self.cpu, self.groups),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert process.stdout is not None
        try:
            output = process.stdout.read()
        except BaseException:
            process.kill()
            raise
        finally:
            process.stdout.close()
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        return _of_wrk(output, usage.ru_utime + usage.ru_stime)


def _wrk(server: Server, load: Load, seconds: float) -> list[str]:
    """wrk itself knows whole seconds only."""
    command = ["timeout", "--preserve-status", "-s", "INT", str(seconds)]
    command += ["wrk", "-t1", f"-c{load.connections}", "-d600s", "-s", str(SCRIPT)]
    if load.closing:
        command += ["-H", "Connection: close"]
    url = f"http://{server.host}:{server.port}{load.path}"
    return [*command, url, "--", str(load.pipelined)]


def _of_wrk(output: str, cpu_seconds: float) -> Run:
    lines = output.strip().splitlines()
    try:
        said = json.loads(lines[-1])
    except (IndexError, json.JSONDecodeError):
        raise ClientError(f"wrk: {lines[0] if lines else 'no output'}") from None
    seconds = said.pop("microseconds") / 1e6
    busy = min(cpu_seconds / seconds, 1.0)
    return Run(seconds=seconds, served=said["requests"], client_busy=busy, **said)


def _of_crowd(run: crowd.Run) -> Run:
    requests = int(run.slow["requests"])
    return Run(
        seconds=run.seconds,
        requests=run.requests,
        served=run.served,
        bytes=run.bytes,
        p50_us=run.p50_us,
        p90_us=run.p90_us,
        p99_us=run.p99_us,
        max_us=run.max_us,
        errors=run.errors,
        client_busy=run.client_busy,
        slow=Slow(requests, run.slow["p50_us"]) if requests else None,
    )
