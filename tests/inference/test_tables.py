"""Runs of tables: predict on new rows, files that do not fit, and what strangers' dataset.json may hold."""

import csv
import json
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from fitbench import cli
from fitbench.data.loading import load
from fitbench.errors import FitbenchError
from fitbench.inference import predict as predicting
from fitbench.inference import reader
from fitbench.metrics import CLASSIFICATION, MULTILABEL, REGRESSION
from fitbench.record.reading import read_predictions

from .flats import HEADER, flats, with_cell, write

NEW = [
    "extra;balcony;rooms;city;size",  # another order, and a column that the run does not know
    "1;TRUE;3;Bonn;81,5",
    "2;false;2;Paris;40",
    "3;true;04;Köln;",
]


@pytest.fixture(scope="module")
def opened(table_runs) -> dict[str, reader.Reader]:
    return {task: reader.open_run(folder) for task, folder in table_runs.items()}


@pytest.fixture
def call(opened, monkeypatch, capfd, tmp_path):
    """Return a function that calls `fitbench predict` with a loaded model, and returns status, stdout and stderr."""

    def call_main(task: str, *arguments: object) -> tuple[int, str, str]:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(predicting, "open_run", lambda folder, trust: opened[task])
        return main(monkeypatch, capfd, "predict", opened[task].folder, *arguments)

    return call_main


def main(monkeypatch, capfd, *arguments: object) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "argv", ["fitbench", *map(str, arguments)])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    printed = capfd.readouterr()
    return int(caught.value.code or 0), printed.out, printed.err


def boston(path: Path, inputs: np.ndarray, names: list[str]) -> Path:
    lines = [",".join(names), *(",".join(map(repr, row)) for row in inputs.astype(float).tolist())]
    return write(path, lines)


# -- predictions ------------------------------------------------------------------------------------------------------


def test_predictions_for_the_test_rows_equal_the_recorded_ones(call, opened, tmp_path):
    run = opened[REGRESSION]
    data = load(reader.configuration(run.result, run.folder).data)
    recorded = read_predictions(run.folder, run.result)
    boston(tmp_path / "test.csv", data.x_test, [column.name for column in data.columns])
    status, out, err = call(REGRESSION, "test.csv", "--format", "json", "--batch-size", 40)
    rows = [json.loads(line) for line in out.splitlines()]
    assert (status, len(rows)) == (0, 102)
    assert rows[0].keys() == {"row", "MEDV", "error"}
    assert [row["row"] for row in rows] == list(range(1, 103))
    assert [row["MEDV"] for row in rows] == pytest.approx(recorded.outputs[:, 0].tolist(), rel=1e-5)
    assert "102 rows in" in err


def test_columns_are_found_by_name_and_categories_by_the_names_of_training(call, opened, tmp_path):
    write(tmp_path / "new.csv", NEW)
    status, out, err = call(CLASSIFICATION, "new.csv", "--format", "csv")
    assert status == 0
    rows = list(csv.DictReader(out.splitlines()))
    assert list(rows[0]) == [
        *("row", "label", "probability", "second", "second_probability", "third", "third_probability", "error"),
    ]  # fmt: skip
    assert "categories with values that training has not seen: city in 1 row\n" in err
    run = opened[CLASSIFICATION]
    assert [column.name for column in run.inputs.columns] == ["city", "size", "rooms", "balcony"]
    inputs = np.array([[2, 81.5, 3, 2], [0, 40, 2, 1], [3, np.nan, 4, 2]], np.float32)
    expected = run.predictions(inputs)
    assert [float(row["probability"]) for row in rows] == pytest.approx(expected.max(axis=1).tolist(), rel=1e-5)
    assert [row["label"] for row in rows] == [run.names[i] for i in expected.argmax(axis=1)]


def test_labels_apply_from_the_recorded_threshold(call, tmp_path):
    write(tmp_path / "new.csv", flats(60, seed=3))
    status, out, _ = call(MULTILABEL, "new.csv", "--format", "json")
    rows = [json.loads(line) for line in out.splitlines()]
    assert status == 0
    assert any(row["labels"] for row in rows) and len({len(row["labels"]) for row in rows}) > 1
    for row in rows:
        assert row["labels"] == [name for name in ("large", "central") if row[f"{name}_probability"] >= 0.4]
    status, out, _ = call(MULTILABEL, "new.csv", "--format", "csv")
    both = next(row["row"] for row in rows if len(row["labels"]) == 2)
    assert out.splitlines()[both].startswith(f"{both},large; central,")
    neither = next(row["row"] for row in rows if not row["labels"])
    assert out.splitlines()[neither].startswith(f"{neither},,0.")
    status, out, err = call(MULTILABEL, "new.csv")
    assert out.splitlines()[0].split() == ["row", "labels", "large", "central"]
    assert out.splitlines()[both].split()[:3] == [str(both), "large,", "central"]
    assert out.splitlines()[neither].split()[:2] == [str(neither), "-"]
    assert "fitbench: a label applies from a probability of 0.4\n" in err


