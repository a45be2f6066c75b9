"""`watch`: builds and checks a lab again whenever a file is saved, and shows the first failure.

What failed last time is judged first, and in a hurry: with deadlines so short that "nothing comes"
is said within a second. A second, patient look then confirms that, or takes it back. This, a build
without the optimizer and a pytest that has everything loaded make the time from saving to the
verdict short. The score is `make grade`'s.
"""

from __future__ import annotations

import argparse
import select
import sys
import time
from pathlib import Path

from harness.lab import hint, result, show, state
from harness.lab.fastbuild import FastBuild
from harness.lab.judge import LAB_SECONDS, first_error
from harness.lab.labs import KIT, Lab
from harness.lab.result import PASSED, SKIPPED, Result, Verdict
from harness.lab.runner import Runner
from harness.lab.terminal import Terminal

LOOK_SECONDS = 0.03  # how often the files are looked at
HURRY = 0.12  # of the ordinary deadlines, however slow the machine
WHOLE, ALL, HURRIED, PATIENT, ONE, OTHERS, XRAY = range(7)  # what a run is for
KEYS = "n next   h hint   x x-ray   r repeat   a all   q quit"

Snapshot = dict[Path, tuple[int, int]]


def options(parser: argparse.ArgumentParser) -> None:
    state.lab_option(parser)
    parser.add_argument("--once", action="store_true", help="one verdict, and out")


def run(arguments: argparse.Namespace) -> int:
    """Watch until q or Ctrl-C. With --once the status is 0 when all checks pass, else 1."""
    with Terminal() as terminal:
        return Watch(state.chosen(arguments.lab), terminal).go(once=arguments.once)


def snapshot(lab: Lab, kit: Path = KIT) -> Snapshot:
    """When each file that the server is made of was written last, and its size."""
    stage = kit / "stages" / lab.name
    paths = {*(kit / name for name in lab.files), *stage.glob("*.cc"), *stage.glob("*.hh"),
             *kit.glob("common/*/*.cc"), *kit.glob("common/*/*.hh")}  # fmt: skip
    found = {}
    for path in paths:
        try:
            status = path.stat()
        except OSError:
            continue  # an editor may be replacing it just now
        found[path] = (status.st_mtime_ns, status.st_size)
    return found


