"""The samplers of Optuna that propose the next trial."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
from optuna.samplers import BaseSampler, GPSampler, GridSampler, RandomSampler, TPESampler

from fitbench.errors import RequestError
from fitbench.tuning.settings import Sampler, Settings
from fitbench.tuning.space import Space


def create_sampler(settings: Settings, space: Space, number: int = 0, draw: int = 0) -> BaseSampler:
    """The sampler for one draw of a trial: its random numbers depend on the search's seed and on these numbers alone.

    Args:
        settings: `sampler`, `seed` and `startup_trials` of them.
        space: of the search.
        number: of the trial.
        draw: 0 for what is drawn for a whole trial, then 1 for the first parameter and so on.

    Raises:
        RequestError: the sampler does not suit the space, or PyTorch is not installed.
    """
    seed = int(np.random.SeedSequence([settings.seed, number, draw]).generate_state(1)[0])
    if settings.sampler is Sampler.random:
        return RandomSampler(seed=seed)
    if settings.sampler is Sampler.grid:
        return GridSampler(space.grid(), seed=settings.seed)
    if settings.sampler is Sampler.gp:
        if find_spec("torch") is None:
            raise RequestError("search.sampler=gp needs PyTorch: pip install torch")
        return GPSampler(seed=seed, n_startup_trials=settings.startup_trials)
    return TPESampler(seed=seed, n_startup_trials=settings.startup_trials, constant_liar=True)
