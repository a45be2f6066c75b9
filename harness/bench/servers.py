"""Who is measured: the stages of the kit, nginx, and the roofline; and how each is started."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from harness.bench import launch
from harness.bench.loads import C10K, Load

STAGE = re.compile(r"\d\d-[a-z-]+")
NGINX_TEMPLATE = Path(__file__).with_name("nginx.conf.in")
NGINX_NAME = re.compile(r"nginx-(?P<workers>\d+)")
ROOFLINE = "roofline"
BACKLOG = 4096  # the kernel's own default ceiling (net.core.somaxconn)

ONE_CLIENT = {"00-iterative"}
WORKERS = {"03-pool": 128, "08-master-worker": 2}
HOLDS_10K = re.compile(r"0[5-8]-.*|nginx-1")
IDLE_CONNECTIONS = {"00-iterative": 0, "01-fork": 300, "03-pool": 100}  # the rest: 1,000


class Kind(Enum):
    """Why a server takes part."""

    STAGE = "stage"
    PEER = "peer"
    ROOFLINE = "roofline"


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

    def connections(self, load: Load) -> int:
        """How many the load opens; one where the server serves one client until it leaves."""
        return 1 if self.name in ONE_CLIENT and not load.closing else load.connections

    def idle_connections(self) -> int:
        """How many idle clients it is asked to hold."""
        return IDLE_CONNECTIONS.get(self.name, 1000)

    def takes_part(self, load: Load) -> bool:
        """Whether the load makes sense for it at all."""
        return load is not C10K or bool(HOLDS_10K.fullmatch(self.name))

    def start(self, place: Place, connections: int, reply: Path | None) -> launch.Server:
        """Starts it; the roofline sends the recorded reply."""
        log = place.out / "logs" / f"{self.name}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        nginx = NGINX_NAME.fullmatch(self.name)
        if nginx:
            port = launch.free_port()
            config = _nginx_config(place, self.name, int(nginx["workers"]), port)
            command = ["nginx", "-e", "stderr", "-c", str(config)]
            return launch.start(self.name, command, place.cpu, log, port)
        command = [str(place.bin_dir / self.name), "--port", "0"]
        if self.kind is Kind.STAGE:
            command += ["--root", str(place.root), *self._options(connections)]
        elif reply:
            command += ["--reply", str(reply)]
        return launch.start(self.name, command, place.cpu, log)

    def _options(self, connections: int) -> list[str]:
        options = ["--workers", str(WORKERS[self.name])] if self.name in WORKERS else []
        if connections > 1000:
            options += ["--backlog", str(BACKLOG), "--max-connections", str(connections + 100)]
        return options


def contenders(bin_dir: Path, wanted: list[str]) -> tuple[list[Contender], list[str]]:
    """Those that can run, in the order of the tables, and a note for each that cannot."""
    built = sorted(path.name for path in bin_dir.glob("*") if STAGE.fullmatch(path.name))
    stages = [name for name in built if not wanted or _is_wanted(name, wanted)]
    notes = [
        f"no {word} in {bin_dir} (make {word})"
        for word in wanted
        if not any(_is_wanted(name, [word]) for name in built)
    ]
    found = [Contender(name, Kind.STAGE) for name in stages]
    if shutil.which("nginx"):
        found += [Contender(f"nginx-{workers}", Kind.PEER) for workers in (1, 2)]
    else:
        notes.append(
            "nginx is not installed: nothing to compare with (apt-get install nginx-light)"
        )
    if (bin_dir / ROOFLINE).exists():
        found.append(Contender(ROOFLINE, Kind.ROOFLINE))
    else:
        notes.append(f"{bin_dir / ROOFLINE} is not built: the kernel's own cost is unknown")
    return found, notes


def _is_wanted(name: str, wanted: list[str]) -> bool:
    return any(word in (name, name.partition("-")[0]) for word in wanted)


def _nginx_config(place: Place, name: str, workers: int, port: int) -> Path:
    state = (place.out / name).resolve()
    state.mkdir(parents=True, exist_ok=True)
    values = {
        "WORKERS": workers,
        "PORT": port,
        "BACKLOG": BACKLOG,
        "ROOT": place.root,
        "STATE": state,
    }
    text = NGINX_TEMPLATE.read_text()
    for key, value in values.items():
        text = text.replace(f"@{key}@", str(value))
    config = state / "nginx.conf"
    config.write_text(text)
    return config
