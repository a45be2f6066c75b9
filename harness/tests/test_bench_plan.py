"""Who is measured under which load, why not, and how long that takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.bench import held, limits, options, peers, plan, quick, servers
from harness.bench.limits import Bounds
from harness.bench.loads import C10K, CLOSE, HELLO, IDLE, LOADS, Load
from harness.bench.measure import Bench
from harness.bench.options import UsageError
from harness.bench.results import Cell, Results
from harness.bench.servers import Contender, Kind
from harness.stages import LADDER

USUAL = Bounds(20_000, 32_768, "pid_max (32,768)", 16 << 20)
STAGES = [Contender(stage.name, Kind.STAGE) for stage in LADDER]
PEERS = [Contender(name, Kind.PEER) for name in
         ("nginx-1", "nginx-2", *(f"apache-{mpm}" for mpm in peers.MPMS))]  # fmt: skip
ROOFLINES = [Contender(name, Kind.ROOFLINE) for name in servers.ROOFLINES]
ALL = [*STAGES, *PEERS, *ROOFLINES]


def load(name: str) -> Load:
    return next(each for each in plan.LOADS if each.name == name)


def limit(server: str, name: str, machine: Bounds = USUAL) -> str:
    contender = next(each for each in ALL if each.name == server)
    return limits.limit(contender, load(name), machine)


def takers(name: str, machine: Bounds = USUAL) -> set[str]:
    """Who is measured under the load, by the first two letters."""
    entries = plan.entries(load(name), ALL, machine)
    return {entry.contender.name for entry in entries if not entry.limit}


def test_loads_have_names_of_their_own_and_say_where_they_stand_in_their_series() -> None:
    names = [each.name for each in plan.LOADS]
    assert len(set(names)) == len(names)
    for each in plan.LOADS:
        facts = each.facts()
        assert facts.name == f"{facts.series}-{facts.x}"
    for series in {each.series for each in plan.LOADS}:
        assert len({each.facts().unit for each in plan.chosen([series])}) == 1
    assert [each.name for each in plan.chosen(["mix-100", "close"])] == ["close-100", "mix-100"]
    assert set(plan.TWINS) | set(plan.TWINS.values()) <= set(names)


def test_all_of_it_takes_less_than_an_hour() -> None:
    bench = Bench(None, plan.ROUNDS, None, USUAL.waiting_tasks())  # type: ignore[arg-type]
    seconds = sum(bench.seconds_for(each, plan.entries(each, ALL, USUAL))
                  for each in plan.LOADS if each.name not in plan.TWINS)  # fmt: skip
    seconds += held.SECONDS * len(held.contenders(ALL))
    assert 1800 < seconds < 3600


@pytest.mark.parametrize(
    "server, name, reason",
    [
        ("00-iterative", "hello-1", ""),
        ("00-iterative", "hello-100", "one client at a time"),
        ("00-iterative", "close-100", ""),
        ("00-iterative", "ballast1-1000", "one client at a time"),
        ("01-fork", "hello-10000", ""),
        ("03-pool", "hello-1000", ""),
        ("03-pool", "hello-5000", "--workers ends at 4,096"),
        ("04-select", "hello-1000", ""),
        ("04-select", "hello-5000", "descriptors end at 1,023"),
        ("06-epoll-lt", "hello-10000", ""),
        ("apache-prefork", "hello-5000", "take too long to start"),
        ("apache-event", "hello-10000", ""),
    ],
)
def test_a_limit_is_given_with_its_reason(server: str, name: str, reason: str) -> None:
    found = limit(server, name)
    assert reason in found if reason else found == ""


def test_a_small_machine_ends_lines_earlier_and_says_why() -> None:
    few_descriptors = Bounds(4096, 32_768, "pid_max (32,768)", 16 << 20)
    assert limit("06-epoll-lt", "hello-5000", few_descriptors)
    assert "4,096" in limit("06-epoll-lt", "hello-5000", few_descriptors)
    few_tasks = Bounds(20_000, 4096, "pids.max (4,096)", 16 << 20)
    assert "half of pids.max (4,096)" in limit("02-thread", "hello-5000", few_tasks)
    little_memory = Bounds(20_000, 1 << 22, "pid_max (4,194,304)", 1 << 20)
    assert "memory (1 GiB)" in limit("01-fork", "hello-5000", little_memory)
    assert limit("06-epoll-lt", "hello-5000", little_memory) == ""


def test_the_bounds_of_this_machine_are_known() -> None:
    here = limits.bounds()
    assert here.descriptors > 0
    assert 0 < here.most_tasks()[0] < here.tasks
    assert here.memory_kib > 0


def test_a_load_is_for_those_for_whom_it_is_a_question() -> None:
    assert not {"nginx-1", "roofline", "00-iterative"} & takers("mix-100")
    assert {"06-epoll-lt", "02-thread"} <= takers("mix-100")
    assert not {"roofline", "roofline_thread"} & takers("deaf-100")
    assert "nginx-1" in takers("deaf-100")
    assert takers("ballast1-1000") == {"03-pool", "04-select", "apache-prefork"}
    assert takers("ballast50-950") == {"03-pool", "04-select", "apache-prefork"}
    assert {"05-poll", "06-epoll-lt", "02-thread"} <= takers("ballast1-10000")


def test_servers_with_very_many_threads_do_not_all_wait_at_once() -> None:
    bench = Bench(None, 8, None, USUAL.waiting_tasks())  # type: ignore[arg-type]
    places = bench._places(plan.entries(load("hello-10000"), ALL, USUAL))
    waiting = sum(e.contender.tasks(10_000) for e, waits in places if waits and not e.limit)
    assert waiting + USUAL.most_tasks()[0] < USUAL.tasks
    alone = [entry.contender.name for entry, waits in places if not waits and not entry.limit]
    assert alone == ["apache-event"]


def test_a_students_build_stands_beside_ours_and_nginx(tmp_path: Path) -> None:
    for tree in ("ours", "theirs/build/bin"):
        (tmp_path / tree).mkdir(parents=True)
        (tmp_path / tree / "06-epoll-lt").touch()
    found, _ = servers.of_student(tmp_path / "theirs", tmp_path / "ours", ["06"])
    assert [each.name for each in found][:2] == ["yours:06-epoll-lt", "06-epoll-lt"]
    assert found[0].model == "06-epoll-lt"
    assert not [each for each in found if each.name.startswith(("apache", "roofline"))]
    entries = plan.entries(load("mix-100"), found, USUAL)
    assert [entry.contender.name for entry in entries] == ["yours:06-epoll-lt", "06-epoll-lt"]


def test_a_target_is_asked_for_what_it_has() -> None:
    whole = servers.target("127.0.0.1:8080")
    assert whole.address == ("127.0.0.1", 8080)
    assert "file" in {entry.load.series for each in plan.LOADS
                      for entry in plan.entries(each, [whole], USUAL)}  # fmt: skip
    page = servers.target("http://localhost/a/page?x=1")
    assert page.address == ("127.0.0.1", 80)
    entries = [entry for each in plan.LOADS for entry in plan.entries(each, [page], USUAL)]
    assert {entry.load.path for entry in entries} == {"/a/page?x=1"}
    assert {entry.load.body for entry in entries} == {None}
    with pytest.raises(ValueError, match="neither|not host:port"):
        servers.target("ftp://localhost")


def asked(*words: str, old: Results | None = None) -> Any:
    found = options.parsed(list(words))
    options.complete(found, old)
    return found


def test_a_comparison_measures_what_was_measured_before_unless_told_otherwise() -> None:
    old = Results({}, {"full": True, "loads": ["mix-100"], "rounds": 5})
    old.cells = [Cell("06-epoll-lt", "stage", "x", 1), Cell("nginx-1", "peer", "x", 1)]
    same = asked("--compare", "old.json", old=old)
    assert (same.full, same.load, same.stage) == (True, ["mix-100"], ["06-epoll-lt"])
    assert same.rounds == 5
    other = asked("--compare", "old.json", "--rounds", "2", old=old)
    assert (other.full, other.load, other.rounds) == (False, list(LOADS), 2)


def test_the_quick_comparison_is_not_the_full_one() -> None:
    assert asked().rounds == quick.ROUNDS
    assert asked("--full").rounds == plan.ROUNDS
    assert asked("--target", "localhost:80").full
    assert asked("--full", "--load", "hello ballast1-0 held").load[0] == "hello"
    with pytest.raises(UsageError, match="no load 'held'"):
        asked("--load", "held")


def test_the_quick_comparison_gives_each_server_as_many_clients_as_it_can_have() -> None:
    def clients(load: Load, server: str) -> int | None:
        found = {entry.contender.name: entry.load for entry in quick._entries(load, STAGES + PEERS)}
        return found[server].total if server in found else None

    assert clients(HELLO, "00-iterative") == 1
    assert clients(CLOSE, "00-iterative") == 100
    assert clients(IDLE, "01-fork") == 300
    assert clients(IDLE, "06-epoll-lt") == 1000
    assert clients(C10K, "02-thread") is None
    assert clients(C10K, "nginx-1") == 10_000


@pytest.mark.parametrize("name", [each.name for each in PEERS] + ["nginx-8"])
def test_a_peers_configuration_is_filled_in(name: str, tmp_path: Path) -> None:
    command = peers.command(name, tmp_path / "root", tmp_path / name, 8080, 1000)
    (config,) = (tmp_path / name).glob("*.conf")
    text = config.read_text()
    settings = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    assert not [line for line in settings if "@" in line]
    assert "127.0.0.1:8080" in text
    assert str(config) in command
    assert ("reuseport" in text) == (name == "nginx-8")
    assert peers.tasks(name, 1000) >= (1000 if name.startswith("apache") else 2)
