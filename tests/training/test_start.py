"""training.start and training.freeze: weights of an earlier run, by name and shapes, and layers that keep them."""

import importlib
import logging
import shutil
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from fitbench.analysis.show import show
from fitbench.config import config_id, from_values, plain
from fitbench.errors import RequestError
from fitbench.record.parents import MODEL, checksum
from fitbench.record.reading import read_result

FCN = (
    "data=npz", "data.inputs=series", "data.standardize=channel", "model=fcn", "model.filters=[4,4]",
    "model.kernel_sizes=[3,3]", "training.epochs=2", "training.early_stopping=null",
)  # fmt: skip


def write_series(path: Path, classes: int, seed: int) -> None:
    chance = np.random.default_rng(seed)
    arrays = {f"x_{part}": chance.normal(seed, 2, (60, 12, 2)).astype(np.float32) for part in ("train", "test")}
    np.savez(path, **arrays, y_train=np.arange(60) % classes, y_test=np.arange(60) % classes)


@pytest.fixture(scope="module")
def outputs(tmp_path_factory):
    outputs = tmp_path_factory.mktemp("outputs")
    for name, classes in (("two", 2), ("other", 2), ("three", 3)):
        write_series(outputs / f"{name}.npz", classes, seed=classes + len(name))
    return outputs


@pytest.fixture(scope="module")
def base(outputs, launched):
    """The folder of a run of two classes. Its saved model is one inside of another, which standardises the series."""
    return launched(outputs, *FCN, f"data.path={outputs}/two.npz", "study=base")[0]


def weights(folder: Path) -> dict[str, list[np.ndarray]]:
    """The weights of a saved model by the names of its layers, at any depth."""

    def of(model: keras.Model) -> dict[str, list[np.ndarray]]:
        found = {}
        for layer in model.layers:
            found |= of(layer) if isinstance(layer, keras.Model) else {layer.name: layer.get_weights()}
        return found

    return {
        name: arrays for name, arrays in of(keras.saving.load_model(folder / MODEL, compile=False)).items() if arrays
    }


def same(these: list[np.ndarray], those: list[np.ndarray]) -> bool:
    return all(np.allclose(a, b, rtol=0, atol=1e-20) for a, b in zip(these, those, strict=True))


def test_layers_take_the_weights_and_frozen_ones_keep_them(outputs, base, launched, capsys):
    overrides = (*FCN, f"data.path={outputs}/other.npz", "training.freeze=[conv1d*,batch_normalization*]")
    folder, result, _ = launched(outputs, *overrides, f"training.start={base.name}")
    ours, theirs = weights(folder), weights(base)
    assert set(ours) == set(theirs) == {
        "conv1d", "conv1d_1", "batch_normalization", "batch_normalization_1", "logits",
    }  # fmt: skip
    assert [name for name in ours if not same(ours[name], theirs[name])] == ["logits"]  # with the moving statistics
    assert read_result(folder)["start"] == {"run_id": base.name, "layers": list(ours), "left_out": []}
    assert result["parameters"] == 4 * 2 + 2
    assert result["config"]["training"]["start"]["sha256"] == checksum(base, MODEL)
    assert capsys.readouterr().err == ""

    show(folder.name, outputs, "table")
    assert f"weights from {base.name}\n" in capsys.readouterr().out


def test_weights_are_there_before_the_first_step(outputs, base, launched):
    """A step of a learning rate that is hardly above 0 leaves them as they were."""
    overrides = (*FCN, f"data.path={outputs}/two.npz", "optimizer=sgd", "optimizer.learning_rate=1e-30")
    folder, result, _ = launched(outputs, *overrides, f"training.start={base}")
    ours, theirs = weights(folder), weights(base)
    for name in ("conv1d", "conv1d_1", "logits"):
        assert same(ours[name], theirs[name])
    assert result["parameters"] == read_result(base)["parameters"]


def test_layer_of_another_shape_is_left_out_and_named(outputs, base, launched, capsys, caplog):
    caplog.set_level(logging.INFO)
    _, result, _ = launched(outputs, *FCN, f"data.path={outputs}/three.npz", f"training.start={base}")
    assert result["start"]["left_out"] == ["logits"]
    assert len(result["start"]["layers"]) == 4
    assert f"weights of {base.name}: 4 layers; layers with new weights: logits" in capsys.readouterr().err
    assert "its shapes are 4x2 and 2, here they are 4x3 and 3" in caplog.text


