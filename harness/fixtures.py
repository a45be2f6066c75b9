"""The servers that checks work with, and the files that these serve."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from harness import findings, processes
from harness.clock import patience
from harness.findings import Finding, expect, transcript
from harness.instruments import Census, census, quiet, returns_to
from harness.message import pattern
from harness.server import DRAIN_SECONDS, Server, Target

BIG = 8 * 1024 * 1024
SECRET = "this file lies outside the root"
Option = str | int | float | bool | Path


def make_root(directory: Path) -> Path:
    """Fill a directory with files to serve, traps included; returns the root."""
    root = directory / "www"
    (root / "sub").mkdir(parents=True)
    (directory / "www-private").mkdir()
    for outside in (directory / "secret.txt", directory / "www-private" / "secret.txt"):
        outside.write_text(SECRET)
    (root / "index.html").write_text("<!doctype html><title>files</title>\n")
    (root / "letters.txt").write_text("abcdefghijklmnopqrstuvwxyz")
    (root / "empty.txt").write_text("")
    (root / "with space.txt").write_text("a name with a space")
    (root / "style.css").write_text("body { margin: 0 }\n")
    (root / "data.json").write_text("{}\n")
    (root / "ten.bin").write_bytes(pattern(10_240))
    (root / "big.bin").write_bytes(pattern(BIG))
    (root / "sub" / "inner.txt").write_text("inside")
    (root / "link-out.txt").symlink_to(directory / "secret.txt")
    (root / "dir-out").symlink_to(directory)
    os.mkfifo(root / "pipe")
    return root


def command_options(options: dict[str, Option]) -> list[str]:
    """`{"idle_timeout": 0.3, "access_log": True}` as words of a command line."""
    words: list[str] = []
    for name, value in options.items():
        if value is not False:
            words.append("--" + name.replace("_", "-"))
            words += [] if value is True else [str(value)]
    return words


class Starter:
    """Starts servers for one check, and ends all of them after it."""

    def __init__(self, target: Target, root: Path) -> None:
        self.target = target
        self.root = root
        self.servers: list[Server] = []

    def __call__(
        self,
        *,
        wrapper: tuple[str, ...] = (),
        inherit: tuple[int, ...] = (),
        port: int = 0,
        wait_for: Literal["ready line", "listener"] = "ready line",
        **options: Option,
    ) -> Server:
        """Start a server; `idle_timeout=0.3` becomes `--idle-timeout 0.3`."""
        findings.run_options = " ".join(command_options(options))
        everything = {"root": self.root, "drain_timeout": DRAIN_SECONDS, **options}
        words = command_options(everything)
        server = Server(
            self.target, *words, wrapper=wrapper, inherit=inherit, port=port, wait_for=wait_for
        )
        self.servers.append(server)
        return server

    def fails(self, *words: str, port: int = 0) -> tuple[int, list[str]]:
        """Run the program with options it must refuse: its exit status, and what it said."""
        return self.runs("--port", str(port), *words)

    def runs(self, *words: str) -> tuple[int, list[str]]:
        """Run the program with exactly these words: its exit status, and the lines it wrote.

        A Finding if it does not end, but serves.
        """
        transcript.note("harness", " ".join([self.target.stage.name, *words]))
        try:
            ended = subprocess.run(
                [str(self.target.program), *words], stdin=subprocess.DEVNULL, capture_output=True,
                timeout=patience(10), check=False, text=True, errors="replace",
                env={**os.environ, **processes.SANITIZER_OPTIONS},
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise Finding("it does not end, but goes on to serve") from None
        return ended.returncode, (ended.stdout + ended.stderr).strip().splitlines()

    def finish(self) -> None:
        """End all servers in the ordinary way; a Finding if one does not end so."""
        try:
            for server in self.servers:
                server.close_clients()
                server.finish()
        finally:
            self.sweep()

    def sweep(self) -> None:
        """Get rid of all servers, without questions."""
        for server in self.servers:
            server.close_clients()
            server.sweep()


@dataclass
class _Running:
    starter: Starter
    server: Server
    before: Census


class Shared:
    """One server per stage for all checks that do it no harm, looked at after each of them."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._running: _Running | None = None

    def server(self, target: Target) -> Server:
        """The stage's server, started if there is none."""
        if self._running and self._running.server.target != target:
            self.discard()
        if self._running is None:
            self._running = self._begin(Starter(target, self._root))
            transcript.clear()
        findings.run_options = ""
        return self._running.server

    def _begin(self, starter: Starter) -> _Running:
        try:
            server = starter()
            expect(server.get("/hello").status == 200, "the very first GET /hello fails")
            quiet(server)
            return _Running(starter, server, census(server))
        except BaseException:
            starter.sweep()
            raise

    def inspect(self) -> None:
        """Require that the server lives and holds on to nothing of the check's clients."""
        if running := self._running:
            running.server.close_clients()
            returns_to(running.server, running.before, "after this check's clients have left,")

    def finish(self) -> None:
        """End the server in the ordinary way, with all that is required then."""
        running, self._running = self._running, None
        if running:
            running.starter.finish()

    def discard(self) -> None:
        """End the server without questions: a check has failed with it."""
        running, self._running = self._running, None
        if running:
            running.starter.sweep()
