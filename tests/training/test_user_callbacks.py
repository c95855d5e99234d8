"""Callbacks with files of their own: the files lie in the run folder and go on when the run goes on."""

import csv
import math

import keras
import numpy as np
import pytest

from fitbench.config import Validation
from fitbench.data.loading import load
from fitbench.data.split import split
from fitbench.errors import RequestError
from fitbench.record.folder import folder_of
from fitbench.record.history import read_history
from fitbench.training.user_callbacks import user_callbacks

OWN = """
import os
import keras

class Stop(keras.callbacks.Callback):
    # stops the process, as Ctrl-C does, before the fourth epoch is recorded

    def on_epoch_end(self, epoch, logs=None):
        if epoch == 3 and "STOP_CALLBACK" in os.environ:
            raise KeyboardInterrupt
"""
STEPS = 9  # of an epoch of 1,149 examples
RUN = (
    "data=digits", "model=mlp", "optimizer.learning_rate=0.05", "training.epochs=6", "training.early_stopping=null",
    "+training.callbacks.csv={_target_: keras.callbacks.CSVLogger, filename: logs/epochs.csv}",
    "+training.callbacks.best={_target_: keras.callbacks.ModelCheckpoint, filepath: best.keras, save_best_only: true}",
    "+training.callbacks.some={_target_: keras.callbacks.ModelCheckpoint, "
    f"filepath: 'after-{{epoch}}.weights.h5', save_weights_only: true, save_freq: {2 * STEPS}}}",
    "+training.callbacks.stop={_target_: stopping_callback.Stop}",
)  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def own_module(tmp_path_factory):
    folder = tmp_path_factory.mktemp("own")
    (folder / "stopping_callback.py").write_text(OWN)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        yield


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory):
    """The working directory of the runs, where nothing must be written."""
    folder = tmp_path_factory.mktemp("elsewhere")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield folder


@pytest.fixture(scope="module")
def whole(trained, elsewhere):
    folder, _ = trained(*RUN)
    return folder


@pytest.fixture(scope="module")
def resumed(trained, elsewhere, configure, tmp_path_factory):
    """A run that was stopped, with a row that no checkpoint knows and a torn one, and launched again."""
    outputs = tmp_path_factory.mktemp("outputs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STOP_CALLBACK", "1")
        with pytest.raises(KeyboardInterrupt):
            trained(*RUN, outputs=outputs)
    file = folder_of(configure(*RUN, f"outputs={outputs}")) / "logs" / "epochs.csv"
    assert file.read_bytes().count(b"\n") == 1 + 4  # three epochs were recorded
    with file.open("ab") as rows:
        rows.write(b"4,0.5,0.")
    folder, _ = trained(*RUN, outputs=outputs)
    return folder


def test_csv_has_each_epoch_once_with_the_values_of_the_history(whole):
    rows = list(csv.DictReader((whole / "logs" / "epochs.csv").read_text().splitlines()))
    assert [int(row["epoch"]) for row in rows] == [0, 1, 2, 3, 4, 5]
    for row, epoch in zip(rows, read_history(whole), strict=True):
        assert float(row["val_loss"]) == pytest.approx(epoch["val_loss"], rel=1e-6)


def test_csv_of_a_resumed_run_is_that_of_an_undisturbed_one(whole, resumed):
    assert (resumed / "logs" / "epochs.csv").read_bytes() == (whole / "logs" / "epochs.csv").read_bytes()


def test_nothing_is_written_outside_of_the_run_folder(whole, resumed, elsewhere):
    assert list(elsewhere.iterdir()) == []


def test_best_model_is_that_of_the_best_epoch(whole, resumed, configure):
    config = configure(*RUN[:5])
    data, settings = load(config.data), config.training
    _, held_back = split(data.y_train, settings.validation_split, settings.validation, config.seed)
    for folder in (whole, resumed):
        model = keras.saving.load_model(folder / "best.keras", compile=False)
        logits = model.predict(data.x_train[held_back], verbose=0)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)(data.y_train[held_back], logits)
        assert float(loss) == pytest.approx(min(epoch["val_loss"] for epoch in read_history(folder)), rel=1e-4)


def test_save_freq_counts_batches(whole, resumed):
    kept = len(split(np.zeros(1437), 0.2, Validation.last, 0)[0])
    assert math.ceil(kept / 128) == STEPS
    for folder in (whole, resumed):
        assert sorted(path.name for path in folder.glob("after-*")) == [
            f"after-{epoch}.weights.h5" for epoch in (2, 4, 6)
        ]


def test_run_that_begins_anew_begins_its_csv_anew(tmp_path):
    settings = {"csv": {"_target_": "keras.callbacks.CSVLogger", "filename": "epochs.csv", "append": True}}
    (tmp_path / "epochs.csv").write_bytes(b"epoch,loss\r\n0,0.5\r\n1,0.4\r\n")
    user_callbacks(settings, tmp_path, 1)
    assert (tmp_path / "epochs.csv").read_bytes() == b"epoch,loss\r\n0,0.5\r\n"
    user_callbacks(settings, tmp_path, 0)
    assert (tmp_path / "epochs.csv").read_bytes() == b""


def test_csv_elsewhere_to_which_all_runs_append_is_left_as_it_is(tmp_path):
    settings = {"csv": {"_target_": "keras.callbacks.CSVLogger", "filename": f"{tmp_path}/all.csv", "append": True}}
    (tmp_path / "all.csv").write_bytes(b"epoch,loss\r\n0,0.5\r\n")
    user_callbacks(settings, tmp_path / "run", 0)
    assert (tmp_path / "all.csv").read_bytes() == b"epoch,loss\r\n0,0.5\r\n"


def test_run_dir_is_the_run_folder(tmp_path):
    settings = {"csv": {"_target_": "keras.callbacks.CSVLogger", "filename": "${run_dir:}/logs/epochs.csv"}}
    [logger] = user_callbacks(settings, tmp_path, 0)
    assert logger.filename == f"{tmp_path}/logs/epochs.csv"


def test_tensorboard_writes_into_the_run_folder(tmp_path):
    [board] = user_callbacks({"board": {"_target_": "keras.callbacks.TensorBoard"}}, tmp_path, 0)
    assert board.log_dir == str(tmp_path / "logs")


def test_backup_and_restore_is_refused(trained):
    backup = "+training.callbacks.backup={_target_: keras.callbacks.BackupAndRestore, backup_dir: backup}"
    with pytest.raises(RequestError, match=r"training\.callbacks\.backup is a BackupAndRestore, .* leave it out"):
        trained("data=digits", "model=softmax", backup)
