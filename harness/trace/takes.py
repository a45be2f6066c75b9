"""Which servers a scenario is recorded with: one take for each picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.findings import Finding
from harness.server import Target
from harness.stages import Stage
from harness.trace import mistakes
from harness.trace.scenarios import Scenario
from harness.trace.verdict import PREFORK

SAMPLES = Path(__file__).parent / "samples"
_WAYS = {  # in which the sample's workers accept
    "herd": "each worker has the listener in its epoll",
    "exclusive": "the same, with EPOLLEXCLUSIVE",
    "accept": "each worker blocks in accept",
    "reuseport": "each worker has a listener of its own, SO_REUSEPORT",
}


class TakesError(ValueError):
    """The scenario has nothing to show with these stages; the text says why."""


@dataclass(frozen=True)
class Take:
    """One server in one scenario, to be recorded. `name` is also that of the file."""

    name: str
    target: Target
    scenario: Scenario
    options: tuple[str, ...]
    caption: str  # what this picture shows and its neighbours do not, in a few words; or ""

    @property
    def file_name(self) -> str:
        """`06-epoll-lt.json` for the scenario that everybody knows, else `slow-06-epoll-lt.json`"""
        first = "" if self.scenario.is_usual else f"{self.scenario.name}-"
        return f"{first}{self.name}.json"


def takes(scenario: Scenario, chosen: Sequence[Stage], bin_dir: Path) -> list[Take]:
    """One for each of the chosen stages that the scenario fits, and for variants of its own.

    A seeded mistake is built here, if this tree has any. TakesError if nothing is left, or if that
    does not build.
    """
    if scenario.own_servers:
        return [_of_sample(scenario, way) for way in scenario.own_servers]
    found = []
    for stage in chosen:
        if scenario.refuses(stage):
            continue
        target = Target(stage, bin_dir / stage.name)
        options = tuple(scenario.options(stage))
        found.append(Take(stage.name, target, scenario, options, ""))
        try:
            for name, program, story in mistakes.built(stage, scenario.variants, bin_dir):
                wrong = Target(stage, program)
                found.append(Take(f"{stage.number}-{name}", wrong, scenario, options, story))
        except Finding as finding:
            raise TakesError(finding.actual) from None
    if not found:
        said = dict.fromkeys(filter(None, map(scenario.refuses, chosen)))
        raise TakesError("; ".join(said) or "no stage to record")
    return found


def _of_sample(scenario: Scenario, way: str) -> Take:
    """The sample server that lets its workers accept in this way."""
    stage = Stage(f"prefork-{way}", PREFORK, frozenset(), _WAYS[way])
    target = Target(stage, SAMPLES / "prefork.py")
    options = ("--accept", way, *scenario.options(stage))
    return Take(stage.name, target, scenario, options, stage.idea)
