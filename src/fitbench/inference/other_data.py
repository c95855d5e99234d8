"""The data that a run is evaluated on, as its model takes them and with the targets as its task has them."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fitbench.composition import Composer
from fitbench.composition.overrides import read_overrides
from fitbench.config import (
    ArrayData,
    Config,
    Data,
    FileData,
    OwnData,
    PackagedTable,
    Series,
    SeriesFiles,
    Source,
    UcrSeries,
    expanded,
)
from fitbench.data.dataset import Dataset, sha256_of
from fitbench.data.image_paths import nfc
from fitbench.data.memory import chunks
from fitbench.data.resampling import resampled
from fitbench.data.table import weights_of
from fitbench.errors import DataError, RequestError
from fitbench.inference.card import input_card, lengths_of
from fitbench.inference.table_examples import Unseen, encode, read_columns, replaces_missing
from fitbench.inference.table_targets import targets_of
from fitbench.inference.values import checked
from fitbench.kinds import IMAGES, KINDS, SERIES, TABLE, TOKENS
from fitbench.record.dataset import Column
from fitbench.record.files import exists
from fitbench.record.inputs import Inputs
from fitbench.text import clean
from fitbench.training.progress import notice

if TYPE_CHECKING:
    from pandas import DataFrame

    from fitbench.inference.reader import Reader
    from fitbench.tasks import Task

PARTS = ("test", "train")
WHOLE = "all"  # the part that all rows or series of a file are
IN_THE_MODEL = ("preprocess", "standardize")  # keys of what the model does with its inputs
OF_THE_RUN = ("lengths", "vocabulary")  # keys that the run decides
OF_DRAWING = ("data.test_fraction", "data.split_seed")  # keys that say how a test part is drawn
OF_FILE = ("data.path", "data.name", "data.target")  # keys that say which table is evaluated; others say how it is read


NOT_PARTS = ("name", "path", "inputs", "lengths", "vocabulary", *IN_THE_MODEL)  # keys that do not decide the parts


@dataclass(frozen=True, eq=False)
class OtherData:
    """N examples that a run is evaluated on.

    Attributes:
        inputs: as the model of the run takes them, [N, *shape].
        targets: as the task of the run has them, with the names of the run.
        weights: the weight of each example in the loss, float32 [N]; None: all weigh 1.
        source: the file or folder that they come from.
        about: what the record says of them.
    """

    inputs: Any
    targets: np.ndarray
    weights: np.ndarray | None
    source: str
    about: dict[str, Any]


@dataclass(frozen=True)
class Wanted:
    """What a run can be evaluated on.

    Attributes:
        config: of the run.
        task: of the run.
        names: of its outputs.
        inputs: what its model takes; see `inputs.recorded_inputs`.
        result: the content of its result.json.
    """

    config: Config
    task: Task
    names: Sequence[str]
    inputs: Inputs
    result: dict[str, Any]

    @property
    def sha256(self) -> str:
        """The checksum of its data set; see `dataset.sha256_of`."""
        return self.result["data"]["sha256"]

    @property
    def lengths(self) -> str | None:
        """See `card.lengths_of`; None for other kinds than series."""
        return lengths_of(self.result) if self.inputs.kind == SERIES else None

    @property
    def steps(self) -> int | None:
        """How long the series are that the model takes; None for other kinds."""
        return self.inputs.shape[0] if self.inputs.kind == SERIES else None

    def read(self, data: str, overrides: Sequence[str], part: str) -> OtherData:
        """Read one part of a data set, or a file of which all rows or series are evaluated.

        A table in a file need not be divided as the run's own data are: unless it is the file of the run, its columns
        and categories are those of the run, whatever else it holds. Neither need a file of series, unless a file with
        its test part belongs to it.

        Args:
            data: a choice of the group conf/data.
            overrides: overrides data.KEY=VALUE.
            part: 'test' or 'train'.

        Raises:
            RequestError: the request is wrong, the data do not have the columns or names of the run, or they are the
                data set of the run with other parts than in training.
            DataError: the data are missing or damaged.
        """
        _check(overrides)
        if self.inputs.columns and data == Source.csv.value:
            return self._of_table({each.key_or_group: each.value() for each in read_overrides(overrides)}, part)
        config = self._as_the_run(Composer().data(data, overrides))
        if config.kind not in (None, self.inputs.kind):
            raise RequestError(f"data={data}: {self._of_other_kind(config.kind)}")
        if isinstance(config, SeriesFiles) and config.test_path is None and not self._is_own(config):
            _check_whole(config.path, overrides, part)
            part = WHOLE
        return self._of_dataset(config, part)

    # -- a data set ---------------------------------------------------------------------------------------------------

    def _of_dataset(self, config: Data, part: str) -> OtherData:
        from fitbench.data.loading import load

        with notice(True, f"reading {config.name}"):
            data = load(config, self.task.name, self.steps, part == WHOLE)
        if data.sha256 != self.sha256 and self._is_own(config):
            raise RequestError(f"{data.source}: {self._difference(config)}")
        if data.kind != self.inputs.kind:
            raise RequestError(f"{data.source}: {self._of_other_kind(data.kind)}")
        inputs, targets, weights = (
            (data.x_train, data.y_train, data.w_train) if part == "train" else (data.x_test, data.y_test, data.w_test)
        )
        named, matched = self._match(data, targets)
        about = {
            "name": data.name,
            "source": config.source.value,
            "path": getattr(config, "path", None),
            "sha256": sha256_of(inputs, targets) if part == WHOLE else data.sha256,
            self.task.names_key: list(data.names),
            "skipped": len(data.skipped),
            "part": part,
            "count": len(targets),
            "matched": matched,
        }
        if self.inputs.columns:
            inputs = recoded(np.asarray(inputs), data.columns, self.inputs.columns, data.source)
        elif self.inputs.kind != IMAGES:
            inputs = self._fitted(inputs, data.source)
        return OtherData(inputs, named, weights, data.source, about)

    def _of_other_kind(self, kind: str) -> str:
        """Why examples of another kind are refused, for a message."""
        return f"has {KINDS[kind].plural}; the run takes {KINDS[self.inputs.kind].plural}"

    def _as_the_run(self, config: Data) -> Data:
        """A data set whose arrays are taken for what the run takes, and whose series are interpolated as its own."""
        if isinstance(config, ArrayData) and config.inputs is None and self.inputs.kind != TABLE:
            # The tokens of the run are checked in `_fitted`; the data set need not have the same.
            vocabulary = np.iinfo(np.int32).max if self.inputs.kind == TOKENS else None
            return config.model_copy(update={"inputs": self.inputs.kind, "vocabulary": vocabulary})
        if isinstance(config, Series):
            return config.model_copy(update={"lengths": self.lengths})
        return config

    def _fitted(self, inputs: Any, source: str) -> Any:
        """Examples of numbers, [N, ...], without values that the model does not take; series of other lengths
        interpolated if those of the run may be.

        Raises:
            RequestError: they are floats and the model takes whole numbers, or the reverse.
            DataError: the model does not take a value; the message names the first example that has one.
        """
        takes, dtype = input_card(self.inputs, self.result), np.dtype(inputs.dtype)
        if (dtype.kind == "f") != (takes["dtype"] == "float32"):
            raise RequestError(f"{source}: holds {dtype}; the model of the run takes {takes['dtype']}")
        for rows in chunks(inputs):
            _, errors = checked(np.asarray(inputs[rows]), takes)
            if errors:
                first = min(errors)
                raise DataError(f"{source}: example {rows.start + first:,} (counted from 0): {errors[first]}")
        if self.lengths is None or self.steps is None or inputs.shape[1] == self.steps:
            return inputs
        return resampled(list(np.asarray(inputs)), self.steps, self.lengths)

    def _is_own(self, config: Data) -> bool:
        """Whether a data set is that of the run, perhaps with other settings or in another state."""
        own = self.config.data
        if isinstance(own, FileData) and isinstance(config, FileData):
            return own.source is config.source and is_same(config.path, own.path)
        for kind, key in ((PackagedTable, "table"), (OwnData, "target"), (UcrSeries, "name")):
            if isinstance(own, kind) and isinstance(config, kind):
                return getattr(own, key) == getattr(config, key)
        return own.source is config.source

    def _difference(self, config: Data) -> str:
        """Why the run's own data set is not as in training, and what to do, for a message."""
        own, theirs = self.config.data.model_dump(mode="json"), config.model_dump(mode="json")
        keys = [key for key in {**own, **theirs} if key not in NOT_PARTS and theirs.get(key) != own.get(key)]
        risk = "its parts may hold examples that the model was trained on"
        if not keys:
            return (
                f"has changed since the run was trained, so that {risk}; evaluate the new examples alone, from another "
                "path, or train the run again with force=true"
            )
        of_run, asked = (
            " ".join(f"data.{key}={json.dumps(values.get(key), separators=(',', ':'))}" for key in keys)
            for values in (own, theirs)
        )
        return f"the run was trained with {of_run}; with {asked}, {risk}. Use the settings of the run"

    def _match(self, data: Dataset, targets: np.ndarray) -> tuple[np.ndarray, str]:
        """Targets in the order of the run's names, and whether these match by 'name' or 'position'.

        Names are matched in any order. If the names on one side are only the numbers 0, 1, 2, .., they are matched by
        position, and a notice says so.

        Raises:
            RequestError: the data set has other names than the run.
        """
        own, theirs, noun = list(map(nfc, self.names)), list(map(nfc, data.names)), self.task.names_key
        if len(own) != len(theirs):
            raise RequestError(
                f"{data.source}: has {len(theirs)} {noun} ({shorten(theirs)}); the run has {len(own)} ({shorten(own)})"
            )
        if set(own) == set(theirs):
            if targets.ndim == 1:
                return np.array([own.index(name) for name in theirs], np.int32)[targets], "name"
            return targets[:, [theirs.index(name) for name in own]], "name"
        if [str(i) for i in range(len(own))] not in (own, theirs):
            unknown = [name for name in theirs if name not in own]
            raise RequestError(
                f"{data.source}: its {noun} {shorten(unknown)} are not {noun} of the run ({shorten(own)}); rename them"
            )
        sys.stderr.write(
            f"fitbench: {noun} are matched by position: {data.name} has {shorten(theirs)}; the run has {shorten(own)}\n"
        )
        return targets, "position"

    # -- a table in a file --------------------------------------------------------------------------------------------

    def _of_table(self, values: dict[str, Any], part: str) -> OtherData:
        """Read a part of the run's own file, or all rows of another."""
        if others := [key for key in values if key not in OF_FILE]:
            raise RequestError(
                f"{others[0]}: not allowed here; a table is read as the run read its own. Allowed are "
                f"{', '.join(OF_FILE)}"
            )
        own, targets = self.config.data, self._target_columns(values.get("data.target"))
        if taken := [column.name for column in self.inputs.columns if column.name in targets]:
            raise RequestError(f"data.target is {clean(taken[0])}, which is an input of the model; name a target")
        path = str(values.get("data.path") or getattr(own, "path", ""))
        if not (isinstance(own, FileData) and path and is_same(path, own.path)):
            return self._of_file(path, values, part)
        if targets != (recorded := self._target_columns(None)):
            raise RequestError(
                f"data.target is {shorten(targets)}, and {own.path} is the file of the run, whose target is "
                f"{shorten(recorded)}; leave data.target out"
            )
        return self._of_dataset(own.model_copy(update={"name": str(values.get("data.name") or own.name)}), part)

    def _of_file(self, path: str, values: dict[str, Any], part: str) -> OtherData:
        """Read a table of which all rows are evaluated."""
        if part != "test":
            raise RequestError(f"--part {part}: {path} is not the data of the run, and has no parts; leave --part out")
        if not path:
            raise RequestError("data.path is missing; expected a CSV, TSV or Parquet file")
        path = str(Path(expanded(path)).absolute())
        columns = self._target_columns(values.get("data.target"))
        with notice(True, f"reading {path}"):
            frame = read_columns(path, self.inputs.columns, columns)
            inputs, errors = encode(frame, self.inputs.columns, path, replaces_missing(self.result))
        if errors:
            first = min(errors)
            more = f", and {len(errors) - 1:,} more rows" if len(errors) > 1 else ""
            raise DataError(f"{path}: row {first + 1}: {errors[first]}{more}")
        unseen = Unseen(self.inputs.columns)
        unseen.add(inputs)
        if str(unseen):
            sys.stderr.write(f"fitbench: {unseen}\n")
        targets, weights = targets_of(frame, columns, self.task, self.names, path), self._weights(frame, path)
        about = {
            "name": str(values.get("data.name") or Path(path).stem),
            "source": Source.csv.value,
            "path": path,
            "sha256": sha256_of(inputs, targets, *([] if weights is None else [weights])),
            self.task.names_key: list(self.names),
            "skipped": 0,
            "part": WHOLE,
            "count": len(targets),
            "matched": "name" if self.task.has_classes or columns == list(self.names) else "position",
        }
        return OtherData(inputs, targets, weights, path, about)

    def _target_columns(self, asked: Any) -> list[str]:
        """The columns that hold the targets: those that are asked for, or as the run had them."""
        target = asked or getattr(self.config.data, "target", None)
        if target is None and not self.task.has_classes:
            target = list(self.names)
        if target is None:
            raise RequestError("data.target is missing; expected the column that holds the classes")
        columns = [str(target)] if isinstance(target, str) else list(map(str, target))
        is_any_name = len(columns) == 1 and (self.task.has_classes or len(self.names) == 1)
        return columns if is_any_name else in_order(columns, self.names)

    def _weights(self, frame: DataFrame, path: str) -> np.ndarray | None:
        """The weights of the rows, float32 [N], if the run has a column of weights that the table has too."""
        name = getattr(self.config.data, "weight", None)
        if name is None or name not in frame.columns:
            return None
        weights = weights_of(frame, name, path)
        if not weights.any():
            raise DataError(f"{path}: all weights in the column {clean(name)} are 0; expected one above 0")
        return weights


