"""The page of `fitbench report` in Debian's Chromium."""

import json
import math
import re
import zlib
from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_hex

from fitbench import metrics
from fitbench.analysis import palette
from fitbench.analysis.axes import axis_of, tick_texts
from fitbench.analysis.request import Which
from fitbench.charts import paper
from fitbench.charts.plotting import plot
from fitbench.charts.scatter import pareto_front
from fitbench.record.history import write_history
from fitbench.record.result import write_result
from fitbench.report.report import report
from fitbench.text import clean

from .. import browser as browsers
from ..run_folders import KAPPA, SCHEMA_2, as_task, close_values, record_metrics, several_labels

pytest.importorskip("selenium", reason="needs selenium")
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"'&lt;\u2028"
RATES = [0.1, 0.01, 0.003, 0.00001]
EPOCHS = 6
ABSENT = "\N{EN DASH}"


def write(outputs: Path, model: str, rate: float, seed: int, accuracy: float) -> Path:
    """A finished run; its accuracy is in its curves and its result."""
    run_id = f"digits-{model}-sgd-{zlib.crc32(f'{model} {rate}'.encode()):08x}-s{seed}"
    folder = outputs / "sweep" / run_id
    folder.mkdir(parents=True)
    # fmt: off
    history = [
        {"epoch": e, "seconds": 1.0, "learning_rate": rate, "loss": 2 / e, "accuracy": accuracy * e / EPOCHS,
         "val_loss": 2.1 / e**2, "val_accuracy": accuracy * e / EPOCHS}
        for e in range(1, EPOCHS + 1)
    ]
    write_history(folder, history)
    labels = np.arange(30, dtype=np.int32) % 3
    guesses = labels.copy()
    guesses[:5] = 2
    probabilities = np.eye(3, dtype=np.float32)[guesses] * 0.7 + 0.1
    np.savez(folder / "predictions.npz", labels=labels, probabilities=probabilities, data_sha256=np.array("ab"))
    metrics = {"train_loss": 0.3, "train_accuracy": 0.9, "val_loss": 0.35, "val_accuracy": accuracy,
               "test_loss": 1 - accuracy, "test_accuracy": accuracy, "best_epoch": EPOCHS, "epochs": EPOCHS}
    config = {"data": {"name": "digits"}, "model": {"name": model}, "training": {"batch_size": 32},
              "optimizer": {"name": "sgd", "learning_rate": rate}, "distortion": {"kind": "none"}}
    write_result(folder, {
        **SCHEMA_2, "run_id": run_id, "config_id": run_id.split("-")[3], "seed": seed, "study": "sweep",
        "config": config, "metrics": metrics, "parameters": 100 if model == "mlp" else 20 + seed,
        "timing": {"fit_seconds": 9.0 + seed, "seconds": 10.0 + seed, "examples_per_second": 1000.0},
        "data": {"name": "digits", "sha256": "ab", "train": 10, "validation": 10, "test": 30,
                 "classes": ["zero", "one", "two"]},
        "versions": {"keras": "3.15"}, "git": {"commit": None, "dirty": None}, "device": "cpu", "attempts": 1,
        "finished_at": f"2026-01-0{1 + seed}T00:00:00Z",
    })
    # fmt: on
    return folder


def make_hostile(folder: Path) -> None:
    path = folder / "result.json"
    result = json.loads(path.read_text())
    result["run_id"] = HOSTILE
    result["config"]["model"]["name"] = HOSTILE
    result["config"][HOSTILE] = HOSTILE
    result["data"]["classes"][2] = HOSTILE
    result["device"] = HOSTILE
    path.write_text(json.dumps(result))


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> Path:
    """18 runs: two models, four learning rates, two seeds; one of a stranger, and one that failed."""
    folder = tmp_path_factory.mktemp("report")
    outputs = folder / "outputs"
    for seed in range(2):
        for i, rate in enumerate(RATES):
            write(outputs, "mlp", rate, seed, 0.9 - 0.02 * i + 0.001 * seed)
            write(outputs, "softmax", rate, seed, 0.8 - 0.02 * i + 0.001 * seed)
    make_hostile(write(outputs, "softmax", 0.1, 2, 0.5))
    failed = outputs / "sweep" / "digits-mlp-sgd-0badc0de-s10"
    failed.mkdir()
    sections = "data: {name: digits}\nmodel: {name: mlp}\noptimizer: {name: sgd, learning_rate: 0.1}\n"
    (failed / "config.yaml").write_text(
        sections + "training: {batch_size: 32}\ndistortion: {kind: none}\nseed: 10\nstudy: sweep\n"
    )
    (failed / "error.txt").write_text("ValueError: <script>alert(3)</script>\n")
    truncated = outputs / "sweep" / "<img src=x onerror=alert(4)>"
    truncated.mkdir()
    (truncated / "result.json").write_text("{")
    report(Which([outputs], every=True), folder / "report.html", metric="test_accuracy")
    return folder / "report.html"


