"""Series less their mean over their deviation: what the model is trained on, and what the saved model begins with."""

from dataclasses import replace
from zipfile import ZipFile

import keras
import numpy as np
import pytest

from fitbench.data.dataset import Dataset
from fitbench.kinds import ARRAYS, SERIES
from fitbench.models.standardization import of_series
from fitbench.record.inputs import Inputs
from fitbench.training.building import build
from fitbench.training.networks import from_raw
from fitbench.training.objective import Objective
from fitbench.training.preparation import PreparedWhenRead, prepare_training_examples

SETTINGS = ("data=ucr", "data.name=made", "model=mlp_time")


def array(tensor) -> np.ndarray:
    return keras.ops.convert_to_numpy(tensor)


def standardized(x: np.ndarray, axis) -> np.ndarray:
    """The same in float64."""
    x = x.astype(np.float64)
    deviation = x.std(axis=axis, keepdims=True)
    return (x - x.mean(axis=axis, keepdims=True)) / np.where(deviation > 0, deviation, 1)


def drawn(shape, dtype="float32") -> np.ndarray:
    """Series of two channels, of which the second is far from 0."""
    return np.random.default_rng(0).normal([3, -200], [0.5, 90], (*shape, 2)).astype(dtype)


def dataset(x: np.ndarray, kind=SERIES, sha256="") -> Dataset:
    """The test part is far from the training part."""
    labels = (np.arange(len(x)) % 2).astype(np.int32)
    return Dataset("made", x, labels, x + x.dtype.type(1000), labels, ("a", "b"), sha256 or str(x.sum()), "", kind=kind)


@pytest.mark.parametrize(
    ("x", "axis"),
    [
        (drawn((4, 50)), 1),
        (drawn((4, 50), "int64"), 1),
        (drawn((4, 25))[..., 1], 1),  # [steps]
        (drawn((4, 5, 6)), (1, 2)),
        (np.ones((2, 9, 1), np.float32) * np.float32(1e6 / 3), 1),  # constant
        (np.zeros((2, 9, 1), np.float32), 1),
        (1e6 + drawn((3, 200)) * np.float32([2, 0.01]), 1),  # cancellation
        (drawn((3, 20)) * np.float32(1e-12), 1),
        (drawn((3, 20)) * np.float32(1e-30), 1),  # squares that float32 cannot hold
        (drawn((3, 20)) * np.float32(1e30), 1),
    ],
    ids=["series", "integers", "steps", "4-D", "constant", "zeros", "far", "small", "tiny", "huge"],
)
def test_each_channel_of_each_series_has_mean_0_and_deviation_1(x, axis):
    model = of_series(Inputs(kind=ARRAYS, shape=x.shape[1:], dtype=str(x.dtype)))
    found = array(model(x))
    assert found.dtype == np.float32
    assert found == pytest.approx(standardized(x, axis), abs=1e-5)


@pytest.mark.parametrize(
    "x",
    [drawn((6, 30)), drawn((6, 30), "int32"), drawn((60,)), 1e6 + drawn((6, 30)) * np.float32([2, 0.01])],
    ids=["series", "integers", "columns", "far"],
)
def test_channels_have_the_mean_and_deviation_of_the_training_part(configure, x):
    config = configure(*SETTINGS, "data.standardize=channel")
    found = prepare_training_examples(dataset(x), config.data)[0].x_train
    assert found.dtype == np.float32
    assert found == pytest.approx(standardized(x, tuple(range(x.ndim - 1))), abs=1e-5)


def test_own_validation_part_is_no_part_of_the_statistics(configure):
    x = drawn((6, 30))
    x[4:] += 500
    config = configure(*SETTINGS, "data.standardize=channel")
    found = prepare_training_examples(replace(dataset(x), validation=2), config.data)[0].x_train
    assert found[:4] == pytest.approx(standardized(x[:4], (0, 1)), abs=1e-5)
    assert found[4:].mean() > 1


def test_prepared_copy_that_does_not_fit_into_memory_is_made_when_it_is_read(configure, monkeypatch):
    x = drawn((6, 30), "int16")
    config = configure(*SETTINGS, "data.standardize=channel")
    monkeypatch.setattr(
        "fitbench.training.preparation.memory_limit", lambda: int(1.5 * x.nbytes)
    )  # the copy is of float32
    found = prepare_training_examples(dataset(x, sha256="does not fit"), config.data)[0].x_train
    assert isinstance(found, PreparedWhenRead)
    assert found[np.arange(6)] == pytest.approx(standardized(x, (0, 1)), abs=1e-5)


def test_constant_channel_of_the_training_part_is_only_shifted(configure):
    x = drawn((6, 30))
    x[..., 0] = 1e6 / 3
    data = dataset(x)
    _, model = prepare_training_examples(data, configure(*SETTINGS, "data.standardize=channel").data)
    assert array(model(x))[..., 0] == pytest.approx(0, abs=0.02)
    assert array(model(data.x_test))[..., 0] == pytest.approx(1000, abs=0.1)


@pytest.mark.parametrize("policy", ["float32", "mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize("how", ["series", "channel"])
@pytest.mark.parametrize("dtype", ["float32", "int32"])
def test_saved_model_gives_for_raw_series_what_the_trained_one_gives_for_prepared_ones(
    configure, tmp_path, how, policy, dtype
):
    data = dataset(drawn((6, 30), dtype), sha256=f"{how} {policy} {dtype}")
    config = configure(*SETTINGS, f"data.standardize={how}", "model.hidden=[4]", "model.dropout=[0,0]")
    keras.config.set_dtype_policy(policy)
    try:
        ready, preparation = prepare_training_examples(data, config.data)
        trained = build(config, ready, Objective.of(config, data))
        saved = from_raw(trained, preparation)
    finally:
        keras.config.set_dtype_policy("float32")
    assert ready.x_train.dtype == np.float32
    assert saved.inputs[0].dtype == dtype
    wanted = array(trained(ready.x_train))
    assert wanted.dtype == np.float32
    assert np.ptp(wanted) > 0.1
    saved.save(tmp_path / "model.keras")
    with ZipFile(tmp_path / "model.keras") as file:
        assert "fitbench" not in file.read("config.json").decode()
    assert array(keras.saving.load_model(tmp_path / "model.keras")(data.x_train)) == pytest.approx(wanted, abs=1e-6)
