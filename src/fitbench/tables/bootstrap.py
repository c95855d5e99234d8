"""The standard deviation of a metric over samples of test examples, by a bootstrap."""

from __future__ import annotations

import statistics
from collections.abc import Callable

import numpy as np

from fitbench.analysis.bootstrap import draws
from fitbench.errors import FitbenchError

LARGE = 5_000  # examples from which fewer resamples are drawn: some metrics take 0.1 s for each


def resamples(examples: int) -> int:
    """How many resamples are drawn of so many test examples."""
    return 1000 if examples < LARGE else 200


def deviation(
    score: Callable[[np.ndarray, np.ndarray], float | None], targets: np.ndarray, outputs: np.ndarray
) -> float:
    """The standard deviation of the metric over resamples of the test examples, in the metric's own values.

    Each resample has as many examples as the test part, drawn with replacement (Efron 1979, The Annals of Statistics
    7, 1-26). The draws depend on the number of examples alone, so the same predictions always give the same value.
    Resamples on which the metric is undefined, such as those without an example of a class, are left out.

    Args:
        score: the metric's value for some targets and their recorded outputs; None where it is undefined.
        targets: of the whole part, [N] or [N, targets].
        outputs: the recorded outputs of the same examples, [N, outputs].

    Raises:
        FitbenchError: it is undefined on more than half of the resamples, or a user's function fails.
    """
    examples = len(targets)
    count = resamples(examples)
    outputs = np.asarray(outputs, np.float64)
    drawn = (score(targets[draw], outputs[draw]) for draw in draws(examples, count))
    values = [value for value in drawn if value is not None]
    if len(values) < count / 2:
        raise FitbenchError(f"undefined on {count - len(values):,} of {count:,} resamples")
    return statistics.stdev(values)
