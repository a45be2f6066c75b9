"""pytest kept warm for `make watch`: it imports and collects once, and forks for every run.

`-p harness.lab.plugin -p harness.lab.warm --lab 04 --lab-pipe 5 --lab-requests 4`

Requests are lines of JSON. "run" is a number: the run begins with {"run": 7} on the plugin's pipe
and ends there with {"over": 7}; what the plugin tells comes between, a new request cuts it off.
Judged are all checks in their order, up to the first that is lost, unless the request has

    "only": "4.3"    this one alone, with its test "test" (a node id, as in "lost") first
    "hurry": 0.2     deadlines of so much of the nominal ones: see watch.py
    "after": "4.3"   those after it, then those before it
    "all": true      all, whatever is lost
    "xray": true     x-rays in full
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import types
from typing import Any

import pytest

from harness import clock, processes, server, xray
from harness.lab import leftovers
from harness.lab.plugin import Grading
from harness.lab.result import PASSED, SKIPPED


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--lab-requests", type=int, default=-1, help="where requests come from")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--lab-requests") >= 0:
        config.pluginmanager.register(
            Warm(config.getoption("--lab-requests"), config.getoption("--lab-pipe"))
        )


class Warm:
    """The process that waits for requests, and in its children the one that serves them."""

    def __init__(self, requests: int, pipe: int) -> None:
        self._requests = requests
        self._pipe = pipe
        self._unread = b""
        self._request: dict[str, Any] = {}
        self._grading: Grading | None = None

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        """In a child None, so that pytest's own loop runs what was asked for."""
        plugins = session.config.pluginmanager.get_plugins()
        self._grading = next(each for each in plugins if isinstance(each, Grading))
        while request := self._next():
            self._tell({"run": request["run"]})
            child = os.fork()
            if child == 0:
                self._become(session, request)
                return None
            self._attend(child)
            self._tell({"over": request["run"]})
        return True

    # --- the parent -------------------------------------------------------------------------

    def _next(self) -> dict[str, Any] | None:
        """The newest request that is there, None when there will be no more."""
        while b"\n" not in self._unread:
            data = os.read(self._requests, 65536)
            if not data:
                return None
            self._unread += data
        *lines, self._unread = self._unread.split(b"\n")
        request: dict[str, Any] = json.loads(lines[-1])
        return request

    def _attend(self, child: int) -> None:
        """Until the child has ended, or a new request (or the end of requests) ends it."""
        ended = os.pidfd_open(child)
        ready, _, _ = select.select([ended, self._requests], [], [])
        if ended not in ready:
            os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(ended)
        leftovers.sweep(child)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:  # orphans that have ended meanwhile
                pass

    def _tell(self, event: dict[str, object]) -> None:
        os.write(self._pipe, json.dumps(event).encode() + b"\n")

    # --- the child --------------------------------------------------------------------------

    def _become(self, session: pytest.Session, request: dict[str, Any]) -> None:
        assert self._grading is not None
        processes.become_subreaper()  # a child does not inherit that
        processes.before_exec()
        self._request = request
        if request.get("xray"):
            server.xray = types.SimpleNamespace(brief=xray.full)  # type: ignore[attr-defined]
        if request.get("hurry"):
            clock._factor = float(request["hurry"])
        session.items = self._wanted(session.items, request)

    def _wanted(self, items: list[pytest.Item], request: dict[str, Any]) -> list[pytest.Item]:
        grading = self._grading
        assert grading is not None
        checks = [grading._of[item.nodeid].id for item in items]
        if only := request.get("only"):
            mine = [item for item, check in zip(items, checks, strict=True) if check == only]
            return sorted(mine, key=lambda item: item.nodeid != request.get("test"))
        if (after := request.get("after")) in checks:
            begin = checks.index(after)
            end = begin + checks.count(after)
            return items[end:] + items[:begin]
        return items

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self._tell({"lost": report.nodeid})

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """Stop after the first check that is lost, unless all are wanted."""
        grading = self._grading
        if grading is None or self._request.get("all"):
            return
        check = grading._of[nodeid].id
        if grading._left[check] == 0 and grading._status[check] not in (PASSED, SKIPPED):
            pytest.exit("one is enough", returncode=1)
