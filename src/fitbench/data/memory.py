"""The memory limit for decoded images, and selecting rows of images that may exceed it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np


def memory_limit() -> int:
    """Return how many bytes decoded images may take: half of the memory that is available now."""
    meminfo = Path("/proc/meminfo")
    if meminfo.exists():
        kilobytes = dict(line.split(":") for line in meminfo.read_text().splitlines())
        return int(kilobytes["MemAvailable"].split()[0]) * 1024 // 2
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2


@dataclass(frozen=True)
class Rows:
    """Some rows of images, which are read when they are indexed.

    Attributes:
        images: [N, height, width, channels], anything that an index array can index.
        rows: the selected row numbers, int [M].
    """

    images: Any
    rows: np.ndarray

    @property
    def shape(self) -> tuple[int, ...]:
        """[M, height, width, channels]."""
        return (len(self.rows), *self.images.shape[1:])

    def __getitem__(self, index: Any) -> np.ndarray:
        return np.asarray(self.images[self.rows[index]])


def take(images: Any, rows: np.ndarray) -> Any:
    """Select rows of images: an array if the images fit into memory, otherwise `Rows`."""
    if isinstance(images, np.memmap) and images.nbytes < memory_limit():
        images = np.asarray(images)
    if type(images) is not np.ndarray:
        return Rows(images, rows)
    if len(rows) and rows[-1] - rows[0] + 1 == len(rows):
        return images[rows[0] : rows[-1] + 1]  # a view
    return images[rows]
