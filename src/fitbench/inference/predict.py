"""`fitbench predict`: classifies images with the model of a run, and writes the rows while it goes."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fitbench.errors import FitbenchError, RequestError
from fitbench.inference import labels, sources
from fitbench.inference.arrays import ArrayFile
from fitbench.inference.decoding import decoded
from fitbench.inference.outputs import open_output, writing
from fitbench.inference.prepare import Prepare, default_prepare
from fitbench.inference.reader import Reader, finished, open_run
from fitbench.inference.rows import Row, classify, columns
from fitbench.inference.score import draw_matrix, print_scores
from fitbench.record import reading
from fitbench.text import clean, console, duration
from fitbench.training.progress import notice

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

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
        batch_size: images that the model computes at a time.
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
        images: files, folders, globs, or `-` for paths on stdin.
        options: see `Options`.

    Returns:
        The exit status: 0, or 1 if an image could not be read.

    Raises:
        RequestError: the request is wrong.
        FitbenchError: the run cannot be used, or the output cannot be written.
    """
    asked = _parse_prepare(options.prepare)
    _check_confusion(options)
    folder = reading.find_run(run, options.outputs)
    result = finished(folder)
    truth = None if options.labels_from is None else labels.read(options.labels_from, result["data"]["classes"])
    arrays = sources.open_arrays(images, options.array)
    output = open_output(options.format, options.output, columns(truth is not None), options.force)
    with output as out, ExitStack() as stack:
        with notice(True, f"{result['run_id']}: loading the model"):
            reader = open_run(folder, options.trust)
        choose = partial(_choose_prepare, asked, reader)
        for method in dict.fromkeys(choose(arrays.get(argument)) for argument in images):
            _write_notice(f"--prepare {method.value}: {PREPARATIONS[method]}")
        batches = sources.batches(images, arrays, options.batch_size or reader.batch_size, options.null)
        bar = stack.enter_context(_progress())
        tally, task = Tally(reader.classes), bar.add_task("", total=None)
        for batch, pixels, errors in stack.enter_context(closing(decoded(batches, reader.shape, choose))):
            rows = classify(reader, batch, pixels, errors, truth)
            out.write(rows)
            tally.add(rows)
            bar.update(task, completed=tally.images)
    _write_notice(str(tally))
    if truth is not None:
        to_stdout = options.output is not None or options.format in (None, "table")
        _report_scores(tally, reader, options.confusion, console() if to_stdout else _stderr())
    return 1 if tally.errors else 0


def _check_confusion(options: Options) -> None:
    """Check the file of the chart before the images are classified.

    Raises:
        RequestError: it is not a .png file, exists and must not be replaced, or its folder does not exist.
    """
    path = options.confusion
    if path is None:
        return
    if options.labels_from is None or path.suffix.lower() != ".png":
        raise RequestError("--confusion needs the name of a .png file, and --labels")
    if path.exists() and not options.force:
        raise RequestError(f"--confusion {clean(path)} already exists; --force replaces it")
    if not path.parent.is_dir():
        raise RequestError(f"--confusion {clean(path)}: its folder does not exist; create it")


def _parse_prepare(text: str | None) -> Prepare | None:
    if text is not None and text not in Prepare.__members__:
        raise RequestError(f"--prepare is {text!r}; it must be {' or '.join(Prepare.__members__)}")
    return None if text is None else Prepare(text)


def _choose_prepare(asked: Prepare | None, reader: Reader, array: ArrayFile | None) -> Prepare:
    """Choose how to prepare the images of an array file, or image files for None. `asked` is the user's choice."""
    has_model_shape = array is not None and array.pixels.shape[1:] == reader.shape
    if reader.shape[2] != 1 or (asked is None and has_model_shape):
        return Prepare.none
    return asked or default_prepare(reader.result)


# -- what is printed --------------------------------------------------------------------------------------------------


class Tally:
    """Counts of the images of a prediction. As a string, it is a summary in one line.

    Attributes:
        images: all images.
        errors: images that could not be read.
        matrix: the confusion matrix of images with a label, int64 [true classes, predicted classes].
    """

    def __init__(self, classes: Sequence[str]) -> None:
        self.images = self.errors = 0
        self.matrix = np.zeros((len(classes), len(classes)), np.int64)
        self._positions = {name: i for i, name in enumerate(classes)}
        self._began = time.perf_counter()

    def add(self, rows: Sequence[Row]) -> None:
        """Count images by their rows."""
        self.images += len(rows)
        for row in rows:
            self.errors += row["error"] is not None
            if row.get("correct") is not None:
                self.matrix[self._positions[row["true"]], self._positions[row["label"]]] += 1

    def __str__(self) -> str:
        seconds = time.perf_counter() - self._began
        took = duration(seconds) if seconds >= 10 else f"{seconds:.1f} s"
        text = f"{self.images:,} images in {took}, {self.images / seconds:,.0f} images/s"
        return f"{text}; {self.errors:,} could not be read" if self.errors else text


def _progress() -> Progress:
    """A live line on stderr, if it is a terminal: the number of images, and the time."""
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.completed:,} images"), TimeElapsedColumn())
    return Progress(*columns, console=_stderr(), transient=True, disable=not sys.stderr.isatty())


def _report_scores(tally: Tally, reader: Reader, confusion: Path | None, out: Console) -> None:
    """Print the accuracy and the metrics per class, and draw the confusion matrix.

    Raises:
        FitbenchError: no readable image has a label.
    """
    labelled = int(tally.matrix.sum())
    if not labelled:
        raise FitbenchError("--labels: none of the readable images has a label; compare the paths")
    if labelled < tally.images:
        _write_notice(f"{tally.images - labelled:,} images have no label or could not be read; they do not count")
    with writing(None):
        print_scores(out, tally.matrix, reader.classes)
    if confusion is not None:
        draw_matrix(tally.matrix, reader.classes, confusion, f"{reader.run_id}, {labelled:,} images")
        _write_notice(f"drew {clean(confusion)}")


def _stderr() -> Console:
    from rich.console import Console

    return Console(stderr=True, markup=False, emoji=False, highlight=False)


def _write_notice(text: str) -> None:
    sys.stderr.write(f"fitbench: {text}\n")
