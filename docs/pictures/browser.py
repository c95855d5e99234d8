"""Pictures of pages, taken by Chromium."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

NINE = (  # strokes, in fractions of the side of the pad from its middle
    ((0.12, -0.17), (0.0, -0.27), (-0.14, -0.2), (-0.16, -0.05), (-0.04, 0.02), (0.1, -0.06), (0.13, -0.18)),
    ((0.14, -0.26), (0.12, 0.05), (0.09, 0.34)),
)

LATE = """
  const runs = [...(typeof activity === "undefined" ? [] : activity.runs.values())];
  const of = (state) => runs.filter((run) => run.state === state);
  return of("finished").length >= 4 && of("running").length === 2 && of("running").every((run) => run.epoch > 10);
"""  # whether there is much to see on a live page


def report(page: Path, picture: Path) -> None:
    """The top of a page that `fitbench report` has written."""
    with chromium(1440, 1080) as driver:
        driver.get(page.as_uri())
        driver.save_screenshot(str(picture))


def live(outputs: Path, sweep: Sequence[str], picture: Path) -> None:
    """The live page of a folder, while this sweep trains its last runs."""
    command = ("report", "--live", str(outputs), "--port", "0", "--interval", "0.5")
    with served(*command) as address, chromium(1440, 900) as driver:
        driver.get(address)
        with subprocess.Popen([sys.executable, "-m", "fitbench", *sweep]) as launched:
            wait = WebDriverWait(driver, 900)
            wait.until(lambda _: driver.execute_script(LATE))
            driver.save_screenshot(str(picture))
            assert launched.wait(600) == 1  # one run fails


def serve(runs: Sequence[Path], picture: Path) -> None:
    """The page of `fitbench serve` with these runs, after a nine was drawn."""
    with served("serve", *map(str, runs), "--port", "0") as address, chromium(1280, 740, 1.5) as driver:
        driver.get(address)
        wait = WebDriverWait(driver, 60)
        wait.until(lambda _: driver.find_elements(By.CSS_SELECTOR, ".card"))
        wait.until(lambda _: len(driver.find_elements(By.CSS_SELECTOR, ".sample img")) == 3)
        pad = driver.find_element(By.ID, "pad")
        side = pad.size["width"]
        for first, *others in NINE:
            pen = (
                ActionChains(driver, duration=20)
                .move_to_element_with_offset(pad, *scaled(first, side))
                .click_and_hold()
            )
            for point in others:
                pen.move_to_element_with_offset(pad, *scaled(point, side))
            pen.release().perform()
        reading = driver.find_element(By.ID, "reading")
        wait.until(lambda _: reading.get_attribute("aria-busy") == "false")
        driver.save_screenshot(str(picture))


def scaled(point: tuple[float, float], side: float) -> tuple[int, int]:
    """A point in pixels."""
    return round(point[0] * side), round(point[1] * side)


@contextmanager
def served(*command: str) -> Iterator[str]:
    """The address of the server that a command of fitbench starts."""
    with subprocess.Popen([sys.executable, "-m", "fitbench", *command], stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            yield next(line.strip() for line in server.stdout if re.match(r"http://", line))
        finally:
            server.terminate()


@contextmanager
def chromium(width: int, height: int, scale: float = 1) -> Iterator[webdriver.Chrome]:
    """A browser whose window has this size, in CSS pixels, and `scale` pixels for each of them."""
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"):
        options.add_argument(argument)
    driver = webdriver.Chrome(options, webdriver.ChromeService(shutil.which("chromedriver")))
    try:
        screen = {"width": width, "height": height, "deviceScaleFactor": scale, "mobile": False}
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
        driver.execute_cdp_cmd(
            "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": "light"}]}
        )
        yield driver
    finally:
        driver.quit()
