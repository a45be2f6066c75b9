"""The quick comparison: a few loads, made by wrk, of the stages beside nginx and the roofline."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from harness.bench import limits, tables
from harness.bench.loads import C10K, IDLE, LOADS, Load
from harness.bench.measure import Bench
from harness.bench.results import Results
from harness.bench.servers import ROOFLINE, Contender
from harness.bench.turn import Entry

ROUNDS = 4
SERVERS = re.compile(rf"\d\d-.*|nginx-\d|{ROOFLINE}")
ONE_CLIENT = "00-iterative"
HOLDS_10K = re.compile(r"0[5-8]-.*|nginx-1")
IDLE_CONNECTIONS = {"01-fork": 300, "03-pool": 100}  # the rest: 1,000


def run(bench: Bench, results: Results, wanted: Sequence[str], servers: list[Contender]) -> None:
    """Measures; each table appears as soon as it is complete."""
    progress = bench.progress
    plan = {LOADS[name]: _entries(LOADS[name], servers) for name in wanted}
    progress.total = sum(bench.seconds_for(load, part) for load, part in plan.items())
    progress.print(tables.heading(results, len(servers), progress.total))
    if any(not load.survey for load in plan):
        progress.print(f"\n{tables.LEGEND}\n")
    for load, part in plan.items():
        results.loads.append(load.facts())
        results.cells += bench.measure(load, part)
        progress.table(tables.load_table(results, load.facts()))


def _entries(load: Load, servers: Sequence[Contender]) -> list[Entry]:
    """Who takes part, perhaps with fewer connections than the others."""
    if load is C10K:
        able = [each for each in servers if HOLDS_10K.fullmatch(each.model)]
        return [Entry(each, load, limits.limit(each, load, limits.bounds())) for each in able]
    if load is IDLE:
        return [
            Entry(each, replace(load, idle=IDLE_CONNECTIONS.get(each.model, load.idle)))
            for each in servers
            if each.model != ONE_CLIENT
        ]
    one = load if load.closing else replace(load, connections=1)
    return [Entry(each, one if each.model == ONE_CLIENT else load) for each in servers]
