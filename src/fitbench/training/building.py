"""The model of a run: built from the configuration for the examples at hand, and compiled."""

import inspect
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from hydra.errors import InstantiationException
from hydra.utils import instantiate

from fitbench.config import Config, NoDistortion
from fitbench.config.builders import SECTION, check_takes, is_ours
from fitbench.config.errors import did_you_mean
from fitbench.data.dataset import Dataset
from fitbench.data.memory import take
from fitbench.errors import RequestError
from fitbench.kinds import IMAGES, KINDS
from fitbench.models.distortions import distorted
from fitbench.models.layers import Standardize
from fitbench.training import backend, optimizers, outputs
from fitbench.training.objective import Objective
from fitbench.training.reasons import is_wrong_request, reason
from fitbench.training.weights import TooLarge, within_memory
from fitbench.user_code import load_signature


def build(config: Config, data: Dataset, objective: Objective, examples: int | None = None) -> keras.Model:
    """The model that the configuration names, for the examples of a data set.

    The builder is given its settings and, if it has such parameters, `inputs` (a `record.inputs.Inputs`), `input_shape`
    ([height, width, channels], [columns], or as the examples are), `outputs` (the number of classes, targets or
    labels), `columns` (a tuple of `record.dataset.Column`, empty for all but tables) and `examples` (the number of
    examples to train on, by default all training examples). Layers that standardise pixels are adapted to all training
    images, without a validation part of the data set's own.

    Raises:
        RequestError: there is no such function, it does not take these settings, or its model does not fit the data.
    """
    target = config.model["_target_"]
    _check_is_for(config.model, data, objective)
    settings = {key: value for key, value in config.model.items() if key not in SECTION}
    shape = tuple(data.x_train.shape[1:])
    signature = load_signature(target, "model._target_")
    backend.reset_settings()  # its module may have changed them, when it was imported
    sizes = {"inputs": data.inputs, "input_shape": shape, "outputs": objective.outputs, "columns": data.columns}
    supplied = _supplied(signature, sizes, examples or len(data.y_train), settings)
    try:
        signature.bind(**supplied, **settings)
    except TypeError as error:
        raise RequestError(
            f"model: {target} does not take these settings ({error}); it is called with "
            + ", ".join([*supplied, *settings])
        ) from error
    try:
        with within_memory():
            model = instantiate({"_target_": target, **settings}, **supplied, _convert_="all")
    except InstantiationException as error:
        if isinstance(error.__cause__, TooLarge):
            raise RequestError(f"model={config.model['name']} is too large: {reason(error)}") from error
        if is_ours(target) and isinstance(error.__cause__, RequestError):
            raise error.__cause__ from None
        if not (is_ours(target) and isinstance(error.__cause__, ValueError)):
            raise  # the settings fit the signature, so this is a failure of the user's code
        raise RequestError(f"model={config.model['name']} does not fit data={data.name}: {reason(error)}") from error
    if not isinstance(model, keras.Model):
        raise RequestError(f"model._target_ is {target}, which gave {type(model).__name__}; it must give a keras.Model")
    _check_shape(model, config.model["name"], data)
    if not is_ours(target):
        examples_of_data = np.asarray(data.x_train[np.arange(min(outputs.EXAMPLES, len(data.y_train)))])
        outputs.check(model, examples_of_data, objective, config.model["name"])
    _adapt(model, config.model["name"], data)
    return model


def _adapt(model: keras.Model, name: str, data: Dataset) -> None:
    """Adapt the layers that standardise pixels. A validation part of the data set's own does not count."""
    for layer in model.layers:
        if isinstance(layer, Standardize):
            if data.kind != IMAGES:
                raise RequestError(
                    f"model={name} has the layer {layer.name} for pixels, but the examples of {data.name} are "
                    f"{KINDS[data.kind].plural}; begin the model with fitbench.models.blocks.features"
                )
            layer.adapt(take(data.x_train, np.arange(len(data.y_train) - data.validation)))


