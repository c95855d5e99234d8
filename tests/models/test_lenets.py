"""The nets of 1989 to 2003: their papers' counts and shapes, their tables of connections, saving and loading."""

import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import keras
import numpy as np
import pytest
from keras import ops

from fitbench.data.dataset import Dataset
from fitbench.errors import RequestError
from fitbench.models import lenets
from fitbench.models.digits import CODES
from fitbench.models.layers import AreaResize, RadialBasis, Subsampling, TableConv2D, scaled_tanh
from fitbench.models.losses import MaximumAPosteriori
from fitbench.training import building
from fitbench.training.objective import Objective


def dataset(height=28, width=28, classes=10) -> Dataset:
    images = np.zeros((classes, height, width, 1), np.uint8)
    labels = np.arange(classes, dtype=np.int32)
    return Dataset("made", images, labels, images, labels, tuple(map(str, labels)), "", "")


IMAGES = np.random.default_rng(0).integers(0, 256, (6, 28, 28, 1), dtype=np.uint8)
MODELS = {  # name: layer: shape and trainable parameters
    "lenet5_1998": {
        "pixel_range": ((32, 32, 1), 0),
        "C1": ((28, 28, 6), 156),
        "S2": ((14, 14, 6), 12),
        "C3": ((10, 10, 16), 1_516),
        "S4": ((5, 5, 16), 32),
        "C5": ((120,), 48_120),
        "F6": ((84,), 10_164),
        "logits": ((10,), 0),
    },
    "lenet1": {
        "area_resize": ((22, 22, 1), 0),
        "pixel_range": ((28, 28, 1), 0),
        "H1": ((24, 24, 4), 104),
        "H2": ((12, 12, 4), 8),
        "H3": ((8, 8, 12), 512),
        "H4": ((4, 4, 12), 24),
        "logits": ((10,), 1_930),
    },
    "lenet4": {
        "pixel_range": ((32, 32, 1), 0),
        "C1": ((28, 28, 4), 104),
        "S2": ((14, 14, 8), 16),
        "C3": ((10, 10, 16), 1_616),
        "S4": ((5, 5, 16), 32),
        "F5": ((37,), 14_837),
        "logits": ((10,), 380),
    },
    "simard": {
        "pixel_range": ((29, 29, 1), 0),
        "conv2d": ((13, 13, 5), 130),
        "conv2d_1": ((5, 5, 50), 6_300),
        "dense": ((100,), 125_100),
        "logits": ((10,), 1_010),
    },
}


def built(configure, *overrides: str, data: Dataset | None = None) -> keras.Model:
    keras.utils.clear_session()
    config, data = configure(*overrides), data or dataset()
    return building.build(config, data, Objective.of(config, data))


def trainable(thing) -> int:
    return sum(int(np.prod(weight.shape)) for weight in thing.trainable_weights)


def numbers(tensor) -> np.ndarray:
    return ops.convert_to_numpy(tensor)


@pytest.mark.parametrize("name", MODELS)
def test_layers_have_the_shapes_and_parameters_of_the_papers(configure, name):
    model = built(configure, f"model={name}")
    found = {
        layer.name: (tuple(layer.output.shape[1:]), trainable(layer))
        for layer in model.layers
        if not layer.name.startswith(("pixels", "flatten", "zero_padding"))
    }
    assert found == MODELS[name]


@pytest.mark.parametrize(
    ("overrides", "parameters"),
    [
        (("model=lenet5_1998",), 60_000),
        (("model=lenet5_1998", "model.output=softmax"), 60_850),
        (("model=lenet1",), 2_578),  # LeCun et al. 1989, p. 402
        (("model=lenet4",), 16_985),  # 'about 17,000'
        (("model=lenet4", "model.hidden_units=120"), 51_098),
    ],
)
def test_parameters(configure, overrides, parameters):
    assert trainable(built(configure, *overrides)) == parameters


