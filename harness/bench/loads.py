"""What the servers are asked. The loads of the full comparison are in plan.py."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

from harness.bench.results import LoadFacts

FILE_NAME = "10k.txt"
FILE_BODY = b"".join(b"%04d %s\n" % (line, b"." * 58) for line in range(160))  # 10 KiB
HELLO_BODY = b"Hello, World!"
BIG_NAME = "big.bin"
BIG_BYTES = 8 * 2**20  # more than two sockets buffer, of which one is told to be small
OLD = 1_600_000_000.0  # when the files were changed last, in seconds since 1970
WORK_US = 20_000

WRK, CROWD = "wrk", "crowd"


@dataclass(frozen=True)
class Load:
    """One way to load a server."""

    name: str
    title: str
    path: str = "/hello"
    body: bytes | None = HELLO_BODY  # what every reply must carry; None: whatever the first did
    connections: int = 100
    pipelined: int = 1  # requests in a row that go out in one write
    closing: bool = False  # a new connection for each request
    seconds: float = 1  # for one round
    survey: bool = False  # one round, to see how a server stands it; nothing is counted
    client: str = WRK
    series: str = ""  # loads that differ by `x` only; by default the load is a series of its own
    x: int | None = None  # by default the connections
    unit: str = "connections"
    idle: int = 0  # connections held beside, that say nothing
    deaf: int = 0  # connections beside on which a big file is read very slowly
    slow_every: int = 0  # every so many requests is one for SLOW instead

    @property
    def total(self) -> int:
        """Connections that the server has at once."""
        return self.connections + self.idle + self.deaf

    def request(self, host: str) -> bytes:
        """One request, the way wrk writes it."""
        close = "Connection: close\r\n" if self.closing else ""
        return f"GET {self.path} HTTP/1.1\r\nHost: {host}\r\n{close}\r\n".encode()

    def beside(self) -> list[Load]:
        """What else the server is asked under this load, and has to answer right."""
        return ([SLOW] if self.slow_every else []) + ([BIG] if self.deaf else [])

    def facts(self) -> LoadFacts:
        """The load as the results name it."""
        return LoadFacts(
            self.name,
            self.series or self.name,
            self.connections if self.x is None else self.x,
            self.title,
            self.unit,
            self.connections,
            self.idle,
            self.client,
        )

    def at(self, path: str) -> Load:
        """The same load for another page, whatever that holds."""
        return replace(self, path=path, body=None)


HELLO = Load("hello", "GET /hello, 100 keep-alive connections")
FILE = Load(
    "file", "a 10 KiB file, 100 keep-alive connections", path=f"/files/{FILE_NAME}", body=FILE_BODY
)
CLOSE = Load("close", "GET /hello, a new connection for each request, 100 at once", closing=True)
PIPELINED = Load("pipelined", "GET /hello, 16 pipelined, 100 connections", pipelined=16)
C10K = Load("c10k", "GET /hello, 10,000 connections", connections=10_000, seconds=3, survey=True)
IDLE = Load("idle", "memory per idle keep-alive connection, one request each", connections=0,
            idle=1000, x=1000, unit="idle connections", survey=True, client=CROWD)  # fmt: skip

SLOW = Load(
    "slow", "20 ms of CPU", path=f"/work?us={WORK_US}", body=b"worked %d us\n" % WORK_US
)
BIG = Load("big", "a big file", path=f"/files/{BIG_NAME}", body=bytes(BIG_BYTES))

LOADS = {load.name: load for load in (HELLO, FILE, CLOSE, PIPELINED, C10K, IDLE)}
NAMES = tuple(LOADS)


def write_root(directory: Path) -> Path:
    """Makes the directory that the servers serve files from."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / FILE_NAME).write_bytes(FILE_BODY)
    (directory / "hello").write_bytes(HELLO_BODY)  # for a server that has nothing but files
    with (directory / BIG_NAME).open("wb") as file:
        file.truncate(BIG_BYTES)
    for each in directory.iterdir():  # for a new file Apache has another, a longer ETag
        os.utime(each, (OLD, OLD))
    return directory.resolve()
