"""A table in a file, as a run of a table is evaluated on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fitbench.config import FileData, Source, expanded
from fitbench.data.dataset import sha256_of
from fitbench.data.image_paths import nfc
from fitbench.data.table import weights_of
from fitbench.data.table_columns import Unseen
from fitbench.errors import DataError, RequestError
from fitbench.inference.card import replaces_missing
from fitbench.inference.evaluated import WHOLE, EvaluatedRun, OtherData, is_same, shorten
from fitbench.inference.table_examples import encode, read_columns
from fitbench.inference.table_targets import targets_of
from fitbench.record.dataset import Column
from fitbench.stderr import write_note
from fitbench.text import clean
from fitbench.training.progress import notice

if TYPE_CHECKING:
    from pandas import DataFrame

KEYS = ("data.path", "data.name", "data.target")  # that say which table is evaluated; others say how it is read


@dataclass(frozen=True)
class OtherTable:
    """A table that is asked for.

    Attributes:
        run: that is evaluated.
        values: of the overrides, by their keys.
    """

    run: EvaluatedRun
    values: Mapping[str, Any]

    @property
    def path(self) -> str:
        """The file, which is that of the run if no other is asked for; empty if the run has none."""
        return str(self.values.get("data.path") or getattr(self.run.config.data, "path", ""))

    def own(self) -> FileData | None:
        """The data set of the run if this is its file; else None.

        Raises:
            RequestError: the request is wrong.
        """
        if others := [key for key in self.values if key not in KEYS]:
            raise RequestError(
                f"{others[0]}: not allowed here; a table is read as the run read its own. Allowed are {', '.join(KEYS)}"
            )
        own, targets = self.run.config.data, self._target_columns(self.values.get("data.target"))
        if taken := [column.name for column in self.run.inputs.columns if column.name in targets]:
            raise RequestError(f"data.target is {clean(taken[0])}, which is an input of the model; name a target")
        if not (isinstance(own, FileData) and self.path and is_same(self.path, own.path)):
            return None
        if targets != (recorded := self._target_columns(None)):
            raise RequestError(
                f"data.target is {shorten(targets)}, and {own.path} is the file of the run, whose target is "
                f"{shorten(recorded)}; leave data.target out"
            )
        return own.model_copy(update={"name": str(self.values.get("data.name") or own.name)})

    def read(self, part: str) -> OtherData:
        """Read all rows of a file that is not that of the run.

        Raises:
            RequestError: the part is not 'test', no file is named, or it lacks a column.
            DataError: the file is missing or damaged, or a value is not what the run takes.
        """
        run, path, values = self.run, self.path, self.values
        if part != "test":
            raise RequestError(f"--part {part}: {path} is not the data of the run, and has no parts; leave --part out")
        if not path:
            raise RequestError("data.path is missing; expected a CSV, TSV or Parquet file")
        path = str(Path(expanded(path)).absolute())
        columns = self._target_columns(values.get("data.target"))
        with notice(True, f"reading {path}"):
            frame = read_columns(path, run.inputs.columns, columns)
            inputs, errors = encode(frame, run.inputs.columns, path, replaces_missing(run.result))
        if errors:
            first = min(errors)
            more = f", and {len(errors) - 1:,} more rows" if len(errors) > 1 else ""
            raise DataError(f"{path}: row {first + 1}: {errors[first]}{more}")
        unseen = Unseen(run.inputs.columns)
        unseen.add(inputs)
        if str(unseen):
            write_note(str(unseen))
        targets, weights = targets_of(frame, columns, run.task, run.names, path), self._weights(frame, path)
        about = {
            "name": str(values.get("data.name") or Path(path).stem),
            "source": Source.csv.value,
            "path": path,
            "sha256": sha256_of(inputs, targets, *([] if weights is None else [weights])),
            run.task.names_key: list(run.names),
            "skipped": 0,
            "part": WHOLE,
            "count": len(targets),
            "matched": "name" if run.task.has_classes or columns == list(run.names) else "position",
        }
        return OtherData(inputs, targets, weights, path, about)

    def _target_columns(self, asked: Any) -> list[str]:
        """The columns that hold the targets: those that are asked for, or as the run had them."""
        target = asked or getattr(self.run.config.data, "target", None)
        if target is None and not self.run.task.has_classes:
            target = list(self.run.names)
        if target is None:
            raise RequestError("data.target is missing; expected the column that holds the classes")
        columns = [str(target)] if isinstance(target, str) else list(map(str, target))
        is_any_name = len(columns) == 1 and (self.run.task.has_classes or len(self.run.names) == 1)
        return columns if is_any_name else in_order(columns, self.run.names)

    def _weights(self, frame: DataFrame, path: str) -> np.ndarray | None:
        """The weights of the rows, float32 [N], if the run has a column of weights that the table has too."""
        name = getattr(self.run.config.data, "weight", None)
        if name is None or name not in frame.columns:
            return None
        weights = weights_of(frame, name, path)
        if not weights.any():
            raise DataError(f"{path}: all weights in the column {clean(name)} are 0; expected one above 0")
        return weights


def in_order(columns: Sequence[str], names: Sequence[str], found: str = "data.target is") -> list[str]:
    """Several columns of targets in the order of the names of the run. `found` begins the message about other names.

    Raises:
        RequestError: they have other names.
    """
    by_name = {nfc(column): column for column in columns}
    if len(columns) != len(names) or by_name.keys() != set(map(nfc, names)):
        raise RequestError(
            f"{found} {shorten(columns)}; expected the outputs of the run by their names, {shorten(names)}"
        )
    return [by_name[nfc(name)] for name in names]


def recoded(rows: np.ndarray, theirs: Sequence[Column], own: Sequence[Column], source: str) -> np.ndarray:
    """Rows, float32 [N, columns], with the columns of the run in its order, and the codes of its vocabularies.

    Raises:
        RequestError: a column is missing, or holds categories in place of numbers or the reverse.
    """
    by_name = {column.name: place for place, column in enumerate(theirs)}
    recoded = np.empty((len(rows), len(own)), np.float32)
    for place, column in enumerate(own):
        found = by_name.get(column.name)
        if found is None or theirs[found].kind != column.kind:
            problem = "lacks the column" if found is None else f"holds other values than a {column.kind} in the column"
            raise RequestError(f"{source}: {problem} {clean(column.name)}, which the run takes")
        values = rows[:, found]
        if column.kind == "category":
            codes = {name: code for code, name in enumerate(column.vocabulary or (), start=1)}
            of_theirs = [0, *(codes.get(name, 0) for name in theirs[found].vocabulary or ())]
            values = np.array(of_theirs, np.float32)[values.astype(np.int64)]
        recoded[:, place] = values
    return recoded
