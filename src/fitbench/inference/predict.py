"""`fitbench predict`: what the model of a run says of new examples, written while it goes."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Any

import numpy as np
from rich.console import Console

from fitbench.errors import FitbenchError, RequestError
from fitbench.inference.examples import Source
from fitbench.inference.image_examples import ImageExamples
from fitbench.inference.inputs import recorded_inputs
from fitbench.inference.layout import ERROR, Layout, Row
from fitbench.inference.number_examples import ArrayExamples, SeriesExamples
from fitbench.inference.options import Options
from fitbench.inference.outputs import check_new, open_output, writing
from fitbench.inference.prepare import Prepare
from fitbench.inference.reader import Reader, finished, open_run
from fitbench.inference.rows import rows_of
from fitbench.inference.score import print_scores
from fitbench.inference.table_examples import TableExamples
from fitbench.kinds import ARRAYS, IMAGES, SERIES, TABLE, TOKENS
from fitbench.record.inputs import Inputs
from fitbench.record.naming import find_run
from fitbench.stderr import write_note
from fitbench.text import clean, console, counted, duration, plural
from fitbench.training.progress import notice

SOURCES: dict[str, Callable[[Sequence[str], Options, dict[str, Any], Inputs], Source]] = {
    IMAGES: ImageExamples,
    TABLE: TableExamples,
    SERIES: SeriesExamples,
    TOKENS: ArrayExamples,
    ARRAYS: ArrayExamples,
}


def predict(run: str, files: Sequence[str], options: Options) -> int:
    """Write what the model of a finished run says of examples.

    Args:
        run: a run folder, a run_id, or an unambiguous part of one.
        files: images: files, folders, or `-` for paths on stdin. Other kinds of examples: their files.
        options: see `Options`.

    Returns:
        The exit status: 0, or 1 if an example could not be read.

    Raises:
        RequestError: the request is wrong.
        FitbenchError: the run cannot be used, or the output cannot be written.
    """
    _check(options)
    folder = find_run(run, options.outputs, finished=True)
    result, inputs = finished(folder), recorded_inputs(folder)
    source = SOURCES[inputs.kind](files, options, result, inputs)
    layout = source.layout
    with open_output(options.format, options.output, layout, options.force) as write:
        with notice(True, f"{result['run_id']}: loading the model"):
            reader = open_run(folder, options.trust)
        threshold = [f"a label applies from a probability of {reader.threshold:g}"] * reader.task.has_threshold
        for text in (*threshold, *source.notices(reader)):
            write_note(text)
        tally = Tally(layout, reader.names)
        ready = source.batches(reader, options.batch_size or reader.batch_size)
        with _stderr().status("") as status, closing(ready):
            for batch in ready:
                rows = rows_of(reader, layout, batch)
                write(rows)
                tally.add(rows)
                status.update(counted(tally.examples, layout.noun))
    for text in (str(tally), *source.remarks()):
        write_note(text)
    if layout.labelled:
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


# -- what is printed --------------------------------------------------------------------------------------------------


class Tally:
    """Counts of the examples of a prediction. As a string, it is a summary in one line.

    Attributes:
        examples: all examples.
        errors: examples that could not be read.
        unlabelled: examples without a label, if there are labels.
        matrix: the confusion matrix of examples with a label, int64 [true classes, predicted classes].
    """

    def __init__(self, layout: Layout, names: Sequence[str]) -> None:
        self.examples = self.errors = self.unlabelled = 0
        self.matrix = np.zeros((len(names), len(names)) if layout.labelled else (0, 0), np.int64)
        self._noun = layout.noun
        self._positions = {name: i for i, name in enumerate(names)}
        self._began = time.perf_counter()

    def add(self, rows: Sequence[Row]) -> None:
        """Count examples by their rows."""
        self.examples += len(rows)
        for row in rows:
            self.errors += row[ERROR] is not None
            if self.matrix.size:
                self.unlabelled += row["true"] is None
                if row["correct"] is not None:
                    self.matrix[self._positions[row["true"]], self._positions[row["label"]]] += 1

    def __str__(self) -> str:
        seconds = time.perf_counter() - self._began
        took = duration(seconds) if seconds >= 10 else f"{seconds:.1f} s"
        text = f"{counted(self.examples, self._noun)} in {took}, {self.examples / seconds:,.0f} {plural(self._noun)}/s"
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
        write_note(f"{tally.unlabelled:,} of {tally.examples:,} images have no label; they do not count")
    rows_on_stdout = options.output is None and options.format not in (None, "table")
    with writing(None):
        print_scores(_stderr() if rows_on_stdout else console(), tally.matrix, reader.names)
    if options.confusion is not None:
        from fitbench.charts.confusion import draw_confusion

        title = f"{reader.run_id}, {counted(labelled, 'image')}"
        with writing(options.confusion):
            draw_confusion(tally.matrix, reader.names, options.confusion, title)
        write_note(f"drew {clean(options.confusion)}")


def _stderr() -> Console:
    return Console(stderr=True, markup=False, emoji=False, highlight=False)
