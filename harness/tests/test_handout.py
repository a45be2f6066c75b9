"""The student's repository: what is in it, what is not, and that it is always the same.

The list of its files is in handout.files; `python3 -m harness.lab handout --list` prints it.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from harness.lab import handout, markers
from harness.lab.handout import Handout, HandoutError
from harness.lab.labs import KIT
from harness.tests import small_kit
from harness.tests.small_kit import write

GOLDEN = Path(__file__).parent / "handout.files"


@pytest.fixture
def kit(tmp_path: Path) -> Path:
    return small_kit.make(tmp_path / "kit")


def everything(folder: Path) -> dict[str, tuple[int, bytes]]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {
        path.relative_to(folder).as_posix(): (stat.S_IMODE(path.stat().st_mode), path.read_bytes())
        for path in files
    }


def test_what_is_in_it(kit: Path, tmp_path: Path) -> None:
    handout.write(handout.make(0, kit), tmp_path / "out")
    assert sorted(everything(tmp_path / "out")) == [
        ".gitignore", ".handout", ".starter/stages/04-select/server.cc", "LICENSE", "Makefile",
        "README.md", "common/net/fd.hh", "harness/lab/grade.py", "harness/say.py",
        "labs/04-select/README.md", "labs/04-select/lab.toml", "labs/report.md", "setup/deps.sh",
        "stages/04-select/README.md", "stages/04-select/server.cc",
    ]  # fmt: skip
    assert (tmp_path / "out/README.md").read_text() == "# Hello\n"
    assert (tmp_path / "out/common/net/fd.hh").read_text() == "int fd;\n"
    assert "(void)client;" in (tmp_path / "out/stages/04-select/server.cc").read_text()


def test_modes_are_always_the_same(kit: Path, tmp_path: Path) -> None:
    old = os.umask(0o077)
    try:
        handout.write(handout.make(0, kit), tmp_path / "out")
    finally:
        os.umask(old)
    modes = {path: mode for path, (mode, _) in everything(tmp_path / "out").items()}
    assert modes.pop("setup/deps.sh") == 0o755
    assert set(modes.values()) == {0o644}


def test_the_sums_are_those_of_the_files(kit: Path, tmp_path: Path) -> None:
    handout.write(handout.make(0, kit), tmp_path / "out")
    command = ["sha256sum", "--check", "--quiet", handout.SUMS]
    assert subprocess.run(command, cwd=tmp_path / "out").returncode == 0


def test_all_malformed_files_are_named(kit: Path) -> None:
    write(kit, "common/a.cc", "//@stuff\n")
    write(kit, "harness/b.py", "\n#@end\n")
    with pytest.raises(HandoutError) as caught:
        handout.make(0, kit)
    assert [line.split(": ")[0] for line in str(caught.value).splitlines()] == [
        "common/a.cc:1", "harness/b.py:2",
    ]  # fmt: skip


def test_labs_are_those_that_have_a_stage(kit: Path) -> None:
    write(kit, "common/a.cc", "//@lab 05 x\n1;\n//| 2;\n//@end\n")
    with pytest.raises(HandoutError, match="there is no lab 05: there are 04"):
        handout.make(0, kit)


# --- where it is written ----------------------------------------------------------------------


def test_an_earlier_handout_is_brought_up_to_date(kit: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    handout.write(handout.make(0, kit), out)
    write(out, "build/bin/x", "built")
    (kit / "harness/say.py").write_text("say = 2\n")
    (kit / "common/net/fd.hh").unlink()
    handout.write(handout.make(0, kit), out)
    assert (out / "harness/say.py").read_text() == "say = 2\n"
    assert not (out / "common").exists()
    assert (out / "build/bin/x").read_text() == "built"
    fresh = tmp_path / "fresh"
    handout.write(handout.make(0, kit), fresh)
    shutil.rmtree(out / "build")
    assert everything(out) == everything(fresh)


def test_nothing_else_is_overwritten(kit: Path, tmp_path: Path) -> None:
    write(tmp_path / "mine", "thesis.txt", "years of work")
    with pytest.raises(HandoutError, match="not empty and is no earlier handout"):
        handout.write(handout.make(0, kit), tmp_path / "mine")
    assert list(everything(tmp_path / "mine")) == ["thesis.txt"]


@pytest.mark.parametrize("path", ["stages/04-select/server.cc", "harness/new.py"])
def test_nor_what_somebody_has_written_in_a_handout(kit: Path, tmp_path: Path, path: str) -> None:
    out = tmp_path / "out"
    handout.write(handout.make(0, kit), out)
    write(out, path, "mine")
    write(kit, "harness/new.py", "ours\n")
    with pytest.raises(HandoutError, match=f"(?s)worked here.*{path}"):
        handout.write(handout.make(0, kit), out)
    assert (out / path).read_text() == "mine"


def test_a_file_in_the_way(kit: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(HandoutError, match="is a file"):
        handout.write(handout.make(0, kit), tmp_path / "file")


# --- this tree --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def ours() -> Handout:
    return handout.make()


def test_its_files(ours: Handout) -> None:
    renew = "python3 -m harness.lab handout --list >harness/tests/handout.files"
    assert list(ours.files) == GOLDEN.read_text().splitlines(), f"if that is meant: {renew}"


@pytest.mark.parametrize("first_open", [0, 1, 5, 8, 9])
def test_it_leaks_nothing(first_open: int) -> None:
    handout.check(handout.make(first_open))


def test_it_is_always_the_same(ours: Handout, tmp_path: Path) -> None:
    """With git and without, and wherever the tree is."""
    for content in ours.files.values():
        if content.source:
            copy = tmp_path / "copy" / content.source
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(KIT / content.source, copy)
    again = handout.make(0, tmp_path / "copy")
    assert {p: (c.data, c.executable) for p, c in again.files.items()} == {
        p: (c.data, c.executable) for p, c in ours.files.items()
    }


def test_nothing_in_it_is_for_staff(ours: Handout) -> None:
    for path, content in ours.files.items():
        assert not re.search(r"mutants|/tests/|^\.ci|selftest|harness/lab/(handout|markers)", path)
        assert str(KIT).encode() not in content.data, f"{path} names a folder of this machine"


def test_what_lab_toml_says_students_may_change(ours: Handout) -> None:
    for path in sorted(KIT.glob("labs/[0-9][0-9]-*/lab.toml")):
        listed = tomllib.loads(path.read_text())["files"]
        marked = {file for file, piece in ours.holes if piece.lab == path.parent.name[:2]}
        assert sorted(listed) == sorted(marked), f"{path}: files"


def test_holes_are_of_a_size_to_be_filled(ours: Handout) -> None:
    assert {piece.lab for _, piece in ours.holes} == {f"{number:02d}" for number in range(9)}
    for path, piece in ours.holes:
        assert len([line for _, line in piece.lines if line.strip()]) <= 45, f"{path}:{piece.line}"


def test_every_hole_says_that_it_is_one(ours: Handout) -> None:
    """What is not written ends at once with a hint, and names its lab."""
    for path, piece in ours.holes:
        if markers.comment(path) == "//" and path.endswith(".cc"):
            stub = " ".join(piece.stub)
            said = re.search(r'not_implemented\(\s*"lab (\d\d): [^"]+",\s*"[^"]{10,}', stub)
            assert said, f"{path}:{piece.line}: the stub does not call lab::not_implemented()"
            assert said[1] == piece.lab, f"{path}:{piece.line}: the stub names another lab"


def test_earlier_labs_arrive_solved() -> None:
    fifth = handout.make(5)
    text = fifth.files["stages/04-select/server.cc"].data.decode()
    assert "TODO" not in text and "not_implemented" not in text
    assert "TODO(lab 05)" in fifth.files["stages/05-poll/server.cc"].data.decode()
    last = handout.make(9)
    assert not last.holes


# --- it stands alone --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tree(ours: Handout, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("handout")
    handout.write(ours, folder)
    return folder


def run(tree: Path, *command: str) -> str:
    outer = ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")
    environment = {name: value for name, value in os.environ.items() if name not in outer}
    done = subprocess.run(
        command, cwd=tree, env=environment, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert done.returncode == 0, f"{command}: {done.stdout}"
    return done.stdout


def test_its_makefile_knows_all_it_names(tree: Path) -> None:
    targets = {line.split()[1] for line in run(tree, "make", "help").splitlines()}
    assert {"grade", "watch", "next", "hint", "try", "reset", "run", "bench"} <= targets
    assert not {"handout", "selftest", "mutants", "docs", "unit", "fuzz", "lint"} & targets
    assert "unit-tests" not in run(tree, "make", "-n", "all", "check00", "check08")


def test_its_texts_name_targets_that_there_are(tree: Path) -> None:
    makefile = (tree / "Makefile").read_text()
    known = {"check%02d" % number for number in range(9)}
    known |= set(re.findall(r"^([a-z][a-z_]*):.*## ", makefile, re.M))
    for path in [*tree.rglob("*.md"), *tree.rglob("*.toml"), *tree.glob("setup/*")]:
        for target in re.findall(r"(?:^ {4}|`|\$ )make ([a-z]+\d*)\b(?!-)", path.read_text(), re.M):
            assert target in known, f"{path.relative_to(tree)}: make {target}"


@pytest.mark.parametrize(
    "command", ["grade", "check", "watch", "next", "hint", "try", "reset", "predict", "report"]
)
def test_its_commands_need_nothing_that_stayed_here(tree: Path, command: str) -> None:
    assert "usage:" in run(tree, sys.executable, "-m", "harness.lab", command, "--help")


def test_its_checks_can_be_collected(tree: Path) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "--collect-only", "harness/checks"]
    assert "error" not in run(tree, *command).splitlines()[-1]


def test_its_links_lead_somewhere(tree: Path) -> None:
    for page in [tree / "README.md", *tree.glob("labs/**/*.md"), *tree.glob("stages/*/*.md")]:
        for link in re.findall(r"\]\((?!https?:|#)([^)#\s]+)", page.read_text()):
            assert (page.parent / link).exists(), f"{page.relative_to(tree)}: {link}"
