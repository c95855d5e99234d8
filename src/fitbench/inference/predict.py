"""`fitbench predict`: a run's model reads image files, however many, and writes what it reads as it goes."""

from __future__ import annotations

import hashlib
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fitbench.errors import FitbenchError, RequestError
from fitbench.inference import answers, labels, row_files
from fitbench.inference.answers import Output, Row
from fitbench.inference.decoding import Decoder
from fitbench.inference.parquet import Parquet
from fitbench.inference.prepare import Prepare, usual
from fitbench.inference.reader import Reader, open_run
from fitbench.inference.row_files import Lines, writing
from fitbench.inference.score import Scores
from fitbench.inference.sources import Batch, Broken, Rows, Sources, batches
from fitbench.inference.table import Table
from fitbench.record import reading
from fitbench.text import check_format, clean, console, duration
from fitbench.training.progress import notice

if TYPE_CHECKING:
    from rich.console import Console

TRUE, LABELLED = 7, 10  # where the true class stands in a row that has one, and how long such a row is
NO_NUMBER = "the model's answer is no number"
TOLD = {
    Prepare.auto: "each digit is made to look like MNIST's",
    Prepare.none: "images are resized if need be, and no more",
}


def predict(
    run: str,
    images: Sequence[str],
    *,
    prepare: str | None = None,
    labels_from: str | None = None,
    confusion: Path | None = None,
    array: str | None = None,
    format: str | None = None,
    output: Path | None = None,
    resume: bool = False,
    force: bool = False,
    batch_size: int | None = None,
    workers: int | None = None,
    null: bool = False,
    trust: bool = False,
    outputs: Path = Path("outputs"),
) -> int:
    """Classify images with the model of a finished run.

    Args:
        run: a run folder, a run_id, or an unambiguous part of one, looked for in `outputs`.
        images: files, folders, globs, or `-` for paths on stdin.
        prepare: auto or none; None for what suits the run.
        labels_from: where the true classes are from: a CSV file, an array file, or `folder`.
        confusion: a PNG to draw, with `labels_from`.
        array: which array of an .npz holds the images.
        format: table, csv, json (an object per line) or parquet; None for what the name of `output` says, or a table.
        output: the file to write; None for stdout.
        resume: go on with `output` where it was interrupted.
        force: replace `output` and `confusion`.
        batch_size: images that the model computes at a time.
        workers: processes that decode images; 0 for none, None for as many as there are cores if there are many images.
        null: paths on stdin end with null characters.
        trust: load a model with code of its own.
        outputs: where runs are looked for.

    Returns:
        0, or 1 if an image could not be read.

    Raises:
        RequestError: the request is wrong; see there for what.
        FitbenchError: the run or the output cannot be used.
    """
    format = _format(format, output, resume)
    if resume and force:
        raise RequestError("--resume and --force are of different minds; expected one of them")
    wanted = _prepare(prepare)
    if confusion is not None and (labels_from is None or confusion.suffix.lower() != ".png"):
        raise RequestError("--confusion is the name of a .png, and needs --labels")
    if confusion is not None:
        _check_confusion(confusion, resume or force)
    folder = reading.find_run(run, outputs)
    result = reading.read_result(folder)
    how = wanted or usual(result)
    sources = Sources(images, array, null)
    truth = labels.read(labels_from, result["data"]["classes"], list(sources.arrays.values())) if labels_from else None
    with ExitStack() as stack:
        names = answers.columns(truth is not None)
        out = _output(format, names, output, _made(folder, result, how, labels_from, array), resume, force)
        stack.push(lambda kind, *_: out.close(whole=kind is None))
        with notice(True, f"{result['run_id']}: loading the model"):
            reader = open_run(folder, trust)

        def how_of(source: Rows | Broken | None) -> Prepare:
            fits = isinstance(source, Rows) and source.pixels.shape[1:] == reader.shape
            return Prepare.none if (fits and wanted is None) or reader.shape[2] != 1 else how

        for way in dict.fromkeys(how_of(sources.arrays.get(argument)) for argument in images):
            _say(f"--prepare {way.value}: {TOLD[way]}")

        decoder = stack.enter_context(Decoder(reader.shape, how_of, workers))
        progress = stack.enter_context(Progress(sources.count))
        tally = _read_all(reader, batches(sources, batch_size or reader.batch_size), decoder, truth, out, progress)
    _say(tally.told())
    if truth is not None:
        _tell_scores(tally, confusion, result["run_id"], console() if output or format == "table" else _stderr())
    return 1 if tally.errors else 0


