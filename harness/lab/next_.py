"""`next`: where you are. The first lab that is not full, what it is about, and what to write."""

from __future__ import annotations

import argparse
import re
from dataclasses import dataclass
from pathlib import Path

from harness.lab import predict, show, state
from harness.lab.labs import KIT, Lab, load_all

_TODO = re.compile(r"(?://|#)\s*TODO\(lab (\d\d)\):\s*(.*)")
_STUB = re.compile(r"\bnot_implemented\(")


@dataclass(frozen=True)
class Todo:
    """A hole that nobody has filled yet."""

    file: str
    line: int
    title: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


def options(parser: argparse.ArgumentParser) -> None:
    state.lab_option(parser)


def run(arguments: argparse.Namespace) -> int:
    print("\n".join(told(state.chosen(arguments.lab))))
    return 0


def open_todos(lab: Lab, kit: Path = KIT) -> list[Todo]:
    """The lab's holes whose stub is still there; one that was filled may keep its comment."""
    found = []
    for name in lab.files:
        try:
            lines = (kit / name).read_text(errors="replace").splitlines()
        except OSError:
            continue
        marks = [(at, match) for at, line in enumerate(lines) if (match := _TODO.search(line))]
        for number, (at, match) in enumerate(marks):
            end = marks[number + 1][0] if number + 1 < len(marks) else len(lines)
            stub = any(_STUB.search(line) for line in lines[at:end])
            if stub and match[1] == lab.number:
                found.append(Todo(name, at + 1, match[2].strip()))
    return found


def told(lab: Lab, kit: Path = KIT) -> list[str]:
    """What a student needs to know to go on, each line with the command or place to go to."""
    found = state.last_result(lab, kit)
    todos = open_todos(lab, kit)
    done = sum(_is_done(each, kit) for each in load_all(kit))
    lines = [
        f"{show.bar(done, len(load_all(kit)))} {done} of {len(load_all(kit))} labs done", "",
        f"lab {lab.number}: {lab.title}",
        *state.wrapped(lab.goal), "",
    ]  # fmt: skip
    if found and found.full and not todos:
        all_done = " So do all others': well done." if done == len(load_all(kit)) else ""
        report = _row("report", f"make report LAB={lab.number}")
        return [*lines, f"   All its checks pass.{all_done}", report]
    lines.append(_row("read", lab.readme))
    questions = predict.tries_of(lab, kit)
    if still := sum(not tries for tries in questions.values()):
        lines.append(_row("predict", f"make predict LAB={lab.number}     ({still} questions)"))
    if todos:
        more = f", and {len(todos) - 1} more after it" if len(todos) > 1 else ""
        lines.append(_row("write", f"{todos[0]}  {todos[0].title}{more}"))
    failure = state.first_failure(found)
    if failure:
        was = " when you last looked" if state.outdated(lab, kit) else ""
        lines.append(_row("failing", f"{failure.id} {failure.title}{was}"))
        if failure.rows.get("actual"):
            lines += state.wrapped(failure.rows["actual"].splitlines()[0], " " * 14)
        lines.append(_row("hint", f"make hint LAB={lab.number}"))
    elif found is None:
        lines.append(_row("first", f"{lab.checks[0].id} {lab.checks[0].title}"))
    score = f"(the score: make grade LAB={lab.number})"
    lines.append(_row("check", f"make watch LAB={lab.number}     {score}"))
    return lines


def _is_done(lab: Lab, kit: Path) -> bool:
    """Whether it has all its points, or came solved."""
    found = state.last_result(lab, kit)
    return found.full if found else not open_todos(lab, kit)


def _row(label: str, text: str) -> str:
    return f"   {label:<10} {text}"
