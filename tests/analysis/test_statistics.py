"""Each statistic against SciPy called another way, a case from the literature, or a count by hand."""

import itertools
import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats

from fitbench.analysis.statistics import (
    corrected,
    holm,
    mcnemar,
    mean_interval,
    of_seeds,
    paired,
    probability_better,
    summarise,
    welch,
    wilson,
)

# Hours of sleep gained with two drugs by the same ten patients: Cushny & Peebles (1905), in 'Student' (1908).
SLEEP_1 = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
SLEEP_2 = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]

accuracies = st.lists(st.integers(0, 1000).map(lambda right: right / 1000), min_size=2, max_size=12)
losses = st.lists(st.floats(1e-6, 1e6), min_size=2, max_size=12)


@pytest.fixture(autouse=True)
def no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


# -- one group --------------------------------------------------------------------------------------------------------


def test_mean_and_sample_standard_deviation_of_students_sleep():
    """'Student' (1908), Biometrika 6, p. 20: means .75 and 2.33; R's sd() gives 1.78901 and 2.002249."""
    for values, mean, sd in ((SLEEP_1, 0.75, 1.789010), (SLEEP_2, 2.33, 2.002249)):
        summary = summarise(values)
        assert summary.n == 10
        assert summary.mean == pytest.approx(mean)
        assert summary.sd == pytest.approx(sd, rel=1e-6)
        assert summary.sd == pytest.approx(np.std(values, ddof=1))


def test_too_few_values_have_no_interval_and_it_says_why():
    none, one, two = summarise([]), summarise([0.9], 0, 1), summarise([0.9, 0.8], 0, 1)
    assert (none.n, none.mean, none.sd, none.interval) == (0, None, None, None)
    assert (one.n, one.mean, one.sd, one.interval) == (1, 0.9, None, None)
    assert (two.n, two.interval) == (2, None)
    assert two.sd == pytest.approx(0.1 / math.sqrt(2))
    assert none.no_interval == one.no_interval == two.no_interval == "fewer than 3 values"
    assert summarise([0.9, 0.8, 0.7], 0, 1).no_interval is None


def test_values_outside_of_the_range_have_no_interval_and_it_says_why():
    summary = summarise([97.1, 97.4, 97.3], 0, 1)
    assert summary.interval is None
    assert "outside of the range of the metric, 0 to 1" in summary.no_interval


def test_values_without_variance_have_an_interval_without_width():
    for value in (1.0, 0.0, 0.3):
        summary = summarise([value] * 4, 0, 1)
        assert (summary.mean, summary.sd, summary.interval) == (value, 0.0, (value, value))
    rounded = summarise([0.3, 0.1 + 0.2, 0.3], 0, 1)  # 0.30000000000000004
    assert (rounded.sd, rounded.interval) == (0.0, (rounded.mean, rounded.mean))
    assert summarise([0.0] * 3, 0, math.inf).interval == (0.0, 0.0)


def test_the_interval_of_an_unbounded_mean_is_students():
    low, high = mean_interval(SLEEP_2)
    expected = stats.ttest_1samp(SLEEP_2, 0).confidence_interval(0.95)
    assert (low, high) == pytest.approx((expected.low, expected.high))


def test_the_interval_of_an_accuracy_is_scipys_wilson_interval_of_the_effective_sample_size():
    """Five seeds with mean 1/2 and s^2/n = 0.005: as 25 of 50; the level at which z is t makes t of z."""
    t = stats.t.ppf(0.975, 4)
    expected = stats.binomtest(25, 50).proportion_ci(confidence_level=2 * stats.norm.cdf(t) - 1, method="wilson")
    assert mean_interval([0.3, 0.4, 0.5, 0.6, 0.7], 0, 1) == pytest.approx((expected.low, expected.high))


