"""`fitbench predict`: classifies images with the model of a run, and writes the rows while it goes."""

from __future__ import annotations

import hashlib
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fitbench.errors import FitbenchError, RequestError
from fitbench.inference import labels, row_files
from fitbench.inference.decoding import Decoder
from fitbench.inference.parquet import Parquet
from fitbench.inference.prepare import Prepare, default_prepare
from fitbench.inference.progress import Progress
from fitbench.inference.reader import Reader, open_run
from fitbench.inference.row_files import RowFile, writing
from fitbench.inference.rows import FORMATS, PREDICTION_COLUMNS, SUFFIXES, Output, Row, columns
from fitbench.inference.score import Scores
from fitbench.inference.sources import Batch, Broken, Rows, Sources, batches
from fitbench.inference.table import Table
from fitbench.record import reading
from fitbench.text import check_format, clean, console, duration
from fitbench.training.progress import notice

if TYPE_CHECKING:
    from rich.console import Console

TRUE_COLUMN, LABELLED_COLUMNS = 7, 10  # position of the true class in a labelled row, and the length of such a row
NOT_FINITE = "the output of the model is not a finite number"
PREPARATIONS = {
    Prepare.auto: "each digit is turned into an image like MNIST's",
    Prepare.none: "images are only resized if necessary",
}


@dataclass(frozen=True, kw_only=True)
class Options:
    """The options of a prediction.

    Attributes:
        prepare: auto or none; None for the default of the run.
        labels_from: the true classes: a CSV file, an array file, or `folder`.
        confusion: a PNG file for the confusion matrix. It needs `labels_from`.
        array: the array of an .npz that holds the images.
        format: table, csv, json (one object per line) or parquet. By default, the suffix of `output` decides, or table.
        output: the file to write; None for stdout.
        resume: resume writing `output`.
        force: replace `output` and `confusion`.
        batch_size: images that the model computes at a time.
        workers: processes that decode images. 0 uses none; None uses one per core if there are many images.
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
    resume: bool = False
    force: bool = False
    batch_size: int | None = None
    workers: int | None = None
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
    format = _choose_format(options)
    prepare = _parse_prepare(options.prepare)
    _check_confusion(options)
    folder = reading.find_run(run, options.outputs)
    result = reading.read_result(folder)
    run_id, classes = result["run_id"], result["data"]["classes"]
    sources = Sources(images, options.array, options.null)
    truth = labels.read(options.labels_from, classes, list(sources.arrays.values())) if options.labels_from else None
    with ExitStack() as stack:
        provenance = _provenance(folder, result, prepare or default_prepare(result), options)
        out = _open_output(format, columns(truth is not None), options, provenance)
        stack.push(lambda kind, *_: out.close(complete=kind is None))
        with notice(True, f"{run_id}: loading the model"):
            reader = open_run(folder, options.trust)
        choose_prepare = _prepare_by_source(reader, prepare)
        for method in dict.fromkeys(choose_prepare(sources.arrays.get(argument)) for argument in images):
            _write_notice(f"--prepare {method.value}: {PREPARATIONS[method]}")
        decoder = stack.enter_context(Decoder(reader.shape, choose_prepare, options.workers))
        progress = stack.enter_context(Progress(sources.count))
        all_batches = batches(sources, options.batch_size or reader.batch_size)
        tally = _classify(reader, all_batches, decoder, truth, out, progress)
    _write_notice(str(tally))
    if truth is not None:
        to_stdout = options.output or format == "table"
        _report_scores(tally, options.confusion, run_id, console() if to_stdout else _stderr())
    return 1 if tally.errors else 0


def _choose_format(options: Options) -> str:
    """Return the format of the output.

    Raises:
        RequestError: the format does not exist or does not suit the output, or the output is not a file.
    """
    format, output = options.format, options.output
    if output is not None and output.exists() and (not output.is_file() or output.parent == Path("/dev")):
        raise RequestError(f"-o {clean(output)} is not a file; omit -o to write to stdout")
    if format is None:
        format = "table" if output is None else SUFFIXES.get(output.suffix.lower())
    if format is None:
        raise RequestError(
            f"-o {clean(output)}: its suffix does not determine a format; expected one of {', '.join(SUFFIXES)}, or "
            "--format"
        )
    check_format(format, FORMATS)
    if format == "table" and output is not None:
        raise RequestError("--format table is for the terminal; -o needs csv, json or parquet")
    if format == "parquet" and output is None:
        raise RequestError("--format parquet needs -o FILE")
    if options.resume and (output is None or format == "parquet"):
        raise RequestError("--resume needs -o FILE with --format csv or json")
    if options.resume and options.force:
        raise RequestError("--resume and --force exclude each other; use one of them")
    return format


def _check_confusion(options: Options) -> None:
    """Check that the chart can be written, before the images are classified.

    Raises:
        RequestError: the request is wrong, or the file exists and must not be replaced.
        FitbenchError: the folder does not exist or cannot be written.
    """
    path = options.confusion
    if path is None:
        return
    if options.labels_from is None or path.suffix.lower() != ".png":
        raise RequestError("--confusion needs the name of a .png file, and --labels")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        reason = "permission denied" if path.parent.exists() else "no such file or directory"
    elif not path.parent.is_dir():
        reason = "not a directory"
    elif path.is_dir():
        reason = "is a directory"
    elif path.exists() and not (options.resume or options.force):
        raise RequestError(f"--confusion {clean(path)} already exists; --force replaces it")
    else:
        return
    raise FitbenchError(f"--confusion {clean(path)}: cannot be written ({reason})")


def _parse_prepare(text: str | None) -> Prepare | None:
    if text is None:
        return None
    try:
        return Prepare(text)
    except ValueError:
        raise RequestError(f"--prepare is {text!r}; it must be auto or none") from None


def _prepare_by_source(reader: Reader, prepare: Prepare | None) -> Callable[[Rows | Broken | None], Prepare]:
    """Return a function that chooses how to prepare the images of a source; `prepare` is the user's choice."""

    def choose(source: Rows | Broken | None) -> Prepare:
        has_model_shape = isinstance(source, Rows) and source.pixels.shape[1:] == reader.shape
        if (has_model_shape and prepare is None) or reader.shape[2] != 1:
            return Prepare.none
        return prepare or default_prepare(reader.result)

    return choose


