"""pytest's side of a grading: runs one lab's tests in the order of its checks, and reports each
check as soon as it is decided, over a pipe that only the grader reads.

`-p harness.lab.plugin --lab labs/04-select/lab.toml --lab-pipe FD [--lab-only "4.2 4.3"]`
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import clock, findings
from harness.conftest import told
from harness.lab import labs
from harness.lab.labs import Check, Lab
from harness.lab.result import ERROR, FAILED, NOT_IMPLEMENTED, PASSED, SKIPPED

_CRASH = re.compile(r"killed by SIG(SEGV|ABRT|BUS|ILL|FPE)")
_HANGS_SECONDS = 4.0
_VERBOSE_ROWS = ("again",)  # what only makes sense outside a lab


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("c10k-lab", "C10K Lab, grading")
    group.addoption("--lab", default="", help="the lab.toml whose checks are wanted")
    group.addoption("--lab-only", default="", help='only these checks: "4.2 4.3"')
    group.addoption("--lab-pipe", type=int, default=-1, help="where verdicts are written")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--lab"):
        lab = labs.load(Path(config.getoption("--lab")))
        only = config.getoption("--lab-only").split()
        config.pluginmanager.register(Grading(lab, only, config.getoption("--lab-pipe")))


class Grading:
    """One run of one lab."""

    def __init__(self, lab: Lab, only: list[str], pipe: int) -> None:
        self._lab = lab
        self._only = [lab.check(each).id for each in only]
        self._pipe = pipe
        self._of: dict[str, Check] = {}  # by a test's node id
        self._left: dict[str, int] = {}  # tests to come, by the check's id
        self._status: dict[str, str] = {}
        self._rows: dict[str, dict[str, str]] = {}
        self._began: dict[str, float] = {}
        self._hurried = False
        self._ran: set[str] = set()
        self._not_here: dict[str, dict[str, str]] = {}

    # --- which tests ------------------------------------------------------------------------

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        by_name: dict[str, list[pytest.Item]] = {}
        for item in items:
            function = f"{item.path.name}::{getattr(item, 'originalname', item.name)}"
            by_name.setdefault(function, []).append(item)
            by_name.setdefault(f"{function}[{self._case(item)}]", []).append(item)
        chosen = []
        for check in self._wanted():
            mine = [item for test in check.tests for item in self._named(test, check, by_name)]
            self._of |= {item.nodeid: check for item in mine}
            self._left[check.id] = len(mine)
            chosen += mine
        items[:] = chosen

    def _wanted(self) -> list[Check]:
        """The checks that are asked for, and those that they depend on."""
        if not self._only:
            return list(self._lab.checks)
        wanted = set(self._only)
        for check in reversed(self._lab.checks):
            if check.id in wanted:
                wanted |= set(check.depends)
        return [check for check in self._lab.checks if check.id in wanted]

    def _named(
        self, test: str, check: Check, by_name: dict[str, list[pytest.Item]]
    ) -> list[pytest.Item]:
        if not by_name.get(test):
            raise pytest.UsageError(f"{check.id} names a test that is not there: {test}")
        fresh = [item for item in by_name[test] if item.nodeid not in self._of]
        if not fresh:
            raise pytest.UsageError(f"{check.id}: {test} belongs to an earlier check already")
        return fresh

    def _case(self, item: pytest.Item) -> str:
        """A test's parameters without the stage: `first` of `test_range[04-select-first]`."""
        callspec = getattr(item, "callspec", None)
        return callspec.id.replace(self._lab.name, "", 1).strip("-") if callspec else ""

    # --- running them -----------------------------------------------------------------------

    def pytest_sessionstart(self) -> None:
        self._write({"patience": clock.patience(1.0)})

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        check = self._of[item.nodeid]
        if check.id not in self._began:
            self._began[check.id] = time.monotonic()
            self._write({"began": check.id})
        if self._status.get(check.id, PASSED) != PASSED:
            pytest.skip("its check is lost already")
        for each in check.depends:
            if self._status.get(each) in (FAILED, ERROR, SKIPPED):
                self._rows[check.id] = {"actual": f"cannot be judged until {each} passes"}
                self._status[check.id] = SKIPPED
                pytest.skip(f"{each} does not pass")

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Iterator[None]:
        outcome = yield
        report: pytest.TestReport = outcome.get_result()  # type: ignore[attr-defined]
        check = self._of[item.nodeid]
        first = self._status.get(check.id, PASSED) == PASSED
        if first and not report.skipped:
            self._enter(check, item, report)
            self._be_quicker_with_one_that_hangs(report)
        elif first and isinstance(report.longrepr, tuple):  # this machine does not allow it
            why = {"actual": "not here: " + report.longrepr[2].removeprefix("Skipped: ")}
            self._not_here.setdefault(check.id, why)
        if first and report.when == "call" and report.passed:
            self._ran.add(check.id)
        if report.when == "teardown":
            self._left[check.id] -= 1
            if self._left[check.id] == 0:
                self._decide(check)

    def _enter(self, check: Check, item: pytest.Item, report: pytest.TestReport) -> None:
        rows = dict(item.stash.get(told, {}))
        for label in _VERBOSE_ROWS:
            rows.pop(label, None)
        todo = findings.missing(rows.get("actual", "") + "\n" + rows.get("x-ray", ""))
        if todo is not None:
            self._status[check.id] = NOT_IMPLEMENTED
            rows["actual"] = f"{todo.what} is not written yet"
            rows["hint"] = todo.hint
            self._rows[check.id] = rows
        elif report.failed and rows:
            if _CRASH.search(rows.get("x-ray", "")):  # then nothing else is worth a hint
                crash = f"make grade LAB={self._lab.number} SANITIZE=address,undefined"
                rows["hint"] = f"It crashed. `{crash}` names the line where it went wrong."
            self._status[check.id], self._rows[check.id] = FAILED, rows
        elif report.failed:
            self._status[check.id] = FAILED if "Timeout >" in report.longreprtext else ERROR
            self._rows[check.id] = {"actual": report.longreprtext[-3000:]}

    def _be_quicker_with_one_that_hangs(self, report: pytest.TestReport) -> None:
        """The first wait in vain is a long one, to be fair to a slow machine. A server that has
        failed like that may fail every check so, and its author waits for each of them."""
        if report.failed and report.duration > clock.patience(_HANGS_SECONDS) and not self._hurried:
            self._hurried = True
            clock.hurry()

    def _decide(self, check: Check) -> None:
        status = self._status.setdefault(check.id, PASSED)
        not_here = status == PASSED and check.id not in self._ran  # none of its tests could run
        if not_here:
            self._rows[check.id] = self._not_here.get(check.id, {})
        self._write(
            {
                "check": check.id,
                "status": SKIPPED if not_here else status,
                "not_here": not_here,
                "seconds": round(time.monotonic() - self._began[check.id], 2),
                "rows": self._rows.get(check.id, {}),
            }
        )

    def _write(self, event: dict[str, object]) -> None:
        if self._pipe >= 0:
            os.write(self._pipe, json.dumps(event).encode() + b"\n")
