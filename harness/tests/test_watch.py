"""`make watch` in a terminal of its own, with broken servers in place of builds; and its build."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import proc
from harness.lab import labs
from harness.lab.fastbuild import FastBuild
from harness.lab.labs import KIT, Lab
from harness.tests.test_judge import lab as small_lab

# What `make watch` runs, but that building is putting the server there that fault.txt names.
DRIVER = """
import sys
from pathlib import Path
from harness.lab import labs, state, watch
from harness.lab.terminal import Terminal
from harness.tests.broken import program
place = Path(sys.argv[1])
fault = place / "fault.txt"

class Build:
    is_first, own = False, {fault}
    bin_dir = place / "bin"
    def __init__(self, lab): self.bin_dir.mkdir(exist_ok=True)
    def prepare(self): return ""
    def build(self):
        if fault.read_text() == "error": return "a.cc:1:1: error: no\\n    1 | x\\n"
        program(place, fault.read_text()).rename(self.bin_dir / "02-thread")
        return ""

watch.FastBuild = Build
watch.snapshot = lambda lab: {fault: (fault.stat().st_mtime_ns, 0)}
state.folder = lambda kit=None: place / ".lab"
lab = labs.load(place / "02-thread" / "lab.toml")
with Terminal() as terminal:
    sys.exit(watch.Watch(lab, terminal).go(once="--once" in sys.argv))
