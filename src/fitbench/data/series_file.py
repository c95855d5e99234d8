"""Reads one file of series as the UCR and UEA archives have them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True, eq=False)
class SeriesFile:
    """The series of a file, in its order.

    Attributes:
        series: of each example, float64 [channels, steps].
        labels: texts [N], or numbers [N] of a regression.
    """

    series: list[np.ndarray]
    labels: np.ndarray


def read_series_file(path: Path) -> SeriesFile:
    """Read a .ts file."""
    series, labels = [], []
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith(("#", "@")) or not line.strip():
            continue
        *channels, label = line.split(":")
        series.append(np.array([np.array(channel.split(","), np.float64) for channel in channels]))
        labels.append(label)
    return SeriesFile(series, np.array(labels, object))