def _check(overrides: Sequence[str]) -> None:
    for override in overrides:
        plain = override.removeprefix("+")  # of an argument of a function that returns the data
        if not plain.startswith("data.") or "=" not in plain:
            raise RequestError(f"{override}: only overrides data.KEY=VALUE are allowed, such as data.path=FOLDER")
        key = plain.removeprefix("data.").partition("=")[0]
        if key in IN_THE_MODEL:
            raise RequestError(f"{override}: not allowed here; the model prepares its examples itself")
        if key in OF_THE_RUN:
            raise RequestError(f"{override}: not allowed here; data.{key} of the run applies")


def _check_whole(path: str, overrides: Sequence[str], part: str) -> None:
    """Refuse what would divide a file of series of which all are evaluated."""
    if part != "test":
        raise RequestError(f"--part {part}: {path} is not the data of the run, and has no parts; leave --part out")
    for override in overrides:
        if override.partition("=")[0] in OF_DRAWING:
            raise RequestError(f"{override}: not allowed here; all series of {path} are evaluated")


def is_same(path: str, own: str) -> bool:
    """Whether two paths, of which the second is absolute, name the same file or folder, however they are spelled."""
    absolute = Path(expanded(path)).absolute()
    return absolute == Path(own) or (exists(absolute) and exists(own) and absolute.samefile(own))


