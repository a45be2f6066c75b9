"""How a server looks on the page: the name, colours and dashes that the report gives it."""

from __future__ import annotations

import json
from pathlib import Path

_TABLE = Path(__file__).parents[1] / "bench" / "report" / "colours.json"
_COLOURS = json.loads(_TABLE.read_text(encoding="utf-8"))


def look(name: str) -> dict[str, str]:
    """Label, colours, dash, and the sign that stands for the server: a digit or a letter."""
    number = name.partition("-")[0]
    sign = str(int(number)) if number.isdigit() else name[0]
    others = _COLOURS["others"]
    other = {"label": name, **others[sum(name.encode()) % len(others)]}
    return {"tag": sign, **_COLOURS["servers"].get(name, other)}
