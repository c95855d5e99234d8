"""Frames, `runs` and `compare` with metrics that fitbench has never heard of, of runs of both schemas."""

import csv
import io
import json
import re

import numpy as np
import pandas as pd
import pytest
import yaml
from typer.testing import CliRunner

from fitbench import cli
from fitbench.analysis.filters import select
from fitbench.analysis.frame import load_history, load_runs, primary_of, quantities_of
from fitbench.analysis.groups import group
from fitbench.errors import RequestError
from fitbench.metrics import get
from fitbench.quantities import find

from ..latex import compiled, needs_latex
from ..metric_runs import KAPPA, as_schema_1, as_schema_2

F1 = {"macro_f1": get("macro_f1").info()}
OTHER_KAPPA = KAPPA | {"definition": "mine.kappa {} sha256:01"}


@pytest.fixture
def outputs(tmp_path):
    return tmp_path / "outputs"


@pytest.fixture
def add(make_run):
    """Adds a finished run of schema 2 that records kappa; gives its folder."""

    def make(*overrides, info=KAPPA, primary="kappa", **values):
        folder = make_run(*overrides)
        as_schema_2(folder, info={"kappa": info}, primary=primary, **values)
        return folder

    return make


@pytest.fixture
def grid(add, outputs):
    """Two models with three seeds each, ranked by kappa, of which less is better; softmax is the better one."""
    for model, kappas in (("mlp", [0.2, 0.25, 0.3]), ("softmax", [-0.1, -0.125, -0.15])):
        for seed, kappa in enumerate(kappas):
            add(f"model={model}", f"seed={seed}", test_kappa=kappa, val_kappa=kappa / 2)
    return outputs


