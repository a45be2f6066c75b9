"""Starts and ends any server by its contract, and leaves nothing behind, whatever happens."""

from __future__ import annotations

import itertools
import os
import re
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal

from harness import findings, proc, processes, tcp, xray
from harness.client import Client
from harness.clock import ExpiredError, happens, until
from harness.findings import Finding, excerpt, transcript
from harness.message import Response
from harness.stages import Stage

READY_SECONDS = 10.0
END_SECONDS = 12.0
SWEEP_SECONDS = 10.0
_DYING_SECONDS = 0.05
DRAIN_SECONDS = 5.0  # given to every server as --drain-timeout
_READY = re.compile(r"listening on http://([\d.]+):(\d+) stage=(\S+) pid=(\d+)\n")
_SANITIZER = re.compile(r"(ERROR: \w+Sanitizer|WARNING: ThreadSanitizer|runtime error:).*")
_marks = itertools.count(1)


@dataclass(frozen=True)
class Target:
    """A program to judge, the stage it claims to be, and how it was instrumented."""

    stage: Stage
    program: Path
    sanitizers: frozenset[str] = frozenset()


class Server:
    """A running server. Use as a context manager, or call `finish()` at the end."""

    host = "127.0.0.1"

    def __init__(
        self,
        target: Target,
        *options: str,
        wrapper: Sequence[str] = (),
        inherit: Sequence[int] = (),
        port: int = 0,
        wait_for: Literal["ready line", "listener"] = "ready line",
    ) -> None:
        """Start and wait for the ready line; a Finding (and no process) if that does not come.

        `wrapper` is put before the command (strace), `inherit` are descriptors to hand down.
        With a given `port`, `wait_for="listener"` returns at the very moment that it listens.
        """
        self.target = target
        self.stage = target.stage
        self.options = options
        self.status: int | None = None  # the exit status once it is known; -N: signal N
        self.port = 0
        self._asked = False  # to end, or to do something else
        self._clients: list[Client] = []
        self._mark = f"C10K_LAB_SERVER={os.getpid()}.{next(_marks)}"
        self._out = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the server
        self._err = tempfile.TemporaryFile()  # noqa: SIM115
        if not os.access(target.program, os.X_OK):
            raise Finding(f"there is no program {target.program}", hint="build it: make")
        words = [*wrapper, str(target.program), "--port", str(port), *options]
        transcript.note(f"server {target.stage.name}", _worth_telling(options) or "starts")
        self._process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=self._out,
            stderr=self._err,
            env={**os.environ, **processes.SANITIZER_OPTIONS, **self._marked()},
            start_new_session=True,
            pass_fds=inherit,
            preexec_fn=processes.before_exec,
        )
        self.pid = self._process.pid
        started = proc.stat(self.pid)
        self._since = started.start if started else 0
        processes.own(self.pid)
        self._testify()
        try:
            if wait_for == "listener":
                self._await_listener(port)
            else:
                self._await_ready()
        except BaseException:
            self.sweep()
            raise

    def _marked(self) -> dict[str, str]:
        name, _, value = self._mark.partition("=")
        return {name: value}

    def _await_listener(self, port: int) -> None:
        self.port = port
        if not happens(lambda: tcp.listener(port) or not self.alive(), READY_SECONDS):
            raise Finding(f"nobody listens at port {port}")

    def _await_ready(self) -> None:
        def ready_or_ended() -> bool:
            return "\n" in self.stdout() or not self.alive()

        if not happens(ready_or_ended, READY_SECONDS):
            raise Finding(
                f"no ready line on standard output; there is {excerpt(self.stdout().encode())}",
                expected="listening on http://127.0.0.1:PORT stage=NAME pid=PID",
                hint="Print the line once the socket listens, and flush it: to a file, standard "
                "output is buffered.",
            )
        line = _READY.match(self.stdout())
        if line is None and not self.alive():
            raise Finding(f"it ended instead of getting ready: {self.end_text()}")
        if line is None:
            raise Finding(f"not a ready line: {excerpt(self.stdout().encode())}")
        self.port = int(line[2])
        self.named_stage, self.named_pid = line[3], int(line[4])

    # --- talking to it ----------------------------------------------------------------------

    def connect(self, *, receive_buffer: int = 0, beside: bool = False) -> Client:
        """A new connection. It lives until `close_clients()` unless the check closes it.

        Where only one client can be served at a time the earlier ones are closed first, so that
        most checks need not care; `beside` keeps them.
        """
        if not (self.stage.concurrent or beside):
            self.close_clients()
        self._testify()
        client = Client(self, receive_buffer=receive_buffer)
        self._clients.append(client)
        return client

    def clients(self) -> list[Client]:
        """The connections that `connect()` has opened."""
        return list(self._clients)

    def close_clients(self) -> None:
        """Close every connection that `connect()` has opened."""
        for client in self._clients:
            client.close()
        self._clients.clear()

    def get(self, target: str, **headers: str) -> Response:
        """The reply to one GET over a connection of its own."""
        client = self.connect()
        reply = client.get(target, connection="close", **headers)
        client.close()
        return reply

    # --- looking at it ----------------------------------------------------------------------

    def alive(self) -> bool:
        if self.status is None:
            self.status = self._process.poll()
        return self.status is None

    def stdout(self) -> str:
        return _content(self._out)

    def stderr(self) -> str:
        return _content(self._err)

    def tree(self) -> list[int]:
        """The server's processes: the first one, and all below it."""
        return processes.running_tree(self.pid)

    def facts(self, client_port: int) -> str:
        """What the kernel knows about a client's connection."""
        if not self.alive():
            return f"the server is gone: {self.end_text()}"
        row, listener = tcp.connection(self.port, client_port), tcp.listener(self.port)
        if row is None:
            told = "the server's end of the connection is closed"
        elif row.inode == 0 and row.state in (tcp.ESTABLISHED, tcp.CLOSE_WAIT):
            told = "nobody has accepted the connection"
        elif row.unread:
            told = f"{row.unread:,} bytes lie unread in the server's receive queue"
        else:
            told = "the server has read all that was sent"
        backlog = listener.unread if listener else 0
        waiting = "1 connection waits" if backlog == 1 else f"{backlog} connections wait"
        return told + (f"; {waiting} in the backlog" if backlog else "")

    def _testify(self) -> None:
        if self.stderr not in findings.speakers:
            findings.speakers.append(self.stderr)
        if self._witness not in findings.witnesses:
            findings.witnesses.append(self._witness)

    def _witness(self) -> str:
        happens(lambda: not self.alive(), _DYING_SECONDS)  # one that dies is not yet dead
        seen = xray.brief(self.pid) if self.alive() else self.end_text()
        report = _SANITIZER.search(self.stderr())
        return f"{seen}; a sanitizer reports: {report[0][:120]}" if report else seen

    def end_text(self) -> str:
        """How it ended and its last words, for a Finding."""
        last = self.stderr().strip().splitlines()[-3:]
        said = f'; it said: "{" / ".join(last)}"' if last else ""
        unasked = ", though nobody had asked it to stop" if self.status == 0 else ""
        return processes.status_text(self.status) + ("" if self._asked else unasked) + said

    # --- ending it --------------------------------------------------------------------------

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the server's first process."""
        transcript.note("harness", f"{number.name} to the server")
        self._asked = True
        if self.alive():
            os.kill(self.pid, number)

    def wait(self, seconds: float = END_SECONDS) -> int:
        """The exit status (-N: killed by signal N); a Finding if it does not end in time."""
        try:
            until(lambda: not self.alive(), seconds)
        except ExpiredError:
            raise Finding(f"the server still runs, {seconds:.0f} s later") from None
        assert self.status is not None
        return self.status

    def finish(self) -> None:
        """End it in the ordinary way if it still runs, and require an orderly end."""
        try:
            if self.alive():
                self.signal(signal.SIGTERM)
                if status := self.wait():
                    raise Finding(
                        f"after SIGTERM: {processes.status_text(status)}; {self.end_text()}",
                        expected="exit status 0 after a drain",
                    )
            self.leaves_nothing()
            self.no_sanitizer_report()
        finally:
            self.sweep()

    def leaves_nothing(self) -> None:
        """Require that no process of the ended server is left; a Finding names them."""
        if not happens(lambda: not self._strays() and not processes.group_lives(self.pid), 3.0):
            left = ", ".join(f"{xray.brief(pid)} (pid {pid})" for pid in self._strays())
            left = left or "one that turns into another before it can be named"
            raise Finding(
                f"the server has ended, but left processes running: {left}",
                expected="no process is left behind",
                hint="A child outlives its parent unless somebody tells it: signal the children "
                "and wait for them, or let them notice that the parent is gone.",
            )

    def no_sanitizer_report(self) -> None:
        """Require that no sanitizer has written a report."""
        report = _SANITIZER.search(self.stderr())
        if report:
            text = self.stderr()[report.start() :].splitlines()[:12]
            raise Finding("a sanitizer reports: " + "\n".join(text))

    def sweep(self) -> None:
        """Kill whatever is left of this server, and wait until it is gone. Never raises.

        A process group is killed at one blow, so that nothing in it gets away by forking; for what
        has left the group there are as many rounds as time allows.
        """
        if self._witness in findings.witnesses:
            findings.witnesses.remove(self._witness)
        processes.kill_group(self.pid)

        def gone() -> bool:
            left = [*self._strays(), *([self.pid] if self.alive() else [])]
            for pid in left:
                processes.kill(pid)
            return not left and not self.alive()

        happens(gone, SWEEP_SECONDS)
        processes.disown(self.pid)

    def _strays(self) -> list[int]:
        return processes.strays(self.pid, self._mark, self._since)

    def __enter__(self) -> Server:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.finish()
        else:
            self.sweep()


def _worth_telling(options: Sequence[str]) -> str:
    """The options without the folder that every server gets."""
    words = list(options)
    if "--root" in words:
        at = words.index("--root")
        del words[at : at + 2]
    return " ".join(words)


def _content(file: object) -> str:
    size = os.fstat(file.fileno()).st_size  # type: ignore[attr-defined]
    return os.pread(file.fileno(), size, 0).decode(errors="replace")  # type: ignore[attr-defined]
