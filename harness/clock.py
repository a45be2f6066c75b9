"""Deadlines, and the only loop that waits.

A check waits *for something*: a row in a kernel table, an exit status, a byte. A clock only says
when to give up. Deadlines are generous and grow on a slow machine, so that a slow machine is
never called a wrong server.
"""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

_NOMINAL_SECONDS = 0.004  # what the calibration takes on an unhurried machine
# A server lets go of silent clients after 20 s. Who waits 6 s for progress has to give up before,
# or what hangs would seem to have been closed.
_MOST_PATIENT = 3.0
_factor = 1.0


class ExpiredError(Exception):
    """What was waited for did not come in time."""


def calibrate() -> float:
    """Measure spawning and loopback round trips once; return the factor for all deadlines."""
    stretch(min(_MOST_PATIENT, min(_measure() for _ in range(3)) / _NOMINAL_SECONDS))
    return _factor


def hurry() -> None:
    """Halve all deadlines from here on: somebody has been waited for in vain already."""
    global _factor
    _factor /= 2


def _measure() -> float:
    started = time.monotonic()
    for _ in range(3):
        subprocess.run(["/bin/true"], check=False)
    left, right = socket.socketpair()
    with left, right:
        for _ in range(500):
            left.send(b"x")
            right.recv(1)
    return time.monotonic() - started


def stretch(by: float) -> None:
    """Multiply all deadlines by `by`, within 1 to 8 times the nominal ones."""
    global _factor
    _factor = min(8.0, max(1.0, _factor * by))


def patience(seconds: float) -> float:
    """The nominal deadline `seconds`, on this machine."""
    return seconds * _factor


def until(condition: Callable[[], T], seconds: float = 5.0) -> T:
    """Look until `condition()` is true and return its value; ExpiredError after `seconds`."""
    deadline = time.monotonic() + patience(seconds)
    pause = 0.0002
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise ExpiredError(f"not within {patience(seconds):.1f} s")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.01)
    return value


def happens(condition: Callable[[], object], seconds: float = 5.0) -> bool:
    """Whether `condition()` becomes true before the deadline."""
    try:
        until(condition, seconds)
    except ExpiredError:
        return False
    return True


def observe(seconds: float) -> None:
    """Let time pass on purpose: the window in which an instrument counts what happens."""
    time.sleep(seconds)
