"""A chart of groups of runs with its caption, and what the charts of every kind say of groups."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fitbench.analysis import statistics
from fitbench.analysis.groups import Group
from fitbench.analysis.sample import Sample
from fitbench.analysis.statistics import Summary
from fitbench.stderr import write_note
from fitbench.text import in_sentence

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Chart:
    """A figure, how many runs and groups it shows, its caption, and how many runs it leaves out by reason."""

    figure: Figure
    runs: int
    groups: int
    caption: str
    left_out: Mapping[str, int]


def heading(groups: Sequence[Group]) -> str:
    """The names of the keys, unless the values explain themselves as names of models do."""
    names = [key.removesuffix(".name").removesuffix(".kind").rpartition(".")[2] for key in groups[0].keys]
    explain = all(key.endswith((".name", ".kind")) or "." not in key for key in groups[0].keys)
    return "" if explain else ", ".join(names)


def mean_over(samples: Sequence[Sample]) -> str:
    """What each mean is over: 'mean over 2 to 5 runs each', or 'mean over 5 folds x 3 seeds each'."""
    if any(sample.has_folds for sample in samples):
        return f"mean over {in_sentence(list(dict.fromkeys(sample.text for sample in samples)))} each"
    sizes = [len(sample.seeds) for sample in samples]
    if max(sizes) == 1:
        return "one run each"
    least, most = min(sizes), max(sizes)
    return f"mean over {most if least == most else f'{least} to {most}'} runs each"


def intervals_of(samples: Iterable[Sample]) -> str:
    """What a caption calls the intervals of means, which are corrected where a mean is over folds.

    Args:
        samples: what each mean is over.
    """
    samples = list(samples)
    text = "95% intervals of the mean"
    if any(sample.has_folds for sample in samples):
        text += ", corrected for the overlap of the folds' training parts"
    if any(sample.counts_seeds for sample in samples):
        text += " and with the variance of the seeds"
    return text


def wanting(samples: Sequence[Sample]) -> str:
    """What an interval needs and one of the samples has not, as '3 runs' or '3 folds'; '' where all have it."""
    fewest = min(samples, key=lambda sample: len(sample.members))
    return f"{statistics.FEWEST} {fewest.noun}s" if len(fewest.members) < statistics.FEWEST else ""


def mean_and_ends(summary: Summary) -> tuple[float, float, float]:
    """The mean and the ends of its interval, NaN where there is none."""
    assert summary.mean is not None  # groups without values are not drawn
    low, high = summary.interval or (math.nan, math.nan)
    return summary.mean, low, high


def best(groups: Sequence[Group], most: int) -> tuple[Sequence[Group], Counter[str]]:
    """The first groups, which are the best, and how many runs the others have."""
    if len(groups) <= most:
        return groups, Counter()
    write_note(f"of {len(groups)} groups the best {most} are drawn; --where chooses others")
    rest = sum(len(group.values) for group in groups[most:])
    return groups[:most], Counter({f"beyond the best {most} groups": rest})
