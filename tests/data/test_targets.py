"""What the targets of a data set decide, and which targets are refused."""

import numpy as np
import pytest

from fitbench.data.targets import Targets, decided
from fitbench.errors import DataError, RequestError

WHERE = {"train": "a.csv: the target 'y'", "test": "b.csv: the target 'y'", "val": "c.csv: the target 'y'"}


def texts(*values: object) -> np.ndarray:
    """A column of texts as pandas gives it."""
    return np.array(values, object)


def decide(task: str, train: object, test: object = None, columns: tuple[str, ...] = ("y",), **options) -> Targets:
    """What `decided` makes of these targets; those of the test part are the same unless they are given."""
    raw = {"train": np.asarray(train), "test": np.asarray(train if test is None else test)}
    return decided(task, raw, columns, WHERE, **options)


def decide_columns(task: str, rows: list[list[float]], **options) -> Targets:
    columns = ("red", "green", "blue")[: len(rows[0])]
    return decide(task, rows, columns=columns, **options)


# -- auto -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("train", "names", "codes"),
    [
        (texts("dog", "cat", "dog"), ("cat", "dog"), [1, 0, 1]),
        (np.array(["10", "9", "10"]), ("10", "9"), [0, 1, 0]),
        (np.array([True, False]), ("False", "True"), [1, 0]),
        (texts(True, False), ("False", "True"), [1, 0]),
        (np.array([10, 9, 10]), ("9", "10"), [1, 0, 1]),
        (np.arange(20)[::-1], tuple(map(str, range(20))), list(range(20))[::-1]),
        (np.array([-1, 1], np.int8), ("-1", "1"), [0, 1]),
        (np.array([2**63 + 2**12, 2**63], np.uint64), ("9223372036854775808", "9223372036854779904"), [1, 0]),
    ],
)
def test_texts_booleans_and_few_integers_are_classes(train, names, codes):
    targets = decide("auto", train)
    assert (targets.task, targets.names) == ("classification", names)
    assert targets.arrays["train"].dtype == np.int32
    assert targets.arrays["train"].tolist() == codes


def test_classes_are_those_of_the_training_part():
    targets = decide("auto", texts("b", "c", "a"), texts("c", "c"))
    assert targets.arrays["test"].tolist() == [2, 2]
    assert decide("auto", np.arange(20) % 20, [3, 3]).task == "classification"


@pytest.mark.parametrize("dtype", [int, float, bool])
def test_one_hot_rows_are_classes_and_other_rows_of_0_and_1_are_several_labels(dtype):
    one_hot = decide_columns("auto", np.array([[0, 1], [1, 0], [0, 1]], dtype))
    assert (one_hot.task, one_hot.names) == ("classification", ("red", "green"))
    assert one_hot.arrays["train"].tolist() == [1, 0, 1]
    several = decide_columns("auto", np.array([[0, 1], [1, 0], [1, 1]], dtype))
    assert (several.task, several.names, several.notes) == ("multilabel", ("red", "green"), ())
    assert several.arrays["train"].dtype == np.int8
    assert several.arrays["train"].tolist() == [[0, 1], [1, 0], [1, 1]]


def test_rows_that_are_one_hot_in_the_training_part_only_are_several_labels():
    columns = np.array([[0, 1], [1, 0]])
    assert decide("auto", columns, [[1, 1]], columns=("red", "green")).task == "multilabel"


def test_numbers_with_fractions_are_a_regression_also_in_several_columns():
    targets = decide("auto", [1.0, 2.5], [3.0])
    assert (targets.task, targets.names, targets.notes) == ("regression", ("y",), ())
    assert targets.arrays["test"].dtype == np.float32
    assert targets.arrays["test"].tolist() == [[3.0]]
    two = decide_columns("auto", [[1, 0.5], [2, 0]])
    assert (two.task, two.names) == ("regression", ("red", "green"))
    assert two.arrays["train"].tolist() == [[1, 0.5], [2, 0]]


