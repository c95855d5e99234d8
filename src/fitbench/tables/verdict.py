"""Whether a claim is reproduced: a rule on numbers, with its formulas and their sources.

Both sides are uncertain. A claim is the accuracy of one training on N test examples: it carries Wilson's score
interval (1927) of a proportion in N trials, and a claimed range carries the intervals of both of its ends. Our mean
over seeds carries the interval of `statistics.mean_interval`: how far the mean over all seeds may lie from it, on
these test images.

What is judged is the difference d = measured mean - claim, with the interval that both of them make ('method of
variance estimates recovery'; Newcombe 1998, Statistics in Medicine 17, 873-890, method 10; Zou and Donner 2008,
Statistics in Medicine 27, 1693-1702, equation 8): from the mean m in [l, u] and the claim c in [L, U]

    d - sqrt((m - l)^2 + (U - c)^2)   to   d + sqrt((u - m)^2 + (c - L)^2).

It has a coverage near 95%. That two intervals of 95% overlap would be the more familiar rule, but an indulgent one: two
equally wide ones still overlap at differences that this interval excludes (about 99.4% of all cases; Schenker and
Gentleman 2001, The American Statistician 55, 182-186), and a rule that hands out 'reproduced' should not be indulgent.

That no difference is shown is not enough for 'reproduced', or three seeds that scatter widely would reproduce anything.
The mean must also be compatible with the claim if its seeds had no uncertainty, which is where more seeds lead. Where
they decide (a difference that seeds so few and so scattered cannot show), the verdict is 'too few seeds'.

The claim and we have been tested on the same images as a rule. Then Wilson's interval for the claim is too wide for its
test images, whose difficulty both sides share, but it has to hold the chance of the claim's one training too, of
which the source says nothing; both are of the same size on MNIST. Where our runs were tested on other images than the
claim, our mean carries Wilson's interval for these as well, the two margins combined by the same formula.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from fitbench.analysis import statistics
from fitbench.analysis.statistics import Interval, Summary
from fitbench.tables.definition import Claim


class Verdict(Enum):
    """What is said of a row."""

    reproduced = "reproduced"
    better = "better"
    worse = "worse"
    too_few_seeds = "too few seeds"
    no_claim = "no claim"
    not_measured = "not measured"


@dataclass(frozen=True)
class Judged:
    """A verdict and what it rests on, in accuracies; None where there is nothing to compute it from.

    `difference` is the measured mean less the claim, or less the nearest end of a claimed range (0 inside of it);
    `bounds` its interval.
    """

    verdict: Verdict
    claimed: Interval | None
    measured: Summary
    difference: float | None = None
    bounds: Interval | None = None


def claim_interval(claim: Claim) -> Interval:
    """The 95% interval of a claim: Wilson's; of a claimed range, from that of its low end to that of its high end."""
    n = claim.test_examples
    return statistics.wilson(round(claim.low * n), n)[0], statistics.wilson(round(claim.high * n), n)[1]


def judge(
    claim: Claim | None,
    accuracies: Sequence[float],
    margin: float = 0.0,
    deterministic: bool = False,
    test_examples: int | None = None,
) -> Judged:
    """The verdict on a claim from the accuracies that the seeds have reached.

    `better` and `worse`: the interval of the difference lies wholly above `margin` or below -`margin`. `reproduced`: it
    does not, and would not if the seeds had no uncertainty. `too few seeds`: it would then; or there are fewer than 3
    seeds, and the row is not deterministic, for which one seed says everything.

    Args:
        claim: what was published, None where no number was.
        accuracies: of each seed that has finished, in [0, 1].
        margin: the difference of accuracies that does not matter.
        deterministic: the seed cannot change the result, so one seed has no uncertainty.
        test_examples: how many images our runs were tested on, if these were others than the claim's.
    """
    interval = claim_interval(claim) if claim else None
    summary = summarised(accuracies, deterministic)
    if claim is None or not accuracies:
        return Judged(Verdict.no_claim if claim is None else Verdict.too_few_seeds, interval, summary)
    assert interval is not None and summary.mean is not None
    mean = summary.mean
    difference = mean - min(max(mean, claim.low), claim.high)
    if summary.interval is None:
        return Judged(Verdict.too_few_seeds, interval, summary, difference)
    below, above = mean - summary.interval[0], summary.interval[1] - mean
    low, high = (mean, mean) if test_examples is None else statistics.wilson(round(mean * test_examples), test_examples)
    images = max(mean - low, 0.0), max(high - mean, 0.0)

    # each end of a range is compared with its own interval: the high end's upward, the low end's downward
    def bounds(below: float, above: float) -> Interval:
        least = mean - claim.high - math.hypot(below, images[0], interval[1] - claim.high)
        return least, mean - claim.low + math.hypot(above, images[1], claim.low - interval[0])

    least, most = bounds(below, above)
    sure_least, sure_most = bounds(0.0, 0.0)
    if least > margin or most < -margin:
        verdict = Verdict.better if least > margin else Verdict.worse
    else:
        verdict = Verdict.reproduced if sure_least <= margin and sure_most >= -margin else Verdict.too_few_seeds
    return Judged(verdict, interval, summary, difference, (least, most))


def summarised(accuracies: Sequence[float], deterministic: bool) -> Summary:
    """The mean over the seeds and its interval, from 3 of them; that of a deterministic row has no width."""
    summary = statistics.summarise(accuracies, 0.0, 1.0)
    if deterministic and accuracies and min(accuracies) == max(accuracies):
        assert summary.mean is not None
        return Summary(summary.n, summary.mean, summary.sd, (summary.mean, summary.mean))
    return summary
