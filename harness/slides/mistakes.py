"""Seeded mistakes on a slide: the wrong code, the correction, what the grader says."""

from __future__ import annotations

import difflib
import json
import re
import textwrap
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import regions, stagediff
from harness.slides.code import DROPPED, fence, hunks, without_comments
from harness.slides.deck import DeckError, Info

MESSAGES = "labs/messages.json"
COLUMNS = 100  # of a message on a slide
_INDENT = 13  # of what stands behind a message's labels
_PROSE = ("case", "expected", "actual", "x-ray", "hint")


@dataclass(frozen=True)
class Mistake:
    """One of labs/NN-name/mutants.toml, with the file it changes first, right and wrong."""

    lab: str
    name: str
    story: str
    path: str
    right: str
    wrong: str


def mistake(kit: Path, lab: str, name: str) -> Mistake:
    table = f"labs/{lab}/mutants.toml"
    try:
        entries = tomllib.loads((kit / table).read_text()).get("mutant", [])
    except OSError as error:
        raise DeckError(f"{table}: {error.strerror}") from None
    found = [each for each in entries if each["name"] == name]
    if not found:
        raise DeckError(f"{table}: there is no mistake {name}")
    edits = ([found[0]] if "find" in found[0] else []) + found[0].get("also", [])
    if not edits:
        raise DeckError(f"{table}: {name} is another server, not a change that could be shown")
    path = edits[0]["file"]
    text = (kit / path).read_text()
    wrong = _planted(table, name, text, [edit for edit in edits if edit["file"] == path])
    return Mistake(lab, name, found[0]["story"], path, regions.plain(text), regions.plain(wrong))


def _planted(table: str, name: str, text: str, edits: list[dict[str, Any]]) -> str:
    for edit in edits:
        if text.count(edit["find"]) != 1:
            raise DeckError(
                f"{table}: {name}: {edit['find']!r} is no longer in {edit['file']} once"
            )
        before, after = text.split(edit["find"])
        if not edit["replace"] and not before.rpartition("\n")[2].strip():
            rest = after.split("\n", 1)
            if not rest[0].strip() and len(rest) == 2:  # no empty line tells where it was
                before, after = before[: before.rfind("\n") + 1], rest[1]
        text = before + edit["replace"] + after
    return text


def mutant(kit: Path, info: Info) -> str:
    """`mutant LAB NAME`: the code around a mistake, with the mistake."""
    info.check("context")
    bare, whole = info.flag("bare"), info.flag("whole")
    found = _named(kit, info)
    context = 1000 if whole else int(info.one("context", "6"))
    ranges = _around(found, context)
    wrong = found.wrong.splitlines()
    if bare:
        wrong = without_comments(found.wrong)
    pieces = [[line for line in wrong[first:last] if line != DROPPED] for first, last in ranges]
    lines = [line for piece in pieces for line in ["\0", *piece]][1:]
    lines = textwrap.dedent("\n".join(lines)).splitlines()
    shown = "\n".join("// ..." if line == "\0" else line for line in lines)
    return fence("cpp", shown, at=found.path)


def _around(found: Mistake, context: int) -> list[tuple[int, int]]:
    """Ranges of the wrong lines around what was changed, within its function, joined where they
    touch."""
    right, wrong = found.right.splitlines(), found.wrong.splitlines()
    functions = [each for each in regions.regions(found.wrong) if each.last > each.first]
    ranges: list[tuple[int, int]] = []
    for tag, _, _, first, last in difflib.SequenceMatcher(None, right, wrong, False).get_opcodes():
        if tag == "equal":
            continue
        inside = [f for f in functions if f.first <= first + 1 <= f.last]
        low, high = 0, len(wrong)
        if inside:
            own = min(inside, key=lambda each: each.last - each.first)
            low, high = own.first - 1, own.last
        start, stop = max(low, first - context), min(high, last + context)
        if ranges and start <= ranges[-1][1]:
            start = ranges.pop()[0]
        ranges.append((start, stop))
    return ranges


def mutant_answer(kit: Path, info: Info) -> str:
    """`mutant-answer LAB NAME`: from wrong to right, why, and what the grader says."""
    info.check("context")
    bare = info.flag("bare")
    found = _named(kit, info)
    texts = _function(found)
    if bare:
        texts = tuple(
            "".join(f"{line}\n" for line in without_comments(text) if line != DROPPED)
            for text in texts
        )
    pair = (found.path, texts[0]), (found.path, texts[1])
    lines = stagediff.unified(*pair, context=int(info.one("context", "2")))
    words = _said(kit, f"{found.lab[:2]}/{found.name}", "actual")
    parts = [fence("diff", hunks(lines), at=found.path), found.story]
    parts.append(f'<p class="grader">{_escaped(_shortened(_of_one_client(words)))}</p>')
    return "\n\n".join(parts)


def _function(found: Mistake) -> tuple[str, str]:
    """The function that is wrong, wrong and right; all of the file if more than one is."""
    for region in regions.regions(found.right):
        lines = found.right.splitlines(True)
        own = "".join(lines[region.first - 1 : region.last])
        before, after = found.right.split(own)[0], "".join(lines[region.last :])
        if region.last > region.first and not regions.is_type(own):
            if found.wrong.startswith(before) and found.wrong.endswith(after):
                return found.wrong[len(before) : len(found.wrong) - len(after)], own
    return found.wrong, found.right


def _named(kit: Path, info: Info) -> Mistake:
    if len(info.words) != 2:
        raise DeckError("which mistake? ```mutant 07-epoll-et reads-once-an-edge")
    return mistake(kit, *info.words)


def message(kit: Path, info: Info) -> str:
    """`message 01/NAME`: what the grader prints about a server with that mistake."""
    info.check()
    if len(info.words) != 1:
        raise DeckError("which mistake? ```message 01/parent-keeps-the-client")
    return fence("text", folded(_said(kit, info.words[0], "screen")), at=MESSAGES)


def folded(screen: str) -> str:
    """As wide as a slide: what is prose is folded anew, a line to be typed only where it must."""
    sections: list[list[str]] = []
    for line in screen.rstrip("\n").splitlines():
        if line[:_INDENT].strip() or not sections:
            sections.append([])
        sections[-1].append(line)
    lines = []
    for head, *more in sections:
        if head[:_INDENT].strip() in _PROSE:
            head, more = " ".join([head, *(line.strip() for line in more)]), []
        for line in (head, *more):
            lines += textwrap.wrap(
                line, COLUMNS, subsequent_indent=" " * _INDENT, drop_whitespace=True,
                replace_whitespace=False, break_on_hyphens=False,
            )  # fmt: skip
    return "\n".join(lines)


def _said(kit: Path, name: str, what: str) -> str:
    entry = json.loads((kit / MESSAGES).read_text()).get(name, {})
    if not entry.get(what):
        raise DeckError(f"{MESSAGES}: there is no `{what}` of {name}")
    return entry[what]


def _of_one_client(words: str) -> str:
    """A client's number tells something only where there are several."""
    numbers = set(re.findall(r"\bclient (\d+)", words))
    return re.sub(r"\bclient \d+", "a client", words) if len(numbers) == 1 else words


def _shortened(message: str, most: int = 150) -> str:
    if len(message) <= most:
        return message
    return message[:most].rsplit(" ", 1)[0].rstrip(",;:") + " ..."


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
