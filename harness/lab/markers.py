"""Markers in the reference: what a student writes, and what only staff sees.

    //@lab 04 answer what came, send what fits      a hole of lab 04
    ...reference...                                 what compiles here
    //| lab::not_implemented("lab 04: f()", "...");     what the starter has instead
    //@end

and `//@staff` ... `//@end` for lines that leave this tree never. `#@lab`, `#|`, `#@end`, `#@staff`
in Python, Make, shell and TOML; `<!--@staff-->`, `<!--@end-->` in Markdown. What only looks like a
marker is refused: a hole that is silently none would hand out the answer.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import PurePath

GIVEN, LAB, STAFF = "given", "lab", "staff"
INCLUDE = '#include "lab/not_implemented.hh"'
_SLASHES = {".cc", ".hh", ".cpp", ".hpp", ".c", ".h"}
_HASHES = {".py", ".sh", ".toml", ".txt", ".mk", ".yml", ".yaml", ".cfg"}
_HASH_NAMES = {"Makefile", ".gitignore", ".clang-format", ".clang-tidy", ".flake8"}
_LIKE = re.compile(r"(?://|/\*|#|<!--)[ \t]*@[ \t]*(?:lab|staff|end)\b", re.IGNORECASE)
_TITLED = re.compile(r"lab (\d\d) (\S.*)")


class MarkerError(ValueError):
    """A marker that is not as it should be; says where, what is wrong and how to write it."""

    def __init__(self, path: str, line: int, message: str) -> None:
        super().__init__(f"{path}:{line}: {message}")


@dataclass
class Piece:
    """Neighbouring lines of one kind. `lines` are (number, text); a hole also has a stub."""

    kind: str
    line: int
    lines: list[tuple[int, str]] = field(default_factory=list)
    lab: str = ""
    title: str = ""
    indent: str = ""
    stub: list[str] = field(default_factory=list)

    def is_open(self, first_open: int) -> bool:
        """Whether it is a hole in a handout in which the labs before `first_open` are solved."""
        return self.kind == LAB and int(self.lab) >= first_open


def comment(path: str) -> str:
    """What starts a comment there: `//`, `#`, `<!--`; empty where markers are not understood."""
    name = PurePath(path)
    if name.suffix in _SLASHES:
        return "//"
    if name.suffix == ".md":
        return "<!--"
    return "#" if name.suffix in _HASHES or name.name in _HASH_NAMES else ""


def parse(path: str, text: str, labs: Collection[str] = ()) -> list[Piece]:
    """The file's pieces in order; MarkerError says what is malformed. `labs`: which there are."""
    return _Parser(path, labs).parse(text)


def apply(path: str, pieces: list[Piece], first_open: int = 0) -> str:
    """The file as students get it: labs before `first_open` solved, the others to be written."""
    lines: list[str] = []
    stubs = False
    before = GIVEN
    for piece in pieces:
        if piece.is_open(first_open):
            lines.append(f"{piece.indent}{comment(path)} TODO(lab {piece.lab}): {piece.title}")
            lines += piece.stub
            stubs = stubs or any("not_implemented" in line for line in piece.stub)
        elif piece.kind != STAFF:
            new = [line for _, line in piece.lines]
            ends_empty = not lines or not lines[-1].strip()
            if before == STAFF and ends_empty and new and not new[0].strip():
                new = new[1:]  # of the empty lines before and after a staff block one stays
            lines += new
        before = piece.kind
    if stubs and comment(path) == "//":
        lines = _include(lines)
    return "".join(f"{line}\n" for line in lines)


def _include(lines: list[str]) -> list[str]:
    """Adds the include that stubs need, sorted into the last group of the kit's own includes."""
    if INCLUDE in lines:
        return lines
    at = [number for number, line in enumerate(lines) if line.startswith("#include")]
    if not at:
        start = next((n for n, line in enumerate(lines) if not line.startswith("//")), len(lines))
        after = lines[start:] if lines[start : start + 1] == [""] else ["", *lines[start:]]
        return [*lines[:start], *([""] if start else []), INCLUDE, *after]
    last = at[-1]
    if not lines[last].startswith('#include "') or last == at[0]:
        return [*lines[: last + 1], "", INCLUDE, *lines[last + 1 :]]
    first = last
    while first - 1 in at and lines[first - 1].startswith('#include "'):
        first -= 1
    place = next((n for n in range(first, last + 1) if lines[n] > INCLUDE), last + 1)
    return [*lines[:place], INCLUDE, *lines[place:]]


def _lines(text: str) -> list[str]:
    return text.removesuffix("\n").split("\n") if text else []


