"""Chromium without a window, driven by its own driver."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from typing import Any

import pytest

webdriver = pytest.importorskip("selenium.webdriver", reason="apt-get install python3-selenium")

from selenium.webdriver.chrome.service import Service  # noqa: E402

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
PATIENCE = 60  # seconds, for a page

needs_chromium = pytest.mark.skipif(
    not CHROMIUM or not DRIVER, reason="apt-get install chromium chromium-driver"
)


@contextlib.contextmanager
def chromium() -> Iterator[Any]:
    """A browser that keeps what its pages say and load."""
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    logs = {"browser": "ALL", "performance": "ALL"}
    options.set_capability("goog:loggingPrefs", logs)
    for flag in ("headless=new", "no-sandbox", "disable-gpu", "disable-dev-shm-usage"):
        options.add_argument(f"--{flag}")
    driver = webdriver.Chrome(service=Service(DRIVER), options=options)
    try:
        driver.set_page_load_timeout(PATIENCE)
        yield driver
    finally:
        driver.quit()


def resize(browser: Any, width: int, height: int) -> None:
    """As if its window, or screen, had this size in CSS pixels."""
    screen = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)


def press(browser: Any, *keys: str) -> None:
    """Keys, typed at the page."""
    browser.switch_to.active_element.send_keys(*keys)
