"""An outputs folder with runs of several tasks: what compares runs takes those of one task, and says so."""

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


LEFT_OUT = (
    "fitbench: the newest run is of regression; 3 runs of classification and multilabel are left out; "
    "--where \"task == 'classification'\" selects others\n"
)


def test_runs_lists_all_of_them_with_the_primary_metric_of_each(fitbench):
    out, _ = fitbench("runs", "--all")
    assert "6 runs: 6 finished" in out
    for name in ("test_accuracy", "test_mae", "test_micro_f1"):
        assert name in out


def test_groups_are_compared_within_the_task_of_the_newest_run(fitbench):
    out, err = fitbench("compare", "--format", "json")
    content = json.loads(out)
    assert (content["metric"], content["higher_is_better"]) == ("metrics.test_mae", False)
    assert [len(group["values"]) for group in content["groups"]] == [3]
    assert err == LEFT_OUT


def test_the_heading_names_the_task_if_others_are_left_out(fitbench):
    out, _ = fitbench("compare")
    assert out.startswith("test_mae, lower is better: 1 group of 3 runs of regression by ")
    out, _ = fitbench("compare", "--where", "task == 'regression'")
    assert out.startswith("test_mae, lower is better: 1 group of 3 runs by ")


def test_a_filter_or_a_metric_chooses_another_task(fitbench):
    out, err = fitbench("compare", "--where", "task == 'classification'", "--format", "json")
    assert json.loads(out)["metric"] == "metrics.test_accuracy"
    assert err == ""
    out, err = fitbench("compare", "--metric", "micro_f1", "--format", "json")
    assert [len(group["values"]) for group in json.loads(out)["groups"]] == [1]
    assert "the newest run with micro_f1 is of multilabel; 5 runs of " in err


def test_losses_of_two_tasks_are_never_ranked_together(fitbench, mixed):
    out, err = fitbench("compare", "--metric", "test_loss", "--format", "json")
    assert sum(len(group["values"]) for group in json.loads(out)["groups"]) == 3
    assert err == LEFT_OUT.replace("newest run", "newest run with loss")
    quantities = quantities_of(load_runs(mixed))
    assert len(quantities["metrics.test_loss"].definitions) == 3
    assert len(quantities["metrics.test_mae"].definitions) == 1


def test_times_and_sizes_of_all_runs_are_compared(fitbench):
    out, err = fitbench("compare", "--metric", "parameters", "--by", "study", "--format", "json")
    assert len(json.loads(out)["groups"]) == 3
    assert err == ""


@pytest.mark.parametrize("kind", ["bars", "curves", "scatter", "parallel"])
def test_charts_show_the_same_runs(fitbench, tmp_path, kind):
    out, err = fitbench("plot", "--kind", kind, "--by", "study", "-o", str(tmp_path / "x.svg"))
    assert "3 runs in 1 group" in out
    assert err == LEFT_OUT
    svg = (tmp_path / "x.svg").read_text()
    assert ("validation MAE" if kind == "curves" else "test MAE") in svg


def test_the_page_is_about_the_same_runs(fitbench, tmp_path):
    _, err = fitbench("report", "-o", str(tmp_path / "x.html"))
    assert err == LEFT_OUT
    page = (tmp_path / "x.html").read_text()
    assert re.search(r'"count":\s?3\b', page)
    assert '"notices":["The newest run is of regression; 3 runs of classification and multilabel are left out; ' in page
    assert "micro_f1" not in page


def test_diff_compares_no_metric_of_two_tasks(fitbench):
    frame = load_runs("outputs")
    a, b = (frame.loc[frame["study"] == study, "folder"].iloc[0] for study in ("images", "houses"))
    out, _ = fitbench("diff", a, b)
    rows = {line.split()[0]: line for line in out.splitlines() if line.startswith("test_loss  ")}
    assert rows["test_loss"].endswith("not compared")
    assert "test_loss has different definitions: fitbench.loss of classification" in out
    assert "fitbench compare" not in out


NOT_COUNTED = "Not counted: softmax, adam (1 interrupted); runs whose task was not known yet (1 interrupted)."


def test_runs_that_have_not_read_their_data_make_no_groups_and_are_counted(make_run, fitbench, mixed, tmp_path):
    make_run("study=houses", "model=softmax", "seed=9", finished=False)
    make_run("data=digits", "study=houses", "model=mlp", "seed=9", finished=False)
    frame = load_runs(mixed)
    assert newest_task(frame) == "regression"
    assert frame["task"].tolist().count("") == 2
    out, err = fitbench("compare", "--format", "json")
    (group,) = json.loads(out)["groups"]
    assert group["uncounted"] == {"interrupted": 1}
    assert np.isfinite(group["mean"])
    assert json.loads(out)["by"] == ["model.name", "optimizer.name"]
    assert json.loads(out)["notes"] == [NOT_COUNTED]
    assert err == LEFT_OUT
    out, _ = fitbench("plot", "--kind", "bars", "-o", str(tmp_path / "x.svg"))
    assert "3 runs in 1 group by model.name, optimizer.name; 2 left out (2 interrupted)" in out
    fitbench("report", "-o", str(tmp_path / "x.html"))
    page = (tmp_path / "x.html").read_text()
    assert re.search(r'"count":\s?5\b', page)  # the list of runs has them
    assert page.count('"groups":[0],') > 0
    assert NOT_COUNTED in page


def test_runs_of_no_known_task_are_grouped(make_run, tmp_path, monkeypatch):
    make_run("seed=9", finished=False)
    monkeypatch.chdir(tmp_path)
    out = CliRunner().invoke(cli.app, ["compare", "--format", "json"]).stdout
    assert [group["uncounted"] for group in json.loads(out)["groups"]] == [{"interrupted": 1}]


def test_groups_on_different_data_are_said_to_have_other_units(make_run, tmp_path):
    for seed in range(2):
        as_task(make_run("data=digits", f"seed={seed}"), "regression", *close_values(30), ("y",))
        as_task(make_run(f"seed={seed}", sha256="cd" * 32), "regression", *close_values(30, scale=1000), ("y",))
    out = CliRunner().invoke(cli.app, ["compare", str(tmp_path / "outputs")]).stdout
    assert "The groups were tested on different data, on which test_mae may have another size or unit" in out
    out = CliRunner().invoke(cli.app, ["compare", str(tmp_path / "outputs"), "--metric", "r2"]).stdout
    assert "another size or unit" not in out


def test_a_difference_of_large_numbers_has_as_many_digits_as_they(make_run, tmp_path):
    for model, scale in (("mlp", 1e5), ("softmax", 3e5)):
        as_task(make_run(f"model={model}"), "regression", *close_values(30, scale=scale), ("y",))
    out = CliRunner().invoke(cli.app, ["compare", str(tmp_path / "outputs")]).stdout
    (line,) = [line for line in out.splitlines() if "Welch, n" in line]
    assert re.fullmatch(r"\+\d\d,\d{3}\.\d", line.split()[2])