def test_connections_of_lenet1_are_those_of_1989(configure):
    """'4635 units, 98442 connections': every unit of a layer has the inputs of its map and a bias."""
    units = [784, 24 * 24 * 4, 12 * 12 * 4, 8 * 8 * 12, 4 * 4 * 12, 10]
    assert sum(units) + 1 == 4635  # with the bias's
    inputs = sum(map(len, lenets.LENET1_H3))
    assert inputs == 20
    connections = [units[1] * 26, units[2] * 5, 64 * (25 * inputs + 12), units[4] * 5, 10 * 193]
    assert sum(connections) == 98_442


def test_table_of_lenet5_is_table_1_of_1998():
    rows = [  # as printed: a row per S2 map, a column per C3 map
        "X . . . X X X . . X X X X . X X",
        "X X . . . X X X . . X X X X . X",
        "X X X . . . X X X . . X . X X X",
        ". X X X . . X X X X . . X . X X",
        ". . X X X . . X X X X . X X . X",
        ". . . X X X . . X X X X . X X X",
    ]
    printed = [[of for of in range(6) if rows[of].split()[to] == "X"] for to in range(16)]
    assert [list(inputs) for inputs in lenets.LENET5_C3] == printed
    assert [len(inputs) for inputs in printed] == [3] * 6 + [4] * 9 + [6]


@pytest.mark.parametrize("table", [lenets.LENET5_C3, lenets.LENET1_H3, lenets.LENET4_C3])
def test_map_sees_its_inputs_and_no_others(table):
    maps = 1 + max(map(max, table))
    layer = TableConv2D(table)
    images = np.random.default_rng(1).normal(size=(2, 9, 9, maps)).astype(np.float32)
    before = numbers(layer(images))
    for changed in range(maps):
        other = images.copy()
        other[:, 4, 4, changed] += 1  # one pixel: the 25 weights that see it cannot cancel out
        moved = np.abs(numbers(layer(other)) - before).max(axis=(0, 1, 2)) > 1e-5
        assert moved.tolist() == [changed in inputs for inputs in table]


def test_table_convolution_is_a_convolution_with_holes():
    layer = TableConv2D(lenets.LENET5_C3)
    images = np.random.default_rng(2).normal(size=(3, 8, 8, 6)).astype(np.float32)
    found = numbers(layer(images))
    weights, bias = layer.get_weights()
    connection = 0
    for to, inputs in enumerate(lenets.LENET5_C3):
        total = np.full((3, 4, 4), bias[to], np.float64)
        for of in inputs:
            window = np.lib.stride_tricks.sliding_window_view(images[..., of], (5, 5), axis=(1, 2))
            total += (window * weights[:, connection].reshape(5, 5)).sum(axis=(3, 4))
            connection += 1
        assert found[..., to] == pytest.approx(1.7159 * np.tanh(2 / 3 * total), abs=1e-5)
    assert connection == weights.shape[1] == 60


@pytest.mark.parametrize("table", [[[0, 1], [2]], [[0, 0]], [[-1]]])
def test_table_of_maps_that_there_are_not_is_refused(table):
    with pytest.raises(ValueError, match="for an output map, of 2 input maps"):
        TableConv2D(table).build((None, 8, 8, 2))


def test_weights_start_within_2_4_over_the_fan_in(configure):
    model = built(configure, "model=lenet5_1998", "model.output=softmax")
    fans = {"C1": 25, "S2": 4, "S4": 4, "C5": 400, "F6": 120, "logits": 84}
    for name, fan in fans.items():
        for weight in model.get_layer(name).get_weights():
            assert np.abs(weight).max() <= 2.4 / fan
        assert np.abs(model.get_layer(name).get_weights()[0]).max() > 0.4 * 2.4 / fan
    kernel = model.get_layer("C3").get_weights()[0]
    for columns, fan in ((slice(0, 18), 75), (slice(18, 54), 100), (slice(54, 60), 150)):
        largest = np.abs(kernel[:, columns]).max()
        assert 0.9 * 2.4 / fan < largest <= 2.4 / fan


def test_scaled_tanh():
    x = np.array([-20, -1, -0.25, 0, 1, 3], np.float32)
    assert numbers(scaled_tanh(x)) == pytest.approx(1.7159 * np.tanh(x * 2 / 3), abs=1e-6)
    assert numbers(scaled_tanh(np.float32(1))) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("copies", [1, 2])
