"""The tables that `fitbench predict` is given, in batches of rows as the model takes them."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fitbench.data.image_formats import IMAGE_SUFFIXES
from fitbench.errors import DataError, RequestError
from fitbench.inference import arrays
from fitbench.inference.examples import Examples
from fitbench.inference.rows import Layout
from fitbench.record.dataset import Column
from fitbench.record.reading import output_names
from fitbench.tasks import task_of
from fitbench.text import clean, counted

if TYPE_CHECKING:
    from pandas import DataFrame

    from fitbench.inference.predict import Options
    from fitbench.inference.reader import Reader

OF_IMAGES = ("prepare", "labels", "confusion", "array", "null")  # options


class TableExamples:
    """The rows of CSV, TSV and Parquet files, whose columns are found by their names."""

    def __init__(
        self, arguments: Sequence[str], options: Options, result: dict[str, Any], columns: Sequence[Column]
    ) -> None:
        """Read the files, which can be refused before the model is loaded.

        Raises:
            RequestError: an argument or option is wrong, or a file lacks a column.
            DataError: a file is damaged.
        """
        _refuse_options(options)
        self.columns, self.unseen = columns, Counter[str]()
        self.frames = [(path, read_columns(path, columns)) for path in arguments]
        place = ("row",) if len(arguments) == 1 else ("path", "row")
        self.layout = Layout.of(place, "row", task_of(result["task"]), output_names(result))

    def notices(self, reader: Reader) -> list[str]:
        """Nothing: rows are taken as they are."""
        return []

    def batches(self, reader: Reader, size: int) -> Iterator[Examples]:
        """The rows, `size` at a time, in the order of the files."""
        for path, frame in self.frames:
            for start in range(0, len(frame), size):
                inputs, errors = encode(frame.iloc[start : start + size], self.columns, path)
                self._count_unseen(inputs, errors)
                numbers = range(start + 1, start + len(inputs) + 1)
                yield Examples([(path, i)[-len(self.layout.place) :] for i in numbers], inputs, errors)

    def _count_unseen(self, inputs: np.ndarray, errors: dict[int, str]) -> None:
        readable = np.setdiff1d(np.arange(len(inputs)), list(errors))
        for place, column in enumerate(self.columns):
            if column.kind == "category":
                self.unseen[column.name] += int((inputs[readable, place] == 0).sum())

    def remarks(self) -> list[str]:
        """How often a category has a value that the training part does not have."""
        counts = [f"{clean(name)} in {counted(count, 'row')}" for name, count in self.unseen.items() if count]
        return [f"categories with values that training has not seen: {', '.join(counts)}"] if counts else []


def _refuse_options(options: Options) -> None:
    for name in OF_IMAGES:
        if getattr(options, "labels_from" if name == "labels" else name):
            advice = "; fitbench evaluate scores a table" if name in ("labels", "confusion") else ""
            raise RequestError(f"--{name} is for images; the run takes rows of a table{advice}")


def read_columns(path: str, columns: Sequence[Column], targets: Sequence[str] = ()) -> DataFrame:
    """Read a table that has these columns and targets, in any order and with others.

    Raises:
        RequestError: there is no such file, it is no table, or it lacks columns; the message names the nearest.
        DataError: it is damaged.
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
    return frame


def check_columns(path: str, found: Sequence[str], wanted: Sequence[str]) -> None:
    """Refuse a table that lacks columns.

    Raises:
        RequestError: the message names the first ones, and the nearest that the table has.
    """
    missing = [name for name in wanted if name not in found]
    if missing:
        nearest = list(
            dict.fromkeys(near for name in missing[:3] for near in difflib.get_close_matches(name, found, 1))
        )
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        hint = f"the nearest are {', '.join(nearest)}" if nearest else f"it has {', '.join(found[:10])}"
        lacking = clean(", ".join(missing[:3]))
        raise RequestError(f"{clean(path)}: lacks the columns {lacking}{more}, which the run needs; {clean(hint)}")


def encode(frame: DataFrame, columns: Sequence[Column], path: str) -> tuple[np.ndarray, dict[int, str]]:
    """Rows as the model takes them, float32 [N, columns], and error messages by position."""
    from fitbench.data.table import encoded

    errors: dict[int, str] = {}
    try:
        inputs = encoded(frame, columns, path)
    except DataError:  # one row at a time, to find those that are wrong
        inputs = np.zeros((len(frame), len(columns)), np.float32)
        for i in range(len(frame)):
            try:
                inputs[i] = encoded(frame.iloc[i : i + 1], columns, path)[0]
            except DataError as error:
                errors[i] = str(error).removeprefix(f"{path}: ")
    allowed = np.array([column.kind == "category" or column.missing for column in columns])
    for i, place in zip(*np.nonzero(~np.isfinite(inputs) & ~(np.isnan(inputs) & allowed)), strict=True):
        kind = "missing" if np.isnan(inputs[i, place]) else "infinite"
        errors.setdefault(int(i), f"{clean(columns[place].name)} is {kind}; expected a number")
    return inputs, errors
