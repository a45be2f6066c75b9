"""Say raw bytes to a server, and show what it says: `printf '...' | python3 -m harness.say PORT`.

Standard input is sent as it comes, so that `(printf 'GET /he'; sleep 9)` is a slow client. With
`--half-close` the sending side is shut down at the end of the input. Ends with the connection, or
when nothing has come for three seconds after the end of the input.
"""

from __future__ import annotations

import os
import select
import socket
import sys

_SILENCE_SECONDS = 3.0


def converse(port: int, *, half_close: bool) -> None:
    """Copy standard input to the server and its bytes to standard output."""
    with socket.create_connection(("127.0.0.1", port)) as server:
        sources = [server, sys.stdin]
        while ready := select.select(sources, [], [], _wait(sources))[0]:
            if sys.stdin in ready:
                if data := os.read(0, 65_536):
                    server.sendall(data)
                else:
                    sources.remove(sys.stdin)
                    if half_close:
                        server.shutdown(socket.SHUT_WR)
            if server in ready:
                if not (data := server.recv(65_536)):
                    return
                os.write(1, data)


def _wait(sources: list[object]) -> float | None:
    return None if sys.stdin in sources else _SILENCE_SECONDS


if __name__ == "__main__":
    arguments = [word for word in sys.argv[1:] if word != "--half-close"]
    if len(arguments) != 1 or not arguments[0].isdigit():
        sys.exit("usage: python3 -m harness.say PORT [--half-close] < BYTES")
    try:
        converse(int(arguments[0]), half_close="--half-close" in sys.argv)
    except OSError as error:
        sys.exit(f"python3 -m harness.say: {error}")
