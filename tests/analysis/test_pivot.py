"""`fitbench compare` with several metrics, and with a key in the columns."""

import csv
import hashlib
import io
import json
import re
import shutil
from pathlib import Path

import pytest
from scipy import stats
from typer.testing import CliRunner

from fitbench import cli
from fitbench.analysis.pivot import pivots
from fitbench.analysis.request import Which
from fitbench.analysis.statistics import CORRECTED, WELCH
from fitbench.errors import RequestError

from ..latex import compiled, needs_latex
from ..run_folders import as_task, close_values, maker, record_metrics

F1 = {
    "label": "macro F1", "direction": "max", "range": [0.0, 1.0], "digits": 4, "unit": "", "proportion": False,
    "definition": "the mean of the F1 of the classes",
}  # fmt: skip

MLP, CONVNET = [0.95, 0.96, 0.955], [0.951, 0.959, 0.949]
# test_accuracy and test_loss of the seeds 0, 1 and so on
GRID = {
    ("mnist_5k", "mlp"): (MLP, [0.20, 0.21, 0.19]),
    ("mnist_5k", "softmax"): ([0.90, 0.91, 0.905], [0.30, 0.31, 0.29]),
    ("mnist_5k", "convnet"): (CONVNET, [0.15, 0.16, 0.14]),
    ("fashion_mnist", "mlp"): ([0.85, 0.86, 0.87], [0.39, 0.41, 0.43]),
    ("fashion_mnist", "softmax"): ([0.87, 0.86, 0.85], [0.43, 0.43, 0.43]),
    ("fashion_mnist", "convnet"): ([0.80], [0.5]),
}


def recorder(make):
    """The function that `record` is; `make` is one that writes run folders."""

    def write(data, model, accuracies, losses=None, *overrides, f1=None, part="test", **options):
        options = {"sha256": hashlib.sha256(data.encode()).hexdigest(), **options}
        columns = {
            "accuracy": accuracies,
            "loss": losses or [1 - each for each in accuracies],
            "macro_f1": f1 or [each - 0.01 for each in accuracies],
        }
        first = make(f"data={data}", f"model={model}", "seed=0", *overrides, **options)
        config, result = (first / "config.yaml").read_text(), json.loads((first / "result.json").read_text())
        for seed in range(len(accuracies)):
            folder = first.parent / first.name.replace("-s0", f"-s{seed}")  # composing each would take most of the time
            folder.mkdir(exist_ok=True)
            (folder / "config.yaml").write_text(re.sub(r"(?m)^seed: 0$", f"seed: {seed}", config))
            values = {f"{part}_{name}": column[seed] for name, column in columns.items()}
            of_run = {"seed": seed, "run_id": folder.name, "metrics": result["metrics"] | values}
            (folder / "result.json").write_text(json.dumps(result | of_run))
            record_metrics(folder, {"macro_f1": F1}, values)
        return folder

    return write


@pytest.fixture
def record(make_run):
    """Writes runs of a data set and a model, one for each accuracy, the seeds from 0; gives the last folder."""
    return recorder(make_run)


@pytest.fixture(scope="module")
def written(composed, tmp_path_factory):
    """The outputs folder of the runs of GRID, which no test changes."""
    outputs = tmp_path_factory.mktemp("grid") / "outputs"
    for (data, model), values in GRID.items():
        recorder(maker(composed, outputs))(data, model, *values)
    return outputs


@pytest.fixture
def grid(written, tmp_path):
    """A copy of the runs of GRID."""
    shutil.copytree(written, tmp_path / "outputs")


@pytest.fixture
def matrices(tmp_path):
    """`pivots` of the runs in outputs/."""

    def read(pivot="data.name", by="model", metrics=("test_accuracy",), **which):
        return pivots(Which([tmp_path / "outputs"], **which), pivot, by, metrics)

    return read


