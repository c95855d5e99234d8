"""An outputs folder with runs of several tasks: each task and data set is compared for itself."""

import json
import re

import numpy as np
import pytest
from typer.testing import CliRunner

from fitbench import cli
from fitbench.analysis.frame import load_runs, newest_task, quantities_of

from ..run_folders import as_task, close_values, several_labels


@pytest.fixture
def mixed(make_run, tmp_path, monkeypatch):
    """Two runs of images, three of a regression, which finished last, and one of several labels."""
    for seed in range(2):
        make_run("study=images", f"seed={seed}")
    for seed in range(3):
        targets, outputs = close_values(30, seed=seed)
        folder = as_task(
            make_run("study=houses", "model=softmax", f"seed={seed}"), "regression", targets, outputs, ("y",)
        )
        result = json.loads((folder / "result.json").read_text())
        (folder / "result.json").write_text(json.dumps(result | {"finished_at": "2026-02-01T00:00:00Z"}))
    as_task(make_run("study=tags"), "multilabel", *several_labels(30, 2), ("a", "b"), 0.5)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "outputs"


@pytest.fixture
def fitbench(mixed):
    def call(*arguments):
        result = CliRunner().invoke(cli.app, arguments)
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.stdout, result.stderr

    return call


ALL = "fitbench: runs on mnist_5k (regression), the newest; 3 runs on other data or of other tasks are left out; "


def comparisons(out):
    return json.loads(out)["comparisons"]


def test_runs_lists_all_of_them_with_the_primary_metric_of_each(fitbench):
    out, _ = fitbench("runs", "--all")
    assert "6 runs: 6 finished" in out
    for name in (" accuracy 0.", " mae 0.", " micro_f1 0."):
        assert name in out


def test_each_task_has_a_comparison_of_its_own_the_newest_first(fitbench):
    out, err = fitbench("compare", "--format", "json")
    found = comparisons(out)
    assert found[0]["task"] == "regression"
    assert {each["task"]: (each["metric"], each["higher_is_better"]) for each in found} == {
        "regression": ("metrics.test_mae", False),
        "classification": ("metrics.test_accuracy", True),
        "multilabel": ("metrics.test_micro_f1", True),
    }
    assert [len(group["values"]) for group in found[0]["groups"]] == [3]
    assert err == ""
    out, _ = fitbench("compare", "--all")
    for title in ("regression): test_mae", "classification): test_accuracy", "multilabel): test_micro_f1"):
        assert f"mnist_5k ({title}" in out


def test_a_metric_leaves_out_the_tasks_that_lack_it(fitbench):
    out, _ = fitbench("compare", "--metric", "micro_f1", "--format", "json")
    assert [each["task"] for each in comparisons(out)] == ["multilabel"]
    out, _ = fitbench("compare", "--metric", "micro_f1", "--all")
    assert out.startswith("test_micro_f1, higher is better: 1 run in 1 group by ")


def test_losses_of_two_tasks_are_never_ranked_together(fitbench, mixed):
    out, _ = fitbench("compare", "--metric", "test_loss", "--format", "json")
    assert [sum(len(group["values"]) for group in each["groups"]) for each in comparisons(out)] == [3, 2, 1]
    quantities = quantities_of(load_runs(mixed))
    assert len(quantities["metrics.test_loss"].definitions) == 3
    assert len(quantities["metrics.test_mae"].definitions) == 1


def test_times_and_sizes_are_compared_within_a_task_too(fitbench):
    out, err = fitbench("compare", "--metric", "parameters", "--by", "study", "--format", "json")
    found = comparisons(out)
    assert [len(content["groups"]) for content in found] == [1, 1, 1]
    assert err == ""


@pytest.mark.parametrize("kind", ["bars", "curves", "scatter", "parallel"])
def test_charts_show_the_newest_set_alone(fitbench, tmp_path, kind):
    out, err = fitbench("plot", "--all", "--kind", kind, "--by", "study", "-o", str(tmp_path / "x.svg"))
    assert "3 runs in 1 group" in out
    assert err.startswith(ALL)
    svg = (tmp_path / "x.svg").read_text()
    assert ("validation MAE" if kind == "curves" else "test MAE") in svg


def test_diff_compares_no_metric_of_two_tasks(fitbench):
    frame = load_runs("outputs")
    a, b = (frame.loc[frame["study"] == study, "folder"].iloc[0] for study in ("images", "houses"))
    out, _ = fitbench("diff", a, b)
    rows = {line.split()[0]: line for line in out.splitlines() if line.startswith("test_loss  ")}
    assert rows["test_loss"].endswith("not compared")
    assert "test_loss has different definitions: fitbench.loss of classification" in out
    assert "fitbench compare" not in out


def test_runs_that_have_not_read_their_data_are_counted_beside_those_of_their_data(make_run, fitbench, mixed):
    make_run("study=houses", "model=softmax", "seed=9", finished=False)
    make_run("data=digits", "study=houses", "model=mlp", "seed=9", finished=False)
    frame = load_runs(mixed)
    assert newest_task(frame) == "regression"
    assert frame["task"].tolist().count("") == 2
    out, _ = fitbench("compare", "--study", "houses", "--format", "json")
    houses, digits = comparisons(out)
    assert [group["uncounted"] for group in houses["groups"]] == [{"interrupted": 1}]
    assert np.isfinite(houses["groups"][0]["mean"])
    assert houses["by"] == ["model.name", "optimizer.name"]
    assert (digits["data"], [group["n"] for group in digits["groups"]]) == ("digits", [0])
    out, _ = fitbench("compare", "--study", "houses")
    assert "not counted: 1 interrupted" in out.splitlines()
    assert "Nothing to compare on digits; not counted: 1 interrupted" in out.splitlines()


def test_runs_of_no_known_task_are_grouped(make_run, tmp_path, monkeypatch):
    make_run("seed=9", finished=False)
    monkeypatch.chdir(tmp_path)
    out = CliRunner().invoke(cli.app, ["compare", "--format", "json"]).stdout
    assert [group["uncounted"] for group in comparisons(out)[0]["groups"]] == [{"interrupted": 1}]


def test_a_difference_of_large_numbers_has_as_many_digits_as_they(make_run, tmp_path):
    for model, scale in (("mlp", 1e5), ("softmax", 3e5)):
        for seed in range(3):
            values = close_values(30, scale=scale, seed=seed)
            as_task(make_run(f"model={model}", f"seed={seed}"), "regression", *values, ("y",))
    out = CliRunner().invoke(cli.app, ["compare", str(tmp_path / "outputs")]).stdout
    (line,) = [line for line in out.splitlines() if "Welch, n" in line]
    assert re.fullmatch(r"\+\d\d,\d{3}(\.\d)?", line.split()[2])
