"""One server of the race and its crowd of clients, from start to end, in a thread of its own."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from harness.bench.crowd import Crowd, CrowdError, Run
from harness.bench.launch import LaunchError, Server
from harness.bench.loads import HELLO, SLOW
from harness.bench.replies import WrongReply, verified
from harness.bench.servers import Contender, Place
from harness.race.sample import Sampler
from harness.race.shares import Load, Share, ceiling, share

CROWD = "crowd"  # the clients' program
HOST = "127.0.0.1"
INTERVAL = 0.5  # seconds between two samples


class Turns:
    """One after the other, in the order in which they came."""

    def __init__(self) -> None:
        self._queue: deque[object] = deque()
        self._moved = threading.Condition()

    @contextmanager
    def mine(self) -> Iterator[None]:
        """Waits for its turn, and has it."""
        me = object()
        with self._moved:
            self._queue.append(me)
            self._moved.wait_for(lambda: self._queue[0] is me)
        try:
            yield
        finally:
            with self._moved:
                self._queue.popleft()
                self._moved.notify_all()


class Lane(threading.Thread):
    """Starts the server and its clients, tells what happens, and ends both.

    One thread does all that for a server, because the kernel ends a server with the thread that
    started it: a thread that is gone leaves nothing behind.
    """

    def __init__(
        self,
        contender: Contender,
        place: Place,
        client_cpu: int,
        turns: Turns,
        load: Load,
        tell: Callable[[str, dict[str, Any]], None],
    ) -> None:
        super().__init__(name=contender.name, daemon=True)
        self.phase, self.failed = "starting", ""
        self._contender, self._place, self._client_cpu = contender, place, client_cpu
        self._turns, self._load, self._tell = turns, load, tell
        self._ending = threading.Event()

    @property
    def share(self) -> Share:
        """What of the load this server is given."""
        return share(self._contender, self._load)

    def steer(self, load: Load) -> None:
        """Another load, from the next interval on."""
        self._load = load

    def stop(self) -> None:
        """Ends the clients, then the server; returns when both are gone."""
        self._ending.set()
        self.join()

    def run(self) -> None:
        try:
            self._race()
        except (LaunchError, CrowdError, WrongReply, OSError) as reason:
            self.failed = str(reason)
        except BaseException:
            self.failed = "the race itself is at fault, the terminal says how"
            raise
        finally:
            self.phase = "failed" if self.failed else "stopped"
            self._tell(self.name, {"kind": "lane"})

    def _race(self) -> None:
        most, _ = ceiling(self._contender)
        with ExitStack() as running:
            server = self._contender.start(self._place, most, None)
            running.callback(self._stop_server, server)
            _share_the_cpu(server.meter.groups)
            server.meter.settled(server.pid)
            sampler = Sampler(server.pid, server.meter, self._contender, INTERVAL)
            verified(server.port, HELLO)
            crowd = Crowd(self._place.bin_dir / CROWD, server.port, cpu=self._client_cpu)
            running.enter_context(crowd)
            self.phase = "running"
            self._tell(self.name, {"kind": "lane"})
            while not self._ending.is_set():
                samples = self._turn if self._load.turns else self._all_the_time
                for sample in samples(crowd, sampler):
                    if not server.alive():
                        raise LaunchError(f"the server has died: {server.ended}")
                    self._tell(self.name, {"kind": "sample", **sample})

    def _all_the_time(self, crowd: Crowd, sampler: Sampler) -> Iterator[dict[str, Any]]:
        """Beside all others, until something else is wanted."""
        given = self.share
        _drive(crowd, given)
        runs = crowd.intervals()
        for run in runs:
            yield {**_seen(run), **sampler.figures()}
            if self._ending.is_set():
                return  # the crowd is ended as it is
            if self._load.turns:
                _end(crowd, runs)
            elif self.share != given:
                given = self.share
                _drive(crowd, given)

    def _turn(self, crowd: Crowd, sampler: Sampler) -> Iterator[dict[str, Any]]:
        """One interval, while all others wait."""
        with self._turns.mine():
            if self._ending.is_set():
                return
            sampler.begin()
            _drive(crowd, self.share)
            runs = crowd.intervals()
            seen = _seen(next(runs))
            figures = sampler.look()
            _end(crowd, runs)
        yield {**seen, **figures}

    def _stop_server(self, server: Server) -> None:
        complaint = server.stop()
        if complaint and not self.failed:
            self.failed = complaint


def _drive(crowd: Crowd, given: Share) -> None:
    crowd.live(
        interval=INTERVAL,
        connections=given.connections,
        idle=given.idle,
        request=HELLO.request(HOST),
        slow_every=given.slow,
        slow_request=SLOW.request(HOST),
    )


def _end(crowd: Crowd, runs: Iterator[Run]) -> None:
    """No more load; its connections stay."""
    crowd.stop()
    deque(runs, maxlen=0)  # the last word is that it has stopped


def _seen(run: Run) -> dict[str, Any]:
    """What the clients saw. Where nobody had a reply, the latency is what one has waited so far."""
    return {
        "per_second": run.requests / run.seconds,
        "p50_us": run.p50_us if run.requests else run.max_us or None,
        "p99_us": run.p99_us if run.requests else run.max_us or None,
        "errors": {kind: count for kind, count in run.errors.items() if count},
        "client": run.client_busy,
    }


def _share_the_cpu(groups: tuple[Path, ...]) -> None:
    """A benchmark shields its servers from all others. Here the others are the browser that shows
    the race: where there are two cpus only, it has to have its part of them."""
    for group in groups:
        for setting, value in (("cpu.shares", "1024"), ("cpu.weight", "100")):
            if (group / setting).exists():
                with suppress(OSError):
                    (group / setting).write_text(value)
