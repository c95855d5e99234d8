"""Attributes of callbacks in checkpoints: a resumed run has the state that an undisturbed one has."""

import io
import json
import sys
import threading

import keras
import numpy as np
import pytest

from fitbench.record.folder import folder_of
from fitbench.training import callback_state, checkpoint
from fitbench.training.averaging import AveragedWeights
from fitbench.training.checkpointing import Checkpoints
from fitbench.training.run import Trial, train

OWN = """
import threading

import keras
import numpy as np


class Once(keras.callbacks.Callback):
    # does something once; writes what it knows at the end

    def __init__(self, path, at):
        super().__init__()
        self.path = path
        self.pending = {"at": at}
        self.fired = None
        self.sums = np.zeros((2, 3), np.float32)
        self.counts = {}
        self.pair = (0, [])
        self.seen = set()
        self.helper = None

    def on_train_begin(self, logs=None):
        self.helper = threading.Lock()

    def on_epoch_begin(self, epoch, logs=None):
        if self.helper is not None:  # once in each attempt
            self.helper.acquire()
            self.helper = None

    def on_epoch_end(self, epoch, logs=None):
        self.counts[epoch] = self.counts.get(epoch, 0) + 1
        self.sums += np.float32(0.1) * (epoch + 1)
        self.pair = (epoch, [*self.pair[1], epoch])
        self.seen.add(epoch)
        if self.pending is not None:
            self.pending = None
            self.fired = epoch
            with open(self.path, "a") as file:
                file.write(f"fired {epoch}\\n")

    def on_train_end(self, logs=None):
        with open(self.path, "a") as file:
            file.write(repr((self.counts, self.sums.tolist(), self.sums.dtype, self.pair, self.fired)))
"""
RUN = (
    "data=digits", "model=softmax", "training.epochs=4", "training.checkpoint_seconds=0", "progress=false",
    "+training.callbacks.once={_target_: once_callback.Once, path: '${run_dir:}/fired.txt', at: 0}",
)  # fmt: skip


@pytest.fixture
def own_module(tmp_path, monkeypatch):
    (tmp_path / "once_callback.py").write_text(OWN)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    sys.modules.pop("once_callback", None)


def test_resumed_callback_has_the_state_of_an_undisturbed_one(own_module, configure, tmp_path, capsys, caplog):
    def stop(epoch):
        if epoch["epoch"] == 2:
            raise KeyboardInterrupt
        return False

    whole = configure(*RUN, f"outputs={tmp_path}/whole")
    train(whole, folder_of(whole))
    resumed = configure(*RUN, f"outputs={tmp_path}/resumed")
    with pytest.raises(KeyboardInterrupt):
        train(resumed, folder_of(resumed), Trial(0, stop))
    capsys.readouterr()
    caplog.set_level("INFO")
    train(resumed, folder_of(resumed))
    expected = (folder_of(whole) / "fired.txt").read_text()
    assert expected.startswith("fired 0\n({0: 1, 1: 1, 2: 1, 3: 1}, ")
    assert (folder_of(resumed) / "fired.txt").read_text() == expected
    note = "the callback once: a checkpoint cannot hold the attribute seen (its type is set); it begins anew"
    assert f"fitbench: {note}\n" == capsys.readouterr().err
    assert caplog.text.count(note) == 1


class Own(keras.callbacks.Callback):
    """Of no package of Keras's or fitbench's."""

    def __init__(self, value=None):
        super().__init__()
        self.value = value


def passed_through_files(callback, tmp_path):
    attributes, arrays = callback_state.state_of(callback, "attribute-0")
    state = checkpoint.Checkpoint(
        run_id=tmp_path.name, versions=checkpoint.current_versions(), epoch=1, stopped=False, seconds=1.0,
        fit_seconds=1.0, data_sha256="sha", history=[{"epoch": 1}], callbacks=[attributes], arrays=arrays,
    )  # fmt: skip
    checkpoint.write(tmp_path, state)
    return checkpoint.read(tmp_path)


HELD = [
    None, True, 3, 10**100, 0.1, float("inf"), "text", "\ud800", [], {}, (), [1, [2, None]], (1, (2, [3])),
    {"a": {"b": [1]}}, {0: 1, "0": 2, None: 3, 1.5: 4, (1, "x"): 5}, {"$array": "no array"}, {"$left_out": "set"},
    {"a": {1: (2, {"$x": None})}},
]  # fmt: skip


@pytest.mark.parametrize("value", HELD, ids=repr)
def test_plain_values_come_back_as_they_were(tmp_path, value):
    read = passed_through_files(Own(value), tmp_path)
    values, left_out = callback_state.restored(read.callbacks[0], read.arrays)
    assert repr(values["value"]) == repr(value)  # repr tells 1 from True and a tuple from a list
    assert not left_out


ARRAYS = [
    np.arange(6, dtype=np.uint8).reshape(2, 3).T, np.array(0.1, np.float32), np.zeros((0, 3), np.int64),
    np.array([1 + 2j], np.complex64), np.array([True, False]), np.array([np.nan, -0.0], ">f8"), np.array(["a", "bcd"]),
    np.array(["2020-01-01"], "datetime64[D]"),
]  # fmt: skip


