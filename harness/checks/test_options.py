"""Options: what every server understands, and what it refuses with a sentence."""

from __future__ import annotations

import pytest

from harness import stages
from harness.findings import expect, story
from harness.fixtures import Starter

COMMON = (
    "host", "port", "root", "backlog", "max-connections", "idle-timeout", "header-timeout",
    "io-timeout", "drain-timeout", "max-body", "access-log", "version", "help",
)  # fmt: skip
REFUSED_BY = {
    "--workers": set(stages.MODELS) - {stages.POOL, stages.HANDOVER},
    "--queue": set(stages.MODELS) - {stages.POOL},
    "--max-connections": {stages.ITERATIVE, stages.POOL},  # its workers and queue bound it
}


@story(
    expected="exit status 0, and every option with a word about it",
    hint="--help is the page that people read.",
    try_it="build/bin/NN-name --help",
)
def test_help(start: Starter) -> None:
    """--help names every option"""
    status, lines = start.fails("--help")
    text = "\n".join(lines)
    expect(status == 0, f"exit status {status}")
    for option in COMMON:
        if start.target.stage.model not in REFUSED_BY.get(f"--{option}", set()):
            expect(f"--{option}" in text, f"--{option} is not mentioned")


@story(
    expected="exit status 0 and one line",
    hint="Bug reports begin with a version.",
    try_it="build/bin/NN-name --version",
)
def test_version(start: Starter) -> None:
    """--version"""
    status, lines = start.fails("--version")
    expect(status == 0 and len(lines) == 1, f"exit status {status}; {lines}")


@pytest.mark.parametrize("option", REFUSED_BY)
@story(
    expected="exit status 2 and one sentence that names the option and the stage",
    hint="An option that is silently ignored makes people believe that it works.",
    try_it="build/bin/NN-name --queue 5",
)
def test_option_without_meaning(start: Starter, option: str) -> None:
    """an option that means nothing to a stage is refused"""
    stage = start.target.stage
    if stage.model not in REFUSED_BY[option]:
        server = start(**{option.strip("-").replace("-", "_"): 5})
        expect(server.get("/hello").status == 200, f"with {option} 5 it does not serve")
        return
    status, lines = start.fails(option, "5")
    expect(status == 2, f"exit status {status}; {lines}")
    expect(len(lines) == 1, f"{len(lines)} lines: {lines}")
    expect(option in lines[0] and stage.name in lines[0], f"it says: {lines[0]}")


@pytest.mark.parametrize(
    "words",
    [["--nonsense"], ["stray"], ["--port"], ["--port", "many"], ["--port", "65536"],
     ["--port", "-1"], ["--idle-timeout", "soon"], ["--idle-timeout", "-1"],
     ["--max-body", "1x"], ["--backlog", "0x"], ["--host", "not an address"]],
    ids=" ".join,
)  # fmt: skip
@story(
    expected="exit status 2 and a word about what is wrong",
    hint="A typing error must not start a server with other settings than its user thinks.",
    try_it="build/bin/NN-name --port many; echo $?",
)
def test_wrong_usage(start: Starter, words: list[str]) -> None:
    """wrong usage ends with exit status 2"""
    status, lines = start.runs(*words) if "--port" in words else start.fails(*words)
    allowed = (1, 2) if "--host" in words else (2,)
    expect(status in allowed, f"exit status {status}; {lines}")
    expect(lines, "it says nothing")


@story(
    expected="exit status 1 or 2 and one line that names the directory",
    hint="Find out at the start, not at the first request.",
    try_it="build/bin/NN-name --root /nowhere",
)
def test_root_that_is_not_there(start: Starter) -> None:
    """a root that does not exist is refused at the start"""
    status, lines = start.fails("--root", "/nowhere/at/all")
    expect(status in (1, 2), f"exit status {status}; {lines}")
    expect("/nowhere/at/all" in " ".join(lines), f"it says {lines}")
