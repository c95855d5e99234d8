"""The memory that a model takes, known before it is taken. A stranger's config.json may describe layers of any size."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import DTypeLike

from fitbench.errors import FitbenchError
from fitbench.training.saved_model import LARGE, TRUST

MAX_TENSOR, MAX_TENSORS = 2**24, 2**30  # numbers that a model computes for one example, at a time and altogether

Shape = tuple[int, ...]  # of one example


@dataclass(frozen=True)
class Compiled:
    """A model, compiled for many calls.

    Attributes:
        outputs: from inputs [N, *shape] to the model's outputs, float32 [N, outputs]. It takes any number of examples,
            all of them at a time.
        largest: the numbers in the largest tensor that is computed for one example.
        total: the numbers in all tensors that are computed for one example.
    """

    outputs: Callable[[np.ndarray], np.ndarray]
    largest: int
    total: int

    def check(self) -> None:
        """Check that the model of an untrusted run does not need very much memory.

        Raises:
            FitbenchError: it does.
        """
        if self.largest > MAX_TENSOR or self.total > MAX_TENSORS:
            raise FitbenchError(
                f"for one example, it computes {self.total:,} numbers, {self.largest:,} of them in one tensor; "
                f"expected at most {MAX_TENSORS:,}, and {MAX_TENSOR:,} in one. {TRUST}"
            )


def compile_model(model: keras.Model, shape: Shape, dtype: DTypeLike) -> Compiled:
    """Compile a model for inputs of this type, [N, *shape]. Nothing is computed yet."""
    compiling = _compile_tensorflow if keras.config.backend() == "tensorflow" else _compile_jax
    outputs, sizes = compiling(model, shape, np.dtype(dtype))
    of_weights = {math.prod(weight.shape) for weight in model.weights}
    computed = [size for size in sizes if size <= LARGE or size not in of_weights]  # large weights are tensors as well
    return Compiled(outputs, max(computed, default=1), sum(computed))


def _compile_tensorflow(
    model: keras.Model, shape: Shape, dtype: np.dtype
) -> tuple[Callable[[np.ndarray], np.ndarray], list[int]]:
    """Trace a model once for all numbers of examples. Return it, and the numbers in each tensor for one example."""
    import tensorflow as tf

    def trace(count: int | None) -> Any:
        call = tf.function(lambda inputs: model(inputs, training=False), autograph=False)
        return call.get_concrete_function(tf.TensorSpec([count, *shape], dtype))

    traced = trace(None)
    tensors = (tensor for operation in trace(1).graph.get_operations() for tensor in operation.outputs)
    sizes = [math.prod(side or 1 for side in tensor.shape) for tensor in tensors if tensor.shape.rank is not None]
    return lambda inputs: traced(tf.constant(inputs)).numpy().astype(np.float32, copy=False), sizes


def _compile_jax(
    model: keras.Model, shape: Shape, dtype: np.dtype
) -> tuple[Callable[[np.ndarray], np.ndarray], list[int]]:
    """Return a model that JAX compiles for each number of examples, and the numbers in each tensor for one.

    Examples are filled up to a power of two, so that there are few numbers of them.
    """
    import jax

    def padded(inputs: np.ndarray) -> np.ndarray:
        size = 1 << (len(inputs) - 1).bit_length()
        filled = np.zeros((size, *shape), dtype)
        filled[: len(inputs)] = inputs
        return np.asarray(model.predict_on_batch(filled), np.float32)[: len(inputs)]

    example = jax.ShapeDtypeStruct((1, *shape), dtype)
    traced = jax.make_jaxpr(lambda inputs: model(inputs, training=False))(example)
    return padded, list(_sizes(traced.jaxpr))


def _sizes(jaxpr: Any) -> Iterator[int]:
    """Yield the numbers in each tensor that an expression of JAX computes."""
    from jax.extend.core import jaxprs_in_params

    for equation in jaxpr.eqns:
        yield from (variable.aval.size for variable in equation.outvars)
        for inner in jaxprs_in_params(equation.params):
            yield from _sizes(inner)
