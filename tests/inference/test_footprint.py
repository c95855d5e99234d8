"""The memory that a model may take: config.json cannot claim more than the weights hold, nor enormous tensors."""

import io
import math
import resource
import shutil
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from fitbench.composition import conf_folder
from fitbench.config import Backend
from fitbench.config.builders import check_takes
from fitbench.errors import FitbenchError, RequestError
from fitbench.inference.reader import open_run
from fitbench.kinds import KINDS
from fitbench.record.safety import check
from fitbench.training import backend

from .small_data import small


@pytest.fixture(scope="module", autouse=True)
def keras():
    backend.load(Backend.tensorflow)
    import keras

    return keras


def loaded(path: Path):
    """Load a model as a stranger's, and check what it computes."""
    from fitbench.inference.footprint import compile_model
    from fitbench.training.saved_model import load_model

    model = load_model(path, check(path, trust=False).numbers)
    compiled = compile_model(model, model.input_shape[1:], model.inputs[0].dtype)
    compiled.check()
    return model, compiled


def assert_loads(model, folder: Path) -> None:
    model.save(folder / "model.keras")
    copy, compiled = loaded(folder / "model.keras")
    for own, copied in zip(model.get_weights(), copy.get_weights(), strict=True):
        np.testing.assert_array_equal(own, copied)
    assert compiled.largest >= math.prod(model.input_shape[1:])


def takes(model: dict[str, Any], kind: str) -> bool:
    try:
        check_takes(model, kind, kind)
    except RequestError:
        return False
    return True


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(file.stem, marks=[pytest.mark.long] * (file.stem == "pretrained"))
        for file in sorted((conf_folder() / "model").glob("*.yaml"))
    ],
)
def test_every_model_of_the_configuration_loads(configure, tmp_path, name):
    from fitbench.training.building import build
    from fitbench.training.objective import Objective

    offline = ("model.weights=null", "model.freeze=null", "model.image_size=[32,32]") if name == "pretrained" else ()
    config = configure("data=npz", "data.path=any.npz", f"model={name}", *offline)  # data of any kind
    data = small(next(kind for kind in KINDS if takes(config.model, kind)))
    assert_loads(build(config, data, Objective.of(config, data)), tmp_path)


def test_models_of_other_kinds_load(keras, tmp_path):
    """Shared layers, nested models, normalization, recurrent layers, attention, embeddings, and mixed precision."""
    layers = keras.layers
    images = keras.Input((8, 8, 1), dtype="uint8")
    x = layers.Rescaling(1 / 255, dtype="mixed_float16")(images)
    shared = layers.Conv2D(4, 3, padding="same", dtype="mixed_float16")
    x = layers.BatchNormalization()(layers.Add()([shared(x), shared(layers.ZeroPadding2D(1)(layers.MaxPooling2D()(
        layers.UpSampling2D(2)(layers.Cropping2D(1)(x)))))]))  # fmt: skip
    x = layers.Dropout(0.5)(layers.RandomFlip()(x))
    inner = keras.Sequential([keras.Input((64, 4)), layers.Bidirectional(layers.LSTM(3, return_sequences=True))])
    sequence = inner(layers.Reshape((64, 4))(x))
    attended = layers.MultiHeadAttention(2, 3)(sequence, sequence)
    levels = layers.GlobalAveragePooling1D()(layers.Embedding(256, 5)(layers.Flatten()(images)))
    features = layers.Concatenate()([layers.Flatten()(attended), levels])
    assert_loads(keras.Model(images, layers.Dense(10)(features)), tmp_path)


def replace(path: Path, old: str, new: str) -> None:
    """Replace a text in the config.json of a model."""
    with zipfile.ZipFile(path) as file:
        content = {name: file.read(name) for name in file.namelist()}
    assert old.encode() in content["config.json"]
    content["config.json"] = content["config.json"].replace(old.encode(), new.encode())
    with zipfile.ZipFile(path, "w") as file:
        for name, member in content.items():
            file.writestr(name, member)


WEIGHTS, TENSORS = "config.json describes weights of the shape", "for one example, it computes"


