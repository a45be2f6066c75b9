"""What is said of servers that could not be recorded: what happened, why, and what to try."""

from __future__ import annotations

import sys

from harness import findings
from harness.findings import Finding, Missing
from harness.trace.remarks import plain


def complain(why: str, *more: str) -> None:
    """To standard error: a line, and below it what helps."""
    print("\n".join([f"trace: {why}", *(f"       {each}" for each in more)]), file=sys.stderr)


class Failures:
    """Collects them, so that what stops all servers alike is said once."""

    def __init__(self) -> None:
        self.any = False
        self._unwritten: dict[Missing, list[str]] = {}

    def before(self) -> None:
        """Before a server starts: forget what earlier ones have said."""
        findings.speakers.clear()
        findings.witnesses.clear()
        findings.transcript.clear()

    def ran_into_a_gap(self, name: str) -> bool:
        """Whether the server has come to code that nobody has written yet; then that is noted."""
        gap = findings.missing()
        if gap:
            self.any = True
            self._unwritten.setdefault(gap, []).append(name)
        return bool(gap)

    def add(self, name: str, finding: Finding) -> None:
        """A server that did not get ready."""
        self.any = True
        if not self.ran_into_a_gap(name):
            told = (("expected: ", finding.expected), ("hint: ", finding.hint))
            helps = (label + text for label, text in told if text)
            complain(f"{name}: {plain(finding.actual)}", *helps)

    def tell(self) -> None:
        """The gaps, each with all the servers that fell into it."""
        for gap, names in self._unwritten.items():
            verb = "comes" if len(names) == 1 else "come"
            complain(
                f"{' '.join(names)} {verb} to code that is not written yet: {gap.what}",
                f"hint: {gap.hint}",
                "Write it, then trace again; `make next` says where you are.",
            )
