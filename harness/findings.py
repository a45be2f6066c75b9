"""What a failing check says: sent, expected, actual, x-ray, hint, try it.

A check says `expected`, `hint` and `try_it` once, in its `@story`. What was sent is written down
by the clients and servers themselves, and the x-ray is taken at the moment of failure; so a check
only has to say what it saw.
"""

from __future__ import annotations

import contextlib
import re
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass

Marker = Callable[[Callable[..., object]], Callable[..., object]]

_LABEL_WIDTH = 10
_TEXT_WIDTH = 88
_STEPS_SHOWN = 9

Watcher = Callable[[object, str, bytes], None]

witnesses: list[Callable[[], str]] = []  # each describes one server of the check under way
watchers: list[Watcher] = []  # told of every step as it happens, and of the bytes: `make try`
speakers: list[Callable[[], str]] = []  # each gives what such a server wrote to standard error
run_options = ""  # of the server that was started last, for `make run ... ARGS=`


@dataclass(frozen=True)
class Missing:
    """Code that is still to be written: a server ran into it, and said so (exit status 70)."""

    what: str  # "lab 04: advance()"
    hint: str


_MISSING = re.compile(r"^not implemented: (.*?) \(hint: (.*)\)$", re.MULTILINE)


def missing(also: str = "") -> Missing | None:
    """What a server of this check was not able to do because nobody has written it yet."""
    texts = [*(speak() for speak in speakers), also]
    found = next((match for text in texts if (match := _MISSING.search(text))), None)
    return Missing(found[1], found[2]) if found else None


class Finding(AssertionError):  # noqa: N818 - the project's word for what a check found
    """A server does not do what its contract says. `actual` is a fact the kernel vouches for."""

    def __init__(
        self, actual: str, *, expected: str = "", hint: str = "", try_it: str = ""
    ) -> None:
        super().__init__(actual)
        self.actual = actual
        self.expected = expected
        self.hint = hint
        self.try_it = try_it
        self.sent = transcript.told()
        self.xray = "; ".join(seen for witness in witnesses if (seen := witness()))


def expect(condition: object, actual: str, *, expected: str = "", hint: str = "") -> None:
    """Raise a Finding that says `actual` unless `condition` holds."""
    if not condition:
        raise Finding(actual, expected=expected, hint=hint)


def story(*, expected: str, hint: str, try_it: str = "") -> Marker:
    """Mark a check with what it expects, a hint that teaches, and one command to try."""
    import pytest  # here only: to draw, or to trace, takes no pytest

    return pytest.mark.story(expected=expected, hint=hint, try_it=try_it)


@contextlib.contextmanager
def tried_by(command: str) -> Iterator[None]:
    """Give a Finding that is raised inside this command as the one to try."""
    try:
        yield
    except Finding as finding:
        finding.try_it = finding.try_it or command
        raise


def tell(who: object, what: str, data: bytes = b"") -> None:
    """Let those who watch know what `who` (a client, or a name) does, and with which bytes."""
    for watcher in watchers:
        watcher(who, what, data)


class Transcript:
    """What a check did, in order and in few words. Repeated steps are counted, not repeated."""

    def __init__(self) -> None:
        self._steps: list[tuple[str, set[str], int]] = []

    def clear(self) -> None:
        self._steps.clear()

    def note(self, who: object, step: str, data: bytes = b"") -> None:
        """Write down that `who` (a client, or the harness by name) did `step`, with `data`."""
        tell(who, step, data)
        actor = str(who)
        if self._steps and self._steps[-1][0] == step:
            _, actors, count = self._steps.pop()
            self._steps.append((step, actors | {actor}, count + 1))
        else:
            self._steps.append((step, {actor}, 1))

    def told(self) -> str:
        """The steps as one text, the last ones if there are many."""
        lines = [self._line(*step) for step in self._steps]
        if len(lines) > _STEPS_SHOWN:
            left_out = len(lines) - _STEPS_SHOWN + 1
            lines = [lines[0], f"({left_out - 1} steps)", *lines[-_STEPS_SHOWN + 2 :]]
        return "\n".join(lines)

    @staticmethod
    def _line(step: str, actors: set[str], count: int) -> str:
        if len(actors) > 1:
            return f"{len(actors)} clients: {step}"
        (actor,) = actors
        return f"{actor}: {step}" + (f" ({count} times)" if count > 1 else "")


transcript = Transcript()


def rows(finding: Finding, *, told: dict[str, str], again: str) -> dict[str, str]:
    """What a reader is told, by label. `told` holds the check's story; where the finding has words
    of its own for what was expected and for the hint, these go first."""
    found = {
        "sent": finding.sent or "nothing",
        "expected": finding.expected or told.get("expected", ""),
        "actual": finding.actual,
        "x-ray": finding.xray,
        "hint": finding.hint or told.get("hint", ""),
        "try it": told.get("try_it", ""),
        "again": again,
    }
    return {label: text for label, text in found.items() if text}


def report(title: str, told: dict[str, str]) -> str:
    """The text a reader sees: a title, and rows under their labels."""
    return "\n".join([f":( {title}", *report_rows(told)])


def report_rows(told: dict[str, str]) -> list[str]:
    """The rows alone, each wrapped under its label."""
    return [_row(label, text) for label, text in told.items() if text]


def _row(label: str, text: str) -> str:
    first, later = f"   {label:<{_LABEL_WIDTH}}", " " * (_LABEL_WIDTH + 3)
    if label in ("try it", "again"):  # commands must survive copy and paste
        return textwrap.indent(text, later).replace(later, first, 1)
    lines: list[str] = []
    for line in text.splitlines():
        lines += textwrap.wrap(line, _TEXT_WIDTH) or [""]
    return first + f"\n{later}".join(lines)


def excerpt(data: bytes, limit: int = 100) -> str:
    """Bytes for human eyes: a quoted beginning and the length if there is more."""
    if sum(byte < 32 or byte > 126 for byte in data[:limit]) > limit // 3:
        limit = min(limit, 12)  # nobody reads a wall of \\x00
    shown = data[:limit].decode("latin-1").encode("unicode_escape").decode("ascii")
    return f'"{shown}"' + (f"... ({len(data):,} bytes)" if len(data) > limit else "")


def difference(got: bytes, wanted: bytes) -> str:
    """Where two byte strings part, cut around the first difference."""
    if got == wanted:
        return "no difference"
    at = next(
        (i for i, (a, b) in enumerate(zip(got, wanted, strict=False)) if a != b),
        min(len(got), len(wanted)),
    )
    start = max(0, at - 12)
    return (
        f"{len(got):,} bytes instead of {len(wanted):,}; they part at byte {at:,}: "
        f"{excerpt(got[start : at + 20])} instead of {excerpt(wanted[start : at + 20])}"
    )