def test_model_that_is_not_the_newest_of_the_process_has_the_same_names(outputs, base, launched):
    """Keras numbers the names of layers by what the process has built. Seeds one after another share what they can."""
    overrides = (*FCN, f"data.path={outputs}/two.npz", f"training.start={base}", "training.epochs=1")
    results = [launched(outputs, *overrides, f"seed={seed}")[1] for seed in (1, 2)]
    assert results[0]["start"] == results[1]["start"]
    assert len(results[1]["start"]["layers"]) == 5


def test_statistics_of_the_new_data_stay(launched, tmp_path, capsys):
    """Layers that are adapted to the data are those of the data, and other classes of the same number are noted."""
    chance = np.random.default_rng(0)
    for name, brightness in (("dark", 50), ("bright", 200)):
        images = chance.integers(brightness - 20, brightness + 20, (40, 4, 4, 1)).astype(np.uint8)
        np.savez(
            tmp_path / f"{name}.npz", x_train=images, x_test=images, y_train=np.arange(40) % 2,
            y_test=np.arange(40) % 2, classes=[f"{name}_a", f"{name}_b"],
        )  # fmt: skip
    overrides = ("data=npz", "data.max_value=255", "model=logistic_ovr", "training.epochs=1")
    overrides = (*overrides, "training.early_stopping=null", "optimizer=sgd")
    dark = launched(tmp_path, *overrides, f"data.path={tmp_path}/dark.npz", "optimizer.learning_rate=0.1")[0]
    folder, result, _ = launched(
        tmp_path,
        *overrides,
        f"data.path={tmp_path}/bright.npz",
        "optimizer.learning_rate=1e-30",
        f"training.start={dark}",
    )
    ours, theirs = weights(folder), weights(dark)
    assert result["start"]["layers"] == ["logits"]
    assert same(ours["logits"], theirs["logits"])
    assert "has the outputs dark_a, dark_b, this run has bright_a, bright_b; the last layer" in capsys.readouterr().err
    with np.load(tmp_path / "bright.npz") as arrays:
        assert np.allclose(ours["standardised"][0], arrays["x_train"].mean(axis=0))


TOWERS = """
import keras

def net(input_shape, outputs, sides=("left", "right"), **settings):
    given = keras.Input(input_shape)
    flat = keras.layers.Flatten()(given)
    towers = [
        keras.Sequential([keras.Input(flat.shape[1:]), keras.layers.Dense(3, name="features")], name=name)(flat)
        for name in sides
    ]
    return keras.Model(given, keras.layers.Dense(outputs, name="head")(keras.layers.Average()(towers)))
"""


def test_layers_of_the_same_name_are_told_apart_by_the_models_they_lie_in(
    outputs, launched, tmp_path, monkeypatch, caplog
):
    """The saved model of the first run lies in one that standardises, that of the second one does not."""
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "net_of_towers.py").write_text(TOWERS)
    importlib.invalidate_caches()
    data = ("data=npz", "data.inputs=series", f"data.path={outputs}/two.npz", "training.epochs=1")
    data = (*data, "model=mlp", "model._target_=net_of_towers.net")
    first, _, _ = launched(outputs, *data, "data.standardize=channel", "study=towers")
    command = (outputs, *data, f"training.start={first}", "study=towers")
    second, result, _ = launched(*command, "training.freeze=[left/features,head]")
    assert result["start"]["layers"] == ["left/features", "right/features", "head"]
    theirs, ours = (keras.saving.load_model(folder / MODEL, compile=False) for folder in (first, second))
    theirs = theirs.layers[-1]
    assert not same(theirs.get_layer("left").get_weights(), theirs.get_layer("right").get_weights())
    kept = [
        name
        for name in ("left", "right", "head")
        if same(ours.get_layer(name).get_weights(), theirs.get_layer(name).get_weights())
    ]
    assert kept == ["left", "head"]
    assert launched(*command, "training.freeze=[features]")[1]["parameters"] == 3 * 2 + 2
    caplog.set_level(logging.INFO)
    _, result, _ = launched(*command, "+model.sides=[left,middle]")
    assert "middle/features begins with new weights" in caplog.text
    assert "no layer has this path, and several have this name" in caplog.text
    assert result["start"] == {
        "run_id": first.name, "layers": ["left/features", "head"], "left_out": ["middle/features"],
    }  # fmt: skip
    sys.modules.pop("net_of_towers")


