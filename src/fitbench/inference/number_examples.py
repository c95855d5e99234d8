"""The arrays and series that `fitbench predict` is given, in batches as the model takes them."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fitbench.data.lengths import interpolated_note
from fitbench.data.resampling import resampled
from fitbench.errors import DataError, RequestError
from fitbench.inference import arrays
from fitbench.inference.card import input_card
from fitbench.inference.examples import Examples
from fitbench.inference.layout import Layout
from fitbench.inference.options import Options, refuse_options
from fitbench.inference.series_reading import SUFFIXES, read_series
from fitbench.inference.values import checked, checked_series, fitting
from fitbench.record.inputs import Inputs
from fitbench.record.reading import output_names
from fitbench.tasks import task_of
from fitbench.text import clean, in_sentence

if TYPE_CHECKING:
    from fitbench.inference.reader import Reader


class ArrayExamples:
    """The rows of .npy and .npz files."""

    suffixes: tuple[str, ...] = arrays.SUFFIXES

    def __init__(self, arguments: Sequence[str], options: Options, result: dict[str, Any], inputs: Inputs) -> None:
        """Open the files, which can be refused before the model is loaded.

        Raises:
            RequestError: an argument or option is wrong.
            DataError: a file is damaged, or its examples have another shape or type than the model takes.
        """
        refuse_options(options, inputs.kind, taken=("array",))
        self.takes, self.array_name = input_card(inputs, result), options.array
        self.rows = [(path, self._opened(path)) for path in arguments]
        self.layout = Layout.of(("path",), inputs.noun, task_of(result["task"]), output_names(result))

    def notices(self, reader: Reader) -> list[str]:
        """Nothing: arrays are taken as they are."""
        return []

    def batches(self, reader: Reader, size: int) -> Generator[Examples]:
        """The rows, `size` at a time, in the order of the files. They are named file[0], file[1], .."""
        for path, rows in self.rows:
            for start in range(0, len(rows), size):
                inputs, errors = self.checked(rows[start : start + size])
                yield Examples([(f"{path}[{start + i}]",) for i in range(len(inputs))], inputs, errors)

    def remarks(self) -> list[str]:
        """Nothing."""
        return []

    def checked(self, rows: Any) -> tuple[np.ndarray, dict[int, str]]:
        """Some rows as the model takes them, and error messages by position."""
        return checked(np.asarray(rows), self.takes)

    def _opened(self, path: str) -> Any:
        expected = in_sentence(self.suffixes)
        if not Path(path).exists():
            raise RequestError(f"{clean(path)}: there is no such file; expected {expected}")
        if not Path(path).is_file() or Path(path).suffix.lower() not in self.suffixes:
            raise RequestError(f"{clean(path)}: the run takes {self.takes['name']}; expected a file with {expected}")
        return self.opened(Path(path))

    def opened(self, path: Path) -> Any:
        """The rows of a file."""
        array = arrays.read_array(path, self.array_name, self.takes["name"])
        try:
            return fitting(array, self.takes)
        except ValueError as error:
            raise DataError(f"{clean(path)}: {error}") from error


class SeriesExamples(ArrayExamples):
    """The rows of .npy and .npz files, and the series of files of the UCR and UEA archives."""

    suffixes = SUFFIXES

    def __init__(self, arguments: Sequence[str], options: Options, result: dict[str, Any], inputs: Inputs) -> None:
        """As for arrays."""
        super().__init__(arguments, options, result, inputs)
        self.lengths: list[int] = []  # the steps of the series that the model takes

    def opened(self, path: Path) -> Any:
        """The rows of an array, or series of any lengths."""
        return read_series(path, self.takes, self.array_name)

    def checked(self, rows: Any) -> tuple[np.ndarray, dict[int, str]]:
        """As for arrays. Series of other lengths are interpolated, or have an error."""
        inputs, errors = checked_series(rows, self.takes, resampled)
        self.lengths += [len(one) for i, one in enumerate(rows) if i not in errors]
        return inputs, errors

    def remarks(self) -> list[str]:
        """How many series were interpolated."""
        steps = self.takes["shape"][1]
        others = sum(length != steps for length in self.lengths)
        return [interpolated_note(others, self.lengths, self.takes["lengths"], steps)] if others else []
