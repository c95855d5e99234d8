"""The true classes of images: from a CSV file, or from the names of folders."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from fitbench.errors import DataError, RequestError
from fitbench.inference.sources import Batch
from fitbench.text import clean

FOLDER = "folder"
PATH_HEADERS = ("path", "file", "filename", "image", "name")
LABEL_HEADERS = ("true", "label", "class")
MESSAGE_CLASSES = 12  # a message lists at most this many

Labels = Callable[[Batch], list[str | None]]  # returns the true class of each image of a batch; None without a label


def read(text: str, classes: Sequence[str]) -> Labels:
    """Read the labels of --labels.

    Args:
        text: a CSV file of paths and labels, or `folder`.
        classes: the names of the model's classes.

    Raises:
        RequestError: there is no such file, or it has labels that are not classes.
        DataError: the file cannot be read.
    """
    path = Path(text)
    if text == FOLDER:
        return lambda batch: _from_folders(batch, classes)
    if not path.is_file():
        raise RequestError(f"--labels is {clean(text)!r}; expected a CSV file of paths and labels, or {FOLDER}")
    by_path = _read_csv(path, classes)
    return lambda batch: [_find(name, by_path, path.parent) for name in batch.names]


def _from_folders(batch: Batch, classes: Sequence[str]) -> list[str | None]:
    folders = [None if batch.array else Path(name).absolute().parent.name for name in batch.names]
    return [folder if folder in classes else None for folder in folders]


def _find(name: str, by_path: Mapping[str, str], csv_folder: Path) -> str | None:
    """Find the class of an image whose path, or whose path from the folder of the CSV file, is in the file."""
    spellings = (os.path.normpath(name), os.path.relpath(name, csv_folder), os.path.abspath(name))  # noqa: PTH100
    return next((by_path[spelling] for spelling in spellings if spelling in by_path), None)


def _read_csv(path: Path, classes: Sequence[str]) -> dict[str, str]:
    """Read classes by path from a CSV file, with or without a header."""
    by_path: dict[str, str] = {}
    path_column, label_column = 0, 1
    try:
        with path.open(newline="", encoding="utf-8-sig", errors="surrogateescape") as file:
            lines = csv.reader(file)
            for row in filter(None, lines):
                where = f"{clean(path)}, line {lines.line_num}"
                if lines.line_num == 1 and (header := _header(row)):
                    path_column, label_column = header
                    continue
                if len(row) <= max(path_column, label_column):
                    raise RequestError(f"{where}: expected a path and a label")
                label = row[label_column].strip()
                if label and label not in classes:
                    names = clean(", ".join(classes[:MESSAGE_CLASSES])) + ", .." * (len(classes) > MESSAGE_CLASSES)
                    raise RequestError(f"{where}: {clean(label)!r:.60} is not a class of the run ({names})")
                if label:
                    by_path[os.path.normpath(row[path_column])] = label
    except (OSError, csv.Error) as error:
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
