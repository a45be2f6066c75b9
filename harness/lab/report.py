"""`report`: a lab's report with results and measurements filled in; the student writes the rest.

The first run copies the template, later runs only renew what stands between its markers.
"""

from __future__ import annotations

import argparse
import datetime
import getpass
import re
import subprocess
import sys
from pathlib import Path

from harness.bench.results import Cell, Results
from harness.lab import predict, state
from harness.lab.labs import KIT, Lab
from harness.lab.result import PASSED, SKIPPED, Verdict
from harness.stages import LADDER

TEMPLATE = "labs/report.md"
_BLOCK = re.compile(r"(<!-- filled in: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
_FIELD = re.compile(r"\{\{(\w+)\}\}")
_HEADING = "## For your report"


def options(parser: argparse.ArgumentParser) -> None:
    state.lab_option(parser)
    parser.add_argument("--name", default="", help="who writes it (git's user.name)")
    parser.add_argument("--out", type=Path, help="where to (reports/NN-name.md)")


def run(arguments: argparse.Namespace) -> int:
    lab = state.chosen(arguments.lab)
    path = arguments.out or KIT / "reports" / f"{lab.name}.md"
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = not path.exists()
    text = (KIT / TEMPLATE).read_text() if fresh else path.read_text()
    blocks = {match[2] for match in _BLOCK.finditer(text)}
    if not blocks:
        print(f"{path} has no `<!-- filled in: ... -->` line left: nothing is written, so that "
              "nothing of yours is lost.", file=sys.stderr)  # fmt: skip
        return 1
    path.write_text(filled(text, lab, arguments.name or author()))
    shown = path.relative_to(KIT) if path.is_relative_to(KIT) else path
    print(f"{shown}: {'written' if fresh else 'renewed ' + ', '.join(sorted(blocks))}")
    if found := missing(lab):
        print(f"  still missing: {found}, then: make report LAB={lab.number}")
    return 0


def filled(text: str, lab: Lab, name: str, kit: Path = KIT) -> str:
    """The report's text with everything filled in that is known."""
    today = datetime.date.today().isoformat()
    fields = {"number": lab.number, "title": lab.title, "name": name, "date": today}
    makers = {
        "results": results_table, "predictions": predictions, "measured": measured,
        "questions": questions,
    }  # fmt: skip

    def block(match: re.Match[str]) -> str:
        maker = makers.get(match[2])
        return f"{match[1]}{maker(lab, kit)}\n{match[3]}" if maker else match[0]

    text = _FIELD.sub(lambda match: fields.get(match[1], match[0]), text)
    return _BLOCK.sub(block, text)


def missing(lab: Lab, kit: Path = KIT) -> str:
    """The commands whose results the report still waits for."""
    wanted = []
    if state.last_result(lab, kit) is None or state.outdated(lab, kit):
        wanted.append(f"make grade LAB={lab.number}")
    if not _cells(lab, kit):
        wanted.append(_measuring(lab))
    return ", ".join(wanted)


def author() -> str:
    """Who git says is at work here, or the login's name."""
    try:
        said = subprocess.run(
            ["git", "config", "user.name"], cwd=KIT, capture_output=True, text=True, check=False
        ).stdout.strip()
    except OSError:
        said = ""
    return said or getpass.getuser()


def results_table(lab: Lab, kit: Path) -> str:
    found = state.last_result(lab, kit)
    if found is None:
        return f"Not graded yet: `make grade LAB={lab.number}`"
    lines = ["| check | | points |", "|---|---|---:|"]
    for each in found.verdicts:
        points = f"{each.points}/{each.max_points}"
        lines.append(f"| {each.id} | {each.title}{_remark(each)} | {points} |")
    lines.append(f"| | **together** | **{found.points}/{found.max_points}** |")
    if state.outdated(lab, kit):
        lines += ["", "The code has changed since: `make grade` again before handing in."]
    return "\n".join(lines)


def _remark(verdict: Verdict) -> str:
    if verdict.status == PASSED:
        return ""
    why = verdict.rows.get("actual", "") if verdict.status == SKIPPED else ""
    return f" ({why or state.word(verdict.status)})"


def predictions(lab: Lab, kit: Path) -> str:
    tries = predict.tries_of(lab, kit)
    if not tries:
        return "This lab asks nothing beforehand."
    lines = []
    for each in lab.predictions:
        count = tries[each.id]
        told = {0: "not answered yet", 1: "right at once"}.get(count, f"right at try {count}")
        question = " ".join(each.question.split())
        lines.append(f"- {each.id} {question} *({told})*")
    return "\n".join(lines)


def questions(lab: Lab, kit: Path) -> str:
    """What the lab's text asks under "For your report"."""
    try:
        text = (kit / lab.readme).read_text()
    except OSError:
        return "The lab's text is not there."
    _, _, after = text.partition(f"\n{_HEADING}\n")
    return after.partition("\n## ")[0].strip() or "None in this lab."


def measured(lab: Lab, kit: Path) -> str:
    """This lab's stage and the one before it, as the benchmark saw them."""
    found = _bench(kit)
    cells = _cells(lab, kit)
    if found is None or not cells:
        return f"Not measured yet: `{_measuring(lab)}`"
    lines = [
        "| load | server | CPU us/request | requests/s | calls/request | switches/request "
        "| p50 ms |",
        "|---|---|---:|---:|---:|---:|---:|",
    ]
    for cell in cells:
        lines.append(_line(cell))
    idle = [cell for stage in _stages(lab) if (cell := found.idle_cell(stage))]
    lines += [""] if idle else []
    for each in idle:
        kib = each.pss_kib_per_connection or 0
        lines.append(f"- {each.server}: {kib:.2f} KiB for each of {each.idle} idle clients")
    about = found.machine
    lines += ["", f"{about['cpu']}, {about['cpus']} cpus, Linux {about['kernel']}, "
              f"{about['date'][:10]}; the best of {found.settings['rounds']} rounds."]  # fmt: skip
    return "\n".join(lines)


def _line(cell: Cell) -> str:
    of = cell.summary()
    latency = "" if cell.load.startswith("pipelined") else f"{of['p50_us'] / 1000:.2f}"
    numbers = [
        f"{of['cpu_us']:.1f}", f"{of['per_second']:,.0f}", _short(of["syscalls"]),
        _short(of["switches"]), latency,
    ]  # fmt: skip
    return f"| {cell.load} | {cell.server} | {' | '.join(numbers)} |"


def _short(number: float | None) -> str:
    return "-" if number is None else f"{number:.2f}"


def _stages(lab: Lab) -> list[str]:
    """The stage before this lab's, where there is one, and its own."""
    names = [stage.name for stage in LADDER]
    at = names.index(lab.name) if lab.name in names else 0
    return names[max(0, at - 1) : at + 1]


def _measuring(lab: Lab) -> str:
    numbers = " ".join(name[:2] for name in _stages(lab))
    return f'make bench STAGE="{numbers}"'


def _bench(kit: Path) -> Results | None:
    try:
        return Results.read(kit / "build" / "bench" / "results.json")
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _cells(lab: Lab, kit: Path) -> list[Cell]:
    """Load by load, the stage before first; only loads that this lab's stage was put under."""
    found = _bench(kit)
    if found is None:
        return []
    loads = [cell.load for cell in found.cells if cell.server == lab.name]
    pairs = [(load, stage) for load in dict.fromkeys(loads) for stage in _stages(lab)]
    return [cell for load, stage in pairs if (cell := found.cell(stage, load))]