def test_other_columns_targets_and_scale_are_noted(launched, tmp_path, capsys):
    chance = np.random.default_rng(0)
    for name, columns in (("first", "age,height,price"), ("second", "height,age,rent")):
        np.savetxt(tmp_path / f"{name}.csv", chance.normal(size=(60, 3)), delimiter=",", header=columns, comments="")
    overrides = ("data=csv", "model=mlp", "training.epochs=1", "data.test_fraction=0.2")
    first, _, _ = launched(
        tmp_path, *overrides, f"data.path={tmp_path}/first.csv", "data.target=price", "model.hidden=[4]",
        "training.standardize_targets=true",
    )  # fmt: skip
    capsys.readouterr()
    _, result, _ = launched(
        tmp_path, *overrides, f"data.path={tmp_path}/second.csv", "data.target=rent", "model.hidden=[4,4]",
        f"training.start={first}",
    )  # fmt: skip
    assert result["start"]["left_out"] == ["dense_1"]
    err = capsys.readouterr().err
    assert f"{first.name} was trained with other columns (column 1 of the input was age, and is height now)" in err
    assert f"{first.name} has the outputs price, this run has rent; the last layer" in err
    assert f"{first.name} has training.standardize_targets=true, this run has false; the last layer begins" in err


def test_start_is_the_model_and_not_its_place(composer, outputs, base, tmp_path):
    def config(text: str):
        return composer.configuration(
            [*FCN, f"data.path={outputs}/two.npz", f"outputs={outputs}", f"training.start={text}"]
        )

    shutil.copytree(base, tmp_path / "elsewhere" / base.name)
    configs = [config(text) for text in (base.name, str(base), base.name[:-2], f"base/{base.name}")]
    assert {config_id(each) for each in [*configs, config(str(tmp_path / "elsewhere" / base.name))]} == {
        config_id(configs[0])
    }
    assert from_values(plain(configs[0])) == configs[0]
    assert configs[0].training.start.run_id == base.name


OWN = """
import keras

@keras.saving.register_keras_serializable("own")
class Twice(keras.layers.Layer):
    def call(self, x):
        return 2 * x

def net(input_shape, outputs, **settings):
    given = keras.Input(input_shape)
    x = keras.layers.Flatten()(Twice()(given))
    return keras.Model(given, keras.layers.Dense(outputs)(x))
"""


def test_model_with_layers_of_the_user_is_refused(outputs, launched, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "net_of_own_layers.py").write_text(OWN)
    importlib.invalidate_caches()
    data = ("data=npz", f"data.path={outputs}/two.npz", "training.epochs=1")
    own, _, _ = launched(outputs, *data, "model=mlp", "model._target_=net_of_own_layers.net", "study=own")
    with pytest.raises(
        RequestError, match=r"training.start: .*model.keras needs net_of_own_layers.Twice, code of your"
    ):
        launched(outputs, *data, "model=mlp", f"training.start={own}")
    sys.modules.pop("net_of_own_layers")


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["training.start={base}", "model.filters=[5]", "model.kernel_sizes=[5]"], "fits one of .*conv1d: its shapes"),
        (
            ["training.start={base}", "model.filters=[5,5]"],
            "no layer of this model fits .*shapes are 3x2x4 and 4, here",
        ),
        (["training.start=absent"], "training.start: 'absent' fits none of the"),
        (["training.start={unfinished}"], "training.start: .* is interrupted; the run must be finished"),
        (["training.freeze=[conv2d]"], "training.freeze: no layer fits 'conv2d'; did you mean conv1d.? The model has "),
        (["training.freeze=['*']"], r"training.freeze: \* leaves no weight to train"),
    ],
)
def test_wrong_request_is_refused(outputs, base, launched, tmp_path, overrides, message):
    unfinished = tmp_path / "unfinished"
    unfinished.mkdir()
    shutil.copy(base / "config.yaml", unfinished)
    given = [override.format(base=base, unfinished=unfinished) for override in overrides]
    with pytest.raises(RequestError, match=message):
        launched(outputs, *FCN, f"data.path={outputs}/two.npz", *given)


def test_model_that_a_solver_computes_begins_with_no_weights(composer):
    with pytest.raises(RequestError, match=r"training.freeze must be \[\] for a model that is computed by its solver"):
        composer.configuration(["data=digits", "model=nearest_mean", "training.freeze=[logits]"])
