import json
import shutil
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fitbench.config import Backend
from fitbench.data.loading import load
from fitbench.errors import FitbenchError, RequestError
from fitbench.inference.reader import configuration, open_run, open_runs
from fitbench.record import reading


@pytest.fixture
def copied(trained, tmp_path) -> Path:
    """Return a copy of the trained run, which tests may change."""
    return shutil.copytree(trained, tmp_path / "copied" / trained.name)


@pytest.fixture
def save(copied):
    """Return a function that replaces the model of the copied run, and returns the run's folder."""

    def put(model) -> Path:
        model.save(copied / "model.keras")
        return copied

    return put


def edit(path: Path, change: Callable[[dict], None]) -> None:
    """Change the JSON object in a file."""
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def repack(path: Path, **members: Callable[[bytes], bytes]) -> None:
    """Change members of a zip archive; `config` is config.json, `weights` model.weights.h5."""
    names = {"config.json": "config", "model.weights.h5": "weights"}
    with zipfile.ZipFile(path) as file:
        content = {name: file.read(name) for name in file.namelist()}
    with zipfile.ZipFile(path, "w") as file:
        for name, data in content.items():
            file.writestr(name, members.get(names.get(name, ""), bytes)(data))


def layers(config: bytes, change: Callable[[list], None]) -> bytes:
    content = json.loads(config)
    change(content["config"]["layers"])
    return json.dumps(content).encode()


def small(last=None, shape=(28, 28, 1)):
    import keras

    pixels = keras.Input(shape, dtype="uint8")
    x = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(pixels))
    if last is not None:
        x = last(x)
    return keras.Model(pixels, keras.layers.Dense(10)(x))


# -- own runs ---------------------------------------------------------------------------------------------------------


def test_reader_reproduces_the_recorded_predictions(trained):
    reader = open_run(trained)
    data = load(configuration(reader.result, trained).data)
    recorded = reading.read_predictions(trained, reader.result)
    probabilities = reader.predictions(data.x_test)
    assert np.abs(probabilities - recorded.outputs).max() < 1e-5
    assert (probabilities.argmax(axis=1) == data.y_test).mean() == reader.result["metrics"]["test_accuracy"]
    assert np.abs(reader.outputs(data.x_test[:7]) - reader.outputs(data.x_test)[:7]).max() < 1e-4
    assert (reader.inputs.shape, reader.names, reader.run_id) == ((28, 28, 1), tuple("0123456789"), trained.name)


def test_unfinished_run_is_refused(copied):
    (copied / "result.json").rename(copied / "pruned.json")
    with pytest.raises(FitbenchError, match="the run is pruned; only a finished run has a model"):
        open_run(copied)
    (copied / "pruned.json").unlink()
    with pytest.raises(FitbenchError, match="the run is interrupted; only a finished run has a model"):
        open_run(copied)


def test_unknown_task_is_refused(copied):
    edit(copied / "result.json", lambda result: result.update(task="regresion"))
    with pytest.raises(FitbenchError, match=r"result\.json: there is no task 'regresion'; did you mean regression"):
        open_run(copied)


@pytest.mark.parametrize("classes", [None, []])
def test_run_without_class_names_is_refused(copied, classes):
    edit(copied / "result.json", lambda result: result["data"].update(classes=classes))
    with pytest.raises((RequestError, FitbenchError), match=r"result\.json: .*classes"):
        open_run(copied)


def test_all_files_are_checked_before_a_model_is_loaded(trained, copied, monkeypatch):
    (copied / "model.keras").write_bytes(b"no zip")
    import keras

    monkeypatch.setattr(keras.saving, "load_model", lambda *_, **__: pytest.fail("loaded"))
    with pytest.raises(FitbenchError, match=r"model\.keras: .*expected a model saved by Keras 3"):
        open_runs([trained, copied])


