"""What a run trains: the model, and the compiled loops that train it, which the next seed takes over.

Tracing and compiling the loops takes about a second, as long as many a small run, and TensorFlow keeps some megabytes
of each trace for good. So the network of the last run is kept, and trains the next one if that differs in nothing but
its seed, or a learning rate that is a variable: every variable, random states and the rate included, gets the value
that a network built anew would have.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import keras

from fitbench.config import config_id
from fitbench.training import optimizers
from fitbench.training.building import build, compiled
from fitbench.training.loops import Loops, compile_loops, worth_xla
from fitbench.training.objective import SMALLEST
from fitbench.training.parts import Parts
from fitbench.training.start import Started, freeze, start


@dataclass(frozen=True, eq=False)
class Network:
    """A model from inputs to outputs, and the loops that train it; none where it is not trained by epochs.

    `key` is what runs must have in common to share a network; None where they must not. `started` is what the model
    has taken from an earlier run.
    """

    model: keras.Model
    loops: Loops | None
    key: tuple[str, ...] | None
    started: Started | None = None

    @property
    def is_ours(self) -> bool:
        """Whether no code of the user's takes part in the training."""
        return self.key is not None


_kept: list[Network] = []  # at most one


def network(parts: Parts) -> Network:
    """The network of a run, as it is before its first epoch.

    Raises:
        RequestError: the model or the optimizer cannot be built with these settings.
    """
    last = _kept.pop() if is_kept(parts) else None
    forget()  # before the next one takes memory
    config, data, examples = parts.config, parts.prepared, len(parts.kept)
    model = build(config, data, parts.objective, examples)
    settings = config.training
    started = start(model, config, data)
    freeze(model, settings.freeze)
    if not settings.epochs:
        return Network(model, None, None)
    steps = math.ceil(examples / (settings.batch_size or examples))
    trained = compiled(model, config, parts.objective, data, steps)
    if last is not None and last.loops is not None:
        trained.optimizer.build(trained.trainable_variables)
        for kept, new in zip(_variables(last.loops.model), _variables(trained), strict=True):
            kept.assign(new)
        return last
    example = parts.examples()[0].first()
    xla = worth_xla(trained, settings.jit_compile, steps * settings.epochs)
    return Network(model, compile_loops(trained, example, xla), _key(parts), started)


def saved_model(model: keras.Model, parts: Parts) -> keras.Model:
    """The model that is saved: it takes inputs as files have them, and gives outputs as `Task.recorded` takes them.

    Values are in the units of the targets. Of sigmoids, each of which estimates the probability of its class, it gives
    the logarithms: their softmax, which is recorded, is each sigmoid over the sum of all.
    """
    scale, name = parts.objective.scale, model.name
    if scale is not None or parts.objective.has_sigmoids:
        taken = parts.prepared.inputs
        inputs = keras.Input(taken.shape, dtype=taken.dtype, name="inputs")
        if scale is not None:
            in_units = keras.layers.Rescaling(
                scale=scale.deviation.tolist(), offset=scale.mean.tolist(), dtype="float32", name="units"
            )
            model = keras.Model(inputs, in_units(model(inputs)), name=f"{name}_in_units")
        else:
            logarithms = keras.ops.log(keras.ops.maximum(model(inputs), SMALLEST))
            model = keras.Model(inputs, logarithms, name=f"{name}_logarithms")
    return from_raw(model, parts.preparation)


def from_raw(model: keras.Model, preparation: keras.Model | None) -> keras.Model:
    """The model that takes raw examples, from one that takes prepared examples and the model that prepares them."""
    if preparation is None:
        return model
    raw = keras.Input(preparation.input_shape[1:], dtype=preparation.inputs[0].dtype, name=preparation.inputs[0].name)
    return keras.Model(raw, model(preparation(raw)), name=f"{preparation.name}_{model.name}")


def is_kept(parts: Parts) -> bool:
    """Whether the network of this run is there already.

    One that takes or freezes layers by their names is built anew: Keras numbers names by what the process has built.
    """
    settings = parts.config.training
    return not (settings.start or settings.freeze) and bool(_kept) and _kept[0].key == _key(parts)


def keep(network: Network) -> None:
    """Keep the network of a run that has ended well for the next one."""
    if network.key is not None:
        _kept.append(network)


def forget() -> None:
    """Keep no network: `keras.utils.clear_session` takes from it what it needs."""
    _kept.clear()


def _key(parts: Parts) -> tuple[str, ...] | None:
    """Only where nothing but variables can depend on the seed: a user's own code may do anything with it.

    The checksum of the data covers neither what the columns of a table mean nor how many classes have names. The number
    of training examples, which depends on the seed where groups are kept together, is a constant of the
    network: schedules count in steps, and some models weigh their penalties by it. So is the deviation of standardised
    targets, which depends on the fold: the compiled metric multiplies by it.
    """
    config, examples, scale = parts.config, len(parts.kept), parts.objective.scale
    loss = config.training.loss
    loss_is_ours = not isinstance(loss, Mapping) or str(loss["_target_"]).startswith(("keras.", "fitbench."))
    ours = config.model["_target_"].startswith("fitbench.") and config.optimizer["_target_"].startswith("keras.")
    if not (ours and loss_is_ours) or config.training.callbacks:
        return None
    if config.optimizer["schedule"]["kind"] in optimizers.OF_A_VARIABLE:
        config = config.model_copy(update={"optimizer": {**config.optimizer, "learning_rate": None}})
    data = parts.data
    takes, gives = data.inputs.model_dump_json(), f"{data.task} {len(data.names)}"
    unit = "" if scale is None else str(scale.deviation.tolist())
    return config_id(config), data.sha256, takes, gives, config.device, str(examples), unit


def _variables(trained: keras.Model) -> list[keras.Variable]:
    """All that a run begins with: weights, random states, the optimizer's state."""
    return [*trained.variables, *trained.optimizer.variables]
