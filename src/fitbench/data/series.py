"""Makes a data set of the series in files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from fitbench.config import AUTO, Lengths, Series, SeriesFiles, UcrSeries
from fitbench.data.dataset import Dataset, assembled
from fitbench.data.lengths import interpolated_note, span_of
from fitbench.data.memory_limit import memory_limit
from fitbench.data.repeated import repeated
from fitbench.data.resampling import resampled
from fitbench.data.series_file import read_series_file
from fitbench.data.series_text import SeriesFile, as_classes
from fitbench.data.split import drawn_note, shuffled_rows, test_rows
from fitbench.data.targets import MOST_CLASSES, Targets, decided
from fitbench.data.ucr import read_ucr
from fitbench.errors import DataError, RequestError
from fitbench.kinds import KINDS, SERIES
from fitbench.metrics import CLASSIFICATION, REGRESSION
from fitbench.text import counted, first_of

PARTS = ("train", "test")


def read_series(
    data: Series, paths: Sequence[Path], task: str, steps: int | None = None, whole: bool = False
) -> Dataset:
    """Read a data set of series.

    The training series are shuffled, because files are often sorted by class, and `training.validation=last` holds the
    last of them back. Those of the test part are in the order of their file.

    Args:
        data: how the test part is drawn, and what is done about different lengths.
        paths: the file of the training part, and that of the test part if there is one; or one file with both parts.
        task: that of the configuration; with `auto` the labels decide.
        steps: the length that a model takes; None: `data.steps`, or that of the longest series of the training part.
        whole: both parts are all series of the one file, in its order.

    Raises:
        RequestError: `data.steps` needs too much memory.
        DataError: a file cannot be read, or the series do not fit together; the message names the file.
    """
    where = dict(zip(PARTS, [str(paths[0]), str(paths[-1])], strict=True))
    if isinstance(data, UcrSeries):
        parts, notes, seed = *read_ucr(data.name, paths), 0
    else:
        assert isinstance(data, SeriesFiles)
        parts = {part: read_series_file(path) for part, path in zip(PARTS, paths, strict=False)}
        notes, seed = (), data.split_seed
        if whole:
            parts = dict.fromkeys(PARTS, parts["train"])
    labels = _labels(parts, task, where)
    if task == AUTO and not _are_classes(labels):
        notes = (*notes, *_label_notes(parts, where))
    rows, drawn = ({}, ()) if whole else _taken(labels, data, seed, where["train"])
    parts |= {part: parts.get(part, parts["train"]).take(taken) for part, taken in rows.items()}
    labels |= {part: labels.get(part, labels["train"])[taken] for part, taken in rows.items()}
    notes = (*notes, *drawn)
    if "test" in parts and not whole:
        notes = (*notes, *repeated(parts["train"].series, parts["test"].series, KINDS[SERIES].noun))
    inputs, more = _of_one_length(parts, data, where, steps)
    targets = _targets(labels, parts["train"].classes, task, where)
    dataset = assembled(data.name, inputs, targets.arrays, targets.names, where["train"])
    dataset = replace(dataset, is_shuffled=not whole, rows_train=None if whole else rows["train"] + 1)
    return replace(dataset, task=targets.task, kind=SERIES, notes=(*notes, *more, *targets.notes))


def _taken(
    labels: Mapping[str, np.ndarray], data: Series, seed: int, where: str
) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """The rows of the file that are taken for a part, in this order, and the line about a drawn test part.

    The training series are shuffled. A test part in a file of its own is taken whole, so it has no entry.
    """
    fraction = getattr(data, "test_fraction", 0)
    if "test" in labels or not fraction:
        return {"train": shuffled_rows(len(labels["train"]), seed)}, ()
    classes = labels["train"] if labels["train"].dtype == object else None
    train, test = test_rows(classes, None, len(labels["train"]), fraction, seed, where)
    return {"train": train, "test": test}, (drawn_note(len(train), len(test), KINDS[SERIES].noun, seed),)


# -- lengths ----------------------------------------------------------------------------------------------------------


def _of_one_length(
    parts: Mapping[str, SeriesFile], data: Series, where: Mapping[str, str], wanted: int | None
) -> tuple[dict[str, np.ndarray], list[str]]:
    """The series of each part, float32 [N, steps, channels], and what was done about different lengths.

    Raises:
        RequestError: `data.steps` needs too much memory.
        DataError: they differ in length, and no method is given; or in their number of channels.
    """
    train, test = parts["train"], parts.get("test", parts["train"])
    if train.channels != test.channels:
        raise DataError(
            f"{where['test']}: its series have {counted(test.channels, 'channel')}; expected "
            f"{counted(train.channels, 'channel')}, as in {where['train']}"
        )
    lengths = train.lengths if train is test else np.concatenate([train.lengths, test.lengths])
    method, longest = data.lengths, int(train.lengths.max())
    steps = longest if method is None else wanted or data.steps or longest
    if data.steps == steps:
        _check_steps(steps, len(lengths) * train.channels)
    others, span = int((lengths != steps).sum()), span_of(lengths.tolist())
    if others and method is None and wanted:
        raise DataError(
            f"{where['train']}: the {len(lengths):,} series have {span}; expected {wanted:,}, which the model takes. "
            "It was trained without data.lengths, so that series of other lengths are not interpolated"
        )
    if others and method is None:
        raise DataError(
            f"{where['train']}: the {len(lengths):,} series have {span}, and the longest of the training part has "
            f"{steps:,}. Set data.lengths=linear or data.lengths=cubic to interpolate all of them to {steps:,} steps"
        )
    notes = [interpolated_note(others, lengths.tolist(), method, steps)] if others and method else []
    inputs = {"train": resampled(train.series, steps, method or Lengths.linear)}
    if "test" in parts:
        inputs["test"] = inputs["train"] if train is test else resampled(test.series, steps, method or Lengths.linear)
    return inputs, notes


def _check_steps(steps: int, count: int) -> None:
    """Refuse a length to which the series, `count` channels together, cannot be interpolated in memory."""
    needed, limit = 4 * steps * count, memory_limit()
    if needed > limit:
        raise RequestError(
            f"data.steps={steps}: the series would take {needed:,} bytes of memory, and there is memory for {limit:,}; "
            "set fewer steps"
        )


# -- labels -----------------------------------------------------------------------------------------------------------


def _labels(parts: Mapping[str, SeriesFile], task: str, where: Mapping[str, str]) -> dict[str, np.ndarray]:
    """The labels of each part, all of one kind: names of classes, objects of str [N], or numbers, float64 [N].

    Raises:
        DataError: a file has none.
    """
    labels = {}
    for part, of in parts.items():
        if of.labels is None:
            raise DataError(
                f"{where[part]}: its header states no labels; expected '@classLabel true' and the names of the "
                "classes, or '@targetLabel true', and a label behind the last ':' of each line"
            )
        labels[part] = of.labels
    if _are_classes(labels) and task in (AUTO, CLASSIFICATION):
        return labels
    try:
        values = {part: of.astype(np.float64) for part, of in labels.items()}
    except ValueError:
        return labels  # texts, which are refused where the task is decided
    classes = {part: as_classes(of) for part, of in values.items()}
    return classes if task == CLASSIFICATION and _are_classes(classes) else values


def _label_notes(parts: Mapping[str, SeriesFile], where: Mapping[str, str]) -> list[str]:
    """The line that says of labels at the beginning of lines that they are taken as numbers to predict.

    Raises:
        DataError: the last number of each line looks more like a class than the first, which has fractions.
    """
    for part, of in parts.items():
        last = np.array([values[-1, 0] for values in of.series])
        count = len(np.unique(last))
        if of.label_first and (last == np.rint(last)).all() and 1 < count <= min(MOST_CLASSES, len(last) / 2):
            raise DataError(
                f"{where[part]}: the first number of each line is taken for its label and has fractions, but the last "
                f"one is one of {count} whole numbers ({first_of(f'{value:.0f}' for value in np.unique(last))}). If "
                "the last is the label, put it first; set task=regression if the first is a number to predict"
            )
    if not any(of.label_first for of in parts.values()):
        return []
    return [
        "the labels, the first number of each line, have fractions and are taken as numbers to predict: "
        "task=regression; classes are whole numbers"
    ]


def _are_classes(labels: Mapping[str, np.ndarray]) -> bool:
    """Whether the labels of all parts are names of classes."""
    return all(of.dtype == object for of in labels.values())


def _targets(labels: Mapping[str, np.ndarray], declared: Sequence[str], task: str, where: Mapping[str, str]) -> Targets:
    """The targets of the task. The classes have the order of their numbers, or else that of the header."""
    places = {part: f"{where[part]}: the label" for part in labels}
    if task not in (AUTO, CLASSIFICATION) or not _are_classes(labels):
        return decided(REGRESSION if task == AUTO else task, labels, (), places)
    names = list(dict.fromkeys([*declared, *(name for part in PARTS for name in sorted(set(labels.get(part, ()))))]))
    if all(name.isascii() and name.removeprefix("-").isdecimal() for name in names):
        names.sort(key=float)
    codes = {name: code for code, name in enumerate(names)}
    coded = {part: np.array([codes[label] for label in of], np.int32) for part, of in labels.items()}
    return decided(CLASSIFICATION, coded, (), places, classes=names)