@pytest.mark.parametrize(
    ("layer", "settings", "old", "new", "message"),
    [
        ("Dense", {"units": 7}, '"units": 7', '"units": 300000000', WEIGHTS),
        ("Conv2D", {"filters": 7, "kernel_size": 3}, '"filters": 7', '"filters": 900000000', WEIGHTS),
        ("DepthwiseConv2D", {"kernel_size": 3}, '_multiplier": 1', '_multiplier": 900000000', WEIGHTS),
        ("Embedding", {"input_dim": 256, "output_dim": 1}, '"input_dim": 256', '"input_dim": 3000000000', WEIGHTS),
        ("UpSampling2D", {"size": 2}, '"size": [2, 2]', '"size": [9000, 9000]', TENSORS),
        ("ZeroPadding2D", {"padding": 3}, "[3, 3]", "[90000, 90000]", TENSORS),
        ("Resizing", {"height": 9, "width": 8}, '"height": 9', '"height": 900000000', TENSORS),
        ("Conv2D", {"filters": 7, "kernel_size": 3, "dilation_rate": 2, "padding": "same"},
         '"dilation_rate": [2, 2]', '"dilation_rate": [20000, 20000]', TENSORS),
        ("Rescaling", {"scale": 1}, "[null, 28, 28, 1]", "[null, 40000, 40000, 1]", TENSORS),
    ],
)  # fmt: skip
def test_configuration_that_claims_much_memory_is_refused(keras, tmp_path, layer, settings, old, new, message):
    images = keras.Input((28, 28, 1), dtype="uint8")
    x = getattr(keras.layers, layer)(**settings)(keras.layers.Rescaling(1.0)(images))
    x = keras.layers.Flatten()(x)[:, :7] if layer == "Embedding" else keras.layers.GlobalAveragePooling2D()(x)
    path = tmp_path / "model.keras"
    keras.Model(images, keras.layers.Dense(10)(x)).save(path)
    replace(path, old, new)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(FitbenchError, match=message):
        loaded(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500_000  # kB


def test_layer_inside_of_a_model_that_attends_to_a_million_positions_is_refused(keras, tmp_path):
    images = keras.Input((28, 28, 1), dtype="uint8")
    x = keras.layers.Reshape((784 * 81, 1))(keras.layers.UpSampling2D(9)(images))
    x = keras.layers.GlobalAveragePooling1D()(keras.layers.MultiHeadAttention(1, 1)(x, x))
    keras.Model(images, keras.layers.Dense(10)(x)).save(tmp_path / "model.keras")
    with pytest.raises(FitbenchError, match=r"4,032,758,016 of them in one tensor; .* add --trust"):
        loaded(tmp_path / "model.keras")


def with_weights(path: Path, change) -> None:
    """Change the model.weights.h5 of a model."""
    with zipfile.ZipFile(path) as file:
        content = {name: file.read(name) for name in file.namelist()}
    weights = io.BytesIO(content["model.weights.h5"])
    with h5py.File(weights, "r+") as file:
        change(file)
    content["model.weights.h5"] = weights.getvalue()
    with zipfile.ZipFile(path, "w") as file:
        for name, member in content.items():
            file.writestr(name, member)


def test_weights_that_are_not_in_the_file_are_refused(keras, tmp_path):
    path = tmp_path / "model.keras"
    model = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Flatten(), keras.layers.Dense(2)])

    def claim(file: h5py.File) -> None:
        file.create_dataset("more", (30_000, 30_000), "f4", chunks=(1000, 1000), compression="gzip")

    def link(file: h5py.File) -> None:
        file["more"] = h5py.ExternalLink("/etc/passwd", "/")

    def circle(file: h5py.File) -> None:
        file["more"] = file["layers"]
        file["layers/more"] = file["/"]

    for change, message in ((claim, r"its weights claim 3,600,000,\d+ bytes"), (link, "its weights are linked")):
        model.save(path)
        with_weights(path, change)
        with pytest.raises(FitbenchError, match=f"{path}: {message}"):
            check(path, trust=False)
    model.save(path)
    with_weights(path, circle)
    assert check(path, trust=False).numbers == 34
    assert check(path, trust=True).numbers is None


def test_batches_are_small_where_a_model_computes_large_tensors(keras, trained, tmp_path):
    folder = shutil.copytree(trained, tmp_path / "run")
    images = keras.Input((28, 28, 1), dtype="uint8")
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.UpSampling2D(100)(images))
    keras.Model(images, keras.layers.Dense(10)(x)).save(folder / "model.keras")
    reader = open_run(folder)
    assert reader.batch_size == 2**26 // 7_840_000
    assert reader.outputs(np.zeros((10, 28, 28, 1), np.uint8)).shape == (10, 10)
    assert open_run(trained).batch_size == 1000
