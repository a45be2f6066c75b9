"""What the report says, and what it does not: sentences, the folklore, the numbers to reach."""

from __future__ import annotations

import re

import pytest

from harness.bench.report import conclusions, folklore, plots, targets
from harness.bench.report.reading import Place, Reading
from harness.bench.results import Results
from harness.tests import made_up
from harness.tests.made_up import SEVERAL, cells, dearer, filled, run


@pytest.fixture(scope="module")
def full() -> Reading:
    return Reading(made_up.results())


def text_of(name: str, results: Results) -> conclusions.Text:
    return conclusions.written(name, Reading(results))


def test_sentences_carry_the_numbers_of_the_run(full: Reading) -> None:
    said = " ".join(conclusions.written("ballast1", full).said)
    poll = full.value(Place("05", "ballast1", 10_000), "p50_us")
    assert poll
    assert f"{poll / 1000:.1f}\N{NO-BREAK SPACE}ms" in said
    assert re.search(r"05-poll waits .* \d\d times as long", said)
    assert "06-epoll-lt (" in said  # and no difference


def test_what_is_within_the_noise_is_not_claimed(full: Reading) -> None:
    text = conclusions.written("cpu", full)
    assert any(p.startswith("07-epoll-et and 06-epoll-lt with 100") for p in text.within_noise)
    assert not any("Edges cost more" in sentence for sentence in text.said)


def test_after_a_single_round_hardly_anything_is_claimed() -> None:
    text = text_of("cpu", run(rounds=1))
    assert not any("thread" in sentence for sentence in text.said)
    assert any(pair.startswith("02-thread and 06-epoll-lt") for pair in text.within_noise)


def test_a_reason_is_not_given_for_the_opposite() -> None:
    results = run()
    dearer(results, "06-epoll-lt", 3, "hello-100")
    text = text_of("cpu", results)
    assert any(pair.startswith("02-thread and 06-epoll-lt with 100") for pair in text.unexpected)
    assert not any("blocking thread" in sentence for sentence in text.said)
    assert "the usual reason does not explain" in filled(results)


def test_a_reason_that_was_not_measured_is_left_out() -> None:
    results = run()
    before = " ".join(text_of("cpu", results).said)
    for cell in results.cells:
        cell.switches = cell.syscalls = None
    after = " ".join(text_of("cpu", results).said)
    assert "context switches a request" in before
    assert "blocking thread" in after
    assert "context switches" not in after


@pytest.mark.parametrize("missing", [*SEVERAL, *made_up.SERIES])
def test_nothing_is_said_of_what_is_missing(missing: str) -> None:
    servers = tuple(each for each in SEVERAL if each != missing)
    series = tuple(each for each in made_up.SERIES if each != missing)
    text = filled(made_up.results(servers, series, rounds=2))
    words = re.sub(r"<script.*?</script>|<style.*?</style>|<[^>]*>", " ", text, flags=re.DOTALL)
    assert not re.search(r"\b(nan|None|inf)\b", words)
    if missing in SEVERAL:
        assert missing not in words


def test_everything_failed_and_there_is_still_a_page() -> None:
    results = run(rounds=1)
    for cell in results.cells:
        cell.failed = "did not start"
    results.held = []
    assert list(plots.plots(Reading(results))) == []
    assert "did not start" in filled(results)


# --- the folklore and the targets ---


def verdicts(results: Results) -> dict[str, str]:
    return {v.claim: v.verdict for v in folklore.verdicts(Reading(results))}


def test_the_folklore_is_judged_by_the_numbers() -> None:
    found = verdicts(run())
    assert found["10,000 threads crash"] == folklore.NOT_HERE
    assert found["events are faster than threads"] == folklore.HOLDS
    assert found["the more connections, the wider the gap"] == folklore.IN_PART
    assert found["event servers gain from more connections"] == folklore.NOT_HERE
    assert found["threads take gigabytes, events a fraction of that"] == folklore.IN_PART


def test_other_numbers_give_other_verdicts() -> None:
    results = run()
    dearer(results, "06-epoll-lt", 3)
    for cell in cells(results, "02-thread", "file-10000"):
        cell.rounds, cell.limit = [], "half of threads-max (8,000)"
    for cell in cells(results, "02-thread", "file-5000"):
        cell.pss_kib = 3 * 2**20
    found = verdicts(results)
    assert found["10,000 threads crash"] == folklore.HOLDS
    assert found["events are faster than threads"] == folklore.NOT_HERE
    assert found["threads take gigabytes, events a fraction of that"] == folklore.HOLDS
    assert found["clients of threads wait longer"] == folklore.NOT_HERE


def test_less_than_was_told_holds_in_part() -> None:
    results = run()
    dearer(results, "06-epoll-lt", 1.15, "file-100")
    assert verdicts(results)["events are faster than threads"] == folklore.IN_PART


def test_the_folklore_needs_the_file() -> None:
    reading = Reading(made_up.results(SEVERAL, ("hello",)))
    assert folklore.tables(reading) == []
    assert list(folklore.verdicts(reading)) == []


def test_targets_are_reached_missed_or_not_measured() -> None:
    results = run()
    dearer(results, "06-epoll-lt", 1.2, "hello-100")
    rows = {row[0]: row[-1] for row in targets.table(Reading(results)).rows}
    assert rows["06 CPU over nginx, /hello"] == targets.MISSED
    assert rows["06 CPU over nginx, 10 KiB file"] == targets.REACHED
    assert rows["07 CPU over 06, /hello"] == targets.NOT_MEASURED
    assert rows["06 errors with 10,000 connections"] == targets.REACHED
    cells(results, "06-epoll-lt", "hello-10000")[0].rounds[0].errors["read"] = 1
    rows = {row[0]: row[-1] for row in targets.table(Reading(results)).rows}
    assert rows["06 errors with 10,000 connections"] == targets.MISSED
