import sys
from dataclasses import replace

import keras
import numpy as np
import pytest

from fitbench.config import Config
from fitbench.data.dataset import Dataset
from fitbench.errors import RequestError
from fitbench.models import convolutional, dense
from fitbench.training import building
from fitbench.training.objective import Objective


def dataset(height=28, width=28, channels=1, classes=10) -> Dataset:
    images = np.zeros((classes, height, width, channels), np.uint8)
    labels = np.arange(classes, dtype=np.int32)
    return Dataset("made", images, labels, images, labels, tuple(map(str, labels)), "", "")


def build(config: Config, data: Dataset, examples: int | None = None) -> keras.Model:
    return building.build(config, data, Objective.of(config, data), examples)


@pytest.mark.parametrize(
    ("model", "parameters"),
    [
        ("softmax", 28 * 28 * 10 + 10),
        ("mlp", 784 * 64 + 64 + 64 * 64 + 64 + 64 * 10 + 10),
        ("lenet5", 60_074),
        ("lenet5_max", 61_706),
        ("convnet", 72_666),
        ("nearest_mean", 28 * 28 * 10 + 10),
        ("conv_pool", 832 + 51_264 + 3_212_288 + 10_250),
        ("logistic_ovr", 28 * 28 * 10 + 10),
    ],
)
def test_parameter_counts(configure, model, parameters):
    built = build(configure(f"model={model}"), dataset())
    assert sum(np.prod(weight.shape) for weight in built.trainable_weights) == parameters


def test_conv_pool_without_zeros_around_the_image(configure):
    settings = ["model.filters=[32,32]", "model.kernel_size=3", "model.hidden=[128]", "model.padding=valid"]
    config = configure("model=conv_pool", *settings)
    built = build(config, dataset())
    assert built.count_params() == 113_386
    assert [layer.output.shape[1] for layer in built.layers[2:6]] == [26, 13, 11, 5]
    build(config, dataset(10, 10))
    with pytest.raises(RequestError, match="images of 10x10 pixels or more; these are 9x10"):
        build(config, dataset(9, 10))


@pytest.mark.parametrize(
    "model", ["softmax", "mlp", "lenet5", "lenet5_max", "convnet", "nearest_mean", "conv_pool", "logistic_ovr"]
)
def test_models_take_raw_colour_pixels_of_any_shape_to_logits(configure, model):
    built = build(configure(f"model={model}"), dataset(20, 33, 3, 7))
    images = np.random.default_rng(0).integers(0, 256, (5, 20, 33, 3), dtype=np.uint8)
    logits = keras.ops.convert_to_numpy(built(images))
    assert logits.shape == (5, 7)
    assert logits.dtype == np.float32
    assert not np.allclose(logits.sum(axis=1), 1)


def test_layers_of_the_lenets():
    shapes = [layer.output.shape[1:] for layer in convolutional.lenet5((28, 28, 1), 10, [0, 1]).layers]
    assert shapes[2:6] == [(26, 26, 6), (13, 13, 6), (11, 11, 16), (5, 5, 16)]
    shapes = [layer.output.shape[1:] for layer in convolutional.lenet5_max((28, 28, 1), 10, [0, 1]).layers]
    assert shapes[2:7] == [(32, 32, 1), (28, 28, 6), (14, 14, 6), (10, 10, 16), (5, 5, 16)]


def test_lenet5_max_has_no_activation_between_the_dense_layers():
    dense = [
        layer for layer in convolutional.lenet5_max((28, 28, 1), 10, [0, 1]).layers if "Dense" in type(layer).__name__
    ]
    assert [layer.activation.__name__ for layer in dense] == ["linear"] * 3


@pytest.mark.parametrize(("pixel_range", "expected"), [([0, 1], [0, 1]), ([0, 255], [0, 255]), ([-1, 1], [-1, 1])])
def test_pixel_range_is_what_black_and_white_become(pixel_range, expected):
    model = dense.softmax((1, 1, 1), 2, pixel_range)
    model.get_layer("logits").set_weights([np.ones((1, 2)), np.zeros(2)])
    seen = keras.ops.convert_to_numpy(model(np.array([0, 255], np.uint8).reshape(2, 1, 1, 1)))[:, 0]
    assert seen.tolist() == pytest.approx(expected)


