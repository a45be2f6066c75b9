#!/usr/bin/python3
"""Workers that share a port: whom does a new connection wake?

    ./prefork.py --port 8080 --accept herd

The first process opens the listener, forks the workers and steps back. From then on each of them
takes connections for itself; there is nobody who deals them out, and so the kernel decides who is
woken. The four ways to ask it:

herd       Each worker has the listener in an epoll of its own. A connection is news for all of
           them: all wake up, one gets it, the others find nothing (EAGAIN). This is the thundering
           herd; it is why the listener has to be non-blocking.
exclusive  The same with EPOLLEXCLUSIVE: the kernel wakes one that sleeps (man epoll_ctl: "one or
           more"). It begins with the same one every time, so where nobody is busy one does all.
accept     Each worker blocks in accept(2). Sleepers queue up there: the kernel wakes the one that
           has waited longest. But whoever sleeps in accept cannot wait for anything else.
reuseport  Each worker has a listener of its own at the same port (SO_REUSEPORT). A hash of the
           addresses says whose queue a connection comes into; one worker knows of it. If that one
           is busy the connection waits, though others are idle.

A worker serves one client at a time, one request each: /hello, or /work?us=N for N us of CPU.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import os
import re
import select
import signal
import socket
import struct
import time

ENDS = {signal.SIGTERM, signal.SIGINT}
DRAIN_SECONDS = 5.0
PATIENCE = struct.pack("ll", 10, 0)  # a struct timeval: so long a client may be silent
PR_SET_PDEATHSIG = 1


def main() -> None:
    options = parse()
    # Blocked in the workers, too, which inherit that: they learn of the end from their listener.
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDS)
    listeners = [listen(options.host, options.port, options.accept)]
    host, port = listeners[0].getsockname()
    if options.accept == "reuseport":
        listeners += [listen(host, port, "reuseport") for _ in range(options.workers - 1)]
    workers = [
        start_worker(options.accept, listeners[i % len(listeners)])
        for i in range(options.workers)
    ]
    name, pid = f"prefork-{options.accept}", os.getpid()
    print(f"listening on http://{host}:{port} stage={name} pid={pid}", flush=True)

    signal.sigwait(ENDS)
    for listener in listeners:
        listener.shutdown(socket.SHUT_RDWR)  # wakes everybody: accept(2) fails with EINVAL
    deadline = time.monotonic() + DRAIN_SECONDS
    for worker in workers:
        while os.waitpid(worker, os.WNOHANG) == (0, 0):
            if time.monotonic() > deadline:
                os.kill(worker, signal.SIGKILL)
            time.sleep(0.005)


def listen(host: str, port: int, way: str) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if way == "reuseport":
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listener.bind((host, port))
    listener.listen(128)
    listener.setblocking(way == "accept")
    return listener


def start_worker(way: str, listener: socket.socket) -> int:
    """Fork a worker; its pid."""
    parent = os.getpid()
    if pid := os.fork():
        return pid
    # A worker whose parent is gone would hold the port for ever.
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() == parent:
        with contextlib.suppress(OSError):  # EINVAL: it was shut down
            blocking(listener) if way == "accept" else waiting(listener, way)
    os._exit(0)


def blocking(listener: socket.socket) -> None:
    while True:
        client, _ = listener.accept()
        serve(client)


def waiting(listener: socket.socket, way: str) -> None:
    # The epoll is made after the fork. One that was inherited would be the same in all workers,
    # and would wake them for each other's connections.
    epoll = select.epoll()
    interest = select.EPOLLIN | (select.EPOLLEXCLUSIVE if way == "exclusive" else 0)
    epoll.register(listener.fileno(), interest)
    while True:
        epoll.poll()
        try:
            client, _ = listener.accept()
        except BlockingIOError:
            continue  # woken in vain: another one was faster
        serve(client)


def serve(client: socket.socket) -> None:
    """Read a request's head, answer, close. A client's errors concern nobody else."""
    with client, contextlib.suppress(OSError):
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, PATIENCE)
        head = b""
        while b"\r\n\r\n" not in head:
            piece = client.recv(4096)
            if not piece or len(head) > 16384:
                return
            head += piece
        client.sendall(reply(head))


def reply(head: bytes) -> bytes:
    status, body = "200 OK", b"Hello, World!"
    if work := re.match(rb"GET /work\?us=(\d{1,7}) ", head):
        spin(int(work[1]) / 1e6)
        body = b"done\n"
    elif not head.startswith(b"GET /hello "):
        status, body = "404 Not Found", b"there are /hello and /work?us=N\n"
    fields = f"Content-Type: text/plain\r\nContent-Length: {len(body)}\r\nConnection: close"
    return f"HTTP/1.1 {status}\r\n{fields}\r\n\r\n".encode() + body


def spin(seconds: float) -> None:
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    option = parser.add_argument
    option("--host", default="127.0.0.1")
    option("--port", type=int, default=8080, help="0: any free one (8080)")
    option("--workers", type=int, default=4, help="processes that serve (4)")
    ways = ("herd", "exclusive", "accept", "reuseport")
    option("--accept", choices=ways, default="herd", help="how they wait for clients (herd)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
