"""What the mean of some runs is over: the runs themselves, or folds, each of which is the mean over its seeds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np

from fitbench.analysis import statistics
from fitbench.analysis.statistics import Summary
from fitbench.quantities import Quantity
from fitbench.text import counted

MIXED = "its runs are of several partitions into folds, or some have folds and some have none"


class Partition(NamedTuple):
    """What decides which examples are in which fold. Folds of two runs are the same if these agree."""

    folds: int
    seed: int | None
    order: str | None
    group: str | None
    sha256: str | None


@dataclass(frozen=True)
class Sample:
    """The seeds and the folds of some runs, and how the runs' values become those that a mean is over.

    Without folds each run counts. With folds each fold counts once, by the mean over the seeds that it has, so that a
    fold with fewer seeds weighs as much as the others. The mean over the folds that are there is not corrected for
    those that are missing; `missing` names them.

    Attributes:
        seeds: of each run.
        folds: of each run, from 0; None for a run without folds.
        partitions: of each run; None for a run without folds.
        overlap: the number of validation examples over that of training examples, 0 without folds; see
            `statistics.mean_interval`.
    """

    seeds: tuple[int, ...]
    folds: tuple[int | None, ...]
    partitions: tuple[Partition | None, ...]
    overlap: float = 0.0

    @property
    def has_folds(self) -> bool:
        """Whether a run has a fold."""
        return any(fold is not None for fold in self.folds)

    @cached_property
    def is_mixed(self) -> bool:
        """Whether the runs are of several partitions, or only some have folds; their mean has no valid interval."""
        return len(set(self.partitions)) > 1

    @property
    def partition(self) -> Partition | None:
        """The partition of all runs; None without one, and where there are several."""
        return None if self.is_mixed or not self.partitions else self.partitions[0]

    @cached_property
    def members(self) -> dict[tuple[Partition | None, int], list[int]]:
        """The positions of the runs of each fold, by (partition, fold), in order; without folds each is alone."""
        members: dict[tuple[Partition | None, int], list[int]] = {}
        for place, (partition, fold) in enumerate(zip(self.partitions, self.folds, strict=True)):
            members.setdefault((partition, place if fold is None else fold), []).append(place)
        return dict(sorted(members.items(), key=lambda member: member[0][1]))

    def only(self, places: Sequence[int]) -> Sample:
        """The sample of the runs at these positions."""
        return Sample(
            tuple(self.seeds[place] for place in places),
            tuple(self.folds[place] for place in places),
            tuple(self.partitions[place] for place in places),
            self.overlap,
        )

    def means(self, values: Sequence[float]) -> tuple[float, ...]:
        """The values that the mean is over, from those of the runs: themselves, or the mean of each fold."""
        return tuple(statistics.mean_of([values[place] for place in places]) for places in self.members.values())

    def by_fold(self, values: Sequence[float]) -> dict[int, list[float]]:
        """The values of the runs by fold, of runs of one partition."""
        return {fold: [values[place] for place in places] for (_, fold), places in self.members.items()}

    def mean_rows(self, table: np.ndarray) -> np.ndarray:
        """`means` for each column of a table with a row for each run: float [runs, E] to float [runs or folds, E]."""
        return np.array([table[places].mean(axis=0) for places in self.members.values()])

    def resolution(self, steps: Sequence[float], part: str | None) -> float:
        """The smallest step of the mean, from that of the metric in each run.

        The validation parts of folds hold different examples, so that their mean has a step of all these together.
        """
        parts = len(self.members) if self.has_folds and part == "val" else 1
        return max(steps, default=0.0) / max(parts, 1)

    def summarise(
        self, means: Sequence[float], low: float = -math.inf, high: float = math.inf, resolution: float = 0.0
    ) -> Summary:
        """What the values that `means` gives come to; the arguments are those of `statistics.summarise`."""
        summary = statistics.summarise(means, low, high, resolution, self.overlap)
        return replace(summary, interval=None, no_interval=MIXED) if self.is_mixed else summary

    def summary(self, values: Sequence[float], metric: Quantity, steps: Sequence[float]) -> Summary:
        """What the values of the runs come to; `steps` is the smallest step of the metric in each run."""
        return self.summarise(self.means(values), metric.low, metric.high, self.resolution(steps, metric.part))

    @property
    def noun(self) -> str:
        """What the values are of that the mean is over: 'run' or 'fold'."""
        return "fold" if self.has_folds else "run"

    @property
    def text(self) -> str:
        """What the mean is over, as '3 runs', '5 folds x 3 seeds', '4 of 5 folds x 2 to 3 seeds'."""
        if not self.has_folds:
            return counted(len(self.seeds), "run")
        if self.partition is None:
            return f"{counted(len(self.seeds), 'run')} with different folds"
        present, noun = len(self.members), "seed" if self._each_once else "run"
        counts = sorted({len(places) for places in self.members.values()})
        each = counted(counts[0], noun) if len(counts) == 1 else f"{counts[0]} to {counts[-1]} {noun}s"
        folds = f"{present} of {self.partition.folds}" if present < self.partition.folds else str(present)
        return f"{folds} folds x {each}"

    @property
    def _each_once(self) -> bool:
        pairs = list(zip(self.folds, self.seeds, strict=True))
        return len(set(pairs)) == len(pairs)

    @property
    def missing(self) -> list[str]:
        """What a full grid of folds and seeds has and this has not, as 'fold 4' or 'fold 2 with seeds 0 and 1'."""
        if self.partition is None:
            return []
        every, missing = set(self.seeds), []
        for fold in range(self.partition.folds):
            absent = sorted(every - {seed for seed, of in zip(self.seeds, self.folds, strict=True) if of == fold})
            if len(absent) == len(every):
                missing.append(f"fold {fold}")
            elif absent:
                missing.append(f"fold {fold} with seed{'s'[: len(absent) != 1]} {', '.join(map(str, absent))}")
        return missing