class Page(browsers.Page):
    """What a reader does on the page, and what they see."""

    def __init__(self, driver, path: Path) -> None:
        super().__init__(driver, path.as_uri())
        self.open()

    def open(self, width: int = 1440, height: int = 900, scheme: str = "light") -> None:
        super().open(width, height, scheme)
        self.wait_for_charts()

    def wait_for_charts(self) -> None:
        """Charts are drawn when the browser observes their size, which it does before the second frame."""
        self.driver.execute_async_script("requestAnimationFrame(() => requestAnimationFrame(arguments[0]))")

    def column(self, label: str) -> list[str]:
        """The texts of a column of the table of runs, from the top."""
        return self.js(
            """const heads = [...document.querySelectorAll("#runs thead th button")].map((b) => b.firstChild.data);
            const rows = [...document.querySelectorAll("#runs tbody tr")];
            return rows.map((row) => row.cells[heads.indexOf(arguments[0])].textContent);""",
            label,
        )

    def head(self, label: str):
        return next(b for b in self.all("#runs thead th button") if b.text.rstrip("↑↓") == label)

    def sorted_by(self) -> tuple[str, str]:
        (head,) = self.all("#runs thead th[aria-sort$='ending']")
        return head.text.rstrip("↑↓"), head.get_attribute("aria-sort")

    def filter(self, words: str) -> None:
        field = self.one("#words")
        field.clear()
        field.send_keys(words)

    def middle(self, element) -> tuple[float, float]:
        box = self.js(
            """arguments[0].scrollIntoView({ block: "center" });
            const box = arguments[0].getBoundingClientRect();
            return [box.x + box.width / 2, box.y + box.height / 2];""",
            element,
        )
        return box[0], box[1]

    @property
    def detail(self) -> str | None:
        """The run whose detail is open."""
        return None if self.one("#detail").get_attribute("hidden") else self.one("#detail-title").text


@pytest.fixture
def seen(browser, page):
    return Page(browser, page)


def test_it_needs_no_network_and_has_no_errors(seen, page):
    seen.problems(), seen.requested()
    seen.open()
    assert len(seen.column("run_id")) == 18
    assert all(
        seen.js("return [...document.querySelectorAll('figure svg')].map((s) => s.querySelector('path') !== null)")
    )
    assert seen.problems() == []
    assert seen.requested() == [page.as_uri()]


def test_the_page_may_not_reach_the_network_nor_make_markup_of_texts(seen):
    assert (
        seen.js("try { document.body.innerHTML = '<b>'; return 'made' } catch (error) { return error.name }")
        == "TypeError"
    )
    fetched = seen.driver.execute_async_script(
        "fetch('http://127.0.0.1:9/').then(() => arguments[0]('sent'), (error) => arguments[0](error.message))"
    )
    assert fetched == "Failed to fetch"
    assert any("Content Security Policy" in problem for problem in seen.problems())


def test_hostile_texts_stay_text(seen):
    ids = seen.column("run_id")
    assert HOSTILE in ids
    assert seen.js("return document.querySelectorAll('img').length") == 0
    assert seen.js("return document.scripts.length") == 2
    assert seen.js("return document.querySelector('.notice li code').textContent").endswith(
        "<img src=x onerror=alert(4)>"
    )
    seen.js("document.querySelectorAll('#runs tbody button')[arguments[0]].click()", ids.index(HOSTILE))
    shown = seen.js("return document.getElementById('detail').textContent")
    assert shown.count(HOSTILE) >= 5
    failed = ids.index("digits-mlp-sgd-0badc0de-s10")
    seen.js("document.querySelectorAll('#runs tbody button')[arguments[0]].click()", failed)
    assert seen.one("#detail .error").text == "ValueError: <script>alert(3)</script>"
    assert seen.js("return document.querySelectorAll('img').length + document.scripts.length") == 2


def test_a_click_on_a_head_sorts_with_what_is_missing_last(seen):
    assert seen.sorted_by() == ("test_accuracy", "descending")
    falling = seen.column("test_accuracy")
    assert falling[0] == "0.9010"
    assert falling[-1] == ABSENT
    assert falling[:-1] == sorted(falling[:-1], reverse=True)
    seen.head("test_accuracy").click()
    assert seen.sorted_by() == ("test_accuracy", "ascending")
    assert seen.column("test_accuracy") == [*sorted(falling[:-1]), ABSENT]


def test_numbers_sort_as_numbers(seen):
    seen.head("learning_rate").click()
    rates = [float(rate) for rate in seen.column("learning_rate")]
    assert rates == sorted(rates)
    assert rates[0] == 0.00001
    seen.head("seed").click()
    assert seen.column("seed")[-1] == "10"


def test_the_keyboard_sorts_opens_and_closes(seen):
    seen.head("seed").send_keys(Keys.ENTER)
    assert seen.sorted_by()[0] == "seed"
    assert seen.js("return document.activeElement.closest('th').ariaSort") == "ascending"
    button = seen.one("#runs tbody tr:nth-child(2) button")
    name = button.text
    button.send_keys(Keys.ENTER)
    assert seen.detail == name
    seen.driver.switch_to.active_element.send_keys(Keys.ESCAPE)
    assert seen.detail is None
    assert seen.js("return document.activeElement.textContent") == name


@pytest.mark.parametrize(
    ("words", "count"),
    [
        ("softmax", 8),
        ("MLP test_accuracy>0.87", 4),
        ("learning_rate<=0.003 model=mlp", 4),
        ("optimizer.learning_rate=1e-5", 4),
        ("state=failed", 1),
        ("nothing-like-it", 0),
    ],
)
def test_words_filter(seen, words, count):
    seen.filter(words)
    assert seen.one("#count").text == f"{count} of 18 runs"
    assert len(seen.all("#runs tbody tr[data-run]")) == count
    seen.one("#clear").click()
    assert seen.one("#count").text == "18 runs"
    assert seen.one("#words").get_attribute("value") == ""