def _open_output(format: str, names: Sequence[str], options: Options, provenance: dict[str, Any]) -> Output:
    if format == "table":
        return Table(names)
    if format == "parquet":
        assert options.output is not None
        return Parquet(names, options.output, provenance, options.force)
    return RowFile(names, format, options.output, provenance, options.resume, options.force)


def _provenance(folder: Path, result: Mapping[str, Any], prepare: Prepare, options: Options) -> dict[str, Any]:
    """Return what determines the rows of an output. It is stored with them."""
    model = folder / "model.keras"
    return {
        "schema": row_files.SCHEMA,
        "run_id": result["run_id"],
        "model_sha256": hashlib.sha256(model.read_bytes()).hexdigest() if model.is_file() else None,
        "prepare": prepare.value,
        "labels": options.labels_from,
        "array": options.array,
    }


# -- classification ---------------------------------------------------------------------------------------------------


@dataclass
class Tally:
    """Counts of the images of a prediction. As a string, it is a summary in one line.

    Attributes:
        scores: the predictions for images with a label.
        images: all images.
        errors: images that could not be read.
        recorded: images that an earlier process had recorded.
        seconds: the time of this process.
    """

    scores: Scores
    images: int = 0
    errors: int = 0
    recorded: int = 0
    seconds: float = 0.0

    def __str__(self) -> str:
        new = self.images - self.recorded
        text = f"{new:,} images in {duration(self.seconds) if self.seconds >= 10 else f'{self.seconds:.1f} s'}"
        if self.seconds > 0:
            text += f", {new / self.seconds:,.0f} images/s"
        if self.recorded:
            text += f"; {self.recorded:,} were recorded before"
        return f"{text}; {self.errors:,} could not be read" if self.errors else text


def _classify(
    reader: Reader,
    all_batches: Iterator[Batch],
    decoder: Decoder,
    truth: labels.Labels | None,
    out: Output,
    progress: Progress,
) -> Tally:
    """Classify all images, and write the rows that are not recorded yet."""
    tally = Tally(Scores(reader.classes))
    began = time.perf_counter()
    recorded, remaining = _skip_recorded(all_batches, out, tally)
    progress.begin(tally.images)
    for batch, logits, errors in _compute(reader, decoder(remaining)):
        rows = _rows(batch, logits, errors, reader.classes, truth)[recorded:]
        recorded = 0
        out.write(rows)
        _count(rows, tally)
        progress.advance(tally.images)
    tally.seconds = time.perf_counter() - began
    return tally


def _compute(
    reader: Reader, decoded: Iterable[tuple[Batch, np.ndarray, dict[int, str]]]
) -> Iterator[tuple[Batch, np.ndarray, dict[int, str]]]:
    """Yield each batch with the logits of its readable images, float32 [M, classes], and error messages by row.

    A batch is computed while the caller writes the rows of the previous one.
    """

    def compute(images: np.ndarray, errors: dict[int, str]) -> np.ndarray:
        readable = np.delete(images, list(errors), axis=0) if errors else images
        return reader.logits(readable) if len(readable) else np.zeros((0, len(reader.classes)), np.float32)

    with ThreadPoolExecutor(1) as model:
        previous: tuple[Batch, Future[np.ndarray], dict[int, str]] | None = None
        for batch, images, errors in decoded:
            current = batch, model.submit(compute, images, errors), errors
            if previous:
                yield previous[0], previous[1].result(), previous[2]
            previous = current
        if previous:
            yield previous[0], previous[1].result(), previous[2]


