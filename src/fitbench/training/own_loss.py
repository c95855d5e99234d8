"""A loss that `training.loss` names with `_target_`: any loss of Keras's, or a function or class of the user's."""

from __future__ import annotations

import inspect
import logging
import re
from collections.abc import Iterator, Mapping
from typing import Any

import keras
import numpy as np
from hydra.utils import instantiate

from fitbench.errors import RequestError
from fitbench.training.reasons import reason
from fitbench.user_code import load_object, load_signature

log = logging.getLogger(__name__)
REDUCTION = "sum_over_batch_size"
KNOWN = r"(keras|fitbench\.models)\.losses\.\w+"
OF_PROBABILITIES = ("kldivergence", "kld", "poisson", "dice", "tversky")  # names of Keras's losses without from_logits


class FunctionLoss(keras.losses.Loss):
    """The mean over the examples of what a function (targets, outputs) gives for each."""

    def __init__(self, function: Any, settings: Mapping[str, Any]) -> None:
        super().__init__(name=getattr(function, "__name__", "loss"))
        self.function = function
        self.settings = settings

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The values of the examples."""
        return self.function(y_true, y_pred, **self.settings)


def is_known(section: Mapping[str, Any]) -> bool:
    """Whether a section names one of `keras.losses` or of our losses and no other code, so that anybody may run it.

    Its settings may name further objects, each with a `_target_` of its own.
    """
    targets = list(_targets(section))
    return all(isinstance(target, str) and re.fullmatch(KNOWN, target) for target in targets)


def _targets(value: Any) -> Iterator[Any]:
    if isinstance(value, Mapping):
        yield from (value[key] for key in value if key == "_target_")
        value = list(value.values())
    if isinstance(value, list | tuple):
        for item in value:
            yield from _targets(item)


def has_from_logits(target: str) -> bool:
    """Whether a loss has the parameter `from_logits`, with which it is computed from logits.

    Raises:
        RequestError: it cannot be loaded.
    """
    return "from_logits" in load_signature(target, "training.loss").parameters


def check_takes_logits(target: str) -> None:
    """Refuse a loss of Keras's that is computed from probabilities and cannot be told that it gets logits.

    Of a loss of the user's without the parameter `from_logits`, the log says what it gets.

    Raises:
        RequestError: it is one of `OF_PROBABILITIES`, or it cannot be loaded.
    """
    module, _, name = target.rpartition(".")
    if module.partition(".")[0] == "keras" and name.lower().replace("_", "") in OF_PROBABILITIES:
        raise RequestError(
            f"training.loss is {target}, which is computed from probabilities, but the outputs of a model are logits; "
            "write a function of your own that applies keras.ops.softmax or sigmoid to them and then calls it"
        )
    if not has_from_logits(target):
        log.info("training.loss: %s gets the raw outputs of the model, which are logits", target)


def load(section: Mapping[str, Any], takes_logits: bool) -> keras.losses.Loss:
    """The loss that a section of the configuration names.

    `_target_` is a `keras.losses.Loss`, or a function (targets, outputs) that gives a value for each example, such as
    those of `keras.losses`. All other keys are its settings. It gets what the model gives, which for classes and labels
    are logits.

    Args:
        section: `training.loss` of the configuration.
        takes_logits: whether the loss must be told that it gets logits, with `from_logits`.

    Raises:
        RequestError: it cannot be loaded, does not take its settings, or is not a mean over the examples.
    """
    target = str(section["_target_"])
    settings = {key: value for key, value in section.items() if key != "_target_"}
    if takes_logits and settings.setdefault("from_logits", True) is not True:
        raise RequestError("training.loss.from_logits must be true, because the outputs of a model are logits")
    signature, found = load_signature(target, "training.loss"), load_object(target, "training.loss")
    try:
        if inspect.isclass(found):
            made = instantiate({"_target_": target, **settings}, _convert_="all")
        else:
            signature.bind(None, None, **settings)
            made = FunctionLoss(found, settings)
    except Exception as error:
        raise RequestError(f"training.loss is {target}, which cannot be used: {reason(error)}") from error
    if not isinstance(made, keras.losses.Loss):
        raise RequestError(f"training.loss is {target}; expected a keras.losses.Loss or a function (targets, outputs)")
    if made.reduction != REDUCTION:
        raise RequestError(
            f"training.loss is {target} with the reduction {made.reduction}; expected {REDUCTION}, so that the values "
            "of batches can be averaged"
        )
    return made


def check(
    loss: keras.losses.Loss, target: str, targets: np.ndarray, outputs: np.ndarray, weights: np.ndarray | None
) -> None:
    """Refuse a loss that gives no finite number for a few examples.

    Args:
        loss: as `load` gives it.
        target: its dotted name.
        targets: of some examples, as the loss takes them.
        outputs: of the model for these, float32 [N, outputs].
        weights: of these; None: all weigh 1. A loss that gives one value for a whole batch cannot be weighted.

    Raises:
        RequestError: it fails, gives values of another shape, or a value is NaN or infinite.
    """
    what = f"training.loss is {target}, which"
    shapes = f"targets of shape {targets.shape} and outputs of shape {outputs.shape}"
    try:
        y_true, y_pred = (keras.ops.convert_to_tensor(array) for array in (targets, outputs))
        values = keras.ops.convert_to_numpy(loss.call(y_true, y_pred)).astype(np.float64)
    except Exception as error:
        raise RequestError(f"{what} failed for {shapes}: {reason(error)}") from error
    is_mean = values.ndim == 0 and weights is None
    if not is_mean and values.shape[:1] != (len(targets),):
        one = "" if weights is None else ", because the examples have weights"
        raise RequestError(
            f"{what} gives values of shape {values.shape} for {shapes}; expected a value for each example, "
            f"({len(targets)},){one}"
        )
    if not np.isfinite(values).all():
        worst = values[~np.isfinite(values)].flat[0]
        raise RequestError(f"{what} gives {worst} for the first examples, before any training")