def test_a_choice_filters_the_table_and_the_charts(seen):
    seen.js(
        """const select = document.querySelector("#filter select[aria-label='model']");
        select.value = '"mlp"';
        select.dispatchEvent(new Event("change"));"""
    )
    assert set(seen.column("model")) == {"mlp"}
    assert len(seen.column("model")) == 9
    assert len(seen.all("#scatter .dots path")) == 8  # the failed run has no accuracy


def test_a_click_on_a_dot_selects_the_run_everywhere(seen):
    best = seen.column("run_id")[0]
    dots = seen.all("#scatter .dots path")
    assert len(dots) == 17
    highest = min(dots, key=lambda dot: dot.rect["y"])
    seen.click_at(*seen.middle(highest))
    assert seen.detail == best
    assert seen.one("#runs tr.selected button").text == best
    for chart in ("scatter", "parallel"):
        assert len(seen.all(f"#{chart} .over path.selected")) == 1
    assert "0.9010" in seen.one(".outcome").text


def test_a_click_on_a_line_selects_its_run(seen):
    groups, single = seen.all("#curves .segments button")
    assert groups.get_attribute("aria-pressed") == "true"
    seen.middle(single)
    single.click()
    assert len(seen.all("#curves .lines path")) == 17
    line = seen.js("return [...document.querySelectorAll('#curves .lines path')].at(-1)")
    seen.middle(line)
    x, y = seen.js(
        """const line = arguments[0], point = line.getPointAtLength(line.getTotalLength() - 1);
        const box = line.ownerSVGElement.getBoundingClientRect();
        return [box.x + point.x, box.y + point.y];""",
        line,
    )
    seen.click_at(x, y)
    assert seen.detail is not None
    assert len(seen.all("#curves .over path.selected")) == 1


def test_dragging_along_an_axis_filters(seen):
    seen.middle(seen.one("#parallel svg"))
    box = seen.js("return [...document.querySelectorAll('#parallel .hit')].at(-1).getBoundingClientRect().toJSON()")
    x = box["x"] + box["width"] / 2
    seen.mouse("mousePressed", x, box["y"])
    seen.mouse("mouseMoved", x, box["y"] + 60)
    seen.mouse("mouseReleased", x, box["y"] + 60)
    assert seen.one("#filter .chip").text.startswith("test_accuracy: ")
    kept = [float(accuracy) for accuracy in seen.column("test_accuracy")]
    assert 0 < len(kept) < 17
    assert min(kept) > 0.8
    seen.click_at(x, box["y"] + 30)
    assert seen.one("#count").text == "18 runs"
    assert seen.detail is None  # neither selects a run


def test_the_comparison_ranks_and_filters_to_a_group(seen):
    rows = seen.all("#comparison tbody tr")
    assert len(rows) == 9
    assert [cell.text for cell in rows[0].find_elements(By.CSS_SELECTOR, "td, th")][:5] == [
        "1", "mlp", "0.1", "2", "0.90050 ± 0.00071",
    ]  # fmt: skip
    assert "interval" in seen.one("#comparison .remarks").get_property("textContent")
    rows[0].find_element(By.TAG_NAME, "button").click()
    assert seen.one("#count").text == "3 of 18 runs"  # the failed one has the same configuration
    assert seen.one("#comparison tr.selected button").get_attribute("aria-pressed") == "true"
    seen.one("#filter .chip").click()
    assert seen.one("#count").text == "18 runs"


def test_the_detail_shows_confusion_and_mistakes(seen):
    seen.one("#runs tbody button").click()
    cells = seen.js(
        "return [...document.querySelectorAll('.confusion tbody td')].map((cell) => Number(cell.textContent))"
    )
    assert cells == [8, 0, 2, 0, 8, 2, 0, 0, 10]
    rows = seen.js(
        "return [...document.querySelectorAll('.mistakes tbody tr')].map((r) => [...r.cells].map((c) => c.textContent))"
    )
    assert rows == [[str(i), ("zero", "one", "two")[i % 3], "two", "0.800"] for i in (0, 1, 3, 4)]
    facts = seen.js(
        "return [...document.querySelectorAll('#detail dt')].map((dt) => [dt.textContent, dt.nextSibling.textContent])"
    )
    assert ["optimizer.learning_rate", "0.1"] in facts
    assert ["training.batch_size", "32"] in facts
    assert ["versions.keras", "3.15"] in facts
    assert len(seen.all("#detail figure svg")) == 2


def test_the_detail_shows_predicted_values_and_scores_of_labels(browser, make_run, tmp_path):
    targets, outputs = close_values(40, 2)
    outputs[5] = np.nan
    as_task(make_run("study=a"), "regression", targets, outputs, ("price", HOSTILE))
    report(Which([tmp_path / "outputs"], every=True), tmp_path / "houses.html")
    page = Page(browser, tmp_path / "houses.html")
    page.one("#runs tbody button").click()
    page.wait_for_charts()
    counts = "return [...document.querySelectorAll('#detail .examples')].map((layer) => layer.children.length)"
    assert page.js(counts) == [39, 39]
    names = "return [...document.querySelectorAll('#detail .chart .name')].map((text) => text.textContent)"
    assert {"true price", "predicted price", f"true {HOSTILE}"} <= set(page.js(names))
    heads = "return [...document.querySelectorAll('#detail h3')].map((head) => head.textContent)"
    largest = "Largest errors (predicted - true), relative to the sd of their target"
    assert {"Predicted and true values", "Per target", largest} <= set(page.js(heads))
    assert page.problems() == []
    as_task(make_run("study=b"), "multilabel", *several_labels(40, 3), ("red", HOSTILE, "blue"), 0.25)
    report(Which([tmp_path / "outputs/b"], every=True), tmp_path / "tags.html")
    page = Page(browser, tmp_path / "tags.html")
    page.one("#runs tbody button").click()
    rows = "return [...document.querySelectorAll('.mistakes tbody tr')].map((row) => row.cells[0].textContent)"
    assert page.js(rows) == ["red", clean(HOSTILE), "blue", "mean of labels"]
    assert page.problems() == []


