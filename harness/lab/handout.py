"""The student's repository, made from this tree: `make handout OUT=DIR [LAB=05]`.

The reference's holes become stubs, from lab LAB on; what is for staff stays here. The same tree
gives the same bytes. `.starter/` keeps what `make reset` restores, `.handout` the sums of all
files (`sha256sum --check .handout` says what a student has changed).
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from harness.lab import leaks, markers
from harness.lab.labs import KIT, Lab
from harness.lab.markers import MarkerError, Piece

SUMS = ".handout"
STARTER = ".starter"
STAFF_MODULES = (
    "docs", "handout", "leaks", "markers", "mutants", "pages", "planting", "selftest", "shell",
    "starter",
)  # fmt: skip
_TOP = re.compile(r"Makefile|pyproject\.toml|\.clang-format|\.gitignore|LICENSE.*")
_LABS = re.compile(
    r"labs/(\d\d-[^/]+/(README\.md|lab\.toml|trace\.svg)|(?!README\.)[^/]+\.(md|toml))"
)
_NOT = re.compile(
    r"common/tests/.*|harness/tests/.*|harness/slides/.*|setup/test\.sh"
    rf"|harness/lab/({'|'.join(STAFF_MODULES)})\.py"
)
_OWN = "labs/handout/"  # what is only in the handout, at its top
_LITTER = re.compile(
    r"(^|/)(build|__pycache__|\.[a-z]+_cache|\.git|\.lab|\.backup)/|\.pyc$|^compile_commands\.json$"
)


class HandoutError(Exception):
    """No handout can be made; the text, of one line or many, says why."""


@dataclass(frozen=True)
class Content:
    """A file of the handout and the one of this tree that it is made from."""

    data: bytes
    executable: bool
    source: str


@dataclass
class Handout:
    """All files by path, and the marked pieces of the tree they come from."""

    first_open: int
    files: dict[str, Content] = field(default_factory=dict)
    pieces: dict[str, list[Piece]] = field(default_factory=dict)
    staff_only: list[str] = field(default_factory=list)  # files that stay here
    untracked: list[str] = field(default_factory=list)

    @property
    def holes(self) -> list[tuple[str, Piece]]:
        """What is to be written, and in which file."""
        found = ((path, piece) for path, pieces in self.pieces.items() for piece in pieces)
        return [(path, piece) for path, piece in found if piece.is_open(self.first_open)]

    @property
    def texts(self) -> list[tuple[str, str]]:
        """Path and text of all files but the copies and the sums."""
        return [
            (path, content.data.decode(errors="replace"))
            for path, content in self.files.items()
            if content.source and not path.startswith(f"{STARTER}/")
        ]


def place(path: str) -> str:
    """Where a file of this tree is in the handout; empty: nowhere."""
    if path.startswith(_OWN):
        return path.removeprefix(_OWN)
    if _NOT.fullmatch(path):
        return ""
    if path.startswith(("common/", "stages/", "harness/", "setup/")):
        return path
    return path if _TOP.fullmatch(path) or _LABS.fullmatch(path) else ""


def make(first_open: int = 0, kit: Path = KIT) -> Handout:
    """The handout in memory, with labs before `first_open` solved."""
    handout = Handout(first_open)
    tree, handout.untracked = _tree(kit)
    labs = {PurePosixPath(path).parts[1][:2] for path in tree if path.startswith("stages/")}
    wrong: list[str] = []
    for path in tree:
        target = place(path)
        if not target:
            handout.staff_only.append(path)
            continue
        try:
            _add(handout, kit, path, target, labs)
        except MarkerError as error:
            wrong.append(str(error))
    if wrong:
        raise HandoutError("\n".join(wrong))
    sums = [f"{_sum(content.data)}  {path}\n" for path, content in sorted(handout.files.items())]
    handout.files[SUMS] = Content("".join(sums).encode(), False, "")
    handout.files = dict(sorted(handout.files.items()))
    return handout


def check(handout: Handout, kit: Path = KIT) -> None:
    """HandoutError says where the handout shows what it must not."""
    wrong: list[str] = []
    for path, text in handout.texts:
        try:
            if any(piece.kind != markers.GIVEN for piece in markers.parse(path, text)):
                wrong.append(f"{path}: a marker is left")
        except MarkerError as error:
            wrong.append(str(error))
    tables = [path for path in handout.staff_only if path.endswith("/mutants.toml")]
    mutants = {path: (kit / path).read_text() for path in tables}
    secrets = leaks.secrets(handout.pieces, handout.first_open, mutants)
    wrong += [str(leak) for leak in leaks.search(handout.texts, secrets)]
    if wrong:
        raise HandoutError("\n".join([
            "it would show what students are to find out (first the place in the handout, then the",
            "one in this tree). Put such lines into a block, too, or write them otherwise:",
            *wrong,
            "(For your own eyes, ARGS=--unchecked writes it nevertheless.)",
        ]))  # fmt: skip


def _add(handout: Handout, kit: Path, path: str, target: str, labs: set[str]) -> None:
    data = (kit / path).read_bytes()
    executable = os.access(kit / path, os.X_OK)
    if markers.comment(path):
        pieces = markers.parse(path, data.decode(), labs)
        handout.pieces[path] = pieces
        if pieces and all(piece.kind == markers.STAFF for piece in pieces):
            handout.staff_only.append(path)
            return
        if any(piece.kind != markers.GIVEN for piece in pieces):
            data = markers.apply(path, pieces, handout.first_open).encode()
        if any(piece.kind == markers.LAB for piece in pieces):
            handout.files[f"{STARTER}/{target}"] = Content(data, False, path)
    handout.files[target] = Content(data, executable, path)


def _tree(kit: Path) -> tuple[list[str], list[str]]:
    """What belongs to the kit, sorted, and what of it git does not know yet."""
    if not (kit / ".git").exists() or not shutil.which("git"):
        found = (path.relative_to(kit).as_posix() for path in _walk(kit))
        return sorted(path for path in found if not _LITTER.search(path)), []

    def listed(*options: str) -> set[str]:
        command = ["git", "-C", str(kit), "ls-files", "-z", "--exclude-standard", *options]
        done = subprocess.run(command, capture_output=True)
        if done.returncode:
            raise HandoutError(f"git ls-files: {done.stderr.decode().strip()}")
        return {path for path in done.stdout.decode().split("\0") if (kit / path).is_file()} - {""}

    untracked = {path for path in listed("--others") if place(path)}
    return sorted(listed("--cached") | untracked), sorted(untracked)


def _walk(folder: Path) -> Iterator[Path]:
    for here, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not _LITTER.search(f"{name}/")]
        yield from (Path(here) / name for name in names)


def _sum(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def write(handout: Handout, out: Path, *, overwrite: bool = False) -> None:
    """Puts the files there. An earlier handout is brought up to date; nothing else is touched."""
    known = _earlier(out)
    if not overwrite:
        _refuse_to_lose_work(handout, out, known)
    for path in known.keys() - handout.files.keys():
        (out / path).unlink(missing_ok=True)
        _prune(out, path)
    for path, content in handout.files.items():
        target = out / path
        if not (target.is_file() and target.read_bytes() == content.data):
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content.data)
        target.chmod(0o755 if content.executable else 0o644)


def _refuse_to_lose_work(handout: Handout, out: Path, known: dict[str, str]) -> None:
    new = handout.files.keys() - known.keys() - {SUMS}
    changed = [path for path in new if (out / path).exists()]
    for path, digest in known.items():
        if (out / path).is_file() and _sum((out / path).read_bytes()) != digest:
            changed.append(path)
    if changed:
        listed = "".join(f"\n  {path}" for path in sorted(changed)[:10])
        raise HandoutError(
            f"{out}: somebody has worked here since the last handout, in{listed}\n"
            "and would lose it. Name another folder with OUT=, or remove this one."
        )


def _earlier(out: Path) -> dict[str, str]:
    """The files of the handout that is there, with their sums."""
    if out.exists() and not out.is_dir():
        raise HandoutError(f"{out} is a file. Name a new folder with OUT=.")
    if not out.exists() or not any(out.iterdir()):
        return {}
    if not (out / SUMS).is_file():
        raise HandoutError(
            f"{out} is not empty and is no earlier handout (it has no {SUMS}). "
            "Name a new folder with OUT=."
        )
    lines = (out / SUMS).read_text().splitlines()
    return {path: digest for digest, path in (line.split("  ", 1) for line in lines)}


def _prune(out: Path, path: str) -> None:
    for folder in (out / path).parents:
        if folder == out or not folder.is_dir() or any(folder.iterdir()):
            return
        folder.rmdir()


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, help="the folder to write")
    parser.add_argument("--lab", default="00", help="labs before this one arrive solved (00)")
    parser.add_argument("--list", action="store_true", help="only say which files it would have")
    parser.add_argument(
        "--unchecked", action="store_true", help="leave out the search for leaked solutions"
    )


def run(arguments: argparse.Namespace) -> int:
    """Write the student's repository. The status is 1, with the reasons, if there can be none."""
    if arguments.list:
        print("\n".join(make().files))
        return 0
    if not arguments.out or not re.fullmatch(r"0?\d", arguments.lab):
        print("usage: make handout OUT=DIR [LAB=05]", file=sys.stderr)
        return 2
    try:
        handout = make(int(arguments.lab))
        if not arguments.unchecked:
            check(handout)
        write(handout, arguments.out)
    except HandoutError as error:
        print(f"make handout: {error}", file=sys.stderr)
        return 1
    if handout.untracked:
        print(f"note: in it, but not in git yet: {' '.join(handout.untracked)}", file=sys.stderr)
    print(f"{arguments.out}: {len(handout.files)} files, {len(handout.holes)} places to write")
    return 0


def run_starter(arguments: argparse.Namespace) -> int:
    """`python3 -m harness.lab starter`: see starter.py."""
    from harness.lab import starter

    return starter.run(arguments)


def starter(lab: Lab) -> AbstractContextManager[tuple[Path, list[str]]]:
    """Where a lab's starter is built, and what the compilers said about it."""
    from harness.lab import starter as builds

    return builds.built(lab)