@pytest.mark.parametrize(
    ("train", "message"),
    [
        (np.arange(21), r"holds 21 different whole numbers from 0 to 20, which can be classes or numbers; set task=cl"),
        (235_323 + 41_000 * np.arange(25), r"holds 25 different whole numbers from 235,323 to 1,219,323, which can be"),
        ([1.0, 3.0], r"2 different whole numbers, stored as floats, from 1 to 3, .*task=classification or task=regres"),
        ([[1, 0], [2, 1]], r"the 2 columns hold whole numbers; set task=regression .* task=multilabel takes columns"),
    ],
)
def test_numbers_that_can_be_several_things_are_refused_with_the_choices(train, message):
    with pytest.raises(DataError, match=message):
        decide("auto", train, columns=())


def test_targets_of_images_are_classes_whatever_they_hold():
    assert len(decide("auto", np.arange(200), images=True).names) == 200
    assert decide("auto", [2.0, 1.0], images=True).names == ("1", "2")
    with pytest.raises(DataError, match=r"fractions \(0.5 to 1\), and classes are whole numbers. Set task=regression"):
        decide("auto", [0.5, 1], images=True)
    with pytest.raises(DataError, match=r"In row 1 .*, 2 values are 1; set task=multilabel if each column is a label"):
        decide("auto", [[1, 0], [1, 1]], images=True)


@pytest.mark.parametrize("value", ["n/a", "unknown"])
def test_one_text_among_numbers_is_not_taken_for_a_class_of_many(value):
    with pytest.raises(
        DataError, match=rf"the target 'y' holds the text '{value}' in row 2 .counted from 0., but most"
    ):
        decide("auto", texts("1.5", "2.5", value, "4.5"))
    assert decide("classification", texts("1.5", "2.5", value, "4.5")).task == "classification"
    with pytest.raises(DataError, match=rf"holds '{value}', a text, in row 2 .counted from 0., beside numbers"):
        decide("auto", texts(1.5, 2.5, value, 4.5))


# -- a task that is asked for -----------------------------------------------------------------------------------------


def test_whole_numbers_are_classes_on_request_however_many_or_stored_as_floats():
    assert decide("classification", np.arange(30)).names == tuple(map(str, range(30)))
    assert decide("classification", [20.0, 3.0, 20.0]).names == ("3", "20")


def test_any_numbers_are_a_regression_on_request():
    targets = decide("regression", np.arange(3))
    assert targets.arrays["train"].tolist() == [[0], [1], [2]]
    assert decide("regression", np.array([True, False])).arrays["train"].tolist() == [[1], [0]]
    assert decide("regression", texts(2**70, 1)).arrays["train"].tolist() == [[2**70], [1]]
    assert decide("regression", np.eye(2), columns=()).names == ("y_0", "y_1")


def test_columns_of_0_and_1_are_several_labels_on_request():
    targets = decide_columns("multilabel", np.eye(3), images=True)
    assert (targets.task, targets.names) == ("multilabel", ("red", "green", "blue"))
    assert targets.arrays["train"].tolist() == np.eye(3).tolist()
    assert decide("multilabel", [0, 1, 1]).arrays["train"].tolist() == [[0], [1], [1]]


@pytest.mark.parametrize(
    ("task", "train", "message"),
    [
        ("classification", [1.0, 2.5], r"holds fractions \(1 to 2.5\), .* Set task=regression to predict numbers"),
        ("classification", [[1, 0], [0, 0]], "2 columns; .* In row 1 .*, no values are 1; set task=multilabel"),
        ("classification", [[1, 0], [0.3, 0.7]], "In row 1 .*, not all values are 0 and 1; set task=regression"),
        ("classification", [["a", "b"], ["c", "d"]], "2 columns; expected one class per example, .* It holds texts"),
        ("regression", ["a", "b"], "holds texts; task=regression takes numbers"),
        ("multilabel", ["a", "b"], "holds texts; task=multilabel takes numbers"),
        ("multilabel", [[0, 1], [1, 2]], "holds 2 in row 1 .counted from 0.; task=multilabel takes columns of 0 and 1"),
    ],
)
def test_targets_of_another_task_than_the_one_asked_for_are_refused(task, train, message):
    with pytest.raises(DataError, match=f"a.csv: the target 'y' .*{message}"):
        decide(task, train, columns=())


@pytest.mark.parametrize("override", ["data=mnist_5k", "data=image_folder"])
def test_data_set_of_one_task_refuses_another(composed, override):
    path = ["data.path=photos", "data.image_size=[6,6]"] if override == "data=image_folder" else []
    with pytest.raises(RequestError, match=r"task is multilabel, but data=.* is for classification; set"):
        composed("model=mlp", override, "task=multilabel", *path)