def test_init_fan_in_draws_weights_and_biases_within_2_4_by_the_inputs(configure):
    built = build(configure("model=mlp", "model.init=fan_in", "model.hidden=[400]"), dataset())
    first, biases, last, _ = built.get_weights()
    for weights, inputs in ((first, first.shape[0]), (biases, first.shape[0]), (last, 400)):
        assert np.abs(weights).max() == pytest.approx(2.4 / inputs, rel=0.05)
        assert np.abs(weights).max() <= 2.4 / inputs
    with pytest.raises(RequestError, match=r"init=fan_in and init_stddev=0\.2 exclude each other"):
        build(configure("model=mlp", "model.init=fan_in", "model.init_stddev=0.2"), dataset())


def test_init_stddev_draws_weights_and_biases_from_a_normal_distribution(configure):
    built = build(configure("model=mlp", "model.init_stddev=0.2", "model.hidden=[400]"), dataset())
    kernel, bias = built.layers[-2].get_weights()
    assert kernel.std() == pytest.approx(0.2, rel=0.01)
    assert bias.std() == pytest.approx(0.2, rel=0.15)


def test_scaled_tanh_is_an_activation_of_dense_layers(configure):
    squashed = ("model.activation=scaled_tanh", "model.output_activation=scaled_tanh")
    built = build(configure("model=mlp", "model.hidden=[3]", "model.pixel_range=[-1,1]", *squashed), dataset())
    images = np.random.default_rng(0).integers(0, 256, (4, 28, 28, 1), dtype=np.uint8)
    found = images.reshape(4, -1) / 127.5 - 1
    for layer in built.layers[-2:]:
        kernel, bias = layer.get_weights()
        found = 1.7159 * np.tanh(2 / 3 * (found @ kernel + bias))
    assert keras.ops.convert_to_numpy(built(images)) == pytest.approx(found, abs=1e-4)


def small_problem() -> tuple[Dataset, np.ndarray]:
    """90 images of 3x3 in 3 classes that overlap, one pixel always 7; and the same, standardised by scikit-learn."""
    random = np.random.default_rng(3)
    labels = (np.arange(90) % 3).astype(np.int32)
    images = np.clip(random.normal(100, 40, (90, 3, 3, 1)) + 15 * labels[:, None, None, None], 0, 255).astype(np.uint8)
    images[:, 1, 1] = 7
    scaled = pytest.importorskip("sklearn.preprocessing").StandardScaler().fit_transform(images.reshape(90, -1))
    return Dataset("made", images, labels, images, labels, ("a", "b", "c"), "", ""), scaled


def test_logistic_regression_standardises_as_scikit_learn(configure):
    data, scaled = small_problem()
    built = build(configure("model=logistic_ovr"), data)
    found = keras.ops.convert_to_numpy(built.get_layer("standardised")(data.x_train))
    assert found.reshape(90, -1) == pytest.approx(scaled, abs=1e-5)
    white = np.full((30, 3, 3, 1), 255, np.uint8)
    own = replace(
        data,
        x_train=np.concatenate([data.x_train, white]),
        y_train=np.concatenate([data.y_train, data.y_train[:30]]),
        validation=30,
    )
    of_own = build(configure("model=logistic_ovr"), own).get_layer("standardised")
    np.testing.assert_array_equal(of_own.mean, built.get_layer("standardised").mean)


@pytest.mark.parametrize(("penalty", "bias"), [("l2", True), ("l2", False), ("l1", True)])
@pytest.mark.parametrize("strength", [0.05, 2.0])
def test_logistic_regression_has_the_minimum_of_scikit_learn(configure, penalty, bias, strength):
    data, scaled = small_problem()
    linear_model = pytest.importorskip("sklearn.linear_model")
    config = configure(
        "model=logistic_ovr", f"model.penalty={penalty}", f"model.C={strength}", f"model.penalise_bias={bias}"
    )
    built = build(config, data)
    objective = Objective.of(config, data)
    targets = objective.targets(data.y_train)
    optimizer = keras.optimizers.SGD(keras.optimizers.schedules.CosineDecay(0.5, 600), momentum=0.9)

    def measured():
        return objective.loss(targets, built(data.x_train)) + sum(built.losses)

    import tensorflow as tf

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            total = measured()
        optimizer.apply_gradients(
            zip(tape.gradient(total, built.trainable_weights), built.trainable_weights, strict=True)
        )

    optimizer.build(built.trainable_weights)
    for _ in range(600):
        step()
    ours = float(measured())

    kernel, biases, wanted = np.zeros((9, 3)), np.zeros(3), 0.0
    for of in range(3):
        sign = np.where(data.y_train == of, 1, -1)
        solver = linear_model.LogisticRegression(
            C=strength,
            l1_ratio=1 if penalty == "l1" else 0,
            solver="liblinear" if bias else "newton-cholesky",
            tol=1e-8,
            max_iter=10_000,
        ).fit(scaled, sign)
        kernel[:, of], biases[of] = solver.coef_[0], solver.intercept_[0]
        weights = np.append(solver.coef_[0], solver.intercept_[0] if bias else 0)
        norm = np.abs(weights).sum() if penalty == "l1" else weights @ weights / 2
        margins = sign * (scaled @ solver.coef_[0] + solver.intercept_[0])
        wanted += norm + strength * np.log1p(np.exp(-margins)).sum()
    assert ours * 3 * 90 * strength == pytest.approx(wanted, rel=1e-3 if penalty == "l1" else 1e-5)
    found_kernel, found_biases = built.get_layer("logits").get_weights()
    assert found_kernel == pytest.approx(kernel, abs=0.02)
    assert found_biases == pytest.approx(biases, abs=0.02)


