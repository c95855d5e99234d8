"""A paired bootstrap: how much the difference of two runs in a metric depends on the test examples."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from fitbench.analysis.statistics import CONFIDENCE, Interval

SEED = 0
# How many resamples are drawn of fewer outputs than this. The area under the curve takes 0.03 s for 100,000 outputs.
COUNTS = ((1_000, 10_000), (50_000, 1_000), (1_000_000, 500))
LEAST = 200

Values = Callable[[np.ndarray], tuple[float | None, float | None]]  # of A and B on the examples at these positions


@dataclass(frozen=True)
class Bootstrap:
    """The difference of A and B in a metric of the test examples.

    Attributes:
        a, b: the values on all examples, None where undefined.
        difference: a - b.
        interval: the 95% interval of the difference.
        p: the two-sided p-value, above 0.
        resamples: how many were drawn.
        undefined: on how many of them the metric of a run is undefined; these do not count. If they are more than
            half, there is neither an interval nor a p-value.
    """

    a: float | None
    b: float | None
    difference: float | None
    interval: Interval | None
    p: float | None
    resamples: int
    undefined: int

    @property
    def is_least(self) -> bool:
        """Whether no resample has the difference beyond 0, so that more resamples could make the p-value less."""
        return self.p == _p(0, self.resamples - self.undefined)


def resamples_of(outputs: int) -> int:
    """How many resamples are drawn of examples with so many outputs, all together."""
    return next((count for most, count in COUNTS if outputs < most), LEAST)


def draws(examples: int, count: int) -> Iterator[np.ndarray]:
    """The positions of as many examples as there are, int [examples], drawn with replacement, so many times.

    They depend on the number of examples alone, so the same predictions always give the same numbers.
    """
    random = np.random.default_rng(SEED)
    return (random.integers(examples, size=examples) for _ in range(count))


def paired_bootstrap(values: Values, examples: int, resamples: int) -> Bootstrap:
    """Draw the same examples for both runs, with replacement and as many as there are, and compare the runs on them.

    The interval is the percentile interval: B. Efron and R. J. Tibshirani (1993), An Introduction to the Bootstrap,
    section 13.3. The p-value is twice the smaller share of resamples in which the difference is not above, or not
    below, 0, as section 15.4 derives a test from an interval. It counts the observed examples as one more resample,
    2 (1 + count) / (B + 1), at most 1: A. C. Davison and D. V. Hinkley (1997), Bootstrap Methods and their Application,
    section 4.2. Both are about other test examples and the same two runs.

    Args:
        values: the metric of both runs; it is given int [examples].
        examples: how many there are.
        resamples: how many to draw.
    """
    a, b = values(np.arange(examples))
    if a is None or b is None:
        return Bootstrap(a, b, None, None, None, 0, 0)
    drawn = list(map(values, draws(examples, resamples)))
    differences = np.array([x - y for x, y in drawn if x is not None and y is not None])
    undefined = resamples - len(differences)
    if undefined > resamples / 2:
        return Bootstrap(a, b, a - b, None, None, resamples, undefined)
    outside = (1 - CONFIDENCE) / 2
    low, high = np.quantile(differences, (outside, 1 - outside)).tolist()
    rarer = min(int((differences <= 0).sum()), int((differences >= 0).sum()))
    return Bootstrap(a, b, a - b, (low, high), _p(rarer, len(differences)), resamples, undefined)


def _p(rarer: int, resamples: int) -> float:
    return min(1.0, 2 * (1 + rarer) / (resamples + 1))
