"""What the mean of some runs is over: the runs themselves, or folds, each of which is the mean over its seeds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from fitbench.analysis import statistics
from fitbench.analysis.partition import Partition
from fitbench.analysis.statistics import Summary
from fitbench.metrics import is_held_back
from fitbench.quantities import Quantity
from fitbench.text import counted

UNCOUNTED = "the numbers of training and validation examples of its folds are not known"

Member = tuple[Partition | None, int]  # a fold; or without folds the position of a run


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
        held_back: the checksum of the examples that each run has held back; None without folds, and where it is not
            recorded.
        overlap: of folds, the number of validation examples over that of training examples, see
            `statistics.mean_interval`; None without folds, and where the numbers are not known.
    """

    seeds: tuple[int, ...]
    folds: tuple[int | None, ...]
    partitions: tuple[Partition | None, ...]
    held_back: tuple[str | None, ...]
    overlap: float | None = None

    @property
    def has_folds(self) -> bool:
        """Whether a run has a fold."""
        return any(fold is not None for fold in self.folds)

    @cached_property
    def mixed(self) -> str | None:
        """Why the runs do not have the same folds, so that their mean has no valid interval; None where they have."""
        if self.has_folds and None in self.partitions:
            return "only some of its runs have folds"
        if len(set(self.partitions)) > 1:
            return "its runs are of several partitions into folds"
        if any(len(checksums) > 1 for checksums in self.checksums.values()):
            return "its runs have held back different examples or targets in the same fold"
        return None

    @cached_property
    def untestable(self) -> str | None:
        """Why there is no valid interval of the mean, nor a test of it; None where there is one."""
        return self.mixed or (UNCOUNTED if self.has_folds and not self.overlap else None)

    @cached_property
    def checksums(self) -> dict[int, set[str]]:
        """Those of what the runs of each fold have held back, as far as they have recorded them: one, or none."""
        checksums: dict[int, set[str]] = {}
        for fold, checksum in zip(self.folds, self.held_back, strict=True):
            if fold is not None:
                checksums.setdefault(fold, set()).update([] if checksum is None else [checksum])
        return checksums

    @property
    def partition(self) -> Partition | None:
        """The partition of all runs; None without one, and where there are several."""
        return None if self.mixed or not self.partitions else self.partitions[0]

    @cached_property
    def members(self) -> dict[Member, list[int]]:
        """The positions of the runs of each fold, in order; without folds each run is alone."""
        members: dict[Member, list[int]] = {}
        for place, (partition, fold) in enumerate(zip(self.partitions, self.folds, strict=True)):
            members.setdefault((partition, place if fold is None else fold), []).append(place)
        return dict(sorted(members.items(), key=lambda member: member[0][1]))

    def only(self, places: Sequence[int]) -> Sample:
        """The sample of the runs at these positions."""
        return Sample(
            tuple(self.seeds[place] for place in places),
            tuple(self.folds[place] for place in places),
            tuple(self.partitions[place] for place in places),
            tuple(self.held_back[place] for place in places),
            self.overlap,
        )

    def by_member(self, values: Sequence[float]) -> dict[Member, list[float]]:
        """The values of the runs of each fold; without folds each run is alone."""
        return {member: [values[place] for place in places] for member, places in self.members.items()}

    def means(self, values: Sequence[float]) -> tuple[float, ...]:
        """The values that the mean is over, from those of the runs: themselves, or the mean of each fold."""
        return tuple(map(statistics.mean_of, self.by_member(values).values()))

    @cached_property
    def _of_seeds(self) -> dict[int, list[list[int]]]:
        """The positions of the runs of each seed, by fold, in the folds that all seeds have; {} without folds."""
        seeds = sorted(set(self.seeds)) if self.has_folds else []
        folds = [{seed: [place for place in places if self.seeds[place] == seed] for seed in seeds}
                 for places in self.members.values()]  # fmt: skip
        complete = [fold for fold in folds if all(fold.values())]
        return {seed: [fold[seed] for fold in complete] for seed in seeds if complete}

    def by_seed(self, values: Sequence[float]) -> dict[int, float]:
        """The mean of each seed over the folds that all seeds have; {} without such folds, or without any."""
        return {
            seed: statistics.mean_of([statistics.mean_of([values[place] for place in places]) for places in folds])
            for seed, folds in self._of_seeds.items()
        }

    @property
    def counts_seeds(self) -> bool:
        """Whether the interval of a mean over folds covers how its seeds vary."""
        return len(self._of_seeds) > 1

    @property
    def without_seeds(self) -> str | None:
        """Why the interval of a mean over folds holds for its seeds alone; None where it covers others, or no folds."""
        if not self.has_folds or self.counts_seeds:
            return None
        if len(set(self.seeds)) == 1:
            return "as there is only one"
        return "as no fold has all of them"

    def resolution(self, steps: Sequence[float], part: str | None) -> float:
        """The smallest step of the mean, from that of the metric in each run.

        The validation parts of folds hold different examples, so that their mean has a step of all these together.
        """
        parts = len(self.members) if self.has_folds and is_held_back(part) else 1
        return max(steps, default=0.0) / max(parts, 1)

    def summarise(
        self, values: Sequence[float], low: float = -math.inf, high: float = math.inf, resolution: float = 0.0
    ) -> Summary:
        """What the means of the values of the runs come to; the arguments are those of `statistics.summarise`."""
        of_seeds = statistics.of_seeds(list(self.by_seed(values).values()))
        summary = statistics.summarise(self.means(values), low, high, resolution, self.overlap or 0.0, of_seeds)
        return replace(summary, interval=None, no_interval=self.untestable) if self.untestable else summary

    def summary(self, values: Sequence[float], metric: Quantity, steps: Sequence[float]) -> Summary:
        """What the values of the runs come to; `steps` is the smallest step of the metric in each run."""
        return self.summarise(values, metric.low, metric.high, self.resolution(steps, metric.part))

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
