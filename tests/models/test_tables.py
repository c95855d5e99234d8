"""Models on the rows of a table: what their first layers make of numbers, gaps and categories."""

import json
import sys
from zipfile import ZipFile

import keras
import numpy as np
import pytest

from fitbench.data.dataset import Dataset
from fitbench.errors import RequestError
from fitbench.kinds import IMAGES, TABLE
from fitbench.metrics import CLASSIFICATION, MULTILABEL, REGRESSION
from fitbench.models import dense
from fitbench.models.blocks import features
from fitbench.models.tables import encoded
from fitbench.record.dataset import Column
from fitbench.record.inputs import Inputs
from fitbench.training import building
from fitbench.training.objective import Objective

COLUMNS = (
    Column(name="size", kind="number", mean=2.0, deviation=3.0, missing=True),
    Column(name="colour", kind="category", vocabulary=["red", "green", "blue"]),
    Column(name="year", kind="number", mean=2000.25, deviation=0.5),
    Column(name="shape", kind="category", vocabulary=["round", "square"]),
)
ROWS = np.array([[1, 2, 2001, 1], [np.nan, 0, 1999.5, 2], [4, 3, 2000, 0], [5, 4, 2002, 3]], np.float32)
# year; size; whether size is missing; red, green, blue; round, square
NUMBERS = [[1.5, -1 / 3, 0], [-1.5, 0, 1], [-0.5, 2 / 3, 0], [3.5, 1, 0]]
ONE_HOT = [[0, 1, 0, 1, 0], [0, 0, 0, 0, 1], [0, 0, 1, 0, 0], [0, 0, 0, 0, 0]]


def array(tensor) -> np.ndarray:
    return keras.ops.convert_to_numpy(tensor)


def parameters(model: keras.Model) -> int:
    return sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)


def rows_of(columns) -> Inputs:
    return Inputs(kind=TABLE, shape=(len(columns),), dtype="float32", columns=columns)


def feature_model(columns=COLUMNS, embedding=None) -> keras.Model:
    keras.utils.clear_session()
    return keras.Model(*features(rows_of(columns), embedding=embedding))


def numbers(*statistics) -> tuple[Column, ...]:
    return tuple(Column(name="x", kind="number", mean=mean, deviation=deviation) for mean, deviation in statistics)


def table(columns=COLUMNS, rows=ROWS, task=REGRESSION, outputs=1) -> Dataset:
    targets = {
        CLASSIFICATION: (np.arange(len(rows)) % outputs).astype(np.int32),
        MULTILABEL: np.tile(np.arange(len(rows))[:, None] % 2, outputs).astype(np.int8),
        REGRESSION: np.ones((len(rows), outputs), np.float32),
    }[task]
    names = tuple("abcdefghij"[:outputs])
    return Dataset("made", rows, targets, rows, targets, names, "", "", task=task, kind=TABLE, columns=columns)


@pytest.fixture
def build(configure):
    """Builds the model of a configuration for a table."""

    def built(*overrides: str, data: Dataset, section: dict | None = None) -> keras.Model:
        keras.utils.clear_session()
        config = configure("data=csv", "data.path=made.csv", "data.target=y", "model=mlp", *overrides)
        config.model = section or config.model
        return building.build(config, data, Objective.of(config, data))

    return built


# -- features ---------------------------------------------------------------------------------------------------------


def test_columns_become_standardised_numbers_indicators_and_one_hot_categories():
    found = array(feature_model()(ROWS))
    assert found.dtype == np.float32
    assert found == pytest.approx(np.hstack([NUMBERS, ONE_HOT]), abs=1e-6)


def test_unseen_category_is_zeros_and_so_is_a_code_that_there_is_not():
    rows = ROWS[[0, 0, 0, 0]].copy()
    rows[:, 1] = [0, 4, -1, 1e9]
    assert (array(feature_model()(rows))[:, 3:6] == 0).all()
    assert (array(feature_model(embedding=2)(rows))[:, 3:5] == 0).all()


