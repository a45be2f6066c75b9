"""Fills the page: one file that needs no network, with the data, D3 and the texts inside."""

from __future__ import annotations

import html
import json
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from harness.bench import machine
from harness.bench.report import about, conclusions, folklore, targets
from harness.bench.report.plot import Plot
from harness.bench.report.plots import plots
from harness.bench.report.reading import Reading
from harness.bench.results import Results
from harness.bench.tables import Table

HERE = Path(__file__).parent
D3 = Path("/usr/share/nodejs/d3/dist/d3.min.js")
SCRIPTS = ("drawings.js", "rows.js", "page.js")
KEYS = {"nginx": "n", "apache": "a", "roofline": "r", "yours": "y", "target": "t"}
COLOURS = json.loads((HERE / "colours.json").read_text())


def write(results: Results, directory: Path) -> Path | None:
    """Writes report.html; if D3 is missing it says so, and there is no page."""
    if not D3.exists():
        print(f"no report.html: D3 is not installed ({D3}): apt-get install node-d3",
              file=sys.stderr)  # fmt: skip
        return None
    path = directory / "report.html"
    path.write_text(filled(results, D3.read_text()))
    return path


def filled(results: Results, d3: str) -> str:
    """The whole page."""
    reading = Reading(results)
    names = list(dict.fromkeys([*reading.servers, *reading.kinds]))
    looks = {name: look(name, reading.kinds[name]) for name in names}
    drawn = list(plots(reading))
    mark = _Marker(names, looks)
    sections = [
        *(_described(section, mark) for section in about.yours(reading)),
        *(_plot_section(plot, conclusions.written(plot.name, reading), mark) for plot in drawn),
        *_other_sections(reading, mark),
    ]
    values = {
        "TITLE": "What each model costs",
        "MACHINE": html.escape(machine.line(results.machine)),
        "COLOURS": _variables(looks),
        "STYLE": (HERE / "page.css").read_text(),
        "SECTIONS": "\n".join(sections),
        "DATA": _embedded({"servers": looks, "plots": [_drawing(plot) for plot in drawn]}),
        "D3": d3,
        "SCRIPT": "\n".join((HERE / name).read_text() for name in SCRIPTS),
    }
    template = (HERE / "page.html").read_text()
    return re.sub(r"@([A-Z0-9]+)@", lambda found: values[found[1]], template)


def look(name: str, kind: str) -> dict[str, Any]:
    """How a server is drawn, what it is called and which key puts it in the spotlight."""
    family = re.split(r"[-_:]", name)[0]
    others = COLOURS["others"]
    other = {"label": name, **others[sum(name.encode()) % len(others)]}
    known = COLOURS["servers"].get(name) or COLOURS["servers"].get(family, other)
    key = KEYS.get(family, "")
    if family.isdigit():
        key = str(int(family)) if 0 < int(family) < 10 else ""
    if name.startswith("yours:"):
        known = {**known, "label": f"yours ({name[6:8]})"}
    return {**known, "id": "s-" + re.sub(r"\W+", "-", name), "kind": kind, "key": key}


def _variables(looks: dict[str, dict[str, Any]]) -> str:
    """The colours as CSS variables; on paper it is always the light ones."""
    table = {**COLOURS["page"], **{each["id"]: each for each in looks.values()}}
    light, dark = (
        " ".join(f"--{name}: {colours[shade]};" for name, colours in table.items())
        for shade in ("light", "dark")
    )
    return (
        f":root {{ color-scheme: light; {light} }}\n"
        f'@media (prefers-color-scheme: dark) {{ :root:not([data-theme="light"]) {{ {dark} }} }}\n'
        f':root[data-theme="dark"] {{ {dark} }}\n'
        f"@media print {{ :root:root:root {{ {light} }} }}"
    )


def _embedded(data: dict[str, Any]) -> str:
    """JSON that nothing can end inside a script element."""
    return json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")


