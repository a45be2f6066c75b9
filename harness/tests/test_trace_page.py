"""The page that compares recordings: as text, and in a real browser."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from harness.tests.traced import NAMES, recorded, told
from harness.trace import page, tables, words

pytest.importorskip("selenium", reason="apt-get install python3-selenium")

from selenium.webdriver import ActionChains  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402

from harness.tests.chromium import chromium, needs_chromium, press, resize  # noqa: E402

pytestmark = pytest.mark.skipif(not NAMES, reason="there are no recordings in slides/traces")
SHOWN = "figure:not([hidden])"


@pytest.fixture(scope="module")
def text() -> str:
    return page.filled([recorded(name) for name in NAMES])


# --- as text ------------------------------------------------------------------------------------


def test_it_is_one_file_and_the_same_each_time(text: str) -> None:
    assert text == page.filled([recorded(name) for name in NAMES])
    assert "default-src 'none'" in text
    assert set(re.findall(r"https?://[^\"' <)]+", text)) == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"<(script|link|img|iframe)[^>]* (src|href)=\"(?!data:)", text)
    assert not re.search(r"@[A-Z]+@", text)
    identities = re.findall(r'<[^>]* id="([^"]*)"', text)
    assert len(set(identities)) == len(identities)


def test_its_tables(text: str) -> None:
    plain = unescape(re.sub(r"<[^>]+>", "|", text))
    for name in NAMES:
        assert told(name).verdict in plain
    assert "look alike on purpose" in plain
    assert re.search(r"select [3-9]\|", plain)
    assert re.search(r"poll [3-9]\|", plain)
    assert "epoll_wait 0|" in plain
    assert "yes, SCM_RIGHTS" in plain
    assert "after the accept" in plain
    assert "edge-triggered" in plain
    few = page.filled([recorded("00-iterative"), recorded("01-fork")])
    assert "look alike on purpose" not in few


def test_how_many_descriptors_a_wait_was_handed() -> None:
    one = "<TCP:[127.0.0.1:1]>"
    lines = [
        f"0.1 poll([{{fd=3{one}, events=POLLIN}}, {{fd=4{one}, events=POLLIN}}], 2, -1) = 1 <0.1>",
        f"0.2 poll([{{fd=3{one}, events=POLLIN}}, ...], 70, 1000) = 1 ([{{fd=3, revents=POLLIN}}]) "
        "<0.1>",
        f"0.3 pselect6(9, [3{one} 4{one} 8{one}], [4{one}], NULL, NULL, NULL) = 1 (in [3]) <0.1>",
        "0.4 epoll_wait(5<anon_inode:[eventpoll]>, [], 512, -1) = 0 <0.1>",
        f"9.0 poll([{{fd=3{one}, events=POLLIN}}, ...], 99, -1) = 1 <0.1>",
    ]
    recording = replace(recorded("05-poll"), tasks={7: lines}, span=1.0)
    assert tables.listed(recording) == "select 3\npoll 70\nepoll_wait 0"


def test_a_server_of_another_kind_stands_out() -> None:
    odd = replace(recorded("02-thread"), name="06-epoll-lt")
    text = page.filled([odd], source="These are the servers of a <friend>.")
    assert '<b class="odd">6 of 6 do not fit</b>' in text
    assert "<details open>" in text
    assert "a &lt;friend&gt;." in text


# --- in a browser -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as driver:
        yield driver


@pytest.fixture(scope="module")
def address(text: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    path: Path = tmp_path_factory.mktemp("trace") / "index.html"
    path.write_text(text, encoding="utf-8")
    return path.as_uri()


def opened(browser: Any, address: str, width: int = 1280, height: int = 720) -> None:
    resize(browser, width, height)
    browser.get("about:blank")
    browser.get(address)


def shown(browser: Any) -> list[str]:
    return browser.execute_script(
        f"return [...document.querySelectorAll('{SHOWN}')].map((each) => each.dataset.name)"
    )


def widths(browser: Any) -> list[float]:
    return browser.execute_script(
        f"return [...document.querySelectorAll('{SHOWN} svg')]"
        ".map((each) => each.getBoundingClientRect().width)"
    )


def requested(browser: Any) -> set[str]:
    messages = (json.loads(each["message"])["message"] for each in browser.get_log("performance"))
    return {
        message["params"]["request"]["url"]
        for message in messages
        if message["method"] == "Network.requestWillBeSent"
    }


@needs_chromium
def test_nothing_is_fetched_and_nothing_complains(browser: Any, address: str) -> None:
    requested(browser)
    opened(browser, address)
    press(browser, "06d")
    asked = {url for url in requested(browser) if not url.startswith(("data:", "about:"))}
    assert asked == {address}
    assert [each["message"] for each in browser.get_log("browser")] == []


@needs_chromium
def test_keys_show_one_two_or_all(browser: Any, address: str) -> None:
    opened(browser, address)
    assert shown(browser) == NAMES
    press(browser, "0")
    assert shown(browser) == ["00-iterative"]
    press(browser, "6")
    assert shown(browser) == ["00-iterative", "06-epoll-lt"]
    assert browser.current_url.endswith("#0+6")
    assert len(set(widths(browser))) == 1, "not on the same scale"
    bottom = browser.execute_script(
        f"return Math.max(...[...document.querySelectorAll('{SHOWN}')]"
        ".map((each) => each.getBoundingClientRect().bottom))"
    )
    assert bottom <= 720
    press(browser, Keys.RIGHT)
    assert shown(browser) == ["00-iterative", "07-epoll-et"]
    press(browser, Keys.ESCAPE)
    assert shown(browser) == NAMES
    press(browser, "8")
    press(browser, Keys.RIGHT)
    assert shown(browser) == ["00-iterative"]
    press(browser, Keys.LEFT)
    assert shown(browser) == ["08-master-worker"]
    ActionChains(browser).key_down(Keys.SHIFT).send_keys("3").key_up(Keys.SHIFT).perform()
    assert shown(browser) == ["03-pool", "08-master-worker"]
    press(browser, "a")
    assert shown(browser) == NAMES
    opened(browser, f"{address}#1+2")
    assert shown(browser) == ["01-fork", "02-thread"]
    browser.find_element("css selector", '#chips [value="1"]').click()
    assert shown(browser) == ["02-thread"]


@needs_chromium
def test_a_bar_tells_its_calls_when_pointed_at_or_focused(browser: Any, address: str) -> None:
    opened(browser, address)
    press(browser, "4")
    tip = browser.find_element("css selector", "#tip")
    assert not tip.is_displayed()
    bars = browser.find_elements("css selector", f"{SHOWN} .bar")
    wait = next(bar for bar in bars if "waits for events" in bar.get_attribute("data-tip"))
    ActionChains(browser).move_to_element(wait).perform()
    assert re.match(r"loop waits for events: [\d.]+ ms, from .*\npselect6\(.*\[[\d.]+ ms\]$",
                    tip.text, re.S)  # fmt: skip
    ActionChains(browser).move_by_offset(0, -250).perform()
    browser.execute_script("arguments[0].focus()", bars[0])
    assert tip.is_displayed()
    assert tip.text.startswith("client A: ")
    assert browser.execute_script(
        "const box = document.getElementById('tip').getBoundingClientRect(); return box.left >= 0"
        " && box.top >= 0 && box.right <= innerWidth && box.bottom <= innerHeight"
    )
    assert browser.execute_script("return document.querySelectorAll('figure title').length") == 0


@needs_chromium
def test_light_and_dark_as_the_system_or_the_reader_wants(browser: Any, address: str) -> None:
    def paper() -> list[str]:
        return browser.execute_script(
            "return ['html', 'figure svg'].map((each) =>"
            " getComputedStyle(document.querySelector(each)).backgroundColor)"
        )

    light, dark = ["rgb(255, 255, 255)"] * 2, ["rgb(18, 22, 28)"] * 2
    for system, first, then in (("light", light, dark), ("dark", dark, light)):
        feature = {"name": "prefers-color-scheme", "value": system}
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
        opened(browser, address)
        assert paper() == first
        press(browser, "d")
        assert paper() == then
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


@needs_chromium
@pytest.mark.parametrize("width, height", [(1280, 720), (390, 844), (2400, 1300)])
def test_the_page_never_scrolls_sideways(
    browser: Any, address: str, width: int, height: int
) -> None:
    opened(browser, address, width, height)
    for keys in ("", "8", "2"):
        press(browser, keys or "a")
        assert browser.execute_script(
            "const page = document.documentElement; return page.scrollWidth - page.clientWidth"
        ) == 0
    press(browser, "a")
    assert min(widths(browser)) >= (880 if width < 700 else width / 2.2)


@needs_chromium
def test_no_label_of_a_lane_covers_another(browser: Any, address: str) -> None:
    """The widths that the drawing reckons with are those that a browser finds."""
    opened(browser, address)
    for figure in browser.execute_script(
        "return [...document.querySelectorAll('figure svg')].map((svg) =>"
        " [...svg.querySelectorAll('text')].map((each) => {"
        "  const box = each.getBBox(); return [each.textContent, box.x, box.x + box.width,"
        "   box.y + 4, box.y + box.height - 4];"
        " }))"
    ):
        for one, two in itertools.combinations(figure, 2):
            apart = one[2] <= two[1] or two[2] <= one[1] or one[4] <= two[3] or two[4] <= one[3]
            assert apart, (one, two)
        assert all(0 <= left and right <= 1280 for _, left, right, _, _ in figure)


def test_the_lesson_is_said_below_each_picture(text: str) -> None:
    for name in NAMES:
        lesson = words.lesson(told(name)).partition(": ")[2]
        assert f"<figcaption>{lesson[0].upper()}{lesson[1:]}.</figcaption>" in unescape(text)
