"""`fitbench publish --to wandb`, offline: what W&B's own files hold."""

import json

from fitbench.record.history import append_history
from fitbench.record.reading import read_history
from fitbench.trackers import wandb_files
from fitbench.trackers.description import Description
from fitbench.trackers.opening import opener


def test_wandbs_files_hold_the_run_once_and_what_it_got_later(call, with_files, tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "offline")
    folder = with_files("study=a", finished=False)

    def published() -> list[str]:
        status, out, _ = call("publish", folder, "--to", "wandb", "--format", "json")
        assert status == 0
        return [run["outcome"] for run in json.loads(out)]

    def held():
        files = sorted(tmp_path.glob("wandb/*run-*/*.wandb"), key=lambda path: path.stat().st_mtime)
        steps, summary = wandb_files.read(files)
        return len(files), [steps[number]["loss"] for number in sorted(steps)], summary

    assert published() == ["new"]
    assert published() == ["unchanged"]
    count, losses, summary = held()
    assert (count, summary["state"]) == (1, "interrupted")
    assert losses == [line["loss"] for line in read_history(folder)]
    append_history(folder, {"epoch": 6, "seconds": 0.5, "loss": 0.1})
    assert published() == ["updated"]
    assert held()[:2] == (2, [*losses, 0.1])
    first, second = (path.read_bytes() for path in sorted(tmp_path.glob("wandb/*run-*/files/curves.png")))
    assert first == (folder / "curves.png").read_bytes() != second  # which is drawn, as the first lacks an epoch


def test_the_project_is_that_of_the_logger(tmp_path):
    config = {"logger": {"wandb": {"project": "ours", "entity": "team", "mode": None, "folder": None}}}
    tracker = opener("wandb", str(tmp_path))(Description("a", "b", config, folder=str(tmp_path)))
    assert (tracker.project, tracker.entity) == ("ours", "team")