@pytest.mark.parametrize("array", ARRAYS, ids=lambda array: str(array.dtype))
def test_arrays_come_back_to_the_bit_wherever_they_are(tmp_path, array):
    callback = Own({1: [array, (array + array if array.dtype.kind in "iufc" else array,)]})
    callback.other = array
    before = array.tobytes()
    read = passed_through_files(callback, tmp_path)
    values, _ = callback_state.restored(read.callbacks[0], read.arrays)
    for restored in (values["other"], values["value"][1][0]):
        assert (restored.dtype, restored.shape, restored.tobytes()) == (array.dtype, array.shape, before)
        assert restored.flags.writeable


def test_state_is_a_copy():
    callback = Own([np.zeros(2)])
    callback.losses = [1.0]
    attributes, arrays = callback_state.state_of(callback, "attribute-0")
    callback.value[0] += 1
    callback.losses.append(2.0)
    values, _ = callback_state.restored(attributes, arrays)
    assert (values["value"][0].tolist(), values["losses"]) == ([0.0, 0.0], [1.0])


def nested(levels):
    value: list = []
    for _ in range(levels):
        value = [value]
    return value


def circular():
    value: list = []
    value.append(value)
    return value


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ({1, 2}, "set"),
        ([{1, 2}], "list with a set"),
        (b"bytes", "bytes"),
        (np.array([{}, None]), "ndarray"),
        (np.zeros(2**24 + 2**20, np.int8), "ndarray of 17 MiB"),
        (np.ma.array([1, 2], mask=[0, 1]), "MaskedArray"),
        (Own(), "Own"),
        (10**5000, "int"),
        (nested(500), "list with a list"),
        (circular(), "list"),
    ],
    ids=["set", "list", "bytes", "objects", "large", "masked", "own", "number", "deep", "circular"],
)
def test_what_a_checkpoint_cannot_hold_is_named(tmp_path, value, kind):
    read = passed_through_files(Own(value), tmp_path)
    values, left_out = callback_state.restored(read.callbacks[0], read.arrays)
    assert "value" not in values
    assert left_out == {"value": kind}


@pytest.mark.parametrize(
    "value",
    [len, np.sum, io.StringIO(), io, Own, lambda: 1, keras.layers.Dense(2)],
    ids=["built-in", "function", "file", "module", "class", "lambda", "layer"],
)
def test_what_is_no_state_is_not_named(value):
    attributes, arrays = callback_state.state_of(Own(value), "attribute-0")
    assert attributes == {"_model": None}
    assert not arrays


def test_keras_own_callbacks_are_not_named(tmp_path):
    callback = keras.callbacks.CSVLogger(str(tmp_path / "epochs.csv"))
    callback.keys = {1}
    assert "$left_out" not in json.dumps(callback_state.state_of(callback, "attribute-0")[0])


def resumed_from(callback, attributes, arrays, before_training):
    """The callback after the beginning of an attempt that goes on from a state with these attributes."""
    state = checkpoint.Checkpoint(
        run_id="run", versions={}, epoch=1, stopped=False, seconds=1.0, fit_seconds=1.0, data_sha256="sha",
        history=[{"epoch": 1}], callbacks=[attributes], arrays=arrays,
    )  # fmt: skip
    checkpoints = Checkpoints(None, 15, [callback], [], state, 0.0, "sha", {})
    model = keras.Sequential()
    model.optimizer = keras.optimizers.SGD()
    checkpoints.resumed.arrays |= {
        f"variable-{index}": np.array(variable) for index, variable in enumerate(model.optimizer.variables)
    }
    before_training(callback)
    checkpoints.set_model(model)
    checkpoints.on_train_begin()
    return callback


def test_none_replaces_what_was_built_but_not_what_this_attempt_has_made():
    lock, model = threading.Lock(), keras.Sequential()
    callback = Own([1])
    callback.task = Own()  # an object of the user's, which the earlier attempt was done with
    callback.lock = None

    def begin(callback):
        callback.set_model(model)
        callback.lock = lock

    attributes = {"value": None, "task": None, "lock": None, "_model": None, "later": None}
    resumed_from(callback, attributes, {}, begin)
    assert (callback.value, callback.task, callback.later) == (None, None, None)
    assert callback.lock is lock
    assert callback.model is model


def test_checkpoint_of_before_is_read():
    weights = {"callback-0-best_weights-0000": np.ones(2), "callback-0-best_weights-0001": np.zeros(3)}
    callback = resumed_from(Own(5), {"wait": 2, "losses": [0.5], "of": {"1": "a"}}, weights, lambda callback: None)
    assert (callback.wait, callback.losses, callback.of, callback.value) == (2, [0.5], {"1": "a"}, 5)
    assert [array.tolist() for array in callback.best_weights] == [[1.0, 1.0], [0.0, 0.0, 0.0]]


@pytest.mark.parametrize("callback", [keras.callbacks.EarlyStopping(), AveragedWeights()], ids=["best", "averaged"])
def test_weights_that_callbacks_of_keras_and_fitbench_hold_may_be_of_any_size(callback):
    large = np.zeros(2**24 // 4 + 1, np.float32)
    callback.own = callback.best_weights = [large, np.ones(2)]
    values, _ = callback_state.restored(*callback_state.state_of(callback, "a"))
    for name in ("own", "best_weights"):
        assert [array.size for array in values[name]] == [large.size, 2]
