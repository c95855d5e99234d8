from types import SimpleNamespace

import numpy as np
import pytest

from fitbench.config import Validation
from fitbench.data import split as splits
from fitbench.data.dataset import Dataset
from fitbench.data.loading import load
from fitbench.data.memory import Rows, take
from fitbench.data.split import split, training_rows
from fitbench.errors import DataError, RequestError

LABELS = np.array([0] * 50 + [1] * 30 + [2] * 20)
GROUPS = np.repeat(np.arange(12), [1, 9, 3, 7, 2, 8, 4, 6, 5, 5, 20, 30])


def rows_of(targets: np.ndarray, validation: str = "last", fraction: float = 0.2, **changes: object):
    """The rows that a run trains on and validates on, of a data set with these training targets."""
    names = ("ant", "bee", "cow") if targets.ndim == 1 else ("y",)
    task = "classification" if targets.ndim == 1 else "regression"
    x = np.zeros((len(targets), 2), np.float32)
    data = Dataset("a", x, targets, x[:1], targets[:1], names, "0" * 64, "a.csv", task=task, **changes)
    settings = SimpleNamespace(validation_split=fraction, validation=Validation(validation))
    return training_rows(data, settings, seed=0, fold=None)


def test_validation_last_holds_back_the_same_rows_as_keras():
    kept, held_back = split(np.arange(10) % 2, 0.25, Validation.last, seed=0)
    assert (kept.tolist(), held_back.tolist()) == ([0, 1, 2, 3, 4, 5, 6], [7, 8, 9])


def test_stratified_split_takes_the_same_fraction_of_every_class_and_depends_on_the_seed():
    kept, held_back = split(LABELS, 0.2, Validation.stratified, seed=3)
    assert np.bincount(LABELS[held_back]).tolist() == [10, 6, 4]
    assert sorted([*kept, *held_back]) == list(range(100))
    again = split(LABELS, 0.2, Validation.stratified, seed=3)[1]
    other = split(LABELS, 0.2, Validation.stratified, seed=4)[1]
    assert again.tolist() == held_back.tolist() != other.tolist()


def test_fraction_0_holds_nothing_back():
    kept, held_back = split(LABELS, 0.0, Validation.last, seed=0)
    assert (len(kept), len(held_back)) == (100, 0)


@pytest.mark.parametrize(("fraction", "validation"), [(0.2, Validation.last), (0.99, Validation.random)])
def test_class_without_training_examples_is_refused(fraction, validation):
    with pytest.raises(RequestError, match=r"leaves no training example.*or training.validation=stratified"):
        split(LABELS, fraction, validation, seed=0)


@pytest.mark.parametrize("fraction", [0.02, 0.2, 0.99])
def test_stratified_split_leaves_one_example_of_every_class_for_training(fraction):
    labels = np.array([0] * 10 + [1] * 3 + [2])
    kept, held_back = split(labels, fraction, Validation.stratified, seed=0)
    assert np.bincount(labels[kept], minlength=3).min() == 1
    assert sorted([*kept, *held_back]) == list(range(14))
    assert 13 in kept
    with pytest.raises(RequestError, match=r"holds nothing back, as each class has one example.*validation=random"):
        split(np.arange(5), fraction, Validation.stratified, seed=0)


def test_random_split_draws_the_same_rows_as_ever():
    assert split(np.zeros(10, int), 0.3, Validation.random, seed=5)[1].tolist() == [1, 6, 7]


def test_class_without_validation_examples_gives_a_warning(caplog):
    rows_of(np.array([1] * 30 + [0] * 60))
    assert caplog.text.count("the validation part has no example of class bee") == 1


def test_messages_name_the_classes_as_the_data_set_does(caplog):
    with pytest.raises(RequestError, match="leaves no training example of class cow; use a smaller fraction, or train"):
        rows_of(LABELS)
    rows_of(LABELS[::-1], fraction=0.3)
    assert "the validation part has no example of class bee, cow" in caplog.text


