"""The kit's own load generator, build/bin/crowd: starts it, tells it what to do, reads its answers.

It leaves the ramp and the end out, verifies every reply, holds idle clients, reads slowly, and can
be steered while it runs; a request costs it less than it costs wrk.
"""

from __future__ import annotations

import json
import os
import selectors
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, TypedDict, Unpack

from harness import processes
from harness.bench.launch import pinned

HELLO = b"GET /hello HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
PER_PROCESS = 19_000  # connections; the usual limit of descriptors is 20,000
OPEN_SECONDS = 70.0  # crowd itself gives up after 3 s without progress, and after 60 s
END_SECONDS = 10.0  # what a run may last beyond its time: crowd waits 5 s for late replies


class CrowdError(Exception):
    """crowd did not do what it was told; the text is its own word for it."""


class Mix(TypedDict, total=False):
    """What a load is made of, beside the request itself."""

    pipelined: int  # requests that go out at once, in one write
    close: bool  # a new connection for each request, which says "Connection: close"
    slow_every: int  # every n-th request is slow_request; 0: none
    slow_request: bytes


@dataclass(frozen=True)
class Opened:
    """What came of opening connections."""

    connections: int  # that there are now
    failed: int
    seconds: float
    reason: str  # of the first failure: ECONNREFUSED, ETIMEDOUT, closed, status, length, ...


@dataclass(frozen=True)
class Run:
    """What was seen in one stretch of time. Latencies are from the send of a request (with a new
    connection for each: from connect) to the last byte of its reply; of a batch, where requests
    are pipelined."""

    seconds: float
    requests: int  # replies within this time, each of a pipelined batch; without the slow ones
    bytes: int
    p50_us: float
    p90_us: float
    p99_us: float
    max_us: float  # counts those, too, that had no reply yet when the time was over
    errors: dict[str, int]  # connect, read, write, timeout, status, length: of the whole load
    slow: dict[str, float]  # requests, p50_us: those of slow_request
    cpu_seconds: float  # of the client, within this time; without what it spun away
    served: int  # all right replies from first to last request: what the server's CPU paid for
    connections: int  # active ones, when it was over
    held: int
    deaf: int

    @property
    def client_busy(self) -> float:
        """The share of its cpu that the client used."""
        return min(self.cpu_seconds / self.seconds, 1.0)