@pytest.mark.parametrize("width", [390, 1440])
def test_the_page_is_as_wide_as_the_screen(seen, width):
    seen.open(width)
    seen.one("#runs tbody button").click()
    assert seen.js("return innerWidth") == width
    assert seen.js("return document.documentElement.scrollWidth") <= width


def test_a_comparison_of_two_groups_needs_no_scroll_bar(browser, make_run, tmp_path):
    for model in ("mlp", "softmax"):
        for seed in range(5):
            values = close_values(40, seed=seed, scale=1e4)
            as_task(make_run(f"model={model}", f"seed={seed}"), "regression", *values, ("price",))
    report(Which([tmp_path / "outputs"], every=True), tmp_path / "houses.html")
    page = Page(browser, tmp_path / "houses.html")
    page.open(1200)
    wide = "const table = document.querySelector('#comparison .scroll'); return table.scrollWidth - table.clientWidth"
    assert page.js(wide) == 0
    method = page.one("#comparison .remarks").get_property("textContent")
    assert "To select a configuration, rank by validation MAE (menu Metric): the test set is for reporting." in method
    offered = "return [...document.querySelectorAll('#comparison select option')].map((option) => option.text)"
    assert "validation MAE" in page.js(offered)


def test_dark_and_light_follow_the_system_until_one_is_chosen(seen):
    background = "return getComputedStyle(document.body).backgroundColor"
    light = seen.js(background)
    seen.open(scheme="dark")
    dark = seen.js(background)
    assert (light, dark) == ("rgb(255, 255, 255)", "rgb(17, 20, 24)")
    seen.one("#theme").click()
    assert seen.js(background) == light


# -- several studies --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def studies_page(tmp_path_factory) -> Path:
    """Two studies of two models, the second of two data sets; the page can show them together."""
    folder = tmp_path_factory.mktemp("studies")
    outputs = folder / "outputs"
    for study, data in (("first", "digits"), ("second", "digits"), ("second", "letters & co")):
        for model in ("mlp", "softmax"):
            for seed in range(3):
                run = write(folder, model, 0.1, seed, 0.9 - 0.01 * seed - 0.1 * (model == "softmax"))
                result = json.loads((run / "result.json").read_text())
                result["study"], result["data"]["name"], result["data"]["sha256"] = study, data, data[:2]
                result["config"]["data"]["name"], result["finished_at"] = data, "2026-01-05T00:00:00Z"
                (run / "result.json").write_text(json.dumps(result))
                with np.load(run / "predictions.npz") as arrays:
                    np.savez(run / "predictions.npz", **{**arrays, "data_sha256": np.array(data[:2])})
                (outputs / study).mkdir(parents=True, exist_ok=True)
                run.rename(outputs / study / f"{data[:3]}-{run.name}")
    report(Which([outputs], every=True), folder / "report.html")
    return folder / "report.html"


@pytest.fixture
def studied(browser, studies_page):
    page = Page(browser, studies_page)
    page.js("location.hash = '#study=second'")
    page.wait(lambda: page.one("h1").text == "second")
    return page


def test_one_study_is_shown_and_the_address_keeps_which(studied, studies_page):
    assert studied.one("h1").text == "second"
    assert studied.one("#count").text == "6 runs"
    select = studied.one("#which select[aria-label='Study']")
    select.send_keys("first")
    studied.wait(lambda: studied.one("h1").text == "first")
    assert studied.js("return document.activeElement.getAttribute('aria-label')") == "Study"
    assert studied.js("return location.hash") == "#study=first"
    assert len(studied.all("#curves .means path")) == 2
    studied.driver.refresh()
    assert studied.one("h1").text == "first"
    studied.driver.back()
    studied.wait(lambda: studied.one("h1").text == "second")
    assert studied.problems() == []


def test_a_page_of_all_studies_begins_with_all_of_them(studied):
    studied.js("location.hash = ''")
    studied.wait(lambda: studied.one("h1").text == "all studies")
    assert studied.one("#which select[aria-label='Study']").get_property("selectedOptions")[0].text.startswith("all")


def test_a_single_run_has_a_result_and_curves_but_nothing_to_compare(browser, make_run, tmp_path):
    make_run("study=alone")
    report(Which([str(tmp_path / "outputs")]), tmp_path / "report.html")
    page = Page(browser, tmp_path / "report.html")
    assert page.one("#comparison h2").text == "Result"
    assert page.one("#comparison .answer").text == "Test accuracy: 0.8833."
    assert not page.one("#comparison .scroll").is_displayed()
    assert not page.one("#scatter").is_displayed()
    assert len(page.all("#curves .lines path")) == 1
    assert page.problems() == []


