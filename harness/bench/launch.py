"""Starts and stops servers and clients: pinned to a cpu, counted in groups, never left over."""

from __future__ import annotations

import os
import re
import selectors
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from harness import processes
from harness.bench import janitor
from harness.bench.accounting import CpuMeter, cpu_meter, processes_and_threads

START_SECONDS = 5.0
CROWD_SECONDS = 60.0  # likewise, where a server has to start very many processes or threads
STOP_SECONDS = 10.0
READY = re.compile(r"listening on http://(?P<host>[\d.]+):(?P<port>\d+) ")


class LaunchError(Exception):
    """The program did not start, or did not stop as its contract says; the text says why."""


def pinned(command: Sequence[str], cpu: int, groups: Sequence[Path] = ()) -> list[str]:
    """The command on one cpu, inside its groups from its first moment, ended if we are."""
    joins = "".join(f"echo $$ >{group}/cgroup.procs && " for group in groups)
    prefix = f'{joins}exec setpriv --pdeathsig TERM taskset -c {cpu} "$@"'
    return ["sh", "-c", prefix, "sh", *command]


@dataclass
class Server:
    """A server that runs; `stop` ends it and says what was wrong with its end, if anything."""

    name: str
    port: int
    meter: CpuMeter
    process: subprocess.Popen[bytes]
    log: Path
    host: str = "127.0.0.1"
    ended: str = field(default="", init=False)  # how it died, once it has

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def ours(self) -> bool:
        """Whether its processes are there to be looked at."""
        return True

    def cpu_ns(self, patience: float = 0.5) -> int | None:
        """Its CPU time so far, once it has come to rest; None where that cannot be seen."""
        return self.meter.settled(self.pid, patience)

    def alive(self) -> bool:
        if self.process.poll() is not None and not self.ended:
            self.ended = f"{processes.status_text(self.process.returncode)}{_last_line(self.log)}"
        return not self.ended

    def stop(self) -> str:
        """Ends the server by SIGTERM; a word about what went wrong, or nothing."""
        complaint = ""
        if self.alive():
            self.process.send_signal(signal.SIGTERM)
            try:
                status = self.process.wait(STOP_SECONDS)
                complaint = "" if status == 0 else f"after SIGTERM: {processes.status_text(status)}"
            except subprocess.TimeoutExpired:
                complaint = f"still there {STOP_SECONDS:.0f} s after SIGTERM"
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)  # whatever it left behind
        self.process.wait()
        if self.process.stdout:
            self.process.stdout.close()
        janitor.release_group(self.pid)
        self.meter.close()
        return complaint


class Stranger(Server):
    """A server that somebody else has started, perhaps on another machine."""

    def __init__(self, name: str, host: str, port: int) -> None:
        self.name, self.host, self.port = name, host, port
        self.ended = ""

    @property
    def ours(self) -> bool:
        return False

    def cpu_ns(self, patience: float = 0.5) -> int | None:
        return None

    def alive(self) -> bool:
        return True

    def stop(self) -> str:
        return ""


def start(
    name: str, command: Sequence[str], cpu: int, log: Path, port: int | None = None, tasks: int = 1
) -> Server:
    """Starts a server and waits for its ready line, or, where a port is given, until it can be
    reached and has so many processes and threads."""
    meter = cpu_meter(name)
    with log.open("wb") as errors:
        process = subprocess.Popen(
            pinned(command, cpu, meter.groups),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            start_new_session=True,
        )
    janitor.guard_group(process.pid)
    server = Server(name, port or 0, meter, process, log)
    try:
        if port is None:
            server.port = _announced_port(process)
        else:
            _await_port(port, process)
            _await_tasks(tasks, process)
    except LaunchError as reason:
        server.stop()
        raise LaunchError(f"{reason}{_last_line(log)}") from None
    return server


def free_port() -> int:
    """A port that nobody listens on, for a server that cannot choose one by itself."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def _announced_port(process: subprocess.Popen[bytes]) -> int:
    assert process.stdout is not None
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        if not selector.select(START_SECONDS):
            raise LaunchError(f"no ready line within {START_SECONDS:.0f} s")
    line = process.stdout.readline().decode(errors="replace")
    ready = READY.match(line)
    if not line:
        raise LaunchError(processes.status_text(process.wait()))
    if not ready:
        raise LaunchError(f"its first line is no ready line: {line.strip()!r}")
    return int(ready["port"])


def _await_port(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not _accepts(port):
        if process.poll() is not None:
            raise LaunchError(processes.status_text(process.returncode))
        if time.monotonic() > deadline:
            raise LaunchError(f"did not listen within {START_SECONDS:.0f} s")
        time.sleep(0.01)


def _await_tasks(tasks: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + CROWD_SECONDS
    while (there := processes_and_threads(process.pid)[1]) < tasks:
        if process.poll() is not None:
            raise LaunchError(processes.status_text(process.returncode))
        if time.monotonic() > deadline:
            raise LaunchError(f"{there} of {tasks} threads within {CROWD_SECONDS:.0f} s")
        time.sleep(0.02)


def _accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return f": {lines[-1][:120]}" if lines else ""
