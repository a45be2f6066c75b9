"""The report without a browser: what is drawn, what is said, and what is not."""

from __future__ import annotations

import itertools
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from harness.bench import report
from harness.bench.report import conclusions, page, plots
from harness.bench.report.reading import Reading
from harness.bench.results import Cell, LoadFacts
from harness.tests import made_up
from harness.tests.made_up import cells, dearer, filled, run

ALL = ["hello", "p50", "p99", "cpu", "cpu-crowded", "memory", "memory-each", "file", "file-cpu",
       "pipelined", "close", "ballast1", "ballast50", "mix", "deaf", "held"]  # fmt: skip


@pytest.fixture(scope="module")
def full() -> Reading:
    return Reading(made_up.results())


def data_of(text: str) -> dict:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    assert found
    return json.loads(found[1])


# --- what is drawn ---


def test_a_full_run_has_all_plots(full: Reading) -> None:
    assert [plot.name for plot in plots.plots(full)] == ALL


def test_a_quick_run_has_those_it_has_figures_for() -> None:
    results = run()
    kept = {"hello-100", "close-100"}
    results.loads = [load for load in results.loads if load.name in kept]
    results.cells = [cell for cell in results.cells if cell.load in kept]
    results.held = []
    results.loads.append(LoadFacts("idle", "idle", 0, "memory", "connections", 0, 1000, "crowd"))
    results.cells += [
        Cell(name, "stage", "idle", 0, 1000, pss_kib=14_000, pss_kib_per_connection=13.5)
        for name in ("02-thread", "06-epoll-lt")
    ]
    drawn = {plot.name: plot.drawing["kind"] for plot in plots.plots(Reading(results))}
    assert drawn == dict.fromkeys(("hello", "cpu", "memory-each", "close"), "bars")
    assert "<td>13.50</td>" in filled(results)


def test_each_line_has_a_point_for_each_load_the_server_took(full: Reading) -> None:
    hello = next(plots.plots(full)).drawing
    points = {line["server"]: [p["x"] for p in line["points"]] for line in hello["lines"]}
    assert points["06-epoll-lt"] == [1, 100, 1000, 5000, 10_000]
    assert points["04-select"] == [1, 100, 1000]
    assert points["00-iterative"] == [1]


def test_a_line_that_ends_early_says_why(full: Reading) -> None:
    plot = next(plots.plots(full))
    ends = {line["server"]: line["end"] for line in plot.drawing["lines"]}
    assert ends["04-select"] == plot.ends["04-select"] == "select: descriptors end at 1,023"
    assert ends["06-epoll-lt"] == ""
    assert "06-epoll-lt" not in plot.ends


def test_a_server_that_failed_ends_its_line_with_the_failure() -> None:
    results = run()
    for cell in cells(results, "06-epoll-lt", "hello-")[2:]:
        cell.failed = "it died of SIGSEGV"
    plot = next(plots.plots(Reading(results)))
    assert plot.ends["06-epoll-lt"] == "failed: it died of SIGSEGV"
    assert "it died of SIGSEGV (hello-1000, hello-5000, hello-10000)" in filled(results)


def test_who_was_given_less_than_the_others_is_not_compared() -> None:
    results = run()
    cells(results, "06-epoll-lt", "hello-100")[0].connections = 1
    bars = next(p for p in plots.plots(Reading(results)) if p.name == "cpu")
    assert "06-epoll-lt" not in {row["server"] for row in bars.drawing["rows"]}
    assert not any("06-epoll-lt" in s for s in conclusions.written("cpu", Reading(results)).said)


def test_where_the_client_was_the_limit_marks_are_hollow_and_the_text_says_so() -> None:
    results = run()
    for each in cells(results, "06-epoll-lt", "hello-100")[0].rounds:
        each.client_busy = 0.98
    plot = next(plots.plots(Reading(results)))
    line = next(line for line in plot.drawing["lines"] if line["server"] == "06-epoll-lt")
    assert [p["x"] for p in line["points"] if p["busy"]] == [100]
    said = conclusions.written("hello", Reading(results)).said
    assert not any(sentence.startswith("With 100 connections") for sentence in said)
    assert any("06-epoll-lt (with 100)" in sentence for sentence in said)


def test_a_target_elsewhere_has_what_can_be_seen_from_outside() -> None:
    results = run(("06-epoll-lt",))
    for cell in results.cells:
        cell.server, cell.kind = "target", "target"
        cell.pss_kib = cell.pss_kib_per_connection = cell.kernel_kib_per_connection = None
        cell.syscalls = cell.switches = cell.processes = cell.threads = None
        for each in cell.rounds:
            each.cpu_ns = None
    results.held = []
    results.settings["server_cpu"] = None
    drawn = [plot.name for plot in plots.plots(Reading(results))]
    assert drawn == ["hello", "p50", "p99", "file", "ballast1", "mix", "deaf"]
    assert "The server runs elsewhere" in filled(results)


