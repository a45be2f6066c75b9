"""Every command in a handout does what the text shows: `python3 -m harness.lab docs [--lab 04]`.

The ```console blocks of a README are one bash session, in a tree where its lab is solved; those
marked ```console starter are another, where it is not. In what is shown `...` stands for anything
within a line, and as a line of its own for any lines.
"""

from __future__ import annotations

import argparse
import itertools
import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.lab import labs
from harness.lab.labs import KIT, Lab
from harness.lab.shell import Hung, Shell, tidy

FRONT = "labs/handout/README.md"
_OPEN = re.compile(r"```console(?: (?P<where>\S+))?\s*")
_BUILDING = re.compile(r"  (compile|link) .*|make: (Nothing to be done for|.* is up to date).*")
_NO_PROGRAM = (126, 127)
_KILL = re.compile(r"kill\s+(-\w+\s+)*%[^;]*")
_AFTER_KILL = {  # what a text must not go on with, for it depends on how fast one types
    re.compile(r"(?s).*&"): "starts a job right after `kill %1`: whoever types it may get the "
    "number 2, for the shell has not yet said that job 1 is done. Write `kill %1; wait`",
    re.compile(r"(?s)wait\b.*"): "comes too late if the shell has already said that the job is "
    "done. Write `kill %1; wait %1` on one line",
}


class DocsError(ValueError):
    """A console block that cannot be understood: where, and why."""


@dataclass(frozen=True)
class Command:
    """One command of a text, and what is shown after it."""

    line: int
    text: str
    shown: tuple[str, ...]
    starter: bool

    def matches(self, output: str) -> bool:
        """Whether this is what the text shows. What a build says of its steps is neither here
        nor there: it depends on what was built before."""
        return bool(_pattern(_essence(self.shown)).fullmatch(_joined(output.splitlines())))


def _essence(lines: tuple[str, ...] | list[str]) -> list[str]:
    kept = tidy("\n".join(lines)).splitlines()
    return [line for line in kept if not _BUILDING.fullmatch(line)]


def _joined(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in _essence(lines))


def _pattern(lines: list[str]) -> re.Pattern[str]:
    parts = []
    for line in lines:
        if line.strip() == "...":
            parts.append(r"(?:[^\n]*\n)*?")
        else:
            parts.append(r"[^\n]*?".join(map(re.escape, line.split("..."))) + r"\n")
    return re.compile("".join(parts))


def commands(path: str, text: str) -> list[Command]:
    """All commands of a text, in order. DocsError says which block is malformed."""
    found: list[Command] = []
    for first, where, lines in _blocks(path, text):
        if where not in (None, "starter"):
            raise DocsError(f"{path}:{first}: ```console {where}: there is ```console starter")
        found += _of_block(path, first, lines, where == "starter")
    return found


def _blocks(path: str, text: str) -> Iterator[tuple[int, str | None, list[str]]]:
    opened: tuple[int, str | None, list[str]] | None = None
    for number, line in enumerate(text.splitlines(), 1):
        if opened is None:
            if found := _OPEN.fullmatch(line):
                opened = (number, found["where"], [])
            elif line.startswith("```console"):
                raise DocsError(f"{path}:{number}: write ```console or ```console starter")
        elif line.rstrip() == "```":
            yield opened
            opened = None
        else:
            opened[2].append(line)
    if opened:
        raise DocsError(f"{path}:{opened[0]}: this block is never closed")


def _of_block(path: str, first: int, lines: list[str], starter: bool) -> Iterator[Command]:
    command: list[str] = []
    shown: list[str] = []
    began = first
    for number, line in enumerate(lines, first + 1):
        if line.startswith("$ "):
            if command:
                yield Command(began, "\n".join(command), tuple(shown), starter)
            command, shown, began = [line[2:]], [], number
        elif not command:
            raise DocsError(f"{path}:{number}: output before any command: `$ command` comes first")
        elif not shown and (line.startswith("> ") or command[-1].endswith("\\")):
            command.append(line.removeprefix("> "))
        else:
            shown.append(line)
    if command:
        yield Command(began, "\n".join(command), tuple(shown), starter)


def run_all(path: str, wanted: list[Command], folder: Path) -> list[str]:
    """Run commands in a copy of a tree; what does not happen as it is shown."""
    wrong = [
        f"{path}:{after.line}: $ {after.text}\n  {why}"
        for before, after in itertools.pairwise(wanted)
        for pattern, why in _AFTER_KILL.items()
        if _KILL.fullmatch(before.text) and pattern.fullmatch(after.text)
    ]
    with tempfile.TemporaryDirectory(prefix="c10k-docs-") as place:
        tree = Path(place) / "c10k"
        shutil.copytree(folder, tree, symlinks=True)
        # As in the trees that were built before, or all would be built anew here.
        with Shell(tree, {"UNFINISHED": ""}) as shell:
            for command in wanted:
                try:
                    status, output = shell.run(command.text, command.matches)
                except Hung as error:
                    return [*wrong, f"{path}:{command.line}: $ {command.text}\n  {error}"]
                if not command.matches(output) or status in _NO_PROGRAM:
                    wrong.append(_difference(path, command, status, output))
    return wrong


def _difference(path: str, command: Command, status: int, output: str) -> str:
    shown = "".join(f"\n    {line}" for line in command.shown) or "\n    (nothing)"
    actual = "".join(f"\n    {line}" for line in output.splitlines()) or "\n    (nothing)"
    return (
        f"{path}:{command.line}: $ {command.text}\n  the text shows{shown}\n"
        f"  it says (status {status}){actual}"
    )


def complaints(lab: Lab) -> list[str]:
    """What a lab's README shows and is not so."""
    number = int(lab.number)
    return _complaints(lab.readme, solved=number + 1, starter=number)


def front_complaints() -> list[str]:
    """The same for the README at a handout's top, in a tree with everything to write."""
    return _complaints(FRONT, solved=0, starter=0)


def _complaints(path: str, *, solved: int, starter: int) -> list[str]:
    from harness.lab import starter as trees

    try:
        found = commands(path, (KIT / path).read_text())
    except DocsError as error:
        return [str(error)]
    except OSError as error:
        return [f"{path}: {error.strerror}"]
    wrong: list[str] = []
    for first_open, unsolved in ((solved, False), (starter, True)):
        if wanted := [command for command in found if command.starter == unsolved]:
            tree = trees.tree(first_open)
            trees.build(tree, trees.COMPILERS[0])  # what does not build is said by the commands
            wrong += run_all(path, wanted, tree)
    return wrong


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--lab", default="", help='only these labs: "04 05" (all, and the front)')


def run(arguments: argparse.Namespace) -> int:
    """Run the commands; the status is 0 when all is as shown."""
    chosen = [labs.find(each) for each in arguments.lab.split()] or labs.load_all()
    pages = [(lab.readme, lambda lab=lab: complaints(lab)) for lab in chosen]
    if not arguments.lab:
        pages.insert(0, (FRONT, front_complaints))
    failed = False
    for path, judge in pages:
        wrong = judge()
        failed = failed or bool(wrong)
        print("\n".join([f":( {path}", *wrong] if wrong else [f":) {path}"]), flush=True)
    return 1 if failed else 0
