"""Code on a slide: regions of the sources, whole small programs, diffs of stages."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path

from harness import regions, stagediff
from harness.regions import RegionError
from harness.slides.deck import DeckError, Info

EXAMPLES = "slides/examples/"  # programs that are there for a slide
DROPPED = "\1"  # in place of a line that is a comment only


def fence(language: str, text: str, **options: object) -> str:
    """What the engine draws as code; `mark` are numbers of emphasised lines."""
    given = {key: value for key, value in options.items() if value}
    return f"```{language} {json.dumps(given)}\n{text}\n```"


def cpp(kit: Path, info: Info, language: str = "cpp") -> str:
    """`cpp FILE NAME...`: regions of a file, or a part of one; of an example also all of it."""
    info.check("from", "to", "mark")
    with_comment, bare = info.flag("above"), info.flag("bare")
    path, *names = info.words or [""]
    is_whole = not names and path.startswith(EXAMPLES)
    if not names and not is_whole:
        raise DeckError("which region? ```cpp stages/06-epoll-lt/server.cc run")
    text = regions.read(kit, path)
    found = [regions.find(path, text, name) for name in names]
    found = found or [regions.Region("the file", "", 1, len(text.splitlines()), True)]
    if "from" in info.options or "to" in info.options:
        if len(found) > 1:
            raise DeckError("from= and to= are for one region")
        first, lines = _part(path, text, found[0], info)
    else:
        first, lines = _whole(text, found, with_comment)
    place = path if is_whole else _place(kit, path, first)
    if bare:
        lines = [line for line in without_comments("\n".join(lines)) if line != DROPPED]
    marks = _marked(path, found[0].name, lines, info.options.get("mark", []))
    shown = textwrap.dedent("\n".join(lines))
    return fence(language, shown, at=place, mark=marks)


def c(kit: Path, info: Info) -> str:
    return cpp(kit, info, "c")


def _whole(text: str, found: list[regions.Region], with_comment: bool) -> tuple[int, list[str]]:
    source = text.splitlines()
    lines: list[str] = []
    last = 0
    for region in found:
        first = regions.above(text, region) if with_comment else region.first
        if last and first != last + 1:
            lines.append("")
        lines += textwrap.dedent("\n".join(source[first - 1 : region.last])).splitlines()
        last = region.last
    start = regions.above(text, found[0]) if with_comment else found[0].first
    return start, lines


def _part(path: str, text: str, region: regions.Region, info: Info) -> tuple[int, list[str]]:
    lines = text.splitlines()[region.first - 1 : region.last]
    start = _only(path, region.name, lines, info.one("from"), 0) if info.one("from") else 0
    stop = _only(path, region.name, lines, info.one("to"), start) if info.one("to") else -1
    stop = stop if stop >= 0 else len(lines) - 1
    return region.first + start, lines[start : stop + 1]


def _only(path: str, name: str, lines: list[str], wanted: str, start: int) -> int:
    found = [n for n in range(start, len(lines)) if wanted in lines[n]]
    if len(found) != 1:
        raise RegionError(f"{path}: {wanted!r} is {len(found)} times in `{name}`, not once")
    return found[0]


def _marked(path: str, name: str, lines: list[str], wanted: list[str]) -> list[int]:
    marks = set()
    for text in wanted:
        found = {number for number, line in enumerate(lines, 1) if text in line}
        if not found:
            raise RegionError(
                f"{path}: nothing to mark: {text!r} is not in what is shown of `{name}`"
            )
        marks |= found
    return sorted(marks)


def _place(kit: Path, path: str, first: int) -> str:
    """`path:line`, the line in the file as it is in the tree, with its markers."""
    real = [n for n, line in enumerate((kit / path).read_text().splitlines(), 1)
            if not regions.is_marker(line)]  # fmt: skip
    return f"{path}:{real[first - 1]}"


def diff(kit: Path, info: Info) -> str:
    """`diff FROM TO [NAME]`: what `make diff` prints, without its header."""
    info.check("context", "mark")
    if len(info.words) not in (2, 3):
        raise DeckError("between which? ```diff 05-poll 06-epoll-lt watch")
    old, new = (stagediff.find(stage, kit) for stage in info.words[:2])
    name = info.words[2] if len(info.words) == 3 else ""
    pair = (stagediff.source(old, name, kit), stagediff.source(new, name, kit))
    lines = stagediff.unified(*pair, context=int(info.one("context", "3")))
    if not lines:
        raise DeckError(f"{old} and {new} do not differ in {name or 'anything'}")
    shown = hunks(lines)
    wanted = info.options.get("mark", [])
    marks = _marked(pair[1][0], name or "the diff", shown.splitlines(), wanted)
    command = f"make diff FROM={old[:2]} TO={new[:2]}" + (f" NAME={name}" if name else "")
    return fence("diff", shown, at=command, mark=marks)


def hunks(lines: list[str]) -> str:
    """The lines of a diff; a row of dots between hunks."""
    shown: list[str] = []
    for line in lines[2:]:
        if not line.startswith("@@"):
            shown.append(line)
        elif shown:
            shown.append("@")
    return _dedented(shown)


def _dedented(lines: list[str]) -> str:
    """Without the indent that all lines share behind their sign."""
    bare = textwrap.dedent("\n".join(line[1:] for line in lines)).splitlines()
    bare += [""] * (len(lines) - len(bare))
    return "\n".join((line[:1] + rest).rstrip() for line, rest in zip(lines, bare, strict=True))


def without_comments(text: str) -> list[str]:
    """The lines, those that are comments only as marks to be dropped: they may tell too much."""
    lines = []
    for line, code in zip(text.splitlines(), regions.masked(text).splitlines(), strict=True):
        comment = line.find("//", len(code.rstrip()))
        bare = line[:comment].rstrip() if comment >= 0 else line
        lines.append(DROPPED if line.strip() and not bare.strip() else bare)
    return lines