@pytest.mark.parametrize("values", [[0.99, 0.991, 0.9885], [0.9995, 0.9997, 0.9993, 0.9996], [1.0, 0.2, 0.9]])
def test_the_limits_of_an_accuracy_are_where_the_score_test_turns(values):
    """(mean - x)^2 = t^2 V(x), where V(x) is the variance of the mean, scaled as that of a proportion x."""
    n, mean, variance = len(values), np.mean(values), np.var(values, ddof=1) / len(values)

    def score(x):
        return (mean - x) ** 2 - stats.t.ppf(0.975, n - 1) ** 2 * variance * x * (1 - x) / (mean * (1 - mean))

    expected = optimize.brentq(score, 0, mean), optimize.brentq(score, mean, 1)
    assert mean_interval(values, 0, 1) == pytest.approx(expected)


def test_the_interval_of_a_loss_is_students_on_the_logarithm():
    values = [0.9, 0.2, 0.4, 0.1]
    error = stats.sem(values) / np.mean(values)  # of log(mean), by the delta method
    expected = np.exp(stats.t.interval(0.95, 3, loc=np.log(np.mean(values)), scale=error))
    assert mean_interval(values, 0, math.inf) == pytest.approx(tuple(expected))


@settings(deadline=None)
@given(accuracies)
def test_the_interval_of_an_accuracy_holds_the_mean_and_stays_in_range(values):
    low, high = mean_interval(values, 0, 1)
    assert 0 <= low <= np.mean(values) + 1e-15
    assert np.mean(values) - 1e-15 <= high <= 1


@settings(deadline=None)
@given(accuracies)
def test_the_interval_of_the_error_rate_mirrors_that_of_the_accuracy(values):
    low, high = mean_interval(values, 0, 1)
    mirrored = mean_interval([1 - value for value in values], 0, 1)
    assert mirrored == pytest.approx((1 - high, 1 - low), abs=1e-9)


@settings(deadline=None)
@given(losses)
def test_the_interval_of_a_loss_holds_the_mean_and_stays_positive(values):
    low, high = mean_interval(values, 0, math.inf)
    assert 0 < low <= np.mean(values) * (1 + 1e-12)
    assert np.mean(values) * (1 - 1e-12) <= high < math.inf


@settings(deadline=None)
@given(st.one_of(accuracies, losses), st.randoms())
def test_the_order_of_the_values_changes_no_digit(values, random):
    shuffled = random.sample(values, len(values))
    assert summarise(shuffled, 0, math.inf) == summarise(values, 0, math.inf)


def test_the_interval_covers_as_often_as_it_says_where_students_leaves_the_range():
    """Seeds as on MNIST: accuracy 0.9995, sd 0.0002, on 10,000 images; n = 3."""
    random = np.random.default_rng(0)
    p, size = 0.9995, 0.9995 * 0.0005 / 0.0002**2 - 1
    draws = np.rint(random.beta(p * size, (1 - p) * size, (4000, 3)) * 10_000) / 10_000
    limits = np.array([mean_interval(seeds, 0, 1) for seeds in draws.tolist()])
    assert 0.93 < ((limits[:, 0] <= p) & (p <= limits[:, 1])).mean() < 0.975
    assert limits.max() <= 1
    student = draws.mean(axis=1) + stats.t.ppf(0.975, 2) * stats.sem(draws, axis=1)
    assert (student > 1).mean() > 0.3


def test_an_interval_reaches_at_least_the_resolution_as_far_as_the_range_allows():
    assert mean_interval([0.9] * 3, 0, 1, resolution=0.001) == pytest.approx((0.899, 0.901))
    assert mean_interval([1.0] * 3, 0, 1, resolution=0.001) == pytest.approx((0.999, 1.0))
    values = [0.9, 0.92, 0.94]
    assert mean_interval(values, 0, 1, resolution=0.001) == mean_interval(values, 0, 1)
    assert summarise([0.9] * 3, 0, 1, 0.001).interval == pytest.approx((0.899, 0.901))


def test_the_resolution_gives_few_seeds_that_agree_to_the_last_example_their_coverage():
    """3 seeds, deviation 0.0005, 1,000 images: without it a quarter of the intervals have no width."""
    random = np.random.default_rng(0)
    p, size = 0.9803, 0.9803 * 0.0197 / 0.0005**2 - 1
    draws = np.rint(random.beta(p * size, (1 - p) * size, (4000, 3)) * 1000) / 1000

    def coverage(resolution):
        limits = np.array([mean_interval(seeds, 0, 1, resolution=resolution) for seeds in draws.tolist()])
        return ((limits[:, 0] <= p) & (p <= limits[:, 1])).mean()

    assert coverage(0.0) < 0.85
    assert coverage(0.001) > 0.95