def test_data_sets_are_compared_one_at_a_time(studied):
    shown = studied.js("return data.label")
    (link,) = studied.all("#comparison .others a")
    other = link.text
    assert {shown, other} == {"digits", "letters & co"}
    assert "over 3 runs with mlp" in studied.one("#comparison .others li").text
    link.click()
    studied.wait(lambda: studied.js("return data.label") == other)
    assert (
        studied.one("#which select[aria-label='Data']").get_property("selectedOptions")[0].text == f"{other} (6 runs)"
    )
    assert len(studied.all("#comparison tbody tr")) == 2
    assert {name.split("-")[1] for name in studied.column("run_id")} == {"mlp", "softmax"}


def test_all_studies_together_have_the_curves_and_details_of_their_runs(studied):
    choose(studied, "Study", "all studies")
    choose(studied, "Data", "digits")
    assert studied.js("return location.hash") == "#all=&data=digits"
    assert studied.one("#count").text == "12 runs"
    assert set(studied.column("study")) == {"first", "second"}
    assert studied.column("test_accuracy")[0] == "0.9000"
    assert len(studied.all("#scatter .dots path")) == 12
    studied.js("document.querySelector('#runs tbody button').click()")
    assert len(studied.all("#detail figure svg")) == 2
    assert "digits-mlp" in studied.one("#detail .where code").text
    assert len(studied.all("#detail .confusion tbody td")) == 9
    choose(studied, "Study", "first")
    assert studied.detail is None
    assert studied.problems() == []


def test_the_p_values_are_seen_on_a_small_screen_and_a_phone_says_how(seen):
    cut = """const place = document.querySelector("#comparison .scroll");
        const p = [...place.querySelectorAll("th button")].find((button) => button.textContent.startsWith("p"));
        return p.getBoundingClientRect().right - place.getBoundingClientRect().right"""
    hint = "#comparison .sideways"
    seen.open(1200)
    assert seen.js(cut) <= 0
    assert not seen.one(hint).is_displayed()
    seen.open(390, 844)
    assert seen.js(cut) > 0
    assert seen.one(hint).text == "Scroll sideways for more columns →"


# -- metrics that fitbench does not supply ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def kappa_page(tmp_path_factory) -> Path:
    """Four runs that record macro F1 and a user's kappa, which is better the lower it is, and two of 0.1."""
    folder = tmp_path_factory.mktemp("kappa")
    infos = {"macro_f1": metrics.get("macro_f1").info(), "kappa": KAPPA | {"direction": "min"}}
    for i, (model, seed) in enumerate([("mlp", 0), ("mlp", 1), ("softmax", 0), ("softmax", 1)]):
        run = write(folder / "outputs", model, 0.1, seed, 0.9)
        values = {"test_kappa": 0.1 * i - 0.25, "test_macro_f1": 0.8, "val_macro_f1": 0.7}
        record_metrics(run, infos, values, {"val_kappa": [0.5, 0.3, 0.1, -0.1, -0.2, 0.1 * i - 0.25]})
    for seed in (2, 3):
        write(folder / "outputs", "mlp", 0.1, seed, 0.9)
    report(Which([folder / "outputs"], every=True), folder / "report.html", metric="test_kappa")
    return folder / "report.html"


@pytest.fixture
def kappa(browser, kappa_page):
    browser.get_log("browser")
    return Page(browser, kappa_page)


def pick(page: Page, section: str, text: str) -> list[str]:
    """Choose in the first choice of a section; gives its options."""
    return page.js(
        """const select = document.querySelector(`#${arguments[0]} .controls select`);
        const names = [...select.options].map((option) => option.text);
        select.value = select.options[names.indexOf(arguments[1])].value;
        select.dispatchEvent(new Event("change"));
        return names;""",
        section,
        text,
    )


def test_the_comparison_offers_every_recorded_metric_and_knows_its_direction(kappa):
    assert kappa.one("#comparison .answer").text.startswith("Lowest test Cohen's kappa: -0.200 ± 0.071 over 2")
    names = pick(kappa, "comparison", "test macro F1")
    assert {"test accuracy", "test macro F1", "test Cohen's kappa", "validation macro F1"} <= set(names)
    assert kappa.one("#comparison .answer").text.startswith("Highest test macro F1: ")
    assert kappa.problems() == []


def test_the_runs_are_sorted_by_a_metric_in_its_direction(kappa):
    assert kappa.sorted_by() == ("test_kappa", "ascending")
    assert kappa.column("test_kappa") == ["-0.250", "-0.150", "-0.050", "0.050", ABSENT, ABSENT]


def test_every_recorded_series_has_learning_curves(kappa):
    names = pick(kappa, "curves", "validation Cohen's kappa")
    assert {"validation accuracy", "validation Cohen's kappa", "training loss"} <= set(names)
    assert kappa.one("#curves .chart .name:last-of-type")
    texts = kappa.js("return [...document.querySelectorAll('#curves .chart text')].map((text) => text.textContent)")
    assert "validation Cohen's kappa, mean" in texts  # over two runs, so without an interval
    assert "-0.2" in texts
    assert not kappa.one("#curves input[type=checkbox]").is_selected()  # logarithmic: not where values are negative


def test_the_trade_off_has_the_front_of_a_metric_that_is_better_the_lower(kappa):
    front = kappa.js("return document.querySelectorAll('#scatter .dots .front').length")
    assert front == 2  # the first softmax has the fewest parameters, the first mlp the lowest kappa
    assert "test Cohen's kappa" in pick(kappa, "scatter", "test macro F1")


