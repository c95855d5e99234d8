"""The true classes of images: from a CSV file, or from the names of folders."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from fitbench.data.image_paths import nfc
from fitbench.errors import DataError, RequestError
from fitbench.inference.sources import Batch
from fitbench.text import clean

FOLDER = "folder"
LABEL_COLUMNS = ("true", "label")  # the first that is in the file counts; `fitbench predict` writes both

Labels = Callable[[Batch], list[str | None]]  # returns the true class of each image of a batch; None without a label


def read(text: str, names: Sequence[str]) -> Labels:
    """Read the labels of --labels. Classes and paths are compared in NFC; see `image_paths.nfc`.

    Args:
        text: a CSV file with the columns path and label, or `folder`.
        names: the names of the model's classes.

    Raises:
        RequestError: there is no such file, it lacks a column, or it has labels that are not classes.
        DataError: the file cannot be read.
    """
    classes = {nfc(name): name for name in names}
    if text == FOLDER:
        return lambda batch: [None if batch.pixels is not None else _folder(name, classes) for name in batch.names]
    path = Path(text)
    if not path.is_file():
        raise RequestError(f"--labels is {clean(text)!r}; expected a CSV file of paths and labels, or {FOLDER}")
    try:
        by_path = _read_csv(path, classes)
    except (OSError, csv.Error) as error:
        raise DataError(f"{clean(path)}: cannot be read as CSV ({clean(error)})") from error

    def find(name: str) -> str | None:
        """Find the class of an image whose path, or whose path from the folder of the CSV file, is in the file."""
        spellings = (os.path.normpath(name), os.path.relpath(name, path.parent), os.path.abspath(name))  # noqa: PTH100
        return next((by_path[spelling] for spelling in map(nfc, spellings) if spelling in by_path), None)

    return lambda batch: list(map(find, batch.names))


def _folder(name: str, classes: Mapping[str, str]) -> str | None:
    return classes.get(nfc(Path(name).absolute().parent.name))


def _read_csv(path: Path, classes: Mapping[str, str]) -> dict[str, str]:
    """Read classes by path from a CSV file with a header. The classes are given by their names in NFC."""
    by_path: dict[str, str] = {}
    with path.open(newline="", encoding="utf-8-sig", errors="surrogateescape") as file:
        rows = csv.DictReader(file, restval="")
        names = rows.fieldnames or ()
        column = next((name for name in LABEL_COLUMNS if name in names), None)
        if "path" not in names or column is None:
            raise RequestError(
                f"{clean(path)}: the first line is {clean(','.join(names))!r:.80}; expected the columns path and label"
            )
        for row in rows:
            label = nfc(row[column].strip())
            if label and label not in classes:
                where, allowed = f"{clean(path)}, line {rows.line_num}", clean(", ".join(classes))
                raise RequestError(f"{where}: {clean(label)!r:.60} is not a class of the run ({allowed:.200})")
            if label:
                by_path[nfc(os.path.normpath(row["path"]))] = classes[label]
    if not by_path:
        raise RequestError(f"{clean(path)}: has no labels; expected lines with a path and a label")
    return by_path
