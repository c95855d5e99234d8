"""`fitbench predict`: classifies images with the model of a run, and writes the rows while it goes."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from rich.console import Console

from fitbench.data.image_paths import LeftOut
from fitbench.errors import FitbenchError, RequestError
from fitbench.inference import labels, sources
from fitbench.inference.decoding import decoded
from fitbench.inference.outputs import check_new, open_output, writing
from fitbench.inference.prepare import Prepare, default_prepare
from fitbench.inference.reader import Reader, finished, open_run, white_of
from fitbench.inference.rows import Row, classify, columns
from fitbench.inference.score import print_scores
from fitbench.record import reading
from fitbench.text import clean, console, counted, duration
from fitbench.training.progress import notice

PREPARATIONS = {
    Prepare.auto: "each digit is turned into an image like MNIST's",
    Prepare.none: "images are only resized if necessary",
}


@dataclass(frozen=True, kw_only=True)
class Options:
    """The options of a prediction.

    Attributes:
        prepare: auto or none; None for the default of the run.
        labels_from: the true classes: a CSV file of paths and labels, or `folder` for the names of the folders.
        confusion: a PNG file for the confusion matrix. It needs `labels_from`.
        array: the array of an .npz that holds the images.
        format: table, csv or json (one object per line). By default, the suffix of `output` decides, or table.
        output: the file to write; None for stdout.
        force: replace `output` and `confusion`.
        batch_size: images that are decoded and written at a time.
        null: paths on stdin end with null characters.
        trust: load a model that has code of its own.
        outputs: the folder that is searched for the run.
    """

    prepare: str | None = None
    labels_from: str | None = None
    confusion: Path | None = None
    array: str | None = None
    format: str | None = None
    output: Path | None = None
    force: bool = False
    batch_size: int | None = None
    null: bool = False
    trust: bool = False
    outputs: Path = Path("outputs")


def predict(run: str, images: Sequence[str], options: Options) -> int:
    """Classify images with the model of a finished run.

    Args:
        run: a run folder, a run_id, or an unambiguous part of one.
        images: files, folders, or `-` for paths on stdin.
        options: see `Options`.

    Returns:
        The exit status: 0, or 1 if an image could not be read.

    Raises:
        RequestError: the request is wrong.
        FitbenchError: the run cannot be used, or the output cannot be written.
    """
    _check(options)
    folder = reading.find_run(run, options.outputs)
    result = finished(folder)
    truth = None if options.labels_from is None else labels.read(options.labels_from, result["data"]["classes"])
    arrays = sources.open_arrays(images, options.array, white_of(result))
    with open_output(options.format, options.output, columns(truth is not None), options.force) as write:
        with notice(True, f"{result['run_id']}: loading the model"):
            reader = open_run(folder, options.trust)
        choose = partial(_choose_prepare, options.prepare, reader)
        for method in dict.fromkeys(choose(arrays.get(argument)) for argument in images):
            _write_notice(f"--prepare {method.value}: {PREPARATIONS[method]}")
        size, left_out = options.batch_size or reader.batch_size, LeftOut()
        batches = sources.batches(images, arrays, size, options.null, left_out)
        tally = Tally(reader.classes)
        ready = decoded(batches, reader.shape, choose, reader.max_value)
        with _stderr().status("") as status, closing(ready):
            for batch, pixels, errors in ready:
                rows = classify(reader, batch, pixels, errors, truth)
                write(rows)
                tally.add(rows)
                status.update(counted(tally.images, "image"))
    _write_notice(str(tally))
    if str(left_out):
        _write_notice(f"left out: {left_out}")
    if truth is not None:
        _report_scores(tally, reader, options)
    return 1 if tally.errors else 0


def _check(options: Options) -> None:
    """Check the options that no other function checks.

    Raises:
        RequestError: an option is wrong.
    """
    if options.prepare is not None and options.prepare not in Prepare.__members__:
        raise RequestError(f"--prepare is {options.prepare!r}; it must be {' or '.join(Prepare.__members__)}")
    if options.confusion is not None:
        if options.labels_from is None or options.confusion.suffix.lower() != ".png":
            raise RequestError("--confusion needs the name of a .png file, and --labels")
        check_new("--confusion", options.confusion, options.force)


def _choose_prepare(asked: str | None, reader: Reader, pixels: np.ndarray | None) -> Prepare:
    """Choose how to prepare the rows of an array, or image files for None. `asked` is the user's choice."""
    has_model_shape = pixels is not None and pixels.shape[1:] == reader.shape
    if reader.shape[2] != 1 or (asked is None and has_model_shape):
        return Prepare.none
    return default_prepare(reader.result) if asked is None else Prepare(asked)


# -- what is printed --------------------------------------------------------------------------------------------------


class Tally:
    """Counts of the images of a prediction. As a string, it is a summary in one line.

    Attributes:
        images: all images.
        errors: images that could not be read.
        unlabelled: images without a label, if there are labels.
        matrix: the confusion matrix of images with a label, int64 [true classes, predicted classes].
    """

    def __init__(self, classes: Sequence[str]) -> None:
        self.images = self.errors = self.unlabelled = 0
        self.matrix = np.zeros((len(classes), len(classes)), np.int64)
        self._positions = {name: i for i, name in enumerate(classes)}
        self._began = time.perf_counter()

    def add(self, rows: Sequence[Row]) -> None:
        """Count images by their rows."""
        self.images += len(rows)
        for row in rows:
            self.errors += row["error"] is not None
            self.unlabelled += row.get("true") is None
            if row.get("correct") is not None:
                self.matrix[self._positions[row["true"]], self._positions[row["label"]]] += 1

    def __str__(self) -> str:
        seconds = time.perf_counter() - self._began
        took = duration(seconds) if seconds >= 10 else f"{seconds:.1f} s"
        text = f"{counted(self.images, 'image')} in {took}, {self.images / seconds:,.0f} images/s"
        return f"{text}; {self.errors:,} could not be read" if self.errors else text


def _report_scores(tally: Tally, reader: Reader, options: Options) -> None:
    """Print the accuracy and the metrics per class, and draw the confusion matrix.

    Raises:
        FitbenchError: no readable image has a label, or the chart cannot be written.
    """
    labelled = int(tally.matrix.sum())
    if not labelled:
        raise FitbenchError("--labels: none of the readable images has a label; compare the paths")
    if tally.unlabelled:
        _write_notice(f"{tally.unlabelled:,} of {tally.images:,} images have no label; they do not count")
    rows_on_stdout = options.output is None and options.format not in (None, "table")
    with writing(None):
        print_scores(_stderr() if rows_on_stdout else console(), tally.matrix, reader.classes)
    if options.confusion is not None:
        from fitbench.charts.confusion import draw_confusion

        true, predicted = (np.repeat(side.ravel(), tally.matrix.ravel()) for side in np.indices(tally.matrix.shape))
        title = f"{reader.run_id}, {counted(labelled, 'image')}"
        with writing(options.confusion):
            draw_confusion(true, predicted, reader.classes, options.confusion, title)
        _write_notice(f"drew {clean(options.confusion)}")


def _stderr() -> Console:
    return Console(stderr=True, markup=False, emoji=False, highlight=False)


def _write_notice(text: str) -> None:
    sys.stderr.write(f"fitbench: {text}\n")
