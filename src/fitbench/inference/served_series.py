"""Series in requests to `fitbench serve`: nested lists of numbers as JSON, or files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
from starlette.exceptions import HTTPException

from fitbench.data import series_file
from fitbench.data.resampling import resampled
from fitbench.errors import DataError
from fitbench.inference import api
from fitbench.inference.card import input_card
from fitbench.inference.series_reading import read_series
from fitbench.inference.served import Named
from fitbench.inference.served_numbers import ServedNumbers
from fitbench.inference.values import InputCard, checked_series
from fitbench.text import clean, shortened

if TYPE_CHECKING:
    from fitbench.inference.reader import Reader

SUFFIXES = (*series_file.SUFFIXES, ".npy")  # an .npz file of the most bytes may hold 200 times as many
MOST_STEPS = 100_000  # of a series; interpolating millions would hold up other requests for seconds
LONGEST = 300  # characters of a message about a file


class ServedSeries(ServedNumbers):
    """Series. The content of an example is an array, float64 [steps, channels], or [steps] of one channel."""

    has_files = True
    content_types = "application/json or multipart/form-data"
    description = (
        'The JSON is {"example": series} or {"examples": [series, ...]}. A series is a list of steps. A step is a '
        "number, or a list of the numbers of its channels. The shape is that which /models gives. Or the series are "
        "files of a form: .ts, .tsv or .txt as the UCR and UEA archives have them (labels are ignored), or "
        ".npy with [N, steps, channels], or [N, steps] of one channel. If one series of a request cannot be "
        "read, the whole request is refused."
    )

    def __init__(self, readers: Sequence[Reader], limits: api.RequestLimits) -> None:
        super().__init__(readers, limits)
        self.body["content"]["multipart/form-data"] = {
            "example": "curl -F file=@GunPoint_TEST.ts http://127.0.0.1:8000/predict"
        }

    def checked(self, name: str, numbers: np.ndarray, takes: InputCard) -> tuple[np.ndarray, dict[int, str]]:
        """A series as a batch of it alone. One of another length is interpolated if the run has `data.lengths`.

        Raises:
            HTTPException: 422, it is nested too deeply, or too long to be interpolated.
        """
        if numbers.ndim > 2:
            raise HTTPException(422, f"{name}: nested too deeply; expected [steps] or [steps][channels]")
        if len(numbers) > MOST_STEPS:
            raise HTTPException(422, f"{name}: {len(numbers):,} steps; expected at most {MOST_STEPS:,}")
        series = numbers if numbers.ndim == 2 else numbers[:, np.newaxis]
        return checked_series([series], takes, resampled)

    def from_file(self, name: str, content: bytes, models: Mapping[str, Reader]) -> list[Named]:
        """The series of a file, named file[0], file[1], ... Each of the models must take it.

        Raises:
            HTTPException: 422, it is refused as `fitbench predict` refuses it; the message begins with its name.
        """
        suffix = Path(name).suffix.lower()
        if suffix not in SUFFIXES:
            raise HTTPException(422, f"{name}: expected a file of series, {', '.join(SUFFIXES)}")
        cards = [input_card(reader.inputs, reader.result) for reader in models.values()]
        taken = [takes for place, takes in enumerate(cards) if takes not in cards[:place]]  # most models take the same
        with TemporaryDirectory() as folder:
            path = Path(folder) / f"file{suffix}"
            path.write_bytes(content)
            try:
                series = [read_series(path, takes) for takes in taken]
            except DataError as error:
                problem = clean(error).replace(str(path), "").removeprefix(": ")
                raise HTTPException(422, shortened(f"{name}: {problem}", LONGEST)) from None
        return [(f"{name}[{i}]", each) for i, each in enumerate(series[0])]
