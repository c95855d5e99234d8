"""A run as a notebook shows it."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from fitbench.analysis.palette import SERIES
from fitbench.api.run import Run
from fitbench.errors import RequestError
from fitbench.record.claims import claim

from ..browser import Page
from ..run_folders import as_task, close_values, curves

VOID = {"circle", "path"}  # elements of the SVG without an end tag


class Parsed(HTMLParser):
    """The elements of a piece of HTML by name, with their attributes, and its text without that of the style."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.texts: list[str] = []
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1:] != ["style"]:
            self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(self.texts)

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.elements)


def shown(folder: Path) -> Parsed:
    return Parsed(Run(folder)._repr_html_())


def test_a_finished_run_shows_its_metrics_as_the_terminal_does_its_curves_and_its_settings(make_run, call):
    folder = make_run("training.epochs=5", "model.dropout=0.25")
    page = shown(folder)
    status, printed, _ = call("show", folder)
    assert status == 0
    numbers = re.findall(r"\d+\.\d{4}", printed.partition("\nResult\n")[2])
    assert numbers
    assert re.findall(r"\d+\.\d{4}", page.text)[: len(numbers)] == numbers
    assert {"finished", folder.name, "test", "best epoch", "3 of 5", "12,345"} <= set(page.texts)
    assert page.count("svg") == 2
    assert {"Loss", "Accuracy", "epoch 3: validation 0.5", "best epoch 3"} <= set(page.texts)
    settings = page.text.partition("5 chosen settings; all others have their default values")[2]
    assert {"model.dropout", "0.25", "training.epochs", "5", "model.name", "mlp"} <= set(settings.split())
    assert "training.batch_size" not in settings


@pytest.mark.parametrize("state", ["failed", "running", "interrupted", "pruned", "new", "solved", "one epoch"])
def test_every_state_is_shown(make_run, state):
    history = {"new": [], "solved": [], "one epoch": curves(1)}.get(state, curves(4))
    finished = state in ("solved", "one epoch")
    folder = make_run("training.epochs=9", history=history, finished=finished, pruned=state == "pruned", trial=7)
    if state == "failed":
        (folder / "error.txt").write_text("Traceback (most recent call last):\n  x\nValueError: no <b>luck</b>\n")
    with claim(folder) if state == "running" else np.errstate():
        page = shown(folder)
    expected = {
        "failed": {"failed", "ValueError: no <b>luck</b>", "Epoch 4 of 9."},
        "running": {"running", "Epoch 4 of 9.", "0.6000"},
        "interrupted": {"interrupted", "Epoch 4 of 9."},
        "pruned": {"pruned", "Trial 7 of a search ended it after epoch 4 of 9. It was never tested.", "0.8800"},
        "new": {"interrupted", "No epoch is recorded yet."},
        "solved": {"finished", "accuracy", "test"},
        "one epoch": {"finished", "epoch 1: train 2"},
    }[state]
    assert expected <= set(page.texts)
    assert page.count("svg") == (0 if not history else 2 if finished else 1)  # without dataset.json the loss alone


def test_a_run_of_schema_1_and_one_of_regression_are_shown(make_run, tmp_path):
    old = make_run("study=old")
    result = json.loads((old / "result.json").read_text())
    for name in ("schema", "fold", "task", "primary", "metric_info", "threads", "environment", "code"):
        result.pop(name, None)
    result["timing"]["images_per_second"] = result["timing"].pop("examples_per_second")
    (old / "result.json").write_text(json.dumps(result | {"schema": 1}))
    assert {"accuracy", "0.8833", "best epoch"} <= set(shown(old).texts)
    values = as_task(make_run("study=values"), "regression", *close_values(40), ("price",))
    assert {"RMSE", "R²"} & set(shown(values).texts)


LABEL = "<img src=x onerror=alert(1)>&\"'"  # which has printable characters alone
HOSTILE = f"{LABEL}\x1b[31m</style></svg>"


