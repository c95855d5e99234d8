"""Series, sequences of tokens and other arrays in requests to `fitbench serve`: nested lists of numbers as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from starlette.exceptions import HTTPException

from fitbench.inference import api
from fitbench.inference.prepare import Prepare
from fitbench.inference.served import Named
from fitbench.record.inputs import Inputs

if TYPE_CHECKING:
    from fitbench.inference.reader import Reader


class ServedNumbers:
    """Arrays of numbers. The content of an example is an array, float64 of any shape."""

    keys = ("example", "examples")
    value = "nested lists of numbers"
    unit = "numbers"
    prepares = False
    has_files = False
    whole_bodies: tuple[str, ...] = ()
    content_types = "application/json"
    description = (
        'The JSON is {"example": array} or {"examples": [array, ...]}. An array is a list of numbers, or nested lists, '
        "of the shape that /models gives; a last side of 1 may be left out. If one array of a request cannot be read, "
        "the whole request is refused."
    )

    def __init__(self, readers: Sequence[Reader], limits: api.RequestLimits) -> None:
        self.inputs = readers[0].inputs
        self.body = api.json_body({"type": "array"}, self.blank())

    def from_json(self, value: Any, name: str) -> np.ndarray:
        """An array of numbers, float64."""
        try:
            numbers: np.ndarray = np.array(value, np.float64)
        except (TypeError, ValueError, OverflowError):  # lists of different lengths, or not numbers
            numbers = np.empty(0)
        if numbers.ndim == 0 or not numbers.size:
            raise HTTPException(422, f"{name}: expected numbers in a list, or in nested lists of equal length")
        return numbers

    def from_file(self, name: str, content: bytes) -> list[Named]:
        """Never called: these arrays come as JSON."""
        raise HTTPException(415, f"{name}: expected {self.content_types}")

    def blank(self) -> list[Any]:
        """Zeros."""
        return np.zeros(self.inputs.shape, self.inputs.dtype).tolist()

    def size(self, inputs: Inputs) -> int:
        """The count of the numbers."""
        return int(np.prod(inputs.shape))

    def prepare(
        self, examples: Sequence[Named], models: Mapping[str, Reader], prepare: Prepare | None
    ) -> dict[str, np.ndarray]:
        """The arrays as each model takes them, [N, *shape] of its dtype, by model."""
        return {
            model: np.stack(
                [self.fitting(name, _of_type(name, numbers, reader.inputs), reader) for name, numbers in examples]
            )
            for model, reader in models.items()
        }

    def fitting(self, name: str, values: np.ndarray, reader: Reader) -> np.ndarray:
        """An array in the shape that the model takes; a last side of 1 may be missing.

        Raises:
            HTTPException: 422, it has another shape.
        """
        inputs = reader.inputs
        if (*values.shape, 1) == inputs.shape:
            return values[..., np.newaxis]
        if values.shape != inputs.shape:
            actual, expected = (" x ".join(map(str, sides)) for sides in (values.shape, inputs.shape))
            raise HTTPException(422, f"{name} is {actual}; the model takes {expected}: {inputs.described}")
        return values

    def seen(self, example: np.ndarray) -> list[Any]:
        """The array."""
        return example.tolist()


def _of_type(name: str, numbers: np.ndarray, inputs: Inputs) -> np.ndarray:
    """An array, float64 of any shape, in the type that a model takes.

    Raises:
        HTTPException: 422, a number is one that the model does not take.
    """
    dtype = np.dtype(inputs.dtype)
    with np.errstate(invalid="ignore", over="ignore"):
        values = numbers.astype(dtype)
    if dtype.kind == "f":
        wrong, expected = ~np.isfinite(values), f"finite numbers below {np.finfo(dtype).max:.2g}"
    elif inputs.vocabulary:
        last = inputs.vocabulary - 1
        wrong, expected = (values != numbers) | (values < 0) | (values > last), f"whole numbers from 0 to {last}"
    else:
        wrong, expected = values != numbers, f"whole numbers that {dtype} holds"
    if wrong.any():
        place = tuple(np.argwhere(wrong)[0].tolist())
        raise HTTPException(422, f"{name}{''.join(f'[{i}]' for i in place)} is {numbers[place]:g}; expected {expected}")
    return values
