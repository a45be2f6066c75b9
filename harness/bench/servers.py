"""Who is measured, and how each is started."""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from urllib.parse import urlsplit

from harness.bench import launch, peers
from harness.bench.peers import BACKLOG

STAGE = re.compile(r"\d\d-[a-z-]+")
YOURS = "yours:"
ROOFLINE, ROOFLINE_THREAD = "roofline", "roofline_thread"
ROOFLINES = (ROOFLINE, ROOFLINE_THREAD)

POOL, SPARE_WORKERS = 128, 28  # of 03: so many threads, and so many more than connections
WORKERS = {"08-master-worker": 2}
UNBOUNDED = {"00-iterative", "03-pool"}  # there is no --max-connections: others wait
IDLE_SECONDS = 300  # a connection may rest longer than all servers take to have their round


class Kind(Enum):
    """Why a server takes part."""

    STAGE = "stage"
    PEER = "peer"
    ROOFLINE = "roofline"
    YOURS = "yours"
    TARGET = "target"


@dataclass(frozen=True)
class Place:
    """Where servers run and keep their files."""

    bin_dir: Path
    out: Path
    root: Path
    cpu: int


@dataclass(frozen=True)
class Contender:
    """A server that can be measured."""

    name: str
    kind: Kind
    bin_dir: Path | None = None  # if it is not the place's
    workers: int = 0  # if not as many as usual
    address: tuple[str, int] | None = None  # where it runs already
    page: str = ""  # to ask for instead of /hello

    @property
    def model(self) -> str:
        """What it is, whoever built it: 06-epoll-lt, nginx-2, roofline."""
        return self.name.removeprefix(YOURS)

    def start(self, place: Place, connections: int, reply: Path | None) -> launch.Server:
        """Starts it for so many connections at once; a roofline sends the recorded reply."""
        if self.address:
            return launch.Stranger(self.name, *self.address)
        log = place.out / "logs" / f"{self.name}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        if self.kind is Kind.PEER:
            port = launch.free_port()
            state = place.root.parent / self.name
            command = peers.command(self.name, place.root, state, port, connections)
            tasks = peers.tasks(self.name, connections)
            return launch.start(self.name, command, place.cpu, log, port, tasks)
        command = [str((self.bin_dir or place.bin_dir) / self.model), "--port", "0"]
        if self.kind is not Kind.ROOFLINE:
            command += ["--root", str(place.root), *self._options(connections)]
        elif reply:
            command += ["--reply", str(reply)]
        return launch.start(self.name, command, place.cpu, log)

    def tasks(self, connections: int) -> int:
        """How many processes and threads it has before anybody comes, if these are many."""
        return peers.tasks(self.name, connections) if self.kind is Kind.PEER else 1

    def _options(self, connections: int) -> list[str]:
        workers = self.workers or WORKERS.get(self.model, 0)
        if self.model == "03-pool":
            workers = max(POOL, connections + SPARE_WORKERS)
        options = ["--idle-timeout", str(IDLE_SECONDS)]
        options += ["--workers", str(workers)] if workers else []
        if connections >= 1000:
            options += ["--backlog", str(BACKLOG)]
            if self.model not in UNBOUNDED:
                options += ["--max-connections", str(connections + 100)]
        return options


def contenders(bin_dir: Path, wanted: list[str]) -> tuple[list[Contender], list[str]]:
    """Those that can run, in the order of the tables, and a note for each that cannot."""
    names, notes = stages(bin_dir, wanted)
    found = [Contender(name, Kind.STAGE) for name in names]
    others, missing = peers.installed()
    found += [Contender(name, Kind.PEER) for name in others]
    notes += missing
    for name in ROOFLINES:
        if (bin_dir / name).exists():
            found.append(Contender(name, Kind.ROOFLINE))
        else:
            notes.append(f"{bin_dir / name} is not built: the kernel's own cost is unknown")
    return found, notes


def of_student(tree: Path, bin_dir: Path, wanted: list[str]) -> tuple[list[Contender], list[str]]:
    """The servers of another tree, each beside the one of this kit, and nginx."""
    theirs = tree / "build" / "bin"
    names, notes = stages(theirs, wanted)
    found = []
    for name in names:
        found.append(Contender(f"{YOURS}{name}", Kind.YOURS, theirs.resolve()))
        if (bin_dir / name).exists():
            found.append(Contender(name, Kind.STAGE))
    others, missing = peers.installed()
    found += [Contender(each, Kind.PEER) for each in others if peers.NGINX.fullmatch(each)]
    return found, notes + missing


def target(address: str) -> Contender:
    """A server that runs somewhere: host:port, or http://host:port/page."""
    parts = urlsplit(address if "//" in address else f"//{address}")
    if parts.scheme not in ("", "http") or not parts.hostname:
        raise ValueError(f"{address!r} is not host:port, nor http://host:port/page")
    where = (socket.gethostbyname(parts.hostname), parts.port or 80)
    page = parts.path + (f"?{parts.query}" if parts.query else "")
    return Contender("target", Kind.TARGET, address=where, page=page)


def stages(bin_dir: Path, wanted: list[str]) -> tuple[list[str], list[str]]:
    """The stages built there, the wanted ones if any are named, and a note for each missing."""
    built = sorted(path.name for path in bin_dir.glob("*") if STAGE.fullmatch(path.name))
    notes = [
        f"no {word} in {bin_dir} (make {word})"
        for word in wanted
        if not any(_is_wanted(name, [word]) for name in built)
    ]
    return [name for name in built if not wanted or _is_wanted(name, wanted)], notes


def _is_wanted(name: str, wanted: list[str]) -> bool:
    return any(word in (name, name.partition("-")[0]) for word in wanted)
