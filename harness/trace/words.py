"""What pictures and pages say: labels of bars, the lesson in a sentence, calls as text."""

from __future__ import annotations

from collections.abc import Mapping

from harness import stages, syscalls
from harness.trace import story
from harness.trace.calls import Call
from harness.trace.story import Arrow, Bar, Lane, Row, Story
from harness.trace.who import ACCEPTS, BIRTHS

_MOST_CALLS = 10  # that are listed for one bar
_LONG_WAIT = 0.015  # seconds: who waits longer for the server waits for somebody else's sake
_SPOKEN = {"pselect6": "select", "epoll_pwait": "epoll_wait", "ppoll": "poll"}
_TELLING = (
    syscalls.SELECT | syscalls.POLL, syscalls.EPOLL, {"epoll_create1", "epoll_ctl"}, ACCEPTS,
    BIRTHS, syscalls.FUTEX, {"sendmsg"}, {"recvmsg"}, syscalls.CHILD, syscalls.SLEEP,
    syscalls.RECEIVE, syscalls.SEND,
)  # fmt: skip

LEGEND = {
    story.ACCEPT: "waits in accept",
    story.EVENTS: "waits in {calls}",
    story.QUEUE: "waits for work",
    story.DESCRIPTOR: "waits for a descriptor",
    story.SLEEP: "sleeps",
    story.FORK: "fork",
    story.THREAD: "thread start",
    story.HAND_OVER: "through the queue",
    story.PASS: "descriptor passed",
    story.WAKE: "the wait returned",
    story.GOT: "bytes read",
    story.PUT: "bytes sent",
    story.EMPTY: "nothing there: EAGAIN",
}


def spoken(call: str) -> str:
    """The name by which a system call is called in a program."""
    return _SPOKEN.get(call, call)


def milliseconds(seconds: float) -> str:
    """`122`, and below ten `9.5`."""
    return f"{seconds * 1000:.0f}" if seconds >= 0.00995 else f"{seconds * 1000:.1f}"


def bar_labels(bar: Bar) -> tuple[str, ...]:
    """What may be written on a bar, the longest first."""
    name = spoken(bar.calls[0].name) if bar.calls else ""
    if bar.kind == story.RUN:
        return (bar.client,)
    if bar.kind == story.READ:
        return f"read: waits for {bar.client}", f"read: {bar.client}", bar.client
    if bar.kind == story.WRITE:
        return f"write: waits for {bar.client}", f"write: {bar.client}", bar.client
    if bar.kind == story.QUEUE:
        return f"{name}: waits for work", name
    if bar.kind == story.DESCRIPTOR:
        return f"{name}: waits for a descriptor", name
    return (name,)


def idea(told: Story) -> str:
    """What sets the picture apart, or what the stage is about, if it is one of the ladder's."""
    return told.caption or next((s.idea for s in stages.LADDER if s.name == told.name), "")


def total(row: Row) -> str:
    """What stands behind a client's bar: how long it was there, and what it got if not a reply."""
    took = f"{milliseconds(row.end - row.start)} ms"
    if replied(row):
        return f"{took} {outcome(row)}".rstrip()
    return f"{outcome(row)}, {took}"


def still_sends(row: Row) -> bool:
    """Whether it was in no hurry to say what it wants."""
    return (row.end if row.whole is None else row.whole) - row.start > 0.002


def events_calls(told: Story) -> str:
    """`epoll_wait`, or several: the calls in which the lanes wait for events."""
    names = {bar.calls[0].name for lane in told.lanes for bar in lane.bars
             if bar.kind == story.EVENTS}  # fmt: skip
    said = (f"{spoken(name)} ({name})" if spoken(name) != name else name for name in names)
    return " and ".join(sorted(said, reverse=True))


def counts(told: Story) -> list[tuple[str, int]]:
    """The calls that tell something, the most telling first: not close and setsockopt."""

    known = [(rank(name), -count, name) for name, count in told.counts.items()]
    return [(name, -count) for at, count, name in sorted(known) if at >= 0]


def rank(name: str) -> int:
    """The place of a call among those that tell something; -1: it is none of them."""
    return next((at for at, names in enumerate(_TELLING) if name in names), -1)


def waited(row: Row) -> float:
    """How long a client that had asked waited while nobody ran for it."""
    if row.whole is None:
        return 0.0
    done = sum(max(0.0, min(end, row.end) - max(start, row.whole)) for start, end in row.served)
    return max(0.0, row.end - row.whole - done)