class _Marker:
    """Writes text as HTML, with the names of servers in their colours."""

    def __init__(self, names: Iterable[str], looks: dict[str, dict[str, Any]]) -> None:
        self._looks = looks
        longest_first = sorted(names, key=len, reverse=True)
        self._names = re.compile(rf"(?<![\w-])({'|'.join(map(re.escape, longest_first))})(?![\w-])")

    def text(self, words: str) -> str:
        """Escaped, and in colour."""
        return self._names.sub(self._marked, html.escape(words, quote=False))

    def table(self, table: Table) -> str:
        """An HTML table; a row that begins with a server's name can be put in the spotlight."""
        head = "".join(f"<th>{html.escape(each)}</th>" for each in table.columns)
        rows = "\n".join(map(self._row, table.rows))
        notes = "".join(f"<p class=ends>{self.text(note)}</p>" for note in table.notes)
        return (
            f"<div class=scroll><table><thead><tr>{head}</tr></thead>\n"
            f"<tbody>{rows}</tbody></table></div>{notes}"
        )

    def _row(self, row: list[str]) -> str:
        server = row[0].split(" ")[0]
        of = f' data-server="{html.escape(server)}"' if server in self._looks else ""
        cells = "".join(
            f"<td{' class=missed' if cell == targets.MISSED else ''}>{self.text(cell)}</td>"
            for cell in row
        )
        return f"<tr{of}>{cells}</tr>"

    def _marked(self, found: re.Match[str]) -> str:
        return f'<b style="color: var(--{self._looks[found[0]]["id"]})">{found[0]}</b>'


def _drawing(plot: Plot) -> dict[str, Any]:
    return {"name": plot.name, "title": plot.title, "drawing": plot.drawing}


def _plot_section(plot: Plot, text: conclusions.Text, mark: _Marker) -> str:
    said = "".join(f"<p>{mark.text(sentence)}</p>\n" for sentence in text.said)
    for intro, sentences in (
        ("Within the noise, so that nothing is claimed: ", text.within_noise),
        ("Not as it should be, and the usual reason does not explain it: ", text.unexpected),
    ):
        if sentences:
            said += f"<p class=within>{intro}{mark.text('; '.join(sentences))}.</p>\n"
    reasons: dict[str, list[str]] = {}
    for server, reason in plot.ends.items():
        reasons.setdefault(reason, []).append(server)
    drawn = {line["server"] for line in plot.drawing.get("lines", [])}
    ends = "".join(
        f"<li{' class=drawn' if drawn.issuperset(names) else ''}>{mark.text(', '.join(names))}: "
        f"{html.escape(reason)}</li>"
        for reason, names in reasons.items()
    )
    ends = f"<ul class=ends>{ends}</ul>" if ends else ""
    return (
        f'<section id="{plot.name}"><h2>{html.escape(plot.title)}</h2>\n<div class="plot"></div>\n'
        f"{said}{ends}<details><summary>numbers: {html.escape(plot.table.title)}</summary>"
        f"{mark.table(plot.table)}</details></section>"
    )


def _other_sections(reading: Reading, mark: _Marker) -> Iterator[str]:
    old = folklore.tables(reading)
    if old:
        body = "".join(f"<h3>{html.escape(t.title)}</h3>{mark.table(t)}" for t in old)
        verdicts = "".join(
            f"<li><b>{html.escape(v.claim[0].upper() + v.claim[1:])}: {v.verdict}.</b> "
            f"{mark.text(v.why)}</li>"
            for v in folklore.verdicts(reading)
        )
        yield _section("folklore", "The folklore, and what of it still holds",
                       f"<p>{folklore.INTRODUCTION}</p><ul>{verdicts}</ul>{body}")  # fmt: skip
    yield _section("targets", "Numbers to reach", mark.table(targets.table(reading)))
    yield from (_described(section, mark) for section in about.sections(reading))


def _described(section: about.Section, mark: _Marker) -> str:
    """Sentences and tables; a table with a title opens when it is asked for."""
    name, title, parts = section
    body = [
        f"<p>{mark.text(part)}</p>"
        if isinstance(part, str)
        else f"<details><summary>{html.escape(part.title)}</summary>{mark.table(part)}</details>"
        if part.title
        else mark.table(part)
        for part in parts
    ]
    return _section(name, title, "\n".join(body))


def _section(name: str, title: str, body: str) -> str:
    return f'<section id="{name}"><h2>{html.escape(title)}</h2>\n{body}</section>'
