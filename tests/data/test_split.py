import numpy as np
import pytest

from fitbench.config import Validation
from fitbench.data.memory import Rows, take
from fitbench.data.split import split
from fitbench.errors import RequestError

LABELS = np.array([0] * 50 + [1] * 30 + [2] * 20)


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


@pytest.mark.parametrize(("fraction", "validation"), [(0.2, Validation.last), (0.99, Validation.stratified)])
def test_class_without_training_examples_is_refused(fraction, validation):
    with pytest.raises(RequestError, match="leaves no training example"):
        split(LABELS, fraction, validation, seed=0)


def test_class_without_validation_examples_gives_a_warning(caplog):
    split(np.array([1] * 30 + [0] * 60), 0.2, Validation.last, seed=0)
    assert "the validation part has no example of class 1" in caplog.text


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
