"""Counts the examples that are also training examples."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np

from fitbench.text import counted


def repeated(train: Iterable[np.ndarray], test: Iterable[np.ndarray], noun: str, only_all: bool = False) -> list[str]:
    """The line that says how many test examples have exactly the values of a training example; [] if none has.

    Args:
        train, test: the examples of the parts, all of one type.
        noun: what the line calls an example.
        only_all: say it only if all test examples are training examples, for data that repeat themselves.
    """
    count, examples = count_repeated(train, test)
    if not count or (only_all and count < examples):
        return []
    return [
        f"{count:,} of {counted(examples, f'test {noun}')} {'is' if count == 1 else 'are'} also in the training part"
    ]


def count_repeated(train: Iterable[np.ndarray], others: Iterable[np.ndarray]) -> tuple[int, int]:
    """How many of other examples have exactly the values of a training example, and how many others there are."""
    known = {_content(example) for example in train}
    found = [_content(example) in known for example in others]
    return sum(found), len(found)


def _content(example: np.ndarray) -> tuple[tuple[int, ...], bytes]:
    return example.shape, hashlib.blake2b(np.ascontiguousarray(example).data, digest_size=16).digest()
