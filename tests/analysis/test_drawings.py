"""What `fitbench show` says of the predictions of regressions and of several labels."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import precision_recall_fscore_support

from fitbench import metrics
from fitbench.analysis.drawings import CLASSES, MISTAKES
from fitbench.analysis.run_files import read_run
from fitbench.analysis.scores import per_label, per_target, worst_values
from fitbench.analysis.show import show
from fitbench.charts.pictures import draw_run, write_plots

from ..run_folders import as_task, close_values, several_labels


@pytest.fixture
def shown(capsys):
    def call(folder: Path, format: str = "table") -> str:
        show(str(folder), Path("outputs"), format)
        captured = capsys.readouterr()
        assert captured.err == ""
        return captured.out

    return call


def lines_after(text: str, title: str) -> list[list[str]]:
    """The words of the lines of the table under a title."""
    return [line.split() for line in text.partition(f"\n{title}\n")[2].partition("\n\n")[0].splitlines()]


# -- scores -----------------------------------------------------------------------------------------------------------


def test_scores_of_targets_are_the_metrics_of_one_target_each():
    targets, outputs = close_values(30, 3, scale=100)
    targets[:, 2] = 5  # R2 is undefined
    scored = per_target(targets, outputs, ["a", "b", "c"])
    for name in ("mae", "rmse", "r2"):
        for i, score in enumerate(scored):
            value = metrics.get(name).evaluate(targets[:, i], outputs[:, i])
            assert score[name] == (None if value is None else pytest.approx(value))
    assert scored[2]["r2"] is None
    assert scored[0]["bias"] == pytest.approx((outputs[:, 0].astype(float) - targets[:, 0]).mean())


def test_scores_of_labels_are_those_of_scikit_learn():
    targets, outputs = several_labels(80, 4)
    outputs[:, 3] = 0.1  # is never predicted
    scored = per_label(targets, outputs, ["a", "b", "c", "d"], 0.4)
    expected = precision_recall_fscore_support(targets, outputs >= 0.4, zero_division=np.nan)
    for i, score in enumerate(scored):
        for name, column in zip(("precision", "recall", "f1", "support"), expected, strict=True):
            value = None if math.isnan(column[i]) else pytest.approx(float(column[i]))
            assert score[name] == value
    assert scored[3]["precision"] is None


def test_the_largest_errors_are_relative_to_the_spread_of_their_target():
    targets = np.array([[0, 0], [1, 1000], [2, 2000]], np.float32)
    outputs = targets + np.array([[0, 500], [3, 0], [0, 0]], np.float32)
    assert worst_values(targets, outputs, 2) == [(1, 0), (0, 1)]
    outputs[2, 0] = np.nan
    assert worst_values(targets, outputs, 1) == [(2, 0)]


# -- regression -------------------------------------------------------------------------------------------------------


def test_a_regression_shows_its_targets_and_largest_errors(make_run, shown):
    targets, outputs = close_values(50, 2, scale=1000)
    outputs[3, 1] = targets[3, 1] - 20_000
    folder = as_task(make_run(), "regression", targets, outputs, ("price", "rent"), rows=np.arange(50) + 7)
    text = shown(folder)
    head, price, rent = lines_after(text, "Per target")[:3]
    assert head == ["target", "MAE", "RMSE", "R2", "bias"]
    error = outputs[:, 0].astype(float) - targets[:, 0]
    assert price[:2] == ["price", f"{np.abs(error).mean():.1f}"]
    assert rent[0] == "rent"
    errors = lines_after(text, "Largest errors (predicted - true), relative to the sd of their target")
    assert errors[0] == ["row", "target", "true", "predicted", "error", "error", "/", "sd"]
    assert errors[1][:2] == ["10", "rent"]
    assert errors[1][-2] == "-20,000"
    relative = [abs(float(row[-1])) for row in errors[1:-2]]
    assert relative == sorted(relative, reverse=True)
    assert len(relative) == MISTAKES
    assert [" ".join(words).partition(":")[0] for words in errors[-2:]] == ["sd", "row"]
    content = json.loads(shown(folder, "json"))
    first = content["worst"][0]
    assert (first["example"], first["row"], first["error"]) == (3, 10, pytest.approx(-20_000))
    assert first["relative_error"] == pytest.approx(-20_000 / targets[:, 1].std(), rel=1e-3)
    assert [score["target"] for score in content["per_target"]] == ["price", "rent"]
    assert (content["per_class"], content["per_label"], content["threshold"]) == (None, None, None)


def test_a_regression_that_diverged_is_shown_without_scores(make_run, shown):
    targets, outputs = close_values(20)
    outputs[4] = np.nan
    folder = as_task(make_run(), "regression", targets, outputs, ("y",))
    text = shown(folder)
    assert lines_after(text, "Per target")[1] == ["y", "-", "-", "-", "-"]
    errors = lines_after(text, "Largest errors (predicted - true)")
    assert errors[0] == ["example", "true", "predicted", "error"]
    assert errors[1][-2:] == ["-", "-"]
    assert json.loads(shown(folder, "json"))["worst"][0]["predicted"] is None


def test_of_many_targets_the_worst_are_listed(make_run, shown):
    count = 10_000
    targets, outputs = close_values(4, count)
    outputs[:, 1234] = 100
    folder = as_task(make_run(), "regression", targets, outputs, tuple(f"t{i}" for i in range(count)))
    text = shown(folder)
    rows = lines_after(text, f"Per target, the {CLASSES} of 10,000 with the lowest R2")
    assert rows[1][0] == "t1234"
    assert len(rows) == 1 + CLASSES + 1  # and the note
    assert len(json.loads(shown(folder, "json"))["per_target"]) == count


# -- several labels ---------------------------------------------------------------------------------------------------


def test_labels_are_shown_at_the_recorded_threshold(make_run, shown):
    targets, outputs = several_labels(60, 3)
    folder = as_task(make_run(), "multilabel", targets, outputs, ("red", "green", "blue"), 0.37)
    content = json.loads(shown(folder, "json"))
    assert content["threshold"] == 0.37
    assert content["per_label"] == per_label(targets, outputs, ["red", "green", "blue"], 0.37)
    rows = lines_after(shown(folder), "Per label at the threshold 0.37")
    assert rows[0] == ["label", "precision", "recall", "F1", "examples"]
    assert [row[0] for row in rows[1:4]] == ["red", "green", "blue"]
    assert rows[4][:3] == ["mean", "of", "labels"]
    assert rows[4][-1] == "-"


def test_mistakes_are_drawn_of_images_alone(make_run):
    folder = make_run("data=sklearn", "data.name=iris")
    assert [path.name for path in draw_run(read_run(folder))] == ["curves.png", "confusion.png"]


def test_the_pictures_of_each_task_are_drawn_after_a_run(make_run):
    targets, outputs = several_labels(60, 3)
    tags = as_task(make_run("study=a"), "multilabel", targets, outputs, ("red", "green", "blue"), 0.37)
    assert [path.name for path in write_plots(tags)] == ["curves.png", "labels.png"]
    houses = as_task(make_run("study=b"), "regression", *close_values(60), ("price",))
    assert [path.name for path in write_plots(houses)] == ["curves.png", "predicted.png", "residuals.png"]
