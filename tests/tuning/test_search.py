"""Searches that train: what a trial leaves in its run folder, bit for bit, however it came to its end."""

import json
import os
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from omegaconf import OmegaConf

from fitbench.config import Backend, Config
from fitbench.data.loading import load
from fitbench.data.split import split
from fitbench.errors import FitbenchError, RequestError
from fitbench.record.folder import State, folder_of, state_of
from fitbench.record.history import append_history, read_history
from fitbench.record.reading import read_result
from fitbench.training import backend
from fitbench.training.run import train

from ..launch.recorded import attempts, record
from ..tracking import BREAKING, breaking_run
from .conftest import Found, search_with, sharing

# State of every kind: dropout, momentum, early stopping that has something to remember.
SEARCH = (
    *("model=mlp", "model.hidden=[16]", "model.dropout=0.2", "optimizer=momentum", "training.epochs=6"),
    "optimizer.learning_rate=tag(log,interval(1e-4,1))",
    *("search.trials=10", "search.startup_trials=4"),
)


@pytest.fixture(scope="module", autouse=True)
def tensorflow():
    backend.load(Backend.tensorflow)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> Iterator[Found]:
    """A search that nothing disturbed, with trials that were pruned and trials that were not."""
    with pytest.MonkeyPatch.context() as patch, sharing(tmp_path_factory.mktemp("undisturbed"), patch):
        found = search_with(patch)(*SEARCH)
    assert json.loads((found.folder / "search.json").read_text())["total"] == 10
    assert found.states().count("pruned") >= 2
    assert found.states()[:5] == ["finished"] * 5
    return found


def configuration(folder: Path, configure: Any, outputs: Path) -> Config:
    """The configuration of a trial's run, from its config.yaml, with other outputs."""
    recorded: Any = OmegaConf.load(folder / "config.yaml")
    fixed = [word for word in SEARCH if "interval" not in word and not word.startswith("search.")]
    rate = f"optimizer.learning_rate={recorded.optimizer.learning_rate!r}"
    return configure("data=digits", "study=mine", f"outputs={outputs}", "progress=false", *fixed, rate)


def weights(folder: Path) -> bytes:
    with zipfile.ZipFile(folder / "model.keras") as model:
        return model.read("model.weights.h5")


def kept(folder: Path) -> dict[str, Any]:
    """All of a run that must be the same again, finished or pruned."""
    if state_of(folder) is State.finished:
        return record(folder)
    pruned = json.loads((folder / "pruned.json").read_text())
    about = {key: pruned[key] for key in ("run_id", "trial", "metrics")}
    history = [{**epoch, "seconds": 0} for epoch in read_history(folder)]
    return {**about, "history": history, "weights": weights(folder)}


# -- the same again ----------------------------------------------------------------------------------------------------


@pytest.mark.long
def test_search_that_is_interrupted_in_an_epoch_ends_with_the_same_bits(search, undisturbed, monkeypatch):
    epochs = 0
    append = append_history

    def interrupted(folder: Path, epoch: dict[str, Any]) -> None:
        nonlocal epochs
        epochs += 1
        if epochs in (3, 20, 38):
            raise KeyboardInterrupt
        append(folder, epoch)

    monkeypatch.setattr("fitbench.training.callbacks.append_history", interrupted)
    for _ in range(3):
        assert search(*SEARCH).status == 130
    found = search(*SEARCH)
    assert found.status == 0
    assert found.trials == undisturbed.trials
    for trial in found.trials:
        [name] = trial["run_ids"]
        assert kept(found.folder / name) == kept(undisturbed.folder / name)
    assert sum(attempts(folder.parent) for folder in found.folder.glob("*/train.log")) == len(found.trials) + 3


# -- pruned ------------------------------------------------------------------------------------------------------------


def pruned_trials(found: Found) -> list[tuple[dict[str, Any], Path]]:
    return [(one, found.run(one["number"])) for one in found.trials if one["state"] == "pruned"]


