"""Small programs and the grader's words on slides; what may not be written into a deck."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from harness.slides import build, mistakes
from harness.slides.code import EXAMPLES
from harness.slides.deck import DECKS, KIT, parse
from harness.tests.lecture import fence, filled, refused, small

PROGRAM = """// What it is.

#include <x.h>
int twice(int n) {
  return 2 * n;
}
int main() {}
"""
SCREEN = """:( 1.2  title                                                             0/5
   case      a first line that goes on
             in a second
   sent      client 4: "GET"
             client 5: "PUT"
   try it    make try LAB=01
             {long}
"""


@pytest.fixture
def kit(tmp_path: Path) -> Path:
    tree = small(tmp_path)
    (tree / EXAMPLES).mkdir(parents=True)
    (tree / f"{EXAMPLES}a.c").write_text(PROGRAM)
    return tree


def test_a_whole_example_a_part_of_it_and_a_region(kit: Path) -> None:
    whole = filled(kit, fence(f"c {EXAMPLES}a.c"))
    assert '```c {"at": "slides/examples/a.c"}\n// What it is.' in whole
    part = filled(kit, fence(f'cc {EXAMPLES}a.c from="<x.h>" mark=main'))
    assert '```cpp {"at": "slides/examples/a.c", "mark": [5]}\n#include' in part
    region = filled(kit, fence(f"c {EXAMPLES}a.c twice"))
    assert "int twice" in region and "main" not in region and f"{EXAMPLES}a.c:4" in region


@pytest.mark.parametrize("language", ["c", "cc", "cpp"])
def test_no_program_is_written_into_a_deck(kit: Path, language: str) -> None:
    assert "comes from the tree" in refused(kit, f"```{language}\nint x;\n```")
    assert "a fence of what?" in refused(kit, "```python\nx = 1\n```")


def test_only_an_example_is_shown_whole(kit: Path) -> None:
    assert "which region?" in refused(kit, fence("cpp stages/06-epoll-lt/server.cc"))
    assert "slides/examples/b.c" in refused(kit, fence(f"c {EXAMPLES}b.c"))


def test_a_message_of_the_grader(kit: Path) -> None:
    name = "06/interest-in-writing-always"
    text = filled(kit, fence(f"message {name}"))
    assert "\n:( 6.2  sleeps while nothing happens" in text and "   expected  it sleeps" in text
    assert "there is no `screen` of 06/gone" in refused(kit, fence("message 06/gone"))
    (kit / "labs/messages.json").write_text(json.dumps({name: {"actual": "x"}}))
    assert "there is no `screen`" in refused(kit, fence(f"message {name}"))


def test_a_message_is_folded_to_the_slide() -> None:
    command = "curl " + " ".join(["http://127.0.0.1:8080/hello"] * 4)
    lines = mistakes.folded(SCREEN.format(long=command)).splitlines()
    assert lines[1] == "   case      a first line that goes on in a second"
    assert lines[2:4] == ['   sent      client 4: "GET"', '             client 5: "PUT"']
    assert max(map(len, lines)) <= mistakes.COLUMNS
    assert " ".join(line.strip() for line in lines[5:]) == command


def test_a_client_alone_needs_no_number(kit: Path) -> None:
    def shown(actual: str) -> str:
        name = "06/hang-up-ignored"
        (kit / "labs/messages.json").write_text(json.dumps({name: {"actual": actual}}))
        text = filled(kit, fence("mutant-answer 06-epoll-lt hang-up-ignored"))
        return re.search('<p class="grader">(.*)</p>', text)[1]

    assert shown("client 831 waited 9 s") == "a client waited 9 s"
    two = "client 3 waited while client 14 was served"
    assert shown(two) == two


def test_a_terminal_of_another_machine_is_marked(kit: Path) -> None:
    text = filled(kit, "```console elsewhere\n$ gdb\n```\n\n```console\n$ ls\n```")
    assert '```console {"at": "as printed on another machine"}\n$ gdb' in text
    assert "```console {}\n$ ls" in text
    assert "there is ```console elsewhere" in refused(kit, "```console there\n$ gdb\n```")


def test_a_row_of_the_list() -> None:
    head = "---\ntitle: 06 a & b\nstage: 06-epoll-lt\ndescription: about\nminutes: 25\n---\n"
    styles = build.looks(KIT)
    row = build.row(parse(f"{DECKS}/06.md", f"{head}# A\n\n---\n\n# B\n"), styles)
    assert 'href="06.html"><b>06 a &amp; b</b>' in row and "2 slides, 25 minutes" in row
    assert "--stage: #2f97d4" in row and "about" in row
    row = build.row(parse("x.md", "---\ntitle: x\n---\n# A\n"), styles)
    assert "1 slides</small>" not in row and "1 slide</small>" in row


@pytest.mark.parametrize("path", sorted((KIT / EXAMPLES).iterdir()), ids=lambda p: p.name)
def test_the_examples_compile(path: Path, tmp_path: Path) -> None:
    compiler = {".c": ["cc"], ".cc": ["c++", "-std=c++20", "-pthread"]}[path.suffix]
    done = subprocess.run([*compiler, "-w", "-o", tmp_path / "program", path], capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
