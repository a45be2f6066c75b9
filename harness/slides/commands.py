"""The commands in a deck's notes: found, and run as a lecturer would type them, slide by slide."""

from __future__ import annotations

import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.lab.shell import Hung, Shell
from harness.slides import console
from harness.slides.deck import KIT, Deck, DeckError, Item

_PATIENCE = 4.0  # times the usual limits: a lecture is tried where others are at work
_WORD = re.compile(r"\s+#\s*(until Ctrl-C|fails)\s*$")


@dataclass(frozen=True)
class Command:
    """`stopped`: it runs until somebody presses Ctrl-C; `fails`: its status must not be 0."""

    line: int
    slide: int
    text: str
    stopped: bool = False
    fails: bool = False


def commands(deck: Deck) -> list[Command]:
    """All of a deck, in order."""
    return [each for item in deck.items if item.is_note for each in _of_note(deck, item)]


def _of_note(deck: Deck, item: Item) -> Iterator[Command]:
    lines = item.text.splitlines()
    number = 0
    while number < len(lines):
        line, first = lines[number].strip(), number
        number += 1
        if not line.startswith(console.PROMPT):
            continue
        whole = [line.removeprefix(console.PROMPT)]
        while whole[-1].endswith("\\"):
            if number == len(lines):
                where = deck.path, item.line + first
                raise DeckError("a command that ends with a backslash", *where)
            whole.append(lines[number].strip())
            number += 1
        text = "\n".join(whole)
        word = (_WORD.search(text) or [None, ""])[1]
        stopped, fails = word == "until Ctrl-C", word == "fails"
        yield Command(item.line + first, item.slide, _WORD.sub("", text), stopped, fails)


@dataclass
class Outcome:
    """What is wrong, how many lines of terminals are as shown, how long it took."""

    complaints: list[str]
    shown: int = 0
    seconds: float = 0.0


def run_all(deck: Deck, kit: Path = KIT) -> Outcome:
    """Types all commands in a copy of the tree; every line of a terminal must have been seen."""
    began = time.monotonic()
    outcome = Outcome([])
    with tempfile.TemporaryDirectory(prefix="c10k-slides-") as place:
        tree = Path(place) / "c10k"
        shutil.copytree(kit, tree, symlinks=True, ignore=_ignored(kit))
        with Shell(tree, patience=_PATIENCE) as shell:
            _Lecture(deck, shell, outcome).give()
    outcome.seconds = time.monotonic() - began
    return outcome


class _Lecture:
    """Goes through a deck slide by slide: types what the notes say, compares what it shows."""

    def __init__(self, deck: Deck, shell: Shell, outcome: Outcome) -> None:
        self.deck, self.shell, self.outcome = deck, shell, outcome
        self.wanted = commands(deck)
        self.notes = [command.text for command in self.wanted]
        self.shown = console.lines(deck)
        self.printed: list[str] = []

    def give(self) -> None:
        for slide in range(1, self.deck.slides + 1):
            typed = [command for command in self.wanted if command.slide == slide]
            shown = [line for line in self.shown if line.slide == slide]
            outputs = [line.text for line in shown if not line.typed]
            for number, command in enumerate(typed, 1):
                try:
                    wrong = self.type(command, outputs if number == len(typed) else [])
                except Hung as error:
                    self.complain(command, str(error))
                    return
                if wrong:
                    self.complain(command, wrong)
            said = [console.complaint(self.deck, line, self.printed, self.notes) for line in shown]
            self.outcome.complaints += filter(None, said)
            self.outcome.shown += said.count("")

    def complain(self, command: Command, what: str) -> None:
        where = f"{self.deck.path}:{command.line}"
        self.outcome.complaints.append(f"{where}: $ {command.text}\n  {what}")

    def type(self, command: Command, awaited: list[str]) -> str:
        """`awaited`: lines of which some may come a little late."""
        if command.stopped:
            output = self.shell.run_until_stopped(command.text)
            self.printed += output.splitlines()
            return "" if output else "it printed nothing"

        def complete(text: str) -> bool:
            so_far = [*self.printed, *text.splitlines()]
            return all(console.was_printed(line, so_far) for line in awaited)

        status, output = self.shell.run(command.text, complete)
        self.printed += output.splitlines()
        return _complaint(command, status, output)


def _ignored(kit: Path):
    """What commands of a lecture do not need: what is big, or belongs to other programs."""

    def names(folder: str, there: list[str]) -> set[str]:
        own = {".git", "__pycache__", "node_modules"}
        if Path(folder) == kit / "build":
            own |= {"slides", "handout", "test", "work", "docs", "mutants"}
        return own & set(there)

    return names


def _complaint(command: Command, status: int, output: str) -> str:
    if (status != 0) == command.fails:
        return ""
    said = output.strip().splitlines()[-6:]
    wanted = "should fail" if command.fails else "should succeed"
    return "\n    ".join([f"it {wanted}, and ends with status {status}:", *said])
