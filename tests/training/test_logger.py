"""`logger=...`: what trackers have of a run equals what its folder has, however the run ended, and changes no bit."""

import contextlib
import math
import shutil
import sqlite3
from pathlib import Path

import keras
import pytest

from fitbench.errors import RequestError
from fitbench.record.claims import Claimed
from fitbench.record.folder import folder_of
from fitbench.record.history import read_history
from fitbench.record.reading import read_pruned
from fitbench.trackers.sender import Sender
from fitbench.trackers.tracker import Epoch
from fitbench.training.callbacks import fingerprint
from fitbench.training.run import train
from fitbench.training.tracking import tracked
from fitbench.training.trial import Trial

from .. import tracking

OWN = """
import os
import sqlite3
import keras

class Stop(keras.callbacks.Callback):
    # does what STOP says at the end of the epoch that it names, before the epoch is recorded

    def on_epoch_end(self, epoch, logs=None):
        how, _, at = os.environ.get("STOP", "").partition(" ")
        if at != str(epoch + 1):
            return
        if how == "interrupt":
            raise KeyboardInterrupt
        with sqlite3.connect("broken.db") as database:
            database.execute("DROP TABLE metrics")
"""
RUN = (
    "data=digits", "model=softmax", "training.epochs=5", "training.early_stopping=null",
    "+training.callbacks.stop={_target_: stopping_run.Stop}",
)  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def alone(tmp_path_factory, mlflow_database):
    folder = tmp_path_factory.mktemp("logged")
    (folder / "stopping_run.py").write_text(OWN)
    with tracking.alone(folder, mlflow_database), pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        yield folder


def stopped(trained, monkeypatch, how: str, error: type[BaseException], *overrides: str) -> None:
    monkeypatch.setenv("STOP", how)
    with pytest.raises(error):
        trained(*RUN, *overrides)
    monkeypatch.delenv("STOP")


@pytest.fixture(scope="module")
def logged(alone, trained):
    """A run that was interrupted after three epochs, lost its checkpoint, and was trained to the end; its result."""
    run = (*RUN, "study=logged", "logger=[mlflow,tensorboard,wandb]")
    with pytest.MonkeyPatch.context() as patch:
        stopped(lambda *run: trained(*run, outputs=alone), patch, "interrupt 4", KeyboardInterrupt, *run[len(RUN) :])
    found, _ = tracking.in_mlflow("logged")
    assert (found.info.status, found.data.tags["fitbench.state"]) == ("KILLED", "interrupted")
    [folder] = (alone / "logged").iterdir()
    shutil.rmtree(folder / "checkpoint")  # as if it was killed before the first one: all epochs come again
    return trained(*run, outputs=alone)