def _skip_recorded(all_batches: Iterator[Batch], out: Output, tally: Tally) -> tuple[int, Iterator[Batch]]:
    """Skip batches whose rows are recorded, and count these rows.

    Returns:
        The number of recorded rows of the first remaining batch, and the remaining batches. Batches are not divided
        anew, so the model computes the same numbers, to the last digit, as without the interruption.

    Raises:
        RequestError: the recorded rows belong to other images.
    """
    recorded = out.recorded()
    for batch in all_batches:
        rows = list(islice(recorded, len(batch.names)))
        for row, name in zip(rows, batch.names, strict=False):
            if row[0] != name:
                raise RequestError(
                    f"row {tally.images + 1:,} of the output is {clean(row[0])}, expected {clean(name)}; --force "
                    "starts the output anew"
                )
        _count(rows, tally)
        if len(rows) < len(batch.names):
            tally.recorded = tally.images
            out.begin()
            return len(rows), chain([batch], all_batches)
    if next(recorded, None) is not None:
        raise RequestError("the output has more rows than there are images; --force starts the output anew")
    tally.recorded = tally.images
    out.begin()
    return 0, iter(())


def _count(rows: Sequence[Row], tally: Tally) -> None:
    tally.images += len(rows)
    tally.errors += sum(row[-1] is not None for row in rows)
    labelled = [
        row for row in rows if len(row) == LABELLED_COLUMNS and row[TRUE_COLUMN] is not None and row[-1] is None
    ]
    tally.scores.add([row[TRUE_COLUMN] for row in labelled], [row[1] for row in labelled])


def _rows(
    batch: Batch,
    logits: np.ndarray,
    errors: dict[int, str],
    classes: Sequence[str],
    truth: labels.Labels | None,
) -> list[Row]:
    """Return the rows of a batch, with cells in the order of `rows.columns`."""
    readable = [i for i in range(len(batch.names)) if i not in errors]
    finite = np.isfinite(logits).all(axis=1)
    if not finite.all():
        errors = {readable[i]: NOT_FINITE for i in np.flatnonzero(~finite).tolist()} | errors
        readable = [i for i, is_finite in zip(readable, finite, strict=True) if is_finite]
        logits = logits[finite]
    predictions: list[list[Any]] = [[None] * len(batch.names) for _ in PREDICTION_COLUMNS]
    for cells, values in zip(predictions, _best_classes(logits, classes), strict=False):
        for i, value in zip(readable, values, strict=True):
            cells[i] = value
    truth_columns: list[list[Any]] = []
    if truth:
        true = [None if label is None else classes[label] for label in truth.of(batch)]
        correct = [
            None if label is None or predicted is None else label == predicted
            for label, predicted in zip(true, predictions[0], strict=True)
        ]
        truth_columns = [true, correct]
    messages = [errors.get(i) for i in range(len(batch.names))]
    return list(zip(batch.names, *predictions, *truth_columns, messages, strict=True))


def _best_classes(logits: np.ndarray, classes: Sequence[str]) -> Iterator[list[Any]]:
    """Yield the best classes and their probabilities in turn, three of each: a list with a value for each image.

    They are ordered by logit. Of equal logits, the first class comes first, as for the recorded accuracy of a run.
    """
    from fitbench.tasks import softmax

    order = np.argsort(-logits, axis=1, kind="stable")[:, : len(PREDICTION_COLUMNS) // 2]
    probabilities = np.take_along_axis(softmax(logits), order, axis=1)
    for positions, shares in zip(order.T.tolist(), probabilities.T.tolist(), strict=True):
        yield [classes[i] for i in positions]
        yield shares


# -- output -----------------------------------------------------------------------------------------------------------


def _report_scores(tally: Tally, confusion: Path | None, run_id: str, out: Console) -> None:
    """Print the accuracy and the metrics per class, and draw the confusion matrix.

    Raises:
        FitbenchError: no readable image has a label.
    """
    labelled = tally.scores.images
    if not labelled:
        raise FitbenchError("--labels: none of the readable images has a label; compare the paths")
    if labelled < tally.images:
        _write_notice(f"{tally.images - labelled:,} images have no label or could not be read; they do not count")
    with writing(None):
        tally.scores.show(out)
    if confusion is not None:
        tally.scores.draw(confusion, f"{run_id}, {labelled:,} images")
        _write_notice(f"drew {clean(confusion)}")


def _stderr() -> Console:
    from rich.console import Console

    return Console(stderr=True, markup=False, emoji=False, highlight=False)


def _write_notice(text: str) -> None:
    sys.stderr.write(f"fitbench: {text}\n")
