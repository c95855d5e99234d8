"""What a model gives, tried on a few examples before it is trained, whatever its layers are and are called.

Losses are computed from logits, and recorded probabilities are the softmax of the outputs. A model that ends in a
softmax or a sigmoid would get other numbers than its weights deserve: Keras's losses look behind such an operation for
the logits, and whoever uses the outputs does not.
"""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from fitbench.errors import RequestError
from fitbench.training.objective import Objective

EXAMPLES = 8
DRAWS = 4  # of other weights: one alone may happen to give such outputs

Weights = Callable[[np.ndarray, np.random.Generator], np.ndarray]  # from the value of a weight to another one


def check(model: keras.Model, inputs: np.ndarray, objective: Objective, name: str) -> None:
    """Refuse a model whose outputs are not what the loss expects.

    They are told by how they behave. The outputs of a softmax add up to 1 also with slightly different weights. Those
    of a sigmoid stay between 0 and 1 also with large weights. Afterwards the model has its own weights again.

    Args:
        model: is called with `inputs` and built by that, if it is not yet.
        inputs: a few examples.
        objective: says how many outputs an example must have, and what they are.
        name: what messages call the model.

    Raises:
        RequestError: the model gives something else than one tensor [batch, outputs], or probabilities.
    """
    given, outputs = model(inputs, training=False), objective.outputs
    if not keras.ops.is_tensor(given):
        raise RequestError(
            f"model={name} gives a {type(given).__name__}; it must give one tensor of shape [batch, {outputs}]"
        )
    if tuple(given.shape) != (len(inputs), outputs):
        raise RequestError(
            f"model={name} gives outputs of shape {tuple(given.shape)} for {len(inputs)} examples; "
            f"they must have the shape [batch, {outputs}]"
        )
    if objective.task.has_values:
        return  # values may be anything
    if _add_up_to_one(_array(given)) and _outputs_if_all(_add_up_to_one, model, inputs, _near).size:
        raise RequestError(
            f"model={name} ends in a softmax: the outputs of an example add up to 1; leave it out, because the loss "
            "and the recorded probabilities are computed from logits"
        )
    if not objective.takes_logits:
        return
    between = _outputs_if_all(_between_0_and_1, model, inputs, _large)
    if between.size and np.ptp(between) > 0:  # outputs that are all the same, as of units that are off, tell nothing
        raise RequestError(
            f"model={name} gives outputs between 0 and 1, as a sigmoid does; training.loss={objective.name} is "
            "computed from logits: leave the last activation out"
            + (", or set training.loss=mean_squared_error" if "mean_squared_error" in objective.task.losses else "")
        )


def _add_up_to_one(outputs: np.ndarray) -> bool:
    return bool((outputs >= 0).all() and np.allclose(outputs.sum(axis=1), 1, atol=0.01))


def _between_0_and_1(outputs: np.ndarray) -> bool:
    return bool((outputs >= 0).all() and (outputs <= 1).all())


def _outputs_if_all(
    holds: Callable[[np.ndarray], bool], model: keras.Model, inputs: np.ndarray, other: Weights
) -> np.ndarray:
    """The outputs with some other weights, float64 [draws * batch, outputs], if something holds for each draw.

    Else they are empty: most models are done after the first draw. The model's own weights are put back.
    """
    random = np.random.default_rng(0)
    own = [(variable, keras.ops.convert_to_numpy(variable)) for variable in model.variables]
    weights = [variable for variable in model.trainable_variables if "float" in str(variable.dtype)]
    trained = [keras.ops.convert_to_numpy(weight) for weight in weights]
    outputs = []
    try:
        for _ in range(DRAWS):
            for weight, value in zip(weights, trained, strict=True):
                weight.assign(other(value, random))
            outputs.append(_array(model(inputs, training=False)))
            if not holds(outputs[-1]):
                return np.empty(0)
    finally:
        for variable, value in own:
            variable.assign(value)
    return np.concatenate(outputs)


def _near(value: np.ndarray, random: np.random.Generator) -> np.ndarray:
    return value + _drawn(value.shape, 0.5, 0.5, random)


def _large(value: np.ndarray, random: np.random.Generator) -> np.ndarray:
    return _drawn(value.shape, 20, 4, random)


def _drawn(shape: tuple[int, ...], of_vectors: float, gain: float, random: np.random.Generator) -> np.ndarray:
    """Normal numbers of this standard deviation; `gain` over the root of the number of inputs in a matrix or kernel."""
    return random.normal(0, of_vectors if len(shape) < 2 else gain / np.sqrt(np.prod(shape[:-1])), shape)


def _array(outputs: Any) -> np.ndarray:
    return keras.ops.convert_to_numpy(outputs).astype(np.float64)
