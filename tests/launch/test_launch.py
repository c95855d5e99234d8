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
def hydra_here(process_left_as_it_was, tmp_path, monkeypatch):
    """Launch in a folder of the test's own, and leave the process as it was."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HYDRA_FULL_ERROR", raising=False)
    yield tmp_path
    os.environ.pop("HYDRA_FULL_ERROR", None)


def record(config: Config, accuracy: float = 0.875, sha256: str = "0" * 64) -> Path:
    """The folder of a finished run as training leaves it, without its large files."""
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
            "classes": [str(digit) for digit in range(10)],
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


def test_conf_is_found():
    assert (conf_folder() / "config.yaml").is_file()


# -- what is recorded is not trained again ---------------------------------------------------------------------------


def test_finished_run_is_given_as_recorded(configure, tmp_path):
    config = configure(f"outputs={tmp_path}")
    folder = record(config, accuracy=0.875)
    before = files(folder)
    result, reused = run(config)
    assert reused
    assert result["metrics"]["test_accuracy"] == 0.875
    assert files(folder) == before


def test_sweep_counts_what_is_recorded_and_names_every_damaged_record(configure, hydra_here, capsys):
    damaged, one, other, torn = (
        record(configure(f"seed={seed}"), accuracy) for seed, accuracy in enumerate((0.5, 0.8125, 0.9375, 0.5))
    )
    for folder in (damaged, torn):
        (folder / "result.json").write_text("{")
    before = [files(folder) for folder in (one, other)]
    with pytest.raises(FitbenchError, match="2 of 4 runs failed") as caught:
        launch(["-m", "seed=0,1,2,3"])
    assert caught.value.exit_status == 1
    printed = capsys.readouterr().out
    assert "2 skipped, finished before" in printed
    for folder in (damaged, torn):
        assert f"{folder}/result.json: not JSON" in printed
    assert [files(folder) for folder in (one, other)] == before


def test_refused_run_leaves_no_folder(hydra_here):
    with pytest.raises(RequestError, match="no such file or folder"):
        launch(["data=npz", "data.path=nothing.npz"])
    assert not list((hydra_here / "outputs").glob("*/*"))


def test_refused_run_takes_nothing_with_it_that_was_there(configure, hydra_here):
    path = hydra_here / "gone.npz"
    folder = folder_of(configure("data=npz", f"data.path={path}"))
    folder.mkdir(parents=True)
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(RequestError, match="no such file or folder"):
        launch(["data=npz", f"data.path={path}"])
    assert (folder / "notes.txt").read_text() == "mine"


def test_sweep_without_jobs_is_refused(hydra_here):
    with pytest.raises(RequestError, match="this sweep has no jobs"):
        launch(["-m", "seed=range(0)"])


def test_multirun_may_be_asked_for_anywhere(hydra_here):
    with pytest.raises(RequestError, match="this sweep has no jobs"):
        launch(["model=mlp", "-m", "seed=range(0)"])


def test_sweep_with_a_wrong_job_is_refused_before_any_is_launched(hydra_here):
    with pytest.raises(RequestError, match=r"^seed is -1; "):
        launch(["-m", "seed=0,-1"])
    assert not (hydra_here / "outputs").exists()


# -- the same name at another path -----------------------------------------------------------------------------------


def letters(path: Path, seed: int = 0) -> Path:
    random = np.random.default_rng(seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, Any] = {f"x_{part}": random.integers(0, 256, (4, 3, 3), np.uint8) for part in ("train", "test")}
    np.savez(path, y_train=[0, 1, 0, 1], y_test=[0, 1, 1, 0], **arrays)
    return path


@pytest.fixture
def recorded(configure, tmp_path):
    """The configuration of a finished run on <tmp_path>/one/letters.npz, and one that is the same at another path."""

    def at(path: Path) -> Config:
        return configure("data=npz", f"data.path={path}", f"outputs={tmp_path / 'outputs'}")

    config = at(letters(tmp_path / "one" / "letters.npz"))
    record(config, sha256=datasets.load(config.data).sha256)
    return config, at


def test_other_data_under_a_recorded_name_is_refused(recorded, tmp_path):
    config, at = recorded
    other = at(letters(tmp_path / "two" / "letters.npz", seed=1))
    assert run_id(other) == run_id(config)
    with pytest.raises(RequestError) as caught:
        run(other)
    for said in ("recorded with other data", "one/letters.npz", "two/letters.npz", "data.name="):
        assert said in str(caught.value)


def test_same_data_at_another_path_is_the_recorded_run(recorded, tmp_path):
    config, at = recorded
    (tmp_path / "two").mkdir()
    shutil.copy(config.data.path, tmp_path / "two")
    assert run(at(tmp_path / "two" / "letters.npz"))[1]


def test_data_that_have_changed_at_their_place_are_noticed(recorded, tmp_path):
    config, _ = recorded
    letters(tmp_path / "one" / "letters.npz", seed=1)
    with pytest.raises(RequestError, match="recorded with other data"):
        run(config)


def test_recorded_run_is_found_when_its_data_are_gone(recorded):
    config, _ = recorded
    Path(config.data.path).unlink()
    assert run(config)[1]


# -- requests that are wrong -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("training.epoch=5", "training.epoch: there is no such key. Did you mean training.epochs?"),
        ("training.early_stopping.patiance=5", "Did you mean training.early_stopping.patience?"),
        ("sed=1", "sed: there is no such key. Did you mean seed?"),
        ("optimizer.momentum=0.9", "no such key; optimizer has name, learning_rate, beta_1, beta_2, epsilon, schedule"),
        ("modle=mlp", "modle: there is no such key. Did you mean model?"),
        ("model=lenet", "Did you mean lenet5?"),
        ("model=nothing_like_it", "model=nothing_like_it: there is no such choice; model has conv_pool, convnet, "),
        ("optimizer/schedule=cosin", "optimizer/schedule has constant, cosine, step. Did you mean cosine?"),
        ("+experiment=tutorial_lenet", "Did you mean tutorial_lenet5?"),
        ("training.epochs", "missing EQUAL"),
    ],
)
def test_misspelt_request_is_explained_with_the_nearest(override, said):
    with initialize_config_dir(str(conf_folder()), version_base="1.3"), pytest.raises(Exception) as caught:
        compose("config", overrides=[override])
    line = explain(caught.value)
    assert said in line
    assert line.count("\n") <= 1
    assert "Traceback" not in line


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["training.validation_split=1.5"],
            "training.validation_split is 1.5; it must be a number of at least 0 and below 1",
        ),
        (["data=npz"], "data.path has no default; give it as data.path=VALUE"),
        (["-m", "seed=-1,-2"], "seed is -1; it must be a whole number from 0 to 4294967295"),
        (["data.source=[mnist]"], "data.source is ['mnist']; it must be one of mnist_5k, "),
        (["training=5"], "must be a string"),
    ],
)
def test_refused_request_makes_no_folder(hydra_here, arguments, said):
    with pytest.raises(RequestError) as caught:
        launch(arguments)
    assert said in str(caught.value)
    assert str(caught.value).count("\n") <= 1
    assert not any(path.is_dir() for path in hydra_here.glob("outputs/*/*"))


def test_second_launch_in_a_process_explains_its_errors_as_the_first_does(hydra_here):
    for _ in range(2):
        with pytest.raises(RequestError, match=r"Did you mean training\.epochs"):
            launch(["training.epoch=5"])


def test_outputs_that_cannot_be_written_are_named(hydra_here):
    (hydra_here / "file").touch()
    with pytest.raises(FitbenchError, match=r"file.*must be writable") as caught:
        launch(["outputs=file"])
    assert caught.value.exit_status == 1
