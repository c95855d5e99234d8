"""The images that `fitbench predict` is given, in batches as the model takes them."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from fitbench.data.image_paths import LeftOut
from fitbench.data.scale import note_on_dark
from fitbench.errors import RequestError
from fitbench.inference import labels, sources
from fitbench.inference.card import white_of
from fitbench.inference.decoding import decoded
from fitbench.inference.examples import Examples
from fitbench.inference.layout import Layout
from fitbench.inference.options import Options
from fitbench.inference.prepare import Prepare, default_prepare
from fitbench.inference.reader import Reader
from fitbench.record.inputs import Inputs
from fitbench.record.reading import output_names
from fitbench.tasks import task_of
from fitbench.text import clean

PREPARATIONS = {
    Prepare.auto: "each digit is turned into an image like MNIST's",
    Prepare.none: "images are only resized if necessary",
}


class ImageExamples:
    """Image files, folders of them, and arrays."""

    def __init__(self, arguments: Sequence[str], options: Options, result: dict[str, Any], inputs: Inputs) -> None:
        """Open what can be refused before the model is loaded.

        Raises:
            RequestError: an argument or option is wrong.
            DataError: an array file is damaged or does not hold images, or the labels cannot be read.
        """
        task, names, asked = task_of(result["task"]), output_names(result), options.labels_from
        if asked is not None and not task.has_classes:
            raise RequestError(f"--labels is for classes; the task of the run is {task.name}")
        self.arguments, self.options = arguments, options
        self.truth = None if asked is None else labels.read(asked, names)
        self.arrays = sources.open_arrays(arguments, options.array, white_of(result), inputs.shape)
        self.layout = Layout.of(("path",), "image", task, names, asked is not None)
        self.left_out = LeftOut()

    def notices(self, reader: Reader) -> list[str]:
        """How the images are prepared, a line each way, and what may be wrong with them.

        Arrays may be too dark, and the run may have trained on images that are scored.
        """
        ways = dict.fromkeys(_choose_prepare(self.options.prepare, reader, self.arrays.get(a)) for a in self.arguments)
        lines = [f"--prepare {way.value}: {PREPARATIONS[way]}" for way in ways]
        if Prepare.none in ways:
            dark = (note_on_dark(array, clean(name)) for name, array in self.arrays.items())
            lines += [note for note in dark if note]
        path = reader.result["config"]["data"].get("path")
        own = [name for name in self.arguments if self.truth is not None and path and _is_of(name, Path(path))]
        if own:
            lines.append(
                f"{clean(own[0])} holds images that the run was trained on, so the accuracy is too high; fitbench show "
                "has that on its test part"
            )
        return lines

    def batches(self, reader: Reader, size: int) -> Generator[Examples]:
        """The images, `size` at a time. Those that cannot be read are black, and have an error."""
        choose = partial(_choose_prepare, self.options.prepare, reader)
        batches = sources.batches(self.arguments, self.arrays, size, self.options.null, self.left_out)
        with closing(decoded(batches, reader.inputs.image_shape, choose, reader.max_value)) as ready:
            for batch, pixels, errors in ready:
                true = None if self.truth is None else self.truth(batch)
                yield Examples([(name,) for name in batch.names], pixels, errors, true)

    def remarks(self) -> list[str]:
        """What was left out of folders."""
        return [f"left out: {self.left_out}"] if str(self.left_out) else []


def _is_of(argument: str, data: Path) -> bool:
    """Whether a file or folder has images of this folder of a data set, and not of its test part alone."""
    if argument == sources.STDIN:
        return False
    path, data = Path(argument).resolve(), data.resolve()
    if path.is_relative_to(data):
        return path.relative_to(data).parts[:1] != ("test",)
    return data.is_relative_to(path)


def _choose_prepare(asked: str | None, reader: Reader, pixels: np.ndarray | None) -> Prepare:
    """Choose how to prepare the rows of an array, or image files for None. `asked` is the user's choice."""
    has_model_shape = pixels is not None and pixels.shape[1:] == reader.inputs.shape
    if reader.inputs.shape[2] != 1 or (asked is None and has_model_shape):
        return Prepare.none
    return default_prepare(reader.result) if asked is None else Prepare(asked)
