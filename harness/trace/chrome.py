"""A recording in the form that trace viewers read (ui.perfetto.dev): Chrome's trace events."""

from __future__ import annotations

import json
from typing import Any

from harness.trace import story, words
from harness.trace.story import Lane, Story

CLIENTS = 1  # the "process" whose threads are the clients: no server has this id
_WAITS = {
    story.ACCEPT: "waits for a connection",
    story.EVENTS: "waits for events",
    story.QUEUE: "waits for work",
    story.DESCRIPTOR: "waits for a descriptor",
    story.SLEEP: "sleeps",
}


def events(told: Story) -> str:
    """The whole file: complete events for bars, flows for arrows, names for all."""
    found = [*_clients(told)]
    for order, lane in enumerate(told.lanes):
        found += _lane(lane, order, told.name)
    lanes = {lane.task: lane for lane in told.lanes}
    for number, arrow in enumerate(told.arrows, 1):
        both = {"name": arrow.kind, "cat": "hand-over", "id": number}
        source, target = lanes[arrow.source], lanes[arrow.target]
        found.append({"ph": "s", **both, **_place(source), "ts": _us(arrow.start)})
        found.append({"ph": "f", "bp": "e", **both, **_place(target), "ts": _us(arrow.end)})
    whole = {"displayTimeUnit": "ms", "otherData": {"server": told.name}, "traceEvents": found}
    return json.dumps(whole, indent=0) + "\n"


def _us(seconds: float) -> float:
    return round(seconds * 1e6, 1)


def _place(lane: Lane) -> dict[str, int]:
    return {"pid": lane.process, "tid": lane.task}


def _named(kind: str, name: str, place: dict[str, int]) -> dict[str, Any]:
    return {"ph": "M", "name": kind, "ts": 0, **place, "args": {"name": name}}


def _clients(told: Story) -> list[dict[str, Any]]:
    found = [_named("process_name", "clients", {"pid": CLIENTS, "tid": CLIENTS})]
    for number, row in enumerate(told.rows, 1):
        place = {"pid": CLIENTS, "tid": number}
        found.append(_named("thread_name", f"client {row.name}", place))
        found.append({
            "ph": "X", "name": row.name, "cat": "client", **place, "ts": _us(row.start),
            "dur": _us(row.end - row.start),
            "args": {"outcome": row.outcome, "verdict": str(row.verdict),
                     "evidence": row.verdict.evidence()},
        })  # fmt: skip
    return found


def _lane(lane: Lane, order: int, server: str) -> list[dict[str, Any]]:
    place = _place(lane)
    found = [
        _named("process_name", server, place),
        _named("thread_name", lane.label, place),
        {"ph": "M", "name": "thread_sort_index", "ts": 0, **place, "args": {"sort_index": order}},
    ]
    for bar in lane.bars:
        found.append({
            "ph": "X", "name": _name(bar), "cat": bar.kind, **place, "ts": _us(bar.start),
            "dur": _us(bar.end - bar.start),
            "args": {"calls": [words.call_text(call) for call in bar.calls]},
        })  # fmt: skip
    for mark in lane.marks:
        found.append({
            "ph": "i", "s": "t", "name": mark.text, "cat": mark.kind, **place,
            "ts": _us(mark.at), "args": {"call": words.call_text(mark.call)},
        })  # fmt: skip
    return found


def _name(bar: story.Bar) -> str:
    if bar.kind == story.RUN:
        return bar.client
    return _WAITS.get(bar.kind) or f"{bar.kind}: waits for {bar.client}"
