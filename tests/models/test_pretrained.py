"""Networks of keras.applications: weights, frozen layers, preprocessing, and the runs that they train in."""

import socket
import sys
from pathlib import Path
from typing import get_args

import h5py
import keras
import numpy as np
import pytest
from keras.src.legacy.saving import legacy_h5_format

from fitbench.composition import Composer
from fitbench.data.loading import load
from fitbench.errors import RequestError
from fitbench.inference import agreement
from fitbench.inference.export import export
from fitbench.launch.job import recorded
from fitbench.models import pretrained as module
from fitbench.models.annotations import Application
from fitbench.models.pretrained import preprocessed, pretrained

SHAPE = (32, 32, 3)
RUN = (
    "data=digits", "model=pretrained", "model.application=MobileNet", "model.arguments={alpha: 0.25}",
    "model.image_size=[32,32]", "model.freeze=conv_dw_13_relu", "training.epochs=1", "training.batch_size=256",
)  # fmt: skip


def network(name="MobileNet", **settings):
    return getattr(keras.applications, name)(
        **{"weights": None, "include_top": False, "input_shape": SHAPE, "alpha": 0.25} | settings
    )


def build(shape=SHAPE, application="MobileNet", **settings):
    values = {
        "weights": None,
        "freeze": None,
        "image_size": None,
        "dropout": 0.0,
        "arguments": {"alpha": 0.25},
    } | settings
    return pretrained(shape, 10, application, **values)


def inner(model):
    """The network of keras.applications in a model."""
    return next(layer for layer in model.layers if isinstance(layer, keras.Model))


