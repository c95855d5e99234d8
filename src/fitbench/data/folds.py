"""Folds: the training examples divided into parts, each of which is held back once. They are given as row numbers."""

from __future__ import annotations

import numpy as np


def fold_numbers(
    examples: int,
    folds: int,
    seed: int,
    consecutive: bool,
    labels: np.ndarray | None = None,
    groups: np.ndarray | None = None,
) -> np.ndarray:
    """The fold of each example, int64 [N], from 0 to folds - 1. The same arguments give the same folds.

    Drawn folds have the same fraction of each class, as far as that is possible, and sizes that differ by one at most.
    Groups stay together: the largest group goes first, always to the fold with the fewest examples so far.

    Args:
        examples: N, at least `folds`.
        folds: their number.
        seed: draws the folds.
        consecutive: divide the examples in their order into parts whose sizes differ by one at most, the larger first.
        labels: the class of each example, int [N]; None where there are no classes.
        groups: the group of each example, int [N]; None: there are none.
    """
    random = np.random.RandomState(seed)  # unlike default_rng, its stream is the same in every NumPy version
    if consecutive:
        return np.sort(np.arange(examples) % folds)
    if groups is not None:
        return _of_groups(groups, folds, random)
    order = random.permutation(examples)
    if labels is not None:
        order = order[np.argsort(labels[order], kind="stable")]
    numbers = np.empty(examples, np.int64)
    numbers[order] = np.arange(examples) % folds
    return numbers


def _of_groups(groups: np.ndarray, folds: int, random: np.random.RandomState) -> np.ndarray:
    codes = np.unique(groups, return_inverse=True)[1]
    counts = np.bincount(codes)
    drawn = random.permutation(len(counts))
    sizes, fold_of = np.zeros(folds, np.int64), np.empty(len(counts), np.int64)
    for group in drawn[np.argsort(-counts[drawn], kind="stable")]:
        fold_of[group] = sizes.argmin()
        sizes[fold_of[group]] += counts[group]
    return fold_of[codes]
