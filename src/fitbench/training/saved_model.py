"""Loads a model.keras that `record.safety` has checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import keras

import fitbench.models.layers  # noqa: F401  # registers the layers
from fitbench.errors import FitbenchError
from fitbench.training import weights
from fitbench.training.reasons import reason

LARGE = 2**20  # numbers
TRUST = "If you trust the origin of the run, add --trust"


def load_model(
    path: Path, numbers: int | None, objects: Mapping[str, Any] | None = None, trust: bool = False
) -> keras.Model:
    """Load a model that has been checked.

    Args:
        path: of the file.
        numbers: how many its weights hold at most; None is any.
        objects: classes and functions of the user's by the names under which Keras looks them up.
        trust: whether code in the file may run.

    Raises:
        FitbenchError: Keras cannot load it, or its weights hold more numbers; the message names the file.
    """
    try:
        with nullcontext() if numbers is None else _limited_variables(numbers):
            model = keras.saving.load_model(path, custom_objects=objects, compile=False, safe_mode=not trust)
    except FitbenchError as error:
        raise FitbenchError(f"{path}: {error}") from None
    except Exception as error:  # a damaged or hostile file can make Keras raise anything
        raise FitbenchError(f"{path}: Keras cannot load it: {reason(error)}") from error
    if not isinstance(model, keras.Model):
        raise FitbenchError(f"{path}: holds a {type(model).__name__}; expected a model")
    return model


def _limited_variables(saved: int) -> AbstractContextManager[None]:
    """Limit the variables that Keras creates in this block to `saved` numbers, and a few (`LARGE`) that are not saved.

    Raises:
        TooLarge: in the block, before memory is taken for the variable that exceeds the limit.
    """

    def explain(shape: Sequence[int], total: int) -> str:
        return (
            f"its config.json describes weights of the shape {list(shape)}; its model.weights.h5 holds {saved:,} "
            f"numbers. {TRUST}"
        )

    return weights.limited_variables(saved + LARGE, explain)
