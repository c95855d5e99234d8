"""Runs of strangers: predict, serve, evaluate and export refuse files that are no files, in one line."""

import re
import sys

import numpy as np
import pytest

from fitbench import cli

from ..hostile_folders import INSTEAD

COMMANDS = {
    "predict": ["predict", "RUN", "images.npy"],
    "serve": ["serve", "RUN", "--port", "0"],
    "evaluate": ["evaluate", "RUN", "--data", "mnist_5k"],
    "export": ["export", "RUN", "--format", "saved_model", "-o", "exported"],
}


@pytest.mark.parametrize("kind", INSTEAD)
@pytest.mark.parametrize(
    ("name", "command"),
    [*(("result.json", command) for command in COMMANDS), ("model.keras", "predict"), ("model.keras", "serve")],
)
def test_what_is_no_regular_file_of_the_run_is_refused(make_run, tmp_path, monkeypatch, capsys, kind, name, command):
    folder = make_run()
    put, reason = INSTEAD[kind]
    (folder / name).unlink(missing_ok=True)
    put(folder / name)
    np.save(tmp_path / "images.npy", np.zeros((1, 28, 28), np.uint8))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        sys, "argv", ["fitbench", *(str(folder) if part == "RUN" else part for part in COMMANDS[command])]
    )
    with pytest.raises(SystemExit) as caught:
        cli.main()
    message = capsys.readouterr().err.splitlines()[-1]
    assert caught.value.code == 1 and f"{folder}/{name}: " in message
    assert re.search(reason, message), message
