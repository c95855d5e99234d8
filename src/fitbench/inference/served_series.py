"""Series in requests to `fitbench serve`: nested lists of numbers as JSON, or files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
from starlette.exceptions import HTTPException

from fitbench.data.npz import ARRAY_ERRORS, read_npy
from fitbench.data.resampling import resampled
from fitbench.data.series_file import read_series_file
from fitbench.errors import DataError
from fitbench.inference import api
from fitbench.inference.served import Named
from fitbench.inference.served_numbers import ServedNumbers
from fitbench.inference.values import Takes, checked_series
from fitbench.text import clean, shortened
from fitbench.untrusted import Unreadable, open_file

if TYPE_CHECKING:
    from fitbench.inference.reader import Reader

SUFFIXES = (".ts", ".tsv", ".txt", ".npy")
MOST_STEPS = 100_000  # of a series; interpolating millions would hold up other requests for seconds
LONGEST = 300  # characters of a message about a file


class ServedSeries(ServedNumbers):
    """Series. The content of an example is an array, float64 [steps, channels], or [steps] of one channel."""

    has_files = True
    content_types = "application/json or multipart/form-data"
    description = (
        'The JSON is {"example": series} or {"examples": [series, ...]}. A series is a list of steps. A step is a '
        "number, or a list of the numbers of its channels. The shape is that which /models gives. Or the series are "
        "files of a form: .ts, .tsv or .txt as the UCR and UEA archives have them, of which labels are ignored, or "
        ".npy with [steps], [steps, channels] or [N, steps, channels]. If one series of a request cannot be "
        "read, the whole request is refused."
    )

    def __init__(self, readers: Sequence[Reader], limits: api.RequestLimits) -> None:
        super().__init__(readers, limits)
        self.body["content"]["multipart/form-data"] = {
            "example": "curl -F file=@GunPoint_TEST.ts http://127.0.0.1:8000/predict"
        }

    def checked(self, name: str, numbers: np.ndarray, takes: Takes) -> tuple[np.ndarray, dict[int, str]]:
        """A series as a batch of it alone. One of another length is interpolated if the run has `data.lengths`."""
        if numbers.ndim > 2:
            raise HTTPException(422, f"{name}: nested too deeply; expected [steps] or [steps][channels]")
        if len(numbers) > MOST_STEPS:
            raise HTTPException(422, f"{name}: {len(numbers):,} steps; expected at most {MOST_STEPS:,}")
        series = numbers if numbers.ndim == 2 else numbers[:, np.newaxis]
        return checked_series([series], takes, resampled)

    def from_file(self, name: str, content: bytes) -> list[Named]:
        """The series of a file, named file[0], file[1], ..."""
        suffix = Path(name).suffix.lower()
        if suffix not in SUFFIXES:
            raise HTTPException(422, f"{name}: expected a file of series, {', '.join(SUFFIXES)}")
        with TemporaryDirectory() as folder:
            path = Path(folder) / f"file{suffix}"
            path.write_bytes(content)
            try:
                series = _of_array(path) if suffix == ".npy" else read_series_file(path).series
            except (DataError, Unreadable, *ARRAY_ERRORS) as error:
                problem = clean(error).replace(str(path), "").removeprefix(": ")
                raise HTTPException(422, shortened(f"{name}: {problem}", LONGEST)) from None
        return [(f"{name}[{i}]", each) for i, each in enumerate(series)]


def _of_array(path: Path) -> list[np.ndarray]:
    """The series of a .npy file, each float64 [steps, channels] or [steps]."""
    with open_file(path) as file:
        array = read_npy(file)
    if array.dtype.kind not in "iuf" or not 1 <= array.ndim <= 3:
        raise Unreadable(f"an array of {array.dtype} {array.shape}; expected numbers, [N, steps, channels]")
    array = np.array(array, np.float64)
    return list(array) if array.ndim == 3 else [array]
