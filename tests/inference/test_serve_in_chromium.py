"""The page of `fitbench serve` in Debian's Chromium: drawing, a form for rows, and series."""

import json
import math
import shutil
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from .. import browser as browsers

pytest.importorskip("fastapi", reason="needs the extra serve")
pytest.importorskip("selenium", reason="needs selenium")
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from fitbench.inference.api import RequestLimits
from fitbench.inference.reader import open_runs
from fitbench.inference.samples import Sample
from fitbench.inference.service import Service
from fitbench.kinds import IMAGES, SERIES
from fitbench.metrics import CLASSIFICATION, MULTILABEL, REGRESSION
from fitbench.record.inputs import Inputs

from .untrained import untrained


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
def server(trained, zeros, start_server):
    return start_server(Service(open_runs([trained, zeros]), RequestLimits()))


class Page(browsers.Page):
    """The page as a user operates and sees it."""

    def __init__(self, driver, address: str, width: int = 1280, scheme: str = "light") -> None:
        super().__init__(driver, address)
        self.problems(), self.requested()
        self.open(width, 800, scheme)
        self.wait(lambda: self.all(".card"))

    def point(self, x: float, y: float) -> tuple[float, float]:
        return self.points([(x, y)])[0]

    def points(self, stroke: list[tuple[float, float]]) -> list[tuple[float, float]]:
        """Places on the screen, from fractions of the side of the pad."""
        box = self.js("return document.getElementById('pad').getBoundingClientRect().toJSON()")
        return [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in stroke]

    def draw(self, strokes: list[list[tuple[float, float]]]) -> None:
        for stroke in strokes:
            points = self.points(stroke)
            self.mouse("mousePressed", *points[0])
            for point in points[1:]:
                self.mouse("mouseMoved", *point)
            self.mouse("mouseReleased", *points[-1])
        self.settle()

    def settle(self) -> None:
        """Wait for the predictions for the drawing."""
        self.wait(lambda: self.one("#reading").get_attribute("aria-busy") == "false")

    def text(self, css: str) -> str:
        """The text of an element, also if it is not visible."""
        return self.one(css).get_attribute("textContent")

    def announcement(self) -> str:
        """The text for a screen reader after a pause in drawing."""
        self.wait(lambda: "%" in self.text("#status"))
        return self.text("#status")

    def clear(self) -> None:
        self.one("#clear").click()
        self.settle()

    def texts(self, css: str) -> list[str]:
        return self.js("return [...document.querySelectorAll(arguments[0])].map((node) => node.textContent)", css)

    def labels(self) -> list[str]:
        return self.texts(".label")

    def shares(self, card: int) -> list[float]:
        """The share of its track that each bar of a card fills."""
        return self.js(
            """const tracks = document.querySelectorAll(".card")[arguments[0]].querySelectorAll(".track");
            const width = (node) => node.getBoundingClientRect().width;
            return [...tracks].map((track) => width(track.firstChild) / width(track));""",
            card,
        )

    def seen(self, card: int = 0) -> list[int]:
        """The grey levels of the image that the model sees, row by row."""
        return self.js(
            """const canvas = document.querySelectorAll(".card canvas")[arguments[0]];
            const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
            return [...data].filter((_, i) => i % 4 == 0);""",
            card,
        )

    def overflows(self) -> bool:
        return self.js("return document.documentElement.scrollWidth > innerWidth")


@pytest.fixture(scope="module")
def page(browser, server) -> Iterator[Page]:
    page = Page(browser, server.address)
    yield page
    assert page.problems() == []


@pytest.fixture(autouse=True)
def _blank(request):
    if "page" in request.fixturenames:
        page = request.getfixturevalue("page")
        if page.one("#clear").is_enabled():
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
    assert page.hosts() == {"127.0.0.1"}