class Watch:
    """One lab under watch."""

    def __init__(self, lab: Lab, terminal: Terminal) -> None:
        self._lab = lab
        self._terminal = terminal
        self._build = FastBuild(lab)
        self._known: dict[str, Verdict] = {}  # of this session
        self._shown: Verdict | None = None  # the failure on the screen
        self._first = ""  # the check to judge first
        self._mode = WHOLE
        self._began = 0.0
        self._broken = False  # the last build failed

    def go(self, *, once: bool) -> int:
        before = state.last_result(self._lab)
        failed = state.first_failure(before)
        self._first = failed.id if failed else ""
        self._runner = Runner(self._lab, self._build.bin_dir)  # loads while we build
        try:
            seen = snapshot(self._lab)
            self._rebuild(prepare=True)
            while not (once and not self._runner.busy):
                if self._look(keys=not once) == "q":
                    return 0
                now = snapshot(self._lab)
                if now != seen and not once:
                    now = self._settled(now)
                    changed = {path for path in {*now, *seen} if now.get(path) != seen.get(path)}
                    seen = now
                    self._rebuild(prepare=not changed <= self._build.own)
        except KeyboardInterrupt:
            return 0
        finally:
            self._runner.close()  # first: the terminal may be gone
            self._terminal.status("")
        return 0 if not self._broken and self._result().full else 1

    def _settled(self, now: Snapshot) -> Snapshot:
        """Some editors write a file in two steps: wait until nothing changes any more."""
        while True:
            time.sleep(0.02)
            later = snapshot(self._lab)
            if later == now:
                return now
            now = later

    def _rebuild(self, *, prepare: bool = False) -> None:
        self._began = time.monotonic()
        self._runner.stop()
        self._terminal.clear()
        self._terminal.say(show.heading(self._lab))
        once = ", all that the stages share first: this once takes its time"
        self._terminal.status(f"building{once if self._build.is_first else ''} ...")
        log = (self._build.prepare() if prepare else "") or self._build.build()
        self._broken = bool(log)
        if log:
            failed = Result(self._lab.name, self._lab.title, (), 0, 1, first_error(log), log)
            self._terminal.say(show.build_error(failed))
            self._footer()
        elif self._first:
            self._ask(HURRIED, self._first)
        else:
            self._ask(WHOLE)

    def _ask(self, mode: int, check: str = "") -> None:
        """Begin a run; `check` is the one it is about, if it is about one."""
        self._mode, self._check, self._told = mode, check, False
        self._deadline = time.monotonic() + LAB_SECONDS * self._runner.patience
        about = {WHOLE: {}, ALL: {"all": True}, OTHERS: {"after": check}}.get(mode, {"only": check})
        self._runner.ask(
            **about, **({"hurry": HURRY} if mode == HURRIED else {}), xray=mode == XRAY
        )
        again = "a second, patient look ..." if mode == PATIENT else "checking ..."
        self._terminal.status(again)

    # --- one turn ---------------------------------------------------------------------------

    def _look(self, *, keys: bool) -> str:
        """Wait a moment for verdicts and keys; "q" when it is time to go."""
        sources: list[object] = [self._runner]
        if keys and self._terminal.has_keys:
            sources.append(sys.stdin)
        ready, _, _ = select.select(sources, [], [], LOOK_SECONDS)
        if self._runner in ready:
            for kind, what in self._runner.events():
                self._on_event(kind, what)
        if self._runner.busy and time.monotonic() > self._deadline:
            self._terminal.say("\n:( the checks take too long: this run is given up\n")
            self._runner.stop()
            self._footer()
        if sys.stdin in ready:
            typed = self._terminal.keys()
            for key in typed or "q":
                if self._on_key(key) == "q":
                    return "q"
        return ""

    def _on_event(self, kind: str, what: object) -> None:
        if kind == "began" and self._mode != PATIENT:
            check = self._lab.check(str(what))
            self._terminal.status(f"{self._bar()}  {check.id} {check.title} ...")
        if isinstance(what, Verdict):
            self._on_verdict(what)
        if kind == "over":
            self._over()

    def _on_verdict(self, verdict: Verdict) -> None:
        if self._mode == XRAY:
            seen = verdict.rows.get("x-ray", "it passes now: there is nothing to look at")
            self._terminal.say(f"\nx-ray of the server at the moment of the failure\n{seen}\n")
            return
        self._known[verdict.id] = verdict
        if self._mode == ALL:
            self._terminal.say(show.line(verdict))
        elif self._mode == ONE and verdict.status in (PASSED, SKIPPED):
            self._terminal.say(f"\n{show.screen(verdict)}\n")
        elif verdict.status not in (PASSED, SKIPPED) and self._mode != PATIENT:
            self._show(verdict)
            self._footer(f"after {time.monotonic() - self._began:.1f} s" if self._began else "")
        if verdict.status not in (PASSED, SKIPPED):
            self._began = 0.0

    def _show(self, verdict: Verdict) -> None:
        self._shown, self._first = verdict, verdict.id
        self._terminal.say(f"\n{show.screen(verdict)}\n")

    def _over(self) -> None:
        """A run has come to its end: keep what it found, and see what follows from it."""
        found = self._result()
        result.save(found, state.results_path(self._lab))
        if self._mode in (HURRIED, PATIENT):
            self._after_a_look()
            return
        failure = found.first_failure()
        if self._mode == ALL and failure:
            self._show(failure)
        if self._mode == OTHERS and failure and failure.id == self._check:
            self._terminal.say(f"\nNo other check fails; {failure.id} still does.\n")
        if found.full and self._mode != XRAY:
            self._shown, self._first = None, ""
            score = f"make grade LAB={self._lab.number}"
            self._terminal.say(f"\n:) all its checks pass. The score: {score}\n")
        if not self._told:
            self._footer()

    def _after_a_look(self) -> None:
        if self._passes(self._check):
            if self._mode == PATIENT:
                self._terminal.say(f"{self._check} passes after all, when given more time")
            self._shown, self._first = None, ""
            self._ask(WHOLE)
        elif self._mode == HURRIED:
            self._ask(PATIENT, self._check)
        else:
            self._terminal.status("")

    def _passes(self, check_id: str) -> bool:
        return check_id in self._known and self._known[check_id].status == PASSED

    def _result(self) -> Result:
        return state.merged(
            self._lab, state.last_result(self._lab), self._known, self._runner.patience
        )

    # --- keys -------------------------------------------------------------------------------

    def _on_key(self, key: str) -> str:
        if key == "q":
            return "q"
        if key == "h":
            check = self._shown.id if self._shown else ""
            self._terminal.say(f"\n{hint.next_hint(self._lab, check)}\n")
        elif key in "nxra" and self._broken:
            self._terminal.say("It has to build first.")
        elif key == "n" and self._shown:
            self._ask(OTHERS, self._shown.id)
        elif key == "x" and self._shown:
            self._ask(XRAY, self._shown.id)
        elif key == "r" and self._shown:
            self._ask(ONE, self._shown.id)
        elif key in "nr":
            self._ask(WHOLE)
        elif key == "a":
            self._terminal.say("")
            self._ask(ALL)
        else:
            self._footer()
        return ""

    def _bar(self) -> str:
        return show.bar(sum(map(self._passes, self._known)), len(self._lab.checks))

    def _footer(self, more: str = "") -> None:
        self._told = True
        found = self._result()
        passed = sum(verdict.status == PASSED for verdict in found.verdicts)
        more = f", {more}" if more else ""
        self._terminal.say(
            f"{show.bar(passed, len(self._lab.checks))} {passed} of {len(self._lab.checks)} "
            f"checks, {found.points}/{found.max_points} points{more}"
        )
        if self._terminal.has_keys:
            self._terminal.say(KEYS)