def test_model_is_loaded_on_the_backend_of_the_run(copied):
    edit(copied / "result.json", lambda result: result["config"].update(backend="jax"))
    with pytest.raises(RequestError, match="this process has loaded Keras with tensorflow"):
        open_run(copied)
    assert open_run(copied, on=Backend.tensorflow).run_id == copied.name
    edit(copied / "result.json", lambda result: result["config"].update(backend="os.system"))
    with pytest.raises(FitbenchError, match=r"config\.backend is 'os.system'; expected tensorflow or jax"):
        open_run(copied)


def test_configuration_of_an_older_run_gets_defaults_for_newer_keys(trained, copied):
    result = reading.read_result(trained)
    del result["config"]["threads"]
    assert configuration(result, trained).threads == "auto"
    del result["config"]["training"]["loss"]
    with pytest.raises(FitbenchError, match=r"result\.json: config: training\.loss is missing"):
        configuration(result, trained)


# -- untrusted runs: nothing is executed ------------------------------------------------------------------------------


@pytest.fixture
def marker(tmp_path, monkeypatch) -> Path:
    """Return the path of a file that untrusted code creates when it is called."""
    monkeypatch.setenv("FITBENCH_MARKER", str(tmp_path / "marker"))
    return tmp_path / "marker"


def test_lambda_is_refused_and_not_called(save, marker):
    import keras

    code = lambda x: [__import__("pathlib").Path(__import__("os").environ["FITBENCH_MARKER"]).touch(), x][1]  # noqa: E731
    folder = save(small(keras.layers.Lambda(code, output_shape=(784,))))
    marker.unlink(missing_ok=True)  # building the model called the code
    with pytest.raises(FitbenchError, match=r"needs keras\.layers\.Lambda, .* add --trust") as caught:
        open_run(folder)
    assert str(caught.value).startswith(f"{folder}/model.keras: ")
    assert not marker.exists()
    open_run(folder, trust=True)
    assert marker.exists()


def with_activation(activation: object) -> Callable[[list], None]:
    """Return a function that sets the activation of the last layer of a model."""

    def change(model_layers: list) -> None:
        [dense] = [layer for layer in model_layers if layer["name"] == "logits"]
        dense["config"]["activation"] = activation

    return change


def test_layer_of_another_module_is_refused_and_not_imported(copied, tmp_path, monkeypatch):
    (tmp_path / "evil.py").write_text(f"open({str(tmp_path / 'marker')!r}, 'w')\nclass Layer: pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    evil = {"module": "evil", "class_name": "Layer", "config": {}, "registered_name": "evil>Layer"}
    repack(copied / "model.keras", config=lambda data: layers(data, lambda model_layers: model_layers.insert(1, evil)))
    with pytest.raises(FitbenchError, match=r"needs evil\.Layer, .* add --trust"):
        open_run(copied)
    assert not (tmp_path / "marker").exists()
    assert "evil" not in sys.modules


@pytest.mark.parametrize(
    ("activation", "message"),
    [
        ({"module": "builtins", "class_name": "function", "config": "eval", "registered_name": "function"}, "'eval'"),
        ({"module": "keras.layers", "class_name": "Nothing", "config": {}, "registered_name": None}, "Nothing"),
        ("__import__('os').system('touch marker')", "Could not interpret activation"),
    ],
)
def test_object_unknown_to_keras_is_refused_in_one_line(copied, tmp_path, monkeypatch, activation, message):
    monkeypatch.chdir(tmp_path)

    repack(copied / "model.keras", config=lambda data: layers(data, with_activation(activation)))
    with pytest.raises(FitbenchError, match="Keras cannot load it") as caught:
        open_run(copied)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "marker").exists()


def test_weights_in_another_file_are_not_read(copied, tmp_path):
    import h5py

    (tmp_path / "secret").write_bytes(b"\x00" * 4096)

    def external(data: bytes) -> bytes:
        path = tmp_path / "weights.h5"
        path.write_bytes(data)
        with h5py.File(path, "r+") as file:
            kernel = file["layers/dense/vars/0"]
            shape, parent = kernel.shape, kernel.parent
            del parent["0"]
            parent.create_dataset("0", shape, "f4", external=[(str(tmp_path / "secret"), 0, h5py.h5f.UNLIMITED)])
        return path.read_bytes()

    repack(copied / "model.keras", weights=external)
    with pytest.raises(FitbenchError, match="Keras cannot load it"):
        open_run(copied)


