"""Calls the function of the user's that returns a data set."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from fitbench.config import OwnData
from fitbench.config.builders import check_names
from fitbench.data.arrays import dataset_of_arrays
from fitbench.data.dataset import Dataset
from fitbench.data.fingerprint import fingerprint
from fitbench.data.in_memory import check_same_columns, check_same_rows
from fitbench.data.memory import file_behind
from fitbench.data.npz import names_of_parts
from fitbench.errors import DataError, RequestError
from fitbench.text import first_line
from fitbench.user_code import failure, load_object

PAIRS = ("train", "test", "val")  # the order in which a function returns them
EXPECTED = (
    "expected (x_train, y_train), (x_test, y_test), perhaps with a third pair for validation, or a mapping of arrays "
    "with the names of an .npz file"
)


def read_own(data: OwnData, task: str) -> Dataset:
    """Call the function, and make a data set of the arrays that it returns. `task` is that of the configuration.

    The files of the data set are those that its arguments name, and those of memory-mapped arrays; what else the
    function has read is not known.

    Raises:
        RequestError: there is no such function, or it does not take its arguments.
        DataError: it fails, or returns something else than a data set.
    """
    function = _loaded(data)
    try:
        returned = function(**data.settings)
    except Exception as error:
        modules = data.target.rpartition(".")[0], getattr(function, "__module__", None)
        raise DataError(f"{data.target} failed: {failure(error, *modules)}") from error
    arrays = _named(returned, data.target)
    files = tuple(sorted({*files_given(data), *(file for array in arrays.values() if (file := file_behind(array)))}))
    now = fingerprint(*files) if files else None  # after the call, which may write a file of its own, such as a cache
    return replace(dataset_of_arrays(data, arrays, data.target, task), files=files, fingerprint=now)


def files_given(data: OwnData) -> tuple[Path, ...]:
    """The files that arguments of the function name, in order."""
    return tuple(sorted({Path(text) for text in _texts(data.settings) if os.path.isfile(text)}))  # noqa: PTH113 - never raises


def _texts(value: Any) -> Iterator[str]:
    """Yield the texts in nested values."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping | list):
        for item in value.values() if isinstance(value, Mapping) else value:
            yield from _texts(item)


def _loaded(data: OwnData) -> Callable[..., Any]:
    """The function, whose module is imported. It must take the arguments of the configuration."""
    where = f"data._target_ is {data.target}"
    function = load_object(data.target, "data._target_")
    try:
        signature = inspect.signature(function)
        check_names(data, signature.parameters)
        signature.bind(**data.settings)
    except ValueError:  # some functions written in C have no signature; the call itself will tell
        pass
    except TypeError as error:
        arguments = ", ".join(data.settings) or "no arguments"
        raise RequestError(
            f"{where}, which cannot be called with {arguments}: {error}; all keys of data but "
            f"{', '.join(data.own_keys())} are its arguments"
        ) from error
    return function


# -- what it returns --------------------------------------------------------------------------------------------------


def _named(returned: Any, source: str) -> dict[str, np.ndarray]:
    """The arrays that a function returned by the names of an .npz file."""
    if isinstance(returned, Mapping):
        texts = [key for key in returned if isinstance(key, str)]
        named = {name: (key, returned[key]) for name, key in names_of_parts(source, texts).items()}
    elif _is_pairs(returned):
        named = {
            f"{axis}_{part}": (f"{axis}_{part}", values)
            for part, pair in zip(PAIRS, returned, strict=False)
            for axis, values in zip("xy", pair, strict=True)
        }
    else:
        raise DataError(f"{source} returned {_described(returned)}; {EXPECTED}")
    _check_together(named, source)
    return {name: _array(values, f"{source}: {key}") for name, (key, values) in named.items()}


def _check_together(named: Mapping[str, tuple[str, Any]], source: str) -> None:
    """Refuse tables of pandas whose rows or columns would not be those of each other. `named` has names and values."""
    for axis in ("x_", "y_"):
        of_axis = (found for name, found in named.items() if name.startswith(axis))
        check_same_columns({f"{source}: {key}": values for key, values in of_axis})
    for name, (key, values) in named.items():
        inputs = f"x_{name.partition('_')[2]}"
        if name.startswith(("y_", "w_")) and inputs in named:
            check_same_rows(f"{source}: {named[inputs][0]}", named[inputs][1], f"{source}: {key}", values)


def _is_pairs(returned: Any) -> bool:
    """Whether it is two or three pairs."""
    return (
        isinstance(returned, tuple | list)
        and len(returned) in (2, 3)
        and all(isinstance(pair, tuple | list) and len(pair) == 2 for pair in returned)
    )


def _array(values: Any, where: str) -> np.ndarray:
    """What a function returned as an array: lists, tensors and data frames are converted, memory-mapped arrays stay."""
    if isinstance(values, np.ma.MaskedArray):
        raise DataError(f"{where} is a masked array; fill its gaps, and return a plain array.")
    if isinstance(values, np.memmap):
        return values
    if not isinstance(values, list | tuple) and not hasattr(values, "__array__"):
        raise DataError(f"{where} is {_described(values)}; expected an array.")
    try:
        return np.asarray(values).view()  # of which nobody but us sets flags
    except Exception as error:
        raise DataError(
            f"{where} is {_described(values)}, which cannot be converted to an array: {first_line(error)}"
        ) from error


def _described(value: Any) -> str:
    """What a value is, for a message: 'None', 'a generator', 'a tuple of ndarray, ndarray and ndarray'."""
    if value is None:
        return "None"
    name = type(value).__name__
    if isinstance(value, tuple | list) and len(value) <= 8:
        inside = [_inside(item) for item in value]
        return f"a {name} of {', '.join(inside) or 'nothing'}"
    return f"an object of the type {name}"


def _inside(value: Any) -> str:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"({', '.join(type(item).__name__ for item in value[:8])})"
    return "None" if value is None else type(value).__name__
