"""The pruners of Optuna that end trials early."""

from __future__ import annotations

from collections.abc import Sequence

from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, NopPruner

from fitbench.errors import RequestError
from fitbench.tuning.objectives import Objective
from fitbench.tuning.settings import Pruner, Settings

WARMUP_EPOCHS = 1  # before the median pruner looks
STARTUP_TRIALS = 5  # that the median pruner lets finish first


def pruner(settings: Settings, wanted: Sequence[Objective]) -> Pruner:
    """The pruner of a search, with `auto` resolved.

    Raises:
        RequestError: there is to be a pruner, but no epoch measures the objective, or there are several objectives.
    """
    measured = len(wanted) == 1 and wanted[0].per_epoch
    if settings.pruner is Pruner.auto:
        return Pruner.median if measured else Pruner.none
    if settings.pruner is not Pruner.none and not measured:
        why = "several objectives" if len(wanted) > 1 else f"{wanted[0].name}, which no epoch measures"
        raise RequestError(f"search.pruner={settings.pruner.value} cannot prune by {why}; search.pruner=none")
    return settings.pruner


def create_pruner(settings: Settings, wanted: Sequence[Objective], epochs: int) -> BasePruner:
    """Optuna's pruner for runs of at most so many epochs.

    Raises:
        RequestError: as `pruner`.
    """
    chosen = pruner(settings, wanted)
    if chosen is Pruner.median:
        return MedianPruner(n_startup_trials=STARTUP_TRIALS, n_warmup_steps=WARMUP_EPOCHS)
    if chosen is Pruner.hyperband:
        return HyperbandPruner(min_resource=1, max_resource=max(epochs, 1))
    return NopPruner()