def test_equal_runs_are_on_the_front_together(kappa):
    across, up = [100, 100, 200, 200, 300, 300], [0.9, 0.9, 0.95, 0.9, 0.95, 0.97]
    front = """return paretoFront([0, 1, 2, 3, 4, 5],
        { better: "lower", values: arguments[0] }, { better: "higher", values: arguments[1] });"""
    on = pareto_front(np.array(across), np.array(up), True, False)
    assert sorted(kappa.js(front, across, up)) == np.flatnonzero(on).tolist() == [0, 1, 2, 5]


def test_the_detail_lists_every_metric_with_its_decimals(kappa):
    kappa.one("#runs tbody button").click()
    rows = kappa.js(
        "return [...document.querySelectorAll('.outcome tr')].map((row) => [...row.cells].map((c) => c.textContent))"
    )
    assert rows[0] == ["", "test", "validation", "train"]
    assert ["Cohen's kappa", "-0.250", ABSENT, ABSENT] in rows
    assert ["macro F1", "0.8000", "0.7000", ABSENT] in rows
    assert len(kappa.all("#detail figure svg")) == 3  # accuracy, kappa and loss have curves


def test_a_whole_number_is_shown_as_it_is_and_another_one_in_six_digits(kappa):
    values = [20240131, 2**53 - 1, -1234567, 0.30000000000000004, "20240131"]
    assert kappa.js("return arguments[0].map((value) => written('number', value))", values) == [
        "20240131", "9007199254740991", "-1234567", "0.3", "20240131",
    ]  # fmt: skip


def test_a_metric_is_rounded_as_in_a_terminal(kappa):
    values = [i / 32 for i in range(33)] + [i / 800 for i in range(0, 800, 7)] + [-0.90625, 123.25, 0.98]
    written = kappa.js("return arguments[0].map((value) => written('metric', value, 4))", values)
    assert written == [f"{value:.{4 if abs(value) < 100 else 1}f}" for value in values]


def test_numbers_and_missing_values_of_a_mixed_column_are_compared_as_where_compares_them(kappa):
    words = ["x<0.2", "x>=0.15", "x=0.20", "x!=auto", "x=auto", "x!=0.15", "x<b", "y<5", "y!=5", "y!=auto"]
    kept = kappa.js(
        """columns.set("x", { kind: "text", values: ["auto", "0.15", "0.2", null] });
        columns.set("y", { kind: "number", values: [4, 5, null, null] });
        return arguments[0].map((word) => [0, 1, 2, 3].filter(wordTest(word)));""",
        words,
    )
    assert dict(zip(words, kept, strict=True)) == {
        "x<0.2": [1], "x>=0.15": [1, 2], "x=0.20": [2], "x!=auto": [1, 2, 3], "x=auto": [0], "x!=0.15": [0, 2, 3],
        "x<b": [0], "y<5": [0], "y!=5": [0, 2, 3], "y!=auto": [0, 1, 2, 3],
    }  # fmt: skip
    in_order = "return arguments[0].sort((a, b) => inOrder(a, b, arguments[1]))"
    mixed = ["0.2", "auto", "0.15", "10", None, "1e-05", "9"]
    assert kappa.js(in_order, mixed, False) == ["1e-05", "0.15", "0.2", "9", "10", "auto", None]


# -- searches ---------------------------------------------------------------------------------------------------------


def search_of(study: str, names: list[str], objectives: dict[str, str]) -> dict:
    """What search.json holds of twelve trials; the first ones have these runs, and much is a stranger's."""
    space = {
        "optimizer.learning_rate": {"kind": "float", "low": 1e-5, "high": 0.1, "log": True, "step": None},
        f"model.{HOSTILE}": {"kind": "choice", "values": [HOSTILE, "[784,300,100,50,25,12]", "relu"]},
        "model.dropout": {"kind": "float", "low": 0.0, "high": 0.5, "log": False, "step": None},
    }
    trials = []
    for i in range(12):
        state = "failed" if i == 3 else "pruned" if i in (5, 7) and len(objectives) == 1 else "finished"
        params = {"optimizer.learning_rate": 10 ** (-1 - i % 4), f"model.{HOSTILE}": (HOSTILE, "relu")[i % 2]}
        values = [0.1 if i == 2 else 0.9 + i / 1000, 1000 * (i + 1)][: len(objectives)]
        trials.append({
            "number": i, "state": state, "values": None if state == "failed" else values,
            "params": params | ({"model.dropout": i / 30} if i % 3 else {}),
            "run_ids": [names[i]] if i < len(names) else [], "epochs": 4, "history": [],
            "error": f"ValueError: {HOSTILE}" if state == "failed" else None, "began": i, "ended": i + 2.5,
        })  # fmt: skip
    finished = [one for one in trials if one["state"] == "finished"]
    best = sorted(finished, key=lambda one: -one["values"][0]) if len(objectives) == 1 else finished
    return {
        "schema": 1, "study": study, "space": space, "trials": trials, "best": [one["number"] for one in best],
        "objectives": [{"name": name, "direction": direction} for name, direction in objectives.items()],
        "importance": {name: {"optimizer.learning_rate": 0.75, f"model.{HOSTILE}": 0.25} for name in objectives},
        "sampler": HOSTILE, "pruner": "median", "seed": 0, "seeds": 1, "versions": {},
    }  # fmt: skip


