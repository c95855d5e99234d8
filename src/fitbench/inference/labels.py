"""What images really show: labels from a CSV file, from the names of folders, or from an array."""

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
PATH_HEADS = ("path", "file", "filename", "image", "name")
LABEL_HEADS = ("true", "label", "class")
NAMED = 12  # classes that a message lists


class Labels:
    """The true class of images, where it is known: by their path, by their row in an array, or by their folder.

    Args:
        classes: the names of the model's classes.
        by_path: of a CSV file, the position in the classes by path.
        beside: the folder of the CSV file; paths in it may be meant from there.
        by_row: the positions in the classes of an array's rows, int [N].
    """

    def __init__(
        self,
        classes: Sequence[str],
        by_path: Mapping[str, int] | None = None,
        beside: Path = Path(),
        by_row: np.ndarray | None = None,
    ) -> None:
        self.classes = {name: i for i, name in enumerate(classes)}
        self.by_path = by_path
        self.beside = beside
        self.by_row = by_row

    def of(self, batch: Batch) -> list[int | None]:
        """The true class of each image of a batch, as a position in the classes; None where it is not known."""
        if self.by_path is not None:
            return [self._in_csv(name) for name in batch.names]
        if batch.source is None and self.by_row is None:
            return [self.classes.get(Path(name).absolute().parent.name) for name in batch.names]
        if isinstance(batch.source, Rows) and self.by_row is not None:
            return self.by_row[batch.start : batch.start + len(batch.names)].tolist()
        return [None] * len(batch.names)

    def _in_csv(self, name: str) -> int | None:
        assert self.by_path is not None
        found = self.by_path.get(os.path.normpath(name))
        if found is None:
            found = self.by_path.get(os.path.relpath(name, self.beside))
        return self.by_path.get(os.path.abspath(name)) if found is None else found  # noqa: PTH100


def read(text: str, classes: Sequence[str], found: Sequence[Rows | Broken]) -> Labels:
    """The labels that --labels names.

    Args:
        text: a CSV file of paths and labels, an array file with a label for each row, or `folder`.
        classes: the names of the model's classes.
        found: the arrays whose images are read.

    Raises:
        RequestError: there is no such file, or it has labels for something else.
        DataError: the file cannot be read.
    """
    path = Path(text)
    if text == FOLDER:
        return Labels(classes)
    if not path.is_file():
        raise RequestError(f"--labels is {clean(text)!r}; expected a CSV file, an array file, or {FOLDER}")
    if arrays.kind(path) is None:
        return Labels(classes, by_path=_read_csv(path, classes), beside=path.parent)
    rows = [one for one in found if isinstance(one, Rows)]
    if len(rows) != 1:
        raise RequestError(f"--labels {clean(text)}: labels in an array are those of the images in one other")
    labels = arrays.read_labels(path, rows[0].key)
    if len(labels) != len(rows[0].pixels):
        raise RequestError(f"--labels {clean(text)}: {len(labels):,} labels for {len(rows[0].pixels):,} images")
    return Labels(classes, by_row=_positions(labels, classes, text))


def _positions(labels: np.ndarray, classes: Sequence[str], text: str) -> np.ndarray:
    """Labels, texts or numbers [N], as positions in the classes."""
    if labels.dtype.kind != "U":
        if len(labels) and not 0 <= labels.min() <= labels.max() < len(classes):
            raise RequestError(
                f"--labels {clean(text)}: labels from {labels.min()} to {labels.max()}; the run has {len(classes)} "
                f"classes, from 0 to {len(classes) - 1}"
            )
        return labels.astype(np.int64)
    known = {name: i for i, name in enumerate(classes)}
    names, where = np.unique(labels, return_inverse=True)
    for name in names:
        if name not in known:
            raise RequestError(f"--labels {clean(text)}: {clean(name)!r} is no class of the run, {_listed(classes)}")
    return np.array([known[name] for name in names], np.int64)[where]


def _read_csv(path: Path, classes: Sequence[str]) -> dict[str, int]:
    """The position in the classes of each path of a CSV file, with a header or without one."""
    known = {name: i for i, name in enumerate(classes)}
    found: dict[str, int] = {}
    path_at, label_at = 0, 1
    try:
        with path.open(newline="", encoding="utf-8-sig", errors="surrogateescape") as file:
            lines = csv.reader(file)
            for row in lines:
                if lines.line_num == 1 and (header := _header(row)):
                    path_at, label_at = header
                    continue
                if not row:
                    continue
                if len(row) <= max(path_at, label_at):
                    raise RequestError(f"{clean(path)}, line {lines.line_num}: expected a path and a label")
                label = row[label_at].strip()
                if not label:
                    continue
                if label not in known:
                    raise RequestError(
                        f"{clean(path)}, line {lines.line_num}: {clean(label)!r:.60} is no class of the run, "
                        f"{_listed(classes)}"
                    )
                found[os.path.normpath(row[path_at])] = known[label]
    except (OSError, csv.Error, UnicodeDecodeError) as error:
        raise DataError(f"{clean(path)}: cannot be read as CSV ({clean(error)})") from error
    if not found:
        raise RequestError(f"{clean(path)}: has no labels; expected lines with a path and a label")
    return found


def _header(row: Sequence[str]) -> tuple[int, int] | None:
    """Where paths and labels stand, if a row is a header."""
    heads = [cell.strip().lower() for cell in row]
    paths = [heads.index(head) for head in PATH_HEADS if head in heads]
    labels = [heads.index(head) for head in LABEL_HEADS if head in heads]
    return (paths[0], labels[0]) if paths and labels else None


def _listed(classes: Sequence[str]) -> str:
    more = f" and {len(classes) - NAMED} more" if len(classes) > NAMED else ""
    return f"whose classes are {', '.join(map(clean, classes[:NAMED]))}{more}"
