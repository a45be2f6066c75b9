"""Builds mutants fast: only what a mistake changes is compiled, with headers read once a lab.

The flags are those of the ordinary build, so the reference's other objects fit.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

from harness.lab.labs import KIT, Lab

WORK = KIT / "build" / "mutants"
BUILD_SECONDS = 300.0
_INCLUDE = re.compile(r"^#include .*$", re.MULTILINE)
_DEPENDENCIES = ("-MMD", "-MP")


def prepare(lab: Lab) -> None:
    """Build the reference, and read what its server includes once for all of the lab's mutants."""
    _run(["make", "-s", "--no-print-directory", lab.name], KIT, checked=True)
    header = _header(lab)
    source = KIT / "stages" / lab.name / "server.cc"
    header.parent.mkdir(parents=True, exist_ok=True)
    text = "\n".join(_INCLUDE.findall(source.read_text())) + "\n"
    header.write_text(re.sub(r'#include "(?!\w+/).*\n', "", text))  # the stage's own change
    draft = Path(f"{header}.{os.getpid()}")
    _run([*_flags(), "-x", "c++-header", str(header), "-o", str(draft)], KIT, checked=True)
    draft.replace(f"{header}.gch")


def clear(lab: Lab) -> None:
    """Remove what `prepare` has made; it is large."""
    for path in (_header(lab), Path(str(_header(lab)) + ".gch")):
        path.unlink(missing_ok=True)


def copy(lab: Lab, tree: Path) -> None:
    """The sources that the lab's server is built from, with their times."""
    stage = f"stages/{lab.name}"
    shutil.copytree(KIT / "common", tree / "common", ignore=shutil.ignore_patterns("tests"))
    shutil.copytree(KIT / stage, tree / stage)


def build(lab: Lab, tree: Path, changed: set[str]) -> str:
    """Build `tree`'s server, in which the files `changed` differ from the reference, into
    `tree`/bin; what the compiler said if that fails."""
    stage = f"stages/{lab.name}"
    own = sorted(f"{stage}/{path.name}" for path in (tree / stage).glob("*.cc"))
    if any(name.endswith(".hh") for name in changed):  # whoever includes it
        common = [str(path.relative_to(KIT)) for path in KIT.glob("common/[!t]*/*.cc")]
        changed = changed | {*own, *common}
    sources = sorted(name for name in changed if name.endswith(".cc"))
    (tree / "bin").mkdir()
    objects = []
    for source in sources:
        made = tree / (source.replace("/", "-") + ".o")
        include = ["-include", str(_header(lab))] if source.startswith("stages/") else []
        if log := _run([*_flags(), *include, "-c", source, "-o", str(made)], tree):
            return log
        objects.append(str(made))
    objects += [
        str((KIT / "build" / "obj" / name).with_suffix(".o")) for name in own if name not in sources
    ]
    library = str(KIT / "build" / "libcommon.a")
    return _run(
        [*_flags(), "-static", *objects, library, "-o", str(tree / "bin" / lab.name)], tree
    )


def _header(lab: Lab) -> Path:
    return WORK / f"{lab.name}.hh"


def _flags() -> list[str]:
    words = shlex.split((KIT / "build" / "flags").read_text())
    return [word for word in words if word not in _DEPENDENCIES]


def _run(command: list[str], where: Path, *, checked: bool = False) -> str:
    """What it said if it failed."""
    outer = ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")
    ended = subprocess.run(
        command, cwd=where, env={k: v for k, v in os.environ.items() if k not in outer},
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        timeout=BUILD_SECONDS, text=True, errors="replace", check=False,
    )  # fmt: skip
    if checked and ended.returncode != 0:
        raise SystemExit(f"{shlex.join(command)} failed:\n{ended.stdout}")
    return "" if ended.returncode == 0 else ended.stdout or f"{command[0]} failed"