def test_folder_of_a_pruned_trial_is_whole(undisturbed):
    for trial, folder in pruned_trials(undisturbed):
        assert state_of(folder) is State.pruned
        names = {path.name for path in folder.iterdir()}
        assert names == {
            "config.yaml",
            "dataset.json",
            "history.jsonl",
            "train.log",
            "checkpoint",
            "model.keras",
            "pruned.json",
        }
        assert list((folder / "checkpoint").glob("*.npz"))
        said, history = json.loads((folder / "pruned.json").read_text()), read_history(folder)
        assert (said["run_id"], said["trial"]) == (folder.name, trial["number"])
        assert said["metrics"]["epochs"] == len(history) == trial["epochs"] < 6
        assert trial["history"] == [epoch["val_accuracy"] for epoch in history]
        assert trial["values"] == [max(trial["history"])]
        log = (folder / "train.log").read_text()
        assert (log.count(" attempt "), log.count(" pruned"), log.count(" finished")) == (1, 1, 0)


def test_model_of_a_pruned_trial_is_that_of_its_best_epoch(undisturbed, configure):
    import keras

    config = configure("data=digits")
    data = load(config.data)
    _, held_back = split(data.y_train, 0.2, config.training.validation, 0)
    for _, folder in pruned_trials(undisturbed):
        metrics = json.loads((folder / "pruned.json").read_text())["metrics"]
        logits = keras.models.load_model(folder / "model.keras").predict(data.x_train[held_back], verbose=0)
        labels = data.y_train[held_back]
        assert np.mean(logits.argmax(axis=1) == labels) == pytest.approx(metrics["val_accuracy"], abs=1e-6)
        shifted = logits - logits.max(axis=1, keepdims=True)
        losses = np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(labels)), labels]
        assert losses.mean() == pytest.approx(metrics["val_loss"], rel=1e-4)
        history = read_history(folder)
        assert metrics["val_loss"] == min(epoch["val_loss"] for epoch in history)
        assert history[metrics["best_epoch"] - 1]["val_loss"] == metrics["val_loss"]


def test_pruned_trial_that_is_trained_goes_on_and_ends_as_if_never_pruned(undisturbed, configure, tmp_path):
    trial, folder = pruned_trials(undisturbed)[0]
    shutil.copytree(undisturbed.folder, tmp_path / "outputs" / "mine")
    ours = configuration(folder, configure, tmp_path / "outputs")
    assert folder_of(ours).name == folder.name
    assert train(ours, folder_of(ours))["attempts"] == 2
    whole = configuration(folder, configure, tmp_path / "whole")
    train(whole, folder_of(whole))
    assert record(folder_of(ours)) == record(folder_of(whole))
    assert len(read_history(folder_of(ours))) > trial["epochs"]
    assert state_of(folder_of(ours)) is State.finished
    names = {path.name for path in folder_of(ours).iterdir()}
    assert names == {
        "config.yaml",
        "dataset.json",
        "history.jsonl",
        "train.log",
        "model.keras",
        "predictions.npz",
        "result.json",
    }


# -- what is recorded already ------------------------------------------------------------------------------------------


def test_trial_that_is_recorded_takes_its_result(search, configure):
    rates = (0.003, 0.03)
    common = ("data=digits", "model=softmax", "progress=false", "study=mine", "outputs=outputs", "training.epochs=2")
    recorded = configure(*common, f"optimizer.learning_rate={rates[1]}")
    result = train(recorded, folder_of(recorded))
    stamp = (folder_of(recorded) / "result.json").stat().st_mtime_ns
    found = search("optimizer.learning_rate=0.003,0.03", "training.epochs=2", "search.sampler=grid")
    assert found.states() == ["finished", "finished"]
    by_rate = {trial["params"]["optimizer.learning_rate"]: trial for trial in found.trials}
    assert by_rate[0.03]["run_ids"] == [folder_of(recorded).name]
    assert by_rate[0.03]["values"] == [result["metrics"]["val_accuracy"]]
    assert by_rate[0.03]["history"] == [epoch["val_accuracy"] for epoch in read_history(folder_of(recorded))]
    assert (folder_of(recorded) / "result.json").stat().st_mtime_ns == stamp
    assert not (folder_of(recorded) / "train.log").exists()  # which an attempt of the search would have written
    assert "trial" not in read_result(folder_of(recorded))
    other = found.folder / by_rate[0.003]["run_ids"][0]
    assert read_result(other)["trial"] == by_rate[0.003]["number"]
    assert attempts(other) == 1


