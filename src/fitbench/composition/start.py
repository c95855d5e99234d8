"""The checked configuration of a job, with the run that `training.start` names in the place of its name."""

from __future__ import annotations

from pathlib import Path

from omegaconf import DictConfig, OmegaConf, open_dict

from fitbench.composition.errors import explained_errors
from fitbench.composition.overrides import quoted
from fitbench.config import Config, from_hydra
from fitbench.record.parents import MODEL, check_fixed, checksum, find_finished
from fitbench.record.reading import read_result

KEY = "training.start"


def configuration_of(composed: DictConfig, of_several: bool = False) -> Config:
    """The checked configuration of what Hydra composed.

    Args:
        composed: with or without Hydra's own section.
        of_several: whether it is of a sweep, search or table, in which `training.start` is the fixed name of a run.

    Raises:
        RequestError: as `from_hydra`; or `training.start` names no finished run in `outputs`.
        FitbenchError: a file of that run is damaged.
    """
    with explained_errors():
        text, outputs = OmegaConf.select(composed, KEY), OmegaConf.select(composed, "outputs")
    if not isinstance(text, str | int) or isinstance(text, bool):  # a part of a run_id may look like a number
        return from_hydra(composed)
    folder = find_finished(KEY, str(text), Path(str(outputs)))
    if of_several:
        check_fixed(KEY, str(text), folder, str(outputs))
    own = OmegaConf.masked_copy(composed, [str(key) for key in composed if key != "hydra"])
    with open_dict(own):
        own.training.start = {
            "run_id": read_result(folder)["run_id"],
            "folder": str(folder),
            "sha256": checksum(folder, MODEL),
        }
    return from_hydra(own)


def by_folder(config: Config) -> list[str]:
    """The override that names the run whose weights a run begins with by its folder; none where it begins with none.

    The name that a person gave, such as `@best`, may mean another run when it is read again.
    """
    start = config.training.start
    return [] if start is None or config.parent is not None else [f"{KEY}={quoted(start.folder)}"]
