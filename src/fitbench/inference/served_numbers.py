"""Series, sequences of tokens and other arrays in requests to `fitbench serve`: nested lists of numbers as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from starlette.exceptions import HTTPException

from fitbench.inference import api
from fitbench.inference.card import input_card
from fitbench.inference.prepare import Prepare
from fitbench.inference.served import Named, Served, check_shape, numbers_of
from fitbench.inference.values import InputCard, checked
from fitbench.record.inputs import Inputs

if TYPE_CHECKING:
    from fitbench.inference.reader import Reader


class ServedNumbers(Served):
    """Arrays of numbers. The content of an example is an array, float64 of any shape."""

    value = "nested lists of numbers"
    description = (
        'The JSON is {"example": array} or {"examples": [array, ...]}. An array is a list of numbers, or nested lists, '
        "of the shape that /models gives; a last side of 1 may be left out. If one array of a request cannot be read, "
        "the whole request is refused."
    )

    def __init__(self, readers: Sequence[Reader], limits: api.RequestLimits) -> None:
        super().__init__(readers, limits)
        self.inputs = readers[0].inputs
        self.body = api.json_body({"type": "array"}, self.blank())

    def from_json(self, value: Any, name: str) -> np.ndarray:
        """An array of numbers, float64.

        Raises:
            HTTPException: 422, it is no such example; the message begins with its name.
        """
        numbers = numbers_of(value)
        if numbers.ndim == 0 or not numbers.size:
            raise HTTPException(422, f"{name}: expected numbers in a list, or in nested lists of equal length")
        return numbers

    def blank(self) -> list[Any]:
        """Zeros."""
        return np.zeros(self.inputs.shape, self.inputs.dtype).tolist()

    def size(self, inputs: Inputs) -> int:
        """The count of the numbers."""
        return int(np.prod(inputs.shape))

    def prepare(
        self, examples: Sequence[Named], models: Mapping[str, Reader], prepare: Prepare | None
    ) -> dict[str, np.ndarray]:
        """The arrays as each model takes them, [N, *shape] of its dtype, by model.

        Raises:
            HTTPException: 422, a model does not take one; the message begins with the name of the example.
        """
        prepared = {}
        for model, reader in models.items():
            takes = input_card(reader.inputs, reader.result)
            rows = []
            for name, numbers in examples:
                row, errors = self.checked(name, numbers, takes)
                if errors:
                    raise HTTPException(422, f"{name}: {errors[0]}")
                rows.append(row)
            prepared[model] = np.concatenate(rows)
        return prepared

    def checked(self, name: str, numbers: np.ndarray, takes: InputCard) -> tuple[np.ndarray, dict[int, str]]:
        """An array as `values.checked` gives a batch of it alone. A last side of 1 may be missing.

        Raises:
            HTTPException: 422, it has another shape, or fractions where the model takes whole numbers.
        """
        shape = tuple(takes["shape"][1:])
        numbers = numbers[..., np.newaxis] if (*numbers.shape, 1) == shape else numbers
        check_shape(name, numbers, shape, f": {self.inputs.described}")
        if np.dtype(takes["dtype"]).kind != "f" and (numbers != np.rint(numbers)).any():
            raise HTTPException(422, f"{name}: {numbers[numbers != np.rint(numbers)][0]:g}; expected whole numbers")
        return checked(numbers[np.newaxis], takes)

    def seen(self, example: np.ndarray) -> list[Any]:
        """The array."""
        return example.tolist()