def _format(format: str | None, output: Path | None, resume: bool) -> str:
    """The format that is meant.

    Raises:
        RequestError: it is none, or not one for this output; or the output is no file.
    """
    if output is not None and output.exists() and (not output.is_file() or output.parent == Path("/dev")):
        raise RequestError(f"-o {clean(output)} is no file; leave -o out to write to stdout")
    if format is None:
        format = "table" if output is None else answers.SUFFIXES.get(output.suffix.lower())
    if format is None:
        known = ", ".join(answers.SUFFIXES)
        raise RequestError(f"-o {clean(output)}: its name says no format; expected one of {known}, or --format")
    check_format(format, answers.FORMATS)
    if format == "table" and output is not None:
        raise RequestError("--format table is for the terminal; -o needs csv, json or parquet")
    if format == "parquet" and output is None:
        raise RequestError("--format parquet needs -o FILE")
    if resume and (output is None or format == "parquet"):
        raise RequestError("--resume goes on with a file of --format csv or json, that -o names")
    return format


def _check_confusion(path: Path, replace: bool) -> None:
    """Look whether the drawing can be written, before the work that it is of.

    Raises:
        RequestError: it is there, and not to be replaced.
        FitbenchError: there is no such folder, or nothing can be written into it.
    """
    if not os.access(path.parent, os.W_OK | os.X_OK):
        why = "permission denied" if path.parent.exists() else "no such file or directory"
    elif not path.parent.is_dir():
        why = "not a directory"
    elif path.is_dir():
        why = "is a directory"
    elif path.exists() and not replace:
        raise RequestError(f"--confusion {clean(path)} is there already; --force replaces it")
    else:
        return
    raise FitbenchError(f"--confusion {clean(path)}: cannot be written ({why})")


def _prepare(text: str | None) -> Prepare | None:
    if text is None:
        return None
    try:
        return Prepare(text)
    except ValueError:
        raise RequestError(f"--prepare is {text!r}; it must be auto or none") from None


def _output(
    format: str, names: Sequence[str], path: Path | None, made: dict[str, Any], resume: bool, force: bool
) -> Output:
    if format == "table":
        return Table(names)
    if format == "parquet":
        assert path is not None
        return Parquet(names, path, made, force)
    return Lines(names, format, path, made, resume, force)


def _made(
    folder: Path, result: dict[str, Any], how: Prepare, labels_from: str | None, array: str | None
) -> dict[str, Any]:
    """What decides about the rows of an output, to be kept with them."""
    model = folder / "model.keras"
    return {
        "schema": row_files.SCHEMA,
        "run_id": result["run_id"],
        "model_sha256": hashlib.sha256(model.read_bytes()).hexdigest() if model.is_file() else None,
        "prepare": how.value,
        "labels": labels_from,
        "array": array,
    }


# -- the work ---------------------------------------------------------------------------------------------------------


@dataclass
class Tally:
    """What was read: `recorded` images before this process, the others in it."""

    scores: Scores
    images: int = 0
    errors: int = 0
    recorded: int = 0
    seconds: float = 0.0

    def told(self) -> str:
        """One line about it."""
        new = self.images - self.recorded
        text = f"{new:,} images in {duration(self.seconds) if self.seconds >= 10 else f'{self.seconds:.1f} s'}"
        if self.seconds > 0:
            text += f", {new / self.seconds:,.0f} images/s"
        if self.recorded:
            text += f"; {self.recorded:,} were recorded before"
        return f"{text}; {self.errors:,} could not be read" if self.errors else text


def _read_all(
    reader: Reader,
    all_batches: Iterator[Batch],
    decoder: Decoder,
    truth: labels.Labels | None,
    out: Output,
    progress: Progress,
) -> Tally:
    """Read every image, and write the rows that are not recorded yet."""
    tally = Tally(Scores(reader.classes))
    began = time.perf_counter()
    skipped, left = _go_on(all_batches, out, tally)
    progress.begin(tally.images)
    for batch, logits, errors in _computed(reader, decoder(left)):
        rows = _rows(batch, logits, errors, reader.classes, truth)[skipped:]
        skipped = 0
        out.write(rows)
        _count(rows, tally)
        progress.advance(tally.images)
    tally.seconds = time.perf_counter() - began
    return tally


def _computed(
    reader: Reader, decoded: Iterable[tuple[Batch, np.ndarray, dict[int, str]]]
) -> Iterator[tuple[Batch, np.ndarray, dict[int, str]]]:
    """The same with the outputs for the images that could be read, computed while the batch before is written."""

    def compute(images: np.ndarray, errors: dict[int, str]) -> np.ndarray:
        good = np.delete(images, list(errors), axis=0) if errors else images
        return reader.logits(good) if len(good) else np.zeros((0, len(reader.classes)), np.float32)

    with ThreadPoolExecutor(1) as model:
        last: tuple[Batch, Future[np.ndarray], dict[int, str]] | None = None
        for batch, images, errors in decoded:
            begun = batch, model.submit(compute, images, errors), errors
            if last:
                yield last[0], last[1].result(), last[2]
            last = begun
        if last:
            yield last[0], last[1].result(), last[2]


