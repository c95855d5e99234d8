"""The verdict: its half-widths against SciPy, its boundaries, and its error rate by simulation."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from fitbench import metrics
from fitbench.tables.definition import Claim
from fitbench.tables.verdict import EvaluationSets, Verdict, judge

from ..fuzzing import fuzz
from .calibration import GRID, SEEDS, false_verdicts, simulate

N = 10_000
LOG_LOSS = metrics.get("log_loss")
SAME = EvaluationSets(N, same=True)
OTHER = EvaluationSets(N, same=False)


def claim_of(value: float, rounding: float = 0.0, **changed) -> Claim:
    return Claim(f"{value}", value, value, value - rounding, value + rounding, changed.pop("examples", N), **changed)


def spread_around(mean: float, deviation: float, seeds: int = 5) -> list[float]:
    """So many values with exactly this mean and sample standard deviation."""
    shape = np.arange(seeds) - (seeds - 1) / 2
    return list(mean + deviation * shape / np.std(shape, ddof=1))


# -- the half-width ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seeds", [3, 5, 20])
@pytest.mark.parametrize("trainings", [1, 4])
def test_a_claim_without_deviation_is_one_more_draw_from_our_trainings(seeds, trainings):
    judgement = judge(claim_of(0.985, trainings=trainings), spread_around(0.984, 0.001, seeds), 0.005, SAME)
    expected = stats.t.ppf(0.975, seeds - 1) * 0.001 * math.sqrt(1 / trainings + 1 / seeds)
    assert judgement.half_width == pytest.approx(expected)
    assert judgement.difference == pytest.approx(-0.001)
    assert judgement.interval == pytest.approx((-0.001 - expected, -0.001 + expected))


def test_the_intervals_of_two_means_combine_for_a_claim_with_a_deviation():
    judgement = judge(claim_of(0.85, trainings=10, deviation=0.02), spread_around(0.84, 0.012), 0.005, SAME)
    ours, theirs = stats.t.ppf(0.975, 4) * 0.012 / math.sqrt(5), stats.t.ppf(0.975, 9) * 0.02 / math.sqrt(10)
    assert judgement.half_width == pytest.approx(math.hypot(ours, theirs))
    welch = stats.ttest_ind(spread_around(0.84, 0.012), spread_around(0.85, 0.02, 10), equal_var=False)
    interval = welch.confidence_interval()
    assert 1 < 2 * judgement.half_width / (interval.high - interval.low) < 1.2


def test_other_test_examples_add_the_sampling_of_both_sets():
    """Agresti and Caffo (2000): one success and one failure are added to each proportion."""
    judgement = judge(claim_of(0.95, examples=1000), [0.96] * 5, 0.005, OTHER)
    ours, theirs = (0.96 * N + 1) / (N + 2), (950 + 1) / (1000 + 2)
    variance = ours * (1 - ours) / (N + 2) + theirs * (1 - theirs) / (1000 + 2)
    assert judgement.half_width == pytest.approx(stats.norm.ppf(0.975) * math.sqrt(variance))


def test_training_and_sampling_add_each_with_a_quantile_of_its_own():
    values = spread_around(0.96, 0.004)
    judgement = judge(claim_of(0.95), values, 0.005, OTHER)
    training = stats.t.ppf(0.975, 4) ** 2 * 0.004**2 * (1 + 1 / 5)
    sampling = stats.norm.ppf(0.975) ** 2 * sum(
        (centre := (p * N + 1) / (N + 2)) * (1 - centre) / (N + 2) for p in (float(np.mean(values)), 0.95)
    )
    assert judgement.half_width == pytest.approx(math.sqrt(training + sampling))


def test_a_metric_that_is_no_proportion_takes_the_bootstraps_variance():
    sets = EvaluationSets(102, same=False, bootstrap_variance=0.04)
    judgement = judge(claim_of(2.55, examples=51), spread_around(2.6, 0.1), 0.1, sets, metric=LOG_LOSS)
    training = stats.t.ppf(0.975, 4) ** 2 * 0.01 * 1.2
    sampling = stats.norm.ppf(0.975) ** 2 * (0.04 + 0.08)
    assert judgement.half_width == pytest.approx(math.sqrt(training + sampling))


def test_without_a_bootstrap_a_metric_that_is_no_proportion_has_no_interval_on_other_test_examples():
    values = spread_around(2.6, 0.1)
    judgement = judge(claim_of(1.0), values, 0.1, OTHER, metric=LOG_LOSS)
    assert (judgement.verdict, judgement.half_width, judgement.seeds_needed) == (Verdict.inconclusive, None, None)
    assert judge(claim_of(1.0), values, 0.1, SAME, metric=LOG_LOSS).verdict is Verdict.worse


def test_only_a_proportion_has_a_half_width_of_at_least_one_example():
    sets = EvaluationSets(10, same=True)
    assert judge(claim_of(0.5), [0.5] * 3, 0.01, sets).half_width == pytest.approx(0.1)
    assert judge(claim_of(0.5), [0.5] * 3, 0.01, sets, metric=metrics.get("macro_f1")).half_width == 0


@pytest.mark.parametrize("claim", [claim_of(1.0), claim_of(1.0, trainings=10, deviation=0.0)])
def test_no_half_width_is_below_one_test_example(claim):
    judgement = judge(claim, [1.0] * 5, 0.005, EvaluationSets(28, same=True))
    assert judgement.half_width == pytest.approx(1 / 28)
    assert judgement.measured.interval == (pytest.approx(27 / 28), 1.0)
    assert judgement.verdict is Verdict.inconclusive  # half a percentage point cannot be measured on 28 examples


def test_a_printed_claim_stands_for_all_that_rounds_to_it():
    claim = claim_of(0.92, rounding=0.005)
    assert judge(claim, spread_around(0.9248, 0.0001), 0.005, SAME).difference == 0
    outside = judge(claim, spread_around(0.926, 0.0001), 0.005, SAME)
    assert outside.difference == pytest.approx(0.001)
    assert outside.half_width == pytest.approx(stats.t.ppf(0.975, 4) * 0.0001 * math.sqrt(1.2))  # no rounding in it


def test_a_claimed_range_counts_from_its_nearest_end():
    claim = Claim("0.92 to 0.93", 0.92, 0.93, 0.915, 0.935, N)
    for mean, difference in ((0.925, 0.0), (0.91, -0.005), (0.945, 0.01)):
        assert judge(claim, spread_around(mean, 0.0005), 0.005, SAME).difference == pytest.approx(difference)


# -- the verdict ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("side", "verdict"), [(1, Verdict.better), (-1, Verdict.worse)])
def test_a_difference_is_said_where_the_interval_leaves_zero_and_reaches_beyond_the_tolerance(side, verdict):
    claim, deviation = claim_of(0.95), 0.003
    half = stats.t.ppf(0.975, 4) * deviation * math.sqrt(1.2)
    assert half > 0.005
    for gap, expected in ((1e-6, verdict), (-1e-6, Verdict.inconclusive)):
        assert judge(claim, spread_around(0.95 + side * (half + gap), deviation), 0.005, SAME).verdict is expected


@pytest.mark.parametrize(("mean", "verdict"), [(0.3, Verdict.better), (0.5, Verdict.worse)])
def test_of_a_metric_whose_smaller_values_are_better_the_smaller_mean_is_better(mean, verdict):
    judgement = judge(claim_of(0.4), spread_around(mean, 0.01), 0.01, SAME, metric=LOG_LOSS)
    assert judgement.verdict is verdict
    assert judgement.difference == pytest.approx(mean - 0.4)


@pytest.mark.parametrize("side", [1, -1])
def test_a_difference_inside_the_tolerance_is_reproduced_although_it_is_shown(side):
    claim, deviation = claim_of(0.95), 0.0003
    half = stats.t.ppf(0.975, 4) * deviation * math.sqrt(1.2)
    edge = 0.005 - half
    judgement = judge(claim, spread_around(0.95 + side * (edge - 1e-6), deviation), 0.005, SAME)
    assert judgement.verdict is Verdict.reproduced
    assert abs(judgement.difference) - judgement.half_width > 0  # the interval excludes zero
    beyond = judge(claim, spread_around(0.95 + side * (edge + 1e-6), deviation), 0.005, SAME)
    assert beyond.verdict is (Verdict.better if side > 0 else Verdict.worse)


def test_an_interval_around_zero_is_reproduced_if_it_is_no_wider_than_the_tolerance():
    unit = stats.t.ppf(0.975, 4) * math.sqrt(1.2)
    assert judge(claim_of(0.95), spread_around(0.953, 0.00499 / unit), 0.005, SAME).verdict is Verdict.reproduced
    assert judge(claim_of(0.95), spread_around(0.953, 0.00501 / unit), 0.005, SAME).verdict is Verdict.inconclusive


def test_a_smaller_tolerance_says_more():
    values = spread_around(0.953, 0.0005)
    assert judge(claim_of(0.95), values, 0.005, SAME).verdict is Verdict.reproduced
    assert judge(claim_of(0.95), values, 0.001, SAME).verdict is Verdict.better


def test_an_inconclusive_row_names_the_fewest_seeds_that_decide():
    judgement = judge(claim_of(0.95), spread_around(0.952, 0.002), 0.005, SAME)
    assert judgement.verdict is Verdict.inconclusive
    needed = judgement.seeds_needed
    assert judge(claim_of(0.95), spread_around(0.952, 0.002, needed), 0.005, SAME).verdict is not Verdict.inconclusive
    assert judge(claim_of(0.95), spread_around(0.952, 0.002, needed - 1), 0.005, SAME).verdict is Verdict.inconclusive


def test_no_number_of_seeds_decides_where_one_training_scatters_by_more_than_the_tolerance():
    judgement = judge(claim_of(0.9), spread_around(0.9, 0.02), 0.005, SAME)
    assert (judgement.verdict, judgement.seeds_needed) == (Verdict.inconclusive, None)
    several = judge(claim_of(0.9, trainings=1000), spread_around(0.9, 0.02), 0.005, SAME)
    assert several.verdict is Verdict.inconclusive
    assert several.seeds_needed > 5


@pytest.mark.parametrize("values", [[0.9], [0.9, 0.91]])
def test_fewer_than_three_seeds_are_inconclusive_however_far_they_are(values):
    judgement = judge(claim_of(0.99), values, 0.005, SAME)
    assert (judgement.verdict, judgement.half_width, judgement.seeds_needed) == (Verdict.inconclusive, None, 3)


def test_a_row_without_runs_is_not_run():
    assert judge(claim_of(0.99), [], 0.005, SAME).verdict is Verdict.not_run


def test_without_a_claim_there_is_no_verdict_but_a_mean():
    judgement = judge(None, [0.9, 0.91, 0.92], 0.005, SAME)
    assert judgement.verdict is Verdict.no_claim
    assert judgement.measured.mean == pytest.approx(0.91)


def test_one_run_of_a_deterministic_row_is_judged_to_one_test_example():
    for value, verdict in ((0.8203, Verdict.reproduced), (0.8254, Verdict.better), (0.8152, Verdict.worse)):
        judgement = judge(claim_of(0.8203), [value], 0.005, SAME, deterministic=True)
        assert (judgement.verdict, judgement.half_width) == (verdict, pytest.approx(1 / N))


@pytest.mark.parametrize(
    ("claim", "value", "tolerance"),
    [
        (claim_of(0.82, rounding=0.0005), 0.8254, 0.005),  # the interval ends at the tolerance
        (claim_of(0.2002), 0.2003, 1 / N),  # it begins at zero
    ],
)
def test_an_interval_whose_end_is_a_boundary_is_reproduced_although_floats_are_rounded(claim, value, tolerance):
    assert judge(claim, [value], tolerance, SAME, deterministic=True).verdict is Verdict.reproduced


def test_a_row_that_is_called_deterministic_and_is_not_has_no_verdict_from_two_runs():
    assert judge(claim_of(0.82), [0.82, 0.83], 0.005, SAME, deterministic=True).verdict is Verdict.inconclusive


@fuzz(100)
@given(
    claimed=st.floats(0, 1), values=st.lists(st.floats(0, 1), min_size=3, max_size=10), same=st.booleans(),
    examples=st.integers(1, 100_000), tolerance=st.floats(0, 0.5), trainings=st.integers(1, 20),
)  # fmt: skip
def test_every_judgement_is_consistent(claimed, values, same, examples, tolerance, trainings):
    judgement = judge(claim_of(claimed, trainings=trainings), values, tolerance, EvaluationSets(examples, same=same))
    low, high = judgement.difference - judgement.half_width, judgement.difference + judgement.half_width  # not cut off
    inside = max(abs(low), abs(high)) <= tolerance
    assert judgement.half_width >= 1 / examples
    assert (judgement.verdict is Verdict.better) == (low > 0 and not inside)
    assert (judgement.verdict is Verdict.worse) == (high < 0 and not inside)
    around_zero = low <= 0 <= high
    assert (judgement.verdict is Verdict.reproduced) == (inside or (around_zero and judgement.half_width <= tolerance))
    if judgement.verdict is not Verdict.inconclusive:
        assert judgement.seeds_needed is None


@pytest.mark.parametrize(
    ("claim", "values", "sets", "cause"),
    [
        (claim_of(0.9), spread_around(0.9, 0.02), SAME, "training"),
        (claim_of(0.9), spread_around(0.9, 0.02), OTHER, "training"),
        (claim_of(0.9, examples=1000), spread_around(0.9, 0.0001), OTHER, "sampling"),
        (claim_of(1.0), [1.0] * 5, EvaluationSets(28, same=True), "resolution"),
    ],
)
def test_a_row_that_no_number_of_seeds_decides_names_what_remains(claim, values, sets, cause):
    judgement = judge(claim, values, 0.005, sets)
    assert (judgement.verdict, judgement.seeds_needed) == (Verdict.inconclusive, None)
    assert judgement.limit.cause == cause
    assert judgement.limit.sampled == (sets is OTHER)
    assert 0.005 < judgement.limit.half_width <= judgement.half_width
    if cause == "training":
        assert judgement.limit.half_width == pytest.approx(stats.norm.ppf(0.975) * 0.02, rel=0.03)


# -- the error rate ---------------------------------------------------------------------------------------------------

MOST = 0.06  # false verdicts, where 0.05 are claimed
FEW_AND_MANY = (SEEDS[0], SEEDS[-1])


@pytest.mark.parametrize("tolerance", [0.005, 1 / N])
@pytest.mark.parametrize("seeds", FEW_AND_MANY)
@pytest.mark.parametrize("cell", GRID, ids=lambda cell: f"{cell[0]}-{cell[1]}")
def test_a_true_claim_is_called_better_or_worse_in_at_most_6_percent_of_all_cases(cell, seeds, tolerance):
    assert false_verdicts(simulate(*cell, seeds, repeats=2000, tolerance=tolerance)) <= MOST


@pytest.mark.parametrize("trainings", [2, 10])
@pytest.mark.parametrize("seeds", FEW_AND_MANY)
def test_the_same_holds_for_a_claim_with_a_deviation(seeds, trainings):
    assert false_verdicts(simulate(0.9, 0.01, seeds, repeats=2000, trainings=trainings, tolerance=1 / N)) <= MOST


@pytest.mark.parametrize("seeds", FEW_AND_MANY)
def test_the_same_holds_for_a_mean_without_a_deviation(seeds):
    shares = simulate(0.9, 0.01, seeds, repeats=2000, trainings=5, states_deviation=False, tolerance=1 / N)
    assert false_verdicts(shares) <= MOST


@pytest.mark.parametrize("deviation", [0.0005, 0.005])
@pytest.mark.parametrize("seeds", FEW_AND_MANY)
def test_the_same_holds_on_other_test_examples(seeds, deviation):
    shares = simulate(0.97, deviation, seeds, repeats=2000, same=False, tolerance=1 / N)
    assert false_verdicts(shares) <= MOST


def test_a_difference_of_two_percentage_points_is_called():
    for cell in GRID[:4]:
        shares = simulate(*cell, 5, repeats=500, difference=0.02)
        assert shares.get(Verdict.better, 0.0) > 0.95
