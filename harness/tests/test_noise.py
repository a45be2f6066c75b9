"""The noise of a figure, and what stands above it."""

from __future__ import annotations

import pytest

from harness.bench import held, noise
from harness.bench.results import ERROR_KINDS, Cell, Round

STEADY = [6.0] * 8
US, SECOND = 1e-6, 1.0


def cell(costs: list[float], busy: float = 0.5, **more: float) -> Cell:
    """A cell whose rounds cost so many microseconds of CPU, and take as long."""
    rounds = [
        Round(SECOND, round(SECOND / (cost * US)), cpu_ns=10**9, p50_us=cost * 100,
              p90_us=cost * 120, p99_us=cost * 200, max_us=cost * 900,
              errors=dict.fromkeys(ERROR_KINDS, 0), client_busy=busy)
        for cost in costs
    ]  # fmt: skip
    return Cell("06-epoll-lt", "stage", "hello-100", 100, rounds=rounds, **more)


def test_the_best_round_counts_for_cost_and_rate_and_the_median_for_latency() -> None:
    measured = cell([9, 6, 7, 8, 12])
    assert noise.value(measured, "cpu_us") == pytest.approx(6, rel=1e-3)
    assert noise.value(measured, "per_second") == pytest.approx(1 / (6 * US), rel=1e-3)
    assert noise.value(measured, "p50_us") == 800


def test_rounds_that_agree_are_as_noisy_as_the_floor() -> None:
    for figure, kind in noise.FIGURES.items():
        assert noise.of(cell(STEADY), figure) == kind.floor


def test_some_slow_rounds_say_nothing_against_the_best_ones() -> None:
    assert noise.of(cell([6, 6.1, 6, 6.1, 8, 8, 8, 8]), "cpu_us") == noise.FIGURES["cpu_us"].floor


def test_one_round_that_no_other_comes_near_is_noise() -> None:
    assert noise.of(cell([6, 8, 8, 8, 8, 8, 8, 8]), "cpu_us") == pytest.approx(1 / 3, rel=0.02)


def test_halves_that_disagree_about_latency_are_noise() -> None:
    assert noise.of(cell([4, 4, 4, 4, 8, 8, 8, 8]), "p50_us") >= 0.5


def test_of_a_single_round_nothing_is_known() -> None:
    assert noise.of(cell([6]), "cpu_us") == noise.ALONE
    assert not noise.stands(cell([6]), cell([12]), "cpu_us")


def test_rounds_that_are_left_out_count_for_nothing() -> None:
    measured = cell([6, 6, 3])
    measured.rounds[2].compared = False
    assert noise.value(measured, "cpu_us") == pytest.approx(6, rel=1e-3)


def test_a_difference_stands_if_it_is_wider_than_both_noises_together() -> None:
    assert not noise.stands(cell(STEADY), cell([6.8] * 8), "cpu_us")  # 13 %, where each has 8
    assert noise.stands(cell(STEADY), cell([7.1] * 8), "cpu_us")
    assert noise.stands(cell([7.1] * 8), cell(STEADY), "cpu_us")
    shaky = cell([7.1, 9, 9, 9, 9, 9, 9, 9])
    assert not noise.stands(cell(STEADY), shaky, "cpu_us")


def test_a_client_that_could_do_no_more_says_nothing_about_the_server() -> None:
    fast, slow = cell(STEADY, busy=0.98), cell([12] * 8)
    for figure in ("per_second", "p50_us", "p99_us"):
        assert not noise.stands(fast, slow, figure)
        assert noise.stands(cell(STEADY), slow, figure) == (figure != "p99_us")
    assert noise.stands(fast, slow, "cpu_us")


def test_what_is_next_to_nothing_does_not_differ() -> None:
    small, double = (cell(STEADY, pss_kib_per_connection=kib) for kib in (0.03, 0.06))
    assert not noise.stands(small, double, "pss_kib_per_connection")
    assert noise.stands(small, cell(STEADY, pss_kib_per_connection=12.0), "pss_kib_per_connection")


def test_what_was_not_measured_does_not_differ() -> None:
    failed = cell(STEADY)
    failed.failed = "it died"
    unseen = cell(STEADY)
    for each in unseen.rounds:
        each.cpu_ns = None
    for other in (failed, unseen):
        assert noise.value(other, "cpu_us") is None
        assert not noise.stands(cell([60] * 8), other, "cpu_us")
    assert not noise.stands(cell(STEADY), cell(STEADY, syscalls=2.0), "syscalls")


def test_held_connections_are_compared_in_one_state_of_the_machine() -> None:
    near, far = held.Run(50, 130_000, 100), held.Run(60, 110_000, 400)
    assert held.of_one_state([far, near], [near, far, near]) == ([near], [near, near])
    assert held.of_one_state([far, far], [near]) == ([far, far], [near])  # nothing to choose from
    unknown = held.Run(50, 130_000, 0)
    assert held.of_one_state([unknown], [unknown]) == ([unknown], [unknown])