def _go_on(all_batches: Iterator[Batch], out: Output, tally: Tally) -> tuple[int, Iterator[Batch]]:
    """The batches of which rows are missing, and how many the first of them has; recorded rows are counted.

    Batches stay what they were, so that the model computes the same numbers, to the last digit, as without the
    interruption.
    """
    recorded = out.recorded()
    for batch in all_batches:
        rows = list(islice(recorded, len(batch.names)))
        for row, name in zip(rows, batch.names, strict=False):
            if row[0] != name:
                raise RequestError(
                    f"row {tally.images + 1:,} of the output is {clean(row[0])}, where {clean(name)} is expected now; "
                    "--force begins it anew"
                )
        _count(rows, tally)
        if len(rows) < len(batch.names):
            tally.recorded = tally.images
            out.begin()
            return len(rows), chain([batch], all_batches)
    if next(recorded, None) is not None:
        raise RequestError("the output has rows of more images than there are; --force begins it anew")
    tally.recorded = tally.images
    out.begin()
    return 0, iter(())


def _count(rows: Sequence[Row], tally: Tally) -> None:
    tally.images += len(rows)
    tally.errors += sum(row[-1] is not None for row in rows)
    labelled = [row for row in rows if len(row) == LABELLED and row[TRUE] is not None and row[-1] is None]
    tally.scores.add([row[TRUE] for row in labelled], [row[1] for row in labelled])


def _rows(
    batch: Batch,
    logits: np.ndarray,
    errors: dict[int, str],
    classes: Sequence[str],
    truth: labels.Labels | None,
) -> list[Row]:
    """What the model says of each image, in the order of `answers.columns`."""
    good = [i for i in range(len(batch.names)) if i not in errors]
    finite = np.isfinite(logits).all(axis=1)
    if not finite.all():
        errors = {good[i]: NO_NUMBER for i in np.flatnonzero(~finite).tolist()} | errors
        good = [i for i, number in zip(good, finite, strict=True) if number]
        logits = logits[finite]
    answered: list[list[Any]] = [[None] * len(batch.names) for _ in answers.ANSWERS]
    for cells, values in zip(answered, _best(logits, classes), strict=False):
        for i, value in zip(good, values, strict=True):
            cells[i] = value
    known: list[list[Any]] = []
    if truth:
        true = [None if label is None else classes[label] for label in truth.of(batch)]
        right = [
            None if label is None or read is None else label == read
            for label, read in zip(true, answered[0], strict=True)
        ]
        known = [true, right]
    wrong = [errors.get(i) for i in range(len(batch.names))]
    return list(zip(batch.names, *answered, *known, wrong, strict=True))


def _best(logits: np.ndarray, classes: Sequence[str]) -> Iterator[list[Any]]:
    """The three best classes and their probabilities, in turn: a list with a value for each image.

    They are ordered by logit, the first of equal ones before the others, as for a run's recorded accuracy.
    """
    from fitbench.tasks import softmax

    order = np.argsort(-logits, axis=1, kind="stable")[:, : len(answers.ANSWERS) // 2]
    probabilities = np.take_along_axis(softmax(logits), order, axis=1)
    for best, shares in zip(order.T.tolist(), probabilities.T.tolist(), strict=True):
        yield [classes[i] for i in best]
        yield shares


# -- what is said -----------------------------------------------------------------------------------------------------


class Progress:
    """A live line on stderr, if it is a terminal: images, how many per second, time left.

    Args:
        count: gives how many images there are, which may take long, or None.
    """

    def __init__(self, count: Callable[[], int | None]) -> None:
        self.count = count
        self.bar: Any = None

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        if self.bar:
            self.bar.stop()

    def begin(self, images: int) -> None:
        """The first images are about to be read, behind so many that were recorded."""
        if not sys.stderr.isatty():
            return
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        columns = (
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
        )
        self.bar = Bar(*columns, console=Console(stderr=True), transient=True, refresh_per_second=4)
        self.task = self.bar.add_task("", total=None, completed=images, rate="")
        self.first, self.began = images, time.perf_counter()
        self.bar.start()
        threading.Thread(target=self._count, daemon=True).start()

    def _count(self) -> None:
        self.bar.update(self.task, total=self.count())

    def advance(self, images: int) -> None:
        """So many images are done."""
        if self.bar:
            rate = (images - self.first) / max(time.perf_counter() - self.began, 1e-9)
            self.bar.update(self.task, completed=images, rate=f"{rate:,.0f} images/s")


def _tell_scores(tally: Tally, confusion: Path | None, run_id: str, out: Console) -> None:
    """Print how right the model is, and draw its confusions.

    Raises:
        FitbenchError: no image that was read has a label.
    """
    labelled = tally.scores.images
    if not labelled:
        raise FitbenchError("--labels: none of the images that could be read has a label there; compare the paths")
    if labelled < tally.images:
        _say(f"{tally.images - labelled:,} images have no label, or could not be read; they do not count")
    with writing(None):
        tally.scores.show(out)
    if confusion is not None:
        tally.scores.draw(confusion, f"{run_id}, {labelled:,} images")
        _say(f"drew {clean(confusion)}")


def _stderr() -> Console:
    from rich.console import Console

    return Console(stderr=True, markup=False, emoji=False, highlight=False)


def _say(text: str) -> None:
    sys.stderr.write(f"fitbench: {text}\n")