def test_rows_of_several_files_are_named_by_file_and_row(call, tmp_path):
    write(tmp_path / "a.csv", flats(2))
    write(tmp_path / "b.tsv", [line.replace(",", "\t") for line in flats(3)])
    status, out, _ = call(CLASSIFICATION, "a.csv", "b.tsv", "-o", "out.csv")
    assert (status, out) == (0, "")
    with (tmp_path / "out.csv").open() as file:
        rows = [(row["path"], row["row"]) for row in csv.DictReader(file)]
    assert rows == [("a.csv", "1"), ("a.csv", "2"), ("b.tsv", "1"), ("b.tsv", "2"), ("b.tsv", "3")]


def test_parquet_gives_the_same_rows_as_csv(call, tmp_path):
    import pandas as pd

    write(tmp_path / "new.csv", flats(20, seed=1))
    pd.read_csv(tmp_path / "new.csv").to_parquet(tmp_path / "new.parquet")
    from_csv, from_parquet = (call(CLASSIFICATION, f"new.{suffix}", "--format", "csv") for suffix in ("csv", "parquet"))
    assert from_csv[:2] == from_parquet[:2]


def test_rows_with_wrong_values_get_an_error_and_the_others_a_prediction(call, tmp_path):
    lines = flats(9, seed=2)
    lines[2], lines[5] = with_cell(lines[2], "size", "large"), with_cell(lines[5], "size", "1e39")
    lines[7] = with_cell(lines[7], "size", "inf")
    write(tmp_path / "new.csv", lines)
    status, out, err = call(CLASSIFICATION, "new.csv", "--format", "json")
    assert status == 1
    errors = {row["row"]: row["error"] for row in map(json.loads, out.splitlines())}
    assert {row for row, error in errors.items() if error} == {2, 5, 7}
    assert errors[2] == "the column 'size' holds the text 'large', and numbers elsewhere; expected a number"
    assert errors[5] == "the column 'size' holds 1e+39; expected finite numbers below 3.4e38"
    assert errors[7] == "the column 'size' holds inf; expected finite numbers below 3.4e38"
    assert "9 rows in" in err and "3 could not be read" in err
    status, out, _ = call(CLASSIFICATION, "new.csv")
    assert "row 5: the column 'size' holds 1e+39" in out


def test_a_number_that_only_new_rows_miss_is_the_mean_or_refused_as_in_training(call, opened, tmp_path):
    line = flats(3, seed=8)[2]
    write(tmp_path / "new.csv", [HEADER, with_cell(line, "rooms", "")])
    status, out, _ = call(CLASSIFICATION, "new.csv", "--format", "json")  # its data have data.missing=mean
    rooms = opened[CLASSIFICATION].inputs.columns[2]
    assert (status, rooms.name, rooms.missing) == (0, "rooms", False)
    write(tmp_path / "new.csv", [HEADER, with_cell(line, "rooms", repr(rooms.mean))])
    assert call(CLASSIFICATION, "new.csv", "--format", "json")[:2] == (0, out)
    names = [column.name for column in opened[REGRESSION].inputs.columns]
    write(tmp_path / "new.csv", [",".join(names), "NA" + ",1" * (len(names) - 1)])
    status, out, _ = call(REGRESSION, "new.csv", "--format", "json")
    assert status == 1
    assert json.loads(out)["error"] == "CRIM is missing; training had a number in every row"


def test_a_target_with_the_name_of_another_column_is_renamed(opened):
    from fitbench.inference.layout import Layout

    layout = Layout.of(("row",), "row", opened[REGRESSION].task, ("error", "price"))
    assert layout.heads == ("row", "error_predicted", "price", "error")
    with pytest.raises(FitbenchError, match="two outputs of the run have the same name: price, price"):
        Layout.of(("row",), "row", opened[REGRESSION].task, ("price", "price"))