@pytest.fixture
def fitbench(tmp_path, monkeypatch):
    """Runs `fitbench compare` where outputs/ is; gives its stdout."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        result = CliRunner().invoke(cli.app, ["compare", *arguments])
        if result.exception:
            raise result.exception
        return result.stdout

    return call


def cells_of(pivot, block=0):
    """The cells by row and column."""
    return {
        (*texts, value): cell
        for texts, cells in zip(pivot.texts, pivot.blocks[block].cells, strict=True)
        for value, cell in zip(pivot.values, cells, strict=True)
    }


# -- ranks, the best, and what is as good -----------------------------------------------------------------------------


def test_ranks_are_within_a_column_and_ties_share_theirs(grid, matrices):
    (pivot,) = matrices()
    assert (pivot.keys, pivot.pivot, pivot.values) == (["model.name"], "data.name", ["fashion_mnist", "mnist_5k"])
    ranks = {key: cell.rank for key, cell in cells_of(pivot).items()}
    assert ranks == {
        ("mlp", "mnist_5k"): 1, ("convnet", "mnist_5k"): 2, ("softmax", "mnist_5k"): 3,
        ("mlp", "fashion_mnist"): 1.5, ("softmax", "fashion_mnist"): 1.5, ("convnet", "fashion_mnist"): 3,
    }  # fmt: skip
    assert pivot.texts == [("mlp",), ("softmax",), ("convnet",)]
    assert pivot.blocks[0].average_ranks == [1.25, 2.25, 2.5]


def test_the_best_of_a_column_is_tested_against_its_others_alone(grid, matrices):
    cells = cells_of(*matrices())
    p = [stats.ttest_ind(MLP, other, equal_var=False).pvalue for other in (CONVNET, [0.90, 0.91, 0.905])]
    assert cells["convnet", "mnist_5k"].p == pytest.approx(p[0])
    assert cells["softmax", "mnist_5k"].p == pytest.approx(2 * p[1])  # Holm, for two tests
    assert {key for key, cell in cells.items() if cell.best} == {
        ("mlp", "mnist_5k"),
        ("mlp", "fashion_mnist"),
        ("softmax", "fashion_mnist"),
    }
    assert {key for key, cell in cells.items() if cell.as_good} == {("convnet", "mnist_5k")}
    assert cells["convnet", "fashion_mnist"].p is None


def test_metrics_of_both_directions_have_blocks_of_their_own(grid, matrices):
    (pivot,) = matrices(metrics=["test_accuracy", "test_loss"])
    losses = cells_of(pivot, 1)
    assert {key for key, cell in losses.items() if cell.best} == {("convnet", "mnist_5k"), ("mlp", "fashion_mnist")}
    assert losses["softmax", "mnist_5k"].rank == 3
    assert pivot.texts[0] == ("mlp",)  # the first metric orders the rows
    assert pivot.blocks[1].average_ranks == [1.5, 2.5, 2]


def test_ranks_are_averaged_over_the_columns_that_all_rows_have(grid, record, matrices, fitbench):
    record("digits", "mlp", [0.5, 0.6, 0.7])
    (pivot,) = matrices()
    assert cells_of(pivot)["softmax", "digits"] is None
    assert pivot.blocks[0].average_ranks == [1.25, 2.25, 2.5]
    assert not cells_of(pivot)["mlp", "digits"].best  # there is nothing to be better than
    text = fitbench("--pivot", "data", "--by", "model")
    assert "Ranks are over 2 of 3 columns, as there is no value of softmax in digits; convnet in digits." in text
    assert re.search(r"^softmax +- +0.8600", text, re.MULTILINE)


def test_without_a_column_that_all_rows_have_there_are_no_ranks(record, matrices, fitbench):
    record("digits", "mlp", [0.5, 0.6, 0.7])
    record("mnist_5k", "softmax", [0.5, 0.6, 0.7])
    assert matrices()[0].blocks[0].average_ranks == [None, None]
    text = fitbench("--pivot", "data", "--by", "model")
    assert "No ranks: no column has a value in every row." in text
    assert text.splitlines()[1].split() == ["model", "digits", "mnist_5k"]


def test_equal_means_alone_have_no_marks(record, fitbench):
    for model in ("mlp", "softmax"):
        record("digits", model, [0.5, 0.6, 0.7])
    text = fitbench("--pivot", "data", "--by", "model")
    assert "*" not in text
    assert "~" not in text


def test_single_runs_have_a_mean_and_no_test(record, fitbench):
    record("digits", "mlp", [0.75])
    record("digits", "softmax", [0.5])
    lines = fitbench("--pivot", "data", "--by", "model").splitlines()
    assert lines[0] == "Mean over 1 run of test accuracy (higher is better), model by data"
    assert [line.split() for line in lines[2:4]] == [["mlp", "0.7500", "*"], ["softmax", "0.5000"]]
    assert "No differences are tested: fewer than 3 values in one of the two (1 cell)." in lines[-1]


def test_the_reason_why_nothing_is_tested_is_that_of_the_cells(record, fitbench):
    for model, size in (("mlp", 3), ("softmax", 3), ("convnet", 2)):
        record("digits", model, [0.5 + size / 10 + len(model) / 100] * size)
    options = ("--pivot", "data", "--by", "model")
    assert (
        fitbench(*options, "--where", "model != 'convnet'")
        .splitlines()[-1]
        .endswith(" No differences are tested: without variance there is no t-test (1 cell).")
    )
    text = fitbench(*options)
    assert "without variance there is no t-test (1 cell)" in text
    assert "fewer than 3 values in one of the two (1 cell)" in text


def test_runs_without_a_number_do_not_count_and_are_said_once(record, make_run, matrices, fitbench):
    record("digits", "mlp", [0.5, 0.6, 0.7], f1=[0.4, None, 0.6])
    record("digits", "softmax", [0.5, 0.6, 0.8])
    make_run("data=digits", "model=mlp", "seed=7", finished=False)
    (pivot,) = matrices(metrics=["test_accuracy", "test_macro_f1"])
    assert [cells_of(pivot, block)["mlp", "digits"].group.summary.n for block in (0, 1)] == [3, 2]
    assert "Not counted: 1 interrupted, 1 without test_macro_f1." in fitbench(
        "--pivot", "data", "--by", "model", "--metric", "test_accuracy,test_macro_f1"
    )


# -- which runs are in which matrix and column ------------------------------------------------------------------------


def test_another_key_gives_a_matrix_for_each_data_set(grid, record, matrices):
    record("mnist_5k", "mlp", [0.93, 0.94, 0.92], None, "optimizer=sgd")
    fashion, mnist = sorted(matrices("optimizer"), key=lambda pivot: pivot.of)
    assert (fashion.of, fashion.values) == ("fashion_mnist", ["adam"])
    assert (mnist.of, mnist.values) == ("mnist_5k", ["adam", "sgd"])
    assert {key for key, cell in cells_of(mnist).items() if cell and cell.best} == {("mlp", "adam")}
    assert mnist.blocks[0].average_ranks == [1, 2, 3]  # over adam, which all have


def test_rows_are_told_apart_by_default_by_what_varies_in_a_column(grid, record, matrices):
    record("mnist_5k", "mlp", [0.93], None, "optimizer=sgd")
    (pivot,) = matrices(by=None)
    assert pivot.keys == ["model.name", "optimizer.name"]
    (pivot,) = matrices("optimizer", by=None, where="data == 'mnist_5k'")
    assert pivot.keys == ["model.name"]


def test_data_sets_of_one_name_with_other_test_parts_have_columns_of_their_own(record, matrices):
    record("digits", "mlp", [0.5, 0.6, 0.7])
    record("digits", "softmax", [0.7, 0.6, 0.7], sha256="cd" * 32)
    (pivot,) = matrices()
    assert len(pivot.values) == 2
    assert all(value.startswith("digits (SHA-256") for value in pivot.values)


def test_tasks_have_matrices_of_their_own(grid, record, matrices):
    folder = record("boston_housing", "mlp", [0.5])
    as_task(folder, "regression", *close_values(20), ("price",))
    assert [pivot.of for pivot in matrices(metrics=[])] == ["regression", "classification"]
    (pivot,) = matrices(metrics=["test_accuracy"])
    assert pivot.values == ["fashion_mnist", "mnist_5k"]


def test_folds_are_paired_in_a_column(record, matrices, fitbench):
    for model, values in (("mlp", [0.90, 0.92, 0.91, 0.93]), ("softmax", [0.89, 0.93, 0.90, 0.92])):
        for fold, value in enumerate(values):
            kfold = ("training.validation=kfold", "training.folds=4", f"fold={fold}")
            record("digits", model, [value], None, *kfold, part="val")
    cell = cells_of(*matrices(metrics=[]))["softmax", "digits"]
    assert cell.comparison.difference.test == CORRECTED != WELCH
    assert cell.as_good
    assert "over 4 folds x 1 seed of validation accuracy" in fitbench("--pivot", "data", "--by", "model")


def test_the_title_counts_the_folds_that_the_deviation_is_over(record, fitbench):
    sizes = {"mlp": [2, 2, 2], "softmax": [2, 2], "linear": [1, 1, 1]}  # the seeds of each fold
    for model, seeds in sizes.items():
        for fold, count in enumerate(seeds):
            kfold = ("training.validation=kfold", "training.folds=3", f"fold={fold}")
            record("digits", model, [0.8 + fold / 100] * count, None, *kfold, part="val")
    options = ("--pivot", "data", "--by", "model")
    once = "The value of a fold is the mean of its runs."
    text = fitbench(*options)
    assert text.startswith("Mean ± standard deviation over 2 to 3 folds of validation accuracy")
    assert once in text.splitlines()
    text = fitbench(*options, "--where", "model != 'softmax'")
    assert text.startswith("Mean ± standard deviation over 3 folds of")
    assert once not in fitbench(*options, "--where", "model == 'linear'")
    record("digits", "convnet", [0.7, 0.8], part="val")
    text = fitbench(*options, "--metric", "val_accuracy")
    assert re.match("Mean ± standard deviation over (2 to 3 folds or 2 runs|2 runs or 2 to 3 folds) of", text)


def test_cells_of_several_configurations_are_named(record, fitbench):
    record("digits", "mlp", [0.5, 0.6, 0.7])
    record("digits", "mlp", [0.5, 0.6, 0.7], None, "optimizer=sgd")
    assert "differ in more than the keys: mlp in digits (optimizer, " in fitbench("--pivot", "data", "--by", "model")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--pivot", "data", "--by", "model,data"], "--by and --pivot both name data.name"),
        (["--pivot", "date"], "no column 'date'; did you mean data"),
        (["--pivot", "data", "--baseline", "mlp"], "--baseline is for a ranking"),
        (["--metric", "test_accuracy,"], "a name is missing beside a comma"),
        (["--metric", "test_accuracy,test_x"], "do not record a metric 'test_x'"),
        (["--pivot", "data", "--metric", "test_x"], "do not record a metric 'test_x'"),
    ],
)
def test_a_wrong_request_is_refused(grid, fitbench, arguments, message):
    with pytest.raises(RequestError, match=re.escape(message)):
        fitbench(*arguments)


def test_two_single_runs_have_no_matrix(grid, fitbench):
    folders = sorted(map(str, Path("outputs/default").iterdir()))[:2]
    with pytest.raises(RequestError, match="--pivot is for groups of runs"):
        fitbench(*folders, "--pivot", "data")


# -- formats ----------------------------------------------------------------------------------------------------------

TWO = ("--pivot", "data", "--by", "model", "--metric", "test_accuracy,test_loss")


def test_people_see_marks_ranks_and_what_they_mean(grid, fitbench):
    text = fitbench(*TWO)
    title, *lines = text.splitlines()
    assert title == (
        "Mean ± standard deviation over 1 to 3 runs of test accuracy (higher is better) and test loss (lower is "
        "better), model by data"
    )
    assert lines[1].split() == ["model", *["fashion_mnist", "mnist_5k", "rank"] * 2]
    assert re.split(r" {2,}", lines[4]) == [
        "convnet", "0.8000", "0.9530 ± 0.0053 ~", "2.50", "0.500", "0.150 ± 0.010 *", "2.00",
    ]  # fmt: skip
    assert "~: not significantly different from it (p ≥ 0.05; Welch test, corrected after Holm for each column)" in text
    assert "Not tested, fewer than 3 values in one of the two: 2 cells." in text


def test_markdown_has_bold_and_underlined_cells(grid, fitbench):
    lines = fitbench(*TWO, "--format", "markdown").splitlines()
    assert lines[2].startswith("| model | test accuracy<br>fashion_mnist | test accuracy<br>mnist_5k | ")
    assert lines[6] == ("| convnet | 0.8000 | <u>0.9530 ± 0.0053</u> | 2.50 | 0.500 | **0.150 ± 0.010** | 2.00 |")


def test_csv_and_json_have_a_row_for_each_cell(grid, fitbench):
    rows = list(csv.DictReader(io.StringIO(fitbench(*TWO, "--format", "csv"))))
    content = json.loads(fitbench(*TWO, "--format", "json"))
    (matrix,) = content["matrices"]
    assert len(rows) == len(matrix["cells"]) == 12
    assert matrix["rows"] == [{"model.name": name} for name in ("mlp", "softmax", "convnet")]
    (cell,) = (
        each for each in matrix["cells"]
        if (each["model.name"], each["data.name"], each["metric"]) == ("convnet", "mnist_5k", "metrics.test_accuracy")
    )  # fmt: skip
    assert cell["mean"] == pytest.approx(0.953)
    assert (cell["n"], cell["rank"], cell["best"], cell["as_good"], cell["average_rank"]) == (3, 2, False, True, 2.5)
    assert cell["low"] < 0.953 < cell["high"]
    assert [row["rank"] for row in rows[:2]] == ["1.5", "1.0"]
    assert {(row["metric"], row["best"]) for row in rows} >= {("metrics.test_loss", "true")}


def test_a_limit_of_rows_holds_for_csv_and_json_too(grid, fitbench):
    rows = list(csv.DictReader(io.StringIO(fitbench(*TWO, "--format", "csv", "--limit", "2"))))
    assert [row["model.name"] for row in rows] == ["mlp", "mlp", "softmax", "softmax"] * 2
    (matrix,) = json.loads(fitbench(*TWO, "--format", "json", "--limit", "2"))["matrices"]
    assert matrix["rows"] == [{"model.name": "mlp"}, {"model.name": "softmax"}]
    assert len(matrix["cells"]) == 8


def test_csv_and_json_tell_matrices_apart(grid, record, fitbench):
    folder = record("boston_housing", "mlp", [0.5])
    as_task(folder, "regression", *close_values(20), ("price",))

    def told(*arguments):
        rows = csv.DictReader(io.StringIO(fitbench(*arguments, "--by", "model", "--format", "csv")))
        return list(dict.fromkeys((row["task"], row.get("data")) for row in rows))

    options = ("--pivot", "study", "--metric", "test_accuracy")
    assert sorted(told(*options)) == [("classification", "fashion_mnist"), ("classification", "mnist_5k")]
    assert told(*options, "--where", "data == 'mnist_5k'") == [("classification", "mnist_5k")]
    matrices = json.loads(fitbench(*options, "--format", "json"))["matrices"]
    assert sorted((each["task"], each["data"]) for each in matrices) == sorted(told(*options))
    assert sorted(told("--pivot", "data")) == [("classification", None), ("regression", None)]


@pytest.mark.parametrize("options", [("--by", "task,model"), ("--pivot", "task"), ("--pivot", "model", "--by", "task")])
def test_csv_keeps_the_task_of_runs_of_several_tasks_where_it_is_a_key(grid, record, fitbench, options):
    folder = record("boston_housing", "mlp", [0.5])
    as_task(folder, "regression", *close_values(20), ("price",))
    rows = csv.DictReader(io.StringIO(fitbench(*options, "--metric", "parameters", "--format", "csv")))
    assert {row["task"] for row in rows} == {"classification", "regression"}


@needs_latex
def test_latex_of_models_by_data_sets_with_two_metrics_compiles(grid, fitbench, tmp_path):
    code = fitbench(*TWO, "--format", "latex")
    assert r"\multicolumn{3}{c}{test accuracy} & \multicolumn{3}{c}{test loss} \\" in code
    assert r"\cmidrule(lr){2-4} \cmidrule(lr){5-7}" in code
    assert r"\bfseries 0.9550 {\,$\pm$\,0.0050}" in code
    assert r"\underline" in code
    text = compiled(tmp_path, code)
    if text is None:
        pytest.skip("no pdftotext (Debian: poppler-utils)")
    lines = [line.split() for line in text.splitlines()]
    assert ["test", "accuracy", "test", "loss"] in lines
    assert ["mlp", "0.8600", "±", "0.0100", "0.9550", "±", "0.0050", "1.25"] in [line[:8] for line in lines]
    assert "Demšar" in text or "Dem" in text


# -- several metrics without a matrix ---------------------------------------------------------------------------------


def test_further_metrics_are_columns_beside_the_one_that_ranks(grid, fitbench):
    where = ("--where", "data == 'mnist_5k'", "--by", "model")
    text = fitbench(*where, "--metric", "test_loss,test_accuracy")
    assert [re.split(r" {2,}", line)[:5] for line in text.splitlines()[3:6]] == [
        ["1", "convnet", "3", "0.150 ± 0.010 *", "0.9530 ± 0.0053"],
        ["2", "mlp", "3", "0.200 ± 0.010", "0.9550 ± 0.0050 *"],
        ["3", "softmax", "3", "0.300 ± 0.010", "0.9050 ± 0.0050"],
    ]
    assert "*: the best of its column." in text
    (comparison,) = json.loads(fitbench(*where, "--metric", "test_loss,test_accuracy", "--format", "json"))[
        "comparisons"
    ]
    assert comparison["further_metrics"] == ["metrics.test_accuracy"]
    first = comparison["groups"][0]
    assert (first["mean"], first["test_accuracy_mean"]) == (pytest.approx(0.15), pytest.approx(0.953))
    assert first["test_accuracy_n"] == 3
    assert first["test_accuracy_low"] < 0.953 < first["test_accuracy_high"]


def test_a_data_set_without_a_further_metric_has_no_column_of_it(record, make_run, fitbench):
    record("digits", "mlp", [0.5, 0.6, 0.7])
    make_run("data=mnist_5k", "model=mlp", sha256="cd" * 32)
    rows = list(csv.DictReader(io.StringIO(fitbench("--metric", "test_accuracy,test_macro_f1", "--format", "csv"))))
    assert sorted(row["test_macro_f1_mean"] for row in rows) == ["", "0.59"]


def test_a_missing_value_of_a_further_metric_is_said_and_its_n_is_in_the_cell(record, fitbench):
    record("digits", "mlp", [0.5, 0.6, 0.7], f1=[0.4, None, 0.6])
    record("digits", "softmax", [0.4, 0.5, 0.6])
    options = ("--by", "model", "--metric", "test_accuracy,test_macro_f1")
    text = fitbench(*options)
    assert re.search(r"mlp +3 +0\.6000 ± 0\.1000 \* +0\.5\d* ± 0\.1\d* \(n = 2\) \*", text)
    assert "not counted: 1 without test_macro_f1" in text.splitlines()
    assert "Not counted: mlp (1 without test_macro_f1)." in fitbench(*options, "--explain")


def test_every_metric_on_other_examples_is_warned_of(record, fitbench):
    for number, name in enumerate("ab"):
        folder = record("digits", "mlp", [0.5, 0.6, 0.7], None, f"study={name}", sha256=name * 64)
        for path in folder.parent.rglob("result.json"):
            result = json.loads(path.read_text())
            result["data"] |= {"test_sha256": "1" * 64, "test_inputs_sha256": "2" * 64, "train": 100 + number}
            path.write_text(json.dumps(result | {"study": name}))
    text = fitbench("--all", "--metric", "test_accuracy,val_accuracy")
    assert "val_accuracy was not measured on the same examples in all runs: --explain" in text.splitlines()
    assert "test_accuracy was not" not in text


# -- what a matrix says and leaves out --------------------------------------------------------------------------------


def same_test_part(folder, train=100):
    """Give the runs beside this one the test part that others of these have."""
    for path in folder.parent.glob(folder.name.rpartition("-s")[0] + "-s*/result.json"):
        result = json.loads(path.read_text())
        result["data"] |= {"test_sha256": "1" * 64, "test_inputs_sha256": "2" * 64, "train": train}
        path.write_text(json.dumps(result))


def test_data_sets_that_share_a_test_part_have_columns_of_their_own(record, matrices):
    same_test_part(record("digits", "mlp", [0.5, 0.6, 0.7]))
    same_test_part(record("mnist_5k", "mlp", [0.8, 0.8, 0.8]))
    (pivot,) = matrices()
    means = {value: cell.group.summary.mean for (_, value), cell in cells_of(pivot).items()}
    assert means == {"digits": pytest.approx(0.6), "mnist_5k": pytest.approx(0.8)}


def test_other_training_data_of_one_data_set_have_columns_of_their_own_by_default(record, matrices, fitbench):
    same_test_part(record("digits", "mlp", [0.5, 0.6, 0.7], None, "study=a", sha256="0a" * 32))
    same_test_part(record("digits", "mlp", [0.8, 0.8, 0.8], None, "study=b", sha256="0b" * 32))
    assert matrices(by=None, every=True)[0].values == ["digits (SHA-256 0a0a0a0a)", "digits (SHA-256 0b0b0b0b)"]
    assert "mlp in digits (training data)" in fitbench("--all", "--pivot", "data", "--by", "model")
    assert "1 group mixes runs that differ in training data" in fitbench("--all", "--by", "model")


def test_settings_that_differ_between_the_columns_of_a_row_are_named(record, fitbench):
    record("digits", "mlp", [0.5, 0.6, 0.7], None, "optimizer.learning_rate=0.1")
    record("mnist_5k", "mlp", [0.5, 0.6, 0.7], None, "optimizer.learning_rate=0.001")
    record("digits", "softmax", [0.5, 0.6, 0.8])
    record("mnist_5k", "softmax", [0.5, 0.6, 0.8])
    text = fitbench("--pivot", "data", "--by", "model")
    assert "The columns of a row also differ in other settings: mlp (learning_rate 0.1, 0.001)." in text.splitlines()


def test_settings_that_differ_with_the_chosen_keys_are_named(record, fitbench):
    record("digits", "mlp", [0.5, 0.6, 0.7], None, "optimizer.learning_rate=0.1")
    record("digits", "softmax", [0.5, 0.6, 0.8], None, "optimizer.learning_rate=0.01")
    assert "6 runs in 2 groups by model, learning_rate" in fitbench()
    text = fitbench("--by", "model")
    assert "also differ between the groups: learning_rate 0.01, 0.1" in text.splitlines()
    assert "also differ" not in fitbench()


def test_intervals_over_mixed_runs_are_not_said_to_be_over_seeds(record, fitbench):
    record("digits", "mlp", [0.5, 0.6, 0.7], None, "optimizer.learning_rate=0.1")
    record("digits", "mlp", [0.5, 0.6, 0.8], None, "optimizer.learning_rate=0.01")
    text = fitbench("--by", "model")
    assert "1 group mixes runs that differ in learning_rate: --explain" in text.splitlines()
    assert "Intervals over the mixed runs of a group. " in text
    text = fitbench("--by", "model", "--explain")
    assert "95% interval of the mean over the mixed runs of a group: Wilson's" in text
    assert "the spread of the runs gives" in text
    record("digits", "softmax", [0.5, 0.6, 0.7])
    assert "Intervals over seeds or the mixed runs of a group. " in fitbench("--by", "model")
    assert "Intervals over seeds. " in fitbench("--by", "model,learning_rate")


def test_intervals_over_folds_of_mixed_runs_are_said_to_be_so(record, fitbench):
    for fold in range(3):
        kfold = ("training.validation=kfold", "training.folds=3", f"fold={fold}")
        for rate in (0.1, 0.01):
            record("digits", "mlp", [0.8 + fold / 100 + rate], None, *kfold, f"optimizer.learning_rate={rate}",
                   part="val")  # fmt: skip
    assert "Intervals over folds of mixed runs. " in fitbench("--by", "model")
    assert "over folds, the runs of each averaged: " in fitbench("--by", "model", "--explain")
    assert "Intervals over folds of these seeds. " in fitbench("--by", "learning_rate")


def test_repeated_runs_are_said_and_in_csv(record, fitbench):
    record("digits", "mlp", [0.5, 0.6, 0.7], None, "study=a")
    record("digits", "mlp", [0.5, 0.6, 0.7], None, "study=b")
    text = fitbench("--all", "--pivot", "data", "--by", "model")
    assert "3 runs recorded more than once: the latest counts." in text.splitlines()
    (row,) = csv.DictReader(io.StringIO(fitbench("--pivot", "data", "--by", "model", "--format", "csv")))
    assert (row["n"], row["uncounted"], row["repeated"], row["mixed"]) == ("3", "0", "3", "")


def test_folds_as_columns_are_not_missing(record, fitbench):
    for fold in range(2):
        record("digits", "mlp", [0.9], None, "training.validation=kfold", "training.folds=2", f"fold={fold}",
               part="val")  # fmt: skip
    assert "missing" not in fitbench("--pivot", "fold", "--by", "model")
    assert "missing" not in fitbench("--by", "fold")
    assert "missing" in fitbench("--by", "model", "--where", "fold == 0")


def test_rows_columns_and_matrices_without_a_value_are_left_out(record, make_run, fitbench):
    record("digits", "mlp", [0.5, 0.6, 0.7])
    record("mnist_5k", "mlp", [0.5, 0.6, 0.7])
    make_run("data=digits", "model=softmax", finished=False)
    make_run("data=fashion_mnist", "model=mlp", finished=False)
    _title, head, *rows = fitbench("--pivot", "data", "--by", "model").splitlines()
    assert head.split() == ["model", "digits", "mnist_5k"]
    assert [row.split()[0] for row in rows[:2]] == ["mlp", "Not"]
    assert rows[1].startswith("Not counted: ")
    text = fitbench("--pivot", "optimizer", "--by", "model")
    assert "Mean over no runs" not in text
    assert "Nothing to compare on fashion_mnist; not counted: 1 interrupted" in text.splitlines()


def test_keys_of_rows_that_are_constant_are_hidden(record, matrices):
    record("digits", "mlp", [0.5])
    record("mnist_5k", "mlp", [0.5])
    record("mnist_5k", "softmax", [0.5])
    assert matrices(by=None)[0].keys == ["model.name"]


def test_hints_have_numbers_that_work_and_are_not_in_documents(grid, fitbench):
    where = ("--where", "data == 'mnist_5k'", "--by", "model")
    text = fitbench(*where, "--limit", "1")
    assert "and 2 more groups; --limit 3 shows them" in text.splitlines()
    assert text.splitlines()[-1] == (
        "Intervals over seeds. To select a configuration, rank by --metric val_accuracy. --explain says more."
    )
    assert "more groups" not in fitbench(*where, "--limit", "3")
    assert "and 2 more rows; --limit 3 shows them" in fitbench("--pivot", "data", "--by", "model", "--limit", "1")
    for format in ("markdown", "latex"):
        for more in ([], ["--explain"], ["--pivot", "data", "--by", "model"]):
            document = fitbench("--metric", "test_accuracy,test_loss", *more, "--limit", "1", "--format", format)
            assert not re.search(r"--?\{?-?(metric|limit|explain)", document.replace("{", "").replace("}", ""))