def test_recorded_trial_that_lacks_the_objective_is_evaluated_and_not_trained_again(search, configure):
    common = ("data=digits", "model=softmax", "progress=false", "study=mine", "outputs=outputs", "training.epochs=2")
    recorded = configure(*common, "optimizer.learning_rate=0.03")
    train(recorded, folder_of(recorded))
    stamp = (folder_of(recorded) / "model.keras").stat().st_mtime_ns
    words = ("optimizer.learning_rate=0.003,0.03", "training.epochs=2", "search.sampler=grid")
    found = search(*words, "search.objective=val_macro_f1")
    by_rate = {trial["params"]["optimizer.learning_rate"]: trial for trial in found.trials}
    for trial in by_rate.values():
        metrics = read_result(found.folder / trial["run_ids"][0])["metrics"]
        assert trial["values"] == [metrics["val_macro_f1"]]
        assert metrics["val_macro_f1"] == pytest.approx(metrics["val_accuracy"], abs=0.05)
    assert (len(by_rate[0.003]["history"]), len(by_rate[0.03]["history"])) == (2, 0)
    assert (folder_of(recorded) / "model.keras").stat().st_mtime_ns == stamp


# -- objectives --------------------------------------------------------------------------------------------------------


def test_several_objectives_of_trained_models(search):
    words = ("model=softmax,mlp", "model.pixel_range=[0,1]", "training.epochs=2", "search.sampler=grid")
    found = search(*words, "search.objective=[val_accuracy,parameters,fit_seconds]")
    assert found.states() == ["finished"] * 2
    for trial in found.trials:
        result = read_result(found.folder / trial["run_ids"][0])
        wanted = [result["metrics"]["val_accuracy"], result["parameters"], result["timing"]["fit_seconds"]]
        assert trial["values"] == wanted
        assert trial["history"] == []


def test_model_that_is_not_trained_by_epochs_is_searched_too(search):
    solved = ("model=nearest_mean", "training.epochs=0", "training.validation_split=0", "training.early_stopping=null")
    words = ("data.preprocess=null,deskew", "search.sampler=grid", "search.objective=train_accuracy")
    found = search(*solved, *words)
    assert found.states() == ["finished"] * 2
    for trial in found.trials:
        result = read_result(found.folder / trial["run_ids"][0])
        assert trial["values"] == [result["metrics"]["train_accuracy"]]


# -- failures ----------------------------------------------------------------------------------------------------------

MODEL = """
import keras

def small(input_shape, classes, units=8, **settings):
    if units > 8:
        raise MemoryError(f"no room for {units} units")
    return keras.Sequential([keras.Input(input_shape), keras.layers.Flatten(), keras.layers.Dense(classes)])
"""
CONF = "_target_: searched_model.small\nname: small\nunits: 8\n"


@pytest.fixture
def own_model(tmp_path, monkeypatch) -> str:
    """A model of the user's own on PYTHONPATH, which fails with more than 8 units; gives the option for its file."""
    (tmp_path / "conf" / "model").mkdir(parents=True)
    (tmp_path / "conf" / "model" / "small.yaml").write_text(CONF)
    (tmp_path / "searched_model.py").write_text(MODEL)
    monkeypatch.syspath_prepend(tmp_path)
    return f"--config-dir={tmp_path / 'conf'}"


