"""Data sets of series: their test part, lengths, classes and tasks."""

import logging
from pathlib import Path

import numpy as np
import pytest
from scipy.interpolate import interp1d

from fitbench.config import SeriesFiles, Source
from fitbench.data import loading
from fitbench.data.dataset import Dataset
from fitbench.data.resampling import resampled
from fitbench.errors import DataError, RequestError

HEADER = "@univariate true\n@classLabel true {}\n@data\n"


def settings(path: Path, **changes: object) -> SeriesFiles:
    keys = {"name": "a", "source": Source.signals, "path": str(path), "standardize": None, "lengths": None}
    return SeriesFiles(**keys | {"test_path": None, "test_fraction": 0.25, "split_seed": 0} | changes)


def load(folder: Path, train: str, test: str | None = None, task: str = "auto", **changes: object) -> Dataset:
    """The data set of files; with a test part they are A_TRAIN and A_TEST."""
    suffix = ".ts" if train.startswith("@") else ".tsv"
    path = folder / f"{'A' if test is None else 'A_TRAIN'}{suffix}"
    path.write_text(train)
    if test is not None:
        (folder / f"A_TEST{suffix}").write_text(test)
    return loading.load(settings(path, **changes), task)


def tsv(labels, first: int = 0) -> str:
    """A file of the UCR archive with a series of three steps for each label."""
    return "".join(f"{label}\t{first + row}\t{row}\t1\n" for row, label in enumerate(labels))


def ts(labels, classes: str = "a b", first: int = 0) -> str:
    return HEADER.format(classes) + "".join(f"{first + row},{row},1:{label}\n" for row, label in enumerate(labels))


# -- the test part ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("train", "test", "name"),
    [
        ("Gun_TRAIN.tsv", "Gun_TEST.tsv", "Gun"),
        ("TRAINS_TRAIN.tsv", "TRAINS_TEST.tsv", "TRAINS"),
        ("train.tsv", "test.tsv", "train"),
        ("my-Train-1.tsv", "my-Test-1.tsv", "my-Train-1"),
    ],
)
def test_test_part_is_the_file_beside_the_training_part(tmp_path, train, test, name):
    (tmp_path / train).write_text(tsv([1, 2, 1]))
    (tmp_path / test).write_text(tsv([2, 1], first=10))
    data = settings(tmp_path / train, name=None)
    assert (data.test_path, data.name) == (str(tmp_path / test), name)  # which the run records
    dataset = loading.load(data)
    assert dataset.x_test[:, 0, 0].tolist() == [10, 11]
    assert (dataset.x_train.shape, dataset.x_train.dtype, dataset.kind) == ((3, 3, 1), np.float32, "series")


def test_missing_test_file_is_refused(tmp_path):
    (tmp_path / "A_TRAIN.tsv").write_text(tsv([1, 2]))
    with pytest.raises(RequestError, match=r"A_TEST.tsv: no such file .*which is beside a file with TRAIN in its name"):
        loading.load(settings(tmp_path / "A_TRAIN.tsv"))


def test_folder_is_refused(tmp_path):
    with pytest.raises(RequestError, match=r"is a folder; expected a \.ts, \.tsv or \.txt file"):
        loading.load(settings(tmp_path))


def test_test_file_can_be_named_and_must_be_another(tmp_path):
    (tmp_path / "own.tsv").write_text(tsv([2, 1], first=10))
    dataset = load(tmp_path, tsv([1, 2, 1]), test_path=str(tmp_path / "own.tsv"))
    assert dataset.x_test[:, 0, 0].tolist() == [10, 11]
    with pytest.raises(RequestError, match=r"is the file of data\.path"):
        load(tmp_path, tsv([1, 2, 1]), test_path=str(tmp_path / "A.tsv"))


