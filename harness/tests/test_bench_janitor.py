"""A benchmark that is killed leaves nothing behind, and the next one goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness import proc
from harness.bench.janitor import KIT

LIMIT_SECONDS = 60.0  # for anything to happen on a busy machine
MASTER = """
import os, signal, subprocess, sys
from pathlib import Path
from harness.bench import janitor
started = [subprocess.Popen(["sh", "-c", "sleep 100 & sleep 100"], start_new_session=True,
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
           for _ in range(2)]
for each in started:
    janitor.guard_group(each.pid)
for directory in sys.argv[1:]:
    janitor.guard_directory(Path(directory))
janitor.release_group(started[1].pid)
print(*(each.pid for each in started), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def mark(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """In the environment of all that a test starts; ends what is left of it."""
    name = uuid.uuid4().hex
    monkeypatch.setenv("C10K_JANITOR_TEST", name)
    mark = f"C10K_JANITOR_TEST={name}"
    yield mark
    for pid in left(mark):
        if "harness.bench.janitor" not in proc.read_text(f"/proc/{pid}/cmdline"):
            os.kill(pid, signal.SIGKILL)
    until(lambda: not left(mark), "a guardian has not ended")


def left(mark: str) -> list[int]:
    me = os.getpid()
    alive = [each.pid for each in proc.all_processes() if each.state not in "ZX"]
    return [pid for pid in alive if pid != me and proc.environment_has(pid, mark)]


def until(what: Callable[[], object], why: str) -> None:
    deadline = time.monotonic() + LIMIT_SECONDS
    while not what():
        assert time.monotonic() < deadline, why
        time.sleep(0.01)


def cgroups(pid: int) -> list[Path]:
    return sorted(Path("/sys/fs/cgroup").rglob(f"c10k-bench-{pid}-*"))


def test_a_guardian_ends_what_was_not_taken_back(tmp_path: Path, mark: str) -> None:
    directory = tmp_path / "state"
    (directory / "deep").mkdir(parents=True)
    command = [sys.executable, "-c", MASTER, str(directory)]
    said = subprocess.run(command, cwd=KIT, capture_output=True, text=True)
    assert said.returncode == -signal.SIGKILL, said.stderr
    guarded, released = map(int, said.stdout.split())
    until(lambda: not directory.exists(), "the directory is still there")
    assert not [pid for pid in left(mark) if os.getpgid(pid) == guarded]
    assert released in left(mark)
    os.killpg(released, signal.SIGKILL)
    until(lambda: not left(mark), "the guardian has not ended")


def bench(tmp_path: Path, *arguments: str) -> subprocess.Popen[str]:
    programs = Path(KIT, "build", "bin")
    if not (programs / "06-epoll-lt").exists() or not (programs / "crowd").exists():
        pytest.skip("build/bin has no server and client to measure with: make")
    return subprocess.Popen(
        [sys.executable, "-m", "harness.bench", "--full", "--alone", "--plain", "--stage", "06",
         "--rounds", "1", "--bin-dir", str(programs), "--out", str(tmp_path / "out"), *arguments],
        cwd=KIT,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )  # fmt: skip


def test_a_killed_run_leaves_nothing_and_goes_on(tmp_path: Path, mark: str) -> None:
    loads = ["--load", "hello-1 close-100"]
    first = bench(tmp_path, *loads)
    assert first.stdout
    for line in first.stdout:
        if "close-100: round 1" in line:
            break
    assert first.poll() is None, "it ended by itself"
    assert len(left(mark)) >= 3  # it, its guardian, the server, and perhaps a client
    first.kill()
    first.wait()
    first.stdout.close()
    until(lambda: not left(mark), "processes are left")
    until(lambda: not cgroups(first.pid), "control groups are left")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    (part,) = (tmp_path / "out" / "full").glob("*/hello-1.json")
    kept = json.loads(part.read_text())["cells"][0]["rounds"]

    second = bench(tmp_path, *loads)
    said, _ = second.communicate(timeout=LIMIT_SECONDS)
    assert second.returncode == 0, said
    assert "there is already: hello-1" in said
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    rounds = {cell["load"]: cell["rounds"] for cell in results["cells"]}
    assert rounds["hello-1"] == kept
    assert rounds["close-100"][0]["requests"] > 0
    assert not list((tmp_path / "out" / "full").iterdir())
    assert not left(mark)
    assert not cgroups(second.pid)


def test_a_run_of_something_else_says_why_it_begins_anew(tmp_path: Path, mark: str) -> None:
    first = bench(tmp_path, "--load", "hello-1 close-100")
    assert first.stdout
    for line in first.stdout:
        if "hello-1: round 1" in line:
            break
    first.terminate()  # in the middle, but politely
    first.communicate(timeout=LIMIT_SECONDS)
    assert first.returncode == 128 + signal.SIGTERM
    assert not left(mark)

    second = bench(tmp_path, "--load", "hello-1")
    said, _ = second.communicate(timeout=LIMIT_SECONDS)
    assert second.returncode == 0, said
    assert "is unfinished and not gone on with: other loads" in said
