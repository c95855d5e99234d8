"""The bootstrap's standard deviation, against its formula and against SciPy's."""

import math

import numpy as np
import pytest
from scipy import stats

from fitbench import metrics
from fitbench.errors import FitbenchError
from fitbench.tables.bootstrap import deviation, resamples


def predictions(examples: int, classes: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Labels and probabilities of a classifier that is right more often than not."""
    random = np.random.default_rng(examples)
    labels = random.integers(classes, size=examples)
    probabilities = random.dirichlet(np.ones(classes), examples)
    probabilities[np.arange(examples), labels] += 0.5
    return labels, probabilities / probabilities.sum(axis=1, keepdims=True)


def test_deviation_of_a_mean_is_that_of_the_examples_over_the_root_of_their_number():
    random = np.random.default_rng(1)
    targets, outputs = random.normal(size=500), random.normal(size=500)
    expected = np.square(targets - outputs).std() / math.sqrt(500)
    assert deviation(metrics.get("mse").evaluate, targets, outputs) == pytest.approx(expected, rel=0.07)


@pytest.mark.parametrize("name", ["macro_f1", "roc_auc"])
def test_deviation_is_that_of_scipys_bootstrap(name):
    metric, (labels, probabilities) = metrics.get(name), predictions(300)
    theirs = stats.bootstrap(
        (np.arange(300),), lambda chosen: metric.evaluate(labels[chosen], probabilities[chosen]),
        n_resamples=1000, vectorized=False, method="percentile", rng=np.random.default_rng(7),
    )  # fmt: skip
    assert deviation(metric.evaluate, labels, probabilities) == pytest.approx(theirs.standard_error, rel=0.1)


def test_the_same_predictions_give_the_same_deviation():
    labels, probabilities = predictions(100)
    values = {deviation(metrics.get("log_loss").evaluate, labels, probabilities) for _ in range(3)}
    assert len(values) == 1
    assert deviation(metrics.get("log_loss").evaluate, labels, probabilities.astype(np.float32)) == pytest.approx(
        values.pop()
    )


def test_resamples_without_a_class_are_left_out_and_too_many_of_them_are_refused():
    labels, probabilities = np.arange(100) % 3, predictions(100)[1]
    few, rare = np.where(np.arange(100) < 2, 2, labels % 2), np.where(np.arange(100) < 1, 2, labels % 2)
    metric = metrics.get("macro_f1")
    assert 0 < deviation(metric.evaluate, few, probabilities) < 0.5  # 13% of the resamples have neither of two examples
    assert 0 < deviation(metric.evaluate, rare, probabilities) < 0.5  # 37%
    with pytest.raises(FitbenchError, match=r"undefined on 1,000 of 1,000 resamples"):
        deviation(metric.evaluate, labels % 2, probabilities)


def test_fewer_resamples_are_drawn_of_many_examples():
    assert (resamples(28), resamples(10_000)) == (1000, 200)