# -- one run ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("right", "images", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_intervals_of_newcombe(right, images, low, high):
    """R. G. Newcombe (1998), Statistics in Medicine 17, 857-872, table I, method 3."""
    assert wilson(right, images) == pytest.approx((low, high), abs=5e-5)


@settings(deadline=None)
@given(st.integers(1, 20_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_is_scipys(case):
    expected = stats.binomtest(*case).proportion_ci(method="wilson")
    assert wilson(*case) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_wilson_refuses_what_is_no_proportion():
    for case in ((1, 0), (-1, 10), (11, 10)):
        with pytest.raises(ValueError, match="successes in"):
            wilson(*case)


# -- two groups -------------------------------------------------------------------------------------------------------


def test_welch_on_students_sleep():
    """R: t.test(extra ~ group, data = sleep) has p-value = 0.07939 and -3.3654832 to 0.2054832."""
    found = welch(SLEEP_1, SLEEP_2)
    assert found.estimate == pytest.approx(-1.58)
    assert found.p == pytest.approx(0.07939, abs=5e-6)
    assert found.interval == pytest.approx((-3.3654832, 0.2054832), abs=5e-8)
    assert (found.test, found.n, found.note) == ("Welch", (10, 10), None)


def test_paired_on_students_sleep():
    """R: t.test(extra ~ group, data = sleep, paired = TRUE) has p-value = 0.002833 and -2.4598858 to -0.7001142."""
    found = paired(SLEEP_1, SLEEP_2)
    assert found.estimate == pytest.approx(-1.58)
    assert found.p == pytest.approx(0.002833, abs=5e-7)
    assert found.interval == pytest.approx((-2.4598858, -0.7001142), abs=5e-8)
    assert (found.test, found.n, found.note) == ("paired t", (10,), None)


@pytest.mark.parametrize("sizes", [(3, 3), (3, 9), (5, 4), (12, 7)])
def test_welch_and_paired_are_scipys(sizes):
    random = np.random.default_rng(sum(sizes))
    a, b = random.normal(1, 1, sizes[0]).tolist(), random.normal(2, 4, sizes[1]).tolist()
    found, expected = welch(a, b), stats.ttest_ind(a, b, equal_var=False)
    assert found.p == pytest.approx(expected.pvalue)
    assert found.interval == pytest.approx(tuple(expected.confidence_interval()))
    pairs = min(sizes)
    found, expected = paired(a[:pairs], b[:pairs]), stats.ttest_rel(a[:pairs], b[:pairs])
    assert found.p == pytest.approx(expected.pvalue)
    assert found.interval == pytest.approx(tuple(expected.confidence_interval()))


# Validation accuracies of two models on 5 folds, of which each is a fifth of the examples.
FOLDS_A, FOLDS_B = [0.90, 0.92, 0.88, 0.91, 0.89], [0.87, 0.90, 0.87, 0.86, 0.88]


def test_the_corrected_resampled_t_test_by_hand():
    # Differences 0.03, 0.02, 0.01, 0.05, 0.01: mean 0.024, variance 0.00112 / 4 = 0.00028.
    # t = 0.024 / sqrt((1/5 + 1/4) 0.00028) = 2.1381, with 4 degrees of freedom.
    found = corrected(FOLDS_A, FOLDS_B, overlap=1 / 4)
    assert (found.test, found.n) == ("corrected t", (5,))
    assert found.estimate == pytest.approx(0.024)
    assert found.p == pytest.approx(2 * stats.t.sf(2.138089935, 4))
    half = stats.t.ppf(0.975, 4) * math.sqrt(0.45 * 0.00028)
    assert found.interval == pytest.approx((0.024 - half, 0.024 + half))


def test_without_an_overlap_the_test_of_folds_is_scipys_and_with_one_it_is_never_surer():
    plain, careful = paired(FOLDS_A, FOLDS_B), corrected(FOLDS_A, FOLDS_B, overlap=1 / 4)
    assert plain.p == pytest.approx(stats.ttest_rel(FOLDS_A, FOLDS_B).pvalue)
    assert plain.test == "paired t"
    assert careful.p > 2 * plain.p
    assert corrected(FOLDS_A, FOLDS_B, overlap=0.0).p == pytest.approx(plain.p)


def test_the_interval_of_a_mean_over_folds_has_the_corrected_variance():
    # Accuracies 0.9 +- 0.0158: the squared error is (1/5 + 1/4) 0.00025 instead of 0.00025 / 5.
    low, high = mean_interval(FOLDS_A, overlap=1 / 4)
    half = stats.t.ppf(0.975, 4) * math.sqrt(0.45 * 0.00025)
    assert (low, high) == pytest.approx((0.9 - half, 0.9 + half))
    assert mean_interval(FOLDS_A, overlap=0) == pytest.approx(stats.t.interval(0.95, 4, 0.9, math.sqrt(0.00025 / 5)))
    low, high = mean_interval(FOLDS_A, 0.0, 1.0, overlap=1 / 4)
    size = 0.9 * 0.1 / (0.45 * 0.00025)  # the effective sample size of Wilson's interval
    t = stats.t.ppf(0.975, 4)
    assert [abs(end - 0.9) for end in (low, high)] == pytest.approx(
        [t * math.sqrt(end * (1 - end) / size) for end in (low, high)]
    )
    low, high = mean_interval(FOLDS_A, 0.0, math.inf, overlap=1 / 4)
    assert math.log(high / 0.9) == pytest.approx(math.log(0.9 / low)) == pytest.approx(half / 0.9)


def test_the_variance_of_the_seeds_is_added_by_hand():
    # Folds: (1/5 + 1/4) 0.00028 = 0.000126, with 4 degrees of freedom. Means of the differences of 3 seeds: 0.014,
    # 0.024 and 0.034, with the variance 0.0001, so 0.0001 / 3 with 2 degrees of freedom.
    variance = 0.000126 + 0.0001 / 3
    freedom = variance**2 / (0.000126**2 / 4 + (0.0001 / 3) ** 2 / 2)
    assert 4 < freedom < 6  # no more than that of the folds
    found = corrected(FOLDS_A, FOLDS_B, 1 / 4, more=of_seeds([0.014, 0.024, 0.034]))
    assert found.p == pytest.approx(2 * stats.t.sf(0.024 / math.sqrt(variance), 4))
    # 3 seeds that vary more: 0.0009 / 3 beside 0.000126.
    variance = 0.000126 + 0.0009 / 3
    freedom = variance**2 / (0.000126**2 / 4 + (0.0009 / 3) ** 2 / 2)
    assert 3 < freedom < 4
    found = corrected(FOLDS_A, FOLDS_B, 1 / 4, more=of_seeds([-0.006, 0.024, 0.054]))
    half = stats.t.ppf(0.975, freedom) * math.sqrt(variance)
    assert found.interval == pytest.approx((0.024 - half, 0.024 + half))
    variance = 0.45 * 0.00025 + 0.0009 / 3
    freedom = variance**2 / ((0.45 * 0.00025) ** 2 / 4 + (0.0009 / 3) ** 2 / 2)
    half = stats.t.ppf(0.975, freedom) * math.sqrt(variance)
    found = mean_interval(FOLDS_A, overlap=1 / 4, more=of_seeds([0.87, 0.9, 0.93]))
    assert found == pytest.approx((0.9 - half, 0.9 + half))


def test_seeds_that_do_not_vary_leave_the_corrected_resampled_t_test():
    assert of_seeds([0.9]) == []
    for seeds in ([0.024] * 3, [0.024, 0.024 * (1 + 1e-15)]):
        found = corrected(FOLDS_A, FOLDS_B, 1 / 4, more=of_seeds(seeds))
        assert found == corrected(FOLDS_A, FOLDS_B, 1 / 4)
        assert found.p == pytest.approx(2 * stats.t.sf(2.138089935, 4))
        assert mean_interval(FOLDS_A, overlap=1 / 4, more=of_seeds(seeds)) == mean_interval(FOLDS_A, overlap=1 / 4)


@pytest.mark.parametrize("small", [1e-9, 1e-3, 1e-2])
def test_seeds_never_make_an_interval_narrower(small):
    low, high = mean_interval(FOLDS_A, overlap=1 / 4)
    with_seeds = mean_interval(FOLDS_A, overlap=1 / 4, more=of_seeds([0.9 - small, 0.9, 0.9 + small]))
    assert with_seeds[0] <= low and with_seeds[1] >= high


def test_sets_of_seeds_of_one_configuration_rarely_differ_where_seeds_vary_more_than_folds():
    # value = fold + seed + rest for 2 sets of 3 seeds on the same 5 folds, with no true difference.
    random = np.random.default_rng(0)
    folds, seeds = random.normal(0, 0.5, (1000, 1, 5, 1)), random.normal(0, 1, (1000, 2, 1, 3))
    values = folds + seeds + random.normal(0, 0.5, (1000, 2, 5, 3))
    by_fold, by_seed = values.mean(axis=3).tolist(), values.mean(axis=2).tolist()
    rejected = {"with": 0, "without": 0}
    for (a, b), (x, y) in zip(by_fold, by_seed, strict=True):
        rejected["with"] += corrected(a, b, 1 / 4, more=[*of_seeds(x), *of_seeds(y)]).p < 0.05
        rejected["without"] += corrected(a, b, 1 / 4).p < 0.05
    assert rejected["with"] < 70
    assert rejected["without"] > 300


def test_the_corrected_test_rejects_as_often_as_it_says_where_the_plain_one_rejects_too_often():
    # Differences of folds without a true difference, whose correlation is that of the method: the fraction of the
    # examples that is validated on, 1/5. Then t has exactly 4 degrees of freedom (Nadeau and Bengio 2003, section 3).
    random = np.random.default_rng(0)
    common, own = random.normal(size=(3000, 1)), random.normal(size=(3000, 5))
    differences = (math.sqrt(1 / 5) * common + math.sqrt(4 / 5) * own).tolist()
    zeros = [0.0] * 5
    rejected, plain = (
        np.mean([corrected(row, zeros, overlap=overlap).p < 0.05 for row in differences]) for overlap in (1 / 4, 0.0)
    )
    assert 0.04 < rejected < 0.06
    assert plain > 0.12


def test_a_sample_without_variance_is_a_number_to_test_the_other_against():
    found, expected = welch([0.8, 0.85, 0.7], [0.9, 0.9, 0.9], 0, 1), stats.ttest_1samp([0.8, 0.85, 0.7], 0.9)
    assert found.p == pytest.approx(expected.pvalue)
    interval = expected.confidence_interval()
    assert found.interval == pytest.approx((interval.low - 0.9, interval.high - 0.9))


@pytest.mark.parametrize("test", [welch, paired])
def test_samples_without_variance_leave_nothing_to_test(test):
    same = test([0.9] * 5, [0.9] * 5, 0, 1)
    assert (same.estimate, same.interval, same.p, same.note) == (0.0, (0.0, 0.0), 1.0, None)
    apart = test([0.9] * 5, [0.8] * 5, 0, 1)
    assert apart.estimate == pytest.approx(0.1)
    assert apart.interval == (apart.estimate, apart.estimate)
    assert apart.p is None
    assert "no t-test" in apart.note


def test_pairs_that_differ_by_the_same_but_for_rounding_have_no_variance():
    a, b = [0.1, 0.3, 0.7, 0.9, 0.6], [0.0, 0.2, 0.6, 0.8, 0.5]
    assert len({x - y for x, y in zip(a, b, strict=True)}) > 1
    found = paired(a, b, 0, 1)
    assert (found.p, found.interval) == (None, (found.estimate, found.estimate))


def test_too_few_values_have_a_difference_without_a_test():
    for found in (welch([0.9], [0.8, 0.7, 0.6]), welch([0.9, 0.9], [0.8, 0.8]), paired([0.9, 0.8], [0.8, 0.7])):
        assert found.estimate > 0
        assert (found.interval, found.p) == (None, None)
        assert found.note.startswith("fewer than 3")
    with pytest.raises(ValueError, match="argument 2"):
        paired([0.9, 0.8, 0.7], [0.8, 0.7])


def test_a_difference_stays_within_what_two_accuracies_can_differ():
    a, b = [1.0, 0.1, 1.0], [0.0, 0.9, 0.0]
    assert stats.ttest_ind(a, b, equal_var=False).confidence_interval().high > 1
    low, high = welch(a, b, 0, 1).interval
    assert (low >= -1, high) == (True, 1.0)
    assert paired(a, b, 0, 1).interval[1] == 1.0


@settings(deadline=None)
@given(accuracies, accuracies)
def test_swapping_the_samples_mirrors_the_difference(a, b):
    there, back = welch(a, b, 0, 1), welch(b, a, 0, 1)
    assert there.estimate == -back.estimate
    assert there.p == back.p
    assert (there.p is None) or 0 <= there.p <= 1
    if there.interval:
        assert there.interval == (-back.interval[1], -back.interval[0])
        assert -1 <= there.interval[0] <= there.estimate <= there.interval[1] <= 1


def test_holm_on_a_case_by_hand():
    """Sorted: 0.005 x 4, 0.01 x 3, 0.03 x 2, and 0.04 x 1, which is raised to the one before."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []
    assert holm([0.6, 0.7]) == [1.0, 1.0]
    assert holm([None, 0.02, None, 0.02]) == [None, 0.04, None, 0.04]


@settings(deadline=None)
@given(st.lists(st.floats(0, 1), max_size=6))
def test_holm_is_the_closure_of_bonferroni(p_values):
    """Rejecting a hypothesis takes that each set it is in is rejected (Marcus, Peritz & Gabriel 1976)."""
    places = range(len(p_values))
    sets = [chosen for size in range(1, len(p_values) + 1) for chosen in itertools.combinations(places, size)]
    expected = [
        max(min(1, len(chosen) * min(p_values[j] for j in chosen)) for chosen in sets if i in chosen) for i in places
    ]
    assert holm(p_values) == pytest.approx(expected)


def test_the_probability_of_being_better_counts_ties_half():
    assert probability_better([0.9, 0.8], [0.8, 0.7], True) == (1 + 0.5 + 1 + 1) / 4
    assert probability_better([0.9, 0.8], [0.8, 0.7], False) == 0.5 / 4
    assert probability_better([0.9], [0.9], True) == 0.5
    assert probability_better([1.0, 1.0], [0.5], True) == 1.0
    assert probability_better([], [0.5], True) is None


@settings(deadline=None)
@given(accuracies, accuracies)
def test_the_probability_of_being_better_is_mann_whitneys_u_over_the_pairs(a, b):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # samples that are all ties
        u = stats.mannwhitneyu(a, b).statistic
    assert probability_better(a, b, True) == pytest.approx(u / (len(a) * len(b)))
    assert probability_better(a, b, False) == pytest.approx(1 - u / (len(a) * len(b)))


# -- two runs ---------------------------------------------------------------------------------------------------------


def test_mcnemar_by_hand():
    """9 images, of which 1 or fewer fall to one side: 2 (1 + 9) / 2^9."""
    assert mcnemar(1, 8) == pytest.approx(20 / 512)
    assert mcnemar(8, 1) == pytest.approx(20 / 512)
    assert mcnemar(0, 0) == 1.0
    assert mcnemar(7, 7) == 1.0
    assert mcnemar(0, 1) == 1.0


@settings(deadline=None)
@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_counts_every_way_that_is_as_unlikely(only_a, only_b):
    n = only_a + only_b
    ways = [math.comb(n, k) for k in range(n + 1)]
    expected = sum(way for way in ways if way <= ways[only_a]) / 2**n
    assert mcnemar(only_a, only_b) == pytest.approx(expected)
