"""What makes one stage of another: `make diff FROM=05 TO=06 [NAME=watch]`."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from harness import regions
from harness.regions import RegionError

KIT = Path(__file__).resolve().parent.parent


def find(stage: str, kit: Path = KIT) -> str:
    """A stage's name, of its number or its name."""
    names = sorted(path.name for path in kit.glob("stages/[0-9]*"))
    found = [name for name in names if stage and (name == stage or name.startswith(f"{stage}-"))]
    if len(found) != 1:
        raise RegionError(f"there is no stage {stage!r}. There are: {' '.join(names)}")
    return found[0]


def source(stage: str, name: str = "", kit: Path = KIT) -> tuple[str, str]:
    """The path of a stage's server, and its text, or what there is of `name` in it."""
    path = f"stages/{stage}/server.cc"
    text = regions.read(kit, path)
    if name:
        region = regions.find(path, text, name)
        lines = text.splitlines(True)[regions.above(text, region) - 1 : region.last]
        text = "".join(lines)
    return path, text


def unified(old: tuple[str, str], new: tuple[str, str], context: int = 3) -> list[str]:
    """The lines of `diff -u` between two texts, each with the name to show."""
    with tempfile.TemporaryDirectory(prefix="c10k-diff-") as place:
        files = []
        for number, (_, text) in enumerate((old, new)):
            files.append(Path(place, str(number)))
            files[-1].write_text(text)
        command = ["diff", f"-U{context}", "--label", old[0], "--label", new[0], *map(str, files)]
        done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode > 1:
        raise RegionError(done.stderr.strip())
    return done.stdout.splitlines()


def changed(lines: list[str]) -> int:
    """How many lines differ."""
    return sum(line[:1] in "+-" for line in lines[2:])


def main(arguments: list[str]) -> int:
    if len(arguments) not in (2, 3) or not all(arguments):
        print("between which? make diff FROM=05 TO=06 [NAME=watch]", file=sys.stderr)
        return 2
    try:
        old, new = (source(find(stage), *arguments[2:]) for stage in arguments[:2])
    except RegionError as error:
        print(f"make diff: {error}", file=sys.stderr)
        return 2
    lines = unified(old, new)
    print("\n".join([*lines, f"{changed(lines)} changed lines"]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
