"""Runs with a model of the user's: the code is recorded, and a run never continues with other code unasked."""

import hashlib
import importlib
import sys

import pytest

from fitbench.errors import RequestError
from fitbench.launch.job import recorded
from fitbench.record.history import read_history
from fitbench.record.reading import read_result

NET = """
import keras
import own_activation

def net(input_shape, outputs, **settings):
    pixels = keras.Input(input_shape, dtype="uint8")
    x = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(pixels))
    return keras.Model(pixels, keras.layers.Dense(outputs)(own_activation.function(x)))
"""
ACTIVATION = "from keras.activations import {} as function\n"
STOP = """
import keras

class Stop(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        if epoch == {}:
            raise RuntimeError("stopped here")
"""
OWN = ("own_net", "own_activation", "own_stop")


def test_code_is_recorded_and_a_change_is_refused_before_anything_continues(trained, configure, tmp_path, monkeypatch):
    def write(name: str, text: str) -> None:
        (tmp_path / f"{name}.py").write_text(text)
        for module in OWN:
            sys.modules.pop(module, None)  # as in a new process

    monkeypatch.syspath_prepend(str(tmp_path))
    for name, text in zip(OWN, (NET, ACTIVATION.format("relu"), STOP.format(1)), strict=True):
        write(name, text)
    importlib.invalidate_caches()
    options = (
        "data=digits", "model=mlp", "model._target_=own_net.net", "training.epochs=3", "training.checkpoint_seconds=0",
        "+training.callbacks.stop={_target_: own_stop.Stop}",
    )  # fmt: skip
    with pytest.raises(RuntimeError, match="stopped here"):
        trained(*options, outputs=tmp_path)
    write("own_stop", STOP.format(-1))
    write("own_activation", ACTIVATION.format("tanh"))
    with pytest.raises(RequestError, match=r"with other code: own_activation had .*, own_stop had .*; force=true"):
        trained(*options, outputs=tmp_path)
    write("own_activation", ACTIVATION.format("relu"))
    folder, result = trained(*options, "code=any", outputs=tmp_path)

    assert [line["epoch"] for line in read_history(folder)] == [1, 2, 3]
    expected = {name: hashlib.sha256((tmp_path / f"{name}.py").read_bytes()).hexdigest() for name in sorted(OWN)}
    assert result["code"] == read_result(folder)["code"] == expected
    assert not (folder / "checkpoint").exists()
    config = configure(*options, f"outputs={tmp_path}")
    assert recorded(config) is not None
    write("own_activation", ACTIVATION.format("tanh"))
    with pytest.raises(RequestError, match="is recorded with other code: own_activation had SHA-256"):
        recorded(config)
    for name in OWN:
        sys.modules.pop(name, None)
