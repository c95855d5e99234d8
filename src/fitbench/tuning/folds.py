"""The folds of a search: each trial is trained once for each of them, and its value is the mean."""

from __future__ import annotations

from collections.abc import Iterable

from omegaconf import DictConfig

from fitbench.config import Config, each_fold, fold_overrides
from fitbench.errors import RequestError
from fitbench.tuning.settings import Settings

SET = ("training.validation", "training.folds", "training.validation_split", "fold")  # what folds decide


def overrides(settings: Settings) -> list[str]:
    """The overrides that make a trial's configuration that of its first fold; none where there are no folds."""
    if settings.folds is None:
        return []
    return [*fold_overrides(settings.folds), "fold=0"]


def check(settings: Settings, given: Iterable[str], composed: DictConfig) -> None:
    """Refuse keys, those of the command and of the space, that the folds of a search decide.

    Args:
        settings: of the search.
        given: the keys of the command.
        composed: the configuration without the folds of the search.

    Raises:
        RequestError: the message names the key. Or the runs are to have folds, and it is open which.
    """
    if settings.folds is None and composed.training.validation == "kfold" and composed.fold is None:
        raise RequestError(
            f"training.validation=kfold: search.folds={composed.training.folds} trains each trial on all folds, and "
            "fold=0 on one of them; in the first case leave out training.validation and training.folds"
        )
    in_space = [
        *settings.space,
        *(key for spaces in settings.when.values() if isinstance(spaces, dict) for key in spaces),
    ]
    for key in (*given, *in_space):
        if settings.folds is not None and key in SET:
            raise RequestError(
                f"{key}: not with search.folds={settings.folds}, which sets {', '.join(SET)}; leave it out, or leave "
                "search.folds out"
            )


def runs_of(config: Config, settings: Settings) -> list[Config]:
    """The configurations of the runs of a trial: all folds of the first seed, then those of the next.

    Args:
        config: of the first run.
        settings: `seeds` and `folds` of them.
    """
    seeds = [(config.seed + i) % 2**32 for i in range(settings.seeds)]
    folds = [config.fold] if settings.folds is None else each_fold(settings.folds)
    return [config.model_copy(update={"seed": seed, "fold": fold}) for seed in seeds for fold in folds]
