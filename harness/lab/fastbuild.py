"""The build behind `make watch`: one lab's server in a second, for checking and not for scoring.

What takes the time in an ordinary build is the optimizer, and reading the same headers again and
again. Here the student's files are compiled without the first, and with those headers that they
include kept in precompiled form; all else is taken from the ordinary build.
"""

from __future__ import annotations

import concurrent.futures
import os
import re
import shlex
import subprocess
from collections.abc import Iterable
from pathlib import Path

from harness.lab.labs import KIT, Lab

BUILD_SECONDS = 300.0
_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]+(<[\w./+-]+>|"[\w./+-]+")', re.MULTILINE)
_NOT_HERE = re.compile(r"-O\w*|-g\w*|-MMD|-MP|-D_FORTIFY_SOURCE=\w*")


class FastBuild:
    """Builds `bin_dir`/NN-name. Call `prepare()` once, then `build()` after every change."""

    def __init__(self, lab: Lab, kit: Path = KIT) -> None:
        self.lab = lab
        self._kit = kit
        self._place = kit / "build" / "watch" / lab.name
        self.bin_dir = self._place / "bin"
        named = {kit / name for name in lab.files if name.endswith(".cc")}
        self._sources = sorted(named | set((kit / "stages" / lab.name).glob("*.cc")))
        self._command: list[str] = []
        self._others: list[str] = []  # objects of the ordinary build

    @property
    def own(self) -> set[Path]:
        """The files that `build()` looks after; when another one changes, `prepare()` first."""
        stage = self._kit / "stages" / self.lab.name
        return {*self._sources, *stage.glob("*.hh")}

    @property
    def is_first(self) -> bool:
        """Whether nothing has ever been built in this tree."""
        return not (self._kit / "build" / "flags").exists()

    def prepare(self) -> str:
        """Bring the ordinary build's part up to date; what the compiler said if that fails."""
        common = set(self._kit.glob("common/[nhas]*/*.cc")) - set(self._sources)
        names = sorted(path.relative_to(self._kit).with_suffix(".o") for path in common)
        self._others = [f"build/obj/{name}" for name in names]
        log = self._run(["make", "-s", "--no-print-directory", "build/flags", *self._others])
        if not log:
            flags = shlex.split((self._kit / "build" / "flags").read_text())
            self._command = [word for word in flags if not _NOT_HERE.fullmatch(word)] + ["-O0"]
            self.bin_dir.mkdir(parents=True, exist_ok=True)
        return log

    def build(self) -> str:
        """Compile what has changed, and link; what the compiler said if that fails, else ""."""
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as workers:
            log = "".join(workers.map(self._compile, self._sources))
        if log:
            return log
        objects = [str(self._object(source)) for source in self._sources]
        program = self.bin_dir / self.lab.name
        if program.exists() and not _older(program, map(Path, objects)):
            return ""
        # A new file: the old one may still be running, and cannot be written to then.
        draft = program.with_suffix(".new")
        log = self._run([*self._command, *objects, *self._others, "-o", str(draft)])
        if not log:
            draft.replace(program)
        return log

    def clean_of(self, source: Path) -> None:
        """Forget what was made of one source."""
        self._object(source).unlink(missing_ok=True)

    # --- inside -----------------------------------------------------------------------------

    def _object(self, source: Path) -> Path:
        return self._place / (source.parent.name + "-" + source.stem + ".o")

    def _compile(self, source: Path) -> str:
        made = self._object(source)
        headers = [path for path in self.own if path.suffix == ".hh"]
        if made.exists() and not _older(made, [source, *headers, *self._headers()]):
            return ""
        made.unlink(missing_ok=True)  # whatever happens, an old one is not linked
        header = self._precompiled(source)
        include = ["-include", str(header)] if header else []
        shown = str(source.relative_to(self._kit))
        draft = made.with_suffix(".new")
        log = self._run([*self._command, *include, "-c", shown, "-o", str(draft)])
        if not log:
            draft.replace(made)
        return log

    def _headers(self) -> list[Path]:
        """What everything depends on; the flags, too: with others all is built anew."""
        headers = self._kit.glob("common/*/*.hh")
        mine = [path for path in headers if path.parent.name != "tests"]
        return [self._kit / "build" / "flags", *mine]

    def _precompiled(self, source: Path) -> Path | None:
        """A header with what `source` includes, precompiled; none if that would not pay.

        It must not have more than the source has, or a forgotten #include would go unnoticed here.
        When the source gets another #include, the old one still serves.
        """
        wanted = self._includes(source)
        header = self._object(source).with_suffix(".hh")
        made = header.with_suffix(".hh.gch")
        if not any(word.startswith('"server/') for word in wanted):
            return None
        kept = _INCLUDE.findall(header.read_text()) if header.exists() else []
        fresh = made.exists() and not _older(made, self._headers())
        if fresh and kept and set(kept) <= set(wanted):
            return header
        header.write_text("".join(f"#include {word}\n" for word in wanted))
        made.unlink(missing_ok=True)
        draft = made.with_suffix(".new")
        log = self._run([*self._command, "-x", "c++-header", str(header), "-o", str(draft)])
        if log:
            header.unlink()
            return None  # the compiler will say the same about the source itself, and where
        draft.replace(made)
        return header

    def _includes(self, source: Path) -> list[str]:
        """What it includes of the system and of common/; a stage's own headers change too often."""
        found = _INCLUDE.findall(source.read_text(errors="replace"))
        changing = {f'"{Path(name).relative_to("common")}"' for name in self.lab.files
                    if name.startswith("common/")}  # fmt: skip
        common = self._kit / "common"
        return [
            word for word in found
            if word.startswith("<") or ((common / word[1:-1]).is_file() and word not in changing)
        ]  # fmt: skip

    def _run(self, command: list[str]) -> str:
        """What it said if it failed, else nothing."""
        environment = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MAKELEVEL")}
        try:
            ended = subprocess.run(
                command, cwd=self._kit, env=environment | {"LC_ALL": "C"}, check=False, text=True,
                errors="replace", timeout=BUILD_SECONDS, stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return f"{' '.join(command)}\ndid not end within {BUILD_SECONDS:.0f} s\n"
        return "" if ended.returncode == 0 else ended.stdout or f"{' '.join(command)}\nfailed\n"


def _older(made: Path, than: Iterable[Path]) -> bool:
    when = made.stat().st_mtime_ns
    return any(each.stat().st_mtime_ns > when for each in than)
