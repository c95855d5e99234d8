"""Decides what the examples of given arrays are, and makes a data set of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from fitbench.config import ArrayData
from fitbench.data.checks import build_dataset
from fitbench.data.dataset import PARTS, Dataset, assembled
from fitbench.data.targets import decided
from fitbench.kinds import ARRAYS, IMAGES, SERIES, TOKENS


def dataset_of_arrays(data: ArrayData, arrays: Mapping[str, np.ndarray], source: str, task: str) -> Dataset:
    """Make a data set of arrays with the names of `npz.read_npz`."""
    kind = data.inputs or decided_kind(arrays["x_train"], getattr(data, "max_value", None))
    if kind == IMAGES:
        return build_dataset(data.name, arrays, source, max_value=getattr(data, "max_value", None), task=task)
    parts = [part for part in PARTS if f"x_{part}" in arrays]
    dtype = np.int32 if kind == TOKENS else np.float32
    inputs = {part: np.asarray(arrays[f"x_{part}"], dtype) for part in parts}
    vocabulary = (data.vocabulary or int(inputs["train"].max()) + 1) if kind == TOKENS else None
    where = {part: f"{source}: y_{part}" for part in parts}
    targets = decided(task, {part: arrays[f"y_{part}"] for part in parts}, (), where)
    dataset = assembled(data.name, inputs, targets.arrays, targets.names, source)
    return replace(dataset, task=targets.task, kind=kind, vocabulary=vocabulary, notes=targets.notes)


def decided_kind(examples: np.ndarray, max_value: float | None) -> str:
    """The kind of examples that their type, shape and values decide.

    Arrays of [N, height, width, channels], and of [N, height, width] without fractions and negative values, are images.
    Other arrays of [N, steps, channels] are series. Integers [N, steps] without negative values are tokens.
    """
    if max_value is not None or examples.ndim == 4:
        return IMAGES
    if examples.ndim == 3:
        is_plain = (examples >= 0).all() and (examples.dtype.kind != "f" or (examples == np.rint(examples)).all())
        return IMAGES if is_plain else SERIES
    if examples.ndim == 2 and examples.dtype.kind in "iu" and (examples >= 0).all():
        return TOKENS
    return ARRAYS