def test_a_students_server_stands_beside_the_reference() -> None:
    results = run(("06-epoll-lt", "yours:06-epoll-lt", "nginx-1"))
    dearer(results, "yours:06-epoll-lt", 2, "hello-100")
    text = filled(results)
    look = data_of(text)["servers"]["yours:06-epoll-lt"]
    assert (look["label"], look["key"]) == ("yours (06)", "y")
    section = text.partition('<section id="yours-06-epoll-lt">')[2].partition("</section>")[0]
    assert re.search(r"Of \d+ figures \d+ are those of .*06-epoll-lt</b> within the noise", section)
    assert re.search(r"<td>hello-100</td><td>CPU/request</td>.*<td>worse</td>", section)
    assert "nginx-1" in section


# --- the page ---


class Links(HTMLParser):
    """Everything in a page that a browser would fetch."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(text)

    def handle_starttag(self, _: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value or "" for name, value in attrs if name in ("src", "href", "data")]


@pytest.mark.skipif(not page.D3.exists(), reason="apt-get install node-d3")
def test_the_page_is_one_file_that_needs_no_network(tmp_path: Path) -> None:
    written = report.write(run(), tmp_path)
    assert written == tmp_path / "report.html"
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
    text = written.read_text()
    assert Links(text).found == ["data:,"]  # no icon
    assert "default-src 'none'" in text
    assert not re.search(r"@[A-Z]+@|url\(|@import", text.replace(page.D3.read_text(), ""))
    assert "Mike Bostock" in text


def test_without_d3_there_is_a_sentence_and_no_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(page, "D3", tmp_path / "d3.min.js")
    assert report.write(run(), tmp_path) is None
    assert list(tmp_path.iterdir()) == []
    assert "apt-get install node-d3" in capsys.readouterr().err


def test_words_from_outside_stay_words() -> None:
    results = run(("06-epoll-lt", "02-thread"))
    results.notes = ["</script><script>alert(1)</script> & more"]
    results.cells[-1].failed = "</script><b>died</b>"
    for cell in cells(results, "02-thread", "file-10000"):
        cell.limit, cell.rounds = "</script><i>", []
    text = filled(results)
    assert "<script>alert" not in text
    assert "<b>died" not in text
    lines = next(p for p in data_of(text)["plots"] if p["name"] == "file")["drawing"]["lines"]
    assert {line["server"]: line["end"] for line in lines}["02-thread"] == "</script><i>"


def test_each_plot_has_its_table_and_its_unit(full: Reading) -> None:
    text = filled(full.results)
    for plot in data_of(text)["plots"]:
        section = text.partition(f'<section id="{plot["name"]}">')[2].partition("</section>")[0]
        assert "<details><summary>numbers" in section
        assert section.count("<tr data-server=") == len(
            plot["drawing"].get("lines") or plot["drawing"]["rows"]
        )
        assert plot["drawing"]["x"]


def test_keys_are_the_stages_numbers_and_nobody_elses(full: Reading) -> None:
    keys = {name: page.look(name, full.kinds[name])["key"] for name in full.servers}
    for name, key in keys.items():
        assert name[0] != "0" or key == name[1].replace("0", "")
    assert keys["nginx-1"] == keys["nginx-2"] == "n"
    assert "0" not in keys.values()
    assert "d" not in keys.values()


# --- the colours ---


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("shade", ["light", "dark"])
def test_every_colour_can_be_read_on_its_paper(shade: str) -> None:
    paper = page.COLOURS["page"]["paper"][shade]
    for name, looks in page.COLOURS["servers"].items():
        assert contrast(looks[shade], paper) >= 3, name  # large text, by WCAG
    for name in ("ink", "soft", "alarm"):
        assert contrast(page.COLOURS["page"][name][shade], paper) >= 4.5, name


def test_no_two_stages_look_alike() -> None:
    stages = {n: s for n, s in page.COLOURS["servers"].items() if n[0].isdigit()}
    assert len(stages) == 9
    for (one, a), (other, b) in itertools.combinations(stages.items(), 2):
        assert a["light"] != b["light"], (one, other)
        assert a["dark"] != b["dark"], (one, other)
        assert (a["dash"], a["marker"]) != (b["dash"], b["marker"]), (one, other)
