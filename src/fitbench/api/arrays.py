"""Data sets that are given as arrays: they are written once, under their checksum, and are then files as any others."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from fitbench.api.overrides import OF_ARRAYS
from fitbench.composition.overrides import in_grammar, shown
from fitbench.data.in_memory import check_same_columns, check_same_rows, check_unmasked
from fitbench.data.npz import names_of_parts
from fitbench.errors import DataError, RequestError
from fitbench.record.files import replacing

FOLDER = ".arrays"  # in the outputs folder
NAME = "arrays"  # of a data set that is given none
PARTS = ("x_train", "y_train", "x_test", "y_test")
CLASSES = ("classes", "class_names")
KINDS = "biufU"  # of NumPy's types that an .npz file may hold
DIGITS = 8


@dataclass(frozen=True, eq=False)
class Arrays:
    """A data set in memory.

    Attributes:
        arrays: by their names in an .npz file.
        name: what the data set is called.
        settings: further keys of the section `data`.
    """

    arrays: dict[str, np.ndarray]
    name: str
    settings: dict[str, Any]

    @staticmethod
    def of(given: Mapping[str, Any]) -> Arrays:
        """The data set of a mapping that has `x_train`.

        Args:
            given: x_train, y_train and the same of the parts test (optional, for folds) and val; w_train, .. (weights);
                classes (names); and keys of the section `data`, such as name and inputs.

        Raises:
            DataError: an array is missing, holds neither numbers nor texts, or has another length than its part.
            RequestError: a key is no array of a data set.
        """
        _check_together({name: value for name, value in given.items() if _is_array(name)})
        arrays = {name: _array(name, value) for name, value in given.items() if _is_array(name)}
        settings = {name: value for name, value in given.items() if name not in arrays and name != "name"}
        for name, value in settings.items():
            if hasattr(value, "shape"):
                raise RequestError(f"data: no array of a data set is called {name!r}; expected {', '.join(PARTS)}")
        for part, key in names_of_parts("data", list(arrays)).items():
            inputs = arrays.get(f"x_{key.partition('_')[2]}")
            if part != "classes" and inputs is not None and len(arrays[key]) != len(inputs):
                raise DataError(
                    f"data: {key} has {len(arrays[key]):,} examples, and its inputs have {len(inputs):,}; expected as "
                    "many of both"
                )
        return Arrays(arrays, str(given.get("name") or NAME), settings)

    @cached_property
    def sha256(self) -> str:
        """The SHA-256 (hex) of the names, types, shapes and values of the arrays."""
        digest = hashlib.sha256()
        for name, array in sorted(self.arrays.items()):
            digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
            digest.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
        return digest.hexdigest()

    def words(self) -> list[str]:
        """The overrides of a run on these arrays. The checksum is a part of the name, and so of the run's identity."""
        sha256 = self.sha256
        settings = {"name": f"{self.name}_{sha256[:DIGITS]}", **self.settings}
        path = f"data.path=${{outputs}}/{FOLDER}/{sha256}.npz"
        return ["data=npz", path, *(f"data.{key}={in_grammar(value)}" for key, value in settings.items())]

    def write(self, outputs: str) -> str:
        """Write the file below this folder of outputs that `words` names, unless it is there; its absolute path.

        Raises:
            OSError: it cannot be written.
        """
        path = Path(outputs) / FOLDER / f"{self.sha256}.npz"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            with replacing(path) as file:
                np.savez(file, **self.arrays)  # type: ignore[arg-type]
        return os.path.abspath(path)  # noqa: PTH100 - as the configuration has it


def is_dataset(given: Mapping[str, Any]) -> bool:
    """Whether a mapping holds arrays, and not only settings."""
    return any(map(_is_array, given))


def _is_array(name: str) -> bool:
    return isinstance(name, str) and (name.startswith(OF_ARRAYS) or name in CLASSES)


def _check_together(given: Mapping[str, Any]) -> None:
    """Refuse tables of pandas whose rows or columns would not be those of each other."""
    for axis in ("x_", "y_"):
        check_same_columns({f"data: {name}": value for name, value in given.items() if name.startswith(axis)})
    for name, value in given.items():
        part = name.partition("_")[2]
        if name.startswith(("y_", "w_")) and f"x_{part}" in given:
            check_same_rows(f"data: x_{part}", given[f"x_{part}"], name, value)


def _array(name: str, value: Any) -> np.ndarray:
    """A value as an array of numbers or texts. DataFrames lose the names of their columns."""
    check_unmasked(f"data: {name}", value)
    try:
        array = np.asarray(value.to_numpy() if hasattr(value, "to_numpy") else value)
    except ValueError as error:  # rows of different lengths
        raise DataError(f"data: {name} is no array: {error}") from error
    if array.dtype.kind == "O" and all(isinstance(item, str) for item in array.flat):
        array = array.astype(str)
    if array.dtype.kind not in KINDS or (name.startswith(("x_", "w_")) and array.dtype.kind == "U"):
        advice = (
            "; a table with texts is given as a file, as data={'source': 'csv', 'path': .., 'target': ..}"
            if array.ndim == 2
            else ""
        )
        raise DataError(
            f"data: {name} holds {_held(array)}; expected numbers{' or texts' * name.startswith('y_')}{advice}"
        )
    if not array.ndim:
        raise DataError(f"data: {name} is {shown(value)}; expected an array with an example in each row")
    return array.astype(array.dtype.newbyteorder("="), copy=False)  # the order of bytes makes no other data set


def _held(array: np.ndarray) -> str:
    if array.dtype.kind == "U":
        return "texts"
    if array.dtype.kind != "O":
        return str(array.dtype)
    types = sorted({type(item).__name__ for item in array.flat})
    return f"objects of the types {', '.join(types[:3])}"
