"""Two runs of regression, of several labels, or of classes by another metric than accuracy."""

import csv
import io
import json

import numpy as np
import pytest
from sklearn import metrics as sklearn
from typer.testing import CliRunner

from fitbench import cli
from fitbench.analysis.bootstrap import SEED
from fitbench.errors import FitbenchError, RequestError

from ..metric_runs import KAPPA
from ..run_folders import as_task, close_values, record_metrics, several_labels

LABELS = ("red", "green", "blue")


@pytest.fixture
def compare(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        result = CliRunner().invoke(cli.app, ["compare", *map(str, arguments)])
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.stdout

    return call


@pytest.fixture
def houses(make_run):
    """Two runs that predict 50 prices; A is 100 closer on example 7 and nowhere else."""
    targets, a = close_values(50, scale=1000)
    b = a.copy()
    b[7] = targets[7] + np.sign(a[7] - targets[7]) * (np.abs(a[7] - targets[7]) + 100)
    return [
        as_task(make_run(f"seed={seed}"), "regression", targets, outputs, ("price",))
        for seed, outputs in enumerate((a, b))
    ]


@pytest.fixture
def tags(make_run):
    targets, a = several_labels(40, 3)
    _, b = several_labels(40, 3, seed=1)
    thresholds = (0.3, 0.6)
    return [
        as_task(make_run("study=tags", f"seed={seed}"), "multilabel", targets, outputs, LABELS, threshold)
        for seed, (outputs, threshold) in enumerate(zip((a, np.clip(b * 0.5 + a * 0.5, 0, 1)), thresholds, strict=True))
    ]


def test_regressions_are_compared_by_their_primary_metric(houses, compare):
    found = json.loads(compare(*houses, "--format", "json"))
    assert (found["metric"], found["higher_is_better"], found["test"]) == ("mae", False, "paired bootstrap")
    assert found["difference"] == pytest.approx(-100 / 50, rel=1e-3)
    assert found["resamples"] == 10_000
    random = np.random.default_rng(SEED)
    draws = (random.integers(50, size=50) for _ in range(found["resamples"]))
    expected = np.quantile([-2 * np.sum(draw == 7) for draw in draws], (0.025, 0.975))
    assert (found["low"], found["high"]) == pytest.approx(tuple(expected), rel=1e-3, abs=1e-3)
    assert 0.5 < found["p"] <= 1  # in 36 % of the resamples, without example 7, they are equal
    (example,) = found["disagreements"]
    assert (example["example"], example["target"]) == (7, "price")
    assert abs(example["error_b"]) == pytest.approx(abs(example["error_a"]) + 100, rel=1e-3)
    assert example["difference"] == pytest.approx(-100, rel=1e-3)
    spread = np.load(houses[0] / "predictions.npz")["targets"].std()
    assert example["relative_difference"] == pytest.approx(-100 / spread, rel=1e-3)
    keys = {"example", "target", "true", "a", "error_a", "b", "error_b", "difference", "relative_difference"}
    assert set(example) == keys


@pytest.mark.parametrize("metric", ["rmse", "test_r2"])
def test_any_metric_of_the_task_can_be_chosen(houses, compare, metric):
    found = json.loads(compare(*houses, "--metric", metric, "--format", "json"))
    runs = [np.load(folder / "predictions.npz") for folder in houses]
    score = {"rmse": sklearn.root_mean_squared_error, "test_r2": sklearn.r2_score}[metric]
    a, b = (score(run["targets"].astype(float), run["values"].astype(float)) for run in runs)
    assert (found["a"]["value"], found["b"]["value"]) == pytest.approx((a, b))
    assert found["difference"] == pytest.approx(a - b)
    assert found["higher_is_better"] == (metric == "test_r2")


def test_the_table_says_what_was_tested_and_how(houses, compare, make_run):
    targets, a = close_values(50, scale=1000)
    worse = as_task(make_run("seed=2"), "regression", targets, targets + 10 * (a - targets), ("price",))
    out = compare(*houses)
    assert "MAE: A - B is -2.00, 95% interval " in out
    assert "Lower is better." in out
    assert "Paired bootstrap, percentile interval: 10,000 resamples of the test examples." in out
    assert "The 1 example on which the absolute errors differ most" in out
    assert [line.split()[0] for line in out.splitlines() if line.strip().startswith("7 ")] == ["7"]
    assert "; p < 0.0002. " in compare(houses[0], worse)
    same = compare(houses[0], houses[0])
    assert "p = 1." in same
    assert "The absolute errors of the runs do not differ on any example" in same


def test_several_targets_are_compared_on_the_scale_of_each(make_run, compare):
    targets, a = close_values(30, 2)
    b = a.copy()
    b[3, 0] += 5  # of a spread of 1
    b[4, 1] += 9
    scale = np.array([1, 1000], np.float32)
    folders = [
        as_task(make_run(f"seed={seed}"), "regression", targets * scale, outputs * scale, ("small", "large"))
        for seed, outputs in enumerate((a, b))
    ]
    rows = list(csv.DictReader(io.StringIO(compare(*folders, "--format", "csv"))))
    assert [(row["example"], row["target"]) for row in rows] == [("4", "large"), ("3", "small")]
    out = compare(*folders)
    apart = [float(row["relative_difference"]) for row in rows]
    assert [line.split()[-1] for line in out.splitlines() if line.split()[:1] in (["4"], ["3"])] == [
        f"{value:.2f}" for value in apart
    ]
    assert "(|A| - |B|) / sd" in out
    assert "sd: the standard deviation of the target in the test part" in out


@pytest.mark.parametrize(("task", "both"), [("regression", True), ("regression", False), ("multilabel", True)])
def test_examples_of_a_table_are_named_by_their_rows_of_the_file(make_run, compare, task, both):
    rows = np.arange(100, 130)
    make = {"regression": close_values, "multilabel": several_labels}[task]
    folders = []
    for seed in (0, 1):
        targets, outputs = make(30, 2)[0], make(30, 2, seed=seed)[1]
        recorded = rows if both or seed else None  # an older fitbench has recorded A without them
        folders.append(
            as_task(make_run(f"seed={seed}"), task, targets, outputs, ("x", "y"), threshold=0.5, rows=recorded)
        )
    found = json.loads(compare(*folders, "--format", "json"))["disagreements"]
    assert found
    assert all(each["row"] == 100 + each["example"] for each in found)
    lines = compare(*folders).splitlines()
    head = next(i for i, line in enumerate(lines) if line.split()[:1] == ["row"])
    assert lines[head + 1].split()[0] == str(found[0]["row"])
    assert "row: of the file, counted from 1 below the names of the columns" in lines
    table = list(csv.DictReader(io.StringIO(compare(*folders, "--format", "csv"))))
    assert [row["row"] for row in table] == [str(each["row"]) for each in found]


def test_labels_are_compared_at_the_threshold_of_each_run(tags, compare):
    found = json.loads(compare(*tags, "--format", "json"))
    runs = [np.load(folder / "predictions.npz") for folder in tags]
    decided = [run["probabilities"] >= np.float32(threshold) for run, threshold in zip(runs, (0.3, 0.6), strict=True)]
    expected = [sklearn.f1_score(runs[0]["labels"], each, average="micro") for each in decided]
    assert (found["a"]["value"], found["b"]["value"]) == pytest.approx(tuple(expected))
    differ = (decided[0] != decided[1]).sum(axis=1)
    assert [each["differ"] for each in found["disagreements"]] == sorted(differ[differ > 0].tolist(), reverse=True)
    first = found["disagreements"][0]
    assert first["a"] == [LABELS[i] for i in np.flatnonzero(decided[0][first["example"]])]
    assert first["wrong_a"] == (decided[0] != runs[0]["labels"])[first["example"]].sum()
    out = compare(*tags, "--limit", "2")
    assert [line.split()[-1] for line in out.splitlines() if line.startswith(("A ", "B "))] == ["0.30", "0.60"]
    assert f"The runs give different labels to {(differ > 0).sum()} examples; the 2 with the most" in out


def test_a_metric_without_decisions_has_no_threshold(tags, compare):
    out = compare(*tags, "--metric", "roc_auc")
    assert "ROC AUC: A - B is" in out
    assert "threshold" not in out


def test_classes_can_be_compared_by_another_metric(make_run, compare):
    folders = [make_run(f"seed={seed}") for seed in (0, 1)]
    labels, probabilities = make_run.predictions(60, 3, seed=3)
    del labels
    arrays = dict(np.load(folders[1] / "predictions.npz"))
    np.savez(folders[1] / "predictions.npz", **arrays | {"probabilities": probabilities})
    found = json.loads(compare(*folders, "--metric", "macro_f1", "--format", "json"))
    predicted = [np.load(folder / "predictions.npz")["probabilities"].argmax(axis=1) for folder in folders]
    a, b = (sklearn.f1_score(arrays["labels"], each, average="macro") for each in predicted)
    assert (found["a"]["value"], found["b"]["value"]) == pytest.approx((a, b))
    assert found["low"] < found["difference"] < found["high"]
    assert len(found["disagreements"]) == (predicted[0] != predicted[1]).sum()


def test_a_function_of_the_users_is_not_called_and_said_so(make_run, compare):
    folders = [record_metrics(make_run(f"seed={seed}"), {"kappa": KAPPA}, primary="kappa") for seed in (0, 1)]
    out = compare(*folders)
    assert "The primary metric, kappa, is a function of the user's, which is not called here." in out
    assert "McNemar's exact test" in out
    with pytest.raises(
        RequestError, match=r"kappa: it is a function of the user's.*choose one of accuracy, .*macro_f1"
    ):
        compare(*folders, "--metric", "test_kappa")
    own = {"macro_f1": KAPPA | {"direction": "max", "range": [0, 1]}}  # under the name of a metric of fitbench
    folders = [record_metrics(folder, own) for folder in folders]
    with pytest.raises(RequestError, match=r"macro_f1: it is a function of the user"):
        compare(*folders, "--metric", "macro_f1")


@pytest.mark.parametrize(
    ("metric", "message"),
    [
        ("val_mae", "two runs are compared on the test part; use mae"),
        (
            "accuracy",
            "it is not computed from the predictions of a run of regression; choose one of mae, mse, rmse, r2",
        ),
        ("loss", "loss: it is not computed from the predictions"),
        ("nonsense", "nonsense: it is not computed from the predictions"),
    ],
)
def test_a_metric_that_predictions_do_not_give_is_refused(houses, compare, metric, message):
    with pytest.raises(RequestError, match=message):
        compare(*houses, "--metric", metric)


def test_runs_of_two_tasks_and_of_other_targets_are_refused(houses, tags, make_run, compare):
    with pytest.raises(RequestError, match=r"is of the task regression and .* of multilabel; choose runs of one"):
        compare(houses[0], tags[0])
    targets, outputs = close_values(50, scale=1000)
    other = as_task(make_run("seed=7"), "regression", targets, outputs, ("rent",))
    with pytest.raises(FitbenchError, match="its targets or test targets differ from those of"):
        compare(houses[0], other)


def test_a_run_of_nan_has_no_metric_to_test(make_run, compare):
    targets, outputs = close_values(20)
    a, b = (as_task(make_run(f"seed={seed}"), "regression", targets, each, ("y",))
            for seed, each in enumerate((outputs, np.full_like(outputs, np.nan))))  # fmt: skip
    assert "MAE is undefined for B, so nothing is tested." in compare(a, b)
    found = json.loads(compare(a, b, "--format", "json"))
    assert (found["b"]["value"], found["difference"], found["p"]) == (None, None, None)
    assert found["disagreements"][0]["b"] is None