def test_random_validation_depends_on_the_seed_and_spreads_over_a_sorted_file():
    kept, held_back = split(LABELS, 0.2, Validation.random, seed=3)
    assert len(held_back) == 20
    assert sorted([*kept, *held_back]) == list(range(100))
    assert (np.bincount(LABELS[held_back]) > 0).all()
    again, other = (split(LABELS, 0.2, Validation.random, seed=seed)[1] for seed in (3, 4))
    assert again.tolist() == held_back.tolist() != other.tolist()


@pytest.mark.parametrize("validation", list(Validation))
@pytest.mark.parametrize("fraction", [0.05, 0.2, 0.5, 0.95])
def test_groups_are_held_back_together_in_every_mode(validation, fraction):
    order = np.random.default_rng(0).permutation(100)
    for groups in (GROUPS, GROUPS[order]):
        kept, held_back = split(np.zeros(100, int), fraction, validation, seed=1, groups=groups)
        assert sorted([*kept, *held_back]) == list(range(100))
        assert not set(groups[kept]) & set(groups[held_back])
        assert 0 < len(held_back) < 100


def test_last_validation_takes_the_groups_that_begin_last():
    groups = np.array([7, 7, 3, 3, 5, 5, 1, 1, 5, 7])
    assert split(np.zeros(10), 0.2, Validation.last, seed=0, groups=groups)[1].tolist() == [6, 7]
    assert split(np.zeros(10), 0.5, Validation.last, seed=0, groups=groups)[1].tolist() == [4, 5, 6, 7, 8]


def test_rows_of_one_group_cannot_be_divided():
    with pytest.raises(RequestError, match=r"of one group, .* set training.validation_split=0"):
        rows_of(np.ones((5, 1)), groups=np.full(5, 3))
    with pytest.raises(DataError, match=r"a.csv: all rows are of one group; .* need at least two groups"):
        splits.test_rows(None, np.array(["x", "x"]), 2, 0.5, 0, "a.csv")


def test_numbers_need_no_classes_and_a_sorted_file_gives_a_warning(caplog):
    numbers = np.arange(10, dtype=np.float32)[:, np.newaxis]
    assert rows_of(numbers)[1].tolist() == [8, 9]
    assert "lie above or below those of the training part" in caplog.text
    caplog.clear()
    rows_of(numbers, "random")
    rows_of(numbers[[3, 9, 0, 8, 1, 7, 2, 6, 4, 5]])
    assert not caplog.text
    with pytest.raises(
        RequestError, match=r"validation_split=0.5 with .*=last leaves no training example; use a small"
    ):
        rows_of(numbers[:1], fraction=0.5)


def test_stratified_validation_is_for_classes(composed):
    with pytest.raises(
        RequestError, match=r"is stratified, which needs classes, but the task is regression; .*=random"
    ):
        composed("model=mlp", "data=boston_housing", "training.validation=stratified")


def test_part_whose_examples_all_have_the_weight_0_is_refused():
    weights = np.array([1, 1, 1, 1, 0], np.float32)
    for given, part in ((weights, "validation"), (1 - weights, "training")):
        with pytest.raises(RequestError, match=f"all examples of the {part} part have the weight 0"):
            rows_of(np.ones((5, 1)), w_train=given)


@pytest.mark.parametrize("part", ["test_fraction=0.2", "test_path"])
@pytest.mark.parametrize("target", ["price", "kind"])
def test_table_that_is_sorted_by_its_target_has_a_validation_part_like_the_rest(composed, tmp_path, target, part):
    rows = "".join(f"{i % 7},{i + 0.5},{'abc'[i // 34]}\n" for i in range(100))
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text(f"x,price,kind\n{rows}")
    part = f"test_path={tmp_path}/b.csv" if part == "test_path" else part
    config = composed("model=mlp", "data=csv", f"data.path={tmp_path}/a.csv", f"data.target={target}", f"data.{part}")
    data = load(config.data, config.task)
    kept, held_back = training_rows(data, config.training, seed=0, fold=None)
    spread = np.quantile(data.y_train[held_back], [0.1, 0.9]) - np.quantile(data.y_train[kept], [0.1, 0.9])
    assert np.abs(spread).max() < (1 if target == "kind" else 15)


