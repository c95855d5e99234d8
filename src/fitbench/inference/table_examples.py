"""The tables that `fitbench predict` is given, in batches of rows as the model takes them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fitbench.data.image_formats import IMAGE_SUFFIXES
from fitbench.data.table_columns import Unseen, check_clear, encoded
from fitbench.errors import DataError, RequestError
from fitbench.inference import arrays
from fitbench.inference.card import replaces_missing
from fitbench.inference.examples import Examples
from fitbench.inference.layout import Layout
from fitbench.inference.options import Options, refuse_options
from fitbench.kinds import TABLE
from fitbench.record.dataset import Column
from fitbench.record.inputs import Inputs
from fitbench.record.reading import output_names
from fitbench.tasks import task_of
from fitbench.text import clean, first_of, hint

if TYPE_CHECKING:
    from pandas import DataFrame

    from fitbench.inference.reader import Reader

IN_ROW = re.compile(r" in row [\d,]*\d")  # of a message; the row is named beside it
OR_EMPTY = " or an empty cell."  # may be wrong here: training had a number in every row of some columns


class TableExamples:
    """The rows of CSV, TSV and Parquet files, whose columns are found by their names."""

    def __init__(self, arguments: Sequence[str], options: Options, result: dict[str, Any], inputs: Inputs) -> None:
        """Read the files, which can be refused before the model is loaded.

        Raises:
            RequestError: an argument or option is wrong, or a file lacks a column.
            DataError: a file is damaged.
        """
        refuse_options(options, TABLE)
        columns = inputs.columns
        self.columns, self.unseen, self.replace_missing = columns, Unseen(columns), replaces_missing(result)
        self.frames = [(path, read_columns(path, columns)) for path in arguments]
        place = ("row",) if len(arguments) == 1 else ("path", "row")
        self.layout = Layout.of(place, "row", task_of(result["task"]), output_names(result))

    def notices(self, reader: Reader) -> list[str]:
        """What was done to read the files."""
        return [f"{clean(path)}: {note}" for path, frame in self.frames for note in frame.attrs.get("notes", ())]

    def batches(self, reader: Reader, size: int) -> Generator[Examples]:
        """The rows, `size` at a time, in the order of the files."""
        for path, frame in self.frames:
            for start in range(0, len(frame), size):
                inputs, errors = encode(frame.iloc[start : start + size], self.columns, path, self.replace_missing)
                self.unseen.add(np.delete(inputs, list(errors), axis=0))
                numbers = range(start + 1, start + len(inputs) + 1)
                yield Examples([(path, i)[-len(self.layout.place) :] for i in numbers], inputs, errors)

    def remarks(self) -> list[str]:
        """How often a category has a value that the training part does not have."""
        return [str(self.unseen)] if str(self.unseen) else []


def read_columns(path: str, columns: Sequence[Column], targets: Sequence[str] = ()) -> DataFrame:
    """Read a table that has these columns and targets, in any order and with others.

    Raises:
        RequestError: there is no such file, it is no table, or it lacks columns; the message names the nearest.
        DataError: it is damaged, or its numbers can be read in two ways.
    """
    from fitbench.data.table_file import read_table

    suffix = Path(path).suffix.lower()
    if not Path(path).exists():
        raise RequestError(f"{clean(path)}: there is no such file; expected a CSV, TSV or Parquet file")
    if not Path(path).is_file() or suffix in IMAGE_SUFFIXES or suffix in arrays.SUFFIXES:
        kind = "no file" if not Path(path).is_file() else "an array file" if suffix in arrays.SUFFIXES else "an image"
        raise RequestError(f"{clean(path)}: {kind}; the run takes rows of a table, as a CSV, TSV or Parquet file")
    frame = read_table(Path(path))
    check_columns(path, list(map(str, frame.columns)), [*(column.name for column in columns), *targets])
    for name in (*(column.name for column in columns if column.kind == "number"), *targets):
        check_clear(frame[name], path)
    return frame


def check_columns(path: str, found: Sequence[str], wanted: Sequence[str]) -> None:
    """Refuse a table that lacks columns, or has several of the same name.

    Raises:
        RequestError: it does; the message names the nearest, or the name.
    """
    count = Counter(found)
    if repeated := [name for name in wanted if count[name] > 1]:
        raise RequestError(
            f"{clean(path)}: {count[repeated[0]]} columns are named {clean(repeated[0])!r}; give each another name"
        )
    if missing := [name for name in wanted if not count[name]]:
        columns = "column" if len(missing) == 1 else "columns"
        raise RequestError(f"{clean(path)}: lacks the {columns} {first_of(missing)}; {clean(hint(missing[0], found))}")


def encode(
    frame: DataFrame, columns: Sequence[Column], path: str, replace_missing: bool
) -> tuple[np.ndarray, dict[int, str]]:
    """Rows as the model takes them, float32 [N, columns], and error messages by position.

    With `replace_missing` the mean of training stands for a number that is missing only here.
    """
    if replace_missing:
        return _encode(frame, columns, path)
    inputs, errors = _encode(frame, [column.model_copy(update={"missing": True}) for column in columns], path)
    required = np.array([column.kind == "number" and not column.missing for column in columns])
    for i, place in zip(*np.nonzero(np.isnan(inputs) & required), strict=True):
        errors.setdefault(int(i), f"{clean(columns[place].name)} is missing; training had a number in every row")
    return inputs, errors


def _encode(frame: DataFrame, columns: Sequence[Column], path: str) -> tuple[np.ndarray, dict[int, str]]:
    """As `encode` with `replace_missing`. Halves are tried until the wrong rows are alone."""
    frame = frame[[column.name for column in columns]].copy()
    for name in frame.columns[frame.dtypes == "category"]:  # else each half would look at the texts of all rows
        frame[name] = frame[name].cat.remove_unused_categories()
    try:
        return encoded(frame, columns, path, replace_missing=True), {}
    except DataError as error:
        if len(frame) == 1:
            problem = IN_ROW.sub("", str(error).removeprefix(f"{path}: "))
            return np.zeros((1, len(columns)), np.float32), {0: problem.removesuffix(OR_EMPTY)}
    half = len(frame) // 2
    first, errors = _encode(frame.iloc[:half], columns, path)
    second, others = _encode(frame.iloc[half:], columns, path)
    return np.concatenate([first, second]), errors | {half + i: text for i, text in others.items()}
