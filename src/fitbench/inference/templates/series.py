"""Reads .ts, .tsv, .txt, .npy and .npz files of series as the model beside this file takes them. Labels are not used."""

from pathlib import Path

import arrays
import numpy as np
import values
from resampling import resampled

INPUT = arrays.INPUT


def numbers(fields: list[str], number: int) -> list[float]:
    """The numbers in the fields of a line; ? is a missing one."""
    try:
        return [float("nan") if field.strip() == "?" else float(field) for field in fields]
    except ValueError as error:
        raise ValueError(f"line {number}: {error}") from None


def series_of_ts(lines: list[tuple[int, str]]) -> list[np.ndarray]:
    """The series of a .ts file, [steps, channels] each. Raises ValueError."""
    header = [text.lower().split() for _, text in lines]
    if ["@data"] not in header:
        raise ValueError("has no line @data; it may be cut off")
    begin = header.index(["@data"])
    tags = {words[0]: words[1:2] for words in header[:begin]}
    if tags.get("@timestamps") == ["true"]:
        raise ValueError("states @timeStamps true; expected values without time stamps")
    has_labels = ["true"] in (tags.get("@classlabel"), tags.get("@targetlabel"))
    series, count = [], None
    for number, text in lines[begin + 1 :]:
        parts = text.split(":")
        count = len(parts) if count is None else count
        channels = [numbers(part.split(","), number) for part in parts[: len(parts) - has_labels]]
        if len(parts) != count or len({len(values) for values in channels}) != 1 or (has_labels and not parts[-1]):
            raise ValueError(f"line {number}: expected the same number of parts between ':', of the same length")
        series.append(np.array(channels).T)
    return series


def series_of_ucr(lines: list[tuple[int, str]]) -> list[np.ndarray]:
    """The series of a file of the UCR archive: a line for each series of one channel, the label first."""
    separator = next((mark for mark in "\t," if mark in lines[0][1]), None)
    series = []
    for number, text in lines:
        row = np.array(numbers(text.split(separator), number)[1:])
        present = np.flatnonzero(~np.isnan(row))
        if not len(present):
            raise ValueError(f"line {number} has a label and no values; expected the values of a series behind it")
        series.append(row[: present[-1] + 1, np.newaxis])  # missing values at the end fill up a shorter series
    values.check_labelled([len(one) for one in series], INPUT)
    return series


def series_of(path: str) -> list[np.ndarray]:
    """The series of a text file. Raises OSError or ValueError."""
    lines = enumerate(Path(path).read_text(encoding="utf-8-sig").splitlines(), 1)
    lines = [(number, text.strip()) for number, text in lines if text.strip() and text.lstrip()[0] not in "#%"]
    if not lines:
        raise ValueError("is empty; expected a text file of series")
    is_ts = path.lower().endswith(".ts") or lines[0][1].startswith("@")
    return series_of_ts(lines) if is_ts else series_of_ucr(lines)


def read(path: str) -> tuple[list[str], np.ndarray, list[str], list[str]]:
    """Read a file: the names of its series, float32 [N, steps, channels], which cannot be read, and no notes."""
    try:
        is_text = Path(path).suffix.lower() in (".ts", ".tsv", ".txt")
        series = series_of(path) if is_text else arrays.array_of(path)
        return arrays.named(path, *values.checked_series(series, INPUT, resampled))
    except OSError as error:
        return [], np.empty(0), [f"{path}: cannot be read ({error.strerror or error})"], []
    except (ValueError, EOFError) as error:
        return [], np.empty(0), [f"{path}: {error}"], []
