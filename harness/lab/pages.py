"""What of the labs' pages is made: from lab.toml and mutants.toml, and pictures of recorded traces.

Parts of a text stand between `<!-- NAME -->` and `<!-- end -->`; `python3 -m harness.lab pages`
renews all.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterator
from pathlib import Path

from harness.lab import labs, mutants, show
from harness.lab.labs import KIT, Lab
from harness.lab.result import Verdict
from harness.trace import recording, svg, telling

OVERVIEW = KIT / "labs" / "README.md"
RECORDINGS = KIT / "slides" / "traces"
MESSAGES = KIT / "labs" / "messages.json"  # what the grader said of each mutant, when last asked
SAMPLES = 10
_PART = r"(<!-- {} -->\n).*?(<!-- end -->)"
_VOLATILE = re.compile(
    r"\b(pid |port |process |processes \d+ and |processes \[?|child |worker |thread )?\d{4,}\b"
)


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--ask", action="store_true", help="grade all mutants for their messages")
    parser.add_argument("--jobs", type=int, default=3, help="so many at a time (3)")


def run(arguments: argparse.Namespace) -> int:
    """Write all that is made."""
    if arguments.ask:
        ask(arguments.jobs)
    for path, text in _fresh():
        if _old(path) != text:
            path.write_text(text)
            print(f"renewed {path.relative_to(KIT)}")
    return 0


def stale() -> list[str]:
    """The files that are not as they would be made today."""
    return [str(path.relative_to(KIT)) for path, text in _fresh() if _old(path) != text]


def _old(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def rubric(lab: Lab) -> str:
    """The lab's points as a table."""
    rows = [f"| {c.id} | {c.title} | {c.points} |" for c in lab.checks]
    total = f"| | **all** | **{sum(c.points for c in lab.checks)}** |"
    return "\n".join(["| check | your server ... | points |", "|---|---|---:|", *rows, total, ""])


def _fresh() -> Iterator[tuple[Path, str]]:
    for lab in labs.load_all():
        path = lab.directory / "README.md"
        if path.exists():
            yield path, _filled(path.read_text(), "rubric", rubric(lab))
        recorded = RECORDINGS / f"{lab.name}.json"
        if recorded.exists():
            yield lab.directory / "trace.svg", svg.draw(telling.tell(recording.load(recorded)))
    if OVERVIEW.exists():
        text = _filled(OVERVIEW.read_text(), "labs", _table_of_labs())
        text = _filled(text, "mutants", _table_of_mutants())
        yield OVERVIEW, _filled(text, "samples", _samples())


def _filled(text: str, name: str, content: str) -> str:
    pattern = re.compile(_PART.format(name), re.DOTALL)
    return pattern.sub(lambda found: f"{found[1]}\n{content}\n{found[2]}", text)


def _table_of_labs() -> str:
    rows = ["| lab | you will have | checks | mutants |", "|---|---|---:|---:|"]
    for lab in labs.load_all():
        seeded = len(mutants.load(lab))
        link = f"[{lab.name}]({lab.name})"
        rows.append(f"| {link} | {lab.goal} | {len(lab.checks)} | {seeded} |")
    return "\n".join([*rows, ""])


def _table_of_mutants() -> str:
    told = _messages()
    rows = ["| lab | mutant | points lost | what the grader says |", "|---|---|---:|---|"]
    for lab in labs.load_all():
        for mutant in mutants.load(lab):
            said = told.get(f"{lab.number}/{mutant.name}", {}).get("actual", "")
            shown = said.replace("|", "\\|")
            shown = shown if len(shown) <= 160 else shown[:157].rsplit(" ", 1)[0] + " ..."
            checks = ", ".join(mutant.loses)
            lost = f"{sum(mutant.loses.values())} ({checks})"
            rows.append(f"| {lab.number} | {mutant.name} | {lost} | {shown} |")
    return "\n".join([*rows, ""])


def _samples() -> str:
    """Failures as they appear: one of each lab, and one more."""
    chosen = [entry for entry in _messages().values() if entry.get("sample")]
    return "\n\n".join(f"{e['story']}\n\n```\n{e['screen']}\n```" for e in chosen[:SAMPLES]) + "\n"


def _messages() -> dict[str, dict[str, str]]:
    return json.loads(MESSAGES.read_text()) if MESSAGES.exists() else {}


def ask(jobs: int) -> None:
    """Grade every mutant, and keep what the grader says."""
    wanted = [mutant for lab in labs.load_all() for mutant in mutants.load(lab)]
    done = mutants.judge_all(wanted, jobs)
    outcomes = {f"{o.mutant.lab.number}/{o.mutant.name}": o for o in done}
    kept = {}
    for name in sorted(outcomes):
        outcome = outcomes[name]
        kept[name] = {"actual": _VOLATILE.sub(_masked, outcome.message)}
        if outcome.mutant.sample and outcome.failure:
            about = {"screen": _screen(outcome.failure), "story": outcome.mutant.story}
            kept[name] |= about | {"sample": "yes"}
    MESSAGES.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n")


def _screen(verdict: Verdict) -> str:
    return "\n".join(line.rstrip() for line in show.screen(verdict).splitlines())


def _masked(found: re.Match[str]) -> str:
    """Pids and ports are others every time; sizes are not."""
    return re.sub(r"\d+", "N", found[1]) + "N" if found[1] else found[0]
