"""Annotated types of values: ranges that pydantic checks, and what messages say of them."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from annotated_types import Ge, Gt, Le, Len, Lt
from pydantic import AfterValidator, BeforeValidator, StringConstraints

from fitbench.errors import RequestError


@dataclass(frozen=True)
class Allowed:
    """Metadata of an annotated type: what a value must be, in words, where its constraints do not say it well."""

    text: str


@dataclass(frozen=True)
class Requires:
    """Metadata of a builder's parameter: if it has this `value`, the configuration must have `needed` under `key`.

    Example: `Annotated[Literal["rbf", "softmax"], Requires("rbf", "training.loss", "cross_entropy", "...")]`.

    `instead` names functions or classes, one of which may stand under `key` as the `_target_` of a section.
    """

    value: Any
    key: str
    needed: Any
    reason: str
    instead: tuple[str, ...] = ()


@dataclass(frozen=True)
class Shares:
    """Metadata of a builder's parameter: with this `value` each output of the model estimates how likely its class is.

    The share of an output in the sum of all is recorded as the probability of its class. Without this metadata, and for
    any other value, the softmax of the outputs is recorded.
    """

    value: Any


@dataclass(frozen=True)
class Takes:
    """Metadata of a builder's parameter `inputs`: the kinds of examples that it takes, names in `kinds.KINDS`."""

    kinds: tuple[str, ...]


WHOLE = "expected a whole number"


def _refuse_bool(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("true and false are not numbers")
    return value


def _refuse_bool_and_float(value: Any) -> Any:
    if isinstance(value, bool | float):
        raise ValueError(WHOLE)
    return value


def _refuse_bool_and_text(value: Any) -> Any:
    if isinstance(value, bool | str):
        raise ValueError("expected a number")
    return value


def _rising(limits: list[float]) -> list[float]:
    if limits[0] >= limits[1]:
        raise ValueError("expected the lower number first")
    return limits


# Python counts True as 1, and pydantic takes 2.0 for 2. These validators stand last, so that they run before the
# constraints. Text that holds a number, such as the value of an environment variable, is taken.
NUMBER = BeforeValidator(_refuse_bool)
WHOLE_NUMBER = BeforeValidator(_refuse_bool_and_float)
NUMBER_NOT_TEXT = BeforeValidator(_refuse_bool_and_text)

LARGEST = 2**31 - 1  # that a batch, an epoch and a layer can be counted with in 32 bits

Whole = Annotated[int, WHOLE_NUMBER]
Count = Annotated[int, Ge(1), Le(LARGEST), WHOLE_NUMBER]
CountFrom0 = Annotated[int, Ge(0), Le(LARGEST), WHOLE_NUMBER]
Seed = Annotated[int, Ge(0), Lt(2**32), WHOLE_NUMBER, Allowed("a whole number from 0 to 4294967295")]
Folds = Annotated[int, Ge(2), Le(LARGEST), WHOLE_NUMBER, Allowed("a whole number from 2")]
Steps = Annotated[int, Ge(2), Le(LARGEST), WHOLE_NUMBER, Allowed("a whole number from 2")]
Cores = Annotated[int, Ge(1), Le(1024), WHOLE_NUMBER]  # many more threads or processes take memory and do no work
Real = Annotated[float, NUMBER]
Positive = Annotated[float, Gt(0), NUMBER]
NonNegative = Annotated[float, Ge(0), NUMBER]
Fraction = Annotated[float, Ge(0), Lt(1), NUMBER]
Interval = Annotated[list[Real], Len(2, 2), AfterValidator(_rising), Allowed("[low, high] with low below high")]

NAME = re.compile(r"[A-Za-z0-9_+-][A-Za-z0-9_.+-]*")
A_NAME = Allowed("a name of letters, digits and . _ + - (it becomes part of a folder's name)")
Name = Annotated[str, StringConstraints(pattern=f"^{NAME.pattern}$"), A_NAME]
DOTTED = r"^[^\W\d]\w*(\.[^\W\d]\w*)+$"
Dotted = Annotated[str, StringConstraints(pattern=DOTTED, max_length=500)]


def _not_empty(path: str) -> str:
    if not path:
        raise ValueError
    return path


PathText = Annotated[
    str, AfterValidator(_not_empty)
]  # pydantic's own check of the length refuses paths that are not UTF-8


def expanded(path: str) -> str:
    """A path with the user's folder in place of ~ at its beginning.

    Raises:
        RequestError: the user has none.
    """
    try:
        return str(Path(path).expanduser()) if path.startswith("~") else path
    except RuntimeError as error:
        raise RequestError(f"{path}: the home folder is not known; write the whole path") from error


Side = Annotated[int, Ge(1), Le(4096), WHOLE_NUMBER]
ImageSize = Annotated[list[Side], Len(2, 2), Allowed("[height, width], each from 1 to 4096 pixels")]


def as_list(value: Any) -> Any:
    """One name, which may be a number, as a list; any other value as it is."""
    return [value] if isinstance(value, str | int | float) and not isinstance(value, bool) else value
