"""Reads files of series as the model beside this file takes them: .ts, .tsv, .txt, .npy, .npz. Labels are ignored."""

from collections.abc import Sequence
from pathlib import Path

import arrays  # type: ignore[import-not-found]  # beside this file
import numpy as np
import series_text  # type: ignore[import-not-found]
import values  # type: ignore[import-not-found]
from resampling import resampled  # type: ignore[import-not-found]

INPUT = arrays.INPUT


def series_of(path: str) -> Sequence[np.ndarray]:
    """The series of a file, [steps, channels] each. Raises OSError or ValueError."""
    suffix = Path(path).suffix.lower()
    if suffix not in (".ts", ".tsv", ".txt"):
        return arrays.array_of(path)
    file = series_text.parse(Path(path).read_bytes(), suffix, labelled=False)
    if file.label_first:
        values.check_labelled(file.lengths.tolist(), INPUT)
    return file.series


def read(path: str) -> tuple[list[str], np.ndarray, list[str], list[str]]:
    """Read a file: the names of its series, float32 [N, steps, channels], which cannot be read, and no notes."""
    try:
        return arrays.named(path, *values.checked_series(series_of(path), INPUT, resampled))
    except OSError as error:
        return [], np.empty(0), [f"{path}: cannot be read ({error.strerror or error})"], []
    except (ValueError, EOFError) as error:
        return [], np.empty(0), [f"{path}: {error}"], []
