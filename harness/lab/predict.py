"""`predict`: a lab's questions, to answer before anything is run.

A wrong guess costs nothing and teaches most: what is remembered is which questions are answered,
and at which try. The tree holds no answers, only what they hash to.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from pathlib import Path

from harness.lab import state
from harness.lab.labs import KIT, Lab, Prediction

KEPT = "predictions"


def options(parser: argparse.ArgumentParser) -> None:
    state.lab_option(parser)
    parser.add_argument("--again", action="store_true", help="ask all of them once more")


def run(arguments: argparse.Namespace) -> int:
    """Ask what is not answered yet. The status is 0: a question may be left for later."""
    ask_all(state.chosen(arguments.lab), again=arguments.again)
    return 0


def ask_all(lab: Lab, *, again: bool = False, kit: Path = KIT) -> bool:
    """Ask in turn on the terminal; whatever was answered is kept, even if the rest is not.

    Whether all are answered now.
    """
    kept = state.read(KEPT, kit)
    print(f"lab {lab.number}: {lab.title}. Predict first; guessing wrong costs nothing.")
    if not lab.predictions:
        print("\nThis lab asks nothing beforehand.")
    try:
        for question in lab.predictions:
            print()
            if _answered(kept, question) and not again:
                lines = state.wrapped(f"You have answered this one. {question.why}")
                print("\n".join([_text(question), *lines]))
                continue
            tries = _ask(question)
            if tries:
                kept[question.id] = {"tries": tries}
                state.keep(KEPT, kept, kit)
    except (EOFError, KeyboardInterrupt):
        print()
    return _tell(lab, kept)


def is_right(question: Prediction, letter: str) -> bool:
    """Whether this letter is the answer."""
    told = f"c10k:{question.id}:{letter.strip().lower()}"
    return hashlib.sha256(told.encode()).hexdigest() == question.answer


def tries_of(lab: Lab, kit: Path = KIT) -> dict[str, int]:
    """By question: at which try it was answered; 0 for one that is still open."""
    kept = state.read(KEPT, kit)
    return {q.id: kept[q.id]["tries"] if _answered(kept, q) else 0 for q in lab.predictions}


def _answered(kept: dict[str, dict[str, int]], question: Prediction) -> bool:
    return isinstance(kept.get(question.id), dict) and "tries" in kept[question.id]


def _ask(question: Prediction) -> int:
    """At which try the answer was right; 0 if it was left for later."""
    print(_text(question))
    letters = [choice.strip()[0].lower() for choice in question.choices]
    wrong: set[str] = set()
    while True:
        letter = _line(f"   your answer ({', '.join(letters)}; Enter for later): ")
        if not letter:
            return 0
        if letter not in letters:
            print(f"   {letter!r} is not one of {', '.join(letters)}.")
        elif is_right(question, letter):
            print("\n".join(state.wrapped(f"Right. {question.why}")))
            return len(wrong) + 1
        else:
            wrong.add(letter)
            print("   Not this. What would the kernel do, step by step? Try again.")


def _line(prompt: str) -> str:
    """What is typed; echoed where it comes from a file, so that the dialogue can be read."""
    print(prompt, end="", flush=True)
    line = sys.stdin.readline()
    if not line:
        raise EOFError
    if not sys.stdin.isatty():
        print(line.strip())
    return line.strip().lower().rstrip(").")


def _text(question: Prediction) -> str:
    lines = state.wrapped(question.question, f"{question.id}  ")
    for choice in question.choices:
        lines += state.wrapped(choice, "     ")
    return "\n".join(lines)


def _tell(lab: Lab, kept: dict[str, dict[str, int]]) -> bool:
    done = [question for question in lab.predictions if _answered(kept, question)]
    first = sum(kept[question.id]["tries"] == 1 for question in done)
    print(f"\n{len(done)} of {len(lab.predictions)} answered, {first} at the first try.", end=" ")
    if len(done) < len(lab.predictions):
        print(f"The others wait for you: make predict LAB={lab.number}")
        return False
    print(f"Now see whether it is so: {lab.readme}")
    return True