def test_penalty_of_logistic_regression_is_for_the_images_that_are_trained_on(configure):
    data, _ = small_problem()
    config = configure("model=logistic_ovr", "model.C=0.5")
    for examples in (30, 60):
        built = build(config, data, examples)
        built.get_layer("logits").set_weights([np.full((9, 3), 2.0), np.zeros(3)])
        assert float(sum(built.losses)) == pytest.approx(27 * 4 / 2 / (0.5 * examples * 3), rel=1e-5)


def test_nearest_mean_agrees_with_the_squared_distances():
    random = np.random.default_rng(1)
    images = random.integers(0, 256, (90, 5, 4, 2), dtype=np.uint8)
    labels = np.arange(90) % 3
    model = dense.nearest_mean((5, 4, 2), 3)
    dense.solve_nearest_mean(model, images, labels)
    means = np.stack([images[labels == label].mean(axis=0) for label in range(3)])
    distances = ((images[:, None].astype(float) - means) ** 2).sum(axis=(2, 3, 4))
    logits = keras.ops.convert_to_numpy(model(images))
    assert (logits.argmax(axis=1) == distances.argmin(axis=1)).all()
    # equal to -distance / 2 up to what is the same for every class
    scaled = -distances / 255**2 / 2
    assert logits - logits[:, :1] == pytest.approx(scaled - scaled[:, :1], abs=1e-3)


# -- what a builder is given ------------------------------------------------------------------------------------------

MODULE = """
import keras

GIVEN = {}

def _model(**given):
    GIVEN.clear()
    GIVEN.update(given)
    pixels = keras.Input((28, 28, 1), dtype="uint8")
    return keras.Model(pixels, keras.layers.Dense(10)(keras.layers.Flatten()(pixels)))

def outputs(input_shape, outputs): return _model(input_shape=input_shape, outputs=outputs)
def classes(input_shape, classes): return _model(input_shape=input_shape, classes=classes)
def anything(**settings): return _model(**settings)
def examples(outputs, examples): return _model(outputs=outputs, examples=examples)
def nothing(): return _model()
"""
SHAPE = [28, 28, 1]  # Hydra makes lists of tuples


@pytest.mark.parametrize(
    ("function", "settings", "given"),
    [
        ("outputs", {}, {"input_shape": SHAPE, "outputs": 10}),
        ("classes", {}, {"input_shape": SHAPE, "classes": 10}),
        ("anything", {"width": 3}, {"input_shape": SHAPE, "outputs": 10, "width": 3}),
        ("examples", {}, {"outputs": 10, "examples": 7}),
        ("examples", {"examples": 5}, {"outputs": 10, "examples": 5}),
        ("nothing", {}, {}),
    ],
)
def test_builder_is_given_what_it_has_parameters_for(configure, tmp_path, monkeypatch, function, settings, given):
    (tmp_path / "users_builders.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    config = configure()
    config.model = {"_target_": f"users_builders.{function}", "name": "own", **settings}
    build(config, dataset(), examples=7)
    assert given == sys.modules["users_builders"].GIVEN
    del sys.modules["users_builders"]


@pytest.mark.parametrize("hidden", ["[2147483647]", "[64,2147483647]"])
def test_model_whose_weights_do_not_fit_into_memory_is_refused_before_they_are_created(configure, hidden):
    with pytest.raises(RequestError, match=r"^model=mlp is too large: its weights take .* GB and"):
        build(configure("model=mlp", f"model.hidden={hidden}"), dataset())
    assert build(configure("model=mlp", "model.hidden=[3]"), dataset()).count_params() == 784 * 3 + 3 + 40
