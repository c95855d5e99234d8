"""Whether a claim is reproduced: a rule on numbers, with its formulas and their sources.

The difference d is the mean over our seeds less the claim. A claim that is printed as 0.92 stands for every value
from 0.915 to 0.925, so d is the distance from that range and 0 inside of it. The 95% interval of the difference is
d ± h. The half-width h depends on what the source states. With k seeds of ours and their standard deviation s:

- A mean of n trainings without a deviation, evaluated on the same test examples as our runs. The sampling of the test
  examples affects both sides alike and cancels. The claim is one more mean from the distribution of our trainings:
  h = t(k-1) s sqrt(1/n + 1/k), which is the prediction interval of Student's t for n = 1 (Hahn 1969, J. American
  Statistical Association 64, 878-888). Two assumptions: the trainings of the source scatter as ours do, and the source
  did not choose its best training.
- A mean with a standard deviation s_c over n trainings: h^2 = t(n-1)^2 s_c^2/n + t(k-1)^2 s^2/k, which combines the
  intervals of both means (Zou and Donner 2008, Statistics in Medicine 27, 1693-1702, equation 8). Welch's interval
  (1947) is up to 16% narrower with 5 and 5 trainings, and excludes a true difference in 7 to 12% of all cases where one
  side has 2 or 3 trainings. This one does in at most 5%.
- Other test examples: z^2 V is added to h^2, with the normal quantile z and the variance V from the sampling of both
  test sets. For a proportion p of N examples it is q (1 - q) / (N + 2) with q = (p N + 1) / (N + 2), one success and
  one failure added (Agresti and Caffo 2000, The American Statistician 54, 280-288). For another metric it is the
  variance of a bootstrap over our test examples (bootstrap.py), scaled to the number of the claim's. Without a
  bootstrap there is no interval.
- A deterministic row, which has one seed: our trainings and the claim's have no variance.

t(f) is the 97.5% quantile of Student's distribution with f degrees of freedom. For a proportion of N examples h is
never below 1/N: no smaller difference can be measured.

The verdict needs a tolerance, the difference that does not matter:

- 'better' or 'worse': the interval excludes zero and does not lie inside the tolerance. Which of the two it is follows
  from the direction of the metric.
- 'reproduced': the interval lies inside the tolerance, or it contains zero and h is at most the tolerance. In the
  second case no difference is shown, and a difference of twice the tolerance would have been.
- 'inconclusive': neither. More seeds decide, unless h stays above the tolerance with any number of them.

If the claim is true, 'better' or 'worse' is said in about 5% of all cases or fewer, as far as trainings scatter
normally. Close to the end of a metric's range they do not. In simulations of accuracies p whose standard deviation is
0.6 (1 - p) it is 6%, with a deviation of 1 - p it is 8%, and nearly all of these are 'better'. Rows are not corrected
for their number: a correction widens the intervals, and a wider interval must not turn 'worse' into 'reproduced'. The
table says how many false verdicts to expect instead.

What is shown of an interval ends where the metric does: no accuracy is above 1, so none is more than 0.2 above a claim
of 0.8. The verdict is that of the whole interval: one that excludes zero still does so.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

from fitbench import metrics
from fitbench.analysis import statistics
from fitbench.analysis.statistics import Interval, Summary
from fitbench.metrics import Metric
from fitbench.tables.definition import ROUNDING, Claim

ACCURACY = metrics.get("accuracy")
FALSE_VERDICT_RATE = 1 - statistics.CONFIDENCE  # of rows whose claim is true
MOST_SEEDS = 1_000_000  # beyond so many seeds the half-width no longer shrinks noticeably


class Verdict(Enum):
    """The verdict on a row of a table."""

    reproduced = "reproduced"
    better = "better"
    worse = "worse"
    inconclusive = "inconclusive"
    no_claim = "no claim"
    not_measured = "not measured"
    not_run = "not run"
    no_value = "no value"


JUDGED = (Verdict.reproduced, Verdict.better, Verdict.worse, Verdict.inconclusive)


@dataclass(frozen=True)
class EvaluationSets:
    """The test examples of both sides.

    Attributes:
        ours: the number of test examples that our runs were evaluated on.
        same: whether the claim was evaluated on the same examples.
        bootstrap_variance: of the metric over our test examples; None for a proportion, whose variance is computed, and
            where there is no bootstrap.
    """

    ours: int
    same: bool
    bootstrap_variance: float | None = None


@dataclass(frozen=True)
class Limit:
    """The half-width that remains with any number of seeds, and the largest part of it.

    `cause` is 'training' (of the claim), 'sampling' (of the test sets) or 'resolution' (one test example). `sampled`:
    whether the sampling of the test sets is a part of it.
    """

    half_width: float
    cause: str
    sampled: bool


@dataclass(frozen=True)
class Judgement:
    """A verdict and what it rests on, in the metric's own values; None where there is nothing to compute it from.

    Attributes:
        verdict: the verdict on the row.
        measured: mean, standard deviation and interval of the mean over the seeds.
        difference: the mean less the claim; 0 inside the range that the printed claim stands for.
        half_width: of the 95% interval of the difference, before the interval is cut off.
        seeds_needed: of an inconclusive row, the fewest seeds that decide if mean and deviation stay as they are; None
            where no number of seeds does.
        limit: of an inconclusive row with an interval, what remains of the half-width with any number of seeds.
        possible: the ends of the differences that the range of the metric allows.
    """

    verdict: Verdict
    measured: Summary
    difference: float | None = None
    half_width: float | None = None
    seeds_needed: int | None = None
    limit: Limit | None = None
    possible: Interval = (-math.inf, math.inf)

    @property
    def interval(self) -> Interval | None:
        """The 95% interval of the difference, cut off where no difference is possible."""
        if self.difference is None or self.half_width is None:
            return None
        low, high = self.possible
        return max(low, self.difference - self.half_width), min(high, self.difference + self.half_width)


def judge(
    claim: Claim | None,
    values: Sequence[float],
    tolerance: float,
    sets: EvaluationSets,
    deterministic: bool = False,
    metric: Metric = ACCURACY,
) -> Judgement:
    """The verdict on a claim from the values that the seeds have reached.

    A verdict needs 3 seeds, or one of a deterministic row. On other test examples a metric that is no proportion needs
    the variance of a bootstrap too.

    Args:
        claim: what was published, None where no number was.
        values: the metric's value of each seed that has finished.
        tolerance: the difference that does not matter, in the metric's own values.
        sets: what the two sides were evaluated on.
        deterministic: the seed cannot change the result.
        metric: what the values are of: its direction, its range, and whether it is a proportion.
    """
    resolution = 1 / sets.ours if metric.proportion else 0.0
    summary = _summary(values, deterministic, metric, resolution)
    if summary.mean is None:
        return Judgement(Verdict.not_run, summary)
    if claim is None:
        return Judgement(Verdict.no_claim, summary)
    difference = _distance(summary.mean, claim)
    possible = _distance(metric.low, claim), _distance(metric.high, claim)
    if summary.interval is None:
        return Judgement(Verdict.inconclusive, summary, difference, None, statistics.FEWEST)
    if not (sets.same or metric.proportion or sets.bootstrap_variance is not None):
        return Judgement(Verdict.inconclusive, summary, difference)
    sampling = _sampling_variance(claim, summary.mean, sets, metric)
    half_width = _HalfWidth(claim, summary.sd or 0.0, deterministic, sampling, resolution)

    def verdict_with(seeds: int) -> Verdict:
        return _verdict(difference, half_width(seeds), tolerance, metric.higher_is_better)

    verdict = verdict_with(summary.n)
    if verdict is not Verdict.inconclusive:
        return Judgement(verdict, summary, difference, half_width(summary.n), possible=possible)
    needed = _seeds_needed(summary.n, verdict_with)
    return Judgement(verdict, summary, difference, half_width(summary.n), needed, half_width.limit(), possible)


def _distance(value: float, claim: Claim) -> float:
    """How far a value is from those that the printed claim stands for, with its sign; 0 among them."""
    return value - min(max(value, claim.lowest), claim.highest)


def _verdict(difference: float, half_width: float, tolerance: float, higher_is_better: bool) -> Verdict:
    distance, tolerance = abs(difference), tolerance * (1 + ROUNDING)
    contains_zero = distance <= half_width * (1 + ROUNDING)
    if distance + half_width <= tolerance or (contains_zero and half_width <= tolerance):
        return Verdict.reproduced
    if contains_zero:
        return Verdict.inconclusive
    return Verdict.better if (difference > 0) == higher_is_better else Verdict.worse


def _seeds_needed(seeds: int, verdict_with: Callable[[int], Verdict]) -> int | None:
    """The fewest seeds above `seeds` whose verdict is not 'inconclusive'; None where there is no such number.

    Every part of the half-width shrinks with the number of seeds or does not depend on it, so bisection finds it.
    """
    if verdict_with(MOST_SEEDS) is Verdict.inconclusive:
        return None
    too_few, enough = seeds, MOST_SEEDS
    while enough - too_few > 1:
        middle = (too_few + enough) // 2
        if verdict_with(middle) is Verdict.inconclusive:
            too_few = middle
        else:
            enough = middle
    return enough


def _summary(values: Sequence[float], deterministic: bool, metric: Metric, resolution: float) -> Summary:
    """The mean over the seeds and its interval; one seed of a deterministic row has an interval of the resolution."""
    summary = statistics.summarise(values, metric.low, metric.high, resolution)
    if deterministic and values and min(values) == max(values):
        assert summary.mean is not None
        interval = max(metric.low, summary.mean - resolution), min(metric.high, summary.mean + resolution)
        return Summary(summary.n, summary.mean, summary.sd, interval)
    return summary


# -- the half-width ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _HalfWidth:
    """The half-width of the interval of the difference, by the number of our seeds.

    Attributes:
        claim: of the row.
        deviation: of our seeds. It stays as it is with more of them.
        deterministic: neither our trainings nor the claim's have a variance.
        sampling_variance: from the sampling of the test sets.
        resolution: what one test example is worth; the half-width is never below it.
    """

    claim: Claim
    deviation: float
    deterministic: bool
    sampling_variance: float
    resolution: float

    def __call__(self, seeds: int) -> float:
        """The half-width with so many seeds."""
        return max(self.resolution, math.sqrt(self._training(seeds) + self._sampling()))

    def limit(self) -> Limit:
        """What remains with any number of seeds."""
        parts = {
            "training": self._training(MOST_SEEDS),
            "sampling": self._sampling(),
            "resolution": self.resolution**2,
        }
        return Limit(self(MOST_SEEDS), max(parts, key=parts.__getitem__), parts["sampling"] > 0)

    def _training(self, seeds: int) -> float:
        """The part of the squared half-width that comes from training, of the claim and of the mean over our seeds."""
        if self.deterministic:
            return 0.0
        ours, claim = statistics.student_quantile(seeds - 1) ** 2, self.claim
        if claim.deviation is None:
            return ours * self.deviation**2 * (1 / claim.trainings + 1 / seeds)
        theirs = statistics.student_quantile(claim.trainings - 1) ** 2
        return theirs * claim.deviation**2 / claim.trainings + ours * self.deviation**2 / seeds

    def _sampling(self) -> float:
        """The part of the squared half-width that comes from the sampling of the test sets."""
        return statistics.student_quantile(math.inf) ** 2 * self.sampling_variance


def _sampling_variance(claim: Claim, mean: float, sets: EvaluationSets, metric: Metric) -> float:
    """The variance from the sampling of both test sets; 0 where they are the same."""
    if sets.same:
        return 0.0
    if metric.proportion:
        theirs = _proportion_variance((claim.low + claim.high) / 2, claim.test_examples)
        return _proportion_variance(mean, sets.ours) + theirs
    assert sets.bootstrap_variance is not None
    return sets.bootstrap_variance * (1 + sets.ours / claim.test_examples)


def _proportion_variance(proportion: float, examples: int) -> float:
    """The variance of a proportion with one success and one failure added."""
    centre = (proportion * examples + 1) / (examples + 2)
    return centre * (1 - centre) / (examples + 2)
