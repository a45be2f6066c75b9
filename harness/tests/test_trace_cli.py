"""`python3 -m harness.trace`: what it draws, and what it says when it cannot."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from harness import strace
from harness.tests.traced import NAMES, path
from harness.trace import __main__ as cli
from harness.trace import record, recording
from harness.trace.scenarios import HERD, SCENARIOS
from harness.trace.takes import Take

KIT = Path(__file__).parents[2]
SERVER = KIT / "build" / "bin" / "06-epoll-lt"
with_recordings = pytest.mark.skipif(not NAMES, reason="no recordings in slides/traces")
traced = pytest.mark.skipif(
    bool(strace.unavailable()) or not SERVER.exists(), reason="needs strace and 06-epoll-lt"
)
Capture = pytest.CaptureFixture[str]


@with_recordings
def test_one_picture_to_a_file_or_to_standard_output(tmp_path: Path, capsys: Capture) -> None:
    out = tmp_path / "new" / "a.svg"
    assert cli.main(["--draw", str(path("06-epoll-lt")), "--light", "--out", str(out)]) == 0
    text = out.read_text()
    ElementTree.fromstring(text)
    assert "prefers-color-scheme" not in text
    assert cli.main(["--draw", str(path("06-epoll-lt"))]) == 0
    assert "prefers-color-scheme" in capsys.readouterr().out


@with_recordings
def test_to_draw_needs_no_strace_and_is_quick(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "harness.trace", "--draw", path("01-fork")],
        cwd=KIT, env={"PATH": "/nonexistent"}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert not {"harness.server", "harness.trace.record", "harness.trace.page"} & loaded


@with_recordings
def test_a_page_of_recordings(tmp_path: Path, capsys: Capture) -> None:
    out = tmp_path / "page.html"
    files = [str(path(name)) for name in NAMES]
    assert cli.main(["--page", *files, "--out", str(out)]) == 0
    assert out.read_text().count("<figure ") == len(NAMES)
    assert capsys.readouterr().out == f"{out}\n"


@pytest.mark.parametrize(
    "arguments, status, said",
    [
        (["--scenario", "nope"], 2, "no scenario 'nope'; there are queue"),
        (["--stage", "77"], 2, "no stage '77'; there are 00-iterative"),
        (["--server", "x"], 2, "--server PROGRAM and --technique STAGE go together"),
        (["--draw", "/nonexistent.json"], 1, "/nonexistent.json: no recording"),
        (["--page", "/dev/null"], 1, "/dev/null: no recording"),
    ],
)
def test_errors_are_one_line(
    arguments: list[str], status: int, said: str, capsys: Capture
) -> None:
    assert cli.main(arguments) == status
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"trace: {said}")


def test_a_recording_of_another_schema(tmp_path: Path, capsys: Capture) -> None:
    old = tmp_path / "old.json"
    old.write_text(json.dumps({"schema": 0}))
    assert cli.main(["--draw", str(old)]) == 1
    assert "record it again: make trace" in capsys.readouterr().err


@pytest.mark.parametrize(
    "why, remedy",
    [
        ("strace is not installed (make deps)", "apt-get install strace"),
        ("this machine does not allow tracing (ptrace)", "sysctl -w kernel.yama.ptrace_scope=0"),
    ],
)
def test_where_nothing_can_be_traced(
    why: str, remedy: str, monkeypatch: pytest.MonkeyPatch, capsys: Capture, tmp_path: Path
) -> None:
    monkeypatch.setattr(strace, "unavailable", lambda: why)
    assert cli.main(["--out", str(tmp_path / "out")]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"trace: {why}: {remedy}")
    assert not (tmp_path / "out").exists()


@traced
def test_no_server_and_one_that_does_not_start(tmp_path: Path, capsys: Capture) -> None:
    assert cli.main(["--dir", str(tmp_path), "--out", str(tmp_path / "out")]) == 1
    assert f"no server in {tmp_path}/build/bin" in capsys.readouterr().err
    broken = tmp_path / "build" / "bin" / "05-poll"
    broken.parent.mkdir(parents=True)
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    assert cli.main(["--dir", str(tmp_path), "--stage", "05", "--out", str(tmp_path / "o")]) == 1
    assert "trace: 05-poll: it ended instead of getting ready" in capsys.readouterr().err


@traced
def test_a_student_s_build_is_recorded_and_drawn(tmp_path: Path, capsys: Capture) -> None:
    """A level-triggered server that claims edges: all is drawn, and what it is not is said."""
    theirs = tmp_path / "course" / "build" / "bin"
    theirs.mkdir(parents=True)
    shutil.copy(SERVER, theirs / "07-epoll-et")
    out, kept = tmp_path / "out", tmp_path / "kept"
    arguments = ["--dir", str(tmp_path / "course"), "--out", str(out), "--save", str(kept)]
    assert cli.main(arguments) == 0
    said = capsys.readouterr().out
    assert "one loop over epoll, level-triggered" in said
    assert "not what 07-epoll-et stands for" in said
    assert "accepted by" in said
    assert str(out / "index.html") in said
    names = {each.name for each in out.iterdir()}
    assert names == {"07-epoll-et.json", "07-epoll-et.svg", "07-epoll-et.trace.json", "index.html"}
    assert (kept / "07-epoll-et.json").read_bytes() == (out / "07-epoll-et.json").read_bytes()
    again = tmp_path / "again.svg"
    assert cli.main(["--draw", str(kept / "07-epoll-et.json"), "--out", str(again)]) == 0
    assert again.read_bytes() == (out / "07-epoll-et.svg").read_bytes()
    assert recording.load(kept / "07-epoll-et.json").scenario == "queue"


# --- what is asked for --------------------------------------------------------------------------


def test_a_stage_that_is_asked_for_and_has_nothing_to_show_is_not_left_out_silently(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "build" / "bin"
    folder.mkdir(parents=True)
    for name in ("01-fork", "06-epoll-lt"):
        (folder / name).touch()
    monkeypatch.setattr(strace, "unavailable", lambda: "no strace")
    arguments = ["--dir", str(tmp_path), "--scenario", "kill", "--out", str(tmp_path / "out")]
    cli.main([*arguments, "--stage", "01 06"])
    first, *_ = capsys.readouterr().err.splitlines()
    assert first.startswith("trace: 06-epoll-lt: the process that serves A is the whole server")
    assert first.endswith("it is left out")
    cli.main(arguments)
    assert "left out" not in capsys.readouterr().err


def test_a_scenario_with_servers_of_its_own_needs_none_built(
    tmp_path: Path, capsys: Capture
) -> None:
    options = cli._parser().parse_args(["--bin-dir", str(tmp_path), "--scenario", HERD])
    assert len(cli._takes(SCENARIOS[HERD], options)) == 4
    assert not capsys.readouterr().err
    options.stage = "06"
    assert len(cli._takes(SCENARIOS[HERD], options)) == 4
    assert "the stages play no part in it" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words, builds, traces",
    [
        (["STAGE=06"], True, "--bin-dir build/bin"),
        (["STAGE=06", "SANITIZE=address"], True, "--bin-dir build/address/bin"),
        (["SCENARIO=herd"], False, "--scenario herd"),
        (["DIR=a b"], False, '--dir "a b"'),
    ],
)
def test_what_make_builds_is_what_is_traced(words: list[str], builds: bool, traces: str) -> None:
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))}
    done = subprocess.run(
        ["make", "-n", "trace", *words], cwd=KIT, env=environment, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    assert ("--no-print-directory" in done.stdout) == builds
    assert traces in done.stdout


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["--dir", "/nonexistent"], "there is no directory /nonexistent"),
        (["--server", "/nonexistent", "--technique", "06"], "there is no program /nonexistent"),
        (["--server", "/etc", "--technique", "06"], "there is no program /etc"),
    ],
)
def test_what_does_not_exist(arguments: list[str], said: str, capsys: Capture) -> None:
    assert cli.main(arguments) == 2
    assert capsys.readouterr().err == f"trace: {said}\n"


@traced
def test_a_place_that_takes_no_pictures_is_told_before_anything_is_traced(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nothing_is_traced(take: Take) -> None:
        raise AssertionError(f"{take.name} is traced")

    monkeypatch.setattr(record, "record", nothing_is_traced)
    (tmp_path / "file").touch()
    assert cli.main(["--scenario", HERD, "--out", str(tmp_path / "file")]) == 1
    assert capsys.readouterr().err == f"trace: {tmp_path / 'file'}: File exists\n"


@with_recordings
def test_to_draw_needs_nothing_but_python(tmp_path: Path) -> None:
    """Not even pytest, which findings are made with."""
    code = (
        "import sys; sys.modules['pytest'] = None; sys.path.insert(0, sys.argv.pop(1)); "
        "from harness.trace.__main__ import main; sys.exit(main(sys.argv[1:]))"
    )
    for arguments in (["--draw"], ["--page"]):
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", code, str(KIT), *arguments, path("06-epoll-lt"),
             "--out", tmp_path / "made"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, "")