def values_of(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """The points that history.jsonl has, but for the seconds, which each attempt measures."""
    history = read_history(folder)
    names = [name for name in history[0] if name not in ("epoch", "seconds")]
    return {name: [(epoch["epoch"], epoch[name]) for epoch in history] for name in names}


def test_mlflow_has_each_epoch_once_and_the_result(logged):
    folder, result = logged
    found, points = tracking.in_mlflow("logged")
    assert {name: points[name] for name in values_of(folder)} == values_of(folder)
    final = {key.replace("val_", "final_val_"): value for key, value in result["metrics"].items()}
    assert final.items() <= found.data.metrics.items()
    assert (found.info.status, found.info.run_name) == ("FINISHED", folder.name)
    assert found.data.params["optimizer.learning_rate"] == "0.001"
    assert not any(key.startswith(("logger", "outputs", "workers")) for key in found.data.params)


def test_tensorboard_has_each_epoch_once_and_the_result(logged):
    folder, result = logged
    points = tracking.in_tensorboard(folder / "tensorboard")
    for name, expected in values_of(folder).items():
        assert [step for step, _ in points[name]] == [1, 2, 3, 4, 5]
        assert [value for _, value in points[name]] == pytest.approx([value for _, value in expected], rel=1e-6)
    assert points["test_accuracy"] == [(5, pytest.approx(result["metrics"]["test_accuracy"]))]


def test_wandb_offline_has_each_epoch_once_and_the_result(logged):
    folder, result = logged
    points, summary = tracking.in_wandb(folder)
    assert {name: points[name] for name in values_of(folder)} == values_of(folder)
    assert len(list(folder.glob("wandb/offline-run-*"))) == 2
    assert summary["test_accuracy"] == result["metrics"]["test_accuracy"]
    assert summary["state"] == "finished"


def test_a_logger_changes_no_bit_of_a_run_and_is_no_part_of_its_identity(logged, trained):
    folder, result = logged
    plain_folder, plain_result = trained(*RUN)
    assert folder.name == plain_folder.name
    assert values_of(folder) == values_of(plain_folder)
    one, other = (fingerprint(keras.models.load_model(path / "model.keras")) for path in (folder, plain_folder))
    assert one == other
    assert plain_result["config"]["logger"] is None
    assert result["config"]["logger"]["mlflow"] == {"uri": None, "experiment": None}


@pytest.mark.parametrize(
    ("error", "status", "state"),
    [(ValueError(), "FAILED", "failed"), (SystemExit(1), "FAILED", "failed"), (Claimed(), "RUNNING", "running"),
     (None, "KILLED", "pruned")],
)  # fmt: skip
def test_mlflow_has_the_state_of_a_run_however_it_ends(alone, configure, make_run, error, status, state):
    folder = make_run(outputs=alone / f"ends-{type(error).__name__}", pruned=error is None, finished=False, trial=1)
    study = f"ends-{type(error).__name__}"
    with (
        contextlib.suppress(ValueError, SystemExit, Claimed),
        tracked(configure(f"study={study}", "logger=mlflow"), folder) as sending,
    ):
        sending.epochs(read_history(folder))
        if error is not None:
            raise error
    found, points = tracking.in_mlflow(study)
    assert (found.info.status, found.data.tags["fitbench.state"]) == (status, state)
    assert [step for step, _ in points["loss"]] == [1, 2, 3, 4, 5]
    final = read_pruned(folder)["metrics"] if error is None else {}
    assert {name: value for name, value in final.items() if value is not None}.items() <= {
        key.removeprefix("final_"): value for key, value in found.data.metrics.items()
    }.items()


@pytest.mark.long
def test_a_pruned_trial_is_no_finished_run(alone, configure):
    config = configure(f"outputs={alone}", "progress=false", *RUN, "study=pruned", "logger=mlflow")
    assert train(config, folder_of(config), Trial(7, lambda epoch: epoch["epoch"] == 2)) is None
    found, points = tracking.in_mlflow("pruned")
    assert (found.info.status, found.data.tags["fitbench.state"]) == ("KILLED", "pruned")
    assert [step for step, _ in points["loss"]] == [1, 2]
    metrics = read_pruned(folder_of(config))["metrics"]
    assert found.data.metrics["train_accuracy"] == metrics["train_accuracy"]


@pytest.mark.long
def test_a_model_without_epochs_has_its_result(trained):
    _, result = trained("data=digits", "model=nearest_mean", "training.epochs=0", "training.validation_split=0",
                        "training.early_stopping=null", "study=solved", "logger=mlflow")  # fmt: skip
    found, points = tracking.in_mlflow("solved")
    assert "loss" not in points
    assert found.data.metrics["test_accuracy"] == result["metrics"]["test_accuracy"]
    assert found.info.status == "FINISHED"


def test_a_tracker_that_fails_while_training_ends_no_run_and_is_no_secret(
    alone, trained, monkeypatch, mlflow_database, capfd, caplog
):
    """A table of MLflow's database is dropped before the third epoch. Publishing could not help that; a server may."""
    shutil.copy(mlflow_database, "broken.db")
    monkeypatch.setenv("STOP", "break 3")
    with caplog.at_level("INFO"):
        folder, result = trained(*RUN, "study=broken", "logger=[mlflow,tensorboard]",
                                 "logger.mlflow.uri=sqlite:///broken.db")  # fmt: skip
    notes = [line for line in capfd.readouterr().err.splitlines() if "mlflow" in line]
    assert len(notes) == 1
    assert "no such table: metrics" in notes[0]
    command = f"fitbench publish {folder.name} --to mlflow --uri sqlite:///broken.db"
    assert f"'{command}' sends what it lacks" in notes[0]
    assert "no such table: metrics" in caplog.text
    assert result["metrics"]["epochs"] == 5
    assert [step for step, _ in tracking.in_tensorboard(folder / "tensorboard")["loss"]] == [1, 2, 3, 4, 5]
    with sqlite3.connect(alone / "broken.db") as database:
        assert database.execute("SELECT count(*) FROM runs").fetchone() == (1,)


def test_a_server_that_does_not_answer_is_refused_before_data_are_read(trained, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:secret@127.0.0.1:9")
    refused = r"^mlflow at http://me:\*\*\*@127.0.0.1:9 does not answer; nothing was trained"
    with pytest.raises(RequestError, match=refused):
        trained("data=npz", "data.name=none", "data.path=no/such/file.npz", "model=mlp", "logger=mlflow")


def test_a_run_of_a_sweep_begins_without_the_tracker_that_does_not_answer_and_with_the_others(
    configure, make_run, monkeypatch, capsys
):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    folder = make_run(pruned=True, finished=False, trial=1)
    with tracked(configure("logger=[mlflow,tensorboard]"), folder, needed=False) as sending:
        sending.epochs(read_history(folder))
    said = (
        f"mlflow at http://127.0.0.1:9 does not answer; {folder.name} goes on without it, and 'fitbench publish "
        f"{folder.name} --to mlflow' sends what it lacks"
    )
    assert said in " ".join(capsys.readouterr().err.split())
    assert [step for step, _ in tracking.in_tensorboard(folder / "tensorboard")["loss"]] == [1, 2, 3, 4, 5]


def test_a_tracker_that_cannot_write_is_refused_once_and_the_others_have_a_failed_run(
    alone, configure, make_run, capsys
):
    (alone / "a-file").touch()
    config = configure("study=refused", "logger=[mlflow,wandb]", "logger.wandb.folder=a-file")
    with pytest.raises(RequestError, match="nothing was trained"), tracked(config, make_run(finished=False)):
        pass
    assert "goes on without it" not in capsys.readouterr().err
    assert tracking.in_mlflow("refused")[0].info.status == "FAILED"


def test_a_finished_run_is_sent_nowhere_and_says_what_sends_it(logged, launched, capsys):
    folder, result = logged
    recorded, reused = launched(folder.parent.parent, *RUN, "study=logged", "logger=mlflow", "logger.mlflow.uri=a.db")[
        1:
    ]
    assert reused
    assert recorded["metrics"] == result["metrics"]
    expected = (
        f"{folder.name} is finished and is sent nowhere now; 'fitbench publish {folder.name} --to mlflow --uri a.db'"
    )
    assert expected in " ".join(capsys.readouterr().err.split())
    assert not Path("a.db").exists()


@pytest.mark.long
def test_undefined_values_are_nan_in_mlflow(trained):
    """A learning rate that is far too large: the loss of the first epochs is finite, or the run ends."""
    with pytest.raises(Exception, match="diverged"):
        trained("data=digits", "model=mlp", "optimizer=sgd", "optimizer.learning_rate=1e30", "training.epochs=3",
                "study=diverged", "logger=mlflow")  # fmt: skip
    found, points = tracking.in_mlflow("diverged")
    assert found.info.status == "FAILED"
    assert [(step, math.isnan(value)) for step, value in points["loss"]][-1] == (len(points["loss"]), True)


@pytest.mark.parametrize("patience", [60, 0])
def test_a_tracker_during_whose_sending_ctrl_c_comes_is_told_of_it_if_it_answers(
    configure, make_run, tmp_path, monkeypatch, patience
):
    """Without an answer, the run would end only after the time that the tracker has to answer."""
    monkeypatch.setattr("fitbench.training.tracking.PATIENCE", patience)
    folder = make_run(finished=False)

    def interrupt(sender: Sender) -> None:
        sender.tracker.epoch(Epoch(1, read_history(folder)[0], 1000.0))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), tracked(configure("logger=tensorboard"), folder) as sending:
        sending._each(interrupt)
    points = tracking.in_tensorboard(folder / "tensorboard")["loss"]
    assert [step for step, _ in points] == ([1, 2, 3, 4, 5] if patience else [1])
    events = b"".join(path.read_bytes() for path in sorted((folder / "tensorboard").iterdir()))
    assert (b"| state | interrupted |" in events) == bool(patience)
