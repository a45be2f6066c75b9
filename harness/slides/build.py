"""From filled decks to pages: runs the Node part, and writes the page that lists the decks."""

from __future__ import annotations

import html
import subprocess
from pathlib import Path
from typing import Any

from harness.slides.deck import KIT, Deck, in_order, load
from harness.slides.plots import look, looks

OUT = KIT / "build/slides"
_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>C10K Lab: the lecture</title>
<style>
body {{ font: 20px/1.5 "IBM Plex Sans", system-ui, sans-serif; color: #14171a; margin: 8vh auto;
  max-width: 46rem; padding: 0 1.5rem }}
h1 {{ font-size: 2rem; margin-bottom: 0.2em }}
ol {{ list-style: none; padding: 0 }}
a {{ display: block; padding: 0.55em 0.9em; margin: 0.4em 0; border-left: 8px solid var(--stage);
  background: #f3f5f7; color: inherit; text-decoration: none }}
a:hover, a:focus {{ background: #e6eaee }}
b {{ font-weight: 600; margin-right: 0.8em }}
small {{ color: #55606a }}
</style>
<h1>C10K Lab: the lecture</h1>
<p>In this order, from top to bottom.
<kbd>f</kbd> is full screen, <kbd>p</kbd> opens the lecturer's view.</p>
<ol>
{rows}
</ol>
</html>
"""


def run(what: str, filled: list[Path], *, quiet: bool = False) -> int:
    """`what` is html, pdf or pictures."""
    command = ["node", "slides/build.mjs", what, *(path.stem for path in filled)]
    status = subprocess.run(command, cwd=KIT).returncode
    if status:
        return status
    suffix = {"html": ".html", "pdf": ".pdf"}.get(what, ".001.png")
    where = OUT / "png" if what == "pictures" else OUT
    for path in [] if quiet else filled:
        made = where / f"{path.stem}{suffix}"
        print(f"{made.relative_to(KIT)}  {made.stat().st_size // 1000:,} kB")
    if what == "html":
        page = index()
        if not quiet:
            print(page.relative_to(KIT))
    return 0


def index() -> Path:
    """A page with the decks that are built, in the order of the lecture."""
    styles = looks(KIT)
    decks = [load(path) for path in in_order() if (OUT / f"{path.stem}.html").is_file()]
    page = OUT / "index.html"
    page.write_text(_PAGE.format(rows="\n".join(row(deck, styles) for deck in decks)))
    return page


def row(deck: Deck, styles: dict[str, Any]) -> str:
    stage = deck.settings.get("stage", "")
    colour = look(styles, stage)["light"] if stage else styles["page"]["ink"]["light"]
    facts = [f"{deck.slides} slide{'s' * (deck.slides != 1)}"]
    if minutes := deck.settings.get("minutes"):
        facts.append(f"{minutes} minutes")
    title, about = (html.escape(deck.settings.get(key, "")) for key in ("title", "description"))
    return (
        f'<li><a style="--stage: {colour}" href="{deck.name}.html"><b>{title}</b>'
        f"<small>{', '.join(facts)}</small><br><small>{about}</small></a>"
    )