# -- labels as people have them ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("train", "note"),
    [
        ([1, 2, 3], "y: labels 1..3 are taken as classes"),
        ([0, 1, 3], "y: labels 0, 1, 3 are taken as classes"),
        (2 * np.arange(12), "y: labels 0, 2, 4, 6, 8, 10, 12, 14 and 4 more are taken as classes"),
        (texts("dog", "cat"), "y: 2 texts are taken as classes: cat, dog"),
        ([[0], [1]], "y: the shape (N, 1) is taken as [N]"),
        ([[1], [2]], "y: the shape (N, 1) is taken as [N]; labels 1..2 are taken as classes"),
        (np.eye(3), "y: one-hot rows are taken as 3 classes"),
    ],
)
def test_one_line_says_what_was_done_with_labels(train, note):
    assert decide("auto", train, columns=()).notes == (note,)


@pytest.mark.parametrize("train", [[0, 1, 2], np.array([True, False])])
def test_labels_from_0_need_no_note(train):
    assert decide("auto", train).notes == ()


def test_names_of_classes_are_those_of_positions_and_of_texts():
    names = ("ant", "bee", "cow")
    assert decide("auto", [0, 2, 1], classes=names).arrays["train"].tolist() == [0, 2, 1]
    from_1 = decide("auto", [1, 3, 2], [1], classes=names)
    assert from_1.arrays["train"].tolist() == [0, 2, 1]
    assert from_1.arrays["test"].tolist() == [0]
    assert from_1.notes == ("y: labels 1..3 are taken as the classes ant, bee, cow",)
    assert decide("auto", ["cow", "ant", "bee"], classes=names).arrays["train"].tolist() == [2, 0, 1]
    assert decide("auto", np.eye(3), classes=names).names == names
    assert decide("multilabel", np.eye(3), classes=names).names == names
    assert decide("auto", [0, 2], classes=names).notes == ("y: no training example of the class bee",)
    assert "not used" in decide("regression", [0, 2], classes=names).notes[0]


def test_a_note_says_that_labels_above_0_are_counted_from_0():
    found = decide("auto", [1, 2], classes=("ant", "bee", "cow"))
    assert found.arrays["train"].tolist() == [1, 2]
    assert found.notes == (
        "y: labels 1..2 are taken as positions in the names of the classes, counted from 0, so that 1 is bee; if they "
        "count from 1, subtract 1 from all labels; no training example of the class ant",
    )


@pytest.mark.parametrize(
    ("train", "message"),
    [
        ([0, 3], "holds 3, but there are 3 class names; expected labels from 0 to 2"),
        ([-1, 1], "holds -1, but there are 3 class names"),
        (["ant", "emu"], "holds the class emu, which is not among the names of the classes: ant, bee, cow"),
        ([[1, 0], [0, 1]], "has 2 columns, but there are 3 names of classes; expected one name for each column"),
    ],
)
def test_labels_without_a_name_are_refused(train, message):
    with pytest.raises(DataError, match=f"a.csv: the target 'y' {message}"):
        decide("auto", train, classes=("ant", "bee", "cow"))


# -- bad targets ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("train", "test", "message"),
    [
        (texts("a", "b"), texts("a", "c", "d"), "b.csv: the target 'y' holds the class c, d, which the training part"),
        ([5, 7], [6], "b.csv: the target 'y' holds the class 6, .*; or set task=regression if they are numbers"),
        ([[1, 0, 0], [0, 1, 0]], [[0, 0, 1]], "b.csv: the target 'y' holds the class 2, which the training part"),
    ],
)
def test_class_without_training_examples_is_refused_by_name(train, test, message):
    with pytest.raises(DataError, match=message):
        decide("auto", train, test, columns=())


@pytest.mark.parametrize(
    ("task", "train", "message"),
    [
        ("auto", texts("a", "a"), "all labels are a; expected at least two classes"),
        ("auto", [4, 4], "all labels are 4; expected at least two classes"),
        ("regression", [[2.5, 1], [2.5, 2]], "y_0 is 2.5 in every training example; a constant cannot be learned"),
        ("multilabel", [[1, 0], [1, 0]], "every label is the same in all training examples"),
    ],
)
def test_constant_target_is_refused(task, train, message):
    with pytest.raises(DataError, match=message):
        decide(task, train, columns=())