def misfits(told: Story) -> list[Row]:
    """The connections that are not handled as the stage of this name would do it."""
    stage = next((each for each in stages.LADDER if each.name == told.name), None)
    return [
        row for row in told.rows if stage and row.verdict.reader and not row.verdict.fits(stage)
    ]


def longest_pause(row: Row, since: float, until: float) -> tuple[float, float]:
    """The longest time between two moments in which nobody ran for a client."""
    served = [(a, b) for a, b in row.served if b > since and a < until]
    starts = [since, *(b for _, b in served)]
    ends = [*(a for a, _ in served), until]
    return max(zip(starts, ends, strict=True), key=lambda each: each[1] - each[0])


def lesson(told: Story) -> str:
    """The picture in a sentence."""
    lost = [row for row in told.rows if not replied(row)]
    late = [row for row in told.rows if waited(row) > _LONG_WAIT]
    if lost:
        names = " ".join(row.name for row in lost)
        said = f"{names} {'get' if len(lost) > 1 else 'gets'} no reply"
        said += f" ({', '.join(dict.fromkeys(map(outcome, lost)))})"
    elif late:
        most = max(late, key=waited)
        names = " ".join(row.name for row in late)
        said = (
            f"{names} {'wait' if len(late) > 1 else 'waits'} for the server while it is busy with "
            f"others; {most.name} takes {milliseconds(most.end - most.start)} ms, "
            f"{milliseconds(waited(most))} of them waiting"
        )
    else:
        took = (f"{row.name} {milliseconds(row.end - row.start)} ms" for row in told.rows)
        said = f"nobody waits for another: {', '.join(took)}"
    return f"{told.name}, {told.verdict}: {said}"


def bar_text(bar: Bar, lane: Lane) -> str:
    """What a bar is, from when to when, and its calls with arguments, results and durations."""
    what = {
        story.RUN: f"runs for {bar.client}",
        story.READ: f"blocked: waits for bytes from {bar.client}",
        story.WRITE: f"blocked: waits until {bar.client} reads",
        story.ACCEPT: "waits for a connection",
        story.EVENTS: "waits for events",
        story.QUEUE: "waits for work",
        story.DESCRIPTOR: "waits for a descriptor",
        story.SLEEP: "sleeps",
    }[bar.kind]
    lines = [f"{lane.label} {what}: {_span(bar.start, bar.end)}"]
    lines += [call_text(call) for call in bar.calls[:_MOST_CALLS]]
    if len(bar.calls) > _MOST_CALLS:
        lines.append(f"and {len(bar.calls) - _MOST_CALLS} more calls")
    return "\n".join(lines)


def call_text(call: Call) -> str:
    """A call as strace has it, and how long it took."""
    return f"{call}  [{call.seconds * 1000:.2f} ms]"


def row_text(row: Row) -> str:
    """A client's visit, when what happened to it, and how the server handled it."""
    lines = [f"client {row.name}: {_span(row.start, row.end)}, {outcome(row) or 'reply 200'}"]
    if row.whole is not None:
        lines.append(f"has sent its whole request at {row.whole * 1000:.1f} ms")
        lines.append(f"waits for the server for {milliseconds(waited(row))} ms of them")
    lines.append(f"{row.verdict}: {row.verdict.evidence()}")
    return "\n".join(lines)


def arrow_text(arrow: Arrow, labels: Mapping[int, str]) -> str:
    """Who hands what to whom, and when."""
    verb = {
        story.FORK: "forks",
        story.THREAD: "starts",
        story.HAND_OVER: f"queues {arrow.client} for",
        story.PASS: f"passes {arrow.client}'s descriptor to",
    }[arrow.kind]
    who = f"{labels[arrow.source]} {verb} {labels[arrow.target]}"
    client = f" for {arrow.client}" if arrow.kind in (story.FORK, story.THREAD) else ""
    return f"{who}{client if arrow.client else ''}: {_span(arrow.start, arrow.end)}"


def outcome(row: Row) -> str:
    """Nothing for an ordinary reply, else what it got instead."""
    return "" if row.outcome == "200" else row.outcome or "no reply"


def replied(row: Row) -> bool:
    """Whether a status came back, whichever."""
    return row.outcome.isdigit()


def _span(start: float, end: float) -> str:
    return f"{(end - start) * 1000:.1f} ms, from {start * 1000:.1f} to {end * 1000:.1f}"
