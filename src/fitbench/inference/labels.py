"""The true classes of images: from a CSV file, from the names of folders, or from an array."""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from fitbench.errors import DataError, RequestError
from fitbench.inference import arrays
from fitbench.inference.sources import Batch, Broken, Rows
from fitbench.text import clean

FOLDER = "folder"
PATH_HEADERS = ("path", "file", "filename", "image", "name")
LABEL_HEADERS = ("true", "label", "class")
MESSAGE_CLASSES = 12  # a message lists at most this many


class Labels:
    """The true classes of images: by path, by row of an array, or by folder.

    Args:
        classes: the names of the model's classes.
        by_path: positions in the classes by path, from a CSV file.
        csv_folder: the folder of the CSV file. Paths in the file may be relative to it.
        by_row: positions in the classes by row of an array, int [N].
    """

    def __init__(
        self,
        classes: Sequence[str],
        by_path: Mapping[str, int] | None = None,
        csv_folder: Path = Path(),
        by_row: np.ndarray | None = None,
    ) -> None:
        self.classes = {name: i for i, name in enumerate(classes)}
        self.by_path = by_path
        self.csv_folder = csv_folder
        self.by_row = by_row

    def of(self, batch: Batch) -> list[int | None]:
        """Return the true class of each image of a batch, as a position in the classes; None if it has no label."""
        if self.by_path is not None:
            return [self._find_path(name) for name in batch.names]
        if batch.source is None and self.by_row is None:
            return [self.classes.get(Path(name).absolute().parent.name) for name in batch.names]
        if isinstance(batch.source, Rows) and self.by_row is not None:
            return self.by_row[batch.start : batch.start + len(batch.names)].tolist()
        return [None] * len(batch.names)

    def _find_path(self, name: str) -> int | None:
        assert self.by_path is not None
        label = self.by_path.get(os.path.normpath(name))
        if label is None:
            label = self.by_path.get(os.path.relpath(name, self.csv_folder))
        return self.by_path.get(os.path.abspath(name)) if label is None else label  # noqa: PTH100


def read(text: str, classes: Sequence[str], sources: Sequence[Rows | Broken]) -> Labels:
    """Read the labels of --labels.

    Args:
        text: a CSV file of paths and labels, an array file with a label for each row, or `folder`.
        classes: the names of the model's classes.
        sources: the array files whose images are classified.

    Raises:
        RequestError: there is no such file, or its labels do not match the images or the classes.
        DataError: the file cannot be read.
    """
    path = Path(text)
    if text == FOLDER:
        return Labels(classes)
    if not path.is_file():
        raise RequestError(f"--labels is {clean(text)!r}; expected a CSV file, an array file, or {FOLDER}")
    if arrays.kind(path) is None:
        return Labels(classes, by_path=_read_csv(path, classes), csv_folder=path.parent)
    rows = [source for source in sources if isinstance(source, Rows)]
    if len(rows) != 1:
        raise RequestError(
            f"--labels {clean(text)}: labels in an array need images in exactly one array; found {len(rows)}"
        )
    labels = arrays.read_labels(path, rows[0].key)
    if len(labels) != len(rows[0].pixels):
        raise RequestError(f"--labels {clean(text)}: {len(labels):,} labels for {len(rows[0].pixels):,} images")
    return Labels(classes, by_row=_positions(labels, classes, text))


def _positions(labels: np.ndarray, classes: Sequence[str], text: str) -> np.ndarray:
    """Convert labels, strings or whole numbers [N], to positions in the classes, int64 [N]."""
    if labels.dtype.kind != "U":
        if len(labels) and not 0 <= labels.min() <= labels.max() < len(classes):
            raise RequestError(
                f"--labels {clean(text)}: labels from {labels.min()} to {labels.max()}; the run has {len(classes)} "
                f"classes, from 0 to {len(classes) - 1}"
            )
        return labels.astype(np.int64)
    positions = {name: i for i, name in enumerate(classes)}
    names, rows = np.unique(labels, return_inverse=True)
    for name in names:
        if name not in positions:
            raise RequestError(
                f"--labels {clean(text)}: {clean(name)!r} is not a class of the run, {_describe(classes)}"
            )
    return np.array([positions[name] for name in names], np.int64)[rows]


def _read_csv(path: Path, classes: Sequence[str]) -> dict[str, int]:
    """Read positions in the classes by path from a CSV file, with or without a header."""
    positions = {name: i for i, name in enumerate(classes)}
    by_path: dict[str, int] = {}
    path_column, label_column = 0, 1
    try:
        with path.open(newline="", encoding="utf-8-sig", errors="surrogateescape") as file:
            lines = csv.reader(file)
            for row in lines:
                if lines.line_num == 1 and (header := _header(row)):
                    path_column, label_column = header
                    continue
                if not row:
                    continue
                if len(row) <= max(path_column, label_column):
                    raise RequestError(f"{clean(path)}, line {lines.line_num}: expected a path and a label")
                label = row[label_column].strip()
                if not label:
                    continue
                if label not in positions:
                    raise RequestError(
                        f"{clean(path)}, line {lines.line_num}: {clean(label)!r:.60} is not a class of the run, "
                        f"{_describe(classes)}"
                    )
                by_path[os.path.normpath(row[path_column])] = positions[label]
    except (OSError, csv.Error, UnicodeDecodeError) as error:
        raise DataError(f"{clean(path)}: cannot be read as CSV ({clean(error)})") from error
    if not by_path:
        raise RequestError(f"{clean(path)}: has no labels; expected lines with a path and a label")
    return by_path


def _header(row: Sequence[str]) -> tuple[int, int] | None:
    """Return the columns of paths and labels if a row is a header, else None."""
    cells = [cell.strip().lower() for cell in row]
    paths = [cells.index(header) for header in PATH_HEADERS if header in cells]
    labels = [cells.index(header) for header in LABEL_HEADERS if header in cells]
    return (paths[0], labels[0]) if paths and labels else None


def _describe(classes: Sequence[str]) -> str:
    more = f" and {len(classes) - MESSAGE_CLASSES} more" if len(classes) > MESSAGE_CLASSES else ""
    return f"whose classes are {', '.join(map(clean, classes[:MESSAGE_CLASSES]))}{more}"
