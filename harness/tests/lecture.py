"""A small tree that decks are filled from, with figures that never were measured."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from harness.slides import deck as decks
from harness.slides import fill
from harness.slides.deck import KIT, DeckError

STAGE = "stages/06-epoll-lt/server.cc"
COPIED = [
    "stages/05-poll/server.cc", STAGE, "labs/06-epoll-lt/mutants.toml", "labs/messages.json",
    "harness/bench/report/colours.json",
]  # fmt: skip
CELLS = [
    ("01-fork", 206.0, None, ""),
    ("02-thread", 51.6, 13.6, ""),
    ("04-select", None, None, "select: descriptors end at 1,023"),
]


def small(tree: Path) -> Path:
    """Two stages, a lab, a results file."""
    for path in COPIED:
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(KIT / path, tree / path)
    cells = [
        {"server": server, "load": load, "limit": limit, "failed": "",
         "summary": {"cpu_us": cpu, "pss_kib_per_connection": kib}}
        for load in ("close-10", "close-100") for server, cpu, kib, limit in CELLS
    ]  # fmt: skip
    loads = [
        {"name": f"close-{x}", "series": "close", "x": x, "title": "a load", "unit": "clients"}
        for x in (10, 100)
    ]
    machine = {"date": "2031-05-04T00:00:00", "cpu": "a CPU", "cpus": 2, "kernel": "6.1.0-x"}
    results = {"machine": machine, "loads": loads, "cells": cells, "held": []}
    (tree / "measured").mkdir()
    (tree / "measured/2031-05-04.json").write_text(json.dumps(results))
    (tree / "measured/2031-05-04-again.json").write_text("{}")
    return tree


def filled(kit: Path, text: str, settings: str = "title: A deck\nstage: 06-epoll-lt\n") -> str:
    deck = decks.parse("slides/decks/x.md", f"---\n{settings}---\n\n{text}\n")
    return fill.filled(deck, kit, kit / "work")


def fence(what: str) -> str:
    return f"## Slide\n\n```{what}\n```\n"


def refused(kit: Path, text: str) -> str:
    with pytest.raises(DeckError) as caught:
        filled(kit, text)
    return str(caught.value)


def change(kit: Path, path: str, old: str, new: str) -> None:
    text = (kit / path).read_text()
    assert old in text
    (kit / path).write_text(text.replace(old, new))
