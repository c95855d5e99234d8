"""Builds a data set from arrays, or raises an error that says what is wrong with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from fitbench.config import AUTO
from fitbench.data.dataset import PARTS, Dataset, assembled
from fitbench.data.examples import examples_of, vocabulary_of
from fitbench.data.repeated import repeated
from fitbench.data.target_arrays import are_unicode
from fitbench.data.targets import decided
from fitbench.errors import DataError
from fitbench.kinds import IMAGES, KINDS, TOKENS
from fitbench.metrics import REGRESSION
from fitbench.text import in_digits

MOST_COMPARED = 2**30  # bytes of a part; to look for equal examples in a larger one would take long


def build_dataset(
    name: str,
    arrays: Mapping[str, np.ndarray],
    source: str,
    classes: Sequence[str] | None = None,
    max_value: float | None = None,
    task: str = AUTO,
    kind: str = IMAGES,
    vocabulary: int | None = None,
    advice: str = "",
) -> Dataset:
    """Check arrays and build a data set from them.

    Args:
        name: the name of the data set.
        arrays: x_train, y_train, and optionally x_test, y_test, x_val, y_val; w_train, w_val, w_test, the weight of
            each example, [N]; and `classes`, a vector of strings. Examples are as in `examples.examples_of`, images of
            any scale that `max_value` describes. Targets are as in `targets.decided`.
        source: the file, folder or function that the arrays come from. Error messages name it.
        classes: the names of the classes or labels if `arrays` has none. By default they are named by their values.
        max_value: of images: the value of white; see `scale.as_bytes`.
        task: that of the configuration.
        kind: of the examples, a name in `kinds.KINDS`.
        vocabulary: of tokens: how many there are; see `examples.vocabulary_of`.
        advice: what messages about the examples end with.

    Raises:
        DataError: the arrays are not a data set.
    """
    parts = [part for part in PARTS if f"x_{part}" in arrays]
    where = {part: f"{source}: x_{part}" for part in parts}
    try:
        examples = examples_of(kind, {part: arrays[f"x_{part}"] for part in parts}, where, max_value)
    except DataError as error:
        raise DataError(f"{error}{advice}") from error
    if kind == TOKENS:
        vocabulary = vocabulary_of(examples, vocabulary, where)
    for part in parts:
        _check_length(arrays[f"y_{part}"], "label", kind, len(examples[part]), part, source)
    if "classes" in arrays:
        classes = _class_names(arrays["classes"], source)
    raw = {part: _numbers_for_booleans(arrays[f"y_{part}"]) for part in parts}
    where = {part: f"{source}: y_{part}" for part in parts}
    targets = decided(task, raw, (), where, images=kind == IMAGES, classes=classes)
    weights = {part: _weights(arrays[f"w_{part}"], f"{source}: w_{part}") for part in parts if f"w_{part}" in arrays}
    for part, values in weights.items():
        _check_length(values, "weight", kind, len(examples[part]), part, source)
    dataset = assembled(name, examples, targets.arrays, targets.names, source, weights=weights)
    notes = (*targets.notes, *_notes(task, targets.task, kind, examples))
    return replace(dataset, task=targets.task, kind=kind, vocabulary=vocabulary, notes=notes)


def _notes(task: str, decided_task: str, kind: str, examples: Mapping[str, Any]) -> list[str]:
    """The lines about a regression that the targets decided, and about test examples that repeat training examples."""
    notes = []
    if task == AUTO and decided_task == REGRESSION:
        notes.append(
            "y: the values have fractions and are taken as numbers to predict: task=regression; classes are whole "
            "numbers or texts"
        )
    are_small = all(isinstance(array, np.ndarray) and array.nbytes < MOST_COMPARED for array in examples.values())
    if kind != IMAGES and are_small and "test" in examples:
        notes += repeated(examples["train"], examples["test"], KINDS[kind].noun, only_all=True)
    return notes


def _weights(array: np.ndarray, where: str) -> np.ndarray:
    """The weights of the examples of a part, float32 [N].

    Args:
        array: [N] or [N, 1], numbers.
        where: what messages call them, such as `a.npz: w_train`.

    Raises:
        DataError: they are no numbers, or not finite, or negative; the message names the first row that is wrong.
    """
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.dtype.kind not in "buif" or array.ndim != 1:
        raise DataError(
            f"{where} has the dtype {array.dtype} and shape {array.shape}; expected one number per example."
        )
    with np.errstate(over="ignore"):
        weights = array.astype(np.float32)
    wrong = ~(np.isfinite(weights) & (weights >= 0))
    if wrong.any():
        row = wrong.argmax()
        raise DataError(
            f"{where} holds {in_digits(array[row])} in row {row:,} (counted from 0); weights must be finite and "
            "at least 0."
        )
    return weights


def _check_length(array: np.ndarray, noun: str, kind: str, examples: int, part: str, source: str) -> None:
    """Refuse another number of labels or weights than of examples."""
    found = len(array) if array.ndim else 0
    if found != examples:
        counts = f"{examples:,} {part} {KINDS[kind].plural} but {found:,} {part} {noun}s"
        raise DataError(f"{source}: {counts}; expected one {noun} for each {KINDS[kind].noun}.")


def _numbers_for_booleans(labels: np.ndarray) -> np.ndarray:
    """Labels with 0 and 1 in place of False and True, which are the names that version 0.1 gave to such classes."""
    return labels.astype(np.int8) if labels.dtype == bool else labels


def _class_names(array: np.ndarray, source: str) -> list[str]:
    is_vector = array.ndim == 1 and array.dtype.kind == "U" and are_unicode(array)
    names = [str(name) for name in array] if is_vector else []
    if not names or len(set(names)) < len(names):
        raise DataError(f"{source}: the class names are not a vector of different strings.")
    return names
