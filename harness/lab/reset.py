"""`reset`: put a lab's files back as they were handed out, and keep what was there."""

from __future__ import annotations

import argparse
import datetime
import shutil
import sys
from pathlib import Path

from harness.lab import state
from harness.lab.labs import KIT, Lab, load_all

STARTER, BACKUP = ".starter", ".backup"


def options(parser: argparse.ArgumentParser) -> None:
    state.lab_option(parser)


def run(arguments: argparse.Namespace) -> int:
    """Put the files back. The status is 1 where the tree has no starter to take them from."""
    return put_back(state.chosen(arguments.lab))


def put_back(lab: Lab, kit: Path = KIT) -> int:
    """Nothing is overwritten before all that differs is copied away."""
    starter = kit / STARTER
    if missing := [name for name in lab.files if not (starter / name).is_file()]:
        print(f"nothing to put back: {STARTER}/{missing[0]} is not there. Only a student's tree "
              "(make handout) has the files as they were handed out.", file=sys.stderr)  # fmt: skip
        return 1
    changed = [name for name in lab.files if _differs(kit / name, starter / name)]
    if not changed:
        print(f"lab {lab.number} is as it was handed out; nothing to put back.")
        return 0
    kept = [name for name in changed if (kit / name).is_file()]
    backup = _fresh(kit / BACKUP, lab.number)
    for name in kept:
        _copy(kit / name, backup / name)
    for name in changed:
        _copy(starter / name, kit / name)
    state.results_path(lab, kit).unlink(missing_ok=True)
    shown = backup.relative_to(kit)
    print(f"lab {lab.number} starts anew: {', '.join(changed)}")
    _warn_of_others(lab, changed, kit)
    if kept:
        print(f"What you had is kept in {shown}/. To compare, and to get it back:")
        print(f"  diff -ru {shown}/{kept[0]} {kept[0]}\n  cp -r {shown}/. .")
    return 0


def _warn_of_others(lab: Lab, changed: list[str], kit: Path) -> None:
    for other in load_all(kit):
        shared = sorted(set(other.files) & set(changed))
        if other.number != lab.number and shared:
            print(f"  {', '.join(shared)}: your work of lab {other.number} was in there, too")


def _differs(mine: Path, starters: Path) -> bool:
    return not mine.is_file() or mine.read_bytes() != starters.read_bytes()


def _copy(source: Path, target: Path) -> None:
    """With a new time of change, so that what depends on it is built again."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def _fresh(backups: Path, number: str) -> Path:
    """A directory that does not exist yet, also for two resets within one second."""
    now = f"{number}-{datetime.datetime.now():%Y-%m-%d-%H%M%S}"
    names = [now, *(f"{now}-{again}" for again in range(2, 100))]
    for name in names:
        try:
            (backups / name).mkdir(parents=True)
        except FileExistsError:
            continue
        return backups / name
    raise FileExistsError(backups / now)
