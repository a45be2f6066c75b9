"""What a slide shows of a terminal has been printed by a command of the deck."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.lab import shell
from harness.slides import commands, console
from harness.slides.commands import Outcome
from harness.slides.deck import Deck, parse


def deck(*slides: tuple[str, str]) -> Deck:
    """Of each slide what its terminal shows, and its notes."""
    texts = [
        f"## Slide\n\n```console\n{shown}\n```\n\n<!--\n{note}\n-->" for shown, note in slides
    ]
    return parse("x.md", "---\ntitle: x\n---\n\n" + "\n\n---\n\n".join(texts) + "\n")


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shell, "LATE_SECONDS", 0.5)


def given(tmp_path: Path, *slides: tuple[str, str]) -> Outcome:
    return commands.run_all(deck(*slides), tmp_path)


@pytest.mark.parametrize(
    "shown, printed",
    [
        ("pid 17 at 8080", "pid 4 at 65535"),
        ("  a   b", "a\t  b"),
        ("at 0x55aF".lower(), "at 0x7fff12"),
        ("clone({flags=A|..., ...) = 7", "clone({flags=A|B|C, stack=NULL}, 88) = 12"),
        ("a long line that is ...", "a long line that is cut here"),
        ("1,836 KiB", "2,004 KiB"),
    ],
)
def test_what_is_the_same(shown: str, printed: str) -> None:
    assert console.was_printed(shown, ["before", printed])


@pytest.mark.parametrize(
    "shown, printed",
    [
        ("a", "a b"), ("one", "two"), ("a b", "ab"), ("n 1", "n x"), ("a.c", "abc"),
        ("x ... y", "x y z"),
    ],
)  # fmt: skip
def test_what_is_not(shown: str, printed: str) -> None:
    assert not console.was_printed(shown, [printed])


@pytest.mark.parametrize(
    "shown, typed",
    [
        ("ls -l       # all of them", "ls -l"),
        ("make run &", "make run & pid=$!"),
        ("curl x", "sleep 1; curl x  "),
        ("f() { a; \\\n  b; }", "f() { a; b; }"),
        ("strace x", "(strace x; true) & wait"),
    ],
)
def test_a_command_of_the_notes(shown: str, typed: str) -> None:
    assert console.was_typed(shown, ["other", typed])


@pytest.mark.parametrize("typed", ["ls -la", "tools -l", "echo ls -l", "ls -l | head"])
def test_no_command_of_the_notes(typed: str) -> None:
    assert not console.was_typed("ls -l", [typed])


def test_the_lines_of_a_deck() -> None:
    made = deck(("$ a \\\n    b\nshown\n\n$ for x\n> done\nmore\n$ c", "$ z"))
    assert [(line.number, line.text, line.typed) for line in console.lines(made)] == [
        (8, "a \\\n    b", True), (10, "shown", False), (12, "for x\ndone", True),
        (14, "more", False), (15, "c", True),
    ]  # fmt: skip


def test_a_terminal_that_is_so(tmp_path: Path) -> None:
    outcome = given(
        tmp_path,
        ("$ echo pid $((3 + 4))      # which?\npid 1", "Say.\n$ echo pid $((3 + 4))"),
        ("pid 5\nlater, ...", "$ echo later, and more"),
    )
    assert (outcome.complaints, outcome.shown) == ([], 4)


def test_a_terminal_that_is_not_so(tmp_path: Path) -> None:
    slides = ("$ date\nhello, word\nlater", "$ echo hello, world"), ("later", "$ echo later")
    outcome = given(tmp_path, *slides)
    date, word, early = outcome.complaints
    assert date.startswith("x.md:8: slide 1: $ date\n  no command of the notes; the nearest is\n")
    assert word == (
        "x.md:9: slide 1: hello, word\n"
        "  no command typed so far has printed this; the nearest line is\n    hello, world"
    )
    assert early.startswith("x.md:10: slide 1: later\n"), "it is printed on a later slide only"
    assert outcome.shown == 1


def test_what_was_printed_elsewhere_is_counted_and_not_compared(tmp_path: Path) -> None:
    made = parse("x.md", "---\ntitle: x\n---\n## S\n\n```console elsewhere\n$ gdb\nit\n```\n")
    assert console.elsewhere(made) == 1 and console.lines(made) == []
    assert commands.run_all(made, tmp_path).complaints == []


def test_output_of_the_background_may_be_late(tmp_path: Path) -> None:
    assert given(tmp_path, ("ready", "$ (sleep 0.7; echo ready) &")).complaints == []


def test_what_is_printed_until_ctrl_c_counts(tmp_path: Path) -> None:
    shown = ("ready", "$ echo ready; sleep 1000 # until Ctrl-C")
    assert given(tmp_path, shown).complaints == []


def test_nothing_is_compared_behind_a_command_that_ends_the_shell(tmp_path: Path) -> None:
    outcome = given(tmp_path, ("one", "$ echo one; exit 3"), ("two", "$ echo two"))
    assert len(outcome.complaints) == 1 and "ended the shell" in outcome.complaints[0]