@pytest.fixture(scope="module")
def searches_page(tmp_path_factory) -> Path:
    """Two studies with a search each, the second with two objectives."""
    folder = tmp_path_factory.mktemp("searches")
    outputs = folder / "outputs"
    for study, objectives in (
        ("sweep", {"val_accuracy": "maximize"}),
        (HOSTILE.replace("/", ""), {"val_accuracy": "maximize", "parameters": "minimize"}),
    ):
        names = [write(folder, "mlp", rate, 0, 0.9).name for rate in RATES[:2]]
        outputs.mkdir(exist_ok=True)
        (folder / "sweep").rename(outputs / study)
        (outputs / study / "search.json").write_text(json.dumps(search_of(study, names, objectives)))
    report(Which([outputs], every=True), folder / "report.html")
    return folder / "report.html"


@pytest.fixture
def searched(browser, searches_page):
    page = Page(browser, searches_page)
    choose(page, "Study", "sweep")
    return page


def choose(page: Page, label: str, text: str) -> None:
    page.js(
        """const select = document.querySelector(`#which select[aria-label='${arguments[0]}'],
            #search select[aria-label='${arguments[0]}']`);
        select.value = [...select.options].find((option) => option.text.startsWith(arguments[1])).value;
        select.dispatchEvent(new Event("change"));""",
        label,
        text,
    )
    page.wait_for_charts()


def trial_column(page: Page, label: str) -> list[str]:
    return page.js(
        """const heads = [...document.querySelectorAll("#search thead th button")].map((b) => b.firstChild.data);
        const rows = [...document.querySelectorAll("#search tbody tr")];
        return rows.map((row) => row.cells[heads.indexOf(arguments[0])].textContent);""",
        label,
    )


def test_without_a_search_there_is_no_section_of_it(seen):
    assert not seen.one("#search").is_displayed()


def test_a_search_shows_its_best_trials_first_and_all_that_it_tried(searched):
    assert searched.one("#search .answer").text.startswith("Highest validation accuracy: 0.9110 in trial 11, with ")
    assert trial_column(searched, "trial") == ["11", "10", "9", "8", "6", "4", "1", "0", "2", "7", "5", "3"]
    assert trial_column(searched, "state").count("pruned") == 2
    assert trial_column(searched, "validation accuracy")[-1] == ABSENT
    assert len(searched.all("#search .slices svg")) == 3
    history = searched.all("#search .pair .dots path")
    assert len(history) == 12
    assert [span.text for span in searched.all("#search .share > :last-child")] == ["0.75", "0.25"]
    assert "Not rated" in searched.one("#search .shares .hint").text
    assert len(searched.all("#search .lines path")) == 9  # the finished ones
    keys = [entry.text for entry in searched.all("#search .trial-key .entry")]
    assert keys == ["best", "finished", "pruned, at its best epoch", "beyond the axis", "failed"]


def test_trials_are_sorted_by_what_they_chose(searched):
    head = next(b for b in searched.all("#search thead th button") if b.text == "learning_rate")
    head.click()
    rates = [float(text) for text in trial_column(searched, "learning_rate")]
    assert rates == sorted(rates)
    head = next(b for b in searched.all("#search thead th button") if b.text.startswith("dropout"))
    head.click()
    assert trial_column(searched, "dropout")[-4:] == [ABSENT] * 4


def test_a_trial_opens_its_run_and_is_marked_in_every_chart(searched):
    row = next(row for row in searched.all("#search tbody tr") if row.text.split()[0] == "1")
    searched.middle(row)
    row.find_element(By.TAG_NAME, "button").click()
    assert searched.detail.startswith("digits-mlp-sgd-")
    assert "selected" in row.get_attribute("class")
    assert len(searched.all("#search .pair .over .selected")) == 1
    assert len(searched.all("#search .slices .over .selected")) == 3
    without = next(row for row in searched.all("#search tbody tr") if row.text.split()[0] == "9")
    assert not without.find_elements(By.TAG_NAME, "button")


def test_a_mark_says_what_its_trial_was(searched):
    x, y = searched.middle(searched.all("#search .pair .dots path")[-1])  # the best lies on top
    searched.driver.execute_cdp_cmd("Input.dispatchMouseEvent", {"type": "mouseMoved", "x": x, "y": y})
    told = searched.one("#tooltip").text
    assert told.startswith("trial 11, finished\nvalidation accuracy 0.9110\nlearning_rate 0.0001")
    assert "relu" in told


def test_of_two_objectives_either_is_looked_at(searched):
    choose(searched, "Study", HOSTILE.replace("/", ""))
    assert "on the Pareto front" in searched.one("#search .answer").text
    assert len(searched.all("#search .pareto path")) == 1
    assert len(searched.all("#search .pair .dots path")) == 11  # the failed one has neither
    names = searched.js("return [...document.querySelectorAll('#search .chart .name')].map((name) => name.textContent)")
    assert names[:2] == ["parameters", "validation accuracy"]
    choose(searched, "Up", "parameters")
    choose(searched, "Across", "validation accuracy")
    names = searched.js("return [...document.querySelectorAll('#search .chart .name')].map((name) => name.textContent)")
    assert names[:2] == ["validation accuracy", "parameters"]