def _check_is_for(model: Mapping[str, Any], data: Dataset, objective: Objective) -> None:
    """Refuse a model of fitbench for data or a task that it is not for."""
    check_takes(model, data.kind, data.name)
    squashing = model.get("output_activation")
    if squashing and is_ours(model["_target_"]) and not objective.task.has_classes:
        raise RequestError(
            f"model.output_activation={squashing} is for the mean squared error of classes, but the task is "
            f"{objective.task.name}; set model.output_activation=null"
        )


def _supplied(
    signature: inspect.Signature, sizes: dict[str, Any], examples: int, settings: Mapping[str, Any]
) -> dict[str, Any]:
    """What fitbench gives a builder besides its settings.

    `outputs` was called `classes` in version 0.1, and builders of that time are given it under that name. A builder
    that takes anything (`**settings`) is given both sizes. What the settings have under these names stays.
    """
    names = signature.parameters
    takes_others = any(parameter.kind is parameter.VAR_KEYWORD for parameter in names.values())
    if "classes" in names:
        sizes = {**sizes, "classes": sizes["outputs"]}
        del sizes["outputs"]
    supplied = {
        name: size
        for name, size in sizes.items()
        if (name in names and name not in settings) or (takes_others and name not in ("columns", "inputs"))
    }
    if "examples" in names and "examples" not in settings:
        supplied["examples"] = examples
    return supplied


def _check_shape(model: keras.Model, name: str, data: Dataset) -> None:
    takes, shape = getattr(model, "input_shape", None), data.inputs.shape
    if not isinstance(takes, tuple):
        return
    if len(takes) - 1 != len(shape) or any(
        side not in (None, actual) for side, actual in zip(takes[1:], shape, strict=True)
    ):
        sides = "x".join("any" if side is None else str(side) for side in takes[1:])
        raise RequestError(
            f"model={name} takes examples of {sides}; those of data={data.name} are {data.inputs.described}"
        )


def compiled(
    model: keras.Model, config: Config, objective: Objective, data: Dataset, steps_per_epoch: int
) -> keras.Model:
    """The model to fit: `model` behind the distortion of its images, with an optimizer and a loss.

    The weights are shared, and `model` itself stays free of all that: what is saved is the model and nothing else. But
    a model that trains in a way of its own is compiled, and saved, as it is, and cannot be distorted.

    Raises:
        RequestError: the optimizer's settings are wrong, or such a model is to be distorted.
    """
    is_distorted = not isinstance(config.distortion, NoDistortion)
    trained = model
    if is_distorted and _trains_itself(model):
        raise RequestError(
            f"distortion={config.distortion.kind} does not go with model={config.model['name']}, which has a training "
            "step of its own; put the distortion into the model"
        )
    if is_distorted:
        trained = distorted(model, data.x_train.shape[1:], config.distortion, config.seed)
    elif not _trains_itself(model):
        inputs = keras.Input(data.x_train.shape[1:], dtype=str(data.x_train.dtype), name="inputs")
        trained = keras.Model(inputs, model(inputs), name=f"trained_{model.name}")
    settings = config.training
    try:
        optimizer = optimizers.build(config.optimizer, steps_per_epoch, settings.epochs)
    except InstantiationException as error:
        if not is_wrong_request(error, config.optimizer["_target_"]):
            raise
        raise RequestError(
            f"optimizer: {config.optimizer['_target_']}: {reason(error)}{_hint(config.optimizer)}"
        ) from error
    trained.compile(
        optimizer=optimizer,
        loss=objective.loss,
        metrics=objective.metrics(),
        jit_compile=settings.jit_compile,
    )
    return trained


def _hint(settings: Mapping[str, Any]) -> str:
    """Which parameter of the optimizer was perhaps meant by a setting that it does not have; empty if there is none."""
    try:
        signature = load_signature(settings["_target_"], "optimizer._target_")
    except RequestError:  # there is no such optimizer, and the error that this belongs to says so
        return ""
    known = list(signature.parameters)
    unknown = [name for name in settings if name not in (*known, "_target_", "name", "schedule")]
    return next(filter(None, (did_you_mean(name, known, "optimizer.") for name in unknown)), "")


def _trains_itself(model: keras.Model) -> bool:
    own = ("train_step", "test_step", "compute_loss", "compute_metrics")
    return any(getattr(type(model), method) is not getattr(keras.Model, method) for method in own)
