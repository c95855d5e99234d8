import json
import subprocess
import sys

import keras
import numpy as np
import pytest
from scipy.ndimage import affine_transform

from fitbench.config import config_id
from fitbench.data.loading import load
from fitbench.data.memory import Rows
from fitbench.models.deskew import deskewed
from fitbench.record.history import read_history
from fitbench.training import preparation
from fitbench.training.networks import from_raw
from fitbench.training.preparation import PreparedWhenRead, prepare_training_examples

RUN = ("data=digits", "data.preprocess=deskew", "training.epochs=2")


def array(tensor) -> np.ndarray:
    return keras.ops.convert_to_numpy(tensor)


def slope(image: np.ndarray) -> float:
    """Columns per row by which the ink [height, width] leans, computed pixel by pixel."""
    total = m_x = m_y = 0.0
    for (row, column), ink in np.ndenumerate(image.astype(float)):
        total, m_x, m_y = total + ink, m_x + ink * column, m_y + ink * row
    m_x, m_y = m_x / total, m_y / total
    m11 = m02 = 0.0
    for (row, column), ink in np.ndenumerate(image.astype(float)):
        m11, m02 = m11 + ink * (column - m_x) * (row - m_y), m02 + ink * (row - m_y) ** 2
    return m11 / m02


@pytest.fixture(scope="module")
def upright() -> np.ndarray:
    """A letter T with a foot, the same on the left and on the right, float64 [41, 41]."""
    image = np.zeros((41, 41))
    image[8:12, 12:29] = image[8:32, 18:23] = image[30:33, 15:26] = 255
    return image


@pytest.mark.parametrize("lean", [-0.4, -0.15, 0.0, 0.25, 0.5])
def test_sheared_letter_comes_back_upright(upright, lean):
    back = np.array([[1, 0], [-lean, 1]])  # rows and columns of the old image, from those of the new one
    middle = np.array([np.average(np.arange(41), weights=upright.sum(axis=1)), 20])  # which deskewing keeps
    sheared = np.rint(affine_transform(upright, back, middle - back @ middle, order=1)).astype(np.uint8)
    assert slope(sheared) == pytest.approx(lean, abs=0.02)
    found = array(deskewed(sheared[None, ..., None]))[0, ..., 0]
    assert found.dtype == np.uint8
    assert slope(found) == pytest.approx(0, abs=0.01)
    assert np.abs(found - upright).mean() <= 0.4 * np.abs(sheared - upright).mean()  # but for interpolating twice


def test_principal_axis_of_digits_is_vertical_after_deskewing(configure):
    images = load(configure("data=mnist_5k").data).x_train[::200]
    found = array(deskewed(images))
    before, after = (np.abs([slope(image[..., 0]) for image in some]) for some in (images, found))
    assert np.median(before) > 0.1
    assert after.max() < 0.03
    assert found.sum(dtype=float) == pytest.approx(images.sum(dtype=float), rel=0.01)


@pytest.mark.parametrize("where", [np.s_[:0], np.s_[3], np.s_[:, 3], np.s_[2, 5]], ids=["none", "row", "column", "dot"])
def test_what_has_no_slope_stays(where):
    image = np.zeros((7, 9), np.uint8)
    image[where] = 200
    assert (array(deskewed(image[None, ..., None]))[0, ..., 0] == image).all()


def test_channels_are_moved_together():
    random = np.random.default_rng(0)
    colour = random.integers(0, 256, (3, 12, 10, 3), dtype=np.uint8)
    grey = np.repeat(colour[..., :1], 3, axis=-1)
    found = array(deskewed(grey))
    assert (found[..., 0] == found[..., 2]).all()
    assert (found[..., :1] == array(deskewed(grey[..., :1]))).all()
    assert array(deskewed(colour)).shape == colour.shape


# -- data and models --------------------------------------------------------------------------------------------------


def test_nothing_is_done_where_nothing_is_asked_for(configure):
    settings = configure("data=digits").data
    data = load(settings)
    assert prepare_training_examples(data, settings) == (data, None)
    model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten()])
    assert from_raw(model, None) is model


def test_training_images_are_deskewed_once_and_test_images_stay_raw(configure):
    settings = configure("data=digits", "data.preprocess=deskew").data
    data = load(settings)
    preparation._kept.clear()
    ready, _ = prepare_training_examples(data, settings)
    assert (ready.x_train == array(deskewed(data.x_train))).mean() > 0.9999  # but for a rounding
    assert ready.x_test is data.x_test
    assert ready.sha256 == data.sha256
    assert prepare_training_examples(data, settings)[0].x_train is ready.x_train
    assert not ready.x_train.flags.writeable


def test_images_that_are_streamed_are_deskewed_when_they_are_read(configure):
    settings = configure("data=digits", "data.preprocess=deskew").data
    data = load(settings)
    prepared, model = prepare_training_examples(data, settings)
    streamed = PreparedWhenRead(Rows(data.x_train, np.arange(50)), model)
    assert (streamed.shape, streamed.dtype) == ((50, 8, 8, 1), np.uint8)
    whole = prepared.x_train
    for rows in (np.array([3, 1, 49]), slice(10, 20)):
        assert (streamed[rows] == whole[:50][rows]).all()


@pytest.mark.long
def test_saved_model_takes_raw_pixels_and_plain_keras_loads_it(trained, configure):
    folder, result = trained(*RUN, "model=mlp")
    data = load(configure("data=digits").data)
    assert result["data"]["sha256"] == data.sha256
    np.save(folder / "raw.npy", data.x_test)
    code = (
        "import sys, json, keras, numpy\n"
        "model = keras.saving.load_model('model.keras')\n"
        "logits = model.predict(numpy.load('raw.npy'), verbose=0)\n"
        "assert not any(name.startswith('fitbench') for name in sys.modules)\n"
        "print(json.dumps(logits.tolist()))"
    )
    shown = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True).stdout
    logits = np.array(json.loads(shown.splitlines()[-1]))
    assert np.mean(logits.argmax(axis=1) == data.y_test) == result["metrics"]["test_accuracy"]
    inner = keras.saving.load_model(folder / "model.keras").layers[-1]
    again = array(inner(array(deskewed(data.x_test))))
    assert np.abs(again - logits).max() < 0.05


def test_deskewed_run_is_another_run_and_the_plain_one_keeps_its_identity(configure):
    plain, sheared = configure("data=digits"), configure("data=digits", "data.preprocess=deskew")
    assert config_id(plain) != config_id(sheared)


def test_run_is_the_same_bit_for_bit_whether_or_not_the_images_were_prepared_before(trained):
    preparation._kept.clear()
    first, _ = trained(*RUN, "model=mlp", "seed=4")
    trained(*RUN, "model=mlp", "seed=5")
    again, _ = trained(*RUN, "model=mlp", "seed=4")
    one, other = (np.load(folder / "predictions.npz")["probabilities"] for folder in (first, again))
    assert (one == other).all()
    assert [{**epoch, "seconds": 0} for epoch in read_history(first)] == [
        {**epoch, "seconds": 0} for epoch in read_history(again)
    ]


def test_solved_models_see_deskewed_images(trained):
    plain, _ = trained("data=digits", "model=nearest_mean")
    sheared, result = trained("data=digits", "data.preprocess=deskew", "model=nearest_mean")
    kernels = [keras.saving.load_model(folder / "model.keras").get_weights()[0] for folder in (plain, sheared)]
    assert not np.allclose(*kernels)
    assert result["metrics"]["test_accuracy"] > 0.8
