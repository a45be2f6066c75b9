"""The clients of a scenario, each a thread that keeps to its script and notes what happens."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
import time

from harness.clock import ExpiredError, happens
from harness.instruments import frozen
from harness.server import Server
from harness.trace import barriers, remarks
from harness.trace.recording import Visitor
from harness.trace.scenarios import Scenario, Script
from harness.trace.victim import Killer

_PIECE = 65536
_HEAD_START = 0.05  # seconds; all threads stand ready then
_NAP = 0.02
_LOOK_AHEAD = 5.0  # milliseconds before its time, a client looks whether it may come


class Visit:
    """All clients of a scenario at a server. Times in seconds from `zero`, which is Unix time."""

    def __init__(self, scenario: Scenario, server: Server) -> None:
        self.scenario, self.server = scenario, server
        self.visitors = [Visitor(script.name, 0, 0.0) for script in scenario.scripts]
        self.zero = time.time() + _HEAD_START
        self._killer = (
            Killer(scenario, server, self.visitors, self.zero) if scenario.kills else None
        )
        self._remarks: dict[str, str] = {}  # by client, {who} in its place
        self._ended = ""

    def run(self) -> None:
        """Let them come, and wait for the last one. Whatever the server does, this ends."""
        threads = [
            threading.Thread(target=_Client(self, script, visitor).follow, daemon=True)
            for script, visitor in zip(self.scenario.scripts, self.visitors, strict=True)
        ]
        for thread in threads:
            thread.start()
        if self._killer:
            self._killer.strike()
        for thread in threads:
            thread.join()
        if not self.server.alive():
            self._ended = f"the server has ended: {self.server.end_text()}"
        elif any(each.outcome == "refused" for each in self.visitors):
            self._ended = f"nobody listens at port {self.server.port}, where its ready line says"

    @property
    def moment(self) -> float | None:
        """When somebody was killed."""
        return self._killer.moment if self._killer else None

    @property
    def note(self) -> str:
        """What else there is to say of it, in a line."""
        told = [self._killer.note] if self._killer else []
        told += remarks.together(self._remarks)
        return "; ".join(filter(None, [*told, self._ended]))

    def now(self) -> float:
        return time.time() - self.zero

    def due(self, at: float) -> float:
        """When that is to happen which the script wants `at` milliseconds after the start."""
        return at / 1000 + (self._killer.late(at) if self._killer else 0.0)

    def is_turn_of(self, visitor: Visitor) -> bool:
        """Whether whoever comes before it has: on a busy machine a thread may be late."""
        before = self.visitors[: self.visitors.index(visitor)]
        return all(each.sent or each.outcome for each in before)

    def has_read(self, at: float) -> bool:
        return barriers.has_read(self.server, self.scenario.scripts, self.visitors, at)

    def is_over(self, visitor: Visitor) -> None:
        """Note what is odd about the end of a client's visit, while the kernel still knows it."""
        gave_up = visitor.outcome == "gave up"
        visitor.unread = barriers.unread(self.server, visitor) if gave_up else 0
        where = barriers.sleeps_in(self.server) if visitor.unread else ""
        if told := remarks.remark(visitor, where):
            self._remarks[visitor.name] = told


class _Client:
    def __init__(self, visit: Visit, script: Script, visitor: Visitor) -> None:
        self.visit, self.script, self.visitor = visit, script, visitor
        self.socket = socket.socket()
        # All have their ports before the first one comes: so each has one of its own, and is known
        # by it even if it gets nowhere.
        self.socket.bind(("127.0.0.1", 0))
        self.visitor.port = self.socket.getsockname()[1]

    def follow(self) -> None:
        with self.socket:
            self._wait(self.script.at - _LOOK_AHEAD)
            happens(lambda: self.visit.is_turn_of(self.visitor), barriers.SECONDS)
            if self.visit.scenario.calm:
                happens(lambda: barriers.sleeps(self.visit.server), barriers.SECONDS)
            self._wait(self.script.at)
            self.visitor.start = self.visit.now()
            try:
                self.visitor.outcome = self._talk()
            except ConnectionRefusedError:
                self.visitor.outcome = "refused"
            except ConnectionError:
                self.visitor.outcome = "reset"
            except TimeoutError:
                self.visitor.outcome = "gave up"
            if not self.visitor.outcome.isdigit():
                self.visitor.end = self.visit.now()
            self.visit.is_over(self.visitor)

    def _talk(self) -> str:
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.settimeout(self.script.patience / 1000)
        self.socket.connect(("127.0.0.1", self.visit.server.port))
        for number, (at, data) in enumerate(self.script.sends):
            if self._wait(at, connected=True):
                return self._receive()  # it was answered, or left, before it had said all
            if self.script.stepwise:
                self._send_stepwise(number, at, data)
            else:
                self.socket.sendall(data)
            self.visitor.sent.append((self.visit.now(), len(data)))
        self.visitor.whole = self.visit.now()
        return self._receive()

    def _wait(self, at: float, *, connected: bool = False) -> bool:
        """Wait for a moment of the script; whether the server said something before."""
        while (left := self.visit.due(at) - self.visit.now()) > 0:
            if not connected:
                time.sleep(min(left, _NAP))
            elif select.select([self.socket], [], [], min(left, _NAP))[0]:
                return True
        return False

    def _send_stepwise(self, number: int, at: float, data: bytes) -> None:
        server = self.visit.server
        if number:
            happens(lambda: barriers.sleeps(server), barriers.SECONDS)
            self.socket.sendall(data)
            return
        happens(lambda: self.visit.has_read(at), barriers.SECONDS)
        with contextlib.suppress(ExpiredError), frozen(server):
            self.socket.sendall(data)
            happens(
                lambda: barriers.unread(server, self.visitor) >= len(data), barriers.SECONDS
            )

    def _receive(self) -> str:
        """Read until the server closes: the reply's status, or "closed" if there was none."""
        reply = b""
        deadline = self.visit.now() + self.script.patience / 1000
        while True:
            self.socket.settimeout(max(0.001, deadline - self.visit.now()))
            data = self.socket.recv(_PIECE)
            if not data:
                break
            self.visitor.end = self.visit.now()
            self.visitor.first = self.visitor.first or self.visitor.end
            reply += data[: max(0, 16 - len(reply))]
        status = reply[9:12].decode(errors="replace")
        is_one = reply.startswith(b"HTTP/1.") and status.isascii() and status.isdigit()
        return status if is_one else "closed"