def test_subsampling_sums_scales_shifts_and_squashes(copies):
    layer = Subsampling(copies)
    images = np.random.default_rng(3).normal(size=(2, 6, 4, 3)).astype(np.float32)
    found = numbers(layer(images))
    coefficient, bias = layer.get_weights()
    sums = images.reshape(2, 3, 2, 2, 2, 3).sum(axis=(2, 4)).repeat(copies, axis=-1)
    assert found == pytest.approx(1.7159 * np.tanh(2 / 3 * (coefficient * sums + bias)), abs=1e-5)


def test_rbf_outputs_are_less_the_squared_distances():
    layer = RadialBasis(CODES)
    x = np.random.default_rng(4).uniform(-1.7, 1.7, (5, 84)).astype(np.float32)
    codes = np.array([[1 if pixel == "#" else -1 for pixel in code] for code in CODES])
    wanted = -((x[:, None].astype(np.float64) - codes) ** 2).sum(axis=2)
    assert numbers(layer(x)) == pytest.approx(wanted, rel=1e-5)
    assert numbers(layer(codes.astype(np.float32))).argmax(axis=1).tolist() == list(range(10))
    assert not layer.weights


def test_weights_and_biases_of_simard_start_as_in_the_paper(configure):
    weights = built(configure, "model=simard", "model.init_stddev=0.05").get_weights()
    assert [np.std(weights[layer]) for layer in (2, 4)] == pytest.approx([0.05, 0.05], rel=0.05)
    assert np.abs(weights[3]).max() > 0  # the biases too


def test_maximum_a_posteriori_is_equation_9_of_1998():
    # penalties 1, 2, 3 with the right class 0; j = 0.5:
    # 1 + log(e^-0.5 + e^-1 + e^-2 + e^-3) = 1 + log(0.606531 + 0.367879 + 0.135335 + 0.049787) = 1 + log(1.159532)
    loss = MaximumAPosteriori(rubbish=0.5)
    outputs = np.array([[-1, -2, -3], [-800, -900, -1000]], np.float32)
    right = np.eye(3, dtype=np.float32)[[0, 0]]
    # far from all codes the sum is e^-0.5 alone: 800 - 0.5
    assert numbers(loss.call(right, ops.convert_to_tensor(outputs))) == pytest.approx([1.148017, 799.5], abs=1e-5)
    assert numbers(loss(right, outputs)) == pytest.approx((1.148017 + 799.5) / 2, rel=1e-6)
    again = MaximumAPosteriori.from_config(loss.get_config())
    assert numbers(again(right, outputs)) == numbers(loss(right, outputs))


def test_rubbish_is_above_0():
    with pytest.raises(ValueError, match="rubbish is 0; it must be above 0"):
        MaximumAPosteriori(rubbish=0)


def test_codes_are_ten_drawings_of_7x12_that_differ():
    assert [len(code) for code in CODES] == [84] * 10
    assert set("".join(CODES)) == {"#", "."}
    apart = [sum(a != b for a, b in zip(CODES[i], CODES[j], strict=True)) for i in range(10) for j in range(i)]
    assert min(apart) == 11


def test_background_and_foreground_of_1998(configure):
    model = built(configure, "model=lenet5_1998")
    white = np.full((1, 28, 28, 1), 255, np.uint8)
    seen = numbers(keras.Model(model.input, model.get_layer("pixel_range").output)(white))[0, :, :, 0]
    assert seen[2:-2, 2:-2] == pytest.approx(1.175)
    assert np.concatenate([seen[:2].ravel(), seen[-2:].ravel(), seen[:, :2].ravel()]) == pytest.approx(-0.1)


def test_lenet1_sees_the_digit_in_16x16(configure):
    model = built(configure, "model=lenet1", "model.pixel_range=[0,1]")
    image = np.zeros((1, 28, 28, 1), np.uint8)
    image[0, 4:24, 4:24] = 255  # where MNIST's digits are
    seen = numbers(keras.Model(model.input, model.get_layer("pixel_range").output)(image))[0, :, :, 0]
    rows = np.flatnonzero(seen.max(axis=1))
    assert (rows[0], rows[-1]) == (6, 21)
    assert seen.sum() == pytest.approx(400 * (22 / 28) ** 2, rel=1e-5)


