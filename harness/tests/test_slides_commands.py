"""The commands in a deck's notes are found, and run."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.slides import commands
from harness.slides.deck import Deck, parse

HEAD = "---\ntitle: x\n---\n"


def deck(*notes: str) -> Deck:
    slides = "\n\n---\n\n".join(f"## Slide\n\n<!--\n{note}\n-->" for note in notes)
    return parse("x.md", f"{HEAD}\n{slides}\n")


def told(tmp_path: Path, *notes: str) -> list[str]:
    kit = tmp_path / "kit"
    kit.mkdir(exist_ok=True)
    (kit / "note.txt").write_text("hello\n")
    return commands.run_all(deck(*notes), kit).complaints


def test_commands_of_all_notes() -> None:
    found = commands.commands(
        deck("Say this.\n$ one\nand\n$ two \\\n  three\n$ four   # fails", "$ five # until Ctrl-C")
    )
    assert [(c.slide, c.line, c.text, c.stopped, c.fails) for c in found] == [
        (1, 9, "one", False, False),
        (1, 11, "two \\\nthree", False, False),
        (1, 13, "four", False, True),
        (2, 21, "five", True, False),
    ]


def test_what_tells_marp_something_is_no_note() -> None:
    made = parse("x.md", f"{HEAD}<!-- _class: title -->\n<!-- A note: with a colon -->\n")
    assert [item.text.strip() for item in made.notes(1)] == ["A note: with a colon"]


def test_all_run_in_one_shell_in_a_copy(tmp_path: Path) -> None:
    assert told(tmp_path, "$ x=$(cat note.txt); rm note.txt", "$ test $x = hello") == []
    assert (tmp_path / "kit/note.txt").exists()


def test_a_status_that_is_not_as_stated(tmp_path: Path) -> None:
    first, second = told(tmp_path, "$ echo so; false\n$ true # fails\n$ false # fails")
    assert first == (
        "x.md:8: $ echo so; false\n  it should succeed, and ends with status 1:\n    so"
    )
    assert second.startswith("x.md:9: $ true\n  it should fail, and ends with status 0:")


def test_what_runs_until_it_is_stopped(tmp_path: Path) -> None:
    assert told(tmp_path, "$ echo ready; sleep 1000 # until Ctrl-C\n$ echo on") == []


@pytest.mark.parametrize("command", ["trap '' INT; echo ready; sleep 1000", "true"])
def test_what_cannot_be_stopped_or_says_nothing(
    tmp_path: Path, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from harness.lab import shell

    monkeypatch.setattr(shell, "COMMAND_SECONDS", 1.5)
    assert len(told(tmp_path, f"$ {command} # until Ctrl-C")) == 1
