"""The verdict, on its boundaries and against intervals that SciPy computes."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from fitbench.tables.definition import Claim
from fitbench.tables.verdict import Verdict, claim_interval, judge

N = 10_000


def scipy_wilson(accuracy: float, n: int) -> tuple[float, float]:
    found = stats.binomtest(round(accuracy * n), n).proportion_ci(method="wilson")
    return float(found.low), float(found.high)


def seeds_interval(values: list[float]) -> tuple[float, float]:
    """Wilson's interval of a mean in [0, 1] with Student's t and the effective sample size, solved as a quadratic."""
    m, n = float(np.mean(values)), len(values)
    t = stats.t.ppf(0.975, n - 1)
    effective = m * (1 - m) / (np.var(values, ddof=1) / n)
    low, high = sorted(np.roots([effective + t**2, -(2 * effective * m + t**2), effective * m**2]).real)
    return float(low), float(high)


def spread_around(mean: float, sd: float) -> list[float]:
    """Five accuracies with this mean and sample standard deviation."""
    shape = np.array([-2, -1, 0, 1, 2]) / np.std([-2, -1, 0, 1, 2], ddof=1)
    return list(mean + sd * shape)


def test_the_interval_of_a_claim_is_wilsons():
    assert claim_interval(Claim(0.9858, 0.9858, N)) == pytest.approx(scipy_wilson(0.9858, N), abs=1e-12)


def test_the_interval_of_a_range_goes_from_that_of_its_low_to_that_of_its_high_end():
    low, high = claim_interval(Claim(0.92, 0.93, N))
    assert low == pytest.approx(scipy_wilson(0.92, N)[0], abs=1e-12)
    assert high == pytest.approx(scipy_wilson(0.93, N)[1], abs=1e-12)


def test_the_interval_of_the_difference_is_that_of_newcombe_and_zou():
    values = spread_around(0.984, 0.0015)
    judged = judge(Claim(0.9858, 0.9858, N), values)
    (low, high), (claim_low, claim_high) = seeds_interval(values), scipy_wilson(0.9858, N)
    assert judged.difference == pytest.approx(0.984 - 0.9858, abs=1e-12)
    assert judged.bounds == pytest.approx(
        (
            0.984 - 0.9858 - math.sqrt((0.984 - low) ** 2 + (claim_high - 0.9858) ** 2),
            0.984 - 0.9858 + math.sqrt((high - 0.984) ** 2 + (0.9858 - claim_low) ** 2),
        ),
        abs=1e-9,
    )


@pytest.mark.parametrize(("side", "verdict"), [(1, Verdict.better), (-1, Verdict.worse)])
@pytest.mark.parametrize("margin", [0.0, 0.002])
def test_the_verdict_changes_where_the_interval_of_the_difference_reaches_the_margin(side, verdict, margin):
    claim, sd = Claim(0.95, 0.95, N), 0.001

    def verdict_at(mean: float) -> Verdict:
        return judge(claim, spread_around(mean, sd), margin).verdict

    def gap(mean: float) -> float:  # between the interval of the difference and the margin, computed on its own
        (low, high), (claim_low, claim_high) = seeds_interval(spread_around(mean, sd)), scipy_wilson(0.95, N)
        if side > 0:
            return mean - 0.95 - math.hypot(mean - low, claim_high - 0.95) - margin
        return 0.95 - mean - math.hypot(high - mean, 0.95 - claim_low) - margin

    inside, outside = 0.95, 0.95 + side * 0.03
    for _ in range(60):
        middle = (inside + outside) / 2
        inside, outside = (middle, outside) if gap(middle) < 0 else (inside, middle)
    assert verdict_at(inside - side * 1e-7) is Verdict.too_few_seeds
    assert verdict_at(outside + side * 1e-7) is verdict


@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize("margin", [0.0, 0.002])
def test_reproduced_ends_where_the_mean_leaves_the_interval_of_the_claim(side, margin):
    claim = Claim(0.95, 0.95, N)
    edge = scipy_wilson(0.95, N)[side > 0] + side * margin
    assert judge(claim, spread_around(edge - side * 1e-7, 0.001), margin).verdict is Verdict.reproduced
    assert judge(claim, spread_around(edge + side * 1e-7, 0.001), margin).verdict is Verdict.too_few_seeds


def test_seeds_that_scatter_reproduce_nothing_that_they_miss():
    judged = judge(Claim(0.92, 0.93, N), [0.8405, 0.8887, 0.8921])
    assert judged.bounds[0] < 0 < judged.bounds[1]  # no difference is shown
    assert judged.verdict is Verdict.too_few_seeds
    assert judge(Claim(0.92, 0.93, N), [0.8405, 0.8604, 0.8874, 0.8887, 0.8921]).verdict is Verdict.worse


def test_the_rule_is_sharper_than_overlap():
    claim, values = Claim(0.95, 0.95, N), spread_around(0.95 + 0.0065, 0.002)
    assert seeds_interval(values)[0] < claim_interval(claim)[1]  # the two intervals overlap
    assert judge(claim, values).verdict is Verdict.better


def test_within_a_claimed_range_the_difference_is_zero_and_beyond_it_counts_from_the_nearest_end():
    claim = Claim(0.92, 0.93, N)
    assert judge(claim, spread_around(0.925, 0.001)).difference == 0
    assert judge(claim, spread_around(0.91, 0.001)).difference == pytest.approx(-0.01)
    assert judge(claim, spread_around(0.94, 0.001)).difference == pytest.approx(0.01)
    assert judge(claim, spread_around(0.94, 0.0001)).verdict is Verdict.better
    assert judge(claim, spread_around(0.931, 0.0001)).verdict is Verdict.reproduced
    assert judge(claim, spread_around(0.91, 0.0001)).verdict is Verdict.worse


@pytest.mark.parametrize("values", [[], [0.9], [0.9, 0.91]])
def test_fewer_than_three_seeds_have_no_verdict_however_far_they_are(values):
    assert judge(Claim(0.99, 0.99, N), values).verdict is Verdict.too_few_seeds


def test_without_a_claim_there_is_no_verdict_but_a_mean():
    judged = judge(None, [0.9, 0.91, 0.92])
    assert judged.verdict is Verdict.no_claim
    assert judged.measured.mean == pytest.approx(0.91)


def test_one_run_of_a_deterministic_row_is_judged_by_the_interval_of_the_claim_alone():
    low, high = scipy_wilson(0.8203, N)
    claim = Claim(0.8203, 0.8203, N)
    assert judge(claim, [0.8203], deterministic=True).verdict is Verdict.reproduced
    # the difference upwards is held against the claim's margin upwards
    assert judge(claim, [high - 1e-6], deterministic=True).verdict is Verdict.reproduced
    assert judge(claim, [high + 1e-6], deterministic=True).verdict is Verdict.better
    assert judge(claim, [low - 1e-6], deterministic=True).verdict is Verdict.worse


def test_a_row_that_is_called_deterministic_and_is_not_has_no_verdict_from_two_runs():
    assert judge(Claim(0.82, 0.82, N), [0.82, 0.83], deterministic=True).verdict is Verdict.too_few_seeds


def test_identical_seeds_have_an_interval_without_width():
    judged = judge(Claim(0.9, 0.9, N), [0.9, 0.9, 0.9])
    assert judged.measured.interval == (0.9, 0.9)
    assert judged.verdict is Verdict.reproduced


def test_on_other_images_our_own_test_set_makes_the_verdict_more_careful():
    claim, values = Claim(0.95, 0.95, N), spread_around(0.962, 0.001)
    assert judge(claim, values).verdict is Verdict.better
    other = judge(claim, values, test_examples=1000)
    assert other.verdict is Verdict.reproduced
    below = math.hypot(0.962 - seeds_interval(values)[0], 0.962 - scipy_wilson(0.962, 1000)[0])
    assert other.bounds[0] == pytest.approx(0.012 - math.hypot(below, scipy_wilson(0.95, N)[1] - 0.95), abs=1e-9)


@given(
    claimed=st.floats(0, 1), examples=st.integers(1, 100_000),
    values=st.lists(st.floats(0, 1), min_size=3, max_size=10), margin=st.floats(0, 0.5),
)  # fmt: skip
def test_every_judgement_is_consistent(claimed, examples, values, margin):
    judged = judge(Claim(claimed, claimed, examples), values, margin)
    least, most = judged.bounds
    assert least <= most
    assert (judged.verdict is Verdict.better) == (least > margin)
    assert (judged.verdict is Verdict.worse) == (most < -margin)
    if judged.verdict is Verdict.reproduced:
        low, high = judged.claimed
        assert low - margin - 1e-9 <= judged.measured.mean <= high + margin + 1e-9


def test_the_rule_calls_the_same_method_reproduced_in_about_95_of_100_cases():
    """A claim and five seeds from the same method, on the same test images: each image has its own difficulty."""
    random = np.random.default_rng(1)
    reproduced = 0
    for _ in range(300):
        difficulty = random.beta(0.05, 1.5, N)
        accuracies = [float((random.random(N) > difficulty).mean()) for _ in range(6)]
        claim = Claim(accuracies[0], accuracies[0], N)
        reproduced += judge(claim, accuracies[1:]).verdict is Verdict.reproduced
    assert 0.93 < reproduced / 300 <= 1