def test_category_becomes_its_vector_of_the_embedding():
    model = feature_model(embedding=4)
    found, vectors = array(model(ROWS)), model.get_layer("embedding").get_weights()[0]
    assert vectors.shape == (3 + 2, 4)
    assert found[:, :3] == pytest.approx(np.array(NUMBERS), abs=1e-6)
    nothing = np.zeros(4)
    colours, shapes = [vectors[1], nothing, vectors[2], nothing], [vectors[3], vectors[4], nothing, nothing]
    assert (found[:, 3:] == np.hstack([colours, shapes])).all()


def test_missing_number_where_none_may_be_missing_stays_nan():
    rows = ROWS.copy()
    rows[0, 2] = np.nan
    assert np.isnan(array(feature_model()(rows))).sum(axis=1).tolist() == [1, 0, 0, 0]


@pytest.mark.parametrize(
    ("mean", "deviation", "values", "wanted"),
    [
        (5.0, 0.0, [5, 6, 3], [0, 1, -2]),  # constant in the training part: shifted
        (0.1, 1e-17, [0.1, 1.1], [0, 1]),  # constant but for the rounding of its deviation
        (0.0, 0.0, [0, 2], [0, 2]),
        (3e-9, 1e-9, [1e-9, 4e-9], [-2, 1]),  # metres of things that are nanometres
        (-2e30, 1e30, [-1e30, -4e30], [1, -2]),
        (2015.5, 0.25, [2015.25, 2016], [-1, 2]),  # exact: the mean is subtracted before anything is rounded
        (1e9, 1024.0, [1e9 + 1024, 1e9 - 512], [1, -0.5]),
        (1e9, 1.0, [1e9, 1e9 + 1, 1e9 + 40], [0, 0, 64 / (1e9 * 2**-23)]),  # the numbers of float32 are 64 apart
    ],
)
def test_numbers_of_any_size_are_standardised(mean, deviation, values, wanted):
    found = array(feature_model(numbers((mean, deviation)))(np.array(values, np.float32)[:, None]))
    assert found[:, 0] == pytest.approx(wanted, abs=1e-6)


def test_standardised_columns_have_mean_0_and_deviation_1():
    rows = np.random.default_rng(0).normal([-3, 40, 0], [0.01, 9, 1], (500, 3)).astype(np.float32)
    columns = numbers(*zip(rows.mean(axis=0, dtype=float), rows.std(axis=0, dtype=float), strict=True))
    found = array(feature_model(columns)(rows)).astype(float)
    assert found.mean(axis=0) == pytest.approx(0, abs=1e-4)
    assert found.std(axis=0) == pytest.approx(1, abs=1e-4)


def test_number_without_statistics_is_refused():
    with pytest.raises(ValueError, match="the column x of numbers has no mean or no deviation"):
        encoded(keras.Input((1,)), numbers((None, None)))


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize("embedding", [None, 2])
def test_features_are_float32_under_every_policy(policy, embedding):
    wanted = array(feature_model()(ROWS))
    keras.config.set_dtype_policy(policy)
    try:
        found = feature_model(embedding=embedding)(ROWS)
    finally:
        keras.config.set_dtype_policy("float32")
    assert keras.backend.standardize_dtype(found.dtype) == "float32"
    assert (array(found)[:, :3] == wanted[:, :3]).all()


def test_many_columns_are_as_few_operations_as_one_of_each_kind():
    few, many = feature_model(), feature_model(COLUMNS * 100)
    assert len(many.operations) == len(few.operations) < 16
    assert array(many(np.tile(ROWS, 100)))[:, 300:] == pytest.approx(np.tile(array(few(ROWS))[:, 3:], 100))


@pytest.mark.parametrize("embedding", [None, 3])
def test_compiled_by_xla_the_values_are_the_same(embedding):
    import tensorflow as tf

    model = feature_model(embedding=embedding)
    assert array(tf.function(model, jit_compile=True)(ROWS)) == pytest.approx(array(model(ROWS)), abs=1e-6)


