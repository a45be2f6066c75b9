"""The race itself: who runs, under which load, for how long; and what the page is told of it."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from typing import Any

from harness.bench.servers import Contender, Place
from harness.race import words
from harness.race.lane import Lane, Turns
from harness.race.shares import Load

MOST = 4  # servers at once
REMEMBERED = 6  # samples of a server, for the words
SAY_SECONDS = 2.5  # between two sentences, so that they can be read

Message = dict[str, Any]


class Contest:
    """Lives on the event loop; each server that runs has a thread (lane.py), which reports here."""

    def __init__(
        self,
        contenders: list[Contender],
        chosen: list[str],
        place: Place,
        client_cpu: int,
        seconds: float,
    ) -> None:
        self.contenders = {each.name: each for each in contenders}
        self.seconds = seconds
        self.tell: Callable[[Message], None] = lambda message: None  # the pages
        self._place, self._client_cpu = place, client_cpu
        self._first_choice = self._valid(chosen)
        self._chosen, self._load = self._first_choice, Load()
        self._running = False
        self._note, self._said = "", 0.0
        self._lanes: dict[str, Lane] = {}
        self._seen: dict[str, deque[Message]] = {}
        self._turns = Turns()
        self._settling = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._bell: asyncio.TimerHandle | None = None
        self._started = time.monotonic()
        self._loop = asyncio.get_running_loop()

    def now(self) -> float:
        """Seconds on the clock that all messages carry."""
        return time.monotonic() - self._started

    def obey(self, order: Message) -> None:
        """What a page asks for; ValueError if it makes no sense."""
        match order.get("do"):
            case "start":
                self._start()
            case "stop":
                self.stop(words.STOPPED)
            case "reset":
                self.stop()
                self._chosen, self._load = self._first_choice, Load()
                self._seen.clear()
                self._note = ""
                self.tell({"kind": "reset"})
            case "set":
                self._set(order)
            case other:
                raise ValueError(f"no such order: {other!r}")
        self._follow()

    def stop(self, note: str = "") -> None:
        """Ends the load and all servers, soon; `ended` waits for it."""
        self._running, self._note = False, note
        if self._bell:
            self._bell.cancel()
            self._bell = None
        self._follow()

    async def ended(self) -> None:
        """Stops; returns when no server and no client runs any more."""
        self.stop()
        await self._settle()

    def state(self) -> Message:
        """What is chosen and what runs."""
        phase = "running" if self._running else "stopping" if self._lanes else "stopped"
        lanes = {
            name: {"phase": lane.phase, "failed": lane.failed, "limit": lane.share.limit}
            for name, lane in self._lanes.items()
        }
        until = self._bell and self.now() + self._bell.when() - self._loop.time()
        return {
            "kind": "state", "phase": phase, "chosen": self._chosen, **asdict(self._load),
            "lanes": lanes, "until": until, "at": self.now(),
        }  # fmt: skip

    def words(self) -> Message:
        """What is to be seen just now."""
        failed = {name: lane.failed for name, lane in self._lanes.items() if lane.failed}
        limits = {name: lane.share.limit for name, lane in self._lanes.items()}
        text, bad = words.seen(self._load, self._seen, limits, failed)
        if not self._running:
            text, bad = self._note or words.INVITATION, False
        return {"kind": "words", "text": text, "bad": bad}

    def _start(self) -> None:
        if not self._chosen:
            raise ValueError("choose a server first")
        if self._running or self._lanes:
            return
        self._running, self._note = True, ""
        self._seen.clear()
        self._bell = self._loop.call_later(
            self.seconds, self.stop, f"{self.seconds / 60:g} minutes are over: start again?"
        )

    def _set(self, order: Message) -> None:
        load = self._load.changed(order)
        chosen = self._valid(order["chosen"]) if "chosen" in order else self._chosen
        if not chosen and self._running:
            raise ValueError("the last one goes on; space stops it")
        for key, value in asdict(load).items():
            if self._running and value != getattr(self._load, key):
                text = words.change(key, value)
                self.tell({"kind": "change", "key": key, "at": self.now(), "text": text})
        if load != self._load:
            self._seen.clear()  # the words are about what comes now
        self._load, self._chosen = load, chosen

    def _valid(self, names: object) -> list[str]:
        if not isinstance(names, list) or any(name not in self.contenders for name in names):
            raise ValueError(f"there are only {', '.join(self.contenders)}")
        if len(names) > MOST:
            raise ValueError(f"at most {MOST} servers race at once")
        return [name for name in self.contenders if name in names]

    def _follow(self) -> None:
        """Tells the pages, and makes what runs be what is wanted."""
        self._tell_state()
        for lane in self._lanes.values():
            lane.steer(self._load)
        task = self._loop.create_task(self._settle())
        self._tasks.add(task)  # the loop itself would forget it
        task.add_done_callback(self._tasks.discard)

    async def _settle(self) -> None:
        async with self._settling:
            wanted = self._chosen if self._running else []
            leaving = [name for name in self._lanes if name not in wanted]
            await asyncio.gather(
                *(asyncio.to_thread(self._lanes[name].stop) for name in leaving)
            )
            for name in leaving:
                del self._lanes[name]
                self._seen.pop(name, None)
            for name in wanted:
                if self._running and name not in self._lanes:
                    self._lanes[name] = self._lane(self.contenders[name])
            self._tell_state()

    def _lane(self, contender: Contender) -> Lane:
        lane = Lane(contender, self._place, self._client_cpu, self._turns, self._load, self._hear)
        lane.start()
        return lane

    def _hear(self, server: str, message: Message) -> None:
        """Called in a lane's thread."""
        with suppress(RuntimeError):  # the event loop has ended: nobody listens any more
            self._loop.call_soon_threadsafe(self._heard, server, message)

    def _heard(self, server: str, message: Message) -> None:
        if message["kind"] == "lane":
            self._tell_state()
            return
        if server not in self._lanes or not self._running:
            return  # said before it was stopped
        sample = {**message, "server": server, "at": self.now()}
        self._seen.setdefault(server, deque(maxlen=REMEMBERED)).append(sample)
        self.tell(sample)
        if self.now() > self._said + SAY_SECONDS:
            self._tell_words()

    def _tell_state(self) -> None:
        self.tell(self.state())
        self._tell_words()

    def _tell_words(self) -> None:
        self._said = self.now()
        self.tell(self.words())