def _settle(made):
    """Give normalising layers the means and variances of some images: else activations of random weights vanish."""
    for layer in made.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0
    made(np.random.default_rng(0).uniform(-1, 1, (128, *SHAPE)), training=True)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Files of weights, by their names: of the network, of it with its top, and of others."""
    folder = tmp_path_factory.mktemp("weights")
    keras.utils.set_random_seed(0)
    networks = {
        "own": network(),
        "top": network(include_top=True),
        "other": network("MobileNetV2", alpha=0.35),
        "wider": network(alpha=0.5),
    }
    _settle(networks["own"])
    for name, made in networks.items():
        made.save_weights(folder / f"{name}.weights.h5")
        with h5py.File(folder / f"{name}.h5", "w") as file:  # as Keras 2 wrote them, and as imagenet's are
            legacy_h5_format.save_weights_to_hdf5_group(file, made)
    networks["own"].save(folder / "own.keras")
    for name in ("text.h5", "text.weights.h5", "text.keras", "weights.json"):
        (folder / name).write_text("no weights")
    whole = (folder / "own.weights.h5").read_bytes()
    (folder / "cut.weights.h5").write_bytes(whole[: len(whole) // 2])
    with h5py.File(folder / "foreign.weights.h5", "w") as file:
        file.create_dataset("x", data=np.zeros(3))
    with h5py.File(folder / "lacking.weights.h5", "w") as file, h5py.File(folder / "own.weights.h5") as own:
        own.copy("layers", file)
        del file["layers/conv2d/vars/0"]
    return folder


# -- settings ---------------------------------------------------------------------------------------------------------


def test_every_application_of_keras_may_be_named():
    builders = {name for name in dir(keras.applications) if callable(getattr(keras.applications, name))}
    assert set(get_args(Application)) == builders


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("model.application=MobileNetV22", "model.application is 'MobileNetV22'; it must be one of .*MobileNetV2, "),
        ("model.weights=''", "model.weights is ''; it must be imagenet, or the path of a file of weights, or null"),
        ("model.image_size=[32]", r"model.image_size is \[32\]; it must be \[height, width\], each from 1 to 4096"),
        ("model.dropout=1", "model.dropout is 1"),
        ("data=boston_housing", "model=pretrained takes images, but the examples of boston_housing are rows"),
    ],
)
def test_wrong_setting_is_refused_before_data_are_read(override, message):
    with pytest.raises(RequestError, match=message):
        Composer().configuration(["model=pretrained", override])


def test_path_of_weights_holds_from_every_folder(configure):
    config = configure("model=pretrained", "model.weights=some/mine.weights.h5")
    assert config.model["weights"] == str(Path("some/mine.weights.h5").absolute())
    assert configure("model=pretrained", "model.weights=some/../some/mine.weights.h5") == config
    assert configure("model=pretrained").model["weights"] == "imagenet"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"arguments": {"alhpa": 1}},
            "model.arguments.alhpa: MobileNet has no such argument; it has alpha, depth_multiplier, dropout",
        ),
        ({"freeze": "all"}, "model.freeze=all would keep random weights, because model.weights is null"),
        ({"freeze": "conv_dw_13_rel", "weights": "own.h5"}, "no layer of this name; did you mean conv_dw_13_relu?"),
        (
            {"freeze": "x", "weights": "own.h5"},
            "no layer of this name; it ends with conv_pw_13, conv_pw_13_bn, conv_pw_13_relu",
        ),
    ],
)
def test_setting_that_only_keras_knows_is_refused_as_the_model_is_built(weights, settings, message):
    if "weights" in settings:
        settings = settings | {"weights": str(weights / settings["weights"])}
    with pytest.raises(RequestError, match=message):
        build(**settings)


def test_images_that_do_not_fit_are_refused_with_the_least_size():
    with pytest.raises(ValueError, match=r"must be at least 32x32; .*\(28, 28, 3\); set model.image_size="):
        build((28, 28, 1))
    with pytest.raises(ValueError, match=r"it takes images of 1 or 3 channels; these have 4"):
        build((32, 32, 4))
    assert build((28, 28, 1), image_size=[32, 40]).output_shape == (None, 10)


# -- preprocessing ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("application", get_args(Application))
def test_images_are_preprocessed_as_by_the_application_itself(application):
    images = np.random.default_rng(0).integers(0, 256, (2, 4, 5, 3)).astype(np.float32)
    own = sys.modules[getattr(keras.applications, application).__module__].preprocess_input
    got = keras.ops.convert_to_numpy(preprocessed(keras.ops.convert_to_tensor(images), application))
    np.testing.assert_allclose(got, own(images.copy()), atol=2e-5)


def test_model_is_resizing_preprocessing_network_pooling_and_a_dense_layer(weights):
    grey = np.random.default_rng(0).integers(0, 256, (3, 20, 20, 1)).astype(np.uint8)
    model = build((20, 20, 1), image_size=[32, 40], weights=str(weights / "own.h5"))
    by_hand = keras.ops.image.resize(grey.astype(np.float32), (32, 40))
    by_hand = keras.applications.mobilenet.preprocess_input(np.repeat(by_hand, 3, axis=-1))
    by_hand = keras.ops.mean(inner(model)(by_hand), axis=(1, 2))
    expected = keras.ops.convert_to_numpy(model.get_layer("logits")(by_hand))
    assert np.ptp(expected) > 0.1
    np.testing.assert_allclose(model(grey), expected, atol=1e-3)


# -- weights ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["own.weights.h5", "own.h5", "own.keras", "top.weights.h5"])
def test_weights_are_those_of_the_file(weights, name):
    expected = network(include_top="top" in name)
    expected.load_weights(weights / name)
    for mine, theirs in zip(inner(build(weights=str(weights / name))).weights, expected.weights, strict=False):
        assert np.array_equal(mine, theirs)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("other.weights.h5", "objects could not be loaded"),
        ("other.h5", "Layer count mismatch .* expected 54 layers, found 104"),
        ("top.h5", "Layer count mismatch .* expected 54 layers, found 55"),
        ("wider.weights.h5", "objects could not be loaded"),
        ("wider.h5", "Shape mismatch"),
        ("foreign.weights.h5", "objects could not be loaded"),
        ("lacking.weights.h5", "could not be loaded"),
        ("cut.weights.h5", "truncated file"),
        ("text.h5", "file signature not found"),
        ("text.weights.h5", "file signature not found"),
        ("text.keras", "not a zip file"),
    ],
)
def test_weights_of_another_network_are_refused(weights, name, message):
    beginning = f"model.weights={weights / name} has no weights of MobileNet without its top .*: "
    with pytest.raises(RequestError, match=f"{beginning}.*{message}"):
        build(weights=str(weights / name))


def test_frozen_network_has_no_trained_weights_but_those_of_the_last_layer(weights):
    model = build(weights=str(weights / "own.weights.h5"), freeze="all")
    assert [weight.path for weight in model.trainable_weights] == ["logits/kernel", "logits/bias"]


@pytest.mark.parametrize(("name", "message"), [("no.h5", "there is no such file"), ("weights.json", "must be a file")])
def test_path_that_is_no_file_of_weights_is_refused(weights, name, message):
    with pytest.raises(RequestError, match=message):
        build(weights=str(weights / name))


def test_download_that_fails_says_where_the_file_belongs(tmp_path, monkeypatch, capsys):
    """One server refuses connections, another never answers."""
    monkeypatch.setattr("keras.src.backend.config._KERAS_DIR", str(tmp_path))
    name = "mobilenet_2_5_224_tf_no_top.h5"
    own_module = sys.modules[keras.applications.MobileNet.__module__]
    monkeypatch.setattr(module, "SERVER_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        monkeypatch.setattr(own_module, "BASE_WEIGHT_PATH", f"http://127.0.0.1:{port}/")
        with pytest.raises(RequestError, match=r"cannot be downloaded .*timed out"):
            build(weights="imagenet")
    with pytest.raises(RequestError) as refused:
        build(weights="imagenet")
    assert f"/{name}" in str(refused.value)
    assert f"save the file as {tmp_path}/models/{name}, or save it elsewhere and set model.weights to its path" in str(
        refused.value
    )
    assert capsys.readouterr().out == ""
    assert socket.getdefaulttimeout() is None
    assert keras.utils.get_file is sys.modules[keras.utils.get_file.__module__].get_file


# -- runs -------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def run(trained, weights, tmp_path_factory):
    """A run whose last layers are trained, its result, and its file of weights."""
    own = tmp_path_factory.mktemp("own") / "mine.weights.h5"
    own.write_bytes((weights / "own.weights.h5").read_bytes())
    outputs = tmp_path_factory.mktemp("outputs")
    return *trained(*RUN, f"model.weights={own}", outputs=outputs), own


def test_frozen_layers_keep_their_weights_and_the_others_learn(run, weights):
    folder, result, _ = run
    expected = network()
    expected.load_weights(weights / "own.weights.h5")
    after = inner(keras.saving.load_model(folder / "model.keras"))
    names = [layer.name for layer in after.layers]
    last = names.index("conv_dw_13_relu")
    for number, (layer, before) in enumerate(zip(after.layers, expected.layers, strict=True)):
        pairs = zip(layer.get_weights(), before.get_weights(), strict=True)
        same = [np.array_equal(mine, theirs) for mine, theirs in pairs]
        assert all(same) if number <= last else not any(same) or not same, layer.name
    head = 256 * 256 + 2 * 256  # the last convolution and its normalisation; its running statistics are not trained
    assert result["parameters"] == head + 256 * 10 + 10


def test_saved_model_takes_raw_images(run, configure):
    folder, _, _ = run
    images = load(configure("data=digits").data).x_test
    logits = keras.saving.load_model(folder / "model.keras").predict(images, verbose=0)
    recorded_probabilities = np.load(folder / "predictions.npz")["probabilities"]
    np.testing.assert_allclose(keras.ops.softmax(logits), recorded_probabilities, atol=1e-5)


@pytest.mark.long
def test_run_is_exported(run, tmp_path, monkeypatch):
    monkeypatch.setattr(agreement, "TOLERANCE", 1e-3)  # 27 layers of random weights multiply rounding by a hundred
    export(str(run[0]), Path("none"), "onnx", tmp_path / "onnx", trust=False)
    assert (tmp_path / "onnx" / "model.onnx").exists()


def test_other_weights_at_the_same_path_are_other_code(run, configure, weights):
    folder, result, own = run
    config = configure(*RUN, f"model.weights={own}", f"outputs={folder.parent.parent}")
    assert list(result["code"]) == [str(own)]
    assert recorded(config) == result
    own.write_bytes((weights / "top.weights.h5").read_bytes())
    with pytest.raises(RequestError, match=f"recorded with other code: {own} had SHA-256 .* and now has"):
        recorded(config)
    assert recorded(config.model_copy(update={"code": "any"})) == result
    own.unlink()
    assert recorded(config) == result
