"""The data that a run is evaluated on, as its model takes them and with the targets as its task has them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fitbench.composition import Composer
from fitbench.composition.overrides import read_overrides
from fitbench.config import (
    OF_DRAWING,
    ArrayData,
    Data,
    FileData,
    OwnData,
    PackagedTable,
    Series,
    SeriesFiles,
    Source,
    UcrSeries,
)
from fitbench.data.dataset import Dataset, sha256_of
from fitbench.data.image_paths import nfc
from fitbench.data.memory import chunks
from fitbench.data.resampling import resampled
from fitbench.errors import DataError, RequestError
from fitbench.inference.card import input_card
from fitbench.inference.evaluated import WHOLE, EvaluatedRun, OtherData, is_same, shorten
from fitbench.inference.other_tables import OtherTable, recoded
from fitbench.inference.values import checked
from fitbench.kinds import IMAGES, KINDS, TABLE, TOKENS
from fitbench.stderr import write_note
from fitbench.training.progress import notice

if TYPE_CHECKING:
    from fitbench.inference.reader import Reader

REFUSED = {  # keys, and why they are
    **dict.fromkeys(("preprocess", "standardize"), "the model prepares its examples itself"),
    **{key: f"data.{key} of the run applies" for key in ("lengths", "steps", "vocabulary")},
}
NOT_PARTS = ("name", "path", "inputs", *REFUSED)  # keys that do not decide the parts


class Wanted(EvaluatedRun):
    """What a run can be evaluated on."""

    def read(self, data: str, overrides: Sequence[str], part: str, config_dirs: Sequence[Path] = ()) -> OtherData:
        """Read one part of a data set, or a file of which all rows or series are evaluated.

        A table in a file need not be divided as the run's own data are: unless it is the file of the run, its columns
        and categories are those of the run, whatever else it holds. Neither need a file of series, unless a file with
        its test part belongs to it.

        Args:
            data: a choice of the group conf/data.
            overrides: overrides data.KEY=VALUE.
            part: 'test' or 'train'.
            config_dirs: folders with data/ of the user's own.

        Raises:
            RequestError: the request is wrong, the data do not have the columns or names of the run, or they are the
                data set of the run with other parts than in training.
            DataError: the data are missing or damaged.
        """
        _check(overrides)
        if self.inputs.columns and data == Source.csv.value:
            table = OtherTable(self, {each.key_or_group: each.value() for each in read_overrides(overrides)})
            return table.read(part) if (own := table.own()) is None else self._of_dataset(own, part)
        config = self._as_the_run(Composer(config_dirs).data(data, overrides))
        if config.kind not in (None, self.inputs.kind):
            raise RequestError(f"data={data}: {self._of_other_kind(config.kind)}")
        if isinstance(config, SeriesFiles) and config.test_path is None and not self._is_own(config):
            _check_whole(config.path, overrides, part)
            part = WHOLE
        return self._of_dataset(config, part)

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
        if not len(targets):
            raise RequestError(
                f"{data.source}: has no {part} part; expected one (--part train takes the training part)"
            )
        named, matched = self._match(data, targets)
        about = {
            "name": data.name,
            "source": config.source.value,
            "path": getattr(config, "path", None),
            "sha256": sha256_of(data.x_test, data.y_test) if part == WHOLE else data.sha256,
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
        position, and a notice says so; but not if both sides have a name in common, such as 0, 1 and 1, 2.

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
        if shared := [name for name in theirs if name in own]:  # 1 of 0, 1 need not be 1 of 1, 2
            raise RequestError(
                f"{data.source}: its {noun} {shorten(theirs)} and those of the run, {shorten(own)}, have only "
                f"{shorten(shared)} in common; rename them"
            )
        write_note(f"{noun} are matched by position: {data.name} has {shorten(theirs)}; the run has {shorten(own)}")
        return targets, "position"


def _check(overrides: Sequence[str]) -> None:
    for override in overrides:
        plain = override.removeprefix("+")  # of an argument of a function that returns the data
        if not plain.startswith("data.") or "=" not in plain:
            raise RequestError(f"{override}: only overrides data.KEY=VALUE are allowed, such as data.path=FOLDER")
        key = plain.removeprefix("data.").partition("=")[0]
        if key in REFUSED:
            raise RequestError(f"{override}: not allowed here; {REFUSED[key]}")


def _check_whole(path: str, overrides: Sequence[str], part: str) -> None:
    """Refuse what would divide a file of series of which all are evaluated."""
    if part != "test":
        raise RequestError(f"--part {part}: {path} is not the data of the run, and has no parts; leave --part out")
    for override in overrides:
        if override.partition("=")[0] in OF_DRAWING:
            raise RequestError(f"{override}: not allowed here; all series of {path} are evaluated")


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
