"""Does a handout show what students are to find out? Its text is searched for the solution's.

What is searched for are whole lines of the holes: a line, or as many lines in a row as make up a
certain number of words and signs, so that layout does not matter and what everybody would write
(`if (n == -1) return;`) is no leak; and longer sequences from anywhere within a hole. Comments are
apart from code: neither hides the other.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from harness.lab import markers

ENOUGH = 12  # words and signs that nobody else writes in the same order, as whole lines
ENOUGH_OF_A_LINE = 20
_TOKEN = re.compile(r"\w+|::|->|<<|>>|&&|\|\||\+\+|--|[-=!<>+*/]=|[^\s\w]")
_SLASHES = re.compile(
    r"""R"\((?:.|\n)*?\)"|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|(//[^\n]*|/\*(?:.|\n)*?\*/)"""
)
_HASHES = re.compile(r"""(?<![^\s])(#[^\n]*)""")
_COMMENT_SIGNS = re.compile(r"^\s*(?://|/\*|\*/|\*|#)+|\*/\s*$")

Token = tuple[str, int]  # and its line
Start = tuple[str, ...]


@dataclass(frozen=True)
class Secret:
    """Words and signs that must not be in a handout, whence they are, and whose they are."""

    tokens: tuple[str, ...]
    path: str
    line: int
    what: str  # "the solution of lab 04"
    text: str  # its first line


@dataclass(frozen=True)
class Leak:
    """A place in a handout that shows a secret; `more` lines after it go on doing so."""

    path: str
    line: int
    secret: Secret
    more: int = 0

    def __str__(self) -> str:
        further = f" (and {self.more} lines after it)" if self.more else ""
        return (
            f"{self.path}:{self.line}: shows {self.secret.what}, "
            f"{self.secret.path}:{self.secret.line}: {self.secret.text}{further}"
        )

    def continues(self, other: Leak) -> bool:
        """Whether it goes on with what `other` shows, in the line after it or nearly."""
        mine, theirs = self.secret, other.secret
        near = 0 <= self.line - (other.line + other.more) <= 5
        return near and (self.path, mine.path, mine.what) == (other.path, theirs.path, theirs.what)


def secrets(
    pieces: dict[str, list[markers.Piece]], first_open: int, mutants: dict[str, str]
) -> list[Secret]:
    """What a handout must not show. What a solved lab shows anyhow is no secret."""
    found: list[Secret] = []
    for path, all_of_it in pieces.items():
        for piece in all_of_it:
            if piece.is_open(first_open):
                found += _of_piece(path, piece, f"the solution of lab {piece.lab}")
            elif piece.kind == markers.STAFF:
                found += _of_piece(path, piece, "what is for staff only")
    for path, text in mutants.items():
        found += _of_mutants(path, text)
    by_start = _by_start(found)
    shown = {
        tokens
        for path, all_of_it in pieces.items()
        for tokens in _solved(path, all_of_it, first_open, by_start)
    }
    return [secret for secret in found if secret.tokens not in shown]


def _solved(
    path: str, pieces: list[markers.Piece], first_open: int, by_start: dict[Start, list[Secret]]
) -> Iterator[Start]:
    """What a file shows in the holes that arrive solved, or partly in them."""
    lines: list[tuple[str, bool]] = []
    for piece in pieces:
        if piece.kind != markers.STAFF and not piece.is_open(first_open):
            lines += [(text, piece.kind == markers.LAB) for _, text in piece.lines]
    if any(solved for _, solved in lines):
        for stream in streams(path, "\n".join(text for text, _ in lines)):
            for at, secret in _matches(stream, by_start):
                span = stream[at : at + len(secret.tokens)]
                if any(lines[line - 1][1] for _, line in span):
                    yield secret.tokens


def _text(piece: markers.Piece) -> str:
    return "\n".join(line for _, line in piece.lines)


