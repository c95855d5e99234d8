import numpy as np
import pytest

from fitbench.config import Validation
from fitbench.data.memory import Rows, take
from fitbench.data.split import split
from fitbench.errors import RequestError

LABELS = np.array([0] * 50 + [1] * 30 + [2] * 20)


def test_last_is_what_keras_holds_back():
    kept, held_back = split(np.arange(10) % 2, 0.25, Validation.last, seed=0)
    assert (kept.tolist(), held_back.tolist()) == ([0, 1, 2, 3, 4, 5, 6], [7, 8, 9])


def test_stratified_takes_the_same_share_of_every_class_and_follows_the_seed():
    kept, held_back = split(LABELS, 0.2, Validation.stratified, seed=3)
    assert np.bincount(LABELS[held_back]).tolist() == [10, 6, 4]
    assert sorted([*kept, *held_back]) == list(range(100))
    again = split(LABELS, 0.2, Validation.stratified, seed=3)[1]
    other = split(LABELS, 0.2, Validation.stratified, seed=4)[1]
    assert again.tolist() == held_back.tolist() != other.tolist()


def test_nothing_is_held_back_for_a_split_of_0():
    kept, held_back = split(LABELS, 0.0, Validation.last, seed=0)
    assert (len(kept), len(held_back)) == (100, 0)


@pytest.mark.parametrize(("fraction", "validation"), [(0.2, Validation.last), (0.99, Validation.stratified)])
def test_a_class_without_training_images_is_refused(fraction, validation):
    with pytest.raises(RequestError, match=r"leaves nothing to train on of class .*2"):
        split(LABELS, fraction, validation, seed=0)


def test_a_class_without_validation_images_is_warned_of(caplog):
    split(np.array([1] * 30 + [0] * 60), 0.2, Validation.last, seed=0)
    assert "no validation image is of class 1" in caplog.text


def test_take_gives_views_copies_or_rows():
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