# -- refused ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["lacks.csv"], "lacks.csv: lacks the columns size, rooms; did you mean sise?"),
        (["none.csv"], "none.csv: there is no such file; expected a CSV, TSV or Parquet file"),
        (["a.png"], "a.png: an image; the run takes rows of a table"),
        (["a.npy"], "a.npy: an array file; the run takes rows of a table"),
        (["."], ".: no file; the run takes rows of a table"),
        (["new.csv", "--prepare", "none"], "--prepare is for images; the run takes rows of a table"),
        (["new.csv", "--array", "x"], "--array is for images; the run takes rows of a table"),
        (["new.csv", "--labels", "folder"], "--labels is for images; the run takes rows of a table; fitbench evaluate"),
    ],
)
def test_what_does_not_fit_a_run_of_a_table_is_refused_by_name(call, tmp_path, arguments, message):
    write(tmp_path / "lacks.csv", [HEADER.replace("size", "sise").replace("rooms", "beds"), *flats(2)[1:]])
    write(tmp_path / "new.csv", flats(2))
    for name in ("a.png", "a.npy"):
        (tmp_path / name).write_bytes(b"")
    status, out, err = call(CLASSIFICATION, *arguments)
    assert (status, out) == (2, "")
    assert err.startswith(f"fitbench: {message}") and err.count("\n") == 1


def test_a_table_is_refused_by_a_run_of_images(trained, flats_csv, monkeypatch, capfd):
    status, _, err = main(monkeypatch, capfd, "predict", trained, flats_csv)
    assert (status, err) == (2, f"fitbench: {flats_csv}: a table; the run takes images\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["predict", "flats", "none.csv"], "none.csv: there is no such file"),
        (["evaluate", "flats", "--data", "csv", "data.path=none.csv"], "none.csv: there is no such file"),
        (["export", "flats", "--format", "keras", "-o", "new"], "none.csv: no such file"),
        (["serve", "flats", "--host", "no.such.host.invalid"], "cannot listen at --host no.such.host.invalid"),
    ],
)
def test_of_a_finished_and_a_failed_run_the_finished_one_is_used(
    table_runs, tmp_path, monkeypatch, capfd, arguments, message
):
    """What is refused later shows that the run was found."""
    folder = shutil.copytree(table_runs[CLASSIFICATION], tmp_path / "outputs" / "study" / "flats-s0")
    result = json.loads((folder / "result.json").read_text())
    result["config"]["data"]["path"] = "/none.csv"
    (folder / "result.json").write_text(json.dumps(result))
    failed = tmp_path / "outputs" / "study" / "flats-s1"
    failed.mkdir()
    for name in ("config.yaml", "error.txt"):
        (failed / name).write_text("seed: 1\n")
    monkeypatch.chdir(tmp_path)
    status, _, err = main(monkeypatch, capfd, *arguments)
    assert status in (1, 2) and message in err and "fits 2 runs" not in err


# -- strangers' dataset.json ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda columns: columns.pop(), r"dataset\.json: columns has 3 of them; expected 4 columns"),
        (lambda columns: columns[0].pop("vocabulary"), r"columns\[0\]\.vocabulary is missing"),
        (lambda columns: columns[1].update(name="city"), r"columns\[1\] has the name of another, 'city'"),
        (lambda columns: columns[2].update(mean=None), r"columns\[2\]\.mean is missing; a column that is a number"),
        (lambda columns: columns[0].update(kind="text"), r"dataset\.json: columns\[0\]\.kind is 'text'"),
        (lambda columns: columns[0].update(vocabulary=["x"] * 7_000_000), r"dataset\.json: "),
        (lambda columns: columns.clear(), r"dataset\.json: columns has 0 of them; expected 4 columns"),
    ],
)
def test_columns_that_do_not_fit_are_refused_in_one_line(table_runs, tmp_path, monkeypatch, capfd, change, message):
    folder = shutil.copytree(table_runs[CLASSIFICATION], tmp_path / "outputs" / "study" / "run")
    record = json.loads((folder / "dataset.json").read_text())
    change(record["columns"])
    (folder / "dataset.json").write_text(json.dumps(record))
    np.save(tmp_path / "a.npy", np.zeros((1, 28, 28), np.uint8))
    new = tmp_path / "a.npy" if not record["columns"] else write(tmp_path / "new.csv", flats(2))
    status, _, err = main(monkeypatch, capfd, "predict", folder, new)
    assert status == 1
    assert re.search(message, err.splitlines()[-1]), err[-500:]