def test_damaged_weights_are_refused(copied):
    repack(copied / "model.keras", weights=lambda data: data[: len(data) // 2])
    with pytest.raises(FitbenchError, match="expected a model saved by Keras 3"):
        open_run(copied)


def test_model_with_another_number_of_classes_is_refused(copied, save):
    edit(copied / "result.json", lambda result: result["data"].update(classes=["a", "b", "c"]))
    with pytest.raises(FitbenchError, match=r"the model has \(10,\) outputs per image; result.json has 3 classes"):
        open_run(copied)


def test_model_that_does_not_take_images_is_refused(save):
    import keras

    vector = keras.Input((784,))
    with pytest.raises(FitbenchError, match=r"takes \(None, 784\); expected images, \[batch, height,"):
        open_run(save(keras.Model(vector, keras.layers.Dense(10)(vector))))
    with pytest.raises(FitbenchError, match=r"takes images of 2 channels; expected 1 .* or 3"):
        open_run(save(small(shape=(28, 28, 2))))


def test_configuration_file_is_never_instantiated(copied, tmp_path):
    marker = tmp_path / "marker"
    (copied / "config.yaml").write_text(f"model:\n  _target_: os.system\n  command: touch {marker}\n")
    edit(copied / "result.json", lambda result: result["config"]["model"].update(_target_="os.system", command="x"))
    assert open_run(copied).inputs.shape == (28, 28, 1)
    assert open_run(copied, trust=True).inputs.shape == (28, 28, 1)
    assert not marker.exists()


# -- trusted ----------------------------------------------------------------------------------------------------------

MINE = """
import keras

@keras.saving.register_keras_serializable(package="mine")
class Twice(keras.layers.Layer):
    def call(self, x):
        return 2 * x

def net(input_shape, classes):
    pixels = keras.Input(input_shape, dtype="uint8")
    x = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(pixels))
    return keras.Model(pixels, Twice()(keras.layers.Dense(classes)(x)))

def plain(input_shape, classes):
    pixels = keras.Input(input_shape, dtype="uint8")
    return keras.Model(pixels, keras.layers.Dense(classes)(keras.layers.Flatten()(pixels)))
"""


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """Return a module of the user, on the path."""
    (tmp_path / "mine.py").write_text(MINE)
    monkeypatch.syspath_prepend(tmp_path)
    forget()
    import mine

    yield mine
    forget()


def forget() -> None:
    """Remove the module and its layers, as in a new process."""
    import keras

    sys.modules.pop("mine", None)
    keras.saving.get_custom_objects().pop("mine>Twice", None)


def test_own_layer_needs_trust_and_its_module(mine, save, monkeypatch):
    folder = save(mine.net((28, 28, 1), 10))
    forget()
    with pytest.raises(FitbenchError, match=r"needs mine\.Twice, .* add --trust"):
        open_run(folder)
    assert "mine" not in sys.modules
    images = np.full((3, 28, 28, 1), 200, np.uint8)
    assert open_run(folder, trust=True).outputs(images).shape == (3, 10)
    forget()
    monkeypatch.setattr(sys, "path", [place for place in sys.path if not (Path(place) / "mine.py").exists()])
    with pytest.raises(FitbenchError, match=r"needs the module mine, which cannot be imported .* PYTHONPATH"):
        open_run(folder, trust=True)


def test_own_function_of_plain_layers_needs_no_trust(mine, save):
    folder = save(mine.plain((28, 28, 1), 10))
    edit(folder / "result.json", lambda result: result["config"]["model"].update(_target_="mine.plain"))
    forget()
    assert open_run(folder).outputs(np.zeros((3, 28, 28, 1), np.uint8)).shape == (3, 10)
    assert "mine" not in sys.modules
