"""Debian's Chromium, driven by Selenium: one browser for all tests of a process, and pages in it."""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from urllib.parse import urlsplit

import pytest


@pytest.fixture(scope="session")
def browser() -> Iterator:
    """The driver of a browser; it is skipped where Selenium, Chromium or its driver is missing."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="needs selenium")
    chromium, driver_path = shutil.which("chromium"), shutil.which("chromedriver")
    if not (chromium and driver_path):
        pytest.skip("needs chromium and chromedriver (Debian has both)")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService(driver_path))
    yield driver
    driver.quit()


class Page:
    """A page as a user operates and sees it."""

    def __init__(self, driver, url: str) -> None:
        self.driver, self.url = driver, url

    def open(self, width: int = 1440, height: int = 900, scheme: str = "light") -> None:
        """Load the page. A width below 500 is that of a phone, which has a touch screen."""
        phone = width < 500
        screen = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": phone}
        self.command("Emulation.setDeviceMetricsOverride", **screen)
        self.command("Emulation.setTouchEmulationEnabled", enabled=phone)
        features = {"prefers-color-scheme": scheme, "prefers-reduced-motion": "reduce"}
        self.command("Emulation.setEmulatedMedia", features=[{"name": k, "value": v} for k, v in features.items()])
        self.driver.get(self.url)

    def command(self, name: str, **parameters: object) -> dict:
        """Send a command of the Chrome DevTools protocol."""
        return self.driver.execute_cdp_cmd(name, parameters)

    def one(self, css: str):
        return self.driver.find_element("css selector", css)

    def all(self, css: str):
        return self.driver.find_elements("css selector", css)

    def js(self, script: str, *arguments):
        return self.driver.execute_script(script, *arguments)

    def wait(self, condition: Callable[[], object], seconds: float = 10) -> None:
        """Wait until a condition holds, at most so many seconds."""
        from selenium.webdriver.support.wait import WebDriverWait

        WebDriverWait(self.driver, seconds, poll_frequency=0.02).until(lambda _: condition())

    def type(self, css: str, text: str) -> None:
        """Type a text into a field, which the page may just be replacing."""
        from selenium.common.exceptions import StaleElementReferenceException

        def typed() -> bool:
            with suppress(StaleElementReferenceException):
                self.one(css).send_keys(text)
                return True
            return False

        self.wait(typed)

    def mouse(self, kind: str, x: float, y: float) -> None:
        """Send an event of the mouse; its left button is down unless `kind` is mouseReleased."""
        held = int(kind != "mouseReleased")
        event = {"type": kind, "x": x, "y": y, "button": "left", "clickCount": 1, "buttons": held}
        self.command("Input.dispatchMouseEvent", **event)

    def click_at(self, x: float, y: float) -> None:
        self.mouse("mousePressed", x, y)
        self.mouse("mouseReleased", x, y)

    def problems(self) -> list[str]:
        """The errors of the console since the last call."""
        return [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] == "SEVERE"]

    def requested(self) -> list[str]:
        """The addresses that were requested since the last call."""
        events = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        return [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]

    def hosts(self) -> set[str | None]:
        """The hosts that were requested since the last call."""
        return {urlsplit(url).hostname for url in self.requested()}