def test_prediction_appears_during_a_stroke(page):
    page.mouse("mousePressed", *page.point(0.53, 0.18))
    for i in range(1, 11):
        page.mouse("mouseMoved", *page.point(0.53 - 0.005 * i, 0.18 + 0.064 * i))
    page.wait(lambda: page.labels()[0] == "1")
    page.mouse("mouseReleased", *page.point(0.48, 0.82))


def test_runs_are_side_by_side_with_their_agreement(page):
    page.draw(DIGITS["7"])
    left, right = (card.rect for card in page.all(".card"))
    assert left["y"] == right["y"] and left["x"] + left["width"] < right["x"]
    assert page.one("#agreement").text == "They differ: 7, 0"
    assert page.shares(1)[0] == pytest.approx(0.4, abs=0.01)
    assert page.texts(".card h2") == ["lenet5", "<i>zeros</i>"]  # untrusted names are not HTML
    assert page.texts(".run")[1] == "zeros-<b>s0</b>"
    assert page.texts(".card-note")[0].endswith(" on its test images")
    page.clear()
    page.draw(DIGITS["0"])
    assert page.one("#agreement").text == "Both read 0"


def test_image_that_the_model_sees_is_the_prepared_drawing(page):
    page.draw([[(x / 2, y / 2) for x, y in stroke] for stroke in DIGITS["1"]])  # small, in a corner
    seen = page.seen()
    rows = [y for y in range(28) if max(seen[28 * y : 28 * y + 28]) > 100]
    assert len(seen) == 784 and 18 <= rows[-1] - rows[0] + 1 <= 21  # enlarged and centred
    assert abs((rows[0] + rows[-1]) / 2 - 14) <= 1


def test_undo_and_clear(page):
    page.draw(DIGITS["4"])
    whole = page.seen()
    page.one("#clear").click()
    assert page.one("#prompt").is_displayed() and not page.one("#clear").is_enabled() and page.labels() == ["", ""]
    page.one("#undo").click()
    page.wait(lambda: page.labels()[0] == "4")
    assert page.seen() == whole
    ActionChains(page.driver).key_down(Keys.CONTROL).send_keys("z").key_up(Keys.CONTROL).perform()
    page.wait(lambda: page.labels()[0] != "4")
    assert page.one("#clear").is_enabled()  # one of two strokes remains


def test_keyboard_draws_and_a_screen_reader_gets_the_predictions(page):
    page.js("document.querySelector('nav a').focus()")
    page.driver.switch_to.active_element.send_keys(Keys.TAB)
    pad = page.driver.switch_to.active_element
    assert pad.get_attribute("id") == "pad"
    pad.send_keys(Keys.ARROW_UP * 8 + Keys.SPACE)
    assert page.text("#status") == "Pen down"
    pad.send_keys(Keys.ARROW_DOWN * 17 + Keys.SPACE)
    assert page.text("#status") == "Pen lifted"
    page.wait(lambda: page.text("#status").startswith("lenet5: 1, "))  # earlier ones are of a part of the stroke
    assert "<i>zeros</i>: 0, 40.0%" in page.announcement()
    pad.send_keys(Keys.DELETE)
    assert page.one("#prompt").is_displayed()
    pad.send_keys(Keys.BACKSPACE)
    assert not page.one("#prompt").is_displayed()


def test_image_file_is_opened_and_another_file_is_refused(page, tmp_path):
    scan = Image.new("L", (280, 280), 255)
    ImageDraw.Draw(scan).line([(148, 50), (140, 140), (132, 230)], 0, 20)
    scan.save(tmp_path / "scan.tiff")
    page.one("#file").send_keys(str(tmp_path / "scan.tiff"))  # the browser cannot decode it
    page.wait(lambda: page.labels()[0] == "1")
    (tmp_path / "notes.png").write_text("no image")
    page.one("#file").send_keys(str(tmp_path / "notes.png"))
    page.wait(lambda: "not a readable image" in page.one("#notice").text)
    assert page.labels() == ["", ""] and not page.one("#agreement").is_displayed()
    problems = page.problems()
    assert problems and all("422" in problem for problem in problems)  # Chromium reports failed requests
    (tmp_path / "large.png").write_bytes(bytes(10_000_001))
    page.one("#file").send_keys(str(tmp_path / "large.png"))
    page.wait(lambda: "10.0 MB" in page.one("#notice").text)
    page.clear()
    page.draw(DIGITS["7"])
    assert not page.one("#notice").is_displayed() and page.labels()[0] == "7"


