"""pytest's side of `make try`: runs one check's tests and tells every step, with its bytes.

`-p harness.lab.plugin -p harness.lab.replay --lab LAB.TOML --lab-only 4.3 --replay-pipe 5`

The tests run at their own speed, since slowing them would change what they show; whoever reads the
pipe may take time. Lines of JSON: {"test"}, then steps, then {"passed"} or {"failed", "rows"}.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from harness import findings, tcp
from harness.client import Client
from harness.conftest import told
from harness.lab.plugin import Grading

BYTES_TOLD = 600
_STILL_SECONDS = 0.02  # nothing has happened for so long: look at what everybody waits for
_LOOK_SECONDS = 0.01


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--replay-pipe", type=int, default=-1, help="where steps are written")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--replay-pipe") >= 0:
        only = config.getoption("--lab-only")
        config.pluginmanager.register(Replay(only, config.getoption("--replay-pipe")))


class Replay:
    """One check, told step by step."""

    def __init__(self, check_id: str, pipe: int) -> None:
        self._check_id = check_id
        self._pipe = pipe
        self._lock = threading.Lock()
        self._began = self._last = time.monotonic()
        self._client: Client | None = None  # whose turn it was
        self._seen = ""

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> None:
        """The check's own tests only: those it depends on are not what is asked for."""
        plugins = session.config.pluginmanager.get_plugins()
        grading = next(each for each in plugins if isinstance(each, Grading))
        session.items = [
            item for item in session.items if grading._of[item.nodeid].id == self._check_id
        ]
        self._session = session
        findings.watchers.append(self._on_step)
        threading.Thread(target=self._look, daemon=True).start()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        self._began = self._last = time.monotonic()
        self._client, self._seen, self._failed = None, "", False
        doc = getattr(getattr(item, "function", None), "__doc__", "") or item.name
        self._write(test=item.nodeid, title=" ".join(doc.split("\n\n")[0].split()))

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Iterator[None]:
        outcome = yield
        report: pytest.TestReport = outcome.get_result()  # type: ignore[attr-defined]
        if report.failed and not self._failed:
            self._failed = True
            rows = dict(item.stash.get(told, {})) or {"actual": report.longreprtext[-3000:]}
            if todo := findings.missing():
                rows |= {"actual": f"{todo.what} is not written yet", "hint": todo.hint}
            self._write(failed=True, rows=rows)
            self._session.shouldstop = "this is the one"
        if report.when == "teardown" and not self._failed:
            self._write(passed=True)

    # --- what happens -----------------------------------------------------------------------

    def _on_step(self, who: object, what: str, data: bytes) -> None:
        with self._lock:
            self._last = time.monotonic()
            self._client = who if isinstance(who, Client) else self._client
        self._write(who=str(who), what=what, data=data[:BYTES_TOLD].decode("latin-1"),
                    size=len(data))  # fmt: skip

    def _look(self) -> None:
        """Tell what the kernel knows whenever nothing happens and that has changed."""
        while True:
            time.sleep(_LOOK_SECONDS)
            with self._lock:
                still, client = time.monotonic() - self._last > _STILL_SECONDS, self._client
            if not still:
                continue
            seen = "; ".join(text for each in list(findings.witnesses) if (text := each()))
            queues = _queues(client) if client else ""
            text = "; ".join(each for each in (seen, queues) if each)
            if text and text != self._seen:
                self._seen = text
                self._write(who="x-ray", what=text, data="", size=0)

    def _write(self, **event: Any) -> None:
        event["at"] = round(time.monotonic() - self._began, 3)
        with self._lock:
            os.write(self._pipe, json.dumps(event).encode() + b"\n")


def _queues(client: Client) -> str:
    """What lies in the kernel between this client and the server; "" when it is nothing."""
    for row in tcp.table(client.peer.port):  # not tcp.connection(): that one is the tests' own
        if row.peer_port == client.port:
            found = [f"{row.unread:,} bytes of {client} wait to be read"] if row.unread else []
            found += [f"{row.unsent:,} bytes for it wait to be taken"] if row.unsent else []
            found += [f"{client} has not been accepted"] if row.inode == 0 else []
            return ", ".join(found)
    return ""