@pytest.mark.parametrize("name", ["strain.tsv", "CONSTRAINT.tsv", "TRAINS.tsv"])
def test_test_part_is_drawn_from_each_class_where_no_file_is_named(tmp_path, name):
    (tmp_path / name).write_text(tsv([1] * 8 + [2] * 4))
    dataset = loading.load(settings(tmp_path / name))
    assert np.bincount(dataset.y_test).tolist() == [2, 1]
    assert (np.diff(dataset.x_test[:, 0, 0]) > 0).all()  # in the order of the file
    examples = np.concatenate([dataset.x_train, dataset.x_test])[:, 0, 0]
    assert sorted(examples) == list(range(12))
    assert dataset.notes == ("3 of 12 series, drawn with data.split_seed=0, are the test part",)
    other = loading.load(settings(tmp_path / name, split_seed=1))
    assert other.sha256 != dataset.sha256
    regression = load(tmp_path, tsv(np.arange(12) / 2))
    assert (len(regression.y_test), regression.task) == (3, "regression")


def test_training_series_are_shuffled_because_files_are_sorted_by_class(tmp_path):
    labels = [1] * 20 + [2] * 20
    dataset = load(tmp_path, ts(labels, "1 2"), ts(labels, "1 2"))
    assert set(dataset.y_train[-8:]) == {0, 1}  # which training.validation=last holds back
    assert dataset.y_test.tolist() == [0] * 20 + [1] * 20
    rows = dataset.x_train[:, 0, 0].astype(int)
    assert dataset.rows_train.tolist() == (rows + 1).tolist()
    assert dataset.y_train.tolist() == [labels[row] - 1 for row in rows]


def test_changed_test_file_is_read_again(tmp_path):
    before = load(tmp_path, tsv([1, 2]), tsv([1, 2]))
    assert loading.load(settings(tmp_path / "A_TRAIN.tsv")) is before
    after = load(tmp_path, tsv([1, 2]), tsv([1, 2, 2]))
    assert (len(before.y_test), len(after.y_test)) == (2, 3)
    assert before.fingerprint != after.fingerprint


# -- classes and tasks ------------------------------------------------------------------------------------------------


def test_classes_have_one_order_and_one_name_in_all_formats(tmp_path, caplog, capsys):
    labels = [10, 2, 1, 10, 2, 1]
    of_ts = load(tmp_path, ts(labels, "1 10 2"), ts(labels, "1 10 2", first=10))
    of_txt = load(tmp_path, tsv([f"{label:e}" for label in labels]), tsv(labels, first=10))
    assert of_ts.names == of_txt.names == ("1", "2", "10")
    assert of_ts.y_test.tolist() == of_txt.y_test.tolist() == [2, 1, 0, 2, 1, 0]
    assert (of_ts.notes, of_txt.notes, capsys.readouterr().err) == ((), (), "")  # nothing needs to be said of them


def test_declared_classes_keep_the_order_of_the_header(tmp_path):
    dataset = load(tmp_path, ts(["run", "walk"], "walk run sit"), ts(["walk"], "walk run sit", first=10))
    assert (dataset.names, dataset.y_test.tolist()) == (("walk", "run", "sit"), [0])
    assert dataset.notes == ("y: no training example of the class sit",)
    undeclared = load(tmp_path, ts(["walk", "run"], ""), ts(["walk"], ""))
    assert undeclared.names == ("run", "walk")


def test_more_than_20_whole_numbers_are_classes(tmp_path):
    dataset = load(tmp_path, tsv(range(60)), tsv(range(60)))
    assert (dataset.task, len(dataset.names)) == ("classification", 60)


@pytest.mark.parametrize(
    ("train", "test", "task", "expected"),
    [
        (tsv([1.5, 2]), tsv([1, 2]), "auto", [1, 2]),
        (tsv([1, 2]), tsv([1.5, 2]), "auto", [1.5, 2]),  # the fractions of one part decide
        (tsv([1, 2]), tsv([2, 1]), "regression", [2, 1]),
        (ts([1, 2], "1 2"), ts([2, 1], "1 2"), "regression", [2, 1]),
        ("@targetLabel true\n@data\n1:7\n2:8\n", "@targetLabel true\n@data\n1:8\n", "auto", [8]),
    ],
)
def test_fractions_targets_and_the_key_make_a_regression(tmp_path, train, test, task, expected):
    dataset = load(tmp_path, train, test, task)
    assert (dataset.task, dataset.y_test[:, 0].tolist()) == ("regression", expected)


