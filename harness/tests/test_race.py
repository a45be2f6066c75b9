"""The race: how much load each server is given, what is said about it, and how it is looked at."""

from __future__ import annotations

import os
from typing import Any

import pytest

from harness import proc
from harness.bench import limits
from harness.bench.accounting import CpuMeter
from harness.bench.servers import Contender, Kind
from harness.race import words
from harness.race.looks import look
from harness.race.sample import REST, Sampler
from harness.race.shares import Load, Share, ceiling, share
from harness.stages import LADDER

Message = dict[str, Any]


def stage(number: str) -> Contender:
    return Contender(next(s.name for s in LADDER if s.number == number), Kind.STAGE)


# --- how much each is given ---


@pytest.mark.parametrize("number", ["00", "01", "02", "03", "04", "05", "06", "07", "08"])
def test_no_server_is_given_more_than_it_can_bear(number: str) -> None:
    server, load = stage(number), Load(connections=5000, idle=10_000)
    given, (most, _) = share(server, load), ceiling(server)
    assert given.connections + given.idle == min(most, 15_000)
    assert bool(given.limit) == (most < 15_000)
    assert most <= limits.capacity(server, limits.bounds())[0]


def test_busy_connections_come_before_idle_ones() -> None:
    given = share(stage("04"), Load(connections=50, idle=10_000))
    assert given.connections == 50
    assert given.idle == limits.SELECT_CONNECTIONS - 50
    assert "1,023" in given.limit
    assert share(stage("00"), Load(connections=100, idle=100)).idle == 0


def test_peers_get_no_slow_requests_and_the_page_says_so() -> None:
    given = share(Contender("nginx-1", Kind.PEER), Load(slow=100))
    assert given == Share(50, 0, 0, "no slow requests: it has no /work")
    assert share(stage("06"), Load(slow=100)) == Share(50, 0, 100)


@pytest.mark.parametrize("wrong", [{"connections": 51}, {"idle": "10"}, {"slow": -1},
                                   {"turns": True}, {"connections": 10**9}])  # fmt: skip
def test_a_load_is_a_step_of_its_slider_and_nothing_else(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Load().changed(wrong)
    assert Load().changed({"idle": 1000, "do": "set"}) == Load(idle=1000)


# --- what is said ---


def samples(**figures: Any) -> list[Message]:
    usual = {"per_second": 10_000.0, "p50_us": 500, "p99_us": 900, "switches": 100.0, "errors": {},
             "threads": 1, "processes": 1, "held": 50, "memory_kib": 2048}  # fmt: skip
    return [{**usual, **figures}] * words.BELIEVED


def said(load: Load, limits_: dict[str, str] | None = None, **taken: list[Message]) -> str:
    by_name = {stage(key.strip("_")).name: each for key, each in taken.items()}
    return words.seen(load, by_name, limits_ or {}, {})[0]


def test_words_about_polling_have_its_numbers() -> None:
    text = said(Load(idle=10_000), _05=samples(per_second=500, held=10_050), _06=samples())
    assert "poll looks through all 10,050 connections" in text
    assert "6 epoll LT answers 20 times as many" in text
    text = said(Load(idle=10_000), _05=samples(held=10_050), _06=samples())
    assert "looks through" not in text


def test_words_about_a_slow_request_name_who_suffers_and_who_does_not() -> None:
    loop, thread = samples(p50_us=500, p99_us=21_000), samples(p99_us=1500)
    text = said(Load(slow=1000), _06=loop, _02=thread)
    assert "stops all others in an event loop" in text
    assert "21 ms in 6 epoll LT, and 1.5 ms in 2 threads" in text
    assert "slow" not in said(Load(slow=1000), _06=samples(), _02=thread)
    assert "slow" not in said(Load(), _06=loop, _02=thread)


def test_words_about_errors_and_failures_come_first() -> None:
    text = said(Load(), _02=samples(errors={"timeout": 2}), _06=samples())
    assert text == "2 threads: 6 requests had no reply for 2 s."
    failed = words.seen(Load(), {}, {}, {"06-epoll-lt": "exit status 70"})
    assert failed == ("6 epoll LT failed: exit status 70", True)


def test_words_about_limits_tasks_and_switches() -> None:
    assert "only 1,000" in said(Load(), {"04-select": "only 1,000 (…)"}, _04=samples())
    text = said(Load(), _02=samples(threads=1001, memory_kib=20_480), _06=samples())
    assert "a thread for each connection, idle or not: 1,001 of them, 20 MiB" in text
    assert "keeps a thread" not in said(Load(), _03=samples(threads=129), _06=samples())
    text = said(Load(), _02=samples(switches=10_000), _06=samples())
    assert "2 threads: 1 context switches for each request. 6 epoll LT: 0.01" in text
    assert said(Load(), _02=samples(), _06=samples()) == ""


def test_every_stage_has_a_look_and_a_key_of_its_own() -> None:
    looks = [look(each.name) for each in LADDER] + [look("nginx-1"), look("13-unheard-of")]
    assert [each["tag"] for each in looks] == [*"012345678", "n", "13"]
    assert all(each["light"] and each["dark"] and each["label"] for each in looks)


# --- what a server is just now ---


def test_looking_takes_a_small_part_of_the_time_only() -> None:
    now = [0.0]

    def read_slowly(pid: int) -> int:
        now[0] += 0.25
        return int(now[0] * 1e9)

    meter = CpuMeter("a clock", (), read_slowly)
    sampler = Sampler(os.getpid(), meter, stage("06"), interval=0.5, clock=lambda: now[0])
    assert sampler.figures() == {}
    now[0] = 1.0
    first = sampler.figures()
    assert first["cpu"] == pytest.approx(1.0)
    assert first["threads"] == len(proc.task_ids(os.getpid()))
    looked = now[0]
    now[0] = looked + (REST - 1) * 0.25 - 0.01
    assert sampler.figures() is first
    now[0] = looked + (REST - 1) * 0.25 + 0.01
    assert sampler.figures() is not first