class Crowd:
    """One process of clients of one server; a context that ends it."""

    def __init__(
        self,
        binary: Path,
        port: int,
        *,
        cpu: int,
        groups: Sequence[Path] = (),
        host: str = "127.0.0.1",
        sources: int = 1,
        spin: bool = False,
    ) -> None:
        """`spin`: it does not sleep while there is a load, so that the server, whose CPU time is
        measured, need not wake it. Only for a cpu of its own."""
        address = socket.gethostbyname(host)
        command = [str(binary), "--host", address, "--port", str(port)]
        command += ["--sources", str(sources), "--spin", str(int(spin))]
        self._process = subprocess.Popen(
            pinned(command, cpu, groups),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
        )
        self._received = b""

    @property
    def pid(self) -> int:
        return self._process.pid

    def connect(
        self, connections: int, request: bytes = HELLO, reply_bytes: int | None = None
    ) -> Opened:
        """So many active connections that ask for this; each has asked once. Without reply_bytes
        the first reply's Content-Length tells how long they all must be."""
        self.send("connect", connections=connections, request=request, reply_bytes=reply_bytes)
        return self.opened("connected")

    def hold(self, connections: int, request: bytes = HELLO) -> Opened:
        """So many idle connections: each asks once, and says nothing from then on."""
        self.send("hold", connections=connections, request=request)
        return self.opened("held")

    def deaf(self, connections: int, request: bytes, bytes_per_second: int = 20_000) -> Opened:
        """So many connections that read slowly, again and again, while other things go on."""
        self.send(
            "deaf", connections=connections, request=request, bytes_per_second=bytes_per_second
        )
        return self.opened("deaf")

    def run(self, seconds: float, **mix: Unpack[Mix]) -> Run:
        """A load on the active connections: each asks again as soon as it has its reply."""
        self.send("run", seconds=seconds, **mix)
        return Run(**self.receive(seconds + OPEN_SECONDS + END_SECONDS))

    def live(
        self,
        *,
        interval: float = 0.25,
        connections: int | None = None,
        idle: int | None = None,
        request: bytes | None = None,
        **mix: Unpack[Mix],
    ) -> None:
        """Starts a load that goes on until stop(), or makes another of it at once; the numbers of
        connections and the request stay as they are where they are None."""
        self.send(
            "live", interval=interval, connections=connections, idle=idle, request=request, **mix
        )

    def intervals(self) -> Iterator[Run]:
        """The figures of a live load, one for each interval, until it has stopped."""
        while "stopped" not in (answer := self.receive(END_SECONDS)):
            yield Run(**answer)

    def stop(self) -> None:
        """Ends a live load; another thread may be in intervals(), which ends then."""
        self.send("stop")

    def close(self) -> None:
        """Ends the process, and with it all connections."""
        assert self._process.stdin and self._process.stdout and self._process.stderr
        with suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        self._process.stderr.close()

    def __enter__(self) -> Crowd:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def send(self, what: str, **fields: Any) -> None:
        """One command, not waiting for its answer."""
        given = {
            name: value.decode("ascii") if isinstance(value, bytes) else value
            for name, value in fields.items()
            if value is not None
        }
        assert self._process.stdin
        try:
            self._process.stdin.write(json.dumps({"do": what, **given}).encode() + b"\n")
        except OSError:
            raise self._ended() from None

    def receive(self, seconds: float) -> dict[str, Any]:
        """The next answer; CrowdError if it is a complaint, or if there is none in time."""
        assert self._process.stdout
        deadline = time.monotonic() + seconds
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while b"\n" not in self._received:
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    self._process.kill()
                    raise CrowdError(f"crowd: no answer within {seconds:.0f} s")
                chunk = os.read(self._process.stdout.fileno(), 64 * 1024)
                if not chunk:
                    raise self._ended()
                self._received += chunk
        line, _, self._received = self._received.partition(b"\n")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise CrowdError(f"crowd: {answer['error']}")
        return answer

    def opened(self, name: str) -> Opened:
        """The answer to a command that opens connections."""
        answer = self.receive(OPEN_SECONDS)
        return Opened(answer[name], answer["failed"], answer["seconds"], answer["reason"])

    def _ended(self) -> CrowdError:
        assert self._process.stderr
        status = processes.status_text(self._process.wait())
        said = self._process.stderr.read().decode(errors="replace").strip()
        return CrowdError(said or f"crowd: {status}")


class Crowds:
    """Several processes that hold idle connections together: more than one has descriptors for."""

    def __init__(self, binary: Path, port: int, *, count: int, cpu: int, sources: int) -> None:
        self._crowds: list[Crowd] = []
        for _ in range(count):
            self._crowds.append(Crowd(binary, port, cpu=cpu, sources=sources))

    def hold(self, connections: int, request: bytes = HELLO) -> Opened:
        """So many in all, an equal share in each process, all at the same time."""
        count = len(self._crowds)
        for number, crowd in enumerate(self._crowds):
            share = connections // count + (number < connections % count)
            crowd.send("hold", connections=share, request=request)
        parts = [crowd.opened("held") for crowd in self._crowds]
        return Opened(
            sum(part.connections for part in parts),
            sum(part.failed for part in parts),
            max(part.seconds for part in parts),
            next((part.reason for part in parts if part.reason), ""),
        )

    def close(self) -> None:
        """Ends them all."""
        for crowd in self._crowds:
            crowd.close()

    def __enter__(self) -> Crowds:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