def test_example_of_the_test_part_is_read_when_it_is_clicked(page):
    page.wait(lambda: len(page.all(".sample img")) == 3)
    assert page.text("#origin") == "From the test part:"
    names = [button.accessible_name for button in page.all(".sample")]
    truths = [name.removeprefix(f"Example {i} of the test part: ") for i, name in enumerate(names, start=1)]
    assert len(set(truths)) == 3 and set(truths) <= set("0123456789")
    page.wait(
        lambda: page.js("return [...document.querySelectorAll('.sample img')].every((each) => each.naturalWidth)")
    )
    correct = 0
    for i, button in enumerate(page.all(".sample")):
        button.send_keys(Keys.ENTER) if i == 0 else button.click()
        page.wait(lambda: page.one("#clear").is_enabled())
        page.settle()
        page.wait(lambda: page.labels()[1] == "0")
        correct += page.labels()[0] == truths[i]
        page.clear()
    assert correct >= 2


@pytest.mark.parametrize(
    "answer", ["Promise.resolve(new Response('Service Unavailable', { status: 503 }))", "Promise.reject(TypeError())"],
    ids=["busy", "gone"],
)  # fmt: skip
def test_busy_or_missing_server_is_retried_by_one_timer(page, answer):
    """The timers of the page, which asks again after 2 s, run four times as fast."""
    page.js(
        f"""window.real ??= {{ fetch, setTimeout }};
        window.times = [];
        window.setTimeout = (then, delay) => real.setTimeout.call(window, then, delay / 4);
        window.fetch = () => {{ times.push(performance.now()); return {answer}; }};"""
    )
    for x in (0.3, 0.5, 0.7):
        page.draw([[(x, 0.2), (x, 0.8)]])
    page.wait(lambda: page.one("#notice").is_displayed())
    drawn = len(page.js("return times"))
    assert drawn >= 3
    page.wait(lambda: len(page.js("return times")) >= drawn + 3)
    retries = page.js("return times")[drawn:]
    assert all(later - earlier > 375 for earlier, later in pairwise(retries))  # several timers are closer
    page.js("Object.assign(window, real)")
    page.wait(lambda: not page.one("#notice").is_displayed())
    page.wait(lambda: page.labels()[1] == "0")


@pytest.fixture
def renamed(browser) -> Iterator[None]:
    """Give all models of pages that are loaded one name."""
    script = """const ask = window.fetch;
    window.fetch = async (...request) => {
      const response = await ask(...request);
      if (request[0] !== "models") return response;
      const info = await response.json();
      return Response.json({ ...info, models: info.models.map((model) => ({ ...model, name: "lenet5" })) });
    };"""
    added = browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": script})
    yield
    browser.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", added)


