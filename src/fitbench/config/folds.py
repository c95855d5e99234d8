"""What a number of folds, or none, stands for: overrides, and the folds themselves."""

from __future__ import annotations

from collections.abc import Sequence


def fold_overrides(folds: int | None) -> list[str]:
    """The overrides that divide the training examples into so many folds; none without folds."""
    return [] if folds is None else ["training.validation=kfold", f"training.folds={folds}"]


def each_fold(folds: int | None) -> Sequence[int | None]:
    """The value of `fold` of each run: the folds from 0; without folds one run, whose fold is None."""
    return [None] if folds is None else range(folds)