# -- the test part of a table -----------------------------------------------------------------------------------------


def test_every_class_has_its_fraction_in_the_test_part_and_the_training_rows_are_shuffled():
    names = np.array(["ant", "bee", "cow"], object)[LABELS]
    train, test = splits.test_rows(names, None, 100, 0.2, 3, "a.csv")
    assert np.bincount(LABELS[test]).tolist() == [10, 6, 4]
    assert sorted([*train, *test]) == list(range(100))
    assert (np.diff(test) > 0).all()
    assert (np.bincount(LABELS[train[-16:]], minlength=3) > 0).all()  # what validation=last would hold back
    same, other = (splits.test_rows(LABELS, None, 100, 0.2, seed, "a.csv") for seed in (3, 4))
    assert [rows.tolist() for rows in same] == [train.tolist(), test.tolist()]
    assert other[1].tolist() != test.tolist()


@pytest.mark.parametrize("fraction", [0.001, 0.999])
def test_both_parts_have_a_row_of_each_class_whatever_the_fraction(fraction):
    train, test = splits.test_rows(LABELS, None, 100, fraction, 0, "a.csv")
    assert set(LABELS[train]) == set(LABELS[test]) == {0, 1, 2}
    train, test = splits.test_rows(None, None, 2, fraction, 0, "a.csv")
    assert len(train) == len(test) == 1


def test_rows_without_classes_are_drawn_at_random():
    train, test = splits.test_rows(None, None, 100, 0.2, 0, "a.csv")
    assert len(test) == 20
    assert sorted([*train, *test]) == list(range(100))
    assert test.min() < 20
    assert test.max() >= 80
    assert (np.diff(train) < 0).any()
    assert sorted(splits.shuffled_rows(10, 0)) == list(range(10)) != splits.shuffled_rows(10, 0).tolist()


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("fraction", [0.01, 0.2, 0.5, 0.99])
def test_groups_go_to_one_part_and_the_test_part_is_near_its_fraction(seed, fraction):
    texts = np.array([f"house {group}" for group in GROUPS], object)
    train, test = splits.test_rows(None, texts, 100, fraction, seed, "a.csv")
    assert sorted([*train, *test]) == list(range(100))
    assert not set(GROUPS[train]) & set(GROUPS[test])
    assert 0 < len(test) < 100
    assert abs(len(test) - 100 * fraction) <= 30 / 2 + 30 * (fraction > 0.9)


def test_a_large_group_is_not_drawn_for_a_small_test_part():
    groups = np.array([0] * 90 + [1] * 10)
    for seed in range(5):
        assert len(splits.test_rows(None, groups, 100, 0.2, seed, "a.csv")[1]) == 10


def test_too_few_rows_for_two_parts_are_refused():
    names = np.array(["ant", "ant", "bee", "bee", "cow"])
    with pytest.raises(DataError, match=r"a.csv: the class cow has one example; .* a file of its own"):
        splits.test_rows(names, None, 5, 0.2, 0, "a.csv")
    with pytest.raises(DataError, match=r"a.csv: has 1 rows; a training and a test part need at least two"):
        splits.test_rows(None, None, 1, 0.2, 0, "a.csv")


# -- rows of arrays ---------------------------------------------------------------------------------------------------


def test_take_returns_a_view_a_copy_or_rows():
    images = np.arange(24, dtype=np.uint8).reshape(6, 2, 2, 1)
    assert np.shares_memory(take(images, np.arange(2, 5)), images)
    assert take(images, np.array([0, 5])).tolist() == images[[0, 5]].tolist()

    class Lazy:
        shape = images.shape

        def __getitem__(self, index):
            return images[index]

    rows = take(Lazy(), np.array([1, 3, 5]))
    assert isinstance(rows, Rows)
    assert rows.shape == (3, 2, 2, 1)
    assert rows[np.array([2, 0])].tolist() == images[[5, 1]].tolist()
    assert rows[1:].tolist() == images[[3, 5]].tolist()
