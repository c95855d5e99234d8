"""The random state that a run begins with."""

from __future__ import annotations

import random

import numpy as np

from fitbench.config import Backend, Config
from fitbench.training import backend


def seed(config: Config, shared: bool) -> None:
    """Begin with the same random state in every run of this seed, whatever this process did before.

    `shared`: the run takes over the network of the last one. Then TensorFlow keeps what it has made of its loops, which
    both `clear_session` and a seed for TensorFlow would throw away; all that is random in it are variables.
    """
    import keras

    backend.reset_settings()
    if not shared:
        keras.utils.clear_session()
    keras.config.set_dtype_policy(config.training.dtype_policy.value)  # not before: `clear_session` forgets it
    random.seed(config.seed)  # all of Keras's own seeds come from here
    np.random.seed(config.seed)
    if config.backend is Backend.tensorflow and not shared:
        keras.utils.set_random_seed(config.seed)
