"""Handouts, built: does what students start with compile without a single warning?

Below build/handout there is a tree for each compiler and each state of the course (05: labs before
05 solved). A new one starts as a copy of another with all that is built in it, so that only what
differs is compiled. Warnings about unused things, which students may have, are errors in them.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.lab import handout
from harness.lab.handout import HandoutError
from harness.lab.labs import KIT, Lab

COMPILERS = ("g++", "clang++")
BUILD_SECONDS = 900.0
_WARNING = re.compile(r"^.*\b(?:warning|error): .*$", re.MULTILINE)


@dataclass(frozen=True)
class Build:
    """One build of a handout. `complaints` are the lines with warnings and errors."""

    compiler: str
    status: int
    complaints: tuple[str, ...]
    output: str

    @property
    def clean(self) -> bool:
        return self.status == 0 and not self.complaints

    @property
    def said(self) -> list[str]:
        """What there is to complain about, a line each; nothing for a clean build."""
        lines = self.complaints or self.output.splitlines()[-8:] or (f"status {self.status}",)
        return [] if self.clean else [f"{self.compiler}: {line}" for line in lines]


def environment() -> dict[str, str]:
    """For a make of its own, in which what is only unused is an error as well."""
    outer = ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES")
    kept = {name: value for name, value in os.environ.items() if name not in outer}
    return kept | {"UNFINISHED": "", "LC_ALL": "C"}


@contextlib.contextmanager
def _alone(compiler: str) -> Iterator[Path]:
    """The place of a compiler's trees; whoever else wants it waits."""
    place = KIT / "build" / "handout" / compiler
    place.mkdir(parents=True, exist_ok=True)
    with (place / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield place


def tree(first_open: int, compiler: str = COMPILERS[0]) -> Path:
    """The handout in which labs before `first_open` are solved, as up to date as this tree."""
    made = handout.make(first_open)
    with _alone(compiler) as place:
        folder = place / f"{first_open:02d}"
        if not (folder / handout.SUMS).exists():
            shutil.rmtree(folder, ignore_errors=True)
            _copy_nearest(place, folder)
        handout.write(made, folder, overwrite=True)
    return folder


def _copy_nearest(place: Path, folder: Path) -> None:
    """Begin with the tree that differs least. Times are kept, so that make finds all done."""
    others = sorted(place.glob(f"[0-9][0-9]/{handout.SUMS}"))
    if others:
        wanted = int(folder.name)
        nearest = min(others, key=lambda path: abs(int(path.parent.name) - wanted)).parent
        draft = place / "copying"
        shutil.rmtree(draft, ignore_errors=True)
        shutil.copytree(nearest, draft)
        draft.rename(folder)


def build(folder: Path, compiler: str, targets: Sequence[str] = ()) -> Build:
    """Build a handout, or parts of it."""
    command = ["make", "-s", "-k", "--no-print-directory", f"-j{os.cpu_count()}", *targets]
    with _alone(compiler):
        done = subprocess.run(
            command, cwd=folder, env=environment() | {"CXX": compiler}, timeout=BUILD_SECONDS,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
    return Build(compiler, done.returncode, tuple(_WARNING.findall(done.stdout)), done.stdout)


def builds(first_open: int = 0, targets: Sequence[str] = ()) -> list[Build]:
    """Build a handout, or parts of it, with each compiler."""
    return [build(tree(first_open, each), each, targets) for each in COMPILERS]


@contextlib.contextmanager
def built(lab: Lab) -> Iterator[tuple[Path, list[str]]]:
    """Where the servers of a lab's starter are, labs before it solved, and all complaints.

    With the first lab all is built: then every lab is as in the handout that has all to write.
    """
    first_open = int(lab.number)
    found = builds(first_open, [lab.name] if first_open else [])
    yield tree(first_open) / "build" / "bin", [line for each in found for line in each.said]


def run(arguments: argparse.Namespace) -> int:
    """Report on the starter; the status is 0 when no compiler has anything to say."""
    try:
        found = builds(int(arguments.lab))
    except HandoutError as error:
        print(f"make starter: {error}", file=sys.stderr)
        return 1
    for each in found:
        print("\n".join(each.said) or f"{each.compiler}: no warning")
    return 0 if all(each.clean for each in found) else 1