def test_a_note_says_that_fractions_made_a_regression(tmp_path):
    note = "the labels, the first number of each line, have fractions and are taken as numbers to predict"
    train, test = tsv([1.5, 2, 3]), tsv([1, 2], first=10)
    assert any(text.startswith(note) for text in load(tmp_path, train, test).notes)
    assert load(tmp_path, train, test, "regression").notes == ()  # which the user asked for
    stated = "@targetLabel true\n@data\n1:7.5\n2:8\n", "@targetLabel true\n@data\n3:8\n"
    assert load(tmp_path, *stated).notes == ()


@pytest.mark.parametrize("separator", ["\t", ",", " "])
def test_labels_at_the_end_of_lines_are_not_taken_for_values(tmp_path, separator):
    values = np.random.default_rng(0).normal(size=(12, 4)).round(3)
    text = "".join(separator.join(map(str, [*row, i % 3])) + "\n" for i, row in enumerate(values))
    with pytest.raises(
        DataError, match=r"A.tsv: the first number .* but the last one is one of 3 whole numbers \(0, 1"
    ):
        load(tmp_path, text)
    dataset = load(tmp_path, text, task="regression")  # which says that the first number is to be predicted
    assert (dataset.task, dataset.x_train.shape[1:]) == ("regression", (4, 1))


def test_a_note_counts_test_series_that_are_training_series(tmp_path):
    assert load(tmp_path, tsv([1, 2, 1]), tsv([1, 2, 1])).notes == ("3 of 3 test series are also in the training part",)
    dataset = load(tmp_path, tsv([1, 2, 1]), tsv([1]) + tsv([2], first=10))
    assert dataset.notes == ("1 of 2 test series is also in the training part",)
    assert load(tmp_path, tsv([1, 2, 1]), tsv([2, 1], first=10)).notes == ()


def test_targets_of_a_ts_file_can_be_taken_as_classes(tmp_path):
    text = "@targetLabel true\n@data\n1:7\n2:8\n"
    dataset = load(tmp_path, text, text, "classification")
    assert (dataset.names, dataset.y_test.tolist()) == (("7", "8"), [0, 1])


@pytest.mark.parametrize(
    ("train", "test", "task", "message"),
    [
        (ts("ab"), ts("abc", "a b c"), "auto", "A_TEST.ts: the label holds the class c, which the training part"),
        (tsv([1, 2]), tsv([3, 1]), "auto", "A_TEST.tsv: the label holds the class 3, which the training part"),
        (ts("aa"), ts("aa"), "auto", "all labels are a; expected at least two classes"),
        (ts("ab"), "@classLabel false\n@data\n1,2,3\n", "auto", "A_TEST.ts: its header states no labels; expected"),
        (ts("ab"), "@classLabel true a b\n@data\n1,2,3:4,5,6:a\n", "auto", "have 2 channels; expected 1 channel"),
        (ts("ab"), ts("ab"), "regression", "the label holds texts; task=regression takes numbers"),
        (ts("ab"), tsv([1, 2]), "auto", "A_TEST.ts: line 1 is the text"),
        (tsv([1.5, 2]), tsv([1, 2]), "classification", r"the label holds fractions \(1.5 to 2"),
    ],
)  # fmt: skip
def test_parts_that_do_not_fit_are_refused(tmp_path, train, test, task, message):
    with pytest.raises(DataError, match=message) as refusal:
        load(tmp_path, train, test, task)
    assert str(refusal.value).count("\n") <= 1


def test_class_with_one_series_cannot_be_divided(tmp_path):
    with pytest.raises(DataError, match="the class b has one example; a training and a test part need one each"):
        load(tmp_path, ts("aaab"))


# -- lengths ----------------------------------------------------------------------------------------------------------

SHORT, LONG = HEADER.format("a b") + "0,2,4:a\n1,3:b\n", HEADER.format("a b") + "0,1,2,3,4:a\n7:b\n"


def test_different_lengths_are_refused_without_the_key(tmp_path):
    message = (
        "A_TRAIN.ts: the 4 series have 1 to 5 steps, and the longest of the training part has 3. Set data.lengths=lin"
    )
    with pytest.raises(DataError, match=message):
        load(tmp_path, SHORT, LONG)
    equal = ts("ab")
    with pytest.raises(DataError, match="the 4 series have 1 to 5 steps"):  # those of the test part alone differ
        load(tmp_path, equal, LONG)