def test_label_that_applies_to_none_or_all_of_the_training_examples_is_taken_with_a_note():
    notes = decide_columns("auto", [[0, 1, 1], [1, 0, 1], [1, 1, 1]]).notes
    assert notes == ("red, green, blue: the label blue is 1 in every training example",)
    assert "the label red, blue is 0 in every" in decide_columns("multilabel", [[0, 1, 0], [0, 0, 0]]).notes[0]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([0.5, np.nan, 2, np.nan], r"is missing \(NaN\) in 2 of 4 rows, first in row 1 .counted from 0.; every"),
        (texts(0.5, 1, None), r"is missing \(NaN\) in 1 of 3 rows, first in row 2"),
        (texts("a", "b", None), "is missing in 1 of 3 rows, first in row 2"),
        (texts("a", "b", np.nan), "is missing in 1 of 3 rows, first in row 2"),
        (np.array(["a", "", "b"]), "is empty in 1 of 3 rows, first in row 1"),
        ([0.5, 1, -np.inf], "is infinite in 1 of 3 rows, first in row 2"),
        ([[0, 1], [0.5, np.inf]], "is infinite in 1 of 2 rows, first in row 1"),
        (
            np.array(["2020-01-01", "2021-01-01"], "M8[D]"),
            r"has the dtype datetime64\[D\]; targets must be texts, bool",
        ),
        (np.array([b"a", b"b"]), r"has the dtype \|S1; .* Save texts with y.astype\(str\)"),
        (texts(1.5, 2j), "holds '2j', of the type complex, in row 1"),
        (texts(1.5, 10**400), "holds a number of more than 308 digits"),
        (np.array([97, 0x1000062], "<u4").view("<U1"), "holds texts that are not Unicode"),
        (np.zeros((2, 2, 2)), r"has the shape \(2, 2, 2\); expected \[N\] or \[N, columns\]"),
        ([], "is empty; expected at least one example"),
    ],
)
def test_missing_infinite_and_strange_targets_are_refused_in_every_part(values, message):
    with pytest.raises(DataError, match=f"a.csv: the target 'y' {message}"):
        decide("auto", values)
    with pytest.raises(DataError, match=f"b.csv: the target 'y' {message}"):
        decide("auto", [0.5, 1.5, 2.5], values)


def test_parts_of_different_kinds_or_columns_are_refused():
    with pytest.raises(DataError, match=r"b.csv: the target 'y' holds texts, but the training part holds numbers"):
        decide("auto", [1, 2], texts("a", "b"))
    with pytest.raises(DataError, match=r"b.csv: .* has the shape \(2, 2\), but the training part has \(2, 3\)"):
        decide("auto", np.zeros((2, 3)), np.zeros((2, 2)))


@pytest.mark.parametrize("value", [4e38, -1e300])
def test_number_that_float32_cannot_hold_is_refused(value):
    with pytest.raises(DataError, match=r"b.csv: the target 'y' holds .* in row 1 .*; .* at most 3.4e38"):
        decide("regression", [1, 2], [1, value])


def test_numbers_that_float32_cannot_tell_apart_are_refused():
    seconds = 1.7e9 + np.arange(100.0)
    with pytest.raises(DataError, match=r"float32 changes them by up to 64, .* deviation is 28.9. Subtract a constant"):
        decide("regression", seconds)
    assert decide("regression", seconds - 1.7e9).arrays["train"].ravel().tolist() == list(range(100))


def test_messages_name_rows_as_the_reader_numbers_them():
    rows = {"train": np.array([7, 3, 8]), "test": np.array([5])}
    with pytest.raises(DataError, match=r"a.csv: .* In row 3, no values are 1; set task=multilabel"):
        decide("classification", [[1, 0], [0, 0], [0, 1]], [[1, 0]], columns=(), rows=rows)
    with pytest.raises(DataError, match=r"b.csv: .* is missing \(NaN\) in 1 of 1 rows, first in row 5; every example"):
        decide("auto", [0.5, 1, 2], [np.nan], rows=rows)
