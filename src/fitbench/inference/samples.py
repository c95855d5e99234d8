"""Examples of the test part of a served run, which visitors of the page can try."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fitbench.data.dataset import Dataset
from fitbench.data.loading import forget, is_here, load_recorded
from fitbench.errors import FitbenchError
from fitbench.inference.reader import Reader, configuration
from fitbench.kinds import IMAGES

if TYPE_CHECKING:
    from fitbench.inference.served import Served

COUNT = 3
MOST_BYTES = 200_000_000  # of a data set that is read for them
MOST_NUMBERS = 10_000  # of an example that the page has as text
PURPOSE = "the page offers test examples of these data"


@dataclass(frozen=True)
class Sample:
    """An example of the test part.

    Attributes:
        truth: its class; None where the task has no classes.
        png: an image as a PNG file; None for other kinds.
        value: other examples as JSON of a request has them; None for images.
    """

    truth: str | None
    png: bytes | None
    value: Any


class Samples:
    """A few examples of the first run whose data are on this machine, read when they are asked for first."""

    def __init__(self, readers: Sequence[Reader], served: Served) -> None:
        self._readers = readers
        self._served = served
        self._found: tuple[Sample, ...] | None = None
        self._reading = threading.Lock()

    def find(self) -> tuple[Sample, ...]:
        """The examples, of different classes where there are classes; none if no data are here. It may take seconds."""
        with self._reading:
            if self._found is None:
                self._found = next(filter(None, map(self._of_run, self._readers)), ())
                forget()
            return self._found

    def _of_run(self, reader: Reader) -> tuple[Sample, ...]:
        """Those of a run; none if its data are not here, are not those of the run, are large, or come from code."""
        counts = [reader.result["data"].get(part) or 0 for part in ("train", "test")]
        inputs = reader.inputs
        numbers = int(np.prod(inputs.shape))
        if sum(counts) * numbers * np.dtype(inputs.dtype).itemsize > MOST_BYTES:
            return ()
        if inputs.kind != IMAGES and numbers > MOST_NUMBERS:
            return ()
        try:
            data = configuration(reader.result, reader.folder).data
            if not is_here(data):
                return ()
            dataset = load_recorded(data, reader.result, reader.folder, trust=False, purpose=PURPOSE)
        except FitbenchError:  # the page does without them
            return ()
        has_classes = reader.task.has_classes
        rows = chosen(dataset, has_classes)
        truths = [dataset.names[dataset.y_test[row]] if has_classes else None for row in rows]
        samples = [
            Sample(truth, self._served.picture(example, reader), self._served.value_of(example, reader))
            for truth, example in zip(truths, np.asarray(dataset.x_test[rows]), strict=True)
        ]
        return tuple(sample for sample in samples if sample.png or sample.value)


def chosen(dataset: Dataset, has_classes: bool) -> np.ndarray:
    """The rows of a few test examples, int [at most `COUNT`]: the first of each class, then the first others."""
    rows = np.arange(len(dataset.y_test))
    firsts = np.sort(np.unique(dataset.y_test, return_index=True)[1]) if has_classes else rows
    return np.concatenate([firsts, np.setdiff1d(rows[: COUNT + len(firsts)], firsts)])[:COUNT]
