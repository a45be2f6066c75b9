"""Servers with a seeded mistake, to be looked at beside the right one.

The mistakes are written down in labs/NN-name/mutants.toml, which only staff has. In a tree without
them there is nothing to build here, and nothing is said about it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.findings import Finding
from harness.stages import Stage

if TYPE_CHECKING:
    from harness.lab.mutants import Mutant

KIT = Path(__file__).resolve().parents[2]
WORK = KIT / "build" / "mistakes"


def built(
    stage: Stage, wanted: Sequence[str], bin_dir: Path
) -> Iterator[tuple[str, Path, str]]:
    """Those of the `wanted` mistakes that are known for a stage: name, program, story.

    Built at the first time, and again when the stage's server was built anew; and only beside
    this tree's own server, from whose source they are made. A Finding if one does not build.
    """
    table = KIT / "labs" / stage.name / "mutants.toml"
    if not wanted or not table.is_file() or bin_dir.resolve() != KIT / "build" / "bin":
        return
    try:
        from harness.lab import labs, mutants
    except ModuleNotFoundError:  # a handout, and a mutants.toml that is none of ours
        return
    try:
        known = mutants.load(labs.find(stage.number))
    except labs.LabError as error:
        raise Finding(str(error)) from None
    for mutant in known:
        if mutant.name in wanted:
            made = WORK / mutant.name / stage.name
            if _is_older(made, (table, bin_dir / stage.name)):
                _build(mutant, made)
            yield mutant.name, made, mutant.story


def _is_older(made: Path, than: Sequence[Path]) -> bool:
    times = [path.stat().st_mtime for path in than if path.exists()]
    return not made.exists() or made.stat().st_mtime <= max(times)


def _build(mutant: Mutant, made: Path) -> None:
    from harness.lab import planting

    tree = WORK / f"tree.{os.getpid()}"
    try:
        planting.prepare(mutant.lab)
        planting.copy(mutant.lab, tree)
        for edit in mutant.edits:
            path = tree / edit.file
            path.write_text(path.read_text().replace(edit.find, edit.replace))
        if log := planting.build(mutant.lab, tree, {edit.file for edit in mutant.edits}):
            raise Finding(f"{mutant.name} does not build: {log.splitlines()[0]}")
        made.parent.mkdir(parents=True, exist_ok=True)
        (tree / "bin" / made.name).replace(made)
    finally:
        planting.clear(mutant.lab)
        shutil.rmtree(tree, ignore_errors=True)
