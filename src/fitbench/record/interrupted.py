"""The checkpoints of an interrupted run, from which its next attempt goes on or without which it begins anew."""

from __future__ import annotations

from pathlib import Path

from fitbench.config import Config
from fitbench.errors import RequestError
from fitbench.record.files import listed, remove


def has_checkpoint(folder: Path) -> bool:
    """Whether a run has a checkpoint, usable or not.

    Raises:
        FitbenchError: checkpoint/ is a link that leaves the outputs folder.
    """
    return bool(listed(folder, "checkpoint", "*.npz"))


def epoch_of_checkpoint(folder: Path) -> int:
    """The epoch after which a run resumes, as the names of its checkpoints say; 0 if it begins anew.

    Raises:
        FitbenchError: checkpoint/ is a link that leaves the outputs folder.
    """
    epochs = [path.name.partition("-")[0] for path in listed(folder, "checkpoint", "[0-9]*-*.npz")]
    return max((int(epoch) for epoch in epochs if epoch.isdecimal()), default=0)


def begin_anew(config: Config, folder: Path, refusal: str) -> None:
    """Remove checkpoints that the run cannot go on from, as `force=true` allows.

    Raises:
        RequestError: with the refusal, because the configuration does not allow it.
    """
    if not config.force:
        raise RequestError(refusal)
    remove(folder / "checkpoint")