class _Parser:
    """Line by line; `piece` is where a line goes."""

    def __init__(self, path: str, labs: Collection[str]) -> None:
        self.path, self.labs, self.mark = path, labs, comment(path)
        self.line = 0
        self.pieces: list[Piece] = []
        self.piece = Piece(GIVEN, 1)

    def error(self, message: str, line: int = 0) -> MarkerError:
        return MarkerError(self.path, line or self.line, message)

    def parse(self, text: str) -> list[Piece]:
        if not self.mark:
            return [Piece(GIVEN, 1, list(enumerate(_lines(text), 1)))]
        for self.line, line in enumerate(_lines(text), 1):
            self.take(line)
        if self.piece.kind != GIVEN:
            raise self.error(
                f"this {self.shown(self.piece.kind)} is never closed: write "
                f"{self.shown('end')} on a line of its own where it ends", self.piece.line,
            )  # fmt: skip
        self.close()
        return self.pieces

    def shown(self, word: str) -> str:
        return f"<!--@{word}-->" if self.mark == "<!--" else f"{self.mark}@{word}"

    def take(self, line: str) -> None:
        bare = line.strip()
        if bare.startswith(f"{self.mark}@"):
            return self.marker(line, self.words(bare))
        if self.mark != "<!--" and bare.startswith(f"{self.mark}|"):
            return self.stub(line, bare[len(self.mark) + 1 :])
        self.suspect(line, bare)
        if self.piece.stub and bare:
            raise self.error(
                f"a line after the stub: in a lab block the reference comes first, then the "
                f"{self.mark}| lines, then {self.shown('end')}"
            )
        if not self.piece.stub:
            self.piece.lines.append((self.line, line))

    def words(self, bare: str) -> str:
        words = bare[len(self.mark) + 1 :]
        if self.mark != "<!--":
            return words
        if not words.endswith("-->"):
            raise self.error(
                f"this marker does not end on its line: write {self.shown('staff')} or "
                f"{self.shown('end')}, and nothing else"
            )
        return words.removesuffix("-->")

    def marker(self, line: str, words: str) -> None:
        word = words.split()[0] if words.split() else ""
        if not word or words[0] in " \t":
            raise self.error(
                f"no word right after the @: write {self.shown('lab NN title')}, "
                f"{self.shown('staff')} or {self.shown('end')}"
            )
        if word == "end":
            return self.end(words)
        if word not in ("lab", "staff"):
            raise self.error(
                f"unknown word @{word}: there are @lab NN title, @staff and @end, in small letters"
            )
        if self.piece.kind != GIVEN:
            raise self.error(
                f"@{word} inside the {self.shown(self.piece.kind)} of line {self.piece.line}: "
                f"blocks do not nest; close that one with {self.shown('end')} first"
            )
        self.close()
        self.piece = Piece(STAFF if word == "staff" else LAB, self.line)
        if word == "lab":
            self.hole(line, words)
        elif words.rstrip() != "staff":
            raise self.error(f"text after @staff: write {self.shown('staff')} alone on its line")

    def hole(self, line: str, words: str) -> None:
        if self.mark == "<!--":
            raise self.error("a @lab block in Markdown: only @staff blocks are understood there")
        found = _TITLED.fullmatch(words.rstrip())
        if not found:
            raise self.error(
                f"a number of two digits and a title are missing: write {self.mark}@lab 04 and "
                "what is to be written, in a few words"
            )
        if self.labs and found[1] not in self.labs:
            raise self.error(f"there is no lab {found[1]}: there are {' '.join(sorted(self.labs))}")
        self.piece.lab, self.piece.title = found[1], found[2]
        self.piece.indent = line[: len(line) - len(line.lstrip())]

    def end(self, words: str) -> None:
        if words.rstrip() != "end":
            raise self.error(f"text after @end: write {self.shown('end')} alone on its line")
        if self.piece.kind == GIVEN:
            raise self.error(
                f"@end alone: no block is open here; it closes {self.shown('lab NN title')} or "
                f"{self.shown('staff')}"
            )
        if self.piece.kind == LAB and not self.piece.stub:
            raise self.error(
                f"a lab block without a stub: after the reference write {self.mark}| lines, "
                "what the starter has in its place", self.piece.line,
            )  # fmt: skip
        if self.piece.kind == LAB and not any(text.strip() for _, text in self.piece.lines):
            raise self.error(
                "a lab block without a reference: put it around the code that students write",
                self.piece.line,
            )
        self.close()
        self.piece = Piece(GIVEN, self.line + 1)

    def stub(self, line: str, rest: str) -> None:
        if self.piece.kind != LAB:
            raise self.error(
                f"a stub outside a block: {self.mark}| lines stand at the end of a "
                f"{self.shown('lab NN title')} block"
            )
        if rest.strip() and not rest.startswith(" "):
            raise self.error(f"a stub without a space: write {self.mark}| and then the code")
        indent = line[: len(line) - len(line.lstrip())]
        self.piece.stub.append((indent + rest[1:]).rstrip())

    def suspect(self, line: str, bare: str) -> None:
        """Refuses what was meant as a marker and is none."""
        if found := _LIKE.search(line):
            if line[: found.start()].strip():
                raise self.error("a marker after code: it stands on a line of its own")
            raise self.error(
                f"nearly a marker: write it as {self.shown('lab NN title')}, "
                f"{self.shown('staff')} or {self.shown('end')}, with no space before the @"
            )
        if self.piece.kind == LAB and re.search(rf"{self.mark}[ \t]*\|", bare):
            raise self.error(
                f"nearly a stub: write {self.mark}| at the start of a line of its own, with no "
                "space before the |"
            )

    def close(self) -> None:
        if self.piece.lines or self.piece.kind != GIVEN:
            self.pieces.append(self.piece)
