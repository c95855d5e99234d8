"""The attributes of callbacks in checkpoints: JSON, with NumPy's arrays beside it.

JSON has no arrays and no tuples, and the keys of its objects are text. So these are objects of one key that begins with
a $: `{"$array": name}` of an array beside, `{"$tuple": [..]}`, and `{"$dict": [[key, value], ..]}`. In the place of an
attribute that cannot be held is its type: `{"$left_out": "set"}`.
"""

import functools
import io
import logging
import sys
import types
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

import keras
import numpy as np

# Attributes of callbacks that are set anew in each attempt: Keras turns the sign of `min_delta` in the first epoch of
# every `fit`, looks whether a CSV has its header, and the run folder may lie elsewhere by now.
SETTINGS = ("min_delta", "params", "append_header", "filename", "filepath", "log_dir")
ARRAY, TUPLE, DICT, LEFT_OUT = "$array", "$tuple", "$dict", "$left_out"
DEEPEST = 20  # levels of lists and dicts; `untrusted.parse_json` takes 64, and a dict of other keys than text is 3
# Bytes of an array of a user's callback: each checkpoint has a copy, and a callback may hold a whole data set. Keras's
# callbacks and ours hold weights, such as the best ones, without which a run would go on otherwise.
LARGEST_ARRAY = 2**24
LARGEST_BITS = 10_000  # of a number: Python writes those of 4,300 digits or more only when it is told to
# What a callback has and does not change, beside functions.
NO_STATE = (
    types.ModuleType, functools.partial, PurePath, io.IOBase, logging.Logger, keras.Model, keras.Layer,
    keras.optimizers.Optimizer, keras.Variable,
)  # fmt: skip


class _NotHeldError(Exception):
    """A value that a checkpoint cannot hold."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def described(self, whole: Any) -> str:
        """The type of the attribute that is it, or has it somewhere."""
        kind = type(self.value).__name__
        if isinstance(self.value, np.ndarray) and self.value.nbytes > LARGEST_ARRAY:
            kind += f" of {self.value.nbytes / 2**20:,.0f} MiB"
        return kind if self.value is whole else f"{type(whole).__name__} with a {kind}"


def state_of(callback: keras.callbacks.Callback, prefix: str) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """A copy of the attributes of a callback: best so far, epochs waited, a list of losses.

    Args:
        callback: whose attributes they are. Those of `SETTINGS` are not state.
        prefix: of the names of the arrays.

    Returns:
        what JSON holds, and the arrays.
    """
    attributes: dict[str, Any] = {}
    arrays: dict[str, np.ndarray] = {}
    for name, value in vars(callback).items():
        if name in SETTINGS:
            continue
        its_arrays: dict[str, np.ndarray] = {}
        try:
            largest = LARGEST_ARRAY if _is_of_user(callback) else sys.maxsize
            attributes[name] = _encoded(value, its_arrays, f"{prefix}-{len(arrays)}", largest)
        except _NotHeldError as error:
            if _is_of_user(callback) and _may_be_state(error.value):
                attributes[name] = {LEFT_OUT: error.described(value)}
            continue
        arrays |= its_arrays
    return attributes, arrays


def _is_of_user(callback: keras.callbacks.Callback) -> bool:
    return type(callback).__module__.partition(".")[0] not in ("keras", "fitbench")  # which get along without


def _may_be_state(value: Any) -> bool:
    is_function = callable(value) and hasattr(value, "__name__")
    return not is_function and not isinstance(value, NO_STATE)


def restored(attributes: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> tuple[dict[str, Any], dict[str, str]]:
    """What `state_of` has copied, and the types of the attributes that it could not copy, by name."""
    values: dict[str, Any] = {}
    left_out: dict[str, str] = {}
    for name, value in attributes.items():
        if isinstance(value, dict) and LEFT_OUT in value:
            left_out[name] = value[LEFT_OUT]
        else:
            values[name] = _decoded(value, arrays)
    return values, left_out


def is_held(value: Any) -> bool:
    """Whether a checkpoint holds such a value."""
    try:
        _encoded(value, {}, "")
    except _NotHeldError:
        return False
    return True


def _encoded(
    value: Any, arrays: dict[str, np.ndarray], prefix: str, largest: int = LARGEST_ARRAY, depth: int = 0
) -> Any:
    """A value as JSON; its arrays, of at most `largest` bytes each, are added to `arrays`.

    Raises:
        _NotHeldError: a checkpoint cannot hold it.
    """
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, float | str) or (isinstance(value, int) and _is_short(value)):
        return value
    if type(value) is np.ndarray and value.nbytes <= largest and _is_exact_in_files(value.dtype):
        name = f"{prefix}-{len(arrays)}"
        arrays[name] = value.copy()
        return {ARRAY: name}
    if depth < DEEPEST and isinstance(value, list | tuple | dict):
        below = functools.partial(_encoded, arrays=arrays, prefix=prefix, largest=largest, depth=depth + 1)
        if isinstance(value, list):
            return [below(item) for item in value]
        if isinstance(value, tuple):
            return {TUPLE: [below(item) for item in value]}
        if all(isinstance(key, str) and not key.startswith("$") for key in value):
            return {key: below(item) for key, item in value.items()}
        return {DICT: [[below(key), below(item)] for key, item in value.items()]}
    raise _NotHeldError(value)


def _is_short(number: int) -> bool:
    return number.bit_length() <= LARGEST_BITS


def _is_exact_in_files(dtype: np.dtype) -> bool:
    """Whether a .npy file holds such numbers without pickle: not objects, and not types of other packages."""
    described = np.lib.format.dtype_to_descr(dtype) if dtype.kind in "biufcmMSU" else None
    return described is not None and np.lib.format.descr_to_dtype(described) == dtype


def _decoded(value: Any, arrays: Mapping[str, np.ndarray]) -> Any:
    if isinstance(value, list):
        return [_decoded(item, arrays) for item in value]
    if not isinstance(value, dict):
        return value
    if ARRAY in value:
        return arrays[value[ARRAY]].copy()  # the callback may change it
    if TUPLE in value:
        return tuple(_decoded(item, arrays) for item in value[TUPLE])
    if DICT in value:
        return {_decoded(key, arrays): _decoded(item, arrays) for key, item in value[DICT]}
    return {key: _decoded(item, arrays) for key, item in value.items()}
