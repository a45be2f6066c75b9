"""What is said of visits that end oddly: in a picture's note, a line for all who fare alike."""

from __future__ import annotations

from collections.abc import Mapping

from harness.trace.recording import Visitor

MOST = 400  # characters of a note


def remark(visitor: Visitor, asleep_in: str) -> str:
    """What there is to say of it, with {who} for its name; "" of an ordinary visit.

    `asleep_in`: the calls in which the server sleeps while bytes of the client lie unread.
    """
    if visitor.unread:
        asleep = f", and the server sleeps in {asleep_in}" if asleep_in else ""
        return f"{visitor.unread:,} bytes of {{who}} lie unread{asleep}"
    if visitor.outcome == "gave up" and visitor.first:
        return "{who}: answered, but the server does not close the connection, as it was asked to"
    if visitor.outcome == "closed" and visitor.first:
        return "{who}: what comes is no HTTP reply"
    return ""


def together(remarks: Mapping[str, str]) -> list[str]:
    """One text for all clients of whom the same is to be said, in the order of their names."""
    who: dict[str, list[str]] = {}
    for name in sorted(remarks):
        who.setdefault(remarks[name], []).append(name)
    found = []
    for text, names in who.items():
        each = "each of " if len(names) > 1 and " of {who}" in text else ""
        found.append(text.replace("{who}", each + " ".join(names)))
    return found


def plain(text: str) -> str:
    """In one line, and as long as a note may be: servers say anything before they die."""
    said = "".join(each if each.isprintable() else " " for each in text)
    said = " ".join(said.split())
    return said if len(said) <= MOST else said[: MOST - 4].rstrip() + " ..."
