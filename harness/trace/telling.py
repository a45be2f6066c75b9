"""A recording told as a story: who waited in what, who ran for whom, what was handed over."""

from __future__ import annotations

from collections import Counter

from harness import stages, syscalls
from harness.trace import calls, figures, verdict
from harness.trace.calls import END, Call
from harness.trace.recording import Recording
from harness.trace.story import (
    ACCEPT, DESCRIPTOR, EMPTY, EVENTS, FORK, GOT, HAND_OVER, KILLED, PASS, PUT, QUEUE, READ, RUN,
    SLEEP, THREAD, WAKE, WRITE, Arrow, Bar, Lane, Mark, Row, Story,
)  # fmt: skip
from harness.trace.who import ACCEPTS, BIRTHS, PASSES, Cast, Task

WAIT_SECONDS = 0.0004  # a call that took less did not wait, it was only traced
WRITE_SECONDS = 0.003  # nor a write, which wakes its reader on the way

_ROLES = {  # by model: the first process, and the others
    stages.ITERATIVE: ("server", "thread"),
    stages.FORK: ("parent", "child"),
    stages.THREAD: ("main", "thread"),
    stages.POOL: ("acceptor", "worker"),
    stages.HANDOVER: ("master", "worker"),
    verdict.PREFORK: ("parent", "worker"),
}


def tell(recording: Recording) -> Story:
    """What happened, from a recording alone."""
    logs = {task: calls.parse(task, lines) for task, lines in recording.tasks.items()}
    cast = Cast(logs, recording.first)
    letters = {visitor.port: visitor.name for visitor in recording.visitors if visitor.port}
    found = verdict.verdicts(cast, [visitor.port for visitor in recording.visitors])
    model = Counter(each.model for each in found).most_common(1)[0][0]
    drawn = _Drawn(cast, letters, recording.span)
    lanes = [drawn.lane(task) for task in cast.tasks.values() if drawn.is_seen(task)]
    lanes.sort(key=lambda lane: (lane.task != recording.first, cast.tasks[lane.task].born))
    _name(lanes, model)
    lanes = [lane for lane in lanes if not _only_sleeps(lane)]
    seen = {lane.task for lane in lanes}
    arrows = [arrow for arrow in drawn.arrows() if {arrow.source, arrow.target} <= seen]
    rows = [
        Row(
            visitor.name, visitor.start, visitor.whole, visitor.end, visitor.outcome,
            _served(lanes, visitor.name), judged,
        )
        for visitor, judged in zip(recording.visitors, found, strict=True)
    ]  # fmt: skip
    return Story(
        recording.name, recording.scenario, recording.span, lanes, rows, arrows,
        drawn.counts(), verdict.summary(found), recording.note, recording.moment,
        recording.caption, recording.detail, figures.of(recording, cast),
    )  # fmt: skip


def _name(lanes: list[Lane], model: str) -> None:
    first, others = _ROLES.get(model, ("loop", "thread"))
    for number, lane in enumerate(lanes):
        lane.label = f"{others} {number}" if number else first


def _only_sleeps(lane: Lane) -> bool:
    """Whether it is a parent that only waits for signals or children: nothing to be seen."""
    return bool(lane.bars) and all(bar.kind == SLEEP for bar in lane.bars)


def _served(lanes: list[Lane], client: str) -> list[tuple[float, float]]:
    return sorted(
        (bar.start, bar.end)
        for lane in lanes
        for bar in lane.bars
        if bar.kind == RUN and bar.client == client
    )


def kind_of(call: Call) -> str:
    """What a call waits for; "" for one that never waits, or had nothing to wait for."""
    if call.error == "EAGAIN":
        return ""
    for kind, names in (
        (ACCEPT, ACCEPTS),
        (EVENTS, syscalls.SELECT | syscalls.POLL | syscalls.EPOLL),
        (QUEUE, syscalls.FUTEX),
        (SLEEP, syscalls.SLEEP | syscalls.SIGNAL | syscalls.CHILD),
        (READ, syscalls.RECEIVE),
        (WRITE, syscalls.SEND),
    ):
        if call.name in names:
            return kind
    return ""


