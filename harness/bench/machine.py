"""The facts about the machine without which a number means nothing."""

from __future__ import annotations

import datetime
import os
import platform
import re
import resource
import subprocess
from pathlib import Path
from typing import Any

TOOLS = {
    "wrk": ["wrk", "-v"],
    "nginx": ["nginx", "-v"],
    "apache": ["apache2", "-v"],
    "perf": ["perf", "--version"],
    "c++": ["c++", "--version"],
}


def facts() -> dict[str, Any]:
    """The machine, the kernel's settings that matter here, and the tools' versions."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return {
        "date": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
        "cpu": _cpu_model(),
        "cpus": len(os.sched_getaffinity(0)),
        "memory_mib": os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2**20,
        "kernel": platform.release(),
        "descriptors_soft": soft,
        "descriptors_hard": hard,
        "somaxconn": _setting("net/core/somaxconn"),
        "congestion_control": _setting("net/ipv4/tcp_congestion_control"),
        "local_ports": _setting("net/ipv4/ip_local_port_range"),
        "pid_max": _setting("kernel/pid_max"),
        "threads_max": _setting("kernel/threads-max"),
        "processes_hard": resource.getrlimit(resource.RLIMIT_NPROC)[1],
        "load_average": os.getloadavg()[0],
        "tools": {name: _version(command) for name, command in TOOLS.items()},
        "revision": _first_line(["git", "describe", "--always", "--dirty"]),
    }


def line(machine: dict[str, Any]) -> str:
    """The machine in one line, as it stands above a table."""
    day = machine["date"].partition("T")[0]
    return f"{day}, {machine['cpus']} x {machine['cpu']}, Linux {machine['kernel']}"


def _cpu_model() -> str:
    names = re.findall(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return str(names[0]).strip() if names else platform.machine()


def _setting(path: str) -> str:
    try:
        return Path("/proc/sys", path).read_text().strip()
    except OSError:
        return ""


def _version(command: list[str]) -> str:
    number = re.search(r"\d+(\.\d+)+", _first_line(command))
    return number[0] if number else ""


def _first_line(command: list[str]) -> str:
    """What a tool says first, wherever it says it; nothing if it is not there."""
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=5)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    lines = (said.stdout or said.stderr).splitlines()
    return lines[0] if lines and (said.returncode == 0 or command[0] != "git") else ""
