"""What students are to find out is found wherever a handout shows it."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.lab import handout
from harness.lab.handout import HandoutError
from harness.tests import small_kit
from harness.tests.small_kit import ONE_LINE, SERVER, STAFF, write


@pytest.fixture
def kit(tmp_path: Path) -> Path:
    return small_kit.make(tmp_path / "kit")


def leaks_of(kit: Path, first_open: int = 0) -> str:
    try:
        handout.check(handout.make(first_open, kit), kit)
    except HandoutError as error:
        return str(error)
    return ""


def test_a_sound_tree_shows_nothing(kit: Path) -> None:
    assert leaks_of(kit) == ""


@pytest.mark.parametrize(
    "path, text",
    [
        ("common/net/other.hh", f"int x;\n\n  {ONE_LINE}\n"),
        ("common/net/other.hh", "int x;\n\n" + ONE_LINE.replace(" ", "").replace("&&", "\n&&")),
        ("common/net/other.hh", f"int x;\n\n// {ONE_LINE}\n"),
        ("common/net/other.hh", f"int x;\n\n{ONE_LINE.replace('&&', '// why' + chr(10) + '&&')}\n"),
        ("labs/04-select/README.md", f"# Lab 04\n\n    {ONE_LINE}\n"),
        ("labs/04-select/README.md", f"# Lab 04\n\nWrite `{ONE_LINE}` there.\n"),
        ("labs/04-select/lab.toml", f"title = ''\n\nhints = ['{ONE_LINE}']\n"),
        ("harness/other.py", f"x = 1\n\n# {ONE_LINE}\n"),
        ("stages/04-select/notes.txt", f"x\n\n{ONE_LINE}\n"),
    ],
)
def test_a_line_of_a_solution_is_found(kit: Path, path: str, text: str) -> None:
    write(kit, path, text)
    said = leaks_of(kit)
    assert f"\n{path}:3: shows the solution of lab 04, stages/04-select/server.cc:5: while" in said
    assert "Put such lines into a block" in said


def test_short_lines_count_in_a_row(kit: Path) -> None:
    hole = "//@lab 04 x\nset(a, 1);\nset(b, 2);\n\nset(c, 3);\n//| x();\n//@end\n"
    write(kit, "common/hole.cc", hole)
    write(kit, "common/given.cc", "set(a, 1);\n")
    assert leaks_of(kit) == ""
    write(kit, "common/given.cc", "int x;\nset(a, 1);  // first\nset(b, 2);\nset(c, 3);\n")
    assert "common/given.cc:2: shows the solution of lab 04, common/hole.cc:2: set(a, 1);" in (
        leaks_of(kit)
    )


def test_a_long_part_of_a_line_is_enough(kit: Path) -> None:
    hole = "//@lab 04 x\nif (a(b, c) && d[e] == f(g, h, i) && j) return k;\n//| x();\n//@end\n"
    write(kit, "common/hole.cc", hole)
    write(kit, "common/given.cc", "if (m && d[e] == f(g, h, i) && j) {\n")
    assert leaks_of(kit) == ""
    write(kit, "common/given.cc", "while (b, c) && d[e] == f(g, h, i) && j) {\n")
    assert "common/given.cc:1: shows the solution of lab 04, common/hole.cc:2: if (a" in (
        leaks_of(kit)
    )


def test_a_comment_of_a_solution_is_found(kit: Path) -> None:
    text = "Note that the order matters: an answer may be complete only after the one that was "
    write(kit, "labs/04-select/README.md", text + "begun\nbefore it.\n")
    assert leaks_of(kit) == ""  # other words to begin with, so another sentence
    text = "The order matters: an answer may be complete only\nafter the one that was begun "
    text += "before it.\n"
    write(kit, "labs/04-select/README.md", text)
    assert "labs/04-select/README.md:1: shows the solution of lab 04" in leaks_of(kit)


def test_a_solved_lab_is_no_secret(kit: Path) -> None:
    later = SERVER.replace("@lab 04", "@lab 05").replace("  int x = begin();\n", "")
    write(kit, "stages/05-poll/server.cc", later)
    assert leaks_of(kit) == ""
    assert leaks_of(kit, 5) == ""
    assert leaks_of(kit, 6) == ""


def test_staff_text_is_found(kit: Path) -> None:
    write(kit, "common/net/other.hh", f"int x;\n{STAFF}\n")
    assert "common/net/other.hh:2: shows what is for staff only, common/net/fd.hh:2:" in (
        leaks_of(kit)
    )


def test_a_mutant_is_found(kit: Path) -> None:
    story = "Sends once and forgets the rest, so that whoever reads slowly gets a part of it only."
    write(kit, "labs/04-select/mutants.toml", f'[[mutant]]\nname = "x"\nstory = "{story}"\n')
    assert leaks_of(kit) == ""
    write(kit, "labs/04-select/README.md", f"# Lab\n{story}\n")
    assert "labs/04-select/README.md:2: shows a mutant's story, labs/04-select/mutants.toml:3:" in (
        leaks_of(kit)
    )
