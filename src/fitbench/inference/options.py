"""The options of `fitbench predict`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


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
        batch_size: examples that are read and written at a time.
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
