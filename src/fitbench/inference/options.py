"""The options of `fitbench predict`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fitbench.errors import RequestError
from fitbench.kinds import KINDS, TABLE

OF_IMAGES = ("prepare", "labels", "confusion", "array", "null")


@dataclass(frozen=True, kw_only=True)
class Options:
    """The options of a prediction.

    Attributes:
        prepare: auto or none; None for the default of the run.
        labels_from: the true classes: a CSV file of paths and labels, or `folder` for the names of the folders.
        confusion: a PNG file for the confusion matrix. It needs `labels_from`.
        array: the array of an .npz that holds the examples.
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


def refuse_options(options: Options, kind: str, taken: Sequence[str] = ()) -> None:
    """Refuse options for images where the examples are of another kind, but for those that are `taken`.

    Raises:
        RequestError: an option is set.
    """
    for name in OF_IMAGES:
        if name not in taken and getattr(options, "labels_from" if name == "labels" else name):
            plural = KINDS[kind].plural
            scored = "a table" if kind == TABLE else plural
            advice = f"; fitbench evaluate scores {scored}" if name in ("labels", "confusion") else ""
            raise RequestError(f"--{name} is for images; the run takes {plural}{advice}")
