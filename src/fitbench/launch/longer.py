"""The advice to continue a finished run instead of training the same configuration anew for more epochs."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from fitbench.config import Config, config_id, run_id
from fitbench.errors import FitbenchError
from fitbench.record.files import exists
from fitbench.record.folder import folder_of
from fitbench.record.interrupted import has_checkpoint
from fitbench.record.parents import STATE
from fitbench.record.reading import read_result


def advice(config: Config) -> str | None:
    """A line about a finished run that differs in nothing but fewer epochs: the longest, of those with a state if any.

    None if there is none in this study, or if the run itself is recorded or goes on from its checkpoint. A run that
    has stopped early is not counted.
    """
    folder = folder_of(config)
    if not folder.parent.is_dir() or exists(folder / "result.json") or has_checkpoint(folder):
        return None
    before, _, after = folder.name.rpartition(config_id(config))
    shorter: dict[tuple[bool, int], Path] = {}  # by whether a run kept its state, and how many epochs it has
    for path in folder.parent.iterdir():
        if path.name.startswith(before) and path.name.endswith(after) and exists(path / "result.json"):
            with suppress(FitbenchError):  # a damaged result is not what this command is about
                epochs = read_result(path)["metrics"]["epochs"]
                if epochs < config.training.epochs and run_id(_with_epochs(config, epochs)) == path.name:
                    shorter[exists(path / STATE), epochs] = path
    if not shorter:
        return None
    (has_state, epochs), run = max(shorter.items())
    text = f"{run.name} is finished with {epochs} epochs"
    if has_state:
        return f"{text}: fitbench train +continue={run} training.epochs={config.training.epochs} goes on from it"
    return f"{text}; train it again with training.keep_state=true force=true to go on from it with +continue={run}"


def _with_epochs(config: Config, epochs: int) -> Config:
    training = config.training.model_copy(update={"epochs": epochs})
    return config.model_copy(update={"training": training})
