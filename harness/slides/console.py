"""What a slide shows of a terminal: found, and compared with what was printed.

Every line of a ```console block must have been printed by a command of the deck's notes, that
slide's or earlier ones; a `$ command` in it must be one of the notes. Digits stand for any digits,
blanks for any blanks, `...` for anything. What a machine with the kit's packages cannot print is
shown as ```console elsewhere.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass

from harness.slides.deck import Deck, DeckError, Item

LABEL = "as printed on another machine"
PROMPT = "$ "
_MORE = "> "
_LOOSE = re.compile(r"\.\.\.|0x[0-9a-f]+|\d+|\s+")
_REMARK = re.compile(r"\s+#\s.*$", re.MULTILINE)


@dataclass(frozen=True)
class Line:
    """A line of a block: something printed, or with `typed` a whole command."""

    number: int
    slide: int
    text: str
    typed: bool = False


def is_elsewhere(item: Item) -> bool:
    if item.info not in ("", "elsewhere"):
        raise DeckError(f"```console {item.info}: there is ```console elsewhere")
    return bool(item.info)


def blocks(deck: Deck) -> list[Item]:
    return [each for each in deck.items if each.kind == "fence" and each.language == "console"]


def elsewhere(deck: Deck) -> int:
    """How many blocks nobody can look at here."""
    return sum(is_elsewhere(block) for block in blocks(deck))


def lines(deck: Deck) -> list[Line]:
    """All that have to be so, in order."""
    return [line for block in blocks(deck) if not is_elsewhere(block) for line in _of(block)]


def _of(block: Item) -> Iterable[Line]:
    command: list[str] = []
    number = block.line
    for at, text in enumerate(block.text.splitlines(), block.line + 1):
        if command and (text.startswith(_MORE) or command[-1].endswith("\\")):
            command.append(text.removeprefix(_MORE))
            continue
        if command:
            yield Line(number, block.slide, "\n".join(command), True)
        command, number = ([text.removeprefix(PROMPT)], at) if text.startswith(PROMPT) else ([], at)
        if not command and text.strip():
            yield Line(at, block.slide, text)
    if command:
        yield Line(number, block.slide, "\n".join(command), True)


def was_printed(shown: str, printed: Iterable[str]) -> bool:
    pattern = _pattern(shown)
    return any(pattern.fullmatch(line.strip()) for line in printed)


def _pattern(shown: str) -> re.Pattern[str]:
    parts, at = [], 0
    text = shown.strip()
    for found in _LOOSE.finditer(text):
        parts += [re.escape(text[at : found.start()]), _any(found[0])]
        at = found.end()
    return re.compile("".join([*parts, re.escape(text[at:])]))


def _any(loose: str) -> str:
    if loose == "...":
        return ".*"
    if loose.startswith("0x"):
        return "0x[0-9a-f]+"
    return r"\d+" if loose[0].isdigit() else r"\s+"


def was_typed(shown: str, notes: Iterable[str]) -> bool:
    """Whether it is one of the notes' commands, or one part of a line with several."""
    wanted = re.escape(_plain(shown))
    pattern = re.compile(rf"(?:^|[;&(] ?){wanted}(?= ?[;&)]|$)")
    return any(pattern.search(_plain(command)) for command in notes)


def _plain(command: str) -> str:
    joined = _REMARK.sub("", command).replace("\\\n", " ")
    return " ".join(joined.split()).removesuffix("&").strip()


def complaint(deck: Deck, line: Line, printed: list[str], notes: list[str]) -> str:
    """What is wrong with a line, with what comes nearest to it; empty if nothing is."""
    if line.typed:
        if was_typed(line.text, notes):
            return ""
        near, what = _nearest(line.text, notes), "no command of the notes; the nearest is"
        return _said(deck, line, f"$ {line.text}", what, near)
    if was_printed(line.text, printed):
        return ""
    what = "no command typed so far has printed this; the nearest line is"
    return _said(deck, line, line.text.strip(), what, _nearest(line.text, printed))


def _said(deck: Deck, line: Line, text: str, what: str, near: str) -> str:
    where = f"{deck.path}:{line.number}: slide {line.slide}"
    return f"{where}: {text}\n  {what}\n    {near.strip() or '(none)'}"


def _nearest(text: str, known: list[str]) -> str:
    def likeness(other: str) -> float:
        return difflib.SequenceMatcher(None, text.split(), other.split(), False).ratio()

    def letters(other: str) -> float:
        return difflib.SequenceMatcher(None, text, other, False).quick_ratio()

    unlike = list(dict.fromkeys(known))
    return max(unlike, key=lambda other: (likeness(other), letters(other)), default="")