def _of_piece(path: str, piece: markers.Piece, what: str) -> Iterator[Secret]:
    for stream in streams(path, _text(piece)):
        lines: dict[int, list[str]] = {}
        for token, line in stream:
            lines.setdefault(line, []).append(token)
        found = list(_runs(lines, alone=piece.kind == markers.STAFF))
        if piece.kind == markers.LAB:
            found += _parts(stream)
        for tokens, line in found:
            number, written = piece.lines[line - 1]
            yield Secret(tokens, path, number, what, " ".join(written.split()))


def _parts(stream: list[Token]) -> Iterator[tuple[tuple[str, ...], int]]:
    for at in range(len(stream) - ENOUGH_OF_A_LINE + 1):
        part = stream[at : at + ENOUGH_OF_A_LINE]
        yield tuple(token for token, _ in part), part[0][1]


def _runs(lines: dict[int, list[str]], *, alone: bool) -> Iterator[tuple[tuple[str, ...], int]]:
    """From each line on, so many whole lines as are enough; `alone`: only lines that are."""
    numbers = sorted(lines)
    for at, number in enumerate(numbers):
        tokens: list[str] = []
        for following in numbers[at : at + 1 if alone else None]:
            tokens += lines[following]
            if len(tokens) >= ENOUGH:
                yield tuple(tokens), number
                break


def _of_mutants(path: str, text: str) -> Iterator[Secret]:
    for mutant in tomllib.loads(text).get("mutant", []):
        story = mutant.get("story", "")
        tokens = tuple(_TOKEN.findall(story))
        if len(tokens) >= ENOUGH:
            place = text.find(story.split("\n")[0])
            line = text.count("\n", 0, max(0, place)) + 1
            yield Secret(tokens, path, line, "a mutant's story", story.strip())


def streams(path: str, text: str) -> tuple[list[Token], list[Token]]:
    """The file's code and the file's comments, as words and signs; prose counts as both in one."""
    mark = markers.comment(path)
    pattern = {"//": _SLASHES, "#": _HASHES}.get(mark)
    if not pattern:
        return list(_tokens(text)), []
    comments: list[Token] = []

    def blank(found: re.Match[str]) -> str:
        if found[1] is None:
            return found[0]
        first = text.count("\n", 0, found.start(1))
        for offset, line in enumerate(found[1].split("\n")):
            bare = _COMMENT_SIGNS.sub("", line)
            comments.extend((token, first + offset + 1) for token in _TOKEN.findall(bare))
        return "\n" * found[1].count("\n")

    code = pattern.sub(blank, text)
    return list(_tokens(code)), comments


def _tokens(text: str) -> Iterator[Token]:
    for number, line in enumerate(text.split("\n"), 1):
        for token in _TOKEN.findall(line):
            yield token, number


def search(files: Iterable[tuple[str, str]], wanted: list[Secret]) -> list[Leak]:
    """All places in these files, (path, text), that show one of the secrets."""
    by_start = _by_start(wanted)
    leaks: list[Leak] = []
    for path, text in files:
        found = (leak for stream in streams(path, text) for leak in _in(path, stream, by_start))
        for leak in sorted(found, key=lambda leak: leak.line):
            if leaks and leak.continues(leaks[-1]):
                leaks[-1] = replace(leaks[-1], more=leak.line - leaks[-1].line)
            else:
                leaks.append(leak)
    return leaks


def _by_start(wanted: list[Secret]) -> dict[Start, list[Secret]]:
    found: dict[Start, list[Secret]] = {}
    for secret in wanted:
        found.setdefault(secret.tokens[:ENOUGH], []).append(secret)
    return found


def _in(path: str, stream: list[Token], by_start: dict[Start, list[Secret]]) -> Iterator[Leak]:
    for at, secret in _matches(stream, by_start):
        yield Leak(path, stream[at][1], secret)


def _matches(
    stream: list[Token], by_start: dict[Start, list[Secret]]
) -> Iterator[tuple[int, Secret]]:
    words = [token for token, _ in stream]
    for at in range(len(words) - ENOUGH + 1):
        for secret in by_start.get(tuple(words[at : at + ENOUGH]), ()):
            if tuple(words[at : at + len(secret.tokens)]) == secret.tokens:
                yield at, secret