@pytest.mark.parametrize("embedding", [None, 3])
def test_saved_model_is_of_keras_alone_and_gives_the_same(tmp_path, embedding):
    model = dense.mlp(rows_of(COLUMNS), 2, [0, 1], [8], "relu", 0.0, None, embedding=embedding)
    model.save(tmp_path / "model.keras")
    with ZipFile(tmp_path / "model.keras") as saved:
        assert "fitbench" not in saved.read("config.json").decode()
        json.loads(saved.read("config.json"), parse_constant=pytest.fail)
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert (array(loaded(ROWS)) == array(model(ROWS))).all()


# -- models -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("overrides", "columns", "task", "outputs", "count"),
    [
        (("model=linear",), numbers(*[(0.0, 1.0)] * 13), REGRESSION, 1, 14),
        (("model=linear",), COLUMNS, CLASSIFICATION, 3, 8 * 3 + 3),
        (("model=linear",), COLUMNS, MULTILABEL, 2, 8 * 2 + 2),
        (("model=logistic_ovr",), COLUMNS, CLASSIFICATION, 3, 8 * 3 + 3),
        (("model=mlp",), numbers(*[(0.0, 1.0)] * 13), REGRESSION, 1, 5_121),
        (("model=mlp",), COLUMNS, REGRESSION, 2, 8 * 64 + 64 + 4160 + 64 * 2 + 2),
        (("model=mlp", "model.embedding=4"), COLUMNS, REGRESSION, 1, 5 * 4 + (3 + 8) * 64 + 64 + 4160 + 65),
    ],
)
def test_parameter_counts(build, overrides, columns, task, outputs, count):
    rows = np.ones((12, len(columns)), np.float32)
    model = build(*overrides, data=table(columns, rows, task, outputs))
    assert parameters(model) == count
    assert array(model(rows)).shape == (12, outputs)


def test_linear_has_the_least_squares_at_the_minimum_of_its_loss(build):
    """Full batches of gradient descent end at the weights that `numpy.linalg.lstsq` computes."""
    random = np.random.default_rng(1)
    rows = random.normal([5, -200, 0.1], [2, 30, 0.01], (60, 3)).astype(np.float32)
    targets = (rows @ [[2, 1], [0.1, 0], [30, -9]] + random.normal(0, 1, (60, 2))).astype(np.float32)
    mean, deviation = rows.mean(axis=0, dtype=float), rows.std(axis=0, dtype=float)
    columns = numbers(*zip(mean, deviation, strict=True))
    model = build("model=linear", data=table(columns, rows, outputs=2))
    model.compile(keras.optimizers.SGD(0.3), loss="mse")
    again = (np.tile(rows, (60, 1)), np.tile(targets, (60, 1)))  # one epoch of 60 steps starts faster than 60 epochs
    model.fit(*again, batch_size=60, shuffle=False, verbose=0)
    standardised = np.column_stack([(rows - mean) / deviation, np.ones(60)])
    solved = np.linalg.lstsq(standardised, targets, rcond=None)[0]
    kernel, bias = model.get_layer("logits").get_weights()
    assert np.vstack([kernel, bias]) == pytest.approx(solved, abs=1e-4)


def test_model_on_images_is_linear_too(configure):
    images = np.random.default_rng(0).integers(0, 256, (6, 4, 5, 3), dtype=np.uint8)
    model = dense.linear(Inputs(kind=IMAGES, shape=(4, 5, 3), dtype="uint8"), 2, [0, 1])
    kernel, bias = model.get_layer("logits").get_weights()
    assert array(model(images)) == pytest.approx(images.reshape(6, -1) / 255 @ kernel + bias, abs=1e-5)


def test_logistic_regression_sees_the_standardised_columns(build):
    data = table(task=CLASSIFICATION, outputs=2)
    model = build("model=logistic_ovr", data=data)
    before = keras.Model(model.input, model.get_layer("logits").input)
    assert array(before(ROWS)) == pytest.approx(np.hstack([NUMBERS, ONE_HOT]), abs=1e-6)


# -- what does not go together ----------------------------------------------------------------------------------------