def in_order(columns: Sequence[str], names: Sequence[str]) -> list[str]:
    """Several columns of targets in the order of the names of the run.

    Raises:
        RequestError: they have other names.
    """
    by_name = {nfc(column): column for column in columns}
    if len(columns) != len(names) or by_name.keys() != set(map(nfc, names)):
        raise RequestError(
            f"data.target is {shorten(columns)}; expected the outputs of the run by their names, {shorten(names)}"
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


def check_shape(reader: Reader, data: OtherData) -> None:
    """Refuse examples of another shape than the model takes.

    Raises:
        RequestError: the message says how images are resized where that is possible.
    """
    shape, own, advice = tuple(data.inputs.shape[1:]), reader.inputs.shape, ""
    if shape == own:
        return
    if data.about["source"] == Source.image_folder.value:
        height, width, channels = reader.inputs.image_shape
        advice = f"; add 'data.image_size=[{height},{width}]' data.color={'true' if channels == 3 else 'false'}"
    theirs, ours = ("x".join(map(str, sides)) for sides in (shape, own))
    raise RequestError(f"{data.source}: {reader.inputs.nouns} are {theirs}; the model of the run takes {ours}{advice}")


def shorten(names: Sequence[str]) -> str:
    """The first names and the last one, for a message."""
    more = f", .. {clean(names[-1])}" if len(names) > 4 else ""
    return ", ".join(map(clean, names[: 3 if more else 4])) + more
