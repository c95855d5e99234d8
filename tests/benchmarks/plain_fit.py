"""Plain `keras.Model.fit` with a clock, which fitbench is compared with."""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # Keras is loaded when the backend is known
    import keras

    from fitbench.config import Config
    from fitbench.data.dataset import Dataset
    from fitbench.training.objective import Objective


def begin(seed: int) -> None:
    """Forget the networks of the process, and seed the random numbers of the next one."""
    import keras

    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)


def compile_classifier(net: keras.Model) -> None:
    """Compile a network that gives logits, with Adam and the accuracy."""
    import keras

    net.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])


def network(config: Config, data: Dataset, objective: Objective) -> keras.Model:
    """The network of a configuration, compiled as a classifier."""
    from fitbench.training.building import build

    begin(config.seed)
    net = build(config, data, objective)
    compile_classifier(net)
    return net


def seconds_of_epochs(net: keras.Model, inputs: Any, targets: Any, **options: Any) -> list[float]:
    """Train a compiled network; gives the seconds of each epoch. `options` are those of `fit`."""
    import keras

    marks = [time.perf_counter()]
    clock = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: marks.append(time.perf_counter()))
    net.fit(inputs, targets, verbose=0, callbacks=[clock], **options)
    return [after - before for before, after in itertools.pairwise(marks)]
