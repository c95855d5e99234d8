import keras
import numpy as np
import pytest

from fitbench.training import building, models
from fitbench.training.data import Dataset


def dataset(height=28, width=28, channels=1, classes=10) -> Dataset:
    images = np.zeros((classes, height, width, channels), np.uint8)
    labels = np.arange(classes, dtype=np.int32)
    return Dataset("made", images, labels, images, labels, tuple(map(str, labels)), "", "")


@pytest.mark.parametrize(
    ("model", "parameters"),
    [
        ("softmax", 28 * 28 * 10 + 10),
        ("mlp", 784 * 64 + 64 + 64 * 64 + 64 + 64 * 10 + 10),
        ("lenet5", 60_074),
        ("lenet5_max", 61_706),
        ("convnet", 72_666),
        ("nearest_mean", 28 * 28 * 10 + 10),
    ],
)
def test_parameter_counts(configure, model, parameters):
    built = building.build(configure(f"model={model}"), dataset())
    assert sum(np.prod(weight.shape) for weight in built.trainable_weights) == parameters


@pytest.mark.parametrize("model", ["softmax", "mlp", "lenet5", "lenet5_max", "convnet", "nearest_mean"])
def test_models_take_raw_colour_pixels_of_any_shape_to_logits(configure, model):
    built = building.build(configure(f"model={model}"), dataset(20, 33, 3, 7))
    images = np.random.default_rng(0).integers(0, 256, (5, 20, 33, 3), dtype=np.uint8)
    logits = keras.ops.convert_to_numpy(built(images))
    assert logits.shape == (5, 7)
    assert logits.dtype == np.float32
    assert not np.allclose(logits.sum(axis=1), 1)


def test_layers_of_the_lenets():
    shapes = [layer.output.shape[1:] for layer in models.lenet5((28, 28, 1), 10, [0, 1]).layers]
    assert shapes[2:6] == [(26, 26, 6), (13, 13, 6), (11, 11, 16), (5, 5, 16)]
    shapes = [layer.output.shape[1:] for layer in models.lenet5_max((28, 28, 1), 10, [0, 1]).layers]
    assert shapes[2:7] == [(32, 32, 1), (28, 28, 6), (14, 14, 6), (10, 10, 16), (5, 5, 16)]


def test_lenet5_max_has_no_activation_between_the_dense_layers():
    dense = [layer for layer in models.lenet5_max((28, 28, 1), 10, [0, 1]).layers if "Dense" in type(layer).__name__]
    assert [layer.activation.__name__ for layer in dense] == ["linear"] * 3


@pytest.mark.parametrize(("pixel_range", "expected"), [([0, 1], [0, 1]), ([0, 255], [0, 255]), ([-1, 1], [-1, 1])])
def test_pixel_range_is_what_black_and_white_become(pixel_range, expected):
    model = models.softmax((1, 1, 1), 2, pixel_range)
    model.get_layer("logits").set_weights([np.ones((1, 2)), np.zeros(2)])
    seen = keras.ops.convert_to_numpy(model(np.array([0, 255], np.uint8).reshape(2, 1, 1, 1)))[:, 0]
    assert seen.tolist() == pytest.approx(expected)


def test_init_stddev_draws_weights_and_biases_from_a_normal_distribution(configure):
    built = building.build(configure("model=mlp", "model.init_stddev=0.2", "model.hidden=[400]"), dataset())
    kernel, bias = built.layers[-2].get_weights()
    assert kernel.std() == pytest.approx(0.2, rel=0.01)
    assert bias.std() == pytest.approx(0.2, rel=0.15)


def test_nearest_mean_agrees_with_the_squared_distances():
    random = np.random.default_rng(1)
    images = random.integers(0, 256, (90, 5, 4, 2), dtype=np.uint8)
    labels = np.arange(90) % 3
    model = models.nearest_mean((5, 4, 2), 3)
    models.solve_nearest_mean(model, images, labels)
    means = np.stack([images[labels == label].mean(axis=0) for label in range(3)])
    distances = ((images[:, None].astype(float) - means) ** 2).sum(axis=(2, 3, 4))
    logits = keras.ops.convert_to_numpy(model(images))
    assert (logits.argmax(axis=1) == distances.argmin(axis=1)).all()
    # equal to -distance / 2 up to what is the same for every class
    scaled = -distances / 255**2 / 2
    assert logits - logits[:, :1] == pytest.approx(scaled - scaled[:, :1], abs=1e-3)
