"""Commands in a text are run, and what they show is compared."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from harness import proc
from harness.lab import docs, shell
from harness.lab.docs import DocsError
from harness.lab.shell import Hung, Shell


def complaints(tmp_path: Path, block: str) -> list[str]:
    tree = tmp_path / "tree"
    tree.mkdir(parents=True)
    (tree / "note.txt").write_text("hello\n")
    return docs.run_all("x.md", docs.commands("x.md", f"```console\n{block}```\n"), tree)


def test_the_commands_of_a_text() -> None:
    text = (
        "# Title\n```cpp\n$ not this\n```\n"
        "```console\n$ one\nshown\n\nmore\n$ two \\\n  three\n$ four\n> five\n$ 6\n```\n"
        "text\n```console starter\n$ seven\n```\n"
    )
    found = [(c.line, c.text, c.shown, c.starter) for c in docs.commands("x.md", text)]
    assert found == [
        (6, "one", ("shown", "", "more"), False),
        (10, "two \\\n  three", (), False),
        (12, "four\nfive", (), False),
        (14, "6", (), False),
        (18, "seven", (), True),
    ]


@pytest.mark.parametrize(
    "text, reason",
    [
        ("```console\n$ x\n", "x.md:1: this block is never closed"),
        ("```console solved\n$ x\n```\n", "x.md:1: ```console solved: there is"),
        ("```console-x\n$ x\n```\n", "x.md:1: write ```console or"),
        ("```console\nshown\n$ x\n```\n", "x.md:2: output before any command"),
    ],
)
def test_malformed_blocks(text: str, reason: str) -> None:
    with pytest.raises(DocsError, match=reason.replace("`", ".")):
        docs.commands("x.md", text)


@pytest.mark.parametrize(
    "shown, output, same",
    [
        ("a", "a", True), ("a", "b", False), ("", "", True), ("", "a", False), ("a", "", False),
        ("a ... c", "a b c", True), ("a...c", "ac", True), ("a ... c", "a b\nc", False),
        ("a\n...\nd", "a\nb\nc\nd", True), ("a\n...\nd", "a\nd", True), ("a\n...", "a", True),
        ("...", "", True), ("...\nb", "a\nb\nc", False), ("a.c", "abc", False),
        ("a  ", "a", True), ("[1] 4711\na", "a", True), ("a", "a\n[1]+  Done    sleep 1", True),
        ("a", "  compile x.cc\n  link y\na", True), ("", "make: Nothing to be done for 'x'.", True),
        ("a", "compile x\na", False),
    ],
)  # fmt: skip
def test_what_is_shown(shown: str, output: str, same: bool) -> None:
    assert docs.Command(1, "x", tuple(shown.splitlines()), False).matches(output) == same


def test_a_session(tmp_path: Path) -> None:
    block = (
        "$ cat note.txt\nhello\n$ there=1; cd /\n$ echo $there $PWD\n1 /\n"
        "$ cat\n$ echo late & wait\nlate\n$ sleep 60 &\n$ kill %1\n$ jobs\n"
    )
    assert complaints(tmp_path, block) == []


def test_jobs_are_numbered_as_for_somebody_who_types(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shell, "LATE_SECONDS", 0.1)
    begin, again = "$ sleep 60 &\n$ kill %1", "$ sleep 60 &\n$ jobs %1 | cut -c 1-3\n[1]\n"
    assert complaints(tmp_path / "a", f"{begin}; wait\n{again}") == []
    assert complaints(tmp_path / "b", f"{begin}\n$ true\n{again}") == []
    (wrong,) = complaints(tmp_path / "c", f"{begin}\n{again}")
    assert "may get the number 2" in wrong and "`kill %1; wait`" in wrong
    code = "import signal as s; s.signal(15, lambda *_: exit(3)); print(1, flush=True); s.pause()"
    job = f"$ python3 -c '{code}' &\n1\n"
    assert complaints(tmp_path / "d", f"{job}$ kill %1; wait %1; echo $?\n3\n") == []
    wrong = complaints(tmp_path / "f", "$ sleep 60 &\n$ kill %1\n$ wait %1; echo $?\n...\n")
    assert "comes too late" in wrong[0]
    assert complaints(tmp_path / "e", "$ sleep 60 &\n$ kill -9 %1\n$ echo x\nx\n") == []


def test_programs_have_the_usual_descriptors(tmp_path: Path) -> None:
    assert complaints(tmp_path, "$ ls /proc/self/fd\n0\n1\n2\n3\n") == []


def test_the_tree_itself_is_not_touched(tmp_path: Path) -> None:
    assert complaints(tmp_path, "$ echo changed >note.txt\n$ cat note.txt\nchanged\n") == []
    assert (tmp_path / "tree" / "note.txt").read_text() == "hello\n"


def test_what_is_not_as_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shell, "LATE_SECONDS", 0.1)
    block = "$ cat note.txt\nhallo\n$ echo x\n$ no-such-program\n...\n$ true\n"
    wrong = complaints(tmp_path, block)
    assert [each.splitlines()[0] for each in wrong] == [
        "x.md:2: $ cat note.txt", "x.md:4: $ echo x", "x.md:5: $ no-such-program",
    ]  # fmt: skip
    assert wrong[0].splitlines()[1:] == [
        "  the text shows", "    hallo", "  it says (status 0)", "    hello",
    ]  # fmt: skip


@pytest.mark.parametrize("command, reason", [("sleep 60", "not ended"), ("exit", "the shell")])
def test_a_command_without_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, reason: str
) -> None:
    monkeypatch.setattr(shell, "COMMAND_SECONDS", 0.3)
    began = time.monotonic()
    (wrong,) = complaints(tmp_path, f"$ echo one\none\n$ {command}\n$ echo two\ntwo\n")
    assert wrong.startswith(f"x.md:4: $ {command}") and reason in wrong
    assert time.monotonic() - began < 20


@pytest.mark.parametrize("alone", [True, False])
def test_nothing_stays_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, alone: bool
) -> None:
    if not alone:
        monkeypatch.setattr(shell, "isolation", lambda: ())
    mark = f"C10K_LAB_DOCS_TEST={tmp_path}"
    with Shell(tmp_path, dict([mark.split("=", 1)])) as session:
        session.run("sleep 61 & (sleep 62 &) ; echo done", lambda text: "done" in text)
        left = [each.pid for each in proc.all_processes() if proc.environment_has(each.pid, mark)]
        assert len(left) >= 3
    assert not [each for each in proc.all_processes() if proc.environment_has(each.pid, mark)]


def test_every_port_is_free(tmp_path: Path) -> None:
    if not shell.isolation():
        pytest.skip("this machine lets nobody have a network of his own (unshare)")
    with Shell(tmp_path) as session:
        _, output = session.run("ss -Hltn; ip -o -4 address show lo", lambda text: "lo" in text)
    assert "127.0.0.1/8" in output
    assert "LISTEN" not in output


def test_a_hung_shell_is_said_to_be_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shell, "COMMAND_SECONDS", 0.2)
    with Shell(tmp_path) as session, pytest.raises(Hung, match="so far: begun"):
        session.run("echo begun; sleep 60", lambda _: True)
