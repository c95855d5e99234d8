import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hydra import compose, initialize_config_dir

from fitbench.composition import conf_folder, explain
from fitbench.config import Config, config_id, plain, run_id
from fitbench.data import loading as datasets
from fitbench.errors import FitbenchError, RequestError
from fitbench.launch.command import launch
from fitbench.launch.job import run
from fitbench.record.folder import folder_of
from fitbench.record.result import write_result


@pytest.fixture
def working_folder(process_state_restored, tmp_path, monkeypatch):
    """Launch in an empty folder, and restore the state of the process."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HYDRA_FULL_ERROR", raising=False)
    yield tmp_path
    os.environ.pop("HYDRA_FULL_ERROR", None)


def record(config: Config, accuracy: float = 0.875, sha256: str = "0" * 64, classes: int = 10) -> Path:
    """Write the folder of a finished run without its large files."""
    folder = folder_of(config)
    folder.mkdir(parents=True)
    metrics: dict[str, Any] = {f"{part}_{name}": 0.5 for part in ("train", "val") for name in ("loss", "accuracy")}
    metrics |= {"test_loss": 0.25, "test_accuracy": accuracy, "best_epoch": 2, "epochs": 3}
    result = {
        "schema": 1,
        "run_id": run_id(config),
        "config_id": config_id(config),
        "seed": config.seed,
        "study": config.study,
        "config": plain(config),
        "metrics": metrics,
        "timing": {"fit_seconds": 1.5, "seconds": 2.0, "images_per_second": 6400.0},
        "parameters": 60074,
        "data": {
            "name": config.data.name,
            "sha256": sha256,
            **{"train": 3200, "validation": 800, "test": 1000},
            "classes": [str(label) for label in range(classes)],
            "skipped": 0,
        },
        "versions": {"python": "3.11.0", "keras": "3.15.0"},
        "git": {"commit": None, "dirty": None},
        "device": "cpu",
        "attempts": 1,
        "finished_at": "2026-01-01T00:00:00Z",
    }
    write_result(folder, result)
    return folder


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix != ".log" and path.is_file()}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--epochs", "5"], "--epochs: fitbench train has no such option; a value is set with KEY=VALUE"),
        (["--config-dir"], "argument --config-dir.*: expected one argument; fitbench train --hydra-help lists"),
        (["model=mlp", "--config-dir", "nowhere", "seed=-1"], "nowhere"),
        (["-cd", "a", "seed=1", "--config-dir=b"], "--config-dir stands more than once, and fitbench train takes one"),
        (["-sc", "install=bash"], "--shell-completion: the completion of Hydra does not work with fitbench"),
        (["model=mlp", "--shell-completion", "query=bash"], "--shell-completion: the completion of Hydra"),
    ],
)
def test_options_may_stand_between_overrides_and_others_are_refused(working_folder, arguments, message):
    with pytest.raises(RequestError, match=message):
        launch(arguments)


@pytest.mark.parametrize(
    ("arguments", "printed"),
    [
        (["model=own", "--config-dir", "mine", "seed=4", "--cfg", "job", "--package", "model.name"], "own"),
        (["-c", "job", "seed=4", "-cd=mine", "model=own", "-p", "seed"], "4"),
        (["model=mlp", "--config-name", "other", "--cfg=job", "-p", "seed", "--config-dir=mine"], "3"),
        (["seed=4", "--resolve", "study=x${seed}", "--cfg", "job", "-p", "study"], "x4"),
        (["seed=4", "--info", "model=mlp"], "Installed Hydra Plugins"),
        (["-i", "searchpath", "model=mlp"], "Config search path"),
        (["--cfg", "job", "-p", "sweep", "sweep.zip=[[a,b]]"], "- - a"),
    ],
)
def test_flags_of_hydra_work_anywhere(working_folder, capsys, arguments, printed):
    (working_folder / "mine" / "model").mkdir(parents=True)
    (working_folder / "mine" / "model" / "own.yaml").write_text("defaults: [mlp, _self_]\nname: own\n")
    (working_folder / "mine" / "other.yaml").write_text("defaults: [config, _self_]\nseed: 3\n")
    assert launch(arguments) == 0
    assert printed in capsys.readouterr().out


def test_help_fits_a_terminal_of_80_columns(working_folder, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit) as ended:
        launch(["--help"])
    assert not ended.value.code
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= 80
    assert "lenet5_max,\n  linear, logistic_ovr, lstm, mlp" in text
    assert "'model.hidden=[300,100]'" in text
    assert "\nsearch:" not in text
    assert "\nsweep: default" in text


def test_conf_is_found():
    assert (conf_folder() / "config.yaml").is_file()


# -- recorded runs are not trained again ------------------------------------------------------------------------------


def test_recorded_result_of_a_finished_run_is_returned(configure, tmp_path):
    config = configure(f"outputs={tmp_path}")
    folder = record(config, accuracy=0.875)
    before = files(folder)
    result, reused = run(config)
    assert reused
    assert result["metrics"]["test_accuracy"] == 0.875
    assert files(folder) == before


def test_sweep_counts_finished_runs_and_reports_every_damaged_record(configure, working_folder, capsys):
    damaged, first, second, torn = (
        record(configure(f"seed={seed}"), accuracy) for seed, accuracy in enumerate((0.5, 0.8125, 0.9375, 0.5))
    )
    for folder in (damaged, torn):
        (folder / "result.json").write_text("{")
    before = [files(folder) for folder in (first, second)]
    with pytest.raises(FitbenchError, match="2 of 4 runs failed") as caught:
        launch(["-m", "seed=0,1,2,3"])  # without `report_sweep`, the summary is part of the progress
    assert caught.value.exit_status == 1
    output = capsys.readouterr()
    assert output.out == ""
    assert "2 skipped, finished before" in output.err
    for folder in (damaged, torn):
        assert f"{folder}/result.json: not JSON" in output.err
    assert [files(folder) for folder in (first, second)] == before


def test_refused_run_leaves_no_folder(working_folder):
    with pytest.raises(RequestError, match="no such file or folder"):
        launch(["data=npz", "data.path=nothing.npz"])
    assert not list((working_folder / "outputs").glob("*/*"))


def test_refused_run_removes_no_other_files(configure, working_folder):
    path = working_folder / "gone.npz"
    folder = folder_of(configure("data=npz", f"data.path={path}"))
    folder.mkdir(parents=True)
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(RequestError, match="no such file or folder"):
        launch(["data=npz", f"data.path={path}"])
    assert (folder / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("refused", [["training.epochs=-1"], ["data=npz", "data.path=gone.npz"]])
@pytest.mark.parametrize("folder", ["mine", "empty", "."])
def test_refused_run_removes_no_folder_that_is_not_its_own(working_folder, folder, refused):
    (working_folder / "empty").mkdir()
    (working_folder / "mine").mkdir()
    (working_folder / "mine" / "config.yaml").write_text("mine")
    with pytest.raises(RequestError):
        launch([f"hydra.run.dir={folder}", *refused])
    assert (working_folder / "mine" / "config.yaml").read_text() == "mine"
    assert (working_folder / "empty").is_dir()
    assert not list((working_folder / "outputs").glob("*/*"))


@pytest.mark.parametrize("setting", [[], ["hydra.job.chdir=true"]])
def test_refused_run_removes_no_earlier_attempt(configure, working_folder, setting):
    folder = folder_of(configure("data=npz", "data.path=gone.npz"))
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text("of an interrupted attempt")
    with pytest.raises(RequestError):
        launch(["data=npz", "data.path=gone.npz", *setting])
    assert (working_folder / folder / "config.yaml").exists()


def test_sweep_without_jobs_is_refused(working_folder):
    with pytest.raises(RequestError, match="this sweep has no jobs"):
        launch(["-m", "seed=range(0)"])


def test_multirun_flag_may_stand_between_overrides(working_folder):
    with pytest.raises(RequestError, match="this sweep has no jobs"):
        launch(["model=mlp", "-m", "seed=range(0)"])


def test_sweep_with_a_wrong_job_launches_nothing(working_folder):
    with pytest.raises(RequestError, match=r"^seed is -1; "):
        launch(["-m", "seed=0,-1"])
    assert not (working_folder / "outputs").exists()


# -- the same name at another path ------------------------------------------------------------------------------------


def letters(path: Path, seed: int = 0) -> Path:
    random = np.random.default_rng(seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, Any] = {f"x_{part}": random.integers(0, 256, (4, 3, 3), np.uint8) for part in ("train", "test")}
    np.savez(path, y_train=[0, 1, 0, 1], y_test=[0, 1, 1, 0], **arrays)
    return path


@pytest.fixture
def recorded(configure, tmp_path):
    """Return the configuration of a finished run on <tmp_path>/one/letters.npz, and a function for other paths."""

    def at(path: Path) -> Config:
        return configure("data=npz", f"data.path={path}", f"outputs={tmp_path / 'outputs'}")

    config = at(letters(tmp_path / "one" / "letters.npz"))
    record(config, sha256=datasets.load(config.data).sha256, classes=2)
    return config, at


def test_other_data_under_a_recorded_name_is_refused(recorded, tmp_path):
    config, at = recorded
    other = at(letters(tmp_path / "two" / "letters.npz", seed=1))
    assert run_id(other) == run_id(config)
    with pytest.raises(RequestError) as caught:
        run(other)
    for part in ("recorded with other data", "one/letters.npz", "two/letters.npz", "data.name=", "force=true"):
        assert part in str(caught.value)


def test_same_data_at_another_path_give_the_recorded_run(recorded, tmp_path):
    config, at = recorded
    (tmp_path / "two").mkdir()
    shutil.copy(config.data.path, tmp_path / "two")
    assert run(at(tmp_path / "two" / "letters.npz"))[1]


def test_changed_data_at_the_recorded_path_are_refused(recorded, tmp_path):
    config, _ = recorded
    letters(tmp_path / "one" / "letters.npz", seed=1)
    with pytest.raises(RequestError, match="recorded with other data"):
        run(config)


def test_recorded_run_is_returned_when_its_data_are_gone(recorded):
    config, _ = recorded
    Path(config.data.path).unlink()
    assert run(config)[1]


# -- wrong requests ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("training.epoch=5", "training.epoch: there is no such key. Did you mean training.epochs?"),
        ("training.early_stopping.patiance=5", "Did you mean training.early_stopping.patience?"),
        ("sed=1", "sed: there is no such key. Did you mean seed?"),
        ("optimizer.momentum=0.9", "has no default with this optimizer; add it with a plus sign: +optimizer.momentum"),
        ("modle=mlp", "modle: there is no such key. Did you mean model?"),
        ("model=lenet", "Did you mean lenet5?"),
        ("model=nothing_like_it", "model=nothing_like_it: there is no such choice; model has conv_pool, convnet, "),
        (
            "optimizer/schedule=cosin",
            "optimizer/schedule has constant, cosine, piecewise, plateau, step. Did you mean cosine?",
        ),
        ("+experiment=tutorial_lenet", "Did you mean tutorial_lenet5?"),
        ("training.epochs", "missing EQUAL"),
    ],
)
def test_misspelt_override_is_explained_with_the_nearest_name(override, message):
    with initialize_config_dir(str(conf_folder()), version_base="1.3"), pytest.raises(Exception) as caught:
        compose("config", overrides=[override])
    text = explain(caught.value)
    assert message in text
    assert text.count("\n") <= 1
    assert "Traceback" not in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["training.validation_split=1.5"],
            "training.validation_split is 1.5; it must be a number of at least 0 and below 1",
        ),
        (["data=npz"], "data.path has no default; give it as data.path=VALUE"),
        (["-m", "seed=-1,-2"], "seed is -1; it must be a whole number from 0 to 4294967295"),
        (["data.source=[mnist]"], "data.source is ['mnist']; it must be one of mnist_5k, "),
        (["training=5"], "training=5: there is no such choice; training has default, full_batch"),
        (["-m", "seed=interval(0,1)"], "seed=interval(0,1): an interval is for fitbench search"),
        (
            ["-m", "seed=range(1000)", "model.pixel_range=range(1000)"],
            "this sweep has 1,000,000 jobs; it may have 100,000",
        ),
        (
            ["seed=0,1"],
            "seed=0,1: several values; add -m to train each of them; a list is written 'seed=[0,1]', a text",
        ),
        (["seed=range(3)"], "seed=range(3): several values; add -m to train each of them"),
        (["hydra.searchpath=[/no/such]"], "hydra.searchpath in command-line: there is no folder /no/such"),
        (["hydra.searchpath=[ftp://x]"], "hydra.searchpath: No config source registered for schema ftp"),
        (["study=???"], "study has no default; give it as study=VALUE"),
    ],
)
def test_refused_request_creates_no_folder(working_folder, arguments, message):
    with pytest.raises(RequestError) as caught:
        launch(arguments)
    assert message in str(caught.value)
    assert str(caught.value).count("\n") <= 1
    assert not any(path.is_dir() for path in working_folder.glob("outputs/*/*"))


def test_sweep_finds_files_in_the_folders_of_the_command_line(working_folder):
    (working_folder / "mine" / "model").mkdir(parents=True)
    (working_folder / "mine" / "model" / "own.yaml").write_text("defaults: [mlp, _self_]\nname: 'a/b'\n")
    with pytest.raises(RequestError, match=r"model\.name is 'a/b'"):
        launch(["-m", f"hydra.searchpath=[{working_folder}/mine]", "model=own"])


def test_second_launch_in_a_process_explains_errors_like_the_first(working_folder):
    for _ in range(2):
        with pytest.raises(RequestError, match=r"Did you mean training\.epochs"):
            launch(["training.epoch=5"])


def test_error_names_outputs_that_cannot_be_written(working_folder):
    (working_folder / "file").touch()
    with pytest.raises(FitbenchError, match=r"file.*must be writable") as caught:
        launch(["outputs=file"])
    assert caught.value.exit_status == 1
