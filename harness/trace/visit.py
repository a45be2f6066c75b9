"""The clients of a scenario, each a thread that keeps to its script and notes what happens."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Sequence

from harness.trace.recording import Visitor
from harness.trace.scenarios import Script

_PIECE = 65536


def visit(scripts: Sequence[Script], port: int) -> tuple[float, list[Visitor]]:
    """Run all scripts against 127.0.0.1:`port`; when it began (Unix time), and what they met.

    The times of the visitors count from that moment.
    """
    zero = time.time() + 0.05  # all threads stand ready then
    visitors = [Visitor(script.name, 0, 0.0) for script in scripts]
    threads = [
        threading.Thread(target=_follow, args=(script, port, zero, visitor), daemon=True)
        for script, visitor in zip(scripts, visitors, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return zero, visitors


def _follow(script: Script, port: int, zero: float, visitor: Visitor) -> None:
    def now() -> float:
        return time.time() - zero

    def wait_until(at: float) -> None:
        time.sleep(max(0.0, at - now()))

    with socket.socket() as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        wait_until(script.at / 1000)
        visitor.start = now()
        try:
            client.connect(("127.0.0.1", port))
            visitor.port = client.getsockname()[1]
            for at, data in script.sends:
                wait_until(at / 1000)
                client.sendall(data)
                visitor.sent.append((now(), len(data)))
            visitor.whole = now()
            client.settimeout(script.patience / 1000)
            visitor.outcome = _receive(client, visitor, now)
        except ConnectionError:
            visitor.outcome = "reset"
        except TimeoutError:
            visitor.outcome = "gave up"
        if visitor.outcome != "closed" and visitor.end:
            return
        visitor.end = now()


def _receive(client: socket.socket, visitor: Visitor, now: Callable[[], float]) -> str:
    """Read until the server closes: the reply's status, or "closed" if there was no reply."""
    reply = b""
    while data := client.recv(_PIECE):
        visitor.end = now()
        visitor.first = visitor.first or visitor.end
        reply += data[: max(0, 16 - len(reply))]
    return reply[9:12].decode(errors="replace") if reply.startswith(b"HTTP/1.") else "closed"
