"""Where a run folder lies, and the state that its files say."""

from pathlib import Path

import pytest

from fitbench.config import run_id
from fitbench.record.folder import State, folder_of, state_of

from .other_processes import made_by


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
