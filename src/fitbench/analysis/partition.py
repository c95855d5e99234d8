"""Which runs have the same folds: the partition of the training examples that the fold of a run belongs to."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from fitbench.analysis.frame import plain_values
from fitbench.record.reading import is_number
from fitbench.record.tested_on import connected

if TYPE_CHECKING:
    import pandas as pd


class Partition(NamedTuple):
    """What decides which examples are in which fold. Folds of two runs are the same if these agree."""

    folds: int
    seed: int | None
    order: str | None
    group: str | None
    sha256: str | None

    def differences(self, other: Partition) -> list[str]:
        """The columns of a frame in which two partitions differ."""
        return [name for key, name in COLUMNS.items() if getattr(self, key) != getattr(other, key)]


COLUMNS = {
    "folds": "training.folds",
    "seed": "training.fold_seed",
    "order": "training.fold_order",
    "group": "data.group",
    "sha256": "dataset.sha256",
}  # the column of a frame with each part of a partition


def partitions(
    frame: pd.DataFrame, folds: Sequence[int | None], held_back: Sequence[str | None]
) -> list[Partition | None]:
    """The partition that the fold of each run of a frame belongs to, None for a run without folds.

    Partitions into equally many folds are one, under the first of their names, where a run of the one and a run of the
    other have held back the same examples in the same fold. So models of different columns of a file have one.

    Args:
        frame: of runs, from `load_runs`.
        folds: of each run, from 0; None without folds.
        held_back: the checksum of the examples that each run has held back; None where it is not recorded.
    """
    columns = {name: plain_values(frame[of]) if of in frame else [None] * len(frame) for name, of in COLUMNS.items()}
    configured = [
        None if fold is None else Partition(int(count) if is_number(count) else 0, *others)
        for fold, (count, *others) in zip(folds, zip(*columns.values(), strict=True), strict=True)
    ]
    signs: list[list[Hashable]] = [
        [partition] if sha256 is None or partition is None else [partition, (partition.folds, fold, sha256)]
        for partition, fold, sha256 in zip(configured, folds, held_back, strict=True)
    ]
    return [None if partition is None else configured[first]
            for partition, first in zip(configured, connected(signs), strict=True)]  # fmt: skip