IMAGES_ONLY = ["lenet5", "lenet5_max", "lenet1", "lenet4", "lenet5_1998", "simard", "convnet", "conv_pool", "softmax"]


@pytest.mark.parametrize("model", [*IMAGES_ONLY, "nearest_mean"])
def test_model_for_images_is_refused_for_a_table_before_data_are_read(configure, model):
    with pytest.raises(RequestError) as caught:
        configure("data=csv", "data.path=/nowhere/houses.csv", "data.target=price", f"model={model}")
    assert str(caught.value) == (
        f"model={model} takes images, but the examples of houses are rows of a table; set model=mlp or model=linear"
    )


@pytest.mark.parametrize("model", ["lenet5", "nearest_mean"])
def test_model_for_images_is_refused_for_data_that_turn_out_to_be_a_table(configure, model):
    config = configure(f"model={model}")
    data = table(task=CLASSIFICATION, outputs=2)
    with pytest.raises(RequestError, match="takes images, but the examples of made are rows of a table"):
        building.build(config, data, Objective.of(config, data))


@pytest.mark.parametrize("task", [REGRESSION, MULTILABEL])
def test_squashed_outputs_are_refused_where_outputs_are_no_classes(build, task):
    with pytest.raises(RequestError, match=f"squared error of classes, but the task is {task}; set model.output_act"):
        build("model.output_activation=tanh", data=table(task=task, outputs=2))


@pytest.mark.parametrize(
    "inputs",
    [rows_of(numbers((0.0, 1.0))), Inputs(kind=IMAGES, shape=(4, 5, 3), dtype="uint8")],
    ids=["numbers", "images"],
)
def test_embedding_without_categories_is_refused(inputs):
    with pytest.raises(ValueError, match="embedding is for columns of categories, and there are none"):
        features(inputs, embedding=3)


MODULE = """
import keras
from keras import layers
from fitbench.models.blocks import features, logits
from fitbench.models.layers import Standardize

def own(inputs, outputs, width: int):
    rows, x = features(inputs)
    return keras.Model(rows, logits(outputs)(layers.Dense(width, "relu")(x)))

def raw(input_shape, outputs):
    rows = keras.Input(input_shape)
    return keras.Model(rows, layers.Dense(outputs)(layers.BatchNormalization()(rows)))

def other(input_shape, outputs):
    rows = keras.Input((5,))
    return keras.Model(rows, layers.Dense(outputs)(rows))

def images(input_shape, outputs):
    pixels = keras.Input((None, None, 1))
    return keras.Model(pixels, layers.Dense(outputs)(layers.GlobalAveragePooling2D()(pixels)))

def pixels(input_shape, outputs):
    rows = keras.Input(input_shape)
    return keras.Model(rows, layers.Dense(outputs)(Standardize(name="scaled")(rows)))
"""


@pytest.fixture
def own(build, tmp_path, monkeypatch):
    """Builds a function of the user's module for a table."""
    (tmp_path / "users_tables.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    yield lambda function, **settings: build(
        data=table(), section={"_target_": f"users_tables.{function}", "name": function, **settings}
    )
    sys.modules.pop("users_tables", None)


def test_users_model_begins_with_the_features(own):
    model = own("own", width=3)
    assert parameters(model) == 8 * 3 + 3 + 4
    before = keras.Model(model.input, model.layers[-2].input)
    assert array(before(ROWS)) == pytest.approx(np.hstack([NUMBERS, ONE_HOT]), abs=1e-6)


def test_users_model_without_columns_takes_the_rows_as_they_are(own):
    assert own("raw").input_shape == (None, 4)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        ("other", "model=other takes examples of 5; those of data=made are rows of 4 columns"),
        ("images", "model=images takes examples of anyxanyx1; those of data=made are rows of 4 columns"),
        ("pixels", "model=pixels has the layer scaled for pixels, but the examples of made are rows of a table"),
    ],
)
def test_users_model_for_other_inputs_is_refused(own, function, message):
    with pytest.raises(RequestError, match=message):
        own(function)
