import csv
import io
import json

import numpy as np
import pytest
from scipy import stats
from typer.testing import CliRunner

from fitbench import cli
from fitbench.analysis import statistics
from fitbench.errors import FitbenchError, RequestError

LABELS = np.array([0, 1, 2, 0, 1, 2, 0, 1, 2, 0], np.int32)
A = [0, 1, 2, 0, 1, 2, 0, 1, 0, 1]  # right but for the last two
B = [0, 1, 2, 0, 1, 0, 1, 2, 2, 2]  # right but for images 5, 6, 7 and 9


def probabilities(predicted, certainty):
    made = np.full((len(predicted), 3), (1 - certainty) / 2, np.float32)
    made[np.arange(len(predicted)), predicted] = certainty
    return made


@pytest.fixture
def two_runs(make_run):
    return (
        make_run("seed=0", "training.epochs=5", labels=LABELS, probabilities=probabilities(A, 0.9)),
        make_run("seed=1", "training.epochs=5", labels=LABELS, probabilities=probabilities(B, 0.6)),
    )


@pytest.fixture
def compare(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        result = CliRunner().invoke(cli.app, ["compare", *map(str, arguments)])
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.stdout

    return call


def test_two_runs_are_compared_image_by_example(two_runs, compare):
    found = json.loads(compare(*two_runs, "--format", "json"))
    assert (found["a"]["right"], found["b"]["right"], found["a"]["accuracy"]) == (8, 6, 0.8)
    counts = [found[name] for name in ("both_right", "only_a_right", "only_b_right", "neither_right")]
    assert counts == [5, 3, 1, 1]
    assert found["p"] == pytest.approx(stats.binomtest(3, 4).pvalue)
    expected = stats.binomtest(8, 10).proportion_ci(method="wilson")
    assert (found["a"]["low"], found["a"]["high"]) == pytest.approx((expected.low, expected.high))
    assert {one["example"] for one in found["disagreements"]} == {5, 6, 7, 8, 9}
    by_example = {one["example"]: one for one in found["disagreements"]}
    assert by_example[5] | {"probability_a": 0.9, "probability_b": 0.6} == {
        "example": 5,
        "true": "owl",
        "a": "owl",
        "b": "cat",
        "probability_a": 0.9,
        "probability_b": 0.6,
        "right": "A",
    }
    assert by_example[5]["probability_a"] == pytest.approx(0.9)
    assert (by_example[8]["right"], by_example[9]["right"]) == ("B", "neither")


def test_the_table_holds_the_test_and_the_disagreements(two_runs, compare):
    out = compare(*two_runs, "--limit", "2")
    lines = [line.split() for line in out.splitlines()]
    assert ["A", "right", "5", "3"] in lines
    assert ["A", "wrong", "1", "1"] in lines
    assert "of 4 test examples that one run alone classifies correctly, A classifies 3 and B 1; p = 0.62" in out
    assert "The runs classify 5 examples differently; the 2 of which they are most certain" in out
    assert len([line for line in lines if line[1:] == ["owl", "owl", "0.900", "cat", "0.600", "A"]]) == 1


def test_the_most_certain_disagreements_come_first_and_nan_last(make_run, compare):
    sure = probabilities(A, 0.5)
    sure[7] = [0.01, 0.98, 0.01]
    sure[5] = np.nan
    a = make_run("seed=0", "training.epochs=5", labels=LABELS, probabilities=sure)
    b = make_run("seed=1", "training.epochs=5", labels=LABELS, probabilities=probabilities(B, 0.6))
    found = json.loads(compare(a, b, "--format", "json"))["disagreements"]
    assert found[0]["example"] == 7
    assert all(one["probability_a"] is not None for one in found if one["example"] != 5)


def test_a_run_with_nan_is_not_taken_for_one_that_reads_the_first_class(two_runs, make_run, compare):
    none = np.full((10, 3), np.nan, np.float32)
    diverged = make_run("seed=2", "training.epochs=5", labels=LABELS, probabilities=none)
    assert "accuracy is undefined for B, so nothing is tested." in compare(two_runs[1], diverged)
    found = json.loads(compare(two_runs[1], diverged, "--format", "json"))
    assert (found["a"]["value"], found["b"]["value"], found["p"]) == (0.6, None, None)
    assert {one["example"]: one["right"] for one in found["disagreements"] if one["true"] == "cat"} == {
        6: "neither", 9: "neither",
    }  # fmt: skip


def test_runs_are_named_by_any_part(two_runs, compare):
    names = [folder.name for folder in two_runs]
    whole = compare(*two_runs)
    assert compare(*names) == whole
    assert compare(names[0][-11:], names[1][-11:]) == whole
    with pytest.raises(RequestError, match="fits 2 runs"):
        compare("mlp", names[1])


def test_csv_markdown_and_latex(two_runs, compare):
    rows = list(csv.DictReader(io.StringIO(compare(*two_runs, "--format", "csv"))))
    assert [row["example"] for row in rows] == ["5", "6", "7", "8", "9"]
    assert (rows[0]["a"], rows[0]["b"], rows[0]["right"]) == ("owl", "cat", "A")
    assert float(rows[0]["probability_a"]) == pytest.approx(0.9)
    out = compare(*two_runs, "--format", "markdown")
    assert "| A right | 5 | 3 |" in out
    assert "| 5 | owl | owl | 0.900 | cat | 0.600 | A |" in out
    assert "5 & owl & owl & 0.900 & cat & 0.600 & A" in compare(*two_runs, "--format", "latex")


def test_a_limit_holds_for_csv_and_json_too(two_runs, compare):
    rows = list(csv.DictReader(io.StringIO(compare(*two_runs, "--format", "csv", "--limit", "2"))))
    assert [row["example"] for row in rows] == ["5", "6"]
    found = json.loads(compare(*two_runs, "--format", "json", "--limit", "2"))
    assert [each["example"] for each in found["disagreements"]] == [5, 6]


def test_a_p_value_just_below_5_percent_does_not_read_as_5_percent(two_runs, compare, monkeypatch):
    for p, shown in ((0.0498, "0.0498"), (0.0504, "0.05"), (0.049, "0.049")):
        monkeypatch.setattr(statistics, "mcnemar", lambda *_, p=p: p)
        assert f"B 1; p = {shown}.\n" in compare(*two_runs)


def test_a_run_agrees_with_itself(two_runs, compare):
    out = compare(two_runs[0], two_runs[0])
    assert "of 0 test examples that one run alone classifies correctly, A classifies 0 and B 0; p = 1" in out
    assert "The runs classify 0 examples differently" in out
    assert json.loads(compare(two_runs[0], two_runs[0], "--format", "json"))["disagreements"] == []


def test_perfect_runs_have_an_interval_that_ends_at_one(make_run, compare):
    right = probabilities(LABELS, 0.9)
    folders = [make_run(f"seed={s}", "training.epochs=5", labels=LABELS, probabilities=right) for s in (0, 1)]
    found = json.loads(compare(*folders, "--format", "json"))
    assert (found["a"]["accuracy"], found["a"]["high"], found["p"]) == (1.0, 1.0, 1.0)
    assert found["a"]["low"] == pytest.approx(1 / (1 + stats.norm.ppf(0.975) ** 2 / 10))


def test_other_test_images_are_refused(two_runs, make_run, compare):
    other = make_run("seed=2", "training.epochs=5", sha256="cd" * 32)
    with pytest.raises(RequestError, match=r"tested on different examples, mnist_5k \(abababab\) and .*cdcdcdcd"):
        compare(two_runs[0], other)


def write_part(folder, **data):
    """Writes into result.json what the run records of its data."""
    result = json.loads((folder / "result.json").read_text())
    result["data"] |= data
    (folder / "result.json").write_text(json.dumps(result))


@pytest.fixture
def other_inputs(make_run):
    """Two runs on the same test examples, of which the second reads other columns."""
    folders = [
        make_run(f"seed={s}", "training.epochs=5", labels=LABELS, probabilities=probabilities(read, 0.9), sha256=sha)
        for s, read, sha in ((0, A, "ab" * 32), (1, B, "cd" * 32))
    ]
    for folder, digit in zip(folders, "12", strict=True):
        write_part(folder, test_sha256="a" * 64, test_inputs_sha256=digit * 64)
    return folders


def test_the_same_test_examples_with_other_columns_are_compared(other_inputs, compare):
    assert "10 test examples of mnist_5k (abababab in A, cdcdcdcd in B)" in compare(*other_inputs)
    found = json.loads(compare(*other_inputs, "--format", "json"))
    assert (found["a"]["right"], found["b"]["right"], found["only_a_right"]) == (8, 6, 3)
    assert found["data"] == {"name": "mnist_5k", "sha256": None, "test": 10}
    assert (found["a"]["data_sha256"], found["b"]["data_sha256"]) == ("ab" * 32, "cd" * 32)


def test_the_same_test_part_under_another_name_is_compared(other_inputs, compare):
    write_part(other_inputs[1], test_inputs_sha256="1" * 64, name="mine")
    assert "of mnist_5k and mine (abababab in A, cdcdcdcd in B)" in compare(*other_inputs)
    assert json.loads(compare(*other_inputs, "--format", "json"))["data"]["name"] is None


def test_equal_targets_of_data_with_another_name_are_refused(other_inputs, compare):
    write_part(other_inputs[1], name="mine")
    with pytest.raises(RequestError, match=r"different examples, mnist_5k \(abababab\) and mine \(cdcdcdcd\)"):
        compare(*other_inputs)


def test_runs_without_a_test_part_are_refused(make_fold, compare):
    folders = [make_fold(f"seed={seed}") for seed in (0, 1)]
    with pytest.raises(RequestError, match=r"have no test part, on which two runs are compared; compare groups with"):
        compare(*folders)


def test_other_labels_under_the_same_checksum_are_refused(two_runs, make_run, compare):
    other = make_run("seed=2", "training.epochs=5", labels=LABELS[::-1].copy(), probabilities=probabilities(A, 0.9))
    with pytest.raises(FitbenchError, match="test targets differ from those of"):
        compare(two_runs[0], other)


def test_a_run_that_is_not_finished_or_damaged_is_refused(two_runs, make_run, compare):
    unfinished = make_run("seed=2", "training.epochs=5", finished=False)
    with pytest.raises(FitbenchError, match="the run is interrupted"):
        compare(two_runs[0], unfinished)
    (two_runs[1] / "predictions.npz").write_bytes(b"PK")
    with pytest.raises(FitbenchError, match=r"predictions\.npz: not an \.npz file"):
        compare(*two_runs)