def test_model_of_the_user_that_raises_fails_its_trials_and_not_the_others(search, own_model):
    words = (own_model, "model=small", "model.units=4,8,16", "training.epochs=1", "search.sampler=grid")
    found = search(*words)
    by_units = {trial["params"]["model.units"]: trial for trial in found.trials}
    assert {units: trial["state"] for units, trial in by_units.items()} == {4: "finished", 8: "finished", 16: "failed"}
    assert by_units[16]["error"] == "MemoryError: no room for 16 units"
    failed = found.folder / by_units[16]["run_ids"][0]
    assert state_of(failed) is State.failed
    assert "searched_model.py" in (failed / "error.txt").read_text()


def test_search_whose_trials_all_fail_stops_and_says_why(search, own_model):
    words = (own_model, "model=small", "model.units=tag(int,interval(9,99))", "search.max_failures=2")
    with pytest.raises(
        FitbenchError, match=r"^2 trials in a row have failed .*the last: MemoryError: no room for \d+ un"
    ):
        search(*words, "training.epochs=1")
    assert search.left.states() == ["failed", "failed"]


LOGGED = ("training.epochs=1", "search.trials=3", "optimizer.learning_rate=tag(log,interval(1e-3,1e-1))",
          "logger=tensorboard", "logger.tensorboard.folder=board")  # fmt: skip


def test_trials_that_begin_after_their_tracker_has_failed_go_on_without_it(search, monkeypatch, capsys):
    breaking_run(Path())
    monkeypatch.syspath_prepend(str(Path().absolute()))
    found = search(*LOGGED, BREAKING, "search.max_failures=1")
    assert found.states() == ["finished"] * 3
    assert f"{found.run(2).name} goes on without it" in " ".join(capsys.readouterr().err.split())
    assert search(*LOGGED, BREAKING).states() == ["finished"] * 3  # nothing is left to train, and none is asked


def test_search_whose_tracker_fails_at_its_launch_is_refused_and_leaves_nothing(search):
    Path("board").touch()
    with pytest.raises(RequestError, match=r"^board.*; nothing was trained\. Start without logger=NAME"):
        search(*LOGGED)
    assert not Path("outputs").exists()


def test_diverging_trial_is_recorded_as_failed(search):
    words = ("optimizer=sgd", "optimizer.learning_rate=0.1,1e30", "training.loss=mean_squared_error")
    found = search(*words, "search.sampler=grid", "training.epochs=2")
    by_rate = {trial["params"]["optimizer.learning_rate"]: trial for trial in found.trials}
    assert (by_rate[0.1]["state"], by_rate[1e30]["state"]) == ("finished", "failed")
    assert "diverged" in by_rate[1e30]["error"]


@pytest.fixture
def disk(tmp_path):
    """A small disk that is mounted on `outputs`; call it to change its size."""
    (tmp_path / "outputs").mkdir()

    def mount(options: str) -> bool:
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(tmp_path / "outputs")]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    if os.geteuid() != 0 or not mount("size=450k"):
        pytest.skip("only root may mount a small disk")
    yield lambda size: mount(f"remount,size={size}")
    subprocess.run(["umount", "-l", str(tmp_path / "outputs")], check=True)


def test_search_on_a_full_disk_leaves_its_study_whole_and_goes_on_with_more_room(search, undisturbed, disk):
    with pytest.raises(FitbenchError, match=r"No space left on device; runs are recorded below outputs=FOLDER"):
        search(*SEARCH)
    states = search.left.states()
    assert disk("20m")
    found = search(*SEARCH)
    assert found.trials == undisturbed.trials
    assert "failed" not in states
    for trial in found.trials:
        assert kept(found.folder / trial["run_ids"][0]) == kept(undisturbed.folder / trial["run_ids"][0])
