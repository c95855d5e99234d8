"""The paired bootstrap: its interval covers the difference, and its p-value is what section 15.4 says."""

import numpy as np
import pytest

from fitbench.analysis.bootstrap import paired_bootstrap, resamples_of


def means(a, b):
    """The values of two runs whose metric is the mean of one value per example."""
    return lambda examples: (float(a[examples].mean()), float(b[examples].mean()))


def simulated(random, examples=60, apart=0.0):
    common = random.normal(size=examples)
    return common + random.normal(size=examples) + apart, common + random.normal(size=examples)


def test_the_interval_covers_the_difference_in_about_95_percent_of_simulations():
    random = np.random.default_rng(0)
    found = [paired_bootstrap(means(*simulated(random, apart=0.5)), 60, resamples=300) for _ in range(150)]
    covered = sum(low <= 0.5 <= high for low, high in (each.interval for each in found))
    assert 0.90 <= covered / 150 <= 0.98
    assert sum(each.p < 0.05 for each in found) > 100  # the difference is 2.7 standard errors


def test_without_a_difference_one_in_twenty_p_values_is_below_5_percent():
    random = np.random.default_rng(1)
    found = [paired_bootstrap(means(*simulated(random)), 60, resamples=300) for _ in range(150)]
    assert 0.01 <= sum(each.p < 0.05 for each in found) / 150 <= 0.10
    for each in found:
        assert (each.p < 0.05) == (not each.interval[0] <= 0 <= each.interval[1]) or 0.03 < each.p < 0.07


def test_a_and_b_may_be_exchanged():
    a, b = simulated(np.random.default_rng(2), apart=0.3)
    one, other = (paired_bootstrap(means(*pair), 60, resamples=10_000) for pair in ((a, b), (b, a)))
    assert other.difference == -one.difference
    assert other.interval == pytest.approx((-one.interval[1], -one.interval[0]))
    assert other.p == one.p


def test_the_same_runs_give_the_same_numbers_every_time():
    a, b = simulated(np.random.default_rng(3))
    first = paired_bootstrap(means(a, b), 60, resamples=200)
    assert paired_bootstrap(means(a, b), 60, resamples=200) == first
    assert first.resamples == 200


def test_equal_runs_have_p_1_and_the_clearest_difference_a_p_above_0():
    a = np.arange(30.0)
    equal = paired_bootstrap(means(a, a), 30, resamples=500)
    assert (equal.difference, equal.interval, equal.p) == (0, (0, 0), 1)
    clear = paired_bootstrap(means(a + 100, a), 30, resamples=499)
    assert (clear.p, clear.is_least, equal.is_least) == (2 / 500, True, False)


def test_resamples_on_which_the_metric_is_undefined_do_not_count():
    a, b = simulated(np.random.default_rng(4))
    rare = 59  # without this example, in 36 % of the resamples, the metric is undefined
    found = paired_bootstrap(lambda at: means(a, b)(at) if rare in at else (None, 1.0), 60, resamples=400)
    assert 100 < found.undefined < 190
    assert found.interval is not None
    only = paired_bootstrap(lambda at: (1.0, 2.0) if np.ptp(at) == 59 else (None, None), 60, resamples=400)
    assert only.undefined > 200
    assert (only.difference, only.interval, only.p) == (-1, None, None)
    assert paired_bootstrap(lambda _: (None, 1.0), 60, resamples=400).difference is None


def test_the_number_of_resamples_depends_on_that_of_the_outputs_alone():
    outputs = (1, 999, 1_000, 49_999, 50_000, 999_999, 1_000_000)
    assert list(map(resamples_of, outputs)) == [10_000, 10_000, 1_000, 1_000, 500, 500, 200]
