"""The report in a real browser: Chromium without a window, driven by its own driver."""

from __future__ import annotations

import base64
import itertools
import json
from collections.abc import Iterator
from typing import Any

import pytest

from harness.bench import report
from harness.bench.report import page, plots
from harness.bench.report.reading import Reading
from harness.tests import made_up

pytest.importorskip("selenium", reason="apt-get install python3-selenium")

from selenium.webdriver.common.keys import Keys  # noqa: E402

from harness.tests.chromium import chromium, needs_chromium, press, resize  # noqa: E402

SERVERS = ("02-thread", "04-select", "05-poll", "06-epoll-lt", "nginx-1", "roofline")
TWO = itertools.repeat(2)

pytestmark = [
    pytest.mark.skipif(not page.D3.exists(), reason="apt-get install node-d3"),
    needs_chromium,
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as driver:
        yield driver


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    written = report.write(made_up.results(SERVERS), tmp_path_factory.mktemp("report"))
    assert written
    return written.as_uri()


def opened(browser: Any, address: str, width: int = 1280, height: int = 720) -> None:
    resize(browser, width, height)
    browser.get("about:blank")  # an address that differs by its # only would not be loaded again
    browser.get(address)


def counted(browser: Any, selector: str) -> int:
    return browser.execute_script("return document.querySelectorAll(arguments[0]).length", selector)


def boxes(browser: Any, selector: str) -> list[list[list[float]]]:
    """Left, right, top and bottom of what is in each plot."""
    return browser.execute_script(
        "return [...document.querySelectorAll('.plot')].map((plot) =>"
        " [...plot.querySelectorAll(arguments[0])].map((each) => {"
        "  const box = each.getBoundingClientRect();"
        "  return [box.left, box.right, box.top, box.bottom];"
        " }))",
        selector,
    )


def lit(browser: Any) -> set[str]:
    return set(browser.execute_script(
        "return [...document.querySelectorAll('#hello .server:not(.dim)')]"
        ".map((each) => each.dataset.server)"
    ))  # fmt: skip


def requested(browser: Any) -> set[str]:
    """Every address that the browser asked for since the last question."""
    messages = (json.loads(each["message"])["message"] for each in browser.get_log("performance"))
    return {
        message["params"]["request"]["url"]
        for message in messages
        if message["method"] == "Network.requestWillBeSent"
    }


def test_all_is_drawn_and_nothing_is_fetched(browser: Any, address: str) -> None:
    requested(browser)
    opened(browser, address)
    drawn = {plot.name: plot for plot in plots.plots(Reading(made_up.results(SERVERS)))}
    assert len(drawn) > 10
    for name, plot in drawn.items():
        per_server = plot.drawing.get("lines") or plot.drawing["rows"]
        assert counted(browser, f"#{name} svg .server") == len(per_server), name
        if "lines" in plot.drawing:
            marks = sum(len(line["points"]) for line in per_server)
            assert counted(browser, f"#{name} .mark") == marks, name
            assert counted(browser, f"#{name} .line") == len(per_server), name
    asked = {url for url in requested(browser) if not url.startswith(("data:", "about:"))}
    assert asked == {address}
    assert [each["message"] for each in browser.get_log("browser")] == []


def test_keys_and_the_address_move_the_spotlight(browser: Any, address: str) -> None:
    opened(browser, address)
    assert lit(browser) == set(SERVERS)
    press(browser, "26")
    assert lit(browser) == {"02-thread", "06-epoll-lt"}
    assert browser.current_url.endswith("#26")
    assert counted(browser, "#hello tr.lit") == 2
    press(browser, "2")
    assert lit(browser) == {"06-epoll-lt"}
    press(browser, "0")
    assert lit(browser) == set(SERVERS)
    assert "#" not in browser.current_url
    opened(browser, f"{address}#5n")
    assert lit(browser) == {"05-poll", "nginx-1"}
    browser.execute_script("document.querySelector('#chips [data-server=\"05-poll\"]').click()")
    assert lit(browser) == {"nginx-1"}


def test_arrows_go_from_plot_to_plot(browser: Any, address: str) -> None:
    opened(browser, address)

    def at_the_top() -> str:
        return browser.execute_script(
            "return [...document.querySelectorAll('section')]"
            ".filter((each) => Math.abs(each.getBoundingClientRect().top) < 2)[0]?.id"
        )

    for key, name in ((Keys.RIGHT, "hello"), (Keys.RIGHT, "p50"), (Keys.RIGHT, "p99"),
                      (Keys.LEFT, "p50")):  # fmt: skip
        press(browser, key)
        assert at_the_top() == name


def test_it_is_light_or_dark_as_the_system_or_the_reader_wants(browser: Any, address: str) -> None:
    def paper() -> str:
        return browser.execute_script("return getComputedStyle(document.documentElement)"
                                      ".backgroundColor")  # fmt: skip

    light, dark = "rgb(255, 255, 255)", "rgb(18, 22, 28)"
    for system, first, then in (("light", light, dark), ("dark", dark, light)):
        feature = {"name": "prefers-color-scheme", "value": system}
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
        opened(browser, address)
        assert paper() == first
        press(browser, "d")
        assert paper() == then
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


@pytest.mark.parametrize("width, height", [(1280, 720), (390, 844)])
def test_no_label_covers_another_and_all_stay_on_the_page(
    browser: Any, address: str, width: int, height: int
) -> None:
    opened(browser, address, width, height)
    assert browser.execute_script(
        "const page = document.documentElement; return page.scrollWidth - page.clientWidth"
    ) == 0
    for left, right, _, _ in itertools.chain(*boxes(browser, "text")):
        assert left >= 0
        assert right <= width
    labels = boxes(browser, ".name")
    assert all(labels)
    for (_, _, top, bottom), other in itertools.chain(*map(itertools.permutations, labels, TWO)):
        if other[2] >= top:  # each line of text has some air above and below
            assert other[2] - top > 0.8 * (bottom - top)


def test_it_prints_as_vectors(browser: Any, address: str) -> None:
    opened(browser, address)
    pdf = base64.b64decode(browser.execute_cdp_cmd("Page.printToPDF", {})["data"])
    assert pdf.startswith(b"%PDF")
    assert b"/Subtype /Image" not in pdf
    assert counted(browser, "details[open]") > 0  # a table cannot be opened on paper