class _Drawn:
    """Makes lanes and arrows of the cast's calls."""

    def __init__(self, cast: Cast, letters: dict[int, str], span: float) -> None:
        self.cast, self.letters, self.span = cast, letters, span

    def is_seen(self, task: Task) -> bool:
        return task.born < self.span and task.died > 0 and bool(task.calls)

    def client(self, call: Call) -> str:
        return self.letters.get(self.cast.client(call), "")

    def counts(self) -> Counter[str]:
        return Counter(
            call.name
            for task in self.cast.tasks.values()
            for call in task.calls
            if 0 <= call.end and call.start < self.span and call.name != END
        )

    def lane(self, task: Task) -> Lane:
        start = max(task.born, 0.0)
        lane = Lane(task.number, "", start, min(task.died, self.span), process=task.process)
        if task.died < self.span:
            lane.last_words = task.last_words
        running = _Running(lane)
        for call in task.calls:
            if call.end < 0 or call.start >= self.span:
                continue
            if call.name == END:
                running.until(call.start)
                if call.args.startswith("killed"):
                    lane.marks.append(Mark(KILLED, call.start, "", call.args, call))
                break
            self._take(call, running, lane)
        running.until(min(task.died, self.span))
        return lane

    def _take(self, call: Call, running: _Running, lane: Lane) -> None:
        kind, client = kind_of(call), self.client(call)
        if kind and call.seconds >= (WRITE_SECONDS if kind == WRITE else WAIT_SECONDS):
            if kind == READ and not client:
                kind = DESCRIPTOR
            running.until(max(call.start, 0.0))
            about = client if kind in (READ, WRITE) else ""
            end = min(call.end, self.span)
            lane.bars.append(Bar(kind, max(call.start, 0.0), end, about, (call,)))
            running.begin(client, call.end)
        elif client != running.client and client:
            running.until(call.start)
            running.begin(client, call.start)
        running.calls.append(call)
        if _is_end(call):
            running.until(call.end)
            running.begin("", call.end)
        if mark := self._mark(call, client):
            lane.marks.append(mark)

    def _mark(self, call: Call, client: str) -> Mark | None:
        value = call.value
        if call.end > self.span:
            return None
        if call.name in syscalls.EPOLL | syscalls.POLL | syscalls.SELECT and (value or 0) > 0:
            return Mark(WAKE, call.end, "", "1 event" if value == 1 else f"{value} events", call)
        if call.error == "EAGAIN":
            return Mark(EMPTY, call.end, client, f"{call.name}: EAGAIN", call)
        if not client or value is None or value < 0:
            return None
        if call.name in syscalls.RECEIVE:
            return Mark(GOT, call.end, client, f"{value:,} bytes in" if value else "end", call)
        if call.name in syscalls.SEND:
            return Mark(PUT, call.end, client, f"{value:,} bytes out", call)
        return None

    def arrows(self) -> list[Arrow]:
        found = [*self._births(), *self._hand_overs()]
        return sorted(found, key=lambda arrow: (arrow.start, arrow.target))

    def _births(self) -> list[Arrow]:
        arrows = []
        for task in self.cast.tasks.values():
            mother = self.cast.tasks.get(task.parent)
            if mother is None or not 0 <= task.born < self.span:
                continue
            birth = next((c for c in mother.calls if c.name in BIRTHS and c.start == task.born))
            first = task.calls[0].start if task.calls else birth.end
            client = next(filter(None, map(self.client, task.calls)), "")
            if not any(self.client(c) == client and c.start < birth.start for c in mother.calls):
                client = ""  # it serves that one, but was not born for it
            kind = THREAD if task.is_thread else FORK
            arrows.append(Arrow(kind, mother.number, birth.start, task.number, first, client))
        return arrows

    def _hand_overs(self) -> list[Arrow]:
        arrows = []
        for port, letter in self.letters.items():
            mine = sorted(
                (c for t in self.cast.tasks.values() for c in t.calls
                 if self.cast.client(c) == port),
                key=lambda c: c.start,
            )  # fmt: skip
            accept = next((c for c in mine if c.name in ACCEPTS), None)
            taken = next((c for c in mine if accept and c.task != accept.task), None)
            if accept is None or taken is None:
                continue
            task = self.cast.tasks[taken.task]
            sent = next((c for c in mine if c.name == "sendmsg" and PASSES in c.args), None)
            if sent and taken.name == "recvmsg":
                arrows.append(
                    Arrow(PASS, sent.task, sent.start, taken.task, taken.end, letter)
                )
            elif task.born < accept.end:
                arrows.append(
                    Arrow(HAND_OVER, accept.task, accept.end, taken.task, taken.start, letter)
                )
        return arrows


class _Running:
    """For whom a lane runs at the moment, and since when."""

    def __init__(self, lane: Lane) -> None:
        self.lane, self.client, self.since = lane, "", lane.start
        self.calls: list[Call] = []

    def begin(self, client: str, at: float) -> None:
        self.client, self.since, self.calls = client, at, []

    def until(self, at: float) -> None:
        at = min(at, self.lane.end)
        if self.client and at > self.since:
            self.lane.bars.append(Bar(RUN, self.since, at, self.client, tuple(self.calls)))
        self.begin("", at)


def _is_end(call: Call) -> bool:
    """Whether with this call the client is done: it was closed, or has said its last."""
    return call.name == "close" or (call.name in syscalls.RECEIVE and call.value == 0)
