"""dataset.json: what a reader found in the data of a run, and what a model needs to know of it later.

Its `Column` is also what readers of tables tell models about the columns of their input.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_types import Len
from pydantic import Field

from fitbench.config.annotations import Allowed
from fitbench.record.files import read_object, write_whole
from fitbench.record.schemas import Record, check
from fitbench.untrusted import LARGEST_BYTES

NAME = "dataset.json"
SCHEMA = 1
MOST_VALUES = LARGEST_BYTES // 10  # each category is on a line of its own


class Column(Record):
    """A column of a table, as the model takes it: float32, a number or the code of a category.

    Codes of categories: 0 for a value that the training part does not have, then 1, 2, .. in the order of the
    vocabulary.
    """

    name: str = Field(description="the name of the column in the file")
    kind: Literal["number", "category"] = Field(description="whether its values are numbers or names of categories")
    mean: float | None = Field(
        default=None, description="of a number: the mean of the training part, without missing values"
    )
    deviation: float | None = Field(
        default=None,
        description="of a number: the standard deviation of the training part (divided by N), without missing values",
    )
    missing: bool = Field(
        default=False, description="of a number: whether missing values are replaced, beside an indicator"
    )
    vocabulary: list[str] | None = Field(default=None, description="of a category: its values in the training part")


class Target(Record):
    """A target of a regression."""

    name: str = Field(description="the name of the target")
    mean: float = Field(description="the mean of the training part; with folds, without the one that is held back")
    deviation: float = Field(description="the standard deviation of the same examples (divided by N)")


class DatasetRecord(Record):
    """dataset.json: the names that a run's outputs and inputs have."""

    schema_: Literal[1] = Field(alias="schema", description="the version of this schema")
    name: str = Field(description="the name of the data set")
    source: str = Field(description="the file or folder that the examples were read from")
    sha256: str = Field(description="SHA-256 of the arrays, 64 hexadecimal digits")
    task: str = Field(description="the task, which the targets or the configuration decided")
    shape: Annotated[list[int], Len(1)] = Field(description="the shape of the input of one example")
    dtype: str = Field(description="the type of the input's values")
    kind: Literal["images", "table", "series", "tokens", "arrays"] | None = Field(
        None, description="what the examples are; absent in older runs, which have images, or a table if it has columns"
    )
    vocabulary: int | None = Field(None, description="of tokens: how many there are; they are 0 to this number less 1")
    classes: list[str] | None = Field(None, description="of classification: the names of the classes in their order")
    labels: list[str] | None = Field(None, description="of several labels: their names in the order of the outputs")
    targets: list[Target] | None = Field(None, description="of a regression: the targets in the order of the outputs")
    columns: Annotated[list[Column], Allowed("a list of columns")] = Field(
        [], description="of a table: the columns in the order of the input"
    )
    notes: list[str] = Field([], description="what the reader did with the data, a line each")

    @property
    def names(self) -> list[str]:
        """The names of the outputs."""
        return self.classes or self.labels or [target.name for target in self.targets or ()]

    def difference(self, names: Sequence[str], columns: Sequence[Column]) -> str | None:
        """What differs from other names of outputs and other columns, whose arrays are the same; None for nothing."""
        if self.names != list(names):
            return f"its outputs were {', '.join(self.names[:5])}, and are {', '.join(names[:5])} now"
        return self.other_column(columns)

    def other_column(self, columns: Sequence[Column]) -> str | None:
        """The first column of the input that differs from other ones; None if none does."""
        for place, (theirs, ours) in enumerate(zip_longest(self.columns, columns), 1):
            if theirs is None or ours is None or theirs.name != ours.name:
                before, now = ("absent" if column is None else column.name for column in (theirs, ours))
                return f"column {place} of the input was {before}, and is {now} now"
            if theirs.vocabulary != ours.vocabulary:
                return f"column {place} of the input, {ours.name}, has other categories"
        return None


def write(folder: Path, content: Mapping[str, Any]) -> None:
    """Write dataset.json; the keys are those of `DatasetRecord` but for `schema`."""
    text = json.dumps({"schema": SCHEMA, **content}, indent=2, allow_nan=False, ensure_ascii=False)
    write_whole(folder / NAME, text + "\n")


def read(folder: Path) -> DatasetRecord | None:
    """What dataset.json of a run says; None if there is no such file, as in a run of version 0.1.

    Raises:
        FitbenchError: it is damaged; the message names the file and the key.
    """
    try:
        values = read_object(folder, NAME, SCHEMA, "; train the run again with force=true", MOST_VALUES)
    except FileNotFoundError:
        return None
    return check(DatasetRecord, values, f"{folder}/{NAME}: ")
