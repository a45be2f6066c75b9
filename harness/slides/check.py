"""`make slides-check`: every slide can be read, every command in the notes runs, and terminals on
slides show what these commands print."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from harness.lab.shell import isolation
from harness.regions import RegionError
from harness.slides import build, commands, console
from harness.slides.commands import Outcome
from harness.slides.deck import KIT, Deck, DeckError, load
from harness.slides.fill import fill


def run(paths: list[Path]) -> int:
    """Looks at all these decks; the status is 0 when nothing is wrong."""
    began = time.monotonic()
    problems: list[str] = []
    decks: list[Deck] = []
    for path in paths:
        try:
            fill(path)
            decks.append(load(path))
        except (DeckError, RegionError) as error:
            problems.append(str(error))
    names = [deck.name for deck in decks]
    if names and build.run("html", [KIT / f"{name}.md" for name in names], quiet=True):
        return 1
    slides = 0
    for seen in _seen(names) if names else []:
        slides += seen["slides"]
        problems += [_line(seen["deck"], each) for each in seen["problems"]]
    for line in problems:
        print(line)
    shown = 0
    for outcome in _lectures(decks):
        print("\n".join(outcome.complaints)) if outcome.complaints else None
        problems += outcome.complaints
        shown += outcome.shown
    print(_sum(decks, slides, shown, len(problems), time.monotonic() - began))
    return 1 if problems else 0


def _lectures(decks: list[Deck]) -> Iterator[Outcome]:
    """All are given; two at a time, where each has ports and processes of its own."""
    at_once = 2 if isolation() else 1
    with ProcessPoolExecutor(at_once) as pool:
        for deck, outcome in zip(decks, pool.map(commands.run_all, decks), strict=True):
            count = len(commands.commands(deck))
            print(f"{deck.name}: {count} commands, {outcome.seconds:.0f} s", flush=True)
            yield outcome


def _sum(decks: list[Deck], slides: int, shown: int, problems: int, seconds: float) -> str:
    typed = sum(len(commands.commands(deck)) for deck in decks)
    elsewhere = sum(map(console.elsewhere, decks))
    return (
        f"slides: {len(decks)} decks, {slides} slides, {typed} commands, {shown} lines of "
        f"terminals as shown ({elsewhere} terminals are of another machine), {problems} problems; "
        f"{seconds:.0f} s"
    )


def _seen(names: list[str]) -> list[dict[str, Any]]:
    command = ["node", "slides/check.mjs", *names]
    done = subprocess.run(command, cwd=KIT, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(done.returncode)
    return json.loads(done.stdout)


def _line(deck: str, problem: dict[str, Any]) -> str:
    heading = f' "{problem["heading"]}"' if problem["heading"] else ""
    return f"{deck} slide {problem['slide']}{heading}: {problem['what']}; try: {problem['help']}"
