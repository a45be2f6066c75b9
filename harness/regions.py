"""Named pieces of a C++ source: a function, a method, a type, a constant, found without a compiler.

It knows enough of the language for sources of this kit: comments, strings, namespaces, types,
functions and initializers. A name that is not there, or there twice, is an error that says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

IDEA = "idea"  # the paragraph at the top of a file
_MARKER = re.compile(r" *//[@|]")
_SKIPPED = re.compile(
    r'R"(?P<raw>[^(\s]*)\(.*?\)(?P=raw)"'
    r'|"(?:\\.|[^"\\\n])*"'
    r"|(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])+'"
    r"|//[^\n]*|/\*.*?\*/"
    r"|^[ \t]*#(?:\\\n|[^\n])*",
    re.DOTALL | re.MULTILINE,
)
_ACCESS = re.compile(r"\s*(public|private|protected)\s*:(?!:)")
_TYPE = re.compile(
    r"\b(?:class|struct|union|enum(?:\s+(?:class|struct))?)\s+(?:\[\[.*?\]\]\s*)?(\w+)"
)
_NAME = r"[~\w]+(?:\s*::\s*[~\w]+)*"


class RegionError(LookupError):
    """No such region, or more than one; the text names it and the file."""


@dataclass(frozen=True)
class Region:
    """Lines of a file, counted from 1; `last` is one of them. `scope`: "Server::", or empty."""

    name: str
    scope: str
    first: int
    last: int
    defined: bool  # it has a body or a value

    @property
    def full(self) -> str:
        return self.scope + self.name


def plain(text: str) -> str:
    """A source without the lines that only make the handout."""
    return "".join(line for line in text.splitlines(True) if not is_marker(line))


def is_marker(line: str) -> bool:
    return bool(_MARKER.match(line))


def masked(text: str) -> str:
    """The same text, of the same length, with blanks for comments, strings and directives."""
    return _SKIPPED.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), text)


def regions(text: str) -> list[Region]:
    """All there are, in order; those of a type follow it."""
    return list(_Scanner(text).scan(0, len(text), ""))


def is_type(text: str) -> bool:
    """Whether these lines declare a class or the like."""
    found = _TYPE.search(masked(text))
    return bool(found) and "(" not in text[: found.start()]


def find(path: str, text: str, name: str) -> Region:
    """The one that is meant; `name` may be qualified, as in `Server::run`."""
    if name == IDEA:
        return _idea(path, text)
    found = [each for each in regions(text) if _is_called(each, name)]
    found = [each for each in found if each.defined] or found
    found = [each for each in found if each.full == name] or found  # a type before its constructor
    if not found:
        raise RegionError(f"{path}: there is no `{name}`")
    if len(found) > 1:
        places = ", ".join(f"{each.full} in line {each.first}" for each in found)
        raise RegionError(f"{path}: `{name}` is there {len(found)} times ({places})")
    return found[0]


def above(text: str, region: Region) -> int:
    """The first line of the comment right above a region, or its own."""
    lines = text.splitlines()
    first = region.first
    while first > 1 and lines[first - 2].lstrip().startswith("//"):
        first -= 1
    return first


def read(kit: Path, path: str) -> str:
    """A source as all but the handout's maker see it."""
    try:
        return plain((kit / path).read_text())
    except OSError as error:
        raise RegionError(f"{path}: {error.strerror}") from None


def _is_called(region: Region, name: str) -> bool:
    return name == region.name or f"::{region.full}".endswith(f"::{name}")


def _idea(path: str, text: str) -> Region:
    lines = text.splitlines()
    last = next((n for n, line in enumerate(lines) if not line.startswith("//")), len(lines))
    if not last:
        raise RegionError(f"{path}: it does not start with a comment: there is no `{IDEA}`")
    return Region(IDEA, "", 1, last, True)


class _Scanner:
    """Goes through declarations; what is inside of functions and initializers is skipped."""

    def __init__(self, text: str) -> None:
        self.text = masked(text)

    def line(self, at: int) -> int:
        return self.text.count("\n", 0, at) + 1

    def scan(self, at: int, end: int, scope: str) -> Iterator[Region]:
        while at < end:
            access = _ACCESS.match(self.text, at)
            if access:
                at = access.end()
            elif self.text[at] in " \t\n;})":
                at += 1
            else:
                after, found = self.declaration(at, end, scope)
                yield from found
                at = after

    def declaration(self, start: int, end: int, scope: str) -> tuple[int, list[Region]]:
        """What begins at `start`: where it ends, and the regions in it."""
        at = start
        while at < end and self.text[at] not in ";{":
            at = self.close(at, end) if self.text[at] in "([" else at + 1
        head = self.text[start:at]
        if at >= end:
            return end, []
        if self.text[at] == ";":
            return at + 1, self.named(head, scope, start, at, "=" in head)
        after = self.close(at, end)
        if re.match(r"(inline\s+)?namespace\b|extern\s*$", head.strip()):
            return after, list(self.scan(at + 1, after - 1, scope))
        kind = _TYPE.search(head)
        if kind and "(" not in head and "=" not in head:
            stop = self.semicolon(after, end)
            own = Region(kind[1], scope, self.line(start), self.line(stop - 1), True)
            return stop, [own, *self.scan(at + 1, after - 1, f"{scope}{kind[1]}::")]
        if "(" in head and not re.search(r"(?<![=!<>])=(?!=)", head.split("(")[0]):
            after = self.body(at, end)
            return after, self.named(head, scope, start, after - 1, True)
        stop = self.semicolon(after, end)
        return stop, self.named(head, scope, start, stop - 1, True)

    def named(self, head: str, scope: str, start: int, last: int, defined: bool) -> list[Region]:
        """A function is named before its parameters, a value before `=`, `{` or the end."""
        before = re.split(r"(?<![=!<>])=(?!=)", head)[0]
        found = re.search(rf"({_NAME})\s*\(", re.sub(r"\b(decltype|alignas)\s*\(", " ", before))
        if not found:
            found = re.search(rf"({_NAME})\s*(?:\[[^]]*\])?\s*$", before)
        if not found:
            return []
        *outer, name = re.split(r"\s*::\s*", found[1])
        inside = scope + "".join(f"{each}::" for each in outer)
        return [Region(name, inside, self.line(start), self.line(last), defined)]

    def body(self, at: int, end: int) -> int:
        """Past a function's body; before it there may be a constructor's braced initializers."""
        while True:
            before = self.text[:at].rstrip()[-1:]
            at = self.close(at, end)
            rest = self.text[at:end]
            more = re.match(r"\s*,[^{;]*(?={)|\s*(?={)", rest)
            if not (before.isidentifier() or before == ">") or not more:
                return at
            at += more.end()

    def semicolon(self, at: int, end: int) -> int:
        while at < end and self.text[at] != ";":
            at = self.close(at, end) if self.text[at] in "([{" else at + 1
        return min(at + 1, end)

    def close(self, at: int, end: int) -> int:
        """Past the bracket that closes the one at `at`."""
        depth = 0
        while at < end:
            depth += (self.text[at] in "([{") - (self.text[at] in ")]}")
            at += 1
            if not depth:
                break
        return at
