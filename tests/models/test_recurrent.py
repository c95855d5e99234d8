"""Recurrent models of series, arrays and tokens."""

from zipfile import ZipFile

import keras
import numpy as np
import pytest

from fitbench.config.builders import check_takes
from fitbench.errors import RequestError
from fitbench.kinds import ARRAYS, IMAGES, SERIES, TOKENS
from fitbench.models import recurrent
from fitbench.record.inputs import Inputs

SERIES_OF_10 = Inputs(kind=SERIES, shape=(10, 3), dtype="float32")
TOKENS_OF_10 = Inputs(kind=TOKENS, shape=(10,), dtype="int32", vocabulary=50)


def array(tensor) -> np.ndarray:
    return keras.ops.convert_to_numpy(tensor)


def lstm(inputs: Inputs, **settings) -> keras.Model:
    keras.utils.clear_session()
    keras.utils.set_random_seed(0)
    defaults = {"units": [6], "bidirectional": False, "dropout": 0.0, "embedding": 5, "mask_zero": False}
    return recurrent.lstm(inputs, 2, **{**defaults, **settings})


def examples(inputs: Inputs, number: int = 4) -> np.ndarray:
    random = np.random.default_rng(0)
    if inputs.kind == TOKENS:
        return random.integers(1, inputs.vocabulary, (number, *inputs.shape), dtype=np.int32)
    return random.normal(size=(number, *inputs.shape)).astype(inputs.dtype)


# A layer of u units on c values has four gates, each with c·u + u·u + u parameters.
@pytest.mark.parametrize(
    ("inputs", "settings", "count"),
    [
        (SERIES_OF_10, {"units": [64]}, 4 * (3 * 64 + 64 * 64 + 64) + 64 * 2 + 2),
        (Inputs(kind=SERIES, shape=(150, 1), dtype="float32"), {"units": [64]}, 17_026),
        (SERIES_OF_10, {"units": [6, 4], "dropout": 0.2}, 4 * 6 * (3 + 6 + 1) + 4 * 4 * (6 + 4 + 1) + 10),
        (SERIES_OF_10, {"units": [6], "bidirectional": True}, 2 * 4 * 6 * (3 + 6 + 1) + 12 * 2 + 2),
        (TOKENS_OF_10, {}, 50 * 5 + 4 * 6 * (5 + 6 + 1) + 6 * 2 + 2),
        (TOKENS_OF_10, {"mask_zero": True}, 50 * 5 + 4 * 6 * (5 + 6 + 1) + 6 * 2 + 2),
        (
            TOKENS_OF_10,
            {"units": [6, 4], "bidirectional": True, "mask_zero": True},
            250 + 2 * 4 * 6 * (5 + 6 + 1) + 2 * 4 * 4 * (12 + 4 + 1) + 8 * 2 + 2,
        ),
    ],
)
def test_parameter_counts(inputs, settings, count):
    model = lstm(inputs, **settings)
    assert model.count_params() == count
    assert array(model(examples(inputs))).shape == (4, 2)


@pytest.mark.parametrize("inputs", [SERIES_OF_10, TOKENS_OF_10], ids=["series", "tokens"])
@pytest.mark.parametrize("settings", [{}, {"bidirectional": True, "units": [4, 4], "mask_zero": True}])
def test_saved_model_is_of_keras_alone_and_gives_the_same(tmp_path, inputs, settings):
    model, x = lstm(inputs, **settings), examples(inputs)
    if inputs.kind == TOKENS:
        x[0, :4] = 0
    model.save(tmp_path / "model.keras")
    with ZipFile(tmp_path / "model.keras") as saved:
        assert "fitbench" not in saved.read("config.json").decode()
    assert (array(keras.saving.load_model(tmp_path / "model.keras")(x)) == array(model(x))).all()


def test_with_mask_zero_padding_changes_nothing_wherever_it_stands():
    plain, x = lstm(TOKENS_OF_10), examples(TOKENS_OF_10)[:1]
    masking = lstm(TOKENS_OF_10, mask_zero=True)
    masking.set_weights(plain.get_weights())
    short = Inputs(kind=TOKENS, shape=(6,), dtype="int32", vocabulary=50)
    of_six = lstm(short)
    of_six.set_weights(plain.get_weights())
    wanted = array(of_six(x[:, :6]))
    padded = np.zeros((3, 10), np.int32)
    padded[0, 4:], padded[1, :6], padded[2, [0, 2, 4, 6, 8, 9]] = x[0, :6], x[0, :6], x[0, :6]
    assert array(masking(padded)) == pytest.approx(np.tile(wanted, (3, 1)), abs=1e-6)
    assert array(masking(x)) == pytest.approx(array(plain(x)), abs=1e-6)  # without padding both are the same
    assert np.ptp(array(plain(padded)), axis=0).min() > 1e-4
    assert np.isfinite(array(masking(np.zeros((1, 10), np.int32)))).all()  # nothing but padding


def test_both_directions_see_a_series_from_both_ends():
    model = lstm(SERIES_OF_10, bidirectional=True)
    states = keras.Model(model.input, model.get_layer("logits").input)
    x = examples(SERIES_OF_10)
    changed = x.copy()
    changed[:, 0] += 3  # the first step, which is the last one backwards
    difference = np.abs(array(states(changed)) - array(states(x)))
    assert difference[:, 6:].mean() > 5 * difference[:, :6].mean()


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_outputs_for_tokens_are_float32_under_every_policy(policy):
    keras.config.set_dtype_policy(policy)
    try:
        assert array(lstm(TOKENS_OF_10, mask_zero=True)(examples(TOKENS_OF_10))).dtype == np.float32
    finally:
        keras.config.set_dtype_policy("float32")


def test_arrays_are_series_if_they_have_steps_and_perhaps_channels():
    for shape in ((10,), (10, 3)):
        inputs = Inputs(kind=ARRAYS, shape=shape, dtype="int16")
        assert array(lstm(inputs)(np.ones((2, *shape), np.int16))).shape == (2, 2)
    with pytest.raises(ValueError, match=r"takes arrays of the shape \[steps\] or \[steps, channels\]; these are"):
        lstm(Inputs(kind=ARRAYS, shape=(4, 5, 3), dtype="float32"))


@pytest.mark.parametrize(
    ("model", "kind", "message"),
    [
        (
            "lstm",
            IMAGES,
            "model=lstm takes series, sequences of tokens or arrays, but the examples of mine are images; set "
            "model=lenet5 or model=mlp",
        ),
        (
            "mlp",
            TOKENS,
            "model=mlp takes images, rows of a table, series or arrays, but the examples of mine are sequences of "
            "tokens; set model=lstm or data.inputs=arrays, if the numbers are not tokens",
        ),
        (
            "lenet5",
            TOKENS,
            "model=lenet5 takes images, but the examples of mine are sequences of tokens; set model=lstm",
        ),
    ],
)
def test_examples_of_another_kind_are_refused(configure, model, kind, message):
    settings = configure(f"model={model}", *(["data=ucr", "data.name=mine"] if model == "lstm" else [])).model
    with pytest.raises(RequestError) as caught:
        check_takes(settings, kind, "mine")
    assert str(caught.value) == message
