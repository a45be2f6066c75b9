"""The race in a real browser: Chromium without a window, driven by its own driver."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("aiohttp", reason="apt-get install python3-aiohttp")
pytest.importorskip("selenium", reason="apt-get install python3-selenium")

from selenium.webdriver.common.keys import Keys  # noqa: E402

from harness import proc  # noqa: E402
from harness.tests.chromium import chromium, needs_chromium, press, resize  # noqa: E402
from harness.tests.racing import Race, needs_servers, racing, until  # noqa: E402

pytestmark = [needs_servers, needs_chromium]


@pytest.fixture
def browser() -> Iterator[Any]:
    with chromium() as driver:
        yield driver


def _sees(browser: Any, script: str, what: str) -> Any:
    return until(lambda: browser.execute_script(f"return {script}"), what)


def _text(selector: str) -> str:
    return f"document.querySelector(`{selector}`).textContent"


def _resize(browser: Any, width: int, height: int) -> None:
    resize(browser, width, height)
    _sees(browser, f"innerWidth === {width}", "another width")


def _is_running(browser: Any, phase: str = "running") -> None:
    _sees(browser, f"document.body.dataset.phase === '{phase}'", phase)


def test_a_page_starts_steers_shows_and_ends_a_race(browser: Any, tmp_path: Path) -> None:
    with racing(tmp_path, "--stage", "02 06") as race:
        _resize(browser, 1280, 720)
        browser.get(race.address)
        _is_running(browser, "stopped")
        press(browser, " ")
        _is_running(browser)
        _lines_grow(browser)
        _a_slider_is_followed(browser, race)
        _others_are_chosen(browser)
        _it_fits(browser)
        press(browser, " ")
        _is_running(browser, "stopped")
        assert not race.loads()
        press(browser, " ")
        _is_running(browser)
        until(race.loads, "it starts again")
        faults = [line for line in browser.get_log("browser") if line["level"] == "SEVERE"]
        assert not faults
        browser.get("about:blank")
        until(lambda: not race.loads(), "the load ends with the page")


LINES = """Object.fromEntries([...document.querySelectorAll('figure path')].map((each) =>
  [each.closest('figure').dataset.key + ' ' + each.dataset.server, each.getAttribute('d')]))"""


def _lines_grow(browser: Any) -> None:
    """Every plot has a line for each server, and all grow."""
    first = until(lambda: _all_drawn(browser), "a line for each server in each plot")

    def all_grow() -> bool:
        now = _all_drawn(browser)
        return bool(now) and all(now[k].count("L") > 2 + first[k].count("L") for k in first)

    until(all_grow, "all lines grow")


def _all_drawn(browser: Any) -> dict[str, str]:
    """The lines, once all are there."""
    lines: dict[str, str] = browser.execute_script(f"return {LINES}")
    return lines if len(lines) == 7 * 2 and all(lines.values()) else {}


def _a_slider_is_followed(browser: Any, race: Race) -> None:
    press(browser, "i", *[Keys.ARROW_RIGHT] * 3)
    assert browser.execute_script(f"return {_text('#idle-value')}") == "100"
    for server in ("02-thread", "06-epoll-lt"):
        count = _text(f'[data-server="{server}"] small')
        _sees(browser, f"{count} === '150 connected'", f"{server} has 150 connections")
        (pid,) = race.running(server)
        assert len(proc.socket_inodes(pid)) >= 151, "and a listener"
    label = "document.querySelector('figure[data-key=threads] svg').getAttribute('aria-label')"
    _sees(browser, f"{label}.includes('2 threads 151, 6 epoll LT 1')", "a thread for each")
    _sees(browser, f"{_text('#words')}.includes('idle or not')", "and the words say so")


def _others_are_chosen(browser: Any) -> None:
    """By key and by click; who is no longer chosen has no column any more."""
    columns = "[...document.querySelectorAll('.lane')].map((each) => each.dataset.server).join()"
    press(browser, "2")
    _sees(browser, f"{columns} === '06-epoll-lt'", "only 06")
    browser.find_element("css selector", "#servers [data-server='02-thread']").click()
    _sees(browser, f"{columns} === '02-thread,06-epoll-lt'", "both")
    press(browser, "t")
    _sees(browser, f"{_text('#turns')} === 'in turns'", "they take turns")
    count = _text('.lane[data-server="02-thread"] small')
    _sees(browser, f"{count}.includes('connected')", "02 is back")


def _it_fits(browser: Any) -> None:
    """On a projector without scrolling, on a phone without scrolling sideways."""
    assert browser.execute_script("return document.documentElement.scrollHeight <= 720")
    _resize(browser, 390, 800)
    assert browser.execute_script("return document.documentElement.scrollWidth <= 390")
