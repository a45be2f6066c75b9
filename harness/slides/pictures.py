"""Pictures of recorded traces, and the rule that every picture has a text alternative."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

from harness.slides.deck import DeckError, Info, Item

TRACES = "slides/traces"
_ALT = {"mermaid": re.compile(r"%% alt: \S.*"), "dot": re.compile(r"// alt: \S.*")}


def trace(kit: Path, images: Path, info: Info) -> str:
    """`trace NAME alt="..."`: drawn from slides/traces/NAME.json; other options are passed on."""
    alt = info.one("alt")
    if len(info.words) != 1 or not alt:
        raise DeckError('which trace, and what does it show? ```trace 06-epoll-lt alt="..."')
    recorded = f"{TRACES}/{info.words[0]}.json"
    if not (kit / recorded).is_file():
        raise DeckError(f"there is no recorded trace {recorded}")
    if importlib.util.find_spec("harness.trace") is None:
        raise DeckError("harness/trace is missing: it draws recorded traces")
    name = "-".join([info.words[0], *(v for k, v in sorted(info.options.items()) if k != "alt"
                                      for v in v)])  # fmt: skip
    out = images / f"trace-{re.sub(r'[^a-z0-9]+', '-', name.lower())}.svg"
    out.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "harness.trace", "--draw", recorded, "--light"]
    for option, values in info.options.items():
        if option != "alt":
            command += [f"--{option}={value}" for value in values]
    done = subprocess.run([*command, "--out", str(out)], cwd=kit, capture_output=True, text=True)
    if done.returncode or not out.is_file():
        raise DeckError(f"{recorded}: {(done.stderr or done.stdout).strip()[-500:]}")
    return f"![{alt.replace(']', ')')}](img/{out.name})"


def check_alternative(item: Item) -> None:
    """DeckError for a diagram that says nothing to who cannot see it."""
    wanted = _ALT.get(item.language)
    if wanted and not wanted.fullmatch(item.text.split("\n")[0].strip()):
        sign = "%%" if item.language == "mermaid" else "//"
        raise DeckError(
            f"a diagram without a text alternative: its first line is `{sign} alt: what it shows`"
        )
