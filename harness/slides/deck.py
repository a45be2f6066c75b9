"""A deck as a sequence of lines of text, fences and comments."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

KIT = Path(__file__).resolve().parent.parent.parent
DECKS = "slides/decks"
RULE = "---"
_FENCE = re.compile(r"(`{3,})(\w[\w-]*)?(.*)")
_OPTION = re.compile(r"([a-z][a-z-]*)=(.*)", re.DOTALL)
_DIRECTIVE = re.compile(r"\s*_?[a-zA-Z]+:")


class DeckError(Exception):
    """What keeps a deck from being made; `line` is 0 where none is known."""

    def __init__(self, message: str, path: str = "", line: int = 0) -> None:
        super().__init__(f"{path}:{line}: {message}" if path else message)
        self.message = message


@dataclass(frozen=True)
class Item:
    """A line of text, or a fence with its lines, or a comment, from `line` of the deck on."""

    kind: str  # text, fence, comment
    line: int
    text: str  # of a fence: its body
    slide: int  # counted from 1
    language: str = ""
    info: str = ""  # what stands behind a fence's language
    ticks: str = ""

    @property
    def is_note(self) -> bool:
        """Whether it is for the lecturer; other comments tell Marp something."""
        return self.kind == "comment" and not is_directive(self.text)


@dataclass(frozen=True)
class Deck:
    """`path` is below the kit; `settings` are those of the front matter."""

    path: str
    settings: dict[str, str]
    items: tuple[Item, ...]

    @property
    def name(self) -> str:
        return Path(self.path).stem

    @property
    def slides(self) -> int:
        return self.items[-1].slide if self.items else 0

    def notes(self, slide: int) -> list[Item]:
        return [item for item in self.items if item.slide == slide and item.is_note]


@dataclass
class Info:
    """What stands behind a fence's language: words, and options that may come several times."""

    words: list[str]
    options: dict[str, list[str]] = field(default_factory=dict)

    def one(self, name: str, default: str = "") -> str:
        given = self.options.get(name, [default])
        if len(given) > 1:
            raise DeckError(f"{name}= is there {len(given)} times")
        return given[0]

    def flag(self, name: str) -> bool:
        """Takes a word that is a switch."""
        found = name in self.words
        self.words = [word for word in self.words if word != name]
        return found

    def check(self, *known: str) -> None:
        """DeckError names an option that is none of these."""
        for name in self.options.keys() - set(known):
            options = ", ".join(f"{each}=" for each in known) or "none"
            raise DeckError(f"there is no option {name}= here; there are: {options}")


def parse_info(text: str) -> Info:
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise DeckError(f"{text.strip()}: {error}") from None
    info = Info([])
    for word in words:
        if found := _OPTION.fullmatch(word):
            info.options.setdefault(found[1], []).append(found[2])
        else:
            info.words.append(word)
    return info


def is_directive(comment: str) -> bool:
    lines = comment.strip().splitlines()
    return len(lines) == 1 and bool(re.match(r"_?[a-z][a-zA-Z]*: ", lines[0]))


def load(path: Path, kit: Path = KIT) -> Deck:
    try:
        text = path.read_text()
    except OSError as error:
        raise DeckError(f"{path}: {error.strerror}") from None
    full = path.resolve()
    return parse(full.relative_to(kit).as_posix() if full.is_relative_to(kit) else str(path), text)


def parse(path: str, text: str) -> Deck:
    lines = text.splitlines()
    if lines[:1] != [RULE] or RULE not in lines[1:]:
        raise DeckError("it starts without front matter: --- title: ... ---", path, 1)
    end = lines.index(RULE, 1)
    settings = {}
    for number, line in enumerate(lines[1:end], 2):
        key, colon, value = line.partition(":")
        if not colon or not re.fullmatch(r"[a-z]\w*", key):
            raise DeckError("the front matter has lines like `title: ...` only", path, number)
        settings[key] = value.strip().strip('"')
    return Deck(path, settings, tuple(_items(path, lines, end + 1)))


def _items(path: str, lines: list[str], at: int) -> Iterator[Item]:
    slide = 1
    while at < len(lines):
        line = lines[at]
        if fence := _FENCE.fullmatch(line):
            end = _until(path, lines, at, lambda text: text.rstrip() == fence[1], "fence")
            body = "\n".join(lines[at + 1 : end])
            yield Item("fence", at + 1, body, slide, fence[2] or "", fence[3].strip(), fence[1])
            at = end
        elif line.startswith("<!--"):
            end = at if "-->" in line else _until(path, lines, at, lambda t: "-->" in t, "comment")
            whole = "\n".join(lines[at : end + 1])
            inside, _, after = whole.removeprefix("<!--").partition("-->")
            if after.strip():
                raise DeckError("text behind a comment: give it a line of its own", path, end + 1)
            yield Item("comment", at + 1, inside, slide)
            at = end
        else:
            slide += line == RULE
            yield Item("text", at + 1, line, slide)
        at += 1


def _until(path: str, lines: list[str], start: int, ends, what: str) -> int:
    for number in range(start + 1, len(lines)):
        if ends(lines[number]):
            return number
    raise DeckError(f"this {what} is never closed", path, start + 1)


def in_order(kit: Path = KIT) -> list[Path]:
    """All decks as they are told: what opens, stage by stage, what closes."""
    place = {"opening": 0, "closing": 2}
    return sorted((kit / DECKS).glob("*.md"), key=lambda p: (place.get(p.stem, 1), p.stem))


def chosen(names: str, kit: Path = KIT) -> list[Path]:
    """Decks by number or name, all if none is named."""
    there = in_order(kit)
    if not names.split():
        return there
    found = []
    for name in names.split():
        fitting = [p for p in there if p.stem == name or p.stem.startswith(f"{name}-")]
        if not fitting:
            raise DeckError(
                f"there is no deck {name}; there are: {' '.join(path.stem for path in there)}"
            )
        found += fitting
    return found
