"""Reads one file of series as the UCR and UEA archives have them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from fitbench.data.series_lines import Line, numbers, read_lines
from fitbench.data.ts_file import read_ts
from fitbench.errors import DataError
from fitbench.text import counted
from fitbench.untrusted import Unreadable


@dataclass(frozen=True, eq=False)
class SeriesFile:
    """The series of a file, in its order.

    Attributes:
        series: float32 [steps, channels] each, without missing values; at least one.
        labels: the class of each series, objects of str [N], or the number to predict, float64 [N]; None: the file
            says that it has none.
        classes: the names of the classes that the file declares; () if it declares none.
        label_first: whether the first number of each line is taken for the label, as in files of the UCR archive.
    """

    series: list[np.ndarray]
    labels: np.ndarray | None
    classes: tuple[str, ...] = ()
    label_first: bool = False

    @property
    def lengths(self) -> np.ndarray:
        """The number of steps of each series, int64 [N]."""
        return np.array([len(values) for values in self.series], np.int64)

    @property
    def channels(self) -> int:
        """How many channels a series has."""
        return self.series[0].shape[1]

    def take(self, rows: np.ndarray) -> SeriesFile:
        """Some of the series, in this order."""
        labels = None if self.labels is None else self.labels[rows]
        return replace(self, series=[self.series[row] for row in rows], labels=labels)


def read_series_file(path: Path, complete: bool = True) -> SeriesFile:
    """Read a file of series. Its content decides the format, not its name.

    A .ts file has tags that begin with `@` before its series; see `ts_file`. Other files are those of the UCR archive,
    .tsv or .txt: a line for each series of one channel, the label first, separated by tabs, commas or spaces. Missing
    values at the end of such a line fill up a shorter series, and are left out. Their labels are classes if all are
    whole numbers, and else numbers to predict; `1.0000000e+00` is the class `1`.

    Values that are missing, or that float32 cannot hold, are refused, or are NaN and infinite unless it is `complete`.

    Raises:
        DataError: it is not such a file; the message names the file and the line.
    """
    try:
        lines = read_lines(path)
        if path.suffix.lower() == ".ts" or lines[0][1].startswith("@"):
            return _of_ts(lines, complete)
        series, labels = _of_ucr(lines)
        if complete:
            check_values(series, [number for number, _ in lines])
        return SeriesFile(series, as_classes(labels), label_first=True)
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file") from error
    except Unreadable as error:
        raise DataError(f"{path}: {error}") from error


def _of_ts(lines: Sequence[Line], complete: bool) -> SeriesFile:
    header, series, texts = read_ts(lines)
    numbers_of_lines = [number for number, _ in lines[-len(series) :]]
    if complete:
        check_values(series, numbers_of_lines)
    if not header.has_targets:
        return SeriesFile(series, np.array(texts, object) if header.has_classes else None, header.classes)
    targets = numbers(texts, lambda row: f"line {numbers_of_lines[row]:,}: its target")
    if not np.isfinite(targets).all():
        row = np.isfinite(targets).argmin()
        raise Unreadable(f"line {numbers_of_lines[row]:,}: its target is {texts[row]}; expected a number")
    return SeriesFile(series, targets)


def _of_ucr(lines: Sequence[Line]) -> tuple[list[np.ndarray], np.ndarray]:
    """The series of a file of the UCR archive, float32 [steps, 1] each, and their labels, float64 [N]."""
    separator = next((mark for mark in "\t," if mark in lines[0][1]), None)
    series, labels = [], np.empty(len(lines))
    for row, (number, text) in enumerate(lines):

        def place(position: int, number: int = number) -> str:
            return f"line {number:,}: {f'value {position:,}' if position else 'its label'}"

        fields = numbers(text.split(separator), place)
        labels[row], values = fields[0], fields[1:]
        if not np.isfinite(labels[row]):
            raise Unreadable(f"line {number:,}: its label is {labels[row]}; expected a number")
        present = np.flatnonzero(~np.isnan(values))
        if not len(present):
            raise Unreadable(f"line {number:,} has a label and no values; expected the values of a series behind it")
        with np.errstate(over="ignore"):
            series.append(values[: present[-1] + 1].astype(np.float32)[:, np.newaxis])
    return series, labels


def as_classes(labels: np.ndarray) -> np.ndarray:
    """Labels as the names of classes, objects of str [N], if all are whole numbers; else unchanged."""
    if (labels != np.rint(labels)).any():
        return labels
    return np.array([f"{label:.0f}" for label in labels + 0.0], object)  # -0 becomes 0


def check_values(series: Sequence[np.ndarray], places: Sequence[int], noun: str = "line") -> None:
    """Refuse series with values that are missing, infinite or too large for float32.

    Args:
        series: [steps, channels] each.
        places: the number that messages give to each series.
        noun: what messages call the place of a series.

    Raises:
        Unreadable: with the counts and the first place.
    """
    missing = np.array([np.isnan(values).sum() for values in series])
    infinite = np.array([np.isinf(values).sum() for values in series])
    for counts, problem, advice in (
        (missing, "missing", "fill them in, or remove these series"),
        (infinite, "infinite or above 3.4e38", "expected numbers that float32 can hold"),
    ):
        if counts.any():
            place = f"{noun} {places[int(counts.astype(bool).argmax())]:,}"
            raise Unreadable(
                f"{counted(int(counts.sum()), 'value')} in {np.count_nonzero(counts):,} of its {len(series):,} series "
                f"{'is' if counts.sum() == 1 else 'are'} {problem}, first in {place}; {advice}"
            )