"""


def driver(place: Path, *words: str) -> list[str]:
    small_lab(place)
    (place / "driver.py").write_text(f"import sys\nsys.path.insert(0, {str(KIT)!r})\n{DRIVER}")
    return [sys.executable, str(place / "driver.py"), str(place), *words]


class Watched:
    """`make watch` at work in a pseudo terminal."""

    def __init__(self, place: Path, fault: str) -> None:
        self._place = place
        (place / "fault.txt").write_text(fault)
        command = driver(place)
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.chdir(KIT)
            os.execv(command[0], command)
        self.before = termios.tcgetattr(self.terminal)
        self._text = ""

    def save(self, fault: str) -> None:
        draft = self._place / "fault.new"
        draft.write_text(fault)
        draft.replace(self._place / "fault.txt")

    def key(self, key: str) -> None:
        os.write(self.terminal, key.encode())

    def shows(self, pattern: str, seconds: float = 40) -> str:
        """Wait for `pattern`; what came before and with it is then forgotten."""
        deadline = time.monotonic() + seconds
        while not (found := re.search(pattern, self._text, re.DOTALL)):
            left = deadline - time.monotonic()
            assert left > 0, f"{pattern!r} does not come; there is: {self._text}"
            if select.select([self.terminal], [], [], left)[0]:
                try:
                    data = os.read(self.terminal, 65536)
                except OSError:
                    data = b""
                assert data, f"it ended before {pattern!r} came: {self._text}"
                self._text += data.decode()
        shown, self._text = self._text[: found.end()], self._text[found.end() :]
        return shown

    def processes(self) -> list[int]:
        """What runs in this test's directory, whoever's child it is by now."""
        return [
            each.pid for each in proc.all_processes()
            if str(self._place) in proc.read_text(f"/proc/{each.pid}/cmdline")
        ]  # fmt: skip

    def ends(self) -> int:
        """Read on until the end; the exit status."""
        with contextlib.suppress(OSError):
            while os.read(self.terminal, 65536):
                pass
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


@pytest.fixture
def failing(tmp_path: Path) -> Iterator[Watched]:
    """A watch that shows a failure and waits for what comes."""
    watched = Watched(tmp_path, "wrong-body")
    watched.shows(r":\(.* 2\.2 .*hello, world!.*q quit")
    yield watched
    with contextlib.suppress(ChildProcessError, ProcessLookupError):
        os.kill(watched.pid, signal.SIGKILL)
        os.waitpid(watched.pid, 0)
    os.close(watched.terminal)


def test_saving_brings_a_new_verdict(failing: Watched) -> None:
    failing.save("closes-early")
    assert "body that were announced" in failing.shows(r":\(.* 2\.2 .*q quit")
    failing.save("none")
    failing.shows(r"all its checks pass.*make grade LAB=02.*2 of 2 checks, 100/100.*q quit")
    failing.save("error")
    failing.shows(r"does not build.*a\.cc:1:1: error: no.*1 \| x.*q quit")
    failing.key("r")
    failing.shows("It has to build first")
    failing.save("never-answers")
    failing.shows(r"2\.1 says where")
    failing.save("wrong-body")  # the run under way is given up
    failing.shows(r":\(.* 2\.2 .*hello, world!.*q quit")
    failing.key("q")
    assert failing.ends() == 0
    assert not failing.processes()


def test_keys(failing: Watched) -> None:
    failing.key("h")
    failing.shows(r"1/3 +a nudge")
    failing.key("h")
    failing.shows(r"2/3 +why")
    failing.key("x")
    failing.shows(r"x-ray of the server.*process \d+.*listener.*q quit")
    failing.key("r")
    failing.shows(r":\(.* 2\.2 .*q quit")
    failing.key("n")
    failing.shows(r"No other check fails; 2\.2 still does.*q quit")
    failing.key("a")
    failing.shows(r":\).* 2\.1 .*:\(.* 2\.2 .*q quit")
    failing.key("?")
    failing.shows("q quit")
    failing.key("q")
    assert failing.ends() == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_terminal_is_as_before_and_nothing_is_left(failing: Watched, number: int) -> None:
    """After Ctrl-C and after a kill, too"""
    assert termios.tcgetattr(failing.terminal) != failing.before
    if number == signal.SIGINT:
        failing.key("\x03")
    else:
        os.kill(failing.pid, number)
    settings = os.dup(failing.terminal)
    failing.ends()
    # The last process has left, so the terminal itself still says what it was left with.
    after = termios.tcgetattr(settings)
    os.close(settings)
    assert after == failing.before
    assert not failing.processes()


@pytest.mark.parametrize("fault, status", [("none", 0), ("wrong-body", 1), ("error", 1)])
def test_once_without_a_terminal(tmp_path: Path, fault: str, status: int) -> None:
    (tmp_path / "fault.txt").write_text(fault)
    ended = subprocess.run(
        driver(tmp_path, "--once"), cwd=KIT, stdin=subprocess.DEVNULL, capture_output=True,
        text=True, timeout=60, check=False,
    )  # fmt: skip
    assert ended.returncode == status, ended.stdout + ended.stderr
    assert "\033" not in ended.stdout
    assert "q quit" not in ended.stdout


# --- the build ----------------------------------------------------------------------------------


@pytest.fixture
def tree(tmp_path: Path) -> tuple[Lab, Path]:
    """A kit of one small server, one header of common/, and the ordinary build's flags."""
    files = {
        "Makefile": "build/flags:\n\tmkdir -p build; echo 'g++ -std=c++20 -O2 -Icommon' >$@\n",
        "common/server/run.hh": "#pragma once\n#include <string>\nint run();\n",
        "stages/02-thread/server.cc": '#include "server/run.hh"\nint run() { return 3; }\n'
        "int main() { return run(); }\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    path = tmp_path / "labs" / "02-thread"
    path.mkdir(parents=True)
    small_lab(tmp_path / "labs")
    return labs.find("02", tmp_path), tmp_path


def test_the_build_follows_every_change(tree: tuple[Lab, Path]) -> None:
    lab, kit = tree
    build = FastBuild(lab, kit)
    source, header = kit / "stages/02-thread/server.cc", kit / "common/server/run.hh"
    assert build.prepare() + build.build() == ""
    assert _runs(build) == 3
    made = (build.bin_dir / "02-thread").stat().st_mtime_ns
    assert build.build() == ""
    assert (build.bin_dir / "02-thread").stat().st_mtime_ns == made, "nothing had changed"

    _write(source, source.read_text().replace("return 3", "return 4"))
    assert build.build() == ""
    assert _runs(build) == 4

    _write(source, source.read_text().replace("return 4", "return four"))
    assert "server.cc:2:20: error: 'four' was not declared" in build.build()
    assert "'four'" in build.build(), "an error stays until it is mended"

    _write(header, header.read_text() + "constexpr int four = 40;\n")
    assert build.build() == ""
    assert _runs(build) == 40


def test_a_forgotten_include_is_noticed(tree: tuple[Lab, Path]) -> None:
    lab, kit = tree
    source = kit / "stages/02-thread/server.cc"
    text = source.read_text()
    _write(source, f"#include <vector>\n{text}std::vector<int> numbers;\n")
    build = FastBuild(lab, kit)
    assert build.prepare() + build.build() == ""
    _write(source, f"{text}std::vector<int> numbers;\n")
    assert "error: 'vector' in namespace 'std'" in build.build()


def _write(path: Path, text: str) -> None:
    """With a time of change that is later for certain."""
    path.write_text(text)
    now = time.time_ns() + 2_000_000_000
    newest = max(each.stat().st_mtime_ns for each in path.parents[2].rglob("*") if each.is_file())
    os.utime(path, ns=(now, max(now, newest + 1)))


def _runs(build: FastBuild) -> int:
    return subprocess.run([build.bin_dir / "02-thread"], check=False).returncode