def test_what_a_run_folder_holds_is_text(make_run):
    folder = make_run("training.epochs=5")
    named = folder.with_name("<b>x\"'&")
    folder.rename(named)
    result = json.loads((named / "result.json").read_text())
    result |= {"run_id": HOSTILE, "device": HOSTILE}
    result["config"]["model"][HOSTILE] = HOSTILE
    result["metric_info"]["accuracy"]["label"] = LABEL
    (named / "result.json").write_text(json.dumps(result))
    page = shown(named)
    spelled = HOSTILE.replace("\x1b", "\\x1b")
    assert page.text.count(spelled) == 4
    assert page.text.count(LABEL) == 6  # also in the table, and above the curve
    assert "<b>x\"'&" in page.text
    assert {name for name, _ in page.elements} <= {
        "div", "style", "p", "strong", "span", "table", "thead", "tbody", "tr", "th", "td", "dl", "dt", "dd", "figure",
        "figcaption", "svg", "g", "path", "text", "circle", "title", "details", "summary",
    }  # fmt: skip
    assert not {
        name for _, attributes in page.elements for name in attributes if name.startswith(("on", "src", "href"))
    }


def test_the_style_is_for_runs_alone_and_loads_nothing(make_run):
    html = Run(make_run())._repr_html_()
    style = re.sub(r"@media[^{]*{(.*?})\s*}", r"\1", html.partition("<style>")[2].partition("</style>")[0])
    rules = re.findall(r"([^{}]+){[^{}]*}", style)
    assert len(rules) > 20
    assert [rule for rule in rules for selector in re.sub(r"\([^)]*\)", "", rule).split(",")
            if ".fitbench-run" not in selector] == []  # fmt: skip
    assert "url(" not in html
    assert "@import" not in html


def test_a_damaged_run_is_the_message(make_run):
    folder = make_run()
    (folder / "result.json").write_text('{"metrics":')
    page = shown(folder)
    assert "result.json" in page.text
    assert page.count("table") == 0
    assert repr(Run(folder)) == f"Run('{folder.name}', damaged)"


def test_long_curves_are_thinned_and_values_that_no_axis_shows_are_gaps(make_run):
    history = curves(3_000)
    history[1]["loss"] = None
    history[5]["val_loss"] = 1e300
    folder = make_run("training.epochs=3000", history=history)
    html = Run(folder)._repr_html_()
    assert len(html) < 30_000
    assert not re.search(r"nan|inf|e\+", html.partition("<svg")[2].partition("</figure>")[0].replace("cinfo", ""))


def test_the_figure_is_drawn_once_as_a_picture_of_the_curves(make_run):
    folder = make_run("training.epochs=5")
    figure = Run(folder).plot()
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["Loss", "Accuracy"]
    picture, size = figure._repr_png_()
    assert picture.startswith(b"\x89PNG")
    assert size == {"width": 672, "height": 269}
    assert [axes.get_title(loc="left") for axes in Run(folder).plot("val_loss").axes] == ["Loss"]
    with pytest.raises(RequestError, match=r"^metric: the history has no 'acuracy'; did you mean accuracy"):
        Run(folder).plot("acuracy")
    with pytest.raises(RequestError, match="no epoch is recorded"):
        Run(make_run("study=new", history=[], finished=False)).plot()


@pytest.mark.parametrize(
    ("scheme", "attributes", "ground"),
    [
        ("light", "", "light"),
        ("dark", "", "dark"),
        ("dark", 'data-jp-theme-light="true"', "light"),
        ("light", 'data-jp-theme-light="false"', "dark"),
    ],
)
def test_a_browser_draws_the_curves_in_the_colours_of_the_ground(
    make_run, tmp_path, browser, scheme, attributes, ground
):
    page = Page(browser, (tmp_path / "page.html").as_uri())
    html = Run(make_run("training.epochs=5"))._repr_html_()
    (tmp_path / "page.html").write_text(f"<!doctype html><meta charset=utf-8><body {attributes}>{html}", "utf-8")
    page.requested()
    page.open(width=700, scheme=scheme)
    drawn = page.js("return [...document.querySelectorAll('.fitbench-curve')].map(one => getComputedStyle(one).stroke)")
    colours = [getattr(colour, ground) for colour in SERIES[:2]]
    assert (
        drawn == [f"rgb({', '.join(str(int(colour[at : at + 2], 16)) for at in (1, 3, 5))})" for colour in colours] * 2
    )
    assert page.js("return document.documentElement.scrollWidth <= 700")
    assert page.requested() == [page.url]
    assert page.problems() == []
