"""The servers of others: nginx and Apache, each from a private configuration."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

BACKLOG = 4096  # the kernel's own default ceiling (net.core.somaxconn)
NGINX = re.compile(r"nginx-(?P<workers>\d+)")
APACHE = re.compile(r"apache-(?P<mpm>prefork|worker|event)")
MPMS = ("prefork", "worker", "event")
APACHE_MODULES = Path("/usr/lib/apache2/modules")

_TEMPLATES = Path(__file__).parent
_NGINX_CONNECTIONS = 11_000  # of one worker: all of ten thousand, should one get them all
_NGINX_SHARED = 16_000  # of each, where many workers share the connections
_MANY_WORKERS = 3
_APACHE_SPARE = 20  # processes or threads more than connections
_APACHE_THREADS = 100  # of one process


def installed() -> tuple[list[str], list[str]]:
    """The peers that can run here, and a note for each that cannot."""
    found, notes = [], []
    if _program("nginx"):
        found += ["nginx-1", "nginx-2"]
    else:
        notes.append("nginx is not installed: nothing to compare with (apt-get install nginx)")
    if _program("apache2"):
        found += [f"apache-{mpm}" for mpm in MPMS if _module(mpm).exists()]
    else:
        notes.append("Apache is not installed (apt-get install apache2-bin)")
    return found, notes


def command(name: str, root: Path, state: Path, port: int, connections: int) -> list[str]:
    """Writes the peer's configuration into a directory of its own, and returns how to start it."""
    state.mkdir(parents=True, exist_ok=True)
    values: dict[str, Any] = {"STATE": state, "ROOT": root, "PORT": port, "BACKLOG": BACKLOG}
    if nginx := NGINX.fullmatch(name):
        many = int(nginx["workers"]) >= _MANY_WORKERS
        values["WORKERS"] = nginx["workers"]
        values["CONNECTIONS"] = _NGINX_SHARED if many else _NGINX_CONNECTIONS
        values["REUSEPORT"] = " reuseport" if many else ""
        config = _written("nginx.conf", state, values)
        return [_program("nginx"), "-e", "stderr", "-c", str(config)]
    apache = APACHE.fullmatch(name)
    assert apache
    processes, threads = _apache_size(apache["mpm"], connections)
    values |= {"MPM": apache["mpm"], "MODULES": APACHE_MODULES, "THREADS": threads,
               "PROCESSES": processes, "WORKERS": processes * threads}  # fmt: skip
    config = _written("apache.conf", state, values)
    return [_program("apache2"), "-f", str(config), "-DFOREGROUND"]


def tasks(name: str, connections: int) -> int:
    """The processes and threads that the peer has once it is ready for so many connections."""
    if nginx := NGINX.fullmatch(name):
        return 1 + int(nginx["workers"])
    apache = APACHE.fullmatch(name)
    assert apache
    processes, threads = _apache_size(apache["mpm"], connections)
    if apache["mpm"] == "prefork":
        return 1 + processes
    return 1 + processes * (threads + 2)  # one that listens, and the main one


def _apache_size(mpm: str, connections: int) -> tuple[int, int]:
    """Processes, and the threads of each that serve."""
    workers = connections + _APACHE_SPARE
    if mpm == "prefork":
        return workers, 1
    return -(-workers // _APACHE_THREADS), _APACHE_THREADS


def _program(name: str) -> str:
    """Where it is; nothing if it is not. Debian keeps servers where a user's PATH does not go."""
    return shutil.which(name) or shutil.which(name, path="/usr/sbin") or ""


def _written(name: str, state: Path, values: dict[str, Any]) -> Path:
    text = (_TEMPLATES / f"{name}.in").read_text()
    for key, value in values.items():
        text = text.replace(f"@{key}@", str(value))
    config = state / name
    config.write_text(text)
    return config


def _module(mpm: str) -> Path:
    return APACHE_MODULES / f"mod_mpm_{mpm}.so"
