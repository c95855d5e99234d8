"""Statistics over seeds, over folds and over test examples: pure functions on numbers, each with its source.

Student's t distribution is scipy.special's: scipy.stats has the same tests, but takes half a second to import and as
long again for a thousand comparisons. The tests hold each function to scipy.stats.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from fitbench.quantities import Quantity

CONFIDENCE = 0.95
SIGNIFICANT = 0.05  # p-value below which two groups or runs differ
LARGEST = 1e75  # value; of a larger one the fourth power, which Welch's degrees of freedom take, is no float
FEWEST = 3  # values from which an interval is computed
FEWEST_PAIRS = 5  # common seeds from which a difference is paired
ROUNDING = 1e-12  # spread, relative to the largest value, that is rounding and no variance

PAIRED, CORRECTED, WELCH = "paired t", "corrected t", "Welch"  # tests
UNTESTED = "not tested"  # in the place of a test, where none is valid

Interval = tuple[float, float]


# -- one group --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Summary:
    """What some values come to. Without values there is no mean, without two no sample standard deviation.

    `interval` is the 95% interval of the mean; where there is none, `no_interval` says why.
    """

    n: int
    mean: float | None
    sd: float | None
    interval: Interval | None
    no_interval: str | None = None


def summarise(
    values: Sequence[float],
    low: float = -math.inf,
    high: float = math.inf,
    resolution: float = 0.0,
    overlap: float = 0.0,
    more: Sequence[Component] = (),
) -> Summary:
    """Mean, sample standard deviation (n - 1) and the interval of the mean, for finite values in any order.

    `low` and `high` are the range that the metric can have, `resolution` its smallest step; `overlap` and `more` are
    those of folds, as in `mean_interval`. The sums are exact (math.fsum), so that the order of the values cannot change
    a digit.
    """
    n = len(values)
    mean = mean_of(values) if n else None
    sd = _sd(values) if n > 1 else None
    if n < FEWEST:
        return Summary(n, mean, sd, None, f"fewer than {FEWEST} values")
    if min(values) < low or max(values) > high:
        return Summary(n, mean, sd, None, f"a value outside of the range of the metric, {low:g} to {high:g}")
    return Summary(n, mean, sd, mean_interval(values, low, high, resolution, overlap, more))


def mean_interval(
    values: Sequence[float],
    low: float = -math.inf,
    high: float = math.inf,
    resolution: float = 0.0,
    overlap: float = 0.0,
    more: Sequence[Component] = (),
) -> Interval:
    """An interval for the mean over seeds or folds that never leaves the range of the metric. `values` are two or more.

    With m the mean, e = s sqrt(1/n + overlap) its standard error and t the quantile of Student's distribution with
    n - 1 degrees of freedom:

    - in [0, 1] (accuracies): the Wilson score interval with t in place of the normal quantile and the effective sample
      size n* = m (1 - m) / e^2 in place of the sample size. It is what survey statistics uses for a proportion measured
      in few clusters, a seed being a cluster of test examples: Wilson (1927); n* and its correction for the degrees
      of freedom, (z / t)^2, which comes to the same as t in place of z, as in the programs that follow Dean & Pagano
      (2015), J. Survey Statistics and Methodology 3(4); SAS SURVEYFREQ calls it 'modified Wilson'.
    - in [0, inf) (losses, seconds, counts): m exp(+-t e / m), the t interval of log m by the delta method.
    - elsewhere: m +- t e.

    The interval reaches at least `resolution` to both sides of the mean, as far as the range allows. For a proportion
    of N examples the resolution is 1/N, the smallest difference that can be measured. Few seeds often agree to the last
    example, and an interval without width would cover the mean too rarely: with 3 seeds, a standard deviation of 0.0005
    and 1,000 examples in 74 % of the cases. In simulations of 3 to 10 seeds at accuracies from 0.9 to 0.9995 the first
    interval covers the mean in 93 to 97 % of the cases. So does the plain t interval, which leaves [0, 1] in up to 85 %
    of them.

    `overlap` is 0 for independent values, as those of seeds are. The values of folds depend on each other, because
    their training parts overlap, and s^2 / n is too small for the variance of their mean. Their `overlap` is
    n_validation / n_train: the corrected resampled variance (1/n + n_validation / n_train) s^2 of C. Nadeau & Y. Bengio
    (2003), Inference for the generalization error, Machine Learning 52, 239-281.

    `more` are further components of the squared error, such as that of seeds, which the values of folds have in common;
    see `of_seeds`. With them, e and the degrees of freedom are those of the sum, see `_standard_error`.
    """
    mean = mean_of(values)
    standard_error, freedom = _standard_error([_component(values, overlap), *more], len(values) - 1)
    error = student_quantile(freedom) * standard_error
    if error == 0 or mean in (low, high):
        below, above = mean, mean
    elif (low, high) == (0.0, 1.0):
        below, above = _wilson(mean, error**2 / (mean * (1 - mean)))
    elif (low, high) == (0.0, math.inf):
        below, above = mean * math.exp(-error / mean), mean * math.exp(error / mean)
    else:
        below, above = mean - error, mean + error
    return max(low, min(below, mean - resolution)), min(high, max(above, mean + resolution))


class Component(NamedTuple):
    """A part of the squared standard error of a mean, independent of its other parts, with its degrees of freedom."""

    variance: float
    freedom: float


def of_seeds(means: Sequence[float], scale: float | None = None) -> list[Component]:
    """The part of seeds in the squared standard error of a mean over folds and seeds; none for fewer than two seeds.

    A seed has an effect on all of its folds, since they begin with the same weights. In the two-way random model

        value of a fold and a seed = mean + effect of the fold + effect of the seed + rest

    with K folds and S seeds, the mean over all has the variance v_fold / K + v_seed / S + v_rest / (K S). The values of
    the folds, each the mean over the seeds, share the effects of the seeds, so that their s^2 estimates v_fold +
    v_rest / S alone. The means of the seeds, each over the folds, have the variance s_seed^2, which estimates v_seed +
    v_rest / K. This part is s_seed^2 / S, with S - 1 degrees of freedom. Beside the part of the folds, v_rest / (K S)
    counts twice, so that the sum is slightly too large.

    Args:
        means: of each seed, over folds that all of these seeds have.
        scale: the largest value that the means come from; smaller differences than its rounding are none.
    """
    return [_component(means, scale=scale)] if len(means) > 1 else []


def _component(values: Sequence[float], overlap: float = 0.0, scale: float | None = None) -> Component:
    """The squared standard error of the mean of two or more values; `overlap` as in `mean_interval`."""
    n = len(values)
    return Component((1 / n + overlap) * _sd(values, scale) ** 2, n - 1)


def _standard_error(components: Sequence[Component], most: float = math.inf) -> tuple[float, float]:
    """The standard error that these components make together, and its degrees of freedom, which are at most `most`.

    F. E. Satterthwaite (1946), An approximate distribution of estimates of variance components, Biometrics Bulletin 2,
    110-114: f = (v_1 + v_2 + ..)^2 / (v_1^2 / f_1 + v_2^2 / f_2 + ..). The largest component decides: where the seeds
    vary little, f is almost K - 1 of K folds, and where they vary more than the folds, almost S - 1. The smaller of
    K - 1 and S - 1 in all cases would be useless: with two seeds that hardly vary, t is 12.7 instead of 2.8 of 5 folds.
    f can also be larger than both. `most` = K - 1 prevents that a part that is added makes an interval narrower.
    """
    varying = [component for component in components if component.variance > 0]
    if len(varying) < 2:
        return (math.sqrt(varying[0].variance), min(most, varying[0].freedom)) if varying else (0.0, most)
    total = math.fsum(component.variance for component in varying)
    freedom = 1 / math.fsum((part.variance / total) ** 2 / part.freedom for part in varying)
    return math.sqrt(total), min(most, freedom)


def interval_method(metric: Quantity, over: str = "seeds") -> str:
    """Which interval of the mean over seeds, runs or folds `mean_interval` computes, in a few words for a footnote."""
    if (metric.low, metric.high) == (0.0, 1.0):
        text = f"Wilson's score interval with Student's t; the spread of the {over} gives the effective sample size"
        return f"{text}; at least one example to each side" if metric.proportion else text
    if (metric.low, metric.high) == (0.0, math.inf):
        return "Student's t interval of the logarithm of the mean (delta method)"
    return "Student's t interval of the mean, cut at the range of the metric"


def wilson(successes: int, trials: int) -> Interval:
    """The 95% score interval of a proportion, such as the accuracy of one run on `trials` test examples.

    E. B. Wilson (1927), Probable inference, the law of succession, and statistical inference, J. American Statistical
    Association 22, 209-212. It is SciPy's binomtest(successes, trials).proportion_ci(method="wilson").

    Raises:
        ValueError: there are no trials, or the successes are not from 0 to trials.
    """
    if trials < 1 or not 0 <= successes <= trials:
        raise ValueError(f"{successes} successes in {trials} trials")
    return _wilson(successes / trials, student_quantile(math.inf) ** 2 / trials)


def _wilson(p: float, a: float) -> Interval:
    """The solutions x of (p - x)^2 = a x (1 - x), where a is the squared quantile over the sample size."""
    half = math.sqrt(a * p * (1 - p) + a * a / 4)
    low, high = (p + a / 2 - half) / (1 + a), (p + a / 2 + half) / (1 + a)
    return min(p, max(0.0, low)), max(p, min(1.0, high))


def mean_of(values: Sequence[float]) -> float:
    """The mean of one or more values, whose sum is exact."""
    if min(values) == max(values):
        return float(values[0])
    return math.fsum(values) / len(values)


def _sd(values: Sequence[float], scale: float | None = None) -> float:
    """The sample standard deviation of two or more values; 0 where they differ by rounding, relative to `scale`."""
    scale = max(map(abs, values)) if scale is None else scale
    if max(values) - min(values) <= ROUNDING * scale:
        return 0.0
    mean = mean_of(values)
    return math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1))


def student_quantile(freedom: float) -> float:
    """The two-sided 95% quantile of Student's t distribution; with infinite degrees of freedom the normal one's."""
    from scipy.special import stdtrit

    return float(stdtrit(freedom, (1 + CONFIDENCE) / 2))


# -- two groups -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Difference:
    """The mean of A minus the mean of B, with its 95% interval and two-sided p-value.

    `test` is `PAIRED`, `CORRECTED`, `WELCH` or `UNTESTED`. `n` is the number of pairs, or of the values of A and
    of B. Where there is no interval or no p-value, `note` says why.
    """

    estimate: float
    interval: Interval | None
    p: float | None
    test: str
    n: tuple[int, ...]
    note: str | None = None


def welch(a: Sequence[float], b: Sequence[float], low: float = -math.inf, high: float = math.inf) -> Difference:
    """The difference of the means of two independent samples, by Welch's t-test (Biometrika 34, 1947).

    It is SciPy's ttest_ind(a, b, equal_var=False), with Satterthwaite's degrees of freedom. `low` and `high` are the
    range of the metric; the interval is cut at the range that a difference can have, low - high to high - low. Samples
    that do not vary leave nothing to test: their difference has an interval without width, and a p-value (1) only
    where it is 0. Each sample has one value or more; from 3 values there is an interval.
    """
    estimate, n = mean_of(a) - mean_of(b), (len(a), len(b))
    if min(n) < FEWEST:
        return Difference(estimate, None, None, WELCH, n, f"fewer than {FEWEST} values in one of the two")
    error, freedom = _standard_error([_component(a), _component(b)])
    if error == 0:
        return _without_variance(estimate, max(map(abs, (*a, *b))), WELCH, n)
    return _tested(estimate, error, freedom, WELCH, n, high - low)


def paired(a: Sequence[float], b: Sequence[float], low: float = -math.inf, high: float = math.inf) -> Difference:
    """The mean of the differences a[i] - b[i], by Student's t-test for pairs ('Student', Biometrika 6, 1908).

    It is SciPy's ttest_rel(a, b). What holds for `low`, `high`, few values and no variance is as in `welch`.

    Raises:
        ValueError: the samples have different lengths.
    """
    return _of_pairs(a, b, PAIRED, high - low)


def corrected(
    a: Sequence[float],
    b: Sequence[float],
    overlap: float,
    low: float = -math.inf,
    high: float = math.inf,
    more: Sequence[Component] = (),
) -> Difference:
    """The mean of the differences a[i] - b[i] of folds, by the corrected resampled t-test of Nadeau & Bengio (2003).

    With the k differences d, t = mean(d) / sqrt((1/k + n_validation / n_train) var(d)) has k - 1 degrees of freedom.
    `overlap` is n_validation / n_train, see `mean_interval`. All else is as in `paired`.

    `more` components of the squared error, which the folds have in common, are added to it, such as those of seeds; see
    `of_seeds` and `_standard_error`. Without any, or where they are 0, it is the test of Nadeau & Bengio itself.
    """
    return _of_pairs(a, b, CORRECTED, high - low, overlap, more)


def _of_pairs(
    a: Sequence[float],
    b: Sequence[float],
    test: str,
    reach: float,
    overlap: float = 0.0,
    more: Sequence[Component] = (),
) -> Difference:
    differences = [x - y for x, y in zip(a, b, strict=True)]
    estimate, n = mean_of(differences), (len(differences),)
    if n[0] < FEWEST:
        return Difference(estimate, None, None, test, n, f"fewer than {FEWEST} pairs")
    scale = max(map(abs, (*a, *b)))
    error, freedom = _standard_error([_component(differences, overlap, scale), *more], n[0] - 1)
    if error == 0:
        return _without_variance(estimate, scale, test, n)
    return _tested(estimate, error, freedom, test, n, reach)


def _tested(estimate: float, error: float, freedom: float, test: str, n: tuple[int, ...], reach: float) -> Difference:
    from scipy.special import stdtr

    p = 2 * float(stdtr(freedom, -abs(estimate) / error))
    half = student_quantile(freedom) * error
    return Difference(estimate, (max(-reach, estimate - half), min(reach, estimate + half)), p, test, n)


def _without_variance(estimate: float, scale: float, test: str, n: tuple[int, ...]) -> Difference:
    if abs(estimate) <= ROUNDING * scale:
        return Difference(0.0, (0.0, 0.0), 1.0, test, n)
    note = "without variance there is no t-test"
    return Difference(estimate, (estimate, estimate), None, test, n, note)


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """P-values corrected for their number, in the same order; None stays None and does not count.

    S. Holm (1979), A simple sequentially rejective multiple test procedure, Scandinavian J. of Statistics 6, 65-70: the
    i-th smallest of m is multiplied by m - i + 1, and is no smaller than the one before, nor larger than 1.
    """
    corrected: list[float | None] = [None] * len(p_values)
    order = sorted((p, i) for i, p in enumerate(p_values) if p is not None)
    largest = 0.0
    for place, (p, i) in enumerate(order):
        largest = max(largest, min(1.0, (len(order) - place) * p))
        corrected[i] = largest
    return corrected


def probability_better(a: Sequence[float], b: Sequence[float], higher_is_better: bool) -> float | None:
    """The share of the pairs of a run of A and a run of B in which A's is better; a tie counts one half.

    A. Vargha & H. D. Delaney (2000), J. of Educational and Behavioral Statistics 25, 101-132: the measure A, which is
    the Mann-Whitney U over the number of pairs. None where a sample is empty.
    """
    if not len(a) or not len(b):
        return None
    gains = np.subtract.outer(np.asarray(a, float), np.asarray(b, float)) * (1 if higher_is_better else -1)
    return float((gains > 0).mean() + (gains == 0).mean() / 2)


# -- two runs on the same examples ------------------------------------------------------------------------------------


def mcnemar(only_a: int, only_b: int) -> float:
    """The two-sided p-value that two classifiers are right equally often, from where just one of them is right.

    Q. McNemar (1947), Psychometrika 12, 153-157, in its exact form: `only_a` examples are right in A only, `only_b` in
    B only, and under the hypothesis each falls to either with probability 1/2. It is SciPy's binomtest; 1 without any.
    """
    from scipy.stats import binomtest

    both = only_a + only_b
    return float(binomtest(only_a, both, 0.5).pvalue) if both else 1.0
