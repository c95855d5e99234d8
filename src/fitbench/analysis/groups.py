"""Runs grouped by configuration over their seeds and folds, the best group first. No row order matters."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from statistics import median
from typing import TYPE_CHECKING, Any

from fitbench.analysis import statistics
from fitbench.analysis.frame import column as column_of
from fitbench.analysis.frame import plain_values, quantities_of, varying, without_attrs
from fitbench.analysis.partition import partitions
from fitbench.analysis.sample import Sample
from fitbench.analysis.statistics import Summary
from fitbench.analysis.telling import by_kind, choosers, is_choice, ours, short_texts, text
from fitbench.metrics import EXAMPLES
from fitbench.quantities import Quantity, check_definition
from fitbench.quantities import find as find_quantity

if TYPE_CHECKING:
    import pandas as pd

# What can change the results of runs with one configuration. A value that a run has not recorded is no difference.
MADE_WITH = (
    *("dataset.names", "code", "versions.fitbench", "versions.keras", "versions.tensorflow", "versions.jax"),
    *("device", "threads"),
)
CHECKSUM = "dataset.sha256"  # of what a run was trained on

Identity = tuple[tuple[bool, Any], ...]


@dataclass(frozen=True)
class Group:
    """The runs that agree in the values of the keys.

    `keys` maps each key's column to its value (None: it has none); `texts` are these values as short as tells the
    groups apart, see `telling.short_texts`; `label` is the texts together, as in 'mlp, adam'.
    `rank` is 1 for the best mean, the same for equal ones, and None without any value.

    `values`, `folders` and the seeds and folds of `sample` belong to the finished runs that have the metric, in order
    of the seeds. `means` are the values that the mean is over: those of the runs, or with folds the mean of each fold
    over its seeds. `summary` is of the means, `best` and `worst` are two of them. `parameters` is None where the runs
    differ in it. `seconds` is the median of timing.fit_seconds, or of timing.seconds where nothing was fitted.

    `uncounted` counts the other runs, as in {'running': 1, 'without test_accuracy': 1}. `repeated` holds the folders of
    runs that are recorded more than once (the same configuration, seed, fold and data, in two studies); the one that
    was finished last counts. `mixed` maps the columns of the configuration and of `MADE_WITH` that are no keys and yet
    vary to their values; 'dataset.sha256' is among them if the runs were trained on other data, and 'config_id' if the
    runs differ in their configuration and no column says in what. `shared` maps the columns of the configuration that
    are no keys, and vary among the runs of all groups but not among these, to the value of these; 'dataset.sha256' is
    among them, too.
    """

    keys: dict[str, Any]
    texts: tuple[str, ...]
    label: str
    rank: int | None
    summary: Summary
    values: tuple[float, ...]
    means: tuple[float, ...]
    sample: Sample
    folders: tuple[str, ...]
    best: float | None
    worst: float | None
    parameters: int | None
    seconds: float | None
    uncounted: dict[str, int]
    repeated: tuple[str, ...]
    mixed: dict[str, tuple[Any, ...]]
    shared: dict[str, Any]

    @property
    def identity(self) -> Identity:
        """The values of the keys, by which a group is found in other groupings by the same keys."""
        return tuple(map(by_kind, self.keys.values()))

    def among(self, folders: Container[str]) -> tuple[list[str], Sample]:
        """Those of the group's folders that are among these, and the sample of their runs."""
        places = [place for place, folder in enumerate(self.folders) if folder in folders]
        return [self.folders[place] for place in places], self.sample.only(places)

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seed of each run."""
        return self.sample.seeds

    @property
    def folds(self) -> tuple[int | None, ...]:
        """The fold of each run, from 0; None for a run without folds."""
        return self.sample.folds


# -- groups -----------------------------------------------------------------------------------------------------------


def group(frame: pd.DataFrame, by: Sequence[str], metric: str | Quantity) -> list[Group]:
    """The runs of a frame (from `load_runs`), grouped by the columns `by`; the best mean of the metric first.

    Equal means are in order of their labels, and groups without any value come last. Two means are equal if they agree
    in 12 digits.

    Raises:
        RequestError: there is no such metric or column (the message names the nearest), or the runs have different
            definitions of the metric.
    """
    found = find_quantity(metric, quantities_of(frame)) if isinstance(metric, str) else metric
    return group_each(frame, by, [found])[0]


def group_each(
    frame: pd.DataFrame, by: Sequence[str], metrics: Sequence[Quantity], varied: Sequence[str] | None = None
) -> list[list[Group]]:
    """The groups by each of several quantities, as `group` gives them. What no quantity changes is read only once.

    `varied` are the columns of the configuration of which `Group.shared` tells the values; None stands for those that
    vary in the frame.
    """
    for metric in metrics:
        check_definition(metric)
    frame = without_attrs(frame)
    keys = list(dict.fromkeys(column_of(frame, name) for name in by))
    rows: dict[Identity, list[int]] = {}
    columns = [list(map(by_kind, plain_values(frame[key]))) for key in keys]
    for row, values in enumerate(zip(*columns, strict=True) if keys else [()] * len(frame)):
        rows.setdefault(values, []).append(row)
    recorded = _Recorded(frame, keys, varying(frame) if varied is None else varied)
    found = [tuple(value for _, value in identity) for identity in rows]
    texts, ranked = row_texts(found), []
    for metric in metrics:
        measured = _Measured(metric, frame[metric.column].astype(float).tolist(), resolutions(frame, metric))
        groups = [
            recorded.group(measured, dict(zip(keys, values, strict=True)), short, members)
            for values, short, members in zip(found, texts, rows.values(), strict=True)
        ]
        ranked.append(_ranked(groups, metric))
    return ranked


def row_texts(rows: Sequence[tuple[Any, ...]]) -> list[tuple[str, ...]]:
    """The values of the keys of each row as people read them."""
    return list(zip(*map(short_texts, zip(*rows, strict=True)), strict=True)) if any(rows) else [()] * len(rows)


def also_differ(groups: Iterable[Group], keys: Sequence[str]) -> dict[str, list[Any]]:
    """The settings that are no keys and differ between groups, with their values.

    A setting of what another column chooses, as model.hidden of model.name, must differ between groups with the same
    choice (see `telling.choosers`). Left out are what follows from the number of folds, and settings in which the runs
    of one group differ, which `mixed` tells.
    """
    groups = [each for each in groups if each.folders]
    shared = dict.fromkeys(name for each in groups for name in each.shared)
    names = [*ours(shared), *(CHECKSUM for name in shared if name == CHECKSUM and not _chooses_data(keys))]
    if any(each.sample.has_folds for each in groups):
        names = [name for name in names if name != "training.validation_split"]
    found = {}
    for name in names:
        choices = choosers(name, keys if is_choice(name) else [*keys, *names])
        if name not in keys and (values := _differing(groups, name, choices)):
            found[name] = values
    return found


def _chooses_data(keys: Iterable[str]) -> bool:
    """Whether a key says which data the groups have, so that it is no surprise if they differ."""
    return any(key.startswith(("data.", "dataset.")) for key in keys)


def _differing(groups: Iterable[Group], name: str, choices: Sequence[str]) -> list[Any]:
    """The values of a setting that differ between groups with the same choices; none if runs of such a group differ."""
    alike: dict[Identity, list[Group]] = {}
    for each in groups:
        chosen = each.shared | each.keys
        alike.setdefault(tuple(by_kind(chosen.get(choice)) for choice in choices), []).append(each)
    found: dict[tuple[bool, Any], Any] = {}
    for members in alike.values():
        if all(name in each.shared for each in members):
            values = {by_kind(each.shared[name]): each.shared[name] for each in members}
            found |= values if len(values) > 1 else {}
    return list(found.values())


def _ranked(groups: Sequence[Group], metric: Quantity) -> list[Group]:
    """The groups in the order of their means, with their ranks."""
    sign = -1 if metric.higher_is_better else 1

    def cost(entry: Group) -> float:
        return math.inf if entry.summary.mean is None else sign * float(f"{entry.summary.mean:.12g}")

    ordered = sorted(groups, key=lambda entry: (cost(entry), entry.label, str(entry.keys)))
    first: dict[float, int] = {}
    for i, entry in enumerate(ordered):
        first.setdefault(cost(entry), i)
    return [replace(entry, rank=first[cost(entry)] + 1) if entry.summary.n else entry for entry in ordered]


def resolutions(frame: pd.DataFrame, metric: Quantity) -> dict[str, float]:
    """The smallest step of a metric in each run of a frame, by folder: 1/N of a proportion of N examples, else 0."""
    column = f"dataset.{EXAMPLES[metric.part or 'test']}"
    if not metric.proportion or column not in frame:
        return dict.fromkeys(frame["folder"].tolist(), 0.0)
    runs = zip(frame["folder"].tolist(), frame[column].tolist(), strict=True)
    return {folder: 1 / count if count >= 1 else 0.0 for folder, count in runs}


@dataclass(frozen=True)
class _Measured:
    """A quantity with its value in each run by row, and its smallest step in each run by folder."""

    metric: Quantity
    values: list[float]
    resolutions: dict[str, float]


class _Recorded:
    """The columns that groups by any quantity are made of, as plain lists by row."""

    def __init__(self, frame: pd.DataFrame, keys: Sequence[str], varied: Sequence[str]) -> None:
        def numbers(name: str) -> list[float]:
            return frame[name].astype(float).tolist()

        self.parameters, self.seconds = numbers("parameters"), numbers("timing.seconds")
        self.fit_seconds = numbers("timing.fit_seconds")
        self.folders, self.states = frame["folder"].tolist(), frame["state"].tolist()
        self.seeds = frame["seed"].tolist()
        self.folds = [None if fold is None else int(fold) for fold in plain_values(frame["fold"])]
        fold_sha256 = "dataset.fold_sha256"
        self.held_back = plain_values(frame[fold_sha256]) if fold_sha256 in frame else [None] * len(frame)
        self.partitions = partitions(frame, self.folds, self.held_back)
        self.examples = list(zip(numbers("dataset.train"), numbers("dataset.validation"), strict=True))
        data = plain_values(frame[CHECKSUM])
        self.runs = list(zip(plain_values(frame["config_id"]), self.seeds, self.folds, data, strict=True))
        self.finished = frame["finished_at"].astype("int64").tolist()
        beyond = [name for name in (*varied, CHECKSUM, *MADE_WITH) if name in frame and name not in keys]
        self.varied = [name for name in varied if name in beyond]
        self.common = [name for name in beyond if name not in MADE_WITH]
        self.beyond = {name: plain_values(frame[name]) for name in beyond}
        self.sample, self.mixed = cache(self._sample), cache(self._mixed)  # most quantities are of the same runs

    def group(self, of: _Measured, keys: dict[str, Any], texts: tuple[str, ...], rows: Iterable[int]) -> Group:
        """The group of these rows with these values of the keys, without its rank."""
        counted: dict[Any, int] = {}
        uncounted: Counter[str] = Counter()
        repeated = []
        for row in sorted(rows, key=lambda row: (self.finished[row], self.folders[row]), reverse=True):
            if self.states[row] != "finished":
                uncounted[self.states[row]] += 1
            elif not math.isfinite(of.values[row]):
                uncounted[f"without {of.metric.name}"] += 1
            elif abs(of.values[row]) > statistics.LARGEST:
                uncounted["too large to average"] += 1
            elif counted.setdefault(self.runs[row], row) != row:
                repeated.append(self.folders[row])
        kept = tuple(sorted(counted.values(), key=self._order))
        values, sample = tuple(of.values[row] for row in kept), self.sample(kept)
        means = sample.means(values)
        extremes = sorted((min(means), max(means)), reverse=of.metric.higher_is_better) if kept else (None, None)
        parameters = {self.parameters[row] for row in kept}
        common = parameters.pop() if len(parameters) == 1 else math.nan
        return Group(
            keys=keys,
            texts=texts,
            label=", ".join(texts) or "all runs",
            rank=None,
            summary=sample.summary(values, of.metric, [of.resolutions[self.folders[row]] for row in kept]),
            values=values,
            means=means,
            sample=sample,
            folders=tuple(self.folders[row] for row in kept),
            best=extremes[0],
            worst=extremes[1],
            parameters=int(common) if math.isfinite(common) else None,
            seconds=self._median_seconds(kept),
            uncounted=dict(sorted(uncounted.items())),
            repeated=tuple(sorted(repeated)),
            mixed=(mixed := self.mixed(kept)),
            shared={name: self.beyond[name][kept[0]] for name in self.common if kept and name not in mixed},
        )

    def _order(self, row: int) -> tuple[int, int, str]:
        return self.seeds[row], self.folds[row] or 0, self.folders[row]

    def _sample(self, rows: Sequence[int]) -> Sample:
        of_folds = [self.examples[row] for row in rows if self.partitions[row]]
        train, validation = (math.fsum(numbers[part] for numbers in of_folds) for part in (0, 1))
        return Sample(
            seeds=tuple(int(self.seeds[row]) for row in rows),
            folds=tuple(self.folds[row] for row in rows),
            partitions=tuple(self.partitions[row] for row in rows),
            held_back=tuple(self.held_back[row] for row in rows),
            overlap=validation / train if train > 0 and validation > 0 else None,
        )

    def _median_seconds(self, rows: Sequence[int]) -> float | None:
        for seconds in (self.fit_seconds, self.seconds):
            recorded = [seconds[row] for row in rows if math.isfinite(seconds[row])]
            if recorded:
                return median(recorded)
        return None

    def _mixed(self, rows: Sequence[int]) -> dict[str, tuple[Any, ...]]:
        mixed = {}
        for name, column in self.beyond.items():
            values = {by_kind(column[row]) for row in rows} - ({by_kind(None)} if name in MADE_WITH else set())
            if len(values) > 1:
                mixed[name] = tuple(sorted((value for _, value in values), key=in_order))
        identities = {self.runs[row][0] for row in rows} - {None}
        if len(identities) > 1 and mixed.keys().isdisjoint(self.varied):
            mixed["config_id"] = tuple(sorted(identities))
        return mixed


def in_order(value: Any) -> tuple[bool, float, str]:
    """Numbers first, in their order, then texts; a missing value comes last."""
    return value is None, value if isinstance(value, (int, float)) else math.inf, text(value)