def test_area_resize_takes_means():
    images = np.random.default_rng(5).integers(0, 256, (2, 6, 9, 3), dtype=np.uint8)
    found = numbers(AreaResize((2, 3))(images))
    assert found == pytest.approx(images.reshape(2, 2, 3, 3, 3, 3).mean(axis=(2, 4)), rel=1e-5)
    halves = np.array([10, 20, 40], np.uint8).reshape(1, 1, 3, 1)
    assert numbers(AreaResize((1, 2))(halves)).ravel() == pytest.approx([(10 + 10) / 1.5, (10 + 40) / 1.5])


def test_squashed_outputs(configure):
    model = built(configure, "model=lenet1", "model.output_activation=scaled_tanh")
    assert model.get_layer("logits").activation is scaled_tanh


@pytest.mark.parametrize(
    ("model", "shape", "said"),
    [
        ("lenet5_1998", (33, 28), "lenet5_1998 takes images of 32x32 pixels or fewer; these are 33x28"),
        ("lenet4", (28, 40), "lenet4 takes images of 32x32 pixels or fewer; these are 28x40"),
        ("simard", (32, 32), "simard takes images of 29x29 pixels or fewer; these are 32x32"),
        ("lenet1", (20, 20), "lenet1 takes images of 28x28 pixels; these are 20x20"),
    ],
)
def test_images_that_do_not_fit_are_refused(configure, model, shape, said):
    with pytest.raises(RequestError, match=said):
        built(configure, f"model={model}", data=dataset(*shape))


def test_rbf_outputs_are_for_ten_classes(configure):
    with pytest.raises(RequestError, match="output=rbf has codes for the 10 digits, not for 3 classes"):
        built(configure, "model=lenet5_1998", data=dataset(classes=3))
    model = built(configure, "model=lenet5_1998", "model.output=softmax", data=dataset(classes=3))
    assert model.output_shape == (None, 3)


def as_0_1_saved_it(path: Path, to: Path) -> None:
    """A copy of a model file that names the module in which version 0.1 had its layers."""
    with ZipFile(path) as saved, ZipFile(to, "w") as copy:
        for name in saved.namelist():
            content = saved.read(name)
            if name == "config.json":
                content = content.replace(b"fitbench.models.layers", b"fitbench.training.layers")
                assert b"fitbench.training.layers" in content
            copy.writestr(name, content)


@pytest.mark.long
def test_saved_model_gives_the_same_logits_in_a_process_that_imports_the_layers(configure, tmp_path):
    names = ("lenet5_1998", "lenet1", "lenet4", "simard")
    wanted = {}
    for name in names:
        model = built(configure, f"model={name}", "model.pixel_range=[0,1]")
        model.save(tmp_path / f"{name}.keras")
        wanted[name] = numbers(model(IMAGES))
    as_0_1_saved_it(tmp_path / "lenet4.keras", tmp_path / "lenet4_of_0_1.keras")
    wanted["lenet4_of_0_1"] = wanted["lenet4"]
    np.savez(tmp_path / "images.npz", IMAGES)
    code = (
        "import sys, keras, numpy as np, fitbench.models.layers\n"
        "images = np.load('images.npz')['arr_0']\n"
        "for name in sys.argv[1:]:\n"
        "    np.save(name, np.asarray(keras.saving.load_model(name + '.keras')(images)))\n"
    )
    subprocess.run([sys.executable, "-c", code, *wanted], cwd=tmp_path, check=True)
    for name, outputs in wanted.items():
        assert np.load(tmp_path / f"{name}.npy") == pytest.approx(outputs, abs=1e-5)


def test_trained_for_an_epoch_the_loss_falls(trained):
    _, result = trained(
        "model=lenet5_1998", "training.epochs=2", "training.batch_size=64", "training.validation_split=0.8"
    )
    assert result["parameters"] == 60_000
    assert result["metrics"]["train_loss"] < 2.25  # from ln 10, 2.303
