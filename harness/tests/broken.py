"""A small server for the harness's own tests: right in one mode, and broken in a dozen others."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
from pathlib import Path

KIT = Path(__file__).resolve().parents[2]
BODY = b"Hello, World!"


def program(directory: Path, fault: str) -> Path:
    """Write an executable that runs this server with a fault; "none": it is right."""
    path = directory / f"{fault}.py"
    path.write_text(
        f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {str(KIT)!r})\n"
        f"from harness.tests.broken import main\nmain({fault!r})\n"
    )
    path.chmod(0o755)
    return path


def main(fault: str) -> None:
    """Serve until SIGTERM, with the given fault."""
    if fault == "ends-at-once":
        sys.exit("cannot find my configuration")
    signal.signal(signal.SIGTERM, signal.SIG_IGN if fault == "ignores-term" else _leave(fault))
    if fault == "leaves-an-orphan":
        _orphan()
    if fault == "not-implemented":
        sys.exit(_not_implemented())
    if fault == "runs-away":
        _run_away()
    listener = socket.create_server(("127.0.0.1", 0))
    _say_ready(fault, listener.getsockname()[1])
    if fault == "talks-without-end":
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # Python ignores it
        threading.Thread(target=_talk, daemon=True).start()
    if fault == "kills-its-parent":
        os.kill(os.getppid(), signal.SIGTERM)
    if fault == "spins":
        threading.Thread(target=_spin, daemon=True).start()
    kept: list[socket.socket] = []
    while True:
        connection, _ = listener.accept()
        if fault == "leaks-descriptors":
            kept.append(connection.dup())
        if fault == "leaves-zombies" and os.fork() == 0:
            os._exit(0)
        threading.Thread(target=_serve, args=(connection, fault), daemon=True).start()


def _leave(fault: str):  # noqa: ANN202 - a signal handler
    return lambda *_: os._exit(3 if fault == "ends-with-3" else 0)


def _say_ready(fault: str, port: int) -> None:
    if fault == "never-ready":
        time.sleep(60)
    said = "ready!" if fault == "says-something-else" else f"listening on http://127.0.0.1:{port}"
    print(f"{said} stage=02-thread pid={os.getpid()}", flush=True)


def _spin() -> None:
    while True:
        pass


def _orphan() -> None:
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            time.sleep(600)
        os._exit(0)
    os.wait()


def _not_implemented() -> int:
    print("not implemented: lab 02: start() (hint: a thread for each)", file=sys.stderr)
    return 70


def _run_away() -> None:
    """A process that is another one before anybody can kill it, for at most half a minute."""
    end = time.monotonic() + 30
    if os.fork() == 0:
        while time.monotonic() < end:
            if os.fork() != 0:
                os._exit(0)
        os._exit(0)


def _talk() -> None:
    while True:
        os.write(2, b"score: 100/100\n" * 10_000)


def _serve(connection: socket.socket, fault: str) -> None:
    with connection:
        while data := connection.recv(65_536):
            if fault == "dies":
                os.abort()
            if fault == "never-answers":
                continue
            for _ in range(data.count(b"\r\n\r\n")):
                connection.sendall(_reply(fault))
                if fault == "closes-early":
                    return
            if b"Connection: close" in data:
                return


def _reply(fault: str) -> bytes:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\n"
    return {
        "closes-early": head + BODY[:5],
        "bare-lf": head.replace(b"\r\n", b"\n"),
        "two-lengths": head.replace(b"\r\n\r\n", b"\r\nContent-Length: 14\r\n\r\n") + BODY,
        "too-much": head + BODY + b"\n",
        "wrong-body": head + BODY.lower(),
    }.get(fault, head + BODY)
