"""The terminal as `make watch` needs it: keys without Enter, and all as before at the end."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import termios
import tty
from types import FrameType, TracebackType

CLEAR = "\033[H\033[2J\033[3J"
ERASE_LINE = "\r\033[K"


class Terminal:
    """Use as a context manager. Where there is no terminal it has no keys and never clears."""

    def __init__(self) -> None:
        self.has_keys = sys.stdin.isatty()
        self.is_screen = sys.stdout.isatty()
        self._before: list[object] | None = None

    def __enter__(self) -> Terminal:
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, _leave)
        if self.has_keys:
            self._before = termios.tcgetattr(sys.stdin)
            signal.signal(signal.SIGCONT, self._set)
            self._set()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._before is not None:
            signal.signal(signal.SIGCONT, signal.SIG_DFL)
            # In the background (after Ctrl-Z and bg) this would stop us once more.
            signal.signal(signal.SIGTTOU, signal.SIG_IGN)
            termios.tcsetattr(sys.stdin, termios.TCSADRAIN, self._before)

    def _set(self, *_: object) -> None:
        """Again after Ctrl-Z and fg: the shell has put its own settings back meanwhile."""
        if os.tcgetpgrp(sys.stdin.fileno()) == os.getpgrp():
            tty.setcbreak(sys.stdin)

    def keys(self) -> str:
        """What was typed, when standard input is readable; "" at its end."""
        return os.read(sys.stdin.fileno(), 64).decode(errors="replace")

    def clear(self) -> None:
        if self.is_screen:
            print(CLEAR, end="")

    def status(self, text: str) -> None:
        """A line that the next one overwrites; nothing where it could not be overwritten."""
        if self.is_screen:
            width = shutil.get_terminal_size().columns - 1  # one that wraps could not be erased
            print(f"{ERASE_LINE}{text[:width]}", end="", flush=True)

    def say(self, text: str) -> None:
        """Text that stays, below what is there."""
        self.status("")
        print(text, flush=True)


def _leave(number: int, _: FrameType | None) -> None:
    sys.exit(128 + number)