@pytest.mark.parametrize("method", ["linear", "cubic"])
def test_series_are_interpolated_to_the_longest_of_training(tmp_path, caplog, method):
    caplog.set_level(logging.INFO)
    dataset = load(tmp_path, SHORT, LONG, lengths=method)
    assert dataset.x_test[..., 0].tolist() == [[0, 2, 4], [7, 7, 7]]
    assert {tuple(values) for values in dataset.x_train[..., 0]} == {(0, 2, 4), (1, 2, 3)}
    note = f"3 of 4 series, which have 1 to 5 steps, are interpolated ({method}) to 3 steps"
    assert dataset.notes == (note,)
    assert f"{tmp_path}/A_TRAIN.ts: {note}" in caplog.text
    of_a_run = loading.load(settings(tmp_path / "A_TRAIN.ts", lengths=method), steps=5)  # to the length of its model
    assert of_a_run.x_test[..., 0].tolist() == [[0, 1, 2, 3, 4], [7] * 5]


@pytest.mark.parametrize("steps", [2, 4, 9])
def test_series_are_interpolated_to_the_steps_of_the_configuration(tmp_path, steps):
    of_four, of_six = HEADER.format("a b") + "0,2,1,5:a\n3,0,2,2:b\n", HEADER.format("a b") + "4,1,0,3,3,8:a\n"
    dataset = load(tmp_path, of_four, of_six, lengths="cubic", steps=steps)
    assert dataset.x_train.shape == (2, steps, 1)
    places = np.linspace(0, 5, steps)
    expected = interp1d(np.arange(6), [4, 1, 0, 3, 3, 8], kind="cubic")(places)
    np.testing.assert_allclose(dataset.x_test[0, :, 0], expected, atol=1e-5)
    of_a_run = loading.load(settings(tmp_path / "A_TRAIN.ts", lengths="cubic", steps=steps), steps=5)
    assert of_a_run.x_test.shape == (1, 5, 1)  # the length of a model comes first


def test_steps_that_do_not_fit_into_memory_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("fitbench.data.series.memory_limit", lambda: 100)
    message = r"^data\.steps=7: the series would take 112 bytes of memory, and there is memory for 100;"
    with pytest.raises(RequestError, match=message):
        load(tmp_path, ts("ab"), ts("ab", first=10), lengths="linear", steps=7)


def test_one_length_of_all_series_is_said_once(tmp_path):
    load(tmp_path, ts("abab"), ts("ab", first=10))
    dataset = loading.load(settings(tmp_path / "A_TRAIN.ts", lengths="linear"), steps=5)
    assert dataset.notes == ("6 of 6 series, which have 3 steps, are interpolated (linear) to 5 steps",)


def test_lengths_change_nothing_where_all_are_equal(tmp_path):
    plain, with_key = (load(tmp_path, ts("abab"), ts("ab", first=10), lengths=lengths) for lengths in (None, "cubic"))
    assert (with_key.sha256, with_key.notes) == (plain.sha256, ())


@pytest.mark.parametrize("method", ["linear", "cubic"])
def test_interpolation_is_that_of_the_source(method):
    series = [np.random.default_rng(steps).normal(size=(steps, 2)).astype(np.float32) for steps in (4, 7, 29, 40)]
    result = resampled(series, 29, method)
    assert (result.shape, result.dtype) == ((4, 29, 2), np.float32)
    for values, found in zip(series, result, strict=True):
        places = np.linspace(0, len(values) - 1, 29)
        expected = interp1d(np.arange(len(values)), values, kind=method, axis=0)(places)
        np.testing.assert_allclose(found, expected, atol=1e-6)
    assert (result[2] == series[2]).all()


def test_short_series_have_a_parabola_a_line_or_a_constant():
    series = [np.array(values, np.float32)[:, np.newaxis] for values in ([0, 1, 4], [0, 4], [3])]
    assert resampled(series, 5, "cubic")[..., 0].tolist() == [[0, 0.25, 1, 2.25, 4], [0, 1, 2, 3, 4], [3] * 5]
    assert resampled(series, 5, "linear")[..., 0].tolist() == [[0, 0.5, 1, 2.5, 4], [0, 1, 2, 3, 4], [3] * 5]
    assert resampled(series, 1, "cubic")[..., 0].tolist() == [[0], [0], [3]]