@pytest.fixture
def fitbench(tmp_path, monkeypatch):
    """Runs a command where outputs/ is; gives its result, with stdout and stderr apart."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        result = CliRunner().invoke(cli.app, arguments)
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return call


# -- frames -----------------------------------------------------------------------------------------------------------


def test_runs_of_both_schemas_are_rows_of_one_frame(make_run, add, outputs):
    as_schema_1(make_run("seed=0"))
    add("seed=1", test_kappa=-0.5, train_kappa=1)
    frame = load_runs(outputs)
    assert frame["primary"].tolist() == ["accuracy", "kappa"]
    assert frame["task"].tolist() == ["classification"] * 2
    assert frame["timing.examples_per_second"].tolist() == [8123.4, 8123.4]
    assert frame["metrics.test_kappa"].dtype == np.float64
    assert frame["metrics.test_kappa"].isna().tolist() == [True, False]
    assert frame["metrics.test_kappa"][1] == -0.5
    assert frame["metrics.val_kappa"].isna().all()
    assert frame["metrics.val_accuracy"].notna().all()
    names = [name.removeprefix("metrics.") for name in frame.columns if name.startswith("metrics.")]
    assert names == [
        *("train_loss", "train_accuracy", "train_kappa", "val_loss", "val_accuracy", "val_kappa"),
        *("test_loss", "test_accuracy", "test_kappa", "best_epoch", "epochs"),
    ]


def test_quantities_say_what_the_runs_recorded_of_their_metrics(make_run, add, outputs):
    as_schema_1(make_run("seed=0"))
    add("seed=1")
    available = quantities_of(load_runs(outputs))
    kappa = available["metrics.test_kappa"]
    assert (kappa.label, kappa.direction, kappa.low, kappa.high, kappa.digits) == (
        "test Cohen's kappa",
        "min",
        -1,
        1,
        3,
    )
    assert not kappa.proportion
    assert available["metrics.val_accuracy"].proportion
    assert set(available) <= set(load_runs(outputs).columns)


def test_one_name_with_two_definitions_is_refused_until_runs_of_one_are_selected(add, outputs):
    add("seed=0", "study=a", test_kappa=0.1)
    add("seed=1", "study=b", test_kappa=0.2, info=OTHER_KAPPA)
    frame = load_runs(outputs)
    both = quantities_of(frame)["metrics.test_kappa"]
    assert len(both.definitions) == 2
    for metric in ("test_kappa", both):
        with pytest.raises(RequestError, match="test_kappa has different definitions in these runs"):
            group(frame, ["model"], metric)
    assert group(frame, ["model"], "test_accuracy")[0].summary.n == 2
    part = select(frame, "study == 'b'")
    assert find("kappa", quantities_of(part)).definitions == ("mine.kappa {} sha256:01, min, -1 to 1",)
    assert group(part, ["model"], "test_kappa")[0].values == (0.2,)


def test_a_metric_that_no_run_of_a_part_records_is_not_among_its_quantities(make_run, add, outputs):
    as_schema_2(make_run("seed=0"))
    add("seed=1")
    frame = load_runs(outputs)
    assert "metrics.test_kappa" in quantities_of(frame)
    assert "metrics.test_kappa" not in quantities_of(frame[frame["seed"] == 0])


def test_a_frame_that_has_lost_its_attrs_has_the_metrics_that_fitbench_supplies(make_run, outputs):
    as_schema_2(make_run(), info=F1 | {"kappa": KAPPA})
    frame = load_runs(outputs)
    frame.attrs = {}
    available = quantities_of(frame)
    assert available["metrics.test_macro_f1"].higher_is_better
    assert "metrics.test_kappa" not in available


def test_attrs_can_be_written_into_a_file(grid, tmp_path):
    json.dumps(load_runs(grid).attrs, allow_nan=False)  # as pandas's to_parquet does


def test_a_pruned_run_has_its_metrics_of_training_and_validation(make_run, outputs):
    folder = make_run(pruned=True, trial=1)
    as_schema_2(folder, "pruned.json", {"kappa": KAPPA}, val_kappa=0.25)
    (row,) = load_runs(outputs).to_dict("records")
    assert (row["state"], row["metrics.val_kappa"]) == ("pruned", 0.25)
    assert pd.isna(row["metrics.test_kappa"])


@pytest.mark.parametrize(
    ("selected", "primary"),
    [
        ({}, "accuracy"),
        ({"metrics": {"macro_f1": None, "accuracy": None}}, "macro_f1"),
        ({"metrics": ["kappa"]}, "kappa"),
    ],
)
def test_the_primary_metric_of_an_unfinished_run_is_that_of_its_configuration(make_run, outputs, selected, primary):
    path = make_run(finished=False) / "config.yaml"
    config = yaml.safe_load(path.read_text())
    for key in ("metrics", "task"):  # which fitbench 0.1 did not record
        config.pop(key, None)
    path.write_text(yaml.safe_dump(config | selected, sort_keys=False))
    frame = load_runs(outputs)
    assert frame["primary"].tolist() == [primary]
    assert primary_of(frame) == primary
    assert not [name for name in frame.columns if name.startswith("config.")]


def test_the_primary_metric_is_that_of_the_finished_runs(make_run, add, outputs):
    add("seed=0")
    make_run("seed=1", finished=False)
    frame = load_runs(outputs)
    assert primary_of(frame) == "kappa"
    assert primary_of(frame[frame["seed"] == 1]) == "accuracy"
    assert primary_of(frame.iloc[:0]) == "accuracy"
    add("seed=2", primary="accuracy")
    with pytest.raises(RequestError, match=r"different primary metrics, kappa, accuracy; choose one, .* test_kappa"):
        primary_of(load_runs(outputs))


@pytest.mark.parametrize(
    ("info", "reason"),
    [
        (KAPPA | {"direction": "up"}, "metric_info.kappa.direction is 'up'; it must be one of max, min"),
        (
            KAPPA | {"range": [1, -1]},
            "metric_info.kappa.range is [1.0, -1.0]; it must be [low, high] with low below high",
        ),
        ([], "metric_info.kappa is []"),
    ],
)
def test_a_run_with_a_damaged_metric_info_is_left_out_with_its_reason(add, outputs, info, reason):
    add("seed=0")
    add("seed=1", info=info)
    frame = load_runs(outputs)
    assert frame["seed"].tolist() == [0]
    ((_, message),) = frame.attrs["left_out"]
    assert message.startswith(f"result.json: {reason}")


def test_a_run_without_a_value_that_it_should_have_is_left_out(add, outputs):
    folder = add("seed=0")
    result = json.loads((folder / "result.json").read_text())
    del result["metrics"]["test_kappa"]
    (folder / "result.json").write_text(json.dumps(result))
    add("seed=1", test_kappa="0.5")
    frame = load_runs(outputs)
    assert len(frame) == 0
    assert [reason.split(";")[0] for _, reason in frame.attrs["left_out"]] == [
        "result.json: metrics.test_kappa is missing",
        "result.json: metrics.test_kappa is '0.5'",
    ]


# -- histories --------------------------------------------------------------------------------------------------------


def test_history_has_every_metric_that_the_runs_or_their_epochs_record(make_run, add, outputs):
    history = [epoch | {"val_kappa": 0.1 * epoch["epoch"]} for epoch in make_run.curves(2)]
    make_run("seed=0", history=history, finished=False)  # nothing but its history knows of kappa
    as_schema_2(make_run("seed=1", history=make_run.curves(1)), info=F1)
    frame = load_history(outputs)
    assert frame["val_kappa"].round(3).fillna(-9).tolist() == [0.1, 0.2, -9]
    assert frame["val_macro_f1"].dtype == np.float64
    assert frame["val_macro_f1"].isna().all()
    assert frame["val_accuracy"].notna().all()


def test_a_history_with_too_many_values_is_left_out(make_run, outputs):
    folder = make_run("seed=0", history=[{"epoch": 1, **{f"x{i}": 0.5 for i in range(1000)}}])
    make_run("seed=1")
    frame = load_history(outputs)
    assert frame["seed"].unique().tolist() == [1]
    assert frame.attrs["left_out"] == [(str(folder), "history.jsonl: its epochs have more than 500 values")]


# -- compare ----------------------------------------------------------------------------------------------------------


def test_compare_ranks_by_the_primary_metric_in_its_direction(grid, fitbench):
    out = fitbench("compare", "--explain").stdout
    assert out.startswith("test_kappa, lower is better: 6 runs in 2 groups by model")
    first, second = (line.split() for line in out.splitlines()[2:4])
    assert first[:6] == ["1", "softmax", "3", "-0.125", "±", "0.025"]
    assert second[:6] == ["2", "mlp", "3", "0.250", "±", "0.050"]
    assert "Student's t interval of the mean, cut at the range of the metric" in out
    assert "rank by --metric val_kappa" in out


@pytest.mark.parametrize("metric", ["kappa", "test_kappa", "metrics.test_kappa", "val_kappa"])
def test_compare_takes_any_recorded_metric_by_its_name(grid, fitbench, metric):
    (content,) = json.loads(fitbench("compare", "--metric", metric, "--format", "json").stdout)["comparisons"]
    assert content["metric"] == ("metrics.val_kappa" if metric == "val_kappa" else "metrics.test_kappa")
    assert content["higher_is_better"] is False
    assert content["groups"][0]["keys"] == {"model.name": "softmax"}


def test_every_format_of_compare_has_the_same_numbers(grid, fitbench):
    (content,) = json.loads(fitbench("compare", "--format", "json").stdout)["comparisons"]
    groups = content["groups"]
    rows = list(csv.DictReader(io.StringIO(fitbench("compare", "--format", "csv").stdout)))
    assert [float(row["mean"]) for row in rows] == [one["mean"] for one in groups] == pytest.approx([-0.125, 0.25])
    assert [float(row["low"]) for row in rows] == [one["low"] for one in groups]
    assert float(rows[1]["difference"]) == groups[1]["comparison"]["difference"] == pytest.approx(0.375)
    assert (rows[0]["difference"], groups[0]["comparison"]) == ("", None)
    assert "| 1 | softmax | 3 | -0.125 ± 0.025 |" in fitbench("compare", "--format", "markdown").stdout
    latex = fitbench("compare", "--format", "latex").stdout
    assert r"1 & softmax & 3 & -0.125 {\,$\pm$\,0.025} &" in latex
    assert latex.count(r"\toprule") == 2


def test_columns_title_and_notes_of_a_comparison_can_be_chosen(grid, fitbench):
    lines = fitbench("compare", "--columns", "p_holm,mean,n", "--no-caption", "--no-notes").stdout.splitlines()
    assert re.split(r" {3,}", lines[0]) == ["model", "p Holm", "mean ± sd", "n"]
    assert re.split(r" {3,}", lines[1]) == ["softmax", "-0.125 ± 0.025", "3"]
    assert re.split(r" {3,}", lines[2])[2:] == ["0.250 ± 0.050", "3"]
    assert len(lines) == 3
    with_notes = fitbench("compare", "--columns", "mean").stdout
    assert with_notes.startswith("test_kappa, lower is better")
    assert "gainst" not in with_notes
    assert "Differences and p-values are against the best, softmax." in fitbench("compare", "--columns", "p").stdout
    assert "Intervals over seeds" in with_notes
    latex = fitbench("compare", "--columns", "n,mean", "--format", "latex", "--no-caption", "--no-notes").stdout
    assert "table}" not in latex
    assert "  softmax & 3 & -0.125" in latex


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--columns", "meen"], "--columns: there is no column 'meen'; there are rank, n, mean, low, best, worst, "),
        (["--columns", "mean", "--format", "csv"], "--columns, --no-caption and --no-notes are for people's formats"),
        (["--columns", "mean", "--pivot", "model.name"], "--columns is for a ranking; with --pivot"),
    ],
)
def test_a_wrong_choice_of_what_people_see_is_refused(grid, fitbench, options, message):
    with pytest.raises(RequestError, match=re.escape(message)):
        fitbench("compare", *options)


def test_runs_that_lack_the_metric_are_counted_apart(grid, make_run, add, fitbench):
    as_schema_1(make_run("seed=3"))
    add("seed=4", test_kappa=None)
    assert "not counted: 2 without test_kappa" in fitbench("compare", "--metric", "kappa").stdout.splitlines()
    out = fitbench("compare", "--metric", "kappa", "--explain").stdout
    assert "Not counted: mlp (2 without test_kappa)." in out


def test_different_primary_metrics_need_a_choice(grid, make_run, fitbench):
    as_schema_1(make_run("seed=3"))
    with pytest.raises(RequestError, match="different primary metrics, kappa, accuracy"):
        fitbench("compare")
    assert "accuracy, higher is better: 7 runs in 2 groups" in fitbench("compare", "--metric", "accuracy").stdout
    assert fitbench("compare", "--where", "primary == 'kappa'").stdout.startswith("test_kappa")


def test_different_definitions_are_refused_and_named(grid, add, fitbench):
    add("seed=3", "study=again", test_kappa=0.3, info=OTHER_KAPPA)
    with pytest.raises(RequestError, match=r"test_kappa has different definitions(.|\n)*sha256:01(.|\n)*sha256:00"):
        fitbench("compare", "--all")
    assert "1 run in 1 group by" in fitbench("compare", "outputs/again").stdout


def test_equal_values_have_an_interval_of_the_smallest_step_where_there_is_one(make_run, outputs, fitbench):
    for seed in range(3):
        as_schema_2(make_run(f"seed={seed}"), info=F1, primary="macro_f1", test_macro_f1=0.9, test_accuracy=0.9)
    (f1,), (accuracy,) = (
        json.loads(fitbench("compare", "--metric", name, "--format", "json").stdout)["comparisons"][0]["groups"]
        for name in ("macro_f1", "accuracy")
    )
    assert (f1["low"], f1["high"]) == (0.9, 0.9)
    assert (accuracy["low"], accuracy["high"]) == pytest.approx((0.9 - 1 / 60, 0.9 + 1 / 60))
    assert "the interval has no width" in fitbench("compare", "--explain").stdout
    assert "the interval has no width" not in fitbench("compare", "--metric", "accuracy", "--explain").stdout


# -- runs -------------------------------------------------------------------------------------------------------------


def test_runs_shows_the_primary_metric_with_its_digits(grid, fitbench):
    head, first, *_ = fitbench("runs", "--sort", "test_kappa").stdout.splitlines()[1:]
    names = head.split()
    assert names[names.index("test_kappa") :][:5] == ["test_kappa", "val_kappa", "test_loss", "duration", "age"]
    assert first.split()[names.index("test_kappa") :][:2] == ["-0.150", "-0.075"]
    assert "accuracy" not in head


def test_runs_of_several_primary_metrics_show_them_all(grid, make_run, fitbench):
    as_schema_1(make_run("seed=3"))
    lines = fitbench("runs").stdout.splitlines()
    assert "primary value" in lines[1]
    assert any("kappa" in line for line in lines)
    assert any("accuracy" in line for line in lines)


def test_runs_sorts_filters_and_lists_any_metric_in_every_format(grid, make_run, fitbench):
    as_schema_1(make_run("seed=3"))
    options = ["--sort", "-val_kappa", "--where", "test_kappa < 0.25 or test_kappa == None", "--columns"]
    columns = "seed,test_kappa,primary"
    rows = json.loads(fitbench("runs", *options, columns, "--format", "json").stdout)
    assert [row["metrics.test_kappa"] for row in rows] == [0.2, -0.1, -0.125, -0.15, None]
    rows = csv.reader(io.StringIO(fitbench("runs", *options, columns, "--format", "csv").stdout))
    assert list(rows)[-2:] == [["2", "-0.15", "kappa"], ["3", "", "accuracy"]]
    table = fitbench("runs", *options, columns).stdout.splitlines()
    assert [line.split() for line in table[-3:-1]] == [["2", "-0.150", "kappa"], ["3", "-", "accuracy"]]
    assert "| 3 | - | accuracy |" in fitbench("runs", *options, columns, "--format", "markdown").stdout
    latex = fitbench("runs", *options, columns, "--format", "latex").stdout
    assert "  2 & -0.150 & kappa \\\\\n  3 & {--} & accuracy \\\\\n" in latex


# -- LaTeX ------------------------------------------------------------------------------------------------------------


@needs_latex
def test_latex_of_both_commands_compiles(grid, fitbench, tmp_path):
    text = compiled(tmp_path, *(fitbench(command, "--format", "latex").stdout for command in ("compare", "runs")))
    assert text is None or "lower is better: 6 runs in 2 groups" in text
