"""Where a run folder lies, and the state that its files say."""

import os
from pathlib import Path

import pytest

from fitbench.config import Config, run_id
from fitbench.launch.job import recorded
from fitbench.record.folder import State, folder_of, state_of
from fitbench.record.reading import read_history, read_predictions, read_result

from .other_processes import made_by, needs_root, processes


def test_folder_is_below_outputs_and_study(configure):
    config = configure("outputs=kept", "study=widths", "seed=3")
    assert folder_of(config) == Path("kept", "widths", run_id(config))


@pytest.mark.parametrize(
    ("files", "state"),
    [
        (["result.json", "error.txt", "claim.json"], State.finished),
        (["result.json"], State.finished),
        (["error.txt", "claim.json"], State.failed),
        (["error.txt", "history.jsonl"], State.failed),
        (["claim.json"], State.running),
        (["config.yaml", "history.jsonl", "train.log", "model.keras", "predictions.npz"], State.interrupted),
        ([], State.interrupted),
    ],
)
def test_state_follows_from_the_files(tmp_path, files, state):
    for name in files:
        (tmp_path / name).write_text("{}")
    if "claim.json" in files:
        made_by(tmp_path, host="elsewhere")
    assert state_of(tmp_path) is state


def read_as_colleague(number: int, outputs: Path, config: Config) -> None:
    os.chdir(outputs.parent)  # the folders above it are those of the user who runs the tests
    folder = folder_of(config)
    result = read_result(folder)
    targets = read_predictions(folder, result).targets  # which imports modules that the colleague may not read
    os.setgid(65534)
    os.setuid(65534)
    assert not os.access(folder, os.W_OK)
    assert state_of(folder) is State.finished
    assert recorded(config) == read_result(folder) == result
    assert len(read_history(folder)) == 5
    assert (read_predictions(folder, result).targets == targets).all()


@needs_root
def test_finished_run_of_a_colleague_is_read_without_the_right_to_write(make_run, composed, tmp_path):
    folder = make_run()
    made_by(folder)  # a claim that a killed process has left
    (folder / ".0a1b2c3d.new.result.json").touch()
    before = {path.name for path in folder.iterdir()}
    for path in (tmp_path, *tmp_path.glob("outputs/**/*")):
        path.chmod(0o755)
    config = composed("model=mlp").model_copy(update={"outputs": "outputs"})
    assert processes(1, read_as_colleague, tmp_path / "outputs", config) == [0]
    assert {path.name for path in folder.iterdir()} == before