def test_screen_reader_distinguishes_runs_of_one_model(browser, server, renamed):
    twins = Page(browser, server.address)
    twins.draw(DIGITS["7"])
    runs = twins.texts(".run")
    assert [text.split(": ")[0] for text in twins.announcement().split("; ")] == runs and len(set(runs)) == 2
    assert twins.texts("h2") == ["lenet5", "lenet5"]
    for css in ("article", "h2"):
        assert [node.accessible_name for node in twins.all(css)] == runs


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_page_fits_a_phone(browser, server, scheme):
    phone = Page(browser, server.address, 360, scheme)
    assert not phone.overflows()
    x, y = phone.point(0.5, 0.5)
    phone.command("Input.dispatchTouchEvent", type="touchStart", touchPoints=[{"x": x, "y": y}])
    phone.command("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])
    assert phone.announcement() and not phone.overflows()
    colours = phone.js(
        "return getComputedStyle(document.body).backgroundColor.match(/[0-9]+/g).slice(0, 3).map(Number)"
    )
    assert max(colours) < 60 if scheme == "dark" else min(colours) > 240
    left, right = (card.rect for card in phone.all(".card"))
    assert left["y"] == right["y"]
    phone.driver.get(f"{server.address}docs")
    phone.wait(lambda: len(phone.all("#api article")) == 3)
    assert not phone.overflows()
    assert phone.texts("h2") == ["POST/predict", "GET/models", "GET/health"]
    assert phone.problems() == [] and phone.hosts() == {"127.0.0.1"}


@pytest.mark.parametrize("width", [1280, 360])
def test_opening_a_file_comes_first_for_models_of_photos_and_no_space_is_left_for_examples(
    browser, start_server, tmp_path, width
):
    reader = untrained(Inputs(kind=IMAGES, shape=(6, 4, 3), dtype="uint8"))
    page = Page(browser, start_server(Service([reader], RequestLimits())).address, width)
    assert page.one("#title").text == "Open an image" and not page.overflows()
    choose, pad = page.one("#choose"), page.one("#pad")
    assert choose.rect["y"] + choose.rect["height"] <= pad.rect["y"]
    page.js("document.querySelector('nav a').focus()")
    page.driver.switch_to.active_element.send_keys(Keys.TAB)
    assert page.driver.switch_to.active_element == choose
    assert page.all("#samples") == []
    Image.new("RGB", (40, 60), (200, 30, 30)).save(tmp_path / "red.png")
    page.one("#file").send_keys(str(tmp_path / "red.png"))
    expected = reader.predictions(np.full((1, 6, 4, 3), (200, 30, 30), np.uint8))[0]
    page.wait(lambda: page.labels() == [reader.names[expected.argmax()]])
    assert page.problems() == []


# -- rows and series --------------------------------------------------------------------------------------------------


def test_form_has_a_field_for_each_column_and_shows_the_answers_of_all_tasks(browser, table_runs, start_server):
    folders = [table_runs[CLASSIFICATION], table_runs[MULTILABEL]]
    readers = open_runs(folders)
    page = Page(browser, start_server(Service(readers, RequestLimits())).address)
    assert page.one("#title").text == "Fill in a row" and page.texts(".field .name") == [
        "city",
        "size",
        "rooms",
        "balcony",
    ]
    city, size, rooms, _ = (node.find_element("css selector", "input, select") for node in page.all(".field"))
    assert [option.text for option in city.find_elements("css selector", "option")][1:] == ["Aachen", "Bonn", "Köln"]
    mean = readers[0].inputs.columns[1].mean
    assert float(size.get_attribute("placeholder")) == pytest.approx(mean, rel=1e-3)
    assert page.labels() == ["", ""]
    city.send_keys("Bonn")
    rooms.send_keys("3")
    page.settle()
    page.wait(lambda: all(page.labels()))
    expected = [reader.predictions(np.array([[2, np.nan, 3, 0]], np.float32))[0] for reader in readers]
    assert page.labels()[0] == readers[0].names[expected[0].argmax()]
    assert page.shares(0) == pytest.approx(expected[0].tolist(), abs=0.02)
    assert page.shares(1) == pytest.approx(expected[1].tolist(), abs=0.02)
    applies = ["yes" if share >= 0.4 else "no" for share in expected[1]]
    assert [text.split()[-1] for text in page.texts(".card:nth-child(2) .value")] == applies
    assert page.texts(".card:nth-child(2) .sure") == ["yes from 40.0%"] and not page.one("#agreement").is_displayed()
    page.one("#clear").click()
    page.wait(lambda: page.labels() == ["", ""])
    page.wait(lambda: len(page.all(".sample")) == 3)
    assert {button.text for button in page.all(".sample")} <= set(readers[0].names)
    page.all(".sample")[1].click()
    page.wait(lambda: all(page.labels()))
    assert page.problems() == []


def test_form_waits_for_numbers_that_may_not_be_missing(browser, table_runs, start_server):
    [reader] = open_runs([table_runs[REGRESSION]])
    page = Page(browser, start_server(Service([reader], RequestLimits())).address, 360)
    assert not page.overflows()
    page.one("#field-0").send_keys("0.1")
    page.wait(lambda: page.one("#open").text.startswith("Still to fill in: ZN, INDUS, CHAS"))
    assert page.texts(".values dd") == ["\u2013"]
    page.one("#fill").click()
    page.wait(lambda: page.texts(".values dd") != ["\u2013"])
    row = [0.1, *(float(f"{column.mean:.4g}") for column in reader.inputs.columns[1:])]
    expected = reader.predictions(np.array([row], np.float32))[0, 0]
    assert float(page.texts(".values dd")[0]) == pytest.approx(expected, rel=1e-4)
    assert page.texts(".values dt") == ["MEDV"] and not page.overflows() and page.problems() == []


def test_series_are_pasted_or_come_from_a_file_and_are_drawn(browser, start_server, tmp_path):
    reader = untrained(Inputs(kind=SERIES, shape=(4, 2), dtype="float32"))
    series = np.array([[[0, 1], [1, 3], [4, 2], [2, 0]], [[1, 1], [0, 0], [5, 1], [2, 9]]], np.float32)
    service = Service([reader], RequestLimits())
    service.samples._found = (Sample(None, None, series[1].tolist()),)  # the run has no data
    page = Page(browser, start_server(service).address)

    def is_shown(example: int) -> bool:
        return bool(page.labels()[0]) and page.shares(0) == pytest.approx(expected[example].tolist(), abs=0.02)

    expected = reader.predictions(series)
    page.one("#text").send_keys("0, 1 4;2\n1 3 2 0")  # a line for each channel
    page.wait(lambda: is_shown(0))
    lines = page.js("return [...document.querySelectorAll('#plot polyline')].map((node) => node.points.length)")
    assert lines == [4, 4] and page.texts(".legend li") == ["channel 1", "channel 2"]
    assert page.texts(".axis.y span") == ["4", "0"]
    page.wait(lambda: page.all(".sample"))
    page.one(".sample").click()
    page.wait(lambda: is_shown(1))
    assert (
        page.one("#text").get_attribute("value") == "1, 0, 5, 2\n1, 0, 1, 9" and page.one(".sample").text == "Example 1"
    )
    page.one("#clear").click()
    page.one("#text").send_keys("0, 1 4;2\n1 3 2 0")
    page.wait(lambda: is_shown(0))
    page.one("#text").send_keys(" x")
    page.wait(lambda: page.one("#count").text == "x is not a number.")
    assert page.labels() == [""]
    np.save(tmp_path / "new.npy", series)
    page.one("#file").send_keys(str(tmp_path / "new.npy"))
    page.wait(lambda: page.one("#place").text == "1 of 2" and is_shown(0))
    page.one("#next").click()
    page.wait(lambda: page.one("#place").text == "2 of 2" and is_shown(1))
    assert page.texts(".axis.y span") == ["9", "0"] and page.one("#text").get_attribute("value") == ""
    assert page.problems() == []
    (tmp_path / "wrong.ts").write_text("@data\n")
    page.one("#file").send_keys(str(tmp_path / "wrong.ts"))
    page.wait(lambda: page.one("#notice").text.startswith("wrong.ts: "))
    assert page.labels() == [""] and all("422" in problem for problem in page.problems())


def test_page_reports_a_stopped_server(browser, server):
    page = Page(browser, server.address)
    page.draw(DIGITS["1"])
    server.stop()
    page.click_at(*page.point(0.2, 0.2))
    page.wait(lambda: "fitbench serve" in page.one("#notice").text)
    page.problems()  # refused connections
