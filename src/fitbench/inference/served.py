"""What `fitbench serve` asks of the kind of its examples: how requests hold them, and how models take them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from starlette.exceptions import HTTPException

from fitbench.inference import api
from fitbench.inference.prepare import Prepare
from fitbench.record.inputs import Inputs

if TYPE_CHECKING:
    from fitbench.inference.reader import Reader

Named = tuple[str, Any]  # the name of an example in responses, and its content as `Served.from_json` or a file gives it


class Served(ABC):
    """The examples of a kind, in requests to models that take them. By default they are JSON.

    Attributes:
        keys: of the JSON body: the key of one example, which is also that of its name in responses, and of several.
        value: what the JSON of one example is, in words.
        unit: what the limits count of an example: pixels or numbers.
        prepares: whether `prepare` has a meaning.
        has_files: whether a form may hold files.
        whole_bodies: the beginnings of the content types of a file that is the whole body.
        content_types: all content types, in words.
        description: of /predict, for its documentation.
        body: `requestBody` of /predict in openapi.json.
        limits: the limits of a request.
    """

    keys = ("example", "examples")
    value: str
    unit = "numbers"
    prepares = False
    has_files = False
    whole_bodies: tuple[str, ...] = ()
    content_types = "application/json"
    description: str
    body: dict[str, Any]

    def __init__(self, readers: Sequence[Reader], limits: api.RequestLimits) -> None:
        self.limits = limits

    @abstractmethod
    def from_json(self, value: Any, name: str) -> Any:
        """The content of an example that is parsed JSON.

        Raises:
            HTTPException: 422, it is no such example; the message begins with its name.
        """

    def from_file(self, name: str, content: bytes, models: Mapping[str, Reader]) -> list[Named]:
        """The examples of a file, which each of the models must take. By default files are refused.

        Raises:
            HTTPException: 415, files are refused; 422, it cannot be read. The message begins with its name.
        """
        raise HTTPException(415, f"{name}: expected {self.content_types}")

    @abstractmethod
    def blank(self) -> Any:
        """The JSON of an example that every model takes, perhaps after it is prepared."""

    @abstractmethod
    def size(self, inputs: Inputs) -> int:
        """How many units an example has as a model takes it."""

    @abstractmethod
    def prepare(
        self, examples: Sequence[Named], models: Mapping[str, Reader], prepare: Prepare | None
    ) -> dict[str, np.ndarray]:
        """The examples as each model takes them, [N, *shape], by the name of the model.

        `prepare` is how images are prepared; None is the default of each model.

        Raises:
            HTTPException: 413 or 422; the message begins with the name of the example.
        """

    def picture(self, example: np.ndarray, reader: Reader) -> bytes | None:
        """An example of a run's data set as an image file that requests may hold; None where examples are no images."""
        return None

    def value_of(self, example: np.ndarray, reader: Reader) -> Any:
        """The JSON of an example of a run's data set, nested lists by default; None where `picture` shows it."""
        return example.tolist()

    @abstractmethod
    def seen(self, example: np.ndarray) -> list[Any]:
        """An example as a model takes it, as nested lists."""


def numbers_of(value: Any) -> np.ndarray:
    """Numbers, float64, from nested lists; empty where these differ in length or hold anything else."""
    try:
        return np.array(value, np.float64)
    except (TypeError, ValueError, OverflowError):
        return np.empty(0)


def check_shape(name: str, array: np.ndarray, shape: Sequence[int], advice: str) -> None:
    """Refuse an example of another shape than the model takes. `advice` ends the message.

    Raises:
        HTTPException: 422; the message begins with the name of the example.
    """
    if array.shape != tuple(shape):
        actual, expected = (" x ".join(map(str, sides)) for sides in (array.shape, shape))
        raise HTTPException(422, f"{name} is {actual}; the model takes {expected}{advice}")
