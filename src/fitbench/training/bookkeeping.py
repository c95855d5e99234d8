"""Keras's bookkeeping of metrics around an epoch, with fewer operations than a small network's epoch takes."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras

RESULT = "_get_metrics_result_or_logs"  # private: Keras calls it with the logs of the last step of a pass
METHODS = ("train_step", "test_step", "compute_metrics", "get_metrics_result", "reset_metrics", RESULT)


@contextmanager
def metrics_from_logs(model: keras.Model) -> Iterator[None]:
    """Let `fit` and `evaluate` of a compiled model take the metrics of a pass from the logs of its last step.

    Keras computes them again, and resets each variable by an operation that makes a zero. The values are the same. A
    model with steps or metrics of its own is left alone: its logs may be others than its metrics.
    """
    if any(getattr(type(model), method, None) is not getattr(keras.Model, method, None) for method in METHODS):
        yield
        return
    zeros: list[tuple[keras.Variable, Any]] = []  # of each variable of a metric; on JAX they come when `fit` begins

    def reset_metrics() -> None:
        if not zeros:
            type(model).reset_metrics(model)
            zeros.extend((variable, keras.ops.copy(variable.value)) for variable in model.metrics_variables)
        for variable, zero in zeros:
            if keras.config.backend() == "tensorflow":
                variable.value.assign(zero, read_value=False)  # half the time of Keras's own `assign`
            else:
                variable.assign(zero)

    replaced: dict[str, Any] = {"reset_metrics": reset_metrics, RESULT: lambda logs: logs}
    vars(model).update(replaced)
    try:
        yield
    finally:
        for name in replaced:
            del vars(model)[name]