@pytest.mark.parametrize("width", [390, 1440])
def test_a_strangers_search_stays_text_and_inside_of_the_page(browser, searches_page, width):
    browser.get_log("browser")
    page = Page(browser, searches_page)
    page.open(width)
    for study in ("sweep", HOSTILE.replace("/", "")):
        choose(page, "Study", study)
        assert page.js("return document.documentElement.scrollWidth") <= width
        for place in (".said", "tbody", ".slices"):
            assert HOSTILE in page.js("return document.querySelector(`#search ${arguments[0]}`).textContent", place)
        assert "<img src=x onerror=alert(2)>" in page.one("#search .answer").text
    assert page.js("return document.querySelectorAll('img').length") == 0
    assert page.js("return document.scripts.length") == 2
    assert browser.get_log("browser") == []


# -- the page and charts for a paper ----------------------------------------------------------------------------------


AXES = [
    ([0.12, 0.95], (0.0, 1.0), None, False),
    ([0.9, 1.0], (0.0, 1.0), None, False),
    ([0.02, 2.3], (0.0, math.inf), None, False),
    ([0.0, 2.3], (0.0, math.inf), None, False),
    ([-0.4, 0.31, math.nan], (-1.0, 1.0), None, False),
    ([7850, 61_706, 3_000_000], (0.0, math.inf), None, False),
    ([1, 12], (-math.inf, math.inf), False, True),
    ([1, 2], (-math.inf, math.inf), False, True),
    ([1e-5, 0.1], (-math.inf, math.inf), True, False),
    ([3.0, 4.0], (-math.inf, math.inf), True, False),
    ([5.0, 5.0], (-math.inf, math.inf), None, False),
    ([], (-math.inf, math.inf), None, False),
    ([1e16, 1e16 + 4], (-math.inf, math.inf), None, False),
    ([101_280, 101_360], (-math.inf, math.inf), None, False),
    ([-20_000, 20_000], (-math.inf, math.inf), None, False),
    ([0.25, 0.250002], (-math.inf, math.inf), None, False),
    ([0.5, 0.5 + 1e-10], (-math.inf, math.inf), None, False),
    ([-1e308, 1e308], (-math.inf, math.inf), None, False),
    ([1e-300, 1e300], (-math.inf, math.inf), True, False),
]


@pytest.mark.parametrize("most", [3, 6])
def test_the_page_has_the_rules_of_axes_that_charts_for_a_paper_have(seen, most):
    for values, limits, log, whole in AXES:
        low, high = (end if math.isfinite(end) else None for end in limits)
        finite = [None if math.isnan(value) else value for value in values]
        found = seen.js(
            """const [values, low, high, log, whole, room] = arguments;
            const place = scale(values.map((v) => v ?? NaN), 0, room, { of: { low, high }, log, whole });
            return [place.log, place.low, place.high, place.ticks.map(([v]) => v), place.ticks.map(([, t]) => t)];""",
            *(finite, low, high, log, whole, most * 44),
        )
        axis = axis_of(values, limits, log=log)
        ticks = axis.ticks(most, whole)
        assert found[0] is axis.log
        assert found[1:3] == pytest.approx([axis.low, axis.high])
        assert found[3] == pytest.approx(ticks)
        assert found[4] == tick_texts(ticks, axis.log)


def test_the_page_and_charts_for_a_paper_draw_the_same_runs_alike(browser, page, monkeypatch):
    figures = []
    monkeypatch.setattr(paper, "write", lambda figure, path: figures.append(figure))
    outputs, out = page.parent / "outputs", page.parent / "chart.png"
    for kind, metric in (("curves", "val_loss"), ("curves", "val_accuracy"), ("scatter", "test_accuracy")):
        plot(Which([outputs], every=True), kind, out, by="model.name", metric=metric)
    report(Which([outputs], every=True), page.parent / "models.html", by="model.name", metric="val_accuracy")
    models = Page(browser, page.parent / "models.html")
    loss, accuracy, cost = (figure.axes[0] for figure in figures)
    for label, axes, log in (("validation loss", loss, True), ("validation accuracy", accuracy, False)):
        pick(models, "curves", label)
        assert models.one("#curves input[type=checkbox]").is_selected() is (axes.get_yscale() == "log") is log
    parameters = models.js(
        "return scale(columns.get('parameters').values, 0, 1, { of: columns.get('parameters') }).log"
    )
    assert parameters is (cost.get_xscale() == "log")

    ink = (
        "return [...document.querySelectorAll('#curves .means path:not(.tail)')].map((p) => getComputedStyle(p).stroke)"
    )
    on_page = [hexadecimal(colour) for colour in reversed(models.js(ink))]  # the best group lies on top
    on_paper = [to_hex(line.get_color()) for line in accuracy.lines if line.get_gid() == "mean"]
    assert on_page == on_paper == [colour.light for colour in palette.SERIES[:3]]


def hexadecimal(colour: str) -> str:
    """'rgb(11, 71, 129)' as '#0b4781'."""
    return to_hex([int(part) / 255 for part in re.findall(r"\d+", colour)])


def test_the_page_has_every_colour_of_the_palette(seen):
    probe = """const probe = document.createElement("i");
        document.body.append(probe);
        const found = LOOKS.map(({ colour }) => {
          probe.style.color = colour;
          return getComputedStyle(probe).color;
        });
        probe.remove();
        return found;"""
    for scheme in ("light", "dark"):
        seen.open(scheme=scheme)
        assert [hexadecimal(colour) for colour in seen.js(probe)] == [getattr(each, scheme) for each in palette.SERIES]
