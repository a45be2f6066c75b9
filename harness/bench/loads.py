"""What the servers are asked: the loads of the benchmark."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

FILE_NAME = "10k.txt"
FILE_BODY = b"".join(b"%04d %s\n" % (line, b"." * 58) for line in range(160))  # 10 KiB
HELLO_BODY = b"Hello, World!"


@dataclass(frozen=True)
class Load:
    """One way to load a server, driven by wrk."""

    name: str
    title: str
    path: str = "/hello"
    body: bytes = HELLO_BODY  # what every reply must carry
    connections: int = 100
    pipelined: int = 1  # requests in a row that go out in one write
    closing: bool = False  # a new connection for each request
    seconds: int = 1  # for one round
    survey: bool = False  # one round, to see whether a server stands it; nothing is counted

    def request(self, port: int) -> bytes:
        """One request, the way wrk writes it."""
        close = "Connection: close\r\n" if self.closing else ""
        return f"GET {self.path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{close}\r\n".encode()


HELLO = Load("hello", "GET /hello, 100 keep-alive connections")
FILE = Load(
    "file", "a 10 KiB file, 100 keep-alive connections", path=f"/files/{FILE_NAME}", body=FILE_BODY
)
CLOSE = Load("close", "GET /hello, a new connection for each request, 100 at once", closing=True)
PIPELINED = Load("pipelined", "GET /hello, 16 pipelined, 100 connections", pipelined=16)
C10K = Load("c10k", "GET /hello, 10,000 connections", connections=10_000, seconds=3, survey=True)
IDLE = "idle"  # no load for wrk: memory per idle connection, see idle.py

LOADS = {load.name: load for load in (HELLO, FILE, CLOSE, PIPELINED, C10K)}
NAMES = (*LOADS, IDLE)


def write_root(directory: Path) -> Path:
    """Makes the directory that the servers serve files from."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / FILE_NAME).write_bytes(FILE_BODY)
    return directory.resolve()
