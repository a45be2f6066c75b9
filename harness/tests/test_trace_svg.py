"""What is drawn from recordings: the story, the SVG, and the trace viewers' file."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from harness.tests.traced import NAMES, told
from harness.trace import chrome, layout, marks, story, svg, words
from harness.trace.calls import Call
from harness.trace.story import Bar, Lane, Mark, Story

SVG = "{http://www.w3.org/2000/svg}"
pytestmark = pytest.mark.skipif(not NAMES, reason="there are no recordings in slides/traces")


def drawn(name: str | Story, **more: bool) -> ElementTree.Element:
    return ElementTree.fromstring(svg.draw(told(name) if isinstance(name, str) else name, **more))


def texts(picture: ElementTree.Element) -> list[str]:
    return [each.text or "" for each in picture.iter(f"{SVG}text")]


def titles(picture: ElementTree.Element) -> list[str]:
    return [each.text or "" for each in picture.iter(f"{SVG}title")]


# --- the story ----------------------------------------------------------------------------------


def test_who_waits_for_whom() -> None:
    waits = {name: {row.name: words.waited(row) for row in told(name).rows} for name in NAMES}
    assert waits["00-iterative"]["B"] > 0.07
    assert all(waits[name]["B"] < 0.03 for name in NAMES[1:])
    said = words.lesson(told("00-iterative"))
    assert re.search(r": B C D E F wait for the server .* B takes 1\d\d ms, \d+ of them wai", said)
    alone = [row for row in told("06-epoll-lt").rows if words.waited(row) < 0.015]
    quiet = replace(told("06-epoll-lt"), rows=alone)
    assert ": nobody waits for another: " in words.lesson(quiet)


@pytest.mark.parametrize(
    "name, labels",
    [
        ("00-iterative", ["server"]),
        ("01-fork", ["parent", *(f"child {n}" for n in range(1, 7))]),
        ("02-thread", ["main", *(f"thread {n}" for n in range(1, 7))]),
        ("03-pool", ["acceptor", *(f"worker {n}" for n in range(1, 5))]),
        ("04-select", ["loop"]),
        ("05-poll", ["loop"]),
        ("06-epoll-lt", ["loop"]),
        ("07-epoll-et", ["loop"]),
        ("08-master-worker", ["master", "worker 1", "worker 2"]),
    ],
)
def test_lanes(name: str, labels: list[str]) -> None:
    assert [lane.label for lane in told(name).lanes] == labels


def test_arrows() -> None:
    kinds = {name: Counter(arrow.kind for arrow in told(name).arrows) for name in NAMES}
    assert kinds == {
        **{name: Counter() for name in NAMES},
        "01-fork": {story.FORK: 6},
        "02-thread": {story.THREAD: 6},
        "03-pool": {story.HAND_OVER: 6},
        "08-master-worker": {story.PASS: 6},
    }


def test_nobody_is_in_two_places_at_once() -> None:
    for name in NAMES:
        for lane in told(name).lanes:
            ends = 0.0
            for bar in lane.bars:
                assert ends - 1e-9 <= bar.start < bar.end <= told(name).span + 1e-9, name
                ends = bar.end


# --- the picture --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_a_picture_is_well_formed_and_for_itself(name: str) -> None:
    text = svg.draw(told(name))
    picture = ElementTree.fromstring(text)
    assert picture.get("role") == "img"
    assert picture.get("aria-label") == words.lesson(told(name))
    identities = [each.get("id") for each in picture.iter() if each.get("id")]
    assert len(set(identities)) == len(identities)
    assert set(re.findall(r"url\(#([^)]*)\)", text)) <= set(identities)
    assert not re.search(r"href|url\((?!#)|@import|<script", text)
    assert re.findall(r"https?://[^\"< ]+", text) == ["http://www.w3.org/2000/svg"]
    assert "prefers-color-scheme: dark" in text
    assert "prefers-color-scheme" not in svg.draw(told(name), light_only=True)
    assert set(re.findall(r"var\(--([\w-]+)\)", text)) <= set(re.findall(r"--([\w-]+):", text))


def test_the_same_recording_gives_the_same_bytes_and_no_two_share_an_id() -> None:
    assert svg.draw(told("01-fork")) == svg.draw(told("01-fork"))
    seen = [set(re.findall(r' id="([^"]*)"', svg.draw(told(name)))) for name in NAMES]
    assert len(set.union(*seen)) == sum(map(len, seen))


@pytest.mark.parametrize("name", NAMES)
def test_nothing_leaves_the_picture(name: str) -> None:
    picture = drawn(name)
    height = float(picture.get("height") or 0)
    assert height <= 610
    for each in picture.iter():
        x, y = (float(each.get(at) or 0) for at in "xy")
        if each.tag == f"{SVG}rect":
            assert 0 <= x <= x + float(each.get("width") or 0) <= layout.WIDTH
        if each.tag == f"{SVG}text":
            kind = each.get("class") or ""
            wide = layout.width(each.text or "", 16 if "inside" in kind else 18)
            left = x - (wide if "label" in kind else wide / 2 if "inside" in kind else 0)
            if "tick" not in kind and "number" not in kind:
                assert 0 <= left <= left + wide <= layout.WIDTH, each.text
            assert 0 < y <= height


def test_what_a_picture_says() -> None:
    said = texts(drawn("00-iterative"))
    b = next(row for row in told("00-iterative").rows if row.name == "B")
    assert {"00", "iterative", "client B", words.total(b)} <= set(said)
    assert f"waits {words.milliseconds(words.waited(b))} ms for the server" in said
    assert "read: waits for A" in said
    assert "runs, or waits for a cpu" in said
    assert not {"fork", "waits for work", "sleeps"} & set(said), "the legend has what is not there"
    for name, word in (
        ("01-fork", "fork"), ("02-thread", "thread start"), ("03-pool", "through the queue"),
        ("08-master-worker", "descriptor passed"),
    ):  # fmt: skip
        assert word in texts(drawn(name))
    select = texts(drawn("04-select"))
    assert any(re.search(r"system calls: \d+ pselect6 ·", each) for each in select)


def test_a_bar_tells_its_calls() -> None:
    found = titles(drawn("03-pool"))
    read = r"worker \d blocked: waits for bytes from A.*\nrecvfrom\(.* \[\d\d+\.\d\d ms\]"
    assert any(re.search(read, each) for each in found)
    assert any(re.search(r"acceptor queues E for worker \d", each) for each in found)


def made_up(lanes: int = 1, **changes: object) -> Story:
    """A story of 00 with more lanes, or with another end."""
    real = told("00-iterative")
    first = real.lanes[0]
    more = [
        Lane(n, f"worker {n}", 0.0, real.span, [Bar(story.QUEUE, 0.0, real.span, "", ())])
        for n in range(1, lanes)
    ]
    return replace(real, lanes=[first, *more], **changes)


def test_many_lanes_are_summed_up() -> None:
    said = texts(drawn(made_up(65)))
    assert "and 56 more that wait" in said
    assert sum(each.startswith("worker") for each in said) == layout.MOST_LANES - 1


def test_who_got_no_reply_has_a_cross() -> None:
    rows = list(told("00-iterative").rows)
    took = words.total(rows[5])
    for outcome in ("reset", "gave up", "closed"):
        rows[5] = replace(rows[5], outcome=outcome, whole=None)
        picture = drawn(made_up(rows=rows))
        assert f"{outcome}, {took}" in texts(picture)
        assert f": F gets no reply ({outcome})" in words.lesson(made_up(rows=rows))
        assert [each.get("class") for each in picture.iter(f"{SVG}path")].count("cross") == 1
    rows[5] = replace(rows[5], outcome="503")
    assert f"{took} 503" in texts(drawn(made_up(rows=rows)))


def test_a_moment_and_a_kill_are_marked() -> None:
    real = told("00-iterative")
    call = Call(real.lanes[0].task, 0.1, 0.0, "end", "killed by SIGKILL", "")
    killed = replace(real.lanes[0], marks=[Mark(story.KILLED, 0.1, "", call.args, call)])
    picture = drawn(replace(real, lanes=[killed], note="worker 2 is killed", moment=0.1))
    assert {"killed by SIGKILL", "worker 2 is killed"} <= set(texts(picture))
    kinds = [each.get("class") for each in picture.iter(f"{SVG}path")]
    assert (kinds.count("moment"), kinds.count("cross")) == (1, 1)


def test_marks_say_how_many_reads_a_wakeup_was_good_for() -> None:
    real = told("07-epoll-et")

    def mark(kind: str, at: float, client: str = "", text: str = "", value: int = 0) -> Mark:
        return Mark(kind, at, client, text, Call(7, at, 0.0, "recvfrom", "", str(value)))

    edge = [mark(story.WAKE, 0.05, text="1 event"),
            *(mark(story.GOT, 0.0501, "A", value=16384) for _ in range(3)),
            mark(story.EMPTY, 0.0502, "A", "recvfrom: EAGAIN")]  # fmt: skip
    level = [
        mark(kind, 0.1 + number / 1e4, client, value=100)
        for number in range(3)
        for kind, client in ((story.WAKE, ""), (story.GOT, "B"))
    ]
    empty = [mark(story.WAKE, 0.15), mark(story.EMPTY, 0.15, "", "accept4: EAGAIN")]
    lane = replace(real.lanes[0], marks=[*edge, *level, *empty])
    said = texts(drawn(replace(real, lanes=[lane], detail=True)))
    assert "A: 49,152 bytes in 3 reads, after 1 wakeup" in said
    assert "B: 300 bytes in 3 reads, after 3 wakeups" in said
    assert "accept4: EAGAIN" in said
    assert {"the wait returned", "bytes read", "nothing there: EAGAIN"} <= set(said)
    assert "bytes sent" not in said
    plain = texts(drawn(replace(real, lanes=[lane])))
    assert not {"accept4: EAGAIN", "the wait returned"} & set(plain)
    assert marks.plan(lane, layout.fitting([real]).x).room > 18


def test_two_pictures_can_have_one_clock() -> None:
    scale = layout.fitting([told("00-iterative"), told("06-epoll-lt")])
    both = [svg.draw(told(name), scale=scale) for name in ("00-iterative", "06-epoll-lt")]
    ticks = [re.findall(r'x="([\d.]+)" y="[\d.]+" class="tick"', each) for each in both]
    assert ticks[0] == ticks[1]
    assert len(ticks[0]) == 10


def test_a_server_that_is_not_what_its_stage_is() -> None:
    odd = replace(told("02-thread"), name="06-epoll-lt")
    assert [row.name for row in words.misfits(odd)] == list("ABCDEF")
    assert any(each.endswith(", not 06-epoll-lt") for each in texts(drawn(odd)))
    assert not words.misfits(told("02-thread"))


# --- the trace viewers' file --------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_trace_events(name: str) -> None:
    events = json.loads(chrome.events(told(name)))["traceEvents"]
    by_kind = Counter(each["ph"] for each in events)
    bars = sum(len(lane.bars) for lane in told(name).lanes)
    assert by_kind["X"] == bars + 6
    assert by_kind["s"] == by_kind["f"] == len(told(name).arrows)
    known = {"M", "X", "s", "f", "i"}
    for each in events:
        assert each["ph"] in known
        assert isinstance(each["pid"], int) and isinstance(each["tid"], int)
        assert each["ts"] >= 0
        assert each["ph"] != "X" or each["dur"] > 0
    named = {(each["pid"], each["tid"]) for each in events if each["name"] == "thread_name"}
    assert {(each["pid"], each["tid"]) for each in events if each["ph"] == "X"} <= named
    processes = {each["pid"] for each in events} - {chrome.CLIENTS}
    assert len(processes) == {"01-fork": 7, "08-master-worker": 3}.get(name, 1)
